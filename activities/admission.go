package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/callsync/callsync/activities/budget"
	"github.com/callsync/callsync/connectors"
)

// admitted delivers once the connection's budgets, its places and its health let this attempt have its turn.
func (d *attempt) admitted(ctx context.Context) (verdict, error) {
	if err := d.takePlace(ctx); err != nil {
		return verdict{}, err
	}
	defer d.givePlace()
	connector, ok := d.Connectors[d.lane.Connection.Connector]
	if d.Budgets == nil || !ok {
		return d.deliver(ctx)
	}
	pass, err := d.Budgets.Admit(ctx, connector.Info(), d.lane.Connection, d.lane.Delivery.ID, d.priority())
	if later := (*connectors.Error)(nil); errors.As(err, &later) || err != nil && ctx.Err() != nil {
		return verdict{}, err
	}
	if err != nil {
		return verdict{}, fmt.Errorf("%w: %w", errStore, err)
	}
	defer func() {
		if err := pass.Done(ctx); err != nil {
			// The delivery is what it is. What is not given back is only lost time.
			d.Log.Warn("a budget could not be settled", "connection", d.in.ConnectionID, "error", err)
		}
	}()
	return d.deliver(pass.With(ctx))
}

// priority puts calls that are not in the CRM yet before changes of those that are, and both before backfill.
func (d *attempt) priority() budget.Priority {
	if d.in.Bulk {
		return budget.Backfill
	}
	if d.remoteIDNow() != "" {
		return budget.Update
	}
	return budget.Live
}
