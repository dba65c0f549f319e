package pipedrivefake

import (
	"math/rand/v2"
	"net/http"
)

// Fault is one way in which a request can fail.
type Fault string

// The faults. The ones named commit do the work first.
const (
	FaultRateLimit         Fault = "rate_429"
	FaultUnavailable       Fault = "rate_503"
	FaultBlocked           Fault = "blocked_403"
	FaultDrop              Fault = "drop"
	FaultHang              Fault = "hang"
	FaultCommitDrop        Fault = "commit_then_drop"
	FaultCommitHang        Fault = "commit_then_hang"
	FaultCommitUnavailable Fault = "commit_then_502"
)

// Faults say how often requests fail, as parts of 1.
type Faults struct {
	Rates map[Fault]float64 `json:"rates,omitempty"`
	Seed  uint64            `json:"seed,omitempty"`
	// All includes requests that read; else only changes fail.
	All bool `json:"all,omitempty"`
	// Script are faults for the next requests in scope, one each, before the rates count. "" is none.
	Script []Fault `json:"script,omitempty"`
}

type faults struct {
	set  Faults
	dice *rand.Rand
	hits map[Fault]int
}

// SetFaults replaces the faults; the zero value ends them.
func (f *Fake) SetFaults(set Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = faults{set: set, dice: rand.New(rand.NewPCG(set.Seed, 1)), hits: map[Fault]int{}}
}

// FaultCounts tells how often each fault has struck.
func (f *Fake) FaultCounts() map[Fault]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[Fault]int{}
	for k, n := range f.faults.hits {
		out[k] = n
	}
	return out
}

var order = []Fault{FaultRateLimit, FaultUnavailable, FaultBlocked, FaultDrop, FaultHang, FaultCommitDrop, FaultCommitHang, FaultCommitUnavailable}

func (f *Fake) pick(r *http.Request) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := &f.faults
	if x.dice == nil || r.Method == http.MethodGet && !x.set.All {
		return ""
	}
	var hit Fault
	if len(x.set.Script) > 0 {
		hit, x.set.Script = x.set.Script[0], x.set.Script[1:]
	} else {
		p := x.dice.Float64()
		for _, one := range order {
			if p < x.set.Rates[one] {
				hit = one
				break
			}
			p -= x.set.Rates[one]
		}
	}
	if hit != "" {
		x.hits[hit]++
	}
	return hit
}
