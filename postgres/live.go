package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// liveChannel is where processes tell each other of which workspace live calls have changed. Its payload is the
// workspace's id and nothing else.
const liveChannel = "callsync_live"

// liveDelay is how long changes of live calls are gathered before other processes are told.
const liveDelay = 100 * time.Millisecond

// liveNews are the workspaces of which live calls have changed in this process. Others are told after the transaction
// that changed them, not in it: a transaction that notifies holds a lock of the whole database while it commits.
// What a process that is killed did not tell, boards find when they look by themselves.
type liveNews struct {
	later
	mu         sync.Mutex
	workspaces map[string]bool
}

func (db *DB) startLiveNews() {
	n := &db.news
	n.workspaces = map[string]bool{}
	n.delay = liveDelay
	n.work = func(ctx context.Context) {
		n.mu.Lock()
		all := slices.Collect(maps.Keys(n.workspaces))
		clear(n.workspaces)
		n.mu.Unlock()
		if len(all) > 0 {
			_, _ = db.pool.Exec(ctx, `select pg_notify($1, w) from unnest($2::text[]) as w`, liveChannel, all)
		}
	}
}

// tell notes that live calls of workspaces have changed.
func (n *liveNews) tell(workspaces map[string]bool) {
	if len(workspaces) == 0 {
		return
	}
	n.mu.Lock()
	maps.Copy(n.workspaces, workspaces)
	n.mu.Unlock()
	n.soon()
}

// liveWhere are the live calls (c) of a workspace ($1) and one of its sources (s). A call of which nothing was heard for
// its source's stale limit is not live any more, whether the sweeper has closed it yet or not.
const liveWhere = `c.workspace_id = $1 and c.source_id = s.id and c.phase = 'live' and c.merged_into is null
	and c.changed_at >= now() - make_interval(secs => s.stale_seconds)`

// LiveCalls returns the live calls of a workspace of which something was heard last, up to limit, and how many more there
// are. It goes source by source, because otherwise the planner would walk the list of all calls if it believes that many
// of them are live.
func (db *DB) LiveCalls(ctx context.Context, workspaceID string, limit int) (calls []records.LiveCall, more int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	rows, err := db.pool.Query(ctx, `
		select c.id, c.source_id, s.name, coalesce(c.state ->> 'provider', ''), c.direction, coalesce(c.state -> 'customer', '{}'),
			coalesce(c.state ->> 'business_number', c.state ->> 'business_raw_number', ''), coalesce(c.state ->> 'queue', ''),
			coalesce(c.state ->> 'department', ''), coalesce(c.state -> 'live', '{}'), c.started_at, c.created_at
		from sources s cross join lateral (
			select * from calls c where `+liveWhere+` order by c.changed_at desc limit $2) c
		where s.workspace_id = $1 order by c.changed_at desc, c.id desc limit $2`, workspaceID, limit+1)
	if err != nil {
		return nil, 0, fmt.Errorf("list live calls: %w", timedOut(ctx, err))
	}
	calls, err = pgx.CollectRows(rows, scanLive)
	if err != nil {
		return nil, 0, fmt.Errorf("list live calls: %w", timedOut(ctx, err))
	}
	if len(calls) <= limit {
		return calls, 0, nil
	}
	if err := db.pool.QueryRow(ctx, `
		select count(*) from sources s join calls c on `+liveWhere+` where s.workspace_id = $1`, workspaceID).Scan(&more); err != nil {
		return nil, 0, fmt.Errorf("count live calls: %w", timedOut(ctx, err))
	}
	// Some may have ended between the two looks.
	return calls[:limit], max(more-int64(limit), 1), nil
}

func scanLive(row pgx.CollectableRow) (c records.LiveCall, err error) {
	var (
		customer, live []byte
		started        *time.Time
		created        time.Time
	)
	err = row.Scan(&c.ID, &c.SourceID, &c.SourceName, &c.Provider, &c.Direction, &customer, &c.BusinessNumber, &c.Queue, &c.Department, &live, &started, &created)
	if err != nil {
		return c, err
	}
	if err := errors.Join(json.Unmarshal(customer, &c.Customer), json.Unmarshal(live, &c.Live)); err != nil {
		return c, fmt.Errorf("read live call %s: %w", c.ID, err)
	}
	if started != nil {
		c.StartedAt = started.UTC()
	}
	if c.Live.State == "" {
		c.Live.State = call.LiveUnknown
	}
	if c.Live.Since.IsZero() {
		c.Live.Since = created.UTC()
	}
	return c, nil
}

// ListenLive calls changed with the id of each workspace of which live calls have changed, in this process or another,
// and with "" when it has begun to listen: anything may have changed before. It returns when ctx ends, or with an error
// when the connection is lost; it has one of its own, because a pool's is not always the same.
func (db *DB) ListenLive(ctx context.Context, changed func(workspaceID string)) error {
	conn, err := pgx.ConnectConfig(ctx, db.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("listen for live calls: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, "listen "+liveChannel); err != nil {
		return fmt.Errorf("listen for live calls: %w", err)
	}
	changed("")
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("listen for live calls: %w", err)
		}
		changed(n.Payload)
	}
}
