package postgres

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/pgtest"
)

func files(sql ...string) fstest.MapFS {
	names := []string{"0001_one.sql", "0002_two.sql", "0003_three.sql"}
	out := fstest.MapFS{}
	for i, text := range sql {
		out["migrations/"+names[i]] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func TestMigrateIsRepeatable(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	want, err := SchemaVersion()
	require.NoError(t, err)
	from, to, err := Migrate(t.Context(), url)
	require.NoError(t, err)
	require.Equal(t, []int{0, want}, []int{from, to})
	from, to, err = Migrate(t.Context(), url)
	require.NoError(t, err)
	require.Equal(t, []int{want, want}, []int{from, to})
}

func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	var wg sync.WaitGroup
	done := make(chan int, 4)
	for range 4 {
		wg.Go(func() {
			from, to, err := Migrate(context.Background(), url)
			if err != nil {
				t.Error(err)
			}
			done <- to - from
		})
	}
	wg.Wait()
	close(done)
	sum := 0
	for n := range done {
		sum += n
	}
	want, err := SchemaVersion()
	require.NoError(t, err)
	require.Equal(t, want, sum, "each migration ran once")
}

func TestMigrateStopsAtTheFailingFile(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	from, to, err := migrate(t.Context(), url, files("create table a (n int)", "create table b (n int); select 1/0"))
	require.ErrorContains(t, err, "0002_two.sql")
	require.Equal(t, []int{0, 1}, []int{from, to})
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "select from b")
	require.ErrorContains(t, err, "does not exist", "a failing file leaves nothing")

	from, to, err = migrate(t.Context(), url, files("create table a (n int)", "create table b (n int)"))
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, []int{from, to})
}

func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	_, _, err := migrate(t.Context(), url, files("select 1", "select 2"))
	require.NoError(t, err)
	_, _, err = migrate(t.Context(), url, files("select 1"))
	require.ErrorContains(t, err, "newer")
	_, _, err = migrate(t.Context(), url, files("select 1", "select 3", "select 4"))
	require.ErrorContains(t, err, "another text")
	_, err = migrations(fstest.MapFS{"migrations/0002_one.sql": {}, "migrations/0002_two.sql": {}})
	require.ErrorContains(t, err, "want a number after 2")
}

func TestMigrateErrorHidesThePassword(t *testing.T) {
	t.Parallel()
	_, _, err := Migrate(t.Context(), "postgres://user:hunter2@127.0.0.1:1/none?sslmode=disable")
	require.Error(t, err)
	require.False(t, strings.Contains(err.Error(), "hunter2"))
}
