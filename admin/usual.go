package admin

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/callsync/callsync/call"
)

const (
	// usualFor is how long what is usual of a source is remembered.
	usualFor = 10 * time.Minute
	// maxUsual bounds how many sources are remembered.
	maxUsual = 1000
)

// usualArrivals remembers how soon the artifacts of sources usually come: it is worked out from their latest calls, and
// changes slowly. Its zero value is ready.
type usualArrivals struct {
	mu      sync.Mutex
	sources map[string]usualArrival
}

type usualArrival struct {
	within map[call.Artifact]time.Duration
	until  time.Time
}

// of is what is usual of a source; what cannot be told is left out, because the page is worth showing without it.
func (u *usualArrivals) of(ctx context.Context, h *Handler, workspaceID, sourceID string) map[call.Artifact]time.Duration {
	key, now := workspaceID+" "+sourceID, h.Now()
	u.mu.Lock()
	known, ok := u.sources[key]
	u.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.within
	}
	within, err := h.Store.UsualArrivals(ctx, workspaceID, sourceID)
	if err != nil {
		h.Log.WarnContext(ctx, "usual arrivals cannot be told", "source", sourceID, "err", err)
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sources == nil || len(u.sources) >= maxUsual {
		u.sources = map[string]usualArrival{}
	}
	u.sources[key] = usualArrival{within, now.Add(usualFor)}
	return within
}

// roundedUp is a span as people say it, rounded up.
func roundedUp(d time.Duration) string {
	switch {
	case d <= 10*time.Second:
		return "seconds"
	case d <= time.Minute:
		return "a minute"
	case d <= 90*time.Minute:
		return fmt.Sprintf("%d min", (d+time.Minute-1)/time.Minute)
	}
	return plural(int((d+time.Hour-1)/time.Hour), "hour")
}
