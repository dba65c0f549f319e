package ingest

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are those of receiver, relay and sweeper. Labels are providers of the registry and fixed outcomes, never a
// source or anything a stranger sends.
type Metrics struct {
	receipts      *prometheus.CounterVec
	storeSeconds  prometheus.Histogram
	batchRows     prometheus.Histogram
	applied       *prometheus.CounterVec
	applySeconds  prometheus.Histogram
	signals       *prometheus.CounterVec
	signalSeconds prometheus.Histogram
	swept         *prometheus.CounterVec
	inboxDepth    prometheus.Gauge
	inboxAge      prometheus.Gauge
	spoolBytes    prometheus.Gauge
}

// NewMetrics registers the metrics with reg; nil keeps them to itself.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	seconds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	m := &Metrics{
		receipts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "callsync_receipts_total",
			Help: "Webhook requests by provider and outcome: stored, spooled, bad_signature, bad_signature_dropped, too_large, slow, unavailable, refused, unknown."}, []string{"provider", "outcome"}),
		storeSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "callsync_receipt_store_seconds",
			Help: "Time from reading a request's body to its being durable.", Buckets: seconds}),
		batchRows: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "callsync_receipt_batch_rows",
			Help: "Receipts in one commit.", Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500}}),
		applied: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "callsync_applied_total",
			Help: "Receipts that left the inbox, by state: applied, unchanged (a duplicate), ignored, quarantined, rejected."}, []string{"state"}),
		applySeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "callsync_apply_seconds",
			Help: "Time to apply one batch of the inbox.", Buckets: seconds}),
		signals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "callsync_signals_total",
			Help: "Changes of calls by outcome: sent, needless (the workflow waits and will read it), nothing (no connection), failed."}, []string{"outcome"}),
		signalSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "callsync_signal_seconds",
			Help: "Time of one signal to a workflow.", Buckets: seconds}),
		swept: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "callsync_swept_total",
			Help: "Calls the sweeper found, by why: unsettled, stale."}, []string{"why"}),
		inboxDepth: prometheus.NewGauge(prometheus.GaugeOpts{Name: "callsync_inbox_depth", Help: "Receipts that wait to be applied."}),
		inboxAge:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "callsync_inbox_age_seconds", Help: "Age of the oldest receipt that waits to be applied."}),
		spoolBytes: prometheus.NewGauge(prometheus.GaugeOpts{Name: "callsync_spool_bytes", Help: "Bytes in the spool, which takes receipts while Postgres is away."}),
	}
	if reg != nil {
		reg.MustRegister(m.receipts, m.storeSeconds, m.batchRows, m.applied, m.applySeconds, m.signals, m.signalSeconds, m.swept,
			m.inboxDepth, m.inboxAge, m.spoolBytes)
	}
	return m
}
