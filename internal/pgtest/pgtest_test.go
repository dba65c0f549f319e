//go:build unix

package pgtest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, url string) (int, int, error) {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return 0, 0, err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "create table t (n int)")
		return 0, 1, err
	})
}

func TestEveryTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "b", "c"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := pgx.Connect(t.Context(), pgtest.New(t))
			require.NoError(t, err)
			defer conn.Close(context.Background())
			var n int
			require.NoError(t, conn.QueryRow(t.Context(), "insert into t values (1) returning (select count(*) from t)").Scan(&n))
			require.Zero(t, n)
		})
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), pgtest.Empty(t))
	require.NoError(t, err)
	// An open session does not keep the database from being dropped.
	_, err = conn.Exec(t.Context(), "select 1 from t")
	require.ErrorContains(t, err, "does not exist")
}
