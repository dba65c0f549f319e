package expression

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// The kinds of values are nil, string, bool, json.Number, int64, float64, time.Time, []any and map[string]any.

// Text is a single value as text; numbers have the digits that were sent, times are RFC 3339.
func Text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v), true
	case json.Number:
		return v.String(), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case int:
		return strconv.Itoa(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), true
	}
	return "", false
}

// whole is a number without a fraction; ok is false for others.
type whole struct {
	n  int64
	ok bool
}

// number reads a number, be it written as text.
func number(v any) (f float64, w whole, ok bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), whole{v, true}, true
	case int:
		return float64(v), whole{int64(v), true}, true
	case float64:
		return v, wholeOf(v), !math.IsNaN(v) && !math.IsInf(v, 0)
	case json.Number, string:
		s, _ := Text(v)
		// "1,000" and "0x10" are no numbers because their meaning depends on the reader.
		if s == "" || len(s) > 40 || strings.Trim(s, "+-.0123456789eE") != "" {
			return 0, whole{}, false
		}
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return float64(n), whole{n, true}, true
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsInf(f, 0) {
			return 0, whole{}, false
		}
		return f, wholeOf(f), true
	}
	return 0, whole{}, false
}

func wholeOf(f float64) whole {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return whole{int64(f), true}
	}
	return whole{}
}

// Number reads a number, be it written as text.
func Number(v any) (float64, bool) {
	f, _, ok := number(v)
	return f, ok
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, float64, json.Number:
		return true
	}
	return false
}

// Bool reads true, false and the words and numbers that stand for them.
func Bool(v any) (value, ok bool) {
	if b, ok := v.(bool); ok {
		return b, true
	}
	s, _ := Text(v)
	switch strings.ToLower(s) {
	case "true", "yes", "y", "on", "1":
		return true, true
	case "false", "no", "n", "off", "0":
		return false, true
	}
	return false, false
}

// truth is v as a condition; absent is false.
func truth(v any) (bool, error) {
	if v == nil {
		return false, nil
	}
	b, ok := Bool(v)
	if !ok {
		return false, ValueError("A condition is neither true nor false.")
	}
	return b, nil
}

// equal compares single values. A number equals a text that is that number, true equals "true": phone systems are not
// sure of their types. Two texts are equal only if they are the same, so that "007" is not "7".
func equal(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	s, ok := Text(a)
	t, ok2 := Text(b)
	if !ok || !ok2 {
		return false
	}
	if x, ok := a.(time.Time); ok {
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	}
	if s == t {
		return true
	}
	if isNumber(a) || isNumber(b) {
		x, i, ok := number(a)
		y, j, ok2 := number(b)
		// Whole numbers are compared as such: as fractions, long ones that differ could look the same.
		return ok && ok2 && x == y && (i.ok && j.ok && i.n == j.n || !i.ok && !j.ok && len(s) < 17 && len(t) < 17)
	}
	_, isA := a.(bool)
	_, isB := b.(bool)
	if isA || isB {
		x, ok := Bool(a)
		y, ok2 := Bool(b)
		return ok && ok2 && x == y
	}
	return false
}

// compare orders numbers, be they written as text, times, and texts.
func compare(a, b any) (int, error) {
	if x, _, ok := number(a); ok {
		if y, _, ok := number(b); ok {
			switch {
			case x < y:
				return -1, nil
			case x > y:
				return 1, nil
			}
			return 0, nil
		}
	}
	if x, ok := a.(time.Time); ok {
		if y, ok := b.(time.Time); ok {
			return x.Compare(y), nil
		}
	}
	x, ok := a.(string)
	y, ok2 := b.(string)
	if !ok || !ok2 {
		return 0, ValueError("Two values of different kinds cannot be compared.")
	}
	return strings.Compare(x, y), nil
}

// add calculates with numbers and times, and joins everything else as text.
func (r *Run) add(a, b any) (any, error) {
	if a == nil || b == nil {
		return nil, nil
	}
	if _, ok := a.(time.Time); ok || isNumber(a) && isNumber(b) {
		return calculate("+", a, b)
	}
	s, ok := Text(a)
	t, ok2 := Text(b)
	if !ok || !ok2 {
		return nil, ValueError("Only single values can be put together.")
	}
	// A text keeps its space here: it is often there to part two words.
	if raw, ok := a.(string); ok {
		s = raw
	}
	if raw, ok := b.(string); ok {
		t = raw
	}
	if err := r.Charge(len(s) + len(t)); err != nil {
		return nil, err
	}
	return s + t, nil
}

// calculate gives whole numbers where it can, else fractions. Dividing by zero gives nothing.
// Seconds can be added to times and taken from them; the difference of two times is in seconds.
func calculate(op string, a, b any) (any, error) {
	if a == nil || b == nil {
		return nil, nil
	}
	if t, ok := a.(time.Time); ok {
		return timeSum(op, t, b)
	}
	x, ok := Number(a)
	y, ok2 := Number(b)
	if !ok || !ok2 {
		return nil, ValueError("Only numbers can be calculated with.")
	}
	if (op == "/" || op == "%") && y == 0 {
		return nil, nil
	}
	var f float64
	switch op {
	case "+":
		f = x + y
	case "-":
		f = x - y
	case "*":
		f = x * y
	case "/":
		f = x / y
	case "%":
		f = math.Mod(x, y)
	}
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, ValueError("The number is too large.")
	}
	return tidied(f), nil
}

// tidied is a number as a whole one if it is one that a fraction holds exactly.
func tidied(f float64) any {
	if w := wholeOf(f); w.ok {
		return w.n
	}
	return f
}

// longestSum bounds what is added to a time, in seconds: about a hundred years.
const longestSum = 3.2e9

func timeSum(op string, t time.Time, b any) (any, error) {
	if u, ok := b.(time.Time); ok && op == "-" {
		return tidied(t.Sub(u).Seconds()), nil
	}
	seconds, ok := Number(b)
	if !ok || math.Abs(seconds) > longestSum || op != "+" && op != "-" {
		return nil, ValueError("To a time only seconds can be added, and from it seconds or another time be taken.")
	}
	if op == "-" {
		seconds = -seconds
	}
	return t.Add(time.Duration(seconds * float64(time.Second))), nil
}
