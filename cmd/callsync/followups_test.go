package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors/espocrm/espocrmfake"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/connectors/pipedrive/pipedrivefake"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

// followUpCRM is a vendor's fake as this test sees it: what it has of one task.
type followUpCRM struct {
	id, secrets, idempotency string
	handler                  http.Handler
	// task tells of the only task: its subject, and whether it is done.
	task func(key string) (subject string, done bool)
}

func followUpCRMs() []followUpCRM {
	h := hubspotfake.New(hubspotfake.Options{SearchLag: -1, PerTenSeconds: -1, SearchPerSecond: -1})
	e := espocrmfake.New(espocrmfake.Options{})
	p := pipedrivefake.New(pipedrivefake.Options{PerTwoSeconds: -1, SearchPerTwoSeconds: -1, SearchLag: -1})
	return []followUpCRM{
		{"hubspot", `{"access_token": "pat-fake"}`, "keyed_upsert", h, func(key string) (string, bool) {
			all := h.RecordsByKey("tasks", key)
			if len(all) != 1 {
				return "", false
			}
			return all[0].Properties["hs_task_subject"], all[0].Properties["hs_task_status"] == "COMPLETED"
		}},
		{"espocrm", `{"api_key": "` + espocrmfake.APIKey + `"}`, "lookup_then_write", e, func(string) (string, bool) {
			all := e.Records("Task")
			if len(all) != 1 {
				return "", false
			}
			name, _ := all[0]["name"].(string)
			return name, all[0]["status"] == "Completed"
		}},
		{"pipedrive", `{"api_token": "fake-token"}`, "create_only", p, func(string) (subject string, done bool) {
			n := 0
			for _, a := range p.State().Activities {
				if a["type"] == "task" {
					n++
					subject, _ = a["subject"].(string)
					done, _ = a["done"].(bool)
				}
			}
			if n != 1 {
				return "", false
			}
			return subject, done
		}},
	}
}

// A missed call becomes one task in each CRM with its default mapping, is overdue there, and is completed by the call back.
func TestFollowUpsInEachCRM(t *testing.T) {
	t.Parallel()
	for _, crm := range followUpCRMs() {
		t.Run(crm.id, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(crm.handler)
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
			exec(`insert into connections (id, workspace_id, connector, name, config, secrets, idempotency) values ($1, $2, $3, 'c',
				jsonb_build_object('base_url', $4::text), $5::text::bytea, $6)`, conn, ws, crm.id, server.URL, crm.secrets, crm.idempotency)
			registry := crms()
			for object, doc := range registry[crm.id].Info().Mappings {
				exec(`insert into mappings (connection_id, object, version, workspace_id, document) values ($1, $2, 1, $3, $4)`, conn, object, ws, string(doc))
				exec(`insert into active_mappings (connection_id, object, version) values ($1, $2, 1)`, conn, object)
			}
			_, err = db.PutActions(t.Context(), ws, records.Actions{ConnectionID: conn, Version: -1,
				Document: "actions:\n  - {name: Call back, do: follow_up, due_in: 30m, priority: high, escalate: {after: 1h, priority: urgent}}\n"})
			require.NoError(t, err)
			delivery := &activities.Delivery{Store: db, Connectors: registry, PublicURL: "https://callsync.example",
				Transport: func(records.Connection) http.RoundTripper { return nil }, Log: slog.New(slog.DiscardHandler)}
			settle := func(do func() error) {
				t.Helper()
				for range 20 {
					err := do()
					if err == nil {
						return
					}
					var app *temporal.ApplicationError
					require.True(t, errors.As(err, &app), "%v", err)
				}
				t.Fatal("it never settled")
			}
			place := func(direction call.Direction, ago time.Duration) string {
				at := time.Now().Add(-ago).UTC()
				c := call.Call{ID: uuid.NewString(), WorkspaceID: ws, SourceID: source, Provider: "callrail", Revision: 1, Phase: call.Ended}
				c.Direction, c.Status, c.StartedAt, c.EndedAt = direction, call.Missed, at, at
				c.Customer = call.Party{Number: "+14155550199", Name: "Ada Lovelace"}
				state, err := json.Marshal(c)
				require.NoError(t, err)
				exec(`insert into calls (id, workspace_id, source_id, state, revision, phase, customer_number, status, direction, started_at, ended_at)
					values ($1, $2, $3, $4, 1, 'ended', $5, $6, $7, $8, $8)`, c.ID, ws, source, state, c.Customer.Number, string(c.Status), string(direction), at)
				return c.ID
			}
			for _, ago := range []time.Duration{2 * time.Minute, time.Minute} {
				id := place(call.Inbound, ago)
				settle(func() error {
					_, err := delivery.Deliver(t.Context(), activities.DeliverInput{WorkspaceID: ws, CallID: id, ConnectionID: conn, Revision: 1})
					return err
				})
			}
			one := func() records.FollowUpItem {
				t.Helper()
				all, err := db.FollowUps(t.Context(), ws, records.FollowUpFilter{Limit: 10})
				require.NoError(t, err)
				require.Len(t, all, 1)
				return all[0]
			}
			f := one()
			run := func() {
				t.Helper()
				settle(func() error {
					_, err := delivery.FollowUp(t.Context(), activities.FollowUpInput{WorkspaceID: ws, FollowUpID: f.ID})
					return err
				})
				require.Equal(t, records.DeliveryDone, one().Delivery.State, one().Delivery.Detail)
			}
			run()
			subject, done := crm.task(f.ID)
			require.Equal(t, "Call back Ada Lovelace", subject)
			require.False(t, done)
			exec(`update follow_ups set due_at = now() - interval '1 minute'`)
			run()
			subject, _ = crm.task(f.ID)
			require.Equal(t, "Overdue: Call back Ada Lovelace", subject)
			n, err := db.CloseFollowUps(t.Context(), []string{place(call.Outbound, 0)})
			require.NoError(t, err)
			require.Equal(t, 1, n)
			run()
			subject, done = crm.task(f.ID)
			require.NotEmpty(t, subject)
			require.True(t, done)
			require.Equal(t, one().Revision, one().Settled)
			require.Empty(t, one().Delivery.Warnings)
		})
	}
}
