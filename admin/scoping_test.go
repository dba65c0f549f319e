package admin_test

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// Every route of the API is asked, with another workspace's token, for the things of this one.
func TestNoRouteCrossesWorkspaces(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	callID := f.simpleCall(f.ws, source, connection)
	f.edited(callID, "private words")
	at := time.Now().Add(-time.Hour)
	f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at, facts: call.Facts{Status: call.Missed, StartedAt: at}}},
		lanes: []told{{connection: connection, state: "parked", revision: 1, class: "invalid", reason: "No."}}})
	f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallRinging, at: time.Now(), facts: call.Facts{Customer: call.Party{Name: "Jane"}}}}})
	message, form := id(), id()
	f.user(f.ws, "owner@example.com", "Owner", "admin")
	f.exec(`insert into messages (id, workspace_id, source_id, provider_id, state) values ($1, $2, $3, 'm', '{"body": "private words"}')`, message, f.ws, source)
	f.exec(`insert into forms (id, workspace_id, source_id, provider_id, state) values ($1, $2, $3, 'f', '{"form_url": "https://private.example"}')`, form, f.ws, source)
	f.must(200, "PUT", "/own-numbers", `{"items": [{"number": "+14155550999"}]}`)
	f.must(200, "PUT", "/connections/"+connection+"/owners", `{"items": [{"agent": "private@example.com", "owner_id": "77"}]}`)
	first := func(path string) string {
		return f.must(200, "GET", path, "").items()[0].(map[string]any)["id"].(string)
	}
	f.asked(source, connection, "+14155550101", 5, "done", records.Candidate{Object: "contact", ID: "1", Name: "Jane"})
	review := first("/reviews?state=open")
	f.asked(source, connection, "+14155550999", 5, "done")
	f.must(200, "POST", "/reviews/"+first("/reviews?state=open")+"/resolve", `{"contact_id": "none"}`)
	require.NoError(t, f.db.Sight(t.Context(), records.Sighting{WorkspaceID: f.ws, SourceID: source, Lines: []string{"+14155550999"}, Agents: []records.SeenAgent{{Key: "private@example.com"}}}))
	_, followUp := f.followUp(source, connection, "+14155550777")
	channel := f.must(201, "POST", "/alert-channels", `{"kind": "email", "name": "Ops", "config": {"to": "private@example.com"}}`).JSON["id"].(string)
	ids := map[string]string{
		"/alerts/": f.alert(f.ws, records.AlertSilent, "source", source, "private words", "critical", "open", time.Hour), "/alert-channels/": channel,
		"/follow-ups/": followUp,
		"/reviews/":    review, "/match-choices/": first("/match-choices"),
		"/sources/": source, "/connections/": connection, "/calls/": callID, "/receipts/": first("/receipts"), "/holds/": first("/holds"),
		"/resyncs/":  f.must(202, "POST", "/resyncs", `{"filter": {"q": "private words"}, "dry_run": true}`).JSON["id"].(string),
		"/messages/": message, "/forms/": form, "/tokens/": first("/tokens"),
		"/users/": first("/users"), "/invitations/": f.must(201, "POST", "/users", `{"email": "private@example.com", "role": "admin"}`).JSON["id"].(string), "/workspaces/": f.ws,
	}
	recording := f.recordingsOf(callID)[0].ID
	bodies := map[string]string{
		"PATCH /sources/{id}": `{"name": "stolen"}`, "PATCH /connections/{id}": `{"name": "stolen"}`,
		"PUT /connections/{id}/owners":                   `{"items": []}`,
		"PUT /connections/{id}/dispositions":             `{"items": []}`,
		"PUT /connections/{id}/actions":                  `{"document": "actions: []"}`,
		"POST /connections/{id}/actions/preview":         `{"document": "actions: []"}`,
		"PUT /connections/{id}/rules":                    `{"document": "otherwise: skip"}`,
		"PUT /sources/{id}/rules":                        `{"document": "otherwise: skip"}`,
		"POST /connections/{id}/rules/preview":           `{"document": "otherwise: skip"}`,
		"POST /sources/{id}/rules/preview":               `{"document": "otherwise: skip"}`,
		"PUT /connections/{id}/mappings/{object}":        `{"document": {"format": 1, "object": "call", "fields": [{"target": "hs_call_title", "value": {"const": "stolen"}}]}}`,
		"POST /connections/{id}/mappings/{object}/check": `{"document": {"format": 1, "object": "call", "fields": [{"target": "hs_call_title", "value": {"const": "stolen"}}]}}`,
		"POST /sources/{id}/pull":                        `{"from": "2026-01-01T00:00:00Z"}`,
		"POST /sources/{id}/drift/acknowledge":           `{"all": true}`,
		"PUT /own-numbers":                               `{"items": []}`,
		"PATCH /own-numbers/learned":                     `{"number": "+14155550999", "rejected": true}`,
		"POST /reviews/{id}/resolve":                     `{"contact_id": "1"}`,
		"POST /sources":                                  `{"provider": "callrail", "name": "x", "connections": ["` + connection + `"]}`,
		"POST /resyncs":                                  `{"filter": {}, "connections": ["` + connection + `"]}`,
		"POST /connections":                              `{"connector": "nobody"}`,
		"POST /tokens":                                   `{"name": "x", "workspace_id": "` + f.ws + `"}`,
		"POST /workspaces":                               `{"name": "x"}`,
		"PATCH /workspaces/{id}":                         `{"name": "stolen"}`,
		"POST /users":                                    `{"email": "x@example.com", "role": "viewer"}`,
		"PATCH /users/{id}":                              `{"name": "stolen", "role": "viewer"}`,
	}

	bodies["POST /alerts/{id}/mute"] = `{"hours": 1}`
	bodies["PATCH /alert-channels/{id}"] = `{"name": "stolen"}`
	bodies["POST /calls/{id}/take-ours"] = `{"connection_id": "` + connection + `"}`
	bodies["POST /connections/{id}/mappings/{object}/preview"] = `{"last": 1}`

	require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: id(), Name: "nobody's"}))
	other := id()
	require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: other, Name: "Beta"}))
	stranger := f.newToken(other)
	before := f.everything(ids)

	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	require.NoError(t, json.Unmarshal([]byte(f.must(200, "GET", "/openapi.json", "").Raw), &doc))
	asked := 0
	var paths []string
	for path := range doc.Paths {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	for _, path := range paths {
		for method := range doc.Paths[path] {
			method = strings.ToUpper(method)
			name := method + " " + path
			real := strings.NewReplacer("{object}", "call", "{n}", "1", "{a}", "1", "{b}", "1", "{recording}", recording).Replace(path)
			if prefix, _, ok := strings.Cut(path, "{id}"); ok {
				require.Contains(t, ids, prefix, "the test knows nothing to ask %s for", name)
				real = strings.Replace(real, "{id}", ids[prefix], 1)
			}
			require.NotContains(t, real, "{", "the test does not know all parts of %s", name)
			r := f.as(stranger, method, "/api/v1"+real, bodies[name])
			asked++
			require.Less(t, r.Status, 500, "%s: %s", name, r.Raw)
			if strings.Contains(path, "{id}") {
				require.Equal(t, 404, r.Status, "%s: %s", name, r.Raw)
			}
			for _, private := range ids {
				if !strings.Contains(real, private) {
					require.NotContains(t, r.Raw, private, name)
				}
			}
			for _, private := range []string{"private words", "private.example", "private@example.com", "4155550101", "4155550999", "Jane", f.ws} {
				require.NotContains(t, r.Raw, private, name)
			}
		}
	}
	require.Greater(t, asked, 40)
	require.Equal(t, before, f.everything(ids), "nothing of the workspace has changed")
	require.Empty(t, f.actions.syncs())
	require.Empty(t, f.actions.replay)

	// Filters by another's ids find nothing.
	for _, path := range []string{"/calls?source=" + source, "/calls?connection=" + connection, "/calls?q=" + callID, "/receipts?source=" + source, "/messages?source=" + source} {
		r := f.as(stranger, "GET", "/api/v1"+path, "")
		require.Equal(t, 200, r.Status)
		require.Empty(t, r.items())
	}

	// The pages keep to the same.
	f.user(other, "stranger@example.com", "Stranger", "admin")
	client := f.signIn("stranger@example.com")
	for _, path := range []string{"/calls/" + callID, "/receipts/" + ids["/receipts/"], "/connections/" + connection + "/owners", "/connections/" + connection + "/match",
		"/sources/" + source, "/sources/" + source + "/edit", "/sources/" + source + "/delete", "/sources/" + source + "/rotate-token"} {
		r := f.get(client, path)
		require.Equal(t, 404, r.Status)
		require.NotContains(t, r.Raw, "Jane")
	}
	for _, path := range []string{"/calls", "/live", "/live/rows", "/receipts", "/holds", "/sources", "/connections", "/reviews", "/reviews?show=choices", "/numbers"} {
		r := f.get(client, path)
		require.Equal(t, 200, r.Status)
		for _, private := range ids {
			require.NotContains(t, r.Raw, private, path)
		}
	}
	for _, path := range []string{"/sources/" + source + "/edit", "/sources/" + source + "/delete", "/sources/" + source + "/rotate-token", "/sources/" + source + "/send-test",
		"/calls/" + callID + "/sync", "/calls/" + callID + "/take-ours", "/receipts/" + ids["/receipts/"] + "/replay", "/connections/" + connection + "/pause", "/connections/" + connection + "/test", "/connections/" + connection + "/resume",
		"/connections/" + connection + "/owners", "/connections/" + connection + "/owners/match", "/connections/" + connection + "/match", "/reviews/" + review + "/resolve", "/match-choices/" + ids["/match-choices/"] + "/forget"} {
		require.Equal(t, 404, f.post(client, path, nil).Status, path)
	}
	f.post(client, "/holds/"+ids["/holds/"]+"/retry", nil)
	require.Empty(t, f.actions.syncs())
	require.Equal(t, before, f.everything(ids))
	_, err := f.db.SourceByToken(t.Context(), secretbox.HashToken("x"))
	require.ErrorIs(t, err, records.ErrNotFound)
}

// everything is what the workspace sees of itself.
func (f *fixture) everything(ids map[string]string) string {
	f.t.Helper()
	var b strings.Builder
	for _, path := range []string{"/sources", "/connections", "/own-numbers", "/users", "/invitations", "/workspaces", "/holds", "/messages", "/forms", "/calls", "/reviews", "/match-choices", "/alerts", "/alert-channels", "/alert-settings", "/own-numbers/learned",
		"/connections/" + ids["/connections/"] + "/owners", "/connections/" + ids["/connections/"] + "/dispositions", "/connections/" + ids["/connections/"] + "/rules", "/sources/" + ids["/sources/"] + "/rules", "/connections/" + ids["/connections/"] + "/mappings/call/versions"} {
		b.WriteString(f.must(200, "GET", path, "").Raw)
	}
	for _, k := range f.recordingsOf(ids["/calls/"]) {
		b.WriteString(fmt.Sprint(k.State, k.NextAt, k.RevokedAt))
	}
	for _, t := range f.must(200, "GET", "/tokens", "").items() {
		b.WriteString(t.(map[string]any)["id"].(string)) // the time of its last use changes
	}
	return b.String()
}
