package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// choose selects an option as a person does.
func (b *browser) choose(id, value string) {
	b.t.Helper()
	js[bool](b, fmt.Sprintf(`(() => { const e = document.getElementById(%q); e.value = %q; e.dispatchEvent(new Event("change", {bubbles: true})); return e.value === %q })()`, id, value, value))
}

// press clicks a button of the page by what it does.
func (b *browser) press(do string) {
	b.t.Helper()
	b.run(chromedp.Click(chromedp.CSS(fmt.Sprintf(`button[name=do][value=%q]`, do))))
}

// has waits for an element.
func (b *browser) has(id string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.getElementById(%q) !== null`, id))
}

func TestBrowserRules(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	b := f.newBrowser("Europe/London")
	b.signIn("anna@example.com")
	b.open("/connections")
	b.run(chromedp.Click(chromedp.CSS(`section[aria-label="HubSpot"] a[href$="/rules"]`)), chromedp.WaitVisible(chromedp.CSS("#rules-preview")))
	require.Contains(t, js[string](b, "document.querySelector('#rules').innerText"), "No rules: every call syncs")
	b.picture("rules-empty", true)

	// A rule from a preset, one of one's own, and the preview beside them.
	b.press("preset:short")
	b.has("r0.name")
	b.press("add-rule")
	b.has("r1.name")
	b.run(chromedp.SetValue(chromedp.CSS(`#r1\.name`), "Blocked numbers"))
	b.choose("r1.c0.field", "customer.number")
	b.until(`[...document.getElementById("r1.c0.operator").options].some(o => o.value === "starts_with")`)
	require.Equal(t, "Blocked numbers", js[string](b, `document.getElementById("r1.name").value`), "what was typed stays")
	b.choose("r1.c0.operator", "one_of")
	b.until(`document.getElementById("r1.c0.value") !== null && document.getElementById("r1.c0.value").tagName === "TEXTAREA"`)
	b.run(chromedp.SendKeys(chromedp.CSS(`#r1\.c0\.value`), "(646) 555-0144\n+91 98765 43210"))
	b.run(chromedp.SendKeys(chromedp.CSS(`#r1\.reason`), "They asked us to."))
	b.choose("otherwise", "sync")
	b.until(`document.querySelector("#rules-preview").innerText.includes("They asked us to.")`)
	require.Equal(t, "They asked us to.", js[string](b, `document.getElementById("r1.reason").value`), "the preview leaves the form alone")
	require.Contains(t, js[string](b, "document.querySelector('.counts').innerText"), "4 skipped")

	// The order counts, and can be changed.
	b.press("up:1")
	b.until(`document.getElementById("r0.name").value === "Blocked numbers"`)
	b.press("save")
	b.run(chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Contains(t, js[string](b, "document.querySelector('.flash').textContent"), "Saved.")
	saved := f.must(200, "GET", "/connections/"+d.hubspot+"/rules", "")
	require.Contains(t, saved.JSON["document"], "(646) 555-0144")
	require.Less(t, strings.Index(saved.JSON["document"].(string), "Blocked"), strings.Index(saved.JSON["document"].(string), "Too short"))
	require.Contains(t, js[string](b, "document.querySelector('.facts').innerText"), "by Anna Smith")

	// A call that a rule skipped leads to that rule.
	b.open("/connections/" + d.hubspot + "/rules?rule=Too+short#rule")
	require.Equal(t, "Too short", js[string](b, `document.querySelector("#rule.named input[name$='.name']").value`))
	require.Contains(t, b.text("#rule"), "This rule decided")
	b.picture("rules-named", true)
	b.open("/connections/" + d.hubspot + "/rules?rule=Nobody%3Cb%3E#rule")
	require.Zero(t, js[int](b, `document.querySelectorAll(".named, #rule").length`))

	// What is wrong stands beside it.
	b.run(chromedp.SetValue(chromedp.CSS(`#r1\.name`), "blocked numbers"), chromedp.SetValue(chromedp.CSS(`#r0\.c0\.value`), "call me"))
	b.press("save")
	b.until(`document.querySelectorAll("#rules .wrong").length === 2`)
	b.until(`document.querySelector("#rules-preview").innerText.includes("cannot be used yet")`)
	b.picture("rules-wrong", true)
	b.dark(true)
	b.picture("rules-wrong-dark", true)
	b.dark(false)

	// Text and builder are two views of the same.
	b.run(chromedp.SetValue(chromedp.CSS(`#r1\.name`), "Short"), chromedp.SetValue(chromedp.CSS(`#r0\.c0\.value`), "(646) 555-0144"))
	b.press("text")
	b.has("text")
	require.Contains(t, js[string](b, `document.getElementById("text").value`), "name: Short")
	b.picture("rules-text", true)
	b.press("builder")
	b.has("r1.name")

	// A rulebook of many rules.
	f.must(200, "PUT", "/sources/"+d.source+"/rules", `{"document": `+text(manyRules)+`}`)
	for _, dark := range []bool{false, true} {
		b.dark(dark)
		b.size(1280, 900)
		b.open("/sources/" + d.source + "/rules")
		b.picture("rules-many"+suffix(dark), true)
		b.size(390, 1500)
		b.open("/sources/" + d.source + "/rules")
		b.picture("rules-many-narrow"+suffix(dark), false)
	}
	b.dark(false)
	b.open("/sources/" + d.source + "/rules?tab=text")
	b.picture("rules-text-narrow", true)
	b.open("/connections/" + d.webhook + "/rules")
	b.picture("rules-empty-narrow", true)
}

const manyRules = `
rules:
  - name: Keep emergencies
    action: sync
    when: {any: [{field: tags, operator: one_of, value: [emergency, vip]}, {field: value.amount, operator: is_not_empty}]}
  - name: Internal calls
    action: skip
    when: {any: [{field: direction, operator: is, value: internal}, {field: own_number, operator: is, value: true}]}
  - name: Not answered
    action: skip
    reason: Sales does not want them in the CRM.
    when: {field: status, operator: one_of, value: [missed, busy, abandoned]}
  - name: Outside business hours
    action: skip
    when: {field: started_at, operator: outside_hours, value: {days: [mon-sat], from: "00:00", to: "24:00", time_zone: Asia/Kolkata, holidays: [2026-12-25, 2027-01-26]}}
  - name: Blocked numbers
    action: skip
    when: {field: customer.number, operator: one_of, value: [+919876543210, (646) 555-0144, +44 20*, 212 555 0123]}
  - name: No consent
    action: skip
    when: {all: [{field: custom_data.consent, operator: is, value: "no"}, {field: recordings, operator: is_not_empty}]}
  - name: Long and quiet
    action: skip
    when: {all: ['talk_seconds > 600 and not any(agents, .status == "answered")', {any: [{field: queue, operator: is_empty}, {field: department, operator: is, value: Support}]}]}
  - name: Test lines
    action: skip
    when: {field: "agents[].email", operator: ends_with, value: "@test.acme.example"}
otherwise: sync
`
