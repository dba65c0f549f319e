package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// about stands in every request.
const about = "Demo data of callsync. Nobody has called: the numbers are of the range that is reserved for fiction."

// Line is the demo's own number.
const Line = "+12025550100"

// someone is a customer of the demo. The numbers are those that the demo CRM knows, or does not.
type someone struct{ number, name, company, city string }

var (
	jane   = someone{"+12025550143", "Jane Doe (demo)", "Doe & Daughters Plumbing", "Washington"}
	rahul  = someone{"+12025550117", "Rahul Sharma (demo)", "Sharma Imports", "Alexandria"}
	chloe  = someone{"+12025550126", "Chloé Lefèvre (demo)", "", "Arlington"}
	wei    = someone{"+12025550132", "Wei Zhang (demo)", "Zhang & Sons", "Bethesda"}
	priya  = someone{"+12025550158", "Priya Natarajan (demo)", "Natarajan Dental", "Reston"}
	omar   = someone{"+12025550164", "Omar Haddad (demo)", "", "Silver Spring"}
	shared = someone{"+12025550171", "Alvarez Roofing (demo)", "Alvarez Roofing", "Fairfax"}
	nobody = someone{number: "+12025550189", name: "Sam Taylor (demo)"}
)

// agents answer the demo's telephones; the demo CRM knows them by e-mail.
var agents = []call.Agent{{Name: "Anna Smith", Email: "anna@demo.example"}, {Name: "Ben Ortiz", Email: "ben@demo.example"}}

// past is one call of the demo's day.
type past struct {
	who       someone
	ago       int // minutes since it began
	direction call.Direction
	status    call.Status
	seconds   int64
	agent     int
	queue     string
	outcome   string // what the agent chose
	tags      string // with commas
	note      string
	words     string // transcription
	waits     bool   // its recording is still to come
}

const in, out = call.Inbound, call.Outbound

// day is what happened, the oldest first.
var day = []past{
	{who: rahul, ago: 412, direction: in, status: call.Answered, seconds: 745, queue: "Sales", outcome: "Interested", tags: "New customer", note: "Wants a quote for three containers a month. Send it by Friday."},
	{who: nobody, ago: 398, direction: in, status: call.Missed, seconds: 22, queue: "Sales"},
	{who: wei, ago: 371, direction: out, status: call.Answered, seconds: 184, agent: 1, outcome: "Interested"},
	{who: priya, ago: 344, direction: in, status: call.Answered, seconds: 96, agent: 1, queue: "Service", outcome: "Solved"},
	{who: chloe, ago: 329, direction: in, status: call.Voicemail, seconds: 41, queue: "Service", words: "Hello, this is Chloé Lefèvre. My delivery came without the second parcel. Please call me back this afternoon."},
	{who: omar, ago: 301, direction: out, status: call.Busy, seconds: 3},
	{who: chloe, ago: 288, direction: out, status: call.Answered, seconds: 233, agent: 1, outcome: "Solved", note: "Second parcel goes out today."},
	{who: shared, ago: 262, direction: in, status: call.Answered, seconds: 318, queue: "Sales", outcome: "Interested"},
	{who: jane, ago: 240, direction: in, status: call.Answered, seconds: 251, queue: "Service", outcome: "Solved", tags: "Emergency,New customer", note: "Burst pipe in the kitchen. Promised a visit before six.",
		words: "Anna: This is Anna, how can I help?\nJane: A pipe burst under my kitchen sink, there is water everywhere.\nAnna: I am sorry to hear that. Please close the main valve first, it is usually near the meter.\nJane: Done, it stopped. Can somebody come today?\nAnna: Ben can be with you before six. May I have your address?"},
	{who: rahul, ago: 214, direction: out, status: call.Answered, seconds: 127, outcome: "Interested"},
	{who: priya, ago: 187, direction: in, status: call.Abandoned, seconds: 58, queue: "Service"},
	{who: omar, ago: 166, direction: in, status: call.Answered, seconds: 402, agent: 1, queue: "Sales", outcome: "Callback requested", note: "Asks to be called next week."},
	{who: wei, ago: 143, direction: in, status: call.Answered, seconds: 612, queue: "Sales", outcome: "Interested", tags: "Contract"},
	{who: nobody, ago: 121, direction: in, status: call.Missed, seconds: 19, queue: "Service"},
	{who: jane, ago: 104, direction: out, status: call.Voicemail, seconds: 34, agent: 1},
	{who: omar, ago: 92, direction: out, status: call.Answered, seconds: 77, agent: 1, outcome: "Callback requested"},
	{who: chloe, ago: 75, direction: in, status: call.Answered, seconds: 148, queue: "Service", outcome: "Solved"},
	{who: priya, ago: 58, direction: out, status: call.Answered, seconds: 205, outcome: "Interested"},
	{who: rahul, ago: 41, direction: in, status: call.Answered, seconds: 521, queue: "Sales", outcome: "Interested"},
	{who: wei, ago: 27, direction: out, status: call.Cancelled, seconds: 6, agent: 1},
	{who: jane, ago: 9, direction: in, status: call.Answered, seconds: 171, agent: 1, queue: "Service", waits: true},
}

// Demonstrate makes the requests of the demo's last hours, as of now.
func (Provider) Demonstrate(now time.Time) ([]telephony.Request, error) {
	now = now.UTC().Truncate(time.Second)
	stem := "demo-" + telephony.SampleID(now, 8)
	var all []request
	for i, p := range day {
		all = append(all, request{ID: fmt.Sprintf("%s-%02d", stem, i+1), Kind: call.CallEnded, Call: p.facts(now), Outlook: p.outlook()})
	}
	// One call got its note after its report, one is going on.
	late := all[8]
	late.Kind, late.Call = call.CallUpdated, day[8].facts(now)
	all[8].Call = new(*all[8].Call)
	all[8].Call.Note, all[8].Call.Tags, all[8].Call.Transcription = "", nil, call.Transcription{}
	all = append(all, late)
	talking := call.Facts{Direction: in, Status: call.InProgress, StartedAt: now.Add(-95 * time.Second), AnsweredAt: now.Add(-83 * time.Second), Customer: chloe.party(), BusinessNumber: Line,
		Queue: "Service", Agents: []call.Agent{agents[0]}}
	talking.Agents[0].Status = call.AgentAnswered
	all = append(all, request{ID: stem + "-live", Kind: call.CallAnswered, Call: &talking})
	for i, m := range []call.Message{
		{Direction: in, Customer: jane.party(), Body: "Is Ben still coming before six?", SentAt: now.Add(-88 * time.Minute)},
		{Direction: out, Customer: jane.party(), Agents: agents[1:], Body: "Yes, I am there in twenty minutes. Ben", SentAt: now.Add(-85 * time.Minute)},
	} {
		m.BusinessNumber = Line
		kind := call.MessageReceived
		if m.Direction == out {
			kind = call.MessageSent
		}
		all = append(all, request{ID: fmt.Sprintf("%s-m%d", stem, i+1), Kind: kind, Message: &m})
	}
	all = append(all, request{ID: stem + "-f1", Kind: call.FormSubmitted, Form: &call.Form{Customer: call.Party{Name: wei.name, Number: wei.number, Email: "wei@demo.example"},
		FormURL: "https://www.demo.example/quote", SubmittedAt: now.Add(-150 * time.Minute), Fields: map[string]any{"company": wei.company, "message": "Please send a quote for 200 units."}}})
	var made []telephony.Request
	for _, r := range all {
		r.About = about
		one, err := telephony.SampleJSON("", now, r)
		if err != nil {
			return nil, err
		}
		made = append(made, one)
	}
	// One that cannot be read: a time that is none.
	broken, err := telephony.SampleJSON("", now, map[string]any{"about": about, "id": stem + "-unreadable", "kind": call.CallEnded,
		"call": map[string]any{"direction": in, "status": call.Answered, "started_at": "yesterday, around noon"}})
	return append(made, broken), err
}

func (s someone) party() call.Party {
	p := call.Party{Number: s.number, Name: s.name, Company: s.company, City: s.city}
	if s.city != "" {
		p.Country = "US"
	}
	return p
}

func (p past) facts(now time.Time) *call.Facts {
	start := now.Add(-time.Duration(p.ago) * time.Minute)
	agent := agents[p.agent]
	ring := min(p.seconds, 12)
	f := &call.Facts{Direction: p.direction, Status: p.status, StartedAt: start, EndedAt: start.Add(time.Duration(p.seconds) * time.Second), DurationSeconds: &p.seconds, RingSeconds: &ring,
		Customer: p.who.party(), BusinessNumber: Line, Queue: p.queue, Note: p.note, Disposition: call.Disposition{Value: p.outcome}, Transcription: call.Transcription{Text: p.words}}
	if p.tags != "" {
		f.Tags = strings.Split(p.tags, ",")
	}
	if f.Status == call.Answered {
		talk := p.seconds - ring
		f.AnsweredAt, f.TalkSeconds = start.Add(time.Duration(ring)*time.Second), &talk
		agent.Status, agent.TalkSeconds = call.AgentAnswered, &talk
	} else if p.direction == in {
		agent.Status = call.AgentMissed
	}
	f.Agents = []call.Agent{agent}
	return f
}

// outlook says of the recording that it comes, or never does: the demo has none to play.
func (p past) outlook() map[call.Artifact]call.Outlook {
	if p.waits {
		return map[call.Artifact]call.Outlook{call.ArtifactRecording: call.Announced}
	}
	return map[call.Artifact]call.Outlook{call.ArtifactRecording: call.Never}
}
