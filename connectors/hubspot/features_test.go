package hubspot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
)

// counted serves an account and counts its requests by method and path.
func counted(t *testing.T, f http.Handler) (connectors.Session, func() []string) {
	var mu sync.Mutex
	var list []string
	session := connect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		list = append(list, r.Method+" "+r.URL.Path)
		mu.Unlock()
		f.ServeHTTP(w, r)
	}))
	return session, func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := list
		list = nil
		return out
	}
}

func TestBatchOfAHundredTakesTwoRequests(t *testing.T) {
	t.Parallel()
	f, _ := ready(t, hubspotfake.Options{})
	session, requests := counted(t, f)
	id, err := f.AddContact(map[string]string{"phone": "+14155550199"})
	require.NoError(t, err)
	var ws []connectors.CallWrite
	for i := range 100 {
		w := write(fmt.Sprint("k", i), "", "x", noon)
		w.Links = []connectors.Ref{{Object: "contact", ID: id}, {Object: "planet", ID: "1"}}
		ws = append(ws, w)
	}
	for _, o := range session.(connectors.BatchWriter).WriteCalls(t.Context(), ws) {
		require.NoError(t, o.Err)
		require.Equal(t, []connectors.Ref{{Object: "contact", ID: id}}, o.Written.Linked)
	}
	require.Equal(t, []string{"POST /crm/v3/objects/calls/batch/upsert", "POST /crm/v4/associations/calls/contacts/batch/associate/default"}, requests())

	// One bad item among a hundred costs the halves that it is in, not a hundred requests.
	ws[37].Fields = map[string]any{"hs_timestamp": noon, "hs_call_status": "NONSENSE"}
	for i, o := range session.(connectors.BatchWriter).WriteCalls(t.Context(), ws) {
		if i == 37 {
			require.Equal(t, "hs_call_status", connectors.AsError(o.Err).Field)
			continue
		}
		require.NoError(t, o.Err)
	}
	require.Less(t, len(requests()), 20)
	require.Equal(t, 100, f.State(false).Counts.Calls)
}

func TestBatchWithAnswersThatLackItems(t *testing.T) {
	t.Parallel()
	f, _ := ready(t, hubspotfake.Options{})
	session := connect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		f.ServeHTTP(rec, r)
		var answer map[string]any
		if results, ok := answer["results"]; !ok && strings.HasSuffix(r.URL.Path, "/batch/upsert") && json.Unmarshal(rec.Body.Bytes(), &answer) == nil {
			// The vendor's answer to several says nothing of one of them, and hides the key of another.
			if list, _ := answer["results"].([]any); len(list) > 1 {
				delete(list[1].(map[string]any)["properties"].(map[string]any), hubspot.CallKey)
				answer["results"] = list[1:]
			}
			_ = results
			w.WriteHeader(rec.Code)
			_ = json.NewEncoder(w).Encode(answer)
			return
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	}))
	ws := []connectors.CallWrite{write("a", "", "x", noon), write("b", "", "x", noon), write("c", "", "x", noon)}
	ids := map[string]bool{}
	for _, o := range session.(connectors.BatchWriter).WriteCalls(t.Context(), ws) {
		require.NoError(t, o.Err)
		ids[o.Written.RemoteID] = true
	}
	require.Len(t, ids, 3)
	require.Equal(t, 3, f.State(false).Counts.Calls)
}

// TestKeysComeBack deletes callsync's property of tasks, as a person may, or as in an account that was connected before
// callsync wrote tasks.
func TestKeysComeBack(t *testing.T) {
	t.Parallel()
	f := account(hubspotfake.Options{})
	session, requests := counted(t, f)
	out, err := session.(connectors.TaskWriter).WriteTask(t.Context(), connectors.RecordWrite{Key: "k", Fields: map[string]any{"hs_task_subject": "x"}})
	require.NoError(t, err)
	require.True(t, out.Created)
	require.Len(t, requests(), 6, "upsert, property, group, property, property, upsert")
	require.Len(t, f.RecordsByKey("tasks", "k"), 1)
	require.NotEmpty(t, f.RecordsByKey("tasks", "k")[0].Properties["hs_timestamp"], "HubSpot wants a time")
	require.Equal(t, "NOT_STARTED", f.RecordsByKey("tasks", "k")[0].Properties["hs_task_status"])
	_, found, err := session.(connectors.RecordFinder).FindRecord(t.Context(), "note", "k")
	require.NoError(t, err)
	require.False(t, found)
	_, _, err = session.(connectors.RecordFinder).FindRecord(t.Context(), "deal", "k")
	require.Equal(t, connectors.Unsupported, connectors.AsError(err).Class)
	_, err = session.(connectors.TaskWriter).WriteTask(t.Context(), connectors.RecordWrite{Key: "k2", Fields: map[string]any{"hs_task_subject": "x", "nope": "1"}})
	require.Equal(t, "nope", connectors.AsError(err).Field)
}

func TestRecordsWithoutTheirContact(t *testing.T) {
	t.Parallel()
	f, session := ready(t, hubspotfake.Options{})
	id, err := f.AddContact(map[string]string{"phone": "+14155550199"})
	require.NoError(t, err)
	gone, err := f.AddContact(map[string]string{"phone": "+14155550199"})
	require.NoError(t, err)
	f.Archive("contacts", gone)
	out, err := session.(connectors.NoteWriter).WriteNote(t.Context(), connectors.RecordWrite{Key: "k", Fields: map[string]any{"hs_note_body": "x"},
		Links: []connectors.Ref{{Object: "contact", ID: gone}, {Object: "call", ID: "1"}, {Object: "contact", ID: id}}})
	require.NoError(t, err, "the note is there")
	require.Equal(t, []connectors.Ref{{Object: "contact", ID: id}}, out.Linked)
	require.Len(t, out.Warnings, 1)
	require.Contains(t, out.Warnings[0].Text, "gone")

	f.Unlink("notes", out.RemoteID, "contacts")
	_, err = session.(connectors.NoteWriter).WriteNote(t.Context(), connectors.RecordWrite{Key: "k", RemoteID: out.RemoteID, Fields: map[string]any{"hs_note_body": "y"},
		Links: []connectors.Ref{{Object: "contact", ID: id}}})
	require.NoError(t, err)
	require.Empty(t, f.Linked("notes", out.RemoteID, "contacts"), "an update leaves the note where a person has put it")

	f.SetFaults(hubspotfake.Faults{Script: []hubspotfake.Fault{"", hubspotfake.FaultUnavailable}})
	_, err = session.(connectors.NoteWriter).WriteNote(t.Context(), connectors.RecordWrite{Key: "k2", Fields: map[string]any{"hs_note_body": "x"}, Links: []connectors.Ref{{Object: "contact", ID: id}}})
	e := connectors.AsError(err)
	require.Equal(t, connectors.Unavailable, e.Class)
	require.True(t, e.Made && e.RemoteID != "", "the note was made, its link was not")
}

func TestTicketsKeepToTheirPipeline(t *testing.T) {
	t.Parallel()
	f, session := ready(t, hubspotfake.Options{})
	w := connectors.RecordWrite{Key: "k", Fields: map[string]any{"subject": "x"}}
	_, err := session.(connectors.TicketWriter).WriteTicket(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, "1", f.RecordsByKey("tickets", "k")[0].Properties["hs_pipeline_stage"])
	w = connectors.RecordWrite{Key: "k2", Fields: map[string]any{"subject": "x", "hs_pipeline": "0"}}
	_, err = session.(connectors.TicketWriter).WriteTicket(t.Context(), w)
	require.Equal(t, "hs_pipeline_stage", connectors.AsError(err).Field, "a pipeline without its stage is the mapping's fault")
}

func TestCompaniesWithoutSearchableNumbers(t *testing.T) {
	t.Parallel()
	f := account(hubspotfake.Options{})
	id, err := f.Add("companies", map[string]string{"name": "Acme", "phone": "+14155550123"})
	require.NoError(t, err)
	session, requests := counted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte("hs_searchable_calculated_phone_number")) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"status":"error","message":"There was a problem with the request.","category":"VALIDATION_ERROR"}`)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		f.ServeHTTP(w, r)
	}))
	q := connectors.PhoneQuery{E164: "+14155550123", National: "4155550123", Objects: []string{"company"}}
	for _, want := range []int{2, 1} {
		found, err := session.(connectors.ContactMatcher).FindContacts(t.Context(), q)
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, connectors.Ref{Object: "company", ID: id}, found[0].Ref)
		require.Len(t, requests(), want, "what the account has not is remembered")
	}
}

func TestSearchesAreChargedAsSearches(t *testing.T) {
	t.Parallel()
	f, _ := ready(t, hubspotfake.Options{})
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	classes := map[string]string{}
	set := settings(s.URL)
	set.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		class, _ := connectors.RateOf(r.Context())
		classes[r.Method+" "+r.URL.Path] = class
		return http.DefaultTransport.RoundTrip(r)
	})
	session, err := hubspot.New().Open(set)
	require.NoError(t, err)
	_, err = session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550199", National: "4155550199", Objects: []string{"contact", "company"}})
	require.NoError(t, err)
	out, err := session.WriteCall(t.Context(), write("k", "", "x", noon))
	require.NoError(t, err)
	_, err = session.(connectors.RecordingUploader).UploadRecording(t.Context(), upload(out.RemoteID, "sound"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"POST /crm/v3/objects/contacts/search":        "search",
		"POST /crm/v3/objects/companies/search":       "search",
		"POST /crm/v3/objects/calls/batch/upsert":     "",
		"GET /crm/v3/objects/calls/" + out.RemoteID:   "",
		"PATCH /crm/v3/objects/calls/" + out.RemoteID: "",
		"GET /files/v3/files/search":                  "",
		"POST /files/v3/files":                        "upload",
	}, classes)
}

func upload(callID, content string) connectors.RecordingUpload {
	return connectors.RecordingUpload{Key: "rec/../1", CallID: callID, Name: "call.MP3", ContentType: "audio/mpeg", Size: int64(len(content)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

func TestRecordingsArePrivateAndKeepOtherAttachments(t *testing.T) {
	t.Parallel()
	f, session := ready(t, hubspotfake.Options{})
	out, err := session.WriteCall(t.Context(), write("k", "", "x", noon))
	require.NoError(t, err)
	require.NoError(t, f.Edit("calls", out.RemoteID, map[string]string{"hs_attachment_ids": "77"}))
	up, err := session.(connectors.RecordingUploader).UploadRecording(t.Context(), upload(out.RemoteID, "sound"))
	require.NoError(t, err)
	require.True(t, up.Created)
	file := f.Files()[0]
	require.Equal(t, "callsync-rec1", file.Name)
	require.Equal(t, "mp3", file.Extension)
	require.Equal(t, "PRIVATE", file.Access)
	c, _ := f.CallByKey("k")
	require.Equal(t, "77;"+file.ID, c.Properties["hs_attachment_ids"], "what a person attached stays")

	short := upload(out.RemoteID, "sound")
	short.Key, short.Size = "rec-2", 100
	_, err = session.(connectors.RecordingUploader).UploadRecording(t.Context(), short)
	require.Error(t, err, "a stream that ends too early")
	require.Len(t, f.Files(), 1)
	failing := upload(out.RemoteID, "sound")
	failing.Key = "rec-3"
	failing.Open = func(context.Context) (io.ReadCloser, error) {
		return nil, &connectors.Error{Class: connectors.NotFound, Public: "The recording is gone."}
	}
	_, err = session.(connectors.RecordingUploader).UploadRecording(t.Context(), failing)
	require.Equal(t, connectors.NotFound, connectors.AsError(err).Class)
	require.True(t, connectors.AsError(err).NotSent)
}

func TestTranscriptsNeedOAuth(t *testing.T) {
	t.Parallel()
	f, _ := ready(t, hubspotfake.Options{})
	denied := account(hubspotfake.Options{Tokens: map[string][]string{token: {hubspotfake.ScopeContactsRead, hubspotfake.ScopeContactsWrite, hubspotfake.ScopeSchemasRead, hubspotfake.ScopeSchemasWrite}}})
	session := connect(t, denied)
	out, err := session.WriteCall(t.Context(), write("k", "", "x", noon))
	require.NoError(t, err)
	w := connectors.TranscriptionWrite{CallID: out.RemoteID, Text: "Agent: Hello\nMary: Hi: there\n\nnobody", Duration: 10 * time.Second, Customer: "Mary", Agent: "Ann"}
	_, err = session.(connectors.TranscriptionWriter).WriteTranscription(t.Context(), w)
	require.Equal(t, connectors.Unsupported, connectors.AsError(err).Class, "the mapping has the text: nobody has to act")

	session = connect(t, f)
	out, err = session.WriteCall(t.Context(), write("k", "", "x", noon))
	require.NoError(t, err)
	w.CallID = out.RemoteID
	first, err := session.(connectors.TranscriptionWriter).WriteTranscription(t.Context(), w)
	require.NoError(t, err)
	require.NotEmpty(t, first.RemoteID)
	lines := f.TranscriptsOf(out.RemoteID)[0].Utterances
	require.Len(t, lines, 3)
	require.Equal(t, "Ann", lines[0].Speaker.Name)
	require.Equal(t, "Hi: there", lines[1].Text)
	require.Equal(t, "Mary", lines[1].Speaker.Name)
	require.Equal(t, "Speaker", lines[2].Speaker.Name)
	require.EqualValues(t, 0, *lines[0].StartTimeMillis)
	require.EqualValues(t, 10_000, *lines[2].EndTimeMillis)
	again, err := session.(connectors.TranscriptionWriter).WriteTranscription(t.Context(), w)
	require.NoError(t, err)
	require.NotEmpty(t, again.Warnings, "after an answer that was lost there is no second one")
	require.Len(t, f.TranscriptsOf(out.RemoteID), 1)
	w.Text = " \n"
	_, err = session.(connectors.TranscriptionWriter).WriteTranscription(t.Context(), w)
	require.Equal(t, connectors.Invalid, connectors.AsError(err).Class)
}

func TestDealsOfACompanyNewestFirst(t *testing.T) {
	t.Parallel()
	now := noon
	f, session := ready(t, hubspotfake.Options{Now: func() time.Time { now = now.Add(time.Second); return now }})
	company, err := f.Add("companies", map[string]string{"name": "Acme"})
	require.NoError(t, err)
	var newest string
	for i := range 130 {
		id, err := f.Add("0-3", map[string]string{"dealname": fmt.Sprint(i), "dealstage": "qualifiedtobuy"})
		require.NoError(t, err)
		f.Link(hubspotfake.Link{FromObject: "0-3", FromID: id, ToObject: "companies", ToID: company})
		newest = id
	}
	list, err := session.(connectors.DealToucher).OpenDeals(t.Context(), connectors.Ref{Object: "company", ID: company})
	require.NoError(t, err)
	require.Len(t, list, 100)
	require.Equal(t, newest, list[0].ID)
	require.Equal(t, "129", list[0].Name)
	_, err = session.(connectors.DealToucher).OpenDeals(t.Context(), connectors.Ref{Object: "ticket", ID: "1"})
	require.Equal(t, connectors.Unsupported, connectors.AsError(err).Class)
}

// TestOAuth walks through the flow as a browser and the product would.
func TestOAuth(t *testing.T) {
	t.Parallel()
	f := account(hubspotfake.Options{})
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	set := connectors.Settings{Config: map[string]string{"base_url": s.URL + "/", "client_id": "fake-client"}, Secrets: map[string]string{}}
	a := hubspot.New().(connectors.Authorizer)
	_, _, err := a.OAuth(set)
	require.Equal(t, "client_secret", connectors.AsError(err).Field)
	set.Secrets["client_secret"] = "fake-secret"
	flow, ok, err := a.OAuth(set)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, s.URL+"/oauth/v3/token", flow.TokenURL)
	q := url.Values{"client_id": {flow.ClientID}, "scope": {strings.Join(flow.Scopes, " ")}, "redirect_uri": {"https://sync.example/oauth/callback"}, "state": {"s1"}, "yes": {"1"}}
	for k, v := range flow.AuthParams {
		q.Set(k, v)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(flow.AuthURL + "?" + q.Encode())
	require.NoError(t, err)
	resp.Body.Close()
	back, err := resp.Location()
	require.NoError(t, err)
	require.Equal(t, "s1", back.Query().Get("state"))
	post := func(v url.Values) (int, map[string]any) {
		v.Set("client_id", flow.ClientID)
		v.Set("client_secret", flow.ClientSecret)
		resp, err := http.PostForm(flow.TokenURL, v)
		require.NoError(t, err)
		defer resp.Body.Close()
		var out map[string]any
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&out))
		return resp.StatusCode, out
	}
	code, answer := post(url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {"https://sync.example/oauth/callback"}})
	require.Equal(t, 200, code)
	require.Equal(t, map[string]string{"portal_id": "4242"}, flow.Learn(answer))
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {answer["refresh_token"].(string)}}
	code, fresh := post(refresh)
	require.Equal(t, 200, code)
	set.Tokens = fixed(fresh["access_token"].(string))
	session, err := hubspot.New().Open(set)
	require.NoError(t, err)
	report, err := session.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), "%+v", report)
	f.RevokeApp()
	code, _ = post(refresh)
	require.Equal(t, 400, code)

	_, ok, err = a.OAuth(settings(s.URL))
	require.NoError(t, err)
	require.False(t, ok, "a static token")
	set.Config["api_version"] = "v9"
	_, _, err = a.OAuth(set)
	require.Equal(t, "api_version", connectors.AsError(err).Field)
	delete(set.Config, "base_url")
	set.Config["api_version"], set.Config["optional_scopes"] = "2026-03", " tickets "
	flow, _, err = a.OAuth(set)
	require.NoError(t, err)
	require.Equal(t, "https://app.hubspot.com/oauth/authorize", flow.AuthURL)
	require.Equal(t, "https://api.hubapi.com/oauth/2026-03/token", flow.TokenURL)
	require.Equal(t, "tickets", flow.AuthParams["optional_scope"])
}

type fixed string

func (f fixed) Token(context.Context) (string, error)           { return string(f), nil }
func (f fixed) Refresh(context.Context, string) (string, error) { return string(f), nil }

func TestVerifyNamesWhatIsNotGranted(t *testing.T) {
	t.Parallel()
	f := account(hubspotfake.Options{Tokens: map[string][]string{token: {hubspotfake.ScopeContactsRead, hubspotfake.ScopeContactsWrite, hubspotfake.ScopeOwnersRead, hubspotfake.ScopeSchemasRead, hubspotfake.ScopeSchemasWrite}}})
	report, err := connect(t, f).(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), "calls need no more")
	texts := map[string]string{}
	for _, c := range report.Checks {
		texts[c.Name] = c.Text
	}
	require.Contains(t, texts["Companies"], "crm.objects.companies.read")
	require.Contains(t, texts["Deals"], "crm.objects.deals.read")
	require.Contains(t, texts["Tickets"], "scope tickets")
	require.Contains(t, texts["Recordings"], "scope files")
	require.Contains(t, texts["Tasks"], "each once")
}

func TestAnUploadWhoseAnswerWasLostLeavesOneFile(t *testing.T) {
	t.Parallel()
	// Each of the two guards holds by itself: the look-up by name, and HubSpot giving the file that it has.
	for _, searchLags := range []bool{false, true} {
		f, _ := ready(t, hubspotfake.Options{})
		drop := true
		session := connect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPost && r.URL.Path == "/files/v3/files":
				body, _ := io.ReadAll(r.Body)
				if !searchLags {
					body = bytes.ReplaceAll(body, []byte("RETURN_EXISTING"), []byte("NONE"))
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				if !drop {
					f.ServeHTTP(w, r)
					return
				}
				drop = false
				f.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			case strings.HasSuffix(r.URL.Path, "/files/search") && searchLags:
				fmt.Fprint(w, `{"results":[]}`)
			default:
				f.ServeHTTP(w, r)
			}
		}))
		out, err := session.WriteCall(t.Context(), write("k", "", "x", noon))
		require.NoError(t, err)
		uploader := session.(connectors.RecordingUploader)
		_, err = uploader.UploadRecording(t.Context(), upload(out.RemoteID, "sound"))
		require.Equal(t, connectors.UnknownOutcome, connectors.AsError(err).Class)
		_, err = uploader.UploadRecording(t.Context(), upload(out.RemoteID, "sound"))
		require.NoError(t, err)
		require.Len(t, f.Files(), 1)
		require.Len(t, f.FilesOf("calls", out.RemoteID), 1)
	}
}
