package crmfake

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInjector(t *testing.T) {
	t.Parallel()
	x := &Injector{RateLimited: Proxy429, Unavailable: Proxy503}
	done := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/faults" {
			x.ServeHTTP(w, r)
			return
		}
		if x.Before(w, r) {
			return
		}
		done++
		if x.After(w, r) {
			return
		}
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	for _, c := range []struct {
		faults string
		status int // 0: no answer
		done   bool
	}{
		{`{}`, 201, true},
		{`{"rate_429": 1}`, 429, false},
		{`{"rate_503": 1}`, 503, false},
		{`{"drop": 1}`, 0, false},
		{`{"commit_then_drop": 1}`, 0, true},
		{`{"commit_then_hang": 1, "hang_seconds": 0.001}`, 504, true},
	} {
		set, err := http.Post(server.URL+"/faults", "application/json", strings.NewReader(c.faults))
		require.NoError(t, err)
		require.NoError(t, set.Body.Close())
		require.Equal(t, http.StatusNoContent, set.StatusCode)
		before := done
		resp, err := http.Post(server.URL+"/records", "application/json", nil)
		if c.status == 0 {
			require.Error(t, err, c.faults)
		} else {
			require.NoError(t, err, c.faults)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, c.status, resp.StatusCode, c.faults)
		}
		require.Equal(t, c.done, done > before, c.faults)
		resp, err = http.Get(server.URL + "/records")
		require.NoError(t, err, "a read passes unless reads fail too")
		require.NoError(t, resp.Body.Close())
	}
	set, err := http.Post(server.URL+"/faults", "application/json", strings.NewReader(`{"rate_500": 1}`))
	require.NoError(t, err)
	require.NoError(t, set.Body.Close())
	require.Equal(t, http.StatusBadRequest, set.StatusCode, "a fault that is not known is no fault")
}
