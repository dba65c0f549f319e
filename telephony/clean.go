package telephony

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// CleanText makes s storable and showable: no NUL (PostgreSQL refuses it in text and jsonb), no bytes that are not
// UTF-8, no white space around it. Text that decoders hand on has to pass through here; Fields does it for them.
func CleanText(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.TrimSpace(s)
}

// CleanValue does for a decoded JSON value what CleanText does for text, keys of objects included. Numbers that
// PostgreSQL's numeric cannot hold become text.
func CleanValue(v any) any {
	switch v := v.(type) {
	case string:
		return CleanText(v)
	case json.Number:
		return cleanNumber(v)
	case []any:
		for i := range v {
			v[i] = CleanValue(v[i])
		}
	case map[string]any:
		return cleanObject(v)
	}
	return v
}

func cleanObject(m map[string]any) map[string]any {
	unclean := false
	for k, v := range m {
		m[k] = CleanValue(v)
		unclean = unclean || CleanText(k) != k
	}
	if !unclean {
		return m
	}
	// A key that only cleaning makes equal to another one gives way to it; among several such the first in order stays.
	out := make(map[string]any, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		clean := CleanText(k)
		_, meant := m[clean]
		if _, taken := out[clean]; k == clean || !meant && !taken {
			out[clean] = m[k]
		}
	}
	return out
}

// cleanNumber keeps numbers of ordinary size; the others are text, because a number such as 1e999999 is valid JSON that
// no numeric column takes.
func cleanNumber(n json.Number) any {
	s := n.String()
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if exp, err := strconv.Atoi(strings.TrimPrefix(s[i+1:], "+")); err != nil || exp > 300 || exp < -300 {
			return s
		}
	}
	if len(s) > 300 {
		return s
	}
	return n
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
