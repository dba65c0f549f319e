package budget

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// What deliveries ask of a CRM is written down, also of one without limits, and not once for each.
func TestUsageIsNoted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := &Budgets{Store: r.db}
	info := connectors.Info{ID: "crm", Label: "CRM"}
	require.NoError(t, r.attempt(b, info, "a", Live, 3))
	u, err := r.db.ConnectionUsage(t.Context(), r.conn.WorkspaceID, r.conn.ID)
	require.NoError(t, err)
	require.Equal(t, records.Usage{Deliveries: 1, Requests: 3, Cost: 3}, u.Day())
	require.NoError(t, r.attempt(b, info, "b", Live, 2))
	require.NoError(t, r.attempt(b, info, "c", Live, 0), "one that sent nothing")
	u, err = r.db.ConnectionUsage(t.Context(), r.conn.WorkspaceID, r.conn.ID)
	require.NoError(t, err)
	require.EqualValues(t, 3, u.Day().Requests, "the next ones follow some seconds later")
	require.Equal(t, records.Usage{Deliveries: 1, Requests: 2, Cost: 2}, b.usage[r.conn.ID].Usage)
}
