package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/callsync/callsync/internal/csvsafe"
	"github.com/callsync/callsync/records"
)

// AuditActorView is who made a change.
type AuditActorView struct {
	Kind string `json:"kind" enum:"user,token,operator,system"`
	ID   string `json:"id,omitempty" doc:"Of users and tokens."`
	Name string `json:"name" doc:"As it was then."`
}

// AuditObjectView is what was changed.
type AuditObjectView struct {
	Kind string `json:"kind" example:"connection"`
	ID   string `json:"id,omitempty"`
	Part string `json:"part,omitempty" doc:"Which part of it: of a mapping, what it maps."`
	Name string `json:"name,omitempty" doc:"As it was then."`
}

// AuditView is an entry of the audit log.
type AuditView struct {
	ID       string          `json:"id"`
	At       time.Time       `json:"at"`
	Actor    AuditActorView  `json:"actor"`
	Action   string          `json:"action" example:"connection.update"`
	Object   AuditObjectView `json:"object"`
	Sentence string          `json:"sentence" doc:"What was done, for people."`
	Before   map[string]any  `json:"before" doc:"The fields that changed, as they were. Of a secret: set."`
	After    map[string]any  `json:"after" doc:"The fields that changed, as they are now. Of a secret: set or changed."`
	Route    string          `json:"route,omitempty" doc:"The request that did it."`
	Request  string          `json:"request_id,omitempty" doc:"The answer to it had this as X-Request-Id."`
}

// AuditQuery selects entries.
type AuditQuery struct {
	Actor  string    `query:"actor" maxLength:"80" doc:"The id of a user or token, or user, token, operator or system for all of a kind."`
	Action string    `query:"action" maxLength:"80" doc:"Such as mapping.save."`
	Object string    `query:"object" maxLength:"200" doc:"A kind (connection), an id, or kind:id, or kind:id:part (mapping:<id>:call)."`
	From   time.Time `query:"from" doc:"At or after this moment."`
	To     time.Time `query:"to" doc:"Before this moment."`
}

type auditIn struct {
	PageQuery
	AuditQuery
}

func (h *Handler) registerAudit() {
	handle(h, admin, get("/audit", "Who changed what, and when", "Access"), h.listAudit)
	op := get("/audit.csv", "The audit log for a spreadsheet, 100,000 entries at most", "Access")
	op.Responses = map[string]*huma.Response{"200": {Description: "Comma-separated values; what would be a formula is text.",
		Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}}}}
	handle(h, admin, op, h.exportAudit)
}

// filter is q for the store.
func (q AuditQuery) filter() records.AuditFilter {
	f := records.AuditFilter{Action: q.Action, From: q.From, To: q.To}
	switch q.Actor {
	case records.ActorUser, records.ActorToken, records.ActorOperator, records.ActorSystem:
		f.ActorKind = q.Actor
	default:
		f.ActorID = q.Actor
	}
	if validID(q.Object) {
		f.ObjectID = q.Object
		return f
	}
	f.ObjectKind, f.ObjectID, _ = strings.Cut(q.Object, ":")
	f.ObjectID, f.ObjectPart, _ = strings.Cut(f.ObjectID, ":")
	return f
}

func viewAudit(e records.AuditEntry) AuditView {
	return AuditView{ID: e.ID, At: e.At, Actor: AuditActorView{e.Actor.Kind, e.Actor.ID, e.Actor.Name}, Action: e.Action,
		Object: AuditObjectView{e.ObjectKind, e.ObjectID, e.ObjectPart, e.ObjectName}, Sentence: auditSentence(e),
		Before: e.Before, After: e.After, Route: e.Actor.Route, Request: e.Actor.RequestID}
}

func auditCursor(e records.AuditEntry) records.Cursor { return records.Cursor{At: e.At, ID: e.ID} }

func (h *Handler) listAudit(ctx context.Context, p principal, in *auditIn) (*answer[List[AuditView]], error) {
	f := in.filter()
	var err error
	if f.Before, err = decodeCursor(in.Cursor); err != nil {
		return nil, err
	}
	f.Limit = in.Limit + 1
	all, err := h.Store.AuditPage(ctx, p.WorkspaceID, f)
	all, next := page(all, in.Limit, auditCursor)
	items := make([]AuditView, len(all))
	for i, e := range all {
		items[i] = viewAudit(e)
	}
	return &answer[List[AuditView]]{List[AuditView]{items, next}}, err
}

// Bounds of an export.
const (
	auditExport     = 100_000
	auditExportPage = 1000
)

func (h *Handler) exportAudit(_ context.Context, p principal, in *struct{ AuditQuery }) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "text/csv; charset=utf-8")
		c.SetHeader("Content-Disposition", `attachment; filename="callsync-audit-`+h.Now().UTC().Format("2006-01-02")+`.csv"`)
		if err := h.writeAudit(c, p, in.filter()); err != nil {
			// The answer has begun: all that is left is to break it off, so that nobody takes a part for the whole.
			h.Log.WarnContext(c.Context(), "an export of the audit log broke off", "workspace", p.WorkspaceID, "err", err)
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

func (h *Handler) writeAudit(c huma.Context, p principal, f records.AuditFilter) error {
	w, err := csvsafe.NewWriter(c.BodyWriter())
	if err != nil {
		return err
	}
	if err := w.Write("time", "actor_kind", "actor", "actor_id", "what", "action", "object_kind", "object", "object_id", "object_part", "before", "after", "route", "request_id"); err != nil {
		return err
	}
	f.Limit = auditExportPage
	for written := 0; written < auditExport; written += auditExportPage {
		all, err := h.Store.AuditPage(c.Context(), p.WorkspaceID, f)
		if err != nil {
			return err
		}
		for _, e := range all {
			before, err := json.Marshal(e.Before)
			if err != nil {
				return err
			}
			after, err := json.Marshal(e.After)
			if err != nil {
				return err
			}
			err = w.Write(e.At.Format(time.RFC3339), e.Actor.Kind, e.Actor.Name, e.Actor.ID, auditSentence(e), e.Action, e.ObjectKind, e.ObjectName, e.ObjectID, e.ObjectPart,
				string(before), string(after), e.Actor.Route, e.Actor.RequestID)
			if err != nil {
				return err
			}
		}
		if err := w.Flush(); err != nil || len(all) < auditExportPage {
			return err
		}
		f.Before = auditCursor(all[len(all)-1])
	}
	return nil
}
