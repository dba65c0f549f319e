package postgres

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/records"
)

// receiptOf makes a receipt that arrived at a moment.
func receiptOf(workspace, source string, at time.Time) records.Receipt {
	low := uuid.MustParse(lowestID(at))
	id := uuid.Must(uuid.NewV7())
	copy(id[:6], low[:6])
	return records.Receipt{ID: id.String(), WorkspaceID: workspace, SourceID: source, ReceivedAt: at, Method: "POST", Headers: []byte("{}"),
		Body: []byte("body"), Signature: "none"}
}

func partitionDB(t *testing.T) (*DB, string, string) {
	t.Helper()
	db, err := Open(t.Context(), pgtest.New(t), plainSealer{}, Options{MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	ws, source := newID(), newID()
	require.NoError(t, db.CreateWorkspace(t.Context(), records.Workspace{ID: ws, Name: "Acme"}))
	require.NoError(t, db.CreateSource(t.Context(), records.Source{ID: source, WorkspaceID: ws, Provider: "p", Name: "S", Token: newID(), Policy: "complete",
		Stale: time.Hour}))
	return db, ws, source
}

func names(all []records.Partition) string {
	var out []string
	for _, p := range all {
		out = append(out, p.Name)
	}
	return strings.Join(out, " ")
}

func TestPartitionsAreMadeAheadAndFilled(t *testing.T) {
	t.Parallel()
	db, ws, source := partitionDB(t)
	now := time.Date(2026, 11, 21, 23, 59, 59, 999e6, time.UTC)
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	// Without partitions the default one takes them.
	require.NoError(t, db.InsertReceipts(t.Context(), []records.Receipt{receiptOf(ws, source, now), receiptOf(ws, source, midnight), receiptOf(ws, source, now.AddDate(0, 0, -9))}))
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := db.MaintainPartitions(t.Context(), now, 3, 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, db.MaintainPartitions(t.Context(), now, 3, 0))
	all, err := db.Partitions(t.Context())
	require.NoError(t, err)
	require.Equal(t, "receipts_20261121 receipts_20261122 receipts_20261123 receipts_20261124 receipts_default", names(all))
	require.Equal(t, midnight, all[1].From)
	for table, want := range map[string]int{"receipts_20261121": 1, "receipts_20261122": 1, "receipts_default": 1, "receipts": 3} {
		require.Equal(t, want, countRows(t, db, table), table)
	}
	require.NoError(t, db.InsertReceipts(t.Context(), []records.Receipt{receiptOf(ws, source, midnight)}))
	require.Equal(t, 2, countRows(t, db, "receipts_20261122"))
	// The lock has been given back: the same process can do it again, and so can another one.
	require.NoError(t, db.MaintainPartitions(t.Context(), now.AddDate(0, 0, 1), 3, 0))
	all, err = db.Partitions(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 6)
}

func countRows(t *testing.T, db *DB, table string) (n int) {
	t.Helper()
	require.NoError(t, db.pool.QueryRow(t.Context(), "select count(*) from "+table).Scan(&n))
	return n
}

func TestRetentionKeepsWhatIsStillNeeded(t *testing.T) {
	t.Parallel()
	db, ws, source := partitionDB(t)
	day := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	require.NoError(t, db.MaintainPartitions(t.Context(), day, 3, 0))
	unapplied, quarantined, applied := receiptOf(ws, source, day), receiptOf(ws, source, day.AddDate(0, 0, 1)), receiptOf(ws, source, day.AddDate(0, 0, 2))
	require.NoError(t, db.InsertReceipts(t.Context(), []records.Receipt{unapplied, quarantined, applied}))
	exec := func(sql string, args ...any) {
		_, err := db.pool.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	exec(`delete from inbox where receipt_id <> $1`, unapplied.ID)
	exec(`insert into receipt_results (receipt_id, workspace_id, source_id, state) values ($1, $2, $3, 'quarantined'), ($4, $2, $3, 'applied')`, quarantined.ID, ws, source, applied.ID)
	all, err := db.Partitions(t.Context())
	require.NoError(t, err)
	require.Contains(t, all[0].Held, "not been applied")
	require.Contains(t, all[1].Held, "quarantined")
	require.Empty(t, all[2].Held)

	month := day.AddDate(0, 1, 0)
	require.NoError(t, db.MaintainPartitions(t.Context(), month, 0, 10*24*time.Hour))
	all, err = db.Partitions(t.Context())
	require.NoError(t, err)
	require.Equal(t, "receipts_20261101 receipts_20261102 receipts_20261201 receipts_default", names(all))

	exec(`delete from inbox`)
	exec(`update receipt_results set state = 'applied'`)
	require.NoError(t, db.MaintainPartitions(t.Context(), month, 0, 10*24*time.Hour))
	all, err = db.Partitions(t.Context())
	require.NoError(t, err)
	require.Equal(t, "receipts_20261201 receipts_default", names(all))
}

// Days without a partition of their own are kept in the default one, and no longer than others.
func TestRetentionOfTheDefaultPartition(t *testing.T) {
	t.Parallel()
	db, ws, source := partitionDB(t)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	old := now.AddDate(0, 0, -11)
	unapplied, rejected, applied, young := receiptOf(ws, source, old), receiptOf(ws, source, old), receiptOf(ws, source, old), receiptOf(ws, source, now.AddDate(0, 0, -9))
	require.NoError(t, db.InsertReceipts(t.Context(), []records.Receipt{unapplied, rejected, applied, young}))
	for _, sql := range []string{`delete from inbox where receipt_id <> $1`, `insert into receipt_results (receipt_id, workspace_id, source_id, state)
		select id, workspace_id, source_id, 'rejected' from receipts where id = $1`} {
		id := unapplied.ID
		if strings.HasPrefix(sql, "insert") {
			id = rejected.ID
		}
		_, err := db.pool.Exec(t.Context(), sql, id)
		require.NoError(t, err)
	}
	require.NoError(t, db.MaintainPartitions(t.Context(), now, 0, 0))
	require.Equal(t, 4, countRows(t, db, "receipts_default"), "no limit")
	require.NoError(t, db.MaintainPartitions(t.Context(), now, 0, 10*24*time.Hour))
	require.Equal(t, 3, countRows(t, db, "receipts_default"))
	require.Zero(t, countRows(t, db, "receipts where id = '"+applied.ID+"'"))
}

// Receipts keep coming in while partitions are made.
func TestPartitionsUnderLoad(t *testing.T) {
	t.Parallel()
	db, ws, source := partitionDB(t)
	now := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	inserted := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			if err := db.InsertReceipts(t.Context(), []records.Receipt{receiptOf(ws, source, time.Now())}); err != nil {
				t.Error(err)
				return
			}
			inserted++
		}
	})
	for d := range 5 {
		require.NoError(t, db.MaintainPartitions(t.Context(), now, d, 0))
	}
	stop()
	wg.Wait()
	require.Equal(t, inserted, countRows(t, db, "receipts"))
}

func TestLowestID(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	require.Equal(t, lowestID(at), lowestID(at.Add(time.Microsecond)))
	require.Less(t, lowestID(at), lowestID(at.Add(time.Millisecond)))
	id := uuid.Must(uuid.NewV7()).String()
	require.LessOrEqual(t, lowestID(time.Now().Add(-time.Second)), id)
	require.Greater(t, lowestID(time.Now().Add(time.Second)), id)
}
