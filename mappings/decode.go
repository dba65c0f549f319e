package mappings

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/callsync/callsync/internal/doctree"
	"github.com/callsync/callsync/internal/exprkit"
)

// Parse reads a document in YAML or JSON and checks it wholly. The error is a Problems with everything that is wrong; the
// document is then as much as could be read.
func Parse(data []byte) (Document, error) {
	doc, lines, problems := decodeLines(data)
	if len(lines.rows) == 0 && len(problems) > 0 {
		return doc, problems
	}
	unread := slices.Clone(problems)
	for _, p := range doc.Problems() {
		// What could not be read is absent; saying so again would only distract.
		if slices.ContainsFunc(unread, func(u Problem) bool {
			return u.Row == p.Row && (u.Key == p.Key || strings.HasPrefix(u.Key, p.Key+"."))
		}) {
			continue
		}
		p.Line = lines.of(p.Row, p.Key)
		problems = append(problems, p)
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b Problem) int { return a.Row - b.Row })
		return doc, problems
	}
	return doc, nil
}

func decode(data []byte) (Document, Problems) {
	doc, _, problems := decodeLines(data)
	return doc, problems
}

// docLines are the lines of a document's rows and of their members.
type docLines struct {
	rows    []int
	members map[string]int
}

// of is the line of a member of a row ("value.template[2]"), or of what it is a part of; zero where there is no such row.
func (l docLines) of(row int, key string) int {
	if row < 1 || row > len(l.rows) {
		return 0
	}
	for key != "" {
		if line, ok := l.members[strconv.Itoa(row)+" "+key]; ok {
			return line
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
	return l.rows[row-1]
}

// decodeLines reads the structure of a document and tells its lines.
func decodeLines(data []byte) (doc Document, lines docLines, problems Problems) {
	if len(data) > maxDocument {
		return doc, lines, Problems{{Text: fmt.Sprintf("The document has %d bytes; %d is the most.", len(data), maxDocument)}}
	}
	root, err := doctree.Parse(data)
	if err != nil {
		return doc, lines, Problems{{Text: "This is neither YAML nor JSON: " + err.Error() + "."}}
	}
	d := &decoder{lines: docLines{members: map[string]int{}}}
	d.document(root, &doc)
	return doc, d.lines, d.problems
}

// decoder turns the tree into a Document and collects what is wrong instead of stopping at the first.
type decoder struct {
	problems Problems
	lines    docLines
	row      int
	target   string
}

func (d *decoder) fail(n *yaml.Node, key, suggestion, format string, args ...any) {
	d.problems = append(d.problems, Problem{
		Row: d.row, Target: d.target, Key: key, Line: n.Line, Text: fmt.Sprintf(format, args...), Suggestion: suggestion,
	})
}

// at notes the line of a member of the row.
func (d *decoder) at(key string, line int) {
	if d.row > 0 && d.lines.members != nil { // rules keep lines of their own
		d.lines.members[strconv.Itoa(d.row)+" "+key] = line
	}
}

// members walks the keys of a mapping node; set has a function for each key that is allowed.
func (d *decoder) members(n *yaml.Node, in string, set map[string]func(v *yaml.Node, key string)) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, in, "", "Here must be a group of names and values.")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		key := k.Value
		if in != "" {
			key = in + "." + k.Value
		}
		read, ok := set[k.Value]
		switch {
		case k.Kind != yaml.ScalarNode || !ok:
			names := slices.Sorted(maps.Keys(set))
			d.fail(k, in, exprkit.Nearest(k.Value, names), "%q is not known here; there are %s.", clip(k.Value, 60), strings.Join(names, ", "))
		case seen[k.Value]:
			d.fail(k, key, "", "%q is given twice.", k.Value)
		default:
			seen[k.Value] = true
			d.at(key, k.Line)
			read(v, key)
		}
	}
}

func (d *decoder) document(n *yaml.Node, doc *Document) {
	d.members(n, "", map[string]func(*yaml.Node, string){
		"format": d.integer(&doc.Format),
		"object": d.text(&doc.Object),
		"note":   d.text(&doc.Note),
		"fields": func(v *yaml.Node, key string) {
			if v.Kind != yaml.SequenceNode {
				d.fail(v, key, "", "fields is a list of rows.")
				return
			}
			if len(v.Content) > maxRows {
				d.fail(v, key, "", "The document has %d rows; %d is the most.", len(v.Content), maxRows)
				return
			}
			for i, item := range v.Content {
				d.row = i + 1
				d.target = ""
				d.lines.rows = append(d.lines.rows, item.Line)
				doc.Fields = append(doc.Fields, d.readRow(item))
			}
			d.row, d.target = 0, ""
		},
	})
}

func (d *decoder) readRow(n *yaml.Node) Row {
	var r Row
	// The target is read first so that problems of the other members can name it.
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "target" && n.Content[i+1].Kind == yaml.ScalarNode {
			d.target = clip(n.Content[i+1].Value, 255)
		}
	}
	d.members(n, "", map[string]func(*yaml.Node, string){
		"target":     d.text(&r.Target),
		"type":       d.text((*string)(&r.Type)),
		"mode":       d.text((*string)(&r.Mode)),
		"empty":      d.text((*string)(&r.Empty)),
		"when":       d.text(&r.When),
		"max_length": d.integer(&r.MaxLength),
		"note":       d.text(&r.Note),
		"value": func(v *yaml.Node, key string) {
			d.members(v, key, map[string]func(*yaml.Node, string){
				"field":    d.text(&r.Value.Field),
				"expr":     d.text(&r.Value.Expr),
				"const":    d.constant(&r.Value.Const),
				"template": d.template(&r.Value.Template),
				"lookup": func(v *yaml.Node, key string) {
					r.Value.Lookup = &Lookup{}
					d.lookup(v, key, r.Value.Lookup)
				},
			})
		},
	})
	return r
}

func (d *decoder) lookup(n *yaml.Node, key string, l *Lookup) {
	d.members(n, key, map[string]func(*yaml.Node, string){
		"key":     d.text(&l.Key),
		"default": d.constant(&l.Default),
		"table": func(v *yaml.Node, key string) {
			if v.Kind != yaml.MappingNode {
				d.fail(v, key, "", "The table is a group of keys and values.")
				return
			}
			l.Table = make(map[string]any, len(v.Content)/2)
			for i := 0; i+1 < len(v.Content); i += 2 {
				k := v.Content[i]
				if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
					d.fail(k, key, "", "A key of the table is a plain text.")
					continue
				}
				if _, ok := l.Table[k.Value]; ok {
					d.fail(k, key, "", "%q is in the table twice.", clip(k.Value, 60))
				}
				var value any
				d.constant(&value)(v.Content[i+1], key)
				l.Table[k.Value] = value
			}
		},
	})
}

func (d *decoder) text(to *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
			d.fail(n, key, "", "Here must be a text.")
			return
		}
		*to = n.Value
	}
}

func (d *decoder) integer(to *int) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		v, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil {
			d.fail(n, key, "", "Here must be a whole number.")
			return
		}
		*to = v
	}
}

func (d *decoder) template(to *Template) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		items := []*yaml.Node{n}
		if n.Kind == yaml.SequenceNode {
			items = n.Content
		}
		for i, item := range items {
			var line string
			if len(items) > 1 {
				d.at(key+"["+strconv.Itoa(i)+"]", item.Line)
			}
			d.text(&line)(item, key)
			*to = append(*to, line)
		}
	}
}

func (d *decoder) constant(to *any) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		if n.Kind == yaml.SequenceNode {
			list := make([]any, 0, len(n.Content))
			for _, item := range n.Content {
				if item.Kind != yaml.ScalarNode {
					d.fail(item, key, "", "A list of constants holds plain values.")
					return
				}
				var v any
				d.constant(&v)(item, key)
				list = append(list, v)
			}
			*to = list
			return
		}
		v, ok := scalar(n)
		if !ok {
			d.fail(n, key, "", "A constant is a text, a number, true or false.")
			return
		}
		*to = v
	}
}

// scalar reads a plain value so that both file forms give the same: whole numbers are int64 however they are written.
func scalar(n *yaml.Node) (any, bool) {
	if n.Kind != yaml.ScalarNode {
		return nil, false
	}
	switch n.Tag {
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err == nil
	case "!!int", "!!float":
		var i int64
		if n.Tag == "!!int" && n.Decode(&i) == nil {
			return i, true
		}
		var f float64
		if err := n.Decode(&f); err != nil {
			// A float in JSON that is written as a whole number beyond 64 bits with sign: YAML's reader takes it for neither.
			if f, err = strconv.ParseFloat(n.Value, 64); err != nil {
				return nil, false
			}
		}
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, false
		}
		if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f), true
		}
		return f, true
	case "!!str", "!!timestamp":
		return n.Value, true
	}
	return nil, false
}
