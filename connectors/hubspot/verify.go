package hubspot

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/callsync/callsync/connectors"
)

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
		{"Read contacts", "callsync can look contacts up by phone number.", "crm.objects.contacts.read", get("list of contacts", s.api.objects(contacts), one)},
		{"Read calls", "callsync can read calls.", "crm.objects.contacts.read", get("list of calls", s.api.objects(calls), one)},
		// An upsert of nothing shows whether writing is allowed. That the right is checked before the input is unconfirmed.
		{"Write calls", "callsync can write calls.", "crm.objects.contacts.write", request{method: http.MethodPost, name: "upsert of no calls", path: s.api.objects(calls) + "/batch/upsert", body: empty, reads: true}},
		{"Write contacts", "callsync can create contacts.", "crm.objects.contacts.write", request{method: http.MethodPost, name: "upsert of no contacts", path: s.api.objects(contacts) + "/batch/upsert", body: empty, reads: true}},
		{"Read owners", "callsync can find the owner of a call by e-mail.", "crm.objects.owners.read", get("list of owners", s.api.owners(), url.Values{"limit": {"1"}, "archived": {"false"}})},
	} {
		check, err := verdict(c.name, c.good, c.scope, s.do(ctx, c.q, nil))
		if err != nil {
			return out, err
		}
		out.Checks = append(out.Checks, check)
	}
	for _, p := range []struct{ object, name, what string }{{calls, CallKey, "call"}, {contacts, ContactKey, "contact"}} {
		check, err := s.verifyProperty(ctx, p.object, p.name, p.what)
		if err != nil {
			return out, err
		}
		out.Checks = append(out.Checks, check)
		if p.object == calls && check.OK {
			out.Idempotency = connectors.KeyedUpsert
		}
	}
	more, err := s.verifyMore(ctx)
	out.Checks = append(out.Checks, more...)
	return out, err
}

// verifyMore looks at what calls do without: other records, companies, deals, recordings. A right that is missing there
// is no failure, for an account need not use all of it.
func (s *session) verifyMore(ctx context.Context) ([]connectors.Check, error) {
	one := url.Values{"limit": {"1"}}
	var out []connectors.Check
	for _, c := range []struct {
		name, good, scope string
		q                 request
	}{
		{"Companies", "callsync can look companies up by phone number.", "crm.objects.companies.read", get("list of companies", s.api.objects(companies), one)},
		{"Deals", "callsync can read open deals. To change them it also needs crm.objects.deals.write.", "crm.objects.deals.read", get("list of deals", s.api.objects(deals), one)},
		{"Tickets", "callsync can open tickets.", "tickets", get("list of tickets", s.api.objects(tickets), one)},
		{"Recordings", "callsync can upload recordings.", "files", get("search of files", s.api.files()+"/search", one)},
	} {
		check, err := verdict(c.name, c.good, c.scope, s.do(ctx, c.q, nil))
		if err != nil {
			return out, err
		}
		if !check.OK {
			check = connectors.Check{Name: c.name, OK: true, Text: "Not available with these permissions. If you want it, add the scope " + c.scope + " to the app in HubSpot, then test again."}
		} else if c.name == "Tickets" {
			if check, err = s.optionalKey(ctx, tickets, c.name, check.Text); err != nil {
				return out, err
			}
		}
		out = append(out, check)
	}
	for _, k := range []struct{ object, name, good string }{
		{tasks, "Tasks", "callsync can write follow-up tasks, each once."},
		{notes, "Notes and forms", "callsync can write notes and log form submissions, each once."},
		{communications, "Text messages", "callsync can log text messages, each once."},
	} {
		check, err := s.optionalKey(ctx, k.object, k.name, k.good)
		if err != nil {
			return out, err
		}
		out = append(out, check)
	}
	return out, nil
}

func (s *session) optionalKey(ctx context.Context, object, name, good string) (connectors.Check, error) {
	p, _, err := s.ensureKey(ctx, object, RecordKey)
	switch {
	case err == nil && p.HasUniqueValue:
		return connectors.Check{Name: name, OK: true, Text: good}, nil
	case err != nil && connectors.AsError(err).Class.Retryable():
		return connectors.Check{}, err
	}
	return connectors.Check{Name: name, OK: true, Text: "Not available: the unique property " + RecordKey + " could not be added to " + object +
		". If you want it, grant crm.schemas.contacts.write, or delete a property of this name that is not unique, then test again."}, nil
}

// verifyToken asks for the account, which needs no scope (unconfirmed: an answer of 403 or 404 counts as a token that
// HubSpot knows, without a name for the account).
func (s *session) verifyToken(ctx context.Context) (string, connectors.Check, error) {
	const name = "Access token"
	var account struct {
		PortalID int64 `json:"portalId"`
	}
	err := s.do(ctx, get("read of the account", s.api.account(), nil), &account)
	switch {
	case err == nil && account.PortalID > 0:
		id := fmt.Sprint(account.PortalID)
		if s.portal != "" && s.portal != id {
			return "", connectors.Check{Name: name, Text: "The token belongs to the HubSpot account " + id + ", but the connection names " + s.portal + ". Correct the Hub ID or use that account's token."}, nil
		}
		return "HubSpot account " + id, connectors.Check{Name: name, OK: true, Text: "HubSpot accepts the token. It belongs to the account " + id + "."}, nil
	case err == nil, connectors.IsClass(err, connectors.Forbidden), connectors.IsClass(err, connectors.NotFound):
		return "", connectors.Check{Name: name, OK: true, Text: "HubSpot accepts the token."}, nil
	case connectors.IsClass(err, connectors.Unauthorized):
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
func (s *session) verifyProperty(ctx context.Context, object, name, what string) (connectors.Check, error) {
	title := "Property " + name
	p, made, err := s.ensureKey(ctx, object, name)
	switch {
	case err == nil && p.HasUniqueValue && made:
		return connectors.Check{Name: title, OK: true, Text: "callsync has added its property to " + object + ": every " + what + " is written once."}, nil
	case err == nil && p.HasUniqueValue:
		return connectors.Check{Name: title, OK: true, Text: "callsync's property on " + object + " is there and unique: every " + what + " is written once."}, nil
	case err == nil:
		return connectors.Check{Name: title, Text: "The property " + name + " exists on " + object + " but does not demand unique values, which cannot be changed. Delete it in HubSpot's settings, then test again."}, nil
	case connectors.IsClass(err, connectors.Invalid):
		return connectors.Check{Name: title, Text: "HubSpot did not let callsync add its property to " + object + ". An object takes at most 10 unique properties: delete one that is not needed, then test again."}, nil
	}
	return verdict(title, "", "crm.schemas.contacts.write", err)
}
