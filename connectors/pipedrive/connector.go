// Package pipedrive writes calls, their persons, leads, recordings, notes and tasks into Pipedrive.
//
// A call is two records there. A call log has the numbers, the outcome and the recording, but can never be changed. An
// activity can be changed, and is found again: its note ends with our key, and activities are listed, not searched, so
// that the look-up misses none. So callsync writes the activity first and turns it into a call log by its id, once, when
// the disposition is in or will not come any more. What arrives later goes into the activity.
package pipedrive

import (
	"embed"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

// ID is the connector's id, and Label its name for people.
const (
	ID    = "pipedrive"
	Label = "Pipedrive"
)

const (
	requestTimeout = 15 * time.Second
	uploadTimeout  = 100 * time.Second
	// lookupLag is for the lists behind our look-ups, which may be read from a replica (unconfirmed).
	lookupLag = 5 * time.Second
	// maxUpload is the limit of Pipedrive's files (unconfirmed for recordings of call logs).
	maxUpload = 50 << 20
)

// The values of the setting record: what a call becomes.
const (
	recordBoth     = "both"
	recordCallLog  = "call_log"
	recordActivity = "activity"
)

//go:embed mapping_*.yaml
var documents embed.FS

var mappings = connectors.DefaultMappings(documents)

type connector struct{}

// New makes the connector.
func New() connectors.Connector { return connector{} }

var (
	_ connectors.Prototyper = connector{}
	_ connectors.Authorizer = connector{}
)

// Prototype implements connectors.Prototyper.
func (connector) Prototype() connectors.Session { return (*session)(nil) }

// Info implements connectors.Connector.
func (connector) Info() connectors.Info {
	return connectors.Info{
		ID: ID, Label: Label,
		Fields: []connectors.Field{
			{Name: "api_token", Label: "API token", Secret: true,
				Help: "The personal token of a Pipedrive user: Personal preferences, API. Leave it empty to connect by OAuth."},
			{Name: "client_id", Label: "OAuth client ID", Help: "Of your app in Pipedrive's Developer Hub. Only for OAuth."},
			{Name: "client_secret", Label: "OAuth client secret", Secret: true, Help: "Of the same app."},
			{Name: "base_url", Label: "API address", Default: defaultBaseURL,
				Help: "Your company's own address, such as https://acme.pipedrive.com, is faster, and callsync can then link to the records. OAuth fills it in."},
			{Name: "auth_url", Label: "OAuth address", Default: defaultAuthURL, Help: "Change it only for a proxy or a test account."},
			{Name: "record", Label: "A call becomes", Default: recordBoth, Options: []string{recordBoth, recordCallLog, recordActivity},
				Help: "both: an activity that is turned into a call log; late changes reach the activity. call_log: a call log alone, in one request. activity: an activity alone, that can be changed at any time; recordings become its files."},
			{Name: "burst_limit", Label: "Requests in two seconds", Default: "20",
				Help: "What your plan allows one token. API token: Lite 20, Growth 40, Premium 100, Ultimate 120. OAuth: 80, 160, 400, 480."},
			{Name: "daily_tokens", Label: "Tokens a day", Default: "30000",
				Help: "How much of the company's daily token budget callsync may use. The budget is 30,000 times the plan's factor (Lite 1, Growth 2, Premium 5, Ultimate 7) times the seats, and your other integrations share it."},
			{Name: "time_zone", Label: "Time zone of the budget", Default: "UTC",
				Help: "Pipedrive fills the daily budget at midnight of its server."},
		},
		Idempotency:    connectors.CreateOnly,
		LookupLag:      lookupLag,
		RequestTimeout: requestTimeout,
		Limits: []connectors.RateLimit{
			{Budget: 20, Per: 2 * time.Second, Setting: "burst_limit", Requests: true},
			{Class: connectors.RateSearch, Budget: 10, Per: 2 * time.Second, Requests: true},
			{Budget: 30_000, Daily: true, Setting: "daily_tokens"},
		},
		MaxUpload: maxUpload,
		Matches:   []string{connectors.ObjectContact, connectors.ObjectLead, connectors.ObjectCompany},
		Creates:   []string{connectors.ObjectContact, connectors.ObjectLead},
		Mappings:  mappings,
		Setup: "In Pipedrive, open Personal preferences, API, and copy the token of a user who may see all persons and whose settings access " +
			"allows call logs for other users. Paste it here and test the connection: callsync then adds one field to persons, by which it " +
			"recognises those it has made. To connect by OAuth instead, register an app in Pipedrive's Developer Hub with callsync's callback " +
			"address and the scopes of the documentation, and enter its client ID and secret.",
		Docs: "docs/crms/pipedrive.md",
	}
}

// Open implements connectors.Connector.
func (connector) Open(set connectors.Settings) (connectors.Session, error) {
	base, err := address(set.Config["base_url"], defaultBaseURL)
	if err != nil {
		return nil, invalid("base_url", "The API address of Pipedrive cannot be used: "+err.Error()+".")
	}
	token := strings.TrimSpace(set.Secrets["api_token"])
	if set.Tokens == nil {
		switch {
		case token == "" && strings.TrimSpace(set.Config["client_id"]) != "":
			return nil, invalid("client_id", "The connection has not been authorised yet. Connect it with Pipedrive in the browser.")
		case !plain(token):
			return nil, invalid("api_token", "The API token is missing or holds characters that no token has. Copy it from Pipedrive again.")
		}
	}
	zone := time.UTC
	if name := strings.TrimSpace(set.Config["time_zone"]); name != "" {
		if zone, err = time.LoadLocation(name); err != nil {
			return nil, invalid("time_zone", "The time zone is not known. Use a name like Europe/Berlin.")
		}
	}
	record := strings.TrimSpace(set.Config["record"])
	switch record {
	case "":
		record = recordBoth
	case recordBoth, recordCallLog, recordActivity:
	default:
		return nil, invalid("record", "A call can become both, a call_log or an activity.")
	}
	now := set.Now
	if now == nil {
		now = time.Now
	}
	s := &session{now: now, zone: zone, record: record, base: base.String(), v1: prefix(base.Hostname()), web: webURL(base.Hostname())}
	s.users.Now, s.fields.Now = now, now
	transport := set.Transport
	if set.Tokens != nil {
		transport = connectors.Bearer(set, "Bearer", "")
	} else {
		s.token = token
	}
	s.http = httpx.NewClient(httpx.ClientOptions{BaseURL: s.base, Transport: transport, Timeout: requestTimeout})
	s.uploads = httpx.NewClient(httpx.ClientOptions{BaseURL: s.base, Transport: transport, Timeout: uploadTimeout}).GetClient()
	if s.token != "" {
		s.http.SetHeader("x-api-token", s.token)
	}
	s.http.SetHeader("Accept", "application/json")
	return s, nil
}

func invalid(field, public string) error {
	return &connectors.Error{Class: connectors.Invalid, Field: field, Public: public}
}

// plain tells whether s is a token that can stand in a header.
func plain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
