package smartflo

import (
	"maps"
	"slices"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// country is the region in which numbers without a country code are read, where the source names none.
const country = "IN"

// phone reads a number. A request has the same few numbers in many places.
func (d *decoder) phone(raw string) telephony.Phone {
	p, known := d.phones[raw]
	if !known {
		p = telephony.ParsePhone(decoded(raw), d.settings.DefaultCountry, country)
		if len(d.phones) < mostPhones {
			d.phones[raw] = p
		}
	}
	return p
}

// mostPhones bounds the numbers of one request that are remembered.
const mostPhones = 32

// directionOf reads the word: inbound, outbound, click_to_call, clicktocall, "Dialer (inbound)", "Dialer (outbound)". A
// word that says neither, or both, says nothing: a wrong guess would swap the customer and the own number.
func directionOf(word string) call.Direction {
	in := strings.Contains(word, "inbound") || strings.Contains(word, "incoming") || word == "in"
	out := strings.Contains(word, "outbound") || strings.Contains(word, "outgoing") || strings.Contains(word, "clicktocall") ||
		strings.Contains(word, "broadcast") || word == "out" || word == "c2c"
	switch {
	case in && !out:
		return call.Inbound
	case out && !in:
		return call.Outbound
	case word == "internal" || word == "intercom":
		return call.Internal
	}
	return ""
}

// readDirection decides the direction by the word, else by what the administrator put into the URL, else by what the
// request proves. The trigger, which depends on it, has a say later.
func (d *decoder) readDirection(in input) {
	word := squash(peekText(d.f, "direction"))
	d.clickToCall = strings.Contains(word, "clicktocall") || word == "c2c" || d.flow.clickToCall
	d.dialer = strings.Contains(word, "dialer")
	d.direction = directionOf(word)
	if word == string(d.direction) {
		// Other words say more than the direction and stay.
		d.f.Drop("direction")
	}
	if d.direction == "" {
		d.direction = directionOf(squash(peekText(in.query, "direction")))
	}
}

// parties reads who called whom. Inbound, caller_id_number is the customer and call_to_number the own number; outbound it
// is the other way round. (The vendor's page calls both the customer's in either direction.)
func (d *decoder) parties(x *call.Facts) {
	f := d.f
	caller, called := peekText(f, "caller_id_number"), peekText(f, "call_to_number")
	did := f.Text("did_number")
	full := f.Text("customer_no_with_prefix", "customer_number_with_prefix")
	short := f.Text("customer_number", "client_number")

	if d.direction == "" {
		d.direction = triggerByID[d.trigger].direction
	}
	if d.direction == "" {
		d.direction = d.provenDirection(caller, called, did, full, short)
	}
	x.Direction = d.direction

	theirs, ours := "", ""
	switch d.direction {
	case call.Inbound:
		theirs, ours = caller, called
	case call.Outbound:
		theirs, ours = called, caller
	}
	known := firstOf(full, short)
	if known != "" && sameNumber(ours, known) && !sameNumber(theirs, known) {
		// The two stand in each other's place.
		theirs, ours = ours, theirs
	}
	customer := d.best(full, theirs, short, d.lead.phone)
	x.Customer = call.Party{
		Number: customer.Number, RawNumber: customer.Raw,
		Name: firstOf(f.Text("customer_name"), d.lead.name), Email: firstOf(f.Text("customer_email"), d.lead.email),
		Company: d.lead.company, City: d.lead.city, State: d.lead.state, Country: d.lead.country,
	}
	business := d.best(did, ours)
	x.BusinessNumber, x.BusinessRawNumber = business.Number, business.Raw
	// A number that has found no place stays an attribute.
	for name, raw := range map[string]string{"caller_id_number": caller, "call_to_number": called} {
		if raw == "" || sameNumber(raw, customer.Raw) || sameNumber(raw, business.Raw) {
			f.Drop(name)
		}
	}
}

// provenDirection is the direction that follows from whose number stands where.
func (d *decoder) provenDirection(caller, called, did, full, short string) call.Direction {
	if d.clickToCall {
		return call.Outbound
	}
	known := firstOf(full, short)
	ours := append([]string{did}, d.settings.OwnNumbers...)
	isOurs := func(raw string) bool {
		return slices.ContainsFunc(ours, func(o string) bool { return sameNumber(raw, o) })
	}
	in := sameNumber(caller, known) || isOurs(called)
	out := sameNumber(called, known) || isOurs(caller)
	switch {
	case in && !out:
		return call.Inbound
	case out && !in:
		return call.Outbound
	}
	return ""
}

// best is the first number that can be read, else the first there is.
func (d *decoder) best(candidates ...string) telephony.Phone {
	var first telephony.Phone
	for _, raw := range candidates {
		p := d.phone(raw)
		if p.Number != "" {
			return p
		}
		if first.Raw == "" {
			first = p
		}
	}
	return first
}

// subscriber is how many digits of an Indian number remain without its country code.
const subscriber = 10

// sameNumber compares two spellings of a number by their last digits. One payload mixes 919800000125, 9800000125 and
// +919800000125; a number shorter than a subscriber's is compared whole.
func sameNumber(a, b string) bool {
	x, y := onlyDigits(a), onlyDigits(b)
	if x == "" || y == "" {
		return false
	}
	if len(x) >= subscriber && len(y) >= subscriber {
		x, y = x[len(x)-subscriber:], y[len(y)-subscriber:]
	}
	return x == y
}

func onlyDigits(s string) string {
	if len(s) > 64 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func firstOf(list ...string) string {
	i := slices.IndexFunc(list, func(s string) bool { return s != "" })
	if i < 0 {
		return ""
	}
	return list[i]
}

// lead is what a dialer or broadcast list knows of the customer, its columns named by whoever made the list.
type lead struct {
	fields                                            map[string]any
	phone, name, email, company, city, state, country string
}

// readLead reads both names under which lists come, as objects, JSON text, or pairs of names and values. Dialer calls may
// have the customer's number only here.
func (d *decoder) readLead() lead {
	all := map[string]any{}
	for _, key := range []string{"broadcast_lead_fields", "lead_fields"} {
		m := pairs(telephony.Embedded(d.f.Peek(key)))
		if len(m) == 0 {
			if telephony.Blank(d.f.Peek(key)) {
				d.f.Drop(key)
			}
			continue
		}
		d.f.Drop(key)
		maps.Copy(all, m)
	}
	if len(all) == 0 {
		return lead{}
	}
	columns := make(map[string]string, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if len(columns) >= mostColumns {
			break
		}
		if s, ok := telephony.TextOf(all[k]); ok && s != "" {
			if _, taken := columns[squash(k)]; !taken {
				columns[squash(k)] = s
			}
		}
	}
	pick := func(words ...string) string {
		for _, w := range words {
			if v := columns[w]; v != "" {
				return v
			}
		}
		return ""
	}
	l := lead{
		fields:  telephony.BoundedObject(all),
		phone:   pick("phonenumber", "phone", "mobilenumber", "mobile", "mobileno", "phoneno", "contactnumber", "contactno", "contact", "number", "phone1", "primaryphone", "customernumber"),
		name:    pick("name", "fullname", "customername", "leadname", "contactname"),
		email:   pick("email", "emailid", "emailaddress", "mail"),
		company: pick("company", "companyname", "organisation", "organization"),
		city:    pick("city", "town"),
		state:   pick("state", "province"),
		country: pick("country"),
	}
	if l.name == "" {
		l.name = strings.TrimSpace(pick("firstname") + " " + pick("lastname", "surname"))
	}
	return l
}

// mostColumns bounds the columns of a list that are searched.
const mostColumns = 200

// pairs makes one object of an object, of a list of objects with a name and a value each, or of a list of objects.
func pairs(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		return v
	case []any:
		out := map[string]any{}
		for _, item := range v[:min(len(v), mostColumns)] {
			m, ok := item.(map[string]any)
			if !ok {
				continue
			}
			f := telephony.NewFields(m)
			name := f.Text("name", "key", "field", "label", "field_name")
			if value := f.Peek("value", "field_value"); name != "" && (value != nil || f.Has("value")) {
				out[name] = value
				continue
			}
			maps.Copy(out, m)
		}
		return out
	}
	return nil
}
