package doctree_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/callsync/callsync/internal/doctree"
)

// Both forms give the same tree, with the lines people see.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a: 1\nb:\n  - x\n  - true\n  - null\n", "{\"a\": 1,\n\"b\": [\n \"x\",\n true, null]}"} {
		root, err := doctree.Parse([]byte(text))
		require.NoError(t, err)
		require.Equal(t, yaml.MappingNode, root.Kind)
		require.Equal(t, "!!int", root.Content[1].Tag)
		list := root.Content[3]
		require.Equal(t, yaml.SequenceNode, list.Kind)
		require.Len(t, list.Content, 3)
		require.Equal(t, []string{"!!str", "!!bool", "!!null"}, []string{list.Content[0].Tag, list.Content[1].Tag, list.Content[2].Tag})
		require.Equal(t, 3, list.Content[0].Line)
	}
}

// An escape that JSON knows and YAML reads otherwise.
func TestParseJSONEscapes(t *testing.T) {
	t.Parallel()
	root, err := doctree.Parse([]byte(`{"a": "\ud83d\ude00\/"}`))
	require.NoError(t, err)
	require.Equal(t, "😀/", root.Content[1].Value)
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"": "it is empty", "# nothing": "it is empty", "a: 1\n---\nb: 2": "it holds more than one document", "a: [": "did not find",
		`{"a":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + "}": "it is nested too deeply",
	} {
		_, err := doctree.Parse([]byte(text))
		require.ErrorContains(t, err, says, text)
	}
}
