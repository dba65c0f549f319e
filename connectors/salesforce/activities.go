package salesforce

import (
	"context"
	"net/http"

	"github.com/callsync/callsync/connectors"
)

// writeTask writes a Task that is no call.
func (s *session) writeTask(ctx context.Context, w connectors.RecordWrite, subject, status string) (connectors.Written, error) {
	v, warnings, err := s.encode(objTask, w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	var linked []connectors.Ref
	if w.RemoteID == "" {
		setDefault(v, "Subject", subject)
		setDefault(v, "Status", status)
		linked = attach(objTask, v, w.Links)
	}
	out, err := s.write(ctx, objTask, w.Key, w.RemoteID, v, nil)
	out.Linked, out.Warnings = linked, append(warnings, out.Warnings...)
	return out, err
}

// WriteTask implements connectors.TaskWriter.
func (s *session) WriteTask(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeTask(ctx, w, "Task", "Not Started")
}

// CompleteTask implements connectors.TaskWriter. One that is closed already stays in the state in which it was closed.
func (s *session) CompleteTask(ctx context.Context, id string) error {
	open, err := s.TaskOpen(ctx, id)
	if err != nil || !open {
		return err
	}
	_, err = s.update(ctx, objTask, id, values{"Status": "Completed"})
	return err
}

// TaskOpen implements connectors.TaskReader. Which statuses are closed, an org decides.
func (s *session) TaskOpen(ctx context.Context, id string) (bool, error) {
	r, err := s.byID(ctx, objTask, id, "IsClosed")
	if err != nil {
		return false, err
	}
	closed, _ := r["IsClosed"].(bool)
	return !closed, nil
}

// WriteNote implements connectors.NoteWriter: a completed Task, which stands in the timeline of its record beside the calls
// and has our key; Salesforce's own notes have no place for one.
func (s *session) WriteNote(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeTask(ctx, w, "Note", "Completed")
}

// LogMessage implements connectors.MessageLogger: a completed Task. Salesforce has no subtype of Task for text messages.
func (s *session) LogMessage(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeTask(ctx, w, "Text message", "Completed")
}

// WriteForm implements connectors.FormWriter: a completed Task.
func (s *session) WriteForm(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return s.writeTask(ctx, w, "Form submission", "Completed")
}

// WriteTicket implements connectors.TicketWriter: a Case.
func (s *session) WriteTicket(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	v, warnings, err := s.encode(objCase, w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	header := map[string]string{}
	var linked []connectors.Ref
	if w.RemoteID == "" {
		if v.text("OwnerId") != "" {
			header[keepOwner[0]] = keepOwner[1]
		}
		linked = attach(objCase, v, w.Links)
	}
	out, err := s.write(ctx, objCase, w.Key, w.RemoteID, v, header)
	out.Linked, out.Warnings = linked, append(warnings, out.Warnings...)
	return out, err
}

// FindRecord implements connectors.RecordFinder.
func (s *session) FindRecord(ctx context.Context, object, key string) (string, bool, error) {
	name := objects[object]
	if name != objTask && name != objCase {
		return "", false, nil
	}
	r, ok, err := s.byKey(ctx, name, key)
	return r.text("Id"), ok, err
}

// OpenDeals implements connectors.DealToucher: the opportunities in which a contact has a role, or those of an account.
func (s *session) OpenDeals(ctx context.Context, of connectors.Ref) ([]connectors.Deal, error) {
	where := ""
	switch {
	case !recordID.MatchString(of.ID):
	case of.Object == connectors.ObjectContact:
		where = "Id IN (SELECT OpportunityId FROM OpportunityContactRole WHERE ContactId = " + quote(of.ID) + ")"
	case of.Object == connectors.ObjectCompany:
		where = "AccountId = " + quote(of.ID)
	}
	if where == "" {
		return nil, nil
	}
	rows, err := s.selectRows(ctx, objOpportunity, "SELECT Id, Name, OwnerId, LastModifiedDate FROM Opportunity WHERE IsClosed = false AND "+where+
		" ORDER BY LastModifiedDate DESC LIMIT 100", false)
	if err != nil {
		return nil, err
	}
	out := []connectors.Deal{}
	for _, r := range rows {
		d := connectors.Deal{Ref: connectors.Ref{Object: connectors.ObjectDeal, ID: r.text("Id")}, Name: r.text("Name"), OwnerID: r.text("OwnerId")}
		d.ModifiedAt, _ = moment(r["LastModifiedDate"])
		out = append(out, d)
	}
	return out, nil
}

// TouchDeal implements connectors.DealToucher.
func (s *session) TouchDeal(ctx context.Context, id string, fields map[string]any) error {
	v, _, err := s.encode(objOpportunity, fields)
	if err != nil {
		return err
	}
	if !recordID.MatchString(id) {
		return &connectors.Error{Class: connectors.NotFound, Public: connectors.Sentence(connectors.NotFound, Label)}
	}
	_, err = s.update(ctx, objOpportunity, id, v)
	return err
}

// batchRow is one record of a collection's answer.
type batchRow struct {
	ID      string        `json:"id"`
	Success bool          `json:"success"`
	Created bool          `json:"created"`
	Errors  []vendorError `json:"errors"`
}

// collection writes up to 200 records in one request. Its answer has a row for each, in their order.
func (s *session) collection(ctx context.Context, object string, records []values) ([]batchRow, request, error) {
	q := request{method: http.MethodPatch, name: "write of many " + label(objTask), object: objTask, path: s.collections(object), byKey: object != "",
		body: map[string]any{"allOrNone": false, "records": records}}
	var out []batchRow
	_, err := s.do(ctx, q, &out)
	if err == nil && len(out) != len(records) {
		err = connectors.Unreadable(Label, "salesforce "+q.name, q.reads)
	}
	return out, q, err
}

// ReadRecord implements connectors.RecordReader.
func (s *session) ReadRecord(ctx context.Context, object, id string, fields []string) (map[string]any, error) {
	name := objects[object]
	if name != objTask && name != objCase {
		return nil, &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: "callsync reads no records of this kind in Salesforce."}
	}
	return s.readFields(ctx, name, id, fields)
}
