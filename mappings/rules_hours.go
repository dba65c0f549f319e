package mappings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// weekdays are the days in the order of time.Weekday; documents write their first three letters.
var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

func weekday(s string) int {
	s = foldKey(s)
	if len(s) < 3 {
		return -1
	}
	return slices.IndexFunc(weekdays, func(day string) bool { return strings.HasPrefix(day, s) })
}

// normal writes days by their short names, and spans of them as their days. What it does not know stays.
func (h Hours) normal() Hours {
	var days []string
	add := func(s string) {
		if !slices.Contains(days, s) {
			days = append(days, s)
		}
	}
	for _, d := range h.Days {
		from, to, span := strings.Cut(d, "-")
		a, b := weekday(from), weekday(to)
		switch {
		case span && a >= 0 && b >= 0:
			for i := a; ; i = (i + 1) % len(weekdays) {
				add(weekdays[i][:3])
				if i == b {
					break
				}
			}
		case !span && a >= 0:
			add(weekdays[a][:3])
		default:
			add(d)
		}
	}
	h.Days = days
	return h
}

// openHours are compiled Hours.
type openHours struct {
	days     [7]bool
	from, to int // minutes of the day
	zone     *time.Location
	holidays map[string]bool
}

// compile returns what is wrong with h, by member.
func (h Hours) compile() (*openHours, map[string]string) {
	o, faults := &openHours{holidays: map[string]bool{}}, map[string]string{}
	for _, d := range h.Days {
		i := weekday(d)
		if i < 0 || d != weekdays[i][:3] {
			faults["days"] = fmt.Sprintf("%q is no day; write mon, tue, wed, thu, fri, sat, sun.", clip(d, 20))
			continue
		}
		o.days[i] = true
	}
	if len(h.Days) == 0 {
		o.days = [7]bool{true, true, true, true, true, true, true}
	}
	var ok bool
	if o.from, ok = minuteOf(h.From); !ok || o.from == dayMinutes {
		faults["from"] = "Write the time of day as 09:00."
	}
	if o.to, ok = minuteOf(h.To); !ok {
		faults["to"] = "Write the time of day as 18:00; the end of the day is 24:00."
	}
	if len(faults) == 0 && o.from == o.to {
		faults["to"] = "The hours end when they begin. The whole day is from 00:00 to 24:00."
	}
	if h.TimeZone != "" {
		if o.zone = zone(h.TimeZone); o.zone == nil {
			faults["time_zone"] = fmt.Sprintf("There is no time zone %q; write one such as Asia/Kolkata.", clip(h.TimeZone, 60))
		}
	}
	for _, d := range h.Holidays {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			faults["holidays"] = fmt.Sprintf("%q is no date; write it as 2026-12-25.", clip(d, 20))
		}
		o.holidays[d] = true
	}
	return o, faults
}

const dayMinutes = 24 * 60

func minuteOf(s string) (int, bool) {
	hour, minute, ok := strings.Cut(strings.TrimSpace(s), ":")
	h, err := strconv.Atoi(hour)
	m, err2 := strconv.Atoi(minute)
	if !ok || err != nil || err2 != nil || len(hour) > 2 || len(minute) != 2 || h < 0 || m < 0 || m > 59 || h*60+m > dayMinutes {
		return 0, false
	}
	return h*60 + m, true
}

// holds tells whether t is in the hours. in is the zone for hours without one of their own.
func (o *openHours) holds(t time.Time, in *time.Location) bool {
	if o.zone != nil {
		in = o.zone
	}
	t = t.In(in)
	minute := t.Hour()*60 + t.Minute()
	if o.from < o.to {
		return minute >= o.from && minute < o.to && o.open(t)
	}
	return minute >= o.from && o.open(t) || minute < o.to && o.open(t.AddDate(0, 0, -1))
}

func (o *openHours) open(day time.Time) bool {
	return o.days[day.Weekday()] && !o.holidays[day.Format(time.DateOnly)]
}

// momentLayouts are how documents write a moment; without an offset it is in the source's zone.
var momentLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly}

// parseMoment reads a moment. fixed tells that it says its offset itself.
func parseMoment(s string) (t time.Time, fixed, ok bool) {
	for i, layout := range momentLayouts {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t, i == 0, true
		}
	}
	return time.Time{}, false, false
}

// inZone is the moment that t's clock shows in a zone.
func inZone(t time.Time, loc *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, loc)
}
