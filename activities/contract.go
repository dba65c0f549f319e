// Package activities is where the waiting ends: thin Temporal activities that load a call, decide, write it to a CRM and
// record what came of it. It declares the interfaces of the stores it needs, and is the only place that turns errors
// into Temporal's.
package activities

import (
	"time"
)

// DeliverInput asks for one lane of a call, message or form to be brought up to date.
type DeliverInput struct {
	// Kind is empty for a call, else "message" or "form"; CallID is the record's id.
	Kind         string `json:"kind,omitempty"`
	WorkspaceID  string `json:"workspace_id"`
	CallID       string `json:"call_id"`
	ConnectionID string `json:"connection_id"`
	// Revision is the least revision of the call to deliver; the activity delivers the newest it finds.
	Revision int64 `json:"revision"`
	// Force delivers even what is parked or unchanged (sync now, resync).
	Force bool `json:"force,omitempty"`
	// Bulk marks backfill, which live calls go before.
	Bulk bool `json:"bulk,omitempty"`
}

// DeliverResult is what came of it.
type DeliverResult struct {
	// Outcome is done, unchanged, skipped or parked.
	Outcome Outcome `json:"outcome"`
	// Revision is the revision of the call that the lane has settled.
	Revision int64 `json:"revision"`
}

// Outcome is how a delivery ended.
type Outcome string

// The outcomes of a delivery that will not be retried by Temporal.
const (
	Done      Outcome = "done"
	Unchanged Outcome = "unchanged"
	Skipped   Outcome = "skipped"
	Parked    Outcome = "parked"
)

// Times that bound one delivery. WriteTimeout bounds what an attempt does but for uploads of recordings: longer than all its
// requests together. DeliverTimeout is the activity's StartToClose: an attempt shows life and holds its lease until then, so
// that a retry never runs beside the attempt it replaces.
const (
	WriteTimeout   = 2 * time.Minute
	DeliverTimeout = 30 * time.Minute
	// DeliverGiveUp is how long a delivery is retried before it is parked.
	DeliverGiveUp = 72 * time.Hour
)

// HeartbeatTimeout is how long after the last sign of life a delivery is given to another worker. A delivery that takes
// longer than HeartbeatEvery shows life that often and renews its lease, which lasts Lease.
const (
	HeartbeatTimeout = 15 * time.Second
	HeartbeatEvery   = 4 * time.Second
	Lease            = 14 * time.Second
)

// DeliverDeadline is the activity's ScheduleToClose: long enough after DeliverGiveUp for one more attempt, the one that
// parks the delivery.
const DeliverDeadline = DeliverGiveUp + 2*time.Hour
