package hubspotfake

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// oauth is the account's side of OAuth: codes, grants and the access tokens that come of them.
type oauth struct {
	mu      sync.Mutex
	number  int
	codes   map[string]grant
	refresh map[string]grant
	access  map[string]accessToken
	gone    map[string]bool
}

type grant struct {
	scopes   []string
	redirect string
}

type accessToken struct {
	scopes  []string
	refresh string
	until   time.Time
}

func (o *oauth) scopes(token string, now time.Time) ([]string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t, ok := o.access[token]
	if ok && now.After(t.until) {
		delete(o.access, token)
		o.gone[token] = true
		return nil, false
	}
	return t.scopes, ok
}

func (o *oauth) ended(token string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.gone[token]
}

func (o *oauth) name(kind string) string {
	if o.codes == nil {
		o.codes, o.refresh, o.access, o.gone = map[string]grant{}, map[string]grant{}, map[string]accessToken{}, map[string]bool{}
	}
	o.number++
	return fmt.Sprintf("fake-%s-%s", kind, strings.SplitN(correlationID(), "-", 2)[0]+fmt.Sprint(o.number))
}

func (o *oauth) issue(refresh string, scopes []string, until time.Time) string {
	token := o.name("access")
	o.access[token] = accessToken{scopes, refresh, until}
	return token
}

// IssueToken makes an access token as OAuth would, with all scopes.
func (f *Fake) IssueToken() string {
	f.oauth.mu.Lock()
	defer f.oauth.mu.Unlock()
	return f.oauth.issue("", nil, f.opt.Now().Add(f.opt.TokenLife))
}

// ExpireToken ends an access token now.
func (f *Fake) ExpireToken(token string) {
	f.oauth.mu.Lock()
	defer f.oauth.mu.Unlock()
	delete(f.oauth.access, token)
	f.oauth.gone[token] = true
}

// RevokeApp removes the app from the account: its tokens and grants end.
func (f *Fake) RevokeApp() {
	f.oauth.mu.Lock()
	defer f.oauth.mu.Unlock()
	for token := range f.oauth.access {
		f.oauth.gone[token] = true
	}
	clear(f.oauth.access)
	clear(f.oauth.refresh)
}

var consent = template.Must(template.New("consent").Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Fake HubSpot</title></head>
<body><h1>Connect callsync to the fake HubSpot account {{.Portal}}?</h1><p>It asks for: {{.Scopes}}</p><p><a id="allow" href="{{.Allow}}">Connect app</a></p></body></html>`))

// authorize is the page on which a person agrees. With "yes" in the query it has agreed already, for scripts.
func (f *Fake) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || back.Host == "" || q.Get("client_id") != f.opt.ClientID || q.Get("scope") == "" {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, "client_id, scope or redirect_uri is wrong")
		return
	}
	if !q.Has("yes") {
		yes := r.URL.Query()
		yes.Set("yes", "1")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusOK)
		_ = consent.Execute(w, map[string]any{"Portal": f.opt.PortalID, "Scopes": q.Get("scope") + " " + q.Get("optional_scope"), "Allow": "/oauth/authorize?" + yes.Encode()})
		return
	}
	f.oauth.mu.Lock()
	code := f.oauth.name("code")
	f.oauth.codes[code] = grant{append(strings.Fields(q.Get("scope")), strings.Fields(q.Get("optional_scope"))...), q.Get("redirect_uri")}
	f.oauth.mu.Unlock()
	answer := back.Query()
	answer.Set("code", code)
	if q.Has("state") {
		answer.Set("state", q.Get("state"))
	}
	back.RawQuery = answer.Encode()
	w.Header().Set("Location", back.String())
	w.WriteHeader(http.StatusFound)
}

func (f *Fake) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(code, text string) {
		answer(w, http.StatusBadRequest, map[string]any{"status": code, "message": text, "error": "invalid_grant", "error_description": text, "correlationId": correlationID()})
	}
	if err := r.ParseForm(); err != nil {
		refuse("BAD_REQUEST", "the body is no form")
		return
	}
	p := r.PostForm
	if p.Get("client_id") != f.opt.ClientID || p.Get("client_secret") != f.opt.ClientSecret {
		answer(w, http.StatusBadRequest, map[string]any{"status": "BAD_CLIENT_ID", "message": "missing or unknown client id", "error": "invalid_client", "correlationId": correlationID()})
		return
	}
	f.oauth.mu.Lock()
	defer f.oauth.mu.Unlock()
	var g grant
	refresh := p.Get("refresh_token")
	switch p.Get("grant_type") {
	case "authorization_code":
		var ok bool
		if g, ok = f.oauth.codes[p.Get("code")]; !ok || g.redirect != p.Get("redirect_uri") {
			refuse("BAD_AUTH_CODE", "missing or unknown auth code")
			return
		}
		delete(f.oauth.codes, p.Get("code"))
		refresh = f.oauth.name("refresh")
		f.oauth.refresh[refresh] = g
	case "refresh_token":
		var ok bool
		if g, ok = f.oauth.refresh[refresh]; !ok {
			refuse("BAD_REFRESH_TOKEN", "missing or invalid refresh token")
			return
		}
	default:
		refuse("BAD_GRANT_TYPE", "missing or unknown grant type")
		return
	}
	scopes := slices.Clone(g.scopes)
	answer(w, http.StatusOK, map[string]any{"access_token": f.oauth.issue(refresh, scopes, f.opt.Now().Add(f.opt.TokenLife)), "refresh_token": refresh, "token_type": "bearer",
		"expires_in": int(f.opt.TokenLife.Seconds()), "hub_id": f.opt.PortalID, "scopes": scopes, "token_use": "access_token"})
}
