package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/workflows"
)

const (
	// claimCalls is how many calls, and how many messages and forms of each, one round tells; claimLease is how long they are its own.
	claimCalls = 256
	claimLease = 30 * time.Second
	// needlessMargin is how far the end of a wait must be away for a change inside it to need no signal: the workflow
	// reads the newest state when it wakes, and the change is long committed by then.
	needlessMargin = 30 * time.Second
)

// signalRound tells the workflows of changed calls, messages and forms.
func (r *Relay) signalRound(ctx context.Context) (more bool, err error) {
	calls, err := r.store.ClaimUnsignalled(ctx, claimCalls, claimLease)
	if err != nil || len(calls) == 0 {
		return false, err
	}
	r.closeFollowUps(ctx, calls)
	failed, err := r.tell(ctx, calls, telling{})
	if len(failed) > 0 {
		if err := r.store.ReleaseSignals(context.WithoutCancel(ctx), failed, 2*time.Second); err != nil {
			// Their lease ends by itself.
			r.log.Warn("claims could not be given back", "calls", len(failed), "error", err)
		}
	}
	if err != nil {
		return false, err
	}
	return len(calls) >= claimCalls, nil
}

// closeFollowUps has calls close the follow-ups that they answer. What is not closed now is when its clock strikes: then the
// calls of its number are looked at.
func (r *Relay) closeFollowUps(ctx context.Context, calls []records.PendingCall) {
	ids := make([]string, 0, len(calls))
	for _, c := range calls {
		if c.Kind == "" {
			ids = append(ids, c.ID)
		}
	}
	if len(ids) == 0 {
		return
	}
	if _, err := r.store.CloseFollowUps(ctx, ids); err != nil && ctx.Err() == nil {
		r.log.Warn("follow-ups could not be closed yet", "calls", len(ids), "error", err)
	}
}

// SyncNow delivers an ended call, a message or a form now, parked lanes too, whether it changed or not: to the connections
// named, or with none to all it belongs to. records.ErrNotFound if the workspace has no such record or the call has not
// ended.
func (r *Relay) SyncNow(ctx context.Context, workspaceID, callID string, connectionIDs []string) error {
	p, err := r.store.PendingCall(ctx, workspaceID, callID)
	if err != nil {
		return err
	}
	_, err = r.tell(ctx, []records.PendingCall{p}, telling{force: r.now().UnixMilli(), only: connectionIDs})
	return err
}

// Resync is SyncNow behind live calls.
func (r *Relay) Resync(ctx context.Context, workspaceID, callID string, connectionIDs []string) error {
	p, err := r.store.PendingCall(ctx, workspaceID, callID)
	if err != nil {
		return err
	}
	_, err = r.tell(ctx, []records.PendingCall{p}, telling{force: r.now().UnixMilli(), only: connectionIDs, bulk: true})
	return err
}

// telling says why workflows are told.
type telling struct {
	// force delivers at once (unix ms of the request).
	force int64
	// only are the connections that force means; none means all.
	only []string
	// bulk delivers behind live calls.
	bulk bool
	// repair is the sweeper's: it does not trust what was told before, and has set the next look itself.
	repair bool
}

// tell makes the lanes of calls, signals their workflows and records that. It returns the calls that could not be told,
// and an error if that was so for all of them or the store failed.
func (r *Relay) tell(ctx context.Context, calls []records.PendingCall, how telling) (failed []string, err error) {
	type job struct {
		call  records.PendingCall
		feed  *feed
		lanes []records.Connection
	}
	var (
		jobs []job
		keys []records.LaneKey
		done []records.Signalled
		why  error
	)
	// Not remembered from an earlier round: a call must not miss a connection that was just made.
	workspaces := map[string][]records.Connection{}
	connectionsOf := func(workspaceID string) (all []records.Connection, err error) {
		all, ok := workspaces[workspaceID]
		if !ok {
			if all, err = r.dir.store.ConnectionsOf(ctx, workspaceID); err == nil {
				workspaces[workspaceID] = all
			}
		}
		return all, err
	}
	for _, c := range calls {
		f, err := r.dir.byID.get(ctx, sourceKey{c.WorkspaceID, c.SourceID})
		if errors.Is(err, records.ErrNotFound) {
			// The source is deleted: its calls go nowhere any more.
			done = append(done, records.Signalled{Kind: c.Kind, CallID: c.ID, Revision: c.Revision, Nothing: true})
			continue
		}
		var connections []records.Connection
		if err == nil {
			connections, err = connectionsOf(c.WorkspaceID)
		}
		if err != nil {
			failed, why = append(failed, c.ID), err
			continue
		}
		lanes := f.lanes(connections)
		if len(lanes) == 0 {
			r.metrics.signals.WithLabelValues("nothing").Inc()
			done = append(done, records.Signalled{Kind: c.Kind, CallID: c.ID, Revision: c.Revision, Nothing: true})
			continue
		}
		for _, l := range lanes {
			keys = append(keys, records.LaneKey{Kind: c.Kind, WorkspaceID: c.WorkspaceID, CallID: c.ID, ConnectionID: l.ID})
		}
		jobs = append(jobs, job{c, f, lanes})
	}
	made, err := r.store.EnsureLanes(ctx, keys)
	if err != nil {
		for _, j := range jobs {
			failed = append(failed, j.call.ID)
		}
		return failed, err
	}
	fresh := make(map[string]bool, len(made))
	for _, id := range made {
		fresh[id] = true
	}

	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		slots = make(chan struct{}, r.opts.Signals)
	)
	for _, j := range jobs {
		s := signalOf(j.call, j.feed, j.lanes)
		s.Force, s.Bulk = how.force, how.bulk
		for i := range s.Lanes {
			s.Lanes[i].NotForced = how.force != 0 && len(how.only) > 0 && !slices.Contains(how.only, s.Lanes[i].ConnectionID)
		}
		record := records.Signalled{Kind: j.call.Kind, CallID: j.call.ID, Revision: j.call.Revision, WaitsUntil: r.waitsUntil(s)}
		needless := how.force == 0 && !how.repair && !fresh[j.call.ID] && !s.Complete && !s.Stale &&
			j.call.WaitsUntil.After(r.now().Add(needlessMargin)) && !record.WaitsUntil.IsZero()
		if needless {
			r.metrics.signals.WithLabelValues("needless").Inc()
			record.WaitsUntil = j.call.WaitsUntil
			mu.Lock()
			done = append(done, record)
			mu.Unlock()
			continue
		}
		if !how.repair {
			record.CheckAt = r.checkAt(s)
		}
		if how.force != 0 {
			record.WaitsUntil = time.Time{}
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, r.opts.SignalTimeout)
			defer cancel()
			start := time.Now()
			err := r.to.SignalCall(ctx, workflows.CallInput{Kind: j.call.Kind, WorkspaceID: j.call.WorkspaceID, SourceID: j.call.SourceID, CallID: j.call.ID}, s)
			r.metrics.signalSeconds.Observe(time.Since(start).Seconds())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				r.metrics.signals.WithLabelValues("failed").Inc()
				failed, why = append(failed, j.call.ID), err
				return
			}
			r.metrics.signals.WithLabelValues("sent").Inc()
			done = append(done, record)
		})
	}
	wg.Wait()
	// Told is told, even while the process is being stopped: the record saves a second signal.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := r.store.FinishSignals(ctx, done); err != nil {
		return failed, err
	}
	switch {
	case len(failed) == 0:
		return nil, nil
	case len(done) == 0:
		return failed, fmt.Errorf("signal %d calls: %w", len(failed), why)
	}
	r.log.Warn("some calls could not be signalled and will be again", "calls", len(failed), "error", why)
	return failed, nil
}

// signalOf says how far a call is.
func signalOf(c records.PendingCall, f *feed, lanes []records.Connection) workflows.CallSignal {
	s := workflows.CallSignal{
		Revision: c.Revision, WindowBase: c.WindowBase, Complete: c.Complete, ChangedAt: c.ChangedAt, Quiet: f.Quiet, Stale: c.Stale,
		Lanes: make([]workflows.Lane, len(lanes)),
	}
	for i, l := range lanes {
		lane := workflows.Lane{ConnectionID: l.ID, Connector: l.Connector, Policy: workflows.Policy(f.Policy), Window: f.Window}
		if l.Policy != "" {
			lane.Policy = workflows.Policy(l.Policy)
		}
		if l.Idempotency == createOnly {
			// What cannot be patched is written once.
			lane.Policy = workflows.Complete
		}
		if l.Window != nil {
			lane.Window = *l.Window
		}
		s.Lanes[i] = lane
	}
	return s
}

// createOnly is connectors.CreateOnly, which this package may not import.
const createOnly = "create_only"

// waitsUntil is until when all lanes wait for artifacts, after s; zero if one of them does not.
func (r *Relay) waitsUntil(s workflows.CallSignal) time.Time {
	if s.Complete || s.Stale || s.WindowBase.IsZero() {
		return time.Time{}
	}
	var least time.Time
	for _, l := range s.Lanes {
		ready := s.WindowBase.Add(l.Window)
		if l.Policy == workflows.Early || !ready.After(r.now()) {
			return time.Time{}
		}
		if least.IsZero() || ready.Before(least) {
			least = ready
		}
	}
	return least
}

// checkAt is when s must have led to a delivery on every lane.
func (r *Relay) checkAt(s workflows.CallSignal) time.Time {
	at := r.now()
	if quiet := s.ChangedAt.Add(s.Quiet); quiet.After(at) {
		at = quiet
	}
	if !s.Complete && !s.Stale && s.Force == 0 {
		for _, l := range s.Lanes {
			if ready := s.WindowBase.Add(l.Window); ready.After(at) {
				at = ready
			}
		}
	}
	return at.Add(r.opts.Grace)
}
