package admin

import (
	"net/http"
	"strings"

	"github.com/callsync/callsync/records"
)

// workspacesPage is the page of the workspaces of a person.
type workspacesPage struct {
	Workspaces []workspaceRow
	// Name is the present one's.
	Name   string
	CanAdd bool
	// What was entered for a new one, and what was wrong with either name.
	NewName string
	Wrong   map[string]string
}

type workspaceRow struct {
	records.Membership
	RoleLabel string
	Current   bool
}

// person is p if it is one: an API token has no account.
func person(p principal) error {
	if p.UserID == "" {
		return problem(http.StatusForbidden, "This page is for people who are signed in: an API token has no account.")
	}
	return nil
}

func (h *Handler) workspacesPage(w http.ResponseWriter, r *http.Request, p principal) error {
	return h.showWorkspaces(w, r, p, http.StatusOK, workspacesPage{Name: p.WorkspaceName})
}

func (h *Handler) showWorkspaces(w http.ResponseWriter, r *http.Request, p principal, status int, v workspacesPage) error {
	if err := person(p); err != nil {
		return err
	}
	all, err := h.Store.Memberships(r.Context(), p.UserID)
	if err != nil {
		return err
	}
	v.CanAdd = mayAddWorkspaces(p) == nil
	for _, m := range all {
		v.Workspaces = append(v.Workspaces, workspaceRow{Membership: m, RoleLabel: choiceOf(m.Role).Label, Current: m.ID == p.WorkspaceID})
	}
	return h.showStatus(w, r, p, status, "workspaces", "Workspaces", settingsNav+"workspaces", v)
}

func (h *Handler) workspaceCreateForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := person(p); err != nil {
		return err
	}
	var in workspaceName
	in.Body.Name = strings.TrimSpace(r.PostFormValue("name"))
	_, err := h.createWorkspace(r.Context(), p, &in)
	wrong, err := wrongFields(err)
	if err != nil {
		return err
	}
	if wrong != nil {
		return h.showWorkspaces(w, r, p, http.StatusUnprocessableEntity, workspacesPage{Name: p.WorkspaceName, NewName: in.Body.Name, Wrong: map[string]string{"new": wrong["name"]}})
	}
	return back(w, r, "/settings/workspaces", "workspace")
}

func (h *Handler) workspaceRenameForm(w http.ResponseWriter, r *http.Request, p principal) error {
	in := workspaceRename{PathID: PathID{ID: p.WorkspaceID}}
	in.Body.Name = strings.TrimSpace(r.PostFormValue("name"))
	_, err := h.renameWorkspace(r.Context(), p, &in)
	wrong, err := wrongFields(err)
	if err != nil {
		return err
	}
	if wrong != nil {
		return h.showWorkspaces(w, r, p, http.StatusUnprocessableEntity, workspacesPage{Name: in.Body.Name, Wrong: wrong})
	}
	return back(w, r, "/settings/workspaces", "renamed")
}

func (h *Handler) workspaceSwitchForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := person(p); err != nil {
		return err
	}
	if err := h.Store.SwitchWorkspace(r.Context(), p.UserID, p.SessionID, r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/", "switched")
}
