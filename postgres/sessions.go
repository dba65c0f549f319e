package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// CreateSession signs a member of a workspace in. hash is the SHA-256 of the session's token; the caller has made the ID.
// The next sign-in goes to that workspace. Errors: records.ErrNotFound for somebody who may not come in there.
func (db *DB) CreateSession(ctx context.Context, hash []byte, s records.Session) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update memberships set used_at = now() where user_id = $1 and workspace_id = $2 and disabled_at is null`, s.UserID, s.WorkspaceID)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return pgx.ErrNoRows
		}
		_, err = tx.Exec(ctx, `
			insert into sessions (token_hash, id, user_id, workspace_id, browser, expires_at, ends_at) values ($1, $2, $3, $4, $5, $6, $7)`,
			hash, s.ID, s.UserID, s.WorkspaceID, s.Browser, s.ExpiresAt, s.EndsAt)
		if err != nil {
			return err
		}
		self, err := asUser(ctx, tx, s.UserID)
		if err != nil {
			return err
		}
		c := records.Change{Action: records.SessionCreated, After: map[string]any{}}
		if s.Browser != "" {
			c.After["browser"] = s.Browser
		}
		return db.noteSignIn(self, tx, s.WorkspaceID, s.UserID, c)
	})
	return settingsError("create a session", err)
}

// SessionUser returns whom a session that has not expired belongs to, as they are now. A session that is used lasts
// longer, up to its end; that is noted every five minutes at most, so that reading stays reading. Errors:
// records.ErrNotFound, also for somebody who may not come in to the session's workspace any more.
func (db *DB) SessionUser(ctx context.Context, hash []byte) (records.SignedIn, error) {
	rows, _ := db.pool.Query(ctx, `
		with used as (
			update sessions set seen_at = now(), expires_at = least(ends_at, now() + $2)
			where token_hash = $1 and expires_at > now() and seen_at < now() - interval '5 minutes'
		)
		select `+userColumns+`, s.id, w.name,
			(select count(*) from memberships o where o.user_id = u.id and o.disabled_at is null)
		from sessions s
		join users u on u.id = s.user_id
		join memberships m on m.user_id = u.id and m.workspace_id = s.workspace_id and m.disabled_at is null
		join workspaces w on w.id = s.workspace_id
		where s.token_hash = $1 and s.expires_at > now()`, hash, records.SessionIdle)
	u, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (u records.SignedIn, err error) {
		var disabled *time.Time
		err = row.Scan(append(userFields(&u.User, &disabled), &u.SessionID, &u.WorkspaceName, &u.Workspaces)...)
		u.CreatedAt = u.CreatedAt.UTC()
		return u, err
	})
	return u, settingsError("read a session", err)
}

// DeleteSession signs out. A session that is not there is no error.
func (db *DB) DeleteSession(ctx context.Context, hash []byte) error {
	_, err := db.pool.Exec(ctx, `delete from sessions where token_hash = $1`, hash)
	return settingsError("delete a session", err)
}

// Sessions lists the sessions of a person that have not expired, the one used last first.
func (db *DB) Sessions(ctx context.Context, userID string) ([]records.Session, error) {
	rows, _ := db.pool.Query(ctx, `
		select id, user_id, workspace_id, browser, created_at, seen_at, expires_at, ends_at from sessions
		where user_id = $1 and expires_at > now() order by seen_at desc, id limit 200`, userID)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s records.Session, err error) {
		err = row.Scan(&s.ID, &s.UserID, &s.WorkspaceID, &s.Browser, &s.CreatedAt, &s.SeenAt, &s.ExpiresAt, &s.EndsAt)
		s.CreatedAt, s.SeenAt, s.ExpiresAt, s.EndsAt = s.CreatedAt.UTC(), s.SeenAt.UTC(), s.ExpiresAt.UTC(), s.EndsAt.UTC()
		return s, err
	})
	return all, settingsError("list sessions", err)
}

// EndSession ends one session of a person. Errors: records.ErrNotFound.
func (db *DB) EndSession(ctx context.Context, userID, id string) error {
	n, err := db.endSessions(ctx, userID, `id = $2`, id)
	if err == nil && n == 0 {
		err = pgx.ErrNoRows
	}
	return settingsError("end a session", err)
}

// EndOtherSessions ends all sessions of a person but keep, and tells how many.
func (db *DB) EndOtherSessions(ctx context.Context, userID, keep string) (int64, error) {
	n, err := db.endSessions(ctx, userID, `id <> $2`, keep)
	return n, settingsError("end sessions", err)
}

// endSessions ends those sessions of a person that a condition of one id chooses, and notes how many in each workspace.
func (db *DB) endSessions(ctx context.Context, userID, condition, id string) (n int64, err error) {
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		n = 0
		rows, _ := tx.Query(ctx, `
			with ended as (delete from sessions where user_id = $1 and `+condition+` returning workspace_id)
			select workspace_id::text, count(*) from ended group by 1 order by 1`, userID, id)
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
			Workspace string
			Ended     int64
		}])
		for _, one := range all {
			n += one.Ended
			if err == nil {
				err = db.note(ctx, tx, one.Workspace, records.Change{Action: "session.end", ObjectKind: "user", ObjectID: userID, After: map[string]any{"sessions_ended": one.Ended}})
			}
		}
		return err
	})
	return n, err
}

// DeleteExpiredSessions forgets sessions that nobody can use any more, and tells how many.
func (db *DB) DeleteExpiredSessions(ctx context.Context) (int64, error) {
	tag, err := db.pool.Exec(ctx, `delete from sessions where expires_at <= now()`)
	return tag.RowsAffected(), settingsError("delete expired sessions", err)
}
