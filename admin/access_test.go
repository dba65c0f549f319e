package admin_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// idOf is the id of a user of the fixture's workspace.
func (f *fixture) idOf(email string) string {
	f.t.Helper()
	for _, one := range f.must(200, "GET", "/users", "").items() {
		if u := one.(map[string]any); u["email"] == email {
			return u["id"].(string)
		}
	}
	f.t.Fatal("nobody has " + email)
	return ""
}

// path is the way of a URL behind the host.
func path(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Path
}

func TestUsersAreChangedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "admin")
	f.user(f.ws, "ben@example.com", "", "admin")
	anna, ben := f.idOf("anna@example.com"), f.idOf("ben@example.com")
	client := f.signIn("ben@example.com")
	made := f.postJSON(client, "/api/v1/tokens", `{"name": "ben's"}`)
	require.Equal(t, 201, made.Status, made.Raw)
	bens := made.JSON["token"].(string)
	require.Equal(t, "Ben", f.must(200, "PATCH", "/users/"+ben, `{"name": " Ben "}`).JSON["name"])
	require.Equal(t, 200, f.get(client, "/settings/users").Status)

	// A role counts at the next request, for the person and what they have made.
	f.must(200, "PATCH", "/users/"+ben, `{"role": "operator"}`)
	require.Equal(t, 403, f.get(client, "/settings/users").Status)
	require.Equal(t, 403, f.as(bens, "GET", "/api/v1/tokens", "").Status, "a token never grants more than its maker's role")
	require.Equal(t, 200, f.as(bens, "GET", "/api/v1/calls", "").Status)

	// The last admin stays one.
	for _, change := range []string{`{"role": "viewer"}`, `{"disabled": true}`} {
		r := f.must(409, "PATCH", "/users/"+anna, change)
		require.Contains(t, r.Raw, "last admin")
	}
	f.must(409, "DELETE", "/users/"+anna, "")
	require.Equal(t, "admin", f.must(200, "GET", "/users/"+anna, "").JSON["role"])
	f.must(422, "PATCH", "/users/"+ben, `{"role": "king"}`)
	f.must(404, "PATCH", "/users/"+id(), `{"role": "viewer"}`)

	// Whoever is kept out is out at once, and in again by another sign-in only.
	f.must(200, "PATCH", "/users/"+ben, `{"disabled": true}`)
	require.Equal(t, 303, f.get(client, "/calls").Status)
	require.Equal(t, 401, f.as(bens, "GET", "/api/v1/calls", "").Status)
	require.Equal(t, 401, f.post(anonymous(), "/login", url.Values{"email": {"ben@example.com"}, "password": {password}}).Status)
	f.must(200, "PATCH", "/users/"+ben, `{"disabled": false}`)
	require.Equal(t, 303, f.get(client, "/calls").Status, "the old session is gone for good")
	require.Equal(t, 200, f.as(bens, "GET", "/api/v1/calls", "").Status)
	client = f.signIn("ben@example.com")
	f.must(204, "DELETE", "/users/"+ben, "")
	require.Equal(t, 303, f.get(client, "/calls").Status)
	require.Equal(t, 401, f.as(bens, "GET", "/api/v1/calls", "").Status)
	f.must(404, "GET", "/users/"+ben, "")
}

// postJSON asks the API with a session.
func (f *fixture) postJSON(client *http.Client, path, body string) reply {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), "POST", f.http.URL+path, strings.NewReader(body))
	require.NoError(f.t, err)
	req.Header.Set("Content-Type", "application/json")
	return f.do(client, req)
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "admin")
	require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: id(), Name: "Beta"}))
	invite := func(email, role string) string {
		r := f.must(201, "POST", "/users", `{"email": "`+email+`", "role": "`+role+`"}`)
		return path(t, r.JSON["url"].(string))
	}
	link := invite("cleo@example.com", "operator")
	require.NotContains(t, f.must(200, "GET", "/invitations", "").Raw, strings.TrimPrefix(link, "/invitations/"), "the link is shown once")
	r := f.get(anonymous(), link)
	require.Equal(t, 200, r.Status)
	require.Contains(t, r.Raw, "Join Acme")

	// Another one of the same person, and a new link, end those before.
	second := invite("CLEO@example.com", "viewer")
	require.Equal(t, 404, f.get(anonymous(), link).Status)
	open := f.must(200, "GET", "/invitations", "").items()
	require.Len(t, open, 1)
	renewed := f.must(200, "POST", "/invitations/"+open[0].(map[string]any)["id"].(string)+"/renew", "")
	require.Equal(t, 404, f.get(anonymous(), second).Status)
	link = path(t, renewed.JSON["url"].(string))

	for want, form := range map[string]url.Values{
		"At least 12": nil,
		"at least 12": {"name": {"Cleo"}, "password": {"short"}, "again": {"short"}},
		"tried first": {"name": {"Cleo"}, "password": {"Password1234"}, "again": {"Password1234"}},
		"first thing": {"name": {"Cleo"}, "password": {"cleo@example.com"}, "again": {"cleo@example.com"}},
		"match":       {"name": {"Cleo"}, "password": {password}, "again": {password + "x"}},
		"Give it":     {"password": {password}, "again": {password}},
	} {
		r := f.post(anonymous(), link, form)
		require.Equal(t, 422, r.Status)
		require.Contains(t, r.Raw, want)
	}
	require.Equal(t, 403, f.post(anonymous(), link, nil, "Sec-Fetch-Site", "cross-site").Status)
	good := url.Values{"name": {"Cleo"}, "password": {"four plain words here"}, "again": {"four plain words here"}}
	r = f.post(anonymous(), link, good)
	require.Equal(t, 303, r.Status, r.Raw)
	require.Contains(t, r.Header.Get("Set-Cookie"), "callsync_session=cs_")
	require.Equal(t, 404, f.post(anonymous(), link, good).Status, "once")
	require.Equal(t, "viewer", f.must(200, "GET", "/users/"+f.idOf("CLEO@example.com"), "").JSON["role"])
	f.must(422, "POST", "/users", `{"email": "cleo@example.com", "role": "viewer"}`)
	f.must(422, "POST", "/users", `{"email": "no address", "role": "viewer"}`)

	// Somebody who has an account elsewhere joins with the password they have; nothing tells so before they join.
	beta := id()
	require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: beta, Name: "Gamma"}))
	f.user(beta, "dan@example.com", "Dan", "admin")
	link = invite("dan@example.com", "viewer")
	require.Equal(t, f.get(anonymous(), link).Raw, strings.ReplaceAll(f.get(anonymous(), link).Raw, "Gamma", ""))
	require.Equal(t, 422, f.post(anonymous(), link, url.Values{"name": {"D"}, "password": {"four plain words here"}, "again": {"four plain words here"}}).Status)
	for range 4 {
		require.Equal(t, 422, f.post(anonymous(), link, url.Values{"known": {"1"}, "password": {"wrong"}}).Status)
	}
	require.Equal(t, 303, f.post(anonymous(), link, url.Values{"known": {"1"}, "password": {password}}).Status)
	require.Equal(t, "viewer", f.must(200, "GET", "/users/"+f.idOf("dan@example.com"), "").JSON["role"])

	// What was taken back, what has expired, and what a person invited who is an admin no more, leads nowhere.
	link = invite("eve@example.com", "admin")
	f.must(204, "DELETE", "/invitations/"+f.must(200, "GET", "/invitations", "").items()[0].(map[string]any)["id"].(string), "")
	require.Equal(t, 404, f.get(anonymous(), link).Status)
	link = invite("eve@example.com", "admin")
	f.exec(`update invitations set expires_at = now() - interval '1 second' where email = 'eve@example.com'`)
	require.Equal(t, 404, f.post(anonymous(), link, good).Status)
	f.user(f.ws, "old@example.com", "Old", "admin")
	old := f.signIn("old@example.com")
	r = f.postJSON(old, "/api/v1/users", `{"email": "backdoor@example.com", "role": "admin"}`)
	require.Equal(t, 201, r.Status)
	f.must(204, "DELETE", "/users/"+f.idOf("old@example.com"), "")
	require.Equal(t, 404, f.get(anonymous(), path(t, r.JSON["url"].(string))).Status)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	full := f.must(201, "POST", "/tokens", `{"name": "full"}`)
	require.Equal(t, "admin", full.JSON["scope"])
	require.True(t, strings.HasPrefix(full.JSON["token"].(string), full.JSON["prefix"].(string)))
	read := f.must(201, "POST", "/tokens", `{"name": "read", "scope": "read"}`).JSON["token"].(string)
	operate := f.must(201, "POST", "/tokens", `{"name": "operate", "scope": "operate"}`).JSON["token"].(string)
	f.must(422, "POST", "/tokens", `{"name": "x", "scope": "everything"}`)
	f.must(422, "POST", "/tokens", `{"name": "x", "expires_at": "2020-01-01T00:00:00Z"}`)
	source := f.newSource().JSON["id"].(string)
	for token, want := range map[string][3]int{read: {200, 403, 403}, operate: {200, 202, 403}} {
		require.Equal(t, want[0], f.as(token, "GET", "/api/v1/calls", "").Status)
		require.Equal(t, want[1], f.as(token, "POST", "/api/v1/resyncs", `{"filter": {}, "dry_run": true}`).Status)
		require.Equal(t, want[2], f.as(token, "DELETE", "/api/v1/sources/"+source, "").Status)
		require.Equal(t, 403, f.as(token, "POST", "/api/v1/tokens", `{"name": "more"}`).Status)
		require.Equal(t, 403, f.as(token, "POST", "/api/v1/users", `{"email": "a@example.com", "role": "admin"}`).Status)
	}

	// One that ends makes none that lasts longer.
	soon := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	brief := f.must(201, "POST", "/tokens", `{"name": "brief", "expires_at": "`+soon+`"}`).JSON["token"].(string)
	child := f.as(brief, "POST", "/api/v1/tokens", `{"name": "child"}`)
	require.Equal(t, soon, child.JSON["expires_at"])
	require.Equal(t, 422, f.as(brief, "POST", "/api/v1/tokens", `{"name": "child", "expires_at": "2099-01-01T00:00:00Z"}`).Status)
	f.exec(`update api_tokens set expires_at = now() - interval '1 second' where name = 'brief'`)
	require.Equal(t, 401, f.as(brief, "GET", "/api/v1/calls", "").Status)
}

func TestPasswordsAndSessions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "viewer")
	here, there, third := f.signIn("anna@example.com"), f.signIn("anna@example.com"), f.signIn("anna@example.com")
	page := f.get(here, "/account").Raw
	require.Equal(t, 3, strings.Count(page, "<b>An unknown browser</b>")+strings.Count(page, "<b>Go-http"))
	ids := regexp.MustCompile(`/account/sessions/([0-9a-f-]{36})/end`).FindAllStringSubmatch(page, -1)
	require.Len(t, ids, 2, "one's own is not listed to be ended")
	require.Equal(t, 303, f.post(here, "/account/sessions/"+ids[0][1]+"/end", nil).Status)
	require.Equal(t, 404, f.post(here, "/account/sessions/"+ids[0][1]+"/end", nil).Status)
	alive := 0
	for _, c := range []*http.Client{there, third} {
		if f.get(c, "/account").Status == 200 {
			alive++
		}
	}
	require.Equal(t, 1, alive)
	require.Equal(t, 303, f.post(here, "/account/sessions/end-others", nil).Status)
	require.Equal(t, 303, f.get(there, "/account").Status)
	require.Equal(t, 303, f.get(third, "/account").Status)
	require.Equal(t, 200, f.get(here, "/account").Status)

	// Another's session cannot be ended.
	f.user(f.ws, "ben@example.com", "Ben", "admin")
	ben := f.signIn("ben@example.com")
	anna := f.get(here, "/account").Raw
	require.NotContains(t, anna, "/end\"")
	var own string
	require.NoError(t, f.sql.QueryRow(t.Context(), `select s.id from sessions s join users u on u.id = s.user_id where u.email = 'anna@example.com'`).Scan(&own))
	require.Equal(t, 404, f.post(ben, "/account/sessions/"+own+"/end", nil).Status)

	there = f.signIn("anna@example.com")
	fresh := "four plain words here"
	change := func(old, password, again string) reply {
		return f.post(here, "/account/password", url.Values{"old": {old}, "password": {password}, "again": {again}})
	}
	require.Contains(t, change("wrong", fresh, fresh).Raw, "not the password")
	require.Contains(t, change(password, "short", "short").Raw, "at least 12")
	require.Equal(t, 303, change(password, fresh, fresh).Status)
	require.Equal(t, 200, f.get(here, "/account").Status)
	require.Equal(t, 303, f.get(there, "/account").Status, "the other sessions end")
	require.Equal(t, 401, f.post(anonymous(), "/login", url.Values{"email": {"anna@example.com"}, "password": {password}}).Status)
	for range 4 {
		require.Equal(t, 422, change("wrong", password, password).Status)
	}
	require.Contains(t, change(fresh, password, password).Raw, "Too many attempts", "the old password is guessed no faster than at the sign-in")

	// A sign-in ends when nobody uses it, at its end at the latest, and signing in makes another.
	f.exec(`update sessions set expires_at = now() - interval '1 second' where id = $1`, own)
	require.Equal(t, 303, f.get(here, "/account").Status)
	before := f.cookie(ben)
	require.Equal(t, 303, f.post(ben, "/login", url.Values{"email": {"ben@example.com"}, "password": {password}}).Status)
	require.NotEqual(t, before, f.cookie(ben))
	req, err := http.NewRequestWithContext(t.Context(), "GET", f.http.URL+"/account", nil)
	require.NoError(t, err)
	req.Header.Set("Cookie", "callsync_session="+before)
	require.Equal(t, 303, f.do(anonymous(), req).Status, "the session before ends")
	var expires, ends time.Time
	f.exec(`update sessions set seen_at = now() - interval '1 hour', ends_at = now() + interval '1 hour'`)
	require.Equal(t, 200, f.get(ben, "/account").Status)
	require.NoError(t, f.sql.QueryRow(t.Context(), `select expires_at, ends_at from sessions where expires_at > now()`).Scan(&expires, &ends))
	require.Equal(t, ends, expires, "use does not carry a session past its end")
}

// cookie is the session that a client has.
func (f *fixture) cookie(client *http.Client) string {
	f.t.Helper()
	u, err := url.Parse(f.http.URL)
	require.NoError(f.t, err)
	for _, c := range client.Jar.Cookies(u) {
		if c.Name == "callsync_session" {
			return c.Value
		}
	}
	return ""
}

func TestPasswordLinks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "viewer")
	client := f.signIn("anna@example.com")
	anna, _, err := f.db.AccountByEmail(t.Context(), "anna@example.com")
	require.NoError(t, err)
	link := func(token string) string {
		require.NoError(t, f.db.AddPasswordLink(t.Context(), anna, hashed(token), time.Now().Add(time.Hour)))
		return "/password/" + token
	}
	first := link("one")
	second := link("two")
	require.Equal(t, 404, f.get(anonymous(), first).Status, "an earlier link ends")
	require.Contains(t, f.get(anonymous(), second).Raw, "anna@example.com")
	require.Equal(t, 422, f.post(anonymous(), second, url.Values{"password": {"short"}, "again": {"short"}}).Status)
	form := url.Values{"password": {"four plain words here"}, "again": {"four plain words here"}}
	require.Equal(t, 403, f.post(anonymous(), second, form, "Sec-Fetch-Site", "cross-site").Status)
	require.Equal(t, "/login?done=password", f.post(anonymous(), second, form).Header.Get("Location"))
	require.Equal(t, 404, f.post(anonymous(), second, form).Status, "once")
	require.Equal(t, 303, f.get(client, "/calls").Status, "all sessions end")
	require.Equal(t, 303, f.post(anonymous(), "/login", url.Values{"email": {"anna@example.com"}, "password": {"four plain words here"}}).Status)
}

func TestWorkspacesOfAPerson(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "admin") // the first of all: she operates the installation
	f.user(f.ws, "ben@example.com", "Ben", "admin")
	anna, ben := f.signIn("anna@example.com"), f.signIn("ben@example.com")
	require.NotContains(t, f.get(anna, "/calls").Raw, "switcher")
	require.Equal(t, 403, f.post(ben, "/settings/workspaces", url.Values{"name": {"Ben's"}}).Status)
	require.Equal(t, 422, f.post(anna, "/settings/workspaces", url.Values{"name": {" "}}).Status)
	require.Equal(t, 303, f.post(anna, "/settings/workspaces", url.Values{"name": {"Beta"}}).Status)
	require.Contains(t, f.get(anna, "/calls").Raw, "switcher")
	beta := regexp.MustCompile(`/settings/workspaces/([0-9a-f-]{36})/switch`).FindStringSubmatch(f.get(anna, "/settings/workspaces").Raw)[1]

	require.Equal(t, 404, f.post(ben, "/settings/workspaces/"+beta+"/switch", nil).Status)
	source := f.newSource().JSON["id"].(string)
	require.Equal(t, 200, f.get(anna, "/sources/"+source).Status)
	require.Equal(t, 303, f.post(anna, "/settings/workspaces/"+beta+"/switch", nil).Status)
	require.Equal(t, 404, f.get(anna, "/sources/"+source).Status, "one workspace at a time")
	again := f.signIn("anna@example.com")
	require.Equal(t, 404, f.get(again, "/sources/"+source).Status, "the sign-in goes to the one used last")
	require.Equal(t, 303, f.post(again, "/settings/workspaces/rename", url.Values{"name": {"Gamma"}}).Status)
	require.Contains(t, f.get(again, "/settings/workspaces").Raw, "Gamma")
	require.Equal(t, "Acme", f.must(200, "GET", "/workspaces", "").items()[0].(map[string]any)["name"])

	// Being removed from one leaves the other.
	f.must(204, "DELETE", "/users/"+f.idOf("anna@example.com"), "")
	require.Equal(t, 200, f.get(again, "/calls").Status)
	require.Equal(t, 404, f.post(again, "/settings/workspaces/"+f.ws+"/switch", nil).Status)
	require.Equal(t, 200, f.as(f.boot, "GET", "/api/v1/workspaces", "").Status)
	require.Equal(t, 404, f.api("PATCH", "/workspaces/"+beta, `{"name": "stolen"}`).Status)
	require.Equal(t, 200, f.as(f.boot, "PATCH", "/api/v1/workspaces/"+beta, `{"name": "Delta"}`).Status)
}

// By https the cookie has the prefix that keeps it to this host, and counts under no other name.
func TestSecureCookies(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(d *admin.Deps) { d.PublicURL = "https://callsync.example" })
	f.user(f.ws, "anna@example.com", "Anna", "admin")
	r := f.post(anonymous(), "/login", url.Values{"email": {"anna@example.com"}, "password": {password}})
	cookie := r.Header.Get("Set-Cookie")
	require.Regexp(t, `^__Host-callsync_session=cs_`, cookie)
	for _, part := range []string{"Path=/", "HttpOnly", "Secure", "SameSite=Lax"} {
		require.Contains(t, cookie, part)
	}
	require.NotContains(t, cookie, "Domain")
	require.Equal(t, "max-age=31536000", r.Header.Get("Strict-Transport-Security"))
	ask := func(name string) int {
		req, err := http.NewRequestWithContext(t.Context(), "GET", f.http.URL+"/calls", nil)
		require.NoError(t, err)
		req.Header.Set("Cookie", name+"="+regexp.MustCompile(`cs_[a-z0-9]+`).FindString(cookie))
		return f.do(anonymous(), req).Status
	}
	require.Equal(t, 200, ask("__Host-callsync_session"))
	require.Equal(t, 303, ask("callsync_session"))
}

// Behind a proxy each visitor is limited alone; what a visitor writes into the header themselves counts for nothing.
func TestSignInLimitBehindProxies(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(d *admin.Deps) {
		d.TrustedProxies = prefixes("127.0.0.0/8", "10.0.0.0/8")
	})
	try := func(forwarded string) int {
		return f.post(anonymous(), "/login", url.Values{"email": {"nobody@example.com"}, "password": {"wrong"}}, "X-Forwarded-For", forwarded).Status
	}
	for range 5 {
		require.Equal(t, 401, try("203.0.113.7"))
	}
	require.Equal(t, 429, try("203.0.113.7"))
	require.Equal(t, 429, try("198.51.100.1, 203.0.113.7"), "what stands before the proxy's own word is anybody's")
	require.Equal(t, 429, try("203.0.113.7, 10.1.2.3"), "trusted proxies are seen through")
	require.Equal(t, 401, try("203.0.113.8"))
	require.Equal(t, 401, try("2001:db8::1"))
	for range 4 {
		require.Equal(t, 401, try("2001:db8::2"), "a network of IPv6 is one visitor")
	}
	require.Equal(t, 429, try("2001:db8::3"))
}

func hashed(token string) []byte { return secretbox.HashToken(token) }

// passwordLink is where somebody chooses another password.
func (f *fixture) passwordLink(email string) string {
	f.t.Helper()
	id, _, err := f.db.AccountByEmail(f.t.Context(), email)
	require.NoError(f.t, err)
	require.NoError(f.t, f.db.AddPasswordLink(f.t.Context(), id, hashed("link"), tomorrow()))
	return admin.PasswordPath + "link"
}

func tomorrow() time.Time { return time.Now().Add(24 * time.Hour) }

func prefixes(all ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}
