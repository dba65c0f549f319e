// Package hubspot writes calls, their contacts and links into HubSpot.
//
// One record per call: callsync makes a property of its own, unique per call, on the object calls, and writes with
// batch/upsert by it, so that any number of repetitions make one record. POST /objects/calls would save a request by
// taking the association along, and a unique property is enforced there too; but how HubSpot answers two of them at
// the same moment is not documented, and with a search per new number (5 a second) the association is not what bounds
// the calls per second. So the upsert stays.
package hubspot

import (
	"embed"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

// CallKey, ContactKey and RecordKey are the unique properties that callsync adds to HubSpot's objects: to calls, to
// contacts, and to tasks, notes, tickets and communications. They hold callsync's own ids.
const (
	CallKey    = "callsync_call_id"
	ContactKey = "callsync_contact_key"
	RecordKey  = "callsync_record_key"
)

// ID is the connector's id, and Label its name for people.
const (
	ID    = "hubspot"
	Label = "HubSpot"
)

const (
	requestTimeout = 15 * time.Second
	// uploadTimeout bounds the upload of one recording.
	uploadTimeout = 30 * time.Minute
	// lookupLag: our own look-ups read by key and see a write at once; the search behind contact matching lags by seconds.
	lookupLag = 5 * time.Second
	// maxUpload is what HubSpot's file manager takes in paid accounts; free ones take 20 MB (both unconfirmed).
	maxUpload = 2_000_000_000
)

//go:embed mapping_*.yaml
var documents embed.FS

var mappings = connectors.DefaultMappings(documents)

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
			{Name: "access_token", Label: "Access token", Secret: true,
				Help: "The token of a private app or a service key of your HubSpot account; it begins with pat-. Leave it empty to connect by OAuth."},
			{Name: "client_id", Label: "OAuth client ID", Help: "Of an app of your own in HubSpot, to connect by OAuth instead of a token."},
			{Name: "client_secret", Label: "OAuth client secret", Secret: true, Help: "Of the same app."},
			{Name: "optional_scopes", Label: "OAuth optional scopes", Default: strings.Join(optionalScopes, " "),
				Help: "Take out what your app does not offer. Companies, deals, tickets, files and transcripts need these."},
			{Name: "base_url", Label: "API address", Default: defaultBaseURL, Help: "Change it only for a proxy or a test account."},
			{Name: "api_version", Label: "API version", Default: string(v3), Options: versions, Help: "Leave it, unless HubSpot ends the support of v3 before callsync changes its default."},
			{Name: "portal_id", Label: "Hub ID", Help: "The account's number. With it, callsync links to the records in HubSpot."},
			{Name: "time_zone", Label: "Time zone of the account", Default: "UTC",
				Help: "HubSpot fills its daily quota at midnight in this zone, such as Europe/Berlin."},
			{Name: "requests_per_10s", Label: "Requests in ten seconds", Default: "100",
				Help: "100 in Free and Starter accounts, 190 in Professional and Enterprise ones, 250 with the API add-on."},
			{Name: "searches_per_second", Label: "Searches a second", Default: "5",
				Help: "HubSpot lets an account search five times a second, in every edition. Lower it where other apps search too."},
			{Name: "requests_per_day", Label: "Requests a day", Default: "250000",
				Help: "250,000 in Free and Starter accounts, 625,000 in Professional, 1,000,000 in Enterprise ones."},
		},
		Idempotency:    connectors.KeyedUpsert,
		LookupLag:      lookupLag,
		RequestTimeout: requestTimeout,
		// developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
		Limits: []connectors.RateLimit{
			{Budget: 100, Per: 10 * time.Second, Setting: "requests_per_10s"},
			{Class: connectors.RateSearch, Budget: 5, Per: time.Second, Setting: "searches_per_second"},
			{Budget: 250_000, Daily: true, Setting: "requests_per_day"},
		},
		MaxUpload: maxUpload,
		Matches:   []string{connectors.ObjectContact, connectors.ObjectCompany},
		Creates:   []string{connectors.ObjectContact},
		Mappings:  mappings,
		Setup: "In HubSpot, create a private app (or a service key) with the scopes crm.objects.contacts.read, " +
			"crm.objects.contacts.write, crm.objects.owners.read, crm.schemas.contacts.read and crm.schemas.contacts.write; for companies, " +
			"deals, tickets and recordings also crm.objects.companies.read, crm.objects.deals.read, crm.objects.deals.write, tickets and files. " +
			"Paste its access token here and test the connection: callsync then adds a property to calls, contacts, tasks, notes, messages " +
			"and tickets, by which it recognises its own records. To connect by OAuth instead, enter the client of an app of your own.",
		Docs: "docs/crms/hubspot.md",
	}
}

// Open implements connectors.Connector.
func (connector) Open(set connectors.Settings) (connectors.Session, error) {
	base, v, err := endpoint(set)
	if err != nil {
		return nil, err
	}
	token := strings.TrimSpace(set.Secrets["access_token"])
	switch {
	case set.Tokens != nil:
	case token == "":
		return nil, &connectors.Error{Class: connectors.Invalid, Field: "access_token",
			Public: "HubSpot needs Access token, or the client of an app of yours to connect by OAuth."}
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, &connectors.Error{Class: connectors.Invalid, Field: "access_token",
			Public: "The access token holds characters that no token has. Copy it from HubSpot again."}
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
	s := &session{api: v, now: now, portal: portal, zone: zone}
	s.owners.Now, s.dispositions.Now = now, now
	rt := connectors.Bearer(set, "Bearer", token)
	s.http = httpx.NewClient(httpx.ClientOptions{BaseURL: base, Transport: rt, Timeout: requestTimeout})
	s.uploads = httpx.NewClient(httpx.ClientOptions{BaseURL: base, Transport: rt, Timeout: uploadTimeout})
	for _, c := range []*resty.Client{s.http, s.uploads} {
		c.SetHeader("Accept", "application/json")
	}
	return s, nil
}
