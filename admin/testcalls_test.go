package admin_test

import (
	"context"
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

// A whole call: the requests of its triggers tell of one call.
func TestSendWholeCall(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.relay()
	source := f.newSource().JSON["id"].(string)
	path := "/sources/" + source + "/send-test"
	r := f.must(200, "POST", path, `{"story": "inbound", "deliver": false}`)
	require.Contains(t, r.JSON["sentence"], "No CRM gets it.")
	var events []string
	records := map[string]bool{}
	for _, one := range r.JSON["requests"].([]any) {
		request := one.(map[string]any)
		events = append(events, request["event"].(string))
		require.EqualValues(t, 200, request["status"])
		receipt := f.read(request["receipt_id"].(string))
		require.Equal(t, "applied", receipt["state"])
		require.Len(t, receipt["reading"], 1)
		records[receipt["record_id"].(string)] = true
	}
	require.Equal(t, []string{"pre-call", "routing-complete", "post-call", "call-modified"}, events)
	require.Len(t, records, 1, "all of them are about one call")
	c := f.found(r.JSON["call_provider_id"].(string))
	require.Equal(t, "answered", c["status"])
	require.Equal(t, []any{"Test"}, c["tags"])

	r = f.must(422, "POST", path, `{"story": "dialer"}`)
	require.Equal(t, "story", r.JSON["field"])
	require.Contains(t, r.JSON["detail"], "inbound, outbound, message, form")
	f.must(422, "POST", path, `{"story": "inbound", "event": "post-call"}`)

	// A request that is refused is told of, and nothing is sent after it.
	f.exec(`update sources set token_hash = decode(repeat('00', 32), 'hex') where id = $1`, source)
	f.dir.Forget()
	r = f.must(200, "POST", path, `{"story": "inbound"}`)
	require.Len(t, r.JSON["requests"], 1)
	require.EqualValues(t, 404, r.JSON["receipt_status"])
	require.Contains(t, r.JSON["sentence"], "The hook URL answered 404")
}

// read is a receipt when it has been read.
func (f *fixture) read(id string) (receipt map[string]any) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		receipt = f.must(200, "GET", "/receipts/"+id, "").JSON
		return receipt["state"] != "pending"
	}, 10*time.Second, 10*time.Millisecond)
	return receipt
}

// Every trigger of every kind of phone system is understood as what it is, in every encoding.
func TestEverySampleIsUnderstood(t *testing.T) {
	t.Parallel()
	providers := telephony.NewRegistry(callerdesk.New(), callrail.New(), deepcall.New(), generic.New(), smartflo.New(), xarios.New())
	f := newFixture(t, func(d *admin.Deps) { d.Providers = providers })
	f.relay()
	for _, info := range providers.Infos() {
		if len(info.Triggers) == 0 {
			continue
		}
		source := f.must(201, "POST", "/sources", `{"provider": "`+info.ID+`", "time_zone": "Asia/Kolkata"}`).JSON["id"].(string)
		for _, trigger := range info.Triggers {
			r := f.must(200, "POST", "/sources/"+source+"/send-test", `{"event": "`+trigger.Event+`", "deliver": false}`)
			request := r.JSON["requests"].([]any)[0].(map[string]any)
			require.Equal(t, trigger.Event, request["event"])
			receipt := f.read(request["receipt_id"].(string))
			if trigger.Story == telephony.NoStory {
				require.Equal(t, "ignored", receipt["state"], trigger.Event)
				continue
			}
			require.Equal(t, "applied", receipt["state"], "%s %s: %v", info.ID, trigger.Event, receipt["reason"])
			require.Regexp(t, `(?i)(call|text|form) (from|to) `, receipt["reading"].([]any)[0], trigger.Event)
		}
	}
}

// The request that is shown is the one that the phone system would send, without its secrets.
func TestSampleToSendByHand(t *testing.T) {
	t.Parallel()
	providers := telephony.NewRegistry(callerdesk.New(), callrail.New(), deepcall.New(), smartflo.New(), xarios.New())
	f := newFixture(t, func(d *admin.Deps) { d.Providers = providers })
	secret := "s3cret-of-ours"
	for id, name := range map[string]string{"smartflo": "header_secret", "xarios": "static_token", "callrail": "signing_key"} {
		source := f.must(201, "POST", "/sources", `{"provider": "`+id+`", "name": "It's ours", "secrets": {"`+name+`": "`+secret+`"}}`).JSON
		r := f.must(200, "GET", "/sources/"+source["id"].(string)+"/sample", "")
		require.NotContains(t, r.Raw, secret, id)
		urls := source["hook_urls"].([]any)
		require.Contains(t, r.JSON["url"], strings.TrimSuffix(urls[0].(map[string]any)["url"].(string), "/pre-call")[:20])
		// The line for a shell is one, and sends what it shows.
		command := strings.TrimPrefix(r.JSON["command"].(string), "curl")
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '%s\\n'"+command).Output()
		require.NoError(t, err)
		require.Contains(t, string(out), "callsync test call")
		require.Contains(t, string(out), r.JSON["url"].(string)+"\n")
		switch id {
		case "callrail":
			require.NotEmpty(t, r.JSON["headers"].(map[string]any)["Signature"], "a signature tells nothing of its key")
			require.Contains(t, r.JSON["note"], "if you change the body")
		default:
			require.Contains(t, r.JSON["note"], "YOUR_"+strings.ToUpper(name))
			require.Contains(t, string(out), "YOUR_"+strings.ToUpper(name))
		}
	}
	f.user(f.ws, "v@example.com", "V", "viewer")
	source := f.must(200, "GET", "/sources", "").items()[0].(map[string]any)["id"].(string)
	require.Equal(t, 403, f.getAPI(f.signIn("v@example.com"), "/api/v1/sources/"+source+"/sample").Status, "it has the hook URL")
	f.must(422, "GET", "/sources/"+source+"/sample?event=nothing", "")
}
