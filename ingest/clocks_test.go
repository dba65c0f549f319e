package ingest

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

type clocksFake struct {
	samples map[string]records.ClockSamples
	zone    string
}

func (f *clocksFake) FreshSourceClocks(_ context.Context, after time.Time, _ int) (out []records.ClockSamples, _ error) {
	for _, s := range f.samples {
		if s.At.After(after) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (f *clocksFake) SourceByID(_ context.Context, ws, id string) (records.Source, error) {
	if id == "gone" {
		return records.Source{}, records.ErrNotFound
	}
	return records.Source{ID: id, WorkspaceID: ws, Provider: "testphone", TimeZone: f.zone}, nil
}

// Operators read of a wrong zone once, and again only after it was right.
func TestWatchClocks(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	store := &clocksFake{zone: "UTC", samples: map[string]records.ClockSamples{}}
	var log bytes.Buffer
	w := clockWatch{store: store, providers: telephony.NewRegistry(testPhone{}), log: slog.New(slog.NewTextHandler(&log, nil)), warned: map[string]time.Duration{}}
	look := func(source string, skew int64) int {
		at = at.Add(time.Minute)
		store.samples[source] = records.ClockSamples{SourceID: source, WorkspaceID: "w", Seconds: slices.Repeat([]int64{skew + 3}, 20), At: at}
		log.Reset()
		require.NoError(t, w.look(t.Context()))
		return strings.Count(log.String(), "another time zone")
	}
	require.Equal(t, 0, look("a", 0))
	require.Equal(t, 1, look("b", -19800))
	require.Contains(t, log.String(), "source=b")
	require.Contains(t, log.String(), "skew=-5h30m0s")
	require.Equal(t, 0, look("b", -19800), "not again")
	require.Equal(t, 0, look("gone", -19800))
	require.Equal(t, 0, look("b", 0), "it is right now")
	require.Empty(t, w.warned)
	require.Equal(t, 1, look("b", 3600))
}
