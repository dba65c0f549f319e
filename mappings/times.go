package mappings

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // A mapping must read the same on a machine that has no zones.
)

// tokens are the parts of a time layout, longer ones first: those of Unicode's date patterns (CLDR: dd.MM.yyyy HH:mm), and
// those of spreadsheets (DD.MM.YYYY). Letters that are in both mean the same.
var tokens = []struct{ token, layout string }{
	{"yyyy", "2006"}, {"YYYY", "2006"}, {"yy", "06"}, {"YY", "06"}, {"y", "2006"},
	{"MMMM", "January"}, {"MMM", "Jan"}, {"MM", "01"}, {"M", "1"},
	{"EEEE", "Monday"}, {"dddd", "Monday"}, {"EEE", "Mon"}, {"ddd", "Mon"}, {"EE", "Mon"}, {"E", "Mon"},
	{"dd", "02"}, {"DD", "02"}, {"d", "2"}, {"D", "2"},
	{"HH", "15"}, {"H", hour24}, {"hh", "03"}, {"h", "3"},
	{"mm", "04"}, {"m", "4"}, {"ss", "05"}, {"s", "5"}, {"SSS", millisecond},
	{"A", "PM"}, {"a", "pm"},
	{"ZZZ", "MST"}, {"zzz", "MST"}, {"z", "MST"}, {"XXX", "-07:00"}, {"Z", "-07:00"},
}

// tokensOf are the tokens by their letter, longer ones first.
var tokensOf = func() (out [128][]struct{ token, layout string }) {
	for _, t := range tokens {
		out[t.token[0]] = append(out[t.token[0]], t)
	}
	return out
}()

// hour24 stands for the hour without a leading zero, and millisecond for thousandths, for which Go has no layouts of their own.
const (
	hour24      = "H"
	millisecond = "S"
)

// maxLayout is far above every layout that means something.
const maxLayout = 100

// formatTime writes t by tokens; text in 'quotes' or [brackets] stays as it is, and ” is a quote. Each token is formatted by
// itself, so that no text around it can be taken for a part of a layout.
func formatTime(t time.Time, layout string) string {
	out := make([]byte, 0, len(layout)+16)
next:
	for i := 0; i < len(layout); {
		switch layout[i] {
		case '[':
			if end := strings.IndexByte(layout[i:], ']'); end > 0 {
				out = append(out, layout[i+1:i+end]...)
				i += end + 1
				continue
			}
		case '\'':
			if n := quoted(&out, layout[i:]); n > 0 {
				i += n
				continue
			}
		}
		for _, tok := range tokensOf[layout[i]&0x7f] {
			if strings.HasPrefix(layout[i:], tok.token) {
				out = appendPart(out, t, tok.layout)
				i += len(tok.token)
				continue next
			}
		}
		out = append(out, layout[i])
		i++
	}
	return string(out)
}

// appendPart writes one part of a time. Those of most patterns are numbers, which need no formatting.
func appendPart(out []byte, t time.Time, layout string) []byte {
	two := func(n int) []byte { return append(out, '0'+byte(n/10), '0'+byte(n%10)) }
	switch layout {
	case hour24:
		return strconv.AppendInt(out, int64(t.Hour()), 10)
	case millisecond:
		return fmt.Appendf(out, "%03d", t.Nanosecond()/int(time.Millisecond))
	case "01":
		return two(int(t.Month()))
	case "02":
		return two(t.Day())
	case "15":
		return two(t.Hour())
	case "04":
		return two(t.Minute())
	case "05":
		return two(t.Second())
	}
	return t.AppendFormat(out, layout)
}

// quoted appends the text in quotes with which s begins, and tells how long it is there; 0 if the quote has no end.
func quoted(out *[]byte, s string) int {
	if strings.HasPrefix(s, "''") {
		*out = append(*out, '\'')
		return 2
	}
	start := len(*out)
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			*out = append(*out, s[i])
			continue
		}
		if !strings.HasPrefix(s[i:], "''") {
			return i + 1
		}
		*out = append(*out, '\'')
		i++
	}
	*out = (*out)[:start]
	return 0
}

func timeFormat(r *run, a []any) (any, error) {
	t, ok := a[0].(time.Time)
	layout, ok2 := a[1].(string)
	if !ok || !ok2 || len(layout) > maxLayout {
		return nil, valueError(`time_format takes a time and a pattern such as "dd.MM.yyyy HH:mm".`)
	}
	loc := r.location
	if len(a) > 2 && a[2] != nil {
		name, _ := a[2].(string)
		if loc = zone(name); loc == nil {
			r.warn("The time zone is not known; the source's is used.")
			loc = r.location
		}
	}
	return formatTime(t.In(loc), layout), nil
}

// zones caches the zones that exist; there are some 600.
var zones sync.Map

// zone finds a zone by its IANA name; nil if there is none. "Local" is the machine's and none of a mapping's.
func zone(name string) *time.Location {
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location)
	}
	if name == "" || name == "Local" || len(name) > 64 {
		return nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	zones.Store(name, loc)
	return loc
}

func secondsBetween(_ *run, a []any) (any, error) {
	from, ok := a[0].(time.Time)
	to, ok2 := a[1].(time.Time)
	if a[1] == nil {
		return nil, nil
	}
	if !ok || !ok2 {
		return nil, valueError("seconds_between takes two times.")
	}
	return int(to.Sub(from) / time.Second), nil
}

// durationText is 3725 as "1 h 2 min 5 s". Parts that are zero are left out, seconds only if something else is there.
func durationText(s int) string {
	if s < 0 {
		return "-" + durationText(-s)
	}
	out := make([]byte, 0, 24)
	add := func(n int, unit string) {
		if len(out) > 0 {
			out = append(out, ' ')
		}
		out = append(strconv.AppendInt(out, int64(n), 10), unit...)
	}
	if h := s / 3600; h > 0 {
		add(h, " h")
	}
	if m := s % 3600 / 60; m > 0 {
		add(m, " min")
	}
	if sec := s % 60; sec > 0 || len(out) == 0 {
		add(sec, " s")
	}
	return string(out)
}

func hms(s int) string {
	if s < 0 {
		return "-" + hms(-s)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s%3600/60, s%60)
}
