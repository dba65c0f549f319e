package mappings

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/call"
)

// huge is a call as large as a hostile phone system can make it.
func huge() Input {
	in := answeredInbound()
	in.Call.Note = strings.Repeat("<n&\U0001F600>", 1<<20)
	in.Call.Transcription.Text = strings.Repeat("word ", 4<<20)
	in.Call.Tags = nil
	for range 200_000 {
		in.Call.Tags = append(in.Call.Tags, "tag")
	}
	in.Call.Agents = make([]call.Agent, 100_000)
	return in
}

func TestRunawayExpressionsAreStopped(t *testing.T) {
	t.Parallel()
	in := huge()
	for _, source := range []string{
		`let a = note + note; let b = a + a; let c = b + b; let d = c + c; let e = d + d; e + e + e + e + e + e + e`,
		`join(map(tags, note))`,
		`filter(tags, note contains "zzz")`,
		`filter(tags, note matches "(a*)*b(x|y|z)*$")`,
		`transcription.text matches "(\\pL?){300}[0-9]$"`,
		`map(tags, upper(transcription.text))`,
		`replace(note, "<", note)`,
		`lines(map(agents, note))`,
		`map(tags, phone_national("+14155550101"))`,
		`join(map(tags, replace(note[0:20000], "n", note[0:20000])))`,
		`let a = map(tags, note[0:9000]); let b = join(a); b + b + b`,
		`join(map(tags, lookup(transcription.text, {a: 1, b: 2})))`,
		`filter(agents, pairs({a: note, b: note}) == nil)`,
		`map(tags, split(note, "<"))`,
		`map(tags, note[0:500000] matches "(x+x+)+y$")`,
	} {
		start := time.Now()
		_, err := evaluate(t, source, in)
		require.ErrorIs(t, err, errTooMuch, source)
		require.Less(t, time.Since(start), 5*time.Second, source)
	}
	// Honest work on the same call is done.
	for _, source := range []string{
		`truncate(note, 100)`, `len(tags)`, `count(tags, # == "tag")`, `join(tags[0:10])`, `note contains "zzz"`, `escape_html(truncate(note, 10000))`,
	} {
		_, err := evaluate(t, source, in)
		require.NoError(t, err, source)
	}
}

func TestHugeTextsAreCut(t *testing.T) {
	t.Parallel()
	p := program(t, `{target: x, type: html, max_length: 1000, value: {template: "<p>{{ note }}</p>"}}`, `{target: y, max_length: 11, value: {field: note}}`)
	res, err := p.Apply(huge())
	require.NoError(t, err)
	require.Len(t, res.Warnings, 2)
	x := res.Fields["x"].(string)
	require.LessOrEqual(t, utf16Length(x), 1000)
	require.True(t, strings.HasPrefix(x, "<p>&lt;n&amp;"))
	require.Regexp(t, `(;|n|\x{1F600})…$`, x, "an entity must not be cut")
	require.Equal(t, "<n&\U0001F600><n&…", res.Fields["y"])
}

func utf16Length(s string) int {
	n := 0
	for _, c := range s {
		n++
		if c >= 0x10000 {
			n++
		}
	}
	return n
}

func TestShortenProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		limit := rapid.IntRange(1, 50).Draw(t, "limit")
		out, was := shorten(s, limit, rapid.Bool().Draw(t, "html"))
		if utf16Length(out) > limit {
			t.Fatalf("%q is longer than %d", out, limit)
		}
		if (utf16Length(s) <= limit) != (out == s) {
			t.Fatalf("%q was cut to %q by limit %d", s, out, limit)
		}
		if out != s && was != utf16Length(s) {
			t.Fatalf("%q was said to be %d long", s, was)
		}
		if out != s && !strings.HasPrefix(s, strings.TrimSuffix(out, "…")) {
			t.Fatalf("%q is no beginning of %q", out, s)
		}
	})
}

func TestHTMLIsNotCutInsideTagsAndEntities(t *testing.T) {
	t.Parallel()
	s := `a&amp;b<br>c&#39;<a href="https://a.example">d</a> & e`
	for limit := 1; limit < len(s); limit++ {
		out, _ := shorten(s, limit, true)
		require.NotRegexp(t, `&[^; ]*…$|<[^>]*…$`, out)
	}
}

func TestWholeNumbersDoNotWrap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Int(), rapid.IntRange(-10, 10), rapid.SampledFrom([]int{math.MaxInt, math.MinInt}))
		i, j := number.Draw(t, "i"), number.Draw(t, "j")
		for _, op := range []byte("+-*/%") {
			if j == 0 && (op == '/' || op == '%') {
				continue
			}
			n, ok := wholes(i, j, op)
			if !ok {
				continue
			}
			x, y, want := big.NewInt(int64(i)), big.NewInt(int64(j)), new(big.Int)
			switch op {
			case '+':
				want.Add(x, y)
			case '-':
				want.Sub(x, y)
			case '*':
				want.Mul(x, y)
			case '/':
				want.Quo(x, y)
			case '%':
				want.Rem(x, y)
			}
			if want.Cmp(big.NewInt(int64(n))) != 0 {
				t.Fatalf("%d %c %d gave %d, not %s", i, op, j, n, want)
			}
		}
	})
}

// drawCall makes any call; most members are there half of the time.
func drawCall(t *rapid.T) Input {
	text := rapid.OneOf(rapid.Just(""), rapid.String(), rapid.SampledFrom([]string{"<b>", "{{ note }}", "+14155550101", "a\x00b", "\xff\xfe"}))
	seconds := rapid.Custom(func(t *rapid.T) *int64 {
		if rapid.Bool().Draw(t, "absent") {
			return nil
		}
		return ptr(rapid.Int64().Draw(t, "seconds"))
	})
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-1<<33, 1<<33).Draw(t, "at"), 0)
	})
	in := Input{OwnerID: text.Draw(t, "owner"), RecordingURL: text.Draw(t, "recording url"), Dispositions: []Option{{"1", "Sold"}, {"2", "Lost"}}}
	c := &in.Call
	c.Direction = call.Direction(rapid.SampledFrom(append(directions, "")).Draw(t, "direction"))
	c.Status = call.Status(rapid.SampledFrom(append(statuses, "")).Draw(t, "status"))
	c.Customer = call.Party{Number: text.Draw(t, "number"), Name: text.Draw(t, "name"), City: text.Draw(t, "city")}
	c.BusinessNumber, c.Note, c.Queue = text.Draw(t, "business"), text.Draw(t, "note"), text.Draw(t, "queue")
	c.Tags = rapid.SliceOf(text).Draw(t, "tags")
	c.DurationSeconds, c.TalkSeconds = seconds.Draw(t, "duration"), seconds.Draw(t, "talk")
	c.StartedAt, c.EndedAt = moment.Draw(t, "start"), moment.Draw(t, "end")
	c.Disposition = call.Disposition{Value: text.Draw(t, "disposition"), SubValue: text.Draw(t, "sub")}
	c.Transcription.Text = text.Draw(t, "transcription")
	for range rapid.IntRange(0, 3).Draw(t, "agents") {
		c.Agents = append(c.Agents, call.Agent{Name: text.Draw(t, "agent"), Status: call.AgentStatus(rapid.SampledFrom(agentStatuses).Draw(t, "agent status"))})
	}
	for range rapid.IntRange(0, 2).Draw(t, "recordings") {
		c.Recordings = append(c.Recordings, call.Recording{URL: text.Draw(t, "recording")})
	}
	c.Attributes = map[string]any{"plan": text.Draw(t, "plan"), "n": rapid.Float64().Draw(t, "n"), "list": []any{text.Draw(t, "item"), nil, map[string]any{}}}
	return in
}

func TestApplyIsDeterministicAndThePreviewIsTheDelivery(t *testing.T) {
	t.Parallel()
	p := program(t,
		`{target: a, value: {template: "{{ customer.name }} {{ join(tags) }} {{ attributes.plan }}"}}`,
		`{target: b, type: html, max_length: 40, value: {template: ["<b>{{ note }}</b>", '<a href="{{ recordings[0].url }}">x</a>', "{{ lines(tags) }}"]}}`,
		`{target: c, type: number, empty: clear, value: {expr: "millis(talk_seconds ?? duration_seconds)"}}`,
		`{target: d, type: datetime, mode: fill_if_empty, value: {field: started_at}}`,
		`{target: e, type: multi, mode: append, when: len(tags) > 1, value: {field: tags}}`,
		`{target: f, type: picklist, empty: clear, value: {field: disposition_id}}`,
		`{target: g, mode: never, value: {expr: 'time_format(ended_at, "dddd D MMMM YYYY HH:mm", attributes.plan)'}}`,
		`{target: h, value: {expr: "attributes.list"}}`,
		`{target: i, type: number, value: {expr: talk_seconds * attributes.n}}`,
		`{target: j, value: {lookup: {key: status, table: {answered: yes}, default: "no"}}}`,
		`{target: k, value: {expr: "phone_national(customer.number) + first_name(agent.name)"}}`,
	)
	rapid.Check(t, func(t *rapid.T) {
		in := drawCall(t)
		first, err1 := p.Apply(in)
		again, err2 := p.Apply(in)
		require.Equal(t, first, again)
		require.Equal(t, err1 == nil, err2 == nil)

		fields := map[string]any{}
		modes := map[string]Mode{}
		var warnings []Warning
		failed := false
		rows, explained, err3 := p.Explain(in)
		require.Equal(t, first, explained)
		require.Equal(t, err1, err3)
		for _, e := range rows {
			require.LessOrEqual(t, len(e.Steps), maxSteps+1)
			for _, w := range e.Warnings {
				warnings = append(warnings, Warning{e.Target, w})
			}
			failed = failed || e.Error != ""
			if e.Error == "" && e.Skipped == "" {
				fields[e.Target], modes[e.Target] = e.Result, e.Mode
			}
		}
		require.Equal(t, first, Result{fields, modes, warnings})
		require.Equal(t, err1 != nil, failed)
		for target, v := range first.Fields {
			switch v := v.(type) {
			case nil, bool, int64, float64, []string:
			case string:
				require.NotContains(t, v, "\x00")
			case time.Time:
				require.Equal(t, time.UTC, v.Location())
			default:
				t.Fatalf("%s is a %T", target, v)
			}
		}
		if b, ok := first.Fields["b"].(string); ok {
			for _, tag := range []string{"<b>", "</b>", "<br>", `<a href="http`, "</a>", ">x"} {
				b = strings.ReplaceAll(b, tag, "")
			}
			require.NotContains(t, strings.ReplaceAll(b, `<a href="">`, ""), "<script")
		}
	})
}
