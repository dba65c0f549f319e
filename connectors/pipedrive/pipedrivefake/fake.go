// Package pipedrivefake is a Pipedrive company in memory, as strict as the vendor's API description: verbs, parameters,
// types, required fields and nothing that is not described; call logs that never change, one recording each; a burst limit
// of two seconds, a daily budget of tokens, and the protection in front that answers in HTML. It can fail in the ways real
// networks do.
package pipedrivefake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options configure a company.
type Options struct {
	// Tokens are the API tokens that are accepted. Nil means one, "fake-token".
	Tokens []string
	// Company is the name in the company's address; empty means "acme".
	Company string
	// PerTwoSeconds and SearchPerTwoSeconds are the burst limits of a token; zero means 20 and 10, negative none.
	PerTwoSeconds, SearchPerTwoSeconds int
	// TokensPerDay is the daily budget; zero means none.
	TokensPerDay int
	// SearchLag is how long a change stays invisible to the searches; negative means none, zero 3 seconds.
	SearchLag time.Duration
	// NoAdmin takes account settings access from the user: no call logs for others, no new fields.
	NoAdmin bool
	// Owners are e-mails of users beside the token's own; nil means agent1@example.com to agent5@example.com.
	Owners []string
	// ClientID and ClientSecret are those of the OAuth app; empty means "client" and "secret".
	ClientID, ClientSecret string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Fake is the company; it is an http.Handler.
type Fake struct {
	opt Options

	mu      sync.Mutex
	data    data
	blind   *time.Time // the searches see nothing newer
	access  map[string]bool
	grants  map[string]bool
	burst   []time.Time
	search  []time.Time
	day     string
	spent   int
	seen    map[string]int
	faults  faults
	refused []string
}

// New makes a company with one user, id 1, whose token it is.
func New(o Options) *Fake {
	if o.Tokens == nil {
		o.Tokens = []string{"fake-token"}
	}
	o.Company = or(o.Company, "acme")
	o.PerTwoSeconds = or(o.PerTwoSeconds, 20)
	o.SearchPerTwoSeconds = or(o.SearchPerTwoSeconds, 10)
	o.SearchLag = max(or(o.SearchLag, 3*time.Second), 0)
	o.ClientID, o.ClientSecret = or(o.ClientID, "client"), or(o.ClientSecret, "secret")
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Owners == nil {
		for i := range 5 {
			o.Owners = append(o.Owners, fmt.Sprintf("agent%d@example.com", i+1))
		}
	}
	f := &Fake{opt: o, access: map[string]bool{}, grants: map[string]bool{}, seen: map[string]int{}}
	f.data.init()
	f.addUser("me@example.com", true)
	for _, email := range o.Owners {
		f.addUser(email, true)
	}
	return f
}

func or[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

const maxBody = 64 << 20

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/_fake/") || r.URL.Path == "/":
		f.admin(w, r)
		return
	case strings.HasPrefix(r.URL.Path, "/oauth/"):
		f.oauth(w, r)
		return
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(raw) > maxBody {
		fail(w, http.StatusRequestEntityTooLarge, "Request entity too large")
		return
	}
	fault := f.pick(r)
	switch fault {
	case FaultDrop:
		panic(http.ErrAbortHandler)
	case FaultUnavailable:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>")
		return
	case FaultRateLimit:
		tooMany(w, 2)
		return
	case FaultBlocked:
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body>Sorry, you have been blocked</body></html>")
		return
	case FaultHang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	rec := &recorder{header: w.Header(), status: http.StatusOK}
	f.serve(rec, r, raw)
	switch fault {
	case FaultCommitDrop:
		panic(http.ErrAbortHandler)
	case FaultCommitHang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case FaultCommitUnavailable:
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(rec.status)
	_, _ = w.Write(rec.body.Bytes())
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

// serve checks the request against its shape and does what it asks for.
func (f *Fake) serve(w http.ResponseWriter, r *http.Request, raw []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.authorised(r) {
		answer(w, http.StatusUnauthorized, map[string]any{"success": false, "error": "unauthorized access", "errorCode": 401, "error_info": "Please check developers.pipedrive.com"})
		return
	}
	version, path := "1", ""
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/v2/"):
		version, path = "2", strings.TrimPrefix(r.URL.Path, "/api/v2")
	case strings.HasPrefix(r.URL.Path, "/api/v1/"):
		path = strings.TrimPrefix(r.URL.Path, "/api/v1")
	case strings.HasPrefix(r.URL.Path, "/v1/"):
		path = strings.TrimPrefix(r.URL.Path, "/v1")
	}
	pattern, id := route(path)
	name := version + " " + r.Method + " " + pattern
	s, ok := shapes[name]
	if !ok {
		f.refuse(w, http.StatusNotFound, name, "Unknown method .")
		return
	}
	f.seen[name]++
	if !f.within(w, s) {
		return
	}
	if problem := s.checkQuery(r.URL.Query()); problem != "" {
		f.refuse(w, http.StatusBadRequest, name, problem)
		return
	}
	q := &query{f: f, id: id, url: r.URL.Query(), request: r, raw: raw}
	if !s.file {
		var problem string
		if q.body, problem = s.checkBody(r, raw); problem != "" {
			f.refuse(w, http.StatusBadRequest, name, problem)
			return
		}
		if s.body == nil && len(raw) > 0 {
			f.refuse(w, http.StatusBadRequest, name, "a body is not allowed")
			return
		}
	}
	handlers[name](q).write(w)
}

// refuse answers with an error of the API and notes what was wrong: tests demand that nothing was.
func (f *Fake) refuse(w http.ResponseWriter, status int, name, problem string) {
	f.refused = append(f.refused, name+": "+problem)
	fail(w, status, problem)
}

// route splits a path into its pattern and the id in it.
func route(path string) (pattern, id string) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) >= 2 && parts[1] != "search" && parts[1] != "me" {
		id, parts[1] = parts[1], "{id}"
	}
	return "/" + strings.Join(parts, "/"), id
}

func (f *Fake) authorised(r *http.Request) bool {
	if token := r.Header.Get("x-api-token"); token != "" {
		for _, t := range f.opt.Tokens {
			if t == token {
				return true
			}
		}
		return false
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && f.access[token]
}

// within charges a request to the burst limits and the daily budget.
func (f *Fake) within(w http.ResponseWriter, s shape) bool {
	now := f.opt.Now()
	if day := now.UTC().Format(time.DateOnly); day != f.day {
		f.day, f.spent = day, 0
	}
	recent := func(list []time.Time) []time.Time {
		for len(list) > 0 && now.Sub(list[0]) >= 2*time.Second {
			list = list[1:]
		}
		return list
	}
	f.burst, f.search = recent(f.burst), recent(f.search)
	h := w.Header()
	if f.opt.TokensPerDay > 0 {
		h.Set("x-daily-ratelimit-token-limit", strconv.Itoa(f.opt.TokensPerDay))
		h.Set("x-daily-ratelimit-token-remaining", strconv.Itoa(max(0, f.opt.TokensPerDay-f.spent)))
		if f.spent+s.cost > f.opt.TokensPerDay {
			h.Set("x-daily-ratelimit-token-remaining", "0")
			fail(w, http.StatusTooManyRequests, "Daily API token budget exceeded")
			return false
		}
	}
	if f.opt.PerTwoSeconds > 0 {
		h.Set("x-ratelimit-limit", strconv.Itoa(f.opt.PerTwoSeconds))
		h.Set("x-ratelimit-remaining", strconv.Itoa(max(0, f.opt.PerTwoSeconds-len(f.burst)-1)))
		h.Set("x-ratelimit-reset", "2")
		if len(f.burst) >= f.opt.PerTwoSeconds {
			tooMany(w, 2)
			return false
		}
	}
	if s.search && f.opt.SearchPerTwoSeconds > 0 && len(f.search) >= f.opt.SearchPerTwoSeconds {
		tooMany(w, 2)
		return false
	}
	f.burst = append(f.burst, now)
	if s.search {
		f.search = append(f.search, now)
	}
	f.spent += s.cost
	return true
}

func tooMany(w http.ResponseWriter, reset int) {
	w.Header().Set("x-ratelimit-reset", strconv.Itoa(reset))
	w.Header().Set("x-ratelimit-remaining", "0")
	answer(w, http.StatusTooManyRequests, map[string]any{"success": false, "error": "Rate limit exceeded", "errorCode": 429})
}

func fail(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]any{"success": false, "error": text, "error_info": "Please check developers.pipedrive.com for more information about Pipedrive API.",
		"data": nil, "additional_data": nil})
}

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
