package admin_test

import (
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// What is on hold: the place to cure it, the calls, one of them again, all of them with their progress.
func TestBrowserHolds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	f.exec(`update deliveries set updated_at = now() - interval '3 hours' where connection_id = $1 and state = 'parked'`, d.hubspot)
	f.exec(`update deliveries set state = 'parked', class = 'forbidden', reason = 'HubSpot does not allow this token to write calls.', updated_at = now() - interval '2 hours'
		where id in (select id from deliveries where connection_id = $1 and state = 'done' order by key limit 2)`, d.hubspot)
	b := f.newBrowser("Europe/Berlin")
	b.signIn("anna@example.com")
	b.open("/holds")
	require.Equal(t, 2, js[int](b, "document.querySelectorAll('section.crm').length"))
	require.Contains(t, js[string](b, "document.querySelector('section.crm h2').innerText"), "4 calls for HubSpot", "the oldest first")
	require.Equal(t, "/connections/"+d.hubspot+"/dispositions", js[string](b, "new URL(document.querySelector('section.crm .button.primary').href).pathname"), "the field is filled from the disposition")
	require.Equal(t, "/connections/"+d.hubspot+"#test", js[string](b, "(u => u.pathname + u.hash)(new URL(document.querySelectorAll('section.crm .button.primary')[1].href))"))
	b.picture("holds", false)
	b.run(chromedp.Click(chromedp.CSS("section.crm h2 a")), chromedp.WaitVisible(chromedp.CSS("#hold")))
	require.Equal(t, 4, js[int](b, "document.querySelectorAll('#hold tbody tr').length"))
	require.Contains(t, js[string](b, "document.querySelector('#hold tbody tr').innerText"), "Priya Natarajan", "the oldest first")
	b.picture("hold", true)

	// One of them.
	b.run(chromedp.Click(chromedp.CSS("#hold tbody tr button")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Equal(t, []string{f.ws + " " + d.held + " " + d.hubspot}, f.actions.syncs())

	// All of them: two go out, one is refused again, one has not been tried.
	b.run(chromedp.Click(chromedp.CSS("form[action$='/retry'] button")), chromedp.WaitVisible(chromedp.CSS("progress")))
	f.untilSyncs(5)
	require.Contains(t, js[string](b, "document.querySelector('[role=status]').innerText"), "0 of 4 are off hold, 4 not tried yet")
	f.exec(`update deliveries set state = 'done' where id in (select id from deliveries where connection_id = $1 and state = 'parked' and class = 'invalid' order by id limit 2)`, d.hubspot)
	f.exec(`update deliveries set updated_at = now() + interval '1 second' where id in (select id from deliveries where connection_id = $1 and state = 'parked' and class = 'invalid' order by id limit 1)`, d.hubspot)
	b.until("document.querySelector('[role=status]').innerText.includes('2 of 4 are off hold, 1 not tried yet, 1 held again for the same cause')")
	b.picture("hold-retrying", false)
	f.exec(`update deliveries set state = 'done' where connection_id = $1 and state = 'parked' and class = 'invalid'`, d.hubspot)
	b.open("/holds")
	b.run(chromedp.Navigate(b.url+"/holds/"+id()+"?began=2026-03-01T10:00:00Z&of=4"), chromedp.WaitVisible(chromedp.CSS("progress")))
	require.Contains(t, js[string](b, "document.querySelector('[role=status]').innerText"), "All 4 calls are off hold")
	b.picture("hold-over", false)
	b.size(390, 844)
	b.dark(true)
	b.open("/holds")
	b.picture("holds-narrow-dark", true)
	b.run(chromedp.Click(chromedp.CSS("section.crm h2 a")), chromedp.WaitVisible(chromedp.CSS("#hold")))
	b.picture("hold-narrow-dark", true)
}

func TestHoldPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "v@example.com", "V", records.RoleViewer)
	other := id()
	require.NoError(t, f.db.CreateWorkspace(t.Context(), records.Workspace{ID: other, Name: "Beta"}))
	f.user(other, "s@example.com", "S", records.RoleAdmin)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	f.hostileCall(source, connection)
	hold := f.must(200, "GET", "/holds", "").items()[0].(map[string]any)["id"].(string)
	v, s := f.signIn("v@example.com"), f.signIn("s@example.com")
	r := f.get(v, "/holds/"+hold)
	require.Equal(t, 200, r.Status)
	require.NotContains(t, r.Raw, "<script>alert")
	require.NotContains(t, r.Raw, "/retry")
	require.Equal(t, 200, f.get(v, "/holds/"+hold+"?after=nonsense&began=x&of=-1").Status)
	require.Equal(t, 404, f.get(v, "/holds/"+id()).Status)
	require.Equal(t, 404, f.get(s, "/holds/"+hold).Status)
	require.Equal(t, 403, f.post(v, "/holds/"+hold+"/retry", nil).Status)
	r = f.post(s, "/holds/"+hold+"/retry", nil)
	require.Equal(t, "/holds?done=unheld", r.Header.Get("Location"))
	delivery := url.Values{"delivery": {id()}}
	require.Equal(t, "/holds?done=unheld", f.post(s, "/holds/"+hold+"/retry", delivery).Header.Get("Location"))
	require.Empty(t, f.actions.syncs())
}

// Text messages and forms that are on hold stand in the list of their hold, lead to their own pages and are retried as calls are.
func TestHoldOfMessagesAndForms(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "o@example.com", "O", records.RoleOperator)
	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	message, form, held := id(), id(), id()
	f.exec(`insert into messages (id, workspace_id, source_id, provider_id, state) values ($1, $2, $3, 'm', '{"body": "Is Friday fine?", "customer": {"number": "+14155550101"}}')`, message, f.ws, source)
	f.exec(`insert into forms (id, workspace_id, source_id, provider_id, state) values ($1, $2, $3, 'f', '{"customer": {"email": "wei@example.com"}}')`, form, f.ws, source)
	for object, record := range map[string]string{"message": message, "form": form} {
		delivery := id()
		if object == "message" {
			delivery = held
		}
		f.exec(`insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state, revision, class, field, reason) values ($1, $2, $3, $4, $5, $6, 'parked', 1, 'invalid', 'hs_communication_body', 'HubSpot refused the field hs_communication_body.')`,
			delivery, f.ws, connection, object, record, record)
	}
	all := f.must(200, "GET", "/holds", "").items()
	require.Len(t, all, 1, "the cause is one")
	hold := all[0].(map[string]any)["id"].(string)
	o := f.signIn("o@example.com")
	page := f.get(o, "/holds/"+hold)
	require.Equal(t, 200, page.Status)
	require.Contains(t, page.Raw, `<a href="/messages/`+message+`"><b>Message</b></a>`)
	require.Contains(t, page.Raw, `<a href="/forms/`+form+`"><b>Form</b></a>`)
	require.NotContains(t, page.Raw, "/calls/"+message)

	// Their own pages lead to the row of their own mapping, to the hold, and retry them.
	for path, object := range map[string]string{"/messages/" + message: "message", "/forms/" + form: "form"} {
		page = f.get(o, path)
		require.Contains(t, page.Raw, `href="/connections/`+connection+`/mappings/`+object+`?field=hs_communication_body"`)
		require.Contains(t, page.Raw, `href="/holds/`+hold+`"`)
		require.Contains(t, page.Raw, `action="/holds/`+hold+`/retry"`)
	}
	require.Equal(t, "/holds/"+hold+"?done=retried-one", f.post(o, "/holds/"+hold+"/retry", url.Values{"delivery": {held}}).Header.Get("Location"))
	require.Equal(t, []string{f.ws + " " + message + " " + connection}, f.actions.syncs())
	require.Equal(t, 303, f.post(o, "/holds/"+hold+"/retry", nil).Status)
	f.untilSyncs(3)
}

// The table of dispositions: what becomes nothing stands first and is added with one click.
func TestBrowserDispositions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "admin")
	d := f.demo()
	at := "/connections/" + d.hubspot + "/dispositions"
	b := f.newBrowser("Europe/Berlin")
	b.signIn("anna@example.com")
	b.open(at)
	b.picture("dispositions-empty", false)
	for i, value := range []string{"Left voicemail today", "Left voicemail today", "Busy", "Call back <b>later</b>", "left Voicemail  today"} {
		f.exec(`update calls set state = jsonb_set(state, '{disposition}', jsonb_build_object('value', $1::text)) where id = (select id from calls order by id offset $2 limit 1)`, value, i)
	}
	b.open(at)
	row := func(n int) string {
		return js[string](b, "document.querySelectorAll('tbody tr')["+string(rune('0'+n))+"].innerText")
	}
	require.Equal(t, 3, js[int](b, "document.querySelectorAll('tbody tr').length"))
	require.Contains(t, row(0), "Left voicemail today")
	require.Contains(t, row(0), "No outcome")
	require.Contains(t, row(1), "Call back <b>later</b>")
	require.Contains(t, row(2), "has the same name")
	b.picture("dispositions", true)
	require.Equal(t, "Left voicemail", js[string](b, "document.querySelector('#option-0').selectedOptions[0].text"), "what is likely meant is proposed")
	b.run(chromedp.Click(chromedp.CSS("#row-0 button")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	require.Len(t, f.must(200, "GET", at, "").items(), 1)
	require.Contains(t, js[string](b, "document.querySelector('tbody').innerText"), "chosen here")
	b.run(chromedp.SendKeys(chromedp.CSS("#new-value"), "Sold at once"), chromedp.Click(chromedp.CSS("#row-0 button")))
	b.until("document.querySelector('.flash.bad') !== null")
	require.Contains(t, js[string](b, "document.querySelector('.flash.bad').innerText"), "Choose the outcome")
	require.Len(t, f.must(200, "GET", at, "").items(), 1)

	// An outcome that the CRM has dropped is told of, and keeps nobody from mending another row.
	f.exec(`insert into connection_dispositions (connection_id, workspace_id, value_key, value, option_id) values ($1, $2, 'sold', 'Sold', 'gone')`, d.hubspot, f.ws)
	b.open(at)
	require.Contains(t, row(0)+row(1), "No longer there")
	js[bool](b, `(() => { const s = document.querySelector('#new-option'); document.querySelector('#new-value').value = 'Engaged'; s.value = s.options[1].value; s.form.requestSubmit(); return true })()`)
	b.until("document.querySelector('.flash:not(.bad)') !== null")
	require.Len(t, f.must(200, "GET", at, "").items(), 3)
	b.size(390, 844)
	b.dark(true)
	b.open(at)
	b.picture("dispositions-narrow-dark", true)

	b.open("/connections/" + d.webhook + "/dispositions")
	require.Contains(t, js[string](b, "document.querySelector('main').innerText"), "no list of outcomes")
	f.crm.Close()
	b.open(at)
	require.Contains(t, js[string](b, "document.querySelector('main').innerText"), "could not be asked")
	b.picture("dispositions-crm-down", false)
	f.user(f.ws, "o@example.com", "O", records.RoleOperator)
	o := f.signIn("o@example.com")
	require.Equal(t, 403, f.post(o, at, url.Values{"value": {"x"}, "option": {"y"}}).Status)
	require.NotContains(t, f.get(o, at).Raw, "name=\"option\"")
}
