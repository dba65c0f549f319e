// Package espocrm writes calls, their contacts, leads, tasks, cases and notes into EspoCRM 9 and later, a CRM that
// customers run themselves.
//
// EspoCRM has no unique fields and ignores ids that a client chooses, so a record is made once by looking for callsync's
// key first: a field of its own (KeyField) on calls, contacts, leads, tasks and cases, and a line that nobody sees in
// notes, which take no fields. The database is asked directly, so a look-up sees every write at once.
//
// What is said of EspoCRM in this package was read in its source and seen on running EspoCRMs 9.2.7
// and 9.3.10.
package espocrm

import (
	"embed"
	_ "embed"
	"net/url"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

// ID is the connector's id, and Label its name for people.
const (
	ID    = "espocrm"
	Label = "EspoCRM"
)

// The fields that the connect test adds where it may. EspoCRM puts the c before the names of custom fields.
const (
	// KeyField holds callsync's own id of a record. The setting key_field names another one.
	KeyField = "cCallsyncKey"
	// DurationField has a call's length in seconds: EspoCRM's own duration is computed from the two times.
	DurationField = "cCallsyncDuration"
	// DispositionField has the outcome of a call; an admin may make it a list.
	DispositionField = "cCallsyncDisposition"
	// RecordingsField takes the sound files of a call, which has no attachments otherwise.
	RecordingsField = "cCallsyncRecordings"
)

const (
	requestTimeout = 30 * time.Second
	// maxUpload is EspoCRM's own default (attachmentUploadMaxSize, 256 MB); an account with less refuses by itself.
	maxUpload = 256 << 20
	// concurrency spares the PHP workers of small servers; EspoCRM itself sets no limit.
	concurrency = 4
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
			{Name: "base_url", Label: "Address of EspoCRM", Required: true, Help: "As you open it in the browser, such as https://crm.example.com."},
			{Name: "api_key", Label: "API key", Secret: true,
				Help: "Of an API user: Administration → API Users. Leave it empty only if you use a user name and password."},
			{Name: "secret_key", Label: "Secret key", Secret: true,
				Help: "Only if the API user's authentication method is HMAC. EspoCRM shows it beside the API key."},
			{Name: "username", Label: "User name",
				Help: "Instead of an API key: a user of EspoCRM, best an administrator for the first test, which then adds callsync's fields by itself."},
			{Name: "password", Label: "Password", Secret: true, Help: "Of that user. Users with two-factor authentication cannot be used."},
			{Name: "default_owner", Label: "Default owner",
				Help: "Every call in EspoCRM has an assigned user. The user name, e-mail or id of who gets those of agents that EspoCRM does not know. Empty: the user callsync connects with."},
			{Name: "key_field", Label: "Field for callsync's key", Default: KeyField,
				Help: "The field on calls, contacts, leads, tasks and cases that holds callsync's own id. Change it only if your EspoCRM names custom fields differently."},
		},
		Idempotency:    connectors.LookupThenWrite,
		RequestTimeout: requestTimeout,
		Concurrency:    concurrency,
		MaxUpload:      maxUpload,
		Matches:        []string{connectors.ObjectContact, connectors.ObjectLead, connectors.ObjectCompany},
		Creates:        []string{connectors.ObjectContact, connectors.ObjectLead},
		Mappings:       mappings,
		Setup: "In EspoCRM, create a role that may create, read (all) and edit (all) calls, contacts, leads, accounts, tasks and cases, " +
			"read (all) users, and has the assignment permission “all”. Create an API user with this role and the authentication " +
			"method API Key, and paste its key here. callsync needs a few fields of its own: either connect once with an " +
			"administrator's user name and password and press Test, which adds them, or add those that the test names under " +
			"Administration → Entity Manager.",
		Docs: "docs/crms/espocrm.md",
	}
}

// Open implements connectors.Connector.
func (connector) Open(set connectors.Settings) (connectors.Session, error) {
	site, err := siteURL(set.Config["base_url"])
	if err != nil {
		return nil, &connectors.Error{Class: connectors.Invalid, Field: "base_url", Err: err,
			Public: "The address of EspoCRM cannot be used: " + err.Error() + "."}
	}
	access, err := credentials(set)
	if err != nil {
		return nil, err
	}
	key := strings.TrimSpace(set.Config["key_field"])
	if key == "" {
		key = KeyField
	}
	if !identifier.MatchString(key) {
		return nil, &connectors.Error{Class: connectors.Invalid, Field: "key_field", Public: "The name of the field for callsync's key is no name of a field in EspoCRM."}
	}
	s := &session{site: site, keyField: key, defaultOwner: strings.TrimSpace(set.Config["default_owner"]), now: set.Now}
	if s.now == nil {
		s.now = time.Now
	}
	s.owners.Now, s.users.Now, s.meta.Now, s.labels.Now = s.now, s.now, s.now, s.now
	s.http = httpx.NewClient(httpx.ClientOptions{BaseURL: site + apiPath, Transport: set.Transport, Timeout: requestTimeout})
	s.http.SetHeader("Accept", "application/json")
	s.http.SetPreRequestHook(access.authorize)
	return s, nil
}

// siteURL is the address of the site. People also paste that of the API, or of a page.
func siteURL(raw string) (string, error) {
	u, err := httpx.ParseBaseURL(raw)
	if err != nil {
		return "", err
	}
	if u.RawQuery != "" {
		return "", errQuery
	}
	path := strings.TrimRight(u.Path, "/")
	path = strings.TrimSuffix(path, apiPath)
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(path, "/")}).String(), nil
}
