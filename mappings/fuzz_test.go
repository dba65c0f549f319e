package mappings

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tooLong is far above what any input may cost; it only finds runaways, not slow machines.
const tooLong = 10 * time.Second

func FuzzParse(f *testing.F) {
	f.Add([]byte(everyForm))
	f.Add([]byte(`{"format": 1, "object": "call", "fields": [{"target": "a", "value": {"const": "\ud83d\ude00\u0000"}}]}`))
	f.Add([]byte("a: &a [*a, *a]\nfields: [{target: ? x, value: !!binary aGk=}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		doc, err := Parse(data)
		if err == nil {
			for _, write := range []func() ([]byte, error){doc.YAML, doc.JSON} {
				out, err := write()
				require.NoError(t, err)
				again, err := Parse(out)
				require.NoError(t, err, "%s", out)
				require.Equal(t, doc, again)
			}
			p, err := Compile(doc)
			require.NoError(t, err)
			_, _ = p.Apply(answeredInbound())
		}
		require.Less(t, time.Since(start), tooLong)
	})
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		`coalesce(customer.name, "x") + join(map(agents, .name))`, `let a = note; {b: a}["b"] ?? tags[0:1]`, `if stale { 1 } else { nil }`,
		`time_format(started_at, "[x]YYYY", time_zone)`, `note matches "^a" ? millis(1.5) : -talk_seconds % 3`, `find(recordings, .url != nil)?.url | upper()`,
	} {
		f.Add(s, false)
	}
	in := answeredInbound()
	f.Fuzz(func(t *testing.T, source string, condition bool) {
		start := time.Now()
		if e, problems := callWords.compileExpr(source, condition); len(problems) == 0 {
			r := startRun(&in)
			r.budget = workBudget
			_, _ = r.eval(e)
			r.end()
		}
		_, _ = callWords.compileTemplate(source, condition)
		require.Less(t, time.Since(start), tooLong)
	})
}
