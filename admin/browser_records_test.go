package admin_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Text messages and forms stand in lists, and each says what became of it.
func TestBrowserMessagesAndForms(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.user(f.ws, "anna@example.com", "Anna Smith", "viewer")
	b := f.newBrowser("Asia/Kolkata")
	b.signIn("anna@example.com")
	b.open("/messages")
	b.picture("messages-empty", true)
	require.Contains(t, js[string](b, "document.querySelector('.empty').textContent"), "None yet")

	source, connection := f.newSource().JSON["id"].(string), f.newConnection().JSON["id"].(string)
	message, form := id(), id()
	f.exec(`insert into messages (id, workspace_id, source_id, provider_id, state) values ($1, $2, $3, 'm', '{"direction": "inbound", "body": "<b>Is</b> Friday at ten fine? 😀", "customer": {"number": "+14155550101", "name": "Jane Doe"}, "media": ["javascript:alert(1)", "https://media.example/1.jpg"], "sent_at": "2026-03-01T10:00:00Z"}')`, message, f.ws, source)
	f.exec(`insert into forms (id, workspace_id, source_id, provider_id, state) values ($1, $2, $3, 'f', '{"form_url": "https://www.example.com/contact", "customer": {"email": "wei@example.com", "name": "Wei Zhang"}, "fields": {"company": "Zhang & Sons", "<script>": "x"}, "attribution": {"campaign": "Spring"}}')`, form, f.ws, source)
	f.exec(`insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state, revision, class, reason) values ($1, $2, $3, 'message', $4, $5, 'parked', 1, 'invalid', 'HubSpot refused the field hs_communication_body')`, id(), f.ws, connection, message, message)
	for range 60 {
		f.exec(`insert into messages (id, workspace_id, source_id, provider_id, state) values ($1, $2, $3, $4, '{"body": "older"}')`, idAt(time.Now().Add(-time.Hour)), f.ws, source, id())
	}
	b.open("/messages")
	require.Contains(t, js[string](b, "document.querySelector('tbody tr').innerText"), "<b>Is</b> Friday at ten fine? 😀")
	require.Equal(t, 50, js[int](b, "document.querySelectorAll('tbody tr').length"))
	b.picture("messages", true)
	b.open(js[string](b, "document.querySelector('.pager a').getAttribute('href')"))
	require.Equal(t, 11, js[int](b, "document.querySelectorAll('tbody tr').length"))
	b.open("/messages/" + message)
	require.Contains(t, js[string](b, "document.querySelector('.crm .sentence').textContent"), "hs_communication_body")
	require.Equal(t, 0, js[int](b, "document.querySelectorAll('a[href^=javascript]').length"))
	b.picture("message", true)
	b.open("/forms/" + form)
	require.Contains(t, js[string](b, "document.querySelector('aside').innerText"), "Zhang & Sons")
	b.picture("form", true)
	b.dark(true)
	b.size(390, 844)
	for name, path := range map[string]string{"messages": "/messages", "message": "/messages/" + message, "forms": "/forms", "form": "/forms/" + form} {
		b.open(path)
		b.picture(name+"-narrow-dark", true)
	}
	v := f.signIn("anna@example.com")
	require.Equal(t, 404, f.get(v, "/messages/"+form).Status)
	require.Equal(t, 200, f.get(v, "/forms?source=x&before=y").Status)
	require.Equal(t, 404, f.get(v, "/forms/"+id()).Status)
}
