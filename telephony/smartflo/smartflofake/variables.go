package smartflofake

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

var ist = time.FixedZone("IST", 19800)

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// bare is a number as the telephone system writes it: without its country's code.
func bare(e164 string) string { return strings.TrimPrefix(e164, "+91") }

func (c Call) dialer() bool { return strings.HasPrefix(c.Direction, "Dialer") }

func (c Call) outbound() bool {
	return c.Direction == Outbound || c.Direction == ClickToCall || c.Direction == DialerOutbound
}

// stamp writes a moment: dialer calls in the American order, the others not.
func (c Call) stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if c.dialer() {
		return t.In(ist).Format("1/2/2006, 3:04:05 PM")
	}
	return t.In(ist).Format(time.DateTime)
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

func (c Call) id() string {
	return or(c.ID, fmt.Sprintf("HYD2-D7-%d.%d", c.StartedAt.Unix(), 100000+c.StartedAt.Unix()%899999))
}

func (c Call) agent() Agent {
	a := c.Agent
	if a == (Agent{}) {
		a = Agent{ID: "0504410020071", Name: "Meera Nair", Number: "+919000043210", Extension: "0604410020070"}
	}
	return a
}

func (a Agent) reached() string { return or(a.Extension, a.Number) }

func (a Agent) object() map[string]any {
	o := map[string]any{"id": a.ID, "name": a.Name, "number": a.reached(), "agent_number": a.Number}
	if a.Email != "" {
		o["email"] = a.Email
	}
	return o
}

// variables are all that a panel can fill in, by the names of ofTrigger.
func (c Call) variables(trigger string) map[string]any {
	customer, did := or(c.Customer, "+919000012345"), or(c.DID, "+918045671200")
	agent, id := c.agent(), c.id()
	direction := or(c.Direction, Inbound)
	answeredAt, endedAt := c.StartedAt.Add(c.Ring), c.StartedAt.Add(c.Ring+c.Talk)
	caller, called := bare(customer), bare(did)
	if c.outbound() {
		caller, called = bare(did), bare(customer)
	}
	if c.dialer() {
		caller, called = "+91"+bare(caller), "+91"+bare(called)
	}
	live := direction
	if live == ClickToCall {
		// Triggers of a call that goes on spell it differently.
		live = "click_to_call"
	}
	v := map[string]any{
		"uuid":    or(c.UUID, fmt.Sprintf("%08x%05x", c.StartedAt.Unix(), c.StartedAt.Unix()%0xfffff)),
		"call_id": id, "call_to_number": called, "caller_id_number": caller, "did_number": bare(did),
		"customer_number": bare(customer), "customer_number_with_prefix": customer, "customer_no_with_prefix ": customer,
		"start_stamp": c.stamp(c.StartedAt), "start_date": c.StartedAt.In(ist).Format(time.DateOnly), "start_time": c.StartedAt.In(ist).Format(time.TimeOnly),
		"end_stamp": c.stamp(endedAt), "end_date": endedAt.In(ist).Format(time.DateOnly), "end_time": endedAt.In(ist).Format(time.TimeOnly),
		"date": answeredAt.In(ist).Format(time.DateTime), "date only": c.StartedAt.In(ist).Format(time.DateOnly),
		"direction": direction, "duration": seconds(c.Ring + c.Talk), "digits_dialed": strings.Join(c.Digits, ","), "digit_pressed": last(c.Digits),
		"billing_circle": map[string]any{"operator": or(c.Operator, "Airtel"), "circle": or(c.Circle, "Karnataka")},
		"ivr_id":         3112, "ivr_name": or(c.IVR, "Main menu"), "ivr_name list": []any{or(c.IVR, "Main menu")},
		"dept_id": "6999", "dept_name": or(c.Department, "Sales"), "dept_name list": []any{or(c.Department, "Sales")},
		"auto_attendant_id": "3649", "auto_attendant_name": or(c.Attendant, "Festival offers"),
		"agent": agent.Name, "agent_name": agent.Name, "agent_number": agent.Number,
		"answer_agent_number": agent.Number, "answered_agent_number": agent.reached(), "answered_agent_name": "", "answered_agent": "", "missed_agent": "",
		"broadcast_lead_fields": "", "lead_fields": "",
		"campaign_id": or(c.CampaignID, "$campaign_id"), "campaign_name": or(c.Campaign, "$campaign_name"),
		"recording_name": "$recording_name", "agent_transfer_ring_time": "$agent_transfer_ring_time",
		"ref_id": c.RefID, "custom_identifier": c.CustomID, "disposition": c.Disposition, "sub_dispositon": c.SubDisposition,
		"recording_url": "", "aws_call_recording_identifier": "", "agent_ring_time": seconds(c.Ring), "customer_ring_time": seconds(c.Ring),
		"call_flow": c.flow(answeredAt, endedAt),
	}
	if c.Lead != nil {
		v["broadcast_lead_fields"], v["lead_fields"] = c.Lead, c.Lead
	}
	if len(c.Missed) > 0 {
		missed := make([]any, len(c.Missed))
		for i, a := range c.Missed {
			missed[i] = a.object()
		}
		v["missed_agent"] = missed
	}
	// The server answers every call that an IVR takes, missed ones included.
	v["answer_stamp"] = c.stamp(c.StartedAt)
	v["billsec"] = seconds(c.Ring + c.Talk)
	outcome := map[string]any{
		"call_status": "missed", "outbound_sec": "0", "call_connected": "0", "answered_agent_number": "", "hangup_cause": "NoAnswer",
		"reason_key": "noanswer", "hangup_cause_description": "No answer from user (user alerted)", "hangup_cause_code": "19", "hangup_cause_key": "NO_ANSWER",
	}
	if c.Answered {
		outcome = map[string]any{
			"call_status": "answered", "outbound_sec": seconds(c.Talk), "call_connected": "1", "answered_agent_name": agent.Name, "answered_agent": agent.object(),
			"hangup_cause": "NormalClearing", "reason_key": "Call Disconnected By Caller", "hangup_cause_description": "Normal call clearing",
			"hangup_cause_code": "16", "hangup_cause_key": "NORMAL_CLEARING",
		}
		if c.dialer() {
			outcome["answered_agent"] = []any{agent.object()}
		}
	}
	for k, val := range outcome {
		v[k] = val
	}
	switch trigger {
	case "answered-by-agent", "customer-answered", "session-answered":
		v["direction"], v["answered_agent_number"] = live, agent.Number
		v["call_status"] = map[string]string{"customer-answered": "answered by customer"}[trigger]
		if v["call_status"] == "" {
			v["call_status"] = "answered"
		}
	case "customer-missed":
		// The agent had answered.
		v["answered_agent"], v["call_status"], v["outbound_sec"] = agent.Name, "missed", "0"
	}
	if c.Recording {
		v["recording_url"] = "https://recordings.smartflo.example/file/recording?callId=" + url.QueryEscape(id) + "&type=rec&token=ZmFrZS10b2tlbg%3D%3D"
		v["aws_call_recording_identifier"] = fmt.Sprintf("%032x", c.StartedAt.Unix())
	}
	return v
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// flow is the call's path. Its times are text, whole numbers and fractions, all in one list.
func (c Call) flow(answeredAt, endedAt time.Time) []any {
	at := c.StartedAt.Unix()
	out := []any{map[string]any{"type": "init", "value": c.id(), "time": strconv.FormatInt(at, 10)}}
	agent := c.agent()
	step := func(kind string, t int64, more map[string]any) {
		o := map[string]any{"type": kind, "time": t}
		for k, v := range more {
			o[k] = v
		}
		out = append(out, o)
	}
	leg := func(a Agent, state string, t int64) {
		step("Agent", t, map[string]any{"id": a.ID, "name": a.Name, "num": a.reached(), "dialst": state})
	}
	switch {
	case c.Direction == ClickToCall:
		leg(agent, "Dialed", at)
		step("ClickToCall", at, map[string]any{"name": "PJSIP%2F" + url.QueryEscape(or(c.Customer, "+919000012345")) + "%40trunk-7"})
	case !c.outbound():
		step("IVR", at, map[string]any{"id": "3112", "name": or(c.IVR, "Main menu")})
		for _, d := range c.Digits {
			step("DTMF", at+2, map[string]any{"input": d, "ivr_name": or(c.IVR, "Main menu"), "optsts": "Valid", "dstype": "auto_attendant"})
		}
		if c.Attendant != "" {
			step("Auto+Attendant", at+3, map[string]any{"id": "3649", "name": c.Attendant})
		}
	}
	for _, a := range c.Missed {
		leg(a, "Dialed", at+4)
	}
	if c.Answered {
		leg(agent, "Answered", answeredAt.Unix())
		if c.Direction == ClickToCall {
			out = append(out, map[string]any{"anstime": answeredAt.Unix(), "time": endedAt.Unix()})
		}
		out = append(out, map[string]any{"type": "Agent-Hangup", "id": agent.ID, "name": agent.Name, "time": float64(endedAt.Unix()) + 0.5})
	}
	step("hangup", endedAt.Unix(), nil)
	return out
}
