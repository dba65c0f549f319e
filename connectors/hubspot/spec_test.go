package hubspot_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/callsync/callsync/connectors/connectortest/openapi"
)

// specEnv names the folder PublicApiSpecs of a checkout of the vendor's descriptions of its API
// (github.com/HubSpot/HubSpot-public-api-spec-collection). Where it is set, every request that the conformance kit sends is
// held to them.
const specEnv = "CALLSYNC_HUBSPOT_SPEC"

var specs = sync.OnceValues(func() (openapi.Descriptions, error) {
	dir := os.Getenv(specEnv)
	if dir == "" {
		return nil, nil
	}
	var files []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		part := strings.Split(filepath.ToSlash(path), "/")
		if err != nil || len(part) < 2 || !strings.HasSuffix(path, ".json") {
			return err
		}
		switch part[len(part)-2] {
		case "v1", "v3", "v4", "2026-03":
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return openapi.Load(files...)
})

// held passes requests on; with the vendor's descriptions at hand every one is held to them.
func held(t *testing.T, h http.Handler) http.Handler {
	docs, err := specs()
	if err != nil {
		t.Fatal(err)
	}
	return docs.Hold(t, h, func(r *http.Request) string {
		if strings.HasPrefix(r.URL.Path, "/calling/v1/") {
			return "" // older than the descriptions
		}
		return r.URL.EscapedPath()
	})
}
