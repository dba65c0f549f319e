package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/workflows"
)

// FollowUpStore knows which follow-ups their workflows must be told of. Its methods are safe beside those of other processes.
type FollowUpStore interface {
	// ClaimFollowUps takes follow-ups whose workflow does not know of their newest revision, and those for which it is time to
	// look whether the workflow has done its part.
	ClaimFollowUps(ctx context.Context, limit, perConnection int, lease time.Duration) ([]records.PendingFollowUp, error)
	// FinishFollowUpSignals records what workflows have been told.
	FinishFollowUpSignals(ctx context.Context, told []records.PendingFollowUp) error
	// ReleaseFollowUps gives claims back; they may be claimed again after wait.
	ReleaseFollowUps(ctx context.Context, ids []string, wait time.Duration) error
}

// FollowUpSignaller tells the workflow of a follow-up; see workflows.Signaller.
type FollowUpSignaller interface {
	SignalFollowUp(ctx context.Context, in workflows.FollowUpInput, s workflows.FollowUpSignal) error
}

// FollowUps tells the workflows of follow-ups of what has changed, by what the rows say: one whose workflow was lost is told
// again. Several at once are safe.
type FollowUps struct {
	store FollowUpStore
	to    FollowUpSignaller
	log   *slog.Logger
}

// NewFollowUps makes it; Run starts it.
func NewFollowUps(store FollowUpStore, to FollowUpSignaller, log *slog.Logger) *FollowUps {
	return &FollowUps{store: store, to: to, log: log}
}

// The times and sizes of a round.
const (
	followUpLook          = time.Second
	followUpClaim         = 100
	followUpPerConnection = 20
	followUpLease         = 30 * time.Second
	followUpSignals       = 8
	followUpRetry         = 5 * time.Second
)

// Run tells workflows until ctx ends.
func (f *FollowUps) Run(ctx context.Context) {
	failures := 0
	for {
		pause := followUpLook
		more, err := f.Round(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			failures++
			pause = backoff(failures) + followUpLook
			f.log.Error("follow-ups could not be told of", "failures", failures, "retry_in", pause, "error", err)
		case more:
			pause = 0
			fallthrough
		default:
			failures = 0
		}
		if !wait(ctx, nil, pause) {
			return
		}
	}
}

// Round tells what is due; more tells that there may be others.
func (f *FollowUps) Round(ctx context.Context) (more bool, err error) {
	due, err := f.store.ClaimFollowUps(ctx, followUpClaim, followUpPerConnection, followUpLease)
	if err != nil || len(due) == 0 {
		return false, err
	}
	var (
		mu     sync.Mutex
		wg     sync.WaitGroup
		told   []records.PendingFollowUp
		failed []string
		why    error
		slots  = make(chan struct{}, followUpSignals)
	)
	for _, p := range due {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, followUpLease/3)
			defer cancel()
			err := f.to.SignalFollowUp(ctx, workflows.FollowUpInput{WorkspaceID: p.WorkspaceID, ConnectionID: p.ConnectionID, Connector: p.Connector, FollowUpID: p.ID},
				workflows.FollowUpSignal{Revision: p.Revision, Force: p.Force})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed, why = append(failed, p.ID), err
				return
			}
			told = append(told, p)
		})
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if len(told) > 0 {
		if err := f.store.FinishFollowUpSignals(ctx, told); err != nil {
			return false, err
		}
	}
	if len(failed) > 0 {
		// What cannot be given back is free again when its lease ends.
		if err := f.store.ReleaseFollowUps(ctx, failed, followUpRetry); err != nil {
			f.log.Warn("follow-ups could not be given back", "follow_ups", len(failed), "error", err)
		}
		return false, why
	}
	return len(due) >= followUpClaim, nil
}
