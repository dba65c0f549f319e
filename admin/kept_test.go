package admin_test

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// edited has somebody's edits be kept in the call's deliveries.
func (f *fixture) edited(callID, theirs string) {
	f.t.Helper()
	at := time.Now().Add(-time.Minute).UTC()
	kept, err := json.Marshal(map[string]records.Kept{
		"hs_call_body":  {Cause: records.KeptEdited, Ours: "old", Theirs: theirs, Wanted: "new", TheirsHash: "h1", WantedHash: "h2", At: at},
		"hs_call_title": {Cause: records.KeptCleared, Ours: "Call", Wanted: "Better call", TheirsHash: "h3", WantedHash: "h4", At: at},
		"filled":        {Cause: records.KeptFilled, Theirs: "theirs", Wanted: "ours", TheirsHash: "h5", WantedHash: "h6", At: at},
		"over":          {Cause: records.KeptEdited, Theirs: "theirs", TheirsHash: "h7", WantedHash: "h8", At: at, ResolvedAt: at.Add(time.Second), Resolution: records.ResolvedReverted},
	})
	require.NoError(f.t, err)
	f.exec(`update deliveries set kept = $2 where record_id = $1`, callID, kept)
}

func (f *fixture) overruled(callID string) (out map[string]string) {
	f.t.Helper()
	var data []byte
	require.NoError(f.t, f.sql.QueryRow(f.t.Context(), `select overruled from deliveries where record_id = $1`, callID).Scan(&data))
	require.NoError(f.t, json.Unmarshal(data, &out))
	return out
}

func TestKeptEditsAreShown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	callID := f.simpleCall(f.ws, source, connection)
	f.edited(callID, "a human's <b>words</b>")

	d := f.must(200, "GET", "/calls/"+callID, "").JSON["deliveries"].([]any)[0].(map[string]any)
	kept := d["kept"].([]any)
	require.Len(t, kept, 4)
	require.Equal(t, "filled", kept[0].(map[string]any)["field"], "in the order of their names")
	body := kept[1].(map[string]any)
	require.Equal(t, []any{"hs_call_body", "edited", "old", "a human's <b>words</b>", "new", true},
		[]any{body["field"], body["cause"], body["ours"], body["theirs"], body["wanted"], body["open"]})
	require.Equal(t, "reverted", kept[3].(map[string]any)["resolution"])

	f.user(f.ws, "anna@example.com", "Anna", "operator")
	f.user(f.ws, "vera@example.com", "Vera", "viewer")
	client := f.signIn("anna@example.com")
	f.must(200, "POST", "/connections/"+connection+"/schema/call/refresh", "")
	f.exec(`update crm_schema_versions set document = jsonb_set(document, '{fields}', document->'fields' || '[{"name": "hs_call_body", "label": "Call <notes>", "type": "html"}]') where object = 'call'`)
	page := f.get(client, "/calls/"+callID).Raw
	require.Contains(t, page, `Kept what somebody changed in HubSpot: <b title="hs_call_body">Call &lt;notes&gt;</b> (changed), <b title="hs_call_title">hs_call_title</b> (emptied).`)
	require.Contains(t, page, "Call &lt;notes&gt;: changed.", "on the timeline, too")
	require.Contains(t, page, "a human&#39;s &lt;b&gt;words&lt;/b&gt;")
	require.NotContains(t, page, ">filled<", "that a filled field is left alone is no news")
	require.Contains(t, page, "it was taken back in the CRM")
	require.Contains(t, page, "Take ours")
	require.NotContains(t, f.get(f.signIn("vera@example.com"), "/calls/"+callID).Raw, "Take ours")

	r := f.post(client, "/calls/"+callID+"/take-ours", url.Values{"connection": {connection}, "field": {"hs_call_title"}})
	require.Equal(t, 303, r.Status)
	require.Equal(t, map[string]string{"hs_call_title": "h3"}, f.overruled(callID))
	require.Equal(t, []string{f.ws + " " + callID + " " + connection}, f.actions.syncs())

	r = f.must(202, "POST", "/calls/"+callID+"/take-ours", `{"connection_id": "`+connection+`"}`)
	require.EqualValues(t, 2, r.JSON["fields"], "those that are open, and no filled one")
	require.Equal(t, map[string]string{"hs_call_title": "h3", "hs_call_body": "h1"}, f.overruled(callID))
	f.must(409, "POST", "/calls/"+callID+"/take-ours", `{"connection_id": "`+connection+`", "fields": ["over"]}`)
	f.must(409, "POST", "/calls/"+callID+"/take-ours", `{"connection_id": "`+id()+`"}`)
	f.must(422, "POST", "/calls/"+callID+"/take-ours", `{"connection_id": "x"}`)
	require.Equal(t, 403, f.post(f.signIn("vera@example.com"), "/calls/"+callID+"/take-ours", url.Values{"connection": {connection}}).Status)
}

func TestTheHealthOfAConnection(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	connection := f.newConnection().JSON["id"].(string)
	f.user(f.ws, "anna@example.com", "Anna", "viewer")
	client := f.signIn("anna@example.com")
	health := func() map[string]any {
		listed := f.must(200, "GET", "/connections", "").items()[0].(map[string]any)["health"]
		h := f.must(200, "GET", "/connections/"+connection, "").JSON["health"].(map[string]any)
		require.Equal(t, listed.(map[string]any)["failures"], h["failures"])
		return h
	}
	require.Equal(t, map[string]any{"failures": 0.0}, health())
	require.NotContains(t, f.get(client, "/connections").Raw, "next try")

	f.exec(`insert into connection_health (connection_id, workspace_id, failures, since, suspended_until) values ($1, $2, 5, now() - interval '5 minutes', now() + interval '1 minute')`, connection, f.ws)
	h := health()
	require.NotEmpty(t, h["since"])
	require.NotEmpty(t, h["suspended_until"])
	require.Regexp(t, `Suspended after five failures since <time[^>]*>[^<]*</time>; next try <time`, f.get(client, "/connections").Raw)

	f.exec(`update connection_health set failures = 0, suspended_until = '-infinity'`)
	f.exec(`insert into rate_budgets (connection_id, workspace_id, class, day, used, blocked_until) values ($1, $2, 'search', '', 0, now() + interval '1 hour'), ($1, $2, '', '2026-11-22', 77, '-infinity')`, connection, f.ws)
	limits := health()["limits"].([]any)
	require.Equal(t, 77.0, limits[0].(map[string]any)["used"])
	require.NotEmpty(t, limits[1].(map[string]any)["blocked_until"])
	require.Contains(t, f.get(client, "/connections").Raw, "The CRM asks to wait until")
}
