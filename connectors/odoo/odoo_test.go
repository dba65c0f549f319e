package odoo_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/odoo"
	"github.com/callsync/callsync/connectors/odoo/odoofake"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func connect(t *testing.T, h http.Handler, change map[string]string) connectors.Session {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	set := settings(s.URL)
	set.Config["fallback_contact"] = ""
	for name, v := range change {
		if name == "api_key" {
			set.Secrets[name] = v
			continue
		}
		set.Config[name] = v
	}
	session, err := odoo.New().Open(set)
	require.NoError(t, err)
	return session
}

func classOf(t *testing.T, err error) *connectors.Error {
	t.Helper()
	e, ok := errors.AsType[*connectors.Error](err)
	require.True(t, ok, "%v", err)
	return e
}

// TestEverywhere runs the whole life of a call and its records on every version, protocol and model of calls.
func TestEverywhere(t *testing.T) {
	t.Parallel()
	for _, version := range []int{14, 19} {
		for _, protocol := range []string{odoo.ProtocolAuto, odoo.ProtocolJSON, odoo.ProtocolXML} {
			for _, model := range []string{odoo.ModelAuto, odoo.ModelNote, odoo.ModelEvent, odoo.ModelPhonecall} {
				t.Run(fmt.Sprint(version, protocol, model), func(t *testing.T) {
					t.Parallel()
					o := options()
					o.Version, o.Phonecalls = version, model == odoo.ModelPhonecall || model == odoo.ModelAuto
					f := odoofake.New(o)
					session := connect(t, f, map[string]string{"protocol": protocol, "call_model": model})
					report, err := session.(connectors.Verifier).Verify(t.Context())
					require.NoError(t, err)
					require.True(t, report.OK(), "%+v", report.Checks)
					people := map[string]connectors.Ref{}
					for object, m := range modelOf {
						people[object] = connectors.Ref{Object: object, ID: strconv.FormatInt(f.Add(m, odoofake.Record{"name": "Ada", "phone": "(415) 555-0188", "type": "lead"}), 10)}
					}
					owner, ok, err := session.(connectors.OwnerResolver).FindOwner(t.Context(), "AGENT1@example.com")
					require.NoError(t, err)
					require.True(t, ok)
					liveCall(t, session, people, owner.ID)
					liveBatch(t, session, people)
					liveRecords(t, session, people)
					require.Zero(t, f.Mails(), "nobody is mailed")
					for _, object := range []string{"call", "contact", "lead", "company", "task", "note", "message", "form", "ticket", "deal"} {
						schema, err := session.(connectors.SchemaDescriber).Describe(t.Context(), object)
						require.NoError(t, err, object)
						require.NotEmpty(t, schema.Fields, object)
					}
					found, err := session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550188", National: "4155550188", Objects: []string{"contact", "lead"}})
					require.NoError(t, err)
					require.Len(t, found, 2, "numbers as people type them")
				})
			}
		}
	}
}

// TestPhonecallKeepsItsLength changes the status of a call of OCA's module, which sets the length anew by itself.
func TestPhonecallKeepsItsLength(t *testing.T) {
	t.Parallel()
	o := options()
	o.Phonecalls = true
	f := odoofake.New(o)
	session := connect(t, f, map[string]string{"call_model": odoo.ModelAuto})
	out, err := session.WriteCall(t.Context(), connectors.CallWrite{Key: "k", Fields: map[string]any{"date": noon, "duration_seconds": int64(205), "status": "planned", "direction": "inbound"}})
	require.NoError(t, err)
	_, r, _ := f.ByKey("crm.phonecall", "call_k")
	require.InDelta(t, 205.0/60, r["duration"], 1e-9, "in minutes")
	require.Equal(t, "in", r["direction"])
	_, err = session.WriteCall(t.Context(), connectors.CallWrite{Key: "k", RemoteID: out.RemoteID, Fields: map[string]any{"status": "held"}})
	require.NoError(t, err)
	_, r, _ = f.ByKey("crm.phonecall", "call_k")
	require.Equal(t, "done", r["state"])
	require.InDelta(t, 205.0/60, r["duration"], 1e-9)
}

// TestEventKeepsItsLength moves a meeting, whose end Odoo keeps as a time of its own.
func TestEventKeepsItsLength(t *testing.T) {
	t.Parallel()
	f := odoofake.New(options())
	session := connect(t, f, map[string]string{"call_model": odoo.ModelEvent})
	out, err := session.WriteCall(t.Context(), connectors.CallWrite{Key: "k", Fields: map[string]any{"date": noon, "duration_seconds": int64(205)}})
	require.NoError(t, err)
	_, r, _ := f.ByKey("calendar.event", "call_k")
	require.Equal(t, []any{"2026-06-01 12:00:00", "2026-06-01 12:03:25"}, []any{r["start"], r["stop"]})
	_, err = session.WriteCall(t.Context(), connectors.CallWrite{Key: "k", RemoteID: out.RemoteID, Fields: map[string]any{"date": noon.Add(time.Hour)}})
	require.NoError(t, err)
	_, err = session.WriteCall(t.Context(), connectors.CallWrite{Key: "k", RemoteID: out.RemoteID, Fields: map[string]any{"duration_seconds": int64(61)}})
	require.NoError(t, err)
	_, r, _ = f.ByKey("calendar.event", "call_k")
	require.Equal(t, []any{"2026-06-01 13:00:00", "2026-06-01 13:01:01"}, []any{r["start"], r["stop"]})
}

// TestNoteIsWrittenAgain repeats the write of a note whose answer was lost: Odoo 19 then refuses its place.
func TestNoteIsWrittenAgain(t *testing.T) {
	t.Parallel()
	f := odoofake.New(options())
	session := connect(t, f, nil)
	contact := connectors.Ref{Object: connectors.ObjectContact, ID: strconv.FormatInt(f.Add("res.partner", odoofake.Record{"name": "Ada"}), 10)}
	w := write("k", "", "one", noon)
	w.Links = []connectors.Ref{contact}
	first, err := session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	again, err := session.WriteCall(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, first.RemoteID, again.RemoteID)
	require.Equal(t, 3, f.Calls()["mail.message.load"], "once, once refused, once without the place")
	_, r, _ := f.ByKey("mail.message", "call_k")
	require.Equal(t, "res.partner", r["model"])
}

// TestCopiesFollow links a note to a second record, and changes it.
func TestCopiesFollow(t *testing.T) {
	t.Parallel()
	f := odoofake.New(options())
	session := connect(t, f, nil)
	ctx := t.Context()
	out, err := session.WriteCall(ctx, write("k", "", "one", noon))
	require.NoError(t, err)
	id, err := strconv.ParseInt(out.RemoteID, 10, 64)
	require.NoError(t, err)
	contact := connectors.Ref{Object: connectors.ObjectContact, ID: strconv.FormatInt(f.Add("res.partner", odoofake.Record{"name": "Ada"}), 10)}
	require.NoError(t, session.(connectors.Linker).LinkCall(ctx, out.RemoteID, contact))
	answer := f.Add("mail.message", odoofake.Record{"parent_id": id, "body": "<p>mine</p>", "message_id": "<1@odoo>"})
	_, err = session.WriteCall(ctx, write("k", out.RemoteID, "two", noon))
	require.NoError(t, err)
	texts := map[string]int{}
	for other, r := range f.Records("mail.message") {
		if other == id || r["parent_id"] == id {
			texts[asText(r["body"])]++
		}
	}
	require.Equal(t, map[string]int{"two": 2, "mine": 1}, texts, "a person's answer stays")
	f.Delete("mail.message", answer)
	liveRecording(t, session, out.RemoteID, nil)
	for _, r := range f.Records("mail.message") {
		require.Len(t, r["attachment_ids"], 1)
	}
}

// TestTasks completes activities: on 14 they are gone then, on 19 archived.
func TestTasks(t *testing.T) {
	t.Parallel()
	for _, version := range []int{14, 19} {
		o := options()
		o.Version = version
		f := odoofake.New(o)
		session := connect(t, f, map[string]string{"protocol": odoo.ProtocolAuto})
		tasks := session.(connectors.TaskWriter)
		out, err := tasks.WriteTask(t.Context(), connectors.RecordWrite{Key: "k", Fields: map[string]any{"summary": "Call back", "note": nil, "user_id": "6", "date_deadline": "2026-12-01"}})
		require.NoError(t, err)
		_, r, _ := f.ByKey("mail.activity", "task_k")
		require.Equal(t, []any{"res.partner", f.Partner(), "2026-12-01", int64(6)}, []any{r["res_model"], r["res_id"], r["date_deadline"], r["user_id"]})
		require.NotEqual(t, "<p>False</p>", r["note"], "nothing is no text")
		before := len(f.Records("mail.message"))
		for range 3 {
			require.NoError(t, tasks.CompleteTask(t.Context(), out.RemoteID))
		}
		require.Len(t, f.Records("mail.message"), before+1, "it is done once")
	}
}

// TestDeletedActivityType goes without Odoo's own type Call where an admin has deleted it.
func TestDeletedActivityType(t *testing.T) {
	t.Parallel()
	f := odoofake.New(options())
	for id, r := range f.Records("mail.activity.type") {
		if r["name"] == "Call" {
			f.Delete("mail.activity.type", id)
		}
	}
	session := connect(t, f, nil)
	_, err := session.WriteCall(t.Context(), write("k", "", "x", noon))
	require.NoError(t, err)
	_, err = session.(connectors.TaskWriter).WriteTask(t.Context(), connectors.RecordWrite{Key: "k", Fields: map[string]any{"summary": "x"}})
	require.NoError(t, err)
	_, r, ok := f.ByKey("mail.message", "call_k")
	require.True(t, ok)
	require.Equal(t, false, r["mail_activity_type_id"])
}

// TestForms become leads, notes on the lead that a sender is, or notes without the CRM app.
func TestForms(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		noCRM   bool
		setting string
		link    string
		lead    bool
	}{{lead: true}, {link: "contact", lead: true}, {link: "lead"}, {setting: "note"}, {noCRM: true}} {
		for _, version := range []int{14, 19} {
			o := options()
			o.Version, o.NoCRM = version, tc.noCRM
			f := odoofake.New(o)
			session := connect(t, f, map[string]string{"forms": tc.setting, "protocol": odoo.ProtocolAuto})
			w := connectors.RecordWrite{Key: "k", Fields: map[string]any{"name": "A form", "description": "<b>Name:</b> Ada &amp; co<br>\nx", "email_from": "a@example.com"}}
			if tc.link != "" {
				id := f.Add(modelOf[tc.link], odoofake.Record{"name": "Ada"})
				w.Links = []connectors.Ref{{Object: tc.link, ID: strconv.FormatInt(id, 10)}}
			}
			out, err := session.(connectors.FormWriter).WriteForm(t.Context(), w)
			require.NoError(t, err)
			require.Equal(t, tc.lead, strings.HasPrefix(out.RemoteID, "lead-"), "%+v", tc)
			if tc.lead {
				_, r, ok := f.ByKey("crm.lead", "form_k")
				require.True(t, ok)
				want := "Name: Ada & co\nx"
				if version == 19 {
					want = "<p><b>Name:</b> Ada &amp; co<br>\nx</p>"
				}
				require.Equal(t, want, r["description"])
				require.Equal(t, tc.link == "contact", r["partner_id"] != false)
			} else {
				_, r, ok := f.ByKey("mail.message", "form_k")
				require.True(t, ok)
				require.Equal(t, "A form", r["subject"])
			}
		}
	}
}

// TestProtocols finds out what an Odoo speaks, and asks for what it needs.
func TestProtocols(t *testing.T) {
	t.Parallel()
	o := options()
	o.Version = 14
	older := odoofake.New(o)
	_, err := connect(t, older, map[string]string{"protocol": odoo.ProtocolAuto}).WriteCall(t.Context(), write("k", "", "x", noon))
	require.NoError(t, err)
	for field, empty := range map[string]string{"database": "database", "username": "username"} {
		_, err := connect(t, older, map[string]string{"protocol": odoo.ProtocolAuto, field: ""}).WriteCall(t.Context(), write("k", "", "x", noon))
		require.Equal(t, empty, classOf(t, err).Field)
		require.Equal(t, connectors.Invalid, classOf(t, err).Class)
	}
	_, err = connect(t, older, map[string]string{"protocol": odoo.ProtocolJSON2}).WriteCall(t.Context(), write("k", "", "x", noon))
	require.Error(t, err)
	for _, protocol := range []string{odoo.ProtocolAuto, odoo.ProtocolJSON, odoo.ProtocolXML} {
		e := classOf(t, second(connect(t, older, map[string]string{"protocol": protocol, "api_key": "wrong"}).WriteCall(t.Context(), write("k", "", "x", noon))))
		require.Equal(t, connectors.Unauthorized, e.Class, protocol)
		require.True(t, e.NotSent)
		e = classOf(t, second(connect(t, older, map[string]string{"protocol": protocol, "database": "other"}).WriteCall(t.Context(), write("k", "", "x", noon))))
		require.Equal(t, connectors.Invalid, e.Class, protocol)
		require.Equal(t, "database", e.Field)
	}
	newer := odoofake.New(options())
	e := classOf(t, second(connect(t, newer, map[string]string{"database": "other"}).WriteCall(t.Context(), write("k", "", "x", noon))))
	require.Equal(t, connectors.Unavailable, e.Class)
	require.Contains(t, e.Public, "database")
	_, err = connect(t, newer, map[string]string{"database": "", "username": ""}).WriteCall(t.Context(), write("k", "", "x", noon))
	require.NoError(t, err, "Odoo 19 needs neither")
}

func second[T any](_ T, err error) error { return err }

// TestLostAnswers loses the answer to a create by the older protocols, where the verb and path tell nothing.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{odoo.ProtocolJSON, odoo.ProtocolXML} {
		f := odoofake.New(options())
		dropped := false
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if m := methodOf(t, r); m == "load" && !dropped {
				dropped = true
				f.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			f.ServeHTTP(w, r)
		})
		session := connect(t, h, map[string]string{"protocol": protocol})
		_, err := session.WriteCall(t.Context(), write("k", "", "x", noon))
		require.Equal(t, connectors.UnknownOutcome, classOf(t, err).Class)
		out, err := session.WriteCall(t.Context(), write("k", "", "x", noon))
		require.NoError(t, err)
		require.NotEmpty(t, out.RemoteID)
		require.Len(t, f.Records("mail.message"), 1)
	}
}

// TestMissingApps goes without leads, tickets and phone calls.
func TestMissingApps(t *testing.T) {
	t.Parallel()
	for _, version := range []int{14, 19} {
		f := odoofake.New(odoofake.Options{APIKey: apiKey, Database: "acme", Login: "callsync@example.com", Version: version, NoCRM: true})
		session := connect(t, f, map[string]string{"protocol": odoo.ProtocolAuto, "call_model": ""})
		report, err := session.(connectors.Verifier).Verify(t.Context())
		require.NoError(t, err)
		require.True(t, report.OK(), "%+v", report.Checks)
		found, err := session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550188", National: "4155550188", Objects: []string{"lead", "contact"}})
		require.NoError(t, err)
		require.Empty(t, found)
		_, err = session.(connectors.TicketWriter).WriteTicket(t.Context(), connectors.RecordWrite{Key: "k", Fields: map[string]any{"name": "x"}})
		require.Equal(t, connectors.Unsupported, classOf(t, err).Class)
		_, err = session.(connectors.ContactCreator).CreateContact(t.Context(), connectors.ContactWrite{Key: "k", Object: "lead", Fields: map[string]any{"name": "x"}})
		require.Equal(t, connectors.Unsupported, classOf(t, err).Class)
		_, err = session.WriteCall(t.Context(), write("k", "", "x", noon))
		require.NoError(t, err)
	}
}

// TestRights says which right is missing.
func TestRights(t *testing.T) {
	t.Parallel()
	o := options()
	o.Denied = []string{"res.partner", "mail.message", "crm.lead"}
	session := connect(t, odoofake.New(o), nil)
	report, err := session.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	require.False(t, report.OK())
	_, err = session.WriteCall(t.Context(), write("k", "", "x", noon))
	e := classOf(t, err)
	require.Equal(t, connectors.Forbidden, e.Class)
	require.Contains(t, e.Public, "Settings → Users")
	o = options()
	o.Version, o.NoEmail = 14, true
	session = connect(t, odoofake.New(o), map[string]string{"protocol": odoo.ProtocolAuto})
	report, err = session.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	require.False(t, report.OK())
	out, err := session.(connectors.TaskWriter).WriteTask(t.Context(), connectors.RecordWrite{Key: "k", Fields: map[string]any{"user_id": "6"}})
	require.NoError(t, err, "nobody is mailed, so nobody needs an address")
	err = session.(connectors.TaskWriter).CompleteTask(t.Context(), out.RemoteID)
	require.Contains(t, classOf(t, err).Public, "e-mail address")
}

// TestConversion follows a lead that became an opportunity to its contact.
func TestConversion(t *testing.T) {
	t.Parallel()
	f := odoofake.New(options())
	session := connect(t, f, nil)
	partner := f.Add("res.partner", odoofake.Record{"name": "Ada", "phone": "+14155550188"})
	lead := f.Add("crm.lead", odoofake.Record{"name": "Lead", "type": "opportunity", "phone": "+14155550188", "partner_id": partner})
	now, ok, err := session.(connectors.ContactFollower).FollowContact(t.Context(), connectors.Ref{Object: connectors.ObjectLead, ID: strconv.FormatInt(lead, 10)})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, connectors.Ref{Object: connectors.ObjectContact, ID: strconv.FormatInt(partner, 10)}, now)
	found, err := session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550188", National: "4155550188", Objects: []string{"contact", "lead"}})
	require.NoError(t, err)
	require.Len(t, found, 1, "the same person once")
	f.Set("res.partner", partner, odoofake.Record{"active": false})
	w := write("k", "", "x", noon)
	w.Links = []connectors.Ref{{Object: connectors.ObjectContact, ID: strconv.FormatInt(partner, 10)}}
	_, err = session.WriteCall(t.Context(), w)
	require.NoError(t, err, "an archived contact has a chatter, too")
}

// TestRequestsPerCall counts what a delivered call costs.
func TestRequestsPerCall(t *testing.T) {
	t.Parallel()
	f := odoofake.New(options())
	session := connect(t, f, nil)
	contact := f.Add("res.partner", odoofake.Record{"name": "Ada", "phone": "+14155550188"})
	deliver := func(key string) int {
		before := 0
		for _, n := range f.Calls() {
			before += n
		}
		found, err := session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550188", National: "4155550188"})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, strconv.FormatInt(contact, 10), found[0].ID)
		w := write(key, "", "x", noon)
		w.Links = []connectors.Ref{found[0].Ref}
		_, err = session.WriteCall(t.Context(), w)
		require.NoError(t, err)
		after := 0
		for _, n := range f.Calls() {
			after += n
		}
		return after - before
	}
	require.Equal(t, 3, deliver("first"), "the first also asks for the fields of contacts")
	require.Equal(t, 2, deliver("second"), "one search, one write")
}

// TestFakeIsStrict holds the fake to what was seen on running Odoos.
func TestFakeIsStrict(t *testing.T) {
	t.Parallel()
	f := odoofake.New(options())
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	post := func(path, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "bearer "+apiKey)
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	for path, want := range map[string]int{
		`res.partner/search_read|{"domain":[],"fields":["name"]}`:                   200,
		`res.partner/search_read|{"ids":[1],"domain":[]}`:                           422,
		`res.partner/search_read|{"domain":[["nope","=",1]]}`:                       500,
		`res.partner/read|{"ids":[1],"badarg":1}`:                                   422,
		`res.partner/_private|{}`:                                                   403,
		`res.partner/nomethod|{}`:                                                   404,
		`no.model/read|{}`:                                                          404,
		`ir.model/search_read|{"domain":[]}`:                                        403,
		`crm.lead/write|{"ids":[999],"vals":{"name":"x"}}`:                          404,
		`mail.message/write|{"ids":[999],"vals":{"subject":"x"}}`:                   200,
		`mail.message/write|{"ids":[999],"vals":{"date":"2026-10-25T00:30:00Z"}}`:   500,
		`mail.message/load|{"fields":["id","nope"],"data":[["a.b","x"]]}`:           500,
		`res.partner/search_read|{"domain":[["phone_mobile_search","ilike","12"]]}`: 422,
		`res.partner/search_read|{bad`:                                              400,
	} {
		at, body, _ := strings.Cut(path, "|")
		require.Equal(t, want, post("/json/2/"+at, body), path)
	}
	_, err := connect(t, f, nil).(connectors.CallReader).ReadCall(context.Background(), "1", []string{"body"})
	require.Equal(t, connectors.NotFound, classOf(t, err).Class)
}

// People tell candidates apart by e-mail and company, which come with the search.
func TestCandidatesAreToldApart(t *testing.T) {
	t.Parallel()
	f := odoofake.New(options())
	session := connect(t, f, nil)
	company := f.Add("res.partner", odoofake.Record{"name": "Lovelace Ltd", "is_company": true})
	f.Add("res.partner", odoofake.Record{"name": "Ada", "phone": "+14155550199", "email": "ada@example.com", "parent_id": company})
	f.Add("crm.lead", odoofake.Record{"name": "Quote", "type": "lead", "contact_name": "Grace", "partner_name": "Hopper & Co", "phone": "+14155550199", "email_from": "grace@example.com"})
	for object, want := range map[string]connectors.Contact{
		"contact": {Emails: []string{"ada@example.com"}, Company: "Lovelace Ltd"}, "lead": {Emails: []string{"grace@example.com"}, Company: "Hopper & Co"},
	} {
		found, err := session.(connectors.ContactMatcher).FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550199", National: "4155550199", Objects: []string{object}})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, want.Emails, found[0].Emails, object)
		require.Equal(t, want.Company, found[0].Company, object)
	}
}
