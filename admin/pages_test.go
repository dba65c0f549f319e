package admin_test

import (
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/records"
)

// signIn returns a browser's stand-in that is signed in and follows no redirects.
func (f *fixture) signIn(email string) *http.Client {
	f.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(f.t, err)
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r := f.post(client, "/login", url.Values{"email": {email}, "password": {password}})
	require.Equal(f.t, 303, r.Status, r.Raw)
	return client
}

func (f *fixture) get(client *http.Client, path string) reply {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), "GET", f.http.URL+path, nil)
	require.NoError(f.t, err)
	return f.do(client, req)
}

// post sends a form as a page of the workspace does that the client is in, unless the form says of which it is.
func (f *fixture) post(client *http.Client, path string, form url.Values, header ...string) reply {
	f.t.Helper()
	if at := f.place(client); at != "" && form.Get("_workspace") == "" {
		form = maps.Clone(form)
		if form == nil {
			form = url.Values{}
		}
		form.Set("_workspace", at)
	}
	return f.postAsIs(client, path, form, header...)
}

// place is the workspace that a client is in; empty if it is not signed in.
func (f *fixture) place(client *http.Client) (workspace string) {
	f.t.Helper()
	if client.Jar != nil {
		err := f.sql.QueryRow(f.t.Context(), `select coalesce((select workspace_id::text from sessions where token_hash = $1), '')`, hashed(f.cookie(client))).Scan(&workspace)
		require.NoError(f.t, err)
	}
	return workspace
}

func (f *fixture) postAsIs(client *http.Client, path string, form url.Values, header ...string) reply {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), "POST", f.http.URL+path, strings.NewReader(form.Encode()))
	require.NoError(f.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return f.do(client, req)
}

func anonymous() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "admin")

	r := f.get(anonymous(), "/calls?q=1")
	require.Equal(t, 303, r.Status)
	require.Equal(t, "/login?next=%2Fcalls%3Fq%3D1", r.Header.Get("Location"))
	r = f.post(anonymous(), "/login", url.Values{"email": {"anna@example.com"}, "password": {"wrong"}})
	require.Equal(t, 401, r.Status)
	unknown := f.post(anonymous(), "/login", url.Values{"email": {"nobody@example.com"}, "password": {"wrong"}})
	require.Equal(t, strings.ReplaceAll(r.Raw, "anna@", "nobody@"), unknown.Raw, "nobody can tell which users exist")

	r = f.post(anonymous(), "/login", url.Values{"email": {"ANNA@example.com"}, "password": {password}, "next": {"//evil.example"}})
	require.Equal(t, 303, r.Status)
	require.Equal(t, "/", r.Header.Get("Location"))
	cookie := r.Header.Get("Set-Cookie")
	require.Contains(t, cookie, "HttpOnly")
	require.Contains(t, cookie, "SameSite=Lax")
	require.NotContains(t, cookie, "Secure", "the public URL is http here")

	client := f.signIn("anna@example.com")
	r = f.get(client, "/calls")
	require.Equal(t, 200, r.Status)
	require.Contains(t, r.Raw, "callsync 1.2.3")
	require.Contains(t, r.Header.Get("Content-Security-Policy"), "default-src 'self'")
	require.NotContains(t, r.Header.Get("Content-Security-Policy"), "unsafe")
	require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
	require.Equal(t, 200, f.get(client, "/").Status)
	require.Equal(t, 404, f.get(client, "/nothing").Status)

	require.Equal(t, 200, f.getAPI(client, "/api/v1/calls").Status, "pages and scripts share the API")
	require.Equal(t, 303, f.post(client, "/logout", nil).Status)
	require.Equal(t, 303, f.get(client, "/calls").Status)
	require.Equal(t, 401, f.getAPI(client, "/api/v1/calls").Status)
}

func (f *fixture) getAPI(client *http.Client, path string) reply { return f.get(client, path) }

func TestCookieIsSecureOverHTTPS(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(d *admin.Deps) { d.PublicURL = "https://callsync.example.com" })
	f.user(f.ws, "anna@example.com", "Anna", "admin")
	r := f.post(anonymous(), "/login", url.Values{"email": {"anna@example.com"}, "password": {password}})
	require.Contains(t, r.Header.Get("Set-Cookie"), "Secure")
	require.NotEmpty(t, r.Header.Get("Strict-Transport-Security"))
}

func TestForgedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "admin")
	client := f.signIn("anna@example.com")
	connection := f.newConnection().JSON["id"].(string)
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		require.Equal(t, 403, f.post(client, "/connections/"+connection+"/pause", nil, header...).Status)
		require.Equal(t, 403, f.post(client, "/api/v1/connections/"+connection+"/pause", nil, header...).Status)
		require.Equal(t, 403, f.post(client, "/login", nil, header...).Status)
		require.Equal(t, 403, f.post(client, "/logout", nil, header...).Status)
	}
	require.Equal(t, 303, f.post(client, "/connections/"+connection+"/pause", nil, "Origin", f.http.URL).Status)
	// A token is not sent by browsers on their own: it needs no such check.
	r := f.post(anonymous(), "/api/v1/connections/"+connection+"/resume", nil, "Authorization", "Bearer "+f.token, "Sec-Fetch-Site", "cross-site")
	require.Equal(t, 200, r.Status)
}

func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "admin")
	try := func(password string) int {
		return f.post(anonymous(), "/login", url.Values{"email": {"anna@example.com"}, "password": {password}}).Status
	}
	for range 5 {
		require.Equal(t, 401, try("wrong"))
	}
	require.Equal(t, 429, try("wrong"))
	require.Equal(t, 429, try(password), "the right password must wait, too")
	r := f.post(anonymous(), "/login", url.Values{"email": {"ANNA@example.com "}, "password": {password}})
	require.Equal(t, 429, r.Status, "spelling does not help")
	require.NotEmpty(t, r.Header.Get("Retry-After"))
	f.exec(`update access_counts set until = until - interval '16 minutes'`)
	require.Equal(t, 303, try(password))
	for range 8 {
		require.Equal(t, 303, try(password), "signing in is not limited")
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	callID := f.simpleCall(f.ws, source, connection)
	f.user(f.ws, "v@example.com", "V", records.RoleViewer)
	f.user(f.ws, "o@example.com", "O", records.RoleOperator)
	v, o := f.signIn("v@example.com"), f.signIn("o@example.com")
	require.Equal(t, 200, f.get(v, "/calls/"+callID).Status)
	require.Equal(t, 403, f.post(v, "/calls/"+callID+"/sync", nil).Status)
	require.NotContains(t, f.get(v, "/sources/"+source).Raw, "/hooks/callrail/cs_", "a viewer does not see the tokens")
	require.Equal(t, 303, f.post(o, "/calls/"+callID+"/sync", nil).Status)
	require.Contains(t, f.get(o, "/sources/"+source).Raw, "/hooks/callrail/cs_")
	require.Equal(t, 403, f.post(v, "/api/v1/calls/"+callID+"/sync", nil).Status)
	req, err := http.NewRequestWithContext(t.Context(), "DELETE", f.http.URL+"/api/v1/sources/"+source, nil)
	require.NoError(t, err)
	require.Equal(t, 403, f.do(o, req).Status)
}

// Text of strangers must stay text on every page.
func TestHostileTextStaysText(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "admin")
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	callID := f.hostileCall(source, connection)
	client := f.signIn("anna@example.com")
	receipt := f.must(200, "GET", "/receipts", "").items()[0].(map[string]any)["id"].(string)
	for _, path := range []string{"/calls", "/calls?q=%3Cscript%3E%22%27", "/calls/" + callID, "/receipts/" + receipt, "/holds", "/receipts", "/sources", "/sources/" + source} {
		r := f.get(client, path)
		require.Equal(t, 200, r.Status, path)
		require.NotContains(t, r.Raw, "<script>alert", path)
		require.NotContains(t, r.Raw, "<img", path)
		require.NotContains(t, r.Raw, `href="javascript:`, path)
		require.NotContains(t, r.Raw, "\u202e", path)
	}
}

func TestStaticFiles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.get(anonymous(), "/login")
	require.Equal(t, 200, r.Status)
	for _, name := range []string{"app.css", "app.js", "htmx.min.js", "icon.svg"} {
		at := strings.Index(r.Raw, "/static/")
		path := r.Raw[at:at+len("/static/")+13] + name
		s := f.get(anonymous(), path)
		require.Equal(t, 200, s.Status, path)
		require.Contains(t, s.Header.Get("Cache-Control"), "immutable")
	}
	require.Equal(t, 404, f.get(anonymous(), "/static/x/").Status)
	require.Equal(t, 404, f.get(anonymous(), "/static/x/..%2f..%2fapi.go").Status)
}
