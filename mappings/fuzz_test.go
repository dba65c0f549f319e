package mappings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tooLong is far above what any input may cost; it only finds runaways, not slow machines.
const tooLong = 10 * time.Second

// hostileTexts are texts that people who mean harm, or their editors, put into a document.
var hostileTexts = []string{
	"\x00", "a\x00b", "\xff\xfe", "\xc3\x28", "\xed\xa0\x80", "\u202egnp.exe", "\u2066\u2069\u200f", "\ufeff", "\u2028", "\r", "\u00a0", "{{", "}}", "{{ {{ }} }}",
	"{{ \"}}\" }}", "<!-- {{ note }} -->", "<script>{{ note }}</script>", "*", "&a", "!!binary /w==", "!!timestamp 0000-99-99", "~", "NaN", ".inf", "1e999999", "-0",
	"9223372036854775808", "0x7fffffffffffffff", "0o17", "1_000", "12:34:56", "'", "\"", "%YAML 9.9", "---", "...", "? a : b", "<<", "=cmd|' /C calc'!A0",
	strings.Repeat("a", 5000), strings.Repeat("\U0001F469\u200d", 300), strings.Repeat("a\u0301\u0327", 300),
}

// hostileDocuments are those texts in the places of a document, and documents that are hostile as a whole.
func hostileDocuments() []string {
	docs := []string{
		"a: &a [*a, *a]\nfields: [{target: ? x, value: !!binary aGk=}]",
		"x: &x {<<: *x}\nformat: 1\nobject: call\nfields: *x",
		"a: &a [1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\nformat: 1\nobject: call\nfields: *d",
		"format: 1\nobject: call\nfields: &f [{target: a, value: {const: 1}}, *f]",
		"format: 1\nobject: call\nfields: " + strings.Repeat("[", 2000),
		"format: 1\nobject: call\nfields: " + strings.Repeat("[", 500) + strings.Repeat("]", 500),
		`{"format": 1, "object": "call", "fields": ` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "}",
		strings.Repeat("? ", 300) + "a", strings.Repeat("- ", 300) + "a", strings.Repeat("a:\n ", 100),
		"format: 1e0\nobject: call\nfields: []", "format: 0x1\nobject: call\nfields: [{target: a, max_length: 9223372036854775807, value: {const: 1}}]",
		"format: 1\nobject: call\nfields: [{target: a, max_length: -1, value: {const: 1}}, {target: a, value: {const: .nan}}]",
		"format: 1\nobject: call\nfields: [{target: a, when: \"" + strings.Repeat("(", 300) + "\", value: {expr: \"" + strings.Repeat("not ", 300) + "true\"}}]",
		"format: 1\nobject: call\nfields: [{target: a, value: {lookup: {key: status, table: {" + strings.Repeat("a: 1, ", 200) + "}}}}]",
		"format: 1\nobject: call\nfields: [{target: a, value: {template: [[{{ note }}]]}}, {target: b, value: {template: {}}}, {target: c, value: {field: a.b.c.d}}]",
	}
	for _, text := range hostileTexts {
		docs = append(docs,
			"format: 1\nobject: call\nfields:\n  - target: "+text+"\n    value: {const: "+text+"}\n",
			"format: 1\nobject: call\nfields:\n  - {target: a, type: html, value: {template: \""+text+"\"}, note: '"+text+"'}\n")
	}
	return docs
}

// writtenDocuments are the default documents of all connectors, and those of the reference.
func writtenDocuments(f *testing.F) []string {
	f.Helper()
	paths, err := filepath.Glob("../connectors/*/mapping_*.yaml")
	require.NoError(f, err)
	require.Greater(f, len(paths), 30)
	var docs []string
	for _, p := range paths {
		data, err := os.ReadFile(p)
		require.NoError(f, err)
		docs = append(docs, string(data))
	}
	reference, err := os.ReadFile(referencePath)
	require.NoError(f, err)
	for _, b := range fence.FindAllStringSubmatch(string(reference), -1) {
		if b[1] == "yaml" {
			docs = append(docs, b[2])
		}
	}
	return docs
}

func FuzzParse(f *testing.F) {
	for _, doc := range append(hostileDocuments(), writtenDocuments(f)...) {
		f.Add([]byte(doc))
	}
	f.Add([]byte(everyForm))
	f.Add([]byte(`{"format": 1, "object": "call", "fields": [{"target": "a", "value": {"const": "\ud83d\ude00\u0000"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		doc, err := Parse(data)
		if err == nil {
			for _, write := range []func() ([]byte, error){doc.YAML, doc.JSON} {
				out, err := write()
				require.NoError(t, err)
				again, err := Parse(out)
				require.NoError(t, err, "%s", out)
				require.Equal(t, doc, again)
			}
			p, err := Compile(doc)
			require.NoError(t, err)
			_, _ = p.Apply(answeredInbound())
		}
		require.Less(t, time.Since(start), tooLong)
	})
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		`coalesce(customer.name, "x") + join(map(agents, .name))`, `let a = note; {b: a}["b"] ?? tags[0:1]`, `if stale { 1 } else { nil }`,
		`time_format(started_at, "[x]YYYY", time_zone)`, `note matches "^a" ? millis(1.5) : -talk_seconds % 3`, `find(recordings, .url != nil)?.url | upper()`,
	} {
		f.Add(s, false)
	}
	for _, text := range hostileTexts {
		f.Add(text, true)
		f.Add(`"`+text+`"`, false)
		f.Add("note + `"+text+"`", false)
	}
	for _, s := range []string{
		strings.Repeat("(", 1000) + "1" + strings.Repeat(")", 1000), strings.Repeat("not ", 1000) + "true", "1" + strings.Repeat("+1", 3000), strings.Repeat("[", 500),
		"1e308 * 1e308 % 0", "-9223372036854775808 / -1", "9223372036854775807 + 1", "tags[-1] ?? tags[9223372036854775807]", "1..1000000000", "note[5:1]", `"a" matches note`,
		`replace(note, "", note)`, `split(note, "")`, `truncate(note, -1)`, `pairs({a: note})`, `duration_text(9223372036854775807)`, `time_format(started_at, "` + strings.Repeat("Y", 500) + `", "../../etc")`,
		`"%n" | lower() | upper() | trim()`, "{{ note }}{{ if", `{{ "}}" }}`, `phone_international("` + strings.Repeat("9", 500) + `")`,
	} {
		f.Add(s, false)
	}
	// The templates and expressions of the default documents.
	for _, text := range writtenDocuments(f) {
		doc, err := Parse([]byte(text))
		require.NoError(f, err)
		for _, row := range doc.Fields {
			if row.Value.Expr != "" {
				f.Add(row.Value.Expr, false)
			}
			for _, line := range row.Value.Template {
				f.Add(line, true)
			}
		}
	}
	in := answeredInbound()
	f.Fuzz(func(t *testing.T, source string, condition bool) {
		start := time.Now()
		if e, problems := callWords.compileExpr(source, condition); len(problems) == 0 {
			r := startRun(&in)
			r.budget = workBudget
			_, _ = r.eval(e)
			r.end()
			agrees(t, source, in)
		}
		_, _ = callWords.compileTemplate(source, condition)
		require.Less(t, time.Since(start), tooLong)
	})
}
