package admin

import (
	"context"
	"encoding/json"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// Store is all that the API and the pages need of Postgres. Every method that takes a workspace sees and changes only what
// belongs to it, and returns records.ErrNotFound for ids of another.
type Store interface {
	Accounts
	AccountStore
	SignInStore
	MemberStore
	SourceStore
	PullStore
	ConnectionStore
	GrantStore
	ResyncStore
	MappingStore
	MatchStore
	RuleStore
	RecordingStore
	FollowUpStore
	Queries
	DriftStore
	SchemaStore
	ConnectionQueries
	TroubleStore
	LiveStore
	ClockStore
	AlertStore
	AuditStore
	FirstRunStore
}

// Accounts knows who may come in.
type Accounts interface {
	// UseAPIToken returns the token with this SHA-256 while it counts, with the role that it has now.
	UseAPIToken(ctx context.Context, hash []byte) (records.APIToken, error)
	// CreateAPIToken stores a token by its hash; records.ErrNotFound for a workspace that does not exist.
	CreateAPIToken(ctx context.Context, t records.APIToken) error
	ListAPITokens(ctx context.Context, workspaceID string) ([]records.APIToken, error)
	DeleteAPIToken(ctx context.Context, workspaceID, id string) error
	CreateWorkspace(ctx context.Context, w records.Workspace) error
	Workspaces(ctx context.Context) ([]records.Workspace, error)
	UserByEmail(ctx context.Context, email string) (records.User, error)
	CreateSession(ctx context.Context, hash []byte, s records.Session) error
	SessionUser(ctx context.Context, hash []byte) (records.SignedIn, error)
	DeleteSession(ctx context.Context, hash []byte) error
}

// SourceStore keeps phone systems.
type SourceStore interface {
	CreateSource(ctx context.Context, s records.Source) error
	Sources(ctx context.Context, workspaceID string) ([]records.Source, error)
	SourceByID(ctx context.Context, workspaceID, id string) (records.Source, error)
	UpdateSource(ctx context.Context, s records.Source) error
	RotateSourceToken(ctx context.Context, workspaceID, id, newToken string, oldUntil time.Time) error
	DeleteSource(ctx context.Context, workspaceID, id string) error
	OwnNumbers(ctx context.Context, workspaceID string) ([]records.OwnNumber, error)
	PutOwnNumbers(ctx context.Context, workspaceID string, numbers []records.OwnNumber) error
	ListOwnNumber(ctx context.Context, workspaceID string, n records.OwnNumber) error
	UnlistOwnNumber(ctx context.Context, workspaceID, number string) error
}

// ConnectionStore keeps CRM accounts.
type ConnectionStore interface {
	CreateConnection(ctx context.Context, c records.Connection) error
	Connections(ctx context.Context, workspaceID string) ([]records.Connection, error)
	// ConnectionsOf lists them without their secrets.
	ConnectionsOf(ctx context.Context, workspaceID string) ([]records.Connection, error)
	ConnectionByID(ctx context.Context, workspaceID, id string) (records.Connection, error)
	UpdateConnection(ctx context.Context, c records.Connection) error
	SetConnectionStatus(ctx context.Context, workspaceID, id, status, reason string) error
	SetConnectionReport(ctx context.Context, workspaceID, id, idempotency string, report json.RawMessage, at time.Time) error
	DeleteConnection(ctx context.Context, workspaceID, id string) error
	// ConnectionHealth and ConnectionLimits tell by connection of what cannot be reached, and of limits that are used.
	ConnectionHealth(ctx context.Context, workspaceID string) (map[string]records.Health, error)
	ConnectionLimits(ctx context.Context, workspaceID string) (map[string][]records.LimitUse, error)
	Owners(ctx context.Context, workspaceID, connectionID string) ([]records.Owner, error)
	PutOwners(ctx context.Context, workspaceID, connectionID string, owners []records.Owner) error
	Dispositions(ctx context.Context, workspaceID, connectionID string) ([]records.Disposition, error)
	PutDispositions(ctx context.Context, workspaceID, connectionID string, all []records.Disposition) error
}

// MappingStore keeps the versions of mappings.
type MappingStore interface {
	ActiveMapping(ctx context.Context, workspaceID, connectionID, object string) (records.MappingVersion, error)
	MappingVersions(ctx context.Context, workspaceID, connectionID, object string) ([]records.MappingVersion, error)
	// AddMappingVersion stores the next version and makes it the active one.
	AddMappingVersion(ctx context.Context, workspaceID string, v records.MappingVersion) (version int, err error)
	ActivateMapping(ctx context.Context, workspaceID, connectionID, object string, version int) error
}

// Queries read what the pipeline made.
type Queries interface {
	CallsPage(ctx context.Context, workspaceID string, f records.CallFilter) ([]records.CallItem, error)
	// SearchCalls looks through a part of the list at most.
	SearchCalls(ctx context.Context, workspaceID string, f records.CallFilter) (records.CallPage, error)
	// CountCalls counts the newest calls that f chooses, up to limit, and their deliveries.
	CountCalls(ctx context.Context, workspaceID string, f records.CallFilter, limit int) (records.CallCount, error)
	// CallDetail follows a call that was folded into another one.
	CallDetail(ctx context.Context, workspaceID, id string) (records.CallItem, error)
	// UsualArrivals tells within what time of their end 9 in 10 of a source's latest calls had their artifacts.
	UsualArrivals(ctx context.Context, workspaceID, sourceID string) (map[call.Artifact]time.Duration, error)
	EventsOfCall(ctx context.Context, workspaceID, callID string) ([]call.Event, error)
	EventsOfReceipt(ctx context.Context, workspaceID, receiptID string) ([]call.Event, error)
	ReceiptsOfCall(ctx context.Context, workspaceID, callID string) ([]records.ReceiptItem, error)
	// TakeOurs has callsync's values written once where edits are kept open: in the fields named, or with none in all. It
	// returns in how many.
	TakeOurs(ctx context.Context, workspaceID, recordID, connectionID string, fields []string) (int, error)
	DeliveriesOfCall(ctx context.Context, workspaceID, callID string) ([]records.DeliveryHistory, error)
	ReceiptsPage(ctx context.Context, workspaceID string, f records.ReceiptFilter) ([]records.ReceiptItem, error)
	ReceiptByID(ctx context.Context, workspaceID, id string) (records.Receipt, error)
	// Arrivals returns the newest receipt of each kind of request of a source, newest first.
	Arrivals(ctx context.Context, workspaceID, sourceID string) (records.Arrivals, error)
	EventsOfReceipts(ctx context.Context, workspaceID string, receiptIDs []string) (map[string][]call.Event, error)
	MessagesPage(ctx context.Context, workspaceID string, f records.RecordFilter) ([]records.MessageRow, error)
	MessageByID(ctx context.Context, workspaceID, id string) (records.MessageRow, error)
	FormsPage(ctx context.Context, workspaceID string, f records.RecordFilter) ([]records.FormRow, error)
	FormByID(ctx context.Context, workspaceID, id string) (records.FormRow, error)
	Holds(ctx context.Context, workspaceID string) ([]records.Hold, error)
	// HeldCalls lists the calls of one hold, or with an empty holdID of one connection, oldest first.
	HeldCalls(ctx context.Context, workspaceID, holdID, connectionID string) ([]records.HeldCall, error)
	Stats(ctx context.Context, workspaceID string, from, to time.Time) (records.Stats, error)
}

// Replayer applies a stored receipt again.
type Replayer interface {
	Replay(ctx context.Context, workspaceID, receiptID string) error
}

// Resyncer has a call delivered now, to the connections named or, with none, to all it belongs to.
type Resyncer interface {
	SyncNow(ctx context.Context, workspaceID, callID string, connectionIDs []string) error
}
