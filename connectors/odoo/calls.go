package odoo

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// kindCall begins the External IDs of calls.
const kindCall = "call"

// WriteCall implements connectors.Session.
func (s *session) WriteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	m, defs, err := s.calls(ctx)
	if err != nil {
		return connectors.Written{}, err
	}
	if w.RemoteID != "" {
		return s.updateCall(ctx, m, defs, w)
	}
	if m.model == ModelNote {
		return s.createNoteCall(ctx, w)
	}
	v, linked, warnings, err := s.newCall(ctx, m, defs, w)
	if err != nil {
		return connectors.Written{}, err
	}
	id, err := s.load(ctx, m.model, keyName(kindCall, w.Key), v, m.context)
	if err != nil {
		for _, l := range linked {
			if p, ok := placeOf(l); ok {
				err = s.linked(ctx, p, err)
			}
		}
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: idText(id), URL: s.recordURL(m.model, id), Created: true, Linked: linked, Warnings: warnings}, nil
}

// createNoteCall writes a call as a note of the type Call in the chatter of its contact. Odoo counts such a note as a
// finished activity, as it does with those that people mark as done.
func (s *session) createNoteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	p, linked, v, warnings, err := s.noteCall(ctx, w)
	if err != nil {
		return connectors.Written{}, err
	}
	id, err := s.loadNote(ctx, keyName(kindCall, w.Key), p, v)
	if err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: idText(id), URL: s.noteURL(p), Created: true, Linked: linked, Warnings: warnings}, nil
}

func (s *session) noteCall(ctx context.Context, w connectors.CallWrite) (place, []connectors.Ref, values, []connectors.Warning, error) {
	v, warnings, err := s.noteFields(ctx, w.Fields)
	if err != nil {
		return place{}, nil, nil, nil, err
	}
	if v["mail_activity_type_id"] == nil {
		v["mail_activity_type_id"] = activityCall
	}
	if v["date"] == nil || v["date"] == false {
		v["date"] = s.startOf(w).Format(timeLayout)
	}
	p, linked, err := s.placeFor(ctx, w.Links)
	return p, linked, withBody(v), warnings, err
}

// startOf is when a call began that the mapping gives no time.
func (s *session) startOf(w connectors.CallWrite) time.Time {
	if !w.Call.StartedAt.IsZero() {
		return w.Call.StartedAt.UTC()
	}
	return s.now().UTC()
}

// newCall makes the values of a new call, with what the model demands and the mapping left out.
func (s *session) newCall(ctx context.Context, m callModel, defs map[string]fieldDef, w connectors.CallWrite) (values, []connectors.Ref, []connectors.Warning, error) {
	fields := maps.Clone(w.Fields)
	if fields == nil {
		fields = map[string]any{}
	}
	if at, ok := fields[fieldDate].(time.Time); !ok || at.IsZero() {
		fields[fieldDate] = s.startOf(w)
	}
	if _, ok := lengthOf(fields[fieldDuration]); !ok {
		fields[fieldDuration] = int64(0)
	}
	if text, _ := fields[fieldSubject].(string); strings.TrimSpace(text) == "" && m.fields[fieldSubject] != "" {
		fields[fieldSubject] = "Call"
	}
	v, warnings, err := s.mapped(ctx, m.model, m.translate(fields, defs))
	if err != nil {
		return nil, nil, nil, err
	}
	return v, m.tie(v, defs, w.Links), warnings, nil
}

// updateCall changes a call that is there.
func (s *session) updateCall(ctx context.Context, m callModel, defs map[string]fieldDef, w connectors.CallWrite) (connectors.Written, error) {
	id, err := recordID(w.RemoteID)
	if err != nil {
		return connectors.Written{}, err
	}
	if m.model == ModelNote {
		v, warnings, err := s.noteFields(ctx, w.Fields)
		if err != nil {
			return connectors.Written{}, err
		}
		required(v, "date", "body")
		return connectors.Written{RemoteID: w.RemoteID, Warnings: warnings}, s.updateNote(ctx, id, v)
	}
	written := connectors.Written{RemoteID: w.RemoteID, URL: s.recordURL(m.model, id)}
	fields := maps.Clone(w.Fields)
	_, hasDuration := fields[fieldDuration]
	_, hasDate := fields[fieldDate]
	_, hasStatus := fields[fieldStatus]
	old := []string{"id"}
	for _, name := range []string{fieldDate, fieldDuration} {
		old = append(old, m.reads(name)...)
	}
	r, err := s.read(ctx, m.model, id, slices.Compact(old)...)
	if err != nil {
		return connectors.Written{}, err
	}
	// An end is written with its start, and a length with a status, which would change it (see callModels).
	if m.stop != "" && hasDuration && !hasDate {
		fields[fieldDate] = r.moment(m.fields[fieldDate])
	}
	if m.stop != "" && hasDate && !hasDuration || m.minutes && hasStatus && !hasDuration {
		fields[fieldDuration] = m.back(fieldDuration, r, defs)
	}
	v, warnings, err := s.mapped(ctx, m.model, m.translate(fields, defs))
	if err != nil {
		return connectors.Written{}, err
	}
	required(v, m.fields[fieldSubject], m.fields[fieldDate], m.fields[fieldDirection], m.fields[fieldStatus], m.stop)
	written.Warnings = warnings
	return written, s.write(ctx, m.model, []int64{id}, v, m.context)
}

// required leaves fields that Odoo demands as they are, where a mapping would clear them.
func required(v values, names ...string) {
	for _, name := range names {
		if x, ok := v[name]; ok && (x == false || x == "") {
			delete(v, name)
		}
	}
}

// FindCall implements connectors.CallFinder.
func (s *session) FindCall(ctx context.Context, key string) (string, bool, error) {
	m, _, err := s.calls(ctx)
	if err != nil {
		return "", false, err
	}
	id, ok, err := s.find(ctx, m.model, keyName(kindCall, key))
	return idText(id), ok, err
}

// find looks for a record by its External ID.
func (s *session) find(ctx context.Context, model, name string) (int64, bool, error) {
	if model == ModelNote {
		return s.noteByKey(ctx, name)
	}
	return s.byKey(ctx, model, name)
}

// ReadCall implements connectors.CallReader.
func (s *session) ReadCall(ctx context.Context, id string, fields []string) (map[string]any, error) {
	n, err := recordID(id)
	if err != nil {
		return nil, err
	}
	m, defs, err := s.calls(ctx)
	if err != nil {
		return nil, err
	}
	if m.model == ModelNote && slices.ContainsFunc(fields, func(f string) bool { return !commonCall[f] && noteDefs[f].Type == "" }) {
		if defs, _, err = s.fields(ctx, ModelNote); err != nil {
			return nil, err
		}
	}
	names := []string{"id"}
	for _, f := range fields {
		for _, own := range m.reads(f) {
			if defs[own].Type != "" && !slices.Contains(names, own) {
				names = append(names, own)
			}
		}
	}
	r, err := s.read(ctx, m.model, n, names...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(fields))
	for _, f := range fields {
		if m.model == ModelNote && f == fieldUser {
			if out[f], err = s.userOf(ctx, r.id("author_id")); err != nil {
				return nil, err
			}
			continue
		}
		out[f] = m.back(f, r, defs)
	}
	return out, nil
}

// userOf is the user whose contact wrote a note.
func (s *session) userOf(ctx context.Context, partner int64) (any, error) {
	if partner == 0 {
		return nil, nil
	}
	list, err := s.search(ctx, query{model: "res.users", domain: domain(domainTerm{"partner_id", "=", partner}), fields: []string{"id"}, order: "id", limit: 1, archived: true})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return idText(list[0].id("id")), nil
}

// SameStored implements connectors.Comparer: what the model of the connection's calls has no place for is never somebody's
// edit, and Odoo adds lines of its own to the description of a meeting.
func (s *session) SameStored(object, field string, written, read any) bool {
	if object != connectors.ObjectCall {
		return s.sameRecord(object, field, written, read)
	}
	if read == nil && commonCall[field] {
		return s.placeless(field)
	}
	if field != fieldBody {
		return false
	}
	a, _ := written.(string)
	b, _ := read.(string)
	a, b = htmlToText(a), htmlToText(b)
	return a == b || a != "" && strings.HasPrefix(b, a+"\nOrganized by")
}

// placeless tells whether the model of the calls has no place for a common field. It asks nobody: what is not known yet has
// not been written either.
func (s *session) placeless(field string) bool {
	name := s.callModel
	if name == ModelAuto {
		name = ModelNote
	}
	m := callModels[name]
	return m.fields[field] == "" && (field != fieldDuration || m.stop == "")
}

// MaxText implements connectors.Comparer. Odoo's texts have no limits, but for fields that an admin gave one.
func (s *session) MaxText(string, string) int { return 0 }

// LinkCall implements connectors.Linker. A note gets a copy in the chatter of the other record, for it cannot be moved; a
// phone call or meeting gets a contact or lead only where nobody has given it one.
func (s *session) LinkCall(ctx context.Context, callID string, to connectors.Ref) error {
	p, ok := placeOf(to)
	if !ok && placeModels[to.Object] != "" {
		return gone()
	}
	unsupported := &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: "callsync cannot tie a call in Odoo to a record of this kind."}
	if !ok || modelIDs[p.model] == "" {
		return unsupported
	}
	id, err := recordID(callID)
	if err != nil {
		return err
	}
	m, defs, err := s.calls(ctx)
	if err != nil {
		return err
	}
	if m.model == ModelNote {
		return s.copyNote(ctx, id, p)
	}
	v := values{}
	if len(m.tie(v, defs, []connectors.Ref{to})) == 0 {
		return unsupported
	}
	name := slices.Collect(maps.Keys(v))[0]
	r, err := s.read(ctx, m.model, id, "id", name)
	if err != nil {
		return err
	}
	if defs[name].Type == "many2many" {
		people := r.ids(name)
		if slices.Contains(people, p.id) {
			return nil
		}
		v[name] = append(people, p.id)
	} else if r.id(name) != 0 {
		return nil
	}
	return s.linked(ctx, p, s.write(ctx, m.model, []int64{id}, v, m.context))
}
