package hubspot

import (
	"context"
	"slices"
	"strconv"

	"github.com/callsync/callsync/connectors"
)

// WriteTask implements connectors.TaskWriter. hs_timestamp is when the task is due.
func (s *session) WriteTask(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeRecord(ctx, tasks, w, map[string]string{"hs_task_status": "NOT_STARTED"})
}

// CompleteTask implements connectors.TaskWriter.
func (s *session) CompleteTask(ctx context.Context, id string) error {
	return s.update(ctx, tasks, id, map[string]string{"hs_task_status": "COMPLETED"})
}

// WriteNote implements connectors.NoteWriter.
func (s *session) WriteNote(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeRecord(ctx, notes, w, nil)
}

// WriteForm implements connectors.FormWriter: a form submission is a note on its contact.
func (s *session) WriteForm(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeRecord(ctx, notes, w, nil)
}

// WriteTicket implements connectors.TicketWriter. Every account has the pipeline 0, whose first stage is 1.
func (s *session) WriteTicket(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	if w.Fields["hs_pipeline"] == nil && w.Fields["hs_pipeline_stage"] == nil {
		return s.writeRecord(ctx, tickets, w, map[string]string{"hs_pipeline": "0", "hs_pipeline_stage": "1"})
	}
	// A stage belongs to its pipeline: what the mapping says of one of them must not meet a default of the other.
	return s.writeRecord(ctx, tickets, w, nil)
}

// LogMessage implements connectors.MessageLogger: a text message is a communication.
func (s *session) LogMessage(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeRecord(ctx, communications, w, map[string]string{"hs_communication_channel_type": "SMS", "hs_communication_logged_from": "CRM"})
}

// writeRecord upserts by RecordKey and ties a new record to what it belongs to. defaults are values that HubSpot wants and
// the mapping may leave out. An update ties nothing: a person may have moved the record.
func (s *session) writeRecord(ctx context.Context, object string, w connectors.RecordWrite, defaults map[string]string) (connectors.Written, error) {
	props, warnings, err := encode(w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	if w.RemoteID == "" {
		if slices.Contains(required[object], "hs_timestamp") && props["hs_timestamp"] == "" {
			props["hs_timestamp"] = strconv.FormatInt(s.now().UnixMilli(), 10)
		}
		for name, v := range defaults {
			if props[name] == "" {
				props[name] = v
			}
		}
	}
	out, err := s.write(ctx, object, RecordKey, w.Key, w.RemoteID, props, warnings)
	if err != nil || w.RemoteID != "" {
		return out, err
	}
	for _, to := range w.Links {
		if !linkable(to) || objects[to.Object] == object {
			continue
		}
		switch err := s.link(ctx, object, out.RemoteID, to); {
		case err == nil:
			out.Linked = append(out.Linked, to)
		case connectors.AsError(err).Class.Retryable():
			e := *connectors.AsError(err)
			e.RemoteID, e.Made, e.NotSent = out.RemoteID, true, false
			return out, &e
		default:
			// The record is there, and somebody who cannot be tied to it is no reason to lose it.
			out.Warnings = append(out.Warnings, connectors.Warning{Field: to.Object,
				Text: "It could not be tied to this " + to.Object + ": " + connectors.AsError(err).Public})
		}
	}
	return out, nil
}

// LinkRecord implements connectors.RecordLinker.
func (s *session) LinkRecord(ctx context.Context, object, id string, to connectors.Ref) error {
	name := objects[object]
	if !linkable(to) || name == "" || objects[to.Object] == name {
		return &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: "callsync cannot tie this HubSpot record to one of that kind."}
	}
	return s.link(ctx, name, id, to)
}

// FindRecord implements connectors.RecordFinder.
func (s *session) FindRecord(ctx context.Context, object, key string) (string, bool, error) {
	name := objects[object]
	if !slices.Contains([]string{tasks, notes, tickets, communications}, name) {
		return "", false, &connectors.Error{Class: connectors.Unsupported, Public: "callsync writes no records of this kind to HubSpot."}
	}
	r, ok, err := s.find(ctx, name, RecordKey, key)
	if field := connectors.AsError(err); err != nil && field.Class == connectors.Invalid {
		// Without the property nothing was ever written by it.
		if p, _, kerr := s.ensureKey(ctx, name, RecordKey); kerr == nil && p.HasUniqueValue {
			return "", false, nil
		}
	}
	return r.ID, ok, err
}

// ReadRecord implements connectors.RecordReader.
func (s *session) ReadRecord(ctx context.Context, object, id string, fields []string) (map[string]any, error) {
	name := objects[object]
	if !slices.Contains([]string{tasks, notes, tickets, communications}, name) {
		return nil, &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: "callsync reads no records of this kind in HubSpot."}
	}
	return s.readFields(ctx, name, id, fields)
}
