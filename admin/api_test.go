package admin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

func TestAPINeedsAToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, header := range map[string]string{"none": "", "wrong": "Bearer cs_wrong", "basic": "Basic " + f.token, "empty": "Bearer ", "no scheme": f.token} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", f.http.URL+"/api/v1/sources", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", header)
		r := f.do(http.DefaultClient, req)
		require.Equal(t, 401, r.Status, name)
		require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
		require.NotEmpty(t, r.Header.Get("WWW-Authenticate"))
		require.NotContains(t, r.Raw, "cs_wrong")
	}
	require.Equal(t, 200, f.as("", "GET", "/api/v1/openapi.json", "").Status, "the description is open to all")
	r := f.must(404, "GET", "/nothing", "")
	require.Contains(t, r.JSON["detail"], "openapi.json")
	f.must(404, "PUT", "/sources", "{}")
}

func TestProblemsDoNotRepeatSecrets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, body := range []string{
		`{"connector": "hubspot", "secrets": "very-secret-1"}`,
		`{"connector": "hubspot", "secrets": {"access_token": "very-secret-1"}, "config": {"access_token": "very-secret-2"}}`,
		`{"connector": "hubspot", "secrets": {"nonsense": "very-secret-1"}}`,
		`{"connector": "webhook", "config": {"base_url": "https://example.com/very-secret-1"}, "secrets": {"signing_secret": "very-secret-1"}}`,
		`{"connector": 1, "secrets": {"access_token": "very-secret-1"}}`,
		`{"unknown": "very-secret-1"}`,
		`{"secrets": "very-secret-1`,
	} {
		r := f.api("POST", "/connections", body)
		require.GreaterOrEqual(t, r.Status, 400, body)
		require.Less(t, r.Status, 500, "%s: %s", body, r.Raw)
		require.NotContains(t, r.Raw, "very-secret")
		require.NotEmpty(t, r.JSON["detail"])
		require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
	}
	require.NotContains(t, f.log.String(), "very-secret")
}

func TestSources(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	made := f.newSource()
	require.Equal(t, "US", made.JSON["default_country"])
	require.EqualValues(t, 1200, made.JSON["window_seconds"])
	require.Equal(t, "complete", made.JSON["policy"])
	require.Equal(t, map[string]any{"signing_key": true}, made.JSON["secrets"])
	require.NotContains(t, made.Raw, "key-one")
	urls := made.JSON["hook_urls"].([]any)
	require.Len(t, urls, 9, "CallRail needs a URL for each event")
	first := urls[0].(map[string]any)
	require.Equal(t, "pre-call", first["event"])
	url := first["url"].(string)
	require.Regexp(t, `^`+f.http.URL+`/hooks/callrail/cs_[a-z0-9]{26}/pre-call$`, url)
	token := strings.Split(url, "/")[5]
	sid := made.JSON["id"].(string)

	got := f.must(200, "GET", "/sources/"+sid, "")
	require.NotContains(t, got.Raw, token, "the token is shown once")
	require.Contains(t, got.Raw, "/hooks/callrail/********/pre-call")
	require.NotContains(t, f.must(200, "GET", "/sources", "").Raw, token)
	found, err := f.db.SourceByToken(t.Context(), secretbox.HashToken(token))
	require.NoError(t, err)
	require.Equal(t, sid, found.ID)
	require.Equal(t, "key-one", found.Secrets["signing_key"])

	r := f.must(200, "PATCH", "/sources/"+sid, `{"name": "Renamed", "window_seconds": 60, "config": {"expect_recording": true}}`)
	require.Equal(t, "Renamed", r.JSON["name"])
	require.EqualValues(t, 60, r.JSON["window_seconds"])
	require.Equal(t, "America/New_York", r.JSON["time_zone"], "what is not in the patch stays")
	require.Equal(t, map[string]any{"expect_recording": "true"}, r.JSON["config"])
	require.Equal(t, map[string]any{"signing_key": true}, r.JSON["secrets"])
	r = f.must(200, "PATCH", "/sources/"+sid, `{"config": {"expect_recording": null}, "secrets": {"signing_key": null}}`)
	require.Equal(t, map[string]any{}, r.JSON["config"])
	require.Equal(t, map[string]any{}, r.JSON["secrets"])

	rotated := f.must(200, "POST", "/sources/"+sid+"/rotate-token", "")
	fresh := strings.Split(rotated.JSON["hook_urls"].([]any)[0].(map[string]any)["url"].(string), "/")[5]
	require.NotEqual(t, token, fresh)
	for _, one := range []string{token, fresh} {
		found, err := f.db.SourceByToken(t.Context(), secretbox.HashToken(one))
		require.NoError(t, err, "the old token works for another day")
		require.Equal(t, sid, found.ID)
	}
	require.NotContains(t, f.must(200, "GET", "/sources/"+sid, "").Raw, fresh)

	f.must(204, "DELETE", "/sources/"+sid, "")
	f.must(404, "GET", "/sources/"+sid, "")
	f.must(404, "GET", "/sources/not-an-id", "")
}

func TestSourceFaults(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, c := range []struct{ body, field, says string }{
		{`{"provider": "nobody"}`, "provider", "It knows: callrail"},
		{`{"provider": "callrail", "time_zone": "Mars/Olympus"}`, "time_zone", "Asia/Kolkata"},
		{`{"provider": "callrail", "time_zone": "Local"}`, "time_zone", "no time zone"},
		{`{"provider": "callrail", "default_country": "XX"}`, "default_country", "two letters"},
		{`{"provider": "callrail", "window_seconds": -1}`, "window_seconds", ""},
		{`{"provider": "callrail", "window_seconds": 999999999}`, "window_seconds", ""},
		{`{"provider": "callrail", "window_seconds": "20"}`, "window_seconds", ""},
		{`{"provider": "callrail", "policy": "later"}`, "policy", ""},
		{`{"provider": "callrail", "name": "a\nb"}`, "name", "one line"},
		{`{"provider": "callrail", "config": {"signing_key": "x"}}`, "config.signing_key", "put it under secrets"},
		{`{"provider": "callrail", "secrets": {"expect_recording": "x"}}`, "secrets.expect_recording", "put it under config"},
		{`{"provider": "callrail", "config": {"sining_key": "x"}}`, "config.sining_key", "CallRail has no setting"},
		{`{"provider": "callrail", "config": {"expect_recording": "perhaps"}}`, "config.expect_recording", "must be one of"},
		{`{"provider": "callrail", "connections": ["` + id() + `"]}`, "connections[0]", "no such connection"},
		{`{"provider": "callrail", "nmae": "x"}`, "nmae", ""},
	} {
		r := f.must(422, "POST", "/sources", c.body)
		require.Equal(t, c.field, r.JSON["field"], c.body)
		require.Contains(t, r.JSON["detail"], c.says, c.body)
	}
	require.Empty(t, f.must(200, "GET", "/sources", "").items())
	r := f.must(422, "POST", "/sources", `{"provider": "callrail", "time_zone": "x", "default_country": "y"}`)
	require.Len(t, r.JSON["errors"], 2, "everything that is wrong is told at once")
}

func TestConnections(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	made := f.newConnection()
	require.NotContains(t, made.Raw, crmToken)
	require.Equal(t, map[string]any{"access_token": true}, made.JSON["secrets"])
	require.Equal(t, "4242", made.JSON["config"].(map[string]any)["portal_id"], "a number is kept as its text")
	cid := made.JSON["id"].(string)

	mapping := f.must(200, "GET", "/connections/"+cid+"/mappings/call", "")
	require.EqualValues(t, 1, mapping.JSON["version"], "the connector's default mapping is version 1")
	require.Equal(t, true, mapping.JSON["active"])
	require.Contains(t, mapping.JSON["document"], "object: call")
	f.must(200, "GET", "/connections/"+cid+"/mappings/contact", "")

	test := f.must(200, "POST", "/connections/"+cid+"/test", "")
	require.Equal(t, true, test.JSON["ok"], test.Raw)
	require.NotEmpty(t, test.JSON["checks"])
	got := f.must(200, "GET", "/connections/"+cid, "")
	require.Equal(t, "keyed_upsert", got.JSON["idempotency"])
	require.NotEmpty(t, got.JSON["verified_at"])
	require.NotContains(t, got.Raw, crmToken)

	schema := f.must(200, "GET", "/connections/"+cid+"/schema/call", "")
	require.Contains(t, schema.Raw, "hs_call_title")

	r := f.must(200, "PATCH", "/connections/"+cid, `{"mode": "shadow", "policy": "early", "window_seconds": 30}`)
	require.Equal(t, "early", r.JSON["policy"])
	r = f.must(200, "PATCH", "/connections/"+cid, `{"mode": "live", "policy": null, "window_seconds": null}`)
	require.NotContains(t, r.JSON, "policy")
	require.NotContains(t, r.JSON, "window_seconds")
	require.Equal(t, "4242", r.JSON["config"].(map[string]any)["portal_id"])

	// Where secrets are sent to cannot be changed without knowing them.
	r = f.must(422, "PATCH", "/connections/"+cid, `{"config": {"base_url": "https://evil.example"}}`)
	require.Equal(t, "secrets.access_token", r.JSON["field"])
	r = f.must(422, "PATCH", "/connections/"+cid, `{"config": {"base_url": null}}`)
	require.Equal(t, "secrets.access_token", r.JSON["field"], "taking it away changes the host too")
	f.must(200, "PATCH", "/connections/"+cid, `{"config": {"base_url": "https://api.example.com"}, "secrets": {"access_token": "`+crmToken+`"}}`)
	f.must(200, "PATCH", "/connections/"+cid, `{"config": {"base_url": "https://api.example.com"}}`)
	f.must(200, "PATCH", "/connections/"+cid, `{"config": {"base_url": "`+f.crm.URL+`"}, "secrets": {"access_token": "wrong"}}`)

	test = f.must(200, "POST", "/connections/"+cid+"/test", "")
	require.Equal(t, false, test.JSON["ok"], "the token is wrong")

	f.must(204, "DELETE", "/connections/"+cid, "")
	f.must(404, "GET", "/connections/"+cid, "")
	f.must(404, "GET", "/connections/"+cid+"/mappings/call/versions", "")
}

func TestConnectionFaults(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, c := range []struct{ body, field, says string }{
		{`{"connector": "nobody"}`, "connector", "It knows: hubspot, webhook"},
		{`{"connector": "hubspot"}`, "secrets.access_token", "HubSpot needs Access token"},
		{`{"connector": "hubspot", "secrets": {"access_token": " "}}`, "secrets.access_token", ""},
		{`{"connector": "hubspot", "secrets": {"access_token": "x"}, "config": {"base_url": "http://10.0.0.1"}}`, "config.base_url", "This host is private."},
		{`{"connector": "hubspot", "secrets": {"access_token": "x"}, "config": {"base_url": "ftp://a.example"}}`, "config.base_url", "https://"},
		{`{"connector": "hubspot", "secrets": {"access_token": "x"}, "config": {"base_url": "https://u:p@a.example"}}`, "config.base_url", "under secrets"},
		{`{"connector": "hubspot", "secrets": {"access_token": "x"}, "window_seconds": 9999999}`, "window_seconds", ""},
	} {
		r := f.must(422, "POST", "/connections", c.body)
		require.Equal(t, c.field, r.JSON["field"], c.body)
		require.Contains(t, r.JSON["detail"], c.says, c.body)
	}
	cid := f.newConnection().JSON["id"].(string)
	r := f.must(422, "PATCH", "/connections/"+cid, `{"policy": "never"}`)
	require.Equal(t, "policy", r.JSON["field"])
	r = f.must(422, "PATCH", "/connections/"+cid, `{"window_seconds": -5}`)
	require.Equal(t, "window_seconds", r.JSON["field"])
}

func TestMappings(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cid := f.newConnection().JSON["id"].(string)
	path := "/connections/" + cid + "/mappings/call"
	put := func(status int, document, note string) reply {
		body, err := json.Marshal(map[string]string{"document": document, "note": note})
		require.NoError(t, err)
		return f.must(status, "PUT", path, string(body))
	}
	const at = "  - target: hs_timestamp\n    type: datetime\n    value: {field: started_at}\n"
	r := put(200, "format: 1\nobject: call\nfields:\n"+at+"  - target: hs_call_title\n    value: {field: customer.name}\n", "shorter")
	require.EqualValues(t, 2, r.JSON["version"])
	r = f.must(200, "PUT", path, `{"document": {"format": 1, "object": "call", "fields": [{"target": "hs_call_title", "value": {"const": "x"}},
		{"target": "hs_timestamp", "type": "datetime", "value": {"field": "started_at"}}]}}`)
	require.EqualValues(t, 3, r.JSON["version"], "JSON itself is a document, too")

	r = put(422, "format: 1\nobject: call\nfields:\n  - target: hs_call_title\n    value: {expr: 'customer.nmae +'}\n", "")
	require.Contains(t, r.JSON["detail"], "row 1")
	r = put(422, "format: 1\nobject: call\nfields:\n"+at+"  - target: no_such_field\n    value: {const: x}\n", "")
	require.Contains(t, r.JSON["detail"], `line 7, row 2 (no_such_field), target: The CRM has no field no_such_field in call.`, "targets are compared with what the CRM has")
	r = put(422, "format: 1\nobject: call\nfields:\n"+at+"  - target: hs_call_direction\n    type: picklist\n    value: {const: inbound}\n", "")
	require.Contains(t, r.JSON["detail"], "Did you mean INBOUND?")
	r = put(422, "format: 1\nobject: call\nfields:\n  - target: hs_call_title\n    value: {field: customer.name}\n", "")
	require.Contains(t, r.JSON["detail"], "no record without hs_timestamp")
	put(422, "format: 1\nobject: contact\nfields:\n  - target: phone\n    value: {const: x}\n", "")
	put(422, ":::", "")

	versions := f.must(200, "GET", path+"/versions", "").items()
	require.Len(t, versions, 3)
	f.must(200, "POST", path+"/versions/2/activate", "")
	require.EqualValues(t, 2, f.must(200, "GET", path, "").JSON["version"])
	require.Equal(t, "shorter", f.must(200, "GET", path+"/versions/2", "").JSON["note"])
	f.must(404, "POST", path+"/versions/9/activate", "")
	f.must(404, "GET", path+"/versions/9", "")
	f.must(404, "GET", "/connections/"+cid+"/mappings/nothing", "")

	// What was made from a version that is not in force any more is not saved, and the rows that changed since are named.
	title := func(value string, more string) string {
		return `{"document": ` + text("format: 1\nobject: call\nfields:\n"+at+"  - target: hs_call_title\n    value: {const: "+value+"}\n") + more + `}`
	}
	f.must(200, "PUT", path, title("four", `, "base_version": 2`))
	r = f.must(409, "PUT", path, title("five", `, "base_version": 2`))
	require.Contains(t, r.JSON["detail"], "version 4 is in force by now, and this was made from version 2")
	require.Equal(t, []any{map[string]any{"field": "hs_call_title", "message": "Changed from version 2 to 4"}}, r.JSON["errors"])
	f.must(409, "PUT", path, title("five", `, "base_version": 99`))
	f.must(422, "PUT", path, title("five", `, "base_version": -1`))
	require.Len(t, f.must(200, "GET", path+"/versions", "").items(), 4, "nothing was saved")
	for match, status := range map[string]int{`"2"`: 409, `W/"3"`: 409, "soon": 422} {
		req, err := http.NewRequestWithContext(t.Context(), "PUT", f.http.URL+"/api/v1"+path, strings.NewReader(title("five", "")))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+f.token)
		req.Header.Set("If-Match", match)
		require.Equal(t, status, f.do(f.http.Client(), req).Status, match)
	}
	f.must(200, "PUT", path, title("five", `, "base_version": 0`))
	f.must(200, "PUT", path, title("six", ""))

	// A CRM that does not answer must not keep anybody from saving.
	f.crm.Close()
	r = put(200, "format: 1\nobject: call\nfields:\n  - target: anything\n    value: {const: x}\n", "")
	require.Contains(t, fmt.Sprint(r.JSON["warnings"]), "could not be asked for its fields")
	require.Contains(t, fmt.Sprint(r.JSON["warnings"]), "no field anything", "what is known is said")
}

func TestTables(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.must(200, "PUT", "/own-numbers", `{"items": [{"number": "+1 (415) 555-0101", "label": "Main"}, {"number": "+14155550101"}]}`)
	require.Equal(t, []any{map[string]any{"number": "+14155550101", "label": "Main"}}, r.items())
	r = f.must(422, "PUT", "/own-numbers", `{"items": [{"number": "+14155550101"}, {"number": "12"}]}`)
	require.Equal(t, "items[1].number", r.JSON["field"])
	cid := f.newConnection().JSON["id"].(string)
	r = f.must(200, "PUT", "/connections/"+cid+"/owners", `{"items": [{"agent": "Anna@Example.com", "owner_id": "77"}]}`)
	require.Equal(t, "anna@example.com", r.items()[0].(map[string]any)["agent"])
	f.must(422, "PUT", "/connections/"+cid+"/owners", `{"items": [{"agent": "a@b.c", "owner_id": "77"}, {"agent": "A@b.c", "owner_id": "78"}]}`)
	f.must(404, "PUT", "/connections/"+id()+"/owners", `{"items": []}`)
}

func TestCallDetail(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	cid := f.simpleCall(f.ws, source, connection)

	list := f.must(200, "GET", "/calls?q=4155550101&state=synced&source="+source+"&connection="+connection, "")
	require.Len(t, list.items(), 1)
	item := list.items()[0].(map[string]any)
	require.Equal(t, "synced", item["state"])
	require.Equal(t, "+14155550101", item["customer"].(map[string]any)["number"])
	require.Empty(t, f.must(200, "GET", "/calls?state=on_hold", "").items())
	f.must(422, "GET", "/calls?state=sleeping", "")
	f.must(422, "GET", "/calls?source=x", "")
	f.must(422, "GET", "/calls?cursor=xyz", "")
	f.must(422, "GET", "/calls?limit=100000", "")

	c := f.must(200, "GET", "/calls/"+cid, "")
	require.Equal(t, "inbound", c.JSON["direction"], "the canonical call is at the top")
	require.EqualValues(t, 60, c.JSON["duration_seconds"])
	require.Equal(t, "arrived", c.JSON["artifacts"].(map[string]any)["recording"].(map[string]any)["state"])
	require.Len(t, c.JSON["events"], 1)
	require.Len(t, c.JSON["receipts"], 1)
	d := c.JSON["deliveries"].([]any)[0].(map[string]any)
	require.Equal(t, "done", d["state"])
	require.Equal(t, "7", d["remote_id"])
	require.Len(t, d["attempts"], 1)
	why := c.JSON["why"].([]any)[0].(map[string]any)
	require.Equal(t, connection, why["connection_id"])
	require.Regexp(t, `^In HubSpot since \d\d:\d\d`, why["sentence"])
	f.must(404, "GET", "/calls/"+id(), "")
	f.must(404, "GET", "/calls/x", "")

	f.must(202, "POST", "/calls/"+cid+"/sync", "")
	f.must(202, "POST", "/calls/"+cid+"/sync", `{"connections": ["`+connection+`"]}`)
	f.must(422, "POST", "/calls/"+cid+"/sync", `{"connections": ["`+id()+`"]}`)
	require.Equal(t, []string{f.ws + " " + cid + " ", f.ws + " " + cid + " " + connection}, f.actions.syncs())

	live := f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallRinging, at: time.Now(), facts: call.Facts{Status: call.Ringing}}}})
	f.must(409, "POST", "/calls/"+live+"/sync", "")
	c = f.must(200, "GET", "/calls/"+live, "")
	require.Equal(t, "live", c.JSON["state"])
	require.Equal(t, "unknown", c.JSON["direction"])

	stats := f.must(200, "GET", "/stats", "")
	require.EqualValues(t, 2, stats.JSON["calls"])
	require.EqualValues(t, 1, stats.JSON["by_state"].(map[string]any)["synced"])
	f.must(422, "GET", "/stats?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "")
}

func TestPagination(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	want := map[string]bool{}
	for range 7 {
		want[f.simpleCall(f.ws, source, connection)] = true
	}
	for _, path := range []string{"/calls", "/receipts"} {
		seen, cursor := map[string]bool{}, ""
		for {
			r := f.must(200, "GET", path+"?limit=3&cursor="+cursor, "")
			for _, i := range r.items() {
				id := i.(map[string]any)["id"].(string)
				require.False(t, seen[id], "no row comes twice")
				seen[id] = true
			}
			next, more := r.JSON["next_cursor"].(string)
			if !more {
				break
			}
			require.Len(t, r.items(), 3)
			cursor = next
		}
		require.Len(t, seen, len(want), path)
	}
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source := f.newSource().JSON["id"].(string)
	r := records.Receipt{ID: id(), WorkspaceID: f.ws, SourceID: source, ReceivedAt: time.Now(), Method: "POST", HookEvent: "post-call",
		Query: []byte("a=b"), Headers: []byte(`{"Content-Type": ["text/plain"]}`), Body: []byte("a\x00\xff<script>"), Signature: "bad"}
	r.Result.State, r.Result.Reason, r.Result.Detail = "rejected", "The signature does not match.", "chain"
	require.NoError(t, f.db.InsertReceipts(t.Context(), []records.Receipt{r}))

	require.Len(t, f.must(200, "GET", "/receipts?state=rejected&source="+source, "").items(), 1)
	require.Empty(t, f.must(200, "GET", "/receipts?state=pending", "").items())
	got := f.must(200, "GET", "/receipts/"+r.ID, "")
	require.Equal(t, "The signature does not match.", got.JSON["reason"])
	require.Equal(t, "YQD/PHNjcmlwdD4=", got.JSON["body_base64"])
	require.Equal(t, "a\x00\uFFFD<script>", got.JSON["body"])
	require.EqualValues(t, 11, got.JSON["bytes"])
	f.must(202, "POST", "/receipts/"+r.ID+"/replay", "")
	require.Equal(t, []string{f.ws + " " + r.ID}, f.actions.replay)
	f.must(404, "POST", "/receipts/"+id()+"/replay", "")
	f.actions.fail = errors.New("database password is hunter2")
	r2 := f.must(500, "POST", "/receipts/"+r.ID+"/replay", "")
	require.NotContains(t, r2.Raw, "hunter2")
}

func TestHoldsAreDrained(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	var want []string
	for range 60 { // more than are retried before the answer
		at := time.Now().Add(-time.Hour)
		cid := f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at, facts: call.Facts{Status: call.Missed, StartedAt: at}}},
			lanes: []told{{connection: connection, state: "parked", revision: 1, class: "invalid", field: "hs_call_disposition", reason: "HubSpot refused it."}}})
		want = append(want, fmt.Sprintf("%s %s %s", f.ws, cid, connection))
	}
	holds := f.must(200, "GET", "/holds", "").items()
	require.Len(t, holds, 1)
	hold := holds[0].(map[string]any)
	require.EqualValues(t, 60, hold["count"])
	require.Len(t, hold["call_ids"], 5)
	r := f.must(202, "POST", "/holds/"+hold["id"].(string)+"/retry", "")
	require.EqualValues(t, 60, r.JSON["queued"])
	require.Eventually(t, func() bool { return len(f.actions.syncs()) == 60 }, 10*time.Second, 5*time.Millisecond)
	require.Equal(t, want, f.actions.syncs(), "in the order in which they were held")
	f.must(404, "POST", "/holds/"+id()+"/retry", "")
}

func TestPauseParksAndResumeDrains(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	r := f.must(200, "POST", "/connections/"+connection+"/pause", "")
	require.Equal(t, "paused", r.JSON["status"])
	require.Contains(t, r.JSON["status_reason"], "Paused by")
	at := time.Now().Add(-time.Hour)
	cid := f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at, facts: call.Facts{Status: call.Missed, StartedAt: at}}},
		lanes: []told{{connection: connection, state: "parked", revision: 1, class: "paused", reason: r.JSON["status_reason"].(string)}}})
	why := f.must(200, "GET", "/calls/"+cid, "").JSON["why"].([]any)[0].(map[string]any)
	require.Contains(t, why["sentence"], "On hold: Paused by")
	require.Equal(t, "open_connection", why["action"])
	r = f.must(200, "POST", "/connections/"+connection+"/resume", "")
	require.Equal(t, "active", r.JSON["status"])
	require.Equal(t, []string{f.ws + " " + cid + " " + connection}, f.actions.syncs())
}

func TestWorkspacesAndTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.Len(t, f.must(200, "GET", "/workspaces", "").items(), 1, "a token sees its own")
	f.must(403, "POST", "/workspaces", `{"name": "x"}`)
	w := f.as(f.boot, "POST", "/api/v1/workspaces", `{"name": "Beta"}`)
	require.Equal(t, 201, w.Status, w.Raw)
	other := w.JSON["id"].(string)
	require.Len(t, f.as(f.boot, "GET", "/api/v1/workspaces", "").items(), 2)
	f.must(403, "POST", "/tokens", `{"name": "x", "workspace_id": "`+other+`"}`)
	tok := f.as(f.boot, "POST", "/api/v1/tokens", `{"name": "beta", "workspace_id": "`+other+`"}`)
	require.Equal(t, 201, tok.Status, tok.Raw)
	token := tok.JSON["token"].(string)
	require.Equal(t, 200, f.as(token, "GET", "/api/v1/calls", "").Status)
	require.Equal(t, 404, f.as(f.boot, "POST", "/api/v1/tokens", `{"name": "beta", "workspace_id": "`+id()+`"}`).Status)

	list := f.as(token, "GET", "/api/v1/tokens", "")
	require.Len(t, list.items(), 1)
	require.NotContains(t, list.Raw, token)
	require.Equal(t, 204, f.as(token, "DELETE", "/api/v1/tokens/"+tok.JSON["id"].(string), "").Status)
	require.Equal(t, 401, f.as(token, "GET", "/api/v1/calls", "").Status, "a revoked token opens nothing")
}

func TestKinds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.must(200, "GET", "/providers", "")
	require.Equal(t, "callrail", r.items()[0].(map[string]any)["id"])
	r = f.must(200, "GET", "/connectors", "")
	require.Len(t, r.items(), 2)
	require.NotEmpty(t, r.items()[0].(map[string]any)["capabilities"])
}
