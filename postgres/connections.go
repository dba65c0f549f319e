package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

const connectionColumns = `id, workspace_id, connector, name, config, mode, coalesce(policy, ''), window_seconds,
	match_policy, status, status_reason, coalesce(idempotency, ''), report, verified_at, created_at, updated_at, recordings`

// CreateConnection stores a connection whose ID the caller has made; its secrets are kept sealed. Empty members mean
// mode live and status active. Errors:
// records.ErrConflict, records.ErrRefused for values out of bounds.
func (db *DB) CreateConnection(ctx context.Context, c records.Connection) error {
	secrets, err := db.sealSecrets(c.Secrets, "connection:"+c.ID)
	if err != nil {
		return fmt.Errorf("create a connection: %w", err)
	}
	err = db.changing(ctx, c.WorkspaceID, "connection.create", audited{kind: "connection", id: c.ID}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
		insert into connections (id, workspace_id, connector, name, config, secrets, mode, policy, window_seconds,
			match_policy, status, status_reason, idempotency, report, verified_at, created_at, updated_at, recordings)
		values ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''), $9, $10, $11, $12, nullif($13, ''), $14, $15, $16, $16, $17)`,
			c.ID, c.WorkspaceID, c.Connector, c.Name, orEmpty(c.Config), secrets, cmp.Or(c.Mode, "live"), c.Policy, windowSeconds(c.Window),
			c.Match, cmp.Or(c.Status, records.ConnectionActive), c.StatusReason,
			c.Idempotency, c.Report, timeOrNull(c.VerifiedAt), orNow(c.CreatedAt),
			cmp.Or(c.Recordings, records.ShareLink))
		return err
	})
	return settingsError("create a connection", err)
}

// Connections lists the connections of a workspace that are not deleted, the oldest first, with their secrets.
func (db *DB) Connections(ctx context.Context, workspaceID string) ([]records.Connection, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+connectionColumns+`, secrets from connections where workspace_id = $1 and deleted_at is null order by id`, workspaceID)
	cs, err := pgx.CollectRows(rows, db.scanConnection)
	return cs, settingsError("list connections", err)
}

// ConnectionsOf lists the connections of a workspace that are not deleted, paused ones too, the oldest first, without
// their secrets: what the pipeline needs to make lanes.
func (db *DB) ConnectionsOf(ctx context.Context, workspaceID string) ([]records.Connection, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+connectionColumns+`, null::bytea from connections where workspace_id = $1 and deleted_at is null order by id`, workspaceID)
	cs, err := pgx.CollectRows(rows, db.scanConnection)
	return cs, settingsError("list connections", err)
}

// ConnectionByID returns a connection that is not deleted, with its secrets. Errors: records.ErrNotFound.
func (db *DB) ConnectionByID(ctx context.Context, workspaceID, id string) (records.Connection, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+connectionColumns+`, secrets from connections
		where workspace_id = $1 and id = $2 and deleted_at is null`, workspaceID, id)
	c, err := pgx.CollectExactlyOneRow(rows, db.scanConnection)
	return c, settingsError("read a connection", err)
}

// UpdateConnection stores the settings of a connection. Connector, workspace, status and the connect test's report stay
// as they are: they have writers of their own. Errors: records.ErrNotFound, records.ErrRefused for values out of bounds.
func (db *DB) UpdateConnection(ctx context.Context, c records.Connection) error {
	secrets, err := db.sealSecrets(c.Secrets, "connection:"+c.ID)
	if err != nil {
		return fmt.Errorf("update a connection: %w", err)
	}
	err = db.changing(ctx, c.WorkspaceID, "connection.update", audited{kind: "connection", id: c.ID}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `
		update connections set name = $3, config = $4, secrets = $5, mode = $6, policy = nullif($7, ''), window_seconds = $8,
			match_policy = $9, recordings = $10, updated_at = now()
		where workspace_id = $1 and id = $2 and deleted_at is null`,
			c.WorkspaceID, c.ID, c.Name, orEmpty(c.Config), secrets, c.Mode, c.Policy, windowSeconds(c.Window),
			c.Match, cmp.Or(c.Recordings, records.ShareLink)))
	})
	return settingsError("update a connection", err)
}

// SetConnectionStatus pauses, revokes or reactivates a connection; reason is shown to people. Errors: records.ErrNotFound.
func (db *DB) SetConnectionStatus(ctx context.Context, workspaceID, id, status, reason string) error {
	err := db.changing(ctx, workspaceID, statusActions[status], audited{kind: "connection", id: id}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `
			update connections set status = $3, status_reason = $4, updated_at = now()
			where workspace_id = $1 and id = $2 and deleted_at is null`, workspaceID, id, status, reason))
	})
	return settingsError("set a connection's status", err)
}

// statusActions are the names under which a connection's new status is noted.
var statusActions = map[string]string{records.ConnectionActive: "connection.resume", records.ConnectionPaused: "connection.pause", records.ConnectionRevoked: "connection.revoke"}

// SetConnectionReport stores the result of a connect test that ran at. An empty idempotency (the test could not decide)
// keeps what an earlier one found. Errors: records.ErrNotFound.
func (db *DB) SetConnectionReport(ctx context.Context, workspaceID, id, idempotency string, report json.RawMessage, at time.Time) error {
	tag, err := db.pool.Exec(ctx, `
		update connections set idempotency = coalesce(nullif($3, ''), idempotency), report = $4, verified_at = $5, updated_at = now()
		where workspace_id = $1 and id = $2 and deleted_at is null`, workspaceID, id, idempotency, report, at)
	return oneRow("store a connect test", tag, err)
}

// DeleteConnection takes a connection out of use and forgets its secrets. The row stays, because deliveries refer to it.
// Errors: records.ErrNotFound.
func (db *DB) DeleteConnection(ctx context.Context, workspaceID, id string) error {
	err := db.changing(ctx, workspaceID, "connection.delete", audited{kind: "connection", id: id}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `
			update connections set deleted_at = now(), updated_at = now(), secrets = null
			where workspace_id = $1 and id = $2 and deleted_at is null`, workspaceID, id))
	})
	return settingsError("delete a connection", err)
}

// scanConnection reads connectionColumns and the sealed secrets.
func (db *DB) scanConnection(row pgx.CollectableRow) (records.Connection, error) {
	var c records.Connection
	var window *int64
	var verified *time.Time
	var secrets []byte
	err := row.Scan(&c.ID, &c.WorkspaceID, &c.Connector, &c.Name, &c.Config, &c.Mode, &c.Policy, &window,
		&c.Match, &c.Status, &c.StatusReason, &c.Idempotency, &c.Report, &verified, &c.CreatedAt, &c.UpdatedAt,
		&c.Recordings, &secrets)
	if err != nil {
		return c, err
	}
	if window != nil {
		w := time.Duration(*window) * time.Second
		c.Window = &w
	}
	c.VerifiedAt, c.CreatedAt, c.UpdatedAt = orZero(verified), c.CreatedAt.UTC(), c.UpdatedAt.UTC()
	c.Secrets, err = db.openSecrets(secrets, "connection:"+c.ID)
	return c, err
}

// lockConnection keeps others from changing what hangs on a connection (mappings, owners) until tx ends. Deliveries are
// not kept waiting. It returns pgx.ErrNoRows for a connection that is not there.
func lockConnection(ctx context.Context, tx pgx.Tx, workspaceID, id string) error {
	return tx.QueryRow(ctx, `
		select id from connections where workspace_id = $1 and id = $2 and deleted_at is null for no key update`,
		workspaceID, id).Scan(new(string))
}

func windowSeconds(w *time.Duration) *int64 {
	if w == nil {
		return nil
	}
	s := seconds(*w)
	return &s
}

// timeOrNull is a time for a column that may be null.
func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
