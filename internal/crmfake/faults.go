// Package crmfake is what the fakes of CRMs share: requests that fail now and then, as they do at a vendor's.
package crmfake

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Faults say how often requests fail, as parts of 1.
type Faults struct {
	// RateLimited and Unavailable are answered as the vendor, or a proxy in front of it, words them.
	RateLimited float64 `json:"rate_429,omitempty"`
	Unavailable float64 `json:"rate_503,omitempty"`
	// Drop closes the connection before anything is done.
	Drop float64 `json:"drop,omitempty"`
	// CommitThenDrop and CommitThenHang do the work, then lose the answer or keep it back.
	CommitThenDrop float64 `json:"commit_then_drop,omitempty"`
	CommitThenHang float64 `json:"commit_then_hang,omitempty"`
	// HangSeconds is how long a hanging request takes; zero means 30.
	HangSeconds float64 `json:"hang_seconds,omitempty"`
	// Reads lets requests fail by GET, too.
	Reads bool   `json:"reads,omitempty"`
	Seed  uint64 `json:"seed,omitempty"`
}

// Injector makes requests fail. The zero value lets all of them pass; set RateLimited and Unavailable to the vendor's answers.
type Injector struct {
	RateLimited, Unavailable func(http.ResponseWriter)

	mu     sync.Mutex
	set    Faults
	random *rand.Rand
}

// Set replaces the faults; the zero value ends them.
func (x *Injector) Set(set Faults) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.set, x.random = set, rand.New(rand.NewPCG(set.Seed, 0))
}

// roll gives the faults in force and a number in [0,1).
func (x *Injector) roll(r *http.Request) (Faults, float64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.random == nil || r.Method == http.MethodGet && !x.set.Reads {
		return Faults{}, 1
	}
	return x.set, x.random.Float64()
}

// Before tells that it has failed a request, which must then not be served.
func (x *Injector) Before(w http.ResponseWriter, r *http.Request) bool {
	set, p := x.roll(r)
	switch {
	case p < set.RateLimited:
		x.RateLimited(w)
		return true
	case p < set.RateLimited+set.Unavailable:
		x.Unavailable(w)
		return true
	case p < set.RateLimited+set.Unavailable+set.Drop:
		panic(http.ErrAbortHandler)
	}
	return false
}

// After tells that it has kept back the answer to a request that was served.
func (x *Injector) After(w http.ResponseWriter, r *http.Request) bool {
	set, p := x.roll(r)
	switch {
	case p < set.CommitThenDrop:
		panic(http.ErrAbortHandler)
	case p < set.CommitThenDrop+set.CommitThenHang:
		wait := set.HangSeconds
		if wait == 0 {
			wait = 30
		}
		select {
		case <-r.Context().Done():
		case <-time.After(time.Duration(wait * float64(time.Second))):
			w.WriteHeader(http.StatusGatewayTimeout)
		}
		return true
	}
	return false
}

// ServeHTTP takes the faults as JSON, which is how a running devstack is disturbed by hand.
func (x *Injector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var set Faults
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	d.DisallowUnknownFields()
	if r.Method != http.MethodPost {
		http.Error(w, "POST the faults in JSON", http.StatusMethodNotAllowed)
		return
	}
	if err := d.Decode(&set); err != nil {
		http.Error(w, "not the faults in JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	x.Set(set)
	w.WriteHeader(http.StatusNoContent)
}

// Proxy429 is how a proxy in front of a server without limits of its own asks to slow down.
func Proxy429(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = w.Write([]byte("<html><head><title>429 Too Many Requests</title></head></html>"))
}

// Proxy503 is how a proxy says that nothing answers behind it.
func Proxy503(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }
