package callrail_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/httpx"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
)

const (
	apiKey  = "key-0123456789abcdef"
	account = "ACC0001"
)

var company = callrailfake.CompanyID("Example Roofing LLC")

// apiRig is a fake account and the settings of a source that asks it.
type apiRig struct {
	*callrailfake.API
	settings telephony.Settings
}

func newAPI(t *testing.T, o callrailfake.APIOptions) *apiRig {
	t.Helper()
	o.Key, o.Account = apiKey, account
	o.Now = func() time.Time { return start.Add(48 * time.Hour) }
	api := callrailfake.NewAPI(o)
	srv := httptest.NewServer(api)
	t.Cleanup(srv.Close)
	return &apiRig{API: api, settings: telephony.Settings{
		Secrets: map[string]string{"api_key": apiKey + "\n"},
		Config:  map[string]string{"api_account_id": account, "api_company_id": company, "api_base_url": srv.URL + "/"},
	}}
}

func (a *apiRig) pull(t *testing.T, r telephony.PullRange, cursor string) (telephony.PullPage, error) {
	t.Helper()
	return callrail.New().Pull(t.Context(), httpx.NewTransport(httpx.TransportOptions{AllowPrivate: true}), a.settings, r, cursor)
}

// all asks for every page.
func (a *apiRig) all(t *testing.T, r telephony.PullRange) (items []telephony.Pulled, pages, leftOut int) {
	t.Helper()
	for cursor := ""; ; {
		page, err := a.pull(t, r, cursor)
		require.NoError(t, err)
		items, pages, leftOut = append(items, page.Items...), pages+1, leftOut+page.LeftOut
		if cursor = page.Next; cursor == "" {
			return items, pages, leftOut
		}
	}
}

// decodePulled decodes a pulled call as the relay does.
func decodePulled(t *testing.T, p telephony.Pulled) []call.Event {
	t.Helper()
	d, err := callrail.New().Decode(telephony.Request{Method: telephony.MethodPull, Event: p.Event, Header: http.Header{}, Body: p.Body}, telephony.Settings{})
	require.NoError(t, err)
	for _, e := range d.Events {
		require.Equal(t, p.ID, e.ProviderID)
	}
	return d.Events
}

// variety are calls of all kinds, with everything and with nothing.
func variety() map[string]callrailfake.Call {
	full := talk()
	full.NumericID, full.LeadStatus = 0, "previously_marked_good_lead"
	cents := full
	cents.Value = "12.50"
	plain := callrailfake.Call{ID: "CALplain", StartedAt: start, Duration: 7 * time.Second}
	abandoned, voicemail, outbound := plain, plain, full
	abandoned.Abandoned = true
	voicemail.Voicemail, voicemail.Recording, voicemail.Transcription = true, true, "Please call back."
	outbound.Direction = "outbound"
	return map[string]callrailfake.Call{"full": full, "cents": cents, "plain": plain, "abandoned": abandoned, "voicemail": voicemail, "outbound": outbound}
}

// The heart of it: a call whose webhooks all came says the same with and without being pulled, in whatever order they
// arrive; and a pulled call alone says what its Post-Call would have said.
func TestPulledCallChangesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range variety() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newAPI(t, callrailfake.APIOptions{})
			api.Put(c)
			items, _, _ := api.all(t, telephony.PullRange{From: start.Add(-time.Hour), To: start.Add(time.Hour)})
			require.Len(t, items, 1)
			stored := func(id string, minute int, all ...call.Event) []call.Event {
				out := make([]call.Event, len(all))
				for i, e := range all {
					e.ReceiptID, e.ReceivedAt = id, start.Add(time.Duration(minute)*time.Minute)
					out[i] = e
				}
				return out
			}
			event := "post-call"
			if c.Direction == "outbound" {
				event = "outbound-post-call"
			}
			pre := stored("1", 0, one(t, "pre-call", callrailfake.PreCall(c)))
			post := stored("2", 5, one(t, event, callrailfake.PostCall(c)))
			modified := stored("3", 6, one(t, "call-modified", callrailfake.Modified(c, "tags", "note")))
			fold := func(all ...[]call.Event) call.Call {
				var events []call.Event
				for _, e := range all {
					events = append(events, e...)
				}
				out := call.Fold(call.Identity{ID: "c"}, events)
				out.Outlook, out.TerminalReceivedAt = nil, time.Time{}
				// Whoever came first gives their order.
				slices.Sort(out.Tags)
				return out
			}
			for _, at := range []struct {
				id     string
				minute int
			}{{"0", -1}, {"25", 5}, {"9", 60}} {
				pulled := stored(at.id, at.minute, decodePulled(t, items[0])...)
				for what, hooks := range map[string][][]call.Event{"all": {pre, post, modified}, "no modified": {pre, post}, "no pre-call": {post}} {
					want, got := fold(hooks...), fold(append(hooks, pulled)...)
					require.True(t, call.SameState(want, got), "%s at %d\n%s\n%s", what, at.minute, mustJSON(t, want), mustJSON(t, got))
				}
				want, got := fold(post), fold(pulled)
				// Of the webhook's attributes only the numeric company id and the lists that say nothing are not the API's.
				for _, k := range []string{"company_id", "integration_data", "total_calls", "spam", "good_lead_call_id", "formatted_customer_location"} {
					delete(want.Attributes, k)
				}
				delete(want.Attributes, "milestones")
				delete(got.Attributes, "milestones")
				delete(want.Attributes, "created_at")
				delete(got.Attributes, "created_at")
				for i := range want.Agents {
					want.Agents[i].Name = ""
				}
				want.Scores = nil
				require.JSONEq(t, mustJSON(t, want), mustJSON(t, got))
			}
		})
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	doc, err := json.MarshalIndent(v, "", " ")
	require.NoError(t, err)
	return string(doc)
}

// A lost Call Modified is made good, as far as no other one stands against it.
func TestPulledCallHealsChanges(t *testing.T) {
	t.Parallel()
	before, after := talk(), talk()
	after.Tags, after.Note, after.Value, after.LeadStatus = []string{"won"}, "Signed.", "99.50", "not_a_lead"
	before.Recording, before.Transcription = false, ""
	api := newAPI(t, callrailfake.APIOptions{})
	api.Put(after)
	items, _, _ := api.all(t, telephony.PullRange{From: start, To: start})
	events := []call.Event{one(t, "post-call", callrailfake.PostCall(before)), one(t, "call-modified", callrailfake.Modified(before, "note"))}
	events[1].Kind = call.CallUpdated
	events = append(events, decodePulled(t, items[0])...)
	for i := range events {
		events[i].ReceiptID, events[i].ReceivedAt = fmt.Sprint(min(i, 2)), start.Add(time.Duration(min(i, 2))*time.Hour)
	}
	c := call.Fold(call.Identity{ID: "c"}, []call.Event{events[0], events[2], events[3]})
	require.Equal(t, []string{"won"}, c.Tags)
	require.Equal(t, "Signed.", c.Note)
	require.Equal(t, &call.Money{Amount: "99.50"}, c.Value)
	require.Equal(t, "not_a_lead", c.LeadStatus)
	require.Equal(t, "Hello. Hi.", c.Transcription.Text)
	require.Equal(t, "https://app.callrail.com/calls/"+after.ID+"/recording/redirect?access_key=aaaabbbbccccdddd", c.Recordings[0].URL)
	c = call.Fold(call.Identity{ID: "c"}, events)
	require.Equal(t, before.Note, c.Note, "what a Call Modified named stands")
}

func TestPulledForms(t *testing.T) {
	t.Parallel()
	decode := func(body string) []call.Event {
		return decodePulled(t, telephony.Pulled{ID: "CAL1", Event: callrail.EventPulledCall, Body: []byte(body)})
	}
	facts := func(body string) call.Facts {
		return call.Fold(call.Identity{}, decode(body)).Facts
	}
	live := decode(`{"id":"CAL1","call_type":"in_progress","answered":false,"duration":null,"start_time":"2026-03-01T15:04:05Z"}`)
	require.Len(t, live, 1)
	require.Equal(t, call.Live, call.Fold(call.Identity{}, live).Phase)
	require.Equal(t, call.InProgress, live[0].Facts.Status)
	require.Equal(t, call.Abandoned, facts(`{"id":"CAL1","call_type":"abandonded","answered":false}`).Status, "as CallRail's page spells it")
	require.Equal(t, call.Voicemail, facts(`{"id":"CAL1","call_type":"voicemail_transcription","answered":false}`).Status)
	require.Equal(t, []string{"1234", "9"}, facts(`{"id":"CAL1","keypad_entries":[{"name":"Account Number","value":"1234"},{"name":"x","value":9}]}`).Digits)
	require.Equal(t, []string{"1234"}, facts(`{"id":"CAL1","keypad_entries":{"name":"Account Number","value":"1234"}}`).Digits)
	require.Nil(t, facts(`{"id":"CAL1","value":0,"formatted_value":"–"}`).Value)
	require.Equal(t, &call.Money{Amount: "12.50"}, facts(`{"id":"CAL1","value":12,"formatted_value":"$12.50"}`).Value)
	require.Equal(t, &call.Money{Amount: "12"}, facts(`{"id":"CAL1","value":12}`).Value)
	require.Equal(t, map[string]any{"company_resource_id": "COM1", "tracker_id": json.Number("17")}, facts(`{"id":"CAL1","company_id":"COM1","tracker_id":17}`).Attributes)
	player := `{"id":"CAL1","recording":"https://api.callrail.com/v3/a/1/calls/1/recording.json","recording_duration":"27","recording_player":"%s"}`
	for url, want := range map[string]string{
		"https://app.callrail.com/calls/1/recording?access_key=k": "https://app.callrail.com/calls/1/recording/redirect?access_key=k",
		"https://app.callrail.com/listen/1?access_key=k":          "https://api.callrail.com/v3/a/1/calls/1/recording.json",
		"": "https://api.callrail.com/v3/a/1/calls/1/recording.json",
	} {
		r := facts(fmt.Sprintf(player, url)).Recordings
		require.Len(t, r, 1)
		require.Equal(t, want, r[0].URL)
		require.EqualValues(t, 27, *r[0].DurationSeconds)
	}
}

// 700 calls over three pages while new ones begin: each is there once.
func TestPullManyWhileCallsArrive(t *testing.T) {
	t.Parallel()
	api := newAPI(t, callrailfake.APIOptions{BeforePage: func(a *callrailfake.API, page int) {
		for i := range 5 {
			a.Put(callrailfake.Call{ID: fmt.Sprintf("CALnew%d-%d", page, i), StartedAt: start.Add(20*time.Hour + time.Duration(page)*time.Minute), Duration: time.Second})
		}
	}})
	for i := range 700 {
		api.Put(callrailfake.Call{ID: fmt.Sprintf("CAL%03d", i), StartedAt: start.Add(time.Duration(i) * time.Minute), Duration: time.Second})
	}
	items, pages, _ := api.all(t, telephony.PullRange{From: start, To: start.Add(24 * time.Hour)})
	require.Equal(t, 3, pages)
	seen := map[string]int{}
	for _, p := range items {
		seen[p.ID]++
	}
	require.Len(t, seen, 715)
	for id, n := range seen {
		require.Equal(t, 1, n, id)
	}
	for _, q := range api.Requests() {
		require.NotContains(t, q, apiKey)
	}
}

// What has not ended, or ended a moment ago, is left to the webhooks; the range is read in UTC, not in the zone of the
// key's user, and of this source's company only.
func TestPullRange(t *testing.T) {
	t.Parallel()
	api := newAPI(t, callrailfake.APIOptions{Zone: "Asia/Kolkata"})
	add := func(id string, after, lasts time.Duration, change ...func(*callrailfake.Call)) {
		c := callrailfake.Call{ID: id, StartedAt: start.Add(after), Duration: lasts}
		for _, f := range change {
			f(&c)
		}
		api.Put(c)
	}
	add("CALbefore", -time.Hour, time.Second)
	add("CALin", 0, time.Second)
	add("CALlong", time.Minute, 2*time.Hour)
	add("CALrunning", time.Minute, 0, func(c *callrailfake.Call) { c.InProgress = true })
	add("CALother", time.Minute, time.Second, func(c *callrailfake.Call) { c.Company = "Another LLC" })
	add("CALafter", 3*time.Hour, time.Second)
	r := telephony.PullRange{From: start, To: start.Add(2 * time.Hour), EndedBy: start.Add(time.Hour)}
	items, _, leftOut := api.all(t, r)
	require.Len(t, items, 1)
	require.Equal(t, "CALin", items[0].ID)
	require.Equal(t, 2, leftOut)

	delete(api.settings.Config, "api_company_id")
	_, err := api.pull(t, r, "")
	var e *telephony.PullError
	require.ErrorAs(t, err, &e)
	require.False(t, e.Retry)
	require.Contains(t, e.Public, "several companies")
}

func TestPullErrors(t *testing.T) {
	t.Parallel()
	r := telephony.PullRange{From: start, To: start.Add(time.Hour)}
	for _, c := range []struct {
		status int
		header string
		retry  bool
		after  time.Duration
		says   string
	}{
		{429, "", true, 0, "limit of requests"},
		{429, "120", true, 2 * time.Minute, "limit of requests"},
		{500, "", true, 0, "problem of its own"},
		{503, "7", true, 7 * time.Second, "problem of its own"},
		{401, "9", false, 0, "refused the API key"},
		{403, "", false, 0, "may not see"},
		{404, "", false, 0, "account id"},
		{422, "", false, 0, "25 months"},
		{302, "", false, 0, "has moved"},
	} {
		api := newAPI(t, callrailfake.APIOptions{})
		api.Fail(c.header, c.status)
		_, err := api.pull(t, r, "")
		var e *telephony.PullError
		require.ErrorAs(t, err, &e, c.status)
		require.Equal(t, c.retry, e.Retry, c.status)
		require.Equal(t, c.after, e.RetryAfter, c.status)
		require.Contains(t, e.Public, c.says)
		require.NotContains(t, e.Error()+e.Public, apiKey)
		_, err = api.pull(t, r, "")
		require.NoError(t, err, "the next one is answered")
	}

	api := newAPI(t, callrailfake.APIOptions{})
	_, err := api.pull(t, telephony.PullRange{From: start.AddDate(-3, 0, 0), To: start}, "")
	require.ErrorContains(t, err, "status 400", "older than what CallRail keeps")
	api.settings.Secrets["api_key"] = "wrong"
	_, err = api.pull(t, r, "")
	require.ErrorContains(t, err, "status 401")
	api.settings.Secrets["api_key"] = "a\"b"
	_, err = api.pull(t, r, "")
	require.Error(t, err)

	// Answers that are none.
	for body, retry := range map[string]bool{"": true, "<html>": true, `{"calls":null}`: true, `[]`: true, `{"calls":[{}]}`: false, `{"calls":[null,17]}`: false} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(body)) }))
		s := telephony.Settings{Secrets: map[string]string{"api_key": apiKey}, Config: map[string]string{"api_account_id": "1", "api_base_url": srv.URL}}
		page, err := callrail.New().Pull(t.Context(), http.DefaultTransport, s, r, "")
		srv.Close()
		if !retry {
			require.NoError(t, err, body)
			require.Empty(t, page.Items)
			require.Empty(t, page.Next)
			continue
		}
		var e *telephony.PullError
		require.ErrorAs(t, err, &e, body)
		require.True(t, e.Retry)
	}

	// No answer at all, and a guarded network.
	s := telephony.Settings{Secrets: map[string]string{"api_key": apiKey}, Config: map[string]string{"api_account_id": "1", "api_base_url": "http://127.0.0.1:1"}}
	_, err = callrail.New().Pull(t.Context(), http.DefaultTransport, s, r, "")
	var e *telephony.PullError
	require.ErrorAs(t, err, &e)
	require.True(t, e.Retry)
	_, err = callrail.New().Pull(t.Context(), httpx.NewTransport(httpx.TransportOptions{}), s, r, "")
	require.ErrorAs(t, err, &e)
	require.False(t, e.Retry)
	require.Contains(t, e.Public, "private network")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = callrail.New().Pull(ctx, http.DefaultTransport, s, r, "")
	require.True(t, errors.Is(err, context.Canceled))
	for _, bad := range []string{"x", "-1", "1.5"} {
		_, err = callrail.New().Pull(t.Context(), http.DefaultTransport, s, r, bad)
		require.ErrorAs(t, err, &e)
		require.False(t, e.Retry)
	}
}

func TestPullSetup(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, account, every string
		missing             string
		want                time.Duration
	}{
		{"", "", "", "API key", time.Hour},
		{"k", "", "", "account id", time.Hour},
		{"k", "1", "", "", time.Hour},
		{"k", "1", "off", "", 0},
		{"k", "1", "15m", "", 15 * time.Minute},
	} {
		got := callrail.New().PullSetup(telephony.Settings{Secrets: map[string]string{"api_key": c.key}, Config: map[string]string{"api_account_id": c.account, "pull_every": c.every}})
		require.Equal(t, c.want, got.Every)
		require.Equal(t, c.missing == "", got.Missing == "", c.missing)
		require.Contains(t, got.Missing, c.missing)
	}
}
