//go:build unix

package devstack_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/devstack"
)

// TestFakes holds that every connector that has a fake can be started with it.
func TestFakes(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("../connectors/*/*fake")
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	for _, dir := range dirs {
		connector := filepath.Base(filepath.Dir(dir))
		if code, err := filepath.Glob(filepath.Join(dir, "*.go")); err != nil || len(code) == 0 || !isDir(dir) {
			continue
		}
		require.Contains(t, devstack.FakeIDs(), connector, "devstack/fakes.go lacks its line")
	}
	for _, id := range devstack.FakeIDs() {
		f, err := devstack.NewFake(id)
		require.NoError(t, err)
		require.Equal(t, id, f.Connector)
		require.NotNil(t, f.Handler)
		require.Empty(t, f.Calls())
	}
	_, err = devstack.NewFake("planet")
	require.ErrorContains(t, err, "salesforce")
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
