package call

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// said is a live event that arrives some seconds after the call's first.
func said(second int, k Kind, f Facts) Event {
	return Event{ReceiptID: fmt.Sprintf("r%04d", second), Kind: k, ReceivedAt: t0.Add(time.Duration(second) * time.Second), ProviderID: "1", Facts: f}
}

// when is said with the source's own time.
func when(second, occurred int, k Kind, f Facts) Event {
	e := said(second, k, f)
	e.OccurredAt = t0.Add(time.Duration(occurred) * time.Second)
	return e
}

func dialed(names ...string) Facts { return Facts{Agents: agents(AgentDialed, names...)} }
func missed(names ...string) Facts { return Facts{Agents: agents(AgentMissed, names...)} }
func answered(names ...string) Facts {
	return Facts{Status: InProgress, Agents: agents(AgentAnswered, names...)}
}

func agents(s AgentStatus, names ...string) (out []Agent) {
	for _, n := range names {
		out = append(out, Agent{Name: n, Status: s})
	}
	return out
}

func TestLivePicture(t *testing.T) {
	t.Parallel()
	in, out := Facts{Direction: Inbound, Status: Ringing}, Facts{Direction: Outbound, Status: Ringing}
	menu, sales := Facts{IVRPath: []string{"IVR: Main"}}, Facts{Department: "Sales", IVRPath: []string{"IVR: Main"}}
	for name, tc := range map[string]struct {
		events []Event
		state  LiveState
		since  int // seconds after the first event
		with   []string
	}{
		"received": {[]Event{said(0, CallRinging, in)}, LiveRinging, 0, nil},
		"the second report of the same changes nothing": {[]Event{said(0, CallRinging, in), said(9, CallRinging, in)}, LiveRinging, 0, nil},
		"in the menu":                                     {[]Event{said(0, CallRinging, in), said(2, CallRouted, menu)}, LiveOnIVR, 2, nil},
		"a digit is pressed in a menu":                    {[]Event{said(0, CallRinging, in), said(4, CallDTMF, Facts{Digits: []string{"1"}})}, LiveOnIVR, 4, nil},
		"more digits do not begin it anew":                {[]Event{said(2, CallRouted, menu), said(4, CallDTMF, Facts{}), said(8, CallDTMF, Facts{})}, LiveOnIVR, 2, nil},
		"in a department":                                 {[]Event{said(2, CallRouted, menu), said(9, CallRouted, sales)}, LiveWaiting, 9, nil},
		"a digit while waiting":                           {[]Event{said(9, CallRouted, sales), said(12, CallDTMF, Facts{})}, LiveWaiting, 9, nil},
		"a queue is one to wait in":                       {[]Event{said(9, CallRouted, Facts{Queue: "Support"})}, LiveWaiting, 9, nil},
		"routed to a telephone":                           {[]Event{said(0, CallRinging, in), said(3, CallRouted, Facts{Status: Ringing})}, LiveRinging, 0, nil},
		"an agent is dialed":                              {[]Event{said(9, CallRouted, sales), said(10, CallAgentDialed, dialed("Al"))}, LiveRinging, 10, []string{"Al dialed"}},
		"two at once":                                     {[]Event{said(10, CallAgentDialed, dialed("Al")), said(11, CallAgentDialed, dialed("Bo"))}, LiveRinging, 10, []string{"Al dialed", "Bo dialed"}},
		"one of two misses":                               {[]Event{said(10, CallAgentDialed, dialed("Al", "Bo")), said(30, CallAgentMissed, missed("Al"))}, LiveRinging, 10, []string{"Bo dialed"}},
		"the next one rings":                              {[]Event{said(10, CallAgentDialed, dialed("Al")), said(30, CallAgentMissed, missed("Al")), said(31, CallAgentDialed, dialed("Bo"))}, LiveRinging, 31, []string{"Bo dialed"}},
		"nobody is left to ring":                          {[]Event{said(9, CallRouted, sales), said(10, CallAgentDialed, dialed("Al")), said(30, CallAgentMissed, missed("Al"))}, LiveWaiting, 30, nil},
		"the same one is rung again":                      {[]Event{said(10, CallAgentDialed, dialed("Al")), said(30, CallAgentMissed, missed("Al")), said(40, CallAgentDialed, dialed("Al"))}, LiveRinging, 40, []string{"Al dialed"}},
		"back to the menu":                                {[]Event{said(10, CallAgentDialed, dialed("Al")), said(30, CallAgentMissed, missed("Al")), said(33, CallRouted, menu)}, LiveOnIVR, 33, nil},
		"on to the next department, though nobody missed": {[]Event{said(9, CallRouted, sales), said(10, CallAgentDialed, dialed("Al")), said(40, CallRouted, menu)}, LiveOnIVR, 40, nil},
		"the department's event loses the race":           {[]Event{said(10, CallAgentDialed, dialed("Al")), said(11, CallRouted, sales)}, LiveRinging, 10, []string{"Al dialed"}},
		"answered":                                        {[]Event{said(10, CallAgentDialed, dialed("Al", "Bo")), said(17, CallAnswered, answered("Bo"))}, LiveTalking, 17, []string{"Bo answered"}},
		"answered beats ringing, whatever comes last":     {[]Event{when(17, 16, CallAnswered, answered("Bo")), when(18, 10, CallAgentDialed, dialed("Al")), when(19, 10, CallAgentDialed, dialed("Bo")), when(20, 0, CallRinging, in)}, LiveTalking, 16, []string{"Bo answered"}},
		"answered by somebody":                            {[]Event{said(0, CallRinging, in), said(17, CallAnswered, Facts{})}, LiveTalking, 17, nil},
		"a digit while talking":                           {[]Event{said(17, CallAnswered, answered("Al")), said(40, CallDTMF, Facts{})}, LiveTalking, 17, []string{"Al answered"}},
		"being transferred":                               {[]Event{said(17, CallAnswered, answered("Al")), said(60, CallAgentDialed, dialed("Bo"))}, LiveTalking, 17, []string{"Al answered", "Bo dialed"}},
		"transferred":                                     {[]Event{said(17, CallAnswered, answered("Al")), said(60, CallAgentDialed, dialed("Bo")), said(66, CallAnswered, answered("Bo"))}, LiveTalking, 17, []string{"Bo answered"}},
		"transferred, by one event":                       {[]Event{said(17, CallAnswered, answered("Al")), said(66, CallAnswered, Facts{Agents: append(agents(AgentTransferred, "Al"), agents(AgentAnswered, "Bo")...)})}, LiveTalking, 17, []string{"Bo answered"}},
		"the answer is told again":                        {[]Event{said(17, CallAnswered, answered("Al")), said(66, CallAnswered, answered("Bo")), said(70, CallAnswered, answered("Al"))}, LiveTalking, 17, []string{"Bo answered"}},
		"our agent waits for the customer":                {[]Event{said(0, CallRouted, Facts{Direction: Outbound, Queue: "Sales", Agents: agents(AgentAnswered, "Al")})}, LiveRinging, 0, []string{"Al answered"}},
		"the customer answered":                           {[]Event{said(0, CallRouted, Facts{Direction: Outbound, Agents: agents(AgentAnswered, "Al")}), said(8, CallAnswered, Facts{})}, LiveTalking, 8, []string{"Al answered"}},
		"an outgoing call":                                {[]Event{said(0, CallRinging, out)}, LiveRinging, 0, nil},
		"the source's own time":                           {[]Event{when(0, 0, CallRinging, in), when(12, 9, CallAgentDialed, dialed("Al"))}, LiveRinging, 9, []string{"Al dialed"}},
		"not one in the future":                           {[]Event{when(10, 3600, CallAgentDialed, dialed("Al"))}, LiveRinging, 10, []string{"Al dialed"}},
		"nor one of another time zone":                    {[]Event{when(10, -19800, CallAgentDialed, dialed("Al"))}, LiveRinging, 10, []string{"Al dialed"}},
		"asked for, it had not ended":                     {[]Event{said(5, CallPulled, Facts{Status: InProgress, StartedAt: t0})}, LiveUnknown, 0, nil},
		"a dial that names nobody":                        {[]Event{said(9, CallRouted, sales), said(10, CallAgentDialed, Facts{})}, LiveRinging, 10, nil},
		"a miss that names nobody":                        {[]Event{said(10, CallAgentDialed, Facts{}), said(20, CallAgentMissed, Facts{})}, LiveWaiting, 20, nil},
		"names come from other events": {[]Event{
			said(0, CallAgentDialed, Facts{Agents: []Agent{{ID: "7", Number: "+1", Status: AgentDialed}}}),
			said(1, CallRouted, Facts{Agents: []Agent{{ID: "7", Name: "Al"}}})}, LiveRinging, 0, []string{"Al dialed"}},
		"an agent who has left does not ring": {[]Event{said(10, CallAgentDialed, Facts{Agents: []Agent{{Name: "Al", Status: AgentDialed, EndedAt: t0}, {Name: "Bo", Status: AgentDialed}}})}, LiveRinging, 10, []string{"Bo dialed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Fold(who, tc.events)
			require.Equal(t, Live, c.Phase)
			require.Equal(t, tc.state, c.Live.State)
			require.Equal(t, t0.Add(time.Duration(tc.since)*time.Second), c.Live.Since)
			var with []string
			for _, a := range c.Live.Agents {
				with = append(with, a.Name+" "+string(a.Status))
			}
			require.Equal(t, tc.with, with)
			require.Equal(t, c.Status == InProgress && tc.state != LiveUnknown, c.Live.State == LiveTalking, "the picture and the status must not contradict each other")
			ended := Fold(who, append(tc.events, said(100, CallEnded, Facts{Status: Answered})))
			require.Zero(t, ended.Live, "a call that has ended is not live")
		})
	}
}

// Whatever comes in whatever order, the picture is the same, keeps within its bounds, and agrees with the status.
func TestLivePictureProperties(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	kinds := []Kind{CallRinging, CallRouted, CallDTMF, CallAgentDialed, CallAgentMissed, CallAnswered}
	statuses := []AgentStatus{"", AgentDialed, AgentAnswered, AgentMissed, AgentTransferred}
	for range 3000 {
		var events []Event
		for n := range 1 + r.IntN(12) {
			f := Facts{Direction: []Direction{"", Inbound, Outbound}[r.IntN(3)]}
			for range r.IntN(4) {
				f.Agents = append(f.Agents, Agent{Name: string(rune('A' + r.IntN(40))), Status: statuses[r.IntN(len(statuses))]})
			}
			if r.IntN(3) == 0 {
				f.Department = "Sales"
			}
			e := said(r.IntN(100), kinds[r.IntN(len(kinds))], f)
			e.Seq = n
			events = append(events, e)
		}
		c := Fold(who, events)
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		require.True(t, SameState(c, Fold(who, slices.Concat(events, events))))
		require.NotEmpty(t, c.Live.State)
		require.LessOrEqual(t, len(c.Live.Agents), liveAgents)
		require.False(t, c.Live.Since.Before(t0) || c.Live.Since.After(t0.Add(100*time.Second)))
		require.Equal(t, c.Status == InProgress, c.Live.State == LiveTalking)
	}
}

func TestLivePictureIsBounded(t *testing.T) {
	t.Parallel()
	var events []Event
	for i := range 100 {
		events = append(events, said(i, CallAgentDialed, dialed(fmt.Sprint("agent ", i))))
	}
	require.Len(t, Fold(who, events).Live.Agents, liveAgents)
}
