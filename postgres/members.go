package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// Members lists the people of a workspace by name.
func (db *DB) Members(ctx context.Context, workspaceID string) ([]records.Member, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+userColumns+`, greatest(m.used_at, (select max(s.seen_at) from sessions s where s.user_id = u.id and s.workspace_id = m.workspace_id)),
			(select count(*) from api_tokens t where t.made_by = u.id and t.workspace_id = m.workspace_id)
		from memberships m join users u on u.id = m.user_id
		where m.workspace_id = $1 order by lower(coalesce(nullif(m.name, ''), nullif(u.name, ''), u.email)), u.id`, workspaceID)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m records.Member, err error) {
		var disabled, seen *time.Time
		err = row.Scan(append(userFields(&m.User, &disabled), &seen, &m.Tokens)...)
		m.CreatedAt, m.DisabledAt, m.SeenAt = m.CreatedAt.UTC(), orZero(disabled), orZero(seen)
		return m, err
	})
	return all, settingsError("list members", err)
}

// ChangeMember changes a person's name, role or whether they may come in, in one workspace. Somebody who is disabled or
// lowered loses what reaches further than they do now: their sessions there, and invitations that an admin alone may
// make. Errors: records.ErrNotFound, records.ErrRefused, and records.ErrLastAdmin where no admin would be left.
func (db *DB) ChangeMember(ctx context.Context, workspaceID, id string, c records.MemberChange) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockMembers(ctx, tx, workspaceID); err != nil {
			return err
		}
		err := db.changingIn(ctx, tx, workspaceID, "user.update", audited{kind: "user", id: id}, func(tx pgx.Tx) error {
			return mustMeet(tx.Exec(ctx, `
				update memberships set name = coalesce($3, name), role = coalesce($4, role),
					disabled_at = case when $5::boolean is null then disabled_at when $5 then coalesce(disabled_at, now()) end
				where workspace_id = $1 and user_id = $2`, workspaceID, id, c.Name, c.Role, c.Disabled))
		})
		if err != nil {
			return err
		}
		if c.Role == nil && c.Disabled == nil {
			return nil
		}
		if err := needAdmin(ctx, tx, workspaceID); err != nil {
			return err
		}
		var gone, lower bool
		if err := tx.QueryRow(ctx, `
			select disabled_at is not null, disabled_at is not null or role <> 'admin' from memberships where workspace_id = $1 and user_id = $2`,
			workspaceID, id).Scan(&gone, &lower); err != nil {
			return err
		}
		if gone {
			if err := db.endSessionsThere(ctx, tx, workspaceID, id); err != nil {
				return err
			}
		}
		if lower {
			return db.dropInvitationsBy(ctx, tx, workspaceID, id)
		}
		return nil
	})
	return settingsError("change a member", err)
}

// RemoveMember takes a person out of a workspace, with their sessions, their API tokens and their open invitations there.
// Somebody who is left in no workspace is forgotten. Errors: records.ErrNotFound, records.ErrLastAdmin.
func (db *DB) RemoveMember(ctx context.Context, workspaceID, id string) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockMembers(ctx, tx, workspaceID); err != nil {
			return err
		}
		// What ends with them is noted before them, while their name is there.
		for _, end := range []func(context.Context, pgx.Tx, string, string) error{db.endSessionsThere, db.dropTokensBy, db.dropInvitationsBy} {
			if err := end(ctx, tx, workspaceID, id); err != nil {
				return err
			}
		}
		err := db.changingIn(ctx, tx, workspaceID, "user.delete", audited{kind: "user", id: id}, func(tx pgx.Tx) error {
			return mustMeet(tx.Exec(ctx, `delete from memberships where workspace_id = $1 and user_id = $2`, workspaceID, id))
		})
		if err != nil {
			return err
		}
		if err := needAdmin(ctx, tx, workspaceID); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `delete from users u where u.id = $1 and not exists (select 1 from memberships m where m.user_id = u.id)`, id)
		return err
	})
	return settingsError("remove a member", err)
}

// endSessionsThere ends the sessions of a person in one workspace, as somebody else's doing.
func (db *DB) endSessionsThere(ctx context.Context, tx pgx.Tx, workspaceID, userID string) error {
	tag, err := tx.Exec(ctx, `delete from sessions where workspace_id = $1 and user_id = $2`, workspaceID, userID)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	return db.note(ctx, tx, workspaceID, records.Change{Action: "session.end", ObjectKind: "user", ObjectID: userID, After: map[string]any{"sessions_ended": tag.RowsAffected()}})
}

// dropTokensBy revokes the API tokens that a person has made in a workspace.
func (db *DB) dropTokensBy(ctx context.Context, tx pgx.Tx, workspaceID, userID string) error {
	rows, _ := tx.Query(ctx, `select id::text from api_tokens where workspace_id = $1 and made_by = $2 order by id`, workspaceID, userID)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, id := range all {
		if err == nil {
			err = db.deleteToken(ctx, tx, workspaceID, id)
		}
	}
	return err
}

// dropInvitationsBy takes back the open invitations of a person in a workspace.
func (db *DB) dropInvitationsBy(ctx context.Context, tx pgx.Tx, workspaceID, userID string) error {
	rows, _ := tx.Query(ctx, `select id::text from invitations where workspace_id = $1 and invited_by = $2 and accepted_at is null order by id`, workspaceID, userID)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, id := range all {
		if err == nil {
			err = db.deleteInvitation(ctx, tx, workspaceID, id)
		}
	}
	return err
}

// lockMembers lets one change of a workspace's people go on at a time: two admins must not lower each other at once.
func lockMembers(ctx context.Context, tx pgx.Tx, workspaceID string) error {
	var found bool
	return tx.QueryRow(ctx, `select true from workspaces where id = $1 for no key update`, workspaceID).Scan(&found)
}

func needAdmin(ctx context.Context, tx pgx.Tx, workspaceID string) error {
	var some bool
	err := tx.QueryRow(ctx, `
		select exists (select 1 from memberships where workspace_id = $1 and role = 'admin' and disabled_at is null)`, workspaceID).Scan(&some)
	if err == nil && !some {
		err = records.ErrLastAdmin
	}
	return err
}

// Memberships lists the workspaces that a person may come in to, the one used last first.
func (db *DB) Memberships(ctx context.Context, userID string) ([]records.Membership, error) {
	rows, _ := db.pool.Query(ctx, `
		select w.id, w.name, w.created_at, m.role, m.used_at from memberships m join workspaces w on w.id = m.workspace_id
		where m.user_id = $1 and m.disabled_at is null order by m.used_at desc nulls last, lower(w.name), w.id`, userID)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m records.Membership, err error) {
		var used *time.Time
		err = row.Scan(&m.ID, &m.Name, &m.CreatedAt, &m.Role, &used)
		m.CreatedAt, m.UsedAt = m.CreatedAt.UTC(), orZero(used)
		return m, err
	})
	return all, settingsError("list workspaces of a user", err)
}

// SwitchWorkspace takes a session to another workspace of its user. Errors: records.ErrNotFound.
func (db *DB) SwitchWorkspace(ctx context.Context, userID, sessionID, workspaceID string) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		var from string
		if err := tx.QueryRow(ctx, `select workspace_id::text from sessions where id = $1 and user_id = $2 for update`, sessionID, userID).Scan(&from); err != nil {
			return err
		}
		err := mustMeet(tx.Exec(ctx, `
			with there as (
				update memberships set used_at = now() where user_id = $1 and workspace_id = $3 and disabled_at is null returning workspace_id
			)
			update sessions s set workspace_id = there.workspace_id from there where s.id = $2 and s.user_id = $1`, userID, sessionID, workspaceID))
		if err != nil || from == workspaceID {
			return err
		}
		return db.noteSignIn(ctx, tx, workspaceID, userID, records.Change{Action: records.SessionSwitched, After: map[string]any{}})
	})
	return settingsError("switch the workspace", err)
}

// RenameWorkspace gives a workspace another name. Errors: records.ErrNotFound.
func (db *DB) RenameWorkspace(ctx context.Context, id, name string) error {
	err := db.changing(ctx, id, "workspace.update", audited{kind: "workspace", id: id}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `update workspaces set name = $2 where id = $1`, id, name))
	})
	return settingsError("rename a workspace", err)
}

// CreateOwnWorkspace stores a workspace whose first admin is a user. Errors: records.ErrConflict, records.ErrNotFound.
func (db *DB) CreateOwnWorkspace(ctx context.Context, w records.Workspace, userID string) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		if err := db.createWorkspace(ctx, tx, w); err != nil {
			return err
		}
		return db.changingIn(ctx, tx, w.ID, "user.create", audited{kind: "user", id: userID}, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `
				insert into memberships (user_id, workspace_id, name, role) values ($2, $1, (select name from users where id = $2), 'admin')`, w.ID, userID)
			return err
		})
	})
	return settingsError("create a workspace", err)
}
