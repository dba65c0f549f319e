package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// ReviewView is the question whose number this is.
type ReviewView struct {
	ID           string              `json:"id"`
	ConnectionID string              `json:"connection_id"`
	Number       string              `json:"number"`
	Kind         string              `json:"kind" enum:"many,none" doc:"many: several contacts share the number; none: no contact has it."`
	Candidates   []records.Candidate `json:"candidates"`
	Total        int                 `json:"total" doc:"How many contacts share the number, also those that are not among the candidates."`
	State        string              `json:"state" enum:"open,resolved,dismissed" doc:"dismissed: the question went away by itself."`
	ContactID    string              `json:"contact_id,omitempty" doc:"What was chosen: a contact's id, none or create."`
	Object       string              `json:"object,omitempty"`
	ResolvedBy   string              `json:"resolved_by,omitempty"`
	CreatedAt    time.Time           `json:"created_at"`
	ResolvedAt   time.Time           `json:"resolved_at,omitzero"`
	Calls        int64               `json:"calls" doc:"How many calls wait for the answer."`
	CallIDs      []string            `json:"call_ids" doc:"Some of them, the newest first."`
	Queued       int                 `json:"queued,omitempty" doc:"How many calls are delivered again now."`
}

// MatchChoiceView is what a person chose for a number.
type MatchChoiceView struct {
	ID           string    `json:"id"`
	ConnectionID string    `json:"connection_id"`
	Number       string    `json:"number"`
	ContactID    string    `json:"contact_id" doc:"A contact's id in the CRM, none or create."`
	Object       string    `json:"object,omitempty"`
	Name         string    `json:"name,omitempty"`
	ChosenBy     string    `json:"chosen_by,omitempty"`
	CreatedAt    time.Time `json:"created_at"`
}

type reviewsIn struct {
	PageQuery
	State      string `query:"state" enum:"open,resolved,dismissed" doc:"Absent: all."`
	Connection string `query:"connection"`
}

type choicesIn struct {
	PageQuery
	Connection string `query:"connection"`
}

type resolveIn struct {
	PathID
	Body struct {
		ContactID string `json:"contact_id" minLength:"1" maxLength:"200" doc:"The contact's id in the CRM; none: leave the number without a contact; create: have one created." example:"10482"`
		Object    string `json:"object,omitempty" maxLength:"40" doc:"The contact's object, or what to create. Absent: the candidate's, else contact." example:"contact"`
	}
}

func (h *Handler) registerReviews() {
	const tag = "Contact match"
	handle(h, viewer, get("/reviews", "Numbers of which people are asked whose they are", tag), h.listReviews)
	handle(h, viewer, get("/reviews/{id}", "Show one of these questions", tag), h.getReview)
	handle(h, operator, post("/reviews/{id}/resolve", "Answer it; the answer is remembered for the number", tag), h.resolveReview)
	handle(h, operator, post("/reviews/{id}/reopen", "Take the answer back and ask again; what was delivered stays", tag), h.reopenReview)
	handle(h, viewer, get("/match-choices", "What people chose for numbers", tag), h.listChoices)
	handle(h, operator, method(http.MethodDelete, "/match-choices/{id}", "Forget a choice; the number's next call is matched anew", tag), h.forgetChoice)
}

func viewReview(r records.Review) ReviewView {
	v := ReviewView{ID: r.ID, ConnectionID: r.ConnectionID, Number: r.Number, Kind: r.Kind, Candidates: r.Candidates, Total: r.Total, State: r.State,
		ContactID: r.Choice, Object: r.Object, ResolvedBy: r.ResolvedBy, CreatedAt: r.CreatedAt, ResolvedAt: r.ResolvedAt, Calls: r.Calls, CallIDs: r.CallIDs}
	if v.Candidates == nil {
		v.Candidates = []records.Candidate{}
	}
	if v.CallIDs == nil {
		v.CallIDs = []string{}
	}
	return v
}

func (h *Handler) listReviews(ctx context.Context, p principal, in *reviewsIn) (*answer[List[ReviewView]], error) {
	before, err := decodeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	all, err := h.Store.Reviews(ctx, p.WorkspaceID, records.ReviewFilter{State: in.State, ConnectionID: in.Connection, Before: before, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	rows, next := page(all, in.Limit, func(r records.Review) records.Cursor { return records.Cursor{At: r.CreatedAt, ID: r.ID} })
	items := make([]ReviewView, 0, len(rows))
	for _, r := range rows {
		items = append(items, viewReview(r))
	}
	return &answer[List[ReviewView]]{List[ReviewView]{Items: items, NextCursor: next}}, nil
}

func (h *Handler) getReview(ctx context.Context, p principal, in *PathID) (*answer[ReviewView], error) {
	r, err := h.Store.ReviewByID(ctx, p.WorkspaceID, in.ID)
	return &answer[ReviewView]{viewReview(r)}, err
}

func (h *Handler) resolveReview(ctx context.Context, p principal, in *resolveIn) (*answer[ReviewView], error) {
	queued, err := h.resolve(ctx, p, in.ID, in.Body.ContactID, in.Body.Object)
	if err != nil {
		return nil, err
	}
	r, err := h.Store.ReviewByID(ctx, p.WorkspaceID, in.ID)
	v := viewReview(r)
	v.Queued = queued
	return &answer[ReviewView]{v}, err
}

// resolve answers a review and has the calls that wait delivered.
func (h *Handler) resolve(ctx context.Context, p principal, id, contactID, object string) (queued int, err error) {
	r, err := h.Store.ReviewByID(ctx, p.WorkspaceID, id)
	if err != nil {
		return 0, err
	}
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, r.ConnectionID)
	if err != nil {
		return 0, err
	}
	choice, err := h.choiceOf(r, c, contactID, object)
	if err != nil {
		return 0, err
	}
	choice.ChosenBy = p.Name
	held, err := h.Store.ResolveReview(ctx, p.WorkspaceID, id, choice)
	if errors.Is(err, records.ErrConflict) {
		return 0, problem(http.StatusConflict, "Somebody has answered this already, or the question has gone away.")
	}
	if err != nil {
		return 0, err
	}
	// The answer is kept, whether the calls can be signalled now or are found after a while.
	if err := h.drainHeld(ctx, p.WorkspaceID, held); err != nil {
		h.Log.WarnContext(ctx, "the calls of a review could not all be signalled; they follow", "workspace", p.WorkspaceID, "review", id, "err", err)
	}
	return len(held), nil
}

func (h *Handler) reopenReview(ctx context.Context, p principal, in *PathID) (*answer[ReviewView], error) {
	err := h.Store.ReopenReview(ctx, p.WorkspaceID, in.ID)
	if errors.Is(err, records.ErrConflict) {
		return nil, problem(http.StatusConflict, "This question is not answered, or the number is asked about again already.")
	}
	if err != nil {
		return nil, err
	}
	return h.getReview(ctx, p, in)
}

// choiceOf checks an answer.
func (h *Handler) choiceOf(r records.Review, c records.Connection, contactID, object string) (records.MatchChoice, error) {
	info := h.info(c)
	choice := records.MatchChoice{Choice: contactID, Object: object}
	switch contactID {
	case records.ChoiceNone:
		choice.Object = ""
		return choice, nil
	case records.ChoiceCreate:
		choice.Object = cmp.Or(object, creates(info)[0])
		if !h.canCreate(c) || !slices.Contains(creates(info), choice.Object) {
			return choice, invalid("object", fmt.Sprintf("callsync does not create a %s in %s.", clip(choice.Object, 40), h.crm(c)))
		}
		return choice, nil
	}
	i := slices.IndexFunc(r.Candidates, func(c records.Candidate) bool { return c.ID == contactID && (object == "" || c.Object == object) })
	if i >= 0 {
		choice.Object, choice.Name = r.Candidates[i].Object, r.Candidates[i].Name
		return choice, nil
	}
	choice.Object = cmp.Or(object, connectors.ObjectContact)
	if !slices.Contains(searched(info), choice.Object) {
		return choice, invalid("object", fmt.Sprintf("A call in %s cannot belong to this. It can to: %v.", h.crm(c), searched(info)))
	}
	return choice, nil
}

// canCreate tells whether a connection's CRM lets callsync create contacts.
func (h *Handler) canCreate(c records.Connection) bool {
	connector, ok := h.Connectors[c.Connector].(connectors.Prototyper)
	if !ok {
		return false
	}
	_, ok = connector.Prototype().(connectors.ContactCreator)
	return ok
}

func (h *Handler) listChoices(ctx context.Context, p principal, in *choicesIn) (*answer[List[MatchChoiceView]], error) {
	before, err := decodeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	all, err := h.Store.Choices(ctx, p.WorkspaceID, in.Connection, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows, next := page(all, in.Limit, func(c records.MatchChoice) records.Cursor { return records.Cursor{At: c.CreatedAt, ID: c.ID} })
	items := make([]MatchChoiceView, 0, len(rows))
	for _, c := range rows {
		items = append(items, MatchChoiceView{c.ID, c.ConnectionID, c.Number, c.Choice, c.Object, c.Name, c.ChosenBy, c.CreatedAt})
	}
	return &answer[List[MatchChoiceView]]{List[MatchChoiceView]{Items: items, NextCursor: next}}, nil
}

func (h *Handler) forgetChoice(ctx context.Context, p principal, in *PathID) (*none, error) {
	return nil, h.Store.ForgetChoice(ctx, p.WorkspaceID, in.ID)
}
