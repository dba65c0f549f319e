package records

import "time"

// The roles of users, each of which may do what the one before it may: read; also retry, replay and resolve; also
// change sources, connections, mappings and users.
const (
	RoleViewer   = "viewer"
	RoleOperator = "operator"
	RoleAdmin    = "admin"
)

// APIToken is a token of the JSON API as lists show it: the token itself is not kept, only its hash.
type APIToken struct {
	ID          string
	WorkspaceID string
	Name        string
	// Hash is the SHA-256 of the token; only set when it is created, never when it is read.
	Hash []byte
	// Role is what the token may do; when it is read by its hash, no more than its maker may.
	Role string
	// Prefix is the beginning of the token, by which people recognise it; empty for tokens older than prefixes.
	Prefix string
	// Bootstrap tokens come from the environment or the first start and may create workspaces.
	Bootstrap bool
	// MadeBy is the user who made it, and MakerName what they are called; empty where the operator did.
	MadeBy, MakerName string
	CreatedAt         time.Time
	// ExpiresAt is zero for a token that does not expire.
	ExpiresAt time.Time
	// LastUsedAt is exact to some minutes; zero while the token was never used.
	LastUsedAt time.Time
}

// SessionIdle is how long a session lasts that nobody uses, and SessionLife how long one lasts at all.
const (
	SessionIdle = 7 * 24 * time.Hour
	SessionLife = 30 * 24 * time.Hour
)

// Session is a sign-in of a person in one browser.
type Session struct {
	ID          string
	UserID      string
	WorkspaceID string
	// Browser is the family of the browser and its system; empty where unknown.
	Browser   string
	CreatedAt time.Time
	// SeenAt is exact to some minutes.
	SeenAt time.Time
	// ExpiresAt moves on while the session is used, up to EndsAt.
	ExpiresAt, EndsAt time.Time
}

// SignedIn is whom a session belongs to, as they are now.
type SignedIn struct {
	User
	SessionID     string
	WorkspaceName string
	// Workspaces is how many they may come in to, this one included.
	Workspaces int
}

// Member is a person of a workspace as its admins see them.
type Member struct {
	User
	// SeenAt is when they used callsync in this workspace last, exact to some minutes; zero if they never have, or not for long.
	SeenAt time.Time
	// Tokens is how many API tokens of the workspace they have made.
	Tokens int
}

// MemberChange is what an admin changes of a person in their workspace; nil leaves it as it is.
type MemberChange struct {
	Name     *string
	Role     *string
	Disabled *bool
}

// Membership is a workspace that a person may come in to.
type Membership struct {
	Workspace
	Role string
	// UsedAt is when they went there last; zero if never.
	UsedAt time.Time
}

// Invitation is an open offer to join a workspace.
type Invitation struct {
	ID            string
	WorkspaceID   string
	WorkspaceName string
	Email, Role   string
	// Hash is the SHA-256 of the link's token; only set when it is made.
	Hash []byte
	// InvitedBy is the user who invited, and InviterName what they are called; empty where the operator did.
	InvitedBy, InviterName string
	CreatedAt, ExpiresAt   time.Time
}

// Owner assigns an agent of the phone system to a user of the CRM.
type Owner struct {
	// AgentKey names the agent: an e-mail in lower case, or "id:" and the phone system's id.
	AgentKey  string
	OwnerID   string
	OwnerName string
	// Manual assignments were made by an admin; the others by callsync, which may change them again.
	Manual bool
}

// OwnNumber is a phone number of the workspace itself, which is never a customer. Number is E.164.
type OwnNumber struct {
	Number string
	Label  string
}

// SignInTry is somebody who says to be whoever has an e-mail.
type SignInTry struct {
	// Address is where they come from, or its network.
	Address string
	Email   string
	// Browser is the SHA-256 of the cookie by which a browser is known; empty where there is none.
	Browser []byte
}
