package hubspot_test

import (
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
	"github.com/callsync/callsync/connectors/hubspot"
	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
)

// TestLive runs the connector against a real account, best a developer test account:
//
//	CALLSYNC_LIVE_HUBSPOT_TOKEN=pat-... go test -run Live ./connectors/hubspot
//
// CALLSYNC_LIVE_HUBSPOT_BASE_URL and CALLSYNC_LIVE_HUBSPOT_API_VERSION replace the address and the version of the API.
// It makes one record of each kind that the token's scopes allow, and deletes all of them in the end. What stays are
// callsync's properties.
func TestLive(t *testing.T) {
	token := os.Getenv("CALLSYNC_LIVE_HUBSPOT_TOKEN")
	if token == "" {
		t.Skip("CALLSYNC_LIVE_HUBSPOT_TOKEN names no account")
	}
	base := os.Getenv("CALLSYNC_LIVE_HUBSPOT_BASE_URL")
	if base == "" {
		base = "https://api.hubapi.com"
	}
	walk(t, base, token, os.Getenv("CALLSYNC_LIVE_HUBSPOT_API_VERSION"))
}

// TestWalk keeps the live test itself alive: it runs against the fake.
func TestWalk(t *testing.T) {
	t.Parallel()
	f := hubspotfake.New(hubspotfake.Options{SearchLag: 500 * time.Millisecond, PerTenSeconds: -1, SearchPerSecond: -1})
	s := httptest.NewServer(f)
	t.Cleanup(func() {
		s.Close()
		counts := f.State(false).Counts
		require.Equal(t, []int{0, 0, 0}, []int{counts.Calls, counts.Contacts, counts.Files}, "nothing is left behind")
	})
	walk(t, s.URL, "pat-fake", "")
}

func walk(t *testing.T, base, token, version string) {
	session, err := hubspot.New().Open(connectors.Settings{Secrets: map[string]string{"access_token": token},
		Config: map[string]string{"base_url": base, "api_version": version}})
	require.NoError(t, err)
	l := &live{t: t, session: session, base: strings.TrimRight(base, "/"), token: token, run: fmt.Sprintf("live-%d", time.Now().UnixNano())}
	t.Cleanup(l.clean)

	report, err := session.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	for _, c := range report.Checks {
		t.Logf("%-40s %v %s", c.Name, c.OK, c.Text)
	}
	require.True(t, report.OK())
	require.Equal(t, connectors.KeyedUpsert, report.Idempotency)
	l.schemas()
	contact := l.contacts()
	call := l.calls(contact)
	l.records(contact, call)
	l.media(call)
	l.owners()
}

type live struct {
	t                *testing.T
	session          connectors.Session
	base, token, run string
	made             []string
}

// later deletes a record when the test is over.
func (l *live) later(object, id string) {
	l.made = append(l.made, "/crm/v3/objects/"+object+"/"+id)
}

func (l *live) clean() {
	for _, path := range l.made {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodDelete, l.base+path, nil)
		if err != nil {
			l.t.Error(err)
			continue
		}
		r.Header.Set("Authorization", "Bearer "+l.token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			l.t.Error("a record was left behind: ", path)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode > 299 && resp.StatusCode != http.StatusNotFound {
			l.t.Errorf("a record was left behind: %s: %s", path, resp.Status)
		}
	}
}

// optional tells whether a feature works with the token; one that lacks a scope is logged.
func (l *live) optional(feature string, err error) bool {
	l.t.Helper()
	if e := connectors.AsError(err); err != nil && (e.Class == connectors.Forbidden || e.Class == connectors.Unsupported) {
		l.t.Logf("%s: not with this token: %s", feature, e.Public)
		return false
	}
	require.NoError(l.t, err, feature)
	return true
}

func (l *live) schemas() {
	for _, object := range []string{"call", "contact", "task", "note", "message", "form", "ticket", "company", "deal"} {
		schema, err := l.session.(connectors.SchemaDescriber).Describe(l.t.Context(), object)
		if l.optional("schema of "+object, err) {
			require.NotEmpty(l.t, schema.Fields, object)
		}
	}
	list, err := l.session.(connectors.DispositionLister).Dispositions(l.t.Context())
	require.NoError(l.t, err)
	require.NotEmpty(l.t, list)
}

func (l *live) contacts() connectors.Ref {
	t := l.t
	creator := l.session.(connectors.ContactCreator)
	number := fmt.Sprintf("+1415555%04d", time.Now().UnixNano()%10_000)
	w := connectors.ContactWrite{Key: l.run, Fields: map[string]any{"firstname": "Callsync", "lastname": "Live Test", "phone": number}}
	out, err := creator.CreateContact(t.Context(), w)
	require.NoError(t, err)
	l.later("contacts", out.RemoteID)
	again, err := creator.CreateContact(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, out.RemoteID, again.RemoteID, "one contact")
	c, found, err := creator.FindContactByKey(t.Context(), l.run)
	require.NoError(t, err)
	require.True(t, found)
	now, ok, err := l.session.(connectors.ContactFollower).FollowContact(t.Context(), c.Ref)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, c.Ref, now)
	q := connectors.PhoneQuery{E164: number, National: number[2:], Country: "US"}
	require.Eventually(t, func() bool {
		list, err := l.session.(connectors.ContactMatcher).FindContacts(t.Context(), q)
		if err != nil {
			t.Log(err)
		}
		for _, c := range list {
			if c.ID == out.RemoteID {
				return true
			}
		}
		return false
	}, 2*time.Minute, time.Second, "the search shows the contact when its index has caught up")
	q.Objects = []string{"company"}
	_, err = l.session.(connectors.ContactMatcher).FindContacts(t.Context(), q)
	l.optional("search of companies", err)
	return c.Ref
}

func (l *live) calls(contact connectors.Ref) string {
	t := l.t
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	text := "<strong>Note:</strong> ü 漢字 🎧 &lt;b&gt;"
	w := write(l.run, "", text, at)
	list, err := l.session.(connectors.DispositionLister).Dispositions(t.Context())
	require.NoError(t, err)
	w.Fields["hs_call_disposition"] = list[0].ID
	out, err := l.session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	l.later("calls", out.RemoteID)
	again, err := l.session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, out.RemoteID, again.RemoteID, "one call")
	require.False(t, again.Created)
	id, found, err := l.session.(connectors.CallFinder).FindCall(t.Context(), l.run)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, out.RemoteID, id)
	for range 2 {
		require.NoError(t, l.session.(connectors.Linker).LinkCall(t.Context(), id, contact))
	}
	_, err = l.session.WriteCall(t.Context(), connectors.CallWrite{Key: l.run, RemoteID: id, Fields: map[string]any{"hs_call_duration": int64(205_000), "hs_call_title": "Changed"}})
	require.NoError(t, err)
	read, err := l.session.(connectors.CallReader).ReadCall(t.Context(), id, []string{"hs_timestamp", "hs_call_duration", "hs_call_body", "hs_call_title", "hs_call_disposition"})
	require.NoError(t, err)
	for name, want := range map[string]any{"hs_timestamp": at, "hs_call_duration": int64(205_000), "hs_call_title": "Changed", "hs_call_disposition": list[0].ID} {
		require.True(t, connectors.SameValue(want, read[name]), "%s was written as %v and reads %v", name, want, read[name])
	}
	t.Logf("the text was written as %q and reads %q", text, read["hs_call_body"])
	var ws []connectors.CallWrite
	for i := range 3 {
		ws = append(ws, write(fmt.Sprint(l.run, "-", i), "", "batch", at))
		ws[i].Links = []connectors.Ref{contact}
	}
	bad := write(l.run+"-bad", "", "x", at)
	bad.Fields["hs_call_status"] = "NO_SUCH_STATUS"
	for i, o := range l.session.(connectors.BatchWriter).WriteCalls(t.Context(), append(ws, bad)) {
		if i == len(ws) {
			require.Equal(t, connectors.Invalid, connectors.AsError(o.Err).Class)
			continue
		}
		require.NoError(t, o.Err)
		l.later("calls", o.Written.RemoteID)
		require.Len(t, o.Written.Linked, 1)
	}
	return id
}

func (l *live) records(contact connectors.Ref, call string) {
	t := l.t
	links := []connectors.Ref{contact, {Object: "call", ID: call}}
	for object, kind := range map[string]string{"task": "tasks", "note": "notes", "message": "communications", "form": "notes", "ticket": "tickets"} {
		make := recordWrites()[object]
		var writer func(context.Context, connectors.RecordWrite) (connectors.Written, error)
		switch object {
		case "task":
			writer = l.session.(connectors.TaskWriter).WriteTask
		case "note":
			writer = l.session.(connectors.NoteWriter).WriteNote
		case "message":
			writer = l.session.(connectors.MessageLogger).LogMessage
		case "form":
			writer = l.session.(connectors.FormWriter).WriteForm
		case "ticket":
			writer = l.session.(connectors.TicketWriter).WriteTicket
		}
		key := l.run + "-" + object
		out, err := writer(t.Context(), make(key, "", "by callsync's live test", links))
		if !l.optional(object, err) {
			continue
		}
		l.later(kind, out.RemoteID)
		require.Equal(t, []connectors.Ref{contact}, out.Linked, object)
		again, err := writer(t.Context(), make(key, "", "by callsync's live test", links))
		require.NoError(t, err, object)
		require.Equal(t, out.RemoteID, again.RemoteID, object)
		id, found, err := l.session.(connectors.RecordFinder).FindRecord(t.Context(), object, key)
		require.NoError(t, err, object)
		require.True(t, found, object)
		require.Equal(t, out.RemoteID, id, object)
		if object == "task" {
			for range 2 {
				require.NoError(t, l.session.(connectors.TaskWriter).CompleteTask(t.Context(), id))
			}
		}
	}
	_, err := l.session.(connectors.DealToucher).OpenDeals(t.Context(), contact)
	l.optional("deals", err)
}

func (l *live) media(call string) {
	t := l.t
	content := "RIFF\x24\x08\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\x00\x08\x00\x00" + strings.Repeat("\x80", 2048)
	u := connectors.RecordingUpload{Key: l.run, CallID: call, Name: "call.wav", ContentType: "audio/wav", Size: int64(len(content)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
	up, err := l.session.(connectors.RecordingUploader).UploadRecording(t.Context(), u)
	if l.optional("recording", err) {
		l.made = append(l.made, "/files/v3/files/"+up.RemoteID)
		again, err := l.session.(connectors.RecordingUploader).UploadRecording(t.Context(), u)
		require.NoError(t, err)
		require.Equal(t, up.RemoteID, again.RemoteID, "one file")
	}
	_, err = l.session.(connectors.TranscriptionWriter).WriteTranscription(t.Context(), connectors.TranscriptionWrite{
		CallID: call, Text: "Agent: Hello\nCustomer: Hello", Duration: 205 * time.Second, StartedAt: time.Now(), Agent: "Ann", Customer: "Mary"})
	l.optional("transcription", err)
}

func (l *live) owners() {
	list, err := l.session.(connectors.OwnerLister).Owners(l.t.Context())
	require.NoError(l.t, err)
	for _, o := range list {
		if o.Active && o.Email != "" {
			found, ok, err := l.session.(connectors.OwnerResolver).FindOwner(l.t.Context(), o.Email)
			require.NoError(l.t, err)
			require.True(l.t, ok)
			require.Equal(l.t, o.ID, found.ID)
			return
		}
	}
}
