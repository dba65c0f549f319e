package espocrm

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

const (
	// maxContacts is how many records with one number are worth looking at.
	maxContacts = 1000
	// maxSecondary is how many of them are asked for their further numbers, one by one.
	maxSecondary = 50
	// minDigits keeps a very short number from matching everything that holds it.
	minDigits = 6
)

var contactFields = []string{"id", "name", "phoneNumber", "emailAddress", "assignedUserId", "modifiedAt"}

// fieldsOf are those of an object.
func fieldsOf(object string) []string {
	switch object {
	case connectors.ObjectContact:
		return append(slices.Clone(contactFields), "accountName")
	case connectors.ObjectLead:
		return append(slices.Clone(contactFields), "accountName", "createdContactId")
	}
	return contactFields
}

// phoneWhere looks wide. EspoCRM searches all numbers of a record: phoneNumber as it is stored, which is E.164 unless the
// account allows other forms, and phoneNumberNumeric, its digits.
func phoneWhere(q connectors.PhoneQuery) (where, bool) {
	whole, national := digits(q.E164), strings.TrimLeft(digits(q.National), "0")
	contains := where{Type: "contains", Attribute: "phoneNumberNumeric", Value: national}
	equals := where{Type: "equals", Attribute: "phoneNumber", Value: "+" + whole}
	switch {
	case len(national) >= minDigits && (whole == "" || strings.HasSuffix(whole, national)):
		return contains, true
	case len(national) >= minDigits:
		return where{Type: "or", Value: []where{equals, contains}}, true
	case whole != "":
		return equals, true
	}
	return where{}, false
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// FindContacts implements connectors.ContactMatcher. Leads and accounts that the role hides altogether are passed over:
// there are none for callsync.
func (s *session) FindContacts(ctx context.Context, q connectors.PhoneQuery) ([]connectors.Contact, error) {
	condition, ok := phoneWhere(q)
	if !ok {
		return nil, nil
	}
	objects := q.Objects
	if len(objects) == 0 {
		objects = []string{connectors.ObjectContact}
	}
	var out []connectors.Contact
	for _, object := range objects {
		if object != connectors.ObjectContact && object != connectors.ObjectLead && object != connectors.ObjectCompany {
			continue
		}
		found, err := s.findIn(ctx, object, condition, digits(q.National))
		if err != nil {
			if object != connectors.ObjectContact && hidden(err) {
				continue
			}
			return nil, err
		}
		for _, c := range found {
			at := slices.IndexFunc(out, func(o connectors.Contact) bool { return o.Ref == c.Ref })
			if at < 0 {
				out = append(out, c)
				continue
			}
			out[at].Numbers = merged(out[at].Numbers, c.Numbers)
		}
	}
	return out, nil
}

// FindContactsByEmail implements connectors.EmailMatcher. EspoCRM compares all addresses of a record.
func (s *session) FindContactsByEmail(ctx context.Context, q connectors.EmailQuery) ([]connectors.Contact, error) {
	objects := q.Objects
	if len(objects) == 0 {
		objects = []string{connectors.ObjectContact}
	}
	var out []connectors.Contact
	for _, object := range objects {
		if q.Email == "" || object != connectors.ObjectContact && object != connectors.ObjectLead && object != connectors.ObjectCompany {
			continue
		}
		fields := fieldsOf(object)
		list, err := s.search(ctx, entities[object], search{where: []where{{Type: "equals", Attribute: "emailAddress", Value: q.Email}}, fields: fields, order: "id", limit: maxPage})
		if err != nil && object != connectors.ObjectContact && hidden(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			c := contact(object, r)
			c.URL, c.Emails = s.recordURL(entities[c.Object], c.ID), []string{q.Email}
			if c.ID != "" && !slices.ContainsFunc(out, func(o connectors.Contact) bool { return o.Ref == c.Ref }) {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

// hidden tells whether EspoCRM refused to show an entity type.
func hidden(err error) bool {
	return connectors.IsClass(err, connectors.Forbidden) || connectors.IsClass(err, connectors.NotFound)
}

func merged(a, b []string) []string {
	for _, n := range b {
		if !slices.Contains(a, n) {
			a = append(a, n)
		}
	}
	return a
}

func (s *session) findIn(ctx context.Context, object string, condition where, national string) ([]connectors.Contact, error) {
	entity := entities[object]
	fields := fieldsOf(object)
	var out []connectors.Contact
	seen := map[string]bool{}
	asked := 0
	for offset := 0; offset < maxContacts; offset += maxPage {
		list, err := s.search(ctx, entity, search{where: []where{condition}, fields: fields, order: "id", limit: maxPage, offset: offset})
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			// A record with two numbers that match is listed twice.
			if seen[r.text("id")] || r.text("id") == "" {
				continue
			}
			seen[r.text("id")] = true
			c := contact(object, r)
			c.URL = s.recordURL(entities[c.Object], c.ID)
			if !strings.Contains(digits(r.text("phoneNumber")), strings.TrimLeft(national, "0")) && asked < maxSecondary {
				// The list has the first number only; it is another one that matches.
				asked++
				full, err := s.get(ctx, entity, r.text("id"))
				if connectors.IsClass(err, connectors.NotFound) {
					continue
				}
				if err != nil {
					return nil, err
				}
				c.Numbers = numbers(full)
			}
			out = append(out, c)
		}
		if len(list) < maxPage {
			break
		}
	}
	return out, nil
}

// contact is a record as callsync knows it. A lead that was converted stands for the contact it became.
func contact(object string, r attributes) connectors.Contact {
	c := connectors.Contact{Ref: connectors.Ref{Object: object, ID: r.text("id")}, Name: r.text("name"), OwnerID: r.text("assignedUserId"), Numbers: numbers(r)}
	if id := r.text("createdContactId"); object == connectors.ObjectLead && id != "" {
		c.Ref = connectors.Ref{Object: connectors.ObjectContact, ID: id}
	}
	c.ModifiedAt, _ = moment(r["modifiedAt"])
	c.Company = r.text("accountName")
	if email := r.text("emailAddress"); email != "" {
		c.Emails = []string{email}
	}
	return c
}

// numbers are all numbers of a record that was read, or the first one of one from a list.
func numbers(r attributes) []string {
	var out []string
	if n := r.text("phoneNumber"); n != "" {
		out = append(out, n)
	}
	data, _ := r["phoneNumberData"].([]any)
	for _, d := range data {
		row, _ := d.(map[string]any)
		if n := attributes(row).text("phoneNumber"); n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// CreateContact implements connectors.ContactCreator. EspoCRM compares new contacts and leads with those it has by
// e-mail and name: one with our number or e-mail is the same person, and where only the name is the same the record is made.
func (s *session) CreateContact(ctx context.Context, w connectors.ContactWrite) (connectors.Written, error) {
	object := w.Object
	if object == "" {
		object = connectors.ObjectContact
	}
	entity := entities[object]
	if object != connectors.ObjectContact && object != connectors.ObjectLead {
		return connectors.Written{}, &connectors.Error{Class: connectors.Unsupported, Public: "callsync creates contacts and leads in EspoCRM, no other records."}
	}
	values, err := encode(w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	values[s.keyField] = cutKey(w.Key)
	named(values)
	q := request{method: http.MethodPost, name: "create of " + entity, entity: entity, path: "/" + entity}
	out, warnings, err := s.save(ctx, q, values)
	if refusal, ok := errors.AsType[*validationError](err); ok && connectors.IsClass(err, connectors.Conflict) {
		if id := same(values, refusal.refused.duplicates); id != "" {
			refusal.err.RemoteID = id
			return connectors.Written{}, refusal.err
		}
		q.header = skipDuplicates
		out, warnings, err = s.save(ctx, q, values)
	}
	if err != nil {
		return connectors.Written{}, err
	}
	id := out.text("id")
	return connectors.Written{RemoteID: id, URL: s.recordURL(entity, id), Created: true, Warnings: warnings}, nil
}

// same is which of the records that EspoCRM calls duplicates is the person of values. EspoCRM compares the name and the
// e-mail addresses: whoever has only the name is somebody else.
func same(values attributes, duplicates []attributes) string {
	equal := func(d attributes, name string) bool {
		return strings.EqualFold(strings.TrimSpace(d.text(name)), strings.TrimSpace(values.text(name)))
	}
	for _, d := range duplicates {
		if !recordID.MatchString(d.text("id")) {
			continue
		}
		for _, name := range []string{"phoneNumber", "emailAddress"} {
			if values.text(name) != "" && equal(d, name) {
				return d.text("id")
			}
		}
		// With another name it is there for an address that the list does not show.
		if !equal(d, "firstName") || !equal(d, "lastName") {
			return d.text("id")
		}
	}
	return ""
}

// named gives a name where there is none: EspoCRM demands a last name.
func named(values attributes) {
	if values.text("lastName") != "" {
		return
	}
	name := values.text("firstName")
	delete(values, "firstName")
	for _, other := range []string{values.text("accountName"), values.text("phoneNumber"), "Unknown caller"} {
		if name == "" {
			name = other
		}
	}
	values["lastName"] = name
}

// withoutNumber moves a phone number that EspoCRM refuses, which would cost the whole contact, into the description.
func withoutNumber(values attributes) connectors.Warning {
	text, number := values.text("description"), values.text("phoneNumber")
	if text != "" {
		text += "\n"
	}
	values["description"] = text + number
	delete(values, "phoneNumber")
	return connectors.Warning{Field: "phoneNumber", Text: "EspoCRM takes only valid numbers with a country code; this one was put into the description."}
}

// FindContactByKey implements connectors.ContactCreator.
func (s *session) FindContactByKey(ctx context.Context, key string) (connectors.Contact, bool, error) {
	for _, object := range []string{connectors.ObjectContact, connectors.ObjectLead} {
		r, ok, err := s.byKey(ctx, entities[object], cutKey(key), "name", "phoneNumber", "assignedUserId", "modifiedAt")
		if err != nil && object == connectors.ObjectLead && hidden(err) {
			continue
		}
		if err != nil {
			return connectors.Contact{}, false, err
		}
		if ok {
			return contact(object, r), true, nil
		}
	}
	return connectors.Contact{}, false, nil
}

// FollowContact implements connectors.ContactFollower: a lead that was converted became a contact, or only an account.
// EspoCRM keeps no trace of which contact another one was merged into; such a one is gone.
func (s *session) FollowContact(ctx context.Context, of connectors.Ref) (connectors.Ref, bool, error) {
	entity, ok := entities[of.Object]
	if !ok {
		return connectors.Ref{}, false, nil
	}
	r, err := s.get(ctx, entity, of.ID)
	if connectors.IsClass(err, connectors.NotFound) {
		return connectors.Ref{}, false, nil
	}
	if err != nil {
		return connectors.Ref{}, false, err
	}
	if of.Object == connectors.ObjectLead {
		if id := r.text("createdContactId"); id != "" {
			return s.FollowContact(ctx, connectors.Ref{Object: connectors.ObjectContact, ID: id})
		}
		if id := r.text("createdAccountId"); id != "" {
			return s.FollowContact(ctx, connectors.Ref{Object: connectors.ObjectCompany, ID: id})
		}
	}
	return of, true, nil
}
