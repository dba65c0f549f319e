package admin

import (
	"context"
	"time"

	"github.com/callsync/callsync/records"
)

// ConnectionQueries read what a connection does and what it keeps back.
type ConnectionQueries interface {
	ConnectionUsage(ctx context.Context, workspaceID, connectionID string) (records.ConnectionUsage, error)
	// RecentDeliveries are those of the latest calls to a connection, the newest first.
	RecentDeliveries(ctx context.Context, workspaceID, connectionID string, limit int) ([]records.RecentDelivery, error)
	// HeldItems lists the deliveries of one hold, the oldest first, beginning after the delivery with the id after.
	HeldItems(ctx context.Context, workspaceID, holdID, after string, limit int) ([]records.HeldItem, error)
	// HoldProgress tells how much of a hold has been tried since a moment, and is on hold again.
	HoldProgress(ctx context.Context, workspaceID, holdID string, since time.Time) (records.HoldProgress, error)
	// SeenDispositions are the dispositions that the latest calls had, the most frequent first.
	SeenDispositions(ctx context.Context, workspaceID string) ([]records.SeenDisposition, error)
}

// TroubleStore finds the requests of a source that could not be read, or were refused.
type TroubleStore interface {
	// TroubledReceipts names such receipts of a source, the oldest first.
	TroubledReceipts(ctx context.Context, workspaceID, sourceID, state string, limit int) ([]string, error)
}
