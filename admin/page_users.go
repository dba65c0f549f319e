package admin

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/callsync/callsync/records"
)

// usersPage is the page of a workspace's people.
type usersPage struct {
	Users       []userRow
	Invitations []invitationRow
	Roles       []roleChoice
	// Made is the invitation whose link is shown, this once.
	Made *InvitationView
	// What was entered into the form, and what was wrong with it.
	Email, Role string
	Wrong       map[string]string
	Loc         *time.Location
}

type userRow struct {
	records.Member
	Title, RoleLabel string
	Self             bool
}

type invitationRow struct {
	records.Invitation
	RoleLabel string
	Expired   bool
}

func (h *Handler) usersPage(w http.ResponseWriter, r *http.Request, p principal) error {
	return h.showUsers(w, r, p, http.StatusOK, usersPage{Role: viewer})
}

func (h *Handler) showUsers(w http.ResponseWriter, r *http.Request, p principal, status int, v usersPage) error {
	members, err := h.Store.Members(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	open, err := h.Store.Invitations(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	v.Roles, v.Loc = roleChoices, h.Now().Location()
	for _, m := range members {
		v.Users = append(v.Users, userRow{Member: m, Title: visible(memberName(m.User)), RoleLabel: choiceOf(m.Role).Label, Self: m.ID == p.UserID})
	}
	for _, i := range open {
		v.Invitations = append(v.Invitations, invitationRow{Invitation: i, RoleLabel: choiceOf(i.Role).Label, Expired: !i.ExpiresAt.After(h.Now())})
	}
	return h.showStatus(w, r, p, status, "users", "Users", settingsNav+"users", v)
}

// userInviteForm shows the link in its answer: it is kept nowhere.
func (h *Handler) userInviteForm(w http.ResponseWriter, r *http.Request, p principal) error {
	v := usersPage{Email: strings.TrimSpace(r.PostFormValue("email")), Role: r.PostFormValue("role")}
	var in userInvite
	in.Body.Email, in.Body.Role = v.Email, v.Role
	made, err := h.inviteUser(r.Context(), p, &in)
	if v.Wrong, err = wrongFields(err); err != nil {
		return err
	}
	if v.Wrong != nil {
		return h.showUsers(w, r, p, http.StatusUnprocessableEntity, v)
	}
	return h.showUsers(w, r, p, http.StatusOK, usersPage{Made: &made.Body, Role: viewer})
}

func (h *Handler) invitationRenewForm(w http.ResponseWriter, r *http.Request, p principal) error {
	made, err := h.renewInvitation(r.Context(), p, &PathID{ID: r.PathValue("id")})
	if err != nil {
		return err
	}
	return h.showUsers(w, r, p, http.StatusOK, usersPage{Made: &made.Body, Role: viewer})
}

func (h *Handler) invitationRevokeForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if _, err := h.revokeInvitation(r.Context(), p, &PathID{ID: r.PathValue("id")}); err != nil {
		return err
	}
	return back(w, r, "/settings/users", "uninvited")
}

// userPage is the page of one person.
type userPage struct {
	UserView
	Title, RoleLabel string
	Self             bool
	Roles            []roleChoice
	Wrong            map[string]string
	Problem          string
	Loc              *time.Location
}

func (h *Handler) userPage(w http.ResponseWriter, r *http.Request, p principal) error {
	return h.showUser(w, r, p, http.StatusOK, userPage{})
}

// showUser shows a person; a name, a role and faults that are in v come from a form that was refused.
func (h *Handler) showUser(w http.ResponseWriter, r *http.Request, p principal, status int, v userPage) error {
	u, err := h.getUser(r.Context(), p, &PathID{ID: r.PathValue("id")})
	if err != nil {
		return err
	}
	name, role := v.Name, v.Role
	v.UserView, v.Roles, v.Loc = u.Body, roleChoices, h.Now().Location()
	v.Title, v.RoleLabel = visible(v.Name), choiceOf(v.Role).Label
	if v.Title == "" {
		v.Title = visible(v.Email)
	}
	if v.Self = v.ID == p.UserID; status != http.StatusOK {
		v.Name, v.Role = name, role
	}
	return h.showStatus(w, r, p, status, "user", v.Title, settingsNav+"users", v)
}

func (h *Handler) userForm(w http.ResponseWriter, r *http.Request, p principal) error {
	name, role := r.PostFormValue("name"), r.PostFormValue("role")
	return h.changeUser(w, r, p, "person", userPage{UserView: UserView{Name: name, Role: role}}, records.MemberChange{Name: &name, Role: &role})
}

func (h *Handler) userStateForm(w http.ResponseWriter, r *http.Request, p principal) error {
	do := r.PathValue("do")
	if do != "disable" && do != "enable" {
		return notFound()
	}
	off := do == "disable"
	return h.changeUser(w, r, p, do+"d", userPage{}, records.MemberChange{Disabled: &off})
}

func (h *Handler) changeUser(w http.ResponseWriter, r *http.Request, p principal, done string, v userPage, c records.MemberChange) error {
	in := userPatch{PathID: PathID{ID: r.PathValue("id")}}
	in.Body.Name, in.Body.Role, in.Body.Disabled = c.Name, c.Role, c.Disabled
	changed, err := h.patchUser(r.Context(), p, &in)
	var refused *Problem
	if errors.Is(err, records.ErrLastAdmin) {
		refused = asProblem(r.Context(), h.Log, err)
	} else if v.Wrong, err = wrongFields(err); err != nil {
		return err
	}
	if refused != nil || v.Wrong != nil {
		if refused != nil {
			v.Problem = refused.Detail
		}
		return h.showUser(w, r, p, http.StatusUnprocessableEntity, v)
	}
	if changed.Body.ID == p.UserID && changed.Body.Role != admin {
		// They may not see this page any more.
		return back(w, r, "/account", done)
	}
	return back(w, r, "/settings/users/"+in.ID, done)
}

func (h *Handler) userRemovePage(w http.ResponseWriter, r *http.Request, p principal) error {
	u, err := h.getUser(r.Context(), p, &PathID{ID: r.PathValue("id")})
	if err != nil {
		return err
	}
	text := []string{"They are signed out of this workspace at once, and cannot come back unless they are invited again. What they have done stays in the records."}
	switch u.Body.Tokens {
	case 0:
	case 1:
		text = append(text, "The API token that they have made stops working. If a program uses it, give that another one first.")
	default:
		text = append(text, "The API tokens that they have made stop working. If programs use them, give those others first.")
	}
	name := u.Body.Name
	if name == "" {
		name = u.Body.Email
	}
	return h.show(w, r, p, "confirm", "Remove this person", settingsNav+"users", confirmation{List: "/settings/users", ListName: "Users", Name: name,
		Back: "/settings/users/" + u.Body.ID, Title: "Remove this person", Action: "/settings/users/" + u.Body.ID + "/remove", Submit: "Remove them", Text: text})
}

func (h *Handler) userRemoveForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if _, err := h.deleteUser(r.Context(), p, &PathID{ID: r.PathValue("id")}); err != nil {
		return err
	}
	if r.PathValue("id") == p.UserID {
		h.setSession(w, "", h.Now())
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return nil
	}
	return back(w, r, "/settings/users", "removed-user")
}

// wrongFields takes the faults of fields out of err, for a form to show beside them; other errors stay.
func wrongFields(err error) (map[string]string, error) {
	var p *Problem
	if !errors.As(err, &p) || len(p.Errors) == 0 {
		return nil, err
	}
	wrong := map[string]string{}
	for _, e := range p.Errors {
		wrong[e.Field] = e.Message
	}
	return wrong, nil
}
