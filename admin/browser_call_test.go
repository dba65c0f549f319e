package admin_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// Whatever has become of a call, its page says why in a sentence, and leads to what helps.
func TestBrowserCallHelp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	f.user(f.ws, "vera@example.com", "Vera", "viewer")
	source, crm := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	at := time.Now().Add(-2 * time.Hour).UTC().Truncate(time.Second)
	// one stores a call with one lane.
	one := func(lane told) string {
		lane.connection, lane.revision = crm, 1
		return f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at.Add(time.Minute), facts: call.Facts{
			Direction: call.Inbound, Status: call.Answered, StartedAt: at, AnsweredAt: at.Add(5 * time.Second), EndedAt: at.Add(time.Minute), DurationSeconds: num(60), BusinessNumber: "+13105550100",
			Customer: call.Party{Number: "+14155550101", Name: "Jane Doe"}, Agents: []call.Agent{{Name: "Ben Ortiz", Status: call.AgentAnswered}}}}}, lanes: []told{lane}})
	}
	held := func(class, field, reason string) string {
		return one(told{state: "parked", class: class, field: field, reason: reason, attempts: []records.Attempt{{At: at.Add(2 * time.Minute), Outcome: "parked", Class: class, Reason: reason}}})
	}
	asked := held("ask", "", "2 contacts share the number of this call.")
	review := id()
	f.exec(`insert into match_reviews (id, workspace_id, connection_id, number, kind, candidates, total) values ($1, $2, $3, '+14155550101', 'many', '[{"object": "contact", "id": "1", "name": "Jane Doe"}, {"object": "contact", "id": "2", "name": "John Doe"}]', 2)`, review, f.ws, crm)
	for range 3 {
		f.exec(`insert into match_reviews (id, workspace_id, connection_id, number, kind) values ($1, $2, $3, $4, 'none')`, id(), f.ws, crm, "+1415555"+id()[32:])
	}
	at2 := "/connections/" + crm
	type state struct {
		name, call, says  string
		to, label, button string
		hint              string
		hold              bool
	}
	states := []state{
		{name: "field", call: held("invalid", "hs_call_title", "HubSpot refused the field hs_call_title: it is too long"), says: "Fix this in the mapping", to: at2 + "/mappings/call?field=hs_call_title", label: "Open the mapping", button: "Retry", hold: true},
		{name: "disposition", call: held("invalid", "hs_call_disposition", "HubSpot refused the field hs_call_disposition"), says: "hs_call_disposition", to: at2 + "/dispositions", label: "Open the dispositions", button: "Retry", hold: true},
		{name: "forbidden", call: held("forbidden", "", "HubSpot does not allow this token to write calls"), says: "Grant the right", to: at2 + "#test", label: "Test the connection", button: "Retry", hold: true},
		{name: "rules-broken", call: held("rule", "", "In the rules of the source Main office: the rule “Short” does not work"), says: "Correct the rules", to: "/sources/" + source + "/rules", label: "Open the source’s rules", button: "Retry", hold: true},
		{name: "review", call: asked, says: "share the number", to: "/reviews?id=" + review, label: "Say whose number this is", hold: true},
		{name: "unknown", call: held("unknown_outcome", "", "A request to HubSpot got no answer, and HubSpot cannot say whether it made the record."), says: "Look in HubSpot whether the call is there", button: "Retry", hint: "the inbound call with +1 415-555-0101 of", hold: true},
		{name: "rule", call: one(told{state: "skipped", class: "rule", reason: "Skipped by the rule “Internal” of the connection HubSpot: rules of the source are others"}), says: "Skipped by the rule", to: at2 + "/rules?rule=Internal#rule", label: "Open the connection’s rules", button: "Ask the rules again"},
		{name: "rule-of-source", call: one(told{state: "skipped", class: "rule", reason: "Skipped: none of the rules of the source Main office lets this call through."}), says: "none of the rules", to: "/sources/" + source + "/rules", label: "Open the source’s rules", button: "Ask the rules again"},
		{name: "deleted", call: one(told{state: "skipped", class: "deleted", remote: "10482", url: "https://app.hubspot.com/contacts/1/record/0-48/10482", reason: "Somebody deleted the record in HubSpot."}), says: "was deleted in HubSpot", hint: "no way to write this call to HubSpot again"},
		{name: "retrying", call: one(told{state: "waiting", class: "rate_limited", retryAt: time.Now().Add(5 * time.Minute)}), says: "asks us to wait; next try", button: "Deliver now"},
		{name: "shadow", call: one(told{state: "skipped", class: "shadow"}), says: "Shadow mode", button: "Deliver now", hint: "not any more"},
	}
	b := f.newBrowser("Europe/Berlin")
	b.signIn("anna@example.com")
	look := func(s state) {
		t.Helper()
		b.open("/calls/" + s.call)
		require.Contains(t, js[string](b, "document.querySelector('.crm .sentence').innerText"), s.says, s.name)
		link := js[string](b, "(a => a ? a.getAttribute('href') + ' ' + a.innerText : '')(document.querySelector('#help-0'))")
		require.Equal(t, strings.TrimSpace(s.to+" "+s.label), link, s.name)
		require.Equal(t, s.button, js[string](b, "document.querySelector('#retry-0')?.innerText ?? ''"), s.name)
		require.LessOrEqual(t, js[int](b, "document.querySelectorAll('.crm .primary').length"), 1, "%s: one thing is to be done", s.name)
		if s.hint != "" {
			require.Contains(t, js[string](b, "document.querySelector('.crm .hint').innerText"), s.hint, s.name)
		}
		require.Equal(t, s.hold, js[bool](b, "document.querySelector('#hold-0') !== null"), s.name)
		b.picture("call-is-"+s.name, false)
	}
	for _, s := range states {
		look(s)
	}
	require.Equal(t, 0, js[int](b, "document.querySelectorAll('#remote-0').length"), "shadow mode wrote nothing")

	// The question stands alone, and the hold is that of this call.
	b.open("/calls/" + asked)
	b.run(chromedp.Click(chromedp.CSS("#help-0")), chromedp.WaitVisible(chromedp.CSS(".candidates")))
	require.Equal(t, 1, js[int](b, "document.querySelectorAll('section.crm').length"))
	b.picture("call-review-alone", false)
	for _, s := range states[:2] {
		b.open("/calls/" + s.call)
		b.run(chromedp.Click(chromedp.CSS("#hold-0")), chromedp.WaitVisible(chromedp.CSS("#hold")))
		require.Equal(t, "/calls/"+s.call, js[string](b, "document.querySelector('#hold tbody a').getAttribute('href')"))
		require.Equal(t, 1, js[int](b, "document.querySelectorAll('#hold tbody tr').length"))
	}
	b.size(390, 844)
	b.dark(true)
	for _, s := range []state{states[0], states[4], states[5], states[8]} {
		b.open("/calls/" + s.call)
		b.picture("call-is-"+s.name+"-narrow-dark", false)
	}
	b.size(1280, 900)
	b.dark(false)

	// The connection is stopped.
	stopped := states[9]
	for status, want := range map[string]state{
		records.ConnectionPaused:  {to: at2 + "#state", label: "Resume the connection …", says: "paused"},
		records.ConnectionRevoked: {to: at2 + "/edit", label: "Enter new access …", says: "no longer accepts our access"},
	} {
		f.exec(`update connections set status = $2 where id = $1`, crm, status)
		want.name, want.call = status, stopped.call
		look(want)
	}
	f.exec(`update connections set status = 'active', mode = 'shadow' where id = $1`, crm)
	look(state{name: "shadow", call: states[10].call, says: "Shadow mode", to: at2 + "/mode", label: "Begin to write to HubSpot …"})
	f.exec(`delete from deliveries where record_id = $1`, stopped.call)
	look(state{name: "shadow-before", call: stopped.call, says: "nothing is written to HubSpot", to: at2 + "/mode", label: "Begin to write to HubSpot …"})

	// Whoever may only look is told who may act, and led to what there is to see.
	v := f.signIn("vera@example.com")
	for _, s := range states {
		page := f.get(v, "/calls/"+s.call).Raw
		require.NotContains(t, page, "/sync", s.name)
		require.NotContains(t, page, "/mode", s.name)
	}

	// No CRM is fed, then none is there.
	f.exec(`update sources set connections = '{}' where id = $1`, source)
	b.open("/calls/" + stopped.call)
	require.Equal(t, "/sources/"+source+"/edit", js[string](b, "document.querySelector('.crm .primary').getAttribute('href')"))
	b.picture("call-is-fed-to-none", false)
	f.exec(`update connections set deleted_at = now() where id = $1`, crm)
	b.open("/calls/" + stopped.call)
	require.Equal(t, "/connections/new", js[string](b, "document.querySelector('.crm .primary').getAttribute('href')"))
	b.picture("call-is-without-crm", false)
	require.NotContains(t, f.get(v, "/calls/"+stopped.call).Raw, "/connections/new")
}

// A long transcription stands in turns and is folded; a recording has a player with a name that the keyboard reaches.
func TestBrowserCallSound(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "operator")
	source, crm := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	callID := f.simpleCall(f.ws, source, crm)
	f.recordingsOf(callID) // the sweep that finds them
	var text strings.Builder
	for i := range 30 {
		fmt.Fprintf(&text, "[00:%02d] Anna: This is the question number %d, and it is long enough to need a second line of the page, where it is set.\n[00:%02d] Jane Doe: <b>Yes</b>.\n", i, i, i+1)
	}
	f.exec(`update calls set state = jsonb_set(state, '{transcription}', jsonb_build_object('text', $2::text)) where id = $1`, callID, text.String())
	b := f.newBrowser("Europe/Berlin")
	b.signIn("anna@example.com")
	b.open("/calls/" + callID)
	require.Contains(t, js[string](b, "document.querySelector('audio').getAttribute('aria-label')"), "Recording of the call with Jane Doe")
	b.run(chromedp.Focus(chromedp.CSS("audio")))
	require.Equal(t, "AUDIO", js[string](b, "document.activeElement.tagName"))
	require.Equal(t, 12, js[int](b, "document.querySelectorAll('.card > .body > .turns > li').length"))
	require.Equal(t, "Show the rest, 48 more turns", js[string](b, "document.querySelector('#transcript-more summary').innerText"))
	b.picture("call-turns", true)
	b.run(chromedp.Click(chromedp.CSS("#transcript-more summary")))
	require.Contains(t, js[string](b, "document.querySelector('#transcript-more').innerText"), "question number 29")
	require.Equal(t, 0, js[int](b, "document.querySelectorAll('.turns b').length"))
	b.size(390, 844)
	b.dark(true)
	b.open("/calls/" + callID)
	b.picture("call-turns-narrow-dark", true)
	f.exec(`update calls set state = jsonb_set(state, '{transcription}', jsonb_build_object('text', repeat('They spoke of a pipe that burst. ', 200))) where id = $1`, callID)
	b.size(1280, 900)
	b.dark(false)
	b.open("/calls/" + callID)
	require.Less(t, js[int](b, "document.querySelector('.transcript').innerText.length"), 1300)
	require.Equal(t, "Show the rest", js[string](b, "document.querySelector('#transcript-more summary').innerText"))
	b.picture("call-text", true)
}
