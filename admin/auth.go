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
	// SessionID is that of the user's session.
	SessionID string
	// TokenID and TokenName are those of the API token that the request came with; empty for people.
	TokenID, TokenName string
	// Email is the user's.
	Email string
	// MadeBy is the user who stands behind what the principal makes: itself, or who made the token; empty for the
	// operator's tokens.
	MadeBy string
	// Ends is when the token expires; zero if it does not.
	Ends time.Time
	// WorkspaceName is that of the workspace, and Workspaces in how many the user may come in.
	WorkspaceName string
	Workspaces    int
	// Name is shown beside what the principal did ("Paused by Anna").
	Name string
	Role string
	// Bootstrap and Installation may add workspaces: the operator's token and the operator themselves.
	Bootstrap    bool
	Installation bool
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

const sessionCookie = "callsync_session"

// cookieName is the session cookie's.
func (h *Handler) cookieName() string {
	return h.hostCookie(sessionCookie)
}

// hostCookie is what a cookie is called. By https it has the prefix with which browsers take it from this host alone: no
// neighbour on another subdomain can plant one.
func (h *Handler) hostCookie(name string) string {
	if h.public.Scheme == "https" {
		return "__Host-" + name
	}
	return name
}

// errNoAccess says that a request has no valid token or session.
var errNoAccess = errors.New("no access")

// authenticate finds out who sent r: by bearer token, else by session cookie. Requests with a cookie that change
// something must come from our own pages, because browsers send cookies along with forged ones, and what a page's script asks
// for from a page of the workspace that the session is in. Errors: errNoAccess,
// a *Problem, or the store's.
func (h *Handler) authenticate(r *http.Request) (principal, error) {
	if value := r.Header.Get("Authorization"); value != "" {
		scheme, token, _ := strings.Cut(value, " ")
		if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "Bearer") {
			return principal{}, errNoAccess
		}
		t, err := h.Store.UseAPIToken(r.Context(), secretbox.HashToken(token))
		if errors.Is(err, records.ErrNotFound) {
			return principal{}, errNoAccess
		}
		return principal{WorkspaceID: t.WorkspaceID, TokenID: t.ID, TokenName: t.Name, Name: "the API token “" + t.Name + "”", Role: t.Role, Bootstrap: t.Bootstrap, MadeBy: t.MadeBy, Ends: t.ExpiresAt}, err
	}
	cookie, err := r.Cookie(h.cookieName())
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
	p := principal{WorkspaceID: user.WorkspaceID, UserID: user.ID, SessionID: user.SessionID, Email: user.Email, MadeBy: user.ID, Name: memberName(user.User), Role: user.Role,
		Installation: user.Installation, WorkspaceName: user.WorkspaceName, Workspaces: user.Workspaces}
	if from := r.Header.Get(placeHeader); err == nil && from != "" {
		err = h.samePlace(r.Context(), p, from)
	}
	return p, err
}

// startSession signs a person in to a workspace, with a new session: one that the browser had before ends.
func (h *Handler) startSession(w http.ResponseWriter, r *http.Request, userID, workspaceID string) error {
	if cookie, err := r.Cookie(h.cookieName()); err == nil {
		if err := h.Store.DeleteSession(r.Context(), secretbox.HashToken(cookie.Value)); err != nil {
			return err
		}
	}
	id, err := newID()
	if err != nil {
		return err
	}
	token, now := secretbox.NewToken(), h.Now().UTC()
	s := records.Session{ID: id, UserID: userID, WorkspaceID: workspaceID, Browser: browserFamily(r.UserAgent()),
		ExpiresAt: now.Add(records.SessionIdle), EndsAt: now.Add(records.SessionLife)}
	if err := h.Store.CreateSession(r.Context(), secretbox.HashToken(token), s); err != nil {
		return err
	}
	h.setSession(w, token, s.EndsAt)
	return h.knowBrowser(w, r, userID)
}

func (h *Handler) setSession(w http.ResponseWriter, token string, expires time.Time) {
	h.setCookie(w, sessionCookie, token, expires)
}

func (h *Handler) setCookie(w http.ResponseWriter, name, token string, expires time.Time) {
	c := &http.Cookie{Name: h.hostCookie(name), Value: token, Path: "/", Expires: expires, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: h.public.Scheme == "https"}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}
