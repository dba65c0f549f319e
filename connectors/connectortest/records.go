package connectortest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

type writeRecord func(context.Context, connectors.RecordWrite) (connectors.Written, error)

// recordWriters are what a session can write beside calls.
func recordWriters(s connectors.Session) map[string]writeRecord {
	out := map[string]writeRecord{}
	if w, ok := s.(connectors.TaskWriter); ok {
		out[connectors.ObjectTask] = w.WriteTask
	}
	if w, ok := s.(connectors.NoteWriter); ok {
		out[connectors.ObjectNote] = w.WriteNote
	}
	if w, ok := s.(connectors.TicketWriter); ok {
		out[connectors.ObjectTicket] = w.WriteTicket
	}
	if w, ok := s.(connectors.MessageLogger); ok {
		out[connectors.ObjectMessage] = w.LogMessage
	}
	if w, ok := s.(connectors.FormWriter); ok {
		out[connectors.ObjectForm] = w.WriteForm
	}
	return out
}

// testRecords writes tasks, notes, tickets, messages and forms: once each, by the protocol.
func testRecords(t *testing.T, target Target) {
	probe := recordWriters(serve(t, target, target.New(t).Handler))
	if len(probe) == 0 {
		t.Skip("the connector writes calls only")
	}
	for object := range probe {
		t.Run(object, func(t *testing.T) {
			t.Parallel()
			crm := target.New(t)
			session := serve(t, target, crm.Handler)
			write, hooks, make := recordWriters(session)[object], crm.Records[object], target.Records[object]
			if make == nil || hooks.Count == nil {
				t.Fatal("the target has no hook for it")
			}
			var links []connectors.Ref
			if crm.AddContact != nil {
				links = []connectors.Ref{crm.AddContact(connectors.ObjectContact, "Ada", "+14155550188")}
			}
			out, err := write(t.Context(), make("r-1", "", "one <b>&amp; 漢字 🎧", links))
			require.NoError(t, err)
			require.True(t, out.Created)
			require.NotEmpty(t, out.RemoteID)
			require.Equal(t, 1, hooks.Count("r-1"))
			text, ok := hooks.Text("r-1")
			require.True(t, ok)
			require.Equal(t, target.asStored("one <b>&amp; 漢字 🎧"), text)
			if hooks.Linked != nil {
				require.Equal(t, links, hooks.Linked("r-1"))
			}
			if object == connectors.ObjectTask || object == connectors.ObjectTicket {
				// What follows from a call names it, too; a CRM that cannot tie the two makes the record all the same.
				called, err := session.WriteCall(t.Context(), target.Write("r-call", "", "x", noon))
				require.NoError(t, err)
				_, err = write(t.Context(), make("r-called", "", "x", append(slices.Clone(links), connectors.Ref{Object: connectors.ObjectCall, ID: called.RemoteID})))
				require.NoError(t, err)
				require.Equal(t, 1, hooks.Count("r-called"))
			}
			rereads(t, target, session, object, make, out.RemoteID)
			updates(t, target, write, hooks, make, out.RemoteID)
			tiesLater(t, target, session, crm, object)
			finds(t, target, session, object, out.RemoteID)
			if target.MaxText > 0 {
				out, err := write(t.Context(), make("r-long", "", strings.Repeat("<i>ж🎧</i>&amp;", target.MaxText), links))
				require.NoError(t, err, "text that is too long is cut, not refused")
				warned(t, out)
			}
			recordLost(t, target, crm, object, links)
			if w, ok := session.(connectors.TaskWriter); ok && object == connectors.ObjectTask {
				completes(t, target, w, hooks, make)
			}
		})
	}
}

// rereads reads a record back: what was written is there, as far as anybody can tell.
func rereads(t *testing.T, target Target, session connectors.Session, object string, make makeRecord, id string) {
	reader, ok := session.(connectors.RecordReader)
	if !ok {
		return
	}
	w := make("r-1", "", "one <b>&amp; 漢字 🎧", nil)
	got, err := reader.ReadRecord(t.Context(), object, id, slices.Collect(maps.Keys(w.Fields)))
	if err != nil && connectors.IsClass(err, connectors.Unsupported) {
		return
	}
	require.NoError(t, err)
	for f, v := range w.Fields {
		require.True(t, connectors.SameField(session, object, f, v, got[f]), "%s: %v was written and %v read", f, v, got[f])
	}
	_, err = reader.ReadRecord(t.Context(), object, "999999999", nil)
	require.Equal(t, connectors.NotFound, classOf(t, target, err).Class)
	_, err = reader.ReadRecord(t.Context(), "planet", id, nil)
	require.Equal(t, connectors.Unsupported, classOf(t, target, err).Class)
}

// tiesLater ties a record that was made without a contact to one.
func tiesLater(t *testing.T, target Target, session connectors.Session, crm CRM, object string) {
	linker, ok := session.(connectors.RecordLinker)
	hooks := crm.Records[object]
	if !ok || crm.AddContact == nil || hooks.Linked == nil {
		return
	}
	out, err := recordWriters(session)[object](t.Context(), target.Records[object]("r-later", "", "x", nil))
	require.NoError(t, err)
	require.Empty(t, hooks.Linked("r-later"))
	contact := crm.AddContact(connectors.ObjectContact, "Grace", "+14155550189")
	for range 2 {
		require.NoError(t, linker.LinkRecord(t.Context(), object, out.RemoteID, contact))
		require.Equal(t, []connectors.Ref{contact}, hooks.Linked("r-later"))
	}
	err = linker.LinkRecord(t.Context(), object, "999999999", contact)
	require.Equal(t, connectors.NotFound, classOf(t, target, err).Class)
	err = linker.LinkRecord(t.Context(), object, out.RemoteID, connectors.Ref{Object: "planet", ID: "1"})
	require.Equal(t, connectors.Unsupported, classOf(t, target, err).Class)
}

type makeRecord = func(key, remoteID, text string, links []connectors.Ref) connectors.RecordWrite

func updates(t *testing.T, target Target, write writeRecord, hooks RecordHooks, make makeRecord, id string) {
	out, err := write(t.Context(), make("r-1", id, "two", nil))
	require.NoError(t, err)
	require.False(t, out.Created)
	require.Equal(t, id, out.RemoteID)
	require.Equal(t, 1, hooks.Count("r-1"))
	text, _ := hooks.Text("r-1")
	require.Equal(t, "two", text)
	if hooks.Delete == nil {
		return
	}
	gone, err := write(t.Context(), make("r-gone", "", "x", nil))
	require.NoError(t, err)
	hooks.Delete("r-gone")
	_, err = write(t.Context(), make("r-gone", gone.RemoteID, "y", nil))
	require.Equal(t, connectors.NotFound, classOf(t, target, err).Class, "a record that a person deleted is not made again")
	require.Zero(t, hooks.Count("r-gone"))
}

func finds(t *testing.T, target Target, session connectors.Session, object, id string) {
	finder, ok := session.(connectors.RecordFinder)
	if !ok {
		return
	}
	got, found, err := finder.FindRecord(t.Context(), object, "r-1")
	require.NoError(t, err)
	if found {
		require.Equal(t, id, got)
	} else {
		require.NotEqual(t, connectors.KeyedUpsert, target.Connector.Info().Idempotency)
	}
	_, found, err = finder.FindRecord(t.Context(), object, "r-nothing")
	require.NoError(t, err)
	require.False(t, found)
}

// recordLost loses the answer to a create. Where the record can be looked for, it is written once all the same.
func recordLost(t *testing.T, target Target, crm CRM, object string, links []connectors.Ref) {
	session := dropping(t, target, crm, 1)
	write, make := recordWriters(session)[object], target.Records[object]
	_, err := write(t.Context(), make("r-lost", "", "x", links))
	require.Equal(t, connectors.UnknownOutcome, classOf(t, target, err).Class)
	finder, canFind := session.(connectors.RecordFinder)
	if canFind {
		_, found, err := finder.FindRecord(t.Context(), object, "r-lost")
		require.NoError(t, err)
		_, keyed, err := finder.FindRecord(t.Context(), object, "r-1")
		require.NoError(t, err)
		if !found && keyed {
			_, err := write(t.Context(), make("r-lost", "", "x", links))
			require.NoError(t, err)
		}
	}
	require.Equal(t, 1, crm.Records[object].Count("r-lost"))
	if canFind && target.Connector.Info().Idempotency == connectors.KeyedUpsert {
		_, err := write(t.Context(), make("r-lost", "", "x", links))
		require.NoError(t, err)
		require.Equal(t, 1, crm.Records[object].Count("r-lost"))
	}
}

func completes(t *testing.T, target Target, w connectors.TaskWriter, hooks RecordHooks, make makeRecord) {
	require.NotNil(t, hooks.Done, "tasks are closed")
	out, err := w.WriteTask(t.Context(), make("r-task", "", "x", nil))
	require.NoError(t, err)
	require.False(t, hooks.Done("r-task"))
	reader, reads := w.(connectors.TaskReader)
	isOpen := func(want bool) {
		if reads {
			open, err := reader.TaskOpen(t.Context(), out.RemoteID)
			require.NoError(t, err)
			require.Equal(t, want, open)
		}
	}
	isOpen(true)
	for range 2 {
		require.NoError(t, w.CompleteTask(t.Context(), out.RemoteID), "one that is closed already is no error")
		require.True(t, hooks.Done("r-task"))
	}
	isOpen(false)
	if hooks.Delete != nil {
		hooks.Delete("r-task")
		require.Equal(t, connectors.NotFound, classOf(t, target, w.CompleteTask(t.Context(), out.RemoteID)).Class)
		if reads {
			_, err := reader.TaskOpen(t.Context(), out.RemoteID)
			require.Equal(t, connectors.NotFound, classOf(t, target, err).Class)
		}
	}
}

// testLinks ties a call to each kind of record that the connector finds, once.
func testLinks(t *testing.T, target Target) {
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	linker, ok := session.(connectors.Linker)
	if !ok {
		t.Skip("the connector ties nothing")
	}
	need(t, crm.AddContact != nil && crm.Linked != nil)
	for i, object := range matches(target.Connector.Info()) {
		key := "key-" + object
		out, err := session.WriteCall(t.Context(), target.Write(key, "", "x", noon))
		require.NoError(t, err)
		ref := crm.AddContact(object, "Ada", "+1415555040"+string(rune('0'+i)))
		for range 2 {
			require.NoError(t, linker.LinkCall(t.Context(), out.RemoteID, ref))
		}
		linked := crm.Linked(key)
		require.True(t, slices.Contains(linked, ref), "%v", linked)
		require.Len(t, slices.Compact(linked), len(linked), "tied twice")
		err = linker.LinkCall(t.Context(), "999999999", ref)
		require.Equal(t, connectors.NotFound, classOf(t, target, err).Class, "a call that is gone")
	}
	err := linker.LinkCall(t.Context(), "1", connectors.Ref{Object: "planet", ID: "1"})
	require.Equal(t, connectors.Unsupported, classOf(t, target, err).Class)
}

// shows compares the answer to a write with a read.
func shows(t *testing.T, reader connectors.CallReader, out connectors.Written, names []string) {
	t.Helper()
	for name := range out.Stored {
		names = append(names, name)
	}
	got, err := reader.ReadCall(t.Context(), out.RemoteID, names)
	require.NoError(t, err)
	for name, v := range out.Stored {
		require.True(t, connectors.SameValue(v, got[name]), "the answer shows %s as %.200v, and it reads %.200v", name, v, got[name])
	}
}

// testRead reads back what was written, as connectors.SameField compares it: what the vendor makes of a value must not look
// like a person's edit. What the answer to a write shows is what a read shows.
func testRead(t *testing.T, target Target) {
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	reader, ok := session.(connectors.CallReader)
	if !ok {
		t.Skip("the connector reads nothing")
	}
	w := target.Write("key", "", "some text", noon)
	out, err := session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	names := make([]string, 0, len(w.Fields))
	for name := range w.Fields {
		names = append(names, name)
	}
	got, err := reader.ReadCall(t.Context(), out.RemoteID, names)
	require.NoError(t, err)
	for name, v := range w.Fields {
		require.True(t, connectors.SameValue(v, got[name]), "%s was written as %v and reads %v", name, v, got[name])
	}
	shows(t, reader, out, names)
	long := strings.Repeat("some <b>text</b> &amp; 漢字 🎧\r\n", 1+target.MaxText/20)
	for key, id := range map[string]string{"key": out.RemoteID, "key-long": ""} {
		w := target.Write(key, id, long, noon)
		out, err := session.WriteCall(t.Context(), w)
		require.NoError(t, err)
		got, err := reader.ReadCall(t.Context(), out.RemoteID, names)
		require.NoError(t, err)
		for name, v := range w.Fields {
			shown, inAnswer := out.Stored[name]
			require.True(t, connectors.SameField(session, connectors.ObjectCall, name, v, got[name]) || inAnswer && connectors.SameField(session, connectors.ObjectCall, name, shown, got[name]),
				"%s reads as if somebody had changed it: %.200v", name, got[name])
			require.False(t, connectors.SameField(session, connectors.ObjectCall, name, v, "what a person wrote"), name)
		}
		shows(t, reader, out, names)
	}
	_, err = reader.ReadCall(t.Context(), out.RemoteID, nil)
	require.NoError(t, err)
	_, err = reader.ReadCall(t.Context(), "999999999", names)
	require.Equal(t, connectors.NotFound, classOf(t, target, err).Class)
}
