package ingest_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/ingest"
	"github.com/callsync/callsync/records"
)

type matchStore struct {
	lanes    []records.LaneKey
	err      error
	returned []records.LaneKey
}

func (s *matchStore) ClaimRematches(context.Context, int, int) ([]records.LaneKey, error) {
	return s.lanes, s.err
}

func (s *matchStore) ReturnRematches(_ context.Context, lanes []records.LaneKey, _ time.Duration) error {
	s.returned = lanes
	return nil
}

func TestRematcherSignalsWhatIsDue(t *testing.T) {
	t.Parallel()
	store := &matchStore{lanes: []records.LaneKey{{WorkspaceID: "w", CallID: "1", ConnectionID: "k"}, {WorkspaceID: "w", CallID: "merged", ConnectionID: "k"},
		{WorkspaceID: "w", CallID: "3", ConnectionID: "l"}}}
	var told []string
	away := errors.New("Temporal is away")
	var down bool
	r := ingest.NewRematcher(store, func(_ context.Context, ws, call string, connections []string) error {
		if call == "merged" {
			return records.ErrNotFound
		}
		if down && call == "3" {
			return away
		}
		told = append(told, ws+call+connections[0])
		return nil
	}, slog.New(slog.DiscardHandler))
	require.NoError(t, r.Round(t.Context()))
	require.Equal(t, []string{"w1k", "w3l"}, told)
	require.Empty(t, store.returned)

	down = true
	require.ErrorIs(t, r.Round(t.Context()), away)
	require.Equal(t, store.lanes[2:], store.returned, "what was not signalled is looked at again soon")

	store.err = errors.New("the database is away")
	require.Error(t, r.Round(t.Context()))
}
