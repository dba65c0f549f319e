package ingest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/callsync/callsync/records"
)

// MatchStore knows which calls have no contact so far. Its methods are safe beside those of other processes.
type MatchStore interface {
	// ClaimRematches returns lanes without a contact that are to be delivered again, because their number is due for another
	// look or has a contact by now, and sets the next look.
	ClaimRematches(ctx context.Context, limit, perConnection int) ([]records.LaneKey, error)
	// ReturnRematches has lanes that were claimed looked at again after wait.
	ReturnRematches(ctx context.Context, lanes []records.LaneKey, wait time.Duration) error
}

// SyncNow has a call delivered to connections; see Relay.SyncNow.
type SyncNow func(ctx context.Context, workspaceID, callID string, connectionIDs []string) error

// Rematcher has calls delivered again that have no contact so far: now and then, and at once when one has been found or
// chosen. It only signals: the delivery itself looks for the contact. Several at once are safe.
type Rematcher struct {
	store MatchStore
	sync  SyncNow
	log   *slog.Logger
}

// NewRematcher makes a rematcher; Run starts it.
func NewRematcher(store MatchStore, sync SyncNow, log *slog.Logger) *Rematcher {
	return &Rematcher{store: store, sync: sync, log: log}
}

// The rematcher's times and sizes: looks at numbers that nobody has must not take what live calls need of a CRM's limits.
const (
	rematchLook          = 5 * time.Second
	rematchNumbers       = 50
	rematchPerConnection = 5
	rematchRetry         = time.Minute
)

// Run works until ctx ends.
func (r *Rematcher) Run(ctx context.Context) {
	for wait(ctx, nil, rematchLook) {
		if err := r.Round(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("calls without a contact could not be looked at", "error", err)
		}
	}
}

// Round signals what is due.
func (r *Rematcher) Round(ctx context.Context) error {
	lanes, err := r.store.ClaimRematches(ctx, rematchNumbers, rematchPerConnection)
	if err != nil {
		return err
	}
	for i, l := range lanes {
		err := r.sync(ctx, l.WorkspaceID, l.CallID, []string{l.ConnectionID})
		if errors.Is(err, records.ErrNotFound) {
			continue // folded into another call meanwhile
		}
		if err != nil {
			return errors.Join(err, r.store.ReturnRematches(context.WithoutCancel(ctx), lanes[i:], rematchRetry))
		}
	}
	return nil
}
