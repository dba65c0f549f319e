package connectortest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

// shared are tokens as several sessions and workers share them: whoever comes first with a stale token refreshes.
type shared struct {
	mu        sync.Mutex
	now       string
	refreshed int
	refresh   func() (string, error)
}

// Token implements connectors.Tokens.
func (s *shared) Token(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, nil
}

// Refresh implements connectors.Tokens.
func (s *shared) Refresh(_ context.Context, stale string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != stale {
		return s.now, nil
	}
	fresh, err := s.refresh()
	if err != nil {
		return "", err
	}
	s.now = fresh
	s.refreshed++
	return fresh, nil
}

func authorised(t *testing.T, target Target, url string, tokens connectors.Tokens) connectors.Session {
	t.Helper()
	set := target.OAuthSettings(url)
	set.Tokens = tokens
	session, err := target.Connector.Open(set)
	require.NoError(t, err)
	return session
}

// testExpiry lets the access token end while several sessions write with it.
func testExpiry(t *testing.T, target Target) {
	if target.OAuthSettings == nil {
		t.Skip("the connector has no OAuth")
	}
	crm := target.New(t)
	tokens := &shared{now: crm.IssueToken(), refresh: func() (string, error) { return crm.IssueToken(), nil }}
	first := tokens.now
	var requests atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 5 {
			crm.ExpireToken(first)
		}
		crm.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	const workers, each = 4, 6
	var wg sync.WaitGroup
	errs := make(chan error, workers*each)
	for worker := range workers {
		session := authorised(t, target, s.URL, tokens)
		wg.Go(func() {
			for i := range each {
				if _, err := session.WriteCall(t.Context(), target.Write(fmt.Sprintf("key-%d-%d", worker, i), "", "x", noon)); err != nil {
					errs <- err
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 1, tokens.refreshed, "one refresh for all")
	for worker := range workers {
		for i := range each {
			require.Equal(t, 1, crm.Count(fmt.Sprintf("key-%d-%d", worker, i)))
		}
	}
}

// testRevoked ends the grant: the connection is parked, and nothing was sent.
func testRevoked(t *testing.T, target Target) {
	if target.OAuthSettings == nil {
		t.Skip("the connector has no OAuth")
	}
	crm := target.New(t)
	gone := &connectors.Error{Class: connectors.Revoked, Public: "Connect again."}
	tokens := &shared{now: crm.IssueToken(), refresh: func() (string, error) { return "", gone }}
	crm.ExpireToken(tokens.now)
	s := httptest.NewServer(crm.Handler)
	t.Cleanup(s.Close)
	_, err := authorised(t, target, s.URL, tokens).WriteCall(t.Context(), target.Write("key", "", "x", noon))
	e := classOf(t, target, err)
	require.Equal(t, connectors.Revoked, e.Class)
	require.True(t, e.NotSent, "a 401 has done nothing")
	require.Zero(t, crm.Count("key"))
}
