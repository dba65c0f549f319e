package call

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at makes the n-th event to arrive.
func at(n int, k Kind, f Facts, asserted ...Field) Event {
	return Event{
		ReceiptID: fmt.Sprintf("r%04d", n), Kind: k, ReceivedAt: t0.Add(time.Duration(n) * time.Minute),
		ProviderID: "CAL1", Facts: f, Asserted: asserted,
	}
}

func ptr[T any](v T) *T { return &v }

var who = Identity{ID: "c1", WorkspaceID: "w1", SourceID: "s1", Provider: "callrail"}

func TestFoldFields(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		events []Event
		check  func(*testing.T, Call)
	}{
		"tag A then B then A ends at A": {
			[]Event{
				at(1, CallEnded, Facts{Status: Answered}),
				at(2, CallUpdated, Facts{Tags: []string{"A"}}, FieldTags),
				at(3, CallUpdated, Facts{Tags: []string{"B"}}, FieldTags),
				at(4, CallUpdated, Facts{Tags: []string{"A"}}, FieldTags),
			},
			func(t *testing.T, c Call) { require.Equal(t, []string{"A"}, c.Tags) },
		},
		"a final report that arrives after an update does not bring back the old tag": {
			[]Event{
				at(1, CallUpdated, Facts{Tags: []string{"new"}, Note: "n"}, FieldTags),
				at(2, CallEnded, Facts{Tags: []string{"old"}, Note: "stale"}),
			},
			func(t *testing.T, c Call) {
				require.Equal(t, []string{"new"}, c.Tags)
				require.Equal(t, "n", c.Note)
			},
		},
		"a cleared note, tags and value stay cleared, also against a late snapshot": {
			[]Event{
				at(1, CallEnded, Facts{Note: "call back", Tags: []string{"x"}, Value: &Money{Amount: "12.50"}}),
				at(2, CallUpdated, Facts{}, FieldNote, FieldTags, FieldValue),
				at(3, CallEnded, Facts{Note: "call back", Tags: []string{"x"}, Value: &Money{Amount: "12.50"}}),
			},
			func(t *testing.T, c Call) {
				require.Empty(t, c.Note)
				require.Nil(t, c.Tags)
				require.Nil(t, c.Value)
			},
		},
		"an update's own snapshot does not clear what it does not name": {
			[]Event{
				at(1, CallEnded, Facts{Note: "keep", Customer: Party{Name: "Ann"}}),
				at(2, CallUpdated, Facts{Tags: []string{"t"}, Customer: Party{City: "Rome"}}, FieldTags),
			},
			func(t *testing.T, c Call) {
				require.Equal(t, "keep", c.Note)
				require.Equal(t, Party{Name: "Ann", City: "Rome"}, c.Customer)
			},
		},
		"the ringing event that arrives last does not undo the final report": {
			[]Event{
				at(1, CallEnded, Facts{Status: Answered, Customer: Party{Name: "Ann"}, DurationSeconds: ptr[int64](30)}),
				at(2, CallRinging, Facts{Status: Ringing, Customer: Party{Name: "WIRELESS CALLER", Number: "+14155550100"}, DurationSeconds: ptr[int64](0)}),
			},
			func(t *testing.T, c Call) {
				require.Equal(t, Ended, c.Phase)
				require.Equal(t, Answered, c.Status)
				require.Equal(t, "Ann", c.Customer.Name)
				require.Equal(t, "+14155550100", c.Customer.Number)
				require.EqualValues(t, 30, *c.DurationSeconds)
			},
		},
		"the source's own time beats arrival where every event of the authority has it": {
			[]Event{
				{ReceiptID: "a", Kind: CallUpdated, ReceivedAt: t0.Add(time.Hour), OccurredAt: t0, Facts: Facts{Note: "first"}, Asserted: []Field{FieldNote}},
				{ReceiptID: "b", Kind: CallUpdated, ReceivedAt: t0, OccurredAt: t0.Add(time.Minute), Facts: Facts{Note: "second"}, Asserted: []Field{FieldNote}},
			},
			func(t *testing.T, c Call) { require.Equal(t, "second", c.Note) },
		},
		"arrival decides where one has no time of its own": {
			[]Event{
				{ReceiptID: "a", Kind: CallEnded, ReceivedAt: t0.Add(2), OccurredAt: t0, Facts: Facts{Note: "first"}},
				{ReceiptID: "b", Kind: CallEnded, ReceivedAt: t0.Add(1), OccurredAt: t0.Add(time.Minute), Facts: Facts{Note: "second"}},
				{ReceiptID: "c", Kind: CallEnded, ReceivedAt: t0, Facts: Facts{Queue: "q"}},
			},
			func(t *testing.T, c Call) { require.Equal(t, "first", c.Note) },
		},
		"same moment: receipt id, then sequence": {
			[]Event{
				{ReceiptID: "b", Seq: 0, Kind: CallEnded, ReceivedAt: t0, Facts: Facts{Note: "b0"}},
				{ReceiptID: "b", Seq: 1, Kind: CallEnded, ReceivedAt: t0, Facts: Facts{Note: "b1"}},
				{ReceiptID: "a", Seq: 9, Kind: CallEnded, ReceivedAt: t0, Facts: Facts{Note: "a9"}},
			},
			func(t *testing.T, c Call) { require.Equal(t, "b1", c.Note) },
		},
		"agents are merged by the strongest name both have": {
			[]Event{
				at(1, CallAgentDialed, Facts{Agents: []Agent{{Number: "+1", Status: AgentDialed}}}),
				at(2, CallAgentDialed, Facts{Agents: []Agent{{Number: "+2", Status: AgentDialed}}}),
				at(3, CallAgentMissed, Facts{Agents: []Agent{{ID: "7", Number: "+1", Status: AgentMissed}}}),
				at(4, CallEnded, Facts{Agents: []Agent{{ID: "9", Email: "Bo@x.test", Number: "+2", Status: AgentAnswered, TalkSeconds: ptr[int64](9)}, {ID: "7", Name: "Al"}}}),
				at(5, CallUpdated, Facts{Agents: []Agent{{Email: "bo@x.test", Name: "Bo"}}}),
			},
			func(t *testing.T, c Call) {
				require.Equal(t, []Agent{
					{ID: "7", Name: "Al", Number: "+1", Status: AgentMissed},
					{ID: "9", Name: "Bo", Email: "bo@x.test", Number: "+2", Status: AgentAnswered, TalkSeconds: ptr[int64](9)},
				}, c.Agents)
			},
		},
		"recordings are merged by id, else URL; a nameless one gives way": {
			[]Event{
				at(1, CallEnded, Facts{Recordings: []Recording{{State: RecordingExpected}}}),
				at(2, RecordingArrived, Facts{Recordings: []Recording{{ID: "1", URL: "https://x/1?k=a", State: RecordingAvailable}}}),
				at(3, RecordingArrived, Facts{Recordings: []Recording{{URL: "https://x/2"}}}),
				at(4, CallUpdated, Facts{Recordings: []Recording{{ID: "1", URL: "https://x/1?k=b", DurationSeconds: ptr[int64](8)}}}),
			},
			func(t *testing.T, c Call) {
				require.Equal(t, []Recording{
					// The event's own recording has more authority than the later snapshot, which may be older than it looks.
					{ID: "1", URL: "https://x/1?k=a", State: RecordingAvailable, DurationSeconds: ptr[int64](8)}, {URL: "https://x/2"},
				}, c.Recordings)
			},
		},
		"an asserted list of recordings says which there are": {
			[]Event{
				at(1, CallEnded, Facts{Recordings: []Recording{{ID: "1", ContentType: "audio/wav"}, {ID: "2"}}}),
				at(2, CallUpdated, Facts{Recordings: []Recording{{ID: "1", URL: "https://x/1"}}}, FieldRecordings),
			},
			func(t *testing.T, c Call) {
				require.Equal(t, []Recording{{ID: "1", URL: "https://x/1", ContentType: "audio/wav"}}, c.Recordings)
			},
		},
		"recordings can be cleared": {
			[]Event{
				at(1, CallEnded, Facts{Recordings: []Recording{{ID: "1"}}}),
				at(2, CallUpdated, Facts{}, FieldRecordings),
			},
			func(t *testing.T, c Call) { require.Empty(t, c.Recordings) },
		},
		"digits accumulate in the order they were pressed": {
			[]Event{
				at(3, CallDTMF, Facts{Digits: []string{"3"}}),
				at(1, CallDTMF, Facts{Digits: []string{"1"}}),
				at(2, CallDTMF, Facts{Digits: []string{"1"}}),
				at(4, CallRouted, Facts{Digits: []string{"9"}}),
			},
			func(t *testing.T, c Call) { require.Equal(t, []string{"1", "1", "3"}, c.Digits) },
		},
		"a final report tells the digits as a whole": {
			[]Event{at(1, CallDTMF, Facts{Digits: []string{"1"}}), at(2, CallEnded, Facts{Digits: []string{"1", "2"}})},
			func(t *testing.T, c Call) { require.Equal(t, []string{"1", "2"}, c.Digits) },
		},
		"lists are replaced as a whole, maps by key": {
			[]Event{
				at(1, CallRinging, Facts{IVRPath: []string{"Main", "Sales"}, Attributes: map[string]any{"a": 1, "b": 1}, Attribution: Attribution{UTM: map[string]string{"source": "g"}, Medium: "cpc"}}),
				at(2, CallEnded, Facts{IVRPath: []string{"Main"}, Attributes: map[string]any{"b": 2}, Scores: map[string]any{"auto": 3}, Attribution: Attribution{UTM: map[string]string{"term": "t"}}}),
				at(3, CallUpdated, Facts{Scores: map[string]any{"manual": 5}}, FieldScores),
			},
			func(t *testing.T, c Call) {
				require.Equal(t, []string{"Main"}, c.IVRPath)
				require.Equal(t, map[string]any{"a": 1, "b": 2}, c.Attributes)
				require.Equal(t, map[string]any{"manual": 5}, c.Scores)
				require.Equal(t, Attribution{Medium: "cpc", UTM: map[string]string{"source": "g", "term": "t"}}, c.Attribution)
			},
		},
		"a disposition is one: the new value does not keep the old one's author": {
			[]Event{
				at(1, DispositionSet, Facts{Disposition: Disposition{Value: "Sold", SubValue: "Gold", SetBy: "Ann", SetAt: t0}}),
				at(2, DispositionSet, Facts{Disposition: Disposition{Value: "Lost"}}),
				at(3, CallEnded, Facts{Disposition: Disposition{Value: "None yet"}}),
			},
			func(t *testing.T, c Call) { require.Equal(t, Disposition{Value: "Lost"}, c.Disposition) },
		},
		"ends and durations are derived from each other": {
			[]Event{at(1, CallEnded, Facts{StartedAt: t0, DurationSeconds: ptr[int64](90)})},
			func(t *testing.T, c Call) { require.Equal(t, t0.Add(90*time.Second), c.EndedAt) },
		},
		"the duration too": {
			[]Event{at(1, CallEnded, Facts{StartedAt: t0, EndedAt: t0.Add(90 * time.Second)})},
			func(t *testing.T, c Call) { require.EqualValues(t, 90, *c.DurationSeconds) },
		},
		"but not from times that do not fit": {
			[]Event{at(1, CallEnded, Facts{StartedAt: t0, EndedAt: t0})},
			func(t *testing.T, c Call) { require.Nil(t, c.DurationSeconds) },
		},
		"nor an end from a duration that cannot be": {
			[]Event{at(1, CallEnded, Facts{StartedAt: t0, DurationSeconds: ptr[int64](1 << 62)})},
			func(t *testing.T, c Call) { require.Zero(t, c.EndedAt) },
		},
		"nor the end of a live call": {
			[]Event{at(1, CallAnswered, Facts{StartedAt: t0, DurationSeconds: ptr[int64](0)})},
			func(t *testing.T, c Call) { require.Zero(t, c.EndedAt) },
		},
		"times come out in UTC, and a year nobody can write is none": {
			[]Event{at(1, CallEnded, Facts{StartedAt: t0.In(time.FixedZone("", 3600)), AnsweredAt: time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200))})},
			func(t *testing.T, c Call) {
				require.Equal(t, t0, c.StartedAt)
				require.Zero(t, c.AnsweredAt)
			},
		},
		"names and outlook": {
			[]Event{
				{ReceiptID: "1", Kind: CallEnded, ReceivedAt: t0.Add(time.Hour), ProviderID: "final", Aliases: []Alias{{"uuid", "2"}, {"uuid", "1"}}, Outlook: map[Artifact]Outlook{ArtifactRecording: Possible, ArtifactDisposition: Never}},
				{ReceiptID: "2", Kind: CallRinging, ReceivedAt: t0.Add(2 * time.Hour), ProviderID: "live", Aliases: []Alias{{"uuid", "1"}, {"conn", "9"}}, Outlook: map[Artifact]Outlook{ArtifactRecording: Announced}},
				{ReceiptID: "3", Kind: CallUpdated, ReceivedAt: t0},
			},
			func(t *testing.T, c Call) {
				require.Equal(t, "final", c.ProviderID)
				require.Equal(t, []Alias{{"conn", "9"}, {"uuid", "1"}, {"uuid", "2"}}, c.Aliases)
				require.Equal(t, map[Artifact]Outlook{ArtifactRecording: Possible, ArtifactDisposition: Never}, c.Outlook)
				require.Equal(t, t0, c.TerminalReceivedAt)
			},
		},
		"an unknown direction does not hide a known one": {
			[]Event{at(1, CallRinging, Facts{Direction: Inbound}), at(2, CallEnded, Facts{Direction: DirectionUnknown})},
			func(t *testing.T, c Call) { require.Equal(t, Inbound, c.Direction) },
		},
		"messages and forms say nothing of a call": {
			[]Event{at(1, MessageReceived, Facts{Note: "x"}), at(2, FormSubmitted, Facts{Note: "y"})},
			func(t *testing.T, c Call) {
				require.Equal(t, Call{ID: "c1", WorkspaceID: "w1", SourceID: "s1", Provider: "callrail", Phase: Live}, c)
			},
		},
		"an unknown assertion asserts nothing": {
			[]Event{at(1, CallUpdated, Facts{Note: "x"}, "nonsense")},
			func(t *testing.T, c Call) { require.Equal(t, "x", c.Note) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Fold(who, tc.events)
			tc.check(t, c)
			for range tc.events {
				tc.events = append(tc.events[1:], tc.events[0])
				require.True(t, SameState(c, Fold(who, tc.events)), "order must not matter")
			}
		})
	}
}

func TestFoldStatus(t *testing.T) {
	t.Parallel()
	ended := func(s Status) Event { return Event{Kind: CallEnded, Facts: Facts{Status: s}} }
	updated := func(s Status) Event { return Event{Kind: CallUpdated, Facts: Facts{Status: s}} }
	ev := func(k Kind, s Status) Event { return Event{Kind: k, Facts: Facts{Status: s}} }
	for name, tc := range map[string]struct {
		want   Status
		events []Event
	}{
		"ringing":                              {Ringing, []Event{ev(CallRinging, "")}},
		"answered while live":                  {InProgress, []Event{ev(CallAnswered, Answered), ev(CallRinging, Ringing)}},
		"an agent's miss is not the call's":    {Ringing, []Event{ev(CallRinging, ""), ev(CallAgentMissed, Missed)}},
		"answered beats a later missed":        {Answered, []Event{ended(Answered), updated(Missed)}},
		"answered beats an asserted missed":    {Answered, []Event{ended(Answered), {Kind: CallUpdated, Facts: Facts{Status: Missed}, Asserted: []Field{FieldStatus}}}},
		"a live answer beats missed":           {Answered, []Event{ev(CallAnswered, Answered), ended(Missed)}},
		"picked up by a menu is not answered":  {Missed, []Event{ev(CallAnswered, InProgress), ended(Missed)}},
		"voicemail beats missed":               {Voicemail, []Event{ended(Voicemail), updated(Missed)}},
		"voicemail or answered: the later":     {Voicemail, []Event{ended(Answered), updated(Voicemail)}},
		"voicemail or abandoned: the later":    {Abandoned, []Event{ended(Voicemail), updated(Abandoned), updated(Missed)}},
		"no circle":                            {Voicemail, []Event{updated(Missed), ended(Abandoned), updated(Voicemail)}},
		"otherwise the later":                  {Abandoned, []Event{ended(Missed), updated(Abandoned)}},
		"unknown beats nothing":                {Missed, []Event{ended(Missed), updated(StatusUnknown)}},
		"ended calls do not ring":              {StatusUnknown, []Event{ev(CallRinging, Ringing), ended("")}},
		"nor go on":                            {Answered, []Event{ev(CallAnswered, InProgress), ended("")}},
		"what is said to be unknown stays so":  {StatusUnknown, []Event{ev(CallAnswered, InProgress), ended(StatusUnknown)}},
		"a live status never beats a final":    {Missed, []Event{ended(Missed), ev(CallAnswered, InProgress), ev(CallRinging, Ringing)}},
		"a disposition alone ends a live call": {Answered, []Event{ev(CallAnswered, ""), ev(DispositionSet, "")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range tc.events {
				tc.events[i].ReceiptID, tc.events[i].ReceivedAt = fmt.Sprint(i), t0.Add(time.Duration(i)*time.Second)
			}
			require.Equal(t, tc.want, Fold(who, tc.events).Status)
		})
	}
}

func TestSameStateAfterStorage(t *testing.T) {
	t.Parallel()
	c := Fold(who, manyEvents())
	doc, err := json.Marshal(c)
	require.NoError(t, err)
	var back Call
	require.NoError(t, json.Unmarshal(doc, &back))
	back.Outlook, back.TerminalReceivedAt = c.Outlook, c.TerminalReceivedAt
	back.Revision = 17
	require.True(t, SameState(c, back))
	back.Note += "!"
	require.False(t, SameState(c, back))
}

func TestSameStateNumbers(t *testing.T) {
	t.Parallel()
	with := func(v any) Call { return Call{Facts: Facts{Attributes: map[string]any{"v": v}}} }
	require.True(t, SameState(with(5), with(json.Number("5"))))
	require.True(t, SameState(with(json.Number("5.0")), with(5.0)))
	require.False(t, SameState(with(json.Number("9007199254740993")), with(json.Number("9007199254740992"))))
	require.False(t, SameState(with("5"), with(5)))
	require.False(t, SameState(with(nil), with(5)))
	require.False(t, SameState(with([]any{1}), with([]any{1, 2})))
	require.True(t, SameState(with(map[string]any{"a": nil}), with(map[string]any{"a": nil})))
	require.True(t, SameState(Call{Facts: Facts{Tags: []string{}}}, Call{}))
}

// manyEvents is a call as a talkative phone system tells it.
func manyEvents() []Event {
	return []Event{
		at(1, CallRinging, Facts{Direction: Inbound, Status: Ringing, Customer: Party{Number: "+14155550100", City: "Rome"}, BusinessNumber: "+14155550101", StartedAt: t0, FirstCall: ptr(true)}),
		at(2, CallDTMF, Facts{Digits: []string{"1"}}),
		at(3, CallRouted, Facts{IVRPath: []string{"Main", "Sales"}, Queue: "Sales"}),
		at(4, CallAgentDialed, Facts{Agents: []Agent{{ID: "1", Name: "Al", Status: AgentDialed}}}),
		at(5, CallAnswered, Facts{Agents: []Agent{{ID: "2", Name: "Bo", Status: AgentAnswered}}, AnsweredAt: t0.Add(9 * time.Second)}),
		at(6, CallEnded, Facts{Status: Answered, DurationSeconds: ptr[int64](90), Tags: []string{"a"}, Note: "n", Attributes: map[string]any{"k": "v", "n": 5}, Recordings: []Recording{{ID: "1", State: RecordingExpected}}}),
		at(7, RecordingArrived, Facts{Recordings: []Recording{{ID: "1", URL: "https://x/1", State: RecordingAvailable}}}),
		at(8, CallUpdated, Facts{Tags: []string{"b"}, Value: &Money{Amount: "5", Currency: "USD"}}, FieldTags, FieldValue),
	}
}

func BenchmarkFold(b *testing.B) {
	events := manyEvents()
	b.ReportAllocs()
	for b.Loop() {
		Fold(who, events)
	}
}
