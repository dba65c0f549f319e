package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

type resyncRig struct {
	*settingsRig
	source, conn string
}

func newResyncRig(t *testing.T) *resyncRig {
	r := newSettingsRig(t)
	s, c := r.newSource(), r.newConnection()
	require.NoError(t, r.CreateSource(r.ctx, s))
	require.NoError(t, r.CreateConnection(r.ctx, c))
	return &resyncRig{r, s.ID, c.ID}
}

func (r *resyncRig) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := r.pool.Exec(r.ctx, sql, args...)
	require.NoError(t, err)
}

// call makes an ended call with a lane in state.
func (r *resyncRig) call(t *testing.T, at time.Time, state string) string {
	id := newID()
	r.exec(t, `insert into calls (id, workspace_id, source_id, state, revision, settled_revision, phase, started_at) values ($1, $2, $3, '{}', 1, 1, 'ended', $4)`, id, r.ws, r.source, at)
	if state != "" {
		r.exec(t, `insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state, revision, updated_at) values ($1, $2, $3, 'call', $4::text, $4::uuid, $5, 1, now() - interval '1 hour')`,
			newID(), r.ws, r.conn, id, state)
	}
	return id
}

func TestResync(t *testing.T) {
	t.Parallel()
	r := newResyncRig(t)
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	var ids []string
	for i := range 7 {
		ids = append(ids, r.call(t, at.Add(time.Duration(i)*time.Hour), "done"))
	}
	lonely := r.call(t, at.Add(7*time.Hour), "")
	r.call(t, at.Add(-time.Hour), "done") // before the range
	r.exec(t, `insert into calls (id, workspace_id, source_id, state, phase, started_at) values ($1, $2, $3, '{}', 'live', $4)`, newID(), r.ws, r.source, at)

	job := records.Resync{ID: newID(), WorkspaceID: r.ws, Author: "Ada", Filter: records.CallFilter{From: at, SourceID: r.source}}
	require.NoError(t, r.CreateResync(r.ctx, job))
	claim := func() []records.Resync {
		due, err := r.ClaimResyncs(r.ctx, 8, time.Minute)
		require.NoError(t, err)
		return due
	}
	due := claim()
	require.Len(t, due, 1)
	require.Empty(t, claim(), "one process works on it")
	for pages := 1; ; pages++ {
		more, err := r.ListResyncCalls(r.ctx, due[0], 3)
		require.NoError(t, err)
		if !more {
			require.Equal(t, 3, pages)
			break
		}
	}
	now, err := r.ResyncByID(r.ctx, r.ws, job.ID)
	require.NoError(t, err)
	require.Equal(t, records.ResyncRunning, now.State)
	require.EqualValues(t, 8, now.Total, "the live call and the earlier one are not among them")

	next := func(window int) []string {
		ids, err := r.NextResyncCalls(r.ctx, now, window)
		require.NoError(t, err)
		return ids
	}
	require.Equal(t, ids[:5], next(5), "the oldest first")
	require.NoError(t, r.TellResyncCalls(r.ctx, r.ws, job.ID, ids[:5]))
	require.Equal(t, ids[5:6], next(6), "five are under way")
	r.exec(t, `update deliveries set updated_at = now(), lease_until = now() + interval '1 minute' where record_id = $1`, ids[0])
	require.Empty(t, next(5), "an attempt that is under way has not ended")
	for i, state := range []string{"done", "parked", "skipped"} {
		r.exec(t, `update deliveries set state = $2, updated_at = now(), lease_until = '-infinity' where record_id = $1`, ids[i], state)
	}
	require.Equal(t, append(ids[5:7:7], lonely), next(5))
	require.NoError(t, r.TellResyncCalls(r.ctx, r.ws, job.ID, []string{ids[5], ids[6], lonely}))
	require.NoError(t, r.UntellResyncCalls(r.ctx, r.ws, job.ID, []string{ids[6]}, true))
	now, err = r.ResyncByID(r.ctx, r.ws, job.ID)
	require.NoError(t, err)
	require.EqualValues(t, []int64{1, 1, 2}, []int64{now.Done, now.Failed, now.Skipped})

	// Whoever noted these was killed: they are noted again.
	r.exec(t, `update resync_calls set told_at = told_at - interval '20 minutes' where call_id = $1`, ids[3])
	r.exec(t, `update deliveries set updated_at = now() - interval '40 minutes' where record_id = $1`, ids[3])
	require.Equal(t, ids[3:4], next(5))
	require.NoError(t, r.TellResyncCalls(r.ctx, r.ws, job.ID, ids[3:4]))
	r.exec(t, `update deliveries set updated_at = now() + interval '1 second', lease_until = '-infinity'`)
	require.Empty(t, next(5))
	now, err = r.ResyncByID(r.ctx, r.ws, job.ID)
	require.NoError(t, err)
	require.Equal(t, records.ResyncDone, now.State)
	require.EqualValues(t, []int64{4, 1, 3, 0, 0}, []int64{now.Done, now.Failed, now.Skipped, now.Left(), now.Told})
	require.EqualValues(t, 8, now.Recent)

	_, err = r.ResyncByID(r.ctx, r.other, job.ID)
	require.ErrorIs(t, err, records.ErrNotFound)
	require.ErrorIs(t, r.SetResyncState(r.ctx, r.ws, job.ID, records.ResyncPaused), records.ErrNotFound, "it has ended")
}

func TestResyncPauseAndDryRun(t *testing.T) {
	t.Parallel()
	r := newResyncRig(t)
	r.call(t, time.Now(), "parked")
	r.call(t, time.Now(), "done")
	dry := records.Resync{ID: newID(), WorkspaceID: r.ws, DryRun: true, Filter: records.CallFilter{State: records.CallOnHold}}
	require.NoError(t, r.CreateResync(r.ctx, dry))
	_, err := r.ListResyncCalls(r.ctx, dry, 100)
	require.NoError(t, err)
	got, err := r.ResyncByID(r.ctx, r.ws, dry.ID)
	require.NoError(t, err)
	require.Equal(t, records.ResyncDone, got.State)
	require.EqualValues(t, 1, got.Total)

	job := records.Resync{ID: newID(), WorkspaceID: r.ws}
	require.NoError(t, r.CreateResync(r.ctx, job))
	require.NoError(t, r.SetResyncState(r.ctx, r.ws, job.ID, records.ResyncPaused))
	require.ErrorIs(t, r.SetResyncState(r.ctx, r.other, job.ID, records.ResyncCancelled), records.ErrNotFound)
	due, err := r.ClaimResyncs(r.ctx, 8, time.Minute)
	require.NoError(t, err)
	require.Empty(t, due)
	more, err := r.ListResyncCalls(r.ctx, job, 100)
	require.NoError(t, err)
	require.False(t, more)
	require.NoError(t, r.SetResyncState(r.ctx, r.ws, job.ID, records.ResyncRunning))
	due, err = r.ClaimResyncs(r.ctx, 8, time.Minute)
	require.NoError(t, err)
	require.Equal(t, records.ResyncListing, due[0].State, "it had not gathered its calls yet")
	require.NoError(t, r.SetResyncState(r.ctx, r.ws, job.ID, records.ResyncCancelled))
	require.ErrorIs(t, r.SetResyncState(r.ctx, r.ws, job.ID, records.ResyncRunning), records.ErrNotFound)
}
