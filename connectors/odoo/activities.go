package odoo

import (
	"context"
	"strings"

	"github.com/callsync/callsync/connectors"
)

const modelActivity = "mail.activity"

// quiet keeps Odoo from mailing the assignee of an activity, for which callsync's user would need an e-mail address.
var quiet = map[string]any{"mail_activity_quick_update": true}

// WriteTask implements connectors.TaskWriter: an activity in the chatter of the contact or lead, of the type Call, for what
// follows a call is to call back, unless the mapping says another.
func (s *session) WriteTask(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	v, warnings, err := s.mapped(ctx, modelActivity, w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	if w.RemoteID != "" {
		id, err := recordID(w.RemoteID)
		if err != nil {
			return connectors.Written{}, err
		}
		if _, err := s.read(ctx, modelActivity, id, "id"); err != nil {
			return connectors.Written{}, err
		}
		required(v, "date_deadline", "user_id", "activity_type_id", "summary")
		return connectors.Written{RemoteID: w.RemoteID, Warnings: warnings}, s.write(ctx, modelActivity, []int64{id}, v, quiet)
	}
	p, linked, err := s.placeFor(ctx, w.Links)
	if err != nil {
		return connectors.Written{}, err
	}
	required(v, "date_deadline", "user_id", "activity_type_id")
	if v["activity_type_id"] == nil {
		v["activity_type_id"] = activityCall
	}
	if v["date_deadline"] == nil {
		v["date_deadline"] = s.now().UTC().Format(dateLayout)
	}
	if v["summary"] == nil || v["summary"] == false {
		v["summary"] = "Follow up"
	}
	// Odoo 14 makes the text False of a note without text.
	if v["note"] == false || v["note"] == "" {
		delete(v, "note")
	}
	v["res_model_id"], v["res_id"] = modelIDs[p.model], p.id
	id, err := s.load(ctx, modelActivity, keyName(connectors.ObjectTask, w.Key), v, quiet)
	if err != nil {
		return connectors.Written{}, s.linked(ctx, p, err)
	}
	return connectors.Written{RemoteID: idText(id), URL: s.noteURL(p), Created: true, Linked: linked, Warnings: warnings}, nil
}

// CompleteTask implements connectors.TaskWriter. Odoo 17 and later archive an activity that is done; before, it becomes a
// message and is gone, as is one that somebody cancelled or deleted: then nothing tells the three apart.
func (s *session) CompleteTask(ctx context.Context, id string) error {
	open, err := s.TaskOpen(ctx, id)
	if err != nil || !open {
		return err
	}
	n, err := recordID(id)
	if err != nil {
		return err
	}
	return s.call(ctx, request{model: modelActivity, method: "action_feedback", ids: []int64{n}, args: []arg{{"feedback", false}}}, nil)
}

// TaskOpen implements connectors.TaskReader; see CompleteTask.
func (s *session) TaskOpen(ctx context.Context, id string) (bool, error) {
	n, err := recordID(id)
	if err != nil {
		return false, err
	}
	defs, ok, err := s.fields(ctx, modelActivity)
	if err != nil {
		return false, err
	}
	if !ok {
		return false, lacks(modelActivity)
	}
	_, keeps := defs["active"]
	fields := []string{"id"}
	if keeps {
		fields = append(fields, "active")
	}
	r, err := s.read(ctx, modelActivity, n, fields...)
	if connectors.IsClass(err, connectors.NotFound) && !keeps {
		return false, nil
	}
	return err == nil && (!keeps || r.flag("active")), err
}

// formModel tells whether forms become leads.
func (s *session) formIsLead(ctx context.Context, links []connectors.Ref) (bool, error) {
	if s.forms != formsLead {
		return false, nil
	}
	if p, ok := first(links); ok && p.model == "crm.lead" {
		// The sender is a lead already: the form is a note there.
		return false, nil
	}
	_, ok, err := s.fields(ctx, "crm.lead")
	return ok, err
}

// formFields are those of a lead that a form fills; the first is its text, and the rest has no place in a note.
var formFields = map[string]string{"description": fieldBody, "name": fieldSubject}

// WriteForm implements connectors.FormWriter: a new lead, or a note where the sender is a lead already, where Odoo has no
// CRM app, or where the connection says so.
func (s *session) WriteForm(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	model, id, err := s.formRecord(ctx, w)
	if err != nil {
		return connectors.Written{}, err
	}
	if model == ModelNote {
		fields := map[string]any{}
		for from, to := range formFields {
			if v, ok := w.Fields[from]; ok {
				fields[to] = v
			}
		}
		if user, ok := w.Fields[fieldUser]; ok {
			fields[fieldUser] = user
		}
		w.Fields = fields
		return s.writeNote(ctx, connectors.ObjectForm, w)
	}
	v, warnings, err := s.mapped(ctx, model, s.asText(ctx, model, w.Fields, "description"))
	if err != nil {
		return connectors.Written{}, err
	}
	if w.RemoteID != "" {
		required(v, "name", "type")
		return connectors.Written{RemoteID: w.RemoteID, URL: s.recordURL(model, id), Warnings: warnings}, s.write(ctx, model, []int64{id}, v, nil)
	}
	linked := partnerOf(v, w.Links)
	named(model, v)
	n, err := s.load(ctx, model, keyName(connectors.ObjectForm, w.Key), v, nil)
	if err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: leadForm + idText(n), URL: s.recordURL(model, n), Created: true, Linked: linked, Warnings: warnings}, nil
}

// leadForm begins the ids of forms that are leads: those of notes are numbers, too.
const leadForm = "lead-"

// formRecord is what a form is, or becomes.
func (s *session) formRecord(ctx context.Context, w connectors.RecordWrite) (model string, id int64, err error) {
	if w.RemoteID == "" {
		lead, err := s.formIsLead(ctx, w.Links)
		if err != nil || !lead {
			return ModelNote, 0, err
		}
		return "crm.lead", 0, nil
	}
	text, lead := strings.CutPrefix(w.RemoteID, leadForm)
	if id, err = recordID(text); err != nil || !lead {
		return ModelNote, id, err
	}
	_, err = s.read(ctx, "crm.lead", id, "id")
	return "crm.lead", id, err
}

// asText makes plain text of a field that mappings write as HTML, where this version of Odoo keeps it so.
func (s *session) asText(ctx context.Context, model string, fields map[string]any, name string) map[string]any {
	defs, _, err := s.fields(ctx, model)
	text, ok := fields[name].(string)
	if err != nil || !ok || defs[name].Type != "text" {
		return fields
	}
	out := make(map[string]any, len(fields))
	for k, v := range fields {
		out[k] = v
	}
	out[name] = htmlToText(text)
	return out
}

// partnerOf gives a record the contact of its links, and returns the link.
func partnerOf(v values, links []connectors.Ref) []connectors.Ref {
	for _, l := range links {
		if p, ok := placeOf(l); ok && p.model == "res.partner" {
			v["partner_id"] = dbID(p.id)
			return []connectors.Ref{l}
		}
	}
	return nil
}

// ticketModel is that of Odoo Enterprise's Helpdesk, and of OCA's helpdesk_mgmt.
const ticketModel = "helpdesk.ticket"

// WriteTicket implements connectors.TicketWriter. Its fields are unconfirmed but for name, description and partner_id,
// which both modules have.
func (s *session) WriteTicket(ctx context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	v, warnings, err := s.mapped(ctx, ticketModel, s.asText(ctx, ticketModel, w.Fields, "description"))
	if err != nil {
		return connectors.Written{}, err
	}
	if w.RemoteID != "" {
		id, err := recordID(w.RemoteID)
		if err != nil {
			return connectors.Written{}, err
		}
		if _, err := s.read(ctx, ticketModel, id, "id"); err != nil {
			return connectors.Written{}, err
		}
		required(v, "name", "description")
		return connectors.Written{RemoteID: w.RemoteID, URL: s.recordURL(ticketModel, id), Warnings: warnings}, s.write(ctx, ticketModel, []int64{id}, v, nil)
	}
	linked := partnerOf(v, w.Links)
	if text, _ := v["name"].(string); strings.TrimSpace(text) == "" {
		v["name"] = "Call"
	}
	if v["description"] == nil || v["description"] == false {
		// OCA's demands one.
		v["description"] = "-"
	}
	id, err := s.load(ctx, ticketModel, keyName(connectors.ObjectTicket, w.Key), v, nil)
	if err != nil {
		return connectors.Written{}, err
	}
	return connectors.Written{RemoteID: idText(id), URL: s.recordURL(ticketModel, id), Created: true, Linked: linked, Warnings: warnings}, nil
}

// FindRecord implements connectors.RecordFinder. An activity of before Odoo 17 is not found after it was done.
func (s *session) FindRecord(ctx context.Context, object, key string) (string, bool, error) {
	name := keyName(object, key)
	switch object {
	case connectors.ObjectTask:
		id, ok, err := s.byKey(ctx, modelActivity, name)
		return idText(id), ok, err
	case connectors.ObjectTicket:
		id, ok, err := s.byKey(ctx, ticketModel, name)
		return idText(id), ok, err
	case connectors.ObjectForm:
		id, ok, err := s.byKey(ctx, "crm.lead", name)
		if err != nil || ok {
			return leadForm + idText(id), ok, err
		}
		fallthrough
	case connectors.ObjectNote, connectors.ObjectMessage:
		id, ok, err := s.noteByKey(ctx, name)
		return idText(id), ok, err
	}
	return "", false, nil
}

// maxDeals is how many open deals of a contact are looked at.
const maxDeals = 100

// OpenDeals implements connectors.DealToucher: opportunities that are neither won nor lost. Odoo archives the lost ones.
func (s *session) OpenDeals(ctx context.Context, of connectors.Ref) ([]connectors.Deal, error) {
	p, ok := placeOf(of)
	if !ok || p.model != "res.partner" {
		return nil, nil
	}
	_, ok, err := s.fields(ctx, "crm.lead")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, lacks("crm.lead")
	}
	operator := "="
	if of.Object == connectors.ObjectCompany {
		// Its people's, too.
		operator = "child_of"
	}
	list, err := s.search(ctx, query{model: "crm.lead", domain: domain(domainTerm{"type", "=", "opportunity"}, domainTerm{"partner_id", operator, p.id}, domainTerm{"stage_id.is_won", "=", false}),
		fields: []string{"id", "name", "user_id", "write_date"}, order: "write_date desc", limit: maxDeals})
	if err != nil {
		return nil, err
	}
	out := []connectors.Deal{}
	for _, r := range list {
		out = append(out, connectors.Deal{Ref: connectors.Ref{Object: connectors.ObjectDeal, ID: idText(r.id("id"))}, Name: r.text("name"),
			OwnerID: idText(r.id("user_id")), ModifiedAt: r.moment("write_date")})
	}
	return out, nil
}

// TouchDeal implements connectors.DealToucher.
func (s *session) TouchDeal(ctx context.Context, id string, fields map[string]any) error {
	n, err := recordID(id)
	if err != nil {
		return err
	}
	v, _, err := s.mapped(ctx, "crm.lead", s.asText(ctx, "crm.lead", fields, "description"))
	if err != nil {
		return err
	}
	if _, err := s.read(ctx, "crm.lead", n, "id"); err != nil {
		return err
	}
	return s.write(ctx, "crm.lead", []int64{n}, v, nil)
}
