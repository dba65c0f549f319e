package expression

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/callsync/callsync/internal/exprkit"
)

func (c *compiler) unary(n *ast.UnaryNode) node {
	switch n.Operator {
	case "!", "not":
		of := c.look(n.Node)
		return func(r *Run) (any, error) {
			ok, err := isTrue(r, of)
			return !ok, err
		}
	case "-":
		of := c.compile(n.Node)
		return func(r *Run) (any, error) {
			v, err := of(r)
			if err != nil {
				return nil, err
			}
			return calculate("-", int64(0), v)
		}
	case "+":
		return c.compile(n.Node)
	}
	return c.fail(n, "", "The operator %s is not part of the language.", n.Operator)
}

func (c *compiler) binary(n *ast.BinaryNode) node {
	switch n.Operator {
	case "??":
		left, right := c.compile(n.Left), c.compile(n.Right)
		return func(r *Run) (any, error) {
			v, err := left(r)
			if err != nil || v != nil {
				return v, err
			}
			return right(r)
		}
	case "+", "-", "*", "/", "%":
		return c.arithmetic(n)
	case "and", "&&", "or", "||":
		left, right := c.look(n.Left), c.look(n.Right)
		until := n.Operator == "or" || n.Operator == "||"
		return func(r *Run) (any, error) {
			ok, err := isTrue(r, left)
			if err != nil || ok == until {
				return ok, err
			}
			return isTrueValue(r, right)
		}
	case "matches":
		return c.matches(n)
	}
	test, ok := tests[n.Operator]
	if !ok {
		return c.fail(n, "", "The operator %s is not part of the language.", n.Operator)
	}
	left, right := c.look(n.Left), c.look(n.Right)
	return func(r *Run) (any, error) {
		a, b, err := pair(r, left, right)
		if err != nil {
			return nil, err
		}
		if err := r.Charge(size(a) + size(b)); err != nil {
			return nil, err
		}
		return test(r, a, b)
	}
}

func isTrueValue(r *Run, n node) (any, error) { return isTrue(r, n) }

func (c *compiler) arithmetic(n *ast.BinaryNode) node {
	left, right, op := c.compile(n.Left), c.compile(n.Right), n.Operator
	return func(r *Run) (any, error) {
		a, b, err := pair(r, left, right)
		if err != nil {
			return nil, err
		}
		if err := r.Charge(0); err != nil {
			return nil, err
		}
		if op == "+" {
			return r.add(a, b)
		}
		return calculate(op, a, b)
	}
}

// tests are the operators that give true or false. With an absent value they are false, but for == and !=.
var tests = map[string]func(r *Run, a, b any) (any, error){
	"==":         func(_ *Run, a, b any) (any, error) { return equal(a, b), nil },
	"!=":         func(_ *Run, a, b any) (any, error) { return !equal(a, b), nil },
	"<":          ordered(func(c int) bool { return c < 0 }),
	"<=":         ordered(func(c int) bool { return c <= 0 }),
	">":          ordered(func(c int) bool { return c > 0 }),
	">=":         ordered(func(c int) bool { return c >= 0 }),
	"in":         in,
	"contains":   textual(strings.Contains),
	"startsWith": textual(strings.HasPrefix),
	"endsWith":   textual(strings.HasSuffix),
}

func ordered(want func(int) bool) func(*Run, any, any) (any, error) {
	return func(_ *Run, a, b any) (any, error) {
		if a == nil || b == nil {
			return false, nil
		}
		c, err := compare(a, b)
		return err == nil && want(c), err
	}
}

func textual(test func(s, part string) bool) func(*Run, any, any) (any, error) {
	return func(r *Run, a, b any) (any, error) {
		s, ok := Text(a)
		part, ok2 := Text(b)
		if !ok || !ok2 {
			return false, nil
		}
		return test(s, part), r.Charge(8 * len(s))
	}
}

// in looks for a value in a list, for a name in an object, for a text in a text.
func in(r *Run, a, b any) (any, error) {
	if a == nil || b == nil {
		return false, nil
	}
	b, err := r.Open(b)
	if err != nil {
		return nil, err
	}
	switch b := b.(type) {
	case []any:
		if err := r.Charge(len(b) * (opCost + size(a))); err != nil {
			return nil, err
		}
		return slices.ContainsFunc(b, func(item any) bool { return equal(a, normal(item)) }), nil
	case map[string]any:
		_, _, ok := Member(b, a)
		return ok, r.Charge(len(b) / 8)
	}
	return textual(strings.Contains)(r, b, a)
}

func (c *compiler) matches(n *ast.BinaryNode) node {
	of := c.look(n.Left)
	fixed, ok := n.Right.(*ast.StringNode)
	if !ok {
		return c.fail(n, "", "The pattern of matches must be a fixed text.")
	}
	re, instructions, err := exprkit.Pattern(fixed.Value)
	if err != nil {
		return c.fail(n.Right, "", "This is no regular expression, or one that is too large.")
	}
	return func(r *Run) (any, error) {
		v, err := of(r)
		if err != nil {
			return nil, err
		}
		s, ok := Text(v)
		if !ok {
			return false, nil
		}
		if err := r.Charge(len(s) * max(32, instructions)); err != nil {
			return nil, err
		}
		return re.MatchString(s), nil
	}
}

// walk compiles the walks over lists: filter(legs, .state == "missed").
func (c *compiler) walk(n *ast.BuiltinNode) node {
	if !slices.Contains([]string{"all", "any", "none", "one", "filter", "map", "find", "count"}, n.Name) || len(n.Arguments) == 0 {
		return c.fail(n, exprkit.Nearest(n.Name, c.language.names), "There is no function %s.", n.Name)
	}
	// A walk rarely takes all that is in a list: what it leaves must not count as read.
	c.looking++
	defer func() { c.looking-- }()
	list := c.compile(n.Arguments[0])
	body := func(r *Run) (any, error) { return r.items[len(r.items)-1], nil }
	if len(n.Arguments) > 1 {
		p, ok := n.Arguments[1].(*ast.PredicateNode)
		if !ok {
			return c.fail(n, "", "This is not part of the language.")
		}
		body = c.compile(p.Node)
	}
	name := n.Name
	return func(r *Run) (any, error) {
		v, err := list(r)
		if err != nil {
			return nil, err
		}
		items, err := r.Items(v)
		if err != nil {
			return nil, err
		}
		return r.walk(name, items, body)
	}
}

func (r *Run) walk(name string, items []any, body node) (any, error) {
	var kept []any
	hits := 0
	for _, item := range items {
		if err := r.Charge(opCost); err != nil {
			return nil, err
		}
		item = normal(item)
		r.items = append(r.items, item)
		v, err := body(r)
		r.items = r.items[:len(r.items)-1]
		if err != nil {
			return nil, err
		}
		if name == "map" {
			if v != nil {
				kept = append(kept, v)
			}
			continue
		}
		ok, err := truth(v)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		hits++
		if name == "find" {
			return item, nil
		}
		if name == "filter" {
			kept = append(kept, item)
		}
	}
	switch name {
	case "map", "filter":
		return normal(kept), nil
	case "find":
		return nil, nil
	case "all":
		return hits == len(items), nil
	case "any":
		return hits > 0, nil
	case "none":
		return hits == 0, nil
	case "one":
		return hits == 1, nil
	}
	return int64(hits), nil
}
