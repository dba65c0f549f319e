package workflows

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/callsync/callsync/activities"
)

// epoch is when the calls of these tests ended; all times below are counted from it.
var epoch = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)

const (
	window = 20 * time.Minute
	quiet  = 5 * time.Second
)

// step is what a scripted CRM does with one attempt: how long it takes, and its failure.
type step struct {
	takes time.Duration
	err   error
}

// sent is a signal at a time.
type sent struct {
	at     time.Duration
	signal CallSignal
	// batched puts it into one workflow task with the next one.
	batched bool
}

// rig runs CallSync in time-skipping time against scripted CRMs and keeps what happened.
type rig struct {
	env    *testsuite.TestWorkflowEnvironment
	begin  time.Duration
	timers int

	mu       sync.Mutex
	attempts []string
	// bulk counts the attempts that are backfill; misplaced are the queues of attempts that were on the wrong one.
	bulk      int
	misplaced []string
	settled   map[string]int64
	flying    map[string]bool
	overlaps  int
}

// newRig makes a run that starts at begin. crms scripts the attempts of each connection; the last step repeats.
func newRig(tb testing.TB, begin time.Duration, crms map[string][]step) *rig {
	tb.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quietLog())
	r := &rig{env: suite.NewTestWorkflowEnvironment(), begin: begin, settled: map[string]int64{}, flying: map[string]bool{}}
	r.env.SetStartTime(epoch.Add(begin))
	r.env.SetTestTimeout(10 * time.Second)
	r.env.SetOnTimerScheduledListener(func(string, time.Duration) { r.timers++ })
	deliver := func(context.Context, activities.DeliverInput) (activities.DeliverResult, error) { panic("scripted") }
	r.env.RegisterActivityWithOptions(deliver, activity.RegisterOptions{Name: "Deliver"})
	for _, id := range []string{"A", "B", "C"} {
		script := crms[id]
		if len(script) == 0 {
			script = []step{{}}
		}
		next := func() (s step) {
			s = script[0]
			if len(script) > 1 {
				script = script[1:]
			}
			return s
		}
		var now step
		r.env.OnActivity("Deliver", mock.Anything, mock.MatchedBy(func(in activities.DeliverInput) bool { return in.ConnectionID == id })).
			AfterFn(func() time.Duration {
				r.mu.Lock()
				defer r.mu.Unlock()
				if r.flying[id] {
					r.overlaps++
				}
				r.flying[id] = true
				now = next()
				r.attempts = append(r.attempts, fmt.Sprintf("%v %s", r.env.Now().Sub(epoch), id))
				return now.takes
			}).
			Return(func(ctx context.Context, in activities.DeliverInput) (activities.DeliverResult, error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.flying[id] = false
				if queue := activity.GetInfo(ctx).TaskQueue; (queue == BulkQueue("crm"+id)) != in.Bulk {
					r.misplaced = append(r.misplaced, queue)
				}
				if in.Bulk {
					r.bulk++
				}
				if now.err != nil {
					return activities.DeliverResult{}, now.err
				}
				r.settled[id] = max(r.settled[id], in.Revision)
				return activities.DeliverResult{Outcome: activities.Done, Revision: in.Revision}, nil
			})
	}
	return r
}

func quietLog() log.Logger { return log.NewStructuredLogger(slog.New(slog.DiscardHandler)) }

// run plays the signals from the first one on. The first one starts the run, as SignalWithStart does.
func (r *rig) run(signals ...sent) {
	for _, s := range signals {
		if s.signal.ChangedAt.IsZero() {
			s.signal.ChangedAt = epoch.Add(s.at)
		}
		r.env.RegisterDelayedCallback(func() {
			if s.batched {
				r.env.SignalWorkflowSkippingWorkflowTask(SignalCall, s.signal)
			} else {
				r.env.SignalWorkflow(SignalCall, s.signal)
			}
		}, s.at-r.begin)
	}
	r.env.RegisterWorkflowWithOptions(afterFirstSignal, workflow.RegisterOptions{Name: "afterFirstSignal"})
	r.env.ExecuteWorkflow("afterFirstSignal", CallInput{WorkspaceID: "w", SourceID: "s", CallID: "c"})
}

// afterFirstSignal is CallSync as SignalWithStart starts it: with the signal there before the first line runs. The test
// environment cannot do that by itself.
func afterFirstSignal(ctx workflow.Context, in CallInput) error {
	signals := workflow.GetSignalChannel(ctx, SignalCall)
	if err := workflow.Await(ctx, func() bool { return signals.Len() > 0 }); err != nil {
		return err
	}
	return CallSync(ctx, in)
}

// closedAt is when the run ended.
func (r *rig) closedAt() time.Duration { return r.env.Now().Sub(epoch) }

// sig makes a signal of a call that ended at epoch, for lane A unless changed.
func sig(revision int64, change ...func(*CallSignal)) CallSignal {
	s := CallSignal{Revision: revision, WindowBase: epoch, Quiet: quiet, Lanes: []Lane{lane("A")}}
	for _, c := range change {
		c(&s)
	}
	return s
}

func lane(id string) Lane {
	return Lane{ConnectionID: id, Connector: "crm" + id, Policy: Complete, Window: window}
}

func complete(s *CallSignal) { s.Complete = true }
func stale(s *CallSignal)    { s.Stale, s.WindowBase = true, time.Time{} }

func bulk(s *CallSignal) { s.Bulk = true }

func force(at int64) func(*CallSignal) { return func(s *CallSignal) { s.Force = at } }

func lanes(all ...Lane) func(*CallSignal) { return func(s *CallSignal) { s.Lanes = all } }

func notForced(id string) Lane {
	l := lane(id)
	l.NotForced = true
	return l
}

func early(id string) Lane {
	l := lane(id)
	l.Policy = Early
	return l
}

func windowOf(id string, d time.Duration) Lane {
	l := lane(id)
	l.Window = d
	return l
}

func down(delay time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("CRM is down", "unavailable", temporal.ApplicationErrorOptions{NextRetryDelay: delay})
}

func refused() error { return temporal.NewNonRetryableApplicationError("invalid", "invalid", nil) }
