package main

import (
	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/activities/budget"
	"github.com/callsync/callsync/activities/grants"
	"github.com/callsync/callsync/admin"
)

// previews are previews of mappings by what deliveries know. Their requests count in the budgets of the CRMs.
func (p *process) previews() admin.Previewer {
	kinds := crms()
	return &activities.Previews{Store: p.db, Deliveries: &activities.Delivery{
		Store: p.db, Connectors: kinds, Transport: p.transport(kinds, &budget.Budgets{Store: p.db}),
		Grants: &grants.Grants{Store: p.db, Transport: p.network()}, PublicURL: p.cfg.HTTP.PublicURL, Log: p.log,
	}}
}
