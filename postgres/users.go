package postgres

import (
	"cmp"
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

const userColumns = `u.id, m.workspace_id, u.email, coalesce(nullif(m.name, ''), u.name), u.password_hash, m.role, m.created_at, m.disabled_at, u.installation`

func userFields(u *records.User, disabled **time.Time) []any {
	return []any{&u.ID, &u.WorkspaceID, &u.Email, &u.Name, &u.PasswordHash, &u.Role, &u.CreatedAt, disabled, &u.Installation}
}

func scanUser(row pgx.CollectableRow) (u records.User, err error) {
	var disabled *time.Time
	err = row.Scan(userFields(&u, &disabled)...)
	u.CreatedAt, u.DisabledAt = u.CreatedAt.UTC(), orZero(disabled)
	return u, err
}

// CreateUser stores a person who is new, as a member of a workspace. The caller has made ID and PasswordHash. The first
// one of all operates the installation. Errors: records.ErrConflict for an e-mail that somebody in any workspace has,
// whatever its case; records.ErrNotFound for a workspace that does not exist.
func (db *DB) CreateUser(ctx context.Context, u records.User) error {
	err := db.changing(ctx, u.WorkspaceID, "user.create", audited{kind: "user", id: u.ID}, func(tx pgx.Tx) error {
		return createUser(ctx, tx, u)
	})
	return settingsError("create a user", err)
}

func createUser(ctx context.Context, tx pgx.Tx, u records.User) error {
	_, err := tx.Exec(ctx, `
		insert into users (id, email, name, password_hash, installation, created_at)
		values ($1, $2, $3, $4, $5 or not exists (select 1 from users), $6)`,
		u.ID, u.Email, u.Name, u.PasswordHash, u.Installation, orNow(u.CreatedAt))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into memberships (user_id, workspace_id, name, role, created_at) values ($1, $2, $3, $4, $5)`,
		u.ID, u.WorkspaceID, u.Name, cmp.Or(u.Role, records.RoleAdmin), orNow(u.CreatedAt))
	return err
}

// UserByEmail returns who signs in with email, whatever its case, in the workspace that they used last; e-mails are
// unique across workspaces. Errors: records.ErrNotFound, also for somebody who may not come in to any workspace.
func (db *DB) UserByEmail(ctx context.Context, email string) (records.User, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+userColumns+` from users u join memberships m on m.user_id = u.id and m.disabled_at is null
		where lower(u.email) = lower($1) order by m.used_at desc nulls last, m.created_at, m.workspace_id limit 1`, email)
	u, err := pgx.CollectExactlyOneRow(rows, scanUser)
	return u, settingsError("read a user", err)
}

// AccountByEmail returns the id and the password's hash of whoever has email, whether they may come in anywhere or not.
// Errors: records.ErrNotFound.
func (db *DB) AccountByEmail(ctx context.Context, email string) (id, passwordHash string, err error) {
	err = db.pool.QueryRow(ctx, `select id, password_hash from users where lower(email) = lower($1)`, email).Scan(&id, &passwordHash)
	return id, passwordHash, settingsError("read an account", err)
}

// UserByID returns a person of a workspace. Errors: records.ErrNotFound.
func (db *DB) UserByID(ctx context.Context, workspaceID, id string) (records.User, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+userColumns+` from users u join memberships m on m.user_id = u.id where m.workspace_id = $1 and u.id = $2`, workspaceID, id)
	u, err := pgx.CollectExactlyOneRow(rows, scanUser)
	return u, settingsError("read a user", err)
}

// SetPassword gives a person another password, takes back links by which they could choose one, and ends their sessions
// except keepSession (an id; empty ends them all). Errors: records.ErrNotFound.
func (db *DB) SetPassword(ctx context.Context, userID, passwordHash, keepSession string) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error { return db.setPassword(ctx, tx, userID, passwordHash, keepSession) })
	return settingsError("set a password", err)
}

func (db *DB) setPassword(ctx context.Context, tx pgx.Tx, userID, passwordHash, keepSession string) error {
	tag, err := tx.Exec(ctx, `update users set password_hash = $2, password_changed_at = now() where id = $1`, userID, passwordHash)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return pgx.ErrNoRows
	}
	if _, err := tx.Exec(ctx, `delete from password_links where user_id = $1`, userID); err != nil {
		return err
	}
	// Whoever knew the old password may have signed in with it.
	if _, err := tx.Exec(ctx, `delete from known_browsers where user_id = $1`, userID); err != nil {
		return err
	}
	tag, err = tx.Exec(ctx, `delete from sessions where user_id = $1 and id is distinct from nullif($2, '')::uuid`, userID, keepSession)
	if err != nil {
		return err
	}
	c := records.Change{Action: "user.set_password", Before: map[string]any{"password": "set"}, After: map[string]any{"password": "changed"}}
	if n := tag.RowsAffected(); n > 0 {
		c.After["sessions_ended"] = n
	}
	return db.noteEverywhere(ctx, tx, userID, c)
}

// SetOwnName changes what a person is called, in all their workspaces. Errors: records.ErrNotFound.
func (db *DB) SetOwnName(ctx context.Context, userID, name string) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		return db.changingUser(ctx, tx, "user.update", userID, func(tx pgx.Tx) error {
			return mustMeet(tx.Exec(ctx, `
				with everywhere as (update memberships set name = $2 where user_id = $1)
				update users set name = $2 where id = $1`, userID, name))
		})
	})
	return settingsError("change a name", err)
}

// AddPasswordLink makes a link by which a person chooses another password; hash is the SHA-256 of its token. An earlier
// link of theirs ends. Errors: records.ErrNotFound.
func (db *DB) AddPasswordLink(ctx context.Context, userID string, hash []byte, expires time.Time) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `delete from password_links where user_id = $1 or expires_at <= now()`, userID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `insert into password_links (token_hash, user_id, expires_at) values ($1, $2, $3)`, hash, userID, expires); err != nil {
			return err
		}
		return db.noteEverywhere(ctx, tx, userID, records.Change{Action: "user.password_link", After: map[string]any{"valid_until": expires.UTC()}})
	})
	return settingsError("make a link for a password", err)
}

// PasswordLink returns the e-mail of whom a link was made for. Errors: records.ErrNotFound, also for one that has
// expired or was used.
func (db *DB) PasswordLink(ctx context.Context, hash []byte) (email string, err error) {
	err = db.pool.QueryRow(ctx, `
		select u.email from password_links l join users u on u.id = l.user_id where l.token_hash = $1 and l.expires_at > now()`, hash).Scan(&email)
	return email, settingsError("read a link for a password", err)
}

// TakePasswordLink sets the password of whom a link was made for, once, and ends all their sessions. Errors:
// records.ErrNotFound.
func (db *DB) TakePasswordLink(ctx context.Context, hash []byte, passwordHash string) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		var userID string
		err := tx.QueryRow(ctx, `delete from password_links where token_hash = $1 and expires_at > now() returning user_id`, hash).Scan(&userID)
		if err != nil {
			return err
		}
		self, err := asUser(ctx, tx, userID)
		if err != nil {
			return err
		}
		return db.setPassword(self, tx, userID, passwordHash, "")
	})
	return settingsError("take a link for a password", err)
}

// SetInstallation says whether a person operates the installation. Errors: records.ErrNotFound.
func (db *DB) SetInstallation(ctx context.Context, userID string, on bool) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		return db.changingUser(ctx, tx, "user.update", userID, func(tx pgx.Tx) error {
			return mustMeet(tx.Exec(ctx, `update users set installation = $2 where id = $1`, userID, on))
		})
	})
	return settingsError("change an operator", err)
}
