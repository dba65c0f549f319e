package odoo

import (
	"context"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// How long answers about users are remembered.
const (
	ownerTTL   = 10 * time.Minute
	noOwnerTTL = time.Minute
	maxOwners  = 5000
)

var userFields = []string{"id", "name", "login", "email", "active"}

// internal are the people who work in Odoo: customers with a portal access are users too.
var internal = domainTerm{"share", "=", false}

// ownerOf gives a user. A user's e-mail may be empty where the login is one.
func ownerOf(u row) connectors.Owner {
	email := u.text("email")
	if email == "" && strings.Contains(u.text("login"), "@") {
		email = u.text("login")
	}
	return connectors.Owner{ID: idText(u.id("id")), Email: email, Name: u.text("name"), Active: u.flag("active")}
}

// FindOwner implements connectors.OwnerResolver, by login or e-mail, whatever their case.
func (s *session) FindOwner(ctx context.Context, email string) (connectors.Owner, bool, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if email == "" {
		return connectors.Owner{}, false, nil
	}
	return s.owners.Get(ctx, email, ownerTTL, noOwnerTTL, func() (connectors.Owner, bool, error) {
		exact := strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(email)
		terms := append([]domainTerm{{"&"}, internal}, either(domainTerm{"login", "=ilike", exact}, domainTerm{"email", "=ilike", exact})...)
		list, err := s.search(ctx, query{model: "res.users", domain: domain(terms...), fields: userFields, order: "id", limit: 20, archived: true})
		if err != nil {
			return connectors.Owner{}, false, err
		}
		var found connectors.Owner
		for _, u := range list {
			o := ownerOf(u)
			if !strings.EqualFold(u.text("login"), email) && !strings.EqualFold(u.text("email"), email) {
				continue
			}
			o.Email = email
			if found.ID == "" || o.Active && !found.Active {
				found = o
			}
		}
		return found, found.ID != "", nil
	})
}

// Owners implements connectors.OwnerLister.
func (s *session) Owners(ctx context.Context) ([]connectors.Owner, error) {
	out := []connectors.Owner{}
	for len(out) < maxOwners {
		list, err := s.search(ctx, query{model: "res.users", domain: domain(internal), fields: userFields, order: "id", limit: pageSize, offset: len(out), archived: true})
		if err != nil {
			return nil, err
		}
		for _, u := range list {
			out = append(out, ownerOf(u))
		}
		if len(list) < pageSize {
			break
		}
	}
	return out, nil
}
