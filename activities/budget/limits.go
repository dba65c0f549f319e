package budget

import (
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// Priority says what yields to what when a CRM's budget is short: a call that is in no CRM yet goes before a change to
// one that is, and both go before backfill.
type Priority int

// The priorities, the most urgent first. Together is a request of several deliveries of backfill (Pass.Yield).
const (
	Live Priority = iota
	Update
	Backfill
	Together
)

// patient tells whether attempts of this priority ask again instead of having a turn reserved.
func (p Priority) patient() bool { return p >= Backfill }

// share is the part of a burst, and of a day's budget, that a priority may use up: what is left is for the more urgent.
func (p Priority) share() float64 {
	switch p {
	case Live:
		return 1
	case Update:
		return connectors.UpdateShare
	}
	return connectors.BackfillShare
}

// bucket is one limit of one connection: one request's worth is emission, and burst of them may come at once.
type bucket struct {
	class    string
	emission time.Duration
	burst    int
	// daily is the day's budget; then emission and burst are not used.
	daily int
	// requests tells that each request counts 1, whatever it costs.
	requests bool
}

// key names the bucket's row: a class may have a limit per second and one per day.
func (b bucket) key() string {
	if b.daily > 0 {
		return "day:" + b.class
	}
	return b.class
}

// limits are the buckets and the zone of a connection's day.
type limits struct {
	buckets []bucket
	zone    *time.Location
	// requests tells that some bucket counts requests beside what they cost.
	requests bool
}

func limitsOf(info connectors.Info, conn records.Connection) limits {
	l := limits{zone: time.UTC}
	if zone, err := time.LoadLocation(strings.TrimSpace(conn.Config["time_zone"])); err == nil {
		l.zone = zone
	}
	for _, limit := range info.Limits {
		if limit.Daily {
			if budget := limit.Of(conn.Config); budget > 0 {
				l.buckets = append(l.buckets, bucket{class: limit.Class, daily: budget, requests: limit.Requests})
			}
		} else if burst, step := limit.Spread(conn.Config); step > 0 {
			l.buckets = append(l.buckets, bucket{class: limit.Class, burst: burst, emission: step, requests: limit.Requests})
		}
		l.requests = l.requests || limit.Requests
	}
	return l
}

// numberOf is where the number of the requests of a class is kept, beside what they cost.
func numberOf(class string) string { return class + "#" }

// counts tells whether what is kept under key counts against b: the cost of a class, or the number of its requests.
func (b bucket) counts(key string) bool {
	class, number := strings.CutSuffix(key, "#")
	return number == b.requests && (b.class == "" || b.class == class)
}

// bill is what one request of class takes, by what is counted.
func (l limits) bill(class string, cost int) map[string]int {
	out := map[string]int{class: cost}
	if l.requests {
		out[numberOf(class)] = 1
	}
	return out
}

// day is the day whose budget is in use, and when it ends.
func (l limits) day(now time.Time) (string, time.Time) {
	t := now.In(l.zone)
	return t.Format(time.DateOnly), time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, l.zone)
}

// Daily is what is used of a daily budget.
type Daily struct {
	// Class names the requests it counts; empty for all.
	Class  string
	Used   int64
	Budget int64
	// Ends is when it is filled again.
	Ends time.Time
}

// DailyUse says of a connection's daily budgets what is used of the day at now, by what the store has counted.
func DailyUse(info connectors.Info, conn records.Connection, counted []records.LimitUse, now time.Time) []Daily {
	l := limitsOf(info, conn)
	day, ends := l.day(now)
	var out []Daily
	for _, b := range l.buckets {
		if b.daily == 0 {
			continue
		}
		d := Daily{Class: b.class, Budget: int64(b.daily), Ends: ends}
		for _, u := range counted {
			if u.Class == b.key() && u.Day == day {
				d.Used = u.Used
			}
		}
		out = append(out, d)
	}
	return out
}
