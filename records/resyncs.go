package records

import "time"

// The states of a resync. Listing ones gather their calls, running ones have them delivered.
const (
	ResyncListing   = "listing"
	ResyncRunning   = "running"
	ResyncPaused    = "paused"
	ResyncDone      = "done"
	ResyncCancelled = "cancelled"
)

// Resync has many calls delivered again, beside the live ones: after a mapping was changed, or into a CRM that was
// connected later.
type Resync struct {
	ID          string
	WorkspaceID string
	Filter      CallFilter
	// Connections are those that it delivers to; none means all that a call belongs to.
	Connections []string
	// DryRun only counts.
	DryRun bool
	State  string
	Author string
	// Total are the calls that the filter chose so far; Told are under way, the others have come to an end.
	Total   int64
	Told    int64
	Done    int64
	Failed  int64
	Skipped int64
	// Recent is how many came to an end in the last five minutes.
	Recent     int64
	CreatedAt  time.Time
	StartedAt  time.Time
	FinishedAt time.Time
}

// Left are the calls that have not come to an end.
func (r Resync) Left() int64 { return r.Total - r.Done - r.Failed - r.Skipped }

// The ends of a call in a resync.
const (
	ResyncCallDone    = "done"
	ResyncCallFailed  = "failed"
	ResyncCallSkipped = "skipped"
)

// ResyncPlace is what a resync is about in one connection, by what was there when it was asked.
type ResyncPlace struct {
	ConnectionID string
	// Calls are those of the resync whose source feeds the connection: Present are in the CRM, Held on hold, Skipped left
	// out by a rule or a person, the others have not gone there yet.
	Calls, Present, Held, Skipped int64
}

// Absent are the calls that have not gone there yet.
func (p ResyncPlace) Absent() int64 { return p.Calls - p.Present - p.Held - p.Skipped }
