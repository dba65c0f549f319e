package zoho

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// Limits of a search by phone: Zoho's page, its end, and how short a number may be.
const (
	searchPage = 200
	maxSearch  = 2000
	minDigits  = 4
)

// people are the modules with phone numbers, and the fields that are read of them.
var people = map[string][]string{
	contacts: {"id", "Full_Name", "First_Name", "Last_Name", "Email", "Phone", "Mobile", "Home_Phone", "Other_Phone", "Asst_Phone", "Owner", "Modified_Time"},
	leads:    {"id", "Full_Name", "First_Name", "Last_Name", "Company", "Email", "Phone", "Mobile", "Owner", "Modified_Time"},
	accounts: {"id", "Account_Name", "Phone", "Owner", "Modified_Time"},
}

// numbersOf are the fields among them that hold numbers.
var numbersOf = []string{"Phone", "Mobile", "Home_Phone", "Other_Phone", "Asst_Phone"}

// FindContacts implements connectors.ContactMatcher. It asks for the number with its country code and for the national one:
// the search goes through all phone fields of a module, but how it compares what people typed is not documented. Leads
// that were converted are left out by Zoho.
func (s *session) FindContacts(ctx context.Context, q connectors.PhoneQuery) ([]connectors.Contact, error) {
	wanted := q.Objects
	if len(wanted) == 0 {
		wanted = []string{connectors.ObjectContact}
	}
	var out []connectors.Contact
	seen := map[string]bool{}
	for _, object := range wanted {
		module := modules[object]
		if people[module] == nil {
			continue
		}
		for _, number := range forms(q) {
			found, err := s.searchPhone(ctx, module, number)
			if err != nil {
				return nil, err
			}
			for _, r := range found {
				if id := r.text("id"); usable(id) && !seen[module+id] {
					seen[module+id] = true
					out = append(out, s.contact(object, r))
				}
			}
		}
	}
	return out, nil
}

// forms are the spellings to look for.
func forms(q connectors.PhoneQuery) []string {
	var out []string
	for _, n := range []string{q.E164, q.National} {
		d := digits(n)
		if len(d) < minDigits {
			continue
		}
		if strings.HasPrefix(n, "+") {
			d = "+" + d
		}
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

func (s *session) searchPhone(ctx context.Context, module, number string) ([]values, error) {
	var out []values
	before := ""
	for n := 1; n <= maxSearch/searchPage; n++ {
		var p page
		q := get("search of "+module, module, "/"+module+"/search", url.Values{"phone": {number}, "fields": {strings.Join(people[module], ",")},
			"page": {strconv.Itoa(n)}, "per_page": {strconv.Itoa(searchPage)}})
		q.class = connectors.RateSearch
		found, err := s.read(ctx, q, &p)
		if err != nil {
			return nil, err
		}
		if !found {
			break
		}
		out = append(out, p.Data...)
		if p.last(before) {
			break
		}
		before = p.start()
	}
	return out, nil
}

func (s *session) contact(object string, r values) connectors.Contact {
	id := r.text("id")
	c := connectors.Contact{Ref: connectors.Ref{Object: object, ID: id}, OwnerID: r.ref("Owner"), URL: s.recordURL(modules[object], id)}
	for _, name := range []string{r.text("Full_Name"), strings.TrimSpace(r.text("First_Name") + " " + r.text("Last_Name")), r.text("Account_Name"), r.text("Company"), r.text("Email")} {
		if c.Name == "" {
			c.Name = name
		}
	}
	for _, name := range numbersOf {
		if n := r.text(name); n != "" && !slices.Contains(c.Numbers, n) {
			c.Numbers = append(c.Numbers, n)
		}
	}
	c.Company = r.text("Company")
	if email := r.text("Email"); email != "" {
		c.Emails = []string{email}
	}
	c.ModifiedAt = modified(r)
	return c
}

func modified(r values) time.Time {
	t, _ := time.Parse(time.RFC3339, r.text("Modified_Time"))
	return t
}

// CreateContact implements connectors.ContactCreator: an insert with our key. A record that has the key is the one that an
// earlier attempt made, and stays as it is. One that has another unique value, such as the e-mail, is a Conflict.
func (s *session) CreateContact(ctx context.Context, w connectors.ContactWrite) (connectors.Written, error) {
	object := w.Object
	if object == "" {
		object = connectors.ObjectContact
	}
	if object != connectors.ObjectContact && object != connectors.ObjectLead {
		return connectors.Written{}, &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: "callsync creates contacts and leads in Zoho CRM, and no records of this kind."}
	}
	module := modules[object]
	fields, warnings, err := encode(module, w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	key := cutKey(w.Key)
	fields[KeyField] = key
	if fields.text("Last_Name") == "" {
		// Zoho demands it.
		fields["Last_Name"] = "Unknown caller"
	}
	id, more, err := s.insert(ctx, module, fields)
	created := err == nil
	if created {
		more = append(more, s.keyed(ctx, module, id, key)...)
	} else if id, err = s.taken(ctx, module, key, err); err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: id, URL: s.recordURL(module, id), Created: created, Warnings: append(warnings, more...)}, nil
}

// FindContactByKey implements connectors.ContactCreator.
func (s *session) FindContactByKey(ctx context.Context, key string) (connectors.Contact, bool, error) {
	for _, object := range []string{connectors.ObjectContact, connectors.ObjectLead} {
		module := modules[object]
		r, ok, err := s.byKey(ctx, module, key, people[module][1:]...)
		if err != nil {
			return connectors.Contact{}, false, err
		}
		if ok {
			return s.contact(object, r), true, nil
		}
	}
	return connectors.Contact{}, false, nil
}

// FollowContact implements connectors.ContactFollower. A lead that was converted says which contact and which account came
// of it. Records that were merged into another one are deleted, and Zoho does not say into which: they are gone, and the
// one that is left is found by its number.
func (s *session) FollowContact(ctx context.Context, of connectors.Ref) (connectors.Ref, bool, error) {
	module := modules[of.Object]
	if people[module] == nil {
		return connectors.Ref{}, false, &connectors.Error{Class: connectors.Unsupported, Public: "callsync follows contacts, leads and accounts in Zoho CRM, and nothing else."}
	}
	if !isID(of.ID) {
		// It may be another CRM's, of which Zoho would say that the address is wrong.
		return connectors.Ref{}, false, nil
	}
	query := url.Values{"fields": {"id"}}
	if module == leads {
		// Without this Zoho shows no lead that was converted; its fields come with all others.
		query = url.Values{"converted": {"both"}}
	}
	r, err := s.record(ctx, module, of.ID, query)
	if connectors.IsClass(err, connectors.NotFound) {
		return connectors.Ref{}, false, nil
	}
	if err != nil {
		return connectors.Ref{}, false, err
	}
	if module != leads || !wasConverted(r) {
		return connectors.Ref{Object: of.Object, ID: r.text("id")}, true, nil
	}
	for _, to := range []connectors.Ref{{Object: connectors.ObjectContact, ID: became(r, "contact", "Converted_Contact")}, {Object: connectors.ObjectCompany, ID: became(r, "account", "Converted_Account")}} {
		if usable(to.ID) {
			return to, true, nil
		}
	}
	return connectors.Ref{}, false, nil
}

// wasConverted reads the two ways in which versions of the API say it.
func wasConverted(r values) bool {
	for _, name := range []string{"$converted", "Converted__s"} {
		if yes, _ := r[name].(bool); yes {
			return true
		}
	}
	d, _ := r["$converted_detail"].(map[string]any)
	return len(d) > 0
}

// became is the id of what came of a lead: in its detail as text or as an object, or in a field of its own.
func became(r values, detail, field string) string {
	d, _ := r["$converted_detail"].(map[string]any)
	if id, ok := d[detail].(string); ok {
		return id
	}
	if id := values(d).ref(detail); id != "" {
		return id
	}
	return r.ref(field)
}

// related reads a related list of a record, page by page until more says no.
func (s *session) related(ctx context.Context, module, id, list string, fields []string, more func(values) bool) error {
	if !usable(id) {
		return gone("read of " + list)
	}
	before := ""
	for n := 1; n <= maxSearch/searchPage; n++ {
		var p page
		q := get("read of "+list+" of "+module, module, recordPath(module, id, list), url.Values{"fields": {strings.Join(fields, ",")},
			"page": {strconv.Itoa(n)}, "per_page": {strconv.Itoa(searchPage)}})
		found, err := s.read(ctx, q, &p)
		if err != nil || !found {
			return err
		}
		for _, r := range p.Data {
			if !more(r) {
				return nil
			}
		}
		if p.last(before) {
			break
		}
		before = p.start()
	}
	return nil
}
