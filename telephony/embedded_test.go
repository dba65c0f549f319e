package telephony

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEmbedded(t *testing.T) {
	t.Parallel()
	object := map[string]any{"operator": "Idea", "n": json.Number("1.50")}
	for name, s := range map[string]string{
		"object":             `{"operator":"Idea","n":1.50}`,
		"with space":         " {\"operator\" : \"Idea \",\n\"n\":1.50} ",
		"as JSON text":       `"{\"operator\":\"Idea\",\"n\":1.50}"`,
		"escaped":            `{\"operator\":\"Idea\",\"n\":1.50}`,
		"escaped for HTML":   `{&quot;operator&quot;:&quot;Idea&quot;,&quot;n&quot;:1.50}`,
		"twice as JSON text": `"\"{\\\"operator\\\":\\\"Idea\\\",\\\"n\\\":1.50}\""`,
	} {
		require.Equal(t, any(object), Embedded(s), name)
	}
	require.Equal(t, []any{"a"}, Embedded(`["a"]`))
	require.Equal(t, []any{}, Embedded(`[]`))
	for _, v := range []any{
		"", " ", "plain", `"quoted"`, `{"a":`, `{} {}`, `[Sales]`, `{{name}}`, nil, json.Number("1"), true, strings.Repeat("[", 1000), strings.Repeat(`"`, 1000),
	} {
		require.Equal(t, v, Embedded(v), "what holds no JSON stays")
	}
}
