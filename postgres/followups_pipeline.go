package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// CloseFollowUps closes the open tasks that ended calls answer, and returns how many. Calls that it is told of late, or not at
// all, are found when the clock of a task strikes.
func (db *DB) CloseFollowUps(ctx context.Context, callIDs []string) (int, error) {
	tag, err := db.pool.Exec(ctx, `
		with answered as (
			select f.id, f.workspace_id, o.call_id from (
				select distinct on (f.id) f.id, c.id as call_id from calls c join follow_ups f on f.number = c.customer_number and `+answers+`
				where c.id = any($1::uuid[]) and f.kind = 'task' and f.closed_at is null and f.number <> ''
				order by f.id, c.listed_at) o
			join follow_ups f on f.id = o.id order by f.id for update of f
		)`+closeAnswered, callIDs, repairAfter)
	if err != nil {
		return 0, fmt.Errorf("close follow-ups: %w", storeError(err))
	}
	return int(tag.RowsAffected()), nil
}

// ClaimFollowUps takes up to limit follow-ups whose workflow does not know of their newest revision, and as many of active
// connections for which it is time to look whether the workflow has done its part; of these a few of each connection. The
// next look is set, later each time. A claim that is neither finished nor given back ends with its lease.
func (db *DB) ClaimFollowUps(ctx context.Context, limit, perConnection int, lease time.Duration) ([]records.PendingFollowUp, error) {
	var out []records.PendingFollowUp
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			with fresh as (
				select id from follow_ups where revision > signalled_revision and signal_lease <= now()
				order by signal_lease limit $1 for update skip locked
			), due as (
				select l.id from connections k cross join lateral (
					select id from follow_ups where connection_id = k.id and check_at <= now() and signal_lease <= now()
					order by check_at limit $2 for update skip locked) l
				where k.status = 'active' and k.deleted_at is null limit $1
			)
			update follow_ups f set signal_lease = now() + $3,
				check_count = case when p.due then f.check_count + 1 else f.check_count end,
				check_at = case when p.due then now() + least($4::interval * 2 ^ least(f.check_count, 20), interval '1 hour') else f.check_at end
			from (select id, bool_or(due) as due from (select id, false as due from fresh union all select id, true from due) u group by id) p,
				connections k
			where f.id = p.id and k.id = f.connection_id
			returning f.id, f.workspace_id, f.connection_id, k.connector, f.revision, f.force`, limit, perConnection, lease, checkAfter)
		var err error
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p records.PendingFollowUp, err error) {
			err = row.Scan(&p.ID, &p.WorkspaceID, &p.ConnectionID, &p.Connector, &p.Revision, &p.Force)
			return p, err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim follow-ups: %w", storeError(err))
	}
	return out, nil
}

// FinishFollowUpSignals records what workflows have been told and gives the claims back.
func (db *DB) FinishFollowUpSignals(ctx context.Context, told []records.PendingFollowUp) error {
	ids, revisions := make([]string, len(told)), make([]int64, len(told))
	for i, p := range told {
		ids[i], revisions[i] = p.ID, p.Revision
	}
	_, err := db.pool.Exec(ctx, `
		update follow_ups f set signalled_revision = greatest(f.signalled_revision, s.revision), signal_lease = '-infinity'
		from (select f.id, s.revision from unnest($1::uuid[], $2::bigint[]) as s (id, revision) join follow_ups f on f.id = s.id order by f.id for update of f) s
		where f.id = s.id`, ids, revisions)
	if err != nil {
		return fmt.Errorf("record signals of follow-ups: %w", storeError(err))
	}
	return nil
}

// ReleaseFollowUps gives claims back unfinished; they may be claimed again after wait.
func (db *DB) ReleaseFollowUps(ctx context.Context, ids []string, wait time.Duration) error {
	_, err := db.pool.Exec(ctx, `
		update follow_ups f set signal_lease = now() + $2, check_at = case when f.check_at is not null then least(f.check_at, now() + $2) end
		from (select id from follow_ups where id = any($1::uuid[]) order by id for update) p where f.id = p.id`, ids, wait)
	if err != nil {
		return fmt.Errorf("give follow-ups back: %w", storeError(err))
	}
	return nil
}
