package hubspotfake

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is one way in which a request can fail.
type Fault string

// The faults. The ones named commit do the work first.
const (
	FaultRateLimit         Fault = "rate_429"
	FaultUnavailable       Fault = "rate_503"
	FaultDrop              Fault = "drop"
	FaultHang              Fault = "hang"
	FaultCommitDrop        Fault = "commit_then_drop"
	FaultCommitHang        Fault = "commit_then_hang"
	FaultCommitUnavailable Fault = "commit_then_502"
)

var allFaults = []Fault{FaultRateLimit, FaultUnavailable, FaultDrop, FaultHang, FaultCommitDrop, FaultCommitHang, FaultCommitUnavailable}

// Faults say how often requests fail, as parts of 1. The same seed and the same requests give the same faults, in
// whatever order concurrent requests arrive.
type Faults struct {
	Rate429        float64 `json:"rate_429,omitempty"`
	Rate503        float64 `json:"rate_503,omitempty"`
	Drop           float64 `json:"drop,omitempty"`
	Hang           float64 `json:"hang,omitempty"`
	CommitThenDrop float64 `json:"commit_then_drop,omitempty"`
	CommitThenHang float64 `json:"commit_then_hang,omitempty"`
	CommitThen502  float64 `json:"commit_then_502,omitempty"`
	// HangSeconds is how long a hanging request takes; zero means 30.
	HangSeconds float64 `json:"hang_seconds,omitempty"`
	// LatencyMS is added to every request.
	LatencyMS float64 `json:"latency_ms,omitempty"`
	Seed      uint64  `json:"seed,omitempty"`
	// Scope is "writes" (the default: changes of records and associations) or "all".
	Scope string `json:"scope,omitempty"`
	// Script are faults for the next requests in scope, one each, before the rates count again. "" is none.
	Script []Fault `json:"script,omitempty"`
}

type faults struct {
	mu   sync.Mutex
	set  Faults
	seen map[uint64]uint64
	hits map[Fault]int
}

type picked struct {
	kind          Fault
	latency, hang time.Duration
}

// SetFaults replaces the faults; the zero value ends them.
func (f *Fake) SetFaults(set Faults) {
	f.faults.mu.Lock()
	defer f.faults.mu.Unlock()
	f.faults.set, f.faults.seen = set, nil
}

// FaultCounts tells how often each fault has struck.
func (f *Fake) FaultCounts() map[Fault]int {
	f.faults.mu.Lock()
	defer f.faults.mu.Unlock()
	out := map[Fault]int{}
	for k, n := range f.faults.hits {
		out[k] = n
	}
	return out
}

// isWrite tells whether a request changes records or associations.
func isWrite(r *http.Request) bool {
	return r.Method != http.MethodGet && (strings.Contains(r.URL.Path, "/objects/") || strings.Contains(r.URL.Path, "/associations/") || strings.HasPrefix(r.URL.Path, "/files/")) &&
		!isSearch(r) && !strings.HasSuffix(r.URL.Path, "/batch/read")
}

func (x *faults) pick(r *http.Request, body []byte) picked {
	x.mu.Lock()
	defer x.mu.Unlock()
	set := x.set
	out := picked{latency: time.Duration(set.LatencyMS * float64(time.Millisecond)),
		hang: time.Duration(orDefault(set.HangSeconds, 30) * float64(time.Second))}
	if set.Scope != "all" && !isWrite(r) {
		return out
	}
	if len(set.Script) > 0 {
		out.kind, x.set.Script = set.Script[0], set.Script[1:]
	} else {
		out.kind = set.at(x.roll(r, body))
	}
	if out.kind != "" {
		if x.hits == nil {
			x.hits = map[Fault]int{}
		}
		x.hits[out.kind]++
	}
	return out
}

// maxSeen bounds the memory of repeated requests.
const maxSeen = 1 << 20

// roll gives a request a number in [0,1) that depends on the seed, on what is asked, and on how often it was asked.
func (x *faults) roll(r *http.Request, body []byte) float64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s %s\n%s", x.set.Seed, r.Method, r.URL.RequestURI(), body)
	id := h.Sum64()
	if x.seen == nil || len(x.seen) > maxSeen {
		x.seen = map[uint64]uint64{}
	}
	x.seen[id]++
	_ = binary.Write(h, binary.LittleEndian, x.seen[id])
	// The last bits of FNV are poorly mixed; this is the finalizer of SplitMix64.
	z := h.Sum64()
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return float64(z>>11) / (1 << 53)
}

// at gives the fault whose share of [0,1) holds p.
func (s Faults) at(p float64) Fault {
	for i, rate := range []float64{s.Rate429, s.Rate503, s.Drop, s.Hang, s.CommitThenDrop, s.CommitThenHang, s.CommitThen502} {
		if p < rate {
			return allFaults[i]
		}
		p -= rate
	}
	return ""
}

func (f *Fake) serveFaults(w http.ResponseWriter, r *http.Request) {
	var set Faults
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&set); err != nil {
		http.Error(w, "not the faults in JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	for _, s := range set.Script {
		if s != "" && !slices.Contains(allFaults, s) {
			http.Error(w, "no such fault in the script", http.StatusBadRequest)
			return
		}
	}
	f.SetFaults(set)
	w.WriteHeader(http.StatusNoContent)
}
