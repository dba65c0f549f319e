package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// CallSummary is a call in a list, with the names of the canonical call.
type CallSummary struct {
	ID              string         `json:"id"`
	SourceID        string         `json:"source_id"`
	Provider        string         `json:"provider"`
	ProviderID      string         `json:"provider_call_id,omitempty"`
	Revision        int64          `json:"revision"`
	Phase           call.Phase     `json:"phase"`
	State           string         `json:"state" enum:"live,waiting,synced,on_hold,skipped" doc:"Where it stands with its CRMs, taken together."`
	Direction       call.Direction `json:"direction"`
	Status          call.Status    `json:"status"`
	Customer        call.Party     `json:"customer,omitzero"`
	BusinessNumber  string         `json:"business_number,omitempty"`
	Agents          []call.Agent   `json:"agents,omitempty"`
	StartedAt       time.Time      `json:"started_at,omitzero"`
	EndedAt         time.Time      `json:"ended_at,omitzero"`
	DurationSeconds *int64         `json:"duration_seconds,omitempty"`
	CreatedAt       time.Time      `json:"created_at"`
	Deliveries      []DeliveryView `json:"deliveries"`
}

// CallView is a call with everything that is known of it.
type CallView struct {
	call.Call
	State      string                                `json:"state" enum:"live,waiting,synced,on_hold,skipped"`
	Complete   bool                                  `json:"complete" doc:"Nothing that is expected is missing."`
	Artifacts  map[call.Artifact]call.ArtifactStatus `json:"artifacts"`
	WindowEnds time.Time                             `json:"window_ends_at,omitzero"`
	CreatedAt  time.Time                             `json:"created_at"`
	Why        []WhyView                             `json:"why"`
	Events     []call.Event                          `json:"events"`
	Receipts   []ReceiptSummary                      `json:"receipts"`
	Deliveries []DeliveryView                        `json:"deliveries"`
	Kept       []RecordingView                       `json:"recordings_kept" doc:"What callsync keeps of the recordings: permanent links, copies, and why there is none."`
	FollowUps  []FollowUpView                        `json:"follow_ups" doc:"What actions made of the call, and what it closed."`
}

// WhyView says in a sentence where one connection's delivery of the call stands, and what helps.
type WhyView struct {
	ConnectionID string `json:"connection_id"`
	Connection   string `json:"connection" doc:"The connection's name."`
	Connector    string `json:"connector"`
	Sentence     string `json:"sentence" example:"In HubSpot since 14:03, updated 14:09 with the recording." doc:"Times are in the zone of the source."`
	Action       string `json:"action" enum:"none,retry,open_connection,open_review"`
}

// DeliveryView is a record of ours in one CRM.
type DeliveryView struct {
	ID             string                  `json:"id"`
	ConnectionID   string                  `json:"connection_id"`
	State          string                  `json:"state" enum:"waiting,sending,done,on_hold,skipped"`
	Revision       int64                   `json:"revision" doc:"The revision of the call that this delivery has settled."`
	RemoteID       string                  `json:"remote_id,omitempty"`
	RemoteURL      string                  `json:"remote_url,omitempty"`
	MappingVersion int                     `json:"mapping_version,omitempty"`
	Written        map[string]any          `json:"written,omitempty" doc:"What callsync last wrote, by field of the CRM."`
	Kept           []KeptView              `json:"kept,omitempty" doc:"What people changed in the CRM and callsync left there, the last edit of each field."`
	Shadow         *records.Shadow         `json:"shadow,omitempty" doc:"What would have been written, where the connection is in shadow mode."`
	Steps          map[string]records.Step `json:"steps,omitempty"`
	Warnings       []string                `json:"warnings,omitempty"`
	Class          string                  `json:"class,omitempty"`
	Field          string                  `json:"field,omitempty"`
	Reason         string                  `json:"reason,omitempty"`
	RetryAt        time.Time               `json:"retry_at,omitzero"`
	UpdatedAt      time.Time               `json:"updated_at"`
	Attempts       []AttemptView           `json:"attempts,omitempty"`
}

// AttemptView is one try of a delivery.
type AttemptView struct {
	At         time.Time `json:"at"`
	Revision   int64     `json:"revision"`
	Outcome    string    `json:"outcome" enum:"done,unchanged,skipped,on_hold,retry"`
	Class      string    `json:"class,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	DurationMS int64     `json:"duration_ms"`
}

type callsIn struct {
	PageQuery
	CallQuery
}

type syncIn struct {
	PathID
	Body *struct {
		Connections []string `json:"connections,omitempty" doc:"Only these; default: all that the call belongs to."`
	}
}

// SyncView says what was asked for.
type SyncView struct {
	Queued int `json:"queued" doc:"How many calls will be delivered."`
}

func (h *Handler) registerCalls() {
	const tag = "Calls"
	handle(h, viewer, get("/calls", "List calls", tag), h.listCalls)
	h.registerCallExport()
	handle(h, viewer, get("/calls/{id}", "Show a call with its artifacts, events, receipts and deliveries, and why it is where it is", tag), h.getCall)
	op := post("/calls/{id}/sync", "Deliver a call now, also if it waits or is on hold", tag)
	op.DefaultStatus = 202
	handle(h, operator, op, h.syncCall)
	handle(h, viewer, get("/stats", "Figures of a span of time; by default the last 24 hours", "Operations"), h.stats)
}

// uiState is the word that people and scripts see for a delivery's state.
func uiState(s string) string {
	switch s {
	case records.DeliveryParked:
		return "on_hold"
	case records.DeliveryReserved:
		return records.DeliverySending
	}
	return s
}

func viewDelivery(d records.DeliveryHistory) DeliveryView {
	v := DeliveryView{ID: d.ID, ConnectionID: d.ConnectionID, State: uiState(d.State), Revision: d.Revision, RemoteID: d.RemoteID,
		RemoteURL: d.RemoteURL, MappingVersion: d.MappingVersion, Written: d.Written, Kept: viewKept(d.Kept), Shadow: d.Shadow, Steps: d.Steps, Warnings: d.Warnings,
		Class: d.Class, Field: d.Field, Reason: d.Reason, RetryAt: d.RetryAt, UpdatedAt: d.UpdatedAt}
	for _, a := range d.Attempts {
		v.Attempts = append(v.Attempts, AttemptView{At: a.At, Revision: a.Revision, Outcome: uiState(a.Outcome), Class: a.Class,
			Reason: a.Reason, DurationMS: a.Duration.Milliseconds()})
	}
	return v
}

func viewCallItem(i records.CallItem) CallSummary {
	c := i.Call
	v := CallSummary{ID: c.ID, SourceID: c.SourceID, Provider: c.Provider, ProviderID: c.ProviderID, Revision: c.Revision,
		Phase: c.Phase, State: i.State, Direction: orUnknown(c.Direction), Status: orUnknown(c.Status), Customer: c.Customer,
		BusinessNumber: c.BusinessNumber, Agents: c.Agents, StartedAt: c.StartedAt, EndedAt: c.EndedAt,
		DurationSeconds: c.DurationSeconds, CreatedAt: i.CreatedAt, Deliveries: []DeliveryView{}}
	for _, d := range i.Deliveries {
		d.Steps = nil
		v.Deliveries = append(v.Deliveries, viewDelivery(records.DeliveryHistory{Delivery: d}))
	}
	return v
}

// orUnknown shows an empty direction or status as the word that the API has for it.
func orUnknown[T ~string](s T) T {
	if s == "" {
		return "unknown"
	}
	return s
}

func (h *Handler) listCalls(ctx context.Context, p principal, in *callsIn) (*answer[List[CallSummary]], error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	if f.Before, err = decodeCursor(in.Cursor); err != nil {
		return nil, err
	}
	f.Limit = in.Limit
	calls, err := h.Store.SearchCalls(ctx, p.WorkspaceID, f)
	if err != nil {
		return nil, err
	}
	list := List[CallSummary]{Items: make([]CallSummary, 0, len(calls.Items))}
	if !calls.Next.Start() {
		list.NextCursor = encodeCursor(calls.Next)
	}
	for _, i := range calls.Items {
		list.Items = append(list.Items, viewCallItem(i))
	}
	return &answer[List[CallSummary]]{list}, nil
}

// callDetail is everything about one call.
type callDetail struct {
	records.CallItem
	kept       kept
	source     records.Source
	events     []call.Event
	receipts   []records.ReceiptItem
	deliveries []records.DeliveryHistory
	recordings []records.Recording
	lanes      []explained
	followUps  []records.FollowUpItem
	// usual is how soon artifacts of the source usually come.
	usual map[call.Artifact]time.Duration
}

func (h *Handler) callDetail(ctx context.Context, workspaceID, id string) (callDetail, error) {
	var d callDetail
	var err error
	if d.CallItem, err = h.Store.CallDetail(ctx, workspaceID, id); err != nil {
		return d, err
	}
	id = d.Call.ID // another one if the call was folded into it
	if d.kept, err = h.kept(ctx, workspaceID); err != nil {
		return d, err
	}
	d.source = d.kept.sources[d.Call.SourceID]
	if d.events, err = h.Store.EventsOfCall(ctx, workspaceID, id); err != nil {
		return d, err
	}
	if d.receipts, err = h.Store.ReceiptsOfCall(ctx, workspaceID, id); err != nil {
		return d, err
	}
	if d.deliveries, err = h.Store.DeliveriesOfCall(ctx, workspaceID, id); err != nil {
		return d, err
	}
	if d.recordings, err = h.Store.RecordingsOfCall(ctx, workspaceID, id); err != nil {
		return d, err
	}
	if d.followUps, err = h.Store.FollowUps(ctx, workspaceID, records.FollowUpFilter{CallID: id, Limit: followUpsShown}); err != nil {
		return d, err
	}
	d.usual = h.usual.of(ctx, h, workspaceID, d.Call.SourceID)
	d.lanes = h.explainAll(d.kept, d.CallRow, d.events, d.deliveries)
	return d, nil
}

func (h *Handler) getCall(ctx context.Context, p principal, in *PathID) (*answer[CallView], error) {
	d, err := h.callDetail(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	v := CallView{Call: d.Call, State: d.State, Complete: d.Complete, Artifacts: h.artifacts(d.CallRow, d.source),
		WindowEnds: windowUntil(d.CallRow, d.source.Window), CreatedAt: d.CreatedAt,
		Why: []WhyView{}, Events: d.events, Receipts: []ReceiptSummary{}, Deliveries: []DeliveryView{}, Kept: []RecordingView{}, FollowUps: []FollowUpView{}}
	v.Recordings = withStates(d.Call.Recordings, d.recordings)
	for _, k := range d.recordings {
		v.Kept = append(v.Kept, h.viewRecording(k, d.Call.Recordings))
	}
	for _, f := range d.followUps {
		v.FollowUps = append(v.FollowUps, h.viewFollowUp(f))
	}
	v.Direction, v.Status = orUnknown(v.Direction), orUnknown(v.Status)
	if v.Events == nil {
		v.Events = []call.Event{}
	}
	for _, l := range d.lanes {
		v.Why = append(v.Why, WhyView{l.Connection.ID, l.Connection.Name, l.Connection.Connector,
			l.in(location(d.source), l.Now), l.Action})
	}
	for _, r := range d.receipts {
		v.Receipts = append(v.Receipts, viewReceipt(r))
	}
	for _, one := range d.deliveries {
		v.Deliveries = append(v.Deliveries, viewDelivery(one))
	}
	return &answer[CallView]{v}, nil
}

func (h *Handler) syncCall(ctx context.Context, p principal, in *syncIn) (*answer[SyncView], error) {
	var only []string
	if in.Body != nil {
		only = in.Body.Connections
	}
	if err := h.syncNow(ctx, p, in.ID, only); err != nil {
		return nil, err
	}
	return &answer[SyncView]{SyncView{Queued: 1}}, nil
}

// syncNow has a call of the workspace delivered to connections of the workspace.
func (h *Handler) syncNow(ctx context.Context, p principal, id string, connections []string) error {
	item, err := h.Store.CallDetail(ctx, p.WorkspaceID, id)
	if err != nil {
		return err
	}
	k, err := h.kept(ctx, p.WorkspaceID)
	if err != nil {
		return err
	}
	for i, c := range connections {
		if _, ok := k.connection(c); !ok {
			return invalid(fmt.Sprintf("connections[%d]", i), "There is no such connection in this workspace.")
		}
	}
	if item.Call.Phase == call.Live {
		return problem(409, "The call is still going on. It is delivered after it has ended.")
	}
	if err := h.Resyncer.SyncNow(ctx, p.WorkspaceID, item.Call.ID, connections); err != nil {
		return err
	}
	c := records.Change{Action: "call.sync", ObjectKind: "call", ObjectID: item.Call.ID}
	if len(connections) > 0 {
		c.After = map[string]any{"connections": connections}
	}
	return h.Store.Audit(ctx, p.WorkspaceID, c)
}

type statsIn struct {
	From time.Time `query:"from"`
	To   time.Time `query:"to"`
}

// StatsView is the figures with the span they are of.
type StatsView struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	records.Stats
}

func (h *Handler) stats(ctx context.Context, p principal, in *statsIn) (*answer[StatsView], error) {
	v := StatsView{From: in.From, To: in.To}
	if v.To.IsZero() {
		v.To = h.Now().UTC()
	}
	if v.From.IsZero() {
		v.From = v.To.Add(-24 * time.Hour)
	}
	if !v.From.Before(v.To) {
		return nil, invalid("from", "from must be before to.")
	}
	var err error
	v.Stats, err = h.Store.Stats(ctx, p.WorkspaceID, v.From, v.To)
	return &answer[StatsView]{v}, err
}
