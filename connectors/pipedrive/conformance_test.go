package pipedrive_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/connectortest"
	"github.com/callsync/callsync/connectors/pipedrive"
	"github.com/callsync/callsync/connectors/pipedrive/pipedrivefake"
)

// number reads an id of the fake's, which came by its API or by its methods.
func number(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case json.Number:
		n, _ := v.Int64()
		return n
	}
	return 0
}

// keyed are the records of a list that carry a key.
func keyed(list []map[string]any, field, key string) []map[string]any {
	var out []map[string]any
	for _, o := range list {
		note, _ := o[field].(string)
		if _, k := pipedrive.Unmarked(note); k == key {
			out = append(out, o)
		}
	}
	return out
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, record := range []string{"both", "activity"} {
		t.Run(record, func(t *testing.T) {
			t.Parallel()
			connectortest.Run(t, target(record))
		})
	}
}

// both is what the connector is.
type both interface {
	connectors.Connector
	connectors.Prototyper
	connectors.Authorizer
}

// looksUp is the connector as one whose records may be changed: the kit tries more of it then. What Pipedrive's connections
// say by themselves, create_only, makes deliveries wait for the disposition.
type looksUp struct{ both }

func (c looksUp) Info() connectors.Info {
	info := c.both.Info()
	info.Idempotency = connectors.LookupThenWrite
	return info
}

// writes leaves out what activities have no place for.
func writes(record string) func(key, remoteID, text string, at time.Time) connectors.CallWrite {
	return func(key, remoteID, text string, at time.Time) connectors.CallWrite {
		w := write(key, remoteID, text, at)
		if record == "activity" {
			for _, name := range []string{"outcome", "from_phone_number", "to_phone_number", "end_time"} {
				delete(w.Fields, name)
			}
			w.Fields["start_time"] = at.Truncate(time.Second)
		}
		return w
	}
}

func target(record string) connectortest.Target {
	set := func(url string) connectors.Settings {
		s := settings(url)
		s.Config["record"] = record
		return s
	}
	create := func(list []string) func(*http.Request) bool {
		return func(r *http.Request) bool { return slices.Contains(list, r.Method+" "+r.URL.Path) }
	}
	deal := func(ctx context.Context, s connectors.Session) error {
		return s.(connectors.DealToucher).TouchDeal(ctx, "1", map[string]any{"title": "hunter2"})
	}
	body := func(text string) string {
		return fmt.Sprintf(`{"success":false,"error":%q,"error_info":"Please check"}`, text)
	}
	return connectortest.Target{
		Connector: looksUp{pipedrive.New().(both)},
		Settings:  set,
		OAuthSettings: func(url string) connectors.Settings {
			return connectors.Settings{ConnectionID: "c1", Config: map[string]string{"base_url": url, "client_id": "client", "record": record}, Secrets: map[string]string{"client_secret": "s3cr3t"}}
		},
		Secrets: []string{token},
		New:     func(t *testing.T) connectortest.CRM { return newCRM(t, set, record) },
		Write:   writes(record),
		WriteDuration: func(key string, at time.Time, d time.Duration) connectors.CallWrite {
			w := writes(record)(key, "", "x", at)
			w.Fields["duration"] = int64(d / time.Second)
			return w
		},
		Contact: func(object, key, name, number string) connectors.ContactWrite {
			w := connectors.ContactWrite{Key: key, Object: object, Fields: map[string]any{"name": name, "phone": number}}
			if object == connectors.ObjectLead {
				w.Fields["title"] = name
			}
			return w
		},
		Records:   recordWrites(),
		DealField: "title", DealValue: "Won back",
		Classes:    map[int]connectors.Class{415: connectors.Forbidden},
		NotVendors: map[int]connectors.Class{403: connectors.Unavailable},
		ErrorBody: func(status int) string {
			return fmt.Sprintf(`{"success":false,"error":"something","error_info":"status %d","data":null,"additional_data":null}`, status)
		},
		MaxText:  60_000,
		TimeStep: timeStep(record), DurationStep: time.Second,
		Errors: []connectortest.VendorError{
			{Name: "field in quotes", Status: 400, Body: body(`"outcome" must be one of hunter2`), Class: connectors.Invalid, Field: "outcome", Public: "“outcome”"},
			{Name: "field in the text", Status: 400, Body: body("Validation failed: owner_id: hunter2 is not a number"), Class: connectors.Invalid, Field: "owner_id"},
			{Name: "custom field", Status: 400, Body: `{"success":false,"error":"hunter2","field_code":"946947d1b02fd3ef20798d6112ec5d895a686a21"}`, Class: connectors.Invalid, Field: "946947d1b02fd3ef20798d6112ec5d895a686a21"},
			{Name: "no field", Status: 400, Body: body("+14155550199 hunter2"), Class: connectors.Invalid},
			{Name: "success that is none", Status: 200, Body: body("no"), Class: connectors.Invalid},
			{Name: "burst", Status: 429, Header: http.Header{"X-Ratelimit-Reset": {"2"}, "X-Daily-Ratelimit-Token-Remaining": {"900"}}, Body: body("Rate limit exceeded"),
				Class: connectors.RateLimited, MinRetryAfter: 2 * time.Second, MaxRetryAfter: 2 * time.Second},
			{Name: "burst without headers", Status: 429, Class: connectors.RateLimited, MinRetryAfter: 2 * time.Second, MaxRetryAfter: 2 * time.Second},
			{Name: "day", Status: 429, Header: http.Header{"X-Daily-Ratelimit-Token-Remaining": {"0"}}, Body: body("no"), Class: connectors.QuotaExhausted,
				MinRetryAfter: time.Second, MaxRetryAfter: 25 * time.Hour, Public: "token budget"},
			{Name: "day of old", Status: 429, Header: http.Header{"X-Daily-Requests-Left": {"0"}}, Class: connectors.QuotaExhausted},
			{Name: "day in words", Status: 429, Body: body("Daily API token budget exceeded"), Class: connectors.QuotaExhausted},
			{Name: "header wins", Status: 429, Header: http.Header{"Retry-After": {"77"}, "X-Daily-Ratelimit-Token-Remaining": {"0"}}, Class: connectors.QuotaExhausted,
				MinRetryAfter: 77 * time.Second, MaxRetryAfter: 77 * time.Second},
			{Name: "protection", Status: 403, Header: http.Header{"Content-Type": {"text/html"}}, Body: "<!DOCTYPE html><title>Attention Required! | Cloudflare</title>",
				Class: connectors.Unavailable, MinRetryAfter: time.Minute, MaxRetryAfter: 10 * time.Minute, Public: "protection"},
			{Name: "right", Status: 403, Body: body("hunter2"), Class: connectors.Forbidden, Public: "scopes"},
			{Name: "plan", Status: 403, Body: `{"success":false,"error":"no","code":"feature_capping_deals_limit"}`, Do: deal, Class: connectors.Forbidden, Public: "plan allows no more"},
			{Name: "not paid", Status: 402, Body: body("Payment Required"), Class: connectors.Forbidden, Public: "subscription"},
			{Name: "feature", Status: 415, Body: body("Feature is not enabled"), Class: connectors.Forbidden, Public: "Enable it"},
			{Name: "gone", Status: 410, Body: body("gone"), Do: deal, Class: connectors.NotFound},
			{Name: "not Pipedrive's 404", Status: 404, Body: "<html>", Class: connectors.Unavailable, Public: "not Pipedrive's API"},
			{Name: "success of nothing", Status: 200, Body: `{"success":true,"data":{}}`, On: create([]string{"POST /api/v2/activities"}), Class: connectors.UnknownOutcome},
			{Name: "portal", Status: 200, Body: "<html>Please sign in</html>", Class: connectors.UnknownOutcome},
		},
	}
}

// timeStep is what the records keep of a time: call logs milliseconds, activities seconds.
func timeStep(record string) time.Duration {
	if record == "activity" {
		return time.Second
	}
	return time.Millisecond
}

func recordWrites() map[string]func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite {
	out := map[string]func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite{}
	for _, object := range []string{connectors.ObjectTask, connectors.ObjectNote, connectors.ObjectMessage, connectors.ObjectForm} {
		field := "content"
		if object == connectors.ObjectTask {
			field = "note"
		}
		out[object] = func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite {
			return connectors.RecordWrite{Key: key, RemoteID: remoteID, Links: links, Fields: map[string]any{field: text}}
		}
	}
	return out
}

// newCRM is a company after its connect test, with the kit's hooks. At the end of the test every request has kept to the
// vendor's API description.
func newCRM(t *testing.T, set func(string) connectors.Settings, record string) connectortest.CRM {
	f := ready(t, pipedrivefake.Options{}, set)
	one := func(key string) map[string]any {
		list := keyed(f.State().Activities, "note", key)
		if len(list) == 0 {
			return map[string]any{}
		}
		return list[len(list)-1]
	}
	log := func(key string) map[string]any {
		for _, l := range f.State().CallLogs {
			if number(l["activity_id"]) == number(one(key)["id"]) {
				return l
			}
		}
		return map[string]any{}
	}
	linked := func(a map[string]any) []connectors.Ref {
		var out []connectors.Ref
		list, _ := a["participants"].([]any)
		for _, p := range list {
			out = append(out, connectors.Ref{Object: connectors.ObjectContact, ID: fmt.Sprint(number(p.(map[string]any)["person_id"]))})
		}
		if lead, _ := a["lead_id"].(string); lead != "" {
			out = append(out, connectors.Ref{Object: connectors.ObjectLead, ID: lead})
		}
		if org := number(a["org_id"]); org != 0 {
			out = append(out, connectors.Ref{Object: connectors.ObjectCompany, ID: fmt.Sprint(org)})
		}
		return out
	}
	crm := connectortest.CRM{
		Handler: recording(t, f),
		Count:   func(key string) int { return len(keyed(f.State().Activities, "note", key)) },
		Text: func(key string) (string, bool) {
			note, ok := one(key)["note"].(string)
			text, _ := pipedrive.Unmarked(note)
			return text, ok
		},
		Time: func(key string) (time.Time, bool) {
			if record != "activity" {
				s, _ := log(key)["start_time"].(string)
				at, err := time.Parse(time.RFC3339, s)
				return at, err == nil
			}
			at, err := time.Parse("2006-01-02 15:04:05", fmt.Sprint(one(key)["due_date"], " ", one(key)["due_time"]))
			return at, err == nil
		},
		Duration: func(key string) (time.Duration, bool) {
			if record != "activity" {
				n, err := strconv.Atoi(fmt.Sprint(log(key)["duration"]))
				return time.Duration(n) * time.Second, err == nil
			}
			var h, m, s int
			_, err := fmt.Sscanf(fmt.Sprint(one(key)["duration"]), "%d:%d:%d", &h, &m, &s)
			return time.Duration(h*3600+m*60+s) * time.Second, err == nil
		},
		Delete: func(key string) { f.Delete("activities", fmt.Sprint(number(one(key)["id"]))) },
		Linked: func(key string) []connectors.Ref { return linked(one(key)) },
		Move: func(key string, to connectors.Ref) {
			id, _ := strconv.ParseInt(to.ID, 10, 64)
			f.Edit(number(one(key)["id"]), "participants", []any{map[string]any{"person_id": id, "primary": true}})
		},
		Lag:        f.Lag,
		IssueToken: f.IssueToken, ExpireToken: f.ExpireToken,
		AddContact: func(object, name, number string) connectors.Ref {
			switch object {
			case connectors.ObjectLead:
				return connectors.Ref{Object: object, ID: f.AddLead(name, f.AddPerson(name, number))}
			case connectors.ObjectCompany:
				return connectors.Ref{Object: object, ID: fmt.Sprint(f.AddOrganization(name, number))}
			}
			return connectors.Ref{Object: object, ID: fmt.Sprint(f.AddPerson(name, number))}
		},
		AddEmailContact: func(name, email string) connectors.Ref {
			return connectors.Ref{Object: connectors.ObjectContact, ID: fmt.Sprint(f.AddPersonByEmail(name, email))}
		},
		CountContacts: func(object, key string) int {
			n := 0
			if object == connectors.ObjectLead {
				for _, l := range f.State().Leads {
					if l["origin_id"] == key {
						n++
					}
				}
				return n
			}
			for _, p := range f.State().Persons {
				fields, _ := p["custom_fields"].(map[string]any)
				for _, v := range fields {
					if v == key {
						n++
					}
				}
			}
			return n
		},
		DeleteContact: func(ref connectors.Ref) { f.Delete("persons", ref.ID) },
		AddOwner:      func(email string, active bool) { f.AddUser(email, active) },
		AddDeal: func(of connectors.Ref, open bool) string {
			id, _ := strconv.ParseInt(of.ID, 10, 64)
			return fmt.Sprint(f.AddDeal("A deal", id, open))
		},
		DealField: func(id, field string) string {
			for _, d := range f.State().Deals {
				if fmt.Sprint(d["id"]) == id {
					return fmt.Sprint(d[field])
				}
			}
			return ""
		},
		Recordings: func(key string) [][]byte {
			s := f.State()
			var out [][]byte
			if content, ok := s.Recordings[fmt.Sprint(log(key)["id"])]; ok {
				out = append(out, content)
			}
			for _, file := range s.Files {
				if number(file["activity_id"]) == number(one(key)["id"]) {
					out = append(out, s.Uploads[number(file["id"])])
				}
			}
			return out
		},
		Records: map[string]connectortest.RecordHooks{
			connectors.ObjectTask: {
				Count: func(key string) int { return len(keyed(f.State().Activities, "note", key)) },
				Text: func(key string) (string, bool) {
					note, ok := one(key)["note"].(string)
					text, _ := pipedrive.Unmarked(note)
					return text, ok
				},
				Linked: func(key string) []connectors.Ref { return linked(one(key)) },
				Delete: func(key string) { f.Delete("activities", fmt.Sprint(number(one(key)["id"]))) },
				Done:   func(key string) bool { return one(key)["done"] == true },
			},
		},
	}
	for _, object := range []string{connectors.ObjectNote, connectors.ObjectMessage, connectors.ObjectForm} {
		notes := func(key string) []map[string]any { return keyed(f.State().Notes, "content", key) }
		crm.Records[object] = connectortest.RecordHooks{
			Count: func(key string) int { return len(notes(key)) },
			Text: func(key string) (string, bool) {
				if len(notes(key)) == 0 {
					return "", false
				}
				text, _ := pipedrive.Unmarked(notes(key)[0]["content"].(string))
				return text, true
			},
			Linked: func(key string) []connectors.Ref {
				return []connectors.Ref{{Object: connectors.ObjectContact, ID: fmt.Sprint(number(notes(key)[0]["person_id"]))}}
			},
		}
	}
	t.Cleanup(func() {
		for _, problem := range f.State().Refused {
			if !strings.Contains(problem, "Unknown method") {
				t.Errorf("a request broke the API's description: %s", problem)
			}
		}
	})
	return crm
}

var _ = require.New
