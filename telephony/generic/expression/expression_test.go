package expression

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var testLanguage = NewLanguage(
	Function{Name: "upper", Signature: "(text)", Min: 1, Max: 1, Call: func(_ *Run, a []any) (any, error) { s, _ := Text(a[0]); return strings.ToUpper(s), nil }},
	Function{Name: "empty", Signature: "(value)", Min: 1, Max: 1, Nil: true, Tests: true, Call: func(_ *Run, a []any) (any, error) { return a[0] == nil, nil }},
	Function{Name: "moment", Signature: "(text)", Min: 1, Max: 1, Call: func(_ *Run, a []any) (any, error) { return time.Parse(time.RFC3339, a[0].(string)) }},
	Function{Name: "panics", Signature: "(value)", Min: 1, Max: 1, Call: func(*Run, []any) (any, error) { panic("SECRET") }},
	Function{Name: "status", Signature: "(value, ...)", Min: 1, Max: -1, Call: func(_ *Run, a []any) (any, error) { return a[0], nil }},
)

func newRun(fields map[string]any) *Run {
	return NewRun(func(name string) any { return fields[name] }, func(s string) any {
		var v any
		if json.Unmarshal([]byte(s), &v) != nil {
			return s
		}
		return v
	})
}

func sample() map[string]any {
	return map[string]any{
		"n": json.Number("7"), "text": "7", "half": json.Number("1.5"), "long": json.Number("98765432109876543210"), "word": "No Answer", "blank": " ", "null": "null",
		"yes": "true", "on": true, "status": "busy", "map": "field", "count": json.Number("3"),
		"obj":  map[string]any{"Call ID": "x1", "in": json.Number("1"), "list": []any{"a", nil, "b"}},
		"legs": []any{map[string]any{"ext": "1", "ok": true}, map[string]any{"ext": "2", "ok": "no"}, map[string]any{"ext": "3"}},
		"json": `{"a":{"b":[1,2]}}`, "huge": strings.Repeat("x", 1<<20),
	}
}

func TestEval(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]any{
		`n`: json.Number("7"), `long`: json.Number("98765432109876543210"), `nothing`: nil, `blank`: nil, `null`: nil, `nothing.at.all[3]`: nil,
		`obj["call id"]`: "x1", `obj.in`: json.Number("1"), `obj.list[0]`: "a", `obj.list[-1]`: "b", `obj?.list[9]`: nil, `legs[1].EXT`: "2",
		`json.a.b[1]`: float64(2), `json["a"]`: map[string]any{"b": []any{1.0, 2.0}},
		// Names of functions and of walks are names of fields, too.
		`status`: "busy", `status(status)`: "busy", `map`: "field", `count + 1`: int64(4),
		`n + 1`: int64(8), `text + 1`: "71", `n - text`: int64(0), `n / 2`: 3.5, `n / 0`: nil, `n % 4`: int64(3), `half * 2`: int64(3), `-n`: int64(-7), `+n`: json.Number("7"),
		`"a " + word`: "a No Answer", `nothing + 1`: nil, `1e300 * n`: 7e300, `9007199254740993 + 0`: 9007199254740992.0,
		`n == 7`: true, `n == "7"`: true, `text == 7`: true, `"07" == text`: false, `"07" == n`: true, `long == 98765432109876543211`: nil, `nothing == nil`: true, `n != nil`: true,
		`on == "yes"`: true, `yes == true`: true, `legs == legs`: false, `nothing != 1`: true,
		`n > 6.5`: true, `text > "10"`: false, `nothing > 1`: false, `word < "Z"`: true,
		`n in [1, "7"]`: true, `"a" in obj.list`: true, `"IN" in obj`: true, `"Ans" in word`: true, `nothing in [nil]`: false, `n not in [1]`: true,
		`word contains "Ans"`: true, `word startsWith "No"`: true, `word endsWith "x"`: false, `word matches "(?i)^no.answer$"`: true, `nothing matches "a"`: false, `n matches "^7$"`: true,
		`yes and on`: true, `nothing or yes`: true, `not nothing`: true, `!yes`: false, `yes ? "a" : "b"`: "a", `nothing ? "a" : "b"`: "b", `nothing ?? n`: json.Number("7"),
		`filter(legs, .ok)[0].ext`: "1", `map(legs, .ext)`: []any{"1", "2", "3"}, `map(legs, .none)`: nil, `find(legs, .ext == 2).ext`: "2", `find(legs, false)`: nil,
		`count(legs, .ok)`: int64(1), `any(legs, .ext == 3)`: true, `all(legs, .ext > 0)`: true, `none(legs, .ok)`: false, `one(legs, .ok)`: true, `count(nothing)`: int64(0), `all(nothing, false)`: true,
		`map(word, upper(#))`: []any{"NO ANSWER"}, `map(legs, ({"x": .ext}))[1].x`: "2", `any(legs, any(obj.list, # == "b"))`: true,
		`word | upper()`: "NO ANSWER", `upper(nothing)`: nil, `empty(nothing)`: true, `let a = n; let b = a + 1; a + b`: int64(15), `map(legs, let e = .ext; e + n)[0]`: "17",
		`word[0:2]`: "No", `word[-6:]`: "Answer", `word[5:2]`: nil, `legs[1:]`: []any{sample()["legs"].([]any)[1], sample()["legs"].([]any)[2]}, `nothing[1:]`: nil, `word[:99]`: "No Answer",
		`[1, nothing]`: []any{int64(1), nil}, `{"a": n, b: 2}.b`: int64(2), `moment("2026-03-01T10:00:00Z") - 3600 == moment("2026-03-01T09:00:00Z")`: true,
		`moment("2026-03-01T10:00:00Z") - moment("2026-03-01T09:00:00Z")`: int64(3600), `moment("2026-03-01T10:00:00Z") > moment("2026-03-01T09:00:00Z")`: true,
	} {
		p, problems := testLanguage.Compile(source)
		if want == nil && strings.Contains(source, "98765432109876543211") {
			// The parser has no such number.
			require.NotEmpty(t, problems)
			continue
		}
		require.Empty(t, problems, source)
		got, err := newRun(sample()).Eval(p)
		require.NoError(t, err, source)
		require.Equal(t, want, got, source)
	}
}

func TestLongNumbersThatDifferAreNotEqual(t *testing.T) {
	t.Parallel()
	require.False(t, equal(json.Number("9007199254740993"), json.Number("9007199254740992")))
	require.False(t, equal(json.Number("98765432109876543210"), "98765432109876543211"))
	require.True(t, equal(json.Number("1.50"), "1.5"))
}

func TestEvalErrors(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`legs > 1`: "kinds", `word * 2`: "numbers", `word ? 1 : 2`: "neither", `obj + "a"`: "single values", `filter(legs, .ext)`: "neither",
		`word[text:word]`: "whole numbers", `obj[0:1]`: "beginning", `{(legs): 1}`: "no text", `moment("2026-03-01T09:00:00Z") + 1e15`: "seconds", `1e300 * 1e300`: "too large",
		`panics(n)`: "panicked: string",
	} {
		p, problems := testLanguage.Compile(source)
		require.Empty(t, problems, source)
		_, err := newRun(sample()).Eval(p)
		require.ErrorContains(t, err, want, source)
		require.NotContains(t, err.Error(), "SECRET")
		require.NotContains(t, err.Error(), "No Answer")
	}
}

func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		`huge + huge + huge + huge + huge + huge + huge + huge + huge + huge`,
		`let a = huge + huge; let b = a + a; let c = b + b; c + c`,
		`huge matches "(x?){200}$"`,
		`map(legs, map(legs, huge + huge + huge))`,
	} {
		p, problems := testLanguage.Compile(source)
		require.Empty(t, problems, source)
		_, err := newRun(sample()).Eval(p)
		require.ErrorIs(t, err, ErrTooMuch, source)
	}
	r := newRun(sample())
	p, _ := testLanguage.Compile(`huge + "a"`)
	var err error
	for range 20 {
		if _, err = r.Eval(p); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, ErrTooMuch, "the budget is the whole run's")
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]Problem{
		``:                          {0, "The expression is empty.", ""},
		`a +`:                       {2, "The expression ends too early.", ""},
		`a b`:                       {2, "The expression cannot go on like this here.", ""},
		`"SECRET" "SECRET"`:         {9, "The expression cannot go on like this here.", ""},
		`"SECRET`:                   {7, "A text has no closing quote.", ""},
		`uper(a)`:                   {0, "There is no function uper.", "upper"},
		`len(a)`:                    {0, "There is no function len.", ""},
		`now()`:                     {0, "There is no function now.", ""},
		`é + upper()`:               {4, "upper takes other values: upper(text).", ""},
		`a.b()`:                     {2, "Only functions of the reference can be called.", ""},
		`$env`:                      {0, "There is no field $env.", ""},
		`1..9`:                      {1, "The operator .. is not part of the language.", ""},
		`2 ** 3`:                    {2, "The operator ** is not part of the language.", ""},
		`a matches b`:               {2, "The pattern of matches must be a fixed text.", ""},
		`a matches "("`:             {0, "", ""},
		`a matches "a{1000}{1000}"`: {0, "", ""},
		`map(a, #index)`:            {7, "There is no #index; # is the item.", ""},
		`sum(a)`:                    {0, "There is no function sum.", ""},
		`reduce(a, #acc + #)`:       {0, "There is no function reduce.", ""},
		`1; 2`:                      {0, "This is not part of the language.", ""},
		`let a = 1; let a = 2; a`:   {15, "a is taken; give the variable another name.", ""},
		`map(a, {"x": .y})`:         {11, `The expression cannot go on like this here. A group in a walk stands in parentheses: map(list, ({"name": .name})).`, ""},
		"a\xff":                     {0, "The expression is not valid UTF-8.", ""},
	} {
		p, problems := testLanguage.Compile(source)
		require.Nil(t, p, source)
		require.NotEmpty(t, problems, source)
		require.NotContains(t, problems[0].Text, "SECRET")
		if want.Text != "" {
			require.Equal(t, want, problems[0], source)
		}
	}
	_, problems := testLanguage.Compile(strings.Repeat("a+", 300) + "a")
	require.Contains(t, problems[0].Text, "more than 500 parts")
	_, problems = testLanguage.Compile(strings.Repeat("a", 5000))
	require.Contains(t, problems[0].Text, "5000 characters")
	_, problems = testLanguage.Compile(strings.Repeat("(", 3000))
	require.NotEmpty(t, problems)
	_, problems = testLanguage.Compile(`foo(1) + bar(2)`)
	require.Len(t, problems, 2, "all at once")
}

func TestReads(t *testing.T) {
	t.Parallel()
	for source, want := range map[string][]Path{
		`a.b[0].c`: {{"a", "b", 0, "c"}}, `a["b c"]`: {{"a", "b c"}}, `a == 1 ? b : c`: {{"b"}, {"c"}}, `upper(a) + b`: {{"a"}, {"b"}}, `a ?? b`: {{"a"}, {"b"}},
		`a[b]`: {{"a"}}, `not a`: nil, `empty(a)`: nil, `map(a, .b)`: nil, `filter(a, b)`: nil, `let x = a; x.b + c`: {{"a"}, {"c"}}, `a[1:2]`: {{"a"}}, `[a, {"x": b}]`: {{"a"}, {"b"}},
	} {
		p, problems := testLanguage.Compile(source)
		require.Empty(t, problems, source)
		require.Equal(t, want, p.Reads(), source)
	}
}

func FuzzCompile(f *testing.F) {
	for _, source := range []string{`a.b[0] + 1`, `map(legs, ({"x": .ext}))`, `let a = 1; a`, `word matches "a+"`, `-n % 0 ?? {"a": [1]}[obj]`, `word[1:-1] | upper()`, `not (a in [1]) ? nil : 1.5e3`} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		p, problems := testLanguage.Compile(source)
		if p == nil {
			require.NotEmpty(t, problems)
			return
		}
		fields := sample()
		first, err := newRun(fields).Eval(p)
		again, err2 := newRun(fields).Eval(p)
		require.Equal(t, err, err2)
		require.Equal(t, first, again)
		require.Equal(t, sample(), fields, "an expression changes nothing")
	})
}
