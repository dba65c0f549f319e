package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	rows, err := db.look(ctx, `select `+holdID+`, d.connection_id, d.class, d.field, d.reason, count(*), min(d.updated_at), max(d.updated_at),
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
	rows, err := db.look(ctx, `select d.id, d.record_id, d.connection_id `+liveConnections+sql+` and d.record_id is not null order by d.id`, workspaceID, arg)
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
	if err := db.flows(ctx, workspaceID, from, to, &s); err != nil {
		return s, fmt.Errorf("count calls: %w", timedOut(ctx, err))
	}
	if err := db.countReceipts(ctx, workspaceID, from, to, &s); err != nil {
		return s, fmt.Errorf("count receipts: %w", timedOut(ctx, err))
	}
	// The ids of messages and forms are made when they arrive, as created_at is, by clocks that may differ by a little.
	others, err := db.count(ctx, `select 'messages', count(*) from messages where workspace_id = $1 and id >= $4::uuid and id < $5::uuid and created_at >= $2 and created_at < $3
		union all select 'forms', count(*) from forms where workspace_id = $1 and id >= $4::uuid and id < $5::uuid and created_at >= $2 and created_at < $3
		union all select 'on_hold', count(*) `+liveConnections+`
		union all select 'retrying', count(*) from deliveries d join connections k on k.id = d.connection_id and k.deleted_at is null
			where d.workspace_id = $1 and d.state in ('waiting', 'sending') and d.class <> '' and d.object <> 'contact' `,
		[]any{workspaceID, from, to, firstID(from.Add(-time.Hour)), firstID(to.Add(time.Hour))})
	if err != nil {
		return s, fmt.Errorf("count: %w", timedOut(ctx, err))
	}
	s.Messages, s.Forms, s.OnHold, s.Retrying = others["messages"], others["forms"], others["on_hold"], others["retrying"]
	if s.SecondsToCRM, err = db.secondsToCRM(ctx, workspaceID, from, to); err != nil {
		return s, fmt.Errorf("measure: %w", timedOut(ctx, err))
	}
	return s, nil
}

// secondsToCRM counts calls by their whole seconds and finds the quantiles among the counts: the server would sort them all.
func (db *DB) secondsToCRM(ctx context.Context, workspaceID string, from, to time.Time) (q records.Percentiles, err error) {
	rows, err := db.look(ctx, `
		select crm_seconds, count(*) from call_list
		where workspace_id = $1 and listed_at >= $2 and listed_at < $3 and crm_seconds is not null group by 1`, workspaceID, from, to)
	if err != nil {
		return q, err
	}
	counts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[secondsCount])
	if err != nil || len(counts) == 0 {
		return q, err
	}
	slices.SortFunc(counts, func(a, b secondsCount) int { return cmp.Compare(a.Seconds, b.Seconds) })
	p50, p95 := quantile(counts, 0.5), quantile(counts, 0.95)
	q.P50, q.P95 = &p50, &p95
	return q, nil
}

// secondsCount is how many calls took some seconds.
type secondsCount struct {
	Seconds int64
	Calls   int64
}

// quantile is the value below which the part p of all calls lies, between two calls in proportion, as percentile_cont has
// it; counts are in order and not empty.
func quantile(counts []secondsCount, p float64) float64 {
	var calls int64
	for _, c := range counts {
		calls += c.Calls
	}
	at := p * float64(calls-1)
	before := int64(at)
	value := func(n int64) float64 {
		for _, c := range counts {
			if n < c.Calls {
				return float64(c.Seconds)
			}
			n -= c.Calls
		}
		return float64(counts[len(counts)-1].Seconds)
	}
	low := value(before)
	return low + (at-float64(before))*(value(before+1)-low)
}

// countReceipts sums up whole hours, counts the parts of hours at both ends, and what still waits.
func (db *DB) countReceipts(ctx context.Context, workspaceID string, from, to time.Time, s *records.Stats) error {
	first, last := from.UTC().Add(time.Hour-1).Truncate(time.Hour), to.UTC().Truncate(time.Hour)
	if last.Before(first) {
		first, last = to.UTC(), to.UTC() // no whole hour
	}
	var err error
	s.ByReceipt, err = db.count(ctx, `
		select state, sum(n)::bigint from (
			select state, sum(receipts) as n from receipt_hours where workspace_id = $1 and hour >= $2 and hour < $3 group by state
			union all
			select state, count(*) from receipt_results where workspace_id = $1 and (receipt_id >= $4::uuid and receipt_id < $5::uuid or receipt_id >= $6::uuid and receipt_id < $7::uuid) group by state
			union all
			select 'pending', count(*) from inbox where workspace_id = $1 and receipt_id >= $4::uuid and receipt_id < $7::uuid
			union all
			select x.state, -count(*) from inbox i join receipt_results x on x.receipt_id = i.receipt_id where i.workspace_id = $1 and i.receipt_id >= $4::uuid and i.receipt_id < $7::uuid group by 1) n
		group by state having sum(n) <> 0`,
		[]any{workspaceID, first, last, firstID(from), firstID(first), firstID(last), firstID(to)})
	s.Receipts = total(s.ByReceipt)
	return err
}

// count runs a query for names and numbers.
func (db *DB) count(ctx context.Context, sql string, args []any) (map[string]int64, error) {
	rows, err := db.look(ctx, sql, args...)
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
