package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

func TestConnectionUsage(t *testing.T) {
	t.Parallel()
	f := newQueryFixture(t)
	u, err := f.ConnectionUsage(t.Context(), f.ws, f.connection1)
	require.NoError(t, err)
	require.Empty(t, u.Hours)
	for range 2 {
		require.NoError(t, f.AddUsage(t.Context(), f.ws, f.connection1, records.Usage{Deliveries: 2, Requests: 7, Cost: 30}))
	}
	require.NoError(t, f.AddUsage(t.Context(), newID(), f.connection1, records.Usage{Deliveries: 100}), "another workspace's is passed over")
	u, err = f.ConnectionUsage(t.Context(), f.ws, f.connection1)
	require.NoError(t, err)
	require.Equal(t, records.Usage{Deliveries: 4, Requests: 14, Cost: 60}, u.Day())
	other, err := f.ConnectionUsage(t.Context(), newID(), f.connection1)
	require.NoError(t, err)
	require.Empty(t, other.Hours)
}
