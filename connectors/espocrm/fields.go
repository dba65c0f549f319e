package espocrm

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// How long descriptions of the account are remembered.
const (
	fieldsTTL = 10 * time.Minute
	labelsTTL = time.Hour
)

// fieldDef is a field in EspoCRM's metadata (entityDefs).
type fieldDef struct {
	Type        string   `json:"type"`
	Required    bool     `json:"required"`
	ReadOnly    bool     `json:"readOnly"`
	MaxLength   int      `json:"maxLength"`
	Pattern     string   `json:"pattern"`
	Options     []any    `json:"options"`
	Default     any      `json:"default"`
	NotStorable bool     `json:"notStorable"`
	Utility     bool     `json:"utility"`
	Disabled    bool     `json:"disabled"`
	EntityList  []string `json:"entityList"`
}

func (d fieldDef) options(labels map[string]string) []connectors.DispositionOption {
	var out []connectors.DispositionOption
	for _, o := range d.Options {
		id, ok := o.(string)
		if !ok || id == "" {
			continue
		}
		label := labels[id]
		if label == "" {
			label = id
		}
		out = append(out, connectors.DispositionOption{ID: id, Label: label})
	}
	return out
}

// fields are the fields of an entity type. EspoCRM answers with nothing where it has no such type, or shows none.
func (s *session) fields(ctx context.Context, entity string) (map[string]fieldDef, error) {
	out, _, err := s.meta.Get(ctx, entity, fieldsTTL, fieldsTTL, func() (map[string]fieldDef, bool, error) {
		defs, err := s.loadFields(ctx, entity)
		return defs, true, err
	})
	return out, err
}

func (s *session) loadFields(ctx context.Context, entity string) (map[string]fieldDef, error) {
	var raw map[string]json.RawMessage
	q := request{method: http.MethodGet, name: "read of the fields of " + entity, entity: entity, path: "/Metadata",
		query: url.Values{"key": {"entityDefs." + entity + ".fields"}}, reads: true}
	if err := s.do(ctx, q, &optional{&raw}); err != nil {
		return nil, err
	}
	out := make(map[string]fieldDef, len(raw))
	for name, def := range raw {
		var d fieldDef
		// A field whose description an extension has made otherwise is a field all the same.
		_ = json.Unmarshal(def, &d)
		out[name] = d
	}
	return out, nil
}

// optional decodes what EspoCRM leaves out where there is nothing: an empty body, null, or an empty list in place of an
// object, as PHP writes it.
type optional struct{ to any }

// UnmarshalJSON implements json.Unmarshaler.
func (o optional) UnmarshalJSON(b []byte) error {
	if t := strings.TrimSpace(string(b)); t == "[]" || t == "null" {
		return nil
	}
	return json.Unmarshal(b, o.to)
}

// scopeLabels are the names of an entity type's fields and options in the user's language.
type scopeLabels struct {
	Fields  map[string]string            `json:"fields"`
	Options map[string]map[string]string `json:"options"`
}

// language reads all names; they are for people only, so whatever cannot be read is left out.
func (s *session) language(ctx context.Context) (map[string]scopeLabels, error) {
	out, _, err := s.labels.Get(ctx, "", labelsTTL, labelsTTL, func() (map[string]scopeLabels, bool, error) {
		var raw map[string]json.RawMessage
		q := request{method: http.MethodGet, name: "read of the names of fields", path: "/I18n", reads: true}
		if err := s.do(ctx, q, &optional{&raw}); err != nil {
			return nil, false, err
		}
		all := make(map[string]scopeLabels, len(raw))
		for scope, text := range raw {
			var parts map[string]json.RawMessage
			if json.Unmarshal(text, &parts) != nil {
				continue
			}
			l := scopeLabels{Options: map[string]map[string]string{}}
			_ = json.Unmarshal(parts["fields"], &l.Fields)
			var options map[string]json.RawMessage
			_ = json.Unmarshal(parts["options"], &options)
			for field, text := range options {
				var names map[string]string
				if json.Unmarshal(text, &names) == nil {
					l.Options[field] = names
				}
			}
			all[scope] = l
		}
		return all, true, nil
	})
	return out, err
}

// Describe implements connectors.SchemaDescriber. EspoCRM's fields may have several attributes; these are what it lists.
func (s *session) Describe(ctx context.Context, object string) (connectors.Schema, error) {
	entity, ok := entities[object]
	if !ok {
		return connectors.Schema{}, &connectors.Error{Class: connectors.Unsupported, Public: "callsync does not write objects of this kind to EspoCRM."}
	}
	defs, err := s.fields(ctx, entity)
	if err != nil {
		return connectors.Schema{}, err
	}
	names, err := s.language(ctx)
	if err != nil {
		return connectors.Schema{}, err
	}
	out := connectors.Schema{Object: object, Fields: []connectors.SchemaField{}}
	for _, name := range slices.Sorted(maps.Keys(defs)) {
		if f, ok := s.describe(name, defs[name], names[entity], names["Global"]); ok {
			f.Required = f.Required || entity == "Note" && name == "post"
			f.Filled = slices.Contains(filled[entity], f.Name)
			out.Fields = append(out.Fields, f)
		}
	}
	return out, nil
}

// filled are the attributes that callsync fills in where the mapping gives nothing.
var filled = map[string][]string{
	"Call": {"name", "dateStart", "dateEnd", "assignedUserId"}, "Contact": {"lastName"}, "Lead": {"lastName"}, "Task": {"name", "assignedUserId"}, "Case": {"name", "assignedUserId"},
}

// types are callsync's kinds of EspoCRM's field types. Those that are not here have no value that a mapping could give.
var types = map[string]connectors.FieldType{
	"varchar": connectors.TypeText, "text": connectors.TypeLongText, "wysiwyg": connectors.TypeHTML, "url": connectors.TypeText,
	"phone": connectors.TypeText, "email": connectors.TypeText, "barcode": connectors.TypeText, "number": connectors.TypeText,
	"enum": connectors.TypePicklist, "multiEnum": connectors.TypeMulti, "checklist": connectors.TypeMulti, "array": connectors.TypeMulti,
	"urlMultiple": connectors.TypeMulti, "int": connectors.TypeNumber, "enumInt": connectors.TypeNumber, "float": connectors.TypeNumber,
	"enumFloat": connectors.TypeNumber, "currency": connectors.TypeNumber, "decimal": connectors.TypeNumber, "autoincrement": connectors.TypeNumber,
	"duration": connectors.TypeNumber, "bool": connectors.TypeBool, "date": connectors.TypeDate, "datetime": connectors.TypeDateTime,
	"datetimeOptional": connectors.TypeDateTime, "link": connectors.TypeRef, "linkOne": connectors.TypeRef, "linkParent": connectors.TypeRef,
	"linkMultiple": connectors.TypeMulti,
}

func (s *session) describe(name string, d fieldDef, own, global scopeLabels) (connectors.SchemaField, bool) {
	kind, ok := types[d.Type]
	if !ok || d.Utility || d.Disabled {
		return connectors.SchemaField{}, false
	}
	f := connectors.SchemaField{Name: name, Type: kind, Required: d.Required && (d.Default == nil || d.Default == ""), MaxLength: d.MaxLength,
		Whole:    d.Type == "int" || d.Type == "enumInt",
		ReadOnly: d.ReadOnly || d.Type == "autoincrement" || d.Type == "number" || d.Type == "duration" || name == s.keyField}
	for _, l := range []string{own.Fields[name], global.Fields[name], name} {
		if f.Label == "" {
			f.Label = l
		}
	}
	switch d.Type {
	case "varchar":
		if f.MaxLength == 0 {
			f.MaxLength = maxVarchar
		}
	case "link", "linkOne", "linkParent":
		f.Name += "Id"
	case "linkMultiple":
		f.Name += "Ids"
	case "enum", "multiEnum", "checklist", "array":
		labels := own.Options[name]
		if labels == nil {
			labels = global.Options[name]
		}
		f.Options = d.options(labels)
	}
	// What is computed from other records has no column; the phone number and e-mail have tables of their own.
	if d.NotStorable && d.Type != "phone" && d.Type != "email" && d.Type != "linkMultiple" {
		f.ReadOnly = true
	}
	return f, true
}

// Dispositions implements connectors.DispositionLister: the options of the first of callsync's own field and a field
// cDisposition that is a list, else the statuses of calls.
func (s *session) Dispositions(ctx context.Context) ([]connectors.DispositionOption, error) {
	defs, err := s.fields(ctx, "Call")
	if err != nil {
		return nil, err
	}
	names, err := s.language(ctx)
	if err != nil {
		return nil, err
	}
	for _, field := range []string{DispositionField, "cDisposition", "status"} {
		if d := defs[field]; d.Type == "enum" && len(d.Options) > 0 {
			return d.options(names["Call"].Options[field]), nil
		}
	}
	return []connectors.DispositionOption{}, nil
}
