package telephony

import (
	"strings"
	"time"
	"unicode"
)

// Moment reads v as a moment: the forms that Fields.Time knows, those of layouts (see package time), and seconds,
// milliseconds or microseconds since 1970 as a number or as digits. White space of any kind and length between the parts
// counts as one space. One without a zone is in loc, or UTC where loc is nil.
func Moment(v any, loc *time.Location, layouts ...string) (time.Time, bool) {
	s, ok := TextOf(v)
	if !ok || len(s) > 64 {
		return time.Time{}, false
	}
	if t, ok := sinceEpoch(s); ok {
		return Plausible(t)
	}
	s = strings.Join(strings.FieldsFunc(s, unicode.IsSpace), " ")
	if t, ok := parseTime(s, loc); ok {
		return t, true
	}
	if loc == nil {
		loc = time.UTC
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return Plausible(t)
		}
	}
	return time.Time{}, false
}

// Moment reads a moment in the forms of the function Moment and takes it.
func (f *Fields) Moment(loc *time.Location, layouts []string, names ...string) time.Time {
	t, _ := read(f, names, func(v any) (time.Time, bool) { return Moment(v, loc, layouts...) })
	return t
}

// sinceEpoch reads digits, with a fraction or without, of such a size that they can only count from 1970: seconds of the
// years 2001 to 2286, or thousandths or millionths of those.
func sinceEpoch(s string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if strings.Trim(whole+fraction, "0123456789") != "" {
		return time.Time{}, false
	}
	// Beyond nanoseconds there is nothing to read.
	const places = 9
	after := len(whole) - 10
	if after != 0 && after != 3 && after != 6 || whole[0] == '0' {
		return time.Time{}, false
	}
	digits := whole[10:] + fraction
	if len(digits) > places {
		digits = digits[:places]
	}
	var seconds, nanos int64
	for _, c := range whole[:10] {
		seconds = 10*seconds + int64(c-'0')
	}
	for i := range places {
		nanos *= 10
		if i < len(digits) {
			nanos += int64(digits[i] - '0')
		}
	}
	return time.Unix(seconds, nanos).UTC(), true
}
