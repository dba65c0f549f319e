package admin_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// used has a connection's deliveries ask something of its CRM, hour by hour, and fills a part of its budgets.
func (f *fixture) used(connection string, day int64) {
	f.t.Helper()
	for hour, n := range []int64{0, 410, 380, 290, 120, 30, 0, 0, 8, 90, 340, 420} {
		f.exec(`insert into connection_usage (connection_id, hour, workspace_id, deliveries, requests, cost)
			values ($1, date_trunc('hour', now(), 'UTC') - $2 * interval '1 hour', $3, $4, $5, $5) on conflict do nothing`, connection, hour, f.ws, n, n*3)
	}
	f.exec(`insert into rate_budgets (connection_id, class, workspace_id, tat, day, used) values
		($1, 'day:', $2, '-infinity', to_char(now() at time zone 'UTC', 'YYYY-MM-DD'), $3), ($1, '', $2, now() + interval '2 seconds', '', 0)
		on conflict (connection_id, class) do update set tat = excluded.tat, day = excluded.day, used = excluded.used`, connection, f.ws, day)
}

// The page of a connection, in the states that it may be in.
func TestBrowserConnectionPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	at := "/connections/" + d.hubspot
	defer func() {
		if t.Failed() {
			t.Log(f.log)
		}
	}()
	b := f.newBrowser("Europe/Berlin")
	b.signIn("anna@example.com")
	b.open("/connections")
	b.picture("connections", true)
	b.run(chromedp.Click(chromedp.CSS(`section[id="`+d.hubspot+`"] h2 a`)), chromedp.WaitVisible(chromedp.CSS("#state")))
	require.Equal(t, at, js[string](b, "location.pathname"))
	says := func() string { return js[string](b, "document.querySelector('#state .sentence').innerText") }
	require.Contains(t, says(), "4 calls are on hold")
	require.Equal(t, 10, js[int](b, "document.querySelectorAll('#recent tbody tr').length"))

	// Limits, used up and not.
	f.used(d.hubspot, 124_500)
	b.open(at)
	limits := js[string](b, "document.querySelector('#limits').innerText")
	require.Contains(t, limits, "for each")
	require.Contains(t, limits, "125,500")
	require.Contains(t, limits, "calls a minute")
	b.picture("connection", true)
	f.used(d.hubspot, 249_900)
	b.open(at)
	require.Contains(t, js[string](b, "document.querySelector('#limits').innerText"), "the daily limit is reached at")
	f.used(d.hubspot, 250_000)
	b.open(at)
	require.Contains(t, js[string](b, "document.querySelector('#limits').innerText"), "used up")

	// Pausing keeps calls, resuming follows how they go out.
	b.run(chromedp.Click(chromedp.CSS("form[action$='/pause'] button")), chromedp.WaitVisible(chromedp.CSS("form[action$='/resume']")))
	require.Contains(t, says(), "Paused: nothing is sent, and 4 calls are kept here")
	b.picture("connection-paused", true)
	b.run(chromedp.Click(chromedp.CSS("form[action$='/resume'] button")), chromedp.WaitVisible(chromedp.CSS("progress")))
	f.untilSyncs(4)
	require.Contains(t, js[string](b, "document.querySelector('#state').innerText"), "0 of 4 calls are off hold")
	f.exec(`update deliveries set state = 'done', class = '' where id in (select id from deliveries where connection_id = $1 and state = 'parked' limit 3)`, d.hubspot)
	b.until("document.querySelector('#state').innerText.includes('3 of 4 calls are off hold')")
	b.picture("connection-resuming", false)

	// Shadow mode asks first, and says afterwards what was only shown.
	b.open(at + "/mode")
	b.picture("connection-to-shadow", false)
	b.run(chromedp.Click(chromedp.CSS("button.primary")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Equal(t, "shadow", f.must(200, "GET", at, "").JSON["mode"])
	f.exec(`update deliveries set state = 'skipped', class = 'shadow' where connection_id = $1 and state = 'done'`, d.hubspot)
	b.open(at)
	require.Contains(t, says(), "Shadow mode: nothing is written")
	b.picture("connection-shadow", false)
	b.open(at + "/mode")
	b.picture("connection-to-live", false)
	b.run(chromedp.Click(chromedp.CSS("button.primary")), chromedp.WaitVisible(chromedp.CSS(".notice")))
	require.Equal(t, "live", f.must(200, "GET", at, "").JSON["mode"])
	require.Contains(t, js[string](b, "document.querySelector('.notice').innerText"), "only shown")
	b.run(chromedp.Click(chromedp.CSS(".notice a")), chromedp.WaitVisible(chromedp.CSS("#which")))
	require.Equal(t, "skipped", js[string](b, "document.querySelector('#state').value"))
	require.True(t, js[bool](b, fmt.Sprintf("document.querySelector(\"input[value='%s']\").checked", d.hubspot)))

	// A failed test says what to do; an access that was withdrawn, too.
	f.exec(`update connections set report = '{"checks": [{"name": "Access token", "ok": true, "text": "HubSpot accepts the token."}, {"name": "Write calls", "ok": false, "text": "callsync may not write calls. Add crm.objects.contacts.write to the private app, and run this test again."}]}' where id = $1`, d.hubspot)
	require.NoError(t, f.db.SetConnectionStatus(t.Context(), f.ws, d.hubspot, records.ConnectionRevoked, "HubSpot no longer accepts the token: somebody has withdrawn it."))
	b.open(at)
	require.Contains(t, says(), "somebody has withdrawn it")
	require.Contains(t, js[string](b, "document.querySelector('#test h2').innerText"), "1 of 2 steps did not pass")
	b.picture("connection-revoked", true)
	for _, dark := range []bool{false, true} {
		b.dark(dark)
		b.size(390, 844)
		b.open(at)
		b.picture("connection-narrow"+suffix(dark), true)
		b.open("/connections")
		b.picture("connections-narrow"+suffix(dark), true)
		b.size(1280, 900)
		b.open(at)
		b.picture("connection"+map[bool]string{false: "-failing", true: "-failing-dark"}[dark], true)
	}
	b.dark(false)

	// A CRM without limits and contacts.
	b.open("/connections/" + d.webhook)
	require.Contains(t, js[string](b, "document.querySelector('#limits').innerText"), "states no limits")
	require.Contains(t, js[string](b, "document.querySelector('#can').innerText"), "Not possible")
	b.picture("connection-webhook", true)
}

// Who may do what on the page, and that nobody sees another workspace's.
func TestConnectionPageRoles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	connection := f.newConnection().JSON["id"].(string)
	at := "/connections/" + connection
	f.user(f.ws, "v@example.com", "V", records.RoleViewer)
	f.user(f.ws, "o@example.com", "O", records.RoleOperator)
	f.user(f.ws, "a@example.com", "A", records.RoleAdmin)
	other := id()
	require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: other, Name: "Beta"}))
	f.user(other, "s@example.com", "S", records.RoleAdmin)
	v, o, a, s := f.signIn("v@example.com"), f.signIn("o@example.com"), f.signIn("a@example.com"), f.signIn("s@example.com")
	page := f.get(v, at)
	require.Equal(t, 200, page.Status)
	for _, action := range []string{"/test\"", "/pause\"", "/mode\"", "/edit\"", "/delete\""} {
		require.NotContains(t, page.Raw, at+action, "a viewer only looks")
	}
	page = f.get(o, at)
	require.Contains(t, page.Raw, at+"/pause\"")
	require.NotContains(t, page.Raw, at+"/mode\"")
	for _, path := range []string{at + "/mode"} {
		require.Equal(t, 403, f.get(o, path).Status)
		require.Equal(t, 403, f.post(o, path, nil).Status)
		require.Equal(t, 404, f.get(s, path).Status)
		require.Equal(t, 404, f.post(s, path, nil).Status)
	}
	require.Equal(t, 404, f.get(s, at).Status)
	require.Equal(t, 403, f.post(v, at+"/resume", nil).Status)
	require.Equal(t, 404, f.post(s, at+"/resume", nil).Status)
	require.Equal(t, 303, f.post(a, at+"/mode", nil).Status)
	require.Equal(t, "shadow", f.must(200, "GET", at, "").JSON["mode"])
	require.NotContains(t, f.get(a, at).Raw, crmToken)
}
