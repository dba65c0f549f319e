package admin_test

import (
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// form sends a form of a page and returns status and page.
func (f *fixture) form(client *http.Client, path string, values url.Values) (int, string) {
	f.t.Helper()
	resp, err := client.PostForm(f.http.URL+path, values)
	require.NoError(f.t, err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	require.NoError(f.t, err)
	return resp.StatusCode, string(page)
}

func TestMappingPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withPreviews)
	source, hubspot := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	f.several(4, source, hubspot)
	f.hostileCall(source, hubspot)
	path := "/connections/" + hubspot + "/mappings/call"
	f.must(200, "PUT", path, `{"note": "Ours", "document": `+text("# kept\n"+mappingOf(rowTime, rowNumber, rowTitle))+`}`)
	for _, role := range []string{"viewer", "operator", "admin"} {
		f.user(f.ws, role+"@example.com", role, role)
	}
	boss, operator, viewer := f.signIn("admin@example.com"), f.signIn("operator@example.com"), f.signIn("viewer@example.com")
	values := func(do, document string) url.Values {
		return url.Values{"do": {do}, "tab": {"text"}, "text": {document}, "base": {"2"}, "note": {"From the page"}, "last": {"20"}}
	}
	changed := mappingOf(rowTime, rowNumber, `{target: hs_call_title, value: {template: "A call of {{ customer.name ?? customer.number }}"}}`)

	status, page := f.form(operator, path, values("preview", changed))
	require.Equal(t, 200, status)
	for _, want := range []string{"<b>5</b> of 5 change", "A call of Customer 1", "Call of Customer 1", "customer.number"} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "<script>alert", "what strangers say is text")
	require.NotContains(t, page, "\u202e")
	status, _ = f.form(operator, path, values("save", changed))
	require.Equal(t, 403, status)
	status, page = f.form(viewer, path, values("preview", changed))
	require.Equal(t, 403, status)
	require.NotContains(t, page, "Customer 1")

	// Faults stand beside their lines, those of the language and those of the CRM.
	_, page = f.form(boss, path, values("preview", "format: 1\nobject: call\nfields:\n  - {target: hs_call_title, value: {field: nobody}}"))
	require.Contains(t, page, `data-line="4"`)
	require.Contains(t, page, "There is no field or function nobody.")
	status, page = f.form(boss, path, values("save", mappingOf(rowTime, `{target: hs_call_tittle, value: {const: a}}`)))
	require.Equal(t, 422, status)
	require.Contains(t, page, "hs_call_title", "the nearest field is named")
	require.Contains(t, page, `data-line="5"`)
	require.Contains(t, page, "hs_call_tittle", "what was typed stays")

	see := func(client *http.Client, path string) (int, string) {
		resp, err := client.Get(f.http.URL + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	status, _ = f.form(boss, path, values("save", changed))
	require.Equal(t, 303, status)
	_, page = see(boss, path+"?done=mapping")
	require.Contains(t, page, "Saved.")
	require.Contains(t, page, "From the page")
	require.Contains(t, page, "by admin")
	now := f.must(200, "GET", path, "")
	require.EqualValues(t, 3, now.JSON["version"])
	require.Equal(t, changed, now.JSON["document"])

	// Who was slower is told, and may save all the same.
	status, page = f.form(boss, path, values("save", mappingOf(rowTime)))
	require.Equal(t, 409, status)
	require.Contains(t, page, "Not saved: admin saved version 3 after you began from version 2.")
	require.Contains(t, page, "What changed from version 2 to 3")
	require.EqualValues(t, 3, f.must(200, "GET", path, "").JSON["version"])

	_, page = see(viewer, path+"?compare=2")
	require.Contains(t, page, "From version 2 to the one in force")
	require.Contains(t, page, "A call of {{ customer.name ?? customer.number }}")
	require.NotContains(t, page, "Customer 1", "a viewer reads the mapping and no call")
	_, page = see(boss, path+"?from=2&tab=text")
	require.Contains(t, page, "# kept")
	_, page = see(boss, path+"?from=default")
	require.Contains(t, page, "hs_call_body")
	status, _ = f.form(boss, path, url.Values{"do": {"return"}, "n": {"2"}})
	require.Equal(t, 303, status)
	require.EqualValues(t, 2, f.must(200, "GET", path, "").JSON["version"])
	for _, bad := range []string{path + "?from=99", path + "?compare=99", "/connections/" + hubspot + "/mappings/nothing", "/connections/" + id() + "/mappings/call"} {
		status, _ = see(boss, bad)
		require.Equal(t, 404, status, bad)
	}
	_, page = see(viewer, "/connections")
	require.Contains(t, page, `href="`+path+`"`)
}

func TestBrowserMapping(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withPreviews)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	path := "/connections/" + d.hubspot + "/mappings/call"
	b := f.newBrowser("Europe/London")
	b.signIn("anna@example.com")
	b.open("/connections")
	b.run(chromedp.Click(chromedp.CSS(`section[aria-label="HubSpot"] a[href$="/mappings/call"]`)), chromedp.WaitVisible(chromedp.CSS("#rows")))
	b.press("text")
	b.has("document")
	b.until(`document.querySelector("#mapping-preview .counts") !== null`)
	b.picture("mapping", true)

	// The preview follows what is typed, and leaves the text alone.
	replace := func(old, with string) {
		js[bool](b, `(() => { const e = document.getElementById("document"); e.value = e.value.replace(`+text(old)+`, `+text(with)+`); e.dispatchEvent(new Event("input", {bubbles: true})); return true })()`)
	}
	replace(`{{ call_title }}`, `{{ upper(call_title) }}`)
	b.until(`document.querySelector("#mapping-preview .counts .changed") !== null`)
	require.Contains(t, js[string](b, `document.getElementById("document").value`), `upper(call_title)`)
	require.Contains(t, js[string](b, `document.getElementById("mapping-preview").innerText`), "OUTBOUND CALL TO")
	js[bool](b, `(document.querySelector("#mapping-preview .mapped .how summary").click(), true)`)
	b.picture("mapping-changed", true)
	b.dark(true)
	b.picture("mapping-changed-dark", true)
	b.dark(false)

	// A fault is told while one types, and leads to its line.
	replace(`upper(call`, `uper(call`)
	b.until(`document.querySelector("#mapping-problems [data-line]") !== null`)
	require.Contains(t, js[string](b, `document.getElementById("mapping-problems").innerText`), "Did you mean upper?")
	b.run(chromedp.Click(chromedp.CSS("#mapping-problems [data-line]")))
	b.until(`document.activeElement.id === "document" && document.getElementById("document").selectionEnd > document.getElementById("document").selectionStart`)
	b.picture("mapping-wrong", true)
	replace(`uper(call`, `upper(call`)
	b.until(`document.querySelector("#mapping-problems .fails") === null && document.querySelector("#mapping-preview .counts") !== null`)
	b.run(chromedp.SendKeys(chromedp.CSS("#note"), "Loud subjects"))
	b.press("save")
	b.until(`location.search.includes("done=mapping") && document.querySelector("#versions") !== null && document.querySelector("#versions").innerText.includes("Loud subjects")`)
	b.open(path + "?compare=1")
	b.picture("mapping-diff", true)
	b.press("return")
	b.until(`document.querySelector(".flash") !== null && document.querySelector(".flash").innerText.includes("in force again")`)
	require.EqualValues(t, 1, f.must(200, "GET", path, "").JSON["version"])

	b.size(390, 1500)
	b.open(path + "?compare=2")
	b.until(`document.querySelector("#mapping-preview .counts") !== null`)
	require.LessOrEqual(t, js[int](b, "document.documentElement.scrollWidth"), 390, "nothing is wider than the screen")
	b.picture("mapping-narrow", true)
}
