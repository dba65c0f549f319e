package ingest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

func withSound(id string, r ...call.Recording) call.Event {
	e := ended(id)
	e.Facts.Recordings = r
	return e
}

// kept are what is kept of the recordings of a call.
func (r *rig) kept(name string) []records.Recording {
	r.t.Helper()
	all, err := r.db.RecordingsOfCall(r.t.Context(), r.source.WorkspaceID, r.callBy("id", name).id)
	require.NoError(r.t, err)
	return all
}

// A recording has its permanent link as soon as a webhook names it, and the same one for good; it is copied if its source
// archives, once more chance being given when it moves.
func TestRecordingsAreKeptWithTheirCall(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{records.RecordingsLink, records.RecordingsArchive} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(s *records.Source) { s.Recordings.Policy = policy })
			r.insert(r.receipt(events(withSound("c1", call.Recording{State: call.RecordingExpected}))))
			r.apply()
			require.Empty(t, r.kept("c1"), "what has no name cannot be told from the next one")
			r.insert(r.receipt(events(withSound("c1", call.Recording{ID: "r1", State: call.RecordingExpected}))))
			r.apply()
			require.Len(t, r.kept("c1"), 1)
			first := r.kept("c1")[0]
			require.Equal(t, call.RecordingExpected, first.State)
			require.True(t, first.NextAt.IsZero())
			r.insert(r.receipt(events(withSound("c1", call.Recording{ID: "r1", URL: "https://pbx.example/1.wav", State: call.RecordingAvailable}))))
			r.apply()
			now := r.kept("c1")[0]
			require.Equal(t, first.Token, now.Token)
			require.Equal(t, call.RecordingAvailable, now.State)
			require.Equal(t, policy == records.RecordingsArchive, !now.NextAt.IsZero())

			// It failed, and then the phone system has it elsewhere; a duplicate of the old news changes nothing.
			r.exec(`update recordings set state = 'failed', class = 'access', next_at = null`)
			r.insert(r.receipt(events(withSound("c1", call.Recording{ID: "r1", URL: "https://pbx.example/1.wav", State: call.RecordingAvailable}))))
			r.apply()
			require.Equal(t, call.RecordingFailed, r.kept("c1")[0].State)
			r.insert(r.receipt(events(withSound("c1", call.Recording{ID: "r1", URL: "https://pbx.example/2.wav", State: call.RecordingAvailable}))))
			r.apply()
			require.Equal(t, call.RecordingAvailable, r.kept("c1")[0].State)

			// A copy is not touched by anything.
			r.exec(`update recordings set state = 'archived', blob_key = 'k'`)
			r.insert(r.receipt(events(withSound("c1", call.Recording{ID: "r1", URL: "https://pbx.example/3.wav", State: call.RecordingAvailable}))))
			r.apply()
			require.Equal(t, call.RecordingArchived, r.kept("c1")[0].State)
			require.Len(t, r.kept("c1"), 1)
		})
	}
}

// A call that turns out to be another's brings its recordings along.
func TestRecordingsMoveWithTheirCall(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	leg := call.Alias{Kind: "leg", Value: "l1"}
	r.insert(r.receipt(events(call.Event{Kind: call.CallEnded, Aliases: []call.Alias{conn("c1")}, Facts: call.Facts{Status: call.Answered}})))
	r.apply()
	r.insert(r.receipt(events(call.Event{Kind: call.CallEnded, Aliases: []call.Alias{leg}, Facts: call.Facts{Status: call.Answered,
		Recordings: []call.Recording{{ID: "r1", URL: "https://pbx.example/1.wav", State: call.RecordingAvailable}}}})))
	r.apply()
	loser, err := r.db.RecordingsOfCall(t.Context(), r.source.WorkspaceID, r.callBy("leg", "l1").id)
	require.NoError(t, err)
	require.Len(t, loser, 1)
	r.insert(r.receipt(events(ended("id1", conn("c1"), leg))))
	r.apply()
	require.Equal(t, loser[0].Token, r.kept("id1")[0].Token)
	require.Len(t, r.kept("id1"), 1)
}
