package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// second makes a second workspace of somebody of the first, and returns its id.
func (f *fixture) second(email, name string) string {
	f.t.Helper()
	beta := id()
	require.NoError(f.t, f.db.CreateWorkspace(f.asOperator(), records.Workspace{ID: beta, Name: name}))
	f.exec(`insert into memberships (user_id, workspace_id, role) select id, $2, 'admin' from users where email = $1`, email, beta)
	return beta
}

// A page that is still open when its person has gone to another workspace in another tab changes nothing there.
func TestFormsOfAnotherWorkspaceAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna", "admin")
	beta := f.second("anna@example.com", "Beta <b>")
	anna := f.signIn("anna@example.com")
	require.Equal(t, 303, f.post(anna, "/settings/workspaces/"+f.ws+"/switch", nil).Status)

	// Each form of each page says of which workspace it is.
	for _, path := range []string{"/", "/settings/users", "/settings/tokens", "/account", "/settings/workspaces", "/sources/new?provider=callrail", "/numbers", "/settings/alerts"} {
		page := f.get(anna, path).Raw
		forms := strings.Count(page, `method="post"`)
		require.Positive(t, forms, path)
		require.Equal(t, forms, strings.Count(page, `<input type="hidden" name="_workspace" value="`+f.ws+`">`), path)
		require.Contains(t, page, `hx-headers='{"X-Callsync-Workspace": "`+f.ws+`"}'`)
	}
	require.NotContains(t, f.get(anonymous(), "/login").Raw, "_workspace")

	require.Equal(t, 303, f.post(anna, "/settings/workspaces/"+beta+"/switch", nil).Status)
	from := func(workspace string) url.Values {
		return url.Values{"_workspace": {workspace}, "email": {"guest@example.com"}, "role": {"admin"}}
	}
	r := f.postAsIs(anna, "/settings/users", from(f.ws))
	require.Equal(t, 409, r.Status)
	require.Contains(t, r.Raw, "Nothing was changed: this page is of the workspace “Acme”, and you have gone to “Beta &lt;b&gt;” since, in another tab.")
	require.Contains(t, r.Raw, "/settings/workspaces/"+f.ws+"/switch")
	r = f.postAsIs(anna, "/settings/users", url.Values{"email": {"guest@example.com"}, "role": {"admin"}})
	require.Equal(t, 409, r.Status, "who is in several must say")
	require.Contains(t, r.Raw, "Load it again")
	r = f.postAsIs(anna, "/settings/users", from(id()))
	require.Equal(t, 409, r.Status)
	require.NotContains(t, r.Raw, "/switch\" target", "a workspace where they may not go is not offered")

	// Every form, whatever it does, but the one that leads back.
	pages, api := f.routes()
	walked := 0
	for _, route := range pages {
		if route.method != "POST" || strings.HasSuffix(route.pattern, "/switch") {
			continue
		}
		walked++
		r := f.postAsIs(anna, wildcard.ReplaceAllString(route.pattern, id()), from(f.ws))
		require.Equal(t, 409, r.Status, route)
	}
	require.Greater(t, walked, 50)
	// What scripts of the page ask for, too: lists that refresh themselves must not fill with another workspace's rows.
	ask := func(method, path string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, f.http.URL+path, nil)
		require.NoError(t, err)
		req.Header.Set("X-Callsync-Workspace", f.ws)
		return f.do(anna, req).Status
	}
	require.Equal(t, 409, ask("GET", "/live/rows"))
	require.Equal(t, 409, ask("POST", "/settings/users"))
	for _, route := range api {
		require.Equal(t, 409, ask(route.method, "/api/v1"+wildcard.ReplaceAllString(route.pattern, id())), route)
	}
	for _, workspace := range []string{f.ws, beta} {
		open, err := f.db.Invitations(t.Context(), workspace)
		require.NoError(t, err)
		require.Empty(t, open)
	}

	// Back where the page came from, the same form counts.
	require.Equal(t, 303, f.postAsIs(anna, "/settings/workspaces/"+f.ws+"/switch", from(f.ws)).Status)
	require.Equal(t, 200, f.postAsIs(anna, "/settings/users", from(f.ws)).Status)
	open, err := f.db.Invitations(t.Context(), f.ws)
	require.NoError(t, err)
	require.Len(t, open, 1)

	// Whoever is in one workspace only may leave it out, but not send what is of another.
	f.user(f.ws, "ben@example.com", "Ben", "admin")
	ben := f.signIn("ben@example.com")
	require.Equal(t, 303, f.postAsIs(ben, "/account/name", url.Values{"name": {"Ben"}}).Status)
	require.Equal(t, 409, f.postAsIs(ben, "/account/name", url.Values{"name": {"Ben"}, "_workspace": {beta}}).Status)
}

// The same in a browser: the form is refused with the way back, and an open list says that it is not kept up to date.
func TestBrowserOtherWorkspace(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	beta := f.second("anna@example.com", "Acme Germany")
	b := f.newBrowser("Europe/London")
	b.signIn("anna@example.com")
	visit := func(workspace string) {
		f.exec(`update sessions set workspace_id = $1`, workspace) // another tab
	}
	visit(f.ws)
	b.open("/settings/users")
	visit(beta)
	b.run(chromedp.SendKeys(chromedp.CSS("#email"), "dora@example.com"), chromedp.Click(chromedp.CSS("form .primary")), chromedp.WaitVisible(chromedp.CSS("form[target]")))
	require.Contains(t, js[string](b, "document.querySelector('main').innerText"), "this page is of the workspace “Acme”, and you have gone to “Acme Germany” since")
	b.picture("elsewhere", false)
	b.size(390, 844)
	b.dark(true)
	b.picture("elsewhere-narrow-dark", false)
	visit(f.ws)
	b.open("/live")
	visit(beta)
	js[bool](b, "htmx.trigger('#live', 'refresh'), true")
	b.until("document.querySelector('#elsewhere') !== null")
	b.picture("elsewhere-live", false)
	b.Forget("409")
}
