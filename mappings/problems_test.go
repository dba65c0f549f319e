package mappings

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProblemsAreReportedAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`format: 1
object: call
colour: red
fields:
  - target: a
    mode: overwrit
    value: {expr: customer.nmae}
  - target: a
    type: numbr
    value: {const: 1, field: note}
  - traget: c
    value: {expr: "upper(note"}
  - target: d
    when: status == "mised"
    max_length: many
    value:
      template:
        - "fine {{ note }}"
        - "x {{ nope }} {{ uper(note) }}"
`))
	var problems Problems
	require.ErrorAs(t, err, &problems)
	require.Equal(t, []string{
		`line 3, document: "colour" is not known here; there are fields, format, note, object.`,
		`line 6, row 1 (a), mode: "overwrit" is not a mode; use one of overwrite, always, fill_if_empty, append, never. Did you mean overwrite?`,
		`line 7, row 1 (a), value.expr, column 10: There is no field nmae here. Did you mean name?`,
		`line 8, row 2 (a), target: Row 1 fills a already; a field can be filled once.`,
		`line 9, row 2 (a), type: "numbr" is not a type; use one of text, html, number, bool, datetime, picklist, multi. Did you mean number?`,
		`line 10, row 2 (a), value: A value has exactly one of field, const, expr, template and lookup; this one has 2.`,
		`line 11, row 3: "traget" is not known here; there are empty, max_length, mode, note, target, type, value, when. Did you mean target?`,
		`line 11, row 3, target: The row must name a field of the CRM.`,
		`line 12, row 3, value.expr, column 10: The expression ends too early.`,
		`line 15, row 4 (d), max_length: Here must be a whole number.`,
		`line 19, row 4 (d), value.template[1], column 6: There is no field or function nope. Did you mean note?`,
		`line 19, row 4 (d), value.template[1], column 17: There is no field or function uper. Did you mean upper?`,
		`line 14, row 4 (d), when, column 11: "mised" is not among its values: ringing, in_progress, answered, missed, voicemail, abandoned, busy, failed, cancelled, unknown. Did you mean missed?`,
	}, strings.Split(problems.Error(), "\n"))
}

func TestExpressionProblems(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`custmer.name`:                        "There is no field or function custmer.",
		`agents[0].nmae`:                      "There is no field nmae here.",
		`talk_seconds.minutes`:                "the value is a number",
		`started_at.Local()`:                  "A time has no parts",
		`ended_at - started_at`:               "Times cannot be calculated with",
		`now()`:                               "There is no field or function now.",
		`get(note, 1)`:                        "There is no field or function get.",
		`fromJSON(note)`:                      "There is no field or function fromJSON.",
		`repeat(note, 1000000000)`:            "There is no field or function repeat.",
		`1..1000000000`:                       "The operator .. is not part of the language.",
		`2 ** 1000`:                           "The operator ** is not part of the language.",
		`map(tags, map(tags, #))`:             "may not hold another walk over a list",
		`reduce(tags, #acc + #)`:              "There is no function reduce",
		`sortBy(tags, #)`:                     "There is no function sortBy",
		`note matches note`:                   "must be a fixed text",
		`note matches "("`:                    "no regular expression",
		`note matches "(a{500}){20}"`:         "no regular expression",
		`upper(talk_seconds)`:                 "upper takes a text here, not a number.",
		`truncate(note)`:                      "truncate has too few values: truncate(text, n).",
		`upper(note, note)`:                   "upper has too many values: upper(text).",
		`duration_text("a")`:                  "duration_text takes a number here, not a text.",
		`time_format(started_at)`:             "time_format",
		`talk_seconds + note`:                 "A number and a text do not go together here.",
		`customer.company ? 1 : 2`:            "A condition must be true or false",
		`filter(tags, 1)`:                     "A condition must be true or false",
		`let note = 1; note`:                  "note is taken",
		`let upper = 1; upper`:                "upper is taken",
		`$env`:                                "There is no field $env.",
		`$run`:                                "There is no field $run.",
		`$field($run, 3)`:                     "There is no field",
		`tags.upper()`:                        "Only functions of the reference",
		`"x".foo`:                             "There is no field foo here: the value is a text.",
		`agent.status == "gone"`:              `"gone" is not among its values`,
		`agents[0].status in ["answerd"]`:     `"answerd" is not among its values`,
		`map(tags, #index)`:                   "There is no #index",
		`  `:                                  "is empty",
		`"` + strings.Repeat("x", 5000) + `"`: "4096 is the most",
		strings.Repeat("1+", 1000) + "1":      "too long",
		"note + \xff":                         "UTF-8",
	} {
		_, problems := callWords.compileExpr(source, false)
		require.NotEmpty(t, problems, source)
		require.Contains(t, problems[0].text, want, source)
	}
	_, problems := callWords.compileExpr("note", true)
	require.Contains(t, problems[0].text, "A condition must be true or false")
}

func TestTemplateProblems(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`a {{ note`:                                      "{{ has no }}.",
		`<a href={{ note }}>`:                            "in the quotes of an attribute",
		`<{{ note }}>`:                                   "in the quotes of an attribute",
		`<p onclick="{{ note }}">`:                       "Scripts, styles",
		`<p title="x" onclick = '{{ note }}'>`:           "attribute",
		`<p style="color: {{ note }}">`:                  "No expression may stand in this attribute.",
		`<script>{{ note }}</script>`:                    "Scripts, styles",
		`{{ "}}" }} <a title="{{ note }}" x={{ note }}>`: "in the quotes of an attribute",
	} {
		_, problems := callWords.compileTemplate(line, true)
		require.NotEmpty(t, problems, line)
		var all []string
		for _, p := range problems {
			all = append(all, p.text)
		}
		require.Contains(t, strings.Join(all, " "), want, line)
	}
	_, problems := callWords.compileTemplate(`<a class="x" href='{{ call_url }}' title="{{ note }}">{{ note }}</a> 1 < 2`, true)
	require.Empty(t, problems)
}

func TestDocumentProblems(t *testing.T) {
	t.Parallel()
	row := "fields: [{target: a, value: {field: note}}]"
	for doc, want := range map[string]string{
		"":                                "it is empty",
		"\x00\x01":                        "neither YAML nor JSON",
		"- a":                             "group of names and values",
		"format: 1":                       "no rows",
		"object: call\n" + row:            "must say its format",
		"format: 2\nobject: call\n" + row: "reads up to 1",
		"format: 1\n" + row:               "must name its object",
		"format: 1\nobject: call\nfields: [{target: a, value: {}}]":                                                "exactly one of",
		"format: 1\nobject: call\nfields: [{target: a, value: {const: null}}]":                                     "A constant is a text",
		"format: 1\nobject: call\nfields: [{target: a, value: {const: {b: c}}}]":                                   "A constant is a text",
		"format: 1\nobject: call\nfields: [{target: a, value: {const: .inf}}]":                                     "A constant is a text",
		"format: 1\nobject: call\nfields: [{target: a, value: {const: [a]}}]":                                      "A constant is a text",
		"format: 1\nobject: call\nfields: [{target: a, target: b, value: {const: 1}}]":                             "given twice",
		"format: 1\nobject: call\nfields: [{target: a, type: number, max_length: 3, value: {const: 1}}]":           "max_length is",
		"format: 1\nobject: call\nfields: [{target: a, mode: append, type: bool, value: {const: true}}]":           "can be appended to",
		"format: 1\nobject: call\nfields: [{target: a, value: {field: upper(note)}}]":                              "not the name of a field",
		"format: 1\nobject: call\nfields: [{target: a, value: {lookup: {key: note, table: {a: 1, A: 2}}}}]":        "the same but for case",
		"format: 1\nobject: call\nfields: [{target: a, value: {lookup: {key: note, table: {a: 1, a: 2}}}}]":        "in the table twice",
		"format: 1\nobject: call\nfields: [{target: a, value: {lookup: {table: {a: 1}}}}]":                         "needs a key",
		"format: 1\nobject: call\nfields: [{target: a, value: {lookup: {key: note}}}]":                             "needs a table",
		"format: 1\nobject: call\nfields: [{target: a, value: &x {field: note}}, {target: b, value: *x}]":          "group of names and values",
		"format: 1\nobject: call\n" + row + "\n---\nformat: 1":                                                     "more than one document",
		"format: 1\nobject: call\nnote: " + strings.Repeat("x", maxDocument) + "\n" + row:                          "is the most",
		"format: 1\nobject: call\nfields:\n" + strings.Repeat("- {target: a, value: {const: 1}}\n", maxRows+1):     "500 is the most",
		`{"format": 1, "object": "call", "fields": [` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `]}`: "nested too deeply",
	} {
		_, err := Parse([]byte(doc))
		require.ErrorContains(t, err, want, clip(doc, 200))
	}
}

const everyForm = `format: 1
object: call
note: |
  two
  lines
fields:
  - target: a
    value:
      field: agents[0].name
    mode: fill_if_empty
    note: why
  - target: b
    value:
      const: false
    type: bool
    empty: clear
  - target: c
    value:
      const: [x, 1, 2.5, true]
    type: multi
  - target: d
    value:
      expr: '"é\u00e9 <b>" + note'
    when: talk_seconds > 30 and status == "answered"
    max_length: 100
  - target: e
    value:
      template: "one {{ note }} \U0001F600"
    type: html
    mode: append
  - target: f
    value:
      template: ["a {{ note }}", "", "b"]
  - target: g
    value:
      lookup: {key: direction, table: {"yes": 1, inbound: IN, "1": true}, default: 0}
  - target: h
    value:
      const: 5.0
    type: number
`

func TestBothFormsRoundTrip(t *testing.T) {
	t.Parallel()
	doc, err := Parse([]byte(everyForm))
	require.NoError(t, err)
	require.Equal(t, int64(5), doc.Fields[7].Value.Const)
	for name, write := range map[string]func() ([]byte, error){"yaml": doc.YAML, "json": doc.JSON, "compact": func() ([]byte, error) { return json.Marshal(doc) }} {
		data, err := write()
		require.NoError(t, err, name)
		again, err := Parse(data)
		require.NoError(t, err, "%s:\n%s", name, data)
		require.Equal(t, doc, again, name)
	}
	var read struct{ Document Document }
	data, err := doc.JSON()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(`{"Document": `+string(data)+`}`), &read))
	require.True(t, reflect.DeepEqual(doc, read.Document))
	require.ErrorContains(t, json.Unmarshal([]byte(`{"Document": {"format": 1, "objekt": "call"}}`), &read), "Did you mean object?")
}

func TestJSONKeepsLines(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte("{\"format\": 1, \"object\": \"call\",\n \"fields\": [\n  {\"target\": \"a\",\n   \"value\": {\"expr\": \"nope\"}}]}"))
	require.ErrorContains(t, err, "line 4, row 1 (a), value.expr, column 1")
}
