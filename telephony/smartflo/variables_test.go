package smartflo_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/smartflo"
	"github.com/callsync/callsync/telephony/telephonytest"
)

// The triggers by what their pages list.
var (
	reports = []string{"hangup", "hangup-answered", "hangup-missed", "agent-answered-hangup", "agent-missed-hangup"}
	early   = []string{"call-received", "answered-on-ivr", "answered-by-agent", "dtmf", "dialed-on-agent", "received-on-department", "received-on-auto-attendant"}
	clicks  = []string{"customer-answered", "customer-missed"}
	dialers = []string{"dialer-connected", "dialer-disposition"}
)

func of(lists ...any) []string {
	var out []string
	for _, l := range lists {
		switch l := l.(type) {
		case string:
			out = append(out, l)
		case []string:
			out = append(out, l...)
		}
	}
	return out
}

func dictionary() telephonytest.Dictionary {
	const customer, did, person = "9000012345", "8045671200", "9000043210"
	in, out := m{"direction": "inbound"}, m{"direction": "Dialer (outbound)"}
	date, clock := m{"start_date": "2026-03-01"}, m{"start_time": "15:04:05"}
	flow := []any{m{"type": "IVR", "name": "Main"}, m{"type": "hangup"}}
	variables := []telephonytest.Variable{
		{Name: "uuid", Triggers: of(reports, early, clicks), Field: "aliases[smartflo_uuid]", Example: "69a40c0d7b4dd"},
		{Name: "call_id", Triggers: of(reports, early, dialers, "customer-missed"), Field: "provider_call_id", Example: "1628512094.7228905"},
		{Name: "call_to_number", Triggers: of(reports, early), Field: "business_number", Example: did, Want: "+918045671200", With: in, Note: "of an inbound call"},
		{Name: "call_to_number", Triggers: of(clicks, dialers), Field: "customer.number", Example: customer, Want: "+919000012345", With: out, Note: "of an outbound call"},
		{Name: "caller_id_number", Triggers: of(reports, early), Field: "customer.number", Example: customer, Want: "+919000012345", With: in, Note: "of an inbound call"},
		{Name: "caller_id_number", Triggers: of(clicks, dialers), Field: "business_number", Example: did, Want: "+918045671200", With: out, Note: "of an outbound call"},
		{Name: "customer_number_with_prefix", Triggers: reports, Field: "customer.number", Example: "+91" + customer},
		{Name: "customer_no_with_prefix", Triggers: of(early, clicks, dialers), Field: "customer.number", Example: "91" + customer, Want: "+919000012345"},
		{Name: "customer_number", Triggers: of(reports, "customer-missed"), Field: "customer.number", Example: customer, Want: "+919000012345", Note: "after those with prefix"},
		{Name: "answered_agent_number", Triggers: of(reports, "answered-by-agent"), Field: "agents[0].number", Example: person, Want: "+919000043210"},
		{Name: "answered_agent_name", Triggers: reports, Field: "agents[0].name", Example: "Meera Nair"},
		{Name: "answer_agent_number", Triggers: of("customer-answered"), Field: "agents[0].number", Example: person, Want: "+919000043210"},
		{Name: "answered_agent", Triggers: of(reports, "customer-missed"), Field: "agents[0].name", Example: m{"id": "7", "name": "Meera Nair"}, Want: "Meera Nair", Note: "with id, number and e-mail"},
		{Name: "missed_agent", Triggers: reports, Field: "agents[0].name", Example: []any{m{"id": "8", "name": "Ravi Shah"}}, Want: "Ravi Shah", Note: "with id, number and e-mail"},
		{Name: "first_missed_agent_number", Triggers: reports, Field: "agents[0].number", Example: person, Want: "+919000043210"},
		{Name: "first_missed_agent_follow_me_number", Triggers: reports, Field: "agents[0].number", Example: person, Want: "+919000043210"},
		{Name: "agent", Triggers: dialers, Field: "agents[0].name", Example: "Meera Nair"},
		{Name: "agent_name", Triggers: of("dialed-on-agent", dialers), Field: "agents[0].name", Example: "Meera Nair"},
		{Name: "agent_number", Triggers: of("dialed-on-agent", dialers), Field: "agents[0].number", Example: person, Want: "+919000043210"},
		{Name: "start_stamp", Triggers: of(reports, clicks, dialers, "call-received", "answered-on-ivr", "answered-by-agent", "received-on-auto-attendant"), Field: "started_at", Example: "2026-03-01 15:04:05", Want: "2026-03-01T09:34:05Z"},
		{Name: "start_date", Triggers: of(reports, dialers), Field: "started_at", Example: "2026-03-01", Want: "2026-03-01T09:34:05Z", With: clock, Note: "with start_time, where there is no start_stamp"},
		{Name: "start_time", Triggers: of(reports, dialers), Field: "started_at", Example: "15:04:05", Want: "2026-03-01T09:34:05Z", With: date, Note: "with start_date"},
		{Name: "answer_stamp", Triggers: of(reports, "customer-missed"), Field: "attributes.answer_stamp", Example: "2026-03-01 15:04:09", Note: "when the server answered, not a person"},
		{Name: "end_stamp", Triggers: of(reports, "customer-missed", "dialer-disposition"), Field: "ended_at", Example: "2026-03-01 15:05:05", Want: "2026-03-01T09:35:05Z"},
		{Name: "end_date", Triggers: of("dialer-disposition"), Field: "ended_at", Example: "2026-03-02", Want: "2026-03-02T09:35:05Z", With: m{"end_time": "15:05:05"}, Note: "with end_time, where there is no end_stamp"},
		{Name: "end_time", Triggers: of(reports, "dialer-disposition"), Field: "ended_at", Example: "15:05:05", Want: "2026-03-01T09:35:05Z", With: m{"start_date": "2026-03-01", "start_time": "15:04:05"}, Note: "with end_date, else start_date"},
		{Name: "date", Triggers: of("dtmf", "dialed-on-agent", "received-on-department"), Field: "attributes.date", Example: "2026-03-01 15:04:20", Note: "also when the event happened"},
		{Name: "direction", Triggers: of(reports, dialers), Field: "direction", Example: "Dialer (outbound)", Want: "outbound", Note: "words other than inbound and outbound are an attribute as well"},
		{Name: "direction", Triggers: of("answered-by-agent"), Field: "direction", Example: "click_to_call", Want: "outbound"},
		{Name: "direction", Triggers: clicks, Field: "attributes.direction", Example: "click_to_call", Note: "these calls are outbound"},
		{Name: "duration", Triggers: of(reports, "customer-missed", "dialer-disposition"), Field: "duration_seconds", Example: "102"},
		{Name: "billsec", Triggers: of(reports, "customer-missed"), Field: "attributes.billsec", Example: "101", Note: "counts from the server's answer"},
		{Name: "outbound_sec", Triggers: reports, Field: "talk_seconds", Example: "95"},
		{Name: "bridged_duration", Triggers: reports, Field: "talk_seconds", Example: "94", Note: "where there is no outbound_sec"},
		{Name: "agent_ring_time", Triggers: reports, Field: "ring_seconds", Example: "12", With: m{"direction": "inbound", "end_stamp": "2026-03-01 15:05:05"}, Note: "of an inbound call; else an attribute"},
		{Name: "hangup_cause", Triggers: of(reports, "customer-missed"), Field: "hangup_cause", Example: "NormalClearing"},
		{Name: "digits_dialed", Triggers: reports, Field: "digits", Example: []any{"2", "1", "1"}},
		{Name: "digit_pressed", Triggers: of("dtmf"), Field: "digits[0]", Example: "3"},
		{Name: "call_flow", Triggers: of(reports, dialers, "dialed-on-agent", "received-on-department", "customer-missed"), Field: "ivr_path", Example: flow, Want: []any{"IVR: Main", "Hangup"}, Note: "raw as an attribute"},
		{Name: "ivr_id", Triggers: of("answered-on-ivr"), Field: "attributes.ivr_id", Example: 3112},
		{Name: "ivr_name", Triggers: of("answered-on-ivr", "received-on-department"), Field: "ivr_path", Example: "Main menu", Want: []any{"IVR: Main menu"}},
		{Name: "ivr_name", Triggers: of("dialed-on-agent"), Field: "ivr_path", Example: []any{"Main", "Second"}, Want: []any{"IVR: Main", "IVR: Second"}},
		{Name: "dept_id", Triggers: of("received-on-department"), Field: "attributes.dept_id", Example: "6999"},
		{Name: "dept_name", Triggers: of("received-on-department"), Field: "department", Example: "Sales"},
		{Name: "dept_name", Triggers: of("dialed-on-agent"), Field: "department", Example: []any{"Sales", "Service"}, Want: "Sales, Service"},
		{Name: "auto_attendant_id", Triggers: of("received-on-auto-attendant"), Field: "attributes.auto_attendant_id", Example: "3649"},
		{Name: "auto_attendant_name", Triggers: of("received-on-auto-attendant"), Field: "ivr_path", Example: "Festival offers", Want: []any{"Auto Attendant: Festival offers"}},
		{Name: "broadcast_lead_fields", Triggers: reports, Field: "lead_fields", Example: m{"Policy": "P-17", "Name": "Asha Rao"}, Note: "what is missing of the customer is read from it"},
		{Name: "lead_fields", Triggers: dialers, Field: "lead_fields", Example: m{"Policy": "P-17", "Name": "Asha Rao"}, Note: "likewise"},
		{Name: "recording_url", Triggers: of(reports, "customer-missed"), Field: "recordings[0].url", Example: "https://recordings.example/r?token=QUJD", Note: "unless it names another call"},
		{Name: "aws_call_recording_identifier", Triggers: of(reports, "customer-missed"), Field: "attributes.aws_call_recording_identifier", Example: "0123abcd"},
		{Name: "call_connected", Triggers: reports, Field: "attributes.call_connected", Example: true},
		{Name: "call_status", Triggers: reports, Field: "status", Example: "voicemail", Note: "also an attribute"},
		{Name: "call_status", Triggers: of("answered-by-agent", clicks), Field: "attributes.call_status", Example: "answered by customer", Note: "the trigger says it"},
		{Name: "broadcast_name", Triggers: reports, Field: "campaign.name", Example: "Renewals"},
		{Name: "broadcast_id", Triggers: reports, Field: "campaign.id", Example: "104342"},
		{Name: "campaign_name", Triggers: dialers, Field: "campaign.name", Example: "Renewals"},
		{Name: "campaign_id", Triggers: dialers, Field: "campaign.id", Example: "104342"},
		{Name: "billing_circle", Triggers: of(reports, early, clicks, dialers), Field: "circle", Example: m{"operator": "Airtel", "circle": "Karnataka"}, Want: "Karnataka", Note: "and operator"},
		{Name: "telecom_operator", Triggers: reports, Field: "operator", Example: "Airtel"},
		{Name: "telecom_circle", Triggers: reports, Field: "circle", Example: "Karnataka"},
		{Name: "disposition", Triggers: of("dialer-disposition"), Field: "disposition.value", Example: "Answered"},
		{Name: "sub_dispositon", Triggers: of("dialer-disposition"), Field: "disposition.sub_value", Example: "Interested"},
	}
	for _, extra := range []telephonytest.Variable{
		{Name: "ref_id", Field: "reference.click_to_call", Example: "5d0c7a12-1f4b", Note: "also another name of the call"},
		{Name: "custom_identifier", Field: "reference.crm", Example: "lead-4711", Note: "an object is custom data"},
		{Name: "reason_key", Field: "attributes.reason_key", Example: "Call Disconnected By Caller", Note: "also hangup_by, and hangup_cause where there is none"},
		{Name: "hangup_cause_description", Field: "attributes.hangup_cause_description", Example: "Normal call clearing"},
		{Name: "hangup_cause_code", Field: "attributes.hangup_cause_code", Example: "16"},
		{Name: "hangup_cause_key", Field: "attributes.hangup_cause_key", Example: "NORMAL_CLEARING"},
		{Name: "customer_ring_time", Field: "ring_seconds", Example: "9", With: m{"direction": "outbound"}, Note: "of an outbound call; else an attribute"},
		{Name: "agent_transfer_ring_time", Field: "attributes.agent_transfer_ring_time", Example: "3"},
		{Name: "recording_name", Field: "attributes.recording_name", Example: "a.mp3"},
		{Name: "queue_name", Field: "queue", Example: "Support"},
		{Name: "did_number", Field: "business_number", Example: did, Want: "+918045671200"},
		{Name: "sub_disposition", Field: "disposition.sub_value", Example: "Interested", With: m{"disposition": "Answered"}},
		{Name: "status", Field: "attributes.status", Example: "Answered", Note: "status where call_status says nothing"},
		{Name: "schedule_timestamp", Field: "attributes.schedule_timestamp", Example: "2026-03-02 10:00:00"},
		{Name: "schedule_assigned_agent_id", Field: "attributes.schedule_assigned_agent_id", Example: "77"},
		{Name: "schedule_note", Field: "attributes.schedule_note", Example: "Call again"},
		{Name: "customer_name", Field: "customer.name", Example: "Asha Rao"},
		{Name: "customer_email", Field: "customer.email", Example: "asha@example.com"},
		{Name: "client_number", Field: "customer.number", Example: customer, Want: "+919000012345"},
		{Name: "call_duration", Field: "duration_seconds", Example: "100", Note: "where there is no duration"},
		{Name: "answered_seconds", Field: "talk_seconds", Example: "93", Note: "where there is no outbound_sec"},
	} {
		extra.Triggers, extra.Extra = []string{"hangup"}, true
		variables = append(variables, extra)
	}
	return telephonytest.Dictionary{
		Variables: variables,
		Least:     func(string) map[string]any { return m{"call_id": "C-77120", "uuid": "u-77120"} },
		Encode: func(trigger string, payload map[string]any) map[string]telephony.Request {
			return telephonytest.Encode(trigger, payload, telephonytest.JSON, telephonytest.Brackets, telephonytest.Texts, telephonytest.Multipart, telephonytest.Query, telephonytest.QueryText)
		},
	}
}

// What the decoder calls a variable is in the dictionary.
func TestDictionaryIsComplete(t *testing.T) {
	t.Parallel()
	var names []string
	for _, v := range dictionary().Variables {
		names = append(names, v.Name)
	}
	for _, name := range smartflo.Variables() {
		require.True(t, slices.Contains(names, name), "%s has no place", name)
	}
}
