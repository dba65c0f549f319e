package postgres

import (
	"context"
	"fmt"

	"github.com/callsync/callsync/records"
)

// PeekFollowUp reads what LeaseFollowUp reads, but takes no lease and closes nothing. Errors: records.ErrNotFound.
func (db *DB) PeekFollowUp(ctx context.Context, workspaceID, id string) (records.FollowUpLane, error) {
	if _, ok := parseUUID(id); !ok {
		return records.FollowUpLane{}, records.ErrNotFound
	}
	lane, _, err := db.leaseFollowUp(ctx, workspaceID, id, 0)
	return lane, err
}

// PeekLane reads what LeaseLane and LeaseRecord read of a call, message or form, but takes no lease and makes no row: where
// nothing was delivered yet, the lane's Delivery is zero. Errors: records.ErrNotFound.
func (db *DB) PeekLane(ctx context.Context, workspaceID, kind, id, connectionID string) (records.Lane, error) {
	switch kind {
	case kindCall, kindMessage, kindForm:
		return db.leaseLane(ctx, workspaceID, kind, id, connectionID, 0)
	}
	return records.Lane{}, fmt.Errorf("%w: there are no records of the kind %q", records.ErrNotFound, kind)
}
