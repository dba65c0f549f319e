package expression

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/callsync/callsync/internal/exprkit"
)

// compiler makes nodes of the parser's tree and collects problems and reads.
type compiler struct {
	language *Language
	problems []Problem
	reads    []Path
	// looking is above zero inside conditions, where fields are only looked at.
	looking int
	// scope are the variables that let has declared, innermost last.
	scope []string
}

func (c *compiler) fail(n ast.Node, suggestion, format string, args ...any) node {
	c.problems = append(c.problems, Problem{Offset: n.Location().From, Text: fmt.Sprintf(format, args...), Suggestion: suggestion})
	return func(*Run) (any, error) { return nil, nil }
}

func (c *compiler) compile(n ast.Node) node {
	if p, ok := c.pathOf(n); ok {
		if c.looking == 0 {
			c.reads = append(c.reads, p)
		}
		return func(r *Run) (any, error) { return r.read(p) }
	}
	switch n := n.(type) {
	case *ast.NilNode:
		return constant(nil)
	case *ast.IntegerNode:
		return constant(int64(n.Value))
	case *ast.FloatNode:
		return constant(n.Value)
	case *ast.BoolNode:
		return constant(n.Value)
	case *ast.StringNode:
		return constant(n.Value)
	case *ast.IdentifierNode:
		return c.variable(n)
	case *ast.PointerNode:
		if n.Name != "" {
			return c.fail(n, "", "There is no #%s; # is the item.", n.Name)
		}
		return func(r *Run) (any, error) { return r.items[len(r.items)-1], nil }
	case *ast.ChainNode:
		return c.compile(n.Node)
	case *ast.MemberNode:
		of, key := c.compile(n.Node), c.look(n.Property)
		return func(r *Run) (any, error) {
			v, k, err := pair(r, of, key)
			if err != nil {
				return nil, err
			}
			return r.member(v, k)
		}
	case *ast.SliceNode:
		return c.slice(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.CallNode:
		return c.call(n)
	case *ast.BuiltinNode:
		return c.walk(n)
	case *ast.ArrayNode:
		return c.list(n.Nodes)
	case *ast.MapNode:
		return c.object(n)
	case *ast.VariableDeclaratorNode:
		return c.let(n)
	}
	return c.fail(n, "", "This is not part of the language.")
}

func constant(v any) node { return func(*Run) (any, error) { return v, nil } }

// look compiles a part of which the result is not made.
func (c *compiler) look(n ast.Node) node {
	c.looking++
	defer func() { c.looking-- }()
	return c.compile(n)
}

func pair(r *Run, a, b node) (x, y any, err error) {
	if x, err = a(r); err == nil {
		y, err = b(r)
	}
	return x, y, err
}

// pathOf reads a node that only names a field or a part of one.
func (c *compiler) pathOf(n ast.Node) (Path, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if strings.HasPrefix(n.Value, "$") || slices.Contains(c.scope, n.Value) {
			return nil, false
		}
		return Path{n.Value}, true
	case *ast.ChainNode:
		return c.pathOf(n.Node)
	case *ast.MemberNode:
		base, ok := c.pathOf(n.Node)
		if !ok {
			return nil, false
		}
		switch key := n.Property.(type) {
		case *ast.StringNode:
			return append(slices.Clip(base), key.Value), true
		case *ast.IntegerNode:
			return append(slices.Clip(base), key.Value), true
		}
	}
	return nil, false
}

func (c *compiler) variable(n *ast.IdentifierNode) node {
	at := slices.Index(c.scope, n.Value)
	if at < 0 {
		return c.fail(n, "", "There is no field %s.", n.Value)
	}
	return func(r *Run) (any, error) { return r.vars[at], nil }
}

func (c *compiler) let(n *ast.VariableDeclaratorNode) node {
	if slices.Contains(c.scope, n.Name) {
		return c.fail(n, "", "%s is taken; give the variable another name.", n.Name)
	}
	value := c.compile(n.Value)
	c.scope = append(c.scope, n.Name)
	body := c.compile(n.Expr)
	depth := len(c.scope)
	c.scope = c.scope[:depth-1]
	return func(r *Run) (any, error) {
		v, err := value(r)
		if err != nil {
			return nil, err
		}
		r.vars = append(r.vars[:depth-1], v)
		return body(r)
	}
}

func (c *compiler) list(nodes []ast.Node) node {
	items := make([]node, len(nodes))
	for i := range nodes {
		items[i] = c.compile(nodes[i])
	}
	return func(r *Run) (any, error) {
		out := make([]any, len(items))
		for i := range items {
			v, err := items[i](r)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, r.Charge(len(out) * opCost)
	}
}

func (c *compiler) object(n *ast.MapNode) node {
	keys, values := make([]node, len(n.Pairs)), make([]node, len(n.Pairs))
	for i := range n.Pairs {
		p, ok := n.Pairs[i].(*ast.PairNode)
		if !ok {
			return c.fail(n, "", "This is not part of the language.")
		}
		keys[i], values[i] = c.compile(p.Key), c.compile(p.Value)
	}
	return func(r *Run) (any, error) {
		out := make(map[string]any, len(keys))
		for i := range keys {
			k, v, err := pair(r, keys[i], values[i])
			if err != nil {
				return nil, err
			}
			name, ok := Text(k)
			if !ok {
				return nil, ValueError("The name of a member is no text.")
			}
			out[name] = v
		}
		return out, r.Charge(len(out) * opCost)
	}
}

func (c *compiler) slice(n *ast.SliceNode) node {
	bound := func(b ast.Node) node {
		if b == nil {
			return constant(nil)
		}
		return c.look(b)
	}
	of, from, to := c.compile(n.Node), bound(n.From), bound(n.To)
	return func(r *Run) (any, error) {
		v, err := of(r)
		if err != nil || v == nil {
			return nil, err
		}
		f, t, err := pair(r, from, to)
		if err != nil {
			return nil, err
		}
		if list, ok := v.([]any); ok {
			i, j, err := bounds(f, t, len(list))
			if err != nil {
				return nil, err
			}
			return normal(list[i:j]), r.Charge(0)
		}
		s, ok := Text(v)
		if !ok {
			return nil, ValueError("Only a text or a list has a beginning and an end.")
		}
		if err := r.Charge(4 * len(s)); err != nil {
			return nil, err
		}
		runes := []rune(s)
		i, j, err := bounds(f, t, len(runes))
		if err != nil {
			return nil, err
		}
		return normal(string(runes[i:j])), nil
	}
}

func bounds(from, to any, length int) (i, j int, err error) {
	bound := func(v any, otherwise int) int {
		if v == nil {
			return otherwise
		}
		_, w, ok := number(v)
		if !ok || !w.ok {
			err = ValueError("A part is cut out by whole numbers.")
		}
		n := min(max(w.n, -int64(length)), int64(length))
		if n < 0 {
			n += int64(length)
		}
		return int(n)
	}
	i, j = bound(from, 0), bound(to, length)
	return i, max(i, j), err
}

func (c *compiler) conditional(n *ast.ConditionalNode) node {
	cond, yes, no := c.look(n.Cond), c.compile(n.Exp1), c.compile(n.Exp2)
	return func(r *Run) (any, error) {
		ok, err := isTrue(r, cond)
		if err != nil {
			return nil, err
		}
		if ok {
			return yes(r)
		}
		return no(r)
	}
}

func isTrue(r *Run, n node) (bool, error) {
	v, err := n(r)
	if err != nil {
		return false, err
	}
	return truth(v)
}

func (c *compiler) call(n *ast.CallNode) node {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return c.fail(n, "", "Only functions of the reference can be called.")
	}
	f, ok := c.language.functions[callee.Value]
	if !ok {
		return c.fail(n, exprkit.Nearest(callee.Value, c.language.names), "There is no function %s.", callee.Value)
	}
	if len(n.Arguments) < f.Min || f.Max >= f.Min && len(n.Arguments) > f.Max {
		return c.fail(n, "", "%s takes other values: %s.", f.Name, f.Name+f.Signature)
	}
	args := make([]node, len(n.Arguments))
	for i, a := range n.Arguments {
		if f.Tests {
			args[i] = c.look(a)
		} else {
			args[i] = c.compile(a)
		}
	}
	return func(r *Run) (any, error) {
		values, cost := make([]any, len(args)), 0
		for i := range args {
			v, err := args[i](r)
			if err != nil {
				return nil, err
			}
			values[i] = v
			cost += size(v)
		}
		if err := r.Charge(cost); err != nil {
			return nil, err
		}
		if !f.Nil && len(values) > 0 && values[0] == nil {
			return nil, nil
		}
		out, err := f.Call(r, values)
		if err != nil {
			return nil, err
		}
		return normal(out), r.Charge(size(out))
	}
}

func size(v any) int {
	if s, ok := v.(string); ok {
		return len(s)
	}
	return 0
}
