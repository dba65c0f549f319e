package espocrm

import "context"

// TaskOpen implements connectors.TaskReader.
func (s *session) TaskOpen(ctx context.Context, id string) (bool, error) {
	r, err := s.get(ctx, "Task", id)
	return err == nil && !closedTask[r.text("status")], err
}
