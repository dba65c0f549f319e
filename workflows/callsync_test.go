package workflows

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"
)

func TestCallSync(t *testing.T) {
	t.Parallel()
	const m, s, h = time.Minute, time.Second, time.Hour
	for _, c := range []struct {
		name    string
		begin   time.Duration
		crms    map[string][]step
		signals []sent
		// want are the attempts, as "time connection", in order.
		want   []string
		timers int
		closed time.Duration
		// bulk is how many of the attempts are backfill.
		bulk int
	}{
		{
			name:    "complete at once needs no timer",
			signals: []sent{{0, sig(1, complete, lanes(lane("A"), lane("B"))), false}},
			want:    []string{"0s A", "0s B"},
		},
		{
			name:    "complete later ends the wait",
			signals: []sent{{0, sig(1), false}, {3 * m, sig(2, complete), false}},
			want:    []string{"3m0s A"},
			timers:  1,
			closed:  3 * m,
		},
		{
			name:    "recording never",
			signals: []sent{{0, sig(1), false}},
			want:    []string{"20m0s A"},
			timers:  1,
			closed:  20 * m,
		},
		{
			name:    "recording at 19:59",
			signals: []sent{{0, sig(1), false}, {19*m + 59*s, sig(2, complete), false}},
			want:    []string{"19m59s A"},
			timers:  1,
			closed:  19*m + 59*s,
		},
		{
			name:    "recording at 20:01 starts a short run of its own",
			begin:   20*m + s,
			signals: []sent{{20*m + s, sig(2, complete), false}},
			want:    []string{"20m1s A"},
			closed:  20*m + s,
		},
		{
			name:    "incomplete update long after the close waits only the quiet period",
			begin:   48 * h,
			signals: []sent{{48 * h, sig(7), false}},
			want:    []string{"48h0m5s A"},
			timers:  1,
			closed:  48*h + 5*s,
		},
		{
			name:    "swept long after the change waits for nothing",
			begin:   48 * h,
			signals: []sent{{48 * h, sig(7, func(s *CallSignal) { s.ChangedAt = epoch.Add(24 * h) }), false}},
			want:    []string{"48h0m0s A"},
			closed:  48 * h,
		},
		{
			name:    "two signals in one task",
			signals: []sent{{0, sig(1), true}, {0, sig(2, complete), false}},
			want:    []string{"0s A"},
		},
		{
			name:    "the signal in the task in which the timer fires is not lost",
			signals: []sent{{0, sig(1), false}, {20 * m, sig(2), false}},
			want:    []string{"20m0s A", "20m5s A"},
			timers:  2,
			closed:  20*m + 5*s,
		},
		{
			name:    "a change shortly before the window's end is given its quiet period",
			signals: []sent{{0, sig(1), false}, {19*m + 58*s, sig(2), false}},
			want:    []string{"20m3s A"},
			timers:  2,
			closed:  20*m + 3*s,
		},
		{
			name:    "update during the delivery makes a second one after the quiet period",
			crms:    map[string][]step{"A": {{takes: 10 * s}}},
			signals: []sent{{0, sig(1, complete), false}, {4 * s, sig(2, complete), false}, {9 * s, sig(3, complete), false}},
			want:    []string{"0s A", "14s A"},
			timers:  1,
			closed:  24 * s,
		},
		{
			name:    "the signal in the task in which the delivery ends is not lost",
			crms:    map[string][]step{"A": {{takes: 10 * s}}},
			signals: []sent{{0, sig(1, complete), false}, {4 * s, sig(2, complete), true}},
			want:    []string{"0s A", "10s A"},
			closed:  20 * s,
		},
		{
			name:    "one lane down while the other works",
			crms:    map[string][]step{"A": {{err: down(h)}, {err: down(h)}, {}}},
			signals: []sent{{0, sig(1, complete, lanes(lane("A"), lane("B"))), false}, {30 * m, sig(2, complete, lanes(lane("A"), lane("B"))), false}},
			// The real activity delivers the newest revision it finds; this fake only what it was asked for, so it is asked
			// again.
			want:   []string{"0s A", "0s B", "30m5s B", "1h0m0s A", "2h0m0s A", "2h0m0s A"},
			timers: 1,
			closed: 2 * h,
		},
		{
			name: "reordered and repeated signals",
			signals: []sent{
				{0, sig(3), false}, {s, sig(1, complete), false}, {2 * s, sig(3), false}, {3 * s, sig(2), false}, {10 * m, sig(1, lanes(lane("B"))), false},
			},
			want:   []string{"20m0s A"},
			timers: 1,
			closed: 20 * m,
		},
		{
			name:    "early writes after the quiet period and patches",
			signals: []sent{{0, sig(1, lanes(early("A"))), false}, {3 * m, sig(2, complete, lanes(early("A"))), false}},
			want:    []string{"5s A"},
			timers:  1,
			closed:  5 * s,
		},
		{
			name: "early beside complete",
			signals: []sent{
				{0, sig(1, lanes(early("A"), lane("B"))), false}, {3 * m, sig(2, complete, lanes(early("A"), lane("B"))), false},
			},
			want:   []string{"5s A", "3m0s B", "3m5s A"},
			timers: 3,
			closed: 3*m + 5*s,
		},
		{
			name:    "a window of the connection's own",
			signals: []sent{{0, sig(1, lanes(windowOf("A", 5*m), lane("B"), windowOf("C", 0))), false}},
			want:    []string{"5s C", "5m0s A", "20m0s B"},
			timers:  3,
			closed:  20 * m,
		},
		{
			name:    "stale is delivered at once",
			begin:   4 * h,
			signals: []sent{{4 * h, sig(1, stale), false}},
			want:    []string{"4h0m0s A"},
			closed:  4 * h,
		},
		{
			name:    "force ends the wait",
			signals: []sent{{0, sig(1), false}, {m, sig(1, force(60_000)), false}},
			want:    []string{"1m0s A"},
			timers:  1,
			closed:  m,
		},
		{
			name:    "force that was overtaken by a newer revision still counts",
			signals: []sent{{0, sig(2), false}, {m, sig(1, force(60_000)), false}},
			want:    []string{"1m0s A"},
			timers:  1,
			closed:  m,
		},
		{
			name:    "the same force delivers once",
			crms:    map[string][]step{"A": {{takes: s}}},
			signals: []sent{{0, sig(1, force(1)), false}, {100 * time.Millisecond, sig(1, force(1)), false}, {200 * time.Millisecond, sig(1), false}},
			want:    []string{"0s A"},
			closed:  s,
		},
		{
			name:    "force breaks off a retry that is far away",
			crms:    map[string][]step{"A": {{err: down(12 * h)}, {}}},
			signals: []sent{{0, sig(1, complete), false}, {m, sig(1, complete, force(60_000)), false}},
			want:    []string{"0s A", "1m0s A"},
			closed:  m,
		},
		{
			name: "two lanes forced one after the other, while no worker was there",
			signals: []sent{{0, sig(1, lanes(lane("A"), lane("B"))), false},
				{m, sig(1, force(60_000), lanes(lane("A"), notForced("B"))), true}, {m, sig(1, force(60_001), lanes(notForced("A"), lane("B"))), false}},
			want:   []string{"1m0s A", "1m0s B"},
			timers: 1,
			closed: m,
		},
		{
			name: "two lanes forced in the same millisecond",
			signals: []sent{{0, sig(1, lanes(lane("A"), lane("B"))), false},
				{m, sig(1, force(60_000), lanes(lane("A"), notForced("B"))), false}, {m, sig(1, force(60_000), lanes(notForced("A"), lane("B"))), false}},
			want:   []string{"1m0s A", "1m0s B"},
			timers: 1,
			closed: m,
		},
		{
			name:    "a resync goes by the queue of backfill",
			signals: []sent{{0, sig(1, complete, force(60_000), bulk), false}},
			want:    []string{"0s A"},
			bulk:    1,
		},
		{
			name:    "a change while a resync waits for the CRM goes before backfill",
			crms:    map[string][]step{"A": {{err: down(h)}, {}}},
			signals: []sent{{0, sig(1, complete, force(60_000), bulk), false}, {h, sig(2, complete), false}},
			want:    []string{"0s A", "1h0m0s A", "1h0m5s A"},
			timers:  1,
			closed:  h + 5*s,
			bulk:    2,
		},
		{
			name:    "force for one lane leaves the other to its time",
			signals: []sent{{0, sig(1, lanes(lane("A"), lane("B"))), false}, {m, sig(1, force(60_000), lanes(lane("A"), notForced("B"))), false}},
			want:    []string{"1m0s A", "20m0s B"},
			timers:  1,
			closed:  20 * m,
		},
		{
			name:    "force for one lane does not break off the other's delivery",
			crms:    map[string][]step{"B": {{err: down(12 * h)}, {}}},
			signals: []sent{{0, sig(1, complete, lanes(lane("A"), lane("B"))), false}, {m, sig(1, complete, force(60_000), lanes(lane("A"), notForced("B"))), false}},
			want:    []string{"0s A", "0s B", "1m0s A", "12h0m0s B"},
			closed:  12 * h,
		},
		{
			name:    "a lane that was added while waiting",
			signals: []sent{{0, sig(1), false}, {m, sig(1, lanes(lane("A"), windowOf("B", 2*m))), false}},
			want:    []string{"2m0s B", "20m0s A"},
			timers:  3,
			closed:  20 * m,
		},
		{
			name:    "a lane that was added after a force keeps to its policy",
			crms:    map[string][]step{"A": {{takes: m}}},
			signals: []sent{{0, sig(1, force(1)), false}, {s, sig(2, lanes(lane("A"), windowOf("B", 2*m))), false}},
			want:    []string{"0s A", "2m0s B", "20m0s A"},
			timers:  2,
			closed:  21 * m,
		},
		{
			name:    "a lane that was removed while waiting",
			signals: []sent{{0, sig(1, lanes(lane("A"), lane("B"))), false}, {m, sig(2, lanes(lane("B"))), false}},
			want:    []string{"20m0s B"},
			timers:  1,
			closed:  20 * m,
		},
		{
			name:    "all lanes removed",
			signals: []sent{{0, sig(1), false}, {m, sig(2, lanes()), false}},
			timers:  1,
			closed:  m,
		},
		{
			name:    "an activity that fails for good closes its lane, and only for this revision",
			crms:    map[string][]step{"A": {{err: refused()}, {}}, "B": {{takes: 30 * s}}},
			signals: []sent{{0, sig(1, complete, lanes(lane("A"), lane("B"))), false}, {10 * s, sig(2, complete, lanes(lane("A"), lane("B"))), false}},
			want:    []string{"0s A", "0s B", "15s A", "30s B"},
			timers:  1,
			closed:  m,
		},
		{
			name:    "an activity that fails for three days is given up",
			crms:    map[string][]step{"A": {{err: down(20 * h)}}},
			signals: []sent{{0, sig(1, complete), false}},
			want:    []string{"0s A", "20h0m0s A", "40h0m0s A", "60h0m0s A"},
			closed:  60 * h,
		},
		{
			name:    "times ahead of the clock do not prolong the wait",
			signals: []sent{{0, sig(1, func(s *CallSignal) { s.WindowBase, s.ChangedAt = epoch.Add(900*h), epoch.Add(900*h) }), false}},
			want:    []string{"20m0s A"},
			timers:  1,
			closed:  20 * m,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c.begin, c.crms)
			r.run(c.signals...)
			require.NoError(t, r.env.GetWorkflowError())
			require.ElementsMatch(t, c.want, r.attempts)
			require.Equal(t, c.bulk, r.bulk)
			require.Empty(t, r.misplaced)
			require.Equal(t, c.timers, r.timers, "timers")
			require.Equal(t, c.closed, r.closedAt(), "closed at")
			require.Zero(t, r.overlaps)
		})
	}
}

// A burst of changes after the window makes one write, and one that does not end is written now and then: at 50 seconds
// the run closes, and the next change starts another.
func TestBurst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		every time.Duration
		want  []string
	}{
		{100 * time.Millisecond, []string{"1h0m9.9s A"}},
		{4 * time.Second, []string{"1h0m50s A"}},
	} {
		t.Run(c.every.String(), func(t *testing.T) {
			t.Parallel()
			var signals []sent
			for i := range 50 {
				signals = append(signals, sent{time.Hour + time.Duration(i)*c.every, sig(int64(i + 10)), false})
			}
			r := newRig(t, time.Hour, nil)
			r.run(signals...)
			require.NoError(t, r.env.GetWorkflowError())
			require.Equal(t, c.want, r.attempts)
			require.Less(t, r.timers, 70)
		})
	}
}

func TestNothingToDo(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0, nil)
	r.env.ExecuteWorkflow(CallSync, CallInput{WorkspaceID: "w", SourceID: "s", CallID: "c"})
	require.NoError(t, r.env.GetWorkflowError())
	require.Empty(t, r.attempts)
	require.Zero(t, r.timers)
}

// A run whose history has grown long hands over what it knows: the wait goes on, and what is settled stays settled.
func TestContinueAsNew(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0, map[string][]step{"B": {{err: down(time.Hour)}}})
	r.env.RegisterDelayedCallback(func() { r.env.SetContinueAsNewSuggested(true) }, time.Minute)
	r.run(
		sent{0, sig(1, lanes(early("A"), early("B"), lane("C"))), false},
		sent{time.Minute, sig(1, lanes(early("A"), early("B"), lane("C"))), false},
	)
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, r.env.GetWorkflowError(), &next)
	require.Equal(t, CallSyncName, next.WorkflowType.Name)
	require.Equal(t, []string{"5s A", "5s B"}, r.attempts)

	var in CallInput
	require.NoError(t, payloads(next.Input, &in))
	require.Equal(t, []LaneProgress{{"A", 1, 0, 0}, {"B", unsettled, 0, 0}, {"C", unsettled, 0, 0}}, in.Progress.Lanes)

	r = newRig(t, time.Minute, nil)
	r.env.ExecuteWorkflow(CallSync, in)
	require.NoError(t, r.env.GetWorkflowError())
	require.Equal(t, []string{"1m5s B", "20m0s C"}, r.attempts)
}

// An operator who cancels a run gets a run that ends, whatever it was doing.
func TestCancel(t *testing.T) {
	t.Parallel()
	for i, s := range []CallSignal{sig(1), sig(1, complete)} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 0, map[string][]step{"A": {{err: down(time.Hour)}}})
			r.env.RegisterDelayedCallback(r.env.CancelWorkflow, time.Minute)
			r.run(sent{0, s, false})
			require.True(t, r.env.IsWorkflowCompleted())
			require.ErrorContains(t, r.env.GetWorkflowError(), "canceled")
			require.Equal(t, time.Minute, r.closedAt())
		})
	}
}
