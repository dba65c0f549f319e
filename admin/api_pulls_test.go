package admin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

func TestPulls(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sid := f.newSource().JSON["id"].(string)
	at := func(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.RFC3339) }
	day := fmt.Sprintf(`{"from": %q}`, at(24*time.Hour))

	r := f.must(422, "POST", "/sources/"+sid+"/pull", day)
	require.Contains(t, r.JSON["detail"], "API key")
	f.must(200, "PATCH", "/sources/"+sid, `{"secrets": {"api_key": "very-secret-key"}, "config": {"api_account_id": 123456789}}`)
	id := f.must(202, "POST", "/sources/"+sid+"/pull", day).JSON["id"].(string)
	for body, field := range map[string]string{
		`{}`: "from",
		fmt.Sprintf(`{"from": %q}`, at(-time.Hour)):                           "from",
		fmt.Sprintf(`{"from": %q, "to": %q}`, at(time.Hour), at(2*time.Hour)): "from",
		fmt.Sprintf(`{"from": %q}`, at(3*365*24*time.Hour)):                   "from",
		fmt.Sprintf(`{"from": "yesterday", "to": %q}`, at(time.Hour)):         "from",
		fmt.Sprintf(`{"from": %q, "cursor": "7"}`, at(time.Hour)):             "cursor",
	} {
		r := f.must(422, "POST", "/sources/"+sid+"/pull", body)
		require.Contains(t, r.Raw, field, body)
	}
	f.must(404, "POST", "/sources/"+uuid.NewString()+"/pull", day)
	f.must(404, "GET", "/sources/"+uuid.NewString()+"/pulls", "")

	// What the worker makes of it.
	receipt := records.Receipt{ID: idAt(time.Now()), WorkspaceID: f.ws, SourceID: sid, ReceivedAt: time.Now(), Method: "PULL", HookEvent: "pulled-call", Headers: []byte("{}"), Body: []byte(`{"id":"CAL1"}`), Signature: "none"}
	pull, err := f.db.SavePullPage(t.Context(), f.ws, id, records.PulledPage{Next: "1", LeftOut: 2, Items: []records.PulledItem{{ID: "CAL1", Receipt: receipt}}})
	require.NoError(t, err)
	require.Equal(t, records.PullRunning, pull.State)
	require.NoError(t, f.db.NotePull(t.Context(), f.ws, id, "CallRail did not answer. callsync asks again.", "operator's chain", time.Now().Add(time.Minute)))
	items := f.must(200, "GET", "/sources/"+sid+"/pulls", "").items()
	require.Len(t, items, 1)
	got := items[0].(map[string]any)
	require.NotContains(t, fmt.Sprint(got), "operator's chain")
	for name, want := range map[string]any{"id": id, "kind": "manual", "state": "running", "read": 3.0, "left_out": 2.0, "waiting": 1.0,
		"new": 0.0, "changed": 0.0, "unchanged": 0.0, "failed": 0.0, "error": "CallRail did not answer. callsync asks again."} {
		require.Equal(t, want, got[name], name)
	}
	require.NotEmpty(t, got["retry_at"])
	require.Empty(t, got["ended_at"])

	// Pages, newest first.
	second := f.must(202, "POST", "/sources/"+sid+"/pull", day).JSON["id"].(string)
	r = f.must(200, "GET", "/sources/"+sid+"/pulls?limit=1", "")
	require.Equal(t, second, r.items()[0].(map[string]any)["id"])
	r = f.must(200, "GET", "/sources/"+sid+"/pulls?limit=1&cursor="+r.JSON["next_cursor"].(string), "")
	require.Equal(t, id, r.items()[0].(map[string]any)["id"])
	require.Empty(t, r.JSON["next_cursor"])

	// Another workspace sees and starts nothing.
	other := f.otherToken(t)
	require.Equal(t, 404, f.as(other, "GET", "/api/v1/sources/"+sid+"/pulls", "").Status)
	require.Equal(t, 404, f.as(other, "POST", "/api/v1/sources/"+sid+"/pull", day).Status)
	require.NotContains(t, f.log.String(), "very-secret")
}

// otherToken makes another workspace and returns a token of it.
func (f *fixture) otherToken(t *testing.T) string {
	t.Helper()
	ws := id()
	require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: ws, Name: "Other"}))
	return f.newToken(ws)
}

// The API key goes where api_base_url says, so who changes the one must know the other.
func TestPullAddress(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sid := f.newSource().JSON["id"].(string)
	f.must(200, "PATCH", "/sources/"+sid, `{"config": {"api_base_url": "https://proxy.example"}}`)
	f.must(200, "PATCH", "/sources/"+sid, `{"secrets": {"api_key": "k"}}`)
	r := f.must(422, "PATCH", "/sources/"+sid, `{"config": {"api_base_url": "https://evil.example"}}`)
	require.Contains(t, r.Raw, "secrets.api_key")
	f.must(422, "PATCH", "/sources/"+sid, `{"config": {"api_base_url": null}}`)
	f.must(200, "PATCH", "/sources/"+sid, `{"config": {"api_base_url": null}, "secrets": {"api_key": "k"}}`)
	f.must(200, "PATCH", "/sources/"+sid, `{"name": "Front desk"}`)
	for address, says := range map[string]string{"http://10.0.0.1": "private", "ftp://a.example": "https://", "https://u:p@a.example": "secrets", "a.example": "https://"} {
		r := f.must(422, "PATCH", "/sources/"+sid, `{"config": {"api_base_url": "`+address+`"}, "secrets": {"api_key": "k"}}`)
		require.Contains(t, r.Raw, "config.api_base_url", address)
		require.Contains(t, r.Raw, says, address)
	}
}
