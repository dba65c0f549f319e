package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
	"github.com/callsync/callsync/workflows"
)

// pullRig is a CallRail source, a fake of its API, and a puller whose workflows run at once, in place of Temporal's.
type pullRig struct {
	*rig
	api    *callrailfake.API
	puller *Puller
	pulls  *activities.Pull
	began  time.Time

	mu      sync.Mutex
	started []string
	// down makes starting a workflow fail; idle starts it without running it.
	down, idle bool
	retries    int
}

func newPullRig(t *testing.T, o callrailfake.APIOptions, change ...func(*records.Source)) *pullRig {
	t.Helper()
	o.Key, o.Account = "key-1", "ACC1"
	p := &pullRig{api: callrailfake.NewAPI(o), began: time.Now().Add(-3 * time.Hour).Truncate(time.Second).UTC()}
	srv := httptest.NewServer(p.api)
	t.Cleanup(srv.Close)
	p.rig = newRig(t, append([]func(*records.Source){func(s *records.Source) {
		s.Provider = callrail.ID
		s.Secrets = map[string]string{"api_key": "key-1"}
		s.Config = map[string]string{"api_account_id": "ACC1", "api_base_url": srv.URL}
	}}, change...)...)
	providers := telephony.NewRegistry(callrail.New(), testPhone{})
	p.dir = NewDirectory(p.db, providers)
	p.relay = p.newRelay(RelayOptions{})
	p.puller = NewPuller(p.db, providers, p, quiet())
	p.pulls = &activities.Pull{Store: p.db, Providers: providers, Transport: http.DefaultTransport, Log: quiet()}
	return p
}

// StartPull runs the pull to its end, as the workflow does, without its waits.
func (p *pullRig) StartPull(ctx context.Context, in workflows.ReconcileInput) error {
	p.mu.Lock()
	p.started = append(p.started, in.PullID)
	down, idle := p.down, p.idle
	p.mu.Unlock()
	if down {
		return errors.New("Temporal is away")
	}
	for !idle {
		out, err := p.pulls.PullPage(ctx, activities.PullInput{WorkspaceID: in.WorkspaceID, PullID: in.PullID})
		var again *temporal.ApplicationError
		switch {
		case errors.As(err, &again) && !again.NonRetryable():
			p.retries++
			continue
		case err != nil || out.Done:
			return err
		}
	}
	return nil
}

// call is one of CallRail's calls; it began so many minutes after the rig's beginning.
func (p *pullRig) call(i int) callrailfake.Call {
	return callrailfake.Call{
		ID: fmt.Sprintf("CAL%04d", i), StartedAt: p.began.Add(time.Duration(i) * time.Second), Duration: 20 * time.Second, Answered: i%3 == 0, Voicemail: i%3 == 1,
		Recording: i%3 != 2, Tags: []string{"a", "b"}, Note: fmt.Sprint("note ", i), Value: "12.50", AgentEmail: "bo@example.com", PriorCalls: i % 5,
		Customer: fmt.Sprintf("+1415555%04d", i),
	}
}

// webhook stores a webhook as the receiver does.
func (p *pullRig) webhook(event string, body []byte) records.Receipt {
	p.t.Helper()
	r := p.receipt(string(body))
	r.HookEvent = event
	p.insert(r)
	return r
}

// manual queues a pull of the three hours and has everything done.
func (p *pullRig) manual() records.Pull {
	p.t.Helper()
	pull := records.Pull{ID: newUUID(), WorkspaceID: p.source.WorkspaceID, SourceID: p.source.ID, Kind: records.PullManual, From: p.began, To: time.Now()}
	require.NoError(p.t, p.db.CreatePull(p.t.Context(), pull))
	require.NoError(p.t, p.puller.Start(p.t.Context()))
	return p.settle(pull.ID)
}

// settle applies what was pulled and returns the pull with its figures.
func (p *pullRig) settle(id string) records.Pull {
	p.t.Helper()
	p.apply()
	p.idle = true
	require.NoError(p.t, p.puller.Start(p.t.Context()))
	p.idle = false
	pull, err := p.db.PullByID(p.t.Context(), p.source.WorkspaceID, id)
	require.NoError(p.t, err)
	return pull
}

func (p *pullRig) all() []records.Pull {
	p.t.Helper()
	all, err := p.db.PullsPage(p.t.Context(), p.source.WorkspaceID, p.source.ID, "", 100)
	require.NoError(p.t, err)
	return all
}

func (p *pullRig) receipts() int { return p.count("select count(*) from receipts") }

// Webhooks that were lost are made good exactly once, and the calls whose webhooks came do not change.
func TestPullHealsMissedWebhooks(t *testing.T) {
	t.Parallel()
	p := newPullRig(t, callrailfake.APIOptions{})
	for i := range 40 {
		c := p.call(i)
		p.api.Put(c)
		switch {
		case i < 25: // all came
			p.webhook("pre-call", callrailfake.PreCall(c))
			p.webhook("post-call", callrailfake.PostCall(c))
			p.webhook("call-modified", callrailfake.Modified(c, "tags"))
		case i < 30: // the change was lost
			before := c
			before.Note, before.Tags = "", nil
			p.webhook("post-call", callrailfake.PostCall(before))
		case i < 35: // only the ringing came
			p.webhook("pre-call", callrailfake.PreCall(c))
		}
	}
	p.apply()
	revisions := "select coalesce(string_agg(revision::text, ',' order by customer_number), '') from calls where customer_number < '+14155550025'"
	var before, after string
	require.NoError(t, p.pool.QueryRow(t.Context(), revisions).Scan(&before))
	hooks := p.receipts()

	pull := p.manual()
	require.Equal(t, records.PullDone, pull.State)
	require.EqualValues(t, 40, pull.Listed)
	require.EqualValues(t, 40, pull.Stored)
	require.EqualValues(t, 5, pull.Created)
	require.EqualValues(t, 10, pull.Changed)
	require.EqualValues(t, 25, pull.Unchanged)
	require.Zero(t, pull.Troubled)
	require.NoError(t, p.pool.QueryRow(t.Context(), revisions).Scan(&after))
	require.Equal(t, before, after, "complete calls stay as they are")
	require.Equal(t, 40, p.count("select count(*) from calls where phase = 'ended' and merged_into is null"))
	require.Equal(t, hooks+40, p.receipts())
	healed := p.callBy("id", "CAL0027")
	require.Equal(t, "note 27", healed.Note)
	require.ElementsMatch(t, []string{"a", "b"}, healed.Tags)
	missed := p.callBy("id", "CAL0039")
	require.Equal(t, p.began.Add(59*time.Second), missed.EndedAt.UTC())
	require.Equal(t, "+14155550039", missed.Customer.Number)
	require.Equal(t, "applied", p.result(p.lastReceipt("CAL0039")).State)

	// The same again stores nothing and changes nothing.
	pull = p.manual()
	require.EqualValues(t, 40, pull.Repeated)
	require.Zero(t, pull.Stored)
	require.Equal(t, hooks+40, p.receipts())

	// The webhook that comes after all changes nothing either.
	late := p.webhook("post-call", callrailfake.PostCall(p.call(39)))
	p.apply()
	require.Equal(t, missed.revision, p.callBy("id", "CAL0039").revision-p.added("CAL0039", late))

	// A change in CallRail is one more receipt, of that call alone.
	c := p.call(30)
	c.Tags = []string{"won"}
	p.api.Put(c)
	pull = p.manual()
	require.EqualValues(t, 39, pull.Repeated)
	require.EqualValues(t, 1, pull.Changed)
	require.Equal(t, []string{"won"}, p.callBy("id", "CAL0030").Tags)
}

// lastReceipt is the newest receipt of a call.
func (p *pullRig) lastReceipt(id string) (receipt string) {
	p.t.Helper()
	require.NoError(p.t, p.pool.QueryRow(p.t.Context(), `select receipt_id from receipt_results where record_id = $1 order by receipt_id desc limit 1`, p.callBy("id", id).id).Scan(&receipt))
	return receipt
}

// added is what a late webhook adds: fields that only webhooks have. It may raise the revision once, for good.
func (p *pullRig) added(id string, late records.Receipt) int64 {
	p.t.Helper()
	if !p.result(late.ID).Changed {
		return 0
	}
	again := p.webhook(late.HookEvent, late.Body)
	p.apply()
	require.False(p.t, p.result(again.ID).Changed)
	return 1
}

// 700 calls on three pages while new ones begin, the quota runs out in the middle, and answers are lost: each call is
// stored once.
func TestPullManyPages(t *testing.T) {
	t.Parallel()
	var p *pullRig
	p = newPullRig(t, callrailfake.APIOptions{BeforePage: func(a *callrailfake.API, page int) {
		c := p.call(2000 + page)
		a.Put(c)
		if page == 1 {
			a.Fail("", http.StatusBadGateway)
		}
	}})
	for i := range 700 {
		p.api.Put(p.call(i))
	}
	p.idle = true
	pull := p.manual()
	p.idle = false
	in := activities.PullInput{WorkspaceID: pull.WorkspaceID, PullID: pull.ID}
	out, err := p.pulls.PullPage(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, activities.PullResult{Pause: 8 * time.Second}, out)

	p.api.Fail("120", http.StatusTooManyRequests)
	_, err = p.pulls.PullPage(t.Context(), in)
	var again *temporal.ApplicationError
	require.ErrorAs(t, err, &again)
	require.GreaterOrEqual(t, again.NextRetryDelay(), 2*time.Minute, "as long as CallRail asks for")
	require.Less(t, again.NextRetryDelay(), 3*time.Minute)
	pull, err = p.db.PullByID(t.Context(), in.WorkspaceID, in.PullID)
	require.NoError(t, err)
	require.Contains(t, pull.Reason, "limit of requests")
	require.False(t, pull.RetryAt.IsZero())
	require.Equal(t, records.PullRunning, pull.State)

	// A page whose answer was lost is saved once: the second attempt finds the pull on the next page.
	lost := records.PulledPage{Cursor: "", Next: "7", Items: []records.PulledItem{{ID: "CALx", Receipt: p.receipt("{}")}}}
	pull, err = p.db.SavePullPage(t.Context(), in.WorkspaceID, in.PullID, lost)
	require.NoError(t, err)
	require.Equal(t, "1", pull.Cursor)

	require.NoError(t, p.StartPull(t.Context(), workflows.ReconcileInput{WorkspaceID: in.WorkspaceID, PullID: in.PullID}))
	require.Equal(t, 1, p.retries, "the fault of page 1")
	pull = p.settle(in.PullID)
	require.Equal(t, records.PullDone, pull.State)
	require.Empty(t, pull.Reason)
	require.True(t, pull.RetryAt.IsZero())
	require.EqualValues(t, 703, pull.Listed, "the new ones came at the end")
	require.EqualValues(t, 703, pull.Created)
	require.Equal(t, 703, p.count("select count(*) from calls"))
	require.Equal(t, 703, p.receipts())
	require.Equal(t, 0, p.count("select count(*) from pull_receipts"), "all are counted")
}

func TestPullThatCannotGoOn(t *testing.T) {
	t.Parallel()
	p := newPullRig(t, callrailfake.APIOptions{}, func(s *records.Source) { s.Secrets["api_key"] = "revoked" })
	pull := p.manual()
	require.Equal(t, records.PullFailed, pull.State)
	require.Contains(t, pull.Reason, "refused the API key")
	require.NotContains(t, pull.Reason+pull.Detail, "revoked")
	require.False(t, pull.FinishedAt.IsZero())

	gone := records.Pull{ID: newUUID(), WorkspaceID: p.source.WorkspaceID, SourceID: p.source.ID, Kind: records.PullManual, From: p.began, To: time.Now()}
	require.NoError(t, p.db.CreatePull(t.Context(), gone))
	require.NoError(t, p.db.DeleteSource(t.Context(), p.source.WorkspaceID, p.source.ID))
	require.NoError(t, p.puller.Start(t.Context()))
	require.Equal(t, "The source has been deleted.", p.settle(gone.ID).Reason)
	require.ErrorIs(t, p.db.CreatePull(t.Context(), gone), records.ErrNotFound)

	out, err := p.pulls.PullPage(t.Context(), activities.PullInput{WorkspaceID: newUUID(), PullID: pull.ID})
	require.NoError(t, err)
	require.True(t, out.Done, "another workspace has no such pull")
}

func TestPullPlans(t *testing.T) {
	t.Parallel()
	p := newPullRig(t, callrailfake.APIOptions{}, func(s *records.Source) { delete(s.Secrets, "api_key") })
	p.idle = true
	plan := func() { t.Helper(); require.NoError(t, p.puller.Plan(t.Context())) }
	plan()
	require.Empty(t, p.all(), "nothing without a key")

	p.source.Secrets["api_key"] = "key-1"
	require.NoError(t, p.db.UpdateSource(t.Context(), p.source))
	plan()
	plan()
	now := time.Now()
	all := p.all()
	require.Len(t, all, 2, "one of each kind at once, and not again before they are due")
	spans := map[string]time.Duration{}
	for _, pull := range all {
		require.WithinDuration(t, now, pull.To, time.Minute)
		spans[pull.Kind] = pull.To.Sub(pull.From)
	}
	require.Equal(t, map[string]time.Duration{records.PullRecent: 6 * time.Hour, records.PullDaily: 72 * time.Hour}, spans)

	// The next is due in an hour, but not while the one before is still open.
	p.exec("update source_plans set recent_at = now()")
	plan()
	require.Len(t, p.all(), 2)
	p.idle = false
	require.NoError(t, p.puller.Start(t.Context()))
	require.NoError(t, p.puller.Start(t.Context()), "one of a source after the other")
	for _, pull := range p.all() {
		require.Equal(t, records.PullDone, pull.State)
	}
	p.exec("update source_plans set recent_at = now()")
	plan()
	require.Len(t, p.all(), 3)

	// After an outage it begins where it had come to.
	require.NoError(t, p.puller.Start(t.Context()))
	p.exec("update source_pulls set to_at = now() - interval '5 days'")
	p.exec("update source_plans set recent_at = now()")
	plan()
	require.InDelta(t, (5*24*time.Hour + pullOverlap).Seconds(), p.all()[0].To.Sub(p.all()[0].From).Seconds(), 60)
	p.exec("update source_pulls set state = 'done', to_at = now() - interval '90 days'")
	p.exec("update source_plans set recent_at = now()")
	plan()
	require.InDelta(t, pullGap.Seconds(), p.all()[0].To.Sub(p.all()[0].From).Seconds(), 60, "within reason")

	p.source.Config["pull_every"] = "off"
	require.NoError(t, p.db.UpdateSource(t.Context(), p.source))
	n := len(p.all())
	plan()
	require.Equal(t, 1, p.count("select count(*) from source_plans where recent_at is null and daily_at is null"))
	require.Len(t, p.all(), n)
	p.source.Config["pull_every"] = "15m"
	require.NoError(t, p.db.UpdateSource(t.Context(), p.source))
	p.exec("update source_plans set recent_at = now() + interval '1 hour', daily_at = now() + interval '1 hour'")
	plan()
	require.Equal(t, 1, p.count("select count(*) from source_plans where recent_at < now() + interval '16 minutes'"), "a shorter time counts at once")
}

// Two processes start each pull once; one that could not be started, or whose workflow was lost, is started again.
func TestPullsAreStartedOnce(t *testing.T) {
	t.Parallel()
	p := newPullRig(t, callrailfake.APIOptions{})
	p.idle = true
	queue := func() string {
		id := newUUID()
		require.NoError(t, p.db.CreatePull(t.Context(), records.Pull{ID: id, WorkspaceID: p.source.WorkspaceID, SourceID: p.source.ID, Kind: records.PullManual, From: p.began, To: time.Now()}))
		return id
	}
	first, second := queue(), queue()
	other := NewPuller(p.db, p.puller.providers, p, quiet())
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = []*Puller{p.puller, other}[i%2].Start(context.WithoutCancel(t.Context())) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, []string{first}, p.started, "and one of a source at a time")

	p.exec("update source_pulls set lease_until = now() where id = $1", first)
	require.NoError(t, p.puller.Start(t.Context()))
	require.Equal(t, []string{first, first}, p.started, "its workflow may have been lost")
	require.NoError(t, p.db.FailPull(t.Context(), p.source.WorkspaceID, first, "x", ""))
	p.down = true
	require.NoError(t, p.puller.Start(t.Context()))
	p.down = false
	require.NoError(t, p.puller.Start(t.Context()))
	require.Equal(t, []string{first, first, second}, p.started)
	p.exec("update source_pulls set lease_until = now() where id = $1", second)
	require.NoError(t, p.puller.Start(t.Context()))
	require.Equal(t, []string{first, first, second, second}, p.started)

	for range 25 {
		err := p.db.CreatePull(t.Context(), records.Pull{ID: newUUID(), WorkspaceID: p.source.WorkspaceID, SourceID: p.source.ID, Kind: records.PullManual, From: p.began, To: time.Now()})
		if errors.Is(err, records.ErrConflict) {
			require.NoError(t, p.db.DropOldPulls(t.Context(), time.Now().Add(time.Hour)))
			require.Len(t, p.all(), 20, "open ones are kept")
			return
		}
		require.NoError(t, err)
	}
	t.Fatal("there is no bound")
}

// A source whose secrets cannot be opened does not hold up the others.
func TestPullPlansPastSealedSecrets(t *testing.T) {
	t.Parallel()
	p := newPullRig(t, callrailfake.APIOptions{})
	broken := p.source
	broken.ID, broken.Token = newUUID(), "tok_"+newUUID()
	require.NoError(t, p.db.CreateSource(t.Context(), broken))
	p.exec("update sources set secrets = 'not sealed' where id = $1", broken.ID)
	require.NoError(t, p.puller.Plan(t.Context()))
	require.Len(t, p.all(), 2)
}
