package ingest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// A replay that cannot be read, now or for good, takes nothing from what the receipt said before: the CRM's fields would
// be cleared with it.
func TestAReplayThatFailsKeepsWhatWasSaid(t *testing.T) {
	t.Parallel()
	for name, verdict := range map[string]records.Verdict{
		"the source cannot be looked up": {RetryIn: time.Hour},
		"the decoder fails":              {State: records.ReceiptQuarantined, Reason: "unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			note := r.receipt(events(updated("c1", "a note")))
			r.insert(r.receipt(events(ended("c1"))), note)
			r.apply()
			before := r.callBy("id", "c1")
			how := r.dir.applier(t.Context())
			how.Decode = func(context.Context, []records.Receipt) []records.Verdict { return []records.Verdict{verdict} }
			require.NoError(t, r.db.Requeue(t.Context(), r.source.WorkspaceID, note.ID))
			_, err := r.db.ApplyReceipt(t.Context(), note.ID, how)
			require.NoError(t, err)
			after := r.callBy("id", "c1")
			require.Equal(t, "a note", after.Note)
			require.Equal(t, before.revision, after.revision)
		})
	}
}

// A receipt with very many names must not exhaust the server's locks and hold up all that came after it.
func TestManyNamesDoNotStopTheRelay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	many := func(events int) (out []call.Event) {
		for range events {
			e := ended(newUUID())
			for j := range maxAliases {
				e.Aliases = append(e.Aliases, call.Alias{Kind: fmt.Sprint("k", j), Value: newUUID()})
			}
			out = append(out, e)
		}
		return out
	}
	var big []records.Receipt
	for range 40 {
		big = append(big, r.receipt(many(20)))
	}
	huge := r.receipt(many(maxEvents))
	good := r.receipt(events(ended("good")))
	r.insert(append(big, huge, good)...)
	r.apply()
	require.Equal(t, "applied", r.result(good.ID).State)
	require.Equal(t, "quarantined", r.result(huge.ID).State)
	require.Zero(t, r.count("select count(*) from inbox"))
	require.Equal(t, 40*20+1, r.count("select count(*) from calls"))
}

// A call that is told of without end, by two systems that update each other, must not grow into what no batch can fold.
func TestACallThatNeverStopsChanging(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.insert(r.receipt(events(ended("c1"))))
	r.apply()
	c := r.callBy("id", "c1")
	r.exec(`insert into events (receipt_id, seq, workspace_id, source_id, record_kind, record_id, kind, data)
		select gen_random_uuid(), 0, workspace_id, source_id, 'call', id, 'call.updated', '{"kind":"call.updated"}' from calls, generate_series(1, 6000)`)
	last, other := r.receipt(events(updated("c1", "last"))), r.receipt(events(ended("c2")))
	r.insert(last, other)
	r.apply()
	require.Equal(t, "quarantined", r.result(last.ID).State)
	require.NotEmpty(t, r.result(last.ID).Reason)
	require.Equal(t, "applied", r.result(other.ID).State)
	require.Equal(t, c.revision, r.callBy("id", "c1").revision)
	require.Zero(t, r.count("select count(*) from events where receipt_id = $1", last.ID))
}
