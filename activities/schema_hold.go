package activities

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// SchemaHolds knows in what the mappings in force do not fit the CRMs' fields any more.
type SchemaHolds interface {
	// BlockingIssues lists the open issues of a connection for which deliveries are put on hold.
	BlockingIssues(ctx context.Context, workspaceID, connectionID string) ([]records.SchemaIssue, error)
	// AskSchema has the fields of an object read soon, unless they were read within atLeast.
	AskSchema(ctx context.Context, k records.SchemaKey, atLeast time.Duration) error
}

// classDrift is the class of lanes that would fail because their mapping does not fit the CRM's fields any more.
const classDrift = connectors.Class(records.DeliveryDrift)

// How often the fields of an object are read again at most: when a write was refused for one of them, when the CRM took a
// write and said something about one, and when a person asks for a delivery that is on hold for one.
const (
	readAfterRefusal = time.Minute
	readAfterWarning = 15 * time.Minute
	readAfterRequest = 10 * time.Second
)

// heldEarly puts a delivery on hold that is known to fail, before the CRM is asked anything: by what the mapping makes of
// the record alone. What depends on the CRM's contact, owner or outcomes is looked at when it is known (heldFor).
func (d *attempt) heldEarly(ctx context.Context) error {
	if !d.lane.Drift || d.Schemas == nil || d.shadow() {
		return nil
	}
	p, _, err := d.program(ctx, d.kind(), d.lane.MappingVersion)
	if err != nil || p == nil {
		return err
	}
	// Rows that fail without the CRM's answers may not fail with them.
	r, _ := p.Apply(d.mappingInput("", "", nil))
	if d.remoteIDNow() != "" {
		return d.heldFor(ctx, d.kind(), mappings.Changed(r.Fields, d.lane.Delivery.Written), false)
	}
	return d.heldFor(ctx, d.kind(), mappings.Fresh(r.Fields, nil), !d.outcomeOpen())
}

// heldFor is the error of a write of fields to an object that the CRM is known to refuse, nil where there is none. creates
// tells that it makes a record.
func (d *attempt) heldFor(ctx context.Context, object string, fields map[string]any, creates bool) error {
	if !d.lane.Drift || d.Schemas == nil || d.shadow() {
		return nil
	}
	issues, err := d.Schemas.BlockingIssues(ctx, d.in.WorkspaceID, d.in.ConnectionID)
	if err != nil {
		return fmt.Errorf("%w: read the issues of the CRM's fields: %w", errStore, err)
	}
	for _, i := range issues {
		if i.Object != object || !hits(i, fields, creates) {
			continue
		}
		if d.in.Force {
			// Who asks for it has perhaps corrected it in the CRM.
			d.askSchema(ctx, object, readAfterRequest)
		}
		return &connectors.Error{Class: classDrift, Field: i.Field, NotSent: true,
			Public: i.Text + " Then this goes out by itself."}
	}
	return nil
}

// hits tells whether a write of fields fails for an issue.
func hits(i records.SchemaIssue, fields map[string]any, creates bool) bool {
	if i.CreatesOnly && !creates {
		return false
	}
	v, written := fields[i.Field]
	switch {
	case i.CreatesOnly && !written:
		// Without the field the CRM makes no record.
		return i.Code == codeRequired
	case i.Code == codeRequired || !written || v == nil:
		return false
	case i.Value == "":
		return true
	}
	if list, ok := v.([]string); ok {
		return slices.Contains(list, i.Value)
	}
	return reflect.DeepEqual(v, i.Value) || fmt.Sprint(v) == i.Value
}

// askSchema has the fields of an object read again. That it cannot be asked for harms nothing: they are read regularly.
func (d *attempt) askSchema(ctx context.Context, object string, atLeast time.Duration) {
	if d.Schemas == nil {
		return
	}
	k := records.SchemaKey{WorkspaceID: d.in.WorkspaceID, ConnectionID: d.in.ConnectionID, Object: object}
	if err := d.Schemas.AskSchema(context.WithoutCancel(ctx), k, atLeast); err != nil {
		d.Log.Warn("the fields of a CRM could not be asked for", "connection", d.in.ConnectionID, "object", object, "error", err)
	}
}

// refusedField has the fields of an object read again after the CRM has refused one of them.
func (d *attempt) refusedField(ctx context.Context, object string, err error) {
	if e := connectors.AsError(err); e.Class == connectors.Invalid && e.Field != "" {
		d.askSchema(ctx, object, readAfterRefusal)
	}
}
