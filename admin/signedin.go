package admin

import "net/http"

// SignedIn tells the workspace of whoever sent r: by session, or by API token. ok is false where nobody is signed in, or
// nobody can tell.
func (h *Handler) SignedIn(r *http.Request) (workspaceID string, ok bool) {
	p, err := h.authenticate(r)
	return p.WorkspaceID, err == nil && p.WorkspaceID != ""
}
