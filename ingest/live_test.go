package ingest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/records"
)

// heard are the workspaces that a process was told of.
type heard struct {
	mu    sync.Mutex
	times map[string]int
}

func (h *heard) add(ws string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times[ws]++
}

func (h *heard) of(ws string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.times[ws]
}

// listen hears of live calls as another process would.
func (r *rig) listen() *heard {
	h := &heard{times: map[string]int{}}
	done := make(chan error, 1)
	go func() { done <- r.db.ListenLive(r.t.Context(), h.add) }()
	r.t.Cleanup(func() { require.ErrorContains(r.t, <-done, "context canceled") })
	eventually(r.t, "to listen", func() bool { return h.of("") == 1 })
	return h
}

func (r *rig) live(limit int) ([]records.LiveCall, int64) {
	r.t.Helper()
	calls, more, err := r.db.LiveCalls(r.t.Context(), r.source.WorkspaceID, limit)
	require.NoError(r.t, err)
	return calls, more
}

// What happens on a live call changes the board, here and in other processes, and nothing else: no workflow hears of it.
func TestLiveCalls(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	r := newRigOn(t, url)
	stranger := newRigOn(t, url)
	other := r.reopen(url).listen()
	ws := r.source.WorkspaceID
	told := 0
	step := func(e call.Event) {
		t.Helper()
		r.insert(r.receipt(events(e)))
		r.apply()
		told++
		eventually(t, "other processes to hear of it", func() bool { return other.of(ws) >= told })
		told = other.of(ws)
	}

	ring := ringing("c1")
	ring.Facts.Customer = call.Party{Number: "+14155550101", Name: "Ann"}
	ring.Facts.BusinessRawNumber = "0800"
	step(ring)
	calls, more := r.live(10)
	require.Zero(t, more)
	require.Len(t, calls, 1)
	require.Equal(t, call.LiveRinging, calls[0].Live.State)
	require.Equal(t, "Ann", calls[0].Customer.Name)
	require.Equal(t, "0800", calls[0].BusinessNumber)
	require.Equal(t, "testphone", calls[0].Provider)
	since := calls[0].Live.Since
	require.WithinDuration(t, time.Now(), since, time.Minute)

	step(call.Event{Kind: call.CallRouted, ProviderID: "c1", Facts: call.Facts{Department: "Sales", Queue: "First line"}})
	calls, _ = r.live(10)
	require.Equal(t, call.LiveWaiting, calls[0].Live.State)
	require.Equal(t, []string{"Sales", "First line"}, []string{calls[0].Department, calls[0].Queue})
	require.True(t, calls[0].Live.Since.After(since))

	step(call.Event{Kind: call.CallAnswered, ProviderID: "c1", Facts: call.Facts{Agents: []call.Agent{{Name: "Bo", Status: call.AgentAnswered}}}})
	calls, _ = r.live(10)
	require.Equal(t, call.LiveTalking, calls[0].Live.State)
	require.Equal(t, "Bo", calls[0].Live.Agents[0].Name)

	r.signal()
	require.Empty(t, r.to.calls, "live events must not reach Temporal")
	require.Zero(t, r.count(`select count(*) from deliveries`))

	// The same again is no news for anybody.
	before := other.of(ws)
	answer := r.receipt(events(call.Event{Kind: call.CallAnswered, ProviderID: "c1", Facts: call.Facts{Agents: []call.Agent{{Name: "Bo", Status: call.AgentAnswered}}}}))
	r.insert(answer)
	r.apply()
	require.False(t, r.result(answer.ID).Changed)
	r.insert(r.receipt(events(ended("unrelated"))))
	r.apply()
	// What is told of another workspace afterwards is told after it.
	r.insert(stranger.receipt(events(ringing("s1"))))
	r.apply()
	eventually(t, "the stranger's call", func() bool { return other.of(stranger.source.WorkspaceID) == 1 })
	require.Equal(t, before, other.of(ws), "neither a duplicate nor a call that was never live is told")

	step(ended("c1"))
	calls, _ = r.live(10)
	require.Empty(t, calls)
	r.signal()
	require.Len(t, r.to.calls, 2)
	require.Zero(t, r.callBy("id", "c1").Live)
}

// A call known by two names until an event has both is on the board once.
func TestLiveCallsAreOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.insert(r.receipt(events(ringing("c1"))), r.receipt(events(ringing("", conn("x")))))
	r.apply()
	calls, _ := r.live(10)
	require.Len(t, calls, 2)
	r.insert(r.receipt(events(call.Event{Kind: call.CallAnswered, ProviderID: "c1", Aliases: []call.Alias{conn("x")}})))
	r.apply()
	calls, _ = r.live(10)
	require.Len(t, calls, 1)
	require.Equal(t, call.LiveTalking, calls[0].Live.State)
}

// The board is bounded and says how much it leaves out; it shows nothing of others, nothing that has been silent for its
// source's limit, and loses what the sweeper closes.
func TestLiveCallsAreBounded(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	r := newRigOn(t, url)
	stranger := newRigOn(t, url)
	stranger.insert(stranger.receipt(events(ringing("s1"))))
	stranger.apply()
	for i := range 7 {
		e := ringing(fmt.Sprint("c", i))
		e.Facts.StartedAt = time.Now().Add(time.Duration(i) * time.Second)
		r.insert(r.receipt(events(e)))
	}
	r.apply()
	calls, more := r.live(7)
	require.Len(t, calls, 7)
	require.Zero(t, more)
	calls, more = r.live(3)
	require.Len(t, calls, 3)
	require.EqualValues(t, 4, more)
	for _, c := range calls {
		require.Equal(t, r.source.ID, c.SourceID)
	}

	other := r.reopen(url).listen()
	r.exec(`update calls set changed_at = now() - interval '5 hours' where id = any($1::uuid[])`, []string{r.callBy("id", "c0").id, r.callBy("id", "c6").id})
	calls, more = r.live(3)
	require.EqualValues(t, 2, more)
	require.NotContains(t, []string{calls[0].ID, calls[1].ID, calls[2].ID}, r.callBy("id", "c0").id, "what is stale is not live, whether it was closed yet or not")
	closed, err := r.db.CloseStale(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, 2, closed)
	eventually(t, "the board to hear of it", func() bool { return other.of(r.source.WorkspaceID) == 1 })
	require.Zero(t, r.callBy("id", "c6").Live)
	require.True(t, r.callBy("id", "c6").Stale)
	closed, err = r.db.CloseStale(t.Context(), 10)
	require.NoError(t, err)
	require.Zero(t, closed)

	// A late live event does not bring it back.
	r.insert(r.receipt(events(call.Event{Kind: call.CallAnswered, ProviderID: "c6"})))
	r.apply()
	require.Zero(t, r.callBy("id", "c6").Live)
	calls, more = r.live(10)
	require.Len(t, calls, 5)
	require.Zero(t, more)
}

// The clocks of sources are compared by calls that end by webhooks, in little more than a row now and then.
func TestClockSamples(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *records.Source) { s.TimeZone = "Asia/Kolkata" })
	samples := func() []int64 {
		all, err := r.db.SourceClocks(t.Context(), r.source.WorkspaceID)
		require.NoError(t, err)
		return all[r.source.ID].Seconds
	}
	at := func(id string, late time.Duration) (records.Receipt, call.Event) {
		e := ended(id)
		rec := r.receipt("")
		e.Facts.EndedAt = rec.ReceivedAt.Add(-late)
		rec.Body = mustJSON(t, events(e))
		return rec, e
	}
	first, e := at("c1", 40*time.Second)
	second, _ := at("c2", -19800*time.Second)
	r.insert(first, second)
	r.apply()
	eventually(t, "samples", func() bool { return len(samples()) == 2 })
	require.Equal(t, []int64{-19800, 40}, samples(), "the latest first, calls that seem to end in the future too")

	// None of these is a first report by webhook that tells when the call ended.
	again := r.receipt(events(e))
	timeless, test, live := ended("c3"), ended("c4"), ringing("c5")
	test.Facts.EndedAt, test.Facts.Attributes = time.Now(), map[string]any{call.AttributeTest: true}
	asked := ended("c6")
	asked.Facts.EndedAt = time.Now().Add(-3 * time.Hour)
	pulled := asked
	pulled.Kind = call.CallPulled
	r.insert(again, r.receipt(events(updated("c1", "A note."))), r.receipt(events(timeless)), r.receipt(events(test)), r.receipt(events(live)), r.receipt(events(pulled, asked)))
	r.apply()
	// A live call that ends is one, too.
	last, _ := at("c5", time.Minute)
	r.insert(last)
	r.apply()
	eventually(t, "a sample more", func() bool { return len(samples()) > 2 })
	require.Equal(t, []int64{60, -19800, 40}, samples())

	// No more than the latest are kept.
	var many []records.Receipt
	for i := range 60 {
		rec, _ := at(fmt.Sprint("m", i), 5*time.Second)
		many = append(many, rec)
	}
	r.insert(many...)
	r.apply()
	eventually(t, "many samples", func() bool { return len(samples()) == 50 })
	require.NotContains(t, samples(), int64(60))

	// Another time zone makes what was read before meaningless; another name does not.
	s := r.source
	s.Name = "Renamed"
	require.NoError(t, r.db.UpdateSource(t.Context(), s))
	require.Len(t, samples(), 50)
	s.TimeZone = "UTC"
	require.NoError(t, r.db.UpdateSource(t.Context(), s))
	require.Empty(t, samples())
	soon, _ := at("n1", time.Second)
	later, _ := at("n2", 2*time.Second)
	later.ReceivedAt = later.ReceivedAt.Add(time.Minute)
	r.insert(soon, later)
	r.apply()
	eventually(t, "a sample of the new zone", func() bool { return len(samples()) == 1 })
	require.Equal(t, []int64{62}, samples(), "other processes may still have read the first in the old zone")

	fresh, err := r.db.FreshSourceClocks(t.Context(), time.Now().Add(-time.Minute), 10)
	require.NoError(t, err)
	require.Len(t, fresh, 1)
	require.Equal(t, r.source.ID, fresh[0].SourceID)
	require.NoError(t, r.db.DeleteSource(t.Context(), s.WorkspaceID, s.ID))
	require.Nil(t, samples())
}
