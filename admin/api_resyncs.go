package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/callsync/callsync/records"
)

// ResyncStore keeps resyncs.
type ResyncStore interface {
	CreateResync(ctx context.Context, r records.Resync) error
	Resyncs(ctx context.Context, workspaceID string) ([]records.Resync, error)
	ResyncByID(ctx context.Context, workspaceID, id string) (records.Resync, error)
	SetResyncState(ctx context.Context, workspaceID, id, state string) error
	// ResyncPlaces counts its calls by connection, ResyncSample names some of them, the latest first.
	ResyncPlaces(ctx context.Context, r records.Resync) ([]records.ResyncPlace, error)
	ResyncSample(ctx context.Context, workspaceID, id string, limit int) ([]string, error)
}

// ResyncFilter chooses the calls of a resync. Live calls never belong to it.
type ResyncFilter struct {
	IDs           []string  `json:"ids,omitempty" maxItems:"1000" doc:"Only these calls."`
	Query         string    `json:"q,omitempty" maxLength:"200"`
	State         string    `json:"state,omitempty" enum:"waiting,synced,on_hold,skipped"`
	Source        string    `json:"source,omitempty"`
	Connection    string    `json:"connection,omitempty" doc:"Calls that have a delivery to this connection."`
	Lane          string    `json:"lane,omitempty" enum:"waiting,done,on_hold,skipped" doc:"With connection: where that delivery stands."`
	Direction     string    `json:"direction,omitempty" enum:"inbound,outbound,internal,unknown"`
	Status        string    `json:"status,omitempty"`
	Recording     string    `json:"recording,omitempty" enum:"arrived,expected,overdue,not_expected"`
	Transcription string    `json:"transcription,omitempty" enum:"arrived,expected,overdue,not_expected"`
	Disposition   string    `json:"disposition,omitempty" enum:"arrived,expected,overdue,not_expected"`
	From          time.Time `json:"from,omitzero" doc:"Calls that began then or later."`
	To            time.Time `json:"to,omitzero" doc:"Calls that began before."`
}

// resyncFilter is a list's filter for a resync.
func resyncFilter(q CallQuery, ids []string) ResyncFilter {
	return ResyncFilter{IDs: ids, Query: q.Query, State: q.State, Source: q.Source, Connection: q.Connection, Lane: q.Lane, Direction: q.Direction, Status: q.Status,
		Recording: q.Recording, Transcription: q.Transcription, Disposition: q.Disposition, From: q.From, To: q.To}
}

// filter is f for the store.
func (f ResyncFilter) filter() (records.CallFilter, error) {
	q := CallQuery{Query: f.Query, State: f.State, Source: f.Source, Connection: f.Connection, Lane: f.Lane, Direction: f.Direction, Status: f.Status,
		Recording: f.Recording, Transcription: f.Transcription, Disposition: f.Disposition, From: f.From, To: f.To}
	out, err := q.filter()
	out.IDs = f.IDs
	return out, err
}

// viewFilter is a stored filter.
func viewFilter(f records.CallFilter) ResyncFilter {
	v := ResyncFilter{IDs: f.IDs, Query: f.Query, State: f.State, Source: f.SourceID, Connection: f.ConnectionID, Direction: string(f.Direction), Status: string(f.Status),
		Recording: string(f.Recording), Transcription: string(f.Transcription), Disposition: string(f.Disposition), From: f.From, To: f.To}
	for word, state := range laneStates {
		if f.LaneState == state {
			v.Lane = word
		}
	}
	return v
}

type resyncCreate struct {
	Body struct {
		Filter      ResyncFilter `json:"filter" doc:"Which calls. An empty filter is all calls."`
		Connections []string     `json:"connections,omitempty" maxItems:"100" doc:"Deliver to these only; default: all that each call belongs to."`
		DryRun      bool         `json:"dry_run,omitempty" doc:"Only count the calls."`
	}
}

// ResyncView is a resync with how far it is.
type ResyncView struct {
	ID          string       `json:"id"`
	State       string       `json:"state" enum:"listing,running,paused,done,cancelled"`
	Filter      ResyncFilter `json:"filter"`
	Connections []string     `json:"connections,omitempty"`
	DryRun      bool         `json:"dry_run"`
	Author      string       `json:"author"`
	Total       int64        `json:"total" doc:"Calls that the filter chose; it grows while the state is listing."`
	UnderWay    int64        `json:"under_way"`
	Done        int64        `json:"done"`
	Failed      int64        `json:"failed" doc:"Calls that are on hold now. The holds say why."`
	Skipped     int64        `json:"skipped" doc:"Calls that no connection gets, by rule or because nothing is connected."`
	ETA         time.Time    `json:"eta,omitzero" doc:"When it should be done, by the pace of the last five minutes."`
	CreatedAt   time.Time    `json:"created_at"`
	FinishedAt  time.Time    `json:"finished_at,omitzero"`
}

func (h *Handler) registerResyncs() {
	const tag = "Operations"
	op := post("/resyncs", "Deliver many calls again, behind the live ones", tag)
	op.DefaultStatus = http.StatusAccepted
	handle(h, operator, op, h.createResync)
	handle(h, viewer, get("/resyncs", "List resyncs", tag), h.listResyncs)
	handle(h, viewer, get("/resyncs/{id}", "Show how far a resync is", tag), h.getResync)
	handle(h, operator, post("/resyncs/{id}/pause", "Pause a resync; what is under way ends", tag), h.resyncTo(records.ResyncPaused))
	handle(h, operator, post("/resyncs/{id}/resume", "Go on with a resync", tag), h.resyncTo(records.ResyncRunning))
	handle(h, operator, post("/resyncs/{id}/cancel", "End a resync; what was delivered stays", tag), h.resyncTo(records.ResyncCancelled))
}

// recentSpan is the span that records.Resync.Recent counts.
const recentSpan = 5 * time.Minute

func (h *Handler) viewResync(r records.Resync) ResyncView {
	v := ResyncView{ID: r.ID, State: r.State, Connections: r.Connections, DryRun: r.DryRun, Author: r.Author, Total: r.Total, UnderWay: r.Told,
		Done: r.Done, Failed: r.Failed, Skipped: r.Skipped, CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt,
		Filter: viewFilter(r.Filter)}
	if r.State == records.ResyncRunning && r.Recent > 0 {
		now := h.Now().UTC()
		span := min(recentSpan, max(now.Sub(r.StartedAt), time.Second))
		v.ETA = now.Add(time.Duration(float64(span) / float64(r.Recent) * float64(r.Left()))).Truncate(time.Second)
	}
	return v
}

func (h *Handler) createResync(ctx context.Context, p principal, in *resyncCreate) (*answer[ResyncView], error) {
	f := in.Body.Filter
	filter, err := f.filter()
	var wrong *Problem
	switch {
	case errors.As(err, &wrong):
		return nil, invalid("filter."+wrong.Field, wrong.Detail)
	case err != nil:
		return nil, err
	}
	for i, id := range f.IDs {
		if !validID(id) {
			return nil, invalid(fmt.Sprintf("filter.ids[%d]", i), "This is not an id.")
		}
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return nil, invalid("filter.to", "The end of the range must come after its beginning.")
	}
	known, err := h.Store.ConnectionsOf(ctx, p.WorkspaceID)
	if err != nil {
		return nil, err
	}
	var chosen []string
	for i, id := range in.Body.Connections {
		if !slices.ContainsFunc(known, func(c records.Connection) bool { return c.ID == id }) {
			return nil, invalid(fmt.Sprintf("connections[%d]", i), "There is no connection with this id.")
		}
		if !slices.Contains(chosen, id) {
			chosen = append(chosen, id)
		}
	}
	id, err := newID()
	if err != nil {
		return nil, err
	}
	r := records.Resync{ID: id, WorkspaceID: p.WorkspaceID, Connections: chosen, DryRun: in.Body.DryRun, Author: p.Name,
		Filter: filter}
	if err := h.Store.CreateResync(ctx, r); err != nil {
		return nil, err
	}
	return h.getResync(ctx, p, &PathID{ID: id})
}

func (h *Handler) listResyncs(ctx context.Context, p principal, _ *none) (*answer[List[ResyncView]], error) {
	all, err := h.Store.Resyncs(ctx, p.WorkspaceID)
	items := make([]ResyncView, 0, len(all))
	for _, r := range all {
		items = append(items, h.viewResync(r))
	}
	return &answer[List[ResyncView]]{List[ResyncView]{Items: items}}, err
}

func (h *Handler) getResync(ctx context.Context, p principal, in *PathID) (*answer[ResyncView], error) {
	r, err := h.Store.ResyncByID(ctx, p.WorkspaceID, in.ID)
	return &answer[ResyncView]{h.viewResync(r)}, err
}

func (h *Handler) resyncTo(state string) func(context.Context, principal, *PathID) (*answer[ResyncView], error) {
	return func(ctx context.Context, p principal, in *PathID) (*answer[ResyncView], error) {
		r, err := h.Store.ResyncByID(ctx, p.WorkspaceID, in.ID)
		if err != nil {
			return nil, err
		}
		if r.State == records.ResyncDone || r.State == records.ResyncCancelled {
			return nil, problem(http.StatusConflict, "This resync has ended already.")
		}
		if err := h.Store.SetResyncState(ctx, p.WorkspaceID, in.ID, state); err != nil {
			return nil, err
		}
		return h.getResync(ctx, p, in)
	}
}
