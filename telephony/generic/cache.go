package generic

import "sync"

// mostCached is how many texts a cache keeps. It is far above the sources that one process serves; beyond it the cache
// starts anew.
const mostCached = 512

// cache keeps what was made of texts. Making depends on the text alone, so that what is kept never gets old. It is safe
// for concurrent use; two at once may make the same.
type cache[T any] struct {
	compile func(text string) T

	mu   sync.RWMutex
	kept map[string]T
}

func newCache[T any](compile func(text string) T) *cache[T] {
	return &cache[T]{compile: compile, kept: map[string]T{}}
}

func (c *cache[T]) get(text string) T {
	c.mu.RLock()
	v, ok := c.kept[text]
	c.mu.RUnlock()
	if ok {
		return v
	}
	v = c.compile(text)
	// What is too long for a setting is no text of one.
	if len(text) > maxDocument {
		return v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= mostCached {
		clear(c.kept)
	}
	c.kept[text] = v
	return v
}
