package ingest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// heldLanes is the store and the reader of a watch.
type heldLanes struct {
	mu       sync.Mutex
	due      []records.SchemaKey
	read     []string
	lanes    []records.LaneKey
	returned []records.LaneKey
}

func (h *heldLanes) Due(_ context.Context, limit int) ([]records.SchemaKey, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := min(limit, len(h.due))
	out := h.due[:n]
	h.due = h.due[n:]
	return out, nil
}

func (h *heldLanes) Refresh(_ context.Context, k records.SchemaKey) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.read = append(h.read, k.Object)
	if k.Object == "gone" {
		return records.ErrNotFound
	}
	return nil
}

func (h *heldLanes) ClaimDrained(_ context.Context, limit int, _ time.Duration) ([]records.LaneKey, error) {
	n := min(limit, len(h.lanes))
	out := h.lanes[:n]
	h.lanes = h.lanes[n:]
	return out, nil
}

func (h *heldLanes) ReturnDrained(_ context.Context, lanes []records.LaneKey, _ time.Duration) error {
	h.returned = slices.Clone(lanes)
	return nil
}

func (h *heldLanes) CountSchemaIssues(context.Context) (map[string][2]int, error) {
	return map[string][2]int{"hubspot": {2, 1}}, nil
}

func TestSchemaWatch(t *testing.T) {
	t.Parallel()
	h := &heldLanes{}
	for _, object := range []string{"call", "contact", "gone", "task", "note"} {
		h.due = append(h.due, records.SchemaKey{Object: object})
	}
	for _, id := range []string{"1", "2", "merged", "3", "4"} {
		h.lanes = append(h.lanes, records.LaneKey{WorkspaceID: "w", CallID: id, ConnectionID: "c"})
	}
	var told []string
	w := NewSchemaWatch(h, h, func(_ context.Context, workspace, call string, connections []string) error {
		require.Equal(t, "w", workspace)
		require.Equal(t, []string{"c"}, connections)
		switch {
		case call == "merged":
			return records.ErrNotFound
		case call == "4":
			return errors.New("the server is away")
		}
		told = append(told, call)
		return nil
	}, prometheus.NewRegistry(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, w.Read(t.Context()))
	require.ElementsMatch(t, []string{"call", "contact", "gone", "task", "note"}, h.read)
	require.Error(t, w.Drain(t.Context()))
	require.Equal(t, []string{"1", "2", "3"}, told, "in their order, and one that is no more keeps no other")
	require.Len(t, h.returned, 1, "what could not be told is given again")
	require.Equal(t, "4", h.returned[0].CallID)
	w.count(t.Context())
	require.InDelta(t, 2, testutil.ToFloat64(w.issues.WithLabelValues("hubspot", "true")), 0)
	w.Observe("hubspot", "same")
	require.InDelta(t, 1, testutil.ToFloat64(w.reads.WithLabelValues("hubspot", "same")), 0)
}
