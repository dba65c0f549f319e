package mappings

import (
	"errors"
	"strings"
	"testing"

	"github.com/expr-lang/expr/vm"
	"github.com/stretchr/testify/require"
)

// byEngine runs source as the engine of expr-lang/expr would: the patched tree, compiled to its own instructions. It is
// what our own evaluation is measured against.
func byEngine(t testing.TB, source string, in Input) (out any, err error) {
	t.Helper()
	_, options := callWords.options()
	prog, err := safeCompile(source, options...)
	require.NoError(t, err, source)
	r := startRun(&in)
	defer r.end()
	r.budget = workBudget
	machine := vm.VM{MemoryBudget: 1_000_000}
	out, err = machine.Run(prog, map[string]any{runVar: r})
	if err == nil {
		return normal(out), nil
	}
	if ve, ok := errors.AsType[valueError](err); ok {
		return nil, ve
	}
	return nil, errEngine
}

// errEngine is a fault of the engine's own, which says nothing of what is right.
var errEngine = errors.New("the engine failed")

// agrees checks that our evaluation of source gives what the engine's does. Where the engine has no answer, or takes the
// object left or right of ?? apart, ours only must not fail in strange ways.
func agrees(t testing.TB, source string, in Input) {
	t.Helper()
	e, problems := callWords.compileExpr(source, false)
	if len(problems) > 0 {
		return // The checker refuses it, which the engine was not asked to.
	}
	r := startRun(&in)
	defer r.end()
	r.budget = workBudget
	got, err := r.eval(e)
	want, wantErr := byEngine(t, source, in)
	switch {
	case errors.Is(wantErr, errEngine), errors.Is(wantErr, errTooMuch), errors.Is(err, errTooMuch), strings.Contains(source, "??"):
	case e.path != nil:
		require.NoError(t, err, source)
		require.Equal(t, want, got, source)
	default:
		require.Equal(t, wantErr, err, source)
		require.Equal(t, want, got, source)
	}
}

func TestEvaluationIsTheEngines(t *testing.T) {
	t.Parallel()
	in := answeredInbound()
	for _, source := range []string{
		`nil`, `1`, `1.5`, `"a"`, `true`, `[]`, `[1, nil, "a", [2]]`, `{}`, `{a: 1, "b c": note, a: 2}`, `{a: 1, a: 2}.a`, `{(note): 1}`, `{(talk_seconds): 1}`,
		`let a = 1; let b = a + 1; [a, b]`, `let a = (let b = 2; b * 2); let c = 3; a + c`, `let a = map(tags, let b = #; b + b); a`, `1; note; 2`,
		`not true`, `true and nil`, `nil or true`, `false or customer.email`, `note and true`, `not note`,
		`first_call ? note : queue`, `customer.email ? 1 : 2`, `note ? 1 : 2`, `if stale { 1 } else { 2 }`,
		`all(tags, # != "x")`, `all(tags, # == "vip")`, `all([], false)`, `any(tags, # == "vip")`, `any([], true)`, `none(tags, # == "vip")`, `none(tags, false)`,
		`one(tags, # == "vip")`, `one(tags, true)`, `filter(tags, # startsWith "q")`, `filter(tags, nil)`, `filter([], true)`, `map(tags, upper(#))`, `map([], #)`,
		`map(agents, .name)`, `find(agents, .status == "answered").name`, `find(agents, .status == "dialed")`, `find(agents, .status == "dialed").name`,
		`count(agents, .status == "missed")`, `count([true, false, true])`, `count([true, nil])`, `count(tags)`, `all(tags, #)`, `any(tags, talk_seconds)`,
		`map(filter(agents, .talk_seconds > 1), .name)`, `map(map(tags, # + "!"), # + "?")`, `[any(tags, true), all(tags, # == note), count(agents, true)]`,
		`map(attributes.list, #)`, `filter(attributes, true)`, `map(note, #)`, `count(agents, .name matches "A")`, `agents[0].name + agents[-1].name`, `tags[0:1]`, `tags[5]`,
		`note[0:4]`, `-talk_seconds`, `+talk_seconds`, `note * 2`, `note > 1`, `"vip" in tags`, `"vip" not in tags`, `1 in [1, 2]`, `"plan" in attributes`, `note not contains "x"`,
		`lookup(direction, {inbound: "In", outbound: "Out"})`, `lookup(direction, {inbound: note})`, `len({a: 1})`, `pairs({a: 1, b: note})`, `millis(talk_seconds)`,
		`round(note)`, `number(note)`, `talk_seconds == 213 and status == "answered" or note contains "zzz" and not first_call`, `value.amount`, `agent`, `customer`,
		`attributes?.plan`, `attributes?.missing?.x`, `9223372036854775807 + 1`, `1e308 * 10`, `1 / 0`, `5 % 0`, `note matches "^C"`, `started_at < ended_at`, `started_at == started_at`,
	} {
		agrees(t, source, in)
	}
}

// A walk's item, a let's variable and an argument of one expression are gone in the next, also after an error.
func TestEvaluationLeavesNothing(t *testing.T) {
	t.Parallel()
	in := answeredInbound()
	r := startRun(&in)
	r.budget = workBudget
	for range 3 {
		for source, fails := range map[string]bool{`map(tags, let a = note; [a, number(#)])`: true, `join([note, upper(note * 2)])`: true, `let a = 1; let b = 2; a + b`: false} {
			e, problems := callWords.compileExpr(source, false)
			require.Empty(t, problems)
			_, err := r.eval(e)
			require.Equal(t, fails, err != nil, source)
		}
	}
	stack, variables, scratch := r.stack[:cap(r.stack)], r.variables[:cap(r.variables)], append(r.scratch, "a name"...)
	r.scratch = scratch
	r.end()
	for _, v := range append(append([]any{}, stack...), variables...) {
		require.Nil(t, v)
	}
	require.Equal(t, strings.Repeat("\x00", len(scratch)), string(scratch))
	require.Nil(t, r.item)
}

// Lists and groups cost work by their size, so that expressions cannot pile them up.
func TestLiteralsCostWork(t *testing.T) {
	t.Parallel()
	in := answeredInbound()
	for _, source := range []string{`[note, note, note]`, `{a: note, b: note, c: note}`} {
		e, problems := callWords.compileExpr(source, false)
		require.Empty(t, problems, source)
		r := startRun(&in)
		const all = 3*opCost + (1+3)*opCost // the fields, and what holds them
		r.budget = all
		_, err := r.eval(e)
		require.NoError(t, err, source)
		r.budget = all - 1
		_, err = r.eval(e)
		require.ErrorIs(t, err, errTooMuch, source)
		r.end()
	}
}

// An object that ?? chooses has its members.
func TestObjectsAreChosen(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]any{
		`(agents[7] ?? agents[1]).name`: "Ann Agent", `(agents[0] ?? agents[1]).name`: "Bob Busy", `customer.email ?? [] ?? 1`: []any{}, `split("", ",") ?? "none"`: "none",
	} {
		got, err := evaluate(t, source, answeredInbound())
		require.NoError(t, err, source)
		require.Equal(t, want, got, source)
	}
}
