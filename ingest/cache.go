package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/callsync/callsync/records"
)

// cache keeps what the store said for a short while. One caller at a time loads a key, the others wait for it. While the
// store cannot be asked, what it said last counts on: a phone system's requests must not be refused because Postgres is
// away for a moment.
type cache[K comparable, V any] struct {
	load func(context.Context, K) (V, error)
	// ttl is how long an answer counts, missing how long "there is none" does, and limit how many keys are kept.
	ttl, missing, timeout time.Duration
	limit                 int
	slots                 chan struct{} // bounds the loads under way
	now                   func() time.Time

	mu      sync.Mutex
	entries map[K]*entry[V]
}

type entry[V any] struct {
	value V
	// known tells that the store has given value at some time; gone that it said last that there is none.
	known, gone bool
	at, until   time.Time     // of the last load, and of its end
	loading     chan struct{} // closed when the load under way is over
	err         error         // of the last load, until the next one
}

func newCache[K comparable, V any](load func(context.Context, K) (V, error)) *cache[K, V] {
	return &cache[K, V]{
		load: load, ttl: 5 * time.Second, missing: time.Second, timeout: 2 * time.Second, limit: 20_000,
		slots: make(chan struct{}, 4), now: time.Now, entries: map[K]*entry[V]{},
	}
}

// get returns the value of key; records.ErrNotFound if there is none, or the error of the store where it never gave one.
func (c *cache[K, V]) get(ctx context.Context, key K) (V, error) {
	var none V
	for {
		c.mu.Lock()
		e := c.entries[key]
		if e == nil {
			if len(c.entries) >= c.limit {
				c.evict()
			}
			e = &entry[V]{}
			c.entries[key] = e
		}
		if e.loading == nil && c.now().Before(e.until) {
			v, known, gone, err := e.value, e.known, e.gone, e.err
			c.mu.Unlock()
			switch {
			case gone:
				return none, records.ErrNotFound
			case known:
				return v, nil
			}
			return none, err
		}
		if e.loading == nil {
			e.loading = make(chan struct{})
			// The load outlives a caller that goes away: others wait for it.
			go c.fill(context.WithoutCancel(ctx), key, e)
		}
		wait := e.loading
		c.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
}

// expire makes the next get of key load it, if what is known is older than age.
func (c *cache[K, V]) expire(key K, age time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil && c.now().Sub(e.at) > age {
		e.until = time.Time{}
	}
}

// expireAll makes the next get of every key load it.
func (c *cache[K, V]) expireAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		e.until = time.Time{}
	}
}

// fill loads key into e. An entry stays valid for a moment even after a failure, so that not every caller waits for a
// store that does not answer.
func (c *cache[K, V]) fill(ctx context.Context, key K, e *entry[V]) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var (
		v   V
		err error
	)
	select {
	case c.slots <- struct{}{}:
		v, err = c.load(ctx, key)
		<-c.slots
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.at = c.now()
	switch {
	case err == nil:
		e.value, e.known, e.gone, e.err, e.until = v, true, false, nil, c.now().Add(c.ttl)
	case errors.Is(err, records.ErrNotFound):
		e.gone, e.err, e.until = true, nil, c.now().Add(c.missing)
	default:
		e.err, e.until = err, c.now().Add(c.missing)
	}
	close(e.loading)
	e.loading = nil
}

// evict makes room: what is not there first, because strangers can ask for any number of such keys.
func (c *cache[K, V]) evict() {
	for _, all := range []bool{false, true} {
		for key, e := range c.entries {
			if e.loading == nil && (all || !e.known || e.gone) {
				delete(c.entries, key)
				if len(c.entries) <= c.limit*9/10 {
					return
				}
			}
		}
	}
}
