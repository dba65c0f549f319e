package mappings

import (
	"slices"
	"strings"
)

// SchemaPath is where a running callsync publishes JSONSchema.
const SchemaPath = "/api/v1/mapping-schema.json"

// JSONSchema describes documents to editors, as a JSON Schema (draft 7, which all of them read): names, values, what goes
// together and what does not. It refuses no document that Parse takes. What it cannot know is left to Parse: whether
// expressions are right, and that no field is filled twice.
func JSONSchema() []byte {
	out, err := encodeJSON(schema(), "  ")
	if err != nil {
		return nil // a tree of texts and numbers can be encoded
	}
	return append(out, '\n')
}

// node is a part of a JSON Schema.
type node = map[string]any

func schema() node {
	return node{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       "callsync mapping",
		"description": "How calls, messages and forms become records of a CRM. The reference is docs/mapping-language.md.",
		"type":        "object",
		"required":    []string{"format", "object", "fields"}, "additionalProperties": false,
		"properties": node{
			"format": node{"const": Format, "description": "The version of the format."},
			"object": node{"description": "The object of the CRM. It decides which names the document may read.", "type": "string", "pattern": objectName.String(),
				"examples": objects()},
			"note":   noteSchema(),
			"fields": node{"description": "The rows: one for each field of the CRM.", "type": "array", "minItems": 1, "maxItems": maxRows, "items": rowSchema()},
		},
		"definitions": node{
			"plain": node{"type": []string{"string", "number", "boolean"}},
			"constant": node{"description": "A text, a number, true or false; a list of them in rows of type multi.",
				"anyOf": []node{ref("plain"), {"type": "array", "items": ref("plain")}}},
			"expression": node{"description": "An expression. Functions: " + strings.Join(functionNames(), ", ") + ".",
				"type": []string{"string", "number", "boolean"}, "minLength": 1, "maxLength": maxSource},
			"line": node{"description": "Text with {{ expressions }}.", "type": []string{"string", "number", "boolean"}, "maxLength": 4 * maxSource},
		},
	}
}

func ref(name string) node { return node{"$ref": "#/definitions/" + name} }

func noteSchema() node {
	return node{"description": "A comment that is kept.", "type": []string{"string", "number", "boolean"}}
}

func rowSchema() node {
	return node{
		"type": "object", "required": []string{"target", "value"}, "additionalProperties": false,
		"properties": node{
			"target": node{"description": "The CRM's name of the field; each once.", "type": []string{"string", "number", "boolean"}, "minLength": 1, "maxLength": 255},
			"value":  valueSchema(),
			"type":   choice("What becomes of the value; html escapes it.", string(Text), typeNames()),
			"mode": choice("What an update may do to a field that somebody may have changed. A row of mode never is off.", string(Overwrite),
				[]string{string(Overwrite), string(Always), string(FillIfEmpty), string(Append), string(NeverWrite)}),
			"empty": choice("What happens without a value: skip leaves the field alone, clear empties it if callsync had filled it.", string(SkipEmpty),
				[]string{string(SkipEmpty), string(ClearEmpty)}),
			"when":       node{"description": "The row is skipped unless this is true, such as: talk_seconds > 30", "allOf": []node{ref("expression")}},
			"max_length": node{"description": "Cuts text and html to so many characters, with a warning.", "type": "integer", "minimum": 0},
			"note":       noteSchema(),
		},
		"allOf": []node{
			only(node{"mode": node{"const": string(Append)}}, "mode", string(Text), string(HTML), string(Multi)),
			only(node{"max_length": node{"exclusiveMinimum": 0}}, "max_length", string(Text), string(HTML)),
			{
				"if":   node{"properties": node{"value": node{"required": []string{"const"}, "properties": node{"const": node{"type": "array"}}}}},
				"then": node{"required": []string{"type"}, "properties": node{"type": node{"const": string(Multi)}}},
			},
		},
	}
}

// only allows a member for some types of rows.
func only(member node, name string, types ...string) node {
	return node{
		"if":   node{"required": []string{name}, "properties": member},
		"then": node{"properties": node{"type": node{"enum": types}}},
	}
}

func choice(description, otherwise string, values []string) node {
	return node{"description": description, "enum": values, "default": otherwise}
}

func typeNames() []string {
	return []string{string(Text), string(HTML), string(Number), string(Bool), string(DateTime), string(Picklist), string(Multi)}
}

func valueSchema() node {
	var names []string
	for _, object := range objects() {
		for _, f := range FieldsOf(object) {
			if !strings.Contains(f.Name, "[]") && f.Type != FieldObject && !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	return node{
		"description": "Where the value comes from: exactly one of these.",
		"type":        "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
		"properties": node{
			"field": node{"description": "A field of the call, message or form, such as customer.number or agents[0].name.",
				"anyOf": []node{{"enum": names}, {"type": "string", "pattern": fieldPath.String()}}},
			"const":    ref("constant"),
			"expr":     ref("expression"),
			"template": node{"description": "Text with {{ expressions }}. Of a list of lines those are left out whose expressions are all empty.", "anyOf": []node{ref("line"), {"type": "array", "minItems": 1, "maxItems": maxTemplateLines, "items": ref("line")}}},
			"lookup": node{
				"description": "Translates a key by a table, without regard to case and space around it.",
				"type":        "object", "required": []string{"key", "table"}, "additionalProperties": false,
				"properties": node{
					"key":     ref("expression"),
					"table":   node{"type": "object", "minProperties": 1, "maxProperties": maxTable, "additionalProperties": ref("constant")},
					"default": ref("constant"),
				},
			},
		},
	}
}

// objects are those whose documents have names of their own, in the order of the reference.
func objects() []string {
	return []string{objectCall, objectContact, objectLead, objectCompany, objectDeal, objectTask, objectNote, objectTicket, objectMessage, objectForm}
}
