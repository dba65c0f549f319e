package mappings

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	before := program(t, `{target: same, value: {field: note}}`, `{target: other, value: {field: queue}}`, `{target: gone, value: {const: 1}}`,
		`{target: cleared, empty: clear, value: {field: customer.email}}`, `{target: off, mode: never, value: {const: x}}`)
	after := program(t, `{target: fresh, value: {const: 2}}`, `{target: other, value: {expr: upper(note)}}`, `{target: same, value: {field: note}}`,
		`{target: cleared, value: {field: customer.email}}`, `{target: off, mode: never, value: {const: y}}`)
	in := answeredInbound()
	c := Compare(before, after, in, nil)
	kinds := map[string]string{}
	var order []string
	for _, r := range c.Rows {
		kinds[r.Target], order = r.Kind, append(order, r.Target)
	}
	require.Equal(t, map[string]string{"same": RowSame, "other": RowChanged, "gone": RowRemoved, "fresh": RowAdded, "cleared": RowSame, "off": RowSame}, kinds)
	require.Equal(t, []string{"fresh", "other", "same", "cleared", "off", "gone"}, order)
	require.True(t, c.Altered)
	require.NotContains(t, c.Before.Payload, "cleared", "there is nothing to clear in a record that is not there")
	require.Equal(t, "Sales", c.Rows[1].Before.Result)

	// What callsync had filled is cleared, and by the new document no more.
	c = Compare(before, after, in, map[string]any{"cleared": "a@b.example"})
	require.Contains(t, c.Before.Payload, "cleared")
	require.Equal(t, RowRemoved, c.Rows[3].Kind)

	require.False(t, Compare(before, before, in, nil).Altered)
	broken := program(t, `{target: same, value: {field: note}}`, `{target: n, type: number, value: {field: note}}`)
	c = Compare(broken, before, in, nil)
	require.True(t, c.Altered)
	require.Nil(t, c.Before.Payload)
	require.Contains(t, c.Before.Error, "(row 2) does not work for this call")
	c = Compare(nil, after, in, nil)
	require.True(t, c.Altered)
	require.Nil(t, c.Before.Payload)
}

// Whatever the call and the two documents, the preview's payloads are what Apply gives for a fresh record, and it calls the
// call altered if and only if they differ.
func TestCompareIsWhatApplyDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := drawCall(t)
		var programs []*Program
		for _, label := range []string{"before", "after"} {
			doc := drawDocument(t, label)
			p, err := Compile(doc)
			if err != nil {
				t.Skip("not a document")
			}
			programs = append(programs, p)
		}
		c := Compare(programs[0], programs[1], in, nil)
		payloads := make([]map[string]any, 2)
		for i, side := range []Side{c.Before, c.After} {
			res, err := programs[i].Apply(in)
			require.Equal(t, err != nil, side.Error != "")
			if err == nil {
				payloads[i] = Fresh(res.Fields, nil)
			}
			require.Equal(t, payloads[i], side.Payload)
			require.Equal(t, res.Warnings, side.Warnings)
		}
		differ := (payloads[0] == nil) != (payloads[1] == nil) || !SameValue(payloads[0], payloads[1])
		require.Equal(t, differ, c.Altered)
	})
}
