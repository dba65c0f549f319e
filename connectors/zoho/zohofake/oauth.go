package zohofake

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// perRefresh is how many access tokens one refresh token gives in perTime.
const (
	perRefresh = 10
	perTime    = 10 * time.Minute
)

// oauth is the account's side of OAuth: codes, refresh tokens and the access tokens that come of them.
type oauth struct {
	mu      sync.Mutex
	number  int
	codes   map[string]grant
	refresh map[string]grant
	access  map[string]access
	given   map[string][]time.Time
}

type grant struct {
	scopes   []string
	redirect string
}

type access struct {
	scopes []string
	until  time.Time
}

func (o *oauth) scopes(token string, now time.Time) ([]string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t, ok := o.access[token]
	if !ok || now.After(t.until) {
		return nil, false
	}
	return t.scopes, true
}

func (o *oauth) name(kind string) string {
	if o.codes == nil {
		o.codes, o.refresh, o.access, o.given = map[string]grant{}, map[string]grant{}, map[string]access{}, map[string][]time.Time{}
	}
	o.number++
	return fmt.Sprintf("1000.%s%d", kind, o.number)
}

func (o *oauth) issue(scopes []string, until time.Time) string {
	token := o.name("access")
	o.access[token] = access{scopes, until}
	return token
}

// IssueToken makes an access token with all scopes.
func (f *Fake) IssueToken() string {
	f.oauth.mu.Lock()
	defer f.oauth.mu.Unlock()
	return f.oauth.issue(nil, f.opt.Now().Add(f.opt.TokenLife))
}

// ExpireToken ends an access token now.
func (f *Fake) ExpireToken(token string) {
	f.oauth.mu.Lock()
	defer f.oauth.mu.Unlock()
	delete(f.oauth.access, token)
}

// Revoke ends all grants and tokens, as a person does under Connected Apps.
func (f *Fake) Revoke() {
	f.oauth.mu.Lock()
	defer f.oauth.mu.Unlock()
	clear(f.oauth.access)
	clear(f.oauth.refresh)
}

var consent = template.Must(template.New("consent").Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Fake Zoho</title></head>
<body><h1>Let callsync into the fake Zoho CRM {{.Org}}?</h1><p>It asks for: {{.Scopes}}</p><p><a id="allow" href="{{.Allow}}">Accept</a></p></body></html>`))

// authorize is the page on which a person agrees. With "yes" in the query it has agreed already, for scripts.
func (f *Fake) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || back.Host == "" || q.Get("client_id") != f.opt.ClientID || q.Get("scope") == "" || strings.Contains(q.Get("scope"), " ") || q.Get("response_type") != "code" {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, "client_id, scope, response_type or redirect_uri is wrong")
		return
	}
	if !q.Has("yes") {
		yes := r.URL.Query()
		yes.Set("yes", "1")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusOK)
		_ = consent.Execute(w, map[string]any{"Org": f.opt.OrgID, "Scopes": q.Get("scope"), "Allow": "/oauth/v2/auth?" + yes.Encode()})
		return
	}
	f.oauth.mu.Lock()
	code := f.oauth.name("code")
	f.oauth.codes[code] = grant{strings.Split(q.Get("scope"), ","), q.Get("redirect_uri")}
	f.oauth.mu.Unlock()
	to := back.Query()
	to.Set("code", code)
	to.Set("location", f.opt.DataCenter)
	to.Set("accounts-server", "https://accounts.zoho.com")
	if q.Has("state") {
		to.Set("state", q.Get("state"))
	}
	back.RawQuery = to.Encode()
	w.Header().Set("Location", back.String())
	w.WriteHeader(http.StatusFound)
}

// token gives tokens. Zoho's errors come with status 200, but for too many tokens.
func (f *Fake) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(code string) { answer(w, http.StatusOK, map[string]any{"error": code}) }
	if err := r.ParseForm(); err != nil {
		refuse("general_error")
		return
	}
	p := r.Form
	switch {
	case p.Get("client_id") != f.opt.ClientID:
		refuse("invalid_client")
		return
	case p.Get("client_secret") != f.opt.ClientSecret:
		refuse("invalid_client_secret")
		return
	}
	f.oauth.mu.Lock()
	defer f.oauth.mu.Unlock()
	now := f.opt.Now()
	out := map[string]any{"token_type": "Bearer", "expires_in": int(f.opt.TokenLife.Seconds()), "api_domain": "http://" + r.Host}
	var g grant
	var ok bool
	by := p.Get("refresh_token")
	switch p.Get("grant_type") {
	case "authorization_code":
		if g, ok = f.oauth.codes[p.Get("code")]; !ok {
			refuse("invalid_code")
			return
		}
		if g.redirect != p.Get("redirect_uri") {
			refuse("invalid_redirect_uri")
			return
		}
		delete(f.oauth.codes, p.Get("code"))
		by = f.oauth.name("refresh")
		f.oauth.refresh[by] = g
		out["refresh_token"] = by
	case "refresh_token":
		if g, ok = f.oauth.refresh[by]; !ok {
			refuse("invalid_code")
			return
		}
	case "client_credentials":
		if p.Get("soid") != "ZohoCRM."+f.opt.OrgID {
			refuse("missing_org_info")
			return
		}
		f.oauth.name("self")
		g, by = grant{scopes: strings.Split(p.Get("scope"), ",")}, "self"
	default:
		refuse("unsupported_grant_type")
		return
	}
	recent := f.oauth.given[by][:0:0]
	for _, t := range f.oauth.given[by] {
		if now.Sub(t) < perTime {
			recent = append(recent, t)
		}
	}
	if len(recent) >= perRefresh {
		answer(w, http.StatusBadRequest, map[string]any{"error": "Access Denied", "error_description": "You have made too many requests continuously. Please try again after some time.", "status": "failure"})
		return
	}
	f.oauth.given[by] = append(recent, now)
	out["access_token"], out["scope"] = f.oauth.issue(g.scopes, now.Add(f.opt.TokenLife)), strings.Join(g.scopes, " ")
	answer(w, http.StatusOK, out)
}
