package zoho

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// How long answers about the account are remembered.
const (
	usersTTL    = 10 * time.Minute
	outcomesTTL = 5 * time.Minute
	stagesTTL   = time.Hour
	maxOwners   = 5000
)

type user struct {
	ID       string `json:"id"`
	Email    string `json:"email"`
	FullName string `json:"full_name"`
	Status   string `json:"status"`
}

// Owners implements connectors.OwnerLister.
func (s *session) Owners(ctx context.Context) ([]connectors.Owner, error) {
	list, _, err := s.users.Get(ctx, "", usersTTL, usersTTL, func() ([]connectors.Owner, bool, error) {
		out := []connectors.Owner{}
		for n := 1; n <= maxOwners/searchPage; n++ {
			var p struct {
				Users []user `json:"users"`
				Info  struct {
					More bool `json:"more_records"`
				} `json:"info"`
			}
			found, err := s.read(ctx, get("list of users", "Users", "/users", url.Values{"type": {"AllUsers"}, "page": {strconv.Itoa(n)}, "per_page": {strconv.Itoa(searchPage)}}), &p)
			if err != nil {
				return nil, false, err
			}
			for _, u := range p.Users {
				if u.ID != "" {
					out = append(out, connectors.Owner{ID: u.ID, Email: u.Email, Name: u.FullName, Active: u.Status == "active"})
				}
			}
			if !found || !p.Info.More || len(p.Users) == 0 {
				break
			}
		}
		return out, true, nil
	})
	return list, err
}

// FindOwner implements connectors.OwnerResolver. Zoho has no look-up by e-mail: the list of users is remembered.
func (s *session) FindOwner(ctx context.Context, email string) (connectors.Owner, bool, error) {
	email = strings.TrimSpace(email)
	if email == "" {
		return connectors.Owner{}, false, nil
	}
	list, err := s.Owners(ctx)
	if err != nil {
		return connectors.Owner{}, false, err
	}
	for _, o := range list {
		if o.Active && strings.EqualFold(o.Email, email) {
			return o, true, nil
		}
	}
	return connectors.Owner{}, false, nil
}
