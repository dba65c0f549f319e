package records

import "time"

// Grant is what a CRM has granted a connection by OAuth. It is stored sealed.
type Grant struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	// ExpiresAt is when the access token ends; zero where the CRM does not say.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// GrantRequest is a person's way to a CRM's consent page and back.
type GrantRequest struct {
	// StateHash is the SHA-256 of the state that the CRM sends back.
	StateHash    []byte
	WorkspaceID  string
	ConnectionID string
	// UserID is who has begun; empty where an API token has.
	UserID string
	// SessionID is the session in which they did.
	SessionID string
	// Verifier is the secret of PKCE. It is stored sealed.
	Verifier  string
	ExpiresAt time.Time
}
