package pipedrive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/pipedrive"
	"github.com/callsync/callsync/connectors/pipedrive/pipedrivefake"
)

func content(s string) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(s))), nil }
}

func failing(err error) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) { return nil, err }
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for field, set := range map[string]func(*connectors.Settings){
		"time_zone": func(s *connectors.Settings) { s.Config["time_zone"] = "Mars/Base" },
		"record":    func(s *connectors.Settings) { s.Config["record"] = "everything" },
		"api_token": func(s *connectors.Settings) { s.Secrets["api_token"] = "pd\r\nX-Evil: 1" },
		"base_url":  func(s *connectors.Settings) { s.Config["base_url"] = "https://acme.pipedrive.com?x=1" },
		"client_id": func(s *connectors.Settings) { s.Config["client_id"], s.Secrets["api_token"] = "app", "" },
	} {
		s := settings("https://acme.pipedrive.com")
		set(&s)
		_, err := pipedrive.New().Open(s)
		require.Equal(t, field, connectors.AsError(err).Field)
		require.Equal(t, connectors.Invalid, connectors.AsError(err).Class)
	}
	_, err := pipedrive.New().Open(connectors.Settings{Secrets: map[string]string{"api_token": "x"}})
	require.NoError(t, err, "the address has a default")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Version 1 is at /v1 of the common host and at /api/v1 of a company's; people copy addresses with the version.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"":                                   "https://api.pipedrive.com/v1/users/me",
		"https://api.pipedrive.com/v1":       "https://api.pipedrive.com/v1/users/me",
		"https://acme.pipedrive.com":         "https://acme.pipedrive.com/api/v1/users/me",
		"https://acme.pipedrive.com/api/v2/": "https://acme.pipedrive.com/api/v1/users/me",
		"https://proxy.example/pd":           "https://proxy.example/pd/v1/users/me",
		"https://evilpipedrive.com.example":  "https://evilpipedrive.com.example/v1/users/me",
	} {
		var got string
		set := settings(base)
		set.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			got = r.URL.String()
			require.Equal(t, token, r.Header.Get("x-api-token"))
			return nil, &connectors.Error{Class: connectors.RateLimited, NotSent: true, Public: "x"}
		})
		session, err := pipedrive.New().Open(set)
		require.NoError(t, err, base)
		_, err = session.(connectors.Verifier).Verify(t.Context())
		require.Error(t, err)
		require.Equal(t, want, got)
	}
}

func TestOAuth(t *testing.T) {
	t.Parallel()
	auth := pipedrive.New().(connectors.Authorizer)
	_, ok, err := auth.OAuth(settings(""))
	require.NoError(t, err)
	require.False(t, ok, "an API token needs no OAuth")
	set := func(base string) connectors.Settings {
		return connectors.Settings{Config: map[string]string{"client_id": "app", "base_url": base}, Secrets: map[string]string{"client_secret": "s"}}
	}
	flow, ok, err := auth.OAuth(set(""))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "https://oauth.pipedrive.com/oauth/authorize", flow.AuthURL)
	require.Equal(t, "https://oauth.pipedrive.com/oauth/token", flow.TokenURL)
	require.True(t, flow.ClientInHeader)
	answer := map[string]any{"api_domain": "https://acme.pipedrive.com/"}
	require.Equal(t, map[string]string{"base_url": "https://acme.pipedrive.com"}, flow.Learn(answer))
	require.Nil(t, flow.Learn(map[string]any{"api_domain": "javascript:alert(1)"}))
	flow, _, _ = auth.OAuth(set("https://proxy.example"))
	require.Nil(t, flow.Learn(answer), "an admin's proxy stays")
	noSecret := set("")
	noSecret.Secrets = nil
	_, _, err = auth.OAuth(noSecret)
	require.Equal(t, "client_secret", connectors.AsError(err).Field)
	bad := set("")
	bad.Config["auth_url"] = "oauth.pipedrive.com"
	_, _, err = auth.OAuth(bad)
	require.Equal(t, "auth_url", connectors.AsError(err).Field)
}

func TestTerms(t *testing.T) {
	t.Parallel()
	for e164, want := range map[string][]string{
		"+14155550199":  {"4155550199", "0199"},
		"+33123456789":  {"123456789", "6789", "1 23 45 67 89"},
		"+442079460123": {"2079460123", "0123"},
		"+919876543210": {"9876543210", "3210"},
	} {
		national := e164[len(e164)-len(want[0]):]
		require.Equal(t, want, pipedrive.Terms(connectors.PhoneQuery{E164: e164, National: national}))
	}
	require.Empty(t, pipedrive.Terms(connectors.PhoneQuery{E164: "+49123", National: "123"}), "a short number does not match what ends in it")
	require.Empty(t, pipedrive.Terms(connectors.PhoneQuery{}))
}

func TestContactsInEverySpelling(t *testing.T) {
	t.Parallel()
	f := company(pipedrivefake.Options{})
	matcher := open(t, f, settings).(connectors.ContactMatcher)
	spellings := []string{"+14155550199", "(415) 555-0199", "415.555.0199", "001 415 555 0199", "1-415-555-0199", "+1 (415) 5550199", "415 555 0199"}
	for _, n := range spellings {
		f.AddPerson(n, "+14155550000", n)
	}
	f.AddPerson("another", "+14155560199")
	found, err := matcher.FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550199", National: "4155550199", Country: "US"})
	require.NoError(t, err)
	require.Len(t, found, len(spellings))
	for _, c := range found {
		require.False(t, c.ModifiedAt.IsZero(), "who was changed last decides between several")
		require.Contains(t, spellings, c.Name)
	}
	f.AddPerson("paires", "01 23 45 67 89")
	found, err = matcher.FindContacts(t.Context(), connectors.PhoneQuery{E164: "+33123456789", National: "123456789", Country: "FR"})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.True(t, found[0].ModifiedAt.IsZero(), "one alone is not asked about")
}

// The first object in which somebody has the number counts: the others are not paid for.
func TestSearchesStopWithWhoHasTheNumber(t *testing.T) {
	t.Parallel()
	f := company(pipedrivefake.Options{})
	matcher := open(t, f, settings).(connectors.ContactMatcher)
	q := connectors.PhoneQuery{E164: "+14155550199", National: "4155550199", Country: "US", Objects: []string{"contact", "lead", "company"}}
	_, err := matcher.FindContacts(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"2 GET /persons/search": 2, "2 GET /organizations/search": 1}, f.State().Requests)
	f.AddLead("A lead", f.AddPerson("Ada", "(415) 555-0199"))
	f.AddOrganization("Acme", "+14155550199")
	found, err := matcher.FindContacts(t.Context(), q)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, "contact", found[0].Object)
	require.Equal(t, map[string]int{"2 GET /persons/search": 4, "2 GET /organizations/search": 1}, f.State().Requests)
	q.Objects = []string{"lead", "contact"}
	found, err = matcher.FindContacts(t.Context(), q)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, "lead", found[0].Object)
}

func TestALeadTakesThePersonWithItsNumber(t *testing.T) {
	t.Parallel()
	f := ready(t, pipedrivefake.Options{}, settings)
	creator := open(t, f, settings).(connectors.ContactCreator)
	person := f.AddPerson("Ada", "(415) 555-0199")
	out, err := creator.CreateContact(t.Context(), connectors.ContactWrite{Key: "k", Object: "lead", Fields: map[string]any{"name": "Ada", "phone": "+14155550199"}})
	require.NoError(t, err)
	require.Len(t, f.State().Persons, 1)
	require.EqualValues(t, person, number(f.State().Leads[0]["person_id"]))
	require.Equal(t, "Ada lead", f.State().Leads[0]["title"])
	require.Equal(t, out.RemoteID, f.State().Leads[0]["id"])
	_, err = creator.CreateContact(t.Context(), connectors.ContactWrite{Key: "k2", Object: "lead", Fields: map[string]any{"name": "Grace", "phone": "+14155550777", "owner_id": "2"}})
	require.NoError(t, err)
	require.Len(t, f.State().Persons, 2)
	_, err = creator.CreateContact(t.Context(), connectors.ContactWrite{Key: "k3", Object: "lead", Fields: map[string]any{"nonsense": "x"}})
	require.Equal(t, "nonsense", connectors.AsError(err).Field)
}

func TestCustomFieldsOfPersons(t *testing.T) {
	t.Parallel()
	f := company(pipedrivefake.Options{})
	kind := f.AddField("Kind", "enum", "Private", "Company")
	topics := f.AddField("Topics", "set", "Price", "Support")
	score, day, text := f.AddField("Score", "double"), f.AddField("Day", "date"), f.AddField("Remark", "varchar")
	session := open(t, f, settings)
	_, err := session.(connectors.ContactCreator).CreateContact(t.Context(), connectors.ContactWrite{Key: "k", Fields: map[string]any{
		"phone": "+14155550199", "email": "ada@example.com", kind: "company", topics: []string{"support", "1"}, score: "4.5", day: noon, text: strings.Repeat("é", 300)}})
	require.NoError(t, err)
	p := f.State().Persons[0]
	require.Equal(t, "+14155550199", p["name"], "a name is needed")
	raw, err := json.Marshal(p["custom_fields"])
	require.NoError(t, err)
	require.JSONEq(t, fmt.Sprintf(`{%q:2,%q:[2,1],%q:4.5,%q:"2026-06-01",%q:%q}`, kind, topics, score, day, text, strings.Repeat("é", 253)+" …"), string(raw))
	for name, v := range map[string]any{kind: "Alien", topics: []string{"x"}, score: "much", day: "soon", strings.Repeat("0", 40): "x", "nonsense": "x"} {
		_, err = session.(connectors.ContactCreator).CreateContact(t.Context(), connectors.ContactWrite{Key: "k", Fields: map[string]any{"name": "A", name: v}})
		require.Equal(t, connectors.Invalid, connectors.AsError(err).Class)
		require.Equal(t, name, connectors.AsError(err).Field)
	}
	schema, err := session.(connectors.SchemaDescriber).Describe(t.Context(), "contact")
	require.NoError(t, err)
	for _, field := range schema.Fields {
		if field.Name == kind {
			require.Equal(t, connectors.TypePicklist, field.Type)
			require.Len(t, field.Options, 2)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	texts := func(r connectors.Report) string {
		var out []string
		for _, c := range r.Checks {
			out = append(out, c.Text)
		}
		return strings.Join(out, "\n")
	}
	for record, want := range map[string]connectors.Idempotency{"both": connectors.CreateOnly, "call_log": connectors.CreateOnly, "activity": connectors.LookupThenWrite} {
		r, err := open(t, company(pipedrivefake.Options{}), as(record)).(connectors.Verifier).Verify(t.Context())
		require.NoError(t, err)
		require.True(t, r.OK())
		require.Equal(t, want, r.Idempotency, "what cannot be patched is written once")
		require.Equal(t, "Acme Inc (acme.pipedrive.com)", r.Account)
	}
	f := company(pipedrivefake.Options{NoAdmin: true})
	r, err := open(t, f, settings).(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	require.True(t, r.OK(), "what is not needed does not fail")
	require.Contains(t, texts(r), "no account settings access")
	require.Contains(t, texts(r), "by their phone number")
	require.Empty(t, f.State().Activities, "a test leaves nothing behind")

	noScope := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/callLogs") || strings.HasSuffix(r.URL.Path, "/users") {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"success":false,"error":"Scope and URL mismatch"}`)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/activityTypes") {
			fmt.Fprint(w, `{"success":true,"data":[{"key_string":"call","active_flag":false},{"key_string":"task","active_flag":true}]}`)
			return
		}
		f.ServeHTTP(w, r)
	})
	r, err = open(t, noScope, settings).(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	var failed []string
	for _, c := range r.Checks {
		if !c.OK {
			failed = append(failed, c.Name)
		}
	}
	require.Equal(t, []string{"Read call logs", "Read users", "Activity types"}, failed)
}

// The vendor's prices are what the budget is charged.
func TestPrices(t *testing.T) {
	t.Parallel()
	f := company(pipedrivefake.Options{TokensPerDay: 1_000_000})
	var mu sync.Mutex
	charged := 0
	searches := 0
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	set := settings(server.URL)
	set.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		class, cost := connectors.RateOf(r.Context())
		mu.Lock()
		charged += cost
		if class == connectors.RateSearch {
			searches++
		}
		mu.Unlock()
		return http.DefaultTransport.RoundTrip(r)
	})
	session, err := pipedrive.New().Open(set)
	require.NoError(t, err)
	_, err = session.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	_, err = session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550199", National: "4155550199"})
	require.NoError(t, err)
	out, err := session.WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err)
	_, err = session.(connectors.RecordingUploader).UploadRecording(t.Context(), connectors.RecordingUpload{Key: "r", CallID: out.RemoteID, Name: "a.mp3", Size: 3, Open: content("abc")})
	require.NoError(t, err)
	require.Equal(t, f.State().TokensSpent, charged)
	require.Equal(t, 2, searches)

	docs, err := specs()
	require.NoError(t, err)
	if docs == nil {
		t.Skip(specEnv + " is not set")
	}
	for name, cost := range pipedrive.Prices() {
		part := strings.Fields(name)
		op := docs[part[0]].Operation(part[1], strings.ReplaceAll(part[2], "{id}", "1"))
		require.NotNil(t, op, name)
		require.Equal(t, cost, op["x-token-cost"], name)
	}
}

func TestLimitsOfTheFake(t *testing.T) {
	t.Parallel()
	session := open(t, company(pipedrivefake.Options{PerTwoSeconds: 3, SearchPerTwoSeconds: 1}), settings)
	matcher := session.(connectors.ContactMatcher)
	_, err := matcher.FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550199", National: "4155550199"})
	require.Equal(t, connectors.RateLimited, connectors.AsError(err).Class, "two searches at once")
	spent := open(t, company(pipedrivefake.Options{TokensPerDay: 12}), settings)
	_, err = spent.WriteCall(t.Context(), write("key", "", "x", noon))
	e := connectors.AsError(err)
	require.Equal(t, connectors.QuotaExhausted, e.Class)
	require.True(t, e.Made, "the activity was paid for, the call log was not")
	require.Positive(t, e.RetryAfter)
}

// TestRecordsReadAsWritten: callsync's mark is no edit, what a person writes is one, and what somebody deleted is gone.
func TestRecordsReadAsWritten(t *testing.T) {
	t.Parallel()
	f := ready(t, pipedrivefake.Options{}, settings)
	s := open(t, f, settings)
	ada := connectors.Ref{Object: connectors.ObjectContact, ID: fmt.Sprint(f.AddPerson("Ada", "+14155550188"))}
	at := time.Date(2026, 11, 22, 10, 0, 5, 4e8, time.UTC)
	task := connectors.RecordWrite{Key: "t", Links: []connectors.Ref{ada}, Fields: map[string]any{"subject": "Call\n back", "note": "<b>x</b>", "due_date": at, "outcome": "busy", "duration": int64(0)}}
	message := connectors.RecordWrite{Key: "m", Links: []connectors.Ref{ada}, Fields: map[string]any{"content": "<b>x</b><br>y", "add_time": at}}
	made, err := s.(connectors.TaskWriter).WriteTask(t.Context(), task)
	require.NoError(t, err)
	logged, err := s.(connectors.MessageLogger).LogMessage(t.Context(), message)
	require.NoError(t, err)
	for object, w := range map[string]struct {
		connectors.RecordWrite
		id, list, text string
	}{connectors.ObjectTask: {task, made.RemoteID, "activities", "note"}, connectors.ObjectMessage: {message, logged.RemoteID, "notes", "content"}} {
		read := func() map[string]any {
			got, err := s.(connectors.RecordReader).ReadRecord(t.Context(), object, w.id, slices.Collect(maps.Keys(w.Fields)))
			require.NoError(t, err)
			return got
		}
		for name, v := range w.Fields {
			require.True(t, connectors.SameField(s, object, name, v, read()[name]), "%s of a %s: %v was written and %v read", name, object, v, read()[name])
		}
		id, err := strconv.ParseInt(w.id, 10, 64)
		require.NoError(t, err)
		f.Edit(id, w.text, "Bob's")
		require.Equal(t, "Bob's", read()[w.text])
		require.False(t, connectors.SameField(s, object, w.text, w.Fields[w.text], read()[w.text]))
		f.Delete(w.list, w.id)
		_, err = s.(connectors.RecordReader).ReadRecord(t.Context(), object, w.id, nil)
		require.True(t, connectors.IsClass(err, connectors.NotFound))
	}
}

// People tell candidates apart by e-mail and organization, which come with the search.
func TestCandidatesAreToldApart(t *testing.T) {
	t.Parallel()
	f := company(pipedrivefake.Options{})
	f.AddMember("Ada", "+14155550199", "ada@example.com", f.AddOrganization("Lovelace Ltd", "+14155550000"))
	f.AddPerson("Grace", "+14155550199")
	found, err := open(t, f, settings).(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550199", National: "4155550199", Country: "US"})
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Equal(t, []string{"ada@example.com"}, found[0].Emails)
	require.Equal(t, "Lovelace Ltd", found[0].Company)
	require.Empty(t, found[1].Emails)
	require.Empty(t, found[1].Company)
}
