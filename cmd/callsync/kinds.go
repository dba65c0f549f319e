package main

import (
	"github.com/callsync/callsync/connectors"
	crmdemo "github.com/callsync/callsync/connectors/demo"
	"github.com/callsync/callsync/connectors/espocrm"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/odoo"
	"github.com/callsync/callsync/connectors/pipedrive"
	"github.com/callsync/callsync/connectors/salesforce"
	"github.com/callsync/callsync/connectors/webhook"
	"github.com/callsync/callsync/connectors/zoho"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callerdesk"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/deepcall"
	"github.com/callsync/callsync/telephony/demo"
	"github.com/callsync/callsync/telephony/generic"
	"github.com/callsync/callsync/telephony/smartflo"
	"github.com/callsync/callsync/telephony/xarios"
)

// providers are the kinds of phone systems this binary understands; a new one is a package and a line here.
func providers() telephony.Registry {
	return telephony.NewRegistry(
		callerdesk.New(),
		callrail.New(),
		deepcall.New(),
		demo.New(),
		generic.New(),
		smartflo.New(),
		xarios.New(),
	)
}

// crms are the kinds of CRMs this binary writes to; a new one is a package and a line here.
func crms() connectors.Registry {
	return connectors.NewRegistry(
		crmdemo.New(),
		espocrm.New(),
		hubspot.New(),
		odoo.New(),
		pipedrive.New(),
		salesforce.New(),
		webhook.New(),
		zoho.New(),
	)
}
