package hubspot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
)

const token = "pat-na1-secret-token"

var noon = time.Date(2026, 6, 1, 12, 0, 0, 123e6, time.UTC)

func settings(url string) connectors.Settings {
	return connectors.Settings{ConnectionID: "c1", Config: map[string]string{"base_url": url, "portal_id": "4242"}, Secrets: map[string]string{"access_token": token}}
}

// account is a fake without limits and lag.
func account(o hubspotfake.Options) *hubspotfake.Fake {
	if o.Tokens == nil {
		o.Tokens = map[string][]string{token: nil}
	}
	if o.SearchLag == 0 {
		o.SearchLag = -1
	}
	if o.PerTenSeconds == 0 {
		o.PerTenSeconds, o.SearchPerSecond = -1, -1
	}
	return hubspotfake.New(o)
}

func connect(t *testing.T, h http.Handler) connectors.Session {
	t.Helper()
	s := httptest.NewServer(held(t, h))
	t.Cleanup(s.Close)
	session, err := hubspot.New().Open(settings(s.URL))
	require.NoError(t, err)
	return session
}

// ready is an account after its connect test.
func ready(t *testing.T, o hubspotfake.Options) (*hubspotfake.Fake, connectors.Session) {
	t.Helper()
	f := account(o)
	session := connect(t, f)
	report, err := session.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), "%+v", report)
	return f, session
}

func write(key, remoteID, text string, at time.Time) connectors.CallWrite {
	return connectors.CallWrite{Key: key, RemoteID: remoteID, Fields: map[string]any{
		"hs_timestamp": at, "hs_call_body": text, "hs_call_title": "A call", "hs_call_duration": int64(61000), "hs_call_direction": "INBOUND",
		"hs_call_status": "COMPLETED", "hs_call_has_voicemail": false, "hs_call_disposition": nil,
	}}
}

func TestVendorErrors(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 22, 30, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		status int
		body   string
		header http.Header
		want   connectors.Error
		public string
	}{
		"unknown property": {400, `{"status":"error","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"Property \\\"foo\\\" does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"foo\"}]","category":"VALIDATION_ERROR"}`,
			nil, connectors.Error{Class: connectors.Invalid, Field: "foo"}, "no property “foo”"},
		"old form": {400, `{"validationResults":[{"isValid":false,"message":"x was not one of the allowed options","error":"INVALID_OPTION","name":"hs_call_status"}],"status":"error","message":"Property values were not valid"}`,
			nil, connectors.Error{Class: connectors.Invalid, Field: "hs_call_status"}, "among its options"},
		"context": {400, `{"status":"error","message":"oops","errors":[{"message":"m","code":"INVALID_DATE","context":{"propertyName":["hs_timestamp"]}}],"category":"VALIDATION_ERROR"}`,
			nil, connectors.Error{Class: connectors.Invalid, Field: "hs_timestamp"}, "“hs_timestamp”"},
		"context as text": {400, `{"status":"error","message":"oops","errors":[{"message":"m","in":"hs_call_body","context":"{x=[y]}"}]}`,
			nil, connectors.Error{Class: connectors.Invalid, Field: "hs_call_body"}, ""},
		"taken": {400, `{"status":"error","message":"Cannot set PropertyValueCoordinates{portalId=1, value=+14155550199} on 0. 77 already has that value.","category":"VALIDATION_ERROR"}`,
			nil, connectors.Error{Class: connectors.Conflict, RemoteID: "77"}, ""},
		"exists": {409, `{"status":"error","message":"Contact already exists. Existing ID: 12345","category":"CONFLICT"}`,
			nil, connectors.Error{Class: connectors.Conflict, RemoteID: "12345"}, ""},
		"scopes": {403, `{"status":"error","message":"This app hasn't been granted all required scopes","errors":[{"message":"One or more","context":{"requiredGranularScopes":["crm.objects.contacts.write","crm.objects.owners.read"]}}],"category":"MISSING_SCOPES"}`,
			nil, connectors.Error{Class: connectors.Forbidden}, "crm.objects.contacts.write, crm.objects.owners.read"},
		"ten seconds":          {429, `{"status":"error","errorType":"RATE_LIMIT","policyName":"TEN_SECONDLY_ROLLING"}`, nil, connectors.Error{Class: connectors.RateLimited, RetryAfter: 10 * time.Second}, ""},
		"search":               {429, `{"status":"error","errorType":"RATE_LIMIT","policyName":"SECONDLY"}`, nil, connectors.Error{Class: connectors.RateLimited, RetryAfter: time.Second}, ""},
		"day":                  {429, `{"status":"error","errorType":"RATE_LIMIT","policyName":"DAILY"}`, nil, connectors.Error{Class: connectors.QuotaExhausted, RetryAfter: 30 * time.Minute}, ""},
		"header wins":          {429, `{"policyName":"DAILY"}`, http.Header{"Retry-After": {"5"}}, connectors.Error{Class: connectors.QuotaExhausted, RetryAfter: 5 * time.Second}, ""},
		"locked":               {423, `{"status":"error"}`, nil, connectors.Error{Class: connectors.RateLimited, RetryAfter: 2 * time.Second}, ""},
		"locked, too soon":     {423, `{"status":"error"}`, http.Header{"Retry-After": {"1"}}, connectors.Error{Class: connectors.RateLimited, RetryAfter: 2 * time.Second}, ""},
		"moving":               {477, `{"status":"error"}`, http.Header{"Retry-After": {"60"}}, connectors.Error{Class: connectors.Unavailable, RetryAfter: time.Minute}, ""},
		"not the vendor's 404": {404, `<html>404</html>`, nil, connectors.Error{Class: connectors.Unavailable}, "not HubSpot's API"},
		"item of a batch":      {207, `{"status":"COMPLETE","results":[],"numErrors":1,"errors":[{"status":"error","category":"CONFLICT","message":"Contact already exists. Existing ID: 9"}]}`, nil, connectors.Error{Class: connectors.Conflict, RemoteID: "9"}, ""},
		"item unknown":         {207, `{"results":[],"errors":[{"category":"NEW_THING"}]}`, nil, connectors.Error{Class: connectors.Unavailable}, ""},
		"success of nothing":   {200, `{"status":"COMPLETE","results":[]}`, nil, connectors.Error{Class: connectors.UnknownOutcome}, ""},
		"portal":               {200, `<html>Please sign in</html>`, nil, connectors.Error{Class: connectors.UnknownOutcome}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range tc.header {
					w.Header()[k] = v
				}
				w.WriteHeader(tc.status)
				fmt.Fprint(w, tc.body)
			}))
			t.Cleanup(s.Close)
			set := settings(s.URL)
			set.Config["time_zone"] = "Europe/Berlin" // half an hour to midnight
			set.Now = func() time.Time { return now }
			session, err := hubspot.New().Open(set)
			require.NoError(t, err)
			_, err = session.(connectors.ContactCreator).CreateContact(t.Context(), connectors.ContactWrite{Key: "k", Fields: map[string]any{"phone": "+14155550199"}})
			var e *connectors.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tc.want, connectors.Error{Class: e.Class, Field: e.Field, RemoteID: e.RemoteID, RetryAfter: e.RetryAfter})
			require.Contains(t, e.Public, tc.public)
			require.NotContains(t, err.Error(), "4155550199")
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for field, set := range map[string]func(*connectors.Settings){
		"time_zone":    func(s *connectors.Settings) { s.Config["time_zone"] = "Mars/Base" },
		"portal_id":    func(s *connectors.Settings) { s.Config["portal_id"] = "12/../x" },
		"access_token": func(s *connectors.Settings) { s.Secrets["access_token"] = "pat\r\nX-Evil: 1" },
		"base_url":     func(s *connectors.Settings) { s.Config["base_url"] = "https://api.hubapi.com?x=1" },
	} {
		s := settings("https://api.hubapi.com")
		set(&s)
		_, err := hubspot.New().Open(s)
		require.Equal(t, field, connectors.AsError(err).Field)
		require.Equal(t, connectors.Invalid, connectors.AsError(err).Class)
	}
	_, err := hubspot.New().Open(connectors.Settings{Secrets: map[string]string{"access_token": "x"}})
	require.NoError(t, err, "the address has a default")
	require.Len(t, connectors.NewRegistry(hubspot.New()).Infos()[0].Capabilities, 27)
}

func TestValuesThatCannotBeStored(t *testing.T) {
	t.Parallel()
	session := connect(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("sent") }))
	for _, v := range []any{map[string]any{}, struct{}{}, make(chan int)} {
		_, err := session.WriteCall(t.Context(), connectors.CallWrite{Key: "k", Fields: map[string]any{"x": v}})
		require.Equal(t, connectors.Error{Class: connectors.Invalid, Field: "x"}, connectors.Error{Class: connectors.AsError(err).Class, Field: connectors.AsError(err).Field})
	}
}

func TestWriteAndLinkTakesTwoRequests(t *testing.T) {
	t.Parallel()
	f, _ := ready(t, hubspotfake.Options{})
	var n atomic.Int32
	session := connect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		f.ServeHTTP(w, r)
	}))
	contactID, err := f.AddContact(map[string]string{"phone": "(415) 555-0199", "firstname": "Ada", "lastname": "L"})
	require.NoError(t, err)
	found, err := session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550199", National: "4155550199", Country: "US"})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, contactID, found[0].ID)
	require.Equal(t, "Ada L", found[0].Name)
	require.Contains(t, found[0].Numbers, "+14155550199")
	out, err := session.WriteCall(t.Context(), write("key", "", "text", noon))
	require.NoError(t, err)
	require.Equal(t, "https://app.hubspot.com/contacts/4242/record/0-48/"+out.RemoteID, out.URL)
	require.NoError(t, session.(connectors.Linker).LinkCall(t.Context(), out.RemoteID, found[0].Ref))
	require.EqualValues(t, 3, n.Load(), "search, upsert, link")
	require.NoError(t, session.(connectors.Linker).LinkCall(t.Context(), out.RemoteID, found[0].Ref))
	c, ok := f.CallByKey("key")
	require.True(t, ok)
	require.Equal(t, []string{contactID}, c.Contacts)
	require.Equal(t, "61000", c.Properties["hs_call_duration"])
	require.Equal(t, "false", c.Properties["hs_call_has_voicemail"])

	read, err := session.(connectors.CallReader).ReadCall(t.Context(), out.RemoteID, []string{"hs_timestamp", "hs_call_duration", "hs_call_disposition"})
	require.NoError(t, err)
	require.True(t, connectors.SameValue(noon, read["hs_timestamp"]))
	require.True(t, connectors.SameValue(int64(61000), read["hs_call_duration"]))
	require.True(t, connectors.SameValue(nil, read["hs_call_disposition"]))

	err = session.(connectors.Linker).LinkCall(t.Context(), out.RemoteID, connectors.Ref{Object: "contact", ID: "999"})
	require.Equal(t, connectors.NotFound, connectors.AsError(err).Class)
	err = session.(connectors.Linker).LinkCall(t.Context(), out.RemoteID, connectors.Ref{Object: "planet", ID: "9"})
	require.Equal(t, connectors.Unsupported, connectors.AsError(err).Class)
}

func TestContactsAreMadeOnce(t *testing.T) {
	t.Parallel()
	f, session := ready(t, hubspotfake.Options{})
	creator := session.(connectors.ContactCreator)
	w := connectors.ContactWrite{Key: "c-1", Fields: map[string]any{"phone": "+919876543210", "firstname": "Grace"}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = creator.CreateContact(t.Context(), w) })
	}
	wg.Wait()
	out, err := creator.CreateContact(t.Context(), w)
	require.NoError(t, err)
	require.False(t, out.Created)
	require.Equal(t, 1, f.State(false).Counts.Contacts)
	c, ok, err := creator.FindContactByKey(t.Context(), "c-1")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, out.RemoteID, c.ID)
	require.Equal(t, "Grace", c.Name)
	_, ok, err = creator.FindContactByKey(t.Context(), "c-2")
	require.NoError(t, err)
	require.False(t, ok)

	id, err := f.AddContact(map[string]string{"email": "ada@example.com"})
	require.NoError(t, err)
	_, err = creator.CreateContact(t.Context(), connectors.ContactWrite{Key: "c-3", Fields: map[string]any{"email": "Ada@example.com"}})
	require.Equal(t, connectors.Conflict, connectors.AsError(err).Class)
	require.Equal(t, id, connectors.AsError(err).RemoteID)
}

func TestContactSearchIsWideAndPaged(t *testing.T) {
	t.Parallel()
	f, session := ready(t, hubspotfake.Options{})
	for i := range 230 {
		_, err := f.AddContact(map[string]string{"mobilephone": "+44 20 7946 0123", "firstname": fmt.Sprint(i)})
		require.NoError(t, err)
	}
	for _, typed := range []string{"020 7946 0123", "+442079460123", "0044 20 7946 0123"} {
		_, err := f.AddContact(map[string]string{"phone": typed})
		require.NoError(t, err)
	}
	gone, err := f.AddContact(map[string]string{"phone": "+442079460123"})
	require.NoError(t, err)
	f.Archive("contacts", gone)
	m := session.(connectors.ContactMatcher)
	found, err := m.FindContacts(t.Context(), connectors.PhoneQuery{E164: "+442079460123", National: "2079460123", Country: "GB"})
	require.NoError(t, err)
	require.Len(t, found, 233)
	found, err = m.FindContacts(t.Context(), connectors.PhoneQuery{E164: "+442079460999", National: "2079460999"})
	require.NoError(t, err)
	require.Empty(t, found)
	found, err = m.FindContacts(t.Context(), connectors.PhoneQuery{E164: "+49123", National: "123"})
	require.NoError(t, err)
	require.Empty(t, found, "a short number does not match what ends in it")
	found, err = m.FindContacts(t.Context(), connectors.PhoneQuery{})
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestOwnersAndDispositionsAreRemembered(t *testing.T) {
	t.Parallel()
	f := account(hubspotfake.Options{})
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	now := noon
	var mu sync.Mutex
	set := settings(s.URL)
	set.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	session, err := hubspot.New().Open(set)
	require.NoError(t, err)
	later := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	resolver, lister := session.(connectors.OwnerResolver), session.(connectors.DispositionLister)

	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { _, _, _ = resolver.FindOwner(t.Context(), " Agent1@Example.com ") })
	}
	wg.Wait()
	o, ok, err := resolver.FindOwner(t.Context(), "agent1@example.com")
	require.NoError(t, err)
	require.True(t, ok && o.Active && o.ID != "")
	require.EqualValues(t, 1, n.Load(), "twenty askers, one request")
	_, ok, err = resolver.FindOwner(t.Context(), "new@example.com")
	require.NoError(t, err)
	require.False(t, ok)
	f.AddOwner("new@example.com")
	_, ok, _ = resolver.FindOwner(t.Context(), "new@example.com")
	require.False(t, ok, "that there is none is remembered for a minute")
	later(61 * time.Second)
	_, ok, _ = resolver.FindOwner(t.Context(), "new@example.com")
	require.True(t, ok)
	_, ok, err = resolver.FindOwner(t.Context(), "")
	require.NoError(t, err)
	require.False(t, ok)

	n.Store(0)
	for range 3 {
		list, err := lister.Dispositions(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 6)
		require.Equal(t, connectors.DispositionOption{ID: "9d9162e7-6cf3-4944-bf63-4dff82258764", Label: "Busy"}, list[0])
	}
	require.EqualValues(t, 1, n.Load())
	later(6 * time.Minute)
	_, err = lister.Dispositions(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, n.Load())
}

func TestErrorsAreNotRemembered(t *testing.T) {
	t.Parallel()
	f := account(hubspotfake.Options{})
	f.SetFaults(hubspotfake.Faults{Scope: "all", Script: []hubspotfake.Fault{hubspotfake.FaultUnavailable}})
	resolver := connect(t, f).(connectors.OwnerResolver)
	_, _, err := resolver.FindOwner(t.Context(), "agent1@example.com")
	require.Equal(t, connectors.Unavailable, connectors.AsError(err).Class)
	_, ok, err := resolver.FindOwner(t.Context(), "agent1@example.com")
	require.NoError(t, err)
	require.True(t, ok)
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	_, session := ready(t, hubspotfake.Options{})
	schema, err := session.(connectors.SchemaDescriber).Describe(t.Context(), "call")
	require.NoError(t, err)
	fields := map[string]connectors.SchemaField{}
	for _, f := range schema.Fields {
		fields[f.Name] = f
	}
	require.Equal(t, connectors.TypeHTML, fields["hs_call_body"].Type)
	require.Equal(t, 65536, fields["hs_call_body"].MaxLength)
	require.Equal(t, connectors.TypeDateTime, fields["hs_timestamp"].Type)
	require.True(t, fields["hs_timestamp"].Required)
	require.Equal(t, connectors.TypeNumber, fields["hs_call_duration"].Type)
	require.Equal(t, connectors.TypePicklist, fields["hs_call_status"].Type)
	require.NotEmpty(t, fields["hs_call_status"].Options)
	require.Equal(t, connectors.TypeBool, fields["hs_call_has_voicemail"].Type)
	require.Equal(t, connectors.TypeRef, fields["hubspot_owner_id"].Type)
	require.True(t, fields["hs_lastmodifieddate"].ReadOnly)
	require.True(t, fields[hubspot.CallKey].ReadOnly, "the key is not for mappings")
	_, err = session.(connectors.SchemaDescriber).Describe(t.Context(), "planet")
	require.Equal(t, connectors.Unsupported, connectors.AsError(err).Class)
}

func failing(r connectors.Report) map[string]string {
	out := map[string]string{}
	for _, c := range r.Checks {
		if !c.OK {
			out[c.Name] = c.Text
		}
	}
	return out
}

func TestVerify(t *testing.T) {
	t.Parallel()
	verify := func(f http.Handler) (connectors.Report, error) {
		return connect(t, f).(connectors.Verifier).Verify(t.Context())
	}
	f := account(hubspotfake.Options{})
	for range 2 {
		r, err := verify(f)
		require.NoError(t, err)
		require.Empty(t, failing(r))
		require.Equal(t, connectors.KeyedUpsert, r.Idempotency)
		require.Equal(t, "HubSpot account 4242", r.Account)
		require.Zero(t, f.State(false).Counts.Calls, "a test leaves no record behind")
	}
	r, err := verify(account(hubspotfake.Options{Tokens: map[string][]string{"another": nil}}))
	require.NoError(t, err)
	require.Contains(t, failing(r)["Access token"], "does not accept the token")
	require.Empty(t, r.Idempotency)

	r, err = verify(account(hubspotfake.Options{PortalID: 1}))
	require.NoError(t, err)
	require.Contains(t, failing(r)["Access token"], "Correct the Hub ID")

	r, err = verify(account(hubspotfake.Options{Tokens: map[string][]string{token: {hubspotfake.ScopeContactsRead, hubspotfake.ScopeSchemasRead}}}))
	require.NoError(t, err)
	bad := failing(r)
	require.Contains(t, bad["Write calls"], "crm.objects.contacts.write")
	require.Contains(t, bad["Read owners"], "crm.objects.owners.read")
	require.Contains(t, bad["Property "+hubspot.CallKey], "crm.schemas.contacts.write")
	require.NotContains(t, bad, "Read calls")
	require.Empty(t, r.Idempotency)

	plain := account(hubspotfake.Options{})
	require.Equal(t, http.StatusCreated, post(t, plain, "/crm/v3/properties/calls",
		`{"name":"callsync_call_id","label":"x","type":"string","fieldType":"text","groupName":"call_information"}`))
	r, err = verify(plain)
	require.NoError(t, err)
	require.Contains(t, failing(r)["Property "+hubspot.CallKey], "Delete it")

	full := account(hubspotfake.Options{})
	for i := range 10 {
		require.Equal(t, http.StatusCreated, post(t, full, "/crm/v3/properties/calls",
			fmt.Sprintf(`{"name":"u%d","label":"x","type":"string","fieldType":"text","groupName":"call_information","hasUniqueValue":true}`, i)))
	}
	r, err = verify(full)
	require.NoError(t, err)
	require.Contains(t, failing(r)["Property "+hubspot.CallKey], "at most 10")

	away := account(hubspotfake.Options{})
	away.SetFaults(hubspotfake.Faults{Rate503: 1, Scope: "all"})
	_, err = verify(away)
	require.Equal(t, connectors.Unavailable, connectors.AsError(err).Class, "nothing could be found out")
}

func post(t *testing.T, h http.Handler, path, body string) int {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestTransportsErrorComesBackAsItIs(t *testing.T) {
	t.Parallel()
	spent := &connectors.Error{Class: connectors.RateLimited, RetryAfter: 3 * time.Second, Public: "The budget is spent."}
	set := settings("https://api.hubapi.com")
	set.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return nil, spent })
	session, err := hubspot.New().Open(set)
	require.NoError(t, err)
	_, err = session.WriteCall(t.Context(), write("k", "", "x", noon))
	require.Same(t, spent, err)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestRoughNetwork writes many calls, several at once, through faults of every kind, by the protocol: one record each.
func TestRoughNetwork(t *testing.T) {
	t.Parallel()
	f, session := ready(t, hubspotfake.Options{})
	f.SetFaults(hubspotfake.Faults{Rate429: .05, Rate503: .05, Drop: .05, CommitThenDrop: .1, CommitThenHang: .03, CommitThen502: .05, HangSeconds: 60, Seed: 7})
	const calls = 300
	var wg sync.WaitGroup
	var unfinished atomic.Int32
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < calls; i += 8 {
				done := false
				for range 50 {
					ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
					_, err := session.WriteCall(ctx, write(fmt.Sprintf("key-%d", i), "", "text", noon.Add(time.Duration(i)*time.Second)))
					cancel()
					if err == nil {
						done = true
						break
					}
				}
				if !done {
					unfinished.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, unfinished.Load())
	s := f.State(false)
	require.Equal(t, calls, s.Counts.Calls)
	require.Zero(t, s.Counts.CallsWithoutKey)
	require.Empty(t, s.Doubled.CallsByKey)
	require.NotZero(t, s.Faults[hubspotfake.FaultCommitDrop], "the network was rough")
}

func TestSearchBodyHasWhatTheDescriptionRequires(t *testing.T) {
	t.Parallel()
	var body map[string]json.RawMessage
	session := connect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(b, &body); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, `{"total":0,"results":[]}`)
	}))
	_, err := session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550199", National: "4155550199"})
	require.NoError(t, err)
	for _, name := range []string{"filterGroups", "properties", "sorts", "limit", "after"} {
		require.Contains(t, body, name)
	}
	var groups []any
	require.NoError(t, json.Unmarshal(body["filterGroups"], &groups))
	require.Len(t, groups, 5, "HubSpot takes no more")
}
