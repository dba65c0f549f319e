package mappings

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/callsync/callsync/internal/doctree"
)

// The forms of a value: the members of Value by their names in documents.
const (
	FormField    = "field"
	FormConst    = "const"
	FormExpr     = "expr"
	FormTemplate = "template"
	FormLookup   = "lookup"
)

// Forms lists them in the order in which people meet them.
func Forms() []string { return []string{FormField, FormConst, FormExpr, FormTemplate, FormLookup} }

// Draft is the text of a document taken apart into its rows, so that some can be changed, moved or taken out while every
// character of the others, comments and members that this version does not know included, stays as it is.
type Draft struct {
	Rows []DraftRow
	// Rewrites tells that the text is JSON, or has its rows in brackets: a change of one row writes the whole of it anew, with
	// comments and unknown members kept, but with line breaks and indentation as usual.
	Rewrites bool

	text       string
	head, tail string
	// column is where the dashes of the rows stand, from 0.
	column int
	doc    *yaml.Node // nil where the text is JSON
	root   *yaml.Node
	list   *yaml.Node
}

// DraftRow is a row of a Draft.
type DraftRow struct {
	Row
	// Form is which member of the value is given: one of Forms.
	Form string
	// Table is the look-up's table as it stands in the text, one "key: value" a line.
	Table string
	// Text is the whole row as it stands in the text.
	Text string
	// Locked says in a sentence why the row can be changed in the text only; empty for others.
	Locked string

	// gap are the blank lines and comments before the row; body are its lines.
	gap, body string
	node      *yaml.Node
}

// RowEdit is a row as it shall be.
type RowEdit struct {
	// From is the place of the row in Draft.Rows; below 0 it is a new one.
	From int
	// Row says what the row has; of its value only the member that Form names counts, and of a look-up not the Table.
	Row  Row
	Form string
	// Table is the look-up's table as text, one "key: value" a line.
	Table string
}

// draftError is a sentence for the person who edits a document.
type draftError string

func (e draftError) Error() string { return string(e) }

// NewDraft takes a document apart. Its error is a sentence that says why only the text as a whole can be edited.
func NewDraft(text string) (*Draft, error) {
	if len(text) > maxDocument {
		return nil, draftError(fmt.Sprintf("the text has %d bytes; %d is the most", len(text), maxDocument))
	}
	d := &Draft{text: text}
	var err error
	if d.root, err = doctree.Parse([]byte(text)); err != nil {
		return nil, fmt.Errorf("the text is neither YAML nor JSON: %w", err)
	}
	if d.root.Kind != yaml.MappingNode {
		return nil, draftError("the text is no group of names and values")
	}
	at := memberOf(d.root, "fields")
	if at < 0 || d.root.Content[at+1].Kind != yaml.SequenceNode {
		return nil, draftError("the text has no list of rows under the name fields")
	}
	d.list = d.root.Content[at+1]
	if len(d.list.Content) > maxRows {
		return nil, draftError(fmt.Sprintf("the document has %d rows; %d is the most", len(d.list.Content), maxRows))
	}
	for _, n := range d.list.Content {
		d.Rows = append(d.Rows, draftRow(n))
	}
	if !d.cut(at) {
		d.Rewrites = true
		d.wholeText()
	}
	return d, nil
}

// wholeText prepares a draft whose text is written anew as a whole.
func (d *Draft) wholeText() {
	for i := range d.Rows {
		var b strings.Builder
		if encoded, err := encodeNode(d.Rows[i].node); err == nil {
			b.WriteString(encoded)
		}
		d.Rows[i].Text = b.String()
	}
	if strings.HasPrefix(strings.TrimLeft(d.text, " \t\r\n"), "{") && d.list.Style == 0 {
		return // the reader of JSON leaves no styles
	}
	var doc yaml.Node
	if yaml.Unmarshal([]byte(d.text), &doc) != nil || doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return
	}
	// The same tree once more, now with the comments around the document.
	d.doc, d.root = &doc, doc.Content[0]
	d.list = d.root.Content[memberOf(d.root, "fields")+1]
	for i, n := range d.list.Content {
		d.Rows[i].node = n
	}
}

// memberOf is the place of a key in a mapping node; below 0 where it is not there.
func memberOf(n *yaml.Node, key string) int {
	for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && n.Content[i].Kind == yaml.ScalarNode {
			return i
		}
	}
	return -1
}

// rowMembers are the members of a row in the order in which they are written.
var rowMembers = []string{"target", "note", "type", "max_length", "mode", "empty", "when", "value"}

// draftRow reads a row as far as it can be edited by its members.
func draftRow(n *yaml.Node) DraftRow {
	r := DraftRow{node: n, Form: FormField}
	if n.Kind != yaml.MappingNode {
		r.Locked = "This row is no group of names and values."
		return r
	}
	known := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line}
	for i := 0; i+1 < len(n.Content); i += 2 {
		// Unknown members are told by the check of the document, and stay where they are.
		if k := n.Content[i]; k.Kind == yaml.ScalarNode && slices.Contains(rowMembers, k.Value) {
			known.Content = append(known.Content, k, n.Content[i+1])
		}
	}
	d := &decoder{}
	r.Row = d.readRow(known)
	if len(d.problems) > 0 {
		r.Locked = d.problems[0].Text
		return r
	}
	if at := memberOf(n, "value"); at >= 0 {
		value := n.Content[at+1]
		if len(value.Content) != 2 {
			r.Locked = fmt.Sprintf("A value has exactly one of %s; this one has %d.", strings.Join(Forms(), ", "), len(value.Content)/2)
			return r
		}
		r.Form = value.Content[0].Value
		if r.Form == FormLookup {
			if at := memberOf(value.Content[1], "table"); at >= 0 {
				r.Table = tableText(value.Content[1].Content[at+1])
			}
		}
	}
	return r
}

// tableText shows a look-up's table, one entry a line.
func tableText(n *yaml.Node) string {
	if len(n.Content) == 0 {
		return ""
	}
	c := *n
	c.Style, c.HeadComment, c.LineComment, c.FootComment = 0, "", "", ""
	text, err := encodeNode(&c)
	if err != nil {
		return "" // made of what was read
	}
	return text
}

// ParseTable reads a look-up's table of one "key: value" a line. The error is a sentence.
func ParseTable(text string) (map[string]any, error) {
	_, table, err := parseTable(text)
	return table, err
}

func parseTable(text string) (*yaml.Node, map[string]any, error) {
	if strings.TrimSpace(text) == "" {
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}, map[string]any{}, nil
	}
	if len(text) > maxDocument {
		return nil, nil, draftError("The table is too large.")
	}
	root, err := doctree.Parse([]byte(text))
	if err != nil {
		return nil, nil, draftError("The table has a key and a value on each line, such as inbound: Incoming. Here this cannot be read: " + err.Error() + ".")
	}
	var l Lookup
	d := &decoder{}
	d.lookup(&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: "table"}, root}}, "value.lookup", &l)
	if len(d.problems) > 0 {
		p := d.problems[0]
		if root.Kind != yaml.MappingNode {
			return nil, nil, draftError("The table has a key and a value on each line, such as inbound: Incoming.")
		}
		return nil, nil, draftError(fmt.Sprintf("Line %d of the table: %s", max(p.Line, 1), p.Text))
	}
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		plainNodes(root)
	}
	return root, l.Table, nil
}

// plainNodes takes the styles of JSON or brackets off.
func plainNodes(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		n.Style = 0
	}
	for _, c := range n.Content {
		plainNodes(c)
	}
}

// Edit writes the document with these rows, in this order; rows that are not named are taken out. What is not changed stays
// as it was written. The error is a sentence; the text of a table that cannot be read is one, see ParseTable.
func (d *Draft) Edit(rows []RowEdit) (string, error) {
	same := len(rows) == len(d.Rows)
	for i, r := range rows {
		if r.From >= len(d.Rows) {
			return "", draftError("A row of another text cannot be changed here.")
		}
		same = same && r.From == i && !d.changes(r)
	}
	if same {
		return d.text, nil
	}
	write := d.writeLines
	if d.Rewrites {
		write = d.writeNodes
	}
	text, err := write(rows)
	if err != nil {
		return "", err
	}
	return text, d.verify(text, rows)
}

// verify makes sure that a text says what was asked for before it replaces another.
func (d *Draft) verify(text string, rows []RowEdit) error {
	wrong := draftError("This change cannot be made here without harm to the rest of the text. Make it in the text.")
	after, err := NewDraft(text)
	if err != nil || len(after.Rows) != len(rows) {
		return wrong
	}
	for i, r := range rows {
		if r.From >= 0 && d.Rows[r.From].Locked != "" {
			if after.Rows[i].Locked == "" {
				return wrong
			}
			continue
		}
		if x, err := ParseTable(after.Rows[i].Table); err == nil {
			if y, err := ParseTable(r.Table); err == nil && SameValue(x, y) {
				r.Table = after.Rows[i].Table // a comment in it cannot stay in JSON
			}
		}
		if after.Rows[i].Locked != "" || after.changes(RowEdit{From: i, Row: r.Row, Form: r.Form, Table: r.Table}) {
			return wrong
		}
	}
	return nil
}

// changes tells whether an edit is one.
func (d *Draft) changes(e RowEdit) bool {
	if e.From < 0 {
		return true
	}
	old := d.Rows[e.From]
	if old.Locked != "" {
		return false
	}
	return slices.ContainsFunc(rowMembers, func(m string) bool { return old.differs(e, m) })
}

// differs tells whether a member of the row shall be another one. Defaults that are written out are the same.
func (r DraftRow) differs(e RowEdit, member string) bool {
	o, n := r.Row, e.Row
	switch member {
	case "target":
		return o.Target != n.Target
	case "note":
		return o.Note != n.Note
	case "type":
		return orDefault(o.Type, Text) != orDefault(n.Type, Text)
	case "max_length":
		return o.MaxLength != n.MaxLength
	case "mode":
		return orDefault(o.Mode, Overwrite) != orDefault(n.Mode, Overwrite)
	case "empty":
		return orDefault(o.Empty, SkipEmpty) != orDefault(n.Empty, SkipEmpty)
	case "when":
		return o.When != n.When
	}
	if r.Form != e.Form {
		return true
	}
	a, b := o.Value, n.Value
	switch e.Form {
	case FormField:
		return a.Field != b.Field
	case FormConst:
		return !SameValue(constantOr(a.Const), constantOr(b.Const))
	case FormExpr:
		return a.Expr != b.Expr
	case FormTemplate:
		return !slices.Equal(a.Template, b.Template)
	}
	var x, y Lookup
	if a.Lookup != nil {
		x = *a.Lookup
	}
	if b.Lookup != nil {
		y = *b.Lookup
	}
	return x.Key != y.Key || !SameValue(x.Default, y.Default) || strings.TrimSpace(r.Table) != strings.TrimSpace(e.Table)
}

// constantOr is a constant; an absent one is the empty text, as it is written.
func constantOr(v any) any {
	if v == nil {
		return ""
	}
	return v
}
