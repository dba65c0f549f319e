package odoo_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/odoo"
)

// live is a session on the Odoo that the environment names:
//
//	CALLSYNC_LIVE_ODOO_BASE_URL               its address
//	CALLSYNC_LIVE_ODOO_API_KEY                an API key, or a password without JSON-2
//	CALLSYNC_LIVE_ODOO_USERNAME, _DATABASE    needed before Odoo 19
//	CALLSYNC_LIVE_ODOO_PROTOCOL, _CALL_MODEL  settings of the connection; empty means auto
//
// It needs no data, and takes away what it made where the user may.
func live(t *testing.T, callModel string) connectors.Session {
	env := func(name string) string { return os.Getenv("CALLSYNC_LIVE_ODOO_" + name) }
	if env("BASE_URL") == "" {
		t.Skip("CALLSYNC_LIVE_ODOO_BASE_URL is not set")
	}
	s, err := odoo.New().Open(connectors.Settings{
		Config:  map[string]string{"base_url": env("BASE_URL"), "username": env("USERNAME"), "database": env("DATABASE"), "protocol": env("PROTOCOL"), "call_model": callModel},
		Secrets: map[string]string{"api_key": env("API_KEY")},
	})
	require.NoError(t, err)
	return s
}

func remove(t *testing.T, s connectors.Session, model, id string) {
	t.Cleanup(func() {
		n, err := strconv.ParseInt(strings.TrimPrefix(id, "lead-"), 10, 64)
		require.NoError(t, err)
		if err := odoo.Unlink(context.WithoutCancel(t.Context()), s, model, n); err != nil {
			t.Logf("%s %s stays: %v", model, id, err)
		}
	})
}

var modelOf = map[string]string{connectors.ObjectContact: "res.partner", connectors.ObjectLead: "crm.lead"}

func TestLive(t *testing.T) {
	session := live(t, os.Getenv("CALLSYNC_LIVE_ODOO_CALL_MODEL"))
	ctx := t.Context()
	report, err := session.(connectors.Verifier).Verify(ctx)
	require.NoError(t, err)
	t.Log(report.Account)
	for _, c := range report.Checks {
		t.Logf("%t %s: %s", c.OK, c.Name, c.Text)
	}
	require.Equal(t, connectors.KeyedUpsert, report.Idempotency)

	creator, matcher := session.(connectors.ContactCreator), session.(connectors.ContactMatcher)
	suffix := time.Now().Format("0405")
	people := map[string]connectors.Ref{}
	for object, number := range map[string]string{connectors.ObjectContact: "+1415556" + suffix, connectors.ObjectLead: "+1415557" + suffix} {
		key := uuid.NewString()
		w := connectors.ContactWrite{Key: key, Object: object, Fields: map[string]any{"name": "Live <b> Ünïcödé 🎧 " + key, "phone": number}}
		out, err := creator.CreateContact(ctx, w)
		require.NoError(t, err)
		require.True(t, out.Created)
		remove(t, session, modelOf[object], out.RemoteID)
		again, err := creator.CreateContact(ctx, w)
		require.NoError(t, err)
		require.False(t, again.Created)
		require.Equal(t, out.RemoteID, again.RemoteID)
		people[object] = connectors.Ref{Object: object, ID: out.RemoteID}
		c, ok, err := creator.FindContactByKey(ctx, key)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, people[object], c.Ref)
		q := connectors.PhoneQuery{E164: number, National: number[2:], Country: "US", Objects: []string{connectors.ObjectContact, connectors.ObjectLead, connectors.ObjectCompany}}
		found, err := matcher.FindContacts(ctx, q)
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, people[object], found[0].Ref)
		require.Contains(t, found[0].Numbers, number)
		now, ok, err := session.(connectors.ContactFollower).FollowContact(ctx, people[object])
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, people[object], now)
	}
	typed, err := creator.CreateContact(ctx, connectors.ContactWrite{Key: uuid.NewString(), Fields: map[string]any{"name": "Typed", "phone": "(415) 558-" + suffix}})
	require.NoError(t, err)
	remove(t, session, "res.partner", typed.RemoteID)
	found, err := matcher.FindContacts(ctx, connectors.PhoneQuery{E164: "+1415558" + suffix, National: "415558" + suffix, Country: "US"})
	require.NoError(t, err)
	require.Len(t, found, 1, "a number as somebody typed it")

	owners, err := session.(connectors.OwnerLister).Owners(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, owners)
	_, ok, err := session.(connectors.OwnerResolver).FindOwner(ctx, "nobody@example.invalid")
	require.NoError(t, err)
	require.False(t, ok)
	dispositions, err := session.(connectors.DispositionLister).Dispositions(ctx)
	require.NoError(t, err)
	t.Log(len(dispositions), "dispositions")
	for _, object := range []string{"call", "contact", "lead", "company", "task", "note", "message", "form", "deal"} {
		schema, err := session.(connectors.SchemaDescriber).Describe(ctx, object)
		require.NoError(t, err, object)
		require.NotEmpty(t, schema.Fields, object)
	}
	deals, err := session.(connectors.DealToucher).OpenDeals(ctx, people[connectors.ObjectContact])
	require.NoError(t, err)
	require.Empty(t, deals)
	liveCall(t, session, people, owners[0].ID)
	liveBatch(t, session, people)
	liveRecords(t, session, people)
}

// TestLiveEvents writes calls as meetings.
func TestLiveEvents(t *testing.T) {
	session := live(t, odoo.ModelEvent)
	people := map[string]connectors.Ref{}
	for object, model := range modelOf {
		out, err := session.(connectors.ContactCreator).CreateContact(t.Context(), connectors.ContactWrite{Key: uuid.NewString(), Object: object, Fields: map[string]any{"name": "Live"}})
		require.NoError(t, err)
		remove(t, session, model, out.RemoteID)
		people[object] = connectors.Ref{Object: object, ID: out.RemoteID}
	}
	owners, err := session.(connectors.OwnerLister).Owners(t.Context())
	require.NoError(t, err)
	liveCall(t, session, people, owners[0].ID)
	liveBatch(t, session, people)
}

const hostile = `<strong>Note:</strong> &lt;script&gt;alert(1)&lt;/script&gt; O&#39;Neil &#34;x&#34; &amp;amp; 漢字 🎧<br>` + "\n" + `<a href="https://x.example/a?b=1&amp;c=2">listen</a>`

func liveCall(t *testing.T, session connectors.Session, people map[string]connectors.Ref, owner string) {
	ctx := t.Context()
	at := time.Date(2026, 10, 25, 0, 30, 17, 0, time.UTC)
	for _, links := range [][]connectors.Ref{{people[connectors.ObjectContact]}, {people[connectors.ObjectLead]}, nil} {
		key := uuid.NewString()
		fields := map[string]any{"subject": "Inbound call from <Live>", "body": hostile, "date": at.In(time.FixedZone("x", 19800)), "duration_seconds": int64(205),
			"direction": "inbound", "status": "held", "phone": "+14155550101", "user_id": owner}
		w := connectors.CallWrite{Key: key, Links: links, Fields: fields}
		_, ok, err := session.(connectors.CallFinder).FindCall(ctx, key)
		require.NoError(t, err)
		require.False(t, ok)
		out, err := session.WriteCall(ctx, w)
		require.NoError(t, err)
		require.True(t, out.Created)
		require.Equal(t, links, out.Linked)
		require.Empty(t, out.Warnings)
		again, err := session.WriteCall(ctx, w)
		require.NoError(t, err, "the same write once more")
		require.Equal(t, out.RemoteID, again.RemoteID)
		id, ok, err := session.(connectors.CallFinder).FindCall(ctx, key)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, out.RemoteID, id)
		names := []string{"subject", "body", "date", "duration_seconds", "direction", "status", "phone", "user_id"}
		got, err := session.(connectors.CallReader).ReadCall(ctx, id, names)
		require.NoError(t, err)
		for _, name := range names {
			require.True(t, connectors.SameField(session, "call", name, fields[name], got[name]), "%s was written as %v and reads %v", name, fields[name], got[name])
		}
		changed, err := session.WriteCall(ctx, connectors.CallWrite{Key: key, RemoteID: id, Fields: map[string]any{"body": "changed<br>\n" + hostile, "duration_seconds": int64(61), "status": "not_held"}})
		require.NoError(t, err)
		require.False(t, changed.Created)
		got, err = session.(connectors.CallReader).ReadCall(ctx, id, names)
		require.NoError(t, err)
		require.True(t, connectors.SameField(session, "call", "body", "changed<br>\n"+hostile, got["body"]), "%v", got["body"])
		require.True(t, connectors.SameField(session, "call", "duration_seconds", int64(61), got["duration_seconds"]), "%v", got)
		require.True(t, connectors.SameField(session, "call", "date", at, got["date"]), "%v", got)
		for range 2 {
			require.NoError(t, session.(connectors.Linker).LinkCall(ctx, id, people[connectors.ObjectLead]))
			require.NoError(t, session.(connectors.Linker).LinkCall(ctx, id, people[connectors.ObjectContact]))
		}
		_, err = session.WriteCall(ctx, connectors.CallWrite{Key: key, RemoteID: id, Fields: map[string]any{"body": "again"}})
		require.NoError(t, err)
		liveRecording(t, session, id, links)
		require.Equal(t, connectors.NotFound, connectors.AsError(session.(connectors.Linker).LinkCall(ctx, "99999999", people[connectors.ObjectLead])).Class)
		err = session.(connectors.Linker).LinkCall(ctx, id, connectors.Ref{Object: connectors.ObjectContact, ID: "99999999"})
		if !strings.Contains(out.URL, odoo.ModelPhonecall) {
			// A phone call has one contact, and who gave it one is not overruled.
			require.Equal(t, connectors.NotFound, connectors.AsError(err).Class, "%v", err)
		}
	}
	gone := []connectors.Ref{{Object: connectors.ObjectContact, ID: "99999999"}}
	_, err := session.WriteCall(ctx, connectors.CallWrite{Key: uuid.NewString(), Links: gone, Fields: map[string]any{"body": "x", "date": at}})
	require.Equal(t, connectors.NotFound, connectors.AsError(err).Class, "%v", err)
	_, err = session.WriteCall(ctx, connectors.CallWrite{Key: uuid.NewString(), RemoteID: "99999999", Fields: map[string]any{"body": "x"}})
	require.Equal(t, connectors.NotFound, connectors.AsError(err).Class, "%v", err)
	_, err = session.WriteCall(ctx, connectors.CallWrite{Key: uuid.NewString(), Fields: map[string]any{"x_nope": "x", "date": at}})
	require.Equal(t, connectors.Invalid, connectors.AsError(err).Class)
	require.Equal(t, "x_nope", connectors.AsError(err).Field)
	_, err = session.(connectors.CallReader).ReadCall(ctx, "99999999", []string{"body"})
	require.Equal(t, connectors.NotFound, connectors.AsError(err).Class, "%v", err)
}

func liveBatch(t *testing.T, session connectors.Session, people map[string]connectors.Ref) {
	batch := session.(connectors.BatchWriter)
	var ws []connectors.CallWrite
	for i := range 7 {
		ws = append(ws, connectors.CallWrite{Key: uuid.NewString(), Links: []connectors.Ref{people[connectors.ObjectContact]},
			Fields: map[string]any{"subject": "Batch", "body": strconv.Itoa(i), "date": time.Now().Add(-time.Hour), "duration_seconds": int64(10)}})
	}
	first := batch.WriteCalls(t.Context(), ws)
	for _, o := range first {
		require.NoError(t, o.Err)
	}
	for i, o := range batch.WriteCalls(t.Context(), ws) {
		require.NoError(t, o.Err)
		require.Equal(t, first[i].Written.RemoteID, o.Written.RemoteID)
	}
}

func liveRecords(t *testing.T, session connectors.Session, people map[string]connectors.Ref) {
	for object, rec := range map[string]struct {
		write  func(context.Context, connectors.RecordWrite) (connectors.Written, error)
		fields map[string]any
		text   string
	}{
		"task":    {session.(connectors.TaskWriter).WriteTask, map[string]any{"summary": "Call back", "note": hostile, "date_deadline": time.Now()}, "note"},
		"note":    {session.(connectors.NoteWriter).WriteNote, map[string]any{"subject": "A note", "body": hostile}, "body"},
		"message": {session.(connectors.MessageLogger).LogMessage, map[string]any{"subject": "A message", "body": hostile, "date": time.Now()}, "body"},
		"form":    {session.(connectors.FormWriter).WriteForm, map[string]any{"name": "A form", "description": hostile, "email_from": "a@example.com"}, "description"},
	} {
		for _, links := range [][]connectors.Ref{{people[connectors.ObjectContact]}, {people[connectors.ObjectLead]}, nil} {
			key := uuid.NewString()
			finder := session.(connectors.RecordFinder)
			_, ok, err := finder.FindRecord(t.Context(), object, key)
			require.NoError(t, err, object)
			require.False(t, ok)
			w := connectors.RecordWrite{Key: key, Fields: rec.fields, Links: links}
			out, err := rec.write(t.Context(), w)
			require.NoError(t, err, object)
			if strings.HasPrefix(out.RemoteID, "lead-") {
				remove(t, session, "crm.lead", out.RemoteID)
			}
			require.Equal(t, links, out.Linked, object)
			again, err := rec.write(t.Context(), w)
			require.NoError(t, err, object)
			require.Equal(t, out.RemoteID, again.RemoteID)
			id, ok, err := finder.FindRecord(t.Context(), object, key)
			require.NoError(t, err, object)
			require.True(t, ok, object)
			require.Equal(t, out.RemoteID, id)
			_, err = rec.write(t.Context(), connectors.RecordWrite{Key: key, RemoteID: id, Fields: map[string]any{rec.text: "changed"}})
			require.NoError(t, err, object)
			_, err = rec.write(t.Context(), connectors.RecordWrite{Key: key, RemoteID: "99999999", Fields: map[string]any{rec.text: "changed"}})
			require.Equal(t, connectors.NotFound, connectors.AsError(err).Class, object)
			if object == "task" {
				for range 2 {
					require.NoError(t, session.(connectors.TaskWriter).CompleteTask(t.Context(), id))
				}
			}
		}
	}
	_, err := session.(connectors.TicketWriter).WriteTicket(t.Context(), connectors.RecordWrite{Key: uuid.NewString(), Fields: map[string]any{"name": "A ticket", "description": "x"}})
	if err != nil {
		require.Equal(t, connectors.Unsupported, connectors.AsError(err).Class, "%v", err)
	}
}

func liveRecording(t *testing.T, session connectors.Session, callID string, party []connectors.Ref) {
	content := bytes.Repeat([]byte("RIFF....WAVE"), 150_000)
	u := connectors.RecordingUpload{Key: uuid.NewString(), CallID: callID, Name: "call.wav", ContentType: "audio/wav", Size: int64(len(content)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
	if len(party) > 0 {
		u.Party = party[0]
	}
	first, err := session.(connectors.RecordingUploader).UploadRecording(t.Context(), u)
	require.NoError(t, err)
	require.True(t, first.Created)
	remove(t, session, "ir.attachment", first.RemoteID)
	second, err := session.(connectors.RecordingUploader).UploadRecording(t.Context(), u)
	require.NoError(t, err)
	require.False(t, second.Created, "it is there already")
	require.Equal(t, first.RemoteID, second.RemoteID)
	id, err := strconv.ParseInt(first.RemoteID, 10, 64)
	require.NoError(t, err)
	r, err := odoo.Read(t.Context(), session, "ir.attachment", id, "file_size", "mimetype", "name")
	require.NoError(t, err)
	require.EqualValues(t, len(content), r["file_size"])
	require.Equal(t, "call.wav", r["name"])
}
