package zoho_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/zoho"
	"github.com/callsync/callsync/connectors/zoho/zohofake"
)

func classed(t *testing.T, err error, class connectors.Class) *connectors.Error {
	t.Helper()
	require.Error(t, err)
	e := connectors.AsError(err)
	require.Equal(t, class, e.Class, "%v", err)
	return e
}

func asked(f *zohofake.Fake) int {
	n := 0
	for _, times := range f.Asked() {
		n += times
	}
	return n
}

// TestTakenKey repeats writes: Zoho refuses the second and names the first, which is updated. What a person has moved stays.
func TestTakenKey(t *testing.T) {
	t.Parallel()
	f, s := ready(t, zohofake.Options{SearchLag: time.Hour})
	ada := f.Add("Contacts", map[string]any{"Last_Name": "Ada", "Phone": "+14155550188"})
	grace := f.Add("Contacts", map[string]any{"Last_Name": "Grace"})
	w := write("key", "", "one", noon)
	w.Links = []connectors.Ref{{Object: "contact", ID: ada}}
	first, err := s.WriteCall(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, w.Links, first.Linked)
	f.Set("Calls", first.RemoteID, "Who_Id", map[string]any{"id": grace})
	w.Fields["Description"] = "two"
	again, err := s.WriteCall(t.Context(), w)
	require.NoError(t, err)
	require.False(t, again.Created)
	require.Equal(t, first.RemoteID, again.RemoteID)
	require.Empty(t, again.Linked, "whether it belongs to somebody is looked at by LinkCall")
	require.NoError(t, s.(connectors.Linker).LinkCall(t.Context(), again.RemoteID, w.Links[0]))
	r, _ := f.Get("Calls", first.RemoteID)
	require.Equal(t, "two", str(r, "Description"))
	require.Equal(t, grace, ref(r.Fields["Who_Id"]), "a person moved it")

	// A value that is unique beside ours names somebody else's record.
	f.Fields("Calls", func(list []*zohofake.Field) []*zohofake.Field {
		for _, x := range list {
			x.Unique = x.Unique || x.APIName == "Subject"
		}
		return list
	})
	_, err = s.WriteCall(t.Context(), write("other", "", "x", noon))
	e := classed(t, err, connectors.Conflict)
	require.Equal(t, "Subject", e.Field)
	require.Equal(t, first.RemoteID, e.RemoteID)
}

// TestTakenKeyWithoutID is an answer that says what is there twice, and not where.
func TestTakenKeyWithoutID(t *testing.T) {
	t.Parallel()
	f, _ := ready(t, zohofake.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			f.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"data":[{"code":"DUPLICATE_DATA","details":{"api_name":%q},"message":"duplicate data","status":"error"}]}`, zoho.KeyField)
	}))
	t.Cleanup(server.Close)
	s, err := zoho.New().Open(settings(server.URL))
	require.NoError(t, err)
	_, err = s.WriteCall(t.Context(), write("key", "", "x", noon))
	require.Positive(t, classed(t, err, connectors.Unavailable).RetryAfter, "the search does not show it yet")
	id := f.Add("Calls", map[string]any{zoho.KeyField: "key", "Subject": "x", "Call_Type": "Inbound", "Call_Start_Time": "2026-06-01T17:30:00+05:30", "Call_Duration": "01:00"})
	// “equals” finds what contains the key, too.
	f.Add("Calls", map[string]any{zoho.KeyField: "key-2", "Subject": "y"})
	out, err := s.WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err)
	require.Equal(t, id, out.RemoteID)
}

// TestScopeIsNoRefresh asks for what the token may not do: another token would not help, and Zoho gives ten in ten minutes.
func TestScopeIsNoRefresh(t *testing.T) {
	t.Parallel()
	f, _ := ready(t, zohofake.Options{Tokens: map[string][]string{token: nil, "1000.small": {"ZohoCRM.modules.contacts.ALL", "ZohoSearch.securesearch.READ"}}})
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	tokens := &counted{token: "1000.small"}
	s, err := zoho.New().Open(connectors.Settings{Config: map[string]string{"base_url": server.URL}, Tokens: tokens})
	require.NoError(t, err)
	_, err = s.WriteCall(t.Context(), write("key", "", "x", noon))
	e := classed(t, err, connectors.Forbidden)
	require.Contains(t, e.Public, "Calls")
	require.Zero(t, tokens.refreshed)
	_, err = s.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550188", National: "4155550188"})
	require.NoError(t, err, "the token itself is good")
	tokens.token = "1000.ended"
	_, err = s.WriteCall(t.Context(), write("key", "", "x", noon))
	classed(t, err, connectors.Unauthorized)
	require.Equal(t, 1, tokens.refreshed, "INVALID_TOKEN is what a refresh is for")
}

// TestPhones finds numbers however they are stored, on all pages, in each module once.
func TestPhones(t *testing.T) {
	t.Parallel()
	f, s := ready(t, zohofake.Options{})
	matcher := s.(connectors.ContactMatcher)
	spaced := f.Add("Contacts", map[string]any{"Last_Name": "Ada", "Mobile": "+1 (415) 555-0188"})
	national := f.Add("Contacts", map[string]any{"Last_Name": "Grace", "Home_Phone": "415 555 0188"})
	lead := f.Add("Leads", map[string]any{"Last_Name": "Lead", "Phone": "+14155550188"})
	converted := f.Add("Leads", map[string]any{"Last_Name": "Was", "Phone": "+14155550188"})
	f.Convert(converted)
	q := connectors.PhoneQuery{E164: "+14155550188", National: "4155550188", Country: "US", Objects: []string{"lead", "contact", "company"}}
	found, err := matcher.FindContacts(t.Context(), q)
	require.NoError(t, err)
	var ids []string
	for _, c := range found {
		ids = append(ids, c.ID)
	}
	require.Equal(t, lead, ids[0], "in the order of preference")
	require.NotContains(t, ids, converted)
	require.Contains(t, ids, spaced)
	require.Contains(t, ids, national)

	for i := range 450 {
		f.Add("Contacts", map[string]any{"Last_Name": fmt.Sprint("Many ", i), "Phone": "+14155550777"})
	}
	found, err = matcher.FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550777", National: "4155550777"})
	require.NoError(t, err)
	require.Len(t, found, 450)
}

// TestLeads follows a converted lead, and finds nothing of what was merged away.
func TestLeads(t *testing.T) {
	t.Parallel()
	f, s := ready(t, zohofake.Options{})
	follow := s.(connectors.ContactFollower).FollowContact
	lead := f.Add("Leads", map[string]any{"Last_Name": "Ada", "Phone": "+14155550188"})
	now, ok, err := follow(t.Context(), connectors.Ref{Object: "lead", ID: lead})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, connectors.Ref{Object: "lead", ID: lead}, now)
	contact := f.Convert(lead)
	now, ok, err = follow(t.Context(), connectors.Ref{Object: "lead", ID: lead})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, connectors.Ref{Object: "contact", ID: contact}, now)
	w := write("key", "", "x", noon)
	w.Links = []connectors.Ref{{Object: "lead", ID: lead}}
	_, err = s.WriteCall(t.Context(), w)
	classed(t, err, connectors.NotFound)

	twin := f.Add("Contacts", map[string]any{"Last_Name": "Ada"})
	f.Merge("Contacts", twin, contact)
	for _, id := range []string{twin, "1", "0015g00000XyZ", "", "../Users"} {
		_, ok, err = follow(t.Context(), connectors.Ref{Object: "contact", ID: id})
		require.NoError(t, err, id)
		require.False(t, ok, id)
	}
	_, _, err = follow(t.Context(), connectors.Ref{Object: "deal", ID: "1"})
	classed(t, err, connectors.Unsupported)
}

// TestDurations holds Zoho's rule that only missed calls have lasted no time.
func TestDurations(t *testing.T) {
	t.Parallel()
	f, s := ready(t, zohofake.Options{})
	for _, tc := range []struct {
		kind, want string
		seconds    any
		warned     bool
	}{
		{"Outbound", "00:01", int64(0), true}, {"Inbound", "00:01", nil, true}, {"Missed", "", int64(0), false}, {"Outbound", "00:59", 59.9, false},
		{"Inbound", "90:00", int64(5400), false}, {"Inbound", "03:25", "03:25", false}, {"Inbound", "00:01", int64(-5), true},
	} {
		w := write(fmt.Sprint(tc), "", "x", noon)
		w.Fields["Call_Type"], w.Fields["Call_Duration"] = tc.kind, tc.seconds
		out, err := s.WriteCall(t.Context(), w)
		require.NoError(t, err, "%v", tc)
		r, _ := f.Get("Calls", out.RemoteID)
		require.Equal(t, tc.want, str(r, "Call_Duration"), "%v", tc)
		require.Equal(t, tc.warned, len(out.Warnings) > 0, "%v", tc)
		// A change to nothing is no change.
		_, err = s.WriteCall(t.Context(), connectors.CallWrite{Key: w.Key, RemoteID: out.RemoteID, Fields: map[string]any{"Call_Duration": int64(0), "Subject": nil}})
		require.NoError(t, err)
		r, _ = f.Get("Calls", out.RemoteID)
		require.Equal(t, tc.want, str(r, "Call_Duration"))
		require.NotEmpty(t, str(r, "Subject"))
	}
	require.True(t, connectors.SameField(s, "call", "Call_Duration", int64(0), int64(1)), "that is Zoho's habit and nobody's edit")
	require.False(t, connectors.SameField(s, "call", "Call_Duration", int64(30), int64(1)))

	out, err := s.WriteCall(t.Context(), connectors.CallWrite{Key: "bare", Call: call.Call{Facts: call.Facts{Direction: call.Outbound, StartedAt: noon}}})
	require.NoError(t, err)
	r, _ := f.Get("Calls", out.RemoteID)
	require.Equal(t, "Outbound", str(r, "Call_Type"))
	at, err := time.Parse(time.RFC3339, str(r, "Call_Start_Time"))
	require.NoError(t, err)
	require.True(t, noon.Equal(at))
}

// TestShortFields cuts what a field of the account takes less of than Zoho's own.
func TestShortFields(t *testing.T) {
	t.Parallel()
	f, s := ready(t, zohofake.Options{})
	f.Fields("Calls", func(list []*zohofake.Field) []*zohofake.Field {
		return append(list, &zohofake.Field{ID: "1", APIName: "Campaign", Label: "Campaign", Type: "text", Length: 20})
	})
	w := write("key", "", "x", noon)
	long := strings.Repeat("Spring 🌷 ", 9)
	w.Fields["Campaign"], w.Fields["No_Such_Field"] = long, "is left out without a word"
	out, err := s.WriteCall(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, "Campaign", out.Warnings[0].Field)
	r, _ := f.Get("Calls", out.RemoteID)
	require.LessOrEqual(t, len([]rune(str(r, "Campaign"))), 20)
	require.True(t, connectors.SameField(s, "call", "Campaign", long, str(r, "Campaign")))
	batch := s.(connectors.BatchWriter).WriteCalls(t.Context(), []connectors.CallWrite{{Key: "b1", Fields: w.Fields}, write("b2", "", "x", noon), write("key", "", "again", noon)})
	for _, o := range batch {
		require.NoError(t, o.Err)
	}
	require.NotEmpty(t, batch[0].Written.Warnings)
	require.False(t, batch[2].Written.Created)
	require.Equal(t, out.RemoteID, batch[2].Written.RemoteID)
	require.Len(t, f.All("Calls"), 3)
}

// TestNotes writes notes: to a record, once, and not anew when a person deletes one.
func TestNotes(t *testing.T) {
	t.Parallel()
	f, s := ready(t, zohofake.Options{SearchLag: time.Hour})
	notes := s.(connectors.NoteWriter)
	_, err := notes.WriteNote(t.Context(), connectors.RecordWrite{Key: "n", Fields: map[string]any{"Note_Content": "x"}})
	require.True(t, classed(t, err, connectors.Invalid).NotSent)
	call, err := s.WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err)
	w := connectors.RecordWrite{Key: "n", Fields: map[string]any{"Note_Title": strings.Repeat("title ", 40), "Note_Content": "one"}, Links: []connectors.Ref{{Object: "call", ID: call.RemoteID}}}
	first, err := notes.WriteNote(t.Context(), w)
	require.NoError(t, err)
	again, err := notes.WriteNote(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, first.RemoteID, again.RemoteID, "without a search, which lags")
	require.False(t, again.Created)
	require.Len(t, f.All("Notes"), 1)
	require.True(t, strings.HasSuffix(str(f.All("Notes")[0], "Note_Title"), " [n]"))
	require.Equal(t, w.Links, first.Linked)
	require.Equal(t, w.Links, linked(f.All("Notes")[0]))
	err = s.(connectors.RecordLinker).LinkRecord(t.Context(), "note", first.RemoteID, connectors.Ref{Object: "contact", ID: "1"})
	classed(t, err, connectors.Unsupported)
	f.Delete("Notes", first.RemoteID)
	w.RemoteID = first.RemoteID
	_, err = notes.WriteNote(t.Context(), w)
	classed(t, err, connectors.NotFound)
	require.Empty(t, f.All("Notes"))
}

// TestNotesReadAsWritten: callsync's key in the title is no edit, what a person writes is one.
func TestNotesReadAsWritten(t *testing.T) {
	t.Parallel()
	f, s := ready(t, zohofake.Options{})
	ada := f.Add("Contacts", map[string]any{"Last_Name": "Ada"})
	w := connectors.RecordWrite{Key: "key", Fields: map[string]any{"Note_Title": "Call note [sic]", "Note_Content": "two\nlines"}, Links: []connectors.Ref{{Object: "contact", ID: ada}}}
	out, err := s.(connectors.NoteWriter).WriteNote(t.Context(), w)
	require.NoError(t, err)
	same := func(field string) bool {
		got, err := s.(connectors.RecordReader).ReadRecord(t.Context(), connectors.ObjectNote, out.RemoteID, []string{"Note_Title", "Note_Content"})
		require.NoError(t, err)
		return connectors.SameField(s, connectors.ObjectNote, field, w.Fields[field], got[field])
	}
	require.True(t, same("Note_Title"))
	require.True(t, same("Note_Content"))
	f.Set("Notes", out.RemoteID, "Note_Title", "Bob's")
	f.Set("Notes", out.RemoteID, "Note_Content", "two lines and Bob's")
	require.False(t, same("Note_Title"))
	require.False(t, same("Note_Content"))
}

// TestLocked waits for records that a person has locked, and for a user who asked too much at once.
func TestLocked(t *testing.T) {
	t.Parallel()
	f, s := ready(t, zohofake.Options{})
	out, err := s.WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err)
	f.Lock(out.RemoteID, true)
	_, err = s.WriteCall(t.Context(), write("key", out.RemoteID, "y", noon))
	require.Equal(t, time.Minute, classed(t, err, connectors.RateLimited).RetryAfter)
	f.Script(zohofake.FaultBusy, zohofake.FaultDown)
	_, err = s.WriteCall(t.Context(), write("key-2", "", "y", noon))
	classed(t, err, connectors.RateLimited)
	_, err = s.WriteCall(t.Context(), write("key-2", "", "y", noon))
	classed(t, err, connectors.Unavailable)
}

// TestCredits runs out of credits.
func TestCredits(t *testing.T) {
	t.Parallel()
	f := zohofake.New(zohofake.Options{Credits: 4})
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	s, err := zoho.New().Open(settings(server.URL))
	require.NoError(t, err)
	for range 4 {
		_, _ = s.WriteCall(t.Context(), write("key", "", "y", noon)) // uses the credits up, whatever comes of it
	}
	_, err = s.WriteCall(t.Context(), write("key", "", "y", noon))
	require.Positive(t, classed(t, err, connectors.QuotaExhausted).RetryAfter)
}

// TestOutcomes offers the results of the layout that calls get.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	f, s := ready(t, zohofake.Options{})
	list, err := s.(connectors.DispositionLister).Dispositions(t.Context())
	require.NoError(t, err)
	require.Equal(t, []connectors.DispositionOption{{ID: "Interested", Label: "Interested"}, {ID: "Not interested", Label: "Not interested"}, {ID: "Requested call back", Label: "Requested call back"}}, list)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	set := settings(server.URL)
	set.Config["layout_id"], set.Config["workflows"] = zohofake.LayoutID, "skip"
	s, err = zoho.New().Open(set)
	require.NoError(t, err)
	list, err = s.(connectors.DispositionLister).Dispositions(t.Context())
	require.NoError(t, err)
	require.Equal(t, []connectors.DispositionOption{{ID: "Sold", Label: "Sold"}}, list)
	out, err := s.WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err)
	r, _ := f.Get("Calls", out.RemoteID)
	require.Equal(t, zohofake.LayoutID, ref(r.Fields["Layout"]))
	set.Config["layout_id"] = "12345"
	s, err = zoho.New().Open(set)
	require.NoError(t, err)
	_, err = s.(connectors.DispositionLister).Dispositions(t.Context())
	require.Equal(t, "layout_id", classed(t, err, connectors.Invalid).Field)
}

// TestRequests counts what a delivered call costs.
func TestRequests(t *testing.T) {
	t.Parallel()
	f, s := ready(t, zohofake.Options{})
	cost := func(do func() error) int {
		before := asked(f)
		require.NoError(t, do())
		return asked(f) - before
	}
	contact := connectors.Ref{Object: "contact", ID: f.Add("Contacts", map[string]any{"Last_Name": "Ada", "Phone": "+14155550188"})}
	var id string
	require.Equal(t, 2, cost(func() error { _, err := s.WriteCall(t.Context(), write("first", "", "x", noon)); return err }), "the first one looks whether our field is there")
	require.Equal(t, 1, cost(func() error {
		w := write("key", "", "x", noon)
		w.Links = []connectors.Ref{contact}
		out, err := s.WriteCall(t.Context(), w)
		id = out.RemoteID
		require.Equal(t, w.Links, out.Linked)
		return err
	}), "a call, tied to its contact")
	require.Equal(t, 1, cost(func() error { _, err := s.WriteCall(t.Context(), write("key", id, "y", noon)); return err }))
	require.Equal(t, 2, cost(func() error { _, err := s.WriteCall(t.Context(), write("key", "", "z", noon)); return err }), "one that is there already")
	find := func(objects ...string) func() error {
		return func() error {
			_, err := s.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550188", National: "4155550188", Objects: objects})
			return err
		}
	}
	require.Equal(t, 2, cost(find("contact")))
	require.Equal(t, 6, cost(find("contact", "lead", "company")))
	owner := func() error {
		_, _, err := s.(connectors.OwnerResolver).FindOwner(t.Context(), "agent1@example.com")
		return err
	}
	require.Equal(t, 1, cost(owner))
	require.Zero(t, cost(owner), "users are remembered")
	require.Equal(t, 1, cost(func() error {
		var ws []connectors.CallWrite
		for i := range 100 {
			ws = append(ws, write(fmt.Sprint("b", i), "", "x", noon))
		}
		for _, o := range s.(connectors.BatchWriter).WriteCalls(t.Context(), ws) {
			require.NoError(t, o.Err)
		}
		return nil
	}))
	require.Equal(t, 2, cost(func() error {
		_, err := s.(connectors.NoteWriter).WriteNote(t.Context(), connectors.RecordWrite{Key: "n", Fields: map[string]any{"Note_Content": "x"}, Links: []connectors.Ref{contact}})
		return err
	}))
}

// TestKeyIsDeleted goes on after somebody has deleted our field: it is made again, or the call's page says what is missing.
func TestKeyIsDeleted(t *testing.T) {
	t.Parallel()
	without := func(list []*zohofake.Field) []*zohofake.Field {
		return slices.DeleteFunc(list, func(x *zohofake.Field) bool { return x.APIName == zoho.KeyField })
	}
	f, _ := ready(t, zohofake.Options{})
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	open := func() connectors.Session {
		s, err := zoho.New().Open(settings(server.URL))
		require.NoError(t, err)
		return s
	}
	f.Fields("Calls", without)
	s := open()
	for range 2 {
		out, err := s.WriteCall(t.Context(), write("key", "", "x", noon))
		require.NoError(t, err)
		require.Empty(t, out.Warnings)
	}
	require.Len(t, f.All("Calls"), 1)
	f.Fields("Calls", func(list []*zohofake.Field) []*zohofake.Field {
		return append(without(list), &zohofake.Field{ID: "1", APIName: "A", Label: "A", Type: "text", Unique: true}, &zohofake.Field{ID: "2", APIName: "B", Label: "B", Type: "text", Unique: true})
	})
	s = open()
	out, err := s.WriteCall(t.Context(), write("key-2", "", "x", noon))
	require.NoError(t, err)
	require.Equal(t, zoho.KeyField, out.Warnings[0].Field)
	batch := s.(connectors.BatchWriter).WriteCalls(t.Context(), []connectors.CallWrite{write("key-3", "", "x", noon)})
	require.NoError(t, batch[0].Err)
	require.Equal(t, zoho.KeyField, batch[0].Written.Warnings[0].Field)
}

// TestSampleAnswers runs against answers as a mock server makes them of Zoho's OpenAPI files: every id is “string”, there is
// always more, and errors are whatever comes first.
func TestSampleAnswers(t *testing.T) {
	t.Parallel()
	const user = `{"name":"string","id":"string","email":"string"}`
	done := `{"data":[{"status":"success","code":"SUCCESS","duplicate_field":"string","action":"insert","message":"record updated","details":{"Modified_Time":"2019-08-24T14:15:22Z","Modified_By":` + user + `,"Created_Time":"2019-08-24T14:15:22Z","id":"string","Created_By":` + user + `}}]}`
	list := `{"data":[{"id":"string","Created_By":` + user + `,"Created_Time":"2019-08-24T14:15:22Z","Tag":[],"name":"string"}],"info":{"call":true,"per_page":0,"next_page_token":"string","count":0,"page":0,"more_records":true,"sort_by":"string"}}`
	var asked int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/users"):
			fmt.Fprint(w, `{"users":[{"id":"string","email":"string","full_name":"string","status":"active"}],"info":{"per_page":0,"count":0,"page":0,"more_records":true}}`)
		case strings.HasSuffix(r.URL.Path, "/settings/fields"):
			fmt.Fprint(w, `{"fields":[{"api_name":"string","data_type":"string","unique":{},"pick_list_values":[],"length":0,"visible":true}]}`)
		case r.Method == http.MethodGet:
			fmt.Fprint(w, list)
		default:
			fmt.Fprint(w, done)
		}
	}))
	t.Cleanup(server.Close)
	s, err := zoho.New().Open(settings(server.URL))
	require.NoError(t, err)
	_, err = s.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	asked = 0
	found, err := s.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550188", National: "4155550188"})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, 4, asked, "a page that comes twice ends the list")
	w := write("key", "", "x", noon)
	w.Links = []connectors.Ref{found[0].Ref}
	out, err := s.WriteCall(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, "string", out.RemoteID)
	require.Equal(t, w.Links, out.Linked)
	_, err = s.WriteCall(t.Context(), write("key", out.RemoteID, "y", noon))
	require.NoError(t, err)
	require.NoError(t, s.(connectors.Linker).LinkCall(t.Context(), out.RemoteID, found[0].Ref))
	owners, err := s.(connectors.OwnerLister).Owners(t.Context())
	require.NoError(t, err)
	require.Len(t, owners, 2)
	_, err = s.(connectors.NoteWriter).WriteNote(t.Context(), connectors.RecordWrite{Key: "n", Fields: map[string]any{"Note_Content": "x"}, Links: w.Links})
	require.NoError(t, err)
	_, err = s.(connectors.RecordingUploader).UploadRecording(t.Context(), connectors.RecordingUpload{Key: "r", CallID: out.RemoteID, Name: "a.mp3", Size: 1,
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }})
	require.NoError(t, err)
}

// counted are tokens of which every one is as good as the last.
type counted struct {
	token     string
	refreshed int
}

// Token implements connectors.Tokens.
func (c *counted) Token(context.Context) (string, error) { return c.token, nil }

// Refresh implements connectors.Tokens.
func (c *counted) Refresh(context.Context, string) (string, error) {
	c.refreshed++
	return c.token, nil
}
