package ingest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/pglocal"
	"github.com/callsync/callsync/postgres"
)

// Postgres goes away and comes back: what was answered with success meanwhile is there.
func TestPostgresGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := pglocal.Start(t.Context(), pglocal.Options{Dir: dir})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Discard()) }()
	require.NoError(t, server.CreateDatabase(t.Context(), "callsync"))
	_, _, err = postgres.Migrate(t.Context(), server.URL("callsync"))
	require.NoError(t, err)
	r := newRigOn(t, server.URL("callsync"))
	spool, err := OpenSpool(t.TempDir(), 0, NewMetrics(nil), quiet())
	require.NoError(t, err)
	defer spool.Close()
	b := NewBatcher(r.db, spool, BatcherOptions{Hold: 300 * time.Millisecond}, NewMetrics(nil), quiet(), nil)
	defer b.Close(context.Background())
	url := r.hooks(ReceiverOptions{}, b)
	status, _ := post(t, url, string(mustJSON(t, events(ended("before")))))
	require.Equal(t, 200, status)
	require.NoError(t, server.Stop())
	for i := range 20 {
		status, _ := post(t, url, string(mustJSON(t, events(ended(fmt.Sprint("during-", i))))))
		require.Equal(t, 200, status)
	}
	require.NotZero(t, spool.Bytes())
	server, err = pglocal.Start(t.Context(), pglocal.Options{Dir: dir})
	require.NoError(t, err)
	// The port may be another one; a new process would read it from its configuration.
	r = r.reopen(server.URL("callsync"))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); spool.Drain(ctx, r.db, nil) }()
	eventually(t, "the spool is drained", func() bool { return spool.Bytes() == 0 })
	stop()
	<-done
	r.apply()
	require.Equal(t, 21, r.count("select count(*) from calls"))
	require.Equal(t, 21, r.count("select count(*) from receipts"))
}
