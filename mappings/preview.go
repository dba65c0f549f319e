package mappings

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
)

// Comparison is what two versions of a mapping make of one call.
type Comparison struct {
	Before, After Side
	// Rows are the fields of both, in the order of after, with those that only before has at the end.
	Rows []ComparedRow
	// Altered tells that the two would write different fields into a record that is not there yet, or that one of them
	// does not work for this call.
	Altered bool
}

// Side is one of the two.
type Side struct {
	// Payload are the fields that a delivery would write into a record that is not there yet; nil where the mapping does
	// not work for this call, or there is none.
	Payload map[string]any
	// Error says in a sentence why it does not work.
	Error    string
	Warnings []Warning
	// Sends are the fields that a delivery would send now, into the record as it is; nil where the mapping does not work.
	Sends map[string]any
}

// The kinds of a ComparedRow.
const (
	RowSame    = "same"
	RowAdded   = "added"
	RowRemoved = "removed"
	RowChanged = "changed"
)

// ComparedRow is one field of the CRM.
type ComparedRow struct {
	Target string
	// Before and After are nil where the document has no row for the field.
	Before, After *RowExplanation
	// Kind tells whether the field is written, and with what: same, added, removed or changed.
	Kind string
	// Was and Outcome tell what a delivery would do with the field now, by before and by after; empty without a row. Cause says
	// why somebody's edit is kept: one of the records' KeptEdited to KeptFull.
	Was, Outcome Outcome
	Cause        string
}

// Fresh are the fields that are written into a record that is not there yet: there is nothing to clear in it. written are
// those that an earlier write filled, nil for none.
func Fresh(fields, written map[string]any) map[string]any {
	out := maps.Clone(fields)
	maps.DeleteFunc(out, func(k string, v any) bool { return v == nil && written[k] == nil })
	return out
}

// Compare applies two programs to one call; either may be nil. u is what is known of its record, without what is wanted there,
// and current has the record's fields as they are in the CRM. Where they were not read, it takes them to be as callsync left them.
func Compare(before, after *Program, in Input, u Update, current map[string]any) Comparison {
	if current == nil {
		current = u.Base.Left()
	}
	var c Comparison
	var old, now []RowExplanation
	was, is := decider{u: u}, decider{u: u}
	c.Before, old = was.side(before, in, current)
	c.After, now = is.side(after, in, current)
	c.Altered = (c.Before.Error == "") != (c.After.Error == "")
	for i := range now {
		c.add(now[i].Target, find(old, now[i].Target), &now[i])
	}
	for i := range old {
		if find(now, old[i].Target) == nil {
			c.add(old[i].Target, &old[i], nil)
		}
	}
	for i := range c.Rows {
		r := &c.Rows[i]
		r.Was, _ = was.outcome(r.Before)
		r.Outcome, r.Cause = is.outcome(r.After)
	}
	return c
}

// decider is what a delivery by one of the programs would decide.
type decider struct {
	u        Update
	decision Decision
	fails    bool
}

// side explains one program.
func (d *decider) side(p *Program, in Input, current map[string]any) (Side, []RowExplanation) {
	if p == nil {
		return Side{}, nil
	}
	d.u.Shapes = p.Shapes()
	rows, res, err := p.Explain(in)
	s := Side{Warnings: res.Warnings}
	if err != nil {
		s.Error, d.fails = sentences(rows), true
		return s, rows
	}
	s.Payload = Fresh(res.Fields, d.u.Base.Written)
	d.u.Wanted = res.Fields
	d.decision = d.u.Decide(current)
	s.Sends = d.decision.Write
	if d.decision.Merged != nil {
		s.Warnings = append(s.Warnings, d.decision.Merged.Warnings...)
	}
	return s, rows
}

// outcome is that of one row. A document that fails in one row writes nothing.
func (d *decider) outcome(e *RowExplanation) (Outcome, string) {
	if e == nil || d.fails && e.Error == "" {
		return "", ""
	}
	out := d.decision.Outcome(*e, d.u)
	if out == OutcomeKept || out == OutcomeLeft {
		return out, d.decision.Merged.Kept[e.Target].Cause
	}
	return out, ""
}

func sentences(rows []RowExplanation) string {
	var b strings.Builder
	for _, r := range rows {
		if r.Error != "" {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(r.Error)
		}
	}
	return b.String()
}

func (c *Comparison) add(target string, before, after *RowExplanation) {
	r := ComparedRow{Target: target, Before: before, After: after, Kind: RowSame}
	old, was := c.Before.Payload[target]
	now, is := c.After.Payload[target]
	switch {
	case was && is && !SameValue(old, now):
		r.Kind = RowChanged
	case is && !was:
		r.Kind = RowAdded
	case was && !is:
		r.Kind = RowRemoved
	}
	c.Altered = c.Altered || r.Kind != RowSame
	c.Rows = append(c.Rows, r)
}

func find(rows []RowExplanation, target string) *RowExplanation {
	for i := range rows {
		if rows[i].Target == target {
			return &rows[i]
		}
	}
	return nil
}

// SameValue compares two values of fields, also one that went through the database as JSON.
func SameValue(a, b any) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && bytes.Equal(x, y)
}
