package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/records"
)

// FollowUpView is what an action made of a call.
type FollowUpView struct {
	ID           string    `json:"id"`
	ConnectionID string    `json:"connection_id"`
	Kind         string    `json:"kind" enum:"task,ticket,deal"`
	Action       string    `json:"action" doc:"The name of the action that made it."`
	Subject      string    `json:"subject,omitempty"`
	State        string    `json:"state" enum:"open,overdue,escalated,done,cancelled"`
	Number       string    `json:"number,omitempty" doc:"The customer's number."`
	CallID       string    `json:"call_id" doc:"The newest of its calls."`
	Calls        int       `json:"calls" doc:"How many calls it is for: missed calls of one number in a row have one task."`
	DueAt        time.Time `json:"due_at,omitzero"`
	EscalateAt   time.Time `json:"escalate_at,omitzero"`
	ClosedAt     time.Time `json:"closed_at,omitzero"`
	ClosedBy     string    `json:"closed_by,omitempty" doc:"The call that closed it."`
	Closed       string    `json:"closed,omitempty" enum:"call,answered,no_match,completed,deleted,person,made,impossible,action_removed" doc:"Why it was closed."`
	CreatedAt    time.Time `json:"created_at"`
	// Why says where it stands.
	Why      string   `json:"why"`
	RemoteID string   `json:"remote_id,omitempty" doc:"Its record in the CRM."`
	URL      string   `json:"url,omitempty"`
	Delivery string   `json:"delivery" enum:"waiting,reserved,sending,done,parked,skipped" doc:"Parked is on hold."`
	Warnings []string `json:"warnings,omitempty"`
}

type followUpsIn struct {
	PageQuery
	Connection string `query:"connection"`
	Call       string `query:"call" doc:"Those of one call, or that it closed."`
	Kind       string `query:"kind" enum:"task,ticket,deal"`
	State      string `query:"state" doc:"Several are separated by commas: open,overdue."`
}

func (h *Handler) registerFollowUps() {
	const tag = "Follow-ups"
	handle(h, viewer, get("/follow-ups", "List what actions made of calls, newest first", tag), h.listFollowUps)
	handle(h, viewer, get("/follow-ups/{id}", "Show a follow-up", tag), func(ctx context.Context, p principal, in *PathID) (*answer[FollowUpView], error) {
		return h.followUp(ctx, p, in.ID)
	})
	handle(h, operator, post("/follow-ups/{id}/close", "Close a task: somebody has dealt with it", tag), func(ctx context.Context, p principal, in *PathID) (*answer[FollowUpView], error) {
		if err := h.Store.CloseFollowUp(ctx, p.WorkspaceID, in.ID); err != nil {
			return nil, err
		}
		return h.followUp(ctx, p, in.ID)
	})
	op := post("/follow-ups/{id}/retry", "Deliver a follow-up again that is on hold", tag)
	op.DefaultStatus = http.StatusAccepted
	handle(h, operator, op, func(ctx context.Context, p principal, in *PathID) (*answer[SyncView], error) {
		return &answer[SyncView]{SyncView{Queued: 1}}, h.Store.RetryFollowUp(ctx, p.WorkspaceID, in.ID)
	})
}

func (h *Handler) followUp(ctx context.Context, p principal, id string) (*answer[FollowUpView], error) {
	f, err := h.Store.FollowUp(ctx, p.WorkspaceID, id)
	if err != nil {
		return nil, err
	}
	return &answer[FollowUpView]{h.viewFollowUp(f)}, nil
}

func (h *Handler) listFollowUps(ctx context.Context, p principal, in *followUpsIn) (*answer[List[FollowUpView]], error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	rows, err := h.Store.FollowUps(ctx, p.WorkspaceID, f)
	if err != nil {
		return nil, err
	}
	rows, next := page(rows, in.Limit, followUpCursor)
	out := List[FollowUpView]{Items: make([]FollowUpView, 0, len(rows)), NextCursor: next}
	for _, r := range rows {
		out.Items = append(out.Items, h.viewFollowUp(r))
	}
	return &answer[List[FollowUpView]]{out}, nil
}

func followUpCursor(f records.FollowUpItem) records.Cursor {
	return records.Cursor{At: f.CreatedAt, ID: f.ID}
}

var followUpStates = []string{records.FollowUpOpen, records.FollowUpOverdue, records.FollowUpEscalated, records.FollowUpDone, records.FollowUpCancelled}

func (in *followUpsIn) filter() (f records.FollowUpFilter, err error) {
	before, err := decodeCursor(in.Cursor)
	if err != nil {
		return f, err
	}
	for name, id := range map[string]string{"connection": in.Connection, "call": in.Call} {
		if id != "" && !validID(id) {
			return f, invalid(name, "This is no id.")
		}
	}
	f = records.FollowUpFilter{ConnectionID: in.Connection, CallID: in.Call, Kind: in.Kind, Before: before.ID, Limit: in.Limit + 1}
	for s := range strings.SplitSeq(in.State, ",") {
		switch s = strings.TrimSpace(s); {
		case s == "":
		case !slices.Contains(followUpStates, s):
			return f, invalid("state", "There is no such state; there are "+strings.Join(followUpStates, ", ")+".")
		default:
			f.States = append(f.States, s)
		}
	}
	return f, nil
}

func (h *Handler) viewFollowUp(f records.FollowUpItem) FollowUpView {
	return FollowUpView{
		ID: f.ID, ConnectionID: f.ConnectionID, Kind: f.Kind, Action: f.Action, Subject: f.Plan.Subject, State: f.State, Number: f.Number,
		CallID: f.CallID, Calls: f.Calls, DueAt: f.DueAt, EscalateAt: f.EscalateAt, ClosedAt: f.ClosedAt, ClosedBy: f.ClosedBy, Closed: f.Closed,
		CreatedAt: f.CreatedAt, Why: h.whyFollowUp(f).in(time.UTC, h.Now()), RemoteID: f.Delivery.RemoteID, URL: webURL(f.Delivery.RemoteURL),
		Delivery: f.Delivery.State, Warnings: f.Delivery.Warnings,
	}
}

// whyFollowUp says in a sentence where a follow-up stands and what helps.
func (h *Handler) whyFollowUp(f records.FollowUpItem) why {
	crm, d := h.label(f.Connector), f.Delivery
	switch {
	case d.State == records.DeliveryParked:
		action := actionRetry
		if d.Class == "paused" || d.Class == "revoked" {
			action = actionOpenConnection
		}
		return sentence("trouble", action, "On hold: ", full(d.Reason))
	case d.RetryAt.After(h.Now()) && f.Settled < f.Revision:
		return sentence("wait", actionNone, full(d.Reason), " Next try ", d.RetryAt, ".")
	case f.Over():
		return h.whyOver(f, crm)
	case f.Settled == 0:
		return sentence("wait", actionNone, "It is being made in "+crm+".")
	case f.State == records.FollowUpOpen && f.DueAt.IsZero():
		return sentence("wait", actionNone, "Waits for a call with the number.")
	case f.State == records.FollowUpOpen:
		return sentence("wait", actionNone, "Due ", f.DueAt, ". A later call with the number closes it.")
	case f.State == records.FollowUpOverdue && !f.EscalateAt.IsZero():
		return sentence("trouble", actionNone, "Overdue since ", f.DueAt, "; it is escalated ", f.EscalateAt, ".")
	case f.State == records.FollowUpOverdue:
		return sentence("trouble", actionNone, "Overdue since ", f.DueAt, ".")
	}
	return sentence("trouble", actionNone, "Overdue since ", f.DueAt, ", and escalated.")
}

func (h *Handler) whyOver(f records.FollowUpItem, crm string) why {
	tone := "done"
	if f.State == records.FollowUpCancelled {
		tone = "idle"
	}
	end := " ("
	words, ok := map[string]string{
		records.ClosedByCall:   "A later call with the number closed it",
		records.ClosedAnswered: "The call was answered after all",
		records.ClosedNoMatch:  "The action does not apply to the call any more",
		records.ClosedInCRM:    "Somebody completed it in " + crm,
		records.ClosedDeleted:  "Somebody deleted it in " + crm,
		records.ClosedByPerson: "Closed in callsync",
		records.ClosedNoAction: "The action was removed before it was done",
	}[f.Closed]
	switch {
	case f.Closed == records.ClosedMade && f.Kind == records.FollowUpDeal:
		words, ok = "The deal is changed", true
	case f.Closed == records.ClosedMade:
		words, ok = "The ticket is in "+crm, true
	}
	if !ok {
		return sentence(tone, actionNone, full(f.Delivery.Reason))
	}
	if f.Settled < f.Revision {
		return sentence("wait", actionNone, words+end, f.ClosedAt, "). "+crm+" is being told.")
	}
	return sentence(tone, actionNone, words+end, f.ClosedAt, ").")
}
