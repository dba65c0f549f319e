package postgres

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// schemaRig is a connection with a mapping of calls in force.
func schemaRig(t *testing.T) (*settingsRig, records.SchemaKey) {
	t.Helper()
	r := newSettingsRig(t)
	c := r.newConnection()
	require.NoError(t, r.CreateConnection(r.ctx, c))
	_, err := r.AddMappingVersion(r.ctx, r.ws, records.MappingVersion{ConnectionID: c.ID, Object: "call", Document: "x"})
	require.NoError(t, err)
	return r, records.SchemaKey{WorkspaceID: r.ws, ConnectionID: c.ID, Object: "call"}
}

func fieldsOf(names ...string) records.Schema {
	s := records.Schema{Object: "call", Fields: []records.SchemaField{}}
	for _, n := range names {
		s.Fields = append(s.Fields, records.SchemaField{Name: n, Label: n + " \x00", Type: records.SchemaText})
	}
	return s
}

func TestSchemaVersions(t *testing.T) {
	t.Parallel()
	r, key := schemaRig(t)
	_, err := r.Schema(r.ctx, key)
	require.ErrorIs(t, err, records.ErrNotFound)
	put := func(s records.Schema) (records.SchemaSnapshot, bool) {
		t.Helper()
		out, changed, err := r.PutSchema(r.ctx, key, s, time.Hour, mappings.DiffSchemas)
		require.NoError(t, err)
		return out, changed
	}
	first, changed := put(fieldsOf("a", "b"))
	require.True(t, changed)
	require.Equal(t, 1, first.Version)
	require.Empty(t, first.Changes)
	again, changed := put(fieldsOf("a", "b"))
	require.False(t, changed, "what is the same is no version, even where the database cannot keep a character")
	require.Equal(t, 1, again.Version)
	second, changed := put(fieldsOf("a"))
	require.True(t, changed)
	require.Equal(t, 2, second.Version)
	require.Equal(t, "removed", second.Changes[0].Kind)
	require.Equal(t, "b", second.Changes[0].Field)
	have, err := r.Schema(r.ctx, key)
	require.NoError(t, err)
	require.Equal(t, second, have)
	all, err := r.Schemas(r.ctx, key)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Len(t, all[1].Schema.Fields, 2)
	for i := range keepSchemas + 5 {
		put(fieldsOf(string(rune('c' + i))))
	}
	all, err = r.Schemas(r.ctx, key)
	require.NoError(t, err)
	require.Len(t, all, keepSchemas)
	require.Equal(t, 2+keepSchemas+5, all[0].Version)

	// Another workspace sees and makes nothing.
	theirs := key
	theirs.WorkspaceID = r.other
	_, err = r.Schema(r.ctx, theirs)
	require.ErrorIs(t, err, records.ErrNotFound)
	_, _, err = r.PutSchema(r.ctx, theirs, fieldsOf("z"), time.Hour, mappings.DiffSchemas)
	require.ErrorIs(t, err, records.ErrNotFound)
	states, err := r.SchemaStates(r.ctx, r.other, key.ConnectionID)
	require.NoError(t, err)
	require.Empty(t, states)
	states, err = r.SchemaStates(r.ctx, r.ws, key.ConnectionID)
	require.NoError(t, err)
	require.Len(t, states, 1)
	require.True(t, states[0].NextAt.After(states[0].ReadAt))
}

// One process reads an object at a time, and an object that was read is not due before its time.
func TestClaimSchemas(t *testing.T) {
	t.Parallel()
	r, key := schemaRig(t)
	connector := r.newConnection().Connector
	var mu sync.Mutex
	claims := 0
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			keys, err := r.ClaimSchemas(r.ctx, []string{connector}, 10, time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				claims += len(keys)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, claims)
	none, err := r.ClaimSchemas(r.ctx, []string{"another"}, 10, time.Minute)
	require.NoError(t, err)
	require.Empty(t, none)

	claim := func() int {
		t.Helper()
		keys, err := r.ClaimSchemas(r.ctx, []string{connector}, 10, 0)
		require.NoError(t, err)
		return len(keys)
	}
	_, _, err = r.PutSchema(r.ctx, key, fieldsOf("a"), time.Hour, mappings.DiffSchemas)
	require.NoError(t, err)
	require.Zero(t, claim())
	require.NoError(t, r.AskSchema(r.ctx, key, time.Hour))
	require.Zero(t, claim(), "it was read just now")
	theirs := key
	theirs.WorkspaceID = r.other
	require.NoError(t, r.AskSchema(r.ctx, theirs, 0))
	require.Zero(t, claim())
	require.NoError(t, r.AskSchema(r.ctx, key, 0))
	require.Equal(t, 1, claim())
	require.NoError(t, r.FailSchema(r.ctx, key, "The CRM does not answer.", time.Hour))
	require.Zero(t, claim())
	require.NoError(t, r.AskSchema(r.ctx, key, 0))
	require.Zero(t, claim(), "a CRM that does not answer is not asked the more often")
	states, err := r.SchemaStates(r.ctx, r.ws, key.ConnectionID)
	require.NoError(t, err)
	require.Equal(t, "The CRM does not answer.", states[0].Failure)
}

func TestSchemaIssues(t *testing.T) {
	t.Parallel()
	r, key := schemaRig(t)
	gone := records.SchemaIssue{Field: "b", Code: "unknown_field", Blocking: true, Text: "It is gone.", Suggestion: "c"}
	loss := records.SchemaIssue{Field: "a", Code: "too_long", Text: "It is cut."}
	_, _, err := r.PutSchemaIssues(r.ctx, key, records.SchemaVerdict{MappingVersion: 1, SchemaVersion: 1})
	require.ErrorIs(t, err, records.ErrNotFound, "nothing was read")
	for _, s := range []records.Schema{fieldsOf("a", "b"), fieldsOf("a")} {
		_, _, err := r.PutSchema(r.ctx, key, s, time.Hour, mappings.DiffSchemas)
		require.NoError(t, err)
	}
	for _, old := range []records.SchemaVerdict{{MappingVersion: 1, SchemaVersion: 1}, {MappingVersion: 2, SchemaVersion: 2}} {
		_, _, err := r.PutSchemaIssues(r.ctx, key, old)
		require.ErrorIs(t, err, records.ErrConflict, "something else is in force by now")
	}
	put := func(issues ...records.SchemaIssue) (int, int) {
		t.Helper()
		opened, healed, err := r.PutSchemaIssues(r.ctx, key, records.SchemaVerdict{MappingVersion: 1, SchemaVersion: 2, Issues: issues})
		require.NoError(t, err)
		return opened, healed
	}
	opened, healed := put(gone, loss)
	require.Equal(t, []int{2, 0}, []int{opened, healed})
	opened, healed = put(gone, loss)
	require.Equal(t, []int{0, 0}, []int{opened, healed})
	known := gone
	known.Blocking, known.Text = false, "It was never there."
	put(known, loss)
	blocking, err := r.BlockingIssues(r.ctx, r.ws, key.ConnectionID)
	require.NoError(t, err)
	require.Len(t, blocking, 1, "what blocks does so until it is healed, even if the version that it fitted is forgotten")
	require.Equal(t, "It is gone.", blocking[0].Text)
	none, err := r.BlockingIssues(r.ctx, r.other, key.ConnectionID)
	require.NoError(t, err)
	require.Empty(t, none)
	counts, err := r.CountSchemaIssues(r.ctx)
	require.NoError(t, err)
	require.Equal(t, [2]int{1, 1}, counts[r.newConnection().Connector])

	// Deliveries that wait for it, and others.
	lane := func(class, field string) string {
		id := newID()
		_, err := r.pool.Exec(r.ctx, `insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state, class, field)
			values ($1::uuid, $2, $3, 'call', $1::uuid::text, $1::uuid, 'parked', $4, $5)`, id, r.ws, key.ConnectionID, class, field)
		require.NoError(t, err)
		return id
	}
	var want []string
	refused := lane("invalid", "b")
	for range 3 {
		want = append(want, lane(records.DeliveryDrift, "b"))
	}
	lane("invalid", "other")
	lane("paused", "")
	list, err := r.SchemaIssues(r.ctx, r.ws, key.ConnectionID, false)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.EqualValues(t, 3, list[0].Held)

	due, err := r.ClaimDrained(r.ctx, 100, time.Hour)
	require.NoError(t, err)
	require.Empty(t, due, "nothing goes out while it is open")
	opened, healed = put(loss)
	require.Equal(t, []int{0, 1}, []int{opened, healed})
	var got []string
	for range 5 {
		due, err = r.ClaimDrained(r.ctx, 2, time.Hour)
		require.NoError(t, err)
		for _, l := range due {
			require.Equal(t, r.ws, l.WorkspaceID)
			got = append(got, l.CallID)
		}
	}
	require.Equal(t, append([]string{refused}, want...), got, "all that waited for it, once, in their order")
	require.NoError(t, r.ReturnDrained(r.ctx, []records.LaneKey{{CallID: want[1], ConnectionID: key.ConnectionID}}, 0))
	due, err = r.ClaimDrained(r.ctx, 10, time.Hour)
	require.NoError(t, err)
	require.Len(t, due, 1)

	// It comes again: what waits now waits for that.
	put(gone, loss)
	lane(records.DeliveryDrift, "b")
	due, err = r.ClaimDrained(r.ctx, 10, time.Hour)
	require.NoError(t, err)
	require.Empty(t, due)
	list, err = r.SchemaIssues(r.ctx, r.ws, "", true)
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.False(t, list[2].HealedAt.IsZero())
	theirs, err := r.SchemaIssues(r.ctx, r.other, "", true)
	require.NoError(t, err)
	require.Empty(t, theirs)
}
