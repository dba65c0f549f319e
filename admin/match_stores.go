package admin

import (
	"context"
	"time"

	"github.com/callsync/callsync/records"
)

// MatchStore keeps what is known of whose number is whose, and which agent is which user of a CRM.
type MatchStore interface {
	Reviews(ctx context.Context, workspaceID string, f records.ReviewFilter) ([]records.Review, error)
	ReviewByID(ctx context.Context, workspaceID, id string) (records.Review, error)
	OpenReviews(ctx context.Context, workspaceID string) (int64, error)
	// ResolveReview answers a review, remembers the answer, and returns the calls to deliver again; records.ErrConflict for
	// one that is closed already.
	ResolveReview(ctx context.Context, workspaceID, id string, c records.MatchChoice) ([]records.HeldCall, error)
	// ReopenReview takes the answer of a review back; records.ErrConflict for one that is not answered, or asked again.
	ReopenReview(ctx context.Context, workspaceID, id string) error
	// Choices lists what people chose for numbers, the newest first.
	Choices(ctx context.Context, workspaceID, connectionID string, before records.Cursor, limit int) ([]records.MatchChoice, error)
	ForgetChoice(ctx context.Context, workspaceID, id string) error
	LearnedNumbers(ctx context.Context, workspaceID string) ([]records.LearnedNumber, error)
	RejectNumber(ctx context.Context, workspaceID, number string, rejected bool) error
	// AgentsSeen lists the agents that calls have named within 90 days.
	AgentsSeen(ctx context.Context, workspaceID string) ([]records.SeenAgent, error)
	// CRMUsers returns the users of a connection's CRM as they were listed last, and when; zero for never.
	CRMUsers(ctx context.Context, workspaceID, connectionID string) ([]records.CRMUser, time.Time, error)
	// PutCRMUsers keeps them and assigns the agents with their e-mails; it returns how many.
	PutCRMUsers(ctx context.Context, workspaceID, connectionID string, users []records.CRMUser) (matched int, err error)
	// SetOwner assigns one agent; an empty OwnerID takes back what an admin assigned.
	SetOwner(ctx context.Context, workspaceID, connectionID string, o records.Owner) error
	// ClaimUserLists takes active connections of the connectors whose users were listed longer ago than every.
	ClaimUserLists(ctx context.Context, connectors []string, every time.Duration, limit int) ([]records.LaneKey, error)
	DropOldAgents(ctx context.Context) error
	DropOldReviews(ctx context.Context) error
}
