package records

import (
	"context"
	"errors"
	"time"

	"github.com/callsync/callsync/call"
)

// ErrRefused is returned by a store for a row that it will not take for what is in it: trying again changes nothing.
var ErrRefused = errors.New("the store refuses what is in the row")

// Verdict is what became of a receipt that was read.
type Verdict struct {
	// State is applied, ignored, quarantined or rejected; empty with RetryIn.
	State string
	// Reason is a sentence for people; Detail is the operator's chain. Neither holds anything of the payload.
	Reason string
	Detail string
	// Events are what an applied receipt says. Their text is valid UTF-8 without NUL.
	Events []call.Event
	// RetryIn, when set, leaves the receipt in the inbox until then: what hinders it may pass.
	RetryIn time.Duration
}

// History is what a call is folded from.
type History struct {
	WorkspaceID string
	SourceID    string
	CallID      string
	// Events are all of the call's, in no order.
	Events []call.Event
	// Before is the call as it is stored; its ID is empty for a new one.
	Before CallRow
}

// Applier gives receipts their meaning. A store calls it inside the transaction that records the outcome, and again
// when it has to repeat that transaction.
type Applier struct {
	// Decode returns one verdict for each receipt, in their order.
	Decode func(context.Context, []Receipt) []Verdict
	// Fold returns the call of h with its completeness. Revision, times of change and creation are the store's.
	Fold func(h History) (CallRow, error)
}

// AppliedReceipt is a receipt that has left the inbox.
type AppliedReceipt struct {
	ID       string
	SourceID string
	State    string
	Changed  bool
}

// Applied is what one round of applying did.
type Applied struct {
	Receipts []AppliedReceipt
	// Deferred are those that stay in the inbox for later.
	Deferred int
	// Claimed is how many were looked at; less than asked for means that no more are waiting.
	Claimed int
	// Unsignalled tells that a call changed in a way that its workflow should know.
	Unsignalled bool
}

// PendingCall is a call whose workflow has to be told of it.
type PendingCall struct {
	// Kind is the kind of record: empty for a call, "message" or "form".
	Kind        string
	ID          string
	WorkspaceID string
	SourceID    string
	Revision    int64
	Complete    bool
	Stale       bool
	WindowBase  time.Time
	ChangedAt   time.Time
	// WaitsUntil is until when the workflow was last told to wait; zero if it does not.
	WaitsUntil time.Time
	// Settled tells that every lane has delivered, skipped or parked this revision.
	Settled bool
}

// LaneKey names a lane: a call, message or form and one of the connections it goes to.
type LaneKey struct {
	// Kind is as in PendingCall; CallID is the record's id.
	Kind         string
	WorkspaceID  string
	CallID       string
	ConnectionID string
}

// Signalled says that the workflow of a call knows of a revision.
type Signalled struct {
	// Kind is as in PendingCall; CallID is the record's id.
	Kind     string
	CallID   string
	Revision int64
	// CheckAt is when the sweeper looks whether the call has been settled.
	CheckAt time.Time
	// WaitsUntil is until when the workflow has been told to wait; zero if it does not.
	WaitsUntil time.Time
	// Nothing is there to deliver: the revision is settled by this.
	Nothing bool
}

// Partition is the receipts of one day.
type Partition struct {
	Name string
	// From and To bound its receipts by the receiver's clock; both are zero for the default partition.
	From time.Time
	To   time.Time
	// Bytes is its size on disk with indexes.
	Bytes int64
	// Held says why it may not be dropped yet; empty when it may. Only set when asked for.
	Held string
}
