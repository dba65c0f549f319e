package connectors

import (
	"context"
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
