package admin_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// typeInto puts the focus into a field, empties it and types as people do.
func (b *browser) typeInto(id, text string) {
	b.t.Helper()
	js[bool](b, fmt.Sprintf(`(() => { const e = document.getElementById(%q); e.focus(); e.select(); return true })()`, id))
	b.run(chromedp.SendKeys(chromedp.Search(fmt.Sprintf(`//*[@id=%q]`, id)), text))
}

// key presses a key with or without Alt, where the focus is.
func (b *browser) key(name string, alt bool) {
	b.t.Helper()
	js[bool](b, fmt.Sprintf(`document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: %q, altKey: %t, bubbles: true, cancelable: true})) || true`, name, alt))
}

func TestBrowserMappingRows(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withPreviews)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	path := "/connections/" + d.hubspot + "/mappings/call"
	b := f.newBrowser("Europe/London")
	b.size(1280, 900)
	b.signIn("anna@example.com")
	b.open(path)
	b.until(`document.querySelector("#chosen-call") !== null && document.querySelector("#head-2 .gives").innerText !== ""`)
	b.picture("editor", false)

	// A row is opened by keyboard; what is typed is tried at once, by the server.
	js[bool](b, `(document.querySelector("#row-2 > summary").focus(), true)`)
	b.run(chromedp.SendKeys(chromedp.CSS("#row-2 > summary"), "\r"))
	b.until(`document.getElementById("row-2").open`)
	b.typeInto("2.text", `Call {{ upper(custmer.name) }}`)
	b.until(`document.querySelector("#said-2 mark") !== null`)
	require.Equal(t, "custmer", js[string](b, `document.querySelector("#said-2 mark").innerText`), "the place of the fault")
	require.Contains(t, js[string](b, `document.getElementById("said-2").innerText`), "Did you mean customer")
	require.False(t, js[bool](b, `document.getElementById("unsaved").hidden`))
	require.True(t, js[bool](b, `!window.dispatchEvent(new Event("beforeunload", {cancelable: true}))`), "unsaved changes are guarded")
	b.picture("editor-wrong", false)
	b.run(chromedp.Click(chromedp.CSS("#said-2 .fix")))
	b.until(`document.getElementById("2.text").value === "Call {{ upper(customer.name) }}"`)
	b.until(`document.querySelector("#mapping-preview .counts .changed") !== null`)
	b.picture("editor-changed", true)
}
