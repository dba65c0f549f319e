package mappings

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/records"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	before := program(t, `{target: same, value: {field: note}}`, `{target: other, value: {field: queue}}`, `{target: gone, value: {const: 1}}`,
		`{target: cleared, empty: clear, value: {field: customer.email}}`, `{target: off, mode: never, value: {const: x}}`)
	after := program(t, `{target: fresh, value: {const: 2}}`, `{target: other, value: {expr: upper(note)}}`, `{target: same, value: {field: note}}`,
		`{target: cleared, value: {field: customer.email}}`, `{target: off, mode: never, value: {const: y}}`)
	in := answeredInbound()
	c := Compare(before, after, in, Update{}, nil)
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
	c = Compare(before, after, in, Update{Base: records.Base{Written: map[string]any{"cleared": "a@b.example"}}}, nil)
	require.Contains(t, c.Before.Payload, "cleared")
	require.Equal(t, RowRemoved, c.Rows[3].Kind)

	require.False(t, Compare(before, before, in, Update{}, nil).Altered)
	broken := program(t, `{target: same, value: {field: note}}`, `{target: n, type: number, value: {field: note}}`)
	c = Compare(broken, before, in, Update{}, nil)
	require.True(t, c.Altered)
	require.Nil(t, c.Before.Payload)
	require.Contains(t, c.Before.Error, "(row 2) does not work for this call")
	c = Compare(nil, after, in, Update{}, nil)
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
		c := Compare(programs[0], programs[1], in, Update{}, nil)
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

// TestOutcomes shows what a preview says of each field of a record that is there.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	p := program(t, `{target: written, value: {const: new}}`, `{target: cleared, empty: clear, value: {field: customer.email}}`,
		`{target: filled, mode: fill_if_empty, value: {const: x}}`, `{target: left, mode: fill_if_empty, value: {const: x}}`,
		`{target: appended, mode: append, value: {const: x}}`, `{target: kept, value: {const: new}}`, `{target: emptied, value: {const: new}}`,
		`{target: unchanged, value: {const: old}}`, `{target: always, mode: always, value: {const: new}}`, `{target: never, mode: never, value: {const: x}}`,
		`{target: skipped, value: {field: customer.email}}`)
	u := Update{Exists: true, Readable: true, Same: func(_ string, a, b any) bool { return SameValue(a, b) }, Base: records.Base{Written: map[string]any{
		"written": "old", "cleared": "a@b.example", "kept": "old", "emptied": "old", "unchanged": "old", "always": "old"}}}
	now := map[string]any{"written": "old", "cleared": "a@b.example", "left": "theirs", "appended": "theirs", "kept": "theirs", "unchanged": "theirs", "always": "theirs"}
	c := Compare(nil, p, answeredInbound(), u, now)
	got := map[string]Outcome{}
	for _, r := range c.Rows {
		got[r.Target] = r.Outcome
		require.Empty(t, r.Was)
	}
	require.Equal(t, map[string]Outcome{"written": "written", "cleared": "cleared", "filled": "filled", "left": "left", "appended": "appended",
		"kept": "kept", "emptied": "kept", "unchanged": "unchanged", "always": "written", "never": "never", "skipped": "skipped"}, got)
	require.Equal(t, map[string]any{"written": "new", "cleared": nil, "filled": "x", "appended": "theirs\n\nx", "always": "new"}, c.After.Sends)
	require.Equal(t, "cleared", c.Rows[6].Cause)

	u.Readable = false
	require.Equal(t, map[string]any{"written": "new", "cleared": nil, "filled": "x", "left": "x", "appended": "x", "kept": "new", "emptied": "new", "always": "new"},
		Compare(nil, p, answeredInbound(), u, nil).After.Sends, "a CRM that cannot be read gets what changed, as it is")
	u.Exists = false
	require.Equal(t, OutcomeWritten, Compare(nil, p, answeredInbound(), u, nil).Rows[2].Outcome)
	require.Equal(t, OutcomeFailed, Compare(nil, program(t, `{target: n, type: number, value: {field: note}}`), answeredInbound(), u, nil).Rows[0].Outcome)
}
