package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// Rules returns the rules of a source or connection; those of version zero where there are none.
func (db *DB) Rules(ctx context.Context, workspaceID, owner, ownerID string) (records.Rules, error) {
	r := records.Rules{Owner: owner, OwnerID: ownerID}
	err := db.pool.QueryRow(ctx, `
		select version, document, author, updated_at from rules where workspace_id = $1 and owner = $2 and owner_id = $3`,
		workspaceID, owner, ownerID).Scan(&r.Version, &r.Document, &r.Author, &r.UpdatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, nil
	}
	r.UpdatedAt = r.UpdatedAt.UTC()
	return r, settingsError("read rules", err)
}

// PutRules replaces the rules of a source or connection and returns them with their new version. Version is the one that the
// writer has seen; with a negative one it does not matter. Errors: records.ErrNotFound for an owner that is not there,
// records.ErrConflict for rules that somebody else changed meanwhile.
func (db *DB) PutRules(ctx context.Context, workspaceID string, r records.Rules) (records.Rules, error) {
	err := db.changing(ctx, workspaceID, "rules.save", audited{kind: r.Owner + "_rules", id: r.OwnerID}, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
		with owner as (
			select id from sources where workspace_id = $1 and id = $3 and $2 = 'source' and deleted_at is null
			union all
			select id from connections where workspace_id = $1 and id = $3 and $2 = 'connection' and deleted_at is null
		)
		insert into rules as r (owner_id, workspace_id, owner, version, document, author)
		select id, $1, $2, 1, $4, $5 from owner
		on conflict (owner_id) do update
			set version = r.version + 1, document = excluded.document, author = excluded.author, updated_at = now()
			where r.workspace_id = $1 and ($6 < 0 or r.version = $6)
		returning version, updated_at`,
			workspaceID, r.Owner, r.OwnerID, r.Document, r.Author, r.Version).Scan(&r.Version, &r.UpdatedAt)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		if have, rerr := db.Rules(ctx, workspaceID, r.Owner, r.OwnerID); rerr == nil && have.Version > 0 {
			return r, records.ErrConflict
		}
	}
	r.UpdatedAt = r.UpdatedAt.UTC()
	return r, settingsError("replace rules", err)
}
