package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/callsync/callsync/records"
)

// WorkspaceView is a tenant.
type WorkspaceView struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

type workspaceName struct {
	Body struct {
		Name string `json:"name"`
	}
}

type workspaceRename struct {
	PathID
	workspaceName
}

func (h *Handler) registerWorkspaces() {
	handle(h, admin, get("/workspaces", "List workspaces: all with the bootstrap token, else those that you may come in to", "Access"), h.listWorkspaces)
	handle(h, admin, created(post("/workspaces", "Add a workspace; only with the bootstrap token or as an operator of the installation", "Access")), h.createWorkspace)
	handle(h, admin, method(http.MethodPatch, "/workspaces/{id}", "Rename the workspace; with the bootstrap token any", "Access"), h.renameWorkspace)
}

func bootstrapOnly(p principal) error {
	if !p.Bootstrap {
		return problem(http.StatusForbidden, "Only the bootstrap token may do this.")
	}
	return nil
}

// mayAddWorkspaces wants the operator of the installation.
func mayAddWorkspaces(p principal) error {
	if !p.Bootstrap && !p.Installation {
		return problem(http.StatusForbidden, "Only an operator of the installation may add workspaces: its first user, whom they have marked, or the bootstrap token.")
	}
	return nil
}

func (h *Handler) listWorkspaces(ctx context.Context, p principal, _ *none) (*answer[List[WorkspaceView]], error) {
	var out List[WorkspaceView]
	all, err := h.workspacesOf(ctx, p)
	out.Items = make([]WorkspaceView, 0, len(all))
	for _, w := range all {
		out.Items = append(out.Items, WorkspaceView(w))
	}
	return &answer[List[WorkspaceView]]{out}, err
}

// workspacesOf are those that p may see: a token sees its own.
func (h *Handler) workspacesOf(ctx context.Context, p principal) ([]records.Workspace, error) {
	if p.Bootstrap {
		return h.Store.Workspaces(ctx)
	}
	if p.UserID == "" {
		w, err := h.Store.WorkspaceByID(ctx, p.WorkspaceID)
		return []records.Workspace{w}, err
	}
	own, err := h.Store.Memberships(ctx, p.UserID)
	var all []records.Workspace
	for _, m := range own {
		all = append(all, m.Workspace)
	}
	return all, err
}

// createWorkspace adds a workspace. Its first admin is whoever adds it, if that is a person.
func (h *Handler) createWorkspace(ctx context.Context, p principal, in *workspaceName) (*answer[WorkspaceView], error) {
	if err := mayAddWorkspaces(p); err != nil {
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
	if p.UserID != "" {
		return &answer[WorkspaceView]{WorkspaceView(w)}, h.Store.CreateOwnWorkspace(ctx, w, p.UserID)
	}
	return &answer[WorkspaceView]{WorkspaceView(w)}, h.Store.CreateWorkspace(ctx, w)
}

func (h *Handler) renameWorkspace(ctx context.Context, p principal, in *workspaceRename) (*answer[WorkspaceView], error) {
	if in.ID != p.WorkspaceID && !p.Bootstrap {
		return nil, notFound()
	}
	var out faults
	name := checkName(&out, "name", in.Body.Name)
	if err := out.problem(); err != nil {
		return nil, err
	}
	if err := h.Store.RenameWorkspace(ctx, in.ID, name); err != nil {
		return nil, err
	}
	w, err := h.Store.WorkspaceByID(ctx, in.ID)
	return &answer[WorkspaceView]{WorkspaceView(w)}, err
}
