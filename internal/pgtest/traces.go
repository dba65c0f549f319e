//go:build unix

package pgtest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Querier is a connection, or a pool of them.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Tables lists the tables of a callsync database. A table of parts is one.
func Tables(ctx context.Context, q Querier) ([]string, error) {
	rows, _ := q.Query(ctx, `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
		and relname <> 'schema_migrations' order by 1`)
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Traces counts, table by table, the rows that name one of some ids, in whatever column and at whatever depth: "calls: 3".
// It reads whole tables, which only tests can afford. The audit log, which forgets nothing, is left out.
func Traces(ctx context.Context, q Querier, ids ...string) (found []string, err error) {
	tables, err := Tables(ctx, q)
	if err != nil {
		return nil, err
	}
	patterns := make([]string, len(ids))
	for i, id := range ids {
		patterns[i] = "%" + id + "%"
	}
	for _, table := range tables {
		if table == "audit_log" {
			continue
		}
		rows, _ := q.Query(ctx, `select count(*) from `+pgx.Identifier{table}.Sanitize()+` t where to_jsonb(t)::text like any($1)`, patterns)
		n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
		if err != nil {
			return nil, fmt.Errorf("look for traces in %s: %w", table, err)
		}
		if n > 0 {
			found = append(found, fmt.Sprintf("%s: %d", table, n))
		}
	}
	return found, nil
}
