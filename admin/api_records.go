package admin

import (
	"context"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// MessageView is a text message.
type MessageView struct {
	call.Message
	SourceID  string    `json:"source_id"`
	CreatedAt time.Time `json:"created_at"`
}

// FormView is a form submission.
type FormView struct {
	call.Form
	SourceID  string    `json:"source_id"`
	CreatedAt time.Time `json:"created_at"`
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
		return &answer[MessageView]{viewMessage(m)}, err
	})
	handle(h, viewer, get("/forms", "List form submissions", tag), func(ctx context.Context, p principal, in *recordsIn) (*answer[List[FormView]], error) {
		return listRecords(ctx, p, in, h.Store.FormsPage, viewForm, func(v FormView) (time.Time, string) { return v.CreatedAt, v.ID })
	})
	handle(h, viewer, get("/forms/{id}", "Show a form submission", tag), func(ctx context.Context, p principal, in *PathID) (*answer[FormView], error) {
		f, err := h.Store.FormByID(ctx, p.WorkspaceID, in.ID)
		return &answer[FormView]{viewForm(f)}, err
	})
}

func viewMessage(m records.MessageRow) MessageView {
	return MessageView{m.Message, m.SourceID, m.CreatedAt}
}

func viewForm(f records.FormRow) FormView { return FormView{f.Form, f.SourceID, f.CreatedAt} }

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
