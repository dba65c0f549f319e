package ingest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/callsync/callsync/records"
)

// ResyncStore is what resyncs need of the store. Its methods are safe beside those of other processes.
type ResyncStore interface {
	ClaimResyncs(ctx context.Context, limit int, lease time.Duration) ([]records.Resync, error)
	ReturnResync(ctx context.Context, workspaceID, id string, wait time.Duration) error
	// ListResyncCalls gathers the next calls of the filter; more tells that there may be others.
	ListResyncCalls(ctx context.Context, r records.Resync, limit int) (more bool, err error)
	// NextResyncCalls settles what has come to an end and returns what to deliver next.
	NextResyncCalls(ctx context.Context, r records.Resync, window int) ([]string, error)
	TellResyncCalls(ctx context.Context, workspaceID, resyncID string, callIDs []string) error
	UntellResyncCalls(ctx context.Context, workspaceID, resyncID string, callIDs []string, skip bool) error
}

// Resyncer has the calls of resyncs delivered, a few at a time. Like the sweeper it goes by what the rows say: whoever
// is killed, another goes on. Several at once are safe.
type Resyncer struct {
	store ResyncStore
	sync  func(ctx context.Context, workspaceID, callID string, connectionIDs []string) error
	log   *slog.Logger
}

// NewResyncer makes a resyncer that has calls delivered by sync; Run starts it.
func NewResyncer(store ResyncStore, sync func(ctx context.Context, workspaceID, callID string, connectionIDs []string) error, log *slog.Logger) *Resyncer {
	return &Resyncer{store: store, sync: sync, log: log}
}

// The resyncer's times and sizes.
const (
	resyncLook  = time.Second
	resyncLease = time.Minute
	resyncClaim = 8
	resyncPage  = 2000
	// resyncPages bounds the pages of one look, so that a large resync does not keep others waiting.
	resyncPages = 5
	// resyncWindow is how many calls of a resync are under way at once: enough to keep a CRM busy and to fill requests that
	// many calls share, few enough that pausing it takes effect soon.
	resyncWindow = 100
)

// Run goes on with resyncs until ctx ends.
func (s *Resyncer) Run(ctx context.Context) {
	failures := 0
	for {
		pause := resyncLook
		if err := s.Round(ctx); err != nil && ctx.Err() == nil {
			failures++
			pause = backoff(failures) + resyncLook
			s.log.Error("resyncs could not go on", "failures", failures, "retry_in", pause, "error", err)
		} else {
			failures = 0
		}
		if !wait(ctx, nil, pause) {
			return
		}
	}
}

// Round goes on with every resync that is due.
func (s *Resyncer) Round(ctx context.Context) error {
	due, err := s.store.ClaimResyncs(ctx, resyncClaim, resyncLease)
	if err != nil {
		return err
	}
	for _, r := range due {
		err = errors.Join(err, s.advance(ctx, r), s.store.ReturnResync(context.WithoutCancel(ctx), r.WorkspaceID, r.ID, 0))
	}
	return err
}

func (s *Resyncer) advance(ctx context.Context, r records.Resync) error {
	if r.State == records.ResyncListing {
		for range resyncPages {
			more, err := s.store.ListResyncCalls(ctx, r, resyncPage)
			if err != nil || !more {
				return err
			}
		}
		return nil
	}
	ids, err := s.store.NextResyncCalls(ctx, r, resyncWindow)
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := s.store.TellResyncCalls(ctx, r.WorkspaceID, r.ID, ids); err != nil {
		return err
	}
	var failed, nothing []string
	var why error
	for _, id := range ids {
		if why != nil {
			failed = append(failed, id)
			continue
		}
		switch err := s.sync(ctx, r.WorkspaceID, id, r.Connections); {
		case errors.Is(err, records.ErrNotFound):
			// It was folded into another call, which is on the list itself if the filter chooses it.
			nothing = append(nothing, id)
		case err != nil:
			failed, why = append(failed, id), err
		}
	}
	ctx = context.WithoutCancel(ctx)
	if len(failed) > 0 {
		why = errors.Join(why, s.store.UntellResyncCalls(ctx, r.WorkspaceID, r.ID, failed, false))
	}
	if len(nothing) > 0 {
		why = errors.Join(why, s.store.UntellResyncCalls(ctx, r.WorkspaceID, r.ID, nothing, true))
	}
	return why
}
