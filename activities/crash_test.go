package activities_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// dying is the store as a process sees it that is killed at its left-th step: a statement's beginning, or its end, when
// it is committed and its answer is lost. The process does nothing after that.
type dying struct {
	activities.Store
	left int
	dead bool
}

var errKilled = errors.New("killed")

func (d *dying) step() error {
	if d.left--; d.left < 0 {
		d.dead = true
		return errKilled
	}
	return nil
}

func dies[T any](d *dying, do func() (T, error)) (T, error) {
	var none T
	if err := d.step(); err != nil {
		return none, err
	}
	out, err := do()
	if killed := d.step(); killed != nil {
		return none, killed
	}
	return out, err
}

func diesDoing(d *dying, do func() error) error {
	_, err := dies(d, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (d *dying) LeaseLane(ctx context.Context, workspaceID, callID, connectionID string, lease time.Duration) (records.Lane, error) {
	return dies(d, func() (records.Lane, error) {
		return d.Store.LeaseLane(ctx, workspaceID, callID, connectionID, lease)
	})
}

func (d *dying) MarkSending(ctx context.Context, workspaceID, deliveryID, token string) error {
	return diesDoing(d, func() error { return d.Store.MarkSending(ctx, workspaceID, deliveryID, token) })
}

func (d *dying) MarkWriting(ctx context.Context, workspaceID, deliveryID, token string, sent map[string][]any, create bool) error {
	return diesDoing(d, func() error { return d.Store.MarkWriting(ctx, workspaceID, deliveryID, token, sent, create) })
}

func (d *dying) SaveRemote(ctx context.Context, workspaceID, deliveryID, token, remoteID, remoteURL string) error {
	return diesDoing(d, func() error { return d.Store.SaveRemote(ctx, workspaceID, deliveryID, token, remoteID, remoteURL) })
}

func (d *dying) FinishLane(ctx context.Context, r records.LaneResult) error {
	return diesDoing(d, func() error { return d.Store.FinishLane(ctx, r) })
}

func (d *dying) LeaseContact(ctx context.Context, workspaceID, connectionID, number string, lease time.Duration) (row records.Delivery, token string, err error) {
	err = diesDoing(d, func() error {
		row, token, err = d.Store.LeaseContact(ctx, workspaceID, connectionID, number, lease)
		return err
	})
	return row, token, err
}

func (d *dying) FinishContact(ctx context.Context, r records.ContactResult) error {
	return diesDoing(d, func() error { return d.Store.FinishContact(ctx, r) })
}

// hiccup is a store that does not save a record's id at first, or not before another attempt has the lease.
type hiccup struct {
	activities.Store
	fails int
	steal func()
}

func (h *hiccup) SaveRemote(ctx context.Context, workspaceID, deliveryID, token, remoteID, remoteURL string) error {
	if h.fails--; h.fails >= 0 {
		return errKilled
	}
	if h.steal != nil {
		h.steal()
	}
	return h.Store.SaveRemote(ctx, workspaceID, deliveryID, token, remoteID, remoteURL)
}

// The id of a record that only our row can know is kept, though the database is away for a moment or the attempt has
// lost its lease meanwhile.
func TestTheOnlyWitnessIsHeard(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.CreateOnly)
	w := newWorld(t, c)
	healthy := w.delivery.Store
	w.delivery.Store = &hiccup{Store: healthy, fails: 2}
	one := w.call("")
	require.Equal(t, activities.Done, w.settle(one).Outcome)

	w.delivery.Store = &hiccup{Store: healthy, steal: func() {
		w.exec(`update deliveries set attempt_token = gen_random_uuid(), lease_until = now() + interval '1 hour' where object = 'call'`)
	}}
	two := w.call("")
	_, err := w.deliver(two)
	require.Error(t, err)
	require.Equal(t, "call-2", w.row(two).RemoteID)
	w.delivery.Store = healthy
	w.exec(`update deliveries set lease_until = now()`)
	require.Equal(t, activities.Done, w.settle(two).Outcome)
	require.Len(t, c.calls, 2)
}

// Whenever the worker is killed, between any two statements and requests, and then once more when another one has taken
// over: one record, one contact, and the next worker ends the work.
func TestAWorkerKilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, kind := range []connectors.Idempotency{connectors.KeyedUpsert, connectors.LookupThenWrite, connectors.CreateOnly} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c := newCRM(kind)
			w := newWorld(t, c)
			healthy := w.delivery.Store
			// attempt delivers until the process is killed at the given step; false if it was not.
			attempt := func(one call.Call, at int) bool {
				d := &dying{Store: healthy, left: at}
				w.delivery.Store = d
				c.fault = func(string, string) error {
					if d.dead || d.step() != nil {
						return &connectors.Error{Class: connectors.UnknownOutcome, Public: "killed"}
					}
					return nil
				}
				_, _ = w.deliver(one)
				w.delivery.Store, c.fault = healthy, nil
				w.exec(`update deliveries set lease_until = '-infinity'`)
				return d.dead
			}
			for first := 0; ; first++ {
				second := first * 7 % 13
				calls, contacts := len(c.calls), len(c.contacts)
				one := w.call(fmt.Sprintf("+1415555%04d", first))
				killed := attempt(one, first)
				if killed {
					// Later than any request may still be on its way.
					w.exec(`update deliveries set sending_since = sending_since - interval '1 second'`)
					attempt(one, second)
				}
				r := w.settle(one)
				if w.row(one).State == records.DeliveryParked {
					require.Equal(t, connectors.CreateOnly, kind)
					require.Equal(t, "unknown_outcome", w.row(one).Class)
					require.LessOrEqual(t, len(c.calls), calls+1, "killed at %d, then at %d", first, second)
					require.LessOrEqual(t, len(c.contacts), contacts+1, "killed at %d, then at %d", first, second)
					continue
				}
				require.Contains(t, []activities.Outcome{activities.Done, activities.Unchanged}, r.Outcome)
				require.Len(t, c.calls, calls+1, "killed at %d, then at %d", first, second)
				require.Len(t, c.contacts, contacts+1, "killed at %d, then at %d", first, second)
				require.Equal(t, c.keys[one.ID], w.row(one).RemoteID)
				require.Len(t, slices.Compact(c.links[w.row(one).RemoteID]), 1)
				require.EqualValues(t, 1, w.settled(one))
				if !killed {
					require.Greater(t, first, 12, "the steps were counted")
					return
				}
			}
		})
	}
}
