package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

const pendingColumns = `'', c.id, c.workspace_id, c.source_id, c.revision, c.complete, coalesce((c.state->>'stale')::boolean, false),
	c.window_base, c.changed_at, c.waits_until, c.settled_revision >= c.revision`

func scanPending(row pgx.CollectableRow) (p records.PendingCall, err error) {
	var base, waits *time.Time
	err = row.Scan(&p.Kind, &p.ID, &p.WorkspaceID, &p.SourceID, &p.Revision, &p.Complete, &p.Stale, &base, &p.ChangedAt, &waits, &p.Settled)
	if base != nil {
		p.WindowBase = base.UTC()
	}
	if waits != nil {
		p.WaitsUntil = waits.UTC()
	}
	p.ChangedAt = p.ChangedAt.UTC()
	return p, err
}

// pending runs statements with the same arguments in one transaction and collects what all of them return.
func (db *DB) pending(ctx context.Context, doing string, args []any, statements ...string) ([]records.PendingCall, error) {
	var out []records.PendingCall
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		out = nil
		batch := &pgx.Batch{}
		batch.Queue(planByKeys)
		for _, sql := range statements {
			batch.Queue(sql, args...)
		}
		results := tx.SendBatch(ctx, batch)
		defer results.Close()
		if _, err := results.Exec(); err != nil {
			return err
		}
		for range statements {
			rows, _ := results.Query()
			some, err := pgx.CollectRows(rows, scanPending)
			if err != nil {
				return err
			}
			out = append(out, some...)
		}
		return results.Close()
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, storeError(err))
	}
	return out, nil
}

// ClaimUnsignalled takes up to limit ended calls that changed since their workflow was told, and as many messages and
// forms, for as long as lease. A claim that is neither finished nor given back ends with its lease, and another process
// takes the record.
func (db *DB) ClaimUnsignalled(ctx context.Context, limit int, lease time.Duration) ([]records.PendingCall, error) {
	return db.pending(ctx, "claim calls to signal", []any{limit, lease}, `
		update calls c set signal_lease = now() + $2
		from (select id from calls
			where revision > signalled_revision and merged_into is null and signal_lease <= now()
			order by signal_lease limit $1 for update skip locked) p
		where c.id = p.id
		returning `+pendingColumns, ofOthers(`
		update {table} c set signal_lease = now() + $2
		from (select id from {table}
			where revision > signalled_revision and signal_lease <= now()
			order by signal_lease limit $1 for update skip locked) p
		where c.id = p.id
		returning `))
}

// PendingCall reads one ended call, or a message or form, as a claim would, without claiming it; records.ErrNotFound if the
// workspace has no such record, or it is a live call.
func (db *DB) PendingCall(ctx context.Context, workspaceID, callID string) (records.PendingCall, error) {
	if _, ok := parseUUID(callID); !ok {
		return records.PendingCall{}, records.ErrNotFound
	}
	rows, err := db.pool.Query(ctx, `select `+pendingColumns+` from calls c
		where c.workspace_id = $1 and c.id = $2 and c.merged_into is null and c.phase = 'ended'`, workspaceID, callID)
	if err != nil {
		return records.PendingCall{}, fmt.Errorf("read a call: %w", err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanPending)
	if errors.Is(err, pgx.ErrNoRows) {
		return db.pendingOther(ctx, workspaceID, callID)
	}
	return p, rowError(err)
}

// EnsureLanes makes the delivery rows of lanes that have none, and returns the ids of the records that got one.
func (db *DB) EnsureLanes(ctx context.Context, lanes []records.LaneKey) ([]string, error) {
	if len(lanes) == 0 {
		return nil, nil
	}
	n := len(lanes)
	ids, workspaces, connections, calls, objects := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, l := range lanes {
		objects[i] = cmp.Or(l.Kind, kindCall)
		ids[i], workspaces[i], connections[i], calls[i] = newID(), l.WorkspaceID, l.ConnectionID, l.CallID
	}
	rows, err := db.pool.Query(ctx, `
		insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state)
		select l.id, l.w, l.con, l.object, l.call::text, l.call, 'waiting'
		from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[]) as l (id, w, con, call, object)
		order by l.con, l.call
		on conflict (connection_id, object, key) do nothing
		returning record_id`, ids, workspaces, connections, calls, objects)
	if err != nil {
		return nil, fmt.Errorf("make lanes: %w", storeError(err))
	}
	made, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("make lanes: %w", storeError(err))
	}
	return made, nil
}

// FinishSignals records what workflows have been told and gives the claims back. A zero CheckAt leaves the sweeper's
// next look at the call as it is.
func (db *DB) FinishSignals(ctx context.Context, all []records.Signalled) error {
	all, others := splitOthers(all)
	if err := db.finishOthers(ctx, others); err != nil || len(all) == 0 {
		return err
	}
	n := len(all)
	ids, revisions, nothing := make([]string, n), make([]int64, n), make([]bool, n)
	checks, waits := make([]*time.Time, n), make([]*time.Time, n)
	for i, s := range all {
		ids[i], revisions[i], nothing[i], checks[i], waits[i] = s.CallID, s.Revision, s.Nothing, orNull(s.CheckAt), orNull(s.WaitsUntil)
	}
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(planByKeys)
		// Locked in the order in which the others lock calls.
		batch.Queue(`select 1 from calls where id = any($1::uuid[]) order by id for update`, ids)
		batch.Queue(`
			update calls c set
				signalled_revision = greatest(c.signalled_revision, s.revision),
				signal_lease = '-infinity',
				waits_until = s.waits,
				settled_revision = case when s.nothing then greatest(c.settled_revision, s.revision) else c.settled_revision end,
				check_count = case when s.check_at is null then c.check_count else 0 end,
				check_at = case
					when s.nothing and s.revision >= c.revision or c.settled_revision >= c.revision then null
					else coalesce(s.check_at, c.check_at) end
			from unnest($1::uuid[], $2::bigint[], $3::bool[], $4::timestamptz[], $5::timestamptz[]) as s (id, revision, nothing, check_at, waits)
			where c.id = s.id`, ids, revisions, nothing, checks, waits)
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return fmt.Errorf("record signals: %w", storeError(err))
	}
	return nil
}

// ReleaseSignals gives claims back unfinished; the calls may be claimed again after wait.
func (db *DB) ReleaseSignals(ctx context.Context, callIDs []string, wait time.Duration) error {
	_, err := db.pool.Exec(ctx, `
		update calls c set signal_lease = now() + $2
		from (select id from calls where id = any($1::uuid[]) order by id for update) p where c.id = p.id`, callIDs, wait)
	if err == nil {
		err = db.eachOther(ctx, `
			update {table} c set signal_lease = now() + $2
			from (select id from {table} where id = any($1::uuid[]) order by id for update) p where c.id = p.id`, callIDs, wait)
	}
	if err != nil {
		return fmt.Errorf("give claims back: %w", storeError(err))
	}
	return nil
}

// DueChecks takes up to limit calls whose look by the sweeper is due and sets the next one: after pause, twice as long
// each time, within an hour. Those that are settled meanwhile are not looked at again. Lanes that still wait for a
// connection to which the source leads no more are closed: nobody will deliver them.
func (db *DB) DueChecks(ctx context.Context, limit int, pause time.Duration) ([]records.PendingCall, error) {
	due, err := db.pending(ctx, "find calls to check", []any{limit, pause}, `
		update calls c set
			check_count = case when c.settled_revision >= c.revision then 0 else c.check_count + 1 end,
			check_at = case when c.settled_revision < c.revision
				then now() + least($2::interval * 2 ^ least(c.check_count, 20), interval '1 hour') end
		from (select id from calls
			where check_at <= now() and merged_into is null
			order by check_at limit $1 for update skip locked) p
		where c.id = p.id
		returning `+pendingColumns, ofOthers(`
		update {table} c set
			check_count = case when c.settled_revision >= c.revision then 0 else c.check_count + 1 end,
			check_at = case when c.settled_revision < c.revision
				then now() + least($2::interval * 2 ^ least(c.check_count, 20), interval '1 hour') end
		from (select id from {table} where check_at <= now() order by check_at limit $1 for update skip locked) p
		where c.id = p.id
		returning `))
	if err != nil || len(due) == 0 {
		return due, err
	}
	ids := make([]string, len(due))
	for i, c := range due {
		ids[i] = c.ID
	}
	_, err = db.pool.Exec(ctx, `
		update deliveries d set state = 'skipped', reason = 'The source no longer leads to this connection.', class = '', field = '', detail = '',
			retry_at = null, updated_at = now()
		from (select id, source_id, 'call' as object from calls where id = any($1)
				union all select id, source_id, 'message' from messages where id = any($1)
				union all select id, source_id, 'form' from forms where id = any($1)) c
			join sources s on s.id = c.source_id
		where d.record_id = c.id and d.object = c.object and d.state = 'waiting' and d.sending_since is null
			and d.lease_until <= now() and not d.connection_id = any(s.connections)`, ids)
	if err != nil {
		return due, fmt.Errorf("close lanes: %w", storeError(err))
	}
	return due, nil
}

// CloseStale ends up to limit live calls of which nothing was heard for the stale limit of their source, and returns how
// many. They are flagged: a later receipt that ends them takes the flag away.
func (db *DB) CloseStale(ctx context.Context, limit int) (int, error) {
	rows, err := db.pool.Query(ctx, `
		update calls c set phase = 'ended', window_base = coalesce(c.window_base, now()), revision = c.revision + 1, changed_at = now(),
			state = (c.state - 'live') || jsonb_build_object('stale', true, 'phase', 'ended', 'revision', c.revision + 1)
		from (select l.id from sources s cross join lateral (
				select id from calls
				where workspace_id = s.workspace_id and source_id = s.id and phase = 'live' and merged_into is null
					and changed_at < now() - make_interval(secs => s.stale_seconds)
				order by changed_at limit $1 for update skip locked) l
			limit $1) p
		where c.id = p.id
		returning c.workspace_id`, limit)
	if err != nil {
		return 0, fmt.Errorf("close stale calls: %w", storeError(err))
	}
	closed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, fmt.Errorf("close stale calls: %w", storeError(err))
	}
	workspaces := map[string]bool{}
	for _, w := range closed {
		workspaces[w] = true
	}
	db.news.tell(workspaces)
	return len(closed), nil
}

// ReturnChecks takes back that calls were looked at: the next look is after wait.
func (db *DB) ReturnChecks(ctx context.Context, callIDs []string, wait time.Duration) error {
	_, err := db.pool.Exec(ctx, `
		update calls c set check_at = now() + $2, check_count = greatest(c.check_count - 1, 0)
		from (select id from calls where id = any($1::uuid[]) order by id for update) p where c.id = p.id`, callIDs, wait)
	if err == nil {
		err = db.eachOther(ctx, `
			update {table} c set check_at = now() + $2, check_count = greatest(c.check_count - 1, 0)
			from (select id from {table} where id = any($1::uuid[]) order by id for update) p where c.id = p.id`, callIDs, wait)
	}
	if err != nil {
		return fmt.Errorf("put checks back: %w", storeError(err))
	}
	return nil
}
