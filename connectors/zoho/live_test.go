package zoho_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/zoho"
	"github.com/callsync/callsync/connectors/zoho/zohofake"
)

// TestLive runs the connector against a real account, best a developer edition or a sandbox:
//
//	CALLSYNC_LIVE_ZOHO_TOKEN=1000.... CALLSYNC_LIVE_ZOHO_BASE_URL=https://www.zohoapis.eu go test -run Live ./connectors/zoho
//
// The token is an access token with the scopes of docs/crms/zoho.md and ZohoCRM.modules.ALL, by which the test deletes what
// it made. What stays are callsync's fields.
func TestLive(t *testing.T) {
	token := os.Getenv("CALLSYNC_LIVE_ZOHO_TOKEN")
	if token == "" {
		t.Skip("CALLSYNC_LIVE_ZOHO_TOKEN names no account")
	}
	base := os.Getenv("CALLSYNC_LIVE_ZOHO_BASE_URL")
	if base == "" {
		base = "https://www.zohoapis.com"
	}
	walk(t, base, token, time.Minute)
}

// TestWalk keeps the live test itself alive: it runs against the fake.
func TestWalk(t *testing.T) {
	t.Parallel()
	f := zohofake.New(zohofake.Options{SearchLag: 500 * time.Millisecond, Concurrency: 5})
	walkFake(t, f, f)
}

func walkFake(t *testing.T, f *zohofake.Fake, h http.Handler) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.Close()
		for _, module := range []string{"Calls", "Contacts", "Leads", "Tasks", "Notes", "Cases"} {
			require.Empty(t, f.All(module), "nothing is left behind in %s", module)
		}
	})
	walk(t, s.URL, token, 10*time.Second)
}

type live struct {
	t           *testing.T
	session     connectors.Session
	base, token string
	// run tells the records of one run apart; patience is how long the search may lag.
	run      string
	patience time.Duration
	made     []string
}

func walk(t *testing.T, base, token string, patience time.Duration) {
	session, err := zoho.New().Open(connectors.Settings{Secrets: map[string]string{"access_token": token}, Config: map[string]string{"base_url": base}})
	require.NoError(t, err)
	l := &live{t: t, session: session, base: strings.TrimRight(base, "/"), token: token, run: fmt.Sprintf("live-%d", time.Now().UnixNano()), patience: patience}
	t.Cleanup(l.clean)
	report, err := session.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	for _, c := range report.Checks {
		t.Logf("%-40s %v %s", c.Name, c.OK, c.Text)
	}
	require.Equal(t, connectors.KeyedUpsert, report.Idempotency)
	for _, object := range []string{"call", "contact", "lead", "task", "note", "ticket", "deal"} {
		schema, err := session.(connectors.SchemaDescriber).Describe(t.Context(), object)
		if l.optional(object, err) {
			require.NotEmpty(t, schema.Fields)
		}
	}
	contact := l.contacts()
	call := l.calls(contact)
	l.records(contact, call)
	l.media(call)
	owners, err := session.(connectors.OwnerLister).Owners(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, owners)
	o, ok, err := session.(connectors.OwnerResolver).FindOwner(t.Context(), strings.ToUpper(owners[0].Email))
	require.NoError(t, err)
	require.Equal(t, owners[0].Active, ok && o.ID == owners[0].ID)
	outcomes, err := session.(connectors.DispositionLister).Dispositions(t.Context())
	require.NoError(t, err)
	t.Log(len(outcomes), "call results")
}

// later deletes a record when the test is over.
func (l *live) later(module, id string) { l.made = append(l.made, "/crm/v8/"+module+"/"+id) }

func (l *live) clean() {
	for _, path := range l.made {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodDelete, l.base+path, nil)
		if err != nil {
			l.t.Error(err)
			continue
		}
		r.Header.Set("Authorization", "Zoho-oauthtoken "+l.token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			l.t.Error("a record was left behind: ", path)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode > 299 {
			l.t.Errorf("a record was left behind: %s: %s", path, resp.Status)
		}
	}
}

// optional tells whether a feature is there for this user; one that is not is logged.
func (l *live) optional(feature string, err error) bool {
	l.t.Helper()
	if e := connectors.AsError(err); err != nil && (e.Class == connectors.Forbidden || e.Class == connectors.Unsupported) {
		l.t.Logf("%s: not with this user: %s", feature, e.Public)
		return false
	}
	require.NoError(l.t, err, feature)
	return true
}

// contacts makes a contact and a lead, each once, and finds the contact by its number.
func (l *live) contacts() connectors.Ref {
	creator := l.session.(connectors.ContactCreator)
	number := fmt.Sprintf("+1415555%04d", time.Now().UnixNano()%10000)
	var contact connectors.Ref
	for _, object := range []string{"lead", "contact"} {
		w := connectors.ContactWrite{Key: l.run + object, Object: object, Fields: map[string]any{"Last_Name": "callsync " + l.run, "Phone": number}}
		if object == "lead" {
			w.Fields["Company"] = "callsync"
		}
		out, err := creator.CreateContact(l.t.Context(), w)
		require.NoError(l.t, err)
		l.later(names[object], out.RemoteID)
		again, err := creator.CreateContact(l.t.Context(), w)
		require.NoError(l.t, err)
		require.Equal(l.t, out.RemoteID, again.RemoteID)
		require.False(l.t, again.Created)
		contact = connectors.Ref{Object: object, ID: out.RemoteID}
	}
	require.Eventually(l.t, func() bool {
		found, err := l.session.(connectors.ContactMatcher).FindContacts(l.t.Context(), connectors.PhoneQuery{E164: number, National: number[2:], Country: "US", Objects: []string{"contact", "lead", "company"}})
		require.NoError(l.t, err)
		n := 0
		for _, c := range found {
			if strings.Contains(c.Name, l.run) {
				n++
			}
		}
		return n == 2
	}, l.patience, l.patience/40, "the search does not find the number")
	now, ok, err := l.session.(connectors.ContactFollower).FollowContact(l.t.Context(), contact)
	require.NoError(l.t, err)
	require.True(l.t, ok)
	require.Equal(l.t, contact, now)
	return contact
}

// calls writes a call twice, reads it back, changes it and ties it.
func (l *live) calls(contact connectors.Ref) string {
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	fields := map[string]any{"Subject": "callsync " + l.run, "Call_Type": "Inbound", "Call_Start_Time": at, "Call_Duration": int64(205),
		"Description": "Ünïcödé 漢字 <b>&amp; \"quotes\"\nsecond line", "Caller_ID": "+14155550188"}
	w := connectors.CallWrite{Key: l.run, Fields: fields, Links: []connectors.Ref{contact}}
	out, err := l.session.WriteCall(l.t.Context(), w)
	require.NoError(l.t, err)
	l.later("Calls", out.RemoteID)
	require.Equal(l.t, w.Links, out.Linked)
	again, err := l.session.WriteCall(l.t.Context(), w)
	require.NoError(l.t, err)
	require.Equal(l.t, out.RemoteID, again.RemoteID, "the key is not unique there")
	got, err := l.session.(connectors.CallReader).ReadCall(l.t.Context(), out.RemoteID, []string{"Subject", "Call_Type", "Call_Start_Time", "Call_Duration", "Description"})
	require.NoError(l.t, err)
	for name, v := range got {
		require.True(l.t, connectors.SameField(l.session, "call", name, fields[name], v), "%s was written as %v and reads %v", name, fields[name], v)
	}
	require.NoError(l.t, l.session.(connectors.Linker).LinkCall(l.t.Context(), out.RemoteID, contact))
	_, err = l.session.WriteCall(l.t.Context(), connectors.CallWrite{Key: l.run, RemoteID: out.RemoteID, Fields: map[string]any{"Description": "changed"}})
	require.NoError(l.t, err)
	missed := connectors.CallWrite{Key: l.run + "-missed", Fields: map[string]any{"Subject": "callsync " + l.run, "Call_Type": "Missed", "Call_Start_Time": at, "Call_Duration": int64(0)}}
	for i, o := range l.session.(connectors.BatchWriter).WriteCalls(l.t.Context(), []connectors.CallWrite{missed, {Key: l.run, RemoteID: out.RemoteID, Fields: map[string]any{"Description": "batch"}}}) {
		require.NoError(l.t, o.Err)
		if i == 0 {
			l.later("Calls", o.Written.RemoteID)
		}
	}
	require.Eventually(l.t, func() bool {
		id, ok, err := l.session.(connectors.CallFinder).FindCall(l.t.Context(), l.run)
		require.NoError(l.t, err)
		return ok && id == out.RemoteID
	}, l.patience, l.patience/40, "the search does not find the key")
	return out.RemoteID
}

// records writes a task, closes it, and writes a note, a message and a case.
func (l *live) records(contact connectors.Ref, call string) {
	links := []connectors.Ref{contact, {Object: "call", ID: call}}
	tasks := l.session.(connectors.TaskWriter)
	w := connectors.RecordWrite{Key: l.run + "-task", Fields: map[string]any{"Subject": "callsync " + l.run, "Due_Date": "2030-01-02", "Description": "x"}, Links: links}
	out, err := tasks.WriteTask(l.t.Context(), w)
	if l.optional("tasks", err) {
		l.later("Tasks", out.RemoteID)
		again, err := tasks.WriteTask(l.t.Context(), w)
		require.NoError(l.t, err)
		require.Equal(l.t, out.RemoteID, again.RemoteID)
		require.NoError(l.t, tasks.CompleteTask(l.t.Context(), out.RemoteID))
	}
	out, err = l.session.(connectors.MessageLogger).LogMessage(l.t.Context(), connectors.RecordWrite{Key: l.run + "-sms", Fields: map[string]any{"Description": "hello"}, Links: links})
	if l.optional("messages", err) {
		l.later("Tasks", out.RemoteID)
	}
	out, err = l.session.(connectors.TicketWriter).WriteTicket(l.t.Context(), connectors.RecordWrite{Key: l.run + "-case", Fields: map[string]any{"Subject": "callsync " + l.run}, Links: links})
	if l.optional("cases", err) {
		l.later("Cases", out.RemoteID)
	}
	note := connectors.RecordWrite{Key: l.run + "-note", Fields: map[string]any{"Note_Title": "callsync", "Note_Content": "hello"}, Links: links}
	out, err = l.session.(connectors.NoteWriter).WriteNote(l.t.Context(), note)
	if l.optional("notes", err) {
		l.later("Notes", out.RemoteID)
		again, err := l.session.(connectors.NoteWriter).WriteNote(l.t.Context(), note)
		require.NoError(l.t, err)
		require.Equal(l.t, out.RemoteID, again.RemoteID, "the list of notes lags")
	}
	deals, err := l.session.(connectors.DealToucher).OpenDeals(l.t.Context(), contact)
	if l.optional("deals", err) {
		require.Empty(l.t, deals)
	}
}

// media uploads a short recording twice, and writes a transcription.
func (l *live) media(call string) {
	content := append([]byte("RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data"), make([]byte, 800)...)
	u := connectors.RecordingUpload{Key: l.run, CallID: call, Name: "call.wav", ContentType: "audio/wav", Size: int64(len(content)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
	uploader := l.session.(connectors.RecordingUploader)
	first, err := uploader.UploadRecording(l.t.Context(), u)
	if l.optional("recordings", err) {
		again, err := uploader.UploadRecording(l.t.Context(), u)
		require.NoError(l.t, err)
		require.Equal(l.t, first.RemoteID, again.RemoteID)
	}
	out, err := l.session.(connectors.TranscriptionWriter).WriteTranscription(l.t.Context(), connectors.TranscriptionWrite{Key: l.run, CallID: call, Text: "Hello.", Duration: 205 * time.Second, Customer: "Ada", Agent: "Grace"})
	if l.optional("transcriptions", err) {
		l.later("Notes", out.RemoteID)
	}
}
