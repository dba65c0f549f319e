package admin

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// limitRow is one limit of a CRM with what is used of it.
type limitRow struct {
	// Label says what it counts, Allowed how much, Used and Left how much of that; Refills when there is more.
	Label, Allowed, Used, Left, Refills string
	// Percent is the part that is used, for a bar; negative where there is none to show.
	Percent int
	// ResetAt is when a daily limit is filled again; BlockedUntil is when the CRM wants requests again.
	ResetAt, BlockedUntil time.Time
	// Setting names the setting that replaces the vendor's number; empty where there is none.
	Setting string
	Tone    string
}

// forecast is what is known of a connection's limits and of how long they last.
type forecast struct {
	Rows []limitRow
	// Lines are sentences: the rate, when a limit is reached and what is done then.
	Lines [][]part
	// Concurrency is how many requests may be under way at once; zero for no limit.
	Concurrency int
	// Bars are the requests of the last 24 hours, hour by hour, as parts of the most.
	Bars []usageBar
	// PerMinute is how many calls a minute the limits allow; zero where they do not say.
	PerMinute float64
	// PerCall is how many requests a delivery takes; zero while nothing was delivered.
	PerCall float64
	// DayLeft is what is left of the narrowest daily limit, in requests; negative where there is none.
	DayLeft int64
	DayMost int64
	DayUnit string
	// CostPerCall is what a delivery costs of the daily limit.
	CostPerCall float64
}

// usageBar is one hour of requests.
type usageBar struct {
	Hour     time.Time
	Requests int64
	// X and Height are the bar's place in a drawing 24 hours wide and 40 high.
	X, Height int
}

// usualRequests is how many requests a delivery takes where none was measured yet.
const usualRequests = 3

// forecastOf reckons how long a connection's limits last, by the rate of the last hour.
func forecastOf(info connectors.Info, conn records.Connection, u records.ConnectionUsage, now time.Time) forecast {
	f := forecast{Concurrency: info.Concurrency, DayLeft: -1}
	day, hour := u.Day(), u.LastHour(now)
	if day.Deliveries > 0 {
		f.PerCall = float64(day.Requests) / float64(day.Deliveries)
		f.CostPerCall = float64(day.Cost) / float64(day.Deliveries)
	}
	f.Bars = usageBars(u.Hours, now)
	switch {
	case hour.Deliveries > 0:
		f.Lines = append(f.Lines, sentence("", "", fmt.Sprintf("In the last hour %s for %s: %s for each.", numbered(hour.Requests, "request"), numberedAs(hour.Deliveries, "delivery", "deliveries"), decimal(f.PerCall))).Parts)
	case day.Deliveries > 0:
		f.Lines = append(f.Lines, sentence("", "", fmt.Sprintf("Nothing was delivered in the last hour; in the last 24 hours %s for %s.", numbered(day.Requests, "request"), numberedAs(day.Deliveries, "delivery", "deliveries"))).Parts)
	default:
		f.Lines = append(f.Lines, sentence("", "", "Nothing was delivered in the last 24 hours.").Parts)
	}
	levels := map[string]records.BudgetLevel{}
	for _, l := range u.Levels {
		levels[l.Class] = l
	}
	zone := zoneOf(conn)
	for _, limit := range info.Limits {
		budget := limit.Of(conn.Config)
		if budget <= 0 {
			continue
		}
		unit := unitOf(limit)
		row := limitRow{Label: classLabel(limit.Class, unit), Setting: limit.Setting, Percent: -1}
		rate := hour.Requests
		if !limit.Requests {
			rate = hour.Cost
		}
		if limit.Daily {
			f.daily(&row, levels["day:"+limit.Class], limit, budget, rate, unit, zone, now)
		} else if burst, step := limit.Spread(conn.Config); step > 0 {
			f.flowing(&row, levels[limit.Class], limit, burst, step, budget, rate, unit, now)
		}
		f.Rows = append(f.Rows, row)
	}
	return f
}

// daily fills the row of a limit that is filled again at midnight, and says when it is reached.
func (f *forecast) daily(row *limitRow, level records.BudgetLevel, limit connectors.RateLimit, budget int, rate int64, unit string, zone *time.Location, now time.Time) {
	local := now.In(zone)
	row.ResetAt = time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, zone)
	used := int64(0)
	if level.Day == local.Format(time.DateOnly) {
		used = level.Used
	}
	left := max(0, int64(budget)-used)
	row.Allowed, row.Used, row.Left = grouped(int64(budget))+" a day", grouped(used), grouped(left)
	row.Percent, row.Tone = percent(used, int64(budget)), toneOfShare(used, int64(budget))
	row.BlockedUntil = level.BlockedUntil
	if limit.Class == "" && (f.DayLeft < 0 || left < f.DayLeft) {
		f.DayLeft, f.DayMost, f.DayUnit = left, int64(budget), unit
	}
	switch {
	case left == 0:
		f.say("The daily limit is used up. callsync keeps everything and goes on when it is filled again, at ", row.ResetAt, ".")
	case rate <= 0:
	case float64(left)/float64(rate) < row.ResetAt.Sub(now).Hours():
		at := now.Add(inHours(float64(left) / float64(rate)))
		f.say("At the rate of the last hour the daily limit is reached at ", at, ". From then on calls wait here until it is filled again at ", row.ResetAt,
			"; nothing is lost. Backfill stops at half of it and changes at three quarters, so that new calls go first.")
	default:
		by := used + int64(float64(rate)*row.ResetAt.Sub(now).Hours())
		f.say(fmt.Sprintf("At the rate of the last hour %d %% of the daily limit will be used when it is filled again, at ", percent(by, int64(budget))), row.ResetAt, ".")
	}
}

// flowing fills the row of a limit that is filled again all the time.
func (f *forecast) flowing(row *limitRow, level records.BudgetLevel, limit connectors.RateLimit, burst int, step time.Duration, budget int, rate int64, unit string, now time.Time) {
	row.Allowed = grouped(int64(budget)) + " in " + windowWords(limit.Per)
	used := min(int64(math.Ceil(float64(level.Ahead)/float64(step))), int64(burst))
	row.Used, row.Left = grouped(used), fmt.Sprintf("%s at once", grouped(int64(burst)-used))
	row.Percent, row.Tone = percent(used, int64(burst)), toneOfShare(used, int64(burst))
	row.BlockedUntil = level.BlockedUntil
	perHour := float64(time.Hour) / float64(step)
	row.Refills = flowWords(step, unit)
	if limit.Class == "" {
		need := f.PerCall
		if !limit.Requests && f.CostPerCall > 0 {
			need = f.CostPerCall
		}
		if need <= 0 {
			need = usualRequests
		}
		if may := perHour / 60 / need; f.PerMinute == 0 || may < f.PerMinute {
			f.PerMinute = may
		}
	}
	if limit.Per < time.Hour || limit.Class != "" || rate <= 0 {
		return
	}
	if over := float64(rate) - perHour; over > 0 {
		at := now.Add(inHours(float64(int64(burst)-used) / over))
		f.say("At the rate of the last hour what may be used at once is gone at ", at,
			fmt.Sprintf(". From then on calls go out as fast as the limit fills again, %s; nothing is lost, and new calls go first.", flowWords(step, unit)))
		return
	}
	f.say(fmt.Sprintf("The rate of the last hour is %d %% of what the limit lets flow for good: it is not reached.", percent(rate, int64(perHour))))
}

func (f *forecast) say(words ...any) { f.Lines = append(f.Lines, sentence("", "", words...).Parts) }

// Takes is how long so many calls take at the pace that the limits allow; zero where they do not say.
func (f forecast) Takes(calls int64) time.Duration {
	if f.PerMinute <= 0 || calls <= 0 {
		return 0
	}
	return time.Duration(float64(calls) / f.PerMinute * float64(time.Minute))
}

// drainWords say how long it takes to send so many calls.
func (f forecast) drainWords(calls int64) string {
	if takes := f.Takes(calls); takes > 0 {
		return "at the pace that the CRM’s limits allow that takes about " + roughly(takes)
	}
	return "they go out one after another, as fast as the CRM answers"
}

// usageBars are the last 24 hours, the oldest first, those without requests included.
func usageBars(all []records.HourlyUsage, now time.Time) []usageBar {
	if len(all) == 0 {
		return nil
	}
	most := int64(1)
	by := map[int64]int64{}
	for _, h := range all {
		by[h.Hour.Unix()] = h.Requests
		most = max(most, h.Requests)
	}
	first := now.UTC().Truncate(time.Hour).Add(-23 * time.Hour)
	out := make([]usageBar, 24)
	for i := range out {
		at := first.Add(time.Duration(i) * time.Hour)
		n := by[at.Unix()]
		out[i] = usageBar{Hour: at, Requests: n, X: i * 10, Height: int((n*40 + most - 1) / most)}
	}
	return out
}

// zoneOf is the zone of a connection's days: that of its setting, else UTC.
func zoneOf(c records.Connection) *time.Location {
	if zone, err := time.LoadLocation(strings.TrimSpace(c.Config["time_zone"])); err == nil {
		return zone
	}
	return time.UTC
}

// unitOf is what a limit counts.
func unitOf(l connectors.RateLimit) string {
	switch {
	case strings.Contains(l.Setting, "token"):
		return "token"
	case strings.Contains(l.Setting, "credit"):
		return "credit"
	}
	return "request"
}

func classLabel(class, unit string) string {
	switch class {
	case "":
		if unit != "request" {
			return title(unit) + "s"
		}
		return "All requests"
	case connectors.RateSearch:
		return "Searches"
	case connectors.RateWrite:
		return "Writes"
	case connectors.RateUpload:
		return "Uploads"
	}
	return title(class)
}

// flowWords say how fast a limit is filled: one more every so often.
func flowWords(step time.Duration, unit string) string {
	for _, per := range []struct {
		span time.Duration
		name string
	}{{time.Second, "second"}, {time.Minute, "minute"}, {time.Hour, "hour"}} {
		if n := float64(per.span) / float64(step); n >= 1 {
			return decimal(n) + " " + unit + "s a " + per.name
		}
	}
	return decimal(24*float64(time.Hour)/float64(step)) + " " + unit + "s a day"
}

// windowWords is the length of a limit's window.
func windowWords(d time.Duration) string {
	switch {
	case d == time.Second:
		return "a second"
	case d < time.Minute:
		return decimal(d.Seconds()) + " seconds"
	case d == time.Minute:
		return "a minute"
	case d == time.Hour:
		return "an hour"
	case d%time.Hour == 0:
		return fmt.Sprintf("any %d hours", d/time.Hour)
	}
	return decimal(d.Minutes()) + " minutes"
}

// roughly is a span as people plan with it.
func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "a minute"
	case d < 90*time.Minute:
		return plural(int(math.Ceil(d.Minutes())), "minute")
	case d < 36*time.Hour:
		return plural(int(math.Round(d.Hours())), "hour")
	}
	return plural(int(math.Round(d.Hours()/24)), "day")
}

// grouped writes a number with its thousands apart.
func grouped(n int64) string {
	if n < 0 {
		return "-" + grouped(-n)
	}
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// numbered is a number of things.
func numbered(n int64, one string) string { return numberedAs(n, one, one+"s") }

func numberedAs(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// decimal writes a number with one place where it is small.
func decimal(x float64) string {
	if x >= 10 || x == math.Trunc(x) {
		return grouped(int64(math.Round(x)))
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
}

func percent(part, whole int64) int {
	if whole <= 0 {
		return 0
	}
	return int(math.Round(100 * float64(part) / float64(whole)))
}

func toneOfShare(used, most int64) string {
	switch {
	case used >= most:
		return "trouble"
	case used*4 >= most*3:
		return "wait"
	}
	return "done"
}

func inHours(h float64) time.Duration {
	return time.Duration(min(h, 24*365) * float64(time.Hour))
}
