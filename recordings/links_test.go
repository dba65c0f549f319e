package recordings

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony/callrail"
)

// links serves a rig's recordings; signed is who is signed in, and skip moves its clock.
type links struct {
	*Links
	http   *httptest.Server
	signed atomic.Value
	skip   atomic.Int64
}

func (r *rig) links() *links {
	l := &links{}
	l.Links = &Links{Store: r.db, Blobs: r.Blobs, Fetcher: r.Fetcher, Sealer: r.keys, Metrics: NewMetrics(nil), Log: slog.New(slog.DiscardHandler),
		SignedIn: func(*http.Request) (string, bool) { ws, ok := l.signed.Load().(string); return ws, ok },
		Now:      func() time.Time { return time.Now().Add(time.Duration(l.skip.Load())) }}
	l.http = httptest.NewServer(l.Handler())
	r.t.Cleanup(l.http.Close)
	l.PublicURL = l.http.URL
	return l
}

// ask sends a request and follows no redirect.
func ask(t *testing.T, method, url, span string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	if span != "" {
		req.Header.Set("Range", span)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

func TestLinkOfACopy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	l := r.links()
	data := wav(3<<20 + 7)
	c := r.sound(r.host.put("/a.wav", &file{data: data}))
	r.try()
	k := r.one(c)
	link := LinkOf(l.PublicURL, k.Token)
	resp, _ := ask(t, "GET", link, "")
	require.Equal(t, http.StatusFound, resp.StatusCode)
	for name, want := range map[string]string{"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex, nofollow, noarchive", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		require.Equal(t, want, resp.Header.Get(name), name)
	}
	short := resp.Header.Get("Location")
	require.NotContains(t, short, k.Token)
	require.NotContains(t, short, k.ID)

	resp, body := ask(t, "GET", short, "bytes=100-199")
	require.Equal(t, http.StatusPartialContent, resp.StatusCode)
	require.Equal(t, string(data[100:200]), body)
	require.Equal(t, "audio/wav", resp.Header.Get("Content-Type"))
	require.Regexp(t, `^inline; filename="recording-\d{8}-\d{4}-[0-9a-f]{8}\.wav"$`, resp.Header.Get("Content-Disposition"))
	resp, body = ask(t, "GET", short, "bytes=-5")
	require.Equal(t, http.StatusPartialContent, resp.StatusCode)
	require.Equal(t, string(data[len(data)-5:]), body)
	resp, body = ask(t, "GET", short, "")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, string(data), body)
	resp, body = ask(t, "HEAD", short, "")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.EqualValues(t, len(data), resp.ContentLength)
	require.Empty(t, body)
	resp, _ = ask(t, "GET", short, "bytes=99999999-")
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, resp.StatusCode)

	// The short-lived link dies by itself; the permanent one makes another.
	l.skip.Store(int64(shortLife + time.Minute))
	resp, _ = ask(t, "GET", short, "")
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	resp, _ = ask(t, "GET", link, "")
	require.Equal(t, http.StatusFound, resp.StatusCode)
	l.skip.Store(0)

	// A link that is withdrawn takes the short-lived ones with it.
	require.NoError(t, r.db.RevokeRecording(t.Context(), r.ws, c.ID, k.ID, "Ada", true))
	for _, url := range []string{link, short} {
		resp, body = ask(t, "GET", url, "")
		require.Equal(t, http.StatusGone, resp.StatusCode)
		require.NotContains(t, body, "RIFF")
	}
	require.NoError(t, r.db.RevokeRecording(t.Context(), r.ws, c.ID, k.ID, "", false))
	resp, _ = ask(t, "GET", short, "")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.ErrorIs(t, r.db.RevokeRecording(t.Context(), newID(), c.ID, k.ID, "Eve", true), records.ErrNotFound, "another workspace")

	for _, path := range []string{"nothing", "cs_aaaaaaaaaaaaaaaaaaaaaaaaaa", "file/nothing", "file/" + strings.Repeat("A", 200), "../x", ""} {
		resp, _ = ask(t, "GET", l.PublicURL+Path+path, "")
		require.Contains(t, []int{403, 404}, resp.StatusCode, path)
		require.NotEmpty(t, resp.Header.Get("X-Robots-Tag"))
	}
	resp, _ = ask(t, "POST", link, "")
	require.NotEqual(t, http.StatusFound, resp.StatusCode)

	r.exec(`update sources set recording_days = 1`)
	r.exec(`update recordings set archived_at = now() - interval '2 days'`)
	require.NoError(t, r.Sweep(t.Context()))
	resp, body = ask(t, "GET", link, "")
	require.Equal(t, http.StatusGone, resp.StatusCode)
	require.Contains(t, body, "Deleted after 1 days, as configured.")
}

func TestLinkToThePhoneSystem(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *records.Source) { s.Recordings.Policy = records.RecordingsLink })
	l := r.links()
	vendor := r.host.put("/a.wav", &file{data: wav(100)})
	c := r.sound(vendor)
	require.Empty(t, r.claim(), "nobody wants a copy")
	resp, _ := ask(t, "GET", LinkOf(l.PublicURL, r.one(c).Token), "")
	require.Equal(t, http.StatusFound, resp.StatusCode)
	require.Equal(t, vendor, resp.Header.Get("Location"))
	require.Zero(t, r.host.requests("/a.wav"))

	stranger := r.call(call.Recording{ID: "r2", URL: "https://evil.example/<script>.wav", State: call.RecordingAvailable})
	resp, body := ask(t, "GET", LinkOf(l.PublicURL, r.one(stranger).Token), "")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.Contains(t, body, "evil.example")
	require.NotContains(t, body, "<script>")
	require.Equal(t, call.RecordingFailed, r.one(stranger).State, "people see it on the call's page, too")

	expected := r.call(call.Recording{ID: "r3", State: call.RecordingExpected})
	resp, body = ask(t, "GET", LinkOf(l.PublicURL, r.one(expected).Token), "")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.Equal(t, "60", resp.Header.Get("Retry-After"))
	require.Contains(t, body, "not there yet")
	never := r.call(call.Recording{ID: "r4", State: call.RecordingUnavailable})
	resp, body = ask(t, "GET", LinkOf(l.PublicURL, r.one(never).Token), "")
	require.Equal(t, http.StatusGone, resp.StatusCode)
	require.Contains(t, body, "will not be")
}

// What proves who asks never reaches the browser: the answer is handed through.
func TestLinkToAKeyedPhoneSystem(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *records.Source) { s.Recordings.Policy = records.RecordingsLink })
	l := r.links()
	data := wav(200_000)
	plain := r.host.put("/a.wav", &file{data: data, key: "Basic YWRhOmh1bnRlcjI="})
	u, err := url.Parse(plain)
	require.NoError(t, err)
	u.User = url.UserPassword("ada", "hunter2")
	c := r.sound(u.String())
	link := LinkOf(l.PublicURL, r.one(c).Token)
	resp, body := ask(t, "GET", link, "")
	require.Equal(t, http.StatusOK, resp.StatusCode, body[:min(200, len(body))])
	require.Equal(t, string(data), body)
	require.Equal(t, "audio/wav", resp.Header.Get("Content-Type"))
	resp, body = ask(t, "GET", link, "bytes=1000-1999")
	require.Equal(t, http.StatusPartialContent, resp.StatusCode)
	require.Equal(t, string(data[1000:2000]), body)
	require.Equal(t, "bytes 1000-1999/200000", resp.Header.Get("Content-Range"))
	resp, _ = ask(t, "HEAD", link, "")
	require.Equal(t, http.StatusOK, resp.StatusCode)

	r.host.put("/a.wav", &file{data: []byte("<!doctype html><script>alert(1)</script>"), contentType: "text/html"})
	resp, body = ask(t, "GET", link, "")
	require.Equal(t, http.StatusBadGateway, resp.StatusCode)
	require.NotContains(t, body, "<script>")
}

func TestLinkByAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *records.Source) {
		s.Provider, s.Recordings.Policy = callrail.ID, records.RecordingsLink
		s.Secrets = map[string]string{"api_key": "hunter2"}
	})
	r.source.Config = map[string]string{"api_account_id": "123", "api_base_url": r.host.http.URL}
	require.NoError(t, r.db.UpdateSource(t.Context(), r.source))
	l := r.links()
	sound := r.host.put("/files/x.mp3", &file{data: wav(10)})
	r.host.put("/v3/a/123/calls/CAL1/recording.json", &file{key: `Token token="hunter2"`, json: `{"url": "` + sound + `"}`})
	c := r.sound("https://app.callrail.com/calls/CAL1/recording/redirect?access_key=abc")
	resp, _ := ask(t, "GET", LinkOf(l.PublicURL, r.one(c).Token), "")
	require.Equal(t, http.StatusFound, resp.StatusCode)
	require.Equal(t, sound, resp.Header.Get("Location"))
}

func TestLinkNeedsASignIn(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *records.Source) { s.Recordings.SignIn = true })
	l := r.links()
	c := r.sound(r.host.put("/a.wav", &file{data: wav(100)}))
	r.try()
	link := LinkOf(l.PublicURL, r.one(c).Token)
	resp, _ := ask(t, "GET", link, "")
	require.Equal(t, http.StatusSeeOther, resp.StatusCode)
	require.Equal(t, "/login?next="+url.QueryEscape(Path+r.one(c).Token), resp.Header.Get("Location"))
	l.signed.Store(newID())
	resp, _ = ask(t, "GET", link, "")
	require.Equal(t, http.StatusNotFound, resp.StatusCode, "signed in elsewhere")
	l.signed.Store(r.ws)
	resp, _ = ask(t, "GET", link, "")
	require.Equal(t, http.StatusFound, resp.StatusCode)
}
