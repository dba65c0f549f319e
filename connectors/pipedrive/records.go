package pipedrive

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// WriteTask implements connectors.TaskWriter: an activity that is not done.
func (s *session) WriteTask(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	body, linked, warn, err := taskBody(w)
	if err != nil {
		return connectors.Written{}, err
	}
	out := connectors.Written{RemoteID: w.RemoteID, Linked: linked, Warnings: warn}
	if w.RemoteID != "" {
		if len(body) == 0 {
			return out, nil
		}
		return out, s.do(ctx, request{endpoint: updateActivity, name: "update of a task", id: w.RemoteID, body: body}, nil)
	}
	for name, v := range map[string]any{"subject": "Follow-up", "type": "task", "note": marked("", cleanKey(w.Key))} {
		if body[name] == nil {
			body[name] = v
		}
	}
	body["done"] = false
	out.Created = true
	out.RemoteID, err = s.newActivity(ctx, "create of a task", body)
	return out, err
}

// taskBody translates the mapped fields of a task.
func taskBody(w connectors.RecordWrite) (body map[string]any, linked []connectors.Ref, warn warnings, err error) {
	fields := maps.Clone(w.Fields)
	body = map[string]any{}
	if due, ok, err := asTime("due_date", fields["due_date"]); err != nil {
		return nil, nil, nil, err
	} else if ok {
		body["due_date"], body["due_time"] = due.Format(dateForm), due.Format(timeForm)
	}
	owner, owned, err := asNumber("owner_id", fields["owner_id"])
	if err != nil {
		return nil, nil, nil, err
	}
	if owned {
		body["owner_id"] = owner
	}
	delete(fields, "due_date")
	delete(fields, "owner_id")
	// What is left are fields of activities as a call has them. An activity cannot be tied to the activity of a call.
	links := slices.DeleteFunc(slices.Clone(w.Links), func(l connectors.Ref) bool { return l.Object == connectors.ObjectCall })
	p, err := planCall(connectors.CallWrite{Key: w.Key, Fields: fields, Links: links})
	if err != nil {
		return nil, nil, nil, err
	}
	maps.Copy(body, p.act)
	if p.person != 0 {
		body["participants"] = []participant{{p.person, true}}
	}
	return body, p.linked, p.warnings, nil
}

// CompleteTask implements connectors.TaskWriter.
func (s *session) CompleteTask(ctx context.Context, id string) error {
	return s.do(ctx, request{endpoint: updateActivity, name: "completion of a task", id: id, body: map[string]any{"done": true}}, nil)
}

// WriteNote implements connectors.NoteWriter.
func (s *session) WriteNote(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.note(ctx, w, "note")
}

// LogMessage implements connectors.MessageLogger: a text message is a note on its person, for Pipedrive has no other place
// for messages that were sent elsewhere.
func (s *session) LogMessage(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.note(ctx, w, "message")
}

// WriteForm implements connectors.FormWriter: a submission is a note on its person or lead.
func (s *session) WriteForm(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.note(ctx, w, "form")
}

func (s *session) note(ctx context.Context, w connectors.RecordWrite, what string) (connectors.Written, error) {
	body, warn, err := noteBody(w)
	if err != nil {
		return connectors.Written{}, err
	}
	out := connectors.Written{RemoteID: w.RemoteID, Warnings: warn}
	if w.RemoteID != "" {
		if len(body) == 0 {
			return out, nil
		}
		return out, s.do(ctx, request{endpoint: updateNote, name: "update of a " + what, id: w.RemoteID, body: body}, nil)
	}
	var linked []connectors.Ref
	for _, ref := range w.Links {
		name := map[string]string{connectors.ObjectContact: "person_id", connectors.ObjectCompany: "org_id", connectors.ObjectDeal: "deal_id"}[ref.Object]
		n, numeric := number(ref.ID)
		switch {
		case ref.Object == connectors.ObjectLead:
			body["lead_id"] = ref.ID
		case name != "" && numeric:
			body[name] = n
		default:
			continue // calls: Pipedrive ties notes to persons, organizations, deals and leads only
		}
		linked = append(linked, ref)
	}
	if body["person_id"] == nil && body["org_id"] == nil && body["deal_id"] == nil && body["lead_id"] == nil {
		return connectors.Written{}, invalid("person_id", "A note in Pipedrive belongs to a person, organization, deal or lead, and none is known here. Let callsync create contacts for unknown numbers, then retry.")
	}
	if body["content"] == nil {
		body["content"] = marked("", cleanKey(w.Key))
	}
	q := request{endpoint: createNote, name: "create of a " + what, body: body}
	var n struct {
		ID int64 `json:"id"`
	}
	if err := s.do(ctx, q, &n); err != nil {
		return connectors.Written{}, err
	}
	if n.ID == 0 {
		return connectors.Written{}, connectors.Unreadable(Label, "pipedrive "+q.name, q.reads())
	}
	out.RemoteID, out.Created, out.Linked = strconv.FormatInt(n.ID, 10), true, linked
	return out, nil
}

// noteBody translates the mapped fields of a note.
func noteBody(w connectors.RecordWrite) (body map[string]any, warn warnings, err error) {
	body = map[string]any{}
	for name, v := range w.Fields {
		switch name {
		case "content":
			t, err := asText(name, v)
			if err != nil {
				return nil, nil, err
			}
			body[name] = marked(warn.cut(name, t, maxNote), cleanKey(w.Key))
		case "add_time":
			at, ok, err := asTime(name, v)
			if err != nil {
				return nil, nil, err
			}
			if ok {
				body[name] = at.Format(dateForm + " " + timeForm)
			}
		case "user_id", "person_id", "org_id", "deal_id":
			n, ok, err := asNumber(name, v)
			if err != nil {
				return nil, nil, err
			}
			if ok {
				body[name] = n
			}
		case "lead_id":
			t, err := asText(name, v)
			if err != nil {
				return nil, nil, err
			}
			if t = strings.TrimSpace(t); t != "" {
				body[name] = t
			}
		default:
			return nil, nil, invalid(name, "Pipedrive's notes have no field “"+name+"”. Take it out of the mapping, then retry.")
		}
	}
	return body, warn, nil
}

// FindRecord implements connectors.RecordFinder, among the records of the last days.
func (s *session) FindRecord(ctx context.Context, object, key string) (string, bool, error) {
	switch object {
	case connectors.ObjectTask:
		id, ok, err := s.findActivity(ctx, key)
		return idText(id), ok, err
	case connectors.ObjectNote, connectors.ObjectMessage, connectors.ObjectForm:
		return s.findNote(ctx, key)
	}
	return "", false, nil
}

func (s *session) findNote(ctx context.Context, key string) (string, bool, error) {
	q := url.Values{"updated_since": {s.now().Add(-lookBack).UTC().Format(sinceForm)}, "sort": {"add_time DESC"}, "start": {"0"}, "limit": {"100"}}
	for range lookPages {
		var list []struct {
			ID      int64  `json:"id"`
			Content string `json:"content"`
		}
		next, err := s.ask(ctx, request{endpoint: listNotes, name: "look-up of notes", query: q}, &list)
		if err != nil {
			return "", false, err
		}
		for _, n := range list {
			if _, k := unmarked(n.Content); k == cleanKey(key) {
				return idText(n.ID), true, nil
			}
		}
		if len(list) == 0 || !next.Pagination.More {
			return "", false, nil
		}
		start, _ := strconv.ParseInt(q.Get("start"), 10, 64)
		q.Set("start", strconv.FormatInt(max(next.Pagination.Next, start+1), 10))
	}
	return "", false, tooMany("notes")
}
