package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

func TestMain(m *testing.M) { pgtest.Main(m, postgres.Migrate) }

const callMapping = `
format: 1
object: call
fields:
  - target: title
    value: {field: customer.name}
  - target: note
    value: {field: note}
    empty: clear
  - target: owner
    value: {field: owner_id}
`

const contactMapping = `
format: 1
object: contact
fields:
  - target: phone
    value: {field: customer.number}
`

// crm is a CRM in memory with one kind of idempotency. A fault is consumed by the next write.
type crm struct {
	kind connectors.Idempotency
	mu   sync.Mutex
	// calls and contacts are by id; keys have what the vendor knows of ours.
	calls    map[string]map[string]any
	keys     map[string]string
	contacts map[string]connectors.Contact
	made     map[string]string
	links    map[string][]string
	owners   map[string]string
	writes   []map[string]any
	searches int
	reads    int
	// fault is asked before ("") and after ("committed") each write.
	fault func(what, when string) error
	slow  time.Duration
}

func newCRM(kind connectors.Idempotency) *crm {
	return &crm{kind: kind, calls: map[string]map[string]any{}, keys: map[string]string{}, contacts: map[string]connectors.Contact{},
		made: map[string]string{}, links: map[string][]string{}, owners: map[string]string{}}
}

func (c *crm) Info() connectors.Info {
	return connectors.Info{ID: "crm", Label: "Ledger", Idempotency: c.kind, RequestTimeout: 150 * time.Millisecond, LookupLag: 100 * time.Millisecond}
}

func (c *crm) Open(connectors.Settings) (connectors.Session, error) { return c, nil }

func (c *crm) failing(what, when string) error {
	if c.fault == nil {
		return nil
	}
	return c.fault(what, when)
}

func (c *crm) WriteCall(_ context.Context, w connectors.CallWrite) (connectors.Written, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failing("call", "before"); err != nil {
		return connectors.Written{}, err
	}
	id := w.RemoteID
	if id != "" {
		if _, ok := c.calls[id]; !ok {
			return connectors.Written{}, &connectors.Error{Class: connectors.NotFound, Public: "gone"}
		}
	} else if c.kind == connectors.KeyedUpsert && c.keys[w.Key] != "" {
		id = c.keys[w.Key]
	}
	created := id == ""
	if created {
		id = fmt.Sprint("call-", len(c.calls)+1)
		c.calls[id] = map[string]any{}
		c.keys[w.Key] = id
	}
	for k, v := range w.Fields {
		c.calls[id][k] = v
	}
	c.writes = append(c.writes, w.Fields)
	if err := c.failing("call", "committed"); err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: id, Created: created}, nil
}

func (c *crm) FindContacts(_ context.Context, q connectors.PhoneQuery) ([]connectors.Contact, error) {
	time.Sleep(c.slow)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.searches++
	var out []connectors.Contact
	for _, contact := range c.contacts {
		// A search index that lags does not know what was made a moment ago.
		if _, ours := c.made[contact.ID]; !ours {
			out = append(out, contact)
		}
	}
	return out, nil
}

func (c *crm) CreateContact(_ context.Context, w connectors.ContactWrite) (connectors.Written, error) {
	time.Sleep(c.slow)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failing("contact", "before"); err != nil {
		return connectors.Written{}, err
	}
	for id, key := range c.made {
		if key == w.Key && c.kind == connectors.KeyedUpsert {
			return connectors.Written{RemoteID: id}, nil
		}
	}
	id := fmt.Sprint("contact-", len(c.contacts)+1)
	c.contacts[id] = connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: id}, Numbers: []string{w.Fields["phone"].(string)}}
	c.made[id] = w.Key
	if err := c.failing("contact", "committed"); err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: id, Created: true}, nil
}

func (c *crm) FindContactByKey(_ context.Context, key string) (connectors.Contact, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, k := range c.made {
		if k == key {
			return c.contacts[id], true, nil
		}
	}
	return connectors.Contact{}, false, nil
}

func (c *crm) LinkCall(_ context.Context, id string, to connectors.Ref) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, callThere := c.calls[id]
	_, contactThere := c.contacts[to.ID]
	if !callThere || !contactThere {
		return &connectors.Error{Class: connectors.NotFound, Public: "one of them is not there"}
	}
	c.links[id] = append(c.links[id], to.ID)
	return nil
}

func (c *crm) ReadCall(_ context.Context, id string, _ []string) (map[string]any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	if _, ok := c.calls[id]; !ok {
		return nil, &connectors.Error{Class: connectors.NotFound, Public: "gone"}
	}
	return maps.Clone(c.calls[id]), nil
}

func (c *crm) FindOwner(_ context.Context, email string) (connectors.Owner, bool, error) {
	id, ok := c.owners[email]
	return connectors.Owner{ID: id, Email: email, Active: true}, ok, nil
}

// lookupCRM can also find calls by key, as a CRM with a searchable field.
type lookupCRM struct{ *crm }

func (c lookupCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }

func (c lookupCRM) FindCall(_ context.Context, key string) (string, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.keys[key]
	return id, ok, nil
}

type world struct {
	t        testing.TB
	url      string
	sql      *pgx.Conn
	delivery *activities.Delivery
	ws, conn string
	source   string
	crm      *crm
}

type plainSealer struct{}

func (plainSealer) Seal(p []byte, _ string) ([]byte, error) { return p, nil }
func (plainSealer) Open(p []byte, _ string) ([]byte, error) { return p, nil }

func newWorld(t testing.TB, c *crm) *world {
	ctx := t.Context()
	url := pgtest.New(t)
	db, err := postgres.Open(ctx, url, plainSealer{}, postgres.Options{MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	sql, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = sql.Close(context.Background()) })
	w := &world{t: t, url: url, sql: sql, crm: c, ws: uuid.NewString(), conn: uuid.NewString(), source: uuid.NewString()}
	var connector connectors.Connector = c
	if c.kind == connectors.LookupThenWrite {
		connector = lookupCRM{c}
	}
	w.delivery = &activities.Delivery{
		Store: db, Connectors: connectors.NewRegistry(connector), PublicURL: "https://callsync.example",
		Transport: func(records.Connection) http.RoundTripper { return nil },
		Log:       slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	w.exec(`insert into workspaces (id, name) values ($1, 'w')`, w.ws)
	w.exec(`insert into sources (id, workspace_id, provider, name, default_country, token_hash, token_sealed) values ($1, $2, 'callrail', 's', 'US', $3, '')`,
		w.source, w.ws, []byte(w.source))
	w.exec(`insert into connections (id, workspace_id, connector, name, secrets, idempotency) values ($1, $2, 'crm', 'c', '{}', $3)`, w.conn, w.ws, string(c.kind))
	for object, doc := range map[string]string{"call": callMapping, "contact": contactMapping} {
		w.exec(`insert into mappings (connection_id, object, version, workspace_id, document) values ($1, $2, 1, $3, $4)`, w.conn, object, w.ws, doc)
		w.exec(`insert into active_mappings (connection_id, object, version) values ($1, $2, 1)`, w.conn, object)
	}
	return w
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	_, err := w.sql.Exec(w.t.Context(), sql, args...)
	require.NoError(w.t, err)
}

func (w *world) call(number string) call.Call {
	c := call.Call{ID: uuid.NewString(), WorkspaceID: w.ws, SourceID: w.source, Provider: "callrail", Revision: 1, Phase: call.Ended}
	c.Customer = call.Party{Number: number, Name: "Ada"}
	w.save(c)
	return c
}

func (w *world) save(c call.Call) {
	state, err := json.Marshal(c)
	require.NoError(w.t, err)
	w.exec(`insert into calls (id, workspace_id, source_id, state, revision, phase, customer_number) values ($1, $2, $3, $4, $5, 'ended', $6)
		on conflict (id) do update set state = excluded.state, revision = excluded.revision`, c.ID, w.ws, w.source, state, c.Revision, c.Customer.Number)
}

func (w *world) deliver(c call.Call) (activities.DeliverResult, error) {
	return w.delivery.Deliver(w.t.Context(), activities.DeliverInput{WorkspaceID: w.ws, CallID: c.ID, ConnectionID: w.conn, Revision: c.Revision})
}

// settle delivers as Temporal would: again after the delay an error asks for.
func (w *world) settle(c call.Call) activities.DeliverResult {
	w.t.Helper()
	for range 20 {
		r, err := w.deliver(c)
		if err == nil {
			return r
		}
		var app *temporal.ApplicationError
		require.ErrorAs(w.t, err, &app)
		select {
		case <-w.t.Context().Done():
		case <-time.After(min(app.NextRetryDelay(), 300*time.Millisecond)):
		}
	}
	w.t.Fatal("the delivery never settled")
	return activities.DeliverResult{}
}

type rowState struct {
	State, Class, Reason, RemoteID string
	Revision                       int64
	RetryAt, SendingSince          *time.Time
}

func (w *world) row(c call.Call) rowState {
	var r rowState
	require.NoError(w.t, w.sql.QueryRow(w.t.Context(), `select state, class, reason, remote_id, revision, retry_at, sending_since from deliveries
		where object = 'call' and key = $1`, c.ID).Scan(&r.State, &r.Class, &r.Reason, &r.RemoteID, &r.Revision, &r.RetryAt, &r.SendingSince))
	return r
}

func (w *world) settled(c call.Call) (revision int64) {
	require.NoError(w.t, w.sql.QueryRow(w.t.Context(), `select settled_revision from calls where id = $1`, c.ID).Scan(&revision))
	return revision
}

// once fails the first time it is asked about what at when.
func once(what, when string, err error) func(string, string) error {
	done := false
	return func(w, at string) error {
		if done || w != what || at != when {
			return nil
		}
		done = true
		return err
	}
}

func TestAnUnknownOutcomeMakesOneRecord(t *testing.T) {
	t.Parallel()
	lost := &connectors.Error{Class: connectors.UnknownOutcome, Public: "no answer"}
	refused := &connectors.Error{Class: connectors.RateLimited, RetryAfter: time.Millisecond, Public: "slow down"}
	for _, kind := range []connectors.Idempotency{connectors.KeyedUpsert, connectors.LookupThenWrite, connectors.CreateOnly} {
		for name, fault := range map[string]func(string, string) error{
			"call committed, answer lost":    once("call", "committed", lost),
			"call not committed":             once("call", "before", lost),
			"call refused":                   once("call", "before", refused),
			"contact committed, answer lost": once("contact", "committed", lost),
			"contact not committed":          once("contact", "before", lost),
		} {
			t.Run(string(kind)+"/"+name, func(t *testing.T) {
				t.Parallel()
				c := newCRM(kind)
				c.fault = fault
				w := newWorld(t, c)
				call := w.call("+14155550101")
				r := w.settle(call)
				if kind == connectors.CreateOnly && (name == "call committed, answer lost" || name == "call not committed") {
					require.Equal(t, activities.Parked, r.Outcome, "a CRM that cannot tell is never asked to create again")
					require.LessOrEqual(t, len(c.calls), 1)
					return
				}
				require.Equal(t, activities.Done, r.Outcome)
				require.Len(t, c.calls, 1)
				require.Len(t, c.contacts, 1)
				require.Equal(t, []string{"contact-1"}, c.links["call-1"])
				require.Equal(t, "call-1", w.row(call).RemoteID)
				require.EqualValues(t, 1, w.settled(call))
			})
		}
	}
}

func TestTwoCallsOfOneNewNumberMakeOneContact(t *testing.T) {
	t.Parallel()
	for _, kind := range []connectors.Idempotency{connectors.KeyedUpsert, connectors.CreateOnly} {
		c := newCRM(kind)
		c.slow = 20 * time.Millisecond
		w := newWorld(t, c)
		var wg sync.WaitGroup
		calls := []call.Call{w.call("+14155550101"), w.call("+14155550101"), w.call("+14155550101")}
		for _, one := range calls {
			wg.Go(func() { w.settle(one) })
		}
		wg.Wait()
		require.Len(t, c.contacts, 1)
		require.Len(t, c.calls, 3)
		for _, one := range calls {
			require.Equal(t, []string{"contact-1"}, c.links[w.row(one).RemoteID])
		}
	}
}

func TestAnUpdateWritesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	one := w.call("+14155550101")
	w.settle(one)
	require.Equal(t, activities.Unchanged, w.settle(one).Outcome)
	require.Len(t, c.writes, 1)

	one.Revision, one.Note = 2, "call back"
	w.save(one)
	w.settle(one)
	require.Equal(t, map[string]any{"note": "call back"}, c.writes[1])

	one.Revision, one.Note = 3, ""
	w.save(one)
	w.settle(one)
	require.Equal(t, map[string]any{"note": nil}, c.writes[2], "a note that was cleared is cleared in the CRM")

	one.Revision, one.Tags = 4, []string{"not mapped"}
	w.save(one)
	require.Equal(t, activities.Done, w.settle(one).Outcome)
	require.Len(t, c.writes, 3, "a change that maps to nothing writes nothing")
	require.EqualValues(t, 4, w.settled(one))
	require.Len(t, c.links["call-1"], 1, "a link is made once")
}

func TestARecordThatAHumanDeletedIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	one := w.call("+14155550101")
	w.settle(one)
	delete(c.calls, "call-1")
	for revision := int64(2); revision < 4; revision++ {
		one.Revision, one.Note = revision, fmt.Sprint("note ", revision)
		w.save(one)
		require.Equal(t, activities.Skipped, w.settle(one).Outcome)
	}
	require.Empty(t, c.calls)
	require.Equal(t, "deleted", w.row(one).Class)
	require.EqualValues(t, 3, w.settled(one))
}

func TestARecordThatIsDeletedBetweenWriteAndLink(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	c.fault = func(what, when string) error {
		if what == "call" && when == "committed" {
			delete(c.calls, "call-1")
		}
		return nil
	}
	w := newWorld(t, c)
	one := w.call("+14155550101")
	require.Equal(t, activities.Skipped, w.settle(one).Outcome)
	require.Empty(t, c.calls)
	require.Len(t, c.contacts, 1, "the contact is not blamed")
}

func TestSyncNowRespectsHumanEdits(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	one := w.call("+14155550101")
	one.Note = "ours"
	w.save(one)
	w.settle(one)
	c.calls["call-1"]["note"] = "a human's"
	_, err := w.delivery.Deliver(t.Context(), activities.DeliverInput{WorkspaceID: w.ws, CallID: one.ID, ConnectionID: w.conn, Revision: 1, Force: true})
	require.NoError(t, err)
	require.Equal(t, "a human's", c.calls["call-1"]["note"], "what did not change here is not written again")
}

func TestAContactThatIsGoneIsLookedForAgain(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	w.settle(w.call("+14155550101"))
	delete(c.contacts, "contact-1")
	delete(c.made, "contact-1")
	c.contacts["human"] = connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: "human"}, Numbers: []string{"(415) 555-0101"}}
	two := w.call("+14155550101")
	w.settle(two)
	require.Equal(t, []string{"human"}, c.links[w.row(two).RemoteID], "found by a number a person typed")
}

func TestSharedAndOwnNumbers(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	now := time.Now()
	for i, id := range []string{"old", "new"} {
		c.contacts[id] = connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: id}, Numbers: []string{"415 555 0101"}, ModifiedAt: now.Add(time.Duration(i) * time.Hour)}
	}
	c.contacts["other"] = connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: "other"}, Numbers: []string{"+44 415 555 0101"}, ModifiedAt: now.Add(9 * time.Hour)}
	w := newWorld(t, c)
	one := w.call("+14155550101")
	w.settle(one)
	require.Equal(t, []string{"new"}, c.links[w.row(one).RemoteID], "the most recently changed; a longer number with the same end is another one")
	require.Len(t, c.calls, 1, "one record, however many contacts share the number")

	w.exec(`insert into own_numbers (workspace_id, number) values ($1, '+14155550102')`, w.ws)
	own := w.call("+14155550102")
	w.settle(own)
	require.Empty(t, c.links[w.row(own).RemoteID], "our own number is nobody's contact")
}

func TestErrorsParkOrRetry(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		class  connectors.Class
		parked string
		status string
	}{
		{connectors.RateLimited, "", "active"}, {connectors.Unavailable, "", "active"}, {connectors.QuotaExhausted, "", "active"},
		{connectors.Unauthorized, "revoked", "revoked"}, {connectors.Revoked, "revoked", "revoked"},
		{connectors.Forbidden, "forbidden", "active"}, {connectors.Invalid, "invalid", "active"}, {connectors.Unsupported, "unsupported", "active"},
	} {
		t.Run(string(tc.class), func(t *testing.T) {
			t.Parallel()
			c := newCRM(connectors.KeyedUpsert)
			c.fault = func(what, when string) error {
				if what != "call" || when != "before" {
					return nil
				}
				return &connectors.Error{Class: tc.class, RetryAfter: 7 * time.Second, Public: "A sentence.", Err: errors.New("chain")}
			}
			w := newWorld(t, c)
			one := w.call("")
			r, err := w.deliver(one)
			row := w.row(one)
			require.Equal(t, "A sentence.", row.Reason)
			var status string
			require.NoError(t, w.sql.QueryRow(t.Context(), `select status from connections`).Scan(&status))
			require.Equal(t, tc.status, status)
			if tc.parked != "" {
				require.NoError(t, err)
				require.Equal(t, activities.Parked, r.Outcome)
				require.Equal(t, tc.parked, row.Class)
				require.EqualValues(t, 1, w.settled(one), "a parked lane is settled: the sweeper leaves it alone")
				return
			}
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.GreaterOrEqual(t, app.NextRetryDelay(), 7*time.Second, "never earlier than the CRM asks")
			require.NotContains(t, err.Error(), "chain", "nothing of the CRM's words reaches Temporal")
			require.NotNil(t, row.RetryAt)
			require.Zero(t, w.settled(one))
		})
	}
}

func TestPausedParksAndNothingIsSent(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	one := w.call("+14155550101")
	w.exec(`update connections set status = 'paused'`)
	require.Equal(t, activities.Parked, w.settle(one).Outcome)
	require.Empty(t, c.calls)
	require.Zero(t, c.searches)
	w.exec(`update connections set status = 'active'`)
	r, err := w.delivery.Deliver(t.Context(), activities.DeliverInput{WorkspaceID: w.ws, CallID: one.ID, ConnectionID: w.conn, Revision: 1, Force: true})
	require.NoError(t, err)
	require.Equal(t, activities.Done, r.Outcome)
}

func TestAZombieCannotRecord(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	one := w.call("+14155550101")
	c.fault = func(what, when string) error {
		if what == "call" && when == "committed" {
			// The attempt stalls here; its lease runs out and another attempt takes over.
			w.exec(`update deliveries set attempt_token = gen_random_uuid(), lease_until = now() + interval '1 hour' where object = 'call'`)
			c.fault = nil
		}
		return nil
	}
	_, err := w.deliver(one)
	require.Error(t, err)
	require.Empty(t, w.row(one).RemoteID)
	_, err = w.deliver(one)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.LessOrEqual(t, app.NextRetryDelay(), activities.Lease, "the lane is another attempt's for now")
	w.exec(`update deliveries set lease_until = now() where object = 'call'`)
	w.settle(one)
	require.Len(t, c.calls, 1)
}

func TestOwnerByTableThenByMail(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	c.owners["ada@example.com"] = "owner-mail"
	w := newWorld(t, c)
	deliver := func() any {
		one := call.Call{ID: uuid.NewString(), WorkspaceID: w.ws, SourceID: w.source, Revision: 1, Phase: call.Ended}
		one.Agents = []call.Agent{{Email: "Ada@example.com", Status: call.AgentAnswered}, {Email: "bob@example.com", Status: call.AgentMissed}}
		w.save(one)
		w.settle(one)
		return c.calls[w.row(one).RemoteID]["owner"]
	}
	c.owners["Ada@example.com"] = "owner-mail"
	require.Equal(t, "owner-mail", deliver())
	w.exec(`insert into connection_owners (connection_id, workspace_id, agent_key, owner_id) values ($1, $2, 'ada@example.com', 'owner-table')`, w.conn, w.ws)
	require.Equal(t, "owner-table", deliver())
}

func TestAnotherWorkspaceSeesNothing(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	one := w.call("+14155550101")
	r, err := w.delivery.Deliver(t.Context(), activities.DeliverInput{WorkspaceID: uuid.NewString(), CallID: one.ID, ConnectionID: w.conn, Revision: 1})
	require.NoError(t, err)
	require.Equal(t, activities.Skipped, r.Outcome)
	require.Empty(t, c.calls)
}
