package admin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
)

// A session is in one workspace at a time, and all tabs of a browser share it. So every page says of which workspace it is:
// its forms in a field of each, its scripts in a header. What comes from a page of another workspace is refused, in place of
// being written into the wrong one.
const (
	placeField  = "_workspace"
	placeHeader = "X-Callsync-Workspace"
)

// postForms are the forms that send something. No text of strangers becomes a tag.
var postForms = regexp.MustCompile(`<form [^>]*method="post"[^>]*>`)

// placed puts the workspace into the forms of a page, so that no template can forget it.
func placed(page []byte, workspaceID string) []byte {
	if workspaceID == "" {
		return page
	}
	return postForms.ReplaceAll(page, []byte(`$0<input type="hidden" name="`+placeField+`" value="`+workspaceID+`">`))
}

// placeOf is the workspace that pages for p are of: only sessions go from one to another.
func placeOf(p principal) string {
	if p.UserID == "" {
		return ""
	}
	return p.WorkspaceID
}

// Elsewhere is a workspace in which a refused form was filled in.
type Elsewhere struct{ ID, Name string }

// samePlace refuses what a page of workspace from sends, if p is in another one by now. A person who is in several must say
// where their page came from.
func (h *Handler) samePlace(ctx context.Context, p principal, from string) error {
	if p.UserID == "" || from == p.WorkspaceID || from == "" && p.Workspaces < 2 {
		return nil
	}
	if from == "" {
		return problem(http.StatusConflict, "Nothing was changed: the page does not say of which workspace it is. Load it again, and send it once more.")
	}
	own, err := h.Store.Memberships(ctx, p.UserID)
	if err != nil {
		return err
	}
	refused := problem(http.StatusConflict, "Nothing was changed: this page is of another workspace than “"+clip(p.WorkspaceName, 80)+"”, where you are now.")
	for _, m := range own {
		if m.ID == from {
			refused.Detail = "Nothing was changed: this page is of the workspace “" + clip(m.Name, 80) + "”, and you have gone to “" + clip(p.WorkspaceName, 80) + "” since, in another tab."
			refused.Title, refused.Elsewhere = "Another workspace", &Elsewhere{m.ID, cmp.Or(m.Name, "the other workspace")}
		}
	}
	return refused
}

// formFrom reads the form that r sends, and refuses one of another workspace. Switching is how people come back.
func (h *Handler) formFrom(w http.ResponseWriter, r *http.Request, p principal) error {
	if r.Method != http.MethodPost {
		return nil
	}
	if err := readForm(w, r); err != nil || strings.HasSuffix(r.Pattern, "/switch") {
		return err
	}
	return h.samePlace(r.Context(), p, cmp.Or(r.Header.Get(placeHeader), r.PostForm.Get(placeField)))
}

// Bounds of forms. Documents are larger than settings, of which two may have 16 KiB, and more while they are encoded.
const (
	maxForm      = 256 << 10
	maxDocuments = 8 << 20
)

// formLimit is how large a form of a page may be.
func formLimit(pattern string) int64 {
	for _, end := range []string{"/rules", "/actions", "/mappings/{object}", "/row"} {
		if strings.HasSuffix(pattern, end) {
			return maxDocuments
		}
	}
	return maxForm
}

// readForm reads the form of a request. Reading it again costs nothing.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, formLimit(r.Pattern))
	err := r.ParseForm()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return problem(http.StatusRequestEntityTooLarge, "This is too large.")
	case err != nil:
		return problem(http.StatusBadRequest, "This form could not be read: it is not a form.")
	}
	return nil
}
