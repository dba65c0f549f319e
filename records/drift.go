package records

import "time"

// MostSourceFields is how many unknown fields are remembered of one source. More are not a phone system that has changed,
// but one whose fields are named by people, or somebody who sends nonsense.
const MostSourceFields = 500

// FieldName names an unknown field of a source: the kind of request that has it, and where in it.
type FieldName struct {
	// Trigger is the event of the hook URL, else the kind of event that was read.
	Trigger string `json:"trigger"`
	Path    string `json:"path"`
}

// FieldSighting says that a field which the provider does not know has come. It holds nothing of its value.
type FieldSighting struct {
	WorkspaceID, SourceID string
	FieldName
	// Type is what the value was: text, number, flag, list or object.
	Type string
	// Count is how often since the last sighting that was kept; First and Last are when the requests arrived.
	Count       int64
	First, Last time.Time
	// ReceiptID is a request that has it.
	ReceiptID string
}

// UnknownField is a field that a source sends and its provider does not know.
type UnknownField struct {
	FieldName
	Type                string
	FirstSeen, LastSeen time.Time
	// Seen is about how often.
	Seen int64
	// ReceiptID is the first request that had it.
	ReceiptID string
	// AcknowledgedAt is zero for a field that nobody has acknowledged; AcknowledgedBy is who has.
	AcknowledgedAt time.Time
	AcknowledgedBy string
}
