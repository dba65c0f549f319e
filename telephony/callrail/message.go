package callrail

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// message fills an event of a text message. Its numbers come as 770-555-5555. Fields that a message has no place for are
// kept in the event's attributes.
func (d *decoder) message(e *call.Event) {
	f := d.f
	from := d.phone(f.Text("source_number"), "")
	to := d.phone(f.Text("destination_number"), "")
	m := &call.Message{
		Provider:       ID,
		ProviderID:     d.id.value,
		Direction:      call.Inbound,
		Body:           f.Text("content"),
		Media:          f.Strings("media_urls"),
		ConversationID: f.Text("conversation_id", "thread_resource_id"),
		SentAt:         f.Time(d.settings.Location, "timestamp", "sent_at", "created_at"),
		LeadStatus:     f.Text("lead_status"),
	}
	customer, business := from, to
	if e.Kind == call.MessageSent {
		m.Direction, customer, business = call.Outbound, to, from
	}
	m.Customer = call.Party{Number: customer.Number, RawNumber: customer.Raw, Name: f.Text("customer_name")}
	m.BusinessNumber = firstOf(business.Number, business.Raw)
	d.agent(e)
	m.Agents, e.Facts.Agents = e.Facts.Agents, nil
	e.Message, e.OccurredAt = m, m.SentAt
	e.Facts.Attributes = d.withNumber(d.rest())
}

// withNumber keeps the numeric id of a message or form that has another one: they have no aliases.
func (d *decoder) withNumber(attributes map[string]any) map[string]any {
	if d.id.number == "" || d.id.number == d.id.value {
		return attributes
	}
	if attributes == nil {
		attributes = map[string]any{}
	}
	attributes[fieldNumericID] = d.id.number
	return attributes
}

// form fills an event of a form submission. Who submitted it is read from the form's own fields, whose names the
// owner of the web page chose.
func (d *decoder) form(e *call.Event) {
	f := d.f
	data := d.formData()
	w := &call.Form{
		Provider:    ID,
		ProviderID:  d.id.value,
		FormURL:     f.Text("form_url", "url"),
		LandingPage: f.Text("landing_page_url", "landing"),
		SubmittedAt: f.Time(d.settings.Location, "submitted_at", "created_at", "timestamp"),
		Fields:      telephony.BoundedObject(data),
		Attribution: d.attribution(),
	}
	w.Customer = d.person(data)
	f.Drop("updated_at")
	e.Form, e.OccurredAt = w, w.SubmittedAt
	e.Facts.Attributes = d.withNumber(d.rest())
}

// person finds the customer among a form's free fields, by the words their names are made of; of several the first by
// name counts. Fields of the request itself come first.
func (d *decoder) person(data map[string]any) call.Party {
	f := d.f
	form := freeFields{data: data, names: slices.Sorted(maps.Keys(data))}
	form.names = form.names[:min(len(form.names), mostFormFields)]
	p := call.Party{
		Name:    f.Text("customer_name"),
		Email:   firstOf(f.Text("customer_email"), form.holding(isEmail, "mail")),
		Company: form.word("company", "organisation", "organization", "business"),
		City:    form.word("city", "town"),
		State:   form.word("state", "province"),
		Country: form.word("country"),
	}
	isPhone := func(v string) bool { return d.phone(v, p.Country).Number != "" }
	phone := d.phone(firstOf(f.Text("customer_phone_number"), form.holding(isPhone, "phone", "mobile", "cell", "tel")), p.Country)
	p.Number, p.RawNumber = phone.Number, phone.Raw
	if p.Name == "" {
		p.Name = strings.TrimSpace(form.word("first", "firstname") + " " + form.word("last", "lastname", "surname"))
	}
	if p.Name == "" {
		p.Name = form.word("name", "fullname")
	}
	return p
}

// mostFormFields bounds how many of a form's fields are searched.
const mostFormFields = 1000

func isEmail(v string) bool { return strings.Contains(v, "@") && !strings.ContainsAny(v, " \t\r\n") }

// freeFields are the fields of a form, named by whoever made it ("your_name", "Phone number", "address_city").
type freeFields struct {
	data  map[string]any
	names []string
}

// word returns the first value whose field's name has one of the words. A company's name is not a person's.
func (f freeFields) word(words ...string) string {
	for _, w := range words {
		for _, name := range f.names {
			parts := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) })
			if !slices.Contains(parts, w) || w == "name" && (slices.Contains(parts, "company") || slices.Contains(parts, "business")) {
				continue
			}
			if v := lastText(f.data[name], func(string) bool { return true }); v != "" {
				return v
			}
		}
	}
	return ""
}

// holding returns the first acceptable value whose field's name contains one of the words.
func (f freeFields) holding(accept func(string) bool, words ...string) string {
	for _, w := range words {
		for _, name := range f.names {
			if !strings.Contains(strings.ToLower(name), w) {
				continue
			}
			if v := lastText(f.data[name], accept); v != "" {
				return v
			}
		}
	}
	return ""
}

// lastText is v as text or, of a field that the page has more than once, the last acceptable of its texts.
func lastText(v any, accept func(string) bool) string {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, one := range slices.Backward(list) {
		if s, _ := telephony.TextOf(one); s != "" && accept(s) {
			return s
		}
	}
	return ""
}
