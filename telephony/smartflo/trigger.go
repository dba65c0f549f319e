package smartflo

import (
	"strings"
	"unicode"

	"github.com/callsync/callsync/call"
)

// trigger is one of the panel's triggers, as the last part of its hook URL.
type trigger string

// The triggers, by what they say.
const (
	callReceived         trigger = "call-received"
	answeredOnIVR        trigger = "answered-on-ivr"
	answeredByAgent      trigger = "answered-by-agent"
	hangupMissed         trigger = "hangup-missed"
	hangupAnswered       trigger = "hangup-answered"
	hangup               trigger = "hangup"
	dtmfOption           trigger = "dtmf"
	dialedOnAgent        trigger = "dialed-on-agent"
	receivedOnDepartment trigger = "received-on-department"
	receivedOnAttendant  trigger = "received-on-auto-attendant"
	agentAnsweredHangup  trigger = "agent-answered-hangup"
	agentMissedHangup    trigger = "agent-missed-hangup"
	customerAnswered     trigger = "customer-answered"
	customerMissed       trigger = "customer-missed"
	dialerConnected      trigger = "dialer-connected"
	dialerDisposition    trigger = "dialer-disposition"
	sessionAnswered      trigger = "session-answered"
)

// triggerInfo is what a trigger says without its body.
type triggerInfo struct {
	id    trigger
	label string
	kind  call.Kind
	// direction is that of all its calls, empty where it has both.
	direction call.Direction
	// status is how its calls ended, empty where the body has to tell.
	status call.Status
	// words are other names for it, in squashed form (see squash), beside its id and its label.
	words []string
}

// triggers are the panel's, in its order. "Session Call Answered" is in the panel's list, but its variables are not
// documented; it is read as the answer of a call.
var triggers = []triggerInfo{
	{callReceived, "Call received on Server", call.CallRinging, call.Inbound, "", []string{"received", "callreceived", "receivedonserver", "incoming", "incomingcall", "ringing", "callstart", "callstarted"}},
	{answeredOnIVR, "Call answered on IVR", call.CallRouted, "", "", []string{"ivr", "ivranswered", "ivranswer"}},
	{answeredByAgent, "Call answered by Agent", call.CallAnswered, "", "", []string{"answered", "callanswered", "agentanswered", "agentanswer"}},
	{hangupMissed, "Call hangup (Missed)", call.CallEnded, "", call.Missed, []string{"missed", "callmissed", "missedcall", "misscall"}},
	{hangupAnswered, "Call hangup (Answered)", call.CallEnded, "", call.Answered, []string{"answeredhangup", "callansweredhangup"}},
	{hangup, "Call hangup (Missed or Answered)", call.CallEnded, "", "", []string{"callhangup", "ended", "callended", "completed", "callcompleted", "hungup", "missedoranswered", "cdr"}},
	{dtmfOption, "DTMF Option", call.CallDTMF, "", "", []string{"digit", "digitpressed", "keypress", "dtmfpressed"}},
	{dialedOnAgent, "Dialed on Agent", call.CallAgentDialed, call.Inbound, "", []string{"dialed", "agentdialed", "agentringing", "calldialedonagent"}},
	{receivedOnDepartment, "Call received on Department", call.CallRouted, call.Inbound, "", []string{"department", "dept"}},
	{receivedOnAttendant, "Call received on Auto Attendant", call.CallRouted, call.Inbound, "", []string{"autoattendant"}},
	{agentAnsweredHangup, "Call answered by Agent (Hangup)", call.CallEnded, call.Inbound, call.Answered, []string{"answeredbyagenthangup"}},
	{agentMissedHangup, "Call missed by Agent (Hangup)", call.CallEnded, call.Inbound, call.Missed, []string{"missedbyagenthangup", "missedbyagent", "callmissedbyagent", "agentmissed"}},
	{customerAnswered, "Call answered by Customer (Click to Call)", call.CallAnswered, call.Outbound, "", []string{"answeredbycustomer", "callansweredbycustomer"}},
	{customerMissed, "Call missed by Customer (Click to Call)", call.CallEnded, call.Outbound, call.Missed, []string{"missedbycustomer", "callmissedbycustomer"}},
	{dialerConnected, "Call Connected to Agent (Dialer)", call.CallAnswered, "", "", []string{"callconnectedtoagent", "connectedtoagent", "callconnected", "connected"}},
	{dialerDisposition, "Disposition Status Updated (Dialer)", call.DispositionSet, "", "", []string{"disposition", "dispositionupdated", "dispositionstatusupdated", "dispositionset"}},
	{sessionAnswered, "Session Call Answered", call.CallAnswered, "", "", nil},
}

var (
	triggerByID   = map[trigger]*triggerInfo{}
	triggerByWord = map[string]trigger{}
)

func init() {
	for i := range triggers {
		t := &triggers[i]
		triggerByID[t.id] = t
		label := squash(t.label)
		for _, w := range append([]string{squash(string(t.id)), label, strings.TrimPrefix(label, "call")}, t.words...) {
			if other, taken := triggerByWord[w]; taken && other != t.id {
				panic("smartflo: the word " + w + " means two triggers")
			}
			triggerByWord[w] = t.id
		}
	}
}

// squash is s without what spellings differ in: case, spaces, underscores, brackets.
func squash(s string) string {
	if len(s) > 256 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// triggerKeys are the fields in which an administrator may name the trigger, in the body or in the URL's query. The panel
// does not do so by itself.
var triggerKeys = []string{"event", "trigger", "event_type", "event_name", "trigger_name", "trigger_type", "webhook_event", "webhook_trigger"}

// triggerOf decides which trigger sent a request: the one the URL names, else the one that a static field names, else the
// one whose variables it has. A body that proves the end of the call belongs to no trigger of a call that goes on,
// whatever names it: then a URL stands in the wrong webhook.
func (d *decoder) triggerOf() trigger {
	named := triggerByWord[squash(d.path)]
	if named == "" {
		named = d.named
	}
	if named == "" {
		return d.sniff()
	}
	if d.kind(named).Terminal() || !d.provesEnd() {
		return named
	}
	return hangup
}

// kind is what a request of t says. The kinds are the triggers', with two exceptions: an agent who answers a
// click-to-call waits for the customer to be dialled, and an agent's miss without any word of the end only passes the
// call on.
func (d *decoder) kind(t trigger) call.Kind {
	switch {
	case t == answeredByAgent && d.clickToCall:
		return call.CallAgentDialed
	case t == agentMissedHangup && !d.saysEnd():
		return call.CallAgentMissed
	}
	return triggerByID[t].kind
}

// endStamps, endFacts and causes are what only a call that is over has.
var (
	endStamps = []string{"end_stamp", "end_time", "end_date"}
	causes    = []string{"hangup_cause", "reason_key", "hangup_cause_key", "hangup_cause_description", "hangup_cause_code"}
	endFacts  = []string{"recording_url", "duration", "billsec", "outbound_sec", "bridged_duration", "call_duration", "answered_seconds"}
)

// provesEnd tells whether the request can only be the report of a call that is over.
func (d *decoder) provesEnd() bool {
	f := d.f
	return f.Peek(endStamps...) != nil && (f.Peek(causes...) != nil || f.Peek(endFacts...) != nil || d.flow.hungUp())
}

// saysEnd tells whether the request speaks of the end of the call at all.
func (d *decoder) saysEnd() bool {
	f := d.f
	return f.Peek(endStamps...) != nil || f.Peek(causes...) != nil || f.Peek(endFacts...) != nil || d.flow.hungUp() || statusOf(d.word) != ""
}

// sniff tells the trigger from the content, where neither the URL nor the body names it.
func (d *decoder) sniff() trigger {
	f := d.f
	spoken := triggerByWord[d.word]
	if spoken == "" {
		spoken = triggerByWord[d.otherWord]
	}
	end := f.Peek(endStamps...) != nil || f.Peek(causes...) != nil || f.Peek(endFacts...) != nil || d.flow.hungUp()
	switch {
	case f.Peek(dispositionKeys...) != nil || f.Peek(subDispositionKeys...) != nil:
		return dialerDisposition
	case end || f.Peek("missed_agent") != nil || spoken == hangupMissed || spoken == hangup:
		return hangup
	case f.Peek("digit_pressed") != nil:
		return dtmfOption
	case spoken == customerAnswered || spoken == customerMissed || spoken == agentMissedHangup:
		return spoken
	case f.Peek("answered_agent", "answered_agent_number", "answer_agent_number", "answered_agent_name") != nil || spoken == answeredByAgent:
		return answeredByAgent
	case f.Peek(agentKeys...) != nil && f.Peek("campaign_id", "campaign_name", "lead_fields") != nil:
		return dialerConnected
	case f.Peek(agentKeys...) != nil:
		return dialedOnAgent
	case f.Peek("auto_attendant_id", "auto_attendant_name") != nil:
		return receivedOnAttendant
	case f.Peek("dept_id", "dept_name") != nil:
		return receivedOnDepartment
	case f.Peek("ivr_id", "ivr_name") != nil:
		return answeredOnIVR
	}
	return callReceived
}
