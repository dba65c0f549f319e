package records

import (
	"errors"
	"time"
)

// ErrNoSchema tells that a CRM has no fields of its own to list.
var ErrNoSchema = errors.New("the connector describes no fields")

// Schema is the fields of one object of a CRM, as the CRM described them.
type Schema struct {
	Object string        `json:"object"`
	Fields []SchemaField `json:"fields"`
	// Outcomes are the account's call outcomes, to which dispositions lead; nil where the CRM has no list of its own, or it
	// was not read.
	Outcomes []SchemaOption `json:"outcomes,omitempty"`
	// Partial tells that the CRM has more fields than are here: then a field that is missing need not be missing there.
	Partial bool `json:"partial,omitempty"`
}

// SchemaType is the type of a CRM's field.
type SchemaType string

// The types of CRM fields.
const (
	SchemaText     SchemaType = "text"
	SchemaLongText SchemaType = "long_text"
	SchemaHTML     SchemaType = "html"
	SchemaNumber   SchemaType = "number"
	SchemaBool     SchemaType = "bool"
	SchemaDate     SchemaType = "date"
	SchemaDateTime SchemaType = "datetime"
	SchemaPicklist SchemaType = "picklist"
	SchemaMulti    SchemaType = "multi_picklist"
	SchemaRef      SchemaType = "reference"
)

// SchemaField is one field of a CRM.
type SchemaField struct {
	Name  string     `json:"name"`
	Label string     `json:"label"`
	Type  SchemaType `json:"type"`
	// Required tells that the CRM makes no record without it, and has no default of its own. Filled tells that the connector
	// fills it in where the mapping gives nothing.
	Required bool `json:"required"`
	Filled   bool `json:"filled,omitempty"`
	// ReadOnly tells that nobody may write it; NoCreate and NoUpdate that it may not be set when a record is made, or not
	// be changed afterwards.
	ReadOnly bool `json:"read_only"`
	NoCreate bool `json:"read_only_on_create,omitempty"`
	NoUpdate bool `json:"read_only_on_update,omitempty"`
	// Hidden tells that the CRM shows it to nobody; it may be written all the same.
	Hidden bool `json:"hidden,omitempty"`
	// MaxLength is in characters; zero where there is no limit, or none is known.
	MaxLength int `json:"max_length,omitempty"`
	// Whole tells of a number that it keeps no fraction.
	Whole bool `json:"whole,omitempty"`
	// DateText tells of a date that it is taken as text of the form 2026-11-21 only, not as a moment.
	DateText bool           `json:"date_text,omitempty"`
	Options  []SchemaOption `json:"options,omitempty"`
	// ByLabel tells that the connector takes the options' labels, too, whatever their case.
	ByLabel bool `json:"by_label,omitempty"`
	// MoreOptions tells that the CRM has more options than are here, or takes others as well.
	MoreOptions bool `json:"more_options,omitempty"`
}

// SchemaOption is one value of a CRM's list.
type SchemaOption struct {
	ID    string `json:"id"`
	Label string `json:"label"`
}

// SchemaKey names one object of a connection's CRM.
type SchemaKey struct {
	WorkspaceID  string
	ConnectionID string
	Object       string
}

// SchemaSnapshot is a schema as it was found to be different from the one before.
type SchemaSnapshot struct {
	// Version counts a connection's snapshots of the object from 1.
	Version int
	Schema  Schema
	// Changes are the differences from the version before; none in the first.
	Changes []SchemaChange
	// FoundAt is when it was read first, ReadAt when it was read last and still so.
	FoundAt time.Time
	ReadAt  time.Time
}

// SchemaChange is one difference between two schemas.
type SchemaChange struct {
	// Kind is one of the Change constants.
	Kind  string `json:"kind"`
	Field string `json:"field"`
	// Label is the field's label, the newer one.
	Label string `json:"label,omitempty"`
	// Before and After are what changed: a type, a label, an option, a length.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// The kinds of differences between two schemas. Renamed is a field that is gone while another with its label has come.
const (
	ChangeAdded         = "added"
	ChangeRemoved       = "removed"
	ChangeRenamed       = "renamed"
	ChangeLabel         = "label"
	ChangeType          = "type"
	ChangeRequired      = "required"
	ChangeOptional      = "optional"
	ChangeReadOnly      = "read_only"
	ChangeWritable      = "writable"
	ChangeLength        = "length"
	ChangeOptionAdded   = "option_added"
	ChangeOptionRemoved = "option_removed"
	ChangeOutcomeGone   = "outcome_removed"
	ChangeOutcomeAdded  = "outcome_added"
)

// SchemaIssue is one thing in which the mapping in force, or the table of dispositions, does not fit the CRM's fields any
// more.
type SchemaIssue struct {
	ID           string
	ConnectionID string
	Object       string
	// Field is the CRM's field, Code what is wrong with it (mappings.Code), Value the option that is missing, if it is one.
	Field string
	Code  string
	Value string
	// Blocking tells that deliveries which write it are put on hold; CreatesOnly that only those that make a record are.
	Blocking    bool
	CreatesOnly bool
	// Text is a sentence that names the field and what to do. Suggestion is the field or option that was most likely meant.
	Text       string
	Suggestion string
	// SchemaVersion and MappingVersion are those between which it was found.
	SchemaVersion  int
	MappingVersion int
	OpenedAt       time.Time
	// HealedAt is when it was gone; zero while it is open.
	HealedAt time.Time
	// Held is how many deliveries are on hold for it.
	Held int64
}

// SchemaState tells how far the watch over an object's fields is.
type SchemaState struct {
	Object string
	// ReadAt is when the fields were read last, zero for never; NextAt when they will be.
	ReadAt time.Time
	NextAt time.Time
	// Failure is a sentence about the last read where it failed.
	Failure string
}

// SchemaVerdict is what became of comparing a schema with what is in force: the issues that are there now. Those that were
// open before and are not among them are healed.
type SchemaVerdict struct {
	MappingVersion int
	SchemaVersion  int
	Issues         []SchemaIssue
}

// DeliveryDrift is the class of deliveries that are on hold because their mapping does not fit the CRM's fields any more.
const DeliveryDrift = "schema_drift"
