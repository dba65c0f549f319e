package admin_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/connectors"
	crmdemo "github.com/callsync/callsync/connectors/demo"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callrail"
	phonedemo "github.com/callsync/callsync/telephony/demo"
)

func withDemo(d *admin.Deps) {
	d.Providers = telephony.NewRegistry(callrail.New(), phonedemo.New())
	d.Connectors = connectors.NewRegistry(hubspot.New(), crmdemo.New())
}

// traces counts the rows that name one of these ids.
func (f *fixture) traces(ids ...string) []string {
	f.t.Helper()
	found, err := pgtest.Traces(f.t.Context(), f.sql, ids...)
	require.NoError(f.t, err)
	return found
}

// applied waits until everything that was received is.
func (f *fixture) applied() {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		var n int
		require.NoError(f.t, f.sql.QueryRow(f.t.Context(), `select count(*) from inbox`).Scan(&n))
		return n == 0
	}, 20*time.Second, 20*time.Millisecond)
}

// The demo data comes by the real hook, fills the pages, and goes without a trace; what is the workspace's own stays.
func TestDemoData(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withDemo)
	own, ownCRM := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	ownCall := f.simpleCall(f.ws, own, ownCRM)
	f.relay()
	kinds := f.must(200, "GET", "/providers", "").Raw + f.must(200, "GET", "/connectors", "").Raw
	require.NotContains(t, kinds, "Demo", "people do not choose it")
	f.must(422, "POST", "/sources", `{"provider": "demo"}`)
	f.must(422, "POST", "/connections", `{"connector": "demo"}`)
	require.Empty(t, f.must(200, "GET", "/demo", "").JSON["source_id"])

	var before int
	require.NoError(t, f.sql.QueryRow(t.Context(), `select coalesce(sum(receipts), 0) from receipt_hours where workspace_id = $1`, f.ws).Scan(&before))
	for round := range 2 {
		r := f.must(201, "POST", "/demo", "")
		source, connection := r.JSON["source_id"].(string), r.JSON["connection_id"].(string)
		require.InDelta(t, 27, r.JSON["requests"], 6)
		require.Contains(t, f.must(409, "POST", "/demo", "").JSON["detail"], "already")
		f.applied()
		calls := f.must(200, "GET", "/calls?limit=100&source="+source, "").items()
		require.Len(t, calls, 22)
		statuses := map[any]int{}
		ids := []string{source, connection}
		for _, c := range calls {
			c := c.(map[string]any)
			statuses[c["status"]]++
			ids = append(ids, c["id"].(string))
			require.Contains(t, c["customer"].(map[string]any)["name"], "(demo)")
		}
		for _, status := range []string{"answered", "missed", "voicemail", "abandoned", "busy", "cancelled", "in_progress"} {
			require.NotZero(t, statuses[status], status)
		}
		require.Len(t, f.must(200, "GET", "/messages?source="+source, "").items(), 2)
		require.Len(t, f.must(200, "GET", "/forms?source="+source, "").items(), 1)
		require.Len(t, f.must(200, "GET", "/receipts?state=quarantined&source="+source, "").items(), 1)
		for _, item := range f.must(200, "GET", "/receipts?limit=100&source="+source, "").items() {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		require.Len(t, f.must(200, "GET", "/calls", "").items(), 23)
		// A source that feeds all connections does not feed the demo's, and the other way round.
		require.Len(t, f.must(200, "GET", "/calls/"+ownCall, "").JSON["why"], 1)
		require.Len(t, f.must(200, "GET", "/calls/"+ids[2], "").JSON["why"], 1)

		// Nobody can mix them.
		f.must(422, "PATCH", "/sources/"+own, `{"connections": ["`+connection+`"]}`)
		f.must(422, "PATCH", "/sources/"+source, `{"connections": ["`+ownCRM+`"]}`)
		f.must(422, "PATCH", "/sources/"+source, `{"connections": null}`)
		f.must(200, "PATCH", "/sources/"+source, `{"name": "Demo phones"}`)

		// Another workspace's admin removes its own, which is nothing.
		other := id()
		require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: other, Name: fmt.Sprint("Other ", round)}))
		require.Equal(t, 204, f.as(f.newToken(other), "DELETE", "/api/v1/demo", "").Status)
		require.NotEmpty(t, f.traces(ids...))

		f.must(204, "DELETE", "/demo", "")
		require.Empty(t, f.traces(ids...))
		require.Len(t, f.must(200, "GET", "/calls", "").items(), 1, "the workspace's own call stays")
		var counted int
		require.NoError(t, f.sql.QueryRow(t.Context(), `select coalesce(sum(receipts), 0) from receipt_hours where workspace_id = $1`, f.ws).Scan(&counted))
		require.Equal(t, before, counted, "what is gone counts no more")
		f.must(204, "DELETE", "/demo", "")
	}
	var noted []string
	for _, e := range f.entries(records.AuditFilter{}) {
		if e.ObjectName == "Demo phone system" {
			noted = append(noted, e.Action)
		}
	}
	require.Equal(t, []string{"source.delete", "source.create", "source.delete", "source.create"}, noted)
	require.Len(t, f.must(200, "GET", "/sources", "").items(), 1)
	require.Len(t, f.must(200, "GET", "/connections", "").items(), 1)
}

func TestDemoIsForAdmins(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withDemo)
	f.user(f.ws, "o@example.com", "O", records.RoleOperator)
	o := f.signIn("o@example.com")
	require.Equal(t, 403, f.post(o, "/demo", nil).Status)
	require.Equal(t, 403, f.post(o, "/demo/remove", nil).Status)
	require.Equal(t, 403, f.post(o, "/api/v1/demo", nil).Status)
	require.NotContains(t, f.get(o, "/").Raw, "Try it with demo data")
	// Without the demo's kinds there is none.
	g := newFixture(t)
	require.Contains(t, g.must(422, "POST", "/demo", "").JSON["detail"], "no demo data")
}

// From an empty product to a full one and back, by clicks.
func TestBrowserFirstRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withDemo)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	b := f.newBrowser("Europe/London")
	b.signIn("anna@example.com")
	b.open("/")
	states := func() string {
		return strings.Join(js[[]string](b, "Array.from(document.querySelectorAll('.begin > li'), e => e.className)"), " ")
	}
	require.Equal(t, "next waiting waiting waiting", states())
	b.picture("first-run-empty", true)
	b.dark(true)
	b.size(390, 844)
	b.picture("first-run-empty-narrow-dark", true)
	b.dark(false)
	b.size(1280, 900)
	b.run(chromedp.Click(chromedp.Search(`//button[text()="Try it with demo data"]`)), chromedp.WaitVisible(chromedp.CSS(".demo-note")))
	f.relay()
	f.applied()
	b.open("/")
	require.Equal(t, "next waiting waiting waiting", states(), "demo data is no step")
	b.picture("first-run-demo", true)
	b.open("/calls")
	b.picture("first-run-demo-calls", true)
	b.open("/")
	b.run(chromedp.Click(chromedp.CSS(".demo-note .button")), chromedp.WaitVisible(chromedp.CSS("button.danger")))
	b.picture("first-run-demo-remove", true)
	b.run(chromedp.Click(chromedp.CSS("button.danger")), chromedp.WaitVisible(chromedp.CSS("#demo")))

	// The real way: each step ticks off, the last ones while one looks on.
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	b.open("/")
	require.Equal(t, "done next waiting waiting", states())
	f.must(200, "POST", "/connections/"+connection+"/test", "")
	b.open("/")
	require.Equal(t, "done done next waiting", states())
	b.picture("first-run-half", true)
	f.simpleCall(f.ws, source, connection)
	b.until("document.querySelectorAll('.begin > li.done').length === 4")
	require.Contains(t, js[string](b, "document.querySelector('#steps').innerText"), "Your first call is in the CRM")
	b.picture("first-run-done", true)
	b.open("/")
	require.Equal(t, 0, js[int](b, "document.querySelectorAll('#steps').length"))
}

// Whoever knows the way puts the steps away, for everybody.
func TestStepsCanBePutAway(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "v@example.com", "V", records.RoleOperator)
	f.user(f.ws, "o@example.com", "O", records.RoleAdmin)
	v, o := f.signIn("v@example.com"), f.signIn("o@example.com")
	source := f.newSource().JSON["id"].(string)
	f.simpleCall(f.ws, source, id())
	f.exec(`delete from deliveries`)
	require.Contains(t, f.get(o, "/").Raw, "Get started")
	require.Equal(t, 403, f.post(v, "/steps/hide", nil).Status)
	require.Equal(t, 303, f.post(o, "/steps/hide", url.Values{}).Status)
	require.NotContains(t, f.get(v, "/").Raw, "Get started")
}
