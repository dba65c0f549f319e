package mappings

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"
)

const schemaCopy = "../docs/mapping-schema.json"

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("mapping.json", tree))
	s, err := c.Compile("mapping.json")
	require.NoError(t, err)
	return s
}

// tree is a YAML or JSON text as schema validators see it.
func tree(t require.TestingT, text []byte) any {
	var v any
	require.NoError(t, yaml.Unmarshal(text, &v), "%s", text)
	return v
}

// The copy among the documents is for editors without a callsync at hand; go test -update rewrites it.
func TestSchemaCopy(t *testing.T) {
	t.Parallel()
	if *update {
		require.NoError(t, os.WriteFile(schemaCopy, JSONSchema(), 0o644))
	}
	have, err := os.ReadFile(schemaCopy)
	require.NoError(t, err)
	require.Equal(t, string(JSONSchema()), string(have), "run go test ./mappings -update")
}

func TestSchemaTakesEveryDefault(t *testing.T) {
	t.Parallel()
	s := compiledSchema(t)
	paths, err := filepath.Glob("../connectors/*/mapping_*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, s.Validate(tree(t, data)), path)
	}
	reference, err := os.ReadFile(referencePath)
	require.NoError(t, err)
	for _, b := range fence.FindAllStringSubmatch(string(reference), -1) {
		if b[1] == "yaml" {
			require.NoError(t, s.Validate(tree(t, []byte(b[2]))), b[2])
		}
	}
	require.NoError(t, s.Validate(tree(t, []byte(everyForm))))
}

// An editor that underlines what callsync takes would be worse than none.
func TestSchemaRefusesNoDocument(t *testing.T) {
	t.Parallel()
	s := compiledSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		doc := drawDocument(t, "document")
		if len(doc.Problems()) > 0 {
			t.Skip("not a document")
		}
		text, err := doc.JSON()
		require.NoError(t, err)
		require.NoError(t, s.Validate(tree(t, text)), "%s", text)
	})
	for _, text := range []string{
		"{format: 1, object: call, note: 5, fields: [{target: 7, when: true, value: {expr: 5}}]}",
		"{format: 1, object: call, fields: [{target: a, max_length: 0, type: number, value: {template: [1, true]}}]}",
		"{format: 1, object: call, fields: [{target: a, value: {lookup: {key: note, table: {1: 2, yes: no}, default: 0}}}]}",
	} {
		_, err := Parse([]byte(text))
		require.NoError(t, err, text)
		var n yaml.Node
		require.NoError(t, yaml.Unmarshal([]byte(text), &n))
		require.NoError(t, s.Validate(textKeys(tree(t, []byte(text)))), text)
	}
}

// textKeys makes texts of keys, as schema validators of YAML do.
func textKeys(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = textKeys(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = textKeys(v[k])
		}
	case map[any]any:
		out := map[string]any{}
		for k, item := range v {
			s, _, _ := asText(normal(k))
			out[s] = textKeys(item)
		}
		return out
	}
	return v
}

func TestSchemaRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := compiledSchema(t)
	with := func(row string) string { return "{format: 1, object: call, fields: [" + row + "]}" }
	long := strings.Repeat("x", 300)
	for _, text := range []string{
		`[]`, `text`, `{}`, `{format: 2, object: call, fields: [{target: a, value: {const: 1}}]}`, `{format: "1", object: call, fields: [{target: a, value: {const: 1}}]}`,
		`{object: call, fields: [{target: a, value: {const: 1}}]}`, `{format: 1, fields: [{target: a, value: {const: 1}}]}`, `{format: 1, object: call}`,
		`{format: 1, object: Call!, fields: [{target: a, value: {const: 1}}]}`, `{format: 1, object: call, fields: []}`, `{format: 1, object: call, fields: {}}`,
		`{format: 1, object: call, field: [], fields: [{target: a, value: {const: 1}}]}`, `{format: 1, object: call, note: [a], fields: [{target: a, value: {const: 1}}]}`,
		with(`1`), with(`{}`), with(`{target: a}`), with(`{value: {const: 1}}`), with(`{target: "", value: {const: 1}}`), with(`{target: ` + long + `, value: {const: 1}}`),
		with(`{target: [a], value: {const: 1}}`), with(`{target: a, value: 1}`), with(`{target: a, value: {}}`), with(`{target: a, value: {const: 1, expr: note}}`),
		with(`{target: a, value: {source: note}}`), with(`{target: a, value: {const: null}}`), with(`{target: a, value: {const: {a: 1}}}`), with(`{target: a, value: {const: [1]}}`),
		with(`{target: a, type: multi, value: {const: [[1]]}}`), with(`{target: a, value: {field: "customer number"}}`), with(`{target: a, value: {field: "a + b"}}`),
		with(`{target: a, value: {expr: ""}}`), with(`{target: a, value: {expr: [note]}}`), with(`{target: a, value: {template: []}}`), with(`{target: a, value: {template: {a: b}}}`),
		with(`{target: a, value: {lookup: {table: {a: b}}}}`), with(`{target: a, value: {lookup: {key: note}}}`), with(`{target: a, value: {lookup: {key: note, table: {}}}}`),
		with(`{target: a, value: {lookup: {key: note, table: [a]}}}`), with(`{target: a, value: {lookup: {key: note, table: {a: null}}}}`), with(`{target: a, value: {lookup: {key: note, table: {a: b}, else: c}}}`),
		with(`{target: a, type: string, value: {const: 1}}`), with(`{target: a, mode: replace, value: {const: 1}}`), with(`{target: a, empty: null, value: {const: 1}}`),
		with(`{target: a, max_length: -1, value: {const: 1}}`), with(`{target: a, max_length: "5", value: {const: 1}}`), with(`{target: a, max_length: 1.5, value: {const: 1}}`),
		with(`{target: a, type: number, max_length: 5, value: {const: 1}}`), with(`{target: a, type: number, mode: append, value: {const: 1}}`),
		with(`{target: a, when: "", value: {const: 1}}`), with(`{target: a, when: [a], value: {const: 1}}`), with(`{target: a, required: true, value: {const: 1}}`),
	} {
		require.Error(t, s.Validate(tree(t, []byte(text))), text)
		// What the schema refuses is refused by callsync too, but for a condition that is empty, which is none.
		if _, err := Parse([]byte(text)); !strings.Contains(text, `when: ""`) {
			require.Error(t, err, text)
		}
	}
}
