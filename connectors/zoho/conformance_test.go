package zoho_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/connectortest"
	"github.com/callsync/callsync/connectors/zoho"
	"github.com/callsync/callsync/connectors/zoho/zohofake"
)

const token = zohofake.Token

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// names are Zoho's modules by callsync's objects.
var names = map[string]string{"call": "Calls", "contact": "Contacts", "lead": "Leads", "company": "Accounts", "deal": "Deals", "task": "Tasks", "note": "Notes", "ticket": "Cases", "message": "Tasks", "form": "Tasks"}

func settings(url string) connectors.Settings {
	return connectors.Settings{ConnectionID: "c1", Config: map[string]string{"base_url": url}, Secrets: map[string]string{"access_token": token}}
}

// ready is an account after its connect test, and a session with it.
func ready(t *testing.T, o zohofake.Options) (*zohofake.Fake, connectors.Session) {
	t.Helper()
	if o.SearchLag == 0 {
		o.SearchLag = -1
	}
	f := zohofake.New(o)
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	session, err := zoho.New().Open(settings(s.URL))
	require.NoError(t, err)
	report, err := session.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), "%+v", report.Checks)
	require.Equal(t, connectors.KeyedUpsert, report.Idempotency)
	return f, session
}

func write(key, remoteID, text string, at time.Time) connectors.CallWrite {
	return connectors.CallWrite{Key: key, RemoteID: remoteID, Fields: map[string]any{"Subject": "A call", "Call_Type": "Inbound", "Call_Start_Time": at,
		"Call_Duration": int64(205), "Description": text, "Call_Result": "Interested"}}
}

// TestConformance runs the kit against Zoho as its guide has it, and as its OpenAPI files have it.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, always := range map[string]bool{"statuses": false, "everything is 200": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connectortest.Run(t, target(zohofake.Options{Always200: always}))
		})
	}
}

func target(o zohofake.Options) connectortest.Target {
	return connectortest.Target{
		Connector: zoho.New(),
		Settings:  settings,
		OAuthSettings: func(url string) connectors.Settings {
			return connectors.Settings{ConnectionID: "c1", Config: map[string]string{"base_url": url, "client_id": "1000.FAKE"}, Secrets: map[string]string{"client_secret": "fake-secret"}}
		},
		Secrets: []string{token, "fake-secret"},
		New:     func(t *testing.T) connectortest.CRM { return newCRM(t, o) },
		Write:   write,
		WriteDuration: func(key string, at time.Time, d time.Duration) connectors.CallWrite {
			w := write(key, "", "x", at)
			w.Fields["Call_Duration"] = int64(d / time.Second)
			if d == 0 {
				w.Fields["Call_Type"] = "Missed"
			}
			return w
		},
		BadWrite: func(key string) connectors.CallWrite {
			w := write(key, "", "x", noon)
			w.Fields["Call_Type"] = "Carrier pigeon"
			return w
		},
		Contact: func(object, key, name, number string) connectors.ContactWrite {
			return connectors.ContactWrite{Key: key, Object: object, Fields: map[string]any{"Last_Name": name, "Phone": number, "Company": "Acme"}}
		},
		Records:   recordWrites(),
		DealField: "Next_Step", DealValue: "Call back",
		Errors: vendorErrors(),
		ErrorBody: func(status int) string {
			return fmt.Sprintf(`{"code":"CODE_%d","details":{},"message":"something","status":"error"}`, status)
		},
		Classes:      map[int]connectors.Class{404: connectors.Invalid},
		NotVendors:   map[int]connectors.Class{404: connectors.Unavailable},
		MaxText:      32000,
		TextLen:      func(s string) int { return len(utf16.Encode([]rune(s))) },
		TimeStep:     time.Second,
		DurationStep: time.Second,
	}
}

func recordWrites() map[string]func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite {
	out := map[string]func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite{}
	for object, fields := range map[string]map[string]any{
		"task":    {"Description": nil, "Subject": "Call back", "Due_Date": noon, "Priority": "High"},
		"note":    {"Note_Content": nil, "Note_Title": "Call note"},
		"ticket":  {"Description": nil, "Subject": "Complaint"},
		"message": {"Description": nil, "Due_Date": noon},
		"form":    {"Description": nil, "Subject": "Form submission"},
	} {
		out[object] = func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite {
			w := connectors.RecordWrite{Key: key, RemoteID: remoteID, Links: links, Fields: map[string]any{}}
			for name, v := range fields {
				if v == nil {
					v = text
				}
				w.Fields[name] = v
			}
			return w
		}
	}
	return out
}

// vendorErrors are Zoho's refusals as its guide and its OpenAPI files have them.
func vendorErrors() []connectortest.VendorError {
	item := func(code, details, message string) string {
		return fmt.Sprintf(`{"data":[{"code":%q,"details":%s,"message":%q,"status":"error"}]}`, code, details, message)
	}
	whole := func(code, message string) string {
		return fmt.Sprintf(`{"code":%q,"details":{},"message":%q,"status":"error"}`, code, message)
	}
	post := func(r *http.Request) bool { return r.Method == http.MethodPost }
	contact := func(ctx context.Context, s connectors.Session) error {
		_, err := s.(connectors.ContactCreator).CreateContact(ctx, connectors.ContactWrite{Key: "k", Fields: map[string]any{"Last_Name": "hunter2", "Phone": "+14155550199"}})
		return err
	}
	return []connectortest.VendorError{
		{Name: "too many requests", Status: 429, Class: connectors.RateLimited, Body: whole("TOO_MANY_REQUESTS", "Too many requests fired in concurrency.")},
		{Name: "credits used up", Status: 429, Header: http.Header{"X-Api-Credits-Remaining": {"0"}}, Class: connectors.QuotaExhausted, MinRetryAfter: time.Minute, MaxRetryAfter: 24 * time.Hour,
			Body: whole("TOO_MANY_REQUESTS", "You have exceeded your API credits.")},
		{Name: "token", Status: 401, Class: connectors.Unauthorized, Body: whole("INVALID_TOKEN", "invalid oauth token")},
		{Name: "scope", Status: 401, Class: connectors.Forbidden, Public: "scope", Body: whole("OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL")},
		{Name: "profile", Status: 403, Class: connectors.Forbidden, Public: "Calls", Body: whole("NO_PERMISSION", "permission denied")},
		{Name: "mandatory", Status: 400, Class: connectors.Invalid, Field: "Call_Agenda", Public: "demands", Body: item("MANDATORY_NOT_FOUND", `{"api_name":"Call_Agenda","json_path":"$.data[0].Call_Agenda"}`, "required field not found")},
		{Name: "error inside a success", Status: 200, Class: connectors.Invalid, Field: "Call_Type", Body: item("INVALID_DATA", `{"expected_data_type":"text","api_name":"Call_Type"}`, "invalid data hunter2")},
		{Name: "whole error inside a success", Status: 200, Class: connectors.Invalid, Public: "switched off", Body: whole("INVALID_MODULE", "The module name given seems to be invalid")},
		{Name: "no zero duration", Status: 207, Class: connectors.Invalid, Field: "Call_Duration", Body: item("DEPENDENT_MISMATCH", `{"api_name":"Call_Duration"}`, "Call Duration can not be zero.")},
		{Name: "locked", Status: 400, Class: connectors.RateLimited, MinRetryAfter: time.Second, MaxRetryAfter: time.Hour, Public: "locked", Body: item("RECORD_LOCKED", `{"id":"1"}`, "record is locked")},
		{Name: "contact is gone", Status: 400, Class: connectors.NotFound, Body: item("INVALID_DATA", `{"api_name":"Who_Id","json_path":"$.data[0].Who_Id"}`, "the id given seems to be invalid")},
		{Name: "blueprint", Status: 400, Class: connectors.Invalid, Public: "blueprint", Body: item("RECORD_IN_BLUEPRINT", `{}`, "The record is in blue print")},
		{Name: "internal", Status: 500, Class: connectors.Unavailable, Body: whole("INTERNAL_ERROR", "Internal server error occurred.")},
		{Name: "address", Status: 404, Class: connectors.Invalid, Public: "address", Body: whole("INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")},
		{Name: "another record has the e-mail", Status: 400, On: post, Do: contact, Class: connectors.Conflict, Field: "Email", RemoteID: "554023000000310003",
			Body: item("DUPLICATE_DATA", `{"api_name":"Email","json_path":"$.data[0].Email","duplicate_record":{"id":"554023000000310003","module":{"api_name":"Contacts","id":"1"}}}`, "duplicate data")},
		{Name: "older duplicate", Status: 202, On: post, Do: contact, Class: connectors.Conflict, Field: "Email", RemoteID: "554023000000310003",
			Body: item("DUPLICATE_DATA", `{"id":"554023000000310003","api_name":"Email"}`, "duplicate data")},
		{Name: "duplicate in another module", Status: 400, On: post, Do: contact, Class: connectors.Conflict, Field: "Email", Public: "module Leads",
			Body: item("DUPLICATE_DATA", `{"api_name":"Email","duplicate_record":{"id":"554023000000310003","module":{"api_name":"Leads","id":"1"}}}`, "duplicate data")},
		{Name: "several duplicates", Status: 400, On: post, Do: contact, Class: connectors.Conflict, Field: "Email", RemoteID: "554023000000310003",
			Body: item("MULTIPLE_OR_MULTI_ERRORS", `{"errors":[{"code":"DUPLICATE_DATA","details":{"api_name":"Email","duplicate_record":{"id":"554023000000310003","module":{"api_name":"Contacts"}}},"message":"duplicate data","status":"error"}]}`, "multiple errors")},
	}
}

func ref(v any) string {
	m, _ := v.(map[string]any)
	s, _ := m["id"].(string)
	return s
}

func str(r zohofake.Record, name string) string {
	s, _ := r.Fields[name].(string)
	return s
}

// keyed are the living records of a module with a key; of notes, those whose title has it.
func keyed(f *zohofake.Fake, module, key string) []zohofake.Record {
	var out []zohofake.Record
	for _, r := range f.All(module) {
		if str(r, zoho.KeyField) == key || module == "Notes" && strings.HasSuffix(str(r, "Note_Title"), " ["+key+"]") {
			out = append(out, r)
		}
	}
	return out
}

// linked are the records that another one belongs to.
func linked(r zohofake.Record) []connectors.Ref {
	var out []connectors.Ref
	of := func(module, id string) {
		for object, name := range names {
			if name == module && id != "" && (object == "contact" || object == "lead" || object == "company" || object == "deal" || object == "call") {
				out = append(out, connectors.Ref{Object: object, ID: id})
			}
		}
	}
	of("Contacts", ref(r.Fields["Who_Id"]))
	of("Contacts", ref(r.Fields["Related_To"]))
	of(str(r, "$se_module"), ref(r.Fields["What_Id"]))
	if parent, ok := r.Fields["Parent_Id"].(map[string]any); ok {
		of(parent["module"].(map[string]any)["api_name"].(string), ref(parent))
	}
	return out
}

// newCRM is an account after its connect test, with the kit's hooks.
func newCRM(t *testing.T, o zohofake.Options) connectortest.CRM {
	f, _ := ready(t, o)
	call := func(key string) zohofake.Record {
		for _, r := range keyed(f, "Calls", key) {
			return r
		}
		return zohofake.Record{}
	}
	crm := connectortest.CRM{
		Handler: f,
		Count:   func(key string) int { return len(keyed(f, "Calls", key)) },
		Text:    func(key string) (string, bool) { return str(call(key), "Description"), call(key).ID != "" },
		Time: func(key string) (time.Time, bool) {
			at, err := time.Parse(time.RFC3339, str(call(key), "Call_Start_Time"))
			return at, err == nil
		},
		Duration: func(key string) (time.Duration, bool) {
			n, _ := call(key).Fields["Call_Duration_in_seconds"].(int)
			return time.Duration(n) * time.Second, call(key).ID != ""
		},
		Delete: func(key string) { f.Delete("Calls", call(key).ID) },
		Linked: func(key string) []connectors.Ref { return linked(call(key)) },
		Move: func(key string, to connectors.Ref) {
			f.Set("Calls", call(key).ID, "Who_Id", map[string]any{"id": to.ID, "name": "x"})
		},
		Lag: func(on bool) {
			lag := time.Duration(0)
			if on {
				lag = time.Hour
			}
			f.SetLag(lag)
		},
		IssueToken:  f.IssueToken,
		ExpireToken: f.ExpireToken,
		AddContact: func(object, name, number string) connectors.Ref {
			fields := map[string]any{"Last_Name": name, "Phone": number}
			if object == "company" {
				fields = map[string]any{"Account_Name": name, "Phone": number}
			}
			return connectors.Ref{Object: object, ID: f.Add(names[object], fields)}
		},
		CountContacts: func(object, key string) int { return len(keyed(f, names[object], key)) },
		DeleteContact: func(of connectors.Ref) { f.Delete(names[of.Object], of.ID) },
		AddOwner:      func(email string, active bool) { f.AddUser(email, active) },
		AddDeal: func(of connectors.Ref, open bool) string {
			stage := "Qualification"
			if !open {
				stage = "Closed Lost"
			}
			return f.Add("Deals", map[string]any{"Deal_Name": "A deal", "Stage": stage, "Contact_Name": map[string]any{"id": of.ID}})
		},
		DealField: func(id, field string) string {
			r, _ := f.Get("Deals", id)
			return str(r, field)
		},
		Recordings: func(key string) [][]byte {
			var out [][]byte
			for _, x := range f.Files(call(key).ID) {
				out = append(out, x.Content)
			}
			return out
		},
		Transcriptions: func(key string) []string {
			var out []string
			for _, n := range f.All("Notes") {
				if ref(n.Fields["Parent_Id"]) == call(key).ID {
					out = append(out, str(n, "Note_Content"))
				}
			}
			return out
		},
		Records: map[string]connectortest.RecordHooks{},
	}
	for object, body := range map[string]string{"task": "Description", "note": "Note_Content", "ticket": "Description", "message": "Description", "form": "Description"} {
		module := names[object]
		one := func(key string) (zohofake.Record, bool) {
			for _, r := range keyed(f, module, key) {
				return r, true
			}
			return zohofake.Record{}, false
		}
		h := connectortest.RecordHooks{
			Count:  func(key string) int { return len(keyed(f, module, key)) },
			Text:   func(key string) (string, bool) { r, ok := one(key); return str(r, body), ok },
			Linked: func(key string) []connectors.Ref { r, _ := one(key); return linked(r) },
			Delete: func(key string) { r, _ := one(key); f.Delete(module, r.ID) },
			Done:   func(key string) bool { r, _ := one(key); return str(r, "Status") == "Completed" },
		}
		if object == "note" {
			// The kit deletes and ties a note that belongs to nothing, which Zoho does not have: see TestNotes.
			h.Delete, h.Linked = nil, nil
		}
		crm.Records[object] = h
	}
	return crm
}
