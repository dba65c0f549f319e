package odoo

import (
	"context"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// nowhere is what reads a field that has no place in the record, for its text says it: never somebody's edit.
type nowhere struct{}

// ReadRecord implements connectors.RecordReader. An activity of before Odoo 17 is gone once it is done.
func (s *session) ReadRecord(ctx context.Context, object, id string, fields []string) (map[string]any, error) {
	model := map[string]string{connectors.ObjectTask: modelActivity, connectors.ObjectTicket: ticketModel,
		connectors.ObjectNote: ModelNote, connectors.ObjectMessage: ModelNote, connectors.ObjectForm: ModelNote}[object]
	if model == "" {
		return nil, &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: "callsync reads no records of this kind in Odoo."}
	}
	if text, lead := strings.CutPrefix(id, leadForm); lead && object == connectors.ObjectForm {
		model, id = "crm.lead", text
	}
	n, err := recordID(id)
	if err != nil {
		return nil, err
	}
	if model == ModelNote {
		return s.readNote(ctx, object, n, fields)
	}
	defs, ok, err := s.fields(ctx, model)
	if err != nil || !ok {
		return nil, orLacks(err, model)
	}
	names := []string{"id"}
	for _, f := range fields {
		if defs[f].Type != "" {
			names = append(names, f)
		}
	}
	r, err := s.read(ctx, model, n, names...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(fields))
	for _, f := range fields {
		out[f] = decode(r[f], defs[f])
		if text, ok := out[f].(string); ok && plainText(f, defs[f]) {
			out[f] = textToHTML(text)
		}
	}
	return out, nil
}

// readNote reads a note by the names that mappings of its object have for its fields.
func (s *session) readNote(ctx context.Context, object string, id int64, fields []string) (map[string]any, error) {
	defs := noteDefs
	own := make(map[string]string, len(fields))
	names := []string{"id"}
	for _, f := range fields {
		name := f
		switch {
		case f == fieldUser:
			name = "author_id"
		case object == connectors.ObjectForm:
			name = formFields[f]
		case commonCall[f] && noteDefs[f].Type == "":
			name = ""
		}
		if name != "" && defs[name].Type == "" {
			all, ok, err := s.fields(ctx, ModelNote)
			if err != nil || !ok {
				return nil, orLacks(err, ModelNote)
			}
			defs = all
		}
		if own[f] = name; defs[name].Type != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	r, err := s.read(ctx, ModelNote, id, names...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(fields))
	for _, f := range fields {
		switch name := own[f]; {
		case name == "":
			out[f] = nowhere{}
		case f == fieldUser:
			if out[f], err = s.userOf(ctx, r.id(name)); err != nil {
				return nil, err
			}
		default:
			out[f] = decode(r[name], defs[name])
		}
	}
	return out, nil
}

// plainText tells whether a field takes HTML in one version of Odoo and plain text in this one (asText).
func plainText(name string, d fieldDef) bool { return name == "description" && d.Type == "text" }

// sameRecord is SameStored for other objects than calls: texts that are plain in this Odoo have lost their tags, and short
// ones were cut where an admin gave the field a size.
func (s *session) sameRecord(object, field string, written, read any) bool {
	if _, ok := read.(nowhere); ok {
		return true
	}
	model := map[string]string{connectors.ObjectTask: modelActivity, connectors.ObjectTicket: ticketModel, connectors.ObjectForm: "crm.lead"}[object]
	defs, _ := s.models.Peek(model)
	d := defs[field]
	w, isText := written.(string)
	r, alsoText := read.(string)
	switch {
	case !isText || !alsoText:
		return false
	case plainText(field, d):
		return htmlToText(w) == htmlToText(r)
	case d.Type == "char":
		return cutTo(clean(w), d.Size) == r
	}
	return false
}
