package telephony

import (
	"fmt"
	"slices"
	"time"

	"github.com/callsync/callsync/records"
)

// Clock is how the times of a source compare with the receiver's clock, by its latest calls.
type Clock struct {
	Samples int
	// Median is how long before its first final report was received a call seems to have ended; negative: after.
	// Spread is the range of the middle half.
	Median, Spread time.Duration
	// Skew is by how much the source's times seem to be read wrongly, as a whole number of quarters of an hour: positive
	// where calls seem to end too early. Zero where nothing looks wrong.
	Skew time.Duration
	// Zone is a time zone that would be right; empty where none is known. Offset is what the phone system's clock seems to
	// be ahead of UTC; it means something only where Real.
	Zone   string
	Offset time.Duration
	// Real tells that there are places with that offset. Where there are none, the phone system's clock is wrong.
	Real bool
}

// SkewText writes a time of whole quarters of an hour: "5 h 30 min".
func SkewText(d time.Duration) string {
	h, m := d/time.Hour, d%time.Hour/time.Minute
	switch {
	case h == 0:
		return fmt.Sprintf("%d min", m)
	case m == 0:
		return fmt.Sprintf("%d h", h)
	}
	return fmt.Sprintf("%d h %d min", h, m)
}

const (
	quarter = 15 * time.Minute
	// clockSamples is how many calls it takes to say anything.
	clockSamples = 8
	// clockSpread is how far the middle half of the samples may be apart. A wrong zone shifts them all alike; reports that
	// come late do not come equally late.
	clockSpread = 5 * time.Minute
	// A report comes within moments of the end: this much earlier or later than a skew alone would have it.
	clockEarly, clockLate = 2 * time.Minute, 4 * time.Minute
	// clockFarthest is more than any two places of the earth are apart.
	clockFarthest = 26*time.Hour + clockLate
)

// CompareClocks looks at by how many seconds calls seem to end before they are received, and says whether they were read
// in a wrong time zone. zone is the one they were read in ("" is UTC), at when, candidates are zones in which the phone
// system may be, the likeliest first. It warns of whole hours, and of halves and quarters where the phone system would
// then be somewhere: there are no places half an hour from London, but India is half an hour from Pakistan.
func CompareClocks(seconds []int64, zone string, at time.Time, candidates []string) Clock {
	c := Clock{Samples: len(seconds)}
	if len(seconds) == 0 {
		return c
	}
	sorted := slices.Sorted(slices.Values(seconds))
	part := func(of float64) time.Duration {
		return time.Duration(sorted[int(of*float64(len(sorted)-1)+0.5)]) * time.Second
	}
	c.Median, c.Spread = part(0.5), part(0.75)-part(0.25)
	if c.Samples < clockSamples || c.Spread > clockSpread || c.Median > clockFarthest || c.Median < -clockFarthest {
		return c
	}
	const usual = (clockLate - clockEarly) / 2
	skew := (c.Median - usual).Round(quarter)
	if late := c.Median - skew; skew == 0 || late < -clockEarly || late > clockLate {
		return c
	}
	read, err := time.LoadLocation(zone)
	if err != nil {
		return c
	}
	_, ahead := at.In(read).Zone()
	c.Offset = time.Duration(ahead)*time.Second - skew
	c.Real = slices.Contains(oddOffsets, c.Offset) || c.Offset%time.Hour == 0 && c.Offset >= -12*time.Hour && c.Offset <= 14*time.Hour
	if !c.Real && skew%time.Hour != 0 {
		return c
	}
	c.Skew = skew
	for _, name := range candidates {
		l, err := time.LoadLocation(name)
		if err != nil || name == "" {
			continue
		}
		if _, ahead := at.In(l).Zone(); time.Duration(ahead)*time.Second == c.Offset {
			c.Zone = name
			break
		}
	}
	return c
}

// UTCOffset writes an offset as people do: "UTC+05:30".
func UTCOffset(d time.Duration) string {
	sign := '+'
	if d < 0 {
		sign, d = '-', -d
	}
	return fmt.Sprintf("UTC%c%02d:%02d", sign, d/time.Hour, d%time.Hour/time.Minute)
}

func hm(h, m time.Duration) time.Duration { return h*time.Hour + m*time.Minute }

// oddOffsets are the offsets of places whose clocks are not whole hours from UTC, in winter or summer.
var oddOffsets = []time.Duration{
	-hm(9, 30), -hm(3, 30), -hm(2, 30), hm(3, 30), hm(4, 30), hm(5, 30), hm(5, 45), hm(6, 30), hm(8, 45), hm(9, 30), hm(10, 30), hm(12, 45), hm(13, 45),
}

// zonesOf are the zones of countries from which customers come, the most populous first.
var zonesOf = map[string][]string{
	"AE": {"Asia/Dubai"}, "AU": {"Australia/Sydney", "Australia/Brisbane", "Australia/Perth", "Australia/Adelaide"}, "BD": {"Asia/Dhaka"},
	"CA": {"America/Toronto", "America/Vancouver", "America/Edmonton", "America/Winnipeg", "America/Halifax"}, "CH": {"Europe/Zurich"},
	"DE": {"Europe/Berlin"}, "ES": {"Europe/Madrid"}, "FR": {"Europe/Paris"}, "GB": {"Europe/London"}, "IE": {"Europe/Dublin"},
	"IN": {"Asia/Kolkata"}, "IT": {"Europe/Rome"}, "LK": {"Asia/Colombo"}, "NL": {"Europe/Amsterdam"}, "NP": {"Asia/Kathmandu"},
	"NZ": {"Pacific/Auckland"}, "PH": {"Asia/Manila"}, "PK": {"Asia/Karachi"}, "SG": {"Asia/Singapore"},
	"US": {"America/New_York", "America/Chicago", "America/Los_Angeles", "America/Denver", "America/Phoenix"}, "ZA": {"Africa/Johannesburg"},
}

// TypicalZones are the time zones in which a phone system of this kind, with numbers of this country, is likely to be.
func TypicalZones(info Info, country string) []string {
	var out []string
	for _, name := range append(append([]string{info.TimeZone}, zonesOf[country]...), "UTC") {
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// ClockOf compares the clock of a source with ours, by the samples that were kept of it.
func ClockOf(providers Registry, s records.Source, k records.ClockSamples) Clock {
	var info Info
	if p, ok := providers[s.Provider]; ok {
		info = p.Info()
	}
	return CompareClocks(k.Seconds, SettingsOf(info, s, nil).Location.String(), k.At, TypicalZones(info, s.DefaultCountry))
}
