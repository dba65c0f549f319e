// Package workflows holds the waiting: one short CallSync run per call and change. A run sees ids, revisions, deadlines
// and lanes, never a phone number or a payload, so histories stay tiny and hold nothing personal.
package workflows

import (
	"strings"
	"time"
)

// TaskQueue is the queue of the workflows.
const TaskQueue = "callsync"

// ConnectorQueue is the queue of the activities that write to one kind of CRM.
func ConnectorQueue(connector string) string { return "crm-" + connector }

// BulkQueue is the queue of backfill: it has places of its own, so that no resync delays a live call.
func BulkQueue(connector string) string { return ConnectorQueue(connector) + "-bulk" }

// SignalCall is the name of the signal that carries a CallSignal.
const SignalCall = "call"

// CallSyncName is the registered name of the workflow.
const CallSyncName = "CallSync"

// CallSyncID is the id of the workflow of one call.
func CallSyncID(workspaceID, sourceID, callID string) string {
	return strings.Join([]string{"call", workspaceID, sourceID, callID}, "/")
}

// SyncID is the id of the workflow of one record: of a call, or, by the kind that in names, of a text message or a form
// submission, which have ids of their own ("message/...", "form/...").
func SyncID(in CallInput) string {
	if in.Kind == "" {
		return CallSyncID(in.WorkspaceID, in.SourceID, in.CallID)
	}
	return strings.Join([]string{in.Kind, in.WorkspaceID, in.SourceID, in.CallID}, "/")
}

// CallInput starts a CallSync run. All else comes by signal.
type CallInput struct {
	// Kind is empty for a call, else "message" or "form"; CallID is the record's id.
	Kind        string `json:"kind,omitempty"`
	WorkspaceID string `json:"workspace_id"`
	SourceID    string `json:"source_id"`
	CallID      string `json:"call_id"`
	// Progress is set only by a run that continues itself.
	Progress *Progress `json:"progress,omitempty"`
}

// Progress is what a run hands to the one that continues it, once its history has grown long.
type Progress struct {
	Signal CallSignal     `json:"signal"`
	Lanes  []LaneProgress `json:"lanes,omitempty"`
}

// LaneProgress is how far the run had got with one lane: the revision it has settled (-1 for none), the Force that was
// asked of it, and the one it has served.
type LaneProgress struct {
	ConnectionID string `json:"connection_id"`
	Settled      int64  `json:"settled"`
	Force        int64  `json:"force,omitempty"`
	Forced       int64  `json:"forced,omitempty"`
}

// Policy says when a lane makes its first write.
type Policy string

// The policies: one write when the call is complete or its window ends; or a write as soon as the call has ended, and
// patches later.
const (
	Complete Policy = "complete"
	Early    Policy = "early"
)

// CallSignal tells the run how far the call is. The one with the highest Revision counts, and among equals the one with
// the highest Force.
type CallSignal struct {
	Revision int64 `json:"revision"`
	// WindowBase is the moment from which every lane's window is counted. Zero (only with Stale) means now.
	WindowBase time.Time `json:"window_base,omitzero"`
	// Complete says that nothing expected is missing: no lane waits for its window.
	Complete bool `json:"complete,omitempty"`
	// ChangedAt is when the call last changed; a lane whose window is over waits Quiet from then, so that a burst of
	// changes makes one write.
	ChangedAt time.Time     `json:"changed_at,omitzero"`
	Quiet     time.Duration `json:"quiet,omitempty"`
	// Stale says that the call never ended and its stale limit has passed: deliver what there is.
	Stale bool   `json:"stale,omitempty"`
	Lanes []Lane `json:"lanes"`
	// Bulk marks the Force of a resync: its deliveries go by the connector's queue for backfill, behind live calls.
	Bulk bool `json:"bulk,omitempty"`
	// Force, when it rises (unix milliseconds of the request), delivers the lanes at once, even if nothing changed.
	Force int64 `json:"force,omitempty"`
}

// Lane is one connection's delivery of the call.
type Lane struct {
	ConnectionID string        `json:"connection_id"`
	Connector    string        `json:"connector"`
	Policy       Policy        `json:"policy"`
	Window       time.Duration `json:"window"`
	// NotForced leaves the lane out of the signal's Force: somebody asked for other lanes only.
	NotForced bool `json:"not_forced,omitempty"`
}
