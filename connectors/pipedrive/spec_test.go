package pipedrive_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/callsync/callsync/connectors/connectortest/openapi"
)

// specEnv names a folder with the vendor's descriptions of its API, v1.yaml and v2.yaml (OpenAPI 3). Where it is set, every
// request that the tests send is held to them.
const specEnv = "CALLSYNC_PIPEDRIVE_SPEC"

// specs are the descriptions by the version of the API, none where specEnv is not set.
var specs = sync.OnceValues(func() (map[string]openapi.Descriptions, error) {
	dir := os.Getenv(specEnv)
	if dir == "" {
		return nil, nil
	}
	out := map[string]openapi.Descriptions{}
	for _, version := range []string{"v1", "v2"} {
		d, err := openapi.Load(filepath.Join(dir, version+".yaml"))
		if err != nil {
			return nil, err
		}
		out[version] = d
	}
	return out, nil
})

// recording passes requests on; with the vendor's descriptions at hand every one is held to them.
func recording(t *testing.T, h http.Handler) http.Handler {
	docs, err := specs()
	if err != nil {
		t.Fatal(err)
	}
	h = docs["v1"].Hold(t, h, func(r *http.Request) string {
		if strings.HasPrefix(r.URL.Path, "/oauth/") || strings.HasPrefix(r.URL.Path, "/api/v2/") {
			return ""
		}
		return strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api"), "/v1")
	})
	return docs["v2"].Hold(t, h, func(r *http.Request) string {
		path, ok := strings.CutPrefix(r.URL.Path, "/api/v2")
		if !ok {
			return ""
		}
		return path
	})
}
