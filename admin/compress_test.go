package admin_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Pages are compressed where it harms nobody, and say so.
func TestCompression(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.newSource()
	ask := func(path, accept string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.http.URL+path, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+f.token)
		r.Header.Set("Accept-Encoding", accept)
		resp, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	plain, err := io.ReadAll(ask("/calls?q=x", "identity").Body)
	require.NoError(t, err)
	resp := ask("/calls?q=x", "br, gzip")
	require.Equal(t, "gzip", resp.Header.Get("Content-Encoding"))
	require.Equal(t, "Accept-Encoding", resp.Header.Get("Vary"))
	z, err := gzip.NewReader(resp.Body)
	require.NoError(t, err)
	unzipped, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Equal(t, len(plain), len(unzipped))
	for path, accept := range map[string]string{"/sources": "gzip", "/api/v1/sources": "gzip", "/calls": "gzip;q=0", "/connections": "gzip"} {
		require.Empty(t, ask(path, accept).Header.Get("Content-Encoding"), path)
	}
}
