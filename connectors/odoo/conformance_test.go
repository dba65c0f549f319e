package odoo_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/connectortest"
	"github.com/callsync/callsync/connectors/odoo"
	"github.com/callsync/callsync/connectors/odoo/odoofake"
)

const apiKey = "6fa879277431115a64aa385f451544eed8b4d549"

// fallback is the contact of callsync's own user in the fake.
const fallback = "1"

func settings(url string) connectors.Settings {
	return connectors.Settings{ConnectionID: "c1", Secrets: map[string]string{"api_key": apiKey}, Config: map[string]string{
		"base_url": url, "database": "acme", "username": "callsync@example.com", "protocol": odoo.ProtocolJSON2, "call_model": odoo.ModelNote, "fallback_contact": fallback}}
}

func options() odoofake.Options {
	return odoofake.Options{APIKey: apiKey, Database: "acme", Login: "callsync@example.com", Helpdesk: true}
}

// asHTML is a text as a mapping puts it into HTML.
func asHTML(text string) string {
	return strings.ReplaceAll(html.EscapeString(text), "\n", "<br>\n")
}

var tags = regexp.MustCompile(`<[^>]*>`)

// asText is what people see of HTML.
func asText(v any) string {
	s, _ := v.(string)
	s = strings.ReplaceAll(strings.ReplaceAll(s, "<br>\n", "\n"), "<br>", "\n")
	return html.UnescapeString(tags.ReplaceAllString(s, ""))
}

func write(key, remoteID, text string, at time.Time) connectors.CallWrite {
	return connectors.CallWrite{Key: key, RemoteID: remoteID, Fields: map[string]any{"subject": "Inbound call", "body": asHTML(text), "date": at}}
}

// name is a record's External ID as the fake shows it; the connector makes it of keys that are no names.
func name(kind, key string) string { return odoo.KeyName(kind, key) }

var objects = map[string]string{connectors.ObjectContact: "res.partner", connectors.ObjectLead: "crm.lead", connectors.ObjectCompany: "res.partner"}

// shown are the records in whose chatters a note is, itself and in copies.
func shown(f *odoofake.Fake, id int64) []connectors.Ref {
	out := []connectors.Ref{}
	for other, r := range f.Records("mail.message") {
		if other != id && r["parent_id"] != id {
			continue
		}
		out = append(out, refOf(f, r["model"], r["res_id"])...)
	}
	return out
}

func refOf(f *odoofake.Fake, model, id any) []connectors.Ref {
	n, _ := id.(int64)
	object := connectors.ObjectContact
	switch {
	case model == "crm.lead":
		object = connectors.ObjectLead
	case n == 0 || n == f.Partner():
		return nil
	case f.Records("res.partner")[n]["is_company"] == true:
		object = connectors.ObjectCompany
	}
	return []connectors.Ref{{Object: object, ID: strconv.FormatInt(n, 10)}}
}

func hooks(f *odoofake.Fake, model, kind, field string) connectortest.RecordHooks {
	find := func(key string) (int64, odoofake.Record, bool) { return f.ByKey(model, name(kind, key)) }
	return connectortest.RecordHooks{
		Count: func(key string) int {
			if _, _, ok := find(key); ok {
				return 1
			}
			return 0
		},
		Text: func(key string) (string, bool) {
			_, r, ok := find(key)
			return asText(r[field]), ok
		},
		Linked: func(key string) []connectors.Ref {
			id, r, _ := find(key)
			switch model {
			case "mail.message":
				return shown(f, id)
			case "mail.activity":
				return refOf(f, r["res_model"], r["res_id"])
			}
			return refOf(f, "res.partner", r["partner_id"])
		},
		Delete: func(key string) {
			id, _, _ := find(key)
			f.Delete(model, id)
		},
		Done: func(key string) bool {
			_, r, _ := find(key)
			return r["active"] == false
		},
	}
}

func newCRM(t *testing.T) connectortest.CRM {
	f := odoofake.New(options())
	calls := hooks(f, "mail.message", "call", "body")
	person := func(object, name, number string) connectors.Ref {
		values := odoofake.Record{"name": name, "phone": number}
		if object == connectors.ObjectCompany {
			values["is_company"] = true
		}
		if object == connectors.ObjectLead {
			values["type"] = "lead"
		}
		return connectors.Ref{Object: object, ID: strconv.FormatInt(f.Add(objects[object], values), 10)}
	}
	number := func(id string) int64 {
		n, err := strconv.ParseInt(id, 10, 64)
		require.NoError(t, err)
		return n
	}
	return connectortest.CRM{
		Handler: f, Count: calls.Count, Text: calls.Text, Delete: calls.Delete, Linked: calls.Linked,
		Time: func(key string) (time.Time, bool) {
			_, r, ok := f.ByKey("mail.message", name("call", key))
			s, _ := r["date"].(string)
			at, err := time.Parse("2006-01-02 15:04:05", s)
			return at, ok && err == nil
		},
		Move: func(key string, to connectors.Ref) {
			id, _, _ := f.ByKey("mail.message", name("call", key))
			f.Set("mail.message", id, odoofake.Record{"model": objects[to.Object], "res_id": number(to.ID)})
		},
		AddContact:    person,
		CountContacts: func(object, key string) int { return hooks(f, objects[object], object, "name").Count(key) },
		DeleteContact: func(ref connectors.Ref) { f.Delete(objects[ref.Object], number(ref.ID)) },
		AddOwner:      func(email string, active bool) { f.AddOwner(email, active) },
		Records: map[string]connectortest.RecordHooks{
			connectors.ObjectTask: hooks(f, "mail.activity", "task", "note"), connectors.ObjectTicket: hooks(f, "helpdesk.ticket", "ticket", "description"),
			connectors.ObjectNote: hooks(f, "mail.message", "note", "body"), connectors.ObjectMessage: hooks(f, "mail.message", "message", "body"),
			connectors.ObjectForm: hooks(f, "crm.lead", "form", "description"),
		},
		AddDeal: func(of connectors.Ref, open bool) string {
			stage := int64(1)
			if !open {
				stage = 2
			}
			return strconv.FormatInt(f.Add("crm.lead", odoofake.Record{"name": "Deal", "type": "opportunity", "stage_id": stage, "partner_id": number(of.ID)}), 10)
		},
		DealField: func(id, field string) string { return asText(f.Records("crm.lead")[number(id)][field]) },
		Recordings: func(key string) [][]byte {
			_, r, _ := f.ByKey("mail.message", name("call", key))
			ids, _ := r["attachment_ids"].([]int64)
			var out [][]byte
			for _, id := range ids {
				data, err := base64.StdEncoding.DecodeString(f.Records("ir.attachment")[id]["datas"].(string))
				require.NoError(t, err)
				out = append(out, data)
			}
			return out
		},
	}
}

func recordWrite(field string) func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite {
	return func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite {
		return connectors.RecordWrite{Key: key, RemoteID: remoteID, Fields: map[string]any{field: asHTML(text)}, Links: links}
	}
}

// changes tells methods that change something; all are POSTs.
func changes(r *http.Request) bool {
	for _, method := range []string{"/load", "/write", "/action_feedback", "/unlink", "/create"} {
		if strings.HasSuffix(r.URL.Path, method) {
			return true
		}
	}
	return false
}

// exception is an error of JSON-2.
func exception(name, message string) string {
	text, _ := json.Marshal(map[string]any{"name": name, "message": message, "arguments": []any{message}, "context": map[string]any{}, "debug": "Traceback: hunter2 +14155550199"})
	return string(text)
}

// refusedRow is load()'s answer to a row that it refuses.
func refusedRow(message, field string) string {
	text, _ := json.Marshal(map[string]any{"ids": false, "nextrow": 0, "messages": []any{map[string]any{"type": "error", "record": 0, "message": message, "field": field, "rows": map[string]any{"from": 0, "to": 0}}}})
	return string(text)
}

func target() connectortest.Target {
	return connectortest.Target{
		Connector: odoo.New(), Settings: settings, Secrets: []string{apiKey}, New: newCRM, Write: write, Changes: changes,
		BadWrite: func(key string) connectors.CallWrite {
			w := write(key, "", "x", time.Now())
			w.Fields["mail_activity_type_id"] = "999999"
			return w
		},
		Contact: func(object, key, name, number string) connectors.ContactWrite {
			return connectors.ContactWrite{Key: key, Object: object, Fields: map[string]any{"name": name, "phone": number}}
		},
		Records: map[string]func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite{
			connectors.ObjectTask: recordWrite("note"), connectors.ObjectTicket: recordWrite("description"), connectors.ObjectNote: recordWrite("body"),
			connectors.ObjectMessage: recordWrite("body"), connectors.ObjectForm: recordWrite("description"),
		},
		DealField: "description", DealValue: "touched",
		Buffered: true,
		Classes:  map[int]connectors.Class{},
		ErrorBody: func(status int) string {
			if status == http.StatusNotFound {
				return exception("odoo.exceptions.MissingError", "Record does not exist or has been deleted.")
			}
			return ""
		},
		// A space alone is nothing for Odoo's sanitizer, and the line end is HTML's.
		TextAs: func(text string) string {
			if text == " " {
				return ""
			}
			return text
		},
		TimeStep: time.Second,
		Errors: []connectortest.VendorError{
			{Name: "no right", Status: 403, Body: exception("odoo.exceptions.AccessError", "You are not allowed to create 'Message' (mail.message) records. hunter2"), Class: connectors.Forbidden, Public: "Settings → Users"},
			{Name: "a key that has ended", Status: 401, Body: exception("werkzeug.exceptions.Unauthorized", "Invalid apikey"), Class: connectors.Unauthorized, Public: "API key"},
			{Name: "a field that is not there", Status: 500, Body: exception("builtins.ValueError", "Invalid field 'x_gone' on 'mail.message'"), Class: connectors.Invalid, Field: "x_gone", Public: "x_gone"},
			{Name: "a value of the wrong kind", Status: 500, Body: exception("builtins.ValueError", "Wrong value for mail.message.message_type: 'hunter2'"), Class: connectors.Invalid, Field: "message_type"},
			{Name: "a rule of the account", Status: 422, Body: exception("odoo.exceptions.ValidationError", "hunter2 is not allowed"), Class: connectors.Invalid},
			{Name: "a required field", Status: 422, Body: exception("odoo.exceptions.ValidationError", "The operation cannot be completed: Missing required value for the field 'Opportunity' (name).\nModel: 'Lead' (crm.lead)"), Class: connectors.Invalid, Field: "name"},
			{Name: "a record that is gone", Status: 404, Body: exception("odoo.exceptions.MissingError", "Record does not exist or has been deleted.\n(Record: res.partner(7,), User: 5)"), Class: connectors.NotFound},
			{Name: "an app that is not there", Status: 404, Body: exception("werkzeug.exceptions.NotFound", "the model 'mail.message' does not exist"), Class: connectors.Unsupported, Public: "app"},
			{Name: "two writers at once", Status: 500, Body: exception("psycopg2.errors.SerializationFailure", "could not serialize access due to concurrent update"), Class: connectors.Unavailable},
			{Name: "an error of a module's own", Status: 500, Body: exception("builtins.ZeroDivisionError", "hunter2"), Class: connectors.Unavailable},
			{Name: "the proxy's limit", Status: 429, Header: http.Header{"Retry-After": {"17"}}, Body: "<html>429</html>", Class: connectors.RateLimited, MinRetryAfter: 17 * time.Second, MaxRetryAfter: 17 * time.Second},
			{Name: "a body that is too large", Status: 413, Body: "<html>413</html>", Class: connectors.Invalid, Public: "web server"},
			{Name: "a row with a value that is refused", Status: 200, Body: refusedRow("Value 'hunter2' not found in selection field 'Type'", "message_type"), Class: connectors.Invalid, Field: "message_type"},
			{Name: "a row of a contact that is gone", Status: 200, Body: refusedRow("Record does not exist or has been deleted.\n(Record: res.partner(99999,), User: 5)", ""), Class: connectors.NotFound},
			{Name: "a row that Odoo 14 quotes", Status: 200, Body: refusedRow("Unknown error during import: <class 'odoo.exceptions.AccessError'>: You are not allowed to hunter2", ""), On: changes, Class: connectors.Forbidden},
			{Name: "a row that another writer was faster with", Status: 200, Body: refusedRow("could not serialize access due to concurrent update", ""), Class: connectors.Unavailable},
			{Name: "an answer that is no answer of load", Status: 200, Body: `{"ids":[],"messages":[]}`, Class: connectors.UnknownOutcome},
			{Name: "a search in a field that is gone", Status: 500, Body: exception("builtins.ValueError", "Invalid field res.partner.phone in condition ('phone', '=', 'hunter2')"), Class: connectors.Invalid, Field: "phone",
				Do: func(ctx context.Context, s connectors.Session) error {
					_, err := s.(connectors.ContactMatcher).FindContacts(ctx, connectors.PhoneQuery{E164: "+14155550199", National: "4155550199"})
					return err
				}},
		},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, target())
}

// methodOf is the method that a request of any protocol calls; its body is left as it was.
func methodOf(t *testing.T, r *http.Request) string {
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	r.Body = io.NopCloser(bytes.NewReader(body))
	for _, m := range []string{"load", "write", "search_read", "fields_get", "authenticate", "check_object_reference"} {
		if strings.HasSuffix(r.URL.Path, "/"+m) || bytes.Contains(body, []byte(`"`+m+`"`)) || bytes.Contains(body, []byte(">"+m+"<")) {
			return m
		}
	}
	return ""
}
