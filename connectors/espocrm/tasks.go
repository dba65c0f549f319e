package espocrm

import (
	"context"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// TaskOpen implements connectors.TaskReader.
func (s *session) TaskOpen(ctx context.Context, id string) (bool, error) {
	r, err := s.get(ctx, "Task", id)
	return err == nil && !closedTask[r.text("status")], err
}

// ReadRecord implements connectors.RecordReader. callsync's own mark at the end of a post is none of its text.
func (s *session) ReadRecord(ctx context.Context, object, id string, fields []string) (map[string]any, error) {
	entity := entities[object]
	if entity != "Task" && entity != "Case" && entity != "Note" {
		return nil, &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: "callsync reads no records of this kind in EspoCRM."}
	}
	out, err := s.readFields(ctx, entity, id, fields)
	if post, ok := out["post"].(string); ok && entity == "Note" {
		if at := strings.LastIndex(post, strings.TrimSpace(markOpen)); at >= 0 {
			out["post"] = strings.TrimRight(post[:at], "\n")
		}
	}
	return out, err
}
