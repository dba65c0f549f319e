package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/callsync/callsync/records"
)

const mappingColumns = `m.connection_id, m.object, m.version, m.document, m.author, m.note, m.created_at, a.version is not null`

func scanMapping(row pgx.CollectableRow) (m records.MappingVersion, err error) {
	err = row.Scan(&m.ConnectionID, &m.Object, &m.Version, &m.Document, &m.Author, &m.Note, &m.CreatedAt, &m.Active)
	m.CreatedAt = m.CreatedAt.UTC()
	return m, err
}

// ActiveMapping returns the mapping that is in force for an object of a connection. Errors: records.ErrNotFound.
func (db *DB) ActiveMapping(ctx context.Context, workspaceID, connectionID, object string) (records.MappingVersion, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+mappingColumns+` from mappings m
		join active_mappings a on a.connection_id = m.connection_id and a.object = m.object and a.version = m.version
		where m.workspace_id = $1 and m.connection_id = $2 and m.object = $3`, workspaceID, connectionID, object)
	m, err := pgx.CollectExactlyOneRow(rows, scanMapping)
	return m, settingsError("read the active mapping", err)
}

// MappingVersions lists all versions of a mapping, the newest first.
func (db *DB) MappingVersions(ctx context.Context, workspaceID, connectionID, object string) ([]records.MappingVersion, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+mappingColumns+` from mappings m
		left join active_mappings a on a.connection_id = m.connection_id and a.object = m.object and a.version = m.version
		where m.workspace_id = $1 and m.connection_id = $2 and m.object = $3 order by m.version desc`, workspaceID, connectionID, object)
	ms, err := pgx.CollectRows(rows, scanMapping)
	return ms, settingsError("list mapping versions", err)
}

// AddMappingVersion stores v as the next version of its connection's object, puts it in force and returns its number.
// Versions are never changed afterwards. Version and Active of v are not read. Errors: records.ErrNotFound for a
// connection that is not there, records.ErrOutdated if v.Base is not in force.
func (db *DB) AddMappingVersion(ctx context.Context, workspaceID string, v records.MappingVersion) (int, error) {
	var version int
	save := func(tx pgx.Tx) error {
		if v.Base > 0 {
			var current bool
			err := tx.QueryRow(ctx, `
				select exists (select from active_mappings a join mappings m using (connection_id, object, version)
				where m.workspace_id = $1 and m.connection_id = $2 and m.object = $3 and m.version = $4)`, workspaceID, v.ConnectionID, v.Object, v.Base).Scan(&current)
			if err != nil {
				return err
			}
			if !current {
				return records.ErrOutdated
			}
		}
		err := tx.QueryRow(ctx, `
			insert into mappings (connection_id, object, version, workspace_id, document, author, note, created_at)
			select $2, $3, coalesce(max(version), 0) + 1, $1, $4, $5, $6, $7 from mappings
			where workspace_id = $1 and connection_id = $2 and object = $3
			returning version`, workspaceID, v.ConnectionID, v.Object, v.Document, v.Author, v.Note, orNow(v.CreatedAt)).Scan(&version)
		if err != nil {
			return err
		}
		return activate(ctx, tx, workspaceID, v.ConnectionID, v.Object, version)
	}
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockConnection(ctx, tx, workspaceID, v.ConnectionID); err != nil {
			return err
		}
		if v.Author == records.MappingAuthor {
			return save(tx) // the default that comes with a new connection
		}
		return db.changingIn(ctx, tx, workspaceID, "mapping.save", audited{"mapping", v.ConnectionID, v.Object}, save)
	})
	return version, settingsError("add a mapping version", err)
}

// ActivateMapping puts an existing version in force. Errors: records.ErrNotFound.
func (db *DB) ActivateMapping(ctx context.Context, workspaceID, connectionID, object string, version int) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockConnection(ctx, tx, workspaceID, connectionID); err != nil {
			return err
		}
		return db.changingIn(ctx, tx, workspaceID, "mapping.activate", audited{"mapping", connectionID, object}, func(tx pgx.Tx) error {
			return activate(ctx, tx, workspaceID, connectionID, object, version)
		})
	})
	return settingsError("activate a mapping version", err)
}

func activate(ctx context.Context, tx pgx.Tx, workspaceID, connectionID, object string, version int) error {
	tag, err := tx.Exec(ctx, `
		insert into active_mappings (connection_id, object, version)
		select connection_id, object, version from mappings
		where workspace_id = $1 and connection_id = $2 and object = $3 and version = $4
		on conflict (connection_id, object) do update set version = excluded.version`, workspaceID, connectionID, object, version)
	if err == nil && tag.RowsAffected() == 0 {
		return pgx.ErrNoRows
	}
	return err
}
