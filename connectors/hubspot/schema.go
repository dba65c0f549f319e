package hubspot

import (
	"context"
	"net/url"
	"slices"

	"github.com/callsync/callsync/connectors"
)

// property is HubSpot's description of a property.
type property struct {
	Name           string `json:"name"`
	Label          string `json:"label"`
	Type           string `json:"type"`
	FieldType      string `json:"fieldType"`
	GroupName      string `json:"groupName"`
	Description    string `json:"description"`
	HasUniqueValue bool   `json:"hasUniqueValue"`
	Calculated     bool   `json:"calculated"`
	Hidden         bool   `json:"hidden"`
	Options        []struct {
		Label  string `json:"label"`
		Value  string `json:"value"`
		Hidden bool   `json:"hidden"`
	} `json:"options"`
	ModificationMetadata struct {
		ReadOnlyValue bool `json:"readOnlyValue"`
	} `json:"modificationMetadata"`
}

func (p property) options() []connectors.DispositionOption {
	var out []connectors.DispositionOption
	for _, o := range p.Options {
		if !o.Hidden {
			out = append(out, connectors.DispositionOption{ID: o.Value, Label: o.Label})
		}
	}
	return out
}

// bodies are the texts of activities, which HubSpot shows as HTML whatever their field type says.
var bodies = []string{"hs_call_body", "hs_note_body", "hs_task_body", "hs_communication_body"}

// required are the properties without which HubSpot makes no record.
var required = map[string][]string{
	calls: {"hs_timestamp"}, notes: {"hs_timestamp"}, tasks: {"hs_timestamp"},
	communications: {"hs_timestamp", "hs_communication_channel_type", "hs_communication_logged_from"},
	tickets:        {"subject", "hs_pipeline_stage"},
}

// field is the property in callsync's terms.
func (p property) field(object string) connectors.SchemaField {
	f := connectors.SchemaField{Name: p.Name, Label: p.Label, Type: connectors.TypeText, Hidden: p.Hidden,
		Required: slices.Contains(required[objects[object]], p.Name),
		ReadOnly: p.Calculated || p.ModificationMetadata.ReadOnlyValue || slices.Contains([]string{CallKey, ContactKey, RecordKey}, p.Name)}
	switch p.Type {
	case "number":
		f.Type = connectors.TypeNumber
	case "bool":
		f.Type = connectors.TypeBool
	case "date":
		// HubSpot takes a moment only if it is midnight in UTC.
		f.Type, f.DateText = connectors.TypeDate, true
	case "datetime":
		f.Type = connectors.TypeDateTime
	case "enumeration":
		f.Type, f.Options = connectors.TypePicklist, p.options()
		switch {
		case p.FieldType == "checkbox":
			f.Type = connectors.TypeMulti
		case p.FieldType == "booleancheckbox":
			f.Type = connectors.TypeBool
		case p.Name == "hubspot_owner_id":
			f.Type = connectors.TypeRef
		}
	default:
		f.MaxLength = maxText
		switch {
		case p.FieldType == "html" || slices.Contains(bodies, p.Name):
			f.Type = connectors.TypeHTML
		case p.FieldType == "textarea":
			f.Type = connectors.TypeLongText
		}
	}
	return f
}

// Describe implements connectors.SchemaDescriber for everything that callsync writes to HubSpot.
func (s *session) Describe(ctx context.Context, object string) (connectors.Schema, error) {
	name, ok := objects[object]
	if !ok {
		return connectors.Schema{}, &connectors.Error{Class: connectors.Unsupported, Public: "callsync does not write objects of this kind to HubSpot."}
	}
	var page struct {
		Results []property `json:"results"`
	}
	q := url.Values{"archived": {"false"}}
	if err := s.do(ctx, get("read of properties", s.api.properties(name), q), &page); err != nil {
		return connectors.Schema{}, err
	}
	out := connectors.Schema{Object: object, Fields: []connectors.SchemaField{}}
	for _, p := range page.Results {
		out.Fields = append(out.Fields, p.field(object))
	}
	return out, nil
}
