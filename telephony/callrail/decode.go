package callrail

import (
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// decoder reads the fields of one request. Every read takes the field; what is left becomes attributes.
type decoder struct {
	f        *telephony.Fields
	id       identity
	settings telephony.Settings
	// body is the request's, for what fields do not keep.
	body []byte
	// fromURL: the fields are the URL's query, where an administrator's own parameters stand beside CallRail's. Those
	// are not facts and may be secrets.
	fromURL bool
}

// rest is what nobody read.
func (d *decoder) rest() map[string]any {
	if d.fromURL {
		return nil
	}
	return d.f.Rest()
}

func (d *decoder) event(path string) call.Event {
	e := call.Event{Kind: d.kindOf(path), ProviderID: d.id.value}
	switch e.Kind {
	case call.MessageReceived, call.MessageSent:
		d.message(&e)
	case call.FormSubmitted:
		d.form(&e)
	default:
		d.call(&e)
	}
	return e
}

// call fills an event of a call.
func (d *decoder) call(e *call.Event) {
	f := d.f
	if d.id.number != "" {
		e.Aliases = []call.Alias{{Kind: AliasNumericID, Value: d.id.number}}
	}
	// Which fields the request has decides what a change asserts; it has to be known before they are taken.
	changes := d.changes()
	if e.Kind == call.CallUpdated {
		e.Asserted = d.asserted(changes)
	}

	x := &e.Facts
	x.Direction = direction(f.Text("direction"))
	x.TimeZone = f.Text("company_time_zone")
	d.parties(x)
	x.StartedAt = d.start(x.TimeZone)
	d.outcome(e)
	d.recording(x)
	x.Transcription.Text = f.Text(transcriptionKeys...)
	x.Tags = f.Strings("tags", "tag")
	x.Note = f.Text("note")
	x.Value = d.money("value")
	x.LeadStatus = f.Text("lead_status")
	x.Scores = d.scores()
	x.Digits = d.digits()
	x.FirstCall = f.Bool("first_call")
	x.PriorCalls = f.Int("prior_calls")
	x.Attribution = d.attribution()
	x.ProviderURL = f.Text("timeline_url")
	d.agent(e)
	d.dropSpellings()
	x.Attributes = d.rest()

	// A recording or transcription that is not here can come until somebody says otherwise: CallRail sends Post-Call
	// after 20 minutes without them if need be, and Call Modified when they are ready.
	e.Outlook = map[call.Artifact]call.Outlook{}
	if len(x.Recordings) == 0 {
		e.Outlook[call.ArtifactRecording] = call.Possible
	}
	if x.Transcription.Text == "" {
		e.Outlook[call.ArtifactTranscription] = call.Possible
	}
	if len(e.Outlook) == 0 {
		e.Outlook = nil
	}
}

// spellings are fields that say for people what others say.
var spellings = map[string][]string{
	"formatted_call_type": {"call_type"}, "formatted_duration": {"duration"}, "formatted_value": {"value"}, "timestamp": {"start_time"},
	"formatted_customer_name": {"customer_name"}, "formatted_customer_phone_number": {"customer_phone_number", "customer_number"},
	"formatted_customer_name_or_phone_number": {"customer_name", "customer_phone_number", "customer_number"},
	"formatted_customer_location":             {"customer_city", "customer_state", "customer_country"},
	"formatted_tracking_phone_number":         {"tracking_phone_number"}, "formatted_business_phone_number": {"business_phone_number"},
}

// dropSpellings takes those whose others are there.
func (d *decoder) dropSpellings() {
	for name, plain := range spellings {
		if d.f.Peek(plain...) != nil {
			d.f.Drop(name)
		}
	}
	if v, _ := telephony.TextOf(d.f.Peek("formatted_value")); dash(v) {
		d.f.Drop("formatted_value")
	}
}

func direction(s string) call.Direction {
	switch strings.ToLower(s) {
	case "inbound":
		return call.Inbound
	case "outbound":
		return call.Outbound
	}
	return ""
}

// parties reads who called whom. In both directions CallRail calls the outside party the customer, the number that is
// tracked the tracking number, and the number that the call was put through to the business number.
func (d *decoder) parties(x *call.Facts) {
	f := d.f
	x.Customer = call.Party{
		Name:    f.Text("customer_name", "callername"),
		City:    f.Text("customer_city", "callercity"),
		State:   f.Text("customer_state", "callerstate"),
		Country: f.Text("customer_country", "callercountry"),
	}
	customer := d.phone(f.Text("customer_phone_number", "customer_number", "callernum"), x.Customer.Country)
	x.Customer.Number, x.Customer.RawNumber = customer.Number, customer.Raw
	if sameText(x.Customer.Name, customer.Raw) {
		x.Customer.Name = ""
	}
	tracking := d.phone(f.Text("tracking_phone_number", "trackingnum"), "")
	x.BusinessNumber, x.BusinessRawNumber = tracking.Number, tracking.Raw
	// The number rung behind the tracking number is a fact about the routing, not the number the customer knows. It
	// stays an attribute under its newer name.
	if f.Peek("business_phone_number") != nil {
		f.Drop("destinationnum")
	}
}

func sameText(a, b string) bool { return a != "" && strings.EqualFold(a, b) }

// phone reads a number in the source's country, else the country it is said to be in, else the USA, where CallRail's
// tracking numbers are by default.
func (d *decoder) phone(raw, country string) telephony.Phone {
	if len(country) != 2 {
		country = ""
	}
	return telephony.ParsePhone(raw, d.settings.DefaultCountry, country, "US")
}

// start reads when the call began. timestamp equals start_time in CallRail's calls and is no time of sending. The legacy
// datetime has no zone and is UTC.
func (d *decoder) start(zone string) time.Time {
	loc := d.location(zone)
	for _, name := range []string{"start_time", "timestamp"} {
		if t := d.f.Time(loc, name); !t.IsZero() {
			d.f.Drop("datetime")
			return t
		}
	}
	return d.f.Time(time.UTC, "datetime")
}

// location is the company's time zone, for times that carry no offset.
func (d *decoder) location(zone string) *time.Location {
	if loc := telephony.Zone(zone); loc != nil {
		return loc
	}
	return d.settings.Location
}

// outcome reads how the call went. The API's pages spell "abandonded" and have "voicemail_transcription" besides. Pre-Call and Call Routing Complete carry answered=false, call_type=missed,
// duration=0 and voicemail=false before anybody can know: those are placeholders and not facts.
func (d *decoder) outcome(e *call.Event) {
	f, x := d.f, &e.Facts
	if !e.Kind.Terminal() {
		x.Status = call.Ringing
		if answered := f.Bool("answered"); answered != nil && *answered {
			x.Status = call.InProgress
		}
		f.Drop("answered", "call_type", "voicemail", "duration")
		return
	}
	answered, voicemail := f.Bool("answered"), f.Bool("voicemail")
	word := strings.ToLower(f.Text("call_type"))
	isAnswered := answered != nil && *answered
	switch {
	case voicemail != nil && *voicemail || strings.HasPrefix(word, "voicemail"):
		x.Status = call.Voicemail
	case isAnswered || answered == nil && word == "answered":
		x.Status = call.Answered
	case word == "abandoned" || word == "abandonded":
		x.Status = call.Abandoned
	case answered != nil || word == "missed":
		x.Status = call.Missed
	}
	x.DurationSeconds = f.Int("duration")
}

// digits reads what the caller entered: text, or a list of entries with the name of their step, which stays an attribute.
func (d *decoder) digits() []string {
	const field = "keypad_entries"
	entries := d.f.Peek(field)
	if one, ok := entries.(map[string]any); ok {
		entries = []any{one}
	}
	list, _ := entries.([]any)
	var out []string
	for _, item := range list {
		if entry, ok := item.(map[string]any); ok {
			if v := telephony.NewFields(entry).Text("value"); v != "" {
				out = append(out, v)
			}
		}
	}
	if out != nil {
		return out
	}
	return d.f.Strings(field)
}

// recording reads the call's one recording. Its id is the call's, so that a new access key in the URL does not make a
// second recording.
func (d *decoder) recording(x *call.Facts) {
	f := d.f
	r := call.Recording{
		ID:              d.id.value,
		URL:             f.Text("recording", "recording_redirect"),
		PlayerURL:       f.Text("recording_player"),
		DurationSeconds: f.Int("recording_duration"),
		State:           call.RecordingAvailable,
	}
	if r.URL == "" {
		if r.DurationSeconds == nil || *r.DurationSeconds == 0 {
			return
		}
		// There is one, but nothing to fetch it by.
		r.State = call.RecordingExpected
	}
	x.Recordings = []call.Recording{r}
}

// agent reads who talked.
func (d *decoder) agent(e *call.Event) {
	f := d.f
	a := call.Agent{Email: f.Text("agent_email"), Name: f.Text("agent_name")}
	if m, ok := f.Peek("agent").(map[string]any); ok {
		inner := telephony.NewFields(m)
		f.Drop("agent")
		a.Email = firstOf(a.Email, inner.Text("email", "agent_email"))
		a.Name = firstOf(a.Name, inner.Text("name", "agent_name"))
		a.ID = inner.Text("id", "resource_id")
	} else if s := f.Text("agent"); strings.Contains(s, "@") {
		a.Email = firstOf(a.Email, s)
	} else {
		a.Name = firstOf(a.Name, s)
	}
	if a == (call.Agent{}) {
		return
	}
	if e.Facts.Status == call.Answered {
		a.Status = call.AgentAnswered
	}
	e.Facts.Agents = []call.Agent{a}
}

func firstOf(list ...string) string {
	i := slices.IndexFunc(list, func(s string) bool { return s != "" })
	if i < 0 {
		return ""
	}
	return list[i]
}

// scoreFields are the fields that rate a call. Webhooks have "score"; the changes speak of the other two.
var scoreFields = []string{"score", "auto_score", "manual_score"}

func (d *decoder) scores() map[string]any {
	var out map[string]any
	for _, name := range scoreFields {
		if v := d.f.Take(name); v != nil {
			if out == nil {
				out = map[string]any{}
			}
			out[name] = v
		}
	}
	return out
}

// attribution reads what brought the caller. Milestones, click ids and the tracker's name stay attributes.
func (d *decoder) attribution() call.Attribution {
	f := d.f
	a := call.Attribution{
		Source:      f.Text("source", "formatted_tracking_source", "callsource"),
		Medium:      f.Text("medium", "referrermedium"),
		Campaign:    f.Text("campaign"),
		Keywords:    f.Text("keywords"),
		LandingPage: f.Text("landing_page_url", "landing", "landingpage"),
		Referrer:    f.Text("referring_url", "referrer_url"),
	}
	if a.Referrer == "" {
		a.Referrer = f.Text("referrer", "referrer_domain")
	}
	for _, name := range []string{"source", "medium", "campaign", "term", "content"} {
		if v := f.Text("utm_" + name); v != "" {
			if a.UTM == nil {
				a.UTM = map[string]string{}
			}
			a.UTM[name] = v
		}
	}
	return a
}
