package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// look runs what a page asks for. It is planned for the very workspace, words and span that are asked about: a plan that the
// server keeps for all of them reads every receipt to find the few of a small workspace, or every call to find one word.
// What callsync does with each webhook and delivery goes by keys and keeps its plans.
func (db *DB) look(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return db.pool.Query(ctx, sql, append([]any{pgx.QueryExecModeDescribeExec}, args...)...)
}

// lookRow is look for one row.
func (db *DB) lookRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return db.pool.QueryRow(ctx, sql, append([]any{pgx.QueryExecModeDescribeExec}, args...)...)
}
