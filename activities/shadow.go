package activities

import (
	"context"
	"fmt"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// classShadow is the class of lanes whose connection writes nothing.
const classShadow = "shadow"

// shadow tells that nothing may be written: the connection shows what it would do.
func (d *attempt) shadow() bool { return d.lane.Connection.Mode == "shadow" }

// shown is the end of a delivery in shadow mode: all is computed as for a real one, and kept to be looked at.
func (d *attempt) shown(ctx context.Context, fields map[string]any, party match, warnings []string) (verdict, error) {
	acts, more, err := d.wouldAct(ctx)
	if err != nil {
		return verdict{}, err
	}
	s := &records.Shadow{Actions: acts, Fields: mappings.Fresh(fields, nil), OwnerID: d.ownerID, Object: party.Object, ContactID: party.ID, Contact: party.name}
	if d.would != nil {
		s.Object, s.Creates = d.would.object, mappings.Fresh(d.would.fields, nil)
	}
	d.shadowed = s
	return verdict{outcome: Skipped, class: classShadow, warnings: append(warnings, more...),
		reason: fmt.Sprintf("The connection is in shadow mode: nothing is written to %s. What would be written is shown.", d.label())}, nil
}

// creation is a contact that shadow mode does not make.
type creation struct {
	object string
	fields map[string]any
}

// wouldCreate notes that a contact would be made.
func (d *attempt) wouldCreate(object string, fields map[string]any, done *records.ContactResult) match {
	d.would = &creation{object, fields}
	done.State = records.DeliveryWaiting
	return match{why: fmt.Sprintf("In shadow mode no %s is created", orElse(object, connectors.ObjectContact))}
}
