package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

const (
	// maxFound is how many records of an object with one number are worth looking at; a search gives 2,000 in all.
	maxFound = 500
	// minDigits keeps a very short number from matching everything that ends in it.
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

// terms are the forms in which the search is asked for a number, the wide one first. Salesforce's index leaves out
// punctuation. Whether it finds a number without its country code where it was stored with one is not documented, nor is a
// wildcard in front: so the wide form asks for all of them, and a plain one follows where the wide one has found nothing
// and has not yet shown that it works in this org.
func terms(q connectors.PhoneQuery) (wide, plain string) {
	// Only digits are left; they are escaped all the same.
	whole, national := find(digits(q.E164)), find(strings.TrimLeft(digits(q.National), "0"))
	switch {
	case len(national) >= minDigits && whole != "" && whole != national:
		plain = national
		if !strings.HasSuffix(whole, national) {
			plain = whole
		}
		return national + " OR " + whole + " OR *" + national, plain
	case len(whole) >= 2:
		return whole, ""
	case len(national) >= 2:
		return national, ""
	}
	return "", ""
}

// FindContacts implements connectors.ContactMatcher: one SOSL search over the objects in question. The search does not see
// what was written in the last seconds or minutes: its index is made afterwards. Leads that were converted are left
// out: the contact that they became is found. A person account stands for its person.
func (s *session) FindContacts(ctx context.Context, q connectors.PhoneQuery) ([]connectors.Contact, error) {
	wanted := slices.DeleteFunc(slices.Clone(q.Objects), func(o string) bool {
		return o != connectors.ObjectContact && o != connectors.ObjectLead && o != connectors.ObjectCompany
	})
	if len(q.Objects) == 0 {
		wanted = []string{connectors.ObjectContact}
	}
	wide, plain := terms(q)
	if len(wanted) == 0 || wide == "" {
		return nil, nil
	}
	out, err := s.searchPhone(ctx, wide, wanted)
	if connectors.IsClass(err, connectors.Invalid) && !hasCode(err, codeField) && plain != "" {
		// It does not understand the wide form.
		out, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(out) > 0 {
		s.widely.Store(true)
		return out, nil
	}
	if plain == "" || s.widely.Load() {
		return nil, nil
	}
	return s.searchPhone(ctx, plain, wanted)
}

// returning is an object of a search with what is asked of it.
type returning struct {
	object string
	fields []string
	where  string
}

// searchPhone asks for term, which is made of digits, OR and a leading asterisk. A field that an admin took away since the
// object was described costs one more description.
func (s *session) searchPhone(ctx context.Context, term string, wanted []string) ([]connectors.Contact, error) {
	for again := false; ; again = true {
		plan, err := s.plan(ctx, wanted, again)
		if err != nil || len(plan) == 0 {
			return nil, err
		}
		var parts []string
		for _, r := range plan {
			where := ""
			if r.where != "" {
				where = " WHERE " + r.where
			}
			parts = append(parts, fmt.Sprintf("%s(%s%s LIMIT %d)", r.object, strings.Join(r.fields, ", "), where, maxFound))
		}
		rows, err := s.sosl(ctx, "FIND {"+term+"} IN PHONE FIELDS RETURNING "+strings.Join(parts, ", "))
		if hasCode(err, codeField) && !again {
			continue
		}
		if err != nil {
			return nil, err
		}
		return s.contacts(rows, plan, wanted), nil
	}
}

func (s *session) sosl(ctx context.Context, search string) ([]values, error) {
	var answer searched
	q := get("search by phone", "", s.search(), url.Values{"q": {search}})
	if _, err := s.do(connectors.WithRate(ctx, connectors.RateSearch, 1), q, &answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// searched are the records of a search: before version 37 its answer was the list alone.
type searched []values

// UnmarshalJSON implements json.Unmarshaler.
func (r *searched) UnmarshalJSON(b []byte) error {
	var answer struct {
		SearchRecords []values `json:"searchRecords"`
	}
	if err := json.Unmarshal(b, &answer); err == nil {
		*r = answer.SearchRecords
		return nil
	}
	return json.Unmarshal(b, (*[]values)(r))
}

// plan says what to ask of which object. An object that callsync's user may not see is passed over, unless it is the
// contact.
func (s *session) plan(ctx context.Context, wanted []string, anew bool) ([]returning, error) {
	var out []returning
	for _, object := range wanted {
		r, err := s.ask(ctx, objects[object], anew)
		if err != nil {
			if object != connectors.ObjectContact && (connectors.IsClass(err, connectors.Forbidden) || connectors.IsClass(err, connectors.NotFound)) {
				continue
			}
			return nil, err
		}
		if len(r.fields) > 0 {
			out = append(out, r)
		}
	}
	if !slices.Contains(wanted, connectors.ObjectCompany) && slices.Contains(wanted, connectors.ObjectContact) && s.hasPersonAccounts(ctx) {
		// A person account's numbers are the account's.
		if r, err := s.ask(ctx, objAccount, false); err == nil {
			r.where = "IsPersonAccount = true"
			out = append(out, r)
		}
	}
	return out, nil
}

// standard is what to ask of objects that are not described.
var standard = map[string]returning{
	objContact: {object: objContact, fields: []string{"Id", "Name", "OwnerId", "LastModifiedDate", "AccountId", "Phone", "MobilePhone", "HomePhone", "OtherPhone"}},
	objLead:    {object: objLead, fields: []string{"Id", "Name", "OwnerId", "LastModifiedDate", "Phone", "MobilePhone"}, where: "IsConverted = false"},
	objAccount: {object: objAccount, fields: []string{"Id", "Name", "OwnerId", "LastModifiedDate", "Phone"}},
}

func (s *session) ask(ctx context.Context, object string, anew bool) (returning, error) {
	describe := s.info
	if anew {
		describe = s.load
	}
	info, err := describe(ctx, object)
	if refusal, ok := errors.AsType[*refused](err); ok && refusal.status == http.StatusNotFound && (object == objContact || refusal.code == "") {
		// What answers does not describe its objects; they have the standard fields at least.
		return standard[object], nil
	}
	if err != nil {
		return returning{}, err
	}
	r := returning{object: object, fields: []string{"Id"}}
	add := func(names ...string) {
		for _, name := range names {
			if _, ok := info.Fields[name]; ok && !slices.Contains(r.fields, name) {
				r.fields = append(r.fields, name)
			}
		}
	}
	add("Name", "OwnerId", "LastModifiedDate")
	switch object {
	case objContact:
		add("AccountId", "Email")
	case objLead:
		add("Email", "Company")
		if _, ok := info.Fields["IsConverted"]; ok {
			r.where = "IsConverted = false"
		}
	case objAccount:
		add("IsPersonAccount", "PersonContactId")
	}
	add(info.phones()...)
	return r, nil
}

// hasPersonAccounts tells whether the org has turned them on, which it cannot turn off again.
func (s *session) hasPersonAccounts(ctx context.Context) bool {
	info, err := s.info(ctx, objAccount)
	_, ok := info.Fields["IsPersonAccount"]
	return err == nil && ok
}

// contacts are the records of a search, in the order of the objects wanted, each person once.
func (s *session) contacts(rows []values, plan []returning, wanted []string) []connectors.Contact {
	var out []connectors.Contact
	for _, r := range rows {
		attributes, _ := r["attributes"].(map[string]any)
		kind, _ := attributes["type"].(string)
		at := slices.IndexFunc(plan, func(p returning) bool { return p.object == kind })
		if at < 0 {
			continue
		}
		c := s.contact(kind, r, plan[at].fields)
		if c.ID == "" {
			continue
		}
		if i := slices.IndexFunc(out, func(o connectors.Contact) bool { return o.Ref == c.Ref }); i >= 0 {
			for _, n := range c.Numbers {
				if !slices.Contains(out[i].Numbers, n) {
					out[i].Numbers = append(out[i].Numbers, n)
				}
			}
			continue
		}
		if kind == objContact {
			s.rememberAccount(c.ID, r.text("AccountId"))
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b connectors.Contact) int {
		return slices.Index(wanted, a.Object) - slices.Index(wanted, b.Object)
	})
	return out
}

// contact is a record as callsync knows it; fields are those that were asked for.
func (s *session) contact(kind string, r values, fields []string) connectors.Contact {
	c := connectors.Contact{Ref: connectors.Ref{ID: r.text("Id")}, Name: r.text("Name"), OwnerID: r.text("OwnerId")}
	for object, name := range map[string]string{connectors.ObjectContact: objContact, connectors.ObjectLead: objLead, connectors.ObjectCompany: objAccount} {
		if name == kind {
			c.Object = object
		}
	}
	if person, _ := r["IsPersonAccount"].(bool); person && r.text("PersonContactId") != "" {
		// A call is tied to the person, and thereby to the account.
		s.rememberAccount(r.text("PersonContactId"), c.ID)
		c.Ref = connectors.Ref{Object: connectors.ObjectContact, ID: r.text("PersonContactId")}
	}
	c.URL = s.recordURL(c.ID)
	c.ModifiedAt, _ = moment(r["LastModifiedDate"])
	c.Company = r.text("Company")
	if email := r.text("Email"); email != "" {
		c.Emails = []string{email}
	}
	for _, name := range fields {
		if slices.Contains([]string{"Id", "Name", "OwnerId", "AccountId", "PersonContactId", "LastModifiedDate", "Email", "Company"}, name) {
			continue
		}
		if n := r.text(name); n != "" && !slices.Contains(c.Numbers, n) {
			c.Numbers = append(c.Numbers, n)
		}
	}
	return c
}

// Headers of a create (REST guide, Headers).
var (
	// allowDuplicate saves a record that a duplicate rule would only warn of.
	allowDuplicate = [2]string{"Sforce-Duplicate-Rule-Header", "allowSave=true"}
	// keepOwner turns off assignment rules, which the API runs for leads and cases unless it is told not to.
	keepOwner = [2]string{"Sforce-Auto-Assign", "FALSE"}
)

// CreateContact implements connectors.ContactCreator: an upsert by our key. Where a duplicate rule objects, a record with the
// same number or e-mail is the same person; one that only has a similar name is somebody else, and the contact is made if
// the rule allows it.
func (s *session) CreateContact(ctx context.Context, w connectors.ContactWrite) (connectors.Written, error) {
	object := objects[orDefault(w.Object, connectors.ObjectContact)]
	if object != objContact && object != objLead {
		return connectors.Written{}, &connectors.Error{Class: connectors.Unsupported, Public: "callsync creates contacts and leads in Salesforce, no other records."}
	}
	v, warnings, err := s.encode(object, w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	named(object, v)
	header := map[string]string{}
	if object == objLead && v.text("OwnerId") != "" {
		header[keepOwner[0]] = keepOwner[1]
	}
	out, err := s.person(ctx, object, w.Key, v, header)
	if refusal, ok := errors.AsType[*refused](err); ok && refusal.code == codeDuplicates {
		same, serr := s.same(ctx, object, v, refusal.duplicates)
		switch {
		case serr != nil:
			return connectors.Written{}, serr
		case same != "":
			refusal.err.RemoteID = same
			return connectors.Written{}, refusal
		case !refusal.allowSave:
			return connectors.Written{}, refusal
		}
		header[allowDuplicate[0]] = allowDuplicate[1]
		out, err = s.person(ctx, object, w.Key, v, header)
	}
	if err != nil {
		return connectors.Written{}, err
	}
	out.Warnings = append(warnings, out.Warnings...)
	return out, nil
}

// person makes a contact or lead: an upsert by our key, or where the object has no field for it, a create of a record that is
// not there yet with the same name and number. SOQL sees what a lost attempt has made at once.
func (s *session) person(ctx context.Context, object, key string, v values, header map[string]string) (connectors.Written, error) {
	keyless := object + "." + s.keyField
	if !s.lacks(keyless) {
		out, err := s.write(ctx, object, key, "", v, header)
		if refusal, ok := errors.AsType[*refused](err); !ok || !refusal.noKeyField {
			return out, err
		}
		s.remember(ctx, keyless)
	}
	if number := v.text("Phone"); number != "" {
		rows, err := s.selectRows(ctx, object, "SELECT Id FROM "+object+" WHERE LastName = "+quote(v.text("LastName"))+" AND Phone = "+quote(number)+" ORDER BY CreatedDate LIMIT 1", false)
		if err != nil {
			return connectors.Written{}, err
		}
		if len(rows) > 0 {
			id := rows[0].text("Id")
			return connectors.Written{RemoteID: id, URL: s.recordURL(id)}, nil
		}
	}
	q := request{method: http.MethodPost, name: "create of " + label(object), object: object, path: s.rows(object), header: header, body: v}
	id, _, err := s.send(ctx, q)
	if err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: id, URL: s.recordURL(id), Created: true}, nil
}

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

// same is which of the records that a duplicate rule found has our number or e-mail.
func (s *session) same(ctx context.Context, object string, v values, ids []string) (string, error) {
	if len(ids) == 0 {
		return "", nil
	}
	info, err := s.info(ctx, object)
	if err != nil {
		return "", err
	}
	phones := info.phones()
	var quoted []string
	for _, id := range ids {
		quoted = append(quoted, quote(id))
	}
	fields := append([]string{"Id", "Email"}, phones...)
	rows, err := s.selectRows(ctx, object, "SELECT "+strings.Join(fields, ", ")+" FROM "+object+" WHERE Id IN ("+strings.Join(quoted, ", ")+")", false)
	if err != nil {
		return "", err
	}
	var ours []string
	for _, name := range phones {
		if d := digits(v.text(name)); len(d) >= minDigits {
			ours = append(ours, d)
		}
	}
	for _, r := range rows {
		if e := v.text("Email"); e != "" && strings.EqualFold(e, r.text("Email")) {
			return r.text("Id"), nil
		}
		for _, name := range phones {
			theirs := strings.TrimLeft(digits(r.text(name)), "0")
			if len(theirs) >= minDigits && slices.ContainsFunc(ours, func(d string) bool { return strings.HasSuffix(d, theirs) }) {
				return r.text("Id"), nil
			}
		}
	}
	return "", nil
}

// noCompany is what Salesforce itself writes into a web lead's required company.
const noCompany = "[not provided]"

// named gives a name where there is none: Salesforce demands a last name, and a company of leads.
func named(object string, v values) {
	if v.text("LastName") == "" {
		name := v.text("FirstName")
		delete(v, "FirstName")
		for _, other := range []string{v.text("Company"), v.text("Phone"), "Unknown caller"} {
			if name == "" {
				name = other
			}
		}
		v["LastName"], _, _ = cutTo("LastName", name, lengths[object]["LastName"])
	}
	if object == objLead {
		setDefault(v, "Company", noCompany)
	}
}

// FindContactByKey implements connectors.ContactCreator. An org that has no key on an object has none of our records there.
func (s *session) FindContactByKey(ctx context.Context, key string) (connectors.Contact, bool, error) {
	for _, object := range []string{connectors.ObjectContact, connectors.ObjectLead} {
		r, ok, err := s.byKey(ctx, objects[object], key, "Name", "OwnerId", "LastModifiedDate", "Phone", "MobilePhone")
		if hasCode(err, codeField) || object == connectors.ObjectLead && (connectors.IsClass(err, connectors.Forbidden) || hasCode(err, codeType)) {
			continue
		}
		if err != nil {
			return connectors.Contact{}, false, err
		}
		if ok {
			return s.contact(objects[object], r, []string{"Phone", "MobilePhone"}), true, nil
		}
	}
	return connectors.Contact{}, false, nil
}
