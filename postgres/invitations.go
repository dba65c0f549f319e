package postgres

import (
	"cmp"
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

const invitationColumns = `i.id, i.workspace_id, w.name, i.email, i.role, coalesce(i.invited_by::text, ''),
	coalesce(nullif(m.name, ''), u.name, ''), i.created_at, i.expires_at`

const invitationTables = ` from invitations i join workspaces w on w.id = i.workspace_id
	left join users u on u.id = i.invited_by left join memberships m on m.user_id = u.id and m.workspace_id = i.workspace_id `

func scanInvitation(row pgx.CollectableRow) (i records.Invitation, err error) {
	err = row.Scan(&i.ID, &i.WorkspaceID, &i.WorkspaceName, &i.Email, &i.Role, &i.InvitedBy, &i.InviterName, &i.CreatedAt, &i.ExpiresAt)
	i.CreatedAt, i.ExpiresAt = i.CreatedAt.UTC(), i.ExpiresAt.UTC()
	return i, err
}

// CreateInvitation stores an invitation whose ID and Hash the caller has made; an earlier open one of the same e-mail
// gives way. Errors: records.ErrConflict for somebody who is in the workspace already, records.ErrNotFound for a
// workspace that does not exist.
func (db *DB) CreateInvitation(ctx context.Context, i records.Invitation) error {
	err := db.changing(ctx, i.WorkspaceID, "invitation.create", audited{kind: "invitation", id: i.ID}, func(tx pgx.Tx) error {
		var member bool
		err := tx.QueryRow(ctx, `
			select exists (select 1 from memberships m join users u on u.id = m.user_id where m.workspace_id = $1 and lower(u.email) = lower($2))`,
			i.WorkspaceID, i.Email).Scan(&member)
		if err != nil {
			return err
		}
		if member {
			return records.ErrConflict
		}
		_, err = tx.Exec(ctx, `
			insert into invitations as i (id, workspace_id, token_hash, email, role, invited_by, created_at, expires_at)
			values ($1, $2, $3, $4, $5, nullif($6, '')::uuid, $7, $8)
			on conflict (workspace_id, lower(email)) where accepted_at is null do update set id = excluded.id, token_hash = excluded.token_hash,
				email = excluded.email, role = excluded.role, invited_by = excluded.invited_by, created_at = excluded.created_at, expires_at = excluded.expires_at`,
			i.ID, i.WorkspaceID, i.Hash, i.Email, i.Role, i.InvitedBy, orNow(i.CreatedAt), i.ExpiresAt)
		return err
	})
	return settingsError("invite somebody", err)
}

// Invitations lists the invitations of a workspace that nobody has accepted, the newest first, also those that have expired.
func (db *DB) Invitations(ctx context.Context, workspaceID string) ([]records.Invitation, error) {
	rows, _ := db.pool.Query(ctx, `select `+invitationColumns+invitationTables+`
		where i.workspace_id = $1 and i.accepted_at is null order by i.created_at desc, i.id`, workspaceID)
	all, err := pgx.CollectRows(rows, scanInvitation)
	return all, settingsError("list invitations", err)
}

// RenewInvitation gives an open invitation another link; the old one ends. Errors: records.ErrNotFound.
func (db *DB) RenewInvitation(ctx context.Context, workspaceID, id string, hash []byte, expires time.Time) (records.Invitation, error) {
	var i records.Invitation
	err := db.changing(ctx, workspaceID, "invitation.renew", audited{kind: "invitation", id: id}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			update invitations set token_hash = $3, expires_at = $4 where workspace_id = $1 and id = $2 and accepted_at is null`,
			workspaceID, id, hash, expires); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `select `+invitationColumns+invitationTables+` where i.workspace_id = $1 and i.id = $2 and i.accepted_at is null`, workspaceID, id)
		var err error
		i, err = pgx.CollectExactlyOneRow(rows, scanInvitation)
		return err
	})
	return i, settingsError("renew an invitation", err)
}

// RevokeInvitation takes an open invitation back. Errors: records.ErrNotFound.
func (db *DB) RevokeInvitation(ctx context.Context, workspaceID, id string) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error { return db.deleteInvitation(ctx, tx, workspaceID, id) })
	return settingsError("revoke an invitation", err)
}

func (db *DB) deleteInvitation(ctx context.Context, tx pgx.Tx, workspaceID, id string) error {
	return db.changingIn(ctx, tx, workspaceID, "invitation.delete", audited{kind: "invitation", id: id}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `delete from invitations where workspace_id = $1 and id = $2 and accepted_at is null`, workspaceID, id))
	})
}

// InvitationByHash returns an invitation by the SHA-256 of its link's token, while it can be accepted. Errors:
// records.ErrNotFound.
func (db *DB) InvitationByHash(ctx context.Context, hash []byte) (records.Invitation, error) {
	rows, _ := db.pool.Query(ctx, `select `+invitationColumns+invitationTables+`
		where i.token_hash = $1 and i.accepted_at is null and i.expires_at > now()`, hash)
	i, err := pgx.CollectExactlyOneRow(rows, scanInvitation)
	return i, settingsError("read an invitation", err)
}

// AcceptInvitation makes u, whose workspace, e-mail and role the invitation says, a member. With a PasswordHash u is
// somebody new, else the account that has the id. Errors: records.ErrNotFound for an invitation that cannot be accepted
// any more, records.ErrConflict for a new account with an e-mail that is taken.
func (db *DB) AcceptInvitation(ctx context.Context, hash []byte, u records.User) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			update invitations set accepted_at = now() where token_hash = $1 and accepted_at is null and expires_at > now()
			returning workspace_id, email, role`, hash).Scan(&u.WorkspaceID, &u.Email, &u.Role)
		if err != nil {
			return err
		}
		self := records.ActorOf(ctx)
		self.Kind, self.ID, self.Name = records.ActorUser, u.ID, cmp.Or(u.Name, u.Email)
		ctx := records.WithActor(ctx, self)
		if u.PasswordHash == "" {
			if ctx, err = asUser(ctx, tx, u.ID); err != nil {
				return err
			}
		}
		return db.changingIn(ctx, tx, u.WorkspaceID, "invitation.accept", audited{kind: "user", id: u.ID}, func(tx pgx.Tx) error {
			if u.PasswordHash != "" {
				return createUser(ctx, tx, u)
			}
			_, err := tx.Exec(ctx, `
				insert into memberships (user_id, workspace_id, name, role)
				select u.id, $2, u.name, $3 from users u where u.id = $1 and lower(u.email) = lower($4)
				on conflict (user_id, workspace_id) do nothing`, u.ID, u.WorkspaceID, u.Role, u.Email)
			return err
		})
	})
	return settingsError("accept an invitation", err)
}
