//go:build unix

package pglocal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHomebrewIsLookedForWhereItsPrefixSays(t *testing.T) {
	prefix := t.TempDir()
	bin := filepath.Join(prefix, "opt", "postgresql@17", "bin")
	require.NoError(t, os.MkdirAll(bin, 0o755))
	require.NotContains(t, candidates(), bin)
	t.Setenv("HOMEBREW_PREFIX", prefix)
	require.Contains(t, candidates(), bin)
}
