//go:build unix

package devstack

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors/espocrm"
	"github.com/callsync/callsync/connectors/espocrm/espocrmfake"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/connectors/odoo"
	"github.com/callsync/callsync/connectors/odoo/odoofake"
	"github.com/callsync/callsync/connectors/pipedrive"
	"github.com/callsync/callsync/connectors/pipedrive/pipedrivefake"
	"github.com/callsync/callsync/connectors/salesforce"
	"github.com/callsync/callsync/connectors/salesforce/salesforcefake"
	"github.com/callsync/callsync/connectors/webhook"
	"github.com/callsync/callsync/connectors/webhook/webhookfake"
	"github.com/callsync/callsync/connectors/zoho"
	"github.com/callsync/callsync/connectors/zoho/zohofake"
)

// Fake is a fake CRM with the settings of a connection to it.
type Fake struct {
	CRM
	// Calls counts the living call records by callsync's key, which is callsync's id of the call.
	Calls func() map[string]int
}

// fakes make the fake CRM of each connector; a new connector is a line here. make run CRM=salesforce,espocrm starts those that
// it names, and make demo sends every call into all of them. None of them limits: a demo should not wait for a budget.
var fakes = map[string]func() Fake{
	espocrm.ID:    fakeEspoCRM,
	hubspot.ID:    func() Fake { return fakeHubSpot(hubspotfake.New(hubspotfake.Options{})) },
	odoo.ID:       fakeOdoo,
	pipedrive.ID:  fakePipedrive,
	salesforce.ID: fakeSalesforce,
	webhook.ID:    func() Fake { return fakeWebhook(NewReceiver()) },
	zoho.ID:       fakeZoho,
}

// FakeIDs are the connectors that have a fake CRM, in their order.
func FakeIDs() []string { return slices.Sorted(maps.Keys(fakes)) }

// NewFake makes the fake CRM of a connector.
func NewFake(connector string) (Fake, error) {
	make, ok := fakes[connector]
	if !ok {
		return Fake{}, fmt.Errorf("devstack: there is no fake CRM %q; there are %s", connector, strings.Join(FakeIDs(), ", "))
	}
	return make(), nil
}

func fakeHubSpot(f *hubspotfake.Fake) Fake {
	return Fake{CRM: HubSpot(f), Calls: func() map[string]int {
		out := map[string]int{}
		for _, r := range f.State(true).Calls {
			if !r.Archived {
				out[r.Properties[hubspot.CallKey]]++
			}
		}
		return out
	}}
}

// NewReceiver makes the receiver of signed webhooks, with the demo's secret.
func NewReceiver() *webhookfake.Receiver {
	receiver, err := webhookfake.New(demoSecret, nil)
	if err != nil {
		panic("devstack: " + err.Error()) // The secret is ours.
	}
	return receiver
}

func fakeWebhook(receiver *webhookfake.Receiver) Fake {
	return Fake{CRM: Webhook(receiver, demoSecret), Calls: receiver.Keys}
}

func fakeEspoCRM() Fake {
	f := espocrmfake.New(espocrmfake.Options{})
	return Fake{
		CRM:   CRM{Connector: espocrm.ID, Handler: f, Secrets: map[string]string{"api_key": espocrmfake.APIKey}},
		Calls: func() map[string]int { return tally(f.Records("Call"), espocrm.KeyField) },
	}
}

func fakeOdoo() Fake {
	f := odoofake.New(odoofake.Options{})
	return Fake{
		CRM: CRM{Connector: odoo.ID, Handler: f, Secrets: map[string]string{"api_key": odoofake.APIKey}},
		// A note says in its message id whose it is; that of callsync's copies begins otherwise.
		Calls: func() map[string]int {
			out := map[string]int{}
			for _, r := range f.Records(odoo.ModelNote) {
				id, _ := r["message_id"].(string)
				if key, ok := strings.CutPrefix(id, "<callsync.call_"); ok {
					out[strings.TrimSuffix(key, "@callsync>")]++
				}
			}
			return out
		},
	}
}

func fakeSalesforce() Fake {
	f := salesforcefake.New(salesforcefake.Options{PerDay: 1e8})
	return Fake{
		CRM: CRM{Connector: salesforce.ID, Handler: f, Secrets: map[string]string{"client_secret": salesforcefake.ClientSecret},
			Config: map[string]string{"client_id": salesforcefake.ClientID, "requests_per_day": unlimited}},
		Calls: f.Calls,
	}
}

// pipedriveMark is where an activity's note names callsync's key.
var pipedriveMark = regexp.MustCompile(`\[callsync:([^\]]+)\]`)

func fakePipedrive() Fake {
	f := pipedrivefake.New(pipedrivefake.Options{PerTwoSeconds: 1e6, SearchPerTwoSeconds: 1e6})
	return Fake{
		CRM: CRM{Connector: pipedrive.ID, Handler: f, Secrets: map[string]string{"api_token": "fake-token"},
			Config: map[string]string{"burst_limit": unlimited, "daily_tokens": unlimited}},
		Calls: func() map[string]int {
			out := map[string]int{}
			for _, a := range f.State().Activities {
				note, _ := a["note"].(string)
				if m := pipedriveMark.FindStringSubmatch(note); m != nil {
					out[m[1]]++
				}
			}
			return out
		},
	}
}

func fakeZoho() Fake {
	f := zohofake.New(zohofake.Options{})
	return Fake{
		CRM: CRM{Connector: zoho.ID, Handler: f, Secrets: map[string]string{"access_token": zohofake.Token},
			Config: map[string]string{"credits_per_day": unlimited}},
		Calls: func() map[string]int {
			var records []map[string]any
			for _, r := range f.All("Calls") {
				records = append(records, r.Fields)
			}
			return tally(records, zoho.KeyField)
		},
	}
}

// tally counts records by the text of a field.
func tally(records []map[string]any, field string) map[string]int {
	out := map[string]int{}
	for _, r := range records {
		if key, _ := r[field].(string); key != "" {
			out[key]++
		}
	}
	return out
}
