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

// update is what is known of a write of the lane's record before the CRM is asked.
func (d *attempt) update(session connectors.Session, id string) mappings.Update {
	u := mappings.Update{Base: d.lane.Delivery.Base(), Exists: id != "", Readable: d.reader(session) != nil, Looks: d.in.Force,
		Same: d.same(session), At: time.Now().UTC().Truncate(time.Millisecond)}
	if c, ok := session.(connectors.Comparer); ok {
		u.MaxText = func(field string) int { return c.MaxText(d.kind(), field) }
	}
	return u
}

// settle decides what is written, so that what people changed in the CRM survives. It reads the record only where something of
// ours changes. It reports deleted when a human deleted the record.
func (d *attempt) settle(ctx context.Context, session connectors.Session, u mappings.Update, id string) (out mappings.Decision, deleted bool, err error) {
	var now map[string]any
	if read := u.Reads(); len(read) > 0 {
		now, err = d.read(ctx, session, id, read)
		switch {
		case isClass(err, connectors.NotFound):
			return out, true, nil
		case isClass(err, connectors.Unsupported):
			u.Readable = false
		case err != nil:
			return out, false, err
		}
	}
	return u.Decide(now), false, nil
}

// reader reads the record of the lane as it is in the CRM; nil where it cannot be read.
func (d *attempt) reader(session connectors.Session) func(ctx context.Context, id string, fields []string) (map[string]any, error) {
	if d.kind() == connectors.ObjectCall {
		if r, ok := session.(connectors.CallReader); ok {
			return r.ReadCall
		}
		return nil
	}
	if r, ok := session.(connectors.RecordReader); ok {
		return func(ctx context.Context, id string, fields []string) (map[string]any, error) {
			return r.ReadRecord(ctx, d.kind(), id, fields)
		}
	}
	return nil
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
	switch {
	case merged != nil:
		sent = merged.Sent
	case !create:
		return nil
	case d.reader(session) != nil:
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
