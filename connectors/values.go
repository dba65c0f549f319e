package connectors

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// SameValue tells whether a value that was read from a CRM is the one that was written, however the CRM spells it:
// numbers, times and booleans as text, lists joined by semicolons, nothing as empty text. Values may have gone through
// JSON in between. It is what tells a human's edit from a CRM's habit.
func SameValue(written, read any) bool {
	a, b := text(written), text(read)
	if a == b {
		return true
	}
	if a == "" || b == "" {
		return false
	}
	if x, ok := instant(written, a); ok {
		y, ok := instant(read, b)
		// Many CRMs keep whole seconds.
		return ok && (x == y || y%1000 == 0 && x-y > 0 && x-y < 1000)
	}
	if y, ok := instant(read, b); ok {
		x, err := strconv.ParseInt(a, 10, 64)
		return err == nil && x == y
	}
	if !number(written) && !number(read) {
		return false
	}
	x, okx := new(big.Rat).SetString(a)
	y, oky := new(big.Rat).SetString(b)
	return okx && oky && short(a) && short(b) && x.Cmp(y) == 0
}

// short keeps texts like 1e999999999 away from exact arithmetic.
func short(s string) bool { return len(s) <= 40 && !strings.ContainsAny(s, "eE/") }

// instant reads v as a moment, in milliseconds since 1970: a time, text in RFC 3339, and nothing else.
func instant(v any, s string) (int64, bool) {
	if t, ok := v.(time.Time); ok {
		return t.UnixMilli(), true
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.UnixMilli(), err == nil
}

func number(v any) bool {
	switch v.(type) {
	case int, int64, float64, json.Number:
		return true
	}
	return false
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.Number:
		return v.String()
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return strconv.FormatInt(v.UnixMilli(), 10)
	case []string:
		return strings.Join(v, ";")
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = text(x)
		}
		return strings.Join(parts, ";")
	}
	return fmt.Sprint(v)
}
