package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

func seconds(n int64) *int64 { return &n }

// The owner is one of the agents who answered, by policy; where nobody answered, the one who was rung.
func TestWhichAgentOwnsACall(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	first := call.Agent{ID: "first", Status: call.AgentTransferred, TalkSeconds: seconds(40), AnsweredAt: at}
	long := call.Agent{ID: "long", Status: call.AgentTransferred, TalkSeconds: seconds(400), AnsweredAt: at.Add(time.Minute)}
	last := call.Agent{ID: "last", Status: call.AgentAnswered, TalkSeconds: seconds(20), AnsweredAt: at.Add(time.Hour)}
	missed := call.Agent{ID: "missed", Status: call.AgentMissed}
	for name, tc := range map[string]struct {
		policy string
		agents []call.Agent
		want   any
	}{
		"last":                         {"", []call.Agent{first, long, last, missed}, "o-last"},
		"last, whatever the order":     {"last", []call.Agent{last, long, first}, "o-last"},
		"first":                        {"first", []call.Agent{long, last, first}, "o-first"},
		"longest":                      {"longest", []call.Agent{first, long, last}, "o-long"},
		"without times, the last one":  {"last", []call.Agent{{ID: "first", Status: call.AgentAnswered}, {ID: "last", Status: call.AgentAnswered}}, "o-last"},
		"without times, the first one": {"first", []call.Agent{{ID: "first", Status: call.AgentAnswered}, {ID: "last", Status: call.AgentAnswered}}, "o-first"},
		"nobody answered, one rung":    {"", []call.Agent{missed}, "o-missed"},
		"nobody answered, two rung":    {"", []call.Agent{missed, {ID: "first", Status: call.AgentMissed}}, nil},
		"no agent":                     {"", nil, nil},
	} {
		w, p := newPeople(t, connectors.KeyedUpsert, records.Match{Owner: tc.policy})
		for _, id := range []string{"first", "long", "last", "missed"} {
			w.exec(`insert into connection_owners (connection_id, workspace_id, agent_key, owner_id) values ($1, $2, 'id:' || $3, 'o-' || $3)`, w.conn, w.ws, id)
		}
		one := w.call("")
		one.Agents = tc.agents
		w.save(one)
		w.settle(one)
		require.Equal(t, tc.want, p.calls[w.row(one).RemoteID]["owner"], name)
	}
}

// An agent who is no user of the CRM is told of, and their calls go where the policy says.
func TestUnknownAgents(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]any{"none": nil, "default": "boss"} {
		w, p := newPeople(t, connectors.KeyedUpsert, records.Match{UnknownAgent: policy, DefaultOwner: "boss"})
		one := w.call("")
		one.Agents = []call.Agent{{Name: "Ben Ortiz", Email: "ben@example.com", Status: call.AgentAnswered}}
		w.save(one)
		w.settle(one)
		require.Equal(t, want, p.calls[w.row(one).RemoteID]["owner"])
		var warnings []string
		require.NoError(t, w.sql.QueryRow(t.Context(), `select warnings from deliveries where object = 'call'`).Scan(&warnings))
		require.Len(t, warnings, 1)
		require.Contains(t, warnings[0], "Ben Ortiz")
	}
}

// Agents are found under any of their names, an admin's word counts before an e-mail's.
func TestOwnersByEMailAndByHand(t *testing.T) {
	t.Parallel()
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{})
	owner := func(a call.Agent) any {
		a.Status = call.AgentAnswered
		one := w.call("")
		one.Agents = []call.Agent{a}
		w.save(one)
		w.settle(one)
		return p.calls[w.row(one).RemoteID]["owner"]
	}
	ben := call.Agent{ID: "7", Name: "Ben", Email: "Ben@Example.com"}
	require.Nil(t, owner(ben))
	users := []records.CRMUser{{ID: "u1", Name: "Ben Ortiz", Email: "ben@example.COM", Active: true}, {ID: "u2", Email: "gone@example.com"}}
	matched, err := w.db().PutCRMUsers(t.Context(), w.ws, w.conn, users)
	require.NoError(t, err)
	require.Equal(t, 1, matched, "the agent was seen in the call")
	require.Equal(t, "u1", owner(ben))
	require.NoError(t, w.db().PutOwners(t.Context(), w.ws, w.conn, []records.Owner{{AgentKey: "id:7", OwnerID: "u9"}}))
	require.Equal(t, "u9", owner(ben), "an admin knows better")
	matched, err = w.db().PutCRMUsers(t.Context(), w.ws, w.conn, users)
	require.NoError(t, err)
	require.Equal(t, 1, matched)
	require.Equal(t, "u9", owner(ben))
	require.NoError(t, w.db().PutOwners(t.Context(), w.ws, w.conn, nil))
	require.Equal(t, "u1", owner(ben))
	users[0].Active = false
	matched, err = w.db().PutCRMUsers(t.Context(), w.ws, w.conn, users)
	require.NoError(t, err)
	require.Zero(t, matched, "who has left owns nothing")
	require.Nil(t, owner(ben))
}

// What calls show of the workspace is learned; a number counts as ours when it was seen so some times, and more often
// than as that of a customer who was spoken with.
func TestOwnNumbersAreLearned(t *testing.T) {
	t.Parallel()
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{})
	const line, mobile, customer = "+14155550100", "+14155550177", "+442079460000"
	see := func(from string) call.Call {
		// Each call is seen by another worker: one alone notes a number now and then only.
		w.delivery = &activities.Delivery{Store: w.delivery.Store, Connectors: w.delivery.Connectors, Transport: w.delivery.Transport, Log: w.delivery.Log}
		one := w.call(from)
		one.Direction, one.Status, one.BusinessNumber = call.Inbound, call.Answered, line
		one.Agents = []call.Agent{{Name: "Ben", Number: mobile, Status: call.AgentAnswered}}
		w.save(one)
		w.settle(one)
		return one
	}
	first := see(mobile)
	require.Len(t, p.linksOf(w, first), 1, "what was seen once is a customer's still")
	for range 3 {
		see(customer)
	}
	require.Empty(t, p.linksOf(w, see(line)))
	require.Empty(t, p.linksOf(w, see(mobile)), "the agent calls the office")
	numbers, err := w.db().LearnedNumbers(t.Context(), w.ws)
	require.NoError(t, err)
	require.Len(t, numbers, 2)
	require.Equal(t, line, numbers[0].Number)
	require.Equal(t, []string{"line", "agent"}, []string{numbers[0].Kind, numbers[1].Kind})
	require.True(t, numbers[0].Counts)
	agents, err := w.db().AgentsSeen(t.Context(), w.ws)
	require.NoError(t, err)
	require.Len(t, agents, 1)
	require.Equal(t, "number:"+mobile, agents[0].Key)

	// An admin may say that it is not ours.
	require.NoError(t, w.db().RejectNumber(t.Context(), w.ws, mobile, true))
	require.Len(t, p.linksOf(w, see(mobile)), 1)
	require.NoError(t, w.db().RejectNumber(t.Context(), w.ws, mobile, false))
	require.Empty(t, p.linksOf(w, see(mobile)))
	// And so do its calls, if it is a customer's more often.
	w.exec(`update learned_numbers set customer_seen = 100 where number = $1`, mobile)
	require.Len(t, p.linksOf(w, see(mobile)), 1)
	require.ErrorIs(t, w.db().RejectNumber(t.Context(), w.ws, "+15550000000", true), records.ErrNotFound)
}

// A call between two of our own has no customer; a number on both sides shows nothing.
func TestInternalCallsHaveNoCustomer(t *testing.T) {
	t.Parallel()
	w, p := newPeople(t, connectors.KeyedUpsert, records.Match{})
	one := w.call(number)
	one.Direction, one.BusinessNumber = call.Internal, number
	w.save(one)
	w.settle(one)
	require.Empty(t, p.made)
	require.Zero(t, w.count(`select count(*) from learned_numbers`))
	test := w.call(number)
	test.BusinessNumber, test.Attributes = "+14155550100", map[string]any{call.AttributeTest: true}
	w.save(test)
	w.settle(test)
	require.Zero(t, w.count(`select count(*) from learned_numbers`), "nor do the calls that callsync makes itself")
}
