package mappings

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// markup is HTML that one of our functions made; it is not escaped again. Only escape_html and lines make it, and what
// they make of values holds no tag but <br>.
type markup string

// asText is how a value reads in a text: times as RFC 3339 in UTC (time_format shows them otherwise), lists with commas.
// ok is false for absent values.
func asText(v any) (s string, ok bool, err error) {
	switch v := v.(type) {
	case nil:
		return "", false, nil
	case string:
		return v, true, nil
	case markup:
		return string(v), true, nil
	case int:
		return strconv.Itoa(v), true, nil
	case int64:
		return strconv.FormatInt(v, 10), true, nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true, nil
	case bool:
		return strconv.FormatBool(v), true, nil
	case time.Time:
		return v.UTC().Format(time.RFC3339), true, nil
	case []any:
		s, err := joined(v, ", ")
		return s, err == nil && s != "", err
	}
	return "", false, valueError("The value is a group of several values; name the one that is meant.")
}

// appendText adds how a value reads in a text; nothing for absent ones.
func appendText(dst []byte, v any) ([]byte, error) {
	s, _, err := asText(v)
	return append(dst, s...), err
}

// joined is the texts of a list's values with sep between them, absent ones left out.
func joined(list []any, sep string) (string, error) {
	var b strings.Builder
	for _, item := range list {
		if nested, ok := item.([]any); ok && len(nested) > 0 {
			return "", valueError("The value is a list of lists.")
		}
		s, ok, err := asText(normal(item))
		if err != nil {
			return "", err
		}
		if !ok || s == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(sep)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// clean removes what CRMs refuse or what could hide: control characters but tab and line breaks, and bad UTF-8.
func clean(s string) string {
	if plainASCII(s) {
		return s
	}
	bad := func(c rune) bool {
		return c == utf8.RuneError || unicode.IsControl(c) && c != '\n' && c != '\t' && c != '\r'
	}
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	return strings.Map(func(c rune) rune {
		switch {
		case c == utf8.RuneError:
			return c
		case bad(c):
			return -1
		}
		return c
	}, s)
}

// plainASCII tells whether s needs no second look: most texts.
func plainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\n' && c != '\t' && c != '\r' || c >= 0x7f {
			return false
		}
	}
	return true
}

// asHTML is how a value reads in HTML: escaped, with its line breaks kept.
func asHTML(v any) (string, bool, error) {
	if m, ok := v.(markup); ok {
		return string(m), m != "", nil
	}
	s, ok, err := asText(v)
	if err != nil || !ok {
		return "", false, err
	}
	if s = clean(s); !strings.ContainsAny(s, "<>&'\"\r\n") {
		return s, true, nil
	}
	return string(appendEscaped(make([]byte, 0, len(s)+16), s)), true, nil
}

// appendHTML adds how a value reads in HTML; nothing for absent ones.
func appendHTML(dst []byte, v any) ([]byte, error) {
	if m, ok := v.(markup); ok {
		return append(dst, m...), nil
	}
	s, ok, err := asText(v)
	if err != nil || !ok {
		return dst, err
	}
	return appendEscaped(dst, clean(s)), nil
}

// appendEscaped adds s as html.EscapeString writes it, with its line breaks as tags.
func appendEscaped(dst []byte, s string) []byte {
	done := 0
	for i := 0; i < len(s); i++ {
		var with string
		width := 1
		switch s[i] {
		case '&':
			with = "&amp;"
		case '<':
			with = "&lt;"
		case '>':
			with = "&gt;"
		case '"':
			with = "&#34;"
		case '\'':
			with = "&#39;"
		case '\n':
			with = "<br>"
		case '\r':
			with = "<br>"
			if i+1 < len(s) && s[i+1] == '\n' {
				width = 2
			}
		default:
			continue
		}
		dst = append(append(dst, s[done:i]...), with...)
		done = i + width
		i = done - 1
	}
	return append(dst, s[done:]...)
}

// empty tells whether v is nothing to write.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return blank(v)
	case markup:
		return blank(string(v))
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !empty(item) })
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// convert makes of v what t says. Empty values are nil.
func (r *run) convert(v any, t Type, maxLength int) (any, error) {
	if t != HTML && empty(v) {
		return nil, nil
	}
	switch t {
	case Number:
		return asNumber(v)
	case Bool:
		return asBool(v)
	case DateTime:
		return asTime(v)
	case Multi:
		return asMulti(v)
	case HTML:
		s, _, err := asHTML(v)
		if err != nil || blank(s) {
			return nil, err
		}
		return r.cut(s, maxLength, true), nil
	}
	s, _, err := asText(v)
	if err != nil {
		return nil, err
	}
	s = clean(s)
	if t == Picklist {
		s = strings.TrimSpace(s)
	}
	if blank(s) {
		return nil, nil
	}
	s = r.cut(s, maxLength, false)
	if same, ok := v.(string); ok && same == s {
		return v, nil // As it came: a new one would be made for nothing.
	}
	return s, nil
}

func (r *run) cut(s string, limit int, isHTML bool) string {
	if limit == 0 {
		return s
	}
	out, was := shorten(s, limit, isHTML)
	if was > limit {
		r.warn("The text was cut from %d to %d characters.", was, limit)
	}
	return out
}

// shorten cuts s to limit UTF-16 code units between characters, with an ellipsis, and tells how long it was. HTML is not
// cut inside a tag or an entity.
func shorten(s string, limit int, isHTML bool) (string, int) {
	if len(s) <= limit {
		return s, len(s)
	}
	units, keep := 0, 0
	for i, c := range s {
		n := 1
		if c >= 0x10000 {
			n = 2
		}
		units += n
		if units <= limit-1 {
			keep = i + utf8.RuneLen(c)
			if c == utf8.RuneError {
				_, w := utf8.DecodeRuneInString(s[i:])
				keep = i + w
			}
		}
	}
	if units <= limit {
		return s, units
	}
	head := s[:keep]
	if isHTML {
		if open := strings.LastIndexByte(head, '<'); open > strings.LastIndexByte(head, '>') {
			head = head[:open]
		}
		if amp := strings.LastIndexByte(head, '&'); amp >= 0 && len(head)-amp < 12 && !strings.Contains(head[amp:], ";") {
			head = head[:amp]
		}
	}
	return head + "…", units
}

func asNumber(v any) (any, error) {
	switch n := v.(type) {
	case int:
		return int64(n), nil
	case int64, float64:
		return v, nil
	case string:
		return parseNumber(n)
	}
	return nil, valueError("The value is not a number.")
}

// parseNumber reads decimal text; "1,000" and "0x10" are not numbers because their meaning depends on the reader.
func parseNumber(s string) (any, error) {
	s = strings.TrimSpace(s)
	if len(s) > 40 || strings.Trim(s, "+-.0123456789eE") != "" {
		return nil, valueError("The text is not a number.")
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, valueError("The text is not a number.")
	}
	return f, nil
}

func asBool(v any) (any, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		switch foldKey(v) {
		case "true", "yes":
			return true, nil
		case "false", "no":
			return false, nil
		}
	}
	return nil, valueError("The value is neither true nor false.")
}

func asTime(v any) (any, error) {
	switch t := v.(type) {
	case time.Time:
		if t.Location() == time.UTC {
			return v, nil
		}
		return t.UTC(), nil
	case string:
		if t, err := time.Parse(time.RFC3339, strings.TrimSpace(t)); err == nil {
			return t.UTC(), nil
		}
	}
	return nil, valueError("The value is not a time such as 2026-11-21T10:00:00Z.")
}

func asMulti(v any) (any, error) {
	list, err := items(v)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(list))
	for _, item := range list {
		s, ok, err := asText(normal(item))
		if err != nil {
			return nil, err
		}
		if s = strings.TrimSpace(clean(s)); ok && s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
