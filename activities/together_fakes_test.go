package activities_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities/budget"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/connectors/odoo"
	"github.com/callsync/callsync/connectors/odoo/odoofake"
	"github.com/callsync/callsync/connectors/salesforce"
	"github.com/callsync/callsync/connectors/salesforce/salesforcefake"
	"github.com/callsync/callsync/connectors/zoho"
	"github.com/callsync/callsync/connectors/zoho/zohofake"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

// backfillCalls is how many calls TestBackfillIntoCRMs delivers; docs/performance.md has the figures of 500.
var backfillCalls = flag.Int("backfill", 30, "calls of TestBackfillIntoCRMs; from 100 on it measures without faults, and each by itself, too")

// vendor is a connector and its strict fake, with what a connection to it needs.
type vendor struct {
	connector connectors.Connector
	handler   http.Handler
	config    map[string]string
	secrets   map[string]string
	// calls counts the call records that are there.
	calls func() int
}

func vendors() map[string]func() vendor {
	return map[string]func() vendor{
		"HubSpot": func() vendor {
			f := hubspotfake.New(hubspotfake.Options{Tokens: map[string][]string{"fake-token": nil}, PerTenSeconds: -1, SearchPerSecond: -1, SearchLag: -1})
			return vendor{hubspot.New(), f, map[string]string{}, map[string]string{"access_token": "fake-token"}, func() int { return len(f.State(true).Calls) }}
		},
		"Salesforce": func() vendor {
			f := salesforcefake.New(salesforcefake.Options{Tokens: []string{"fake-token"}, SearchLag: -1, RowLock: time.Millisecond})
			return vendor{salesforce.New(), f, map[string]string{}, map[string]string{"access_token": "fake-token"}, func() (n int) {
				for _, of := range f.Calls() {
					n += of
				}
				return n
			}}
		},
		"Zoho": func() vendor {
			f := zohofake.New(zohofake.Options{SearchLag: -1})
			return vendor{zoho.New(), f, map[string]string{}, map[string]string{"access_token": zohofake.Token}, func() int { return len(f.All("Calls")) }}
		},
		"Odoo": func() vendor {
			f := odoofake.New(odoofake.Options{APIKey: "fake-key", Database: "acme", Login: "callsync@example.com"})
			return vendor{odoo.New(), f, map[string]string{"database": "acme", "username": "callsync@example.com", "protocol": odoo.ProtocolJSON2},
				map[string]string{"api_key": "fake-key"}, nil}
		},
	}
}

// into makes a world whose connection is to v.
func into(t *testing.T, v vendor, url string) (*world, connectors.Session) {
	w := newWorld(t, newCRM(connectors.KeyedUpsert))
	w.delivery.Connectors = connectors.NewRegistry(v.connector)
	info := v.connector.Info()
	v.config["base_url"] = url
	config, err := json.Marshal(v.config)
	require.NoError(t, err)
	secrets, err := json.Marshal(v.secrets)
	require.NoError(t, err)
	w.exec(`update connections set connector = $2, config = $3, secrets = $4 where id = $1`, w.conn, info.ID, config, secrets)
	for object, doc := range info.Mappings {
		w.exec(`insert into mappings (connection_id, object, version, workspace_id, document) values ($1, $2, 2, $3, $4)`, w.conn, object, w.ws, string(doc))
		w.exec(`insert into active_mappings (connection_id, object, version) values ($1, $2, 2) on conflict (connection_id, object) do update set version = 2`, w.conn, object)
	}
	session, err := v.connector.Open(connectors.Settings{ConnectionID: "c", Config: v.config, Secrets: v.secrets})
	require.NoError(t, err)
	report, err := session.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), "%+v", report.Checks)
	require.Equal(t, connectors.KeyedUpsert, report.Idempotency)
	budgets := &budget.Budgets{Store: w.delivery.Store.(*postgres.DB)}
	// The vendor's limits, but for what would make the test wait.
	w.delivery.Budgets = budgets
	w.delivery.Transport = func(c records.Connection) http.RoundTripper {
		return budgets.Transport(connectors.Info{ID: info.ID, Label: info.Label}, c, http.DefaultTransport)
	}
	w.delivery.Connectors = connectors.NewRegistry(unlimited{v.connector})
	return w, session
}

// unlimited is a connector whose CRM has no limits.
type unlimited struct{ connectors.Connector }

func (u unlimited) Info() connectors.Info {
	info := u.Connector.Info()
	info.Limits = nil
	return info
}

// past makes calls that have ended, five of each number.
func (w *world) past(n int) []call.Call {
	out := make([]call.Call, n)
	for i := range out {
		c := w.call(fmt.Sprintf("+1415555%04d", i/5))
		talked := int64(60 + i)
		c.Direction, c.Status, c.DurationSeconds, c.TalkSeconds = call.Inbound, call.Answered, &talked, &talked
		c.StartedAt = time.Date(2026, 3, 1, 9, i, 0, 0, time.UTC)
		c.AnsweredAt, c.EndedAt = c.StartedAt.Add(time.Second), c.StartedAt.Add(time.Duration(talked)*time.Second)
		c.Note = fmt.Sprint("Note ", i)
		w.save(c)
		out[i] = c
	}
	return out
}

// A backlog goes into each CRM that takes many calls at once in few requests, though requests are lost after they were
// carried out: one record of each call. Then something of every call changes.
func TestBackfillIntoCRMs(t *testing.T) {
	t.Parallel()
	measured := *backfillCalls >= 100
	modes := []int{100}
	if measured {
		modes = []int{1, 100}
	}
	for name, make := range vendors() {
		for _, batch := range modes {
			t.Run(fmt.Sprint(name, " ", batch), func(t *testing.T) {
				v := make()
				var requests, changes atomic.Int64
				var recording atomic.Bool
				server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if recording.Load() {
						requests.Add(1)
						if !measured && r.Method != http.MethodGet && changes.Add(1)%9 == 0 {
							v.handler.ServeHTTP(httptest.NewRecorder(), r)
							panic(http.ErrAbortHandler)
						}
					}
					v.handler.ServeHTTP(rw, r)
				}))
				t.Cleanup(server.Close)
				w, session := into(t, v, server.URL)
				w.delivery.Batch, w.delivery.BulkPlaces = batch, 8
				all := w.past(*backfillCalls)
				round := func() (int64, time.Duration) {
					requests.Store(0)
					recording.Store(true)
					defer recording.Store(false)
					began := time.Now()
					w.windowed(all)
					return requests.Load(), time.Since(began)
				}
				made, took := round()
				ids := map[string]bool{}
				for _, one := range all {
					id, ok, err := session.(connectors.CallFinder).FindCall(t.Context(), one.ID)
					require.NoError(t, err)
					require.True(t, ok)
					r := w.row(one)
					require.Equal(t, []string{"done", id}, []string{r.State, r.RemoteID}, r.Reason)
					ids[id] = true
				}
				require.Len(t, ids, len(all))
				if v.calls != nil {
					require.Equal(t, len(all), v.calls())
				}
				for i := range all {
					all[i].Note, all[i].Revision = fmt.Sprint("Changed ", i), 2
					w.save(all[i])
				}
				changed, tookChanges := round()
				t.Logf("%s, %d calls, at most %d a request: %d requests to make them (%v), %d to change them (%v)", name, len(all), batch, made, took.Round(time.Second), changed, tookChanges.Round(time.Second))
				for _, one := range all {
					require.EqualValues(t, 2, w.row(one).Revision, w.row(one).Reason)
				}
				if v.calls != nil {
					require.Equal(t, len(all), v.calls())
				}
				if _, ok := session.(connectors.BatchReader); ok && batch > 1 && measured {
					require.Less(t, changed, int64(len(all)/5))
				}
			})
		}
	}
}

// windowed delivers calls as a resync does, a hundred under way at once.
func (w *world) windowed(all []call.Call) {
	slots := make(chan struct{}, 100)
	var wg sync.WaitGroup
	for _, c := range all {
		slots <- struct{}{}
		wg.Go(func() {
			w.backfill([]call.Call{c})
			<-slots
		})
	}
	wg.Wait()
}
