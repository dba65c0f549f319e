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
	// Bootstrap tokens come from the environment or the first start and may create workspaces.
	Bootstrap bool
	CreatedAt time.Time
	// LastUsedAt is exact to some minutes; zero while the token was never used.
	LastUsedAt time.Time
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
