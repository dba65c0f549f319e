package salesforce

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/callsync/callsync/connectors"
)

// limitHeader is on every answer: api-usage=18/5000, at times followed by per-app-api-usage=…
// (REST guide, Limit Info Header).
const limitHeader = "Sforce-Limit-Info"

var apiUsage = regexp.MustCompile(`(?:^|[\s,;])api-usage=(\d{1,12})/(\d{1,12})`)

// lookAgain is how long callsync holds back before one request finds out whether the org has requests again: the limit is
// over the last 24 hours, so it comes back bit by bit.
const lookAgain = 15 * time.Minute

// usage is what Salesforce last said of the org's requests in 24 hours, by all of its integrations.
type usage struct {
	mu        sync.Mutex
	used, max int64
	at        time.Time
}

// read takes the usage from an answer.
func (u *usage) read(now time.Time, h http.Header) {
	m := apiUsage.FindStringSubmatch(h.Get(limitHeader))
	if m == nil {
		return
	}
	used, _ := strconv.ParseInt(m[1], 10, 64)
	most, _ := strconv.ParseInt(m[2], 10, 64)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.used, u.max, u.at = used, most, now
}

// spent refuses a request while the org has no more left than what is reserved for others. Every lookAgain one passes.
func (u *usage) spent(now time.Time, reserve float64) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	left := u.max - u.used
	if u.max <= 0 || float64(left) > reserve*float64(u.max) {
		return nil
	}
	wait := u.at.Add(lookAgain).Sub(now)
	if wait <= 0 {
		u.at = now
		return nil
	}
	return &connectors.Error{Class: connectors.QuotaExhausted, RetryAfter: wait, NotSent: true,
		Public: fmt.Sprintf("Your Salesforce org has used %d of the %d API requests of its last 24 hours; callsync leaves the rest to your other integrations and goes on by itself.", u.used, u.max),
		Err:    fmt.Errorf("salesforce: %d of %d requests used", u.used, u.max)}
}
