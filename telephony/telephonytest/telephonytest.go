// Package telephonytest is the conformance kit of providers: what every package below telephony has to hold, run against
// a table of requests with golden results.
package telephonytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// Case is one request and, in testdata/<Name>.golden.json, what it says.
type Case struct {
	// Name names the subtest and the golden file.
	Name    string
	Request telephony.Request
	// Settings default to those of Settings.
	Settings *telephony.Settings
	// Trigger is the event of the trigger that the case shows, where its URL and its events do not tell.
	Trigger string
}

// sentinel stands for everything that must not reach an error's text.
const sentinel = "K9-sentinel-secret"

// Settings are what cases run with by default: every secret the provider has is set.
func Settings(p telephony.Provider) telephony.Settings {
	s := telephony.Settings{Config: map[string]string{}, Secrets: map[string]string{}}
	for _, f := range p.Info().Fields {
		if f.Secret {
			s.Secrets[f.Name] = sentinel
		}
	}
	return s
}

// Post is a request with a JSON body from file (below testdata) or, if it is no file's name, with file as the body.
func Post(t testing.TB, event, file string) telephony.Request {
	t.Helper()
	body := []byte(file)
	if strings.HasSuffix(file, ".json") || strings.HasSuffix(file, ".txt") {
		var err error
		body, err = os.ReadFile(filepath.Join("testdata", file))
		require.NoError(t, err)
	}
	return telephony.Request{
		Method: http.MethodPost, Event: event, Header: http.Header{"Content-Type": {"application/json"}}, Body: body,
		ReceivedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

// numbers are telephone numbers, ids and the like.
var numbers = regexp.MustCompile(`\d{8,}`)

// outcome is what Decode returned, as the golden files have it.
type outcome struct {
	Ignored string       `json:"ignored,omitempty"`
	Where   string       `json:"unreadable_at,omitempty"`
	Public  string       `json:"public,omitempty"`
	Events  []call.Event `json:"events,omitempty"`
	unknown []telephony.Unknown
}

// decode runs Decode and checks what holds of every answer.
func decode(t testing.TB, p telephony.Provider, r telephony.Request, s telephony.Settings) outcome {
	t.Helper()
	before := bytes.Clone(r.Body)
	d, err := p.Decode(r, s)
	require.Equal(t, before, r.Body, "Decode must not change the body")
	reply := p.Reply(r)
	require.True(t, reply.Status == 0 || reply.Status/100 == 2, "a stored request is answered with success")
	if err != nil {
		var u *telephony.UnreadableError
		require.ErrorAs(t, err, &u, "errors of Decode are *UnreadableError")
		require.NotEmpty(t, u.Where)
		require.NotEmpty(t, u.Public)
		require.Empty(t, d.Events)
		require.NotContains(t, err.Error()+u.Public+u.Where, sentinel)
		for _, number := range numbers.FindAll(r.Body[:min(len(r.Body), 4<<10)], 20) {
			require.NotContains(t, err.Error()+u.Public+u.Where, string(number), "errors hold nothing of the payload")
		}
		return outcome{Where: u.Where, Public: u.Public}
	}
	require.NotEqual(t, len(d.Events) == 0, d.Ignored == "", "either events or why there are none")
	for i, e := range d.Events {
		require.Empty(t, e.ReceiptID, "the receipt id is the caller's")
		require.True(t, e.ReceivedAt.IsZero(), "the arrival is the caller's")
		require.Equal(t, i, e.Seq)
		require.False(t, e.ProviderID == "" && len(e.Aliases) == 0, "an event says what it is about")
		require.Equal(t, e.Kind == call.MessageReceived || e.Kind == call.MessageSent, e.Message != nil)
		require.Equal(t, e.Kind == call.FormSubmitted, e.Form != nil)
		for _, f := range e.Asserted {
			require.True(t, f.Known(), "asserted field %q", f)
		}
		if !e.Kind.Terminal() && e.Kind != call.CallPulled {
			x := e.Facts
			// What the words of an admin's mapping mean is the admin's to say.
			require.True(t, !x.Status.Terminal() || len(p.Info().Triggers) == 0, "%s says that the call goes on, and how it ended", e.Kind)
			for _, n := range []*int64{x.DurationSeconds, x.TalkSeconds} {
				require.True(t, n == nil || *n > 0, "zeros of a call that goes on are placeholders")
			}
		}
	}
	doc, err := json.Marshal(d)
	require.NoError(t, err)
	require.True(t, utf8.Valid(doc))
	require.NotContains(t, strings.ReplaceAll(string(doc), `\\`, ""), `\u0000`, "PostgreSQL refuses NUL: use telephony.CleanText")
	require.NotContains(t, string(doc), sentinel, "secrets are not facts")
	// What is kept of a request is not much more than the request: names become longer, text is escaped.
	require.LessOrEqual(t, len(doc), 64<<10+40*(len(r.Body)+len(r.RawQuery)), "what is kept has bounds")
	require.LessOrEqual(t, len(d.Unknown), 100)
	return outcome{Ignored: d.Ignored, Events: d.Events, unknown: d.Unknown}
}

// TryDecode decodes r twice and checks everything that holds of every answer; it is the body of fuzz tests.
func TryDecode(t testing.TB, p telephony.Provider, r telephony.Request, s telephony.Settings) {
	t.Helper()
	first := decode(t, p, r, s)
	a, err := json.Marshal(first)
	require.NoError(t, err)
	b, err := json.Marshal(decode(t, p, r, s))
	require.NoError(t, err)
	require.Equal(t, string(a), string(b), "the same request says the same")
	checkFold(t, first.Events)
}

func golden(t *testing.T, p telephony.Provider, c Case, s telephony.Settings) {
	t.Helper()
	var doc bytes.Buffer
	e := json.NewEncoder(&doc)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	require.NoError(t, e.Encode(decode(t, p, c.Request, s)))
	file := filepath.Join("testdata", c.Name+".golden.json")
	if *update {
		require.NoError(t, os.WriteFile(file, doc.Bytes(), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run go test with -update to write it")
	require.Equal(t, string(want), doc.String())
}

func checkInfo(t *testing.T, p telephony.Provider) {
	info := p.Info()
	require.Regexp(t, `^[a-z][a-z0-9]*$`, info.ID)
	require.NotEmpty(t, info.Label)
	require.NotEmpty(t, strings.TrimSpace(info.Setup), "what to click in the vendor's panel")
	names := map[string]bool{}
	for _, f := range info.Fields {
		require.Regexp(t, `^[a-z][a-z0-9_]*$`, f.Name)
		require.False(t, names[f.Name], "field %s twice", f.Name)
		names[f.Name] = true
		require.NotEmpty(t, f.Label, f.Name)
		require.NotEmpty(t, f.Help, f.Name)
		if f.Secret {
			require.Empty(t, f.Default, "a secret has no default")
		}
		if len(f.Options) > 0 && f.Default != "" {
			require.Contains(t, f.Options, f.Default)
		}
	}
	for _, name := range []string{telephony.ConfigExpectRecording, telephony.ConfigExpectTranscription, telephony.ConfigExpectDisposition} {
		require.True(t, names[name], "field %s: use telephony.ExpectationFields", name)
	}
	require.Equal(t, info.Expects, telephony.ExpectationsOf(info, nil))
	events := map[string]bool{}
	for _, h := range info.Hooks {
		require.Regexp(t, `^[a-z][a-z0-9-]*$`, h.Event)
		require.False(t, events[h.Event], "hook %s twice", h.Event)
		events[h.Event] = true
		require.NotEmpty(t, h.Label, h.Event)
	}
	if info.TimeZone != "" {
		_, err := time.LoadLocation(info.TimeZone)
		require.NoError(t, err)
	}
}

// checkOdd sends what no phone system sends but somebody does.
func checkOdd(t *testing.T, p telephony.Provider) {
	s := Settings(p)
	huge := []byte(`{"note":"` + strings.Repeat("x", 8<<20) + `"}`)
	many := []byte("{")
	for i := range 50_000 {
		many = fmt.Appendf(many, `"k%d":%d,`, i, i)
	}
	many = append(many, `"end":1}`...)
	events := []string{"", "no-such-event"}
	for _, h := range p.Info().Hooks {
		events = append(events, h.Event)
	}
	for name, body := range map[string][]byte{
		"empty": nil, "space": []byte(" \r\n"), "huge": huge, "many": many,
		"deep": bytes.Repeat([]byte("["), 1<<20), "deep objects": bytes.Repeat([]byte(`{"a":`), 1<<18),
		"not json": []byte("<html>hello</html>"), "null": []byte("null"), "text": []byte(`"text"`), "number": []byte("17"),
		"list": []byte("[{}]"), "object": []byte("{}"), "NUL": []byte("{\"id\":\"a\\u0000b\"}"), "raw NUL": {0}, "bad UTF-8": []byte("{\"id\":\"\xff\"}"),
		"BOM": []byte("\xEF\xBB\xBF{}"), "two values": []byte("{}{}"), "form": []byte("a=b&c=%zz"), "surrogate": []byte(`{"id":"\ud800"}`),
		"big numbers": []byte(`{"id":1e999999999,"duration":1e400,"x":1e999999}`), "secret": []byte(`{"a":` + sentinel),
	} {
		for _, event := range events {
			for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodHead, http.MethodPut} {
				if len(body) > 1<<19 && (method != http.MethodPost || event != events[len(events)-1]) {
					continue
				}
				r := telephony.Request{Method: method, Event: event, Body: body, ReceivedAt: time.Unix(1772366400, 0)}
				require.NotPanics(t, func() { TryDecode(t, p, r, s); _ = p.Verify(r, s) }, "%s %s %s", method, event, name)
			}
		}
	}
}

func checkVerify(t *testing.T, p telephony.Provider) {
	require.False(t, p.Signs(telephony.Settings{}), "without a key nothing is proved")
	r := telephony.Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte("{}"), ReceivedAt: time.Unix(1772366400, 0)}
	require.NoError(t, p.Verify(r, telephony.Settings{}))
	s := Settings(p)
	if !p.Signs(s) {
		require.NoError(t, p.Verify(r, s))
		return
	}
	err := p.Verify(r, s)
	require.ErrorIs(t, err, telephony.ErrSignature)
	require.NotContains(t, err.Error(), sentinel)
	for _, h := range []string{"Signature", "X-Signature", "Authorization"} {
		r.Header.Set(h, sentinel)
	}
	err = p.Verify(r, s)
	require.ErrorIs(t, err, telephony.ErrSignature)
	require.NotContains(t, err.Error(), sentinel)
}

func checkConcurrent(t *testing.T, p telephony.Provider, r telephony.Request, s telephony.Settings) {
	t.Helper()
	want, err := json.Marshal(decode(t, p, r, s))
	require.NoError(t, err)
	var wg sync.WaitGroup
	got := make([]string, 4)
	for i := range got {
		wg.Go(func() {
			d, err := p.Decode(r, s)
			o := outcome{Ignored: d.Ignored, Events: d.Events}
			if u := (*telephony.UnreadableError)(nil); errors.As(err, &u) {
				o = outcome{Where: u.Where, Public: u.Public}
			}
			doc, _ := json.Marshal(o)
			got[i] = string(doc)
		})
	}
	wg.Wait()
	for _, g := range got {
		require.Equal(t, string(want), g)
	}
}

// checkUnknownKept adds a field no provider knows: it is kept and reported. Without it nothing new is reported.
func checkUnknownKept(t *testing.T, p telephony.Provider, r telephony.Request, s telephony.Settings) {
	t.Helper()
	out := decode(t, p, r, s)
	if len(out.Events) == 0 {
		return
	}
	probe := func(with telephony.Request, value string, kind string) {
		t.Helper()
		got := decode(t, p, with, s)
		require.Contains(t, string(mustJSON(got)), `"callsync_probe":`+value, "what is not known is kept")
		want := append(slices.Clone(out.unknown), telephony.Unknown{Path: "callsync_probe", Type: kind})
		require.ElementsMatch(t, want, got.unknown, "what is not known is reported")
	}
	with := r
	switch body := object(r); {
	case body != nil:
		body["callsync_probe"] = map[string]any{"nested": []any{"kept"}}
		probe(withBody(r, body), `{"nested":["kept"]}`, "object")
	case bytes.Contains(r.Body, []byte("push_report=")), bytes.HasPrefix(r.Body, []byte("--")):
	case bytes.ContainsRune(r.Body, '='):
		with.Body = slices.Concat(r.Body, []byte("&callsync_probe=kept"))
		probe(with, `"kept"`, "text")
	}
}

// checkMutations cuts and flips the body at every place, up to some hundreds.
func checkMutations(t *testing.T, p telephony.Provider, r telephony.Request, s telephony.Settings) {
	t.Helper()
	step := max(1, len(r.Body)/150)
	for i := 0; i < len(r.Body); i += step {
		cut, flip := r, r
		cut.Body = r.Body[:i:i]
		require.NotPanics(t, func() { decode(t, p, cut, s) }, "cut at %d", i)
		flip.Body = bytes.Clone(r.Body)
		flip.Body[i] ^= 1 << (i % 8)
		require.NotPanics(t, func() { decode(t, p, flip, s) }, "flip at %d", i)
	}
}
