package smartflo_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/smartflo"
	"github.com/callsync/callsync/telephony/smartflo/smartflofake"
	"github.com/callsync/callsync/telephony/telephonytest"
)

func TestTimes(t *testing.T) {
	t.Parallel()
	want := ist("2026-07-11 21:12:56")
	for _, v := range []any{
		"2026-07-11 21:12:56", "7/11/2026, 9:12:56 PM", "7/11/2026, 9:12:56\u202fPM", "7/11/2026, 21:12:56", "2026-07-11T15:42:56Z", "2026-07-11+21:12:56",
		"2026-07-11%2021%3A12%3A56", json.Number("1783784576"), "1783784576", 1783784576.0,
	} {
		require.Equal(t, want, one(t, "hangup", m{"start_stamp": v}).Facts.StartedAt, v)
	}
	require.Equal(t, want.Add(90*time.Minute), decode(t, post(t, "hangup", m{"call_id": 1, "start_stamp": "2026-07-11 21:12:56"}), telephony.Settings{Location: time.FixedZone("", 4*3600)}).Facts.StartedAt)
	x := one(t, "hangup", m{"start_stamp": "13/11/2026, 9:12:56 PM", "call_id": "x"}).Facts
	require.Zero(t, x.StartedAt)
	require.Equal(t, "13/11/2026, 9:12:56 PM", x.Attributes["start_stamp"], "what is not understood is kept")

	x = one(t, "hangup", m{"start_date": "2026-07-11", "start_time": "21:12:56", "end_date": "2026-07-11", "end_time": "21:13:56"}).Facts
	require.Equal(t, want, x.StartedAt)
	require.Equal(t, want.Add(time.Minute), x.EndedAt)
	x = one(t, "hangup", m{"start_date": "2026-07-11", "start_time": "23:59:30", "end_time": "00:00:30"}).Facts
	require.Equal(t, time.Minute, x.EndedAt.Sub(x.StartedAt), "after midnight")
	x = one(t, "hangup", m{"start_time": "2026-07-11 21:12:56", "end_time": "2026-07-11 21:13:56"}).Facts
	require.Equal(t, want.Add(time.Minute), x.EndedAt)
	require.Nil(t, x.Attributes)

	x = one(t, "hangup", m{"call_id": "u", "call_flow": []m{{"type": "init", "time": "1783784576"}, {"type": "hangup", "time": 1783784580.25}}}).Facts
	require.Equal(t, want, x.StartedAt)
	require.Equal(t, want.Add(4*time.Second), x.EndedAt)

	// The second in an id is a time only if it is near the request's.
	for id, want := range map[string]time.Time{
		"1772357645.77120": time.Unix(1772357645, 0).UTC(), "h11.08-1772357645.2": time.Unix(1772357645, 0).UTC(), "1628512094.7228905": {}, "96ccf76037169": {}, "77": {},
	} {
		require.Equal(t, want, one(t, "hangup", m{"call_id": id}).Facts.StartedAt, id)
	}
	require.Equal(t, time.Unix(0x69a40c0d, 0).UTC(), one(t, "customer-answered", m{"uuid": "69a40c0d7b4dd"}).Facts.StartedAt)

	require.Equal(t, ist("2026-03-01 15:04:20"), one(t, "dtmf", m{"date": "2026-03-01 15:04:20"}).OccurredAt)
	e := one(t, "received-on-department", m{"date": "2026-03-01"})
	require.Zero(t, e.OccurredAt)
	require.Equal(t, "2026-03-01", e.Facts.Attributes["date"])

	// The vendor's own example: an answer before the start, and an end equal to it.
	x = one(t, "hangup", m{"start_stamp": "2021-08-09 17:58:44", "answer_stamp": "2021-08-09 17:56:21", "end_stamp": "2021-08-09 17:58:44", "duration": "10", "call_status": "answered", "outbound_sec": "10"}).Facts
	require.Equal(t, ist("2021-08-09 17:58:44"), x.EndedAt)
	require.EqualValues(t, 10, *x.TalkSeconds)
	require.Zero(t, x.AnsweredAt)
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		event string
		body  m
		want  call.Status
	}{
		"answered":                            {"hangup", m{"call_status": "answered"}, call.Answered},
		"in capitals":                         {"hangup", m{"call_status": "Answered"}, call.Answered},
		"by the customer":                     {"hangup", m{"call_status": "answered by customer"}, call.Answered},
		"missed":                              {"hangup", m{"call_status": "Missed", "call_connected": "1"}, call.Missed},
		"the word beats the URL":              {"hangup-missed", m{"call_status": "answered"}, call.Answered},
		"another agent took it":               {"agent-missed-hangup", m{"call_status": "answered"}, call.Answered},
		"no word, missed":                     {"hangup-missed", m{}, call.Missed},
		"no word, answered":                   {"agent-answered-hangup", m{}, call.Answered},
		"the customer missed":                 {"customer-missed", m{"call_status": "Answered", "call_connected": "1", "outbound_sec": "0"}, call.Missed},
		"the customer did not miss":           {"customer-missed", m{"call_status": "answered", "outbound_sec": "5"}, call.Answered},
		"a word of the administrator's":       {"hangup", m{"call_status": "contacted", "outbound_sec": "6"}, call.Answered},
		"and nobody talked":                   {"hangup", m{"call_status": "contacted", "outbound_sec": "0"}, call.Missed},
		"a second word":                       {"hangup", m{"call_status": "contacted", "status": "answered"}, call.Answered},
		"who answered":                        {"hangup", m{"answered_agent": m{"name": "A"}}, call.Answered},
		"an agent alone is no customer":       {"hangup", m{"answered_agent": m{"name": "A"}, "direction": "clicktocall", "hangup_cause": "noanswer"}, call.Missed},
		"the path's answer":                   {"dialer-disposition", m{"call_flow": []m{{"type": "Agent", "id": "1", "dialst": "Answered", "time": 1783784608}}}, call.Answered},
		"who missed":                          {"hangup", m{"missed_agent": []m{{"name": "A"}}}, call.Missed},
		"busy":                                {"hangup", m{"reason_key": "busy"}, call.Busy},
		"cancelled":                           {"hangup", m{"reason_key": "cancel"}, call.Cancelled},
		"failed":                              {"hangup", m{"hangup_cause": "CHANUNAVAIL"}, call.Failed},
		"voicemail":                           {"hangup", m{"call_status": "voicemail"}, call.Voicemail},
		"voicemail in the path":               {"hangup", m{"call_status": "missed", "call_flow": []m{{"type": "Voicemail"}}}, call.Voicemail},
		"nothing said":                        {"hangup", m{}, ""},
		"a word nobody knows proves nothing":  {"hangup", m{"call_status": "hologram"}, ""},
		"an answered queue is no answer":      {"hangup", m{"call_status": "missed", "call_flow": []m{{"type": "Customer", "dialst": "Answered"}}}, call.Missed},
		"live: not the end, whatever is said": {"answered-by-agent", m{"call_status": "answered"}, call.InProgress},
		"live: ringing":                       {"dialed-on-agent", m{}, call.Ringing},
		"live: agent first":                   {"answered-by-agent", m{"call_status": "queued", "direction": "click_to_call"}, call.Ringing},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, one(t, tc.event, tc.body).Facts.Status) })
	}
	require.Equal(t, "hologram", one(t, "hangup", m{"call_status": "hologram"}).Facts.Attributes["call_status"])
}

func TestDurations(t *testing.T) {
	t.Parallel()
	x := one(t, "hangup", m{"duration": "25", "billsec": "20", "outbound_sec": "0", "bridged_duration": "9", "call_status": "missed"}).Facts
	require.EqualValues(t, 25, *x.DurationSeconds)
	require.EqualValues(t, 0, *x.TalkSeconds, "zero is a value")
	require.Equal(t, "20", x.Attributes["billsec"], "counted from the server's answer")
	require.Equal(t, "9", x.Attributes["bridged_duration"])
	x = one(t, "hangup", m{"duration": "", "outbound_sec": "", "bridged_duration": 9}).Facts
	require.Nil(t, x.DurationSeconds)
	require.EqualValues(t, 9, *x.TalkSeconds)
	require.EqualValues(t, 72, *one(t, "hangup", m{"duration": "00:01:12"}).Facts.DurationSeconds)
	require.EqualValues(t, 72, *one(t, "hangup", m{"duration": "01:12"}).Facts.DurationSeconds)
	require.Equal(t, "a:b", one(t, "hangup", m{"duration": "a:b"}).Facts.Attributes["duration"])

	in := one(t, "hangup", m{"direction": "inbound", "agent_ring_time": "4", "customer_ring_time": "9"}).Facts
	require.EqualValues(t, 4, *in.RingSeconds)
	require.Equal(t, "9", in.Attributes["customer_ring_time"])
	out := one(t, "hangup", m{"direction": "outbound", "agent_ring_time": "4", "customer_ring_time": "9"}).Facts
	require.EqualValues(t, 9, *out.RingSeconds)
	require.Equal(t, "4", out.Attributes["agent_ring_time"])
}

// answer_stamp is when the server answered, which it does for missed calls too.
func TestAnsweredAtIsAPersonsAnswer(t *testing.T) {
	t.Parallel()
	base := m{"direction": "inbound", "start_stamp": "2026-03-01 15:00:00", "answer_stamp": "2026-03-01 15:00:01", "end_stamp": "2026-03-01 15:01:00", "call_status": "answered"}
	with := func(more m) call.Facts {
		x := m{}
		for _, part := range []m{base, more} {
			for k, v := range part {
				x[k] = v
			}
		}
		return one(t, "hangup", x).Facts
	}
	require.Zero(t, with(m{"call_status": "missed", "outbound_sec": "0"}).AnsweredAt)
	require.Equal(t, ist("2026-03-01 15:00:40"), with(m{"outbound_sec": "20"}).AnsweredAt)
	require.Equal(t, ist("2026-03-01 15:00:30"), with(m{"call_flow": []m{{"type": "Agent", "dialst": "Answered", "time": "2026-03-01 15:00:30"}}}).AnsweredAt)
	require.Zero(t, with(nil).AnsweredAt)
	require.Equal(t, ist("2026-03-01 15:00:01"), with(m{"direction": "Dialer (inbound)"}).AnsweredAt, "the dialer's stamp is the agent's")
	require.Equal(t, ist("2026-03-01 15:00:35"), with(m{"direction": "clicktocall", "call_flow": []m{{"type": "Agent", "dialst": "Answered", "time": "2026-03-01 15:00:20"}, {"anstime": "2026-03-01 15:00:35"}}}).AnsweredAt)
}

func TestAgents(t *testing.T) {
	t.Parallel()
	agents := func(body m) []call.Agent { return one(t, "hangup", body).Facts.Agents }
	meera := call.Agent{ID: "7", Name: "Meera", Number: "+919000043210", Extension: "0607297260058", Status: call.AgentAnswered}
	object := m{"id": "7", "name": "Meera", "number": "0607297260058", "agent_number": "+919000043210", "dialst": "Dialed"}
	text, err := json.Marshal(object)
	require.NoError(t, err)
	for name, v := range map[string]any{
		"an object": object, "a list": []m{object}, "text": string(text), "a list as text": "[" + string(text) + "]", "places as keys": m{"0": object}, "a list of texts": []string{string(text)},
	} {
		require.Equal(t, []call.Agent{meera}, agents(m{"answered_agent": v}), name)
	}
	for _, v := range []any{"", "None", nil, []any{}, m{}, "null", []any{nil, "", m{}}} {
		require.Empty(t, agents(m{"answered_agent": v, "missed_agent": v}), v)
	}
	require.Equal(t, []call.Agent{meera}, agents(m{"answered_agent": object, "answered_agent_name": "Meera", "answered_agent_number": "0607297260058"}), "told twice")
	require.Equal(t, []call.Agent{{Name: "Rep", Extension: "0602141810347", Status: call.AgentAnswered}}, agents(m{"answered_agent_name": "Rep", "answered_agent_number": "Extension-0602141810347"}))
	require.Equal(t, []call.Agent{{Name: "John", Status: call.AgentAnswered}}, agents(m{"answered_agent": "John"}))
	require.Equal(t, []call.Agent{{Number: "+919000043210", Status: call.AgentAnswered}}, agents(m{"answered_agent": "9000043210"}))

	require.Equal(t, []call.Agent{{Name: "First", Email: "a@x.test", Status: call.AgentTransferred}, {Name: "Final", Email: "b@x.test", Status: call.AgentAnswered}},
		agents(m{"answered_agent": []m{{"name": "First", "email": "a@x.test", "is_transferred_agent": "No"}, {"name": "Final", "email": "b@x.test", "is_transferred_agent": "Yes"}}}))

	missed := []call.Agent{{ID: "1", Name: "A", Number: "+919000043388", Status: call.AgentMissed}, {ID: "2", Name: "B", Extension: "2", Status: call.AgentMissed}}
	list := []m{{"id": "1", "name": "A", "number": "+919000043388", "agent_number": "+919000043388"}, {"id": "2", "name": "B", "number": "2"}}
	require.Equal(t, missed, agents(m{"missed_agent": list}))
	require.Equal(t, missed, agents(m{"missed_agent": m{"0": list[0], "1": list[1]}}))
	require.Equal(t, missed, decode(t, form(t, "hangup", smartflofake.Form(m{"call_id": "1", "missed_agent": []any{list[0], list[1]}})), telephony.Settings{}).Facts.Agents)
	require.Equal(t, missed[:1], agents(m{"missed_agent": list[:1], "first_missed_agent_number": "9000043388"}))
	require.Equal(t, []call.Agent{{Number: "+919000043388", Status: call.AgentMissed}}, agents(m{"first_missed_agent_number": "9000043388", "first_missed_agent_follow_me_number": "9000043388"}))
	both := agents(m{"missed_agent": list[:1], "answered_agent": m{"id": "1", "name": "A"}})
	require.Equal(t, call.AgentAnswered, both[0].Status)
	require.Len(t, both, 1, "who missed it first and answered then is one agent")

	kept := one(t, "hangup", m{"answered_agent": m{"name": "A", "skill": "tax"}}).Facts
	require.Equal(t, m{"name": "A", "skill": "tax"}, kept.Attributes["answered_agent"], "what has no place is kept")

	fromFlow := agents(m{"direction": "inbound", "call_status": "answered", "call_flow": []m{
		{"type": "Agent", "id": "1", "name": "A", "num": "9000043388", "dialst": "Dialed", "time": 1783784600},
		{"type": "Agent", "id": "2", "name": "B", "num": "Extension-0602141810347", "dialst": "Answered", "time": 1783784608.008},
		{"type": "Agent-Hangup", "id": "2", "name": "B", "time": 1783784685.469},
		{"type": "Agent", "id": "", "name": "", "num": "+919000012345", "dialst": "Dialed", "time": 1783784600},
	}})
	require.Equal(t, []call.Agent{
		{ID: "1", Name: "A", Number: "+919000043388", Status: call.AgentDialed},
		{ID: "2", Name: "B", Extension: "0602141810347", Status: call.AgentAnswered, AnsweredAt: time.Unix(1783784608, 0).UTC(), EndedAt: time.Unix(1783784685, 0).UTC()},
	}, fromFlow, "a voice bot's leg to the customer is no agent")
}

func TestPath(t *testing.T) {
	t.Parallel()
	steps := []m{
		{"type": "init", "value": "1783784576.231947", "time": "1783784576"}, {"type": "TimeGroup", "name": "Office hours", "tgst": "Failed", "dstype": "ivr"},
		{"type": "IVR", "name": "Main"}, {"type": "DTMF", "input": "1", "ivr_name": "Main", "optsts": "Valid"}, {"type": "Auto+Attendant", "name": "Sales+2"},
		{"type": "Inbound Queue", "name": "Support", "dept_dialst": "Answered"}, {"type": "Customer", "dialst": "Answered"},
		{"type": "ClickToCall", "name": "PJSIP%2F%2B919000012345%40trunk"}, {"type": "voice-streaming", "name": "Bot", "status": "ended"},
		{"anstime": 1, "time": 2}, {"time": 3}, {"type": "Teleport", "name": "x%20y"}, {"type": "hangup"},
	}
	want := []string{
		"Time Group: Office hours (Failed)", "IVR: Main", "DTMF: 1", "Auto Attendant: Sales 2", "Inbound Queue: Support (Answered)", "Customer (Answered)",
		"Click to Call", "Voice Streaming: Bot (ended)", "Answered", "Teleport: x y", "Hangup",
	}
	text, err := json.Marshal(steps)
	require.NoError(t, err)
	for name, v := range map[string]any{"a list": steps, "text": string(text)} {
		e := one(t, "hangup", m{"call_flow": v})
		require.Equal(t, want, e.Facts.IVRPath, name)
		require.Equal(t, "Support", e.Facts.Queue)
		require.Equal(t, []string{"1"}, e.Facts.Digits)
		require.NotEmpty(t, e.Facts.Attributes["call_flow"], "the path is kept as it came")
	}
	require.Equal(t, "1783784576.231947", decode(t, post(t, "hangup", m{"call_flow": steps}), telephony.Settings{}).ProviderID, "the path begins with the call's id")
	require.Equal(t, []string{"IVR to agent"}, one(t, "dialer-connected", m{"call_flow": "IVR to agent"}).Facts.IVRPath)
	require.Nil(t, one(t, "hangup", m{"call_flow": []any{}}).Facts.IVRPath)
	require.Len(t, one(t, "hangup", m{"call_flow": make([]m, 100_000)}).Facts.IVRPath, 0)
	many := make([]m, 1000)
	for i := range many {
		many[i] = m{"type": "IVR", "name": strings.Repeat("é", 300)}
	}
	x := one(t, "hangup", m{"call_flow": many}).Facts
	require.Len(t, x.IVRPath, 200)
	require.Less(t, len(x.IVRPath[0]), 201)
	require.Len(t, x.Attributes["call_flow"], 4096)

	require.Equal(t, []string{"IVR: Main"}, one(t, "answered-on-ivr", m{"ivr_name": "Main"}).Facts.IVRPath)
	x = one(t, "dialed-on-agent", m{"ivr_name": []string{"Main", "Second"}, "dept_name": []string{"Sales"}}).Facts
	require.Equal(t, []string{"IVR: Main", "IVR: Second", "Department: Sales"}, x.IVRPath)
	require.Equal(t, "Sales", x.Department)
}

func TestDigits(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{"list": []string{"1", "2", "1"}, "text": "1,2,1", "JSON": `["1","2","1"]`, "numbers": []int{1, 2, 1}, "odd text": "[1, 2, 1]"} {
		require.Equal(t, []string{"1", "2", "1"}, one(t, "hangup", m{"digits_dialed": v}).Facts.Digits, name)
	}
	require.Equal(t, []string{"121"}, one(t, "hangup", m{"digits_dialed": "121"}).Facts.Digits)
	require.Equal(t, []string{"3"}, one(t, "dtmf", m{"digit_pressed": 3, "digits_dialed": "1,3"}).Facts.Digits, "one event, one press")
	require.Empty(t, one(t, "hangup", m{"digits_dialed": ""}).Facts.Digits)
}

func TestLead(t *testing.T) {
	t.Parallel()
	want := m{"Phone_Number": "9000012345", "Name": "Asha", "e-mail": "asha@example.com", "Policy": "P-17"}
	for name, v := range map[string]any{
		"object": want, "text": `{"Phone_Number":"9000012345","Name":"Asha","e-mail":"asha@example.com","Policy":"P-17"}`,
		"pairs":   []m{{"name": "Phone_Number", "value": "9000012345"}, {"name": "Name", "value": "Asha"}, {"name": "e-mail", "value": "asha@example.com"}, {"name": "Policy", "value": "P-17"}},
		"objects": []m{{"Phone_Number": "9000012345"}, {"Name": "Asha", "e-mail": "asha@example.com"}, {"Policy": "P-17"}},
	} {
		for _, key := range []string{"broadcast_lead_fields", "lead_fields"} {
			x := one(t, "dialer-connected", m{key: v, "call_to_number": "", "direction": "Dialer (outbound)"}).Facts
			require.Equal(t, want, x.LeadFields, name)
			require.Equal(t, call.Party{Number: "+919000012345", RawNumber: "9000012345", Name: "Asha", Email: "asha@example.com"}, x.Customer, name)
			require.NotContains(t, x.Attributes, key)
		}
	}
	require.Equal(t, "Asha, Pune", one(t, "hangup", m{"broadcast_lead_fields": "Asha, Pune"}).Facts.Attributes["broadcast_lead_fields"])
	require.Nil(t, one(t, "hangup", m{"broadcast_lead_fields": ""}).Facts.Attributes)
}

func TestRecording(t *testing.T) {
	t.Parallel()
	const id = "h3.08-1772357645.77120"
	at := func(link string, more m) call.Event {
		body := m{"call_id": id, "uuid": "69a40c0d7b4dd", "recording_url": link, "call_status": "answered"}
		for k, v := range more {
			body[k] = v
		}
		return one(t, "hangup", body)
	}
	const link = "https://rec.example/file/recording?callId=" + id + "&type=rec&token=QUJD%3D"
	for name, sent := range map[string]string{
		"as sent": link, "no call named": "https://rec.example/a.mp3?token=x", "without the server": strings.Replace(link, "h3.08-", "", 1),
		"a UUID": "https://rec.example/r?callId=12a445d3-635d-45da-a3b9-161ac269a3a0", "the connection's": "https://rec.example/r?CallID=69a40c0d7b4dd",
	} {
		require.Equal(t, []call.Recording{{ID: id, URL: sent, State: call.RecordingAvailable}}, at(sent, nil).Facts.Recordings, name)
	}
	require.Equal(t, link, at(strings.ReplaceAll(link, "&", "&amp;"), nil).Facts.Recordings[0].URL)
	require.Equal(t, link, at(url.QueryEscape(link), nil).Facts.Recordings[0].URL)

	e := at(strings.Replace(link, "77120", "77121", 1), nil)
	require.Empty(t, e.Facts.Recordings, "another call's recording")
	doc, err := json.Marshal(e)
	require.NoError(t, err)
	require.NotContains(t, string(doc), "token", "and its address is not kept where people look")
	require.Contains(t, e.Facts.Attributes["callsync_recording_note"], "another call")
	require.NotContains(t, e.Outlook, call.ArtifactRecording)
	e = at("see portal, token=1", nil)
	require.Empty(t, e.Facts.Recordings)
	require.NotContains(t, e.Facts.Attributes, "recording_url")

	require.Equal(t, call.Never, at("", nil).Outlook[call.ArtifactRecording], "the template asks for it and there is none")
	require.NotContains(t, one(t, "hangup", m{"call_status": "answered"}).Outlook, call.ArtifactRecording, "another webhook may have it")
	require.Equal(t, call.RecordingUnavailable, at(link, m{"call_status": "missed", "billsec": "0"}).Facts.Recordings[0].State)
	require.Equal(t, call.RecordingAvailable, at(link, m{"call_status": "missed", "billsec": "16"}).Facts.Recordings[0].State)

	r := get(t, "hangup", "call_id="+id+"&call_status=answered&recording_url=https://rec.example/file/recording?callId="+id+"&type=rec&token=QUJD%3D")
	x := decode(t, r, telephony.Settings{}).Facts
	require.Equal(t, "https://rec.example/file/recording?callId="+id+"&token=QUJD%3D&type=rec", x.Recordings[0].URL, "an address that a GET did not encode")
	require.NotContains(t, x.Attributes, "token")
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	e := one(t, "customer-answered", m{"uuid": "6110f068a4139", "ref_id": "r-1"})
	require.Empty(t, e.ProviderID)
	require.Equal(t, []call.Alias{{Kind: smartflo.AliasUUID, Value: "6110f068a4139"}, {Kind: smartflo.AliasRefID, Value: "r-1"}}, e.Aliases)
	e = one(t, "dialer-connected", m{"call_id": "DR4-D1-1"})
	require.Equal(t, "DR4-D1-1", e.ProviderID)
	require.Empty(t, e.Aliases)
	e = decode(t, telephonytest.Post(t, "hangup", `{"call_id": 1628512094.7228900, "uuid": 12e3}`), telephony.Settings{})
	require.Equal(t, "1628512094.7228900", e.ProviderID, "an id is no number")
	require.Equal(t, "12e3", e.Aliases[0].Value)
	for _, key := range []string{"callId", "Call ID", "CALL-ID", "call_ID "} {
		require.Equal(t, "x", one(t, "hangup", m{key: "x", "uuid": "u"}).ProviderID, key)
	}
	_, err := smartflo.New().Decode(post(t, "hangup", m{"custom_identifier": "lead-1"}), telephony.Settings{})
	require.Error(t, err, "what the CRM passes is no id of the call")

	x := one(t, "hangup", m{"ref_id": "r-1", "custom_identifier": "lead-1"}).Facts
	require.Equal(t, call.Reference{CRM: "lead-1", ClickToCall: "r-1"}, x.Reference)
	x = one(t, "hangup", m{"custom_identifier": `{"lead_id": 4711, "shop": "Pune"}`}).Facts
	require.Equal(t, "4711", x.Reference.CRM)
	require.Equal(t, m{"lead_id": json.Number("4711"), "shop": "Pune"}, x.CustomData)
}

func TestOperator(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]m{
		"object": {"billing_circle": m{"operator": "Idea", "circle": "Mumbai"}}, "text": {"billing_circle": `{"operator":"Idea","circle":"Mumbai"}`},
		"flat": {"telecom_operator": "Idea", "telecom_circle": "Mumbai"}, "half": {"billing_circle": "Mumbai", "telecom_operator": "Idea"},
	} {
		x := one(t, "hangup", body).Facts
		require.Equal(t, "Idea", x.Operator, name)
		require.Equal(t, "Mumbai", x.Circle, name)
		require.Nil(t, x.Attributes, name)
	}
}

func TestCauses(t *testing.T) {
	t.Parallel()
	x := one(t, "hangup", m{"direction": "inbound", "hangup_cause": "disconnected_by_caller", "hangup_cause_code": "0"}).Facts
	require.Equal(t, "disconnected_by_caller", x.HangupCause)
	require.Equal(t, "customer", x.HangupBy)
	require.Equal(t, "0", x.Attributes["hangup_cause_code"], "0 is a cause")
	x = one(t, "hangup", m{"direction": "inbound", "reason_key": "Call Disconnected By Callee", "hangup_cause_key": "NORMAL_CLEARING"}).Facts
	require.Equal(t, "Call Disconnected By Callee", x.HangupCause)
	require.Equal(t, "agent", x.HangupBy)
	require.Equal(t, "callee", one(t, "hangup", m{"direction": "clicktocall", "reason_key": "Call Disconnected By Callee"}).Facts.HangupBy)
}
