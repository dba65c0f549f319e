// Package zoho writes calls, their contacts and what belongs to them into Zoho CRM (API version 8).
//
// One record per call: callsync adds a unique field to the module Calls. A create is an insert; where Zoho answers
// DUPLICATE_DATA for that field it names the record that has our key, which is then updated. The upsert endpoint is not
// used: Zoho does not list Calls and Tasks among its modules, and for contacts and leads it would go by every other
// unique field too and write over a record that a person keeps.
package zoho

import (
	"embed"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

// ID is the connector's id, and Label its name for people.
const (
	ID    = "zoho"
	Label = "Zoho CRM"
)

// KeyField is the API name of the unique field that callsync adds to Calls, Contacts, Leads, Tasks and Cases. It holds
// callsync's own ids. Zoho makes the name of the label, keyLabel.
const (
	KeyField = "callsync_key"
	keyLabel = "callsync key"
)

const (
	requestTimeout = 20 * time.Second
	// uploadTimeout bounds the upload of one recording.
	uploadTimeout = 30 * time.Minute
	// lookupLag is how long a search may miss a change; Zoho documents none (unconfirmed). Our own records are recognised by
	// the unique field, which is checked at once.
	lookupLag = 30 * time.Second
	// maxUpload is the size of an attachment that Zoho documents (100 MB).
	maxUpload = 100_000_000
	// concurrency is how many requests at once the Free edition allows an app; the others allow 10 to 25.
	concurrency = 5
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
			{Name: "data_center", Label: "Data centre", Default: auto, Options: dataCenterNames(),
				Help: "Where your account is: the end of the address that you see when you use Zoho CRM, such as zoho.eu. With auto, callsync learns it when you connect."},
			{Name: "client_id", Label: "OAuth client ID", Help: "Of a client that you made at api-console.zoho.com."},
			{Name: "client_secret", Label: "OAuth client secret", Secret: true, Help: "Of the same client, for the data centre of your account."},
			{Name: "grant", Label: "Kind of client", Default: grantConsent, Options: []string{grantConsent, grantSelf},
				Help: "consent for a server-based application, self_client for a Self Client, which needs the organization ID and nobody's consent."},
			{Name: "org_id", Label: "Organization ID", Help: "The number behind org in the address of Zoho CRM. With it, callsync links to the records there. A Self Client needs it."},
			{Name: "access_token", Label: "Access token", Secret: true, Help: "Only to try things out, instead of a client: it ends after an hour."},
			{Name: "base_url", Label: "API address", Help: "Leave it empty: the data centre says it. Enter https://sandbox.zohoapis.com or the like for a sandbox."},
			{Name: "layout_id", Label: "Layout of calls", Help: "The ID of the layout that calls get and whose call results are offered. Empty means the standard one."},
			{Name: "workflows", Label: "Workflow rules", Default: "run", Options: []string{"run", "skip"},
				Help: "Whether Zoho runs its workflow rules, approvals and blueprints for what callsync writes."},
			{Name: "credits_per_day", Label: "API credits in 24 hours", Default: "50000",
				Help: "5,000 in the Free edition; 50,000 and more for each user in the others. Zoho CRM shows yours under Setup → Developer Hub → APIs and SDKs."},
		},
		Idempotency:    connectors.KeyedUpsert,
		LookupLag:      lookupLag,
		RequestTimeout: requestTimeout,
		// zoho.com/crm/developer/docs/api/v8/api-limits.html: credits are counted over the last 24 hours.
		Limits:      []connectors.RateLimit{{Budget: 50_000, Per: 24 * time.Hour, Setting: "credits_per_day"}},
		Concurrency: concurrency,
		MaxUpload:   maxUpload,
		Matches:     []string{connectors.ObjectContact, connectors.ObjectLead, connectors.ObjectCompany},
		Creates:     []string{connectors.ObjectContact, connectors.ObjectLead},
		Mappings:    mappings,
		Setup: "At api-console.zoho.com, add a client: a server-based application whose redirect URI is the one that callsync shows, or a Self Client. " +
			"Enter its ID and secret here, for a Self Client also the organization ID, and connect. Then test the connection: callsync adds the unique " +
			"field “" + keyLabel + "” to calls, contacts, leads, tasks and cases, by which it recognises its own records.",
		Docs: "docs/crms/zoho.md",
	}
}

// Open implements connectors.Connector.
func (connector) Open(set connectors.Settings) (connectors.Session, error) {
	where, err := locate(set)
	if err != nil {
		return nil, err
	}
	token := strings.TrimSpace(set.Secrets["access_token"])
	switch {
	case set.Tokens != nil:
	case token == "":
		return nil, invalid("access_token", "Zoho CRM needs the client of an app of yours, to connect by OAuth, or an access token to try things out.")
	case !plain(token):
		return nil, invalid("access_token", "The access token holds characters that no token has. Copy it from Zoho again.")
	}
	layout := strings.TrimSpace(set.Config["layout_id"])
	if layout != "" && !isID(layout) {
		return nil, invalid("layout_id", "The ID of a layout is a number.")
	}
	if w := strings.TrimSpace(set.Config["workflows"]); w != "" && w != "run" && w != "skip" {
		return nil, invalid("workflows", "Say run or skip.")
	}
	now := set.Now
	if now == nil {
		now = time.Now
	}
	s := &session{now: now, org: where.org, ui: where.center.ui, layout: layout, skipWorkflows: strings.TrimSpace(set.Config["workflows"]) == "skip"}
	s.users.Now, s.outcomes.Now, s.stages.Now, s.keys.Now = now, now, now, now
	base := set.Transport
	set.Transport = scopesAreNoTokens{base}
	rt := connectors.Bearer(set, "Zoho-oauthtoken", token)
	s.http = httpx.NewClient(httpx.ClientOptions{BaseURL: where.api, Transport: rt, Timeout: requestTimeout})
	s.uploads = httpx.NewClient(httpx.ClientOptions{BaseURL: where.api, Transport: rt, Timeout: uploadTimeout})
	for _, c := range []*resty.Client{s.http, s.uploads} {
		c.SetHeader("Accept", "application/json")
	}
	return s, nil
}

func invalid(field, public string) error {
	return &connectors.Error{Class: connectors.Invalid, Field: field, Public: public}
}

// plain tells whether s may be a token, a client id or a secret.
func plain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
