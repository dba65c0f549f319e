package odoofake

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Faults say how often requests fail, as parts of 1.
type Faults struct {
	// Rate429 and Rate503 are what a proxy in front says: Odoo itself has no limits.
	Rate429 float64 `json:"rate_429,omitempty"`
	Rate503 float64 `json:"rate_503,omitempty"`
	Drop    float64 `json:"drop,omitempty"`
	// CommitThenDrop and CommitThenHang do the work, then lose the answer or keep it back.
	CommitThenDrop float64 `json:"commit_then_drop,omitempty"`
	CommitThenHang float64 `json:"commit_then_hang,omitempty"`
	// HangSeconds is how long a hanging request takes; zero means 30.
	HangSeconds float64 `json:"hang_seconds,omitempty"`
	Seed        uint64  `json:"seed,omitempty"`
}

type faults struct {
	mu     sync.Mutex
	set    Faults
	random *rand.Rand
}

// SetFaults replaces the faults; the zero value ends them.
func (f *Fake) SetFaults(set Faults) {
	f.faults.mu.Lock()
	defer f.faults.mu.Unlock()
	f.faults.set, f.faults.random = set, rand.New(rand.NewPCG(set.Seed, 0))
}

// roll gives the faults in force and a number in [0,1) for one request.
func (x *faults) roll() (Faults, float64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.random == nil {
		return Faults{}, 1
	}
	return x.set, x.random.Float64()
}

// before fails a request instead of serving it.
func (x *faults) before(w http.ResponseWriter) bool {
	set, p := x.roll()
	switch {
	case p < set.Rate429:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, "<html><head><title>429 Too Many Requests</title></head></html>")
		return true
	case p < set.Rate429+set.Rate503:
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	case p < set.Rate429+set.Rate503+set.Drop:
		panic(http.ErrAbortHandler)
	}
	return false
}

// after loses the answer to a request that was served.
func (x *faults) after(w http.ResponseWriter, r *http.Request) bool {
	set, p := x.roll()
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

func (f *Fake) serveFaults(w http.ResponseWriter, r *http.Request) {
	var set Faults
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	d.DisallowUnknownFields()
	if r.Method != http.MethodPost || d.Decode(&set) != nil {
		http.Error(w, "POST the faults in JSON", http.StatusBadRequest)
		return
	}
	f.SetFaults(set)
}
