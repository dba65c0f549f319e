package call

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var kinds = []Kind{
	CallRinging, CallRouted, CallAnswered, CallDTMF, CallAgentDialed, CallAgentMissed, CallPulled, CallEnded, CallEnded, CallUpdated,
	CallUpdated, CallUpdated, DispositionSet, RecordingArrived, MessageReceived, "call.invented",
}

func genText() *rapid.Generator[string] { return rapid.SampledFrom([]string{"", "", "a", "b", "c"}) }

func genTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "none") {
			return time.Time{}
		}
		zone := time.FixedZone("", 3600*rapid.IntRange(-12, 12).Draw(t, "zone"))
		return t0.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "s")) * time.Second).In(zone)
	})
}

func genSeconds() *rapid.Generator[*int64] {
	return rapid.SampledFrom([]*int64{nil, nil, ptr[int64](0), ptr[int64](7), ptr[int64](-1), ptr[int64](1 << 62)})
}

func genFacts() *rapid.Generator[Facts] {
	return rapid.Custom(func(t *rapid.T) Facts {
		word := func(label string) string { return genText().Draw(t, label) }
		words := func(label string) []string { return rapid.SliceOfN(genText(), 0, 2).Draw(t, label) }
		table := func(label string) map[string]any {
			return rapid.MapOfN(genText(), rapid.Map(genText(), func(s string) any { return s }), 0, 2).Draw(t, label)
		}
		f := Facts{
			Direction: rapid.SampledFrom([]Direction{"", Inbound, Outbound, DirectionUnknown}).Draw(t, "direction"),
			Status:    rapid.SampledFrom([]Status{"", "", Ringing, InProgress, Answered, Missed, Voicemail, Abandoned, StatusUnknown}).Draw(t, "status"),
			Customer:  Party{Number: word("number"), Name: word("name")},
			StartedAt: genTime().Draw(t, "started"), EndedAt: genTime().Draw(t, "ended"),
			DurationSeconds: genSeconds().Draw(t, "duration"),
			Note:            word("note"), Tags: words("tags"), Digits: words("digits"), IVRPath: words("ivr"),
			Attributes: table("attributes"), Scores: table("scores"),
			Disposition: Disposition{Value: word("disposition"), SetBy: word("by"), SetAt: genTime().Draw(t, "set")},
		}
		for range rapid.IntRange(0, 2).Draw(t, "agents") {
			f.Agents = append(f.Agents, Agent{ID: word("id"), Email: word("email"), Number: word("agent number"), Name: word("agent name"), Status: AgentStatus(word("leg"))})
		}
		for range rapid.IntRange(0, 2).Draw(t, "recordings") {
			f.Recordings = append(f.Recordings, Recording{ID: word("rid"), URL: word("url"), State: RecordingState(word("state"))})
		}
		return f
	})
}

func genEvents() *rapid.Generator[[]Event] {
	fields := slices.Sorted(maps.Keys(assertions))
	return rapid.Custom(func(t *rapid.T) []Event {
		events := make([]Event, rapid.IntRange(0, 8).Draw(t, "n"))
		for i := range events {
			events[i] = Event{
				ReceiptID: fmt.Sprint(i / 2), Seq: i % 2,
				Kind:       rapid.SampledFrom(kinds).Draw(t, "kind"),
				ReceivedAt: t0.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "received")) * time.Second),
				OccurredAt: genTime().Draw(t, "occurred"),
				ProviderID: genText().Draw(t, "provider id"),
				Aliases:    []Alias{{Kind: genText().Draw(t, "alias"), Value: genText().Draw(t, "value")}},
				Facts:      genFacts().Draw(t, "facts"),
				Asserted:   rapid.SliceOfN(rapid.SampledFrom(fields), 0, 3).Draw(t, "asserted"),
				Outlook:    map[Artifact]Outlook{rapid.SampledFrom(artifacts[:]).Draw(t, "artifact"): rapid.SampledFrom([]Outlook{Announced, Possible, Never}).Draw(t, "outlook")},
			}
		}
		return events
	})
}

// foldLaws are what must hold of every set of events.
func foldLaws(t *rapid.T) {
	events := genEvents().Draw(t, "events")
	before := fmt.Sprintf("%+v", events)
	c := Fold(who, events)

	require.True(t, reflect.DeepEqual(c, Fold(who, events)), "the same twice")
	shuffled := rapid.Permutation(events).Draw(t, "order")
	require.True(t, reflect.DeepEqual(c, Fold(who, shuffled)), "any order")
	if len(events) > 0 {
		again := append(slices.Clone(shuffled), rapid.SliceOfN(rapid.SampledFrom(events), 0, 5).Draw(t, "again")...)
		require.True(t, reflect.DeepEqual(c, Fold(who, again)), "any repetition")
		require.True(t, SameState(c, Fold(who, again)))
	}
	require.Equal(t, before, fmt.Sprintf("%+v", events), "events are not changed")

	// One event more never takes back that the call ended or was answered.
	var prior Call
	for i := range shuffled {
		next := Fold(who, shuffled[:i+1])
		if i > 0 && prior.Phase == Ended {
			require.Equal(t, Ended, next.Phase)
			require.False(t, next.TerminalReceivedAt.After(prior.TerminalReceivedAt))
			if prior.Status == Answered && next.Status != Answered {
				// Answered by a machine is what a later report may find out; that nobody answered it may not.
				require.Contains(t, []Status{Voicemail, statusWithoutWord(shuffled[:i+1])}, next.Status)
			}
		}
		prior = next
	}
	if c.Phase == Ended {
		require.True(t, c.Status.Terminal() || c.Status == StatusUnknown, c.Status)
		require.False(t, c.TerminalReceivedAt.IsZero())
		require.False(t, WindowBase(c).After(c.TerminalReceivedAt))
	} else {
		require.False(t, c.Status.Terminal(), c.Status)
		require.True(t, WindowBase(c).IsZero())
	}
	for _, m := range []time.Time{c.StartedAt, c.EndedAt, c.Disposition.SetAt} {
		require.Equal(t, time.UTC, m.Location())
	}
	completenessLaws(t, c)
}

// statusWithoutWord is the status of an ended call that was only picked up: no event says "answered" in so many words,
// so any word that comes later is better.
func statusWithoutWord(events []Event) Status {
	for _, e := range events {
		if authority(e.Kind) != nothing && e.Facts.Status == Answered {
			return Answered
		}
	}
	return Fold(who, events).Status
}

func completenessLaws(t *rapid.T, c Call) {
	want := Expectations{Recording: rapid.Bool().Draw(t, "rec"), Transcription: rapid.Bool().Draw(t, "tr"), Disposition: rapid.Bool().Draw(t, "disp")}
	deadline := t0.Add(time.Minute)
	early, late := Completeness(c, want, deadline, t0), Completeness(c, want, deadline, deadline)
	require.Len(t, early, 4)
	waiting := c.Phase != Ended
	for a, s := range early {
		waiting = waiting || s.State == Expected
		require.NotEqual(t, Overdue, s.State)
		if s.State == Expected && c.Phase == Ended {
			require.Equal(t, Overdue, late[a].State)
			require.Equal(t, deadline, late[a].Deadline)
		} else {
			require.Equal(t, s, late[a])
			require.Zero(t, s.Deadline)
		}
	}
	require.Equal(t, !waiting, Complete(c, want))
}

func TestFoldLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, foldLaws)
}

func FuzzFold(f *testing.F) { f.Fuzz(rapid.MakeFuzz(foldLaws)) }

// Every member of Facts can be asserted by its JSON name, and asserting it takes its value as it is.
func TestEveryFieldCanBeAsserted(t *testing.T) {
	t.Parallel()
	var walk func(typ reflect.Type, prefix string)
	seen := map[Field]bool{}
	walk = func(typ reflect.Type, prefix string) {
		for i := range typ.NumField() {
			name := prefix + strings.Split(typ.Field(i).Tag.Get("json"), ",")[0]
			require.True(t, Field(name).Known(), name)
			seen[Field(name)] = true
			if ft := typ.Field(i).Type; ft.Kind() == reflect.Struct && ft != timeType && prefix == "" {
				walk(ft, name+".")
			}
		}
	}
	walk(reflect.TypeFor[Facts](), "")
	for name := range assertions {
		require.True(t, seen[name], "no member is called %s", name)
	}
	require.False(t, Field("nonsense").Known())

	full := fullFacts()
	for name := range assertions {
		if name == FieldStatus { // never empty: see statuses
			continue
		}
		cleared := Fold(who, []Event{at(1, CallEnded, full), at(2, CallUpdated, Facts{}, name)})
		kept := Fold(who, []Event{at(1, CallEnded, full)})
		require.False(t, SameState(kept, cleared), "asserting an empty %s clears it", name)
		set := Fold(who, []Event{at(1, CallEnded, Facts{}), at(2, CallUpdated, full, name)})
		require.True(t, sameFacts(kept, set), "asserting a full %s sets it", name)
	}
}

func sameFacts(a, b Call) bool { return SameState(Call{Facts: a.Facts}, Call{Facts: b.Facts}) }

// fullFacts states every member.
func fullFacts() Facts {
	var f Facts
	fill(reflect.ValueOf(&f).Elem())
	f.Status = Answered
	f.EndedAt = t0.Add(-time.Hour) // before the start: nothing can be derived
	return f
}

func fill(v reflect.Value) {
	switch {
	case v.Type() == timeType:
		v.Set(reflect.ValueOf(t0))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k").Convert(v.Type().Key()), reflect.ValueOf("v").Convert(v.Type().Elem()))
	case v.Kind() == reflect.String:
		v.SetString("x")
	case v.CanInt():
		v.SetInt(3)
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	}
}

// Every member counts for SameState, and none is shared between a call and the events it came from.
func TestSameStateSeesEveryMember(t *testing.T) {
	t.Parallel()
	var full Call
	fill(reflect.ValueOf(&full).Elem())
	full.Outlook = map[Artifact]Outlook{ArtifactRecording: Never}
	require.True(t, SameState(full, full))
	typ := reflect.TypeFor[Call]()
	for i := range typ.NumField() {
		other := full
		reflect.ValueOf(&other).Elem().Field(i).SetZero()
		require.Equal(t, typ.Field(i).Name == "Revision", SameState(full, other), typ.Field(i).Name)
		require.Equal(t, typ.Field(i).Name == "Revision", SameState(other, full), typ.Field(i).Name)
	}
}
