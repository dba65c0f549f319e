package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/iancoleman/strcase"
	"github.com/jmoiron/sqlx"
	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/serialization"
	serversql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql/driver"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/schema"
	postgresschema "go.temporal.io/server/schema/postgresql/v12"
	"google.golang.org/protobuf/types/known/durationpb"
)

// store is one of Temporal's two databases.
type store struct {
	cfg *config.SQL
	// schemaFile is where the server embeds the store's schema, and version is that schema's.
	schemaFile, version string
}

// errBadURL takes the place of the parser's error, which would repeat the URL and with it the password.
var errBadURL = errors.New("the PostgreSQL URL cannot be read")

// stores describes the two databases on the server of postgresURL: database and database_visibility.
func stores(postgresURL, database string) (main, visibility store, err error) {
	u, err := url.Parse(postgresURL)
	if err != nil {
		return store{}, store{}, errBadURL
	}
	main = store{sqlConfig(u, database), "postgresql/v12/temporal/schema.sql", postgresschema.Version}
	visibility = store{sqlConfig(u, database+"_visibility"), "postgresql/v12/visibility/schema.sql", postgresschema.VisibilityVersion}
	return main, visibility, nil
}

func sqlConfig(server *url.URL, database string) *config.SQL {
	return &config.SQL{
		PluginName:   postgresql.PluginNamePGX,
		DatabaseName: database,
		// Connect takes the whole URL, so that every form PostgreSQL knows works (TLS, sockets, service files). Each of
		// the four services has a pool of its own.
		Connect: func(cfg *config.SQL) (*sqlx.DB, error) {
			u := *server
			u.Path = "/" + cfg.DatabaseName
			db, err := (&driver.PGXDriver{}).CreateConnection(u.String())
			if err != nil {
				return nil, err
			}
			db.SetMaxOpenConns(20)
			db.SetMaxIdleConns(20)
			db.SetConnMaxLifetime(time.Hour)
			// As the plugin's own sessions name columns.
			db.MapperFunc(strcase.ToSnake)
			return db, nil
		},
	}
}

// prepare makes the database and its schema where they do not exist.
func (s store) prepare(server string) error {
	u, err := url.Parse(server)
	if err != nil {
		return errBadURL
	}
	if err := createDatabase(sqlConfig(u, strings.TrimPrefix(u.Path, "/")), s.cfg.DatabaseName); err != nil {
		return fmt.Errorf("create database %s: %w", s.cfg.DatabaseName, err)
	}
	db, err := s.cfg.Connect(s.cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(versionTable); err != nil {
		return err
	}
	var version string
	switch err := db.Get(&version, "select curr_version from schema_version where version_partition = 0 and db_name = $1", s.cfg.DatabaseName); {
	case errors.Is(err, sql.ErrNoRows):
		return s.makeSchema(db)
	case err != nil:
		return err
	case version != s.version:
		return fmt.Errorf("database %s has schema %s and this server needs %s: drop it (no call is lost, callsync signals again what is open), or update it with temporal-sql-tool", s.cfg.DatabaseName, version, s.version)
	}
	return nil
}

// versionTable is where the server looks for the version of its schema; temporal-sql-tool makes it so.
const versionTable = `create table if not exists schema_version (
    version_partition       int not null,
    db_name                 varchar(255) not null,
    creation_time           timestamp,
    curr_version            varchar(64),
    min_compatible_version  varchar(64),
    primary key (version_partition, db_name)
)`

func createDatabase(from *config.SQL, name string) error {
	db, err := from.Connect(from)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(`create database "` + strings.ReplaceAll(name, `"`, `""`) + `"`)
	if (&driver.PGXDriver{}).IsDupDatabaseError(err) {
		return nil
	}
	return err
}

// makeSchema makes the whole schema or, if it is interrupted, nothing.
func (s store) makeSchema(db *sqlx.DB) error {
	text, err := fs.ReadFile(schema.Assets(), s.schemaFile)
	if err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec(string(text)); err != nil {
		return fmt.Errorf("make the schema of %s: %w", s.cfg.DatabaseName, err)
	}
	const record = "insert into schema_version (version_partition, db_name, creation_time, curr_version, min_compatible_version) values (0, $1, now(), $2, $2)"
	if _, err := tx.Exec(record, s.cfg.DatabaseName, s.version); err != nil {
		return err
	}
	return tx.Commit()
}

// createNamespace writes the namespace into the store before the server starts, so that it is there at once: made
// through the server, it would be seen only after the services' caches have been refreshed.
func createNamespace(ctx context.Context, cfg *config.SQL, cluster, name string, retention time.Duration) error {
	db, err := serversql.NewSQLDB(sqlplugin.DbKindMain, cfg, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.SelectFromNamespace(ctx, sqlplugin.NamespaceFilter{Name: &name})
	if err == nil && len(rows) > 0 {
		return nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	id := primitives.NewUUID()
	blob, err := serialization.NewSerializer().NamespaceDetailToBlob(&persistencespb.NamespaceDetail{
		Info: &persistencespb.NamespaceInfo{Id: id.String(), Name: name, State: enumspb.NAMESPACE_STATE_REGISTERED},
		Config: &persistencespb.NamespaceConfig{
			Retention:               durationpb.New(retention),
			HistoryArchivalState:    enumspb.ARCHIVAL_STATE_DISABLED,
			VisibilityArchivalState: enumspb.ARCHIVAL_STATE_DISABLED,
		},
		ReplicationConfig: &persistencespb.NamespaceReplicationConfig{ActiveClusterName: cluster, Clusters: []string{cluster}},
		FailoverVersion:   common.EmptyVersion, FailoverNotificationVersion: -1,
	})
	if err != nil {
		return err
	}
	_, err = db.InsertIntoNamespace(ctx, &sqlplugin.NamespaceRow{
		ID: id, Name: name, Data: blob.GetData(), DataEncoding: blob.GetEncodingType().String(),
	})
	return err
}
