package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// FollowUps lists follow-ups with their deliveries, newest first.
func (db *DB) FollowUps(ctx context.Context, workspaceID string, filter records.FollowUpFilter) ([]records.FollowUpItem, error) {
	b := &queryBuilder{args: []any{workspaceID}}
	if filter.ConnectionID != "" {
		b.where("f.connection_id = " + b.arg(filter.ConnectionID) + "::uuid")
	}
	if filter.CallID != "" {
		call := b.arg(filter.CallID)
		b.where("f.closed_by = " + call + "::uuid or f.id in (select o.follow_up_id from follow_up_calls o where o.workspace_id = f.workspace_id and o.call_id = " + call + "::uuid)")
	}
	if filter.Kind != "" {
		b.where("f.kind = " + b.arg(filter.Kind))
	}
	if len(filter.States) > 0 {
		b.where("f.state = any(" + b.arg(filter.States) + "::text[])")
	}
	if filter.Before != "" {
		b.where("f.id < " + b.arg(filter.Before) + "::uuid")
	}
	limit := b.arg(filter.Limit)
	return db.followUps(ctx, b, "order by f.id desc limit "+limit)
}

// FollowUp returns one follow-up; records.ErrNotFound if the workspace has none of that id.
func (db *DB) FollowUp(ctx context.Context, workspaceID, id string) (records.FollowUpItem, error) {
	b := &queryBuilder{args: []any{workspaceID}}
	b.where("f.id = " + b.arg(id) + "::uuid")
	all, err := db.followUps(ctx, b, "")
	if err == nil && len(all) == 0 {
		err = records.ErrNotFound
	}
	if err != nil {
		return records.FollowUpItem{}, err
	}
	return all[0], nil
}

// followUps reads what b chooses; its first argument is the workspace.
func (db *DB) followUps(ctx context.Context, b *queryBuilder, order string) ([]records.FollowUpItem, error) {
	rows, err := db.look(ctx, `select `+deliveryColumns+`, d.written, d.shadow, `+followUpColumns+`, k.name, k.connector, coalesce(c.customer_name, '')
		from follow_ups f join connections k on k.id = f.connection_id and k.workspace_id = f.workspace_id and k.deleted_at is null
		join deliveries d on d.connection_id = f.connection_id and d.object = f.kind and d.key = f.id::text
		left join calls c on c.id = f.call_id and c.workspace_id = f.workspace_id
		where f.workspace_id = $1 and (`+strings.Join(append(b.conditions, "true"), " and ")+`) `+order, b.args...)
	if err != nil {
		return nil, settingsError("list follow-ups", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f records.FollowUpItem, err error) {
		var written, shadow []byte
		to, after := followUpTargets(&f.FollowUp)
		f.Delivery, err = scanDelivery(row, append(append([]any{&written, &shadow}, to...), &f.ConnectionName, &f.Connector, &f.Customer)...)
		return f, errors.Join(err, after())
	})
	if err != nil {
		return nil, settingsError("list follow-ups", err)
	}
	return out, nil
}

// RetryFollowUp has a follow-up that is not settled, or on hold, delivered again; records.ErrNotFound if the workspace has none of that id.
func (db *DB) RetryFollowUp(ctx context.Context, workspaceID, id string) error {
	c := records.Change{Action: "follow_up.retry", ObjectKind: "follow_up", ObjectID: id}
	err := db.noting(ctx, workspaceID, c, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `
			update follow_ups set force = (extract(epoch from now()) * 1000)::bigint, check_at = now(), check_count = 0, signal_lease = '-infinity'
			where workspace_id = $1 and id = $2`, workspaceID, id))
	})
	return settingsError("retry a follow-up", err)
}

// CloseFollowUp closes a task because somebody says that it is done; one that is closed already stays as it is.
func (db *DB) CloseFollowUp(ctx context.Context, workspaceID, id string) error {
	err := db.changing(ctx, workspaceID, "follow_up.close", audited{kind: "follow_up", id: id}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `
		update follow_ups set revision = case when closed_at is null then revision + 1 else revision end, updated_at = now(),
			state = case when closed_at is null then 'done' else state end, closed = case when closed_at is null then 'person' else closed end,
			check_at = case when closed_at is null then now() + $3 else check_at end, closed_at = coalesce(closed_at, now())
		where workspace_id = $1 and id = $2 and kind = 'task'`, workspaceID, id, repairAfter))
	})
	return settingsError("close a follow-up", err)
}
