package mappings

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func parsed(t require.TestingT, text string) Document {
	doc, err := Parse([]byte(text))
	require.NoError(t, err)
	return doc
}

const diffBefore = `
# A comment is no part of the meaning.
format: 1
object: call
fields:
  - {target: subject, type: text, value: {field: note}}
  - {target: kind, value: {lookup: {key: direction, table: {inbound: In, outbound: Out}}}}
  - {target: gone, value: {const: 1}}
  - {target: body, max_length: 100, value: {template: ["a {{ note }}", b]}}
  - {target: last, value: {field: queue}}
`

func TestDiff(t *testing.T) {
	t.Parallel()
	before := parsed(t, diffBefore)
	same := parsed(t, `{"format": 1, "object": "call", "fields": [
		{"target": "subject", "mode": "overwrite", "empty": "skip", "value": {"field": "note"}},
		{"target": "kind", "type": "text", "value": {"lookup": {"key": "direction", "table": {"outbound": "Out", "inbound": "In"}}}},
		{"target": "gone", "value": {"const": 1.0}}, {"target": "body", "max_length": 100, "value": {"template": ["a {{ note }}", "b"]}},
		{"target": "last", "value": {"field": "queue"}}]}`)
	require.Empty(t, Diff(before, same), "the same meaning in other words")

	after := parsed(t, `
format: 1
object: call
note: For sales.
fields:
  - {target: last, value: {field: queue}}
  - {target: subject, mode: fill_if_empty, when: talk_seconds > 3, value: {expr: upper(note)}}
  - {target: kind, value: {lookup: {key: direction, default: Other, table: {inbound: Incoming, internal: Int}}}}
  - {target: body, value: {template: "a {{ note }}"}}
  - {target: fresh, value: {const: true}}
`)
	got := Diff(before, after)
	require.Equal(t, []Change{
		{ChangeAdded, "", "note", nil, "For sales."},
		{ChangeMoved, "last", "", nil, nil},
		{ChangeEdited, "subject", "mode", Overwrite, FillIfEmpty},
		{ChangeAdded, "subject", "when", nil, "talk_seconds > 3"},
		{ChangeRemoved, "subject", "value.field", "note", nil},
		{ChangeAdded, "subject", "value.expr", nil, "upper(note)"},
		{ChangeAdded, "kind", "value.lookup.default", nil, "Other"},
		{ChangeEdited, "kind", "value.lookup.table.inbound", "In", "Incoming"},
		{ChangeAdded, "kind", "value.lookup.table.internal", nil, "Int"},
		{ChangeRemoved, "kind", "value.lookup.table.outbound", "Out", nil},
		{ChangeRemoved, "body", "max_length", 100, nil},
		{ChangeEdited, "body", "value.template", Template{"a {{ note }}", "b"}, Template{"a {{ note }}"}},
		{ChangeAdded, "fresh", "", nil, after.Fields[4]},
		{ChangeRemoved, "gone", "", before.Fields[2], nil},
	}, got)
}

// A document differs from itself in nothing, and what one direction adds the other removes.
func TestDiffProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawDocument(t, "a"), drawDocument(t, "b")
		require.Empty(t, Diff(a, a))
		there, back := Diff(a, b), Diff(b, a)
		turned := map[string]string{ChangeAdded: ChangeRemoved, ChangeRemoved: ChangeAdded, ChangeEdited: ChangeEdited}
		edits := func(all []Change, turn bool) (out []string) {
			for _, c := range all {
				if c.Kind == ChangeMoved {
					continue
				}
				kind := c.Kind
				if turn {
					kind = turned[kind]
				}
				out = append(out, kind+" "+c.Target+" "+c.Key)
			}
			slices.Sort(out)
			return out
		}
		require.Equal(t, edits(there, false), edits(back, true))
		if len(there) == 0 {
			require.Equal(t, normalized(a), normalized(b))
		}
	})
}

// normalized writes the defaults out.
func normalized(d Document) Document {
	d.Fields = slices.Clone(d.Fields)
	for i, r := range d.Fields {
		r.Type, r.Mode, r.Empty = orDefault(r.Type, Text), orDefault(r.Mode, Overwrite), orDefault(r.Empty, SkipEmpty)
		d.Fields[i] = r
	}
	return d
}

// drawDocument makes any document that is right, in every form that a row can have.
func drawDocument(t *rapid.T, label string) Document {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "a", "1", "true", "null", "~", "0x10", "1e3", "2026-11-22", "- a", "a: b", " # x ", "é\U0001F600", "\t", "<b>", "\\n", "on", "=1"}),
		rapid.StringMatching(`[ -~]{0,20}`))
	expr := rapid.SampledFrom([]string{"note", "talk_seconds ?? 0", `upper(customer.name) + ": x"`, `"#" in tags`, `{"a": 1}["a"]`, "join(map(agents, .name))"})
	scalar := rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 4).Draw(t, "scalar") {
		case 0:
			return rapid.Bool().Draw(t, "bool")
		case 1:
			return rapid.Int64().Draw(t, "int")
		case 2:
			return rapid.SampledFrom([]float64{0.5, -1.25, 1e-9}).Draw(t, "float")
		}
		return text.Draw(t, "text")
	})
	d := Document{Format: Format, Object: objectCall, Note: text.Draw(t, label+" note")}
	targets := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "Größe", "x.y", "d e"}), 1, 6, rapid.ID[string]).Draw(t, label+" targets")
	for _, target := range targets {
		r := Row{Target: target, Note: text.Draw(t, "row note"), When: rapid.SampledFrom([]string{"", "talk_seconds > 3", `status == "missed"`}).Draw(t, "when"),
			Type:  rapid.SampledFrom([]Type{"", Text, HTML, Number, Bool, DateTime, Picklist, Multi}).Draw(t, "type"),
			Empty: rapid.SampledFrom([]Empty{"", SkipEmpty, ClearEmpty}).Draw(t, "empty"),
			Mode:  rapid.SampledFrom([]Mode{"", Overwrite, Always, FillIfEmpty, NeverWrite}).Draw(t, "mode")}
		if r.Type == "" || r.Type == Text || r.Type == HTML {
			r.MaxLength = rapid.IntRange(0, 50).Draw(t, "max length")
		}
		switch rapid.IntRange(0, 4).Draw(t, "form") {
		case 0:
			r.Value.Field = rapid.SampledFrom([]string{"note", "agents[0].name", "customer.number"}).Draw(t, "field")
		case 1:
			r.Value.Expr = expr.Draw(t, "expr")
		case 2:
			r.Value.Const = scalar.Draw(t, "const")
			if r.Type == Multi && rapid.Bool().Draw(t, "list") {
				r.Value.Const = rapid.SliceOfN(scalar, 1, 3).Draw(t, "consts")
			}
		case 3:
			for range rapid.IntRange(1, 3).Draw(t, "lines") {
				r.Value.Template = append(r.Value.Template, "x"+rapid.SampledFrom([]string{"", ": ", "- ", "\n", "  y "}).Draw(t, "literal")+"{{ "+expr.Draw(t, "line")+" }}")
			}
		case 4:
			r.Value.Lookup = &Lookup{Key: expr.Draw(t, "key"), Table: map[string]any{}}
			for i := range rapid.IntRange(1, 3).Draw(t, "entries") {
				r.Value.Lookup.Table[fmt.Sprintf("%d%s", i, text.Draw(t, "entry"))] = scalar.Draw(t, "value")
			}
			if rapid.Bool().Draw(t, "has default") {
				r.Value.Lookup.Default = scalar.Draw(t, "default")
			}
		}
		d.Fields = append(d.Fields, r)
	}
	return d
}

// What people edit in YAML and scripts send as JSON is the same document, however often it is written and read.
func TestBothFormsOfADocumentAreTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		doc := drawDocument(t, "document")
		if len(doc.Problems()) > 0 {
			t.Skip("not a document")
		}
		for _, write := range []func() ([]byte, error){doc.YAML, doc.JSON} {
			text, err := write()
			require.NoError(t, err)
			again, err := Parse(text)
			require.NoError(t, err, "%s", text)
			require.Equal(t, doc, again, "%s", text)
		}
	})
}
