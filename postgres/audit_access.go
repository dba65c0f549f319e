package postgres

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// accessShapes are the shapes of who may come in. A person is shown as they are in the workspace: what they are elsewhere is
// no business of its admins.
var accessShapes = map[string]auditShape{
	"workspace": {`select name, to_jsonb(t) - '{id,created_at,steps_hidden_at}'::text[], null::bytea from workspaces t where id = $1 for no key update`, 1},
	"user": {`
		select coalesce(nullif(m.name, ''), nullif(u.name, ''), u.email), jsonb_build_object('email', u.email, 'name', coalesce(nullif(m.name, ''), u.name),
			'role', m.role, 'kept_out', case when m.disabled_at is not null then true end, 'may_add_workspaces', nullif(u.installation, false)), null::bytea
		from memberships m join users u on u.id = m.user_id where m.workspace_id = $1 and u.id = $2 for no key update of m`, 2},
	// Only while it is open: that it was accepted is a change of its person.
	"invitation": {`
		select email, jsonb_build_object('email', email, 'role', role, 'valid_until', expires_at), null::bytea from invitations
		where workspace_id = $1 and id = $2 and accepted_at is null for no key update`, 2},
	"api_token": {`
		select name, to_jsonb(t) - '{id,workspace_id,created_at,token_hash,last_used_at,made_by,role,bootstrap}'::text[] || jsonb_build_object(
			'scope', case role when 'viewer' then 'read' when 'operator' then 'operate' else role end, 'bootstrap', nullif(bootstrap, false)), null::bytea
		from api_tokens t where workspace_id = $1 and id = $2 for no key update`, 2},
}

// workspacesOfUser are those that a person belongs to, whether they may come in or not.
func workspacesOfUser(ctx context.Context, tx pgx.Tx, userID string) ([]string, error) {
	rows, _ := tx.Query(ctx, `select workspace_id::text from memberships where user_id = $1 order by 1`, userID)
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// changingUser is changingIn for what a person is everywhere: each of their workspaces has it noted.
func (db *DB) changingUser(ctx context.Context, tx pgx.Tx, action, userID string, f func(pgx.Tx) error) error {
	all, err := workspacesOfUser(ctx, tx, userID)
	if err != nil {
		return err
	}
	for _, id := range all {
		inner := f
		f = func(tx pgx.Tx) error {
			return db.changingIn(ctx, tx, id, action, audited{kind: "user", id: userID}, inner)
		}
	}
	return f(tx)
}

// noteEverywhere notes c of a person in each of their workspaces.
func (db *DB) noteEverywhere(ctx context.Context, tx pgx.Tx, userID string, c records.Change) error {
	all, err := workspacesOfUser(ctx, tx, userID)
	if err != nil {
		return err
	}
	c.ObjectKind, c.ObjectID = "user", userID
	for _, id := range all {
		if err := db.note(ctx, tx, id, c); err != nil {
			return err
		}
	}
	return nil
}

// asUser is ctx with a person as the actor who has proved only now who they are: by a password or the link of an invitation.
// The request stays what it was.
func asUser(ctx context.Context, tx pgx.Tx, userID string) (context.Context, error) {
	a := records.ActorOf(ctx)
	a.Kind, a.ID = records.ActorUser, userID
	err := tx.QueryRow(ctx, `select coalesce(nullif(name, ''), email) from users where id = $1`, userID).Scan(&a.Name)
	return records.WithActor(ctx, a), err
}

// noted is how many entries of an action one workspace has within a day, of one person and of all. Signing in, and failing
// to, is what everybody may do as often as they like, and strangers, too: the log is kept for good, and must not fill by it.
type noted struct{ ofOne, ofAll int }

var notedSignIns = map[string]noted{
	records.SessionCreated:  {50, 100_000},
	records.SessionSwitched: {50, 100_000},
	records.SessionRefused:  {10, 100},
	records.SessionBlocked:  {3, 30},
}

// noteSignIn notes c of a person, up to a number of times a day. The last one says that it is.
func (db *DB) noteSignIn(ctx context.Context, tx pgx.Tx, workspaceID, userID string, c records.Change) error {
	limit := notedSignIns[c.Action]
	n, err := countAccess(ctx, tx, 24*time.Hour, accessKey("noted", c.Action, workspaceID, userID), accessKey("noted", c.Action, workspaceID))
	if err != nil || n[0] > limit.ofOne || n[1] > limit.ofAll {
		return err
	}
	if n[0] == limit.ofOne || n[1] == limit.ofAll {
		c.After["more"] = "not noted for a day"
	}
	c.ObjectKind, c.ObjectID = "user", userID
	return db.note(ctx, tx, workspaceID, c)
}

// NoteRefusedSignIn notes that the password of whoever has email was not given right (records.SessionRefused), or that it is
// not even looked at for a while (records.SessionBlocked), in the workspaces that they may come in to. Nobody has that
// e-mail: nothing is noted, and it costs about as much time.
func (db *DB) NoteRefusedSignIn(ctx context.Context, email, action string) error {
	a := records.SystemActor()
	a.Route, a.RequestID = records.ActorOf(ctx).Route, records.ActorOf(ctx).RequestID
	ctx = records.WithActor(ctx, a)
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		// Written for every e-mail, so that the answer takes the same time for one that nobody has.
		if _, err := countAccess(ctx, tx, time.Minute, accessKey("refused", email)); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `
			select u.id::text, m.workspace_id::text from users u join memberships m on m.user_id = u.id and m.disabled_at is null
			where lower(u.email) = lower($1) order by 2`, storable(email))
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ User, Workspace string }])
		if err != nil {
			return err
		}
		for _, one := range all {
			if err := db.noteSignIn(ctx, tx, one.Workspace, one.User, records.Change{Action: action, After: map[string]any{}}); err != nil {
				return err
			}
		}
		return nil
	})
	return settingsError("note a refused sign-in", err)
}

// accessKey is what something is counted under.
func accessKey(parts ...string) []byte {
	sum := sha256.New()
	for _, p := range parts {
		sum.Write([]byte(p))
		sum.Write([]byte{0})
	}
	return sum.Sum(nil)
}

// countAccess counts one more under each key, from the beginning where span is over, and returns how many there are now.
// The rows are locked until the transaction ends, so callers that share several name them in one call.
func countAccess(ctx context.Context, tx pgx.Tx, span time.Duration, keys ...[]byte) ([]int, error) {
	rows, err := tx.Query(ctx, `
		insert into access_counts as c (key, count, until) select k, 1, now() + $2 from unnest($1::bytea[]) k order by k
		on conflict (key) do update set count = case when c.until <= now() then 1 else c.count + 1 end,
			until = case when c.until <= now() then excluded.until else c.until end
		returning key, count`, keys, span)
	if err != nil {
		return nil, err
	}
	got := map[string]int{}
	var key []byte
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&key, &n}, func() error { got[string(key)] = n; return nil }); err != nil {
		return nil, err
	}
	out := make([]int, len(keys))
	for i, k := range keys {
		out[i] = got[string(k)]
	}
	return out, nil
}
