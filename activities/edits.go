package activities

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// merge decides what an update of the call's record writes, so that what people changed in the CRM survives. It reads the
// record only where something of ours changes. It returns nil where the CRM cannot be read: then what changed here is
// written. It reports deleted when a human deleted the record.
func (d *attempt) merge(ctx context.Context, session connectors.Session, fields map[string]any, id string) (out *mappings.Merged, deleted bool, err error) {
	reader, ok := session.(connectors.CallReader)
	base := d.lane.Delivery.Base()
	// Of a record that was made before sent values were kept nobody knows what is ours.
	if !ok || id == "" || d.applied == nil || d.kind() != connectors.ObjectCall || len(base.Written)+len(base.Sent) == 0 {
		return nil, false, nil
	}
	m := mappings.Merge{Wanted: fields, Shapes: d.applied.Shapes(), Base: base, Same: d.same(session), At: time.Now().UTC().Truncate(time.Millisecond)}
	if c, ok := session.(connectors.Comparer); ok {
		m.MaxText = func(field string) int { return c.MaxText(d.kind(), field) }
	}
	read := m.Reads()
	if d.in.Force {
		read = m.ReadsKept()
	}
	var now map[string]any
	if len(read) > 0 {
		now, err = reader.ReadCall(ctx, id, read)
		if isClass(err, connectors.NotFound) {
			return nil, true, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
	merged := m.Do(read, now)
	if len(base.Written) == 0 {
		// The create was never recorded as done: what it may owe beside its fields is made up for by writing them again.
		for f, v := range merged.Written {
			if _, sends := merged.Write[f]; !sends && v != nil && m.Shapes[f].Mode != mappings.Append {
				merged.Write[f], merged.Sent[f] = v, []any{v}
			}
		}
	}
	return &merged, false, nil
}

// same compares what was written with what was read as the session's CRM would.
func (d *attempt) same(session connectors.Session) func(field string, ours, read any) bool {
	return func(field string, ours, read any) bool {
		return connectors.SameField(session, d.kind(), field, ours, read)
	}
}

// sends commits what is about to be written, before it is: the next attempt after one that was killed knows it for ours.
func (d *attempt) sends(ctx context.Context, session connectors.Session, fields map[string]any, merged *mappings.Merged, create bool) error {
	var sent map[string][]any
	_, reads := session.(connectors.CallReader)
	switch {
	case merged != nil:
		sent = merged.Sent
	case !create:
		return nil
	case reads && d.kind() == connectors.ObjectCall:
		sent = make(map[string][]any, len(fields))
		for f, v := range fields {
			sent[f] = []any{v}
		}
	}
	return d.Store.MarkWriting(ctx, d.in.WorkspaceID, d.lane.Delivery.ID, d.lane.Lease, sent, create)
}

// wrote takes in what the CRM has after a write.
func (d *attempt) wrote(session connectors.Session, fields map[string]any, merged *mappings.Merged, out connectors.Written) {
	if merged != nil {
		merged.Answered(out.Stored, d.same(session))
		d.merged = *merged
		return
	}
	d.merged = mappings.Merged{Write: fields, Written: maps.Clone(fields), Shown: map[string]any{}, Settled: slices.Collect(maps.Keys(fields))}
	d.merged.Answered(out.Stored, d.same(session))
	for f, v := range out.Stored {
		if _, sent := fields[f]; !sent {
			// The connector filled it in by itself.
			d.merged.Written[f] = v
		}
	}
}

// keepFields has the result say what was written and kept.
func (d *attempt) keepFields(r *records.LaneResult) {
	r.Written, r.Shown, r.Settled, r.Kept = d.merged.Written, d.merged.Shown, d.merged.Settled, d.merged.Kept
	if d.written != nil {
		r.Written = d.written
	}
}
