package recordings

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what becomes of recordings.
type Metrics struct {
	attempts *prometheus.CounterVec
	bytes    prometheus.Counter
	active   prometheus.Gauge
	expired  prometheus.Counter
	links    *prometheus.CounterVec
}

// NewMetrics makes the metrics; nil registers them nowhere.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callsync_recording_attempts_total", Help: "Attempts to copy a recording into the archive, by outcome.",
		}, []string{"outcome"}),
		bytes:   prometheus.NewCounter(prometheus.CounterOpts{Name: "callsync_recording_bytes_total", Help: "Bytes of recordings written into the archive."}),
		active:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "callsync_recording_active", Help: "Recordings that are being copied."}),
		expired: prometheus.NewCounter(prometheus.CounterOpts{Name: "callsync_recordings_expired_total", Help: "Copies of recordings that were given up because their time was over."}),
		links: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callsync_recording_links_total", Help: "Requests of permanent links of recordings, by what they led to.",
		}, []string{"result"}),
	}
	if reg != nil {
		reg.MustRegister(m.attempts, m.bytes, m.active, m.expired, m.links)
	}
	return m
}

func (m *Metrics) done(outcome string) { m.attempts.WithLabelValues(outcome).Inc() }
