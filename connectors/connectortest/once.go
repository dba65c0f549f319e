package connectortest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

func testTwice(t *testing.T, target Target) {
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	first, err := session.WriteCall(t.Context(), target.Write("key-1", "", "one", noon))
	require.NoError(t, err)
	require.True(t, first.Created)
	require.NotEmpty(t, first.RemoteID)
	if target.Connector.Info().Idempotency == connectors.KeyedUpsert {
		again, err := session.WriteCall(t.Context(), target.Write("key-1", "", "one", noon))
		require.NoError(t, err)
		require.Equal(t, first.RemoteID, again.RemoteID)
	}
	if crm.Text != nil && target.Connector.Info().Idempotency != connectors.CreateOnly {
		updated, err := session.WriteCall(t.Context(), target.Write("key-1", first.RemoteID, "two", noon))
		require.NoError(t, err)
		require.False(t, updated.Created)
		require.Equal(t, first.RemoteID, updated.RemoteID)
		text, ok := crm.Text("key-1")
		require.True(t, ok)
		require.Equal(t, "two", text)
	}
	require.Equal(t, 1, crm.Count("key-1"))
	if finder, ok := session.(connectors.CallFinder); ok {
		id, found, err := finder.FindCall(t.Context(), "key-1")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, first.RemoteID, id)
		_, found, err = finder.FindCall(t.Context(), "no-such-key")
		require.NoError(t, err)
		require.False(t, found)
	}
	_, err = session.WriteCall(t.Context(), target.Write("key-2", "", "other", noon))
	require.NoError(t, err)
	require.Equal(t, 1, crm.Count("key-1"))
	require.Equal(t, 1, crm.Count("key-2"))
}

func testConcurrent(t *testing.T, target Target) {
	if target.Connector.Info().Idempotency != connectors.KeyedUpsert {
		t.Skip("only a CRM with our key can do this by itself; elsewhere the delivery's row keeps writers apart")
	}
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	var wg sync.WaitGroup
	ids := make([]string, 16)
	for i := range ids {
		wg.Go(func() {
			out, err := session.WriteCall(t.Context(), target.Write("key", "", "x", noon))
			if err == nil {
				ids[i] = out.RemoteID
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, crm.Count("key"))
	for _, id := range ids {
		require.Equal(t, ids[0], id)
		require.NotEmpty(t, id)
	}
}

func (target Target) isChange(r *http.Request) bool {
	if target.Changes != nil {
		return target.Changes(r)
	}
	return r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "search")
}

func testCommitThenDrop(t *testing.T, target Target) {
	crm := target.New(t)
	var left atomic.Int32
	left.Store(2)
	session := serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if target.isChange(r) && left.Add(-1) >= 0 {
			crm.Handler.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		crm.Handler.ServeHTTP(w, r)
	}))
	_, err := session.WriteCall(t.Context(), target.Write("key", "", "hello", noon))
	require.Equal(t, connectors.UnknownOutcome, classOf(t, target, err).Class, "it was sent, and nobody knows")
	if target.Connector.Info().Idempotency != connectors.CreateOnly {
		goOn(t, target, session, "key", 10*time.Second, func() {}, true)
	}
	require.Equal(t, 1, crm.Count("key"))
}

func testCommitThenTimeout(t *testing.T, target Target) {
	crm := target.New(t)
	var left atomic.Int32
	left.Store(1)
	hang := hanging(t)
	committed := make(chan struct{})
	session := serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if target.isChange(r) && left.Add(-1) >= 0 {
			// The CRM is slow: it commits after the client has given up, with the request in its hands. The body is read
			// first, or net/http would not notice that the client is gone.
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			hang.ServeHTTP(w, r)
			late := r.WithContext(context.WithoutCancel(r.Context()))
			late.Body = io.NopCloser(bytes.NewReader(body))
			crm.Handler.ServeHTTP(httptest.NewRecorder(), late)
			close(committed)
			return
		}
		crm.Handler.ServeHTTP(w, r)
	}))
	wait := func() { <-committed }
	deliver(t, target, session, "key", 200*time.Millisecond, wait)
	wait()
	require.Equal(t, 1, crm.Count("key"))
}

func testDeleted(t *testing.T, target Target) {
	crm := target.New(t)
	if crm.Delete == nil {
		t.Skip("nobody can delete there")
	}
	session := serve(t, target, crm.Handler)
	first, err := session.WriteCall(t.Context(), target.Write("key", "", "x", noon))
	require.NoError(t, err)
	crm.Delete("key")
	_, err = session.WriteCall(t.Context(), target.Write("key", first.RemoteID, "y", noon))
	require.Equal(t, connectors.NotFound, classOf(t, target, err).Class, "a record that a person deleted is not made again")
	require.Equal(t, 0, crm.Count("key"))
}

func testText(t *testing.T, target Target) {
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	length := target.length()
	limit := 64 << 10
	if target.MaxText > 0 {
		limit = min(limit, target.MaxText)
	}
	for i, text := range []string{
		`&lt;script&gt;alert(1)&lt;/script&gt; <b>bold</b> "quotes" 'single' \back\slash %41 {{.}} ${x}`,
		"Ünïcödé 漢字 🎧👩‍💻 \u202eright to left\u202c é", "line one\nline two\r\n\ttabbed", "=HYPERLINK(\"http://x\")", " ",
		strings.Repeat("ж", limit/length("ж")), strings.Repeat("🎧", limit/max(2, length("🎧"))),
	} {
		key := fmt.Sprintf("key-%d", i)
		_, err := session.WriteCall(t.Context(), target.Write(key, "", text, noon))
		require.NoError(t, err)
		got, ok := crm.Text(key)
		require.True(t, ok)
		require.True(t, got == target.asStored(text), "%.60q became %.60q", text, got)
	}
	if target.MaxText > 0 {
		out, err := session.WriteCall(t.Context(), target.Write("key", "", strings.Repeat("<i>ж🎧</i>&amp;", target.MaxText), noon))
		require.NoError(t, err, "text that is too long is cut, not refused")
		warned(t, out)
		got, _ := crm.Text("key")
		require.LessOrEqual(t, length(got), target.MaxText)
		require.True(t, utf8.ValidString(got), "a character was cut in the middle")
	}
}

// warned demands a warning that says what was cut.
func warned(t *testing.T, out connectors.Written) {
	t.Helper()
	require.NotEmpty(t, out.Warnings)
	for _, w := range out.Warnings {
		require.NotEmpty(t, w.Field)
		require.NotEmpty(t, w.Text)
	}
}

func (target Target) length() func(string) int {
	if target.TextLen != nil {
		return target.TextLen
	}
	return utf8.RuneCountInString
}

func (target Target) asStored(text string) string {
	if target.TextAs != nil {
		return target.TextAs(text)
	}
	return text
}

// summerTime are moments around the ends of summer time in 2026, when an hour comes twice.
var summerTime = []time.Time{
	time.Date(2026, 10, 25, 0, 30, 0, 456e6, time.UTC), time.Date(2026, 10, 25, 1, 30, 0, 456e6, time.UTC),
	time.Date(2026, 11, 1, 5, 30, 0, 1e6, time.UTC), time.Date(2026, 11, 1, 6, 30, 0, 999e6, time.UTC),
	time.Date(2026, 3, 29, 0, 59, 59, 0, time.UTC), time.Date(2026, 3, 8, 6, 59, 59, 0, time.UTC),
	time.Date(2026, 4, 4, 15, 15, 0, 0, time.UTC),
}

func testTimes(t *testing.T, target Target) {
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"} {
		loc, err := time.LoadLocation(zone)
		require.NoError(t, err)
		for _, at := range summerTime {
			_, err := session.WriteCall(t.Context(), target.Write(fmt.Sprint("key ", zone, at), "", "x", at.In(loc)))
			require.NoError(t, err)
			got, ok := crm.Time(fmt.Sprint("key ", zone, at))
			require.True(t, ok)
			step := orDefault(target.TimeStep, time.Millisecond)
			require.Equal(t, at.Truncate(step).UnixMilli(), got.UnixMilli(), "%s in %s", at, zone)
		}
	}
}

// testDurations writes calls over the changes of summer time: a length is no difference of wall clocks.
func testDurations(t *testing.T, target Target) {
	if target.WriteDuration == nil {
		t.Skip("a call has no duration there")
	}
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York"} {
		loc, err := time.LoadLocation(zone)
		require.NoError(t, err)
		for _, at := range summerTime {
			for _, d := range []time.Duration{0, time.Second, 205 * time.Second, 90 * time.Minute} {
				key := fmt.Sprint(zone, at, d)
				_, err := session.WriteCall(t.Context(), target.WriteDuration(key, at.In(loc), d))
				require.NoError(t, err)
				got, ok := crm.Duration(key)
				require.True(t, ok)
				require.Equal(t, d.Truncate(orDefault(target.DurationStep, time.Millisecond)), got, "from %s in %s", at, zone)
			}
		}
	}
}

// testMoved changes a call that a person has moved to another contact: it stays there.
func testMoved(t *testing.T, target Target) {
	crm := target.New(t)
	if crm.Move == nil {
		t.Skip("nobody can move a call there")
	}
	session := serve(t, target, crm.Handler)
	first, second := crm.AddContact(connectors.ObjectContact, "Ada", "+14155550188"), crm.AddContact(connectors.ObjectContact, "Grace", "+14155550189")
	w := target.Write("key", "", "x", noon)
	w.Links = []connectors.Ref{first}
	out, err := session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	if linker, ok := session.(connectors.Linker); ok {
		require.NoError(t, linker.LinkCall(t.Context(), out.RemoteID, first))
	}
	crm.Move("key", second)
	require.Equal(t, []connectors.Ref{second}, crm.Linked("key"))
	if target.Connector.Info().Idempotency == connectors.CreateOnly {
		return
	}
	_, err = session.WriteCall(t.Context(), target.Write("key", out.RemoteID, "y", noon))
	require.NoError(t, err)
	require.Equal(t, []connectors.Ref{second}, crm.Linked("key"), "an update leaves the call where a person has put it")
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}
