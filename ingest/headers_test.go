package ingest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestHeadersAreJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")) })
		h := http.Header(rapid.MapOfN(rapid.String(), rapid.SliceOfN(text, 0, 3), 0, 5).Draw(t, "headers"))
		data := appendHeaders(nil, h)
		var got http.Header
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%v: %q", err, data)
		}
		for name, values := range h {
			for i, v := range values {
				want := strings.Map(func(r rune) rune { return r }, v) // bytes that are not UTF-8 become U+FFFD
				if credential(name) {
					want = cutMark
				}
				if got[name][i] != want {
					t.Fatalf("%q: %q", want, got[name][i])
				}
			}
		}
	})
}

func TestCredentialsAreCut(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]bool{
		"Authorization": true, "Proxy-Authorization": true, "Cookie": true, "Set-Cookie": true, "X-Auth-Key": true, "X-Access-Token": true,
		"X-Api-Key": true, "Apikey": true, "X-Webhook-Secret": true, "Signature": false, "X-Hub-Signature-256": false, "Webhook-Id": false,
		"Content-Type": false, "User-Agent": false, "X-Forwarded-For": false,
	} {
		require.Equal(t, cut, credential(name), name)
	}
}

func FuzzSplitPath(f *testing.F) {
	f.Add("/hooks/callrail/token/post-call")
	f.Add("/hooks//")
	f.Fuzz(func(t *testing.T, path string) {
		provider, token, event, ok := splitPath(path)
		if ok && (provider == "" || token == "" || len(token) > maxToken || len(event) > maxEvent || strings.Contains(event, "/")) {
			t.Fatalf("%q: %q %q %q", path, provider, token, event)
		}
	})
}
