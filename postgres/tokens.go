package postgres

import (
	"cmp"
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// CreateAPIToken stores a token whose ID and Hash the caller has made; without a Role it is an admin's. Errors:
// records.ErrConflict, records.ErrRefused for a role that is none, and records.ErrNotFound for a workspace or a maker
// that does not exist.
func (db *DB) CreateAPIToken(ctx context.Context, t records.APIToken) error {
	var expires *time.Time
	if !t.ExpiresAt.IsZero() {
		expires = &t.ExpiresAt
	}
	err := db.changing(ctx, t.WorkspaceID, "api_token.create", audited{kind: "api_token", id: t.ID}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			insert into api_tokens (token_hash, id, workspace_id, name, bootstrap, created_at, role, prefix, expires_at, made_by)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, nullif($10, '')::uuid)`,
			t.Hash, t.ID, t.WorkspaceID, t.Name, t.Bootstrap, orNow(t.CreatedAt), cmp.Or(t.Role, records.RoleAdmin), t.Prefix, expires, t.MadeBy)
		return err
	})
	return settingsError("create an API token", err)
}

// UseAPIToken returns the token with this SHA-256 while it counts: before it expires, and while its maker may come in to
// its workspace. Its role is the lower one of its own and its maker's. The use is noted, every five minutes at most, so
// that reading stays reading. Errors: records.ErrNotFound.
func (db *DB) UseAPIToken(ctx context.Context, hash []byte) (records.APIToken, error) {
	rows, _ := db.pool.Query(ctx, `
		with used as (
			update api_tokens set last_used_at = now()
			where token_hash = $1 and (last_used_at is null or last_used_at < now() - interval '5 minutes')
		)
		select `+tokenColumns+`
		where t.token_hash = $1 and (t.expires_at is null or t.expires_at > now()) and (t.made_by is null or m.disabled_at is null and m.role is not null)`, hash)
	t, err := pgx.CollectExactlyOneRow(rows, scanToken)
	return t, settingsError("look up an API token", err)
}

// tokenColumns are those of tokens, and their tables. A maker who was lowered lowers what they have made.
const tokenColumns = `t.id, t.workspace_id, t.name, t.prefix, t.bootstrap, coalesce(t.made_by::text, ''), coalesce(nullif(m.name, ''), u.name, ''),
		case when t.made_by is null or m.role = 'admin' then t.role
			when m.role = 'operator' and t.role = 'admin' then m.role
			when m.role = 'viewer' then m.role else t.role end,
		t.created_at, t.expires_at, t.last_used_at
	from api_tokens t left join users u on u.id = t.made_by left join memberships m on m.user_id = t.made_by and m.workspace_id = t.workspace_id `

func scanToken(row pgx.CollectableRow) (t records.APIToken, err error) {
	var expires, used *time.Time
	err = row.Scan(&t.ID, &t.WorkspaceID, &t.Name, &t.Prefix, &t.Bootstrap, &t.MadeBy, &t.MakerName, &t.Role, &t.CreatedAt, &expires, &used)
	t.CreatedAt, t.ExpiresAt, t.LastUsedAt = t.CreatedAt.UTC(), orZero(expires), orZero(used)
	return t, err
}

// ListAPITokens lists the tokens of a workspace, the oldest first, without their hashes.
func (db *DB) ListAPITokens(ctx context.Context, workspaceID string) ([]records.APIToken, error) {
	rows, _ := db.pool.Query(ctx, `select `+tokenColumns+` where t.workspace_id = $1 order by t.created_at, t.id`, workspaceID)
	ts, err := pgx.CollectRows(rows, scanToken)
	return ts, settingsError("list API tokens", err)
}

// DeleteAPIToken takes a token out of use. Errors: records.ErrNotFound.
func (db *DB) DeleteAPIToken(ctx context.Context, workspaceID, id string) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error { return db.deleteToken(ctx, tx, workspaceID, id) })
	return settingsError("delete an API token", err)
}

func (db *DB) deleteToken(ctx context.Context, tx pgx.Tx, workspaceID, id string) error {
	return db.changingIn(ctx, tx, workspaceID, "api_token.delete", audited{kind: "api_token", id: id}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `delete from api_tokens where workspace_id = $1 and id = $2`, workspaceID, id))
	})
}
