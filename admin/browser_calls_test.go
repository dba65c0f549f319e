package admin_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The list of calls, as somebody works with it: a filter put on and taken off, columns of their own, the keyboard, and calls
// that are chosen and delivered again.
func TestBrowserCallsList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "operator")
	d := f.demo()
	b := f.newBrowser("Europe/Berlin")
	b.signIn("anna@example.com")
	b.open("/calls")

	// A filter becomes a chip, which takes it off.
	b.run(chromedp.Click(chromedp.CSS(".more-filters summary")))
	js[bool](b, `(() => { const s = document.querySelector('#status'); s.value = 'missed'; s.dispatchEvent(new Event('change', {bubbles: true})); return true })()`)
	b.until("document.querySelectorAll('.filter-chips li').length === 2")
	require.Equal(t, 1, js[int](b, "document.querySelectorAll('#calls tbody tr').length"))
	require.Contains(t, js[string](b, "location.search"), "status=missed")
	require.Contains(t, js[string](b, "document.querySelector('.filter-chips a').innerText"), "Missed")
	b.picture("calls-chip", false)
	b.run(chromedp.Click(chromedp.CSS(".filter-chips a")))
	b.until("location.search === '' && document.querySelectorAll('.filter-chips').length === 0 && document.querySelectorAll('#calls tbody tr').length === 13")

	// Columns are chosen, and still there on another page.
	b.run(chromedp.Click(chromedp.CSS("#columns summary")), chromedp.WaitVisible(chromedp.CSS("#columns form")))
	b.picture("calls-columns", false)
	b.run(chromedp.Click(chromedp.CSS("#columns input[value=recording]")), chromedp.Click(chromedp.CSS("#columns input[value=source]")), chromedp.Click(chromedp.CSS("#columns button.primary")))
	b.until("document.querySelector('.calls-table thead').innerText.includes('Recording')")
	b.open("/calls?state=synced")
	head := js[string](b, "document.querySelector('.calls-table thead').innerText")
	require.Contains(t, head, "Recording")
	require.NotContains(t, head, "Source")

	// The keyboard: the search, up and down, and choosing.
	b.open("/calls?state=on_hold")
	press := func(key string) bool {
		return js[bool](b, "!document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: '"+key+"', bubbles: true, cancelable: true}))")
	}
	require.True(t, press("/"))
	require.Equal(t, "q", js[string](b, "document.activeElement.id"))
	require.False(t, press("j"), "who types goes nowhere")
	js[bool](b, "(document.activeElement.blur(), true)")
	at := func() int {
		return js[int](b, "Array.from(document.querySelectorAll('#calls a.main')).indexOf(document.activeElement)")
	}
	press("j")
	require.Equal(t, 0, at())
	press("j")
	require.Equal(t, 1, at())
	press("k")
	press("k")
	require.Equal(t, 0, at(), "the first is the first")

	// Nothing is chosen: there is nothing to deliver.
	button := func() string {
		return js[string](b, "(b => b.disabled + ' ' + b.innerText)(document.querySelector('[data-chosen]'))")
	}
	require.Equal(t, "true Deliver again", button())
	b.picture("calls-none-chosen", false)
	press("x")
	require.Equal(t, "false Deliver 1 again", button())
	b.run(chromedp.Click(chromedp.CSS("[data-tick-all]")))
	require.Equal(t, "false Deliver 4 again", button())
	b.picture("calls-chosen", false)
	b.run(chromedp.Click(chromedp.CSS("#calls tbody tr:last-child input")))
	require.Equal(t, "false Deliver 3 again", button())
	b.run(chromedp.Click(chromedp.CSS("[data-chosen]")), chromedp.WaitVisible(chromedp.CSS("fieldset")))
	require.Contains(t, js[string](b, "document.querySelector('main').innerText"), "3 calls are delivered again")
	require.Equal(t, []string{d.hubspot}, js[[]string](b, "Array.from(document.querySelectorAll('input[name=into]:checked'), i => i.value)"), "where they are on hold")
	b.picture("calls-confirm", false)
	b.run(chromedp.Click(chromedp.CSS("form button.primary")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Equal(t, "/resyncs", js[string](b, "location.pathname"))
	all := f.must(200, "GET", "/resyncs", "").items()
	require.Len(t, all, 1)
	require.Len(t, all[0].(map[string]any)["filter"].(map[string]any)["ids"], 3)
	require.Equal(t, []any{d.hubspot}, all[0].(map[string]any)["connections"])
}
