// Package recordings brings recordings of calls into the archive, and serves them by permanent links. Recordings that are to
// be copied are rows that any worker takes; how far a copy is stands in its row, so that whoever is killed, another goes on.
package recordings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/blobstore"
	"github.com/callsync/callsync/records"
)

// DefaultMaxBytes is the size of the largest recording that is copied.
const DefaultMaxBytes = 2 << 30

// Store is what the archiver needs of PostgreSQL. Its methods are safe beside those of other processes.
type Store interface {
	// ClaimRecordings takes recordings that are due, perSource of one source at once, for at most lease.
	ClaimRecordings(ctx context.Context, limit, perSource int, lease time.Duration) ([]records.RecordingJob, error)
	RenewRecording(ctx context.Context, workspaceID, id, lease string, d time.Duration) error
	// BeginRecording notes the archive's file of a copy that begins. Errors: records.ErrLeaseLost.
	BeginRecording(ctx context.Context, workspaceID, id, lease, blobKey string) error
	SaveRecordingPart(ctx context.Context, workspaceID, id, lease string, p records.RecordingPart) error
	// FinishRecording records what became of an attempt and gives the claim back. Errors: records.ErrLeaseLost.
	FinishRecording(ctx context.Context, workspaceID, id, lease string, r records.RecordingResult) error
	SourceByID(ctx context.Context, workspaceID, id string) (records.Source, error)
	// ExpireRecordings gives up copies that are too old and returns how many.
	ExpireRecordings(ctx context.Context, limit int) (int, error)
	// DoomedBlobs returns files that were given up longer than after ago; they come again after wait unless forgotten.
	DoomedBlobs(ctx context.Context, limit int, after, wait time.Duration) ([]string, error)
	ForgetBlob(ctx context.Context, key string) error
}

// Archiver copies recordings, and deletes copies whose time is over. Its fields are set before Run.
type Archiver struct {
	Store   Store
	Blobs   blobstore.Store
	Fetcher *Fetcher
	// Withheld says why a recording must not be copied; empty where it may.
	Withheld func(ctx context.Context, workspaceID, sourceID, callID string) (why string, err error)
	// MaxBytes bounds a recording; zero means DefaultMaxBytes.
	MaxBytes int64
	// Concurrency is how many are copied at once; zero means 4. Each takes the memory of one part of the archive.
	Concurrency int
	Metrics     *Metrics
	Log         *slog.Logger
	// Lease is how long a process may be silent before another goes on with its recordings; zero means a minute.
	Lease time.Duration
}

// The archiver's times and sizes.
const (
	look        = time.Second
	defaultJobs = 4
	// perSource keeps a phone system that is slow from taking all places.
	perSource    = 2
	defaultLease = time.Minute
	// attemptTime bounds one attempt; what it has copied stays.
	attemptTime = 30 * time.Minute
	sweepEvery  = time.Minute
	sweepBatch  = 100
	// doomedFor is how long a file that was given up is left alone.
	doomedFor = 10 * time.Minute
)

// Run copies until ctx ends, and returns when no attempt is under way.
func (a *Archiver) Run(ctx context.Context) {
	jobs := a.Concurrency
	if jobs <= 0 {
		jobs = defaultJobs
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { a.sweeps(ctx) })
	places := make(chan struct{}, jobs)
	for {
		claimed, err := a.Store.ClaimRecordings(ctx, max(jobs-len(places), 1), perSource, a.lease())
		if err != nil && ctx.Err() == nil {
			a.Log.Error("recordings could not be claimed", "error", err)
		}
		for _, j := range claimed {
			places <- struct{}{}
			wg.Go(func() { defer func() { <-places }(); a.Attempt(ctx, j) })
		}
		if len(claimed) > 0 && err == nil && len(places) < jobs && ctx.Err() == nil {
			continue
		}
		if !pause(ctx, look) {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (a *Archiver) lease() time.Duration {
	if a.Lease > 0 {
		return a.Lease
	}
	return defaultLease
}

// Attempt makes one attempt to copy a claimed recording, and records what came of it.
func (a *Archiver) Attempt(parent context.Context, j records.RecordingJob) {
	ctx, cancel := context.WithTimeout(parent, attemptTime)
	defer cancel()
	ctx, stop := a.keepAlive(ctx, j)
	defer stop()
	a.Metrics.active.Inc()
	defer a.Metrics.active.Dec()
	result, err := a.guarded(ctx, j)
	log := a.Log.With("recording", j.ID, "workspace", j.WorkspaceID, "source", j.SourceID)
	var f *fault
	switch {
	case err == nil:
	case errors.Is(err, records.ErrLeaseLost) || errors.Is(context.Cause(ctx), records.ErrLeaseLost):
		a.Metrics.done("lease_lost")
		return
	case parent.Err() != nil:
		// The worker stops: the next one goes on at once.
		result = records.RecordingResult{State: call.RecordingAvailable, RetryIn: time.Millisecond}
	case errors.As(err, &f) && ctx.Err() == nil:
		result = f.outcome(j, time.Now())
	case ctx.Err() != nil:
		result = records.RecordingResult{State: call.RecordingAvailable, Class: records.RecordingUnreachable, RetryIn: time.Second,
			Reason: "The phone system sends the recording very slowly. callsync goes on with it.", Detail: "an attempt took longer than " + attemptTime.String()}
	default:
		log.Error("a recording could not be copied: the store failed", "error", err)
		a.Metrics.done("store_failed")
		return
	}
	stop()
	finishing, done := context.WithTimeout(context.WithoutCancel(parent), 10*time.Second)
	defer done()
	if err := a.Store.FinishRecording(finishing, j.WorkspaceID, j.ID, j.Lease, result); err != nil {
		if !errors.Is(err, records.ErrLeaseLost) {
			log.Error("what became of a recording could not be recorded", "error", err)
		}
		a.Metrics.done("store_failed")
		return
	}
	outcome := string(result.State)
	if result.RetryIn > 0 {
		outcome = "retry"
	}
	a.Metrics.done(outcome)
	if result.State != call.RecordingArchived && result.Class != "" {
		log.Info("recording not copied", "state", string(result.State), "class", result.Class, "attempt", j.Attempts, "retry_in", result.RetryIn, "detail", result.Detail)
	}
}

func (a *Archiver) guarded(ctx context.Context, j records.RecordingJob) (r records.RecordingResult, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = faultOf(records.RecordingArchiveAway, true, "callsync failed while it copied this recording.", fmt.Errorf("panic with a %T\n%s", p, debug.Stack()))
		}
	}()
	source, err := a.Store.SourceByID(ctx, j.WorkspaceID, j.SourceID)
	if errors.Is(err, records.ErrNotFound) {
		return r, faultOf(records.RecordingAccess, false, "The source of this recording was removed, so callsync may not ask its phone system any more.", nil)
	}
	if err != nil {
		return r, storeFailed(err)
	}
	if j.Gone {
		return r, faultOf(records.RecordingGone, false, "The phone system has taken the recording back.", nil)
	}
	why, err := a.Withheld(ctx, j.WorkspaceID, j.SourceID, j.CallID)
	if err != nil {
		return r, faultOf(records.RecordingWithheld, true, "The rules of the source cannot be asked whether this recording may be kept.", err)
	}
	if why != "" {
		return r, faultOf(records.RecordingWithheld, false, why, nil)
	}
	t, fault := a.Fetcher.target(source, j)
	if fault != nil {
		return r, fault
	}
	if t, fault = a.Fetcher.settled(ctx, t); fault != nil {
		return r, fault
	}
	c := &copying{Archiver: a, job: j, target: t}
	return c.copy(ctx)
}

// keepAlive renews the claim while the attempt lasts, and ends the attempt when the claim is another's.
func (a *Archiver) keepAlive(parent context.Context, j records.RecordingJob) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(a.lease() / 4)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			renewing, end := context.WithTimeout(ctx, a.lease()/4)
			err := a.Store.RenewRecording(renewing, j.WorkspaceID, j.ID, j.Lease, a.lease())
			end()
			if errors.Is(err, records.ErrLeaseLost) {
				cancel(records.ErrLeaseLost)
				return
			}
		}
	}()
	return ctx, sync.OnceFunc(func() { cancel(nil); <-done })
}

func (a *Archiver) sweeps(ctx context.Context) {
	for {
		if err := a.Sweep(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("old copies of recordings could not be deleted", "error", err)
		}
		if !pause(ctx, sweepEvery) {
			return
		}
	}
}

// Sweep gives up copies that are older than their sources keep them, and deletes files that were given up.
func (a *Archiver) Sweep(ctx context.Context) error {
	for {
		n, err := a.Store.ExpireRecordings(ctx, sweepBatch)
		if err != nil {
			return err
		}
		a.Metrics.expired.Add(float64(n))
		if n < sweepBatch {
			break
		}
	}
	return a.delete(ctx, doomedFor)
}

// delete removes files that were given up longer than after ago. The row goes last: a file is forgotten when it is gone.
func (a *Archiver) delete(ctx context.Context, after time.Duration) error {
	for {
		keys, err := a.Store.DoomedBlobs(ctx, sweepBatch, after, 10*time.Minute)
		if err != nil {
			return err
		}
		var trouble error
		for _, key := range keys {
			if err := a.Blobs.Delete(ctx, key); err != nil {
				trouble = errors.Join(trouble, err)
				continue
			}
			trouble = errors.Join(trouble, a.Store.ForgetBlob(ctx, key))
		}
		if trouble != nil || len(keys) < sweepBatch {
			return trouble
		}
	}
}
