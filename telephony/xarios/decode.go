package xarios

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// decoder reads the call data of one request. Every read takes the field; what is left becomes attributes.
type decoder struct {
	p        payload
	f        *telephony.Fields
	settings telephony.Settings
}

// What the enumerations of the table mean. The words are for systems that write enumerations out.
var (
	directions = map[string]string{
		"0": "unknown", "1": "internal", "2": "inbound", "3": "outbound", "4": "both",
		"incoming": "inbound", "outgoing": "outbound", "inbound": "inbound", "outbound": "outbound", "in": "inbound", "out": "outbound",
		"internal": "internal", "both": "both", "unknown": "unknown",
	}
	types = map[string]string{"0": "unknown", "1": "internal", "2": "external", "internal": "internal", "external": "external", "unknown": "unknown"}
)

// event makes the event of the request, or says why the source does not want the call.
func (d *decoder) event() (e call.Event, skipped string) {
	f := d.f
	e = call.Event{Kind: call.CallEnded, ProviderID: d.p.id}
	x := &e.Facts
	if x.Direction, skipped = d.direction(); skipped != "" {
		return e, skipped
	}
	if zone := firstText(f, "tz"); telephony.Zone(zone) != nil {
		x.TimeZone = zone
		f.Drop("tz")
	}
	x.StartedAt, x.AnsweredAt, x.EndedAt = d.moment(x, "start"), d.moment(x, "answer"), d.moment(x, "end")
	x.DurationSeconds = f.Int("dur")
	// Zeros are left out of the call data: what is not there is none.
	x.RingSeconds, x.TalkSeconds, x.HoldSeconds = d.seconds("ring"), d.seconds("talk"), d.seconds("hold")
	x.HangupCause = f.Text("cause")
	x.Status = d.status(x)
	d.parties(x)
	d.contact(x)
	if x.Customer.Name == firstText(f, "cliname") {
		f.Drop("cliname")
	}
	x.Agents = d.agents(x)
	x.Queue = firstText(f, "ansgroupname", "lrnggroupname", "lrggroupname", "frnggroupname")
	d.tags(x)
	d.recordings(x)
	d.cost(x)
	d.custom(x)
	if strings.EqualFold(firstText(f, "dtype"), "CloudSessionCdr") {
		f.Drop("dtype")
	}
	if firstText(f, "sver") == "1" {
		f.Drop("sver")
	}
	x.Attributes = d.attributes()
	// It is the only report of a call: what it does not have does not come.
	e.Outlook = map[call.Artifact]call.Outlook{call.ArtifactTranscription: call.Never, call.ArtifactDisposition: call.Never}
	if len(x.Recordings) == 0 {
		e.Outlook[call.ArtifactRecording] = call.Never
	}
	if len(x.Tags) == 0 {
		e.Outlook[call.ArtifactDetails] = call.Never
	}
	return e, ""
}

// firstText peeks at fields that stay attributes as well.
func firstText(f *telephony.Fields, names ...string) string {
	s, _ := telephony.TextOf(f.Peek(names...))
	return s
}

// direction reads dir and type, and applies the source's policies to calls between colleagues and to those that came in
// and went out. Of a call whose direction Xarios does not know, the source's own numbers may.
func (d *decoder) direction() (dir call.Direction, skipped string) {
	word, kind := strings.ToLower(firstText(d.f, "dir")), strings.ToLower(firstText(d.f, "type"))
	meant := directions[word]
	if types[kind] == "internal" {
		meant = "internal"
	}
	switch meant {
	case "inbound", "outbound":
		d.f.Drop("dir")
		return call.Direction(meant), ""
	case "internal":
		d.f.Drop("dir")
		if setting(d.settings, configInternal, skip) != keep {
			return "", "This is a call between your own people. The source leaves those out; its setting “Internal calls” can change that."
		}
		return call.Internal, ""
	case "both":
		switch setting(d.settings, configBoth, string(call.Inbound)) {
		case skip:
			return "", "This call came in and went out. The source leaves those out; its setting “Calls that came in and went out” can change that."
		case string(call.Outbound):
			return call.Outbound, ""
		}
		return call.Inbound, ""
	}
	cli, ddi := d.own(firstText(d.f, "clinum")), d.own(firstText(d.f, "ddinum"))
	switch {
	case cli && !ddi:
		return call.Outbound, ""
	case ddi && !cli:
		return call.Inbound, ""
	}
	return "", ""
}

// earliest is before every call; a zero date of .NET (year 1) means never.
var earliest = time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)

func (d *decoder) moment(x *call.Facts, name string) time.Time {
	loc := telephony.Zone(x.TimeZone)
	if loc == nil {
		loc = d.settings.Location
	}
	t := d.f.Moment(loc, nil, name)
	if t.Before(earliest) {
		return time.Time{}
	}
	return t
}

func (d *decoder) seconds(name string) *int64 {
	n := d.f.Int(name)
	if n == nil && d.f.Peek(name) == nil {
		n = new(int64)
	}
	return n
}

func (d *decoder) flag(name string) bool {
	s, _ := telephony.TextOf(d.f.Peek(name))
	b, _ := d.f.Peek(name).(bool)
	return b || s == "1" || strings.EqualFold(s, "true")
}

// The clear-down causes (FreeSWITCH's names) that say more of a call nobody answered. NORMAL_CLEARING says nothing: a lost
// call has it, too.
var causes = map[string]call.Status{
	"USER_BUSY": call.Busy, "NO_ANSWER": call.Missed, "NO_USER_RESPONSE": call.Missed, "ALLOTTED_TIMEOUT": call.Missed,
	"ORIGINATOR_CANCEL": call.Cancelled, "CALL_REJECTED": call.Missed, "SUBSCRIBER_ABSENT": call.Failed, "USER_NOT_REGISTERED": call.Failed,
	"UNALLOCATED_NUMBER": call.Failed, "INVALID_NUMBER_FORMAT": call.Failed, "NO_ROUTE_DESTINATION": call.Failed,
	"NO_ROUTE_TRANSIT_NET": call.Failed, "DESTINATION_OUT_OF_ORDER": call.Failed, "NETWORK_OUT_OF_ORDER": call.Failed,
	"NORMAL_TEMPORARY_FAILURE": call.Failed, "RECOVERY_ON_TIMER_EXPIRE": call.Failed, "NORMAL_CIRCUIT_CONGESTION": call.Failed,
	"SWITCH_CONGESTION": call.Failed, "GATEWAY_DOWN": call.Failed, "OUTGOING_CALL_BARRED": call.Failed, "INCOMPATIBLE_DESTINATION": call.Failed,
	"SERVICE_UNAVAILABLE": call.Failed, "SERVICE_NOT_IMPLEMENTED": call.Failed, "INTERWORKING": call.Failed, "PROGRESS_TIMEOUT": call.Missed,
}

// status reads how the call went. Somebody answered if the flag says so or if there is a time of the answer, even if the
// caller was lost later, in a park.
func (d *decoder) status(x *call.Facts) call.Status {
	answered := d.flag("ans") || !x.AnsweredAt.IsZero() || x.TalkSeconds != nil && *x.TalkSeconds > 0
	d.f.Drop("ans")
	byCause := causes[strings.ToUpper(x.HangupCause)]
	switch {
	case answered:
		return call.Answered
	case x.Direction == call.Outbound && byCause != "":
		return byCause
	case d.flag("lost"), d.flag("lostinpark"):
		if x.Direction == call.Outbound {
			return call.Missed
		}
		return call.Abandoned
	case byCause != "":
		return byCause
	}
	return call.Missed
}

// parties reads who is outside. The table has one outside number, the CLI, in both directions (unconfirmed for outgoing
// calls), and one of ours, the DID. Where the source's own numbers contradict that, they are right.
func (d *decoder) parties(x *call.Facts) {
	f := d.f
	if x.Direction == call.Internal {
		// Nobody is outside. Both numbers stay attributes.
		return
	}
	x.Customer = call.Party{Name: firstText(f, "cliname"), State: f.Text("clistate"), Country: f.Text("clictry")}
	cli, ddi := f.Text("clinum"), f.Text("ddinum")
	if d.own(cli) && !d.own(ddi) {
		cli, ddi = ddi, cli
	}
	customer, business := d.phone(cli, x.Customer.Country), d.phone(ddi, x.Customer.Country)
	x.Customer.Number, x.Customer.RawNumber = customer.Number, customer.Raw
	x.BusinessNumber, x.BusinessRawNumber = business.Number, business.Raw
	if strings.EqualFold(x.Customer.Name, customer.Raw) {
		x.Customer.Name = ""
	}
}

// phone reads a number. They are E.164, so that digits that are no number of the source's country lack only their plus.
func (d *decoder) phone(raw, country string) telephony.Phone {
	if len(country) != 2 {
		country = ""
	}
	p := telephony.ParsePhone(raw, d.settings.DefaultCountry, country)
	if p.Number == "" && len(p.Raw) >= 10 && p.Raw[0] != '0' && strings.Trim(p.Raw, "0123456789") == "" {
		p.Number = telephony.ParsePhone("+" + p.Raw).Number
	}
	return p
}

// own tells whether a number is one of the source's. Only numbers that end alike are parsed: there may be thousands.
func (d *decoder) own(raw string) bool {
	n := d.phone(raw, "").Number
	if len(n) < 7 {
		return false
	}
	digits := func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}
	return slices.ContainsFunc(d.settings.OwnNumbers, func(own string) bool {
		return strings.HasSuffix(strings.Map(digits, own), n[len(n)-4:]) && d.phone(own, "").Number == n
	})
}

// tags reads the tags that people or rules applied. In the call they are texts; the pairs stay an attribute.
func (d *decoder) tags(x *call.Facts) {
	all := pairs(d.f.Peek("tags"))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		tag := k
		if v, ok := telephony.TextOf(all[k]); ok && v != "" {
			tag += ": " + v
		} else if list, ok := all[k].([]any); ok {
			for _, item := range list {
				if v, ok := telephony.TextOf(item); ok {
					x.Tags = append(x.Tags, k+": "+v)
				}
			}
			continue
		}
		x.Tags = append(x.Tags, tag)
	}
}

// recordings reads the ids, the only thing Xarios sends of a recording.
func (d *decoder) recordings(x *call.Facts) {
	f := d.f
	recorded := d.flag("hasrec")
	tenant, pbx := firstText(d.p.top, fieldTenant), firstText(f, "pbxid")
	for _, id := range recordingIDs(f) {
		x.Recordings = append(x.Recordings, call.Recording{ID: id, URL: link(d.settings, id, d.p.id, tenant, pbx), State: call.RecordingAvailable})
	}
	if len(x.Recordings) == 0 && recorded {
		// There is one, but nothing to find it by.
		x.Recordings = []call.Recording{{State: call.RecordingUnavailable}}
	}
}

func recordingIDs(f *telephony.Fields) []string {
	list, ok := telephony.Embedded(f.Peek("recordingids", "recordingid")).([]any)
	if !ok {
		return f.Strings("recordingids", "recordingid")
	}
	for i, item := range list {
		if m, ok := item.(map[string]any); ok {
			list[i] = telephony.NewFields(m).Peek("id", "recordingid")
		}
	}
	f.Drop("recordingids", "recordingid")
	return telephony.NewFields(map[string]any{"ids": list}).Strings("ids")
}

// cost reads what the call cost. Its currency is not said; the names of rate and band stay attributes.
func (d *decoder) cost(x *call.Facts) {
	s, _ := telephony.TextOf(d.f.Peek("ratecost"))
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > -1e9 && v < 1e9) {
		return
	}
	if strings.ContainsAny(s, "eExXpP_") {
		// A double such as 5E-05 is no decimal text.
		s = strconv.FormatFloat(v, 'f', -1, 64)
	}
	x.Cost = &call.Cost{Amount: s}
	d.f.Drop("ratecost")
}

// custom keeps the additional payload data, without the static token.
func (d *decoder) custom(x *call.Facts) {
	secret := tokenKey(d.settings)
	kept := map[string]any{}
	for k, v := range d.p.custom {
		if strings.ToLower(k) != secret {
			kept[k] = v
		}
	}
	d.p.top.Drop(fieldCustom)
	if d.p.form {
		d.p.top.Drop(secret)
		d.f.Drop(secret)
	}
	if d.p.query {
		d.p.top.Drop(telephony.URLSecrets...)
		d.f.Drop(telephony.URLSecrets...)
	}
	x.CustomData = telephony.BoundedObject(kept)
}

// attributes are what has no place in the call: of the call data, and of what stands around it. Around it, "id" is the
// user or tenant whose trigger fired.
func (d *decoder) attributes() map[string]any {
	top := d.p.top
	top.Drop(fieldCDR)
	out := d.f.Rest()
	for k, v := range top.Rest() {
		if k == "id" {
			k = "entityid"
		}
		if _, taken := out[k]; taken {
			k = "webhook_" + k
		}
		if out == nil {
			out = map[string]any{}
		}
		out[k] = v
	}
	return out
}
