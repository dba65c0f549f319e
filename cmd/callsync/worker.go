package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/activities/budget"
	"github.com/callsync/callsync/activities/grants"
	"github.com/callsync/callsync/internal/config"
	"github.com/callsync/callsync/internal/telemetry"
	"github.com/callsync/callsync/internal/temporalx"
	"github.com/callsync/callsync/workflows"
)

// pullConcurrency bounds the pages that are fetched side by side: each may take tens of megabytes.
const pullConcurrency = 4

// bulkShare is how many places for live deliveries there are to one for backfill. bulkWaiting is how many deliveries of
// backfill there may be when those are counted that only wait for a request that they share.
const (
	bulkShare   = 4
	bulkWaiting = 100
)

// work runs the workflows and the deliveries until ctx ends; then it finishes the attempts under way.
func work(ctx context.Context) error {
	p, err := start(ctx, config.Worker)
	if err != nil {
		return err
	}
	defer p.db.Close()
	failed := make(chan error, 8)
	var working atomic.Bool
	if addr := p.cfg.HTTP.MetricsAddr; addr != "" {
		mux := http.NewServeMux()
		p.operations(mux, func(ctx context.Context) error {
			if !working.Load() {
				return errStarting
			}
			return p.db.Ping(ctx)
		})
		stop, err := p.listen(addr, &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, failed)
		if err != nil {
			return err
		}
		defer stopSoon(stop)
	}
	options, err := p.temporal()
	if err != nil {
		return err
	}
	cl, err := temporalx.Dial(ctx, options)
	if err != nil {
		return err
	}
	defer cl.Close()

	files, err := p.archive()
	if err != nil {
		return err
	}
	kinds := crms()
	budgets := &budget.Budgets{Store: p.db}
	deliveries := &activities.Delivery{
		Store: p.db, Connectors: kinds, Transport: p.transport(kinds, budgets), Budgets: budgets,
		Grants: &grants.Grants{Store: p.db, Transport: p.network()}, PublicURL: p.cfg.HTTP.PublicURL, Log: p.log,
		Schemas: p.db, Batch: p.cfg.Delivery.BackfillBatch, BulkPlaces: max(1, p.cfg.Delivery.Concurrency/bulkShare),
		Observe: deliveryMetrics(p.metrics), Recordings: p.db, Files: files,
	}
	temporalx.SetWorkflowCache(p.cfg.Delivery.StickyCache)
	fatal := func(err error) { failed <- fmt.Errorf("worker: %w", err) }
	workerOptions := temporalx.WorkerOptions{Deployment: p.cfg.Delivery.Deployment, BuildID: telemetry.Build().Revision, OnFatal: fatal}
	main := temporalx.NewWorker(cl, workflows.TaskQueue, workerOptions)
	main.RegisterWorkflowWithOptions(workflows.CallSync, workflow.RegisterOptions{Name: workflows.CallSyncName})
	main.RegisterWorkflowWithOptions(workflows.FollowUp, workflow.RegisterOptions{Name: workflows.FollowUpName})
	main.RegisterWorkflowWithOptions(workflows.Reconcile, workflow.RegisterOptions{Name: workflows.ReconcileName})
	workers := []worker.Worker{main}
	for id := range kinds {
		workerOptions.ActivitiesOnly, workerOptions.Activities = true, p.cfg.Delivery.Concurrency
		w := temporalx.NewWorker(cl, workflows.ConnectorQueue(id), workerOptions)
		w.RegisterActivityWithOptions(deliveries, activity.RegisterOptions{})
		workers = append(workers, w)
		workerOptions.Activities = max(bulkWaiting, p.cfg.Delivery.Concurrency/bulkShare)
		bulk := temporalx.NewWorker(cl, workflows.BulkQueue(id), workerOptions)
		bulk.RegisterActivityWithOptions(deliveries, activity.RegisterOptions{})
		workers = append(workers, bulk)
	}
	workerOptions.ActivitiesOnly, workerOptions.Activities = true, pullConcurrency
	pulls := temporalx.NewWorker(cl, workflows.PullQueue, workerOptions)
	pulls.RegisterActivityWithOptions(&activities.Pull{
		Store: p.db, Providers: providers(), Transport: p.network(), Log: p.log,
	}, activity.RegisterOptions{})
	workers = append(workers, pulls)
	for i, w := range workers {
		if err := w.Start(); err != nil {
			stopAll(workers[:i])
			return fmt.Errorf("start a worker: %w", err)
		}
	}
	working.Store(true)
	copying, stopCopying := context.WithCancel(ctx)
	var copies sync.WaitGroup
	copies.Go(func() { p.archiver(files).Run(copying) })
	p.log.Info("working", "connectors", len(kinds))
	select {
	case <-ctx.Done():
		p.log.Info("stopping: finishing the deliveries under way")
	case err = <-failed:
	}
	stopCopying()
	stopAll(workers)
	copies.Wait()
	return err
}

// stopAll stops the workers side by side: each waits for what it has under way.
func stopAll(workers []worker.Worker) {
	done := make(chan struct{})
	for _, w := range workers {
		go func() { w.Stop(); done <- struct{}{} }()
	}
	for range workers {
		<-done
	}
}

// deliveryMetrics counts attempts by connector, outcome and class of error, none of which can grow without bound.
func deliveryMetrics(reg prometheus.Registerer) func(connector, outcome, class string, took time.Duration) {
	attempts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "callsync_delivery_attempts_total", Help: "Attempts to deliver a call, by outcome and class of error.",
	}, []string{"connector", "outcome", "class"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "callsync_delivery_seconds", Help: "How long an attempt to deliver a call takes.",
		Buckets: prometheus.ExponentialBuckets(0.005, 2, 12),
	}, []string{"connector"})
	reg.MustRegister(attempts, seconds)
	return func(connector, outcome, class string, took time.Duration) {
		attempts.WithLabelValues(connector, outcome, class).Inc()
		seconds.WithLabelValues(connector).Observe(took.Seconds())
	}
}
