package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/callsync/callsync/activities"
)

// NoOpServer serves HTTP that reads the body and answers 200: what a receiver of webhooks costs without a receiver.
func NoOpServer() (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})}
	go func() { _ = s.Serve(l) }()
	return "http://" + l.Addr().String(), func() { _ = s.Close() }, nil
}

// InsertFloor inserts rows of a receipt's shape in batches of 100, a commit each, from two connections for a while, and
// returns rows per second: what keeping webhooks costs without a receiver. It uses a table of its own, logged and with a
// primary key as the real one.
func InsertFloor(ctx context.Context, databaseURL string, body []byte, headers []byte, d time.Duration) (float64, error) {
	pool, err := pgxpool.New(ctx, databaseURL)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, `drop table if exists bench_floor;
		create table bench_floor (id uuid primary key, workspace_id uuid not null, source_id uuid not null, received_at timestamptz not null,
			method text not null, hook_event text not null, query bytea not null, headers bytea not null, body bytea not null, signature text not null)`); err != nil {
		return 0, err
	}
	defer func() { _, _ = pool.Exec(context.WithoutCancel(ctx), `drop table bench_floor`) }()
	const batch, writers = 100, 2
	var rows atomic.Int64
	var failed atomic.Pointer[error]
	workspace, source := uuid.NewString(), uuid.NewString()
	start := time.Now()
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			ids, times, bodies, heads := make([]string, batch), make([]time.Time, batch), make([][]byte, batch), make([][]byte, batch)
			for time.Since(start) < d {
				for i := range batch {
					ids[i], times[i], bodies[i], heads[i] = uuid.Must(uuid.NewV7()).String(), time.Now(), body, headers
				}
				if _, err := pool.Exec(ctx, `insert into bench_floor select id, $1, $2, at, 'POST', 'post-call', '', h, b, 'ok'
					from unnest($3::uuid[], $4::timestamptz[], $5::bytea[], $6::bytea[]) as r(id, at, h, b)`, workspace, source, ids, times, heads, bodies); err != nil {
					failed.Store(&err)
					return
				}
				rows.Add(batch)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(rows.Load()) / time.Since(start).Seconds(), nil
}

// TemporalCost is how much of Temporal one call uses.
type TemporalCost struct {
	Signals, Timers, Activities int
}

// TemporalFloor runs n workflows that do nothing but receive c.Signals by SignalWithStart, wait for c.Timers short timers
// and run c.Activities (at least one) empty activities, with 32 callers and a worker in this process, and returns how
// many activities' workflows end a second: what the waiting costs without anything to wait for. As with real calls, the
// end is seen in the activity, so nobody polls Temporal for results.
func TemporalFloor(ctx context.Context, cl client.Client, n int, c TemporalCost) (float64, error) {
	queue := "bench-floor-" + uuid.NewString()
	w := worker.New(cl, queue, worker.Options{
		WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		ActivityTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
	})
	ended := make(chan struct{}, n)
	w.RegisterWorkflowWithOptions(floorWorkflow, workflow.RegisterOptions{Name: "floor"})
	w.RegisterActivityWithOptions(func(_ context.Context, last bool) error {
		if last {
			ended <- struct{}{}
		}
		return nil
	}, activity.RegisterOptions{Name: "nothing"})
	if err := w.Start(); err != nil {
		return 0, err
	}
	defer w.Stop()
	start := time.Now()
	jobs := make(chan int)
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for i := range jobs {
				id := fmt.Sprint(queue, "/", i)
				for range c.Signals {
					if _, err := cl.SignalWithStartWorkflow(ctx, id, "s", 1, client.StartWorkflowOptions{TaskQueue: queue}, "floor", c); err != nil {
						failed.Store(&err)
						return
					}
				}
			}
		})
	}
	for i := range n {
		if failed.Load() != nil {
			break
		}
		select {
		case jobs <- i:
		case <-ctx.Done():
		}
	}
	close(jobs)
	wg.Wait()
	for range n {
		if err := failed.Load(); err != nil {
			return 0, *err
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

func floorWorkflow(ctx workflow.Context, c TemporalCost) error {
	ch := workflow.GetSignalChannel(ctx, "s")
	for range c.Signals {
		ch.Receive(ctx, nil)
	}
	for range c.Timers {
		if err := workflow.NewTimer(ctx, 10*time.Millisecond).Get(ctx, nil); err != nil {
			return err
		}
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		// As long as the product's: a busy server loses a task now and then, and it is given out again after this.
		HeartbeatTimeout: activities.HeartbeatTimeout,
	})
	for i := range c.Activities {
		if err := workflow.ExecuteActivity(ctx, "nothing", i == c.Activities-1).Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}
