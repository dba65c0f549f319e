package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/records"
)

// TestPagesKeepNoPlans looks into the one session for what it has prepared: a plan kept from large workspaces would serve
// small ones too.
func TestPagesKeepNoPlans(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), pgtest.New(t), plainSealer{}, Options{MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	ws, ctx := newID(), t.Context()
	_, err = db.Stats(ctx, ws, time.Now().Add(-time.Hour), time.Now())
	require.NoError(t, err)
	_, err = db.SearchCalls(ctx, ws, records.CallFilter{Query: "maria", State: records.CallOnHold, Limit: 5})
	require.NoError(t, err)
	_, err = db.ReceiptsPage(ctx, ws, records.ReceiptFilter{State: records.ReceiptQuarantined, Limit: 5})
	require.NoError(t, err)
	_, err = db.Holds(ctx, ws)
	require.NoError(t, err)
	rows, err := db.pool.Query(ctx, `select statement from pg_prepared_statements where statement ~ 'call_list|receipt|deliveries'
		and statement !~ 'pg_prepared_statements'`)
	require.NoError(t, err)
	var kept []string
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		kept = append(kept, s)
	}
	require.NoError(t, rows.Err())
	require.Empty(t, kept, "run by look, these are planned for whom they are about")
}
