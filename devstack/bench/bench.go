//go:build unix

package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/devstack"
	"github.com/callsync/callsync/internal/temporalx"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
)

// Options say what to measure.
type Options struct {
	// Quick makes every step short: it shows that the bench works, its figures say little.
	Quick bool
	// Only names one step (receipts, calls, twice, faulty, killed or lists); empty means all but lists, which takes long.
	Only string
	// Out receives the lines "name value unit", Log what is being done.
	Out, Log io.Writer
}

// bench is one run: a stack with a fake HubSpot without limits or faults, durable as in production.
type bench struct {
	Options
	ctx   context.Context
	stack *devstack.Stack
	crm   *hubspotfake.Fake
	sent  int
}

// Run measures and prints. Every figure stands next to its floor, measured in the same minute on the same machine.
func Run(ctx context.Context, o Options) error {
	b := &bench{Options: o, ctx: ctx}
	if o.Only == "lists" {
		return b.lists()
	}
	stop, err := b.start()
	if err != nil {
		return err
	}
	defer stop()
	b.say("machine: %d cores, %s; PostgreSQL with fsync, one process each of serve, worker and Temporal, the load generator beside them", runtime.NumCPU(), runtime.Version())
	for _, step := range []struct {
		name string
		run  func() error
	}{{"receipts", b.receipts}, {"calls", b.calls}, {"twice", b.twice}, {"faulty", b.faulty}, {"killed", b.killed}} {
		if b.Only != "" && b.Only != step.name {
			continue
		}
		if err := step.run(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func (b *bench) start() (stop func(), err error) {
	b.crm = hubspotfake.New(hubspotfake.Options{PerTenSeconds: -1, SearchPerSecond: -1, SearchLag: 2 * time.Second})
	b.stack, err = devstack.Start(b.ctx, devstack.Options{
		Quiet: time.Second, Out: b.Log, Env: []string{"CALLSYNC_LOG_LEVEL=WARN"}, CRM: devstack.HubSpot(b.crm),
	})
	if err != nil {
		return nil, err
	}
	return func() { _ = b.stack.Close() }, nil
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.Log, "# "+format+"\n", args...) }

func (b *bench) line(name string, value float64, unit string) {
	fmt.Fprintf(b.Out, "%s %.4g %s\n", name, value, unit)
}

// length is how long a step lasts.
func (b *bench) length(full time.Duration) time.Duration {
	if b.Quick {
		return full / 5
	}
	return full
}

func (b *bench) count(full int) int {
	if b.Quick {
		return full / 10
	}
	return full
}

// newCall is a call that nobody else has, with a customer of its own.
func (b *bench) newCall() callrailfake.Call {
	b.sent++
	return callrailfake.Call{
		ID: callrailfake.NewID("CAL"), StartedAt: time.Now().Add(-time.Minute), Duration: 45 * time.Second,
		Customer: fmt.Sprintf("+1415%07d", 2000000+b.sent), CustomerName: fmt.Sprintf("Caller %d", b.sent),
		Answered: true, Recording: true, AgentEmail: "agent1@example.com", AgentName: "Agent One",
		Tags: []string{"bench"},
	}
}

// request is a signed webhook, as CallRail sends it.
func (b *bench) request(event string, body []byte) *http.Request {
	req, err := http.NewRequest(http.MethodPost, b.stack.HookURL+"/"+event, bytes.NewReader(body))
	if err != nil {
		panic(err) // The URL is ours.
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Signature", callrailfake.Sign(b.stack.SigningKey, body))
	return req
}

// receipts measures how many webhooks a second are accepted, which means durable, between the two floors it stands on:
// HTTP with nothing behind it, and PostgreSQL with nothing before it. They share the cores, so their limit together is
// half their harmonic mean: 1 / (1/http + 1/postgres).
func (b *bench) receipts() error {
	d := b.length(5 * time.Second)
	body := callrailfake.PostCall(b.newCall())
	b.say("receipts: bodies of %d bytes, open loop, latency from the scheduled time", len(body))

	url, stop, err := NoOpServer()
	if err != nil {
		return err
	}
	httpRate, _ := Highest(b.ctx, 4000, 1.5, func(ctx context.Context, rate float64) Result {
		return Load{Rate: rate, Duration: d, Request: func(int) *http.Request {
			req, _ := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
			return req
		}}.Run(ctx)
	})
	stop()
	insertRate, err := InsertFloor(b.ctx, b.stack.DatabaseURL, body, []byte(`{"Content-Type":["application/json"]}`), d)
	if err != nil {
		return err
	}
	floor := 1 / (1/httpRate + 1/insertRate)
	b.line("floor_http_noop", httpRate, "requests/s")
	b.line("floor_postgres_batched_inserts", insertRate, "rows/s")
	b.line("floor_receipts_combined", floor, "receipts/s")

	// Live events: the relay applies them beside the receiver, and nothing is delivered. Bodies are made beforehand: the
	// phone system's work is not ours.
	run := func(ctx context.Context, rate float64) Result {
		n := int(rate * d.Seconds())
		requests := make([]*http.Request, n)
		for i := range requests {
			requests[i] = b.request("pre-call", callrailfake.PreCall(b.newCall()))
		}
		r := Load{Rate: rate, Duration: d, Request: func(i int) *http.Request { return requests[i] }}.Run(ctx)
		b.say("receipts at %.0f/s: %d accepted, %d refused, %.0f/s, p50 %s, p99 %s", rate, r.Accepted, r.Failed, r.PerSecond, r.P50, r.P99)
		return r
	}
	rate, r := Highest(b.ctx, 1000, 1.5, run)
	b.line("receipts_accepted", rate, "receipts/s")
	b.line("receipts_accepted_p50", float64(r.P50.Microseconds())/1000, "ms")
	b.line("receipts_accepted_p99", float64(r.P99.Microseconds())/1000, "ms")
	b.line("receipts_to_combined_floor", rate/floor, "ratio")
	at := run(b.ctx, 2000)
	b.line("receipts_at_2000_p50", float64(at.P50.Microseconds())/1000, "ms")
	b.line("receipts_at_2000_p99", float64(at.P99.Microseconds())/1000, "ms")
	b.line("receipts_at_2000_refused", float64(at.Failed), "receipts")
	return b.drained()
}

// drained waits until the relay has applied everything that was accepted, and says how long that took.
func (b *bench) drained() error {
	start := time.Now()
	for {
		left, err := b.pending()
		if err != nil {
			return err
		}
		if left == 0 {
			b.line("inbox_drained_after", time.Since(start).Seconds(), "s")
			return nil
		}
		if err := pause(b.ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// calls measures calls from the webhook to the CRM, next to Temporal doing the same waiting for nothing.
func (b *bench) calls() error {
	n := b.count(1000)
	cl, err := temporalx.Dial(b.ctx, temporalx.Options{Address: b.stack.TemporalAddress, Namespace: b.stack.TemporalNamespace})
	if err != nil {
		return err
	}
	defer cl.Close()
	before := b.crm.State(false).Counts.Calls
	calls := b.newCalls(n)
	start := time.Now()
	if r := b.send(calls, 2000); r.Failed > 0 {
		return fmt.Errorf("%d of %d webhooks were refused", r.Failed, n)
	}
	if err := b.delivered(start, before, n); err != nil {
		return err
	}
	rate := float64(n) / time.Since(start).Seconds()
	cost, err := b.temporalCost(cl)
	if err != nil {
		return err
	}
	b.say("calls: %d complete calls, each with %d signal(s), %d timer(s) and %d activity in Temporal", n, cost.Signals, cost.Timers, cost.Activities)
	floor, err := TemporalFloor(b.ctx, cl, n, cost)
	if err != nil {
		return err
	}
	b.line("floor_temporal", floor, "calls/s")
	b.line("calls_end_to_end", rate, "calls/s")
	b.line("calls_to_temporal_floor", rate/floor, "ratio")
	return nil
}

// delivered waits until the CRM has n calls more than before, and says when which part of them was there: a few that were
// lost under way and sent again make the end long.
func (b *bench) delivered(start time.Time, before, n int) error {
	want := before + n
	marks := []int{50, 90, 99}
	last, lastChange := -1, time.Now()
	for {
		have := b.crm.State(false).Counts.Calls
		for len(marks) > 0 && (have-before)*100 >= marks[0]*n {
			b.say("%d%% of the calls were in the CRM after %.1f s", marks[0], time.Since(start).Seconds())
			marks = marks[1:]
		}
		if have >= want {
			return nil
		}
		if have != last {
			last, lastChange = have, time.Now()
		}
		if time.Since(lastChange) > 5*time.Minute {
			return fmt.Errorf("the CRM has %d of %d calls and nothing moved for 5 minutes; the logs are in %s", have, want, b.stack.Logs)
		}
		if err := pause(b.ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// twice sends the same calls two times at the same moment.
func (b *bench) twice() error {
	calls := b.newCalls(b.count(500))
	pairs := make([]callrailfake.Call, 0, 2*len(calls))
	for _, c := range calls {
		pairs = append(pairs, c, c)
	}
	if r := b.send(pairs, 1000); r.Failed > 0 {
		return fmt.Errorf("%d webhooks were refused", r.Failed)
	}
	if err := b.settled(); err != nil {
		return err
	}
	b.tally("twice", calls)
	return nil
}

// faulty sends calls through a CRM that limits, fails and drops connections after committing.
func (b *bench) faulty() error {
	b.crm.SetFaults(hubspotfake.Faults{Rate429: .05, Rate503: .02, CommitThenDrop: .01, Seed: 1, Scope: "all"})
	defer b.crm.SetFaults(hubspotfake.Faults{})
	calls := b.newCalls(b.count(1000))
	r := b.send(calls, 500)
	if r.Failed > 0 {
		return fmt.Errorf("%d webhooks were refused", r.Failed)
	}
	start := time.Now()
	if err := b.settled(); err != nil {
		return err
	}
	b.line("faulty_crm_settled_after", time.Since(start).Seconds(), "s")
	b.tally("faulty_crm", calls)
	return nil
}

func (b *bench) newCalls(n int) []callrailfake.Call {
	calls := make([]callrailfake.Call, n)
	for i := range calls {
		calls[i] = b.newCall()
	}
	return calls
}

// send sends the final webhook of each call, so many a second.
func (b *bench) send(calls []callrailfake.Call, rate float64) Result {
	requests := make([]*http.Request, len(calls))
	for i, c := range calls {
		requests[i] = b.request("post-call", callrailfake.PostCall(c))
	}
	d := time.Duration(float64(len(calls)) / rate * float64(time.Second))
	return Load{Rate: rate, Duration: d, Request: func(i int) *http.Request { return requests[i] }}.Run(b.ctx)
}

// killed sends 100 calls a second through the same CRM while all three processes are killed once in the middle.
// What was refused was never ours; what was accepted must be there, once.
func (b *bench) killed() error {
	b.crm.SetFaults(hubspotfake.Faults{Rate429: .05, Rate503: .02, CommitThenDrop: .01, Seed: 2, Scope: "all"})
	defer b.crm.SetFaults(hubspotfake.Faults{})
	calls := b.newCalls(b.count(2000))
	done := make(chan Result)
	go func() { done <- b.send(calls, 100) }()
	if err := pause(b.ctx, time.Duration(len(calls))*5*time.Millisecond); err != nil {
		return err
	}
	b.stack.KillServe()
	b.stack.KillWorker()
	b.stack.KillTemporal()
	for _, start := range []func(context.Context) error{b.stack.StartServe, b.stack.StartTemporal, b.stack.StartWorker} {
		if err := start(b.ctx); err != nil {
			return err
		}
	}
	r := <-done
	b.say("killed: %d of %d webhooks accepted, the others refused while serve was down", r.Accepted, r.Sent)
	if err := b.settled(); err != nil {
		return err
	}
	accepted := make([]callrailfake.Call, 0, len(calls))
	for _, i := range r.AcceptedIndexes() {
		accepted = append(accepted, calls[i])
	}
	b.line("killed_refused", float64(r.Failed), "calls")
	b.tally("killed", accepted)
	return nil
}

// settled waits until callsync has nothing left to do.
func (b *bench) settled() error {
	for {
		left, err := b.unsettled()
		if err != nil {
			return err
		}
		if left == 0 {
			return nil
		}
		if err := pause(b.ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// tally prints how many of the accepted calls are missing in the CRM or there more than once, and contacts likewise. Every
// call has a customer of its own, by which it is found.
func (b *bench) tally(name string, accepted []callrailfake.Call) {
	s := b.crm.State(true)
	records := map[string]int{}
	for _, r := range s.Calls {
		records[r.Properties["hs_call_from_number"]]++
	}
	lost, doubled := 0, 0
	for _, c := range accepted {
		switch n := records[c.Customer]; {
		case n == 0:
			lost++
		case n > 1:
			doubled += n - 1
		}
	}
	b.line(name+"_accepted", float64(len(accepted)), "calls")
	b.line(name+"_lost", float64(lost), "calls")
	b.line(name+"_doubled", float64(max(doubled, extra(s.Doubled.CallsByKey), extra(s.Doubled.CallsByTime))), "calls")
	b.line(name+"_contacts_doubled", float64(max(extra(s.Doubled.ContactsByPhone), extra(s.Doubled.ContactsByKey))), "contacts")
}

func extra(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c - 1
	}
	return n
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
