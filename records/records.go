// Package records holds the rows that several packages speak of (workspace, source, connection, receipt, delivery) as
// plain values, and the errors of stores. postgres reads and writes them; the packages above declare the interfaces they
// need over them. It imports only call.
package records

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/callsync/callsync/call"
)

// ErrNotFound is returned by a store for a row that does not exist in the workspace asked for.
var ErrNotFound = errors.New("not found")

// ErrLastAdmin is returned by a store for a change that would leave a workspace without an admin.
var ErrLastAdmin = errors.New("the last admin")

// ErrConflict is returned by a store for a row that exists already.
var ErrConflict = errors.New("already exists")

// ErrOutdated says that a change was made from a version that is not in force any more.
var ErrOutdated = errors.New("made from a version that is not in force any more")

// Workspace is a tenant.
type Workspace struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// User is a person in one workspace: they may belong to several, with another name and role in each.
type User struct {
	ID           string    `json:"id"`
	WorkspaceID  string    `json:"workspace_id"`
	Email        string    `json:"email"`
	Name         string    `json:"name"`
	PasswordHash string    `json:"-"`
	Role         string    `json:"role"`
	CreatedAt    time.Time `json:"created_at"`
	// DisabledAt is since when they may not come in to this workspace; zero while they may.
	DisabledAt time.Time `json:"disabled_at,omitzero"`
	// Installation says that they operate the installation and may add workspaces.
	Installation bool `json:"installation,omitempty"`
}

// Source is one configured phone system of a customer.
type Source struct {
	ID             string
	WorkspaceID    string
	Provider       string
	Name           string
	TimeZone       string
	DefaultCountry string
	Window         time.Duration
	Quiet          time.Duration
	Stale          time.Duration
	Policy         string
	Config         map[string]string
	Secrets        map[string]string
	// Token is the secret of the hook URLs.
	Token string
	// Connections it feeds; nil means all of its workspace.
	Connections []string
	Recordings  SourceRecordings
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Connection is one configured CRM account of a customer.
type Connection struct {
	ID           string
	WorkspaceID  string
	Connector    string
	Name         string
	Config       map[string]string
	Secrets      map[string]string
	Mode         string
	Policy       string         // empty: the source's
	Window       *time.Duration // nil: the source's
	Match        Match
	Recordings   string // one of the Share... words; empty means ShareLink
	Status       string
	StatusReason string
	Idempotency  string
	Report       json.RawMessage
	VerifiedAt   time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// The statuses of a connection.
const (
	ConnectionActive  = "active"
	ConnectionPaused  = "paused"
	ConnectionRevoked = "revoked"
)

// Receipt is one webhook request as it arrived, with what became of it.
type Receipt struct {
	ID          string
	WorkspaceID string
	SourceID    string
	ReceivedAt  time.Time
	Method      string
	HookEvent   string
	Query       []byte
	// Headers is a JSON object of name to values; secrets in them are cut before storing.
	Headers   []byte
	Body      []byte
	Signature string
	Result    ReceiptResult
}

// ReceiptResult is what became of a receipt. An empty State means that it has not been applied yet.
type ReceiptResult struct {
	State      string
	Reason     string
	Detail     string
	RecordKind string
	RecordID   string
	Changed    bool
	AppliedAt  time.Time
}

// The states of a receipt.
const (
	ReceiptPending     = "pending"
	ReceiptApplied     = "applied"
	ReceiptIgnored     = "ignored"
	ReceiptQuarantined = "quarantined"
	ReceiptRejected    = "rejected"
)

// CallRow is a call with what the pipeline knows of it.
type CallRow struct {
	Call     call.Call
	Complete bool
	// Artifacts is what has become of each, whatever the time: nothing is overdue in it. Only what is to be stored has it.
	Artifacts       map[call.Artifact]call.ArtifactStatus
	WindowBase      time.Time
	ChangedAt       time.Time
	SettledRevision int64
	CreatedAt       time.Time
}

// Delivery is the state of one record of ours in one CRM.
type Delivery struct {
	ID             string
	WorkspaceID    string
	ConnectionID   string
	Object         string
	Key            string
	RecordID       string
	State          string
	Revision       int64
	RemoteID       string
	RemoteURL      string
	MappingVersion int
	Written        map[string]any
	// Shown, Sent, Kept and Overruled are as in a Base.
	Shown     map[string]any
	Sent      map[string][]any
	Kept      map[string]Kept
	Overruled map[string]string
	// Shadow is what a connection in shadow mode would have written last; nil where it wrote, or has not come to it.
	Shadow       *Shadow
	Steps        map[string]Step
	Warnings     []string
	Attempt      int
	LeaseUntil   time.Time
	SendingSince time.Time
	Class        string
	Field        string
	Reason       string
	Detail       string
	RetryAt      time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Base is what an update of the record is compared with.
func (d Delivery) Base() Base {
	return Base{Written: d.Written, Shown: d.Shown, Sent: d.Sent, Kept: d.Kept, Overruled: d.Overruled}
}

// The states of a delivery.
const (
	DeliveryWaiting  = "waiting"
	DeliveryReserved = "reserved"
	DeliverySending  = "sending"
	DeliveryDone     = "done"
	DeliveryParked   = "parked"
	DeliverySkipped  = "skipped"
)

// Step is one step of a delivery that is done, and the record it led to.
type Step struct {
	At     time.Time `json:"at"`
	ID     string    `json:"id,omitempty"`
	Object string    `json:"object,omitempty"`
	// Key is what the step was done for, such as the phone number a party was looked up by.
	Key string `json:"key,omitempty"`
	// Name is what people call the record.
	Name string `json:"name,omitempty"`
	// Text says in words how it was decided ("matched by phone", "created").
	Text string `json:"text,omitempty"`
}

// Attempt is one try of a delivery.
type Attempt struct {
	ID         string
	DeliveryID string
	At         time.Time
	Revision   int64
	Outcome    string
	Class      string
	Reason     string
	Detail     string
	Duration   time.Duration
}

// MappingVersion is one immutable version of a mapping.
type MappingVersion struct {
	ConnectionID string
	Object       string
	Version      int
	Document     string
	Author       string
	Note         string
	CreatedAt    time.Time
	Active       bool
	// Base is for a version that is to be added: the one that it was made from. It is refused unless that is in force; 0
	// demands nothing.
	Base int
}
