package ingest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/workflows"
)

func (r *rig) say(e call.Event) {
	r.t.Helper()
	r.insert(r.receipt(events(e)))
	r.apply()
	r.signal()
}

func TestSignalOnlyOnRelevantChange(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.say(ringing("c1"))
	id := r.callBy("id", "c1").id
	require.Empty(t, r.to.of(id), "a live call is not signalled")

	r.say(ended("c1"))
	sent := r.to.of(id)
	require.Len(t, sent, 1)
	c := r.callBy("id", "c1")
	require.Equal(t, workflows.CallSignal{
		Revision: 2, WindowBase: *utc(c.base), ChangedAt: sent[0].ChangedAt, Quiet: 5 * time.Second,
		Lanes: []workflows.Lane{{ConnectionID: r.crm.ID, Connector: "webhook", Policy: workflows.Complete, Window: 20 * time.Minute}},
	}, sent[0])
	require.Equal(t, 1, r.count(`select count(*) from deliveries where record_id = $1 and key = $1::text and connection_id = $2 and state = 'waiting'`, id, r.crm.ID))
	require.WithinDuration(t, c.base.Add(22*time.Minute), *c.checkAt, time.Second, "window and grace")

	r.say(ended("c1"))
	r.say(updated("c1", "a note"))
	require.Len(t, r.to.of(id), 1, "the workflow waits and reads the newest state when it wakes")
	require.EqualValues(t, 3, r.callBy("id", "c1").signalled)

	r.say(recorded("c1"))
	sent = r.to.of(id)
	require.Len(t, sent, 2)
	require.True(t, sent[1].Complete)
	require.EqualValues(t, 4, sent[1].Revision)

	r.say(updated("c1", "another note"))
	require.Len(t, r.to.of(id), 3, "what comes after the wait is told")
	r.signal()
	require.Len(t, r.to.of(id), 3)
}

func utc(t *time.Time) *time.Time { u := t.UTC(); return &u }

func TestLanesFollowSourceAndConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	window := time.Minute
	early := records.Connection{ID: newUUID(), WorkspaceID: r.source.WorkspaceID, Connector: "hubspot", Name: "B", Policy: "early", Window: &window, Status: records.ConnectionPaused}
	createOnly := records.Connection{ID: newUUID(), WorkspaceID: r.source.WorkspaceID, Connector: "webhook", Name: "C", Policy: "early", Idempotency: "create_only"}
	require.NoError(t, r.db.CreateConnection(t.Context(), early))
	require.NoError(t, r.db.CreateConnection(t.Context(), createOnly))
	r.say(ended("c1"))
	lanes := r.to.of(r.callBy("id", "c1").id)[0].Lanes
	require.Len(t, lanes, 3, "a paused connection parks, it does not drop")
	require.Contains(t, lanes, workflows.Lane{ConnectionID: early.ID, Connector: "hubspot", Policy: workflows.Early, Window: window})
	require.Contains(t, lanes, workflows.Lane{ConnectionID: createOnly.ID, Connector: "webhook", Policy: workflows.Complete, Window: 20 * time.Minute})
	r.say(updated("c1", "a"))
	require.Len(t, r.to.of(r.callBy("id", "c1").id), 2, "an early lane is told of every change")

	r.source.Connections = []string{early.ID}
	require.NoError(t, r.db.UpdateSource(t.Context(), r.source))
	r.restart()
	r.say(ended("c2"))
	require.Len(t, r.to.of(r.callBy("id", "c2").id)[0].Lanes, 1)

	r.source.Connections = []string{}
	require.NoError(t, r.db.UpdateSource(t.Context(), r.source))
	r.restart()
	r.say(ended("c3"))
	c := r.callBy("id", "c3")
	require.Empty(t, r.to.of(c.id))
	require.EqualValues(t, c.revision, c.settled, "nothing to deliver is settled")
	require.Nil(t, c.checkAt)
}

func TestSignalFailureIsNotLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.to.set(errors.New("temporal is away"))
	r.insert(r.receipt(events(ended("c1"))))
	r.apply()
	_, err := r.relay.signalRound(t.Context())
	require.ErrorContains(t, err, "temporal is away")
	c := r.callBy("id", "c1")
	require.Zero(t, c.signalled)
	r.to.set(nil)
	r.signal()
	require.Empty(t, r.to.of(c.id), "given back for a moment")
	r.exec(`update calls set signal_lease = now() - interval '1 second'`)
	r.signal()
	require.Len(t, r.to.of(c.id), 1)
}

func TestSync(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.say(ringing("c1"))
	id := r.callBy("id", "c1").id
	require.ErrorIs(t, r.relay.SyncNow(t.Context(), r.source.WorkspaceID, id, nil), records.ErrNotFound, "a live call is not delivered")
	r.say(ended("c1"))
	require.ErrorIs(t, r.relay.SyncNow(t.Context(), newUUID(), id, nil), records.ErrNotFound)
	require.NoError(t, r.relay.SyncNow(t.Context(), r.source.WorkspaceID, id, nil))
	sent := r.to.of(id)
	require.Len(t, sent, 2)
	require.NotZero(t, sent[1].Force)
	require.False(t, sent[1].Lanes[0].NotForced)
	require.NoError(t, r.relay.SyncNow(t.Context(), r.source.WorkspaceID, id, []string{newUUID()}))
	require.True(t, r.to.of(id)[2].Lanes[0].NotForced, "only the connections asked for")
	r.say(updated("c1", "a"))
	require.Len(t, r.to.of(id), 4, "after a forced delivery the workflow may not wait any more")
}

// The sweeper finds what a wiped Temporal forgot, and leaves alone what is settled.
func TestSweeperAfterTemporalWipe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.say(ended("lost"))
	r.say(ended("fine"))
	lost, fine := r.callBy("id", "lost"), r.callBy("id", "fine")
	sweeper := NewSweeper(r.relay)
	sweep := func() {
		_, err := sweeper.Sweep(t.Context())
		require.NoError(t, err)
	}
	sweep()
	require.Len(t, r.to.of(lost.id), 1, "not due")

	r.to.calls = nil
	r.exec(`update calls set check_at = now() - interval '1 second'`)
	r.exec(`update calls set settled_revision = revision where id = $1`, fine.id)
	sweep()
	require.Len(t, r.to.of(lost.id), 1)
	require.EqualValues(t, 1, r.to.of(lost.id)[0].Revision)
	require.Empty(t, r.to.of(fine.id))
	require.Nil(t, r.callBy("id", "fine").checkAt)
	c := r.callBy("id", "lost")
	require.Equal(t, 1, c.checkCount)
	require.WithinDuration(t, time.Now().Add(2*time.Minute), *c.checkAt, 10*time.Second)

	r.exec(`update calls set check_at = now() - interval '1 second' where check_at is not null`)
	sweep()
	c = r.callBy("id", "lost")
	require.WithinDuration(t, time.Now().Add(4*time.Minute), *c.checkAt, 10*time.Second, "later each time")

	r.to.set(errors.New("still away"))
	r.exec(`update calls set check_at = now() - interval '1 second' where check_at is not null`)
	_, err := sweeper.Sweep(t.Context())
	require.Error(t, err)
	c = r.callBy("id", "lost")
	require.Equal(t, 2, c.checkCount)
	require.WithinDuration(t, time.Now().Add(30*time.Second), *c.checkAt, 10*time.Second, "not the call's fault")
}

// A lane that waits while its connection is taken from the source would wait for ever.
func TestSweeperClosesLanesThatAreNoLongerFed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := records.Connection{ID: newUUID(), WorkspaceID: r.source.WorkspaceID, Connector: "webhook", Name: "B"}
	require.NoError(t, r.db.CreateConnection(t.Context(), other))
	r.say(ended("c1"))
	c := r.callBy("id", "c1")
	r.exec(`update deliveries set state = 'done', revision = 1 where connection_id = $1`, r.crm.ID)
	r.source.Connections = []string{r.crm.ID}
	require.NoError(t, r.db.UpdateSource(t.Context(), r.source))
	r.restart()
	r.exec(`update calls set check_at = now() - interval '1 second'`)
	_, err := NewSweeper(r.relay).Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, r.count(`select count(*) from deliveries where connection_id = $1 and state = 'skipped' and reason <> ''`, other.ID))
	require.Equal(t, 1, r.count(`select count(*) from deliveries where connection_id = $1 and state = 'done'`, r.crm.ID))

	// The source leads there again: the lane is new.
	r.source.Connections = nil
	require.NoError(t, r.db.UpdateSource(t.Context(), r.source))
	r.restart()
	r.say(recorded("c1"))
	sent := r.to.of(c.id)
	require.Len(t, sent[len(sent)-1].Lanes, 2)
}

func TestStaleCallIsDeliveredAndRecovers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.say(ringing("c1"))
	sweeper := NewSweeper(r.relay)
	_, err := sweeper.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, "live", r.callBy("id", "c1").phase)

	r.exec(`update calls set changed_at = now() - interval '5 hours'`)
	_, err = sweeper.Sweep(t.Context())
	require.NoError(t, err)
	r.signal()
	c := r.callBy("id", "c1")
	require.Equal(t, "ended", c.phase)
	require.True(t, c.Stale)
	require.EqualValues(t, 2, c.Revision)
	sent := r.to.of(c.id)
	require.Len(t, sent, 1)
	require.True(t, sent[0].Stale)

	r.say(call.Event{Kind: call.CallAnswered, ProviderID: "c1"})
	c = r.callBy("id", "c1")
	require.True(t, c.Stale, "only an end takes the flag away")
	require.Equal(t, "ended", c.phase)
	r.say(ended("c1"))
	c = r.callBy("id", "c1")
	require.False(t, c.Stale)
	require.Equal(t, call.Answered, c.Status)
	sent = r.to.of(c.id)
	require.False(t, sent[len(sent)-1].Stale)
}

// Receiver to workflow by the running loops: the wake-ups work, and polling finds what another process stored.
func TestRunningRelay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, stop := cancelled(t)
	done := make(chan struct{})
	go func() { defer close(done); r.relay.Run(ctx) }()
	r.insert(r.receipt(events(ended("c1"))))
	eventually(t, "the call is signalled", func() bool { return r.count("select count(*) from calls where signalled_revision = 1") == 1 })
	r.insert(r.receipt(events(ended("c2"))))
	r.relay.Wake()
	eventually(t, "the other one too", func() bool { return r.count("select count(*) from calls where signalled_revision = 1") == 2 })
	stop()
	<-done
}
