package admin

import (
	"context"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// MessageView is a text message. What became of it is shown where one message is asked for, not in lists.
type MessageView struct {
	call.Message
	SourceID  string    `json:"source_id"`
	CreatedAt time.Time `json:"created_at"`
	LanesView
}

// LanesView says what became of a message or form in each CRM.
type LanesView struct {
	Why        []WhyView      `json:"why,omitempty" doc:"One sentence per connection."`
	Deliveries []DeliveryView `json:"deliveries,omitempty"`
}

// FormView is a form submission.
type FormView struct {
	call.Form
	SourceID  string    `json:"source_id"`
	CreatedAt time.Time `json:"created_at"`
	LanesView
}

type recordsIn struct {
	PageQuery
	Source string `query:"source"`
}

func (h *Handler) registerRecords() {
	const tag = "Messages and forms"
	handle(h, viewer, get("/messages", "List text messages", tag), func(ctx context.Context, p principal, in *recordsIn) (*answer[List[MessageView]], error) {
		return listRecords(ctx, p, in, h.Store.MessagesPage, viewMessage, func(v MessageView) (time.Time, string) { return v.CreatedAt, v.ID })
	})
	handle(h, viewer, get("/messages/{id}", "Show a text message", tag), func(ctx context.Context, p principal, in *PathID) (*answer[MessageView], error) {
		m, err := h.Store.MessageByID(ctx, p.WorkspaceID, in.ID)
		if err != nil {
			return nil, err
		}
		v := viewMessage(m)
		v.LanesView, err = h.lanesView(ctx, p.WorkspaceID, v.ID, v.SourceID, m.Revision, v.CreatedAt)
		return &answer[MessageView]{v}, err
	})
	handle(h, viewer, get("/forms", "List form submissions", tag), func(ctx context.Context, p principal, in *recordsIn) (*answer[List[FormView]], error) {
		return listRecords(ctx, p, in, h.Store.FormsPage, viewForm, func(v FormView) (time.Time, string) { return v.CreatedAt, v.ID })
	})
	handle(h, viewer, get("/forms/{id}", "Show a form submission", tag), func(ctx context.Context, p principal, in *PathID) (*answer[FormView], error) {
		f, err := h.Store.FormByID(ctx, p.WorkspaceID, in.ID)
		if err != nil {
			return nil, err
		}
		v := viewForm(f)
		v.LanesView, err = h.lanesView(ctx, p.WorkspaceID, v.ID, v.SourceID, f.Revision, v.CreatedAt)
		return &answer[FormView]{v}, err
	})
}

func viewMessage(m records.MessageRow) MessageView {
	return MessageView{Message: m.Message, SourceID: m.SourceID, CreatedAt: m.CreatedAt}
}

func viewForm(f records.FormRow) FormView {
	return FormView{Form: f.Form, SourceID: f.SourceID, CreatedAt: f.CreatedAt}
}

func listRecords[R, V any](ctx context.Context, p principal, in *recordsIn, read func(context.Context, string, records.RecordFilter) ([]R, error),
	view func(R) V, place func(V) (time.Time, string)) (*answer[List[V]], error) {
	before, err := decodeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	if in.Source != "" && !validID(in.Source) {
		return nil, invalid("source", "This is no id.")
	}
	rows, err := read(ctx, p.WorkspaceID, records.RecordFilter{SourceID: in.Source, Before: before.ID, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	items := make([]V, 0, len(rows))
	for _, r := range rows {
		items = append(items, view(r))
	}
	items, next := page(items, in.Limit, func(v V) records.Cursor {
		at, id := place(v)
		return records.Cursor{At: at, ID: id}
	})
	return &answer[List[V]]{List[V]{Items: items, NextCursor: next}}, nil
}

// lanesView says where a message or form stands in each CRM.
func (h *Handler) lanesView(ctx context.Context, workspaceID, id, sourceID string, revision int64, at time.Time) (LanesView, error) {
	lanes, deliveries, loc, err := h.lanesOf(ctx, workspaceID, id, sourceID, revision, at)
	v := LanesView{Why: []WhyView{}, Deliveries: []DeliveryView{}}
	for _, l := range lanes {
		v.Why = append(v.Why, WhyView{l.Connection.ID, l.Connection.Name, l.Connection.Connector, l.in(loc, l.Now), l.Action})
	}
	for _, d := range deliveries {
		v.Deliveries = append(v.Deliveries, viewDelivery(d))
	}
	return v, err
}

// lanesOf explains the lanes of a message or form. It is complete as soon as it is there: nothing is waited for.
func (h *Handler) lanesOf(ctx context.Context, workspaceID, id, sourceID string, revision int64, at time.Time) ([]explained, []records.DeliveryHistory, *time.Location, error) {
	k, err := h.kept(ctx, workspaceID)
	if err != nil {
		return nil, nil, time.UTC, err
	}
	deliveries, err := h.Store.DeliveriesOfCall(ctx, workspaceID, id)
	row := records.CallRow{Call: call.Call{ID: id, SourceID: sourceID, Revision: revision, Phase: call.Ended}, Complete: true, WindowBase: at}
	return h.explainAll(k, row, nil, deliveries), deliveries, location(k.sources[sourceID]), err
}
