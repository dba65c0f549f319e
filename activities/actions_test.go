package activities_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

const tagActions = `
actions:
  - name: Complaints
    do: ticket
    when: {field: tags, operator: one_of, value: [complaint]}
    subject: "Complaint of {{ customer.name }}"
  - name: Sales
    do: deal
    when: {field: tags, operator: one_of, value: [sale]}
    fields:
      - target: stage
        value: {const: won}
      - target: amount
        value: {field: value.amount}
`

// tagged delivers a call with tags and does what follows.
func (w *taskWorld) tagged(tags ...string) call.Call {
	w.t.Helper()
	c := inbound("+14155550101", call.Answered)
	c.Tags = tags
	c.Value = &call.Money{Amount: "250"}
	w.place(&c, time.Minute)
	require.Equal(w.t, activities.Done, w.settle(c).Outcome)
	for _, f := range w.list() {
		w.run(f.ID)
	}
	return c
}

func TestAComplaintOpensOneTicket(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, tagActions)
	c := w.tagged("complaint")
	require.Len(t, w.crm.records, 1)
	require.Equal(t, "Complaint of Ada", w.crm.records["ticket-1"].Fields["title"])
	f := w.only()
	require.Equal(t, []string{records.FollowUpDone, records.ClosedMade}, []string{f.State, f.Closed})

	// The tag comes again, goes, and comes back: one ticket.
	for _, tags := range [][]string{{"complaint", "vip"}, nil, {"complaint"}} {
		c.Tags = tags
		w.place(&c, 0)
		require.Equal(t, activities.Done, w.settle(c).Outcome)
		w.run(f.ID)
	}
	require.Len(t, w.crm.records, 1)
	require.Len(t, w.list(), 1)
}

// A tag that comes late does what it would have done in time.
func TestATagThatComesLate(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, tagActions)
	c := w.tagged()
	require.Empty(t, w.list())
	c.Tags = []string{"complaint"}
	w.place(&c, 0)
	require.Equal(t, activities.Done, w.settle(c).Outcome)
	w.run(w.only().ID)
	require.Len(t, w.crm.records, 1)
}

func deal(id, owner string) connectors.Deal {
	return connectors.Deal{Ref: connectors.Ref{Object: connectors.ObjectDeal, ID: id}, OwnerID: owner}
}

func TestASaleTouchesADeal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		which string
		deals []connectors.Deal
		want  []string
	}{
		"the latest":      {"recent", []connectors.Deal{deal("d1", ""), deal("d2", "")}, []string{"d1map[amount:250 stage:won]"}},
		"the only one":    {"only", []connectors.Deal{deal("d1", "")}, []string{"d1map[amount:250 stage:won]"}},
		"not one of two":  {"only", []connectors.Deal{deal("d1", ""), deal("d2", "")}, nil},
		"none":            {"recent", nil, nil},
		"nobody's of his": {"owner", []connectors.Deal{deal("d1", "u1")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTaskWorld(t, connectors.KeyedUpsert, tagActions+"    which_deal: "+c.which+"\n")
			w.crm.deals = c.deals
			w.tagged("sale")
			require.Equal(t, c.want, w.crm.touched)
			f := w.only()
			require.True(t, f.Over())
			require.Equal(t, f.Revision, f.Settled)
			if c.want == nil {
				require.Equal(t, records.ClosedImpossible, f.Closed)
				require.Contains(t, f.Delivery.Reason, "open deal")
			}
		})
	}
}

// The deal is closed by what is written, and the answer is lost: the next attempt must not take the next deal.
func TestASaleWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, tagActions)
	w.crm.deals = []connectors.Deal{deal("d1", ""), deal("d2", "")}
	w.crm.fault = once("deal", "committed", &connectors.Error{Class: connectors.Unavailable, Public: "no answer"})
	w.tagged("sale")
	require.Len(t, w.crm.touched, 2)
	require.Equal(t, w.crm.touched[0], w.crm.touched[1])
	require.Len(t, w.crm.deals, 1)
}

// The worker is killed right after the deal was changed: only what was committed before knows which one it was.
func TestASaleWhoseWorkerIsKilled(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.KeyedUpsert, tagActions)
	w.crm.deals = []connectors.Deal{deal("d1", ""), deal("d2", "")}
	c := inbound("+14155550101", call.Answered)
	c.Tags = []string{"sale"}
	w.place(&c, time.Minute)
	require.Equal(t, activities.Done, w.settle(c).Outcome)
	healthy := w.delivery.Store
	d := &dying{Store: healthy, left: 1000}
	w.delivery.Store = d
	w.crm.fault = func(what, when string) error {
		if what == "deal" && when == "committed" {
			d.left = 0
			return &connectors.Error{Class: connectors.Unavailable, Public: "killed"}
		}
		return nil
	}
	_, err := w.delivery.FollowUp(t.Context(), activities.FollowUpInput{WorkspaceID: w.ws, FollowUpID: w.only().ID})
	require.Error(t, err)
	w.delivery.Store, w.crm.fault = healthy, nil
	w.exec(`update deliveries set lease_until = '-infinity'`)
	w.run(w.only().ID)
	require.Len(t, w.crm.touched, 2)
	require.Equal(t, w.crm.touched[0], w.crm.touched[1])
	require.Len(t, w.crm.deals, 1)
}

// Whenever the worker is killed, between any two statements and requests, and then once more: one task, and it is closed.
func TestAFollowUpWhoseWorkerIsKilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, kind := range []connectors.Idempotency{connectors.KeyedUpsert, connectors.LookupThenWrite, connectors.CreateOnly} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newTaskWorld(t, kind, missedActions)
			healthy := w.delivery.Store
			attempt := func(at int, do func()) bool {
				d := &dying{Store: healthy, left: at}
				w.delivery.Store = d
				w.crm.fault = func(string, string) error {
					if d.dead || d.step() != nil {
						return &connectors.Error{Class: connectors.UnknownOutcome, Public: "killed"}
					}
					return nil
				}
				do()
				w.delivery.Store, w.crm.fault = healthy, nil
				w.exec(`update deliveries set lease_until = '-infinity', sending_since = sending_since - interval '1 second'`)
				return d.dead
			}
			killed := true
			for first := 0; killed; first++ {
				number := fmt.Sprintf("+1415555%04d", first)
				w.missed(number, time.Minute)
				id := w.list()[0].ID
				tasks := len(w.crm.records)
				deliver := func() {
					_, _ = w.delivery.FollowUp(t.Context(), activities.FollowUpInput{WorkspaceID: w.ws, FollowUpID: id})
				}
				killed = attempt(first, deliver)
				attempt(first*7%5, deliver)
				w.run(id)
				f, err := w.db.FollowUp(t.Context(), w.ws, id)
				require.NoError(t, err)
				if f.Delivery.State == records.DeliveryParked {
					require.Equal(t, connectors.CreateOnly, kind)
					require.LessOrEqual(t, len(w.crm.records), tasks+1)
				} else {
					require.Len(t, w.crm.records, tasks+1, "killed at %d", first)
				}
				back := outbound(number)
				w.place(&back, 0)
				require.Equal(t, 1, w.tell(back))
				attempt(first, deliver)
				attempt(first*7%5, deliver)
				w.run(id)
				f, err = w.db.FollowUp(t.Context(), w.ws, id)
				require.NoError(t, err)
				if f.Delivery.State == records.DeliveryParked {
					require.Equal(t, connectors.CreateOnly, kind)
					continue
				}
				require.Positive(t, w.crm.completed[f.Delivery.RemoteID], "killed at %d", first)
				require.Len(t, w.crm.records, tasks+1)
				require.Equal(t, f.Revision, f.Settled)
				if !killed {
					require.Greater(t, first, 5, "the steps were counted")
				}
			}
		})
	}
}

// A CRM that cannot say whether it made the task: a person is asked, and nothing is made twice.
func TestACreateOnlyTaskWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	w := newTaskWorld(t, connectors.CreateOnly, missedActions)
	w.missed("+14155550101", time.Minute)
	id := w.only().ID
	w.crm.fault = once("task", "committed", &connectors.Error{Class: connectors.UnknownOutcome, Public: "no answer"})
	w.run(id)
	require.Equal(t, records.DeliveryParked, w.only().Delivery.State)
	require.Equal(t, "unknown_outcome", w.only().Delivery.Class)
	w.run(id)
	require.Len(t, w.crm.records, 1)
	// Somebody has looked, and asks for it again.
	require.NoError(t, w.db.RetryFollowUp(t.Context(), w.ws, id))
	w.run(id)
	require.Equal(t, records.DeliveryDone, w.only().Delivery.State)
	require.Len(t, w.crm.records, 2)
	w.run(id)
	require.Len(t, w.crm.records, 2)
}
