package zoho

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// writeRecord creates or updates a task or case. defaults are values that Zoho wants and the mapping may leave out.
func (s *session) writeRecord(ctx context.Context, module string, w connectors.RecordWrite, defaults values, demanded ...string) (connectors.Written, error) {
	fields, warnings, err := encode(module, w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	required(fields, append([]string{"Subject", "Owner"}, demanded...)...)
	if w.RemoteID != "" {
		return s.update(ctx, module, w.RemoteID, fields, warnings)
	}
	for name, v := range defaults {
		if fields[name] == nil {
			fields[name] = v
		}
	}
	return s.create(ctx, module, w.Key, fields, w.Links, warnings)
}

// The statuses of tasks that an unchanged account has.
const (
	taskOpen = "Not Started"
	taskDone = "Completed"
)

// WriteTask implements connectors.TaskWriter.
func (s *session) WriteTask(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeRecord(ctx, tasks, w, values{"Subject": "Follow up", "Status": taskOpen}, "Status")
}

// CompleteTask implements connectors.TaskWriter.
func (s *session) CompleteTask(ctx context.Context, id string) error {
	_, err := s.update(ctx, tasks, id, values{"Status": taskDone}, nil)
	return err
}

// TaskOpen implements connectors.TaskReader.
func (s *session) TaskOpen(ctx context.Context, id string) (bool, error) {
	r, err := s.record(ctx, tasks, id, url.Values{"fields": {"id,Status"}})
	if err != nil {
		return false, err
	}
	status := strings.ToLower(r.text("Status"))
	return status != strings.ToLower(taskDone) && !strings.HasPrefix(status, "cancel"), nil
}

// LogMessage implements connectors.MessageLogger: a text message is a closed task, as Zoho has no place for it.
func (s *session) LogMessage(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeRecord(ctx, tasks, w, values{"Subject": "Text message", "Status": taskDone}, "Status")
}

// WriteForm implements connectors.FormWriter: a form submission is a closed task.
func (s *session) WriteForm(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeRecord(ctx, tasks, w, values{"Subject": "Form submission", "Status": taskDone}, "Status")
}

// WriteTicket implements connectors.TicketWriter: a case of Zoho CRM (Zoho Desk is another product).
func (s *session) WriteTicket(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeRecord(ctx, cases, w, values{"Subject": "Case", "Status": "New", "Case_Origin": "Phone"}, "Status", "Case_Origin")
}

// LinkRecord implements connectors.RecordLinker. A note cannot move to another record.
func (s *session) LinkRecord(ctx context.Context, object, id string, to connectors.Ref) error {
	module := modules[object]
	if module != tasks && module != cases {
		return &connectors.Error{Class: connectors.Unsupported, Public: "callsync cannot tie a record of this kind in Zoho CRM to another one later."}
	}
	return s.link(ctx, module, id, to)
}

// FindRecord implements connectors.RecordFinder.
func (s *session) FindRecord(ctx context.Context, object, key string) (string, bool, error) {
	switch module := modules[object]; module {
	case tasks, cases:
		r, ok, err := s.byKey(ctx, module, key)
		return r.text("id"), ok, err
	case notes:
		return s.searchNote(ctx, key)
	}
	return "", false, &connectors.Error{Class: connectors.Unsupported, Public: "callsync writes no records of this kind to Zoho CRM."}
}

// WriteTranscription implements connectors.TranscriptionWriter: a note of the call.
func (s *session) WriteTranscription(ctx context.Context, w connectors.TranscriptionWrite) (connectors.Written, error) {
	title := "Transcription"
	if who := slices.DeleteFunc([]string{w.Customer, w.Agent}, func(s string) bool { return s == "" }); len(who) == 2 {
		title += " of " + who[0] + " and " + who[1]
	}
	if w.Duration > 0 {
		title += " (" + duration(w.Duration.Seconds()) + ")"
	}
	return s.writeNote(ctx, connectors.RecordWrite{Key: w.Key, RemoteID: w.RemoteID, Fields: map[string]any{"Note_Title": title, "Note_Content": w.Text},
		Links: []connectors.Ref{{Object: connectors.ObjectCall, ID: w.CallID}}})
}

// ReadRecord implements connectors.RecordReader, for tasks and cases, which are what follow-ups, messages and forms become, and
// for notes, without callsync's key in their titles.
func (s *session) ReadRecord(ctx context.Context, object, id string, fields []string) (map[string]any, error) {
	switch module := modules[object]; module {
	case tasks, cases:
		return s.readFields(ctx, module, id, fields)
	case notes:
		out, err := s.readFields(ctx, notes, id, fields)
		if title, ok := out["Note_Title"].(string); ok {
			out["Note_Title"] = unmarked(title)
		}
		return out, err
	}
	return nil, &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: "callsync reads no records of this kind in Zoho CRM."}
}
