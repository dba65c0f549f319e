package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// FollowUpStore keeps what is made of calls beside their records.
type FollowUpStore interface {
	// Actions returns what is made of the calls of a connection; version zero where there never was anything.
	Actions(ctx context.Context, workspaceID, connectionID string) (records.Actions, error)
	// PutActions replaces them if Version is still the one in force; a negative one does not matter. Errors:
	// records.ErrNotFound, records.ErrConflict.
	PutActions(ctx context.Context, workspaceID string, a records.Actions) (records.Actions, error)
	FollowUps(ctx context.Context, workspaceID string, f records.FollowUpFilter) ([]records.FollowUpItem, error)
	FollowUp(ctx context.Context, workspaceID, id string) (records.FollowUpItem, error)
	// RetryFollowUp has a follow-up delivered again, CloseFollowUp closes a task by a person's word.
	RetryFollowUp(ctx context.Context, workspaceID, id string) error
	CloseFollowUp(ctx context.Context, workspaceID, id string) error
}

// ActionsText is an actions document in a request: text in YAML or JSON, or the JSON itself.
type ActionsText struct{ MappingText }

// Schema is a string or an object.
func (ActionsText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeObject, AdditionalProperties: true}},
		Description: "The actions document: text in YAML or JSON, or the JSON itself. Empty text is no actions."}
}

type actionsPut struct {
	PathID
	Body struct {
		Document ActionsText `json:"document"`
		Version  *int        `json:"version,omitempty" minimum:"0" doc:"The version that the change was made from. If somebody else changed the actions meanwhile, the answer is 409. Absent: it does not matter."`
	}
}

type actionsTry struct {
	PathID
	Body struct {
		Document ActionsText `json:"document"`
		Last     int         `json:"last,omitempty" minimum:"1" maximum:"500" default:"50" doc:"How many of the last calls are looked at."`
	}
}

// ActionsPreview is what a document would have made of the last calls.
type ActionsPreview struct {
	Total int `json:"total"`
	// Made is how many follow-ups of each kind; missed calls of one number in a row would have one task together.
	Made  map[string]int `json:"made" doc:"By kind: task, ticket, deal. Missed calls of one number in a row share one task."`
	Items []ActedCall    `json:"items" doc:"Newest first; only calls of which something would be made, or nobody knows."`
}

// ActedCall is what would be made of one call.
type ActedCall struct {
	CallID    string         `json:"call_id"`
	StartedAt time.Time      `json:"started_at"`
	Direction call.Direction `json:"direction,omitempty"`
	Status    call.Status    `json:"status,omitempty"`
	Customer  string         `json:"customer,omitempty"`
	Makes     []MadeOfCall   `json:"makes"`
	at        *time.Location
}

// MadeOfCall is one thing that would be made of a call.
type MadeOfCall struct {
	Action  string    `json:"action"`
	Kind    string    `json:"kind,omitempty" enum:"task,ticket,deal"`
	Subject string    `json:"subject,omitempty"`
	DueAt   time.Time `json:"due_at,omitzero"`
	Failed  string    `json:"failed,omitempty" doc:"Why the action does not work for this call."`
}

func (h *Handler) registerActions() {
	const tag, path = "Follow-ups", "/connections/{id}/actions"
	handle(h, viewer, get(path, "What else is made of the calls of a connection: tasks, tickets, changes of deals", tag), func(ctx context.Context, p principal, in *PathID) (*answer[RulesView], error) {
		o, err := h.acted(ctx, p, in.ID)
		if err != nil {
			return nil, err
		}
		return &answer[RulesView]{viewActions(o.present)}, nil
	})
	handle(h, admin, method(http.MethodPut, path, "Replace the actions of a connection", tag), func(ctx context.Context, p principal, in *actionsPut) (*answer[RulesView], error) {
		o, err := h.acted(ctx, p, in.ID)
		if err != nil {
			return nil, err
		}
		version := -1
		if in.Body.Version != nil {
			version = *in.Body.Version
		}
		saved, err := h.saveActions(ctx, p, o, in.Body.Document.Text, version)
		return &answer[RulesView]{viewActions(saved)}, err
	})
	handle(h, viewer, post(path+"/preview", "What other actions would have made of the last calls", tag), func(ctx context.Context, p principal, in *actionsTry) (*answer[ActionsPreview], error) {
		o, err := h.acted(ctx, p, in.ID)
		if err != nil {
			return nil, err
		}
		if err := h.checkActions(ctx, p, o, in.Body.Document.Text); err != nil {
			return nil, rulesProblem(err)
		}
		preview, err := h.previewActions(ctx, p, o, in.Body.Document.Text, in.Body.Last)
		return &answer[ActionsPreview]{preview}, err
	})
}

func viewActions(a records.Actions) RulesView {
	v := RulesView{Document: a.Document, Version: a.Version, Author: a.Author}
	if a.Version > 0 {
		v.UpdatedAt = &a.UpdatedAt
	}
	return v
}

// actedConnection is a connection with its actions, and the sources whose calls they are for.
type actedConnection struct {
	ruledOwner
	connection records.Connection
	present    records.Actions
}

func (h *Handler) acted(ctx context.Context, p principal, id string) (o actedConnection, err error) {
	if o.ruledOwner, err = h.ruled(ctx, p, records.RulesOfConnection, id); err != nil {
		return o, err
	}
	if o.connection, err = h.Store.ConnectionByID(ctx, p.WorkspaceID, id); err != nil {
		return o, err
	}
	o.present, err = h.Store.Actions(ctx, p.WorkspaceID, id)
	return o, err
}

// What an action needs of the CRM, by its kind.
var actionNeeds = map[mappings.ActionKind]struct {
	object, what string
	can          func(connectors.Session) bool
}{
	mappings.DoFollowUp: {connectors.ObjectTask, "no follow-up tasks", func(s connectors.Session) bool { _, ok := s.(connectors.TaskWriter); return ok }},
	mappings.DoTicket:   {connectors.ObjectTicket, "no tickets", func(s connectors.Session) bool { _, ok := s.(connectors.TicketWriter); return ok }},
	mappings.DoDeal:     {"", "no changes of deals", func(s connectors.Session) bool { _, ok := s.(connectors.DealToucher); return ok }},
}

// checkActions finds everything that is wrong with a document, also what this CRM cannot do. The error is a
// mappings.RuleProblems, or the store's.
func (h *Handler) checkActions(ctx context.Context, p principal, o actedConnection, text string) error {
	if text == "" {
		return nil
	}
	doc, err := mappings.ParseActions([]byte(text), o.countries()...)
	var problems mappings.RuleProblems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	proto, ok := h.Connectors[o.connection.Connector].(connectors.Prototyper)
	for i, a := range doc.Actions {
		need, known := actionNeeds[a.Do]
		switch {
		case !known || !ok:
		case !need.can(proto.Prototype()):
			problems = append(problems, mappings.ActionProblem(i+1, a.Name, "do", fmt.Sprintf("%s takes %s from callsync.", h.crm(o.connection), need.what)))
		case need.object != "":
			_, err := h.Store.ActiveMapping(ctx, p.WorkspaceID, o.id, need.object)
			if errors.Is(err, records.ErrNotFound) {
				problems = append(problems, mappings.ActionProblem(i+1, a.Name, "do", fmt.Sprintf("This connection has no mapping for the object %s. Add one first.", need.object)))
			} else if err != nil {
				return err
			}
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

func (h *Handler) saveActions(ctx context.Context, p principal, o actedConnection, text string, version int) (records.Actions, error) {
	if err := h.checkActions(ctx, p, o, text); err != nil {
		return records.Actions{}, rulesProblem(err)
	}
	saved, err := h.Store.PutActions(ctx, p.WorkspaceID, records.Actions{ConnectionID: o.id, Version: version, Document: text, Author: p.Name})
	if errors.Is(err, records.ErrConflict) {
		return saved, problem(http.StatusConflict, "Somebody else changed these actions meanwhile. Load them again, and make your change there.")
	}
	return saved, err
}

// previewActions tells what a document that is right would have made of the last calls.
func (h *Handler) previewActions(ctx context.Context, p principal, o actedConnection, text string, last int) (ActionsPreview, error) {
	out := ActionsPreview{Items: []ActedCall{}, Made: map[string]int{}}
	ours, err := h.ownNumbers(ctx, p.WorkspaceID)
	if err != nil {
		return out, err
	}
	bySource := map[string]records.Source{}
	for _, s := range o.sources {
		bySource[s.ID] = s
	}
	calls, err := h.lastCalls(ctx, p.WorkspaceID, o.ruledOwner, bySource, cmp.Or(last, previewed))
	if err != nil {
		return out, err
	}
	compiled := map[string]*mappings.Actions{}
	for _, row := range calls {
		s := bySource[row.Call.SourceID]
		actions, ok := compiled[s.DefaultCountry]
		if !ok {
			if actions, err = mappings.ReadActions([]byte(text), s.DefaultCountry); err != nil {
				return out, err
			}
			compiled[s.DefaultCountry] = actions
		}
		in := mappings.Input{Call: row.Call, OwnNumber: ours[row.Call.Customer.Number], Location: location(s), Country: s.DefaultCountry}
		out.Total++
		item := ActedCall{CallID: row.Call.ID, StartedAt: row.ListedAt, Direction: row.Call.Direction, Status: row.Call.Status, at: location(s),
			Customer: cmp.Or(row.Call.Customer.Name, row.Call.Customer.Number, row.Call.Customer.RawNumber)}
		for i := range actions.Len() {
			if made, ok := madeOf(actions, i, in); ok {
				item.Makes = append(item.Makes, made)
				if made.Failed == "" {
					out.Made[made.Kind]++
				}
			}
		}
		if len(item.Makes) > 0 {
			out.Items = append(out.Items, item)
		}
	}
	return out, nil
}

// madeOf is what the i-th action would make of a call; ok is false for nothing.
func madeOf(actions *mappings.Actions, i int, in mappings.Input) (m MadeOfCall, ok bool) {
	a := actions.At(i)
	m = MadeOfCall{Action: a.Name, Kind: records.FollowUpDeal}
	ok, err := actions.Holds(i, in)
	if err == nil && ok {
		switch a.Do {
		case mappings.DoDeal:
			_, err = actions.DealFields(i, in)
		case mappings.DoTicket:
			m.Kind = records.FollowUpTicket
			m.Subject, _, err = actions.Texts(i, in)
		case mappings.DoFollowUp:
			m.Kind = records.FollowUpTask
			m.Subject, _, err = actions.Texts(i, in)
			at := in.Call.EndedAt
			if at.IsZero() {
				at = in.Call.StartedAt
			}
			if m.DueAt, _ = actions.Due(i, at, in.Location); in.Call.Customer.Number == "" || in.OwnNumber {
				return m, false
			}
		}
	}
	if err != nil {
		failed := (*mappings.RuleError)(nil)
		m.Failed = "The action does not work for this call."
		if errors.As(err, &failed) {
			m.Failed = failed.Public
		}
		return m, true
	}
	return m, ok
}
