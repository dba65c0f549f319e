package odoo

import (
	"context"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// probe is the key of a record that is never made.
const probe = "callsync-connect-test"

// Verify implements connectors.Verifier. It stops at credentials that Odoo does not know; every other check is made, so that
// an admin sees all that is missing at once. It changes nothing: External IDs need no field.
func (s *session) Verify(ctx context.Context) (connectors.Report, error) {
	var out connectors.Report
	add := func(name string, ok bool, text string) {
		out.Checks = append(out.Checks, connectors.Check{Name: name, OK: ok, Text: text})
	}
	// fail tells of an error in a check; it returns those that say nothing.
	fail := func(name string, err error) error {
		e := connectors.AsError(err)
		if e.Class.Retryable() {
			return err
		}
		add(name, false, e.Public)
		return nil
	}
	who, err := s.me(ctx)
	if err != nil {
		return out, fail("Access", err)
	}
	protocol := "JSON-2"
	switch {
	case s.protocol == ProtocolXML:
		protocol = "XML-RPC"
	case s.protocol == ProtocolJSON || s.older.Load():
		protocol = "JSON-RPC"
	}
	out.Account = who.companyName + " at " + strings.TrimPrefix(strings.TrimPrefix(s.site, "https://"), "http://") + ", user " + who.login
	add("Access", true, "Odoo accepts the key of the user "+who.login+" ("+protocol+").")
	if who.email == "" && protocol != "JSON-2" {
		add("E-mail", false, "callsync's user has no e-mail address, without which older versions of Odoo refuse to complete activities. Enter one in the user, then test again.")
	}
	for _, c := range []func(context.Context) (connectors.Check, error){s.verifyCalls, s.verifyKeys, s.verifyContacts, s.verifyLeads, s.verifyActivities, s.verifyUsers, s.verifyFallback, s.verifyTickets} {
		check, err := c(ctx)
		if err != nil {
			if err := fail(check.Name, err); err != nil {
				return out, err
			}
			continue
		}
		out.Checks = append(out.Checks, check)
	}
	out.Idempotency = connectors.KeyedUpsert
	return out, nil
}

// may asks for a right on a model (check_access_rights is there in Odoo 14 and 19 alike).
func (s *session) may(ctx context.Context, model, operation string) (bool, error) {
	var ok any
	err := s.call(ctx, request{model: model, method: "check_access_rights", reads: true, args: []arg{{"operation", operation}, {"raise_exception", false}}}, &ok)
	if connectors.IsClass(err, connectors.Forbidden) {
		return false, nil
	}
	return ok == true, err
}

// lacking are the operations that the user may not do.
func (s *session) lacking(ctx context.Context, model string, operations ...string) ([]string, error) {
	var out []string
	for _, o := range operations {
		ok, err := s.may(ctx, model, o)
		if err != nil {
			return nil, err
		}
		if !ok {
			out = append(out, o)
		}
	}
	return out, nil
}

func (s *session) verifyCalls(ctx context.Context) (connectors.Check, error) {
	c := connectors.Check{Name: "Calls", OK: true}
	m, _, err := s.calls(ctx)
	if err != nil {
		return c, err
	}
	lacking, err := s.lacking(ctx, m.model, "create", "read", "write")
	if err != nil {
		return c, err
	}
	c.Text = "Calls are written as " + labelOf(m.model) + " (" + m.model + ")."
	if m.model == ModelNote {
		c.Text = "Calls are written as notes of the type Call in the chatter of their contact or lead (mail.message)."
	}
	if len(lacking) > 0 {
		c.OK, c.Text = false, "callsync's user may not "+strings.Join(lacking, ", ")+" "+labelOf(m.model)+" ("+m.model+"). Give it the right in Settings → Users, then test again."
	}
	return c, nil
}

func (s *session) verifyKeys(ctx context.Context) (connectors.Check, error) {
	c := connectors.Check{Name: "Records are made once", OK: true, Text: "callsync finds its records by their External IDs (" + Module + ")."}
	_, _, err := s.byKey(ctx, ModelNote, keyName(kindCall, probe))
	return c, err
}

func (s *session) verifyContacts(ctx context.Context) (connectors.Check, error) {
	c := connectors.Check{Name: "Contacts", OK: true, Text: "callsync may look contacts up by phone number and create them."}
	lacking, err := s.lacking(ctx, "res.partner", "read", "create", "write")
	if err != nil {
		return c, err
	}
	if len(lacking) > 0 {
		c.OK, c.Text = false, "callsync's user may not "+strings.Join(lacking, ", ")+" contacts. In Odoo, give it the right Contact Creation (Settings → Users; with developer mode on in versions before 18), then test again."
		return c, nil
	}
	defs, _, err := s.fields(ctx, "res.partner")
	if err != nil {
		return c, err
	}
	if defs["phone_sanitized"].Type == "" && defs["phone_mobile_search"].Type == "" {
		c.Text += " The app Phone Numbers Validation (phone_validation) or SMS is not installed: callsync compares the numbers as they were typed, which is slower in large accounts."
	}
	return c, nil
}

func (s *session) verifyLeads(ctx context.Context) (connectors.Check, error) {
	c := connectors.Check{Name: "Leads", OK: true, Text: "callsync may look leads up by phone number and create them."}
	_, ok, err := s.fields(ctx, "crm.lead")
	if err != nil {
		return c, err
	}
	if !ok {
		c.Text = "The CRM app is not installed, or callsync's user does not see it: leads are passed over, and forms become notes."
		return c, nil
	}
	lacking, err := s.lacking(ctx, "crm.lead", "read", "create", "write")
	if err != nil {
		return c, err
	}
	if len(lacking) > 0 {
		c.Text = "callsync's user may not " + strings.Join(lacking, ", ") + " leads, so they are passed over. If callsync shall use them, give it the right Sales: User: All Documents."
	}
	return c, nil
}

func (s *session) verifyActivities(ctx context.Context) (connectors.Check, error) {
	c := connectors.Check{Name: "Activities", OK: true, Text: "callsync may plan follow-up activities."}
	lacking, err := s.lacking(ctx, modelActivity, "create", "read", "write")
	if err == nil && len(lacking) > 0 {
		c.OK, c.Text = false, "callsync's user may not "+strings.Join(lacking, ", ")+" activities. It must be an internal user; change it in Settings → Users, then test again."
	}
	return c, err
}

func (s *session) verifyUsers(ctx context.Context) (connectors.Check, error) {
	c := connectors.Check{Name: "Users", OK: true, Text: "callsync can find the owner of a call by e-mail."}
	_, err := s.search(ctx, query{model: "res.users", domain: domain(internal), fields: userFields, order: "id", limit: 1})
	return c, err
}

func (s *session) verifyFallback(ctx context.Context) (connectors.Check, error) {
	c := connectors.Check{Name: "Contact for calls without a contact", OK: true}
	p, err := s.nobodys(ctx)
	if err != nil {
		return c, err
	}
	r, err := s.read(ctx, p.model, p.id, "name")
	if connectors.IsClass(err, connectors.NotFound) {
		c.OK, c.Text = false, "The contact for calls without a contact is not there, or callsync's user does not see it. Correct its id in the connection, then test again."
		return c, nil
	}
	if err == nil {
		c.Text = "What belongs to no contact goes to the chatter of " + r.text("name") + "."
	}
	return c, err
}

func (s *session) verifyTickets(ctx context.Context) (connectors.Check, error) {
	c := connectors.Check{Name: "Tickets", OK: true, Text: "callsync can open tickets (" + ticketModel + ")."}
	_, ok, err := s.fields(ctx, ticketModel)
	if err == nil && !ok {
		c.Text = "No Helpdesk app is installed, so callsync opens no tickets."
	}
	return c, err
}
