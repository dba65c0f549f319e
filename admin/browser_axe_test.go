package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// axeSource is axe-core (testdata/axe.LICENSE.txt), which finds what keeps people with disabilities out of a page.
var axeSource = sync.OnceValues(func() ([]byte, error) { return os.ReadFile("testdata/axe.min.js") })

// axeRuns looks at the page as it is now. Its rules are those of WCAG 2.2 A and AA, axe's own of good practice, and targets
// of at least 24 pixels, which axe leaves out unless it is told.
const axeRuns = `axe.run(document, {resultTypes: ["violations"], %s})
	.then(r => JSON.stringify(r.violations.flatMap(v => v.nodes.map(n => ({rule: v.id, impact: n.impact || v.impact, help: v.help, element: n.html.slice(0, 240), at: n.target.join(" "), why: n.failureSummary})))))`

const (
	allRules   = `rules: {"target-size": {enabled: true}}`
	inkRules   = `runOnly: ["color-contrast"]`
	shapeRules = `runOnly: ["target-size", "scrollable-region-focusable", "aria-hidden-focus"]`
)

// axeMinor are rules that axe finds only moderate or minor, and that the pages keep nevertheless.
var axeMinor = []string{"heading-order", "region", "landmark-unique", "landmark-one-main", "page-has-heading-one", "empty-table-header", "skip-link", "tabindex"}

// axe reports what is serious or critical on the page that is open.
func (b *browser) axe(where, rules string) (found []string) {
	b.t.Helper()
	raw, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf(axeRuns, rules), chromedp.EvalAwaitPromise))
	require.NoError(b.t, err, where)
	var all []struct{ Rule, Impact, Help, Element, At, Why string }
	require.NoError(b.t, json.Unmarshal([]byte(raw), &all))
	for _, f := range all {
		if f.Impact == "serious" || f.Impact == "critical" || slices.Contains(axeMinor, f.Rule) {
			found = append(found, fmt.Sprintf("%s: %s (%s): %s\n    %s\n    at %s\n    %s", where, f.Rule, f.Impact, f.Help, f.Element, f.At, strings.ReplaceAll(f.Why, "\n", "\n    ")))
		}
	}
	return found
}

// askFacts is what every page must have, beside what axe looks for: a title of its own that begins with what the page is,
// one first heading, and a way past the menu as the first thing that the keyboard reaches.
const askFacts = `(() => {
	const skip = document.querySelector("a.skip"), h1 = document.querySelectorAll("h1"), found = [];
	if (!/^\S.* · callsync$/.test(document.title)) { found.push("the title is " + JSON.stringify(document.title)); }
	if (h1.length !== 1 || !h1[0].textContent.trim()) { found.push("there are " + h1.length + " first headings, or it is empty"); }
	if (!skip || document.querySelector("a[href], button, input, select, textarea, summary, [tabindex]") !== skip) { found.push("the skip link is not the first thing to reach"); }
	if (!skip || !document.querySelector("main" + skip.getAttribute("href"))) { found.push("the skip link does not lead to the content"); }
	return found;
})()`

// askWide names what sticks out of the screen.
const askWide = `document.documentElement.scrollWidth <= window.innerWidth ? [] :
	["wider than " + window.innerWidth + " pixels: " + [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > window.innerWidth + 1 && !e.closest(".scroll")).slice(0, 3).map(e => e.outerHTML.slice(0, 160)).join(" | ")]`

// look checks one page in the ways it is shown: light and dark, wide and narrow, and as narrow as a zoom of 400 % makes it.
func (b *browser) look(path string) (found []string) {
	b.t.Helper()
	source, err := axeSource()
	require.NoError(b.t, err)
	b.size(1280, 900)
	b.dark(false)
	b.open(path)
	js[bool](b, string(source)+"; true")
	say := func(ask string) {
		for _, one := range js[[]string](b, ask) {
			found = append(found, path+": "+one)
		}
	}
	say(askFacts)
	say(askWide)
	found = append(found, b.axe(path, allRules)...)
	b.dark(true)
	found = append(found, b.axe(path+" (dark)", inkRules)...)
	b.size(390, 844)
	say(askWide)
	found = append(found, b.axe(path+" (narrow)", shapeRules)...)
	b.size(320, 640)
	say(askWide)
	return found
}

// everyPage is the address of each registered page, with ids by what stands before them in the pattern. What answers with
// a part of a page is left out: it is checked in its page.
func (f *fixture) everyPage(client *http.Client, ids map[string]string) (paths []string) {
	f.t.Helper()
	for _, pattern := range f.handler.PagePatterns() {
		path, ok := strings.CutPrefix(pattern, "GET ")
		if !ok {
			continue
		}
		path = strings.TrimSuffix(path, "{$}")
		for what, id := range ids {
			path = strings.Replace(path, what, id, 1)
		}
		if strings.Contains(path, "{") {
			if ids != nil {
				f.t.Fatalf("%s: this walk over all pages knows nothing to put into it; add it to pageIDs in browser_axe_test.go", pattern)
			}
			continue
		}
		r := f.get(client, path)
		if r.Status/100 == 3 || !strings.Contains(r.Raw, "<!doctype html") {
			continue
		}
		// A CRM without a consent page says so, as a page.
		require.True(f.t, r.Status == 200 || r.Status == 422 && strings.HasSuffix(path, "/connect"), "%s: %d", path, r.Status)
		paths = append(paths, path)
	}
	return paths
}

// pageIDs fills a workspace with something of everything, and returns what stands for the wildcards of the pages' patterns.
func (f *fixture) pageIDs(d demo) map[string]string {
	f.t.Helper()
	f.liveDemo(d.source)
	f.staff(d.source)
	f.asked(d.source, d.hubspot, "+14155550188", 5, "parked", records.Candidate{Object: "contact", ID: "1", Name: "Jane Doe"}, records.Candidate{Object: "lead", ID: "2"})
	f.asked(d.source, d.hubspot, "+14155550189", 5, "done")
	f.followUp(d.source, d.hubspot, "+14155550777")
	f.must(200, "PUT", "/own-numbers", `{"items": [{"number": "+14155550999"}]}`)
	resync := f.must(202, "POST", "/resyncs", `{"filter": {}, "dry_run": true}`).JSON["id"].(string)
	hold := f.must(200, "GET", "/holds", "").items()[0].(map[string]any)["id"].(string)
	f.used(d.hubspot, 100_000)
	message, form := id(), id()
	f.exec(`insert into messages (id, workspace_id, source_id, provider_id, state) values ($1, $2, $3, 'm', '{"direction": "inbound", "body": "Is Friday at ten fine?", "customer": {"number": "+14155550101", "name": "Jane Doe"}, "media": ["https://media.example/1.jpg"], "sent_at": "2026-03-01T10:00:00Z"}')`, message, f.ws, d.source)
	f.exec(`insert into forms (id, workspace_id, source_id, provider_id, state) values ($1, $2, $3, 'f', '{"form_url": "https://www.example.com/contact", "customer": {"email": "wei@example.com"}, "fields": {"company": "Zhang & Sons"}}')`, form, f.ws, d.source)
	silent := f.alert(f.ws, records.AlertSilent, "source", d.source, "Main office", "critical", "open", time.Hour)
	f.alert(f.ws, records.AlertHeldLong, "connection", d.hubspot, "HubSpot", "warning", "open", 30*time.Hour)
	f.alert(f.ws, records.AlertRefused, "source", d.source, "Main office", "critical", "resolved", 50*time.Hour)
	channel := f.must(201, "POST", "/alert-channels", `{"kind": "email", "name": "Ops", "config": {"to": "anna@example.com"}}`).JSON["id"].(string)
	f.message(channel, records.MessageFailed, "The mail server did not answer in time.")
	return map[string]string{
		"/channels/{id}": "/channels/" + channel, "/alerts/{id}": "/alerts/" + silent,
		"/calls/{id}": "/calls/" + d.star, "/messages/{id}": "/messages/" + message, "/forms/{id}": "/forms/" + form,
		"/receipts/{id}": "/receipts/" + d.broken, "/sources/{id}": "/sources/" + d.source, "/connections/{id}": "/connections/" + d.hubspot,
		"/holds/{id}": "/holds/" + hold, "/resyncs/{id}": "/resyncs/" + resync, "/mappings/{object}": "/mappings/call",
		"/users/{id}": "/users/" + f.idOf("anna@example.com"), "/tokens/{id}": "/tokens/" + f.must(200, "GET", "/tokens", "").items()[0].(map[string]any)["id"].(string),
		"/help/{page...}": "/help/phones/callrail",
	}
}

// No page has anything that axe finds serious or critical, in any way it is shown, whether there is something to see or not.
func TestBrowserAccessibility(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, found []string) {
		t.Helper()
		if len(found) > 0 {
			t.Errorf("%d findings:\n\n%s", len(found), strings.Join(found, "\n\n"))
		}
	}
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
		b := f.newBrowser("Europe/London")
		found := b.look("/login")
		b.signIn("anna@example.com")
		for _, path := range f.everyPage(f.signIn("anna@example.com"), nil) {
			found = append(found, b.look(path)...)
		}
		check(t, found)
	})
	t.Run("in use", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
		d := f.demo()
		b := f.newBrowser("Europe/London")
		b.signIn("anna@example.com")
		paths := append(f.everyPage(f.signIn("anna@example.com"), f.pageIDs(d)), "/calls/"+d.waiting, "/calls/"+d.held, "/receipts?state=quarantined", "/reviews?show=choices", "/nothing/here",
			path(t, f.must(201, "POST", "/users", `{"email": "dora@example.com", "role": "operator"}`).JSON["url"].(string)), f.passwordLink("anna@example.com"))
		var found []string
		for _, path := range paths {
			found = append(found, b.look(path)...)
		}
		check(t, found)
		t.Logf("looked at %d pages", len(paths))
	})
}
