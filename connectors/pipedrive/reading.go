package pipedrive

import (
	"context"
	"time"

	"github.com/callsync/callsync/connectors"
)

// noteRecord is a note as version 1 answers. AddTime is UTC.
type noteRecord struct {
	ID       int64  `json:"id"`
	Content  string `json:"content"`
	AddTime  string `json:"add_time"`
	UserID   int64  `json:"user_id"`
	PersonID int64  `json:"person_id"`
	OrgID    int64  `json:"org_id"`
	DealID   int64  `json:"deal_id"`
	LeadID   string `json:"lead_id"`
	// Active is false of a note that somebody deleted; answers without it are of notes that are there.
	Active *bool `json:"active_flag"`
}

// ReadRecord implements connectors.RecordReader: tasks are activities; notes, messages and forms are notes.
func (s *session) ReadRecord(ctx context.Context, object, id string, fields []string) (map[string]any, error) {
	out := make(map[string]any, len(fields))
	switch object {
	case connectors.ObjectTask:
		if _, ok := number(id); !ok {
			return nil, gone()
		}
		a, err := s.call(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			v, ok := a.value(f)
			if !ok {
				v = nowhere{}
			}
			out[f] = v
		}
		return out, nil
	case connectors.ObjectNote, connectors.ObjectMessage, connectors.ObjectForm:
		if _, ok := number(id); !ok {
			return nil, gone()
		}
		var n noteRecord
		if err := s.do(ctx, request{endpoint: readNote, name: "read of a note", id: id}, &n); err != nil {
			return nil, err
		}
		if n.Active != nil && !*n.Active {
			return nil, gone()
		}
		for _, f := range fields {
			out[f] = n.value(f)
		}
		return out, nil
	}
	return nil, unsupported("callsync reads no records of this kind in Pipedrive.")
}

// nowhere is what reads a field of a call log, such as outcome, that a task's mapping names: activities have no place for it,
// so it is never somebody's edit.
type nowhere struct{}

// value reads a field under the name that mappings have for it; nil where it is empty.
func (n noteRecord) value(name string) any {
	for f, id := range map[string]int64{"user_id": n.UserID, "person_id": n.PersonID, "org_id": n.OrgID, "deal_id": n.DealID} {
		if f == name && id != 0 {
			return id
		}
	}
	switch name {
	case "content":
		if text, _ := unmarked(n.Content); text != "" {
			return text
		}
	case "lead_id":
		if n.LeadID != "" {
			return n.LeadID
		}
	case "add_time":
		if at, err := time.Parse(dateForm+" "+timeForm, n.AddTime); err == nil {
			return at
		}
	}
	return nil
}
