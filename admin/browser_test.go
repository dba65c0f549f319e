package admin_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/browsertest"
)

var screenshots = flag.String("screenshots", "", "write screenshots of the pages into this directory")

// browser is one tab of a real Chromium, headless.
type browser struct {
	*browsertest.Tab
	t   *testing.T
	ctx context.Context
	url string
}

// newBrowser opens a tab with a clean profile in a time zone.
func (f *fixture) newBrowser(zone string) *browser {
	f.t.Helper()
	tab := browsertest.Start(f.t, zone)
	return &browser{Tab: tab, t: f.t, ctx: tab.Ctx, url: f.http.URL}
}

func (b *browser) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, actions...))
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.url+path), chromedp.WaitReady(chromedp.CSS("main")))
}

func (b *browser) signIn(email string) {
	b.t.Helper()
	b.open("/login")
	b.run(chromedp.SetValue(chromedp.CSS("#email"), email), chromedp.SendKeys(chromedp.CSS("#password"), password), chromedp.Click(chromedp.CSS("button.primary")), chromedp.WaitVisible(chromedp.CSS(".top .brand")))
}

// js evaluates an expression.
func js[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, expression)
	return v
}

// until waits for an expression to be true, for the page to be read to its end, and for what was swapped in to hear of events:
// htmx listens there some 20 ms after it is seen. No person is as fast as a test.
func (b *browser) until(expression string) {
	b.t.Helper()
	settled := "(" + expression + `) && document.readyState !== "loading" && document.querySelector(".htmx-swapping, .htmx-settling, .htmx-added") === null`
	require.Eventually(b.t, func() bool {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](settled))
		return err == nil && ok // it fails while a page is on its way
	}, 20*time.Second, 50*time.Millisecond, "waiting for %s", expression)
}

func (b *browser) size(width, height int64) {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(width, height))
}

func (b *browser) dark(on bool) {
	b.t.Helper()
	value := "light"
	if on {
		value = "dark"
	}
	b.run(browsertest.Command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}}))
}

// picture writes a screenshot of the page if they were asked for, and checks that the page is not wider than the screen.
func (b *browser) picture(name string, full bool) {
	b.t.Helper()
	require.True(b.t, js[bool](b, "document.documentElement.scrollWidth <= window.innerWidth"), "%s is wider than its screen", name)
	if *screenshots == "" {
		return
	}
	shot := chromedp.CaptureScreenshot()
	if full {
		shot = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(b.ctx, shot)
	require.NoError(b.t, err)
	require.NoError(b.t, os.MkdirAll(*screenshots, 0o755))
	require.NoError(b.t, os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o644))
}

func TestBrowserSignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	b := f.newBrowser("Europe/London")
	b.open("/holds")
	b.run(chromedp.WaitVisible(chromedp.CSS("#email")))
	b.picture("login", false)
	b.run(chromedp.SendKeys(chromedp.CSS("#email"), "anna@example.com"), chromedp.SendKeys(chromedp.CSS("#password"), "wrong\r"), chromedp.WaitVisible(chromedp.CSS("[role=alert]")))
	require.Contains(t, js[string](b, "document.querySelector('[role=alert]').textContent"), "wrong")
	require.Equal(t, "anna@example.com", js[string](b, "document.querySelector('#email').value"), "the e-mail need not be typed again")
	b.run(chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"), chromedp.WaitVisible(chromedp.CSS("nav")))
	require.Equal(t, "/holds", js[string](b, "location.pathname"), "the sign-in leads to the page that was asked for")

	// An empty workspace leads by the hand.
	b.open("/calls")
	b.picture("calls-empty", false)
	require.Contains(t, js[string](b, "document.querySelector('.empty').textContent"), "Add a source")
	f.newSource()
	b.open("/calls")
	require.Contains(t, js[string](b, "document.querySelector('.empty').textContent"), "/hooks/callrail/cs_")
	b.picture("calls-waiting-for-the-first", true)
	b.open("/connections")
	b.picture("connections-empty", false)
	b.run(chromedp.Click(chromedp.CSS(".who button")), chromedp.WaitVisible(chromedp.CSS("#email")))
}

func TestBrowserCalls(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	b := f.newBrowser("Asia/Kolkata")
	b.signIn("anna@example.com")
	b.open("/calls")
	rows := func() int { return js[int](b, "document.querySelectorAll('#calls tbody tr').length") }
	require.Equal(t, 13, rows())
	b.picture("calls", true)

	// Times are the reader's.
	stamp := js[string](b, "document.querySelector('#calls time').getAttribute('datetime')")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	require.NoError(t, err)
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	require.NoError(t, err)
	require.Contains(t, js[string](b, "document.querySelector('#calls time').textContent"), at.In(kolkata).Format("15:04"))
	require.Regexp(t, "E[SD]T$", js[string](b, "document.querySelector('#calls time').title"), "the source's zone is in the title")

	// Searching as one types.
	b.run(chromedp.SendKeys(chromedp.CSS("#q"), "(415) 555-0101"))
	b.until("document.querySelectorAll('#calls tbody tr').length === 1")
	require.Contains(t, js[string](b, "location.search"), "q=")
	js[bool](b, "(document.querySelector('#q').value = '') === ''")
	b.run(chromedp.SendKeys(chromedp.CSS("#q"), "nobody at all"))
	b.until("document.querySelector('#calls .empty') !== null")
	b.picture("calls-nothing-found", false)
	b.open("/calls")
	b.run(chromedp.Click(chromedp.Search(`//a[text()="On hold" and ancestor::section]`)), chromedp.WaitReady(chromedp.CSS("#calls tbody")))
	require.Equal(t, 4, rows())
	require.Contains(t, js[string](b, "document.querySelector('.why-line').textContent"), "hs_call_disposition")
	b.run(chromedp.SetValue(chromedp.CSS("#connection"), d.webhook))
	js[bool](b, "document.querySelector('#connection').dispatchEvent(new Event('change', {bubbles: true}))")
	b.until("location.search.includes('connection=')")
	require.Contains(t, js[string](b, "location.search"), "state=on_hold", "filters add up")

	// The list stays fresh by itself, and what has the focus keeps it.
	b.open("/calls")
	b.run(chromedp.Focus(chromedp.CSS("#call-" + d.star)))
	fresh := f.tell(f.ws, story{source: d.source, receipts: []said{{kind: call.CallEnded, at: time.Now(), facts: call.Facts{Status: call.Missed, StartedAt: time.Now(), Customer: call.Party{Name: "Fresh Caller"}}}}})
	b.until("document.getElementById('call-" + fresh + "') !== null")
	require.Equal(t, "call-"+d.star, js[string](b, "document.activeElement.id"))

	// A row is a link, also by keyboard.
	b.run(chromedp.SendKeys(chromedp.CSS("#call-"+d.star), "\r"), chromedp.WaitVisible(chromedp.CSS("#timeline")))
	require.Equal(t, "/calls/"+d.star, js[string](b, "location.pathname"))

	for _, dark := range []bool{false, true} {
		b.dark(dark)
		b.size(390, 844)
		b.open("/calls")
		b.picture(fmt.Sprintf("calls-narrow%s", suffix(dark)), false)
		b.size(1280, 900)
		b.open("/calls")
		b.picture(fmt.Sprintf("calls%s", suffix(dark)), false)
	}
}

func suffix(dark bool) string {
	if dark {
		return "-dark"
	}
	return ""
}

func TestBrowserCallPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	b := f.newBrowser("America/Los_Angeles")
	b.signIn("anna@example.com")
	b.open("/calls/" + d.star)
	sentences := js[[]string](b, "Array.from(document.querySelectorAll('.sentence'), e => e.textContent)")
	require.Len(t, sentences, 2)
	require.Regexp(t, `^In HubSpot since \d\d:\d\d( on .*)?, updated \d\d:\d\d( on .*)?\.$`, sentences[0])
	require.Regexp(t, `next try \d\d:\d\d`, sentences[1])
	text := js[string](b, "document.querySelector('.timeline').innerText")
	for _, says := range []string{"Call began", "Receipt: final report", "Brought the recording", "Nothing new", "Written to HubSpot", "Updated in HubSpot", "Next try for Data warehouse"} {
		require.Contains(t, text, says)
	}
	b.size(1280, 960)
	b.picture("call-page", false)
	b.picture("call-page-full", true)
	b.dark(true)
	b.picture("call-page-dark", true)
	b.size(390, 844)
	b.picture("call-page-narrow-dark", true)
	b.dark(false)
	b.picture("call-page-narrow", true)
	b.size(1280, 900)

	// One click delivers again.
	b.run(chromedp.Click(chromedp.Search(`//button[text()="Deliver now"]`)), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Equal(t, []string{f.ws + " " + d.star + " " + d.webhook}, f.actions.syncs())

	b.open("/calls/" + d.waiting)
	b.picture("call-waiting", true)
	require.Contains(t, js[string](b, "document.querySelector('.sentence').textContent"), "Waiting for the recording until")
	require.Greater(t, js[float64](b, "document.querySelector('progress').value"), 0.2)
	// What the reader opened stays open while the page refreshes itself.
	js[bool](b, "(window.marker = document.querySelector('#call')) !== null")
	b.until("window.marker !== document.querySelector('#call')")

	b.open("/calls/" + d.live)
	b.picture("call-live", false)
	b.open("/calls/" + d.held)
	b.picture("call-on-hold", false)
	b.open("/holds")
	b.picture("holds", false)
	b.run(chromedp.Click(chromedp.Search(`//button[contains(text(), "Retry all 4")]`)), chromedp.WaitVisible(chromedp.CSS("progress")))
	f.untilSyncs(5)
}

func TestBrowserReceiptsAndSetup(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	b := f.newBrowser("Europe/Berlin")
	b.signIn("anna@example.com")
	b.open("/receipts")
	b.picture("receipts", false)
	b.open("/receipts?state=quarantined")
	require.Equal(t, 1, js[int](b, "document.querySelectorAll('#receipts tbody tr').length"))
	b.open("/receipts/" + d.broken)
	body := js[string](b, "document.querySelector('main').innerText")
	require.Contains(t, body, `h\x00llo\x00`)
	require.Contains(t, body, "start_time is not a time")
	b.picture("receipt", true)
	b.run(chromedp.Click(chromedp.Search(`//button[text()="Replay"]`)), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Len(t, f.actions.replay, 1)

	b.open("/sources")
	b.picture("sources", true)
	b.open("/connections")
	b.picture("connections", true)
	b.run(chromedp.Click(chromedp.CSS(`section[aria-label="HubSpot"] h2 a`)), chromedp.WaitVisible(chromedp.CSS("#state")))
	b.run(chromedp.Click(chromedp.CSS(`form[action$="/test"] button`)), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Contains(t, js[string](b, "document.querySelector('.flash').textContent"), "The test has run")
	b.size(390, 844)
	for _, path := range []string{"/receipts", "/receipts/" + d.broken, "/sources", "/connections", "/holds"} {
		b.open(path)
		b.picture("narrow"+strings.ReplaceAll(path[:min(len(path), 9)], "/", "-"), true)
	}
	b.open("/nothing/here")
	require.Contains(t, js[string](b, "document.querySelector('h1').textContent"), "not there")
}
