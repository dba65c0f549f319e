package espocrm

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// How long answers about users are remembered.
const (
	ownerTTL   = 10 * time.Minute
	noOwnerTTL = time.Minute
	userTTL    = time.Hour
	maxOwners  = 5000
)

// people who work in EspoCRM; other types of users (api, portal, system) own nothing by themselves.
var userTypes = where{Type: "in", Attribute: "type", Value: []string{"regular", "admin"}}

var userFields = []string{"id", "name", "userName", "emailAddress", "isActive"}

func owner(u attributes) connectors.Owner {
	active, _ := u["isActive"].(bool)
	return connectors.Owner{ID: u.text("id"), Email: u.text("emailAddress"), Name: u.text("name"), Active: active}
}

// FindOwner implements connectors.OwnerResolver. API users do not see those who are not active.
func (s *session) FindOwner(ctx context.Context, email string) (connectors.Owner, bool, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if email == "" {
		return connectors.Owner{}, false, nil
	}
	return s.owners.Get(ctx, email, ownerTTL, noOwnerTTL, func() (connectors.Owner, bool, error) {
		list, err := s.search(ctx, "User", search{where: []where{userTypes, {Type: "equals", Attribute: "emailAddress", Value: email}},
			fields: userFields, limit: 20})
		if err != nil {
			return connectors.Owner{}, false, err
		}
		var found connectors.Owner
		for _, u := range list {
			o := owner(u)
			// The address may be one of several of the user; EspoCRM lists the first.
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
		list, err := s.search(ctx, "User", search{where: []where{userTypes}, fields: userFields, order: "id", limit: maxPage, offset: len(out)})
		if err != nil {
			return nil, err
		}
		for _, u := range list {
			out = append(out, owner(u))
		}
		if len(list) < maxPage {
			break
		}
	}
	return out, nil
}

// me is what EspoCRM says of the user of the connection.
type me struct {
	User attributes `json:"user"`
	ACL  struct {
		Table      map[string]any                          `json:"table"`
		FieldTable map[string]map[string]map[string]string `json:"fieldTable"`
		Assignment string                                  `json:"assignmentPermission"`
	} `json:"acl"`
}

func (s *session) whoAmI(ctx context.Context) (me, error) {
	var raw struct {
		User attributes     `json:"user"`
		ACL  map[string]any `json:"acl"`
	}
	q := request{method: http.MethodGet, name: "read of the own user", entity: "User", path: "/App/user", reads: true}
	if err := s.do(ctx, q, &raw); err != nil {
		return me{}, err
	}
	if raw.User.text("id") == "" {
		return me{}, connectors.Unreadable(Label, "espocrm "+q.name, q.reads)
	}
	out := me{User: raw.User}
	out.ACL.Table, _ = raw.ACL["table"].(map[string]any)
	out.ACL.Assignment, _ = raw.ACL["assignmentPermission"].(string)
	out.ACL.FieldTable = map[string]map[string]map[string]string{}
	// PHP writes an empty map as an empty list, so the table is read entry by entry.
	table, _ := raw.ACL["fieldTable"].(map[string]any)
	for entity, v := range table {
		fields, _ := v.(map[string]any)
		out.ACL.FieldTable[entity] = map[string]map[string]string{}
		for field, v := range fields {
			rights, _ := v.(map[string]any)
			out.ACL.FieldTable[entity][field] = map[string]string{}
			for action, v := range rights {
				out.ACL.FieldTable[entity][field][action], _ = v.(string)
			}
		}
	}
	return out, nil
}

// fallbackOwner is who owns what no agent of EspoCRM does.
func (s *session) fallbackOwner(ctx context.Context) (string, error) {
	id, ok, err := s.users.Get(ctx, "", userTTL, noOwnerTTL, func() (string, bool, error) {
		if s.defaultOwner == "" {
			m, err := s.whoAmI(ctx)
			return m.User.text("id"), err == nil, err
		}
		var any []where
		for _, attribute := range []string{"userName", "emailAddress", "id"} {
			any = append(any, where{Type: "equals", Attribute: attribute, Value: s.defaultOwner})
		}
		list, err := s.search(ctx, "User", search{where: []where{{Type: "or", Value: any}}, fields: userFields, limit: 2})
		if err != nil || len(list) == 0 {
			return "", false, err
		}
		return list[0].text("id"), true, nil
	})
	if err == nil && !ok {
		err = &connectors.Error{Class: connectors.Invalid, Field: "default_owner",
			Public: "EspoCRM has no active user of the name that the connection gives as default owner, or callsync's role may not read users. Correct the setting or the role, then retry."}
	}
	return id, err
}
