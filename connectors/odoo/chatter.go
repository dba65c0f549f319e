package odoo

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// Odoo's own records that notes refer to.
const (
	subtypeNote  xmlID = "mail.mt_note"
	activityCall xmlID = "mail.mail_activity_data_call"
)

// messageID is the key of a note once more, in a field that every user may search.
func messageID(name string) string { return "<callsync." + name + "@callsync>" }

// noteValues are what every note of ours has. It is written as a message and not by message_post(), which is not
// repeatable and would mail those who follow the record.
func noteValues(name string, p place) values {
	return values{"model": p.model, "res_id": p.id, "message_type": "comment", "subtype_id": subtypeNote, "message_id": messageID(name)}
}

// loadNote writes a note. A user who is no administrator may not name the place of a note that is there already
// (Odoo 19), so it then is written without: it stays where it is.
func (s *session) loadNote(ctx context.Context, name string, p place, v values) (int64, error) {
	all := noteValues(name, p)
	maps.Copy(all, v)
	id, err := s.load(ctx, ModelNote, name, all, nil)
	if r, ok := errors.AsType[*refused](err); ok && strings.Contains(r.fault.message, saysOnlyAdmins) {
		delete(all, "model")
		delete(all, "res_id")
		id, err = s.load(ctx, ModelNote, name, all, nil)
	}
	return id, s.linked(ctx, p, err)
}

// updateNote changes a note and the copies of it that links made. NotFound where somebody deleted it.
func (s *session) updateNote(ctx context.Context, id int64, v values) error {
	list, err := s.search(ctx, query{model: ModelNote, domain: domain(either(domainTerm{"id", "=", id}, domainTerm{"parent_id", "=", id})...),
		fields: []string{"id", "message_id"}, order: "id", limit: maxCopies})
	if err != nil {
		return err
	}
	var ids []int64
	found := false
	for _, m := range list {
		if m.id("id") == id {
			found = true
		} else if !strings.HasPrefix(m.text("message_id"), "<callsync.") {
			// An answer that a person wrote.
			continue
		}
		ids = append(ids, m.id("id"))
	}
	if !found {
		return gone()
	}
	return s.write(ctx, ModelNote, ids, v, nil)
}

const maxCopies = 100

// copyNote shows a note in the chatter of one more record. Odoo lets nobody but administrators move a note.
func (s *session) copyNote(ctx context.Context, id int64, to place) error {
	m, err := s.read(ctx, ModelNote, id, "model", "res_id", "subject", "body", "date", "author_id", "message_id", "mail_activity_type_id", "attachment_ids")
	if err != nil {
		return err
	}
	if m.text("model") == to.model && m.id("res_id") == to.id {
		return nil
	}
	name := keyName("copy", idText(id)+"_"+strings.ReplaceAll(to.model, ".", "_")+"_"+idText(to.id))
	v := values{"body": m.text("body"), "date": m.text("date"), "parent_id": dbID(id)}
	if v["body"] == "" {
		v["body"] = "<p></p>"
	}
	if t := m.text("subject"); t != "" {
		v["subject"] = t
	}
	if author := m.id("author_id"); author != 0 {
		v["author_id"] = dbID(author)
	}
	if kind := m.id("mail_activity_type_id"); kind != 0 {
		v["mail_activity_type_id"] = dbID(kind)
	}
	if files := m.ids("attachment_ids"); len(files) > 0 {
		v["attachment_ids"] = files
	}
	_, err = s.loadNote(ctx, name, to, v)
	return err
}

// noteURL opens the record in whose chatter a note is.
func (s *session) noteURL(p place) string { return s.recordURL(p.model, p.id) }

// author is the contact of a user, who then stands as the writer of a note.
func (s *session) author(ctx context.Context, user int64) (int64, error) {
	id, _, err := s.partners.Get(ctx, idText(user), identityTTL, identityTTL, func() (int64, bool, error) {
		u, err := s.read(ctx, "res.users", user, "partner_id")
		if connectors.IsClass(err, connectors.NotFound) {
			return 0, false, &connectors.Error{Class: connectors.Invalid, Field: "user_id",
				Public: "The Odoo user who shall own the record does not exist any more. Correct the table of agents and owners, then retry."}
		}
		return u.id("partner_id"), err == nil, err
	})
	return id, err
}

// writeNote creates or updates a note with the fields of a mapping. It is dated now unless the mapping says when.
func (s *session) writeNote(ctx context.Context, kind string, w connectors.RecordWrite) (connectors.Written, error) {
	v, warnings, err := s.noteFields(ctx, w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	if w.RemoteID != "" {
		id, err := recordID(w.RemoteID)
		if err != nil {
			return connectors.Written{}, err
		}
		return connectors.Written{RemoteID: w.RemoteID, Warnings: warnings}, s.updateNote(ctx, id, v)
	}
	p, linked, err := s.placeFor(ctx, w.Links)
	if err != nil {
		return connectors.Written{}, err
	}
	id, err := s.loadNote(ctx, keyName(kind, w.Key), p, withBody(v))
	if err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: idText(id), URL: s.noteURL(p), Created: true, Linked: linked, Warnings: warnings}, nil
}

// withBody gives a note a text where the mapping gave none.
func withBody(v values) values {
	if v["body"] == nil || v["body"] == false {
		v["body"] = "<p></p>"
	}
	return v
}

// noteFields makes the values of a note. Its owner is its author; what a note has no place for is left out, for the text of
// the note says it.
func (s *session) noteFields(ctx context.Context, fields map[string]any) (values, []connectors.Warning, error) {
	own := map[string]any{}
	var user int64
	defs := noteDefs
	for name, v := range fields {
		switch {
		case name == fieldUser:
			user = userID(v)
		case commonCall[name] && noteDefs[name].Type == "":
		default:
			own[name] = v
			if noteDefs[name].Type == "" {
				all, ok, err := s.fields(ctx, ModelNote)
				if err != nil || !ok {
					return nil, nil, orLacks(err, ModelNote)
				}
				defs = all
			}
		}
	}
	out, warnings, err := encodeAll(ModelNote, defs, own)
	if err != nil {
		return nil, nil, err
	}
	if user != 0 {
		partner, err := s.author(ctx, user)
		if err != nil {
			return nil, nil, err
		}
		out["author_id"] = dbID(partner)
	}
	return out, warnings, nil
}

// WriteNote implements connectors.NoteWriter.
func (s *session) WriteNote(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeNote(ctx, connectors.ObjectNote, w)
}

// LogMessage implements connectors.MessageLogger: a note, for Odoo's own text messages are for sending.
func (s *session) LogMessage(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeNote(ctx, connectors.ObjectMessage, w)
}

// noteByKey finds one of our notes by what every user may search.
func (s *session) noteByKey(ctx context.Context, name string) (int64, bool, error) {
	list, err := s.search(ctx, query{model: ModelNote, domain: domain(domainTerm{"message_id", "=", messageID(name)}), fields: []string{"id"}, order: "id", limit: 1})
	if err != nil || len(list) == 0 {
		return 0, false, err
	}
	return list[0].id("id"), true, nil
}
