package telephony

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMoment(t *testing.T) {
	t.Parallel()
	ist := time.FixedZone("", 19800)
	want := time.Date(2026, 7, 11, 21, 12, 56, 0, ist).UTC()
	const american = "1/2/2006, 3:04:05 PM"
	for _, v := range []any{
		"2026-07-11 21:12:56", "2026-07-11  21:12:56", "2026-07-11\u00a021:12:56", "2026-07-11T21:12:56", "2026-07-11T15:42:56Z",
		"7/11/2026, 9:12:56 PM", "7/11/2026,  9:12:56\u202fPM", json.Number("1783784576"), "1783784576", json.Number("1783784576000"), "1783784576000000",
	} {
		got, ok := Moment(v, ist, american)
		require.True(t, ok, v)
		require.Equal(t, want, got, v)
	}
	got, ok := Moment(json.Number("1783784606.075"), nil)
	require.True(t, ok)
	require.Equal(t, 75*time.Millisecond, got.Sub(time.Unix(1783784606, 0)))
	for _, v := range []any{
		nil, "", "soon", "2026-07-11", "7/11/2026, 9:12:56", "13/11/2026, 9:12:56 PM", "0000-00-00 00:00:00", "17", "-1783784576", "0783784576", "178378457", "1783784576x", ".", "1783784576.1.2", true,
	} {
		_, ok := Moment(v, ist, american)
		require.False(t, ok, v)
	}
	f := NewFields(map[string]any{"a": "7/11/2026, 9:12:56 PM", "b": "never"})
	require.Equal(t, want, f.Moment(ist, []string{american}, "a"))
	require.Zero(t, f.Moment(ist, nil, "b"))
	require.Equal(t, map[string]any{"b": "never"}, f.Rest())
}
