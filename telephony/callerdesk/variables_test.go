package callerdesk_test

import (
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/telephonytest"
)

func dictionary() telephonytest.Dictionary {
	report, live := []string{"call-report"}, []string{"live-call"}
	both := []string{"call-report", "live-call"}
	in, out := m{"Direction": "IVR"}, m{"Direction": "WEBOBD"}
	s := settings()
	return telephonytest.Dictionary{
		Settings: &s,
		Least: func(trigger string) map[string]any {
			if trigger == "call-report" {
				return m{"CallSid": "C-1", "type": "call_report"}
			}
			return m{"CallSid": "C-1"}
		},
		Encode: func(_ string, payload map[string]any) map[string]telephony.Request {
			return telephonytest.Encode("", payload, telephonytest.JSON, telephonytest.Brackets, telephonytest.Multipart, telephonytest.Query)
		},
		Variables: []telephonytest.Variable{
			{Name: "SourceNumber", Triggers: both, Field: "customer.number", Example: "09876500001", Want: "+919876500001", With: in, Note: "of an incoming call; of an outgoing one the agent's"},
			{Name: "DestinationNumber", Triggers: both, Field: "business_number", Example: "01204501234", Want: "+911204501234"},
			{Name: "DialWhomNumber", Triggers: both, Field: "agents[0].number", Example: "09123400002", Want: "+919123400002", With: in, Note: "of an incoming call; of an outgoing one the customer's"},
			{Name: "CallDuration", Triggers: report, Field: "duration_seconds", Example: "18"},
			{Name: "coins", Triggers: report, Field: "cost.amount", Example: "1"},
			{Name: "Status", Triggers: report, Field: "status", Example: "BUSY", Want: "busy", Note: "also an attribute"},
			{Name: "Status", Triggers: live, Field: "status", Example: "ANSWER", Want: "in_progress", Note: "also an attribute"},
			{Name: "StartTime", Triggers: both, Field: "started_at", Example: "2026-03-01  15:04:05", Want: "2026-03-01T09:34:05Z"},
			{Name: "EndTime", Triggers: report, Field: "ended_at", Example: "2026-03-01 15:05:40", Want: "2026-03-01T09:35:40Z"},
			{Name: "CallSid", Triggers: both, Field: "provider_call_id", Example: "1672649960.9601"},
			{Name: "CallRecordingUrl", Triggers: report, Field: "recordings[0].url", Example: "https://records.example/a.wav"},
			{Name: "Direction", Triggers: both, Field: "direction", Example: "WEBOBD", Want: "outbound", Note: "also an attribute"},
			{Name: "campid", Triggers: report, Field: "reference.click_to_call", Example: "11387004", With: out, Note: "of a click to call; else the campaign's id"},
			{Name: "TalkDuration", Triggers: report, Field: "talk_seconds", Example: "40"},
			{Name: "call_group", Triggers: both, Field: "queue", Example: "TestGroup"},
			{Name: "receiver_name", Triggers: report, Field: "agents[0].name", Example: "Ashish"},
			{Name: "error_code", Triggers: report, Field: "attributes.error_code", Example: "19"},
			{Name: "LegA_Picked_time", Triggers: report, Field: "attributes.lega_picked_time", Example: "2026-03-01 14:32:44", Note: "of an outgoing call also when the agent answered"},
			{Name: "LegB_Start_time", Triggers: report, Field: "attributes.legb_start_time", Example: "2026-03-01 14:32:45", Note: "ring time counts from it"},
			{Name: "LegB_Picked_time", Triggers: report, Field: "answered_at", Example: "2026-03-01 14:32:54", Want: "2026-03-01T09:02:54Z", With: m{"Status": "ANSWER"}, Note: "also an attribute"},

			{Name: "type", Triggers: report, Field: "phase", Example: "call_report", Want: "ended", Note: "only tells reports from live calls", Extra: true},
			{Name: "Uniqueid", Triggers: report, Field: "aliases[callerdesk_uniqueid]", Example: "1672649960.9602", Extra: true},
			{Name: "key_press", Triggers: report, Field: "digits", Example: "2,1", Want: []any{"2", "1"}, Extra: true},
			{Name: "hangup_cause", Triggers: report, Field: "hangup_cause", Example: "ANSWER(16-agent)", Note: "with cause 16 also hangup_by", Extra: true},
			{Name: "callstatus", Triggers: report, Field: "attributes.callstatus", Example: "ANSWER", Note: "status where Status says nothing", Extra: true},
			{Name: "agent_email", Triggers: report, Field: "agents[0].email", Example: "asha@example.com", Extra: true},
			{Name: "cparty_recording", Triggers: report, Field: "recordings[0].url", Example: "https://records.example/c.wav", Extra: true},
		},
	}
}
