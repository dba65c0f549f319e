// Package salesforce writes calls, their contacts, leads, tasks, cases and files into Salesforce.
//
// A call is a Task of the subtype Call. One record per call: a field of our own on Activity (KeyField), text, external id and
// unique, by which Salesforce itself creates or updates (sObject Rows by External ID), so that any number of
// repetitions make one record. Tasks, notes, text messages and forms are Tasks too; tickets are Cases.
//
// Sources are named by their pages at developer.salesforce.com; what is marked unconfirmed is to be checked against an org.
package salesforce

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
	ID    = "salesforce"
	Label = "Salesforce"
)

// The fields that an admin (or the connect test, where it may) adds.
const (
	// KeyField holds callsync's own id of a record, on Activity, Contact, Lead and Case. The setting key_field names another.
	KeyField = "Callsync_Key__c"
	// StartField has the exact start of a call on Activity, whose own ActivityDate is a date. It may be missing: the
	// text of the call has the start too.
	StartField = "Callsync_Start__c"
)

const (
	requestTimeout = 30 * time.Second
	// uploadTimeout bounds the upload of one recording.
	uploadTimeout = 30 * time.Minute
	// lookupLag is for the search behind contact matching, whose index is made a while after a write. Our own look-ups are
	// SOQL by key and see a write at once.
	lookupLag = 10 * time.Second
	// maxUpload is what a multipart ContentVersion takes (REST guide, Insert or Update Blob Data: 2 GB).
	maxUpload = 2 << 30
	// concurrency leaves room below the 25 requests of over 20 seconds that an org may have at once.
	concurrency = 10
	// defaultReserve is the share of the org's daily requests, in percent, that callsync leaves to others.
	defaultReserve = 5
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
			{Name: "base_url", Label: "My Domain address", Required: true,
				Help: "Setup → My Domain shows it, such as https://acme.my.salesforce.com, or https://acme--test.sandbox.my.salesforce.com for a sandbox."},
			{Name: "oauth_flow", Label: "How to connect", Default: flowClient, Options: []string{flowClient, flowWeb},
				Help: "client_credentials: callsync acts as the user whom the app names, without a consent page. authorization_code: you sign in and consent."},
			{Name: "client_id", Label: "Consumer key", Help: "Of an external client app (or connected app) of your org. Leave it empty only if you use an access token."},
			{Name: "client_secret", Label: "Consumer secret", Secret: true, Help: "Of the same app."},
			{Name: "access_token", Label: "Access token", Secret: true,
				Help: "Instead of an app, for a test: a session's token. It ends with the session and cannot be renewed."},
			{Name: "instance_url", Label: "API address", Help: "Leave it empty. callsync fills it in if you connect through login.salesforce.com or test.salesforce.com."},
			{Name: "key_field", Label: "Field for callsync's key", Default: KeyField,
				Help: "The API name of the text field (external ID, unique) on Activity, Contact, Lead and Case."},
			{Name: "disposition_field", Label: "Picklist of call outcomes",
				Help: "The API name of a picklist on Activity, if your org has one for outcomes. Without it the outcomes are those found in Call Result."},
			{Name: "record_type", Label: "Record type of calls", Help: "The id (012…) of the Task record type for calls. Empty: the user's default."},
			{Name: "time_zone", Label: "Time zone for dates", Default: "UTC",
				Help: "In which zone a moment becomes the date of a date field, such as America/New_York."},
			{Name: "requests_per_day", Label: "Requests a day", Default: "100000",
				Help: "Setup → Company Information shows what your org may send in 24 hours (API Requests). callsync also reads it from Salesforce's answers."},
			{Name: "reserve_percent", Label: "Requests left to others, in percent", Default: "5",
				Help: "callsync pauses when your org has used all but this share of its API requests, so that other integrations go on."},
			{Name: "api_version", Label: "API version", Default: defaultVersion, Help: "Leave it, unless your org's server does not know it."},
		},
		Idempotency:    connectors.KeyedUpsert,
		LookupLag:      lookupLag,
		RequestTimeout: requestTimeout,
		// The org's own limit is over the last 24 hours, with all integrations; 100,000 is that of Enterprise Edition without licences.
		Limits:      []connectors.RateLimit{{Budget: 100_000, Per: 24 * time.Hour, Setting: "requests_per_day"}},
		Concurrency: concurrency,
		MaxUpload:   maxUpload,
		Matches:     []string{connectors.ObjectContact, connectors.ObjectLead, connectors.ObjectCompany},
		Creates:     []string{connectors.ObjectContact, connectors.ObjectLead},
		Mappings:    mappings,
		Setup: "In Salesforce, under Setup → Object Manager → Activity, add a text field Callsync Key (length 100, external ID, unique), the same on " +
			"Contact, Lead and Case if callsync shall create those, and if you like a date/time field Callsync Start on Activity. Give an integration " +
			"user a permission set that may edit these fields and the objects. Create an external client app with OAuth, the scope api, and the client " +
			"credentials flow that runs as this user. Enter the app's consumer key and secret here and test the connection. The test says what is missing.",
		Docs: "docs/crms/salesforce.md",
	}
}

// Open implements connectors.Connector.
func (connector) Open(set connectors.Settings) (connectors.Session, error) {
	c, err := configure(set)
	if err != nil {
		return nil, err
	}
	token := strings.TrimSpace(set.Secrets["access_token"])
	switch {
	case set.Tokens != nil:
	case token == "":
		return nil, invalid("access_token", "Salesforce needs the consumer key and secret of an app of your org, or an access token.")
	case !plain(token):
		return nil, invalid("access_token", "The access token holds characters that no token has. Copy it again.")
	}
	if c.api == "" {
		return nil, invalid("base_url", "Enter your My Domain address, such as https://acme.my.salesforce.com: login.salesforce.com and test.salesforce.com are for signing in only.")
	}
	s := &session{settings: c, now: set.Now, parents: newLocks()}
	if s.now == nil {
		s.now = time.Now
	}
	s.owners.Now, s.described.Now, s.outcomes.Now, s.accounts.Now, s.missing.Now = s.now, s.now, s.now, s.now, s.now
	rt := connectors.Bearer(set, "Bearer", token)
	s.http = httpx.NewClient(httpx.ClientOptions{BaseURL: c.api, Transport: rt, Timeout: requestTimeout})
	s.uploads = httpx.NewClient(httpx.ClientOptions{BaseURL: c.api, Transport: rt, Timeout: uploadTimeout})
	for _, client := range []*resty.Client{s.http, s.uploads} {
		client.SetHeader("Accept", "application/json")
	}
	return s, nil
}

func invalid(field, public string) *connectors.Error {
	return &connectors.Error{Class: connectors.Invalid, Field: field, Public: public}
}

// plain tells whether a credential has only characters that credentials have.
func plain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
