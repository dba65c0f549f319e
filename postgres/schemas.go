package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

// keepSchemas is how many versions of an object's fields are kept.
const keepSchemas = 20

// ClaimSchemas takes up to limit objects of active connections of the given connectors whose fields are due to be read,
// for lease; those that have a mapping in force. Nobody else is given them meanwhile.
func (db *DB) ClaimSchemas(ctx context.Context, connectors []string, limit int, lease time.Duration) ([]records.SchemaKey, error) {
	rows, _ := db.pool.Query(ctx, `
		insert into crm_schemas as s (connection_id, object, workspace_id, claimed_until)
		select k.id, a.object, k.workspace_id, now() + $3::interval
		from connections k join active_mappings a on a.connection_id = k.id
		left join crm_schemas c on c.connection_id = k.id and c.object = a.object
		where k.connector = any($1) and k.status = 'active' and k.deleted_at is null
			and coalesce(c.next_at, '-infinity') <= now() and coalesce(c.claimed_until, '-infinity') <= now()
		order by coalesce(c.next_at, '-infinity'), k.id, a.object limit $2
		on conflict (connection_id, object) do update set claimed_until = excluded.claimed_until where s.claimed_until <= now()
		returning workspace_id, connection_id, object`, connectors, limit, lease)
	keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k records.SchemaKey, err error) {
		err = row.Scan(&k.WorkspaceID, &k.ConnectionID, &k.Object)
		return k, err
	})
	return keys, settingsError("claim schemas", err)
}

// AskSchema has the fields of an object read soon, unless they were read within atLeast. It does nothing for an object
// that nobody has read yet: that is due anyway.
func (db *DB) AskSchema(ctx context.Context, k records.SchemaKey, atLeast time.Duration) error {
	_, err := db.pool.Exec(ctx, `
		update crm_schemas set next_at = now()
		where workspace_id = $1 and connection_id = $2 and object = $3 and next_at > now() and read_at < now() - $4::interval and failures = 0`,
		k.WorkspaceID, k.ConnectionID, k.Object, atLeast)
	return settingsError("ask for a schema", err)
}

// Schema returns the fields of an object as they were read last. Errors: records.ErrNotFound where nothing was read.
func (db *DB) Schema(ctx context.Context, k records.SchemaKey) (records.SchemaSnapshot, error) {
	rows, _ := db.pool.Query(ctx, `
		select v.version, v.document, v.changes, v.found_at, s.read_at
		from crm_schemas s join crm_schema_versions v on v.connection_id = s.connection_id and v.object = s.object and v.version = s.version
		where s.workspace_id = $1 and s.connection_id = $2 and s.object = $3`, k.WorkspaceID, k.ConnectionID, k.Object)
	snapshot, err := pgx.CollectExactlyOneRow(rows, scanSnapshot)
	return snapshot, settingsError("read a schema", err)
}

// Schemas lists the versions of an object's fields, the newest first.
func (db *DB) Schemas(ctx context.Context, k records.SchemaKey) ([]records.SchemaSnapshot, error) {
	rows, _ := db.pool.Query(ctx, `
		select v.version, v.document, v.changes, v.found_at, s.read_at
		from crm_schemas s join crm_schema_versions v on v.connection_id = s.connection_id and v.object = s.object
		where s.workspace_id = $1 and s.connection_id = $2 and s.object = $3 order by v.version desc limit $4`,
		k.WorkspaceID, k.ConnectionID, k.Object, keepSchemas)
	all, err := pgx.CollectRows(rows, scanSnapshot)
	return all, settingsError("list schemas", err)
}

func scanSnapshot(row pgx.CollectableRow) (s records.SchemaSnapshot, err error) {
	err = row.Scan(&s.Version, &s.Schema, &s.Changes, &s.FoundAt, &s.ReadAt)
	s.FoundAt, s.ReadAt = s.FoundAt.UTC(), s.ReadAt.UTC()
	return s, err
}

// PutSchema keeps the fields of an object as they were read now: as a new version if they differ from those of the last
// one, whose differences diff tells. The next read is due after next. It returns what is in force and whether it is new.
// Errors: records.ErrNotFound for a connection that is not there.
func (db *DB) PutSchema(ctx context.Context, k records.SchemaKey, read records.Schema, next time.Duration, diff func(before, after records.Schema) []records.SchemaChange) (out records.SchemaSnapshot, changed bool, err error) {
	document, err := storableJSON(read)
	if err != nil {
		return out, false, fmt.Errorf("encode a schema: %w", err)
	}
	// As it will be read again: what the database cannot keep must not look like a change each time.
	if err := json.Unmarshal(document, &read); err != nil {
		return out, false, fmt.Errorf("encode a schema: %w", err)
	}
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		out, changed = records.SchemaSnapshot{}, false
		if err := lockConnection(ctx, tx, k.WorkspaceID, k.ConnectionID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			insert into crm_schemas (connection_id, object, workspace_id) values ($2, $3, $1) on conflict do nothing`,
			k.WorkspaceID, k.ConnectionID, k.Object); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `
			select v.version, v.document, v.changes, v.found_at, s.read_at
			from crm_schemas s join crm_schema_versions v on v.connection_id = s.connection_id and v.object = s.object and v.version = s.version
			where s.workspace_id = $1 and s.connection_id = $2 and s.object = $3 for update of s`, k.WorkspaceID, k.ConnectionID, k.Object)
		last, err := pgx.CollectExactlyOneRow(rows, scanSnapshot)
		first := errors.Is(err, pgx.ErrNoRows)
		if err != nil && !first {
			return err
		}
		out = last
		if first || !reflect.DeepEqual(last.Schema, read) {
			changed = true
			out = records.SchemaSnapshot{Version: last.Version + 1, Schema: read, Changes: []records.SchemaChange{}}
			if !first {
				out.Changes = append(out.Changes, diff(last.Schema, read)...)
			}
			changes, err := storableJSON(out.Changes)
			if err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, `
				insert into crm_schema_versions (connection_id, object, version, workspace_id, document, changes) values ($2, $3, $4, $1, $5, $6) returning found_at`,
				k.WorkspaceID, k.ConnectionID, k.Object, out.Version, document, changes).Scan(&out.FoundAt); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `
				delete from crm_schema_versions where workspace_id = $1 and connection_id = $2 and object = $3 and version <= $4`,
				k.WorkspaceID, k.ConnectionID, k.Object, out.Version-keepSchemas); err != nil {
				return err
			}
		}
		return tx.QueryRow(ctx, `
			update crm_schemas set version = $4, read_at = now(), next_at = now() + $5::interval, claimed_until = '-infinity', failure = '', failures = 0
			where workspace_id = $1 and connection_id = $2 and object = $3 returning read_at`,
			k.WorkspaceID, k.ConnectionID, k.Object, out.Version, next).Scan(&out.ReadAt)
	})
	out.FoundAt, out.ReadAt = out.FoundAt.UTC(), out.ReadAt.UTC()
	return out, changed, settingsError("keep a schema", err)
}

// FailSchema notes that the fields of an object could not be read, and has them read after wait. An empty failure is none: its
// turn had not come.
func (db *DB) FailSchema(ctx context.Context, k records.SchemaKey, failure string, wait time.Duration) error {
	_, err := db.pool.Exec(ctx, `
		update crm_schemas set failure = case when $4 = '' then failure else $4 end, failures = failures + case when $4 = '' then 0 else 1 end, next_at = now() + $5::interval, claimed_until = '-infinity'
		where workspace_id = $1 and connection_id = $2 and object = $3`, k.WorkspaceID, k.ConnectionID, k.Object, storable(failure), wait)
	return settingsError("note a schema that was not read", err)
}

// SchemaStates lists how far the watch over the objects of a connection is.
func (db *DB) SchemaStates(ctx context.Context, workspaceID, connectionID string) ([]records.SchemaState, error) {
	rows, _ := db.pool.Query(ctx, `
		select object, nullif(read_at, '-infinity'), nullif(next_at, '-infinity'), failure from crm_schemas
		where workspace_id = $1 and connection_id = $2 order by object`, workspaceID, connectionID)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s records.SchemaState, err error) {
		var read, next *time.Time
		err = row.Scan(&s.Object, &read, &next, &s.Failure)
		s.ReadAt, s.NextAt = orZero(read), orZero(next)
		return s, err
	})
	return all, settingsError("list schemas", err)
}
