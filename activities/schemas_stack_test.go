package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/espocrm"
	"github.com/callsync/callsync/connectors/espocrm/espocrmfake"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/ingest"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

// watched is a connection to a real connector's fake CRM, with the watch over its fields as it runs in the product.
// What it drains is delivered at once, as the workflow would.
type watched struct {
	*drifting
	watch     *ingest.SchemaWatch
	connector connectors.Connector
	// requests counts those that the CRM got, forgets has it lose the answer to the next write.
	requests atomic.Int64
	forgets  atomic.Bool
	drained  []string
}

// fakeCRM is a fake with what tests change and see in it.
type fakeCRM struct {
	connector connectors.Connector
	handler   http.Handler
	secrets   map[string]string
	// values are what the calls with one of our keys have in a field.
	values func(key, field string) []any
}

func driftHubSpot(t *testing.T) (fakeCRM, *hubspotfake.Fake) {
	f := hubspotfake.New(hubspotfake.Options{Tokens: map[string][]string{"fake-token": nil}, PerTenSeconds: -1, SearchPerSecond: -1, SearchLag: -1})
	_, err := f.AddContact(map[string]string{"phone": "+14155550101", "firstname": "Ada"})
	require.NoError(t, err)
	return fakeCRM{hubspot.New(), f, map[string]string{"access_token": "fake-token"}, func(key, field string) (out []any) {
		for _, r := range f.State(true).Calls {
			if !r.Archived && r.Properties[hubspot.CallKey] == key {
				out = append(out, r.Properties[field])
			}
		}
		return out
	}}, f
}

func driftEspo(*testing.T) (fakeCRM, *espocrmfake.Fake) {
	f := espocrmfake.New(espocrmfake.Options{})
	f.Add("Contact", espocrmfake.Record{"firstName": "Ada", "lastName": "Lovelace", "phoneNumber": "+14155550101"})
	return fakeCRM{espocrm.New(), f, map[string]string{"api_key": espocrmfake.APIKey}, func(key, field string) (out []any) {
		for _, r := range f.Records("Call") {
			if r[espocrm.KeyField] == key {
				out = append(out, r[field])
			}
		}
		return out
	}}, f
}

// newWatched connects a fake with the connector's default mappings and one row more in that of calls.
func newWatched(t *testing.T, crm fakeCRM, row string) *watched {
	t.Helper()
	s := &watched{connector: crm.connector}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if r.Method != http.MethodGet && s.forgets.CompareAndSwap(true, false) {
			crm.handler.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		crm.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	w := newWorld(t, newCRM(connectors.KeyedUpsert))
	store, log := w.delivery.Store.(*postgres.DB), slog.New(slog.NewTextHandler(io.Discard, nil))
	s.drifting = &drifting{world: w, store: store, schemas: &activities.Schemas{Store: store, Connectors: connectors.NewRegistry(crm.connector), Log: log,
		Transport: func(records.Connection) http.RoundTripper { return nil }}}
	w.delivery.Connectors, w.delivery.Schemas = s.schemas.Connectors, store
	info := crm.connector.Info()
	config, err := json.Marshal(map[string]string{"base_url": server.URL})
	require.NoError(t, err)
	secrets, err := json.Marshal(crm.secrets)
	require.NoError(t, err)
	w.exec(`update connections set connector = $1, config = $2, secrets = $3, idempotency = $4`, info.ID, config, secrets, string(info.Idempotency))
	session, err := crm.connector.Open(connectors.Settings{ConnectionID: w.conn, Config: map[string]string{"base_url": server.URL}, Secrets: crm.secrets})
	require.NoError(t, err)
	_, err = session.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	s.watch = ingest.NewSchemaWatch(s.schemas, store, s.deliverNow, nil, log)
	s.mapping("contact", string(info.Mappings["contact"]))
	s.inForce(row)
	require.NoError(t, s.watch.Read(t.Context()))
	require.Empty(t, s.issues(), "it fits")
	return s
}

// inForce puts the default mapping of calls with one row more in force.
func (s *watched) inForce(row string) {
	s.t.Helper()
	s.mapping("call", string(s.connector.Info().Mappings["call"])+row)
}

// scheduled lets the time of the next read come, and reads.
func (s *watched) scheduled() {
	s.t.Helper()
	require.NoError(s.t, s.watch.Read(s.t.Context()), "nothing is due yet")
	s.exec(`update crm_schemas set next_at = now()`)
	require.NoError(s.t, s.watch.Read(s.t.Context()))
}

// deliverNow delivers a call as its workflow does when somebody asks for it: until it is settled.
func (s *watched) deliverNow(ctx context.Context, workspaceID, callID string, connections []string) error {
	s.drained = append(s.drained, callID)
	in := activities.DeliverInput{WorkspaceID: workspaceID, CallID: callID, ConnectionID: connections[0], Revision: 1, Force: true}
	for range 20 {
		_, err := s.delivery.Deliver(ctx, in)
		var again *temporal.ApplicationError
		if !errors.As(err, &again) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(again.NextRetryDelay(), 100*time.Millisecond)):
		}
	}
	return errors.New("it never settled")
}

// ended is a complete call of a queue.
func (s *watched) ended(queue string) call.Call {
	c := s.call("+14155550101")
	c.Direction, c.Status, c.Queue = call.Inbound, call.Answered, queue
	c.StartedAt = time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	c.EndedAt = c.StartedAt.Add(time.Minute)
	s.save(c)
	return c
}

// From the CRM's administrator to the record in the CRM, with nothing of ours replaced but Temporal: a field is removed,
// renamed, newly required, a list is changed. The warning is there before anything has failed, what would fail is held
// without a request, and when it is mended it goes out once.
func TestDriftFromTheCRMToTheRecord(t *testing.T) {
	t.Parallel()
	const branchRow = "\n  - target: branch\n    value: {field: queue}\n"
	const outcomeRow = "\n  - target: outcome\n    type: picklist\n    value: {lookup: {key: queue, table: {North: won, South: lost}}}\n"
	list := func(won string) hubspotfake.Property {
		return hubspotfake.Property{Name: "outcome", Label: "Outcome of the talk", Type: "enumeration", FieldType: "select",
			Options: []hubspotfake.Option{{Value: won, Label: "Won"}, {Value: "lost", Label: "Lost"}}}
	}
	for name, prepare := range map[string]func(t *testing.T) driftCase{
		"renamed, and the mapping follows": func(t *testing.T) driftCase {
			crm, f := driftHubSpot(t)
			f.PutProperty("calls", hubspotfake.Property{Name: "branch", Label: "Branch office"})
			return driftCase{crm: crm, row: branchRow, change: func() {
				f.RemoveProperty("calls", "branch")
				f.PutProperty("calls", hubspotfake.Property{Name: "office", Label: "Branch office"})
			}, field: "branch", code: "unknown_field", suggestion: "office", says: "It seems to be office now", free: "",
				row2: strings.Replace(branchRow, "branch", "office", 1), target: "office", want: "North"}
		},
		"removed, and made again": func(t *testing.T) driftCase {
			crm, f := driftHubSpot(t)
			property := hubspotfake.Property{Name: "branch", Label: "Branch office"}
			f.PutProperty("calls", property)
			return driftCase{crm: crm, row: branchRow, change: func() { f.RemoveProperty("calls", "branch") },
				field: "branch", code: "unknown_field", says: "Make the field again in HubSpot", free: "",
				back: func() { f.PutProperty("calls", property) }, target: "branch", want: "North"}
		},
		"listed anew, and the mapping follows": func(t *testing.T) driftCase {
			crm, f := driftHubSpot(t)
			f.PutProperty("calls", list("won"))
			return driftCase{crm: crm, row: outcomeRow, change: func() { f.PutProperty("calls", list("won_2026")) },
				field: "outcome", code: "not_in_list", suggestion: "won_2026", says: "HubSpot has taken “won” out of the list", free: "South",
				row2: strings.Replace(outcomeRow, "won", "won_2026", 1), target: "outcome", want: "won_2026"}
		},
		"required, and the mapping fills it": func(t *testing.T) driftCase {
			crm, f := driftEspo(t)
			f.PutField("Call", "cBranch", espocrmfake.Field{MaxLength: 100})
			return driftCase{crm: crm, change: func() { f.PutField("Call", "cBranch", espocrmfake.Field{MaxLength: 100, Required: true}) },
				field: "cBranch", code: "required", says: "EspoCRM makes no record without cBranch",
				row2: strings.Replace(branchRow, "branch", "cBranch", 1), target: "cBranch", want: "North"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := prepare(t)
			s := newWatched(t, c.crm, c.row)
			old := s.ended("North")
			require.Equal(t, activities.Done, s.settle(old).Outcome, "%+v", s.row(old))
			c.change()

			s.scheduled()
			issues := s.issues()
			require.Len(t, issues, 1, "%+v", issues)
			require.Equal(t, []any{c.field, c.code, c.suggestion, true}, []any{issues[0].Field, issues[0].Code, issues[0].Suggestion, issues[0].Blocking}, issues[0].Text)
			require.Zero(t, issues[0].Held, "the warning comes before anything has failed")

			var waiting []string
			requests := s.requests.Load()
			for range 3 {
				one := s.ended("North")
				require.Equal(t, activities.Parked, s.settle(one).Outcome)
				require.Contains(t, s.held(one, c.field), c.says)
				waiting = append(waiting, one.ID)
			}
			require.Equal(t, requests, s.requests.Load(), "nothing was sent, nothing was asked")
			require.EqualValues(t, 3, s.issues()[0].Held)
			if c.code == "required" {
				old.Revision, old.Note = 2, "call back"
				s.save(old)
				require.Equal(t, activities.Done, s.settle(old).Outcome, "a record that is there can be changed")
			} else {
				other := s.ended(c.free)
				require.Equal(t, activities.Done, s.settle(other).Outcome, "what can be written goes out: %+v", s.row(other))
			}
			s.delivery.Schemas = nil
			refused := s.ended("North")
			require.Equal(t, activities.Parked, s.settle(refused).Outcome, "the CRM does refuse it")
			require.Equal(t, string(connectors.Invalid), s.row(refused).Class)
			s.delivery.Schemas = s.store
			waiting = append(waiting, refused.ID)
			require.NoError(t, s.watch.Drain(t.Context()))
			require.Empty(t, s.drained, "nothing goes out before it is mended")

			if c.back != nil {
				c.back()
				s.scheduled()
			} else {
				s.inForce(c.row2)
			}
			require.Empty(t, s.issues())
			// A CRM without keys is asked no sooner than its request may have ended, which takes too long here.
			s.forgets.Store(c.crm.connector.Info().Idempotency == connectors.KeyedUpsert)
			require.NoError(t, s.watch.Drain(t.Context()))
			require.Equal(t, waiting, s.drained, "in the order in which they came")
			require.False(t, s.forgets.Load(), "an answer was lost")
			for _, id := range waiting {
				require.Equal(t, records.DeliveryDone, s.row(call.Call{ID: id}).State)
				require.Equal(t, []any{c.want}, c.crm.values(id, c.target), "it is there once, and complete")
			}
			require.NoError(t, s.watch.Drain(t.Context()))
			require.Len(t, s.drained, len(waiting))
			require.Equal(t, activities.Done, s.settle(s.ended("North")).Outcome)
		})
	}
}

// driftCase is a change of a CRM's fields and how it is mended: by back in the CRM, or by row2 in the mapping.
type driftCase struct {
	crm                     fakeCRM
	row, row2               string
	change, back            func()
	field, code, suggestion string
	// says is part of the sentence that those on hold have; free is the queue of a call that goes out all the same.
	says, free string
	// target has want when what was held is delivered.
	target string
	want   any
}
