package admin

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// maxLoginForm bounds what a stranger may send.
const maxLoginForm = 16 << 10

type loginView struct {
	Email, Next, Wrong string
}

func (h *Handler) loginPage(w http.ResponseWriter, r *http.Request) {
	h.showLogin(w, r, http.StatusOK, loginView{Next: ownPath(r.URL.Query().Get("next"))})
}

func (h *Handler) showLogin(w http.ResponseWriter, r *http.Request, status int, v loginView) {
	f := frame{Title: "Sign in", Page: v}
	if r.URL.Query().Get("done") == "password" {
		f.Flash = flashes["password"]
	}
	if err := h.render(w, r, status, "login", f); err != nil {
		h.Log.ErrorContext(r.Context(), "page failed", "err", err)
		http.Error(w, "Something went wrong here.", http.StatusInternalServerError)
	}
}

// ownPath is next if it is a page of ours, so that nobody is led elsewhere after the sign-in.
func ownPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	if h.origins.Check(r) != nil {
		h.failed(w, r, principal{}, problem(http.StatusForbidden, "This sign-in came from another site. Open callsync in its own window and try again."))
		return
	}
	r = nobody(w, r)
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginForm)
	if err := r.ParseForm(); err != nil {
		h.failed(w, r, principal{}, problem(http.StatusBadRequest, "This sign-in could not be read."))
		return
	}
	email, next := strings.TrimSpace(r.PostFormValue("email")), ownPath(r.PostFormValue("next"))
	v := loginView{Email: email, Next: next}
	try := h.signInTry(r, email)
	wait, last, err := h.Store.CountSignIn(r.Context(), try)
	if err != nil {
		h.failed(w, r, principal{}, err)
		return
	}
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
		v.Wrong = tooMany(wait)
		h.showLogin(w, r, http.StatusTooManyRequests, v)
		return
	}
	user, err := h.Store.UserByEmail(r.Context(), email)
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		h.failed(w, r, principal{}, err)
		return
	}
	// An unknown user has no hash; that costs as much time as a wrong password.
	if err := secretbox.VerifyPassword(user.PasswordHash, r.PostFormValue("password")); err != nil {
		if !errors.Is(err, secretbox.ErrPasswordMismatch) {
			h.Log.ErrorContext(r.Context(), "password hash cannot be read", "user", user.ID, "err", err)
		}
		h.refusedSignIn(r, email, last)
		v.Wrong = "The e-mail or the password is wrong."
		h.showLogin(w, r, http.StatusUnauthorized, v)
		return
	}
	if err := h.Store.SignInSucceeded(r.Context(), try); err != nil {
		h.failed(w, r, principal{}, err)
		return
	}
	if err := h.startSession(w, r, user.ID, user.WorkspaceID); err != nil {
		h.failed(w, r, principal{}, err)
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (h *Handler) logout(w http.ResponseWriter, r *http.Request) {
	if h.origins.Check(r) != nil {
		h.failed(w, r, principal{}, problem(http.StatusForbidden, "This request came from another site."))
		return
	}
	if cookie, err := r.Cookie(h.cookieName()); err == nil {
		if err := h.Store.DeleteSession(r.Context(), secretbox.HashToken(cookie.Value)); err != nil && !errors.Is(err, records.ErrNotFound) {
			h.failed(w, r, principal{}, err)
			return
		}
	}
	h.setSession(w, "", h.Now())
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
