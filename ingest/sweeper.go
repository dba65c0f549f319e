package ingest

import (
	"context"
	"time"

	"github.com/callsync/callsync/records"
)

// Sweeper repairs from what the rows say, not from what happened: a call that should have been delivered by now and was
// not is signalled again, whatever became of its workflow, and a live call of which nothing more was heard is closed.
// Several at once are safe.
type Sweeper struct{ relay *Relay }

// NewSweeper makes a sweeper that signals like relay, with its options.
func NewSweeper(relay *Relay) *Sweeper { return &Sweeper{relay: relay} }

// Run sweeps until ctx ends.
func (s *Sweeper) Run(ctx context.Context) {
	s.relay.loop(ctx, "sweep", nil, func(ctx context.Context) (bool, error) {
		more, err := s.Sweep(ctx)
		if err == nil && !more {
			wait(ctx, nil, s.relay.opts.Sweep)
		}
		return more, err
	})
}

// Sweep is one round; more tells that it should be followed by another at once.
func (s *Sweeper) Sweep(ctx context.Context) (more bool, err error) {
	r := s.relay
	stale, err := r.store.CloseStale(ctx, claimCalls)
	if err != nil {
		return false, err
	}
	if stale > 0 {
		r.metrics.swept.WithLabelValues("stale").Add(float64(stale))
		r.log.Info("live calls went stale and are delivered as they are", "calls", stale)
		poke(r.changes)
	}
	due, err := r.store.DueChecks(ctx, claimCalls, r.opts.Grace)
	if err != nil {
		return false, err
	}
	more = stale == claimCalls || len(due) >= claimCalls
	unsettled := make([]records.PendingCall, 0, len(due))
	for _, c := range due {
		if !c.Settled {
			unsettled = append(unsettled, c)
		}
	}
	if len(unsettled) == 0 {
		return more, nil
	}
	r.metrics.swept.WithLabelValues("unsettled").Add(float64(len(unsettled)))
	failed, err := r.tell(ctx, unsettled, telling{repair: true})
	if len(failed) > 0 {
		// Not the calls' fault: the next look is soon.
		if err := r.store.ReturnChecks(context.WithoutCancel(ctx), failed, 30*time.Second); err != nil {
			r.log.Warn("calls to check could not be put back", "calls", len(failed), "error", err)
		}
	}
	return more, err
}
