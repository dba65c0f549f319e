package mappings

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const referencePath = "../docs/mapping-language.md"

var fence = regexp.MustCompile("(?ms)^```(\\w+(?: \\w+)?)\n(.*?)^```$")

// TestReference runs the examples of the reference: each yaml document must give the json that follows it, and each line
// of an expr block its value. The tables of fields and functions are made from the code; go test -update rewrites them.
func TestReference(t *testing.T) {
	data, err := os.ReadFile(referencePath)
	require.NoError(t, err)
	doc := string(data)
	tables := section(section(section(doc, "functions", functionTable()), "fields", fieldTable(Fields())), "others", fieldTable(otherFields()))
	if *update {
		require.NoError(t, os.WriteFile(referencePath, []byte(tables), 0o644))
		doc = tables
	}
	require.Equal(t, tables, doc, "run go test ./mappings -update")

	in := Input{RecordingURL: "https://sync.example/recordings/r1", Location: time.UTC, Country: "US"}
	blocks := fence.FindAllStringSubmatch(doc, -1)
	for _, b := range blocks {
		if b[1] == "json call" {
			require.NoError(t, json.Unmarshal([]byte(b[2]), &in.Call))
		}
	}
	require.Equal(t, "c1", in.Call.ID)
	documents, expressions := 0, 0
	var fields map[string]any
	for _, b := range blocks {
		switch b[1] {
		case "yaml":
			parsed, err := Parse([]byte(b[2]))
			require.NoError(t, err)
			p, err := Compile(parsed)
			require.NoError(t, err)
			res, err := p.Apply(in)
			require.NoError(t, err)
			fields = res.Fields
			documents++
		case "json":
			got, err := json.Marshal(fields)
			require.NoError(t, err)
			require.JSONEq(t, b[2], string(got))
		case "expr":
			for line := range strings.Lines(b[2]) {
				source, want, ok := strings.Cut(strings.TrimSpace(line), " => ")
				require.True(t, ok, line)
				v, err := evaluate(t, source, in)
				require.NoError(t, err, source)
				got, err := encodeJSON(v, "")
				require.NoError(t, err)
				require.JSONEq(t, want, string(got), source)
				expressions++
			}
		}
	}
	require.Greater(t, documents, 2)
	require.Greater(t, expressions, 30)
}

func section(doc, name, body string) string {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(doc, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		panic("the reference lacks its section " + name)
	}
	return before + begin + body + end + after
}

func functionTable() string {
	var b strings.Builder
	b.WriteString("\n| function | gives |\n|---|---|\n")
	for _, f := range Functions() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", f.Signature, f.Description)
	}
	return b.String() + "\n"
}

// otherFields are the names that calls do not have.
func otherFields() []FieldInfo {
	ofCalls := map[string]bool{}
	for _, f := range Fields() {
		ofCalls[f.Name+f.Description] = true
	}
	var out []FieldInfo
	for _, object := range []string{objectTask, objectNote, objectTicket, objectMessage, objectForm} {
		for _, f := range FieldsOf(object) {
			if !ofCalls[f.Name+f.Description] {
				out = append(out, f)
			}
		}
	}
	return out
}

func fieldTable(fields []FieldInfo) string {
	var b strings.Builder
	b.WriteString("\n| field | type | what it is |\n|---|---|---|\n")
	for _, f := range fields {
		values := ""
		if len(f.Values) > 0 {
			values = ": `" + strings.Join(f.Values, "` `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s%s |\n", f.Name, f.Type, f.Description, values)
	}
	return b.String() + "\n"
}
