package hubspot

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// group is the property group that callsync's own properties are in.
const group = "callsync"

// Verify implements connectors.Verifier. It stops at a token that HubSpot does not know; every other check is made, so
// that an admin sees all that is missing at once. The idempotency is empty while the unique property of calls is not
// there: without it nothing can be written.
func (s *session) Verify(ctx context.Context) (connectors.Report, error) {
	var out connectors.Report
	account, check, err := s.verifyToken(ctx)
	if err != nil {
		return out, err
	}
	out.Account = account
	out.Checks = append(out.Checks, check)
	if !check.OK {
		return out, nil
	}
	one := url.Values{"limit": {"1"}}
	empty := map[string]any{"inputs": []any{}}
	for _, c := range []struct {
		name, good, scope string
		q                 request
	}{
		{"Read contacts", "callsync can look contacts up by phone number.", "crm.objects.contacts.read", get("list of contacts", pathObjects+"contacts", one)},
		{"Read calls", "callsync can read calls.", "crm.objects.contacts.read", get("list of calls", pathObjects+"calls", one)},
		// An upsert of nothing shows whether writing is allowed. That the right is checked before the input is unconfirmed.
		{"Write calls", "callsync can write calls.", "crm.objects.contacts.write", request{method: http.MethodPost, name: "upsert of no calls", path: upsertPath("calls"), body: empty, reads: true}},
		{"Write contacts", "callsync can create contacts.", "crm.objects.contacts.write", request{method: http.MethodPost, name: "upsert of no contacts", path: upsertPath("contacts"), body: empty, reads: true}},
		{"Read owners", "callsync can find the owner of a call by e-mail.", "crm.objects.owners.read", get("list of owners", pathOwners, url.Values{"limit": {"1"}, "archived": {"false"}})},
	} {
		check, err := verdict(c.name, c.good, c.scope, s.do(ctx, c.q, nil))
		if err != nil {
			return out, err
		}
		out.Checks = append(out.Checks, check)
	}
	for _, p := range []struct{ object, name, label, what string }{
		{"calls", CallKey, "callsync call id", "call"},
		{"contacts", ContactKey, "callsync contact key", "contact"},
	} {
		check, err := s.verifyProperty(ctx, p.object, p.name, p.label, p.what)
		if err != nil {
			return out, err
		}
		out.Checks = append(out.Checks, check)
		if p.object == "calls" && check.OK {
			out.Idempotency = connectors.KeyedUpsert
		}
	}
	return out, nil
}

// verifyToken asks for the account, which needs no scope (unconfirmed: an answer of 403 or 404 counts as a token that
// HubSpot knows, without a name for the account).
func (s *session) verifyToken(ctx context.Context) (string, connectors.Check, error) {
	const name = "Access token"
	var account struct {
		PortalID int64 `json:"portalId"`
	}
	err := s.do(ctx, get("read of the account", pathAccount, nil), &account)
	switch {
	case err == nil && account.PortalID > 0:
		id := fmt.Sprint(account.PortalID)
		if s.portal != "" && s.portal != id {
			return "", connectors.Check{Name: name, Text: "The token belongs to the HubSpot account " + id + ", but the connection names " + s.portal + ". Correct the Hub ID or use that account's token."}, nil
		}
		return "HubSpot account " + id, connectors.Check{Name: name, OK: true, Text: "HubSpot accepts the token. It belongs to the account " + id + "."}, nil
	case err == nil, isClass(err, connectors.Forbidden), isClass(err, connectors.NotFound):
		return "", connectors.Check{Name: name, OK: true, Text: "HubSpot accepts the token."}, nil
	case isClass(err, connectors.Unauthorized):
		return "", connectors.Check{Name: name, Text: "HubSpot does not accept the token. Copy it from the private app or service key again."}, nil
	}
	if check, verr := verdict(name, "", "", err); verr == nil {
		return "", check, nil
	}
	return "", connectors.Check{}, err
}

// verdict makes a line of the list from what a request came to. It returns the error where nothing could be found out.
func verdict(name, good, scope string, err error) (connectors.Check, error) {
	if err == nil {
		return connectors.Check{Name: name, OK: true, Text: good}, nil
	}
	e := connectors.AsError(err)
	if e.Class.Retryable() {
		return connectors.Check{}, err
	}
	switch {
	case e.Class == connectors.Invalid && strings.HasPrefix(name, "Write") && e.Field == "":
		// HubSpot refused the empty list, not the token.
		return connectors.Check{Name: name, OK: true, Text: good}, nil
	case e.Class == connectors.Forbidden && scope != "":
		return connectors.Check{Name: name, Text: "The token may not do this. Add the scope " + scope + " to its app in HubSpot, then test again."}, nil
	}
	return connectors.Check{Name: name, Text: e.Public}, nil
}

// verifyProperty looks for one of callsync's unique properties and makes it where it is missing.
func (s *session) verifyProperty(ctx context.Context, object, name, label, what string) (connectors.Check, error) {
	title := "Property " + name
	path := pathProperties + object
	p, err := s.property(ctx, object, name)
	made := false
	if isClass(err, connectors.NotFound) {
		made = true
		// The group may be there already (409); if it cannot be made, making the property says why.
		err = s.do(ctx, request{method: http.MethodPost, name: "making of a property group", path: path + "/groups",
			body: map[string]any{"name": group, "label": "callsync", "displayOrder": -1}}, nil)
		if err == nil || !connectors.AsError(err).Class.Retryable() {
			err = s.do(ctx, request{method: http.MethodPost, name: "making of a property", path: path, body: map[string]any{
				"name": name, "label": label, "groupName": group, "type": "string", "fieldType": "text", "hasUniqueValue": true, "formField": false,
				"description": "The key by which callsync recognises its own record of a " + what + ". Do not change it.",
			}}, nil)
		}
		if err == nil || isClass(err, connectors.Conflict) {
			p, err = s.property(ctx, object, name)
		}
	}
	switch {
	case err == nil && p.HasUniqueValue && made:
		return connectors.Check{Name: title, OK: true, Text: "callsync has added its property to " + object + ": every " + what + " is written once."}, nil
	case err == nil && p.HasUniqueValue:
		return connectors.Check{Name: title, OK: true, Text: "callsync's property on " + object + " is there and unique: every " + what + " is written once."}, nil
	case err == nil:
		return connectors.Check{Name: title, Text: "The property " + name + " exists on " + object + " but does not demand unique values, which cannot be changed. Delete it in HubSpot's settings, then test again."}, nil
	case isClass(err, connectors.Invalid):
		return connectors.Check{Name: title, Text: "HubSpot did not let callsync add its property to " + object + ". An object takes at most 10 unique properties: delete one that is not needed, then test again."}, nil
	}
	return verdict(title, "", "crm.schemas.contacts.write", err)
}

func (s *session) property(ctx context.Context, object, name string) (property, error) {
	var p property
	err := s.do(ctx, get("read of a property", pathProperties+object+"/"+name, nil), &p)
	return p, err
}
