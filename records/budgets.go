package records

import "time"

// BudgetCharge is what some requests cost in one of a connection's budgets. A negative cost gives back.
type BudgetCharge struct {
	// Class names the budget among those of the connection.
	Class string
	// Emission is how much later the bucket is empty again for it; Tolerance is how full the bucket may get.
	Emission  time.Duration
	Tolerance time.Duration
	// Day, where set, names the day whose budget is charged instead: Cost of Daily, until DayEnds.
	Day     string
	DayEnds time.Time
	Cost    int
	Daily   int
}

// LimitUse is what is used of one of a connection's limits.
type LimitUse struct {
	// Class is the limit's; empty for all requests.
	Class string
	// BlockedUntil is when the CRM wants requests again, zero if it does.
	BlockedUntil time.Time
	// Day and Used are of a daily limit: the last day on which something was used, and how much.
	Day  string
	Used int64
}

// Health is whether a connection's CRM could be reached lately.
type Health struct {
	// Failures in a row.
	Failures int
	// SuspendedUntil is when the next delivery tries whether the CRM is back; zero while it is not suspended. Since is
	// when the failures began.
	SuspendedUntil time.Time
	Since          time.Time
}
