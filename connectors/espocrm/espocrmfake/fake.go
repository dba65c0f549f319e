// Package espocrmfake is an EspoCRM in memory, as strict as EspoCRM 9.2.7 was seen to be where callsync touches it:
// authentication with its lock against guessing, roles, required fields, lengths, patterns, options, phone numbers,
// duplicates, links, searches, pages, the field manager and uploads in pieces. It can fail in the ways real networks do.
package espocrmfake

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/callsync/callsync/internal/crmfake"
)

// Credentials that the fake accepts unless Options name others.
const (
	APIKey        = "0123456789abcdef0123456789abcdef"
	AdminName     = "admin"
	AdminPassword = "admin-password"
)

// Options configure the fake.
type Options struct {
	// APIKey is the key of the API user; empty means the constant. With SecretKey it must sign its requests.
	APIKey, SecretKey string
	// AdminPassword is that of the user "admin"; empty means the constant.
	AdminPassword string
	// Role says what the API user may do, by entity type and action: "all", "team", "own", "no", "yes". Nil means everything
	// with the entities of the fake. Administrators may do everything.
	Role map[string]map[string]string
	// NoAssignment takes the API user's permission to give records to others.
	NoAssignment bool
	// NoFields leaves out callsync's own fields, as on a fresh install.
	NoFields bool
	// Owners are e-mails of users; nil means agent1@example.com to agent5@example.com.
	Owners []string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// record is what the database has of a record.
type record = map[string]any

// Fake is the EspoCRM; it is an http.Handler.
type Fake struct {
	opt Options

	mu      sync.Mutex
	next    int
	defs    map[string]map[string]field
	records map[string]map[string]record
	// order are the ids of records as they were made.
	order    map[string][]string
	contents map[string][]byte
	failures []time.Time

	faults crmfake.Injector
}

// New makes an EspoCRM with default data.
func New(o Options) *Fake {
	if o.APIKey == "" {
		o.APIKey = APIKey
	}
	if o.AdminPassword == "" {
		o.AdminPassword = AdminPassword
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Owners == nil {
		for i := range 5 {
			o.Owners = append(o.Owners, fmt.Sprintf("agent%d@example.com", i+1))
		}
	}
	f := &Fake{opt: o, defs: definitions(), records: map[string]map[string]record{}, order: map[string][]string{}, contents: map[string][]byte{}}
	// EspoCRM itself has no limits.
	f.faults.RateLimited, f.faults.Unavailable = crmfake.Proxy429, crmfake.Proxy503
	for entity := range f.defs {
		f.records[entity] = map[string]record{}
	}
	if !o.NoFields {
		for _, entity := range []string{"Call", "Contact", "Lead", "Task", "Case"} {
			f.defs[entity]["cCallsyncKey"] = field{Type: "varchar", MaxLength: 100, Custom: true}
		}
		f.defs["Call"]["cCallsyncDuration"] = field{Type: "int", Custom: true}
		f.defs["Call"]["cCallsyncDisposition"] = field{Type: "varchar", MaxLength: 100, Custom: true}
		f.defs["Call"]["cCallsyncRecordings"] = field{Type: "attachmentMultiple", Custom: true}
	}
	f.put("User", record{"id": "1", "userName": AdminName, "name": "Admin", "lastName": "Admin", "type": "admin", "isActive": true, "emailAddress": nil})
	f.put("User", record{"id": "api", "userName": "callsync", "name": "callsync", "lastName": "callsync", "type": "api", "isActive": true, "emailAddress": nil})
	for _, email := range o.Owners {
		f.addOwner(email, true)
	}
	return f
}

// put keeps a new record.
func (f *Fake) put(entity string, r record) string {
	f.next++
	if r["id"] == nil {
		r["id"] = fmt.Sprintf("6b%015x", f.next)
	}
	id := r["id"].(string)
	now := f.opt.Now().UTC().Format(timeLayout)
	r["deleted"], r["createdAt"], r["modifiedAt"] = false, now, now
	f.records[entity][id] = r
	f.order[entity] = append(f.order[entity], id)
	return id
}

// living is a record that nobody has deleted.
func (f *Fake) living(entity string, id any) (record, bool) {
	s, _ := id.(string)
	r, ok := f.records[entity][s]
	return r, ok && r["deleted"] != true
}

// user is who asks.
type user struct {
	id    string
	admin bool
}

// refusal is an answer outside 2xx.
type refusal struct {
	status int
	reason string
	// silent leaves the reason's header out, as EspoCRM does before it has found a route.
	silent bool
	body   any
}

func (r *refusal) Error() string { return r.reason }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, reason: fmt.Sprintf(format, args...)}
}

// translated is a refusal with EspoCRM's body for its pages.
func translated(status int, label string, data record, format string, args ...any) *refusal {
	r := refuse(status, format, args...)
	r.body = record{"messageTranslation": record{"label": label, "scope": nil, "data": data}}
	return r
}

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_fake/faults" {
		f.faults.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprint(w, "<html><body><h1>413 Request Entity Too Large</h1></body></html>")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if f.faults.Before(w, r) {
		return
	}
	out, err := f.answer(r, body)
	if f.faults.After(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-App-Timestamp", "1795315687")
	if no, ok := err.(*refusal); ok {
		if !no.silent {
			w.Header().Set("X-Status-Reason", no.reason)
		}
		w.WriteHeader(no.status)
		if no.body != nil {
			_ = json.NewEncoder(w).Encode(no.body)
		}
		return
	}
	if out != nil {
		_ = json.NewEncoder(w).Encode(out)
	}
}

// answer authenticates and runs one request under the lock.
func (f *Fake) answer(r *http.Request, body []byte) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path, ok := strings.CutPrefix(r.URL.Path, "/api/v1/")
	if !ok {
		return nil, &refusal{status: http.StatusNotFound, silent: true}
	}
	u, err := f.login(r, "/"+path)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(path, "/")
	var in record
	isJSON := strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
	if r.Method != http.MethodGet && isJSON && len(body) > 0 {
		if json.Unmarshal(body, &in) != nil {
			return nil, &refusal{status: http.StatusInternalServerError, silent: true}
		}
	}
	switch {
	case path == "App/user" && r.Method == http.MethodGet:
		return f.appUser(u), nil
	case path == "Metadata" && r.Method == http.MethodGet:
		return f.metadata(r.URL.Query().Get("key")), nil
	case path == "I18n" && r.Method == http.MethodGet:
		return f.language(), nil
	case len(parts) == 3 && parts[0] == "Admin" && parts[1] == "fieldManager" && r.Method == http.MethodPost:
		return f.makeField(u, parts[2], in)
	case path == "Attachment" && r.Method == http.MethodPost:
		return f.beginUpload(in)
	case len(parts) == 3 && parts[0] == "Attachment" && parts[1] == "chunk" && r.Method == http.MethodPost:
		return f.addPiece(parts[2], string(body))
	}
	entity := parts[0]
	if _, ok := f.defs[entity]; !ok || entity == "Attachment" {
		return nil, refuse(http.StatusNotFound, "Controller '%s' does not exist.", entity)
	}
	skip := r.Header.Get("X-Skip-Duplicate-Check") == "true"
	switch {
	case len(parts) == 1 && r.Method == http.MethodGet:
		return f.list(u, entity, r.URL.Query())
	case len(parts) == 1 && r.Method == http.MethodPost:
		return f.create(u, entity, in, skip)
	case len(parts) == 2 && r.Method == http.MethodGet:
		return f.read(u, entity, parts[1])
	case len(parts) == 2 && (r.Method == http.MethodPut || r.Method == http.MethodPatch):
		return f.update(u, entity, parts[1], in)
	case len(parts) == 2 && r.Method == http.MethodDelete:
		return f.remove(u, entity, parts[1])
	}
	return nil, refuse(http.StatusNotFound, "Action %s '%s' does not exist in controller '%s'.", r.Method, parts[len(parts)-1], entity)
}

// The lock against guessing: so many failures in so long.
const (
	maxFailures   = 10
	failurePeriod = time.Minute
)

// login finds out who asks. Answers to wrong credentials have no reason and no body.
func (f *Fake) login(r *http.Request, resource string) (user, error) {
	now := f.opt.Now()
	f.failures = slices.DeleteFunc(f.failures, func(t time.Time) bool { return now.Sub(t) > failurePeriod })
	if len(f.failures) > maxFailures {
		return user{}, &refusal{status: http.StatusForbidden, silent: true}
	}
	if name, password, ok := r.BasicAuth(); ok {
		if name == AdminName && password == f.opt.AdminPassword {
			return user{"1", true}, nil
		}
	} else if signed := r.Header.Get("X-Hmac-Authorization"); signed != "" && f.opt.SecretKey != "" {
		mac := hmac.New(sha256.New, []byte(f.opt.SecretKey))
		mac.Write([]byte(r.Method + " " + resource))
		text, _ := base64.StdEncoding.DecodeString(signed)
		if string(text) == f.opt.APIKey+":"+hex.EncodeToString(mac.Sum(nil)) {
			return user{id: "api"}, nil
		}
	} else if f.opt.SecretKey == "" && r.Header.Get("X-Api-Key") == f.opt.APIKey {
		return user{id: "api"}, nil
	}
	f.failures = append(f.failures, now)
	return user{}, &refusal{status: http.StatusUnauthorized, silent: true}
}

// level is what u's role says of an action.
func (f *Fake) level(u user, entity, action string) string {
	if u.admin || entity == "Note" || entity == "Attachment" {
		return "all"
	}
	if f.opt.Role == nil {
		if entity == "User" && action != "read" {
			return "no"
		}
		if action == "create" {
			return "yes"
		}
		return "all"
	}
	if l := f.opt.Role[entity][action]; l != "" {
		return l
	}
	return "no"
}

func (f *Fake) allowed(u user, entity, action string) bool { return f.level(u, entity, action) != "no" }

// mine tells whether u may do action with this very record.
func (f *Fake) mine(u user, entity, action string, r record) bool {
	switch f.level(u, entity, action) {
	case "all", "yes":
		return true
	case "own", "team":
		return r["assignedUserId"] == u.id || r["createdById"] == u.id || entity == "User" && r["id"] == u.id
	}
	return false
}
