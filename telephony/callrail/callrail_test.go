package callrail_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
	"github.com/callsync/callsync/telephony/telephonytest"
)

var start = time.Date(2026, 3, 1, 15, 4, 5, 0, time.UTC)

// talk is an answered call with everything there can be.
func talk() callrailfake.Call {
	return callrailfake.Call{
		ID: "CAL09c8a75d189149a482e881a9590ac1ba", NumericID: 766970532, StartedAt: start, Duration: 93 * time.Second, Answered: true,
		Recording: true, Transcription: "Hello. Hi.", Tags: []string{"roof", "vip"}, Note: "Call back on Monday.", Value: "1250.50",
		LeadStatus: "good_lead", Score: 4, AgentEmail: "bo@example.com", AgentName: "Bo Agent", PriorCalls: 2,
		Medium: "cpc", Campaign: "Spring",
	}
}

func cases(t testing.TB) []telephonytest.Case {
	post := func(event string, body []byte) telephony.Request { return telephonytest.Post(t, event, string(body)) }
	ringing := talk()
	voicemail := callrailfake.Call{ID: "CALvm", StartedAt: start, Duration: 13 * time.Second, Voicemail: true, Recording: true}
	cleared := talk()
	cleared.Note, cleared.Tags, cleared.Value, cleared.Score, cleared.Recording, cleared.Transcription = "", nil, "", 0, false, ""
	form := post("", nil)
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	form.Body = []byte("resource_id=CAL1&answered=true&duration=15&callernum=%2B14155550134&tags=a,b&datetime=2018-02-19+18%3A41%3A00&customer_state=CA")
	query := post("post-call", nil)
	query.RawQuery = "key=1?id=17&callernum=%2B14155550134&answered=false"
	get := post("post-call", nil)
	get.Method = http.MethodGet
	return []telephonytest.Case{
		{Name: "signature-vector", Request: telephonytest.Post(t, "post-call", "signature-vector.json")},
		{Name: "post-call-inbound-abandoned", Request: telephonytest.Post(t, "post-call", "post-call-inbound-abandoned.json")},
		{Name: "text-message-received", Request: telephonytest.Post(t, "text-received", "text-message-received.json")},
		{Name: "form-submission", Request: telephonytest.Post(t, "form-submission", "form-submission.json")},
		{Name: "pre-call", Request: post("pre-call", callrailfake.PreCall(ringing))},
		{Name: "routing-complete", Request: post("routing-complete", callrailfake.RoutingComplete(ringing))},
		{Name: "post-call-answered", Request: post("post-call", callrailfake.PostCall(talk()))},
		{Name: "post-call-voicemail", Request: post("post-call", callrailfake.PostCall(voicemail))},
		{Name: "outbound-post-call", Request: post("outbound-post-call", callrailfake.OutboundPostCall(talk()))},
		{Name: "modified-full", Request: post("call-modified", callrailfake.Modified(talk(), "tags", "transcription_text", "recording_duration", "manual_score"))},
		{Name: "modified-cleared", Request: post("outbound-call-modified", callrailfake.Modified(cleared, "tags", "note", "value", "auto_score", "recording_duration", "transcription_text"))},
		{Name: "text-sent", Request: post("text-sent", callrailfake.TextSent(callrailfake.Text{ID: "SCI2", Content: "See you", At: start, Agent: "bo@example.com", Media: []string{"https://example.com/a.jpg"}}))},
		{Name: "empty", Request: post("post-call", nil)},
		{Name: "get", Request: get},
		{Name: "no-id", Request: post("post-call", []byte(`{"answered":true}`))},
		{Name: "pulled-call", Request: pulledRequest(`{"id":"CAL09c8a75d189149a482e881a9590ac1ba","answered":true,"business_phone_number":"+14155550143","customer_city":"San Francisco","customer_country":"US","customer_name":"Ada Example","customer_phone_number":"+14155550134","customer_state":"CA","direction":"inbound","duration":93,"recording":"https://api.callrail.com/v3/a/1/calls/2/recording.json","recording_duration":"93","recording_player":"https://app.callrail.com/calls/2/recording?access_key=aaaa","start_time":"2026-03-01T15:04:05.000+00:00","tracking_phone_number":"+14155550186","voicemail":false,"agent_email":null,"call_type":"answered","company_id":"COM1","tags":["vip"],"note":null,"value":12,"formatted_value":"$12.50","lead_status":"good_lead","transcription":null}`)},
		{Name: "pulled-call-minimal", Request: pulledRequest(`{"id":444941612}`)},
		{Name: "not-json", Request: post("post-call", []byte(`{"resource_id":"CAL1",}`))},
		{Name: "bad-utf8", Request: post("post-call", []byte("{\"resource_id\":\"CAL1\",\"customer_name\":\"\xe9\"}"))},
		{Name: "form-encoded", Request: form},
		{Name: "legacy-query", Request: query},
	}
}

// pulledRequest is a receipt of a call that was asked for.
func pulledRequest(body string) telephony.Request {
	return telephony.Request{Method: telephony.MethodPull, Event: callrail.EventPulledCall, Header: http.Header{}, Body: []byte(body)}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	telephonytest.Kit{Provider: callrail.New(), Cases: cases(t), Dictionary: dictionary()}.Run(t)
}

func FuzzDecode(f *testing.F) { telephonytest.Fuzz(f, callrail.New(), cases(f)) }

// The vendor's published vector: https://apidocs.callrail.com/#webhooks, Security, Validating Payloads.
func TestPublishedSignature(t *testing.T) {
	t.Parallel()
	p := callrail.New()
	r := telephonytest.Post(t, "post-call", "signature-vector.json")
	s := telephony.Settings{Secrets: map[string]string{"signing_key": "072e77e426f92738a72fe23c4d1953b4\n"}}
	const signature = "UZAHbUdfm3GqL7qzilGozGzWV64="
	require.True(t, p.Signs(s))

	r.Header.Set("Signature", signature)
	require.NoError(t, p.Verify(r, s))
	require.Equal(t, signature, callrailfake.Sign("072e77e426f92738a72fe23c4d1953b4", r.Body))

	for _, wrong := range []string{"", "x", signature[:27], strings.ToLower(signature), "slJqKZkCtpJp2y989jy0zSM7tz4=", signature + signature} {
		r.Header.Set("Signature", wrong)
		err := p.Verify(r, s)
		require.ErrorIs(t, err, telephony.ErrSignature, wrong)
		require.NotContains(t, err.Error(), "072e77")
	}
	r.Header.Set("Signature", signature)
	r.Body = append(r.Body, '\n')
	require.ErrorIs(t, p.Verify(r, s), telephony.ErrSignature)

	require.False(t, p.Signs(telephony.Settings{Secrets: map[string]string{"signing_key": " "}}))
	require.NoError(t, p.Verify(r, telephony.Settings{}))
}

// one decodes a request that has one event.
func one(t *testing.T, event string, body any) call.Event {
	t.Helper()
	doc, ok := body.([]byte)
	if !ok {
		var err error
		doc, err = json.Marshal(body)
		require.NoError(t, err)
	}
	d, err := callrail.New().Decode(telephonytest.Post(t, event, string(doc)), telephony.Settings{})
	require.NoError(t, err)
	require.Len(t, d.Events, 1)
	return d.Events[0]
}

type m = map[string]any

func TestKind(t *testing.T) {
	t.Parallel()
	full := m{"resource_id": "CAL1", "recording": ""}
	for name, tc := range map[string]struct {
		event string
		body  m
		want  call.Kind
	}{
		"the URL decides":                      {"pre-call", full, call.CallRinging},
		"in any spelling":                      {"Pre_Call", full, call.CallRinging},
		"the vendor's name":                    {"call-routing-complete", full, call.CallRouted},
		"outbound":                             {"outbound-call-modified", full, call.CallUpdated},
		"a form sent to the wrong URL":         {"post-call", m{"resource_id": "FRM1"}, call.FormSubmitted},
		"a call sent to the wrong URL":         {"form-submission", full, call.CallEnded},
		"a text sent to the wrong URL":         {"post-call", m{"resource_id": "SCI1", "content": "x"}, call.MessageReceived},
		"a numeric id proves nothing":          {"post-call", m{"id": 1, "form_data": m{}}, call.CallEnded},
		"sniffed: changed":                     {"", m{"resource_id": "CAL1", "changes": []string{}}, call.CallUpdated},
		"sniffed: form":                        {"", m{"id": 1, "form_data": nil}, call.FormSubmitted},
		"sniffed: text":                        {"", m{"id": 1, "message_type": "sms"}, call.MessageReceived},
		"sniffed: text of an agent":            {"", m{"id": 1, "content": "x", "agent": "Bo"}, call.MessageSent},
		"sniffed: ended":                       {"hook", full, call.CallEnded},
		"sniffed: routed":                      {"", m{"resource_id": "CAL1", "business_phone_number": "", "total_calls": 1}, call.CallRouted},
		"sniffed: total_calls ends no call":    {"", m{"resource_id": "CAL1", "total_calls": 1}, call.CallRinging},
		"sniffed: a call that mentions a text": {"", m{"resource_id": "CAL1", "content": "x", "note": ""}, call.CallEnded},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, one(t, tc.event, tc.body).Kind) })
	}
}

func TestTextDirectionByOwnNumber(t *testing.T) {
	t.Parallel()
	body := `{"id":1,"content":"x","source_number":"415-555-0186","destination_number":"415-555-0134"}`
	for own, want := range map[string]call.Kind{"+14155550186": call.MessageSent, "(415) 555-0134": call.MessageReceived} {
		d, err := callrail.New().Decode(telephonytest.Post(t, "", body), telephony.Settings{OwnNumbers: []string{"nonsense", own}})
		require.NoError(t, err)
		require.Equal(t, want, d.Events[0].Kind)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body m
		want call.Status
	}{
		"answered":                        {m{"answered": true, "call_type": "answered"}, call.Answered},
		"answered as text":                {m{"answered": "true"}, call.Answered},
		"answered, outbound":              {m{"answered": true, "call_type": "outbound"}, call.Answered},
		"not answered, outbound":          {m{"answered": "false", "call_type": "outbound"}, call.Missed},
		"the flag beats the word":         {m{"answered": false, "call_type": "answered"}, call.Missed},
		"voicemail by flag":               {m{"answered": false, "voicemail": "true", "call_type": "missed"}, call.Voicemail},
		"voicemail by word":               {m{"answered": false, "call_type": "Voicemail"}, call.Voicemail},
		"abandoned":                       {m{"answered": false, "call_type": "abandoned"}, call.Abandoned},
		"word alone":                      {m{"call_type": "missed"}, call.Missed},
		"nothing said":                    {m{"answered": ""}, ""},
		"a word nobody knows proves none": {m{"call_type": "hologram"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tc.body["resource_id"] = "CAL1"
			require.Equal(t, tc.want, one(t, "post-call", tc.body).Facts.Status)
		})
	}
}

// CallRail writes a field that the page has twice as two members of one name.
func TestRepeatedFormFields(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]m{
		`{"phone":"415-555-0134","phone":"415-555-0135"}`:                 {"phone": []any{"415-555-0134", "415-555-0135"}},
		`{"phone":"415-555-0134","phone":"415-555-0134"}`:                 {"phone": "415-555-0134"},
		`{"a":"1","b":{"a":1,"a":2},"a":"","a":"2 ","a":["3"]}`:           {"a": []any{"1", "2", []any{"3"}}, "b": m{"a": json.Number("2")}},
		`{" a":"1","a ":"2"}`:                                             {"a": []any{"1", "2"}},
		`"{\"a\":1}"`:                                                     {"a": json.Number("1")},
		`{"a":"` + strings.Repeat("x", 50) + `"` + `,"a":null,"a":false}`: {"a": []any{strings.Repeat("x", 50), false}},
	} {
		e := one(t, "form-submission", []byte(`{"note":{"form_data":1},"Form_Data":`+body+`,"id":"FRM1"}`))
		require.Equal(t, want, e.Form.Fields, body)
		if _, ok := want["phone"].([]any); ok {
			require.Equal(t, "+14155550135", e.Form.Customer.Number, "as decoders that keep the last one read it")
		}
	}
}

// Pre-Call and Call Routing Complete say "missed" and "0 seconds" of every call.
func TestPlaceholdersAreNotFacts(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"pre-call", "routing-complete"} {
		e := one(t, event, callrailfake.RoutingComplete(talk()))
		require.Equal(t, call.Ringing, e.Facts.Status)
		require.Nil(t, e.Facts.DurationSeconds)
		for _, k := range []string{"answered", "call_type", "voicemail", "duration", "formatted_call_type", "formatted_duration"} {
			require.NotContains(t, e.Facts.Attributes, k)
		}
	}
}

func TestValueForms(t *testing.T) {
	t.Parallel()
	ev := func(body m) call.Facts {
		body["resource_id"] = "CAL1"
		return one(t, "post-call", body).Facts
	}
	for _, v := range []any{15, "15", " 15 ", 15.0, "15.2"} {
		require.EqualValues(t, 15, *ev(m{"duration": v}).DurationSeconds, v)
	}
	for _, v := range []any{"", nil, "abc", -3, "1e99", true} {
		require.Nil(t, ev(m{"duration": v}).DurationSeconds, v)
	}
	require.Equal(t, "abc", ev(m{"duration": "abc"}).Attributes["duration"], "what is not understood is kept")
	for _, v := range []any{"$12.50", "12.50", json.Number("12.50"), "$ 12.50"} {
		require.Equal(t, &call.Money{Amount: "12.50"}, ev(m{"value": v}).Value, v)
	}
	require.Equal(t, &call.Money{Amount: "1200.00", Currency: "EUR"}, ev(m{"value": "€1,200.00"}).Value)
	require.Equal(t, &call.Money{Amount: "0"}, ev(m{"value": 0}).Value)
	require.Nil(t, ev(m{"value": "--"}).Value)
	require.Equal(t, "a lot", ev(m{"value": "a lot"}).Attributes["value"])
	for _, v := range []any{[]string{"a", "b"}, []m{{"name": "a"}, {"name": "b", "color": "red"}}, "a, b", `["a","b"]`, []string{"a", "b", "a", ""}} {
		require.Equal(t, []string{"a", "b"}, ev(m{"tags": v}).Tags, v)
	}
	require.Equal(t, []string{"17"}, ev(m{"tags": []int{17}}).Tags)
	require.Nil(t, ev(m{"tags": nil}).Tags)
	require.Equal(t, true, *ev(m{"first_call": "true"}).FirstCall)
	require.Equal(t, false, *ev(m{"First_Call ": 0}).FirstCall)
	require.Nil(t, ev(m{"first_call": ""}).FirstCall)
	require.Equal(t, map[string]any{"score": json.Number("1")}, ev(m{"score": 1}).Scores)
	require.Equal(t, []string{"1", "2"}, ev(m{"keypad_entries": "1,2"}).Digits)
	require.Equal(t, "Bo", ev(m{"agent": m{"name": "Bo", "email": "bo@x.test"}}).Agents[0].Name)
	require.Equal(t, "bo@x.test", ev(m{"agent": "bo@x.test"}).Agents[0].Email)
}

func TestTimes(t *testing.T) {
	t.Parallel()
	at := func(body m) time.Time {
		body["resource_id"] = "CAL1"
		return one(t, "post-call", body).Facts.StartedAt
	}
	want := time.Date(2018, 2, 19, 18, 41, 0, 0, time.UTC)
	require.Equal(t, want, at(m{"start_time": "2018-02-19T13:41:00.000-05:00", "company_time_zone": "America/Los_Angeles"}), "the offset is right whatever the zone")
	require.Equal(t, want, at(m{"start_time": "2018-02-19T10:41:00", "company_time_zone": "America/Los_Angeles"}))
	require.Equal(t, want, at(m{"start_time": "", "datetime": "2018-02-19 18:41:00", "company_time_zone": "America/Los_Angeles"}), "the legacy time is UTC")
	require.Equal(t, want, at(m{"start_time": "soon", "datetime": "2018-02-19 18:41:00"}))
	require.Zero(t, at(m{"start_time": 17}))
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	alias := []call.Alias{{Kind: callrail.AliasNumericID, Value: "766970532"}}
	e := one(t, "post-call", m{"resource_id": "CAL1", "id": 766970532})
	require.Equal(t, "CAL1", e.ProviderID)
	require.Equal(t, alias, e.Aliases)
	e = one(t, "post-call", m{"id": 766970532})
	require.Equal(t, "766970532", e.ProviderID)
	require.Equal(t, alias, e.Aliases, "an old receipt and a new one of the same call meet by the alias")
	e = one(t, "post-call", m{"id": "CAL1"})
	require.Equal(t, "CAL1", e.ProviderID)
	require.Empty(t, e.Aliases)
}

func TestChanges(t *testing.T) {
	t.Parallel()
	body := callrailfake.Call{ID: "CAL1", StartedAt: start}
	for name, tc := range map[string]struct {
		changes any
		want    []call.Field
	}{
		"names":                 {[]string{"tags", "note", "value"}, []call.Field{call.FieldNote, call.FieldTags, call.FieldValue}},
		"names of the body":     {[]string{"transcription_text", "recording_duration"}, []call.Field{call.FieldRecordings, call.FieldTranscription}},
		"two scores are one":    {[]string{"auto_score", "manual_score"}, []call.Field{call.FieldScores}},
		"objects with a field":  {[]m{{"field": "Tags", "old": []string{"a"}, "new": nil}}, []call.Field{call.FieldTags}},
		"objects with the name": {[]m{{"note": m{"from": "a", "to": ""}}}, []call.Field{call.FieldNote}},
		"one object":            {m{"tags": []string{}, "note": ""}, []call.Field{call.FieldNote, call.FieldTags}},
		"one text":              {"tags, note", []call.Field{call.FieldNote, call.FieldTags}},
		"JSON in text":          {`["tags"]`, []call.Field{call.FieldTags}},
		"unknown":               {[]any{"weather", 17, nil, []any{"note"}}, []call.Field{call.FieldNote}},
		"none":                  {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var doc m
			require.NoError(t, json.Unmarshal(callrailfake.Modified(body), &doc))
			doc["changes"] = tc.changes
			require.Equal(t, tc.want, one(t, "call-modified", doc).Asserted)
		})
	}
	require.Empty(t, one(t, "call-modified", m{"resource_id": "CAL1", "changes": []string{"tags"}}).Asserted, "what the body does not have cannot be cleared by it")
	require.Empty(t, one(t, "call-modified", m{"resource_id": "CAL1", "value": "much", "changes": []string{"value"}}).Asserted, "nor can what is not understood")
	require.Empty(t, one(t, "post-call", m{"resource_id": "CAL1", "tags": nil, "changes": []string{"tags"}}).Asserted)
}

// The story of one call, folded: what the CRM gets to see.
func TestLifeOfACall(t *testing.T) {
	t.Parallel()
	c := talk()
	c.Recording, c.Transcription, c.Tags = false, "", []string{"A"}
	later := func(tags []string, key string) callrailfake.Call {
		x := talk()
		x.Tags, x.AccessKey = tags, key
		return x
	}
	bodies := []struct {
		event string
		body  []byte
	}{
		{"pre-call", callrailfake.PreCall(c)},
		{"routing-complete", callrailfake.RoutingComplete(c)},
		{"post-call", callrailfake.PostCall(c)},
		{"call-modified", callrailfake.Modified(later([]string{"B"}, "key1"), "tags", "recording_duration")},
		{"call-modified", callrailfake.Modified(later([]string{"A"}, "key2"), "tags")},
	}
	var events []call.Event
	for i, b := range bodies {
		e := one(t, b.event, b.body)
		e.ReceiptID, e.ReceivedAt = string(rune('a'+i)), start.Add(time.Duration(i)*time.Minute)
		events = append(events, e)
	}
	want := call.Expectations{Recording: true}
	fold := func(n int) call.Call { return call.Fold(call.Identity{ID: "1", Provider: callrail.ID}, events[:n]) }

	require.Equal(t, call.Live, fold(2).Phase)
	require.Equal(t, call.Ringing, fold(2).Status)

	ended := fold(3)
	require.Equal(t, call.Ended, ended.Phase)
	require.Equal(t, call.Answered, ended.Status)
	require.Equal(t, start.Add(93*time.Second), ended.EndedAt)
	require.Equal(t, "+14155550134", ended.Customer.Number)
	require.Equal(t, "+14155550186", ended.BusinessNumber)
	require.False(t, call.Complete(ended, want))

	all := fold(5)
	require.Equal(t, []string{"A"}, all.Tags)
	require.Len(t, all.Recordings, 1, "a new access key is not a second recording")
	require.True(t, call.Complete(all, want))

	// Post-Call that overtakes the changes takes nothing back.
	events[2].ReceivedAt = start.Add(time.Hour)
	require.Equal(t, []string{"A"}, fold(5).Tags)
	require.Equal(t, all.Recordings, fold(5).Recordings)
}

func TestReplyIsAlwaysSuccess(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "BREW"} {
		reply := callrail.New().Reply(telephony.Request{Method: method, Body: []byte("junk")})
		require.Equal(t, 200, reply.Status)
	}
}
