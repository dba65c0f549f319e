package call

import (
	"cmp"
	"slices"
	"time"
)

// LiveState is what goes on on a call that has not ended, as its customer hears it.
type LiveState string

// The states of a live call.
const (
	// LiveRinging: a telephone rings. Of an outbound call that may be the customer's, while our agent is on the line.
	LiveRinging LiveState = "ringing"
	// LiveOnIVR: the caller listens to a menu.
	LiveOnIVR LiveState = "on_ivr"
	// LiveWaiting: the caller waits for an agent, and no telephone is known to ring.
	LiveWaiting LiveState = "waiting"
	LiveTalking LiveState = "talking"
	// LiveUnknown: nothing that was said of the call tells.
	LiveUnknown LiveState = "unknown"
)

// LivePicture is how a call stands right now. It is zero once the call has ended.
type LivePicture struct {
	State LiveState `json:"state,omitempty"`
	// Since is when the state began: by the source's clock where that is believable, else by the receiver's.
	Since time.Time `json:"since,omitzero"`
	// Agents are those whose telephone rings now (dialed) or who are on the line (answered), in the order in which they
	// were first heard of.
	Agents []Agent `json:"agents,omitempty"`
}

// Bounds of the picture.
const (
	// liveLag is how long before its receipt something may have happened for the source's own time of it to be believed.
	// Live events come at once; what seems older is told by a wrong clock or in a wrong time zone.
	liveLag = 10 * time.Minute
	// liveRace is how far apart two live events must be for their order of arrival to mean anything: phone systems send
	// "in department" and "dialed on agent" at once, over connections of their own.
	liveRace = 3 * time.Second
	// liveAgents is how many agents a picture shows; a hunt group may ring hundreds.
	liveAgents = 20
)

// liveLeg is one agent's part in a live call. Zero times have not happened.
type liveLeg struct {
	Agent
	dialed, answered, missed time.Time
	// over: the agent has left the call.
	over bool
}

func (l *liveLeg) rings() bool {
	return !l.dialed.IsZero() && l.answered.IsZero() && l.missed.IsZero() && !l.over
}
func (l *liveLeg) talks() bool { return !l.answered.IsZero() && !l.over }

// liveView gathers what live events say, in canonical order.
type liveView struct {
	first, ringing, picked time.Time
	// place is where the caller was sent last: LiveOnIVR or LiveWaiting; at is since when.
	place LiveState
	at    time.Time
	legs  []liveLeg
}

// livePicture tells how a live call stands, from its events in canonical order and what is folded of them. Answered beats
// ringing, ringing beats waiting, waiting beats the menu, whatever the order in which the webhooks came; only what
// clearly came later takes a call back to a menu or a queue.
func livePicture(ordered []*Event, c *Call) LivePicture {
	var v liveView
	for _, e := range ordered {
		if authority(e.Kind) == live || authority(e.Kind) == asked {
			v.add(e, c.Direction)
		}
	}
	state, since, now := v.state(c.Direction)
	p := LivePicture{State: state, Since: since}
	for _, l := range now {
		if !l.nameless() && len(p.Agents) < liveAgents {
			p.Agents = append(p.Agents, named(l, c.Agents))
		}
	}
	return p
}

func (v *liveView) add(e *Event, d Direction) {
	at := happened(e.ReceivedAt, e.OccurredAt)
	v.first = earliest(v.first, happened(e.ReceivedAt, e.OccurredAt, e.Facts.StartedAt))
	if authority(e.Kind) == asked {
		// "In progress" says no more than that the call had not ended when somebody asked.
		return
	}
	if f := &e.Facts; e.Kind == CallAnswered || f.Status == InProgress || f.Status.Talked() {
		v.picked = earliest(v.picked, happened(e.ReceivedAt, f.AnsweredAt, e.OccurredAt))
	}
	switch e.Kind {
	case CallRinging:
		v.ringing = earliest(v.ringing, happened(e.ReceivedAt, e.OccurredAt, e.Facts.StartedAt))
	case CallRouted:
		switch {
		case d == Outbound:
			v.ringing = earliest(v.ringing, at)
		case e.Facts.Department != "" || e.Facts.Queue != "":
			v.move(LiveWaiting, at)
		case len(e.Facts.IVRPath) > 0:
			v.move(LiveOnIVR, at)
		default:
			// Sent to a destination, whose telephone rings.
			v.ringing = earliest(v.ringing, at)
		}
	case CallDTMF:
		if v.place == "" {
			v.move(LiveOnIVR, at)
		}
	case CallAgentDialed:
		if len(e.Facts.Agents) == 0 {
			v.leg(&Agent{Status: AgentDialed}, e, at)
		}
	case CallAgentMissed:
		if len(e.Facts.Agents) == 0 {
			v.leg(&Agent{Status: AgentMissed}, e, at)
		}
	}
	for i := range e.Facts.Agents {
		v.leg(&e.Facts.Agents[i], e, at)
	}
}

// move notes where the caller is. The same place told again is no news.
func (v *liveView) move(to LiveState, at time.Time) {
	if v.place == to {
		v.at = earliest(v.at, at)
		return
	}
	v.place, v.at = to, at
}

func (v *liveView) leg(a *Agent, e *Event, at time.Time) {
	i := slices.IndexFunc(v.legs, func(l liveLeg) bool { return sameAgent(&l.Agent, a) })
	if i < 0 {
		v.legs, i = append(v.legs, liveLeg{}), len(v.legs)
	}
	l := &v.legs[i]
	text(&l.ID, a.ID)
	text(&l.Name, a.Name)
	text(&l.Email, a.Email)
	text(&l.Number, a.Number)
	text(&l.Extension, a.Extension)
	switch a.Status {
	case AgentDialed:
		if !l.missed.IsZero() && at.After(l.missed) {
			// Rung again.
			l.dialed, l.missed = at, time.Time{}
		} else {
			l.dialed = earliest(l.dialed, at)
		}
	case AgentAnswered:
		l.answered = earliest(l.answered, happened(e.ReceivedAt, a.AnsweredAt, e.OccurredAt))
	case AgentMissed:
		l.missed = earliest(l.missed, at)
	}
	l.over = l.over || a.Status == AgentTransferred || !a.EndedAt.IsZero()
}

// state decides, and tells which agents have to do with it.
func (v *liveView) state(d Direction) (LiveState, time.Time, []liveLeg) {
	if !v.picked.IsZero() {
		return LiveTalking, v.picked, v.talking()
	}
	var rung, lastRung, missed time.Time
	var now []liveLeg
	for i := range v.legs {
		l := &v.legs[i]
		switch {
		case l.rings():
			now = append(now, *l)
			rung, lastRung = earliest(rung, l.dialed), latest(lastRung, l.dialed)
		case l.talks() && d == Outbound:
			// The agent holds the line while the customer's telephone rings.
			now = append(now, *l)
			rung, lastRung = earliest(rung, l.answered), latest(lastRung, l.answered)
		case !l.missed.IsZero():
			missed = latest(missed, l.missed)
		}
	}
	switch {
	case len(now) > 0 && (v.place == "" || v.at.Sub(lastRung) < liveRace):
		return LiveRinging, rung, now
	case !missed.IsZero() && v.at.Before(missed):
		return LiveWaiting, missed, nil
	case v.place != "":
		return v.place, v.at, nil
	case !v.ringing.IsZero():
		return LiveRinging, v.ringing, nil
	}
	return LiveUnknown, v.first, nil
}

// talking are the agents on the line: who answered last, because a call that somebody else answers was transferred, and
// whose telephone rings since then, because it is being transferred.
func (v *liveView) talking() []liveLeg {
	var last time.Time
	for i := range v.legs {
		if l := &v.legs[i]; l.talks() {
			last = latest(last, l.answered)
		}
	}
	var out []liveLeg
	for i := range v.legs {
		switch l := &v.legs[i]; {
		case l.talks() && l.answered.Equal(last), l.rings() && l.dialed.After(latest(last, v.picked)):
			out = append(out, *l)
		}
	}
	return out
}

// named is the agent of a leg, with what other events say of their name.
func named(l liveLeg, known []Agent) Agent {
	a := l.Agent
	for i := range known {
		if k := &known[i]; sameAgent(k, &a) {
			a.ID, a.Name, a.Email = cmp.Or(a.ID, k.ID), cmp.Or(a.Name, k.Name), cmp.Or(a.Email, k.Email)
			a.Number, a.Extension = cmp.Or(a.Number, k.Number), cmp.Or(a.Extension, k.Extension)
		}
	}
	a.Status = AgentDialed
	if l.talks() {
		a.Status, a.AnsweredAt = AgentAnswered, l.answered
	}
	return a
}

// happened is the first of the source's times that may be the moment of something that arrived at received, else
// received itself.
func happened(received time.Time, stated ...time.Time) time.Time {
	received = normal(received)
	for _, t := range stated {
		if t = normal(t); !t.IsZero() && !t.After(received) && received.Sub(t) <= liveLag {
			return t
		}
	}
	return received
}

// earliest is the earlier of two times of which a zero one has not happened.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
