package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// MessagesPage lists text messages, newest first.
func (db *DB) MessagesPage(ctx context.Context, workspaceID string, f records.RecordFilter) ([]records.MessageRow, error) {
	return recordsPage(ctx, db, "messages", workspaceID, f, messageRow)
}

// MessageByID returns a text message; records.ErrNotFound if the workspace has no such one.
func (db *DB) MessageByID(ctx context.Context, workspaceID, id string) (records.MessageRow, error) {
	return recordByID(ctx, db, "messages", workspaceID, id, messageRow)
}

// FormsPage lists form submissions, newest first.
func (db *DB) FormsPage(ctx context.Context, workspaceID string, f records.RecordFilter) ([]records.FormRow, error) {
	return recordsPage(ctx, db, "forms", workspaceID, f, formRow)
}

// FormByID returns a form submission; records.ErrNotFound if the workspace has no such one.
func (db *DB) FormByID(ctx context.Context, workspaceID, id string) (records.FormRow, error) {
	return recordByID(ctx, db, "forms", workspaceID, id, formRow)
}

// storedRecord is what the tables of messages and forms have in common.
type storedRecord struct {
	id, sourceID, providerID string
	state                    []byte
	createdAt                time.Time
	revision                 int64
}

func messageRow(r storedRecord) (out records.MessageRow, err error) {
	err = json.Unmarshal(r.state, &out.Message)
	out.Message.ID, out.Message.ProviderID, out.SourceID, out.CreatedAt, out.Revision = r.id, r.providerID, r.sourceID, r.createdAt, r.revision
	return out, err
}

func formRow(r storedRecord) (out records.FormRow, err error) {
	err = json.Unmarshal(r.state, &out.Form)
	out.Form.ID, out.Form.ProviderID, out.SourceID, out.CreatedAt, out.Revision = r.id, r.providerID, r.sourceID, r.createdAt, r.revision
	return out, err
}

const recordColumns = `id, source_id, provider_id, state, created_at, revision`

func scanRecord[T any](read func(storedRecord) (T, error)) pgx.RowToFunc[T] {
	return func(row pgx.CollectableRow) (out T, err error) {
		var r storedRecord
		if err := row.Scan(&r.id, &r.sourceID, &r.providerID, &r.state, &r.createdAt, &r.revision); err != nil {
			return out, err
		}
		r.createdAt = utc(r.createdAt)
		return read(r)
	}
}

func recordsPage[T any](ctx context.Context, db *DB, table, workspaceID string, f records.RecordFilter, read func(storedRecord) (T, error)) ([]T, error) {
	var b queryBuilder
	b.where("workspace_id = " + b.arg(workspaceID))
	if f.Before != "" {
		b.where("id < " + b.arg(f.Before) + "::uuid")
	}
	if f.SourceID != "" {
		b.where("source_id = " + b.arg(f.SourceID) + "::uuid")
	}
	rows, err := db.look(ctx, "select "+recordColumns+" from "+table+" where "+strings.Join(b.conditions, " and ")+
		" order by id desc limit "+b.arg(f.Limit), b.args...)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", table, err)
	}
	items, err := pgx.CollectRows(rows, scanRecord(read))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", table, err)
	}
	return items, nil
}

func recordByID[T any](ctx context.Context, db *DB, table, workspaceID, id string, read func(storedRecord) (T, error)) (T, error) {
	var none T
	if _, ok := parseUUID(id); !ok {
		return none, records.ErrNotFound
	}
	rows, err := db.look(ctx, "select "+recordColumns+" from "+table+" where workspace_id = $1 and id = $2", workspaceID, id)
	if err != nil {
		return none, fmt.Errorf("read from %s: %w", table, err)
	}
	item, err := pgx.CollectExactlyOneRow(rows, scanRecord(read))
	if err != nil {
		return none, fmt.Errorf("read from %s: %w", table, rowError(err))
	}
	return item, nil
}
