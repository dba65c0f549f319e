package espocrm_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/espocrm"
)

// live is a session on the EspoCRM that the environment names:
//
//	CALLSYNC_LIVE_ESPOCRM_BASE_URL                its address
//	CALLSYNC_LIVE_ESPOCRM_API_KEY, _SECRET_KEY    an API user (with a secret key: HMAC)
//	CALLSYNC_LIVE_ESPOCRM_USERNAME, _PASSWORD     an administrator; with it the fields are added. Without an API user it
//	                                              is also the one who writes
//
// It needs no data, and takes away what it made.
func live(t *testing.T) (session connectors.Session, remove func(entity, id string)) {
	env := func(name string) string { return os.Getenv("CALLSYNC_LIVE_ESPOCRM_" + name) }
	if env("BASE_URL") == "" {
		t.Skip("CALLSYNC_LIVE_ESPOCRM_BASE_URL is not set")
	}
	open := func(key, secret, user, password string) connectors.Session {
		s, err := espocrm.New().Open(connectors.Settings{
			Config:  map[string]string{"base_url": env("BASE_URL"), "username": user},
			Secrets: map[string]string{"api_key": key, "secret_key": secret, "password": password},
		})
		require.NoError(t, err)
		return s
	}
	authorize := func(r *http.Request) { r.SetBasicAuth(env("USERNAME"), env("PASSWORD")) }
	if env("USERNAME") != "" {
		session = open("", "", env("USERNAME"), env("PASSWORD"))
		report, err := session.(connectors.Verifier).Verify(t.Context())
		require.NoError(t, err)
		require.True(t, report.OK(), "%+v", report)
	}
	if env("API_KEY") != "" {
		session = open(env("API_KEY"), env("SECRET_KEY"), "", "")
		if env("USERNAME") == "" {
			authorize = func(r *http.Request) { r.Header.Set("X-Api-Key", env("API_KEY")) }
		}
	}
	require.NotNil(t, session, "no credentials")
	return session, func(entity, id string) {
		t.Cleanup(func() {
			r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodDelete, strings.TrimRight(env("BASE_URL"), "/")+"/api/v1/"+entity+"/"+id, nil)
			require.NoError(t, err)
			authorize(r)
			if resp, err := http.DefaultClient.Do(r); err == nil {
				resp.Body.Close()
			}
		})
	}
}

func TestLive(t *testing.T) {
	session, remove := live(t)
	ctx := t.Context()
	report, err := session.(connectors.Verifier).Verify(ctx)
	require.NoError(t, err)
	for _, c := range report.Checks {
		t.Logf("%t %s: %s", c.OK, c.Name, c.Text)
	}
	require.Equal(t, connectors.LookupThenWrite, report.Idempotency, "callsync's key is not on calls")

	// A contact and a lead, made once.
	creator, matcher := session.(connectors.ContactCreator), session.(connectors.ContactMatcher)
	suffix := time.Now().Format("0405")
	people := map[string]connectors.Ref{}
	for object, number := range map[string]string{connectors.ObjectContact: "+1415556" + suffix, connectors.ObjectLead: "+1415557" + suffix} {
		key := uuid.NewString()
		out, err := creator.CreateContact(ctx, connectors.ContactWrite{Key: key, Object: object, Fields: map[string]any{
			"firstName": "Live <b>", "lastName": "Ünïcödé 🎧 " + key, "phoneNumber": number, "emailAddress": key + "@example.com"}})
		require.NoError(t, err)
		remove(map[string]string{connectors.ObjectContact: "Contact", connectors.ObjectLead: "Lead"}[object], out.RemoteID)
		require.Len(t, out.Warnings, 1, "the characters that EspoCRM does not take in a name")
		people[object] = connectors.Ref{Object: object, ID: out.RemoteID}
		c, ok, err := creator.FindContactByKey(ctx, key)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, people[object], c.Ref)
		found, err := matcher.FindContacts(ctx, connectors.PhoneQuery{E164: number, National: number[2:], Country: "US", Objects: []string{connectors.ObjectContact, connectors.ObjectLead, connectors.ObjectCompany}})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, people[object], found[0].Ref)
		require.Contains(t, found[0].Numbers, number)
		_, err = creator.CreateContact(ctx, connectors.ContactWrite{Key: uuid.NewString(), Object: object, Fields: map[string]any{"lastName": "Another", "phoneNumber": number, "emailAddress": key + "@example.com"}})
		e := connectors.AsError(err)
		require.Equal(t, connectors.Conflict, e.Class, "%v", err)
		require.Equal(t, out.RemoteID, e.RemoteID)
		now, ok, err := session.(connectors.ContactFollower).FollowContact(ctx, people[object])
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, people[object], now)
	}

	// The call: written once, found, read, changed, linked.
	key := uuid.NewString()
	at := time.Now().Add(-time.Hour).UTC()
	w := connectors.CallWrite{Key: key, Links: []connectors.Ref{people[connectors.ObjectContact]}, Fields: map[string]any{
		"name": "Inbound call from <Live> = test", "dateStart": at, "dateEnd": at.Add(205 * time.Second), espocrm.DurationField: int64(205), "direction": "Inbound",
		"status": "Held", espocrm.DispositionField: "Sale", "description": "line one\nline <b>two</b> &amp; 漢字 🎧"}}
	_, ok, err := session.(connectors.CallFinder).FindCall(ctx, key)
	require.NoError(t, err)
	require.False(t, ok)
	out, err := session.WriteCall(ctx, w)
	require.NoError(t, err)
	remove("Call", out.RemoteID)
	require.True(t, out.Created)
	require.Equal(t, w.Links, out.Linked)
	require.Len(t, out.Warnings, 1, "%+v", out.Warnings)
	id, ok, err := session.(connectors.CallFinder).FindCall(ctx, key)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, out.RemoteID, id)
	again, err := session.WriteCall(ctx, connectors.CallWrite{Key: key, RemoteID: id, Fields: map[string]any{"description": "changed", "status": "Not Held", "dateEnd": nil}})
	require.NoError(t, err)
	require.Equal(t, id, again.RemoteID)
	require.Empty(t, again.Warnings)
	got, err := session.(connectors.CallReader).ReadCall(ctx, id, []string{"name", "dateStart", "description", "status", espocrm.DurationField, espocrm.DispositionField, "assignedUserId"})
	require.NoError(t, err)
	require.Equal(t, "Inbound call from Live test", got["name"])
	require.True(t, connectors.SameValue(at, got["dateStart"]), "%v %v", at, got["dateStart"])
	require.True(t, connectors.SameValue(int64(205), got[espocrm.DurationField]))
	require.Equal(t, "changed", got["description"])
	require.Equal(t, "Sale", got[espocrm.DispositionField])
	require.NotEmpty(t, got["assignedUserId"])
	linker := session.(connectors.Linker)
	for range 2 {
		require.NoError(t, linker.LinkCall(ctx, id, people[connectors.ObjectLead]))
	}
	require.Equal(t, connectors.NotFound, connectors.AsError(linker.LinkCall(ctx, "nothere", people[connectors.ObjectLead])).Class)
	require.Equal(t, connectors.NotFound, connectors.AsError(linker.LinkCall(ctx, id, connectors.Ref{Object: connectors.ObjectContact, ID: "nothere"})).Class)
	_, err = session.WriteCall(ctx, connectors.CallWrite{Key: uuid.NewString(), Fields: map[string]any{"name": "x", "dateStart": at, "direction": "Sideways"}})
	require.Equal(t, connectors.Invalid, connectors.AsError(err).Class)
	require.Equal(t, "direction", connectors.AsError(err).Field)
	_, err = session.WriteCall(ctx, connectors.CallWrite{Key: key, RemoteID: "nothere", Fields: map[string]any{"description": "x"}})
	require.Equal(t, connectors.NotFound, connectors.AsError(err).Class)

	dispositions, err := session.(connectors.DispositionLister).Dispositions(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, dispositions)
	owners, err := session.(connectors.OwnerLister).Owners(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, owners)
	_, ok, err = session.(connectors.OwnerResolver).FindOwner(ctx, "nobody@example.invalid")
	require.NoError(t, err)
	require.False(t, ok)
	for _, object := range []string{"call", "contact", "lead", "company", "task", "note", "ticket", "deal"} {
		schema, err := session.(connectors.SchemaDescriber).Describe(ctx, object)
		require.NoError(t, err, object)
		require.NotEmpty(t, schema.Fields, object)
	}
	deals, err := session.(connectors.DealToucher).OpenDeals(ctx, people[connectors.ObjectContact])
	if err == nil {
		require.Empty(t, deals)
	} else {
		require.Equal(t, connectors.Forbidden, connectors.AsError(err).Class, "%v", err)
	}

	liveRecords(t, session, remove, people)
	liveRecording(t, session, id, people[connectors.ObjectContact])
}

func liveRecords(t *testing.T, session connectors.Session, remove func(entity, id string), people map[string]connectors.Ref) {
	links := []connectors.Ref{people[connectors.ObjectContact]}
	for object, rec := range map[string]struct {
		entity, text string
		write        func(context.Context, connectors.RecordWrite) (connectors.Written, error)
		fields       map[string]any
	}{
		"task":    {"Task", "description", session.(connectors.TaskWriter).WriteTask, map[string]any{"name": "Call back", "dateEnd": time.Now().Add(time.Hour), "priority": "High", "description": "x"}},
		"ticket":  {"Case", "description", session.(connectors.TicketWriter).WriteTicket, map[string]any{"name": "A case", "description": "x"}},
		"note":    {"Note", "post", session.(connectors.NoteWriter).WriteNote, map[string]any{"post": "A note with **text** 🎧"}},
		"message": {"Note", "post", session.(connectors.MessageLogger).LogMessage, map[string]any{"post": "A message"}},
		"form":    {"Note", "post", session.(connectors.FormWriter).WriteForm, map[string]any{"post": "A form"}},
	} {
		key := uuid.NewString()
		finder := session.(connectors.RecordFinder)
		_, ok, err := finder.FindRecord(t.Context(), object, key)
		require.NoError(t, err, object)
		require.False(t, ok)
		out, err := rec.write(t.Context(), connectors.RecordWrite{Key: key, Fields: rec.fields, Links: links})
		require.NoError(t, err, object)
		remove(rec.entity, out.RemoteID)
		require.Empty(t, out.Warnings, object)
		require.Equal(t, links, out.Linked, object)
		id, ok, err := finder.FindRecord(t.Context(), object, key)
		require.NoError(t, err, object)
		require.True(t, ok, object)
		require.Equal(t, out.RemoteID, id)
		_, err = rec.write(t.Context(), connectors.RecordWrite{Key: key, RemoteID: id, Fields: map[string]any{rec.text: "changed"}})
		require.NoError(t, err, object)
		_, ok, err = finder.FindRecord(t.Context(), object, key)
		require.NoError(t, err, object)
		require.True(t, ok, object)
		if object == "task" {
			for range 2 {
				require.NoError(t, session.(connectors.TaskWriter).CompleteTask(t.Context(), id))
			}
		}
	}
}

func liveRecording(t *testing.T, session connectors.Session, callID string, party connectors.Ref) {
	content := bytes.Repeat([]byte("RIFF....WAVE"), 150_000)
	u := connectors.RecordingUpload{Key: uuid.NewString(), CallID: callID, Party: party, Name: "call.wav", ContentType: "audio/wav", Size: int64(len(content)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
	first, err := session.(connectors.RecordingUploader).UploadRecording(t.Context(), u)
	require.NoError(t, err)
	require.True(t, first.Created)
	second, err := session.(connectors.RecordingUploader).UploadRecording(t.Context(), u)
	require.NoError(t, err)
	require.False(t, second.Created, "it is there already")
	require.Equal(t, first.RemoteID, second.RemoteID)
}
