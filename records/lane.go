package records

import (
	"errors"
	"fmt"
	"time"

	"github.com/callsync/callsync/call"
)

// LeasedError is returned by a store for a delivery that another attempt is working on.
type LeasedError struct{ Until time.Time }

func (e *LeasedError) Error() string {
	return fmt.Sprintf("another attempt holds the delivery until %s", e.Until.UTC().Format(time.RFC3339))
}

// ErrLeaseLost is returned by a store when an attempt wants to record something after its lease went to another one.
var ErrLeaseLost = errors.New("the delivery's lease is another attempt's")

// ErrConnectionActive is returned by a store for a delivery that is to be put on hold for a connection that is paused or
// revoked, when that has just been resumed: nobody would drain it.
var ErrConnectionActive = errors.New("the connection is active again")

// Lane is all that one delivery of a call needs to know, read in one go together with taking the lease.
type Lane struct {
	// Call is the call; of a message or form, what it has in common with calls (mappings.FromMessage, FromForm).
	Call CallRow
	// Message or Form is what the lane delivers, where it is no call.
	Message *call.Message
	Form    *call.Form
	// DefaultCountry is the source's, in which numbers without a country code are read; TimeZone is its zone.
	DefaultCountry string
	TimeZone       string
	SourceName     string
	// SourceRules and ConnectionRules are the versions of their rules; zero where there are none.
	SourceRules     int
	ConnectionRules int
	// Actions is the version of the connection's actions; zero where it has none.
	Actions int
	// Recordings are what is kept of the call's recordings, the oldest first.
	Recordings []Recording
	// Connection comes without its secrets.
	Connection Connection
	// Deleted tells that the connection is no more.
	Deleted bool
	// OwnNumber tells that the customer's number is one of the workspace's own: listed, or learned and not rejected.
	OwnNumber bool
	// Drift tells that there are issues of the connection's CRM fields for which deliveries are put on hold.
	Drift bool
	// Choice is the contact that a person chose for the customer's number: its id, ChoiceNone or ChoiceCreate, its
	// object and its name, as far as that was known; empty where nobody did.
	Choice, ChoiceObject, ChoiceName string
	// MappingVersion is the active version of the lane's object, ContactMappingVersion that of "contact"; zero where the
	// connector has no fields.
	MappingVersion        int
	ContactMappingVersion int
	Delivery              Delivery
	// Lease is the token with which this attempt records what it did.
	Lease string
}

// StepAdopted is the step of a delivery that was taken over from a call folded into this one. Its id is that call's, the
// key under which the record was made.
const StepAdopted = "adopted"

// LaneResult is what an attempt records at its end; it gives the lease back.
type LaneResult struct {
	// Kind is the kind of record: empty for a call, "message", "form", or that of a follow-up. CallID is its id.
	Kind        string
	WorkspaceID string
	DeliveryID  string
	CallID      string
	Lease       string
	// State is the delivery's new state. Revision is what the lane has settled with it; a retry leaves it unset.
	State    string
	Revision int64
	// Open tells that a create was sent whose outcome is not known, whatever the state: the record has to be looked for
	// before it is made again.
	Open           bool
	RemoteID       string
	RemoteURL      string
	MappingVersion int
	// Written is merged over what was written before. Shown replaces what was shown of the fields in Written. Settled are
	// the fields of which nothing is sent, and nobody is overruled, any more. Kept replaces what was kept, unless it is nil.
	Written map[string]any
	Shown   map[string]any
	Settled []string
	Kept    map[string]Kept
	// Shadow is what would have been written in shadow mode; it replaces what there is, also when it is nil.
	Shadow   *Shadow
	Steps    map[string]Step
	Warnings []string
	Class    string
	Field    string
	Reason   string
	Detail   string
	RetryAt  time.Time
	// FollowUp says what becomes of the follow-up of which this is the delivery (Kind "task", "ticket" or "deal").
	FollowUp *FollowUpEnd
	// Outcome is the attempt's: done, unchanged, skipped, parked or retry.
	Outcome  string
	Duration time.Duration
}

// ContactResult is what became of the delivery row of a contact.
type ContactResult struct {
	WorkspaceID string
	DeliveryID  string
	Lease       string
	// State is done when RemoteID is the contact, waiting when there is none (yet), sending when a create has no answer.
	State    string
	RemoteID string
	// Object is the contact's; empty means a contact. Key names the calls of the number that may use it without asking the
	// CRM again, where not all may. ForAll tells that it is also the contact of calls that were left without one.
	Object string
	Key    string
	ForAll bool
	// Created tells contacts that callsync made from those it found.
	Created bool
	// Text says how the contact was decided, Name what it is called.
	Text string
	Name string
	// Written is what a create wrote, MappingVersion by which version of the object's mapping.
	Written        map[string]any
	MappingVersion int
}

// Shadow is what a connection in shadow mode would have written.
type Shadow struct {
	// Fields are those of the call's record.
	Fields map[string]any `json:"fields"`
	// Object and ContactID name the record that the call belongs to, Contact is its name. Creates are the fields of the
	// one that would be created instead, where nobody has the number.
	Object    string         `json:"object,omitempty"`
	ContactID string         `json:"contact_id,omitempty"`
	Contact   string         `json:"contact,omitempty"`
	Creates   map[string]any `json:"creates,omitempty"`
	OwnerID   string         `json:"owner_id,omitempty"`
	// Actions are what else would be made of the call.
	Actions []ShadowAction `json:"actions,omitempty"`
}

// ShadowAction is what an action would have made.
type ShadowAction struct {
	Action  string    `json:"action"`
	Kind    string    `json:"kind"`
	Subject string    `json:"subject,omitempty"`
	DueAt   time.Time `json:"due_at,omitzero"`
}
