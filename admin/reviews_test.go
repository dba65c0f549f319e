package admin_test

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/records"
)

// asked stores a call of a number that waits for somebody to say whose it is, and returns the call's id.
func (f *fixture) asked(source, connection, number string, minutes int, state string, candidates ...records.Candidate) string {
	f.t.Helper()
	at := f.clock().Add(-time.Duration(minutes) * time.Minute).UTC()
	class := ""
	if state == "parked" {
		class = "ask"
	}
	callID := f.tell(f.ws, story{source: source, receipts: []said{{kind: call.CallEnded, at: at, facts: call.Facts{Direction: call.Inbound, Status: call.Answered,
		StartedAt: at, EndedAt: at, Customer: call.Party{Number: number}}}},
		lanes: []told{{connection: connection, state: state, class: class, revision: 1, reason: "Several contacts share this number. Choose one under Reviews, and this call goes out."}}})
	var delivery string
	require.NoError(f.t, f.sql.QueryRow(f.t.Context(), `select id from deliveries where record_id = $1`, callID).Scan(&delivery))
	u := records.Unmatched{WorkspaceID: f.ws, ConnectionID: connection, DeliveryID: delivery, Number: number, Ask: true, Kind: "none",
		Candidates: candidates, Total: len(candidates)}
	if len(candidates) > 0 {
		u.Kind = "many"
	}
	_, chosen, err := f.db.NoteUnmatched(f.t.Context(), u)
	require.NoError(f.t, err)
	require.False(f.t, chosen)
	return callID
}

var sharers = []records.Candidate{
	{Object: "contact", ID: "101", Name: "Wei Zhang", URL: "https://app.hubspot.com/contacts/4242/record/0-1/101", Owner: "71", Email: "wei@zhang.example",
		Company: "Zhang Roofing", ModifiedAt: time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)},
	{Object: "contact", ID: "102", Name: "Zhang Roofing front desk"},
}

func TestReviewsAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	first := f.asked(source, connection, "+14155550101", 30, "done", sharers...)
	second := f.asked(source, connection, "+14155550101", 20, "parked", sharers...)
	f.asked(source, connection, "+442079460018", 10, "done")
	items := f.must(200, "GET", "/reviews?state=open", "").items()
	require.Len(t, items, 2)
	none, many := items[0].(map[string]any), items[1].(map[string]any)
	require.Equal(t, "+442079460018", none["number"])
	require.Equal(t, "none", none["kind"])
	require.EqualValues(t, 2, many["calls"])
	require.Equal(t, []any{second, first}, many["call_ids"])
	require.Len(t, many["candidates"], 2)
	require.Len(t, f.must(200, "GET", "/reviews?limit=1", "").items(), 1)
	next := f.must(200, "GET", "/reviews?limit=1", "").JSON["next_cursor"].(string)
	require.Equal(t, many["id"], f.must(200, "GET", "/reviews?cursor="+next, "").items()[0].(map[string]any)["id"])

	at := "/reviews/" + many["id"].(string)
	require.Equal(t, "object", f.must(422, "POST", at+"/resolve", `{"contact_id": "9", "object": "spaceship"}`).JSON["field"])
	require.Equal(t, "object", f.must(422, "POST", at+"/resolve", `{"contact_id": "create", "object": "ticket"}`).JSON["field"])
	f.must(422, "POST", at+"/resolve", `{"contact_id": ""}`)
	f.must(404, "POST", "/reviews/"+id()+"/resolve", `{"contact_id": "101"}`)
	r := f.must(200, "POST", at+"/resolve", `{"contact_id": "102"}`)
	require.Equal(t, "resolved", r.JSON["state"])
	require.Equal(t, "contact", r.JSON["object"])
	require.EqualValues(t, 2, r.JSON["queued"])
	require.Equal(t, []string{f.ws + " " + first + " " + connection, f.ws + " " + second + " " + connection}, f.actions.syncs(), "the oldest first")
	require.Equal(t, 409, f.api("POST", at+"/resolve", `{"contact_id": "101"}`).Status)

	f.must(200, "POST", at+"/reopen", "")
	require.Equal(t, 409, f.api("POST", at+"/reopen", "").Status, "it is open again")
	require.Empty(t, f.must(200, "GET", "/match-choices", "").items())
	f.must(200, "POST", at+"/resolve", `{"contact_id": "102"}`)
	choices := f.must(200, "GET", "/match-choices", "").items()
	require.Len(t, choices, 1)
	require.Equal(t, "102", choices[0].(map[string]any)["contact_id"])
	require.Equal(t, "Zhang Roofing front desk", choices[0].(map[string]any)["name"])
	f.must(204, "DELETE", "/match-choices/"+choices[0].(map[string]any)["id"].(string), "")
	require.Empty(t, f.must(200, "GET", "/match-choices", "").items())

	r = f.must(200, "POST", "/reviews/"+none["id"].(string)+"/resolve", `{"contact_id": "none"}`)
	require.NotContains(t, r.JSON, "queued", "a call that was delivered without a contact stays so")
	require.Empty(t, f.must(200, "GET", "/reviews?state=open", "").items())
}

func TestMatchSettings(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cid := f.newConnection().JSON["id"].(string)
	at := "/connections/" + cid
	match := f.must(200, "GET", at, "").JSON["match"].(map[string]any)
	require.Equal(t, "create_contact", match["on_none"])
	require.Equal(t, "recent", match["on_many"])
	require.Equal(t, "last", match["owner"])
	require.NotEmpty(t, match["objects"])
	match = f.must(200, "PATCH", at, `{"match": {"on_many": "ask", "ask_hold": true}}`).JSON["match"].(map[string]any)
	require.Equal(t, "ask", match["on_many"])
	match = f.must(200, "PATCH", at, `{"match": {"on_none": "none", "objects": ["contact"]}}`).JSON["match"].(map[string]any)
	require.Equal(t, "ask", match["on_many"], "what is absent stays")
	require.Equal(t, true, match["ask_hold"])
	require.Equal(t, []any{"contact"}, match["objects"])
	for body, field := range map[string]string{
		`{"match": {"objects": ["planet"]}}`:             "match.objects[0]",
		`{"match": {"objects": ["contact", "contact"]}}`: "match.objects[1]",
		`{"match": {"unknown_agent": "default"}}`:        "match.default_owner",
	} {
		require.Equal(t, field, f.must(422, "PATCH", at, body).JSON["field"], body)
	}
	f.must(422, "PATCH", at, `{"match": {"on_many": "guess"}}`)
	f.must(201, "POST", "/connections", `{"connector": "hubspot", "name": "Asks", "config": {"base_url": "`+f.crm.URL+`"}, "secrets": {"access_token": "`+crmToken+`"}, "match": {"on_none": "ask"}}`)
}

func (f *fixture) fakeCRM() *hubspotfake.Fake { return f.crm.Config.Handler.(*hubspotfake.Fake) }

// staff has calls name three agents, one of whom is a user of the CRM by e-mail.
func (f *fixture) staff(source string) (annaID, benID string) {
	f.t.Helper()
	annaID, benID = f.fakeCRM().AddOwner("anna@acme.example"), f.fakeCRM().AddOwner("ben.ortiz@acme.example")
	require.NoError(f.t, f.db.Sight(f.t.Context(), records.Sighting{WorkspaceID: f.ws, SourceID: source, Lines: []string{"+13105550100"}, Agents: []records.SeenAgent{
		{Key: "anna@acme.example", Name: "Anna Smith", Email: "Anna@acme.example"}, {Key: "id:B7", Name: "Ben Ortiz", Extension: "207"},
		{Key: "number:+14155550177", Name: "Front desk", Number: "+14155550177"},
	}}))
	return annaID, benID
}

func TestAgentsAndOwners(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	anna, ben := f.staff(source)
	at := "/connections/" + connection
	r := f.must(200, "GET", at+"/agents", "")
	require.Len(t, r.items(), 3)
	require.Equal(t, "unknown", r.items()[0].(map[string]any)["match"])
	r = f.must(200, "POST", at+"/owners/match", "")
	require.EqualValues(t, 1, r.JSON["matched"])
	require.Equal(t, true, r.JSON["lists"])
	of := func(r reply, agent string) map[string]any {
		for _, i := range r.items() {
			if i.(map[string]any)["agent"] == agent {
				return i.(map[string]any)
			}
		}
		return nil
	}
	require.Equal(t, anna, of(r, "anna@acme.example")["owner_id"])
	require.Equal(t, "email", of(r, "anna@acme.example")["match"])
	require.Equal(t, "unknown", of(r, "id:B7")["match"])
	f.must(200, "PUT", at+"/owners", `{"items": [{"agent": "id:B7", "owner_id": "`+ben+`"}]}`)
	r = f.must(200, "GET", at+"/agents", "")
	require.Equal(t, "manual", of(r, "id:B7")["match"])
	require.Equal(t, "email", of(r, "anna@acme.example")["match"], "what callsync found stays")
	owners := f.must(200, "GET", at+"/owners", "").items()
	require.Len(t, owners, 2)

	// The connect test lists the users, too.
	f.exec(`delete from connection_users`)
	f.exec(`delete from connection_owners`)
	f.must(200, "POST", at+"/test", "")
	require.Equal(t, "email", of(f.must(200, "GET", at+"/agents", ""), "anna@acme.example")["match"])

	// A webhook has no users.
	hook := f.must(201, "POST", "/connections", `{"connector": "webhook", "name": "Hook", "config": {"base_url": "https://hooks.example.com/x"}, "secrets": {"signing_secret": "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}}`).JSON["id"].(string)
	f.must(422, "POST", "/connections/"+hook+"/owners/match", "")
	f.crm.Close()
	require.Equal(t, 502, f.api("POST", at+"/owners/match", "").Status)

	learned := f.must(200, "GET", "/own-numbers/learned", "").items()
	require.Len(t, learned, 2)
	require.Equal(t, false, learned[0].(map[string]any)["counts"], "seen once says nothing")
	f.must(404, "PATCH", "/own-numbers/learned", `{"number": "+15550000000", "rejected": true}`)
	learned = f.must(200, "PATCH", "/own-numbers/learned", `{"number": "+13105550100", "rejected": true}`).items()
	require.Equal(t, true, learned[0].(map[string]any)["rejected"])
}

func TestBrowserReviewsAndOwners(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	f.staff(source)
	b := f.newBrowser("Europe/Berlin")
	b.signIn("anna@example.com")
	b.open("/reviews")
	b.picture("reviews-empty", false)
	f.exec(`insert into connection_users (connection_id, workspace_id, users, listed_at) values ($1, $2, '[{"id": "71", "name": "Anna Smith", "active": true}]', now())`, connection, f.ws)
	waiting := f.asked(source, connection, "+14155550101", 45, "parked", sharers...)
	f.asked(source, connection, "+14155550101", 30, "parked", sharers...)
	f.asked(source, connection, "+442079460018", 10, "done")
	evil := `<img src=x onerror=alert(1)>` + "\u202e"
	f.asked(source, connection, "+919876543210", 5, "done", records.Candidate{Object: "contact", ID: "9", Name: evil, URL: "javascript:alert(1)"}, sharers[0])
	b.open("/reviews")
	require.Equal(t, 3, js[int](b, "document.querySelectorAll('section.crm').length"))
	require.Equal(t, "3 open", strings.TrimSpace(js[string](b, "document.querySelector('a[href=\"/reviews\"] .badge').textContent")))
	require.Equal(t, 0, js[int](b, "document.querySelectorAll('a[href^=\"javascript\"], img').length"))
	require.Contains(t, js[string](b, "document.querySelector('section[aria-label=\"+1 415-555-0101\"]').innerText"), "Owner\nAnna Smith")
	b.picture("reviews", true)
	b.open("/holds")
	require.Contains(t, js[string](b, "document.querySelector('main').innerText"), "Several contacts share this number. Choose one under Reviews")
	b.open("/calls/" + waiting)
	b.run(chromedp.Click(chromedp.CSS("#help-0")), chromedp.WaitVisible(chromedp.CSS(".candidates")))
	b.run(chromedp.Click(chromedp.CSS(`section[aria-label="+1 415-555-0101"] button[value="contact:102"]`)), chromedp.WaitVisible(chromedp.CSS(".notice")))
	require.Len(t, f.actions.syncs(), 2)
	require.Contains(t, js[string](b, "document.querySelector('.notice').innerText"), "Zhang Roofing front desk")
	b.picture("reviews-undo", false)
	// Taken back, and answered again.
	b.run(chromedp.Click(chromedp.CSS(".notice button")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Empty(t, f.must(200, "GET", "/match-choices", "").items())
	b.run(chromedp.Click(chromedp.CSS(`section[aria-label="+1 415-555-0101"] button[value="contact:102"]`)), chromedp.WaitVisible(chromedp.CSS(".notice")))
	require.Len(t, f.actions.syncs(), 4, "what waits still is delivered by the new answer")
	b.run(chromedp.Click(chromedp.CSS(`section[aria-label="+44 20 7946 0018"] button[value="contact:create"]`)))
	// The page before had something to say as well.
	b.until("document.querySelectorAll('section.crm').length === 1")
	b.open("/reviews?show=resolved")
	b.picture("reviews-answered", true)
	b.open("/reviews?show=choices")
	require.Equal(t, 2, js[int](b, "document.querySelectorAll('tbody tr').length"))
	b.picture("reviews-remembered", false)
	b.run(chromedp.Click(chromedp.CSS("tbody tr:last-child button")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Equal(t, 1, js[int](b, "document.querySelectorAll('tbody tr').length"))

	b.open("/connections/" + connection)
	b.run(chromedp.Click(chromedp.Search(`//a[text()="Agents and owners"]`)), chromedp.WaitVisible(chromedp.Search(`//h1[text()="Agents and owners"]`)))
	require.Equal(t, "/connections/"+connection+"/owners", js[string](b, "location.pathname"))
	b.run(chromedp.Click(chromedp.Search(`//button[text()="Match by e-mail now"]`)), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Contains(t, js[string](b, "document.querySelector('tbody').innerText"), "by e-mail")
	b.picture("owners", true)
	b.open("/connections/" + connection + "/match")
	b.picture("match", true)
	js[bool](b, `(() => { document.querySelector('[name=on_many][value=ask]').checked = true; document.querySelector('[name=unknown_agent][value=default]').checked = true; document.querySelector('form.settings').requestSubmit(); return true })()`)
	b.until("document.querySelector('.flash.bad') !== null && document.querySelector('.flash.bad').textContent.includes('Name the user')")
	require.True(t, js[bool](b, "document.querySelector('[name=on_many][value=ask]').checked"), "what was entered stays")
	js[bool](b, `(() => { const s = document.querySelector('#default_owner'); s.value = s.options[1].value; s.form.requestSubmit(); return true })()`)
	b.until("document.querySelector('.flash:not(.bad)') !== null")
	match := f.must(200, "GET", "/connections/"+connection, "").JSON["match"].(map[string]any)
	require.Equal(t, "ask", match["on_many"])
	require.Equal(t, "default", match["unknown_agent"])
	require.NotEmpty(t, match["default_owner"])
	b.open("/connections/" + connection + "/owners")
	// By hand, for one whom no e-mail names.
	js[bool](b, `(() => { const s = document.querySelector('#owner-1'); s.value = s.options[2].value; s.form.requestSubmit(); return true })()`)
	b.until("document.querySelector('.flash') !== null && document.querySelector('.flash').textContent.startsWith('Assigned')")
	require.Contains(t, js[string](b, "document.querySelectorAll('tbody tr')[1].innerText"), "by hand")
	b.open("/numbers")
	b.picture("numbers", true)
	b.run(chromedp.Click(chromedp.CSS("tbody tr:first-child button")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Contains(t, js[string](b, "document.querySelector('tbody tr').innerText"), "Not yours")
	listed := "[...document.querySelectorAll('[aria-labelledby=listed-title] tbody tr')].map(r => r.cells[0].innerText.trim() + ' ' + r.cells[1].innerText.trim())"
	list := func(number, label string) {
		b.run(chromedp.SetValue(chromedp.CSS("#number"), number), chromedp.SetValue(chromedp.CSS("#label"), label), chromedp.Click(chromedp.CSS("form[action='/numbers/listed'] button")))
	}
	list("020 7946", "Front <desk>")
	b.until("document.querySelector('.flash.bad') !== null && document.querySelector('.flash.bad').textContent.includes('country code')")
	require.Equal(t, "Front <desk>", js[string](b, "document.querySelector('#label').value"), "what was typed stays")
	list("+44 20 7946 0018", "Front <desk>")
	b.until("document.querySelector('.flash:not(.bad)') !== null")
	require.Equal(t, []string{"+44 20 7946 0018 Front <desk>"}, js[[]string](b, listed))
	b.picture("numbers-listed", true)
	b.run(chromedp.Click(chromedp.CSS("form[action='/numbers/listed/remove'] button")))
	b.until("document.querySelector('.flash') !== null && document.querySelector('[aria-labelledby=listed-title] tbody') === null")
	b.size(390, 844)
	for _, path := range []string{"/reviews", "/connections/" + connection + "/owners", "/connections/" + connection + "/match", "/numbers", "/reviews?show=choices"} {
		b.open(path)
		name, _ := url.Parse(path)
		b.picture("narrow-"+filepath.Base(name.Path)+name.RawQuery, true)
	}
	b.dark(true)
	b.size(1280, 900)
	b.open("/reviews")
	b.picture("reviews-dark", true)
}
