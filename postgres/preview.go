package postgres

import (
	"context"
	"fmt"

	"github.com/callsync/callsync/records"
)

// PeekLane reads what LeaseLane and LeaseRecord read of a call, message or form, but takes no lease and makes no row: where
// nothing was delivered yet, the lane's Delivery is zero. Errors: records.ErrNotFound.
func (db *DB) PeekLane(ctx context.Context, workspaceID, kind, id, connectionID string) (records.Lane, error) {
	switch kind {
	case kindCall, kindMessage, kindForm:
		return db.leaseLane(ctx, workspaceID, kind, id, connectionID, 0)
	}
	return records.Lane{}, fmt.Errorf("%w: there are no records of the kind %q", records.ErrNotFound, kind)
}
