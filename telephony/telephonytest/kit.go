package telephonytest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony"
)

// Kit is everything that a provider is checked with.
type Kit struct {
	Provider telephony.Provider
	Cases    []Case
	// Dictionary is left out where no vendor documents variables.
	Dictionary Dictionary
	// Unfilled are texts that the phone system sends in the place of a value that it does not have: variables of a template
	// that was not filled in. They mean the same as null.
	Unfilled []string
}

// Run checks the provider with its cases, their mutations, requests nobody planned for, and its dictionary. The page of its
// triggers and variables in docs/phones is held to them; with -update it is written.
func (k Kit) Run(t *testing.T) {
	t.Helper()
	p := k.Provider
	t.Run("info", func(t *testing.T) { checkInfo(t, p) })
	t.Run("odd requests", func(t *testing.T) { checkOdd(t, p) })
	t.Run("verify", func(t *testing.T) { checkVerify(t, p) })
	t.Run("samples", func(t *testing.T) { checkSamples(t, p) })
	t.Run("stories", func(t *testing.T) { checkStories(t, p) })
	t.Run("arrivals", func(t *testing.T) { checkOrders(t, p) })
	t.Run("steps", func(t *testing.T) { checkSteps(t, p) })
	t.Run("variables", func(t *testing.T) { checkVariables(t, p, k.Dictionary) })
	t.Run("random requests", func(t *testing.T) { checkRandom(t, p, k.Cases) })
	seen := map[string]bool{}
	for _, c := range k.Cases {
		require.False(t, seen[c.Name], "two cases are called %s", c.Name)
		seen[c.Name] = true
		t.Run(c.Name, func(t *testing.T) { k.check(t, c) })
	}
	t.Run("golden files", func(t *testing.T) {
		files, err := filepath.Glob("testdata/*.golden.json")
		require.NoError(t, err)
		for _, f := range files {
			name := filepath.Base(f)
			require.True(t, seen[name[:len(name)-len(".golden.json")]], "%s belongs to no case", f)
		}
	})
	t.Run("page", func(t *testing.T) { k.checkPage(t) })
}

// check checks one case and its mutations.
func (k Kit) check(t *testing.T, c Case) {
	p, s := k.Provider, k.settings(c)
	golden(t, p, c, s)
	checkConcurrent(t, p, c.Request, s)
	checkUnknownKept(t, p, c.Request, s)
	checkMutations(t, p, c.Request, s)
	checkContentTypes(t, p, c.Request, s)
	checkTypes(t, p, c.Request, s)
	checkBlank(t, p, c.Request, s, k.Unfilled)
	checkHuge(t, p, c.Request, s)
	checkFold(t, decode(t, p, c.Request, s).Events)
}

func (k Kit) settings(c Case) telephony.Settings {
	if c.Settings != nil {
		return *c.Settings
	}
	return Settings(k.Provider)
}

// page is the path of a file of the documentation, from the directory of a provider.
func page(name string) string { return filepath.Join("..", "..", "docs", "phones", name) }

// compare holds a file of the documentation to what it should be, or writes it.
func compare(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
		return
	}
	have, err := os.ReadFile(file)
	require.NoError(t, err, "run go test with -update to write it")
	require.Equal(t, want, string(have), "run go test with -update to write it")
}
