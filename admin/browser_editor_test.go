package admin_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
)

// typeInto puts the focus into a field, and types over what is there as people do.
func (b *browser) typeInto(id, text string) {
	b.t.Helper()
	js[bool](b, fmt.Sprintf(`(() => { const e = document.getElementById(%q); e.focus(); e.select(); return true })()`, id))
	b.run(chromedp.SendKeys(chromedp.Search(fmt.Sprintf(`//*[@id=%q]`, id)), text))
}

// key presses a key, with or without Alt, where the focus is.
func (b *browser) key(name string, alt bool) {
	b.t.Helper()
	js[bool](b, fmt.Sprintf(`(document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: %q, altKey: %t, bubbles: true, cancelable: true})), true)`, name, alt))
}

// rowOrder are the targets of the editor's rows.
func (b *browser) rowOrder() []string {
	b.t.Helper()
	return js[[]string](b, `[...document.querySelectorAll("#rows [name$='.target']")].map(e => e.value)`)
}

// text is what an element says.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return js[string](b, fmt.Sprintf(`(document.querySelector(%q) || {innerText: ""}).innerText`, selector))
}

// withManyFields gives the account's calls as many fields as large accounts have, with labels and lists.
func (f *fixture) withManyFields(n int) *hubspotfake.Fake {
	fake := hubspotfake.New(hubspotfake.Options{Tokens: map[string][]string{crmToken: nil}, PerTenSeconds: -1, SearchPerSecond: -1})
	areas := []string{"Sales", "Support", "Region", "Partner", "Campaign"}
	for i := range n {
		p := hubspotfake.Property{Name: fmt.Sprintf("acme_%s_%03d", strings.ToLower(areas[i%5]), i), Label: fmt.Sprintf("%s figure %03d", areas[i%5], i), Type: "string", FieldType: "text"}
		if i%4 == 1 {
			p.Type, p.FieldType = "enumeration", "select"
			p.Options = []hubspotfake.Option{{Label: "High value", Value: "high"}, {Label: "Low value", Value: "low"}, {Label: "Not known", Value: "unknown"}}
		}
		fake.PutProperty("calls", p)
	}
	f.crm.Close()
	f.crm = httptest.NewServer(fake)
	f.t.Cleanup(f.crm.Close)
	return fake
}

func TestBrowserMappingRows(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withPreviews)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	f.withManyFields(800)
	d := f.demo()
	path := "/connections/" + d.hubspot + "/mappings/call"
	b := f.newBrowser("Europe/London")
	b.size(1280, 900)
	b.signIn("anna@example.com")
	b.open(path)
	b.until(`document.querySelector("#chosen-call") !== null && document.querySelector("#head-2 .gives").innerText !== ""`)
	b.picture("editor", false)
	require.True(t, js[bool](b, `document.getElementById("unsaved").hidden`))

	// A row is opened by keyboard; what is typed is tried at once, by the server.
	js[bool](b, `(document.querySelector("#row-2 > summary").focus(), true)`)
	b.run(chromedp.SendKeys(chromedp.CSS("#row-2 > summary"), "\r"))
	b.until(`document.getElementById("row-2").open && document.querySelector("#said-2 .gave") !== null`)
	b.picture("editor-long-expression", false)
	b.typeInto("2.text", `Call {{ upper(custmer.name) }}`)
	b.until(`document.querySelector("#said-2 mark") !== null && document.querySelector("#said-2 mark").innerText === "custmer" && document.getElementById("said-2").innerText.includes("Did you mean customer")`) // the place of the fault
	require.False(t, js[bool](b, `document.getElementById("unsaved").hidden`))
	require.True(t, js[bool](b, `!window.dispatchEvent(new Event("beforeunload", {cancelable: true}))`), "unsaved changes are guarded")
	b.picture("editor-wrong", false)
	b.run(chromedp.Click(chromedp.CSS("#said-2 .fix")))
	b.until(`document.getElementById("2.text").value === "Call {{ upper(customer.name) }}"`)
	b.until(`document.querySelector("#mapping-preview .counts .changed") !== null && document.querySelector("#said-2 .gave") !== null`)
	require.Contains(t, b.text("#said-2 .gave"), "Call CHLOÉ LEFÈVRE")
	b.picture("editor-changed", true)

	// Names are completed where one types an expression.
	b.typeInto("2.text", `Call {{ agent.na`)
	b.until(`document.querySelector("#offers [role=option]") !== null`)
	require.Contains(t, b.text("#offers"), "the agent's name")
	b.key("ArrowDown", false)
	require.Equal(t, "offer-0", js[string](b, `document.activeElement.getAttribute("aria-activedescendant")`))
	b.picture("editor-completion", false)
	b.key("Enter", false)
	b.until(`document.getElementById("2.text").value === "Call {{ agent.name"`)
	b.run(chromedp.SendKeys(chromedp.Search(`//*[@id="2.text"]`), " }}"))

	// A row of its own: one of 800 fields by a part of its label, with its type; a value that the list has not is told.
	b.press("add:")
	b.until(`document.activeElement.name === "13.target"`)
	b.typeInto("13.target", "figure 401")
	b.until(`document.querySelectorAll("#offers [role=option]").length === 1`)
	require.Contains(t, b.text("#offers"), "Support figure 401")
	b.picture("editor-fields", false)
	b.key("ArrowDown", false)
	b.key("Enter", false)
	b.until(`document.getElementById("13.target").value === "acme_support_401" && document.getElementById("13.type").value === "picklist"`)
	b.choose("13.form", "const")
	b.typeInto("13.fixed", "High")
	b.until(`document.querySelector("#said-13 .fails .fix") !== null && document.getElementById("said-13").innerText.includes("no value “High”")`)
	b.picture("editor-picklist", false)
	b.run(chromedp.Click(chromedp.CSS("#said-13 .fix")))
	b.until(`document.getElementById("13.fixed").value === "high"`)

	// Moving by keyboard, taking out and putting back; the order is that of the document.
	js[bool](b, `(document.querySelector("#row-13 > summary").focus(), true)`)
	b.key("ArrowUp", true)
	require.Equal(t, "acme_support_401", b.rowOrder()[11])
	require.Equal(t, "SUMMARY", js[string](b, `document.activeElement.tagName`), "the focus goes with the row")
	b.run(chromedp.Click(chromedp.CSS("#item-1 [data-remove]")))
	b.until(`document.querySelector("#undo button") !== null && document.getElementById("item-1") === null`)
	require.NotContains(t, b.rowOrder(), "hs_timestamp")
	b.until(`document.querySelector(".waits") !== null`)
	require.Contains(t, b.text(".waits"), "makes no record without it")
	b.picture("editor-waiting", true)
	b.run(chromedp.Click(chromedp.CSS(".waits button")))
	b.until(`document.querySelector(".waits") === null && document.getElementById("14.target").value === "hs_timestamp"`)
	require.Equal(t, "datetime", js[string](b, `document.getElementById("14.type").value`))
	b.typeInto("14.name", "started_at")

	b.run(chromedp.SendKeys(chromedp.CSS("#note"), "Agents in the title"))
	b.press("save")
	b.until(`location.search.includes("done=mapping")`)
	now := f.must(200, "GET", path, "").JSON
	document := now["document"].(string)
	require.Contains(t, document, "# MISSED is in the list of HubSpot's calling extensions", "comments stay")
	require.Contains(t, document, "value: {const: high}")
	require.Contains(t, document, "Call {{ agent.name }}")
	require.Contains(t, document, "- target: hs_timestamp\n    type: datetime\n    value: {field: started_at}\n")
}

// All that matters works with forms alone, and what each may do is kept to.
func TestMappingRowsWithoutScripts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withPreviews)
	source, hubspot := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	ids := f.several(3, source, hubspot)
	path := "/connections/" + hubspot + "/mappings/call"
	document := "# ours\n" + mappingOf(rowTime, rowTitle) + "\n  - target: hs_call_status\n    later: 1 # why\n    value:\n      template: |-\n        a\n        b {{ queue }}\n  - [x]\n"
	f.exec(`update mappings set document = $1 where object = 'call'`, document)
	for _, role := range []string{"viewer", "operator", "admin"} {
		f.user(f.ws, role+"@example.com", role, role)
	}
	boss, operator, viewer := f.signIn("admin@example.com"), f.signIn("operator@example.com"), f.signIn("viewer@example.com")
	page := f.get(viewer, path).Raw
	require.Contains(t, page, "hs_call_title")
	require.Contains(t, page, "This row is edited as text")
	require.Contains(t, page, "is left out if its fields are all empty")
	require.Contains(t, page, "is not known here", "an unknown member is told")

	row := func(v url.Values, key, from, target, form string, more ...string) {
		v.Add("row", key)
		for name, value := range map[string]string{"from": from, "target": target, "form": form, "mode": "overwrite", "type": "text", "empty": "skip"} {
			v.Set(key+"."+name, value)
		}
		for i := 0; i < len(more); i += 2 {
			v.Set(key+"."+more[i], more[i+1])
		}
	}
	form := func(do string) url.Values {
		v := url.Values{"do": {do}, "tab": {"rows"}, "text": {strings.ReplaceAll(document, "\n", "\r\n")}, "base": {"1"}, "last": {"3"}, "call": {ids[1]}}
		row(v, "1", "0", "hs_timestamp", "field", "name", "started_at", "type", "datetime")
		row(v, "2", "1", "hs_call_title", "template", "text", "Call of {{ customer.name }}!", "mode", "always")
		row(v, "3", "2", "hs_call_status", "template", "text", "a\r\nb {{ queue }}")
		row(v, "4", "3", "", "field")
		return v
	}
	_, page = f.form(boss, path, form("text"))
	for _, kept := range []string{"# ours", "later: 1 # why", "- [x]", "mode: always"} {
		require.Contains(t, page, kept)
	}
	status, page := f.form(boss, path, form("save"))
	require.Equal(t, 422, status)
	require.Contains(t, page, "Nothing was saved yet")

	clean := form("preview")
	clean["row"] = []string{"2", "1"}
	status, page = f.form(operator, path, clean)
	require.Equal(t, 200, status)
	require.Contains(t, page, "Call of Customer 1!", "the row says what it gives for the call that was chosen")
	clean.Set("do", "save")
	status, _ = f.form(operator, path, clean)
	require.Equal(t, 403, status)
	status, page = f.form(boss, path, clean)
	require.Equal(t, 303, status, page)
	saved := f.must(200, "GET", path, "").JSON["document"].(string)
	require.Equal(t, "# ours\nformat: 1\nobject: call\nfields:\n  - {target: hs_call_title, mode: always, value: {template: \"Call of {{ customer.name }}!\"}}\n  - {target: hs_timestamp, type: datetime, value: {field: started_at}}\n", saved)

	// Buttons of rows.
	document = saved
	order := func(do string, more ...func(url.Values)) string {
		v := url.Values{"do": {do}, "tab": {"rows"}, "text": {saved}, "base": {"2"}}
		row(v, "1", "0", "hs_call_title", "template", "text", "Call of {{ customer.name }}!", "mode", "always")
		row(v, "2", "1", "hs_timestamp", "field", "name", "started_at", "type", "datetime")
		for _, m := range more {
			m(v)
		}
		_, page := f.form(boss, path, v)
		return page
	}
	page = order("down:1")
	require.Less(t, strings.Index(page, `id="row-2"`), strings.Index(page, `id="row-1"`))
	page = order("remove:2")
	require.NotContains(t, page, `id="row-2"`)
	require.Contains(t, page, "makes no record without it", "a required field waits to be filled")
	page = order("add:hs_call_body")
	require.Contains(t, page, `name="3.target" value="hs_call_body"`)
	page = order("fix:1?max=255&type=html")
	require.Contains(t, page, `name="1.max" value="255"`)
	page = order("refresh", func(v url.Values) { v.Set("2.form", "lookup"); v.Set("2.table", "a: [") })
	require.Contains(t, page, "The table has a key and a value on each line")
	require.Contains(t, page, "a: [", "what was typed stays")

	// One row is tried by those who may see calls.
	one := url.Values{"call": {ids[2]}}
	row(one, "7", "-1", "hs_call_title", "expr", "text", "upper(customer.name)")
	status, page = f.form(operator, path+"/row", one)
	require.Equal(t, 200, status)
	require.Contains(t, page, "CUSTOMER 2")
	status, _ = f.form(viewer, path+"/row", one)
	require.Equal(t, 403, status)
	one.Set("7.text", "upper(<script>")
	_, page = f.form(operator, path+"/row", one)
	require.Contains(t, page, `class="fails"`)
	require.NotContains(t, page, "<script>")
	status, _ = f.form(operator, path+"/row", url.Values{})
	require.Equal(t, 400, status)
	other := f.as(f.boot, "POST", "/api/v1/workspaces", `{"name": "Other"}`).JSON["id"].(string)
	f.user(other, "other@example.com", "Other", "admin")
	status, _ = f.form(f.signIn("other@example.com"), path+"/row", one)
	require.Equal(t, 404, status)
}

// Two people at once, old versions, and a CRM that changes.
func TestBrowserMappingVersions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withPreviews)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	fake := f.withManyFields(402)
	d := f.demo()
	path := "/connections/" + d.hubspot + "/mappings/call"
	document := f.must(200, "GET", path, "").JSON["document"].(string) + "\n  - target: acme_support_401\n    type: picklist\n    value: {const: high}\n"
	f.must(200, "PUT", path, `{"document": `+text(document)+`}`)
	b := f.newBrowser("Europe/London")
	b.size(1280, 900)
	b.signIn("anna@example.com")

	// Somebody else saves meanwhile: nothing is written over, and the two are put together.
	b.open(path)
	b.until(`document.querySelector("#chosen-call") !== null`)
	js[bool](b, `(document.querySelector("#row-4 > summary").click(), true)`)
	b.choose("4.mode", "fill_if_empty")
	theirs := strings.Replace(document, "value: {field: owner_id}", "value: {field: owner_id}\n    mode: always", 1)
	f.must(200, "PUT", path, `{"document": `+text(theirs)+`, "note": "Theirs", "base_version": 2}`)
	f.must(409, "PUT", path, `{"document": `+text(theirs)+`, "base_version": 2}`)
	b.press("save")
	b.until(`document.getElementById("conflict") !== null`)
	require.Contains(t, b.text("#conflict"), "saved version 3 after you began from version 2")
	require.Contains(t, b.text("#conflict"), "hubspot_owner_id")
	require.Contains(t, b.text("#in-force"), "Version 3 is in force", "what stands around the editor is of now")
	require.Contains(t, b.text("#versions"), "Theirs")
	require.Equal(t, 1, js[int](b, `document.querySelectorAll("#in-force").length`))
	require.Equal(t, 1, js[int](b, `document.querySelectorAll("#versions").length`))
	require.Contains(t, b.text("#conflict"), "Always overwrite", "the words of the editor")
	require.NotContains(t, b.text("#conflict"), "always")
	b.picture("editor-conflict", true)
	b.press("rebase")
	b.until(`document.getElementById("conflict") === null && document.querySelector("#editor .flash") !== null`)
	b.press("save")
	b.until(`location.search.includes("done=mapping")`)
	document = f.must(200, "GET", path, "").JSON["document"].(string)
	require.Contains(t, document, "mode: always")
	require.Contains(t, document, "mode: fill_if_empty")

	// An old version, compared and put in force again.
	b.open(path + "?compare=1")
	require.Contains(t, b.text("#diff"), "Support figure 401")
	require.Contains(t, b.text("#diff"), "Writing")
	require.Contains(t, b.text("#diff"), "Only fill if empty")
	require.NotContains(t, b.text("#diff"), "fill_if_empty")
	js[bool](b, `(document.querySelector("#text-diff summary").click(), true)`)
	b.picture("editor-versions", true)
	js[bool](b, `(document.querySelector("form:has(input[name=n][value='2']) button").click(), true)`)
	b.until(`location.search.includes("done=returned")`)
	require.EqualValues(t, 2, f.must(200, "GET", path, "").JSON["version"])

	// The CRM changes: the row says so, with the field that was most likely meant.
	fake.RemoveProperty("calls", "acme_support_401")
	fake.PutProperty("calls", hubspotfake.Property{Name: "acme_support_value", Label: "Support figure 401", Type: "enumeration", FieldType: "select", Options: []hubspotfake.Option{{Label: "High", Value: "high"}}})
	f.must(200, "POST", "/connections/"+d.hubspot+"/schema/call/refresh", "")
	b.open(path)
	require.Contains(t, b.text("[data-schema]"), "acme_support_value")
	js[bool](b, `(document.querySelector(".maprow.fails > details > summary").click(), true)`)
	b.until(`document.querySelector(".maprow.fails .fix") !== null`)
	b.until(`document.querySelector("#mapping-preview .counts") !== null`)
	b.picture("editor-drift", true)
	b.run(chromedp.Click(chromedp.CSS(".maprow.fails .fix")))
	b.until(`document.querySelector(".maprow.fails") === null`)
	require.Contains(t, b.rowOrder(), "acme_support_value")

	// One call by its number.
	b.run(chromedp.SendKeys(chromedp.CSS("#mapping-find"), "(212) 555-0123"))
	b.until(`document.querySelectorAll("#mapping-preview .previewed > details").length === 1`)
	require.Contains(t, b.text("#chosen"), "Wei Zhang")
	b.until(`document.querySelector("#head-4 .gives").innerText !== ""`)

	js[bool](b, `(document.getElementById("editor").removeAttribute("data-unsaved"), true)`)
	b.dark(true)
	b.open(path)
	js[bool](b, `(document.querySelector("#row-5 > summary").click(), true)`)
	b.until(`document.querySelector("#said-5 .gave") !== null && document.querySelector("#head-2 .gives").innerText !== ""`)
	b.picture("editor-dark", true)
	b.size(390, 1500)
	require.Empty(t, js[[]string](b, `[...document.querySelectorAll(".maprow")].filter(r => {
		const m = r.querySelector(".moves").getBoundingClientRect(), h = r.querySelector("summary").getBoundingClientRect(), of = r.querySelector(".to b").getClientRects();
		return m.top < h.top || m.bottom > h.bottom + 1 && m.top - h.top > 10 || m.right > innerWidth || [...of].some(t => t.right > m.left && t.bottom > m.top && t.top < m.bottom);
	}).map(r => r.id)`), "moving stands in the head of its row, and covers nothing")
	b.picture("editor-narrow-dark", true)
	b.dark(false)
	b.picture("editor-narrow", true)
}
