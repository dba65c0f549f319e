package mappings_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/mappings"
)

func TestPairs(t *testing.T) {
	t.Parallel()
	d, err := mappings.Parse([]byte("format: 1\nobject: call\nfields:\n" +
		"  - {target: html, type: html, value: {template: '{{ lines(pairs(lead_fields)) }}'}}\n" +
		"  - {target: text, value: {expr: 'lines(pairs(lead_fields))'}}\n"))
	require.NoError(t, err)
	p, err := mappings.Compile(d)
	require.NoError(t, err)
	apply := func(fields map[string]any) map[string]any {
		var c call.Call
		c.LeadFields = fields
		r, err := p.Apply(mappings.Input{Call: c})
		require.NoError(t, err)
		return r.Fields
	}
	got := apply(map[string]any{"b<": "<1>", "a": 2.0, "empty": "", "list": []any{"x", "y"}, "group": map[string]any{"x": 1}})
	require.Equal(t, "a: 2<br>b&lt;: &lt;1&gt;<br>list: x, y", got["html"])
	require.Equal(t, "a: 2\nb<: <1>\nlist: x, y", got["text"])
	require.Empty(t, apply(nil))
}
