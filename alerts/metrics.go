package alerts

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/callsync/callsync/records"
)

// Metrics are those of alerts. Labels are kinds and outcomes, never names.
type Metrics struct {
	alerts   *prometheus.GaugeVec
	messages *prometheus.CounterVec
}

// NewMetrics registers the metrics with reg; nil keeps them to itself.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		alerts: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "callsync_alerts_open",
			Help: "Open alerts of all workspaces by kind, as the process saw them that looked last."}, []string{"kind"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "callsync_alert_messages_total",
			Help: "Attempts to send a message of an alert by kind of channel and outcome: sent, retried, failed."}, []string{"channel", "outcome"}),
	}
	if reg != nil {
		reg.MustRegister(m.alerts, m.messages)
	}
	return m
}

func (m *Metrics) open(count map[records.AlertKind]int64) {
	for _, kind := range records.AlertKinds {
		m.alerts.WithLabelValues(string(kind)).Set(float64(count[kind]))
	}
}

func (m *Metrics) attempt(channel string, r records.SendResult) {
	outcome := "sent"
	switch {
	case r.Partly:
		outcome = "partly"
	case r.Failure != "" && r.Final:
		outcome = "failed"
	case r.Failure != "":
		outcome = "retried"
	}
	m.messages.WithLabelValues(channel, outcome).Inc()
}
