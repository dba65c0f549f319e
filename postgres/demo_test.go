package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/records"
)

// ofWorkspace are the tables that hold nothing of a source, a connection or a call. A new table is named here, or has a row of
// the demo in TestRemoveDemo, made by the names of its columns.
var ofWorkspace = strings.Fields(`access_counts alert_channels alert_settings alert_watch api_tokens audit_log invitations known_browsers memberships own_numbers password_links
	receipt_hours sessions users workspaces`)

// meant tells what a column refers to, by its name.
var meant = map[string][]string{
	"source_id": {"source"}, "connection_id": {"connection"}, "call_id": {"call"}, "record_id": {"call"}, "delivery_id": {"delivery"}, "follow_up_id": {"follow_up"}, "closed_by": {"call"},
	"receipt_id": {"receipt"}, "recording_id": {"recording"}, "pull_id": {"pull"}, "alert_id": {"alert"}, "resync_id": {"resync"}, "cursor_id": {"call"},
	// Of one or the other.
	"owner_id": {"source", "connection"}, "object_id": {"source", "connection"},
	// Rows of a workspace.
	"workspace_id": {"workspace"}, "channel_id": {"channel"},
	"user_id": {"user"}, "session_id": {"session"},
	// Marks that refer to nothing.
	"lease": nil, "attempt_token": nil, "merged_into": nil,
}

// known is what the rows of a table are.
var known = map[string]string{"sources": "source", "connections": "connection", "calls": "call", "deliveries": "delivery", "follow_ups": "follow_up", "receipts": "receipt",
	"recordings": "recording", "source_pulls": "pull", "alerts": "alert", "resyncs": "resync"}

// world is what one owner of rows has, by what it is.
type world map[string]string

func newWorld(of world) world {
	w := world{}
	for _, what := range known {
		w[what] = newID()
	}
	for _, what := range []string{"workspace", "channel", "user", "session"} {
		w[what] = newID()
	}
	maps.Copy(w, of)
	return w
}

type column struct{ table, name, kind string }

// A row of the demo in every table that can have one, and one of the workspace's own, and one of another workspace's demo: the
// first go, and nothing else changes.
func TestRemoveDemo(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), pgtest.New(t), plainSealer{}, Options{MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	conn, err := db.pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	loosen(t, conn.Conn())

	own, other := newWorld(nil), newWorld(nil)
	mine := newWorld(world{"workspace": own["workspace"], "channel": own["channel"], "user": own["user"], "session": own["session"]})
	columns := columnsOf(t, conn.Conn())
	tables, err := pgtest.Tables(t.Context(), conn.Conn())
	require.NoError(t, err)
	for _, table := range tables {
		if slices.Contains(ofWorkspace, table) {
			continue
		}
		var refers []string
		for _, c := range columns[table] {
			if what, ok := meant[c.name]; ok && c.name != "workspace_id" {
				refers = append(refers, what...)
			} else if c.kind == "uuid" && c.name != "id" {
				require.True(t, ok, "%s.%s is new: say in this test what it refers to", table, c.name)
			}
		}
		require.False(t, known[table] == "" && len(refers) == 0, "the table %s is new: say in this test that it holds nothing of the demo, or what its columns refer to", table)
		for i, w := range []world{own, mine, other} {
			fill(t, conn.Conn(), table, columns[table], w, i > 0)
		}
	}
	// What is the workspace's own may name the demo.
	exec := func(sql string, args ...any) {
		_, err := conn.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	exec(`update resync_calls set resync_id = $2 where call_id = $1`, mine["call"], own["resync"])
	for _, table := range []string{"sources", "resyncs"} {
		exec(`update `+table+` set connections = $2 where id = $1`, own[known[table]], []string{mine["connection"], own["connection"]})
		exec(`update `+table+` set connections = $2 where id = $1`, mine[known[table]], []string{mine["connection"]})
	}
	exec(`insert into workspaces (id, name) values ($1, 'Own'), ($2, 'Other')`, own["workspace"], other["workspace"])
	exec(`set session_replication_role = origin`)

	before := dump(t, conn.Conn(), tables)
	require.NoError(t, db.RemoveDemo(t.Context(), own["workspace"]))
	after := dump(t, conn.Conn(), tables)
	demo := slices.Collect(maps.Values(mine))
	demo = slices.DeleteFunc(demo, func(id string) bool { return slices.Contains(slices.Collect(maps.Values(own)), id) })
	for _, table := range tables {
		want := []string{}
		for _, row := range before[table] {
			// What is left out of a list of the workspace's own is no change of it.
			row = strings.ReplaceAll(row, `"connections": ["`+mine["connection"]+`", `, `"connections": [`)
			if !slices.ContainsFunc(demo, func(id string) bool { return strings.Contains(row, id) }) {
				want = append(want, row)
			}
		}
		switch table {
		case "audit_log", "receipt_hours":
			require.Len(t, after[table], 1, "%s: that it is gone is noted, and what was counted is counted no more", table)
		case "recording_blobs":
			require.Equal(t, len(want)+1, len(after[table]), "the row of a file goes with the file")
			var doomed int
			require.NoError(t, conn.QueryRow(t.Context(), `select count(*) from recording_blobs where recording_id = $1 and doomed_at is not null`, mine["recording"]).Scan(&doomed))
			require.Equal(t, 1, doomed)
		default:
			require.Equal(t, want, after[table], "what is left in %s", table)
			if !slices.Contains(ofWorkspace, table) {
				require.Less(t, len(want), len(before[table]), "%s had nothing of the demo", table)
			}
		}
	}
	require.NoError(t, db.RemoveDemo(t.Context(), own["workspace"]), "there is none any more")
	require.Equal(t, after, dump(t, conn.Conn(), tables))
}

// loosen lets rows be made up: their values need not make sense together.
func loosen(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	rows, _ := conn.Query(t.Context(), `select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint
		where contype = 'c' and connamespace = 'public'::regnamespace and coninhcount = 0 and conrelid <> 0`)
	drops, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.NotEmpty(t, drops)
	for _, drop := range append(drops, `set session_replication_role = replica`) {
		_, err := conn.Exec(t.Context(), drop)
		require.NoError(t, err)
	}
}

// columnsOf are those of every table that a row must have: what refers to something, and what may not be empty.
func columnsOf(t *testing.T, conn *pgx.Conn) map[string][]column {
	t.Helper()
	rows, _ := conn.Query(t.Context(), `select c.table_name, c.column_name, c.udt_name, c.is_nullable = 'NO' and c.column_default is null
		from information_schema.columns c where c.table_schema = 'public' and c.is_generated = 'NEVER' and c.is_identity = 'NO' order by 1, c.ordinal_position`)
	out := map[string][]column{}
	var c column
	var needed bool
	_, err := pgx.ForEachRow(rows, []any{&c.table, &c.name, &c.kind, &needed}, func() error {
		if needed || c.kind == "uuid" {
			out[c.table] = append(out[c.table], c)
		}
		return nil
	})
	require.NoError(t, err)
	return out
}

// fill makes the rows of a world in a table: one, or one for each thing that its columns may refer to.
func fill(t *testing.T, conn *pgx.Conn, table string, columns []column, w world, demo bool) {
	t.Helper()
	many := 1
	for _, c := range columns {
		many = max(many, len(meant[c.name]))
	}
	for i := range many {
		var names, values []string
		for _, c := range columns {
			value := ""
			what, refers := meant[c.name]
			switch {
			case c.name == "id" && known[table] != "" && i == 0:
				value = w[known[table]]
			case c.name == "provider" || c.name == "connector":
				value = map[bool]string{true: records.Demo, false: "some"}[demo]
			case refers && c.kind == "uuid" && len(what) == 0:
				continue
			case refers && c.kind == "uuid":
				value = w[what[i%len(what)]]
			default:
				value = made(t, c)
			}
			names, values = append(names, pgx.Identifier{c.name}.Sanitize()), append(values, "'"+value+"'::"+pgx.Identifier{c.kind}.Sanitize())
		}
		_, err := conn.Exec(t.Context(), fmt.Sprintf("insert into %s (%s) values (%s)", pgx.Identifier{table}.Sanitize(), strings.Join(names, ", "), strings.Join(values, ", ")))
		require.NoError(t, err, "a row of %s", table)
	}
}

// made is some value of a column.
func made(t *testing.T, c column) string {
	t.Helper()
	switch c.kind {
	case "uuid":
		return newID()
	case "text":
		return newID()[24:]
	case "jsonb":
		return "{}"
	case "bytea":
		return `\x` + strings.ReplaceAll(newID(), "-", "")
	case "timestamptz":
		return time.Now().UTC().Format(time.RFC3339)
	case "date":
		return time.Now().UTC().Format(time.DateOnly)
	case "int2", "int4", "int8", "float8":
		return "1"
	case "bool":
		return "false"
	case "char":
		return "a"
	case "tsvector":
		return ""
	}
	if strings.HasPrefix(c.kind, "_") {
		return "{}"
	}
	require.Fail(t, "a column of a new type: make a value of it", "%s.%s %s", c.table, c.name, c.kind)
	return ""
}

// dump is all that stands in some tables.
func dump(t *testing.T, conn *pgx.Conn, tables []string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, table := range tables {
		rows, _ := conn.Query(context.Background(), `select to_jsonb(t)::text from `+pgx.Identifier{table}.Sanitize()+` t order by 1`)
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		out[table] = all
	}
	return out
}
