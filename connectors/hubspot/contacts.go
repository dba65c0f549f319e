package hubspot

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// Limits of a contact search: HubSpot's page, and how many contacts with one number are worth looking at.
const (
	searchPage  = 100
	maxContacts = 1000
	// minDigits keeps a very short number from matching everything that ends in it.
	minDigits = 6
)

var contactProperties = []string{"firstname", "lastname", "email", "company", "phone", "mobilephone", "hs_calculated_phone_number",
	"hs_calculated_mobile_number", "hubspot_owner_id", "lastmodifieddate"}

type filter struct {
	PropertyName string `json:"propertyName"`
	Operator     string `json:"operator"`
	Value        string `json:"value"`
}

type filterGroup struct {
	Filters []filter `json:"filters"`
}

// search is the body of a search. HubSpot's description calls all of these required.
type search struct {
	FilterGroups []filterGroup `json:"filterGroups"`
	Properties   []string      `json:"properties"`
	Sorts        []string      `json:"sorts"`
	Limit        int           `json:"limit"`
	After        string        `json:"after"`
}

type searchResult struct {
	Results []record `json:"results"`
	Paging  paging   `json:"paging"`
}

// phoneFilters looks wide, in the five groups that HubSpot takes: its index keeps digits, for most numbers without the
// country code; the plain properties keep what a person typed.
func phoneFilters(q connectors.PhoneQuery) []filterGroup {
	national := digits(q.National)
	var out []filterGroup
	add := func(property, operator, value string) {
		out = append(out, filterGroup{[]filter{{property, operator, value}}})
	}
	if national != "" {
		add("hs_searchable_calculated_phone_number", "EQ", national)
	}
	if len(national) >= minDigits {
		add("hs_searchable_calculated_phone_number", "CONTAINS_TOKEN", "*"+national)
		add("hs_searchable_calculated_mobile_number", "CONTAINS_TOKEN", "*"+national)
	} else if national != "" {
		add("hs_searchable_calculated_mobile_number", "EQ", national)
	}
	if q.E164 != "" {
		add("phone", "EQ", q.E164)
		add("mobilephone", "EQ", q.E164)
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

// FindContacts implements connectors.ContactMatcher. The search leaves out archived records, and those that were made in
// the last seconds: the index lags.
func (s *session) FindContacts(ctx context.Context, q connectors.PhoneQuery) ([]connectors.Contact, error) {
	wanted := q.Objects
	if len(wanted) == 0 {
		wanted = []string{connectors.ObjectContact}
	}
	var out []connectors.Contact
	for _, object := range wanted {
		var found []connectors.Contact
		var err error
		switch object {
		case connectors.ObjectContact:
			found, err = s.searchPhone(ctx, contacts, phoneFilters(q), contactProperties, contact)
		case connectors.ObjectCompany:
			found, err = s.findCompanies(ctx, q)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// FindContactsByEmail implements connectors.EmailMatcher. HubSpot has one contact for an e-mail address, and reads it by that,
// also by a further one, without the lag of its search. Companies have none.
func (s *session) FindContactsByEmail(ctx context.Context, q connectors.EmailQuery) ([]connectors.Contact, error) {
	if q.Email == "" || len(q.Objects) > 0 && !slices.Contains(q.Objects, connectors.ObjectContact) {
		return nil, nil
	}
	r, ok, err := s.find(ctx, contacts, "email", q.Email, contactProperties...)
	if err != nil || !ok {
		return nil, err
	}
	c := contact(r)
	c.URL = recordURL(s.portal, contacts, c.ID)
	c.Emails = []string{q.Email}
	return []connectors.Contact{c}, nil
}

func (s *session) searchPhone(ctx context.Context, object string, filters []filterGroup, properties []string, read func(record) connectors.Contact) ([]connectors.Contact, error) {
	body := search{FilterGroups: filters, Properties: properties, Sorts: []string{}, Limit: searchPage, After: "0"}
	if len(filters) == 0 {
		return nil, nil
	}
	var out []connectors.Contact
	for len(out) < maxContacts {
		var page searchResult
		rq := request{method: http.MethodPost, name: "search of " + object, path: s.api.objects(object) + "/search", body: body, reads: true, class: connectors.RateSearch}
		if err := s.do(ctx, rq, &page); err != nil {
			return nil, err
		}
		for _, r := range page.Results {
			c := read(r)
			c.URL = recordURL(s.portal, object, c.ID)
			out = append(out, c)
		}
		after := page.Paging.Next.After
		if after == "" || after == body.After || len(page.Results) == 0 {
			break
		}
		body.After = after
	}
	return out, nil
}

func contact(r record) connectors.Contact {
	c := connectors.Contact{Ref: connectors.Ref{Object: connectors.ObjectContact, ID: r.ID}, OwnerID: r.property("hubspot_owner_id")}
	c.Name = strings.TrimSpace(r.property("firstname") + " " + r.property("lastname"))
	if c.Name == "" {
		c.Name = r.property("email")
	}
	c.Company = r.property("company")
	if email := r.property("email"); email != "" {
		c.Emails = []string{email}
	}
	c.Numbers = r.numbers("phone", "mobilephone", "hs_calculated_phone_number", "hs_calculated_mobile_number")
	c.ModifiedAt = r.modified("lastmodifieddate")
	return c
}

func (r record) numbers(names ...string) []string {
	var out []string
	for _, p := range names {
		if n := r.property(p); n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func (r record) modified(name string) time.Time {
	for _, s := range []string{r.property(name), r.UpdatedAt} {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return t
		}
	}
	return time.Time{}
}

// CreateContact implements connectors.ContactCreator: an upsert by ContactKey.
func (s *session) CreateContact(ctx context.Context, w connectors.ContactWrite) (connectors.Written, error) {
	if w.Object != "" && w.Object != connectors.ObjectContact {
		return connectors.Written{}, &connectors.Error{Class: connectors.Unsupported,
			Public: "callsync creates contacts in HubSpot, and no records of this kind. A lead in HubSpot is a contact with a lifecycle stage: set it in the mapping."}
	}
	props, warnings, err := encode(w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	r, err := s.upsert(ctx, contacts, ContactKey, w.Key, props)
	if err != nil {
		return connectors.Written{}, err
	}
	return s.written(contacts, r, warnings), nil
}

// FindContactByKey implements connectors.ContactCreator.
func (s *session) FindContactByKey(ctx context.Context, key string) (connectors.Contact, bool, error) {
	r, ok, err := s.find(ctx, contacts, ContactKey, key, contactProperties...)
	if !ok || err != nil {
		return connectors.Contact{}, false, err
	}
	return contact(r), true, nil
}
