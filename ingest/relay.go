package ingest

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/workflows"
)

// RelayStore is what relay and sweeper need of the store. Its methods are safe beside those of other processes.
type RelayStore interface {
	// ApplyInbox claims up to limit receipts of the inbox and applies them.
	ApplyInbox(ctx context.Context, limit int, how records.Applier) (records.Applied, error)
	// ApplyReceipt applies one receipt of the inbox.
	ApplyReceipt(ctx context.Context, id string, how records.Applier) (records.Applied, error)
	// Requeue puts a stored receipt into the inbox again; records.ErrNotFound.
	Requeue(ctx context.Context, workspaceID, receiptID string) error
	InboxDepth(ctx context.Context) (int64, time.Time, error)
	// RecordFields keeps sightings of fields that providers do not know.
	RecordFields(ctx context.Context, all []records.FieldSighting) error

	ClaimUnsignalled(ctx context.Context, limit int, lease time.Duration) ([]records.PendingCall, error)
	// PendingCall reads an ended call; records.ErrNotFound.
	PendingCall(ctx context.Context, workspaceID, callID string) (records.PendingCall, error)
	EnsureLanes(ctx context.Context, lanes []records.LaneKey) ([]string, error)
	FinishSignals(ctx context.Context, all []records.Signalled) error
	ReleaseSignals(ctx context.Context, callIDs []string, wait time.Duration) error
	// CloseFollowUps closes the follow-ups that ended calls answer, and returns how many.
	CloseFollowUps(ctx context.Context, callIDs []string) (int, error)

	DueChecks(ctx context.Context, limit int, pause time.Duration) ([]records.PendingCall, error)
	ReturnChecks(ctx context.Context, callIDs []string, wait time.Duration) error
	CloseStale(ctx context.Context, limit int) (int, error)
}

// Signaller tells the workflow of a call how far the call is, starting it where it does not run.
type Signaller interface {
	SignalCall(ctx context.Context, in workflows.CallInput, s workflows.CallSignal) error
}

// RelayOptions tune relay and sweeper. Zero members mean the defaults.
type RelayOptions struct {
	// Appliers is how many batches are applied side by side; 1. Batch is the receipts of one; 200.
	Appliers int
	Batch    int
	// Poll is how often receipts and changes of other processes are looked for; 200 ms.
	Poll time.Duration
	// Pace is the least time between two batches, so that small ones do not eat the processor; 20 ms.
	Pace time.Duration
	// Signals is how many signals are under way at one moment; 32. SignalTimeout bounds one; 10 s.
	Signals       int
	SignalTimeout time.Duration
	// Grace is how long after the moment a call should have been delivered the sweeper looks at it, and, doubling up to
	// an hour, how long it then waits before it looks again; 2 min.
	Grace time.Duration
	// Sweep is how often the sweeper looks; 10 s.
	Sweep time.Duration
	// Busy tells that work that can wait should leave room (Batcher.Busy); nil means never.
	Busy func() bool
}

// Relay brings receipts to calls and calls to workflows.
type Relay struct {
	store   RelayStore
	dir     *Directory
	to      Signaller
	opts    RelayOptions
	metrics *Metrics
	log     *slog.Logger
	now     func() time.Time

	receipts, changes chan struct{}
}

// NewRelay makes a relay; Run starts it.
func NewRelay(store RelayStore, dir *Directory, to Signaller, opts RelayOptions, m *Metrics, log *slog.Logger) *Relay {
	def(&opts.Appliers, 1)
	def(&opts.Batch, 200)
	def(&opts.Poll, 200*time.Millisecond)
	def(&opts.Pace, 20*time.Millisecond)
	def(&opts.Signals, 32)
	def(&opts.SignalTimeout, 10*time.Second)
	def(&opts.Grace, 2*time.Minute)
	def(&opts.Sweep, 10*time.Second)
	if opts.Busy == nil {
		opts.Busy = func() bool { return false }
	}
	return &Relay{
		store: store, dir: dir, to: to, opts: opts, metrics: m, log: log, now: time.Now,
		receipts: make(chan struct{}, 1), changes: make(chan struct{}, 1),
	}
}

// Wake says that receipts have been stored. It never blocks.
func (r *Relay) Wake() { poke(r.receipts) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run applies and signals until ctx ends; what is under way then is finished or rolled back.
func (r *Relay) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for range r.opts.Appliers {
		wg.Go(func() { r.loop(ctx, "apply receipts", r.receipts, r.applyRound) })
	}
	wg.Go(func() { r.loop(ctx, "signal workflows", r.changes, r.signalRound) })
	wg.Go(func() { r.watch(ctx) })
	wg.Wait()
}

// loop runs rounds: at once while a round says that there is more, else when woken or after the poll time; after a
// failure later each time.
func (r *Relay) loop(ctx context.Context, doing string, wake <-chan struct{}, round func(context.Context) (more bool, err error)) {
	failures := 0
	for ctx.Err() == nil {
		start := time.Now()
		more, err := round(ctx)
		took := time.Since(start)
		var pause time.Duration
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			pause = backoff(failures)
			r.log.Error("the relay could not "+doing, "failures", failures, "retry_in", pause, "error", err)
			wake := (<-chan struct{})(nil)
			if !wait(ctx, wake, pause) {
				return
			}
			continue
		case r.opts.Busy():
			// The receiver has a burst: half of the time is its.
			pause = max(took, r.opts.Pace)
		case !more:
			if !wait(ctx, wake, r.opts.Poll) {
				return
			}
			pause = r.opts.Pace
		}
		failures = 0
		if pause > 0 && !wait(ctx, nil, pause) {
			return
		}
	}
}

// backoff is up to 10 s, with jitter, so that several processes do not come back together.
func backoff(failures int) time.Duration {
	d := min(100*time.Millisecond<<min(failures, 10), 10*time.Second)
	return d/2 + rand.N(d/2)
}

// wait returns when woken or after d; false if ctx ended.
func wait(ctx context.Context, wake <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-t.C:
	}
	return true
}

func (r *Relay) applyRound(ctx context.Context) (more bool, err error) {
	start := time.Now()
	done, err := r.store.ApplyInbox(ctx, r.opts.Batch, r.dir.applier(ctx))
	r.count(done)
	if err != nil {
		return false, err
	}
	if done.Claimed > 0 {
		r.metrics.applySeconds.Observe(time.Since(start).Seconds())
	}
	r.recordFields(ctx)
	return done.Claimed >= r.opts.Batch, nil
}

// recordFields tells the store of unknown fields. Receipts are more important: they do not wait for it when it fails.
func (r *Relay) recordFields(ctx context.Context) {
	if err := r.dir.drift.flush(ctx, r.store); err != nil && ctx.Err() == nil {
		r.log.Warn("the relay could not record unknown fields; it tries again", "error", err)
	}
}

func (r *Relay) count(done records.Applied) {
	for _, a := range done.Receipts {
		state := a.State
		if state == records.ReceiptApplied && !a.Changed {
			state = "unchanged"
		}
		r.metrics.applied.WithLabelValues(state).Inc()
	}
	if done.Unsignalled {
		poke(r.changes)
	}
}

// Replay applies a stored receipt again, after a key or a decoder was put right, and returns what became of it. Its
// events are replaced, which heals the call. records.ErrNotFound if the workspace has no such receipt.
func (r *Relay) Replay(ctx context.Context, workspaceID, receiptID string) (records.AppliedReceipt, error) {
	if err := r.store.Requeue(ctx, workspaceID, receiptID); err != nil {
		return records.AppliedReceipt{}, err
	}
	done, err := r.store.ApplyReceipt(ctx, receiptID, r.dir.applier(ctx))
	r.count(done)
	if err != nil {
		return records.AppliedReceipt{}, err
	}
	r.recordFields(ctx)
	if len(done.Receipts) == 0 {
		// Another process was faster, or it stays in the inbox for later.
		return records.AppliedReceipt{ID: receiptID, State: records.ReceiptPending}, nil
	}
	return done.Receipts[0], nil
}

// watch measures the inbox.
func (r *Relay) watch(ctx context.Context) {
	for {
		if n, oldest, err := r.store.InboxDepth(ctx); err == nil {
			r.metrics.inboxDepth.Set(float64(n))
			age := 0.0
			if !oldest.IsZero() {
				age = max(0, r.now().Sub(oldest).Seconds())
			}
			r.metrics.inboxAge.Set(age)
		}
		if !wait(ctx, nil, 5*time.Second) {
			return
		}
	}
}
