package telephonytest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// checkFold checks what holds of the events of one receipt whatever they say: folding them again gives the same, a receipt
// that is applied twice and one that comes again change nothing, and the order they are stored in does not matter.
func checkFold(t testing.TB, events []call.Event) {
	t.Helper()
	if len(events) == 0 {
		return
	}
	arrivedAs := func(receipt string, later time.Duration) []call.Event {
		out := slices.Clone(events)
		for i := range out {
			out[i].ReceiptID, out[i].ReceivedAt = receipt, arrived.Add(later)
		}
		return out
	}
	once := arrivedAs("a", 0)
	twice := append(slices.Clone(once), once...)
	again := append(slices.Clone(once), arrivedAs("b", time.Minute)...)
	turned := slices.Clone(again)
	slices.Reverse(turned)
	switch e := events[0]; {
	case e.Message != nil:
		want := call.FoldMessage(once)
		for _, list := range [][]call.Event{once, twice, again, turned} {
			require.True(t, call.Same(want, call.FoldMessage(list)), "a repeated message is the same message")
		}
	case e.Form != nil:
		want := call.FoldForm(once)
		for _, list := range [][]call.Event{once, twice, again, turned} {
			require.True(t, call.Same(want, call.FoldForm(list)), "a repeated form is the same form")
		}
	default:
		who := call.Identity{ID: "c", WorkspaceID: "w", SourceID: "s", Provider: "p"}
		want := call.Fold(who, once)
		require.True(t, call.SameState(want, call.Fold(who, once)), "folding is deterministic")
		require.True(t, call.SameState(want, call.Fold(who, twice)), "a receipt that is applied twice changes nothing")
		repeated, back := call.Fold(who, again), call.Fold(who, turned)
		require.True(t, call.SameState(repeated, back), "the order of events does not matter")
		// A digit that is pressed again is another digit, and a live call that is told of again is told of later.
		if !slices.ContainsFunc(events, func(e call.Event) bool { return e.Kind == call.CallDTMF }) {
			repeated.Live, want.Live = call.LivePicture{}, call.LivePicture{}
			if !call.SameState(want, repeated) {
				require.Equal(t, string(mustJSON(want)), string(mustJSON(repeated)), "a repeated webhook changes nothing")
				t.Fatal("a repeated webhook changes something")
			}
		}
		checkSane(t, want)
	}
}

// checkSane checks that a call has no time that no call has.
func checkSane(t testing.TB, c call.Call) {
	t.Helper()
	sane := func(name string, at time.Time) {
		require.True(t, at.IsZero() || at.Year() > 1970 && at.Year() <= 2201, "%s is %s", name, at)
	}
	sane("started_at", c.StartedAt)
	sane("answered_at", c.AnsweredAt)
	sane("ended_at", c.EndedAt)
	sane("disposition.set_at", c.Disposition.SetAt)
	for i, a := range c.Agents {
		sane(fmt.Sprintf("agents[%d].answered_at", i), a.AnsweredAt)
		sane(fmt.Sprintf("agents[%d].ended_at", i), a.EndedAt)
	}
	for name, n := range map[string]*int64{"duration": c.DurationSeconds, "ring": c.RingSeconds, "talk": c.TalkSeconds, "hold": c.HoldSeconds} {
		require.True(t, n == nil || *n >= 0, "%s is negative", name)
	}
}

// core is what must not depend on the order in which the webhooks of a call arrive.
func core(c call.Call) string {
	return string(mustJSON(map[string]any{
		"phase": c.Phase, "status": c.Status, "direction": c.Direction, "customer": c.Customer, "business": c.BusinessNumber,
		"started": c.StartedAt, "answered": c.AnsweredAt, "ended": c.EndedAt, "duration": c.DurationSeconds, "talk": c.TalkSeconds,
		"recordings": c.Recordings, "disposition": c.Disposition, "campaign": c.Campaign, "outlook": c.Outlook,
	}))
}

// checkOrders lets the samples of each story arrive in every order.
func checkOrders(t *testing.T, p telephony.Provider) {
	sampler, ok := p.(telephony.Sampler)
	if !ok {
		t.Skip("the provider has no samples")
	}
	info, s, seen := p.Info(), Settings(p), map[telephony.Story]bool{}
	for _, trigger := range info.Triggers {
		if seen[trigger.Story] {
			continue
		}
		seen[trigger.Story] = true
		var events []call.Event
		for _, part := range info.StoryOf(trigger.Story) {
			r, err := sampler.Sample(part.Event, arrived, s)
			require.NoError(t, err)
			for _, e := range decode(t, p, r, s).Events {
				if e.Message == nil && e.Form == nil {
					events = append(events, e)
				}
			}
		}
		checkArrivals(t, events)
	}
}

// checkArrivals lets the events of one call arrive in other orders: the call is the same in the end. What the phone system
// has ruled out must not come either.
func checkArrivals(t testing.TB, events []call.Event) {
	t.Helper()
	at := func(order []int) call.Call {
		list := make([]call.Event, len(events))
		for place, i := range order {
			list[place] = events[i]
			list[place].ReceiptID, list[place].ReceivedAt = fmt.Sprintf("r%03d", place), arrived.Add(time.Duration(place)*time.Second)
		}
		return call.Fold(call.Identity{ID: "c"}, list)
	}
	order := make([]int, len(events))
	for i := range order {
		order[i] = i
	}
	want := core(at(order))
	for n := range 40 {
		shuffled := slices.Clone(order)
		for i := len(shuffled) - 1; i > 0; i-- {
			j := (n*7919 + i*104729 + n*n*31) % (i + 1)
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		}
		require.Equal(t, want, core(at(shuffled)), "order %v", shuffled)
	}
	never := map[call.Artifact]call.Kind{}
	for _, e := range events {
		for _, a := range artifacts(e.Facts) {
			require.Empty(t, never[a], "%s brings the %s that was ruled out before", e.Kind, a)
		}
		for a, o := range e.Outlook {
			if o == call.Never {
				never[a] = e.Kind
			}
		}
	}
}

// artifacts are those that facts bring.
func artifacts(x call.Facts) []call.Artifact {
	var out []call.Artifact
	if slices.ContainsFunc(x.Recordings, func(r call.Recording) bool { return r.URL != "" }) {
		out = append(out, call.ArtifactRecording)
	}
	if x.Transcription.Text != "" || x.Transcription.URL != "" {
		out = append(out, call.ArtifactTranscription)
	}
	if x.Disposition != (call.Disposition{}) {
		out = append(out, call.ArtifactDisposition)
	}
	if len(x.Tags) > 0 || x.Note != "" || x.Value != nil || len(x.Scores) > 0 {
		out = append(out, call.ArtifactDetails)
	}
	return out
}
