//go:build unix

// Package pgtest gives tests databases of a real PostgreSQL. A test binary starts one private server, when its first
// test asks, and every test gets a migrated database of its own.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/callsync/callsync/internal/pglocal"
)

// ServerEnv names the environment variable with the URL of a server to use in place of a private one. Its user must be
// allowed to create databases.
const ServerEnv = "CALLSYNC_TEST_DATABASE_URL"

// MigrateFunc is postgres.Migrate; a parameter, so that the tests of package postgres can use pgtest too.
type MigrateFunc func(ctx context.Context, url string) (from, to int, err error)

var shared struct {
	sync.Mutex
	migrate  MigrateFunc
	started  bool
	err      error
	server   *pglocal.Server
	base     string
	template string
}

// Main runs the tests of a package and exits; call it from TestMain with postgres.Migrate. It starts nothing until a
// test calls New, and leaves nothing behind.
func Main(m *testing.M, migrate MigrateFunc) { os.Exit(Run(m, migrate)) }

// Run is Main for a TestMain with something left to do before it exits with the returned code.
func Run(m *testing.M, migrate MigrateFunc) int {
	shared.migrate = migrate
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// New returns the URL of a fresh, migrated database for the test, which is dropped when the test ends.
func New(t testing.TB) string {
	t.Helper()
	return database(t, true)
}

// Empty returns the URL of a fresh database without a schema, which is dropped when the test ends.
func Empty(t testing.TB) string {
	t.Helper()
	return database(t, false)
}

func database(t testing.TB, migrated bool) string {
	t.Helper()
	ctx := t.Context()
	if err := start(ctx); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	name := "callsync_test_" + strings.ToLower(rand.Text())
	template := ""
	if migrated {
		template = shared.template
	}
	if err := create(ctx, name, template); err != nil {
		t.Fatalf("pgtest: create a database: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context has ended.
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := drop(ctx, name); err != nil {
			t.Errorf("pgtest: drop a database: %v", err)
		}
	})
	return withDatabase(shared.base, name)
}

// start makes the server and the template database once.
func start(ctx context.Context) error {
	shared.Lock()
	defer shared.Unlock()
	if !shared.started {
		shared.started = true
		shared.err = startOnce(ctx)
	}
	return shared.err
}

func startOnce(ctx context.Context) error {
	if shared.migrate == nil {
		return errors.New("the package has no TestMain that calls pgtest.Main")
	}
	if shared.base = os.Getenv(ServerEnv); shared.base == "" {
		// Tests that were killed could not remove theirs.
		for _, in := range []string{os.TempDir(), memory} {
			pglocal.RemoveAbandoned(filepath.Join(in, "callsync-pgtest-*"))
		}
		dir, err := os.MkdirTemp(place(), "callsync-pgtest-")
		if err != nil {
			return err
		}
		shared.server, err = pglocal.Start(ctx, pglocal.Options{Dir: dir})
		if err != nil {
			os.RemoveAll(dir)
			return err
		}
		shared.base = shared.server.URL("postgres")
	}
	shared.template = "callsync_template_" + strings.ToLower(rand.Text())
	if err := create(ctx, shared.template, ""); err != nil {
		return err
	}
	_, _, err := shared.migrate(ctx, withDatabase(shared.base, shared.template))
	return err
}

// memory is where Linux has a file system in memory.
const memory = "/dev/shm"

// place is where the server's folder goes: into memory where that has room for more than the tests ever use. A disk's file
// system needs several times as long as PostgreSQL itself to make and remove the 300 files of each test's database.
func place() string {
	const room = 2 << 30
	if free(memory) > room {
		return memory
	}
	return os.TempDir()
}

func stop() error {
	shared.Lock()
	defer shared.Unlock()
	switch {
	case shared.server != nil:
		return shared.server.Discard()
	case shared.template != "":
		return drop(context.Background(), shared.template)
	}
	return nil
}

func create(ctx context.Context, name, template string) error {
	sql := "create database " + pgx.Identifier{name}.Sanitize()
	if template != "" {
		sql += " template " + pgx.Identifier{template}.Sanitize()
		if shared.server != nil {
			// Copying files costs less than writing them into the log, where a checkpoint need not wait for a disk.
			sql += " strategy file_copy"
		}
	}
	for {
		err := admin(ctx, sql)
		// The session that migrated the template may still be ending.
		const objectInUse = "55006"
		pg, ok := errors.AsType[*pgconn.PgError](err)
		if !ok || pg.Code != objectInUse || ctx.Err() != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func drop(ctx context.Context, name string) error {
	return admin(ctx, "drop database if exists "+pgx.Identifier{name}.Sanitize()+" with (force)")
}

func admin(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, shared.base)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql)
	return err
}

func withDatabase(base, name string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	u.Path = "/" + name
	return u.String()
}
