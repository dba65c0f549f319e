package records

import (
	"context"
	"time"
)

// MappingAuthor is the author of the mappings that connections begin with.
const MappingAuthor = "callsync"

// The kinds of an Actor.
const (
	ActorUser     = "user"
	ActorToken    = "token"
	ActorOperator = "operator" // whoever has the machine: the callsync command
	ActorSystem   = "system"   // callsync itself
)

// Actor is who makes changes, for the audit log.
type Actor struct {
	Kind string
	// ID is a user's or a token's; empty for the others.
	ID   string
	Name string
	// Route and RequestID name the request: its pattern ("PUT /connections/{id}/rules"), and an id of its own.
	Route     string
	RequestID string
}

type actorKey struct{}

// WithActor says who makes the changes that stores are asked for with the returned context.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns who makes changes with ctx: callsync itself where nobody else was named.
func ActorOf(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return SystemActor()
}

// SystemActor is callsync itself.
func SystemActor() Actor { return Actor{Kind: ActorSystem, Name: "callsync"} }

// OperatorActor is whoever has the machine, at a command ("callsync user add").
func OperatorActor(command string) Actor {
	return Actor{Kind: ActorOperator, Name: "operator", Route: command}
}

// The actions of sign-ins, of which the log has so many a day at most.
const (
	SessionCreated  = "session.create"
	SessionSwitched = "session.switch" // somebody came in from another workspace
	SessionRefused  = "session.refuse" // a wrong password
	SessionBlocked  = "session.block"  // too many of them
)

// Change is what the audit log is told of a change; who made it comes from the context.
type Change struct {
	// Action is a stable name for scripts: "connection.update".
	Action string
	// ObjectKind ("connection") and ObjectID name what was changed; ObjectPart which part of it: of a mapping, what it maps.
	ObjectKind string
	ObjectID   string
	ObjectPart string
	// ObjectName is the object's, as people know it. A store that is not told looks it up.
	ObjectName string
	// Before and After hold the fields that changed, and nothing secret: of a secret they say "set" or "changed". A field
	// that was not there before, or is not there any more, is missing.
	Before, After map[string]any
}

// AuditEntry is a row of the audit log.
type AuditEntry struct {
	ID          string
	WorkspaceID string
	At          time.Time
	Actor       Actor
	Change
}

// AuditFilter selects entries. Empty members select all.
type AuditFilter struct {
	ActorKind, ActorID string
	Action             string
	ObjectKind         string
	ObjectID           string
	ObjectPart         string
	From, To           time.Time
	Before             Cursor
	Limit              int
}
