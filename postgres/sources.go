package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

const sourceColumns = `id, workspace_id, provider, name, time_zone, default_country, window_seconds, quiet_seconds,
	stale_seconds, policy, config, secrets, token_sealed, connections, created_at, updated_at,
	recordings, recording_hosts, coalesce(recording_days, 0), recording_sign_in`

// CreateSource stores a source whose ID and Token the caller has made. The token is kept as a hash, by which hooks are
// looked up, and sealed, so that the hook URLs can be shown again; the secrets are kept sealed. Errors:
// records.ErrConflict, records.ErrRefused for values out of bounds.
func (db *DB) CreateSource(ctx context.Context, s records.Source) error {
	secrets, err := db.sealSecrets(s.Secrets, "source:"+s.ID)
	if err != nil {
		return fmt.Errorf("create a source: %w", err)
	}
	token, err := db.sealer.Seal([]byte(s.Token), "source-token:"+s.ID)
	if err != nil {
		return fmt.Errorf("create a source: %w", err)
	}
	err = db.changing(ctx, s.WorkspaceID, "source.create", audited{kind: "source", id: s.ID}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
		insert into sources (id, workspace_id, provider, name, time_zone, default_country, window_seconds, quiet_seconds,
			stale_seconds, policy, config, secrets, token_hash, token_sealed, connections, created_at, updated_at,
			recordings, recording_hosts, recording_days, recording_sign_in)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $17, $18, nullif($19, 0), $20)`,
			s.ID, s.WorkspaceID, s.Provider, s.Name, s.TimeZone, s.DefaultCountry, seconds(s.Window), seconds(s.Quiet),
			seconds(s.Stale), s.Policy, orEmpty(s.Config), secrets, tokenHash(s.Token), token, s.Connections, orNow(s.CreatedAt),
			recordingsOr(s.Recordings.Policy), hostsOf(s.Recordings), s.Recordings.Days, s.Recordings.SignIn)
		return err
	})
	return settingsError("create a source", err)
}

// Sources lists the sources of a workspace that are not deleted, the oldest first, with their secrets.
func (db *DB) Sources(ctx context.Context, workspaceID string) ([]records.Source, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+sourceColumns+` from sources where workspace_id = $1 and deleted_at is null order by id`, workspaceID)
	ss, err := pgx.CollectRows(rows, db.scanSource)
	return ss, settingsError("list sources", err)
}

// SourceByID returns a source that is not deleted. Errors: records.ErrNotFound.
func (db *DB) SourceByID(ctx context.Context, workspaceID, id string) (records.Source, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+sourceColumns+` from sources where workspace_id = $1 and id = $2 and deleted_at is null`, workspaceID, id)
	s, err := pgx.CollectExactlyOneRow(rows, db.scanSource)
	return s, settingsError("read a source", err)
}

// SourceByToken returns the source whose hook token has this SHA-256: the present token, or the one before it while it
// still lives. Errors: records.ErrNotFound.
func (db *DB) SourceByToken(ctx context.Context, hash []byte) (records.Source, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+sourceColumns+` from sources
		where (token_hash = $1 or (old_token_hash = $1 and old_token_until > now())) and deleted_at is null`, hash)
	s, err := pgx.CollectExactlyOneRow(rows, db.scanSource)
	return s, settingsError("look up a hook token", err)
}

// UpdateSource stores the settings of a source. Provider, token and workspace stay as they are. Errors:
// records.ErrNotFound, records.ErrRefused for values out of bounds.
func (db *DB) UpdateSource(ctx context.Context, s records.Source) error {
	secrets, err := db.sealSecrets(s.Secrets, "source:"+s.ID)
	if err != nil {
		return fmt.Errorf("update a source: %w", err)
	}
	err = db.changing(ctx, s.WorkspaceID, "source.update", audited{kind: "source", id: s.ID}, func(tx pgx.Tx) error {
		err := mustMeet(tx.Exec(ctx, resetClock+`
			update sources set name = $3, time_zone = $4, default_country = $5, window_seconds = $6, quiet_seconds = $7,
				stale_seconds = $8, policy = $9, config = $10, secrets = $11, connections = $12, updated_at = now(),
				recordings = $13, recording_hosts = $14, recording_days = nullif($15, 0), recording_sign_in = $16
			where workspace_id = $1 and id = $2 and deleted_at is null`,
			s.WorkspaceID, s.ID, s.Name, s.TimeZone, s.DefaultCountry, seconds(s.Window), seconds(s.Quiet),
			seconds(s.Stale), s.Policy, orEmpty(s.Config), secrets, s.Connections,
			recordingsOr(s.Recordings.Policy), hostsOf(s.Recordings), s.Recordings.Days, s.Recordings.SignIn))
		if err == nil {
			_, err = tx.Exec(ctx, retryRecordings, s.WorkspaceID, s.ID)
		}
		return err
	})
	return settingsError("update a source", err)
}

// RotateSourceToken gives a source a new hook token. The present one lives until oldUntil; one that was replaced before
// dies at once. Errors: records.ErrNotFound.
func (db *DB) RotateSourceToken(ctx context.Context, workspaceID, id, newToken string, oldUntil time.Time) error {
	sealed, err := db.sealer.Seal([]byte(newToken), "source-token:"+id)
	if err != nil {
		return fmt.Errorf("rotate a hook token: %w", err)
	}
	c := records.Change{Action: "source.rotate_token", ObjectKind: "source", ObjectID: id,
		Before: map[string]any{"hook_token": "set"}, After: map[string]any{"hook_token": "changed", "old_token_until": oldUntil.UTC()}}
	err = db.noting(ctx, workspaceID, c, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `
			update sources set old_token_hash = token_hash, old_token_until = $4, token_hash = $3, token_sealed = $5, updated_at = now()
			where workspace_id = $1 and id = $2 and deleted_at is null`,
			workspaceID, id, tokenHash(newToken), oldUntil, sealed))
	})
	return settingsError("rotate a hook token", err)
}

// DeleteSource takes a source out of use: its hooks are unknown from now on, and its secrets are forgotten. The row stays,
// because receipts and calls refer to it. Errors: records.ErrNotFound.
func (db *DB) DeleteSource(ctx context.Context, workspaceID, id string) error {
	err := db.changing(ctx, workspaceID, "source.delete", audited{kind: "source", id: id}, func(tx pgx.Tx) error {
		return mustMeet(tx.Exec(ctx, `
			update sources set deleted_at = now(), updated_at = now(), secrets = null
			where workspace_id = $1 and id = $2 and deleted_at is null`, workspaceID, id))
	})
	return settingsError("delete a source", err)
}

func (db *DB) scanSource(row pgx.CollectableRow) (records.Source, error) {
	var s records.Source
	var window, quiet, stale int64
	var secrets, token []byte
	err := row.Scan(&s.ID, &s.WorkspaceID, &s.Provider, &s.Name, &s.TimeZone, &s.DefaultCountry, &window, &quiet,
		&stale, &s.Policy, &s.Config, &secrets, &token, &s.Connections, &s.CreatedAt, &s.UpdatedAt,
		&s.Recordings.Policy, &s.Recordings.Hosts, &s.Recordings.Days, &s.Recordings.SignIn)
	if err != nil {
		return s, err
	}
	s.Window, s.Quiet, s.Stale = time.Duration(window)*time.Second, time.Duration(quiet)*time.Second, time.Duration(stale)*time.Second
	s.CreatedAt, s.UpdatedAt = s.CreatedAt.UTC(), s.UpdatedAt.UTC()
	if s.Secrets, err = db.openSecrets(secrets, "source:"+s.ID); err != nil {
		return s, err
	}
	plain, err := db.sealer.Open(token, "source-token:"+s.ID)
	if err != nil {
		return s, fmt.Errorf("source %s: its hook token cannot be opened: %w", s.ID, err)
	}
	s.Token = string(plain)
	return s, nil
}

// sealSecrets makes one sealed value of all of a row's secrets; nil where there are none.
func (db *DB) sealSecrets(secrets map[string]string, context string) ([]byte, error) {
	if len(secrets) == 0 {
		return nil, nil
	}
	plain, err := json.Marshal(secrets)
	if err != nil {
		return nil, err
	}
	return db.sealer.Seal(plain, context)
}

func (db *DB) openSecrets(sealed []byte, context string) (map[string]string, error) {
	if sealed == nil {
		return nil, nil
	}
	plain, err := db.sealer.Open(sealed, context)
	if err != nil {
		return nil, fmt.Errorf("secrets of %s cannot be opened: %w", context, err)
	}
	var out map[string]string
	if err := json.Unmarshal(plain, &out); err != nil {
		// Its text would quote the secrets.
		return nil, fmt.Errorf("secrets of %s cannot be read", context)
	}
	return out, nil
}

// hostsOf are the hosts of a source as they are stored.
func hostsOf(r records.SourceRecordings) []string {
	if r.Hosts == nil {
		return []string{}
	}
	return r.Hosts
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
