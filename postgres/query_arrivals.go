package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

const (
	// arrivalsScanned bounds the receipts that Arrivals looks at: some milliseconds' worth, through the list's index.
	arrivalsScanned = 5000
	// maxArrivals bounds the kinds of requests: who knows a hook URL can put anything behind it.
	maxArrivals = 200
)

// testMark is how the stored headers of a request that callsync sent itself begin to say so. Inside of another header's
// value its quotes would be escaped.
const testMark = `"Callsync-Test":[`

// Arrivals returns the newest receipt of each kind of request of a source, newest first.
func (db *DB) Arrivals(ctx context.Context, workspaceID, sourceID string) (records.Arrivals, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var out records.Arrivals
	rows, err := db.look(ctx, `
		with recent as materialized (
			select r.id, r.hook_event, r.received_at, r.method = 'PULL' as pulled, position($4::bytea in r.headers) > 0 as test
			from receipts r where r.workspace_id = $1 and r.source_id = $2 order by r.id desc limit $3),
		kinds as (
			select c.*, coalesce(e.kind, '') as kind from recent c left join events e on e.receipt_id = c.id and e.seq = 0),
		newest as (
			select distinct on (hook_event, pulled, kind, test) id, kind, test
			from kinds order by hook_event, pulled, kind, test, id desc)
		select `+receiptItemColumns+`, n.kind, n.test, (select count(*) from recent), (select min(received_at) from recent)
		from newest n join receipts r on r.id = n.id `+receiptJoins+`
		where r.workspace_id = $1 order by r.id desc limit $5`,
		workspaceID, sourceID, arrivalsScanned, []byte(testMark), maxArrivals)
	if err != nil {
		return out, timedOut(ctx, fmt.Errorf("read arrivals: %w", err))
	}
	out.Latest, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (records.Arrival, error) {
		var a records.Arrival
		item, err := scanReceiptItem(row, &a.Kind, &a.Test, &out.Scanned, &out.Since)
		a.ReceiptItem = item
		return a, err
	})
	if err != nil {
		return out, timedOut(ctx, fmt.Errorf("read arrivals: %w", err))
	}
	out.Since, out.Limited = utc(out.Since), out.Scanned == arrivalsScanned
	return out, nil
}

// maxEventsOfReceipt bounds what is told of each receipt of a list: one may hold thousands of reports.
const maxEventsOfReceipt = 20

// EventsOfReceipts returns what receipts say, by receipt: of each its first events.
func (db *DB) EventsOfReceipts(ctx context.Context, workspaceID string, receiptIDs []string) (map[string][]call.Event, error) {
	out := map[string][]call.Event{}
	if len(receiptIDs) == 0 {
		return out, nil
	}
	rows, err := db.look(ctx, `select receipt_id, seq, data from events
		where workspace_id = $1 and receipt_id = any($2::uuid[]) and seq < $3 order by receipt_id, seq`, workspaceID, receiptIDs, maxEventsOfReceipt)
	if err != nil {
		return nil, fmt.Errorf("list events of receipts: %w", err)
	}
	var (
		id   string
		seq  int
		data []byte
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &seq, &data}, func() error {
		var e call.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		e.ReceiptID, e.Seq = id, seq
		out[id] = append(out[id], e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list events of receipts: %w", err)
	}
	return out, nil
}

// TroubledReceipts names receipts of a source that are quarantined, or rejected, the oldest first, limit at most.
func (db *DB) TroubledReceipts(ctx context.Context, workspaceID, sourceID, state string, limit int) ([]string, error) {
	rows, _ := db.look(ctx, `
		select receipt_id::text from receipt_results
		where workspace_id = $1 and source_id = $2 and state = $3 and state in ('quarantined', 'rejected') order by receipt_id limit $4`,
		workspaceID, sourceID, state, limit)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return ids, settingsError("list receipts in trouble", err)
}
