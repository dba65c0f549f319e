package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors/pipedrive/pipedrivefake"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

// TestMessagesAndFormsReachPipedrive goes from a stored text message and form to notes on one person, with the default
// mappings: the form makes the person, and the message of the same number finds it.
func TestMessagesAndFormsReachPipedrive(t *testing.T) {
	t.Parallel()
	fake := pipedrivefake.New(pipedrivefake.Options{PerTwoSeconds: -1, SearchPerTwoSeconds: -1, SearchLag: -1})
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	url := pgtest.New(t)
	db, err := postgres.Open(t.Context(), url, openly{}, postgres.Options{MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	sql, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(sql.Close)
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
		exec(`insert into mappings (connection_id, object, version, workspace_id, document) values ($1, $2, 1, $3, $4)`, conn, object, ws, string(doc))
		exec(`insert into active_mappings (connection_id, object, version) values ($1, $2, 1)`, conn, object)
	}
	delivery := &activities.Delivery{Store: db, Connectors: registry, PublicURL: "https://callsync.example",
		Transport: func(records.Connection) http.RoundTripper { return nil }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	customer := call.Party{Number: "+14155550199", Name: "Ada Lovelace"}
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for kind, state := range map[string]any{
		"form":    call.Form{Provider: "callrail", Customer: customer, SubmittedAt: at, Fields: map[string]any{"comment": "A quote, please"}},
		"message": call.Message{Provider: "callrail", Direction: call.Inbound, Customer: customer, SentAt: at, Body: "Are you <open>?"},
	} {
		data, err := json.Marshal(state)
		require.NoError(t, err)
		id := uuid.NewString()
		exec(`insert into `+kind+`s (id, workspace_id, source_id, provider_id, state, revision) values ($1, $2, $3, 'x', $4, 1)`, id, ws, source, data)
		for range 2 {
			_, err := delivery.Deliver(t.Context(), activities.DeliverInput{Kind: kind, WorkspaceID: ws, CallID: id, ConnectionID: conn, Revision: 1})
			require.NoError(t, err)
		}
	}
	s := fake.State()
	require.Len(t, s.Persons, 1)
	require.Len(t, s.Notes, 2)
	all, err := json.Marshal(s.Notes)
	require.NoError(t, err)
	require.Contains(t, string(all), "A quote, please")
	require.Contains(t, string(all), `\u0026lt;open`, "a stranger's text is no markup")
	require.Empty(t, s.Refused)
}
