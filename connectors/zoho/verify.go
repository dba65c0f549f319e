package zoho

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// Verify implements connectors.Verifier. It stops at a token that Zoho does not know; every other check is made, so that an
// admin sees all that is missing at once.
func (s *session) Verify(ctx context.Context) (connectors.Report, error) {
	var out connectors.Report
	account, check, err := s.verifyAccess(ctx)
	if err != nil {
		return out, err
	}
	out.Account = account
	out.Checks = append(out.Checks, check)
	if !check.OK {
		return out, nil
	}
	one := url.Values{"fields": {"id"}, "per_page": {"1"}}
	phone := url.Values{"phone": {"+10000000000"}, "fields": {"id"}, "per_page": {"1"}}
	// A record of nothing is refused for what it lacks, unless it is refused for a missing right first (unconfirmed).
	nothing := map[string]any{"data": []values{{}}, "trigger": []string{}}
	insert := func(module string) request {
		return request{method: http.MethodPost, name: "insert of nothing into " + module, module: module, path: "/" + module, body: nothing, reads: true}
	}
	for _, c := range []struct {
		name, good, without string
		q                   request
	}{
		{"Read calls", "callsync can read calls.", "", get("list of Calls", calls, "/"+calls, one)},
		{"Write calls", "callsync can write calls.", "", insert(calls)},
		{"Find contacts", "callsync can look contacts up by phone number.", "", get("search of Contacts", contacts, "/"+contacts+"/search", phone)},
		{"Create contacts", "callsync can create contacts.", "callsync cannot create contacts for unknown numbers.", insert(contacts)},
		{"Find leads", "callsync can look leads up by phone number.", "callsync does not see leads and finds no numbers there.", get("search of Leads", leads, "/"+leads+"/search", phone)},
		{"Create leads", "callsync can create leads.", "callsync cannot create leads for unknown numbers.", insert(leads)},
		{"Find accounts", "callsync can look accounts up by phone number.", "callsync does not see accounts and finds no numbers there.", get("search of Accounts", accounts, "/"+accounts+"/search", phone)},
		{"Users", "callsync can find the owner of a call by e-mail.", "", get("list of users", "Users", "/users", url.Values{"type": {"ActiveUsers"}, "page": {"1"}, "per_page": {"1"}})},
		{"Deals", "callsync can read open deals.", "callsync does not see deals.", get("list of Deals", deals, "/"+deals, one)},
	} {
		check, err := s.verifyRequest(ctx, c.name, c.good, c.without, c.q)
		if err != nil {
			return out, err
		}
		out.Checks = append(out.Checks, check)
	}
	out.Idempotency = connectors.CreateOnly
	for _, k := range []struct {
		module, what string
		needed       bool
	}{{calls, "call", true}, {contacts, "contact", true}, {leads, "lead", true}, {tasks, "task, text message and form submission", false}, {cases, "case", false}} {
		check, idempotency, err := s.verifyKey(ctx, k.module, k.what, k.needed)
		if err != nil {
			return out, err
		}
		out.Checks = append(out.Checks, check)
		if k.module == calls {
			out.Idempotency = idempotency
		}
	}
	return out, nil
}

// verifyAccess asks for the organization.
func (s *session) verifyAccess(ctx context.Context) (string, connectors.Check, error) {
	const name = "Access"
	var p struct {
		Org []struct {
			Name string `json:"company_name"`
			ID   string `json:"zgid"`
		} `json:"org"`
	}
	_, err := s.read(ctx, get("read of the organization", "Org", "/org", nil), &p)
	switch e := connectors.AsError(err); {
	case err == nil && len(p.Org) == 1:
		if s.org != "" && isID(p.Org[0].ID) && p.Org[0].ID != s.org {
			return "", connectors.Check{Name: name, Text: "The access belongs to the organization " + p.Org[0].ID + ", but the connection names " + s.org + ". Correct the organization ID, or connect the other one."}, nil
		}
		account := strings.TrimSpace(p.Org[0].Name + ", " + p.Org[0].ID)
		return account, connectors.Check{Name: name, OK: true, Text: "Zoho CRM accepts the access. It belongs to " + p.Org[0].Name + "."}, nil
	case err == nil, e.Class == connectors.Forbidden:
		return "", connectors.Check{Name: name, OK: true, Text: "Zoho CRM accepts the access."}, nil
	case e.Class == connectors.Unauthorized:
		return "", connectors.Check{Name: name, Text: "Zoho CRM does not accept the access. Connect again; if this stays, the account may be in another data centre than the connection says."}, nil
	case e.Class.Retryable():
		return "", connectors.Check{}, err
	default:
		return "", connectors.Check{Name: name, Text: e.Public}, nil
	}
}

// verifyRequest makes a line of the list from what a request came to. without says what does not work without it, where
// an account may do so.
func (s *session) verifyRequest(ctx context.Context, name, good, without string, q request) (connectors.Check, error) {
	a, err := s.send(ctx, q)
	if err == nil {
		if v, bad := a.refused(); bad {
			err = s.refusal(q, a, v)
		}
	}
	e := connectors.AsError(err)
	switch {
	case err == nil, e.Class == connectors.Invalid && !q.get() && e.Field != "", e.Class == connectors.Invalid && !q.get() && a.items():
		return connectors.Check{Name: name, OK: true, Text: good}, nil
	case e.Class.Retryable():
		return connectors.Check{}, err
	case without != "":
		return connectors.Check{Name: name, OK: true, Text: without + " If it shall: " + e.Public}, nil
	}
	return connectors.Check{Name: name, Text: e.Public}, nil
}

func (q request) get() bool { return q.method == http.MethodGet }

// items tells whether the answer is about records: then the request was allowed, and what it brought was refused.
func (a answer) items() bool {
	return strings.HasPrefix(strings.Join(strings.Fields(string(a.body[:min(len(a.body), 40)])), ""), `{"data":[`)
}

// verifyKey looks for the unique field of a module and makes it where it is missing.
func (s *session) verifyKey(ctx context.Context, module, what string, needed bool) (connectors.Check, connectors.Idempotency, error) {
	c := connectors.Check{Name: "Field “" + keyLabel + "” of " + module, OK: true, Text: "The field is there and unique: every " + what + " is written once."}
	f, err := s.keyField(ctx, module)
	if err == nil && f.APIName == "" {
		if err = s.makeKey(ctx, module); err == nil || connectors.IsClass(err, connectors.Conflict) {
			f, err = s.keyField(ctx, module)
			c.Text = "callsync has added its field: every " + what + " is written once."
		}
	}
	byHand := "Add it by hand: in Zoho CRM under Setup → Modules and Fields → " + module + ", a field of the type Single Line with the label “" + keyLabel +
		"”, at most " + strconv.Itoa(maxKey) + " characters, with “Do not allow duplicate values”. Then test again."
	switch e := connectors.AsError(err); {
	case err != nil && e.Class.Retryable():
		return c, "", err
	case err != nil && !needed:
		c.Text = "Not available: the field could not be read or added to " + module + ". If you want it: " + byHand
	case err != nil && module == leads && (e.Class == connectors.Invalid || e.Class == connectors.Unsupported):
		c.Text = "Zoho CRM did not let callsync add the field to " + module + ", which may be switched off. " + byHand
	case err != nil:
		c.OK, c.Text = false, "callsync could not read or add the field. "+e.Public+" Zoho allows two unique fields in a module. "+byHand
	case f.APIName == "":
		c.OK, c.Text = !needed, "Zoho CRM has added the field under another API name than "+KeyField+". Rename it under Setup → Developer Hub → APIs and SDKs → API Names → "+module+", then test again."
	case len(f.Unique) == 0:
		c.OK, c.Text = !needed, "The field is there, but does not forbid duplicate values: after an answer that got lost, callsync has to look for its record first. In Zoho CRM, edit the field “"+keyLabel+"” of "+module+" and choose “Do not allow duplicate values”, then test again."
		return c, connectors.LookupThenWrite, nil
	default:
		return c, connectors.KeyedUpsert, nil
	}
	return c, connectors.CreateOnly, nil
}

// keyField is the description of our field; without a name where the module has none.
func (s *session) keyField(ctx context.Context, module string) (field, error) {
	list, err := s.fields(ctx, module)
	at := slices.IndexFunc(list, func(f field) bool { return f.APIName == KeyField })
	if err != nil || at < 0 {
		return field{}, err
	}
	return list[at], nil
}

// makeKey adds our field. External fields, by which Zoho could look records up at once, are not there for calls.
func (s *session) makeKey(ctx context.Context, module string) error {
	q := request{method: http.MethodPost, name: "making of a field", module: module, path: "/settings/fields", query: url.Values{"module": {module}},
		body: map[string]any{"fields": []map[string]any{{"field_label": keyLabel, "data_type": "text", "length": maxKey, "unique": map[string]any{"case_sensitive": false}}}}}
	list, err := s.write(ctx, q, "fields", 1)
	if err != nil {
		return err
	}
	if _, ok := list[0].done(); !ok {
		return s.itemRefusal(q, list[0])
	}
	return nil
}

// keyTTL is how long it is believed that a module has our field.
const keyTTL = time.Hour

// keyed looks now and then, after a record was made, whether its module still has our field: Zoho leaves out fields that it
// has not, without a word. One that somebody deleted is added again, and given to the record. Where that cannot be, there
// is a warning. The record is there, so nothing of this is an error.
func (s *session) keyed(ctx context.Context, module, id, key string) []connectors.Warning {
	warning, missing, err := s.keys.Get(ctx, module, keyTTL, keyTTL, func() (connectors.Warning, bool, error) {
		w := connectors.Warning{Field: KeyField, Text: module + " have no field “" + keyLabel + "”: if an answer of Zoho CRM gets lost, a record may be written twice. Test the connection."}
		list, err := s.fields(ctx, module)
		if err != nil && connectors.AsError(err).Class.Retryable() {
			return w, false, err
		}
		has := func(name string) bool {
			return slices.ContainsFunc(list, func(f field) bool { return f.APIName == name })
		}
		// A description without the owner is none of Zoho's.
		if err != nil || has(KeyField) || !has("Owner") {
			return w, false, nil
		}
		if err = s.makeKey(ctx, module); err != nil {
			return w, !connectors.AsError(err).Class.Retryable(), nil
		}
		_, err = s.update(ctx, module, id, values{KeyField: key}, nil)
		return w, false, err
	})
	if err != nil || !missing {
		return nil
	}
	return []connectors.Warning{warning}
}
