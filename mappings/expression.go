package mappings

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/callsync/callsync/internal/exprkit"
)

// maxNodes is the most parts of one expression. What one evaluation may cost is bounded in run.go.
const maxNodes = 500

// predicates are the only builtins of the engine that mappings keep. They walk a list once; see refuse for nesting.
var predicates = []string{"all", "any", "none", "one", "filter", "map", "find", "count"}

// expression is a compiled expression.
type expression struct {
	// path is set for an expression that only names a field; it needs no engine.
	path *path
	// code runs any other, with so many variables.
	code      code
	variables int
	// reads are the fields that the expression names.
	reads []path
}

// path is a canonical field, or a part of one: agents[0].name is the entry agents and the keys 0 and name.
type path struct {
	entry int
	keys  []any
}

func (p path) String() string {
	var b strings.Builder
	b.WriteString(catalog[p.entry].info.Name)
	for _, k := range p.keys {
		switch k := k.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", k)
		case string:
			b.WriteString("." + k)
		}
	}
	return b.String()
}

// exprProblem is a fault at a rune offset of the source.
type exprProblem struct {
	offset     int
	text       string
	suggestion string
}

// compileExpr compiles source twice: first against the types of the vocabulary's names, for its faults; then with every
// operator replaced by one of ours (patcher), so that absent values are harmless and all work is counted.
func (v *vocabulary) compileExpr(source string, condition bool) (*expression, []exprProblem) {
	if len(source) > maxSource {
		return nil, []exprProblem{{text: fmt.Sprintf("The expression has %d characters; %d is the most.", len(source), maxSource)}}
	}
	if strings.TrimSpace(source) == "" {
		return nil, []exprProblem{{text: "The expression is empty."}}
	}
	if !utf8.ValidString(source) {
		return nil, []exprProblem{{text: "The expression is not valid UTF-8."}}
	}
	if problems := v.check(source, condition); len(problems) > 0 {
		return nil, problems
	}
	_, options := v.options()
	prog, err := safeCompile(source, options...)
	if err != nil {
		return nil, []exprProblem{v.explain(err)}
	}
	e := &expression{reads: reads(prog.Node())}
	if e.code, e.variables, err = encode(prog.Node()); err != nil {
		return nil, []exprProblem{{text: "The expression cannot be read."}}
	}
	if direct, ok := asPath(prog.Node()); ok {
		e.path = &direct
	}
	return e, nil
}

// check compiles against the typed names and reports every fault of the kinds we look for, and the engine's first.
func (v *vocabulary) check(source string, condition bool) []exprProblem {
	r := &refuser{words: v}
	options, _ := v.options()
	options = append(options, expr.Patch(r))
	if condition {
		options = append(options, expr.AsBool())
	}
	_, err := safeCompile(source, options...)
	problems := r.problems
	if err != nil {
		p := v.explain(err)
		if !slices.ContainsFunc(problems, func(have exprProblem) bool { return have.offset == p.offset }) {
			problems = append(problems, p)
		}
	}
	slices.SortStableFunc(problems, func(a, b exprProblem) int { return cmp.Compare(a.offset, b.offset) })
	return problems
}

// safeCompile turns a panic of the engine on a strange source into an error.
func safeCompile(source string, options ...expr.Option) (prog *vm.Program, err error) {
	defer func() {
		if p := recover(); p != nil {
			prog, err = nil, errors.New("the expression cannot be read")
		}
	}()
	return expr.Compile(source, options...)
}

// options set up the engine for the two compilations. Every builtin but the predicates is off: none reads the clock, parses
// JSON or allocates without counting.
func (v *vocabulary) options() (checking, executing []expr.Option) {
	v.once.Do(func() {
		v.checking = append(baseOptions(), expr.Env(v.typedEnv()))
		v.executing = append(baseOptions(), expr.Env(map[string]any{runVar: (*run)(nil)}), expr.Patch(patcher{words: v}))
		for _, f := range functions {
			v.checking = append(v.checking, expr.Function(f.name, func(...any) (any, error) { return nil, nil }, f.types...))
			v.executing = append(v.executing, expr.Function(f.name, f.onRun()))
		}
		for name, op := range operators {
			v.executing = append(v.executing, expr.Function(name, op))
		}
	})
	return slices.Clip(v.checking), slices.Clip(v.executing)
}

func baseOptions() []expr.Option {
	options := []expr.Option{expr.Optimize(false), expr.MaxNodes(maxNodes)}
	for _, f := range builtin.Builtins {
		if !slices.Contains(predicates, f.Name) {
			options = append(options, expr.DisableBuiltin(f.Name))
		}
	}
	return options
}

// explain puts the engine's message into our words.
func (v *vocabulary) explain(err error) exprProblem {
	message, offset := err.Error(), 0
	if fe, ok := errors.AsType[*file.Error](err); ok {
		message, offset = fe.Message, fe.From
	}
	p := exprProblem{offset: offset, text: sentence(plainTypes.Replace(message))}
	for _, m := range messages {
		if found := m.pattern.FindStringSubmatch(message); found != nil {
			m.explain(v, &p, found)
			break
		}
	}
	return p
}

// plainTypes puts the engine's names of types into our words.
var plainTypes = strings.NewReplacer(
	"map[string]interface {}", "group", "[]interface {}", "list", "interface {}", "value", "time.Time", "time",
	"string", "text", "float64", "number", "int", "number", "bool", "true or false",
)

// messages are the engine's messages that people meet most, and what we say instead.
var messages = []struct {
	pattern *regexp.Regexp
	explain func(v *vocabulary, p *exprProblem, found []string)
}{
	{regexp.MustCompile(`^unknown name ([\pL\pN_$]+)`), func(v *vocabulary, p *exprProblem, found []string) {
		p.text = fmt.Sprintf("There is no field or function %s.", found[1])
		if _, ok := callWords.index[found[1]]; ok {
			p.text = fmt.Sprintf("There is no field %s in a mapping of the object %s: calls have it.", found[1], v.object)
		}
		p.suggestion = exprkit.Nearest(found[1], append(v.fieldNames(), functionNames()...))
	}},
	{regexp.MustCompile(`^unknown field ([\pL\pN_$]+)`), func(v *vocabulary, p *exprProblem, found []string) {
		p.text = fmt.Sprintf("There is no field %s here.", found[1])
		p.suggestion = exprkit.Nearest(found[1], v.memberNames())
	}},
	{regexp.MustCompile(`^type (.+) has no (?:field|method) (.+)`), func(_ *vocabulary, p *exprProblem, found []string) {
		p.text = fmt.Sprintf("There is no field %s here: the value is a %s.", found[2], plainTypes.Replace(found[1]))
	}},
	{regexp.MustCompile(`^cannot use (.+) as argument \(type (.+)\) to call (\w+)`), func(_ *vocabulary, p *exprProblem, found []string) {
		p.text = fmt.Sprintf("%s takes a %s here, not a %s.", found[3], plainTypes.Replace(found[2]), plainTypes.Replace(found[1]))
	}},
	{regexp.MustCompile(`^(not enough|too many) arguments to call (\w+)`), func(_ *vocabulary, p *exprProblem, found []string) {
		p.text = fmt.Sprintf("%s has %s values: %s%s.", found[2], strings.Replace(found[1], "not enough", "too few", 1), found[2], signature(found[2]))
	}},
	{regexp.MustCompile(`^no matching overload for (\w+)`), func(_ *vocabulary, p *exprProblem, found []string) {
		p.text = fmt.Sprintf("%s does not take these values: %s%s.", found[1], found[1], signature(found[1]))
	}},
	{regexp.MustCompile(`mismatched types (.+) and (.+)\)`), func(_ *vocabulary, p *exprProblem, found []string) {
		p.text = fmt.Sprintf("A %s and a %s do not go together here.", plainTypes.Replace(found[1]), plainTypes.Replace(found[2]))
	}},
	{regexp.MustCompile(`^expected bool, but got|^non-bool expression|^predicate should return boolean`), func(_ *vocabulary, p *exprProblem, _ []string) {
		p.text = "A condition must be true or false, such as: talk_seconds > 30."
	}},
	{regexp.MustCompile(`^unexpected token EOF|^unexpected end of expression`), func(_ *vocabulary, p *exprProblem, _ []string) {
		p.text = "The expression ends too early."
	}},
	{regexp.MustCompile(`^cannot redeclare (?:variable |function |builtin )?(\w+)`), func(_ *vocabulary, p *exprProblem, found []string) {
		p.text = fmt.Sprintf("%s is taken; give the variable another name.", found[1])
	}},
	{regexp.MustCompile(`^error parsing regexp: ([^:]+)`), func(_ *vocabulary, p *exprProblem, found []string) {
		p.text = fmt.Sprintf("This is no regular expression: %s.", found[1])
	}},
	{regexp.MustCompile(`exceeds maximum allowed nodes`), func(_ *vocabulary, p *exprProblem, _ []string) {
		p.text = fmt.Sprintf("The expression is too long: it has more than %d parts.", maxNodes)
	}},
}

func signature(name string) string {
	if i, ok := functionIndex[name]; ok {
		return functions[i].signature
	}
	return ""
}

func sentence(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	s = strings.ToUpper(string(r)) + s[n:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func (v *vocabulary) fieldNames() []string {
	var out []string
	for name := range v.index {
		if !strings.Contains(name, ".") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func functionNames() []string {
	out := slices.Clone(predicates)
	for _, f := range functions {
		out = append(out, f.name)
	}
	return out
}

func (v *vocabulary) memberNames() []string {
	set := map[string]bool{}
	for _, i := range v.entries {
		e := catalog[i]
		if _, member, ok := strings.Cut(e.info.Name, "."); ok {
			set[member] = true
		}
		for _, m := range e.items {
			set[m.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// refuser finds what the language leaves out, while the types of the nodes are known.
type refuser struct {
	words    *vocabulary
	problems []exprProblem
}

func (r *refuser) fail(n ast.Node, suggestion, format string, args ...any) {
	if len(r.problems) > 0 && r.problems[len(r.problems)-1].offset == n.Location().From {
		return // One place, one problem: what follows from the first says nothing new.
	}
	r.problems = append(r.problems, exprProblem{offset: n.Location().From, text: fmt.Sprintf(format, args...), suggestion: suggestion})
}

// Visit is called for children before their parents.
func (r *refuser) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if strings.HasPrefix(n.Value, "$") {
			r.fail(n, "", "There is no field %s.", n.Value)
		}
	case *ast.PointerNode:
		if n.Name != "" {
			r.fail(n, "", "There is no #%s; # is the item.", n.Name)
		}
	case *ast.BytesNode, *ast.ConstantNode:
		r.fail(n, "", "Bytes are not part of the language.")
	case *ast.CallNode:
		if _, ok := n.Callee.(*ast.IdentifierNode); !ok {
			r.fail(n, "", "Only functions of the reference can be called.")
		}
	case *ast.MemberNode:
		if isTime(n.Node) {
			r.fail(n, "time_format", "A time has no parts; time_format shows it.")
		}
	case *ast.BuiltinNode:
		r.builtin(n)
	case *ast.BinaryNode:
		r.binary(n)
	}
}

func (r *refuser) builtin(n *ast.BuiltinNode) {
	if !slices.Contains(predicates, n.Name) {
		r.fail(n, exprkit.Nearest(n.Name, functionNames()), "There is no function %s.", n.Name)
		return
	}
	for _, arg := range n.Arguments {
		if p, ok := arg.(*ast.PredicateNode); ok {
			body := p.Node
			if ast.Find(body, func(inner ast.Node) bool { _, ok := inner.(*ast.BuiltinNode); return ok }) != nil {
				r.fail(n, "", "%s may not hold another walk over a list.", n.Name)
			}
		}
	}
}

func (r *refuser) binary(n *ast.BinaryNode) {
	switch n.Operator {
	case "..", "**", "^":
		r.fail(n, "", "The operator %s is not part of the language.", n.Operator)
	case "matches":
		fixed, ok := n.Right.(*ast.StringNode)
		if !ok {
			r.fail(n, "", "The pattern of matches must be a fixed text.")
		} else if _, err := compilePattern(fixed.Value); err != nil {
			r.fail(n.Right, "", "This is no regular expression, or one that is too large.")
		}
	case "+", "-":
		if isTime(n.Left) || isTime(n.Right) {
			r.fail(n, "seconds_between", "Times cannot be calculated with; seconds_between gives the seconds from one to the other.")
		}
	case "==", "!=":
		r.enum(n.Left, n.Right)
		r.enum(n.Right, n.Left)
	case "in":
		if list, ok := n.Right.(*ast.ArrayNode); ok {
			for _, item := range list.Nodes {
				r.enum(n.Left, item)
			}
		}
	}
}

// enum refuses to compare a field that has a fixed list with a text that is not in it.
func (r *refuser) enum(of, with ast.Node) {
	want, ok := with.(*ast.StringNode)
	if !ok {
		return
	}
	values := r.words.enumValues(of)
	if len(values) > 0 && !slices.Contains(values, want.Value) {
		r.fail(with, exprkit.Nearest(want.Value, values), "%q is not among its values: %s.", want.Value, strings.Join(values, ", "))
	}
}

func (v *vocabulary) enumValues(n ast.Node) []string {
	switch n := n.(type) {
	case *ast.ChainNode:
		return v.enumValues(n.Node)
	case *ast.IdentifierNode:
		if i, ok := v.index[n.Value]; ok {
			return catalog[i].info.Values
		}
	case *ast.MemberNode:
		name, ok := n.Property.(*ast.StringNode)
		if !ok {
			return nil
		}
		switch base := n.Node.(type) {
		case *ast.IdentifierNode:
			if i, ok := v.index[base.Value+"."+name.Value]; ok {
				return catalog[i].info.Values
			}
		case *ast.MemberNode:
			if id, ok := base.Node.(*ast.IdentifierNode); ok {
				if i, ok := v.index[id.Value]; ok {
					for _, m := range catalog[i].items {
						if m.Name == name.Value {
							return m.Values
						}
					}
				}
			}
		}
	}
	return nil
}

func isTime(n ast.Node) bool {
	t := n.Type()
	return t != nil && t.String() == "time.Time"
}
