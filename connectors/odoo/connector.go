// Package odoo writes calls, their contacts, leads, activities, notes and tickets into Odoo 14 and later, hosted or on a
// customer's own server.
//
// Odoo has no call object of its own, so a connection writes calls as what its Odoo has (see callModel): the phone calls of
// an added module (crm.phonecall), or else a note in the chatter of the contact or lead, which Odoo counts as a finished
// activity of the type Call. Every record has an External ID that is made of callsync's key, and is written by load(), the
// method of Odoo's imports: one request, in one transaction, makes the record or updates the one of that External ID.
//
// What is said of Odoo in this package was read in its source and seen on running Odoos 19.0 and 14.0, unless a comment
// calls it unconfirmed.
package odoo

import (
	"embed"
	_ "embed"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/internal/httpx"
)

// ID is the connector's id, and Label its name for people.
const (
	ID    = "odoo"
	Label = "Odoo"
)

// Module is the module name in the External IDs of callsync's records.
const Module = "__callsync__"

// The ways to speak to Odoo (setting protocol).
const (
	ProtocolAuto  = "auto"
	ProtocolJSON2 = "json2"
	ProtocolJSON  = "jsonrpc"
	ProtocolXML   = "xmlrpc"
)

// The models that calls can be written as (setting call_model). ModelNote is Odoo's own note in a chatter.
const (
	ModelAuto      = "auto"
	ModelNote      = "mail.message"
	ModelPhonecall = "crm.phonecall"
	ModelVoip      = "voip.call"
	ModelEvent     = "calendar.event"
)

const (
	requestTimeout = 60 * time.Second
	// maxUpload leaves a recording in base64 below the 128 MiB that Odoo 16 and later take in one request
	// (odoo/http.py, DEFAULT_MAX_CONTENT_LENGTH).
	maxUpload = 64 << 20
	// concurrency spares the workers of small servers, of which a default installation has two to five.
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
			{Name: "base_url", Label: "Address of Odoo", Required: true, Help: "As you open it in the browser, such as https://example.odoo.com."},
			{Name: "database", Label: "Database",
				Help: "Its name. Odoo before 19 always needs it; Odoo 19 only where the server has several. On odoo.com it is the first word of the address."},
			{Name: "username", Label: "User name", Help: "The e-mail or login of callsync's user. Odoo before 19 needs it."},
			{Name: "api_key", Label: "API key", Secret: true, Required: true,
				Help: "Of that user: My Profile → Account Security → New API Key. Odoo before 14 takes the user's password here."},
			{Name: "call_model", Label: "Write calls as", Default: ModelAuto, Options: []string{ModelAuto, ModelNote, ModelEvent, ModelPhonecall, ModelVoip},
				Help: "auto: phone calls (crm.phonecall) where a module adds them, else notes of the type Call in the chatter of the contact (mail.message). calendar.event: meetings in the calendar."},
			{Name: "fallback_contact", Label: "Contact for calls without a contact",
				Help: "The id of the contact whose chatter gets notes and activities that belong to nobody. Empty: the contact of callsync's own user."},
			{Name: "forms", Label: "Write forms as", Default: formsLead, Options: []string{formsLead, formsNote},
				Help: "lead: a new lead for each form, if the CRM app is there. note: a note in the chatter of the contact."},
			{Name: "company_id", Label: "Company", Help: "The id of the company whose records callsync sees and makes, where Odoo has several. Empty: those of callsync's user."},
			{Name: "protocol", Label: "Protocol", Default: ProtocolAuto, Options: []string{ProtocolAuto, ProtocolJSON2, ProtocolJSON, ProtocolXML},
				Help: "auto: JSON-2 where Odoo has it (19 and later), else JSON-RPC. xmlrpc: where a proxy lets only /xmlrpc/2 through."},
		},
		Idempotency:    connectors.KeyedUpsert,
		RequestTimeout: requestTimeout,
		Concurrency:    concurrency,
		MaxUpload:      maxUpload,
		Matches:        []string{connectors.ObjectContact, connectors.ObjectLead, connectors.ObjectCompany},
		Creates:        []string{connectors.ObjectContact, connectors.ObjectLead},
		Mappings:       mappings,
		Setup: "In Odoo, create an internal user callsync with an e-mail address and the rights Contact Creation and, for leads, " +
			"Sales: User: All Documents. Log in as this user and make an API key: My Profile → Account Security → New API Key " +
			"(Odoo 17 and later let keys end; choose the longest time). Enter the address, the user name, the key and, before Odoo 19, " +
			"the name of the database, then press Test. On odoo.com the API is part of the Custom plan only.",
		Docs: "docs/crms/odoo.md",
	}
}

// What the setting forms may be.
const (
	formsLead = "lead"
	formsNote = "note"
)

var (
	databaseName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)
	printable    = regexp.MustCompile(`^[!-~]+$`)
)

// Open implements connectors.Connector.
func (connector) Open(set connectors.Settings) (connectors.Session, error) {
	site, err := siteURL(set.Config["base_url"])
	if err != nil {
		return nil, &connectors.Error{Class: connectors.Invalid, Field: "base_url", Err: err,
			Public: "The address of Odoo cannot be used: " + err.Error() + "."}
	}
	s := &session{site: site, now: set.Now, key: strings.TrimSpace(set.Secrets["api_key"]), login: strings.TrimSpace(set.Config["username"]),
		database: strings.TrimSpace(set.Config["database"])}
	if s.now == nil {
		s.now = time.Now
	}
	bad := func(field, public string) (connectors.Session, error) {
		return nil, &connectors.Error{Class: connectors.Invalid, Field: field, Public: public}
	}
	option := func(name, otherwise string, options ...string) (string, bool) {
		v := strings.TrimSpace(set.Config[name])
		if v == "" {
			v = otherwise
		}
		for _, o := range options {
			if v == o {
				return v, true
			}
		}
		return "", false
	}
	var ok bool
	if s.key == "" {
		return bad("api_key", "The API key is missing. Make one in Odoo: My Profile → Account Security → New API Key.")
	}
	if s.protocol, ok = option("protocol", ProtocolAuto, ProtocolAuto, ProtocolJSON2, ProtocolJSON, ProtocolXML); !ok {
		return bad("protocol", "The protocol must be auto, json2, jsonrpc or xmlrpc.")
	}
	if s.protocol == ProtocolJSON2 && !printable.MatchString(s.key) {
		return bad("api_key", "The API key holds characters that no key of Odoo has. Copy it again.")
	}
	if s.callModel, ok = option("call_model", ModelAuto, ModelAuto, ModelNote, ModelEvent, ModelPhonecall, ModelVoip); !ok {
		return bad("call_model", "callsync cannot write calls as this. Choose auto, mail.message, calendar.event, crm.phonecall or voip.call.")
	}
	if s.forms, ok = option("forms", formsLead, formsLead, formsNote); !ok {
		return bad("forms", "Forms are written as lead or note.")
	}
	if s.database != "" && !databaseName.MatchString(s.database) {
		return bad("database", "This is no name of a database in Odoo.")
	}
	for _, n := range []struct {
		field string
		to    *int64
	}{{"fallback_contact", &s.fallback}, {"company_id", &s.company}} {
		text := strings.TrimSpace(set.Config[n.field])
		if text == "" {
			continue
		}
		if *n.to, err = strconv.ParseInt(text, 10, 64); err != nil || *n.to <= 0 {
			return bad(n.field, "This is no id of Odoo. The number at the end of the record's address in the browser is one.")
		}
	}
	if s.protocol == ProtocolJSON || s.protocol == ProtocolXML {
		if err := s.needsLogin(); err != nil {
			return nil, err
		}
	}
	s.models.Now, s.who.Now, s.owners.Now, s.partners.Now = s.now, s.now, s.now, s.now
	s.http = httpx.NewClient(httpx.ClientOptions{BaseURL: site, Transport: set.Transport, Timeout: requestTimeout})
	s.http.SetPreRequestHook(setLength)
	return s, nil
}

// needsLogin demands what JSON-RPC and XML-RPC cannot do without.
func (s *session) needsLogin() error {
	switch {
	case s.database == "":
		return &connectors.Error{Class: connectors.Invalid, Field: "database", NotSent: true,
			Public: "This Odoo needs the name of its database. Enter it in the connection; on odoo.com it is the first word of the address."}
	case s.login == "":
		return &connectors.Error{Class: connectors.Invalid, Field: "username", NotSent: true,
			Public: "This Odoo needs the name of callsync's user beside the key. Enter it in the connection."}
	}
	return nil
}

// siteURL is the address of the site. People also paste that of a page.
func siteURL(raw string) (string, error) {
	u, err := httpx.ParseBaseURL(raw)
	if err != nil {
		return "", err
	}
	path := strings.TrimRight(u.Path, "/")
	for _, page := range []string{"/web", "/odoo", "/jsonrpc", "/xmlrpc/2", "/json/2"} {
		path = strings.TrimSuffix(path, page)
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}).String(), nil
}
