package xarios

import (
	"slices"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// The places of a call in which one of our people may stand, as the beginnings of field names. The vendor's example writes
// lRgDevName for the table's lRngDevName.
var (
	rang     = [][]string{{"frng"}, {"lrng", "lrg"}}
	answered = [][]string{{"ans"}, {"lans"}}
)

// agents reads who rang and who answered: users, else call centre agents, else devices. Who rang and did not answer
// missed the call; who answered and was not the last to do so handed it on.
func (d *decoder) agents(x *call.Facts) []call.Agent {
	var out []call.Agent
	for _, place := range answered {
		d.leg(&out, place)
	}
	picked := len(out)
	for _, place := range rang {
		d.leg(&out, place)
	}
	outbound, talked := x.Direction == call.Outbound, x.Status == call.Answered
	for i := range out {
		a := &out[i]
		switch {
		case i+1 < picked:
			a.Status = call.AgentTransferred
		case i < picked, outbound && talked && picked == 0:
			a.Status = call.AgentAnswered
		case outbound:
			// Somebody of ours called, and nobody answered or somebody else took over.
			a.Status = call.AgentDialed
		default:
			a.Status = call.AgentMissed
		}
	}
	if picked > 0 {
		out[0].AnsweredAt = x.AnsweredAt
		out[picked-1].EndedAt = x.EndedAt
	}
	if picked == 1 {
		out[0].TalkSeconds = x.TalkSeconds
	}
	// In the order in which it happened: those who only rang come first.
	return slices.Concat(out[picked:], out[:picked])
}

// leg adds the person in one place of the call unless he or she is there already.
func (d *decoder) leg(all *[]call.Agent, place []string) {
	user, agent, device := d.person(place, "usr"), d.person(place, "agt"), d.person(place, "dev")
	a := user
	switch {
	case user != (call.Agent{}):
		d.take(place, "usr")
		if agent == user || agent == (call.Agent{}) {
			d.take(place, "agt")
		}
	case agent != (call.Agent{}):
		a = agent
		d.take(place, "agt")
	default:
		a = device
		d.take(place, "dev")
	}
	if a == (call.Agent{}) || slices.ContainsFunc(*all, func(b call.Agent) bool { return samePerson(a, b) }) {
		return
	}
	*all = append(*all, a)
}

// person peeks at a number and a name. A number of digits is an extension, unless it is one that can be dialled from
// outside; anything else ("user_1a2b3c") is an id of the platform below.
func (d *decoder) person(place []string, kind string) call.Agent {
	a := call.Agent{Name: firstText(d.f, fields(place, kind, "name")...)}
	raw := firstText(d.f, fields(place, kind, "num")...)
	p := telephony.ParsePhone(raw, d.settings.DefaultCountry)
	switch {
	case p.Number != "":
		a.Number, a.Extension = p.Number, p.Extension
	case strings.Trim(p.Raw, "0123456789*#") == "":
		a.Extension = p.Raw
	default:
		a.ID = p.Raw
	}
	return a
}

func (d *decoder) take(place []string, kind string) {
	d.f.Drop(fields(place, kind, "name")...)
	d.f.Drop(fields(place, kind, "num")...)
}

func fields(place []string, kind, what string) []string {
	out := make([]string, len(place))
	for i, p := range place {
		out[i] = p + kind + what
	}
	return out
}

func samePerson(a, b call.Agent) bool {
	switch {
	case a.ID != "" && b.ID != "":
		return a.ID == b.ID
	case a.Number != "" && b.Number != "":
		return a.Number == b.Number
	case a.Extension != "" && b.Extension != "":
		return a.Extension == b.Extension
	}
	return a.Name != "" && a.Name == b.Name
}

// mostMatches bounds how many contacts of the directory are looked at.
const mostMatches = 50

// contact reads the contacts that the directory had for the call. Those with the customer's number among their own count
// before others. Their ids in the CRM are a hint only if they agree.
func (d *decoder) contact(x *call.Facts) {
	var list []any
	switch v := telephony.Embedded(d.f.Peek("directorymatches", "directorymatch")).(type) {
	case []any:
		list = v
	case map[string]any:
		list = []any{v}
	}
	if x.Direction == call.Internal {
		return
	}
	var all, byNumber []match
	for _, item := range list[:min(len(list), mostMatches)] {
		m, ok := readMatch(item)
		if !ok {
			continue
		}
		all = append(all, m)
		if x.Customer.Number != "" && slices.ContainsFunc(m.phones, func(s string) bool { return d.phone(s, x.Customer.Country).Number == x.Customer.Number }) {
			byNumber = append(byNumber, m)
		}
	}
	if len(all) == 1 && len(list) == 1 {
		// Of several, those that are not chosen stay an attribute.
		d.f.Drop("directorymatches", "directorymatch")
	}
	if len(byNumber) > 0 {
		all = byNumber
	}
	var ids []string
	best := -1
	for i, m := range all {
		if m.crmID == "" {
			continue
		}
		if best < 0 {
			best = i
		}
		if !slices.Contains(ids, m.crmID) {
			ids = append(ids, m.crmID)
		}
	}
	if len(all) == 0 {
		return
	}
	m := all[max(best, 0)]
	if m.name != "" {
		x.Customer.Name = m.name
	}
	x.Customer.Company, x.Customer.Email = m.company, m.email
	if len(ids) == 1 {
		x.Customer.CRMID = ids[0]
	}
	x.LeadFields = telephony.BoundedObject(m.rest)
}

// match is one contact of the directory.
type match struct {
	name, company, email, crmID string
	phones                      []string
	// rest is everything else that is known of the contact.
	rest map[string]any
}

// readMatch reads a contact, flat as in the vendor's table or with its fields in "fields" as in the vendor's example.
func readMatch(v any) (match, bool) {
	outer, ok := telephony.Embedded(v).(map[string]any)
	if !ok {
		return match{}, false
	}
	flat := telephony.NewFields(outer)
	if inner := pairs(flat.Peek("fields")); inner != nil {
		merged := flat.Values()
		delete(merged, "fields")
		for k, v := range inner {
			merged[strings.ToLower(strings.TrimSpace(k))] = v
		}
		flat = telephony.NewFields(merged)
	}
	m := match{name: flat.Text("fullname"), company: flat.Text("companyname"), crmID: flat.Text("crmid")}
	for _, k := range []string{"phone1", "phone2", "phone3", "phone4", "phone"} {
		if s := firstText(flat, k); s != "" {
			m.phones = append(m.phones, s)
		}
	}
	for _, k := range []string{"email", "email1", "email2", "email3", "email4"} {
		s := firstText(flat, k)
		if list, ok := flat.Peek(k).([]any); ok && len(list) > 0 {
			s, _ = telephony.TextOf(list[0])
		}
		if m.email == "" && strings.Contains(s, "@") && !strings.ContainsAny(s, " \t\r\n") {
			m.email = s
			flat.Drop(k)
		}
	}
	m.rest = flat.Rest()
	return m, m.name != "" || m.company != "" || m.crmID != "" || m.email != "" || len(m.rest) > 0
}
