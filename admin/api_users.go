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

// UserView is a person of the workspace.
type UserView struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
	Role  string `json:"role" enum:"viewer,operator,admin"`
	State string `json:"state" enum:"active,disabled"`
	// Tokens is how many API tokens of the workspace they have made.
	Tokens     int       `json:"tokens" doc:"API tokens that they have made. These end with them."`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at,omitzero" doc:"Exact to some minutes."`
}

// InvitationView is an offer to join the workspace. Its link is shown once, when it is made.
type InvitationView struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Role      string    `json:"role" enum:"viewer,operator,admin"`
	InvitedBy string    `json:"invited_by,omitempty"`
	URL       string    `json:"url,omitempty" doc:"Where it is accepted, once. Only in the answer that makes it."`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

type userInvite struct {
	Body struct {
		Email string `json:"email"`
		Role  string `json:"role" doc:"viewer, operator or admin."`
	}
}

type userPatch struct {
	PathID
	Body struct {
		Name     *string `json:"name,omitempty" doc:"What they are called in this workspace."`
		Role     *string `json:"role,omitempty" doc:"viewer, operator or admin. It counts at their next request."`
		Disabled *bool   `json:"disabled,omitempty" doc:"true: their sessions end at once, and their tokens do not count, until it is false again."`
	}
}

func (h *Handler) registerUsers() {
	handle(h, admin, get("/users", "List the people of the workspace", "Access"), h.listUsers)
	handle(h, admin, created(post("/users", "Invite somebody by a link", "Access")), h.inviteUser)
	handle(h, admin, get("/users/{id}", "A person of the workspace", "Access"), h.getUser)
	handle(h, admin, method(http.MethodPatch, "/users/{id}", "Change a person's name or role, or keep them out for a while", "Access"), h.patchUser)
	handle(h, admin, method(http.MethodDelete, "/users/{id}", "Take a person out of the workspace", "Access"), h.deleteUser)
	handle(h, admin, get("/invitations", "List the invitations that nobody has accepted", "Access"), h.listInvitations)
	handle(h, admin, post("/invitations/{id}/renew", "Make another link for an invitation; the old one ends", "Access"), h.renewInvitation)
	handle(h, admin, method(http.MethodDelete, "/invitations/{id}", "Take an invitation back", "Access"), h.revokeInvitation)
}

func viewMember(m records.Member) UserView {
	v := UserView{ID: m.ID, Email: m.Email, Name: m.Name, Role: m.Role, State: "active", Tokens: m.Tokens, CreatedAt: m.CreatedAt, LastSeenAt: m.SeenAt}
	if !m.DisabledAt.IsZero() {
		v.State = "disabled"
	}
	return v
}

func viewInvitation(i records.Invitation) InvitationView {
	return InvitationView{ID: i.ID, Email: i.Email, Role: i.Role, InvitedBy: i.InviterName, CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt}
}

func (h *Handler) listUsers(ctx context.Context, p principal, _ *none) (*answer[List[UserView]], error) {
	all, err := h.Store.Members(ctx, p.WorkspaceID)
	items := make([]UserView, 0, len(all))
	for _, m := range all {
		items = append(items, viewMember(m))
	}
	return &answer[List[UserView]]{List[UserView]{Items: items}}, err
}

func (h *Handler) getUser(ctx context.Context, p principal, in *PathID) (*answer[UserView], error) {
	all, err := h.Store.Members(ctx, p.WorkspaceID)
	for _, m := range all {
		if m.ID == in.ID {
			return &answer[UserView]{viewMember(m)}, nil
		}
	}
	if err == nil {
		err = notFound()
	}
	return nil, err
}

// inviteUser answers the same for an e-mail that has an account in another workspace as for one that has none.
func (h *Handler) inviteUser(ctx context.Context, p principal, in *userInvite) (*answer[InvitationView], error) {
	var out faults
	i := records.Invitation{WorkspaceID: p.WorkspaceID, Email: checkEmail(&out, in.Body.Email), Role: in.Body.Role, InvitedBy: p.MadeBy, CreatedAt: h.Now().UTC()}
	checkRole(&out, p, "role", i.Role)
	if err := out.problem(); err != nil {
		return nil, err
	}
	var err error
	if i.ID, err = newID(); err != nil {
		return nil, err
	}
	token := secretbox.NewToken()
	i.Hash, i.ExpiresAt = secretbox.HashToken(token), i.CreatedAt.Add(InvitationLife)
	if err := h.Store.CreateInvitation(ctx, i); errors.Is(err, records.ErrConflict) {
		return nil, invalid("email", "This person is in the workspace already.")
	} else if err != nil {
		return nil, err
	}
	v := viewInvitation(i)
	v.URL, v.InvitedBy = h.public.String()+InvitationPath+token, p.Name
	return &answer[InvitationView]{v}, nil
}

func (h *Handler) patchUser(ctx context.Context, p principal, in *userPatch) (*answer[UserView], error) {
	var out faults
	c := records.MemberChange{Name: in.Body.Name, Role: in.Body.Role, Disabled: in.Body.Disabled}
	if c.Name != nil {
		name := strings.TrimSpace(*c.Name)
		if c.Name = &name; name != "" {
			checkName(&out, "name", name)
		}
	}
	if c.Role != nil {
		checkRole(&out, p, "role", *c.Role)
	}
	if err := out.problem(); err != nil {
		return nil, err
	}
	if err := h.Store.ChangeMember(ctx, p.WorkspaceID, in.ID, c); err != nil {
		return nil, err
	}
	return h.getUser(ctx, p, &in.PathID)
}

func (h *Handler) deleteUser(ctx context.Context, p principal, in *PathID) (*none, error) {
	return nil, h.Store.RemoveMember(ctx, p.WorkspaceID, in.ID)
}

func (h *Handler) listInvitations(ctx context.Context, p principal, _ *none) (*answer[List[InvitationView]], error) {
	all, err := h.Store.Invitations(ctx, p.WorkspaceID)
	items := make([]InvitationView, 0, len(all))
	for _, i := range all {
		items = append(items, viewInvitation(i))
	}
	return &answer[List[InvitationView]]{List[InvitationView]{Items: items}}, err
}

func (h *Handler) renewInvitation(ctx context.Context, p principal, in *PathID) (*answer[InvitationView], error) {
	token := secretbox.NewToken()
	i, err := h.Store.RenewInvitation(ctx, p.WorkspaceID, in.ID, secretbox.HashToken(token), h.Now().UTC().Add(InvitationLife))
	v := viewInvitation(i)
	v.URL = h.public.String() + InvitationPath + token
	return &answer[InvitationView]{v}, err
}

func (h *Handler) revokeInvitation(ctx context.Context, p principal, in *PathID) (*none, error) {
	return nil, h.Store.RevokeInvitation(ctx, p.WorkspaceID, in.ID)
}
