package callerdesk

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// decoder reads the fields of one request. Every read takes the field; what is left becomes attributes.
type decoder struct {
	f        *telephony.Fields
	settings telephony.Settings
	// sid names the call: CallSid, else Uniqueid.
	sid, unique string
	// said is the status as it was sent, word what it means.
	said string
	word status
	// clicked: somebody of ours started the call.
	clicked bool
	legs    legs
}

// legFields are the times of the legs. They are kept as they came, too, because the call has no place for all of them.
var legFields = []string{"lega_picked_time", "legb_start_time", "legb_picked_time"}

// legs are the times of the two legs. Of an outgoing call A is the agent's and B the customer's; of an incoming one A is
// the caller's, answered by the IVR, and B the agent's (the latter by what accounts send; CallerDesk does not say).
type legs struct{ aPicked, bStart, bPicked time.Time }

// id reads an id: opaque text, often digits with a fraction. A "0" names nothing.
func (d *decoder) id(name string) string {
	s := d.f.Text(name)
	if strings.Trim(s, "0.") == "" {
		return ""
	}
	return s
}

func (d *decoder) event() call.Event {
	f := d.f
	e := call.Event{ProviderID: d.sid}
	if d.unique != "" {
		e.Aliases = []call.Alias{{Kind: AliasUniqueID, Value: d.unique}}
	}
	// The words, too, are kept as they came: people know them from CallerDesk's own panel.
	raw := map[string]any{}
	for _, name := range []string{"status", "callstatus", "direction"} {
		if v := f.Peek(name); v != nil {
			raw[name] = v
		}
	}
	for _, name := range legFields {
		if v := f.Peek(name); v != nil && !never(v) {
			raw[name] = v
		}
	}
	isReport := d.isReport()

	x := &e.Facts
	d.said = f.Text("status")
	d.word = readStatus(d.said)
	if second := readStatus(f.Text("callstatus")); second.known && !d.word.known {
		d.word = second
	}
	x.Direction, d.clicked = direction(f.Text("direction"))
	x.StartedAt = d.moment("starttime")
	d.legs = legs{d.moment("lega_picked_time"), d.moment("legb_start_time"), d.moment("legb_picked_time")}
	x.Queue = f.Text("call_group")
	d.campaign(x)
	business := d.phone(f.Text("destinationnumber"))
	x.BusinessNumber, x.BusinessRawNumber = business.Number, business.Raw

	if isReport {
		d.report(&e)
	} else {
		d.live(&e)
	}
	d.parties(&e)
	if kind := f.Text("type"); kind != "" && kindOf(kind) == "" {
		raw["type"] = kind
	}
	x.Attributes = f.Rest()
	for k, v := range raw {
		if x.Attributes == nil {
			x.Attributes = map[string]any{}
		}
		x.Attributes[k] = v
	}
	return e
}

// The kinds of requests about a call, as the field "type" names them.
const (
	kindReport = "report"
	kindLive   = "live"
)

// kindOf reads the field "type", which only the POST form of a report is known to have ("call_report").
func kindOf(word string) string {
	word = strings.ToLower(word)
	switch {
	case strings.Contains(word, "live"):
		return kindLive
	case strings.Contains(word, "report"), strings.Contains(word, "cdr"):
		return kindReport
	}
	return ""
}

// isReport tells a report from a live call. Where no type says it, a report is what only a call that is over can have.
func (d *decoder) isReport() bool {
	f := d.f
	if s, _ := telephony.TextOf(f.Peek("type")); kindOf(s) != "" {
		return kindOf(s) == kindReport
	}
	for _, name := range []string{"endtime", "callduration", "talkduration", "callrecordingurl"} {
		if v := f.Peek(name); v != nil && !never(v) {
			return true
		}
	}
	s, _ := telephony.TextOf(f.Peek("status"))
	if readStatus(s).onlyLive {
		return false
	}
	for _, name := range legFields {
		if v := f.Peek(name); v != nil && !never(v) {
			return true
		}
	}
	return f.Has("endtime")
}

// never tells whether v is one of the ways of writing that something did not happen: zeros, be they a date's.
func never(v any) bool {
	s, ok := telephony.TextOf(v)
	return ok && strings.Trim(s, "0-:. TnN\\\n") == ""
}

// split finds the day and the time of day, whatever stands between them: one space or two, a T, an "n" or a backslash and
// an "n" that were a line break once.
var split = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})(?:[\sT]+|\\?n)(\d{2}:\d{2}.*)$`)

// moment reads a time. It is in the source's zone, India's unless an administrator says otherwise.
func (d *decoder) moment(name string) time.Time {
	v := d.f.Peek(name)
	if v == nil || never(v) {
		d.f.Drop(name)
		return time.Time{}
	}
	if s, ok := v.(string); ok {
		if m := split.FindStringSubmatch(s); m != nil {
			v = m[1] + " " + m[2]
		}
	}
	t, ok := telephony.Moment(v, d.settings.Location, "2006-01-02 15:04", "02-01-2006 15:04:05", "02/01/2006 15:04:05")
	if ok {
		d.f.Drop(name)
	}
	return t
}

// direction reads the kind of the call: IVR is incoming, WEBOBD outgoing and clicked by an agent. Other words with OBD
// are outgoing campaigns. A word that is not known stays an attribute and decides nothing.
func direction(word string) (d call.Direction, clicked bool) {
	switch w := strings.ToLower(word); {
	case w == "webobd", strings.HasPrefix(w, "out"), strings.HasPrefix(w, "click"):
		return call.Outbound, true
	case strings.Contains(w, "obd"):
		return call.Outbound, false
	case strings.HasPrefix(w, "internal"):
		return call.Internal, false
	case w == "ivr", strings.HasPrefix(w, "in"):
		return call.Inbound, false
	}
	return "", false
}

// campaign reads campid: of a click to call the id with which the request for it was answered, else that of a campaign,
// which many calls share.
func (d *decoder) campaign(x *call.Facts) {
	if id := d.id("campid"); d.clicked {
		x.Reference.ClickToCall = id
	} else {
		x.Campaign.ID = id
	}
}

// live fills an event of a call that is under way. Words that say how a call ended are about one agent's leg here: the
// next agent may ring. Only a report ends the call.
func (d *decoder) live(e *call.Event) {
	x := &e.Facts
	e.Kind, x.Status = call.CallRinging, call.Ringing
	outbound := x.Direction == call.Outbound
	switch w := d.word; {
	case w.agentOnly && outbound:
		// The agent is on the line and the customer's telephone rings.
		e.Kind = call.CallRouted
	case w.result == call.Answered || w.agentOnly:
		e.Kind, x.Status, x.AnsweredAt = call.CallAnswered, call.InProgress, d.legs.bPicked
	case w.key == wordTransfer:
		e.Kind = call.CallAgentDialed
	case w.result != "" && d.f.Peek("dialwhomnumber") != nil && !outbound:
		e.Kind = call.CallAgentMissed
	}
}

// report fills an event of a call that has ended.
func (d *decoder) report(e *call.Event) {
	f, x := d.f, &e.Facts
	e.Kind = call.CallEnded
	x.EndedAt = d.moment("endtime")
	x.DurationSeconds = f.Int("callduration")
	x.TalkSeconds = f.Int("talkduration")
	x.Status = d.result(x)
	if x.Status == call.Answered {
		x.AnsweredAt = d.legs.bPicked
	}
	if !d.legs.bStart.IsZero() && !d.legs.bPicked.Before(d.legs.bStart) {
		s := int64(d.legs.bPicked.Sub(d.legs.bStart) / time.Second)
		x.RingSeconds = &s
	}
	x.Digits = strings.FieldsFunc(f.Text("key_press"), func(r rune) bool { return strings.ContainsRune(",; ", r) })
	if coins, _ := telephony.TextOf(f.Peek("coins")); amount.MatchString(coins) {
		x.Cost = &call.Cost{Amount: coins, Unit: "coins"}
		f.Drop("coins")
	}
	d.hangup(x)
	d.recordings(x)
	// A report is the last that CallerDesk says of a call: what it does not have does not come.
	e.Outlook = map[call.Artifact]call.Outlook{
		call.ArtifactTranscription: call.Never, call.ArtifactDisposition: call.Never, call.ArtifactDetails: call.Never,
	}
	if len(x.Recordings) == 0 {
		e.Outlook[call.ArtifactRecording] = call.Never
	}
}

var amount = regexp.MustCompile(`^\d{1,12}(\.\d{1,6})?$`)

// result is how the call ended. A word that is not known, or that is about the agent's leg alone, is decided by what
// happened: somebody talked, or the customer's leg was picked up.
func (d *decoder) result(x *call.Facts) call.Status {
	talked := x.TalkSeconds != nil && *x.TalkSeconds > 0
	outbound := x.Direction == call.Outbound
	switch w := d.word; {
	case w.agentOnly && outbound:
		if talked || !d.legs.bPicked.IsZero() {
			return call.Answered
		}
		return call.Missed
	case w.agentOnly, w.result == call.Answered:
		return call.Answered
	case w.result != "":
		return w.result
	case talked:
		return call.Answered
	case w.key == wordTransfer:
		return call.Missed
	}
	return call.StatusUnknown
}

// recordings reads the recording and, where a third party was on the line, that one's. Their ids are the call's, so that
// a report that is sent again with another host in its URL makes no second recording.
func (d *decoder) recordings(x *call.Facts) {
	for _, r := range []struct{ name, suffix string }{{"callrecordingurl", ""}, {"cparty_recording", "-cparty"}} {
		s, _ := telephony.TextOf(d.f.Peek(r.name))
		if !strings.HasPrefix(strings.ToLower(s), "http://") && !strings.HasPrefix(strings.ToLower(s), "https://") {
			if never(s) {
				d.f.Drop(r.name)
			}
			continue
		}
		d.f.Drop(r.name)
		x.Recordings = append(x.Recordings, call.Recording{ID: d.sid + r.suffix, URL: s, State: call.RecordingAvailable})
	}
}

// hangup reads why the call ended, and who hung up where the cause says that somebody did.
func (d *decoder) hangup(x *call.Facts) {
	x.HangupCause = d.f.Text("hangup_cause")
	if x.HangupCause == "" && strings.HasSuffix(d.said, ")") {
		x.HangupCause = d.said
	}
	m := bracket.FindStringSubmatch(x.HangupCause)
	if m == nil || m[1] != normalClearing {
		return
	}
	switch strings.ToLower(m[2]) {
	case "agent", "member":
		x.HangupBy = "agent"
	case "customer", "caller":
		x.HangupBy = "customer"
	}
}

// nobody are the words for an agent that there was none.
var nobody = []string{"0", "not assigned", "unassigned", "none", "na", "n/a", "-"}

// parties reads who called whom. Of an incoming call the source is the customer and the number dialled is the agent's; of
// an outgoing one it is the other way round, whatever the vendor's table says.
func (d *decoder) parties(e *call.Event) {
	f, x := d.f, &e.Facts
	customer, number := "", ""
	switch x.Direction {
	case call.Inbound:
		customer, number = f.Text("sourcenumber"), f.Text("dialwhomnumber")
	case call.Outbound:
		customer, number = f.Text("dialwhomnumber"), f.Text("sourcenumber")
		if !d.clicked && customer == "" {
			// A campaign has no agent to call first.
			customer, number = number, ""
		}
	}
	// Otherwise nobody can tell who is who; both numbers stay attributes.
	p := d.phone(customer)
	x.Customer.Number, x.Customer.RawNumber = p.Number, p.Raw
	a := call.Agent{Name: f.Text("receiver_name"), Email: f.Text("agent_email")}
	if slices.Contains(nobody, strings.ToLower(a.Name)) {
		a.Name = ""
	}
	if !slices.Contains(nobody, strings.ToLower(number)) {
		n := d.phone(number)
		if a.Number, a.Extension = n.Number, n.Extension; a.Number == "" && a.Extension == "" {
			a.Extension = n.Raw
		}
	}
	if a == (call.Agent{}) {
		return
	}
	d.leg(e, &a)
	x.Agents = []call.Agent{a}
}

// leg tells what happened on the agent's leg.
func (d *decoder) leg(e *call.Event, a *call.Agent) {
	x := &e.Facts
	picked := d.legs.bPicked
	if x.Direction == call.Outbound {
		picked = d.legs.aPicked
	}
	answered := x.Status == call.Answered || x.Status == call.InProgress || d.word.agentOnly || d.word.leg == legCustomer || !picked.IsZero()
	switch {
	case answered:
		a.Status, a.AnsweredAt = call.AgentAnswered, picked
		if x.Status == call.Answered {
			a.TalkSeconds, a.EndedAt = x.TalkSeconds, x.EndedAt
		}
		if x.Direction == call.Inbound {
			a.RingSeconds = x.RingSeconds
		}
	case e.Kind == call.CallEnded || e.Kind == call.CallAgentMissed || d.word.leg == legAgent:
		a.Status = call.AgentMissed
	default:
		a.Status = call.AgentDialed
	}
}

// phone reads a number as India writes it, unless the source says otherwise.
func (d *decoder) phone(raw string) telephony.Phone {
	if never(raw) {
		return telephony.Phone{}
	}
	return telephony.ParsePhone(raw, d.settings.DefaultCountry, "IN")
}
