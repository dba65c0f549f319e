// Package connectors is the outbound contract: a small core every CRM has, capabilities as further interfaces, and the
// classes of errors. Each CRM is a package below this one; cmd/callsync registers them.
package connectors

import (
	"context"
	"net/http"
	"sort"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// Connector is one kind of CRM.
type Connector interface {
	Info() Info
	// Open makes a session for one connection. It sends nothing; it returns an *Error of class Invalid for settings
	// that cannot work.
	Open(Settings) (Session, error)
}

// Settings are one connection's.
type Settings struct {
	ConnectionID string
	Config       map[string]string
	Secrets      map[string]string
	// Transport carries the requests: it refuses private hosts, charges the rate budget and counts. Nil means a plain one.
	// An *Error that it returns (a budget that is spent) is returned as it is.
	Transport http.RoundTripper
	// Tokens are set for a connection that was connected by OAuth; then Secrets hold no token. See Bearer.
	Tokens Tokens
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Session is the core that every CRM has: it writes a call. A session is used by several workers at once. Methods
// return an *Error. The capabilities below are found by type assertion.
type Session interface {
	// WriteCall creates the record of w.Key or updates it. It must make one record out of any number of repetitions,
	// as far as the connection's Idempotency reaches.
	WriteCall(ctx context.Context, w CallWrite) (Written, error)
}

// Idempotency is how a connection makes one record out of repeated writes. Its connect test decides it.
type Idempotency string

// The kinds of idempotency.
const (
	KeyedUpsert     Idempotency = "keyed_upsert"
	LookupThenWrite Idempotency = "lookup_then_write"
	CreateOnly      Idempotency = "create_only"
)

// CallWrite is one write of a call record.
type CallWrite struct {
	// Key is callsync's own id of the record, the same in every attempt.
	Key string
	// RemoteID is the record's id in the CRM where it is known; then the write is an update.
	RemoteID string
	// Fields are the CRM's fields and their values, as the mapping made them: string, bool, int64, float64, time.Time,
	// []string, or nil to clear. On an update only those that change.
	Fields map[string]any
	// Call is the canonical call; only connectors without fields of their own (signed webhooks) read it.
	Call call.Call
	// Links are the records the call belongs to; a CRM that can links them in the same request.
	Links []Ref
}

// Ref names a record of the CRM: its object ("contact") and id.
type Ref struct {
	Object string `json:"object"`
	ID     string `json:"id"`
}

// Written is the outcome of a write.
type Written struct {
	RemoteID string
	// URL opens the record in the CRM's UI; empty where it cannot be known.
	URL     string
	Created bool
	// Linked are those of the write's links that the CRM made in the same request.
	Linked   []Ref
	Warnings []Warning
	// Stored are values as the CRM's answer to the write shows them, in the form of a CallReader: of the fields of the write,
	// and of fields that the connector filled by itself because the CRM demands them. What the answer does not show is
	// missing. It tells what the CRM made of a value from what a person did later.
	Stored map[string]any
}

// Warning is a loss a person should know of, such as text that was cut.
type Warning struct {
	Field string `json:"field"`
	Text  string `json:"text"`
}

// CallFinder looks for our record of a call by key: needed by LookupThenWrite, and after an unknown outcome.
type CallFinder interface {
	// FindCall returns the record with our key, or ok false.
	FindCall(ctx context.Context, key string) (id string, ok bool, err error)
}

// SureFinder is a CallFinder of CreateOnly connections that says how far its answer goes. Elsewhere a create-only CRM that
// does not show the record may have it all the same, and the delivery is parked.
type SureFinder interface {
	CallFinder
	// FindsSurely tells whether FindCall misses no record that is older than the connector's LookupLag.
	FindsSurely() bool
}

// CallReader reads fields of a record as they are now.
type CallReader interface {
	ReadCall(ctx context.Context, id string, fields []string) (map[string]any, error)
}

// Linker ties a call record to another one, once.
type Linker interface {
	LinkCall(ctx context.Context, callID string, to Ref) error
}

// PhoneQuery is a number to look for, in the forms CRMs store.
type PhoneQuery struct {
	E164     string // +14155550101
	National string // 4155550101
	Country  string // US
	// Objects are the objects to search, in the order of preference ("contact", "lead", "company"); none means contacts.
	// A connector passes over those that its CRM has not.
	Objects []string
}

// Contact is a person or company record of the CRM.
type Contact struct {
	Ref
	Name    string
	OwnerID string
	// URL opens it in the CRM's UI; empty where it cannot be known.
	URL string
	// Numbers are its phone numbers as stored; the caller compares them as E.164.
	Numbers []string
	// Emails are its e-mail addresses, as far as an EmailMatcher tells.
	Emails []string
	// Company is the name of the company it belongs to, where the CRM says so in the same answer; people tell candidates
	// apart by it.
	Company    string
	ModifiedAt time.Time
}

// ContactMatcher finds contacts by phone. It may return too many (the caller re-checks E.164) but not too few.
type ContactMatcher interface {
	FindContacts(ctx context.Context, q PhoneQuery) ([]Contact, error)
}

// EmailQuery is an e-mail address to look for.
type EmailQuery struct {
	// Email is in small letters, without a name.
	Email string
	// Objects are as in a PhoneQuery.
	Objects []string
}

// EmailMatcher finds contacts by e-mail: those of forms without a number, and those whose number nobody has. It may return
// too many (the caller compares Emails) but not too few.
type EmailMatcher interface {
	FindContactsByEmail(ctx context.Context, q EmailQuery) ([]Contact, error)
}

// ContactCreator creates contacts, one for each key.
type ContactCreator interface {
	// CreateContact returns a Conflict with RemoteID where the CRM says that the contact exists.
	CreateContact(ctx context.Context, w ContactWrite) (Written, error)
	// FindContactByKey returns the contact that an earlier CreateContact with this key made, or ok false.
	FindContactByKey(ctx context.Context, key string) (Contact, bool, error)
}

// ContactWrite is a contact to create.
type ContactWrite struct {
	Key    string
	Fields map[string]any
	// Object is "contact" or "lead"; empty means a contact.
	Object string
}

// Owner is a user of the CRM who can own records.
type Owner struct {
	ID     string
	Email  string
	Name   string
	Active bool
}

// OwnerResolver finds owners by e-mail; ok is false where there is none.
type OwnerResolver interface {
	FindOwner(ctx context.Context, email string) (Owner, bool, error)
}

// DispositionOption is one value of the CRM's list of call outcomes, or of another of its lists.
type DispositionOption = records.SchemaOption

// DispositionLister lists the outcomes the account knows. A mapping matches the call's disposition with their labels.
type DispositionLister interface {
	Dispositions(ctx context.Context) ([]DispositionOption, error)
}

// SchemaDescriber lists the fields of an object ("call", "contact").
type SchemaDescriber interface {
	Describe(ctx context.Context, object string) (Schema, error)
}

// Schema is the fields of one object of the CRM. It is kept as it was described (records.Schema).
type Schema = records.Schema

// FieldType is the type of a CRM's field.
type FieldType = records.SchemaType

// The types of CRM fields.
const (
	TypeText     = records.SchemaText
	TypeLongText = records.SchemaLongText
	TypeHTML     = records.SchemaHTML
	TypeNumber   = records.SchemaNumber
	TypeBool     = records.SchemaBool
	TypeDate     = records.SchemaDate
	TypeDateTime = records.SchemaDateTime
	TypePicklist = records.SchemaPicklist
	TypeMulti    = records.SchemaMulti
	TypeRef      = records.SchemaRef
)

// SchemaField is one field of the CRM.
type SchemaField = records.SchemaField

// Verifier is the connect test.
type Verifier interface {
	// Verify checks credentials and rights, makes the external-id fields where the CRM allows, and decides the
	// connection's idempotency. It returns an error only if it could not find out; a failed check is in the report.
	Verify(ctx context.Context) (Report, error)
}

// Report is the result of a connect test.
type Report struct {
	Checks      []Check     `json:"checks"`
	Idempotency Idempotency `json:"idempotency"`
	// Account names the CRM account for people ("Acme Inc, 1234567").
	Account string `json:"account,omitempty"`
}

// OK tells whether every check passed.
func (r Report) OK() bool {
	for _, c := range r.Checks {
		if !c.OK {
			return false
		}
	}
	return true
}

// Check is one line of a connect test's list.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Text says what was found and, where it failed, what to do.
	Text string `json:"text"`
}

// Info describes a connector to people and to the API.
type Info struct {
	ID     string  `json:"id"`
	Label  string  `json:"label"`
	Fields []Field `json:"fields"`
	// Capabilities is filled by the registry from the interfaces a session implements.
	Capabilities []string    `json:"capabilities"`
	Idempotency  Idempotency `json:"idempotency"`
	// LookupLag is how long after a write a look-up may still not see it.
	LookupLag time.Duration `json:"-"`
	// RequestTimeout bounds one request.
	RequestTimeout time.Duration `json:"-"`
	// Limits are the vendor's, as far as it documents them; the connection's rate budget comes from them.
	Limits []RateLimit `json:"limits,omitempty"`
	// Concurrency is how many requests of one connection may be under way at once; zero means that the vendor sets no limit.
	Concurrency int `json:"concurrency,omitempty"`
	// MaxUpload is the size in bytes of the largest recording it uploads; zero where it does not upload.
	MaxUpload int64 `json:"max_upload,omitempty"`
	// Matches are the objects in which it looks for phone numbers, in the default order of preference; none means contacts.
	Matches []string `json:"matches,omitempty"`
	// Creates are the objects that can be created for an unknown number ("contact", "lead"); none means contacts, where
	// the capability is there at all.
	Creates []string `json:"creates,omitempty"`
	// Mappings are the default mapping documents by object (ObjectCall and the others), YAML.
	Mappings map[string][]byte `json:"-"`
	Setup    string            `json:"setup"`
	Docs     string            `json:"docs,omitempty"`
	// Demo tells that it is the CRM of the demo data: people do not choose it.
	Demo bool `json:"-"`
}

// Field is one setting of a connection.
type Field struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Help     string   `json:"help,omitempty"`
	Secret   bool     `json:"secret"`
	Required bool     `json:"required"`
	Default  string   `json:"default,omitempty"`
	Options  []string `json:"options,omitempty"`
}

// Registry holds the connectors of a binary by id.
type Registry map[string]Connector

// NewRegistry registers connectors; it panics on a doubled id, which is a programming error.
func NewRegistry(all ...Connector) Registry {
	r := Registry{}
	for _, c := range all {
		id := c.Info().ID
		if _, ok := r[id]; ok {
			panic("connectors: " + id + " registered twice")
		}
		r[id] = c
	}
	return r
}

// Infos lists the connectors that people can choose, by id.
func (r Registry) Infos() []Info {
	out := make([]Info, 0, len(r))
	for _, c := range r {
		info := c.Info()
		if info.Demo {
			continue
		}
		if p, ok := c.(Prototyper); ok {
			info.Capabilities = Capabilities(p.Prototype())
		}
		if _, ok := c.(Authorizer); ok {
			info.Capabilities = append(info.Capabilities, CapabilityOAuth)
		}
		out = append(out, info)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}
