// Package salesforcefake is a Salesforce org in memory, as strict as the vendor's descriptions are where callsync touches it:
// sessions, the day's requests with their header, types, lengths, restricted picklists, required fields, fields that only
// a create may set, field-level security, references, the rules of WhoId and WhatId, external ids, row locks, duplicate and
// assignment rules, collections, SOQL, SOSL with an index that lags, files, and records that people delete, merge and
// convert. It can fail in the ways real networks do.
package salesforcefake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/callsync/callsync/internal/crmfake"
)

// Token is the access token that the fake accepts unless Options name others. ClientID and ClientSecret are its app's.
const (
	Token        = "00D000000000001!fake-session"
	ClientID     = "fake-consumer-key"
	ClientSecret = "fake-consumer-secret"
)

// Options configure an org.
type Options struct {
	// Tokens are the access tokens that are accepted; nil means Token.
	Tokens []string
	// NoFields leaves out callsync's own fields, as in an org that has not seen callsync.
	NoFields bool
	// Hidden are fields that field-level security hides, by object; ReadOnly those that it does not let anybody write.
	Hidden, ReadOnly map[string][]string
	// MayCustomize lets the user add fields by the Tooling API.
	MayCustomize bool
	// PersonAccounts turns person accounts on.
	PersonAccounts bool
	// DuplicateRules warn of people with the name or e-mail of others; BlockDuplicates forbids them.
	DuplicateRules, BlockDuplicates bool
	// AssignTo is the user to whom the assignment rules give new leads and cases; empty means that there are none.
	AssignTo string
	// RecordType is the default record type of Tasks, whose picklists allow a part of the values; empty means none.
	RecordType string
	// RowLock is how long a write holds the rows of its parents; another one that comes meanwhile is refused.
	RowLock time.Duration
	// SearchLag is how long a change stays invisible to the search; negative means none, zero 3 seconds.
	SearchLag time.Duration
	// NarrowSearch takes one plain term in a search, and finds it anywhere in a number.
	NarrowSearch bool
	// PerDay is how many requests the org may send in 24 hours; zero means 100,000.
	PerDay int
	// PageSize is how many rows a query gives at once; zero means 2,000.
	PageSize int
	// OldUpserts answers an update by external id with 204 and no body, as old versions do.
	OldUpserts bool
	// Owners are e-mails of users; nil means agent1@example.com to agent5@example.com.
	Owners []string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Fake is the org; it is an http.Handler.
type Fake struct {
	opt Options

	mu      sync.Mutex
	next    int
	defs    map[string]*object
	records map[string]map[string]*record
	// order are the ids of an object's records as they were made.
	order   map[string][]string
	tokens  map[string]bool
	refresh map[string]bool
	codes   map[string]string
	cursors map[string]cursor
	// locked are the rows that a write holds.
	locked map[string]bool
	// used are the requests since the beginning of the count, which begins anew after a day.
	used  int
	since time.Time
	lag   time.Duration
	// requests counts what was asked, by method and kind.
	requests map[string]int
	content  map[string][]byte

	faults crmfake.Injector
}

// New makes an org with default data.
func New(o Options) *Fake {
	if o.Tokens == nil {
		o.Tokens = []string{Token}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.PerDay == 0 {
		o.PerDay = 100_000
	}
	if o.PageSize == 0 {
		o.PageSize = 2000
	}
	if o.SearchLag == 0 {
		o.SearchLag = 3 * time.Second
	}
	if o.Owners == nil {
		for i := range 5 {
			o.Owners = append(o.Owners, fmt.Sprintf("agent%d@example.com", i+1))
		}
	}
	f := &Fake{opt: o, since: o.Now(), defs: definitions(o), records: map[string]map[string]*record{}, order: map[string][]string{}, tokens: map[string]bool{},
		refresh: map[string]bool{}, codes: map[string]string{}, cursors: map[string]cursor{}, locked: map[string]bool{}, lag: max(o.SearchLag, 0),
		requests: map[string]int{}, content: map[string][]byte{}}
	f.faults.RateLimited, f.faults.Unavailable = tooMany, down
	for name := range f.defs {
		f.records[name] = map[string]*record{}
	}
	for _, t := range o.Tokens {
		f.tokens[t] = true
	}
	f.put("Organization", row{"Name": "Fake Org", "IsSandbox": true, "OrganizationType": "Developer Edition"})
	f.put("User", row{"Name": "callsync", "LastName": "callsync", "Email": "callsync@example.com", "Username": "callsync@example.com", "IsActive": true, "UserType": "Standard"})
	for _, email := range o.Owners {
		f.addOwner(email, true)
	}
	return f
}

// refusal is an answer outside 2xx, or the error of a row in a collection.
type refusal struct {
	status  int
	code    string
	message string
	fields  []string
	more    map[string]any
	// raw is a body that is no list of errors.
	raw any
}

func (r *refusal) Error() string { return r.code + ": " + r.message }

func refuse(status int, code string, fields []string, format string, args ...any) *refusal {
	return &refusal{status: status, code: code, message: fmt.Sprintf(format, args...), fields: fields}
}

// invalid is the usual 400.
func invalid(code string, fields []string, format string, args ...any) *refusal {
	return refuse(http.StatusBadRequest, code, fields, format, args...)
}

// body is the JSON of a refusal.
func (r *refusal) body() any {
	if r.raw != nil {
		return r.raw
	}
	one := map[string]any{"message": r.message, "errorCode": r.code}
	if r.fields != nil {
		one["fields"] = r.fields
	}
	for k, v := range r.more {
		one[k] = v
	}
	return []any{one}
}

// item is the JSON of a refusal in a collection.
func (r *refusal) item() map[string]any {
	fields := r.fields
	if fields == nil {
		fields = []string{}
	}
	one := map[string]any{"statusCode": r.code, "message": r.message, "fields": fields}
	for k, v := range r.more {
		one[k] = v
	}
	return one
}

// reply is an answer.
type reply struct {
	status int
	body   any
}

func ok(body any) reply { return reply{http.StatusOK, body} }

// tooMany is the answer to more long requests at once than an org may have.
func tooMany(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprint(w, `[{"message":"ConcurrentPerOrgLongTxn Limit exceeded","errorCode":"REQUEST_LIMIT_EXCEEDED"}]`)
}

func down(w http.ResponseWriter) {
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprint(w, `[{"message":"Server unavailable","errorCode":"SERVER_UNAVAILABLE"}]`)
}

var dataPath = regexp.MustCompile(`^/services/data/v(\d{2,3})\.0(/.*)?$`)

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/_fake/faults":
		f.faults.ServeHTTP(w, r)
		return
	case r.URL.Path == "/_fake/state" || r.URL.Path == "/":
		f.serveState(w, r)
		return
	case strings.HasPrefix(r.URL.Path, "/services/oauth2/"):
		f.serveOAuth(w, r)
		return
	}
	multipart := strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data")
	var body []byte
	if !multipart {
		var err error
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20)); err != nil {
			return
		}
	}
	if f.faults.Before(w, r) {
		return
	}
	status, out := f.answer(r, body)
	if f.faults.After(w, r) {
		return
	}
	f.mu.Lock()
	w.Header().Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d", f.used, f.opt.PerDay))
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	var b bytes.Buffer
	if out != nil {
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(out); err != nil {
			status = http.StatusInternalServerError
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// answer authenticates, meters and runs one request.
func (f *Fake) answer(r *http.Request, body []byte) (int, any) {
	out, err := f.run(r, body)
	if no, is := err.(*refusal); is {
		return no.status, no.body()
	}
	if out.status == 0 {
		out.status = http.StatusOK
	}
	return out.status, out.body
}

func (f *Fake) run(r *http.Request, body []byte) (reply, error) {
	m := dataPath.FindStringSubmatch(r.URL.EscapedPath())
	if m == nil {
		return reply{}, &refusal{status: http.StatusNotFound, raw: "<html>URL No Longer Exists</html>"}
	}
	f.mu.Lock()
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	known := f.tokens[token]
	if now := f.opt.Now(); now.Sub(f.since) >= 24*time.Hour {
		f.used, f.since = 0, now
	}
	full := f.used >= f.opt.PerDay
	if bearer && known && !full {
		f.used++
	}
	f.mu.Unlock()
	switch {
	case !bearer || !known:
		return reply{}, refuse(http.StatusUnauthorized, "INVALID_SESSION_ID", nil, "Session expired or invalid")
	case full:
		return reply{}, refuse(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", nil, "TotalRequests Limit exceeded.")
	}
	path := strings.Trim(m[2], "/")
	var parts []string
	for _, p := range strings.Split(path, "/") {
		s, err := url.PathUnescape(p)
		if err != nil {
			return reply{}, refuse(http.StatusNotFound, "NOT_FOUND", nil, "The requested resource does not exist")
		}
		parts = append(parts, s)
	}
	kind := strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
	if len(body) > 0 && !kind {
		return reply{}, refuse(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", nil, "Content-Type header specified in HTTP request is not supported: %s", r.Header.Get("Content-Type"))
	}
	return f.route(r, parts, body)
}

// methodNotAllowed is the answer to a verb that a resource has not.
func methodNotAllowed(r *http.Request, allowed string) error {
	return refuse(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", nil, "HTTP Method '%s' not allowed. Allowed are %s", r.Method, allowed)
}

func (f *Fake) route(r *http.Request, parts []string, body []byte) (reply, error) {
	q := r.URL.Query()
	f.count(r.Method, parts)
	switch parts[0] {
	case "query", "queryAll":
		if r.Method != http.MethodGet {
			return reply{}, methodNotAllowed(r, "GET")
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(parts) == 2 {
			return f.nextPage(r, parts)
		}
		return f.query(r, q.Get("q"), parts[0] == "queryAll")
	case "search":
		if r.Method != http.MethodGet {
			return reply{}, methodNotAllowed(r, "GET")
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.search(q.Get("q"))
	case "limits":
		f.mu.Lock()
		defer f.mu.Unlock()
		return ok(map[string]any{"DailyApiRequests": map[string]int{"Max": f.opt.PerDay, "Remaining": f.opt.PerDay - f.used}}), nil
	case "chatter":
		if strings.Join(parts, "/") == "chatter/users/me" {
			f.mu.Lock()
			defer f.mu.Unlock()
			return ok(map[string]string{"id": f.order["User"][0]}), nil
		}
	case "tooling":
		if strings.Join(parts, "/") == "tooling/sobjects/CustomField" && r.Method == http.MethodPost {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.makeField(body)
		}
	case "ui-api":
		if len(parts) == 5 && parts[1] == "object-info" && parts[3] == "picklist-values" {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.picklists(parts[2], parts[4])
		}
	case "composite":
		if len(parts) >= 2 && parts[1] == "sobjects" {
			return f.collections(r, parts[2:], body)
		}
	case "sobjects":
		if len(parts) >= 2 {
			return f.sobjects(r, parts[1:], body)
		}
	}
	return reply{}, refuse(http.StatusNotFound, "NOT_FOUND", nil, "The requested resource does not exist")
}

// sobjects serves /sobjects/…
func (f *Fake) sobjects(r *http.Request, parts []string, body []byte) (reply, error) {
	name := parts[0]
	f.mu.Lock()
	def := f.defs[name]
	f.mu.Unlock()
	if def == nil {
		return reply{}, refuse(http.StatusNotFound, "NOT_FOUND", nil, "The requested resource does not exist")
	}
	switch {
	case len(parts) == 1 && r.Method == http.MethodPost && name == "ContentVersion":
		return f.uploadFile(r, body)
	case len(parts) == 1 && r.Method == http.MethodPost:
		v, err := parse(body)
		if err != nil {
			return reply{}, err
		}
		id, err := f.save(r, name, "", v)
		return reply{http.StatusCreated, saved(id)}, err
	case len(parts) == 1:
		return reply{}, methodNotAllowed(r, "HEAD,GET,POST")
	case len(parts) == 2 && parts[1] == "describe" && r.Method == http.MethodGet:
		f.mu.Lock()
		defer f.mu.Unlock()
		return ok(f.describe(name)), nil
	case len(parts) == 2:
		return f.row(r, name, parts[1], body)
	case len(parts) == 3 && r.Method == http.MethodPatch:
		return f.upsert(r, name, parts[1], parts[2], body)
	case len(parts) == 3 && r.Method == http.MethodGet:
		f.mu.Lock()
		defer f.mu.Unlock()
		ids, err := f.byExternalID(name, parts[1], parts[2])
		if err != nil {
			return reply{}, err
		}
		if len(ids) == 0 {
			return reply{}, refuse(http.StatusNotFound, "NOT_FOUND", nil, "The requested resource does not exist")
		}
		return ok(f.full(name, f.records[name][ids[0]], nil)), nil
	}
	return reply{}, methodNotAllowed(r, "HEAD,GET,POST,DELETE,PATCH")
}

// row serves one record by its id.
func (f *Fake) row(r *http.Request, name, id string, body []byte) (reply, error) {
	switch r.Method {
	case http.MethodGet:
		f.mu.Lock()
		defer f.mu.Unlock()
		rec, err := f.find(name, id)
		if err != nil {
			return reply{}, err
		}
		var fields []string
		if s := r.URL.Query().Get("fields"); s != "" {
			for _, n := range strings.Split(s, ",") {
				n = strings.TrimSpace(n)
				if _, known := f.visible(name, n); !known {
					return reply{}, invalid("INVALID_FIELD", nil, "\n%s\n^\nERROR at Row:1:Column:1\nNo such column '%s' on entity '%s'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name.", s, n, name)
				}
				fields = append(fields, n)
			}
		}
		return ok(f.full(name, rec, fields)), nil
	case http.MethodPatch:
		v, err := parse(body)
		if err != nil {
			return reply{}, err
		}
		_, err = f.save(r, name, id, v)
		return reply{status: http.StatusNoContent}, err
	case http.MethodDelete:
		f.mu.Lock()
		defer f.mu.Unlock()
		rec, err := f.find(name, id)
		if err != nil {
			return reply{}, err
		}
		f.delete(name, rec)
		return reply{status: http.StatusNoContent}, nil
	}
	return reply{}, methodNotAllowed(r, "HEAD,GET,POST,DELETE,PATCH")
}

func saved(id string) map[string]any {
	return map[string]any{"id": id, "success": true, "errors": []any{}}
}

// parse reads a record's JSON.
func parse(body []byte) (row, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v row
	if err := d.Decode(&v); err != nil || v == nil {
		return nil, invalid("JSON_PARSER_ERROR", nil, "The HTTP entity body is required, but this request has no entity body or is no JSON.")
	}
	return v, nil
}

func (f *Fake) count(method string, parts []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := parts[0]
	if len(parts) > 1 && (name == "sobjects" || name == "composite") {
		name = strings.Join(parts[:2], "/")
	}
	if len(parts) > 2 && parts[len(parts)-1] == "describe" {
		name += "/describe"
	}
	f.requests[method+" "+name]++
}
