package admin_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// recordingsOf are what is kept of a call's recordings; the rows are made if there are none.
func (f *fixture) recordingsOf(callID string) []records.Recording {
	f.t.Helper()
	d, err := f.db.CallDetail(f.t.Context(), f.ws, callID)
	require.NoError(f.t, err)
	all, err := f.db.ShareRecordings(f.t.Context(), d.Call)
	require.NoError(f.t, err)
	return all
}

func TestRecordingSettings(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source := f.newSource()
	require.Equal(t, map[string]any{"policy": "link", "hosts": []any{}, "sign_in": false}, source.JSON["recordings"])
	at := "/sources/" + source.JSON["id"].(string)
	got := f.must(200, "PATCH", at, `{"recordings": {"policy": "archive", "hosts": ["Files.Example.com", "*.example.org", "files.example.com"], "retention_days": 30, "sign_in": true}}`)
	want := map[string]any{"policy": "archive", "hosts": []any{"files.example.com", "*.example.org"}, "retention_days": 30.0, "sign_in": true}
	require.Equal(t, want, got.JSON["recordings"])
	require.Equal(t, want, f.must(200, "PATCH", at, `{"name": "Other"}`).JSON["recordings"])
	got = f.must(200, "PATCH", at, `{"recordings": {"retention_days": null}}`)
	require.NotContains(t, got.JSON["recordings"], "retention_days")
	for _, bad := range []string{`{"hosts": ["https://x.example/path"]}`, `{"hosts": ["*"]}`, `{"policy": "burn"}`, `{"retention_days": -1}`} {
		f.must(422, "PATCH", at, `{"recordings": `+bad+`}`)
	}

	conn := f.newConnection()
	require.Equal(t, "link", conn.JSON["recordings"])
	at = "/connections/" + conn.JSON["id"].(string)
	require.Equal(t, "upload", f.must(200, "PATCH", at, `{"recordings": "upload"}`).JSON["recordings"])
	require.Equal(t, "upload", f.must(200, "PATCH", at, `{"name": "x"}`).JSON["recordings"])
	f.must(422, "PATCH", at, `{"recordings": "burn"}`)
	r := f.must(422, "POST", "/connections", `{"connector": "webhook", "name": "w", "recordings": "upload", "config": {"url": "https://hooks.example.com/x"}, "secrets": {"signing_key": "0123456789abcdef0123456789abcdef"}}`)
	require.Contains(t, r.Raw, "takes no recordings")
}

func TestRecordingsOfACall(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, conn := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	callID := f.simpleCall(f.ws, source, conn)
	k := f.recordingsOf(callID)[0]
	kept := func() map[string]any {
		t.Helper()
		return f.must(200, "GET", "/calls/"+callID, "").JSON["recordings_kept"].([]any)[0].(map[string]any)
	}
	require.Equal(t, f.http.URL+"/recordings/"+k.Token, kept()["link"])
	require.Equal(t, "1", kept()["recording"])
	f.user(f.ws, "ada@example.com", "Ada", "operator")
	client := f.signIn("ada@example.com")
	page := f.get(client, "/calls/"+callID)
	require.Contains(t, page.Raw, `<audio controls preload="none" src="/recordings/`+k.Token+`" aria-label="Recording of the call with Jane Doe`)
	require.Contains(t, page.Raw, "At the phone system.")
	require.Contains(t, page.Header.Get("Content-Security-Policy"), "media-src 'self' https:")
	require.NotContains(t, f.get(client, "/calls").Header.Get("Content-Security-Policy"), "media-src")

	require.Equal(t, 303, f.post(client, "/calls/"+callID+"/recordings/"+k.ID+"/revoke", url.Values{}).Status)
	require.NotContains(t, kept(), "link")
	require.Equal(t, "Ada", kept()["revoked_by"])
	page = f.get(client, "/calls/"+callID)
	require.Contains(t, page.Raw, "Its link was withdrawn by Ada")
	require.NotContains(t, page.Raw, k.Token)
	require.Equal(t, 303, f.post(client, "/calls/"+callID+"/recordings/"+k.ID+"/restore", url.Values{}).Status)
	require.NotEmpty(t, kept()["link"])

	require.Equal(t, 303, f.post(client, "/calls/"+callID+"/recordings/"+k.ID+"/fetch", url.Values{}).Status)
	require.NotEmpty(t, kept()["next_attempt_at"])
	for state, says := range map[[2]string]string{
		{"expected", "not_yet"}:      "Not yet: It is not there.",
		{"failed", "host"}:           "It is not there.",
		{"unavailable", "never"}:     "It will not come. It is not there.",
		{"unavailable", "expired"}:   "It is not there.",
		{"available", "unreachable"}: "It is not there.",
	} {
		f.exec(`update recordings set state = $1, class = $2, reason = 'It is not there.'`, state[0], state[1])
		require.Contains(t, f.get(client, "/calls/"+callID).Raw, says)
		require.Equal(t, state[0], kept()["state"])
		first := f.must(200, "GET", "/calls/"+callID, "").JSON["recordings"].([]any)[0].(map[string]any)
		require.Equal(t, state[0], first["state"])
	}
	f.exec(`update recordings set state = 'archived', class = '', reason = '', size = 3355443, archived_at = $1`, time.Now())
	f.exec(`update sources set recording_days = 30, recordings = 'archive'`)
	page = f.get(client, "/calls/"+callID)
	require.Contains(t, page.Raw, "archive, 3.2 MB.")
	require.Contains(t, page.Raw, "It is deleted")
	f.user(f.ws, "eve@example.com", "Eve", "viewer")
	viewer := f.signIn("eve@example.com")
	require.Equal(t, 403, f.post(viewer, "/calls/"+callID+"/recordings/"+k.ID+"/revoke", url.Values{}).Status)
	f.must(404, "POST", "/calls/"+callID+"/recordings/"+id()+"/revoke", "")
}

func TestRecordingForms(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "ada@example.com", "Ada", "admin")
	client := f.signIn("ada@example.com")
	source := f.newSource().JSON["id"].(string)
	form := url.Values{"name": {"Main"}, "policy": {"complete"}, "window_minutes": {"20"}, "quiet_seconds": {"5"}, "stale_minutes": {"240"}, "feeds": {"all"},
		"recordings_policy": {"archive"}, "recording_hosts": {"files.example.com\r\n*.example.org"}, "recording_days": {"90"}, "recording_sign_in": {"true"}}
	require.Equal(t, 303, f.post(client, "/sources/"+source+"/edit", form).Status)
	require.Equal(t, map[string]any{"policy": "archive", "hosts": []any{"files.example.com", "*.example.org"}, "retention_days": 90.0, "sign_in": true},
		f.must(200, "GET", "/sources/"+source, "").JSON["recordings"])
	page := f.get(client, "/sources/"+source+"/edit")
	require.Contains(t, page.Raw, `value="archive" checked`)
	require.Contains(t, page.Raw, "files.example.com\n*.example.org")
	form.Set("recording_hosts", "https://files.example.com/x")
	r := f.post(client, "/sources/"+source+"/edit", form)
	require.Equal(t, 422, r.Status)
	require.Contains(t, r.Raw, `id="recording_hosts-wrong"`)
	form.Set("recording_hosts", "")
	form.Set("recording_days", "soon")
	r = f.post(client, "/sources/"+source+"/edit", form)
	require.Equal(t, 422, r.Status)
	require.Contains(t, r.Raw, `id="recording_days-wrong"`)
}
