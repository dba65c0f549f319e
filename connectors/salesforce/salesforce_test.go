package salesforce_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/salesforce"
	"github.com/callsync/callsync/connectors/salesforce/salesforcefake"
)

// org is a fake with a session on it. Requests that change something are noted by method and path.
type org struct {
	*salesforcefake.Fake
	connectors.Session
	url string
	mu  sync.Mutex
	log []string
	now atomic.Pointer[time.Time]
}

func newOrg(t *testing.T, o salesforcefake.Options, config ...string) *org {
	t.Helper()
	o.Tokens = []string{token}
	if o.SearchLag == 0 {
		o.SearchLag = -1
	}
	x := &org{Fake: salesforcefake.New(o)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		x.log = append(x.log, r.Method+" "+r.URL.Path)
		x.mu.Unlock()
		x.Fake.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	x.url = s.URL
	x.Session = x.open(t, config...)
	return x
}

func (x *org) open(t *testing.T, config ...string) connectors.Session {
	t.Helper()
	set := settings(x.url)
	set.Now = func() time.Time {
		if at := x.now.Load(); at != nil {
			return *at
		}
		return time.Now()
	}
	for i := 0; i < len(config); i += 2 {
		set.Config[config[i]] = config[i+1]
	}
	s, err := salesforce.New().Open(set)
	require.NoError(t, err)
	return s
}

// took are the requests since the last call of it.
func (x *org) took() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := slices.Clone(x.log)
	x.log = nil
	return out
}

func asError(t *testing.T, err error) *connectors.Error {
	t.Helper()
	var e *connectors.Error
	require.ErrorAs(t, err, &e)
	return e
}

// A repeated create becomes an update in Salesforce, which refuses what only a create may set.
func TestRepeatedCreate(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		x := newOrg(t, salesforcefake.Options{OldUpserts: old})
		first, err := x.WriteCall(t.Context(), write("key", "", "one", noon))
		require.NoError(t, err)
		require.True(t, first.Created)
		require.Len(t, x.took(), 1, "one request for a call")
		w := write("key", "", "two", noon)
		again, err := x.WriteCall(t.Context(), w)
		require.NoError(t, err)
		require.False(t, again.Created)
		require.Equal(t, first.RemoteID, again.RemoteID)
		r, _ := one(x.Fake, "Task", "key")
		require.Equal(t, "two", str(r, "Description"))
		require.Equal(t, "Call", str(r, "TaskSubtype"))
		require.Len(t, x.Records("Task"), 1)
	}
	// A user who may not write the subtype at all still gets the call.
	x := newOrg(t, salesforcefake.Options{ReadOnly: map[string][]string{"Task": {"TaskSubtype"}}})
	out, err := x.WriteCall(t.Context(), write("key", "", "one", noon))
	require.NoError(t, err)
	require.True(t, out.Created)
	require.Equal(t, "TaskSubtype", out.Warnings[0].Field)
}

// WhoId takes a contact or a lead, WhatId another record, and a lead's task none.
func TestPersonAndRecord(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{})
	account := connectors.Ref{Object: "company", ID: x.Add("Account", salesforcefake.Record{"Name": "Acme"})}
	other := connectors.Ref{Object: "company", ID: x.Add("Account", salesforcefake.Record{"Name": "Other"})}
	contact := connectors.Ref{Object: "contact", ID: x.Add("Contact", salesforcefake.Record{"LastName": "Ada"})}
	lead := connectors.Ref{Object: "lead", ID: x.Add("Lead", salesforcefake.Record{"LastName": "Grace", "Company": "x"})}
	for i, tc := range []struct{ links, want []connectors.Ref }{
		{[]connectors.Ref{contact, account}, []connectors.Ref{contact, account}},
		{[]connectors.Ref{account, contact}, []connectors.Ref{contact, account}},
		{[]connectors.Ref{account, lead}, []connectors.Ref{lead}},
		{[]connectors.Ref{lead, contact}, []connectors.Ref{lead}},
		{[]connectors.Ref{account, other}, []connectors.Ref{account}},
		{[]connectors.Ref{{Object: "planet", ID: "1"}, {Object: "contact"}}, nil},
	} {
		w := write(fmt.Sprint("key", i), "", "x", noon)
		w.Links = tc.links
		out, err := x.WriteCall(t.Context(), w)
		require.NoError(t, err)
		r, _ := one(x.Fake, "Task", w.Key)
		require.Equal(t, tc.want, linked(r))
		require.ElementsMatch(t, tc.want, out.Linked)
		// Whatever is tied later, what is there stays.
		for _, to := range []connectors.Ref{contact, account, lead} {
			require.NoError(t, x.Session.(connectors.Linker).LinkCall(t.Context(), out.RemoteID, to))
		}
		r, _ = one(x.Fake, "Task", w.Key)
		for _, ref := range tc.want {
			require.Contains(t, linked(r), ref)
		}
	}
}

// Salesforce refuses a write whose parent another write holds.
func TestRowLocks(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{RowLock: 30 * time.Millisecond})
	account := x.Add("Account", salesforcefake.Record{"Name": "Acme"})
	var contacts []connectors.Ref
	for i := range 3 {
		contacts = append(contacts, connectors.Ref{Object: "contact", ID: x.Add("Contact", salesforcefake.Record{"LastName": "Ada", "Phone": fmt.Sprint("+1415555010", i), "AccountId": account})})
	}
	// A search shows the account that they share.
	_, err := x.Session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550100", National: "4155550100"})
	require.NoError(t, err)
	_, err = x.Session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550101", National: "4155550101"})
	require.NoError(t, err)
	x.took()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			w := write(fmt.Sprint("key", i), "", "x", noon)
			w.Links = contacts[i%2 : i%2+1]
			if _, err := x.WriteCall(t.Context(), w); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Len(t, x.took(), 8, "none was refused and sent again")
	// Another process is not kept away; what Salesforce refuses is tried again.
	other := x.open(t)
	for i, s := range []connectors.Session{x.Session, other} {
		wg.Go(func() {
			w := write(fmt.Sprint("both", i), "", "x", noon)
			w.Links = contacts[2:]
			if _, err := s.WriteCall(t.Context(), w); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestDailyLimit(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{PerDay: 1000})
	at := noon
	x.now.Store(&at)
	x.SetUsed(949)
	_, err := x.WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err)
	_, err = x.WriteCall(t.Context(), write("key-2", "", "x", noon))
	e := asError(t, err)
	require.Equal(t, connectors.QuotaExhausted, e.Class)
	require.True(t, e.NotSent)
	require.Equal(t, 15*time.Minute, e.RetryAfter)
	require.Contains(t, e.Public, "950 of the 1000")
	require.Len(t, x.took(), 1, "nothing was sent")
	// After a while one request finds out, and the rest still waits.
	later := noon.Add(16 * time.Minute)
	x.now.Store(&later)
	_, err = x.WriteCall(t.Context(), write("key-2", "", "x", noon))
	require.NoError(t, err)
	_, err = x.WriteCall(t.Context(), write("key-3", "", "x", noon))
	require.Equal(t, connectors.QuotaExhausted, asError(t, err).Class)
	// Without a reserve it goes on to the end, where Salesforce refuses.
	x.SetUsed(1000)
	_, err = x.open(t, "reserve_percent", "0").WriteCall(t.Context(), write("key-3", "", "x", noon))
	require.Equal(t, connectors.QuotaExhausted, asError(t, err).Class)
}

// The exact start is kept whether or not the org has a field for it.
func TestExactStart(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 5, 30, 17, 0, time.UTC) // 1:30:17 in New York, the first time
	x := newOrg(t, salesforcefake.Options{}, "time_zone", "America/New_York")
	w := write("key", "", "Started: 2026-11-01 01:30:17 EDT", at)
	w.Fields["ActivityDate"] = time.Date(2026, 11, 1, 3, 0, 0, 0, time.UTC)
	_, err := x.WriteCall(t.Context(), w)
	require.NoError(t, err)
	r, _ := one(x.Fake, "Task", "key")
	require.Equal(t, "2026-11-01T05:30:17.000+0000", str(r, salesforce.StartField))
	require.Equal(t, "2026-10-31", str(r, "ActivityDate"), "the date in the zone of the connection")

	x.Undefine("Task", salesforce.StartField)
	x.took()
	for _, want := range []int{2, 1} {
		w.Key += "-2"
		out, err := x.WriteCall(t.Context(), w)
		require.NoError(t, err)
		require.Equal(t, salesforce.StartField, out.Warnings[0].Field)
		require.Len(t, x.took(), want, "it is asked for once")
		got, err := x.Session.(connectors.CallReader).ReadCall(t.Context(), out.RemoteID, []string{"Subject", salesforce.StartField})
		require.NoError(t, err)
		require.Equal(t, "Inbound call", got["Subject"])
		require.True(t, connectors.SameField(x.Session, "call", salesforce.StartField, at, got[salesforce.StartField]))
		x.took()
	}
}

// Values that only the org's own description tells how to write.
func TestRefit(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{})
	x.Define("Task", "Follow_Up__c", "date")
	x.Define("Task", "Called_At__c", "datetime")
	x.Define("Task", "Short__c", "string")
	w := write("key", "", "x", noon)
	w.Fields["Follow_Up__c"], w.Fields["Called_At__c"], w.Fields["Short__c"] = noon, "2026-06-01", strings.Repeat("🎧", 200)
	out, err := x.WriteCall(t.Context(), w)
	require.NoError(t, err)
	r, _ := one(x.Fake, "Task", "key")
	require.Equal(t, "2026-06-01", str(r, "Follow_Up__c"))
	require.Equal(t, "2026-06-01T00:00:00.000+0000", str(r, "Called_At__c"))
	require.Equal(t, strings.Repeat("🎧", 127)+"…", str(r, "Short__c"))
	require.Len(t, out.Warnings, 1)
	for name, v := range w.Fields {
		got, err := x.Session.(connectors.CallReader).ReadCall(t.Context(), out.RemoteID, []string{name})
		require.NoError(t, err)
		require.True(t, connectors.SameField(x.Session, "call", name, v, got[name]) || name == "Called_At__c", name)
	}
	w.Fields["Nope__c"] = "x"
	_, err = x.WriteCall(t.Context(), w)
	e := asError(t, err)
	require.Equal(t, connectors.Invalid, e.Class)
	require.Equal(t, "Nope__c", e.Field)
}

func TestBatchMends(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{})
	_, err := x.WriteCall(t.Context(), write("b-0", "", "before", noon))
	require.NoError(t, err)
	x.Undefine("Task", salesforce.StartField)
	x.Define("Task", "Short__c", "string")
	batch := x.Session.(connectors.BatchWriter)
	var ws []connectors.CallWrite
	for i := range 250 {
		ws = append(ws, write(fmt.Sprint("b-", i), "", "x", noon))
	}
	ws[7].Fields["Nope__c"] = "x"
	ws[9].Fields["Short__c"] = strings.Repeat("x", 300)
	for i, out := range batch.WriteCalls(t.Context(), ws) {
		if i == 7 {
			require.Equal(t, "Nope__c", asError(t, out.Err).Field)
			continue
		}
		require.NoError(t, out.Err, i)
		require.Equal(t, i != 0, out.Written.Created)
	}
	require.Len(t, x.Records("Task"), 249)
	x.took()
	ws = slices.DeleteFunc(ws, func(w connectors.CallWrite) bool { return w.Fields["Nope__c"] != nil || w.Fields["Short__c"] != nil })
	for i := range ws {
		ws[i].Key = "c" + ws[i].Key
	}
	for _, out := range batch.WriteCalls(t.Context(), ws) {
		require.NoError(t, out.Err)
	}
	require.Len(t, x.took(), 2, "200 calls in a request")
}

// What refuses a multipart body gets the file in JSON.
func TestUploadWithoutMultipart(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{})
	call, err := x.WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
		x.Fake.ServeHTTP(w, r)
	}))
	t.Cleanup(gateway.Close)
	s, err := salesforce.New().Open(settings(gateway.URL))
	require.NoError(t, err)
	const sound = "RIFF\x00\xff not much"
	u := connectors.RecordingUpload{Key: "rec", CallID: call.RemoteID, Name: "a b.wav", ContentType: "audio/wav", Size: int64(len(sound)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(sound)), nil }}
	for range 2 {
		_, err = s.(connectors.RecordingUploader).UploadRecording(t.Context(), u)
		require.NoError(t, err)
	}
	files := x.Files(call.RemoteID)
	require.Len(t, files, 1)
	for name, content := range files {
		require.Regexp(t, `^a b-[0-9a-f]{12}\.wav$`, name)
		require.Equal(t, sound, string(content))
	}
}

func TestEscapes(t *testing.T) {
	t.Parallel()
	require.Equal(t, `'O\'Brien \\ \n'`, salesforce.Quote("O'Brien \\ \n"))
	require.Equal(t, `a\?\&\|\!\{\}\[\]\(\)\^\~\*\:\\\"\'\+\-b`, salesforce.Find(`a?&|!{}[]()^~*:\"'+-b`))
	for _, q := range []connectors.PhoneQuery{
		{E164: "+14155550101", National: "4155550101"}, {E164: "+493012345678", National: "03012345678"}, {National: "(415) 555-0101"}, {E164: "+112", National: "112"}, {E164: "} RETURNING User(Id) {"},
	} {
		wide, plain := salesforce.Terms(q)
		for _, term := range strings.Fields(wide + " " + plain) {
			require.Empty(t, strings.Trim(strings.TrimPrefix(term, "*"), "0123456789OR"), "only digits and our own words reach a query")
		}
	}
	x := newOrg(t, salesforcefake.Options{})
	x.AddOwner("o'brien@example.com", true)
	o, ok, err := x.Session.(connectors.OwnerResolver).FindOwner(t.Context(), "O'Brien@example.com")
	require.NoError(t, err)
	require.True(t, ok && o.Active)
	_, ok, err = x.Session.(connectors.CallFinder).FindCall(t.Context(), `x' OR Id != '`)
	require.NoError(t, err)
	require.False(t, ok)
}
