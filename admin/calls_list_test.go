package admin_test

import (
	"encoding/csv"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
)

// An export has every call of the filter, and nothing in it that a spreadsheet would run.
func TestExportOfCalls(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	f.simpleCall(f.ws, source, connection)
	at := time.Now().Add(-2 * time.Hour).UTC()
	f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at, facts: call.Facts{Status: call.Missed, StartedAt: at, EndedAt: at,
		Customer: call.Party{Name: `=HYPERLINK("http://evil","x")`}, Tags: []string{"@SUM(1)"}, Note: "\tcmd"}}}})
	r := f.must(200, "GET", "/calls.csv?zone=Asia/Kolkata", "")
	require.Contains(t, r.Header.Get("Content-Disposition"), ".csv")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(r.Raw, "\uFEFF"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 3)
	for _, row := range rows {
		for _, cell := range row {
			require.NotContains(t, "=+-@\t\r", string(append([]rune(cell), 'x')[0]), cell)
		}
	}
	require.Contains(t, r.Raw, "Asia/Kolkata")
	require.Contains(t, r.Raw, "'+14155550101")
	require.NotContains(t, f.must(200, "GET", "/calls.csv?status=missed", "").Raw, "Jane Doe")
	f.must(422, "GET", "/calls.csv?zone=Nowhere/None", "")
	require.Equal(t, 422, f.api("GET", "/calls?lane=done", "").Status)
}

// What a list shows is delivered again after a look at what that means.
func TestCallsAreDeliveredAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "operator")
	f.user(f.ws, "vera@example.com", "Vera", "viewer")
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	one := f.simpleCall(f.ws, source, connection)
	f.simpleCall(f.ws, source, connection)
	v := f.signIn("anna@example.com")
	page := f.get(v, "/calls/retry?id="+one)
	require.Equal(t, 200, page.Status)
	require.Contains(t, page.Raw, "<b>1 call</b>")
	require.Contains(t, page.Raw, "1 synced")
	require.Contains(t, f.get(v, "/calls/retry?all=1&q=jane").Raw, "<b>2 calls</b>")
	require.Equal(t, 403, f.get(f.signIn("vera@example.com"), "/calls/retry?id="+one).Status)
	require.Equal(t, 422, f.post(v, "/calls/retry", url.Values{"id": {one}}).Status, "no connection was chosen")
	require.Equal(t, 303, f.post(v, "/calls/retry", url.Values{"id": {one}, "into": {connection}}).Status)
	all := f.must(200, "GET", "/resyncs", "").items()
	require.Len(t, all, 1)
	require.Equal(t, []any{one}, all[0].(map[string]any)["filter"].(map[string]any)["ids"])
}
