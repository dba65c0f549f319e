package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// CreateAPIToken stores a token whose ID and Hash the caller has made. Errors: records.ErrConflict, and
// records.ErrNotFound for a workspace that does not exist.
func (db *DB) CreateAPIToken(ctx context.Context, t records.APIToken) error {
	_, err := db.pool.Exec(ctx, `
		insert into api_tokens (token_hash, id, workspace_id, name, bootstrap, created_at) values ($1, $2, $3, $4, $5, $6)`,
		t.Hash, t.ID, t.WorkspaceID, t.Name, t.Bootstrap, orNow(t.CreatedAt))
	return settingsError("create an API token", err)
}

// APITokenWorkspace returns the workspace of the token with this SHA-256, and whether it is a bootstrap token. It notes
// the use, every five minutes at most, so that reading stays reading. Errors: records.ErrNotFound.
func (db *DB) APITokenWorkspace(ctx context.Context, hash []byte) (workspaceID string, bootstrap bool, err error) {
	err = db.pool.QueryRow(ctx, `
		with used as (
			update api_tokens set last_used_at = now()
			where token_hash = $1 and (last_used_at is null or last_used_at < now() - interval '5 minutes')
		)
		select workspace_id, bootstrap from api_tokens where token_hash = $1`, hash).Scan(&workspaceID, &bootstrap)
	return workspaceID, bootstrap, settingsError("look up an API token", err)
}

// ListAPITokens lists the tokens of a workspace, the oldest first, without their hashes.
func (db *DB) ListAPITokens(ctx context.Context, workspaceID string) ([]records.APIToken, error) {
	rows, _ := db.pool.Query(ctx, `
		select id, workspace_id, name, bootstrap, created_at, last_used_at from api_tokens
		where workspace_id = $1 order by created_at, id`, workspaceID)
	ts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t records.APIToken, err error) {
		var used *time.Time
		err = row.Scan(&t.ID, &t.WorkspaceID, &t.Name, &t.Bootstrap, &t.CreatedAt, &used)
		t.CreatedAt, t.LastUsedAt = t.CreatedAt.UTC(), orZero(used)
		return t, err
	})
	return ts, settingsError("list API tokens", err)
}

// DeleteAPIToken takes a token out of use. Errors: records.ErrNotFound.
func (db *DB) DeleteAPIToken(ctx context.Context, workspaceID, id string) error {
	tag, err := db.pool.Exec(ctx, `delete from api_tokens where workspace_id = $1 and id = $2`, workspaceID, id)
	return oneRow("delete an API token", tag, err)
}
