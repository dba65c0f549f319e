package connectors_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

type tokens struct {
	now       atomic.Value
	refreshed atomic.Int32
	err       error
}

func (t *tokens) Token(context.Context) (string, error) { return t.now.Load().(string), nil }

func (t *tokens) Refresh(_ context.Context, stale string) (string, error) {
	if t.err != nil {
		return "", t.err
	}
	if t.now.CompareAndSwap(stale, "new") {
		t.refreshed.Add(1)
	}
	return t.now.Load().(string), nil
}

func TestBearer(t *testing.T) {
	t.Parallel()
	accept := "Bearer new"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != accept {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	send := func(rt http.RoundTripper, body io.Reader) (int, string, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
		require.NoError(t, err)
		resp, err := rt.RoundTrip(r)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Empty(t, r.Header.Get("Authorization"), "the caller's request is not changed")
		return resp.StatusCode, string(got), nil
	}

	source := &tokens{}
	source.now.Store("old")
	rt := connectors.Bearer(connectors.Settings{Tokens: source}, "Bearer", "")
	status, got, err := send(rt, strings.NewReader("payload"))
	require.NoError(t, err)
	require.Equal(t, 200, status)
	require.Equal(t, "payload", got, "the body is sent again whole")
	require.EqualValues(t, 1, source.refreshed.Load())

	source.now.Store("old")
	status, _, err = send(rt, io.MultiReader(strings.NewReader("a stream")))
	require.NoError(t, err)
	require.Equal(t, 401, status, "what cannot be repeated is not")

	source.err = &connectors.Error{Class: connectors.Revoked, Public: "Connect again."}
	_, _, err = send(rt, strings.NewReader("payload"))
	var e *connectors.Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, connectors.Revoked, e.Class)
	require.True(t, e.NotSent)

	status, _, err = send(connectors.Bearer(connectors.Settings{}, "Bearer", "new"), nil)
	require.NoError(t, err)
	require.Equal(t, 200, status)
	status, _, err = send(connectors.Bearer(connectors.Settings{}, "Bearer", "wrong"), nil)
	require.NoError(t, err)
	require.Equal(t, 401, status)
}

func TestRateOf(t *testing.T) {
	t.Parallel()
	class, cost := connectors.RateOf(t.Context())
	require.Equal(t, "", class)
	require.Equal(t, 1, cost)
	class, cost = connectors.RateOf(connectors.WithRate(t.Context(), connectors.RateSearch, 20))
	require.Equal(t, connectors.RateSearch, class)
	require.Equal(t, 20, cost)
}
