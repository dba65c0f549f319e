package activities_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// batchCRM writes and reads many calls in one request.
type batchCRM struct {
	lookupCRM
	mu sync.Mutex
	// batches are the sizes of the requests, singles the writes that came by themselves.
	batches, reads []int
	singles        int
	// whole fails a batch before ("before") or after ("committed") it is written; one fails an item.
	whole func(when string) error
	one   func(w connectors.CallWrite) error
	// hold keeps a batch on the wire.
	hold func(ctx context.Context)
	// underWay are the keys that are being written.
	underWay map[string]bool
	doubled  atomic.Int32
}

func (c *batchCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }
func (c *batchCRM) MaxBatch() int                                        { return 20 }

func (c *batchCRM) WriteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	c.mu.Lock()
	c.singles++
	one := c.one
	c.mu.Unlock()
	if one != nil {
		if err := one(w); err != nil {
			return connectors.Written{}, err
		}
	}
	return c.lookupCRM.WriteCall(ctx, w)
}

func (c *batchCRM) WriteCalls(ctx context.Context, ws []connectors.CallWrite) []connectors.BatchOutcome {
	c.mu.Lock()
	c.batches = append(c.batches, len(ws))
	whole, one, hold := c.whole, c.one, c.hold
	for _, w := range ws {
		if c.underWay[w.Key] {
			c.doubled.Add(1)
		}
		c.underWay[w.Key] = true
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, w := range ws {
			delete(c.underWay, w.Key)
		}
	}()
	out := make([]connectors.BatchOutcome, len(ws))
	fail := func(err error) []connectors.BatchOutcome {
		for i := range out {
			out[i] = connectors.BatchOutcome{Err: err}
		}
		return out
	}
	if whole != nil {
		if err := whole("before"); err != nil {
			return fail(err)
		}
	}
	if hold != nil {
		hold(ctx)
	}
	for i, w := range ws {
		if one != nil {
			if out[i].Err = one(w); out[i].Err != nil {
				continue
			}
		}
		out[i].Written, out[i].Err = c.lookupCRM.WriteCall(ctx, w)
	}
	if whole != nil {
		if err := whole("committed"); err != nil {
			return fail(err)
		}
	}
	if ctx.Err() != nil {
		return fail(&connectors.Error{Class: connectors.UnknownOutcome, Err: ctx.Err(), Public: "no answer"})
	}
	return out
}

func (c *batchCRM) ReadCalls(ctx context.Context, ids, fields []string) []connectors.ReadOutcome {
	c.mu.Lock()
	c.reads = append(c.reads, len(ids))
	c.mu.Unlock()
	out := make([]connectors.ReadOutcome, len(ids))
	for i, id := range ids {
		out[i].Fields, out[i].Err = c.ReadCall(ctx, id, fields)
	}
	return out
}

func total(sizes []int) (n int) {
	for _, s := range sizes {
		n += s
	}
	return n
}

func batchWorld(t *testing.T, kind connectors.Idempotency) (*world, *batchCRM) {
	c := &batchCRM{lookupCRM: lookupCRM{newCRM(kind)}, underWay: map[string]bool{}}
	w := newWorld(t, c.crm)
	w.delivery.Connectors = connectors.NewRegistry(c)
	w.delivery.Batch, w.delivery.BulkPlaces = 100, 4
	return w, c
}

func (w *world) bulk(ctx context.Context, c call.Call) (activities.DeliverResult, error) {
	return w.delivery.Deliver(ctx, activities.DeliverInput{WorkspaceID: w.ws, CallID: c.ID, ConnectionID: w.conn, Revision: c.Revision, Force: true, Bulk: true})
}

// backfill delivers calls side by side, as often as Temporal would.
func (w *world) backfill(all []call.Call) {
	w.t.Helper()
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() {
			var err error
			for range 120 {
				if _, err = w.bulk(w.t.Context(), c); err == nil {
					return
				}
				wait := 50 * time.Millisecond
				if app := (*temporal.ApplicationError)(nil); errors.As(err, &app) {
					wait = min(app.NextRetryDelay(), 200*time.Millisecond)
				}
				select {
				case <-w.t.Context().Done():
				case <-time.After(wait):
				}
			}
			w.t.Errorf("a delivery never settled: %v", err)
		})
	}
	wg.Wait()
}

func (w *world) calls(n int, number func(int) string) []call.Call {
	out := make([]call.Call, n)
	for i := range out {
		out[i] = w.call(number(i))
	}
	return out
}

func ownNumber(i int) string { return fmt.Sprintf("+1415555%04d", i) }
func noNumber(int) string    { return "" }

// onceEach demands one record of each call, with its links, and that the row knows it.
func (w *world) onceEach(c *batchCRM, all []call.Call, linked int) {
	w.t.Helper()
	c.crm.mu.Lock()
	defer c.crm.mu.Unlock()
	require.Len(w.t, c.calls, len(all))
	require.Zero(w.t, c.doubled.Load(), "no call is in two requests at once")
	for _, one := range all {
		r := w.row(one)
		require.Equal(w.t, string(records.DeliveryDone), r.State, r.Reason)
		require.Equal(w.t, c.keys[one.ID], r.RemoteID)
		require.Len(w.t, slices.Compact(slices.Clone(c.links[r.RemoteID])), linked)
		require.Nil(w.t, r.SendingSince)
		require.EqualValues(w.t, 1, w.settled(one))
	}
}

// Calls of backfill are made, read and changed in few requests; each has its own record, contact and steps. Live calls go by
// themselves, at once.
func TestBackfillSharesRequests(t *testing.T) {
	t.Parallel()
	w, c := batchWorld(t, connectors.KeyedUpsert)
	all := w.calls(30, ownNumber)
	w.backfill(all)
	w.onceEach(c, all, 1)
	require.Len(t, c.contacts, 30)
	require.Zero(t, c.singles)
	require.Equal(t, 30, total(c.batches))
	require.LessOrEqual(t, len(c.batches), 12, "%v", c.batches)

	c.batches = nil
	w.backfill(all)
	require.Empty(t, c.batches, "nothing has changed")

	// A person has changed one, and the mapping another field of all.
	c.calls[c.keys[all[0].ID]]["title"] = "by hand"
	w.exec(`insert into mappings (connection_id, object, version, workspace_id, document)
		select connection_id, object, 2, workspace_id, replace(document, 'customer.name', 'customer.number') from mappings where object = 'call'`)
	w.exec(`update active_mappings set version = 2 where object = 'call'`)
	w.backfill(all)
	require.Equal(t, 30, total(c.reads))
	require.LessOrEqual(t, len(c.reads), 12, "%v", c.reads)
	require.Equal(t, 29, total(c.batches))
	require.LessOrEqual(t, len(c.batches), 12, "%v", c.batches)
	require.Equal(t, "by hand", c.calls[c.keys[all[0].ID]]["title"], "what somebody has changed stays")
	require.Equal(t, ownNumber(1), c.calls[c.keys[all[1].ID]]["title"])
	require.Zero(t, c.singles)

	live := w.call("")
	began := time.Now()
	_, err := w.deliver(live)
	require.NoError(t, err)
	require.Equal(t, 1, c.singles)
	require.Less(t, time.Since(began), 10*time.Second)
	require.Len(t, c.calls, 31)
}

// Where repeating a create could make a second record, each call goes by itself. So does one that has failed.
func TestWhatGoesByItself(t *testing.T) {
	t.Parallel()
	for _, kind := range []connectors.Idempotency{connectors.LookupThenWrite, connectors.CreateOnly} {
		w, c := batchWorld(t, kind)
		w.exec(`update connections set idempotency = $2 where id = $1`, w.conn, string(kind))
		all := w.calls(3, noNumber)
		w.backfill(all)
		require.Empty(t, c.batches)
		w.onceEach(c, all, 0)
	}
	w, c := batchWorld(t, connectors.KeyedUpsert)
	w.delivery.Batch = 1
	w.backfill(w.calls(3, noNumber))
	require.Empty(t, c.batches, "it is switched off")
	require.Equal(t, 3, c.singles)

	// One call that upsets the CRM does not hold up those that are sent with it.
	w, c = batchWorld(t, connectors.KeyedUpsert)
	all := w.calls(10, noNumber)
	poison := all[3].ID
	c.whole = func(when string) error {
		if when == "before" && c.underWay[poison] {
			return &connectors.Error{Class: connectors.Unavailable, Public: "it fell over"}
		}
		return nil
	}
	c.one = func(cw connectors.CallWrite) error {
		if cw.Key == poison {
			return &connectors.Error{Class: connectors.Invalid, Public: "no"}
		}
		return nil
	}
	w.backfill(all)
	require.Len(t, c.calls, 9)
	require.Equal(t, "invalid", w.row(all[3]).Class)
}

// One that is refused is on hold with its own reason, and the others are there.
func TestARefusedCallInABatch(t *testing.T) {
	t.Parallel()
	w, c := batchWorld(t, connectors.KeyedUpsert)
	all := w.calls(8, ownNumber)
	c.one = func(cw connectors.CallWrite) error {
		if cw.Key == all[2].ID {
			return &connectors.Error{Class: connectors.Invalid, Field: "title", Public: "The title is too long."}
		}
		return nil
	}
	w.backfill(all)
	require.Len(t, c.calls, 7)
	require.Equal(t, rowState{State: "parked", Class: "invalid", Reason: "The title is too long.", Revision: 1}, w.row(all[2]))
	c.one = nil
	w.backfill(all[2:3])
	w.onceEach(c, all, 1)
}

// A batch that fails as a whole fails for each of its calls as a request of its own would.
func TestABatchThatFails(t *testing.T) {
	t.Parallel()
	w, c := batchWorld(t, connectors.KeyedUpsert)
	var all []call.Call
	for name, e := range map[string]*connectors.Error{
		"busy": {Class: connectors.RateLimited, RetryAfter: 20 * time.Millisecond, Public: "slow down"},
		"away": {Class: connectors.Unavailable, NotSent: true, RetryAfter: 20 * time.Millisecond, Public: "away"},
		"lost": {Class: connectors.UnknownOutcome, RetryAfter: 20 * time.Millisecond, Public: "no answer"},
	} {
		for _, when := range []string{"before", "committed"} {
			fails := once("batch", when, e)
			c.mu.Lock()
			c.batches = nil
			c.whole = func(when string) error {
				c.mu.Lock()
				defer c.mu.Unlock()
				return fails("batch", when)
			}
			c.mu.Unlock()
			some := w.calls(6, noNumber)
			w.backfill(some)
			require.NotEmpty(t, c.batches, name)
			all = append(all, some...)
			w.onceEach(c, all, 0)
		}
	}
	c.whole = func(string) error { return &connectors.Error{Class: connectors.Revoked, Public: "connect again"} }
	some := w.calls(6, noNumber)
	w.backfill(some)
	for _, one := range some {
		require.Equal(t, "revoked", w.row(one).Class)
	}
}

// dead is the store of a process that was killed: nothing it does reaches the database.
type dead struct {
	activities.Store
	now atomic.Bool
}

func (d *dead) RenewLease(ctx context.Context, workspaceID, deliveryID, token string, lease time.Duration) error {
	if d.now.Load() {
		return errKilled
	}
	return d.Store.RenewLease(ctx, workspaceID, deliveryID, token, lease)
}

func (d *dead) MarkWriting(ctx context.Context, workspaceID, deliveryID, token string, sent map[string][]any, create bool) error {
	if d.now.Load() {
		return errKilled
	}
	return d.Store.MarkWriting(ctx, workspaceID, deliveryID, token, sent, create)
}

func (d *dead) FinishLane(ctx context.Context, r records.LaneResult) error {
	if d.now.Load() {
		return errKilled
	}
	return d.Store.FinishLane(ctx, r)
}

// Two processes deliver the same backfill, over and over, while batches are lost before and after they were written, calls are
// refused for the moment, deliveries are cancelled in the middle, and one process is killed with a batch on the wire that the
// CRM writes all the same. One record of each call comes out, and what its row says is there.
func TestBackfillThroughEverything(t *testing.T) {
	t.Parallel()
	w, c := batchWorld(t, connectors.KeyedUpsert)
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(7, 11))
	chance := func(of int) bool { mu.Lock(); defer mu.Unlock(); return dice.IntN(of) == 0 }
	c.whole = func(when string) error {
		switch {
		case chance(6):
			return &connectors.Error{Class: connectors.UnknownOutcome, RetryAfter: 20 * time.Millisecond, Public: "no answer"}
		case when == "before" && chance(6):
			return &connectors.Error{Class: connectors.RateLimited, RetryAfter: 20 * time.Millisecond, Public: "busy"}
		}
		return nil
	}
	c.one = func(connectors.CallWrite) error {
		if chance(20) {
			return &connectors.Error{Class: connectors.Unavailable, RetryAfter: 20 * time.Millisecond, Public: "later"}
		}
		return nil
	}
	all := w.calls(40, noNumber)

	// The first process dies with requests on the wire. What is on the wire arrives later than its successor begins.
	store := &dead{Store: w.delivery.Store}
	first := &activities.Delivery{Store: store, Connectors: w.delivery.Connectors, Transport: w.delivery.Transport, Log: w.delivery.Log,
		PublicURL: w.delivery.PublicURL, Batch: 100, BulkPlaces: 4}
	onWire, arrive := make(chan struct{}), make(chan struct{})
	var held atomic.Int32
	c.hold = func(context.Context) {
		if held.Add(1) == 1 {
			close(onWire)
		}
		<-arrive
	}
	ctx, kill := context.WithCancel(t.Context())
	var killed sync.WaitGroup
	for _, one := range all[:25] {
		killed.Go(func() {
			in := activities.DeliverInput{WorkspaceID: w.ws, CallID: one.ID, ConnectionID: w.conn, Revision: 1, Force: true, Bulk: true}
			for ctx.Err() == nil {
				if _, err := first.Deliver(ctx, in); err == nil {
					return
				}
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	<-onWire
	store.now.Store(true)
	kill()
	killed.Wait()
	w.exec(`update deliveries set lease_until = '-infinity'`)
	c.mu.Lock()
	c.hold = nil
	c.underWay = map[string]bool{} // they are the other process's
	c.mu.Unlock()

	var busy sync.WaitGroup
	busy.Go(func() { w.backfill(all) })
	busy.Go(func() {
		// Workers that stop in the middle.
		for range 30 {
			one := all[rand.IntN(len(all))]
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(700))*time.Millisecond)
			_, _ = w.bulk(ctx, one)
			cancel()
			w.exec(`update deliveries set lease_until = '-infinity' where record_id = $1 and lease_until > now()`, one.ID)
		}
	})
	time.AfterFunc(300*time.Millisecond, func() { close(arrive) })
	busy.Wait()
	c.whole, c.one = nil, nil
	w.backfill(all)
	c.doubled.Store(0) // the killed process's late requests run beside its successor's
	w.onceEach(c, all, 0)
	require.NotEmpty(t, maps.Clone(c.keys))
}

// A delivery whose lane was taken from it while its batch is on the wire does not write it again by itself, and the others
// have their outcomes.
func TestACancelledCallInABatch(t *testing.T) {
	t.Parallel()
	w, c := batchWorld(t, connectors.KeyedUpsert)
	all := w.calls(5, noNumber)
	ctx, cancel := context.WithCancel(t.Context())
	c.hold = func(context.Context) { cancel() }
	var wg sync.WaitGroup
	for i, one := range all {
		wg.Go(func() {
			if i == 0 {
				_, err := w.bulk(ctx, one)
				if ctx.Err() != nil && err != nil {
					return
				}
			}
			for range 20 {
				if _, err := w.bulk(t.Context(), one); err == nil {
					return
				}
			}
		})
	}
	wg.Wait()
	c.mu.Lock()
	c.hold = nil
	c.mu.Unlock()
	w.exec(`update deliveries set lease_until = '-infinity', sending_since = sending_since - interval '1 minute'`)
	w.backfill(all)
	w.onceEach(c, all, 0)
}
