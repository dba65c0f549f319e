package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// ClockStore is what the watch over sources' clocks needs of the store.
type ClockStore interface {
	// FreshSourceClocks returns the samples of sources of all workspaces that got some after a moment, the latest first.
	FreshSourceClocks(ctx context.Context, after time.Time, limit int) ([]records.ClockSamples, error)
	SourceByID(ctx context.Context, workspaceID, id string) (records.Source, error)
}

// Bounds of the watch: how often it looks, and at how many sources.
const (
	clockPause = 5 * time.Minute
	mostClocks = 5000
)

// WatchClocks tells operators, once when it begins, that the times of a source seem to be read in a wrong time zone. It
// ends with ctx.
func WatchClocks(ctx context.Context, store ClockStore, providers telephony.Registry, log *slog.Logger) {
	w := clockWatch{store: store, providers: providers, log: log, warned: map[string]time.Duration{}}
	for wait(ctx, nil, clockPause) {
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			log.Warn("the clocks of sources could not be compared", "error", err)
		}
	}
}

type clockWatch struct {
	store     ClockStore
	providers telephony.Registry
	log       *slog.Logger
	last      time.Time
	// warned has the skew of each source that operators were told of.
	warned map[string]time.Duration
}

func (w *clockWatch) look(ctx context.Context) error {
	all, err := w.store.FreshSourceClocks(ctx, w.last, mostClocks)
	if err != nil {
		return err
	}
	for _, k := range all {
		if k.At.After(w.last) {
			w.last = k.At
		}
		s, err := w.store.SourceByID(ctx, k.WorkspaceID, k.SourceID)
		if err != nil {
			continue // Deleted just now, or sealed by a key of other processes.
		}
		c := telephony.ClockOf(w.providers, s, k)
		if c.Skew == w.warned[s.ID] {
			continue
		}
		if w.warned[s.ID] = c.Skew; c.Skew == 0 {
			delete(w.warned, s.ID)
			continue
		}
		w.log.Warn("the times of a source seem to be in another time zone than its settings say", "source", s.ID, "workspace", s.WorkspaceID,
			"time_zone", s.TimeZone, "skew", c.Skew, "perhaps", c.Zone)
	}
	return nil
}
