package admin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

func TestBrowserAlerts(t *testing.T) {
	t.Parallel()
	a := &alerter{}
	f := newFixture(t, withAlerter(a))
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	b := f.newBrowser("Europe/London")
	b.signIn("anna@example.com")
	b.open("/alerts")
	require.Contains(t, js[string](b, "document.querySelector('.empty').textContent"), "Nothing is wrong")
	b.open("/settings/alerts")
	require.Contains(t, js[string](b, "document.querySelector('.empty').textContent"), "Nobody is told yet")
	b.picture("alert-settings-empty", true)

	f.alert(f.ws, records.AlertHeldLong, "connection", d.hubspot, "HubSpot", "warning", "open", 30*time.Hour)
	f.alert(f.ws, records.AlertSilent, "source", d.source, "Main office", "critical", "open", 3*time.Hour)
	f.alert(f.ws, records.AlertNotUnderstood, "source", d.source, "Main office", "critical", "open", 20*time.Minute)
	f.alert(f.ws, records.AlertRefused, "source", d.source, "Main office", "critical", "resolved", 50*time.Hour)
	b.open("/")
	require.Equal(t, 3, js[int](b, "document.querySelectorAll('#alerts li').length"))
	require.Contains(t, js[string](b, "document.querySelector('#alerts li').textContent"), "Critical", "the worst first")
	for _, dark := range []bool{false, true} {
		b.dark(dark)
		for _, width := range []int64{390, 1280} {
			b.size(width, 900)
			for _, path := range []string{"/", "/alerts"} {
				b.open(path)
				b.picture(fmt.Sprintf("alerts%s-%d%s", map[string]string{"/": "-home", "/alerts": ""}[path], width, suffix(dark)), width == 1280 && path == "/alerts")
			}
		}
	}
	b.dark(false)
	b.open("/sources/" + d.source)
	require.Contains(t, js[string](b, "document.querySelector('#health').textContent"), "has gone silent")
	b.picture("alerts-source", false)
	b.open("/connections")
	require.Contains(t, js[string](b, "document.getElementById('"+d.hubspot+"').textContent"), "long been on hold")

	// Muting from the home page leads back there.
	b.open("/")
	b.run(chromedp.Click(chromedp.CSS("#alerts li button")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Equal(t, "/", js[string](b, "location.pathname"))
	require.Equal(t, 2, js[int](b, "document.querySelectorAll('#alerts li').length"))
	require.Contains(t, js[string](b, "document.querySelector('#alerts').textContent"), "(1 muted)")
	b.open("/alerts")
	require.Contains(t, js[string](b, "document.querySelector('#open').textContent"), "by Anna Smith")
	b.run(chromedp.Click(chromedp.Search(`//button[contains(text(), "Tell it again")]`)), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.NotContains(t, js[string](b, "document.querySelector('#open').textContent"), "by Anna Smith")

	// A channel: what is wrong stands at its input, and what was typed stays.
	b.open("/settings/alerts")
	b.run(chromedp.Click(chromedp.Search(`//a[text()="Slack"]`)), chromedp.WaitVisible(chromedp.CSS("#name")))
	b.picture("alert-channel-form", true)
	b.run(chromedp.SetValue(chromedp.CSS("#name"), "Sales on Slack"), chromedp.SetValue(chromedp.CSS(`[name="secrets.url"]`), "https://example.com/x"),
		chromedp.Click(chromedp.CSS("form.settings button.primary")), chromedp.WaitVisible(chromedp.CSS(".wrong")))
	require.Contains(t, js[string](b, "document.querySelector('.wrong').textContent"), "hooks.slack.com")
	require.Equal(t, "Sales on Slack", js[string](b, "document.querySelector('#name').value"))
	b.picture("alert-channel-form-wrong", true)
	b.run(chromedp.SetValue(chromedp.CSS(`[name="secrets.url"]`), "https://hooks.slack.com/services/T/B/x"),
		chromedp.Click(chromedp.CSS("form.settings button.primary")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	a.says = "Slack knows this address no more (404): the webhook was removed, or its channel archived. Make a new one in Slack and enter it here."
	b.run(chromedp.Click(chromedp.Search(`//button[contains(text(), "Send a test")]`)), chromedp.WaitVisible(chromedp.CSS(".sentence.trouble")))
	require.Contains(t, js[string](b, "document.querySelector('.flash').textContent"), "something is not right")
	f.exec(`update alert_channels set tested_at = null`)
	a.says = ""
	b.run(chromedp.Click(chromedp.Search(`//button[contains(text(), "Send a test")]`)), chromedp.WaitVisible(chromedp.CSS(".chip.done")))

	// Thresholds.
	b.run(chromedp.SetValue(chromedp.CSS("#held_count"), "none"), chromedp.Click(chromedp.CSS(".thresholds button.primary")), chromedp.WaitVisible(chromedp.CSS(".wrong")))
	b.run(chromedp.SetValue(chromedp.CSS("#held_count"), "7"), chromedp.Click(chromedp.CSS(".thresholds button.primary")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	s, err := f.db.AlertSettings(t.Context(), f.ws)
	require.NoError(t, err)
	require.Equal(t, 7, s.HeldCount)

	f.must(201, "POST", "/alert-channels", `{"kind": "email", "name": "Operations, a name that is rather long for a channel of alerts", "config": {"to": "anna@example.com, a.very.long.address.of.somebody@subdomain.of.a.company.example.com"}, "kinds": ["source_silent"], "min_severity": "critical"}`)
	f.message(f.channelNamed("Sales on Slack"), records.MessageSent, "")
	f.message(f.channelNamed("Sales on Slack"), records.MessageFailed, "Slack asks to wait (429). It was given up after a day.")
	for _, dark := range []bool{false, true} {
		b.dark(dark)
		for _, width := range []int64{390, 1280} {
			b.size(width, 900)
			b.open("/settings/alerts")
			b.picture(fmt.Sprintf("alert-settings-%d%s", width, suffix(dark)), true)
		}
	}
	b.dark(false)
	b.size(1280, 900)
	b.open("/settings/alerts")
	b.run(chromedp.Click(chromedp.Search(`//a[starts-with(text(), "Remove")]`)), chromedp.WaitVisible(chromedp.CSS("button.danger")))
	b.picture("alert-channel-remove", false)
	b.run(chromedp.Click(chromedp.CSS("button.danger")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	channels, err := f.db.AlertChannels(t.Context(), f.ws)
	require.NoError(t, err)
	require.Len(t, channels, 1)
}

func (f *fixture) channelNamed(name string) string {
	f.t.Helper()
	var channel string
	require.NoError(f.t, f.sql.QueryRow(f.t.Context(), `select id from alert_channels where name = $1`, name).Scan(&channel))
	return channel
}

// message stores a message of some alert.
func (f *fixture) message(channel, state, failure string) {
	f.t.Helper()
	f.exec(`insert into alert_messages (id, workspace_id, channel_id, alert_id, number, event, said, state, failure)
		select gen_random_uuid(), a.workspace_id, $1, a.id, (select count(*) + 1 from alert_messages), 'opened', '{"title": "Main office has gone silent"}', $2, $3 from alerts a where a.kind = 'source_silent' limit 1`,
		channel, state, failure)
}
