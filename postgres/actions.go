package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// Actions returns what is made of the calls of a connection; version zero where there never was anything.
func (db *DB) Actions(ctx context.Context, workspaceID, connectionID string) (records.Actions, error) {
	a := records.Actions{ConnectionID: connectionID}
	err := db.pool.QueryRow(ctx, `
		select version, document, author, updated_at from actions where workspace_id = $1 and connection_id = $2`,
		workspaceID, connectionID).Scan(&a.Version, &a.Document, &a.Author, &a.UpdatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, nil
	}
	a.UpdatedAt = a.UpdatedAt.UTC()
	return a, settingsError("read actions", err)
}

// PutActions replaces the actions of a connection and returns them with their new version. Version is the one that the
// writer has seen; with a negative one it does not matter. Actions that are turned on count for calls from then on. Errors:
// records.ErrNotFound for a connection that is not there, records.ErrConflict for actions that somebody else changed.
func (db *DB) PutActions(ctx context.Context, workspaceID string, a records.Actions) (records.Actions, error) {
	err := db.changing(ctx, workspaceID, "actions.save", audited{kind: "actions", id: a.ConnectionID}, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
		insert into actions as a (connection_id, workspace_id, version, document, author)
		select id, $1, 1, $3, $4 from connections where workspace_id = $1 and id = $2 and deleted_at is null
		on conflict (connection_id) do update
			set version = a.version + 1, document = excluded.document, author = excluded.author, updated_at = now(),
				since = case when a.document = '' then now() else a.since end
			where a.workspace_id = $1 and ($5 < 0 or a.version = $5)
		returning version, updated_at`,
			workspaceID, a.ConnectionID, a.Document, a.Author, a.Version).Scan(&a.Version, &a.UpdatedAt)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		if have, rerr := db.Actions(ctx, workspaceID, a.ConnectionID); rerr == nil && have.Version > 0 {
			return a, records.ErrConflict
		}
	}
	a.UpdatedAt = a.UpdatedAt.UTC()
	return a, settingsError("replace actions", err)
}
