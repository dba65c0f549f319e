// Package callerdeskfake makes the webhooks that CallerDesk sends, for fake phones and tests: the same fields in the same
// forms as the vendor's own, all values text.
package callerdeskfake

import (
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// NewID makes the id of a call: of an incoming one Asterisk's (the second of its start and a sequence), of an outgoing
// one a number.
func NewID(startedAt time.Time, outgoing bool) string {
	if outgoing {
		return strconv.Itoa(8_000_000 + rand.IntN(1_000_000))
	}
	return strconv.FormatInt(startedAt.Unix(), 10) + "." + strconv.Itoa(1000+rand.IntN(999_000))
}

// Call is a call to send webhooks of. Zero members get the values of an ordinary call.
type Call struct {
	// ID is the CallSid; make one with NewID.
	ID       string
	Outgoing bool
	// CampID is what the request for a click to call was answered with; only outgoing calls have one.
	CampID    string
	StartedAt time.Time
	// Duration is the whole call's, Talk that of the conversation; both are cut to seconds.
	Duration, Talk time.Duration
	// Customer, Agent and DID are as India writes them: "09876500001".
	Customer, Agent, DID string
	AgentName, Group     string
	// Answered: the two talked. AgentPicked: of an outgoing call, at least the agent answered.
	Answered, AgentPicked bool
	// Status is the word; by default ANSWER or NOANSWER.
	Status string
	// HangupBy is "agent" or "customer".
	HangupBy string
	Keys     string
	// Recording adds the recording's URL.
	Recording bool
	Coins     int
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

var india = time.FixedZone("IST", 19800)

func stamp(t time.Time) string { return t.In(india).Format(time.DateTime) }

type field struct{ name, value string }

type fields []field

// Live is the webhook of a call under way. word is CallerDesk's: "Transfer to agent", "Picked", "ANSWER", "Leg A Answer",
// "Leg B Answer".
func Live(c Call, word string) []byte { return c.live(word).json() }

// LiveQuery is Live as the query of a GET.
func LiveQuery(c Call, word string) string { return c.live(word).query() }

// Report is the webhook of a call that has ended, as POST sends it.
func Report(c Call) []byte {
	return append(fields{{"type", "call_report"}}, c.report()...).json()
}

// ReportQuery is Report as the query of a GET: without a type, and with an "n" between date and time.
func ReportQuery(c Call) string {
	all := c.report()
	for i, f := range all {
		if strings.HasSuffix(strings.ToLower(f.name), "time") {
			all[i].value = strings.Replace(f.value, " ", "n", 1)
		}
	}
	return all.query()
}

// MemberChanged is the webhook of an agent who was added: it is about no call.
func MemberChanged(name, number string) []byte {
	return fields{{"type", "member"}, {"member_name", name}, {"member_num", number}, {"access", "1"}, {"active", "1"}}.json()
}

// GroupChanged is the webhook of a call group that was changed.
func GroupChanged(name string) []byte {
	return fields{{"type", "call_group"}, {"group_name", name}, {"group_id", "4411"}}.json()
}

func (c Call) direction() string {
	if c.Outgoing {
		return "WEBOBD"
	}
	return "IVR"
}

func (c Call) parties() (source, whom string) {
	source, whom = or(c.Customer, "09876500001"), or(c.Agent, "09123400002")
	if c.Outgoing {
		return whom, source
	}
	return source, whom
}

func (c Call) live(word string) fields {
	source, whom := c.parties()
	out := fields{
		{"SourceNumber", source}, {"DestinationNumber", or(c.DID, "01204501234")}, {"DialWhomNumber", whom}, {"Status", word},
		{"StartTime", stamp(c.StartedAt)}, {"CallSid", c.ID}, {"Direction", c.direction()}, {"call_group", c.Group},
	}
	if c.CampID != "" {
		out = append(out, field{"campid", c.CampID})
	}
	return out
}

func (c Call) report() fields {
	source, whom := c.parties()
	word, why := or(c.Status, "NOANSWER"), ""
	recording, aPicked, bStart, bPicked := "", "", "", ""
	end := c.StartedAt.Add(c.Duration)
	if c.Answered || c.AgentPicked || !c.Outgoing {
		aPicked, bStart = stamp(c.StartedAt.Add(time.Second)), stamp(c.StartedAt.Add(2*time.Second))
	}
	if c.Answered {
		word, bPicked = or(c.Status, "ANSWER"), stamp(end.Add(-c.Talk))
		why = "ANSWER(16-" + or(c.HangupBy, "customer") + ")"
	}
	if c.Recording {
		recording = "https://newcallrecords.callerdesk.io/" + strings.ToLower(c.direction()) + "/" + c.StartedAt.In(india).Format("01_2006") + "/" + c.ID + ".wav"
	}
	talk := ""
	if c.Answered {
		talk = strconv.Itoa(int(c.Talk / time.Second))
	}
	return fields{
		{"SourceNumber", source}, {"DestinationNumber", or(c.DID, "01204501234")}, {"DialWhomNumber", whom},
		{"CallDuration", strconv.Itoa(int(c.Duration / time.Second))}, {"coins", strconv.Itoa(or(c.Coins, 1))}, {"Status", word},
		{"StartTime", stamp(c.StartedAt)}, {"EndTime", stamp(end)}, {"CallSid", c.ID}, {"CallRecordingUrl", recording},
		{"Direction", c.direction()}, {"campid", c.CampID}, {"TalkDuration", talk}, {"call_group", c.Group},
		{"receiver_name", or(c.AgentName, "Asha Example")}, {"error_code", "0"}, {"LegA_Picked_time", aPicked},
		{"LegB_Start_time", bStart}, {"LegB_Picked_time", bPicked}, {"key_press", c.Keys}, {"hangup_cause", why}, {"Uniqueid", c.ID},
	}
}

func (all fields) json() []byte {
	m := make(map[string]string, len(all))
	for _, f := range all {
		m[f.name] = f.value
	}
	doc, _ := json.Marshal(m) // A map of texts has no way to fail.
	return doc
}

func (all fields) query() string {
	var b strings.Builder
	for i, f := range all {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(f.name) + "=" + url.QueryEscape(f.value))
	}
	return b.String()
}
