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
	maxOwners      = 5000
)

type owner struct {
	ID        string `json:"id"`
	Email     string `json:"email"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	Archived  bool   `json:"archived"`
}

func (o owner) public() connectors.Owner {
	return connectors.Owner{ID: o.ID, Email: o.Email, Name: strings.TrimSpace(o.FirstName + " " + o.LastName), Active: !o.Archived}
}

type ownerPage struct {
	Results []owner `json:"results"`
	Paging  paging  `json:"paging"`
}

// FindOwner implements connectors.OwnerResolver.
func (s *session) FindOwner(ctx context.Context, email string) (connectors.Owner, bool, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if email == "" {
		return connectors.Owner{}, false, nil
	}
	o, ok, err := s.owners.Get(ctx, email, ownerTTL, noOwnerTTL, func() (connectors.Owner, bool, error) {
		return s.loadOwner(ctx, email)
	})
	return o, ok, err
}

func (s *session) loadOwner(ctx context.Context, email string) (connectors.Owner, bool, error) {
	var found connectors.Owner
	err := s.eachOwner(ctx, url.Values{"email": {email}, "archived": {"false"}}, func(o owner) bool {
		if strings.EqualFold(o.Email, email) {
			found = o.public()
		}
		return found.ID == ""
	})
	return found, found.ID != "" && err == nil, err
}

// Owners implements connectors.OwnerLister: the active ones first, then those whose user was removed.
func (s *session) Owners(ctx context.Context) ([]connectors.Owner, error) {
	out := []connectors.Owner{}
	active := map[string]bool{}
	for _, archived := range []string{"false", "true"} {
		err := s.eachOwner(ctx, url.Values{"archived": {archived}}, func(o owner) bool {
			p, email := o.public(), strings.ToLower(o.Email)
			// Somebody who left and came back has an archived owner beside the active one.
			if !active[email] || email == "" {
				out = append(out, p)
			}
			active[email] = true
			return len(out) < maxOwners
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// eachOwner reads owners page by page until more says no.
func (s *session) eachOwner(ctx context.Context, q url.Values, more func(owner) bool) error {
	q.Set("limit", "100")
	for range maxOwners/100 + 1 {
		var page ownerPage
		if err := s.do(ctx, get("look-up of owners", s.api.owners(), q), &page); err != nil {
			return err
		}
		for _, o := range page.Results {
			if !more(o) {
				return nil
			}
		}
		after := page.Paging.Next.After
		if after == "" || after == q.Get("after") {
			return nil
		}
		q.Set("after", after)
	}
	return nil
}

// Dispositions implements connectors.DispositionLister: the options of the property hs_call_disposition, whose values
// are GUIDs. Accounts that do not show them there have them under the older path.
func (s *session) Dispositions(ctx context.Context) ([]connectors.DispositionOption, error) {
	list, _, err := s.dispositions.Get(ctx, "", dispositionTTL, dispositionTTL, func() ([]connectors.DispositionOption, bool, error) {
		var p property
		err := s.do(ctx, get("read of dispositions", s.api.properties(calls)+"/hs_call_disposition", nil), &p)
		if err != nil && !connectors.IsClass(err, connectors.NotFound) {
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
	return list, err
}
