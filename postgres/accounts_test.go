package postgres

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

func TestWorkspaces(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	w, err := r.WorkspaceByID(r.ctx, r.ws)
	require.NoError(t, err)
	require.Equal(t, "Acme", w.Name)
	all, err := r.Workspaces(r.ctx)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, w, all[0])
	require.ErrorIs(t, r.CreateWorkspace(r.ctx, w), records.ErrConflict)
	_, err = r.WorkspaceByID(r.ctx, newID())
	require.ErrorIs(t, err, records.ErrNotFound)
	_, err = r.WorkspaceByID(r.ctx, "no uuid")
	require.ErrorIs(t, err, records.ErrNotFound)
}

func TestUsersAndSessions(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	u := records.User{ID: newID(), WorkspaceID: r.ws, Email: "Anna@example.com", Name: "Anna", PasswordHash: "h", Role: records.RoleViewer}
	require.NoError(t, r.CreateUser(r.ctx, u))
	got, err := r.UserByEmail(r.ctx, "anna@EXAMPLE.com")
	require.NoError(t, err)
	u.CreatedAt, u.Installation = got.CreatedAt, true
	require.Equal(t, u, got, "the first user operates the installation")
	byID, err := r.UserByID(r.ctx, r.ws, u.ID)
	require.NoError(t, err)
	require.Equal(t, u, byID)
	require.ErrorIs(t, r.CreateUser(r.ctx, records.User{ID: newID(), WorkspaceID: r.other, Email: "anna@example.com"}), records.ErrConflict)
	require.ErrorIs(t, r.CreateUser(r.ctx, records.User{ID: newID(), WorkspaceID: newID(), Email: "b@example.com"}), records.ErrNotFound)
	require.ErrorIs(t, r.CreateUser(r.ctx, records.User{ID: newID(), WorkspaceID: r.ws, Email: "c@example.com", Role: "king"}), records.ErrRefused)
	_, err = r.UserByEmail(r.ctx, "")
	require.ErrorIs(t, err, records.ErrNotFound)

	live, dead := secretbox.HashToken("live"), secretbox.HashToken("dead")
	session := newSession(u)
	require.NoError(t, r.CreateSession(r.ctx, live, session))
	over := newSession(u)
	over.ExpiresAt = time.Now().Add(-time.Second)
	require.NoError(t, r.CreateSession(r.ctx, dead, over))
	in, err := r.SessionUser(r.ctx, live)
	require.NoError(t, err)
	require.Equal(t, records.SignedIn{User: u, SessionID: session.ID, WorkspaceName: "Acme", Workspaces: 1}, in)
	_, err = r.SessionUser(r.ctx, dead)
	require.ErrorIs(t, err, records.ErrNotFound)
	_, err = r.SessionUser(r.ctx, secretbox.HashToken("none"))
	require.ErrorIs(t, err, records.ErrNotFound)
	n, err := r.DeleteExpiredSessions(r.ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	require.NoError(t, r.DeleteSession(r.ctx, live))
	require.NoError(t, r.DeleteSession(r.ctx, live))
	_, err = r.SessionUser(r.ctx, live)
	require.ErrorIs(t, err, records.ErrNotFound)
}

// newSession is a session of u that begins now.
func newSession(u records.User) records.Session {
	now := time.Now()
	return records.Session{ID: newID(), UserID: u.ID, WorkspaceID: u.WorkspaceID, Browser: "Firefox on Linux", ExpiresAt: now.Add(records.SessionIdle), EndsAt: now.Add(records.SessionLife)}
}

func TestAPITokens(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	token := records.APIToken{ID: newID(), WorkspaceID: r.ws, Name: "CI", Hash: secretbox.HashToken("t"), Bootstrap: true}
	require.NoError(t, r.CreateAPIToken(r.ctx, token))
	require.ErrorIs(t, r.CreateAPIToken(r.ctx, token), records.ErrConflict)
	lastUse := func() time.Time {
		all, err := r.ListAPITokens(r.ctx, r.ws)
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Nil(t, all[0].Hash)
		require.Equal(t, "CI", all[0].Name)
		return all[0].LastUsedAt
	}
	require.True(t, lastUse().IsZero())
	used, err := r.UseAPIToken(r.ctx, token.Hash)
	require.NoError(t, err)
	require.Equal(t, r.ws, used.WorkspaceID)
	require.Equal(t, records.RoleAdmin, used.Role)
	require.True(t, used.Bootstrap)
	first := lastUse()
	require.WithinDuration(t, time.Now(), first, time.Minute)
	_, err = r.UseAPIToken(r.ctx, token.Hash)
	require.NoError(t, err)
	require.Equal(t, first, lastUse(), "not written at every use")

	_, err = r.UseAPIToken(r.ctx, secretbox.HashToken("other"))
	require.ErrorIs(t, err, records.ErrNotFound)
	require.NoError(t, r.DeleteAPIToken(r.ctx, r.ws, token.ID))
	require.ErrorIs(t, r.DeleteAPIToken(r.ctx, r.ws, token.ID), records.ErrNotFound)
	_, err = r.UseAPIToken(r.ctx, token.Hash)
	require.ErrorIs(t, err, records.ErrNotFound)
}

func TestEnsureBootstrap(t *testing.T) {
	t.Parallel()
	r := &settingsRig{ctx: t.Context(), url: pgtest.New(t)}
	r.DB = r.open(t, secretbox.Generate("k1"))
	made, chosen := secretbox.HashToken("made up"), secretbox.HashToken("chosen")

	// Several processes start at once; each has made up a token, and one of them wins.
	results := make([]Bootstrapped, 4)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			var err error
			results[i], err = r.EnsureBootstrap(r.ctx, BootstrapInput{
				TokenHash: append([]byte{byte(i)}, made...), OnlyFirstToken: true, Email: "admin@example.com", PasswordHash: "first"})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	count := map[string]int{}
	for _, b := range results {
		require.Equal(t, results[0].WorkspaceID, b.WorkspaceID)
		for name, is := range map[string]bool{"workspace": b.NewWorkspace, "token": b.NewToken, "user": b.NewUser} {
			if is {
				count[name]++
			}
		}
	}
	require.Equal(t, map[string]int{"workspace": 1, "token": 1, "user": 1}, count)
	all, err := r.Workspaces(r.ctx)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "Default", all[0].Name)

	// A later start with a chosen token adds it; the user keeps the password.
	for again := range 2 {
		b, err := r.EnsureBootstrap(r.ctx, BootstrapInput{WorkspaceName: "X", TokenHash: chosen, Email: "ADMIN@example.com", PasswordHash: "second"})
		require.NoError(t, err)
		require.Equal(t, Bootstrapped{WorkspaceID: all[0].ID, NewToken: again == 0}, b)
	}
	used, err := r.UseAPIToken(r.ctx, chosen)
	require.NoError(t, err)
	ws := used.WorkspaceID
	require.Equal(t, all[0].ID, ws)
	require.True(t, used.Bootstrap)
	u, err := r.UserByEmail(r.ctx, "admin@example.com")
	require.NoError(t, err)
	require.Equal(t, "first", u.PasswordHash)
	require.Equal(t, records.RoleAdmin, u.Role)
	tokens, err := r.ListAPITokens(r.ctx, ws)
	require.NoError(t, err)
	require.Len(t, tokens, 2)

	b, err := r.EnsureBootstrap(r.ctx, BootstrapInput{})
	require.NoError(t, err)
	require.Equal(t, Bootstrapped{WorkspaceID: ws}, b)
}
