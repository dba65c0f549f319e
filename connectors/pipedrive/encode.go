package pipedrive

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/callsync/callsync/connectors"
)

// Limits of texts in characters (unconfirmed: Pipedrive documents them for custom fields only). callsync's mark goes on top.
const (
	maxSubject = 255
	maxNote    = 60_000
)

// Formats of times in Pipedrive's API, which are in UTC. Version 2 refuses fractions of a second in filters.
const (
	dateForm   = "2006-01-02"
	timeForm   = "15:04:05"
	momentForm = "2006-01-02T15:04:05.000Z"
	sinceForm  = "2006-01-02T15:04:05Z"
)

func unfit(name string) error {
	return &connectors.Error{Class: connectors.Invalid, Field: name, NotSent: true, Err: fmt.Errorf("pipedrive: a value of another kind for a field"),
		Public: "The value for the Pipedrive field “" + name + "” is of a kind that Pipedrive cannot store there. Correct the mapping, then retry."}
}

// asText is a mapped value as text; nil is empty.
func asText(name string, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		}
	case time.Time:
		if v.IsZero() {
			return "", nil
		}
		return v.UTC().Format(momentForm), nil
	case []string:
		return strings.Join(v, ", "), nil
	}
	return "", unfit(name)
}

// asNumber is a mapped value as a whole number; ok is false where there is none.
func asNumber(name string, v any) (n int64, ok bool, err error) {
	f, ok, err := asFloat(name, v)
	if err == nil && ok && (f != math.Trunc(f) || math.Abs(f) > 1<<53) {
		return 0, false, unfit(name)
	}
	return int64(f), ok, err
}

func asFloat(name string, v any) (f float64, ok bool, err error) {
	switch v := v.(type) {
	case nil:
		return 0, false, nil
	case int:
		return float64(v), true, nil
	case int64:
		return float64(v), true, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, false, unfit(name)
		}
		return v, true, nil
	case string:
		s := strings.TrimSpace(v)
		if s == "" {
			return 0, false, nil
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return 0, false, unfit(name)
		}
		return f, true, nil
	}
	return 0, false, unfit(name)
}

// asTime is a mapped value as a moment.
func asTime(name string, v any) (at time.Time, ok bool, err error) {
	switch v := v.(type) {
	case nil:
		return time.Time{}, false, nil
	case time.Time:
		return v.UTC(), !v.IsZero(), nil
	case string:
		s := strings.TrimSpace(v)
		if s == "" {
			return time.Time{}, false, nil
		}
		for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05"} {
			if at, err := time.Parse(form, s); err == nil {
				return at.UTC(), true, nil
			}
		}
	}
	return time.Time{}, false, unfit(name)
}

func asBool(name string, v any) (b, ok bool, err error) {
	switch v := v.(type) {
	case nil:
		return false, false, nil
	case bool:
		return v, true, nil
	case string:
		if v == "" {
			return false, false, nil
		}
		if b, err := strconv.ParseBool(strings.ToLower(v)); err == nil {
			return b, true, nil
		}
	}
	return false, false, unfit(name)
}

// length is a duration as activities have it. Longer ones than their form can say are cut.
func length(seconds int64) string {
	seconds = min(max(seconds, 0), 99*3600+59*60+59)
	return fmt.Sprintf("%02d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}

// seconds reads what length writes, also without its seconds.
func seconds(s string) (int64, bool) {
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	var total int64
	for i := range 3 {
		total *= 60
		if i < len(parts) {
			n, err := strconv.ParseInt(parts[i], 10, 32)
			if err != nil || n < 0 {
				return 0, false
			}
			total += n
		}
	}
	return total, true
}

// warnings collects what a person should know of.
type warnings []connectors.Warning

func (w *warnings) add(field, text string) {
	*w = append(*w, connectors.Warning{Field: field, Text: text})
}

// cut shortens s to at most limit characters, with a warning; in HTML not in the middle of a tag or an entity, which would
// swallow what comes after.
func (w *warnings) cut(name, s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	w.add(name, fmt.Sprintf("The text was longer than %d characters and was cut.", limit))
	const mark = " …"
	end, n := 0, limit-utf8.RuneCountInString(mark)
	for i := range s {
		if n == 0 {
			end = i
			break
		}
		n--
	}
	s = s[:end]
	for _, pair := range []struct{ open, shut string }{{"<", ">"}, {"&", ";"}} {
		if i := strings.LastIndex(s, pair.open); i >= 0 && len(s)-i < 200 && !strings.Contains(s[i:], pair.shut) {
			s = s[:i]
		}
	}
	return s + mark
}

// The mark by which callsync finds its records again stands at the end of their notes, as text that survives Pipedrive's
// cleaning of HTML.
const (
	markOpen  = "<br><small>[callsync:"
	markShut  = "]</small>"
	markInner = "[callsync:"
)

// marked is note with the mark of key.
func marked(note, key string) string { return note + markOpen + key + markShut }

// unmarked takes the mark off, wherever people or the CRM's cleaning have put it, and whatever they made of its tags.
func unmarked(note string) (text, key string) {
	at := strings.LastIndex(note, markInner)
	if at < 0 {
		return note, ""
	}
	end := strings.IndexByte(note[at:], ']')
	if end < 0 {
		return note, ""
	}
	key = note[at+len(markInner) : at+end]
	before, after := note[:at], note[at+end+1:]
	before = strings.TrimSuffix(before, "<small>")
	after = strings.TrimPrefix(after, "</small>")
	for _, br := range []string{"<br>", "<br />", "<br/>"} {
		if rest, ok := strings.CutSuffix(before, br); ok {
			before = rest
			break
		}
	}
	return before + after, key
}

// cleanKey keeps what cannot break the mark out of it.
func cleanKey(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ']' || r == '[' || r == '<' || r == '>' || r == '&' || r < ' ':
			return '_'
		}
		return r
	}, key)
}
