package connectors

import (
	"context"
	"sync"
	"time"
)

// maxCached bounds a Cache; a full one starts anew, which costs requests and nothing else.
const maxCached = 10_000

// Cache remembers answers of a CRM for a while, also that there is none, for a session that several workers use. Askers of
// the same key wait for one request. The zero value is ready.
type Cache[T any] struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	mu      sync.Mutex
	entries map[string]cached[T]
	asking  map[string]chan struct{}
}

type cached[T any] struct {
	value T
	ok    bool
	until time.Time
}

func (c *Cache[T]) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// Get returns what is remembered of key, or asks load and remembers its answer for found, or for missing where load has
// found nothing. An error is not remembered: whoever waited asks for itself. The error of a wait that ctx ended is an
// *Error too.
func (c *Cache[T]) Get(ctx context.Context, key string, found, missing time.Duration, load func() (T, bool, error)) (T, bool, error) {
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
			return none, false, AsError(ctx.Err())
		}
	}
	if c.asking == nil {
		c.asking = map[string]chan struct{}{}
	}
	done := make(chan struct{})
	c.asking[key] = done
	c.mu.Unlock()

	var (
		value T
		ok    bool
		err   error = &Error{Class: Unavailable, Public: "Something unexpected went wrong. callsync will try again."}
	)
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.asking, key)
		close(done)
		if err != nil {
			return
		}
		if c.entries == nil || len(c.entries) >= maxCached {
			c.entries = map[string]cached[T]{}
		}
		keep := found
		if !ok {
			keep = missing
		}
		c.entries[key] = cached[T]{value, ok, c.now().Add(keep)}
	}()
	value, ok, err = load()
	return value, ok, err
}

// Peek returns what is remembered of key, and asks nobody.
func (c *Cache[T]) Peek(key string) (value T, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok || !c.now().Before(e.until) {
		return value, false
	}
	return e.value, e.ok
}

// Forget drops what is remembered of key.
func (c *Cache[T]) Forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
}
