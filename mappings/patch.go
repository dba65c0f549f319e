package mappings

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// runVar is the one variable of the patched expression: the *run of the evaluation, first argument of every function.
const runVar = "$run"

// patcher rewrites an expression so that little is left but calls: fields, members and operators become calls of our own
// functions, which know absent values and count work. What remains is run by evaluate.go. Children are visited first, so
// a.b.c grows from a.
type patcher struct{ words *vocabulary }

// Visit replaces one node.
func (p patcher) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if i, ok := p.words.index[n.Value]; ok {
			ast.Patch(node, opCall("$field", &ast.IntegerNode{Value: i}))
		}
	case *ast.ChainNode:
		*node = n.Node
	case *ast.MemberNode:
		p.memberOf(node, n)
	case *ast.SliceNode:
		ast.Patch(node, opCall("$slice", n.Node, orNil(n.From), orNil(n.To)))
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			if _, ok := functionIndex[callee.Value]; ok {
				n.Arguments = append([]ast.Node{&ast.IdentifierNode{Value: runVar}}, n.Arguments...)
			}
		}
	case *ast.BuiltinNode:
		if len(n.Arguments) > 0 {
			n.Arguments[0] = opCall("$list", n.Arguments[0])
		}
		if len(n.Arguments) > 1 && n.Name != "map" {
			if pred, ok := n.Arguments[1].(*ast.PredicateNode); ok {
				pred.Node = opCall("$true", pred.Node)
			}
		}
	case *ast.ConditionalNode:
		n.Cond = opCall("$true", n.Cond)
	case *ast.UnaryNode:
		switch n.Operator {
		case "!", "not":
			n.Node = opCall("$true", n.Node)
		case "-":
			ast.Patch(node, opCall("$sub", &ast.IntegerNode{}, n.Node))
		case "+":
			*node = n.Node
		}
	case *ast.BinaryNode:
		p.binary(node, n)
	}
}

var binaryOps = map[string]string{
	"==": "$eq", "<": "$lt", "<=": "$le", ">": "$gt", ">=": "$ge", "+": "$add", "-": "$sub", "*": "$mul", "/": "$div", "%": "$mod",
	"in": "$in", "contains": "$contains", "startsWith": "$starts", "endsWith": "$ends",
}

func (p patcher) binary(node *ast.Node, n *ast.BinaryNode) {
	switch n.Operator {
	case "and", "&&", "or", "||":
		n.Left, n.Right = opCall("$true", n.Left), opCall("$true", n.Right)
	case "!=":
		ast.Patch(node, &ast.UnaryNode{Operator: "not", Node: opCall("$eq", n.Left, n.Right)})
	case "matches":
		// The checker has refused patterns that are not fixed texts, or do not compile.
		if fixed, ok := n.Right.(*ast.StringNode); ok {
			if compiled, err := compilePattern(fixed.Value); err == nil {
				ast.Patch(node, opCall("$matches", n.Left, &ast.ConstantNode{Value: compiled}))
			}
		}
	default:
		if op, ok := binaryOps[n.Operator]; ok {
			ast.Patch(node, opCall(op, n.Left, n.Right))
		}
	}
}

// memberOf makes customer.name one field, and everything else a safe look-up that gives nil for what is absent.
func (p patcher) memberOf(node *ast.Node, n *ast.MemberNode) {
	if base, ok := asPath(n.Node); ok && len(base.keys) == 0 {
		if name, ok := n.Property.(*ast.StringNode); ok {
			if i, ok := p.words.index[catalog[base.entry].info.Name+"."+name.Value]; ok {
				ast.Patch(node, opCall("$field", &ast.IntegerNode{Value: i}))
				return
			}
		}
	}
	ast.Patch(node, opCall("$get", n.Node, n.Property))
}

func opCall(name string, args ...ast.Node) *ast.CallNode {
	return &ast.CallNode{
		Callee:    &ast.IdentifierNode{Value: name},
		Arguments: append([]ast.Node{&ast.IdentifierNode{Value: runVar}}, args...),
	}
}

func orNil(n ast.Node) ast.Node {
	if n == nil {
		return &ast.NilNode{}
	}
	return n
}

// asPath reads a patched node that only names a field.
func asPath(n ast.Node) (path, bool) {
	c, ok := n.(*ast.CallNode)
	if !ok {
		return path{}, false
	}
	callee, ok := c.Callee.(*ast.IdentifierNode)
	if !ok {
		return path{}, false
	}
	switch callee.Value {
	case "$field":
		return path{entry: c.Arguments[1].(*ast.IntegerNode).Value}, true
	case "$get":
		base, ok := asPath(c.Arguments[1])
		if !ok {
			return path{}, false
		}
		switch key := c.Arguments[2].(type) {
		case *ast.StringNode:
			return path{base.entry, append(slices.Clip(base.keys), key.Value)}, true
		case *ast.IntegerNode:
			return path{base.entry, append(slices.Clip(base.keys), key.Value)}, true
		}
	}
	return path{}, false
}

// reads lists the fields that a patched expression names, the longest form of each, in their order of appearance.
func reads(root ast.Node) []path {
	c := &readCollector{inner: map[ast.Node]bool{}}
	ast.Walk(&root, c)
	var out []path
	seen := map[string]bool{}
	for _, n := range c.nodes {
		if p, ok := asPath(n); ok && !c.inner[n] && !seen[p.String()] {
			seen[p.String()] = true
			out = append(out, p)
		}
	}
	return out
}

// readCollector gathers the nodes that name fields, and which of them are only the beginning of a longer name.
type readCollector struct {
	nodes []ast.Node
	inner map[ast.Node]bool
}

// Visit collects one node; a call's base comes before the call.
func (c *readCollector) Visit(node *ast.Node) {
	if _, ok := asPath(*node); !ok {
		return
	}
	c.nodes = append(c.nodes, *node)
	if call := (*node).(*ast.CallNode); call.Callee.(*ast.IdentifierNode).Value == "$get" {
		c.inner[call.Arguments[1]] = true
	}
}
