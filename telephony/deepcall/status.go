package deepcall

import (
	"strconv"
	"strings"

	"github.com/callsync/callsync/call"
)

// meaning is what one callStatus means, in the vendor's words: in general, and for click-to-call, where "from" is rung
// first and then "to".
type meaning struct{ general, clickToCall string }

// meanings are the values of callStatus. 3 to 19 are those of the published table; 20 and 21 are sent but not published
// (their words are those of receivers in the field).
var meanings = map[int64]meaning{
	3:  {"Both Answered", "Both Answered"},
	4:  {"Cust. Ans. - Agent Unans.", "To Ans. - From Unans."},
	5:  {"Cust. Ans", "To Ans"},
	6:  {"Cust. Unans - Agent Ans.", "To Unans - From Ans."},
	7:  {"Agent Unanswered", "From Unanswered"},
	8:  {"Cust. Unans.", "To Unans."},
	9:  {"Both Unanswered", "Both Unanswered"},
	10: {"Agent Ans.", "From Ans."},
	11: {"Rejected Call", "Rejected Call"},
	12: {"Skipped", "Skipped"},
	13: {"Agent Failed", "From Failed"},
	14: {"Cust. Failed - Agent Ans.", "To Failed - From Ans."},
	15: {"Cust. Failed", "To Failed"},
	16: {"Cust. Ans - Agent Failed", "To Ans - From Failed"},
	17: {"Agent Busy", "From Busy"},
	18: {"Cust. Ans - Agent Not Found", "To Ans. - From Not Found"},
	19: {"Cust. Unans - Agent Busy", "To Unans. - From Busy"},
	20: {"Cust. Hangup in Queue", "To Hangup in Queue"},
	21: {"Cust. Hangup", "To Hangup"},
}

// codes finds a status by its words, for templates that send those.
var codes = func() map[string]int64 {
	out := map[string]int64{}
	for code, m := range meanings {
		out[squash(m.general)], out[squash(m.clickToCall)] = code, code
	}
	return out
}()

// exits are the values of exitCode: why the call ended.
var exits = map[int64]string{
	1: "Account Suspended", 2: "Agent Busy", 3: "Blocked DID", 4: "Caller : Busy", 5: "Caller : Invalid Number",
	6: "Caller : Not Reachable", 7: "Caller : Switch Off", 8: "Caller Blacklisted", 9: "Caller Hangedup", 10: "Channel Limit",
	11: "Contact List Issue", 12: "DID Not Found", 13: "Hangup From Live Action", 14: "Inactive Module",
	15: "Invalid API Parameter", 16: "Invalid IVR Flow", 17: "IVR Configuration Issue", 18: "IVR Flow Finished",
	19: "Lock Amount Not Found", 20: "Low Credit", 21: "Next Due Date Passed", 22: "No IVR Is Mapped", 23: "Omit Call",
	24: "Operator Issue", 25: "Plan Not Found", 26: "SMS Response Issue", 27: "SMS Setting Invalid", 28: "System Issue",
}

const (
	exitAgentBusy       = 2
	exitCallerBusy      = 4
	exitCallerHungUp    = 9
	exitLiveAction      = 13
	exitIVRFlowFinished = 18
	exitOmitCall        = 23
)

// statusOf is a callStatus in callsync's words; empty where it decides nothing. "Cust. Ans" means a customer who heard
// the announcement of an outbound campaign, but of an inbound call only that the caller got as far as the menu: without
// an agent it is missed, as is every inbound call that failed on the agent's side. An outbound call that the customer
// answered and no agent took is what dialers call abandoned.
func statusOf(code int64, d call.Direction) call.Status {
	inbound := func(yes, no call.Status) call.Status {
		if d == call.Inbound {
			return yes
		}
		return no
	}
	switch code {
	case 3:
		return call.Answered
	case 5:
		return inbound(call.Missed, call.Answered)
	case 4, 16, 18:
		return inbound(call.Missed, call.Abandoned)
	case 6, 7, 8, 9:
		return call.Missed
	case 10:
		return inbound(call.Answered, call.Missed)
	case 11, 14, 15:
		return call.Failed
	case 12:
		return call.Cancelled
	case 13:
		return inbound(call.Missed, call.Failed)
	case 17, 19:
		return call.Busy
	}
	return ""
}

// hungUp are the statuses that say only that the customer hung up, be it after a talk.
func hungUp(code int64) bool { return code == 20 || code == 21 }

// code reads callStatus: its number, or its words.
func (d *decoder) code() (int64, bool) {
	s := d.peek("callstatus")
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		return int64(n), n == float64(int64(n))
	}
	n, ok := codes[squash(s)]
	return n, ok && s != ""
}

// outcome reads how the call went and why it ended.
func (d *decoder) outcome(x *call.Facts) {
	code, known := d.code()
	if m, ok := meanings[code]; known && ok {
		d.extra["callstatus_text"] = m.general
		if d.clickToCall {
			d.extra["callstatus_text"] = m.clickToCall
		}
	}
	exit, isExit := d.exit(x)
	if known {
		x.Status = statusOf(code, x.Direction)
	}
	switch {
	case x.Status != "":
	case d.talked(x):
		x.Status = call.Answered
	case known && hungUp(code):
		x.Status = call.Abandoned
	case isExit && exitStatus(exit) != "":
		x.Status = exitStatus(exit)
	case d.wasTried():
		x.Status = call.Missed
	}
	if x.Status != call.Answered && d.voicemail {
		x.Status = call.Voicemail
	}
	if one := d.f.Int("hangupbysourcedetected"); one != nil {
		d.extra["hangupbysourcedetected"] = *one
		// The source of a click-to-call is nobody in particular; 0 does not say who else hung up.
		if *one == 1 && !d.clickToCall {
			x.HangupBy = "customer"
		}
	}
	if isExit && exit == exitCallerHungUp {
		x.HangupBy = "customer"
	}
}

// exit reads why the call ended: the code's text, else what the template's other variables say.
func (d *decoder) exit(x *call.Facts) (code int64, ok bool) {
	s := d.peek("exitcode")
	n, err := strconv.ParseInt(strings.TrimSuffix(s, ".0"), 10, 64)
	if text, known := exits[n]; err == nil && known {
		x.HangupCause = text
		return n, true
	}
	if err != nil {
		for c, text := range exits {
			if s != "" && squash(text) == squash(s) {
				x.HangupCause = text
				return c, true
			}
		}
		x.HangupCause = s
	}
	for _, name := range []string{"hangupreason", "errormessage"} {
		if x.HangupCause == "" {
			x.HangupCause = d.peek(name)
		}
	}
	return 0, false
}

// exitStatus is what an exit code says about a call of which nothing else says how it went.
func exitStatus(code int64) call.Status {
	switch code {
	case exitAgentBusy, exitCallerBusy:
		return call.Busy
	case exitCallerHungUp:
		return call.Abandoned
	case exitOmitCall:
		return call.Cancelled
	case exitLiveAction, exitIVRFlowFinished:
		return ""
	}
	return call.Failed
}

// talked tells whether both sides were on the line.
func (d *decoder) talked(x *call.Facts) bool {
	if x.TalkSeconds != nil {
		return *x.TalkSeconds > 0
	}
	ours := false
	for _, l := range d.ours {
		ours = ours || l.answered
	}
	theirs := x.Direction == call.Inbound || d.peek("custanswerstime") != ""
	for _, l := range d.theirs {
		theirs = theirs || l.answered
	}
	return ours && theirs
}

// wasTried tells whether the report says that somebody was called, or for how long nobody talked.
func (d *decoder) wasTried() bool {
	return len(d.ours)+len(d.theirs) > 0 || d.f.Has("talkduration", "custanswerduration", "agentoncallduration", "firstattended", "lastfirstduration")
}
