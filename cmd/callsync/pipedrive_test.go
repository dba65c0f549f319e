package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors/pipedrive/pipedrivefake"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

func TestMain(m *testing.M) { pgtest.Main(m, postgres.Migrate) }

type openly struct{}

func (openly) Seal(p []byte, _ string) ([]byte, error) { return p, nil }
func (openly) Open(p []byte, _ string) ([]byte, error) { return p, nil }

// TestPipedriveDeliveries goes from stored calls to Pipedrive, with the default mapping: a call log that was refused for a
// moment is made up for, and what comes late goes into the activity.
func TestPipedriveDeliveries(t *testing.T) {
	t.Parallel()
	fake := pipedrivefake.New(pipedrivefake.Options{PerTwoSeconds: -1, SearchPerTwoSeconds: -1, SearchLag: -1})
	var refusals atomic.Int32
	refusals.Store(2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/callLogs") && refusals.Add(-1) >= 0 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"success":false,"error":"Rate limit exceeded"}`)
			return
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)

	url := pgtest.New(t)
	db, err := postgres.Open(t.Context(), url, openly{}, postgres.Options{MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	sql, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = sql.Close(context.Background()) })
	exec := func(query string, args ...any) {
		_, err := sql.Exec(t.Context(), query, args...)
		require.NoError(t, err)
	}
	ws, source, conn := uuid.NewString(), uuid.NewString(), uuid.NewString()
	exec(`insert into workspaces (id, name) values ($1, 'w')`, ws)
	exec(`insert into sources (id, workspace_id, provider, name, default_country, token_hash, token_sealed) values ($1, $2, 'callrail', 's', 'US', 'x', '')`, source, ws)
	exec(`insert into connections (id, workspace_id, connector, name, config, secrets, idempotency, match_policy) values ($1, $2, 'pipedrive', 'c',
		jsonb_build_object('base_url', $3::text), '{"api_token":"fake-token"}', 'create_only', '{"on_none":"create_contact"}')`, conn, ws, server.URL)
	registry := crms()
	for object, doc := range registry["pipedrive"].Info().Mappings {
		if object == "call" || object == "contact" {
			exec(`insert into mappings (connection_id, object, version, workspace_id, document) values ($1, $2, 1, $3, $4)`, conn, object, ws, string(doc))
			exec(`insert into active_mappings (connection_id, object, version) values ($1, $2, 1)`, conn, object)
		}
	}
	delivery := &activities.Delivery{Store: db, Connectors: registry, PublicURL: "https://callsync.example",
		Transport: func(records.Connection) http.RoundTripper { return nil }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}

	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	c := call.Call{ID: uuid.NewString(), WorkspaceID: ws, SourceID: source, Provider: "callrail", Revision: 1, Phase: call.Ended}
	c.Direction, c.Status, c.BusinessNumber = call.Inbound, call.Missed, "+13035550100"
	c.StartedAt, c.EndedAt = start, start.Add(31*time.Second)
	c.Customer = call.Party{Number: "+14155550199", Name: "Ada Lovelace"}
	settle := func() activities.DeliverResult {
		state, err := json.Marshal(c)
		require.NoError(t, err)
		exec(`insert into calls (id, workspace_id, source_id, state, revision, phase, customer_number) values ($1, $2, $3, $4, $5, 'ended', $6)
			on conflict (id) do update set state = excluded.state, revision = excluded.revision`, c.ID, ws, source, state, c.Revision, c.Customer.Number)
		for range 20 {
			r, err := delivery.Deliver(t.Context(), activities.DeliverInput{WorkspaceID: ws, CallID: c.ID, ConnectionID: conn, Revision: c.Revision})
			if err == nil {
				return r
			}
			var app *temporal.ApplicationError
			require.True(t, errors.As(err, &app), "%v", err)
		}
		t.Fatal("the delivery never settled")
		return activities.DeliverResult{}
	}
	require.Equal(t, activities.Done, settle().Outcome)
	s := fake.State()
	require.Len(t, s.Persons, 1)
	require.Equal(t, "Ada Lovelace", s.Persons[0]["name"])
	require.Len(t, s.Activities, 1)
	require.Len(t, s.CallLogs, 1)
	require.Equal(t, "no_answer", s.CallLogs[0]["outcome"])
	require.Equal(t, "+14155550199", s.CallLogs[0]["from_phone_number"])
	require.Negative(t, refusals.Load(), "it was refused twice before")

	c.Revision, c.Note, c.Disposition = 2, "Wants a quote", call.Disposition{Value: "Wrong number"}
	require.Equal(t, activities.Done, settle().Outcome)
	s = fake.State()
	require.Len(t, s.Activities, 1)
	require.Len(t, s.CallLogs, 1)
	require.Contains(t, s.Activities[0]["note"], "Wants a quote")
	require.Contains(t, s.Activities[0]["note"], "Wrong number")
	require.Equal(t, "no_answer", s.CallLogs[0]["outcome"])
	require.Empty(t, s.Refused)
	var warnings string
	require.NoError(t, sql.QueryRow(t.Context(), `select warnings::text from deliveries where object = 'call'`).Scan(&warnings))
	require.Contains(t, warnings, "never changes a call log")
}
