package telephony

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fields is what a request says, by lower-case trimmed key. Reading a field takes it; Rest is what nobody took, so that
// nothing a phone system sends is lost. A field whose value does not fit what it is read as stays for Rest. The getters
// take several names for the same thing and use the first that is not blank; the others count as read too. A Fields
// serves one goroutine.
type Fields struct {
	values map[string]any
	taken  map[string]bool
}

// NewFields wraps a decoded object. Where keys differ only by case or white space, the one in lower case wins.
func NewFields(m map[string]any) *Fields {
	f := &Fields{values: make(map[string]any, len(m)), taken: make(map[string]bool, len(m))}
	var odd []string
	for k, v := range m {
		if strings.ToLower(strings.TrimSpace(k)) == k {
			f.values[k] = v
		} else {
			odd = append(odd, k)
		}
	}
	slices.Sort(odd)
	for _, k := range odd {
		name := strings.ToLower(strings.TrimSpace(k))
		if _, ok := f.values[name]; !ok {
			f.values[name] = m[k]
		}
	}
	return f
}

// Len is how many fields there are, read or not.
func (f *Fields) Len() int { return len(f.values) }

// Values is a copy of all fields, read or not, by name; it shares what is nested in them.
func (f *Fields) Values() map[string]any { return maps.Clone(f.values) }

// Has tells whether one of the names is there, be it blank.
func (f *Fields) Has(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { _, ok := f.values[n]; return ok })
}

// Blank tells whether v says nothing: null, "", "null", an empty list or object.
func Blank(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		s := strings.TrimSpace(v)
		return s == "" || s == "null"
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// Drop takes fields without reading them.
func (f *Fields) Drop(names ...string) {
	for _, n := range names {
		f.taken[n] = true
	}
}

// Peek returns the first value of names that is not blank, without taking it.
func (f *Fields) Peek(names ...string) any {
	for _, n := range names {
		if v := f.values[n]; !Blank(v) {
			return v
		}
	}
	return nil
}

// Take returns the first value of names that is not blank, as it was sent.
func (f *Fields) Take(names ...string) any {
	v := f.Peek(names...)
	f.Drop(names...)
	return v
}

// read converts the first value that is not blank and takes all names if that succeeds.
func read[T any](f *Fields, names []string, convert func(any) (T, bool)) (T, bool) {
	var zero T
	v := f.Peek(names...)
	if v == nil {
		f.Drop(names...)
		return zero, false
	}
	out, ok := convert(v)
	if !ok {
		return zero, false
	}
	f.Drop(names...)
	return out, true
}

// Text reads text; a number gives its digits as they were sent.
func (f *Fields) Text(names ...string) string {
	s, _ := read(f, names, TextOf)
	return s
}

// TextOf is v as text, if it is text or a number.
func TextOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// Bool reads true, "true", "yes", 1, "1" and their opposites.
func (f *Fields) Bool(names ...string) *bool {
	b, ok := read(f, names, func(v any) (bool, bool) {
		if b, ok := v.(bool); ok {
			return b, true
		}
		s, _ := TextOf(v)
		return parseBool(s)
	})
	if !ok {
		return nil
	}
	return &b
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "yes", "y", "on", "1":
		return true, true
	case "false", "no", "n", "off", "0":
		return false, true
	}
	return false, false
}

// Int reads a whole number that is not negative: 15, "15", 15.0. Durations and counts are never less than nothing.
func (f *Fields) Int(names ...string) *int64 {
	n, ok := read(f, names, func(v any) (int64, bool) {
		s, _ := TextOf(v)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, n >= 0
		}
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || !(x >= 0 && x < math.MaxInt32) {
			return 0, false
		}
		return int64(math.Round(x)), true
	})
	if !ok {
		return nil
	}
	return &n
}

// timeLayouts are the forms in which phone systems that send a zone or a plain local time write it.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05.999999999 MST",
}

// Time reads a moment. One without a zone is in loc, or UTC where loc is nil.
func (f *Fields) Time(loc *time.Location, names ...string) time.Time {
	t, _ := read(f, names, func(v any) (time.Time, bool) {
		s, ok := v.(string)
		if !ok || len(s) > 64 {
			return time.Time{}, false
		}
		return parseTime(s, loc)
	})
	return t
}

func parseTime(s string, loc *time.Location) (time.Time, bool) {
	if loc == nil {
		loc = time.UTC
	}
	s = strings.TrimSpace(s)
	for _, layout := range timeLayouts {
		// An abbreviation other than UTC has no offset of its own; Go invents one.
		if t, err := time.Parse(layout, s); err == nil && (!strings.HasSuffix(layout, "MST") || strings.HasSuffix(s, "UTC") || strings.HasSuffix(s, "GMT")) {
			return Plausible(t)
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return Plausible(t)
		}
	}
	return time.Time{}, false
}

// The years of calls. Before and after them lie the zeros of other systems (1970 of Unix, 1 of .NET, 9999 of databases),
// which mean never.
const firstYear, lastYear = 1971, 2200

// Plausible returns t in UTC, if it is in a year of calls.
func Plausible(t time.Time) (time.Time, bool) {
	if t = t.UTC(); t.Year() < firstYear || t.Year() > lastYear {
		return time.Time{}, false
	}
	return t, true
}

// zones caches what Zone found; there are some hundreds at most.
var zones sync.Map

// Zone returns the IANA time zone that a request names, nil for one that does not exist. It reads each once.
func Zone(name string) *time.Location {
	if name == "" || name == "Local" || len(name) > 64 {
		return nil
	}
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	zones.Store(name, loc)
	return loc
}

// longestList bounds what Strings reads; nobody sets more tags.
const longestList = 1000

// Strings reads a list of texts, each once: a list of texts or of objects with a name, or one text with commas.
func (f *Fields) Strings(names ...string) []string {
	out, _ := read(f, names, func(v any) ([]string, bool) {
		var out []string
		seen := map[string]bool{}
		add := func(s string) {
			if s = strings.TrimSpace(s); s != "" && !seen[s] && len(out) < longestList {
				seen[s] = true
				out = append(out, s)
			}
		}
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				if m, ok := item.(map[string]any); ok {
					item = NewFields(m).Peek("name", "value", "label", "text", "tag")
				}
				if s, ok := TextOf(item); ok {
					add(s)
				} else if !Blank(item) {
					return nil, false
				}
			}
			return out, true
		case string:
			if strings.HasPrefix(strings.TrimSpace(v), "[") {
				var list []string
				if json.Unmarshal([]byte(v), &list) == nil {
					for _, s := range list {
						add(CleanText(s))
					}
					return out, true
				}
			}
			for s := range strings.SplitSeq(v, ",") {
				add(s)
			}
			return out, true
		}
		return nil, false
	})
	return out
}

// The bounds of what Rest keeps.
const (
	restKeys  = 200
	restValue = 4 << 10
	restKey   = 128
	// RestNote is the key under which Rest says what it cut.
	RestNote = "callsync_note"
)

// Rest returns the fields that were not read and are not blank, nil if there are none. It is bounded: at most 200
// fields, each of at most 4 KB, where longer ones are cut text. What was cut is said under RestNote.
func (f *Fields) Rest() map[string]any {
	var names []string
	for k, v := range f.values {
		if !f.taken[k] && !Blank(v) {
			names = append(names, k)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	out := make(map[string]any, min(len(names), restKeys)+1)
	left, shortened := 0, 0
	for _, k := range names {
		if len(out) >= restKeys || len(k) > restKey {
			left++
			continue
		}
		kept, whole := bounded(f.values[k])
		if !whole {
			shortened++
		}
		out[k] = kept
	}
	if left+shortened > 0 {
		out[RestNote] = fmt.Sprintf("%d fields were left out and %d were cut because they are too many or too long; the receipt has them whole.", left, shortened)
	}
	return out
}

// bounded returns v if it is small, else its text cut.
func bounded(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		return cut(v, restValue), len(v) <= restValue
	case []any, map[string]any:
		doc, err := json.Marshal(v)
		if err != nil || len(doc) > restValue {
			return cut(string(doc), restValue), false
		}
	}
	return v, true
}

// BoundedObject applies Rest's bounds to an object of its own, such as the free fields of a form.
func BoundedObject(m map[string]any) map[string]any {
	f := &Fields{values: m}
	return f.Rest()
}
