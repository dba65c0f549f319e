package records

import "time"

// The kinds of pulls: asked for by somebody, or regular.
const (
	PullManual = "manual"
	PullRecent = "recent"
	PullDaily  = "daily"
)

// The states of a pull. Queued and running ones are open.
const (
	PullQueued  = "queued"
	PullRunning = "running"
	PullDone    = "done"
	PullFailed  = "failed"
)

// Pull is one round of asking a phone system for the calls of a range.
type Pull struct {
	ID          string
	WorkspaceID string
	SourceID    string
	Kind        string
	From        time.Time
	To          time.Time
	State       string
	// Cursor is the page to ask for next.
	Cursor string
	// Listed are the calls that the phone system listed. Of these LeftOut had not ended, Repeated were as they had been
	// when they were pulled before, and Stored became receipts.
	Listed   int64
	LeftOut  int64
	Repeated int64
	Stored   int64
	// What became of the receipts so far: they made a call, changed one, changed nothing, or could not be applied.
	Created   int64
	Changed   int64
	Unchanged int64
	Troubled  int64
	// Reason is the last failure in a sentence, Detail the operator's chain, RetryAt when it is tried again.
	Reason     string
	Detail     string
	RetryAt    time.Time
	CreatedAt  time.Time
	StartedAt  time.Time
	FinishedAt time.Time
}

// Open tells whether there is still something to be asked.
func (p Pull) Open() bool { return p.State == PullQueued || p.State == PullRunning }

// PulledPage is one page of a pull, to be stored.
type PulledPage struct {
	// Cursor is the page that was asked for, Next the one to ask for next; empty after the last.
	Cursor string
	Next   string
	// LeftOut is how many calls of the page are not among Items.
	LeftOut int
	Items   []PulledItem
}

// PulledItem is one call of a page, named as its phone system names it.
type PulledItem struct {
	ID      string
	Receipt Receipt
}

// PullPlan is when a source is pulled next. Zero times are never.
type PullPlan struct {
	RecentAt time.Time
	DailyAt  time.Time
	// DoneTo is the end of the range up to which a regular pull has come to its end; zero if none has.
	DoneTo time.Time
}
