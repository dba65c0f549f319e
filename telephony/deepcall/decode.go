package deepcall

import (
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

const (
	fieldCallID = "callid"
	fieldAPI    = "apipara"
)

// callFields are fields that speak of a call, so that a report with one of them but no callId is not a mere ping.
var callFields = []string{
	"callstatus", "ctype", "cnumber", "cnumber10", "masternumctc", "ivrstime", "ivretime", "firstanswertime", "recordings", "ahdetail", "nhdetail",
}

// known are the names of all fields that DeepCall has, published or seen, without punctuation. Templates spell them as
// administrators like.
var known = setOf(
	fieldCallID, "callstatus", "ctype", "did", "campid", "ivrstime", "ivretime", "ivrduration", "userid", "cnumber", "cnumber10",
	"masternumctc", "masteragent", "masteragentnumber", "mastergroupid", "firstattended", "firstanswertime", "lasthanguptime",
	"lastfirstduration", "talkduration", "custanswerstime", "custansweretime", "custanswerduration", "agentoncallduration",
	"totalholdduration", "forward", "ivrexecuteflow", "hangupbysourcedetected", "ivridarr", "totalcreditsused", "ah", "aansh",
	"ahdetail", "nh", "nhdetail", "recordings", "exitcode", "contactid",
	// Not published, but sent or offered by the panel.
	fieldAPI, "cliarr", "contactlistdata", "contactinfo", "excadm", "voicemail", "dtmf", "modules", "callback",
	"calldisposition", "recordingurl", "recordingduration", "recordingfilesize", "hangupreason", "callerid", "dialednumber",
	"currency", "ctc", "errorcode", "errormessage", "calllivestatus", "queueduration", "inboundduration",
)

// structured are those with lists or objects in them, which templates send as text.
var structured = setOf(
	"ivridarr", "totalcreditsused", "ah", "aansh", "ahdetail", "nh", "nhdetail", "recordings", fieldAPI, "cliarr", "contactlistdata",
	"contactinfo", "voicemail", "dtmf", "modules", "calldisposition", "ctc",
)

func setOf(names ...string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out
}

// decoder reads the fields of one report. Every read takes the field; what is left becomes attributes. Fields that are
// read but say more than what is made of them are only peeked at.
type decoder struct {
	f        *telephony.Fields
	settings telephony.Settings
	// api are the parameters of the request that started a click-to-call.
	api *telephony.Fields
	// clickToCall: two numbers or agents, "from" and "to", were connected by a request.
	clickToCall bool
	// ours and theirs are the legs to our people and to the customer.
	ours, theirs []leg
	voicemail    bool
	// extra are attributes beside what nobody read.
	extra map[string]any
}

// peek is a field's text; it stays an attribute.
func (d *decoder) peek(name string) string { return textIn(d.f.Peek(name), "") }

// textIn is v as text or, with a name, the text of that name in the object v.
func textIn(v any, name string) string {
	if name != "" {
		m, _ := v.(map[string]any)
		v = telephony.NewFields(m).Peek(name)
	}
	if telephony.Blank(v) {
		return ""
	}
	s, _ := telephony.TextOf(v)
	return s
}

// moment reads a time; times have no zone and are India's unless the source says otherwise.
func (d *decoder) moment(v any) time.Time {
	if telephony.Blank(v) {
		return time.Time{}
	}
	t, _ := telephony.Moment(v, d.settings.Location)
	return t
}

func (d *decoder) at(name string) time.Time { return d.moment(d.f.Peek(name)) }

func (d *decoder) event(id string) call.Event {
	e := call.Event{Kind: call.CallEnded, ProviderID: id}
	f, x := d.f, &e.Facts
	d.extra = map[string]any{}
	d.readAPI()
	d.legs()
	d.direction(x)
	d.parties(x)

	x.TalkSeconds = f.Int("talkduration")
	x.HoldSeconds = f.Int("totalholdduration")
	x.DurationSeconds = f.Int("lastfirstduration")
	if x.DurationSeconds == nil {
		x.DurationSeconds = f.Int("ivrduration")
	}
	recordings := d.recordings()
	d.outcome(x)
	if d.isLive() {
		d.live(&e)
	} else {
		x.Recordings = recordings
		e.Outlook = nothingMore()
	}
	d.times(e.Kind, x)

	x.IVRPath = d.path()
	x.Digits = d.digits()
	if camp := f.Text("campid"); camp != "0" {
		x.Campaign.ID = camp
	}
	if group := f.Text("mastergroupid"); group != "0" {
		x.Queue = group
	}
	x.Reference.ClickToCall = textIn(d.api.Peek("reqid"), "")
	d.cost(x)
	d.disposition(x)
	d.contact(x)
	x.Attributes = f.Rest()
	if extra := telephony.BoundedObject(d.extra); len(extra) > 0 {
		if x.Attributes == nil {
			x.Attributes = map[string]any{}
		}
		maps.Copy(x.Attributes, extra)
	}
	return e
}

// nothingMore is the outlook of DeepCall's one report: it is sent when all is over and never again.
func nothingMore() map[call.Artifact]call.Outlook {
	return map[call.Artifact]call.Outlook{
		call.ArtifactRecording: call.Never, call.ArtifactTranscription: call.Never,
		call.ArtifactDisposition: call.Never, call.ArtifactDetails: call.Never,
	}
}

// The statuses of calls that are not over. They are not published; receivers in the field take them for ringing.
const lastLiveStatus = 2

// isLive tells a look at a call under way from its report. DeepCall publishes only reports, but its template has a
// callLiveStatus; a report that leaves out its times must not be taken for one.
func (d *decoder) isLive() bool {
	code, known := d.code()
	if known && (code <= 0 || code > lastLiveStatus) || !known && d.peek("calllivestatus") == "" {
		return false
	}
	for _, name := range []string{"ivretime", "lasthanguptime", "recordings", "exitcode"} {
		if d.f.Peek(name) != nil {
			return false
		}
	}
	return true
}

// live makes e one of a call under way.
func (d *decoder) live(e *call.Event) {
	e.Kind, e.Facts.Status = call.CallRinging, call.Ringing
	e.Facts.DurationSeconds, e.Facts.TalkSeconds = nil, nil
	if !d.at("firstanswertime").IsZero() {
		e.Kind, e.Facts.Status = call.CallAnswered, call.InProgress
	}
}

// times reads when the call began, was answered and ended. ivrSTime is published as the earliest time of a report and
// is not: the vendor's own example was answered before it.
func (d *decoder) times(k call.Kind, x *call.Facts) {
	x.StartedAt = d.at("ivrstime")
	first, customer := d.at("firstanswertime"), d.at("custanswerstime")
	earlier := func(t time.Time) {
		if !t.IsZero() && (x.StartedAt.IsZero() || t.Before(x.StartedAt) && x.StartedAt.Sub(t) < 24*time.Hour) {
			x.StartedAt = t
		}
	}
	earlier(first)
	earlier(customer)
	for _, l := range append(d.ours, d.theirs...) {
		earlier(l.answeredAt)
	}
	if x.StartedAt.IsZero() {
		for _, l := range append(d.ours, d.theirs...) {
			earlier(l.dialed)
		}
	}
	if k != call.CallEnded {
		x.AnsweredAt = first
		return
	}
	x.EndedAt = d.at("lasthanguptime")
	for _, name := range []string{"ivretime", "custansweretime"} {
		if x.EndedAt.IsZero() {
			x.EndedAt = d.at(name)
		}
	}
	if x.Status != call.Answered {
		return
	}
	x.AnsweredAt = first
	switch attended := d.peek("firstattended"); {
	// On the way out our own side is answered first; the call is when the customer is.
	case x.Direction != call.Inbound:
		x.AnsweredAt = firstOf(customer, answeredAt(d.theirs), first)
	// On the way in the menu may be first.
	case attended != "" && !strings.EqualFold(attended, "agent"):
		x.AnsweredAt = firstOf(answeredAt(d.ours), first)
	}
	x.AnsweredAt = firstOf(x.AnsweredAt, answeredAt(d.ours), customer)
}

// firstOf is the first of times that is one.
func firstOf(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// answeredAt is when the first of legs was answered.
func answeredAt(legs []leg) time.Time {
	var out time.Time
	for _, l := range legs {
		if l.answered && !l.answeredAt.IsZero() && (out.IsZero() || l.answeredAt.Before(out)) {
			out = l.answeredAt
		}
	}
	return out
}

// mostSteps bounds lists of steps and of digits.
const mostSteps = 1000

// path is the way through the menu, node by node; a node can come again.
func (d *decoder) path() []string {
	var out []string
	for s := range strings.SplitSeq(d.peek("ivrexecuteflow"), ",") {
		if s = strings.TrimSpace(s); s != "" && len(out) < mostSteps {
			out = append(out, s)
		}
	}
	return out
}

// digits reads what was pressed: text, a list, or objects with the node it was pressed at. How a filled DTMF looks is not
// published.
func (d *decoder) digits() []string {
	var out []string
	add := func(s string) {
		for s := range strings.SplitSeq(s, ",") {
			if s = strings.TrimSpace(s); s != "" && len(s) <= 64 && strings.Trim(s, "0123456789*#ABCDabcd") == "" && len(out) < mostSteps {
				out = append(out, s)
			}
		}
	}
	v := d.f.Peek("dtmf")
	for _, item := range listOf(v) {
		switch item := item.(type) {
		case map[string]any:
			add(textIn(squashed(item).Peek("dtmf", "digit", "digits", "key", "keypress", "value", "input", "pressed"), ""))
		default:
			add(textIn(item, ""))
		}
	}
	if len(out) > 0 && !hasObject(v) {
		d.f.Drop("dtmf")
	}
	return out
}

func hasObject(v any) bool {
	for _, item := range listOf(v) {
		if _, ok := item.(map[string]any); ok {
			return true
		}
	}
	return false
}

// listOf is v as a list. PHP makes an object of a list with gaps, and of one item often the item itself.
func listOf(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	case map[string]any:
		out := make([]any, 0, len(v))
		for i := 0; len(out) < len(v) && i <= len(v)+mostSteps; i++ {
			if item, ok := v[strconv.Itoa(i)]; ok {
				out = append(out, item)
			}
		}
		if len(out) == len(v) && len(out) > 0 {
			return out
		}
	}
	if telephony.Blank(v) {
		return nil
	}
	return []any{v}
}

// squashed are the fields of an inner object by their names without punctuation.
func squashed(m map[string]any) *telephony.Fields {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if name := squash(k); telephony.Blank(out[name]) || k == name {
			out[name] = v
		}
	}
	return telephony.NewFields(out)
}

// decimal is an amount.
var decimal = regexp.MustCompile(`^\d{1,15}(\.\d{1,15})?$`)

// cost reads the credits used. Hits count messages and requests; the amount is money or credits.
func (d *decoder) cost(x *call.Facts) {
	v := d.f.Peek("totalcreditsused")
	if m, ok := v.(map[string]any); ok {
		v = squashed(m).Peek("amount")
	}
	amount := textIn(v, "")
	if !decimal.MatchString(amount) {
		return
	}
	x.Cost = &call.Cost{Amount: amount, Unit: d.peek("currency")}
	if x.Cost.Unit == "" {
		x.Cost.Unit = "credits"
	}
	if _, ok := d.f.Peek("totalcreditsused").(map[string]any); !ok {
		d.f.Drop("totalcreditsused")
	}
	d.f.Drop("currency")
}

// disposition reads what the agent made of the call. How a filled callDisposition looks is not published: text, a list
// of texts from the outcome down, or objects are understood; the rest stays an attribute.
func (d *decoder) disposition(x *call.Facts) {
	var out call.Disposition
	for _, item := range listOf(d.f.Peek("calldisposition")) {
		value, sub := textIn(item, ""), ""
		if m, ok := item.(map[string]any); ok {
			f := squashed(m)
			value = textIn(f.Peek("disposition", "calldisposition", "name", "value", "label", "title", "text", "status"), "")
			sub = textIn(f.Peek("subdisposition", "subdispositon", "subvalue", "sub", "child"), "")
			out.SetBy = or(out.SetBy, textIn(f.Peek("agentname", "agentid", "agent", "setby"), ""))
			x.Note = or(x.Note, textIn(f.Peek("note", "notes", "remark", "remarks", "comment", "comments"), ""))
		}
		switch {
		case out.Value == "":
			out.Value, out.SubValue = value, sub
		case out.SubValue == "":
			out.SubValue = value
		}
	}
	if out.Value == "" {
		return
	}
	x.Disposition = out
	if isText(d.f.Peek("calldisposition")) {
		d.f.Drop("calldisposition")
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// contact reads the entry of the contact list that a campaign called.
func (d *decoder) contact(x *call.Facts) {
	for _, name := range []string{"contactlistdata", "contactinfo"} {
		m, ok := d.f.Peek(name).(map[string]any)
		if !ok {
			continue
		}
		d.f.Drop(name)
		f := squashed(m)
		x.Customer.Name = or(x.Customer.Name, textIn(f.Peek("name", "fullname", "contactname", "customername"), ""))
		x.Customer.Email = or(x.Customer.Email, textIn(f.Peek("email", "emailid", "emailaddress"), ""))
		x.Customer.Company = or(x.Customer.Company, textIn(f.Peek("company", "companyname", "organization"), ""))
		x.Customer.City = or(x.Customer.City, textIn(f.Peek("city"), ""))
		for k, v := range telephony.BoundedObject(m) {
			if x.LeadFields == nil {
				x.LeadFields = map[string]any{}
			}
			x.LeadFields[k] = v
		}
	}
	if id := d.f.Text("contactid"); id != "" && id != "0" {
		if x.LeadFields == nil {
			x.LeadFields = map[string]any{}
		}
		x.LeadFields["contactid"] = id
	}
}

// readAPI reads the parameters of a click-to-call. They stay an attribute without what may be secret in them.
func (d *decoder) readAPI() {
	m, ok := d.f.Peek(fieldAPI).(map[string]any)
	d.api = squashed(m)
	if !ok {
		return
	}
	d.f.Drop(fieldAPI)
	kept := make(map[string]any, len(m))
	for k, v := range m {
		if name := squash(k); !strings.Contains(name, "token") && !strings.Contains(name, "password") && !strings.Contains(name, "secret") && !strings.Contains(name, "apikey") {
			kept[k] = v
		}
	}
	d.extra["api_para"] = kept
}
