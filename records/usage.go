package records

import "time"

// Usage is what deliveries have asked of a CRM in some span of time.
type Usage struct {
	// Deliveries are attempts that sent something.
	Deliveries int64
	Requests   int64
	// Cost is the sum of what the requests cost; their number where they have no prices.
	Cost int64
}

// Plus is the sum of two.
func (u Usage) Plus(o Usage) Usage {
	return Usage{u.Deliveries + o.Deliveries, u.Requests + o.Requests, u.Cost + o.Cost}
}

// HourlyUsage is the Usage of the hour that began then.
type HourlyUsage struct {
	Hour time.Time
	Usage
}

// BudgetLevel is how full one of a connection's budgets is.
type BudgetLevel struct {
	// Class names the limit; that of a daily one begins with "day:".
	Class string
	// Ahead is for how long the budget is taken already: what is used of it flows out again in that time.
	Ahead time.Duration
	// Day and Used are those of a daily limit.
	Day  string
	Used int64
	// BlockedUntil is when the CRM wants requests again; zero if it does.
	BlockedUntil time.Time
}

// ConnectionUsage is what is known of how much a connection asks of its CRM, and what it keeps back.
type ConnectionUsage struct {
	// Hours are those of the last day that had deliveries, the oldest first; the last one may still go on.
	Hours  []HourlyUsage
	Levels []BudgetLevel
	// Held counts what is on hold, Askable how much of that a person must look into before it is sent again.
	Held, Askable int64
	// Shown counts the calls that shadow mode has only shown; ShownMany tells that there are more.
	Shown     int64
	ShownMany bool
}

// LastHour is what was asked in the 60 minutes before now, as far as whole hours tell: of the hour before the part that
// still counts.
func (u ConnectionUsage) LastHour(now time.Time) Usage {
	hour := now.Truncate(time.Hour)
	part := 1 - float64(now.Sub(hour))/float64(time.Hour)
	var out Usage
	for _, h := range u.Hours {
		switch {
		case h.Hour.Equal(hour):
			out = out.Plus(h.Usage)
		case h.Hour.Equal(hour.Add(-time.Hour)):
			share := func(n int64) int64 { return int64(float64(n)*part + 0.5) }
			out = out.Plus(Usage{share(h.Deliveries), share(h.Requests), share(h.Cost)})
		}
	}
	return out
}

// Day is what was asked in all of Hours.
func (u ConnectionUsage) Day() Usage {
	var out Usage
	for _, h := range u.Hours {
		out = out.Plus(h.Usage)
	}
	return out
}

// RecentDelivery is the delivery of one of the latest calls to a connection.
type RecentDelivery struct {
	CallID, SourceID, Number, Name, Direction string
	// CallAt is when the call began, UpdatedAt when something became of its delivery last.
	CallAt, UpdatedAt time.Time
	State, Class      string
	Reason, RemoteURL string
	RetryAt           time.Time
}

// HeldItem is one delivery that a cause holds up.
type HeldItem struct {
	DeliveryID string
	// Object is the delivery's; RecordID is the call, message or form, of a follow-up its call.
	Object, RecordID string
	Number, Name     string
	// At is when the call began, zero for what is none; HeldAt when it was put on hold last.
	At, HeldAt time.Time
}

// HoldProgress is how far the retry of a hold has come.
type HoldProgress struct {
	// Left have not been tried since; Again were tried, and are on hold for the same cause.
	Left, Again int64
}

// SeenDisposition is a disposition that calls have had.
type SeenDisposition struct {
	Value string
	Calls int64
	Last  time.Time
}
