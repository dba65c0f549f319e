package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/callsync/callsync/records"
)

// audited is something whose changes are noted. Its kind is one of auditShapes.
type audited struct {
	kind, id, part string
}

// changing runs f in a transaction and notes in the same one, as action, in which fields the object is another one after
// it. A change that changes nothing is not noted.
func (db *DB) changing(ctx context.Context, workspaceID, action string, of audited, f func(pgx.Tx) error) error {
	return db.inTx(ctx, func(tx pgx.Tx) error { return db.changingIn(ctx, tx, workspaceID, action, of, f) })
}

// changingIn is changing for a transaction that has begun.
func (db *DB) changingIn(ctx context.Context, tx pgx.Tx, workspaceID, action string, of audited, f func(pgx.Tx) error) error {
	before, err := db.auditState(ctx, tx, workspaceID, of)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return err
	}
	after, err := db.auditState(ctx, tx, workspaceID, of)
	if err != nil {
		return err
	}
	c := records.Change{Action: action, ObjectKind: of.kind, ObjectID: of.id, ObjectPart: of.part, ObjectName: after.name}
	if c.ObjectName == "" {
		c.ObjectName = before.name
	}
	if c.Before, c.After = auditDiff(before, after); len(c.Before)+len(c.After) == 0 {
		return nil
	}
	return writeAudit(ctx, tx, workspaceID, c)
}

// noting runs f in a transaction and notes c in the same one: for what is no change of an object's fields.
func (db *DB) noting(ctx context.Context, workspaceID string, c records.Change, f func(pgx.Tx) error) error {
	return db.inTx(ctx, func(tx pgx.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return db.note(ctx, tx, workspaceID, c)
	})
}

// note notes c, with the name of its object where the caller has not said it.
func (db *DB) note(ctx context.Context, tx pgx.Tx, workspaceID string, c records.Change) error {
	if _, known := auditShapes[c.ObjectKind]; known && c.ObjectName == "" {
		s, err := db.auditState(ctx, tx, workspaceID, audited{c.ObjectKind, c.ObjectID, c.ObjectPart})
		if err != nil {
			return err
		}
		c.ObjectName = s.name
	}
	return writeAudit(ctx, tx, workspaceID, c)
}

// Audit notes a change of a workspace that no store makes: a call that is delivered again, a receipt that is read again.
// Who made it is in ctx (records.WithActor).
func (db *DB) Audit(ctx context.Context, workspaceID string, c records.Change) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error { return db.note(ctx, tx, workspaceID, c) })
	return settingsError("note a change", err)
}

// execer is a pool or a transaction.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func writeAudit(ctx context.Context, q execer, workspaceID string, c records.Change) error {
	before, err := storableJSON(bounded(c.Before))
	if err != nil {
		return fmt.Errorf("note a change: %w", err)
	}
	after, err := storableJSON(bounded(c.After))
	if err != nil {
		return fmt.Errorf("note a change: %w", err)
	}
	id := uuid.Must(uuid.NewV7())
	a := records.ActorOf(ctx)
	_, err = q.Exec(ctx, `
		insert into audit_log (id, workspace_id, at, actor_kind, actor_id, actor_name, action, object_kind, object_id, object_part, object_name,
			before, after, route, request_id)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		// The time is that of the id, which lists are in the order of.
		id.String(), workspaceID, time.UnixMilli(uuidMillis(id)), a.Kind, a.ID, storable(a.Name), c.Action, c.ObjectKind, storable(c.ObjectID),
		storable(c.ObjectPart), storable(c.ObjectName), before, after, storable(a.Route), storable(a.RequestID))
	return err
}

// Bounds of what one entry holds.
const (
	maxAuditFields = 200
	maxAuditText   = 32 << 10
)

// bounded cuts what nobody would read: the log keeps everything for good.
func bounded(fields map[string]any) map[string]any {
	out := make(map[string]any, min(len(fields), maxAuditFields))
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i == maxAuditFields {
			out["…"] = fmt.Sprintf("and %d more", len(fields)-i)
			break
		}
		v := fields[name]
		if text, ok := v.(string); ok && len(text) > maxAuditText {
			v = storable(text[:maxAuditText]) + fmt.Sprintf(" … (%d bytes in all)", len(text))
		}
		out[name] = v
	}
	return out
}

// auditState is an object as the log compares it.
type auditState struct {
	name    string
	fields  map[string]any
	secrets map[string]string
}

// auditState reads an object; one that is not there has no fields.
func (db *DB) auditState(ctx context.Context, tx pgx.Tx, workspaceID string, of audited) (auditState, error) {
	shape, ok := auditShapes[of.kind]
	if !ok {
		return auditState{}, fmt.Errorf("the audit log knows no %q", of.kind)
	}
	var s auditState
	var fields, sealed []byte
	args := []any{workspaceID, of.id, of.part}[:shape.args]
	err := tx.QueryRow(ctx, shape.sql, args...).Scan(&s.name, &fields, &sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return auditState{}, nil
	}
	if err != nil {
		return auditState{}, err
	}
	var nested map[string]any
	if err := json.Unmarshal(fields, &nested); err != nil {
		return auditState{}, fmt.Errorf("read the fields of a %s: %w", of.kind, err)
	}
	s.fields = map[string]any{}
	for name, v := range nested {
		// A member of the settings is a field of its own, an entry of a table too.
		if members, ok := v.(map[string]any); ok {
			for member, v := range members {
				s.fields[name+"."+member] = v
			}
			continue
		}
		s.fields[name] = v
	}
	// What is empty is not set.
	maps.DeleteFunc(s.fields, func(_ string, v any) bool {
		list, ok := v.([]any)
		return v == nil || v == "" || ok && len(list) == 0
	})
	s.secrets, err = db.openSecrets(sealed, of.kind+":"+of.id)
	return s, err
}

// auditDiff is what is different, before and after. Of secrets it says only that they are.
func auditDiff(before, after auditState) (was, is map[string]any) {
	was, is = map[string]any{}, map[string]any{}
	for name, v := range before.fields {
		if now, ok := after.fields[name]; !ok || !reflect.DeepEqual(v, now) {
			was[name] = v
		}
	}
	for name, v := range after.fields {
		if then, ok := before.fields[name]; !ok || !reflect.DeepEqual(then, v) {
			is[name] = v
		}
	}
	for name, secret := range before.secrets {
		if now, ok := after.secrets[name]; !ok || now != secret {
			was["secrets."+name] = "set"
		}
	}
	for name, secret := range after.secrets {
		if then, ok := before.secrets[name]; !ok {
			is["secrets."+name] = "set"
		} else if then != secret {
			is["secrets."+name] = "changed"
		}
	}
	return was, is
}

// uuidMillis is the time of a UUIDv7, in milliseconds since 1970.
func uuidMillis(id uuid.UUID) (ms int64) {
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return ms
}

// firstIDAt is the least id that a row made at that moment can have.
func firstIDAt(at time.Time) string {
	var id uuid.UUID
	ms := max(at.UnixMilli(), 0)
	for i := range 6 {
		id[5-i] = byte(ms >> (8 * i))
	}
	return id.String()
}
