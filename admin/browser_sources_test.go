package admin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony/generic/genericfake"
)

// The way of an administrator: choose a phone system, fill in the form wrongly and rightly, copy the URLs, test, look.
func TestBrowserAddsASource(t *testing.T) {
	t.Parallel()
	f := newFixture(t, everyProvider)
	f.relay()
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	f.newConnection()
	b := f.newBrowser("Asia/Kolkata")
	b.signIn("anna@example.com")
	b.open("/sources")
	b.picture("sources-empty", false)
	b.run(chromedp.Click(chromedp.CSS(".empty .button")), chromedp.WaitVisible(chromedp.CSS(".kinds")))
	b.picture("source-kinds", false)
	b.run(chromedp.Click(chromedp.CSS(`a[href="/sources/new?provider=smartflo"]`)), chromedp.WaitVisible(chromedp.CSS("#name")))
	require.Equal(t, "Asia/Kolkata", js[string](b, "document.querySelector('#time_zone').value"), "what is usual is filled in")
	require.Equal(t, "IN", js[string](b, "document.querySelector('#default_country').value"))
	require.Greater(t, js[int](b, "document.querySelectorAll('#zones option').length"), 300)
	require.Greater(t, js[int](b, "document.querySelectorAll('#countries option').length"), 200)
	require.Equal(t, "TEXTAREA", js[string](b, "document.getElementById('config.aliases').tagName"))
	b.picture("source-form", true)

	// Faults stand at their fields, and the first one has the focus.
	b.run(chromedp.SetValue(chromedp.CSS("#name"), "Delhi"), chromedp.SetValue(chromedp.CSS("#time_zone"), "Mars/Olympus"), chromedp.SetValue(chromedp.CSS(`textarea`), "{not json"),
		chromedp.SetValue(chromedp.CSS("#window_minutes"), "soon"), chromedp.Click(chromedp.CSS(".actions button")), chromedp.WaitVisible(chromedp.CSS("[role=alert]")))
	require.Equal(t, 3, js[int](b, "document.querySelectorAll('[aria-invalid=true]').length"))
	require.Equal(t, "time_zone", js[string](b, "document.activeElement.id"))
	require.Equal(t, "{not json", js[string](b, "document.querySelector('textarea').value"))
	b.picture("source-form-wrong", true)
	js[bool](b, "(document.querySelector('textarea').value = '') === ''")
	b.run(chromedp.SetValue(chromedp.CSS("#time_zone"), "Asia/Kolkata"), chromedp.SetValue(chromedp.CSS("#window_minutes"), "20"),
		chromedp.Click(chromedp.CSS(".actions button")), chromedp.WaitVisible(chromedp.CSS(".steps")))
	require.Contains(t, js[string](b, "document.querySelector('.flash').textContent"), "The source is there")
	require.Equal(t, 17, js[int](b, "document.querySelectorAll('.urls code').length"), "a URL for each trigger")
	b.picture("source-new", true)

	// A whole call is sent, and what becomes of it shows in place.
	b.run(chromedp.Click(chromedp.CSS(`button[value=inbound]`)))
	b.until("document.querySelectorAll('#tests .results li').length >= 9 && document.querySelectorAll('#tests .chip:not(.done)').length === 0 && document.querySelector('#tests').innerText.includes('Final report')")
	require.Equal(t, "/sources/", js[string](b, "location.pathname.slice(0, 9)"), "the page stays")
	require.Contains(t, js[string](b, "document.querySelector('#tests').innerText"), "Final report: inbound call from callsync test call")
	require.Contains(t, js[string](b, "document.querySelector('#arrivals').innerText"), "only a test")
	b.picture("source-tested", true)
	b.run(chromedp.Click(chromedp.CSS("#one-request summary")), chromedp.Click(chromedp.CSS(`button[value="dialer-disposition"]`)))
	b.until("document.querySelectorAll('#tests .results li').length === 1 && document.querySelector('#tests').innerText.includes('Disposition')")
	b.run(chromedp.Click(chromedp.CSS("#tests a.button")), chromedp.WaitVisible(chromedp.CSS("#timeline")))

	for _, dark := range []bool{false, true} {
		b.dark(dark)
		b.size(390, 844)
		for name, path := range map[string]string{"sources": "/sources", "source-kinds": "/sources/new", "source-form": "/sources/new?provider=callrail"} {
			b.open(path)
			b.picture(name+"-narrow"+suffix(dark), true)
		}
		b.size(1280, 900)
	}
}

// A source in use: what arrives, what is refused, long names, one URL for all, removal.
func TestBrowserSourcePage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, everyProvider)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	path := "/sources/" + d.source
	at := time.Now()
	long := strings.Repeat("a very long name of somebody ", 12)
	f.tell(f.ws, story{source: d.source, receipts: []said{{kind: call.CallRinging, at: at, facts: call.Facts{Direction: call.Inbound, Status: call.Ringing, StartedAt: at,
		Customer: call.Party{Number: "+14155550101", Name: long}, BusinessNumber: "+13105550100", Agents: []call.Agent{{Name: long}}}}}})
	late := at.Add(time.Second)
	bad := records.Receipt{ID: idAt(late), WorkspaceID: f.ws, SourceID: d.source, ReceivedAt: late, Method: "POST", HookEvent: strings.Repeat("unknown-", 12), Signature: "bad", Query: []byte{}, Headers: []byte("{}"), Body: []byte("{}"),
		Result: records.ReceiptResult{State: records.ReceiptRejected, Reason: "The signature does not match the signing key of the source. If the key was wrong, put it right and replay this request."}}
	require.NoError(t, f.db.InsertReceipts(t.Context(), []records.Receipt{bad}))
	b := f.newBrowser("Europe/Berlin")
	b.signIn("anna@example.com")
	b.open("/sources")
	b.picture("sources", false)
	b.open(path)
	require.Contains(t, js[string](b, "document.querySelector('.facts').innerText"), "Does not match")
	for _, dark := range []bool{false, true} {
		b.dark(dark)
		for _, width := range []int64{390, 1280, 1800} {
			b.size(width, 900)
			b.open(path)
			b.picture(fmt.Sprintf("source-%d%s", width, suffix(dark)), true)
		}
	}
	b.dark(false)
	b.size(1280, 900)

	// What arrives while somebody looks shows by itself.
	f.tell(f.ws, story{source: d.source, receipts: []said{{kind: call.CallRouted, at: time.Now(), facts: call.Facts{Direction: call.Inbound, Customer: call.Party{Name: "Fresh Caller"}}}}})
	b.until("document.querySelector('#arrivals').innerText.includes('Fresh Caller')")

	// What is refused is said in place.
	gone := f.must(201, "POST", "/sources", `{"provider": "xarios", "name": "Soon gone"}`).JSON["id"].(string)
	b.open("/sources/" + gone)
	f.must(204, "DELETE", "/sources/"+gone, "")
	b.run(chromedp.Click(chromedp.CSS("#test-form .buttons button")))
	b.until("document.querySelector('#tests .flash.bad') !== null")
	require.Equal(t, "There is no such thing in this workspace.", js[string](b, "document.querySelector('#tests .flash').textContent"))
	b.picture("source-test-refused", false)

	body, err := json.Marshal(map[string]any{"provider": "generic", "name": "Other phone", "config": map[string]string{"mapping": genericfake.FormMapping}})
	require.NoError(t, err)
	other := f.must(201, "POST", "/sources", string(body)).JSON["id"].(string)
	b.open("/sources/" + other)
	b.picture("source-generic", true)
	b.open("/sources/" + other + "/edit")
	b.picture("source-generic-edit", true)
	b.open("/sources/" + other + "/rotate-token")
	b.picture("source-rotate", false)
	b.open("/sources/" + other + "/delete")
	b.picture("source-delete", false)
	b.run(chromedp.Click(chromedp.CSS("button.danger")), chromedp.WaitVisible(chromedp.CSS("#sources")))
	require.Contains(t, js[string](b, "document.querySelector('.flash').textContent"), "removed")
	require.NotContains(t, js[string](b, "document.querySelector('#sources').innerText"), "Other phone")
}
