package hubspotfake_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
)

type client struct {
	t *testing.T
	h http.Handler
}

func (c client) do(method, path, body string) (int, map[string]any) {
	c.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer pat-fake")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	var out map[string]any
	if w.Body.Len() > 0 {
		_ = json.Unmarshal(w.Body.Bytes(), &out)
	}
	return w.Code, out
}

func (c client) key() {
	c.t.Helper()
	code, _ := c.do("POST", "/crm/v3/properties/calls", `{"name":"callsync_call_id","label":"x","type":"string","fieldType":"text","groupName":"call_information","hasUniqueValue":true}`)
	require.Equal(c.t, 201, code)
}

func upsert(id string, props string) string {
	return fmt.Sprintf(`{"inputs":[{"id":%q,"idProperty":"callsync_call_id","properties":%s}]}`, id, props)
}

const unlimited = -1

func TestStrictness(t *testing.T) {
	t.Parallel()
	f := hubspotfake.New(hubspotfake.Options{PerTenSeconds: unlimited, SearchPerSecond: unlimited})
	c := client{t, f}
	c.key()
	const calls = "/crm/v3/objects/calls"
	full := func(extra string) string {
		return upsert("k", `{"hs_timestamp":"1764331200123"`+extra+`}`)
	}
	code, _ := c.do("POST", calls+"/batch/upsert", full(``))
	require.Equal(t, 200, code)
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		contains           string
	}{
		"good":                      {"POST", calls + "/batch/upsert", full(``), 200, ""},
		"number for text":           {"POST", calls + "/batch/upsert", full(`,"hs_call_duration":3000`), 400, "Invalid input JSON"},
		"unknown property":          {"POST", calls + "/batch/upsert", full(`,"nope":"1"`), 400, "PROPERTY_DOESNT_EXIST"},
		"bad number":                {"POST", calls + "/batch/upsert", full(`,"hs_call_duration":"3s"`), 400, "hs_call_duration"},
		"hex number":                {"POST", calls + "/batch/upsert", full(`,"hs_call_duration":"0x10"`), 400, "hs_call_duration"},
		"padded number":             {"POST", calls + "/batch/upsert", full(`,"hs_call_duration":" 3 "`), 400, "spaces"},
		"bad option":                {"POST", calls + "/batch/upsert", full(`,"hs_call_status":"completed"`), 400, "INVALID_OPTION"},
		"invented disposition":      {"POST", calls + "/batch/upsert", full(`,"hs_call_disposition":"00000000-0000-0000-0000-000000000000"`), 400, "INVALID_OPTION"},
		"bad date":                  {"POST", calls + "/batch/upsert", upsert("k2", `{"hs_timestamp":"yesterday"}`), 400, "INVALID_DATE"},
		"no date":                   {"POST", calls + "/batch/upsert", upsert("k2", `{}`), 400, "required properties"},
		"read only":                 {"POST", calls + "/batch/upsert", full(`,"hs_lastmodifieddate":"1764331200123"`), 400, "READ_ONLY_VALUE"},
		"unknown owner":             {"POST", calls + "/batch/upsert", full(`,"hubspot_owner_id":"1"`), 400, "INVALID_OPTION"},
		"too long":                  {"POST", calls + "/batch/upsert", full(`,"hs_call_body":"` + strings.Repeat("x", 65537) + `"`), 400, "characters"},
		"another key in properties": {"POST", calls + "/batch/upsert", full(`,"callsync_call_id":"z"`), 400, "differs"},
		"not unique":                {"POST", calls + "/batch/upsert", `{"inputs":[{"id":"k","idProperty":"hs_call_title","properties":{}}]}`, 400, "non-unique"},
		"no id":                     {"POST", calls + "/batch/upsert", `{"inputs":[{"idProperty":"callsync_call_id","properties":{}}]}`, 400, "required"},
		"no inputs":                 {"POST", calls + "/batch/upsert", `{"inputs":[]}`, 400, "number of inputs"},
		"twice in a batch":          {"POST", calls + "/batch/upsert", `{"inputs":[{"id":"d","idProperty":"callsync_call_id","properties":{}},{"id":"d","idProperty":"callsync_call_id","properties":{}}]}`, 400, "Duplicate IDs"},
		"unknown member":            {"POST", calls + "/batch/upsert", `{"inputs":[],"x":1}`, 400, "Invalid input JSON"},
		"create without links":      {"POST", calls, `{"properties":{"hs_timestamp":"1764331200123"}}`, 400, "associations"},
		"create with a taken key":   {"POST", calls, `{"properties":{"hs_timestamp":"1764331200123","callsync_call_id":"k"},"associations":[]}`, 400, "already has that value"},
		"update of none":            {"PATCH", calls + "/1", `{"properties":{"hs_call_title":"x"}}`, 404, "Object not found"},
		"update of nothing":         {"PATCH", calls + "/k?idProperty=callsync_call_id", `{"properties":{}}`, 400, "No properties"},
		"read of none":              {"GET", calls + "/none?idProperty=callsync_call_id", "", 404, "Object not found"},
		"wrong verb":                {"DELETE", calls + "/batch/upsert", "", 405, ""},
		"unknown route":             {"GET", "/crm/v3/objects/planets", "", 404, "resource not found"},
		"search without sorts":      {"POST", "/crm/v3/objects/contacts/search", `{"filterGroups":[],"properties":[],"limit":10,"after":"0"}`, 400, "sorts"},
		"search too deep":           {"POST", "/crm/v3/objects/contacts/search", `{"filterGroups":[],"properties":[],"sorts":[],"limit":100,"after":"9950"}`, 400, "10000"},
		"search too wide":           {"POST", "/crm/v3/objects/contacts/search", `{"filterGroups":[{},{},{},{},{},{}],"properties":[],"sorts":[],"limit":1,"after":"0"}`, 400, "filter groups"},
		"search of no property":     {"POST", "/crm/v3/objects/contacts/search", `{"filterGroups":[{"filters":[{"propertyName":"nope","operator":"EQ","value":"1"}]}],"properties":[],"sorts":[],"limit":1,"after":"0"}`, 400, "nope"},
		"bad e-mail":                {"POST", "/crm/v3/objects/contacts", `{"properties":{"email":"x"},"associations":[]}`, 400, "INVALID_EMAIL"},
		"property again":            {"POST", "/crm/v3/properties/calls", `{"name":"callsync_call_id","label":"x","type":"string","fieldType":"text","groupName":"call_information"}`, 409, "already exists"},
		"property made plain":       {"PATCH", "/crm/v3/properties/calls/callsync_call_id", `{"hasUniqueValue":false}`, 400, "cannot be changed"},
		"no such group":             {"POST", "/crm/v3/properties/calls", `{"name":"y","label":"x","type":"string","fieldType":"text","groupName":"none"}`, 400, "group"},
		"link to none":              {"PUT", "/crm/v4/objects/calls/1/associations/default/contacts/2", "", 404, "Object not found"},
	} {
		code, body := c.do(tc.method, tc.path, tc.body)
		require.Equal(t, tc.status, code, "%s: %v", name, body)
		b, err := json.Marshal(body)
		require.NoError(t, err)
		require.Contains(t, string(b), tc.contains, name)
		if code >= 400 {
			require.NotEmpty(t, body["correlationId"], name)
		}
	}
	r := httptest.NewRequest("POST", calls+"/batch/upsert", strings.NewReader("{}"))
	r.Header.Set("Authorization", "Bearer pat-fake")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	require.Equal(t, 415, w.Code)
	r = httptest.NewRequest("GET", calls, nil)
	w = httptest.NewRecorder()
	f.ServeHTTP(w, r)
	require.Equal(t, 401, w.Code)
}

func TestSearchLags(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	f := hubspotfake.New(hubspotfake.Options{Now: func() time.Time { return now }, PerTenSeconds: unlimited, SearchPerSecond: unlimited})
	c := client{t, f}
	find := func(phone string) int {
		code, out := c.do("POST", "/crm/v3/objects/contacts/search", fmt.Sprintf(
			`{"filterGroups":[{"filters":[{"propertyName":"phone","operator":"EQ","value":%q}]}],"properties":[],"sorts":[],"limit":10,"after":"0"}`, phone))
		require.Equal(t, 200, code)
		return int(out["total"].(float64))
	}
	code, out := c.do("POST", "/crm/v3/objects/contacts", `{"properties":{"phone":"+14155550100"},"associations":[]}`)
	require.Equal(t, 201, code)
	id := out["id"].(string)
	require.Equal(t, 0, find("+14155550100"))
	code, _ = c.do("GET", "/crm/v3/objects/contacts/"+id, "")
	require.Equal(t, 200, code, "reading by id does not lag")
	now = now.Add(3 * time.Second)
	require.Equal(t, 1, find("+14155550100"))
	code, _ = c.do("PATCH", "/crm/v3/objects/contacts/"+id, `{"properties":{"phone":"+14155550101"}}`)
	require.Equal(t, 200, code)
	require.Equal(t, 1, find("+14155550100"), "the search still sees the number of before")
	require.Equal(t, 0, find("+14155550101"))
	now = now.Add(3 * time.Second)
	require.Equal(t, 0, find("+14155550100"))
	require.Equal(t, 1, find("+14155550101"))
	f.Archive("contacts", id)
	require.Equal(t, 0, find("+14155550101"))
}

func TestLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	f := hubspotfake.New(hubspotfake.Options{Now: func() time.Time { return now }, PerTenSeconds: 10, SearchPerSecond: 2, PerDay: 25})
	c := client{t, f}
	search := func() (int, map[string]any) {
		return c.do("POST", "/crm/v3/objects/contacts/search", `{"filterGroups":[],"properties":[],"sorts":[],"limit":1,"after":"0"}`)
	}
	for range 2 {
		code, _ := search()
		require.Equal(t, 200, code)
	}
	code, out := search()
	require.Equal(t, 429, code)
	require.Equal(t, "SECONDLY", out["policyName"])
	for range 8 {
		code, _ = c.do("GET", "/crm/v3/owners", "")
		require.Equal(t, 200, code)
	}
	code, out = c.do("GET", "/crm/v3/owners", "")
	require.Equal(t, 429, code)
	require.Equal(t, "TEN_SECONDLY_ROLLING", out["policyName"])
	now = now.Add(10 * time.Second)
	for range 10 {
		code, _ = c.do("GET", "/crm/v3/owners", "")
		require.Equal(t, 200, code)
	}
	now = now.Add(10 * time.Second)
	for range 5 {
		code, _ = c.do("GET", "/crm/v3/owners", "")
		require.Equal(t, 200, code)
	}
	code, out = c.do("GET", "/crm/v3/owners", "")
	require.Equal(t, 429, code)
	require.Equal(t, "DAILY", out["policyName"])
	require.Equal(t, map[string]int{"200": 2, "429": 1}, f.State(false).Requests["POST /crm/v3/objects/contacts/search"])
}

func TestFaultsAreDeterministic(t *testing.T) {
	t.Parallel()
	run := func(reverse bool) map[hubspotfake.Fault]int {
		f := hubspotfake.New(hubspotfake.Options{PerTenSeconds: unlimited})
		c := client{t, f}
		c.key()
		f.SetFaults(hubspotfake.Faults{Rate429: .1, Rate503: .2, CommitThen502: .1, Seed: 3})
		for i := range 500 {
			if reverse {
				i = 499 - i
			}
			c.do("POST", "/crm/v3/objects/calls/batch/upsert", upsert(fmt.Sprint("k", i), `{"hs_timestamp":"1764331200123"}`))
		}
		return f.FaultCounts()
	}
	one := run(false)
	require.Equal(t, one, run(true), "the order of requests does not matter")
	require.InDelta(t, 50, one[hubspotfake.FaultRateLimit], 25)
	require.InDelta(t, 100, one[hubspotfake.FaultUnavailable], 35)
}

func TestFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	f := hubspotfake.New(hubspotfake.Options{PerTenSeconds: unlimited})
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	client{t, f}.key()
	set := func(body string) int {
		r, err := http.Post(s.URL+"/_fake/faults", "application/json", strings.NewReader(body))
		require.NoError(t, err)
		r.Body.Close()
		return r.StatusCode
	}
	require.Equal(t, 400, set(`{"no_such":1}`))
	require.Equal(t, 400, set(`{"script":["no_such"]}`))
	require.Equal(t, 204, set(`{"script":["commit_then_drop","commit_then_hang"],"hang_seconds":0.01}`))
	send := func(key string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/crm/v3/objects/calls/batch/upsert", strings.NewReader(upsert(key, `{"hs_timestamp":"1764331200123"}`)))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer pat-fake")
		r.Header.Set("Content-Type", "application/json")
		return http.DefaultClient.Do(r)
	}
	_, err := send("a") //nolint:bodyclose // there is none
	require.Error(t, err)
	_, ok := f.CallByKey("a")
	require.True(t, ok, "it was committed")
	r, err := send("b")
	require.NoError(t, err)
	r.Body.Close()
	require.Equal(t, 200, r.StatusCode)
	r, err = http.Get(s.URL + "/_fake/state")
	require.NoError(t, err)
	defer r.Body.Close()
	var state hubspotfake.State
	require.NoError(t, json.NewDecoder(r.Body).Decode(&state))
	require.Equal(t, 2, state.Counts.Calls)
	require.Len(t, state.Calls, 2)
	require.Equal(t, 1, state.Requests["POST /crm/v3/objects/calls/batch/upsert"]["0"])
}

func TestUpsertIsAtomic(t *testing.T) {
	t.Parallel()
	f := hubspotfake.New(hubspotfake.Options{PerTenSeconds: unlimited})
	c := client{t, f}
	c.key()
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 32 {
		wg.Go(func() {
			_, out := c.do("POST", "/crm/v3/objects/calls/batch/upsert", upsert("k", `{"hs_timestamp":"1764331200123"}`))
			mu.Lock()
			defer mu.Unlock()
			if out["results"].([]any)[0].(map[string]any)["new"] == true {
				made++
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, made)
	require.Equal(t, 1, f.State(false).Counts.Calls)
}

func TestSurvivesARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hubspot.json")
	f := hubspotfake.New(hubspotfake.Options{PerTenSeconds: unlimited, SearchLag: unlimited})
	require.NoError(t, f.Load(path), "the first start")
	c := client{t, f}
	c.key()
	contact, err := f.AddContact(map[string]string{"phone": "+14155550199", "email": "ada@example.com"})
	require.NoError(t, err)
	_, out := c.do("POST", "/crm/v3/objects/calls/batch/upsert", upsert("k", `{"hs_timestamp":"1764331200123","hs_call_title":"ü"}`))
	id := out["results"].([]any)[0].(map[string]any)["id"].(string)
	code, _ := c.do("PUT", "/crm/v4/objects/calls/"+id+"/associations/default/contacts/"+contact, "")
	require.Equal(t, 200, code)
	require.NoError(t, f.Save(path))

	g := hubspotfake.New(hubspotfake.Options{PerTenSeconds: unlimited, SearchLag: unlimited})
	require.NoError(t, g.Load(path))
	before, after := f.State(true), g.State(true)
	require.Equal(t, before.Calls, after.Calls)
	require.Equal(t, before.Contacts, after.Contacts)
	require.Equal(t, before.Associations, after.Associations)
	_, out = client{t, g}.do("POST", "/crm/v3/objects/calls/batch/upsert", upsert("k", `{"hs_call_title":"new"}`))
	require.Equal(t, false, out["results"].([]any)[0].(map[string]any)["new"])
	require.Equal(t, 1, g.State(false).Counts.Calls)
	_, err = g.AddContact(map[string]string{"email": "ada@example.com"})
	require.ErrorContains(t, err, "Existing ID: "+contact)
	require.Error(t, g.Load(filepath.Join("testdata", "..", "fake.go")))
}

func TestPageIsReadableAndHarmless(t *testing.T) {
	t.Parallel()
	f := hubspotfake.New(hubspotfake.Options{PerTenSeconds: unlimited})
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	c := client{t, f}
	c.key()
	props, err := json.Marshal(map[string]string{"hs_timestamp": "1764331200123", "hs_call_title": "<script>alert(1)</script>", "hs_call_duration": "61000",
		"hs_call_body": "<p>Hello<br>world &lt;img src=x onerror=alert(2)&gt;</p>", "hs_call_recording_url": "javascript:alert(3)"})
	require.NoError(t, err)
	code, _ := c.do("POST", "/crm/v3/objects/calls/batch/upsert", upsert("k", string(props)))
	require.Equal(t, 200, code)
	r, err := http.Get(s.URL + "/")
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	for _, evil := range []string{"<script>", "<img", "javascript:"} {
		require.False(t, bytes.Contains(b, []byte(evil)), evil)
	}
	require.Contains(t, string(b), "1m1s")
	require.Contains(t, string(b), "Hello world")
}
