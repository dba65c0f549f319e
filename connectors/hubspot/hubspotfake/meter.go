package hubspotfake

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// meter counts requests, for the limits and for the state.
type meter struct {
	mu       sync.Mutex
	rolling  []time.Time // requests of the last ten seconds
	searches []time.Time // searches of the last second
	day      string
	today    int
	requests map[string]map[int]int // route -> status -> requests
}

func isSearch(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/search") }

// recent drops what is older than window and adds now, unless limit is reached.
func recent(list []time.Time, now time.Time, window time.Duration, limit int) ([]time.Time, bool) {
	old := 0
	for old < len(list) && now.Sub(list[old]) >= window {
		old++
	}
	list = list[old:]
	if limit > 0 && len(list) >= limit {
		return list, false
	}
	return append(list, now), true
}

// withinLimits charges a request to the account's limits and sets HubSpot's headers, which searches do not have.
func (f *Fake) withinLimits(w http.ResponseWriter, r *http.Request) bool {
	m, now := &f.meter, f.opt.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if day := now.UTC().Format(time.DateOnly); m.day != day {
		m.day, m.today = day, 0
	}
	if f.opt.PerDay > 0 && m.today >= f.opt.PerDay {
		tooMany(w, "DAILY", "You have reached your daily limit.")
		return false
	}
	if isSearch(r) && f.opt.SearchPerSecond > 0 {
		var ok bool
		if m.searches, ok = recent(m.searches, now, time.Second, f.opt.SearchPerSecond); !ok {
			tooMany(w, "SECONDLY", "You have reached your secondly limit.")
			return false
		}
	}
	if f.opt.PerTenSeconds > 0 {
		var ok bool
		if m.rolling, ok = recent(m.rolling, now, 10*time.Second, f.opt.PerTenSeconds); !ok {
			tooMany(w, "TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.")
			return false
		}
		if !isSearch(r) {
			h := w.Header()
			h.Set("X-HubSpot-RateLimit-Max", strconv.Itoa(f.opt.PerTenSeconds))
			h.Set("X-HubSpot-RateLimit-Remaining", strconv.Itoa(f.opt.PerTenSeconds-len(m.rolling)))
			h.Set("X-HubSpot-RateLimit-Interval-Milliseconds", "10000")
			if f.opt.PerDay > 0 {
				h.Set("X-HubSpot-RateLimit-Daily", strconv.Itoa(f.opt.PerDay))
				h.Set("X-HubSpot-RateLimit-Daily-Remaining", strconv.Itoa(f.opt.PerDay-m.today-1))
			}
		}
	}
	m.today++
	return true
}

// count notes what a request came to; status 0 is an answer that was never sent.
func (m *meter) count(route string, status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.requests == nil {
		m.requests = map[string]map[int]int{}
	}
	if m.requests[route] == nil {
		m.requests[route] = map[int]int{}
	}
	m.requests[route][status]++
}
