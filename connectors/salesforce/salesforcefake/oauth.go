package salesforcefake

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// serveOAuth serves the pages of consent and of tokens. Answers have no expires_in: Salesforce says nothing of when a session
// ends.
func (f *Fake) serveOAuth(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/services/oauth2/authorize":
		f.authorize(w, r)
	case "/services/oauth2/token":
		f.serveToken(w, r)
	default:
		http.NotFound(w, r)
	}
}

// authorize grants access without asking and leads back with a code.
func (f *Fake) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "error=invalid_request", http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.next++
	code := fmt.Sprintf("aPrx%08d==", f.next)
	f.codes[code] = q.Get("code_challenge")
	f.mu.Unlock()
	v := back.Query()
	v.Set("code", code)
	v.Set("state", q.Get("state"))
	back.RawQuery = v.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (f *Fake) serveToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	no := func(code, text string) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": text})
	}
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		no("unsupported_grant_type", "grant type not supported")
		return
	}
	if r.Form.Get("client_id") != ClientID {
		no("invalid_client_id", "client identifier invalid")
		return
	}
	if r.Form.Get("client_secret") != ClientSecret {
		no("invalid_client", "invalid client credentials")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]string{"instance_url": "http://" + r.Host, "id": "http://" + r.Host + "/id/00D000000000001AAA/" + f.order["User"][0],
		"token_type": "Bearer", "issued_at": fmt.Sprint(f.opt.Now().UnixMilli()), "signature": "c2ln"}
	switch r.Form.Get("grant_type") {
	case "client_credentials":
		out["scope"] = "api"
	case "authorization_code":
		code := r.Form.Get("code")
		sum := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
		if challenge, known := f.codes[code]; !known || challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
			no("invalid_grant", "invalid authorization code")
			return
		}
		delete(f.codes, code)
		f.next++
		out["refresh_token"] = fmt.Sprintf("5Aep%08d", f.next)
		f.refresh[out["refresh_token"]] = true
		out["scope"] = "refresh_token api"
	case "refresh_token":
		if !f.refresh[r.Form.Get("refresh_token")] {
			no("invalid_grant", "expired access/refresh token")
			return
		}
		out["scope"] = "refresh_token api"
	default:
		no("unsupported_grant_type", "grant type not supported")
		return
	}
	out["access_token"] = f.issue()
	_ = json.NewEncoder(w).Encode(out)
}

func (f *Fake) issue() string {
	f.next++
	t := fmt.Sprintf("00D000000000001!AQ.%08d", f.next)
	f.tokens[t] = true
	return t
}

// IssueToken makes another access token.
func (f *Fake) IssueToken() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.issue()
}

// ExpireToken ends a session.
func (f *Fake) ExpireToken(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tokens, token)
}

// Revoke ends all sessions and refresh tokens, as an admin who blocks the app does.
func (f *Fake) Revoke() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.tokens)
	clear(f.refresh)
}
