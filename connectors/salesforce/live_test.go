package salesforce_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/salesforce"
	"github.com/callsync/callsync/connectors/salesforce/salesforcefake"
)

// TestLive walks through the org that the environment names, best a Developer Edition or a scratch org:
//
//	CALLSYNC_LIVE_SALESFORCE_BASE_URL                    its My Domain address
//	CALLSYNC_LIVE_SALESFORCE_CLIENT_ID, _CLIENT_SECRET   an app with the client credentials flow, or
//	CALLSYNC_LIVE_SALESFORCE_TOKEN                       an access token
//	CALLSYNC_LIVE_SALESFORCE_API_VERSION, _KEY_FIELD     replace version and field
//
// It needs no data, and deletes what it made. If the user may customize the org, the fields are added and stay.
func TestLive(t *testing.T) {
	env := func(name string) string { return os.Getenv("CALLSYNC_LIVE_SALESFORCE_" + name) }
	base := strings.TrimRight(env("BASE_URL"), "/")
	if base == "" {
		t.Skip("CALLSYNC_LIVE_SALESFORCE_BASE_URL names no org")
	}
	set := connectors.Settings{Config: map[string]string{"base_url": base, "api_version": env("API_VERSION"), "key_field": env("KEY_FIELD")}, Secrets: map[string]string{}}
	token := env("TOKEN")
	if token == "" {
		set.Config["client_id"], set.Secrets["client_secret"] = env("CLIENT_ID"), env("CLIENT_SECRET")
		token = clientToken(t, set)
	}
	set.Secrets["access_token"] = token
	walk(t, set)
}

// clientToken gets an access token by the client credentials flow.
func clientToken(t *testing.T, set connectors.Settings) string {
	flow, ok, err := salesforce.New().(connectors.Authorizer).OAuth(set)
	require.NoError(t, err)
	require.True(t, ok)
	resp, err := http.PostForm(flow.TokenURL, url.Values{"grant_type": {string(flow.Grant)}, "client_id": {flow.ClientID}, "client_secret": {flow.ClientSecret}})
	require.NoError(t, err)
	defer resp.Body.Close()
	var answer map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	got, _ := answer["access_token"].(string)
	require.NotEmpty(t, got, "status %d, error %v", resp.StatusCode, answer["error"])
	return got
}

// TestWalk keeps the live test itself alive: it runs against the fake.
func TestWalk(t *testing.T) {
	t.Parallel()
	f := salesforcefake.New(salesforcefake.Options{NoFields: true, MayCustomize: true, SearchLag: 300 * time.Millisecond})
	s := httptest.NewServer(f)
	t.Cleanup(func() {
		s.Close()
		for _, object := range []string{"Task", "Contact", "Lead", "Case", "ContentDocument"} {
			require.Empty(t, f.Records(object), "nothing is left behind")
		}
	})
	set := connectors.Settings{Config: map[string]string{"base_url": s.URL, "client_id": salesforcefake.ClientID}, Secrets: map[string]string{"client_secret": salesforcefake.ClientSecret}}
	set.Secrets["access_token"] = clientToken(t, set)
	walk(t, set)
}

// live is one walk.
type live struct {
	t    *testing.T
	set  connectors.Settings
	made [][2]string
}

func (l *live) made1(object, id string) { l.made = append(l.made, [2]string{object, id}) }

// request asks the API for what the connector does not.
func (l *live) request(method, path string, out any) int {
	r, err := http.NewRequestWithContext(context.WithoutCancel(l.t.Context()), method, l.set.Config["base_url"]+"/services/data/v60.0"+path, nil)
	require.NoError(l.t, err)
	r.Header.Set("Authorization", "Bearer "+l.set.Secrets["access_token"])
	resp, err := http.DefaultClient.Do(r)
	require.NoError(l.t, err)
	defer resp.Body.Close()
	if out != nil {
		require.NoError(l.t, json.NewDecoder(resp.Body).Decode(out))
	}
	return resp.StatusCode
}

// clean deletes what was made, the newest first.
func (l *live) clean() {
	slices.Reverse(l.made)
	for _, m := range l.made {
		if status := l.request(http.MethodDelete, "/sobjects/"+m[0]+"/"+m[1], nil); status != http.StatusNoContent && status != http.StatusNotFound {
			l.t.Errorf("%s %s was not deleted: status %d", m[0], m[1], status)
		}
	}
}

func walk(t *testing.T, set connectors.Settings) {
	session, err := salesforce.New().Open(set)
	require.NoError(t, err)
	l := &live{t: t, set: set}
	t.Cleanup(l.clean)
	ctx := t.Context()
	run := fmt.Sprintf("live-%d", time.Now().UnixNano())

	report, err := session.(connectors.Verifier).Verify(ctx)
	require.NoError(t, err)
	for _, c := range report.Checks {
		t.Logf("%t %s: %s", c.OK, c.Name, c.Text)
	}
	require.Equal(t, connectors.KeyedUpsert, report.Idempotency, "callsync's key is not on Activity")

	// A contact and a lead, each made once.
	creator, follower := session.(connectors.ContactCreator), session.(connectors.ContactFollower)
	suffix := time.Now().Format("0405")
	people := map[string]connectors.Ref{}
	for object, number := range map[string]string{"contact": "+1 (415) 556-" + suffix, "lead": "+1415557" + suffix} {
		w := connectors.ContactWrite{Key: run + object, Object: object, Fields: map[string]any{"FirstName": "Live <b>", "LastName": "Ünïcödé 🎧 " + run, "Phone": number}}
		var ids []string
		for range 2 {
			out, err := creator.CreateContact(ctx, w)
			require.NoError(t, err)
			ids = append(ids, out.RemoteID)
		}
		require.Equal(t, ids[0], ids[1])
		l.made1(names[object], ids[0])
		people[object] = connectors.Ref{Object: object, ID: ids[0]}
		c, ok, err := creator.FindContactByKey(ctx, w.Key)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, people[object], c.Ref)
		now, ok, err := follower.FollowContact(ctx, people[object])
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, people[object], now)
	}

	// The call: once, with its contact, read back as written.
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	w := connectors.CallWrite{Key: run, Links: []connectors.Ref{people["contact"]}, Fields: map[string]any{
		"Subject": "Inbound call from <Live> & test", "Status": "Completed", "ActivityDate": at.UTC().Format(time.DateOnly), salesforce.StartField: at, "CallType": "Inbound",
		"CallDurationInSeconds": int64(205), "CallDisposition": "Live test", "CallObject": run, "Description": "line one\nline <b>two</b> &amp; 漢字 🎧"}}
	out, err := session.WriteCall(ctx, w)
	require.NoError(t, err)
	require.True(t, out.Created)
	l.made1("Task", out.RemoteID)
	again, err := session.WriteCall(ctx, w)
	require.NoError(t, err)
	require.Equal(t, out.RemoteID, again.RemoteID)
	require.False(t, again.Created)
	id, ok, err := session.(connectors.CallFinder).FindCall(ctx, run)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, out.RemoteID, id)
	var fields []string
	for name := range w.Fields {
		fields = append(fields, name)
	}
	got, err := session.(connectors.CallReader).ReadCall(ctx, id, fields)
	require.NoError(t, err)
	for name, v := range w.Fields {
		require.True(t, connectors.SameField(session, "call", name, v, got[name]), "%s was written as %v and reads %v", name, v, got[name])
	}
	_, err = session.WriteCall(ctx, connectors.CallWrite{Key: run, RemoteID: id, Fields: map[string]any{"CallDisposition": "Changed", "Subject": strings.Repeat("long 🎧 ", 60)}})
	require.NoError(t, err)
	linker := session.(connectors.Linker)
	require.NoError(t, linker.LinkCall(ctx, id, people["contact"]))
	bare, err := session.WriteCall(ctx, connectors.CallWrite{Key: run + "-bare", Fields: map[string]any{"Subject": "Call"}})
	require.NoError(t, err)
	l.made1("Task", bare.RemoteID)
	require.NoError(t, linker.LinkCall(ctx, bare.RemoteID, people["lead"]))

	l.batch(ctx, session, run)
	l.files(ctx, session, run, id)
	l.others(ctx, session, run, people)

	// The search knows the new contact after a while.
	matcher := session.(connectors.ContactMatcher)
	q := connectors.PhoneQuery{E164: "+1415556" + suffix, National: "415556" + suffix, Country: "US", Objects: []string{"contact", "lead", "company"}}
	require.Eventually(t, func() bool {
		list, err := matcher.FindContacts(ctx, q)
		return err == nil && slices.ContainsFunc(list, func(c connectors.Contact) bool { return c.Ref == people["contact"] })
	}, 3*time.Minute, 200*time.Millisecond, "the search index has not caught up in three minutes")
	_, err = session.(connectors.DispositionLister).Dispositions(ctx)
	require.NoError(t, err)
	owners, err := session.(connectors.OwnerLister).Owners(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, owners)
}

func (l *live) batch(ctx context.Context, session connectors.Session, run string) {
	var ws []connectors.CallWrite
	for i := range 3 {
		ws = append(ws, connectors.CallWrite{Key: fmt.Sprint(run, "-batch-", i), Fields: map[string]any{"Subject": "Call", "CallType": "Outbound"}})
	}
	ws[1].Fields["OwnerId"] = "005000000000000AAA"
	for range 2 {
		for i, out := range session.(connectors.BatchWriter).WriteCalls(ctx, ws) {
			if i == 1 {
				require.Error(l.t, out.Err, "an owner who is none")
				continue
			}
			require.NoError(l.t, out.Err)
			l.made1("Task", out.Written.RemoteID)
		}
	}
}

func (l *live) files(ctx context.Context, session connectors.Session, run, task string) {
	content := append([]byte("RIFF\x24\x00\x00\x00WAVE"), make([]byte, 64<<10)...)
	u := connectors.RecordingUpload{Key: run, CallID: task, Name: "call.wav", ContentType: "audio/wav", Size: int64(len(content)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
	text := connectors.TranscriptionWrite{Key: run, CallID: task, Text: "Hello, this is a test. 漢字"}
	for range 2 {
		_, err := session.(connectors.RecordingUploader).UploadRecording(ctx, u)
		require.NoError(l.t, err)
		out, err := session.(connectors.TranscriptionWriter).WriteTranscription(ctx, text)
		require.NoError(l.t, err)
		text.RemoteID, text.Text = out.RemoteID, text.Text+" Good bye."
	}
	var links struct {
		Records []struct{ ContentDocumentId string }
	}
	l.request(http.MethodGet, "/query?q="+url.QueryEscape("SELECT ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId = '"+task+"'"), &links)
	require.Len(l.t, links.Records, 2, "a recording and a transcription")
	for _, r := range links.Records {
		l.made1("ContentDocument", r.ContentDocumentId)
	}
}

func (l *live) others(ctx context.Context, session connectors.Session, run string, people map[string]connectors.Ref) {
	for object, write := range map[string]func(context.Context, connectors.RecordWrite) (connectors.Written, error){
		"task": session.(connectors.TaskWriter).WriteTask, "note": session.(connectors.NoteWriter).WriteNote, "message": session.(connectors.MessageLogger).LogMessage,
		"form": session.(connectors.FormWriter).WriteForm, "ticket": session.(connectors.TicketWriter).WriteTicket,
	} {
		w := connectors.RecordWrite{Key: run + "-" + object, Links: []connectors.Ref{people["contact"]}, Fields: map[string]any{"Subject": "Live " + object, "Description": "<b>text</b>"}}
		if object == "form" {
			w.Links = []connectors.Ref{people["lead"]}
		}
		first, err := write(ctx, w)
		require.NoError(l.t, err, object)
		l.made1(names[object], first.RemoteID)
		second, err := write(ctx, w)
		require.NoError(l.t, err, object)
		require.Equal(l.t, first.RemoteID, second.RemoteID)
		if object == "task" {
			require.NoError(l.t, session.(connectors.TaskWriter).CompleteTask(ctx, first.RemoteID))
		}
		found, ok, err := session.(connectors.RecordFinder).FindRecord(ctx, object, w.Key)
		require.NoError(l.t, err)
		require.True(l.t, ok)
		require.Equal(l.t, first.RemoteID, found)
	}
}
