package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callerdesk"
	"github.com/callsync/callsync/telephony/callerdesk/callerdeskfake"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
	"github.com/callsync/callsync/telephony/deepcall"
	"github.com/callsync/callsync/telephony/deepcall/deepcallfake"
	"github.com/callsync/callsync/telephony/generic"
	"github.com/callsync/callsync/telephony/generic/genericfake"
	"github.com/callsync/callsync/telephony/smartflo"
	"github.com/callsync/callsync/telephony/smartflo/smartflofake"
)

// liveStep is one webhook of a live call and what is then seen of it.
type liveStep struct {
	second int
	event  string
	body   []byte
	state  call.LiveState
	since  int
	with   string
}

// Each phone system's early triggers make a live picture, as their webhooks really are.
func TestLiveStates(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 9, 34, 5, 0, time.UTC)

	// The fake's path knows the call's end already; real early triggers know the path so far, or none.
	smart := func(trigger string, c smartflofake.Call) []byte {
		p := smartflofake.Payload(trigger, c)
		delete(p, "call_flow")
		return smartflofake.JSON(p)
	}
	meera := smartflofake.Agent{ID: "0504410020071", Name: "Meera Nair", Number: "+919000043210", Extension: "0604410020070"}
	ravi := smartflofake.Agent{ID: "0504410020088", Name: "Ravi Shah", Number: "+919000043388"}
	flo := func(ring int, a smartflofake.Agent, digits ...string) smartflofake.Call {
		return smartflofake.Call{StartedAt: start, Ring: time.Duration(ring) * time.Second, Talk: time.Minute, Agent: a, Digits: digits}
	}
	click := flo(9, meera)
	click.Direction = smartflofake.ClickToCall
	dialer := flo(9, meera)
	dialer.Direction, dialer.CampaignID = smartflofake.DialerOutbound, "77"

	desk := callerdeskfake.Call{ID: "1772357645.1071", StartedAt: start, Group: "Sales"}
	clicked := callerdeskfake.Call{ID: "8401234", StartedAt: start, Outgoing: true, CampID: "8401177"}
	rail := callrailfake.Call{ID: callrailfake.NewID("CAL"), StartedAt: start}
	box := genericfake.Call{ID: "9", StartedAt: start, Ring: 7 * time.Second, Queue: "Support"}
	deep := func(answered bool, status int) []byte {
		o := deepcallfake.Report(deepcallfake.Call{ID: "d1", StartedAt: start, Ring: 8 * time.Second})
		for _, ends := range []string{"ivrETime", "lastHangupTime", "recordings", "exitCode", "callStatus", "agents", "customerHistory", "agentHistory"} {
			delete(o, ends)
		}
		if o["callLiveStatus"] = status; !answered {
			delete(o, "firstAnswerTime")
		}
		body, err := json.Marshal(o)
		require.NoError(t, err)
		return body
	}

	for name, tc := range map[string]struct {
		provider telephony.Provider
		config   map[string]string
		steps    []liveStep
	}{
		"smartflo, through menu and department to the second agent": {smartflo.New(), nil, []liveStep{
			{1, "call-received", smart("call-received", flo(0, meera)), call.LiveRinging, 0, ""},
			{2, "answered-on-ivr", smart("answered-on-ivr", flo(0, meera)), call.LiveOnIVR, 2, ""},
			{7, "dtmf", smart("dtmf", flo(6, meera, "2")), call.LiveOnIVR, 2, ""},
			{8, "received-on-auto-attendant", smart("received-on-auto-attendant", flo(0, meera)), call.LiveOnIVR, 2, ""},
			{9, "received-on-department", smart("received-on-department", flo(0, meera)), call.LiveWaiting, 9, ""},
			{10, "dialed-on-agent", smart("dialed-on-agent", flo(10, ravi)), call.LiveRinging, 10, "Ravi Shah dialed"},
			{11, "dialed-on-agent", smart("dialed-on-agent", flo(11, meera)), call.LiveRinging, 10, "Ravi Shah dialed, Meera Nair dialed"},
			{18, "answered-by-agent", smart("answered-by-agent", flo(17, meera)), call.LiveTalking, 18, "Meera Nair answered"},
			{30, "dtmf", smart("dtmf", flo(29, meera, "5")), call.LiveTalking, 18, "Meera Nair answered"},
		}},
		"smartflo, webhooks in the wrong order": {smartflo.New(), nil, []liveStep{
			{18, "answered-by-agent", smart("answered-by-agent", flo(17, meera)), call.LiveTalking, 18, "+919000043210 answered"},
			{19, "dialed-on-agent", smart("dialed-on-agent", flo(11, meera)), call.LiveTalking, 18, "Meera Nair answered"},
			{20, "call-received", smart("call-received", flo(0, meera)), call.LiveTalking, 18, "Meera Nair answered"},
		}},
		"smartflo, click to call": {smartflo.New(), nil, []liveStep{
			{4, "answered-by-agent", smart("answered-by-agent", click), call.LiveRinging, 4, "+919000043210 answered"},
			{12, "customer-answered", smart("customer-answered", click), call.LiveTalking, 12, "+919000043210 answered"},
		}},
		"smartflo, dialer": {smartflo.New(), nil, []liveStep{
			{12, "dialer-connected", smart("dialer-connected", dialer), call.LiveTalking, 12, "Meera Nair answered"},
		}},
		"smartflo, session": {smartflo.New(), nil, []liveStep{
			{3, "session-answered", smart("session-answered", flo(3, meera)), call.LiveTalking, 3, ""},
		}},
		"callrail": {callrail.New(), nil, []liveStep{
			{1, "pre-call", callrailfake.PreCall(rail), call.LiveRinging, 0, ""},
			{5, "call-routing-complete", callrailfake.RoutingComplete(rail), call.LiveRinging, 0, ""},
		}},
		"callerdesk, incoming": {callerdesk.New(), nil, []liveStep{
			{2, "", callerdeskfake.Live(desk, "Transfer to agent"), call.LiveRinging, 2, "+919123400002 dialed"},
			{9, "", callerdeskfake.Live(desk, "NO ANSWER"), call.LiveWaiting, 9, ""},
			{12, "", callerdeskfake.Live(desk, "Transfer to agent"), call.LiveRinging, 12, "+919123400002 dialed"},
			{15, "", callerdeskfake.Live(desk, "ANSWER"), call.LiveTalking, 15, "+919123400002 answered"},
		}},
		"callerdesk, click to call": {callerdesk.New(), nil, []liveStep{
			{2, "", callerdeskfake.Live(clicked, "Leg A Answer"), call.LiveRinging, 2, "+919123400002 answered"},
			{9, "", callerdeskfake.Live(clicked, "Leg B Answer"), call.LiveTalking, 9, "+919123400002 answered"},
		}},
		"deepcall": {deepcall.New(), nil, []liveStep{
			{1, "", deep(false, 1), call.LiveRinging, 0, ""},
			{9, "", deep(true, 2), call.LiveTalking, 8, ""},
		}},
		"any other": {generic.New(), map[string]string{"mapping": genericfake.JSONMapping}, []liveStep{
			{1, "", genericfake.JSONCall(box, "ring"), call.LiveRinging, 0, ""},
			{8, "", genericfake.JSONCall(box, "answer"), call.LiveTalking, 7, ""},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var events []call.Event
			for i, s := range tc.steps {
				at := start.Add(time.Duration(s.second) * time.Second)
				settings := telephony.SettingsOf(tc.provider.Info(), records.Source{Config: tc.config}, nil)
				got, err := tc.provider.Decode(telephony.Request{Method: http.MethodPost, Event: s.event, Body: s.body, ReceivedAt: at,
					Header: http.Header{"Content-Type": {"application/json"}}}, settings)
				require.NoError(t, err)
				require.NotEmpty(t, got.Events, got.Ignored)
				for n, e := range got.Events {
					e.ReceiptID, e.Seq, e.ReceivedAt = fmt.Sprintf("r%03d", i), n, at
					events = append(events, e)
				}
				c := call.Fold(call.Identity{ID: "c"}, events)
				require.Equal(t, call.Live, c.Phase, "step %d", i)
				require.Equal(t, s.state, c.Live.State, "step %d, %s", i, s.event)
				require.Equal(t, start.Add(time.Duration(s.since)*time.Second), c.Live.Since, "step %d, %s", i, s.event)
				with := ""
				for _, a := range c.Live.Agents {
					if with != "" {
						with += ", "
					}
					name := a.Name
					if name == "" {
						name = a.Number
					}
					with += name + " " + string(a.Status)
				}
				require.Equal(t, s.with, with, "step %d, %s", i, s.event)
			}
		})
	}
}
