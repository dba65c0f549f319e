package mappings

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// cut finds the lines of the rows; false where they do not stand below each other, each with a dash of its own.
func (d *Draft) cut(at int) bool {
	if d.list.Style&yaml.FlowStyle != 0 || d.list.Column == 0 || len(d.list.Content) == 0 {
		return false
	}
	d.column = d.list.Column - 1
	lines := strings.SplitAfter(d.text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	starts := make([]int, len(d.list.Content))
	for i, n := range d.list.Content {
		from := n.Line - 1
		for from >= 0 && from < len(lines) && !d.dash(lines[from]) {
			from--
		}
		if from < 0 || from >= len(lines) || i > 0 && from <= starts[i-1] {
			return false
		}
		starts[i] = from
	}
	end := len(lines)
	if at+2 < len(d.root.Content) {
		end = d.root.Content[at+2].Line - 1
	}
	for i := starts[len(starts)-1]; i < end; i++ {
		if mark := strings.TrimRight(lines[i], " \r\n"); mark == "..." || mark == "---" {
			end = i
		}
	}
	end = d.above(lines, end, starts[len(starts)-1]+1)
	first := d.above(lines, starts[0], d.root.Content[at].Line)
	d.head, d.tail = strings.Join(lines[:first], ""), strings.Join(lines[end:], "")
	for i := range starts {
		from, to := first, end
		if i > 0 {
			from = d.above(lines, starts[i], starts[i-1]+1)
		}
		if i+1 < len(starts) {
			to = d.above(lines, starts[i+1], starts[i]+1)
		}
		d.Rows[i].gap, d.Rows[i].body = strings.Join(lines[from:starts[i]], ""), strings.Join(lines[starts[i]:to], "")
		d.Rows[i].Text = outdent(d.Rows[i].body, d.column)
	}
	return true
}

// dash tells whether a row begins on a line.
func (d *Draft) dash(line string) bool {
	return len(line) > d.column && strings.TrimLeft(line[:d.column], " ") == "" && line[d.column] == '-'
}

// above goes up from a line past blank lines, and comments that do not stand within a row.
func (d *Draft) above(lines []string, at, least int) int {
	for at > least {
		line := lines[at-1]
		text := strings.TrimLeft(line, " ")
		if strings.TrimSpace(line) != "" && (!strings.HasPrefix(text, "#") || len(line)-len(text) > d.column) {
			break
		}
		at--
	}
	return at
}

func outdent(text string, by int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(line[min(by, len(line)-len(strings.TrimLeft(line, " "))):])
	}
	return b.String()
}

func indent(text string, by int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(strings.Repeat(" ", by))
		}
		b.WriteString(line)
	}
	return b.String()
}

// writeLines puts the text together of the lines of its rows.
func (d *Draft) writeLines(rows []RowEdit) (string, error) {
	airy := false // whether there are blank lines between rows
	for _, r := range d.Rows[min(1, len(d.Rows)):] {
		airy = airy || strings.HasPrefix(strings.TrimLeft(r.gap, " \r"), "\n")
	}
	var b strings.Builder
	b.WriteString(ended(d.head))
	for i, e := range rows {
		gap, body := "", ""
		if e.From >= 0 {
			gap, body = d.Rows[e.From].gap, ended(d.Rows[e.From].body)
		}
		if d.changes(e) {
			var err error
			if body, err = d.rowLines(e); err != nil {
				return "", err
			}
		}
		if i == 0 && e.From != 0 {
			gap = strings.TrimLeft(gap, " \r\n")
			if gap != "" {
				gap = strings.Repeat(" ", d.column) + gap
			}
		}
		if i > 0 && airy && !strings.HasPrefix(gap, "\n") && e.From <= 0 {
			gap = "\n" + gap
		}
		b.WriteString(gap + body)
	}
	if len(rows) == 0 {
		return "", draftError("A mapping has at least one row.")
	}
	b.WriteString(d.tail)
	return b.String(), nil
}

func ended(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// rowLines are the lines of a row that is new or changed.
func (d *Draft) rowLines(e RowEdit) (string, error) {
	if e.From >= 0 {
		if body, ok, err := d.memberLines(e); ok || err != nil {
			return body, err
		}
	}
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if e.From >= 0 {
		// The row alone, with its comments, out of a tree of its own.
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(d.Rows[e.From].body), &doc); err != nil || len(doc.Content) != 1 || len(doc.Content[0].Content) != 1 {
			return "", draftError("This row can be changed in the text only.")
		}
		n = doc.Content[0].Content[0]
	}
	if err := patch(n, e); err != nil {
		return "", err
	}
	text, err := encodeNode(&yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{n}})
	return indent(text, d.column), err
}

// memberLines changes the members of a row that has each of them on lines of its own, and leaves the lines of the others as
// they are. It tells whether the row is of that kind.
func (d *Draft) memberLines(e RowEdit) (string, bool, error) {
	old := d.Rows[e.From]
	n := old.node
	lines := slices.Collect(strings.Lines(ended(old.body)))
	if n.Style&yaml.FlowStyle != 0 || len(n.Content) == 0 {
		return "", false, nil
	}
	column, first := n.Content[0].Column-1, n.Content[0].Line-1
	if n.Content[0].Line != n.Line || column <= d.column+1 || !d.dash(lines[0]) || strings.TrimLeft(lines[0][d.column+1:min(column, len(lines[0]))], " ") != "" {
		return "", false, nil
	}
	lines[0] = lines[0][:d.column] + " " + lines[0][d.column+1:]
	inner := &Draft{column: column}
	type segment struct{ key, text string }
	last := n.Content[len(n.Content)-2].Line - first
	if last < 1 || last > len(lines) {
		return "", false, nil
	}
	end := inner.above(lines, len(lines), last)
	after := strings.Join(lines[end:], "")
	lines = lines[:end]
	var segments []segment
	for i := 0; i < len(n.Content); i += 2 {
		from, to := n.Content[i].Line-1-first, len(lines)
		if i+2 < len(n.Content) {
			to = n.Content[i+2].Line - 1 - first
		}
		if n.Content[i].Column-1 != column || from < 0 || to <= from || to > len(lines) {
			return "", false, nil
		}
		if i > 0 {
			from = inner.above(lines, from, n.Content[i-2].Line-first)
		}
		if i+2 < len(n.Content) {
			to = inner.above(lines, to, n.Content[i].Line-first)
		}
		segments = append(segments, segment{n.Content[i].Value, strings.Join(lines[from:to], "")})
	}
	for _, m := range rowMembers {
		if !old.differs(e, m) {
			continue
		}
		at := slices.IndexFunc(segments, func(s segment) bool { return s.key == m })
		value, err := memberNode(n, e, m)
		if err != nil {
			return "", true, err
		}
		if value == nil {
			if at >= 0 {
				segments = slices.Delete(segments, at, at+1)
			}
			continue
		}
		text, err := encodeNode(&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: m}, value}})
		if err != nil {
			return "", true, err
		}
		s := segment{m, indent(text, column)}
		if at >= 0 {
			// The comments above the member stay.
			above := segments[at].text
			s.text = above[:len(above)-len(strings.TrimLeft(dropComments(above), "\n"))] + s.text
			segments[at] = s
			continue
		}
		segments = slices.Insert(segments, placeOf(m, len(segments), func(i int) string { return segments[i].key }), s)
	}
	var b strings.Builder
	for _, s := range segments {
		b.WriteString(s.text)
	}
	b.WriteString(after)
	out := slices.Collect(strings.Lines(b.String()))
	for i, line := range out {
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(strings.TrimLeft(line, " "), "#") {
			out[i] = line[:d.column] + "-" + line[d.column+1:]
			break
		}
	}
	return strings.Join(out, ""), true, nil
}

// dropComments takes the blank lines and comments off the begin of a text.
func dropComments(text string) string {
	for line := range strings.Lines(text) {
		if t := strings.TrimSpace(line); t != "" && !strings.HasPrefix(t, "#") {
			break
		}
		text = text[len(line):]
	}
	return text
}

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

// writeNodes writes the whole text anew.
func (d *Draft) writeNodes(rows []RowEdit) (string, error) {
	list := *d.list
	list.Content = nil
	for _, e := range rows {
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if e.From >= 0 {
			n = cloneNode(d.Rows[e.From].node)
		}
		if d.changes(e) {
			if err := patch(n, e); err != nil {
				return "", err
			}
		}
		list.Content = append(list.Content, n)
	}
	if len(list.Content) == 0 {
		return "", draftError("A mapping has at least one row.")
	}
	if len(d.list.Content) == 0 {
		list.Style = 0
	}
	root := *d.root
	root.Content = slices.Clone(root.Content)
	root.Content[memberOf(&root, "fields")+1] = &list
	if d.doc == nil {
		var b bytes.Buffer
		err := nodeJSON(&b, &root, 0)
		b.WriteByte('\n')
		return b.String(), err
	}
	doc := *d.doc
	doc.Content = []*yaml.Node{&root}
	return encodeNode(&doc)
}

func cloneNode(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i := range n.Content {
		c.Content[i] = cloneNode(n.Content[i])
	}
	return &c
}

// nodeJSON writes a tree as indented JSON. Numbers stay as they were written.
func nodeJSON(b *bytes.Buffer, n *yaml.Node, depth int) error {
	text := func(s string) error {
		out, err := encodeJSON(s, "")
		b.Write(out)
		return err
	}
	pad := "\n" + strings.Repeat("  ", depth+1)
	switch n.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		marks := "[]"
		if n.Kind == yaml.MappingNode {
			marks = "{}"
		}
		b.WriteByte(marks[0])
		for i := 0; i < len(n.Content); i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(pad)
			if n.Kind == yaml.MappingNode {
				if err := text(n.Content[i].Value); err != nil {
					return err
				}
				b.WriteString(": ")
				i++
			}
			if err := nodeJSON(b, n.Content[i], depth+1); err != nil {
				return err
			}
		}
		if len(n.Content) > 0 {
			b.WriteString(pad[:len(pad)-2])
		}
		b.WriteByte(marks[1])
		return nil
	}
	switch n.Tag {
	case "!!int", "!!float", "!!bool", "!!null":
		b.WriteString(n.Value)
		return nil
	}
	return text(n.Value)
}

// encodeNode writes a tree as YAML, with long folded texts broken into lines.
func encodeNode(n *yaml.Node) (string, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return "", fmt.Errorf("write a row: %w", err)
	}
	return fold(b.String()), nil
}

// foldable tells that a text means the same after its single spaces became line breaks of a folded one.
func foldable(text string) bool { return !strings.ContainsAny(text, "\n") && !unusual(text) }

// fold breaks the long line that the encoder makes of a folded text.
func fold(text string) string {
	const width = 110
	var b strings.Builder
	folded := false
	for line := range strings.Lines(text) {
		if folded && len(line) > width {
			space := line[:len(line)-len(strings.TrimLeft(line, " "))]
			rest := strings.TrimSuffix(line[len(space):], "\n")
			for len(rest) > width-len(space) {
				at := breakOf(rest, width-len(space))
				if at <= 0 {
					break
				}
				b.WriteString(space + rest[:at] + "\n")
				rest = rest[at+1:]
			}
			line = space + rest + "\n"
		}
		b.WriteString(line)
		folded = strings.HasSuffix(strings.TrimRight(line, "\n"), ">-")
	}
	return b.String()
}

// breakOf is the last single space before a width, else the first after it; below 0 where there is none.
func breakOf(s string, width int) int {
	single := func(i int) bool {
		return s[i] == ' ' && i > 0 && i+1 < len(s) && s[i-1] != ' ' && s[i+1] != ' '
	}
	for i := min(width, len(s)-1); i > 0; i-- {
		if single(i) {
			return i
		}
	}
	for i := min(width, len(s)); i < len(s); i++ {
		if single(i) {
			return i
		}
	}
	return -1
}
