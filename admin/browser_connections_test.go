package admin_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/admin"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/espocrm"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/pipedrive"
	"github.com/callsync/callsync/connectors/webhook"
)

func someConnectors(d *admin.Deps) {
	d.Connectors = connectors.NewRegistry(espocrm.New(), hubspot.New(), pipedrive.New(), webhook.New())
}

// The way of an administrator: choose a CRM, fill in the form wrongly and rightly, change it, remove it.
func TestBrowserAddsAConnection(t *testing.T) {
	t.Parallel()
	f := newFixture(t, someConnectors)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	b := f.newBrowser("Europe/Berlin")
	b.signIn("anna@example.com")
	b.open("/connections")
	b.picture("connections-empty", false)
	b.run(chromedp.Click(chromedp.CSS(".empty .button")), chromedp.WaitVisible(chromedp.CSS(".kinds")))
	require.Equal(t, 4, js[int](b, "document.querySelectorAll('.kinds li').length"))
	b.picture("connection-kinds", true)
	b.run(chromedp.Click(chromedp.CSS(`a[href="/connections/new?connector=espocrm"]`)), chromedp.WaitVisible(chromedp.CSS("#name")))
	require.Equal(t, "EspoCRM", js[string](b, "document.querySelector('#name').value"))
	b.picture("connection-form", true)

	// Faults stand at their fields, and what was typed stays, secrets excepted.
	b.run(chromedp.SetValue(chromedp.CSS("#name"), "Sales"), chromedp.SetValue(chromedp.CSS("#window_minutes"), "soon"),
		chromedp.Click(chromedp.CSS("input[name=mode][value=shadow]")), chromedp.Click(chromedp.CSS(".actions button")), chromedp.WaitVisible(chromedp.CSS("[role=alert]")))
	require.Equal(t, "window_minutes", js[string](b, "document.activeElement.id"))
	require.GreaterOrEqual(t, js[int](b, "document.querySelectorAll('[aria-invalid=true]').length"), 2, "the address is missing as well")
	require.True(t, js[bool](b, "document.querySelector('input[name=mode][value=shadow]').checked"))
	b.picture("connection-form-wrong", true)
	b.run(chromedp.SetValue(chromedp.CSS("#window_minutes"), "30"), chromedp.SetValue(chromedp.CSS(`[id="config.base_url"]`), "https://crm.example.com"),
		chromedp.SetValue(chromedp.CSS(`[id="secrets.api_key"]`), "k-1"),
		chromedp.Click(chromedp.CSS(".actions button")), chromedp.WaitVisible(chromedp.CSS(".checks, form[action$='/test']")))
	require.Contains(t, js[string](b, "document.querySelector('.flash').textContent"), "The connection is there")
	b.picture("connection-new", true)
	made := f.must(200, "GET", "/connections", "").items()[0].(map[string]any)
	require.Equal(t, "Sales", made["name"])
	require.Equal(t, "shadow", made["mode"])
	require.EqualValues(t, 1800, made["window_seconds"])
	path := "/connections/" + made["id"].(string)

	// A new address needs the secrets again; without one they stay.
	b.open(path + "/edit")
	require.Empty(t, js[string](b, `document.getElementById("secrets.api_key").value`))
	b.run(chromedp.SetValue(chromedp.CSS(`[id="config.base_url"]`), "https://other.example.com"), chromedp.Click(chromedp.CSS(".actions button")), chromedp.WaitVisible(chromedp.CSS("[role=alert]")))
	require.Equal(t, "secrets.api_key", js[string](b, "document.activeElement.id"))
	b.picture("connection-secrets-again", true)
	b.open(path + "/edit")
	js[bool](b, "(document.querySelector('#window_minutes').value = '') === ''")
	b.run(chromedp.SetValue(chromedp.CSS("#name"), "Sales and more"), chromedp.Click(chromedp.CSS("input[name=mode][value=live]")),
		chromedp.Click(chromedp.CSS(".actions button")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	now := f.must(200, "GET", path, "").JSON
	require.Equal(t, "Sales and more", now["name"])
	require.Equal(t, "live", now["mode"])
	require.NotContains(t, now, "window_seconds")
	require.Equal(t, map[string]any{"api_key": true}, now["secrets"])

	for _, dark := range []bool{false, true} {
		b.dark(dark)
		b.size(390, 844)
		for name, page := range map[string]string{"connections": "/connections", "connection-kinds": "/connections/new", "connection-form": "/connections/new?connector=hubspot"} {
			b.open(page)
			b.picture(name+"-narrow"+suffix(dark), true)
		}
		b.size(1280, 900)
	}
	b.dark(false)
	b.open(path + "/delete")
	b.picture("connection-delete", false)
	b.run(chromedp.Click(chromedp.CSS("button.danger")), chromedp.WaitVisible(chromedp.CSS(".empty")))
	require.Empty(t, f.must(200, "GET", "/connections", "").items())
}

// Only an admin reaches the forms.
func TestConnectionFormsAreForAdmins(t *testing.T) {
	t.Parallel()
	f := newFixture(t, someConnectors)
	f.user(f.ws, "o@example.com", "O", "operator")
	o := f.signIn("o@example.com")
	id := f.newConnection().JSON["id"].(string)
	for _, path := range []string{"/connections/new", "/connections/" + id + "/edit", "/connections/" + id + "/delete"} {
		require.Equal(t, 403, f.get(o, path).Status, path)
	}
	require.NotContains(t, f.get(o, "/connections").Raw, "/connections/new")
}
