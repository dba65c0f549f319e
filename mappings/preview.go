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
}

// Fresh are the fields that are written into a record that is not there yet: there is nothing to clear in it. written are
// those that an earlier write filled, nil for none.
func Fresh(fields, written map[string]any) map[string]any {
	out := maps.Clone(fields)
	maps.DeleteFunc(out, func(k string, v any) bool { return v == nil && written[k] == nil })
	return out
}

// Compare applies two programs to one call; either may be nil. written are the fields that the last delivery of the call
// wrote.
func Compare(before, after *Program, in Input, written map[string]any) Comparison {
	var c Comparison
	var old, now []RowExplanation
	c.Before, old = before.side(in, written)
	c.After, now = after.side(in, written)
	c.Altered = (c.Before.Error == "") != (c.After.Error == "")
	for i := range now {
		c.add(now[i].Target, find(old, now[i].Target), &now[i])
	}
	for i := range old {
		if find(now, old[i].Target) == nil {
			c.add(old[i].Target, &old[i], nil)
		}
	}
	return c
}

// side explains one program.
func (p *Program) side(in Input, written map[string]any) (Side, []RowExplanation) {
	if p == nil {
		return Side{}, nil
	}
	rows, res, err := p.Explain(in)
	s := Side{Warnings: res.Warnings}
	if err != nil {
		s.Error = sentences(rows)
	} else {
		s.Payload = Fresh(res.Fields, written)
	}
	return s, rows
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
