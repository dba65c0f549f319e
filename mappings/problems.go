package mappings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/callsync/callsync/internal/exprkit"
)

// Limits of a document. They are far above what people write and bound what a hostile document can cost.
const (
	maxDocument = 256 << 10
	maxRows     = 500
	maxSource   = 4 << 10
	maxTable    = 1000
)

// Problem is one thing wrong with a document.
type Problem struct {
	// Row is the row's number from 1; 0 stands for the document itself.
	Row    int    `json:"row,omitempty"`
	Target string `json:"target,omitempty"`
	// Key is the member at fault ("when", "value.expr").
	Key string `json:"key,omitempty"`
	// Line is the line in the file, where the document came from one.
	Line int `json:"line,omitempty"`
	// Column is the position in the expression or template from 1; 0 where there is none.
	Column int `json:"column,omitempty"`
	// Text is a sentence for the person who edits the mapping.
	Text string `json:"text"`
	// Suggestion is the nearest name that exists.
	Suggestion string `json:"suggestion,omitempty"`
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d, ", p.Line)
	}
	if p.Row > 0 {
		fmt.Fprintf(&b, "row %d", p.Row)
		if p.Target != "" {
			fmt.Fprintf(&b, " (%s)", p.Target)
		}
	} else {
		b.WriteString("document")
	}
	if p.Key != "" {
		b.WriteString(", " + p.Key)
	}
	if p.Column > 0 {
		fmt.Fprintf(&b, ", column %d", p.Column)
	}
	b.WriteString(": " + p.Text)
	if p.Suggestion != "" {
		fmt.Fprintf(&b, " Did you mean %s?", p.Suggestion)
	}
	return b.String()
}

// Problems is everything wrong with a document. As an error it can be shown to the person who edits it.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Problems checks the whole document, expressions included, and reports everything that is wrong; nil means that it
// compiles.
func (d Document) Problems() Problems {
	_, problems := compile(d)
	return problems
}

var (
	objectName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	targetName = regexp.MustCompile(`^[\pL\pN_][\pL\pN_.:@/ -]{0,254}$`)
)

// shape reports what can be said of a document without its expressions.
func (d Document) shape() Problems {
	var out Problems
	switch {
	case d.Format > Format:
		out = append(out, Problem{Key: "format", Text: fmt.Sprintf("This document has format %d; this callsync reads up to %d.", d.Format, Format)})
	case d.Format < 1:
		out = append(out, Problem{Key: "format", Text: fmt.Sprintf("The document must say its format: %d.", Format)})
	}
	if !objectName.MatchString(d.Object) {
		out = append(out, Problem{Key: "object", Text: `The document must name its object, such as "call" or "contact".`})
	}
	if len(d.Fields) == 0 {
		out = append(out, Problem{Key: "fields", Text: "The document has no rows."})
	}
	if len(d.Fields) > maxRows {
		out = append(out, Problem{Key: "fields", Text: fmt.Sprintf("The document has %d rows; %d is the most.", len(d.Fields), maxRows)})
	}
	seen := map[string]int{}
	for i, r := range d.Fields {
		add := func(key, suggestion, format string, args ...any) {
			out = append(out, Problem{Row: i + 1, Target: r.Target, Key: key, Text: fmt.Sprintf(format, args...), Suggestion: suggestion})
		}
		if !targetName.MatchString(r.Target) {
			add("target", "", "The row must name a field of the CRM.")
		} else if first, ok := seen[r.Target]; ok {
			add("target", "", "Row %d fills %s already; a field can be filled once.", first, r.Target)
		} else {
			seen[r.Target] = i + 1
		}
		oneOf(add, "type", r.Type, Text, HTML, Number, Bool, DateTime, Picklist, Multi)
		oneOf(add, "mode", r.Mode, Overwrite, Always, FillIfEmpty, Append, NeverWrite)
		oneOf(add, "empty", r.Empty, SkipEmpty, ClearEmpty)
		textual := r.Type == "" || r.Type == Text || r.Type == HTML
		if r.MaxLength < 0 || r.MaxLength > 0 && !textual {
			add("max_length", "", "max_length is a positive number of characters, for rows of type text and html.")
		}
		if r.Mode == Append && !textual && r.Type != Multi {
			add("mode", "", "Only text, html and multi fields can be appended to.")
		}
		r.Value.shape(r.Type, add)
	}
	return out
}

type addProblem func(key, suggestion, format string, args ...any)

func oneOf[T ~string](add addProblem, key string, have T, allowed ...T) {
	if have == "" || slices.Contains(allowed, have) {
		return
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	add(key, exprkit.Nearest(string(have), names), "%q is not a %s; use one of %s.", string(have), key, strings.Join(names, ", "))
}

func (v Value) shape(t Type, add addProblem) {
	forms := 0
	for _, is := range []bool{v.Field != "", v.Const != nil, v.Expr != "", len(v.Template) > 0, v.Lookup != nil} {
		if is {
			forms++
		}
	}
	if forms != 1 {
		add("value", "", "A value has exactly one of field, const, expr, template and lookup; this one has %d.", forms)
	}
	if v.Const != nil {
		constant(add, "value.const", v.Const, t == Multi)
	}
	if l := v.Lookup; l != nil {
		if l.Key == "" {
			add("value.lookup.key", "", "The look-up needs a key, an expression.")
		}
		if len(l.Table) == 0 || len(l.Table) > maxTable {
			add("value.lookup.table", "", "The look-up needs a table of 1 to %d entries; it has %d.", maxTable, len(l.Table))
		}
		folded := map[string]string{}
		for _, key := range sortedKeys(l.Table) {
			constant(add, "value.lookup.table", l.Table[key], t == Multi)
			if other, ok := folded[foldKey(key)]; ok {
				add("value.lookup.table", "", "The keys %q and %q are the same but for case and space.", other, key)
			}
			folded[foldKey(key)] = key
		}
		if l.Default != nil {
			constant(add, "value.lookup.default", l.Default, t == Multi)
		}
	}
}

// constant reports a constant that is not a plain value, or a list of them where lists are allowed.
func constant(add addProblem, key string, v any, lists bool) {
	switch v := v.(type) {
	case string, bool, int64, float64, int:
		return
	case []any:
		if lists {
			for _, item := range v {
				constant(add, key, item, false)
			}
			return
		}
	}
	add(key, "", "A constant is a text, a number, true or false%s.", map[bool]string{true: ", or a list of them"}[lists])
}
