package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callsync/callsync/records"
)

// SchemaReader reads the fields of CRMs. Its methods are safe beside those of other processes.
type SchemaReader interface {
	// Due takes objects whose fields are to be read now.
	Due(ctx context.Context, limit int) ([]records.SchemaKey, error)
	// Refresh reads one, and compares the mapping in force with it.
	Refresh(ctx context.Context, k records.SchemaKey) error
}

// SchemaStore knows what is on hold because mappings did not fit the fields of their CRM.
type SchemaStore interface {
	// ClaimDrained returns lanes whose cause is gone, the oldest first, and none of them again within wait.
	ClaimDrained(ctx context.Context, limit int, wait time.Duration) ([]records.LaneKey, error)
	// ReturnDrained has lanes that were claimed given again after wait.
	ReturnDrained(ctx context.Context, lanes []records.LaneKey, wait time.Duration) error
	// CountSchemaIssues counts the open issues by connector: those that hold deliveries, and the others.
	CountSchemaIssues(ctx context.Context) (map[string][2]int, error)
}

// SchemaWatch has the fields of CRMs read when they are due, and what was on hold for them delivered when it is corrected.
// Several at once are safe.
type SchemaWatch struct {
	reader SchemaReader
	store  SchemaStore
	sync   SyncNow
	log    *slog.Logger
	reads  *prometheus.CounterVec
	issues *prometheus.GaugeVec
}

// NewSchemaWatch makes a watch whose metrics are registered with reg, if it is not nil; Run starts it.
func NewSchemaWatch(reader SchemaReader, store SchemaStore, sync SyncNow, reg prometheus.Registerer, log *slog.Logger) *SchemaWatch {
	w := &SchemaWatch{reader: reader, store: store, sync: sync, log: log,
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "callsync_schema_reads_total",
			Help: "Reads of the fields of a CRM's object, by connector and outcome: same, changed, failed."}, []string{"connector", "outcome"}),
		issues: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "callsync_schema_issues",
			Help: "In what mappings do not fit the fields of their CRM, by connector; holds: true for those that put deliveries on hold."}, []string{"connector", "holds"})}
	if reg != nil {
		reg.MustRegister(w.reads, w.issues)
	}
	return w
}

// Observe counts a read, for activities.Schemas.
func (w *SchemaWatch) Observe(connector, outcome string) {
	w.reads.WithLabelValues(connector, outcome).Inc()
}

// The times and sizes of the watch: a few reads side by side, so that a slow CRM does not keep the others waiting for
// long, and no more drained at once than live calls leave room for.
const (
	schemaLook   = 5 * time.Second
	schemaReads  = 4
	schemaCount  = time.Minute
	drainBatch   = 100
	drainRounds  = 10
	drainedAgain = 10 * time.Minute
	drainRetry   = time.Minute
)

// Run works until ctx ends. Reading and draining do not wait for each other.
func (w *SchemaWatch) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { w.loop(ctx, "the fields of CRMs could not be read", w.Read) })
	wg.Go(func() { w.loop(ctx, "what was on hold for the fields of CRMs could not be delivered", w.Drain) })
	wg.Go(func() {
		for wait(ctx, nil, schemaCount) {
			w.count(ctx)
		}
	})
	wg.Wait()
}

func (w *SchemaWatch) loop(ctx context.Context, failed string, round func(context.Context) error) {
	for wait(ctx, nil, schemaLook) {
		if err := round(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn(failed, "error", err)
		}
	}
}

// Read reads what is due, until nothing is.
func (w *SchemaWatch) Read(ctx context.Context) error {
	for ctx.Err() == nil {
		keys, err := w.reader.Due(ctx, schemaReads)
		if err != nil || len(keys) == 0 {
			return err
		}
		errs := make([]error, len(keys))
		var wg sync.WaitGroup
		for i, k := range keys {
			wg.Go(func() {
				// What the store does not take is claimed again when its lease is over.
				if err := w.reader.Refresh(ctx, k); !errors.Is(err, records.ErrNotFound) {
					errs[i] = err
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// Drain has delivered what is on hold for a cause that is gone, in its order.
func (w *SchemaWatch) Drain(ctx context.Context) error {
	for range drainRounds {
		lanes, err := w.store.ClaimDrained(ctx, drainBatch, drainedAgain)
		if err != nil || len(lanes) == 0 {
			return err
		}
		for i, l := range lanes {
			err := w.sync(ctx, l.WorkspaceID, l.CallID, []string{l.ConnectionID})
			if errors.Is(err, records.ErrNotFound) {
				continue // folded into another call meanwhile
			}
			if err != nil {
				return errors.Join(err, w.store.ReturnDrained(context.WithoutCancel(ctx), lanes[i:], drainRetry))
			}
		}
	}
	return nil
}

func (w *SchemaWatch) count(ctx context.Context) {
	counts, err := w.store.CountSchemaIssues(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.log.Warn("the issues of CRM fields could not be counted", "error", err)
		}
		return
	}
	w.issues.Reset()
	for connector, n := range counts {
		w.issues.WithLabelValues(connector, "true").Set(float64(n[0]))
		w.issues.WithLabelValues(connector, "false").Set(float64(n[1]))
	}
}
