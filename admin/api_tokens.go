package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// TokenView is an API token. The token itself is shown once, when it is made.
type TokenView struct {
	ID          string `json:"id"`
	WorkspaceID string `json:"workspace_id"`
	Name        string `json:"name"`
	Scope       string `json:"scope" enum:"read,operate,admin" doc:"What it may do, as the roles viewer, operator and admin; never more than its maker may now."`
	Prefix      string `json:"prefix,omitempty" doc:"The beginning of the token, to recognise it by."`
	Bootstrap   bool   `json:"bootstrap,omitempty"`
	MadeBy      string `json:"made_by,omitempty" doc:"Who made it; absent where the operator did."`
	Token       string `json:"token,omitempty" doc:"Only in the answer that makes it."`
	// CreatedAt and LastUsedAt, which is exact to some minutes.
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at,omitzero" doc:"Absent for a token that does not expire."`
	LastUsedAt time.Time `json:"last_used_at,omitzero" doc:"Exact to some minutes."`
}

type tokenCreate struct {
	Body struct {
		Name        string    `json:"name"`
		Scope       string    `json:"scope,omitempty" doc:"read, operate or admin; admin if absent."`
		ExpiresAt   time.Time `json:"expires_at,omitzero" doc:"Until when it counts; absent: until it is revoked."`
		WorkspaceID string    `json:"workspace_id,omitempty" doc:"Another workspace; only with the bootstrap token."`
	}
}

func (h *Handler) registerTokens() {
	handle(h, admin, get("/tokens", "List the API tokens of the workspace", "Access"), h.listTokens)
	handle(h, admin, created(post("/tokens", "Make an API token", "Access")), h.createToken)
	handle(h, admin, method(http.MethodDelete, "/tokens/{id}", "Revoke an API token", "Access"), h.deleteToken)
}

func viewToken(t records.APIToken) TokenView {
	return TokenView{ID: t.ID, WorkspaceID: t.WorkspaceID, Name: t.Name, Scope: choiceOf(t.Role).Scope, Prefix: t.Prefix, Bootstrap: t.Bootstrap,
		MadeBy: t.MakerName, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, LastUsedAt: t.LastUsedAt}
}

func (h *Handler) listTokens(ctx context.Context, p principal, _ *none) (*answer[List[TokenView]], error) {
	all, err := h.Store.ListAPITokens(ctx, p.WorkspaceID)
	items := make([]TokenView, 0, len(all))
	for _, t := range all {
		items = append(items, viewToken(t))
	}
	return &answer[List[TokenView]]{List[TokenView]{Items: items}}, err
}

// createToken makes a token that can do no more, and lasts no longer, than whoever makes it.
func (h *Handler) createToken(ctx context.Context, p principal, in *tokenCreate) (*answer[TokenView], error) {
	t := records.APIToken{WorkspaceID: p.WorkspaceID, Role: admin, MadeBy: p.MadeBy, ExpiresAt: in.Body.ExpiresAt.UTC(), CreatedAt: h.Now().UTC()}
	var out faults
	t.Name = checkName(&out, "name", in.Body.Name)
	if in.Body.Scope != "" {
		var ok bool
		if t.Role, ok = roleOfScope(in.Body.Scope); !ok {
			out.add("scope", "Choose read, operate or admin.")
		}
	}
	if rank(t.Role) > rank(p.Role) {
		out.add("scope", "You cannot give a token more rights than you have.")
	}
	switch {
	case t.ExpiresAt.IsZero():
		t.ExpiresAt = p.Ends
	case !t.ExpiresAt.After(t.CreatedAt):
		out.add("expires_at", "This moment is over already.")
	case !p.Ends.IsZero() && t.ExpiresAt.After(p.Ends):
		out.add("expires_at", "A token cannot make one that lasts longer than itself.")
	}
	if other := in.Body.WorkspaceID; other != "" && other != t.WorkspaceID {
		if err := bootstrapOnly(p); err != nil {
			return nil, err
		}
		if t.WorkspaceID, t.MadeBy = other, ""; !validID(other) {
			out.add("workspace_id", "This is no id.")
		}
	}
	if err := out.problem(); err != nil {
		return nil, err
	}
	var err error
	if t.ID, err = newID(); err != nil {
		return nil, err
	}
	token := secretbox.NewToken()
	t.Hash, t.Prefix = secretbox.HashToken(token), tokenPrefix(token)
	if err := h.Store.CreateAPIToken(ctx, t); err != nil {
		return nil, err
	}
	v := viewToken(t)
	v.Token = token
	return &answer[TokenView]{v}, nil
}

func (h *Handler) deleteToken(ctx context.Context, p principal, in *PathID) (*none, error) {
	return nil, h.Store.DeleteAPIToken(ctx, p.WorkspaceID, in.ID)
}
