package mappings

import (
	"reflect"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/expr-lang/expr/ast"
)

// static is what can be said of a value before there is a call: what is not known is left open, never guessed.
type static struct {
	// kind is the type that the value has where there is one; empty where it is not known, or can be several.
	kind FieldType
	// texts are values that it can have, with where they are from. closed tells that it has no others.
	texts  []staticText
	closed bool
	// most is how many characters it has at most; zero where that is not known. long tells that it holds what people write
	// at length: notes, messages, transcriptions.
	most int
	long bool
	// fraction tells that a number may have one; unit is the unit of a duration: "seconds" or "milliseconds".
	fraction bool
	unit     string
}

// staticText is one text that a value can have.
type staticText struct {
	value string
	// written tells that it stands in the document, so that its author meant it; else a field of the call can have it.
	written bool
}

// longTexts are the fields that hold what people write at length.
var longTexts = []string{
	"note", "call_note", "transcription.text", "message.body", "task.body", "note.body", "ticket.body", "form.fields",
}

// written is a constant of the document.
func written(v any) static {
	switch v := v.(type) {
	case nil:
		return static{closed: true}
	case string:
		return static{kind: FieldText, texts: []staticText{{v, true}}, closed: true, most: max(1, textLength(v))}
	case bool:
		s := static{kind: FieldBool, most: 5}
		return s
	case int, int64:
		text, _, _ := asText(v)
		return static{kind: FieldNumber, most: len(text)}
	case float64:
		text, _, _ := asText(v)
		return static{kind: FieldNumber, most: len(text), fraction: true}
	case []any:
		out := static{kind: FieldTexts, closed: true}
		for _, item := range v {
			if text, ok, err := asText(normal(item)); ok && err == nil {
				out.texts = append(out.texts, staticText{text, true})
			}
		}
		return out
	}
	return static{}
}

func textLength(s string) int { return len(utf16.Encode([]rune(s))) }

// or is what can be said of a value that is one or the other.
func (s static) or(o static) static {
	nothing := func(x static) bool { return x.closed && len(x.texts) == 0 && x.kind == "" }
	switch {
	case nothing(s):
		return o
	case nothing(o):
		return s
	}
	out := static{texts: slices.Concat(s.texts, o.texts), closed: s.closed && o.closed, long: s.long || o.long, fraction: s.fraction || o.fraction}
	if s.kind == o.kind {
		out.kind = s.kind
	}
	if s.most > 0 && o.most > 0 {
		out.most = max(s.most, o.most)
	}
	if s.unit == o.unit {
		out.unit = s.unit
	}
	return out
}

// info is what can be said of a canonical field.
func (f FieldInfo) static() static {
	s := static{kind: f.Type, long: slices.Contains(longTexts, f.Name)}
	switch f.Type {
	case FieldText:
		if len(f.Values) > 0 {
			s.closed = true
		}
		for _, v := range f.Values {
			s.texts, s.most = append(s.texts, staticText{value: v}), max(s.most, len(v))
		}
	case FieldNumber:
		s.most = 20
		if strings.HasSuffix(f.Name, "_seconds") {
			s.unit = unitSeconds
		}
	case FieldBool:
		s.most = 5
	case FieldDateTime:
		s.most = len("2026-11-21T10:00:00Z")
	}
	return s
}

// The units of durations.
const (
	unitSeconds = "seconds"
	unitMillis  = "milliseconds"
)

// static tells what can be said of the row's value, as it is before the row's type makes something of it.
func (v *vocabulary) static(value Value) static {
	switch {
	case value.Field != "":
		return v.staticOf(value.Field)
	case value.Expr != "":
		return v.staticOf(value.Expr)
	case value.Const != nil:
		return written(fromConstant(value.Const))
	case len(value.Template) > 0:
		return v.staticTemplate(value.Template)
	case value.Lookup != nil:
		out := written(value.Lookup.Default)
		for _, key := range sortedKeys(value.Lookup.Table) {
			out = out.or(written(fromConstant(value.Lookup.Table[key])))
		}
		return out
	}
	return static{}
}

func (v *vocabulary) staticTemplate(lines Template) static {
	out := static{kind: FieldText, closed: true}
	known := true
	for i, line := range lines {
		if i > 0 {
			out.most += len("<br>\n")
		}
		for at := 0; at < len(line); {
			open := strings.Index(line[at:], "{{")
			if open < 0 {
				out.most += textLength(line[at:])
				break
			}
			out.most += textLength(line[at : at+open])
			start := at + open + 2
			end := endOfExpr(line, start)
			if end < 0 {
				break
			}
			part := v.staticOf(line[start:end])
			out.closed, out.long = false, out.long || part.long
			known = known && part.most > 0
			out.most += part.most
			at = end + 2
		}
	}
	if out.closed {
		return written(strings.Join(lines, "\n"))
	}
	if !known {
		out.most = 0
	}
	return out
}

// staticOf tells what can be said of an expression; nothing of one that does not compile.
func (v *vocabulary) staticOf(source string) static {
	if len(source) > maxSource {
		return static{}
	}
	checking, _ := v.options()
	prog, err := safeCompile(source, checking...)
	if err != nil {
		return static{}
	}
	return v.staticNode(prog.Node())
}

func (v *vocabulary) staticNode(n ast.Node) static {
	switch n := n.(type) {
	case *ast.NilNode:
		return written(nil)
	case *ast.StringNode:
		return written(n.Value)
	case *ast.IntegerNode:
		return written(n.Value)
	case *ast.FloatNode:
		return written(n.Value)
	case *ast.BoolNode:
		return written(n.Value)
	case *ast.ChainNode:
		return v.staticNode(n.Node)
	case *ast.ConditionalNode:
		return v.staticNode(n.Exp1).or(v.staticNode(n.Exp2))
	case *ast.IdentifierNode, *ast.MemberNode:
		if f, ok := v.fieldOf(n); ok {
			return f.static()
		}
	case *ast.BinaryNode:
		return v.staticBinary(n)
	case *ast.UnaryNode:
		s := byType(n)
		if n.Operator == "-" || n.Operator == "+" {
			inner := v.staticNode(n.Node)
			s.fraction, s.unit = inner.fraction, inner.unit
		}
		return s
	case *ast.CallNode:
		return v.staticCall(n)
	case *ast.VariableDeclaratorNode, *ast.SequenceNode, *ast.BuiltinNode, *ast.SliceNode, *ast.ArrayNode:
		s := byType(n)
		s.long = v.readsLong(n)
		s.fraction = s.kind == FieldNumber
		return s
	}
	return byType(n)
}

func (v *vocabulary) staticBinary(n *ast.BinaryNode) static {
	left, right := v.staticNode(n.Left), v.staticNode(n.Right)
	switch n.Operator {
	case "??":
		return left.or(right)
	case "+":
		if byType(n).kind == FieldText {
			s := static{kind: FieldText, long: left.long || right.long}
			if left.most > 0 && right.most > 0 {
				s.most = left.most + right.most
			}
			return s
		}
		fallthrough
	case "-":
		s := static{kind: FieldNumber, most: 20, fraction: left.fraction || right.fraction}
		if left.unit == right.unit {
			s.unit = left.unit
		}
		return s
	case "*", "%":
		return static{kind: FieldNumber, most: 20, fraction: left.fraction || right.fraction}
	case "/":
		return static{kind: FieldNumber, most: 25, fraction: true}
	}
	return byType(n)
}

func (v *vocabulary) staticCall(n *ast.CallNode) static {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || len(n.Arguments) == 0 {
		return byType(n)
	}
	s := byType(n)
	first := v.staticNode(n.Arguments[0])
	for _, a := range n.Arguments {
		s.long = s.long || v.staticNode(a).long
	}
	mapped := func(f func(string) string) static {
		s.closed, s.most = first.closed, first.most
		for _, t := range first.texts {
			s.texts = append(s.texts, staticText{f(t.value), t.written})
		}
		return s
	}
	switch callee.Value {
	case "coalesce":
		out := written(nil)
		for _, a := range n.Arguments {
			out = out.or(v.staticNode(a))
		}
		return out
	case "truncate":
		if limit, ok := n.Arguments[len(n.Arguments)-1].(*ast.IntegerNode); ok && len(n.Arguments) == 2 {
			s.most, s.long = limit.Value, false
		}
	case "upper":
		return mapped(strings.ToUpper)
	case "lower":
		return mapped(strings.ToLower)
	case "trim":
		return mapped(strings.TrimSpace)
	case "text", "person_name":
		s.most = first.most
	case "round":
		s.kind, s.most, s.unit = FieldNumber, 25, first.unit
		s.fraction = len(n.Arguments) > 1
	case "number":
		s.kind, s.fraction, s.most = FieldNumber, true, 40
	case "millis":
		s.kind, s.fraction, s.most, s.unit = FieldNumber, false, 20, unitMillis
	case "seconds_between":
		s.kind, s.most, s.unit = FieldNumber, 20, unitSeconds
	case "len":
		s.kind, s.most, s.long = FieldNumber, 10, false
	case "empty":
		s.long = false
	case "phone_e164", "phone_national", "phone_international", "duration_text", "hms":
		s.most = 60
	}
	return s
}

// byType is what the type of a node alone says.
func byType(n ast.Node) static {
	t := n.Type()
	if t == nil {
		return static{}
	}
	if t == reflect.TypeFor[any]() {
		return static{}
	}
	if isTime(n) {
		return static{kind: FieldDateTime, most: len("2026-11-21T10:00:00Z")}
	}
	switch t.Kind() {
	case reflect.String:
		return static{kind: FieldText}
	case reflect.Int, reflect.Int64:
		return static{kind: FieldNumber, most: 20}
	case reflect.Float64:
		return static{kind: FieldNumber, most: 40, fraction: true}
	case reflect.Bool:
		return static{kind: FieldBool, most: 5}
	case reflect.Slice, reflect.Array:
		return static{kind: FieldTexts}
	}
	return static{}
}

// fieldOf is the canonical field that a node names.
func (v *vocabulary) fieldOf(n ast.Node) (FieldInfo, bool) {
	switch n := n.(type) {
	case *ast.ChainNode:
		return v.fieldOf(n.Node)
	case *ast.IdentifierNode:
		if i, ok := v.index[n.Value]; ok {
			return catalog[i].info, true
		}
	case *ast.MemberNode:
		name, ok := n.Property.(*ast.StringNode)
		if !ok {
			return FieldInfo{}, false
		}
		if base, ok := n.Node.(*ast.MemberNode); ok {
			if id, ok := base.Node.(*ast.IdentifierNode); ok {
				return v.item(id.Value, name.Value)
			}
		}
		base, ok := v.fieldOf(n.Node)
		if !ok {
			return FieldInfo{}, false
		}
		if i, ok := v.index[base.Name+"."+name.Value]; ok {
			return catalog[i].info, true
		}
		if base.Type == FieldMap {
			return FieldInfo{Name: base.Name}, true
		}
	}
	return FieldInfo{}, false
}

// item is the member of the objects of a list: agents[0].status.
func (v *vocabulary) item(list, member string) (FieldInfo, bool) {
	i, ok := v.index[list]
	if !ok {
		return FieldInfo{}, false
	}
	at := slices.IndexFunc(catalog[i].items, func(m FieldInfo) bool { return m.Name == member })
	if at < 0 {
		return FieldInfo{}, false
	}
	return catalog[i].items[at], true
}

// readsLong tells whether a node reads what people write at length.
func (v *vocabulary) readsLong(n ast.Node) bool {
	found := &longFinder{words: v}
	ast.Walk(&n, found)
	return found.is
}

type longFinder struct {
	words *vocabulary
	is    bool
}

// Visit looks at one node.
func (l *longFinder) Visit(node *ast.Node) {
	if f, ok := l.words.fieldOf(*node); ok && slices.Contains(longTexts, f.Name) {
		l.is = true
	}
}
