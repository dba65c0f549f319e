package ingest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// resyncTable is a store of one resync.
type resyncTable struct {
	r        records.Resync
	pages    int
	next     []string
	told     []string
	untold   map[string]bool
	returned int
}

func (s *resyncTable) ClaimResyncs(context.Context, int, time.Duration) ([]records.Resync, error) {
	return []records.Resync{s.r}, nil
}

func (s *resyncTable) ReturnResync(context.Context, string, string, time.Duration) error {
	s.returned++
	return nil
}

func (s *resyncTable) ListResyncCalls(context.Context, records.Resync, int) (bool, error) {
	s.pages--
	return s.pages > 0, nil
}

func (s *resyncTable) NextResyncCalls(context.Context, records.Resync, int) ([]string, error) {
	return s.next, nil
}

func (s *resyncTable) TellResyncCalls(_ context.Context, _, _ string, ids []string) error {
	s.told = append(s.told, ids...)
	return nil
}

func (s *resyncTable) UntellResyncCalls(_ context.Context, _, _ string, ids []string, skip bool) error {
	for _, id := range ids {
		s.untold[id] = skip
	}
	return nil
}

func TestResyncer(t *testing.T) {
	t.Parallel()
	down := errors.New("temporal is down")
	for _, c := range []struct {
		name   string
		fails  map[string]error
		told   []string
		untold map[string]bool
		err    error
	}{
		{name: "all are told", told: []string{"a", "b", "c"}, untold: map[string]bool{}},
		{name: "a call that was folded into another", fails: map[string]error{"b": records.ErrNotFound}, told: []string{"a", "b", "c"}, untold: map[string]bool{"b": true}},
		{name: "what could not be signalled is next again", fails: map[string]error{"b": down}, told: []string{"a", "b", "c"}, untold: map[string]bool{"b": false, "c": false}, err: down},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &resyncTable{r: records.Resync{State: records.ResyncRunning, Connections: []string{"crm"}}, next: []string{"a", "b", "c"}, untold: map[string]bool{}}
			var synced []string
			err := NewResyncer(s, func(_ context.Context, _, id string, connections []string) error {
				require.Equal(t, []string{"crm"}, connections)
				require.True(t, slices.Contains(s.told, id), "noted before it is signalled")
				synced = append(synced, id)
				return c.fails[id]
			}, slog.New(slog.DiscardHandler)).Round(t.Context())
			require.ErrorIs(t, err, c.err)
			require.Equal(t, c.told, s.told)
			require.Equal(t, c.untold, s.untold)
			require.Equal(t, 1, s.returned)
		})
	}
	s := &resyncTable{r: records.Resync{State: records.ResyncListing}, pages: 12}
	resyncer := NewResyncer(s, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, resyncer.Round(t.Context()))
	require.Equal(t, 12-resyncPages, s.pages, "a large one does not keep others waiting")
}
