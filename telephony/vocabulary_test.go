package telephony

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnknown(t *testing.T) {
	t.Parallel()
	v := NewVocabulary(nil, "id", "legs[].name", "legs[].at", "lead", "circle.operator")
	read := func(body string) *Fields {
		f, err := ReadBody(Request{Body: []byte(body)})
		require.NoError(t, err)
		return f
	}
	paths := func(us []Unknown) string {
		var out []string
		for _, u := range us {
			out = append(out, u.Path+" "+u.Type)
		}
		return strings.Join(out, ", ")
	}
	for body, want := range map[string]string{
		`{"ID ":"1","lead":{"anything":1},"circle":{"Operator":"x"},"legs":[{"name":"a"},{"At":1}]}`: "",
		`{"mood":"fine","n":1,"yes":true,"list":[1],"o":{"a":1}}`:                                    "list list, mood text, n number, o object, yes flag",
		`{"mood":"","n":null,"list":[],"o":{}}`:                                                      "",
		`{"legs":[{"codec":"a"},{"codec":"b","name":"x"},7],"circle":{"state":"y"}}`:                 "circle.state text, legs[].codec text",
		`{"legs":"[{\"codec\":1}]"}`:                                                                 "legs[].codec number",
		`{"legs":{"0":{"codec":"a"},"1":{"name":"b"}}}`:                                              "legs[].codec text",
		`{"legs":{"codec":"a"}}`:                                                                     "legs.codec text",
		`{"919000012345":"x","a@example.com":"x","a1234b":"x","leg 12345 x":1}`:                      "# text, (an address) text, a1234b text, leg # x number",
		`{"` + strings.Repeat("é", 300) + `":1,"a\u0007b":1," ":1}`:                                  "(no name) number, a b number, " + strings.Repeat("é", 50) + " number",
	} {
		require.Equal(t, want, paths(read(body).Unknown(v)), body)
	}
	f := read(`{"mood":"fine","tone":"x"}`)
	f.Text("mood")
	require.Equal(t, "tone text", paths(f.Unknown(v)), "what was read is known")
	inner := NewFields(map[string]any{"operator": "a", "state": "b"})
	require.Equal(t, "circle.state text", paths(inner.UnknownBelow(v, "circle")))
	require.Empty(t, inner.UnknownBelow(v, "nothing"))

	many := map[string]any{}
	for i := range 100_000 {
		many[fmt.Sprintf("k%c%d", 'a'+i%26, i%10_000)] = "x"
	}
	require.LessOrEqual(t, len(NewFields(many).Unknown(v)), mostUnknown)
	require.LessOrEqual(t, len(NewFields(map[string]any{"legs": []any{many, many}}).Unknown(v)), mostUnknown)
}
