package postgres

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

func TestUnknownFields(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	s := r.newSource()
	require.NoError(t, r.CreateSource(r.ctx, s))
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	sighting := func(path string, later time.Duration, count int64) records.FieldSighting {
		return records.FieldSighting{
			WorkspaceID: r.ws, SourceID: s.ID, FieldName: records.FieldName{Trigger: "post-call", Path: path}, Type: "text",
			Count: count, First: at.Add(later), Last: at.Add(later), ReceiptID: newID(),
		}
	}
	first := sighting("mood", time.Minute, 1)
	require.NoError(t, r.RecordFields(r.ctx, nil))
	require.NoError(t, r.RecordFields(r.ctx, []records.FieldSighting{first, sighting("legs[].codec", time.Hour, 1)}))
	// Others tell of the same, before and after.
	require.NoError(t, r.RecordFields(r.ctx, []records.FieldSighting{sighting("mood", 2*time.Minute, 5)}))
	require.NoError(t, r.RecordFields(r.ctx, []records.FieldSighting{sighting("mood", 0, 1)}))

	got, err := r.UnknownFields(r.ctx, r.ws, s.ID)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, "legs[].codec", got[0].Path, "the newest first")
	require.Equal(t, records.UnknownField{
		FieldName: first.FieldName, Type: "text", FirstSeen: at, LastSeen: at.Add(2 * time.Minute), Seen: 7, ReceiptID: first.ReceiptID,
	}, got[1])

	// Another workspace sees, makes and changes nothing.
	none, err := r.UnknownFields(r.ctx, r.other, s.ID)
	require.NoError(t, err)
	require.Empty(t, none)
	foreign := sighting("theirs", 0, 1)
	foreign.WorkspaceID = r.other
	require.NoError(t, r.RecordFields(r.ctx, []records.FieldSighting{foreign}))
	n, err := r.AcknowledgeFields(r.ctx, r.other, s.ID, "x", nil)
	require.NoError(t, err)
	require.Zero(t, n)
	for _, f := range got {
		require.NotEqual(t, "theirs", f.Path)
	}

	n, err = r.AcknowledgeFields(r.ctx, r.ws, s.ID, "ann@example.com", []records.FieldName{first.FieldName, {Trigger: "post-call", Path: "nothing"}})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, r.RecordFields(r.ctx, []records.FieldSighting{sighting("mood", 3*time.Hour, 1)}))
	got, err = r.UnknownFields(r.ctx, r.ws, s.ID)
	require.NoError(t, err)
	require.Equal(t, "mood", got[1].Path, "what was acknowledged comes last, and stays acknowledged when it comes again")
	require.Equal(t, "ann@example.com", got[1].AcknowledgedBy)
	require.Zero(t, got[0].AcknowledgedAt)
	n, err = r.AcknowledgeFields(r.ctx, r.ws, s.ID, "bo@example.com", []records.FieldName{})
	require.NoError(t, err)
	require.Zero(t, n, "no names are none, not all")
	n, err = r.AcknowledgeFields(r.ctx, r.ws, s.ID, "bo@example.com", nil)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	for _, bad := range []string{"", "x"} {
		_, err := r.UnknownFields(r.ctx, r.ws, bad)
		require.ErrorIs(t, err, records.ErrNotFound)
		_, err = r.AcknowledgeFields(r.ctx, r.ws, bad, "x", nil)
		require.ErrorIs(t, err, records.ErrNotFound)
	}
}

// However many names a source sends, and however many processes tell of them, those that are kept have a bound.
func TestUnknownFieldsAreBounded(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	s := r.newSource()
	require.NoError(t, r.CreateSource(r.ctx, s))
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	batch := func(from, to int) []records.FieldSighting {
		var out []records.FieldSighting
		for i := from; i < to; i++ {
			out = append(out, records.FieldSighting{WorkspaceID: r.ws, SourceID: s.ID, FieldName: records.FieldName{Trigger: "t", Path: fmt.Sprintf("field %04d", i)},
				Type: "text", Count: 1, First: at, Last: at, ReceiptID: newID()})
		}
		return out
	}
	require.NoError(t, r.RecordFields(r.ctx, batch(0, 300)))
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() { errs[i] = r.RecordFields(r.ctx, batch(0, 300)) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.NoError(t, r.RecordFields(r.ctx, batch(200, 900)))
	got, err := r.UnknownFields(r.ctx, r.ws, s.ID)
	require.NoError(t, err)
	require.Len(t, got, records.MostSourceFields)
	var n int
	require.NoError(t, r.pool.QueryRow(r.ctx, "select count(*) from source_fields").Scan(&n))
	require.Equal(t, records.MostSourceFields, n)
	seen := map[string]int64{}
	for _, f := range got {
		seen[f.Path] = f.Seen
	}
	require.EqualValues(t, 5, seen["field 0100"])
	require.EqualValues(t, 6, seen["field 0250"], "those that are kept count on")
}
