package activities_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

const (
	messageMapping = `
format: 1
object: message
fields:
  - target: text
    value: {field: message.body}
  - target: owner
    value: {field: owner_id}
`
	formMapping = `
format: 1
object: form
fields:
  - target: text
    type: text
    value: {expr: "join(map(pairs(form.fields), #))"}
`
	formContactMapping = `
format: 1
object: contact
fields:
  - target: phone
    value: {field: customer.number}
  - target: city
    value: {field: form.fields.city}
`
)

// textCRM takes text messages and forms, too.
type textCRM struct {
	*crm
	records map[string]connectors.RecordWrite
	byKey   map[string]string
}

func (c *textCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }

func (c *textCRM) write(what string, w connectors.RecordWrite) (connectors.Written, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failing(what, "before"); err != nil {
		return connectors.Written{}, err
	}
	id := w.RemoteID
	if id != "" {
		have, ok := c.records[id]
		if !ok {
			return connectors.Written{}, &connectors.Error{Class: connectors.NotFound, Public: "gone"}
		}
		for k, v := range w.Fields {
			have.Fields[k] = v
		}
		return connectors.Written{RemoteID: id}, c.failing(what, "committed")
	}
	if c.kind == connectors.KeyedUpsert && c.byKey[w.Key] != "" {
		return connectors.Written{RemoteID: c.byKey[w.Key], Linked: w.Links}, nil
	}
	id = fmt.Sprint(what, "-", len(c.records)+1)
	c.records[id], c.byKey[w.Key] = w, id
	if err := c.failing(what, "committed"); err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: id, Created: true, Linked: w.Links}, nil
}

func (c *textCRM) LogMessage(_ context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return c.write("message", w)
}

func (c *textCRM) WriteForm(_ context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return c.write("form", w)
}

// findingCRM can look for them as well.
type findingCRM struct{ *textCRM }

func (c findingCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }

func (c findingCRM) FindRecord(_ context.Context, _, key string) (string, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.byKey[key]
	return id, ok, nil
}

// other is a message or form of the world.
type other struct {
	kind, id string
	revision int64
}

func newTextWorld(t testing.TB, kind connectors.Idempotency) (*world, *textCRM) {
	c := &textCRM{crm: newCRM(kind), records: map[string]connectors.RecordWrite{}, byKey: map[string]string{}}
	w := newWorld(t, c.crm)
	var connector connectors.Connector = c
	if kind == connectors.LookupThenWrite {
		connector = findingCRM{c}
	}
	w.delivery.Connectors = connectors.NewRegistry(connector)
	for object, doc := range map[string]string{"message": messageMapping, "form": formMapping} {
		w.exec(`insert into mappings (connection_id, object, version, workspace_id, document) values ($1, $2, 1, $3, $4)`, w.conn, object, w.ws, doc)
		w.exec(`insert into active_mappings (connection_id, object, version) values ($1, $2, 1)`, w.conn, object)
	}
	w.exec(`update mappings set document = $1 where object = 'contact'`, formContactMapping)
	return w, c
}

func (w *world) message(number, body string) other {
	o := other{"message", uuid.NewString(), 1}
	w.saveOther(o, call.Message{ID: o.id, Provider: "callrail", Direction: call.Inbound, Customer: call.Party{Number: number, Name: "Ada"}, Body: body,
		Agents: []call.Agent{{Email: "ann@example.com"}}})
	return o
}

func (w *world) form(number string, fields map[string]any) other {
	o := other{"form", uuid.NewString(), 1}
	w.saveOther(o, call.Form{ID: o.id, Provider: "callrail", Customer: call.Party{Number: number, Name: "Ada"}, Fields: fields})
	return o
}

func (w *world) saveOther(o other, state any) {
	data, err := json.Marshal(state)
	require.NoError(w.t, err)
	w.exec(`insert into `+o.kind+`s (id, workspace_id, source_id, provider_id, state, revision) values ($1, $2, $3, $1::uuid::text, $4, $5)
		on conflict (id) do update set state = excluded.state, revision = excluded.revision`, o.id, w.ws, w.source, data, o.revision)
}

func (w *world) deliverOther(o other, force bool) (activities.DeliverResult, error) {
	return w.delivery.Deliver(w.t.Context(), activities.DeliverInput{Kind: o.kind, WorkspaceID: w.ws, CallID: o.id, ConnectionID: w.conn,
		Revision: o.revision, Force: force})
}

func (w *world) settleOther(o other) activities.DeliverResult {
	w.t.Helper()
	for range 20 {
		r, err := w.deliverOther(o, false)
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

func (w *world) rowOf(o other) (r rowState) {
	require.NoError(w.t, w.sql.QueryRow(w.t.Context(), `select state, class, reason, remote_id, revision from deliveries
		where object = $1 and key = $2`, o.kind, o.id).Scan(&r.State, &r.Class, &r.Reason, &r.RemoteID, &r.Revision))
	return r
}

func (w *world) settledOther(o other) (revision int64) {
	require.NoError(w.t, w.sql.QueryRow(w.t.Context(), `select settled_revision from `+o.kind+`s where id = $1`, o.id).Scan(&revision))
	return revision
}

// A message is written once with its contact and owner, and changed when it changes; what does not change costs nothing.
func TestAMessageReachesTheCRM(t *testing.T) {
	t.Parallel()
	w, c := newTextWorld(t, connectors.KeyedUpsert)
	c.owners["ann@example.com"] = "owner-7"
	m := w.message("+14155550101", "Are you open?")
	require.Equal(t, activities.DeliverResult{Outcome: activities.Done, Revision: 1}, w.settleOther(m))
	require.Len(t, c.records, 1)
	got := c.records[w.rowOf(m).RemoteID]
	require.Equal(t, m.id, got.Key)
	require.Equal(t, map[string]any{"text": "Are you open?", "owner": "owner-7"}, got.Fields)
	require.Equal(t, []connectors.Ref{{Object: "contact", ID: "contact-1"}}, got.Links)
	require.EqualValues(t, 1, w.settledOther(m))
	require.Equal(t, activities.Unchanged, w.settleOther(m).Outcome)

	m.revision = 2
	w.saveOther(m, call.Message{ID: m.id, Direction: call.Inbound, Customer: call.Party{Number: "+14155550101"}, Body: "Are you open on Sunday?"})
	require.Equal(t, activities.Done, w.settleOther(m).Outcome)
	require.Len(t, c.records, 1)
	require.Equal(t, "Are you open on Sunday?", c.records[w.rowOf(m).RemoteID].Fields["text"])
	require.EqualValues(t, 2, w.settledOther(m))

	delete(c.records, w.rowOf(m).RemoteID)
	m.revision = 3
	w.saveOther(m, call.Message{ID: m.id, Body: "No?"})
	require.Equal(t, activities.Skipped, w.settleOther(m).Outcome, "what a person deleted is not made again")
	require.Empty(t, c.records)
}

// A form of somebody unknown makes the contact with what was filled in, and a second one of theirs no other.
func TestAFormMakesItsContact(t *testing.T) {
	t.Parallel()
	w, c := newTextWorld(t, connectors.KeyedUpsert)
	f := w.form("+14155550101", map[string]any{"city": "Denver"})
	require.Equal(t, activities.Done, w.settleOther(f).Outcome)
	require.Len(t, c.contacts, 1)
	var written map[string]any
	require.NoError(t, w.sql.QueryRow(t.Context(), `select written from deliveries where object = 'contact'`).Scan(&written))
	require.Equal(t, "Denver", written["city"])
	require.Equal(t, "city: Denver", c.records[w.rowOf(f).RemoteID].Fields["text"])
	require.Equal(t, activities.Done, w.settleOther(w.form("+14155550101", map[string]any{"city": "Paris"})).Outcome)
	require.Len(t, c.contacts, 1)
	require.Len(t, c.records, 2)
	one := w.call("+14155550101")
	require.Equal(t, activities.Done, w.settle(one).Outcome)
	require.Len(t, c.contacts, 1, "calls and forms of a number have one contact")
}

// What stops calls stops messages.
func TestMessagesWaitAsCallsDo(t *testing.T) {
	t.Parallel()
	w, c := newTextWorld(t, connectors.KeyedUpsert)
	m := w.message("+14155550101", "Hello")
	for _, s := range []struct {
		sql     string
		outcome activities.Outcome
		class   string
	}{
		{`update connections set status = 'paused', updated_at = now()`, activities.Parked, "paused"},
		{`update connections set status = 'revoked', updated_at = now()`, activities.Parked, "revoked"},
		{`update connections set status = 'active', mode = 'shadow', updated_at = now()`, activities.Skipped, "shadow"},
	} {
		w.exec(s.sql)
		r, err := w.deliverOther(m, true)
		require.NoError(t, err)
		require.Equal(t, s.outcome, r.Outcome)
		require.Equal(t, s.class, w.rowOf(m).Class)
		require.EqualValues(t, 1, w.settledOther(m))
		require.Empty(t, c.records)
	}
	w.exec(`update connections set mode = 'live', updated_at = now()`)
	r, err := w.deliverOther(m, true)
	require.NoError(t, err)
	require.Equal(t, activities.Done, r.Outcome)
	require.Len(t, c.records, 1)
}

// A CRM that takes calls only is left alone, with a sentence.
func TestACRMThatTakesNoMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newCRM(connectors.KeyedUpsert))
	m := w.message("+14155550101", "Hello")
	require.Equal(t, activities.Skipped, w.settleOther(m).Outcome)
	require.Equal(t, "Ledger takes no text messages from callsync.", w.rowOf(m).Reason)
	require.Empty(t, w.crm.contacts)
	require.EqualValues(t, 1, w.settledOther(m))
}

// A create whose answer is lost is not repeated blindly, whatever the CRM can do.
func TestALostAnswerMakesOneMessage(t *testing.T) {
	t.Parallel()
	lost := &connectors.Error{Class: connectors.UnknownOutcome, Public: "no answer"}
	for _, kind := range []connectors.Idempotency{connectors.KeyedUpsert, connectors.LookupThenWrite, connectors.CreateOnly} {
		for _, when := range []string{"before", "committed"} {
			t.Run(string(kind)+" "+when, func(t *testing.T) {
				t.Parallel()
				w, c := newTextWorld(t, kind)
				c.fault = once("message", when, lost)
				m := w.message("+14155550101", "Hello")
				r := w.settleOther(m)
				if kind == connectors.CreateOnly {
					require.Equal(t, activities.Parked, r.Outcome)
					require.Equal(t, "unknown_outcome", w.rowOf(m).Class)
					require.LessOrEqual(t, len(c.records), 1)
					return
				}
				require.Equal(t, activities.Done, r.Outcome)
				require.Len(t, c.records, 1)
				require.Equal(t, c.byKey[m.id], w.rowOf(m).RemoteID)
				require.Len(t, c.contacts, 1)
			})
		}
	}
}

// Two workers at once, or a worker that is killed anywhere and followed by another: one message, one contact.
func TestAMessageOnceWhateverDies(t *testing.T) {
	t.Parallel()
	for _, kind := range []connectors.Idempotency{connectors.KeyedUpsert, connectors.LookupThenWrite} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w, c := newTextWorld(t, kind)
			healthy := w.delivery.Store
			for first := 0; ; first++ {
				had, contacts := len(c.records), len(c.contacts)
				m := w.message(fmt.Sprintf("+1415555%04d", first), "Hello")
				d := &dying{Store: healthy, left: first}
				w.delivery.Store = d
				c.fault = func(string, string) error {
					if d.dead || d.step() != nil {
						return &connectors.Error{Class: connectors.UnknownOutcome, Public: "killed"}
					}
					return nil
				}
				_, _ = w.deliverOther(m, false)
				w.delivery.Store, c.fault = healthy, nil
				w.exec(`update deliveries set lease_until = '-infinity', sending_since = sending_since - interval '1 second'`)
				require.Contains(t, []activities.Outcome{activities.Done, activities.Unchanged}, w.settleOther(m).Outcome, "killed at %d", first)
				require.Len(t, c.records, had+1, "killed at %d", first)
				require.Len(t, c.contacts, contacts+1, "killed at %d", first)
				require.Equal(t, c.byKey[m.id], w.rowOf(m).RemoteID)
				if !d.dead {
					require.Greater(t, first, 8, "the steps were counted")
					return
				}
			}
		})
	}
	t.Run("two workers", func(t *testing.T) {
		t.Parallel()
		w, c := newTextWorld(t, connectors.LookupThenWrite)
		m := w.message("+14155550101", "Hello")
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { _, _ = w.deliverOther(m, false) })
		}
		wg.Wait()
		w.settleOther(m)
		require.Len(t, c.records, 1)
		require.Len(t, c.contacts, 1)
	})
}

func (d *dying) LeaseRecord(ctx context.Context, workspaceID, kind, id, connectionID string, lease time.Duration) (records.Lane, error) {
	return dies(d, func() (records.Lane, error) {
		return d.Store.LeaseRecord(ctx, workspaceID, kind, id, connectionID, lease)
	})
}

// A kind that this version does not know is nothing to deliver, and no error that is tried for days.
func TestAnUnknownKindIsSkipped(t *testing.T) {
	t.Parallel()
	w, _ := newTextWorld(t, connectors.KeyedUpsert)
	r, err := w.deliverOther(other{"fax", uuid.NewString(), 1}, false)
	require.NoError(t, err)
	require.Equal(t, activities.Skipped, r.Outcome)
}
