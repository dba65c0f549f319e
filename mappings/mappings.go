// Package mappings turns a canonical call into the fields of a CRM by a versioned document that admins edit:
// Parse -> Compile -> Apply. A compiled program is safe for concurrent use, reads no clock and does no I/O.
package mappings

import (
	"time"

	"github.com/callsync/callsync/call"
)

// Input is what a mapping sees.
type Input struct {
	Call call.Call
	// ContactID and OwnerID are ids of the CRM, empty where unknown.
	ContactID string
	OwnerID   string
	// Dispositions are the CRM's outcomes; disposition_id in expressions is the one whose label or id is the call's.
	Dispositions []Option
	// CallURL and RecordingURL are the links that people may keep: the call in callsync, and its recording.
	CallURL      string
	RecordingURL string
	// Location is the zone in which times are shown in texts.
	Location *time.Location
}

// Option is one value of a list of the CRM.
type Option struct {
	ID    string
	Label string
}

// Result is the fields to write.
type Result struct {
	// Fields has string, bool, int64, float64, time.Time, []string, or nil to clear.
	Fields map[string]any
	// Modes has the write mode of each field.
	Modes map[string]Mode
	// Warnings are losses a person should know of.
	Warnings []Warning
}

// Warning is a loss in one row.
type Warning struct {
	Target string
	Text   string
}

// Mode says what a write may do to a field that has a value in the CRM.
type Mode string

// The write modes.
const (
	Overwrite   Mode = "overwrite"
	FillIfEmpty Mode = "fill_if_empty"
	Append      Mode = "append"
	NeverWrite  Mode = "never"
)

// Document is a parsed mapping document.
type Document struct{}

// Program is a compiled document.
type Program struct{}

// Parse reads a document in YAML or JSON and reports every problem with its row.
func Parse(data []byte) (Document, error) { panic("being written") }

// Compile checks the expressions of d and makes it ready to apply.
func Compile(d Document) (*Program, error) { panic("being written") }

// Apply makes the fields of in. Errors name the row.
func (p *Program) Apply(in Input) (Result, error) { panic("being written") }
