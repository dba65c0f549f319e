package admin

import (
	"context"
	"encoding/json"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// ReceiptSummary is a receipt without its bytes.
type ReceiptSummary struct {
	ID         string    `json:"id"`
	SourceID   string    `json:"source_id"`
	ReceivedAt time.Time `json:"received_at"`
	Method     string    `json:"method"`
	Event      string    `json:"event,omitempty" doc:"The event in the hook URL."`
	Bytes      int       `json:"bytes"`
	Signature  string    `json:"signature" enum:"ok,bad,none"`
	State      string    `json:"state" enum:"pending,applied,ignored,quarantined,rejected"`
	Reason     string    `json:"reason,omitempty"`
	RecordKind string    `json:"record_kind,omitempty" enum:"call,message,form"`
	RecordID   string    `json:"record_id,omitempty"`
	Changed    bool      `json:"changed" doc:"Whether it changed its record; a duplicate does not."`
	AppliedAt  time.Time `json:"applied_at,omitzero"`
}

// ReceiptView is a receipt as it arrived.
type ReceiptView struct {
	ReceiptSummary
	Detail  string              `json:"detail,omitempty" doc:"For operators: the chain of errors."`
	Query   string              `json:"query,omitempty"`
	Headers map[string][]string `json:"headers"`
	Body    string              `json:"body" doc:"As text; bytes that are none are replaced. The exact bytes are in body_base64."`
	Raw     []byte              `json:"body_base64"`
	Events  []call.Event        `json:"events" doc:"What callsync understood."`
	Reading []string            `json:"reading" doc:"The same in a few words, an event a line."`
}

type receiptsIn struct {
	PageQuery
	Source string    `query:"source"`
	State  string    `query:"state" enum:"pending,applied,ignored,quarantined,rejected"`
	From   time.Time `query:"from"`
	To     time.Time `query:"to"`
}

func (h *Handler) registerReceipts() {
	const tag = "Receipts"
	handle(h, viewer, get("/receipts", "List webhook requests as they arrived", tag), h.listReceipts)
	handle(h, viewer, get("/receipts/{id}", "Show a webhook request with its body and what was understood", tag), h.getReceipt)
	op := post("/receipts/{id}/replay", "Read a webhook request again", tag)
	op.DefaultStatus = 202
	handle(h, operator, op, h.replayReceipt)
}

func viewReceipt(r records.ReceiptItem) ReceiptSummary {
	state := r.Result.State
	if state == "" {
		state = records.ReceiptPending
	}
	return ReceiptSummary{ID: r.ID, SourceID: r.SourceID, ReceivedAt: r.ReceivedAt, Method: r.Method, Event: r.HookEvent,
		Bytes: r.BodyBytes, Signature: r.Signature, State: state, Reason: r.Result.Reason, RecordKind: r.Result.RecordKind,
		RecordID: r.Result.RecordID, Changed: r.Result.Changed, AppliedAt: r.Result.AppliedAt}
}

func (h *Handler) listReceipts(ctx context.Context, p principal, in *receiptsIn) (*answer[List[ReceiptSummary]], error) {
	before, err := decodeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	if in.Source != "" && !validID(in.Source) {
		return nil, invalid("source", "This is no id.")
	}
	rows, err := h.Store.ReceiptsPage(ctx, p.WorkspaceID, records.ReceiptFilter{SourceID: in.Source, State: in.State,
		From: in.From, To: in.To, Before: before.ID, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	rows, next := page(rows, in.Limit, receiptCursor)
	list := List[ReceiptSummary]{Items: make([]ReceiptSummary, 0, len(rows)), NextCursor: next}
	for _, r := range rows {
		list.Items = append(list.Items, viewReceipt(r))
	}
	return &answer[List[ReceiptSummary]]{list}, nil
}

func receiptCursor(r records.ReceiptItem) records.Cursor {
	return records.Cursor{At: r.ReceivedAt, ID: r.ID}
}

func (h *Handler) getReceipt(ctx context.Context, p principal, in *PathID) (*answer[ReceiptView], error) {
	r, err := h.Store.ReceiptByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	events, err := h.Store.EventsOfReceipt(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	v := ReceiptView{ReceiptSummary: viewReceipt(records.ReceiptItem{Receipt: r, BodyBytes: len(r.Body)}), Detail: r.Result.Detail,
		Query: validText(r.Query), Headers: headersOf(r), Body: validText(r.Body), Raw: r.Body, Events: events, Reading: readings(events)}
	if v.Events == nil {
		v.Events = []call.Event{}
	}
	if v.Reading == nil {
		v.Reading = []string{}
	}
	if v.Raw == nil {
		v.Raw = []byte{}
	}
	return &answer[ReceiptView]{v}, nil
}

func headersOf(r records.Receipt) map[string][]string {
	out := map[string][]string{}
	if err := json.Unmarshal(r.Headers, &out); err != nil {
		return map[string][]string{}
	}
	return out
}

func (h *Handler) replayReceipt(ctx context.Context, p principal, in *PathID) (*answer[ReceiptView], error) {
	if err := h.replay(ctx, p, in.ID); err != nil {
		return nil, err
	}
	return h.getReceipt(ctx, p, in)
}

func (h *Handler) replay(ctx context.Context, p principal, id string) error {
	if _, err := h.Store.ReceiptByID(ctx, p.WorkspaceID, id); err != nil {
		return err
	}
	if err := h.Replayer.Replay(ctx, p.WorkspaceID, id); err != nil {
		return err
	}
	return h.Store.Audit(ctx, p.WorkspaceID, records.Change{Action: "receipt.replay", ObjectKind: "receipt", ObjectID: id})
}
