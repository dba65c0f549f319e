package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

const (
	// countStep is how much of the past is counted in one go, countGrace how long after an hour it is: what was spooled
	// comes late.
	countStep  = 6 * time.Hour
	countGrace = 10 * time.Minute
	// watchBreak is how long nobody may have looked before the watch begins anew.
	watchBreak = 10 * time.Minute
	// arrivalsKept is how long busy hours are kept, alertsKept alerts that are over.
	arrivalsKept = 120 * 24 * time.Hour
	alertsKept   = 180 * 24 * time.Hour
	// mostTroubles bounds the failing requests that are counted of a source, newestLooked the newest that are looked at.
	mostTroubles = 10_000
	newestLooked = 20
)

// ClaimAlertWatch takes the next look at all workspaces, if it is due: one process gets it, every so often. A watch that
// nobody kept for some time begins anew: what was not taken in meanwhile says nothing of its sender.
func (db *DB) ClaimAlertWatch(ctx context.Context, every time.Duration) (t records.WatchTurn, mine bool, err error) {
	rows, _ := db.pool.Query(ctx, `
		update alert_watch set due_at = now() + $1::interval, looked_at = now(),
			watched_from = case when looked_at < now() - $2::interval then now() else watched_from end
		where due_at <= now() returning now(), watched_from, counted_to`, every, watchBreak)
	turns, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t records.WatchTurn, err error) {
		err = row.Scan(&t.At, &t.WatchedFrom, &t.CountedTo)
		t.At, t.WatchedFrom, t.CountedTo = t.At.UTC(), t.WatchedFrom.UTC(), t.CountedTo.UTC()
		return t, err
	})
	if err != nil || len(turns) == 0 {
		return t, false, settingsError("claim the watch", err)
	}
	return turns[0], true, nil
}

// CountArrivals counts what arrived in the next hours that are over, and returns up to when it has counted now. What
// callsync asked for (pulls) and what it sent itself (tests) is no sign of life.
func (db *DB) CountArrivals(ctx context.Context, now time.Time) (to time.Time, err error) {
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		var from time.Time
		if err := tx.QueryRow(ctx, `select counted_to from alert_watch for update`).Scan(&from); err != nil {
			return err
		}
		from = from.UTC()
		to = now.UTC().Add(-countGrace).Truncate(time.Hour)
		if limit := from.Add(countStep); to.After(limit) {
			to = limit
		}
		if !to.After(from) {
			to = from
			return nil
		}
		_, err := tx.Exec(ctx, `
			insert into arrival_hours (source_id, hour, workspace_id, received, parts, first_at, last_at, gap_seconds)
			select a.source_id, a.hour, a.workspace_id, count(*), count(distinct floor(extract(minute from a.received_at) / 5)), min(a.received_at), max(a.received_at),
				coalesce(max(extract(epoch from a.received_at - a.before)), 0)::int
			from (select r.source_id, r.workspace_id, r.received_at, date_trunc('hour', r.received_at) as hour,
					lag(r.received_at) over (partition by r.source_id, date_trunc('hour', r.received_at) order by r.received_at) as before
				from receipts r join sources s on s.id = r.source_id and s.workspace_id = r.workspace_id
				where r.id >= $1::uuid and r.id < $2::uuid and r.received_at >= $3 and r.received_at < $4 and r.method <> 'PULL' and position($5::bytea in r.headers) = 0) a
			group by 1, 2, 3
			on conflict (source_id, hour) do update set received = excluded.received, parts = excluded.parts, first_at = excluded.first_at, last_at = excluded.last_at,
				gap_seconds = excluded.gap_seconds`,
			firstID(from.Add(-time.Minute)), firstID(to.Add(time.Minute)), from, to, []byte(testMark))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `update alert_watch set counted_to = $1`, to)
		return err
	})
	return to, settingsError("count arrivals", err)
}

// LastArrivals tells by source when its phone system last sent something by itself, by the busy hours and by the receipts
// since shortly before countedTo. Sources that have sent nothing for months are missing.
func (db *DB) LastArrivals(ctx context.Context, workspaceID string, countedTo time.Time) (map[string]time.Time, error) {
	rows, _ := db.pool.Query(ctx, `
		select s.id, greatest(h.last_at, t.received_at) from sources s
		left join lateral (select a.last_at from arrival_hours a where a.workspace_id = $1 and a.source_id = s.id order by a.hour desc limit 1) h on true
		left join lateral (select r.received_at from receipts r where r.workspace_id = $1 and r.source_id = s.id and r.id >= $2::uuid
			and r.method <> 'PULL' and position($3::bytea in r.headers) = 0 order by r.id desc limit 1) t on true
		where s.workspace_id = $1 and s.deleted_at is null and coalesce(h.last_at, t.received_at) is not null`,
		workspaceID, firstID(countedTo.Add(-24*time.Hour)), []byte(testMark))
	out := map[string]time.Time{}
	var id string
	var at time.Time
	_, err := pgx.ForEachRow(rows, []any{&id, &at}, func() error {
		out[id] = at.UTC()
		return nil
	})
	return out, settingsError("read the last arrivals", err)
}

// BusyHours are those of a source from a moment on, the oldest first.
func (db *DB) BusyHours(ctx context.Context, workspaceID, sourceID string, from time.Time) ([]records.BusyHour, error) {
	rows, _ := db.pool.Query(ctx, `select hour, received, parts, first_at, last_at, gap_seconds from arrival_hours
		where workspace_id = $1 and source_id = $2 and hour >= $3 order by hour`, workspaceID, sourceID, from)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h records.BusyHour, err error) {
		var gap int64
		err = row.Scan(&h.Hour, &h.Received, &h.Parts, &h.FirstAt, &h.LastAt, &gap)
		h.Hour, h.FirstAt, h.LastAt, h.Gap = h.Hour.UTC(), h.FirstAt.UTC(), h.LastAt.UTC(), time.Duration(gap)*time.Second
		return h, err
	})
	return all, settingsError("read busy hours", err)
}

// SourceTroubles counts by source the requests of the last day that were not understood or were refused. Sources without
// any are missing.
func (db *DB) SourceTroubles(ctx context.Context, workspaceID string, now time.Time) (map[string]records.SourceTrouble, error) {
	rows, _ := db.pool.Query(ctx, `
		select s.id, t.q_hour, t.r_hour, t.q_day, t.r_day, coalesce(t.q_first, ''), coalesce(t.r_first, ''), n.looked, n.q, n.r
		from sources s
		cross join lateral (
			select count(*) as day,
				count(*) filter (where state = 'quarantined' and receipt_id >= $3::uuid) as q_hour, count(*) filter (where state = 'rejected' and receipt_id >= $3::uuid) as r_hour,
				count(*) filter (where state = 'quarantined') as q_day, count(*) filter (where state = 'rejected') as r_day,
				min(receipt_id::text) filter (where state = 'quarantined') as q_first, min(receipt_id::text) filter (where state = 'rejected') as r_first
			from (select x.receipt_id, x.state from receipt_results x where x.workspace_id = $1 and x.source_id = s.id and x.state in ('quarantined', 'rejected')
				and x.receipt_id >= $2::uuid order by x.receipt_id desc limit $4) recent) t
		cross join lateral (
			select count(*) as looked, count(*) filter (where x.state = 'quarantined') as q, count(*) filter (where x.state = 'rejected') as r
			from (select r.id from receipts r where r.workspace_id = $1 and r.source_id = s.id and r.id >= $2::uuid order by r.id desc limit $5) newest
			left join receipt_results x on x.workspace_id = $1 and x.receipt_id = newest.id
			where t.day > 0) n
		where s.workspace_id = $1 and s.deleted_at is null and t.day > 0`,
		workspaceID, firstID(now.Add(-24*time.Hour)), firstID(now.Add(-time.Hour)), mostTroubles, newestLooked)
	out := map[string]records.SourceTrouble{}
	var id, q, r string
	var t records.SourceTrouble
	_, err := pgx.ForEachRow(rows, []any{&id, &t.NotUnderstood, &t.Refused, &t.NotUnderstoodDay, &t.RefusedDay, &q, &r, &t.Looked, &t.NewestNotUnderstood, &t.NewestRefused}, func() error {
		t.NotUnderstoodSince, t.RefusedSince = timeOfID(q), timeOfID(r)
		out[id] = t
		return nil
	})
	return out, settingsError("count failing requests", err)
}

// timeOfID is when a UUIDv7 was made; zero for what is none.
func timeOfID(id string) time.Time {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 {
		return time.Time{}
	}
	seconds, nanoseconds := u.Time().UnixTime()
	return time.Unix(seconds, nanoseconds).UTC()
}

// HeldStates counts what is on hold, by connection.
func (db *DB) HeldStates(ctx context.Context, workspaceID string) (map[string]records.HeldState, error) {
	rows, _ := db.pool.Query(ctx, `select d.connection_id, count(*), min(d.updated_at) `+liveConnections+` group by d.connection_id`, workspaceID)
	out := map[string]records.HeldState{}
	var id string
	var h records.HeldState
	_, err := pgx.ForEachRow(rows, []any{&id, &h.Count, &h.Oldest}, func() error {
		h.Oldest = h.Oldest.UTC()
		out[id] = h
		return nil
	})
	return out, settingsError("count what is on hold", err)
}

// DriftStates counts the open issues of CRM fields, by connection.
func (db *DB) DriftStates(ctx context.Context, workspaceID string) (map[string]records.DriftState, error) {
	rows, _ := db.pool.Query(ctx, `select connection_id, count(*) filter (where blocking), count(*) filter (where not blocking), min(opened_at)
		from crm_schema_issues where workspace_id = $1 and healed_at is null group by connection_id`, workspaceID)
	out := map[string]records.DriftState{}
	var id string
	var d records.DriftState
	_, err := pgx.ForEachRow(rows, []any{&id, &d.Blocking, &d.Others, &d.Since}, func() error {
		d.Since = d.Since.UTC()
		out[id] = d
		return nil
	})
	return out, settingsError("count the issues of schemas", err)
}

// AlertSettings are the thresholds of a workspace.
func (db *DB) AlertSettings(ctx context.Context, workspaceID string) (records.AlertSettings, error) {
	s := records.DefaultAlertSettings
	rows, _ := db.pool.Query(ctx, `select held_count, held_hours, trouble_count, silent_minutes, quota_percent from alert_settings where workspace_id = $1`, workspaceID)
	_, err := pgx.ForEachRow(rows, []any{&s.HeldCount, &s.HeldHours, &s.TroubleCount, &s.SilentMinutes, &s.QuotaPercent}, func() error { return nil })
	return s, settingsError("read the settings of alerts", err)
}

// PutAlertSettings replaces the thresholds of a workspace. Errors: records.ErrRefused for values out of bounds.
func (db *DB) PutAlertSettings(ctx context.Context, workspaceID string, s records.AlertSettings) error {
	err := db.changing(ctx, workspaceID, "alert_settings.save", audited{kind: "alert_settings"}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
		insert into alert_settings (workspace_id, held_count, held_hours, trouble_count, silent_minutes, quota_percent) values ($1, $2, $3, $4, $5, $6)
		on conflict (workspace_id) do update set held_count = excluded.held_count, held_hours = excluded.held_hours, trouble_count = excluded.trouble_count,
			silent_minutes = excluded.silent_minutes, quota_percent = excluded.quota_percent, updated_at = now()`,
			workspaceID, s.HeldCount, s.HeldHours, s.TroubleCount, s.SilentMinutes, s.QuotaPercent)
		return err
	})
	return settingsError("replace the settings of alerts", err)
}

// CountAlerts counts the open alerts of all workspaces by kind.
func (db *DB) CountAlerts(ctx context.Context) (map[records.AlertKind]int64, error) {
	rows, _ := db.pool.Query(ctx, `select kind, count(*) from alerts where state = 'open' group by kind`)
	out := map[records.AlertKind]int64{}
	var kind records.AlertKind
	var n int64
	_, err := pgx.ForEachRow(rows, []any{&kind, &n}, func() error {
		out[kind] = n
		return nil
	})
	return out, settingsError("count alerts", err)
}

// DropOldAlerts forgets alerts that are long over, busy hours that nobody reads any more, and mutes that have ended.
func (db *DB) DropOldAlerts(ctx context.Context) error {
	batch := &pgx.Batch{}
	batch.Queue(`delete from alerts where state = 'resolved' and resolved_at < now() - $1::interval`, alertsKept)
	batch.Queue(`delete from arrival_hours where hour < now() - $1::interval`, arrivalsKept)
	batch.Queue(`delete from alert_mutes where until < now() - interval '1 day'`)
	if err := db.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("drop old alerts: %w", storeError(err))
	}
	return nil
}
