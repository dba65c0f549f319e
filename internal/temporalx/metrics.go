package temporalx

import (
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// metricLabels are the SDK's tags that become labels. They are fixed, because Prometheus wants the same ones for every
// series of a metric and the SDK does not always send them; an absent one is empty, which Prometheus treats as absent.
var metricLabels = []string{
	"namespace", "poller_type", "worker_type", "workflow_type", "activity_type", "task_queue", "operation", "status_code",
	"failure_reason", "cause",
}

// maxLabelValues bounds the different values of one label of one metric. What comes later is counted as "other": a
// mistake of ours must not fill the memory of those who watch us.
const maxLabelValues = 100

// timerBuckets go from a fast request to a call that waits for longer than its window, in seconds.
var timerBuckets = []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1200, 1800, 7200, 86400}

// NewMetricsHandler makes a handler that registers the SDK's metrics with reg as they appear: counters get the suffix
// _total, timers are histograms in seconds. Several handlers may share a registry.
func NewMetricsHandler(reg prometheus.Registerer) client.MetricsHandler {
	return metricsHandler{sink: &metricsSink{reg: reg, families: map[string]*family{}}}
}

// metricsSink is what all handlers of a registry share.
type metricsSink struct {
	reg prometheus.Registerer

	mu       sync.Mutex
	families map[string]*family
}

// family is one metric with all its series.
type family struct {
	// vec is nil where the registry refused the metric: it is dropped then, because metrics must never stop the work.
	vec prometheus.Collector
	// seen are the values of each of metricLabels.
	seen []map[string]struct{}
}

type metricsHandler struct {
	sink *metricsSink
	tags map[string]string
}

// WithTags implements client.MetricsHandler.
func (h metricsHandler) WithTags(tags map[string]string) client.MetricsHandler {
	all := make(map[string]string, len(h.tags)+len(tags))
	maps.Copy(all, h.tags)
	maps.Copy(all, tags)
	return metricsHandler{sink: h.sink, tags: all}
}

// Counter implements client.MetricsHandler.
func (h metricsHandler) Counter(name string) client.MetricsCounter {
	name = strings.TrimSuffix(name, "_total") + "_total"
	vec, labels := h.family(name, func() prometheus.Collector {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help(name)}, metricLabels)
	})
	if v, ok := vec.(*prometheus.CounterVec); ok {
		return counter{v.WithLabelValues(labels...)}
	}
	return client.MetricsNopHandler.Counter(name)
}

// Gauge implements client.MetricsHandler.
func (h metricsHandler) Gauge(name string) client.MetricsGauge {
	vec, labels := h.family(name, func() prometheus.Collector {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help(name)}, metricLabels)
	})
	if v, ok := vec.(*prometheus.GaugeVec); ok {
		return gauge{v.WithLabelValues(labels...)}
	}
	return client.MetricsNopHandler.Gauge(name)
}

// Timer implements client.MetricsHandler.
func (h metricsHandler) Timer(name string) client.MetricsTimer {
	name += "_seconds"
	vec, labels := h.family(name, func() prometheus.Collector {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help(name), Buckets: timerBuckets}, metricLabels)
	})
	if v, ok := vec.(*prometheus.HistogramVec); ok {
		return timer{v.WithLabelValues(labels...)}
	}
	return client.MetricsNopHandler.Timer(name)
}

func help(name string) string {
	return "Of the Temporal SDK: " + strings.ReplaceAll(name, "_", " ") + "."
}

// family returns the metric name, made and registered the first time, and the values of h's tags in the order of
// metricLabels. The SDK asks for a metric each time it counts, so this is a lookup and no more.
func (h metricsHandler) family(name string, fresh func() prometheus.Collector) (prometheus.Collector, []string) {
	h.sink.mu.Lock()
	defer h.sink.mu.Unlock()
	f := h.sink.families[name]
	if f == nil {
		f = &family{vec: fresh(), seen: make([]map[string]struct{}, len(metricLabels))}
		h.sink.families[name] = f
		if err := h.sink.reg.Register(f.vec); err != nil {
			f.vec = nil
			if taken, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
				f.vec = taken.ExistingCollector // Another handler's.
			}
		}
	}
	labels := make([]string, len(metricLabels))
	for i, label := range metricLabels {
		labels[i] = f.value(i, h.tags[label])
	}
	return f.vec, labels
}

// value is how the value of the i-th label is counted.
func (f *family) value(i int, value string) string {
	if value == "none" { // The SDK's word for absent.
		return ""
	}
	value = strings.ToValidUTF8(value, "")
	if _, ok := f.seen[i][value]; ok {
		return value
	}
	if len(f.seen[i]) >= maxLabelValues {
		return "other"
	}
	if f.seen[i] == nil {
		f.seen[i] = map[string]struct{}{}
	}
	f.seen[i][value] = struct{}{}
	return value
}

type counter struct{ prometheus.Counter }

// Inc implements client.MetricsCounter. Prometheus panics on counters that fall, so a negative d is dropped.
func (c counter) Inc(d int64) {
	if d > 0 {
		c.Add(float64(d))
	}
}

type gauge struct{ prometheus.Gauge }

// Update implements client.MetricsGauge.
func (g gauge) Update(v float64) { g.Set(v) }

type timer struct{ prometheus.Observer }

// Record implements client.MetricsTimer.
func (t timer) Record(d time.Duration) { t.Observe(d.Seconds()) }
