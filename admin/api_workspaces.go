package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// WorkspaceView is a tenant.
type WorkspaceView struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// TokenView is an API token. The token itself is shown once, when it is made.
type TokenView struct {
	ID          string    `json:"id"`
	WorkspaceID string    `json:"workspace_id"`
	Name        string    `json:"name"`
	Bootstrap   bool      `json:"bootstrap,omitempty"`
	Token       string    `json:"token,omitempty" doc:"Only in the answer that makes it."`
	CreatedAt   time.Time `json:"created_at"`
	LastUsedAt  time.Time `json:"last_used_at,omitzero"`
}

type workspaceCreate struct {
	Body struct {
		Name string `json:"name"`
	}
}

type tokenCreate struct {
	Body struct {
		Name        string `json:"name"`
		WorkspaceID string `json:"workspace_id,omitempty" doc:"Another workspace; only with the bootstrap token."`
	}
}

func (h *Handler) registerWorkspaces() {
	handle(h, admin, get("/workspaces", "List workspaces; only with the bootstrap token", "Access"), h.listWorkspaces)
	handle(h, admin, created(post("/workspaces", "Add a workspace; only with the bootstrap token", "Access")), h.createWorkspace)
	handle(h, admin, get("/tokens", "List the API tokens of the workspace", "Access"), h.listTokens)
	handle(h, admin, created(post("/tokens", "Make an API token", "Access")), h.createToken)
	handle(h, admin, method(http.MethodDelete, "/tokens/{id}", "Revoke an API token", "Access"), h.deleteToken)
}

func bootstrapOnly(p principal) error {
	if !p.Bootstrap {
		return problem(http.StatusForbidden, "Only the bootstrap token may do this.")
	}
	return nil
}

func (h *Handler) listWorkspaces(ctx context.Context, p principal, _ *none) (*answer[List[WorkspaceView]], error) {
	if err := bootstrapOnly(p); err != nil {
		return nil, err
	}
	all, err := h.Store.Workspaces(ctx)
	items := make([]WorkspaceView, 0, len(all))
	for _, w := range all {
		items = append(items, WorkspaceView(w))
	}
	return &answer[List[WorkspaceView]]{List[WorkspaceView]{Items: items}}, err
}

func (h *Handler) createWorkspace(ctx context.Context, p principal, in *workspaceCreate) (*answer[WorkspaceView], error) {
	if err := bootstrapOnly(p); err != nil {
		return nil, err
	}
	var out faults
	name := checkName(&out, "name", in.Body.Name)
	if err := out.problem(); err != nil {
		return nil, err
	}
	id, err := newID()
	if err != nil {
		return nil, err
	}
	w := records.Workspace{ID: id, Name: name, CreatedAt: h.Now().UTC()}
	return &answer[WorkspaceView]{WorkspaceView(w)}, h.Store.CreateWorkspace(ctx, w)
}

func (h *Handler) listTokens(ctx context.Context, p principal, _ *none) (*answer[List[TokenView]], error) {
	all, err := h.Store.ListAPITokens(ctx, p.WorkspaceID)
	items := make([]TokenView, 0, len(all))
	for _, t := range all {
		items = append(items, TokenView{ID: t.ID, WorkspaceID: t.WorkspaceID, Name: t.Name, Bootstrap: t.Bootstrap, CreatedAt: t.CreatedAt, LastUsedAt: t.LastUsedAt})
	}
	return &answer[List[TokenView]]{List[TokenView]{Items: items}}, err
}

func (h *Handler) createToken(ctx context.Context, p principal, in *tokenCreate) (*answer[TokenView], error) {
	workspace := p.WorkspaceID
	var out faults
	name := checkName(&out, "name", in.Body.Name)
	if other := in.Body.WorkspaceID; other != "" && other != workspace {
		if err := bootstrapOnly(p); err != nil {
			return nil, err
		}
		if workspace = other; !validID(other) {
			out.add("workspace_id", "This is no id.")
		}
	}
	if err := out.problem(); err != nil {
		return nil, err
	}
	id, err := newID()
	if err != nil {
		return nil, err
	}
	token := secretbox.NewToken()
	t := records.APIToken{ID: id, WorkspaceID: workspace, Name: name, Hash: secretbox.HashToken(token), CreatedAt: h.Now().UTC()}
	if err := h.Store.CreateAPIToken(ctx, t); err != nil {
		return nil, err
	}
	return &answer[TokenView]{TokenView{ID: id, WorkspaceID: workspace, Name: name, Token: token, CreatedAt: t.CreatedAt}}, nil
}

func (h *Handler) deleteToken(ctx context.Context, p principal, in *PathID) (*none, error) {
	return nil, h.Store.DeleteAPIToken(ctx, p.WorkspaceID, in.ID)
}
