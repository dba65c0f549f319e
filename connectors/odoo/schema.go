package odoo

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// kinds are callsync's kinds of Odoo's field types. Those that are not here have no value that a mapping could give.
var kinds = map[string]connectors.FieldType{
	"char": connectors.TypeText, "text": connectors.TypeLongText, "html": connectors.TypeHTML, "integer": connectors.TypeNumber, "float": connectors.TypeNumber,
	"monetary": connectors.TypeNumber, "boolean": connectors.TypeBool, "date": connectors.TypeDate, "datetime": connectors.TypeDateTime,
	"selection": connectors.TypePicklist, "many2one": connectors.TypeRef, "many2many": connectors.TypeMulti,
}

// kept are the fields by which callsync itself ties and finds its records.
var kept = map[string]bool{"id": true, "model": true, "res_model": true, "res_model_id": true, "res_id": true, "message_id": true, "message_type": true, "subtype_id": true,
	"parent_id": true, "create_uid": true, "create_date": true, "write_uid": true, "write_date": true, "record_name": true}

// Describe implements connectors.SchemaDescriber. Calls have the common fields (see callModel) beside those of their model.
func (s *session) Describe(ctx context.Context, object string) (connectors.Schema, error) {
	out := connectors.Schema{Object: object, Fields: []connectors.SchemaField{}}
	switch object {
	case connectors.ObjectCall:
		m, defs, err := s.calls(ctx)
		if err == nil && m.model == ModelNote {
			defs, _, err = s.fields(ctx, ModelNote)
		}
		if err != nil {
			return out, err
		}
		out.Fields = append(out.Fields, commonFields(m)...)
		taken := map[string]bool{m.stop: true, m.partner: true, m.lead: true}
		for _, own := range m.fields {
			taken[own] = true
		}
		out.Fields = append(out.Fields, describe(defs, func(name string) bool {
			return commonCall[name] || taken[name] || name == "partner_ids" || name == "partner_id" || name == "opportunity_id"
		})...)
		return out, nil
	case connectors.ObjectNote, connectors.ObjectMessage:
		defs, ok, err := s.fields(ctx, ModelNote)
		if err != nil || !ok {
			return out, orLacks(err, ModelNote)
		}
		m := callModels[ModelNote].within(defs)
		for _, f := range commonFields(m) {
			if m.fields[f.Name] != "" {
				out.Fields = append(out.Fields, f)
			}
		}
		out.Fields = append(out.Fields, describe(defs, func(name string) bool { return commonCall[name] || name == "author_id" })...)
		return out, nil
	}
	model := map[string]string{connectors.ObjectContact: "res.partner", connectors.ObjectCompany: "res.partner", connectors.ObjectLead: "crm.lead", connectors.ObjectDeal: "crm.lead",
		connectors.ObjectForm: "crm.lead", connectors.ObjectTask: modelActivity, connectors.ObjectTicket: ticketModel}[object]
	if model == "" {
		return out, &connectors.Error{Class: connectors.Unsupported, NotSent: true, Public: "callsync does not write objects of this kind to Odoo."}
	}
	defs, ok, err := s.fields(ctx, model)
	if err == nil && !ok && object == connectors.ObjectForm {
		// Without the CRM app a form is a note, made of the same fields.
		text := connectors.SchemaField{Name: "description", Label: "Text", Type: connectors.TypeHTML}
		out.Fields = append(out.Fields, connectors.SchemaField{Name: "name", Label: "Subject", Type: connectors.TypeText, Filled: true}, text)
		return out, nil
	}
	if err != nil || !ok {
		return out, orLacks(err, model)
	}
	out.Fields = describe(defs, func(name string) bool { return false })
	for i := range out.Fields {
		f := &out.Fields[i]
		f.Filled = filled[model][f.Name]
		if f.Name == "description" && asHTML[object] {
			// Plain text in older versions, for which callsync makes it so.
			f.Type = connectors.TypeHTML
		}
	}
	return out, nil
}

func orLacks(err error, model string) error {
	if err != nil {
		return err
	}
	return lacks(model)
}

// asHTML are the objects whose description mappings write as HTML on every version.
var asHTML = map[string]bool{connectors.ObjectForm: true, connectors.ObjectTicket: true, connectors.ObjectDeal: true}

// filled are fields that Odoo demands and callsync fills in where the mapping gives nothing.
var filled = map[string]map[string]bool{
	"res.partner": {"name": true}, "crm.lead": {"name": true, "type": true}, ticketModel: {"name": true, "description": true},
	modelActivity: {"date_deadline": true, "activity_type_id": true, "user_id": true, "summary": true, "res_model_id": true},
}

// commonFields are the fields of a call whatever its model.
func commonFields(m callModel) []connectors.SchemaField {
	options := func(ids ...string) []connectors.DispositionOption {
		var out []connectors.DispositionOption
		for _, id := range ids {
			out = append(out, connectors.DispositionOption{ID: id, Label: strings.ReplaceAll(strings.ToUpper(id[:1])+id[1:], "_", " ")})
		}
		return out
	}
	return []connectors.SchemaField{
		{Name: fieldSubject, Label: "Subject", Type: connectors.TypeText, Filled: true},
		{Name: fieldBody, Label: "Text", Type: connectors.TypeHTML},
		{Name: fieldDate, Label: "Start", Type: connectors.TypeDateTime, Filled: true},
		{Name: fieldDuration, Label: "Length in seconds", Type: connectors.TypeNumber, Whole: true},
		{Name: fieldDirection, Label: "Direction", Type: connectors.TypePicklist, Options: options("inbound", "outbound"), MoreOptions: true},
		{Name: fieldStatus, Label: "Status", Type: connectors.TypePicklist, Options: options("held", "not_held", "planned"), MoreOptions: true},
		{Name: fieldPhone, Label: "Phone number", Type: connectors.TypeText},
		{Name: fieldUser, Label: "Responsible user", Type: connectors.TypeRef, Filled: m.model != ModelNote},
	}
}

func describe(defs map[string]fieldDef, leaveOut func(name string) bool) []connectors.SchemaField {
	out := []connectors.SchemaField{}
	for _, name := range slices.Sorted(maps.Keys(defs)) {
		d := defs[name]
		kind, ok := kinds[d.Type]
		if !ok || leaveOut(name) {
			continue
		}
		f := connectors.SchemaField{Name: name, Label: d.Label, Type: kind, ReadOnly: kept[name] || bool(d.Readonly) || !bool(d.Store), MaxLength: d.Size, Whole: d.Type == "integer", DateText: d.Type == "date"}
		// Odoo has defaults that fields_get does not tell; a field that it demands all the same it names in its refusal.
		if f.Label == "" {
			f.Label = name
		}
		for _, o := range d.Selection {
			id, _ := o[0].(string)
			label, _ := o[1].(string)
			if id != "" && label != "" {
				f.Options = append(f.Options, connectors.DispositionOption{ID: id, Label: label})
			}
		}
		out = append(out, f)
	}
	return out
}

// Dispositions implements connectors.DispositionLister: the tags of phone calls or meetings, or the types of activities,
// one of which a call that is a note has (fields tag_ids, categ_ids and mail_activity_type_id).
func (s *session) Dispositions(ctx context.Context) ([]connectors.DispositionOption, error) {
	m, _, err := s.calls(ctx)
	if err != nil {
		return nil, err
	}
	model := map[string]string{ModelPhonecall: "crm.tag", ModelEvent: "calendar.event.type"}[m.model]
	if model == "" {
		model = "mail.activity.type"
	}
	out := []connectors.DispositionOption{}
	for len(out) < maxOwners {
		list, err := s.search(ctx, query{model: model, domain: domain(), fields: []string{"id", "name"}, order: "id", limit: pageSize, offset: len(out)})
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			out = append(out, connectors.DispositionOption{ID: idText(r.id("id")), Label: r.text("name")})
		}
		if len(list) < pageSize {
			break
		}
	}
	return out, nil
}
