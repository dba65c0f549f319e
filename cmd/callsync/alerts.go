package main

import (
	"time"

	"github.com/callsync/callsync/activities/budget"
	"github.com/callsync/callsync/alerts"
	"github.com/callsync/callsync/records"
)

// alerting watches over sources and connections and tells people of what is wrong.
func (p *process) alerting() (*alerts.Watch, *alerts.Sender) {
	kinds, metrics := crms(), alerts.NewMetrics(p.metrics)
	quotas := func(c records.Connection, counted []records.LimitUse, now time.Time) []alerts.Quota {
		kind, ok := kinds[c.Connector]
		if !ok {
			return nil
		}
		var out []alerts.Quota
		for _, d := range budget.DailyUse(kind.Info(), c, counted, now) {
			out = append(out, alerts.Quota{Class: d.Class, Used: d.Used, Budget: d.Budget, Ends: d.Ends})
		}
		return out
	}
	return &alerts.Watch{Store: p.db, Providers: providers(), Quotas: quotas, Metrics: metrics, Log: p.log},
		&alerts.Sender{Store: p.db, Mail: p.cfg.Alerts.Mail(), Transport: p.network(), SlackHosts: p.cfg.Alerts.Slack(),
			Plain: p.cfg.HTTP.AllowPrivateHosts, PublicURL: p.cfg.HTTP.PublicURL, Metrics: metrics, Log: p.log}
}
