package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/postgres"
	"github.com/callsync/callsync/records"
)

// The operator's commands, from an empty database to a person whose password was set again.
func TestAccessCommands(t *testing.T) {
	database := pgtest.New(t)
	t.Setenv("DATABASE_URL", database)
	t.Setenv("CALLSYNC_PUBLIC_URL", "https://callsync.example/")
	do := func(stdin string, args ...string) (string, error) {
		var out bytes.Buffer
		err := runAccess(t.Context(), args, strings.NewReader(stdin), &out)
		return out.String(), err
	}
	must := func(stdin string, args ...string) string {
		t.Helper()
		out, err := do(stdin, args...)
		require.NoError(t, err, "%v", args)
		return out
	}
	for _, args := range [][]string{{"user"}, {"user", "add"}, {"user", "list", "x"}, {"user", "add", "a@example.com", "b@example.com"}, {"user", "eat", "x"}, {"workspace"}, {"user", "list", "--nonsense"}} {
		out, err := do("", args...)
		require.Error(t, err)
		require.Contains(t, out, "Usage:")
	}
	_, err := do("", "user", "add", "anna@example.com")
	require.ErrorContains(t, err, "no workspace yet")
	must("", "workspace", "add", "Acme")
	require.Contains(t, must("", "workspace", "list"), "Acme")
	must("", "workspace", "add", "Beta")

	_, err = do("short\n", "user", "add", "anna@example.com", "--password-stdin")
	require.ErrorContains(t, err, "at least 12")
	require.Contains(t, must("four plain words here\n", "user", "add", "--name", "Anna", "anna@example.com", "--password-stdin"), "Acme as admin")
	_, err = do("four plain words here", "user", "add", "ANNA@example.com", "--workspace", "beta", "--password-stdin")
	require.ErrorContains(t, err, "already")
	link := must("", "user", "add", "ben@example.com", "--role", "viewer", "--workspace", "beta")
	require.Regexp(t, `(?m)^https://callsync\.example/invitations/cs_[a-z0-9]{26}$`, link)
	_, err = do("", "user", "add", "ben@example.com", "--role", "king")
	require.ErrorContains(t, err, "viewer, operator or admin")
	_, err = do("", "user", "add", "ben")
	require.ErrorContains(t, err, "not an e-mail")
	_, err = do("", "user", "add", "ben@example.com", "--workspace", "gamma")
	require.ErrorContains(t, err, "no such workspace")
	list := must("", "user", "list")
	require.Regexp(t, `Acme +anna@example.com +Anna +admin +active, operator`, list)
	require.Regexp(t, `Beta +ben@example.com +viewer +invited until`, list)
	require.NotContains(t, must("", "user", "list", "--workspace", "Beta"), "anna")

	link = must("", "user", "reset-password", "Anna@example.com")
	require.Len(t, regexp.MustCompile(`https://callsync\.example/password/cs_[a-z0-9]{26}`).FindAllString(link, -1), 1)
	_, err = do("", "user", "reset-password", "nobody@example.com")
	require.ErrorContains(t, err, "nobody has this e-mail")
	must("five plain words in here", "user", "reset-password", "anna@example.com", "--password-stdin")
	db, err := postgres.Open(t.Context(), database, nil, postgres.Options{MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	_, hash, err := db.AccountByEmail(t.Context(), "anna@example.com")
	require.NoError(t, err)
	require.NoError(t, secretbox.VerifyPassword(hash, "five plain words in here"))
	must("", "user", "operator", "anna@example.com", "--off")
	all, err := db.Workspaces(t.Context())
	require.NoError(t, err)
	log, err := db.AuditPage(t.Context(), all[0].ID, records.AuditFilter{Limit: 100})
	require.NoError(t, err)
	var done []string
	for _, e := range log {
		require.Equal(t, records.ActorOperator, e.Actor.Kind)
		done = append(done, e.Actor.Route+": "+e.Action)
	}
	require.Equal(t, []string{"callsync user operator: user.update", "callsync user reset-password: user.set_password", "callsync user reset-password: user.password_link",
		"callsync user add: user.create", "callsync workspace add: workspace.create"}, done)
	require.NotContains(t, must("", "user", "list"), "operator")
}
