package mappings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/mappings"
)

// keep makes the edits that change nothing.
func keep(d *mappings.Draft) []mappings.RowEdit {
	out := make([]mappings.RowEdit, len(d.Rows))
	for i, r := range d.Rows {
		out[i] = mappings.RowEdit{From: i, Row: r.Row, Form: r.Form, Table: r.Table}
	}
	return out
}

func draftOf(t testing.TB, text string) *mappings.Draft {
	t.Helper()
	d, err := mappings.NewDraft(text)
	require.NoError(t, err)
	return d
}

const commented = `# Ours since 2024. Ask Anna before you change it.
format: 1
object: call
fields:
  # The title.
  - target: title # what people see
    later: {unknown: [1, 2]}
    value:
      expr: >-
        direction == "outbound" ? "Call to " + customer.name
        : "Call from " + customer.name

  - target: kind
    type: picklist
    # never change these
    value:
      lookup:
        key: direction
        table:
          inbound: In # as the CRM has it
          outbound: Out
  # a comment
  # of two lines
  - {target: seconds, type: number, value: {field: talk_seconds}} # brackets

  - target: body
    value:
      template: |-
        # no comment
        - {{ note }}
    mode: append # why
    # the end of it
# the end of all
note: kept
`

// What is not changed stays as it was written, to the last character.
func TestDraftKeepsTheText(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../connectors/*/mapping_*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	texts := []string{commented, strings.ReplaceAll(commented, "\n\n", "\n"), strings.TrimSuffix(commented, "\n"),
		"fields:\n- target: a\n  value: {field: note}\n-\n  target: b\n  value: {field: note}\nformat: 1\nobject: call\n",
		`{"format": 1, "object": "call", "fields": [{"target": "a", "later": 1.50, "value": {"const": "x"}}]}`,
		"format: 1\nobject: call\nfields: [{target: a, value: {field: note}}] # brackets\n"}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		texts = append(texts, string(text))
	}
	for _, text := range texts {
		d := draftOf(t, text)
		out, err := d.Edit(keep(d))
		require.NoError(t, err)
		require.Equal(t, text, out)

		// One mode changes one line at most, and taking it back gives the same meaning.
		if d.Rewrites {
			continue
		}
		for i := range d.Rows {
			edits := keep(d)
			edits[i].Row.Mode = mappings.FillIfEmpty
			out, err := d.Edit(edits)
			require.NoError(t, err, text)
			was, now := strings.Split(text, "\n"), strings.Split(out, "\n")
			require.LessOrEqual(t, len(now)-len(was), 1, "%s\n%s", text, out)
			edits = keep(draftOf(t, out))
			edits[i].Row.Mode = d.Rows[i].Mode
			back, err := draftOf(t, out).Edit(edits)
			require.NoError(t, err)
			a, _ := mappings.Parse([]byte(text))
			b, _ := mappings.Parse([]byte(back))
			require.Equal(t, a, b)
			for _, comment := range []string{"# Ours since", "# The title", "# what people see", "later: {unknown: [1, 2]}", "# never change", "# as the CRM", "# a comment", "# brackets", "# no comment", "# the end of it", "# the end of all"} {
				require.Equal(t, strings.Count(text, comment), strings.Count(out, comment), "%s in\n%s", comment, out)
			}
		}
	}
}

func TestDraftEdits(t *testing.T) {
	t.Parallel()
	edit := func(text string, change func(rows []mappings.RowEdit) []mappings.RowEdit) string {
		t.Helper()
		d := draftOf(t, text)
		out, err := d.Edit(change(keep(d)))
		require.NoError(t, err)
		return out
	}
	// Comments go with their row.
	out := edit(commented, func(r []mappings.RowEdit) []mappings.RowEdit {
		return []mappings.RowEdit{r[2], r[1], r[0], r[3]}
	})
	require.Contains(t, out, "fields:\n  # a comment\n  # of two lines\n  - {target: seconds, type: number, value: {field: talk_seconds}} # brackets\n\n  - target: kind")
	require.Contains(t, out, "\n\n  # The title.\n  - target: title # what people see\n")
	back := edit(out, func(r []mappings.RowEdit) []mappings.RowEdit { return []mappings.RowEdit{r[2], r[1], r[0], r[3]} })
	require.Equal(t, strings.ReplaceAll(commented, "\n\n", "\n"), strings.ReplaceAll(back, "\n\n", "\n"), "and back, but for blank lines")

	// A changed expression keeps the form in which it was written; the other members are not touched.
	long := `direction == "outbound" ? "Outbound call to " + customer.name : direction == "inbound" ? "Inbound call from " + customer.name : "Call"`
	out = edit(commented, func(r []mappings.RowEdit) []mappings.RowEdit {
		r[0].Row.Value.Expr, r[0].Row.Note = long, "5"
		r[1].Table = "inbound: In # as the CRM has it\noutbound: OUT\ninternal: \"5\"\n"
		r[2].Row.When = `queue == "a, b"`
		r[3].Row.Value.Template = mappings.Template{"Note: {{ note }}", "{{ queue }}"}
		return append(r, mappings.RowEdit{From: -1, Form: mappings.FormConst, Row: mappings.Row{Target: "source", Type: mappings.Multi, Value: mappings.Value{Const: []any{"a", int64(1)}}}})
	})
	require.Contains(t, out, "    note: \"5\"\n    value:\n      expr: >-\n        direction == \"outbound\"")
	require.Contains(t, out, "          inbound: In # as the CRM has it\n          outbound: OUT\n          internal: \"5\"\n")
	require.Contains(t, out, `- {target: seconds, type: number, when: 'queue == "a, b"', value: {field: talk_seconds}} # brackets`)
	require.Contains(t, out, "\n\n  - target: source\n    type: multi\n    value:\n      const: [a, 1]\n# the end of all\nnote: kept\n")
	d := draftOf(t, out)
	require.Equal(t, long, d.Rows[0].Value.Expr)
	require.Equal(t, "5", d.Rows[0].Note)
	require.Contains(t, d.Rows[0].Text, "\n  later: {unknown: [1, 2]}\n")

	// JSON stays JSON, with members that are not known.
	out = edit(`{"format": 1, "object": "call", "x": [], "fields": [{"target": "a", "later": 1.50, "value": {"const": "<é>"}}]}`, func(r []mappings.RowEdit) []mappings.RowEdit {
		r[0].Row.Mode = mappings.Always
		return append(r, mappings.RowEdit{From: -1, Form: mappings.FormLookup, Table: "a: 1\nb: true", Row: mappings.Row{Target: "b", Value: mappings.Value{Lookup: &mappings.Lookup{Key: "queue"}}}})
	})
	require.JSONEq(t, `{"format": 1, "object": "call", "x": [], "fields": [{"target": "a", "later": 1.50, "mode": "always", "value": {"const": "<é>"}}, {"target": "b", "value": {"lookup": {"key": "queue", "table": {"a": 1, "b": true}}}}]}`, out)
	require.Contains(t, out, "1.50")
	out = edit("# top\nformat: 1\nobject: call\nfields: [{target: a, value: {field: note}}] # brackets\n", func(r []mappings.RowEdit) []mappings.RowEdit {
		r[0].Row.Mode = mappings.Always
		return r
	})
	require.Equal(t, "# top\nformat: 1\nobject: call\nfields: [{target: a, mode: always, value: {field: note}}] # brackets\n", out)
	out = edit("format: 1\nobject: call\nfields: []\n", func(r []mappings.RowEdit) []mappings.RowEdit {
		return append(r, mappings.RowEdit{From: -1, Form: mappings.FormField, Row: mappings.Row{Target: "a"}})
	})
	require.Contains(t, out, "fields:\n  - target: a\n    value: {field: \"\"}\n")
}

func TestDraftRefuses(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{"": "it is empty", "- a": "no group", "format: 1": "no list of rows", "fields: x": "no list of rows", "a: [": "neither YAML nor JSON"} {
		_, err := mappings.NewDraft(text)
		require.ErrorContains(t, err, says)
	}
	// A row that is more than its members is left to the text, and stays.
	d := draftOf(t, "fields:\n  - target: a\n    value: {field: note, expr: note}\n  - 5\n  - target: [x]\n  - {target: b, value: {const: 1}}\n")
	require.Contains(t, d.Rows[0].Locked, "exactly one")
	require.NotEmpty(t, d.Rows[1].Locked)
	require.NotEmpty(t, d.Rows[2].Locked)
	require.Empty(t, d.Rows[3].Locked)
	edits := keep(d)
	edits[0].Row.Target, edits[3].Row.Target = "changed", "c"
	out, err := d.Edit(edits)
	require.NoError(t, err)
	require.Contains(t, out, "  - target: a\n    value: {field: note, expr: note}\n  - 5\n  - target: [x]\n  - {target: c, value: {const: 1}}\n")

	for table, says := range map[string]string{"a": "a key and a value on each line", "a: 1\na: 2": "Line 2 of the table", "a: {b: c}": "text, a number", "a: [": "cannot be read"} {
		_, err := mappings.ParseTable(table)
		require.ErrorContains(t, err, says)
		edits := keep(d)
		edits[3].Form, edits[3].Table = mappings.FormLookup, table
		_, err = d.Edit(edits)
		require.ErrorContains(t, err, says)
	}
	_, err = d.Edit(nil)
	require.ErrorContains(t, err, "at least one row")
	_, err = d.Edit([]mappings.RowEdit{{From: 9}})
	require.Error(t, err)
}

// Whatever is typed into a row is what the document says afterwards, and the other rows say what they said.
func TestDraftProperty(t *testing.T) {
	t.Parallel()
	texts := []string{commented, strings.ReplaceAll(commented, "\n\n", "\n"), "fields:\n- target: a\n  value: {field: note}\nformat: 1\nobject: call\n",
		`{"format": 1, "object": "call", "fields": [{"target": "a", "value": {"const": "x"}}]}`}
	rapid.Check(t, func(r *rapid.T) {
		d := draftOf(t, rapid.SampledFrom(texts).Draw(r, "text"))
		typed := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ #:\-{}\[\]"'|>%@&*!a-z\n]{0,40}`), rapid.StringMatching(`([a-z"'#:]{1,9} {1,2}){20,40}`))
		line := func(name string) string {
			return strings.ToValidUTF8(strings.ReplaceAll(typed.Draw(r, name), "\r", ""), "")
		}
		edits := keep(d)
		for range rapid.IntRange(1, 3).Draw(r, "n") {
			e := mappings.RowEdit{From: -1, Form: rapid.SampledFrom(mappings.Forms()).Draw(r, "form"), Row: mappings.Row{Target: line("target"), Note: line("note"), When: line("when"), MaxLength: rapid.IntRange(0, 9).Draw(r, "max"), Mode: rapid.SampledFrom([]mappings.Mode{"", "overwrite", "append"}).Draw(r, "mode")}}
			v := &e.Row.Value
			switch e.Form {
			case mappings.FormField:
				v.Field = line("value")
			case mappings.FormConst:
				v.Const = line("value")
			case mappings.FormExpr:
				v.Expr = line("value")
			case mappings.FormTemplate:
				v.Template = strings.Split(line("value"), "\n")
			case mappings.FormLookup:
				v.Lookup = &mappings.Lookup{Key: line("value")}
				e.Table = rapid.SampledFrom([]string{"", "a: b", "a: 1 # one\nb: [x]\n"}).Draw(r, "table")
			}
			at := rapid.IntRange(0, len(edits)).Draw(r, "at")
			if at < len(edits) && rapid.Bool().Draw(r, "replaces") {
				e.From = edits[at].From
				edits[at] = e
			} else {
				edits = append(edits[:at:at], append([]mappings.RowEdit{e}, edits[at:]...)...)
			}
		}
		out, err := d.Edit(edits)
		if err != nil {
			r.Fatalf("%v", err)
		}
		again := draftOf(t, out)
		once, err := again.Edit(keep(again))
		require.NoError(t, err)
		require.Equal(t, out, once)
	})
}

func TestRebase(t *testing.T) {
	t.Parallel()
	mine := strings.NewReplacer("# why", "# why not", "mode: append", "mode: always", "direction ==", "lower(direction) ==", "outbound: Out\n", "outbound: Out\n          internal: In\n").Replace(commented)
	mine = strings.Replace(mine, "  - {target: seconds", "  - {target: mine, value: {field: queue}}\n  - {target: seconds", 1)
	theirs := strings.Replace(strings.Replace(commented, "outbound: Out", "outbound: OUT", 1), "# The title.", "# Their title.", 1)
	theirs = strings.Replace(theirs, "\n  - target: body", "\n  - {target: theirs, value: {field: note}}\n  - target: body", 1)
	text, both, err := mappings.Rebase(commented, mine, theirs)
	require.NoError(t, err)
	require.Equal(t, []string{"kind"}, both)
	d := draftOf(t, text)
	var targets []string
	for _, r := range d.Rows {
		targets = append(targets, r.Target)
	}
	require.Equal(t, []string{"title", "kind", "mine", "seconds", "theirs", "body"}, targets)
	require.Contains(t, text, "lower(direction)")
	require.Contains(t, text, "# Their title.")
	require.Contains(t, text, "internal: In")
	require.Contains(t, text, "mode: always")

	// What I took out is out; what both took out is nobody's conflict.
	out := func(text, target string) string {
		d := draftOf(t, text)
		var left []mappings.RowEdit
		for i, e := range keep(d) {
			if d.Rows[i].Target != target {
				left = append(left, e)
			}
		}
		text, err := d.Edit(left)
		require.NoError(t, err)
		return text
	}
	text, both, err = mappings.Rebase(commented, out(commented, "kind"), theirs)
	require.NoError(t, err)
	require.Equal(t, []string{"kind"}, both, "they changed what I took out")
	require.NotContains(t, text, "target: kind")
	text, both, err = mappings.Rebase(commented, out(mine, "seconds"), out(theirs, "seconds"))
	require.NoError(t, err)
	require.Equal(t, []string{"kind"}, both)
	require.NotContains(t, text, "seconds")
	_, _, err = mappings.Rebase(commented, strings.Replace(commented, "note: kept", "note: other", 1), theirs)
	require.ErrorContains(t, err, "outside of the rows")
	_, _, err = mappings.Rebase("x", mine, theirs)
	require.Error(t, err)
}
