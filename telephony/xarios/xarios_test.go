package xarios_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/telephonytest"
	"github.com/callsync/callsync/telephony/xarios"
	"github.com/callsync/callsync/telephony/xarios/xariosfake"
)

var start = time.Date(2026, 7, 1, 14, 4, 5, 0, time.UTC)

func talk() xariosfake.Call {
	return xariosfake.Call{
		ID: "0f6a2b1e-6a55-4e0e-9c7e-1b2c3d4e5f60", StartedAt: start, Duration: 95 * time.Second, Ring: 12 * time.Second, Talk: 80 * time.Second, Hold: 3 * time.Second,
		Answered: true, Group: "Sales", CustomerName: "EXAMPLE LTD", First: xariosfake.Person{Ext: "301", Name: "Ann Example"},
		Recordings: []string{"6f1b8a52-11c4-4d29-8c0e-0d7f6c0b1a01", "6f1b8a52-11c4-4d29-8c0e-0d7f6c0b1a02"},
		Contacts:   []xariosfake.Contact{{Name: "Carl Customer", Company: "Example Ltd", Email: "carl@example.com", Phone: "+441632960001", CRMID: "0035g00000ABCDE"}},
		Tags:       map[string]string{"Support": "step1", "VIP": ""}, Cost: "5E-05", Custom: map[string]string{"hook": "post call", "token": "S3cret+Token"},
	}
}

func lost() xariosfake.Call {
	return xariosfake.Call{ID: "0f6a2b1e-6a55-4e0e-9c7e-1b2c3d4e5f61", StartedAt: start, Duration: 10 * time.Second, Ring: 10 * time.Second}
}

func settings(config ...string) telephony.Settings {
	s := telephony.Settings{Location: time.UTC, Config: map[string]string{}, Secrets: map[string]string{}}
	for i := 0; i+1 < len(config); i += 2 {
		s.Config[config[i]] = config[i+1]
	}
	return s
}

func get(query string) telephony.Request {
	return telephony.Request{Method: http.MethodGet, RawQuery: query, Header: http.Header{}, ReceivedAt: start}
}

func post(t testing.TB, body []byte) telephony.Request {
	return telephonytest.Post(t, "", string(body))
}

func cases(t testing.TB) []telephonytest.Case {
	put := post(t, xariosfake.JSON(talk()))
	put.Method = http.MethodPut
	multi := post(t, nil)
	body, contentType := xariosfake.Multipart(talk(), xariosfake.Brackets)
	multi.Body = []byte(body)
	multi.Header.Set("Content-Type", contentType)
	internal := lost()
	internal.Dir, internal.Type = xariosfake.DirInternal, xariosfake.TypeInternal
	outgoing := talk()
	outgoing.Dir = xariosfake.DirOutgoing
	busy := lost()
	busy.Dir, busy.Cause = xariosfake.DirOutgoing, "USER_BUSY"
	transferred := talk()
	transferred.Last = xariosfake.Person{Ext: "305", Name: "Lee Example"}
	linked := settings("recording_link", "https://portal.example.com/{tenant_id}/recordings/{recording_id}")
	kept := settings("internal_calls", "keep")
	return []telephonytest.Case{
		{Name: "answered", Request: post(t, xariosfake.JSON(talk()))},
		{Name: "lost", Request: post(t, xariosfake.JSON(lost()))},
		{Name: "put-with-recording-links", Request: put, Settings: &linked},
		{Name: "outgoing", Request: post(t, xariosfake.JSON(outgoing))},
		{Name: "outgoing-busy", Request: post(t, xariosfake.JSON(busy))},
		{Name: "transferred", Request: post(t, xariosfake.JSON(transferred))},
		{Name: "internal-skipped", Request: post(t, xariosfake.JSON(internal))},
		{Name: "internal-kept", Request: post(t, xariosfake.JSON(internal)), Settings: &kept},
		{Name: "form-dots", Trigger: "cdr-form", Request: post(t, []byte(xariosfake.Form(talk(), xariosfake.Dots)))},
		{Name: "form-brackets", Trigger: "cdr-form", Request: post(t, []byte(xariosfake.Form(talk(), xariosfake.Brackets)))},
		{Name: "form-text", Trigger: "cdr-form", Request: post(t, []byte(xariosfake.Form(talk(), xariosfake.Text)))},
		{Name: "form-bare", Trigger: "cdr-form", Request: post(t, []byte(xariosfake.Form(talk(), xariosfake.Bare)))},
		{Name: "multipart", Trigger: "cdr-form", Request: multi},
		{Name: "get", Request: get(xariosfake.Form(talk(), xariosfake.Dots))},
		{Name: "empty", Request: post(t, nil)},
		{Name: "no-cdr", Request: post(t, []byte(`{"triggerId":"1","id":"2","tenantId":"3"}`))},
		{Name: "no-session-id", Request: post(t, []byte(`{"id":"2","cdr":{"dir":2}}`))},
		// As in the vendor's own example, an object is not closed.
		{Name: "not-json", Request: post(t, []byte(`{"cdr":{"id":"1","directoryMatches":[{"fields":{"fullName":"A"}],"tags":{}}}`))},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	telephonytest.Kit{Provider: xarios.New(), Cases: cases(t), Dictionary: dictionary()}.Run(t)
}

func FuzzDecode(f *testing.F) { telephonytest.Fuzz(f, xarios.New(), cases(f)) }

func decode(t *testing.T, r telephony.Request, s telephony.Settings) call.Event {
	t.Helper()
	d, err := xarios.New().Decode(r, s)
	require.NoError(t, err)
	require.Len(t, d.Events, 1, d.Ignored)
	return d.Events[0]
}

type m = map[string]any

// one decodes call data as JSON; an id is added if there is none.
func one(t *testing.T, cdr m, config ...string) call.Event {
	t.Helper()
	if _, ok := cdr["id"]; !ok {
		cdr["id"] = "s1"
	}
	doc, err := json.Marshal(m{"triggerId": "t1", "id": "e1", "tenantId": "n1", "cdr": cdr})
	require.NoError(t, err)
	return decode(t, post(t, doc), settings(config...))
}

// However it is flattened, the same call says the same.
func TestFlattenings(t *testing.T) {
	t.Parallel()
	want := decode(t, post(t, xariosfake.JSON(talk())), settings())
	// Numbers are text in a form, and the entity's id has no name of its own beside bare call data.
	same := func(t *testing.T, got call.Event, bare bool) {
		t.Helper()
		a, b := want, got
		if bare {
			require.NotContains(t, b.Facts.Attributes, "entityid")
			require.Contains(t, b.Facts.Attributes, "tenantid")
		}
		x, err := json.Marshal(a.Facts.Attributes)
		require.NoError(t, err)
		y, err := json.Marshal(b.Facts.Attributes)
		require.NoError(t, err)
		unquoted := func(doc []byte) string {
			return strings.NewReplacer(`":"1"`, `":1`, `":"2"`, `":2`).Replace(string(doc))
		}
		if !bare {
			require.JSONEq(t, unquoted(x), unquoted(y))
		}
		a.Facts.Attributes, b.Facts.Attributes = nil, nil
		require.Equal(t, a, b)
	}
	for _, style := range []xariosfake.Style{xariosfake.Dots, xariosfake.Brackets, xariosfake.Text, xariosfake.Bare} {
		t.Run(string(style), func(t *testing.T) {
			form := xariosfake.Form(talk(), style)
			same(t, decode(t, post(t, []byte(form)), settings()), style == xariosfake.Bare)
			same(t, decode(t, get(form), settings()), style == xariosfake.Bare)
			same(t, decode(t, get("who=admin?"+form), settings()), style == xariosfake.Bare)
			body, contentType := xariosfake.Multipart(talk(), style)
			r := post(t, body)
			r.Header.Set("Content-Type", contentType)
			same(t, decode(t, r, settings()), style == xariosfake.Bare)
			r.Header.Set("Content-Type", "text/plain")
			r.Method = http.MethodPut
			same(t, decode(t, r, settings()), style == xariosfake.Bare)
		})
	}
}

func TestListsInForms(t *testing.T) {
	t.Parallel()
	for _, ids := range []string{
		"cdr.recordingIds=a&cdr.recordingIds=b", "cdr.recordingIds[0]=a&cdr.recordingIds[1]=b", "cdr[recordingIds][]=a&cdr[recordingIds][]=b",
		"cdr.recordingIds=a,b", "cdr.recordingIds=%5B%22a%22,%22b%22%5D", "cdr[recordingIds]=a&cdr[recordingIds]=b", "CDR.RecordingIds.0=a&CDR.RecordingIds.1=b",
	} {
		e := decode(t, post(t, []byte("cdr.id=s1&"+ids)), settings())
		require.Len(t, e.Facts.Recordings, 2, ids)
		require.Equal(t, "b", e.Facts.Recordings[1].ID, ids)
	}
	for _, bare := range []string{"id=e1&tenantId=n1&id=s1&dType=CloudSessionCdr&recordingIds=a&recordingIds=b", "sessionId=s1&id=e1&tenantId=n1&dir=2&recordingIds=a,b"} {
		e := decode(t, get(bare), settings())
		require.Equal(t, "s1", e.ProviderID)
		require.Len(t, e.Facts.Recordings, 2)
	}
	e := decode(t, post(t, []byte("cdr.id=s1&cdr.recordingIds=&my.key=v&odd[=w")), settings())
	require.Empty(t, e.Facts.Recordings)
	require.Equal(t, "v", e.Facts.Attributes["my.key"], "a dot is part of other names")
	require.Equal(t, "w", e.Facts.Attributes["odd["])
	_, err := xarios.New().Decode(get("id=n1&tenantId=n1&dir=2"), settings())
	require.Error(t, err, "a tenant's id is no session's")
	require.Equal(t, "n1", decode(t, get("id=n1&tenantId=n1&id=n1&dir=2"), settings()).ProviderID, "unless it is there twice")
}

func TestPlusThatBecameASpace(t *testing.T) {
	t.Parallel()
	for _, q := range []string{"cdr.id=s1&cdr.cliNum=+441632960001&cdr.ddiNum=%2B441632960100", "cdr[id]=s1&cdr[cliNum]=441632960001&cdr[ddiNum]=+441632960100", "dir=2&id=s1&cliNum=+441632960001&ddiNum=441632960100"} {
		for _, country := range []string{"", "GB", "US"} {
			s := settings()
			s.DefaultCountry = country
			x := decode(t, get(q), s).Facts
			require.Equal(t, "+441632960001", x.Customer.Number, q+country)
			require.Equal(t, "+441632960100", x.BusinessNumber, q+country)
		}
	}
	s := settings()
	s.DefaultCountry = "US"
	require.Equal(t, "+6561234567", decode(t, get("cdr.id=s1&cdr.cliNum=+6561234567"), s).Facts.Customer.Number, "Singapore, not Seattle")
	e := decode(t, post(t, []byte(`{"cdr":{"id":"s1","cliNum":"\u002B441632960001","ddiNum":441632960100}}`)), settings())
	require.Equal(t, "+441632960001", e.Facts.Customer.Number)
	require.Equal(t, "+441632960100", e.Facts.BusinessNumber)
}

func TestTheCallIsTheSession(t *testing.T) {
	t.Parallel()
	e := one(t, m{"id": "s9"})
	require.Equal(t, "s9", e.ProviderID, "not the entity beside the call data")
	require.Equal(t, call.CallEnded, e.Kind)
	require.Equal(t, "e1", e.Facts.Attributes["entityid"])
	require.Equal(t, "n1", e.Facts.Attributes["tenantid"])
	require.Equal(t, "t1", e.Facts.Attributes["triggerid"])
	for _, body := range []string{`{"TriggerID":"t1","CDR":{"ID":"s1"}}`, `{"triggerId ":"t1","cdr":"{\"id\":\"s1\"}"}`, `{"triggerid":"t1","cdr":[{"id":"s1"}]}`, `{"triggerId":"t1","id":"s1","dType":"CloudSessionCdr"}`} {
		e := decode(t, post(t, []byte(body)), settings())
		require.Equal(t, "s1", e.ProviderID, body)
		require.Equal(t, "t1", e.Facts.Attributes["triggerid"], body)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cdr  m
		want call.Status
	}{
		"the flag":                         {m{"dir": 2, "ans": 1}, call.Answered},
		"a flag as text":                   {m{"dir": 2, "ans": "1"}, call.Answered},
		"a flag as a boolean":              {m{"dir": 2, "ans": true}, call.Answered},
		"a time of the answer":             {m{"dir": 2, "answer": "2026-07-01T15:04:05+01:00", "lost": 1}, call.Answered},
		"talk":                             {m{"dir": 2, "talk": 4}, call.Answered},
		"lost in a park after the answer":  {m{"dir": 2, "ans": 1, "lostinPark": 1}, call.Answered},
		"lost":                             {m{"dir": 2, "lost": 1, "cause": "NORMAL_CLEARING"}, call.Abandoned},
		"lost, whatever the cause":         {m{"dir": 2, "lost": 1, "cause": "USER_BUSY"}, call.Abandoned},
		"not lost and not answered":        {m{"dir": 2, "cause": "NORMAL_CLEARING"}, call.Missed},
		"nobody answered in time":          {m{"dir": 2, "cause": "NO_ANSWER"}, call.Missed},
		"busy":                             {m{"dir": 2, "cause": "user_busy"}, call.Busy},
		"no route":                         {m{"dir": 3, "cause": "NO_ROUTE_DESTINATION"}, call.Failed},
		"an outgoing call that was lost":   {m{"dir": 3, "lost": 1, "cause": "NORMAL_CLEARING"}, call.Missed},
		"outgoing and called off":          {m{"dir": 3, "lost": 1, "cause": "ORIGINATOR_CANCEL"}, call.Cancelled},
		"a cause nobody knows":             {m{"dir": 2, "cause": "CRAZY_PHONE"}, call.Missed},
		"an answer that never was (.NET)":  {m{"dir": 2, "answer": "0001-01-01T00:00:00", "lost": 1}, call.Abandoned},
		"an answer that never was, zoned":  {m{"dir": 2, "answer": "0001-01-01T00:00:00+01:00"}, call.Missed},
		"flags that are not set, as zeros": {m{"dir": 2, "ans": 0, "lost": 0, "talk": 0}, call.Missed},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, one(t, tc.cdr).Facts.Status) })
	}
	require.Equal(t, "USER_BUSY", one(t, m{"cause": "USER_BUSY"}).Facts.HangupCause)
}

func TestZerosAreLeftOut(t *testing.T) {
	t.Parallel()
	x := one(t, m{"dir": 2, "lost": 1, "ring": 10, "dur": 10, "hold": ""}).Facts
	require.EqualValues(t, 10, *x.RingSeconds)
	require.EqualValues(t, 0, *x.TalkSeconds)
	require.EqualValues(t, 0, *x.HoldSeconds)
	require.Zero(t, x.AnsweredAt)
	x = one(t, m{"talk": "long"}).Facts
	require.Nil(t, x.TalkSeconds)
	require.Equal(t, "long", x.Attributes["talk"])
}

func TestDirectionsAndPolicies(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		dir, kind any
		config    []string
		want      call.Direction
	}{
		{2, 2, nil, call.Inbound}, {3, 2, nil, call.Outbound}, {"2", "2", nil, call.Inbound}, {"Outgoing", "External", nil, call.Outbound}, {"incoming", nil, nil, call.Inbound},
		{4, 2, nil, call.Inbound}, {4, 2, []string{"both_calls", "outbound"}, call.Outbound}, {0, 2, nil, ""}, {nil, nil, nil, ""}, {7, 2, nil, ""},
		{1, 1, []string{"internal_calls", "keep"}, call.Internal}, {0, 1, []string{"internal_calls", "keep"}, call.Internal}, {1, nil, []string{"internal_calls", "keep"}, call.Internal},
		{2, 1, []string{"internal_calls", "keep"}, call.Internal},
	} {
		e := one(t, m{"dir": tc.dir, "type": tc.kind, "cliNum": "+441632960001", "ddiNum": "+441632960100"}, tc.config...)
		require.Equal(t, tc.want, e.Facts.Direction, "%v", tc)
		if tc.want == call.Internal {
			require.Empty(t, e.Facts.Customer, "nobody is outside")
			require.Equal(t, "+441632960001", e.Facts.Attributes["clinum"])
			continue
		}
		require.Equal(t, "+441632960001", e.Facts.Customer.Number)
		require.Equal(t, "+441632960100", e.Facts.BusinessNumber)
	}
	for _, tc := range []struct {
		dir, kind int
		config    []string
	}{{1, 1, nil}, {0, 1, nil}, {1, 2, nil}, {1, 1, []string{"internal_calls", "skip"}}, {4, 2, []string{"both_calls", "skip"}}} {
		doc, err := json.Marshal(m{"cdr": m{"id": "s1", "dir": tc.dir, "type": tc.kind}})
		require.NoError(t, err)
		d, err := xarios.New().Decode(post(t, doc), settings(tc.config...))
		require.NoError(t, err)
		require.Empty(t, d.Events, "%v", tc)
		require.Contains(t, d.Ignored, "setting")
	}
}

// The source's own numbers decide where Xarios is silent, and where the two numbers stand the other way round.
func TestOwnNumbers(t *testing.T) {
	t.Parallel()
	event := func(dir int, cli, ddi string) call.Facts {
		s := settings()
		s.DefaultCountry, s.OwnNumbers = "GB", []string{"+44 1632 960100"}
		doc, err := json.Marshal(m{"cdr": m{"id": "s1", "dir": dir, "type": 2, "cliNum": cli, "ddiNum": ddi}})
		require.NoError(t, err)
		return decode(t, post(t, doc), s).Facts
	}
	x := event(3, "+441632960100", "+441632960001")
	require.Equal(t, "+441632960001", x.Customer.Number)
	require.Equal(t, "+441632960100", x.BusinessNumber)
	require.Equal(t, call.Outbound, event(0, "+441632960100", "+441632960001").Direction)
	require.Equal(t, call.Inbound, event(0, "+441632960001", "+441632960100").Direction)
	require.Equal(t, "+441632960001", event(0, "+441632960001", "+441632960100").Customer.Number)
}

func TestTimes(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 7, 1, 14, 4, 5, 0, time.UTC)
	for _, s := range []string{"2026-07-01T15:04:05+01:00", "2026-07-01T14:04:05Z", "2026-07-01T15:04:05.0000000+01:00", "2026-07-01T15:04:05"} {
		require.Equal(t, want, one(t, m{"tz": "Europe/London", "start": s}).Facts.StartedAt, s)
	}
	require.Equal(t, want, one(t, m{"tz": "America/New_York", "start": "2026-07-01T15:04:05+01:00"}).Facts.StartedAt, "the offset counts")
	require.Equal(t, "Europe/London", one(t, m{"tz": "Europe/London"}).Facts.TimeZone)
	x := one(t, m{"tz": "Mars/Base", "start": "2026-07-01T14:04:05"}).Facts
	require.Equal(t, want, x.StartedAt, "the source's zone is the last resort")
	require.Empty(t, x.TimeZone)
	require.Equal(t, "Mars/Base", x.Attributes["tz"])
}

func TestTags(t *testing.T) {
	t.Parallel()
	want := []string{"Support: step1", "VIP"}
	for _, tags := range []any{
		m{"Support": "step1", "VIP": ""}, []m{{"key": "Support", "value": "step1"}, {"key": "VIP", "value": nil}}, []m{{"Support": "step1"}, {"VIP": ""}},
		[]m{{"Key": "Support", "Value": "step1"}, {"Key": "VIP"}}, `{"Support":"step1","VIP":""}`, "Support=step1,VIP", []any{"Support: step1", "VIP"},
		[]m{{"name": "Support", "value": "step1"}, {"VIP": nil}},
	} {
		x := one(t, m{"tags": tags}).Facts
		require.Equal(t, want, x.Tags, "%v", tags)
		require.Contains(t, x.Attributes, "tags")
	}
	for _, form := range []string{"cdr.tags.Support=step1&cdr.tags.VIP=", "cdr[tags][Support]=step1&cdr[tags][VIP]=", "cdr.tags[0].key=Support&cdr.tags[0].value=step1&cdr.tags[1].key=VIP", "cdr.tags=Support=step1&cdr.tags=VIP"} {
		require.Equal(t, want, decode(t, post(t, []byte("cdr.id=s1&"+form)), settings()).Facts.Tags, form)
	}
	require.Empty(t, one(t, m{"tags": m{}}).Facts.Tags)
	require.Equal(t, []string{"A: 1", "A: x"}, one(t, m{"tags": m{"A": []any{1, "x"}}}).Facts.Tags)
}

func TestDirectoryMatches(t *testing.T) {
	t.Parallel()
	flat := m{"title": "Dr", "fullName": "Carl Customer", "companyName": "Example Ltd", "jobTitle": "Buyer", "phone1": "+441632960001", "email": "carl@example.com", "crmId": "C1", "field1": "gold"}
	nested := m{"dirName": "My Global", "dirId": "d1", "dirType": "DirectoryContactMatch", "contactId": "k1", "fields": flat}
	for name, tc := range map[string]m{
		"flat":              {"directorymatches": []m{flat}},
		"nested":            {"directoryMatches": []m{nested}},
		"one object":        {"directoryMatches": nested},
		"JSON in a text":    {"directoryMatches": `[{"fields":{"fullName":"Carl Customer","companyName":"Example Ltd","email":"carl@example.com","crmId":"C1","field1":"gold"}}]`},
		"fields as pairs":   {"directoryMatches": []m{{"fields": []m{{"key": "fullName", "value": "Carl Customer"}, {"key": "companyName", "value": "Example Ltd"}, {"key": "email", "value": "carl@example.com"}, {"key": "crmId", "value": "C1"}, {"key": "field1", "value": "gold"}}}}},
		"several addresses": {"directoryMatches": []m{{"fullName": "Carl Customer", "companyName": "Example Ltd", "email1": "", "email2": "carl@example.com", "crmId": "C1", "field1": "gold"}}},
		"the id outside":    {"directoryMatches": []m{{"crmId": "C1", "fields": m{"fullName": "Carl Customer", "companyName": "Example Ltd", "email": []string{"carl@example.com"}, "field1": "gold"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			tc["dir"], tc["cliNum"], tc["cliName"] = 2, "+441632960001", "EXAMPLE"
			x := one(t, tc).Facts
			require.Equal(t, call.Party{Number: "+441632960001", RawNumber: "+441632960001", Name: "Carl Customer", Company: "Example Ltd", Email: "carl@example.com", CRMID: "C1"}, x.Customer)
			require.Equal(t, "gold", x.LeadFields["field1"])
			require.NotContains(t, x.Attributes, "directorymatches")
		})
	}
	facts := func(matches ...m) call.Facts {
		return one(t, m{"dir": 2, "cliNum": "+441632960001", "cliName": "EXAMPLE", "directoryMatches": matches}).Facts
	}
	x := facts(m{"fullName": "A", "crmId": "C1"}, m{"fullName": "B", "crmId": "C2"})
	require.Empty(t, x.Customer.CRMID, "ids that disagree are no hint")
	require.Equal(t, "A", x.Customer.Name)
	require.Contains(t, x.Attributes, "directorymatches", "what was not chosen is kept")
	require.Equal(t, "C2", facts(m{"fullName": "A", "crmId": "C1", "phone1": "+441632960009"}, m{"fullName": "B", "crmId": "C2", "phone3": "+44 1632 960001"}, m{"fullName": "C", "phone2": "+441632960001", "crmId": "C2"}).Customer.CRMID, "those with the customer's number count")
	require.Equal(t, "C1", facts(m{"fullName": "A", "crmId": 17}, m{"fullName": "B", "crmId": "C1", "phone1": "+441632960001"}).Customer.CRMID)
	require.Equal(t, "17", facts(m{"fullName": "A"}, m{"fullName": "B", "crmId": 17}).Customer.CRMID)
	x = facts(m{"companyName": "Example Ltd", "email": "Email Address"})
	require.Equal(t, "EXAMPLE", x.Customer.Name, "the caller's name where the directory has none")
	require.Empty(t, x.Customer.Email)
	require.Equal(t, "Email Address", x.LeadFields["email"])
	require.Equal(t, "EXAMPLE", facts().Customer.Name)
	require.Contains(t, one(t, m{"directoryMatches": []any{"odd", 3}}).Facts.Attributes, "directorymatches")
	require.Empty(t, one(t, m{"cliNum": "+441632960001", "cliName": "+441632960001"}).Facts.Customer.Name)
}

func TestPeople(t *testing.T) {
	t.Parallel()
	type leg struct {
		ext, name string
		status    call.AgentStatus
	}
	legs := func(cdr m) []leg {
		var out []leg
		for _, a := range one(t, cdr).Facts.Agents {
			out = append(out, leg{a.Extension + a.ID + a.Number, a.Name, a.Status})
		}
		return out
	}
	user := func(place, num, name string, more m) m {
		if more == nil {
			more = m{"dir": 2}
		}
		more[place+"UsrNum"], more[place+"UsrName"] = num, name
		return more
	}
	require.Equal(t, []leg{{"302", "Tess", call.AgentMissed}}, legs(user("fRng", "302", "Tess", user("lRng", "302", "Tess", nil))))
	require.Equal(t, []leg{{"301", "Ann", call.AgentMissed}, {"302", "Tess", call.AgentAnswered}},
		legs(user("fRng", "301", "Ann", user("lRng", "302", "Tess", user("ans", "302", "Tess", user("lAns", "302", "Tess", m{"dir": 2, "ans": 1}))))))
	require.Equal(t, []leg{{"302", "Tess", call.AgentTransferred}, {"305", "Lee", call.AgentAnswered}},
		legs(user("fRng", "302", "Tess", user("ans", "302", "Tess", user("lAns", "305", "Lee", m{"dir": 2, "ans": 1})))))
	require.Equal(t, []leg{{"302", "Tess", call.AgentAnswered}}, legs(user("fRng", "302", "Tess", m{"dir": 3, "ans": 1})), "who calls out misses nothing")
	require.Equal(t, []leg{{"302", "Tess", call.AgentDialed}}, legs(user("fRng", "302", "Tess", m{"dir": 3})))
	require.Equal(t, []leg{{"77", "Agent Tess", call.AgentAnswered}}, legs(m{"dir": 2, "ans": 1, "ansAgtNum": 77, "ansAgtName": "Agent Tess"}), "an agent without a user")
	require.Equal(t, []leg{{"user_1a2b", "(T42S) Tess", call.AgentMissed}}, legs(m{"dir": 2, "lRngDevNum": "user_1a2b", "lRgDevName": "(T42S) Tess"}), "a device, under either spelling of its name")
	require.Equal(t, []leg{{"+447700900123", "Tess mobile", call.AgentAnswered}}, legs(m{"dir": 2, "ans": 1, "ansDevNum": "+447700900123", "ansDevName": "Tess mobile"}))
	require.Empty(t, legs(m{"dir": 2}))

	x := one(t, m{"dir": 2, "ans": 1, "ansUsrNum": "302", "ansUsrName": "Tess", "ansAgtNum": "302", "ansAgtName": "Tess (Support)", "ansDevNum": "user_1a2b", "ansDevName": "(T42S) Tess", "fRngGroupName": "All", "ansGroupName": "Sales"}).Facts
	require.Len(t, x.Agents, 1)
	require.Equal(t, "Sales", x.Queue)
	require.Equal(t, "Tess (Support)", x.Attributes["ansagtname"], "what differs is kept")
	require.Equal(t, "user_1a2b", x.Attributes["ansdevnum"])
	require.Equal(t, "All", x.Attributes["frnggroupname"])
	require.NotContains(t, x.Attributes, "ansusrname")
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	x := one(t, m{"hasRec": 1, "recordingIds": []any{"a/b&c", "d"}, "pbxId": "p 1"}, "recording_link", "https://x.test/{tenant_id}/r/{recording_id}?call={call_id}&pbx={pbx_id}").Facts
	require.Equal(t, []call.Recording{
		{ID: "a/b&c", URL: "https://x.test/n1/r/a%2Fb%26c?call=s1&pbx=p+1", State: call.RecordingAvailable},
		{ID: "d", URL: "https://x.test/n1/r/d?call=s1&pbx=p+1", State: call.RecordingAvailable},
	}, x.Recordings)
	require.Equal(t, []call.Recording{{ID: "d", State: call.RecordingAvailable}}, one(t, m{"recordingIds": []m{{"id": "d"}}}).Facts.Recordings)
	require.Equal(t, []call.Recording{{State: call.RecordingUnavailable}}, one(t, m{"hasRec": "1"}).Facts.Recordings, "no id")
	require.Empty(t, one(t, m{"hasRec": 0, "recordingIds": []any{}}).Facts.Recordings)
	for _, bad := range []string{"javascript:{recording_id}", "https://{recording_id}.test/", "https://x.test/all", "/r/{recording_id}", "https://u:p@x.test/{recording_id}"} {
		require.Empty(t, one(t, m{"recordingIds": "d"}, "recording_link", bad).Facts.Recordings[0].URL, bad)
		require.Error(t, xarios.New().CheckConfig(map[string]string{"recording_link": bad}), bad)
	}
	require.Error(t, xarios.New().CheckConfig(map[string]string{"recording_link": "https://x.test/{recording_id}/{guid}"}))
	require.NoError(t, xarios.New().CheckConfig(map[string]string{"recording_link": "https://x.test/{recording_id}"}))
	require.NoError(t, xarios.New().CheckConfig(nil))
}

func TestCost(t *testing.T) {
	t.Parallel()
	for v, want := range map[any]string{0.05: "0.05", json.Number("5E-05"): "0.00005", "0.25": "0.25", 0: "0"} {
		require.Equal(t, &call.Cost{Amount: want}, one(t, m{"rateCost": v}).Facts.Cost, v)
	}
	x := one(t, m{"rateCost": "free", "rate": 1, "rateBand": "National", "rateName": "Standard"}).Facts
	require.Nil(t, x.Cost)
	require.Equal(t, "free", x.Attributes["ratecost"])
	require.Equal(t, "National", x.Attributes["rateband"])
}

func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	x := one(t, m{"sVer": 2, "dType": "CloudLegCdr", "pbxName": "~.pbx.kazoo.name.~", "park": 4, "lost": 1, "lostinPark": 1, "aban": 1, "short": 1, "t2t": 1, "rteID": "9", "rteName": "Sales:", "cliArea": "1632", "cliLoc": "United Kingdom", "cliState": "TX", "cliCtry": "GB", "ddiName": "Main", "type": 2, "new": "x"}).Facts
	for name, want := range map[string]any{
		"sver": "2", "dtype": "CloudLegCdr", "pbxname": "~.pbx.kazoo.name.~", "park": "4", "lost": "1", "lostinpark": "1", "aban": "1", "short": "1", "t2t": "1", "rteid": "9",
		"rtename": "Sales:", "cliarea": "1632", "cliloc": "United Kingdom", "ddiname": "Main", "type": "2", "new": "x",
	} {
		got, _ := telephony.TextOf(x.Attributes[name])
		require.Equal(t, want, got, name)
	}
	require.Equal(t, "TX", x.Customer.State)
	require.Equal(t, "GB", x.Customer.Country)
	e := decode(t, post(t, []byte(`{"id":"e1","tenantId":"n1","more":1,"pbxName":"outer","cdr":{"id":"s1","dType":"CloudSessionCdr","sVer":1,"pbxName":"inner"}}`)), settings())
	require.Equal(t, map[string]any{"entityid": "e1", "tenantid": "n1", "more": json.Number("1"), "pbxname": "inner", "webhook_pbxname": "outer"}, e.Facts.Attributes)
}

func TestStaticToken(t *testing.T) {
	t.Parallel()
	p, s := xarios.New(), settings()
	require.False(t, p.Signs(s))
	s.Secrets["static_token"] = " S3cret+Token\n"
	require.True(t, p.Signs(s))

	right, wrong, missing := talk(), talk(), talk()
	wrong.Custom = map[string]string{"token": "S3cret+Toker"}
	missing.Custom = map[string]string{"hook": "x"}
	body, _ := xariosfake.Multipart(right, xariosfake.Brackets)
	good := []telephony.Request{
		post(t, xariosfake.JSON(right)), post(t, body), get(xariosfake.Form(right, xariosfake.Dots)), get(""),
		post(t, []byte(xariosfake.Form(right, xariosfake.Brackets))), post(t, []byte(xariosfake.Form(right, xariosfake.Text))),
		post(t, []byte(`{"cdr":{"id":"s1"},"customData":[{"key":"Token","value":"S3cret+Token"}]}`)),
		post(t, []byte(`{"cdr":{"id":"s1"},"customData":"{\"TOKEN\":\"S3cret+Token\"}"}`)),
		post(t, []byte("cdr.id=s1&token=S3cret%2BToken")), get("id=s1&dir=2&token=S3cret%2BToken"), get("id=s1&dir=2&customData.token=S3cret%2BToken"),
	}
	for i, r := range good {
		require.NoError(t, p.Verify(r, s), i)
		d, err := p.Decode(r, s)
		require.NoError(t, err)
		doc, err := json.Marshal(d)
		require.NoError(t, err)
		require.NotContains(t, string(doc), "S3cret", "the token is no fact: %d", i)
	}
	for i, r := range []telephony.Request{
		post(t, xariosfake.JSON(wrong)), post(t, xariosfake.JSON(missing)), post(t, []byte("{}")), post(t, []byte("{")), get("dir=2&id=s1&token=S3cret+Token"),
		post(t, []byte(`{"cdr":{"id":"s1"},"token":"S3cret+Token"}`)), post(t, []byte(`{"cdr":{"id":"s1"},"customData":{"token":null}}`)),
	} {
		err := p.Verify(r, s)
		require.ErrorIs(t, err, telephony.ErrSignature, i)
		require.NotContains(t, err.Error(), "S3cret")
	}
	s.Config["static_token_key"] = "Key"
	require.ErrorIs(t, p.Verify(good[0], s), telephony.ErrSignature)
	require.NoError(t, p.Verify(post(t, []byte(`{"cdr":{"id":"s1"},"customData":{"key":"S3cret+Token","value":"v"}}`)), s))
	e := decode(t, post(t, []byte(`{"cdr":{"id":"s1"},"customData":{"key":"S3cret+Token","hook":"post call"}}`)), s)
	require.Equal(t, map[string]any{"hook": "post call"}, e.Facts.CustomData)
}

func TestTheOnlyReport(t *testing.T) {
	t.Parallel()
	want := call.Expectations{Recording: true, Transcription: true, Disposition: true}
	fold := func(bodies ...[]byte) call.Call {
		var events []call.Event
		for i, b := range bodies {
			e := decode(t, post(t, b), settings())
			e.ReceiptID, e.ReceivedAt = string(rune('a'+i)), start.Add(time.Duration(i)*time.Minute)
			events = append(events, e)
		}
		return call.Fold(call.Identity{ID: "1", Provider: xarios.ID}, events)
	}
	silent := talk()
	silent.Recordings = nil
	require.True(t, call.Complete(fold(xariosfake.JSON(silent)), want), "nothing more can come")
	require.True(t, call.Complete(fold(xariosfake.JSON(talk())), want))
	once, again := fold(xariosfake.JSON(talk())), fold(xariosfake.JSON(talk()), xariosfake.JSON(talk()), []byte(xariosfake.Form(talk(), xariosfake.Text)))
	require.True(t, call.SameState(once, again), "a retry changes nothing, be it in another form")
	require.Equal(t, "0035g00000ABCDE", once.Customer.CRMID)
	require.Equal(t, call.Answered, once.Status)
	require.Equal(t, start.Add(95*time.Second), once.EndedAt)
}
