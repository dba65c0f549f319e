package mappings

import (
	"bytes"
	"encoding/json"
	"fmt"

	"gopkg.in/yaml.v3"
)

// Format is the version of the file format that this package reads and writes. It rises only when an old document would
// mean something else; new keys and new value forms do not raise it.
const Format = 1

// Mode says what a write may do to a field that has a value in the CRM.
type Mode string

// The write modes. Overwrite writes over what is still ours, Always over anything; see docs/human-edits.md. NeverWrite turns
// a row off; the preview still shows what it would give.
const (
	Overwrite   Mode = "overwrite"
	Always      Mode = "always"
	FillIfEmpty Mode = "fill_if_empty"
	Append      Mode = "append"
	NeverWrite  Mode = "never"
)

// Type is what a row makes of its value.
type Type string

// The types of rows. HTML values are escaped: only the text of a template may hold tags.
const (
	Text     Type = "text"
	HTML     Type = "html"
	Number   Type = "number"
	Bool     Type = "bool"
	DateTime Type = "datetime"
	Picklist Type = "picklist"
	Multi    Type = "multi"
)

// Empty says what an empty result does.
type Empty string

// The empty policies. SkipEmpty leaves the field alone. ClearEmpty clears it on an update, if callsync had written it.
const (
	SkipEmpty  Empty = "skip"
	ClearEmpty Empty = "clear"
)

// Document is a mapping: how a call fills one object of a CRM.
type Document struct {
	Format int    `yaml:"format" json:"format"`
	Object string `yaml:"object" json:"object"`
	// Note is a comment of the author that both file forms keep.
	Note   string `yaml:"note,omitempty" json:"note,omitempty"`
	Fields []Row  `yaml:"fields" json:"fields"`
}

// Row fills one field of the CRM. Zero members have their defaults: type text, mode overwrite, empty skip.
type Row struct {
	Target string `yaml:"target" json:"target"`
	Value  Value  `yaml:"value" json:"value"`
	Type   Type   `yaml:"type,omitempty" json:"type,omitempty"`
	Mode   Mode   `yaml:"mode,omitempty" json:"mode,omitempty"`
	Empty  Empty  `yaml:"empty,omitempty" json:"empty,omitempty"`
	// When is an expression; the row is skipped unless it is true.
	When string `yaml:"when,omitempty" json:"when,omitempty"`
	// MaxLength cuts text and html, with a warning. It counts UTF-16 code units, as CRMs do: most characters are one, an
	// emoji is two. Zero means no limit.
	MaxLength int    `yaml:"max_length,omitempty" json:"max_length,omitempty"`
	Note      string `yaml:"note,omitempty" json:"note,omitempty"`
}

// Value is where a row's value comes from: exactly one of the members.
type Value struct {
	// Field is the name of a canonical field ("customer.number", "agents[0].name").
	Field string `yaml:"field,omitempty" json:"field,omitempty"`
	// Const is the same in every call: string, bool, int64, float64, or a list of them for type multi.
	Const any `yaml:"const,omitempty" json:"const,omitempty"`
	// Expr is an expression.
	Expr string `yaml:"expr,omitempty" json:"expr,omitempty"`
	// Template is text with {{ expressions }}.
	Template Template `yaml:"template,omitempty" json:"template,omitempty"`
	Lookup   *Lookup  `yaml:"lookup,omitempty" json:"lookup,omitempty"`
}

// Template is one text, or several lines of which those are left out whose expressions are all empty.
type Template []string

// Lookup translates a key by a table. Keys are compared without regard to case and surrounding space.
type Lookup struct {
	// Key is an expression.
	Key   string         `yaml:"key" json:"key"`
	Table map[string]any `yaml:"table" json:"table"`
	// Default is for keys that the table lacks and for an absent key; nil means no value, with a warning if there was a key.
	Default any `yaml:"default,omitempty" json:"default,omitempty"`
}

// MarshalYAML writes a template of one line as a string.
func (t Template) MarshalYAML() (any, error) {
	if len(t) == 1 {
		return t[0], nil
	}
	return []string(t), nil
}

// MarshalJSON writes a template of one line as a string.
func (t Template) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return encodeJSON(t[0], "")
	}
	return encodeJSON([]string(t), "")
}

// MarshalYAML writes a constant even if it is the zero of its type.
func (v Value) MarshalYAML() (any, error) {
	if v.Const != nil {
		return map[string]any{"const": v.Const}, nil
	}
	type plain Value
	return plain(v), nil
}

// YAML writes the document in the form that people edit.
func (d Document) YAML() ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(d); err != nil {
		return nil, fmt.Errorf("write mapping as YAML: %w", err)
	}
	return b.Bytes(), nil
}

// JSON writes the document, indented.
func (d Document) JSON() ([]byte, error) {
	b, err := encodeJSON(d, "  ")
	if err != nil {
		return nil, fmt.Errorf("write mapping as JSON: %w", err)
	}
	return b, nil
}

// UnmarshalJSON reads the structure of a document strictly; it does not check the expressions, Problems does.
func (d *Document) UnmarshalJSON(data []byte) error {
	doc, problems := decode(data)
	if len(problems) > 0 {
		return problems
	}
	*d = doc
	return nil
}

// encodeJSON keeps < > & readable: documents are read by people, and escaped again where they are shown.
func encodeJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
