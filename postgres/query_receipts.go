package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// receiptState tells what became of receipt r: one that waits in the inbox, for the first time or again, is pending.
const receiptState = `case when i.receipt_id is not null then 'pending' else coalesce(x.state, 'pending') end`

const receiptItemColumns = `r.id, r.workspace_id, r.source_id, r.received_at, r.method, r.hook_event, r.signature, length(r.body),
	` + receiptState + `, coalesce(x.reason, ''), coalesce(x.detail, ''), coalesce(x.record_kind, ''), coalesce(x.record_id::text, ''),
	coalesce(x.changed, false), coalesce(x.applied_at, '0001-01-01 00:00:00+00')`

const receiptJoins = ` left join receipt_results x on x.receipt_id = r.id left join inbox i on i.receipt_id = r.id `

func scanReceiptItem(row pgx.CollectableRow, more ...any) (records.ReceiptItem, error) {
	var r records.ReceiptItem
	to := append([]any{&r.ID, &r.WorkspaceID, &r.SourceID, &r.ReceivedAt, &r.Method, &r.HookEvent, &r.Signature, &r.BodyBytes,
		&r.Result.State, &r.Result.Reason, &r.Result.Detail, &r.Result.RecordKind, &r.Result.RecordID,
		&r.Result.Changed, &r.Result.AppliedAt}, more...)
	err := row.Scan(to...)
	r.ReceivedAt, r.Result.AppliedAt = utc(r.ReceivedAt), utc(r.Result.AppliedAt)
	return r, err
}

func collectReceiptItems(rows pgx.Rows, err error) ([]records.ReceiptItem, error) {
	if err != nil {
		return nil, fmt.Errorf("list receipts: %w", err)
	}
	items, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (records.ReceiptItem, error) { return scanReceiptItem(row) })
	if err != nil {
		return nil, fmt.Errorf("list receipts: %w", err)
	}
	return items, nil
}

// ReceiptsPage lists receipts, newest first, without their bytes. A search that takes too long ends with
// context.DeadlineExceeded.
func (db *DB) ReceiptsPage(ctx context.Context, workspaceID string, f records.ReceiptFilter) ([]records.ReceiptItem, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if f.From.IsZero() && (f.State == "" || f.State == records.ReceiptApplied) {
		// Most pages are found in few partitions, and a server that need not look at the others plans much faster.
		last := time.Now()
		if at, ok := idTime(f.Before); ok {
			last = at
		} else if !f.To.IsZero() {
			last = f.To
		}
		recent := f
		recent.From = last.Add(-72 * time.Hour)
		items, err := db.receiptsPage(ctx, workspaceID, recent)
		if err != nil || len(items) == f.Limit {
			return items, timedOut(ctx, err)
		}
	}
	items, err := db.receiptsPage(ctx, workspaceID, f)
	if err != nil {
		return nil, timedOut(ctx, err)
	}
	return items, nil
}

func (db *DB) receiptsPage(ctx context.Context, workspaceID string, f records.ReceiptFilter) ([]records.ReceiptItem, error) {
	var b queryBuilder
	// Receipts of which something special is to be told are few in many: their ids come first, from where they are noted.
	table, id, few := "receipts r", "r.id", false
	switch f.State {
	case records.ReceiptQuarantined, records.ReceiptRejected, records.ReceiptIgnored:
		table, id, few = "receipt_results r", "r.receipt_id", true
	case records.ReceiptPending:
		table, id, few = "inbox r", "r.receipt_id", true
	}
	b.where("r.workspace_id = " + b.arg(workspaceID))
	if f.Before != "" {
		b.where(id + " < " + b.arg(f.Before) + "::uuid")
	}
	// Ids begin with the time of arrival: bounds on them spare the server the partitions of other days.
	if !f.From.IsZero() {
		b.where(id + " >= " + b.arg(firstID(f.From)) + "::uuid")
	}
	if !f.To.IsZero() {
		b.where(id + " < " + b.arg(firstID(f.To)) + "::uuid")
	}
	if f.SourceID != "" {
		b.where("r.source_id = " + b.arg(f.SourceID) + "::uuid")
	}
	if !few {
		if f.State != "" {
			b.where(receiptState + " = " + b.arg(f.State))
		}
		return collectReceiptItems(db.look(ctx, "select "+receiptItemColumns+" from receipts r"+receiptJoins+
			"where "+strings.Join(b.conditions, " and ")+" order by r.id desc limit "+b.arg(f.Limit), b.args...))
	}
	if f.State != records.ReceiptPending {
		// Written out, because the index is of what was not simply applied, which the planner must see.
		b.where("r.state = '" + f.State + "' and not exists (select from inbox i where i.receipt_id = r.receipt_id)")
	}
	return collectReceiptItems(db.look(ctx, "with few as materialized (select r.receipt_id from "+table+" where "+strings.Join(b.conditions, " and ")+
		" order by r.receipt_id desc limit "+b.arg(f.Limit)+") select "+receiptItemColumns+" from few join receipts r on r.id = few.receipt_id"+receiptJoins+
		"where r.workspace_id = $1 order by r.id desc", b.args...))
}

// idTime is when an id of ours, a UUIDv7, was made.
func idTime(id string) (time.Time, bool) {
	u, ok := parseUUID(id)
	if !ok {
		return time.Time{}, false
	}
	var ms int64
	for _, b := range u.Bytes[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms), true
}

// firstID is the lowest UUIDv7 of a time.
func firstID(t time.Time) string {
	ms := max(t.UnixMilli(), 0) & (1<<48 - 1)
	return fmt.Sprintf("%08x-%04x-7000-8000-000000000000", ms>>16, ms&0xffff)
}

// ReceiptsOfCall returns the receipts that tell of a call, oldest first, without their bytes.
func (db *DB) ReceiptsOfCall(ctx context.Context, workspaceID, callID string) ([]records.ReceiptItem, error) {
	return collectReceiptItems(db.look(ctx, `select `+receiptItemColumns+` from receipts r `+receiptJoins+`
		where r.workspace_id = $1 and r.id in (
			select receipt_id from events where workspace_id = $1 and record_id = $2
			union select receipt_id from receipt_results where workspace_id = $1 and record_id = $2
			limit $3)
		order by r.id`, workspaceID, callID, maxEventsShown))
}

// ReceiptByID returns a receipt with all its bytes.
func (db *DB) ReceiptByID(ctx context.Context, workspaceID, id string) (records.Receipt, error) {
	if _, ok := parseUUID(id); !ok {
		return records.Receipt{}, records.ErrNotFound
	}
	rows, err := db.look(ctx, `select `+receiptItemColumns+`, r.query, r.headers, r.body from receipts r `+receiptJoins+`
		where r.workspace_id = $1 and r.id = $2`, workspaceID, id)
	if err != nil {
		return records.Receipt{}, fmt.Errorf("read a receipt: %w", err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (records.Receipt, error) {
		var query, headers, body []byte
		item, err := scanReceiptItem(row, &query, &headers, &body)
		item.Query, item.Headers, item.Body = query, headers, body
		return item.Receipt, err
	})
	if err != nil {
		return records.Receipt{}, fmt.Errorf("read a receipt: %w", rowError(err))
	}
	return r, nil
}
