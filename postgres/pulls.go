package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

const pullColumns = `id, workspace_id, source_id, kind, from_at, to_at, state, cursor, listed, left_out, repeated, stored,
	created, changed, unchanged, troubled, reason, detail, retry_at, created_at, started_at, finished_at`

func scanPull(row pgx.CollectableRow) (p records.Pull, err error) {
	var retry, started, finished *time.Time
	err = row.Scan(&p.ID, &p.WorkspaceID, &p.SourceID, &p.Kind, &p.From, &p.To, &p.State, &p.Cursor, &p.Listed, &p.LeftOut, &p.Repeated, &p.Stored,
		&p.Created, &p.Changed, &p.Unchanged, &p.Troubled, &p.Reason, &p.Detail, &retry, &p.CreatedAt, &started, &finished)
	p.From, p.To, p.CreatedAt = p.From.UTC(), p.To.UTC(), p.CreatedAt.UTC()
	p.RetryAt, p.StartedAt, p.FinishedAt = orZero(retry), orZero(started), orZero(finished)
	return p, err
}

// mostOpenPulls bounds the pulls of one source that wait or run.
const mostOpenPulls = 20

// CreatePull queues a pull. Its ID, SourceID, Kind and range are the caller's. Errors: records.ErrNotFound for a source
// that the workspace does not have, records.ErrConflict where too many pulls of the source are open.
func (db *DB) CreatePull(ctx context.Context, p records.Pull) error {
	var exists, room bool
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
		with source as (
			select id, (select count(*) from source_pulls o where o.workspace_id = $2 and o.source_id = s.id and o.state in ('queued', 'running')) < $7 as room
			from sources s where workspace_id = $2 and id = $3 and deleted_at is null
		), made as (
			insert into source_pulls (id, workspace_id, source_id, kind, from_at, to_at) select $1, $2, id, $4, $5, $6 from source where room
		)
		select exists (select 1 from source), coalesce((select room from source), false)`,
			p.ID, p.WorkspaceID, p.SourceID, p.Kind, p.From, p.To, mostOpenPulls).Scan(&exists, &room)
		if err != nil || !room {
			return err
		}
		return db.note(ctx, tx, p.WorkspaceID, records.Change{Action: "source.pull", ObjectKind: "source", ObjectID: p.SourceID,
			After: map[string]any{"from": p.From.UTC(), "to": p.To.UTC()}})
	})
	switch {
	case err != nil:
		return fmt.Errorf("queue a pull: %w", rowError(err))
	case !exists:
		return records.ErrNotFound
	case !room:
		return records.ErrConflict
	}
	return nil
}

// PullByID returns a pull; records.ErrNotFound if the workspace has no such one.
func (db *DB) PullByID(ctx context.Context, workspaceID, id string) (records.Pull, error) {
	if _, ok := parseUUID(id); !ok {
		return records.Pull{}, records.ErrNotFound
	}
	rows, _ := db.pool.Query(ctx, `select `+pullColumns+` from source_pulls where workspace_id = $1 and id = $2`, workspaceID, id)
	p, err := pgx.CollectExactlyOneRow(rows, scanPull)
	if err != nil {
		return p, fmt.Errorf("read a pull: %w", rowError(err))
	}
	return p, nil
}

// PullsPage lists the pulls of a source, newest first. before is the id of the last one seen, empty at the start.
func (db *DB) PullsPage(ctx context.Context, workspaceID, sourceID, before string, limit int) ([]records.Pull, error) {
	var b queryBuilder
	b.where("workspace_id = " + b.arg(workspaceID))
	b.where("source_id = " + b.arg(sourceID) + "::uuid")
	if before != "" {
		b.where("id < " + b.arg(before) + "::uuid")
	}
	rows, err := db.pool.Query(ctx, `select `+pullColumns+` from source_pulls where `+strings.Join(b.conditions, " and ")+` order by id desc limit `+b.arg(limit), b.args...)
	if err != nil {
		return nil, fmt.Errorf("list pulls: %w", err)
	}
	all, err := pgx.CollectRows(rows, scanPull)
	if err != nil {
		return nil, fmt.Errorf("list pulls: %w", err)
	}
	return all, nil
}

// NotePull records a failure that will be tried again. Nothing happens to a pull that is not open.
func (db *DB) NotePull(ctx context.Context, workspaceID, id, reason, detail string, retryAt time.Time) error {
	_, err := db.pool.Exec(ctx, `
		update source_pulls set reason = $3, detail = $4, retry_at = $5
		where workspace_id = $1 and id = $2 and state in ('queued', 'running')`, workspaceID, id, reason, detail, retryAt)
	if err != nil {
		return fmt.Errorf("note a failed page: %w", err)
	}
	return nil
}

// FailPull ends a pull that cannot go on. Nothing happens to one that has ended.
func (db *DB) FailPull(ctx context.Context, workspaceID, id, reason, detail string) error {
	_, err := db.pool.Exec(ctx, `
		update source_pulls set state = 'failed', reason = $3, detail = $4, retry_at = null, finished_at = now()
		where workspace_id = $1 and id = $2 and state in ('queued', 'running')`, workspaceID, id, reason, detail)
	if err != nil {
		return fmt.Errorf("end a pull: %w", err)
	}
	return nil
}

// SavePullPage stores a page and moves the pull to the next one, in one transaction. A call that is as it was when it
// was pulled last is only counted. A page that was saved before, by an attempt whose answer was lost, is not saved again;
// the pull is returned as it is. Errors: records.ErrNotFound.
func (db *DB) SavePullPage(ctx context.Context, workspaceID, id string, page records.PulledPage) (records.Pull, error) {
	var out records.Pull
	var err error
	for range 3 {
		err = db.inTx(ctx, func(tx pgx.Tx) error {
			var err error
			out, err = savePullPage(ctx, tx, workspaceID, id, page)
			return err
		})
		if !movedDay(err) {
			break
		}
	}
	if err != nil {
		return out, fmt.Errorf("store a page of calls: %w", storeError(rowError(err)))
	}
	return out, nil
}

func savePullPage(ctx context.Context, tx pgx.Tx, workspaceID, id string, page records.PulledPage) (records.Pull, error) {
	rows, _ := tx.Query(ctx, `select `+pullColumns+` from source_pulls where workspace_id = $1 and id = $2 for update`, workspaceID, id)
	p, err := pgx.CollectExactlyOneRow(rows, scanPull)
	if err != nil || !p.Open() || p.Cursor != page.Cursor {
		return p, err
	}
	fresh, err := freshItems(ctx, tx, p, page.Items)
	if err != nil {
		return p, err
	}
	if len(fresh) > 0 {
		if err := storeItems(ctx, tx, p, fresh); err != nil {
			return p, err
		}
	}
	rows, _ = tx.Query(ctx, `
		update source_pulls set cursor = $3, listed = listed + $4, left_out = left_out + $5, stored = stored + $6, repeated = repeated + $7,
			state = case when $3 = '' then 'done' else 'running' end, finished_at = case when $3 = '' then now() end,
			started_at = coalesce(started_at, now()), reason = '', detail = '', retry_at = null
		where workspace_id = $1 and id = $2 returning `+pullColumns,
		workspaceID, id, page.Next, len(page.Items)+page.LeftOut, page.LeftOut, len(fresh), len(page.Items)-len(fresh))
	return pgx.CollectExactlyOneRow(rows, scanPull)
}

// pulledItem is an item with what it is recognised by.
type pulledItem struct {
	records.PulledItem
	digest [sha256.Size]byte
}

// longestItem bounds the names that are kept.
const longestItem = 512

// freshItems are those that differ from what was pulled before, each once.
func freshItems(ctx context.Context, tx pgx.Tx, p records.Pull, items []records.PulledItem) ([]pulledItem, error) {
	names, digests := make([]string, len(items)), make([][]byte, len(items))
	all := make([]pulledItem, len(items))
	for i, item := range items {
		all[i] = pulledItem{item, sha256.Sum256(item.Receipt.Body)}
		if len(item.ID) > longestItem {
			all[i].ID = fmt.Sprintf("%x", sha256.Sum256([]byte(item.ID)))
		}
		names[i], digests[i] = all[i].ID, all[i].digest[:]
	}
	rows, err := tx.Query(ctx, `
		update pulled_items i set seen_at = now() from unnest($3::text[], $4::bytea[]) as n (item, digest)
		where i.workspace_id = $1 and i.source_id = $2 and i.item = n.item and i.digest = n.digest returning i.item`,
		p.WorkspaceID, p.SourceID, names, digests)
	if err != nil {
		return nil, err
	}
	known, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, name := range known {
		seen[name] = true
	}
	var fresh []pulledItem
	for _, item := range all {
		if !seen[item.ID] {
			seen[item.ID] = true
			fresh = append(fresh, item)
		}
	}
	return fresh, nil
}

func storeItems(ctx context.Context, tx pgx.Tx, p records.Pull, fresh []pulledItem) error {
	n := len(fresh)
	receipts, ids, names, digests := make([]records.Receipt, n), make([]string, n), make([]string, n), make([][]byte, n)
	for i, item := range fresh {
		item.Receipt.WorkspaceID, item.Receipt.SourceID = p.WorkspaceID, p.SourceID
		receipts[i], ids[i], names[i], digests[i] = item.Receipt, item.Receipt.ID, item.ID, item.digest[:]
	}
	args, err := receiptArgs(receipts)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		insert into pull_receipts (receipt_id, pull_id, workspace_id, known)
		select n.receipt, $1, $2, exists (select 1 from call_aliases a where a.workspace_id = $2 and a.source_id = $3 and a.kind = 'id' and a.value = n.item)
		from unnest($4::uuid[], $5::text[]) as n (receipt, item)`, p.ID, p.WorkspaceID, p.SourceID, ids, names)
	batch.Queue(insertReceipts, args...)
	batch.Queue(`
		insert into pulled_items (source_id, workspace_id, item, digest) select $1, $2, n.item, n.digest from unnest($3::text[], $4::bytea[]) as n (item, digest)
		on conflict (source_id, item) do update set digest = excluded.digest, seen_at = now()`, p.SourceID, p.WorkspaceID, names, digests)
	return tx.SendBatch(ctx, batch).Close()
}

// ClaimPulls takes open pulls whose workflow should be started, or started again if it was lost, at most one of each
// source: the oldest. Until lease is over nobody else is given them.
func (db *DB) ClaimPulls(ctx context.Context, limit int, lease time.Duration) ([]records.Pull, error) {
	rows, err := db.pool.Query(ctx, `
		update source_pulls set state = 'running', started_at = coalesce(started_at, now()), lease_until = now() + make_interval(secs => $2)
		where id in (
			select p.id from source_pulls p
			where p.state in ('queued', 'running') and p.lease_until < now()
				and p.id = (select o.id from source_pulls o where o.source_id = p.source_id and o.state in ('queued', 'running') order by o.id limit 1)
			order by p.id limit $1 for update skip locked)
		returning `+pullColumns, limit, lease.Seconds())
	if err != nil {
		return nil, fmt.Errorf("claim pulls: %w", err)
	}
	all, err := pgx.CollectRows(rows, scanPull)
	if err != nil {
		return nil, fmt.Errorf("claim pulls: %w", err)
	}
	return all, nil
}

// ReturnPull gives a claimed pull back, to be claimed again after wait.
func (db *DB) ReturnPull(ctx context.Context, workspaceID, id string, wait time.Duration) error {
	_, err := db.pool.Exec(ctx, `update source_pulls set lease_until = now() + make_interval(secs => $3) where workspace_id = $1 and id = $2`, workspaceID, id, wait.Seconds())
	if err != nil {
		return fmt.Errorf("give a pull back: %w", err)
	}
	return nil
}

// CountPulled adds what has become of up to limit receipts of pulls to their figures, and returns how many there were.
func (db *DB) CountPulled(ctx context.Context, limit int) (int, error) {
	var n int
	err := db.pool.QueryRow(ctx, `
		with applied as (
			select pr.receipt_id, pr.pull_id, pr.known, rr.state, rr.changed
			from pull_receipts pr join receipt_results rr on rr.receipt_id = pr.receipt_id
			limit $1 for update of pr skip locked
		), gone as (
			delete from pull_receipts where receipt_id in (select receipt_id from applied)
		), sums as (
			select pull_id, count(*) filter (where state = 'applied' and changed and not known) as created,
				count(*) filter (where state = 'applied' and changed and known) as changed,
				count(*) filter (where state = 'ignored' or state = 'applied' and not changed) as unchanged,
				count(*) filter (where state in ('quarantined', 'rejected')) as troubled
			from applied group by pull_id
		), counted as (
			update source_pulls p set created = p.created + s.created, changed = p.changed + s.changed,
				unchanged = p.unchanged + s.unchanged, troubled = p.troubled + s.troubled
			from sums s where p.id = s.pull_id
		)
		select count(*) from applied`, limit).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count pulled calls: %w", err)
	}
	return n, nil
}

// PlanPulls looks at up to limit sources of these providers that are new, were changed since they were looked at, or are
// due; has plan say when each is pulled next and what is pulled now; and queues that. The sources are locked meanwhile, so
// plan must be quick. A pull of a kind of which the source has an open one is not queued.
func (db *DB) PlanPulls(ctx context.Context, providers []string, limit int, plan func(records.Source, records.PullPlan) (records.PullPlan, []records.Pull)) (int, error) {
	n := 0
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		n = 0
		due, plans, err := db.duePlans(ctx, tx, providers, limit)
		if err != nil || len(due) == 0 {
			return err
		}
		batch := &pgx.Batch{}
		for _, s := range due {
			next, pulls := plan(s, plans[s.ID])
			for _, p := range pulls {
				batch.Queue(`
					insert into source_pulls (id, workspace_id, source_id, kind, from_at, to_at) select $1, $2, $3, $4, $5, $6
					where not exists (select 1 from source_pulls o where o.workspace_id = $2 and o.source_id = $3 and o.kind = $4 and o.state in ('queued', 'running'))`,
					newID(), s.WorkspaceID, s.ID, p.Kind, p.From, p.To)
			}
			// Ten seconds, because a change that waited for this lock bears the time at which it began to wait.
			batch.Queue(`
				insert into source_plans (source_id, workspace_id, checked_at, recent_at, daily_at) values ($1, $2, now() - interval '10 seconds', $3, $4)
				on conflict (source_id) do update set checked_at = excluded.checked_at, recent_at = excluded.recent_at, daily_at = excluded.daily_at`,
				s.ID, s.WorkspaceID, orNull(next.RecentAt), orNull(next.DailyAt))
		}
		n = len(due)
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return 0, fmt.Errorf("plan pulls: %w", err)
	}
	return n, nil
}

// duePlans locks the sources to look at. One whose secrets cannot be opened here is left alone, and does not hold up the
// others: another process may have the key.
func (db *DB) duePlans(ctx context.Context, tx pgx.Tx, providers []string, limit int) ([]records.Source, map[string]records.PullPlan, error) {
	rows, err := tx.Query(ctx, `
		select s.id, s.workspace_id, p.recent_at, p.daily_at,
			(select max(d.to_at) from source_pulls d where d.source_id = s.id and d.state = 'done' and d.kind <> 'manual')
		from sources s left join source_plans p on p.source_id = s.id
		where s.provider = any($1) and s.deleted_at is null
			and (p.source_id is null or s.updated_at > p.checked_at or p.recent_at <= now() or p.daily_at <= now())
		order by p.checked_at nulls first limit $2 for update of s skip locked`, providers, limit)
	if err != nil {
		return nil, nil, err
	}
	type key struct{ workspace, id string }
	var (
		keys                  []key
		k                     key
		recent, daily, doneTo *time.Time
	)
	plans := map[string]records.PullPlan{}
	_, err = pgx.ForEachRow(rows, []any{&k.id, &k.workspace, &recent, &daily, &doneTo}, func() error {
		keys = append(keys, k)
		plans[k.id] = records.PullPlan{RecentAt: orZero(recent), DailyAt: orZero(daily), DoneTo: orZero(doneTo)}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	var due []records.Source
	for _, k := range keys {
		rows, _ := tx.Query(ctx, `select `+sourceColumns+` from sources where workspace_id = $1 and id = $2`, k.workspace, k.id)
		var sealed error
		s, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (s records.Source, _ error) {
			s, sealed = db.scanSource(row)
			return s, nil
		})
		if err == nil && sealed != nil {
			_, err = tx.Exec(ctx, `
				insert into source_plans (source_id, workspace_id, checked_at) values ($1, $2, now())
				on conflict (source_id) do update set checked_at = now()`, k.id, k.workspace)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return nil, nil, err
		}
		due = append(due, s)
	}
	return due, plans, nil
}

// DropOldPulls forgets pulls that ended, and calls that were pulled, before then.
func (db *DB) DropOldPulls(ctx context.Context, before time.Time) error {
	for _, sql := range []string{
		`delete from pull_receipts where pull_id in (select id from source_pulls where finished_at < $1)`,
		`delete from source_pulls where finished_at < $1`,
		`delete from pulled_items where seen_at < $1`,
	} {
		if _, err := db.pool.Exec(ctx, sql, before); err != nil {
			return fmt.Errorf("forget old pulls: %w", err)
		}
	}
	return nil
}
