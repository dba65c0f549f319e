package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/activities/budget"
	"github.com/callsync/callsync/activities/grants"
	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/ingest"
	"github.com/callsync/callsync/internal/config"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/internal/telemetry"
	"github.com/callsync/callsync/internal/temporalx"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/recordings"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/workflows"
)

// serve receives webhooks, applies them, signals workflows, and serves API and UI until ctx ends. Then it takes nothing
// new, answers what it has, and stops when all of that is stored.
func serve(ctx context.Context) error {
	p, err := start(ctx, config.Serve)
	if err != nil {
		return err
	}
	defer p.db.Close()
	if err := p.bootstrap(ctx); err != nil {
		return err
	}
	options, err := p.temporal()
	if err != nil {
		return err
	}
	// Lazy: webhooks are taken in while Temporal is away, and signalled when it is back.
	cl, err := temporalx.Lazy(options)
	if err != nil {
		return err
	}
	defer cl.Close()

	in, cfg := ingest.NewMetrics(p.metrics), p.cfg.Intake
	dir := ingest.NewDirectory(p.db, providers())
	var spool *ingest.Spool
	if cfg.SpoolDir != "" {
		if spool, err = ingest.OpenSpool(cfg.SpoolDir, cfg.SpoolMaxBytes, in, p.log); err != nil {
			return err
		}
		defer spool.Close()
	}
	var relay *ingest.Relay
	batcher := ingest.NewBatcher(p.db, spool, ingest.BatcherOptions{}, in, p.log, func() { relay.Wake() })
	relay = ingest.NewRelay(p.db, dir, workflows.Signaller{Client: cl}, ingest.RelayOptions{
		Appliers: cfg.RelayWorkers, Batch: cfg.RelayBatch, Signals: cfg.SignalConcurrency,
		Grace: cfg.SweepGrace, Sweep: cfg.SweepInterval, Busy: batcher.Busy,
	}, in, p.log)

	granted, budgets := &grants.Grants{Store: p.db, Transport: p.network()}, &budget.Budgets{Store: p.db}
	schemas := &activities.Schemas{Store: p.db, Connectors: crms(), Transport: p.transport(crms(), budgets), Budgets: budgets, Grants: granted,
		Every: cfg.SchemaInterval, Log: p.log}
	schemaWatch := ingest.NewSchemaWatch(schemas, p.db, held{relay, p.db}.SyncNow, p.metrics, p.log)
	schemas.Observe = schemaWatch.Observe

	receiver := ingest.NewReceiver(dir, batcher, ingest.ReceiverOptions{MaxBody: p.cfg.HTTP.MaxBodyBytes}, in, p.log)
	watch, sender := p.alerting()
	pages, err := admin.New(admin.Deps{
		Store: watched{p.db, dir}, Providers: providers(), Connectors: crms(), Replayer: actions{relay}, Resyncer: held{relay, p.db},
		Hooks:     receiver.Tests(),
		Transport: p.transport(crms(), budgets), Grants: granted, Schemas: schemas,
		CheckHost: p.checkHost(), PublicURL: p.cfg.HTTP.PublicURL, TrustedProxies: p.cfg.HTTP.TrustedProxies,
		Version: telemetry.Build().Version, Log: p.log,
		Previewer: p.previews(), Alerter: sender,
	})
	if err != nil {
		return err
	}
	defer pages.Close()

	var stopping atomic.Bool
	ready := func(ctx context.Context) error {
		if stopping.Load() {
			return errStopping
		}
		return p.db.Ping(ctx)
	}
	mux := http.NewServeMux()
	files, err := p.archive()
	if err != nil {
		return err
	}
	links, err := p.recordingLinks(files, pages.SignedIn)
	if err != nil {
		return err
	}
	mux.Handle(recordings.Path, links)
	mux.Handle("/hooks/", receiver)
	mux.Handle("/", pages)
	// A route of its own, so that streams that last for hours do not count as slow pages.
	mux.Handle("GET /api/v1/live", pages)
	failed := make(chan error, 2)
	operations := mux
	if addr := p.cfg.HTTP.MetricsAddr; addr != "" {
		operations = http.NewServeMux()
		stop, err := p.listen(addr, ingest.NewServer(addr, operations), failed)
		if err != nil {
			return err
		}
		defer stopSoon(stop)
	}
	p.operations(operations, ready)

	// The background outlives ctx: what the last requests store is still applied.
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	var wg sync.WaitGroup
	wg.Go(func() { relay.Run(background) })
	wg.Go(func() { ingest.NewSweeper(relay).Run(background) })
	wg.Go(func() { schemaWatch.Run(background) })
	wg.Go(func() { ingest.NewRematcher(p.db, relay.SyncNow, p.log).Run(background) })
	wg.Go(func() { recordings.News{Store: p.db, Sync: relay.SyncNow, Log: p.log}.Run(background) })
	wg.Go(func() { ingest.NewResyncer(p.db, relay.Resync, p.log).Run(background) })
	wg.Go(func() { ingest.NewFollowUps(p.db, workflows.Signaller{Client: cl}, p.log).Run(background) })
	wg.Go(func() { ingest.NewPuller(p.db, providers(), workflows.Signaller{Client: cl}, p.log).Run(background) })
	wg.Go(func() {
		ingest.MaintainPartitions(background, p.db, time.Duration(cfg.RetentionDays)*24*time.Hour, p.log)
	})
	wg.Go(func() { p.expireSessions(background) })
	wg.Go(func() { pages.KeepOwners(background) })
	wg.Go(func() { ingest.WatchClocks(background, p.db, providers(), p.log) })
	wg.Go(func() { watch.Run(background) })
	wg.Go(func() { sender.Run(background) })
	if spool != nil {
		wg.Go(func() { spool.Drain(background, p.db, relay.Wake) })
	}

	server := ingest.NewServer(p.cfg.HTTP.Addr, telemetry.NewHTTPMetrics(p.metrics).Wrap(mux))
	server.RegisterOnShutdown(pages.EndStreams)
	stopHTTP, err := p.listen(p.cfg.HTTP.Addr, server, failed)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		p.log.Info("stopping: answering what has arrived")
	case err = <-failed:
	}
	stopping.Store(true)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Process.ShutdownTimeout)
	defer cancel()
	err = errors.Join(err, stopHTTP(end), batcher.Close(end))
	stopBackground()
	wg.Wait()
	return err
}

// bootstrap makes the first workspace, its admin and the bootstrap token. A token that was made up is shown once.
func (p *process) bootstrap(ctx context.Context) error {
	s := p.cfg.Secrets
	token, madeUp := s.AdminToken.Reveal(), false
	if token == "" {
		token, madeUp = secretbox.NewToken(), true
	}
	in := postgres.BootstrapInput{WorkspaceName: "Default", TokenHash: secretbox.HashToken(token), OnlyFirstToken: madeUp, Email: s.AdminEmail}
	if s.AdminEmail != "" {
		hash, err := secretbox.HashPassword(s.AdminPassword.Reveal())
		if err != nil {
			return fmt.Errorf("hash the admin's password: %w", err)
		}
		in.PasswordHash = hash
	}
	// What the environment asks for is the operator's doing.
	made, err := p.db.EnsureBootstrap(records.WithActor(ctx, records.OperatorActor("callsync serve")), in)
	if err != nil {
		return err
	}
	if madeUp && made.NewToken {
		// The one place where a token is printed, and only the one that nobody else knows yet.
		fmt.Fprintf(os.Stderr, "callsync: the API token of the bootstrap admin, shown this once: %s\n", token)
	}
	return nil
}

func (p *process) expireSessions(ctx context.Context) {
	for {
		if _, err := p.db.DeleteExpiredSessions(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("expired sessions could not be deleted", "error", err)
		}
		if err := p.db.DropOldAccess(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("old counts of sign-ins could not be deleted", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(10 * time.Minute):
		}
	}
}

func (p *process) checkHost() func(string) error {
	if p.cfg.HTTP.AllowPrivateHosts {
		return func(string) error { return nil }
	}
	return admin.RefusePrivateHost
}

// actions is the relay as the pages see it.
type actions struct{ *ingest.Relay }

func (a actions) Replay(ctx context.Context, workspaceID, receiptID string) error {
	_, err := a.Relay.Replay(ctx, workspaceID, receiptID)
	return err
}

// held delivers what pages ask for: calls, messages and forms by the relay, follow-ups by their rows.
type held struct {
	*ingest.Relay
	db *postgres.DB
}

func (h held) SyncNow(ctx context.Context, workspaceID, id string, connectionIDs []string) error {
	err := h.Relay.SyncNow(ctx, workspaceID, id, connectionIDs)
	if errors.Is(err, records.ErrNotFound) {
		err = h.db.RetryFollowUp(ctx, workspaceID, id)
	}
	return err
}

// watched is the store as the pages see it: what they change of sources counts at once in this process. Others look
// sources up again after some seconds.
type watched struct {
	*postgres.DB
	dir *ingest.Directory
}

func (w watched) UpdateSource(ctx context.Context, s records.Source) error {
	defer w.dir.Forget()
	return w.DB.UpdateSource(ctx, s)
}

func (w watched) RotateSourceToken(ctx context.Context, workspaceID, id, newToken string, oldUntil time.Time) error {
	defer w.dir.Forget()
	return w.DB.RotateSourceToken(ctx, workspaceID, id, newToken, oldUntil)
}

func (w watched) DeleteSource(ctx context.Context, workspaceID, id string) error {
	defer w.dir.Forget()
	return w.DB.DeleteSource(ctx, workspaceID, id)
}

func (w watched) RemoveDemo(ctx context.Context, workspaceID string) error {
	defer w.dir.Forget()
	return w.DB.RemoveDemo(ctx, workspaceID)
}

func (w watched) PutOwnNumbers(ctx context.Context, workspaceID string, numbers []records.OwnNumber) error {
	defer w.dir.Forget()
	return w.DB.PutOwnNumbers(ctx, workspaceID, numbers)
}
