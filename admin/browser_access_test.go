package admin_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// An admin invites somebody, who joins in another browser; both look after their accounts.
func TestBrowserAccess(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	f.user(f.ws, "benedikta.von-und-zu-langenfeld@subsidiary.example.com", "Benedikta von und zu Langenfeld-Hohenschwangau", "operator")
	f.user(f.ws, "chris@example.com", "", "viewer")
	b := f.newBrowser("Europe/London")
	b.signIn("anna@example.com")
	b.run(chromedp.Click(chromedp.CSS(".settings-link")), chromedp.WaitVisible(chromedp.CSS("nav.side")))
	require.Equal(t, "/settings/users", js[string](b, "location.pathname"))
	require.Equal(t, []string{"Users", "API tokens", "Own numbers", "Alerts", "Audit log", "Workspaces", "My account"}, settingsEntries(b))
	b.picture("users", true)
	b.run(chromedp.SendKeys(chromedp.CSS("#email"), "dora@example.com"), chromedp.Click(chromedp.CSS("[name=role][value=operator]")), chromedp.Click(chromedp.CSS("form .primary")), chromedp.WaitVisible(chromedp.CSS("#once")))
	link := strings.TrimPrefix(js[string](b, "document.querySelector('#once').textContent"), f.http.URL)
	b.picture("users-invited", true)
	b.open("/settings/users/" + f.idOf("chris@example.com"))
	b.picture("user", true)
	b.run(chromedp.Click(chromedp.CSS("form[action$=disable] button")), chromedp.WaitVisible(chromedp.CSS("form[action$=enable]")))
	b.open("/settings/users/" + f.idOf("anna@example.com"))
	b.run(chromedp.Click(chromedp.CSS("[name=role][value=viewer]")), chromedp.Click(chromedp.CSS("form .primary")), chromedp.WaitVisible(chromedp.CSS(".flash.bad")))
	require.Contains(t, js[string](b, "document.querySelector('.flash.bad').textContent"), "last admin")
	b.picture("user-last-admin", true)
	b.open("/settings/users/" + f.idOf("chris@example.com") + "/remove")
	b.picture("user-remove", false)
	b.run(chromedp.Click(chromedp.CSS("button.danger")), chromedp.WaitVisible(chromedp.CSS(".flash")))

	b.open("/settings/tokens")
	b.run(chromedp.SendKeys(chromedp.CSS("#name"), "Nightly report"), chromedp.Click(chromedp.CSS("form .primary")), chromedp.WaitVisible(chromedp.CSS("#once")))
	require.Regexp(t, `^cs_[a-z0-9]{26}$`, js[string](b, "document.querySelector('#once').textContent"))
	b.picture("tokens", true)
	b.open("/settings/workspaces")
	b.run(chromedp.SendKeys(chromedp.CSS("#new-name"), "Acme Germany"), chromedp.Click(chromedp.CSS("form .primary")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	b.picture("workspaces", true)
	b.run(chromedp.Click(chromedp.CSS(".switcher summary")), chromedp.WaitVisible(chromedp.CSS(".switcher .sheet button")))
	b.picture("switcher", false)
	b.run(chromedp.Click(chromedp.CSS(".switcher .sheet button")))
	b.until("document.querySelector('.switcher .name') !== null && document.querySelector('.switcher .name').textContent === 'Acme Germany'")
	b.run(chromedp.Click(chromedp.CSS(".switcher summary")), chromedp.Click(chromedp.CSS(".switcher .sheet button")))
	b.until("document.querySelector('.switcher .name') !== null && document.querySelector('.switcher .name').textContent === 'Acme'")
	b.open("/account")
	b.run(chromedp.SendKeys(chromedp.CSS("#old"), "wrong"), chromedp.SendKeys(chromedp.CSS("#password"), "four plain words here"), chromedp.SendKeys(chromedp.CSS("#again"), "four plain words here\r"), chromedp.WaitVisible(chromedp.CSS("#old-wrong")))
	b.picture("account", true)
	// All of it is in the audit log, the wrong password included.
	b.open("/settings/audit")
	js[bool](b, "document.querySelectorAll('#audit details').forEach((d, i) => d.open = i < 5); true")
	b.picture("audit-access", true)
	log := js[string](b, "document.querySelector('#audit').innerText")
	for _, did := range []string{"callsync refused a sign-in as Anna Smith: the password was wrong", "Anna Smith came in from another workspace", "Anna Smith made the API token Nightly report: scope read",
		"Anna Smith removed chris@example.com from the workspace", "Anna Smith changed the user chris@example.com: may not come in for now", "Anna Smith invited dora@example.com: as operator", "Anna Smith signed in"} {
		require.Contains(t, log, did)
	}
	b.dark(true)
	for _, path := range []string{"/settings/users", "/settings/tokens", "/account"} {
		b.open(path)
		b.picture("dark"+strings.ReplaceAll(path, "/", "-"), true)
	}
	b.size(390, 844)
	b.dark(false)
	for _, path := range []string{"/settings/users", "/settings/users/" + f.idOf("anna@example.com"), "/settings/tokens", "/settings/workspaces", "/account"} {
		b.open(path)
		b.picture("narrow"+strings.ReplaceAll(path[:min(len(path), 20)], "/", "-"), true)
	}
	b.run(chromedp.Click(chromedp.CSS(".switcher summary")), chromedp.WaitVisible(chromedp.CSS(".switcher .sheet button")))
	require.Greater(t, js[float64](b, "document.querySelector('.switcher .sheet').getBoundingClientRect().left"), 0.0)
	b.picture("narrow-switcher", false)
	b.size(1280, 900)
	b.run(chromedp.Click(chromedp.CSS(".who form[action='/logout'] button")), chromedp.WaitVisible(chromedp.CSS("#email")))

	b.open(link)
	b.picture("join", true)
	b.run(chromedp.SendKeys(chromedp.CSS("#name"), "Dora"), chromedp.SendKeys(chromedp.CSS("#password"), "qwertyuiop12"), chromedp.SendKeys(chromedp.CSS("#again"), "qwertyuiop12\r"), chromedp.WaitVisible(chromedp.CSS("#password-wrong")))
	b.size(390, 844)
	b.picture("narrow-join-refused", true)
	b.run(chromedp.SendKeys(chromedp.CSS("#password"), "four plain words here"), chromedp.SendKeys(chromedp.CSS("#again"), "four plain words here\r"), chromedp.WaitVisible(chromedp.CSS(".top .brand")))
	b.size(1280, 900)
	require.Contains(t, js[string](b, "document.querySelector('.flash').textContent"), "Welcome")
	b.open("/account")
	require.Equal(t, []string{"Own numbers", "Alerts", "My account"}, settingsEntries(b), "an operator sees less")

	require.NoError(t, f.db.AddPasswordLink(t.Context(), f.idOf("dora@example.com"), hashed("x"), tomorrow()))
	b.open("/password/x")
	b.picture("password-link", false)
	b.run(chromedp.SendKeys(chromedp.CSS("#password"), "five plain words in here"), chromedp.SendKeys(chromedp.CSS("#again"), "five plain words in here\r"), chromedp.WaitVisible(chromedp.CSS("form[action='/login']")))
	require.Contains(t, js[string](b, "document.querySelector('.flash').textContent"), "Sign in with it")
	b.picture("login-after", false)
}

func settingsEntries(b *browser) []string {
	return js[[]string](b, "Array.from(document.querySelectorAll('nav.side a'), e => e.textContent)")
}
