package httpx_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/httpx"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "104.16.1.1": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true, "64:ff9b::808:808": true,
		"0.0.0.0": false, "10.1.2.3": false, "100.64.0.1": false, "100.100.100.200": false, "127.0.0.1": false,
		"169.254.169.254": false, "172.31.255.255": false, "172.32.0.1": true, "192.0.0.192": false, "192.168.1.1": false,
		"198.19.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "168.63.129.16": false,
		"::": false, "::1": false, "::127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false,
		"fe80::1": false, "fe80::1%eth0": false, "fd00:ec2::254": false, "ff02::1": false, "2001:db8::1": false,
		"2002:7f00:1::": false, "2001:0:7f00:1::": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b:1::1": false,
	} {
		require.Equal(t, want, httpx.Public(netip.MustParseAddr(addr)), addr)
	}
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestGuardAtDial(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { t.Error("must not be reached") })
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1"} {
		c := httpx.NewClient(httpx.ClientOptions{BaseURL: "http://" + host + ":" + port,
			Transport: httpx.NewTransport(httpx.TransportOptions{})})
		_, err := c.R().SetContext(t.Context()).Post("/x?secret=hunter2")
		e := httpx.Wrap(err)
		require.Error(t, err, host)
		require.False(t, e.Sent, host)
		require.NotContains(t, e.Error(), "hunter2")
	}
}

func TestSent(t *testing.T) {
	t.Parallel()
	post := func(ctx context.Context, url string, timeout time.Duration) *httpx.Error {
		_, err := httpx.NewClient(httpx.ClientOptions{BaseURL: url, Timeout: timeout}).R().SetContext(ctx).
			SetHeader("Authorization", "Bearer hunter2").SetBody("hunter2").Post("/path?key=hunter2")
		e := httpx.Wrap(err)
		require.NotNil(t, e)
		require.NotContains(t, e.Error(), "hunter2")
		require.NotContains(t, fmt.Sprintf("%v %+v", e, error(e)), "key=")
		return e
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := "http://u:hunter2@" + l.Addr().String()
	l.Close()
	require.False(t, post(t.Context(), closed, 0).Sent, "refused")
	require.False(t, post(t.Context(), "http://no-such-host.invalid", 0).Sent, "unknown name")

	release := make(chan struct{})
	hang := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	t.Cleanup(func() { close(release) })
	e := post(t.Context(), hang, 50*time.Millisecond)
	require.True(t, e.Sent && e.Timeout, "our time limit")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	e = post(ctx, hang, 0)
	require.True(t, e.Sent && e.Timeout, "the caller's time limit")
	require.ErrorIs(t, e, context.DeadlineExceeded)
	gone, stop := context.WithCancel(t.Context())
	stop()
	e = post(gone, hang, 0)
	require.False(t, e.Sent, "cancelled before a connection stood")
	require.ErrorIs(t, e, context.Canceled)

	drop := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	require.True(t, post(t.Context(), drop, 0).Sent, "dropped")
	tlsServer := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(tlsServer.Close)
	require.False(t, post(t.Context(), tlsServer.URL, 0).Sent, "untrusted certificate")
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			fmt.Fprintf(conn, "%s\r\n\r\n", r.Header.Get("Authorization"))
			conn.Close()
		}
	})
	require.True(t, post(t.Context(), echo, 0).Sent, "a server that echoes the secret as a status line")
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Error("followed to another host: " + r.Method) })
	home := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other+"/x", http.StatusTemporaryRedirect)
		case "/here":
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			fmt.Fprint(w, r.Method)
		}
	})
	c := httpx.NewClient(httpx.ClientOptions{BaseURL: home})
	for _, tc := range []struct {
		method, path string
		status       int
	}{{"GET", "/away", 307}, {"POST", "/away", 307}, {"POST", "/here", 307}, {"GET", "/here", 200}, {"GET", "/loop", 302}} {
		r, err := c.R().SetContext(t.Context()).SetAuthToken("secret").Execute(tc.method, tc.path)
		require.NoError(t, err)
		require.Equal(t, tc.status, r.StatusCode(), tc.method+tc.path)
	}
}

func TestSizeLimit(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		block := make([]byte, 64<<10)
		for i := 0; i < 64; i++ {
			if _, err := z.Write(block); err != nil {
				return
			}
		}
	})
	_, err := httpx.NewClient(httpx.ClientOptions{BaseURL: url, MaxBody: 1 << 20}).R().SetContext(t.Context()).Get("/")
	require.Error(t, err)
	e := httpx.Wrap(err)
	require.Contains(t, e.Error(), "too large")
	require.True(t, e.Sent)
	r, err := httpx.NewClient(httpx.ClientOptions{BaseURL: url}).R().SetContext(t.Context()).Get("/")
	require.NoError(t, err)
	require.Len(t, r.Body(), 4<<20)
}

func TestTransportErrorsPassThrough(t *testing.T) {
	t.Parallel()
	mine := errors.New("budget spent")
	c := httpx.NewClient(httpx.ClientOptions{BaseURL: "http://crm.example", Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, mine })})
	_, err := c.R().SetContext(t.Context()).Get("/")
	e := httpx.Wrap(err)
	require.ErrorIs(t, e, mine)
	require.False(t, e.Sent)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"0": 0, "7": 7 * time.Second, " 1.5 ": 1500 * time.Millisecond, "-3": 0, "1e300": 25 * time.Hour, "+Inf": 25 * time.Hour,
		"Sat, 21 Nov 2026 12:00:30 GMT": 30 * time.Second, "Sat, 21 Nov 2026 11:00:00 GMT": 0,
		"Sat, 21 Nov 2099 11:00:00 GMT": 25 * time.Hour,
	} {
		d, ok := httpx.ParseRetryAfter(in, now)
		require.True(t, ok, in)
		require.Equal(t, want, d, in)
	}
	for _, in := range []string{"", "soon", "NaN", "7 seconds"} {
		_, ok := httpx.ParseRetryAfter(in, now)
		require.False(t, ok, in)
	}
}
