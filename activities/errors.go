package activities

import (
	"errors"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/callsync/callsync/connectors"
)

// Limits of the time between two attempts. A longer Retry-After is cut to maxDelay: the quota may be raised, and a
// connection may be fixed, before it is over.
const (
	firstDelay = 2 * time.Second
	maxBackoff = 15 * time.Minute
	maxDelay   = time.Hour
)

// retryDelay is how long to wait after the attempt-th failure (from 1): what the CRM asks for, else doubling from
// firstDelay. Temporal's own back-off has no jitter, so it is added here: up to a fifth, never earlier than asked.
func retryDelay(e *connectors.Error, attempt int32) time.Duration {
	d := e.RetryAfter
	if d <= 0 {
		d = maxBackoff
		if attempt < 10 {
			d = min(maxBackoff, firstDelay<<(max(attempt, 1)-1))
		}
	}
	d = min(d, maxDelay)
	return d + time.Duration(rand.Int64N(int64(d)/5+1))
}

// retryError is the error that makes Temporal try again after delay. It carries the class and nothing else: the words
// for people and operators are in the delivery's row, and nothing personal may reach Temporal's history.
func retryError(class connectors.Class, delay time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("delivery will be tried again", string(class), temporal.ApplicationErrorOptions{
		NextRetryDelay: delay,
		Category:       temporal.ApplicationErrorCategoryBenign,
	})
}

// errNoLookup marks an unknown outcome that no look-up can clear up: time does not help, a person must look.
var errNoLookup = errors.New("the CRM cannot be asked for the record")

// errStore marks failures of our own database: they are retried soon and never blamed on the CRM.
var errStore = errors.New("store")

// maxStoreDelay is how long deliveries wait at most for a database that is away: they should go on soon after it is back.
const maxStoreDelay = time.Minute

// storeError wraps an error of the store so that Temporal tries again after the attempt-th failure (from 1); the text of
// the error stays in the worker's log.
func storeError(attempt int32) error {
	delay := maxStoreDelay
	if attempt < 6 {
		delay = min(maxStoreDelay, firstDelay<<(max(attempt, 1)-1))
	}
	return temporal.NewApplicationErrorWithOptions("the database did not answer", "store", temporal.ApplicationErrorOptions{
		NextRetryDelay: delay + rand.N(delay),
	})
}
