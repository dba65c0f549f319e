package mappings

import (
	"time"

	"github.com/callsync/callsync/call"
)

// Task is what a mapping of the object task reads under "task": something to do for somebody.
type Task struct {
	Subject, Body string
	// DueAt is zero where nothing says when.
	DueAt time.Time
	// Priority is low, normal, high or urgent; empty where nothing says it.
	Priority string
}

// Note is what a mapping of the object note reads under "note".
type Note struct {
	Title, Body string
}

// Ticket is what a mapping of the object ticket reads under "ticket". Priority is as in Task.
type Ticket struct {
	Subject, Body, Priority string
}

// FromMessage is the input of a text message: itself, and as a call what calls have too (customer, agents, direction), so
// that rules, contacts and owners are found in the same way for both.
func FromMessage(m call.Message) Input {
	return Input{Message: &m, Call: call.Call{
		ID: m.ID, Provider: m.Provider, ProviderID: m.ProviderID, Phase: call.Ended,
		Facts: call.Facts{
			Direction: m.Direction, Customer: m.Customer, BusinessNumber: m.BusinessNumber, Agents: m.Agents,
			StartedAt: m.SentAt, LeadStatus: m.LeadStatus,
		},
	}}
}

// FromForm is the input of a form submission, as FromMessage is of a message. A form always comes from the customer.
func FromForm(f call.Form) Input {
	return Input{Form: &f, Call: call.Call{
		ID: f.ID, Provider: f.Provider, ProviderID: f.ProviderID, Phase: call.Ended,
		Facts: call.Facts{
			Direction: call.Inbound, Customer: f.Customer, StartedAt: f.SubmittedAt, Attribution: f.Attribution,
		},
	}}
}

type (
	task    Task
	note    Note
	ticket  Ticket
	message call.Message
	form    call.Form
)

// optional keeps a nil pointer from becoming an object that is not nil.
func optional[T any, O interface {
	*T
	object
}](p *T) object {
	if p == nil {
		return nil
	}
	return O(p)
}

var priorities = []string{"low", "normal", "high", "urgent"}

var taskMembers = []FieldInfo{
	info("subject", FieldText, "what is to be done, in a few words"),
	info("body", FieldText, "more about it"),
	info("due_at", FieldDateTime, "when it is due"),
	info("priority", FieldText, "how urgent it is", priorities...),
}

func (t *task) member(name string) any {
	switch name {
	case "subject":
		return str(t.Subject)
	case "body":
		return str(t.Body)
	case "due_at":
		return moment(t.DueAt)
	case "priority":
		return str(t.Priority)
	}
	return nil
}

func taskEntries() []entry {
	return group("task", "the task", func(r *run) object { return optional((*task)(r.in.Task)) }, taskMembers)
}

var noteMembers = []FieldInfo{
	info("title", FieldText, "the note's heading"),
	info("body", FieldText, "the note's text"),
}

func (n *note) member(name string) any {
	switch name {
	case "title":
		return str(n.Title)
	case "body":
		return str(n.Body)
	}
	return nil
}

func noteEntries() []entry {
	return append(
		group("note", "the note", func(r *run) object { return optional((*note)(r.in.Note)) }, noteMembers),
		text("call_note", "what mappings of calls read as note: the call's note", func(r *run) any { return str(r.in.Call.Note) }))
}

var ticketMembers = []FieldInfo{
	info("subject", FieldText, "what the ticket is about"),
	info("body", FieldText, "more about it"),
	info("priority", FieldText, "how urgent it is", priorities...),
}

func (t *ticket) member(name string) any {
	switch name {
	case "subject":
		return str(t.Subject)
	case "body":
		return str(t.Body)
	case "priority":
		return str(t.Priority)
	}
	return nil
}

func ticketEntries() []entry {
	return group("ticket", "the ticket", func(r *run) object { return optional((*ticket)(r.in.Ticket)) }, ticketMembers)
}

var messageMembers = []FieldInfo{
	info("id", FieldText, "callsync's id of the message"),
	info("provider", FieldText, "the kind of phone system, such as callrail"),
	info("provider_message_id", FieldText, "the phone system's id of the message"),
	info("direction", FieldText, "who wrote to whom, seen from your company", directions...),
	info("business_number", FieldText, "your number that was written to or shown, E.164"),
	info("body", FieldText, "the text"),
	info("media", FieldTexts, "the phone system's links to pictures and files"),
	info("conversation_id", FieldText, "the phone system's id of the conversation"),
	info("sent_at", FieldDateTime, "when it was sent"),
	info("lead_status", FieldText, "what the phone system says of the lead"),
}

func (m *message) member(name string) any {
	switch name {
	case "id":
		return str(m.ID)
	case "provider":
		return str(m.Provider)
	case "provider_message_id":
		return str(m.ProviderID)
	case "direction":
		return orUnknown(string(m.Direction))
	case "business_number":
		return str(m.BusinessNumber)
	case "body":
		return str(m.Body)
	case "media":
		return strs(m.Media)
	case "conversation_id":
		return str(m.ConversationID)
	case "sent_at":
		return moment(m.SentAt)
	case "lead_status":
		return str(m.LeadStatus)
	}
	return nil
}

func messageEntries() []entry {
	return group("message", "the text message; absent where another record is behind this one",
		func(r *run) object { return optional((*message)(r.in.Message)) }, messageMembers)
}

var formMembers = []FieldInfo{
	info("id", FieldText, "callsync's id of the form submission"),
	info("provider", FieldText, "the kind of phone system, such as callrail"),
	info("provider_form_id", FieldText, "the phone system's id of the form submission"),
	info("form_url", FieldText, "the page with the form"),
	info("landing_page", FieldText, "the first page the customer saw"),
	info("submitted_at", FieldDateTime, "when it was submitted"),
	info("fields", FieldMap, "what the customer filled in, by the form's own names"),
}

func (f *form) member(name string) any {
	switch name {
	case "id":
		return str(f.ID)
	case "provider":
		return str(f.Provider)
	case "provider_form_id":
		return str(f.ProviderID)
	case "form_url":
		return str(f.FormURL)
	case "landing_page":
		return str(f.LandingPage)
	case "submitted_at":
		return moment(f.SubmittedAt)
	case "fields":
		return strMap(f.Fields)
	}
	return nil
}

func formEntries() []entry {
	return group("form", "the form submission; absent where another record is behind this one",
		func(r *run) object { return optional((*form)(r.in.Form)) }, formMembers)
}
