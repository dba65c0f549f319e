package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/callsync/callsync/records"
)

// insertReceipts stores receipts and, in the same statement, what is still to be done with them: those that came with a
// result (refused at the door) get it, the others go to the inbox. A receipt that is there already is left alone, so
// that a batch may be repeated after an answer that was lost.
const insertReceipts = `
with new as (
	insert into receipts (id, workspace_id, source_id, received_at, method, hook_event, query, headers, body, signature)
	select r.id, r.workspace_id, r.source_id, r.received_at, r.method, r.hook_event, r.query, r.headers, r.body, r.signature
	from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::bytea[], $8::bytea[], $9::bytea[], $10::text[])
		as r (id, workspace_id, source_id, received_at, method, hook_event, query, headers, body, signature)
	on conflict (id) do nothing
	returning id, workspace_id, source_id
), refused as (
	insert into receipt_results (receipt_id, workspace_id, source_id, state, reason, detail)
	select new.id, new.workspace_id, new.source_id, r.state, r.reason, r.detail
	from new join unnest($11::uuid[], $12::text[], $13::text[], $14::text[]) as r (id, state, reason, detail) on r.id = new.id
	on conflict (receipt_id) do nothing
)
insert into inbox (receipt_id, workspace_id, source_id)
select id, workspace_id, source_id from new where id <> all($11::uuid[])
on conflict (receipt_id) do nothing`

// InsertReceipts stores receipts, all or none, and answers once they are durable. Repeating it is harmless. A receipt
// whose Result.State is set is stored with that result; the others are put in the inbox. An error wrapping
// records.ErrRefused means that one of the rows cannot be stored, whenever it is tried.
func (db *DB) InsertReceipts(ctx context.Context, rs []records.Receipt) error {
	if len(rs) == 0 {
		return nil
	}
	args, err := receiptArgs(rs)
	if err != nil {
		return err
	}
	for range 3 {
		_, err = db.pool.Exec(ctx, insertReceipts, args...)
		if !movedDay(err) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("store receipts: %w", storeError(err))
	}
	return nil
}

// receiptArgs are the arguments of insertReceipts.
func receiptArgs(rs []records.Receipt) ([]any, error) {
	n := len(rs)
	var (
		ids, workspaces, sources = make([]pgtype.UUID, n), make([]pgtype.UUID, n), make([]pgtype.UUID, n)
		received                 = make([]time.Time, n)
		methods, events, verdict = make([]string, n), make([]string, n), make([]string, n)
		queries, headers, bodies = make([][]byte, n), make([][]byte, n), make([][]byte, n)
		refused                  = []pgtype.UUID{}
		states, reasons, details = []string{}, []string{}, []string{}
	)
	for i := range rs {
		r := &rs[i]
		var ok [3]bool
		ids[i], ok[0] = parseUUID(r.ID)
		workspaces[i], ok[1] = parseUUID(r.WorkspaceID)
		sources[i], ok[2] = parseUUID(r.SourceID)
		if !ok[0] || !ok[1] || !ok[2] {
			return nil, fmt.Errorf("store receipts: a receipt has no valid ids: %w", records.ErrRefused)
		}
		received[i], methods[i], events[i], verdict[i] = r.ReceivedAt, r.Method, r.HookEvent, r.Signature
		queries[i], headers[i], bodies[i] = orNoBytes(r.Query), orNoBytes(r.Headers), orNoBytes(r.Body)
		if r.Result.State != "" {
			refused = append(refused, ids[i])
			states, reasons, details = append(states, r.Result.State), append(reasons, r.Result.Reason), append(details, r.Result.Detail)
		}
	}
	return []any{ids, workspaces, sources, received, methods, events, queries, headers, bodies, verdict, refused, states, reasons, details}, nil
}

// movedDay tells that the day of a receipt got its partition just while the receipt was on its way into the default one,
// which no longer takes it. The next try finds the new partition.
func movedDay(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23514" && pg.ConstraintName == ""
}

func orNoBytes(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// parseUUID reads the usual text form without allocating.
func parseUUID(s string) (u pgtype.UUID, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	var digits [32]byte
	n := copy(digits[:], s[:8])
	n += copy(digits[n:], s[9:13])
	n += copy(digits[n:], s[14:18])
	n += copy(digits[n:], s[19:23])
	copy(digits[n:], s[24:])
	if _, err := hex.Decode(u.Bytes[:], digits[:]); err != nil {
		return u, false
	}
	u.Valid = true
	return u, true
}

// storeError keeps the values of rows, which the server quotes in some of its messages, out of the error chain, and
// marks the errors that are about the values.
func storeError(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	clean := &pgconn.PgError{Severity: pg.Severity, Code: pg.Code, Message: pg.Message,
		SchemaName: pg.SchemaName, TableName: pg.TableName, ColumnName: pg.ColumnName, ConstraintName: pg.ConstraintName}
	if strings.HasPrefix(pg.Code, "22") {
		// invalid input syntax for type ...: "the value"
		clean.Message = "the server cannot store a value"
	}
	if valueError(pg.Code) {
		return fmt.Errorf("%w: %w", records.ErrRefused, clean)
	}
	return clean
}

// valueError tells whether a SQLSTATE is about the values of a row: data exceptions, constraints, and limits such as
// that of an index row.
func valueError(code string) bool {
	return strings.HasPrefix(code, "22") || strings.HasPrefix(code, "23") || strings.HasPrefix(code, "54")
}

const receiptColumns = `id, workspace_id, source_id, received_at, method, hook_event, query, headers, body, signature`

func scanReceipt(row pgx.CollectableRow) (r records.Receipt, err error) {
	err = row.Scan(&r.ID, &r.WorkspaceID, &r.SourceID, &r.ReceivedAt, &r.Method, &r.HookEvent, &r.Query, &r.Headers, &r.Body, &r.Signature)
	return r, err
}

// loadReceipts reads receipts by id, oldest first. The bounds let the server look only into the partitions of their days.
func loadReceipts(ctx context.Context, q interface {
	Query(context.Context, string, ...any) (pgx.Rows, error)
}, ids []string) ([]records.Receipt, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	low, high := ids[0], ids[0]
	for _, id := range ids {
		low, high = min(low, id), max(high, id)
	}
	rows, err := q.Query(ctx, `select `+receiptColumns+` from receipts
		where id = any($1::uuid[]) and id >= $2::uuid and id <= $3::uuid order by id`, ids, low, high)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanReceipt)
}
