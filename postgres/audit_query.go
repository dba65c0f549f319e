package postgres

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// AuditPage lists entries of a workspace's audit log, the newest first.
func (db *DB) AuditPage(ctx context.Context, workspaceID string, f records.AuditFilter) ([]records.AuditEntry, error) {
	var b queryBuilder
	b.where("workspace_id = " + b.arg(workspaceID))
	b.auditFilter(f)
	rows, _ := db.look(ctx, `
		select id, workspace_id, at, actor_kind, actor_id, actor_name, route, request_id, action, object_kind, object_id, object_part, object_name, before, after
		from audit_log where `+strings.Join(b.conditions, " and ")+` order by id desc limit `+b.arg(f.Limit), b.args...)
	all, err := pgx.CollectRows(rows, scanAuditEntry)
	return all, settingsError("list the audit log", err)
}

// auditFilter adds the conditions of f. Ranges of time are ranges of ids, which the indexes are in the order of.
func (b *queryBuilder) auditFilter(f records.AuditFilter) {
	for column, value := range map[string]string{"actor_kind": f.ActorKind, "actor_id": f.ActorID, "action": f.Action,
		"object_kind": f.ObjectKind, "object_id": f.ObjectID, "object_part": f.ObjectPart} {
		if value != "" {
			b.where(column + " = " + b.arg(storable(value)))
		}
	}
	if f.ActorID != "" && f.ActorKind == "" {
		// Who has an id; the index is by kind first, and without this a person who did nothing costs a look at every row.
		b.where("actor_kind in ('" + records.ActorUser + "', '" + records.ActorToken + "')")
	}
	if f.ObjectID != "" {
		b.where("object_id <> ''") // what the index of objects leaves out
	}
	if !f.Before.Start() {
		b.where("id < " + b.arg(f.Before.ID) + "::uuid")
	}
	if !f.From.IsZero() {
		b.where("id >= " + b.arg(firstIDAt(f.From)) + "::uuid")
	}
	if !f.To.IsZero() {
		b.where("id < " + b.arg(firstIDAt(f.To)) + "::uuid")
	}
}

func scanAuditEntry(row pgx.CollectableRow) (e records.AuditEntry, err error) {
	var before, after []byte
	err = row.Scan(&e.ID, &e.WorkspaceID, &e.At, &e.Actor.Kind, &e.Actor.ID, &e.Actor.Name, &e.Actor.Route, &e.Actor.RequestID,
		&e.Action, &e.ObjectKind, &e.ObjectID, &e.ObjectPart, &e.ObjectName, &before, &after)
	if err != nil {
		return e, err
	}
	e.At = e.At.UTC()
	if err := json.Unmarshal(before, &e.Before); err != nil {
		return e, err
	}
	return e, json.Unmarshal(after, &e.After)
}

// maxAuditActors is how many actors a list of them has.
const maxAuditActors = 200

// AuditActors lists who is in a workspace's audit log, each with the name that they had last.
func (db *DB) AuditActors(ctx context.Context, workspaceID string) ([]records.Actor, error) {
	// From one actor to the next by the index: reading all rows for a handful of people would take as long as there are rows.
	rows, _ := db.look(ctx, `
		with recursive actors as (
			(select actor_kind, actor_id from audit_log where workspace_id = $1 order by actor_kind, actor_id limit 1)
			union all
			select n.actor_kind, n.actor_id from actors a cross join lateral (
				select l.actor_kind, l.actor_id from audit_log l
				where l.workspace_id = $1 and (l.actor_kind, l.actor_id) > (a.actor_kind, a.actor_id)
				order by l.actor_kind, l.actor_id limit 1) n
		)
		select a.actor_kind, a.actor_id, l.actor_name from (select * from actors limit $2) a cross join lateral (
			select actor_name from audit_log l where l.workspace_id = $1 and l.actor_kind = a.actor_kind and l.actor_id = a.actor_id
			order by l.id desc limit 1) l
		order by lower(l.actor_name), a.actor_kind, a.actor_id`, workspaceID, maxAuditActors)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a records.Actor, err error) {
		err = row.Scan(&a.Kind, &a.ID, &a.Name)
		return a, err
	})
	return all, settingsError("list who changed things", err)
}
