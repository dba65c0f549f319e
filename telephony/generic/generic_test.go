package generic_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/generic"
	"github.com/callsync/callsync/telephony/generic/genericfake"
	"github.com/callsync/callsync/telephony/telephonytest"
)

var start = time.Date(2026, 3, 1, 15, 4, 5, 0, time.UTC)

func talk() genericfake.Call {
	return genericfake.Call{
		ID: "CA77", CustomerName: "Ada Example", StartedAt: start, Ring: 8 * time.Second, Talk: 85 * time.Second, Answered: true,
		RecordingID: "RE1", RecordingURL: "https://pbx.example.com/rec/RE1?key=abc", Queue: "Sales", Note: "Call back on Monday.",
		Tags: []string{"roof", "vip"}, Disposition: "Sale", AgentEmail: "bo@example.com",
	}
}

func settings(mapping string) *telephony.Settings {
	return &telephony.Settings{Config: map[string]string{"mapping": mapping}, DefaultCountry: "US", Location: time.UTC, OwnNumbers: []string{"+14155550186"}}
}

func cases(t testing.TB) []telephonytest.Case {
	post := func(body []byte) telephony.Request { return telephonytest.Post(t, "", string(body)) }
	get := post(nil)
	get.Method, get.RawQuery = http.MethodGet, string(genericfake.FormStatus(talk(), "completed"))
	multi := post([]byte("--b\r\nContent-Disposition: form-data; name=\"CallSid\"\r\n\r\nCA9\r\n--b\r\nContent-Disposition: form-data; name=\"CallStatus\"\r\n\r\nno-answer\r\n--b--\r\n"))
	multi.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	missed, out := talk(), talk()
	missed.Answered, missed.RecordingURL, missed.RecordingID, missed.Recorded = false, "", "", false
	out.Outbound, out.RecordingURL, out.Recorded = true, "", true
	form, js := settings(genericfake.FormMapping), settings(genericfake.JSONMapping)
	return []telephonytest.Case{
		{Name: "no-mapping", Request: post(genericfake.FormStatus(talk(), "completed"))},
		{Name: "broken-mapping", Request: post(genericfake.FormStatus(talk(), "completed")), Settings: settings("format: 1\nevents:\n  - id: (\n")},
		{Name: "form-ringing", Request: post(genericfake.FormStatus(talk(), "ringing")), Settings: form},
		{Name: "form-in-progress", Request: post(genericfake.FormStatus(talk(), "in-progress")), Settings: form},
		{Name: "form-completed", Request: post(genericfake.FormStatus(talk(), "completed")), Settings: form},
		{Name: "form-no-answer-outbound", Request: post(genericfake.FormStatus(out, "no-answer")), Settings: form},
		{Name: "form-recording", Request: post(genericfake.FormRecording(talk(), "completed")), Settings: form},
		{Name: "form-recording-absent", Request: post(genericfake.FormRecording(missed, "absent")), Settings: form},
		{Name: "form-transcription", Request: post([]byte("CallSid=CA77&TranscriptionSid=TR1&TranscriptionStatus=completed&TranscriptionText=Hello+there")), Settings: form},
		{Name: "form-message", Request: post(genericfake.FormMessage("SM1", "Hello", "https://example.com/a.jpg")), Settings: form},
		{Name: "form-get", Request: get, Settings: form},
		{Name: "form-multipart", Request: multi, Settings: form},
		{Name: "form-as-json", Request: post([]byte(`{"CallSid ":"CA78","callstatus":"completed","CallDuration":15,"Direction":"inbound","From":"(415) 555-0134","Timestamp":"Sun, 01 Mar 2026 15:04:05 +0000"}`)), Settings: form},
		{Name: "form-unknown-status", Request: post([]byte("CallSid=CA1&CallStatus=on-fire")), Settings: form},
		{Name: "form-no-id", Request: post([]byte("CallStatus=completed")), Settings: form},
		{Name: "json-ring", Request: post(genericfake.JSONCall(talk(), "ring")), Settings: js},
		{Name: "json-answer", Request: post(genericfake.JSONCall(talk(), "answer")), Settings: js},
		{Name: "json-hangup", Request: post(genericfake.JSONCall(talk(), "hangup")), Settings: js},
		{Name: "json-hangup-missed", Request: post(genericfake.JSONCall(missed, "hangup")), Settings: js},
		{Name: "json-hangup-outbound-announced", Request: post(genericfake.JSONCall(out, "hangup")), Settings: js},
		{Name: "json-update", Request: post(genericfake.JSONCall(talk(), "update", "notes", "labels", "outcome", "colour")), Settings: js},
		{Name: "json-text-received", Request: post(genericfake.JSONText("M1", false, "Hello", start)), Settings: js},
		{Name: "json-text-sent", Request: post(genericfake.JSONText("M2", true, "Hi", start)), Settings: js},
		{Name: "json-form", Request: post(genericfake.JSONForm("F1", map[string]any{"Your name": "Ada Example", "E-mail": "ada@example.com", "Phone": "415 555 0134", "Colour": "red"}, start)), Settings: js},
		{Name: "json-strange-values", Request: post([]byte(`{"event":"hangup","sent_at":"soon","call":{"id":98765432109876543210,"direction":"sideways","result":"EXPLODED","talk":"a while","ring":null,"menu":"{\"name\":\"Main\"}","legs":{"ext":7},"digits":"1,2","contact-id":null}}`)), Settings: js},
		{Name: "json-in-text", Request: post([]byte("event=hangup&call=" + `%7B%22id%22%3A%22X1%22%2C%22result%22%3A%22ANSWER%22%2C%22mood%22%3A%22fine%22%7D`)), Settings: js},
		{Name: "empty", Request: post(nil), Settings: js},
		{Name: "not-json", Request: post([]byte(`{"event":"ring",}`)), Settings: js},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	telephonytest.Kit{Provider: generic.New(), Cases: cases(t), Unfilled: []string{"{{{name}}}", "${{name}}"}}.Run(t)
}

// The two phone systems of the guide, whole calls folded.
func TestWholeCalls(t *testing.T) {
	t.Parallel()
	p := generic.New()
	fold := func(s *telephony.Settings, bodies ...[]byte) call.Call {
		var all []call.Event
		for i, body := range bodies {
			d, err := p.Decode(telephonytest.Post(t, "", string(body)), *s)
			require.NoError(t, err)
			for _, e := range d.Events {
				e.ReceiptID, e.ReceivedAt = string(rune('a'+i)), start.Add(time.Duration(i)*time.Minute)
				all = append(all, e)
			}
		}
		return call.Fold(call.Identity{ID: "c"}, all)
	}
	form := settings(genericfake.FormMapping)
	c := fold(form, genericfake.FormStatus(talk(), "ringing"), genericfake.FormStatus(talk(), "in-progress"))
	require.Equal(t, call.InProgress, c.Status)
	require.Equal(t, call.Live, c.Phase)
	c = fold(form, genericfake.FormStatus(talk(), "completed"), genericfake.FormStatus(talk(), "ringing"), genericfake.FormRecording(talk(), "completed"))
	require.Equal(t, call.Answered, c.Status)
	require.Equal(t, start, c.StartedAt)
	require.Equal(t, "+14155550134", c.Customer.Number)
	require.Len(t, c.Recordings, 1)

	js := settings(genericfake.JSONMapping)
	cleared := talk()
	cleared.Note = ""
	c = fold(js, genericfake.JSONCall(talk(), "ring"), genericfake.JSONCall(talk(), "hangup"),
		genericfake.JSONCall(talk(), "update", "notes", "labels"), genericfake.JSONCall(cleared, "update", "notes"))
	require.Equal(t, call.Answered, c.Status)
	require.EqualValues(t, 85, *c.TalkSeconds)
	require.EqualValues(t, 93, *c.DurationSeconds)
	require.Empty(t, c.Note, "a note that is taken away is gone")
	require.Equal(t, []string{"roof", "vip"}, c.Tags, "what was not named has not been cleared")
	require.Len(t, c.Agents, 2)
	require.Equal(t, []call.Alias{{Kind: "linked", Value: "L-CA77"}}, c.Aliases)
}

// one decodes a request that has one event.
func one(t *testing.T, mapping string, body string) call.Event {
	t.Helper()
	require.NoError(t, generic.Check(map[string]string{"mapping": mapping}))
	d, err := generic.New().Decode(telephonytest.Post(t, "hangup", body), *settings(mapping))
	require.NoError(t, err)
	require.Len(t, d.Events, 1, d.Ignored)
	return d.Events[0]
}

const head = "format: 1\nevents:\n  - kind: call.ended\n    id: id\n"

func TestUnreadValuesAreKept(t *testing.T) {
	t.Parallel()
	e := one(t, head+"    fields:\n      status: state\n      talk_seconds: data.talk\n      note: legs[0].note\n      department: call.queue\n      hangup_by: call.state\n      queue: 'size > 3 ? \"big\" : \"small\"'\n",
		`{"id":"1","state":"exploded","size":7,"data":{"talk":"long","mood":"fine"},"legs":[{"note":"n","ext":"1"},{"ext":"2"}],"x":{"y":[1]},"call":{"state":"?","queue":"Q","legs":["x"],"none":{}}}`)
	require.Empty(t, e.Facts.Status)
	require.Nil(t, e.Facts.TalkSeconds)
	require.Equal(t, "n", e.Facts.Note)
	require.Equal(t, "big", e.Facts.Queue)
	require.Equal(t, "Q", e.Facts.Department)
	require.Equal(t, map[string]any{
		"state": "exploded", "size": json.Number("7"), "data": map[string]any{"talk": "long", "mood": "fine"}, "call.legs": []any{"x"},
		"legs": []any{map[string]any{"ext": "1"}, map[string]any{"ext": "2"}}, "x": map[string]any{"y": []any{json.Number("1")}},
		generic.NoteAttribute: []string{
			"events[0].fields.status: The word is no status that is known; say what it means with status(value, {…}).",
			"events[0].fields.talk_seconds: The value is no duration such as 83, 01:23 or 1m 23s.",
		},
	}, e.Facts.Attributes)
}

func TestWhatCannotBeReadIsNotAsserted(t *testing.T) {
	t.Parallel()
	doc := head + "    fields:\n      value.amount: worth\n      note: note\n    asserted: [value, note, tags]\n"
	require.Equal(t, []call.Field{"note", "tags"}, one(t, doc, `{"id":"1","worth":"a lot"}`).Asserted)
	require.Equal(t, []call.Field{"note", "tags", "value"}, one(t, doc, `{"id":"1","worth":"12.50"}`).Asserted)
	named := head + "    asserted: changed\n"
	require.Equal(t, []call.Field{"note", "tags"}, one(t, named, `{"id":"1","changed":["tags","Note","colour","tags"]}`).Asserted)
	require.Empty(t, one(t, named, `{"id":"1"}`).Asserted)
}

func TestZerosOfALiveCallAreNoFacts(t *testing.T) {
	t.Parallel()
	doc := "format: 1\nevents:\n  - {kind: 'last ? \"call.ended\" : \"call.ringing\"', id: id, fields: {talk_seconds: talk, duration_seconds: talk}}"
	live, ended := one(t, doc, `{"id":"1","talk":0,"last":false}`), one(t, doc, `{"id":"1","talk":"0","last":true}`)
	require.Nil(t, live.Facts.TalkSeconds)
	require.Nil(t, live.Facts.DurationSeconds)
	require.EqualValues(t, 0, *ended.Facts.TalkSeconds)
}

func TestMomentsAreInYearsOfCalls(t *testing.T) {
	t.Parallel()
	doc := head + "    fields:\n      started_at: 'time(at, \"DD/MM/YYYY\")'\n      ended_at: end\n"
	e := one(t, doc, `{"id":"1","at":"01/03/5026","end":"0001-01-01 00:00:00"}`)
	require.Zero(t, e.Facts.StartedAt)
	require.Zero(t, e.Facts.EndedAt)
	require.Equal(t, "01/03/5026", e.Facts.Attributes["at"], "what is no moment is kept")
	require.Equal(t, 2026, one(t, doc, `{"id":"1","at":"01/03/2026"}`).Facts.StartedAt.Year())
}

func TestPlaceholdersOfTemplatesAreAbsent(t *testing.T) {
	t.Parallel()
	e := one(t, head+"    fields:\n      note: note\n      tags: tags\n", `{"id":"1","note":"{{call.note}}","tags":["${tag}","a"],"other":"{{%%x%%}}","real":"{{ a }} and {{ b }}x"}`)
	require.Empty(t, e.Facts.Note)
	require.Equal(t, []string{"a"}, e.Facts.Tags)
	require.Equal(t, map[string]any{"real": "{{ a }} and {{ b }}x"}, e.Facts.Attributes)
}

func TestEveryRuleThatAppliesMakesAnEvent(t *testing.T) {
	t.Parallel()
	doc := "format: 1\nevents:\n  - {kind: call.ended, id: id}\n  - {kind: disposition.set, id: id, when: outcome != nil, fields: {disposition.value: outcome}}\n  - {kind: call.updated, id: id, when: changed}\n"
	d, err := generic.New().Decode(telephonytest.Post(t, "", `{"id":1,"outcome":"Sale","changed":"no"}`), *settings(doc))
	require.NoError(t, err)
	require.Len(t, d.Events, 2)
	require.Equal(t, call.DispositionSet, d.Events[1].Kind)
	require.Equal(t, 1, d.Events[1].Seq)
}

func TestRequestItself(t *testing.T) {
	t.Parallel()
	r := telephonytest.Post(t, "Hang-Up", `{"request":"r","call-id":"7"}`)
	r.RawQuery = "branch=north"
	r.Header.Set("X-Kind", "final")
	doc := "format: 1\nevents:\n  - {kind: call.ended, id: 'request.fields[\"call-id\"]', when: 'request.event == \"Hang-Up\" and request.header[\"x-kind\"] == \"final\"', " +
		"fields: {queue: request.query.branch, note: request.fields.request, started_at: request.received_at, hangup_by: request.method}}"
	d, err := generic.New().Decode(r, *settings(doc))
	require.NoError(t, err)
	require.Equal(t, "7", d.Events[0].ProviderID)
	x := d.Events[0].Facts
	require.Equal(t, []string{"north", "r", "POST"}, []string{x.Queue, x.Note, x.HangupBy})
	require.Equal(t, r.ReceivedAt, x.StartedAt)
	require.Nil(t, x.Attributes)
}

func TestNumbersAndOwnNumbers(t *testing.T) {
	t.Parallel()
	doc := head + "    fields:\n      direction: 'own(from) ? \"outbound\" : \"inbound\"'\n      customer.number: 'own(from) ? to : from'\n      business_number: 'own(from) ? from : to'\n      agents[0].number: agent\n      agents[1].number: other\n"
	e := one(t, doc, `{"id":"1","from":"415-555-0186","to":"anonymous","agent":"4155550199","other":"204"}`)
	require.Equal(t, call.Outbound, e.Facts.Direction)
	require.Equal(t, call.Party{RawNumber: "anonymous"}, e.Facts.Customer)
	require.Equal(t, "+14155550186", e.Facts.BusinessNumber)
	require.Equal(t, "415-555-0186", e.Facts.BusinessRawNumber)
	require.Equal(t, []call.Agent{{Number: "+14155550199"}, {Number: "204"}}, e.Facts.Agents)
}

func TestLegsWithoutAMapKeepWhatHasNoPlace(t *testing.T) {
	t.Parallel()
	e := one(t, head+"    fields:\n      agents: legs\n      recordings: files\n",
		`{"id":"1","legs":[{"Name":"Ann","status":"NO ANSWER","mood":"fine"},{"name":"","status":""}],"files":"[{\"url\":\"https://x.example/1\"},{\"state\":\"processing\"}]"}`)
	require.Equal(t, []call.Agent{{Name: "Ann", Status: call.AgentMissed}}, e.Facts.Agents)
	require.Equal(t, []call.Recording{{URL: "https://x.example/1", State: call.RecordingAvailable}, {State: call.RecordingExpected}}, e.Facts.Recordings)
	require.Contains(t, e.Facts.Attributes, "legs")
	require.NotContains(t, e.Facts.Attributes, "files")
}

func TestTooMuchWorkIsUnreadable(t *testing.T) {
	t.Parallel()
	list := "[" + strings.TrimSuffix(strings.Repeat(`"abcdefghij",`, 900), ",") + "]"
	for _, expr := range []string{
		`let a = note + note; let b = a + a; let c = b + b; let d = c + c; let e = d + d; e + e + e + e`,
		`join(map(list, join(map(list, #))))`,
		`count(list, any(list, # == "x" and any(list, # == "y")))`,
		`replace(note, "n", note)`,
		`count(list, note matches "(a*)*b(x|y|z)*$")`,
		`map(list, phone("+14155550101"))`,
	} {
		doc := head + "    fields: {note: '" + expr + "'}\n"
		require.NoError(t, generic.Check(map[string]string{"mapping": doc}), expr)
		began := time.Now()
		_, err := generic.New().Decode(telephonytest.Post(t, "", `{"id":"1","note":"`+strings.Repeat("n", 1<<20)+`","list":`+list+`}`), *settings(doc))
		var u *telephony.UnreadableError
		require.ErrorAs(t, err, &u, expr)
		require.Equal(t, "mapping, events[0].fields.note", u.Where)
		require.Contains(t, u.Public, "too much work")
		require.Less(t, time.Since(began), 30*time.Second, expr)
	}
	// A list that is in many places of another is far larger than the expression that made it.
	doc := head + "    fields: {lead_fields: 'let a = [1,2,3,4]; let b = [a,a,a,a]; let c = [b,b,b,b]; let d = [c,c,c,c]; let e = [d,d,d,d]; let f = [e,e,e,e]; let g = [f,f,f,f]; let h = [g,g,g,g]; let i = [h,h,h,h]; let j = [i,i,i,i]; {\"x\": [j,j,j,j]}'}\n"
	_, err := generic.New().Decode(telephonytest.Post(t, "", `{"id":"1"}`), *settings(doc))
	require.ErrorContains(t, err, "too much work")
}

func TestErrorsOfRulesNameTheRuleAndNoValue(t *testing.T) {
	t.Parallel()
	for doc, where := range map[string]string{
		"format: 1\nevents:\n  - {kind: call.ended, id: id, when: state}":              "mapping, events[0].when",
		"format: 1\nevents:\n  - {kind: 'lower(state)', id: id}":                       "mapping, events[0].kind",
		"format: 1\nevents:\n  - {kind: call.ended, id: nothing}":                      "mapping, events[0].id",
		"format: 1\nevents:\n  - {kind: call.ended, id: list}":                         "mapping, events[0].id",
		"format: 1\nevents:\n  - {kind: call.ended, id: id, aliases: {a: list}}":       "mapping, events[0].aliases.a",
		"format: 1\nmessages:\n  - {kind: message.sent, id: id, when: 'list < state'}": "mapping, messages[0].when",
		"format: 1\nforms:\n  - {id: nothing}":                                         "mapping, forms[0].id",
	} {
		require.NoError(t, generic.Check(map[string]string{"mapping": doc}))
		_, err := generic.New().Decode(telephonytest.Post(t, "", `{"id":"1","state":"SECRET","list":[1,2]}`), *settings(doc))
		var u *telephony.UnreadableError
		require.ErrorAs(t, err, &u, doc)
		require.Equal(t, where, u.Where, doc)
		require.NotContains(t, u.Public+err.Error(), "SECRET")
	}
}

// Both examples, with requests of both and of neither.
func FuzzDecode(f *testing.F) {
	p := generic.New()
	asForm := false
	telephonytest.AddSeeds(f, cases(f), func(method, _, query string, body []byte, name, value string) {
		asForm = !asForm
		f.Add(method, query, body, name, value, asForm)
	})
	form, js := settings(genericfake.FormMapping), settings(genericfake.JSONMapping)
	f.Fuzz(func(t *testing.T, method, query string, body []byte, name, value string, asForm bool) {
		s := js
		if asForm {
			s = form
		}
		r := telephony.Request{Method: method, RawQuery: query, Header: http.Header{}, Body: telephonytest.SetField(body, name, value), ReceivedAt: start}
		telephonytest.TryDecode(t, p, r, *s)
	})
}

// Any document either has problems or decodes without harm.
func FuzzMapping(f *testing.F) {
	f.Add(genericfake.FormMapping)
	f.Add(genericfake.JSONMapping)
	f.Add("format: 1\nevents:\n  - {kind: call.ended, id: 'call.id', fields: {note: {path: 'a[0].b'}, tags: {const: [a, 1]}}, asserted: [note]}")
	p := generic.New()
	r := telephony.Request{Method: http.MethodPost, Header: http.Header{}, Body: genericfake.JSONCall(talk(), "hangup"), ReceivedAt: start}
	f.Fuzz(func(t *testing.T, doc string) {
		s := settings(doc)
		err := generic.Check(s.Config)
		if err == nil {
			telephonytest.TryDecode(t, p, r, *s)
			return
		}
		require.NotEmpty(t, err.Error())
		_, err = p.Decode(r, *s)
		require.Error(t, err)
	})
}
