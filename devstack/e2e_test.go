//go:build unix

package devstack_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/devstack"
)

// TestDemo runs the script of make demo on the real stack: every phone system and both CRMs.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL, Temporal and callsync; not with -short")
	}
	t.Parallel()
	crms := devstack.NewDemoCRMs()
	o := devstack.DemoOptions(crms)
	o.Out, o.NoFsync = t.Output(), true
	began := time.Now()
	s, err := devstack.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			s.KeepFiles()
		}
		require.NoError(t, s.Close())
	})
	t.Logf("the stack is up after %s", time.Since(began).Round(time.Millisecond))
	require.NoError(t, devstack.Demo(t.Context(), s, crms, t.Output()))
}
