package ingest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/pglocal"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

// benchBody is a webhook of 3 kB.
func benchBody(n int) string {
	e := `[{"kind":"call.ended","provider_id":"call-%d","facts":{"status":"answered","duration_seconds":60,"customer":{"number":"+14155550101"},"attributes":{%s}}}]`
	var rest strings.Builder
	for i := 0; rest.Len() < 2800; i++ {
		if i > 0 {
			rest.WriteByte(',')
		}
		fmt.Fprintf(&rest, `"field_%d":"value %d of call %d, as phone systems send them"`, i, i*7919+n, n)
	}
	return fmt.Sprintf(e, n/3, rest.String())
}

// BenchmarkReceiver is the whole way in: HTTP, look-up, check, batch, commit with fsync. With relay, the receipts are
// applied at the same time by the same process on the same processors.
func BenchmarkReceiver(b *testing.B) {
	for _, relay := range []bool{false, true} {
		for _, clients := range []int{1, 32, 256} {
			b.Run(fmt.Sprintf("relay=%v/clients=%d", relay, clients), func(b *testing.B) { benchReceiver(b, clients, relay) })
		}
	}
}

func benchReceiver(b *testing.B, clients int, withRelay bool) {
	r := newDurableRig(b)
	var relay *Relay
	batcher := NewBatcher(r.db, nil, BatcherOptions{}, NewMetrics(nil), quiet(), func() {
		if relay != nil {
			relay.Wake()
		}
	})
	defer batcher.Close(context.Background())
	if withRelay {
		relay = r.newRelay(RelayOptions{Busy: batcher.Busy})
		ctx, stop := context.WithCancel(b.Context())
		done := make(chan struct{})
		go func() { defer close(done); relay.Run(ctx) }()
		defer func() { stop(); <-done }()
	}
	url := r.hooks(ReceiverOptions{}, batcher)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	post := func(body string) {
		res, err := client.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			b.Error(err)
			return
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != 200 {
			b.Error(res.Status)
		}
	}
	post("ping")
	latencies := make([]time.Duration, b.N)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range clients {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				start := time.Now()
				post(benchBody(i))
				latencies[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(latencies)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "receipts/s")
	b.ReportMetric(float64(latencies[b.N/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(latencies[b.N*99/100].Microseconds())/1000, "p99-ms")
	if withRelay {
		b.ReportMetric(float64(r.count("select count(*) from inbox")), "left")
	}
}

// BenchmarkNoopServer is one floor: the same requests to a handler that reads the body and stores nothing.
func BenchmarkNoopServer(b *testing.B) {
	url := (&rig{t: b}).serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	const clients = 32
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range clients {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				res, err := client.Post(url, "application/json", strings.NewReader(benchBody(int(i))))
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// BenchmarkRawInserts is the other floor: the same rows in batches of 100, two at a time.
func BenchmarkRawInserts(b *testing.B) {
	r := newDurableRig(b)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 2 {
		wg.Go(func() {
			for {
				i := int(next.Add(100)) - 100
				if i >= b.N {
					return
				}
				var batch []records.Receipt
				for j := i; j < min(i+100, b.N); j++ {
					batch = append(batch, r.receipt(benchBody(j)))
				}
				if err := r.db.InsertReceipts(b.Context(), batch); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkApply is the relay alone, on receipts of three per call.
func BenchmarkApply(b *testing.B) {
	r := newDurableRig(b)
	for i := 0; i < b.N; i += 500 {
		var batch []records.Receipt
		for j := i; j < min(i+500, b.N); j++ {
			batch = append(batch, r.receipt(benchBody(j)))
		}
		r.insert(batch...)
	}
	b.ReportAllocs()
	b.ResetTimer()
	r.apply()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "receipts/s")
}

// newDurableRig is a rig whose Postgres flushes every commit to disk.
func newDurableRig(b *testing.B) *rig {
	b.Helper()
	server, err := pglocal.Start(b.Context(), pglocal.Options{Dir: b.TempDir(), Fsync: true})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, server.Discard()) })
	require.NoError(b, server.CreateDatabase(b.Context(), "bench"))
	_, _, err = postgres.Migrate(b.Context(), server.URL("bench"))
	require.NoError(b, err)
	return newRigOn(b, server.URL("bench"))
}
