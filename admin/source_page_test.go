package admin_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callerdesk"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/deepcall"
	"github.com/callsync/callsync/telephony/generic"
	"github.com/callsync/callsync/telephony/generic/genericfake"
	"github.com/callsync/callsync/telephony/smartflo"
	"github.com/callsync/callsync/telephony/xarios"
)

func everyProvider(d *admin.Deps) {
	d.Providers = telephony.NewRegistry(callerdesk.New(), callrail.New(), deepcall.New(), generic.New(), smartflo.New(), xarios.New())
}

// Every kind of source has a page with its steps, and each of its URLs stands in it, ready to be copied.
func TestSourcePageOfEveryProvider(t *testing.T) {
	t.Parallel()
	f := newFixture(t, everyProvider)
	f.user(f.ws, "o@example.com", "O", records.RoleOperator)
	f.user(f.ws, "v@example.com", "V", records.RoleViewer)
	o, v := f.signIn("o@example.com"), f.signIn("v@example.com")
	for _, id := range []string{"callerdesk", "callrail", "deepcall", "generic", "smartflo", "xarios"} {
		body := map[string]any{"provider": id, "name": "Source " + id, "time_zone": "Asia/Kolkata"}
		if id == "generic" {
			body["config"] = map[string]string{"mapping": genericfake.JSONMapping}
		}
		raw, err := json.Marshal(body)
		require.NoError(t, err)
		source := f.must(201, "POST", "/sources", string(raw)).JSON
		page := f.get(o, "/sources/"+source["id"].(string))
		require.Equal(t, 200, page.Status, page.Raw)
		for _, hook := range source["hook_urls"].([]any) {
			require.Contains(t, page.Raw, ">"+hook.(map[string]any)["url"].(string)+"</code>", id)
		}
		require.Regexp(t, `(?i)Switch off .* own CRM logging`, page.Raw, id)
		require.Contains(t, page.Raw, "data-copy=")
		require.Equal(t, id != "generic", strings.Contains(page.Raw, `id="test-form"`), id)
		hidden := f.get(v, "/sources/"+source["id"].(string))
		require.Equal(t, 200, hidden.Status)
		require.NotContains(t, hidden.Raw, "/cs_", id)
		require.Contains(t, hidden.Raw, "/********", id)
		require.NotContains(t, hidden.Raw, `id="test-form"`, id)
		require.NotContains(t, hidden.Raw, "curl", id)
	}
	require.Equal(t, 404, f.get(o, "/sources/"+id()).Status)
}

// The page tells of each trigger when it came last, what was understood, and what has never come. Tests are no arrivals.
func TestWhatHasArrived(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.relay()
	f.user(f.ws, "o@example.com", "O", records.RoleOperator)
	o := f.signIn("o@example.com")
	source := f.newSource().JSON["id"].(string)
	path := "/sources/" + source
	row := func(label string) string {
		page := f.get(o, path).Raw
		for _, tr := range regexp.MustCompile(`(?s)<tr.*?</tr>`).FindAllString(page, -1) {
			if strings.Contains(tr, ">"+label+"<") {
				return tr
			}
		}
		t.Fatalf("no row %s", label)
		return ""
	}
	require.Contains(t, row("Post-Call"), "Missing")
	require.Contains(t, row("Pre-Call"), "Not yet")
	require.Contains(t, f.get(o, path).Raw, "<b>2</b> needed requests have not arrived yet")

	r := f.must(200, "POST", path+"/send-test", `{"event": "post-call", "deliver": false}`)
	f.read(r.JSON["requests"].([]any)[0].(map[string]any)["receipt_id"].(string))
	require.Contains(t, row("Post-Call"), "only a test")
	require.Contains(t, f.get(o, path).Raw, "<b>2</b> needed requests have not arrived yet", "a test does not count")

	tried := records.Receipt{ID: id(), WorkspaceID: f.ws, SourceID: source, ReceivedAt: time.Now(), Method: "POST", HookEvent: "post-call", Signature: "ok", Query: []byte{},
		Headers: []byte(`{"` + telephony.TestHeader + `":["only"]}`), Body: []byte("{}"), Result: records.ReceiptResult{State: records.ReceiptQuarantined, Reason: "No."}}
	require.NoError(t, f.db.InsertReceipts(t.Context(), []records.Receipt{tried}))
	require.Contains(t, row("Post-Call"), "only a test", "neither do two of them")

	at := time.Now().Add(-time.Minute)
	f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at, facts: call.Facts{
		Direction: call.Inbound, Status: call.Answered, StartedAt: at.Add(-time.Minute), EndedAt: at, DurationSeconds: num(60),
		Customer: call.Party{Number: "+14155550101", Name: "Jane Doe"}, BusinessNumber: "+13105550100", Tags: []string{"New"},
		Recordings: []call.Recording{{ID: "1", URL: "https://app.callrail.com/r/1", State: call.RecordingAvailable}},
	}}}})
	require.Contains(t, row("Post-Call"), "Final report: inbound call from Jane Doe (&#43;1 415-555-0101) to &#43;1 310-555-0100, answered, 1:00 min; with tags, the recording")
	require.Contains(t, row("Post-Call"), "Open the call")
	require.Contains(t, f.get(o, path).Raw, "<b>1</b> needed request has not arrived yet")
	require.Contains(t, f.get(o, path).Raw, "Signature: <b>Valid</b>")

	// What fits no trigger is shown as well; a bad signature is seen at once.
	bad := records.Receipt{ID: id(), WorkspaceID: f.ws, SourceID: source, ReceivedAt: time.Now(), Method: "POST", HookEvent: "<b>odd</b>", Signature: "bad", Query: []byte{}, Headers: []byte("{}"), Body: []byte("{}"),
		Result: records.ReceiptResult{State: records.ReceiptRejected, Reason: "The signature does not match."}}
	require.NoError(t, f.db.InsertReceipts(t.Context(), []records.Receipt{bad}))
	page := f.get(o, path).Raw
	require.Contains(t, page, "&lt;b&gt;odd&lt;/b&gt;")
	require.Contains(t, page, "Signature: <b>Does not match</b>")
}

// Phone systems with one URL for everything have their triggers told apart by what was read.
func TestTriggersThatShareAURL(t *testing.T) {
	t.Parallel()
	f := newFixture(t, everyProvider)
	f.user(f.ws, "o@example.com", "O", records.RoleOperator)
	o := f.signIn("o@example.com")
	source := f.must(201, "POST", "/sources", `{"provider": "callerdesk"}`).JSON["id"].(string)
	at := time.Now().Add(-time.Minute)
	f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallRinging, at: at, facts: call.Facts{Direction: call.Inbound, Status: call.Ringing, Customer: call.Party{Number: "+12025550143"}}}}})
	f.exec(`update receipts set hook_event = '' where source_id = $1`, source)
	page := f.get(o, "/sources/"+source).Raw
	require.Regexp(t, `(?s)>Live call, ringing</a>.*?Ringing: inbound call`, page)
	require.Regexp(t, `(?s)<b>Call report</b>.*?Missing`, page)
	require.Regexp(t, `(?s)<b>Live call, answered</b>.*?for the live board.*?Not yet`, page)
}

func TestTestSenderOfThePage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.relay()
	f.user(f.ws, "o@example.com", "O", records.RoleOperator)
	f.user(f.ws, "v@example.com", "V", records.RoleViewer)
	source := f.newSource().JSON["id"].(string)
	other := f.newSource().JSON["id"].(string)
	path := "/sources/" + source + "/send-test"
	o, v := f.signIn("o@example.com"), f.signIn("v@example.com")
	require.Equal(t, 403, f.post(v, path, nil).Status)
	require.Equal(t, 403, f.post(o, path, nil, "Origin", "https://evil.example").Status)

	r := f.post(o, path, url.Values{"story": {"inbound"}})
	require.Equal(t, 303, r.Status, r.Raw)
	to, err := url.Parse(r.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "/sources/"+source, to.Path)
	require.Len(t, to.Query()["test"], 4)
	for _, one := range to.Query()["test"] {
		f.read(one)
	}
	page := f.get(o, to.Path+"?"+to.RawQuery).Raw
	require.Contains(t, page, "Open the test call")
	_, results, _ := strings.Cut(page, `class="results"`)
	for _, says := range []string{"Pre-Call", "Ringing: inbound call", "Post-Call", "Final report: inbound call", "Call Modified", "with a note, tags"} {
		require.Contains(t, results, says)
	}
	require.NotContains(t, f.get(o, "/sources/"+other+"?"+to.RawQuery).Raw, `class="results"`, "a receipt of another source")
	c := f.found("callsync test call")
	require.Equal(t, true, c["attributes"].(map[string]any)["test_only"], "tests go to the CRMs only if that is asked for")
	require.Equal(t, 422, f.post(o, path, url.Values{"event": {"nothing"}}).Status)
	f.post(o, path, url.Values{"event": {"outbound-post-call"}, "deliver": {"true"}})
	require.Eventually(t, func() bool {
		for _, one := range f.must(200, "GET", "/calls", "").items() {
			c := f.must(200, "GET", "/calls/"+one.(map[string]any)["id"].(string), "").JSON
			if _, only := c["attributes"].(map[string]any)["test_only"]; c["direction"] == "outbound" && !only {
				return true
			}
		}
		return false
	}, 10*time.Second, 20*time.Millisecond)
	require.NotContains(t, f.log.String(), "/hooks/")
}

func TestAddAndChangeASourceInTheBrowser(t *testing.T) {
	t.Parallel()
	f := newFixture(t, everyProvider)
	f.user(f.ws, "a@example.com", "A", records.RoleAdmin)
	f.user(f.ws, "o@example.com", "O", records.RoleOperator)
	connection := f.newConnection().JSON["id"].(string)
	a, o := f.signIn("a@example.com"), f.signIn("o@example.com")
	for _, path := range []string{"/sources/new", "/sources/new?provider=callrail"} {
		require.Equal(t, 200, f.get(a, path).Status)
		require.Equal(t, 403, f.get(o, path).Status)
	}
	form := url.Values{"provider": {"callrail"}, "name": {"Main office"}, "time_zone": {"Asia/Kolkata"}, "default_country": {"in"}, "policy": {"early"},
		"window_minutes": {"2.5"}, "quiet_seconds": {"7"}, "stale_minutes": {"60"}, "secrets.signing_key": {"key-one"}, "config.expect_recording": {"false"},
		"feeds": {"some"}, "connection": {connection}}
	require.Equal(t, 403, f.post(o, "/sources", form).Status)
	require.Equal(t, 403, f.post(a, "/sources", form, "Origin", "https://evil.example").Status)

	// Every fault is said at its field, what was typed stays, secrets do not come back.
	bad := url.Values{"provider": {"callrail"}, "name": {""}, "time_zone": {"Mars/Olympus"}, "default_country": {"XX"}, "policy": {"complete"},
		"window_minutes": {"-1"}, "quiet_seconds": {"soon"}, "stale_minutes": {"60"}, "secrets.signing_key": {"key-one"}, "config.unknown": {"x"}}
	r := f.post(a, "/sources", bad)
	require.Equal(t, 422, r.Status)
	require.Contains(t, r.Raw, "Give a number from 0 to 10080.")
	require.Contains(t, r.Raw, "Give a number from 0 to 3600.")
	require.NotContains(t, r.Raw, "key-one")
	for _, says := range []string{"This is no time zone", "This is no country code", "Give it a name", `value="Mars/Olympus"`, `aria-invalid="true" autofocus`} {
		require.Contains(t, r.Raw, says)
	}
	require.Empty(t, f.must(200, "GET", "/sources", "").items())
	require.Equal(t, 422, f.post(a, "/sources", url.Values{"provider": {"none"}}).Status)

	r = f.post(a, "/sources", form)
	require.Equal(t, 303, r.Status, r.Raw)
	require.Regexp(t, `^/sources/[0-9a-f-]{36}\?done=created$`, r.Header.Get("Location"))
	path, _, _ := strings.Cut(r.Header.Get("Location"), "?")
	require.Contains(t, f.get(a, r.Header.Get("Location")).Raw, "The source is there.")
	s := f.must(200, "GET", path, "").JSON
	require.Equal(t, "IN", s["default_country"])
	require.EqualValues(t, 150, s["window_seconds"])
	require.EqualValues(t, 7, s["quiet_seconds"])
	require.Equal(t, "early", s["policy"])
	require.Equal(t, []any{connection}, s["connections"])
	require.Equal(t, map[string]any{"signing_key": true}, s["secrets"])
	require.Equal(t, map[string]any{"expect_recording": "false"}, s["config"], "what is left empty is not set")

	// Changing keeps the secret unless another is given, and takes blank settings away.
	require.Equal(t, 403, f.get(o, path+"/edit").Status)
	page := f.get(a, path+"/edit").Raw
	require.NotContains(t, page, "key-one")
	require.Contains(t, page, "set; leave it empty to keep it")
	form.Del("provider")
	form.Set("secrets.signing_key", "")
	form.Set("config.expect_recording", "")
	form.Set("name", "Second <b>office</b>")
	form.Set("feeds", "all")
	r = f.post(a, path+"/edit", form)
	require.Equal(t, path+"?done=saved", r.Header.Get("Location"), r.Raw)
	s = f.must(200, "GET", path, "").JSON
	require.Equal(t, map[string]any{"signing_key": true}, s["secrets"])
	require.Empty(t, s["config"])
	require.NotContains(t, s, "connections")
	require.Contains(t, f.get(a, path).Raw, "Second &lt;b&gt;office&lt;/b&gt;")
	form.Set("clear.signing_key", "true")
	require.Equal(t, 303, f.post(a, path+"/edit", form).Status)
	require.Equal(t, map[string]any{}, f.must(200, "GET", path, "").JSON["secrets"])
	form.Set("window_minutes", "x")
	require.Equal(t, 422, f.post(a, path+"/edit", form).Status)
	require.Equal(t, 403, f.post(o, path+"/edit", form).Status)
	require.Equal(t, 404, f.post(a, "/sources/"+id()+"/edit", form).Status)

	// New URLs and removal are asked for twice.
	before := f.get(a, path).Raw
	require.Equal(t, 200, f.get(a, path+"/rotate-token").Status)
	require.Equal(t, 403, f.get(o, path+"/rotate-token").Status)
	require.Equal(t, path+"?done=rotated", f.post(a, path+"/rotate-token", nil).Header.Get("Location"))
	token := regexp.MustCompile(`/hooks/callrail/(cs_[^/<]+)/`)
	require.NotEqual(t, token.FindStringSubmatch(before)[1], token.FindStringSubmatch(f.get(a, path).Raw)[1])
	require.Contains(t, f.get(a, path+"/delete").Raw, "Remove it for good")
	require.Equal(t, 403, f.post(o, path+"/delete", nil).Status)
	require.Equal(t, "/sources?done=removed", f.post(a, path+"/delete", nil).Header.Get("Location"))
	require.Equal(t, 404, f.get(a, path).Status)
}

// A mapping has many lines, comes back as it was typed, and its faults are shown at it.
func TestMultilineSetting(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "a@example.com", "A", records.RoleAdmin)
	a := f.signIn("a@example.com")
	form := url.Values{"provider": {"generic"}, "name": {"Other"}, "policy": {"complete"}, "window_minutes": {"20"}, "quiet_seconds": {"5"}, "stale_minutes": {"240"},
		"config.mapping": {"format: 1\r\nevents:\r\n  - when: ((\r\n"}}
	r := f.post(a, "/sources", form)
	require.Equal(t, 422, r.Status)
	require.Contains(t, r.Raw, `id="config.mapping-wrong"`)
	require.Contains(t, r.Raw, "- when: ((")
	form.Set("config.mapping", strings.ReplaceAll(genericfake.JSONMapping, "\n", "\r\n"))
	r = f.post(a, "/sources", form)
	require.Equal(t, 303, r.Status, r.Raw)
	path, _, _ := strings.Cut(r.Header.Get("Location"), "?")
	require.Equal(t, genericfake.JSONMapping, f.must(200, "GET", path, "").JSON["config"].(map[string]any)["mapping"])
	page := f.get(a, path+"/edit").Raw
	require.Contains(t, page, "<textarea id=\"config.mapping\"")
	require.Equal(t, http.StatusOK, f.get(a, path).Status)
}

// What could not be read is read again by one button, once its cause is gone.
func TestSourceReplaysAll(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d := f.demo()
	f.user(f.ws, "v@example.com", "V", "viewer")
	f.user(f.ws, "o@example.com", "O", "operator")
	other := id()
	require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: other, Name: "Beta"}))
	f.user(other, "s@example.com", "S", "admin")
	v, o, s := f.signIn("v@example.com"), f.signIn("o@example.com"), f.signIn("s@example.com")
	at := "/sources/" + d.source
	require.Contains(t, f.get(v, at).Raw, "1 could not be read")
	require.NotContains(t, f.get(v, at).Raw, at+"/replay")
	require.Contains(t, f.get(o, at).Raw, at+"/replay")
	form := url.Values{"state": {"quarantined"}}
	require.Equal(t, 403, f.post(v, at+"/replay", form).Status)
	require.Equal(t, 404, f.post(s, at+"/replay", form).Status)
	require.Equal(t, 303, f.post(o, at+"/replay", url.Values{"state": {"applied"}}).Status)
	require.Empty(t, f.actions.replay, "only what is in trouble")
	require.Equal(t, 303, f.post(o, at+"/replay", form).Status)
	require.Equal(t, []string{f.ws + " " + d.broken}, f.actions.replay)

	// Before anything has come, the page waits for it, and shows it then.
	fresh := f.newSource().JSON["id"].(string)
	require.Contains(t, f.get(o, "/sources/"+fresh).Raw, "Waiting for the first request")
	f.simpleCall(f.ws, fresh, d.hubspot)
	require.Contains(t, f.get(o, "/sources/"+fresh+"?awaits=1").Raw, "The first request has arrived")
	require.NotContains(t, f.get(o, "/sources/"+fresh).Raw, "The first request has arrived")
}
