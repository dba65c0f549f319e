package call

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCompleteness(t *testing.T) {
	t.Parallel()
	all := Expectations{Recording: true, Transcription: true, Disposition: true}
	url := []Recording{{URL: "https://x/1"}}
	for name, tc := range map[string]struct {
		call                                    Call
		want                                    Expectations
		recording, transcription, outcome, rest ArtifactState
		complete                                bool
	}{
		"answered, all awaited": {
			call: Call{Phase: Ended, Facts: Facts{Status: Answered}}, want: all,
			recording: Expected, transcription: Expected, outcome: Expected, rest: NotExpected,
		},
		"answered, nothing awaited": {
			call:      Call{Phase: Ended, Facts: Facts{Status: Answered}},
			recording: NotExpected, transcription: NotExpected, outcome: NotExpected, rest: NotExpected, complete: true,
		},
		"all there": {
			call: Call{Phase: Ended, Facts: Facts{Status: Voicemail, Recordings: url, Transcription: Transcription{Text: "hi"}, Disposition: Disposition{Value: "Sold"}, Note: "n"}}, want: all,
			recording: Arrived, transcription: Arrived, outcome: Arrived, rest: Arrived, complete: true,
		},
		"missed: nobody talked": {
			call: Call{Phase: Ended, Facts: Facts{Status: Missed}}, want: Expectations{Recording: true, Transcription: true},
			recording: NotExpected, transcription: NotExpected, outcome: NotExpected, rest: NotExpected, complete: true,
		},
		"missed calls have outcomes too": {
			call: Call{Phase: Ended, Facts: Facts{Status: Missed}}, want: all,
			recording: NotExpected, transcription: NotExpected, outcome: Expected, rest: NotExpected,
		},
		"a duration of zero leaves nothing to record": {
			call: Call{Phase: Ended, Facts: Facts{Status: Answered, DurationSeconds: ptr[int64](0)}}, want: Expectations{Recording: true},
			recording: NotExpected, transcription: NotExpected, outcome: NotExpected, rest: NotExpected, complete: true,
		},
		"announced though not configured": {
			call:      Call{Phase: Ended, Facts: Facts{Status: Answered}, Outlook: map[Artifact]Outlook{ArtifactRecording: Announced, ArtifactDisposition: Announced}},
			recording: Expected, transcription: NotExpected, outcome: Expected, rest: NotExpected,
		},
		"cannot come though configured": {
			call: Call{Phase: Ended, Facts: Facts{Status: Answered}, Outlook: map[Artifact]Outlook{ArtifactRecording: Never, ArtifactTranscription: Never, ArtifactDisposition: Never}}, want: all,
			recording: NotExpected, transcription: NotExpected, outcome: NotExpected, rest: NotExpected, complete: true,
		},
		"what came though it could not": {
			call:      Call{Phase: Ended, Facts: Facts{Status: Missed, Recordings: url}, Outlook: map[Artifact]Outlook{ArtifactRecording: Never}},
			recording: Arrived, transcription: NotExpected, outcome: NotExpected, rest: NotExpected, complete: true,
		},
		"failed recording, unavailable transcription": {
			call: Call{Phase: Ended, Facts: Facts{Status: Answered, Recordings: []Recording{{ID: "1", State: RecordingFailed}}, Transcription: Transcription{State: "unavailable"}}}, want: all,
			recording: NotExpected, transcription: NotExpected, outcome: Expected, rest: NotExpected,
		},
		"an announced file is not a file": {
			call: Call{Phase: Ended, Facts: Facts{Status: Answered, Recordings: []Recording{{ID: "1", State: RecordingExpected}}}}, want: all,
			recording: Expected, transcription: Expected, outcome: Expected, rest: NotExpected,
		},
		"a second file that failed does not matter": {
			call:      Call{Phase: Ended, Facts: Facts{Status: Answered, Recordings: []Recording{{ID: "1"}, {ID: "2", State: RecordingFailed}}}},
			recording: Arrived, transcription: NotExpected, outcome: NotExpected, rest: NotExpected, complete: true,
		},
		"live": {
			call: Call{Phase: Live, Facts: Facts{Status: Ringing, Tags: []string{"vip"}}}, want: Expectations{Recording: true},
			recording: Expected, transcription: NotExpected, outcome: NotExpected, rest: Arrived,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deadline := t0.Add(20 * time.Minute)
			state := func(s ArtifactState) ArtifactStatus {
				if s == Expected && tc.call.Phase == Ended {
					return ArtifactStatus{State: s, Deadline: deadline}
				}
				return ArtifactStatus{State: s}
			}
			require.Equal(t, map[Artifact]ArtifactStatus{
				ArtifactRecording: state(tc.recording), ArtifactTranscription: state(tc.transcription),
				ArtifactDisposition: state(tc.outcome), ArtifactDetails: state(tc.rest),
			}, Completeness(tc.call, tc.want, deadline, deadline.Add(-time.Nanosecond)))
			require.Equal(t, tc.complete, Complete(tc.call, tc.want))
		})
	}
}

func TestOverdueFromTheDeadlineOn(t *testing.T) {
	t.Parallel()
	c, want := Call{Phase: Ended, Facts: Facts{Status: Answered}}, Expectations{Recording: true}
	state := func(deadline, now time.Time) ArtifactState {
		return Completeness(c, want, deadline, now)[ArtifactRecording].State
	}
	require.Equal(t, Expected, state(t0, t0.Add(-1)))
	require.Equal(t, Overdue, state(t0, t0))
	require.Equal(t, Expected, state(time.Time{}, t0))
	require.False(t, Complete(c, want), "being overdue does not make a call complete")
}

func TestWindowBase(t *testing.T) {
	t.Parallel()
	require.Equal(t, t0, WindowBase(Call{Phase: Ended, Facts: Facts{EndedAt: t0}, TerminalReceivedAt: t0.Add(1)}))
	require.Equal(t, t0, WindowBase(Call{Phase: Ended, Facts: Facts{EndedAt: t0.Add(1)}, TerminalReceivedAt: t0}), "a source's clock may be ahead")
	require.Equal(t, t0, WindowBase(Call{Phase: Ended, TerminalReceivedAt: t0}))
	require.Zero(t, WindowBase(Call{Phase: Live, Facts: Facts{EndedAt: t0}}))
}
