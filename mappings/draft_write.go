package mappings

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

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
