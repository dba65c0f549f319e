package ingest

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/workflows"
)

// PullStore is what the regular pulls need of the store. Its methods are safe beside those of other processes.
type PullStore interface {
	// PlanPulls asks plan for sources of these providers that are due, and queues the pulls it wants.
	PlanPulls(ctx context.Context, providers []string, limit int, plan func(records.Source, records.PullPlan) (records.PullPlan, []records.Pull)) (int, error)
	// ClaimPulls takes open pulls whose workflow should be started, one of each source at most.
	ClaimPulls(ctx context.Context, limit int, lease time.Duration) ([]records.Pull, error)
	ReturnPull(ctx context.Context, workspaceID, id string, wait time.Duration) error
	// CountPulled adds what became of pulled receipts to their pulls.
	CountPulled(ctx context.Context, limit int) (int, error)
	DropOldPulls(ctx context.Context, before time.Time) error
}

// PullStarter starts the workflow of a pull, unless it runs already.
type PullStarter interface {
	StartPull(ctx context.Context, in workflows.ReconcileInput) error
}

// Puller has sources pulled: regularly by their settings, and when somebody asks. Like the sweeper it goes by what the
// rows say: a pull that is open and of whose workflow nothing is known is started again. Several at once are safe.
type Puller struct {
	store     PullStore
	providers telephony.Registry
	to        PullStarter
	log       *slog.Logger
	now       func() time.Time
}

// NewPuller makes a puller; Run starts it.
func NewPuller(store PullStore, providers telephony.Registry, to PullStarter, log *slog.Logger) *Puller {
	return &Puller{store: store, providers: providers, to: to, log: log, now: time.Now}
}

// The puller's times and sizes.
const (
	pullLook  = 2 * time.Second  // between two looks for pulls to start and to count
	pullPlans = 20 * time.Second // between two looks for sources that are due
	// pullLease is how long a workflow that was started is trusted to run. Starting one that runs changes nothing.
	pullLease = 10 * time.Minute
	// pullRetry is when a workflow that could not be started is tried again.
	pullRetry = 30 * time.Second
	pullBatch = 50
	// pullRounds bounds the batches of one look: a source that was just changed is looked at again.
	pullRounds = 20
	pullCount  = 1000
	// pullMemory is how long pulls and what they read are remembered. It is longer than regular pulls reach back.
	pullMemory = 60 * 24 * time.Hour
	// pullGap bounds what a regular pull makes up for after callsync was down or a key did not work; pullOverlap is how
	// far it reaches back into what was pulled before.
	pullGap     = 31 * 24 * time.Hour
	pullOverlap = time.Hour
)

// Run plans and starts pulls until ctx ends.
func (p *Puller) Run(ctx context.Context) {
	var planned, dropped time.Time
	failures := 0
	for {
		now, pause := p.now(), pullLook
		var err error
		if now.Sub(planned) >= pullPlans {
			if err = p.Plan(ctx); err == nil {
				planned = now
			}
		}
		if err == nil {
			err = p.Start(ctx)
		}
		if err == nil && now.Sub(dropped) >= time.Hour {
			if err = p.store.DropOldPulls(ctx, now.Add(-pullMemory)); err == nil {
				dropped = now
			}
		}
		if failures++; err == nil {
			failures = 0
		} else if ctx.Err() == nil {
			pause = max(pause, backoff(failures))
			p.log.Error("pulls could not be looked after", "failures", failures, "retry_in", pause, "error", err)
		}
		if !wait(ctx, nil, pause) {
			return
		}
	}
}

// Plan queues the pulls that are due.
func (p *Puller) Plan(ctx context.Context) error {
	var ids []string
	for id, provider := range p.providers {
		if _, ok := provider.(telephony.Puller); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for range pullRounds {
		n, err := p.store.PlanPulls(ctx, ids, pullBatch, p.plan)
		if err != nil || n < pullBatch {
			return err
		}
	}
	return nil
}

// plan says when a source is pulled next, and what of it is pulled now.
func (p *Puller) plan(s records.Source, have records.PullPlan) (next records.PullPlan, pulls []records.Pull) {
	puller, ok := p.providers[s.Provider].(telephony.Puller)
	if !ok {
		return next, nil
	}
	setup := puller.PullSetup(telephony.Settings{Location: time.UTC, Config: s.Config, Secrets: s.Secrets})
	if setup.Missing != "" || setup.Every <= 0 {
		return next, nil
	}
	info, now := puller.PullInfo(), p.now().UTC()
	// What callsync has slept through is made up for.
	from := func(back time.Duration) time.Time {
		at := now.Add(-back)
		if resume := have.DoneTo.Add(-pullOverlap); !have.DoneTo.IsZero() && resume.Before(at) {
			at = resume
		}
		if oldest := now.Add(-min(pullGap, info.Oldest)); at.Before(oldest) {
			at = oldest
		}
		return at
	}
	due := func(at time.Time, every time.Duration, kind string, back time.Duration) time.Time {
		// One that was planned for a longer time than is set now comes sooner.
		if at.After(now) {
			return earliest(at, now.Add(every))
		}
		pulls = append(pulls, records.Pull{Kind: kind, From: from(back), To: now})
		return now.Add(every)
	}
	next.RecentAt = due(have.RecentAt, setup.Every, records.PullRecent, max(info.Recent, 2*setup.Every))
	next.DailyAt = due(have.DailyAt, 24*time.Hour, records.PullDaily, info.Daily)
	return next, pulls
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Start starts the workflows of open pulls, and counts what became of the receipts of others.
func (p *Puller) Start(ctx context.Context) error {
	for {
		n, err := p.store.CountPulled(ctx, pullCount)
		if err != nil {
			return err
		}
		if n < pullCount {
			break
		}
	}
	pulls, err := p.store.ClaimPulls(ctx, pullBatch, pullLease)
	if err != nil {
		return err
	}
	for _, pull := range pulls {
		start, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := p.to.StartPull(start, workflows.ReconcileInput{WorkspaceID: pull.WorkspaceID, SourceID: pull.SourceID, PullID: pull.ID})
		cancel()
		if err == nil {
			continue
		}
		p.log.Warn("a pull could not be started and will be again", "workspace", pull.WorkspaceID, "source", pull.SourceID, "pull", pull.ID, "error", err)
		if err := p.store.ReturnPull(context.WithoutCancel(ctx), pull.WorkspaceID, pull.ID, pullRetry); err != nil {
			return err
		}
	}
	return nil
}
