package espocrm

import (
	"context"
	"net/http"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// writeRecord creates or updates a task or case.
func (s *session) writeRecord(ctx context.Context, entity string, w connectors.RecordWrite) (connectors.Written, error) {
	values, err := encode(w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	if w.RemoteID != "" {
		written := connectors.Written{RemoteID: w.RemoteID, URL: s.recordURL(entity, w.RemoteID)}
		required(values, "name", "assignedUserId", "status")
		if len(values) == 0 {
			return written, nil
		}
		_, written.Warnings, err = s.update(ctx, entity, w.RemoteID, values)
		return written, err
	}
	values[s.keyField] = cutKey(w.Key)
	if values.text("name") == "" {
		values["name"] = entity
	}
	if err := s.completeOwner(ctx, values); err != nil {
		return connectors.Written{}, err
	}
	linked := attach(entity, values, w.Links)
	out, warnings, err := s.create(ctx, entity, values)
	if err != nil {
		return connectors.Written{}, err
	}
	id := out.text("id")
	return connectors.Written{RemoteID: id, URL: s.recordURL(entity, id), Created: true, Linked: linked, Warnings: warnings}, nil
}

// WriteTask implements connectors.TaskWriter.
func (s *session) WriteTask(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeRecord(ctx, "Task", w)
}

// closedTask are the statuses in which nothing is left to do.
var closedTask = map[string]bool{"Completed": true, "Canceled": true}

// CompleteTask implements connectors.TaskWriter. A task that somebody has canceled stays so.
func (s *session) CompleteTask(ctx context.Context, id string) error {
	r, err := s.get(ctx, "Task", id)
	if err != nil || closedTask[r.text("status")] {
		return err
	}
	_, _, err = s.update(ctx, "Task", id, attributes{"status": "Completed"})
	return err
}

// WriteTicket implements connectors.TicketWriter: a case.
func (s *session) WriteTicket(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeRecord(ctx, "Case", w)
}

// A note is a post in the stream of its record. It takes no custom fields that an admin could add, so callsync's key
// is in its text, as a link definition, which Markdown does not show.
const (
	markOpen  = "\n\n[//]: # (callsync "
	markClose = ")"
)

// marked adds the key to a note's text, in which nobody else may have put one.
func marked(post, key string) string {
	return strings.ReplaceAll(post, strings.TrimSpace(markOpen), "[//]: # (") + markOpen + key + markClose
}

// findNote looks for our note by its key.
func (s *session) findNote(ctx context.Context, key string) (attributes, bool, error) {
	if key == "" {
		return nil, false, nil
	}
	mark := strings.TrimSpace(markOpen+key) + markClose
	list, err := s.search(ctx, "Note", search{where: []where{{Type: "equals", Attribute: "type", Value: "Post"}, {Type: "contains", Attribute: "post", Value: mark}},
		order: "createdAt", limit: 5})
	if err != nil {
		return nil, false, err
	}
	for _, n := range list {
		if strings.HasSuffix(n.text("post"), mark) {
			return n, true, nil
		}
	}
	return nil, false, nil
}

// writeNote creates or updates a post.
func (s *session) writeNote(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	values, err := encode(w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	if _, ok := values["post"]; ok || w.RemoteID == "" {
		values["post"] = marked(values.text("post"), w.Key)
	}
	if w.RemoteID != "" {
		written := connectors.Written{RemoteID: w.RemoteID}
		if len(values) == 0 {
			return written, nil
		}
		_, written.Warnings, err = s.update(ctx, "Note", w.RemoteID, values)
		return written, err
	}
	linked := attach("Note", values, w.Links)
	if values.text("parentId") == "" {
		return connectors.Written{}, &connectors.Error{Class: connectors.Unsupported,
			Public: "EspoCRM keeps notes and messages on a record, and this one belongs to none. Choose its contact, or have contacts created for unknown numbers, then retry."}
	}
	values["type"] = "Post"
	out, warnings, err := s.create(ctx, "Note", values)
	if err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: out.text("id"), URL: s.recordURL(values.text("parentType"), values.text("parentId")), Created: true, Linked: linked, Warnings: warnings}, nil
}

// WriteNote implements connectors.NoteWriter.
func (s *session) WriteNote(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeNote(ctx, w)
}

// LogMessage implements connectors.MessageLogger: EspoCRM's own text messages are for sending, so it becomes a note.
func (s *session) LogMessage(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeNote(ctx, w)
}

// WriteForm implements connectors.FormWriter: a note.
func (s *session) WriteForm(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeNote(ctx, w)
}

// FindRecord implements connectors.RecordFinder.
func (s *session) FindRecord(ctx context.Context, object, key string) (string, bool, error) {
	switch entity := entities[object]; entity {
	case "Note":
		r, ok, err := s.findNote(ctx, key)
		return r.text("id"), ok, err
	case "Task", "Case":
		r, ok, err := s.byKey(ctx, entity, cutKey(key))
		return r.text("id"), ok, err
	}
	return "", false, nil
}

// maxDeals is how many open deals of a contact are looked at.
const maxDeals = 100

// OpenDeals implements connectors.DealToucher. EspoCRM's filter "open" knows which stages the account has.
func (s *session) OpenDeals(ctx context.Context, of connectors.Ref) ([]connectors.Deal, error) {
	var condition where
	switch of.Object {
	case connectors.ObjectContact:
		condition = where{Type: "linkedWith", Attribute: "contacts", Value: []string{of.ID}}
	case connectors.ObjectCompany:
		condition = where{Type: "equals", Attribute: "accountId", Value: of.ID}
	default:
		return nil, nil
	}
	list, err := s.search(ctx, "Opportunity", search{where: []where{condition}, filter: "open",
		fields: []string{"id", "name", "assignedUserId", "modifiedAt"}, order: "modifiedAt", desc: true, limit: maxDeals})
	if err != nil {
		return nil, err
	}
	out := []connectors.Deal{}
	for _, r := range list {
		d := connectors.Deal{Ref: connectors.Ref{Object: connectors.ObjectDeal, ID: r.text("id")}, Name: r.text("name"), OwnerID: r.text("assignedUserId")}
		d.ModifiedAt, _ = moment(r["modifiedAt"])
		out = append(out, d)
	}
	return out, nil
}

// TouchDeal implements connectors.DealToucher.
func (s *session) TouchDeal(ctx context.Context, id string, fields map[string]any) error {
	values, err := encode(fields)
	if err != nil || len(values) == 0 {
		return err
	}
	q := request{method: http.MethodPut, name: "update of Opportunity", entity: "Opportunity", path: recordPath("Opportunity", id), header: skipDuplicates}
	_, _, err = s.save(ctx, q, values)
	return err
}
