//go:build unix

package devstack_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors/hubspot/hubspotfake"
	"github.com/callsync/callsync/devstack"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
)

// city is a stack under test with its fake CRM.
type city struct {
	t     *testing.T
	stack *devstack.Stack
	crm   *hubspotfake.Fake
}

// newCity starts a stack whose window is short, so that what never comes is not waited for long, and whose sweeper is
// quick, so that what was wiped is repaired while the test watches.
func newCity(t *testing.T) *city {
	if testing.Short() {
		t.Skip("the whole stack takes minutes; run without -short")
	}
	t.Parallel()
	c := &city{t: t, crm: hubspotfake.New(hubspotfake.Options{PerTenSeconds: -1, SearchPerSecond: -1, SearchLag: time.Second})}
	var err error
	c.stack, err = devstack.Start(t.Context(), devstack.Options{
		Window: 3 * time.Second, Quiet: time.Second, CRM: devstack.HubSpot(c.crm), Out: testOutput{t},
		// PostgreSQL is never killed here.
		NoFsync: true,
		Env:     []string{"CALLSYNC_SWEEP_INTERVAL=1s", "CALLSYNC_SWEEP_GRACE=5s", "CALLSYNC_LOG_LEVEL=WARN"},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			c.stack.KeepFiles()
			t.Logf("the stack's logs are in %s", c.stack.Logs)
		}
		_ = c.stack.Close()
	})
	return c
}

type testOutput struct{ t *testing.T }

func (o testOutput) Write(p []byte) (int, error) {
	o.t.Log(string(bytes.TrimSpace(p)))
	return len(p), nil
}

// send sends a signed webhook and tells whether it was accepted. No answer is no acceptance.
func (c *city) send(ctx context.Context, event string, body []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.stack.HookURL+"/"+event, bytes.NewReader(body))
	require.NoError(c.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Signature", callrailfake.Sign(c.stack.SigningKey, body))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode/100 == 2
}

func (c *city) mustSend(event string, body []byte) {
	c.t.Helper()
	require.True(c.t, c.send(c.t.Context(), event, body), "%s was refused", event)
}

// eventually waits until ok, or fails with what it last said.
func (c *city) eventually(within time.Duration, ok func() (bool, string)) {
	c.t.Helper()
	deadline := time.Now().Add(within)
	for {
		done, said := ok()
		if done {
			return
		}
		if time.Now().After(deadline) {
			require.FailNow(c.t, "it did not come about within "+within.String(), said)
		}
		select {
		case <-c.t.Context().Done():
			c.t.FailNow()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// settle waits until every accepted webhook is applied and every ended call is where it belongs.
func (c *city) settle(within time.Duration) {
	c.t.Helper()
	c.eventually(within, func() (bool, string) {
		conn, err := pgx.Connect(c.t.Context(), c.stack.DatabaseURL)
		if err != nil {
			return false, err.Error()
		}
		defer conn.Close(context.Background())
		var inbox, calls int
		err = conn.QueryRow(c.t.Context(), `select (select count(*) from inbox),
			(select count(*) from calls where merged_into is null and phase = 'ended' and (settled_revision < revision or check_at is not null))`).Scan(&inbox, &calls)
		return err == nil && inbox == 0 && calls == 0, fmt.Sprintf("%d receipts are not applied, %d calls not settled (%v)", inbox, calls, err)
	})
}

// records finds the CRM's records of a call by its start, which is unique in these tests.
func (c *city) records(s hubspotfake.State, call callrailfake.Call) []hubspotfake.Record {
	var out []hubspotfake.Record
	for _, r := range s.Calls {
		if r.Properties["hs_timestamp"] == call.StartedAt.UTC().Format("2006-01-02T15:04:05.000Z") && !r.Archived {
			out = append(out, r)
		}
	}
	return out
}

// once asserts that the CRM has one record of the call, tied to one contact, and returns it.
func (c *city) once(call callrailfake.Call) hubspotfake.Record {
	c.t.Helper()
	s := c.crm.State(true)
	found := c.records(s, call)
	require.Len(c.t, found, 1, "one record of the call that began at %s", call.StartedAt)
	require.Len(c.t, found[0].Contacts, 1, "one contact")
	c.undoubled(s)
	return found[0]
}

func (c *city) undoubled(s hubspotfake.State) {
	c.t.Helper()
	require.Empty(c.t, s.Doubled.CallsByKey)
	require.Empty(c.t, s.Doubled.CallsByTime)
	require.Empty(c.t, s.Doubled.ContactsByPhone)
	require.Empty(c.t, s.Doubled.ContactsByKey)
}

var (
	callMu     sync.Mutex
	lastMoment time.Time
)

// newCall is an answered call with a start that no other has.
func newCall(customer string) callrailfake.Call {
	callMu.Lock()
	defer callMu.Unlock()
	at := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	if !at.After(lastMoment) {
		at = lastMoment.Add(time.Millisecond)
	}
	lastMoment = at
	return callrailfake.Call{
		ID: callrailfake.NewID("CAL"), StartedAt: at, Duration: 42 * time.Second, Customer: customer, CustomerName: "Ada Example",
		Answered: true, Recording: true, AgentEmail: "agent1@example.com", AgentName: "Agent One", Note: "first note",
	}
}

func TestKilledAtRandomMoments(t *testing.T) {
	c := newCity(t)
	ctx := t.Context()
	const n, numbers = 200, 40
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)

	// Every call rings, ends without its recording, and gets the recording and a new note afterwards; each webhook is
	// sent again if it is refused, as a phone system with retries would, and some are sent twice.
	calls := make([]callrailfake.Call, n)
	for i := range calls {
		calls[i] = newCall(fmt.Sprintf("+1415555%04d", 100+i%numbers))
	}
	var mu sync.Mutex
	refused := 0
	deliver := func(event string, body []byte) {
		for !c.send(ctx, event, body) {
			mu.Lock()
			refused++
			mu.Unlock()
			if ctx.Err() != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		r := rand.New(rand.NewPCG(seed, 1))
		var wg sync.WaitGroup
		for i, call := range calls {
			late, twice := i%3 == 0, i%5 == 0
			wait := time.Duration(r.IntN(200)) * time.Millisecond
			wg.Go(func() {
				deliver("pre-call", callrailfake.PreCall(call))
				first := call
				first.Recording = !late
				body := callrailfake.PostCall(first)
				deliver("post-call", body)
				if twice {
					deliver("post-call", body)
				}
				call.Note = "second note"
				deliver("call-modified", callrailfake.Modified(call, "note", "recording_duration"))
			})
			time.Sleep(wait)
		}
		wg.Wait()
	}()

	kills := map[string]int{}
	r := rand.New(rand.NewPCG(seed, 2))
	parts := []struct {
		name  string
		kill  func()
		start func(context.Context) error
	}{
		{"serve", c.stack.KillServe, c.stack.StartServe},
		{"worker", c.stack.KillWorker, c.stack.StartWorker},
		{"temporal", c.stack.KillTemporal, c.stack.StartTemporal},
	}
	for done := false; !done || len(kills) < len(parts); {
		p := parts[r.IntN(len(parts))]
		p.kill()
		kills[p.name]++
		time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
		require.NoError(t, p.start(ctx))
		select {
		case <-sending:
			done = true
		case <-time.After(time.Duration(r.IntN(1500)) * time.Millisecond):
		}
	}
	<-sending
	c.settle(3 * time.Minute)

	s := c.crm.State(true)
	t.Logf("killed %v; %d webhooks were refused and sent again; the CRM has %d calls and %d contacts", kills, refused, s.Counts.Calls, s.Counts.Contacts)
	c.undoubled(s)
	require.Equal(t, n, s.Counts.Calls)
	require.Equal(t, numbers, s.Counts.Contacts)
	for _, call := range calls {
		found := c.records(s, call)
		require.Len(t, found, 1, "call %s", call.ID)
		p := found[0].Properties
		require.NotEmpty(t, p["hs_call_recording_url"], "call %s has its recording", call.ID)
		require.Contains(t, p["hs_call_body"], "second note", "call %s has its last note", call.ID)
		require.NotEmpty(t, p["hubspot_owner_id"])
		require.Len(t, found[0].Contacts, 1)
	}
}

func TestTemporalsStoreIsWiped(t *testing.T) {
	c := newCity(t)
	ctx := t.Context()
	// The CRM is away, so that every call hangs in a workflow that is about to vanish.
	c.crm.SetFaults(hubspotfake.Faults{Rate503: 1, Scope: "all"})
	var calls []callrailfake.Call
	for i := range 20 {
		call := newCall(fmt.Sprintf("+1415556%04d", 100+i))
		call.Recording = i%2 == 0
		c.mustSend("post-call", callrailfake.PostCall(call))
		calls = append(calls, call)
	}
	c.eventually(time.Minute, func() (bool, string) {
		n := c.crm.FaultCounts()[hubspotfake.FaultUnavailable]
		// So many in a row suspend the connection; the other calls wait for it.
		return n >= 5, fmt.Sprint(n, " requests failed")
	})
	c.stack.KillWorker()
	c.stack.KillTemporal()
	c.wipeTemporal()
	require.NoError(t, c.stack.StartTemporal(ctx))
	require.NoError(t, c.stack.StartWorker(ctx))
	c.crm.SetFaults(hubspotfake.Faults{})
	c.settle(2 * time.Minute)
	for _, call := range calls {
		c.once(call)
	}
}

// wipeTemporal drops Temporal's databases.
func (c *city) wipeTemporal() {
	c.t.Helper()
	u, err := url.Parse(c.stack.DatabaseURL)
	require.NoError(c.t, err)
	conn, err := pgx.Connect(c.t.Context(), u.String())
	require.NoError(c.t, err)
	defer conn.Close(context.Background())
	rows, err := conn.Query(c.t.Context(), `select datname from pg_database where datname like '%temporal%'`)
	require.NoError(c.t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(c.t, err)
	require.Len(c.t, names, 2)
	for _, name := range names {
		_, err := conn.Exec(c.t.Context(), `drop database `+pgx.Identifier{name}.Sanitize()+` with (force)`)
		require.NoError(c.t, err)
	}
}

func TestTheCRMCommitsAndIsNotHeard(t *testing.T) {
	c := newCity(t)
	for name, faults := range map[string][]hubspotfake.Fault{
		"contact: connection dropped": {hubspotfake.FaultCommitDrop},
		"call: connection dropped":    {"", hubspotfake.FaultCommitDrop},
		"link: connection dropped":    {"", "", hubspotfake.FaultCommitDrop},
		"call: after our timeout":     {"", hubspotfake.FaultCommitHang},
		"each of them in turn":        {hubspotfake.FaultCommitDrop, hubspotfake.FaultCommitDrop, hubspotfake.FaultCommitUnavailable},
	} {
		c.crm.SetFaults(hubspotfake.Faults{Script: faults, HangSeconds: 60})
		call := newCall(fmt.Sprintf("+1415557%04d", rand.IntN(10000)))
		c.mustSend("post-call", callrailfake.PostCall(call))
		c.settle(2 * time.Minute)
		t.Log(name)
		c.once(call)
	}
}

func TestTwoCallsFromOneNewNumberAtTheSameMoment(t *testing.T) {
	c := newCity(t)
	for i := range 20 {
		number := fmt.Sprintf("+1415558%04d", 100+i)
		one, two := newCall(number), newCall(number)
		var wg sync.WaitGroup
		for _, call := range []callrailfake.Call{one, two} {
			wg.Go(func() { c.send(t.Context(), "post-call", callrailfake.PostCall(call)) })
		}
		wg.Wait()
	}
	c.settle(time.Minute)
	s := c.crm.State(true)
	c.undoubled(s)
	require.Equal(t, 40, s.Counts.Calls)
	require.Equal(t, 20, s.Counts.Contacts)
}
