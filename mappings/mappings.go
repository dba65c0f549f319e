// Package mappings turns a canonical call, message or form submission into the fields of a CRM by a versioned document that admins edit:
// Parse -> Compile -> Apply, and Explain for the preview. A compiled program is safe for concurrent use, reads no clock,
// does no I/O and bounds its work, so that the same document and call always give the same fields.
package mappings

import (
	"errors"
	"fmt"
	"time"

	"github.com/callsync/callsync/call"
)

// Input is what a mapping sees.
type Input struct {
	// Call is the call behind the record, or what a message or form submission has in common with calls (FromMessage).
	Call call.Call
	// Message, Form, Task, Note and Ticket are what documents of these objects are about. Documents of contacts and leads
	// read the first two as well. Nil ones are absent.
	Message *call.Message
	Form    *call.Form
	Task    *Task
	Note    *Note
	Ticket  *Ticket
	// OwnNumber tells that the customer's number is one of the workspace's own.
	OwnNumber bool
	// ContactID and OwnerID are ids of the CRM, empty where unknown.
	ContactID string
	OwnerID   string
	// Dispositions are the CRM's outcomes; disposition_id in expressions is the one whose label or id is the call's.
	Dispositions []Option
	// CallURL and RecordingURL are the links that people may keep: the call in callsync, and its recording.
	CallURL      string
	RecordingURL string
	// Location is the zone in which times are shown in texts; nil means UTC.
	Location *time.Location
	// Country is the source's default country ("IN"): numbers without a country code are read as its own. Empty means none.
	Country string
}

// Option is one value of a list of the CRM.
type Option struct {
	ID    string
	Label string
}

// Result is the fields to write.
type Result struct {
	// Fields has string, bool, int64, float64, time.Time (UTC), []string, or nil to clear. A nil is there only for rows
	// with `empty: clear`; it asks to clear what an earlier write put there, never what a human did. Rows of mode
	// NeverWrite are not in it.
	Fields map[string]any
	// Modes has the write mode of each field.
	Modes map[string]Mode
	// Warnings are losses a person should know of.
	Warnings []Warning
}

// Warning is a loss in one row.
type Warning struct {
	Target string `json:"target"`
	Text   string `json:"text"`
}

// Error says why one row gave no field. Apply joins one for each failing row; errors.As finds the first. Neither text
// holds values of the call.
type Error struct {
	// Row is the row's number in the document, from 1; Target is its field in the CRM.
	Row    int
	Target string
	// Public is a sentence for the person who edits the mapping.
	Public string
	// Err is the operator's chain.
	Err error
}

func (e *Error) Error() string {
	return fmt.Sprintf("mapping row %d (%s): %v", e.Row, e.Target, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// RowExplanation is what one row did with one call.
type RowExplanation struct {
	Row    int    `json:"row"`
	Target string `json:"target"`
	Type   Type   `json:"type"`
	Mode   Mode   `json:"mode"`
	// Sources are the canonical fields that the row read, with their values as text.
	Sources []SourceValue `json:"sources,omitempty"`
	// Steps are what was done with them, in order.
	Steps []Step `json:"steps,omitempty"`
	// Result is the value for the CRM; nil when the row writes nothing, and when it clears the field.
	Result any `json:"result,omitempty"`
	// Clears tells that the row asks to clear what was written before.
	Clears bool `json:"clears,omitempty"`
	// Skipped says why the row writes nothing; empty when it writes.
	Skipped  string   `json:"skipped,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Error is a sentence for the person who edits the mapping.
	Error string `json:"error,omitempty"`
}

// SourceValue is one canonical field as the mapping saw it. An absent one has an empty text.
type SourceValue struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Apply makes the fields of in. The error joins an *Error for each row that failed; the fields of the other rows are in
// the result all the same.
func (p *Program) Apply(in Input) (Result, error) {
	c := p.collector()
	p.each(&in, false, func(o outcome, _ *run) { c.add(o) })
	return c.result, errors.Join(c.errs...)
}

// Explain does what Apply does, by the same code, and tells it row by row. Result and error are those of Apply.
func (p *Program) Explain(in Input) ([]RowExplanation, Result, error) {
	c := p.collector()
	rows := make([]RowExplanation, 0, len(p.rows))
	p.each(&in, true, func(o outcome, r *run) {
		c.add(o)
		e := RowExplanation{
			Row: o.row.number, Target: o.row.target, Type: o.row.typ, Mode: o.row.mode, Steps: r.trace.done(),
			Result: o.value, Skipped: o.skipped, Warnings: o.warnings,
		}
		// The row is done: reading its fields again tells no step.
		r.trace = nil
		e.Sources = o.row.sources(r)
		if o.err != nil {
			e.Error = o.err.Public
		} else if o.skipped == "" && o.value == nil {
			e.Clears = true
		}
		rows = append(rows, e)
	})
	return rows, c.result, errors.Join(c.errs...)
}

// collector puts together what the rows gave.
type collector struct {
	result Result
	errs   []error
}

func (p *Program) collector() *collector {
	return &collector{result: Result{Fields: make(map[string]any, len(p.rows)), Modes: make(map[string]Mode, len(p.rows))}}
}

func (c *collector) add(o outcome) {
	for _, text := range o.warnings {
		c.result.Warnings = append(c.result.Warnings, Warning{Target: o.row.target, Text: text})
	}
	switch {
	case o.err != nil:
		c.errs = append(c.errs, o.err)
	case o.skipped == "":
		c.result.Fields[o.row.target] = o.value
		c.result.Modes[o.row.target] = o.row.mode
	}
}

// Object names the record of the CRM that the program fills ("call", "contact").
func (p *Program) Object() string { return p.object }

// Targets lists the CRM's fields that the program may write, in the document's order: those to read before an update.
func (p *Program) Targets() []string {
	out := make([]string, 0, len(p.rows))
	for _, r := range p.rows {
		if r.mode != NeverWrite {
			out = append(out, r.target)
		}
	}
	return out
}
