package connectortest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

func testInfo(t *testing.T, target Target) {
	info := target.Connector.Info()
	require.NotEmpty(t, info.ID)
	require.NotEmpty(t, info.Label)
	require.NotEmpty(t, info.Setup)
	require.NotEmpty(t, info.Idempotency)
	require.Positive(t, info.RequestTimeout)
	names, required := map[string]bool{}, map[string]bool{}
	for _, f := range info.Fields {
		required[f.Name] = f.Required
		require.False(t, names[f.Name], "field twice: "+f.Name)
		names[f.Name] = true
		require.NotEmpty(t, f.Label, f.Name)
	}
	require.True(t, names["base_url"], "every connector takes base_url")
	set := target.Settings("https://crm.example")
	for name := range set.Config {
		require.True(t, names[name], "undeclared setting "+name)
	}
	for name := range set.Secrets {
		require.True(t, names[name], "undeclared secret "+name)
		without := target.Settings("https://crm.example")
		delete(without.Secrets, name)
		if _, err := target.Connector.Open(without); err != nil || required[name] {
			e := classOf(t, target, err)
			require.Equal(t, connectors.Invalid, e.Class)
			require.Equal(t, name, e.Field)
		}
	}
	without := target.Settings("https://crm.example")
	without.Secrets = nil
	_, err := target.Connector.Open(without)
	require.Equal(t, connectors.Invalid, classOf(t, target, err).Class, "without any credentials")
	for _, bad := range []string{"ftp://crm.example", "https://", "https://user:pw@crm.example", "https://crm.example/#x", "crm.example", "https://crm.example:\x00"} {
		_, err := target.Connector.Open(target.Settings(bad))
		e := classOf(t, target, err)
		require.Equal(t, connectors.Invalid, e.Class, bad)
		require.Equal(t, "base_url", e.Field, bad)
	}
}

// answering answers everything with one status and the vendor's body for it.
func answering(target Target, status func() int, header http.Header) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range header {
			w.Header()[k] = v
		}
		s := status()
		body := ""
		if target.ErrorBody != nil {
			body = target.ErrorBody(s)
		}
		if body != "" && w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(s)
		if s != http.StatusNoContent && s != http.StatusNotModified {
			fmt.Fprint(w, body)
		}
	}
}

func testStatuses(t *testing.T, target Target) {
	status := 0
	session := serve(t, target, answering(target, func() int { return status }, http.Header{"Location": {"https://elsewhere.example/"}}))
	for status = 300; status <= 599; status++ {
		want := connectors.Classify(status, target.Classes)
		for _, remoteID := range []string{"", "77"} {
			_, err := session.WriteCall(t.Context(), target.Write("key", remoteID, "x", noon))
			e := classOf(t, target, err)
			require.Equal(t, want, e.Class, "status %d, remote id %q: %v", status, remoteID, err)
		}
	}
}

func testRetryAfter(t *testing.T, target Target) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for header, want := range map[string][2]time.Duration{
			"7": {7 * time.Second, 7 * time.Second},
			time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat): {80 * time.Second, 90 * time.Second},
		} {
			session := serve(t, target, answering(target, func() int { return status }, http.Header{"Retry-After": {header}}))
			_, err := session.WriteCall(t.Context(), target.Write("key", "", "x", noon))
			e := classOf(t, target, err)
			require.GreaterOrEqual(t, e.RetryAfter, want[0], header)
			require.LessOrEqual(t, e.RetryAfter, want[1], header)
		}
	}
}

// hanging reads requests and never answers.
func hanging(t *testing.T) http.Handler {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
}

func testCancel(t *testing.T, target Target) {
	arrived := make(chan struct{}, 16)
	hang := hanging(t)
	session := serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		hang.ServeHTTP(w, r)
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	start := time.Now()
	_, err := session.WriteCall(ctx, target.Write("key", "", "x", noon))
	e := classOf(t, target, err)
	require.Less(t, time.Since(start), 5*time.Second)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, connectors.UnknownOutcome, e.Class)
}

func testOversize(t *testing.T, target Target) {
	block := strings.Repeat("a", 1<<20)
	session := serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"x":"`)
		for range 32 {
			if _, err := fmt.Fprint(w, block); err != nil {
				return
			}
		}
		fmt.Fprint(w, `"}`)
	}))
	_, err := session.WriteCall(t.Context(), target.Write("key", "", "x", noon))
	require.Equal(t, connectors.UnknownOutcome, classOf(t, target, err).Class)
}

func testSlow(t *testing.T, target Target) {
	session := serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := fmt.Fprint(w, " "); err != nil {
				return
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := session.WriteCall(ctx, target.Write("key", "", "x", noon))
	require.Equal(t, connectors.UnknownOutcome, classOf(t, target, err).Class)
}

func testRedirect(t *testing.T, target Target) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was sent to another host, with authorization %t", r.Method, r.Header.Get("Authorization") != "")
	}))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		session := serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path, status)
		}))
		_, err := session.WriteCall(t.Context(), target.Write("key", "", "x", noon))
		classOf(t, target, err)
	}
}

// testSecrets lets the server send back everything it was sent, in every place an error could pick it up from.
func testSecrets(t *testing.T, target Target) {
	target.Secrets = append([]string{"+14155550199", "hunter2"}, target.Secrets...)
	for _, status := range []int{200, 207, 400, 401, 403, 404, 409, 422, 429, 500, 503} {
		session := serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			echo := strings.Join(target.Secrets, " ")
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After", echo)
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"status":%[1]q,"message":%[1]q,"category":%[1]q,"correlationId":%[1]q,"policyName":%[1]q,"subCategory":%[1]q,"error":%[1]q,"errors":[{"message":%[1]q,"code":%[1]q,"in":%[1]q,"category":%[1]q,"context":{"propertyName":[%[1]q]}}],"results":[]}`, echo)
		}))
		_, err := session.WriteCall(t.Context(), target.Write("key", "", "hunter2 +14155550199", noon))
		if err == nil && status < 300 {
			continue
		}
		e := classOf(t, target, err)
		for _, secret := range target.Secrets {
			require.NotContains(t, e.Field, secret)
			require.NotContains(t, fmt.Sprintf("%+v %#v", e.Err, e.Public), secret)
		}
	}
	drop := serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			fmt.Fprintf(conn, "%s\r\n\r\n", strings.Join(target.Secrets, " "))
			conn.Close()
		}
	}))
	_, err := drop.WriteCall(t.Context(), target.Write("key", "", "x", noon))
	classOf(t, target, err)
}

// testGarbage answers with what proxies and captive portals say.
func testGarbage(t *testing.T, target Target) {
	for _, status := range []int{400, 401, 403, 429, 500, 502, 503} {
		for _, body := range []string{"", "<html>no</html>", "null", "[]", `"x"`, `{"errors":"x"}`, "\x00\xff", `{"message":`} {
			session := serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			}))
			_, err := session.WriteCall(t.Context(), target.Write("key", "", "x", noon))
			want := connectors.Classify(status, target.Classes)
			if c, ok := target.NotVendors[status]; ok {
				want = c
			}
			require.Equal(t, want, classOf(t, target, err).Class, "%d %q", status, body)
		}
	}
}
