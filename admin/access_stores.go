package admin

import (
	"context"
	"time"

	"github.com/callsync/callsync/records"
)

// MemberStore keeps the people of workspaces, what they may do, and how they came in.
type MemberStore interface {
	Members(ctx context.Context, workspaceID string) ([]records.Member, error)
	UserByID(ctx context.Context, workspaceID, id string) (records.User, error)
	// ChangeMember returns records.ErrLastAdmin where no admin would be left, as RemoveMember does.
	ChangeMember(ctx context.Context, workspaceID, id string, c records.MemberChange) error
	RemoveMember(ctx context.Context, workspaceID, id string) error
	// CreateInvitation returns records.ErrConflict for somebody who is in the workspace already.
	CreateInvitation(ctx context.Context, i records.Invitation) error
	Invitations(ctx context.Context, workspaceID string) ([]records.Invitation, error)
	RenewInvitation(ctx context.Context, workspaceID, id string, hash []byte, expires time.Time) (records.Invitation, error)
	RevokeInvitation(ctx context.Context, workspaceID, id string) error
	// InvitationByHash and AcceptInvitation take the SHA-256 of the link's token, and return records.ErrNotFound once it
	// is of no use any more. AcceptInvitation returns records.ErrConflict for a new account whose e-mail is taken.
	InvitationByHash(ctx context.Context, hash []byte) (records.Invitation, error)
	AcceptInvitation(ctx context.Context, hash []byte, u records.User) error
}

// SignInStore counts tries to sign in for all processes, knows the browsers of people, and notes what was refused.
type SignInStore interface {
	// CountSignIn tells how long a try must wait, zero if it may be made; last is set where the next one waits if this fails.
	CountSignIn(ctx context.Context, t records.SignInTry) (wait time.Duration, last bool, err error)
	// SignInSucceeded takes a try back that was counted.
	SignInSucceeded(ctx context.Context, t records.SignInTry) error
	// NoteRefusedSignIn notes records.SessionRefused or records.SessionBlocked of whoever has email, so many times a day.
	NoteRefusedSignIn(ctx context.Context, email, action string) error
	// KnowBrowser and KnowsBrowser take the SHA-256 of the browser's cookie.
	KnowBrowser(ctx context.Context, userID string, hash []byte) error
	KnowsBrowser(ctx context.Context, userID string, hash []byte) (bool, error)
}

// AccountStore keeps what people change of themselves.
type AccountStore interface {
	AccountByEmail(ctx context.Context, email string) (id, passwordHash string, err error)
	// SetPassword ends the person's sessions, except the one to keep.
	SetPassword(ctx context.Context, userID, passwordHash, keepSession string) error
	SetOwnName(ctx context.Context, userID, name string) error
	PasswordLink(ctx context.Context, hash []byte) (email string, err error)
	TakePasswordLink(ctx context.Context, hash []byte, passwordHash string) error
	Sessions(ctx context.Context, userID string) ([]records.Session, error)
	EndSession(ctx context.Context, userID, id string) error
	EndOtherSessions(ctx context.Context, userID, keep string) (int64, error)
	Memberships(ctx context.Context, userID string) ([]records.Membership, error)
	SwitchWorkspace(ctx context.Context, userID, sessionID, workspaceID string) error
	WorkspaceByID(ctx context.Context, id string) (records.Workspace, error)
	RenameWorkspace(ctx context.Context, id, name string) error
	CreateOwnWorkspace(ctx context.Context, w records.Workspace, userID string) error
}
