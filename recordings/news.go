package recordings

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/callsync/callsync/records"
)

// NewsStore knows which recordings have come that a connection is to upload.
type NewsStore interface {
	// ClaimRecordingNews returns lanes that do not have a recording which is here by now.
	ClaimRecordingNews(ctx context.Context, limit int) ([]records.LaneKey, error)
}

// News has calls delivered again whose recording has come after them. It only signals: the delivery uploads. Several at once
// are safe.
type News struct {
	Store NewsStore
	// Sync has a call delivered to connections; records.ErrNotFound for one that was folded into another.
	Sync func(ctx context.Context, workspaceID, callID string, connectionIDs []string) error
	Log  *slog.Logger
}

// newsBatch is how many recordings are told of in one round.
const newsBatch = 50

// Run tells until ctx ends.
func (n News) Run(ctx context.Context) {
	for pause(ctx, 2*time.Second) {
		if err := n.Round(ctx); err != nil && ctx.Err() == nil {
			n.Log.Warn("recordings that have come could not be told of", "error", err)
		}
	}
}

// Round tells of what is due. A lane that could not be told is due again in a minute.
func (n News) Round(ctx context.Context) error {
	lanes, err := n.Store.ClaimRecordingNews(ctx, newsBatch)
	for _, l := range lanes {
		if serr := n.Sync(ctx, l.WorkspaceID, l.CallID, []string{l.ConnectionID}); serr != nil && !errors.Is(serr, records.ErrNotFound) {
			err = errors.Join(err, serr)
		}
	}
	return err
}
