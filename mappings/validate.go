package mappings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/callsync/callsync/internal/exprkit"
	"github.com/callsync/callsync/records"
)

// Severity says what a finding means.
type Severity string

// The severities: an error is refused by the CRM, or never works; a warning names what is lost, or could not be checked.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Code says what kind of finding it is, for programs.
type Code string

// The codes of findings.
const (
	CodeLanguage     Code = "language"      // the document does not compile
	CodeUnknownField Code = "unknown_field" // the CRM has no such field
	CodeReadOnly     Code = "read_only"     // the CRM does not let anybody write it
	CodeNoCreate     Code = "no_create"     // it cannot be set when a record is made
	CodeNoUpdate     Code = "no_update"     // it cannot be changed later
	CodeWrongType    Code = "wrong_type"    // the value is of another type than the field
	CodeTooLong      Code = "too_long"      // the CRM takes fewer characters
	CodeNotInList    Code = "not_in_list"   // the CRM's list has no such value
	CodeRequired     Code = "required"      // the CRM makes no record without this field
	CodePrecision    Code = "precision"     // a part of the value is lost
	CodeMarkup       Code = "markup"        // text and HTML are mixed up
	CodeNotChecked   Code = "not_checked"   // something could not be checked
	CodeDisposition  Code = "disposition"   // the table of dispositions leads to an outcome that is gone
)

// Finding is one thing about a document that its author should know before it is in force.
type Finding struct {
	Problem
	Severity Severity `json:"severity"`
	Code     Code     `json:"code"`
	// Value is the value at fault, where it is one of several.
	Value string `json:"value,omitempty"`
}

// Findings are all findings about a document, by row.
type Findings []Finding

// Errors are those that keep a document from being saved.
func (f Findings) Errors() Findings {
	return slices.DeleteFunc(slices.Clone(f), func(x Finding) bool { return x.Severity != SeverityError })
}

// Warnings are the others.
func (f Findings) Warnings() Findings {
	return slices.DeleteFunc(slices.Clone(f), func(x Finding) bool { return x.Severity == SeverityError })
}

// Lint reads a document in YAML or JSON and tells everything about it. schema are the fields of the CRM's object; nil
// means that only the document itself is looked at. The document is as much as could be read.
func Lint(data []byte, schema *records.Schema) (Document, Findings) {
	doc, err := Parse(data)
	if problems, ok := err.(Problems); ok {
		out := make(Findings, len(problems))
		for i, p := range problems {
			out[i] = Finding{Problem: p, Severity: SeverityError, Code: CodeLanguage}
		}
		return doc, out
	}
	_, lines, _ := decodeLines(data)
	out := Validate(doc, schema)
	for i := range out {
		out[i].Line = lines.of(out[i].Row, out[i].Key)
		if out[i].Row == 0 {
			out[i].Line = 1
		}
	}
	return doc, out
}

// Validate compares a document that compiles with the fields of the CRM's object; nil means that these are not known, and
// only values are found that can never be of their row's type. It knows no call: what depends on one is a warning, or
// nothing.
func Validate(doc Document, schema *records.Schema) Findings {
	v := &validator{words: wordsOf(doc.Object), schema: schema, object: doc.Object}
	for i, row := range doc.Fields {
		v.row, v.spec = i+1, row
		v.value = v.words.static(row.Value)
		v.checkRow()
	}
	v.row, v.spec = 0, Row{}
	v.required(doc)
	slices.SortStableFunc(v.out, func(a, b Finding) int { return cmp.Compare(a.Row, b.Row) })
	return v.out
}

type validator struct {
	words  *vocabulary
	schema *records.Schema
	object string
	out    Findings
	// row and spec are the row at hand; value is what can be said of its value.
	row   int
	spec  Row
	value static
}

// typ is what the row makes of its value.
func (v *validator) typ() Type { return orDefault(v.spec.Type, Text) }

func (v *validator) add(severity Severity, code Code, key, format string, args ...any) *Finding {
	v.out = append(v.out, Finding{Severity: severity, Code: code,
		Problem: Problem{Row: v.row, Target: v.spec.Target, Key: key, Text: fmt.Sprintf(format, args...)}})
	return &v.out[len(v.out)-1]
}

func (v *validator) fail(code Code, key, format string, args ...any) *Finding {
	return v.add(SeverityError, code, key, format, args...)
}

func (v *validator) warn(code Code, key, format string, args ...any) *Finding {
	return v.add(SeverityWarning, code, key, format, args...)
}

func (v *validator) checkRow() {
	fits := v.ownType()
	if v.schema == nil || v.spec.Mode == NeverWrite {
		return
	}
	f, ok := findField(v.schema.Fields, v.spec.Target)
	if !ok {
		v.unknown()
		return
	}
	name := called(f)
	switch {
	case f.ReadOnly:
		v.fail(CodeReadOnly, "target", "The CRM lets nobody write %s. Take the row out, or set its mode to never.", name)
		return
	case f.NoCreate:
		v.fail(CodeNoCreate, "target", "The CRM does not take %s when a record is made. Take the row out.", name)
		return
	case f.NoUpdate && orDefault(v.spec.Mode, Overwrite) != FillIfEmpty:
		v.warn(CodeNoUpdate, "mode", "The CRM takes %s only when a record is made: what changes later is refused. Set the mode to fill_if_empty.", name)
	}
	if !fits || !v.fieldType(f) {
		return
	}
	v.length(f)
	v.options(f)
	v.precision(f)
}

// findField finds a field by its name; names that differ in case alone are the same to CRMs.
func findField(fields []records.SchemaField, name string) (records.SchemaField, bool) {
	i := slices.IndexFunc(fields, func(f records.SchemaField) bool { return f.Name == name })
	if i < 0 {
		i = slices.IndexFunc(fields, func(f records.SchemaField) bool { return strings.EqualFold(f.Name, name) })
	}
	if i < 0 {
		return records.SchemaField{}, false
	}
	return fields[i], true
}

// called is a field as people know it.
func called(f records.SchemaField) string {
	if f.Label == "" || f.Label == f.Name {
		return f.Name
	}
	return fmt.Sprintf("%s (“%s”)", f.Name, clip(f.Label, 80))
}

func (v *validator) unknown() {
	names := make([]string, 0, len(v.schema.Fields))
	for _, f := range v.schema.Fields {
		if !f.ReadOnly && !f.Hidden {
			names = append(names, f.Name)
		}
	}
	target := clip(v.spec.Target, 100)
	if v.schema.Partial {
		v.warn(CodeNotChecked, "target", "The CRM has more fields than callsync reads, so it was not checked whether there is a field %s.", target)
		return
	}
	f := v.fail(CodeUnknownField, "target", "The CRM has no field %s in %s.", target, v.object)
	f.Suggestion = nearestField(v.spec.Target, v.schema.Fields, names)
}

// nearestField is the field that a name was most likely meant to be: the one whose label it is, else the nearest name.
func nearestField(name string, fields []records.SchemaField, names []string) string {
	for _, f := range fields {
		if !f.ReadOnly && !f.Hidden && f.Label != "" && foldName(f.Label) == foldName(name) {
			return f.Name
		}
	}
	return exprkit.Nearest(name, names)
}

// foldName brings names and labels to what they have in common: letters and digits.
func foldName(s string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "", ".", "").Replace(s))
}

func (v *validator) required(doc Document) {
	if v.schema == nil {
		return
	}
	for _, f := range v.schema.Fields {
		if !f.Required || f.Filled || f.ReadOnly || f.NoCreate {
			continue
		}
		i := slices.IndexFunc(doc.Fields, func(r Row) bool { return strings.EqualFold(r.Target, f.Name) && r.Mode != NeverWrite })
		if i < 0 {
			v.spec.Target = f.Name
			v.fail(CodeRequired, "fields", "The CRM makes no record without %s, and no row fills it. Add a row for it.", called(f))
			continue
		}
		if row := doc.Fields[i]; row.When != "" {
			v.row, v.spec.Target = i+1, row.Target
			v.warn(CodeRequired, "when", "The CRM makes no record without %s, and this row fills it only if its condition is true.", called(f))
			v.row = 0
		}
	}
	v.spec.Target = ""
}
