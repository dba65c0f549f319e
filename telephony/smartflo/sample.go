package smartflo

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

var _ telephony.Sampler = Provider{}

// The agent of samples.
const (
	sampleAgent       = "Test Agent"
	sampleAgentNumber = "+12025550101"
)

// ofTrigger are the variables that samples have beside those of every call.
var ofTrigger = map[trigger]map[string]any{
	answeredOnIVR:        {"ivr_id": 1, "ivr_name": "Test menu"},
	answeredByAgent:      {"answered_agent_number": sampleAgentNumber, "call_status": "answered"},
	dtmfOption:           {"digit_pressed": "1"},
	dialedOnAgent:        {"agent_name": sampleAgent, "agent_number": sampleAgentNumber},
	receivedOnDepartment: {"dept_id": "1", "dept_name": "Test"},
	receivedOnAttendant:  {"auto_attendant_id": "1", "auto_attendant_name": "Test"},
	customerAnswered:     {"answer_agent_number": sampleAgentNumber, "call_status": "answered by customer"},
	dialerConnected:      {"agent_name": sampleAgent, "agent_number": sampleAgentNumber, "campaign_name": "Test", "campaign_id": "1"},
	dialerDisposition: {
		"agent_name": sampleAgent, "agent_number": sampleAgentNumber, "campaign_name": "Test", "campaign_id": "1",
		"disposition": "Test", "sub_dispositon": "",
	},
	sessionAnswered: {"call_status": "answered"},
}

// Sample implements telephony.Sampler. The sample of no event in particular is that of the end of a call, answered or not.
func (Provider) Sample(event string, at time.Time, s telephony.Settings) (telephony.Request, error) {
	form, clickToCall := event == sampleForm, event == sampleClickToCall
	if event == "" || form || clickToCall {
		event = string(hangup)
	}
	t := triggerByID[trigger(event)]
	if t == nil {
		return telephony.Request{}, fmt.Errorf("smartflo: %w", telephony.ErrNoSample)
	}
	const ring, talk = 5 * time.Second, time.Minute
	start, made := at, at.Add(-ring-talk)
	if t.kind.Terminal() {
		start = made
	}
	stamp := func(t time.Time) string {
		if s.Location != nil {
			t = t.In(s.Location)
		}
		return t.Format(time.DateTime)
	}
	direction, outbound := "inbound", clickToCall || t.direction == call.Outbound
	if outbound {
		direction = "clicktocall"
	}
	doc := map[string]any{
		"uuid": fmt.Sprintf("%08x%s", made.Unix(), telephony.SampleID(at, 5)), "call_id": "TEST-" + strconv.FormatInt(made.Unix(), 10) + "." + strconv.Itoa(at.Nanosecond()),
		"direction": direction, "caller_id_number": telephony.TestCustomer, "call_to_number": telephony.TestBusiness,
		"customer_no_with_prefix": telephony.TestCustomer, "customer_name": telephony.TestName, "start_stamp": stamp(start),
	}
	if outbound {
		doc["caller_id_number"], doc["call_to_number"] = telephony.TestBusiness, telephony.TestCustomer
	}
	if t.kind == call.CallEnded {
		maps.Copy(doc, report(t, stamp(start), stamp(at), int(ring.Seconds()), int(talk.Seconds())))
	}
	maps.Copy(doc, ofTrigger[t.id])
	r, err := telephony.SampleJSON(event, at, doc)
	if form {
		r = telephony.SampleForm(event, at, doc)
	}
	if secret := secretOf(s); err == nil && secret != "" {
		name := secretName(s)
		if strings.EqualFold(name, "Authorization") {
			secret = "Bearer " + secret
		}
		r.Header.Set(name, secret)
	}
	return r, err
}

// report are the variables of a call that is over.
func report(t *triggerInfo, start, end string, ring, talk int) map[string]any {
	doc := map[string]any{
		"answer_stamp": start, "end_stamp": end, "duration": strconv.Itoa(ring + talk), "billsec": strconv.Itoa(ring + talk), "agent_ring_time": strconv.Itoa(ring),
		"recording_url": "", "call_status": "answered", "outbound_sec": strconv.Itoa(talk), "call_connected": "1",
		"answered_agent": map[string]any{"id": "1", "name": sampleAgent, "number": sampleAgentNumber}, "missed_agent": "",
		"hangup_cause": "NormalClearing", "hangup_cause_code": "16", "hangup_cause_key": "NORMAL_CLEARING",
	}
	if t.status != call.Missed {
		return doc
	}
	maps.Copy(doc, map[string]any{
		"call_status": "missed", "outbound_sec": "0", "call_connected": "0", "answered_agent": "",
		"hangup_cause": "NoAnswer", "hangup_cause_code": "19", "hangup_cause_key": "NO_ANSWER",
		"missed_agent": []any{map[string]any{"id": "1", "name": sampleAgent, "number": sampleAgentNumber}},
	})
	return doc
}

// secretName is the name of the header that carries the secret.
func secretName(s telephony.Settings) string {
	if name := strings.TrimSpace(s.Config[configHeader]); name != "" {
		return name
	}
	return defaultHeader
}
