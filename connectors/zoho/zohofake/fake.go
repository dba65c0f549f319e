// Package zohofake is a Zoho CRM account in memory, as strict as Zoho where its rules are known: tokens and scopes, types,
// lengths, demanded and unique fields, a result for each record whatever the status, a search that lags and finds too
// much, limits with their codes, and ten access tokens in ten minutes. What it is sent it keeps and shows on a page.
package zohofake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Token is the access token of an account without Options.Tokens.
const Token = "1000.fake"

// Options configure an account.
type Options struct {
	// Tokens are static access tokens, each with its scopes; nil scopes mean all. Nil means one, Token.
	Tokens map[string][]string
	// OrgID is the organization's number; empty means 60012345678.
	OrgID string
	// SearchLag is how long a change stays invisible to searches; negative means none, zero 3 seconds.
	SearchLag time.Duration
	// Concurrency is how many requests may be under way at once, Credits how many there are for 24 hours; zero means no limit.
	Concurrency, Credits int
	// Users are e-mails of users; nil means agent1@example.com to agent5@example.com.
	Users []string
	// ClientID and ClientSecret are those of the one client; empty means "1000.FAKE" and "fake-secret".
	ClientID, ClientSecret string
	// DataCenter is what the way back from the consent page says; empty means us.
	DataCenter string
	// TokenLife is how long an access token lives; zero means an hour.
	TokenLife time.Duration
	// Always200 answers every write of records with 200, as Zoho's OpenAPI files have it; else 201, 207 and 400 say more, as
	// its guide has it.
	Always200 bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Fake is the account; it is an http.Handler.
type Fake struct {
	opt Options
	mux *http.ServeMux

	mu      sync.Mutex
	next    int64
	records map[string]map[string]*Record // module -> id
	fields  map[string][]*Field
	users   []User
	files   map[string][]File // id of a record -> its attachments
	dead    map[string]bool   // ids of records that were deleted
	locked  map[string]bool
	lag     time.Duration
	busy    int
	spent   []time.Time
	asked   map[string]int
	faults  []Fault

	oauth oauth
}

// Record is a record of a module.
type Record struct {
	ID       string
	Fields   map[string]any
	Created  time.Time
	Modified time.Time
}

// User is somebody who can own records.
type User struct {
	ID     string
	Email  string
	Active bool
}

// File is an attachment.
type File struct {
	ID, Name string
	Content  []byte
}

// Fault is one way in which the next change fails.
type Fault string

// The faults. The ones named Commit do the work first.
const (
	FaultBusy       Fault = "429"
	FaultDown       Fault = "500"
	FaultDrop       Fault = "drop"
	FaultCommitDrop Fault = "commit_then_drop"
)

// New makes an account with Zoho's usual modules and fields.
func New(o Options) *Fake {
	if o.Tokens == nil {
		o.Tokens = map[string][]string{Token: nil}
	}
	o.OrgID = orDefault(o.OrgID, "60012345678")
	o.ClientID, o.ClientSecret = orDefault(o.ClientID, "1000.FAKE"), orDefault(o.ClientSecret, "fake-secret")
	o.DataCenter, o.TokenLife = orDefault(o.DataCenter, "us"), orDefault(o.TokenLife, time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Users == nil {
		for i := range 5 {
			o.Users = append(o.Users, fmt.Sprintf("agent%d@example.com", i+1))
		}
	}
	f := &Fake{opt: o, next: 4876876000001000000, records: map[string]map[string]*Record{}, fields: defaultFields(), files: map[string][]File{},
		dead: map[string]bool{}, locked: map[string]bool{}, lag: max(orDefault(o.SearchLag, 3*time.Second), 0), asked: map[string]int{}}
	for module := range f.fields {
		f.records[module] = map[string]*Record{}
	}
	for _, email := range o.Users {
		f.AddUser(email, true)
	}
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

func (f *Fake) id() string {
	f.next++
	return fmt.Sprint(f.next)
}

func (f *Fake) routes() {
	m := http.NewServeMux()
	m.HandleFunc("GET /crm/v8/org", f.scoped("ZohoCRM.org.READ", f.org))
	m.HandleFunc("GET /crm/v8/users", f.scoped("ZohoCRM.users.READ", f.listUsers))
	m.HandleFunc("GET /crm/v8/settings/fields", f.scoped("ZohoCRM.settings.fields.READ", f.listFields))
	m.HandleFunc("POST /crm/v8/settings/fields", f.scoped("ZohoCRM.settings.fields.CREATE", f.createFields))
	m.HandleFunc("GET /crm/v8/settings/layouts/{id}", f.scoped("ZohoCRM.settings.layouts.READ", f.layout))
	m.HandleFunc("GET /crm/v8/{module}", f.module("READ", f.list))
	m.HandleFunc("POST /crm/v8/{module}", f.module("CREATE", f.insert))
	m.HandleFunc("PUT /crm/v8/{module}", f.module("UPDATE", f.updateMany))
	m.HandleFunc("GET /crm/v8/{module}/search", f.module("READ", f.search))
	m.HandleFunc("GET /crm/v8/{module}/{id}", f.module("READ", f.read))
	m.HandleFunc("PUT /crm/v8/{module}/{id}", f.module("UPDATE", f.updateOne))
	m.HandleFunc("DELETE /crm/v8/{module}/{id}", f.module("DELETE", f.remove))
	m.HandleFunc("GET /crm/v8/{module}/{id}/{list}", f.module("READ", f.related))
	m.HandleFunc("POST /crm/v8/{module}/{id}/Attachments", f.module("READ", f.attach))
	m.HandleFunc("DELETE /crm/v8/{module}/{id}/Attachments/{file}", f.module("READ", f.detach))
	m.HandleFunc("GET /oauth/v2/auth", f.authorize)
	m.HandleFunc("POST /oauth/v2/token", f.token)
	m.HandleFunc("GET /{$}", f.page)
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			probe := r.Clone(r.Context())
			probe.Method = method
			if _, pattern := m.Handler(probe); pattern != "/" && pattern != "" {
				fail(w, http.StatusBadRequest, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one", nil)
				return
			}
		}
		fail(w, http.StatusNotFound, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one", nil)
	})
	f.mux = m
}

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, route := f.mux.Handler(r)
	f.mu.Lock()
	f.asked[route]++
	fault := f.fault(r)
	f.mu.Unlock()
	switch fault {
	case FaultBusy:
		tooMany(w)
		return
	case FaultDown:
		fail(w, http.StatusInternalServerError, "INTERNAL_ERROR", "Internal server error occurred.", nil)
		return
	case FaultDrop:
		panic(http.ErrAbortHandler)
	case FaultCommitDrop:
		f.serve(&recorder{header: http.Header{}}, r)
		panic(http.ErrAbortHandler)
	}
	f.serve(w, r)
}

// fault takes the next fault of the script, which is for changes of records.
func (f *Fake) fault(r *http.Request) Fault {
	if len(f.faults) == 0 || r.Method == http.MethodGet || !strings.HasPrefix(r.URL.Path, "/crm/") {
		return ""
	}
	next := f.faults[0]
	f.faults = f.faults[1:]
	return next
}

// Script sets the faults of the next changes, one each; "" is none.
func (f *Fake) Script(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = faults
}

type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

func (f *Fake) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	if !strings.HasPrefix(r.URL.Path, "/crm/") {
		f.mux.ServeHTTP(w, r)
		return
	}
	if _, ok := f.scopes(r); !ok {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Zoho-oauthtoken ") {
			fail(w, http.StatusUnauthorized, "AUTHENTICATION_FAILURE", "Authentication failed", nil)
			return
		}
		fail(w, http.StatusUnauthorized, "INVALID_TOKEN", "invalid oauth token", nil)
		return
	}
	if !f.enter(w, r) {
		return
	}
	defer f.leave()
	f.mux.ServeHTTP(w, r)
}

// enter counts the request against the limits.
func (f *Fake) enter(w http.ResponseWriter, _ *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.opt.Now()
	if f.opt.Credits > 0 {
		f.spent = slices.DeleteFunc(f.spent, func(t time.Time) bool { return now.Sub(t) >= 24*time.Hour })
		left := f.opt.Credits - len(f.spent)
		if left <= f.opt.Credits/2 {
			// Zoho shows it only once half of the credits are used.
			w.Header().Set("X-API-CREDITS-REMAINING", fmt.Sprint(max(left-1, 0)))
		}
		if left <= 0 {
			tooMany(w)
			return false
		}
		f.spent = append(f.spent, now)
	}
	if f.opt.Concurrency > 0 && f.busy >= f.opt.Concurrency {
		tooMany(w)
		return false
	}
	f.busy++
	return true
}

func (f *Fake) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy--
}

// tooMany is Zoho's answer to too many requests. It has no Retry-After.
func tooMany(w http.ResponseWriter) {
	fail(w, http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "Too many requests fired in concurrency. Please try again after sometime.", nil)
}

// scopes are what the request's token may do; nil means everything.
func (f *Fake) scopes(r *http.Request) ([]string, bool) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Zoho-oauthtoken ")
	if !ok {
		return nil, false
	}
	if scopes, known := f.opt.Tokens[token]; known {
		return scopes, true
	}
	return f.oauth.scopes(token, f.opt.Now())
}

// scoped lets a request through whose token has the scope. Zoho answers the others with 401, not 403.
func (f *Fake) scoped(scope string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if have, _ := f.scopes(r); have != nil && !allows(have, scope) {
			fail(w, http.StatusUnauthorized, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL", nil)
			return
		}
		h(w, r)
	}
}

// allows tells whether one of have is the scope or covers it with ALL.
func allows(have []string, scope string) bool {
	parts := strings.Split(scope, ".")
	for n := len(parts); n > 0; n-- {
		want := strings.Join(parts[:n], ".")
		if n < len(parts) {
			want += ".ALL"
		}
		if slices.Contains(have, want) {
			return true
		}
	}
	return false
}

// module checks the module and the scopes that belong to it.
func (f *Fake) module(operation string, h func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		module := r.PathValue("module")
		f.mu.Lock()
		_, known := f.fields[module]
		f.mu.Unlock()
		if !known {
			fail(w, http.StatusBadRequest, "INVALID_MODULE", "The module name given seems to be invalid", map[string]any{"resource_path_index": 0})
			return
		}
		needs := []string{"ZohoCRM.modules." + strings.ToLower(module) + "." + operation}
		switch {
		case strings.HasSuffix(r.URL.Path, "/search"):
			needs = append(needs, "ZohoSearch.securesearch.READ")
		case strings.Contains(r.URL.Path, "/Attachments") && r.Method == http.MethodGet:
			needs = append(needs, "ZohoCRM.modules.attachments.READ")
		case strings.Contains(r.URL.Path, "/Attachments"):
			needs = append(needs, "ZohoCRM.modules.attachments.CREATE")
		case strings.HasSuffix(r.URL.Path, "/Notes") && r.PathValue("list") != "":
			needs = append(needs, "ZohoCRM.modules.notes.READ")
		}
		have, _ := f.scopes(r)
		for _, scope := range needs {
			if have != nil && !allows(have, scope) {
				fail(w, http.StatusUnauthorized, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL", nil)
				return
			}
		}
		h(w, r, module)
	}
}

func (f *Fake) org(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"org": []any{map[string]any{"company_name": "Fake Zylker", "zgid": f.opt.OrgID, "id": "4876876000000001", "time_zone": "Asia/Kolkata", "type": "developer"}}})
}

func (f *Fake) listUsers(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []any
	for _, u := range f.users {
		status := "active"
		if !u.Active {
			status = "inactive"
		}
		switch t := r.URL.Query().Get("type"); {
		case t == "ActiveUsers" && !u.Active, t == "DeactiveUsers" && u.Active:
			continue
		case !slices.Contains([]string{"", "AllUsers", "ActiveUsers", "DeactiveUsers"}, t):
			fail(w, http.StatusBadRequest, "INVALID_DATA", "invalid data", map[string]any{"param_name": "type"})
			return
		}
		all = append(all, map[string]any{"id": u.ID, "email": u.Email, "full_name": u.Email, "status": status, "confirm": true})
	}
	page(w, r, "users", all)
}

// page answers one page of a list, or 204 where there is nothing.
func page(w http.ResponseWriter, r *http.Request, member string, all []any) {
	number, size, ok := paging(r)
	if !ok {
		fail(w, http.StatusBadRequest, "INVALID_DATA", "invalid data", map[string]any{"param_name": "page"})
		return
	}
	if number*size > 2000 {
		fail(w, http.StatusBadRequest, "LIMIT_REACHED", "maximum response iteration limit reached", map[string]any{"limit": "2000"})
		return
	}
	from := min((number-1)*size, len(all))
	to := min(from+size, len(all))
	if from == to {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, http.StatusOK, map[string]any{member: all[from:to], "info": map[string]any{"per_page": size, "count": to - from, "page": number, "more_records": to < len(all)}})
}

func paging(r *http.Request) (number, size int, ok bool) {
	number, size = 1, 200
	for name, v := range map[string]*int{"page": &number, "per_page": &size} {
		if s := r.URL.Query().Get(name); s != "" {
			if _, err := fmt.Sscanf(s, "%d", v); err != nil {
				return 0, 0, false
			}
		}
	}
	return number, size, number > 0 && size > 0 && size <= 200
}

// answer writes JSON without escaping HTML.
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

// fail answers an error of the request as a whole.
func fail(w http.ResponseWriter, status int, code, message string, details map[string]any) {
	answer(w, status, refusal(code, message, details))
}

func refusal(code, message string, details map[string]any) map[string]any {
	if details == nil {
		details = map[string]any{}
	}
	return map[string]any{"code": code, "details": details, "message": message, "status": "error"}
}

// decode reads the body of a write: JSON with the list that member names.
func decode(w http.ResponseWriter, r *http.Request, member string) ([]map[string]any, bool) {
	if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		fail(w, http.StatusBadRequest, "INVALID_DATA", "invalid data", map[string]any{"expected_data_type": "jsonobject"})
		return nil, false
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 10<<20))
	var body map[string]json.RawMessage
	var list []map[string]any
	if err != nil || json.Unmarshal(b, &body) != nil || json.Unmarshal(body[member], &list) != nil {
		fail(w, http.StatusBadRequest, "INVALID_DATA", "body", map[string]any{"expected_data_type": "jsonarray", "api_name": member})
		return nil, false
	}
	for name := range body {
		if !slices.Contains([]string{member, "trigger", "process", "duplicate_check_fields", "wf_trigger", "lar_id", "apply_feature_execution", "skip_feature_execution"}, name) {
			fail(w, http.StatusBadRequest, "INVALID_DATA", "invalid data", map[string]any{"api_name": name})
			return nil, false
		}
	}
	if len(list) == 0 || len(list) > 100 {
		fail(w, http.StatusBadRequest, "LIMIT_EXCEEDED", "Record insertion limit has been exceeded.", map[string]any{"limit": 100})
		return nil, false
	}
	return list, true
}
