package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// mostOptions is how many values of a CRM's list are offered; who needs another one types it.
const mostOptions = 300

// crmField is a field of the CRM as the editor shows it.
type crmField struct {
	Name, Label string
	// Kind is what it holds, and Facts what else is to be known of it, both in words.
	Kind  string
	Facts []string
	// Type is the type that a row for it should have.
	Type     string
	Required bool
	ReadOnly bool
	Options  []connectors.DispositionOption
	More     int
}

// About is what is to be known of the field in one line.
func (f crmField) About() string { return strings.Join(append([]string{f.Kind}, f.Facts...), ", ") }

var crmKinds = map[records.SchemaType]string{
	records.SchemaText: "text", records.SchemaLongText: "long text", records.SchemaHTML: "HTML", records.SchemaNumber: "number", records.SchemaBool: "yes or no",
	records.SchemaDate: "date", records.SchemaDateTime: "time", records.SchemaPicklist: "list", records.SchemaMulti: "list, several values", records.SchemaRef: "link to a record",
}

// rowTypeOf is the type that a row for a field of the CRM should have.
func rowTypeOf(f records.SchemaField) mappings.Type {
	switch f.Type {
	case records.SchemaHTML:
		return mappings.HTML
	case records.SchemaNumber:
		return mappings.Number
	case records.SchemaBool:
		return mappings.Bool
	case records.SchemaDateTime:
		return mappings.DateTime
	case records.SchemaDate:
		if !f.DateText {
			return mappings.DateTime
		}
	case records.SchemaPicklist:
		return mappings.Picklist
	case records.SchemaMulti:
		return mappings.Multi
	}
	return mappings.Text
}

func crmFieldOf(f records.SchemaField) crmField {
	out := crmField{Name: f.Name, Label: cmp.Or(f.Label, f.Name), Kind: cmp.Or(crmKinds[f.Type], string(f.Type)), Type: string(rowTypeOf(f)),
		ReadOnly: f.ReadOnly || f.NoCreate, Required: f.Required && !f.Filled && !f.ReadOnly && !f.NoCreate}
	fact := func(is bool, text string) {
		if is {
			out.Facts = append(out.Facts, text)
		}
	}
	fact(out.Required, "required")
	fact(f.Required && f.Filled, "required, callsync fills it in")
	fact(f.ReadOnly, "nobody may write it")
	fact(f.NoCreate && !f.ReadOnly, "not taken when a record is made")
	fact(f.NoUpdate && !f.ReadOnly, "only taken when a record is made")
	fact(f.Hidden, "hidden")
	fact(f.Whole, "whole numbers")
	if f.MaxLength > 0 {
		fact(true, fmt.Sprintf("up to %d characters", f.MaxLength))
	}
	if n := len(f.Options); n > 0 {
		fact(true, counted(n, "value", "values"))
	}
	out.Options = f.Options[:min(len(f.Options), mostOptions)]
	out.More = len(f.Options) - len(out.Options)
	return out
}

// editorFields are the fields of the CRM for the editor.
type editorFields struct {
	schema *records.Schema
	// Note says why they are old or missing.
	Note  string
	index map[string]int
}

// editorFields reads them as they were read lately. A CRM that does not answer keeps nobody from editing.
func (h *Handler) editorFields(ctx context.Context, c records.Connection, object string) editorFields {
	k := records.SchemaKey{WorkspaceID: c.WorkspaceID, ConnectionID: c.ID, Object: object}
	ctx, cancel := context.WithTimeout(ctx, editorSchemaTimeout)
	defer cancel()
	s, stale, err := h.Schemas.Recent(ctx, k, shownAge)
	out := editorFields{index: map[string]int{}}
	switch {
	case err != nil && isNoSchema(err):
		out.Note = h.crm(c) + " has no list of fields: write the names as its receiver expects them."
		return out
	case err != nil:
		h.Log.WarnContext(ctx, "a mapping is edited without the CRM's schema", "connection", c.ID, "err", err)
		out.Note = h.crm(c) + " could not be asked for its fields, so there is nothing to choose from. Names can be typed all the same."
		return out
	case stale != "":
		out.Note = fmt.Sprintf("%s could not be asked. These are its fields of %s.", h.crm(c), s.ReadAt.UTC().Format("2 January 2006, 15:04 UTC"))
	}
	out.schema = &s.Schema
	for i, f := range s.Schema.Fields {
		out.index[strings.ToLower(f.Name)] = i
	}
	return out
}

// find is a field by its name.
func (f editorFields) find(name string) *crmField {
	i, ok := f.index[strings.ToLower(name)]
	if !ok || f.schema == nil {
		return nil
	}
	out := crmFieldOf(f.schema.Fields[i])
	return &out
}

// label is a field's label, or its name where it has none.
func (f editorFields) label(name string) string {
	if i, ok := f.index[strings.ToLower(name)]; ok && f.schema != nil {
		return cmp.Or(f.schema.Fields[i].Label, name)
	}
	return name
}

// Choices are the fields that rows can fill, by label: those that nobody may write are last.
func (f editorFields) Choices() []crmField {
	if f.schema == nil {
		return nil
	}
	out := make([]crmField, 0, len(f.schema.Fields))
	for _, one := range f.schema.Fields {
		c := crmFieldOf(one)
		c.Options = nil
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b crmField) int {
		if a.ReadOnly != b.ReadOnly {
			return map[bool]int{true: 1, false: -1}[a.ReadOnly]
		}
		return strings.Compare(strings.ToLower(a.Label), strings.ToLower(b.Label))
	})
	return out
}

// waiting are the fields without which the CRM makes no record, and which no row fills.
func (f editorFields) waiting(rows []mappingRow) []crmField {
	if f.schema == nil {
		return nil
	}
	var out []crmField
	for _, one := range f.schema.Fields {
		c := crmFieldOf(one)
		if c.Required && !slices.ContainsFunc(rows, func(r mappingRow) bool {
			return strings.EqualFold(r.Target, one.Name) && r.Mode != string(mappings.NeverWrite)
		}) {
			out = append(out, c)
		}
	}
	return out
}

// sourceField is a canonical name, or a function, as the editor offers it.
type sourceField struct{ Name, Insert, Kind, Means string }

// sourceFields are the names that documents of an object may read, and the functions. They never change.
func sourceFields(object string) []sourceField {
	if all, ok := offered.Load(object); ok {
		return all.([]sourceField)
	}
	var out []sourceField
	for _, f := range mappings.FieldsOf(object) {
		means := f.Description
		if len(f.Values) > 0 {
			means += ": " + strings.Join(f.Values, ", ")
		}
		out = append(out, sourceField{Name: strings.Replace(f.Name, "[]", "[0]", 1), Kind: string(f.Type), Means: means})
	}
	for _, f := range mappings.Functions() {
		out = append(out, sourceField{Name: f.Signature, Insert: f.Name + "(", Kind: "function", Means: f.Description})
	}
	if slices.Contains(mappedObjects, object) { // a name that somebody made up is not kept
		offered.Store(object, out)
	}
	return out
}

var offered sync.Map

// fieldLabels are the labels of a CRM's fields by name, as they were read last; empty where they are not known.
func (h *Handler) fieldLabels(ctx context.Context, workspaceID, connectionID, object string) map[string]string {
	out := map[string]string{}
	all, err := h.Store.Schemas(ctx, records.SchemaKey{WorkspaceID: workspaceID, ConnectionID: connectionID, Object: object})
	if err != nil || len(all) == 0 {
		return out // names are as good, only less friendly
	}
	for _, f := range all[0].Schema.Fields {
		if f.Label != "" && f.Label != f.Name {
			out[f.Name] = f.Label
		}
	}
	return out
}
