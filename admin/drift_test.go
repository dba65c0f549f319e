package admin_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

func TestDrift(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "admin")
	f.user(f.ws, "vera@example.com", "Vera", "viewer")
	sid := f.newSource().JSON["id"].(string)
	require.Empty(t, f.must(200, "GET", "/sources/"+sid+"/drift", "").items())
	anna, vera := f.signIn("anna@example.com"), f.signIn("vera@example.com")
	require.NotContains(t, f.get(anna, "/sources/"+sid).Raw, `id="drift"`, "no block where there is nothing to say")

	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	sighting := func(path string, later time.Duration) records.FieldSighting {
		return records.FieldSighting{WorkspaceID: f.ws, SourceID: sid, FieldName: records.FieldName{Trigger: "post-call", Path: path}, Type: "text",
			Count: 3, First: at.Add(later), Last: at.Add(later), ReceiptID: id()}
	}
	require.NoError(t, f.db.RecordFields(t.Context(), []records.FieldSighting{sighting("mood", 0), sighting("<script>legs[].codec", time.Hour), sighting("third", 2*time.Hour)}))
	items := f.must(200, "GET", "/sources/"+sid+"/drift", "").items()
	require.Len(t, items, 3)
	oldest := items[2].(map[string]any)
	require.Equal(t, "mood", oldest["path"])
	require.Equal(t, "post-call", oldest["trigger"])
	require.Equal(t, 3.0, oldest["seen"])
	require.NotContains(t, oldest, "acknowledged_at")

	page := f.get(vera, "/sources/"+sid).Raw
	require.Contains(t, page, "3 new fields")
	require.Contains(t, page, "<code>attributes.</code>")
	require.Contains(t, page, "&lt;script&gt;legs[].codec", "names are chosen by strangers")
	require.NotContains(t, page, "I have seen them", "only an admin acknowledges")

	for _, bad := range []string{`{}`, `{"fields": []}`, `{"all": true, "fields": [{"trigger": "post-call", "path": "mood"}]}`} {
		f.must(422, "POST", "/sources/"+sid+"/drift/acknowledge", bad)
	}
	r := f.must(200, "POST", "/sources/"+sid+"/drift/acknowledge", `{"fields": [{"trigger": "post-call", "path": "mood"}, {"trigger": "post-call", "path": "none"}]}`)
	require.Equal(t, 1.0, r.JSON["acknowledged"])
	last := f.must(200, "GET", "/sources/"+sid+"/drift", "").items()[2].(map[string]any)
	require.Equal(t, "mood", last["path"])
	require.NotEmpty(t, last["acknowledged_at"])
	require.NotEmpty(t, last["acknowledged_by"])
	require.Contains(t, f.get(anna, "/sources/"+sid).Raw, "2 new fields")
	require.Equal(t, 403, f.post(vera, "/sources/"+sid+"/drift", nil, "Origin", f.http.URL).Status)
	require.Equal(t, 303, f.post(anna, "/sources/"+sid+"/drift", nil, "Origin", f.http.URL).Status)
	require.NotContains(t, f.get(anna, "/sources/"+sid).Raw, `id="drift"`)
	require.Equal(t, 0.0, f.must(200, "POST", "/sources/"+sid+"/drift/acknowledge", `{"all": true}`).JSON["acknowledged"])

	other := f.otherToken(t)
	require.Equal(t, 404, f.as(other, "GET", "/api/v1/sources/"+sid+"/drift", "").Status)
	require.Equal(t, 404, f.as(other, "POST", "/api/v1/sources/"+sid+"/drift/acknowledge", `{"all": true}`).Status)
	f.must(404, "GET", "/sources/"+id()+"/drift", "")
}
