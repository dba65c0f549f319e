package zoho

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// field is Zoho's description of a field (settings/fields).
type field struct {
	APIName   string `json:"api_name"`
	Label     string `json:"field_label"`
	DataType  string `json:"data_type"`
	Length    int    `json:"length"`
	ReadOnly  bool   `json:"read_only"`
	Locked    bool   `json:"field_read_only"`
	Mandatory bool   `json:"system_mandatory"`
	Visible   *bool  `json:"visible"`
	// Unique holds something where no value may be there twice.
	Unique    map[string]json.RawMessage `json:"unique"`
	Operation *struct {
		Create bool `json:"api_create"`
		Update bool `json:"api_update"`
	} `json:"operation_type"`
	Textarea struct {
		Type string `json:"type"`
	} `json:"textarea"`
	Values []option `json:"pick_list_values"`
}

type option struct {
	Display  string `json:"display_value"`
	Actual   string `json:"actual_value"`
	Type     string `json:"type"`
	Forecast string `json:"forecast_type"`
}

func (f field) options() []connectors.DispositionOption {
	var out []connectors.DispositionOption
	seen := map[string]bool{}
	for _, v := range f.Values {
		// Zoho's “-None-” is no value, and those that are not used any more are kept for old records.
		if v.Actual == "" || v.Actual == "-None-" || v.Type == "unused" || seen[v.Actual] {
			continue
		}
		seen[v.Actual] = true
		o := connectors.DispositionOption{ID: v.Actual, Label: v.Display}
		if o.Label == "" {
			o.Label = v.Actual
		}
		out = append(out, o)
	}
	return out
}

// fields reads the description of a module.
func (s *session) fields(ctx context.Context, module string) ([]field, error) {
	var p struct {
		Fields []field `json:"fields"`
	}
	_, err := s.read(ctx, get("read of the fields of "+module, module, "/settings/fields", url.Values{"module": {module}}), &p)
	return p.Fields, err
}

// Dispositions implements connectors.DispositionLister: the values of Call_Result, of the layout that calls get if one was
// chosen. Zoho's own list of results may differ from layout to layout.
func (s *session) Dispositions(ctx context.Context) ([]connectors.DispositionOption, error) {
	list, _, err := s.outcomes.Get(ctx, "", outcomesTTL, outcomesTTL, func() ([]connectors.DispositionOption, bool, error) {
		var fields []field
		var err error
		if s.layout != "" {
			fields, err = s.layoutFields(ctx, calls, s.layout)
		} else {
			fields, err = s.fields(ctx, calls)
		}
		out := []connectors.DispositionOption{}
		for _, f := range fields {
			if f.APIName == "Call_Result" {
				out = append(out, f.options()...)
			}
		}
		return out, true, err
	})
	return list, err
}

// layoutFields are the fields of one layout, with the values that it offers.
func (s *session) layoutFields(ctx context.Context, module, id string) ([]field, error) {
	var p struct {
		Layouts []struct {
			Sections []struct {
				Fields []field `json:"fields"`
			} `json:"sections"`
		} `json:"layouts"`
	}
	found, err := s.read(ctx, get("read of a layout", module, "/settings/layouts/"+id, url.Values{"module": {module}}), &p)
	if err != nil {
		return nil, err
	}
	if !found || len(p.Layouts) == 0 {
		return nil, &connectors.Error{Class: connectors.Invalid, Field: "layout_id", Public: "Zoho CRM has no layout of calls with the ID of the connection's settings. Correct it there."}
	}
	var out []field
	for _, l := range p.Layouts {
		for _, section := range l.Sections {
			out = append(out, section.Fields...)
		}
	}
	return out, nil
}

// types are callsync's by Zoho's data types; what is not here is text.
var types = map[string]connectors.FieldType{
	"textarea": connectors.TypeLongText, "integer": connectors.TypeNumber, "bigint": connectors.TypeNumber, "double": connectors.TypeNumber,
	"currency": connectors.TypeNumber, "percent": connectors.TypeNumber, "boolean": connectors.TypeBool, "date": connectors.TypeDate,
	"datetime": connectors.TypeDateTime, "picklist": connectors.TypePicklist, "multiselectpicklist": connectors.TypeMulti,
	"lookup": connectors.TypeRef, "ownerlookup": connectors.TypeRef, "userlookup": connectors.TypeRef, "multi_module_lookup": connectors.TypeRef, "layout": connectors.TypeRef,
}

// public is the field in callsync's terms.
func (f field) public() connectors.SchemaField {
	out := connectors.SchemaField{Name: f.APIName, Label: f.Label, Type: connectors.TypeText, Required: f.Mandatory, MaxLength: f.Length,
		ReadOnly: f.ReadOnly || f.Locked || f.APIName == KeyField || f.Operation != nil && !f.Operation.Create && !f.Operation.Update}
	if t, ok := types[f.DataType]; ok {
		out.Type = t
	}
	switch {
	case f.DataType == "textarea" && f.Textarea.Type == "rich_text":
		out.Type = connectors.TypeHTML
	case f.APIName == durationField:
		// The connector writes it as Zoho wants it.
		out.Type, out.Label, out.MaxLength = connectors.TypeNumber, f.Label+" (seconds)", 0
	}
	switch out.Type {
	case connectors.TypePicklist, connectors.TypeMulti:
		out.Options, out.MaxLength = f.options(), 0
	case connectors.TypeText, connectors.TypeLongText, connectors.TypeHTML:
	default:
		out.MaxLength = 0
	}
	return out
}

// noteFields describe notes, of which callsync writes nothing else.
var noteFields = []connectors.SchemaField{
	{Name: "Note_Title", Label: "Note Title", Type: connectors.TypeText, MaxLength: maxTexts[notes]["Note_Title"]},
	{Name: "Note_Content", Label: "Note Content", Type: connectors.TypeLongText, Required: true, MaxLength: maxTexts[notes]["Note_Content"]},
}

// Describe implements connectors.SchemaDescriber.
func (s *session) Describe(ctx context.Context, object string) (connectors.Schema, error) {
	module, ok := modules[object]
	if !ok {
		return connectors.Schema{}, &connectors.Error{Class: connectors.Unsupported, Public: "callsync does not write objects of this kind to Zoho CRM."}
	}
	out := connectors.Schema{Object: object, Fields: []connectors.SchemaField{}}
	if module == notes {
		out.Fields = append(out.Fields, noteFields...)
		return out, nil
	}
	fields, err := s.fields(ctx, module)
	if err != nil {
		return connectors.Schema{}, err
	}
	for _, f := range fields {
		if f.APIName != "" && !strings.HasPrefix(f.DataType, "subform") && (f.Visible == nil || *f.Visible) {
			out.Fields = append(out.Fields, f.public())
		}
	}
	return out, nil
}
