package pipedrive

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// How long answers about the account are remembered.
const (
	ownerTTL  = 10 * time.Minute
	fieldTTL  = 10 * time.Minute
	maxOwners = 5000
)

// Owners implements connectors.OwnerLister. The whole list costs half of a search for one user, so that it serves the
// look-ups by e-mail too.
func (s *session) Owners(ctx context.Context) ([]connectors.Owner, error) {
	list, _, err := s.users.Get(ctx, "", ownerTTL, ownerTTL, func() ([]connectors.Owner, bool, error) {
		var users []struct {
			ID      int64  `json:"id"`
			Name    string `json:"name"`
			Email   string `json:"email"`
			Active  bool   `json:"active_flag"`
			Deleted bool   `json:"is_deleted"`
		}
		if err := s.do(ctx, request{endpoint: listUsers, name: "list of users"}, &users); err != nil {
			return nil, false, err
		}
		out := make([]connectors.Owner, 0, len(users))
		for _, u := range users[:min(len(users), maxOwners)] {
			out = append(out, connectors.Owner{ID: strconv.FormatInt(u.ID, 10), Email: u.Email, Name: u.Name, Active: u.Active && !u.Deleted})
		}
		return out, true, nil
	})
	return list, err
}

// FindOwner implements connectors.OwnerResolver.
func (s *session) FindOwner(ctx context.Context, email string) (connectors.Owner, bool, error) {
	email = strings.TrimSpace(email)
	if email == "" {
		return connectors.Owner{}, false, nil
	}
	list, err := s.Owners(ctx)
	if err != nil {
		return connectors.Owner{}, false, err
	}
	var gone connectors.Owner
	for _, o := range list {
		if strings.EqualFold(o.Email, email) {
			if o.Active {
				return o, true, nil
			}
			gone = o
		}
	}
	return gone, gone.ID != "", nil
}
