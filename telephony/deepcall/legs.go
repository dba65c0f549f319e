package deepcall

import (
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// leg is one attempt to reach an agent or a number: an entry of aHDetail or nHDetail.
type leg struct {
	// side is "from" or "to" in a click-to-call, else empty.
	side string
	// agent is the id of one of our people, empty for a mere number.
	agent            string
	number, cli      string
	answered         bool
	ring, talk, hold *int64
	// answeredAt and ended are when the leg was; dialed is read from its visit id, which begins with milliseconds.
	answeredAt, ended, dialed time.Time
}

// legs reads the histories of agents and numbers. They stay attributes without the recordings' files.
func (d *decoder) legs() {
	agents, numbers := d.details("ahdetail"), d.details("nhdetail")
	d.clickToCall = strings.EqualFold(d.peek("ctype"), "CTC")
	if d.peek("ctype") == "" {
		d.clickToCall = slices.ContainsFunc(numbers, func(l leg) bool { return l.side == from || l.side == to })
	}
	ids := listOf(d.f.Peek("ah"))
	answered := map[string]bool{}
	for _, v := range listOf(d.f.Peek("aansh")) {
		answered[textIn(v, "")] = true
	}
	for i := range agents {
		// Details stand in the order of the list of ids.
		if agents[i].agent == "" && len(ids) == len(agents) {
			agents[i].agent = textIn(ids[i], "")
		}
	}
	seen := map[string]bool{}
	for _, l := range agents {
		seen[l.agent] = true
	}
	for _, v := range append(ids, listOf(d.f.Peek("aansh"))...) {
		if id := textIn(v, ""); nobody(id) || seen[id] {
			continue
		} else if len(agents) < mostLegs {
			seen[id] = true
			agents = append(agents, leg{agent: id, answered: answered[id]})
		}
	}
	if master := d.peek("masteragent"); !nobody(master) && !seen[master] {
		agents = append(agents, leg{agent: master, number: d.peek("masteragentnumber"), answered: true})
	}
	if len(numbers) == 0 {
		for _, v := range listOf(d.f.Peek("nh")) {
			if n := textIn(v, ""); n != "" && len(numbers) < mostLegs {
				numbers = append(numbers, leg{number: n, answered: d.isNumber("masternumctc", n) || d.isNumber("cnumber", n)})
			}
		}
	}
	d.split(agents, numbers)
}

// mostLegs bounds the legs of one call.
const mostLegs = 200

// nobody are the ids that PHP writes for none.
func nobody(id string) bool {
	return id == "" || id == "0" || id == "-1" || id == "null" || id == "false"
}

// split tells our side from the customer's. All agents are ours. Of the numbers of a click-to-call those of "from" are,
// because it is rung first, unless agents are on the "to" side: then a customer asked to be called.
func (d *decoder) split(agents, numbers []leg) {
	ourSide, theirSide := d.sides(agents)
	d.ours = agents
	for _, l := range numbers {
		switch {
		case l.agent != "", l.side == ourSide, l.side == "" && ourSide == from && d.isNumber("masternumctc", l.number):
			d.ours = append(d.ours, l)
		case l.side == theirSide, d.isNumber("cnumber", l.number), !d.clickToCall:
			d.theirs = append(d.theirs, l)
		default:
			d.ours = append(d.ours, l)
		}
	}
	if len(d.ours) > 0 || ourSide != from {
		return
	}
	// The histories may be left out of a template.
	switch number := d.peek("masternumctc"); {
	case number != "":
		d.ours = []leg{{side: from, number: number, answered: true}}
	case d.clickToCall && textIn(d.api.Peek(from), "") != "":
		l := leg{side: from, number: textIn(d.api.Peek(from), "")}
		if strings.EqualFold(textIn(d.api.Peek("fromtype"), ""), "agent") {
			l.agent, l.number = l.number, ""
		}
		d.ours = []leg{l}
	}
}

// The sides of a click-to-call.
const (
	from = "from"
	to   = "to"
)

func (d *decoder) sides(agents []leg) (ours, theirs string) {
	at := map[string]bool{}
	for _, l := range agents {
		at[l.side] = true
	}
	for _, side := range []string{from, to} {
		switch strings.ToLower(textIn(d.api.Peek(side+"type"), "")) {
		case "agent", "group":
			at[side] = true
		}
	}
	if at[to] && !at[from] {
		return to, from
	}
	return from, to
}

// internal tells whether both sides of a click-to-call are agents.
func (d *decoder) internal() bool {
	at := map[string]bool{}
	for _, l := range d.ours {
		if l.agent != "" {
			at[l.side] = true
		}
	}
	return at[from] && at[to]
}

// isNumber tells whether a field of the report is the number n, by what they end in: some numbers lack the country code.
func (d *decoder) isNumber(field, n string) bool {
	a, b := lastTen(d.peek(field)), lastTen(n)
	return a != "" && a == b
}

func lastTen(s string) string {
	s = strings.TrimLeft(s, "+")
	if len(s) > 10 {
		return s[len(s)-10:]
	}
	return s
}

// details reads a list of legs.
func (d *decoder) details(name string) []leg {
	v := d.f.Peek(name)
	var out []leg
	var kept []any
	for _, item := range listOf(v) {
		m, ok := loosely(item).(map[string]any)
		if !ok || len(out) >= mostLegs {
			continue
		}
		out = append(out, d.leg(squashed(m)))
		kept = append(kept, withoutFiles(m))
	}
	if len(out) > 0 {
		d.f.Drop(name)
		d.extra[name] = kept
	}
	return out
}

// withoutFiles leaves out where a recording is: that is in the call's recordings.
func withoutFiles(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		switch squash(k) {
		case "recording", "recordingurl", "file", "url", "path":
		default:
			if !telephony.Blank(v) {
				out[k] = v
			}
		}
	}
	return out
}

func (d *decoder) leg(f *telephony.Fields) leg {
	l := leg{
		side: strings.ToLower(f.Text("ctc")), agent: f.Text("agentid"), number: f.Text("agentnumber", "number"), cli: f.Text("cli"),
		ring: f.Int("totalringduration"), talk: f.Int("talkduration"), hold: f.Int("totalholdduration"),
		answeredAt: d.moment(f.Peek("answerstime", "talkstime")), ended: d.moment(f.Peek("answeretime", "talketime")),
	}
	if nobody(l.agent) {
		l.agent = ""
	}
	visit, _, _ := strings.Cut(f.Text("visitid"), "_")
	l.dialed = d.moment(visit)
	switch word := squash(f.Text("status")); {
	case word != "":
		l.answered = strings.HasPrefix(word, "ans")
	default:
		lasted := f.Int("answerduration")
		l.answered = !l.answeredAt.IsZero() || lasted != nil && *lasted > 0
	}
	return l
}

// agents are our people on this call, each once, in the order they were called.
func (d *decoder) agents() []call.Agent {
	var out []call.Agent
	for _, l := range d.ours {
		a := d.agentOf(l)
		if a.ID == "" && a.Number == "" && a.Extension == "" {
			continue
		}
		at := -1
		for i := range out {
			if out[i].ID == a.ID && (a.ID != "" || out[i].Number == a.Number && out[i].Extension == a.Extension) {
				at = i
			}
		}
		if at < 0 {
			out = append(out, a)
			continue
		}
		again(&out[at], a)
	}
	return out
}

func (d *decoder) agentOf(l leg) call.Agent {
	raw := l.number
	if raw == "" && l.agent != "" && l.agent == d.peek("masteragent") {
		raw = d.peek("masteragentnumber")
	}
	p := d.phone(raw)
	a := call.Agent{
		ID: l.agent, Number: p.Number, Extension: p.Extension, Status: call.AgentMissed,
		RingSeconds: l.ring, TalkSeconds: l.talk, HoldSeconds: l.hold,
	}
	if a.Number == "" && a.Extension == "" {
		a.Number = p.Raw
	}
	if l.answered {
		a.Status, a.AnsweredAt, a.EndedAt = call.AgentAnswered, l.answeredAt, l.ended
	}
	return a
}

// again adds a further attempt to reach the same agent.
func again(a *call.Agent, b call.Agent) {
	a.Number, a.Extension = or(a.Number, b.Number), or(a.Extension, b.Extension)
	a.RingSeconds, a.TalkSeconds, a.HoldSeconds = sum(a.RingSeconds, b.RingSeconds), sum(a.TalkSeconds, b.TalkSeconds), sum(a.HoldSeconds, b.HoldSeconds)
	if b.Status == call.AgentAnswered {
		a.Status = b.Status
	}
	if a.AnsweredAt.IsZero() || !b.AnsweredAt.IsZero() && b.AnsweredAt.Before(a.AnsweredAt) {
		a.AnsweredAt = b.AnsweredAt
	}
	if b.EndedAt.After(a.EndedAt) {
		a.EndedAt = b.EndedAt
	}
}

func sum(a, b *int64) *int64 {
	if a == nil || b == nil {
		return firstInt(a, b)
	}
	n := *a + *b
	return &n
}

func firstInt(a, b *int64) *int64 {
	if a != nil {
		return a
	}
	return b
}
