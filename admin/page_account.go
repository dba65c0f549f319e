package admin

import (
	"errors"
	"net/http"
	"time"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// accountPage is what a person changes of themselves.
type accountPage struct {
	Email, Name, Workspace string
	Role                   roleChoice
	Sessions               []sessionRow
	Wrong                  map[string]string
	Idle, Life             int // days
	Loc                    *time.Location
}

type sessionRow struct {
	records.Session
	Current bool
}

func (h *Handler) accountPage(w http.ResponseWriter, r *http.Request, p principal) error {
	return h.showAccount(w, r, p, http.StatusOK, accountPage{})
}

func (h *Handler) showAccount(w http.ResponseWriter, r *http.Request, p principal, status int, v accountPage) error {
	if err := person(p); err != nil {
		return err
	}
	u, err := h.Store.UserByID(r.Context(), p.WorkspaceID, p.UserID)
	if err != nil {
		return err
	}
	all, err := h.Store.Sessions(r.Context(), p.UserID)
	if err != nil {
		return err
	}
	const day = 24 * time.Hour
	v.Email, v.Workspace, v.Role, v.Loc = u.Email, p.WorkspaceName, choiceOf(p.Role), h.Now().Location()
	v.Idle, v.Life = int(records.SessionIdle/day), int(records.SessionLife/day)
	if v.Wrong["name"] == "" {
		v.Name = u.Name
	}
	for _, s := range all {
		v.Sessions = append(v.Sessions, sessionRow{s, s.ID == p.SessionID})
	}
	return h.showStatus(w, r, p, status, "account", "My account", settingsNav+"account", v)
}

func (h *Handler) accountNameForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := person(p); err != nil {
		return err
	}
	var out faults
	name := checkName(&out, "name", r.PostFormValue("name"))
	if wrong, _ := wrongFields(out.problem()); wrong != nil {
		return h.showAccount(w, r, p, http.StatusUnprocessableEntity, accountPage{Name: name, Wrong: wrong})
	}
	if err := h.Store.SetOwnName(r.Context(), p.UserID, name); err != nil {
		return err
	}
	return back(w, r, "/account", "named")
}

// accountPasswordForm changes the password of a person who knows the old one, which is guessed no faster here than at the
// sign-in: whoever has taken over a session does not take over the account with it.
func (h *Handler) accountPasswordForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := person(p); err != nil {
		return err
	}
	var out faults
	checkPassword(&out, r.PostFormValue("password"), r.PostFormValue("again"), p.Email)
	wrong, _ := wrongFields(out.problem())
	if wrong == nil {
		var said string
		var err error
		if _, said, err = h.proven(r, p.Email, r.PostFormValue("old")); err != nil {
			return err
		}
		if said != "" {
			wrong = map[string]string{"old": said}
		}
	}
	if wrong != nil {
		return h.showAccount(w, r, p, http.StatusUnprocessableEntity, accountPage{Wrong: wrong})
	}
	hash, err := secretbox.HashPassword(r.PostFormValue("password"))
	if err != nil {
		return err
	}
	if err := h.Store.SetPassword(r.Context(), p.UserID, hash, p.SessionID); err != nil {
		return err
	}
	return back(w, r, "/account", "repassworded")
}

// proven checks the password of an account within the limit of sign-ins. Where it does not hold, said is why.
func (h *Handler) proven(r *http.Request, email, password string) (userID, said string, err error) {
	try := h.signInTry(r, email)
	wait, last, err := h.Store.CountSignIn(r.Context(), try)
	if err != nil || wait > 0 {
		return "", tooMany(wait), err
	}
	id, hash, err := h.Store.AccountByEmail(r.Context(), email)
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		return "", "", err
	}
	if err := secretbox.VerifyPassword(hash, password); errors.Is(err, secretbox.ErrPasswordMismatch) {
		h.refusedSignIn(r, email, last)
		return "", "This is not the password of the account.", nil
	} else if err != nil {
		return "", "", err
	}
	return id, "", h.Store.SignInSucceeded(r.Context(), try)
}

func (h *Handler) sessionEndForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := person(p); err != nil {
		return err
	}
	id := r.PathValue("id")
	if err := h.Store.EndSession(r.Context(), p.UserID, id); err != nil {
		return err
	}
	if id == p.SessionID {
		h.setSession(w, "", h.Now())
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return nil
	}
	return back(w, r, "/account", "ended")
}

func (h *Handler) sessionsEndForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := person(p); err != nil {
		return err
	}
	if _, err := h.Store.EndOtherSessions(r.Context(), p.UserID, p.SessionID); err != nil {
		return err
	}
	return back(w, r, "/account", "ended")
}
