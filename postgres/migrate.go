package postgres

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrationLock is the key of the advisory lock that one migrating process holds at a time.
const migrationLock = 0x63616c6c73796e63 // "callsync"

// SchemaVersion is the version of the schema that this binary was built for.
func SchemaVersion() (int, error) {
	all, err := migrations(migrationFiles)
	if err != nil {
		return 0, err
	}
	return newest(all), nil
}

// newest is the version that the last migration leads to.
func newest(all []migration) int {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].version
}

// Migrate brings the database at url to the schema of this binary and returns the versions before and after. Each file
// runs in a transaction of its own. Several processes may call it at once: one migrates, the others wait and then find
// nothing to do. It refuses a database that a newer binary migrated, or whose migrations were not the ones of this
// binary, and changes nothing then.
func Migrate(ctx context.Context, url string) (from, to int, err error) {
	return migrate(ctx, url, migrationFiles)
}

func migrate(ctx context.Context, url string, files fs.FS) (from, to int, err error) {
	all, err := migrations(files)
	if err != nil {
		return 0, 0, err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, 0, fmt.Errorf("postgres: migrate: %w", err)
	}
	// Closing the session also gives the lock back.
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return 0, 0, fmt.Errorf("postgres: migrate: wait for the lock: %w", err)
	}
	applied, err := appliedMigrations(ctx, conn)
	if err != nil {
		return 0, 0, err
	}
	from = newest(applied)
	if len(applied) > len(all) {
		return from, from, fmt.Errorf("postgres: migrate: the database is at version %d and this binary knows only %d: run the newer callsync", from, newest(all))
	}
	for i, a := range applied {
		if a.version != all[i].version || a.checksum != all[i].checksum {
			return from, from, fmt.Errorf("postgres: migrate: version %d (%s) was applied with another text than this binary has", a.version, a.name)
		}
	}
	to = from
	for _, m := range all[len(applied):] {
		if err := apply(ctx, conn, m); err != nil {
			return from, to, err
		}
		to = m.version
	}
	return from, to, nil
}

// migration is one numbered file: 0001_init.sql.
type migration struct {
	version  int
	name     string
	sql      string
	checksum string
}

// migrations reads the files, whose numbers rise. A number may be missing: those who work at the same time have one each.
func migrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, file := range names {
		name := path.Base(file)
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil || version <= newest(all) {
			return nil, fmt.Errorf("postgres: migration %s: want a number after %d", name, newest(all))
		}
		sql, err := fs.ReadFile(files, file)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(sql)
		all = append(all, migration{version: version, name: name, sql: string(sql), checksum: hex.EncodeToString(sum[:])})
	}
	return all, nil
}

// appliedMigrations reads what the database has, and makes the table that says so.
func appliedMigrations(ctx context.Context, conn *pgx.Conn) ([]migration, error) {
	const table = `create table if not exists schema_migrations (
    version     integer primary key,
    name        text not null,
    checksum    text not null,
    applied_at  timestamptz not null default now()
)`
	if _, err := conn.Exec(ctx, table); err != nil {
		return nil, fmt.Errorf("postgres: migrate: %w", err)
	}
	rows, err := conn.Query(ctx, "select version, name, checksum from schema_migrations order by version")
	if err != nil {
		return nil, fmt.Errorf("postgres: migrate: %w", err)
	}
	applied, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m migration, err error) {
		err = row.Scan(&m.version, &m.name, &m.checksum)
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: migrate: %w", err)
	}
	return applied, nil
}

// apply runs one migration and records it, or does neither.
func apply(ctx context.Context, conn *pgx.Conn, m migration) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// Without arguments the simple protocol is used, which takes many statements at once.
		if _, err := tx.Exec(ctx, m.sql); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "insert into schema_migrations (version, name, checksum) values ($1, $2, $3)", m.version, m.name, m.checksum)
		return err
	})
	if err != nil {
		return fmt.Errorf("postgres: migration %s: %w", m.name, err)
	}
	return nil
}

// CheckSchema returns an error that says what to do if the database has not the schema of this binary.
func (db *DB) CheckSchema(ctx context.Context) error {
	want, err := SchemaVersion()
	if err != nil {
		return err
	}
	var table *string
	if err := db.pool.QueryRow(ctx, "select to_regclass('schema_migrations')::text").Scan(&table); err != nil {
		return fmt.Errorf("postgres: read the schema's version: %w", err)
	}
	have := 0
	if table != nil {
		if err := db.pool.QueryRow(ctx, "select coalesce(max(version), 0) from schema_migrations").Scan(&have); err != nil {
			return fmt.Errorf("postgres: read the schema's version: %w", err)
		}
	}
	if have < want {
		return fmt.Errorf("postgres: the database is at version %d of the schema and this binary needs %d: run callsync migrate", have, want)
	}
	return nil
}
