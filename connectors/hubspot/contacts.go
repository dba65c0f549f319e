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

var contactProperties = []string{"firstname", "lastname", "email", "phone", "mobilephone", "hs_calculated_phone_number",
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
	Paging  struct {
		Next struct {
			After string `json:"after"`
		} `json:"next"`
	} `json:"paging"`
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

// FindContacts implements connectors.ContactMatcher. The search leaves out archived contacts, and those that were made
// in the last seconds: the index lags.
func (s *session) FindContacts(ctx context.Context, q connectors.PhoneQuery) ([]connectors.Contact, error) {
	body := search{FilterGroups: phoneFilters(q), Properties: contactProperties, Sorts: []string{}, Limit: searchPage, After: "0"}
	if len(body.FilterGroups) == 0 || len(q.Objects) > 0 && !slices.Contains(q.Objects, connectors.ObjectContact) {
		return nil, nil
	}
	var out []connectors.Contact
	for len(out) < maxContacts {
		var page searchResult
		rq := request{method: http.MethodPost, name: "search of contacts", path: searchPath("contacts"), body: body, reads: true}
		if err := s.do(ctx, rq, &page); err != nil {
			return nil, err
		}
		for _, r := range page.Results {
			out = append(out, contact(r))
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
	c := connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: r.ID}, OwnerID: r.property("hubspot_owner_id")}
	c.Name = strings.TrimSpace(r.property("firstname") + " " + r.property("lastname"))
	if c.Name == "" {
		c.Name = r.property("email")
	}
	for _, p := range []string{"phone", "mobilephone", "hs_calculated_phone_number", "hs_calculated_mobile_number"} {
		if n := r.property(p); n != "" && !slices.Contains(c.Numbers, n) {
			c.Numbers = append(c.Numbers, n)
		}
	}
	for _, s := range []string{r.property("lastmodifieddate"), r.UpdatedAt} {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			c.ModifiedAt = t
			break
		}
	}
	return c
}

// CreateContact implements connectors.ContactCreator: an upsert by ContactKey.
func (s *session) CreateContact(ctx context.Context, w connectors.ContactWrite) (connectors.Written, error) {
	props, warnings, err := encode(w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	r, err := s.upsert(ctx, "contacts", ContactKey, w.Key, props)
	if err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: r.ID, Created: r.New, Warnings: warnings}, nil
}

// FindContactByKey implements connectors.ContactCreator.
func (s *session) FindContactByKey(ctx context.Context, key string) (connectors.Contact, bool, error) {
	r, ok, err := s.find(ctx, "contacts", ContactKey, key, contactProperties...)
	if !ok || err != nil {
		return connectors.Contact{}, false, err
	}
	return contact(r), true, nil
}
