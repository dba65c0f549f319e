package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// Bounds of clock samples. They are kept to notice a wrong time zone, so a process that is killed may forget some.
const (
	// clockSamples is how many are kept of each source.
	clockSamples = 50
	// clockDelay is how long they are gathered before they are written.
	clockDelay = 2 * time.Second
	// clockPending bounds what is gathered; a burst tells nothing that its beginning does not.
	clockPending = 5000
)

// clockSample is one call's: by how many seconds it seems to end before its first final report was received.
type clockSample struct {
	source, workspace string
	received          time.Time
	seconds           int64
}

// clockNews are samples that are not written yet. They are gathered in memory, so that applying receipts neither waits
// for them nor contends for the row of a busy source.
type clockNews struct {
	later
	mu      sync.Mutex
	samples []clockSample
}

func (db *DB) startClockNews() {
	n := &db.clocks
	n.delay = clockDelay
	n.work = func(ctx context.Context) {
		n.mu.Lock()
		all := n.samples
		n.samples = nil
		n.mu.Unlock()
		_ = db.addClockSamples(ctx, all)
	}
}

func (n *clockNews) add(samples []clockSample) {
	if len(samples) == 0 {
		return
	}
	n.mu.Lock()
	n.samples = append(n.samples, samples[:min(len(samples), max(0, clockPending-len(n.samples)))]...)
	n.mu.Unlock()
	n.soon()
}

// sampleClock notes how the source's clock and ours differ when a call has just ended by a webhook. A call that was
// pulled tells nothing, because it was asked for later, and a test call has callsync's own times.
func (a *application) sampleClock(before, now *records.CallRow, workspace, source string) {
	c := &now.Call
	if c.Phase != call.Ended || c.Stale || before.Call.Phase == call.Ended || c.EndedAt.IsZero() || c.TerminalReceivedAt.IsZero() ||
		c.Attributes[call.AttributeTest] == true {
		return
	}
	for _, e := range a.events {
		if e.record == c.ID && e.Kind == call.CallPulled {
			return
		}
	}
	a.clock = append(a.clock, clockSample{source, workspace, c.TerminalReceivedAt, int64(c.TerminalReceivedAt.Sub(c.EndedAt) / time.Second)})
}

func (db *DB) addClockSamples(ctx context.Context, all []clockSample) error {
	if len(all) == 0 {
		return nil
	}
	n := len(all)
	sources, workspaces, received, seconds := make([]string, n), make([]string, n), make([]time.Time, n), make([]int64, n)
	for i, s := range all {
		sources[i], workspaces[i], received[i], seconds[i] = s.source, s.workspace, s.received, s.seconds
	}
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`set local synchronous_commit = off`)
		batch.Queue(`
			insert into source_clocks as k (source_id, workspace_id, samples, sampled_at)
			select f.source, f.workspace, (array_agg(f.seconds order by f.received desc))[1:$5], now()
			from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[]) as f (source, workspace, received, seconds)
			left join source_clocks b on b.source_id = f.source
			where f.received >= coalesce(b.counts_from, '-infinity')
			group by f.source, f.workspace order by f.source
			on conflict (source_id) do update set samples = (excluded.samples || k.samples)[1:$5], sampled_at = excluded.sampled_at`,
			sources, workspaces, received, seconds, clockSamples)
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return fmt.Errorf("keep clock samples: %w", storeError(err))
	}
	return nil
}

// resetClock, in front of an update of a source ($1 workspace, $2 id, $4 its new time zone), drops the samples that were
// read in another zone. Processes look sources up again within seconds, so what arrives in the next ones does not count.
const resetClock = `
	with reset as (
		insert into source_clocks as k (source_id, workspace_id, counts_from)
		select id, workspace_id, now() + interval '10 seconds' from sources
		where workspace_id = $1 and id = $2 and deleted_at is null and time_zone <> $4
		on conflict (source_id) do update set samples = '{}', counts_from = excluded.counts_from)`

// SourceClocks returns the clock samples of a workspace's sources by the source's id. Sources without any are absent.
func (db *DB) SourceClocks(ctx context.Context, workspaceID string) (map[string]records.ClockSamples, error) {
	all, err := db.clockRows(ctx, `select `+clockColumns+` from source_clocks k join sources s on s.id = k.source_id and s.deleted_at is null
		where k.workspace_id = $1`, workspaceID)
	if err != nil {
		return nil, err
	}
	out := make(map[string]records.ClockSamples, len(all))
	for _, c := range all {
		out[c.SourceID] = c
	}
	return out, nil
}

// FreshSourceClocks returns the clock samples of all workspaces' sources that got some after a moment, the most recent
// ones first, up to limit. It is for what watches over them all, not for a workspace's request.
func (db *DB) FreshSourceClocks(ctx context.Context, after time.Time, limit int) ([]records.ClockSamples, error) {
	return db.clockRows(ctx, `select `+clockColumns+` from source_clocks k join sources s on s.id = k.source_id and s.deleted_at is null
		where k.sampled_at > $1 order by k.sampled_at desc limit $2`, after, limit)
}

const clockColumns = `k.source_id, k.workspace_id, k.samples, k.sampled_at`

func (db *DB) clockRows(ctx context.Context, sql string, args ...any) ([]records.ClockSamples, error) {
	rows, err := db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read clock samples: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c records.ClockSamples, err error) {
		err = row.Scan(&c.SourceID, &c.WorkspaceID, &c.Seconds, &c.At)
		c.At = c.At.UTC()
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read clock samples: %w", err)
	}
	return all, nil
}
