package smartflo

import (
	"slices"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// mostAgents bounds the legs of one request.
const mostAgents = 100

// agentKeys name the agent of "Dialed on Agent" and of the dialer's triggers.
var agentKeys = []string{"agent", "agent_name", "agent_number"}

// agents reads the legs to our people: who missed the call, who answered it (of several the last had it at the end), and
// what the call's path knows of them beside.
func (d *decoder) agents(e *call.Event) {
	f, x := d.f, &e.Facts
	var legs legs
	for _, a := range d.people("missed_agent") {
		a.Status = call.AgentMissed
		legs.add(a)
	}
	if first := f.Text("first_missed_agent_number"); first != "" || f.Peek("first_missed_agent_follow_me_number") != nil {
		a := call.Agent{Status: call.AgentMissed}
		d.number(&a, first)
		d.number(&a, f.Text("first_missed_agent_follow_me_number"))
		legs.add(a)
	}
	answered := d.people("answered_agent")
	flat := d.flat(call.AgentAnswered, f.Text("answered_agent_name"), f.Text("answered_agent_number", "answer_agent_number"))
	switch n := len(answered); {
	case n > 0:
		fill(&answered[n-1], flat)
	case !nobody(flat):
		answered = []call.Agent{flat}
	}
	for i, a := range answered {
		a.Status = call.AgentAnswered
		if i < len(answered)-1 {
			a.Status = call.AgentTransferred
		}
		legs.add(a)
	}
	for _, a := range d.assigned(e.Kind) {
		legs.add(a)
	}
	d.fromFlow(&legs)
	legs.time(d, x)
	x.Agents = legs
}

// assigned is the agent who is rung, or whom the dialer gave the call.
func (d *decoder) assigned(k call.Kind) []call.Agent {
	status := call.AgentStatus("")
	switch k {
	case call.CallAgentDialed:
		status = call.AgentDialed
	case call.CallAnswered:
		status = call.AgentAnswered
	}
	list := d.people("agent")
	flat := d.flat("", d.f.Text("agent_name"), d.f.Text("agent_number"))
	if n := len(list); n > 0 {
		fill(&list[n-1], flat)
	} else if !nobody(flat) {
		list = []call.Agent{flat}
	}
	for i := range list {
		list[i].Status = status
	}
	return list
}

func (d *decoder) flat(s call.AgentStatus, name, number string) call.Agent {
	a := call.Agent{Status: s, Name: personName(name)}
	d.number(&a, number)
	return a
}

// agentMembers are the members of an agent's object that are read, or say nothing that the leg does not.
var agentMembers = []string{
	"id", "agent_id", "name", "agent_name", "email", "number", "num", "agent_number", "extension", "dialst", "is_transferred_agent", "subtype", "type", "time",
}

// people reads agents: an object, a list of them, an object with places as keys, each also as JSON text; or a name or a
// number. It takes the field if it has understood all of it.
func (d *decoder) people(name string) []call.Agent {
	var out []call.Agent
	v := telephony.Embedded(d.f.Peek(name))
	if s, ok := telephony.TextOf(v); ok {
		v = []any{s}
	}
	understood := true
	list := items(v, agentMembers...)
	if len(list) > mostAgents {
		list, understood = list[:mostAgents], false
	}
	for _, item := range list {
		switch item := telephony.Embedded(item).(type) {
		case map[string]any:
			inner := telephony.NewFields(item)
			if a := d.person(inner); !nobody(a) {
				out = append(out, a)
			}
			inner.Drop(agentMembers...)
			understood = understood && len(inner.Rest()) == 0
		default:
			s, ok := telephony.TextOf(item)
			understood = understood && ok
			a := call.Agent{}
			if strings.Trim(s, "+0123456789 -") == "" {
				d.number(&a, s)
			} else {
				a.Name = personName(s)
			}
			if !nobody(a) {
				out = append(out, a)
			}
		}
	}
	if understood {
		d.f.Drop(name)
	}
	return out
}

// person reads an agent's object. "number" may be an extension; the telephone is "agent_number" then.
func (d *decoder) person(f *telephony.Fields) call.Agent {
	a := call.Agent{ID: f.Text("id", "agent_id"), Name: personName(f.Text("name", "agent_name")), Email: f.Text("email")}
	for _, name := range []string{"agent_number", "number", "num", "extension"} {
		d.number(&a, f.Text(name))
	}
	return a
}

// number puts a number where it belongs. "0607297260058" and "Extension-0602141810347" are extensions: the digits of one
// must never meet a customer's.
func (d *decoder) number(a *call.Agent, raw string) {
	raw = decoded(raw)
	p := d.phone(raw)
	if p.Number != "" {
		if a.Number == "" {
			a.Number = p.Number
		}
		return
	}
	if len(raw) >= len("extension") && strings.EqualFold(raw[:len("extension")], "extension") {
		raw = strings.TrimLeft(raw[len("extension"):], "-: ")
	}
	if a.Extension == "" && strings.Trim(raw, "0 ") != "" && len(raw) <= 64 {
		a.Extension = raw
	}
}

// personName is a name as it is shown; words for nobody are none.
func personName(s string) string {
	s = decoded(s)
	switch strings.ToLower(s) {
	case "none", "null", "na", "n/a", "-", "0":
		return ""
	}
	return s
}

// fromFlow adds what the path knows: who was rung and answered when. Steps without id and name are not people: a voice
// bot's call has the customer's number there.
func (d *decoder) fromFlow(l *legs) {
	for _, s := range d.flow.steps {
		if s.kind != "agent" && s.kind != "agenthangup" {
			continue
		}
		a := d.person(s.fields)
		if a.ID == "" && a.Name == "" && a.Email == "" || len(*l) == mostAgents {
			continue
		}
		if s.kind == "agenthangup" {
			a.EndedAt = s.at
			l.add(a)
			continue
		}
		switch state := squash(s.state); state {
		case "":
		case "answered":
			a.Status, a.AnsweredAt = call.AgentAnswered, s.at
		case "dialed", "ringing":
			a.Status = call.AgentDialed
		case "missed", "noanswer", "notanswered", "unanswered", "busy", "cancel", "cancelled", "rejected", "failed", "chanunavail":
			a.Status = call.AgentMissed
		}
		l.add(a)
	}
}

// legs are agents, each once.
type legs []call.Agent

// rank orders what may be said of one agent in one call: whoever answered was rung before, and may have missed it first.
func rank(s call.AgentStatus) int {
	return slices.Index([]call.AgentStatus{"", call.AgentDialed, call.AgentMissed, call.AgentAnswered, call.AgentTransferred}, s)
}

func (l *legs) add(a call.Agent) {
	if nobody(a) {
		return
	}
	i := slices.IndexFunc(*l, func(b call.Agent) bool { return same(a, b) })
	if i < 0 {
		*l = append(*l, a)
		return
	}
	b := &(*l)[i]
	if rank(a.Status) > rank(b.Status) {
		b.Status = a.Status
	}
	if b.AnsweredAt.IsZero() {
		b.AnsweredAt = a.AnsweredAt
	}
	if a.EndedAt.After(b.EndedAt) {
		b.EndedAt = a.EndedAt
	}
	fill(b, a)
}

func nobody(a call.Agent) bool {
	return a.ID == "" && a.Name == "" && a.Email == "" && a.Number == "" && a.Extension == ""
}

// same compares by the strongest name both have.
func same(a, b call.Agent) bool {
	for _, pair := range [][2]string{
		{a.ID, b.ID}, {strings.ToLower(a.Email), strings.ToLower(b.Email)}, {a.Number, b.Number}, {a.Extension, b.Extension}, {a.Name, b.Name},
	} {
		if pair[0] != "" && pair[1] != "" {
			return pair[0] == pair[1]
		}
	}
	return false
}

// fill adds to a the names that only b has.
func fill(a *call.Agent, b call.Agent) {
	for _, pair := range [][2]*string{{&a.ID, &b.ID}, {&a.Name, &b.Name}, {&a.Email, &b.Email}, {&a.Number, &b.Number}, {&a.Extension, &b.Extension}} {
		if *pair[0] == "" {
			*pair[0] = *pair[1]
		}
	}
}

// time gives the call's seconds to the one leg they can only be of.
func (l legs) time(d *decoder, x *call.Facts) {
	only := func(s call.AgentStatus) *call.Agent {
		var found *call.Agent
		for i := range l {
			switch {
			case l[i].Status != s:
			case found != nil:
				return nil
			default:
				found = &l[i]
			}
		}
		return found
	}
	leg := only(call.AgentAnswered)
	if leg == nil && len(l) == 1 {
		leg = only(call.AgentMissed)
	}
	if leg == nil {
		return
	}
	leg.RingSeconds = x.RingSeconds
	if x.Direction == call.Outbound {
		leg.RingSeconds = d.seconds("agent_ring_time")
	}
	if leg.Status == call.AgentAnswered && x.Status == call.Answered {
		leg.TalkSeconds = x.TalkSeconds
		if leg.AnsweredAt.IsZero() && !d.clickToCall {
			leg.AnsweredAt = x.AnsweredAt
		}
		if leg.EndedAt.IsZero() {
			leg.EndedAt = x.EndedAt
		}
	}
}
