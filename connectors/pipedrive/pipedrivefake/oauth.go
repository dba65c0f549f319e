package pipedrivefake

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

// IssueToken makes another access token that is accepted.
func (f *Fake) IssueToken() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.issue()
}

func (f *Fake) issue() string {
	token := fmt.Sprintf("v1u:access-%d", f.nextID())
	f.access[token] = true
	return token
}

// ExpireToken ends an access token.
func (f *Fake) ExpireToken(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.access, token)
}

// Revoke ends all grants and tokens, as an admin who removes the app.
func (f *Fake) Revoke() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.access)
	clear(f.grants)
}

// oauth is oauth.pipedrive.com: the page that asks the user, which says yes at once, and the tokens.
func (f *Fake) oauth(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch r.Method + " " + r.URL.Path {
	case "GET /oauth/authorize":
		q := r.URL.Query()
		to, err := url.Parse(q.Get("redirect_uri"))
		if q.Get("client_id") != f.opt.ClientID || err != nil || to.Host == "" {
			fail(w, http.StatusBadRequest, "invalid client")
			return
		}
		code := fmt.Sprintf("code-%d", f.nextID())
		f.grants[code] = true
		back := to.Query()
		back.Set("code", code)
		back.Set("state", q.Get("state"))
		to.RawQuery = back.Encode()
		http.Redirect(w, r, to.String(), http.StatusFound)
	case "POST /oauth/token":
		id, secret, _ := r.BasicAuth()
		if id != f.opt.ClientID || secret != f.opt.ClientSecret {
			answer(w, http.StatusUnauthorized, map[string]any{"success": false, "error": "invalid_client"})
			return
		}
		given := r.PostFormValue("refresh_token")
		if r.PostFormValue("grant_type") == "authorization_code" {
			given = r.PostFormValue("code")
		}
		if !f.grants[given] {
			answer(w, http.StatusBadRequest, map[string]any{"success": false, "error": "invalid_grant"})
			return
		}
		if r.PostFormValue("grant_type") == "authorization_code" {
			delete(f.grants, given)
			given = fmt.Sprintf("refresh-%d", f.nextID())
			f.grants[given] = true
		}
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		answer(w, http.StatusOK, map[string]any{"access_token": f.issue(), "token_type": "Bearer", "refresh_token": given, "expires_in": 3599,
			"scope": "base contacts:full activities:full phone-integration", "api_domain": scheme + "://" + r.Host})
	default:
		fail(w, http.StatusNotFound, "not found")
	}
}

// admin serves the page, the state and the faults to tests and demos.
func (f *Fake) admin(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /_fake/state":
		s := f.State()
		s.Recordings, s.Uploads = nil, nil
		w.Header().Set("Content-Type", "application/json")
		answer(w, http.StatusOK, s)
	case "POST /_fake/faults":
		var set Faults
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		d.DisallowUnknownFields()
		if err := d.Decode(&set); err != nil {
			http.Error(w, "not the faults in JSON: "+err.Error(), http.StatusBadRequest)
			return
		}
		f.SetFaults(set)
		w.WriteHeader(http.StatusNoContent)
	case "GET /":
		s := f.State()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><title>A fake Pipedrive</title><h1>A fake Pipedrive</h1><p>%d persons, %d leads, %d activities, %d call logs, %d notes; %d tokens spent today.</p><h2>Activities</h2><ul>",
			len(s.Persons), len(s.Leads), len(s.Activities), len(s.CallLogs), len(s.Notes), s.TokensSpent)
		for _, a := range slices.Backward(s.Activities[max(0, len(s.Activities)-200):]) {
			fmt.Fprintf(w, "<li>%s %s: %s", html.EscapeString(fmt.Sprint(a["due_date"], " ", a["due_time"])), html.EscapeString(fmt.Sprint(a["type"])), html.EscapeString(fmt.Sprint(a["subject"])))
		}
		fmt.Fprint(w, "</ul><h2>Requests</h2><ul>")
		for _, name := range slices.Sorted(maps.Keys(s.Requests)) {
			fmt.Fprintf(w, "<li>%s: %d", html.EscapeString(name), s.Requests[name])
		}
		fmt.Fprint(w, "</ul>")
	default:
		http.NotFound(w, r)
	}
}
