package admin_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// askFocus says what is wrong with where the focus is: nowhere, not to be seen, or without a frame.
const askFocus = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body || e === document.documentElement) { return "nothing has the focus"; }
	const r = e.getBoundingClientRect(), s = getComputedStyle(e), what = e.outerHTML.slice(0, 160);
	if (r.width < 2 || r.height < 2) { return "the focus is on something hidden: " + what; }
	if (r.bottom <= 0 || r.top >= innerHeight || r.right <= 0 || r.left >= innerWidth) { return "the focus is off the screen: " + what; }
	if (s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 1) { return "the focus is not seen: " + what; }
	return "";
})()`

// keys presses keys as people do, where the focus is.
func (b *browser) keys(pressed string, with ...chromedp.Modifier) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(pressed, chromedp.KeyModifiers(with...)))
}

// focused tells whether the focus is on what selector names.
func (b *browser) focused(selector string) bool {
	b.t.Helper()
	return js[bool](b, fmt.Sprintf("!!document.activeElement && document.activeElement.matches(%q)", selector))
}

// tabTo goes on with the tab key until the focus is on what selector names. On the way, too, it must always be seen.
func (b *browser) tabTo(selector string) {
	b.t.Helper()
	for range 90 {
		b.keys(kb.Tab)
		require.Empty(b.t, js[string](b, askFocus), "on the way to %s", selector)
		if b.focused(selector) {
			return
		}
	}
	require.FailNow(b.t, "the tab key does not lead to "+selector, js[string](b, "document.activeElement.outerHTML.slice(0, 200)"))
}

// enter presses the enter key, which leads to a page where selector is.
func (b *browser) enter(selector string) {
	b.t.Helper()
	b.keys(kb.Enter)
	b.until(fmt.Sprintf("(e => e !== null && e.offsetParent !== null)(document.querySelector(%q))", selector))
}

// The main jobs, done with the keyboard alone.
func TestBrowserKeyboard(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withPreviews)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	f.asked(d.source, d.hubspot, "+14155550188", 5, "parked", records.Candidate{Object: "contact", ID: "101", Name: "Wei Zhang"}, records.Candidate{Object: "contact", ID: "102", Name: "Front desk"})
	b := f.newBrowser("Europe/London")

	// Signing in: the first field has the focus already.
	b.open("/login")
	require.True(t, b.focused("#email"))
	b.keys("anna@example.com")
	b.keys(kb.Tab)
	b.keys(password)
	b.keys(kb.Enter)
	b.run(chromedp.WaitVisible(chromedp.CSS(".top .brand")))

	// Past the menu, with the first key.
	b.open("/calls")
	b.tabTo("a.skip")
	b.keys(kb.Enter)
	b.tabTo("main a, main input")

	// A call is found and opened. While the list changes, the focus stays where one types.
	b.keys("/")
	require.True(t, b.focused("#q"))
	b.keys("diego")
	b.until("document.querySelectorAll('#calls tbody tr').length === 1")
	require.True(t, b.focused("#q"))
	b.tabTo("#calls tbody a.main")
	b.enter("#timeline")
	b.tabTo("details summary")
	b.keys(" ")
	b.until("document.activeElement.parentElement.open")

	// Menus open where they stand, close with Escape, and when one goes elsewhere.
	b.open("/calls")
	for _, menu := range []string{".menu-of", "#columns"} {
		b.tabTo(menu + " > summary")
		b.keys(kb.Enter)
		b.until(fmt.Sprintf("document.querySelector(%q).open", menu))
		b.keys(kb.Tab)
		require.Empty(t, js[string](b, askFocus), menu)
		require.True(t, b.focused(menu+" :is(a, input)"), "the next key leads into it")
		b.keys(kb.Escape)
		require.False(t, js[bool](b, fmt.Sprintf("document.querySelector(%q).open", menu)))
		require.True(t, b.focused(menu+" > summary"), "the focus is where it came from")
	}
	b.keys(kb.Enter)
	b.keys(kb.Tab, chromedp.ModifierShift)
	b.until("!document.querySelector('#columns').open")

	// A list that comes anew leaves the focus on the same box, which has no id.
	b.tabTo("#calls tbody input[type=checkbox]")
	js[bool](b, `(window.before = document.querySelector("#calls"), window.box = document.activeElement.value, htmx.trigger("#calls", "refresh"), true)`)
	b.until("document.querySelector('#calls') !== window.before")
	b.until("document.activeElement.value === window.box")
	require.Empty(t, js[string](b, askFocus))

	// A hold is retried, a review answered.
	b.open("/holds")
	b.tabTo("form[action$='/retry'] button")
	b.enter("progress")
	require.Len(t, f.actions.syncs(), 4)
	b.open("/reviews")
	b.tabTo("button[value='contact:102']")
	b.enter(".notice")
	require.Contains(t, b.text(".notice"), "Front desk")

	// A row of the mapping is changed, moved and saved.
	b.open("/connections/" + d.hubspot + "/mappings/call")
	b.until("document.querySelector('#mapping-preview .counts') !== null")
	row := js[string](b, `[...document.querySelectorAll("#rows > li")].find(e => e.querySelector("[name$='.target']").value === "hs_call_title").dataset.row`)
	b.tabTo("#row-" + row + " > summary")
	b.keys(kb.Enter)
	b.until("document.getElementById('row-" + row + "').open")
	b.tabTo(fmt.Sprintf("[id=%q]", row+".text"))
	b.keys("By keyboard: ")
	b.keys(kb.Escape)
	b.keys(kb.ArrowDown, chromedp.ModifierAlt)
	require.True(t, b.focused(fmt.Sprintf("[id=%q]", row+".text")), "the focus moves with the row")
	b.until("document.querySelector('#done').textContent.includes('is row 3 now')")
	b.tabTo("#note")
	b.keys("Say who typed it")
	b.tabTo("button[value=save]")
	b.enter(".flash")
	require.Equal(t, "hs_call_title", b.rowOrder()[2])
	doc := f.must(200, "GET", "/connections/"+d.hubspot+"/mappings/call", "").Raw
	require.Contains(t, doc, "By keyboard: {{")

	// A connection is paused, and can be resumed from there.
	b.open("/connections/" + d.hubspot)
	b.tabTo("form[action$='/pause'] button")
	b.enter(".flash")
	b.tabTo("form[action$='/resume'] button")

	// On a narrow screen the menu opens and closes, too.
	b.size(390, 844)
	b.open("/calls")
	b.tabTo("[data-nav]")
	b.keys(kb.Enter)
	b.tabTo("#nav a[href='/connections']")
	b.tabTo(".who form button")
	b.keys(kb.Escape)
	require.True(t, b.focused("[data-nav]"))
	require.Equal(t, "false", js[string](b, "document.activeElement.getAttribute('aria-expanded')"))
}
