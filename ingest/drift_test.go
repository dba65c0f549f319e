package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// with is a receipt of an ended call whose request has fields that nobody knows.
func (r *rig) with(callID string, headers map[string][]string) records.Receipt {
	r.t.Helper()
	x := r.receipt(events(ended(callID)))
	var err error
	x.Headers, err = json.Marshal(headers)
	require.NoError(r.t, err)
	return x
}

func TestUnknownFieldsAreRemembered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.with("c1", map[string][]string{"X-Unknown": {"mood", "legs[].codec"}})
	test := r.with("c2", map[string][]string{"X-Unknown": {"made.up"}, telephony.TestHeader: {telephony.TestOnly}})
	r.insert(first, r.with("c3", map[string][]string{"X-Unknown": {"mood"}}), test)
	now := time.Now()
	r.dir.drift.now = func() time.Time { return now }
	round := func() {
		t.Helper()
		_, err := r.relay.applyRound(t.Context())
		require.NoError(t, err)
	}
	round()
	got := func() map[string]records.UnknownField {
		t.Helper()
		list, err := r.db.UnknownFields(t.Context(), first.WorkspaceID, first.SourceID)
		require.NoError(t, err)
		out := map[string]records.UnknownField{}
		for _, f := range list {
			out[f.Path] = f
		}
		return out
	}
	all := got()
	require.Len(t, all, 2, "what callsync made up itself is no news")
	require.EqualValues(t, 2, all["mood"].Seen)
	require.Equal(t, "call.ended", all["mood"].Trigger)
	require.Equal(t, first.ID, all["mood"].ReceiptID)

	// While it keeps coming the store is left alone for a while, and then told how often it came.
	r.insert(r.with("c4", map[string][]string{"X-Unknown": {"mood"}}), r.with("c5", map[string][]string{"X-Unknown": {"mood"}}))
	round()
	require.EqualValues(t, 2, got()["mood"].Seen)
	require.Empty(t, r.dir.drift.pending)
	now = now.Add(driftEvery)
	r.insert(r.with("c6", map[string][]string{"X-Unknown": {"mood"}}))
	round()
	require.EqualValues(t, 5, got()["mood"].Seen)

	// Another process, and one that has been started anew, make no second row.
	r.dir.drift = newDrift()
	r.insert(r.with("c7", map[string][]string{"X-Unknown": {"mood"}}))
	round()
	require.Len(t, got(), 2)
	require.EqualValues(t, 6, got()["mood"].Seen)
}

type failingFields struct {
	err  error
	told []records.FieldSighting
}

func (f *failingFields) RecordFields(_ context.Context, all []records.FieldSighting) error {
	if f.err == nil {
		f.told = append(f.told, all...)
	}
	return f.err
}

func TestDriftHasBounds(t *testing.T) {
	t.Parallel()
	d, f := newDrift(), &feed{settings: telephony.Settings{Secrets: map[string]string{"key": "Hunter2"}}}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	receipt := func(source string) *records.Receipt {
		return &records.Receipt{ID: "r", WorkspaceID: "w", SourceID: source, ReceivedAt: at}
	}
	for i := range 3 * records.MostSourceFields {
		d.note(f, receipt("s"), "t", []telephony.Unknown{{Path: fmt.Sprint("f", i), Type: "text"}})
	}
	require.Len(t, d.sources[sourceKey{"w", "s"}], records.MostSourceFields)
	d.note(f, receipt("s2"), "t", []telephony.Unknown{{Path: "x-hunter2-y", Type: "text"}})
	require.Len(t, d.pending, records.MostSourceFields, "a name with a secret in it is not told")
	for i := range mostDriftSources + 100 {
		d.note(f, receipt(fmt.Sprint("s", i)), "t", []telephony.Unknown{{Path: "f", Type: "text"}})
	}
	require.LessOrEqual(t, len(d.sources), mostDriftSources)
	require.LessOrEqual(t, len(d.pending), mostDriftPending)

	// What the store does not take is told again.
	d = newDrift()
	store := &failingFields{err: errors.New("away")}
	d.note(f, receipt("s"), "t", []telephony.Unknown{{Path: "f", Type: "text"}})
	require.Error(t, d.flush(t.Context(), store))
	d.note(f, receipt("s"), "t", []telephony.Unknown{{Path: "f", Type: "text"}})
	store.err = nil
	require.NoError(t, d.flush(t.Context(), store))
	require.Len(t, store.told, 1)
	require.EqualValues(t, 2, store.told[0].Count)
	require.NoError(t, d.flush(t.Context(), store))
	require.Len(t, store.told, 1)
}

func TestTriggerOfAnUnknownField(t *testing.T) {
	t.Parallel()
	f := &feed{hooks: map[string]bool{"post-call": true}}
	require.Equal(t, "post-call", f.triggerOf("post-call", "call.ended"))
	require.Equal(t, "call.ended", f.triggerOf("9000012345", "call.ended"), "what a stranger writes into the URL is not shown")
	require.Equal(t, "call.ended", f.triggerOf("", "call.ended"))
}

func BenchmarkDriftSteady(b *testing.B) {
	d, f := newDrift(), &feed{}
	r := &records.Receipt{ID: "r", WorkspaceID: "w", SourceID: "s", ReceivedAt: time.Now()}
	unknown := []telephony.Unknown{{Path: "a", Type: "text"}, {Path: "b", Type: "text"}}
	d.note(f, r, "t", unknown)
	_ = d.flush(b.Context(), &failingFields{})
	b.ReportAllocs()
	for b.Loop() {
		d.note(f, r, "t", unknown)
	}
}
