package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// Grant returns what a connection's CRM has granted. Errors: records.ErrNotFound.
func (db *DB) Grant(ctx context.Context, workspaceID, connectionID string) (records.Grant, error) {
	var sealed []byte
	err := db.pool.QueryRow(ctx, `
		select sealed from connection_grants where workspace_id = $1 and connection_id = $2 and sealed is not null`,
		workspaceID, connectionID).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return records.Grant{}, records.ErrNotFound
	}
	if err != nil {
		return records.Grant{}, fmt.Errorf("read a grant: %w", err)
	}
	plain, err := db.sealer.Open(sealed, "grant:"+connectionID)
	if err != nil {
		return records.Grant{}, fmt.Errorf("open the grant of connection %s: %w", connectionID, err)
	}
	var g records.Grant
	if err := json.Unmarshal(plain, &g); err != nil {
		return records.Grant{}, fmt.Errorf("read the grant of connection %s: %w", connectionID, err)
	}
	return g, nil
}

// LeaseGrant makes the caller the one who asks the CRM for another access token, for at most lease; ok is false while
// somebody else does.
func (db *DB) LeaseGrant(ctx context.Context, workspaceID, connectionID string, lease time.Duration) (ok bool, err error) {
	tag, err := db.pool.Exec(ctx, `
		insert into connection_grants as g (connection_id, workspace_id, lease_until)
		select k.id, k.workspace_id, now() + $3 from connections k
		where k.workspace_id = $1 and k.id = $2 and k.deleted_at is null
		on conflict (connection_id) do update set lease_until = excluded.lease_until where g.lease_until <= now()`,
		workspaceID, connectionID, lease)
	if err != nil {
		return false, fmt.Errorf("lease a grant: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// ReleaseGrant ends a lease that has led to nothing.
func (db *DB) ReleaseGrant(ctx context.Context, workspaceID, connectionID string) error {
	_, err := db.pool.Exec(ctx, `
		update connection_grants set lease_until = '-infinity' where workspace_id = $1 and connection_id = $2`, workspaceID, connectionID)
	if err != nil {
		return fmt.Errorf("release a grant: %w", err)
	}
	return nil
}

// SaveGrant stores what the CRM has granted, and ends the lease. Errors: records.ErrNotFound for a connection that is gone.
func (db *DB) SaveGrant(ctx context.Context, workspaceID, connectionID string, g records.Grant) error {
	plain, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("store a grant: %w", err)
	}
	sealed, err := db.sealer.Seal(plain, "grant:"+connectionID)
	if err != nil {
		return fmt.Errorf("store a grant: %w", err)
	}
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		err := mustMeet(tx.Exec(ctx, `
			insert into connection_grants (connection_id, workspace_id, sealed, updated_at)
			select k.id, k.workspace_id, $3, now() from connections k
			where k.workspace_id = $1 and k.id = $2 and k.deleted_at is null
			on conflict (connection_id) do update set sealed = excluded.sealed, updated_at = now(), lease_until = '-infinity'`,
			workspaceID, connectionID, sealed))
		// callsync itself refreshes what was granted, every hour or so: that is no change.
		if err != nil || records.ActorOf(ctx).Kind == records.ActorSystem {
			return err
		}
		return db.note(ctx, tx, workspaceID, records.Change{Action: "connection.authorize", ObjectKind: "connection", ObjectID: connectionID,
			After: map[string]any{"grant": "set"}})
	})
	return settingsError("store a grant", err)
}

// AddGrantRequest remembers that somebody is on the way to a CRM's consent page; those that have expired are forgotten.
func (db *DB) AddGrantRequest(ctx context.Context, r records.GrantRequest) error {
	sealed, err := db.sealer.Seal([]byte(r.Verifier), "grant-request:"+r.ConnectionID)
	if err != nil {
		return fmt.Errorf("begin a grant: %w", err)
	}
	_, err = db.pool.Exec(ctx, `
		with old as (delete from grant_requests where workspace_id = $2 and expires_at < now())
		insert into grant_requests (state_hash, workspace_id, connection_id, user_id, session_id, verifier, expires_at)
		values ($1, $2, $3, nullif($4, '')::uuid, nullif($5, '')::uuid, $6, $7)`,
		r.StateHash, r.WorkspaceID, r.ConnectionID, r.UserID, r.SessionID, sealed, r.ExpiresAt)
	if err != nil {
		return fmt.Errorf("begin a grant: %w", err)
	}
	return nil
}

// TakeGrantRequest returns the request with this state, once. Errors: records.ErrNotFound, also for one that has expired.
func (db *DB) TakeGrantRequest(ctx context.Context, stateHash []byte) (records.GrantRequest, error) {
	r := records.GrantRequest{StateHash: stateHash}
	var sealed []byte
	err := db.pool.QueryRow(ctx, `
		delete from grant_requests where state_hash = $1
		returning workspace_id, connection_id, coalesce(user_id::text, ''), coalesce(session_id::text, ''), verifier, expires_at`, stateHash).
		Scan(&r.WorkspaceID, &r.ConnectionID, &r.UserID, &r.SessionID, &sealed, &r.ExpiresAt)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && time.Now().After(r.ExpiresAt) {
		return records.GrantRequest{}, records.ErrNotFound
	}
	if err != nil {
		return records.GrantRequest{}, fmt.Errorf("take a grant's request: %w", err)
	}
	plain, err := db.sealer.Open(sealed, "grant-request:"+r.ConnectionID)
	if err != nil {
		return records.GrantRequest{}, fmt.Errorf("open a grant's request: %w", err)
	}
	r.Verifier = string(plain)
	return r, nil
}
