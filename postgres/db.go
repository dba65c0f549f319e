// Package postgres keeps the facts of callsync in PostgreSQL: pgx stores, one file an aggregate, all of them methods of
// DB. It implements the interfaces that the packages above declare; it imports none of them.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/callsync/callsync/records"
)

// Sealer encrypts what must not be readable in a dump of the database. The context ("source/<id>") binds a sealed value
// to its row, so that it cannot be moved to another one.
type Sealer interface {
	Seal(plain []byte, context string) ([]byte, error)
	Open(sealed []byte, context string) ([]byte, error)
}

// DB is the product's database. Its methods are safe for concurrent use.
type DB struct {
	pool   *pgxpool.Pool
	sealer Sealer
	news   liveNews
	clocks clockNews
}

// Options bound what one process may ask of the server. Zero members mean the defaults.
type Options struct {
	// MaxConns is how many connections the pool may open; 12 by default.
	MaxConns int32
	// StatementTimeout bounds one statement on the server; 30 seconds by default.
	StatementTimeout time.Duration
	// ApplicationName is shown in pg_stat_activity; "callsync" by default.
	ApplicationName string
}

// Open connects to the database at url (a postgres:// URL or a keyword string) and answers once it has been reached.
// The error never holds the URL, which may carry a password.
func Open(ctx context.Context, url string, sealer Sealer, opts Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx redacts the password, but a URL it could not parse may hold it elsewhere.
		return nil, errors.New("postgres: DATABASE_URL is not a PostgreSQL URL")
	}
	cfg.MaxConns = 12
	if opts.MaxConns > 0 {
		cfg.MaxConns = opts.MaxConns
	}
	if opts.StatementTimeout <= 0 {
		opts.StatementTimeout = 30 * time.Second
	}
	if opts.ApplicationName == "" {
		opts.ApplicationName = "callsync"
	}
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	p := cfg.ConnConfig.RuntimeParams
	p["application_name"] = opts.ApplicationName
	p["timezone"] = "UTC"
	p["statement_timeout"] = fmt.Sprint(opts.StatementTimeout.Milliseconds())
	// A worker that hangs inside a transaction must not hold back vacuum, which keeps the inbox small.
	p["idle_in_transaction_session_timeout"] = "60000"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres: open: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("postgres: connect: %w", err)
	}
	db := &DB{pool: pool, sealer: sealer}
	db.startLiveNews()
	db.startClockNews()
	return db, nil
}

// Close tells what is still to be told, waits for the connections in use and closes them all.
func (db *DB) Close() {
	db.news.close()
	db.clocks.close()
	db.pool.Close()
}

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.pool.Ping(ctx) }

// newID makes the id of a row: a UUIDv7, so that ids sort by the time they were made.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// rowError turns the errors a caller must tell apart into those of package records.
func rowError(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return records.ErrNotFound
	case errors.As(err, &pg) && pg.Code == "23505":
		return fmt.Errorf("%w (%s)", records.ErrConflict, pg.ConstraintName)
	}
	return err
}

// retriable tells whether the server rolled a transaction back for its neighbours' sake: a deadlock, a serialization
// failure, or a lock that took too long.
func retriable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "40001", "40P01", "55P03":
			return true
		}
	}
	return errors.Is(err, errAgain)
}

// errAgain asks inTx to run its function once more in a new transaction.
var errAgain = errors.New("postgres: the rows changed meanwhile")

// inTx runs f in a transaction, and again where its neighbours made the server roll it back. f must not keep anything
// from a run that failed.
func (db *DB) inTx(ctx context.Context, f func(pgx.Tx) error) error {
	var err error
	for try := range 8 {
		if try > 0 {
			wait := time.Duration(1+rand.IntN(10<<try)) * time.Millisecond
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
		}
		err = pgx.BeginFunc(ctx, db.pool, f)
		if err == nil || !retriable(err) {
			return err
		}
	}
	return err
}
