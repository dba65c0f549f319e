package alerts

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	require.NoError(t, err)
	return l
}

// life makes up a source: rate is how many calls it has in an hour, each of which sends three requests within minutes.
type life struct {
	zone *time.Location
	rate func(local time.Time) float64
	rng  *rand.Rand
}

func (l life) arrivals(from, to time.Time) []time.Time {
	var out []time.Time
	for at := from; at.Before(to); {
		rate := 30.0 // of candidates, thinned
		at = at.Add(time.Duration(l.rng.ExpFloat64() / rate * float64(time.Hour)))
		if !at.Before(to) || l.rng.Float64() > l.rate(at.In(l.zone))/rate {
			continue
		}
		for _, after := range []time.Duration{0, 40 * time.Second, time.Duration(l.rng.IntN(600)) * time.Second} {
			out = append(out, at.Add(after))
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

// busyHours counts as the store does.
func busyHours(arrivals []time.Time) []records.BusyHour {
	at := map[time.Time]*records.BusyHour{}
	parts := map[time.Time]bool{}
	var order []time.Time
	for _, a := range arrivals {
		hour := a.UTC().Truncate(time.Hour)
		if at[hour] == nil {
			at[hour] = &records.BusyHour{Hour: hour}
			order = append(order, hour)
		}
		h := at[hour]
		h.Received++
		if h.Received > 1 {
			h.Gap = max(h.Gap, a.Sub(h.LastAt))
		} else {
			h.FirstAt = a
		}
		h.LastAt = later(h.LastAt, a)
		if p := a.UTC().Truncate(part); !parts[p] {
			parts[p] = true
			h.Parts++
		}
	}
	var out []records.BusyHour
	for _, hour := range order {
		out = append(out, *at[hour])
	}
	return out
}

func office(perHour float64) func(time.Time) float64 {
	return func(local time.Time) float64 {
		if d := local.Weekday(); d == time.Saturday || d == time.Sunday || local.Hour() < 9 || local.Hour() >= 18 {
			return 0
		}
		return perHour
	}
}

// firstSilent returns when a source that fell silent at a moment would first be found so; zero for never within a span.
func firstSilent(zone *time.Location, arrivals []time.Time, from time.Time, span time.Duration, open mappings.OpeningHours) time.Time {
	hours := busyHours(arrivals)
	if len(arrivals) == 0 {
		return time.Time{}
	}
	s := SourceFacts{Zone: zone, Habits: NewHabits(hours, zone, open), Last: hours[len(hours)-1].LastAt, Hours: open}
	for at := from; at.Before(from.Add(span)); at = at.Add(5 * time.Minute) {
		if _, ok := silent(Facts{At: at, Settings: records.DefaultAlertSettings}, s, false); ok {
			return at
		}
	}
	return time.Time{}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	london, india := zone(t, "Europe/London"), zone(t, "Asia/Kolkata")
	day := func(l *time.Location, y int, m time.Month, d, h int) time.Time {
		return time.Date(y, m, d, h, 0, 0, 0, l)
	}
	for name, c := range map[string]struct {
		zone *time.Location
		rate func(time.Time) float64
		// It is heard of from begin, and falls silent at end.
		begin, end time.Time
		// closed are days without any calls, before.
		closed []string
		hours  string
		// The alert must come within this span after end; zero: never within four days.
		after, before time.Duration
	}{
		"a busy office on a Tuesday":                {zone: london, rate: office(20), begin: day(london, 2026, 9, 1, 0), end: day(london, 2026, 11, 10, 11), after: 30 * time.Minute, before: 80 * time.Minute},
		"a small office on a Tuesday":               {zone: london, rate: office(2), begin: day(london, 2026, 9, 1, 0), end: day(london, 2026, 11, 10, 10), after: 2 * time.Hour, before: 8 * time.Hour},
		"a tiny one: three calls a week":            {zone: london, rate: office(3.0 / 45), begin: day(london, 2026, 8, 1, 0), end: day(london, 2026, 11, 10, 10)},
		"every evening, and over the weekend":       {zone: london, rate: office(20), begin: day(london, 2026, 9, 1, 0), end: day(london, 2026, 11, 13, 18), after: 63*time.Hour + 20*time.Minute, before: 65 * time.Hour},
		"new: ten days":                             {zone: london, rate: office(20), begin: day(london, 2026, 10, 31, 0), end: day(london, 2026, 11, 10, 11)},
		"three weeks old":                           {zone: london, rate: office(20), begin: day(london, 2026, 10, 20, 0), end: day(london, 2026, 11, 10, 11), after: 30 * time.Minute, before: 80 * time.Minute},
		"clocks went back on 25 October":            {zone: london, rate: office(20), begin: day(london, 2026, 9, 1, 0), end: day(london, 2026, 10, 26, 18), after: 15*time.Hour + 20*time.Minute, before: 17 * time.Hour},
		"clocks went forward on 29 March":           {zone: london, rate: office(20), begin: day(london, 2026, 2, 1, 0), end: day(london, 2026, 3, 30, 18), after: 15*time.Hour + 10*time.Minute, before: 17 * time.Hour},
		"a zone with half an hour":                  {zone: india, rate: office(20), begin: day(india, 2026, 9, 1, 0), end: day(india, 2026, 11, 10, 11), after: 30 * time.Minute, before: 80 * time.Minute},
		"two holidays behind it":                    {zone: london, rate: office(20), begin: day(london, 2026, 9, 1, 0), end: day(london, 2026, 11, 10, 11), closed: []string{"2026-10-01", "2026-10-20"}, after: 30 * time.Minute},
		"one holiday behind it changes little":      {zone: london, rate: office(20), begin: day(london, 2026, 9, 1, 0), end: day(london, 2026, 11, 10, 11), closed: []string{"2026-10-01"}, after: 30 * time.Minute, before: 90 * time.Minute},
		"round the clock":                           {zone: london, rate: func(time.Time) float64 { return 6 }, begin: day(london, 2026, 9, 1, 0), end: day(london, 2026, 11, 8, 3), after: 30 * time.Minute, before: 4 * time.Hour},
		"round the clock, but open by its rules":    {zone: london, rate: func(time.Time) float64 { return 6 }, begin: day(london, 2026, 9, 1, 0), end: day(london, 2026, 11, 9, 19), hours: "09:00", after: 14*time.Hour + 20*time.Minute, before: 17 * time.Hour},
		"the rules name the holiday: no alert then": {zone: london, rate: office(20), begin: day(london, 2026, 9, 1, 0), end: day(london, 2026, 11, 9, 18), hours: "09:00", after: 39*time.Hour + 20*time.Minute, before: 41 * time.Hour},
		"closed on Saturdays lately":                {zone: london, rate: lately(day(london, 2026, 10, 5, 0)), begin: day(london, 2026, 8, 1, 0), end: day(london, 2026, 11, 6, 18), after: 63*time.Hour + 20*time.Minute, before: 65 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				l := life{c.zone, func(local time.Time) float64 {
					for _, d := range c.closed {
						if local.Format(time.DateOnly) == d {
							return 0
						}
					}
					return c.rate(local)
				}, rand.New(rand.NewPCG(seed, 1))}
				var open mappings.OpeningHours
				if c.hours != "" {
					open = mappings.OpeningHoursOf(`{"rules": [{"name": "closed", "action": "skip", "when": {"field": "started_at", "operator": "outside_hours",
						"value": {"days": ["mon-fri"], "from": "` + c.hours + `", "to": "18:00", "holidays": ["2026-11-10"]}}}], "otherwise": "sync"}`)
					require.True(t, open.Named())
				}
				arrivals := l.arrivals(c.begin, c.end.Add(-15*time.Minute))
				got := firstSilent(c.zone, arrivals, c.end, 4*24*time.Hour, open)
				if c.after == 0 && c.before == 0 {
					require.Zero(t, got, "an alert after %s", got.Sub(c.end))
					continue
				}
				if name == "round the clock, but open by its rules" {
					// The Tuesday is a holiday by the rules.
					require.WithinRange(t, got, c.end.Add(38*time.Hour), c.end.Add(42*time.Hour))
					continue
				}
				if c.before == 0 {
					c.before = 48 * time.Hour
				}
				require.False(t, got.IsZero(), "no alert")
				require.WithinRange(t, got, c.end.Add(c.after-21*time.Minute), c.end.Add(c.before), "after %s", got.Sub(c.end))
			}
		})
	}
}

func lately(closed time.Time) func(time.Time) float64 {
	week := office(20)
	return func(local time.Time) float64 {
		if local.Weekday() == time.Saturday && local.Before(closed) && local.Hour() >= 9 && local.Hour() < 18 {
			return 20
		}
		return week(local)
	}
}

// Sources in which nothing is wrong: a year of each, looked at every ten minutes as the watch does.
func TestFalseAlarms(t *testing.T) {
	t.Parallel()
	london := zone(t, "Europe/London")
	for name, c := range map[string]struct {
		rate func(time.Time) float64
		most int
	}{
		"busy": {office(25), 2}, "middling": {office(4), 2}, "small": {office(0.5), 2},
		// Its ends look like failures until they are known.
		"campaigns now and then": {func(l time.Time) float64 {
			if l.YearDay()/9%2 == 0 {
				return office(15)(l)
			}
			return office(3)(l)
		}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, london)
			arrivals := life{london, c.rate, rand.New(rand.NewPCG(7, 7))}.arrivals(begin, begin.AddDate(1, 0, 0))
			alarms := falseAlarms(london, arrivals)
			require.LessOrEqual(t, alarms, c.most, "false alarms in a year")
		})
	}
}

// falseAlarms looks at the end of each silence, where it is longest.
func falseAlarms(l *time.Location, arrivals []time.Time) int {
	hours := busyHours(arrivals)
	n := 0
	for i := 1; i < len(hours); i++ {
		last, next := hours[i-1].LastAt, hours[i].FirstAt
		if next.Sub(last) < 90*time.Minute {
			continue
		}
		h := NewHabits(hours[:i], l, mappings.OpeningHours{})
		if _, ok := silent(Facts{At: next, Settings: records.DefaultAlertSettings}, SourceFacts{Habits: h, Last: last, Zone: l}, false); ok {
			n++
		}
	}
	return n
}

func TestSilenceEdges(t *testing.T) {
	t.Parallel()
	london := zone(t, "Europe/London")
	end := time.Date(2026, 11, 10, 11, 0, 0, 0, london)
	arrivals := life{london, office(20), rand.New(rand.NewPCG(1, 1))}.arrivals(end.AddDate(0, -2, 0), end)
	hours := busyHours(arrivals)
	s := SourceFacts{Zone: london, Habits: NewHabits(hours, london, mappings.OpeningHours{}), Last: end}
	require.NotNil(t, s.Habits)
	at := func(after time.Duration, open bool, change ...func(*Facts)) bool {
		f := Facts{At: end.Add(after), Settings: records.DefaultAlertSettings}
		for _, c := range change {
			c(&f)
		}
		_, ok := silent(f, s, open)
		return ok
	}
	require.False(t, at(29*time.Minute, false))
	require.True(t, at(2*time.Hour, false))
	require.False(t, at(2*time.Hour, false, func(f *Facts) { f.WatchedFrom = end.Add(100 * time.Minute) }), "callsync itself was away")
	require.False(t, at(2*time.Hour, false, func(f *Facts) { f.Settings.SilentMinutes = 180 }), "the admin wants to wait longer")
	require.True(t, at(100*24*time.Hour, true), "what was told stays until something comes")
	require.False(t, at(100*24*time.Hour, false), "nobody expects a source that has been gone for months")
	found, _ := silent(Facts{At: end.Add(2 * time.Hour), Settings: records.DefaultAlertSettings}, s, false)
	require.Equal(t, end, found.Since)
	require.Regexp(t, `usually comes every (minute|\d+ minutes) or so`, found.Reason)

	for name, bad := range map[string][]records.BusyHour{
		"none": nil, "one": hours[:1], "too few": {hours[0], hours[len(hours)-1]},
		"nonsense": {{Hour: end.AddDate(0, -2, 0), Parts: -5}, {Hour: end, Parts: 10_000}},
	} {
		require.Nil(t, NewHabits(bad, london, mappings.OpeningHours{}), name)
	}
	require.False(t, math.IsInf(s.Habits.Surprise(end, end.AddDate(0, 0, 7)), 0))
	require.Zero(t, s.Habits.Surprise(end, end))
	require.Zero(t, s.Habits.Surprise(end, end.Add(-time.Hour)))
}
