package admin_test

import (
	"context"
	"encoding/json"
	"html"
	"log/slog"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/ingest"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callerdesk"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/deepcall"
	"github.com/callsync/callsync/telephony/generic"
	"github.com/callsync/callsync/telephony/generic/genericfake"
	"github.com/callsync/callsync/telephony/smartflo"
	"github.com/callsync/callsync/telephony/xarios"
	"github.com/callsync/callsync/workflows"
)

type noWorkflows struct{}

func (noWorkflows) SignalCall(context.Context, workflows.CallInput, workflows.CallSignal) error {
	return nil
}

// relay applies what is received until the test ends.
func (f *fixture) relay() {
	f.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	r := ingest.NewRelay(f.db, f.dir, noWorkflows{}, ingest.RelayOptions{Poll: 5 * time.Millisecond}, ingest.NewMetrics(nil), slog.New(slog.DiscardHandler))
	go func() { defer close(done); r.Run(ctx) }()
	f.t.Cleanup(func() { stop(); <-done })
}

// found is the call that a search finds.
func (f *fixture) found(q string) map[string]any {
	f.t.Helper()
	var items []any
	require.Eventually(f.t, func() bool {
		items = f.must(200, "GET", "/calls?q="+url.QueryEscape(q), "").items()
		return len(items) > 0
	}, 10*time.Second, 10*time.Millisecond, "no call %s", q)
	require.Len(f.t, items, 1)
	return f.must(200, "GET", "/calls/"+items[0].(map[string]any)["id"].(string), "").JSON
}

func TestSendTest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.relay()
	source := f.newSource().JSON["id"].(string)
	path := "/sources/" + source + "/send-test"

	r := f.must(200, "POST", path, "")
	require.EqualValues(t, 200, r.JSON["receipt_status"], "the source checks signatures: %s", r.Raw)
	require.Contains(t, r.JSON["sentence"], "feeds no connection yet")
	c := f.found(r.JSON["call_provider_id"].(string))
	require.Equal(t, "answered", c["status"])
	require.Equal(t, map[string]any{"name": "callsync test call", "number": "+12025550143", "raw_number": "+12025550143", "city": "Washington", "state": "DC", "country": "US"}, c["customer"])
	require.Equal(t, true, c["attributes"].(map[string]any)["test"])
	require.NotContains(t, c["attributes"], "test_only")
	receipts := f.must(200, "GET", "/receipts?source="+source, "").items()
	require.Len(t, receipts, 1)
	require.Equal(t, "ok", receipts[0].(map[string]any)["signature"])
	require.Equal(t, "post-call", receipts[0].(map[string]any)["event"])

	f.newConnection()
	r = f.must(200, "POST", path, `{"event": "post-call", "deliver": true}`)
	require.Contains(t, r.JSON["sentence"], "It goes to HubSpot like any other call, within seconds.")
	r = f.must(200, "POST", path, `{"event": "outbound-post-call", "deliver": false}`)
	require.Contains(t, r.JSON["sentence"], "No CRM gets it.")
	c = f.found(r.JSON["call_provider_id"].(string))
	require.Equal(t, "outbound", c["direction"])
	require.Equal(t, true, c["attributes"].(map[string]any)["test_only"])
	r = f.must(200, "POST", path, `{"event": "pre-call"}`)
	require.Contains(t, r.JSON["sentence"], "live until the source's limit of 4 hours. Then it goes to HubSpot")
	f.must(200, "PATCH", "/sources/"+source, `{"window_seconds": 7200}`)
	r = f.must(200, "POST", path, "")
	require.Regexp(t, `when what it waits for has come, or at \d\d:\d\d UTC\.$`, r.JSON["sentence"])
	r = f.must(200, "POST", path, `{"event": "text-received"}`)
	require.Contains(t, r.JSON["sentence"], "The test message is stored.")
	require.Eventually(t, func() bool { return len(f.must(200, "GET", "/messages", "").items()) == 1 }, 10*time.Second, 10*time.Millisecond)

	r = f.must(422, "POST", path, `{"event": "nothing"}`)
	require.Equal(t, "event", r.JSON["field"])
	require.Contains(t, r.JSON["detail"], "post-call")
	f.must(404, "POST", "/sources/"+id()+"/send-test", "")
	require.NotContains(t, f.log.String(), "/hooks/")
}

// Every kind of phone system that can make up a call has it taken with all of its secrets set, and without.
func TestSendTestToEveryProvider(t *testing.T) {
	t.Parallel()
	providers := telephony.NewRegistry(callerdesk.New(), callrail.New(), deepcall.New(), generic.New(), smartflo.New(), xarios.New())
	f := newFixture(t, func(d *admin.Deps) { d.Providers = providers })
	f.relay()
	for id, secrets := range map[string]string{
		"callerdesk": `{}`, "deepcall": `{}`, "smartflo": `{"header_secret": "a long secret"}`, "xarios": `{"static_token": "a 'long' secret"}`, "callrail": `{"signing_key": "k"}`,
	} {
		for _, s := range []string{secrets, `{}`} {
			source := f.must(201, "POST", "/sources", `{"provider": "`+id+`", "time_zone": "Asia/Kolkata", "secrets": `+s+`}`).JSON["id"].(string)
			r := f.must(200, "POST", "/sources/"+source+"/send-test", `{"deliver": false}`)
			require.EqualValues(t, 200, r.JSON["receipt_status"], "%s: %s", id, r.Raw)
			c := f.found(r.JSON["call_provider_id"].(string))
			require.Equal(t, id, c["provider"])
			require.Equal(t, "answered", c["status"], id)
			require.Equal(t, "callsync test call", c["customer"].(map[string]any)["name"], id)
			require.Equal(t, "+12025550143", c["customer"].(map[string]any)["number"], id)
			require.Equal(t, true, c["attributes"].(map[string]any)["test_only"], id)
			at, err := time.Parse(time.RFC3339, c["started_at"].(string))
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), at, 25*time.Minute, "%s reads its own times in the source's zone", id)
			receipt := f.must(200, "GET", "/receipts?source="+source, "").items()[0].(map[string]any)
			require.Equal(t, map[bool]string{true: "none", false: "ok"}[s == `{}`], receipt["signature"], id)
		}
	}
}

func TestTestCallsOnThePage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.relay()
	f.user(f.ws, "o@example.com", "O", "operator")
	f.user(f.ws, "v@example.com", "V", "viewer")
	source := f.newSource().JSON["id"].(string)
	path := "/sources/" + source + "/send-test"
	o, v := f.signIn("o@example.com"), f.signIn("v@example.com")
	require.Equal(t, 403, f.post(v, path, nil).Status)
	require.Equal(t, 403, f.post(o, path, nil, "Origin", "https://evil.example").Status)
	require.NotContains(t, f.get(v, "/sources").Raw, "Send a test call")

	page := f.get(o, "/sources").Raw
	require.Contains(t, page, `action="`+path+`"`)
	require.Contains(t, page, `<option value="post-call" selected>`)
	require.NotContains(t, page, "key-one")
	require.NotContains(t, page, "-H &#39;Signature:", "the page makes no signatures")
	require.Contains(t, page, "is answered 401")

	r := f.post(o, path, url.Values{"event": {"post-call"}, "deliver": {"false"}})
	require.Equal(t, 303, r.Status, r.Raw)
	to, err := url.Parse(r.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "/calls", to.Path)
	c := f.found(to.Query().Get("q"))
	require.Equal(t, true, c["attributes"].(map[string]any)["test_only"])
	page = f.get(o, r.Header.Get("Location")).Raw
	require.Contains(t, page, "The test call is stored.")
	require.Contains(t, page, "callsync test call")
	r = f.post(o, path, url.Values{"event": {"form-submission"}})
	require.Equal(t, "/sources?done=stored#"+source, r.Header.Get("Location"))
	require.Equal(t, 422, f.post(o, path, url.Values{"event": {"nothing"}}).Status)

	body, err := json.Marshal(map[string]any{"provider": "generic", "config": map[string]string{"mapping": genericfake.JSONMapping}})
	require.NoError(t, err)
	other := f.must(201, "POST", "/sources", string(body)).JSON["id"].(string)
	r = f.must(422, "POST", "/sources/"+other+"/send-test", "")
	require.Contains(t, r.JSON["detail"], "Send one by hand")
	require.Contains(t, f.get(o, "/sources").Raw, "--data @request.json")
}

// The line for a shell is one, and sends what it shows.
func TestCommandOfTheSourcesPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "o@example.com", "O", "operator")
	f.must(201, "POST", "/sources", `{"provider": "callrail", "name": "It's ours"}`)
	page := f.get(f.signIn("o@example.com"), "/sources").Raw
	_, command, ok := strings.Cut(page, `<pre tabindex="0">curl`)
	require.True(t, ok)
	command, _, _ = strings.Cut(command, "</pre>")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '%s\\n'"+html.UnescapeString(command)).Output()
	require.NoError(t, err)
	words := string(out)
	require.Contains(t, words, "/post-call\n")
	require.Contains(t, words, "Content-Type: application/json\n")
	require.Contains(t, words, `"customer_name": "callsync test call"`)
}
