package activities_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

const (
	taskMapping = `
format: 1
object: task
fields:
  - target: title
    value: {field: task.subject}
  - target: body
    value: {field: task.body}
  - target: priority
    value: {field: task.priority}
  - target: owner
    value: {field: owner_id}
`
	ticketMapping = `
format: 1
object: ticket
fields:
  - target: title
    value: {field: ticket.subject}
`
	missedActions = `
actions:
  - name: Call back
    do: follow_up
    due_in: 30m
    priority: normal
    escalate: {after: 1h, to: boss@example.com, priority: urgent}
`
)

// taskCRM takes tasks, tickets and deals, too.
type taskCRM struct {
	*textCRM
	completed map[string]int
	deals     []connectors.Deal
	touched   []string
}

func (c *taskCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }

func (c *taskCRM) WriteTask(_ context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	w.Fields = maps.Clone(w.Fields)
	return c.write("task", w)
}

func (c *taskCRM) WriteTicket(_ context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	w.Fields = maps.Clone(w.Fields)
	return c.write("ticket", w)
}

func (c *taskCRM) CompleteTask(_ context.Context, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failing("complete", "before"); err != nil {
		return err
	}
	if _, ok := c.records[id]; !ok {
		return &connectors.Error{Class: connectors.NotFound, Public: "gone"}
	}
	c.completed[id]++
	return c.failing("complete", "committed")
}

func (c *taskCRM) TaskOpen(_ context.Context, id string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.records[id]; !ok {
		return false, &connectors.Error{Class: connectors.NotFound, Public: "gone"}
	}
	return c.completed[id] == 0, nil
}

func (c *taskCRM) OpenDeals(context.Context, connectors.Ref) ([]connectors.Deal, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.deals), nil
}

// TouchDeal closes the deal: it is not among the open ones any more.
func (c *taskCRM) TouchDeal(_ context.Context, id string, fields map[string]any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failing("deal", "before"); err != nil {
		return err
	}
	c.touched = append(c.touched, fmt.Sprint(id, fields))
	c.deals = slices.DeleteFunc(c.deals, func(d connectors.Deal) bool { return d.ID == id })
	return c.failing("deal", "committed")
}

type findingTaskCRM struct{ *taskCRM }

func (c findingTaskCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }

func (c findingTaskCRM) FindRecord(_ context.Context, _, key string) (string, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.byKey[key]
	return id, ok, nil
}

func (c findingTaskCRM) FindCall(_ context.Context, key string) (string, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.keys[key]
	return id, ok, nil
}

type taskWorld struct {
	*world
	crm *taskCRM
	db  *postgres.DB
}

func newTaskWorld(t testing.TB, kind connectors.Idempotency, actions string) *taskWorld {
	c := &taskCRM{textCRM: &textCRM{crm: newCRM(kind), records: map[string]connectors.RecordWrite{}, byKey: map[string]string{}}, completed: map[string]int{}}
	w := &taskWorld{world: newWorld(t, c.crm), crm: c}
	w.db = w.delivery.Store.(*postgres.DB)
	var connector connectors.Connector = c
	if kind != connectors.CreateOnly {
		connector = findingTaskCRM{c}
	}
	w.delivery.Connectors = connectors.NewRegistry(connector)
	c.owners["boss@example.com"] = "user-boss"
	for object, doc := range map[string]string{"task": taskMapping, "ticket": ticketMapping} {
		w.exec(`insert into mappings (connection_id, object, version, workspace_id, document) values ($1, $2, 1, $3, $4)`, w.conn, object, w.ws, doc)
		w.exec(`insert into active_mappings (connection_id, object, version) values ($1, $2, 1)`, w.conn, object)
	}
	w.act(actions)
	return w
}

func (w *taskWorld) act(actions string) {
	_, err := w.db.PutActions(w.t.Context(), w.ws, records.Actions{ConnectionID: w.conn, Version: -1, Document: actions})
	require.NoError(w.t, err)
}

// place makes or changes a call that began so long ago.
func (w *taskWorld) place(c *call.Call, ago time.Duration) {
	if c.ID == "" {
		*c = call.Call{ID: uuid.NewString(), WorkspaceID: w.ws, SourceID: w.source, Provider: "callrail", Phase: call.Ended, Facts: c.Facts}
	}
	c.Revision++
	if c.StartedAt.IsZero() {
		c.StartedAt = time.Now().Add(-ago).UTC()
	}
	w.save(*c)
	w.exec(`update calls set customer_number = $2, status = $3, direction = $4, started_at = $5, ended_at = $5 where id = $1`,
		c.ID, c.Customer.Number, string(c.Status), string(c.Direction), c.StartedAt)
}

func inbound(number string, status call.Status) call.Call {
	return call.Call{Facts: call.Facts{Direction: call.Inbound, Status: status, Customer: call.Party{Number: number, Name: "Ada"}}}
}

func outbound(number string) call.Call {
	c := inbound(number, call.Missed)
	c.Direction = call.Outbound
	return c
}

// missed delivers a missed call of a number.
func (w *taskWorld) missed(number string, ago time.Duration) call.Call {
	w.t.Helper()
	c := inbound(number, call.Missed)
	w.place(&c, ago)
	require.Equal(w.t, activities.Done, w.settle(c).Outcome)
	return c
}

func (w *taskWorld) list() []records.FollowUpItem {
	w.t.Helper()
	all, err := w.db.FollowUps(w.t.Context(), w.ws, records.FollowUpFilter{Limit: 100})
	require.NoError(w.t, err)
	return all
}

func (w *taskWorld) only() records.FollowUpItem {
	w.t.Helper()
	all := w.list()
	require.Len(w.t, all, 1)
	return all[0]
}

// run brings a follow-up up to date as its workflow would.
func (w *taskWorld) run(id string) activities.FollowUpResult {
	w.t.Helper()
	for range 30 {
		r, err := w.delivery.FollowUp(w.t.Context(), activities.FollowUpInput{WorkspaceID: w.ws, FollowUpID: id})
		if err == nil {
			return r
		}
		var app *temporal.ApplicationError
		require.ErrorAs(w.t, err, &app)
		select {
		case <-w.t.Context().Done():
		case <-time.After(min(app.NextRetryDelay(), 300*time.Millisecond)):
		}
	}
	w.t.Fatal("the follow-up never settled")
	return activities.FollowUpResult{}
}

// tell is what the relay does with calls that have ended.
func (w *taskWorld) tell(calls ...call.Call) int {
	ids := []string{}
	for _, c := range calls {
		ids = append(ids, c.ID)
	}
	n, err := w.db.CloseFollowUps(w.t.Context(), ids)
	require.NoError(w.t, err)
	return n
}

func TestOneMissedCallMakesOneTask(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	c := w.missed("+14155550101", time.Minute)
	f := w.only()
	require.Equal(t, records.FollowUpOpen, f.State)
	require.WithinDuration(t, c.StartedAt.Add(30*time.Minute), f.DueAt, time.Second)
	require.Equal(t, f.DueAt, w.run(f.ID).WakeAt)
	task := w.crm.records["task-1"]
	require.Equal(t, f.ID, task.Key)
	require.Equal(t, "Call back Ada", task.Fields["title"])
	require.Equal(t, "normal", task.Fields["priority"])
	require.Contains(t, task.Fields["body"], "Called on ")
	require.Equal(t, []connectors.Ref{{Object: "contact", ID: "contact-1"}, {Object: "call", ID: "call-1"}}, task.Links)

	// Delivered again, asked for again, changed: still one.
	c.Customer.Name = "Ada Lovelace"
	w.place(&c, 0)
	require.Equal(t, activities.Done, w.settle(c).Outcome)
	w.run(f.ID)
	require.Len(t, w.crm.records, 1)
	require.Equal(t, "Call back Ada Lovelace", w.crm.records["task-1"].Fields["title"])
	require.Equal(t, w.only().Settled, w.only().Revision)
}

func TestMissedCallsInARowHaveOneTask(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	w.missed("+14155550101", 3*time.Minute)
	due := w.only().DueAt
	w.run(w.only().ID)
	w.missed("+14155550101", 2*time.Minute)
	last := w.missed("+14155550101", time.Minute)
	w.missed("", time.Minute) // nobody can be called back
	f := w.only()
	require.Equal(t, 3, f.Calls)
	require.Equal(t, last.ID, f.CallID)
	require.Equal(t, due, f.DueAt, "the customer who calls again does not wait longer")
	w.run(f.ID)
	require.Len(t, w.crm.records, 1)
	require.Contains(t, w.crm.records["task-1"].Fields["body"], "Called 3 times")

	w.missed("+14155550102", time.Minute)
	require.Len(t, w.list(), 2)
}

func TestTwoCallsAtOnceHaveOneTask(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	var wg sync.WaitGroup
	for range 6 {
		c := inbound("+14155550101", call.Missed)
		w.place(&c, time.Minute)
		wg.Go(func() { w.settle(c) })
	}
	wg.Wait()
	require.Equal(t, 6, w.only().Calls)
	for range 4 {
		wg.Go(func() { w.run(w.only().ID) })
	}
	wg.Wait()
	require.Len(t, w.crm.records, 1)
}

func TestWhatClosesAFollowUp(t *testing.T) {
	t.Parallel()
	number := "+14155550101"
	conversation := missedActions + "    close_on: conversation\n"
	answered, again := inbound(number, call.Answered), inbound(number, call.Missed)
	other := outbound("+14155550999")
	for name, c := range map[string]struct {
		actions string
		call    call.Call
		ago     time.Duration
		closes  bool
	}{
		"called back":                         {missedActions, outbound(number), time.Minute, true},
		"answered later":                      {missedActions, answered, time.Minute, true},
		"called back before":                  {missedActions, outbound(number), time.Hour, false},
		"another number":                      {missedActions, other, time.Minute, false},
		"missed again":                        {missedActions, again, time.Minute, false},
		"called back without reaching anyone": {conversation, outbound(number), time.Minute, false},
		"spoken with":                         {conversation, answered, time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTaskWorld(t, connectors.KeyedUpsert, c.actions)
			w.missed(number, 10*time.Minute)
			f := w.only()
			w.run(f.ID)
			w.place(&c.call, c.ago)
			told := w.tell(c.call)
			f = w.only()
			if !c.closes {
				require.Zero(t, told)
				require.Equal(t, records.FollowUpOpen, f.State)
				return
			}
			require.Equal(t, 1, told)
			require.Equal(t, records.FollowUpDone, f.State)
			require.Equal(t, records.ClosedByCall, f.Closed)
			require.Equal(t, c.call.ID, f.ClosedBy)
			require.Zero(t, w.tell(c.call), "once")
			require.Zero(t, w.run(f.ID).WakeAt)
			require.Equal(t, 1, w.crm.completed["task-1"])
			require.Contains(t, w.crm.records["task-1"].Fields["body"], "there was a later call")

			// Missed once more: a new one.
			w.missed(number, 0)
			require.Len(t, w.list(), 2)
		})
	}
}

// Nobody told us of the call that closed it: the clock looks before it strikes.
func TestTheClockLooksForCalls(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	w.missed("+14155550101", 10*time.Minute)
	f := w.only()
	w.run(f.ID)
	back := outbound("+14155550101")
	w.place(&back, time.Minute)
	w.exec(`update follow_ups set due_at = now() - interval '1 minute'`)
	w.run(f.ID)
	require.Equal(t, records.FollowUpDone, w.only().State)
	require.Equal(t, 1, w.crm.completed["task-1"])
}

// The missed call is delivered after the one that answered it: there is nothing to do.
func TestCalledBackBeforeTheTaskWasMade(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	back := outbound("+14155550101")
	w.place(&back, time.Minute)
	w.missed("+14155550101", 10*time.Minute)
	require.Empty(t, w.list())
}

func TestAnOverdueTaskIsEscalated(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	w.missed("+14155550101", time.Minute)
	id := w.only().ID
	w.run(id)
	w.exec(`update follow_ups set due_at = now() - interval '1 minute'`)
	r := w.run(id)
	f := w.only()
	require.Equal(t, records.FollowUpOverdue, f.State)
	require.Equal(t, f.EscalateAt, r.WakeAt)
	require.Equal(t, "Overdue: Call back Ada", w.crm.records["task-1"].Fields["title"])
	w.exec(`update follow_ups set escalate_at = now() - interval '1 minute'`)
	require.Zero(t, w.run(id).WakeAt)
	require.Equal(t, records.FollowUpEscalated, w.only().State)
	require.Equal(t, "user-boss", w.crm.records["task-1"].Fields["owner"])
	require.Equal(t, "urgent", w.crm.records["task-1"].Fields["priority"])
	require.Len(t, w.crm.records, 1)

	back := outbound("+14155550101")
	w.place(&back, 0)
	require.Equal(t, 1, w.tell(back))
	w.run(id)
	require.Equal(t, 1, w.crm.completed["task-1"])
}

func TestEscalationByASecondTask(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, `
actions:
  - name: Call back
    do: follow_up
    escalate: {to: boss@example.com, second_task: true}
`)
	w.missed("+14155550101", time.Minute)
	first := w.only().ID
	w.run(first)
	all := w.list()
	require.Len(t, all, 2)
	require.Equal(t, records.FollowUpEscalated, all[1].State, "due at once")
	for _, f := range all {
		w.run(f.ID)
	}
	require.Len(t, w.crm.records, 2)
	require.Nil(t, w.crm.records["task-1"].Fields["owner"])
	require.Equal(t, "user-boss", w.crm.records["task-2"].Fields["owner"])
	back := outbound("+14155550101")
	w.place(&back, 0)
	require.Equal(t, 2, w.tell(back), "both")
	for _, f := range all {
		w.run(f.ID)
	}
	require.Len(t, w.crm.completed, 2)
}

func TestWhatPeopleDoInTheCRMCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do            func(*taskWorld)
		state, closed string
	}{
		"completed": {func(w *taskWorld) { w.crm.completed["task-1"] = 1 }, records.FollowUpDone, records.ClosedInCRM},
		"deleted":   {func(w *taskWorld) { delete(w.crm.records, "task-1") }, records.FollowUpCancelled, records.ClosedDeleted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
			w.missed("+14155550101", time.Minute)
			id := w.only().ID
			w.run(id)
			c.do(w)
			writes := len(w.crm.records)
			w.exec(`update follow_ups set due_at = now() - interval '1 minute'`)
			require.Zero(t, w.run(id).WakeAt)
			require.Equal(t, c.state, w.only().State)
			require.Equal(t, c.closed, w.only().Closed)
			require.Len(t, w.crm.records, writes)
		})
	}
	t.Run("deleted before it is closed", func(t *testing.T) {
		t.Parallel()
		w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
		w.missed("+14155550101", time.Minute)
		id := w.only().ID
		w.run(id)
		delete(w.crm.records, "task-1")
		back := outbound("+14155550101")
		w.place(&back, 0)
		w.tell(back)
		w.run(id)
		require.Empty(t, w.crm.records)
		require.Equal(t, w.only().Revision, w.only().Settled)
	})
}

// A late report says that the call was answered: nobody has to call back.
func TestAnsweredAfterAll(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	c := w.missed("+14155550101", time.Minute)
	id := w.only().ID
	w.run(id)
	c.Status = call.Answered
	w.place(&c, 0)
	require.Equal(t, 1, w.tell(c))
	require.Equal(t, records.FollowUpCancelled, w.only().State)
	require.Equal(t, records.ClosedAnswered, w.only().Closed)
	w.run(id)
	require.Equal(t, 1, w.crm.completed["task-1"])
	require.Contains(t, w.crm.records["task-1"].Fields["body"], "answered after all")
	require.Equal(t, activities.Done, w.settle(c).Outcome)
	require.Len(t, w.list(), 1)
}

// A call that turns out to be no case for the action leaves; the last one that leaves ends the task.
func TestACallThatNeedsNoFollowUpLeaves(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	one := w.missed("+14155550101", 2*time.Minute)
	two := w.missed("+14155550101", time.Minute)
	id := w.only().ID
	w.run(id)
	for i, c := range []call.Call{two, one} {
		c.Status = call.Busy
		w.place(&c, 0)
		require.Equal(t, activities.Done, w.settle(c).Outcome)
		require.Equal(t, i == 1, w.only().Over())
		require.Equal(t, one.ID, w.only().CallID)
	}
	require.Equal(t, records.ClosedNoMatch, w.only().Closed)
	w.run(id)
	require.Equal(t, 1, w.crm.completed["task-1"])
}

func TestThePastIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	old := inbound("+14155550101", call.Missed)
	w.place(&old, 48*time.Hour) // imported
	require.Equal(t, activities.Done, w.settle(old).Outcome)
	before := inbound("+14155550102", call.Missed)
	w.place(&before, time.Minute)
	w.exec(`update calls set created_at = now() - interval '2 hours' where id = $1`, before.ID)
	require.Equal(t, activities.Done, w.settle(before).Outcome)
	bulk := inbound("+14155550103", call.Missed)
	w.place(&bulk, time.Minute)
	_, err := w.delivery.Deliver(t.Context(), activities.DeliverInput{WorkspaceID: w.ws, CallID: bulk.ID, ConnectionID: w.conn, Revision: 1, Force: true, Bulk: true})
	require.NoError(t, err)
	require.Empty(t, w.list())
}

func TestAPausedConnectionHoldsFollowUps(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	w.missed("+14155550101", time.Minute)
	id := w.only().ID
	w.exec(`update connections set status = 'paused'`)
	require.Zero(t, w.run(id).WakeAt)
	require.Equal(t, records.DeliveryParked, w.only().Delivery.State)
	claimed := func() int {
		w.exec(`update follow_ups set signalled_revision = revision, signal_lease = '-infinity', check_at = now()`)
		all, err := w.db.ClaimFollowUps(t.Context(), 10, 10, time.Minute)
		require.NoError(t, err)
		return len(all)
	}
	require.Zero(t, claimed(), "it is not asked for while the connection is paused")
	w.exec(`update connections set status = 'active'`)
	require.Equal(t, 1, claimed())
	require.NotZero(t, w.run(id).WakeAt)
	require.Len(t, w.crm.records, 1)
}

func TestShadowModeShowsWhatActionsWouldMake(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	w.exec(`update connections set mode = 'shadow'`)
	c := inbound("+14155550101", call.Missed)
	w.place(&c, time.Minute)
	require.Equal(t, activities.Skipped, w.settle(c).Outcome)
	require.Empty(t, w.list())
	got, err := w.db.DeliveriesOfCall(t.Context(), w.ws, c.ID)
	require.NoError(t, err)
	require.Len(t, got[0].Shadow.Actions, 1)
	require.Equal(t, "Call back Ada", got[0].Shadow.Actions[0].Subject)
}

// Temporal's store is lost: what the rows say is due is asked for again, once its time has come.
func TestFollowUpsAreClaimedByWhatTheRowsSay(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, missedActions)
	w.missed("+14155550101", time.Minute)
	id := w.only().ID
	claim := func() []records.PendingFollowUp {
		all, err := w.db.ClaimFollowUps(t.Context(), 10, 10, time.Minute)
		require.NoError(t, err)
		return all
	}
	first := claim()
	require.Len(t, first, 1)
	require.Equal(t, id, first[0].ID)
	require.Empty(t, claim(), "it is claimed")
	require.NoError(t, w.db.FinishFollowUpSignals(t.Context(), first))
	require.Empty(t, claim(), "the workflow knows")
	w.run(id)
	require.Empty(t, claim(), "nothing is due before its clock strikes")

	w.exec(`update follow_ups set check_at = now() - interval '1 second'`)
	require.Len(t, claim(), 1, "nobody has come when it struck")
	require.NoError(t, w.db.ReleaseFollowUps(t.Context(), []string{id}, 0))
	require.Len(t, claim(), 1, "given back")
	require.NoError(t, w.db.FinishFollowUpSignals(t.Context(), first))

	back := outbound("+14155550101")
	w.place(&back, 0)
	require.Equal(t, 1, w.tell(back))
	require.Len(t, claim(), 1, "the workflow does not know that it was closed")
	w.run(id)
	w.exec(`update follow_ups set signalled_revision = revision, signal_lease = '-infinity'`)
	var check *time.Time
	require.NoError(t, w.sql.QueryRow(t.Context(), `select check_at from follow_ups`).Scan(&check))
	require.Nil(t, check, "nothing is left to look after")
}
