package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

const callColumns = `c.id, c.state, c.revision, c.complete, coalesce(c.window_base, '0001-01-01 00:00:00+00'), c.changed_at,
	c.settled_revision, c.created_at, c.listed_at, l.state`

func scanCallItem(row pgx.CollectableRow) (records.CallItem, error) {
	var (
		item     records.CallItem
		id       string
		state    []byte
		revision int64
	)
	err := row.Scan(&id, &state, &revision, &item.Complete, &item.WindowBase, &item.ChangedAt,
		&item.SettledRevision, &item.CreatedAt, &item.ListedAt, &item.State)
	if err != nil {
		return item, err
	}
	if err := json.Unmarshal(state, &item.Call); err != nil {
		return item, fmt.Errorf("read call %s: %w", id, err)
	}
	// The columns are the truth: they change by themselves when the call is signalled or adopted.
	item.Call.ID, item.Call.Revision = id, revision
	item.WindowBase, item.ChangedAt, item.CreatedAt, item.ListedAt = utc(item.WindowBase), utc(item.ChangedAt), utc(item.CreatedAt), utc(item.ListedAt)
	return item, nil
}

// utc keeps the zero time zero, which '0001-01-01' is read as in another location.
func utc(t time.Time) time.Time {
	if t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC()
}

// queryTimeout bounds a search, which may have to look at many calls.
const queryTimeout = 10 * time.Second

// timedOut makes the driver's error one that callers can tell.
func timedOut(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return err
}

// queryBuilder gathers conditions and their arguments.
type queryBuilder struct {
	conditions []string
	args       []any
}

func (b *queryBuilder) where(sql string) { b.conditions = append(b.conditions, "("+sql+")") }

func (b *queryBuilder) arg(v any) string {
	b.args = append(b.args, v)
	return fmt.Sprintf("$%d", len(b.args))
}

// CallDetail returns a call with its deliveries, and for a call that was folded into another one that one.
func (db *DB) CallDetail(ctx context.Context, workspaceID, id string) (records.CallItem, error) {
	if _, ok := parseUUID(id); !ok {
		return records.CallItem{}, records.ErrNotFound
	}
	rows, err := db.look(ctx, `
		with recursive chain as (
			select id, merged_into, 1 as depth from calls where workspace_id = $1 and id = $2
			union all
			select c.id, c.merged_into, depth + 1 from calls c join chain on c.id = chain.merged_into
			where c.workspace_id = $1 and depth < 20)
		select `+callColumns+` from chain join calls c on c.id = chain.id join call_list l on l.call_id = c.id
		where chain.merged_into is null`, workspaceID, id)
	if err != nil {
		return records.CallItem{}, fmt.Errorf("read a call: %w", err)
	}
	item, err := pgx.CollectExactlyOneRow(rows, scanCallItem)
	if err != nil {
		return records.CallItem{}, fmt.Errorf("read a call: %w", rowError(err))
	}
	items := []records.CallItem{item}
	err = db.addDeliveries(ctx, workspaceID, items)
	return items[0], err
}

const deliveryColumns = `d.id, d.workspace_id, d.connection_id, d.object, d.key, coalesce(d.record_id::text, ''), d.state, d.revision,
	d.remote_id, d.remote_url, d.mapping_version, d.steps, d.warnings, d.attempt, d.class, d.field, d.reason, d.detail,
	coalesce(d.sending_since, '0001-01-01 00:00:00+00'), coalesce(d.retry_at, '0001-01-01 00:00:00+00'), d.created_at, d.updated_at`

func scanDelivery(row pgx.CollectableRow, more ...any) (records.Delivery, error) {
	var (
		d               records.Delivery
		steps, warnings []byte
	)
	to := append([]any{&d.ID, &d.WorkspaceID, &d.ConnectionID, &d.Object, &d.Key, &d.RecordID, &d.State, &d.Revision,
		&d.RemoteID, &d.RemoteURL, &d.MappingVersion, &steps, &warnings, &d.Attempt, &d.Class, &d.Field, &d.Reason, &d.Detail,
		&d.SendingSince, &d.RetryAt, &d.CreatedAt, &d.UpdatedAt}, more...)
	if err := row.Scan(to...); err != nil {
		return d, err
	}
	d.SendingSince, d.RetryAt, d.CreatedAt, d.UpdatedAt = utc(d.SendingSince), utc(d.RetryAt), utc(d.CreatedAt), utc(d.UpdatedAt)
	if err := errors.Join(json.Unmarshal(steps, &d.Steps), json.Unmarshal(warnings, &d.Warnings)); err != nil {
		return d, fmt.Errorf("read delivery %s: %w", d.ID, err)
	}
	return d, nil
}

// addDeliveries gives calls their lanes, in the order of the connections.
func (db *DB) addDeliveries(ctx context.Context, workspaceID string, items []records.CallItem) error {
	if len(items) == 0 {
		return nil
	}
	at, ids := make(map[string]int, len(items)), make([]string, len(items))
	for i, item := range items {
		at[item.Call.ID], ids[i] = i, item.Call.ID
	}
	rows, err := db.look(ctx, `select `+deliveryColumns+` from deliveries d join connections k on k.id = d.connection_id
		where d.workspace_id = $1 and d.record_id = any($2::uuid[]) and d.object = 'call' and k.deleted_at is null
		order by d.connection_id`, workspaceID, ids)
	if err != nil {
		return fmt.Errorf("list deliveries: %w", timedOut(ctx, err))
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (records.Delivery, error) { return scanDelivery(row) })
	if err != nil {
		return fmt.Errorf("list deliveries: %w", timedOut(ctx, err))
	}
	for _, d := range all {
		i := at[d.RecordID]
		items[i].Deliveries = append(items[i].Deliveries, d)
	}
	return nil
}

// Bounds of what one call page shows; a call with more is a loop somewhere.
const (
	maxEventsShown   = 1000
	maxAttemptsShown = 500
)

// DeliveriesOfCall returns the lanes of a call, or of a message or form, with what they wrote and their attempts, oldest first.
func (db *DB) DeliveriesOfCall(ctx context.Context, workspaceID, callID string) ([]records.DeliveryHistory, error) {
	rows, err := db.look(ctx, `select `+deliveryColumns+`, d.written, d.shadow, d.kept from deliveries d join connections k on k.id = d.connection_id
		where d.workspace_id = $1 and d.record_id = $2 and d.object <> 'contact' and k.deleted_at is null
		order by d.connection_id`, workspaceID, callID)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h records.DeliveryHistory, err error) {
		var written, shadow, kept []byte
		if h.Delivery, err = scanDelivery(row, &written, &shadow, &kept); err != nil {
			return h, err
		}
		if shadow != nil {
			err = json.Unmarshal(shadow, &h.Shadow)
		}
		return h, errors.Join(err, json.Unmarshal(written, &h.Written), json.Unmarshal(kept, &h.Kept))
	})
	if err != nil || len(all) == 0 {
		return all, err
	}
	at, ids := map[string]int{}, []string{}
	for i, h := range all {
		at[h.ID] = i
		ids = append(ids, h.ID)
	}
	rows, err = db.look(ctx, `select id, delivery_id, at, revision, outcome, class, reason, detail, duration_ms from
		(select * from delivery_attempts where workspace_id = $1 and delivery_id = any($2::uuid[]) order by id desc limit $3) a
		order by id`, workspaceID, ids, maxAttemptsShown)
	if err != nil {
		return nil, fmt.Errorf("list attempts: %w", err)
	}
	attempts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a records.Attempt, err error) {
		var ms int64
		err = row.Scan(&a.ID, &a.DeliveryID, &a.At, &a.Revision, &a.Outcome, &a.Class, &a.Reason, &a.Detail, &ms)
		a.At, a.Duration = utc(a.At), time.Duration(ms)*time.Millisecond
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("list attempts: %w", err)
	}
	for _, a := range attempts {
		i := at[a.DeliveryID]
		all[i].Attempts = append(all[i].Attempts, a)
	}
	return all, nil
}

// EventsOfCall returns what receipts say about a call, in the order in which they arrived.
func (db *DB) EventsOfCall(ctx context.Context, workspaceID, callID string) ([]call.Event, error) {
	return db.events(ctx, `select receipt_id, seq, data from events
		where workspace_id = $1 and record_id = $2 and record_kind = 'call' order by receipt_id, seq limit $3`, workspaceID, callID)
}

// EventsOfReceipt returns what one receipt says.
func (db *DB) EventsOfReceipt(ctx context.Context, workspaceID, receiptID string) ([]call.Event, error) {
	return db.events(ctx, `select receipt_id, seq, data from events
		where workspace_id = $1 and receipt_id = $2 order by seq limit $3`, workspaceID, receiptID)
}

func (db *DB) events(ctx context.Context, sql, workspaceID, id string) ([]call.Event, error) {
	rows, err := db.look(ctx, sql, workspaceID, id, maxEventsShown)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e call.Event, err error) {
		var (
			receipt string
			seq     int
			data    []byte
		)
		if err := row.Scan(&receipt, &seq, &data); err != nil {
			return e, err
		}
		err = json.Unmarshal(data, &e)
		e.ReceiptID, e.Seq = receipt, seq
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return all, nil
}
