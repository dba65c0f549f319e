// Package bench measures callsync next to the floors of what it is built on, in the same run: machines are noisy, ratios
// are less so.
package bench

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Load is an open loop: request i is due at Start + i/Rate whether or not the server keeps up, and its latency counts
// from then. A closed loop would wait for a slow server and report it as fast.
type Load struct {
	Rate     float64
	Duration time.Duration
	// Workers bound the requests under way; 256 by default. One that comes late to a due request counts as latency.
	Workers int
	// Request makes the i-th request.
	Request func(i int) *http.Request
	// OK tells whether an answer counts as accepted; status 2xx by default.
	OK func(status int) bool
}

// Result is what a Load saw.
type Result struct {
	Sent, Accepted, Failed int
	// PerSecond is the accepted requests over the time from the first due to the last answer.
	PerSecond     float64
	P50, P99, Max time.Duration
	Statuses      map[int]int
	acceptedIndex []int
}

// AcceptedIndexes are the i of the requests that were accepted.
func (r Result) AcceptedIndexes() []int { return r.acceptedIndex }

// Run sends the load and waits for every answer.
func (l Load) Run(ctx context.Context) Result {
	workers := l.Workers
	if workers == 0 {
		workers = 256
	}
	ok := l.OK
	if ok == nil {
		ok = func(status int) bool { return status >= 200 && status < 300 }
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		MaxIdleConnsPerHost: workers, MaxConnsPerHost: workers,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, DisableCompression: true,
	}}
	defer client.CloseIdleConnections()
	total := int(l.Rate * l.Duration.Seconds())
	statuses := make([]int, total)
	latencies := make([]time.Duration, total)
	start := time.Now()
	var next, last atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, total) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= total || ctx.Err() != nil {
					return
				}
				due := start.Add(time.Duration(float64(i) / l.Rate * float64(time.Second)))
				if wait := time.Until(due); wait > 0 {
					select {
					case <-time.After(wait):
					case <-ctx.Done():
						return
					}
				}
				resp, err := client.Do(l.Request(i).WithContext(ctx))
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					statuses[i] = resp.StatusCode
				}
				now := time.Now()
				latencies[i] = now.Sub(due)
				for {
					old := last.Load()
					if now.UnixNano() <= old || last.CompareAndSwap(old, now.UnixNano()) {
						break
					}
				}
			}
		})
	}
	wg.Wait()
	r := Result{Sent: total, Statuses: map[int]int{}}
	var accepted []time.Duration
	for i, s := range statuses {
		r.Statuses[s]++
		if ok(s) {
			r.Accepted++
			r.acceptedIndex = append(r.acceptedIndex, i)
			accepted = append(accepted, latencies[i])
		} else {
			r.Failed++
		}
	}
	slices.Sort(accepted)
	if n := len(accepted); n > 0 {
		r.P50, r.P99, r.Max = accepted[n/2], accepted[n*99/100], accepted[n-1]
		r.PerSecond = float64(n) / time.Unix(0, last.Load()).Sub(start).Seconds()
	}
	return r
}

// Sustained tells whether the server kept up: everything accepted, p99 under a second, and the last answer not late.
func (r Result) Sustained(rate float64) bool {
	return r.Failed == 0 && r.P99 < time.Second && r.PerSecond > 0.95*rate
}

// Highest climbs from the lowest rate by factor until a rate is not sustained, then tries twice in between, and returns
// the best sustained result with its rate. A rate that fails is tried once more: one hiccup of the machine is not a limit.
func Highest(ctx context.Context, from, factor float64, run func(ctx context.Context, rate float64) Result) (float64, Result) {
	var best float64
	var result Result
	try := func(rate float64) bool {
		for range 2 {
			if r := run(ctx, rate); r.Sustained(rate) {
				best, result = rate, r
				return true
			}
			if ctx.Err() != nil {
				return false
			}
		}
		return false
	}
	rate := from
	for try(rate) {
		rate *= factor
	}
	low, high := best, rate
	for range 2 {
		mid := (low + high) / 2
		if try(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return best, result
}
