package deepcall_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/deepcall"
	"github.com/callsync/callsync/telephony/deepcall/deepcallfake"
	"github.com/callsync/callsync/telephony/telephonytest"
)

// guide is the page for administrators, whose tables are held to what the code does.
func guide(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/phones/deepcall.md")
	require.NoError(t, err)
	return string(doc)
}

// Every status of the vendor's table, and the two that are only sent, in the words and with the outcome of the guide.
func TestStatuses(t *testing.T) {
	t.Parallel()
	seen := 0
	for row := range strings.SplitSeq(guide(t), "\n") {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		code, err := strconv.Atoi(cells[0])
		if err != nil || len(cells) != 5 {
			continue
		}
		seen++
		general, clickToCall, inbound, outbound := cells[1], cells[2], call.Status(cells[3]), call.Status(cells[4])
		for _, cType := range []string{"IBD", "OBD", "QC", "BRD", "CTC"} {
			want, words := outbound, general
			switch cType {
			case "IBD":
				want = inbound
			case "CTC":
				words = clickToCall
			}
			for _, v := range []any{code, strconv.Itoa(code), words} {
				f := one(t, m{"cType": cType, "callStatus": v}).Facts
				require.Equal(t, want, f.Status, "%s %v", cType, v)
				require.Equal(t, words, f.Attributes["callstatus_text"])
				require.EqualValues(t, fmt.Sprint(v), fmt.Sprint(f.Attributes["callstatus"]))
			}
		}
	}
	require.Equal(t, 19, seen)
	for _, code := range []int{20, 21} {
		require.Equal(t, call.Answered, one(t, m{"cType": "IBD", "callStatus": code, "talkDuration": "12"}).Facts.Status, "answered beats abandoned")
		require.Equal(t, call.Abandoned, one(t, m{"cType": "IBD", "callStatus": code, "talkDuration": 0}).Facts.Status)
	}
	for _, code := range []int{4, 5, 16, 18} {
		require.Equal(t, call.Missed, one(t, m{"cType": "IBD", "callStatus": code, "custAnswerSTime": "2026-03-01 15:04:05", "custAnswerDuration": 20}).Facts.Status)
	}
}

// Without a status that decides, the rest of the report does.
func TestStatusWithoutStatus(t *testing.T) {
	t.Parallel()
	leg := func(status string) []any { return []any{m{"agentId": 1, "status": status}} }
	for name, tc := range map[string]struct {
		report m
		want   call.Status
	}{
		"nothing":                     {m{}, ""},
		"an unknown code":             {m{"callStatus": 99}, ""},
		"unknown words":               {m{"callStatus": "hologram"}, ""},
		"a fraction":                  {m{"callStatus": 3.5}, ""},
		"talk":                        {m{"callStatus": 99, "talkDuration": 3}, call.Answered},
		"no talk":                     {m{"talkDuration": 0}, call.Missed},
		"an agent answered":           {m{"cType": "IBD", "aHDetail": leg("answered")}, call.Answered},
		"only an agent answered":      {m{"cType": "QC", "aHDetail": leg("answered")}, call.Missed},
		"both answered":               {m{"cType": "QC", "aHDetail": leg("answered"), "custAnswerSTime": "2026-03-01 15:04:05"}, call.Answered},
		"an agent did not answer":     {m{"cType": "IBD", "aHDetail": leg("unanswered")}, call.Missed},
		"busy":                        {m{"exitCode": 4}, call.Busy},
		"an agent busy":               {m{"exitCode": "2"}, call.Busy},
		"hung up":                     {m{"exitCode": 9}, call.Abandoned},
		"omitted":                     {m{"exitCode": 23}, call.Cancelled},
		"low credit":                  {m{"exitCode": 20}, call.Failed},
		"the IVR's end proves little": {m{"exitCode": 18}, ""},
		"the exit and a talk":         {m{"exitCode": 9, "talkDuration": 7}, call.Answered},
		"a status beats the exit":     {m{"callStatus": 3, "exitCode": 28}, call.Answered},
		"voicemail":                   {m{"callStatus": 4, "cType": "IBD", "voiceMail": []any{m{"file": "/a/v.wav"}}}, call.Voicemail},
		"voicemail by a flag":         {m{"callStatus": 9, "voiceMail": "1"}, call.Voicemail},
		"no voicemail by a flag":      {m{"callStatus": 9, "voiceMail": "0"}, call.Missed},
		"no voicemail by PHP's false": {m{"callStatus": 9, "voiceMail": false}, call.Missed},
		"answered beats voicemail":    {m{"callStatus": 3, "voiceMail": []any{m{"file": "/a/v.wav"}}}, call.Answered},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, one(t, tc.report).Facts.Status) })
	}
	require.Equal(t, "hologram", one(t, m{"callStatus": "hologram"}).Facts.Attributes["callstatus"], "unknown words are kept")
	require.Equal(t, json.Number("99"), one(t, m{"callStatus": 99}).Facts.Attributes["callstatus"])
}

// The vendor's texts of the exit codes, in their order.
const exitTexts = `Account Suspended
Agent Busy
Blocked DID
Caller : Busy
Caller : Invalid Number
Caller : Not Reachable
Caller : Switch Off
Caller Blacklisted
Caller Hangedup
Channel Limit
Contact List Issue
DID Not Found
Hangup From Live Action
Inactive Module
Invalid API Parameter
Invalid IVR Flow
IVR Configuration Issue
IVR Flow Finished
Lock Amount Not Found
Low Credit
Next Due Date Passed
No IVR Is Mapped
Omit Call
Operator Issue
Plan Not Found
SMS Response Issue
SMS Setting Invalid
System Issue`

func TestExitCodes(t *testing.T) {
	t.Parallel()
	texts := strings.Split(exitTexts, "\n")
	require.Len(t, texts, 28)
	for i, text := range texts {
		for _, v := range []any{i + 1, strconv.Itoa(i + 1), text, strings.ToUpper(text)} {
			f := one(t, m{"exitCode": v, "callStatus": 3}).Facts
			require.Equal(t, text, f.HangupCause, "%v", v)
			require.Contains(t, f.Attributes, "exitcode")
			require.Equal(t, i+1 == 9, f.HangupBy == "customer")
		}
	}
	for _, v := range []any{0, 29, -1} {
		f := one(t, m{"exitCode": v}).Facts
		require.Empty(t, f.HangupCause)
		require.Equal(t, fmt.Sprint(v), fmt.Sprint(f.Attributes["exitcode"]))
	}
	require.Equal(t, "Lightning", one(t, m{"exitCode": "Lightning"}).Facts.HangupCause)
	f := one(t, m{"exitCode": 0, "hangupReason": "Caller went away", "errorMessage": "x"}).Facts
	require.Equal(t, "Caller went away", f.HangupCause)
	require.Equal(t, "Caller went away", f.Attributes["hangupreason"])
	require.Equal(t, "No trunk", one(t, m{"errorMessage": "No trunk"}).Facts.HangupCause)
}

func TestHangupBy(t *testing.T) {
	t.Parallel()
	require.Equal(t, "customer", one(t, m{"cType": "IBD", "HangupBySourceDetected": "1"}).Facts.HangupBy)
	for _, silent := range []m{{"cType": "IBD", "HangupBySourceDetected": 0}, {"cType": "CTC", "HangupBySourceDetected": 1}, {"HangupBySourceDetected": ""}} {
		require.Empty(t, one(t, silent).Facts.HangupBy)
	}
}

func TestDirection(t *testing.T) {
	t.Parallel()
	agentLeg := func(side string) any { return m{"agentId": side, "CTC": side, "status": "answered"} }
	for name, tc := range map[string]struct {
		report m
		want   call.Direction
	}{
		"IBD":                             {m{"cType": "IBD"}, call.Inbound},
		"in lower case":                   {m{"cType": " ibd "}, call.Inbound},
		"OBD":                             {m{"cType": "OBD"}, call.Outbound},
		"OBD whatever its DID":            {m{"cType": "OBD", "did": "917935000186"}, call.Outbound},
		"CTC":                             {m{"cType": "CTC"}, call.Outbound},
		"QC":                              {m{"cType": "QC"}, call.Outbound},
		"BRD":                             {m{"cType": "BRD"}, call.Outbound},
		"POOL":                            {m{"cType": "POOL"}, call.Outbound},
		"POOL with a DID":                 {m{"cType": "POOL", "did": "917935000186"}, call.Inbound},
		"MASK":                            {m{"cType": "MASK"}, ""},
		"MASK with a DID":                 {m{"cType": "MASK", "DID": "917935000186"}, call.Inbound},
		"FLASH":                           {m{"cType": "FLASH", "cNumber": "919811000134"}, ""},
		"FLASH of a campaign":             {m{"cType": "FLASH", "campId": 12}, call.Outbound},
		"an unknown type":                 {m{"cType": "TELEX"}, ""},
		"none, a DID":                     {m{"did": "917935000186"}, call.Inbound},
		"none, a from number":             {m{"masterNumCTC": "919811000302"}, call.Outbound},
		"none, from attended first":       {m{"firstAttended": "from"}, call.Outbound},
		"none, the agent before customer": {m{"firstAttended": "agent", "firstAnswerTime": "2026-03-01 15:04:05", "custAnswerSTime": "2026-03-01 15:04:15"}, call.Outbound},
		"none, the agent and a customer":  {m{"firstAttended": "agent", "firstAnswerTime": "2026-03-01 15:04:05"}, ""},
		"none at all":                     {m{}, ""},
		"between agents":                  {m{"cType": "CTC", "aHDetail": []any{agentLeg("from"), agentLeg("to")}}, call.Internal},
		"an agent and a number":           {m{"cType": "CTC", "aHDetail": []any{agentLeg("from")}, "cNumber": "919811000134"}, call.Outbound},
	} {
		t.Run(name, func(t *testing.T) {
			f := one(t, tc.report).Facts
			require.Equal(t, tc.want, f.Direction)
			if v, ok := tc.report["cType"]; ok {
				require.Equal(t, strings.TrimSpace(v.(string)), f.Attributes["ctype"])
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for raw, want := range map[any]string{
		"919811000134": "+919811000134", "+919811000134": "+919811000134", "9811000134": "+919811000134", "09811000134": "+919811000134",
		json.Number("919811000134"): "+919811000134", "14155550134": "+14155550134", "971501234567": "+971501234567", "anonymous": "",
		"9190000XXXXX": "", "302": "", "0607297260058": "",
	} {
		f := one(t, m{"cType": "IBD", "cNumber": raw}).Facts
		require.Equal(t, want, f.Customer.Number, "%v", raw)
		require.Equal(t, fmt.Sprint(raw), f.Customer.RawNumber)
	}
	d, err := deepcall.New().Decode(telephonytest.Post(t, "", `{"callId":"1","cNumber":"971501234567","did":"0501234567"}`), telephony.Settings{DefaultCountry: "AE"})
	require.NoError(t, err)
	require.Equal(t, "+971501234567", d.Events[0].Facts.Customer.Number)
	require.Equal(t, "+971501234567", d.Events[0].Facts.BusinessNumber)
	require.Equal(t, "+919811000134", one(t, m{"cNumber": "", "cNumber10": "9811000134"}).Facts.Customer.Number)
	require.Equal(t, "+919811000134", one(t, m{"cType": "IBD", "callerId": "919811000134"}).Facts.Customer.Number)
	require.Equal(t, "+919811000134", one(t, m{"cType": "OBD", "dialedNumber": "919811000134"}).Facts.Customer.Number)
	require.Empty(t, one(t, m{"cType": "OBD", "callerId": "919811000134"}).Facts.Customer.Number)
}

// Who is who in a click-to-call.
func TestClickToCall(t *testing.T) {
	t.Parallel()
	const customer, ours = "919811000134", "919811000302"
	leg := func(side, number, status string) any {
		return m{"CTC": side, "number": number, "status": status, "totalRingDuration": 4, "cli": "917935000187"}
	}
	check := func(name string, f call.Facts, agent call.Agent) {
		require.Equal(t, "+"+customer, f.Customer.Number, name)
		require.Len(t, f.Agents, 1, name)
		require.Equal(t, agent, call.Agent{ID: f.Agents[0].ID, Number: f.Agents[0].Number, Status: f.Agents[0].Status}, name)
	}
	byNumber := func(s call.AgentStatus) call.Agent { return call.Agent{Number: "+" + ours, Status: s} }

	f := one(t, m{"cType": "CTC", "callStatus": 3, "cNumber": customer, "masterNumCTC": ours, "nHDetail": []any{leg("to", customer, "answered"), leg("from", ours, "answered")}}).Facts
	check("number to number", f, byNumber(call.AgentAnswered))
	require.Equal(t, "+917935000187", f.BusinessNumber)
	require.Equal(t, ptr(4), f.RingSeconds)

	f = one(t, m{"cType": "CTC", "callStatus": 8, "masterNumCTC": ours, "nHDetail": []any{leg("to", customer, "unanswered"), leg("from", ours, "answered")}}).Facts
	check("the customer did not answer, so there is no cNumber", f, byNumber(call.AgentAnswered))

	f = one(t, m{"cType": "CTC", "callStatus": 7, "api_para": m{"fromType": "number", "from": ours[2:], "toType": "number", "to": customer[2:], "reqId": "r1"}}).Facts
	check("nobody answered and nothing but the request is known", f, byNumber(call.AgentMissed))
	require.Equal(t, "r1", f.Reference.ClickToCall)

	f = one(t, m{"cType": "CTC", "callStatus": 3, "cNumber": customer, "masterNumCTC": ours}).Facts
	check("no histories", f, byNumber(call.AgentAnswered))

	f = one(t, m{"cType": "CTC", "callStatus": 3, "cNumber": customer, "masterNumCTC": ours, "nH": []any{customer, ours}}).Facts
	check("only the numbers", f, byNumber(call.AgentAnswered))

	f = one(t, m{"cType": "CTC", "callStatus": 3, "cNumber": customer, "aH": []any{301}, "aAnsH": []any{301}, "nHDetail": []any{leg("to", customer, "answered")},
		"aHDetail": []any{m{"CTC": "from", "agentId": 301, "agentNumber": ours, "status": "answered"}}, "api_para": m{"fromType": "agent", "from": 301}}).Facts
	check("an agent to a number", f, call.Agent{ID: "301", Number: "+" + ours, Status: call.AgentAnswered})

	f = one(t, m{"cType": "CTC", "callStatus": 9, "nHDetail": []any{leg("to", customer, "")}, "api_para": m{"fromType": "Agent", "from": "301", "toType": "number", "to": customer[2:]}}).Facts
	check("an agent who was not reached", f, call.Agent{ID: "301", Status: call.AgentMissed})

	f = one(t, m{"cType": "CTC", "callStatus": 3, "cNumber": nil, "masterNumCTC": customer, "nHDetail": []any{leg("from", customer, "answered")},
		"aHDetail": []any{m{"CTC": "to", "agentId": 301, "agentNumber": ours, "status": "answered"}}}).Facts
	check("a customer who asked to be called", f, call.Agent{ID: "301", Number: "+" + ours, Status: call.AgentAnswered})

	f = one(t, m{"callStatus": 3, "nHDetail": []any{leg("to", customer, "answered"), leg("from", ours, "answered")}}).Facts
	check("no type", f, byNumber(call.AgentAnswered))
	require.Equal(t, call.Outbound, f.Direction)

	f = one(t, m{"cType": "CTC", "aHDetail": []any{m{"CTC": "from", "agentId": 1}, m{"CTC": "to", "agentId": 2}}, "cNumber": "", "api_para": m{"to": "2", "toType": "agent"}}).Facts
	require.Equal(t, call.Party{}, f.Customer)
	require.Len(t, f.Agents, 2)
}

func TestAgents(t *testing.T) {
	t.Parallel()
	agents := func(report m) []call.Agent { return one(t, report).Facts.Agents }
	require.Equal(t, []call.Agent{{ID: "301", Status: call.AgentMissed}, {ID: "302", Status: call.AgentAnswered}}, agents(m{"aH": "[301,302]", "aAnsH": []any{"302"}}), "ids alone")
	require.Equal(t, []call.Agent{{ID: "302", Status: call.AgentAnswered}}, agents(m{"aAnsH": []any{302}}))
	require.Equal(t, []call.Agent{{ID: "302", Number: "+919811000302", Status: call.AgentAnswered}}, agents(m{"masterAgent": 302, "masterAgentNumber": "919811000302"}))
	require.Equal(t, []call.Agent{{ID: "302", Number: "+919811000302", Status: call.AgentAnswered}}, agents(m{"masterAgent": 302, "masterAgentNumber": "919811000302", "aH": []any{302}, "aAnsH": []any{302}}))
	require.Equal(t, []call.Agent{{ID: "301", Status: call.AgentMissed}, {ID: "302", Status: call.AgentAnswered}},
		agents(m{"aH": []any{301, 302}, "aHDetail": []any{m{"status": "unanswered"}, m{"status": "answered"}}}), "details stand in the order of the ids")
	require.Equal(t, []call.Agent{{ID: "301", Status: call.AgentAnswered}, {ID: "302", Status: call.AgentMissed}},
		agents(m{"aHDetail": m{"0": m{"agentId": 301, "status": "answered"}, "2": m{"agentId": 302, "status": "busy"}}}), "PHP's list with a gap")
	require.Equal(t, []call.Agent{{ID: "301", Status: call.AgentAnswered}}, agents(m{"aHDetail": []any{`{"agentId":301,"status":"answered"}`}}))
	require.Equal(t, []call.Agent{{ID: "301", Extension: "204", Status: call.AgentMissed}}, agents(m{"aHDetail": m{"agentId": 301, "agentNumber": "x204"}}))
	require.Equal(t, []call.Agent{{ID: "301", Number: "sip:asha", Status: call.AgentMissed}}, agents(m{"aHDetail": m{"agentId": 301, "agentNumber": "sip:asha"}}))

	f := one(t, m{"aHDetail": []any{
		m{"agentId": 301, "status": "unanswered", "totalRingDuration": "5", "retry": 0},
		m{"agentId": 301, "status": "answered", "totalRingDuration": 6, "talkDuration": 40, "totalHoldDuration": 2, "answerSTime": "2026-03-01 15:04:17", "answerETime": "2026-03-01 15:05:00", "retry": 1},
		m{"agentId": 301, "status": "answered", "talkDuration": 10, "answerSTime": "2026-03-01 15:06:00", "answerETime": "2026-03-01 15:06:10"},
	}}).Facts
	require.Equal(t, []call.Agent{{
		ID: "301", Status: call.AgentAnswered, RingSeconds: ptr(11), TalkSeconds: ptr(50), HoldSeconds: ptr(2),
		AnsweredAt: start.Add(12 * time.Second).UTC(), EndedAt: start.Add(125 * time.Second).UTC(),
	}}, f.Agents)
	require.Len(t, f.Attributes["ahdetail"], 3)

	many := make([]any, 5000)
	for i := range many {
		many[i] = i + 1
	}
	require.LessOrEqual(t, len(agents(m{"aH": many})), 200)
}

func TestTimes(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		v, err := time.ParseInLocation(time.DateTime, "2026-03-01 "+s, deepcallfake.Zone)
		require.NoError(t, err)
		return v.UTC()
	}
	const day = "2026-03-01 "
	// The vendor's example was answered before ivrSTime, "the earliest time of the report".
	f := one(t, m{"cType": "QC", "callStatus": 3, "ivrSTime": day + "17:00:50", "ivrETime": day + "17:04:45", "firstAttended": "agent", "firstAnswerTime": day + "17:00:38",
		"lastHangupTime": day + "17:04:45", "lastFirstDuration": 247, "talkDuration": 235, "ivrDuration": 235, "agentOnCallDuration": 247, "custAnswerSTime": day + "17:00:50"}).Facts
	require.Equal(t, at("17:00:38"), f.StartedAt)
	require.Equal(t, at("17:00:50"), f.AnsweredAt, "on the way out the customer's answer counts")
	require.Equal(t, at("17:04:45"), f.EndedAt)
	require.Equal(t, ptr(247), f.DurationSeconds)
	require.Equal(t, ptr(235), f.TalkSeconds)
	require.Equal(t, day+"17:00:50", f.Attributes["ivrstime"])

	f = one(t, m{"cType": "IBD", "callStatus": 3, "firstAttended": "agent", "firstAnswerTime": day + "17:00:38", "custAnswerSTime": day + "17:00:02"}).Facts
	require.Equal(t, at("17:00:38"), f.AnsweredAt)
	require.Equal(t, at("17:00:02"), f.StartedAt)
	f = one(t, m{"cType": "IBD", "callStatus": 3, "firstAttended": "customer", "firstAnswerTime": day + "17:00:02", "aHDetail": []any{m{"agentId": 1, "status": "answered", "answerSTime": day + "17:00:38"}}}).Facts
	require.Equal(t, at("17:00:38"), f.AnsweredAt, "the menu is nobody")
	f = one(t, m{"cType": "IBD", "callStatus": 4, "ivrSTime": day + "17:00:00", "custAnswerSTime": day + "17:00:02", "firstAnswerTime": nil, "lastHangupTime": "", "ivrETime": day + "17:00:30", "lastFirstDuration": 0}).Facts
	require.Zero(t, f.AnsweredAt, "missed is not answered")
	require.Equal(t, at("17:00:30"), f.EndedAt)
	require.Equal(t, ptr(0), f.DurationSeconds)
	require.Equal(t, ptr(30), one(t, m{"ivrDuration": "30"}).Facts.DurationSeconds)
	require.Equal(t, at("17:00:00"), one(t, m{"ivrSTime": day + "17:00:00", "custAnswerSTime": "2020-01-01 00:00:00"}).Facts.StartedAt, "a time of another year is wrong")
	f = one(t, m{"aHDetail": []any{m{"agentId": 1, "visitId": strconv.FormatInt(at("17:00:00").UnixMilli(), 10) + "_0"}}}).Facts
	require.Equal(t, at("17:00:00"), f.StartedAt, "a visit id begins with milliseconds")
	require.Equal(t, at("17:00:00").Add(-3*time.Hour-30*time.Minute), decode(t, telephonytest.Post(t, "", `{"callId":"1","ivrSTime":"`+day+`17:00:00"}`), telephony.Settings{Location: time.FixedZone("", 9*3600)}).Facts.StartedAt)
	require.Equal(t, "soon", one(t, m{"ivrSTime": "soon"}).Facts.Attributes["ivrstime"])
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	const file, name = "/202603/c1_9811000134_2026-3-1-15-4-17_QC.wav", "c1_9811000134_2026-3-1-15-4-17_QC.wav"
	const base = "https://s-ct3.sarv.com/v2/recording/direct/"
	urls := func(report m, config ...string) []string {
		var out []string
		for _, r := range one(t, report, config...).Facts.Recordings {
			require.NotContains(t, r.ID, "9811000134")
			require.Len(t, r.ID, 16)
			out = append(out, r.URL)
		}
		return out
	}
	for form, v := range map[string]any{
		"list": []any{m{"nodeid": "#3", "visitId": "1", "file": file, "time": "x"}}, "list as text": `[{"nodeid":"#3","file":"` + strings.ReplaceAll(file, "/", `\/`) + `"}]`,
		"one": m{"file": file}, "PHP's object": m{"0": m{"file": file}}, "path": file, "paths": []any{file}, "twice": []any{file, m{"file": file}},
		"other names": []any{m{"Path": file}}, "with an empty one": []any{m{"file": ""}, m{"file": file}, "", "No"},
	} {
		require.Equal(t, []string{base + "7" + file}, urls(m{"userId": 7, "recordings": v}), form)
	}
	leg := func(more ...any) m {
		l := m{"agentId": 1, "status": "answered", "recording": file}
		for i := 0; i+1 < len(more); i += 2 {
			l[more[i].(string)] = more[i+1]
		}
		return l
	}
	whole := "https://rec.example/direct/7" + file
	require.Equal(t, []string{base + "7" + file}, urls(m{"userId": 7, "recordings": []any{m{"file": file}}, "aHDetail": []any{leg()}}), "once")
	require.Equal(t, []string{whole}, urls(m{"userId": 7, "recordings": []any{m{"file": file}}, "aHDetail": []any{leg("recordingUrl", whole)}}), "the whole address is better")
	require.Equal(t, []string{whole}, urls(m{"userId": 7, "nHDetail": []any{leg("recordingUrl", whole), leg("recordingUrl", whole)}}))
	require.Equal(t, []string{whole}, urls(m{"recordingUrl": whole}))
	require.Equal(t, []string{whole + "?a=1,2"}, urls(m{"recordings": whole + "?a=1,2"}))
	require.Equal(t, []string{base + "7/a/1.wav", base + "7/a/2.mp3"}, urls(m{"userId": 7, "recordings": "/a/1.wav, /a/2.mp3"}))
	require.Equal(t, []string{base + "7/a%20b/1%3F.wav"}, urls(m{"userId": 7, "recordings": "a b/1?.wav"}))
	require.Empty(t, urls(m{"userId": 7, "recordings": []any{m{"file": "/../../etc/x.wav"}, m{"file": "none"}, m{"file": "javascript:alert(1)"}, m{"file": 17}}}))

	for config, want := range map[string]string{
		"":                                      base + "7" + file,
		"https://rec.example/direct":            "https://rec.example/direct/7" + file,
		"https://rec.example/direct/":           "https://rec.example/direct/7" + file,
		"https://rec.example/direct/7":          "https://rec.example/direct/7" + file,
		"https://rec.example/direct/{userId}/":  "https://rec.example/direct/7" + file,
		"https://rec.example{path}?u={userId}":  "https://rec.example" + file + "?u=7",
		"https://rec.example/v/{userId}{path*}": "https://rec.example/v/7*202603*" + name,
	} {
		require.Equal(t, []string{want}, urls(m{"userId": 7, "recordings": file}, deepcall.ConfigRecordingBase, config), config)
	}
	require.Equal(t, []string{base + "8" + file}, urls(m{"recordings": file}, deepcall.ConfigUserID, "8"), "the account is the source's where the report names none")
	for _, report := range []m{{"userId": 7, "recordings": file}} {
		r := one(t, report, deepcall.ConfigRecordingBase, "none").Facts.Recordings[0]
		require.Equal(t, call.RecordingUnavailable, r.State)
		require.Empty(t, r.URL)
		later := one(t, report).Facts.Recordings[0]
		require.Equal(t, r.ID, later.ID, "a replay after the setting was put right makes no second recording")
		require.Equal(t, call.RecordingAvailable, later.State)
		require.Equal(t, "audio/wav", later.ContentType)
	}
	require.Equal(t, call.RecordingUnavailable, one(t, m{"recordings": file}).Facts.Recordings[0].State, "no account, no address")

	f := one(t, m{"userId": 7, "recordings": file, "recordingDuration": "31", "recordingFileSize": 1024}).Facts
	require.Equal(t, ptr(31), f.Recordings[0].DurationSeconds)
	require.Equal(t, json.Number("1024"), f.Attributes["recordingfilesize"])
	f = one(t, m{"userId": 7, "recordings": "/a/1.wav,/a/2.wav", "recordingDuration": 31}).Facts
	require.Nil(t, f.Recordings[0].DurationSeconds)
	require.EqualValues(t, 31, f.Attributes["recordingduration"])
	many := make([]any, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("/a/%d.wav", i)
	}
	require.Len(t, urls(m{"userId": 7, "recordings": many}), 100)
}

// Errors are for logs; the customer's number is in a recording's name.
func TestErrorsHoldNoPayload(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"recordings":[{"file":"/a/9811000134.wav"}],"cNumber":"9811000134"}`, `{"recordings":[{"file":"/a/9811000134.wav"`,
		"push_report=" + url.QueryEscape(`{"cNumber":"9811000134"`), "push_report=9811000134{", `{"callId":"1","cNumber":"9811000134","userId":"2"}`,
	} {
		_, err := deepcall.New().Decode(telephonytest.Post(t, "", body), settings(deepcall.ConfigUserID, "1"))
		var u *telephony.UnreadableError
		require.ErrorAs(t, err, &u, body)
		require.NotContains(t, err.Error()+u.Public+u.Where, "9811000134")
	}
}

func TestSmallForms(t *testing.T) {
	t.Parallel()
	for _, v := range []any{"1,2,2", []any{1, "2", 2}, []any{m{"nodeId": "#2", "dtmf": "1"}, m{"nodeId": "#8", "dtmf": 2}, m{"dtmf": "2"}}, `["1","2","2"]`, m{"0": "1", "1": "2", "2": "2"}} {
		require.Equal(t, []string{"1", "2", "2"}, one(t, m{"DTMF": v}).Facts.Digits, "%v", v)
	}
	f := one(t, m{"DTMF": "pressed"}).Facts
	require.Empty(t, f.Digits)
	require.Equal(t, "pressed", f.Attributes["dtmf"])

	for _, tc := range []struct {
		v     any
		want  call.Disposition
		notes string
	}{
		{"Sold", call.Disposition{Value: "Sold"}, ""},
		{`["Sold","Cash"]`, call.Disposition{Value: "Sold", SubValue: "Cash"}, ""},
		{`[{"disposition":"Sold","sub_disposition":"Cash","agentId":301,"remarks":"twice"}]`, call.Disposition{Value: "Sold", SubValue: "Cash", SetBy: "301"}, "twice"},
		{m{"name": "Sold"}, call.Disposition{Value: "Sold"}, ""},
		{"[]", call.Disposition{}, ""},
		{[]any{m{"weather": "fair"}}, call.Disposition{}, ""},
	} {
		f := one(t, m{"callDisposition": tc.v}).Facts
		require.Equal(t, tc.want, f.Disposition, "%v", tc.v)
		require.Equal(t, tc.notes, f.Note)
	}
	require.Contains(t, one(t, m{"callDisposition": []any{m{"weather": "fair"}}}).Facts.Attributes, "calldisposition")

	require.Equal(t, &call.Cost{Amount: "0.35", Unit: "credits"}, one(t, m{"totalCreditsUsed": m{"freeHit": 1, "paidHit": 0, "amount": 0.35}}).Facts.Cost)
	require.Equal(t, &call.Cost{Amount: "0.35", Unit: "INR"}, one(t, m{"totalCreditsUsed": "0.35", "currency": "INR"}).Facts.Cost)
	require.Nil(t, one(t, m{"totalCreditsUsed": "much"}).Facts.Cost)
	require.Nil(t, one(t, m{"totalCreditsUsed": "NaN"}).Facts.Cost)

	f = one(t, m{"contactListData": `{"Name":"Asha Example","Email ID":"asha@example.com","city":"Pune","policy":"P-17"}`, "contactId": 17}).Facts
	require.Equal(t, "Asha Example", f.Customer.Name)
	require.Equal(t, "asha@example.com", f.Customer.Email)
	require.Equal(t, "Pune", f.Customer.City)
	require.Equal(t, m{"Name": "Asha Example", "Email ID": "asha@example.com", "city": "Pune", "policy": "P-17", "contactid": "17"}, f.LeadFields)

	f = one(t, m{"ivrExecuteFlow": "#2, #8,#2,,HANGUP", "campId": -1, "masterGroupId": 12}).Facts
	require.Equal(t, []string{"#2", "#8", "#2", "HANGUP"}, f.IVRPath)
	require.Equal(t, "#2, #8,#2,,HANGUP", f.Attributes["ivrexecuteflow"])
	require.Equal(t, "-1", f.Campaign.ID)
	require.Equal(t, "12", f.Queue)
}
