package mappings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// placeOf is where a member that was not there is put: before the first that is usually written after it.
func placeOf(member string, n int, key func(int) string) int {
	rank := slices.Index(rowMembers, member)
	for i := range n {
		if other := slices.Index(rowMembers, key(i)); other > rank {
			return i
		}
	}
	return n
}

// patch changes the members of a row's node; of one without any all are set.
func patch(n *yaml.Node, e RowEdit) error {
	old, all := draftRow(n), len(n.Content) == 0
	for _, m := range rowMembers {
		if !all && !old.differs(e, m) {
			continue
		}
		value, err := memberNode(n, e, m)
		if err != nil {
			return err
		}
		at := memberOf(n, m)
		switch {
		case value == nil && at >= 0:
			n.Content = slices.Delete(n.Content, at, at+2)
		case value == nil:
		case at >= 0:
			n.Content[at+1] = value
		default:
			to := 2 * placeOf(m, len(n.Content)/2, func(i int) string { return n.Content[2*i].Value })
			n.Content = slices.Insert(n.Content, to, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: m}, value)
		}
	}
	return nil
}

// memberNode is what a member of a row shall be; nil where it shall not be there.
func memberNode(row *yaml.Node, e RowEdit, member string) (*yaml.Node, error) {
	var was *yaml.Node
	if at := memberOf(row, member); at >= 0 {
		was = row.Content[at+1]
	}
	word := func(v, otherwise string) (*yaml.Node, error) {
		if v == "" || v == otherwise {
			return nil, nil
		}
		return textNode(was, v), nil
	}
	switch member {
	case "target":
		return textNode(was, e.Row.Target), nil
	case "note":
		return word(e.Row.Note, "")
	case "when":
		return word(e.Row.When, "")
	case "type":
		return word(string(e.Row.Type), string(Text))
	case "mode":
		return word(string(e.Row.Mode), string(Overwrite))
	case "empty":
		return word(string(e.Row.Empty), string(SkipEmpty))
	case "max_length":
		if e.Row.MaxLength == 0 {
			return nil, nil
		}
		return withComments(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(e.Row.MaxLength)}, was), nil
	}
	return valueNode(was, e)
}

// valueNode is a row's value. Of one of the same form it keeps what does not change.
func valueNode(was *yaml.Node, e RowEdit) (*yaml.Node, error) {
	var inner *yaml.Node
	if was != nil && len(was.Content) == 2 && was.Content[0].Value == e.Form {
		inner = was.Content[1]
	}
	var is *yaml.Node
	v := e.Row.Value
	switch e.Form {
	case FormField:
		is = textNode(inner, v.Field)
	case FormExpr:
		is = textNode(inner, v.Expr)
	case FormConst:
		is = constNode(inner, v.Const)
	case FormTemplate:
		is = templateNode(inner, v.Template)
	case FormLookup:
		l := Lookup{}
		if v.Lookup != nil {
			l = *v.Lookup
		}
		var err error
		if is, err = lookupNode(inner, l, e.Table); err != nil {
			return nil, err
		}
	default:
		return nil, draftError(fmt.Sprintf("There is no value of the form %q.", clip(e.Form, 40)))
	}
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: e.Form}, is}}
	if is.Kind == yaml.ScalarNode && len(is.Value) <= wideText && !strings.Contains(is.Value, "\n") {
		out.Style = yaml.FlowStyle
	}
	if inner != nil {
		out.Style = was.Style
		if len(is.Value) > wideText {
			out.Style = 0
		}
	}
	return withComments(out, was), nil
}

// wideText is how long a text may be that stands in one line with its name.
const wideText = 90

// textNode is a text, in the style of what it replaces where that is possible.
func textNode(was *yaml.Node, text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	switch {
	case unusual(text):
		n.Style = yaml.DoubleQuotedStyle
	case strings.Contains(text, "\n"):
		n.Style = yaml.LiteralStyle
	case len(text) > wideText && foldable(text):
		n.Style = yaml.FoldedStyle
	case was != nil && was.Kind == yaml.ScalarNode && was.Value != "" && was.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0:
		n.Style = was.Style &^ yaml.TaggedStyle
	}
	return withComments(n, was)
}

// unusual tells that a text is best written with escapes: it begins or ends with space, or has what is not seen.
func unusual(text string) bool {
	return strings.TrimSpace(text) != text || strings.Contains(text, " \n") || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) })
}

func withComments(n, was *yaml.Node) *yaml.Node {
	if was != nil {
		n.HeadComment, n.LineComment, n.FootComment = was.HeadComment, was.LineComment, was.FootComment
	}
	return n
}

func constNode(was *yaml.Node, v any) *yaml.Node {
	if list, ok := v.([]any); ok {
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
		for _, item := range list {
			n.Content = append(n.Content, constNode(nil, item))
		}
		return withComments(n, was)
	}
	switch v := v.(type) {
	case bool:
		return withComments(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}, was)
	case int64:
		return withComments(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(v, 10)}, was)
	case float64:
		return withComments(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: strconv.FormatFloat(v, 'f', -1, 64)}, was)
	case string:
		if was != nil && was.Tag != "!!str" {
			was = withComments(&yaml.Node{Kind: yaml.ScalarNode}, was)
		}
		return textNode(was, v)
	}
	return textNode(nil, "")
}

func templateNode(was *yaml.Node, lines Template) *yaml.Node {
	if len(lines) == 1 {
		if was != nil && was.Kind == yaml.SequenceNode {
			was = nil
		}
		return textNode(was, lines[0])
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, line := range lines {
		var old *yaml.Node
		if was != nil && was.Kind == yaml.SequenceNode {
			// The comments of a line stay with it.
			if i := slices.IndexFunc(was.Content, func(c *yaml.Node) bool { return c.Value == line }); i >= 0 {
				n.Content = append(n.Content, was.Content[i])
				continue
			}
		}
		c := textNode(old, line)
		if c.Style == 0 {
			c.Style = yaml.DoubleQuotedStyle
		}
		n.Content = append(n.Content, c)
	}
	if was != nil && was.Kind == yaml.SequenceNode {
		n.Style = was.Style
		withComments(n, was)
	}
	return n
}

func lookupNode(was *yaml.Node, l Lookup, table string) (*yaml.Node, error) {
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if was != nil {
		out.Style, out.Content = was.Style, slices.Clone(was.Content)
		withComments(out, was)
	}
	set := func(key string, make func(was *yaml.Node) *yaml.Node) {
		at := memberOf(out, key)
		var old *yaml.Node
		if at >= 0 {
			old = out.Content[at+1]
		}
		switch n := make(old); {
		case n == nil && at >= 0:
			out.Content = slices.Delete(out.Content, at, at+2)
		case n == nil:
		case at >= 0:
			out.Content[at+1] = n
		default:
			out.Content = append(out.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, n)
		}
	}
	entries, _, err := parseTable(table)
	if err != nil {
		return nil, err
	}
	set("key", func(was *yaml.Node) *yaml.Node {
		if was != nil && was.Value == l.Key {
			return was
		}
		return textNode(was, l.Key)
	})
	set("table", func(was *yaml.Node) *yaml.Node {
		if was != nil && strings.TrimSpace(tableText(was)) == strings.TrimSpace(table) {
			return was
		}
		if was != nil && len(entries.Content) > 0 && was.Style&yaml.FlowStyle != 0 && entries.HeadComment == "" {
			entries.Style = was.Style
		}
		return entries
	})
	set("default", func(was *yaml.Node) *yaml.Node {
		if l.Default == nil {
			return nil
		}
		return constNode(was, l.Default)
	})
	return out, nil
}
