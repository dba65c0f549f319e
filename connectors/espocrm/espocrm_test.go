package espocrm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/espocrm"
	"github.com/callsync/callsync/connectors/espocrm/espocrmfake"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 123e6, time.UTC)

func connect(t *testing.T, h http.Handler, change func(*connectors.Settings)) connectors.Session {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	set := settings(s.URL)
	if change != nil {
		change(&set)
	}
	session, err := espocrm.New().Open(set)
	require.NoError(t, err)
	return session
}

func fake(t *testing.T, o espocrmfake.Options) (*espocrmfake.Fake, connectors.Session) {
	t.Helper()
	o.APIKey = apiKey
	f := espocrmfake.New(o)
	return f, connect(t, f, nil)
}

func classOf(t *testing.T, err error) *connectors.Error {
	t.Helper()
	e, ok := errors.AsType[*connectors.Error](err)
	require.True(t, ok, "%v", err)
	return e
}

func verify(t *testing.T, s connectors.Session) connectors.Report {
	t.Helper()
	report, err := s.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	return report
}

// failed are the checks that did not pass, as text.
func failed(r connectors.Report) string {
	out := ""
	for _, c := range r.Checks {
		if !c.OK {
			out += c.Name + ": " + c.Text + "\n"
		}
	}
	return out
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	f := espocrmfake.New(espocrmfake.Options{APIKey: apiKey, SecretKey: "se:cret/key"})
	hmac := func(s *connectors.Settings) { s.Secrets["secret_key"] = "se:cret/key" }
	require.True(t, verify(t, connect(t, f, hmac)).OK())
	_, err := connect(t, f, hmac).WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err)
	require.False(t, verify(t, connect(t, f, func(s *connectors.Settings) { s.Secrets["secret_key"] = "wrong" })).OK())
	require.False(t, verify(t, connect(t, f, nil)).OK(), "the key alone, where EspoCRM wants a signature")
	basic := func(s *connectors.Settings) {
		s.Config["username"] = espocrmfake.AdminName
		s.Secrets = map[string]string{"password": espocrmfake.AdminPassword}
	}
	require.True(t, verify(t, connect(t, f, basic)).OK())
	for name, change := range map[string]func(*connectors.Settings){
		"api_key":    func(s *connectors.Settings) { s.Secrets = map[string]string{"secret_key": "x"} },
		"password":   func(s *connectors.Settings) { s.Config["username"] = "ann"; s.Secrets = nil },
		"username":   func(s *connectors.Settings) { s.Config["username"] = "a:b"; s.Secrets = nil },
		"secret_key": func(s *connectors.Settings) { s.Secrets["secret_key"] = "a\nb" },
		"key_field":  func(s *connectors.Settings) { s.Config["key_field"] = "a b" },
		"base_url":   func(s *connectors.Settings) { s.Config["base_url"] = "https://crm.example?x=1" },
	} {
		set := settings("https://crm.example")
		change(&set)
		_, err := espocrm.New().Open(set)
		require.Equal(t, name, classOf(t, err).Field)
	}
}

// TestAddresses takes what people paste.
func TestAddresses(t *testing.T) {
	t.Parallel()
	f := espocrmfake.New(espocrmfake.Options{APIKey: apiKey})
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	for _, suffix := range []string{"", "/", "/api/v1", "/api/v1/"} {
		session, err := espocrm.New().Open(settings(s.URL + suffix))
		require.NoError(t, err)
		out, err := session.WriteCall(t.Context(), write("key"+suffix, "", "x", noon))
		require.NoError(t, err)
		require.Equal(t, s.URL+"/#Call/view/"+out.RemoteID, out.URL)
	}
	sub := httptest.NewServer(http.StripPrefix("/crm", espocrmfake.New(espocrmfake.Options{APIKey: apiKey, SecretKey: "s"})))
	t.Cleanup(sub.Close)
	set := settings(sub.URL + "/crm/")
	set.Secrets["secret_key"] = "s"
	session, err := espocrm.New().Open(set)
	require.NoError(t, err)
	_, err = session.WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err)
}

// TestConnectTest is that of an admin on a fresh install, and of API users whose roles lack something.
func TestConnectTest(t *testing.T) {
	t.Parallel()
	f, session := fake(t, espocrmfake.Options{NoFields: true})
	report := verify(t, session)
	require.Equal(t, connectors.CreateOnly, report.Idempotency, "without the field nothing can be looked for")
	require.Contains(t, failed(report), "Entity Manager → Call → Fields → Add Field: type Varchar, max length 100, name callsyncKey (EspoCRM makes cCallsyncKey of it)")
	require.NotContains(t, failed(report), "on Task", "callsync works without it")
	out, err := session.WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err, "EspoCRM ignores a field that is not there")
	require.Len(t, out.Warnings, 2, "but callsync does not: %+v", out.Warnings)
	admin := connect(t, f, func(s *connectors.Settings) {
		s.Config["username"] = espocrmfake.AdminName
		s.Secrets = map[string]string{"password": espocrmfake.AdminPassword}
	})
	report = verify(t, admin)
	require.Empty(t, failed(report))
	require.Equal(t, connectors.LookupThenWrite, report.Idempotency)
	report = verify(t, session)
	require.Empty(t, failed(report), "the admin has made the fields")
	require.Equal(t, connectors.LookupThenWrite, report.Idempotency)

	_, session = fake(t, espocrmfake.Options{NoAssignment: true, Role: map[string]map[string]string{
		"Call": {"create": "yes", "read": "own", "edit": "all"}, "Contact": {"read": "all"}, "Account": {"read": "team"}, "User": {"read": "own"},
	}})
	text := failed(verify(t, session))
	for _, want := range []string{"Call → read to “all”", "Account → read to “all”", "User → read to “all”", "Assignment Permission"} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "Lead", "a customer without leads needs no right to them")
	require.NotContains(t, text, "Contact → create")

	_, session = fake(t, espocrmfake.Options{})
	missing := connect(t, espocrmfake.New(espocrmfake.Options{APIKey: apiKey}), func(s *connectors.Settings) { s.Config["default_owner"] = "nobody" })
	require.Contains(t, failed(verify(t, missing)), "default owner")
	require.Empty(t, failed(verify(t, session)))
}

// TestRequired fills what EspoCRM demands.
func TestRequired(t *testing.T) {
	t.Parallel()
	f, session := fake(t, espocrmfake.Options{})
	ann := f.AddOwner("ann@example.com", true)
	named := connect(t, f, func(s *connectors.Settings) { s.Config["default_owner"] = "ann@example.com" })
	_, err := session.WriteCall(t.Context(), connectors.CallWrite{Key: "bare"})
	require.NoError(t, err)
	bare := keyed(f, "Call", "bare")[0]
	require.Equal(t, "api", bare["assignedUserId"], "the user callsync connects with")
	require.Equal(t, bare["dateStart"], bare["dateEnd"])
	_, err = named.WriteCall(t.Context(), connectors.CallWrite{Key: "length", Fields: map[string]any{"dateStart": noon, espocrm.DurationField: int64(90), "assignedUserId": nil}})
	require.NoError(t, err)
	length := keyed(f, "Call", "length")[0]
	require.Equal(t, ann, length["assignedUserId"])
	require.Equal(t, "2026-06-01 12:01:30", length["dateEnd"])
	_, err = session.WriteCall(t.Context(), connectors.CallWrite{Key: "backwards", Fields: map[string]any{"dateStart": noon, "dateEnd": noon.Add(-time.Hour)}})
	require.NoError(t, err)
	require.Equal(t, "2026-06-01 12:00:00", keyed(f, "Call", "backwards")[0]["dateEnd"])
	_, err = session.WriteCall(t.Context(), connectors.CallWrite{Key: "length", RemoteID: length["id"].(string),
		Fields: map[string]any{"dateEnd": nil, "assignedUserId": "", "name": nil, "description": "changed"}})
	require.NoError(t, err, "what EspoCRM demands is not cleared")
	require.Equal(t, ann, keyed(f, "Call", "length")[0]["assignedUserId"])
}

// TestRepairs sends again what EspoCRM refused for its form.
func TestRepairs(t *testing.T) {
	t.Parallel()
	f, session := fake(t, espocrmfake.Options{})
	f.Define("Call", "cDay", "date")
	w := write("key", "", "x", noon)
	w.Fields["name"] = "<b>a</b> = " + strings.Repeat("🎧", 300)
	w.Fields["cDay"] = noon
	w.Fields["cNowhere"] = "x"
	out, err := session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	require.Len(t, out.Warnings, 3, "%+v", out.Warnings)
	r := keyed(f, "Call", "key")[0]
	name := r["name"].(string)
	require.True(t, strings.HasPrefix(name, "b a /b 🎧🎧") && strings.HasSuffix(name, "🎧…") && len([]rune(name)) <= 255, "%q", name)
	require.Equal(t, "2026-06-01", r["cDay"])
	creator := session.(connectors.ContactCreator)
	_, err = creator.CreateContact(t.Context(), connectors.ContactWrite{Key: "c", Fields: map[string]any{"phoneNumber": "0800 CALL", "description": "d"}})
	require.NoError(t, err)
	c := keyed(f, "Contact", "c")[0]
	require.Equal(t, "d\n0800 CALL", c["description"])
	require.Equal(t, "0800 CALL", c["lastName"])
	require.Nil(t, c["phoneNumber"])
}

// TestLook finds numbers wherever they are.
func TestLook(t *testing.T) {
	t.Parallel()
	f, session := fake(t, espocrmfake.Options{})
	second := f.Add("Contact", espocrmfake.Record{"lastName": "Two", "phoneNumber": "+14155550188",
		"phoneNumberData": []any{espocrmfake.Record{"phoneNumber": "+14155550188"}, espocrmfake.Record{"phoneNumber": "+14155550199"}}})
	old := f.Add("Contact", espocrmfake.Record{"lastName": "Old", "phoneNumber": "(415) 555-0199"})
	lead := f.Add("Lead", espocrmfake.Record{"lastName": "Was a lead", "phoneNumber": "+14155550199", "status": "Converted", "createdContactId": second})
	company := f.Add("Account", espocrmfake.Record{"name": "Acme", "phoneNumber": "+14155550199"})
	find := func(s connectors.Session, q connectors.PhoneQuery) []connectors.Contact {
		q.Objects = []string{"contact", "lead", "company", "deal"}
		found, err := s.(connectors.ContactMatcher).FindContacts(t.Context(), q)
		require.NoError(t, err)
		return found
	}
	for _, q := range []connectors.PhoneQuery{
		{E164: "+14155550199", National: "4155550199"}, {E164: "+14155550199", National: "(0415) 555-0199"},
	} {
		found := find(session, q)
		require.Len(t, found, 3, "%+v", found)
		byID := map[string]connectors.Contact{}
		for _, c := range found {
			byID[c.ID] = c
		}
		require.Contains(t, byID[second].Numbers, "+14155550199", "the second number of a contact, and the number of the lead it was")
		require.Contains(t, byID[old].Numbers, "(415) 555-0199")
		require.Equal(t, "company", byID[company].Object)
		require.NotContains(t, byID, lead)
	}
	require.Empty(t, find(session, connectors.PhoneQuery{}))
	require.Empty(t, find(session, connectors.PhoneQuery{E164: "+112", National: "112"}), "a short number is looked for as it is")
	blind, _ := fakeRole(t, map[string]map[string]string{"Contact": {"read": "all"}})
	require.Empty(t, find(blind, connectors.PhoneQuery{E164: "+14155550199", National: "4155550199"}), "what the role hides is passed over")
	none, _ := fakeRole(t, map[string]map[string]string{})
	_, err := none.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550199", National: "4155550199"})
	require.Equal(t, connectors.Forbidden, classOf(t, err).Class, "without contacts callsync would make doubles")
	now, ok, err := session.(connectors.ContactFollower).FollowContact(t.Context(), connectors.Ref{Object: "lead", ID: lead})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, connectors.Ref{Object: "contact", ID: second}, now)
}

func fakeRole(t *testing.T, role map[string]map[string]string) (connectors.Session, *espocrmfake.Fake) {
	f, s := fake(t, espocrmfake.Options{Role: role})
	return s, f
}

// TestDuplicates adopts who is the same person, and nobody who only has the name.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	f, session := fake(t, espocrmfake.Options{})
	namesake := f.Add("Contact", espocrmfake.Record{"firstName": "Ada", "lastName": "Byron", "phoneNumber": "+14155550111"})
	mail := f.Add("Contact", espocrmfake.Record{"firstName": "Grace", "lastName": "Hopper", "emailAddress": "grace@example.com"})
	creator := session.(connectors.ContactCreator)
	out, err := creator.CreateContact(t.Context(), connectors.ContactWrite{Key: "a", Fields: map[string]any{"firstName": "Ada", "lastName": "Byron", "phoneNumber": "+14155550122"}})
	require.NoError(t, err)
	require.NotEqual(t, namesake, out.RemoteID)
	_, err = creator.CreateContact(t.Context(), connectors.ContactWrite{Key: "b", Fields: map[string]any{"firstName": "Ada", "lastName": "Byron", "phoneNumber": "+14155550111"}})
	require.Equal(t, namesake, classOf(t, err).RemoteID)
	_, err = creator.CreateContact(t.Context(), connectors.ContactWrite{Key: "c", Fields: map[string]any{"lastName": "Somebody", "emailAddress": "grace@example.com"}})
	require.Equal(t, connectors.Conflict, classOf(t, err).Class)
	require.Equal(t, mail, classOf(t, err).RemoteID)
}

// TestFindCallIsExact takes no key for another one that MariaDB calls equal.
func TestFindCallIsExact(t *testing.T) {
	t.Parallel()
	f, session := fake(t, espocrmfake.Options{})
	f.Add("Call", espocrmfake.Record{"name": "x", espocrm.KeyField: "KEY"})
	_, ok, err := session.(connectors.CallFinder).FindCall(t.Context(), "key")
	require.NoError(t, err)
	require.False(t, ok)
	_, ok, err = session.(connectors.CallFinder).FindCall(t.Context(), "")
	require.NoError(t, err)
	require.False(t, ok)
	f.Define("Call", espocrm.KeyField, "")
	_, _, err = session.(connectors.CallFinder).FindCall(t.Context(), "key")
	require.Equal(t, connectors.Invalid, classOf(t, err).Class, "a field that was taken away is no record that is not there")
}

// TestNotes writes, changes and loses notes; their text cannot forge a key.
func TestNotes(t *testing.T) {
	t.Parallel()
	f, session := fake(t, espocrmfake.Options{})
	contact := connectors.Ref{Object: "contact", ID: f.Add("Contact", espocrmfake.Record{"lastName": "Ada"})}
	notes, finder := session.(connectors.NoteWriter), session.(connectors.RecordFinder)
	w := connectors.RecordWrite{Key: "n-1", Links: []connectors.Ref{contact}, Fields: map[string]any{"post": "x" + mark + "n-2)"}}
	out, err := notes.WriteNote(t.Context(), w)
	require.NoError(t, err)
	_, ok, err := finder.FindRecord(t.Context(), "note", "n-2")
	require.NoError(t, err)
	require.False(t, ok, "somebody else has written the key")
	id, ok, err := finder.FindRecord(t.Context(), "note", "n-1")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, out.RemoteID, id)
	f.Delete("Note", id)
	w.RemoteID = id
	_, err = notes.WriteNote(t.Context(), w)
	require.Equal(t, connectors.NotFound, classOf(t, err).Class)
	_, err = notes.WriteNote(t.Context(), connectors.RecordWrite{Key: "n-3", Fields: map[string]any{"post": "x"}})
	require.Equal(t, connectors.Unsupported, classOf(t, err).Class, "a note is on a record")
	call, err := session.WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err)
	_, err = notes.WriteNote(t.Context(), connectors.RecordWrite{Key: "n-4", Links: []connectors.Ref{{Object: "call", ID: call.RemoteID}}, Fields: map[string]any{"post": "x"}})
	require.NoError(t, err)
}

// TestRecordingsWithoutTheField go into a note of the contact, once, and of the call where it has none.
func TestRecordingsWithoutTheField(t *testing.T) {
	t.Parallel()
	f, session := fake(t, espocrmfake.Options{})
	f.Define("Call", espocrm.RecordingsField, "")
	contact := connectors.Ref{Object: "contact", ID: f.Add("Contact", espocrmfake.Record{"lastName": "Ada"})}
	call, err := session.WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err)
	content := bytes.Repeat([]byte("wave"), 500_000)
	for i, party := range []connectors.Ref{contact, {}} {
		u := connectors.RecordingUpload{Key: fmt.Sprint("rec-", i), CallID: call.RemoteID, Party: party, Name: "../a.wav", ContentType: "audio/wav", Size: int64(len(content)),
			Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
		for range 2 {
			_, err = session.(connectors.RecordingUploader).UploadRecording(t.Context(), u)
			require.NoError(t, err)
		}
		list := keyed(f, "Note", u.Key)
		require.Len(t, list, 1)
		require.Equal(t, map[bool]string{true: "Contact", false: "Call"}[party.ID != ""], list[0]["parentType"])
		files := f.Files(list[0]["attachmentsIds"])
		require.Len(t, files, 1)
		require.True(t, bytes.Equal(content, files[0]))
		u.Key, u.Open = "short", func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("wave")), nil }
		_, err = session.(connectors.RecordingUploader).UploadRecording(t.Context(), u)
		require.Equal(t, connectors.Unavailable, classOf(t, err).Class, "a recording that ends too soon")
		require.Empty(t, keyed(f, "Note", "short"))
	}
}

// TestRequests counts what a call costs.
func TestRequests(t *testing.T) {
	t.Parallel()
	f := espocrmfake.New(espocrmfake.Options{APIKey: apiKey})
	contact := f.Add("Contact", espocrmfake.Record{"lastName": "Ada", "phoneNumber": "+14155550101"})
	var requests atomic.Int32
	session := connect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		f.ServeHTTP(w, r)
	}), nil)
	_, err := session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550101", National: "4155550101", Country: "US"})
	require.NoError(t, err)
	w := write("key", "", "x", noon)
	w.Links = []connectors.Ref{{Object: "contact", ID: contact}}
	out, err := session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, w.Links, out.Linked, "the call takes its contact along")
	require.EqualValues(t, 2, requests.Load())
}

// TestLock does not take EspoCRM's lock against guessing for a right that is missing.
func TestLock(t *testing.T) {
	t.Parallel()
	f := espocrmfake.New(espocrmfake.Options{APIKey: apiKey})
	stranger := connect(t, f, func(s *connectors.Settings) { s.Secrets["api_key"] = "wrong" })
	for range 11 {
		_, err := stranger.WriteCall(t.Context(), write("key", "", "x", noon))
		require.Equal(t, connectors.Unauthorized, classOf(t, err).Class)
	}
	_, err := connect(t, f, nil).WriteCall(t.Context(), write("key", "", "x", noon))
	require.Equal(t, connectors.Unavailable, classOf(t, err).Class)
	require.Equal(t, time.Minute, classOf(t, err).RetryAfter)
}

// People tell candidates apart by e-mail and account, which come with the list.
func TestCandidatesAreToldApart(t *testing.T) {
	t.Parallel()
	f, session := fake(t, espocrmfake.Options{})
	account := f.Add("Account", espocrmfake.Record{"name": "Lovelace Ltd", "emailAddress": "office@example.com", "phoneNumber": "+14155550199"})
	f.Add("Contact", espocrmfake.Record{"lastName": "Ada", "phoneNumber": "+14155550199", "emailAddress": "ada@example.com", "accountId": account})
	f.Add("Lead", espocrmfake.Record{"lastName": "Grace", "phoneNumber": "+14155550199", "accountName": "Hopper & Co"})
	for object, want := range map[string]connectors.Contact{
		"contact": {Emails: []string{"ada@example.com"}, Company: "Lovelace Ltd"}, "lead": {Company: "Hopper & Co"}, "company": {Emails: []string{"office@example.com"}},
	} {
		found, err := session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550199", National: "4155550199", Objects: []string{object}})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, want.Emails, found[0].Emails, object)
		require.Equal(t, want.Company, found[0].Company, object)
	}
}
