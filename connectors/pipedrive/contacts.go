package pipedrive

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"github.com/callsync/callsync/connectors"
)

// Limits of a contact search: a page, how many contacts with one number are worth looking at, and how many digits a number
// must have at least.
const (
	searchPage  = 500
	maxContacts = 1000
	minDigits   = 4
	// tail is how many last digits nearly every way of writing a number leaves together, and sure how many must agree.
	tail = 4
	sure = 6
)

type phone struct {
	Value   string `json:"value"`
	Primary bool   `json:"primary"`
	Label   string `json:"label,omitempty"`
}

type person struct {
	ID           int64          `json:"id"`
	Name         string         `json:"name"`
	OwnerID      int64          `json:"owner_id"`
	OrgID        int64          `json:"org_id"`
	Phones       []phone        `json:"phones"`
	UpdateTime   string         `json:"update_time"`
	AddTime      string         `json:"add_time"`
	Deleted      bool           `json:"is_deleted"`
	CustomFields map[string]any `json:"custom_fields"`
}

func (p person) contact() connectors.Contact {
	c := connectors.Contact{Ref: connectors.Ref{Object: connectors.ObjectContact, ID: strconv.FormatInt(p.ID, 10)}, Name: p.Name,
		OwnerID: idText(p.OwnerID), ModifiedAt: moment(p.UpdateTime)}
	for _, n := range p.Phones {
		c.Numbers = append(c.Numbers, n.Value)
	}
	return c
}

// moment reads a time of Pipedrive's; zero where it cannot.
func moment(s string) time.Time {
	at, _, _ := asTime("", s)
	return at
}

func idText(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// foundItem is a person or organization as a search shows it.
type foundItem struct {
	Item struct {
		ID     int64    `json:"id"`
		Name   string   `json:"name"`
		Phones []string `json:"phones"`
		Emails []string `json:"emails"`
		Owner  struct {
			ID int64 `json:"id"`
		} `json:"owner"`
		Organization struct {
			Name string `json:"name"`
		} `json:"organization"`
		CustomFields []string `json:"custom_fields"`
	} `json:"item"`
}

// search asks one of Pipedrive's searches for a term, all pages.
func (s *session) search(ctx context.Context, e endpoint, name, field, term string) ([]foundItem, error) {
	q := url.Values{"term": {term}, "fields": {field}, "exact_match": {"false"}, "limit": {strconv.Itoa(searchPage)}}
	var out []foundItem
	for len(out) < maxContacts {
		var data struct {
			Items []foundItem `json:"items"`
		}
		next, err := s.ask(ctx, request{endpoint: e, name: name, query: q, search: true}, &data)
		if err != nil {
			return nil, err
		}
		out = append(out, data.Items...)
		if len(data.Items) == 0 || next.NextCursor == "" || next.NextCursor == q.Get("cursor") {
			break
		}
		q.Set("cursor", next.NextCursor)
	}
	return out, nil
}

// terms are what to search for: the search compares with what people typed. The digits without the country code are part
// of every number that was typed without gaps, the last four of nearly every other. Where the country's own way of writing
// parts the last four too, that way is a third term.
func terms(q connectors.PhoneQuery) []string {
	national := digits(q.National)
	if len(national) < minDigits {
		return nil
	}
	out := []string{national}
	if len(national) > tail {
		out = append(out, national[len(national)-tail:])
	}
	n, err := phonenumbers.Parse(q.E164, "")
	if err != nil {
		return out
	}
	// +33 1 23 45 67 89 without its country code is part of 01 23 45 67 89 too.
	_, written, ok := strings.Cut(phonenumbers.Format(n, phonenumbers.INTERNATIONAL), " ")
	if last := digits(lastRun(written)); ok && len(last) < tail && len(national) > tail {
		out = append(out, written)
	}
	return out
}

// lastRun is what follows the last character that is no digit.
func lastRun(s string) string {
	return s[strings.LastIndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })+1:]
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// near tells whether a number as stored may be the one that is looked for.
func near(stored, national string) bool {
	d := digits(stored)
	n := min(sure, len(national))
	return len(d) >= n && strings.HasSuffix(d, national[len(national)-n:])
}

// FindContacts implements connectors.ContactMatcher: persons by their phone numbers, the leads of these persons, and
// organizations by custom fields that hold the number, for they have no phone field of their own. Searches are dear: once
// somebody has the whole number, objects of lower preference are not asked for it.
func (s *session) FindContacts(ctx context.Context, q connectors.PhoneQuery) ([]connectors.Contact, error) {
	objects := q.Objects
	if len(objects) == 0 {
		objects = []string{connectors.ObjectContact}
	}
	national := digits(q.National)
	var (
		persons []connectors.Contact
		asked   bool
		out     []connectors.Contact
	)
	for _, object := range objects {
		if slices.ContainsFunc(out, func(c connectors.Contact) bool {
			return slices.ContainsFunc(c.Numbers, func(n string) bool { return strings.HasSuffix(digits(n), national) })
		}) {
			break
		}
		switch object {
		case connectors.ObjectContact, connectors.ObjectLead:
			if !asked {
				var err error
				if persons, err = s.findPersons(ctx, terms(q), national); err != nil {
					return nil, err
				}
				asked = true
			}
			if object == connectors.ObjectContact {
				out = append(out, persons...)
				continue
			}
			leads, err := s.leadsOf(ctx, persons)
			if err != nil {
				return nil, err
			}
			out = append(out, leads...)
		case connectors.ObjectCompany:
			companies, err := s.findCompanies(ctx, national)
			if err != nil {
				return nil, err
			}
			out = append(out, companies...)
		}
	}
	return out, nil
}

func (s *session) findPersons(ctx context.Context, terms []string, national string) ([]connectors.Contact, error) {
	var out []connectors.Contact
	seen := map[int64]bool{}
	for _, term := range terms {
		items, err := s.search(ctx, searchPersons, "search of persons", "phone", term)
		if err != nil {
			return nil, err
		}
		for _, i := range items {
			if seen[i.Item.ID] || !slices.ContainsFunc(i.Item.Phones, func(n string) bool { return near(n, national) }) {
				continue
			}
			seen[i.Item.ID] = true
			c := connectors.Contact{Ref: connectors.Ref{Object: connectors.ObjectContact, ID: strconv.FormatInt(i.Item.ID, 10)},
				Name: i.Item.Name, OwnerID: idText(i.Item.Owner.ID), Numbers: i.Item.Phones, Emails: i.Item.Emails, Company: i.Item.Organization.Name}
			if s.web != "" {
				c.URL = s.web + "/person/" + c.ID
			}
			out = append(out, c)
		}
	}
	if len(out) < 2 {
		return out, nil
	}
	return out, s.dates(ctx, out)
}

// FindContactsByEmail implements connectors.EmailMatcher: persons by their addresses, and the leads of these persons.
func (s *session) FindContactsByEmail(ctx context.Context, q connectors.EmailQuery) ([]connectors.Contact, error) {
	objects := q.Objects
	if len(objects) == 0 {
		objects = []string{connectors.ObjectContact}
	}
	if len(q.Email) < minDigits || !slices.Contains(objects, connectors.ObjectContact) && !slices.Contains(objects, connectors.ObjectLead) {
		return nil, nil
	}
	items, err := s.search(ctx, searchPersons, "search of persons", "email", q.Email)
	if err != nil {
		return nil, err
	}
	var persons []connectors.Contact
	for _, i := range items {
		if !slices.ContainsFunc(i.Item.Emails, func(e string) bool { return strings.EqualFold(strings.TrimSpace(e), q.Email) }) {
			continue
		}
		c := connectors.Contact{Ref: connectors.Ref{Object: connectors.ObjectContact, ID: strconv.FormatInt(i.Item.ID, 10)},
			Name: i.Item.Name, OwnerID: idText(i.Item.Owner.ID), Numbers: i.Item.Phones, Emails: i.Item.Emails}
		if s.web != "" {
			c.URL = s.web + "/person/" + c.ID
		}
		persons = append(persons, c)
	}
	if len(persons) > 1 {
		if err := s.dates(ctx, persons); err != nil {
			return nil, err
		}
	}
	var out []connectors.Contact
	for _, object := range objects {
		switch object {
		case connectors.ObjectContact:
			out = append(out, persons...)
		case connectors.ObjectLead:
			leads, err := s.leadsOf(ctx, persons)
			if err != nil {
				return nil, err
			}
			for i := range leads {
				leads[i].Emails = []string{q.Email}
			}
			out = append(out, leads...)
		}
	}
	return out, nil
}

// dates adds when persons were last changed, which the search does not say: it decides between several.
func (s *session) dates(ctx context.Context, list []connectors.Contact) error {
	for part := range slices.Chunk(list, 100) {
		ids := make([]string, len(part))
		for i, c := range part {
			ids[i] = c.ID
		}
		var persons []person
		q := url.Values{"ids": {strings.Join(ids, ",")}, "limit": {"100"}}
		if err := s.do(ctx, request{endpoint: listPersons, name: "list of persons", query: q}, &persons); err != nil {
			return err
		}
		for i := range part {
			for _, p := range persons {
				if idText(p.ID) == part[i].ID {
					part[i].ModifiedAt = moment(p.UpdateTime)
				}
			}
		}
	}
	return nil
}

// findCompanies searches for the digits without the country code alone: the last four would be in many a custom field.
func (s *session) findCompanies(ctx context.Context, national string) ([]connectors.Contact, error) {
	if len(national) < minDigits {
		return nil, nil
	}
	items, err := s.search(ctx, searchCompanies, "search of organizations", "custom_fields", national)
	if err != nil {
		return nil, err
	}
	var out []connectors.Contact
	seen := map[int64]bool{}
	for _, i := range items {
		c := connectors.Contact{Ref: connectors.Ref{Object: connectors.ObjectCompany, ID: strconv.FormatInt(i.Item.ID, 10)},
			Name: i.Item.Name, OwnerID: idText(i.Item.Owner.ID)}
		for _, v := range i.Item.CustomFields {
			if near(v, national) {
				c.Numbers = append(c.Numbers, v)
			}
		}
		if !seen[i.Item.ID] && len(c.Numbers) > 0 {
			seen[i.Item.ID] = true
			out = append(out, c)
		}
	}
	return out, nil
}

// CreateContact implements connectors.ContactCreator.
func (s *session) CreateContact(ctx context.Context, w connectors.ContactWrite) (connectors.Written, error) {
	if w.Object == connectors.ObjectLead {
		return s.createLead(ctx, w)
	}
	id, warn, err := s.newPerson(ctx, w.Key, w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	out := connectors.Written{RemoteID: id, Created: true, Warnings: warn}
	if s.web != "" {
		out.URL = s.web + "/person/" + id
	}
	return out, nil
}

// newPerson makes a person with our key in our field, if the account has it.
func (s *session) newPerson(ctx context.Context, key string, fields map[string]any) (string, warnings, error) {
	body, custom, warn, err := s.personBody(ctx, fields)
	if err != nil {
		return "", nil, err
	}
	hash, err := s.keyField(ctx)
	if err != nil {
		return "", nil, err
	}
	if hash != "" {
		custom[hash] = key
	}
	if len(custom) > 0 {
		body["custom_fields"] = custom
	}
	q := request{endpoint: createPerson, name: "create of a person", body: body}
	var p person
	if err := s.do(ctx, q, &p); err != nil {
		return "", nil, err
	}
	if p.ID == 0 {
		return "", nil, connectors.Unreadable(Label, "pipedrive "+q.name, q.reads())
	}
	return strconv.FormatInt(p.ID, 10), warn, nil
}

// personBody translates the mapped fields of a person.
func (s *session) personBody(ctx context.Context, fields map[string]any) (body, custom map[string]any, warn warnings, err error) {
	body, custom = map[string]any{}, map[string]any{}
	for name, v := range fields {
		switch name {
		case "name", "notes", "birthday", "job_title":
			t, err := asText(name, v)
			if err != nil {
				return nil, nil, nil, err
			}
			if t = strings.TrimSpace(t); t != "" {
				body[name] = warn.cut(name, t, maxSubject)
			}
		case "phone", "email":
			t, err := asText(name, v)
			if err != nil {
				return nil, nil, nil, err
			}
			if t = strings.TrimSpace(t); t != "" {
				body[name+"s"] = []phone{{Value: t, Primary: true, Label: "work"}}
			}
		case "owner_id", "org_id", "visible_to":
			n, ok, err := asNumber(name, v)
			if err != nil {
				return nil, nil, nil, err
			}
			if ok {
				body[name] = n
			}
		default:
			value, ok, err := s.customValue(ctx, connectors.ObjectContact, name, v)
			if err != nil {
				return nil, nil, nil, err
			}
			if ok {
				custom[name] = value
			}
		}
	}
	if body["name"] == nil {
		// Pipedrive wants a name; who has none is called by the number.
		body["name"] = "Unknown caller"
		if phones, ok := body["phones"].([]phone); ok {
			body["name"] = phones[0].Value
		}
	}
	return body, custom, warn, nil
}

// findPerson looks for a person by our key, among those that were made lately.
func (s *session) findPerson(ctx context.Context, key string) (person, bool, error) {
	hash, err := s.keyField(ctx)
	if err != nil || hash == "" {
		return person{}, false, err
	}
	since := s.now().Add(-lookBack).UTC()
	q := url.Values{"updated_since": {since.Format(sinceForm)}, "sort_by": {"add_time"}, "sort_direction": {"desc"}, "custom_fields": {hash}, "limit": {"500"}}
	for range lookPages {
		var list []person
		next, err := s.ask(ctx, request{endpoint: listPersons, name: "look-up of persons", query: q}, &list)
		if err != nil {
			return person{}, false, err
		}
		for _, p := range list {
			if p.CustomFields[hash] == key && !p.Deleted {
				return p, true, nil
			}
		}
		if len(list) == 0 || next.NextCursor == "" || next.NextCursor == q.Get("cursor") || moment(list[len(list)-1].AddTime).Before(since) {
			return person{}, false, nil
		}
		q.Set("cursor", next.NextCursor)
	}
	return person{}, false, tooMany("persons")
}

// FindContactByKey implements connectors.ContactCreator. Without our field on persons none is found; then the search by
// phone number, which the caller makes next, finds the person.
func (s *session) FindContactByKey(ctx context.Context, key string) (connectors.Contact, bool, error) {
	p, ok, err := s.findPerson(ctx, key)
	if err != nil {
		return connectors.Contact{}, false, err
	}
	if ok {
		return p.contact(), true, nil
	}
	return s.findLead(ctx, key)
}

// FollowContact implements connectors.ContactFollower. Pipedrive does not say into which record one was merged, or into
// which deal a lead was turned: both are gone.
func (s *session) FollowContact(ctx context.Context, of connectors.Ref) (connectors.Ref, bool, error) {
	endpoints := map[string]endpoint{"": readPerson, connectors.ObjectContact: readPerson, connectors.ObjectCompany: readOrganization,
		connectors.ObjectLead: readLead}
	e, ok := endpoints[of.Object]
	if !ok {
		return connectors.Ref{}, false, unsupported("Pipedrive has no contacts of this kind.")
	}
	if _, numeric := number(of.ID); !numeric && of.Object != connectors.ObjectLead {
		return connectors.Ref{}, false, nil
	}
	var r struct {
		Deleted  bool `json:"is_deleted"`
		Archived bool `json:"is_archived"`
	}
	err := s.do(ctx, request{endpoint: e, name: "read of a contact", id: of.ID}, &r)
	if connectors.IsClass(err, connectors.NotFound) {
		return connectors.Ref{}, false, nil
	}
	if err != nil || r.Deleted {
		return connectors.Ref{}, false, err
	}
	return of, true, nil
}
