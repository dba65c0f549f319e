package connectors

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// RateLimit is one of a vendor's limits: a class of requests may cost Budget within Per.
type RateLimit struct {
	// Class names the requests it counts; "" counts all of them.
	Class  string        `json:"class"`
	Budget int           `json:"budget"`
	Per    time.Duration `json:"per"`
	// Burst is how much of Budget may be used at one moment; zero means all of it.
	Burst int `json:"burst,omitempty"`
	// Daily budgets are filled at midnight in the zone that the connection's setting "time_zone" names, UTC without one;
	// Per is not used.
	Daily bool `json:"daily,omitempty"`
	// Requests counts every request as 1, whatever WithRate says that it costs: vendors that price requests by the day
	// limit their number by the second.
	Requests bool `json:"requests,omitempty"`
	// Setting, where set, names the connection's setting with which an admin replaces Budget: limits differ by plan.
	Setting string `json:"setting,omitempty"`
}

// burstPart is the part of a limit that may be used at one moment where the vendor's description says nothing. The rest
// is spread evenly, so that burst and flow together never exceed the limit in any window of its length.
const burstPart = 0.25

// The parts of a budget that changes to calls which are in the CRM already, and backfill, may use up: what is left is for
// calls that are in no CRM yet.
const (
	UpdateShare   = 0.75
	BackfillShare = 0.5
)

// Of is the limit's budget for a connection: what its settings say, else the vendor's.
func (l RateLimit) Of(config map[string]string) int {
	if l.Setting != "" {
		if n, err := strconv.Atoi(strings.TrimSpace(config[l.Setting])); err == nil && n > 0 {
			return n
		}
	}
	return l.Budget
}

// Spread is how a budget that is no daily one is kept: burst requests may come at once, and one more after each step. A
// step of zero means that there is no such limit.
func (l RateLimit) Spread(config map[string]string) (burst int, step time.Duration) {
	budget := l.Of(config)
	if budget <= 0 || l.Per <= 0 || l.Daily {
		return 0, 0
	}
	burst = l.Burst
	if burst <= 0 || burst >= budget {
		burst = max(1, int(float64(budget)*burstPart))
	}
	return burst, l.Per / time.Duration(max(1, budget-burst))
}

// The classes of requests that vendors limit apart from the rest.
const (
	RateSearch = "search"
	RateWrite  = "write"
	RateUpload = "upload"
)

type rateKey struct{}

type charge struct {
	class string
	cost  int
}

// WithRate tells the transport which limit a request counts against beside those of all requests, and what it costs: 1
// for most vendors, more where requests have prices.
func WithRate(ctx context.Context, class string, cost int) context.Context {
	return context.WithValue(ctx, rateKey{}, charge{class, cost})
}

// RateOf is what WithRate has set: no class and a cost of 1 where it was not called.
func RateOf(ctx context.Context) (class string, cost int) {
	if c, ok := ctx.Value(rateKey{}).(charge); ok {
		return c.class, max(c.cost, 1)
	}
	return "", 1
}
