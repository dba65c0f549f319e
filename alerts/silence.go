package alerts

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// What it takes to judge a source's silence.
const (
	// habitSpan is how far back its habits are read, recentSpan the part whose lower figures count: an office that has
	// closed on Saturdays for some weeks is not expected on Saturdays.
	habitSpan  = 56 * 24 * time.Hour
	recentSpan = 28 * 24 * time.Hour
	// youngest is how long a source must have been heard of, and fewestParts in how many five-minute parts.
	youngest    = 14 * 24 * time.Hour
	fewestParts = 40

	part         = 5 * time.Minute
	partsPerHour = 12
	hoursPerWeek = 7 * 24
)

const (
	// leastSurprise is the floor: by chance alone such a silence comes once in exp(8), about 3,000, times.
	leastSurprise = 8
	// perSilence spreads chance over all the silences of a source, so that a busy one has no more false alarms than a
	// small one: one in this many days.
	perSilence = 1000
	// beyond is how much longer than what was usual a silence must be. Of the silences of a span the third longest counts:
	// the longest ones may be outages or holidays.
	beyond  = 1.5
	longest = 3
	// still is the part of it below which an open alert is over.
	still = 0.7
)

// Habits are how a source usually sends, by the hour of its week. Requests come in groups, several of each call, so it is
// not requests that are counted but the five-minute parts of an hour in which any came.
type Habits struct {
	zone *time.Location
	open mappings.OpeningHours
	// busy is the share of parts in which something comes, by hour of the week.
	busy [hoursPerWeek]float64
	// perDay is how many parts a day has on average.
	perDay float64
	// usual is the surprise of the longest silence within the span that is no exception.
	usual float64
}

// NewHabits reads habits from the busy hours of a source, up to the last of them. It returns nil where too little is known.
func NewHabits(hours []records.BusyHour, zone *time.Location, open mappings.OpeningHours) *Habits {
	hours = slices.Clone(hours)
	slices.SortFunc(hours, func(a, b records.BusyHour) int { return a.Hour.Compare(b.Hour) })
	if len(hours) == 0 {
		return nil
	}
	// The last hour is still running, or the one in which it fell silent: its figures are not whole.
	to := hours[len(hours)-1].Hour
	from := to.Add(-habitSpan)
	hours = slices.DeleteFunc(hours, func(h records.BusyHour) bool { return h.Hour.Before(from) })
	from = later(from, hours[0].Hour)
	if to.Sub(from) < youngest {
		return nil
	}
	h := &Habits{zone: zone, open: open}
	sum, parts := map[time.Time]int{}, 0
	for _, hour := range hours {
		if hour.Hour.Before(to) {
			sum[hour.Hour.UTC()] += min(max(hour.Parts, 0), partsPerHour)
		}
	}
	var all, recent [hoursPerWeek]struct{ weeks, parts float64 }
	for at := from.UTC(); at.Before(to); at = at.Add(time.Hour) {
		n := sum[at]
		parts += n
		i := h.hourOfWeek(at)
		all[i].weeks++
		all[i].parts += float64(n)
		if to.Sub(at) <= recentSpan {
			recent[i].weeks++
			recent[i].parts += float64(n)
		}
	}
	if parts < fewestParts {
		return nil
	}
	for i := range h.busy {
		// One part more than there were keeps what has always been busy from being certain.
		share := func(weeks, parts float64) float64 { return parts / (partsPerHour*weeks + 1) }
		h.busy[i] = min(share(all[i].weeks, all[i].parts), share(recent[i].weeks, recent[i].parts))
	}
	h.perDay = float64(parts) / to.Sub(from).Hours() * 24
	h.usual = h.longestUsual(hours)
	return h
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// hourOfWeek is that of the source's clock, which goes with summer time.
func (h *Habits) hourOfWeek(t time.Time) int {
	t = t.In(h.zone)
	return int(t.Weekday())*24 + t.Hour()
}

// Surprise is how unlikely it is that nothing comes between two moments: minus the logarithm of the chance. Times outside
// the business hours that rules name do not count.
func (h *Habits) Surprise(from, to time.Time) float64 {
	sum := 0.0
	for at := from; at.Before(to); {
		next := at.Truncate(time.Hour).Add(time.Hour)
		if next.After(to) {
			next = to
		}
		if h.open.Open(at.Add(next.Sub(at)/2), h.zone) {
			sum -= next.Sub(at).Minutes() / part.Minutes() * math.Log1p(-h.busy[h.hourOfWeek(at)])
		}
		at = next
	}
	return sum
}

// Threshold is the surprise from which on a silence is not chance, and not what this source does now and then.
func (h *Habits) Threshold() float64 {
	return max(leastSurprise, math.Log(perSilence*max(h.perDay, 1)), beyond*h.usual)
}

func (h *Habits) longestUsual(hours []records.BusyHour) float64 {
	var top [longest]float64
	add := func(s float64) {
		for i := range top {
			if s > top[i] {
				s, top[i] = top[i], s
			}
		}
	}
	for i, hour := range hours {
		add(h.Surprise(hour.Hour, hour.Hour.Add(min(hour.Gap, time.Hour))))
		if i > 0 {
			add(h.Surprise(hours[i-1].LastAt, hour.FirstAt))
		}
	}
	return top[longest-1]
}

// every is about how long it takes for something to come around a moment; zero for never.
func (h *Habits) every(at time.Time) time.Duration {
	if share := h.busy[h.hourOfWeek(at)]; share > 0 {
		return time.Duration(float64(part) / share)
	}
	return 0
}

// silent judges whether a source has been silent for too long.
func silent(f Facts, s SourceFacts, open bool) (Finding, bool) {
	if s.Habits == nil || s.Last.IsZero() {
		return Finding{}, false
	}
	// What nobody was there to take in says nothing.
	from := later(s.Last, f.WatchedFrom)
	if f.At.Sub(from) > habitSpan {
		// Nobody expects it any more; an alert that was told stays.
		from = f.At.Add(-habitSpan)
		if !open {
			return Finding{}, false
		}
	}
	enough := s.Habits.Threshold()
	if open {
		enough *= still
	}
	if !open && f.At.Sub(from) < time.Duration(f.Settings.SilentMinutes)*time.Minute || s.Habits.Surprise(from, f.At) < enough {
		return Finding{}, false
	}
	usually := ""
	if every := s.Habits.busiest(from, f.At); every > 0 {
		usually = " At this time of the week something usually comes every " + about(every) + " or so."
	}
	return Finding{Kind: records.AlertSilent, Severity: records.SeverityCritical, Since: s.Last,
		Reason: "Nothing has arrived since then." + usually + " Vendors switch webhooks off without saying so: look whether the webhook is on in the phone system, then make a call."}, true
}

// busiest is the shortest time in which something usually comes, of the hours of a silence.
func (h *Habits) busiest(from, to time.Time) time.Duration {
	var least time.Duration
	for at := from; at.Before(to) && at.Sub(from) < 7*24*time.Hour; at = at.Add(time.Hour) {
		if every := h.every(at); every > 0 && h.open.Open(at, h.zone) {
			least = min(cmp.Or(least, every), every)
		}
	}
	return least
}
