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

// Completeness tells what became of each artifact of c at now, given the deadline until which c waits. A zero deadline is
// none: nothing is overdue then.
func Completeness(c Call, want Expectations, deadline, now time.Time) map[Artifact]ArtifactStatus {
	out := make(map[Artifact]ArtifactStatus, len(artifacts))
	for _, a := range artifacts {
		s := ArtifactStatus{State: stateOf(&c, a, want)}
		if s.State == Expected && c.Phase == Ended {
			s.Deadline = deadline
			if !deadline.IsZero() && !now.Before(deadline) {
				s.State = Overdue
			}
		}
		out[a] = s
	}
	return out
}

// Complete tells whether nothing that is expected of c is missing, so that waiting longer is pointless. It does not
// depend on time. A live call is never complete.
func Complete(c Call, want Expectations) bool {
	if c.Phase != Ended {
		return false
	}
	for _, a := range artifacts {
		if stateOf(&c, a, want) == Expected {
			return false
		}
	}
	return true
}

// WindowBase is the moment from which c's window is counted: the earlier of its end, by the source's clock, and the
// arrival of the first receipt that said so. Zero while the call is live.
func WindowBase(c Call) time.Time {
	switch {
	case c.Phase != Ended:
		return time.Time{}
	case c.EndedAt.IsZero():
		return c.TerminalReceivedAt
	case c.TerminalReceivedAt.IsZero() || c.EndedAt.Before(c.TerminalReceivedAt):
		return c.EndedAt
	}
	return c.TerminalReceivedAt
}

var artifacts = [...]Artifact{ArtifactRecording, ArtifactTranscription, ArtifactDisposition, ArtifactDetails}

// stateOf is Expected for what is missing and still awaited, whatever the time.
func stateOf(c *Call, a Artifact, want Expectations) ArtifactState {
	arrived, ruledOut, wanted, needsTalk := false, false, false, false
	switch a {
	case ArtifactRecording:
		arrived, ruledOut = recordingState(c.Recordings)
		wanted, needsTalk = want.Recording, true
	case ArtifactTranscription:
		t := c.Transcription
		ruledOut = t.State == string(RecordingUnavailable) || t.State == string(RecordingFailed)
		arrived = t.Text != "" || t.URL != ""
		wanted, needsTalk = want.Transcription, true
	case ArtifactDisposition:
		arrived, wanted = c.Disposition != (Disposition{}), want.Disposition
	case ArtifactDetails:
		// Tags and notes are what people add or do not add: nobody can wait for them.
		arrived, ruledOut = len(c.Tags) > 0 || c.Note != "" || c.Value != nil || len(c.Scores) > 0, true
	}
	switch {
	case arrived:
		return Arrived
	case ruledOut || c.Outlook[a] == Never:
		return NotExpected
	case c.Phase == Ended && needsTalk && !talked(c):
		return NotExpected
	case wanted || c.Outlook[a] == Announced:
		return Expected
	}
	return NotExpected
}

// talked tells whether there was anything to record.
func talked(c *Call) bool {
	return c.Status.Talked() && (c.DurationSeconds == nil || *c.DurationSeconds != 0)
}

// recordingState tells whether one of all can be fetched and, if none can, whether all are known never to come.
func recordingState(all []Recording) (arrived, ruledOut bool) {
	ruledOut = len(all) > 0
	for _, r := range all {
		switch r.State {
		case RecordingFailed, RecordingUnavailable:
		case RecordingExpected:
			ruledOut = false
		default:
			arrived = arrived || !r.placeholder()
			ruledOut = false
		}
	}
	return arrived, ruledOut
}
