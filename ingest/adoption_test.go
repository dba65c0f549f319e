package ingest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// twoCalls makes two ended calls with lanes that the returned receipt shows to be one; the older one takes the other in.
func (r *rig) twoCalls(name string) (winner, loser string, both records.Receipt) {
	r.t.Helper()
	leg := call.Alias{Kind: "leg", Value: name}
	r.insert(r.receipt(events(call.Event{Kind: call.CallEnded, Aliases: []call.Alias{conn(name)}, Facts: call.Facts{Status: call.Missed}})))
	r.apply()
	r.insert(r.receipt(events(call.Event{Kind: call.CallEnded, Aliases: []call.Alias{leg}, Facts: call.Facts{Status: call.Missed}})))
	r.apply()
	r.signal()
	return r.callBy("connection", name).id, r.callBy("leg", name).id, r.receipt(events(ended(name, conn(name), leg)))
}

func (r *rig) lease(callID string) records.Lane {
	r.t.Helper()
	lane, err := r.db.LeaseLane(r.t.Context(), r.source.WorkspaceID, callID, r.crm.ID, time.Minute)
	require.NoError(r.t, err)
	return lane
}

func (r *rig) markSending(l records.Lane) error {
	return r.db.MarkSending(r.t.Context(), r.source.WorkspaceID, l.Delivery.ID, l.Lease)
}

// A worker that has not begun to send must not send any more after its call was folded into another one that has a
// delivery of its own: there would be two records.
func TestAdoptionStopsTheLosersWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	winner, loser, both := r.twoCalls("c1")
	l := r.lease(loser)
	r.insert(both)
	r.apply()
	require.ErrorIs(t, r.markSending(l), records.ErrLeaseLost)
	_, err := r.db.LeaseLane(t.Context(), r.source.WorkspaceID, loser, r.crm.ID, time.Minute)
	require.ErrorIs(t, err, records.ErrNotFound)
	require.NoError(t, r.markSending(r.lease(winner)))
}

// The same for the winner's worker where the loser's record exists: that one is the call's from now on.
func TestAdoptionStopsTheWinnersWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	winner, loser, both := r.twoCalls("c1")
	l := r.lease(winner)
	r.exec(`update deliveries set state = 'done', remote_id = 'crm-1', revision = 1 where record_id = $1`, loser)
	r.insert(both)
	r.apply()
	require.ErrorIs(t, r.markSending(l), records.ErrLeaseLost)
	require.Equal(t, "crm-1", r.lease(winner).Delivery.RemoteID)
	require.Equal(t, 1, r.count(`select count(*) from deliveries`))
}

// A create that is out has the key of the call it was sent for, however often that is folded into another one.
func TestAdoptionKeepsTheKeyOfACreate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, _, _ := r.twoCalls("first")
	winner, loser, both := r.twoCalls("c1")
	require.NoError(t, r.markSending(r.lease(loser)))
	// Parked meanwhile, as by a pause: the create stays open.
	r.exec(`update deliveries set state = 'parked', lease_until = '-infinity' where record_id = $1`, loser)
	r.lease(winner)
	r.insert(both)
	r.apply()
	l := r.lease(winner)
	require.False(t, l.Delivery.SendingSince.IsZero())
	require.Equal(t, loser, l.Delivery.Steps[records.StepAdopted].ID)

	r.insert(r.receipt(events(ended("c1", conn("first"), conn("c1")))))
	r.apply()
	require.Equal(t, first, r.callBy("id", "c1").id)
	r.exec(`update deliveries set lease_until = '-infinity'`)
	require.Equal(t, loser, r.lease(first).Delivery.Steps[records.StepAdopted].ID)
}
