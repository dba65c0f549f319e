package espocrm

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/callsync/callsync/connectors"
)

// maxKey is what the key field takes.
const maxKey = 100

// WriteCall implements connectors.Session. A create fills what EspoCRM demands and the mapping left out, and takes the
// links along: a contact or lead is among those who took part and is the parent, whose account EspoCRM then adds.
func (s *session) WriteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	values, err := encode(w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	if w.RemoteID != "" {
		return s.updateCall(ctx, w.RemoteID, values)
	}
	if err := s.completeCall(ctx, values, w); err != nil {
		return connectors.Written{}, err
	}
	linked := attach("Call", values, w.Links)
	out, warnings, err := s.create(ctx, "Call", values)
	if err != nil {
		return connectors.Written{}, err
	}
	id := out.text("id")
	return connectors.Written{RemoteID: id, URL: s.recordURL("Call", id), Created: true, Linked: linked, Warnings: warnings,
		Stored: s.stored(w.Fields, values, out)}, nil
}

// stored are the attributes of a write, those that callsync filled in by itself among them, as the answer shows them: it has
// the whole record. What EspoCRM did not store is nothing there.
func (s *session) stored(fields map[string]any, values, answer attributes) map[string]any {
	out := map[string]any{}
	for name := range fields {
		out[name] = decode(answer[name])
	}
	for _, name := range demanded {
		if _, sent := values[name]; sent {
			out[name] = decode(answer[name])
		}
	}
	return out
}

// demanded are the attributes that EspoCRM demands of a call, and that callsync fills in where the mapping does not.
var demanded = []string{"name", "dateStart", "dateEnd", "assignedUserId"}

// completeCall fills the attributes that EspoCRM demands of a new call.
func (s *session) completeCall(ctx context.Context, values attributes, w connectors.CallWrite) error {
	values[s.keyField] = cutKey(w.Key)
	if values.text("name") == "" {
		values["name"] = "Call"
	}
	start, ok := moment(values["dateStart"])
	if !ok {
		start = s.now().UTC()
		if !w.Call.StartedAt.IsZero() {
			start = w.Call.StartedAt.UTC()
		}
		values["dateStart"] = start.Format(timeLayout)
	}
	end, ok := moment(values["dateEnd"])
	if !ok {
		end = start.Add(time.Duration(seconds(values[DurationField])) * time.Second)
	}
	if end.Before(start) {
		end = start
	}
	values["dateEnd"] = end.Format(timeLayout)
	return s.completeOwner(ctx, values)
}

// completeOwner gives a new record its assigned user where the mapping did not.
func (s *session) completeOwner(ctx context.Context, values attributes) error {
	if values.text("assignedUserId") != "" {
		return nil
	}
	owner, err := s.fallbackOwner(ctx)
	values["assignedUserId"] = owner
	return err
}

func seconds(v any) int64 {
	switch v := v.(type) {
	case int64:
		return max(v, 0)
	case int:
		return max(int64(v), 0)
	case float64:
		return int64(min(max(v, 0), 1e7))
	}
	return 0
}

func (s *session) updateCall(ctx context.Context, id string, values attributes) (connectors.Written, error) {
	written := connectors.Written{RemoteID: id, URL: s.recordURL("Call", id)}
	required(values, "name", "dateStart", "dateEnd", "assignedUserId", "status")
	start, hasStart := moment(values["dateStart"])
	if end, ok := moment(values["dateEnd"]); ok && hasStart && end.Before(start) {
		values["dateEnd"] = values["dateStart"]
	}
	if len(values) == 0 {
		return written, nil
	}
	sent := maps.Clone(values)
	answer, warnings, err := s.update(ctx, "Call", id, values)
	written.Warnings = warnings
	if err == nil {
		written.Stored = s.stored(sent, nil, answer)
	}
	return written, err
}

// required leaves attributes that EspoCRM demands as they are, where a mapping would clear them.
func required(values attributes, names ...string) {
	for _, name := range names {
		if v, ok := values[name]; ok && (v == nil || v == "") {
			delete(values, name)
		}
	}
}

// cutKey keeps a key within its field. callsync's keys are far shorter; a longer one must not be cut in silence by a
// repair, or it would not be found.
func cutKey(key string) string { return cut(key, maxKey) }

// FindCall implements connectors.CallFinder.
func (s *session) FindCall(ctx context.Context, key string) (string, bool, error) {
	r, ok, err := s.byKey(ctx, "Call", cutKey(key))
	return r.text("id"), ok, err
}

// ReadCall implements connectors.CallReader.
func (s *session) ReadCall(ctx context.Context, id string, fields []string) (map[string]any, error) {
	return s.readFields(ctx, "Call", id, fields)
}

// readFields reads fields of a record as it is now.
func (s *session) readFields(ctx context.Context, entity, id string, fields []string) (map[string]any, error) {
	r, err := s.get(ctx, entity, id)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(fields))
	for _, f := range fields {
		out[f] = decode(r[f])
	}
	return out, nil
}

// LinkCall implements connectors.Linker. It reads the call and writes the list of those who took part with one more: the
// request that adds a single one (POST Call/{id}/contacts) would need the right to edit contacts. Who is the call's parent
// is only said where nobody has.
func (s *session) LinkCall(ctx context.Context, callID string, to connectors.Ref) error {
	parent, ok := parents[to.Object]
	if !ok || to.Object == connectors.ObjectCall {
		return &connectors.Error{Class: connectors.Unsupported, Public: "callsync cannot tie an EspoCRM call to a record of this kind."}
	}
	r, err := s.get(ctx, "Call", callID)
	if err != nil {
		return err
	}
	values := attributes{}
	if name := people[to.Object]; name != "" && !slices.Contains(r.list(name), to.ID) {
		values[name] = append(r.list(name), to.ID)
	}
	if r.text("parentId") == "" {
		values["parentType"], values["parentId"] = parent, to.ID
	}
	if len(values) == 0 {
		return nil
	}
	_, _, err = s.update(ctx, "Call", callID, values)
	return err
}
