package salesforce

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// How long answers about users are remembered.
const (
	ownerTTL   = 10 * time.Minute
	noOwnerTTL = time.Minute
)

func owner(u values) connectors.Owner {
	active, _ := u["IsActive"].(bool)
	return connectors.Owner{ID: u.text("Id"), Email: u.text("Email"), Name: u.text("Name"), Active: active}
}

// FindOwner implements connectors.OwnerResolver. Several users of an org may have one e-mail, so an active one is preferred.
// SOQL compares without regard to case.
func (s *session) FindOwner(ctx context.Context, email string) (connectors.Owner, bool, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if email == "" {
		return connectors.Owner{}, false, nil
	}
	return s.owners.Get(ctx, email, ownerTTL, noOwnerTTL, func() (connectors.Owner, bool, error) {
		rows, err := s.selectRows(ctx, objUser, "SELECT Id, Name, Email, IsActive FROM User WHERE Email = "+quote(email)+" LIMIT 50", false)
		if err != nil {
			return connectors.Owner{}, false, err
		}
		var found connectors.Owner
		for _, u := range rows {
			if o := owner(u); strings.EqualFold(o.Email, email) && (found.ID == "" || o.Active && !found.Active) {
				found = o
			}
		}
		return found, found.ID != "", nil
	})
}

// Owners implements connectors.OwnerLister: the active users, each e-mail once. Of the users only those of the type Standard
// are people who work in Salesforce.
func (s *session) Owners(ctx context.Context) ([]connectors.Owner, error) {
	rows, err := s.selectRows(ctx, objUser, "SELECT Id, Name, Email, IsActive FROM User WHERE IsActive = true AND UserType = 'Standard' ORDER BY Id LIMIT 5000", false)
	if err != nil {
		return nil, err
	}
	out := []connectors.Owner{}
	for _, u := range rows {
		o := owner(u)
		if o.ID == "" || slices.ContainsFunc(out, func(x connectors.Owner) bool { return x.Email != "" && strings.EqualFold(x.Email, o.Email) }) {
			continue
		}
		out = append(out, o)
	}
	return out, nil
}
