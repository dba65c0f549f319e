package admin_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Count first, deliver then, and see how far it is.
func TestBrowserResyncs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withPreviews)
	f.user(f.ws, "anna@example.com", "Anna Smith", "operator")
	d := f.demo()
	b := f.newBrowser("Asia/Kolkata")
	b.signIn("anna@example.com")
	b.open("/resyncs")
	b.picture("resyncs-empty", true)
	b.run(chromedp.SetValue(chromedp.CSS("#from"), "2026-03-01"), chromedp.SetValue(chromedp.CSS("#to"), "2026-03-31"), chromedp.SetValue(chromedp.CSS("#state"), "synced"),
		chromedp.Click(chromedp.CSS(fmt.Sprintf("input[value='%s']", d.hubspot))), chromedp.Click(chromedp.CSS("button[value=count]")), chromedp.WaitVisible(chromedp.CSS("#progress")))
	made := f.must(200, "GET", "/resyncs", "").items()[0].(map[string]any)
	require.Equal(t, true, made["dry_run"])
	require.Equal(t, map[string]any{"state": "synced", "from": "2026-02-28T18:30:00Z", "to": "2026-03-31T18:30:00Z"}, made["filter"], "days are the reader's, the last one included")
	require.Equal(t, []any{d.hubspot}, made["connections"])
	b.picture("resyncs-counting", true)

	f.exec(`update resyncs set state = 'done', total = 1204, finished_at = now() where id = $1`, made["id"])
	f.exec(`insert into resync_calls (resync_id, call_id, workspace_id, listed_at) select $1, id, workspace_id, listed_at from calls where phase = 'ended'`, made["id"])
	f.used(d.hubspot, 60_000)
	b.open("/resyncs")
	require.Contains(t, js[string](b, "document.querySelector('#history').innerText"), "1204 calls counted")
	b.picture("resyncs-history", true)
	b.run(chromedp.Click(chromedp.CSS("#history a.main")), chromedp.WaitVisible(chromedp.CSS("#progress")))
	require.Contains(t, js[string](b, "document.querySelector('#progress').innerText"), "1204 calls would be delivered again to")
	places := js[string](b, "document.querySelector('table').innerText")
	require.Contains(t, places, "HubSpot")
	require.Contains(t, places, "% of the daily limit")
	require.Contains(t, places, "calls a minute")
	b.picture("resync-counted", true)
	b.run(chromedp.Click(chromedp.CSS("#sample a.button")), chromedp.WaitVisible(chromedp.CSS("#sample details")))
	sample := js[string](b, "document.querySelector('#sample').innerText")
	require.Contains(t, sample, "to HubSpot")
	b.picture("resync-sample", true)
	b.run(chromedp.Click(chromedp.CSS("#progress button.primary")), chromedp.WaitVisible(chromedp.CSS("form[action$='/pause']")))
	second := f.must(200, "GET", "/resyncs", "").items()[0].(map[string]any)
	require.Equal(t, false, second["dry_run"])
	require.Equal(t, made["filter"], second["filter"], "what was counted is what is delivered")
	require.Equal(t, made["connections"], second["connections"])
	f.exec(`update resyncs set state = 'running', total = 13, started_at = now() - interval '2 minutes' where id = $1`, second["id"])
	f.exec(`insert into resync_calls (resync_id, call_id, workspace_id, listed_at, told_at, outcome, ended_at)
		select $1, id, workspace_id, listed_at, now(), case when id < $2 then 'done' end, case when id < $2 then now() end from calls where phase = 'ended'`, second["id"], d.star)
	b.open("/resyncs/" + second["id"].(string))
	require.Contains(t, js[string](b, "document.querySelector('#progress').innerText"), "calls a minute; at this pace done at")
	b.picture("resync-running", true)
	b.open("/resyncs")
	b.picture("resyncs-running", true)
	b.run(chromedp.Click(chromedp.CSS("form[action$='/pause'] button")), chromedp.WaitVisible(chromedp.CSS("form[action$='/resume']")))
	require.Equal(t, "paused", f.must(200, "GET", "/resyncs/"+second["id"].(string), "").JSON["state"])
	b.dark(true)
	b.size(390, 844)
	b.open("/resyncs")
	b.picture("resyncs-narrow-dark", true)
}

// What cannot be read is said at its field, and a viewer may only look.
func TestResyncForm(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "o@example.com", "O", "operator")
	f.user(f.ws, "v@example.com", "V", "viewer")
	o, v := f.signIn("o@example.com"), f.signIn("v@example.com")
	for name, form := range map[string]url.Values{
		"Give a day":       {"from": {"31.12.2026"}},
		"must come after":  {"from": {"2026-02-02"}, "to": {"2026-02-01"}},
		"not an id":        {"source": {"<script>"}},
		"one of the state": {"state": {"nonsense"}},
		"no connection":    {"into": {id()}},
	} {
		r := f.post(o, "/resyncs", form)
		require.Equal(t, 422, r.Status, name)
		require.Contains(t, r.Raw, name)
		require.NotContains(t, r.Raw, "<script>\"")
	}
	require.Empty(t, f.must(200, "GET", "/resyncs", "").items())
	require.Equal(t, 303, f.post(o, "/resyncs", url.Values{"zone": {"Mars/Olympus"}, "from": {"2026-02-02"}}).Status)
	one := f.must(200, "GET", "/resyncs", "").items()[0].(map[string]any)
	require.Equal(t, map[string]any{"from": "2026-02-02T00:00:00Z"}, one["filter"])
	require.Equal(t, 200, f.get(v, "/resyncs").Status)
	require.Equal(t, 403, f.post(v, "/resyncs", url.Values{}).Status)
	path := "/resyncs/" + one["id"].(string)
	require.Equal(t, 403, f.post(v, path+"/cancel", nil).Status)
	require.Equal(t, 404, f.post(o, path+"/explode", nil).Status)
	require.Equal(t, 303, f.post(o, path+"/cancel", nil).Status)
	require.Equal(t, 409, f.post(o, path+"/resume", nil).Status, "what has ended stays so")
}
