package hubspot

import (
	"context"
	"net/url"
	"strings"

	"github.com/callsync/callsync/connectors"
)

var companyProperties = []string{"name", "domain", "phone", "hubspot_owner_id", "hs_lastmodifieddate"}

// findCompanies looks for companies by number. That companies have the properties of searchable numbers, as contacts do,
// is unconfirmed: where HubSpot refuses them, the number as it was typed is all there is to look at.
func (s *session) findCompanies(ctx context.Context, q connectors.PhoneQuery) ([]connectors.Contact, error) {
	if !s.plainCompanies.Load() {
		found, err := s.searchPhone(ctx, companies, companyFilters(q, true), companyProperties, company)
		if !connectors.IsClass(err, connectors.Invalid) {
			return found, err
		}
	}
	found, err := s.searchPhone(ctx, companies, companyFilters(q, false), companyProperties, company)
	if err == nil {
		s.plainCompanies.Store(true)
	}
	return found, err
}

func companyFilters(q connectors.PhoneQuery, searchable bool) []filterGroup {
	national := digits(q.National)
	var out []filterGroup
	add := func(property, operator, value string) {
		out = append(out, filterGroup{[]filter{{property, operator, value}}})
	}
	if len(national) >= minDigits && searchable {
		add("hs_searchable_calculated_phone_number", "EQ", national)
		add("hs_searchable_calculated_phone_number", "CONTAINS_TOKEN", "*"+national)
	} else if len(national) >= minDigits {
		add("phone", "CONTAINS_TOKEN", "*"+national)
	}
	if q.E164 != "" {
		add("phone", "EQ", q.E164)
	}
	if national != "" {
		add("phone", "EQ", national)
	}
	return out
}

func company(r record) connectors.Contact {
	c := connectors.Contact{Ref: connectors.Ref{Object: connectors.ObjectCompany, ID: r.ID}, OwnerID: r.property("hubspot_owner_id"), Name: r.property("name")}
	if c.Name == "" {
		c.Name = r.property("domain")
	}
	c.Numbers = r.numbers("phone")
	c.ModifiedAt = r.modified("hs_lastmodifieddate")
	return c
}

// FollowContact implements connectors.ContactFollower. HubSpot answers the id of a record that was merged with the record
// that came of it, which has an id of its own (developers.hubspot.com/changelog/updated-merge-functionality-for-contacts-and-companies).
func (s *session) FollowContact(ctx context.Context, of connectors.Ref) (connectors.Ref, bool, error) {
	if of.Object != connectors.ObjectContact && of.Object != connectors.ObjectCompany {
		return connectors.Ref{}, false, &connectors.Error{Class: connectors.Unsupported, Public: "callsync follows contacts and companies in HubSpot, and nothing else."}
	}
	var r record
	q := get("read of "+objects[of.Object], s.api.object(objects[of.Object], of.ID), url.Values{"properties": {"hs_object_id"}})
	if err := s.do(ctx, q, &r); err != nil {
		if connectors.IsClass(err, connectors.NotFound) {
			return connectors.Ref{}, false, nil
		}
		return connectors.Ref{}, false, err
	}
	if strings.TrimSpace(r.ID) == "" {
		return connectors.Ref{}, false, connectors.Unreadable(Label, "hubspot "+q.name, q.reads)
	}
	return connectors.Ref{Object: of.Object, ID: r.ID}, true, nil
}
