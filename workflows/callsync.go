package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/callsync/callsync/activities"
)

// Bounds of a run. They are part of its history: changing one needs workflow.GetVersion.
const (
	// Retries of a delivery back off from retryInitial to retryMax, unless the activity names its own delay; they end
	// by time (activities.DeliverDeadline), not by number.
	retryInitial = 2 * time.Second
	retryMax     = 15 * time.Minute
	// maxQuiets bounds the quiet period: a call that never stops changing is written once in maxQuiets quiet periods.
	maxQuiets = 10
	// unsettled is the settled revision of a lane that this run has not delivered yet. Revisions start at 0 or above.
	unsettled = -1
)

// CallSync waits until a call is ready for each of its lanes and has it delivered there; text messages and forms have runs
// of their own, which wait for nothing. One run lives from a change of
// the call until every lane has settled it; a change after that starts a new, short run with the same id. It ends without
// an error unless it is cancelled: what a delivery could not do is recorded in its row, not here.
//
// A call that arrives complete costs one signal-with-start, one workflow task, one activity per lane and one closing
// task; a call that waits costs one timer more, whatever the number of its lanes and signals.
func CallSync(ctx workflow.Context, in CallInput) error {
	r := &callRun{in: in, signals: workflow.GetSignalChannel(ctx, SignalCall)}
	r.setup(ctx)
	return r.run(ctx)
}

// callRun is the state of one run. All of it is derived from the input and the signals.
type callRun struct {
	in      CallInput
	signals workflow.ReceiveChannel
	// latest is the signal that counts; it means nothing until known.
	latest CallSignal
	known  bool
	// lanes are in the order in which signals first named them. None is ever removed, so that a connection that leaves
	// and returns is not delivered twice.
	lanes []*laneRun
	timer timer
}

// laneRun is how far the run has got with one lane.
type laneRun struct {
	Lane
	// wanted says that the latest signal names the lane.
	wanted bool
	// settled is the highest revision that a delivery has settled or given up.
	settled int64
	// force is the highest Force that any signal asked of the lane, so that a request to deliver now survives a signal
	// that overtook it, or one for other lanes; forced is the highest that a delivery served.
	force, forced int64
	// behindSince is when the lane fell behind the latest signal; zero while it is not.
	behindSince time.Time
	// flight is the delivery under way, nil while there is none.
	flight *flight
}

// flight is one delivery under way.
type flight struct {
	done            workflow.Future
	recall          workflow.CancelFunc
	recalled        bool
	revision, force int64
}

// timer is the run's only one.
type timer struct {
	fires  workflow.Future
	at     time.Time
	cancel workflow.CancelFunc
	// fired is the time of the last one that fired; what was due then is due now, even if the clock reads less.
	fired time.Time
}

func (r *callRun) setup(ctx workflow.Context) {
	p := r.in.Progress
	if p == nil {
		return
	}
	for _, l := range p.Lanes {
		r.lanes = append(r.lanes, &laneRun{Lane: Lane{ConnectionID: l.ConnectionID}, settled: l.Settled, force: l.Force, forced: l.Forced})
	}
	r.accept(ctx, p.Signal)
}

func (r *callRun) run(ctx workflow.Context) error {
	for {
		// Nothing between this drain and a return lets other code run, so no signal can slip in unseen: one that reaches
		// the server meanwhile makes it refuse the completion and send another task.
		r.drain(ctx)
		if ctx.Err() != nil {
			// Cancelled by an operator: the deliveries under way were recalled with ctx and are waited for.
			if !r.flying() {
				return ctx.Err()
			}
			r.wait(ctx)
			continue
		}
		long := workflow.GetInfo(ctx).GetContinueAsNewSuggested()
		next, pending := r.next()
		switch {
		case !pending && !r.flying():
			return nil
		case long && !r.flying():
			return workflow.NewContinueAsNewError(ctx, CallSync, r.handOver())
		case long:
			// A lane that fails for days while signals pour in would outgrow the history's limits: its retries are
			// broken off here and go on in the next run.
			r.recallAll()
		case pending && !next.After(r.now(ctx)):
			r.startDue(ctx)
			continue
		case pending:
			r.arm(ctx, next)
		}
		r.wait(ctx)
	}
}

// drain takes every signal there is, without yielding.
func (r *callRun) drain(ctx workflow.Context) {
	for {
		var s CallSignal
		if !r.signals.ReceiveAsync(&s) {
			return
		}
		r.accept(ctx, s)
	}
}

// accept makes s the signal that counts, unless it is older than the one that does.
func (r *callRun) accept(ctx workflow.Context, s CallSignal) {
	if s.Force > 0 {
		for _, named := range s.Lanes {
			if !named.NotForced {
				l := r.lane(named.ConnectionID)
				l.force = max(l.force, s.Force)
			}
		}
		r.recallUnforced()
	}
	if r.known && (s.Revision < r.latest.Revision || s.Revision == r.latest.Revision && s.Force < r.latest.Force) {
		return
	}
	// Times of the signal come from other clocks, the phone system's among them. One that lies ahead would prolong the
	// wait, so it counts as now.
	now := workflow.Now(ctx)
	if s.WindowBase.IsZero() && r.known {
		s.WindowBase = r.latest.WindowBase
	}
	if s.WindowBase.IsZero() || s.WindowBase.After(now) {
		s.WindowBase = now
	}
	if s.ChangedAt.After(now) {
		s.ChangedAt = now
	}
	r.latest, r.known = s, true
	for _, l := range r.lanes {
		l.wanted = false
	}
	for _, named := range s.Lanes {
		l := r.lane(named.ConnectionID)
		l.Lane, l.wanted = named, true
		if l.behindSince.IsZero() && l.settled < s.Revision {
			l.behindSince = now
		}
	}
}

// lane returns the state of a connection's lane and makes it if need be.
func (r *callRun) lane(connectionID string) *laneRun {
	for _, l := range r.lanes {
		if l.ConnectionID == connectionID {
			return l
		}
	}
	l := &laneRun{Lane: Lane{ConnectionID: connectionID}, settled: unsettled}
	r.lanes = append(r.lanes, l)
	return l
}

// readyAt tells when l is to be delivered; the zero time is at once. It is false where there is nothing to deliver or
// a delivery is under way.
func (r *callRun) readyAt(l *laneRun) (time.Time, bool) {
	s := r.latest
	switch {
	case !l.wanted || l.flight != nil:
		return time.Time{}, false
	case l.forced < l.force:
		return time.Time{}, true
	case l.settled >= s.Revision:
		return time.Time{}, false
	case l.settled == unsettled && (s.Complete || s.Stale):
		return time.Time{}, true
	}
	from := l.behindSince
	if !s.Complete && !s.Stale && l.Policy != Early {
		from = later(from, s.WindowBase.Add(l.Window))
	}
	// A burst of changes makes one write: quiet is counted from the last of them, within reason.
	return later(from, earlier(s.ChangedAt.Add(s.Quiet), from.Add(maxQuiets*s.Quiet))), true
}

// next is the earliest readyAt of all lanes; false if none has one.
func (r *callRun) next() (time.Time, bool) {
	var next time.Time
	pending := false
	for _, l := range r.lanes {
		at, ok := r.readyAt(l)
		if ok && (!pending || at.Before(next)) {
			next, pending = at, true
		}
	}
	return next, pending
}

// startDue starts the delivery of every lane that is ready. Each has its own retries, so that none waits for another.
func (r *callRun) startDue(ctx workflow.Context) {
	now := r.now(ctx)
	for _, l := range r.lanes {
		if at, ok := r.readyAt(l); ok && !at.After(now) {
			r.start(ctx, l)
		}
	}
}

func (r *callRun) start(ctx workflow.Context, l *laneRun) {
	ctx, recall := workflow.WithCancel(ctx)
	bulk := r.latest.Bulk && l.forced < l.force
	queue := ConnectorQueue(l.Connector)
	if bulk {
		queue = BulkQueue(l.Connector)
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              queue,
		StartToCloseTimeout:    activities.DeliverTimeout,
		HeartbeatTimeout:       activities.HeartbeatTimeout,
		ScheduleToCloseTimeout: activities.DeliverDeadline,
		// A recalled delivery counts as under way until the server says that no attempt is: never two at once.
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    retryInitial,
			BackoffCoefficient: 2,
			MaximumInterval:    retryMax,
		},
		// One connection's backlog must not delay another's on the queue they share.
		Priority: temporal.Priority{FairnessKey: l.ConnectionID},
	})
	var a *activities.Delivery
	l.flight = &flight{
		done: workflow.ExecuteActivity(ctx, a.Deliver, activities.DeliverInput{
			Kind:         r.in.Kind,
			WorkspaceID:  r.in.WorkspaceID,
			CallID:       r.in.CallID,
			ConnectionID: l.ConnectionID,
			Revision:     r.latest.Revision,
			Force:        l.forced < l.force,
			Bulk:         bulk,
		}),
		recall:   recall,
		revision: r.latest.Revision,
		force:    l.force,
	}
}

// land takes note of a delivery that ended.
func (r *callRun) land(ctx workflow.Context, l *laneRun) {
	f := l.flight
	l.flight = nil
	var out activities.DeliverResult
	err := f.done.Get(ctx, &out)
	switch {
	case err == nil:
		l.settled = max(l.settled, f.revision, out.Revision)
		l.forced = max(l.forced, f.force)
	case f.recalled || temporal.IsCanceledError(err):
		// Broken off before it came to an end: it is due again, forced or in the next run. An attempt that was running may
		// report that as a failure of its own.
	default:
		// The activity has parked the delivery before it gave up, or the sweeper will find it unsettled. Retrying here
		// would only repeat what 72 hours of retries did not achieve. The error's text is left out: it belongs to the
		// delivery's row, where it is scoped to its workspace.
		workflow.GetLogger(ctx).Error("Delivery given up", "workspace_id", r.in.WorkspaceID, "call_id", r.in.CallID,
			"connection_id", l.ConnectionID, "revision", f.revision, "reason", errorType(err))
		l.settled = max(l.settled, f.revision)
		l.forced = max(l.forced, f.force)
	}
	l.behindSince = time.Time{}
	if l.settled < r.latest.Revision {
		l.behindSince = workflow.Now(ctx)
	}
}

// recallUnforced breaks off deliveries that a newer Force has overtaken: whoever asked for one now need not wait until a
// back-off ends. An attempt that is running ends by itself or hears of it from its heartbeat; the next one starts after it.
func (r *callRun) recallUnforced() {
	for _, l := range r.lanes {
		if l.flight != nil && l.flight.force < l.force {
			l.flight.recallOnce()
		}
	}
}

func (r *callRun) recallAll() {
	for _, l := range r.lanes {
		if l.flight != nil {
			l.flight.recallOnce()
		}
	}
}

func (f *flight) recallOnce() {
	if !f.recalled {
		f.recalled = true
		f.recall()
	}
}

// arm sees to it that the timer fires at at or before. One that fires before is cheaper than one that is replaced at
// every signal: when it fires the run looks again.
func (r *callRun) arm(ctx workflow.Context, at time.Time) {
	if r.timer.fires != nil {
		if !at.Before(r.timer.at) {
			return
		}
		r.timer.cancel()
	}
	ctx, r.timer.cancel = workflow.WithCancel(ctx)
	r.timer.at = at
	r.timer.fires = workflow.NewTimer(ctx, at.Sub(workflow.Now(ctx)))
}

// wait yields until a signal came, a delivery ended or the timer fired.
func (r *callRun) wait(ctx workflow.Context) {
	s := workflow.NewSelector(ctx)
	s.AddReceive(r.signals, func(workflow.ReceiveChannel, bool) {}) // The loop drains it.
	for _, l := range r.lanes {
		if l.flight != nil {
			s.AddFuture(l.flight.done, func(workflow.Future) { r.land(ctx, l) })
		}
	}
	if r.timer.fires != nil {
		s.AddFuture(r.timer.fires, func(f workflow.Future) {
			if f.Get(ctx, nil) == nil {
				r.timer.fired = r.timer.at
			}
			r.timer.fires = nil
		})
	}
	s.Select(ctx)
}

// now is the later of the clock and the time for which the timer was set: a server whose clock is a little behind must
// not make the run arm one tiny timer after another.
func (r *callRun) now(ctx workflow.Context) time.Time {
	return later(workflow.Now(ctx), r.timer.fired)
}

func (r *callRun) flying() bool {
	for _, l := range r.lanes {
		if l.flight != nil {
			return true
		}
	}
	return false
}

// handOver is the input of the run that continues this one.
func (r *callRun) handOver() CallInput {
	in := r.in
	in.Progress = &Progress{Signal: r.latest}
	for _, l := range r.lanes {
		in.Progress.Lanes = append(in.Progress.Lanes,
			LaneProgress{ConnectionID: l.ConnectionID, Settled: l.settled, Force: l.force, Forced: l.forced})
	}
	return in
}

// errorType names a failure without its text.
func errorType(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok && app.Type() != "" {
		return app.Type()
	}
	if _, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		return "timeout"
	}
	return "error"
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
