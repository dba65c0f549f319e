package mappings

import (
	"errors"

	"github.com/expr-lang/expr/ast"
)

// An expression runs as functions that are put together when it is compiled: one for each node of the patched tree, which
// holds nothing but calls of our own functions (patch.go). The engine of expr-lang/expr parses and checks; what it would do
// to run an expression, the tests compare with this.

// code evaluates one node.
type code func(r *run) (any, error)

// operand is an argument: a constant, or what eval makes.
type operand struct {
	value any
	eval  code
}

func (o operand) get(r *run) (any, error) {
	if o.eval == nil {
		return o.value, nil
	}
	return o.eval(r)
}

// coder makes code of a tree.
type coder struct {
	// names are the variables of the let that are known at this place; each has the place of its name.
	names []string
	// most is how many variables are known at the same time.
	most int
	err  error
}

// errNotOurs is for nodes that the patcher leaves in no tree.
var errNotOurs = errors.New("mappings: a node that the language does not have")

// encode makes code of a patched tree, and tells how many variables it needs.
func encode(root ast.Node) (code, int, error) {
	c := &coder{}
	run := c.code(root)
	return run, c.most, c.err
}

func (c *coder) code(n ast.Node) code {
	o := c.operand(n)
	if o.eval != nil {
		return o.eval
	}
	return func(*run) (any, error) { return o.value, nil }
}

func (c *coder) codes(nodes []ast.Node) []code {
	out := make([]code, len(nodes))
	for i, n := range nodes {
		out[i] = c.code(n)
	}
	return out
}

func (c *coder) operand(n ast.Node) operand {
	switch n := n.(type) {
	case *ast.NilNode:
		return operand{}
	case *ast.IntegerNode:
		return operand{value: n.Value}
	case *ast.FloatNode:
		return operand{value: n.Value}
	case *ast.StringNode:
		return operand{value: n.Value}
	case *ast.BoolNode:
		return operand{value: n.Value}
	case *ast.ConstantNode:
		return operand{value: n.Value}
	case *ast.ChainNode:
		return c.operand(n.Node)
	case *ast.IdentifierNode:
		return operand{eval: c.variable(n.Value)}
	case *ast.PointerNode:
		return operand{eval: func(r *run) (any, error) { return r.item, nil }}
	case *ast.UnaryNode:
		return operand{eval: c.not(n)}
	case *ast.BinaryNode:
		return operand{eval: c.binary(n)}
	case *ast.ConditionalNode:
		return operand{eval: c.conditional(n)}
	case *ast.VariableDeclaratorNode:
		return operand{eval: c.let(n)}
	case *ast.SequenceNode:
		return operand{eval: sequence(c.codes(n.Nodes))}
	case *ast.ArrayNode:
		return operand{eval: array(c.codes(n.Nodes))}
	case *ast.MapNode:
		return c.group(n)
	case *ast.CallNode:
		return operand{eval: c.call(n)}
	case *ast.BuiltinNode:
		return operand{eval: c.walk(n)}
	}
	return operand{eval: c.refuse()}
}

func (c *coder) refuse() code {
	c.err = errNotOurs
	return func(*run) (any, error) { return nil, errNotOurs }
}

func (c *coder) variable(name string) code {
	for i := len(c.names) - 1; i >= 0; i-- {
		if c.names[i] == name {
			return func(r *run) (any, error) { return r.variables[i], nil }
		}
	}
	return c.refuse()
}

func (c *coder) let(n *ast.VariableDeclaratorNode) code {
	value := c.code(n.Value)
	at := len(c.names)
	c.names = append(c.names, n.Name)
	c.most = max(c.most, len(c.names))
	body := c.code(n.Expr)
	c.names = c.names[:at]
	return func(r *run) (any, error) {
		v, err := value(r)
		if err != nil {
			return nil, err
		}
		r.variables[at] = v
		return body(r)
	}
}

func sequence(parts []code) code {
	return func(r *run) (v any, err error) {
		for _, part := range parts {
			if v, err = part(r); err != nil {
				return nil, err
			}
		}
		return v, nil
	}
}

func array(items []code) code {
	return func(r *run) (any, error) {
		if err := r.charge(len(items) * opCost); err != nil {
			return nil, err
		}
		out := make([]any, len(items))
		for i, item := range items {
			v, err := item(r)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	}
}

// group makes {name: value}. One of constants alone, such as a table, is made once: nothing changes a value.
func (c *coder) group(n *ast.MapNode) operand {
	names, values := make([]operand, len(n.Pairs)), make([]operand, len(n.Pairs))
	fixed := true
	for i, p := range n.Pairs {
		pair, ok := p.(*ast.PairNode)
		if !ok {
			return operand{eval: c.refuse()}
		}
		names[i], values[i] = c.operand(pair.Key), c.operand(pair.Value)
		fixed = fixed && names[i].eval == nil && values[i].eval == nil
	}
	build := func(r *run) (any, error) {
		out := make(map[string]any, len(names))
		for i := range names {
			name, err := names[i].get(r)
			if err != nil {
				return nil, err
			}
			v, err := values[i].get(r)
			if err != nil {
				return nil, err
			}
			key, ok := name.(string)
			if !ok {
				return nil, valueError("The names in a group are texts.")
			}
			if _, twice := out[key]; !twice {
				out[key] = v
			}
		}
		return out, nil
	}
	if fixed {
		if v, err := build(nil); err == nil {
			return operand{value: v}
		}
	}
	return operand{eval: func(r *run) (any, error) {
		if err := r.charge(len(names) * opCost); err != nil {
			return nil, err
		}
		return build(r)
	}}
}

// condition is what an operand that the patcher has made a condition ($true) says.
func condition(x code, r *run) (bool, error) {
	v, err := x(r)
	if err != nil {
		return false, err
	}
	return isTrue(v)
}

func (c *coder) not(n *ast.UnaryNode) code {
	x := c.code(n.Node)
	if n.Operator != "not" && n.Operator != "!" {
		return c.refuse()
	}
	return func(r *run) (any, error) {
		ok, err := condition(x, r)
		return !ok, err
	}
}

func (c *coder) binary(n *ast.BinaryNode) code {
	left, right := c.code(n.Left), c.code(n.Right)
	switch n.Operator {
	case "and", "&&":
		return func(r *run) (any, error) {
			if ok, err := condition(left, r); err != nil || !ok {
				return false, err
			}
			ok, err := condition(right, r)
			return ok, err
		}
	case "or", "||":
		return func(r *run) (any, error) {
			if ok, err := condition(left, r); err != nil || ok {
				return ok, err
			}
			ok, err := condition(right, r)
			return ok, err
		}
	case "??":
		return func(r *run) (any, error) {
			v, err := left(r)
			if err != nil || !absent(v) {
				return v, err
			}
			return right(r)
		}
	}
	return c.refuse()
}

// absent is what ?? takes for nothing: lists and groups that a function did not make, too.
func absent(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return v == nil
	case map[string]any:
		return v == nil
	case map[string]string:
		return v == nil
	}
	return false
}

func (c *coder) conditional(n *ast.ConditionalNode) code {
	cond, yes, no := c.code(n.Cond), c.code(n.Exp1), c.code(n.Exp2)
	return func(r *run) (any, error) {
		ok, err := condition(cond, r)
		switch {
		case err != nil:
			return nil, err
		case ok:
			return yes(r)
		}
		return no(r)
	}
}

// call is a call of one of our functions, whose first argument is the run.
func (c *coder) call(n *ast.CallNode) code {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || len(n.Arguments) == 0 {
		return c.refuse()
	}
	args := make([]operand, len(n.Arguments)-1)
	for i, a := range n.Arguments[1:] {
		args[i] = c.operand(a)
	}
	switch callee.Value {
	case "$field":
		if i, ok := args[0].value.(int); ok {
			return func(r *run) (any, error) { return r.load(i), r.charge(0) }
		}
	case "$true":
		x := args[0]
		return func(r *run) (any, error) {
			v, err := x.get(r)
			if err != nil {
				return false, err
			}
			ok, err := isTrue(v)
			return ok, err
		}
	}
	if op, ok := operators[callee.Value]; ok {
		return onStack(op, args)
	}
	if i, ok := functionIndex[callee.Value]; ok {
		return onStack(functions[i].onRun(), args)
	}
	return c.refuse()
}

// onStack calls f with its arguments on the run's stack, which f does not keep.
func onStack(f func(...any) (any, error), args []operand) code {
	return func(r *run) (any, error) {
		base := len(r.stack)
		r.stack = append(r.stack, r)
		for i := range args {
			v, err := args[i].get(r)
			if err != nil {
				return nil, err
			}
			r.stack = append(r.stack, v)
		}
		out, err := f(r.stack[base:]...)
		r.stack = r.stack[:base]
		return out, err
	}
}

// walk is a walk over a list, in which the condition or value is asked of each item. None holds another.
func (c *coder) walk(n *ast.BuiltinNode) code {
	if len(n.Arguments) == 0 || n.Map != nil || n.Threshold != nil {
		return c.refuse()
	}
	list := c.code(n.Arguments[0])
	each := func(r *run) (any, error) { return r.item, nil }
	if len(n.Arguments) > 1 {
		predicate, ok := n.Arguments[1].(*ast.PredicateNode)
		if !ok {
			return c.refuse()
		}
		each = c.code(predicate.Node)
	}
	var step func(w *walking, item, v any) (done bool, err error)
	switch n.Name {
	case "map":
		step = func(w *walking, _, v any) (bool, error) {
			w.list = append(w.list, v)
			return false, nil
		}
	case "filter":
		step = onTrue(func(w *walking, item any) bool {
			w.list = append(w.list, item)
			return false
		})
	case "find":
		step = onTrue(func(w *walking, item any) bool {
			w.found = item
			return true
		})
	case "all":
		step = func(w *walking, _, v any) (bool, error) {
			ok, err := isTrue(v)
			w.stopped = !ok
			return !ok, err
		}
	case "any", "none":
		step = onTrue(func(w *walking, _ any) bool {
			w.stopped = true
			return true
		})
	case "one", "count":
		step = onTrue(func(w *walking, _ any) bool {
			w.count++
			return false
		})
	default:
		return c.refuse()
	}
	name := n.Name
	return func(r *run) (any, error) {
		v, err := list(r)
		if err != nil {
			return nil, err
		}
		items, _ := v.([]any)
		w := walking{}
		if name == "map" || name == "filter" {
			w.list = make([]any, 0, len(items))
		}
		before := r.item
		defer func() { r.item = before }()
		for _, item := range items {
			r.item = item
			v, err := each(r)
			if err != nil {
				return nil, err
			}
			done, err := step(&w, item, v)
			if err != nil {
				return nil, err
			}
			if done {
				break
			}
		}
		return w.result(name), nil
	}
}

// walking is how far a walk is.
type walking struct {
	list    []any
	found   any
	count   int
	stopped bool
}

func (w *walking) result(name string) any {
	switch name {
	case "map", "filter":
		return w.list
	case "find":
		return w.found
	case "all", "none":
		return !w.stopped
	case "any":
		return w.stopped
	case "one":
		return w.count == 1
	}
	return w.count
}

func onTrue(do func(w *walking, item any) bool) func(*walking, any, any) (bool, error) {
	return func(w *walking, item, v any) (bool, error) {
		ok, err := isTrue(v)
		if err != nil || !ok {
			return false, err
		}
		return do(w, item), nil
	}
}

func isTrue(v any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	}
	return false, valueError("A condition is neither true nor false.")
}
