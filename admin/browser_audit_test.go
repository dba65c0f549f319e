package admin_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// Who changed what, with what was there before.
func TestBrowserAudit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	b := f.newBrowser("Asia/Kolkata")
	b.signIn("anna@example.com")
	d := f.demo()
	anna := f.signIn("anna@example.com")
	require.Equal(t, 303, f.post(anna, "/sources/"+d.source+"/rules", url.Values{"do": {"save"}, "tab": {"text"}, "version": {"0"},
		"text": {"# Nothing yet.\notherwise: skip\n"}}).Status)
	require.Equal(t, 303, f.post(anna, "/connections/"+d.hubspot+"/pause", nil).Status)
	require.Equal(t, 303, f.post(anna, "/connections/"+d.hubspot+"/resume", nil).Status)
	f.must(200, "PATCH", "/connections/"+d.hubspot, `{"name": "HubSpot <b>EU</b>", "window_seconds": 60, "secrets": {"access_token": "`+crmToken+`x"}}`)
	require.Equal(t, 303, f.post(anna, "/connections/"+d.hubspot+"/owners", url.Values{"agent": {"maria@example.com"}, "owner": {"7"}}).Status)
	require.NoError(t, f.db.Audit(t.Context(), f.ws, records.Change{Action: "connection.suspend", ObjectKind: "connection", ObjectID: d.hubspot, After: map[string]any{"failures": 5}}))

	b.open("/settings/audit")
	b.picture("audit", true)
	text := js[string](b, "document.querySelector('#audit').innerText")
	require.Contains(t, text, "Anna Smith changed the rules of Main office: version 1")
	require.Contains(t, text, "callsync suspended the connection HubSpot <b>EU</b>, because its CRM could not be reached")
	// The row of the token's change opens, and says what was there; of the secret only that it is another one.
	b.run(chromedp.Click(chromedp.CSS("#audit details:nth-of-type(3) summary")), chromedp.WaitVisible(chromedp.CSS("#audit details[open] table")))
	table := js[string](b, "document.querySelector('#audit details[open] table').innerText")
	require.Contains(t, table, "HubSpot <b>EU</b>")
	require.Regexp(t, `access token \(secret\)\s+set\s+changed`, table)
	require.NotContains(t, js[string](b, "document.documentElement.outerHTML"), crmToken)
	js[bool](b, "document.querySelectorAll('#audit details').forEach((d, i) => d.open = i < 8); true")
	b.picture("audit-open", true)

	// A filter by who and by day, which is the reader's.
	today := time.Now().In(time.FixedZone("IST", 5*3600+1800)).Format("2006-01-02")
	b.run(chromedp.SetValue(chromedp.CSS("#actor"), "system"), chromedp.SetValue(chromedp.CSS("#from"), today), chromedp.Click(chromedp.CSS(".filters button")))
	b.until("document.querySelectorAll('#audit details').length === 1")
	require.Contains(t, js[string](b, "location.search"), "zone=Asia%2F")
	b.open("/settings/audit?to=2020-01-01")
	require.Contains(t, js[string](b, "document.querySelector('#audit').innerText"), "No change matches")
	b.picture("audit-none", false)
	b.open("/settings/audit?to=soon&actor=<script>&action=x.y")
	require.Contains(t, js[string](b, "document.querySelector('#to-wrong').innerText"), "Give a day")

	// From the pages of what was changed.
	b.open("/sources/" + d.source)
	b.picture("audit-source", false)
	b.run(chromedp.Click(chromedp.CSS("a[href^='/settings/audit?object=']")), chromedp.WaitVisible(chromedp.CSS("#audit")))
	require.Contains(t, js[string](b, "document.querySelector('main').innerText"), "Only changes of Main office")
	b.open("/connections/" + d.hubspot)
	require.Contains(t, js[string](b, "document.querySelector('main').innerText"), "Last changed by callsync")
	b.dark(true)
	b.size(390, 844)
	b.open("/settings/audit")
	js[bool](b, "document.querySelectorAll('#audit details').forEach((d, i) => d.open = i < 3); true")
	require.True(t, js[bool](b, "document.documentElement.scrollWidth <= window.innerWidth"))
	b.picture("audit-narrow-dark", true)
}
