package pipedrive

import "context"

// TaskOpen implements connectors.TaskReader: a task is an activity that is not done.
func (s *session) TaskOpen(ctx context.Context, id string) (bool, error) {
	a, err := s.call(ctx, id)
	return err == nil && !a.Done, err
}
