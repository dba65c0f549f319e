package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// The first page of an empty product leads to the first call; the one of a product in use shows what became of the calls.
func TestBrowserHome(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	b := f.newBrowser("Europe/Berlin")
	b.signIn("anna@example.com")
	b.open("/")
	require.Equal(t, 4, js[int](b, "document.querySelectorAll('.begin > li').length"))
	require.Equal(t, 0, js[int](b, "document.querySelectorAll('.begin > .done').length"))
	b.picture("home-empty", false)
	f.newSource()
	b.open("/")
	require.Equal(t, 1, js[int](b, "document.querySelectorAll('.begin > .done').length"))

	f.demo()
	b.open("/")
	require.Equal(t, 0, js[int](b, "document.querySelectorAll('.begin').length"))
	tiles := js[string](b, "document.querySelector('.tiles').innerText")
	for _, label := range []string{"Calls", "Synced", "Waiting", "On hold", "Skipped", "Live"} {
		require.Contains(t, tiles, label)
	}
	calls := js[int](b, "Number(document.querySelector('.tile b').textContent)")
	bars := js[int](b, "[...document.querySelectorAll('.chart g')].filter(g => g.querySelectorAll('rect').length > 1).length")
	require.Positive(t, bars)
	require.Equal(t, calls, js[int](b, "[...document.querySelectorAll('.chart title')].map(t => Number(t.textContent.match(/: (\\d+) call/)[1])).reduce((a, b) => a + b)"), "the bars hold all calls")
	require.Contains(t, js[string](b, "document.querySelector('#crms').closest('section').innerText"), "Data warehouse")
	b.picture("home", true)
	b.run(chromedp.Click(chromedp.CSS(`a[href="/?span=7d"]`)), chromedp.WaitVisible(chromedp.CSS(`a[href="/?span=7d"][aria-current]`)))
	require.Contains(t, js[string](b, "document.querySelector('#trend').textContent"), "day")
	b.picture("home-week", true)
	for _, dark := range []bool{false, true} {
		b.dark(dark)
		for _, width := range []int64{390, 1280} {
			b.size(width, 900)
			b.open("/")
			b.picture(fmt.Sprintf("home-%d%s", width, suffix(dark)), true)
			require.LessOrEqual(t, js[int](b, "document.documentElement.scrollWidth"), int(width), "nothing sticks out")
		}
	}
}

// What strangers have named stays text, and the page of one workspace tells nothing of another.
func TestHomeIsOfOneWorkspace(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.demo()
	f.user(f.ws, "v@example.com", "V", "viewer")
	f.must(201, "POST", "/sources", `{"provider": "callrail", "name": "<script>alert(1)</script>"}`)
	v := f.signIn("v@example.com")
	page := f.get(v, "/")
	require.Equal(t, 200, page.Status)
	require.NotContains(t, page.Raw, "<script>alert")
	require.Contains(t, page.Raw, "&lt;script&gt;alert(1)&lt;/script&gt;")
	require.NotContains(t, page.Raw, "Add a source</a>")
	other := id()
	require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: other, Name: "Beta"}))
	f.user(other, "w@example.com", "W", "admin")
	w := f.get(f.signIn("w@example.com"), "/")
	require.NotContains(t, w.Raw, "Data warehouse")
	require.Contains(t, w.Raw, "from here to the first call")
	require.Equal(t, 1, strings.Count(w.Raw, `href="/sources/new"`))
}
