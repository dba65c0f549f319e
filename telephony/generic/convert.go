package generic

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/generic/expression"
)

// textOf reads a single value as text.
func textOf(v any) (string, error) {
	s, ok := expression.Text(v)
	if !ok {
		return "", expression.ValueError("A single value is needed here, not a list or a group.")
	}
	return telephony.CleanText(s), nil
}

// layouts are forms of times beside those that telephony.Moment knows: of mail headers, with slashes, and compact.
var layouts = []string{
	time.RFC1123Z, "Mon, 2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 2006 15:04:05 GMT", "Mon, 2 Jan 2006 15:04:05 UTC",
	"2006/01/02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "20060102150405", "20060102T150405", "20060102T150405Z0700",
}

// momentOf reads a time in the forms that need no layout.
func momentOf(v any, loc *time.Location) (time.Time, error) {
	if t, isTime := v.(time.Time); isTime {
		t, ok := telephony.Plausible(t)
		if !ok {
			return time.Time{}, expression.ValueError("The value is a moment in a year without calls.")
		}
		return t, nil
	}
	s, err := textOf(v)
	if err == nil {
		if t, ok := telephony.Moment(s, loc, layouts...); ok {
			return t, nil
		}
	}
	return time.Time{}, expression.ValueError("The value is no time in a form that needs no layout; read it with time(value, layout).")
}

var (
	clock   = regexp.MustCompile(`^(?:(\d{1,6}):)?(\d{1,6}):(\d{1,2}(?:\.\d{1,9})?)$`)
	iso8601 = regexp.MustCompile(`^P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?$`)
	spoken  = regexp.MustCompile(`^(?:(\d{1,6})\s*d(?:ays?)?)?[\s,]*(?:(\d{1,6})\s*h(?:ours?|rs?)?)?[\s,]*(?:(\d{1,6})\s*m(?:in(?:ute)?s?)?)?[\s,]*(?:(\d{1,9}(?:\.\d{1,9})?)\s*s(?:ec(?:ond)?s?)?)?$`)
)

// longest is the most seconds that are a duration.
const longest = math.MaxInt32

// secondsOf reads a duration: seconds as a number, 1:02:03, 02:03, 1h 2m 3s, PT1H2M3S.
func secondsOf(v any) (int64, error) {
	if f, ok := expression.Number(v); ok {
		if f < 0 || f > longest {
			return 0, expression.ValueError("A duration is not below zero and not longer than a lifetime.")
		}
		return int64(math.Round(f)), nil
	}
	s, err := textOf(v)
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
	count := func(part string, seconds float64) {
		if f, ok := expression.Number(part); ok {
			sum, found = sum+f*seconds, true
		}
	}
	if len(s) <= 64 {
		if m := clock.FindStringSubmatch(s); m != nil {
			count(m[1], 3600)
			count(m[2], 60)
			count(m[3], 1)
		} else if m := iso8601.FindStringSubmatch(strings.ToUpper(s)); m != nil {
			for i, seconds := range []float64{86400, 3600, 60, 1} {
				count(m[i+1], seconds)
			}
		} else if m := spoken.FindStringSubmatch(strings.ToLower(s)); m != nil {
			for i, seconds := range []float64{86400, 3600, 60, 1} {
				count(m[i+1], seconds)
			}
		}
	}
	if !found || sum > longest {
		return 0, expression.ValueError("The value is no duration such as 83, 01:23 or 1m 23s.")
	}
	return int64(math.Round(sum)), nil
}

// plain copies a value in the types that JSON has, cleaned: the copy is ours to keep, and what the document says in
// constants is shared by all requests. Its work is counted, because an expression can put the same list into many places.
func plain(r *expression.Run, v any) (any, error) {
	if err := r.Charge(0); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			inner, err := plain(r, v[i])
			if err != nil {
				return nil, err
			}
			out[i] = inner
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, inner := range v {
			inner, err := plain(r, inner)
			if err != nil {
				return nil, err
			}
			out[k] = inner
		}
		return telephony.CleanValue(out), nil
	case string:
		return telephony.CleanText(v), r.Charge(len(v))
	case json.Number:
		return telephony.CleanValue(v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, nil
		}
		return v, nil
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
	case nil, bool, int64:
		return v, nil
	}
	s, _ := expression.Text(v)
	return s, nil
}

// objectOf reads a group of names and values, bounded.
func objectOf(r *expression.Run, v any) (map[string]any, error) {
	v, err := r.Open(v)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, expression.ValueError("A group of names and values is needed here.")
	}
	copied, err := plain(r, m)
	if err != nil {
		return nil, err
	}
	m, _ = copied.(map[string]any)
	return telephony.BoundedObject(m), nil
}

// mostItems bounds lists of texts.
const mostItems = 1000

// textsOf reads a list of texts: a list, or one text with commas.
func textsOf(r *expression.Run, v any) ([]string, error) {
	v, err := r.Open(v)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		s, err := textOf(v)
		if err != nil {
			return nil, err
		}
		for part := range strings.SplitSeq(s, ",") {
			list = append(list, part)
		}
	}
	var out []string
	for _, item := range list[:min(len(list), mostItems)] {
		if m, ok := item.(map[string]any); ok {
			item = nameOf(m)
		}
		if telephony.Blank(item) {
			continue
		}
		s, err := textOf(item)
		if err != nil {
			return nil, expression.ValueError("A list of texts is needed here.")
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return out, nil
}

// nameOf finds what an item of a list is called.
func nameOf(m map[string]any) any {
	for _, name := range []string{"name", "label", "title", "value", "text"} {
		if _, v, ok := expression.Member(m, name); ok && !telephony.Blank(v) {
			return v
		}
	}
	return nil
}
