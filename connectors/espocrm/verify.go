package espocrm

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// ownField is a field that callsync adds.
type ownField struct {
	entity, name string
	// params are what the field manager is told (POST Admin/fieldManager/{entity}).
	params attributes
	// kind and what name it for people.
	kind, what string
	// needed tells that records are not written safely without it.
	needed bool
}

func (s *session) ownFields() []ownField {
	var out []ownField
	for _, e := range []struct {
		entity string
		needed bool
	}{{"Call", true}, {"Contact", true}, {"Lead", true}, {"Task", false}, {"Case", false}} {
		out = append(out, ownField{e.entity, s.keyField, attributes{"type": "varchar", "label": "callsync key", "maxLength": maxKey}, "Varchar, max length 100", "by which callsync recognises its own records", e.needed})
	}
	return append(out,
		ownField{"Call", DurationField, attributes{"type": "int", "label": "Length in seconds", "min": 0}, "Integer", "for the length of a call", false},
		ownField{"Call", DispositionField, attributes{"type": "varchar", "label": "Disposition", "maxLength": 100}, "Varchar, max length 100", "for the outcome of a call", false},
		ownField{"Call", RecordingsField, attributes{"type": attachmentType, "label": "Recordings"}, "Attachment-Multiple", "for the sound files of a call", false},
	)
}

// Verify implements connectors.Verifier. It stops at credentials that EspoCRM does not know; every other check is made, so
// that an admin sees all that is missing at once. It changes nothing but callsync's own fields, which only an
// administrator's user can add.
func (s *session) Verify(ctx context.Context) (connectors.Report, error) {
	var out connectors.Report
	m, err := s.whoAmI(ctx)
	if err != nil {
		e := connectors.AsError(err)
		if e.Class.Retryable() {
			return out, err
		}
		out.Checks = append(out.Checks, connectors.Check{Name: "Access", Text: e.Public})
		return out, nil
	}
	admin := m.User.text("type") == "admin"
	name := m.User.text("userName")
	if name == "" {
		name = m.User.text("name")
	}
	out.Account = Label + " at " + strings.TrimPrefix(strings.TrimPrefix(s.site, "https://"), "http://") + ", user " + name
	text := "EspoCRM accepts the credentials of the user " + name + "."
	if admin {
		text += " It is an administrator: after this test, an API user with a role of its own is enough."
	}
	out.Checks = append(out.Checks, connectors.Check{Name: "Access", OK: true, Text: text})
	out.Checks = append(out.Checks, m.rights()...)
	owner, err := s.verifyOwner(ctx)
	if err != nil {
		return out, err
	}
	out.Checks = append(out.Checks, owner)
	out.Idempotency = connectors.CreateOnly
	described := map[string]map[string]fieldDef{}
	for _, f := range s.ownFields() {
		if !m.may(f.entity, "read") && f.entity != "Call" && f.entity != "Contact" {
			continue
		}
		defs, ok := described[f.entity]
		if !ok {
			if defs, err = s.loadFields(ctx, f.entity); err != nil {
				return out, err
			}
			described[f.entity] = defs
		}
		check, err := s.verifyField(ctx, f, defs, m, admin)
		if err != nil {
			return out, err
		}
		out.Checks = append(out.Checks, check)
		if f.entity == "Call" && f.name == s.keyField && check.OK {
			out.Idempotency = connectors.LookupThenWrite
		}
	}
	return out, nil
}

// level is what the role says of an action: all, team, own, no, yes. An administrator may do all.
func (m me) level(entity, action string) string {
	if m.User.text("type") == "admin" {
		return "all"
	}
	switch v := m.ACL.Table[entity].(type) {
	case bool:
		if v {
			return "all"
		}
	case map[string]any:
		if l, _ := v[action].(string); l != "" {
			return l
		}
	}
	return "no"
}

func (m me) may(entity, action string) bool {
	l := m.level(entity, action)
	return l == "all" || l == "yes"
}

// right is one line of the list of rights.
type right struct {
	name, entity string
	// actions must all be allowed; optional entities may be hidden altogether.
	actions  []string
	optional bool
	good     string
	// without says what does not work without an optional entity.
	without string
}

var allRights = []right{
	{"Calls", "Call", []string{"create", "read", "edit"}, false, "callsync may write calls.", ""},
	{"Contacts", "Contact", []string{"read"}, false, "callsync can look contacts up by phone number.", ""},
	{"Creating contacts", "Contact", []string{"create"}, true, "callsync may create contacts.", "callsync may not create contacts for unknown numbers."},
	{"Leads", "Lead", []string{"read"}, true, "callsync can look leads up by phone number.", "callsync does not see leads and finds no numbers there."},
	{"Creating leads", "Lead", []string{"create"}, true, "callsync may create leads.", "callsync may not create leads for unknown numbers."},
	{"Accounts", "Account", []string{"read"}, true, "callsync can look accounts up by phone number.", "callsync does not see accounts and finds no numbers there."},
	{"Tasks", "Task", []string{"create", "read", "edit"}, true, "callsync may write follow-up tasks.", "callsync may not write follow-up tasks."},
	{"Cases", "Case", []string{"create", "read", "edit"}, true, "callsync may open cases.", "callsync may not open cases."},
	{"Users", "User", []string{"read"}, false, "callsync can find the owner of a call by e-mail.", ""},
}

// rights are the checks of what the role allows. EspoCRM tells a user its own rights, so nothing has to be tried.
func (m me) rights() []connectors.Check {
	var out []connectors.Check
	for _, r := range allRights {
		c := connectors.Check{Name: r.name, OK: true, Text: r.good}
		var lacking []string
		hidden := true
		for _, action := range r.actions {
			if m.may(r.entity, action) {
				hidden = false
				continue
			}
			if l := m.level(r.entity, action); l != "no" {
				hidden = false
			}
			want := "all"
			if action == "create" {
				want = "yes"
			}
			lacking = append(lacking, r.entity+" → "+action+" to “"+want+"”")
		}
		switch {
		case len(lacking) == 0:
		case r.optional && hidden:
			c.Text = r.without + " If it shall, set in its role: " + strings.Join(lacking, ", ") + "."
		default:
			c.OK, c.Text = false, "The role of callsync's user does not allow all that is needed. In EspoCRM, under Administration → Roles, set "+strings.Join(lacking, ", ")+", then test again."
		}
		out = append(out, c)
	}
	c := connectors.Check{Name: "Assignment", OK: m.ACL.Assignment == "all" || m.User.text("type") == "admin", Text: "callsync may give calls to every user."}
	if !c.OK {
		c.Text = "callsync may not give calls to the agents who took them. In its role, set Assignment Permission to “all”, then test again."
	}
	return append(out, c)
}

func (s *session) verifyOwner(ctx context.Context) (connectors.Check, error) {
	const name = "Default owner"
	_, err := s.fallbackOwner(ctx)
	if err == nil {
		return connectors.Check{Name: name, OK: true, Text: "Calls of agents that EspoCRM does not know have an owner."}, nil
	}
	e := connectors.AsError(err)
	if e.Class.Retryable() {
		return connectors.Check{}, err
	}
	return connectors.Check{Name: name, Text: e.Public}, nil
}

// verifyField looks for one of callsync's fields, makes it where it is missing and the user may, and sees that it can be
// searched and written.
func (s *session) verifyField(ctx context.Context, f ownField, defs map[string]fieldDef, m me, admin bool) (connectors.Check, error) {
	c := connectors.Check{Name: "Field " + f.name + " on " + f.entity, OK: true, Text: "The field " + f.what + " is there."}
	if _, ok := defs[f.name]; !ok && admin {
		if made, err := s.makeField(ctx, f); err != nil || !made.OK {
			return made, err
		}
		c.Text = "callsync has added its field " + f.what + "."
		if f.name != s.keyField {
			c.Text += " To see it, put it into the layout of " + f.entity + "."
		}
	} else if !ok {
		if _, hidden := m.ACL.FieldTable[f.entity][f.name]; hidden {
			c.OK, c.Text = !f.needed, "The role of callsync's user hides the field "+f.what+". Allow it to read and edit the field, then test again."
			return c, nil
		}
		c.OK = !f.needed
		c.Text = fmt.Sprintf("The field %s is missing. An administrator adds it under Administration → Entity Manager → %s → Fields → Add Field: type %s, name %s (EspoCRM makes %s of it). Or enter an administrator's user name and password here once and test: then callsync adds it.",
			f.what, f.entity, f.kind, typedName(f.name), f.name)
		if f.needed {
			c.Text += " Then test again."
		} else {
			c.Text += " callsync works without it."
		}
		return c, nil
	}
	if f.name != s.keyField {
		return c, nil
	}
	if m.ACL.FieldTable[f.entity][f.name]["edit"] == "no" {
		c.OK, c.Text = !f.needed, "The role of callsync's user does not let it write the field "+f.what+". Allow it under Field Level of the role, then test again."
		return c, nil
	}
	if _, _, err := s.byKey(ctx, f.entity, "callsync-connect-test"); err != nil {
		e := connectors.AsError(err)
		if e.Class.Retryable() {
			return c, err
		}
		c.OK, c.Text = !f.needed, e.Public
	}
	return c, nil
}

// typedName is the name of a custom field without the letter that EspoCRM puts before it.
func typedName(name string) string {
	if rest, ok := strings.CutPrefix(name, "c"); ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
		return strings.ToLower(rest[:1]) + rest[1:]
	}
	return name
}

// makeField adds a field, after which EspoCRM itself rebuilds its database.
func (s *session) makeField(ctx context.Context, f ownField) (connectors.Check, error) {
	c := connectors.Check{Name: "Field " + f.name + " on " + f.entity}
	body := attributes{"name": typedName(f.name)}
	for k, v := range f.params {
		body[k] = v
	}
	err := s.do(ctx, request{method: http.MethodPost, name: "making of a field", entity: f.entity, path: "/Admin/fieldManager/" + url.PathEscape(f.entity), body: body}, nil)
	if err != nil && !connectors.IsClass(err, connectors.Conflict) {
		e := connectors.AsError(err)
		if e.Class.Retryable() {
			return c, err
		}
		c.OK, c.Text = !f.needed, "EspoCRM did not let callsync add the field "+f.what+": add it by hand under Administration → Entity Manager → "+f.entity+" → Fields (type "+f.kind+", name "+typedName(f.name)+"), then test again."
		return c, nil
	}
	defs, err := s.loadFields(ctx, f.entity)
	if err != nil {
		return c, err
	}
	if _, c.OK = defs[f.name]; !c.OK {
		c.OK = !f.needed
		c.Text = "EspoCRM has added the field " + f.what + " under another name than " + f.name + ". Enter the name that it has in the setting “Field for callsync's key”, then test again."
	}
	return c, nil
}
