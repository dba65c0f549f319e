package hubspot_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/connectortest"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
)

// names are HubSpot's for callsync's objects.
var names = map[string]string{"contact": "contacts", "company": "companies", "deal": "0-3", "ticket": "tickets", "task": "tasks", "note": "notes", "message": "communications", "form": "notes"}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"", "2026-03"} {
		t.Run("API "+version, func(t *testing.T) {
			t.Parallel()
			connectortest.Run(t, target(version))
		})
	}
}

func target(version string) connectortest.Target {
	set := func(url string) connectors.Settings {
		s := settings(url)
		s.Config["api_version"] = version
		return s
	}
	return connectortest.Target{
		Connector: hubspot.New(),
		Settings:  set,
		OAuthSettings: func(url string) connectors.Settings {
			s := set(url)
			s.Config["client_id"] = "fake-client"
			s.Secrets = map[string]string{"client_secret": "fake-secret"}
			return s
		},
		Secrets: []string{token, "fake-secret"},
		New:     newCRM,
		Write:   write,
		WriteDuration: func(key string, at time.Time, d time.Duration) connectors.CallWrite {
			w := write(key, "", "x", at)
			w.Fields["hs_call_duration"] = d.Milliseconds()
			return w
		},
		BadWrite: func(key string) connectors.CallWrite {
			w := write(key, "", "x", noon)
			w.Fields["hs_call_status"] = "NO_SUCH_STATUS"
			return w
		},
		Contact: func(_, key, name, number string) connectors.ContactWrite {
			return connectors.ContactWrite{Key: key, Fields: map[string]any{"firstname": name, "phone": number}}
		},
		Records:   recordWrites(),
		DealField: "hs_next_step", DealValue: "Call back",
		Errors:  vendorErrors(),
		Classes: map[int]connectors.Class{423: connectors.RateLimited, 477: connectors.Unavailable},
		ErrorBody: func(status int) string {
			return fmt.Sprintf(`{"status":"error","message":"something","correlationId":"aaaaaaaa-1111","category":"CATEGORY_%d"}`, status)
		},
		MaxText: 65536,
		TextLen: func(s string) int { return len(utf16.Encode([]rune(s))) },
	}
}

func recordWrites() map[string]func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite {
	out := map[string]func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite{}
	for object, fields := range map[string]map[string]any{
		"task":    {"hs_task_body": nil, "hs_task_subject": "Call back", "hs_timestamp": noon, "hs_task_type": "CALL"},
		"note":    {"hs_note_body": nil},
		"ticket":  {"content": nil, "subject": "Complaint"},
		"message": {"hs_communication_body": nil, "hs_timestamp": noon},
		"form":    {"hs_note_body": nil, "hs_timestamp": noon},
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

// vendorErrors are HubSpot's answers to calls. Those to contacts and batches are in TestVendorErrors.
func vendorErrors() []connectortest.VendorError {
	headers := http.Header{"X-Hubspot-Ratelimit-Max": {"190"}, "X-Hubspot-Ratelimit-Remaining": {"0"}, "X-Hubspot-Ratelimit-Interval-Milliseconds": {"10000"}}
	return []connectortest.VendorError{
		{Name: "ten seconds", Status: 429, Header: headers, Class: connectors.RateLimited, MinRetryAfter: 10 * time.Second, MaxRetryAfter: 10 * time.Second,
			Body: `{"status":"error","message":"You have reached your ten_secondly_rolling limit.","errorType":"RATE_LIMIT","correlationId":"c-1","policyName":"TEN_SECONDLY_ROLLING"}`},
		{Name: "secondly", Status: 429, Class: connectors.RateLimited, MinRetryAfter: time.Second, MaxRetryAfter: time.Second,
			Body: `{"status":"error","message":"You have reached your secondly limit.","errorType":"RATE_LIMIT","correlationId":"c-1","policyName":"SECONDLY"}`},
		{Name: "daily", Status: 429, Class: connectors.QuotaExhausted, MinRetryAfter: time.Second, MaxRetryAfter: 24 * time.Hour,
			Body: `{"status":"error","message":"You have reached your daily limit.","errorType":"RATE_LIMIT","correlationId":"c-1","policyName":"DAILY"}`},
		{Name: "expired", Status: 401, Class: connectors.Unauthorized,
			Body: `{"status":"error","message":"The OAuth token used to make this call expired 2 hour(s) ago.","correlationId":"c-1","category":"EXPIRED_AUTHENTICATION"}`},
		{Name: "scopes", Status: 403, Class: connectors.Forbidden, Public: "crm.objects.contacts.write",
			Body: `{"status":"error","message":"This app hasn't been granted all required scopes to make this call.","correlationId":"c-1","category":"MISSING_SCOPES","errors":[{"message":"One or more of the following scopes are required.","context":{"requiredGranularScopes":["crm.objects.contacts.write"]}}]}`},
		{Name: "option", Status: 400, Class: connectors.Invalid, Field: "hs_call_status", Public: "among its options",
			Body: `{"status":"error","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"hunter2 was not one of the allowed options: [BUSY]\",\"error\":\"INVALID_OPTION\",\"name\":\"hs_call_status\"}]","correlationId":"c-1","category":"VALIDATION_ERROR"}`},
		{Name: "locked", Status: 423, Class: connectors.RateLimited, MinRetryAfter: 2 * time.Second, MaxRetryAfter: 2 * time.Second, Body: `{"status":"error","message":"locked"}`},
		{Name: "moving", Status: 477, Header: http.Header{"Retry-After": {"90"}}, Class: connectors.Unavailable, MinRetryAfter: 90 * time.Second, MaxRetryAfter: 90 * time.Second, Body: `{}`},
		{Name: "item of a batch", Status: 207, Class: connectors.Invalid, Field: "hs_timestamp",
			Body: `{"status":"COMPLETE","results":[],"numErrors":1,"errors":[{"status":"error","category":"VALIDATION_ERROR","message":"+14155550199 is wrong","context":{"ids":["key"]},"errors":[{"message":"m","code":"INVALID_DATE","context":{"propertyName":["hs_timestamp"]}}],"links":{}}],"startedAt":"2026-11-22T00:00:00Z","completedAt":"2026-11-22T00:00:00Z"}`},
	}
}

// newCRM is an account after its connect test, with the kit's hooks.
func newCRM(t *testing.T) connectortest.CRM {
	f, _ := ready(t, hubspotfake.Options{})
	call := func(key string) hubspotfake.Record { c, _ := f.CallByKey(key); return c }
	linked := func(kind, id string) []connectors.Ref {
		var out []connectors.Ref
		for _, object := range []string{"contact", "company", "deal", "ticket"} {
			for _, to := range f.Linked(kind, id, names[object]) {
				out = append(out, connectors.Ref{Object: object, ID: to})
			}
		}
		return out
	}
	crm := connectortest.CRM{
		Handler: held(t, f),
		Count: func(key string) int {
			n := 0
			for _, c := range f.State(true).Calls {
				if c.Properties[hubspot.CallKey] == key && !c.Archived {
					n++
				}
			}
			return n
		},
		Text: func(key string) (string, bool) {
			c, ok := f.CallByKey(key)
			return c.Properties["hs_call_body"], ok
		},
		Time: func(key string) (time.Time, bool) {
			at, err := time.Parse(time.RFC3339Nano, call(key).Properties["hs_timestamp"])
			return at, err == nil
		},
		Duration: func(key string) (time.Duration, bool) {
			d, err := time.ParseDuration(call(key).Properties["hs_call_duration"] + "ms")
			return d, err == nil
		},
		Delete: func(key string) { f.Archive("calls", call(key).ID) },
		Linked: func(key string) []connectors.Ref { return linked("calls", call(key).ID) },
		Move: func(key string, to connectors.Ref) {
			f.Unlink("calls", call(key).ID, "contacts")
			f.Link(hubspotfake.Link{FromObject: "calls", FromID: call(key).ID, ToObject: names[to.Object], ToID: to.ID})
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
			props := map[string]string{"firstname": name, "phone": number}
			if object == "company" {
				props = map[string]string{"name": name, "phone": number}
			}
			id, err := f.Add(names[object], props)
			require.NoError(t, err)
			return connectors.Ref{Object: object, ID: id}
		},
		AddEmailContact: func(name, email string) connectors.Ref {
			id, err := f.Add("contacts", map[string]string{"firstname": name, "email": email})
			require.NoError(t, err)
			return connectors.Ref{Object: connectors.ObjectContact, ID: id}
		},
		CountContacts: func(_, key string) int {
			n := 0
			for _, c := range f.State(true).Contacts {
				if c.Properties[hubspot.ContactKey] == key && !c.Archived {
					n++
				}
			}
			return n
		},
		DeleteContact: func(of connectors.Ref) { f.Archive(names[of.Object], of.ID) },
		MergeContacts: func(loser, winner connectors.Ref) connectors.Ref {
			id, err := f.Merge(names[winner.Object], loser.ID, winner.ID)
			require.NoError(t, err)
			return connectors.Ref{Object: winner.Object, ID: id}
		},
		AddOwner: func(email string, active bool) {
			if active {
				f.AddOwner(email)
			} else {
				f.AddFormerOwner(email)
			}
		},
		AddDeal: func(of connectors.Ref, open bool) string {
			stage := "qualifiedtobuy"
			if !open {
				stage = "closedlost"
			}
			id, err := f.Add("0-3", map[string]string{"dealname": "A deal", "dealstage": stage})
			require.NoError(t, err)
			f.Link(hubspotfake.Link{FromObject: "0-3", FromID: id, ToObject: names[of.Object], ToID: of.ID})
			return id
		},
		DealField: func(id, field string) string {
			r, _ := f.Record("0-3", id)
			return r.Properties[field]
		},
		Recordings: func(key string) [][]byte {
			var out [][]byte
			for _, x := range f.FilesOf("calls", call(key).ID) {
				out = append(out, x.Content)
			}
			return out
		},
		Transcriptions: func(key string) []string {
			var out []string
			for _, tr := range f.TranscriptsOf(call(key).ID) {
				text := ""
				for _, u := range tr.Utterances {
					text += u.Speaker.Name + ": " + u.Text + "\n"
				}
				out = append(out, text)
			}
			return out
		},
		Records: map[string]connectortest.RecordHooks{},
	}
	for object, body := range map[string]string{"task": "hs_task_body", "note": "hs_note_body", "ticket": "content", "message": "hs_communication_body", "form": "hs_note_body"} {
		kind := names[object]
		crm.Records[object] = connectortest.RecordHooks{
			Count: func(key string) int { return len(f.RecordsByKey(kind, key)) },
			Text: func(key string) (string, bool) {
				if list := f.RecordsByKey(kind, key); len(list) > 0 {
					return list[0].Properties[body], true
				}
				return "", false
			},
			Linked: func(key string) []connectors.Ref {
				for _, r := range f.RecordsByKey(kind, key) {
					return linked(kind, r.ID)
				}
				return nil
			},
			Delete: func(key string) {
				for _, r := range f.RecordsByKey(kind, key) {
					f.Archive(kind, r.ID)
				}
			},
			Done: func(key string) bool {
				for _, r := range f.RecordsByKey(kind, key) {
					return r.Properties["hs_task_status"] == "COMPLETED"
				}
				return false
			},
		}
	}
	return crm
}
