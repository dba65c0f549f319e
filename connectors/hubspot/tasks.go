package hubspot

import (
	"context"
	"net/url"
)

// TaskOpen implements connectors.TaskReader. Of HubSpot's statuses only COMPLETED means that nothing is left to do
// (developers.hubspot.com/docs/api/crm/tasks).
func (s *session) TaskOpen(ctx context.Context, id string) (bool, error) {
	var r record
	err := s.do(ctx, get("read of tasks", s.api.object(tasks, id), url.Values{"properties": {"hs_task_status"}}), &r)
	return err == nil && r.property("hs_task_status") != "COMPLETED", err
}
