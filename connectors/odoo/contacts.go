package odoo

import (
	"context"
	"strings"

	"github.com/callsync/callsync/connectors"
)

const (
	// pageSize is how many records one request reads; maxContacts how many with one number are worth looking at.
	pageSize    = 200
	maxContacts = 1000
	// minDigits keeps a very short number from matching everything that holds it. Odoo itself demands three.
	minDigits = 6
)

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// phoneDomain looks wide, in what this version of Odoo has: phone_sanitized is E.164 of one of the numbers (Odoo 14: the
// mobile one) if Odoo could read it, phone_mobile_search (15 and later) compares all numbers without what stands between the
// digits, and where that is missing a pattern with anything between the digits finds every way to write the number.
func phoneDomain(q connectors.PhoneQuery, defs map[string]fieldDef) ([]domainTerm, bool) {
	whole, national := digits(q.E164), strings.TrimLeft(digits(q.National), "0")
	if len(national) < minDigits {
		national = whole
	}
	if len(national) < minDigits {
		return nil, false
	}
	var terms []domainTerm
	if defs["phone_sanitized"].Type != "" && whole != "" {
		terms = append(terms, domainTerm{"phone_sanitized", "=", "+" + whole})
	}
	if defs["phone_mobile_search"].Type != "" {
		return either(append(terms, domainTerm{"phone_mobile_search", "ilike", national})...), true
	}
	pattern := strings.Join(strings.Split(national, ""), "%")
	for _, name := range []string{"phone", "mobile"} {
		if defs[name].Type != "" {
			terms = append(terms, domainTerm{name, "ilike", pattern})
		}
	}
	return either(terms...), len(terms) > 0
}

// FindContacts implements connectors.ContactMatcher. Archived contacts and leads are not looked at. Without the CRM app, or
// the right to see leads, there are none for callsync.
func (s *session) FindContacts(ctx context.Context, q connectors.PhoneQuery) ([]connectors.Contact, error) {
	objects := q.Objects
	if len(objects) == 0 {
		objects = []string{connectors.ObjectContact}
	}
	var out []connectors.Contact
	for _, object := range objects {
		if object != connectors.ObjectContact && object != connectors.ObjectLead && object != connectors.ObjectCompany {
			continue
		}
		found, err := s.findIn(ctx, object, q)
		if err != nil && object == connectors.ObjectLead && connectors.IsClass(err, connectors.Forbidden) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			if !contains(out, c.Ref) {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

func contains(list []connectors.Contact, ref connectors.Ref) bool {
	for _, c := range list {
		if c.Ref == ref {
			return true
		}
	}
	return false
}

func (s *session) findIn(ctx context.Context, object string, q connectors.PhoneQuery) ([]connectors.Contact, error) {
	model := placeModels[object]
	defs, ok, err := s.fields(ctx, model)
	if err != nil || !ok {
		return nil, err
	}
	terms, ok := phoneDomain(q, defs)
	if !ok {
		return nil, nil
	}
	switch object {
	case connectors.ObjectContact:
		terms = append([]domainTerm{{"&"}, {"is_company", "=", false}}, terms...)
	case connectors.ObjectCompany:
		terms = append([]domainTerm{{"&"}, {"is_company", "=", true}}, terms...)
	}
	var out []connectors.Contact
	for len(out) < maxContacts {
		list, err := s.search(ctx, query{model: model, domain: domain(terms...), fields: contactFields(model, defs), order: "id", limit: pageSize, offset: len(out)})
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			out = append(out, contactOf(s, object, model, r))
		}
		if len(list) < pageSize {
			break
		}
	}
	return out, nil
}

func contactFields(model string, defs map[string]fieldDef) []string {
	fields := []string{"id", "name", "user_id", "write_date"}
	for _, name := range []string{"phone", "mobile", "phone_sanitized"} {
		if defs[name].Type != "" {
			fields = append(fields, name)
		}
	}
	for _, name := range []string{"email", "email_from"} {
		if defs[name].Type != "" {
			fields = append(fields, name)
		}
	}
	if model == "crm.lead" {
		return append(fields, "type", "partner_id", "contact_name", "partner_name")
	}
	if defs["parent_id"].Type != "" {
		fields = append(fields, "parent_id")
	}
	return append(fields, "is_company")
}

// contactOf gives a record. A lead that became an opportunity stands for its contact.
func contactOf(s *session, object, model string, r row) connectors.Contact {
	id := r.id("id")
	c := connectors.Contact{Ref: connectors.Ref{Object: object, ID: idText(id)}, Name: r.text("name"), OwnerID: idText(r.id("user_id")),
		URL: s.recordURL(model, id), ModifiedAt: r.moment("write_date")}
	if model == "crm.lead" {
		for _, name := range []string{"partner_name", "contact_name"} {
			if t := r.text(name); t != "" {
				c.Name = t
			}
		}
		if partner := r.id("partner_id"); partner != 0 && r.text("type") == "opportunity" {
			c.Ref, c.URL = connectors.Ref{Object: connectors.ObjectContact, ID: idText(partner)}, s.recordURL("res.partner", partner)
		}
	}
	c.Company = r.name("parent_id")
	if model == "crm.lead" {
		c.Company = r.text("partner_name")
	}
	for _, name := range []string{"email", "email_from"} {
		if e := r.text(name); e != "" {
			c.Emails = append(c.Emails, e)
		}
	}
	for _, name := range []string{"phone", "mobile", "phone_sanitized"} {
		if n := r.text(name); n != "" {
			c.Numbers = append(c.Numbers, n)
		}
	}
	return c
}

// CreateContact implements connectors.ContactCreator. Odoo itself looks for no duplicates. A contact that is there already
// is left as it is: people may have changed it since.
func (s *session) CreateContact(ctx context.Context, w connectors.ContactWrite) (connectors.Written, error) {
	object := w.Object
	if object == "" {
		object = connectors.ObjectContact
	}
	model := placeModels[object]
	if object != connectors.ObjectContact && object != connectors.ObjectLead {
		return connectors.Written{}, &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: "callsync creates contacts and leads in Odoo, no other records."}
	}
	name := keyName(object, w.Key)
	id, found, err := s.byKey(ctx, model, name)
	if err != nil {
		return connectors.Written{}, err
	}
	if found {
		return connectors.Written{RemoteID: idText(id), URL: s.recordURL(model, id)}, nil
	}
	v, warnings, err := s.mapped(ctx, model, w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	named(model, v)
	if id, err = s.load(ctx, model, name, v, nil); err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: idText(id), URL: s.recordURL(model, id), Created: true, Warnings: warnings}, nil
}

// named fills the name that Odoo demands.
func named(model string, v values) {
	if text, _ := v["name"].(string); strings.TrimSpace(text) == "" {
		v["name"] = "Unknown caller"
		for _, other := range []string{"phone", "partner_name", "contact_name"} {
			if text, _ := v[other].(string); text != "" {
				v["name"] = text
			}
		}
	}
	if model == "crm.lead" && v["type"] == nil {
		v["type"] = "lead"
	}
}

// FindContactByKey implements connectors.ContactCreator.
func (s *session) FindContactByKey(ctx context.Context, key string) (connectors.Contact, bool, error) {
	for _, object := range []string{connectors.ObjectContact, connectors.ObjectLead} {
		model := placeModels[object]
		id, ok, err := s.byKey(ctx, model, keyName(object, key))
		if err != nil {
			return connectors.Contact{}, false, err
		}
		if !ok {
			continue
		}
		defs, _, err := s.fields(ctx, model)
		if err != nil {
			return connectors.Contact{}, false, err
		}
		r, err := s.read(ctx, model, id, contactFields(model, defs)...)
		if connectors.IsClass(err, connectors.NotFound) {
			continue
		}
		if err != nil {
			return connectors.Contact{}, false, err
		}
		return contactOf(s, object, model, r), true, nil
	}
	return connectors.Contact{}, false, nil
}

// FollowContact implements connectors.ContactFollower: a lead that became an opportunity stands for its contact. Odoo keeps
// no trace of which contact or lead another one was merged into; such a one is gone, and its number is looked for anew.
func (s *session) FollowContact(ctx context.Context, of connectors.Ref) (connectors.Ref, bool, error) {
	p, ok := placeOf(of)
	if !ok {
		return connectors.Ref{}, false, nil
	}
	fields := []string{"id"}
	if p.model == "crm.lead" {
		fields = append(fields, "type", "partner_id")
	}
	r, err := s.read(ctx, p.model, p.id, fields...)
	if connectors.IsClass(err, connectors.NotFound) {
		return connectors.Ref{}, false, nil
	}
	if err != nil {
		return connectors.Ref{}, false, err
	}
	if partner := r.id("partner_id"); of.Object == connectors.ObjectLead && partner != 0 && r.text("type") == "opportunity" {
		return connectors.Ref{Object: connectors.ObjectContact, ID: idText(partner)}, true, nil
	}
	return of, true, nil
}
