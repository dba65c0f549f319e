package postgres

import (
	"cmp"
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

const userColumns = `u.id, u.workspace_id, u.email, u.name, u.password_hash, u.role, u.created_at`

func scanUser(row pgx.CollectableRow) (u records.User, err error) {
	err = row.Scan(&u.ID, &u.WorkspaceID, &u.Email, &u.Name, &u.PasswordHash, &u.Role, &u.CreatedAt)
	u.CreatedAt = u.CreatedAt.UTC()
	return u, err
}

// CreateUser stores a user whose ID and PasswordHash the caller has made. Errors: records.ErrConflict for an e-mail that
// a user of any workspace has, whatever its case.
func (db *DB) CreateUser(ctx context.Context, u records.User) error {
	_, err := db.pool.Exec(ctx, `
		insert into users (id, workspace_id, email, name, password_hash, role, created_at) values ($1, $2, $3, $4, $5, $6, $7)`,
		u.ID, u.WorkspaceID, u.Email, u.Name, u.PasswordHash, cmp.Or(u.Role, records.RoleAdmin), orNow(u.CreatedAt))
	return settingsError("create a user", err)
}

// UserByEmail returns the user who signs in with email, whatever its case; e-mails are unique across workspaces.
// Errors: records.ErrNotFound.
func (db *DB) UserByEmail(ctx context.Context, email string) (records.User, error) {
	rows, _ := db.pool.Query(ctx, `select `+userColumns+` from users u where lower(u.email) = lower($1)`, email)
	u, err := pgx.CollectExactlyOneRow(rows, scanUser)
	return u, settingsError("read a user", err)
}

// UserByID returns a user of a workspace. Errors: records.ErrNotFound.
func (db *DB) UserByID(ctx context.Context, workspaceID, id string) (records.User, error) {
	rows, _ := db.pool.Query(ctx, `select `+userColumns+` from users u where u.workspace_id = $1 and u.id = $2`, workspaceID, id)
	u, err := pgx.CollectExactlyOneRow(rows, scanUser)
	return u, settingsError("read a user", err)
}

// CreateSession signs a user of a workspace in until expires. hash is the SHA-256 of the session's token. Errors:
// records.ErrNotFound for a user who is not of that workspace.
func (db *DB) CreateSession(ctx context.Context, hash []byte, userID, workspaceID string, expires time.Time) error {
	tag, err := db.pool.Exec(ctx, `
		insert into sessions (token_hash, user_id, workspace_id, expires_at)
		select $1, id, workspace_id, $4 from users where id = $2 and workspace_id = $3`, hash, userID, workspaceID, expires)
	return oneRow("create a session", tag, err)
}

// SessionUser returns the user of a session that has not expired. Errors: records.ErrNotFound.
func (db *DB) SessionUser(ctx context.Context, hash []byte) (records.User, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+userColumns+` from sessions s join users u on u.id = s.user_id and u.workspace_id = s.workspace_id
		where s.token_hash = $1 and s.expires_at > now()`, hash)
	u, err := pgx.CollectExactlyOneRow(rows, scanUser)
	return u, settingsError("read a session", err)
}

// DeleteSession signs out. A session that is not there is no error.
func (db *DB) DeleteSession(ctx context.Context, hash []byte) error {
	_, err := db.pool.Exec(ctx, `delete from sessions where token_hash = $1`, hash)
	return settingsError("delete a session", err)
}

// DeleteExpiredSessions forgets sessions that nobody can use any more, and tells how many.
func (db *DB) DeleteExpiredSessions(ctx context.Context) (int64, error) {
	tag, err := db.pool.Exec(ctx, `delete from sessions where expires_at <= now()`)
	return tag.RowsAffected(), settingsError("delete expired sessions", err)
}
