// Package hubspot writes calls, their contacts and links into HubSpot.
//
// One record per call: callsync makes a property of its own, unique per call, on the object calls, and writes with
// batch/upsert by it, so that any number of repetitions make one record. POST /objects/calls would save a request by
// taking the association along, and a unique property is enforced there too; but how HubSpot answers two of them at
// the same moment is not documented, and with a search per new number (5 a second) the association is not what bounds
// the calls per second. So the upsert stays.
package hubspot

import (
	_ "embed"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

// CallKey and ContactKey are the unique properties that callsync adds to the objects calls and contacts. They hold
// callsync's own ids.
const (
	CallKey    = "callsync_call_id"
	ContactKey = "callsync_contact_key"
)

// ID is the connector's id, and Label its name for people.
const (
	ID    = "hubspot"
	Label = "HubSpot"
)

const (
	requestTimeout = 15 * time.Second
	// lookupLag: our own look-ups read by key and see a write at once; the search behind contact matching lags by seconds.
	lookupLag = 5 * time.Second
)

//go:embed mapping_call.yaml
var mappingCall []byte

//go:embed mapping_contact.yaml
var mappingContact []byte

type connector struct{}

// New makes the connector.
func New() connectors.Connector { return connector{} }

var _ connectors.Prototyper = connector{}

// Prototype implements connectors.Prototyper.
func (connector) Prototype() connectors.Session { return (*session)(nil) }

// Info implements connectors.Connector.
func (connector) Info() connectors.Info {
	return connectors.Info{
		ID: ID, Label: Label,
		Fields: []connectors.Field{
			{Name: "access_token", Label: "Access token", Secret: true, Required: true,
				Help: "The token of a private app or a service key of your HubSpot account; it begins with pat-."},
			{Name: "base_url", Label: "API address", Default: defaultBaseURL, Help: "Change it only for a proxy or a test account."},
			{Name: "portal_id", Label: "Hub ID", Help: "The account's number. With it, callsync links to the records in HubSpot."},
			{Name: "time_zone", Label: "Time zone of the account", Default: "UTC",
				Help: "HubSpot fills its daily quota at midnight in this zone, such as Europe/Berlin."},
		},
		Idempotency:    connectors.KeyedUpsert,
		LookupLag:      lookupLag,
		RequestTimeout: requestTimeout,
		Mappings:       map[string][]byte{"call": mappingCall, "contact": mappingContact},
		Setup: "In HubSpot, create a private app (or a service key) with the scopes crm.objects.contacts.read, " +
			"crm.objects.contacts.write, crm.objects.owners.read, crm.schemas.contacts.read and crm.schemas.contacts.write. " +
			"Paste its access token here and test the connection: callsync then adds one property to calls and one to contacts, " +
			"by which it recognises its own records.",
		Docs: "docs/crms/hubspot.md",
	}
}

// Open implements connectors.Connector.
func (connector) Open(set connectors.Settings) (connectors.Session, error) {
	base := set.Config["base_url"]
	if strings.TrimSpace(base) == "" {
		base = defaultBaseURL
	}
	u, err := httpx.ParseBaseURL(base)
	if err == nil && u.RawQuery != "" {
		err = errQuery
	}
	if err != nil {
		return nil, &connectors.Error{Class: connectors.Invalid, Field: "base_url", Err: err,
			Public: "The API address of HubSpot cannot be used: " + err.Error() + "."}
	}
	token := strings.TrimSpace(set.Secrets["access_token"])
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, &connectors.Error{Class: connectors.Invalid, Field: "access_token",
			Public: "The access token is missing or holds characters that no token has. Copy it from HubSpot again."}
	}
	zone := time.UTC
	if name := strings.TrimSpace(set.Config["time_zone"]); name != "" {
		if zone, err = time.LoadLocation(name); err != nil {
			return nil, &connectors.Error{Class: connectors.Invalid, Field: "time_zone",
				Public: "The time zone is not known. Use a name like Europe/Berlin."}
		}
	}
	portal := strings.TrimSpace(set.Config["portal_id"])
	if strings.Trim(portal, "0123456789") != "" {
		return nil, &connectors.Error{Class: connectors.Invalid, Field: "portal_id", Public: "The Hub ID is a number."}
	}
	now := set.Now
	if now == nil {
		now = time.Now
	}
	s := &session{now: now, portal: portal, zone: zone}
	s.owners.now, s.dispositions.now = now, now
	s.http = httpx.NewClient(httpx.ClientOptions{BaseURL: u.String(), Transport: set.Transport, Timeout: requestTimeout})
	s.http.SetAuthToken(token)
	s.http.SetHeader("Accept", "application/json")
	return s, nil
}
