package callrail

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/callsync/callsync/telephony"
)

var _ telephony.Sampler = Provider{}

// lateAfter is how long after the end of a call CallRail sends its Post-Call without the recording, if that has not come
// (help article 5711246459149). The sample is such a call: nothing has to be waited for.
const lateAfter = 20 * time.Minute

// talk is how long people talk in samples.
const talk = 65 * time.Second

// Sample implements telephony.Sampler. The sample of no event in particular is Post-Call.
func (Provider) Sample(event string, at time.Time, s telephony.Settings) (telephony.Request, error) {
	var doc map[string]any
	switch event {
	case EventPreCall:
		doc = liveSample(at)
	case EventRoutingComplete:
		doc = liveSample(at)
		doc["business_phone_number"] = sampleAgentNumber
	case "", EventPostCall:
		event, doc = EventPostCall, endedSample(at, "inbound")
	case EventOutboundPostCall:
		doc = endedSample(at, "outbound")
	case EventCallModified:
		doc = modifiedSample(at, "inbound")
	case EventOutboundCallModified:
		doc = modifiedSample(at, "outbound")
	case EventTextReceived:
		doc = textSample(at, telephony.TestCustomer, telephony.TestBusiness)
	case EventTextSent:
		doc = textSample(at, telephony.TestBusiness, telephony.TestCustomer)
		doc["agent"] = sampleAgent
	case EventFormSubmission:
		doc = formSample(at)
	default:
		return telephony.Request{}, fmt.Errorf("callrail: %w", telephony.ErrNoSample)
	}
	r, err := telephony.SampleJSON(event, at, doc)
	if key := signingKey(s); err == nil && key != "" {
		r.Header.Set(signatureHeader, base64.StdEncoding.EncodeToString(macOf(key, r.Body)))
	}
	return r, err
}

const (
	sampleAgent       = "test.agent@example.com"
	sampleAgentNumber = "+12025550101"
	sampleLayout      = "2006-01-02T15:04:05.000-07:00"
)

func stamp(t time.Time) string { return t.UTC().Format(sampleLayout) }

// liveSample is what CallRail sends of a call that has just begun, its placeholders included.
func liveSample(at time.Time) map[string]any {
	return map[string]any{
		"resource_id": prefixCall + telephony.SampleID(at, 32), "direction": "inbound", "start_time": stamp(at), "timestamp": stamp(at), "created_at": stamp(at),
		"answered": false, "call_type": "missed", "voicemail": false, "duration": "0",
		"customer_name": telephony.TestName, "customer_phone_number": telephony.TestCustomer, "customer_city": "Washington", "customer_state": "DC", "customer_country": "US",
		"tracking_phone_number": telephony.TestBusiness, "company_name": "Example Company", "company_time_zone": "America/New_York",
		"first_call": true, "prior_calls": 0, "total_calls": 1, "source_name": "Test",
	}
}

func endedSample(at time.Time, direction string) map[string]any {
	doc := liveSample(at.Add(-lateAfter - talk))
	doc["resource_id"] = prefixCall + telephony.SampleID(at, 32)
	for k, v := range map[string]any{
		"direction": direction, "answered": true, "call_type": "answered", "duration": fmt.Sprint(int(talk.Seconds())),
		"business_phone_number": sampleAgentNumber, "agent_email": sampleAgent, "source": "Direct", "medium": "Direct",
		"recording": "", "recording_duration": "", "recording_player": "", "transcription": "",
		"tags": []string{}, "note": "This is a test call from callsync.", "value": "", "lead_status": "",
	} {
		doc[k] = v
	}
	if direction == "outbound" {
		doc["call_type"] = "outbound"
	}
	return doc
}

func modifiedSample(at time.Time, direction string) map[string]any {
	doc := endedSample(at, direction)
	doc["tags"], doc["changes"] = []string{"Test"}, []string{"tags"}
	return doc
}

func textSample(at time.Time, from, to string) map[string]any {
	return map[string]any{
		"resource_id": prefixText + telephony.SampleID(at, 32), "source_number": dashed(from), "destination_number": dashed(to),
		"content": "This is a test message from callsync.", "message_type": "sms", "media_urls": []string{}, "timestamp": stamp(at),
		"conversation_id": "callsync-test", "lead_status": nil,
	}
}

// dashed writes a number as CallRail does in texts: 202-555-0143.
func dashed(number string) string {
	n := strings.TrimPrefix(number, "+1")
	return n[:3] + "-" + n[3:6] + "-" + n[6:]
}

func formSample(at time.Time) map[string]any {
	return map[string]any{
		"resource_id": prefixForm + telephony.SampleID(at, 32), "submitted_at": stamp(at), "created_at": stamp(at), "updated_at": stamp(at), "timestamp": stamp(at),
		"form_url": "https://www.example.com/contact", "landing_page_url": "https://www.example.com/", "source": "Direct", "medium": "Direct", "first_form": true,
		"form_data": map[string]any{
			"name": telephony.TestName, "phone": telephony.TestCustomer, "email": "test.caller@example.com", "message": "This is a test form from callsync.",
		},
	}
}
