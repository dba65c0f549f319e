package admin

import (
	"context"
	"crypto/rand"
	"net/http"

	"github.com/callsync/callsync/records"
)

// AuditStore keeps the audit log. What stores change they note themselves, as done by the actor in the context.
type AuditStore interface {
	// Audit notes what no store changes: a call that is delivered again.
	Audit(ctx context.Context, workspaceID string, c records.Change) error
	// AuditPage lists entries, the newest first.
	AuditPage(ctx context.Context, workspaceID string, f records.AuditFilter) ([]records.AuditEntry, error)
	// AuditActors lists who is in the log, each with the name that they had last.
	AuditActors(ctx context.Context, workspaceID string) ([]records.Actor, error)
}

// actor is p in the audit log, for the request of the route.
func (p principal) actor(route, requestID string) records.Actor {
	a := records.Actor{Kind: records.ActorUser, ID: p.UserID, Name: p.Name, Route: route, RequestID: requestID}
	if p.UserID == "" {
		a.Kind, a.ID, a.Name = records.ActorToken, p.TokenID, p.TokenName
	}
	return a
}

// nobody gives the request of somebody who is not signed in an id. Who they are the stores find out, if they prove it.
func nobody(w http.ResponseWriter, r *http.Request) *http.Request {
	a := records.SystemActor()
	a.Route, a.RequestID = r.Pattern, rand.Text()
	w.Header().Set("X-Request-Id", a.RequestID)
	return r.WithContext(records.WithActor(r.Context(), a))
}

// acting makes p the one who changes what is changed for r, and gives the request an id, which the answer has too. route is
// the pattern that r has met.
func acting(w http.ResponseWriter, r *http.Request, p principal, route string) *http.Request {
	id := rand.Text()
	w.Header().Set("X-Request-Id", id)
	return r.WithContext(records.WithActor(r.Context(), p.actor(route, id)))
}
