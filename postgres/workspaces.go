package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/callsync/callsync/records"
)

// CreateWorkspace stores a workspace whose ID the caller has made. Errors: records.ErrConflict.
func (db *DB) CreateWorkspace(ctx context.Context, w records.Workspace) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error { return db.createWorkspace(ctx, tx, w) })
	return settingsError("create a workspace", err)
}

func (db *DB) createWorkspace(ctx context.Context, tx pgx.Tx, w records.Workspace) error {
	return db.changingIn(ctx, tx, w.ID, "workspace.create", audited{kind: "workspace", id: w.ID}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into workspaces (id, name, created_at) values ($1, $2, $3)`, w.ID, w.Name, orNow(w.CreatedAt))
		return err
	})
}

// WorkspaceByID returns a workspace. Errors: records.ErrNotFound.
func (db *DB) WorkspaceByID(ctx context.Context, id string) (records.Workspace, error) {
	rows, _ := db.pool.Query(ctx, `select id, name, created_at from workspaces where id = $1`, id)
	w, err := pgx.CollectExactlyOneRow(rows, scanWorkspace)
	return w, settingsError("read a workspace", err)
}

// Workspaces lists all workspaces, the oldest first.
func (db *DB) Workspaces(ctx context.Context) ([]records.Workspace, error) {
	rows, _ := db.pool.Query(ctx, `select id, name, created_at from workspaces order by created_at, id`)
	ws, err := pgx.CollectRows(rows, scanWorkspace)
	return ws, settingsError("list workspaces", err)
}

func scanWorkspace(row pgx.CollectableRow) (w records.Workspace, err error) {
	err = row.Scan(&w.ID, &w.Name, &w.CreatedAt)
	w.CreatedAt = w.CreatedAt.UTC()
	return w, err
}

// BootstrapInput is what must exist after a start.
type BootstrapInput struct {
	// WorkspaceName is given to the first workspace, if there is none yet; "Default" if empty.
	WorkspaceName string
	// TokenHash is the SHA-256 of an admin token; nil adds none.
	TokenHash []byte
	// OnlyFirstToken adds the token only where there is no bootstrap token yet: it is for a token that the caller has
	// made up and prints, not for one the operator chose.
	OnlyFirstToken bool
	// Email and PasswordHash are a user's; an empty Email adds none.
	Email        string
	PasswordHash string
}

// Bootstrapped is what EnsureBootstrap found or made.
type Bootstrapped struct {
	WorkspaceID string
	// What of it is new.
	NewWorkspace, NewToken, NewUser bool
}

// bootstrapLock keeps two processes that start together from both making the first workspace.
const bootstrapLock = 0x63616c6c73796e63 // "callsync"

// EnsureBootstrap makes the first workspace, admin user and admin token where they are missing, and changes nothing that
// exists: not a user's password, and no token that an earlier start added. Calling it again, or from several processes
// at once, is harmless.
func (db *DB) EnsureBootstrap(ctx context.Context, in BootstrapInput) (Bootstrapped, error) {
	var out Bootstrapped
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		out = Bootstrapped{}
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock($1)`, int64(bootstrapLock)); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `select id from workspaces order by created_at, id limit 1`).Scan(&out.WorkspaceID)
		if errors.Is(err, pgx.ErrNoRows) {
			out.WorkspaceID, out.NewWorkspace = newID(), true
			err = db.createWorkspace(ctx, tx, records.Workspace{ID: out.WorkspaceID, Name: cmp.Or(in.WorkspaceName, "Default")})
		}
		if err != nil {
			return err
		}
		if in.Email != "" {
			var had bool
			if err := tx.QueryRow(ctx, `select exists (select 1 from users where lower(email) = lower($1))`, in.Email).Scan(&had); err != nil {
				return err
			}
			if out.NewUser = !had; out.NewUser {
				u := records.User{ID: newID(), WorkspaceID: out.WorkspaceID, Email: in.Email, PasswordHash: in.PasswordHash}
				err := db.changingIn(ctx, tx, out.WorkspaceID, "user.create", audited{kind: "user", id: u.ID}, func(tx pgx.Tx) error {
					return createUser(ctx, tx, u)
				})
				if err != nil {
					return err
				}
			}
		}
		if len(in.TokenHash) > 0 {
			id := newID()
			return db.changingIn(ctx, tx, out.WorkspaceID, "api_token.create", audited{kind: "api_token", id: id}, func(tx pgx.Tx) error {
				tag, err := tx.Exec(ctx, `
					insert into api_tokens (token_hash, id, workspace_id, name, bootstrap)
					select $1, $2, $3, 'bootstrap', true
					where not ($4 and exists (select 1 from api_tokens where bootstrap))
					on conflict (token_hash) do nothing`, in.TokenHash, id, out.WorkspaceID, in.OnlyFirstToken)
				out.NewToken = tag.RowsAffected() == 1
				return err
			})
		}
		return nil
	})
	return out, settingsError("make what the first start needs", err)
}

// settingsError gives an error of the stores of settings its place, and the meaning callers look for: a row that is not
// there or an id that is none is records.ErrNotFound, a doubled one records.ErrConflict, a value the schema does not
// take records.ErrRefused. It quotes no values.
func settingsError(doing string, err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == "22P02":
		// Text that is no UUID names no row. Nothing else that these stores send as text can be malformed.
		err = records.ErrNotFound
	case errors.As(err, &pg) && pg.Code == "23503":
		// What it refers to is not there.
		err = records.ErrNotFound
	default:
		err = storeError(rowError(err))
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// oneRow is settingsError for a statement that must have met a row.
func oneRow(doing string, tag pgconn.CommandTag, err error) error {
	return settingsError(doing, mustMeet(tag, err))
}

// mustMeet is the error of a statement that must have met a row.
func mustMeet(tag pgconn.CommandTag, err error) error {
	if err == nil && tag.RowsAffected() == 0 {
		return pgx.ErrNoRows
	}
	return err
}

// tokenHash is the form in which tokens are looked up; the same as secretbox.HashToken.
func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

func orNow(t time.Time) time.Time {
	if t.IsZero() {
		return time.Now()
	}
	return t
}

// orZero is the time of a column that may be null.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
