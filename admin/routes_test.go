package admin_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// viewersMay are the requests beside GET that a viewer may send, and why: they change nothing of the workspace.
var viewersMay = map[string]string{
	"POST /account/name":                             "one's own name",
	"POST /account/password":                         "one's own password",
	"POST /account/sessions/{id}/end":                "one's own sessions",
	"POST /account/sessions/end-others":              "one's own sessions",
	"POST /calls/columns":                            "what one's own list shows",
	"POST /settings/workspaces":                      "asks for an operator of the installation itself",
	"POST /settings/workspaces/{id}/switch":          "where one goes oneself",
	"POST /connections/{id}/actions":                 "previews; asks for an admin itself to save",
	"POST /connections/{id}/rules":                   "previews; asks for an admin itself to save",
	"POST /sources/{id}/rules":                       "previews; asks for an admin itself to save",
	"POST /connections/{id}/actions/preview":         "a preview",
	"POST /connections/{id}/rules/preview":           "a preview",
	"POST /sources/{id}/rules/preview":               "a preview",
	"POST /connections/{id}/mappings/{object}/check": "tells what is wrong with a document",
}

// operatorsMay are the requests beside GET that an operator may send. Whatever is not here is an admin's.
var operatorsMay = regexp.MustCompile(`/(sync|replay|mute|retry|test|send-test|pause|resume|schema|resolve|reopen|dismiss|forget|match|close|cancel|preview|pull|take-ours|check|row|drain|refresh|archive|fetch|revoke|restore|recordings|reject)(/|$)|^(POST|DELETE|PATCH|PUT) /(resyncs|recordings|match-choices|own-numbers/learned|calls)|/mappings/\{object\}$|/\{action\}$|/drift/acknowledge$`)

// route is a request that the router knows.
type route struct{ method, pattern string }

func (r route) String() string { return r.method + " " + r.pattern }

// routes are all pages and all operations of the API. Patterns of the API begin as its paths do, without their prefix.
func (f *fixture) routes() (pages, api []route) {
	f.t.Helper()
	for _, p := range f.handler.PagePatterns() {
		method, pattern, ok := strings.Cut(p, " ")
		require.True(f.t, ok, "%s names no method", p)
		pages = append(pages, route{method, strings.TrimSuffix(pattern, "{$}")})
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	require.NoError(f.t, json.Unmarshal([]byte(f.must(200, "GET", "/openapi.json", "").Raw), &doc))
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for method := range doc.Paths[path] {
			api = append(api, route{strings.ToUpper(method), path})
		}
	}
	require.Greater(f.t, len(pages), 80)
	require.Greater(f.t, len(api), 60)
	return pages, api
}

var wildcard = regexp.MustCompile(`\{[a-z]+(\.\.\.)?\}`)

// Nobody who is not signed in reaches any page or operation, no viewer changes anything, and no operator does what is an
// admin's, whatever the ids.
func TestEveryRouteNeedsItsRole(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, role := range []string{records.RoleViewer, records.RoleOperator, records.RoleAdmin} {
		f.user(f.ws, role+"@example.com", role, role)
	}
	v, o := f.signIn("viewer@example.com"), f.signIn("operator@example.com")
	pages, api := f.routes()
	ask := func(client *http.Client, r route, prefix string) reply {
		req, err := http.NewRequestWithContext(t.Context(), r.method, f.http.URL+prefix+wildcard.ReplaceAllString(r.pattern, id()), nil)
		require.NoError(t, err)
		req.Header.Set("Accept", "application/json")
		return f.do(client, req)
	}
	for _, r := range pages {
		in := ask(anonymous(), r, "")
		require.Equal(t, 303, in.Status, r)
		require.True(t, strings.HasPrefix(in.Header.Get("Location"), "/login"), r)
		if r.method == "GET" {
			continue
		}
		if viewersMay[r.String()] == "" {
			require.Equal(t, 403, ask(v, r, "").Status, "a viewer: %s", r)
			if !operatorsMay.MatchString(r.String()) {
				require.Equal(t, 403, ask(o, r, "").Status, "an operator: %s", r)
			}
		}
		req, err := http.NewRequestWithContext(t.Context(), r.method, f.http.URL+wildcard.ReplaceAllString(r.pattern, id()), nil)
		require.NoError(t, err)
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		require.Equal(t, 403, f.do(f.admin(), req).Status, "from another site: %s", r)
	}
	// The role is looked at before the body is: without one, with one that is none, and with one that lacks everything.
	// Tokens are held to their scopes as people are to their roles.
	read, operate := f.must(201, "POST", "/tokens", `{"name": "read", "scope": "read"}`), f.must(201, "POST", "/tokens", `{"name": "operate", "scope": "operate"}`)
	for _, r := range api {
		require.Equal(t, 401, ask(anonymous(), r, "/api/v1").Status, r)
		refused := func(who string, client *http.Client, token reply) {
			t.Helper()
			require.Equal(t, 403, ask(client, r, "/api/v1").Status, "%s: %s", who, r)
			for _, body := range []string{"", "{", "{}", "[]"} {
				got := f.as(token.JSON["token"].(string), r.method, "/api/v1"+wildcard.ReplaceAllString(r.pattern, id()), body)
				require.Equal(t, 403, got.Status, "a token of %s: %s %s: %s", who, r, body, got.Raw)
				require.Contains(t, got.Header.Get("Content-Type"), "problem+json", r)
			}
		}
		if r.method == "GET" || viewersMay[r.String()] != "" {
			continue
		}
		refused("a viewer", v, read)
		if !operatorsMay.MatchString(r.String()) {
			refused("an operator", o, operate)
		}
	}
}

// admin is a client of the admin that the test has made.
func (f *fixture) admin() *http.Client {
	f.t.Helper()
	if f.boss == nil {
		f.boss = f.signIn("admin@example.com")
	}
	return f.boss
}

// No page, with whatever id of this workspace in its address, shows or changes anything for an admin of another one.
func TestNoPageCrossesWorkspaces(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	ids := f.pageIDs(f.demo())
	invitation := f.must(201, "POST", "/users", `{"email": "private@example.com", "role": "admin"}`).JSON["id"].(string)
	own := map[string]string{
		"/reviews/{id}": "/reviews/" + f.must(200, "GET", "/reviews?state=open", "").items()[0].(map[string]any)["id"].(string), "/follow-ups/{id}": "/follow-ups/" + f.must(200, "GET", "/follow-ups", "").items()[0].(map[string]any)["id"].(string),
		"/invitations/{id}": "/invitations/" + invitation, "/workspaces/{id}": "/workspaces/" + f.ws,
	}
	maps.Copy(own, ids)
	other := id()
	require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: other, Name: "Beta"}))
	f.user(other, "stranger@example.com", "Stranger", "admin")
	client := f.signIn("stranger@example.com")
	state := func() string {
		var b strings.Builder
		for _, path := range []string{"/sources", "/connections", "/users", "/invitations", "/reviews", "/match-choices", "/holds", "/own-numbers", "/workspaces"} {
			b.WriteString(f.must(200, "GET", path, "").Raw)
		}
		return b.String()
	}
	before := state()
	pages, _ := f.routes()
	crossed := 0
	for _, r := range pages {
		if !strings.Contains(r.pattern, "{id}") {
			continue
		}
		path := r.pattern
		for what, real := range own {
			path = strings.Replace(path, what, real, 1)
		}
		path = strings.NewReplacer("{object}", "call", "{do}", "disable", "{action}", "fetch", "{recording}", id()).Replace(path)
		path = strings.Replace(path, "{id}", id(), 1) // what the other workspace has none of
		require.NotContains(t, path, "{", "the walk knows nothing to put into %s", r)
		var got reply
		if r.method == "GET" {
			got = f.get(client, path)
		} else {
			got = f.post(client, path, url.Values{"name": {"stolen"}, "role": {"viewer"}, "mode": {"shadow"}})
		}
		crossed++
		if strings.HasPrefix(r.pattern, "/holds/") {
			// Holds are found by what they say: another's is one of nothing.
			require.NotContains(t, []int{500}, got.Status, r)
		} else {
			require.Contains(t, []int{403, 404}, got.Status, "%s: %s", r, got.Raw)
		}
		require.NotContains(t, got.Raw, "Jane Doe", r)
	}
	require.Greater(t, crossed, 40)
	require.Equal(t, before, state(), "nothing has changed")
	require.Empty(t, f.actions.syncs())
}

// After the sign-in people are led to pages of ours only.
func TestNoOpenRedirect(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "admin")
	for next, want := range map[string]string{
		"/calls?q=1": "/calls?q=1", "": "/", "https://evil.example": "/", "//evil.example": "/", "/\\evil.example": "/", "\\\\evil.example": "/",
		"/\t/evil.example": "/", "javascript:alert(1)": "/", "/%2f/evil.example": "/%2f/evil.example", " //evil.example": "/", "/..//evil.example": "/evil.example", "/.//evil.example": "/evil.example",
	} {
		r := f.post(anonymous(), "/login", url.Values{"email": {"anna@example.com"}, "password": {password}, "next": {next}})
		require.Equal(t, want, r.Header.Get("Location"), next)
	}
}
