package deepcall_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
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

type m = map[string]any

var start = time.Date(2026, 3, 1, 15, 4, 5, 0, deepcallfake.Zone)

func settings(config ...string) telephony.Settings {
	s := telephony.Settings{Location: deepcallfake.Zone, Config: map[string]string{}}
	for i := 0; i+1 < len(config); i += 2 {
		s.Config[config[i]] = config[i+1]
	}
	return s
}

func inbound() deepcallfake.Call {
	return deepcallfake.Call{
		ID: "a1b2c3d4e5f60718293a4b5c6d", StartedAt: start, Ring: 12 * time.Second, Talk: 94 * time.Second, Hold: 7 * time.Second,
		Recording: true, Flow: []string{"#2", "#8", "#2", "#9", "HANGUP"}, DTMF: []string{"1", "1"}, HungUpBy: 1, ExitCode: 9, Amount: 1.25,
		Disposition: []string{"Interested", "Call back"},
		Agents: []deepcallfake.Agent{
			{ID: 301, Number: "919811000301", Group: 4, Ring: 8 * time.Second},
			{ID: 302, Number: "919811000302", Group: 4, Ring: 4 * time.Second, Answered: true},
		},
	}
}

func clickToCall() deepcallfake.Call {
	return deepcallfake.Call{
		ID: "b1b2c3d4e5f60718293a4b5c6d", Type: deepcallfake.ClickToCall, StartedAt: start, Ring: 9 * time.Second, Talk: 31 * time.Second,
		Recording: true, RecordingURL: true, RequestID: "rq_1772357645_x",
	}
}

func quick() deepcallfake.Call {
	return deepcallfake.Call{ID: "c1b2c3d4e5f60718293a4b5c6d", Type: deepcallfake.QuickCall, CampaignID: -1, StartedAt: start, Ring: 9 * time.Second, Talk: 31 * time.Second, Recording: true}
}

func campaign() deepcallfake.Call {
	return deepcallfake.Call{
		ID: "d1b2c3d4e5f60718293a4b5c6d", Type: deepcallfake.Campaign, CampaignID: 512, Status: 8, StartedAt: start, Ring: 30 * time.Second, ExitCode: 6,
		Agents: []deepcallfake.Agent{}, ContactID: "90017", Contact: m{"Name": "Asha Example", "Email": "asha@example.com", "policy": "P-17"},
	}
}

// templateNames are the variables that administrators take over from the panel.
var templateNames = []string{
	"callId", "callStatus", "cType", "did", "campId", "userId", "cNumber", "cNumber10", "masterNumCTC", "masterAgent", "masterAgentNumber",
	"ivrSTime", "ivrETime", "ivrDuration", "firstAnswerTime", "lastHangupTime", "talkDuration", "custAnswerSTime", "custAnswerETime",
	"recordings", "recordingDuration", "recordingFileSize", "aH", "aAnsH", "aHDetail", "nHDetail", "exitCode", "hangupReason",
	"HangupBySourceDetected", "callerId", "dialedNumber", "totalCreditsUsed", "currency", "CTC", "callDisposition", "contactId", "DTMF",
	"voiceMail", "errorCode", "errorMessage",
}

func posted(t testing.TB, contentType string, body []byte) telephony.Request {
	r := telephonytest.Post(t, "", string(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

const formType = "application/x-www-form-urlencoded"

func got(query string) telephony.Request {
	return telephony.Request{Method: http.MethodGet, RawQuery: query, Header: http.Header{}, ReceivedAt: start.Add(time.Minute)}
}

func cases(t testing.TB) []telephonytest.Case {
	missed := inbound()
	missed.Status, missed.ExitCode, missed.HungUpBy, missed.Disposition = 4, 0, 0, nil
	missed.Agents = []deepcallfake.Agent{{ID: 301, Number: "919811000301", Ring: 8 * time.Second}, {ID: 301, Number: "919811000301", Ring: 9 * time.Second, Retry: 1}}
	unanswered := clickToCall()
	unanswered.Status = 8
	broadcast := campaign()
	broadcast.Type, broadcast.Status, broadcast.ExitCode = deepcallfake.Broadcast, 5, 18
	jsonType := "application/json"
	list := []telephonytest.Case{
		{Name: "inbound-answered", Request: posted(t, jsonType, deepcallfake.JSON(deepcallfake.Report(inbound())))},
		{Name: "inbound-missed", Request: posted(t, jsonType, deepcallfake.JSON(deepcallfake.Report(missed)))},
		{Name: "click-to-call-answered", Trigger: "push-report-form", Request: posted(t, formType, deepcallfake.Form(deepcallfake.Report(clickToCall())))},
		{Name: "click-to-call-unanswered", Trigger: "push-report-form", Request: posted(t, formType, deepcallfake.Form(deepcallfake.Report(unanswered)))},
		{Name: "quick-call", Request: posted(t, "text/plain", deepcallfake.JSON(deepcallfake.Report(quick())))},
		{Name: "campaign-unanswered", Trigger: "push-report-form", Request: posted(t, formType, deepcallfake.Form(deepcallfake.Report(campaign())))},
		{Name: "broadcast-answered", Request: posted(t, jsonType, deepcallfake.JSON(deepcallfake.Report(broadcast)))},
		{Name: "plain-form", Request: posted(t, formType, deepcallfake.Fields(deepcallfake.Report(inbound())))},
		{Name: "template", Request: posted(t, jsonType, deepcallfake.Template(deepcallfake.Report(inbound()), templateNames...))},
		{Name: "get", Request: got("key=an-admins-secret&" + string(deepcallfake.Fields(deepcallfake.Report(quick()))))},
		{Name: "ping-get", Trigger: "ping", Request: got("")},
		{Name: "ping-head", Trigger: "ping", Request: telephony.Request{Method: http.MethodHead}},
		{Name: "ping-post", Trigger: "ping", Request: posted(t, formType, nil)},
		{Name: "ping-with-something", Trigger: "ping", Request: posted(t, formType, []byte("test=1"))},
		{Name: "template-not-configured", Trigger: "ping", Request: posted(t, formType, []byte("push_report=%7B%7D"))},
		{Name: "template-not-filled-in", Trigger: "ping", Request: posted(t, jsonType, deepcallfake.Template(m{}, templateNames...))},
		{Name: "no-call-id", Request: posted(t, jsonType, []byte(`{"cType":"IBD","callStatus":3,"cNumber":"919811000134"}`))},
		{Name: "not-json", Request: posted(t, formType, []byte("push_report="+url.QueryEscape(`{"callId":"x"`)))},
		{Name: "truncated", Request: posted(t, jsonType, deepcallfake.JSON(deepcallfake.Report(quick()))[:200])},
		{Name: "bad-utf8", Request: posted(t, jsonType, []byte("{\"callId\":\"x\",\"hangupReason\":\"\xe9\"}"))},
	}
	s := settings()
	for i := range list {
		list[i].Settings = &s
	}
	other := settings(deepcall.ConfigUserID, "99999999")
	return append(list, telephonytest.Case{Name: "another-account", Request: list[0].Request, Settings: &other})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	telephonytest.Kit{Provider: deepcall.New(), Cases: cases(t), Dictionary: dictionary(), Unfilled: []string{"{{%%{name}%%}}", "{{ %%other%% }}"}}.Run(t)
}

func FuzzDecode(f *testing.F) { telephonytest.Fuzz(f, deepcall.New(), cases(f)) }

// decode decodes a request that has one event.
func decode(t testing.TB, r telephony.Request, s telephony.Settings) call.Event {
	t.Helper()
	d, err := deepcall.New().Decode(r, s)
	require.NoError(t, err)
	require.Len(t, d.Events, 1, d.Ignored)
	return d.Events[0]
}

// one decodes a report.
func one(t testing.TB, report m, config ...string) call.Event {
	t.Helper()
	if report["callId"] == nil {
		report["callId"] = "c1"
	}
	return decode(t, telephonytest.Post(t, "", string(deepcallfake.JSON(report))), settings(config...))
}

func ptr(n int64) *int64 { return &n }

// DeepCall activates, and goes on serving, only URLs that answer so.
func TestGodBlessYou(t *testing.T) {
	t.Parallel()
	p := deepcall.New()
	bodies := [][]byte{nil, []byte("push_report=%7B%7D"), []byte("junk"), deepcallfake.Form(deepcallfake.Report(inbound()))}
	for _, method := range []string{"GET", "POST", "PUT", "BREW"} {
		for _, body := range bodies {
			require.Equal(t, telephony.Reply{Status: 200, ContentType: "text/plain; charset=utf-8", Body: "GODBLESSYOU"},
				telephony.ReplyTo(p, telephony.Request{Method: method, Body: body}, settings(deepcall.ConfigUserID, "other")))
		}
	}
	head := p.Reply(telephony.Request{Method: "HEAD"})
	require.Equal(t, 200, head.Status)
	require.Empty(t, head.Body)
	require.False(t, p.Signs(settings(deepcall.ConfigUserID, "1")))
	require.NoError(t, p.Verify(telephony.Request{}, settings()))
}

// However a report comes, it says the same.
func TestForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]deepcallfake.Call{"inbound": inbound(), "click-to-call": clickToCall(), "campaign": campaign()} {
		report := deepcallfake.Report(c)
		doc := deepcallfake.JSON(report)
		want := comparable(t, decode(t, posted(t, "application/json", doc), settings()))
		var indented bytes.Buffer
		require.NoError(t, json.Indent(&indented, doc, "", "\t"))
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		require.NoError(t, w.WriteField("push_report", string(doc)))
		require.NoError(t, w.Close())
		slashed := strings.ReplaceAll(strings.ReplaceAll(string(doc), `\`, `\\`), `"`, `\"`)
		quoted, err := json.Marshal(string(doc))
		require.NoError(t, err)
		snake := m{}
		for k, v := range report {
			snake[map[string]string{"callId": "call_id", "callStatus": "Call-Status", "cNumber": "c_number", "aHDetail": "{{%%aHDetail%%}}"}[k]+strings.Repeat(k, tern(k))] = v
		}
		for form, r := range map[string]telephony.Request{
			"JSON under a form's type":       posted(t, formType, doc),
			"JSON without a type":            {Method: "POST", Body: doc},
			"JSON with white space":          posted(t, "application/json", []byte("\xEF\xBB\xBF\r\n"+indented.String()+"\n")),
			"JSON in a list":                 posted(t, "application/json", []byte("["+string(doc)+"]")),
			"JSON as JSON text":              posted(t, "application/json", quoted),
			"push_report":                    posted(t, formType, deepcallfake.Form(report)),
			"push_report under a JSON type":  posted(t, "application/json", deepcallfake.Form(report)),
			"push_report not encoded":        posted(t, formType, []byte("push_report="+string(doc))),
			"push_report with an & and a %":  posted(t, formType, []byte("push_report="+strings.Replace(string(doc), `"callBack":""`, `"callBack":"R&D + 5% \u0026"`, 1))),
			"push_report with slashes":       posted(t, formType, []byte(url.Values{"push_report": {slashed}}.Encode())),
			"push_report twice encoded":      posted(t, formType, []byte(url.Values{"push_report": {string(quoted)}}.Encode())),
			"push_report of many parts":      {Method: "POST", Header: http.Header{"Content-Type": {w.FormDataContentType()}}, Body: form.Bytes()},
			"push_report in the URL":         got(string(deepcallfake.Form(report))),
			"an object push_report":          posted(t, "application/json", deepcallfake.JSON(m{"push_report": report})),
			"text push_report":               posted(t, "application/json", deepcallfake.JSON(m{"push_report": string(doc)})),
			"another wrapper":                posted(t, "application/json", deepcallfake.JSON(m{"data": report})),
			"encoded without a name":         posted(t, formType, []byte(url.QueryEscape(string(doc)))),
			"plain fields":                   posted(t, formType, deepcallfake.Fields(report)),
			"plain fields and brackets":      posted(t, formType, bracketed(report)),
			"plain fields in the URL":        got(string(deepcallfake.Fields(report))),
			"a template's text":              posted(t, "application/json", deepcallfake.Template(report, names(report)...)),
			"a template without quotes":      posted(t, "application/json", unquoted(report, false)),
			"a template that quotes objects": posted(t, "application/json", unquoted(report, true)),
			"names in other spellings":       posted(t, "application/json", deepcallfake.JSON(snake)),
		} {
			require.Equal(t, want, comparable(t, decode(t, r, settings())), "%s: %s", name, form)
		}
	}
}

// tern is 0 for the names that TestForms spells otherwise.
func tern(k string) int {
	switch k {
	case "callId", "callStatus", "cNumber", "aHDetail":
		return 0
	}
	return 1
}

// comparable is an event without the differences that forms make of necessity: numbers as text, among what is kept raw.
func comparable(t *testing.T, e call.Event) string {
	t.Helper()
	attributes := e.Facts.Attributes
	e.Facts.Attributes = nil
	doc, err := json.Marshal(e)
	require.NoError(t, err)
	for _, k := range []string{"callstatus", "ctype", "callstatus_text", "userid", "firstattended"} {
		if v, ok := attributes[k]; ok {
			doc = fmt.Appendf(doc, " %s=%v", k, v)
		}
	}
	return string(doc)
}

func names(report m) []string {
	var out []string
	for k := range report {
		out = append(out, k)
	}
	return out
}

// unquoted is a template whose variables are without quotes, or whose lists and objects are in quotes as they are.
func unquoted(report m, quoted bool) []byte {
	var out []string
	for k, v := range report {
		doc, _ := json.Marshal(v)
		s := string(doc)
		switch {
		case v == nil:
			s = "" // "did": ,
			if quoted {
				s = `"{{%%` + k + `%%}}"`
			}
		case quoted && (s[0] == '[' || s[0] == '{'):
			s = `"` + s + `"`
		}
		out = append(out, fmt.Sprintf("%q: %s", k, s))
	}
	out = append(out, `"unknown": {{%%unknown%%}}`)
	return []byte("{\n" + strings.Join(out, ",\n") + "\n}")
}

// bracketed is a form as PHP's http_build_query writes it: empty lists and null are left out.
func bracketed(report m) []byte {
	doc, _ := json.Marshal(report)
	var plain m
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	_ = d.Decode(&plain)
	out := url.Values{}
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch v := v.(type) {
		case m:
			for k, inner := range v {
				walk(key+"["+k+"]", inner)
			}
		case []any:
			for i, inner := range v {
				walk(fmt.Sprintf("%s[%d]", key, i), inner)
			}
		case nil:
		default:
			out.Set(key, fmt.Sprint(v))
		}
	}
	for k, v := range plain {
		walk(k, v)
	}
	return []byte(out.Encode())
}

func TestManyReports(t *testing.T) {
	t.Parallel()
	a, b := deepcallfake.Report(inbound()), deepcallfake.Report(quick())
	for _, body := range [][]byte{deepcallfake.JSON(m{"push_report": []any{a, b}}), []byte("[" + string(deepcallfake.JSON(a)) + "," + string(deepcallfake.JSON(b)) + "]")} {
		d, err := deepcall.New().Decode(telephonytest.Post(t, "", string(body)), settings())
		require.NoError(t, err)
		require.Len(t, d.Events, 2)
		require.Equal(t, inbound().ID, d.Events[0].ProviderID)
		require.Equal(t, quick().ID, d.Events[1].ProviderID)
		require.Equal(t, 1, d.Events[1].Seq)
	}
	_, err := deepcall.New().Decode(telephonytest.Post(t, "", "["+strings.Repeat(`{"callId":"1"},`, 5000)+"{}]"), settings())
	require.ErrorContains(t, err, "more than 100")
}

// In the URL an administrator's own parameters stand beside DeepCall's.
func TestForeignParametersAreNoFacts(t *testing.T) {
	t.Parallel()
	e := decode(t, got("key=an-admins-secret&Token=t0p?callId=c1&cType=IBD"), settings())
	doc, err := json.Marshal(e)
	require.NoError(t, err)
	require.NotContains(t, string(doc), "secret")
	require.NotContains(t, string(doc), "t0p")
	e = one(t, m{"api_para": m{"from": "9811000302", "token": "t0p-secret", "apiKey": "k3y-secret", "reqId": "r1"}})
	doc, err = json.Marshal(e)
	require.NoError(t, err)
	require.NotContains(t, string(doc), "secret")
}

func TestPlaceholdersAreNotFacts(t *testing.T) {
	t.Parallel()
	report := m{"callId": "c1"}
	for _, n := range append(templateNames, "unheardOf", "aH", "api_para", "ivrExecuteFlow", "lastFirstDuration", "totalHoldDuration") {
		if n != "callId" {
			report[n] = "{{%%" + n + "%%}}"
		}
	}
	report["recordings"] = []any{m{"file": "{{%%recordings%%}}"}}
	report["mixed"] = "Agent {{%% masterAgent %%}}"
	e := one(t, report)
	require.Equal(t, call.Facts{}, e.Facts)
	require.Equal(t, "c1", e.ProviderID)
	e = one(t, m{"note": "100%% of {{it}}", "hangupReason": "{{%%"})
	require.Equal(t, "100%% of {{it}}", e.Facts.Attributes["note"])
}

// PHP writes nothing in many ways.
func TestNothingInPHP(t *testing.T) {
	t.Parallel()
	for _, nothing := range []any{nil, "", "null", "[]", "{}", []any{}, m{}, " "} {
		report := m{"callId": "c1"}
		for _, n := range []string{
			"masterAgent", "masterAgentNumber", "masterGroupId", "cNumber", "did", "masterNumCTC", "recordings", "contactListData", "cliArr",
			"callDisposition", "callBack", "ivrExecuteFlow", "aH", "aHDetail", "nHDetail", "DTMF", "voiceMail", "talkDuration", "exitCode", "ivrSTime",
			"totalCreditsUsed", "api_para", "firstAttended",
		} {
			report[n] = nothing
		}
		require.Equal(t, call.Facts{}, one(t, report).Facts, "%v", nothing)
	}
	f := one(t, m{"masterAgent": 0, "masterGroupId": "0", "campId": 0, "ivrSTime": "0000-00-00 00:00:00", "aH": []any{0, "-1"}, "cNumber": "0", "forward": "false"}).Facts
	require.Empty(t, f.Agents)
	require.Empty(t, f.Campaign.ID)
	require.Empty(t, f.Queue)
	require.Zero(t, f.StartedAt)
	require.Empty(t, f.Customer)
	require.Equal(t, "false", f.Attributes["forward"])
}

func TestNumbersAndText(t *testing.T) {
	t.Parallel()
	for _, v := range []any{15, "15", " 15 ", 15.0, "15.0"} {
		f := one(t, m{"talkDuration": v, "callStatus": v, "campId": v, "masterAgent": v, "exitCode": v, "cType": "OBD"}).Facts
		require.EqualValues(t, 15, *f.TalkSeconds)
		require.Equal(t, call.Failed, f.Status)
		require.Equal(t, "Cust. Failed", f.Attributes["callstatus_text"])
		require.Equal(t, "Invalid API Parameter", f.HangupCause)
	}
	e := decode(t, telephonytest.Post(t, "", `{"callId":98765432109876543210,"cNumber":919811000134,"campId":"x-1"}`), settings())
	require.Equal(t, "98765432109876543210", e.ProviderID, "ids are text")
	require.Equal(t, "+919811000134", e.Facts.Customer.Number)
	require.Equal(t, "x-1", e.Facts.Campaign.ID)
	require.Equal(t, "often", one(t, m{"talkDuration": "often"}).Facts.Attributes["talkduration"])
}

func TestAccount(t *testing.T) {
	t.Parallel()
	ours := []string{deepcall.ConfigUserID, " 81234567 "}
	require.NotEmpty(t, one(t, m{"userId": 81234567}, ours...))
	require.NotEmpty(t, one(t, m{"userId": "81234567"}, ours...))
	require.NotEmpty(t, one(t, m{"cType": "IBD"}, ours...), "a template may leave it out")
	require.NotEmpty(t, one(t, m{"userId": "1"}), "without a setting nothing is checked")
	for _, other := range []m{{"userId": "87654321"}, {"api_para": m{"userId": "87654321"}}} {
		other["callId"] = "c1"
		_, err := deepcall.New().Decode(telephonytest.Post(t, "", string(deepcallfake.JSON(other))), settings(ours...))
		var u *telephony.UnreadableError
		require.ErrorAs(t, err, &u)
		require.Equal(t, "field userId", u.Where)
		require.NotContains(t, err.Error()+u.Public, "87654321")
	}
}

// The report is the last that DeepCall says, so nothing is waited for, whatever the source's settings.
func TestNothingMoreComes(t *testing.T) {
	t.Parallel()
	c := inbound()
	c.Recording, c.Disposition = false, nil
	for _, report := range []m{deepcallfake.Report(c), deepcallfake.Report(inbound()), {"callStatus": 3}} {
		e := one(t, report)
		require.Equal(t, call.CallEnded, e.Kind)
		e.ReceiptID, e.ReceivedAt = "r", start.Add(time.Hour)
		folded := call.Fold(call.Identity{ID: "1", Provider: deepcall.ID}, []call.Event{e})
		require.Equal(t, call.Ended, folded.Phase)
		require.Equal(t, call.Answered, folded.Status)
		require.True(t, call.Complete(folded, call.Expectations{Recording: true, Transcription: true, Disposition: true}))
	}
}

// The same report again changes nothing, in whatever form it comes.
func TestRepetition(t *testing.T) {
	t.Parallel()
	report := deepcallfake.Report(clickToCall())
	a := decode(t, posted(t, formType, deepcallfake.Form(report)), settings())
	b := decode(t, posted(t, "application/json", deepcallfake.JSON(report)), settings())
	a.ReceiptID, a.ReceivedAt = "a", start.Add(time.Minute)
	b.ReceiptID, b.ReceivedAt = "b", start.Add(2*time.Minute)
	who := call.Identity{ID: "1", Provider: deepcall.ID}
	require.True(t, call.SameState(call.Fold(who, []call.Event{a}), call.Fold(who, []call.Event{a, b})))
}

// Not published: a call under way. It must not end the call, and a report of little must.
func TestLive(t *testing.T) {
	t.Parallel()
	require.Equal(t, call.CallRinging, one(t, m{"callStatus": 1, "cType": "IBD"}).Kind)
	require.Equal(t, call.CallRinging, one(t, m{"callStatus": "2"}).Kind)
	require.Equal(t, call.CallRinging, one(t, m{"callLiveStatus": 1}).Kind)
	live := one(t, m{"callLiveStatus": 3, "firstAnswerTime": "2026-03-01 15:04:17"})
	require.Equal(t, call.CallAnswered, live.Kind)
	require.Empty(t, live.Outlook)
	for _, ended := range []m{
		{"callStatus": 3}, {"cNumber": "919811000134"}, {"callStatus": 1, "ivrETime": "2026-03-01 15:04:17"}, {"callStatus": 2, "exitCode": 9},
		{"callStatus": 3, "callLiveStatus": 4}, {"callLiveStatus": 4, "lastHangupTime": "2026-03-01 15:04:17"}, {"callStatus": 99, "callLiveStatus": 1},
		{"callStatus": "1.5"}, {"callStatus": "soon"},
	} {
		require.Equal(t, call.CallEnded, one(t, maps.Clone(ended)).Kind, "%v", ended)
	}
}

func TestCheckConfig(t *testing.T) {
	t.Parallel()
	check := func(base string) error {
		return deepcall.New().CheckConfig(map[string]string{deepcall.ConfigRecordingBase: base})
	}
	for _, good := range []string{"", "none", deepcall.DefaultRecordingBase, "https://ctv1.example/telephony/{userId}{path*}", "http://10.0.0.1:8080/x"} {
		require.NoError(t, check(good), good)
	}
	for _, bad := range []string{"s-ct3.example/direct", "ftp://x/{path}", "javascript:alert(1)", "https://", "{path}"} {
		var p telephony.ConfigProblems
		require.ErrorAs(t, check(bad), &p, bad)
		require.Equal(t, deepcall.ConfigRecordingBase, p[0].Setting)
	}
}
