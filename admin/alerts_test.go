package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/records"
)

// alerter takes notes of tests instead of sending them.
type alerter struct {
	mu     sync.Mutex
	tested []records.AlertChannel
	says   string
	mail   bool
}

func (a *alerter) TestChannel(_ context.Context, c records.AlertChannel) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tested = append(a.tested, c)
	return a.says
}

func (a *alerter) CheckSlack(address string) error {
	if !strings.HasPrefix(address, "https://hooks.slack.com/") {
		return errors.New("the address of an incoming webhook begins with https://hooks.slack.com/")
	}
	return nil
}

func (a *alerter) HasMail() bool { return a.mail }

func withAlerter(a *alerter) func(*admin.Deps) { return func(d *admin.Deps) { d.Alerter = a } }

const signing = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// alert stores an alert.
func (f *fixture) alert(ws string, kind records.AlertKind, object, objectID, name, severity, state string, since time.Duration) string {
	f.t.Helper()
	alertID := id()
	at := f.clock().Add(-since)
	resolved := (*time.Time)(nil)
	if state == records.AlertResolved {
		now := f.clock()
		resolved = &now
	}
	reason := "Nothing has arrived since then. Look whether the webhook is on."
	if kind == records.AlertHeldLong {
		reason = "The oldest call on hold has been there for more than a day. On hold says why, and what to do."
	}
	f.exec(`insert into alerts (id, workspace_id, kind, object, object_id, object_name, severity, state, reason, since, created_at, opened_at, told_at, reminded_at, resolved_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $10, $10, $10, $11)`,
		alertID, ws, kind, object, objectID, name, severity, state, reason, at, resolved)
	return alertID
}

func TestAlertsAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source := f.newSource().JSON["id"].(string)
	require.Empty(t, f.must(200, "GET", "/alerts", "").items())
	seen := f.alert(f.ws, records.AlertTimeZone, "source", source, "Main office", "warning", "seen", time.Minute)
	over := f.alert(f.ws, records.AlertRefused, "source", source, "Main office", "critical", "resolved", 2*time.Hour)
	open := f.alert(f.ws, records.AlertSilent, "source", source, "Main office", "critical", "open", time.Hour)

	items := f.must(200, "GET", "/alerts", "").items()
	require.Len(t, items, 2, "what is only seen is not told")
	first := items[0].(map[string]any)
	require.Equal(t, open, first["id"])
	require.Equal(t, "Main office has gone silent", first["title"])
	require.Equal(t, f.http.URL+"/sources/"+source, first["url"])
	require.NotContains(t, first, "muted_until")
	require.Equal(t, over, f.must(200, "GET", "/alerts?state=resolved", "").items()[0].(map[string]any)["id"])
	page := f.must(200, "GET", "/alerts?limit=1", "")
	require.Len(t, page.items(), 1)
	page = f.must(200, "GET", "/alerts?limit=1&cursor="+page.JSON["next_cursor"].(string), "")
	require.Equal(t, over, page.items()[0].(map[string]any)["id"])
	f.must(422, "GET", "/alerts?state=seen", "")

	muted := f.must(200, "POST", "/alerts/"+open+"/mute", `{"hours": 24}`)
	require.Contains(t, muted.JSON["muted_by"], "API token")
	until, err := time.Parse(time.RFC3339Nano, muted.JSON["muted_until"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), until, time.Minute)
	require.NotContains(t, f.must(200, "POST", "/alerts/"+open+"/mute", `{"hours": 0}`).JSON, "muted_until")
	f.must(422, "POST", "/alerts/"+open+"/mute", `{"hours": -1}`)
	f.must(422, "POST", "/alerts/"+open+"/mute", `{"hours": 100000}`)
	f.must(404, "POST", "/alerts/"+id()+"/mute", `{"hours": 1}`)
	f.must(404, "POST", "/alerts/"+seen+"/mute", `{"hours": 1}`)

	require.JSONEq(t, `{"held_count": 25, "held_hours": 24, "trouble_count": 10, "silent_minutes": 30, "quota_percent": 85}`, f.must(200, "GET", "/alert-settings", "").Raw)
	changed := `{"held_count": 3, "held_hours": 2, "trouble_count": 1, "silent_minutes": 60, "quota_percent": 90}`
	f.must(200, "PUT", "/alert-settings", changed)
	require.JSONEq(t, changed, f.must(200, "GET", "/alert-settings", "").Raw)
	f.must(422, "PUT", "/alert-settings", strings.Replace(changed, "60", "1", 1))
}

func TestAlertChannelsAPI(t *testing.T) {
	t.Parallel()
	a := &alerter{}
	f := newFixture(t, withAlerter(a))
	email := f.must(201, "POST", "/alert-channels", `{"kind": "email", "name": "Ops", "config": {"to": "anna@example.com;ben@example.com, anna@example.com"}}`)
	require.Equal(t, map[string]any{"to": "anna@example.com, ben@example.com"}, email.JSON["config"])
	require.Nil(t, email.JSON["kinds"])
	require.Equal(t, true, email.JSON["enabled"])
	slack := f.must(201, "POST", "/alert-channels", `{"kind": "slack", "name": "Slack", "secrets": {"url": "https://hooks.slack.com/services/T/B/hunter2"}, "kinds": ["source_silent", "refused", "refused"], "min_severity": "critical"}`)
	require.Equal(t, []any{"refused", "source_silent"}, slack.JSON["kinds"])
	hook := f.must(201, "POST", "/alert-channels", `{"kind": "webhook", "name": "Hook", "config": {"url": "https://ops.example.com/x"}, "secrets": {"signing_secret": "`+signing+`"}}`)
	list := f.must(200, "GET", "/alert-channels", "")
	require.Len(t, list.items(), 3)
	for _, raw := range []string{list.Raw, slack.Raw, hook.Raw} {
		require.NotContains(t, raw, "hunter2")
		require.NotContains(t, raw, signing)
	}

	for body, field := range map[string]string{
		`{"kind": "pager", "name": "x"}`:                                                                                                                         "kind",
		`{"kind": "email", "name": "x"}`:                                                                                                                         "config.to",
		`{"kind": "email", "name": "", "config": {"to": "a@example.com"}}`:                                                                                       "name",
		`{"kind": "email", "name": "x", "config": {"to": "Anna <a@b.com>"}}`:                                                                                     "config.to",
		`{"kind": "email", "name": "x", "config": {"to": "a@example.com\r\nBcc: b@example.com"}}`:                                                                "config.to",
		`{"kind": "email", "name": "x\r\ny", "config": {"to": "a@example.com"}}`:                                                                                 "name",
		`{"kind": "email", "name": "x", "config": {"to": "` + strings.Repeat("a@example.com ", 3) + manyAddresses() + `"}}`:                                      "config.to",
		`{"kind": "slack", "name": "x", "secrets": {"url": "https://evil.example.com/hunter2"}}`:                                                                 "secrets.url",
		`{"kind": "slack", "name": "x", "config": {"url": "https://hooks.slack.com/x"}}`:                                                                         "config.url",
		`{"kind": "webhook", "name": "x", "config": {"url": "https://10.0.0.1/"}, "secrets": {"signing_secret": "` + signing + `"}}`:                             "config.url",
		`{"kind": "webhook", "name": "x", "config": {"url": "ftp://example.com/"}, "secrets": {"signing_secret": "` + signing + `"}}`:                            "config.url",
		`{"kind": "webhook", "name": "x", "config": {"url": "https://u:p@example.com/"}, "secrets": {"signing_secret": "` + signing + `"}}`:                      "config.url",
		`{"kind": "webhook", "name": "x", "config": {"url": "https://example.com/"}, "secrets": {"signing_secret": "hunter2"}}`:                                  "secrets.signing_secret",
		`{"kind": "webhook", "name": "x", "config": {"url": "https://example.com/"}}`:                                                                            "secrets.signing_secret",
		`{"kind": "webhook", "name": "x", "config": {"url": "https://example.com/"}, "secrets": {"signing_secret": "` + signing + `"}, "kinds": ["everything"]}`: "kinds",
		`{"kind": "webhook", "name": "x", "config": {"url": "https://example.com/"}, "secrets": {"signing_secret": "` + signing + `"}, "kinds": []}`:             "kinds",
	} {
		r := f.must(422, "POST", "/alert-channels", body)
		require.Equal(t, field, r.JSON["field"], "%s: %s", body, r.Raw)
		require.NotContains(t, r.Raw, "hunter2")
	}

	path := "/alert-channels/" + slack.JSON["id"].(string)
	got := f.must(200, "PATCH", path, `{"name": "Sales", "kinds": null, "enabled": false}`)
	require.Equal(t, "Sales", got.JSON["name"])
	require.Nil(t, got.JSON["kinds"])
	require.Equal(t, "critical", got.JSON["min_severity"])
	c, err := f.db.AlertChannelByID(t.Context(), f.ws, slack.JSON["id"].(string))
	require.NoError(t, err)
	require.Equal(t, "https://hooks.slack.com/services/T/B/hunter2", c.Secrets["url"], "what is not named stays")
	f.must(422, "PATCH", path, `{"secrets": {"url": null}}`)

	// A webhook at another address is vouched for anew.
	moved := f.must(422, "PATCH", "/alert-channels/"+hook.JSON["id"].(string), `{"config": {"url": "https://other.example.com/x"}}`)
	require.Contains(t, moved.Raw, "secrets.signing_secret")
	f.must(200, "PATCH", "/alert-channels/"+hook.JSON["id"].(string), `{"config": {"url": "https://ops.example.com/x"}, "name": "Hooks"}`)
	f.must(200, "PATCH", "/alert-channels/"+hook.JSON["id"].(string), `{"config": {"url": "https://other.example.com/x"}, "secrets": {"signing_secret": "`+signing+`"}}`)

	// A test says what came of it, in the channel as well, and cannot be used to send without end.
	r := f.must(200, "POST", path+"/test", "")
	require.Equal(t, true, r.JSON["ok"])
	require.Equal(t, "https://hooks.slack.com/services/T/B/hunter2", a.tested[0].Secrets["url"])
	f.must(429, "POST", path+"/test", "")
	a.says = "Slack knows this address no more (404)."
	r = f.must(200, "POST", "/alert-channels/"+hook.JSON["id"].(string)+"/test", "")
	require.Equal(t, map[string]any{"ok": false, "text": a.says}, r.JSON)
	require.Equal(t, a.says, f.must(200, "GET", "/alert-channels/"+hook.JSON["id"].(string), "").JSON["failure"])
	require.Len(t, a.tested, 2)

	f.must(204, "DELETE", path, "")
	f.must(404, "GET", path, "")
	for range 18 {
		f.must(201, "POST", "/alert-channels", `{"kind": "email", "name": "Ops", "config": {"to": "anna@example.com"}}`)
	}
	f.must(409, "POST", "/alert-channels", `{"kind": "email", "name": "Ops", "config": {"to": "anna@example.com"}}`)
	require.NotContains(t, f.log.String(), "hunter2")
}

func manyAddresses() string {
	var all []string
	for i := range 11 {
		all = append(all, fmt.Sprintf("a%d@example.com", i))
	}
	return strings.Join(all, ",")
}

// Viewers see, operators mute, admins edit.
func TestAlertRoles(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withAlerter(&alerter{}))
	source := f.newSource().JSON["id"].(string)
	alertID := f.alert(f.ws, records.AlertSilent, "source", source, "Main <b>office</b>", "critical", "open", time.Hour)
	channel := f.must(201, "POST", "/alert-channels", `{"kind": "email", "name": "Ops", "config": {"to": "anna@example.com"}}`).JSON["id"].(string)
	f.user(f.ws, "v@example.com", "V", "viewer")
	f.user(f.ws, "o@example.com", "O", "operator")
	v, o := f.signIn("v@example.com"), f.signIn("o@example.com")
	for _, path := range []string{"/alerts", "/settings/alerts", "/sources/" + source} {
		r := f.get(v, path)
		require.Equal(t, 200, r.Status, path)
		require.NotContains(t, r.Raw, "<b>office", path)
		require.NotContains(t, r.Raw, "/mute", path)
		require.NotContains(t, r.Raw, "/test", path)
	}
	require.Equal(t, 403, f.post(v, "/alerts/"+alertID+"/mute", url.Values{"hours": {"4"}}).Status)
	require.Equal(t, 303, f.post(o, "/alerts/"+alertID+"/mute", url.Values{"hours": {"4"}}).Status)
	require.Contains(t, f.get(v, "/alerts").Raw, "by O")
	for _, path := range []string{"/settings/alerts", "/settings/alerts/channels", "/settings/alerts/channels/" + channel, "/settings/alerts/channels/" + channel + "/test", "/settings/alerts/channels/" + channel + "/delete"} {
		require.Equal(t, 403, f.post(o, path, url.Values{}).Status, path)
	}
	require.Equal(t, 403, f.get(o, "/settings/alerts/channels/"+channel).Status)
}
