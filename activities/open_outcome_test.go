package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

var noAnswer = &connectors.Error{Class: connectors.UnknownOutcome, Public: "no answer"}

// reconnect opens the store anew, with what has been set for new connections.
func (w *world) reconnect() {
	db, err := postgres.Open(w.t.Context(), w.url, plainSealer{}, postgres.Options{MaxConns: 4})
	require.NoError(w.t, err)
	w.t.Cleanup(db.Close)
	w.delivery.Store = db
}

// resumedMeanwhile is a store whose connection is resumed right after a lane was read, once.
type resumedMeanwhile struct {
	activities.Store
	w *world
}

func (s resumedMeanwhile) LeaseLane(ctx context.Context, workspaceID, callID, connectionID string, lease time.Duration) (records.Lane, error) {
	lane, err := s.Store.LeaseLane(ctx, workspaceID, callID, connectionID, lease)
	s.w.exec(`update connections set status = 'active'`)
	return lane, err
}

func (w *world) force(c call.Call) activities.DeliverResult {
	w.t.Helper()
	for range 20 {
		r, err := w.delivery.Deliver(w.t.Context(), activities.DeliverInput{WorkspaceID: w.ws, CallID: c.ID, ConnectionID: w.conn, Revision: c.Revision, Force: true})
		if err == nil {
			return r
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.t.Fatal("the delivery never settled")
	return activities.DeliverResult{}
}

// A create without a known outcome stays one while the lane is parked for another reason: whatever wakes it, the record
// is looked for before it is made again, and a CRM that cannot tell is not asked to make it again.
func TestAParkedLaneRemembersAnOpenCreate(t *testing.T) {
	t.Parallel()
	for name, wake := range map[string]func(*world, *call.Call) activities.DeliverResult{
		"resumed": func(w *world, c *call.Call) activities.DeliverResult { return w.force(*c) },
		"changed": func(w *world, c *call.Call) activities.DeliverResult {
			c.Revision, c.Note = 2, "late"
			w.save(*c)
			return w.settle(*c)
		},
	} {
		for _, kind := range []connectors.Idempotency{connectors.KeyedUpsert, connectors.LookupThenWrite, connectors.CreateOnly} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				t.Parallel()
				c := newCRM(kind)
				c.fault = once("call", "committed", noAnswer)
				w := newWorld(t, c)
				one := w.call("+14155550101")
				_, err := w.deliver(one)
				require.Error(t, err)
				w.exec(`update connections set status = 'paused'`)
				require.Equal(t, activities.Parked, w.settle(one).Outcome)
				require.NotNil(t, w.row(one).SendingSince, "the open outcome is not forgotten")
				w.exec(`update connections set status = 'active'`)
				r := wake(w, &one)
				require.Len(t, c.calls, 1, "never a blind resend")
				if kind == connectors.CreateOnly {
					require.Equal(t, activities.Parked, r.Outcome)
					require.Equal(t, "unknown_outcome", w.row(one).Class)
					return
				}
				require.Equal(t, activities.Done, r.Outcome)
				require.Equal(t, "call-1", w.row(one).RemoteID)
			})
		}
	}
}

// Only a person who has looked may have a create repeated that no CRM can confirm, and only where that is what the lane
// is on hold for.
func TestAPersonDecidesOnAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.CreateOnly)
	c.fault = once("call", "before", noAnswer)
	w := newWorld(t, c)
	one := w.call("+14155550101")
	require.Equal(t, activities.Parked, w.settle(one).Outcome)
	require.Equal(t, "unknown_outcome", w.row(one).Class)
	one.Revision, one.Note = 2, "late"
	w.save(one)
	require.Equal(t, activities.Parked, w.settle(one).Outcome, "a change of the call decides nothing")
	require.Empty(t, c.calls)
	c.fault = once("call", "committed", noAnswer)
	require.Equal(t, activities.Parked, w.force(one).Outcome, "the repetition had no answer either: one retry is one request")
	require.Len(t, c.calls, 1)
	require.Equal(t, activities.Done, w.force(one).Outcome)
	require.Len(t, c.calls, 2, "as asked for")
}

// The record is looked for later than the lag after the last create, not after the first one.
func TestEachCreateIsWaitedFor(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.LookupThenWrite)
	c.fault = once("call", "before", noAnswer)
	w := newWorld(t, c)
	one := w.call("")
	_, err := w.deliver(one)
	require.Error(t, err)
	w.exec(`update deliveries set sending_since = now() - interval '1 minute'`)
	c.fault = once("call", "committed", noAnswer)
	_, err = w.deliver(one)
	require.Error(t, err, "looked for, not found, sent again without an answer")
	// The CRM's index does not show it yet.
	c.mu.Lock()
	keys := c.keys
	c.keys = map[string]string{}
	c.mu.Unlock()
	_, err = w.deliver(one)
	require.Error(t, err, "too early to look")
	require.Len(t, c.calls, 1)
	c.mu.Lock()
	c.keys = keys
	c.mu.Unlock()
	w.settle(one)
	require.Len(t, c.calls, 1)
}

// Whether it is time to look is a matter of the database's clock alone: a worker whose clock runs ahead must not look
// before the request is over.
func TestTheWorkersClockDoesNotMatter(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(string, string) error{
		"call": once("call", "committed", noAnswer), "contact": once("contact", "committed", noAnswer),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCRM(connectors.LookupThenWrite)
			c.fault = fault
			w := newWorld(t, c)
			// The database's clock is an hour behind the worker's, in every connection made from now on.
			w.exec(`create schema skew`)
			w.exec(`create function skew.now() returns timestamptz language sql stable as 'select pg_catalog.now() - interval ''1 hour'''`)
			w.exec(`do $$ begin execute format('alter database %I set search_path = skew, pg_catalog, public', current_database()); end $$`)
			w.reconnect()
			one := w.call("+14155550101")
			_, err := w.deliver(one)
			require.Error(t, err)
			_, err = w.deliver(one)
			require.Error(t, err, "too early to look")
			w.settle(one)
			require.Len(t, c.calls, 1)
			require.Len(t, c.contacts, 1)
		})
	}
}

// A record that the CRM names in a conflict is ours only if it has our key: a value that must be unique may as well be
// that of another call, or of a record a person made.
func TestAConflictWithAnothersRecordIsNotAdopted(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.LookupThenWrite)
	w := newWorld(t, c)
	theirs := w.call("")
	w.settle(theirs)
	c.fault = once("call", "before", &connectors.Error{Class: connectors.Conflict, RemoteID: w.row(theirs).RemoteID, Public: "taken"})
	ours := w.call("")
	ours.Note = "ours"
	w.save(ours)
	require.Equal(t, activities.Parked, w.settle(ours).Outcome)
	require.Empty(t, w.row(ours).RemoteID)
	require.Nil(t, c.calls[w.row(theirs).RemoteID]["note"], "the other call's record is left alone")
	require.Equal(t, activities.Done, w.force(ours).Outcome)
	require.Len(t, c.calls, 2)

	c.fault = func(what, when string) error {
		if what == "call" && when == "committed" {
			c.fault = nil
			return &connectors.Error{Class: connectors.Conflict, RemoteID: "call-3", Public: "exists"}
		}
		return nil
	}
	third := w.call("")
	require.Equal(t, activities.Done, w.settle(third).Outcome)
	require.Equal(t, "call-3", w.row(third).RemoteID, "the CRM has our record already")
	require.Len(t, c.calls, 3)
}

// A call that was folded into another one keeps the key its record was made with.
func TestATakenOverCreateKeepsItsKey(t *testing.T) {
	t.Parallel()
	for _, kind := range []connectors.Idempotency{connectors.KeyedUpsert, connectors.LookupThenWrite} {
		c := newCRM(kind)
		c.fault = once("call", "committed", noAnswer)
		w := newWorld(t, c)
		loser, winner := w.call("+14155550101"), w.call("+14155550101")
		_, err := w.deliver(loser)
		require.Error(t, err)
		w.exec(`update deliveries set key = $2::text, record_id = $2::text::uuid, steps = steps || jsonb_build_object('adopted', jsonb_build_object('at', now(), 'id', $1::text)) where key = $1::text`, loser.ID, winner.ID)
		w.exec(`update calls set merged_into = $2 where id = $1`, loser.ID, winner.ID)
		winner.Revision = 2
		w.save(winner)
		require.Equal(t, activities.Done, w.settle(winner).Outcome)
		require.Len(t, c.calls, 1)
	}
}

// A refusal that the old token earned must not revoke the connection that has a new one.
func TestALateRefusalDoesNotRevokeNewCredentials(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	c.fault = func(what, when string) error {
		if what != "call" || when != "before" {
			return nil
		}
		c.fault = nil
		// Meanwhile somebody enters new credentials.
		w.exec(`update connections set status = 'active', secrets = '{"token":"new"}', updated_at = now()`)
		return &connectors.Error{Class: connectors.Unauthorized, Public: "401"}
	}
	one := w.call("")
	_, err := w.deliver(one)
	require.Error(t, err, "tried again with the new ones")
	require.Equal(t, "waiting", w.row(one).State)
	require.Equal(t, activities.Done, w.settle(one).Outcome)
}

// An attempt that read "paused" just before the connection was resumed must not park behind the drain's back.
func TestParkingAfterTheResumeIsTriedAgain(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	w := newWorld(t, c)
	w.delivery.Store = resumedMeanwhile{w.delivery.Store, w}
	w.exec(`update connections set status = 'paused'`)
	one := w.call("")
	_, err := w.deliver(one)
	require.Error(t, err)
	require.NotEqual(t, "parked", w.row(one).State)
	w.exec(`update deliveries set lease_until = now()`)
	require.Equal(t, activities.Done, w.settle(one).Outcome)
}

// What a person did not ask for leaves a lane alone that has nothing to deliver.
func TestAPausedConnectionDoesNotHoldWhatIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newCRM(connectors.KeyedUpsert))
	one := w.call("")
	w.settle(one)
	w.exec(`update connections set status = 'paused'`)
	require.Equal(t, activities.Unchanged, w.settle(one).Outcome)
	require.Equal(t, "done", w.row(one).State)
}

// A contact that another call is making again is not forgotten a second time.
func TestForgettingAContactSparesItsSuccessor(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.LookupThenWrite)
	w := newWorld(t, c)
	one := w.call("+14155550101")
	w.settle(one)
	// The contact is deleted; the call's number has a create under way by another call, without an answer so far.
	delete(c.contacts, "contact-1")
	w.exec(`update deliveries set state = 'sending', remote_id = '', sending_since = now() where object = 'contact'`)
	w.exec(`update deliveries set steps = steps - 'link:contact:contact-1', remote_id = 'call-1', revision = 0 where object = 'call'`)
	_, err := w.deliver(one)
	require.Error(t, err)
	var state string
	require.NoError(t, w.sql.QueryRow(t.Context(), `select state from deliveries where object = 'contact'`).Scan(&state))
	require.Equal(t, "sending", state)
}

func TestAPanicIsAFailureLikeOthers(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	c.fault = func(what, when string) error {
		if what == "call" && when == "before" {
			panic("payload +14155550101")
		}
		return nil
	}
	w := newWorld(t, c)
	one := w.call("")
	_, err := w.deliver(one)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "payload")
	row := w.row(one)
	require.NotContains(t, row.Reason, "payload")
	require.NotEmpty(t, row.Reason)
	require.NotNil(t, row.RetryAt)
	require.NotNil(t, row.SendingSince, "the request may be out")
}

// What Postgres cannot keep must not make a delivery that succeeded one that never ends.
func TestTextThatCannotBeStored(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	c.fault = once("call", "before", &connectors.Error{Class: connectors.Invalid, Field: "a\x00b", Public: "bad \xff\x00 value"})
	w := newWorld(t, c)
	one := w.call("")
	require.Equal(t, activities.Parked, w.settle(one).Outcome)
	one.Customer.Name = "nul"
	w.save(one)
	w.exec(`update mappings set document = document || $1 where object = 'call'`, "  - target: nul\n    value: {const: \"a\\0b\"}\n")
	w.exec(`update connections set updated_at = now()`)
	require.Equal(t, activities.Done, w.force(one).Outcome)
}

// A forced delivery that has to be tried again is the sweeper's to repair, should Temporal lose it.
func TestAFailedRetryReopensTheCall(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	c.fault = once("call", "before", &connectors.Error{Class: connectors.Invalid, Public: "no"})
	w := newWorld(t, c)
	one := w.call("")
	require.Equal(t, activities.Parked, w.settle(one).Outcome)
	require.EqualValues(t, 1, w.settled(one))
	c.fault = once("call", "before", &connectors.Error{Class: connectors.RateLimited, RetryAfter: time.Minute, Public: "slow down"})
	_, err := w.delivery.Deliver(t.Context(), activities.DeliverInput{WorkspaceID: w.ws, CallID: one.ID, ConnectionID: w.conn, Revision: 1, Force: true})
	require.Error(t, err)
	require.Zero(t, w.settled(one))
	require.True(t, w.watched(one))
	require.Equal(t, activities.Done, w.settle(one).Outcome)
	require.False(t, w.watched(one))

	// The same where the worker dies on its way.
	c.fault = once("call", "before", &connectors.Error{Class: connectors.Invalid, Public: "no"})
	two := w.call("")
	require.Equal(t, activities.Parked, w.settle(two).Outcome)
	lane, err := w.delivery.Store.LeaseLane(t.Context(), w.ws, two.ID, w.conn, time.Second)
	require.NoError(t, err)
	require.NoError(t, w.delivery.Store.MarkSending(t.Context(), w.ws, lane.Delivery.ID, lane.Lease))
	require.True(t, w.watched(two))
	require.Zero(t, w.settled(two))
}

// Lanes of connections that the source no longer feeds keep no call open.
func TestAConnectionThatIsNoLongerFed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newCRM(connectors.KeyedUpsert))
	one := w.call("")
	other := uuid.NewString()
	w.exec(`insert into connections (id, workspace_id, connector, name) values ($1, $2, 'crm', 'other')`, other, w.ws)
	w.exec(`insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state) values (gen_random_uuid(), $1, $2, 'call', $3::text, $3::uuid, 'waiting')`, w.ws, other, one.ID)
	require.Equal(t, activities.Done, w.settle(one).Outcome)
	require.Zero(t, w.settled(one))
	w.exec(`update sources set connections = array[$1::uuid]`, w.conn)
	require.Equal(t, activities.Unchanged, w.settle(one).Outcome)
	require.EqualValues(t, 1, w.settled(one))
}

func (w *world) watched(c call.Call) (watched bool) {
	require.NoError(w.t, w.sql.QueryRow(w.t.Context(), `select check_at is not null from calls where id = $1`, c.ID).Scan(&watched))
	return watched
}

// A request that never left is no open outcome: even a CRM that can only create is simply asked again.
func TestWhatWasNotSentIsRepeated(t *testing.T) {
	t.Parallel()
	for _, kind := range []connectors.Idempotency{connectors.LookupThenWrite, connectors.CreateOnly} {
		c := newCRM(kind)
		c.fault = once("call", "before", &connectors.Error{Class: connectors.Unavailable, NotSent: true, Public: "refused"})
		w := newWorld(t, c)
		one := w.call("")
		_, err := w.deliver(one)
		require.Error(t, err)
		require.Equal(t, "waiting", w.row(one).State)
		require.Equal(t, activities.Done, w.settle(one).Outcome)
		require.Len(t, c.calls, 1)
	}
}
