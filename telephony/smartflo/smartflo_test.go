package smartflo_test

import (
	"encoding/json"
	"net/http"
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

type m = map[string]any

// start is 15:04:05 in India.
var start = time.Date(2026, 3, 1, 9, 34, 5, 0, time.UTC)

var (
	meera = smartflofake.Agent{ID: "0504410020071", Name: "Meera Nair", Number: "+919000043210", Extension: "0604410020070"}
	ravi  = smartflofake.Agent{ID: "0504410020088", Name: "Ravi Shah", Number: "+919000043388", Email: "ravi@example.com"}
)

// talk is an inbound call that a second agent answered, with everything there can be.
func talk() smartflofake.Call {
	return smartflofake.Call{
		StartedAt: start, Ring: 12 * time.Second, Talk: 95 * time.Second, Answered: true, Agent: meera, Missed: []smartflofake.Agent{ravi},
		IVR: "Main menu", Attendant: "Sales+offers", Digits: []string{"2", "1", "1"}, Recording: true,
	}
}

func clickToCall() smartflofake.Call {
	return smartflofake.Call{
		Direction: smartflofake.ClickToCall, StartedAt: start, Ring: 6 * time.Second, Talk: 30 * time.Second, Answered: true, Agent: meera, Recording: true,
		RefID: "5d0c7a12-1f4b-4c59-9d5e-0e6b7f1a2c3d", CustomID: "lead-4711",
	}
}

func dialerCall() smartflofake.Call {
	c := talk()
	c.Direction, c.Missed, c.Agent = smartflofake.DialerOutbound, nil, ravi
	c.ID, c.UUID = "DR2-D3-1772357645.77120", "96ccf76037169"
	c.CampaignID, c.Campaign = "104342", "Renewals"
	c.Lead = m{"Name": "Asha Rao", "Phone_Number": "+919000012345", "Email": "asha@example.com", "City": "Pune", "Policy": "P-17"}
	c.Disposition, c.SubDisposition = "Answered", "Interested"
	return c
}

func post(t testing.TB, event string, body any) telephony.Request {
	doc, ok := body.([]byte)
	if !ok {
		var err error
		doc, err = json.Marshal(body)
		require.NoError(t, err)
	}
	return telephonytest.Post(t, event, string(doc))
}

func form(t testing.TB, event string, values url.Values) telephony.Request {
	r := telephonytest.Post(t, event, values.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func get(t testing.TB, event string, query string) telephony.Request {
	r := telephonytest.Post(t, event, "")
	r.Method, r.RawQuery = http.MethodGet, query
	return r
}

func cases(t testing.TB) []telephonytest.Case {
	var out []telephonytest.Case
	add := func(name string, r telephony.Request) {
		out = append(out, telephonytest.Case{Name: name, Request: r})
	}
	of := func(trigger string) smartflofake.Call {
		switch {
		case strings.HasPrefix(trigger, "dialer"):
			return dialerCall()
		case strings.HasPrefix(trigger, "customer"):
			return clickToCall()
		}
		return talk()
	}
	for _, trigger := range smartflofake.Triggers() {
		c := of(trigger)
		if strings.Contains(trigger, "missed") {
			c.Answered, c.Talk, c.Recording = false, 0, false
		}
		add(trigger, post(t, trigger, smartflofake.JSON(smartflofake.Payload(trigger, c))))
	}
	report := smartflofake.Payload("hangup", talk())
	add("hangup-form", form(t, "hangup", smartflofake.Form(report)))
	add("hangup-form-texts", form(t, "hangup", smartflofake.Texts(report)))
	add("hangup-get", get(t, "hangup", smartflofake.Form(report).Encode()))
	multi := form(t, "hangup", nil)
	kind, body := smartflofake.Multipart(smartflofake.Form(report))
	multi.Body = body
	multi.Header.Set("Content-Type", kind)
	add("hangup-multipart", multi)
	add("hangup-clicktocall", post(t, "hangup", smartflofake.JSON(smartflofake.Payload("hangup", clickToCall()))))
	add("hangup-dialer", post(t, "hangup", smartflofake.JSON(smartflofake.Payload("hangup", dialerCall()))))
	outbound := talk()
	outbound.Direction = smartflofake.Outbound
	add("hangup-outbound", post(t, "hangup", smartflofake.JSON(smartflofake.Payload("hangup", outbound))))
	agentFirst := smartflofake.Payload("answered-by-agent", clickToCall())
	add("answered-by-agent-clicktocall", post(t, "answered-by-agent", agentFirst))
	add("no-hook-static-field", post(t, "", m{"Event": "Call hangup (Missed)", "call_id": "1772357645.77120", "caller_id_number": "9000012345", "direction": "inbound"}))
	aliased := telephonytest.Settings(smartflo.New())
	aliased.Config["aliases"] = `{"call_id":"CallSid","$caller_id_number":["cli","from"],"call_to_number":"to","direction":"way","call_status":"outcome.word","recording_url":"media.0.audio"}`
	out = append(out, telephonytest.Case{Name: "own-names", Settings: &aliased, Request: post(t, "hangup", m{
		"CallSid": "1772357645.77120", "from": "9000012345", "to": "8045671200", "way": "inbound", "outcome": m{"word": "Answered", "score": 3},
		"media": []m{{"audio": "https://recordings.smartflo.example/r?callId=1772357645.77120&token=x"}}, "end_stamp": "2026-03-01 15:05:00",
	})})
	add("placeholders", post(t, "hangup", m{"call_id": "$call_id", "uuid": "$uuid", "answered_agent": "$answered_agent{}", "event": "hangup"}))
	add("look", get(t, "hangup", "event=hangup&key=1"))
	add("empty", telephonytest.Post(t, "hangup", ""))
	add("no-id", post(t, "hangup", m{"call_status": "missed"}))
	add("not-json", telephonytest.Post(t, "hangup", `{"call_id": $call_id}`))
	variants := map[string]string{"hangup-form": "hangup-form", "hangup-form-texts": "hangup-form", "hangup-multipart": "hangup-form", "hangup-clicktocall": "hangup-click-to-call"}
	for i := range out {
		out[i].Trigger = variants[out[i].Name]
	}
	return out
}

func TestConformance(t *testing.T) {
	t.Parallel()
	telephonytest.Kit{Provider: smartflo.New(), Cases: cases(t), Dictionary: dictionary(), Unfilled: []string{"${name}", "$campaign_name"}}.Run(t)
}

func FuzzDecode(f *testing.F) { telephonytest.Fuzz(f, smartflo.New(), cases(f)) }

func decode(t testing.TB, r telephony.Request, s telephony.Settings) call.Event {
	t.Helper()
	d, err := smartflo.New().Decode(r, s)
	require.NoError(t, err)
	require.Len(t, d.Events, 1, d.Ignored)
	return d.Events[0]
}

// one decodes a JSON body; a call id is added where there is none.
func one(t testing.TB, event string, body m) call.Event {
	t.Helper()
	if body["call_id"] == nil && body["uuid"] == nil {
		body["call_id"] = "1772357645.77120"
	}
	return decode(t, post(t, event, body), telephony.Settings{})
}

func ist(s string) time.Time {
	t, err := time.ParseInLocation(time.DateTime, s, time.FixedZone("", 19800))
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// Every encoding of the panel says the same.
func TestEncodingsAgree(t *testing.T) {
	t.Parallel()
	for _, trigger := range smartflofake.Triggers() {
		c := talk()
		c.Lead = m{"Phone_Number": "+919000012345", "Name": "Asha Rao"}
		payload := smartflofake.Payload(trigger, c)
		kind, body := smartflofake.Multipart(smartflofake.Form(payload))
		multi := form(t, trigger, nil)
		multi.Body = body
		multi.Header.Set("Content-Type", kind)
		wrong := multi
		wrong.Header = http.Header{"Content-Type": {"application/json"}}
		dollars := m{}
		for k, v := range payload {
			dollars["$"+k] = v
		}
		plain := post(t, trigger, payload)
		plain.Header.Set("Content-Type", "text/plain")
		text, err := json.Marshal(string(smartflofake.JSON(payload)))
		require.NoError(t, err)
		want := decode(t, post(t, trigger, payload), telephony.Settings{}).Facts
		want.Attributes = nil
		for name, r := range map[string]telephony.Request{
			"form": form(t, trigger, smartflofake.Form(payload)), "JSON in a form": form(t, trigger, smartflofake.Texts(payload)),
			"GET": get(t, trigger, smartflofake.Form(payload).Encode()), "GET with JSON": get(t, trigger, smartflofake.Texts(payload).Encode()),
			"GET behind a query": get(t, trigger, "key=1?"+smartflofake.Form(payload).Encode()),
			"multipart":          multi, "multipart, wrong Content-Type": wrong, "JSON as text/plain": plain, "JSON in JSON": telephonytest.Post(t, trigger, string(text)),
			"keys with $": post(t, trigger, dollars), "wrapped": post(t, trigger, m{"w_type": 2, "pyld": payload}),
			"a list of one": post(t, trigger, []any{payload}), "one field with JSON": form(t, trigger, url.Values{"payload": {string(smartflofake.JSON(payload))}}),
		} {
			got := decode(t, r, telephony.Settings{}).Facts
			got.Attributes = nil
			require.Equal(t, want, got, "%s as %s", trigger, name)
		}
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	ended := m{"end_stamp": "2026-03-01 15:06:00", "hangup_cause": "NormalClearing"}
	for name, tc := range map[string]struct {
		event string
		body  m
		want  call.Kind
	}{
		"the URL decides":                       {"dtmf", m{"digit_pressed": "1"}, call.CallDTMF},
		"the URL in another spelling":           {"Call_Hangup", m{}, call.CallEnded},
		"the vendor's name in the URL":          {"Call answered by Agent", m{}, call.CallAnswered},
		"a static field":                        {"", m{"event": "Dialed on Agent"}, call.CallAgentDialed},
		"a static field, other name":            {"", m{"trigger": "Call Hangup (Missed or Answered)"}, call.CallEnded},
		"a static field nobody knows":           {"", m{"event": "hologram", "digit_pressed": "1"}, call.CallDTMF},
		"the URL before the field":              {"answered-on-ivr", m{"event": "dtmf"}, call.CallRouted},
		"a report at the URL of a live trigger": {"answered-by-agent", ended, call.CallEnded},
		"a report with a live static field":     {"", m{"event": "answered", "end_stamp": "2026-03-01 15:06:00", "duration": "10"}, call.CallEnded},
		"an end alone does not prove":           {"answered-by-agent", m{"end_stamp": "2026-03-01 15:06:00"}, call.CallAnswered},
		"a minimal report":                      {"hangup-missed", m{}, call.CallEnded},
		"agent first":                           {"answered-by-agent", m{"direction": "click_to_call"}, call.CallAgentDialed},
		"agent first, by the reference":         {"answered-by-agent", m{"ref_id": "r-1", "direction": "outbound"}, call.CallAgentDialed},
		"a reference of an inbound call":        {"answered-by-agent", m{"ref_id": "r-1", "direction": "inbound"}, call.CallAnswered},
		"a customer of a click-to-call":         {"customer-answered", m{"direction": "click_to_call"}, call.CallAnswered},
		"an agent's miss passes on":             {"agent-missed-hangup", m{"missed_agent": []m{{"name": "A"}}}, call.CallAgentMissed},
		"an agent's miss at the end":            {"agent-missed-hangup", m{"call_status": "missed"}, call.CallEnded},
		"session":                               {"session-answered", m{}, call.CallAnswered},
		"sniffed: received":                     {"", m{"start_stamp": "2026-03-01 15:04:05"}, call.CallRinging},
		"sniffed: ivr":                          {"", m{"ivr_id": 3112}, call.CallRouted},
		"sniffed: department":                   {"x", m{"dept_id": "1", "ivr_name": "a"}, call.CallRouted},
		"sniffed: attendant":                    {"", m{"auto_attendant_id": "1"}, call.CallRouted},
		"sniffed: dialed":                       {"", m{"agent_number": "9000043210", "dept_name": []string{"a"}, "ivr_name": []string{"b"}}, call.CallAgentDialed},
		"sniffed: dialer":                       {"", m{"agent_name": "A", "campaign_id": "1"}, call.CallAnswered},
		"sniffed: an empty campaign is none":    {"", m{"agent_name": "A", "campaign_id": "$campaign_id"}, call.CallAgentDialed},
		"sniffed: disposition":                  {"", m{"agent_name": "A", "sub_dispositon": "x", "end_stamp": "2026-03-01 15:06:00"}, call.DispositionSet},
		"sniffed: answered":                     {"", m{"answer_agent_number": "9000043210", "call_status": "answered"}, call.CallAnswered},
		"sniffed: agent first":                  {"", m{"status": "Answered by agent", "direction": "click_to_call", "call_status": "queued"}, call.CallAgentDialed},
		"sniffed: customer":                     {"", m{"call_status": "answered by customer"}, call.CallAnswered},
		"sniffed: report":                       {"", ended, call.CallEnded},
		"sniffed: missed agents":                {"", m{"missed_agent": []m{{"name": "A"}}}, call.CallEnded},
		"sniffed: missed":                       {"", m{"call_status": "Missed"}, call.CallEnded},
		"sniffed: hung up in the path":          {"", m{"call_flow": []m{{"type": "Hangup", "time": 1772357700}}}, call.CallEnded},
		"blank fields end nothing":              {"", m{"end_stamp": "", "recording_url": "", "missed_agent": "", "hangup_cause": "$hangup_cause"}, call.CallRinging},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, one(t, tc.event, tc.body).Kind) })
	}
	e := one(t, "", m{"event": "hologram"})
	require.Equal(t, "hologram", e.Facts.Attributes["event"], "unknown words are kept")
	r := post(t, "", m{"call_id": "1"})
	r.RawQuery = "trigger=hangup"
	require.Equal(t, call.CallEnded, decode(t, r, telephony.Settings{}).Kind, "the URL's query may name the trigger")
	for _, h := range smartflo.New().Info().Hooks {
		byField := one(t, "", m{"event": h.Label, "call_status": "missed", "missed_agent": []m{{"name": "A"}}})
		require.Equal(t, one(t, h.Event, m{"call_status": "missed", "missed_agent": []m{{"name": "A"}}}).Kind, byField.Kind, h.Label)
	}
}

func TestDirectionAndParties(t *testing.T) {
	t.Parallel()
	const customer, did = "9000012345", "8045671200"
	in := m{"caller_id_number": customer, "call_to_number": did}
	out := m{"caller_id_number": did, "call_to_number": customer}
	with := func(base, more m) m {
		x := m{}
		for k, v := range base {
			x[k] = v
		}
		for k, v := range more {
			x[k] = v
		}
		return x
	}
	for name, tc := range map[string]struct {
		event string
		body  m
		own   []string
		want  call.Direction
	}{
		"inbound":               {"hangup", with(in, m{"direction": "inbound"}), nil, call.Inbound},
		"outbound":              {"hangup", with(out, m{"direction": "Outbound"}), nil, call.Outbound},
		"click_to_call":         {"hangup", with(out, m{"direction": "click_to_call"}), nil, call.Outbound},
		"clicktocall":           {"hangup", with(out, m{"direction": "clicktocall"}), nil, call.Outbound},
		"dialer, in":            {"hangup", with(in, m{"direction": "Dialer (inbound)"}), nil, call.Inbound},
		"dialer, out":           {"hangup", with(out, m{"direction": "Dialer (outbound)"}), nil, call.Outbound},
		"by the trigger":        {"call-received", in, nil, call.Inbound},
		"by the trigger, out":   {"customer-missed", with(out, m{"direction": "sideways"}), nil, call.Outbound},
		"the word first":        {"agent-answered-hangup", with(out, m{"direction": "clicktocall"}), nil, call.Outbound},
		"by the known customer": {"dtmf", with(in, m{"customer_no_with_prefix ": "+91" + customer}), nil, call.Inbound},
		"by the customer, out":  {"dtmf", with(out, m{"customer_number": customer}), nil, call.Outbound},
		"by own numbers":        {"dtmf", in, []string{"+91" + did}, call.Inbound},
		"by own numbers, out":   {"dtmf", out, []string{"+91 80 4567 1200"}, call.Outbound},
		"by the DID":            {"dtmf", with(in, m{"did_number": "+91" + did}), nil, call.Inbound},
		"by the path":           {"dtmf", with(out, m{"call_flow": []m{{"type": "ClickToCall"}}}), nil, call.Outbound},
	} {
		t.Run(name, func(t *testing.T) {
			tc.body["call_id"] = "1"
			x := decode(t, post(t, tc.event, tc.body), telephony.Settings{OwnNumbers: tc.own}).Facts
			require.Equal(t, tc.want, x.Direction)
			require.Equal(t, "+91"+customer, x.Customer.Number)
			require.Equal(t, "+91"+did, x.BusinessNumber)
			require.NotContains(t, x.Attributes, "caller_id_number")
			require.NotContains(t, x.Attributes, "call_to_number")
		})
	}
	x := one(t, "dtmf", with(in, m{"direction": "hologram"})).Facts
	require.Empty(t, x.Direction)
	require.Zero(t, x.Customer, "a wrong guess would make the own number a customer")
	require.Equal(t, m{"caller_id_number": customer, "call_to_number": did, "direction": "hologram"}, x.Attributes)

	r := post(t, "dtmf", with(in, m{"call_id": "1"}))
	r.RawQuery = "direction=inbound"
	require.Equal(t, call.Inbound, decode(t, r, telephony.Settings{}).Facts.Direction, "the URL may say it")

	x = one(t, "hangup", with(out, m{"direction": "inbound", "customer_no_with_prefix": "91" + customer})).Facts
	require.Equal(t, "+91"+customer, x.Customer.Number)
	require.Equal(t, "+91"+did, x.BusinessNumber, "the numbers stand in each other's place")

	x = one(t, "hangup", m{"direction": "inbound", "caller_id_number": "anonymous", "call_to_number": did}).Facts
	require.Equal(t, call.Party{RawNumber: "anonymous"}, x.Customer)
	x = one(t, "hangup", m{"direction": "inbound", "caller_id_number": customer, "did_number": did, "call_to_number": "0607297260058"}).Facts
	require.Equal(t, "+91"+did, x.BusinessNumber)
	require.Equal(t, "0607297260058", x.Attributes["call_to_number"])
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, raw := range []any{"9000012345", "919000012345", "+919000012345", "09000012345", " 919000012345", "+91 90000 12345", "%2B919000012345", json.Number("919000012345")} {
		require.Equal(t, "+919000012345", one(t, "hangup", m{"direction": "inbound", "caller_id_number": raw}).Facts.Customer.Number, raw)
	}
	require.Equal(t, "+14155550134", decode(t, post(t, "hangup", m{"call_id": 1, "direction": "inbound", "caller_id_number": "4155550134"}), telephony.Settings{DefaultCountry: "US"}).Facts.Customer.Number)
	r := get(t, "hangup", "call_id=1&direction=inbound&caller_id_number=+919000012345")
	require.Equal(t, "+919000012345", decode(t, r, telephony.Settings{}).Facts.Customer.Number, "a plus that was not encoded")
}

func TestQuirkTrailingSpaceInKey(t *testing.T) {
	t.Parallel()
	for _, r := range []telephony.Request{
		post(t, "dtmf", m{"call_id": "1", "customer_no_with_prefix ": "+919000012345"}),
		form(t, "dtmf", url.Values{"call_id": {"1"}, "customer_no_with_prefix ": {"+919000012345"}}),
		post(t, "dtmf", m{"call_id": "1", "customer_number_with_prefix": "+919000012345"}),
		post(t, "dtmf", m{"call_id": "1", "$customer_no_with_prefix": "+919000012345"}),
		post(t, "dtmf", m{"call_id": "1", "customer_number": "9000012345"}),
	} {
		require.Equal(t, "+919000012345", decode(t, r, telephony.Settings{}).Facts.Customer.Number)
	}
}

func TestQuirkPlaceholdersAreAbsent(t *testing.T) {
	t.Parallel()
	x := one(t, "hangup", m{
		"campaign_name": "$campaign_name", "campaign_id": " $campaign_id ", "recording_url": "$recording_url", "agent_transfer_ring_time": "$agent_transfer_ring_time",
		"answered_agent": "$answered_agent{}", "answered_agent_name": "_name", "answered_agent_number": "_number", "missed_agent": "$missed_agent", "call_flow": "$call_flow",
		"billing_circle": m{"operator": "$telecom_operator", "circle": "null"}, "start_stamp": "$start_date $start_time", "ref_id": "${ref_id}",
		"digits_dialed": "undefined", "end_stamp": "0000-00-00 00:00:00", "hangup_cause_code": "_code", "mine": "$mine",
	}).Facts
	require.Equal(t, call.Facts{StartedAt: time.Unix(1772357645, 0).UTC()}, x)

	x = one(t, "dialer-connected", m{"agent": "Demo Agent", "agent_name": "Demo Agent_name", "agent_number": "Demo Agent_number"}).Facts
	require.Equal(t, []call.Agent{{Name: "Demo Agent", Status: call.AgentAnswered}}, x.Agents, "$agent was replaced inside of $agent_name")
	x = one(t, "hangup", m{"direction": "inbound", "customer_number_with_prefix": "9000012345_with_prefix"}).Facts
	require.Equal(t, "+919000012345", x.Customer.Number)
	x = one(t, "hangup", m{"answered_agent_name": `{"id":"1"}_name`, "hangup_cause_key": "NormalClearing_key"}).Facts
	require.Empty(t, x.Agents)
	require.Empty(t, x.HangupCause)
	for _, v := range []any{"Array", "[object Object]", "[]", "{}", "[ ]", "None", nil, []any{}, m{}} {
		x = one(t, "hangup", m{"call_id": "1", "answered_agent": v, "missed_agent": v, "call_flow": v, "billing_circle": v, "lead_fields": v, "broadcast_lead_fields": v, "digits_dialed": v}).Facts
		require.Equal(t, call.Facts{}, x, v)
	}
	x = one(t, "hangup", m{"note": "$5 off", "label": "_name", "tip": "$5"}).Facts
	require.Equal(t, m{"note": "$5 off", "label": "_name", "tip": "$5"}, x.Attributes, "elsewhere these are values")
}

func TestQuirkMisspeltVariables(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"sub_dispositon", "sub_disposition", "$sub_dispositon", "Sub Disposition"} {
		require.Equal(t, call.Disposition{Value: "Answered", SubValue: "Interested", SetBy: "Meera"},
			one(t, "dialer-disposition", m{"disposition": "Answered", key: "Interested", "agent_name": "Meera"}).Facts.Disposition, key)
	}
	for _, key := range []string{"answered_agent_number", "answer_agent_number"} {
		require.Equal(t, []call.Agent{{Number: "+919000043210", Status: call.AgentAnswered}}, one(t, "answered-by-agent", m{key: "919000043210"}).Facts.Agents, key)
	}
	require.Equal(t, "John", one(t, "customer-missed", m{"answered_agent{}": "John"}).Facts.Agents[0].Name)
	require.Equal(t, "John", one(t, "dialed-on-agent", m{`$agent_name"`: "John"}).Facts.Agents[0].Name)
}

func TestAliases(t *testing.T) {
	t.Parallel()
	with := func(aliases string, body any) (call.Event, error) {
		d, err := smartflo.New().Decode(post(t, "hangup", body), telephony.Settings{Config: map[string]string{"aliases": aliases}})
		if err != nil {
			return call.Event{}, err
		}
		require.Len(t, d.Events, 1)
		return d.Events[0], nil
	}
	e, err := with(`{"call_id":"sid","call_to_number":"caller_id_number","caller_id_number":"call_to_number","trigger":"what","call_flow":"x.path"}`,
		m{"SID": "7", "caller_id_number": "8045671200", "call_to_number": "9000012345", "direction": "inbound", "x": `{"path":[{"type":"IVR","name":"A"}]}`})
	require.NoError(t, err)
	require.Equal(t, "7", e.ProviderID)
	require.Equal(t, "+919000012345", e.Facts.Customer.Number, "two names can be exchanged")
	require.Equal(t, []string{"IVR: A"}, e.Facts.IVRPath)
	e, err = with(`{"call_id":"legs.1.id","uuid":"legs.0.id","recording_url":"Legs.1.audio"}`,
		m{"legs": `[{"id":"a"},{"ID":"b","audio":"https://rec.example/r?token=secret","kept":1}]`})
	require.NoError(t, err)
	require.Equal(t, "b", e.ProviderID)
	require.Equal(t, "a", e.Aliases[0].Value)
	require.Equal(t, "https://rec.example/r?token=secret", e.Facts.Recordings[0].URL)
	require.Equal(t, m{"legs": []any{m{}, m{"kept": json.Number("1")}}}, e.Facts.Attributes, "what was moved is gone where it was")
	e, err = with(`{"call_id":"sid"}`, m{"call_id": "8", "sid": ""})
	require.NoError(t, err)
	require.Equal(t, "8", e.ProviderID, "where the own key is blank, the documented name counts")
	e, err = with(` `, m{"call_id": "8"})
	require.NoError(t, err)
	require.Equal(t, "8", e.ProviderID)
	for _, wrong := range []string{"call_id=sid", `["a"]`, `{"call_id":1}`, `{"call_id":["a",{}]}`} {
		_, err = with(wrong, m{"call_id": "8"})
		var u *telephony.UnreadableError
		require.ErrorAs(t, err, &u, wrong)
		require.Equal(t, "setting aliases", u.Where)
		var problems telephony.ConfigProblems
		require.ErrorAs(t, smartflo.New().CheckConfig(map[string]string{"aliases": wrong}), &problems)
		require.Equal(t, "aliases", problems[0].Setting)
	}
	require.NoError(t, smartflo.New().CheckConfig(map[string]string{"aliases": `{"call_id":["sid","id"]}`}))
	require.NoError(t, smartflo.New().CheckConfig(nil))
}

func TestSecretsAreNoFacts(t *testing.T) {
	t.Parallel()
	p := smartflo.New()
	s := telephony.Settings{Secrets: map[string]string{"header_secret": "s3cret"}, Config: map[string]string{}}
	require.True(t, p.Signs(s))
	r := post(t, "hangup", m{"call_id": "1", "mine": "s3cret"})
	require.ErrorIs(t, p.Verify(r, s), telephony.ErrSignature)
	r.Header.Set("X-Callsync-Key", "S3cret")
	require.ErrorIs(t, p.Verify(r, s), telephony.ErrSignature)
	r.Header.Set("X-Callsync-Key", " s3cret ")
	require.NoError(t, p.Verify(r, s))
	s.Config["secret_header"] = "authorization"
	r.Header.Set("Authorization", "Bearer s3cret")
	require.NoError(t, p.Verify(r, s))
	require.Nil(t, decode(t, r, s).Facts.Attributes)
	e := decode(t, get(t, "hangup", "call_id=1&key=a&token=b&Secret=c&shop=Pune"), s)
	require.Equal(t, m{"shop": "Pune"}, e.Facts.Attributes)
	e = decode(t, get(t, "", "mine=a&event=dtmf&direction=inbound?call_id=1&caller_id_number=9000012345"), s)
	require.Nil(t, e.Facts.Attributes, "what the administrator put into the URL is no fact")
	require.Equal(t, call.CallDTMF, e.Kind, "but may say which trigger it is")
	require.Equal(t, call.Inbound, e.Facts.Direction)
}

// The story of one inbound call and of one click-to-call, folded: what the CRM gets to see.
func TestLifeOfACall(t *testing.T) {
	t.Parallel()
	fold := func(c smartflofake.Call, order ...string) call.Call {
		var events []call.Event
		for i, trigger := range order {
			e := decode(t, post(t, trigger, smartflofake.JSON(smartflofake.Payload(trigger, c))), telephony.Settings{})
			e.ReceiptID, e.ReceivedAt = string(rune('a'+i)), start.Add(time.Duration(i)*time.Second)
			events = append(events, e)
		}
		return call.Fold(call.Identity{ID: "1", Provider: smartflo.ID}, events)
	}
	live := fold(talk(), "call-received", "answered-on-ivr", "received-on-auto-attendant", "dtmf", "dialed-on-agent")
	require.Equal(t, call.Live, live.Phase)
	require.Equal(t, call.Ringing, live.Status)
	require.Equal(t, call.InProgress, fold(talk(), "call-received", "answered-by-agent").Status)

	done := fold(talk(), "call-received", "dtmf", "dialed-on-agent", "answered-by-agent", "hangup", "agent-answered-hangup", "hangup")
	require.Equal(t, call.Answered, done.Status)
	require.Equal(t, start, done.StartedAt)
	require.Equal(t, start.Add(12*time.Second), done.AnsweredAt)
	require.Equal(t, start.Add(107*time.Second), done.EndedAt)
	require.EqualValues(t, 95, *done.TalkSeconds)
	require.Equal(t, []string{"2", "1", "1"}, done.Digits)
	require.Len(t, done.Recordings, 1)
	require.Equal(t, "Meera Nair", done.Agents[0].Name, "the live leg and that of the report are one")
	require.Len(t, done.Agents, 2)
	require.True(t, call.Complete(done, call.Expectations{Recording: true}))
	early := fold(talk(), "hangup", "answered-by-agent", "dtmf", "call-received")
	require.Equal(t, call.Ended, early.Phase, "a hangup that overtakes the answer stays the end")
	require.Equal(t, call.Answered, early.Status)

	missed := clickToCall()
	missed.Answered, missed.Talk, missed.Recording = false, 0, false
	require.Equal(t, call.Ringing, fold(missed, "answered-by-agent").Status, "an agent who waits for the customer does not talk")
	require.Equal(t, call.Missed, fold(missed, "answered-by-agent", "customer-missed", "hangup-missed").Status)

	d := dialerCall()
	set := fold(d, "dialer-connected", "hangup", "dialer-disposition")
	require.Equal(t, call.Disposition{Value: "Answered", SubValue: "Interested", SetBy: "Ravi Shah"}, set.Disposition)
	require.Equal(t, "Renewals", set.Campaign.Name)
	require.Equal(t, "Asha Rao", set.Customer.Name)
	d.Disposition, d.SubDisposition = "Callback", ""
	again := decode(t, post(t, "dialer-disposition", smartflofake.Payload("dialer-disposition", d)), telephony.Settings{})
	require.Equal(t, call.Disposition{Value: "Callback", SetBy: "Ravi Shah"}, again.Facts.Disposition)
}

func TestReplyIsAlwaysSuccess(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "BREW"} {
		require.Equal(t, 200, smartflo.New().Reply(telephony.Request{Method: method, Body: []byte("junk")}).Status)
	}
}
