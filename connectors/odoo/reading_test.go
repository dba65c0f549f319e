package odoo_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/odoo"
	"github.com/callsync/callsync/connectors/odoo/odoofake"
)

// TestRecordsReadAsWritten: what Odoo and callsync make of a value is no edit, and what a person makes of it is one, in every version,
// where a description is HTML and where it is plain text, and where a form is a note.
func TestRecordsReadAsWritten(t *testing.T) {
	t.Parallel()
	body := "Ada wants a <b>quote</b> &amp; more<br>\n<strong>Due:</strong> Mon 1 Jun<br>\n<a href=\"https://sync.example/calls/1?a=1&amp;b=2\">Call in callsync</a>"
	for _, version := range []int{14, 19} {
		for _, forms := range []string{"lead", "note"} {
			o := options()
			o.Version = version
			f := odoofake.New(o)
			session := connect(t, f, map[string]string{"protocol": odoo.ProtocolAuto, "forms": forms})
			contact := connectors.Ref{Object: connectors.ObjectContact, ID: strconv.FormatInt(f.Add("res.partner", odoofake.Record{"name": "Ada"}), 10)}
			owner, ok, err := session.(connectors.OwnerResolver).FindOwner(t.Context(), "AGENT1@example.com")
			require.NoError(t, err)
			require.True(t, ok)
			for object, tc := range map[string]struct {
				fields map[string]any
				// edit is a field that people change in the model, and what they make of it.
				edit, model, column string
				value               any
			}{
				connectors.ObjectTask:   {map[string]any{"summary": "Call back", "note": body, "date_deadline": "2026-06-02", "user_id": owner.ID}, "note", "mail.activity", "note", "<p>Done by Bob</p>"},
				connectors.ObjectTicket: {map[string]any{"name": "Broken", "description": body}, "description", "helpdesk.ticket", "description", "Bob has it"},
				connectors.ObjectNote:   {map[string]any{"subject": "Note", "body": body, "date": noon, "user_id": owner.ID, "phone": "+1"}, "body", "mail.message", "body", "<p>Bob wrote</p>"},
				connectors.ObjectMessage: {map[string]any{"subject": "SMS", "body": body, "date": noon, "user_id": owner.ID, "duration_seconds": int64(3)}, "subject", "mail.message", "subject",
					"Bob's"},
				connectors.ObjectForm: {map[string]any{"name": "Form", "description": body, "contact_name": "Ada", "phone": "+14155550188", "email_from": "a@example.com", "user_id": owner.ID},
					"description", map[string]string{"lead": "crm.lead", "note": "mail.message"}[forms], map[string]string{"lead": "description", "note": "body"}[forms], "Bob's form"},
			} {
				w := connectors.RecordWrite{Key: "k", Fields: tc.fields, Links: []connectors.Ref{contact}}
				out, err := map[string]func() (connectors.Written, error){
					connectors.ObjectTask: func() (connectors.Written, error) { return session.(connectors.TaskWriter).WriteTask(t.Context(), w) },
					connectors.ObjectTicket: func() (connectors.Written, error) {
						return session.(connectors.TicketWriter).WriteTicket(t.Context(), w)
					},
					connectors.ObjectNote: func() (connectors.Written, error) { return session.(connectors.NoteWriter).WriteNote(t.Context(), w) },
					connectors.ObjectMessage: func() (connectors.Written, error) {
						return session.(connectors.MessageLogger).LogMessage(t.Context(), w)
					},
					connectors.ObjectForm: func() (connectors.Written, error) { return session.(connectors.FormWriter).WriteForm(t.Context(), w) },
				}[object]()
				require.NoError(t, err, object)
				names := []string{}
				for name := range tc.fields {
					names = append(names, name)
				}
				read := func() map[string]any {
					got, err := session.(connectors.RecordReader).ReadRecord(t.Context(), object, out.RemoteID, names)
					require.NoError(t, err, object)
					return got
				}
				got := read()
				for name, v := range tc.fields {
					require.True(t, connectors.SameField(session, object, name, v, got[name]), "%d %s %s %s: %v was written and %v read", version, forms, object, name, v, got[name])
				}
				id, _, ok := f.ByKey(tc.model, odoo.KeyName(object, "k"))
				require.True(t, ok, object)
				f.Set(tc.model, id, odoofake.Record{tc.column: tc.value})
				now := read()[tc.edit]
				require.False(t, connectors.SameField(session, object, tc.edit, tc.fields[tc.edit], now), "%d %s %s: %v is an edit", version, object, tc.edit, now)
				require.NotNil(t, now)
				f.Delete(tc.model, id)
				_, err = session.(connectors.RecordReader).ReadRecord(t.Context(), object, out.RemoteID, names)
				require.Equal(t, connectors.NotFound, classOf(t, err).Class)
			}
		}
	}
}
