package mappings

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
)

// realisticInputs are what the default document of an object must make something good of.
func realisticInputs(object string) map[string]Input {
	at := time.Date(2026, 11, 21, 10, 3, 5, 0, time.UTC)
	hostile := "<script>alert(1)</script> {{ owner_id }}\n<img src=x onerror=alert(2)> naïve \u202e reversed \u0000 NUL \xff bad"
	long := strings.Repeat("<long text> ", 64<<10/12)
	// of gives one input without a value, one like most, and two from strangers who mean harm.
	of := func(behind Input, set func(in *Input, a, b string)) map[string]Input {
		behind.OwnerID, behind.ContactID = "77", "501"
		out := map[string]Input{"bare": behind}
		for name, texts := range map[string][2]string{
			"usual": {"Call back Mary Smith", "She wants a quote."}, "hostile": {hostile, hostile}, "long": {"Long one", long},
		} {
			in := behind
			set(&in, texts[0], texts[1])
			out[name] = in
		}
		return out
	}
	customer := call.Party{Number: "+14155550101", RawNumber: "(415) 555-0101", Name: "Mary Smith", Email: "mary@example.com"}
	message := func(direction call.Direction, body string, media ...string) Input {
		in := FromMessage(call.Message{
			ID: "message-1", Provider: "callrail", ProviderID: "MSG1", Direction: direction, Customer: customer, BusinessNumber: "+13035550100",
			Body: body, Media: media, ConversationID: "CNV1", SentAt: at, LeadStatus: "good_lead",
			Agents: []call.Agent{{Name: "Ann", Email: "ann@example.com"}},
		})
		in.OwnerID = "77"
		return in
	}
	messages := map[string]Input{
		"inbound":  message(call.Inbound, "Are you open on Sunday?"),
		"outbound": message(call.Outbound, "We are.", "https://phone.example/m/1.jpg", "https://phone.example/m/2.jpg"),
		"hostile":  message(call.Inbound, hostile, "javascript:alert(3)"),
		"long":     message(call.Inbound, long),
		"bare":     FromMessage(call.Message{ID: "message-2", Provider: "callrail"}),
	}
	form := func(fields map[string]any) Input {
		return FromForm(call.Form{
			ID: "form-1", Provider: "callrail", ProviderID: "FRM1", Customer: customer, FormURL: "https://shop.example/contact",
			LandingPage: "https://shop.example/", SubmittedAt: at, Fields: fields,
			Attribution: call.Attribution{Source: "google", Medium: "cpc", Campaign: "autumn"},
		})
	}
	forms := map[string]Input{
		"usual":   form(map[string]any{"name": "Mary Smith", "email": "mary@example.com", "comment": "A quote, please", "guests": 4.0, "topics": []any{"prices", "dates"}}),
		"hostile": form(map[string]any{hostile: hostile}),
		"long":    form(map[string]any{"comment": long}),
		"bare":    FromForm(call.Form{ID: "form-2", Provider: "callrail"}),
	}
	switch object {
	case objectTask:
		return of(answeredInbound(), func(in *Input, a, b string) {
			in.Task = &Task{Subject: a, Body: b, DueAt: at.Add(4 * time.Hour), Priority: "high"}
		})
	case objectNote:
		return of(answeredInbound(), func(in *Input, a, b string) { in.Note = &Note{Title: a, Body: b} })
	case objectTicket:
		return of(answeredInbound(), func(in *Input, a, b string) { in.Ticket = &Ticket{Subject: a, Body: b, Priority: "urgent"} })
	case objectMessage:
		return messages
	case objectForm:
		return forms
	case objectContact, objectLead, objectCompany, objectDeal:
		// The person may be known from any of the three.
		all := realisticCalls()
		for kind, inputs := range map[string]map[string]Input{"message": messages, "form": forms} {
			for name, in := range inputs {
				all[kind+"_"+name] = in
			}
		}
		return all
	}
	return callEndings()
}

// TestEachObjectHasItsNames shows which names documents of an object may read, and what is said of others.
func TestEachObjectHasItsNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ object, source, want, suggestion string }{
		{"call", "note", "", ""},
		{"call", "note.title", "no field title here", ""},
		{"call", "task.subject", "no field or function task", ""},
		{"call", "message.body", "no field or function message", ""},
		{"task", "task.subject", "", ""},
		{"task", "talk_seconds", "", ""},
		{"task", "task.subjekt", "no field subjekt here", "subject"},
		{"task", "tasks.subject", "no field or function tasks", "task"},
		{"task", `task.priority == "hihg"`, "not among its values", "high"},
		{"note", "note.title", "", ""},
		{"note", "call_note", "", ""},
		{"ticket", "ticket.body", "", ""},
		{"message", "message.media[0]", "", ""},
		{"message", "customer.number", "", ""},
		{"message", "talk_seconds", "no field talk_seconds in a mapping of the object message: calls have it", ""},
		{"message", "form.fields", "no field or function form", ""},
		{"form", "form.fields.comment", "", ""},
		{"form", `form.fields["your e-mail"]`, "", ""},
		{"form", "attribution.utm.source", "", ""},
		{"form", "recording_url", "in a mapping of the object form", ""},
		{"contact", "form.fields.city", "", ""},
		{"contact", "message.lead_status", "", ""},
		{"contact", "task.subject", "no field or function task", ""},
		{"opportunity", "talk_seconds", "", ""},
	} {
		_, problems := wordsOf(c.object).compileExpr(c.source, false)
		if c.want == "" {
			require.Empty(t, problems, "%s: %s", c.object, c.source)
			continue
		}
		require.NotEmpty(t, problems, "%s: %s", c.object, c.source)
		require.Contains(t, problems[0].text, c.want, "%s: %s", c.object, c.source)
		if c.suggestion != "" {
			require.Equal(t, c.suggestion, problems[0].suggestion, "%s: %s", c.object, c.source)
		}
	}
}

// TestNamesOfEveryObject reads every name with nothing behind it, and finds no name of two objects that a function has.
func TestNamesOfEveryObject(t *testing.T) {
	t.Parallel()
	for object := range maps.Keys(vocabularies) {
		for _, f := range FieldsOf(object) {
			name, _, _ := strings.Cut(f.Name, "[]")
			e, problems := wordsOf(object).compileExpr(name, false)
			require.Empty(t, problems, "%s: %s", object, name)
			for _, in := range []Input{{}, FromMessage(call.Message{}), FromForm(call.Form{})} {
				r := startRun(&in)
				r.budget = workBudget
				_, err := r.eval(e)
				r.end()
				require.NoError(t, err, "%s: %s", object, name)
			}
			require.NotEmpty(t, f.Description)
			require.NotContains(t, functionNames(), f.Name)
		}
	}
}

// TestFormReachesTheContact holds that the person's record can take what was filled in.
func TestFormReachesTheContact(t *testing.T) {
	t.Parallel()
	doc, err := Parse([]byte("format: 1\nobject: contact\nfields:\n" +
		"  - {target: email, value: {expr: 'coalesce(customer.email, form.fields.mail)'}}\n" +
		"  - {target: city, value: {field: form.fields.city}}\n  - {target: status, value: {field: message.lead_status}}\n"))
	require.NoError(t, err)
	p, err := Compile(doc)
	require.NoError(t, err)
	res, err := p.Apply(FromForm(call.Form{Fields: map[string]any{"mail": "a@example.com", "city": "Denver"}}))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"email": "a@example.com", "city": "Denver"}, res.Fields)
	res, err = p.Apply(FromMessage(call.Message{LeadStatus: "good_lead"}))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"status": "good_lead"}, res.Fields)
	res, err = p.Apply(answeredInbound())
	require.NoError(t, err)
	require.NotContains(t, res.Fields, "city")
}
