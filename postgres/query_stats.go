package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// holdID names a cause, so that a page can point at it while the deliveries behind it come and go.
const holdID = `md5(d.connection_id::text || chr(31) || d.class || chr(31) || d.field || chr(31) || d.reason)::uuid`

// liveConnections leaves out what belongs to connections that were deleted.
const liveConnections = `from deliveries d join connections k on k.id = d.connection_id and k.deleted_at is null
	where d.workspace_id = $1 and d.state = 'parked' and d.object <> 'contact'`

// Holds groups the deliveries on hold by cause, the largest first.
func (db *DB) Holds(ctx context.Context, workspaceID string) ([]records.Hold, error) {
	rows, err := db.pool.Query(ctx, `select `+holdID+`, d.connection_id, d.class, d.field, d.reason, count(*), min(d.updated_at), max(d.updated_at),
			(array_agg(coalesce((select f.call_id from follow_ups f where f.workspace_id = d.workspace_id and f.id = d.record_id), d.record_id)::text order by d.id desc)
				filter (where d.record_id is not null))[1:5]
		`+liveConnections+`
		group by d.connection_id, d.class, d.field, d.reason order by count(*) desc, min(d.id::text) limit 500`, workspaceID)
	if err != nil {
		return nil, fmt.Errorf("list holds: %w", err)
	}
	holds, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h records.Hold, err error) {
		err = row.Scan(&h.ID, &h.ConnectionID, &h.Class, &h.Field, &h.Reason, &h.Count, &h.Since, &h.Last, &h.SampleCallIDs)
		h.Since, h.Last = utc(h.Since), utc(h.Last)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("list holds: %w", err)
	}
	return holds, nil
}

// HeldCalls lists the calls, messages and forms of one hold, or with an empty holdID all that a connection holds for causes it can be cured
// of, oldest first.
func (db *DB) HeldCalls(ctx context.Context, workspaceID, hold, connectionID string) ([]records.HeldCall, error) {
	sql, arg := ` and `+holdID+` = $2::uuid`, hold
	if hold == "" {
		// What a CRM never answered is not cured by its connection: a person looks there and decides hold by hold.
		sql, arg = ` and d.connection_id = $2::uuid and d.class <> 'unknown_outcome'`, connectionID
	}
	rows, err := db.pool.Query(ctx, `select d.id, d.record_id, d.connection_id `+liveConnections+sql+` and d.record_id is not null order by d.id`, workspaceID, arg)
	if err != nil {
		return nil, fmt.Errorf("list held calls: %w", err)
	}
	calls, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h records.HeldCall, err error) {
		err = row.Scan(&h.DeliveryID, &h.CallID, &h.ConnectionID)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("list held calls: %w", err)
	}
	return calls, nil
}

// Stats counts what happened between from (inclusive) and to (exclusive). What is on hold is counted whenever it began. A
// span with too much in it ends with context.DeadlineExceeded.
func (db *DB) Stats(ctx context.Context, workspaceID string, from, to time.Time) (records.Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	s := records.Stats{}
	const calls = ` from calls c %s where c.workspace_id = $1 and c.merged_into is null and c.listed_at >= $2 and c.listed_at < $3 `
	span := []any{workspaceID, from, to}
	// The clocks of receivers may differ by a little from the times in the receipts' ids.
	ids := []any{workspaceID, firstID(from.Add(-time.Minute)), firstID(to.Add(time.Minute)), from, to}
	var err error
	count := func(sql string, args []any) map[string]int64 {
		if err != nil {
			return nil
		}
		var m map[string]int64
		m, err = db.count(ctx, sql, args)
		return m
	}
	s.ByStatus = count(`select coalesce(nullif(c.status, ''), 'unknown'), count(*)`+fmt.Sprintf(calls, "")+`group by 1`, span)
	// All at once instead of call by call, as lists do: a long span has many.
	s.ByState = count(`with span as (select c.id, c.phase, c.revision, c.settled_revision`+fmt.Sprintf(calls, "")+`),
		lanes as (select c.id, `+laneCounts+` from span c join deliveries d on d.record_id = c.id and d.object = 'call'
			join connections k on k.id = d.connection_id and k.deleted_at is null where d.workspace_id = $1 group by c.id, c.revision)
		select `+callState+`, count(*) from span c left join lanes l on l.id = c.id group by 1`, span)
	s.Deliveries = count(`select d.state, count(*)`+fmt.Sprintf(calls, "join deliveries d on d.record_id = c.id and d.object = 'call'")+`group by 1`, span)
	if err == nil {
		err = db.flows(ctx, workspaceID, from, to, &s)
	}
	s.ByReceipt = count(`select `+receiptState+`, count(*) from receipts r `+receiptJoins+`
		where r.workspace_id = $1 and r.id >= $2::uuid and r.id < $3::uuid and r.received_at >= $4 and r.received_at < $5 group by 1`, ids)
	others := count(`select 'messages', count(*) from messages where workspace_id = $1 and created_at >= $2 and created_at < $3
		union all select 'forms', count(*) from forms where workspace_id = $1 and created_at >= $2 and created_at < $3
		union all select 'on_hold', count(*) `+liveConnections+`
		union all select 'retrying', count(*) from deliveries d join connections k on k.id = d.connection_id and k.deleted_at is null
			where d.workspace_id = $1 and d.state in ('waiting', 'sending') and d.class <> '' and d.object <> 'contact' `, span)
	if err != nil {
		return s, fmt.Errorf("count: %w", timedOut(ctx, err))
	}
	s.Calls, s.Receipts = total(s.ByStatus), total(s.ByReceipt)
	s.Messages, s.Forms, s.OnHold, s.Retrying = others["messages"], others["forms"], others["on_hold"], others["retrying"]
	err = db.pool.QueryRow(ctx, `
		select percentile_cont(0.5) within group (order by t.seconds), percentile_cont(0.95) within group (order by t.seconds)
		from (select extract(epoch from a.at - c.ended_at)::float8 as seconds`+fmt.Sprintf(calls, `
			join deliveries d on d.record_id = c.id and d.object = 'call'
			join (select delivery_id, min(at) as at from delivery_attempts where workspace_id = $1 and outcome = 'done' and at >= $2 group by delivery_id) a
				on a.delivery_id = d.id`)+`
			and c.ended_at is not null) t`, span...).Scan(&s.SecondsToCRM.P50, &s.SecondsToCRM.P95)
	if err != nil {
		return s, fmt.Errorf("measure: %w", timedOut(ctx, err))
	}
	return s, nil
}

// count runs a query for names and numbers.
func (db *DB) count(ctx context.Context, sql string, args []any) (map[string]int64, error) {
	rows, err := db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	var (
		name string
		n    int64
	)
	_, err = pgx.ForEachRow(rows, []any{&name, &n}, func() error { out[name] = n; return nil })
	return out, err
}

func total(m map[string]int64) int64 {
	var sum int64
	for _, n := range m {
		sum += n
	}
	return sum
}
