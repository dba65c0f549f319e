package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/connectors"
)

// A test call that no CRM shall get is skipped before anything is asked of the CRM, also when a person asks for it and
// while the connection is paused.
func TestATestCallIsNotDelivered(t *testing.T) {
	t.Parallel()
	c := newCRM(connectors.KeyedUpsert)
	c.fault = func(what, _ string) error {
		t.Errorf("the CRM was asked for a %s", what)
		return nil
	}
	w := newWorld(t, c)
	one := w.call("+12025550143")
	one.Attributes = map[string]any{"test": true, "test_only": true}
	w.save(one)
	require.Equal(t, activities.Skipped, w.settle(one).Outcome)
	row := w.row(one)
	require.Equal(t, "skipped", row.State)
	require.Equal(t, "test", row.Class)
	require.Equal(t, "Test call: not delivered", row.Reason)
	require.EqualValues(t, 1, w.settled(one))
	require.Empty(t, c.calls)
	require.Empty(t, c.contacts)

	w.exec(`update connections set status = 'paused' where id = $1`, w.conn)
	r, err := w.delivery.Deliver(t.Context(), activities.DeliverInput{WorkspaceID: w.ws, CallID: one.ID, ConnectionID: w.conn, Revision: 1, Force: true})
	require.NoError(t, err)
	require.Equal(t, activities.Skipped, r.Outcome)

	// One that is to be delivered goes like any other.
	w.exec(`update connections set status = 'active' where id = $1`, w.conn)
	c.fault = nil
	two := w.call("+12025550143")
	two.Attributes = map[string]any{"test": true}
	w.save(two)
	require.Equal(t, activities.Done, w.settle(two).Outcome)
	require.Len(t, c.calls, 1)
}
