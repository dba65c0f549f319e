package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony"
)

// fakeAPI answers as callsync's API does, with the real descriptions of phone systems.
type fakeAPI struct {
	mu      sync.Mutex
	sources []sourceInfo
	sent    []map[string]any
	// states are what receipts end as, by event; applied by default. Each is pending at first.
	states map[string]string
	asked  map[string]int
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	if r.Header.Get("Authorization") != "Bearer right" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/api/v1")
	switch {
	case path == "/sources":
		answer(map[string]any{"items": f.sources})
	case path == "/providers":
		answer(map[string]any{"items": providers().Infos()})
	case strings.HasSuffix(path, "/sample"):
		answer(map[string]any{"event": "x", "label": "The label", "command": "curl -i 'http://hook' " + r.URL.Query().Get("event"), "note": "A note."})
	case strings.HasSuffix(path, "/send-test"):
		text, _ := io.ReadAll(r.Body)
		var in map[string]any
		_ = json.Unmarshal(text, &in)
		f.sent = append(f.sent, in)
		events := []string{}
		if event, ok := in["event"].(string); ok {
			events = append(events, event)
		}
		if story, ok := in["story"].(string); ok {
			id := strings.Split(path, "/")[2]
			i := slices.IndexFunc(f.sources, func(s sourceInfo) bool { return s.ID == id })
			for _, t := range providers()[f.sources[i].Provider].Info().StoryOf(telephony.Story(story)) {
				events = append(events, t.Event)
			}
		}
		var requests []map[string]any
		for _, e := range events {
			request := map[string]any{"event": e, "status": 200, "receipt_id": e}
			if f.states[e] == "refused" {
				request = map[string]any{"event": e, "status": 401, "problem": "The signature does not match."}
			}
			requests = append(requests, request)
		}
		answer(map[string]any{"sentence": "It goes nowhere.", "requests": requests})
	case strings.HasPrefix(path, "/receipts/"):
		id := strings.TrimPrefix(path, "/receipts/")
		f.asked[id]++
		state := f.states[id]
		if state == "" {
			state = "applied"
		}
		if f.asked[id] == 1 {
			state = "pending"
		}
		receipt := map[string]any{"state": state, "reading": []string{}}
		switch state {
		case "applied":
			receipt["reading"], receipt["record_kind"], receipt["record_id"] = []string{"Final report: inbound call"}, "call", "c-1"
		case "ignored", "quarantined":
			receipt["reason"] = "It is about no call."
		}
		answer(receipt)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func newFakeAPI(t *testing.T, providers ...string) (*fakeAPI, string) {
	t.Helper()
	f := &fakeAPI{states: map[string]string{}, asked: map[string]int{}}
	for _, p := range providers {
		f.sources = append(f.sources, sourceInfo{ID: "id-" + p, Name: "My " + p, Provider: p})
	}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, s.URL
}

func send(t *testing.T, args ...string) (out string, code int, problem string) {
	t.Helper()
	var b bytes.Buffer
	err := runSendTest(t.Context(), args, &b)
	if err == nil {
		return b.String(), 0, ""
	}
	var exit *exitError
	require.ErrorAs(t, err, &exit)
	require.NotContains(t, err.Error(), "right", "no token in an error")
	return b.String(), exit.code, exit.text
}

func TestSendTestPlaysACall(t *testing.T) {
	t.Parallel()
	f, url := newFakeAPI(t, "callrail")
	out, code, _ := send(t, "--url", url+"/", "--token", "right")
	require.Zero(t, code, out)
	require.Equal(t, []map[string]any{{"story": "inbound", "deliver": false}}, f.sent, "tests do not reach CRMs unless that is asked for")
	for _, says := range []string{"My callrail (CallRail)", "pre-call", "call-modified", "Final report: inbound call", url + "/calls/c-1", "It goes nowhere."} {
		require.Contains(t, out, says)
	}
	require.Equal(t, 1, strings.Count(out, "/calls/c-1"))
	_, code, _ = send(t, "--url", url, "--token", "right", "--event", "post-call", "--deliver")
	require.Zero(t, code)
	require.Equal(t, map[string]any{"event": "post-call", "deliver": true}, f.sent[1])
}

// With --all every trigger of every phone system is sent, and none twice.
func TestSendTestAll(t *testing.T) {
	t.Parallel()
	// What the generic one sends is the admin's to say; the demo's is made of calls that nobody sends by hand.
	kinds := slices.DeleteFunc(slices.Sorted(maps.Keys(providers())), func(id string) bool { return id == "generic" || id == "demo" })
	f, url := newFakeAPI(t, kinds...)
	f.states["ping"] = "ignored"
	for _, kind := range kinds {
		f.asked = map[string]int{}
		out, code, problem := send(t, "--url", url, "--token", "right", "--all", "--source", "MY "+kind)
		require.Zero(t, code, problem)
		for _, trigger := range providers()[kind].Info().Triggers {
			require.Equal(t, 2, f.asked[trigger.Event], "%s: %s", kind, trigger.Event)
			require.Contains(t, out, trigger.Event)
		}
	}
}

func TestSendTestListsAndPrints(t *testing.T) {
	t.Parallel()
	f, url := newFakeAPI(t, "callrail", "smartflo")
	out, code, _ := send(t, "--url", url, "--token", "right", "--list")
	require.Zero(t, code)
	require.Contains(t, out, "id-callrail   My callrail   CallRail")
	out, code, _ = send(t, "--url", url, "--token", "right", "--list", "--source", "id-smartflo")
	require.Zero(t, code)
	require.Contains(t, out, "hangup-form")
	require.Contains(t, out, "missed outbound")
	out, code, _ = send(t, "--url", url, "--token", "right", "--print", "--source", "id-callrail", "--event", "post-call")
	require.Zero(t, code)
	require.Equal(t, "# The label\n# A note.\ncurl -i 'http://hook' post-call\n", out)
	out, code, _ = send(t, "--url", url, "--token", "right", "--print", "--all", "--source", "id-callrail")
	require.Zero(t, code)
	require.Equal(t, 9, strings.Count(out, "curl"))
	require.Empty(t, f.sent, "nothing is sent")
}

// The exit statuses are those that the usage promises, and every error says what to do.
func TestSendTestErrors(t *testing.T) {
	t.Parallel()
	f, url := newFakeAPI(t, "callrail", "generic")
	f.states["post-call"], f.states["pre-call"] = "quarantined", "refused"
	f.states["text-sent"] = "pending"
	base := []string{"--url", url, "--token", "right"}
	with := func(args ...string) []string { return slices.Concat(base, args) }
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no address":           {[]string{"--token", "right"}, exitUsage, "CALLSYNC_PUBLIC_URL"},
		"odd address":          {[]string{"--url", "localhost:8080", "--token", "right"}, exitUsage, "http://"},
		"no token":             {[]string{"--url", url}, exitUsage, "CALLSYNC_ADMIN_TOKEN"},
		"wrong token":          {[]string{"--url", url, "--token", "wrong"}, exitFailed, "does not accept this token"},
		"nobody there":         {[]string{"--url", "http://127.0.0.1:1", "--token", "right"}, exitFailed, "Is it running there?"},
		"another server":       {[]string{"--url", url + "/somewhere", "--token", "right"}, exitFailed, "not callsync's API"},
		"unknown flag":         {with("--nothing"), exitUsage, "--help"},
		"two wishes":           {with("--all", "--event", "post-call"), exitUsage, "not both"},
		"a word too much":      {with("post-call"), exitUsage, `no place for "post-call"`},
		"several sources":      {base, exitUsage, "there are 2 sources"},
		"unknown source":       {with("--source", "x"), exitUsage, "there is no source"},
		"unknown event":        {with("--source", "id-callrail", "--event", "x"), exitUsage, "it sends: pre-call"},
		"nothing to make up":   {with("--source", "id-generic"), exitFailed, "/sources/id-generic"},
		"refused":              {with("--source", "id-callrail", "--event", "pre-call"), exitNotUnderstood, "1 of the requests refused"},
		"not understood":       {with("--source", "id-callrail", "--event", "post-call"), exitNotUnderstood, "1 not understood"},
		"not read in its time": {with("--source", "id-callrail", "--event", "text-sent", "--wait", "200ms"), exitNotRead, "nothing is lost"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, code, problem := send(t, c.args...)
			require.Equal(t, c.code, code, problem)
			require.Contains(t, problem, c.says)
		})
	}
	out, code, _ := send(t, "--help")
	require.Zero(t, code)
	for _, word := range []string{"Exit status", "--print", "--deliver"} {
		require.Contains(t, out, word)
	}
}
