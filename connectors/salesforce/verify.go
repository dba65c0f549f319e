package salesforce

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// Verify implements connectors.Verifier. It stops at credentials that Salesforce does not know; every other check is made, so
// that an admin sees all that is missing at once. It changes nothing but callsync's own fields, which it adds where
// callsync's user may.
func (s *session) Verify(ctx context.Context) (connectors.Report, error) {
	var out connectors.Report
	check, account, err := s.verifyAccess(ctx)
	if err != nil {
		return out, err
	}
	out.Account = account
	out.Checks = append(out.Checks, check)
	if !check.OK {
		return out, nil
	}
	calls, kind, err := s.verifyCalls(ctx)
	if err != nil {
		return out, err
	}
	out.Idempotency = kind
	out.Checks = append(out.Checks, calls...)
	for _, verify := range []func(context.Context) ([]connectors.Check, error){s.verifyPeople, s.verifyMore, s.verifyUsers, s.verifyLimits} {
		checks, err := verify(ctx)
		if err != nil {
			return out, err
		}
		out.Checks = append(out.Checks, checks...)
	}
	return out, nil
}

// verifyAccess asks for the org, which every user of the API may read.
func (s *session) verifyAccess(ctx context.Context) (connectors.Check, string, error) {
	const name = "Access"
	rows, err := s.selectRows(ctx, "Organization", "SELECT Id, Name, IsSandbox FROM Organization LIMIT 1", false)
	switch {
	case err == nil && len(rows) > 0:
		account := rows[0].text("Name") + ", " + rows[0].text("Id")
		if sandbox, _ := rows[0]["IsSandbox"].(bool); sandbox {
			account += " (sandbox)"
		}
		return connectors.Check{Name: name, OK: true, Text: "Salesforce accepts the access. It belongs to the org " + account + "."}, account, nil
	case err == nil, connectors.IsClass(err, connectors.Invalid), connectors.IsClass(err, connectors.NotFound):
		// Whoever may not read the org's name is somebody all the same.
		return connectors.Check{Name: name, OK: true, Text: "Salesforce accepts the access."}, "", nil
	}
	e := connectors.AsError(err)
	if e.Class.Retryable() && e.Class != connectors.QuotaExhausted {
		return connectors.Check{}, "", err
	}
	return connectors.Check{Name: name, Text: e.Public}, "", nil
}

// verdict makes a line of what describing an object came to.
func verdict(name, object string, err error) (connectors.Check, error) {
	e := connectors.AsError(err)
	if e.Class.Retryable() {
		return connectors.Check{}, err
	}
	text := e.Public
	if e.Class == connectors.NotFound {
		text = "callsync's Salesforce user does not see the object " + object + ". Give its permission set access to it, then test again."
	}
	return connectors.Check{Name: name, Text: text}, nil
}

// verifyCalls looks at Tasks: whether they may be written, whether our key is there, unique and writable.
func (s *session) verifyCalls(ctx context.Context) ([]connectors.Check, connectors.Idempotency, error) {
	info, err := s.load(ctx, objTask)
	if err != nil {
		c, err := verdict("Calls", objTask, err)
		return []connectors.Check{c}, "", err
	}
	calls := connectors.Check{Name: "Calls", OK: info.Createable && info.Updateable, Text: "callsync may write calls, which are tasks in Salesforce."}
	if !calls.OK {
		calls.Text = "callsync's user may not write tasks. Give its permission set the permission “Edit Tasks”, then test again."
	}
	out := []connectors.Check{calls}
	var lacks []string
	for _, name := range []string{"Subject", "Status", "ActivityDate", "Description", "CallType", "CallDurationInSeconds", "CallDisposition", "WhoId", "WhatId", "OwnerId"} {
		if f, ok := info.Fields[name]; !ok || !f.Createable {
			lacks = append(lacks, name)
		}
	}
	if len(lacks) > 0 {
		out = append(out, connectors.Check{Name: "Fields of calls", Text: fmt.Sprintf("callsync's user may not write these fields of tasks: %s. "+
			"Give its permission set edit access to them (field-level security), or take them out of the mapping, then test again.", strings.Join(lacks, ", "))})
	}
	key, made, err := s.verifyKey(ctx, objTask, info)
	if err != nil {
		return nil, "", err
	}
	out = append(out, key)
	if made {
		if info, err = s.load(ctx, objTask); err != nil {
			return nil, "", err
		}
	}
	start := connectors.Check{Name: "Exact start", OK: true, Text: "The exact start of a call is in the field " + StartField + ", for reports; it is in the call's text too."}
	if f, ok := info.Fields[StartField]; !ok || !f.Createable || f.Type != "datetime" {
		start.Text = "The exact start of a call is in its text. If you want it in a field for reports, add a date/time field " + StartField + " to Activity and give callsync's user edit access to it."
	}
	out = append(out, start)
	if f := info.Fields["Status"]; len(f.PicklistValues) > 0 && !slices.ContainsFunc(f.PicklistValues, func(p picklistItem) bool { return p.Active && p.Value == "Completed" }) {
		out = append(out, connectors.Check{Name: "Status of calls", Text: "Your org has no task status “Completed”, which the default mapping gives to calls. Change the row Status of the mapping to your closed status, then test again."})
	}
	if s.outcomeField != "" {
		f, ok := info.Fields[s.outcomeField]
		c := connectors.Check{Name: "Call outcomes", OK: ok && len(f.PicklistValues) > 0, Text: "callsync knows the outcomes of the picklist " + s.outcomeField + "."}
		if !c.OK {
			c.Text = "Activity has no picklist " + s.outcomeField + " that callsync's user may see. Correct the setting “Picklist of call outcomes” or the user's field access, then test again."
		}
		out = append(out, c)
	}
	if key.OK {
		return out, connectors.KeyedUpsert, nil
	}
	return out, "", nil
}

// verifyKey looks for our key field on an object, and adds it where it is missing and callsync's user may.
func (s *session) verifyKey(ctx context.Context, object string, info objectInfo) (c connectors.Check, made bool, err error) {
	on := fieldHome(object)
	c = connectors.Check{Name: "Field " + s.keyField + " on " + on}
	f, ok := info.Fields[s.keyField]
	if !ok {
		if made = s.makeKey(ctx, object); made {
			if info, err = s.load(ctx, object); err != nil {
				return c, false, err
			}
			f, ok = info.Fields[s.keyField]
		}
	}
	switch {
	case !ok && made:
		c.Text = "callsync has added its field, but its user does not see it yet. Give its permission set edit access to " + s.keyField + " (field-level security), then test again."
	case !ok:
		c.Text = "Add the field: Setup → Object Manager → " + on + " → Fields → New → Text, name " + baseName(s.keyField) + ", length 100, External ID, Unique. Give callsync's user edit access to it, then test again."
	case !f.ExternalID:
		c.Text = "The field " + s.keyField + " is there but is no external ID, so Salesforce cannot write by it. Tick External ID and Unique in the field under Setup, then test again."
	case !f.Unique:
		c.Text = "The field " + s.keyField + " is there but does not demand unique values, so two records could have one key. Tick Unique in the field under Setup, then test again."
	case !f.Createable || !f.Updateable:
		c.Text = "callsync's user may see the field " + s.keyField + " but not write it. Give its permission set edit access (field-level security), then test again."
	default:
		c.OK = true
		c.Text = "callsync's key is there and unique: everything is written once."
		if made {
			c.Text = "callsync has added its key: everything is written once."
		}
	}
	return c, made, nil
}

// fieldHome is the object on which the fields of another are made: those of tasks are the activity's.
func fieldHome(object string) string {
	if object == objTask {
		return "Activity"
	}
	return object
}

// verifyPeople looks at contacts, leads and accounts. Contacts must be seen; what else is missing is said and no failure, for an
// org need not use all of it.
func (s *session) verifyPeople(ctx context.Context) ([]connectors.Check, error) {
	var out []connectors.Check
	for _, p := range []struct{ object, name, finds, makes string }{
		{objContact, "Contacts", "callsync can look contacts up by phone number.", "create contacts for unknown numbers"},
		{objLead, "Leads", "callsync can look leads up by phone number.", "create leads for unknown numbers"},
		{objAccount, "Accounts", "callsync can look accounts up by phone number.", ""},
	} {
		info, err := s.load(ctx, p.object)
		if err != nil {
			c, err := verdict(p.name, p.object, err)
			if err != nil {
				return nil, err
			}
			if p.object != objContact {
				c.OK, c.Text = true, "callsync does not see "+p.object+"s and finds no numbers there. If it shall, give its permission set access to the object, then test again."
			}
			out = append(out, c)
			continue
		}
		c := connectors.Check{Name: p.name, OK: true, Text: p.finds}
		if len(info.phones()) == 0 {
			c.OK = p.object != objContact
			c.Text = "callsync's user sees no phone field of " + p.object + ", so it finds no numbers there. Give its permission set read access to the phone fields, then test again."
		}
		out = append(out, c)
		if p.makes == "" {
			continue
		}
		c, err = s.optional(ctx, p.object, info, "Creating "+p.object+"s", "callsync can "+p.makes+", each once.", p.makes,
			"callsync can "+p.makes+", and tells its own by name and number, for its key is not there. To have it surer: ")
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// optional is the line of something that needs the right to create and our key, and that an org may do without. keyless is what
// there is without the key; empty means nothing.
func (s *session) optional(ctx context.Context, object string, info objectInfo, name, good, what, keyless string) (connectors.Check, error) {
	c := connectors.Check{Name: name, OK: true, Text: good}
	if !info.Createable {
		c.Text = "callsync's user may not create a " + object + ", so callsync cannot " + what + ". If it shall, give its permission set the right, then test again."
		return c, nil
	}
	key, _, err := s.verifyKey(ctx, object, info)
	if err == nil && !key.OK {
		if keyless == "" {
			keyless = "callsync cannot " + what + " yet. If it shall: "
		}
		c.Text = keyless + key.Text
	}
	return c, err
}

// verifyMore looks at cases, opportunities and files.
func (s *session) verifyMore(ctx context.Context) ([]connectors.Check, error) {
	var out []connectors.Check
	for _, m := range []struct {
		object, name, good, what string
		keyed                    bool
	}{
		{objCase, "Cases", "callsync can open cases, each once.", "open cases", true},
		{objOpportunity, "Opportunities", "callsync can read and change open opportunities.", "change opportunities", false},
		{objVersion, "Files", "callsync can upload recordings and transcriptions as files.", "upload files", false},
	} {
		info, err := s.load(ctx, m.object)
		if err != nil {
			if connectors.AsError(err).Class.Retryable() {
				return nil, err
			}
			out = append(out, connectors.Check{Name: m.name, OK: true, Text: "callsync does not see the object " + m.object + ", so it cannot " + m.what + ". If it shall, give its permission set access, then test again."})
			continue
		}
		c := connectors.Check{Name: m.name, OK: true, Text: m.good}
		switch {
		case m.keyed:
			if c, err = s.optional(ctx, m.object, info, m.name, m.good, m.what, ""); err != nil {
				return nil, err
			}
		case m.object == objVersion && !info.Createable || m.object == objOpportunity && !info.Updateable:
			c.Text = "callsync's user may not " + m.what + ". If it shall, give its permission set the right, then test again."
		}
		out = append(out, c)
	}
	return out, nil
}

func (s *session) verifyUsers(ctx context.Context) ([]connectors.Check, error) {
	const name = "Users"
	if _, err := s.selectRows(ctx, objUser, "SELECT Id, Name, Email, IsActive FROM User WHERE IsActive = true LIMIT 1", false); err != nil {
		c, err := verdict(name, objUser, err)
		return []connectors.Check{c}, err
	}
	return []connectors.Check{{Name: name, OK: true, Text: "callsync can find the owner of a call by e-mail."}}, nil
}

// verifyLimits says what the answers so far have told of the org's requests.
func (s *session) verifyLimits(context.Context) ([]connectors.Check, error) {
	s.usage.mu.Lock()
	used, most := s.usage.used, s.usage.max
	s.usage.mu.Unlock()
	if most == 0 {
		return nil, nil
	}
	return []connectors.Check{{Name: "API requests", OK: true, Text: fmt.Sprintf("Your org has used %d of its %d API requests of the last 24 hours, by all integrations. Enter %d under “Requests a day” if it says another number.", used, most, most)}}, nil
}
