package pipedrive

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// KeyFieldName is the name of the field that callsync adds to persons. It holds callsync's own ids.
const KeyFieldName = "callsync key"

// field is Pipedrive's description of a field: version 2's names, and version 1's for leads.
type field struct {
	Code    string `json:"field_code"`
	Key     string `json:"key"`
	Name    string `json:"field_name"`
	Name1   string `json:"name"`
	Type    string `json:"field_type"`
	Custom  bool   `json:"is_custom_field"`
	Options []struct {
		ID    json.RawMessage `json:"id"`
		Label string          `json:"label"`
	} `json:"options"`
	Required struct {
		Enabled bool `json:"enabled"`
	} `json:"required_fields"`
	Mandatory json.RawMessage `json:"mandatory_flag"`
}

func (f field) code() string { return f.Code + f.Key }

func (f field) custom() bool { return f.Custom || customField.MatchString(f.code()) }

// option is the id of the option that v names by id or label.
func (f field) option(v any) (int64, bool) {
	s, err := asText("", v)
	if err != nil {
		return 0, false
	}
	for _, o := range f.Options {
		id := strings.Trim(string(o.ID), `"`)
		if n, ok := number(id); ok && (id == s || strings.EqualFold(strings.TrimSpace(o.Label), strings.TrimSpace(s))) {
			return n, true
		}
	}
	return 0, false
}

// fieldEndpoints say where the fields of objects are described.
var fieldEndpoints = map[string]endpoint{connectors.ObjectContact: personFields, connectors.ObjectCompany: companyFields,
	connectors.ObjectDeal: dealFields, connectors.ObjectLead: leadFields}

// fieldsOf lists the fields of an object, and remembers them for a while.
func (s *session) fieldsOf(ctx context.Context, object string) ([]field, error) {
	e := fieldEndpoints[object]
	list, _, err := s.fields.Get(ctx, object, fieldTTL, fieldTTL, func() ([]field, bool, error) {
		q := url.Values{"limit": {"500"}}
		var out []field
		for range 10 {
			var part []field
			next, err := s.ask(ctx, request{endpoint: e, name: "read of fields", query: q}, &part)
			if err != nil {
				return nil, false, err
			}
			out = append(out, part...)
			switch {
			case len(part) > 0 && next.NextCursor != "" && next.NextCursor != q.Get("cursor"):
				q.Set("cursor", next.NextCursor)
			case len(part) > 0 && next.Pagination.More && next.Pagination.Next > 0:
				q.Set("start", strconv.FormatInt(next.Pagination.Next, 10))
			default:
				return out, true, nil
			}
		}
		return out, true, nil
	})
	return list, err
}

// keyField is the code of our field on persons; empty where the account has it not, or our user may not see.
func (s *session) keyField(ctx context.Context) (string, error) {
	list, err := s.fieldsOf(ctx, connectors.ObjectContact)
	if connectors.IsClass(err, connectors.Forbidden) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, f := range list {
		if f.custom() && f.Name == KeyFieldName && (f.Type == "varchar" || f.Type == "text") {
			return f.code(), nil
		}
	}
	return "", nil
}

// customValue is the value of a custom field in version 2's form; ok is false where there is nothing to write.
func (s *session) customValue(ctx context.Context, object, name string, v any) (value any, ok bool, err error) {
	list, err := s.fieldsOf(ctx, object)
	if err != nil {
		return nil, false, err
	}
	at := slices.IndexFunc(list, func(f field) bool { return f.code() == name && f.custom() })
	if at < 0 {
		return nil, false, invalid(name, "Pipedrive has no field “"+name+"” that callsync could fill here. Make it in Pipedrive, or take it out of the mapping, then retry.")
	}
	return list[at].value(v)
}

// value is v in the form of the field's type.
func (f field) value(v any) (value any, ok bool, err error) {
	name := f.code()
	if t, isText := v.(string); v == nil || isText && strings.TrimSpace(t) == "" {
		return nil, false, nil
	}
	switch f.Type {
	case "varchar", "varchar_auto", "text", "phone":
		s, err := asText(name, v)
		limit := 255
		if f.Type == "text" {
			limit = 65_000
		}
		var w warnings
		return w.cut(name, s, limit), err == nil && s != "", err
	case "double":
		n, ok, err := asFloat(name, v)
		return n, ok, err
	case "user", "org", "people", "int":
		n, ok, err := asNumber(name, v)
		return n, ok, err
	case "enum":
		if id, ok := f.option(v); ok {
			return id, true, nil
		}
		return nil, false, invalid(name, "The Pipedrive field “"+f.Name+"” does not have this value among its options. Add the option in Pipedrive or change the mapping, then retry.")
	case "set":
		all, isList := v.([]string)
		if !isList {
			s, err := asText(name, v)
			if err != nil {
				return nil, false, err
			}
			all = []string{s}
		}
		ids := []int64{}
		for _, one := range all {
			id, ok := f.option(one)
			if !ok {
				return nil, false, invalid(name, "The Pipedrive field “"+f.Name+"” does not have one of these values among its options. Add the option in Pipedrive or change the mapping, then retry.")
			}
			ids = append(ids, id)
		}
		return ids, len(ids) > 0, nil
	case "date":
		if s, isText := v.(string); isText {
			if _, err := time.Parse(dateForm, s); err == nil {
				return s, true, nil
			}
		}
		at, ok, err := asTime(name, v)
		return at.Format(dateForm), ok, err
	case "time":
		at, ok, err := asTime(name, v)
		return map[string]any{"value": at.Format(timeForm), "timezone_name": "UTC"}, ok, err
	case "address":
		s, err := asText(name, v)
		return map[string]any{"value": s}, err == nil && s != "", err
	}
	return nil, false, unfit(name)
}

var fieldTypes = map[string]connectors.FieldType{
	"int": connectors.TypeNumber, "double": connectors.TypeNumber, "monetary": connectors.TypeNumber, "boolean": connectors.TypeBool,
	"text": connectors.TypeLongText, "date": connectors.TypeDate, "time": connectors.TypeDateTime, "enum": connectors.TypePicklist, "set": connectors.TypeMulti,
	"user": connectors.TypeRef, "org": connectors.TypeRef, "people": connectors.TypeRef, "deal": connectors.TypeRef, "lead": connectors.TypeRef,
	"stage": connectors.TypeRef, "visible_to": connectors.TypePicklist, "status": connectors.TypePicklist,
}

// schemaField is a field in callsync's terms.
func (f field) schemaField() connectors.SchemaField {
	out := connectors.SchemaField{Name: f.code(), Label: f.Name + f.Name1, Type: connectors.TypeText,
		Required: f.Required.Enabled || string(f.Mandatory) == "true"}
	if t, ok := fieldTypes[f.Type]; ok {
		out.Type = t
	}
	switch f.Type {
	case "varchar", "varchar_auto", "phone":
		out.MaxLength = 255
	case "text":
		out.MaxLength = 65_000
	case "monetary", "daterange", "timerange", "json", "picture", "activity", "deals":
		out.ReadOnly = true
	}
	for _, o := range f.Options {
		out.Options = append(out.Options, connectors.DispositionOption{ID: strings.Trim(string(o.ID), `"`), Label: o.Label})
	}
	out.ByLabel = len(out.Options) > 0
	out.Whole = f.Type == "int"
	return out
}

func fixed(name, label string, t connectors.FieldType, required bool) connectors.SchemaField {
	f := connectors.SchemaField{Name: name, Label: label, Type: t, Required: required}
	switch {
	case name == "subject" || name == "title":
		f.MaxLength = maxSubject
	case t == connectors.TypeHTML:
		f.MaxLength = maxNote
	}
	return f
}

// fixedFields are the fields of the objects whose endpoints take these and no others.
func fixedFields(object string) []connectors.SchemaField {
	activity := []connectors.SchemaField{
		fixed("deal_id", "Deal", connectors.TypeRef, false), fixed("lead_id", "Lead", connectors.TypeRef, false),
		fixed("org_id", "Organization", connectors.TypeRef, false), fixed("project_id", "Project", connectors.TypeRef, false),
		fixed("type", "Activity type", connectors.TypeText, false), fixed("priority", "Priority", connectors.TypeNumber, false),
		fixed("public_description", "Public description", connectors.TypeLongText, false), fixed("busy", "Busy", connectors.TypeBool, false),
	}
	switch object {
	case connectors.ObjectCall:
		outcome := fixed("outcome", "Outcome", connectors.TypePicklist, true)
		outcome.Options = outcomes
		return append([]connectors.SchemaField{
			fixed("subject", "Subject", connectors.TypeText, false), fixed("note", "Note", connectors.TypeHTML, false), outcome,
			fixed("start_time", "Start", connectors.TypeDateTime, true), fixed("end_time", "End", connectors.TypeDateTime, false),
			fixed("duration", "Duration in seconds", connectors.TypeNumber, false),
			fixed("from_phone_number", "From number", connectors.TypeText, false), fixed("to_phone_number", "To number", connectors.TypeText, true),
			fixed("user_id", "Owner", connectors.TypeRef, false), fixed("person_id", "Person", connectors.TypeRef, false),
		}, activity...)
	case connectors.ObjectTask:
		return append([]connectors.SchemaField{
			fixed("subject", "Subject", connectors.TypeText, true), fixed("note", "Note", connectors.TypeHTML, false),
			fixed("due_date", "Due", connectors.TypeDateTime, false), fixed("duration", "Duration in seconds", connectors.TypeNumber, false),
			fixed("owner_id", "Assigned to", connectors.TypeRef, false), fixed("person_id", "Person", connectors.TypeRef, false),
		}, activity...)
	case connectors.ObjectNote, connectors.ObjectMessage, connectors.ObjectForm:
		return []connectors.SchemaField{
			fixed("content", "Content", connectors.TypeHTML, true), fixed("add_time", "Time", connectors.TypeDateTime, false),
			fixed("user_id", "Author (admins only)", connectors.TypeRef, false), fixed("person_id", "Person", connectors.TypeRef, false),
			fixed("org_id", "Organization", connectors.TypeRef, false), fixed("deal_id", "Deal", connectors.TypeRef, false),
			fixed("lead_id", "Lead", connectors.TypeRef, false),
		}
	case connectors.ObjectLead:
		return []connectors.SchemaField{
			fixed("title", "Title", connectors.TypeText, true), fixed("name", "Name of the new person", connectors.TypeText, false),
			fixed("phone", "Phone of the new person", connectors.TypeText, false), fixed("email", "E-mail of the new person", connectors.TypeText, false),
			fixed("owner_id", "Owner", connectors.TypeRef, false), fixed("person_id", "Person", connectors.TypeRef, false),
			fixed("organization_id", "Organization", connectors.TypeRef, false), fixed("label_ids", "Labels", connectors.TypeMulti, false),
			fixed("expected_close_date", "Expected close date", connectors.TypeDate, false), fixed("channel", "Channel", connectors.TypeNumber, false),
			fixed("channel_id", "Channel ID", connectors.TypeText, false), fixed("visible_to", "Visible to", connectors.TypePicklist, false),
		}
	}
	return nil
}

// writablePerson and writableDeal are the fields beside custom ones that version 2 takes.
var (
	writablePerson = []string{"name", "phone", "email", "owner_id", "org_id", "visible_to", "notes", "birthday", "job_title"}
	writableDeal   = []string{"title", "owner_id", "person_id", "org_id", "pipeline_id", "stage_id", "value", "currency", "status",
		"probability", "lost_reason", "visible_to", "expected_close_date"}
)

// Describe implements connectors.SchemaDescriber. Calls, tasks, notes and leads have the fields that their endpoints take:
// Pipedrive's API does not write custom fields of activities, and none of a new lead's.
func (s *session) Describe(ctx context.Context, object string) (connectors.Schema, error) {
	out := connectors.Schema{Object: object, Fields: fixedFields(object)}
	if out.Fields != nil {
		return out, nil
	}
	writable := map[string][]string{connectors.ObjectContact: writablePerson, connectors.ObjectDeal: writableDeal, connectors.ObjectCompany: nil}
	names, ok := writable[object]
	if !ok {
		return connectors.Schema{}, unsupported("callsync does not write objects of this kind to Pipedrive.")
	}
	list, err := s.fieldsOf(ctx, object)
	if err != nil {
		return connectors.Schema{}, err
	}
	out.Fields = []connectors.SchemaField{}
	for _, f := range list {
		field := f.schemaField()
		if !f.custom() && !slices.Contains(names, field.Name) || f.custom() && f.Name == KeyFieldName {
			field.ReadOnly = true
		}
		out.Fields = append(out.Fields, field)
	}
	for _, name := range names {
		// Some accounts describe fewer fields than their endpoints take.
		if !slices.ContainsFunc(out.Fields, func(f connectors.SchemaField) bool { return f.Name == name }) && name != "notes" && name != "birthday" && name != "job_title" {
			out.Fields = append(out.Fields, fixed(name, name, connectors.TypeText, false))
		}
	}
	return out, nil
}
