package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// principal is who a request comes from. Handlers take the workspace from here and from nowhere else.
type principal struct {
	WorkspaceID string
	// UserID is the user's; empty for API tokens.
	UserID string
	// Name is shown beside what the principal did ("Paused by Anna").
	Name      string
	Role      string
	Bootstrap bool
}

// may tells whether p has at least role.
func (p principal) may(role string) bool { return rank(p.Role) >= rank(role) }

func rank(role string) int {
	switch role {
	case records.RoleViewer:
		return 1
	case records.RoleOperator:
		return 2
	case records.RoleAdmin:
		return 3
	}
	return 0
}

type principalKey struct{}

func principalOf(ctx context.Context) (principal, bool) {
	p, ok := ctx.Value(principalKey{}).(principal)
	return p, ok
}

const (
	sessionCookie = "callsync_session"
	// sessionLength is how long a sign-in lasts.
	sessionLength = 14 * 24 * time.Hour
)

// errNoAccess says that a request has no valid token or session.
var errNoAccess = errors.New("no access")

// authenticate finds out who sent r: by bearer token, else by session cookie. Requests with a cookie that change
// something must come from our own pages, because browsers send cookies along with forged ones. Errors: errNoAccess,
// a *Problem, or the store's.
func (h *Handler) authenticate(r *http.Request) (principal, error) {
	if value := r.Header.Get("Authorization"); value != "" {
		scheme, token, _ := strings.Cut(value, " ")
		if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "Bearer") {
			return principal{}, errNoAccess
		}
		workspace, bootstrap, err := h.Store.APITokenWorkspace(r.Context(), secretbox.HashToken(token))
		if errors.Is(err, records.ErrNotFound) {
			return principal{}, errNoAccess
		}
		return principal{WorkspaceID: workspace, Name: "an API token", Role: records.RoleAdmin, Bootstrap: bootstrap}, err
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return principal{}, errNoAccess
	}
	if h.origins.Check(r) != nil {
		return principal{}, problem(http.StatusForbidden, "This request came from another site. Open callsync in its own window and try again.")
	}
	user, err := h.Store.SessionUser(r.Context(), secretbox.HashToken(cookie.Value))
	if errors.Is(err, records.ErrNotFound) {
		return principal{}, errNoAccess
	}
	name := user.Name
	if name == "" {
		name = user.Email
	}
	return principal{WorkspaceID: user.WorkspaceID, UserID: user.ID, Name: name, Role: user.Role}, err
}

func (h *Handler) setSession(w http.ResponseWriter, token string, expires time.Time) {
	c := &http.Cookie{Name: sessionCookie, Value: token, Path: "/", Expires: expires, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: h.public.Scheme == "https"}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}
