// Package demo is the CRM of the demo data. It lives in the process, knows a handful of made-up people, takes every record
// and keeps none: what was written stands in callsync's own rows of deliveries. It talks to nobody.
package demo

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// ID is the connector's id. Every connection of this kind is demo data.
const ID = records.Demo

var (
	//go:embed mapping_call.yaml
	mappingCall []byte
	//go:embed mapping_message.yaml
	mappingMessage []byte
	//go:embed mapping_form.yaml
	mappingForm []byte
	//go:embed mapping_task.yaml
	mappingTask []byte
)

// Connector opens sessions of the demo CRM.
type Connector struct{}

// New returns the connector.
func New() Connector { return Connector{} }

var (
	_ connectors.Connector         = Connector{}
	_ connectors.Prototyper        = Connector{}
	_ connectors.ContactMatcher    = session{}
	_ connectors.OwnerResolver     = session{}
	_ connectors.OwnerLister       = session{}
	_ connectors.DispositionLister = session{}
	_ connectors.SchemaDescriber   = session{}
	_ connectors.Verifier          = session{}
	_ connectors.Linker            = session{}
	_ connectors.MessageLogger     = session{}
	_ connectors.FormWriter        = session{}
	_ connectors.TaskWriter        = session{}
	_ connectors.TaskReader        = session{}
)

// Info describes the demo CRM.
func (Connector) Info() connectors.Info {
	return connectors.Info{ID: ID, Label: "Demo CRM", Demo: true, Idempotency: connectors.KeyedUpsert, RequestTimeout: 5 * time.Second,
		Matches:  []string{connectors.ObjectContact},
		Mappings: map[string][]byte{connectors.ObjectCall: mappingCall, connectors.ObjectMessage: mappingMessage, connectors.ObjectForm: mappingForm, connectors.ObjectTask: mappingTask},
		Setup:    "The demo CRM needs no credentials. It is part of callsync and writes nothing anywhere else."}
}

// Prototype implements connectors.Prototyper.
func (Connector) Prototype() connectors.Session { return session{} }

// Open implements connectors.Connector.
func (Connector) Open(connectors.Settings) (connectors.Session, error) { return session{}, nil }

type session struct{}

// outcomes are those that the demo CRM takes. “Callback requested” is not among them, so that two calls are on hold.
var outcomes = []connectors.DispositionOption{{ID: "Interested", Label: "Interested"}, {ID: "Solved", Label: "Solved"}, {ID: "Not interested", Label: "Not interested"}, {ID: "Call again", Label: "Call again"}}

// people are the contacts. One number is that of two, of whom callsync has to ask.
var people = []connectors.Contact{
	contact("C-1001", "Jane Doe", "+1 202-555-0143", "Doe & Daughters Plumbing", "U-1", 3),
	contact("C-1002", "Rahul Sharma", "+1 202-555-0117", "Sharma Imports", "U-1", 41),
	contact("C-1003", "Chloé Lefèvre", "+1 202-555-0126", "", "U-2", 12),
	contact("C-1004", "Wei Zhang", "+1 202-555-0132", "Zhang & Sons", "U-1", 8),
	contact("C-1005", "Priya Natarajan", "+1 202-555-0158", "Natarajan Dental", "U-2", 77),
	contact("C-1006", "Omar Haddad", "+1 202-555-0164", "", "U-2", 20),
	contact("C-1007", "Diego Alvarez", "+1 202-555-0171", "Alvarez Roofing", "U-1", 5),
	contact("C-1008", "Lucía Alvarez", "+1 202-555-0171", "Alvarez Interiors", "U-2", 190),
}

var users = []connectors.Owner{{ID: "U-1", Email: "anna@demo.example", Name: "Anna Smith", Active: true}, {ID: "U-2", Email: "ben@demo.example", Name: "Ben Ortiz", Active: true}}

// contact is one of people, with its number as somebody typed it, and how many days ago it was changed.
func contact(id, name, number, company, owner string, days int) connectors.Contact {
	first, _, _ := strings.Cut(name, " ")
	plain := strings.NewReplacer("é", "e", "í", "i").Replace(strings.ToLower(first))
	return connectors.Contact{Ref: connectors.Ref{Object: connectors.ObjectContact, ID: id}, Name: name, OwnerID: owner, Numbers: []string{number},
		Emails: []string{plain + "@demo.example"}, Company: company, ModifiedAt: time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -days)}
}

// WriteCall implements connectors.Session.
func (session) WriteCall(_ context.Context, w connectors.CallWrite) (connectors.Written, error) {
	outcome, _ := w.Fields["outcome"].(string)
	if outcome != "" && !slices.ContainsFunc(outcomes, func(o connectors.DispositionOption) bool { return o.ID == outcome }) {
		return connectors.Written{}, &connectors.Error{Class: connectors.Invalid, Field: "outcome", Err: errors.New("demo: an outcome that is not in the list"),
			Public: "The demo CRM refused the field outcome: what the agent chose is not one of its outcomes (" + outcomeNames() + "). Change the field in the mapping, then retry."}
	}
	return written("CALL", w.Key, w.RemoteID, w.Links), nil
}

func outcomeNames() string {
	names := make([]string, len(outcomes))
	for i, o := range outcomes {
		names[i] = o.Label
	}
	return strings.Join(names, ", ")
}

// written is the answer to a write. The id follows from the key, so that a repetition is the same record.
func written(kind, key, remoteID string, links []connectors.Ref) connectors.Written {
	id := remoteID
	if id == "" {
		id = kind + "-" + key[max(0, len(key)-12):]
	}
	return connectors.Written{RemoteID: id, Created: remoteID == "", Linked: links}
}

// digits are those of a number: it stands here as people write it.
var digits = strings.NewReplacer(" ", "", "-", "")

// FindContacts implements connectors.ContactMatcher.
func (session) FindContacts(_ context.Context, q connectors.PhoneQuery) (found []connectors.Contact, err error) {
	for _, c := range people {
		if slices.ContainsFunc(c.Numbers, func(n string) bool { return digits.Replace(n) == q.E164 }) {
			found = append(found, c)
		}
	}
	return found, nil
}

// FindOwner implements connectors.OwnerResolver.
func (session) FindOwner(_ context.Context, email string) (connectors.Owner, bool, error) {
	for _, u := range users {
		if strings.EqualFold(u.Email, email) {
			return u, true, nil
		}
	}
	return connectors.Owner{}, false, nil
}

// Owners implements connectors.OwnerLister.
func (session) Owners(context.Context) ([]connectors.Owner, error) { return slices.Clone(users), nil }

// Dispositions implements connectors.DispositionLister.
func (session) Dispositions(context.Context) ([]connectors.DispositionOption, error) {
	return slices.Clone(outcomes), nil
}

// LinkCall implements connectors.Linker.
func (session) LinkCall(context.Context, string, connectors.Ref) error { return nil }

// LogMessage implements connectors.MessageLogger.
func (session) LogMessage(_ context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return written("SMS", w.Key, w.RemoteID, w.Links), nil
}

// WriteForm implements connectors.FormWriter.
func (session) WriteForm(_ context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return written("FORM", w.Key, w.RemoteID, w.Links), nil
}

// WriteTask implements connectors.TaskWriter.
func (session) WriteTask(_ context.Context, w connectors.RecordWrite) (connectors.Written, error) {
	return written("TASK", w.Key, w.RemoteID, w.Links), nil
}

// CompleteTask implements connectors.TaskWriter.
func (session) CompleteTask(context.Context, string) error { return nil }

// TaskOpen implements connectors.TaskReader: nobody works in the demo CRM.
func (session) TaskOpen(context.Context, string) (bool, error) { return true, nil }

// Verify implements connectors.Verifier.
func (session) Verify(context.Context) (connectors.Report, error) {
	return connectors.Report{Idempotency: connectors.KeyedUpsert, Account: "Demo CRM, part of callsync", Checks: []connectors.Check{
		{Name: "Sign-in", OK: true, Text: "The demo CRM needs none."},
		{Name: "Fields", OK: true, Text: "All fields of the mapping are there."},
		{Name: "One record per call", OK: true, Text: "The demo CRM keeps callsync’s own id of every record."},
	}}, nil
}

// Describe implements connectors.SchemaDescriber.
func (session) Describe(_ context.Context, object string) (connectors.Schema, error) {
	text := func(name, label string) connectors.SchemaField {
		return connectors.SchemaField{Name: name, Label: label, Type: connectors.TypeText}
	}
	typed := func(name, label string, t connectors.FieldType, options ...string) connectors.SchemaField {
		f := connectors.SchemaField{Name: name, Label: label, Type: t}
		for _, o := range options {
			f.Options = append(f.Options, records.SchemaOption{ID: o, Label: o})
		}
		return f
	}
	owner := typed("owner", "Owner", connectors.TypeRef)
	s := connectors.Schema{Object: object}
	switch object {
	case connectors.ObjectCall:
		names := make([]string, len(outcomes))
		for i, o := range outcomes {
			names[i] = o.ID
		}
		s.Outcomes = slices.Clone(outcomes)
		s.Fields = []connectors.SchemaField{text("subject", "Subject"), typed("started", "Started", connectors.TypeDateTime), typed("direction", "Direction", connectors.TypePicklist, "In", "Out"),
			text("result", "Result"), typed("seconds", "Length in seconds", connectors.TypeNumber), text("from", "From"), text("to", "To"),
			typed("outcome", "Outcome", connectors.TypePicklist, names...), typed("notes", "Notes", connectors.TypeLongText), text("tags", "Tags"), text("recording", "Recording"), owner}
	case connectors.ObjectMessage:
		s.Fields = []connectors.SchemaField{typed("sent", "Sent", connectors.TypeDateTime), typed("text", "Text", connectors.TypeLongText), owner}
	case connectors.ObjectForm:
		s.Fields = []connectors.SchemaField{typed("sent", "Sent", connectors.TypeDateTime), typed("text", "Text", connectors.TypeLongText), text("page", "Page"), owner}
	case connectors.ObjectTask:
		s.Fields = []connectors.SchemaField{text("subject", "Subject"), typed("text", "Text", connectors.TypeLongText), typed("due", "Due", connectors.TypeDateTime), owner}
	default:
		return s, &connectors.Error{Class: connectors.Unsupported, Public: "The demo CRM has no such records.", Err: errors.New("demo: an object without a schema")}
	}
	return s, nil
}
