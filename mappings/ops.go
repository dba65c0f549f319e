package mappings

import (
	"encoding/json"
	"math"
	"math/bits"
	"regexp"
	"strings"
	"time"

	"github.com/callsync/callsync/internal/exprkit"
)

// operators are what the patched expression calls instead of the engine's own operators. Absent values never fail: they
// make calculations absent and comparisons false.
var operators = map[string]func(args ...any) (any, error){
	"$field": func(a ...any) (any, error) {
		r := a[0].(*run)
		return r.load(a[1].(int)), r.charge(0)
	},
	"$get": func(a ...any) (any, error) { return member(a[1], a[2]), a[0].(*run).charge(0) },
	"$list": func(a ...any) (any, error) {
		found, err := items(a[1])
		if err != nil {
			return nil, err
		}
		out := make([]any, min(len(found), maxList))
		for i := range out {
			out[i] = normal(found[i])
		}
		return out, a[0].(*run).charge(len(out) * opCost)
	},
	"$slice": slice,
	"$true": func(a ...any) (any, error) {
		ok, err := isTrue(a[1])
		return ok, err
	},
	"$eq":       func(a ...any) (any, error) { return equal(a[1], a[2]), a[0].(*run).charge(size(a[1])) },
	"$lt":       func(a ...any) (any, error) { return compared(a, func(c int) bool { return c < 0 }) },
	"$le":       func(a ...any) (any, error) { return compared(a, func(c int) bool { return c <= 0 }) },
	"$gt":       func(a ...any) (any, error) { return compared(a, func(c int) bool { return c > 0 }) },
	"$ge":       func(a ...any) (any, error) { return compared(a, func(c int) bool { return c >= 0 }) },
	"$add":      add,
	"$sub":      func(a ...any) (any, error) { return calculate(a, '-') },
	"$mul":      func(a ...any) (any, error) { return calculate(a, '*') },
	"$div":      func(a ...any) (any, error) { return calculate(a, '/') },
	"$mod":      func(a ...any) (any, error) { return calculate(a, '%') },
	"$in":       in,
	"$contains": func(a ...any) (any, error) { return textual(a, strings.Contains) },
	"$starts":   func(a ...any) (any, error) { return textual(a, strings.HasPrefix) },
	"$ends":     func(a ...any) (any, error) { return textual(a, strings.HasSuffix) },
	"$matches":  matches,
}

// pattern is a compiled regular expression. Its cost is the work for each byte of text: the engine's time is linear in the
// text, but also in the size of the compiled pattern, which a{1000} makes large.
type pattern struct {
	re   *regexp.Regexp
	cost int
}

func compilePattern(source string) (*pattern, error) {
	re, instructions, err := exprkit.Pattern(source)
	if err != nil {
		return nil, err
	}
	return &pattern{re: re, cost: max(8, instructions/4)}, nil
}

// matches gets its pattern compiled, from the patcher.
func matches(a ...any) (any, error) {
	p, ok := a[2].(*pattern)
	if !ok {
		return nil, valueError("The pattern is no regular expression.")
	}
	s, ok, err := asText(a[1])
	if err != nil || !ok {
		return false, err
	}
	if err := a[0].(*run).charge(len(s) * p.cost); err != nil {
		return nil, err
	}
	return p.re.MatchString(s), nil
}

// member is v.key or v[key]; nil for whatever is absent.
func member(v, key any) any {
	switch v := v.(type) {
	case object:
		if name, ok := key.(string); ok {
			return normal(v.member(name))
		}
	case map[string]any:
		if name, ok := key.(string); ok {
			return normal(v[name])
		}
	case map[string]string:
		if name, ok := key.(string); ok {
			return normal(v[name])
		}
	case []any:
		i, ok := key.(int)
		if i < 0 {
			i += len(v)
		}
		if ok && i >= 0 && i < len(v) {
			return normal(v[i])
		}
	}
	return nil
}

// normal brings values of maps, which came from JSON or from a decoder, to the few types that expressions know.
func normal(v any) any {
	boxed := v
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
		return limited(boxed)
	case markup:
		return v
	case int64:
		return int(v)
	case int32:
		return int(v)
	case float32:
		return float64(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int(v)
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case []string:
		return strs(v)
	case []any:
		if len(v) > maxList {
			return v[:maxList]
		}
	case time.Time:
		if v.IsZero() || v.Location() != time.UTC {
			return moment(v)
		}
	}
	return v
}

// items is v as a list: nothing for absent, one item for a single value.
func items(v any) ([]any, error) {
	switch v := v.(type) {
	case nil:
		return []any{}, nil
	case []any:
		return v, nil
	case map[string]any, map[string]string:
		return nil, valueError("A group of names and values is no list.")
	}
	return []any{v}, nil
}

func slice(a ...any) (any, error) {
	bound := func(v any, length, otherwise int) (int, error) {
		switch v := v.(type) {
		case nil:
			return otherwise, nil
		case int:
			if v < 0 {
				v += length
			}
			return min(max(v, 0), length), nil
		}
		return 0, valueError("A part is cut out by whole numbers.")
	}
	cut := func(length int) (from, to int, err error) {
		if from, err = bound(a[2], length, 0); err != nil {
			return
		}
		to, err = bound(a[3], length, length)
		return from, max(from, to), err
	}
	switch v := a[1].(type) {
	case nil:
		return nil, nil
	case []any:
		from, to, err := cut(len(v))
		if err != nil {
			return nil, err
		}
		return v[from:to], a[0].(*run).charge(0)
	}
	s, ok, err := asText(a[1])
	if err != nil || !ok {
		return nil, err
	}
	if err := a[0].(*run).charge(4 * len(s)); err != nil {
		return nil, err
	}
	runes := []rune(s)
	from, to, err := cut(len(runes))
	if err != nil {
		return nil, err
	}
	return string(runes[from:to]), nil
}

func size(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case markup:
		return len(v)
	}
	return 0
}

func asFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// equal compares plain values; things of different kinds, and lists, are not equal.
func equal(a, b any) bool {
	if x, ok := asFloat(a); ok {
		y, ok := asFloat(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		y, ok := b.(string)
		return ok && a == y
	case markup:
		y, ok := b.(markup)
		return ok && a == y
	case bool:
		y, ok := b.(bool)
		return ok && a == y
	case time.Time:
		y, ok := b.(time.Time)
		return ok && a.Equal(y)
	}
	return false
}

func compared(a []any, want func(int) bool) (any, error) {
	left, right := a[1], a[2]
	if err := a[0].(*run).charge(size(left)); err != nil {
		return nil, err
	}
	if left == nil || right == nil {
		return false, nil
	}
	if x, ok := asFloat(left); ok {
		if y, ok := asFloat(right); ok {
			switch {
			case x < y:
				return want(-1), nil
			case x > y:
				return want(1), nil
			}
			return want(0), nil
		}
	}
	switch x := left.(type) {
	case string:
		if y, ok := right.(string); ok {
			return want(strings.Compare(x, y)), nil
		}
	case time.Time:
		if y, ok := right.(time.Time); ok {
			return want(x.Compare(y)), nil
		}
	}
	return nil, valueError("Two values of different kinds cannot be compared; number() makes a number of a text.")
}

func add(a ...any) (any, error) {
	left, right := a[1], a[2]
	if left == nil || right == nil {
		return nil, nil
	}
	_, x := asFloat(left)
	_, y := asFloat(right)
	if x && y {
		return calculate(a, '+')
	}
	s, _, err := asText(left)
	if err != nil {
		return nil, err
	}
	t, _, err := asText(right)
	if err != nil {
		return nil, err
	}
	if err := a[0].(*run).charge(len(s) + len(t)); err != nil {
		return nil, err
	}
	return s + t, nil
}

// calculate works with whole numbers as long as nothing is lost, else with fractions. Dividing by zero gives nothing: it
// is the call that lacks a number, and no reason to hold it back.
func calculate(a []any, op byte) (any, error) {
	left, right := a[1], a[2]
	if err := a[0].(*run).charge(0); err != nil || left == nil || right == nil {
		return nil, err
	}
	x, ok1 := asFloat(left)
	y, ok2 := asFloat(right)
	if !ok1 || !ok2 {
		return nil, valueError("Only numbers can be calculated with; number() makes one of a text.")
	}
	if (op == '/' || op == '%') && y == 0 {
		return nil, nil
	}
	i, whole1 := left.(int)
	j, whole2 := right.(int)
	if whole1 && whole2 {
		if n, ok := wholes(i, j, op); ok {
			return n, nil
		}
	}
	var f float64
	switch op {
	case '+':
		f = x + y
	case '-':
		f = x - y
	case '*':
		f = x * y
	case '/':
		f = x / y
	case '%':
		f = math.Mod(x, y)
	}
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, valueError("The number is too large.")
	}
	return f, nil
}

// wholes calculates with whole numbers; ok is false if the result is none, or too large for one.
func wholes(i, j int, op byte) (int, bool) {
	switch op {
	case '+':
		n := i + j
		return n, (n > i) == (j > 0)
	case '-':
		n := i - j
		return n, (n < i) == (j > 0)
	case '*':
		hi, lo := bits.Mul64(magnitude(i), magnitude(j))
		return i * j, hi == 0 && lo <= math.MaxInt64
	case '/':
		if i == math.MinInt && j == -1 || i%j != 0 {
			return 0, false
		}
		return i / j, true
	case '%':
		if j == -1 {
			return 0, true
		}
		return i % j, true
	}
	return 0, false
}

func magnitude(i int) uint64 {
	if i < 0 {
		return -uint64(i)
	}
	return uint64(i)
}

func in(a ...any) (any, error) {
	r, needle := a[0].(*run), a[1]
	if needle == nil {
		return false, nil
	}
	switch hay := a[2].(type) {
	case nil:
		return false, nil
	case []any:
		for _, item := range hay {
			if err := r.charge(size(needle)); err != nil {
				return nil, err
			}
			if equal(needle, normal(item)) {
				return true, nil
			}
		}
		return false, nil
	case map[string]any:
		key, _ := needle.(string)
		_, ok := hay[key]
		return ok, r.charge(len(key))
	case map[string]string:
		key, _ := needle.(string)
		_, ok := hay[key]
		return ok, r.charge(len(key))
	case string:
		return textual([]any{r, hay, needle}, strings.Contains)
	}
	return nil, valueError("in looks into a list.")
}

func textual(a []any, test func(s, arg string) bool) (any, error) {
	if a[1] == nil || a[2] == nil {
		return false, nil
	}
	s, _, err := asText(a[1])
	if err != nil {
		return nil, err
	}
	arg, _, err := asText(a[2])
	if err != nil {
		return nil, err
	}
	if err := a[0].(*run).charge(8 * len(s)); err != nil {
		return nil, err
	}
	return test(s, arg), nil
}
