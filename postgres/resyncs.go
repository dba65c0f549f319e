package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

const resyncColumns = `r.id, r.workspace_id, r.filter, r.connections, r.dry_run, r.state, r.author, r.total, r.created_at,
	coalesce(r.started_at, '0001-01-01 00:00:00+00'), coalesce(r.finished_at, '0001-01-01 00:00:00+00'),
	n.told, n.done, n.failed, n.skipped, n.recent`

// resyncCounts are the calls of a resync (r) by what became of them.
const resyncCounts = `cross join lateral (
	select count(*) filter (where i.outcome is null and i.told_at is not null) as told,
		count(*) filter (where i.outcome = 'done') as done, count(*) filter (where i.outcome = 'failed') as failed,
		count(*) filter (where i.outcome = 'skipped') as skipped,
		count(*) filter (where i.ended_at > now() - interval '5 minutes') as recent
	from resync_calls i where i.resync_id = r.id and i.workspace_id = r.workspace_id) n`

func scanResync(row pgx.CollectableRow) (records.Resync, error) {
	var r records.Resync
	var filter []byte
	err := row.Scan(&r.ID, &r.WorkspaceID, &filter, &r.Connections, &r.DryRun, &r.State, &r.Author, &r.Total, &r.CreatedAt, &r.StartedAt, &r.FinishedAt,
		&r.Told, &r.Done, &r.Failed, &r.Skipped, &r.Recent)
	if err != nil {
		return r, err
	}
	r.CreatedAt, r.StartedAt, r.FinishedAt = utc(r.CreatedAt), utc(r.StartedAt), utc(r.FinishedAt)
	if err := json.Unmarshal(filter, &r.Filter); err != nil {
		return r, fmt.Errorf("read the filter of resync %s: %w", r.ID, err)
	}
	return r, nil
}

// CreateResync stores a resync whose ID the caller has made; it begins to gather its calls at once.
func (db *DB) CreateResync(ctx context.Context, r records.Resync) error {
	filter, err := storableJSON(r.Filter)
	if err != nil {
		return fmt.Errorf("create a resync: %w", err)
	}
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			insert into resyncs (id, workspace_id, filter, connections, dry_run, state, author)
			values ($1, $2, $3, $4, $5, 'listing', $6)`, r.ID, r.WorkspaceID, filter, r.Connections, r.DryRun, storable(r.Author))
		if err != nil || r.DryRun { // counting changes nothing
			return err
		}
		return db.note(ctx, tx, r.WorkspaceID, records.Change{Action: "resync.create", ObjectKind: "resync", ObjectID: r.ID,
			After: map[string]any{"filter": json.RawMessage(filter), "connections": r.Connections}})
	})
	return settingsError("create a resync", err)
}

// Resyncs lists the newest resyncs of a workspace, 100 at most.
func (db *DB) Resyncs(ctx context.Context, workspaceID string) ([]records.Resync, error) {
	rows, _ := db.pool.Query(ctx, `select `+resyncColumns+` from resyncs r `+resyncCounts+`
		where r.workspace_id = $1 order by r.id desc limit 100`, workspaceID)
	all, err := pgx.CollectRows(rows, scanResync)
	return all, settingsError("list resyncs", err)
}

// ResyncByID returns a resync. Errors: records.ErrNotFound.
func (db *DB) ResyncByID(ctx context.Context, workspaceID, id string) (records.Resync, error) {
	rows, _ := db.pool.Query(ctx, `select `+resyncColumns+` from resyncs r `+resyncCounts+`
		where r.workspace_id = $1 and r.id = $2`, workspaceID, id)
	r, err := pgx.CollectExactlyOneRow(rows, scanResync)
	return r, settingsError("read a resync", err)
}

// resyncActions are the names under which a resync's new state is noted.
var resyncActions = map[string]string{records.ResyncPaused: "resync.pause", records.ResyncRunning: "resync.resume", records.ResyncCancelled: "resync.cancel"}

// SetResyncState pauses, resumes or cancels a resync that has not ended. Errors: records.ErrNotFound.
func (db *DB) SetResyncState(ctx context.Context, workspaceID, id, state string) error {
	err := db.changing(ctx, workspaceID, resyncActions[state], audited{kind: "resync", id: id}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `
			update resyncs set state = case when $3 = 'running' and not listed then 'listing' else $3 end,
				finished_at = case when $3 = 'cancelled' then now() end
			where workspace_id = $1 and id = $2 and state in ('listing', 'running', 'paused')`, workspaceID, id, state))
	})
	return settingsError("change a resync", err)
}

// ClaimResyncs takes resyncs that have something to do, for at most lease.
func (db *DB) ClaimResyncs(ctx context.Context, limit int, lease time.Duration) ([]records.Resync, error) {
	rows, _ := db.pool.Query(ctx, `
		with mine as (
			select id from resyncs where state in ('listing', 'running') and lease_until < now()
			order by lease_until limit $1 for update skip locked
		), r as (
			update resyncs s set lease_until = now() + $2, started_at = coalesce(s.started_at, now()) from mine where s.id = mine.id returning s.*
		)
		select `+resyncColumns+` from r `+resyncCounts, limit, lease)
	all, err := pgx.CollectRows(rows, scanResync)
	return all, settingsError("claim resyncs", err)
}

// ReturnResync has the resync looked at again after wait.
func (db *DB) ReturnResync(ctx context.Context, workspaceID, id string, wait time.Duration) error {
	_, err := db.pool.Exec(ctx, `update resyncs set lease_until = now() + $3 where workspace_id = $1 and id = $2`, workspaceID, id, wait)
	return settingsError("return a resync", err)
}

// ListResyncCalls gathers the next calls of a resync's filter, limit at most, oldest list position last. more tells that
// there may be others.
func (db *DB) ListResyncCalls(ctx context.Context, r records.Resync, limit int) (more bool, err error) {
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		var at *time.Time
		var id *string
		if err := tx.QueryRow(ctx, `select cursor_at, cursor_id from resyncs where workspace_id = $1 and id = $2 and state = 'listing' for update`,
			r.WorkspaceID, r.ID).Scan(&at, &id); errors.Is(err, pgx.ErrNoRows) {
			return nil // paused or cancelled meanwhile
		} else if err != nil {
			return err
		}
		f := r.Filter
		if at != nil {
			f.Before = records.Cursor{At: *at, ID: *id}
		}
		var b queryBuilder
		if some, err := db.allListed(ctx, &b, r.WorkspaceID, f); err != nil {
			return err
		} else if !some {
			b.where("false")
		}
		b.where("l.state <> 'live'")
		var n int
		rid, ws := b.arg(r.ID), b.arg(r.WorkspaceID)
		err := tx.QueryRow(ctx, `
			with page as (
				select l.call_id as id, l.listed_at from call_list l where `+strings.Join(b.conditions, " and ")+`
				order by l.listed_at desc, l.call_id desc limit `+b.arg(limit)+`
			), added as (
				insert into resync_calls (resync_id, workspace_id, call_id, listed_at)
				select `+rid+`::uuid, `+ws+`::uuid, id, listed_at from page on conflict do nothing
			), last as (
				select id, listed_at from page order by listed_at, id limit 1
			), counted as (
				update resyncs set total = total + (select count(*) from page),
					cursor_at = coalesce((select listed_at from last), cursor_at), cursor_id = coalesce((select id from last), cursor_id)
				where workspace_id = `+ws+`::uuid and id = `+rid+`::uuid
			)
			select count(*) from page`, b.args...).Scan(&n)
		if err != nil {
			return err
		}
		more = n == limit
		if !more {
			_, err = tx.Exec(ctx, `
				update resyncs set listed = true, state = case when dry_run then 'done' else 'running' end, finished_at = case when dry_run then now() end
				where workspace_id = $1 and id = $2`, r.WorkspaceID, r.ID)
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("list the calls of a resync: %w", err)
	}
	return more, nil
}

// NextResyncCalls settles the calls that have come to an end, and returns the next ones to deliver, the oldest first, so
// that at most window are under way. A resync without any left is done.
func (db *DB) NextResyncCalls(ctx context.Context, r records.Resync, window int) ([]string, error) {
	batch := &pgx.Batch{}
	// Who noted these was killed before they were signalled: no lane has been touched since.
	batch.Queue(`
		update resync_calls o set told_at = null
		where o.workspace_id = $1 and o.resync_id = $2 and o.outcome is null and o.told_at < now() - interval '10 minutes'
			and not exists (select from deliveries d where d.workspace_id = $1 and d.record_id = o.call_id and d.updated_at > o.told_at)`,
		r.WorkspaceID, r.ID)
	// Each lane that was asked for has ended an attempt since: delivered, skipped or on hold. A call that no lane of these
	// connections is made for has nothing to wait for.
	batch.Queue(`
		update resync_calls i set ended_at = now(), outcome = case
				when l.lanes = 0 or l.skipped = l.lanes then 'skipped' when l.parked > 0 then 'failed' else 'done' end
		from (
			select o.call_id, o.told_at, count(d.id) as lanes,
				count(*) filter (where d.state = 'skipped') as skipped, count(*) filter (where d.state = 'parked') as parked,
				count(*) filter (where d.state in ('done', 'parked', 'skipped') and d.updated_at > o.told_at and d.lease_until <= now()) as ended
			from resync_calls o
			left join (deliveries d join connections k on k.id = d.connection_id and k.deleted_at is null) on d.workspace_id = o.workspace_id and d.record_id = o.call_id and d.object = 'call'
				and ($3::uuid[] is null or d.connection_id = any($3))
			where o.workspace_id = $1 and o.resync_id = $2 and o.outcome is null and o.told_at is not null
			group by o.call_id, o.told_at) l
		where i.workspace_id = $1 and i.resync_id = $2 and i.call_id = l.call_id and l.ended = l.lanes`,
		r.WorkspaceID, r.ID, r.Connections)
	batch.Queue(`
		select call_id from resync_calls
		where workspace_id = $1 and resync_id = $2 and outcome is null and told_at is null
		order by listed_at, call_id
		limit greatest(0, $3 - (select count(*) from resync_calls where workspace_id = $1 and resync_id = $2 and outcome is null and told_at is not null))`,
		r.WorkspaceID, r.ID, window)
	batch.Queue(`
		update resyncs set state = 'done', finished_at = now()
		where workspace_id = $1 and id = $2 and state = 'running'
			and not exists (select from resync_calls where workspace_id = $1 and resync_id = $2 and outcome is null)`, r.WorkspaceID, r.ID)
	results := db.pool.SendBatch(ctx, batch)
	defer results.Close()
	if _, err := results.Exec(); err != nil {
		return nil, fmt.Errorf("find lost calls of a resync: %w", err)
	}
	if _, err := results.Exec(); err != nil {
		return nil, fmt.Errorf("settle the calls of a resync: %w", err)
	}
	rows, err := results.Query()
	if err != nil {
		return nil, fmt.Errorf("choose the next calls of a resync: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("choose the next calls of a resync: %w", err)
	}
	if _, err := results.Exec(); err != nil {
		return nil, fmt.Errorf("end a resync: %w", err)
	}
	return ids, nil
}

// TellResyncCalls notes that these calls are about to be delivered. It comes before they are signalled, so that what
// ends right after is seen.
func (db *DB) TellResyncCalls(ctx context.Context, workspaceID, resyncID string, callIDs []string) error {
	_, err := db.pool.Exec(ctx, `
		update resync_calls set told_at = now() where workspace_id = $1 and resync_id = $2 and call_id = any($3::uuid[])`, workspaceID, resyncID, callIDs)
	return settingsError("note calls of a resync", err)
}

// UntellResyncCalls takes that back for calls that could not be signalled, or ends them as skipped where there is nothing
// to deliver.
func (db *DB) UntellResyncCalls(ctx context.Context, workspaceID, resyncID string, callIDs []string, skip bool) error {
	_, err := db.pool.Exec(ctx, `
		update resync_calls set told_at = null, outcome = case when $4 then 'skipped' end, ended_at = case when $4 then now() end
		where workspace_id = $1 and resync_id = $2 and call_id = any($3::uuid[]) and outcome is null`, workspaceID, resyncID, callIDs, skip)
	return settingsError("note calls of a resync", err)
}

// ResyncPlaces counts the calls of a resync by connection: those that it delivers to, else all. It ends with
// context.DeadlineExceeded where they are too many to be counted while somebody waits.
func (db *DB) ResyncPlaces(ctx context.Context, r records.Resync) ([]records.ResyncPlace, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	rows, _ := db.pool.Query(ctx, `
		select k.id, count(*), count(*) filter (where d.state not in ('parked', 'skipped') and d.remote_id <> ''),
			count(*) filter (where d.state = 'parked'), count(*) filter (where d.state = 'skipped')
		from connections k
		join sources s on s.workspace_id = k.workspace_id and (s.connections is null or k.id = any(s.connections))
		join calls c on c.workspace_id = s.workspace_id and c.source_id = s.id
		join resync_calls i on i.workspace_id = c.workspace_id and i.call_id = c.id and i.resync_id = $2
		left join deliveries d on d.workspace_id = c.workspace_id and d.connection_id = k.id and d.object = 'call' and d.key = c.id::text
		where k.workspace_id = $1 and k.deleted_at is null and ($3::uuid[] is null or k.id = any($3))
		group by k.id order by k.id`, r.WorkspaceID, r.ID, r.Connections)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p records.ResyncPlace, err error) {
		err = row.Scan(&p.ConnectionID, &p.Calls, &p.Present, &p.Held, &p.Skipped)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("count the calls of a resync: %w", timedOut(ctx, err))
	}
	return all, nil
}

// ResyncSample names some of the calls of a resync, the latest first.
func (db *DB) ResyncSample(ctx context.Context, workspaceID, id string, limit int) ([]string, error) {
	rows, _ := db.pool.Query(ctx, `
		select call_id::text from resync_calls where workspace_id = $1 and resync_id = $2 order by listed_at desc, call_id desc limit $3`, workspaceID, id, limit)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return ids, settingsError("name calls of a resync", err)
}
