// Package expression is the small language in which administrators say where the facts of a webhook stand. It has the
// grammar of expr-lang/expr, of which it uses the parser only: the nodes are compiled to functions of our own, so that
// absent values are harmless, numbers may come as text and text as numbers, and all work is counted.
//
// It knows nothing of telephony. Unlike package mappings, whose fields have known names and types, it is made for fields
// that nobody declared.
package expression

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// Limits of one expression.
const (
	maxSource = 4000
	maxNodes  = 500
)

// Function is a function that expressions can call. Call gets between Min and Max arguments; a Max below Min means any
// number. It charges for its own work; its arguments and its result have been charged.
type Function struct {
	Name, Signature, Description string
	Min, Max                     int
	// Nil tells that Call has something to say about an absent first argument; without it such a call gives nothing.
	Nil bool
	// Tests tells that the result is true or false, so that a field in the arguments is only looked at.
	Tests bool
	Call  func(r *Run, args []any) (any, error)
}

// Language is a set of functions. It is safe for concurrent use.
type Language struct {
	functions map[string]Function
	names     []string
}

// NewLanguage makes a language of functions and of the walks over lists that every language has.
func NewLanguage(functions ...Function) *Language {
	l := &Language{functions: map[string]Function{}, names: []string{"all", "any", "none", "one", "filter", "map", "find", "count"}}
	for _, f := range functions {
		l.functions[f.Name] = f
		l.names = append(l.names, f.Name)
	}
	return l
}

// Problem is a fault of a source. Offset counts runes. Text is a sentence for people; it quotes names of the source, but
// none of its texts in quotes, which may be secrets.
type Problem struct {
	Offset     int
	Text       string
	Suggestion string
}

// Path names a field and, after it, members (string) and places in lists (int).
type Path []any

// Program is a compiled expression. It is safe for concurrent use.
type Program struct {
	eval  node
	reads []Path
	plain bool
}

// Reads are the fields whose values the result is made of. Fields that are only looked at, in conditions, are not in it.
func (p *Program) Reads() []Path { return p.reads }

// Plain tells whether the expression only names a field.
func (p *Program) Plain() bool { return p.plain }

// Constant is a program that always gives v.
func Constant(v any) *Program {
	return &Program{eval: func(*Run) (any, error) { return v, nil }}
}

// At is a program that reads a path.
func At(p Path) *Program {
	return &Program{eval: func(r *Run) (any, error) { return r.read(p) }, reads: []Path{p}, plain: true}
}

// node evaluates a part of an expression.
type node func(*Run) (any, error)

// Compile reads source. All problems that were found are returned; the program is nil then.
func (l *Language) Compile(source string) (*Program, []Problem) {
	switch {
	case len(source) > maxSource:
		return nil, []Problem{{Text: fmt.Sprintf("The expression has %d characters; %d is the most.", len(source), maxSource)}}
	case strings.TrimSpace(source) == "":
		return nil, []Problem{{Text: "The expression is empty."}}
	case !utf8.ValidString(source):
		return nil, []Problem{{Text: "The expression is not valid UTF-8."}}
	}
	root, err := parse(source)
	if err != nil {
		return nil, []Problem{explain(err)}
	}
	c := &compiler{language: l}
	eval := c.compile(root)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	_, plain := c.pathOf(root)
	return &Program{eval: eval, reads: c.reads, plain: plain}, nil
}

// parse turns a panic of the parser on a strange source into an error.
func parse(source string) (root ast.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, errors.New("the expression cannot be read")
		}
	}()
	config := conf.CreateNew()
	config.MaxNodes = maxNodes
	// Without the engine's own functions, their names are free for fields and for functions of ours.
	for _, f := range builtin.Builtins {
		config.Disabled[f.Name] = true
	}
	tree, err := parser.ParseWithConfig(source, config)
	if err != nil {
		return nil, err
	}
	return tree.Node, nil
}

var quoted = regexp.MustCompile(`^unexpected token (\w+)`)

// explain puts the parser's message into our words.
func explain(err error) Problem {
	message, p := err.Error(), Problem{Text: "The expression cannot be read."}
	if fe, ok := errors.AsType[*file.Error](err); ok {
		message, p.Offset = fe.Message, fe.From
	}
	switch found := quoted.FindStringSubmatch(message); {
	case found != nil && found[1] == "EOF":
		p.Text = "The expression ends too early."
	case strings.Contains(message, `Operator(":")`):
		p.Text = `The expression cannot go on like this here. A group in a walk stands in parentheses: map(list, ({"name": .name})).`
	case found != nil:
		p.Text = "The expression cannot go on like this here."
	case strings.Contains(message, "exceeds maximum allowed nodes"):
		p.Text = fmt.Sprintf("The expression is too long: it has more than %d parts.", maxNodes)
	case strings.HasPrefix(message, "literal not terminated"):
		p.Text = "A text has no closing quote."
	}
	return p
}
