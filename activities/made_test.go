package activities_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/connectors"
)

// sureCRM makes records once and cannot change them all, but its look-up misses none.
type sureCRM struct{ lookupCRM }

func (c sureCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }
func (sureCRM) FindsSurely() bool                                      { return true }

func sureWorld(t *testing.T) (*world, *crm) {
	c := newCRM(connectors.CreateOnly)
	w := newWorld(t, c)
	w.delivery.Connectors = connectors.NewRegistry(sureCRM{lookupCRM{c}})
	return w, c
}

// A create-only CRM whose look-up misses nothing is asked, and what it does not have is made: nobody has to look there.
func TestASureLookUpEndsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "committed"} {
		w, c := sureWorld(t)
		c.fault = once("call", when, noAnswer)
		one := w.call("+14155550101")
		require.Equal(t, activities.Done, w.settle(one).Outcome, when)
		require.Len(t, c.calls, 1, when)
		require.Equal(t, "call-1", w.row(one).RemoteID)
	}
}

// partial is a CRM that needs two requests for a record; the second fails the first time.
type partial struct {
	sureCRM
	failed *bool
	class  connectors.Class
}

func (c partial) Open(connectors.Settings) (connectors.Session, error) { return c, nil }

func (c partial) WriteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	out, err := c.crm.WriteCall(ctx, w)
	if err == nil && !*c.failed {
		*c.failed = true
		return connectors.Written{}, &connectors.Error{Class: c.class, RemoteID: out.RemoteID, Made: true, Public: "later"}
	}
	return out, err
}

// What was made before a later request of the same write failed is gone on with, all fields of it, and not made again.
func TestAWriteThatFailedHalfWayGoesOn(t *testing.T) {
	t.Parallel()
	for _, class := range []connectors.Class{connectors.RateLimited, connectors.Unavailable, connectors.UnknownOutcome} {
		w, c := sureWorld(t)
		w.delivery.Connectors = connectors.NewRegistry(partial{sureCRM{lookupCRM{c}}, new(bool), class})
		one := w.call("+14155550101")
		_, err := w.deliver(one)
		require.Error(t, err)
		require.Equal(t, "call-1", w.row(one).RemoteID, "the record is known at once")
		require.Equal(t, activities.Done, w.settle(one).Outcome)
		require.Len(t, c.calls, 1)
		require.Len(t, c.writes, 2)
		require.Equal(t, c.writes[0], c.writes[1])
	}
}
