//go:build unix

package devstack_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/devstack"
	"github.com/callsync/callsync/devstack/phone"
	"github.com/callsync/callsync/internal/browsertest"
)

func TestMain(m *testing.M) { os.Exit(browsertest.Main(m.Run)) }

// TestTour goes the way of a newcomer, in a browser: from the running stack to an edited mapping that shows in the CRM, with
// the demo data beside it. It logs how long each step took.
func TestTour(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL, Temporal and callsync; not with -short")
	}
	t.Parallel()
	tab := browsertest.Start(t, "Europe/London")
	crm := hubspotfake.New(hubspotfake.Options{})
	began := time.Now()
	step := func(what string) {
		t.Logf("%6.1f s  %s", time.Since(began).Seconds(), what)
	}
	s, err := devstack.Start(t.Context(), devstack.Options{Window: 2 * time.Second, Quiet: time.Second, CRM: devstack.HubSpot(crm), Out: t.Output(), NoFsync: true})
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			s.KeepFiles()
		}
		require.NoError(t, s.Close())
	})
	step("callsync, PostgreSQL, Temporal and the fake HubSpot run")

	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		require.NoError(t, chromedp.Do(tab.Ctx, actions...))
	}
	until := func(expression string) {
		t.Helper()
		require.Eventually(t, func() bool {
			ok, err := chromedp.Run(tab.Ctx, chromedp.Evaluate[bool](expression))
			return err == nil && ok // it fails while a page is on its way
		}, time.Minute, 50*time.Millisecond, "waiting for %s", expression)
	}
	// reloaded opens a page again and again until it says text.
	reloaded := func(url, text string) {
		t.Helper()
		require.Eventually(t, func() bool {
			if chromedp.Do(tab.Ctx, chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS("body"))) != nil {
				return false
			}
			ok, err := chromedp.Run(tab.Ctx, chromedp.Evaluate[bool](fmt.Sprintf("document.body.innerText.includes(%q)", text)))
			return err == nil && ok
		}, time.Minute, 200*time.Millisecond, "waiting for %q at %s", text, url)
	}
	call := func(name, number string) {
		t.Helper()
		life := phone.LifeOf(phone.Providers[0], phone.Call{StartedAt: time.Now().Add(-time.Minute), Ring: 5 * time.Second, Talk: 40 * time.Second,
			Customer: number, CustomerName: name, Answered: true, Recorded: true}, s.Lines[0].Secret)
		for _, w := range append(append(life.Early, life.Report...), life.Late...) {
			status, answer, err := s.Lines[0].Send(t.Context(), w)
			require.NoError(t, err)
			require.Equal(t, 200, status, answer)
		}
	}

	do(chromedp.Navigate(s.URL), chromedp.WaitVisible(chromedp.CSS("#email")), chromedp.SendKeys(chromedp.CSS("#email"), s.AdminEmail),
		chromedp.SendKeys(chromedp.CSS("#password"), s.AdminPassword+"\r"), chromedp.WaitVisible(chromedp.CSS("nav")))
	step("signed in")
	demo := &demoTour{T: t, s: s, tab: tab}
	demo.begin()
	step("the demo data is added")

	call("Ada Lovelace", "+12125550142")
	reloaded(s.URL+"/calls", "Ada Lovelace")
	step("the first call stands in the list")
	reloaded(s.CRMURL, "Ada Lovelace")
	step("and in the CRM")

	do(chromedp.Navigate(s.URL + "/connections/" + s.ConnectionID + "/mappings/call"))
	until(`document.querySelector("#mapping-form") !== null && [...document.querySelectorAll(".field-name, summary")].some(e => e.innerText.includes("hs_call_title"))`)
	step("the mapping is open, row by row")
	until(`(() => { const row = [...document.querySelectorAll("details")].find(e => e.querySelector("summary")?.innerText.includes("hs_call_title")); if (!row) return false; row.open = true;
		const text = row.querySelector("textarea[id$='.text']"); if (!text) return false; text.focus(); text.value = "Tour: {{ customer.name }}"; text.dispatchEvent(new Event("input", {bubbles: true})); return true })()`)
	until(`document.querySelector("#mapping-preview .counts .changed") !== null && document.body.innerText.includes("Tour: Ada Lovelace")`)
	step("a changed title shows what it would write, before it is saved")
	do(chromedp.Click(chromedp.CSS(`#mapping-form button[value="save"], button[form="mapping-form"][value="save"]`)))
	until(`document.querySelector("[role=status]")?.innerText.includes("The new version counts")`)
	step("saved as a new version")

	call("Grace Hopper", "+12125550143")
	reloaded(s.CRMURL, "Tour: Grace Hopper")
	step("the next call is in the CRM with the changed title")
	demo.finish(step)
}
