package activities

import (
	"context"
	"fmt"
	"slices"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
)

// dispositions are the CRM's outcomes for the mapping, with an admin's choice for the call's disposition before all others,
// so that it counts more than an outcome of the same name. A choice that the CRM no longer has is left out, with a warning.
func (d *attempt) dispositions(ctx context.Context, session connectors.Session) (options []mappings.Option, warning string, err error) {
	value := d.lane.Call.Call.Disposition.Value
	lister, ok := session.(connectors.DispositionLister)
	if !ok || value == "" {
		return nil, "", nil
	}
	list, err := lister.Dispositions(ctx)
	if err != nil {
		return nil, "", err
	}
	chosen, ok, err := d.Store.DispositionFor(ctx, d.in.WorkspaceID, d.in.ConnectionID, value)
	if err != nil {
		return nil, "", fmt.Errorf("%w: look up the disposition: %w", errStore, err)
	}
	switch {
	case !ok:
	case slices.ContainsFunc(list, func(o connectors.DispositionOption) bool { return o.ID == chosen }):
		options = append(options, mappings.Option{ID: chosen, Label: value})
	default:
		warning = fmt.Sprintf("The connection's table of dispositions leads to an outcome that %s no longer has. Correct the table.", d.label())
	}
	for _, o := range list {
		options = append(options, mappings.Option{ID: o.ID, Label: o.Label})
	}
	return options, warning, nil
}
