// Package archtest holds the import directions of docs/architecture.md. Each rule keeps one promise: that a phone system
// or a CRM can be added without touching another, that the domain can be tested without a database, and that a change
// of the plumbing stays in one place.
package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/callsync/callsync"

// rule says what the packages that match may import of ours, besides packages below their own. The first rule that
// matches a package counts. "x/*" matches every package below x; "*" matches every package.
type rule struct {
	of  string
	may []string
	// leaf packages keep to the rule in their tests, too, apart from the test kits and fakes.
	leaf bool
}

var rules = []rule{
	{of: "call", leaf: true},
	{of: "records", may: []string{"call"}, leaf: true},
	{of: "mappings", may: []string{"call", "records", "internal/doctree", "internal/exprkit"}, leaf: true},
	{of: "telephony", may: []string{"call", "records"}, leaf: true},
	{of: "telephony/*", may: []string{"telephony", "call", "records", "internal/httpx", "internal/doctree", "internal/exprkit"}, leaf: true},
	{of: "connectors", may: []string{"call", "records", "internal/httpx"}, leaf: true},
	// The kit holds the default mappings against the fields of the fakes. It is in no binary.
	{of: "connectors/connectortest", may: []string{"connectors", "call", "records", "internal/httpx", "mappings"}, leaf: true},
	// internal/crmfake is for their fakes: only tests and fakes may import what is named so.
	{of: "connectors/*", may: []string{"connectors", "call", "records", "internal/httpx", "internal/crmfake"}, leaf: true},
	{of: "activities", may: []string{"activities/batches", "activities/budget", "activities/grants", "call", "connectors", "mappings", "records", "telephony"}},
	{of: "activities/*", may: []string{"connectors", "records", "internal/httpx"}},
	{of: "alerts", may: []string{"mappings", "records", "telephony", "internal/httpx", "internal/mailer"}},
	{of: "workflows", may: []string{"activities", "records"}},
	{of: "ingest", may: []string{"call", "telephony", "workflows", "records", "internal/httpx"}},
	{of: "recordings", may: []string{"call", "telephony", "records", "internal/httpx", "internal/blobstore", "internal/secretbox"}},
	{of: "postgres", may: []string{"call", "mappings", "records", "internal/secretbox"}},
	{of: "docs", leaf: true},
	{of: "admin", may: []string{"call", "connectors", "telephony", "mappings", "records", "recordings", "docs", "internal/csvsafe", "internal/httpx", "internal/secretbox", "internal/telemetry"}},
	{of: "admin/*", may: []string{"admin", "call", "connectors", "telephony", "mappings", "records", "internal/httpx", "internal/secretbox", "internal/telemetry"}},
	{of: "internal/*", may: []string{"internal/*"}, leaf: true},
	{of: "devstack", may: []string{"*"}},
	{of: "devstack/*", may: []string{"*"}},
	{of: "cmd/*", may: []string{"*"}},
}

// testOnly tells packages that serve tests by their names: kits and fakes. Only tests and the devstack import them.
func testOnly(name string) bool {
	return strings.HasSuffix(name, "test") || strings.HasSuffix(name, "fake")
}

// devstack is what newcomers and end-to-end tests run; the product does not know it.
var devstack = []string{"devstack", "devstack/*", "cmd/devstack"}

// owners say which of our packages may import a foreign module.
var owners = []struct {
	module string
	may    []string
	why    string
}{
	{"go.temporal.io/server", nil, "the server lives in the nested module devstack/temporal, so that the product stays small"},
	{"go.temporal.io", []string{"workflows", "activities", "internal/temporalx", "cmd/*", "devstack", "devstack/*"}, "only they know Temporal"},
	{"github.com/jackc/pgx", []string{"postgres", "internal/config", "internal/pglocal", "internal/pgtest", "cmd/*", "devstack", "devstack/*"}, "only they know PostgreSQL"},
	{"github.com/minio", []string{"internal/blobstore"}, "only it knows S3"},
	{"github.com/danielgtaylor/huma", []string{"admin", "admin/*", "cmd/*"}, "only they serve the API"},
	{"github.com/chromedp", []string{"devstack", "devstack/*", "internal/browsertest"}, "browsers are for tests"},
}

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestImports(t *testing.T) {
	t.Parallel()
	packages := list(t)
	require.NotEmpty(t, packages)
	for _, p := range packages {
		for _, complaint := range check(p) {
			t.Error(complaint)
		}
	}
}

// The Temporal server is 1,250 packages: it must not come in by way of a dependency either.
func TestServerStaysInItsOwnModule(t *testing.T) {
	t.Parallel()
	dir := root(t)
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	require.NoError(t, err)
	require.NotContains(t, string(text), "go.temporal.io/server", "the product's go.mod requires the Temporal server")
	if _, err := os.Stat(filepath.Join(dir, "devstack/temporal")); err == nil {
		require.FileExists(t, filepath.Join(dir, "devstack/temporal/go.mod"), "devstack/temporal is not a module of its own")
	}
}

// The rules must complain of what they forbid: a rule that nothing can break holds nothing.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ of, imports, says string }{
		{"call", "records", "call must not import records"},
		{"connectors/hubspot", "connectors/zoho", "connectors/hubspot must not import connectors/zoho: a connector never imports another"},
		{"connectors/hubspot/hubspotfake", "connectors/zoho/zohofake", "a connector never imports another"},
		{"connectors/hubspot", "connectors/hubspot/hubspotfake", "only tests and the devstack import it"},
		{"connectors/hubspot", "mappings", "connectors/hubspot must not import mappings"},
		{"connectors/hubspot", "postgres", "connectors/hubspot must not import postgres"},
		{"telephony/callrail", "telephony/smartflo", "a provider never imports another"},
		{"telephony/callrail", "connectors", "telephony/callrail must not import connectors"},
		{"workflows", "mappings", "workflows must not import mappings"},
		{"activities", "postgres", "activities must not import postgres"},
		{"activities", "workflows", "activities must not import workflows"},
		{"ingest", "postgres", "ingest must not import postgres"},
		{"postgres", "activities", "postgres must not import activities"},
		{"admin", "workflows", "admin must not import workflows"},
		{"internal/httpx", "call", "internal/httpx must not import call"},
		{"cmd/callsync", "devstack", "cmd/callsync must not import devstack"},
		{"cmd/callsync", "internal/pgtest", "only tests and the devstack import it"},
		{"cmd/callsync", "connectors/hubspot/hubspotfake", "only tests and the devstack import it"},
		{"postgres", "cmd/callsync", "postgres must not import cmd/callsync"},
		{"util", "call", "util has no rule"},
	} {
		complaints := check(pkg{ImportPath: module + "/" + c.of, Imports: []string{module + "/" + c.imports}})
		require.Len(t, complaints, 1, "%s imports %s", c.of, c.imports)
		require.Contains(t, complaints[0], c.says)
	}
	for _, c := range []struct{ of, imports, says string }{
		{"connectors/hubspot", "go.temporal.io/sdk/temporal", "connectors/hubspot must not import go.temporal.io/sdk/temporal: only they know Temporal"},
		{"cmd/callsync", "go.temporal.io/server/temporal", "nested module"},
		{"admin", "github.com/jackc/pgx/v5", "only they know PostgreSQL"},
	} {
		complaints := check(pkg{ImportPath: module + "/" + c.of, Imports: []string{c.imports}})
		require.Len(t, complaints, 1)
		require.Contains(t, complaints[0], c.says)
	}
	for _, p := range []pkg{
		{ImportPath: module + "/connectors/hubspot", Imports: []string{"fmt", module + "/connectors", module + "/connectors/hubspot/internal/wire"}},
		{ImportPath: module + "/connectors/hubspot", XTestImports: []string{module + "/connectors/connectortest", module + "/connectors/hubspot/hubspotfake"}},
		{ImportPath: module + "/activities", XTestImports: []string{module + "/postgres", module + "/connectors/hubspot"}},
		{ImportPath: module + "/cmd/devstack", Imports: []string{module + "/devstack"}},
		{ImportPath: module + "/devstack", Imports: []string{module + "/connectors/hubspot/hubspotfake"}},
	} {
		require.Empty(t, check(p))
	}
	complaints := check(pkg{ImportPath: module + "/connectors/hubspot", TestImports: []string{module + "/connectors/zoho"}})
	require.Len(t, complaints, 1, "tests of a connector import another one")
}

// check returns a sentence for each import of p that breaks a rule.
func check(p pkg) (complaints []string) {
	of := strings.TrimPrefix(p.ImportPath, module+"/")
	i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.of, of) })
	if i < 0 {
		return []string{fmt.Sprintf("%s has no rule: say in docs/architecture.md and in this test what it may import", of)}
	}
	r := rules[i]
	for _, path := range p.Imports {
		if why := broken(r, of, path, false); why != "" {
			complaints = append(complaints, why)
		}
	}
	if !r.leaf {
		return complaints
	}
	for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
		if why := broken(r, of, path, true); why != "" {
			complaints = append(complaints, why+" (in its tests)")
		}
	}
	return complaints
}

// broken says why of may not import path; empty if it may.
func broken(r rule, of, path string, test bool) string {
	imported, ours := strings.CutPrefix(path, module+"/")
	if !ours {
		if path == module {
			return fmt.Sprintf("%s must not import %s: the root holds no code", of, path)
		}
		for _, o := range owners {
			if path != o.module && !strings.HasPrefix(path, o.module+"/") {
				continue
			}
			if test && o.may != nil || slices.ContainsFunc(o.may, func(m string) bool { return matches(m, of) }) {
				return ""
			}
			return fmt.Sprintf("%s must not import %s: %s", of, path, o.why)
		}
		return ""
	}
	inDevstack := slices.ContainsFunc(devstack, func(d string) bool { return matches(d, of) })
	switch {
	case testOnly(imported) && !test && !inDevstack && !testOnly(of):
		return fmt.Sprintf("%s must not import %s: only tests and the devstack import it", of, imported)
	case imported == of || part(of) != "" && part(imported) == part(of):
		return "" // Its own package or one of its own part.
	case test && (imported == "connectors/connectortest" || imported == "connectors/connectortest/openapi" || imported == "telephony/telephonytest"):
		return ""
	case !inDevstack && slices.ContainsFunc(devstack, func(d string) bool { return matches(d, imported) }):
		return fmt.Sprintf("%s must not import %s: the product does not know the devstack", of, imported)
	case matches("cmd/*", imported):
		return fmt.Sprintf("%s must not import %s: nothing imports a command", of, imported)
	case slices.ContainsFunc(r.may, func(m string) bool { return matches(m, imported) }):
		return ""
	case test && matches("internal/*", imported):
		return ""
	case matches("connectors/*", of) && matches("connectors/*", imported):
		return fmt.Sprintf("%s must not import %s: a connector never imports another", of, imported)
	case matches("telephony/*", of) && matches("telephony/*", imported):
		return fmt.Sprintf("%s must not import %s: a provider never imports another", of, imported)
	}
	allowed := "nothing of ours"
	if len(r.may) > 0 {
		allowed = "only " + strings.Join(r.may, ", ")
	}
	return fmt.Sprintf("%s must not import %s: it may import %s", of, imported, allowed)
}

// part is the provider, connector or command that a package belongs to ("connectors/hubspot"); empty for others.
func part(name string) string {
	e := strings.Split(name, "/")
	if len(e) < 2 || !slices.Contains([]string{"telephony", "connectors", "cmd"}, e[0]) {
		return ""
	}
	return e[0] + "/" + e[1]
}

func matches(pattern, name string) bool {
	if pattern == "*" {
		return true
	}
	if below, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, below)
	}
	return pattern == name
}

// list asks the go command for our packages. Those that do not compile are listed, too.
func list(t *testing.T) (out []pkg) {
	t.Helper()
	// The test cache sees which folders a test reads, but not what the go command reads for it: without this walk a new
	// import would meet an old verdict.
	require.NoError(t, filepath.WalkDir(root(t), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && (e.Name() == "testdata" || strings.HasPrefix(e.Name(), ".")) {
			return fs.SkipDir
		}
		return err
	}))
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	require.NoError(t, err, "%s", stderr.String())
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		out = append(out, p)
	}
}

// root is the folder of the product's go.mod.
func root(t *testing.T) string {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	require.NoError(t, err)
	return filepath.Dir(strings.TrimSpace(string(text)))
}
