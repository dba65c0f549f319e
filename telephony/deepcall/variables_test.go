package deepcall_test

import (
	"net/http"
	"strings"

	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/deepcall/deepcallfake"
	"github.com/callsync/callsync/telephony/telephonytest"
)

func dictionary() telephonytest.Dictionary {
	const moment, utc = "2026-03-01 15:04:05", "2026-03-01T09:34:05Z"
	in, out, user := m{"cType": "IBD", "callStatus": 3}, m{"cType": "OBD", "callStatus": 3}, m{"userId": "81234567"}
	all := []telephonytest.Variable{
		{Name: "callId", Field: "provider_call_id", Example: "c2"},
		{Name: "callStatus", Field: "status", Example: 17, Want: "busy", Note: "also an attribute, and callstatus_text in words"},
		{Name: "cType", Field: "direction", Example: "IBD", Want: "inbound", Note: "also an attribute"},
		{Name: "DID", Field: "business_number", Example: "917935000186", Want: "+917935000186"},
		{Name: "campId", Field: "campaign.id", Example: -1},
		{Name: "ivrSTime", Field: "started_at", Example: moment, Want: utc, Note: "unless somebody answered earlier; also an attribute"},
		{Name: "ivrETime", Field: "ended_at", Example: moment, Want: utc, Note: "where there is no lastHangupTime; also an attribute"},
		{Name: "ivrDuration", Field: "duration_seconds", Example: 235, Note: "where there is no lastFirstDuration"},
		{Name: "userId", Field: "attributes.userid", Example: "81234567"},
		{Name: "cNumber", Field: "customer.number", Example: "919811000134", Want: "+919811000134"},
		{Name: "masterNumCTC", Field: "agents[0].number", Example: "919811000302", Want: "+919811000302", Note: "also an attribute"},
		{Name: "masterAgent", Field: "agents[0].id", Example: 136},
		{Name: "masterAgentNumber", Field: "agents[0].number", Example: "919811000301", Want: "+919811000301", With: m{"masterAgent": 136}},
		{Name: "masterGroupId", Field: "queue", Example: 4},
		{Name: "firstAttended", Field: "attributes.firstattended", Example: "agent", Note: "decides whose answer answered_at is"},
		{Name: "firstAnswerTime", Field: "answered_at", Example: moment, Want: utc, With: in, Note: "of an inbound call; also an attribute"},
		{Name: "lastHangupTime", Field: "ended_at", Example: moment, Want: utc, Note: "also an attribute"},
		{Name: "lastFirstDuration", Field: "duration_seconds", Example: 247},
		{Name: "talkDuration", Field: "talk_seconds", Example: 235},
		{Name: "custAnswerSTime", Field: "answered_at", Example: moment, Want: utc, With: out, Note: "of an outbound call; also an attribute"},
		{Name: "custAnswerETime", Field: "attributes.custansweretime", Example: moment, Note: "ended_at where nothing else says it"},
		{Name: "custAnswerDuration", Field: "attributes.custanswerduration", Example: 235},
		{Name: "agentOnCallDuration", Field: "attributes.agentoncallduration", Example: 247},
		{Name: "totalHoldDuration", Field: "hold_seconds", Example: 12},
		{Name: "forward", Field: "attributes.forward", Example: "true"},
		{Name: "ivrExecuteFlow", Field: "ivr_path", Example: "#2,#3,HANGUP", Want: []any{"#2", "#3", "HANGUP"}, Note: "also an attribute"},
		{Name: "HangupBySourceDetected", Field: "hangup_by", Example: 1, Want: "customer", With: m{"cType": "IBD"}, Note: "also an attribute"},
		{Name: "ivrIdArr", Field: "attributes.ivridarr", Example: []any{315, 316}},
		{Name: "totalCreditsUsed", Field: "cost.amount", Example: m{"freeHit": 0, "paidHit": 1, "amount": 1.5}, Want: "1.5", Note: "also an attribute"},
		{Name: "totalCreditsUsed.freeHit", Field: "attributes.totalcreditsused.freeHit", Example: 3},
		{Name: "totalCreditsUsed.paidHit", Field: "attributes.totalcreditsused.paidHit", Example: 4},
		{Name: "totalCreditsUsed.amount", Field: "cost.amount", Example: 2.25},
		{Name: "aH", Field: "agents[0].id", Example: []any{301, 302}, Want: "301", Note: "also an attribute"},
		{Name: "aAnsH", Field: "agents[0].id", Example: []any{302, 303}, Want: "302", Note: "who of them answered; also an attribute"},
		{Name: "aHDetail", Field: "agents[0].id", Example: []any{m{"agentId": 301}}, Want: "301", Note: "the legs below; also an attribute"},
		{Name: "nH", Field: "customer.number", Example: []any{"919811000134", "919811000302"}, Want: "+919811000134", Note: "of a click to call without nHDetail; also an attribute"},
		{Name: "nHDetail", Field: "customer.number", Example: []any{m{"CTC": "to", "number": "919811000134"}}, Want: "+919811000134", Note: "the legs below; also an attribute"},
		{Name: "recordings", Field: "recordings[0].url", Example: []any{m{"file": "/202603/a.wav"}}, Want: "https://s-ct3.sarv.com/v2/recording/direct/81234567/202603/a.wav", With: user, Note: "with the address of recordings"},
		{Name: "recordings[0].nodeid", Field: "attributes.recordings[0].nodeid", Example: "#3", With: m{"recordings[0].file": "/a.wav"}},
		{Name: "recordings[0].visitId", Field: "attributes.recordings[0].visitId", Example: "1618572632763", With: m{"recordings[0].file": "/a.wav"}},
		{Name: "recordings[0].time", Field: "attributes.recordings[0].time", Example: moment, With: m{"recordings[0].file": "/a.wav"}},
		{Name: "recordings[0].file", Field: "recordings[0].url", Example: "/202603/b.wav", Want: "https://s-ct3.sarv.com/v2/recording/direct/81234567/202603/b.wav", With: user},
		{Name: "exitCode", Field: "hangup_cause", Example: 12, Want: "DID Not Found", Note: "in the vendor's words; also an attribute"},
		{Name: "contactId", Field: "lead_fields.contactid", Example: "90017"},
		{Name: "cliArr", Field: "attributes.cliarr", Example: m{"136": []any{"917935000187"}, "customer": []any{"917935000188"}}, Note: "in the vendor's sample"},
	}
	for _, list := range []string{"aHDetail[0].", "nHDetail[0]."} {
		base, kept := m{"cType": "IBD", list + "agentId": 301}, "attributes.ahdetail[0]."
		if list[0] == 'n' {
			base, kept = m{"cType": "CTC", list + "CTC": "from", list + "number": "919811000302"}, "attributes.nhdetail[0]."
		}
		leg := func(name, field string, example, want any, note string) {
			with := m{}
			for k, v := range base {
				with[k] = v
			}
			if name == "answerETime" || name == "answerSTime" {
				with[list+"status"] = "answered"
			}
			if name == "recording" {
				with["userId"] = "81234567"
			}
			all = append(all, telephonytest.Variable{Name: list + name, Field: field, Example: example, Want: want, With: with, Note: note})
		}
		if list[0] == 'a' {
			leg("agentId", "agents[0].id", 302, nil, "")
			leg("groupId", kept+"groupId", 4, nil, "")
			leg("agentNumber", "agents[0].number", "919811000301", "+919811000301", "")
		} else {
			leg("number", "agents[0].number", "919811000303", "+919811000303", "of the from side; of the to side the customer's")
		}
		leg("CTC", kept+"CTC", "to", nil, "tells the sides of a click to call apart")
		leg("status", "agents[0].status", "answered", nil, "")
		leg("recording", "recordings[0].url", "/202603/c.wav", "https://s-ct3.sarv.com/v2/recording/direct/81234567/202603/c.wav", "")
		leg("totalRingDuration", "agents[0].ring_seconds", 4, nil, "")
		leg("totalHoldDuration", "agents[0].hold_seconds", 5, nil, "")
		leg("talkDuration", "agents[0].talk_seconds", 6, nil, "")
		leg("answerSTime", "agents[0].answered_at", moment, utc, "")
		leg("answerETime", "agents[0].ended_at", moment, utc, "")
		for _, name := range strings.Fields("ping visitId nodeId answerDuration cli retry") {
			leg(name, kept+name, "7", nil, "")
		}
		for _, name := range []string{"talkSTime", "talkETime"} {
			leg(name, kept+name, moment, nil, "the time of the answer or end where there is no other")
		}
	}
	for _, v := range []telephonytest.Variable{
		{Name: "cNumber10", Field: "customer.number", Example: "9811000134", Want: "+919811000134"},
		{Name: "api_para", Field: "reference.click_to_call", Example: m{"reqId": "rq1", "from": "1"}, Want: "rq1", Note: "also an attribute, without tokens"},
		{Name: "contactListData", Field: "lead_fields", Example: m{"policy": "P-17", "Name": "Asha"}, Note: "the customer is read from it"},
		{Name: "DTMF", Field: "digits", Example: []any{"2", "1"}},
		{Name: "voiceMail", Field: "recordings[0].url", Example: []any{m{"file": "/v.wav"}}, Want: "https://s-ct3.sarv.com/v2/recording/direct/81234567/v.wav", With: user, Note: "the status is voicemail unless somebody answered"},
		{Name: "callDisposition", Field: "disposition.value", Example: []any{"Sale", "Gold"}, Want: "Sale"},
		{Name: "recordingUrl", Field: "recordings[0].url", Example: "https://rec.example/a.wav"},
		{Name: "recordingDuration", Field: "recordings[0].duration_seconds", Example: 30, With: m{"recordingUrl": "https://rec.example/a.wav"}},
		{Name: "hangupReason", Field: "hangup_cause", Example: "Caller went away", Note: "where there is no exit code; also an attribute"},
		{Name: "errorMessage", Field: "hangup_cause", Example: "No trunk", Note: "likewise"},
		{Name: "callerId", Field: "customer.number", Example: "919811000134", Want: "+919811000134", With: m{"cType": "IBD"}, Note: "of an inbound call without cNumber"},
		{Name: "dialedNumber", Field: "customer.number", Example: "919811000134", Want: "+919811000134", With: m{"cType": "OBD"}, Note: "of an outbound call without cNumber"},
		{Name: "currency", Field: "cost.unit", Example: "INR", With: m{"totalCreditsUsed": m{"amount": 1.5}}},
		{Name: "excAdm", Field: "attributes.excadm", Example: 75},
		{Name: "callBack", Field: "attributes.callback", Example: "1"},
		{Name: "modules", Field: "attributes.modules", Example: []any{"ivr"}},
		{Name: "errorCode", Field: "attributes.errorcode", Example: "5"},
		{Name: "recordingFileSize", Field: "attributes.recordingfilesize", Example: "4711"},
	} {
		v.Extra = true
		all = append(all, v)
	}
	for i := range all {
		all[i].Triggers = []string{"push-report"}
	}
	s := settings()
	return telephonytest.Dictionary{
		Settings:  &s,
		Variables: all,
		Least:     func(string) map[string]any { return m{"callId": "c1"} },
		Encode: func(_ string, payload map[string]any) map[string]telephony.Request {
			out := telephonytest.Encode("", payload, telephonytest.JSON, telephonytest.Texts, telephonytest.Multipart, telephonytest.QueryText)
			form := out[string(telephonytest.Texts)]
			form.Body = deepcallfake.Form(payload)
			out["push_report"] = form
			template := out[string(telephonytest.JSON)]
			names := make([]string, 0, len(payload))
			for name := range payload {
				names = append(names, name)
			}
			template.Body, template.Method = deepcallfake.Template(payload, names...), http.MethodPost
			out["template"] = template
			return out
		},
	}
}
