package postgres

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// person is somebody new in a workspace.
func (r *settingsRig) person(t *testing.T, ws, email, role string) records.User {
	t.Helper()
	u := records.User{ID: newID(), WorkspaceID: ws, Email: email, Name: "The one of " + email, PasswordHash: "$argon2id$hidden", Role: role}
	require.NoError(t, r.CreateUser(r.ctx, u))
	return u
}

// last entries of a workspace, the oldest first, by their actions.
func (r *settingsRig) actions(t *testing.T, after int) (out []string, all []records.AuditEntry) {
	t.Helper()
	all = r.log(t, records.AuditFilter{Limit: 10_000})[after:]
	for _, e := range all {
		out = append(out, e.Action)
	}
	return out, all
}

func TestChangesOfAccessAreNoted(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	boss := records.Actor{Kind: records.ActorUser, ID: newID(), Name: "Boss", Route: "POST /settings/users", RequestID: "R1"}
	r.ctx = records.WithActor(r.ctx, boss)
	n := len(r.log(t, records.AuditFilter{}))
	step := func(want ...string) []records.AuditEntry {
		t.Helper()
		got, all := r.actions(t, n)
		require.Equal(t, want, got)
		n += len(all)
		return all
	}
	anna := r.person(t, r.ws, "anna@example.com", records.RoleAdmin)
	e := step("user.create")[0]
	require.Equal(t, boss, e.Actor)
	require.Equal(t, map[string]any{"email": "anna@example.com", "name": anna.Name, "role": "admin", "may_add_workspaces": true}, e.After)
	ben := r.person(t, r.ws, "ben@example.com", records.RoleAdmin)
	step("user.create")

	// What ends with a person is noted with them.
	require.NoError(t, r.CreateSession(r.ctx, []byte("b1"), newSession(ben)))
	require.NoError(t, r.CreateAPIToken(r.ctx, records.APIToken{ID: newID(), WorkspaceID: r.ws, Name: "Ben's", Hash: []byte("bt"), MadeBy: ben.ID, Role: records.RoleOperator, Prefix: "cs_abcde"}))
	invitation := records.Invitation{ID: newID(), WorkspaceID: r.ws, Email: "cleo@example.com", Role: records.RoleViewer, Hash: []byte("i1"), InvitedBy: ben.ID, ExpiresAt: time.Now().Add(time.Hour)}
	require.NoError(t, r.CreateInvitation(r.ctx, invitation))
	all := step("session.create", "api_token.create", "invitation.create")
	require.Equal(t, ben.ID, all[0].Actor.ID, "whoever signs in has done it themselves")
	require.Equal(t, "R1", all[0].Actor.RequestID)
	require.Equal(t, map[string]any{"browser": "Firefox on Linux"}, all[0].After)
	require.Equal(t, map[string]any{"name": "Ben's", "scope": "operate", "prefix": "cs_abcde"}, all[1].After)
	require.Equal(t, "cleo@example.com", all[2].ObjectName)
	viewer, off := records.RoleViewer, true
	require.NoError(t, r.ChangeMember(r.ctx, r.ws, ben.ID, records.MemberChange{Role: &viewer}))
	all = step("user.update", "invitation.delete")
	require.Equal(t, map[string]any{"role": "admin"}, all[0].Before)
	require.Equal(t, map[string]any{"role": "viewer"}, all[0].After)
	require.NoError(t, r.ChangeMember(r.ctx, r.ws, ben.ID, records.MemberChange{Disabled: &off}))
	all = step("user.update", "session.end")
	require.Equal(t, map[string]any{"kept_out": true}, all[0].After)
	require.NoError(t, r.ChangeMember(r.ctx, r.ws, ben.ID, records.MemberChange{Disabled: &off}))
	step() // no change is none
	require.ErrorIs(t, r.ChangeMember(r.ctx, r.ws, anna.ID, records.MemberChange{Role: &viewer}), records.ErrLastAdmin)
	require.ErrorIs(t, r.ChangeMember(r.ctx, r.other, anna.ID, records.MemberChange{Role: &viewer}), records.ErrNotFound)
	step() // what is refused is not noted
	require.NoError(t, r.RemoveMember(r.ctx, r.ws, ben.ID))
	all = step("api_token.delete", "user.delete")
	require.Equal(t, ben.Name, all[1].ObjectName)
	require.Equal(t, "ben@example.com", all[1].Before["email"])

	// An invitation from its making to its end.
	invitation.ID, invitation.InvitedBy, invitation.Hash = newID(), anna.ID, []byte("i2")
	require.NoError(t, r.CreateInvitation(r.ctx, invitation))
	_, err := r.RenewInvitation(r.ctx, r.ws, invitation.ID, []byte("i3"), time.Now().Add(2*time.Hour))
	require.NoError(t, err)
	cleo := records.User{ID: newID(), Name: "Cleo", PasswordHash: "$argon2id$hidden"}
	require.NoError(t, r.AcceptInvitation(t.Context(), []byte("i3"), cleo))
	all = step("invitation.create", "invitation.renew", "invitation.accept")
	require.Equal(t, []string{records.ActorUser, cleo.ID, "Cleo"}, []string{all[2].Actor.Kind, all[2].Actor.ID, all[2].Actor.Name}, "by whoever has accepted")
	require.Equal(t, "viewer", all[2].After["role"])

	// What a person is everywhere is noted in each of their workspaces, and nowhere else.
	require.NoError(t, r.CreateOwnWorkspace(r.ctx, records.Workspace{ID: newID(), Name: "Third"}, anna.ID))
	third, err := r.Memberships(r.ctx, anna.ID)
	require.NoError(t, err)
	i := slices.IndexFunc(third, func(m records.Membership) bool { return m.Name == "Third" })
	there := func() []string {
		all, err := r.AuditPage(r.ctx, third[i].ID, records.AuditFilter{Limit: 100})
		require.NoError(t, err)
		var out []string
		for _, e := range slices.Backward(all) {
			out = append(out, e.Action)
		}
		return out
	}
	require.Equal(t, []string{"workspace.create", "user.create"}, there())
	require.NoError(t, r.CreateSession(r.ctx, []byte("a1"), newSession(anna)))
	require.NoError(t, r.CreateSession(r.ctx, []byte("a2"), newSession(anna)))
	require.NoError(t, r.SetPassword(r.ctx, anna.ID, "$argon2id$other", ""))
	require.NoError(t, r.SetOwnName(r.ctx, anna.ID, "Anna Smith"))
	require.NoError(t, r.SetInstallation(records.WithActor(r.ctx, records.OperatorActor("callsync user operator")), anna.ID, false))
	require.NoError(t, r.AddPasswordLink(r.ctx, anna.ID, []byte("l1"), time.Now().Add(time.Hour)))
	require.NoError(t, r.TakePasswordLink(t.Context(), []byte("l1"), "$argon2id$third"))
	all = step("session.create", "session.create", "user.set_password", "user.update", "user.update", "user.password_link", "user.set_password")
	require.Equal(t, map[string]any{"password": "changed", "sessions_ended": 2.0}, all[2].After)
	require.Equal(t, map[string]any{"may_add_workspaces": true}, all[4].Before)
	require.Equal(t, records.ActorOperator, all[4].Actor.Kind)
	require.Equal(t, anna.ID, all[6].Actor.ID, "by whoever had the link")
	require.Equal(t, []string{"workspace.create", "user.create", "user.set_password", "user.update", "user.update", "user.password_link", "user.set_password"}, there())
	require.NoError(t, r.RenameWorkspace(r.ctx, r.ws, "Acme Ltd"))
	e = step("workspace.update")[0]
	require.Equal(t, map[string]any{"name": "Acme"}, e.Before)

	session := newSession(anna)
	require.NoError(t, r.CreateSession(r.ctx, []byte("a3"), session))
	require.NoError(t, r.SwitchWorkspace(r.ctx, anna.ID, session.ID, third[i].ID))
	require.NoError(t, r.SwitchWorkspace(r.ctx, anna.ID, session.ID, third[i].ID))
	require.NoError(t, r.SwitchWorkspace(r.ctx, anna.ID, session.ID, r.ws))
	step("session.create", "session.switch")
	require.Equal(t, "session.switch", there()[7])
	require.Len(t, there(), 8)
	require.NoError(t, r.CreateSession(r.ctx, []byte("a4"), newSession(anna)))
	ended, err := r.EndOtherSessions(r.ctx, anna.ID, session.ID)
	require.NoError(t, err)
	require.EqualValues(t, 1, ended)
	require.NoError(t, r.EndSession(r.ctx, anna.ID, session.ID))
	require.ErrorIs(t, r.EndSession(r.ctx, anna.ID, session.ID), records.ErrNotFound)
	step("session.create", "session.end", "session.end")

	_, err = r.EnsureBootstrap(r.ctx, BootstrapInput{TokenHash: []byte("boot"), Email: "first@example.com", PasswordHash: "$argon2id$hidden"})
	require.NoError(t, err)
	_, err = r.EnsureBootstrap(r.ctx, BootstrapInput{TokenHash: []byte("boot"), Email: "first@example.com", PasswordHash: "$argon2id$hidden"})
	require.NoError(t, err)
	all = step("user.create", "api_token.create")
	require.Equal(t, map[string]any{"name": "bootstrap", "scope": "admin", "bootstrap": true}, all[1].After)
	for _, secret := range []string{"argon2id", "hidden", "b1", "bt", "i2", "l1", "boot\x00"} {
		if len(secret) > 2 {
			r.requireNotIn(t, "audit_log", secret)
		}
	}
	for _, hash := range []string{"b1", "bt", "i1", "i2", "i3", "l1", "a1"} {
		require.NotContains(t, r.dump(t, "audit_log"), `\\x`+hash)
	}
}

// Whoever guesses passwords, or signs in again and again, does not fill a log that is kept for good.
func TestSignInsAreNotedUpToANumber(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	anna := r.person(t, r.ws, "anna@example.com", records.RoleAdmin)
	ben := r.person(t, r.ws, "ben@example.com", records.RoleAdmin)
	r.person(t, r.other, "cleo@example.com", records.RoleAdmin)
	n := len(r.log(t, records.AuditFilter{}))
	r.ctx = records.WithActor(r.ctx, records.Actor{Kind: records.ActorUser, ID: ben.ID, Name: "Ben", Route: "POST /login", RequestID: "R2"})
	for range 40 {
		require.NoError(t, r.NoteRefusedSignIn(r.ctx, "ANNA@example.com", records.SessionRefused))
		require.NoError(t, r.NoteRefusedSignIn(r.ctx, "nobody@example.com\x00", records.SessionRefused))
		require.NoError(t, r.NoteRefusedSignIn(r.ctx, "anna@example.com", records.SessionBlocked))
	}
	got, all := r.actions(t, n)
	require.Len(t, got, 13)
	require.Equal(t, records.ActorSystem, all[0].Actor.Kind, "nobody has proved to be anybody")
	require.Equal(t, []string{"POST /login", "R2"}, []string{all[0].Actor.Route, all[0].Actor.RequestID})
	require.Equal(t, anna.ID, all[0].ObjectID)
	require.Equal(t, map[string]any{"more": "not noted for a day"}, all[12].After)
	require.Empty(t, all[11].After)
	for range 60 {
		require.NoError(t, r.CreateSession(r.ctx, secretbox.HashToken(newID()), newSession(anna)))
	}
	got, _ = r.actions(t, n+13)
	require.Len(t, got, 50)

	// Another person is noted on, up to what all may have together, and another workspace by itself.
	require.NoError(t, r.NoteRefusedSignIn(r.ctx, "ben@example.com", records.SessionRefused))
	got, _ = r.actions(t, n+63)
	require.Len(t, got, 1)
	_, err := r.pool.Exec(r.ctx, `update access_counts set count = 100 where count = 11 or key = $1`, accessKey("noted", records.SessionRefused, r.ws))
	require.NoError(t, err)
	require.NoError(t, r.NoteRefusedSignIn(r.ctx, "ben@example.com", records.SessionRefused))
	got, _ = r.actions(t, n+63)
	require.Len(t, got, 1)
	require.NoError(t, r.NoteRefusedSignIn(r.ctx, "cleo@example.com", records.SessionRefused))
	other, err := r.AuditPage(r.ctx, r.other, records.AuditFilter{Limit: 10, Action: records.SessionRefused})
	require.NoError(t, err)
	require.Len(t, other, 1)
	_, err = r.pool.Exec(r.ctx, `update access_counts set until = now()`)
	require.NoError(t, err)
	require.NoError(t, r.NoteRefusedSignIn(r.ctx, "ben@example.com", records.SessionRefused))
	got, _ = r.actions(t, n+63)
	require.Len(t, got, 2, "the next day")
}
