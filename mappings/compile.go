package mappings

import (
	"errors"
	"regexp"
	"slices"
	"strconv"

	"github.com/callsync/callsync/internal/exprkit"
)

// Program is a compiled document. It is safe for concurrent use.
type Program struct {
	object string
	rows   []*row
}

// row is a compiled row.
type row struct {
	number    int
	target    string
	typ       Type
	mode      Mode
	empty     Empty
	maxLength int
	when      *expression
	value     func(r *run) (any, error)
	reads     []path
	// condition is the text of when, for explanations.
	condition string
}

// outcome is what a row gave: an error, or why it was skipped, or a value, nil to clear.
type outcome struct {
	row      *row
	value    any
	skipped  string
	warnings []string
	err      *Error
}

// Compile checks d and makes it ready to apply. The error is a Problems with everything that is wrong.
func Compile(d Document) (*Program, error) {
	p, problems := compile(d)
	if len(problems) > 0 {
		return nil, problems
	}
	return p, nil
}

func compile(d Document) (*Program, Problems) {
	problems := d.shape()
	p, words := &Program{object: d.Object}, wordsOf(d.Object)
	for i, spec := range d.Fields {
		if i == maxRows {
			break
		}
		c := &rowCompiler{words: words, spec: spec, row: &row{
			number: i + 1, target: spec.Target, typ: orDefault(spec.Type, Text), mode: orDefault(spec.Mode, Overwrite),
			empty: orDefault(spec.Empty, SkipEmpty), maxLength: spec.MaxLength, condition: spec.When,
		}}
		c.compile()
		problems = append(problems, c.problems...)
		p.rows = append(p.rows, c.row)
	}
	if len(problems) == 0 {
		return p, nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Row - b.Row })
	return nil, problems
}

func orDefault[T ~string](v, otherwise T) T {
	if v == "" {
		return otherwise
	}
	return v
}

// rowCompiler compiles one row and collects what is wrong with it.
type rowCompiler struct {
	words    *vocabulary
	spec     Row
	row      *row
	problems Problems
}

func (c *rowCompiler) report(key string, problems []exprProblem) {
	for _, p := range problems {
		c.problems = append(c.problems, Problem{
			Row: c.row.number, Target: c.row.target, Key: key, Column: p.offset + 1, Text: p.text, Suggestion: p.suggestion,
		})
	}
}

func (c *rowCompiler) expr(key, source string, condition bool) *expression {
	e, problems := c.words.compileExpr(source, condition)
	c.report(key, problems)
	if e != nil {
		for _, p := range e.reads {
			if !slices.ContainsFunc(c.row.reads, func(have path) bool { return have.String() == p.String() }) {
				c.row.reads = append(c.row.reads, p)
			}
		}
	}
	return e
}

func (c *rowCompiler) compile() {
	v := c.spec.Value
	switch {
	case v.Field != "":
		c.field(v.Field)
	case v.Expr != "":
		if e := c.expr("value.expr", v.Expr, false); e != nil {
			c.row.value = func(r *run) (any, error) { return r.eval(e) }
		}
	case v.Const != nil:
		value := fromConstant(v.Const)
		c.row.value = func(*run) (any, error) { return value, nil }
	case len(v.Template) > 0:
		c.template(v.Template)
	case v.Lookup != nil:
		c.lookup(v.Lookup)
	}
	if c.spec.When != "" {
		c.row.when = c.expr("when", c.spec.When, true)
	}
}

var fieldPath = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*|\[-?\d{1,4}\])*$`)

func (c *rowCompiler) field(name string) {
	if !fieldPath.MatchString(name) {
		c.report("value.field", []exprProblem{{text: "This is not the name of a field, such as customer.number or agents[0].name; for anything else use expr."}})
		return
	}
	if e := c.expr("value.field", name, false); e != nil {
		c.row.value = func(r *run) (any, error) { return r.eval(e) }
	}
}

func (c *rowCompiler) template(lines Template) {
	isHTML := c.row.typ == HTML
	if len(lines) > maxTemplateLines {
		c.report("value.template", []exprProblem{{text: "The template has too many lines."}})
		return
	}
	compiled := make([]template, 0, len(lines))
	exprs := 0
	for i, line := range lines {
		key := "value.template"
		if len(lines) > 1 {
			key += "[" + strconv.Itoa(i) + "]"
		}
		t, problems := c.words.compileTemplate(line, isHTML)
		c.report(key, problems)
		for _, part := range t.parts {
			if part.expr != nil {
				c.row.reads = append(c.row.reads, part.expr.reads...)
			}
		}
		exprs += t.exprs
		compiled = append(compiled, t)
	}
	c.row.reads = uniquePaths(c.row.reads)
	sep := "\n"
	if isHTML {
		sep = "<br>\n"
	}
	c.row.value = func(r *run) (any, error) {
		r.scratch = r.scratch[:0]
		anything := exprs == 0
		for i := range compiled {
			t := &compiled[i]
			before := len(r.scratch)
			if before > 0 {
				r.scratch = append(r.scratch, sep...)
			}
			from := len(r.scratch)
			filled, err := t.render(r)
			if err != nil {
				return nil, err
			}
			leave := t.exprs > 0 && !filled
			if r.trace != nil && len(compiled) > 1 {
				if leave {
					r.trace.add(didLine, t.line, "left out: nothing in it has a value")
				} else {
					r.trace.add(didLine, t.line, shown(string(r.scratch[from:])))
				}
			}
			if leave {
				r.scratch = r.scratch[:before]
			}
			anything = anything || filled
		}
		if !anything {
			return nil, nil
		}
		if isHTML {
			return markup(r.scratch), nil
		}
		return string(r.scratch), nil
	}
}

func (c *rowCompiler) lookup(l *Lookup) {
	if l.Key == "" {
		return
	}
	key := c.expr("value.lookup.key", l.Key, false)
	if key == nil {
		return
	}
	table := make(map[string]any, len(l.Table))
	for k, v := range l.Table {
		table[foldKey(k)] = fromConstant(v)
	}
	otherwise := fromConstant(l.Default)
	c.row.value = func(r *run) (any, error) {
		k, err := r.eval(key)
		if err != nil {
			return nil, err
		}
		s, ok, err := asText(k)
		if err != nil {
			return nil, err
		}
		if !ok || blank(s) {
			if r.trace != nil {
				r.trace.add(didLookup, "no key", "default: "+shown(otherwise))
			}
			return otherwise, nil
		}
		v, ok := table[foldKey(s)]
		if ok {
			if r.trace != nil {
				r.trace.add(didLookup, shown(s), shown(v))
			}
			return v, nil
		}
		if r.trace != nil {
			r.trace.add(didLookup, shown(s)+" is not in the table", "default: "+shown(otherwise))
		}
		if otherwise == nil {
			r.warn("The look-up table has no entry for the call's value.")
		}
		return otherwise, nil
	}
}

// fromConstant brings a document's constant to the types of expressions.
func fromConstant(v any) any {
	if list, ok := v.([]any); ok {
		out := make([]any, len(list))
		for i, item := range list {
			out[i] = normal(item)
		}
		return out
	}
	return normal(v)
}

func uniquePaths(all []path) []path {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(p path) bool {
		name := p.String()
		was := seen[name]
		seen[name] = true
		return was
	})
}

// The reasons why a row writes nothing.
const (
	skippedWhen  = "its condition is not true for this call"
	skippedEmpty = "there is no value"
	skippedNever = "its mode is never"
)

// each runs every row on in and yields what it gave. It is the only way that rows are run. With traced the rows tell
// their steps, in r.trace.
func (p *Program) each(in *Input, traced bool, yield func(outcome, *run)) {
	r := startRun(in)
	defer r.end()
	for _, row := range p.rows {
		if traced {
			r.trace = &trace{}
		}
		r.budget, r.warnings, r.html = workBudget, nil, row.typ == HTML
		o := outcome{row: row}
		value, skipped, err := row.apply(r)
		switch {
		case err != nil:
			o.err = &Error{Row: row.number, Target: row.target, Public: row.sentence(err), Err: err}
		default:
			o.value, o.skipped = value, skipped
		}
		o.warnings = r.warnings
		yield(o, r)
	}
}

func (w *row) sentence(err error) string {
	return "The mapping of " + w.target + " (row " + strconv.Itoa(w.number) + ") does not work for this call: " + public(err)
}

// apply makes the row's value. No panic leaves it: what is wrong with one row must not stop a worker.
func (w *row) apply(r *run) (value any, skipped string, err error) {
	defer func() {
		if p := recover(); p != nil {
			value, skipped, err = nil, "", errors.New("row panicked: "+exprkit.Fault(p))
		}
	}()
	if w.when != nil {
		ok, err := r.eval(w.when)
		if err != nil {
			return nil, "", err
		}
		if r.trace != nil {
			r.trace.add(didCondition, w.condition, shown(ok))
		}
		switch ok {
		case true:
		case false, nil:
			return nil, skippedWhen, nil
		default:
			return nil, "", valueError("The condition is neither true nor false.")
		}
	}
	value, err = w.value(r)
	if err == nil {
		made := value
		value, err = r.convert(value, w.typ, w.maxLength)
		if r.trace != nil && err == nil {
			r.trace.conversion(made, value, w)
		}
	}
	switch {
	case err != nil:
		return nil, "", err
	case w.mode == NeverWrite:
		return value, skippedNever, nil
	case value == nil && w.empty == SkipEmpty:
		return nil, skippedEmpty, nil
	}
	return value, "", nil
}

// sources are the fields that the row read, with their values as text.
func (w *row) sources(r *run) []SourceValue {
	out := make([]SourceValue, 0, len(w.reads))
	warnings := r.warnings
	for _, p := range w.reads {
		s, ok, err := asText(r.read(p))
		if err != nil {
			s, ok = "…", true
		}
		if ok {
			s = clip(clean(s), 500)
		}
		out = append(out, SourceValue{Name: p.String(), Text: s})
	}
	r.warnings = warnings
	return out
}
