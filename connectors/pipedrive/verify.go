package pipedrive

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// me is the user whose token the connection has, and the company.
type me struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Company string `json:"company_name"`
	Domain  string `json:"company_domain"`
	Access  []struct {
		App   string `json:"app"`
		Admin bool   `json:"admin"`
	} `json:"access"`
}

// Verify implements connectors.Verifier. It stops at a token that Pipedrive does not know; every other check is made, so
// that an admin sees all that is missing at once. Pipedrive says of no token what it may write: that shows with the first
// call.
func (s *session) Verify(ctx context.Context) (connectors.Report, error) {
	var out connectors.Report
	var user me
	err := s.do(ctx, request{endpoint: userMe, name: "read of the user"}, &user)
	check, err := verdict("Access", "Pipedrive accepts the access of "+user.Name+".", err)
	if err != nil {
		return out, err
	}
	out.Checks = append(out.Checks, check)
	if !check.OK {
		return out, nil
	}
	out.Account = strings.TrimSpace(user.Company + " (" + user.Domain + ".pipedrive.com)")
	one := url.Values{"limit": {"1"}}
	lists := []struct {
		name, good string
		q          request
		needed     bool
	}{
		{"Read persons", "callsync can look persons up by phone number.", request{endpoint: listPersons, query: one}, true},
		{"Read activities", "callsync can read activities, and finds its own again.", request{endpoint: listActivities, query: one}, true},
		{"Read call logs", "callsync can read call logs.", request{endpoint: listCallLogs, query: one}, s.record != recordActivity},
		{"Read users", "callsync can find the owner of a call by e-mail.", request{endpoint: listUsers}, true},
		{"Read deals", "callsync can find the open deals of a person.", request{endpoint: listDeals, query: one}, true},
		{"Read leads", "callsync can read leads.", request{endpoint: listLeads, query: one}, true},
	}
	for _, l := range lists {
		if !l.needed {
			continue
		}
		l.q.name = strings.ToLower(l.name)
		check, err := verdict(l.name, l.good, s.do(ctx, l.q, nil))
		if err != nil {
			return out, err
		}
		out.Checks = append(out.Checks, check)
	}
	for _, more := range []func(context.Context) (connectors.Check, error){s.verifyTypes, s.verifyKey} {
		check, err := more(ctx)
		if err != nil {
			return out, err
		}
		out.Checks = append(out.Checks, check)
	}
	if s.record != recordActivity {
		out.Checks = append(out.Checks, user.forOthers())
	}
	out.Idempotency = connectors.CreateOnly
	if s.record == recordActivity {
		out.Idempotency = connectors.LookupThenWrite
	}
	return out, nil
}

// forOthers tells for whom the user may make call logs. It is no failure: callsync then makes them its own.
func (u me) forOthers() connectors.Check {
	admin := slices.ContainsFunc(u.Access, func(a struct {
		App   string `json:"app"`
		Admin bool   `json:"admin"`
	}) bool {
		return a.App == "account_settings" && a.Admin
	})
	c := connectors.Check{Name: "Call logs of other users", OK: true, Text: "The user has account settings access, so that every call log belongs to the agent."}
	if !admin {
		c.Text = "The user has no account settings access: call logs will belong to it, and only their activities to the agents. Grant that access to change it."
	}
	return c
}

// verdict makes a line of the list from what a request came to. It returns the error where nothing could be found out.
func verdict(name, good string, err error) (connectors.Check, error) {
	if err == nil {
		return connectors.Check{Name: name, OK: true, Text: good}, nil
	}
	e := connectors.AsError(err)
	switch {
	case e.Class.Retryable():
		return connectors.Check{}, err
	case e.Class == connectors.Unauthorized:
		return connectors.Check{Name: name, Text: "Pipedrive does not accept the access. Copy the API token again, or connect again by OAuth."}, nil
	case e.Class == connectors.Forbidden:
		return connectors.Check{Name: name, Text: e.Public + " The scopes that callsync needs are in the documentation of this connector."}, nil
	}
	return connectors.Check{Name: name, Text: e.Public}, nil
}

// verifyTypes looks for the types of activities that calls and tasks have; accounts can edit them.
func (s *session) verifyTypes(ctx context.Context) (connectors.Check, error) {
	const name = "Activity types"
	var types []struct {
		Key    string `json:"key_string"`
		Active bool   `json:"active_flag"`
	}
	err := s.do(ctx, request{endpoint: activityTypes, name: "list of activity types"}, &types)
	check, err := verdict(name, "The account has the activity type call.", err)
	if err != nil || !check.OK {
		return check, err
	}
	has := func(key string) bool {
		return slices.ContainsFunc(types, func(t struct {
			Key    string `json:"key_string"`
			Active bool   `json:"active_flag"`
		}) bool {
			return t.Key == key && t.Active
		})
	}
	switch {
	case !has("call"):
		return connectors.Check{Name: name, Text: "The account has no active activity type with the key call. Activate it in Pipedrive's company settings under Activities, then test again."}, nil
	case !has("task"):
		check.Text += " It has none with the key task: for follow-ups, map the field type of tasks to one that it has."
	}
	return check, nil
}

// verifyKey looks for our field on persons and makes it where it is missing. It is no failure if that is not allowed: a
// person is then found again by phone number.
func (s *session) verifyKey(ctx context.Context) (connectors.Check, error) {
	const name = "Field “" + KeyFieldName + "” on persons"
	s.fields.Forget(connectors.ObjectContact)
	code, err := s.keyField(ctx)
	made := false
	if err == nil && code == "" {
		made = true
		err = s.do(ctx, request{endpoint: createField, name: "create of a field", body: map[string]any{"field_name": KeyFieldName, "field_type": "varchar"}}, nil)
		s.fields.Forget(connectors.ObjectContact)
	}
	switch {
	case err == nil && made:
		return connectors.Check{Name: name, OK: true, Text: "callsync has added its field to persons: it recognises those that it has made."}, nil
	case err == nil:
		return connectors.Check{Name: name, OK: true, Text: "callsync's field on persons is there: it recognises those that it has made."}, nil
	case connectors.AsError(err).Class.Retryable():
		return connectors.Check{}, err
	}
	return connectors.Check{Name: name, OK: true,
		Text: "callsync may not add its field to persons, and will recognise those that it has made by their phone number. To have the field, let an admin make a text field of this name for persons."}, nil
}
