package hubspot

import (
	"context"
	"sync"
	"time"
)

// maxCached bounds a cache; a full one starts anew, which costs requests and nothing else.
const maxCached = 10_000

// cache remembers answers of HubSpot for a while, also that there is none. Askers of the same key wait for one request.
type cache[T any] struct {
	now     func() time.Time
	mu      sync.Mutex
	entries map[string]cached[T]
	asking  map[string]chan struct{}
}

type cached[T any] struct {
	value T
	ok    bool
	until time.Time
}

// get returns what is remembered of key, or asks load and remembers its answer for found or missing. An error is not
// remembered: whoever waited asks for itself.
func (c *cache[T]) get(ctx context.Context, key string, found, missing time.Duration, load func() (T, bool, error)) (T, bool, error) {
	for {
		c.mu.Lock()
		if e, ok := c.entries[key]; ok && c.now().Before(e.until) {
			c.mu.Unlock()
			return e.value, e.ok, nil
		}
		other, busy := c.asking[key]
		if !busy {
			break
		}
		c.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			var none T
			return none, false, ctx.Err()
		}
	}
	if c.asking == nil {
		c.asking = map[string]chan struct{}{}
	}
	done := make(chan struct{})
	c.asking[key] = done
	c.mu.Unlock()

	value, ok, err := load()

	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.asking, key)
	close(done)
	if err != nil {
		return value, false, err
	}
	if c.entries == nil || len(c.entries) >= maxCached {
		c.entries = map[string]cached[T]{}
	}
	keep := found
	if !ok {
		keep = missing
	}
	c.entries[key] = cached[T]{value, ok, c.now().Add(keep)}
	return value, ok, nil
}
