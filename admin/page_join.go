package admin

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// joinPage is where an invitation is accepted.
type joinPage struct {
	records.Invitation
	Role roleChoice
	// Token is the link's.
	Token string
	// Me is set for the invited person who is signed in already; Other is who else is.
	Me    bool
	Other string
	// Known says that the person has an account already, as they have told.
	Known bool
	Name  string
	Wrong map[string]string
	Loc   *time.Location
}

// invitationOf finds the invitation that a link is for, and who is signed in beside it.
func (h *Handler) invitationOf(r *http.Request) (v joinPage, p principal, hash []byte, err error) {
	v.Token = r.PathValue("token")
	hash = secretbox.HashToken(v.Token)
	v.Invitation, err = h.Store.InvitationByHash(r.Context(), hash)
	if errors.Is(err, records.ErrNotFound) {
		return v, p, hash, problem(http.StatusNotFound, "This invitation was used, taken back, or is older than a week. Ask who invited you for another link.")
	}
	if err != nil {
		return v, p, hash, err
	}
	v.Role, v.Loc = choiceOf(v.Invitation.Role), h.Now().Location()
	p, err = h.authenticate(r)
	if errors.Is(err, errNoAccess) {
		return v, principal{}, hash, nil
	}
	if err == nil && p.UserID != "" {
		if v.Me = strings.EqualFold(p.Email, v.Email); !v.Me {
			v.Other = p.Email
		}
	}
	return v, p, hash, err
}

func (h *Handler) joinPage(w http.ResponseWriter, r *http.Request) {
	v, _, _, err := h.invitationOf(r)
	if err == nil {
		v.Known = r.URL.Query().Get("known") != ""
		err = h.showOpen(w, r, http.StatusOK, "join", "Join "+visible(v.WorkspaceName), v)
	}
	if err != nil {
		h.failed(w, r, principal{}, err)
	}
}

func (h *Handler) joinForm(w http.ResponseWriter, r *http.Request) {
	if err := h.join(w, nobody(w, r)); err != nil {
		h.failed(w, r, principal{}, err)
	}
}

// join accepts an invitation: for somebody new by a name and a password, for somebody who has an account by their
// password, or by being signed in.
func (h *Handler) join(w http.ResponseWriter, r *http.Request) error {
	if h.origins.Check(r) != nil {
		return problem(http.StatusForbidden, "This came from another site. Open the link of the invitation in a window of its own.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginForm)
	if err := r.ParseForm(); err != nil {
		return problem(http.StatusBadRequest, "This form could not be read.")
	}
	v, p, hash, err := h.invitationOf(r)
	if err != nil {
		return err
	}
	u := records.User{Name: strings.TrimSpace(r.PostFormValue("name"))}
	v.Name, v.Known = u.Name, r.PostFormValue("known") != ""
	var out faults
	switch {
	case v.Me:
		u.ID = p.UserID
	case v.Known:
		id, said, err := h.proven(r, v.Email, r.PostFormValue("password"))
		if err != nil {
			return err
		}
		if u.ID = id; said != "" {
			out.add("password", said)
		}
	default:
		checkName(&out, "name", u.Name)
		checkPassword(&out, r.PostFormValue("password"), r.PostFormValue("again"), v.Email)
		if len(out) > 0 {
			break
		}
		if u.ID, err = newID(); err != nil {
			return err
		}
		if u.PasswordHash, err = secretbox.HashPassword(r.PostFormValue("password")); err != nil {
			return err
		}
	}
	if len(out) == 0 {
		err := h.Store.AcceptInvitation(r.Context(), hash, u)
		switch {
		case errors.Is(err, records.ErrConflict):
			v.Known = true
			out.add("password", "This e-mail has an account in callsync already: give its password.")
		case err != nil:
			return err
		}
	}
	if v.Wrong, _ = wrongFields(out.problem()); v.Wrong != nil {
		return h.showOpen(w, r, http.StatusUnprocessableEntity, "join", "Join "+visible(v.WorkspaceName), v)
	}
	if err := h.startSession(w, r, u.ID, v.WorkspaceID); err != nil {
		return err
	}
	http.Redirect(w, r, "/?done=welcome", http.StatusSeeOther)
	return nil
}

// newPasswordPage is where a person chooses another password, by a link of the operator's.
type newPasswordPage struct {
	Email, Token string
	Wrong        map[string]string
}

func (h *Handler) newPasswordPage(w http.ResponseWriter, r *http.Request) {
	v, _, err := h.passwordLink(r)
	if err == nil {
		err = h.showOpen(w, r, http.StatusOK, "password", "Choose a password", v)
	}
	if err != nil {
		h.failed(w, r, principal{}, err)
	}
}

func (h *Handler) passwordLink(r *http.Request) (v newPasswordPage, hash []byte, err error) {
	v.Token = r.PathValue("token")
	hash = secretbox.HashToken(v.Token)
	v.Email, err = h.Store.PasswordLink(r.Context(), hash)
	if errors.Is(err, records.ErrNotFound) {
		err = problem(http.StatusNotFound, "This link was used or is older than a day. Ask the operator of callsync for another one.")
	}
	return v, hash, err
}

func (h *Handler) newPasswordForm(w http.ResponseWriter, r *http.Request) {
	if err := h.newPassword(w, nobody(w, r)); err != nil {
		h.failed(w, r, principal{}, err)
	}
}

func (h *Handler) newPassword(w http.ResponseWriter, r *http.Request) error {
	if h.origins.Check(r) != nil {
		return problem(http.StatusForbidden, "This came from another site. Open the link in a window of its own.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginForm)
	if err := r.ParseForm(); err != nil {
		return problem(http.StatusBadRequest, "This form could not be read.")
	}
	v, hash, err := h.passwordLink(r)
	if err != nil {
		return err
	}
	var out faults
	checkPassword(&out, r.PostFormValue("password"), r.PostFormValue("again"), v.Email)
	if v.Wrong, _ = wrongFields(out.problem()); v.Wrong != nil {
		return h.showOpen(w, r, http.StatusUnprocessableEntity, "password", "Choose a password", v)
	}
	password, err := secretbox.HashPassword(r.PostFormValue("password"))
	if err != nil {
		return err
	}
	if err := h.Store.TakePasswordLink(r.Context(), hash, password); err != nil {
		return err
	}
	h.setSession(w, "", h.Now())
	http.Redirect(w, r, "/login?done=password", http.StatusSeeOther)
	return nil
}

// showOpen shows a page to somebody who need not be signed in.
func (h *Handler) showOpen(w http.ResponseWriter, r *http.Request, status int, name, title string, page any) error {
	return h.render(w, r, status, name, frame{Title: title, Page: page})
}
