package callerdesk_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callerdesk"
	"github.com/callsync/callsync/telephony/callerdesk/callerdeskfake"
	"github.com/callsync/callsync/telephony/telephonytest"
)

var (
	india = time.FixedZone("IST", 19800)
	start = time.Date(2026, 3, 1, 15, 4, 5, 0, india)
)

func settings() telephony.Settings { return telephony.Settings{Location: india} }

func incoming() callerdeskfake.Call {
	return callerdeskfake.Call{
		ID: "1772357645.1071", StartedAt: start, Duration: 95 * time.Second, Talk: 71 * time.Second, Answered: true, Recording: true,
		Group: "Sales", Keys: "2", HangupBy: "agent",
	}
}

func outgoing() callerdeskfake.Call {
	return callerdeskfake.Call{
		ID: "8401234", CampID: "8401177", Outgoing: true, StartedAt: start, Duration: 40 * time.Second, Talk: 20 * time.Second, Answered: true, Recording: true, Coins: 2,
	}
}

func get(query string) telephony.Request {
	return telephony.Request{Method: http.MethodGet, RawQuery: query, Header: http.Header{}, ReceivedAt: start.Add(2 * time.Minute)}
}

func cases(t testing.TB) []telephonytest.Case {
	post := func(body []byte) telephony.Request { return telephonytest.Post(t, "", string(body)) }
	missed := callerdeskfake.Call{ID: "1772357645.1072", StartedAt: start, Duration: 21 * time.Second, Status: "AbandonedCall"}
	unpicked := outgoing()
	unpicked.Answered, unpicked.Recording, unpicked.Status, unpicked.Talk = false, false, "Cancel-Agent(0-agent)", 0
	form := post(nil)
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	form.Body = []byte(callerdeskfake.ReportQuery(incoming()))
	s := settings()
	list := []telephonytest.Case{
		{Name: "report-incoming", Request: post(callerdeskfake.Report(incoming()))},
		{Name: "report-outgoing", Request: post(callerdeskfake.Report(outgoing()))},
		{Name: "report-abandoned", Request: post(callerdeskfake.Report(missed))},
		{Name: "report-outgoing-agent-did-not-answer", Request: post(callerdeskfake.Report(unpicked))},
		{Name: "report-get", Trigger: "call-report-get", Request: get(callerdeskfake.ReportQuery(incoming()))},
		{Name: "report-get-second-question-mark", Trigger: "call-report-get", Request: get("key=an-admins-secret&source=web?" + callerdeskfake.ReportQuery(incoming()))},
		{Name: "report-form", Request: form},
		{Name: "live-transfer", Request: post(callerdeskfake.Live(incoming(), "Transfer to agent"))},
		{Name: "live-answer", Request: post(callerdeskfake.Live(incoming(), "ANSWER"))},
		{Name: "live-no-answer", Request: post(callerdeskfake.Live(incoming(), "NO ANSWER (19)"))},
		{Name: "live-get", Request: get(callerdeskfake.LiveQuery(incoming(), "Picked"))},
		{Name: "live-outgoing-leg-a", Request: post(callerdeskfake.Live(outgoing(), "Leg A Answer"))},
		{Name: "live-outgoing-leg-b", Request: post(callerdeskfake.Live(outgoing(), "Leg B Answer"))},
		{Name: "member", Request: post(callerdeskfake.MemberChanged("Asha", "09123400002"))},
		{Name: "call-group", Request: post(callerdeskfake.GroupChanged("Sales"))},
		{Name: "empty", Request: post(nil)},
		{Name: "no-id", Request: post([]byte(`{"SourceNumber":"09876500001","Status":"ANSWER","CallSid":""}`))},
		{Name: "cut", Request: post([]byte(`{"CallSid":"1",`))},
	}
	for i := range list {
		list[i].Settings = &s
	}
	return list
}

func TestConformance(t *testing.T) {
	t.Parallel()
	telephonytest.Kit{Provider: callerdesk.New(), Cases: cases(t), Dictionary: dictionary()}.Run(t)
}

func FuzzDecode(f *testing.F) { telephonytest.Fuzz(f, callerdesk.New(), cases(f)) }

type m = map[string]any

// one decodes a JSON body that has one event; a CallSid is added if there is none.
func one(t *testing.T, body m) call.Event {
	t.Helper()
	body = maps.Clone(body)
	if _, ok := body["CallSid"]; !ok {
		body["CallSid"] = "1586420216.71"
	}
	doc, err := json.Marshal(body)
	require.NoError(t, err)
	return decode(t, telephonytest.Post(t, "", string(doc)))
}

func decode(t *testing.T, r telephony.Request) call.Event {
	t.Helper()
	d, err := callerdesk.New().Decode(r, settings())
	require.NoError(t, err)
	require.Len(t, d.Events, 1, d.Ignored)
	return d.Events[0]
}

func TestReportOrLive(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body m
		ends bool
	}{
		"type report":                        {m{"type": "call_report"}, true},
		"type live, whatever else":           {m{"type": "Live_Call", "EndTime": "2026-03-01 15:05:00"}, false},
		"an unknown type decides nothing":    {m{"type": "ivr", "EndTime": "2026-03-01 15:05:00"}, true},
		"an end":                             {m{"EndTime": "2026-03-01 15:05:00"}, true},
		"a duration":                         {m{"CallDuration": "3"}, true},
		"a recording":                        {m{"CallRecordingUrl": "https://x.test/a.wav"}, true},
		"a leg":                              {m{"LegB_Picked_time": "2026-03-01 15:05:00"}, true},
		"a leg of a call under way":          {m{"LegA_Picked_time": "2026-03-01 15:05:00", "Status": "Transfer to agent"}, false},
		"keys of a report, all blank":        {m{"EndTime": "", "CallDuration": "", "Status": "CANCEL"}, true},
		"an end that never was":              {m{"EndTime": "0000-00-00 00:00:00", "CallDuration": "0", "Status": "Picked"}, false},
		"nothing but the live call's keys":   {m{"Status": "ANSWER", "StartTime": "2026-03-01 15:04:05"}, false},
		"live calls may carry a campaign":    {m{"Status": "ANSWER", "campid": "8401177"}, false},
		"a word that ends nothing by itself": {m{"Status": "BUSY"}, false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.ends, one(t, tc.body).Kind == call.CallEnded) })
	}
}

func TestSwappedRoles(t *testing.T) {
	t.Parallel()
	body := m{"type": "call_report", "Status": "ANSWER", "SourceNumber": "09876500001", "DialWhomNumber": "09123400002", "DestinationNumber": "01204501234"}
	for word, tc := range map[string]struct {
		direction       call.Direction
		customer, agent string
	}{
		"IVR":          {call.Inbound, "+919876500001", "+919123400002"},
		"incoming":     {call.Inbound, "+919876500001", "+919123400002"},
		" webobd ":     {call.Outbound, "+919123400002", "+919876500001"},
		"OUTBOUND":     {call.Outbound, "+919123400002", "+919876500001"},
		"Survey":       {"", "", ""},
		"":             {"", "", ""},
		"BULKOBD":      {call.Outbound, "+919123400002", "+919876500001"},
		"internal-ivr": {call.Internal, "", ""},
	} {
		body["Direction"] = word
		x := one(t, body).Facts
		require.Equal(t, tc.direction, x.Direction, word)
		require.Equal(t, tc.customer, x.Customer.Number, word)
		require.Equal(t, "+911204501234", x.BusinessNumber, word)
		if tc.agent == "" {
			require.Empty(t, x.Agents, word)
			require.Equal(t, "09876500001", x.Attributes["sourcenumber"], "what nobody can assign is kept: %q", word)
			require.Equal(t, "09123400002", x.Attributes["dialwhomnumber"], word)
			continue
		}
		require.Equal(t, tc.agent, x.Agents[0].Number, word)
	}

	x := one(t, m{"type": "call_report", "Direction": "OBD", "SourceNumber": "09876500001", "DialWhomNumber": "", "campid": "77"}).Facts
	require.Equal(t, "+919876500001", x.Customer.Number, "a campaign has no agent to call first")
	require.Empty(t, x.Agents)
	require.Equal(t, "77", x.Campaign.ID, "and its campid is shared by many calls")
	require.Empty(t, x.Reference.ClickToCall)
}

func TestStatusVocabulary(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]call.Status{
		"ANSWER": call.Answered, "Answered": call.Answered, " answer (16)": call.Answered, "Leg B Answer": call.Answered,
		"NO ANSWER": call.Missed, "NOANSWER": call.Missed, "no-answer(19-agent)": call.Missed, "Not connected": call.Missed,
		"CANCEL": call.Cancelled, "Cancel(16-customer)": call.Cancelled, "AbandonedCall": call.Abandoned, "Abandoned Call": call.Abandoned,
		"BUSY": call.Busy, "Busy (17)": call.Busy, "AgentEngaged": call.Busy, "AgentonRing": call.Busy, "Agent engaged": call.Busy,
		"CONGESTION": call.Failed, "CHANUNAVAIL": call.Failed, "Unavailable": call.Failed,
		"Cancel-Agent": call.Cancelled, "Cancel-Customer": call.Missed, "Cancel-Customer(17-customer)": call.Busy, "Cancel-Agent (19-agent)": call.Missed,
		"Cancel-Customer(0-customer)":              call.Missed,
		"Leg A Cancel - Agent No Answer (0 Agent)": call.Missed, "Leg B Cancel - Customer Busy (17 Customer)": call.Busy,
		"Leg B Cancel - Customer Congestion (1 Customer)": call.Failed, "Leg A Cancel - Agent Unavailable (19 Agent)": call.Failed,
		"Voicemail": call.Voicemail, "Transfer to agent": call.Missed, "Leg A Answer": call.Missed,
		"": call.StatusUnknown, "Gone fishing": call.StatusUnknown, "42": call.StatusUnknown, "leg c cancel": call.StatusUnknown, "(16)": call.StatusUnknown,
	} {
		x := one(t, m{"type": "call_report", "Direction": "WEBOBD", "Status": word}).Facts
		require.Equal(t, want, x.Status, word)
		if word != "" {
			require.NotEmpty(t, x.Attributes["status"], "the word itself is kept: %q", word)
		}
	}
	status := func(body m) call.Status {
		body["type"] = "call_report"
		return one(t, body).Facts.Status
	}
	require.Equal(t, call.Answered, status(m{"Direction": "IVR", "Status": "Gone fishing", "TalkDuration": "4"}), "who talked was answered")
	require.Equal(t, call.Answered, status(m{"Direction": "WEBOBD", "Status": "Leg A Answer", "LegB_Picked_time": "2026-03-01 15:04:45"}))
	require.Equal(t, call.Answered, status(m{"Direction": "IVR", "Status": "Picked"}))
	require.Equal(t, call.Answered, status(m{"Direction": "IVR", "Status": "Verbunden", "callstatus": "ANSWER"}), "some accounts say it twice")
	require.Equal(t, call.Missed, status(m{"Direction": "IVR", "Status": "NOANSWER", "callstatus": "ANSWER"}), "the documented word counts")
}

func TestWhoHungUp(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ status, cause, by, want string }{
		{"ANSWER", "ANSWER(16-customer)", "customer", "ANSWER(16-customer)"},
		{"ANSWER", "ANSWER(16-agent)", "agent", "ANSWER(16-agent)"},
		{"ANSWER(16 Agent)", "", "agent", "ANSWER(16 Agent)"},
		{"Cancel-Agent(19-agent)", "", "", "Cancel-Agent(19-agent)"},
		{"BUSY(17-customer)", "", "", "BUSY(17-customer)"},
		{"ANSWER(16)", "", "", "ANSWER(16)"},
		{"ANSWER", "NORMAL_CLEARING", "", "NORMAL_CLEARING"},
		{"ANSWER", "", "", ""},
	} {
		x := one(t, m{"type": "call_report", "Status": tc.status, "hangup_cause": tc.cause}).Facts
		require.Equal(t, tc.by, x.HangupBy, tc)
		require.Equal(t, tc.want, x.HangupCause, tc)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	want := start.UTC()
	for _, s := range []string{
		"2026-03-01 15:04:05", "2026-03-01  15:04:05", "2026-03-01n15:04:05", `2026-03-01\n15:04:05`, "2026-03-01\n15:04:05", " 2026-03-01T15:04:05 ",
		"2026-03-01T09:34:05Z", "2026-03-01 15:04:05.000",
	} {
		x := one(t, m{"StartTime": s}).Facts
		require.Equal(t, want, x.StartedAt, "%q", s)
		require.NotContains(t, x.Attributes, "starttime")
	}
	for _, s := range []string{"", "0000-00-00 00:00:00", "0000-00-00", "0", "0000-00-00n00:00:00"} {
		x := one(t, m{"StartTime": s, "LegA_Picked_time": s}).Facts
		require.Zero(t, x.StartedAt, "%q", s)
		require.Empty(t, x.Attributes, "%q", s)
	}
	x := one(t, m{"StartTime": "yesterday"}).Facts
	require.Zero(t, x.StartedAt)
	require.Equal(t, "yesterday", x.Attributes["starttime"])

	london, err := time.LoadLocation("Europe/London")
	require.NoError(t, err)
	s := settings()
	s.Location = london
	d, err := callerdesk.New().Decode(telephonytest.Post(t, "", `{"CallSid":"1","StartTime":"2026-07-01 12:00:00"}`), s)
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 7, 1, 11, 0, 0, 0, time.UTC), d.Events[0].Facts.StartedAt, "the source's zone counts")
	require.Equal(t, "Asia/Kolkata", callerdesk.New().Info().TimeZone)
}

// The vendor's GET example: CallSid's seconds are StartTime in India.
func TestZoneIsIndias(t *testing.T) {
	t.Parallel()
	e := decode(t, get("CallSid=1586420216.71&StartTime=2020-04-09n13%3A46%3A56"))
	require.Equal(t, time.Unix(1586420216, 0).UTC(), e.Facts.StartedAt)
	require.Equal(t, "1586420216.71", e.ProviderID)
}

func TestLegTimes(t *testing.T) {
	t.Parallel()
	body := m{
		"type": "call_report", "Status": "ANSWER", "SourceNumber": "09123400002", "DialWhomNumber": "09876500001", "StartTime": "2026-03-01 15:04:05",
		"EndTime": "2026-03-01 15:04:45", "TalkDuration": "20", "LegA_Picked_time": "2026-03-01 15:04:11", "LegB_Start_time": "2026-03-01 15:04:12",
		"LegB_Picked_time": "2026-03-01 15:04:25",
	}
	at := func(s int) time.Time { return time.Date(2026, 3, 1, 9, 34, s, 0, time.UTC) }
	body["Direction"] = "WEBOBD"
	x := one(t, body).Facts
	require.Equal(t, at(25), x.AnsweredAt, "the customer's leg")
	require.Equal(t, at(11), x.Agents[0].AnsweredAt, "the agent's leg")
	require.EqualValues(t, 13, *x.RingSeconds)
	require.Nil(t, x.Agents[0].RingSeconds, "it was the customer's telephone that rang")
	require.Equal(t, "2026-03-01 15:04:12", x.Attributes["legb_start_time"])
	require.Equal(t, "2026-03-01 15:04:11", x.Attributes["lega_picked_time"])

	body["Direction"] = "IVR"
	x = one(t, body).Facts
	require.Equal(t, at(25), x.AnsweredAt)
	require.Equal(t, at(25), x.Agents[0].AnsweredAt)
	require.EqualValues(t, 13, *x.Agents[0].RingSeconds)
	require.EqualValues(t, 20, *x.Agents[0].TalkSeconds)

	// Of an outgoing call the legs tell who did not answer.
	body["Direction"], body["Status"] = "WEBOBD", "CANCEL"
	body["LegB_Picked_time"], body["TalkDuration"] = "", ""
	x = one(t, body).Facts
	require.Equal(t, call.Cancelled, x.Status)
	require.Equal(t, call.AgentAnswered, x.Agents[0].Status, "the customer did not")
	require.Nil(t, x.RingSeconds)
	require.Zero(t, x.AnsweredAt)
	body["LegA_Picked_time"], body["LegB_Start_time"] = "0000-00-00 00:00:00", ""
	require.Equal(t, call.AgentMissed, one(t, body).Facts.Agents[0].Status, "the agent did not")
	body["Status"] = "Cancel-Customer(0-customer)"
	require.Equal(t, call.AgentAnswered, one(t, body).Facts.Agents[0].Status, "the word says so, too")
	body["LegB_Start_time"], body["LegB_Picked_time"] = "2026-03-01 15:04:25", "2026-03-01 15:04:12"
	require.Nil(t, one(t, body).Facts.RingSeconds, "times that contradict each other give no duration")
}

func TestSecondQuestionMark(t *testing.T) {
	t.Parallel()
	report := callerdeskfake.ReportQuery(incoming())
	plain := decode(t, get(report))
	for _, q := range []string{"key=S3cret?" + report, "key=S3cret&tag=web?" + report, "key=S3cret&" + report, "token=S3cret?" + report} {
		e := decode(t, get(q))
		require.Equal(t, plain, e, q)
	}
	// One in the recording's URL belongs to it, escaped or not.
	e := decode(t, get("key=S3cret?CallSid=1&CallRecordingUrl=https://x.test/a.wav?id=7&Status=ANSWER"))
	require.Equal(t, "https://x.test/a.wav?id=7", e.Facts.Recordings[0].URL)
	require.NotContains(t, e.Facts.Attributes, "key")
	e = decode(t, get("CallSid=1&CallRecordingUrl=https%3A%2F%2Fx.test%2Fa.wav%3Fid%3D7%26b&new_field=kept"))
	require.Equal(t, "https://x.test/a.wav?id=7&b", e.Facts.Recordings[0].URL)
	require.Equal(t, "kept", e.Facts.Attributes["new_field"])
}

func TestIDs(t *testing.T) {
	t.Parallel()
	e := one(t, m{"CallSid": json.Number("1586420216.710"), "Uniqueid": 8397472, "campid": 8397411, "Direction": "WEBOBD"})
	require.Equal(t, "1586420216.710", e.ProviderID, "no number is rounded")
	require.Equal(t, []call.Alias{{Kind: callerdesk.AliasUniqueID, Value: "8397472"}}, e.Aliases)
	require.Equal(t, "8397411", e.Facts.Reference.ClickToCall)
	e = one(t, m{"CallSid": "", "Uniqueid": "8397472"})
	require.Equal(t, "8397472", e.ProviderID)
	e = one(t, m{"campid": "0", "Direction": "IVR"})
	require.Empty(t, e.Facts.Campaign.ID)
	require.Empty(t, e.Facts.Reference.ClickToCall)
}

func TestEventsAboutNoCall(t *testing.T) {
	t.Parallel()
	for _, r := range []telephony.Request{
		telephonytest.Post(t, "", string(callerdeskfake.MemberChanged("Asha", "09123400002"))),
		telephonytest.Post(t, "", string(callerdeskfake.GroupChanged("Sales"))),
		telephonytest.Post(t, "", "member_name=Asha&member_num=09123400002&Status=1"),
		telephonytest.Post(t, "", ""), get(""), get("key=x"),
	} {
		d, err := callerdesk.New().Decode(r, settings())
		require.NoError(t, err)
		require.Empty(t, d.Events)
		require.NotEmpty(t, d.Ignored)
	}
	_, err := callerdesk.New().Decode(telephonytest.Post(t, "", `{"SourceNumber":"1","Uniqueid":"0"}`), settings())
	var unreadable *telephony.UnreadableError
	require.ErrorAs(t, err, &unreadable)
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	number := func(raw string) call.Party {
		return one(t, m{"Direction": "IVR", "SourceNumber": raw}).Facts.Customer
	}
	for _, raw := range []string{"09811126123", "9811126123", "919811126123", "+919811126123", " 9811126123 "} {
		require.Equal(t, "+919811126123", number(raw).Number, raw)
	}
	require.Equal(t, call.Party{RawNumber: "anonymous"}, number("anonymous"))
	for _, did := range []string{"01204501234", "1204501234"} {
		require.Equal(t, "+911204501234", one(t, m{"DestinationNumber": did}).Facts.BusinessNumber, "a lost zero: %s", did)
	}
	agents := func(body m) []call.Agent {
		body["Direction"] = "IVR"
		return one(t, body).Facts.Agents
	}
	require.Empty(t, agents(m{"DialWhomNumber": "", "receiver_name": ""}), "a missed call may have none")
	require.Empty(t, agents(m{"DialWhomNumber": "0", "receiver_name": "Not Assigned"}))
	require.Equal(t, "204", agents(m{"DialWhomNumber": "204"})[0].Extension)
	require.Equal(t, "asha@example.com", agents(m{"agent_email": "asha@example.com"})[0].Email)
}

func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	x := one(t, m{
		"type": "call_report", "coins": "1.5", "key_press": "2,3", "error_code": "19", "CallDuration": 18, "TalkDuration": "0", "call_group": "TestGroup",
		"account_id": "a1", "group_id": 7, "cparty_number": "09000000009", "cparty_recording": "https://x.test/c.mp3?sig=1", "CallRecordingUrl": "https://x.test/a.mp3",
	}).Facts
	require.Equal(t, &call.Cost{Amount: "1.5", Unit: "coins"}, x.Cost)
	require.Equal(t, []string{"2", "3"}, x.Digits)
	require.Equal(t, "TestGroup", x.Queue)
	require.EqualValues(t, 18, *x.DurationSeconds)
	require.EqualValues(t, 0, *x.TalkSeconds, "zero is a value")
	require.Equal(t, map[string]any{"error_code": "19", "account_id": "a1", "group_id": json.Number("7"), "cparty_number": "09000000009"}, x.Attributes)
	require.Len(t, x.Recordings, 2)
	require.NotEqual(t, x.Recordings[0].ID, x.Recordings[1].ID)

	x = one(t, m{"type": "call_report", "coins": "many", "CallRecordingUrl": "none", "key_press": 4}).Facts
	require.Nil(t, x.Cost)
	require.Equal(t, map[string]any{"coins": "many", "callrecordingurl": "none"}, x.Attributes)
	require.Equal(t, []string{"4"}, x.Digits)
	require.Empty(t, x.Recordings)
	x = one(t, m{"type": "call_report", "CallRecordingUrl": "0"}).Facts
	require.Empty(t, x.Attributes)
}

func TestAReportIsTheLastWord(t *testing.T) {
	t.Parallel()
	want := call.Expectations{Recording: true, Transcription: true, Disposition: true}
	fold := func(events ...call.Event) call.Call {
		for i := range events {
			events[i].ReceiptID, events[i].ReceivedAt = string(rune('a'+i)), start.Add(time.Duration(i)*time.Minute)
		}
		return call.Fold(call.Identity{ID: "1", Provider: callerdesk.ID}, events)
	}
	post := func(body []byte) call.Event { return decode(t, telephonytest.Post(t, "", string(body))) }
	silent := incoming()
	silent.Recording = false

	live := fold(post(callerdeskfake.Live(incoming(), "Transfer to agent")))
	require.Equal(t, call.Ringing, live.Status)
	require.Equal(t, call.AgentDialed, live.Agents[0].Status)
	talking := fold(post(callerdeskfake.Live(incoming(), "Transfer to agent")), post(callerdeskfake.Live(incoming(), "ANSWER")))
	require.Equal(t, call.InProgress, talking.Status)
	require.Len(t, talking.Agents, 1)
	require.Equal(t, call.Live, fold(post(callerdeskfake.Live(incoming(), "CANCEL"))).Phase, "only a report ends a call")

	ended := fold(post(callerdeskfake.Report(silent)))
	require.True(t, call.Complete(ended, want), "nothing more can come")
	with := fold(post(callerdeskfake.Report(silent)), post(callerdeskfake.Report(incoming())))
	require.Len(t, with.Recordings, 1, "a second report with the recording adds it all the same")
	again := fold(post(callerdeskfake.Report(incoming())), post(callerdeskfake.Report(incoming())))
	once := fold(post(callerdeskfake.Report(incoming())))
	require.True(t, call.SameState(once, again), "a duplicate changes nothing")

	// The live events that arrive after the report take nothing back.
	late := fold(post(callerdeskfake.Report(incoming())), post(callerdeskfake.Live(incoming(), "Transfer to agent")))
	require.Equal(t, call.Answered, late.Status)
	require.Equal(t, call.AgentAnswered, late.Agents[0].Status)
	require.Equal(t, start.Add(95*time.Second).UTC(), late.EndedAt)

	// The first agent did not answer, the second did.
	second := incoming()
	second.Agent, second.HangupBy = "09123400003", "customer"
	c := fold(post(callerdeskfake.Live(incoming(), "NO ANSWER (19)")), post(callerdeskfake.Report(second)))
	require.Equal(t, "ANSWER(16-customer)", c.HangupCause)
	require.Empty(t, post(callerdeskfake.Live(incoming(), "NO ANSWER (19)")).Facts.HangupCause, "why an agent's leg ended is not why the call did")
	require.Equal(t, call.Answered, c.Status)
	require.Len(t, c.Agents, 2)
	require.Equal(t, call.AgentMissed, c.Agents[0].Status)
	require.Equal(t, call.AgentAnswered, c.Agents[1].Status)
}

// GET and POST say the same.
func TestGETIsPOST(t *testing.T) {
	t.Parallel()
	for _, c := range []callerdeskfake.Call{incoming(), outgoing()} {
		posted := decode(t, telephonytest.Post(t, "", string(callerdeskfake.Report(c))))
		got := decode(t, get(callerdeskfake.ReportQuery(c)))
		delete(posted.Facts.Attributes, "legb_start_time")
		for _, name := range []string{"lega_picked_time", "legb_start_time", "legb_picked_time"} {
			delete(posted.Facts.Attributes, name)
			delete(got.Facts.Attributes, name)
		}
		require.Equal(t, posted, got)
		q, err := url.ParseQuery(callerdeskfake.LiveQuery(c, "ANSWER"))
		require.NoError(t, err)
		require.Equal(t, decode(t, telephonytest.Post(t, "", string(callerdeskfake.Live(c, "ANSWER")))), decode(t, get(q.Encode())))
	}
}

func TestReply(t *testing.T) {
	t.Parallel()
	require.Equal(t, telephony.Reply{Status: 200, ContentType: "text/plain; charset=utf-8", Body: "success"}, callerdesk.New().Reply(telephony.Request{}))
}
