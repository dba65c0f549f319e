package connectors_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/connectors"
)

func TestSameField(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 23, 30, 5, 0, time.UTC)
	for _, c := range []struct {
		written, read any
		want          bool
	}{
		{"a\r\nb ", "a\nb", true}, {"a b", "a\u00a0b", true}, {"a\nb", "a b", false}, {"a", "A", false}, {"  ", nil, true}, {"x", nil, false},
		{[]string{"a", "b"}, "b;a", true}, {[]string{"a", "b"}, []any{"b", "a"}, true}, {[]any{"a"}, "a;b", false}, {[]string{}, nil, true}, {"a;b", []any{"b", "a"}, true},
		{at, "2026-11-21", true}, {"2026-11-21T23:30:05Z", "2026-11-21", true}, {at, "2026-11-22", false},
		{"2026-11-21T23:30:05Z", "1795303805000", true}, {"2026-11-21T23:30:05Z", "1795303805001", false}, {at, nil, false},
		{`<b>A</b><br>x &amp; y &#39;z&#39;`, "<b>A</b><br />\nx &amp; y 'z'", true},
		{`<a href="https://x.example/?a=1&amp;b=2">l</a>`, `<A HREF='https://x.example/?a=1&amp;b=2' target="_blank" rel="noopener">l</A>`, true},
		{`<a href="https://x.example">l</a>`, `<a href="https://y.example">l</a>`, false},
		{"<b>A</b>", "<i>A</i>", false}, {"<b>A</b>", "A", false}, {`<p>a</p>`, `<p style="color: red">a</p>`, false},
		{"a &lt; b", "a < b", true}, {"<b>a</b>", "&lt;b&gt;a&lt;/b&gt;", false}, {"1 < 2", "1 < 3", false},
		{int64(3), "3.0", true}, {float64(3), int64(3), true}, {true, "true", true}, {false, nil, false},
	} {
		require.Equal(t, c.want, connectors.SameField(nil, "call", "f", c.written, c.read), "%v %v", c.written, c.read)
	}
}

// A value is the same as itself, also after the database, and comparing never panics.
func TestSameFieldOfAnything(t *testing.T) {
	t.Parallel()
	value := func(t *rapid.T, name string) any {
		switch rapid.IntRange(0, 5).Draw(t, name+" kind") {
		case 0:
			return rapid.String().Draw(t, name)
		case 1:
			return rapid.SampledFrom([]string{"<b", "<a href=x>", "&amp", "&#x;", "<p><br/>a", "2026-11-21", "1e9", ";", "<>"}).Draw(t, name)
		case 2:
			return rapid.Int64Range(-1<<53, 1<<53).Draw(t, name)
		case 3:
			return rapid.SliceOf(rapid.StringMatching(`[a-z;]{0,3}`)).Draw(t, name)
		case 4:
			return time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, name)).UTC()
		}
		return nil
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := value(t, "a"), value(t, "b")
		require.True(t, connectors.SameField(nil, "call", "f", a, a))
		data, err := json.Marshal(a)
		require.NoError(t, err)
		var stored any
		require.NoError(t, json.Unmarshal(data, &stored))
		require.True(t, connectors.SameField(nil, "call", "f", stored, a), "%v", a)
		connectors.SameField(nil, "call", "f", a, b)
	})
}
