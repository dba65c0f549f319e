package workflows

import (
	"context"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/callsync/callsync/activities"
)

// FollowUpName is the registered name of the workflow, SignalFollowUp that of the signal that carries a FollowUpSignal.
const (
	FollowUpName   = "FollowUp"
	SignalFollowUp = "follow-up"
)

// FollowUpID is the id of the workflow of one follow-up.
func FollowUpID(in FollowUpInput) string {
	return strings.Join([]string{"follow-up", in.WorkspaceID, in.ConnectionID, in.FollowUpID}, "/")
}

// FollowUpInput starts a FollowUp run. All else stands in the follow-up's row.
type FollowUpInput struct {
	WorkspaceID  string `json:"workspace_id"`
	ConnectionID string `json:"connection_id"`
	Connector    string `json:"connector"`
	FollowUpID   string `json:"follow_up_id"`
}

// FollowUpSignal tells the run that the follow-up has changed.
type FollowUpSignal struct {
	Revision int64 `json:"revision"`
	// Force, when it rises, has the CRM asked again at once, even in the middle of a back-off.
	Force int64 `json:"force,omitempty"`
}

// FollowUp waits for what is due with a task, a ticket or a change of a deal, and has it done: when it is made, when it
// changes, when it becomes overdue and when it is escalated. What it is, stands in its row; the run knows a revision and when
// the clock strikes next. It ends when nothing is due any more, and a later change starts a new run.
func FollowUp(ctx workflow.Context, in FollowUpInput) error {
	r := &followUpRun{in: in, signals: workflow.GetSignalChannel(ctx, SignalFollowUp), settled: unsettled}
	for {
		r.drain()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case r.due(ctx):
			if err := r.deliver(ctx); err != nil || r.givenUp {
				return err
			}
		case r.wakeAt.IsZero():
			return nil
		case workflow.GetInfo(ctx).GetContinueAsNewSuggested():
			// A new run asks the row what is due: there is nothing to hand over.
			return workflow.NewContinueAsNewError(ctx, FollowUp, in)
		default:
			r.wait(ctx)
		}
	}
}

// followUpRun is the state of one run.
type followUpRun struct {
	in      FollowUpInput
	signals workflow.ReceiveChannel
	// revision and force are the highest that any signal named; settled and forced what a delivery has served.
	revision, settled int64
	force, forced     int64
	// wakeAt is when the clock strikes next; zero if it does not.
	wakeAt time.Time
	// givenUp tells that a delivery ended without a result: the sweeper will find the row.
	givenUp bool
}

func (r *followUpRun) drain() {
	var s FollowUpSignal
	for r.signals.ReceiveAsync(&s) {
		r.take(s)
	}
}

func (r *followUpRun) take(s FollowUpSignal) {
	r.revision, r.force = max(r.revision, s.Revision), max(r.force, s.Force)
}

func (r *followUpRun) due(ctx workflow.Context) bool {
	return r.settled < r.revision || r.settled == unsettled || r.forced < r.force ||
		!r.wakeAt.IsZero() && !r.wakeAt.After(workflow.Now(ctx))
}

// leastWait is between two looks of a clock that is ahead of the store's.
const leastWait = time.Second

// wait yields until a signal comes or the clock strikes.
func (r *followUpRun) wait(ctx workflow.Context) {
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	workflow.NewSelector(ctx).
		AddReceive(r.signals, func(workflow.ReceiveChannel, bool) {}).
		AddFuture(workflow.NewTimer(timerCtx, r.wakeAt.Sub(workflow.Now(ctx))), func(workflow.Future) {}).
		Select(ctx)
}

// deliver has the follow-up brought up to date. A signal with a newer Force breaks a back-off off; other changes are read by
// the next attempt anyway.
func (r *followUpRun) deliver(ctx workflow.Context) error {
	flightCtx, recall := workflow.WithCancel(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              ConnectorQueue(r.in.Connector),
		StartToCloseTimeout:    activities.DeliverTimeout,
		HeartbeatTimeout:       activities.HeartbeatTimeout,
		ScheduleToCloseTimeout: activities.DeliverDeadline,
		WaitForCancellation:    true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    retryInitial,
			BackoffCoefficient: 2,
			MaximumInterval:    retryMax,
		},
		Priority: temporal.Priority{FairnessKey: r.in.ConnectionID},
	}))
	revision, force := r.revision, r.force
	var a *activities.Delivery
	done := workflow.ExecuteActivity(flightCtx, a.FollowUp, activities.FollowUpInput{WorkspaceID: r.in.WorkspaceID, FollowUpID: r.in.FollowUpID})
	recalled := false
	for !done.IsReady() {
		workflow.NewSelector(ctx).AddFuture(done, func(workflow.Future) {}).AddReceive(r.signals, func(c workflow.ReceiveChannel, _ bool) {
			r.drain()
		}).Select(ctx)
		if r.force > force && !recalled {
			recalled = true
			recall()
		}
	}
	recall()
	var out activities.FollowUpResult
	err := done.Get(ctx, &out)
	switch {
	case err == nil:
		r.settled, r.forced = max(r.settled, revision, out.Revision), max(r.forced, force)
		r.wakeAt = out.WakeAt
		if soonest := workflow.Now(ctx).Add(leastWait); !r.wakeAt.IsZero() && r.wakeAt.Before(soonest) {
			r.wakeAt = soonest
		}
	case ctx.Err() != nil:
		return ctx.Err()
	case recalled:
		// Broken off for the one who asked: it is due again.
	default:
		workflow.GetLogger(ctx).Error("Follow-up given up", "workspace_id", r.in.WorkspaceID, "connection_id", r.in.ConnectionID,
			"follow_up_id", r.in.FollowUpID, "reason", errorType(err))
		r.givenUp = true
	}
	return nil
}

// SignalFollowUp tells the run of a follow-up that it has changed, and starts one if none is open. It may be repeated.
func (s Signaller) SignalFollowUp(ctx context.Context, in FollowUpInput, signal FollowUpSignal) error {
	_, err := s.Client.SignalWithStartWorkflow(ctx, FollowUpID(in), SignalFollowUp, signal, client.StartWorkflowOptions{
		TaskQueue:             TaskQueue,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, FollowUpName, in)
	if err != nil {
		return fmt.Errorf("signal follow-up %s: %w", in.FollowUpID, err)
	}
	return nil
}
