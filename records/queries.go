package records

import (
	"time"

	"github.com/callsync/callsync/call"
)

// Cursor is a place in a list that is ordered by time and id, newest first: the last row a reader has seen. The zero
// cursor is the start.
type Cursor struct {
	At time.Time
	ID string
}

// Start tells whether c is the start of the list.
func (c Cursor) Start() bool { return c.ID == "" }

// Where a call stands with its CRMs, taken over all its lanes.
const (
	CallLive    = "live"    // it has not ended
	CallWaiting = "waiting" // for its window, or for a CRM
	CallSynced  = "synced"  // at least one CRM has its newest revision, no other is open
	CallSkipped = "skipped" // no CRM gets it, by rule or because its record was deleted
	CallOnHold  = "on_hold" // a person must act
)

// CallFilter chooses calls. Zero members choose all.
type CallFilter struct {
	// Query is a number in any format (or its end, or its beginning), beginnings of words of a name, a company, an e-mail
	// address or an agent, or an id of ours or of the provider.
	Query        string
	State        string
	SourceID     string
	ConnectionID string
	// LaneState, with a ConnectionID, is where its delivery stands: DeliveryWaiting (or being sent), DeliveryDone,
	// DeliveryParked or DeliverySkipped.
	LaneState string
	Direction call.Direction
	Status    call.Status
	// Recording, Transcription and Disposition are what has become of the artifact; Overdue is what is expected after the
	// source's window.
	Recording, Transcription, Disposition call.ArtifactState
	// IDs, if there are any, are the only calls that count.
	IDs []string
	// From (inclusive) and To (exclusive) bound the start of the call.
	From   time.Time
	To     time.Time
	Before Cursor
	Limit  int
}

// CallPage is a part of a list of calls. A list is looked through in steps, so that a filter that hardly any call passes
// costs no more than another: a page may hold less than was asked for, or nothing, and the list go on nevertheless.
type CallPage struct {
	Items []CallItem
	// Next is where the list goes on; the start if it does not.
	Next Cursor
	// Searched is set where the page is not full although the list goes on: until when it was looked through.
	Searched time.Time
}

// CallCount is how many calls a filter chooses, and how many of them each connection has in which state.
type CallCount struct {
	Calls int64
	// More tells that there are others, which were not counted.
	More bool
	// Lanes are deliveries by connection and state.
	Lanes map[string]map[string]int64
}

// CallItem is a call with its deliveries, as lists and pages show it.
type CallItem struct {
	CallRow
	// State is one of the constants CallLive to CallOnHold.
	State string
	// ListedAt is the time by which lists are ordered: the start of the call, else when it was first heard of.
	ListedAt time.Time
	// Deliveries are those of the call itself, without what they wrote.
	Deliveries []Delivery
}

// DeliveryHistory is a delivery with its attempts, oldest first.
type DeliveryHistory struct {
	Delivery
	Attempts []Attempt
}

// ReceiptFilter chooses receipts. Zero members choose all. A rejected or quarantined receipt is in trouble.
type ReceiptFilter struct {
	SourceID string
	State    string
	From     time.Time
	To       time.Time
	// Before is the id of the last receipt seen: receipt ids sort by arrival.
	Before string
	Limit  int
}

// ReceiptItem is a receipt in a list: without its bytes, but with their number.
type ReceiptItem struct {
	Receipt
	BodyBytes int
}

// RecordFilter chooses messages or forms. Zero members choose all.
type RecordFilter struct {
	SourceID string
	Before   string
	Limit    int
}

// MessageRow is a stored message.
type MessageRow struct {
	Message   call.Message
	SourceID  string
	CreatedAt time.Time
	// Revision is how often it has changed.
	Revision int64
}

// FormRow is a stored form submission.
type FormRow struct {
	Form      call.Form
	SourceID  string
	CreatedAt time.Time
	// Revision is how often it has changed.
	Revision int64
}

// Hold is a cause for which deliveries are on hold, with how many it holds up.
type Hold struct {
	// ID is made of the cause, so that it stays the same while the cause does.
	ID           string
	ConnectionID string
	Class        string
	Field        string
	Reason       string
	Count        int64
	Since        time.Time
	Last         time.Time
	// SampleCallIDs are some of the calls, newest first.
	SampleCallIDs []string
}

// HeldCall is one call that is on hold in one connection.
type HeldCall struct {
	DeliveryID   string
	CallID       string
	ConnectionID string
}

// Stats are the figures of a span of time.
type Stats struct {
	Calls     int64            `json:"calls"`
	ByStatus  map[string]int64 `json:"by_status"`
	ByState   map[string]int64 `json:"by_state"`
	Receipts  int64            `json:"receipts"`
	ByReceipt map[string]int64 `json:"receipts_by_state"`
	Messages  int64            `json:"messages"`
	Forms     int64            `json:"forms"`
	// Deliveries counts lanes by state, and OnHold how many of them a person must look at, whenever they began.
	Deliveries map[string]int64 `json:"deliveries_by_state"`
	OnHold     int64            `json:"on_hold"`
	// SecondsToCRM are the median and the 95th percentile from the end of a call to its first complete delivery.
	SecondsToCRM Percentiles `json:"seconds_to_crm"`
	// Retrying counts the lanes whose last attempt failed and that are tried again.
	Retrying int64 `json:"retrying"`
	// Trend counts the span's calls in steps of StepSeconds, oldest first, steps without calls included.
	Trend        []TrendStep      `json:"trend"`
	StepSeconds  int64            `json:"step_seconds"`
	BySource     []SourceFlow     `json:"by_source"`
	ByConnection []ConnectionFlow `json:"by_connection"`
}

// TrendStep is what began in one step of a span.
type TrendStep struct {
	At      time.Time        `json:"at"`
	ByState map[string]int64 `json:"by_state"`
}

// SourceFlow is what came of one source in a span. LastReceipt is when it last sent anything at all, tests included; zero
// if never, or too long ago to look for.
type SourceFlow struct {
	SourceID    string    `json:"source_id"`
	Calls       int64     `json:"calls"`
	Quarantined int64     `json:"quarantined"`
	Rejected    int64     `json:"rejected"`
	LastReceipt time.Time `json:"last_receipt,omitzero"`
}

// ConnectionFlow is what went to one connection of the calls of a span, by the state of their lanes.
type ConnectionFlow struct {
	ConnectionID string           `json:"connection_id"`
	ByState      map[string]int64 `json:"by_state"`
}

// Percentiles of a duration in seconds; nil where there is nothing to measure.
type Percentiles struct {
	P50 *float64 `json:"p50,omitempty"`
	P95 *float64 `json:"p95,omitempty"`
}
