package smartflo

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// decoder reads the fields of one request. Every read takes the field; what is left becomes attributes.
type decoder struct {
	f        *telephony.Fields
	settings telephony.Settings
	loc      *time.Location
	received time.Time
	// path is the event of the URL, named the trigger that a static field names.
	path  string
	named trigger
	// word and otherWord are call_status and status, squashed.
	word, otherWord     string
	callID, uuid, refID string
	flow                flow
	direction           call.Direction
	clickToCall, dialer bool
	trigger             trigger
	lead                lead
	phones              map[string]telephony.Phone
}

func newDecoder(in input, r telephony.Request, s telephony.Settings) *decoder {
	d := &decoder{f: in.f, settings: s, loc: s.Location, received: r.ReceivedAt, path: r.Event, phones: map[string]telephony.Phone{}}
	if d.loc == nil {
		d.loc = telephony.Zone(zone)
	}
	d.named = d.readTrigger(in)
	d.word, d.otherWord = squash(peekText(d.f, "call_status")), squash(peekText(d.f, "status"))
	d.flow = readFlow(d.f.Peek("call_flow"), d.loc)
	d.callID, d.uuid = d.f.Text("call_id"), d.f.Text("uuid")
	if d.callID == "" {
		d.callID = d.flow.callID
	}
	d.refID = d.f.Text("ref_id")
	d.readDirection(in)
	// Only the click-to-call API gives references.
	d.clickToCall = d.clickToCall || d.refID != "" && d.direction != call.Inbound && d.direction != call.Internal
	d.trigger = d.triggerOf()
	return d
}

// readTrigger reads the static field that names the trigger, in the body or in the URL.
func (d *decoder) readTrigger(in input) trigger {
	for _, f := range []*telephony.Fields{d.f, in.query} {
		for _, key := range triggerKeys {
			if t := triggerByWord[squash(peekText(f, key))]; t != "" {
				f.Drop(key)
				return t
			}
		}
	}
	return ""
}

func peekText(f *telephony.Fields, name string) string {
	s, _ := telephony.TextOf(f.Peek(name))
	return s
}

func (d *decoder) event() call.Event {
	f := d.f
	e := call.Event{Kind: d.kind(d.trigger), ProviderID: d.callID}
	for _, a := range []call.Alias{{Kind: AliasUUID, Value: d.uuid}, {Kind: AliasRefID, Value: d.refID}} {
		if a.Value != "" {
			e.Aliases = append(e.Aliases, a)
		}
	}
	x := &e.Facts
	d.lead = d.readLead()
	x.LeadFields = d.lead.fields
	d.parties(x)
	d.times(&e)
	d.outcome(&e)
	d.agents(&e)
	d.way(x)
	d.digits(&e)
	x.Campaign = call.Campaign{ID: f.Text("campaign_id"), Name: f.Text("campaign_name")}
	if x.Campaign == (call.Campaign{}) {
		x.Campaign = call.Campaign{ID: f.Text("broadcast_id"), Name: f.Text("broadcast_name")}
	}
	x.Reference.ClickToCall = d.refID
	d.identifier(x)
	d.disposition(x)
	d.operator(x)
	note := d.recording(x)
	if e.Kind == call.CallEnded && len(x.Recordings) == 0 && note == "" && d.f.Has("recording_url") {
		// The template asks for the recording and there is none; no later trigger has one.
		e.Outlook = map[call.Artifact]call.Outlook{call.ArtifactRecording: call.Never}
	}
	if e.Kind == call.CallEnded {
		if e.Outlook == nil {
			e.Outlook = map[call.Artifact]call.Outlook{}
		}
		e.Outlook[call.ArtifactTranscription] = call.Never
	}
	x.Attributes = f.Rest()
	if note != "" {
		if x.Attributes == nil {
			x.Attributes = map[string]any{}
		}
		x.Attributes[noteRecording] = note
	}
	return e
}

// layouts are the forms of times beside "2021-08-09 17:58:44". Dialer calls have the American order: 7/11/2026 is the
// 11th of July.
var layouts = []string{
	"1/2/2006, 3:04:05 PM", "1/2/2006, 3:04:05 pm", "1/2/2006 3:04:05 PM", "1/2/2006 3:04:05 pm", "1/2/2006, 15:04:05", "1/2/2006 15:04:05",
	"2006/01/02 15:04:05", "2006-01-02 15:04", "2006-01-02 3:04:05 PM",
}

// encodedSpace is a time whose space is still encoded, as in a GET that was encoded twice.
var encodedSpace = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)(?:\+|%20)(\d\d(?::|%3[Aa])\d\d(?::|%3[Aa])\d\d)$`)

func moment(v any, loc *time.Location) (time.Time, bool) {
	if s, ok := v.(string); ok {
		if m := encodedSpace.FindStringSubmatch(s); m != nil {
			v = m[1] + " " + strings.NewReplacer("%3A", ":", "%3a", ":").Replace(m[2])
		}
	}
	return telephony.Moment(v, loc, layouts...)
}

// stamp reads a moment and takes the field.
func (d *decoder) stamp(name string) time.Time {
	t, ok := moment(d.f.Peek(name), d.loc)
	if ok {
		d.f.Drop(name)
	}
	return t
}

// times reads when the call began and ended and when the event was. The vendor's own examples have an answer before the
// start and an end equal to it, so nothing is checked against anything.
func (d *decoder) times(e *call.Event) {
	x := &e.Facts
	x.StartedAt = d.stamp("start_stamp")
	if split := d.split("start_date", "start_time"); x.StartedAt.IsZero() {
		x.StartedAt = split
	}
	if x.StartedAt.IsZero() {
		x.StartedAt = d.flow.began()
	}
	if x.StartedAt.IsZero() {
		x.StartedAt = d.fromIDs()
	}
	ended := d.stamp("end_stamp")
	date := "end_date"
	if d.f.Peek(date) == nil {
		date = "start_date"
	}
	if split := d.split(date, "end_time"); ended.IsZero() {
		ended = split
		if date == "start_date" && !ended.IsZero() && ended.Before(x.StartedAt) {
			// The day that is told is the start's.
			ended = ended.Add(24 * time.Hour)
		}
	}
	d.f.Drop("start_date")
	if e.Kind.Terminal() {
		x.EndedAt = ended
		if x.EndedAt.IsZero() {
			x.EndedAt = d.flow.ended()
		}
	}
	// In "DTMF Option" and "Dialed on Agent" the date is a moment, in "Call received on Department" a day.
	// It stays an attribute: the call has no place for when a step of it was.
	happened, _ := moment(d.f.Peek("date"), d.loc)
	switch e.Kind {
	case call.CallEnded:
		e.OccurredAt = x.EndedAt
	case call.DispositionSet:
		// Its times are the call's.
	case call.CallRinging:
		e.OccurredAt = x.StartedAt
	default:
		e.OccurredAt = happened
	}
}

// split reads a time that is told as a date and a time of day. The date stays for who needs it next; the time of day is
// taken. A time of day may be a whole moment too.
func (d *decoder) split(date, clock string) time.Time {
	f := d.f
	of := peekText(f, clock)
	if of == "" {
		return time.Time{}
	}
	for _, text := range []string{of, peekText(f, date) + " " + of} {
		if t, ok := moment(text, d.loc); ok {
			f.Drop(clock)
			if date != "start_date" {
				f.Drop(date)
			}
			return t
		}
	}
	return time.Time{}
}

// Ids hold the second in which they were made: "1628512094.7228905" and "h11.08-1770532638.2135633" in digits, the uuid
// "610edefd7b4dd" in its first eight hexadecimal digits (not that of dialer calls).
var (
	idSecond   = regexp.MustCompile(`(?:^|-)(\d{10})\.\d+$`)
	uuidSecond = regexp.MustCompile(`^([0-9a-f]{8})[0-9a-f]{5}$`)
)

// fresh bounds how far the second in an id may lie from the request for it to be a time at all.
const fresh = 2 * 24 * time.Hour

// fromIDs is when the call began by its ids, for requests that tell no time.
func (d *decoder) fromIDs() time.Time {
	for _, id := range []struct {
		form  *regexp.Regexp
		value string
		base  int
	}{{idSecond, d.callID, 10}, {uuidSecond, d.uuid, 16}} {
		if m := id.form.FindStringSubmatch(id.value); m != nil {
			n, _ := strconv.ParseInt(m[1], id.base, 64)
			t := time.Unix(n, 0).UTC()
			if off := d.received.Sub(t); off < fresh && off > -fresh {
				return t
			}
		}
	}
	return time.Time{}
}

// way reads the path that the call took.
func (d *decoder) way(x *call.Facts) {
	f := d.f
	x.IVRPath, x.Queue = d.flow.path(), f.Text("queue_name")
	if x.Queue == "" {
		x.Queue = d.flow.queue
	}
	ivr, attendant, dept := names(f.Peek("ivr_name")), names(f.Peek("auto_attendant_name")), names(f.Peek("dept_name"))
	x.Department = strings.Join(dept, ", ")
	if len(dept) > 0 {
		f.Drop("dept_name")
	} else {
		x.Department = d.flow.department
	}
	if len(x.IVRPath) > 0 {
		return
	}
	for _, list := range []struct {
		label string
		names []string
	}{{"IVR", ivr}, {"Auto Attendant", attendant}, {"Department", dept}} {
		for _, n := range list.names {
			x.IVRPath = append(x.IVRPath, list.label+": "+n)
		}
	}
}

// mostNames bounds the names of one field.
const mostNames = 50

// names reads a name or a list of names, each also as an object with one.
func names(v any) []string {
	var out []string
	switch v := telephony.Embedded(v).(type) {
	case []any:
		for _, item := range v {
			if len(out) >= mostNames {
				break
			}
			out = append(out, names(item)...)
		}
		out = out[:min(len(out), mostNames)]
	case map[string]any:
		out = names(telephony.NewFields(v).Peek("name", "value"))
	default:
		if s, ok := telephony.TextOf(v); ok && s != "" {
			out = []string{decoded(s)}
		}
	}
	return out
}

// digits reads what was pressed. Unlike tags, equal digits count each.
func (d *decoder) digits(e *call.Event) {
	f := d.f
	pressed := digitsOf(f.Take("digit_pressed"))
	dialed := digitsOf(f.Take("digits_dialed"))
	switch {
	case e.Kind == call.CallDTMF && len(pressed) > 0:
		e.Facts.Digits = pressed
	case len(dialed) > 0:
		e.Facts.Digits = dialed
	case len(pressed) > 0:
		e.Facts.Digits = pressed
	case e.Kind.Terminal():
		e.Facts.Digits = d.flow.digits[:min(len(d.flow.digits), mostDigits)]
	}
}

// mostDigits bounds the entries that are read.
const mostDigits = 200

func digitsOf(v any) []string {
	var out []string
	switch v := telephony.Embedded(v).(type) {
	case []any:
		for _, item := range v {
			if len(out) >= mostDigits {
				break
			}
			out = append(out, digitsOf(item)...)
		}
		out = out[:min(len(out), mostDigits)]
	case map[string]any:
		out = digitsOf(telephony.NewFields(v).Peek("digit", "digits", "input", "value", "name"))
	default:
		s, _ := telephony.TextOf(v)
		for part := range strings.SplitSeq(strings.Trim(s, "[] "), ",") {
			if part = strings.Trim(part, `"' `); part != "" && len(out) < mostDigits {
				out = append(out, part)
			}
		}
	}
	return out
}

// identifier reads what the CRM passed to click-to-call: an id, or an object of the CRM's making.
func (d *decoder) identifier(x *call.Facts) {
	v := d.f.Peek("custom_identifier")
	if object, ok := telephony.Embedded(v).(map[string]any); ok {
		x.CustomData = telephony.BoundedObject(object)
		x.Reference.CRM = telephony.NewFields(object).Text("lead_id", "contact_id", "reference_id", "crm_id", "id")
		d.f.Drop("custom_identifier")
		return
	}
	x.Reference.CRM = d.f.Text("custom_identifier")
}

var (
	dispositionKeys    = []string{"disposition"}
	subDispositionKeys = []string{"sub_disposition", "sub_dispositon"}
)

// disposition reads what the agent chose in the dialer. The vendor's page spells one of the two names wrongly.
func (d *decoder) disposition(x *call.Facts) {
	read := func(keys []string) string {
		if list := names(d.f.Peek(keys...)); len(list) > 0 {
			d.f.Drop(keys...)
			return strings.Join(list, ", ")
		}
		return ""
	}
	x.Disposition.Value, x.Disposition.SubValue = read(dispositionKeys), read(subDispositionKeys)
	if x.Disposition != (call.Disposition{}) && len(x.Agents) > 0 {
		x.Disposition.SetBy = x.Agents[len(x.Agents)-1].Name
	}
}

// operator reads the customer's telephone company and its region.
func (d *decoder) operator(x *call.Facts) {
	f := d.f
	switch v := telephony.Embedded(f.Peek("billing_circle")).(type) {
	case map[string]any:
		inner := telephony.NewFields(v)
		x.Operator, x.Circle = inner.Text("operator", "telecom_operator"), inner.Text("circle", "telecom_circle")
		if len(inner.Rest()) == 0 {
			f.Drop("billing_circle")
		}
	case string:
		x.Circle = f.Text("billing_circle")
	}
	operator, circle := f.Text("telecom_operator"), f.Text("telecom_circle")
	if x.Operator == "" {
		x.Operator = operator
	}
	if x.Circle == "" {
		x.Circle = circle
	}
}
