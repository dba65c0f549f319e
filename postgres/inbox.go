package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// Requeue puts a stored receipt into the inbox again, due at once; records.ErrNotFound if the workspace has no such
// receipt.
func (db *DB) Requeue(ctx context.Context, workspaceID, receiptID string) error {
	if _, ok := parseUUID(receiptID); !ok {
		return records.ErrNotFound
	}
	tag, err := db.pool.Exec(ctx, `
		insert into inbox (receipt_id, workspace_id, source_id)
		select id, workspace_id, source_id from receipts where workspace_id = $1 and id = $2
		on conflict (receipt_id) do update set not_before = '-infinity'`, workspaceID, receiptID)
	if err != nil {
		return fmt.Errorf("requeue a receipt: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return records.ErrNotFound
	}
	return nil
}

// InboxDepth is how many receipts wait to be applied and since when the oldest one does; the time is zero for none. It
// stops counting at 100,000.
func (db *DB) InboxDepth(ctx context.Context) (int64, time.Time, error) {
	var (
		n      int64
		oldest *time.Time
	)
	err := db.pool.QueryRow(ctx, `
		select (select count(*) from (select 1 from inbox limit 100000) i),
			(select to_timestamp((('x' || translate(left(receipt_id::text, 13), '-', ''))::bit(48)::bigint) / 1000.0)
			 from inbox order by receipt_id limit 1)`).Scan(&n, &oldest)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("measure the inbox: %w", err)
	}
	if oldest == nil {
		return n, time.Time{}, nil
	}
	return n, oldest.UTC(), nil
}

// planByKeys makes the pipeline's statements look rows up by key whatever the planner believes of the tables' sizes:
// plans are kept per connection, and one made while a table was empty would read all of it when it is not.
const planByKeys = `select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`

// claim takes up to limit receipts that are due, in the order of their arrival, for this transaction; others skip them.
// With a receipt it takes that one alone, whether it is due or not, and waits for it.
func claim(ctx context.Context, tx pgx.Tx, limit int, receipt string) ([]string, error) {
	batch := &pgx.Batch{}
	batch.Queue(planByKeys)
	if receipt != "" {
		batch.Queue(`select receipt_id from inbox where receipt_id = $1 for update`, receipt)
	} else {
		batch.Queue(`select receipt_id from inbox where not_before <= now() order by receipt_id limit $1 for update skip locked`, limit)
	}
	results := tx.SendBatch(ctx, batch)
	defer results.Close()
	if _, err := results.Exec(); err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	return ids, results.Close()
}
