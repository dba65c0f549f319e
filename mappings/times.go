package mappings

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // A mapping must read the same on a machine that has no zones.
)

// tokens are the parts of a time layout, longer ones first. They are the ones of spreadsheets and of most CRMs.
var tokens = []struct{ token, layout string }{
	{"YYYY", "2006"}, {"YY", "06"},
	{"MMMM", "January"}, {"MMM", "Jan"}, {"MM", "01"}, {"M", "1"},
	{"DD", "02"}, {"D", "2"},
	{"dddd", "Monday"}, {"ddd", "Mon"},
	{"HH", "15"}, {"H", hour24}, {"hh", "03"}, {"h", "3"},
	{"mm", "04"}, {"m", "4"}, {"ss", "05"}, {"s", "5"},
	{"A", "PM"}, {"a", "pm"},
	{"ZZZ", "MST"}, {"Z", "-07:00"},
}

// hour24 stands for the hour without a leading zero, for which Go has no layout.
const hour24 = "H"

// maxLayout is far above every layout that means something.
const maxLayout = 100

// formatTime writes t by tokens; text in [brackets] stays as it is. Each token is formatted by itself, so that no text
// around it can be taken for a part of a layout.
func formatTime(t time.Time, layout string) string {
	var b strings.Builder
next:
	for i := 0; i < len(layout); {
		if layout[i] == '[' {
			if end := strings.IndexByte(layout[i:], ']'); end > 0 {
				b.WriteString(layout[i+1 : i+end])
				i += end + 1
				continue
			}
		}
		for _, tok := range tokens {
			if strings.HasPrefix(layout[i:], tok.token) {
				if tok.layout == hour24 {
					b.WriteString(strconv.Itoa(t.Hour()))
				} else {
					b.WriteString(t.Format(tok.layout))
				}
				i += len(tok.token)
				continue next
			}
		}
		b.WriteByte(layout[i])
		i++
	}
	return b.String()
}

func timeFormat(r *run, a []any) (any, error) {
	t, ok := a[0].(time.Time)
	layout, ok2 := a[1].(string)
	if !ok || !ok2 || len(layout) > maxLayout {
		return nil, valueError(`time_format takes a time and a layout such as "YYYY-MM-DD HH:mm".`)
	}
	loc := r.location
	if len(a) > 2 && a[2] != nil {
		name, _ := a[2].(string)
		if loc = zone(name); loc == nil {
			r.warn("The time zone is not known; the account's is used.")
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
