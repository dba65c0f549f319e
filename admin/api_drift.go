package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/callsync/callsync/records"
)

// DriftStore keeps the fields that sources send and their providers do not know.
type DriftStore interface {
	// UnknownFields lists those of a source: the ones that nobody has acknowledged first, then the newest.
	UnknownFields(ctx context.Context, workspaceID, sourceID string) ([]records.UnknownField, error)
	// AcknowledgeFields marks them as acknowledged by who, all of them if fields is nil, and returns how many were not.
	AcknowledgeFields(ctx context.Context, workspaceID, sourceID, who string, fields []records.FieldName) (int, error)
}

// UnknownFieldView is a field that a source sends and its provider does not know, as the API shows it.
type UnknownFieldView struct {
	Trigger        string     `json:"trigger" doc:"The event of the hook URL, else the kind of event that was read."`
	Path           string     `json:"path" doc:"Where in the request; [] stands for each place of a list. What is at the top of a request is the attribute of that name."`
	Type           string     `json:"type" enum:"text,number,flag,list,object"`
	FirstSeen      time.Time  `json:"first_seen"`
	LastSeen       time.Time  `json:"last_seen"`
	Seen           int64      `json:"seen" doc:"About how often; counted every quarter of an hour."`
	FirstReceiptID string     `json:"first_receipt_id" doc:"The first request that had it."`
	AcknowledgedAt *time.Time `json:"acknowledged_at,omitempty"`
	AcknowledgedBy string     `json:"acknowledged_by,omitempty"`
}

// Acknowledged says how many fields were acknowledged.
type Acknowledged struct {
	Acknowledged int `json:"acknowledged" doc:"How many were not before."`
}

type acknowledgeIn struct {
	PathID
	Body struct {
		Fields []records.FieldName `json:"fields,omitempty" maxItems:"500" doc:"These, by trigger and path."`
		All    bool                `json:"all,omitempty" doc:"Every field of the source."`
	}
}

func (h *Handler) registerDrift() {
	const tag = "Sources"
	handle(h, viewer, get("/sources/{id}/drift", "List the fields that the phone system sends and callsync does not know", tag), h.listDrift)
	handle(h, admin, post("/sources/{id}/drift/acknowledge", "Say that unknown fields have been looked at", tag), h.acknowledgeDrift)
}

func (h *Handler) listDrift(ctx context.Context, p principal, in *PathID) (*answer[List[UnknownFieldView]], error) {
	rows, err := h.drift(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	items := make([]UnknownFieldView, 0, len(rows))
	for _, f := range rows {
		items = append(items, UnknownFieldView{
			Trigger: f.Trigger, Path: f.Path, Type: f.Type, FirstSeen: f.FirstSeen, LastSeen: f.LastSeen, Seen: f.Seen, FirstReceiptID: f.ReceiptID,
			AcknowledgedAt: orNil(f.AcknowledgedAt), AcknowledgedBy: f.AcknowledgedBy,
		})
	}
	return &answer[List[UnknownFieldView]]{List[UnknownFieldView]{Items: items}}, nil
}

// drift are the unknown fields of a source of the workspace.
func (h *Handler) drift(ctx context.Context, p principal, sourceID string) ([]records.UnknownField, error) {
	if _, err := h.Store.SourceByID(ctx, p.WorkspaceID, sourceID); err != nil {
		return nil, err
	}
	return h.Store.UnknownFields(ctx, p.WorkspaceID, sourceID)
}

func (h *Handler) acknowledgeDrift(ctx context.Context, p principal, in *acknowledgeIn) (*answer[Acknowledged], error) {
	fields := in.Body.Fields
	switch {
	case in.Body.All && len(fields) > 0:
		return nil, invalid("all", "Say either which fields, or all.")
	case in.Body.All:
		fields = nil
	case len(fields) == 0:
		return nil, invalid("fields", "Say which fields, or all.")
	}
	if _, err := h.Store.SourceByID(ctx, p.WorkspaceID, in.ID); err != nil {
		return nil, err
	}
	n, err := h.Store.AcknowledgeFields(ctx, p.WorkspaceID, in.ID, p.Name, fields)
	if err != nil {
		return nil, err
	}
	return &answer[Acknowledged]{Acknowledged{n}}, nil
}

// mostDriftShown is how many unknown fields the page of a source lists.
const mostDriftShown = 12

// driftView is the block of a source's page about unknown fields. It is empty where there are none.
type driftView struct {
	Fields []records.UnknownField
	// Count is how many nobody has acknowledged; Fields are the newest of them.
	Count int
	// Mapped tells that what is known is what the source's mapping reads.
	Mapped bool
	// Action is where acknowledging goes; empty for who may not.
	Action string
}

func (h *Handler) driftView(ctx context.Context, p principal, s records.Source) (driftView, error) {
	all, err := h.Store.UnknownFields(ctx, p.WorkspaceID, s.ID)
	if err != nil {
		return driftView{}, err
	}
	v := driftView{Mapped: s.Config["mapping"] != ""}
	for _, f := range all {
		if !f.AcknowledgedAt.IsZero() {
			continue
		}
		if v.Count++; len(v.Fields) < mostDriftShown {
			v.Fields = append(v.Fields, f)
		}
	}
	if p.may(admin) {
		v.Action = "/sources/" + s.ID + "/drift"
	}
	return v, nil
}

// driftForm acknowledges all fields that the page speaks of.
func (h *Handler) driftForm(w http.ResponseWriter, r *http.Request, p principal) error {
	id := r.PathValue("id")
	in := acknowledgeIn{PathID: PathID{ID: id}}
	in.Body.All = true
	if _, err := h.acknowledgeDrift(r.Context(), p, &in); err != nil {
		return err
	}
	http.Redirect(w, r, "/sources/"+id, http.StatusSeeOther)
	return nil
}
