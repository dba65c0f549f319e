package call

import "time"

// ArtifactState is what has become of an artifact.
type ArtifactState string

// The states of an artifact.
const (
	Expected    ArtifactState = "expected"
	Arrived     ArtifactState = "arrived"
	Overdue     ArtifactState = "overdue"
	NotExpected ArtifactState = "not_expected"
)

// ArtifactStatus is the state of one artifact and, while it is waited for or was, until when.
type ArtifactStatus struct {
	State    ArtifactState `json:"state"`
	Deadline time.Time     `json:"deadline,omitzero"`
}

// Expectations says which artifacts a source is configured to send for a call somebody talked on. An artifact a provider
// announces is expected whatever this says.
type Expectations struct {
	Recording     bool `json:"recording"`
	Transcription bool `json:"transcription"`
	Disposition   bool `json:"disposition"`
}

// Completeness tells what became of each artifact of c at now, given the deadline until which c waits.
func Completeness(c Call, want Expectations, deadline, now time.Time) map[Artifact]ArtifactStatus {
	panic("being written")
}

// Complete tells whether nothing that is expected of c is missing, so that waiting longer is pointless. It does not
// depend on time.
func Complete(c Call, want Expectations) bool {
	panic("being written")
}

// WindowBase is the moment from which c's window is counted: the earlier of its end, by the source's clock, and the
// arrival of the first receipt that said so. Zero while the call is live.
func WindowBase(c Call) time.Time {
	panic("being written")
}
