package records

import (
	"time"

	"github.com/callsync/callsync/call"
)

// LiveCall is a call that has not ended, as the live board shows it.
type LiveCall struct {
	ID             string
	SourceID       string
	SourceName     string
	Provider       string
	Direction      call.Direction
	Customer       call.Party
	BusinessNumber string
	Queue          string
	Department     string
	// Live is never without a state and its beginning.
	Live      call.LivePicture
	StartedAt time.Time
}

// ClockSamples is by how much the calls of a source seem to end before their first final report is received, in seconds,
// the latest first. Negative: they seem to end later. Calls that were pulled and test calls are not among them.
type ClockSamples struct {
	SourceID    string
	WorkspaceID string
	Seconds     []int64
	// At is when the latest was taken.
	At time.Time
}
