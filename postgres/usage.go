package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// keepUsage is for how long the use of limits is kept.
const keepUsage = 8 * 24 * time.Hour

// AddUsage adds to what a connection's deliveries have asked of its CRM in the current hour. A connection that is not there
// is passed over.
func (db *DB) AddUsage(ctx context.Context, workspaceID, connectionID string, u records.Usage) error {
	batch := &pgx.Batch{}
	batch.Queue(`
		insert into connection_usage as u (connection_id, hour, workspace_id, deliveries, requests, cost)
		select k.id, date_trunc('hour', now(), 'UTC'), k.workspace_id, $3, $4, $5 from connections k where k.workspace_id = $1 and k.id = $2
		on conflict (connection_id, hour) do update set deliveries = u.deliveries + excluded.deliveries,
			requests = u.requests + excluded.requests, cost = u.cost + excluded.cost`,
		workspaceID, connectionID, u.Deliveries, u.Requests, u.Cost)
	batch.Queue(`delete from connection_usage where workspace_id = $1 and connection_id = $2 and hour < now() - $3::interval`,
		workspaceID, connectionID, keepUsage)
	if err := db.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("add to the use of limits: %w", err)
	}
	return nil
}

// shownCounted is up to how many calls in shadow mode are counted.
const shownCounted = 10_000

// ConnectionUsage is how much a connection asks of its CRM, how full its budgets are, and what it keeps back.
func (db *DB) ConnectionUsage(ctx context.Context, workspaceID, connectionID string) (records.ConnectionUsage, error) {
	var u records.ConnectionUsage
	rows, _ := db.pool.Query(ctx, `
		select hour, deliveries, requests, cost from connection_usage
		where workspace_id = $1 and connection_id = $2 and hour > now() - interval '24 hours' order by hour`, workspaceID, connectionID)
	var err error
	u.Hours, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (h records.HourlyUsage, err error) {
		err = row.Scan(&h.Hour, &h.Deliveries, &h.Requests, &h.Cost)
		h.Hour = h.Hour.UTC()
		return h, err
	})
	if err != nil {
		return u, fmt.Errorf("read the use of limits: %w", err)
	}
	rows, _ = db.pool.Query(ctx, `
		select class, extract(epoch from greatest(tat, now()) - now())::float8, day, used, blocked_until > now(), greatest(blocked_until, now())
		from rate_budgets where workspace_id = $1 and connection_id = $2 order by class`, workspaceID, connectionID)
	u.Levels, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l records.BudgetLevel, err error) {
		var ahead float64
		var blocked bool
		err = row.Scan(&l.Class, &ahead, &l.Day, &l.Used, &blocked, &l.BlockedUntil)
		l.Ahead, l.BlockedUntil = time.Duration(ahead*float64(time.Second)), l.BlockedUntil.UTC()
		if !blocked {
			l.BlockedUntil = time.Time{}
		}
		return l, err
	})
	if err != nil {
		return u, fmt.Errorf("read the levels of budgets: %w", err)
	}
	err = db.pool.QueryRow(ctx, `
		select count(*), count(*) filter (where class in ('unknown_outcome', 'ask')),
			(select count(*) from (select from deliveries s where s.workspace_id = $1 and s.connection_id = $2 and s.state = 'skipped' and s.class = 'shadow' limit $3) shown)
		from deliveries where workspace_id = $1 and connection_id = $2 and state = 'parked' and object <> 'contact'`,
		workspaceID, connectionID, shownCounted+1).Scan(&u.Held, &u.Askable, &u.Shown)
	if err != nil {
		return u, fmt.Errorf("count what a connection keeps back: %w", err)
	}
	if u.Shown > shownCounted {
		u.Shown, u.ShownMany = shownCounted, true
	}
	return u, nil
}

// RecentDeliveries are the deliveries of the latest calls to a connection, the newest first. A call's id tells when it was
// heard of first, so that the index of the deliveries' keys has them in order.
func (db *DB) RecentDeliveries(ctx context.Context, workspaceID, connectionID string, limit int) ([]records.RecentDelivery, error) {
	rows, _ := db.pool.Query(ctx, `
		select c.id, c.source_id, c.customer_number, c.customer_name, c.direction, c.listed_at, d.updated_at, d.state, d.class, d.reason, d.remote_url,
			coalesce(d.retry_at, '0001-01-01 00:00:00+00')
		from (select * from deliveries where workspace_id = $1 and connection_id = $2 and object = 'call' order by key desc limit $3) d
		join calls c on c.workspace_id = d.workspace_id and c.id = d.record_id
		order by d.key desc`, workspaceID, connectionID, limit)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r records.RecentDelivery, err error) {
		err = row.Scan(&r.CallID, &r.SourceID, &r.Number, &r.Name, &r.Direction, &r.CallAt, &r.UpdatedAt, &r.State, &r.Class, &r.Reason, &r.RemoteURL, &r.RetryAt)
		r.CallAt, r.UpdatedAt, r.RetryAt = utc(r.CallAt), utc(r.UpdatedAt), utc(r.RetryAt)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("list recent deliveries: %w", err)
	}
	return all, nil
}

// HeldItems lists the deliveries of one hold, the oldest first, beginning after the delivery with the id after.
func (db *DB) HeldItems(ctx context.Context, workspaceID, hold, after string, limit int) ([]records.HeldItem, error) {
	rows, _ := db.pool.Query(ctx, `
		select h.id, h.object, coalesce(h.record::text, ''), coalesce(c.customer_number, ''), coalesce(c.customer_name, ''),
			coalesce(c.listed_at, '0001-01-01 00:00:00+00'), h.updated_at
		from (select d.id, d.object, d.updated_at,
				coalesce((select f.call_id from follow_ups f where f.workspace_id = d.workspace_id and f.id = d.record_id), d.record_id) as record
			`+liveConnections+` and `+holdID+` = $2::uuid and ($3 = '' or d.id > nullif($3, '')::uuid) order by d.id limit $4) h
		left join calls c on c.workspace_id = $1 and c.id = h.record
		order by h.id`, workspaceID, hold, after, limit)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (i records.HeldItem, err error) {
		err = row.Scan(&i.DeliveryID, &i.Object, &i.RecordID, &i.Number, &i.Name, &i.At, &i.HeldAt)
		i.At, i.HeldAt = utc(i.At), utc(i.HeldAt)
		return i, err
	})
	if err != nil {
		return nil, fmt.Errorf("list what is on hold: %w", err)
	}
	return all, nil
}

// HoldProgress tells how much of a hold has been tried since a moment, and is on hold again, and how much has not.
func (db *DB) HoldProgress(ctx context.Context, workspaceID, hold string, since time.Time) (p records.HoldProgress, err error) {
	err = db.pool.QueryRow(ctx, `select count(*) filter (where d.updated_at < $3), count(*) filter (where d.updated_at >= $3) `+liveConnections+`
		and `+holdID+` = $2::uuid`, workspaceID, hold, since).Scan(&p.Left, &p.Again)
	if err != nil {
		return p, fmt.Errorf("read how far a retry is: %w", err)
	}
	return p, nil
}

// seenCalls is among how many of the latest calls dispositions are looked for.
const seenCalls = 1000

// SeenDispositions are the dispositions that the latest calls of a workspace had, the most frequent first.
func (db *DB) SeenDispositions(ctx context.Context, workspaceID string) ([]records.SeenDisposition, error) {
	rows, _ := db.pool.Query(ctx, `
		select min(value), count(*), max(listed_at) from (
			select left(state->'disposition'->>'value', 200) as value, listed_at from calls
			where workspace_id = $1 and merged_into is null order by listed_at desc, id desc limit $2) latest
		where value <> '' group by lower(value) order by 2 desc, 1 limit 200`, workspaceID, seenCalls)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s records.SeenDisposition, err error) {
		err = row.Scan(&s.Value, &s.Calls, &s.Last)
		s.Value, s.Last = strings.TrimSpace(s.Value), utc(s.Last)
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the dispositions of calls: %w", err)
	}
	return all, nil
}
