package mappings

import (
	"time"

	"github.com/callsync/callsync/records"
)

// Update is one write of a record, before it is made. Deliveries and previews decide by it alike, so that a preview says what a
// delivery will send.
type Update struct {
	// Wanted are the fields that the mapping made, nil for those to clear, and Shapes how its rows write them.
	Wanted map[string]any
	Shapes map[string]Shape
	Base   records.Base
	// Exists tells that the record is in the CRM, Readable that it can be read there.
	Exists, Readable bool
	// Looks tells that somebody asked for another look at what is kept.
	Looks bool
	// Same, MaxText and At are those of a Merge.
	Same    func(field string, ours, read any) bool
	MaxText func(field string) int
	At      time.Time
}

// Decision is what an Update comes to.
type Decision struct {
	// Write are the fields to send. A record that is there and for which there are none is left alone.
	Write map[string]any
	// Merged is nil where the CRM's own state was not compared.
	Merged *Merged
}

// Merges tells whether the record's state in the CRM counts. It does not for a new record, where the CRM cannot be read, and
// for a record of which nobody knows what callsync wrote.
func (u Update) Merges() bool {
	return u.Exists && u.Readable && u.Shapes != nil && len(u.Base.Written)+len(u.Base.Sent) > 0
}

func (u Update) merge() Merge {
	return Merge{Wanted: u.Wanted, Shapes: u.Shapes, Base: u.Base, Same: u.Same, MaxText: u.MaxText, At: u.At}
}

// Reads lists the fields to read in the CRM before Decide; none where nothing there can matter.
func (u Update) Reads() []string {
	switch {
	case !u.Merges():
		return nil
	case u.Looks:
		return u.merge().ReadsKept()
	}
	return u.merge().Reads()
}

// Decide decides. now has the fields of Reads as the CRM has them, and may have more.
func (u Update) Decide(now map[string]any) Decision {
	switch {
	case !u.Exists:
		return Decision{Write: Fresh(u.Wanted, u.Base.Written)}
	case !u.Merges():
		return Decision{Write: Changed(u.Wanted, u.Base.Written)}
	}
	m := u.merge().Do(u.Reads(), now)
	if len(u.Base.Written) == 0 {
		// The create was never recorded as done: what it may owe beside its fields is made up for by writing them again.
		for f, v := range m.Written {
			if _, sends := m.Write[f]; !sends && v != nil && u.Shapes[f].Mode != Append {
				m.Write[f], m.Sent[f] = v, []any{v}
			}
		}
	}
	return Decision{Write: m.Write, Merged: &m}
}

// Changed are the fields whose value is not what was last written. A field to clear counts only if it was written.
func Changed(fields, written map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range fields {
		old, had := written[k]
		if v == nil && (!had || old == nil) || had && SameValue(v, old) {
			continue
		}
		out[k] = v
	}
	return out
}

// Outcome is what becomes of one field.
type Outcome string

// The outcomes. Kept tells that somebody's edit stays, Left that the field has a value and the row only fills empty ones.
const (
	OutcomeWritten   Outcome = "written"
	OutcomeCleared   Outcome = "cleared"
	OutcomeFilled    Outcome = "filled"
	OutcomeAppended  Outcome = "appended"
	OutcomeKept      Outcome = "kept"
	OutcomeLeft      Outcome = "left"
	OutcomeUnchanged Outcome = "unchanged"
	OutcomeNever     Outcome = "never"
	OutcomeSkipped   Outcome = "skipped"
	OutcomeFailed    Outcome = "failed"
)

// Outcome tells what becomes of the field of a row that was explained.
func (d Decision) Outcome(e RowExplanation, u Update) Outcome {
	v, written := d.Write[e.Target]
	switch {
	case e.Error != "":
		return OutcomeFailed
	case e.Mode == NeverWrite:
		return OutcomeNever
	case e.Skipped != "":
		return OutcomeSkipped
	case written && v == nil:
		return OutcomeCleared
	case written && u.Exists && e.Mode == FillIfEmpty:
		return OutcomeFilled
	case written && u.Exists && e.Mode == Append:
		return OutcomeAppended
	case written:
		return OutcomeWritten
	case d.Merged != nil && d.Merged.Kept[e.Target].Open():
		if d.Merged.Kept[e.Target].Cause == records.KeptFilled {
			return OutcomeLeft
		}
		return OutcomeKept
	}
	return OutcomeUnchanged
}
