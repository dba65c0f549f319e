// Package hubspotfake is a HubSpot account in memory, as strict as the vendor where the vendor's rules are known:
// authentication, scopes, property types, unknown properties, unique values, the search's lagging index, limits with
// their bodies and headers. It keeps what it is given, shows it on a page, and can fail in the ways real networks do.
package hubspotfake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The scopes that the endpoints ask for.
const (
	ScopeContactsRead  = "crm.objects.contacts.read"
	ScopeContactsWrite = "crm.objects.contacts.write"
	ScopeOwnersRead    = "crm.objects.owners.read"
	ScopeSchemasRead   = "crm.schemas.contacts.read"
	ScopeSchemasWrite  = "crm.schemas.contacts.write"
	ScopeCompaniesRead = "crm.objects.companies.read"
	ScopeDealsRead     = "crm.objects.deals.read"
	ScopeDealsWrite    = "crm.objects.deals.write"
	ScopeTickets       = "tickets"
	ScopeFiles         = "files"
	ScopeTranscripts   = "crm.extensions_calling_transcripts.write"
)

// AllScopes are all scopes that the fake knows.
var AllScopes = []string{ScopeContactsRead, ScopeContactsWrite, ScopeOwnersRead, ScopeSchemasRead, ScopeSchemasWrite,
	ScopeCompaniesRead, ScopeDealsRead, ScopeDealsWrite, ScopeTickets, ScopeFiles, ScopeTranscripts}

// Options configure an account.
type Options struct {
	// Tokens are the bearer tokens that are accepted, each with its scopes; nil scopes mean all. Nil means one token,
	// "pat-fake".
	Tokens map[string][]string
	// PortalID is the account's number; zero means 4242.
	PortalID int64
	// SearchLag is how long a change stays invisible to the search; negative means none, zero 3 seconds.
	SearchLag time.Duration
	// PerTenSeconds and SearchPerSecond are the limits; zero means 190 and 5, negative none.
	PerTenSeconds, SearchPerSecond int
	// PerDay is the daily limit; zero means none.
	PerDay int
	// Owners are e-mails of users; nil means agent1@example.com to agent5@example.com.
	Owners []string
	// ClientID and ClientSecret are those of the one app that may connect by OAuth; empty means "fake-client" and "fake-secret".
	ClientID, ClientSecret string
	// TokenLife is how long an access token of OAuth lives; zero means 30 minutes.
	TokenLife time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Fake is the account; it is an http.Handler.
type Fake struct {
	opt   Options
	mux   *http.ServeMux
	admin *http.ServeMux

	mu       sync.RWMutex
	data     data
	byUnique map[string]map[string]*object // "calls/name" -> value -> the record that has it
	byDigits map[string][]*object          // "contacts/" and last digits of phone numbers -> records
	links    map[Link]bool
	// linksOf has the links of each record, by "calls/id", from either end.
	linksOf map[string][]Link
	oauth   oauth

	meter  meter
	faults faults
}

// data is what survives a restart.
type data struct {
	NextID     int64                            `json:"next_id"`
	Objects    map[string]map[string]*object    `json:"objects"`
	Properties map[string]map[string]*Property  `json:"properties"`
	Groups     map[string]map[string]groupEntry `json:"groups"`
	Links      []Link                           `json:"links"`
	Owners     []Owner                          `json:"owners"`
	Files      []*File                          `json:"files,omitempty"`
	// Merged has, for the id of a record that was merged, the id of what came of it.
	Merged      map[string]string `json:"merged,omitempty"`
	Transcripts []*Transcript     `json:"transcripts,omitempty"`
}

// New makes an account with HubSpot's default properties.
func New(o Options) *Fake {
	if o.Tokens == nil {
		o.Tokens = map[string][]string{"pat-fake": nil}
	}
	if o.PortalID == 0 {
		o.PortalID = 4242
	}
	o.SearchLag = max(orDefault(o.SearchLag, 3*time.Second), 0)
	o.PerTenSeconds = orDefault(o.PerTenSeconds, 190)
	o.SearchPerSecond = orDefault(o.SearchPerSecond, 5)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Owners == nil {
		for i := range 5 {
			o.Owners = append(o.Owners, fmt.Sprintf("agent%d@example.com", i+1))
		}
	}
	o.ClientID, o.ClientSecret = orDefault(o.ClientID, "fake-client"), orDefault(o.ClientSecret, "fake-secret")
	o.TokenLife = orDefault(o.TokenLife, 30*time.Minute)
	f := &Fake{opt: o}
	f.data = data{NextID: 10001, Objects: map[string]map[string]*object{}, Properties: map[string]map[string]*Property{}, Groups: map[string]map[string]groupEntry{}}
	f.data.complete()
	for _, email := range o.Owners {
		f.addOwner(email)
	}
	f.reindex()
	f.routes()
	return f
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// complete adds what is not there yet, such as the objects that a file saved by an older fake lacks.
func (d *data) complete() {
	for kind, props := range defaultProperties() {
		if d.Objects[kind] == nil {
			d.Objects[kind] = map[string]*object{}
		}
		if d.Properties[kind] == nil {
			d.Properties[kind] = props
		}
		if d.Groups[kind] == nil {
			d.Groups[kind] = map[string]groupEntry{typeNames[kind].group: {}}
		}
	}
	if d.Merged == nil {
		d.Merged = map[string]string{}
	}
}

// Owner is a user of the account.
type Owner struct {
	ID        string `json:"id"`
	Email     string `json:"email"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	UserID    int64  `json:"userId"`
	Archived  bool   `json:"archived"`
}

// AddOwner adds a user and returns the id.
func (f *Fake) AddOwner(email string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addOwner(email)
}

// AddFormerOwner adds a user who has left.
func (f *Fake) AddFormerOwner(email string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addOwner(email)
	f.data.Owners[len(f.data.Owners)-1].Archived = true
}

func (f *Fake) addOwner(email string) string {
	id := f.nextID()
	name, _, _ := strings.Cut(email, "@")
	f.data.Owners = append(f.data.Owners, Owner{ID: id, Email: email, FirstName: name, LastName: "Demo", UserID: f.data.NextID})
	return id
}

func (f *Fake) nextID() string {
	f.data.NextID++
	return fmt.Sprint(f.data.NextID)
}

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/_fake/") {
		f.admin.ServeHTTP(w, r)
		return
	}
	r.URL.Path, r.URL.RawPath = canonical(r.URL.Path), ""
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_, route := f.mux.Handler(r)
	status := 0
	defer func() { f.meter.count(route, status) }()
	body, ok := readBody(w, r)
	if !ok {
		status = http.StatusBadRequest
		return
	}
	fault := f.faults.pick(r, body)
	if fault.latency > 0 && !pause(r, fault.latency) {
		return
	}
	switch fault.kind {
	case FaultRateLimit:
		status = http.StatusTooManyRequests
		tooMany(w, "TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.")
		return
	case FaultUnavailable:
		status = http.StatusServiceUnavailable
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>")
		return
	case FaultDrop:
		panic(http.ErrAbortHandler)
	case FaultHang:
		pause(r, fault.hang)
		panic(http.ErrAbortHandler)
	}
	rec := &recorder{header: w.Header(), status: http.StatusOK}
	if strings.HasPrefix(r.URL.Path, "/oauth/") || f.allowed(rec, r) {
		f.mux.ServeHTTP(rec, r)
	}
	switch fault.kind {
	case FaultCommitDrop:
		panic(http.ErrAbortHandler)
	case FaultCommitHang:
		if !pause(r, fault.hang) {
			return
		}
	case FaultCommitUnavailable:
		status = http.StatusBadGateway
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	status = rec.status
	w.WriteHeader(status)
	_, _ = w.Write(rec.body.Bytes())
}

// pause waits, and is false if the client went away.
func pause(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// recorder holds an answer back, so that it can be lost after the change is made.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(s int)           { r.status = s }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// allowed checks token and limits. The endpoints check scopes.
func (f *Fake) allowed(w http.ResponseWriter, r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch _, known := f.scopes(token); {
	case ok && !known && f.oauth.ended(token):
		fail(w, http.StatusUnauthorized, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired")
		return false
	case !ok || !known:
		fail(w, http.StatusUnauthorized, "INVALID_AUTHENTICATION", "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview")
		return false
	}
	return f.withinLimits(w, r)
}

// scopes are what a token may do; nil means everything.
func (f *Fake) scopes(token string) ([]string, bool) {
	if scopes, ok := f.opt.Tokens[token]; ok {
		return scopes, true
	}
	return f.oauth.scopes(token, f.opt.Now())
}

// scoped lets a request through whose token has the scope.
func (f *Fake) scoped(scope string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		have, _ := f.scopes(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if have != nil && !slices.Contains(have, scope) {
			answer(w, http.StatusForbidden, map[string]any{
				"status": "error", "category": "MISSING_SCOPES", "correlationId": correlationID(),
				"message": "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: https://developers.hubspot.com/scopes.",
				"errors": []any{map[string]any{"message": "One or more of the following scopes are required.",
					"context": map[string]any{"requiredGranularScopes": []string{scope}}}},
				"links": map[string]string{"scopes": "https://developers.hubspot.com/scopes"},
			})
			return
		}
		h(w, r)
	}
}

func (f *Fake) routes() {
	m := http.NewServeMux()
	for o, names := range typeNames {
		base := "/crm/v3/objects/" + o
		m.HandleFunc("GET "+base, f.scoped(names.read, f.list(o)))
		m.HandleFunc("POST "+base, f.scoped(names.write, f.create(o)))
		m.HandleFunc("GET "+base+"/{id}", f.scoped(names.read, f.read(o)))
		m.HandleFunc("PATCH "+base+"/{id}", f.scoped(names.write, f.update(o)))
		m.HandleFunc("DELETE "+base+"/{id}", f.scoped(names.write, f.archive(o)))
		m.HandleFunc("POST "+base+"/batch/upsert", f.scoped(names.write, f.batchUpsert(o)))
		m.HandleFunc("POST "+base+"/batch/update", f.scoped(names.write, f.batchUpdate(o)))
		m.HandleFunc("POST "+base+"/batch/read", f.scoped(names.read, f.batchRead(o)))
		m.HandleFunc("POST "+base+"/search", f.scoped(names.read, f.search(o)))
		if o == "contacts" || o == "companies" {
			m.HandleFunc("POST "+base+"/merge", f.scoped(names.write, f.merge(o)))
		}
		props := "/crm/v3/properties/" + o
		m.HandleFunc("GET "+props, f.scoped(ScopeSchemasRead, f.listProperties(o)))
		m.HandleFunc("POST "+props, f.scoped(ScopeSchemasWrite, f.createProperty(o)))
		m.HandleFunc("GET "+props+"/{name}", f.scoped(ScopeSchemasRead, f.readProperty(o)))
		m.HandleFunc("PATCH "+props+"/{name}", f.scoped(ScopeSchemasWrite, f.updateProperty(o)))
		m.HandleFunc("GET "+props+"/groups", f.scoped(ScopeSchemasRead, f.listGroups(o)))
		m.HandleFunc("POST "+props+"/groups", f.scoped(ScopeSchemasWrite, f.createGroup(o)))
	}
	m.HandleFunc("PUT /crm/v4/objects/{from}/{fromID}/associations/default/{to}/{toID}", f.scoped(ScopeContactsWrite, f.associate))
	m.HandleFunc("GET /crm/v4/objects/{from}/{fromID}/associations/{to}", f.scoped(ScopeContactsRead, f.listAssociations))
	m.HandleFunc("POST /crm/v4/associations/{from}/{to}/batch/read", f.scoped(ScopeContactsRead, f.batchAssociations))
	m.HandleFunc("POST /crm/v4/associations/{from}/{to}/batch/associate/default", f.scoped(ScopeContactsWrite, f.batchAssociate))
	m.HandleFunc("POST /files/v3/files", f.scoped(ScopeFiles, f.uploadFile))
	m.HandleFunc("DELETE /files/v3/files/{id}", f.scoped(ScopeFiles, f.deleteFile))
	m.HandleFunc("GET /files/v3/files/search", f.scoped(ScopeFiles, f.searchFiles))
	m.HandleFunc("POST /crm/v3/extensions/calling/transcripts", f.scoped(ScopeTranscripts, f.createTranscript))
	m.HandleFunc("GET /crm/v3/extensions/calling/transcripts/{id}", f.scoped(ScopeTranscripts, f.readTranscript))
	m.HandleFunc("DELETE /crm/v3/extensions/calling/transcripts/{id}", f.scoped(ScopeTranscripts, f.deleteTranscript))
	m.HandleFunc("GET /oauth/authorize", f.authorize)
	m.HandleFunc("POST /oauth/v3/token", f.token)
	m.HandleFunc("GET /crm/v3/owners", f.scoped(ScopeOwnersRead, f.listOwners))
	m.HandleFunc("GET /crm/v3/owners/{$}", f.scoped(ScopeOwnersRead, f.listOwners))
	m.HandleFunc("GET /crm/v3/owners/{id}", f.scoped(ScopeOwnersRead, f.readOwner))
	m.HandleFunc("GET /calling/v1/dispositions", f.scoped(ScopeContactsRead, f.listDispositions))
	m.HandleFunc("GET /account-info/v3/details", f.account)
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			probe := r.Clone(r.Context())
			probe.Method = method
			if _, pattern := m.Handler(probe); pattern != "/" && pattern != "" {
				fail(w, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "HTTP 405 Method Not Allowed")
				return
			}
		}
		fail(w, http.StatusNotFound, "", "resource not found")
	})
	f.mux = m

	a := http.NewServeMux()
	a.HandleFunc("GET /{$}", f.page)
	a.HandleFunc("GET /_fake/state", f.serveState)
	a.HandleFunc("POST /_fake/faults", f.serveFaults)
	f.admin = a
}

func (f *Fake) account(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"portalId": f.opt.PortalID, "accountType": "STANDARD", "timeZone": "Europe/Berlin",
		"companyCurrency": "EUR", "uiDomain": "app.hubspot.com", "dataHostingLocation": "eu1"})
}

// answer writes JSON without escaping HTML, as HubSpot does.
func answer(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
