package hubspot

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// How long answers about the account are remembered.
const (
	ownerTTL       = 10 * time.Minute
	noOwnerTTL     = time.Minute
	dispositionTTL = 5 * time.Minute
	maxOwnerPages  = 20
)

type ownerPage struct {
	Results []struct {
		ID        string `json:"id"`
		Email     string `json:"email"`
		FirstName string `json:"firstName"`
		LastName  string `json:"lastName"`
		Archived  bool   `json:"archived"`
	} `json:"results"`
	Paging struct {
		Next struct {
			After string `json:"after"`
		} `json:"next"`
	} `json:"paging"`
}

// FindOwner implements connectors.OwnerResolver.
func (s *session) FindOwner(ctx context.Context, email string) (connectors.Owner, bool, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if email == "" {
		return connectors.Owner{}, false, nil
	}
	o, ok, err := s.owners.get(ctx, email, ownerTTL, noOwnerTTL, func() (connectors.Owner, bool, error) {
		return s.loadOwner(ctx, email)
	})
	return o, ok, waited(err)
}

func (s *session) loadOwner(ctx context.Context, email string) (connectors.Owner, bool, error) {
	q := url.Values{"email": {email}, "limit": {"100"}, "archived": {"false"}}
	for range maxOwnerPages {
		var page ownerPage
		if err := s.do(ctx, get("look-up of owners", pathOwners, q), &page); err != nil {
			return connectors.Owner{}, false, err
		}
		for _, o := range page.Results {
			if strings.EqualFold(o.Email, email) {
				return connectors.Owner{ID: o.ID, Email: o.Email, Name: strings.TrimSpace(o.FirstName + " " + o.LastName), Active: !o.Archived}, true, nil
			}
		}
		if page.Paging.Next.After == "" || page.Paging.Next.After == q.Get("after") {
			break
		}
		q.Set("after", page.Paging.Next.After)
	}
	return connectors.Owner{}, false, nil
}

// Dispositions implements connectors.DispositionLister: the options of the property hs_call_disposition, whose values
// are GUIDs. Accounts that do not show them there have them under the older path.
func (s *session) Dispositions(ctx context.Context) ([]connectors.DispositionOption, error) {
	list, _, err := s.dispositions.get(ctx, "", dispositionTTL, dispositionTTL, func() ([]connectors.DispositionOption, bool, error) {
		var p property
		err := s.do(ctx, get("read of dispositions", pathProperties+"calls/hs_call_disposition", nil), &p)
		if err != nil && !isClass(err, connectors.NotFound) {
			return nil, false, err
		}
		if out := p.options(); len(out) > 0 {
			return out, true, nil
		}
		var old []struct {
			ID      string `json:"id"`
			Label   string `json:"label"`
			Deleted bool   `json:"deleted"`
		}
		if err := s.do(ctx, get("read of dispositions", pathDispositions, nil), &old); err != nil {
			return nil, false, err
		}
		out := []connectors.DispositionOption{}
		for _, d := range old {
			if !d.Deleted {
				out = append(out, connectors.DispositionOption{ID: d.ID, Label: d.Label})
			}
		}
		return out, true, nil
	})
	return list, waited(err)
}

// waited makes the end of a wait for somebody else's request one of this package's errors.
func waited(err error) error {
	if err == nil {
		return nil
	}
	return connectors.AsError(err)
}
