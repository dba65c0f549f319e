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

// How long answers about the account are remembered.
const (
	usersTTL    = 10 * time.Minute
	outcomesTTL = 5 * time.Minute
	stagesTTL   = time.Hour
	maxOwners   = 5000
	// activeUsers is Zoho's name of the list of those who can own records.
	activeUsers = "ActiveUsers"
)

type user struct {
	ID       string `json:"id"`
	Email    string `json:"email"`
	FullName string `json:"full_name"`
}

// usersOf lists the users of one of Zoho's types, and remembers them.
func (s *session) usersOf(ctx context.Context, kind string) ([]connectors.Owner, error) {
	list, _, err := s.users.Get(ctx, kind, usersTTL, usersTTL, func() ([]connectors.Owner, bool, error) {
		out := []connectors.Owner{}
		before := ""
		for n := 1; n <= maxOwners/searchPage; n++ {
			var p struct {
				Users []user `json:"users"`
				Info  struct {
					More bool `json:"more_records"`
				} `json:"info"`
			}
			found, err := s.read(ctx, get("list of users", "Users", "/users", url.Values{"type": {kind}, "page": {strconv.Itoa(n)}, "per_page": {strconv.Itoa(searchPage)}}), &p)
			if err != nil {
				return nil, false, err
			}
			if len(p.Users) > 0 && p.Users[0].ID == before {
				break
			}
			for _, u := range p.Users {
				if u.ID != "" {
					out = append(out, connectors.Owner{ID: u.ID, Email: u.Email, Name: u.FullName, Active: kind == activeUsers})
				}
			}
			if !found || !p.Info.More || len(p.Users) == 0 {
				break
			}
			before = p.Users[0].ID
		}
		return out, true, nil
	})
	return list, err
}

// Owners implements connectors.OwnerLister: the active users, then those who have left.
func (s *session) Owners(ctx context.Context) ([]connectors.Owner, error) {
	active, err := s.usersOf(ctx, activeUsers)
	if err != nil {
		return nil, err
	}
	left, err := s.usersOf(ctx, "DeactiveUsers")
	if err != nil {
		return nil, err
	}
	out := slices.Concat(active, left)
	return out[:min(len(out), maxOwners)], nil
}

// FindOwner implements connectors.OwnerResolver. Zoho has no look-up by e-mail: the list of users is remembered.
func (s *session) FindOwner(ctx context.Context, email string) (connectors.Owner, bool, error) {
	email = strings.TrimSpace(email)
	if email == "" {
		return connectors.Owner{}, false, nil
	}
	list, err := s.usersOf(ctx, activeUsers)
	if err != nil {
		return connectors.Owner{}, false, err
	}
	for _, o := range list {
		if strings.EqualFold(o.Email, email) {
			return o, true, nil
		}
	}
	return connectors.Owner{}, false, nil
}
