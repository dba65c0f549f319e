package workflows

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"pgregory.net/rapid"
)

// Whatever the signals' times, order and repetitions and however slow or ill the CRMs: every lane ends with the highest
// revision that was signalled, no lane is delivered twice at a time, and timers stay few.
func TestEveryLaneEndsAtTheHighestRevision(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		crms := map[string][]step{}
		for _, id := range []string{"A", "B", "C"} {
			crms[id] = append(rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
				s := step{takes: seconds(rt, 100)}
				if rapid.IntRange(0, 2).Draw(rt, "fails") == 0 {
					s.err = down(time.Second + seconds(rt, 1200))
				}
				return s
			}), 0, 5).Draw(rt, id), step{takes: time.Second})
		}
		all := []Lane{lane("A"), early("B"), windowOf("C", 3*time.Minute)}
		var signals []sent
		for range rapid.IntRange(1, 12).Draw(rt, "signals") {
			s := sig(int64(rapid.IntRange(1, 8).Draw(rt, "revision")), lanes(all...))
			s.Complete = rapid.IntRange(0, 3).Draw(rt, "complete") == 0
			signals = append(signals, sent{at: seconds(rt, 2400), signal: s})
		}
		slices.SortStableFunc(signals, func(a, b sent) int { return int(a.at - b.at) })
		highest := slices.MaxFunc(signals, func(a, b sent) int { return int(a.signal.Revision - b.signal.Revision) }).signal.Revision

		settled := map[string]int64{}
		for todo := signals; len(todo) > 0; {
			r := newRig(t, todo[0].at, crms)
			r.run(todo...)
			require.NoError(rt, r.env.GetWorkflowError())
			require.Zero(rt, r.overlaps, "two deliveries of one lane at a time")
			received := 0
			// What was sent when the run closed or later starts the next run; a signal at the very moment may have been
			// seen already, and then it is a repetition.
			for received < len(todo) && (todo[received].at < r.closedAt() || received == 0) {
				received++
			}
			require.LessOrEqual(rt, r.timers, 3*len(all)*received, "timers")
			for id, revision := range r.settled {
				settled[id] = max(settled[id], revision)
			}
			todo = todo[received:]
		}
		for _, l := range all {
			require.Equal(rt, highest, settled[l.ConnectionID], l.ConnectionID)
		}
	})
}

func seconds(rt *rapid.T, most int) time.Duration {
	return time.Duration(rapid.IntRange(0, most).Draw(rt, "seconds")) * time.Second
}

// payloads decodes the only argument of a continued run.
func payloads(p *commonpb.Payloads, to any) error {
	return converter.GetDefaultDataConverter().FromPayloads(p, to)
}
