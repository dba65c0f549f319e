package postgres

import (
	"context"
	"encoding/hex"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// settingsRig is a database with two workspaces, so that every test can try the wrong one.
type settingsRig struct {
	*DB
	ctx       context.Context
	ws, other string
	url       string
	keys      string
}

func newSettingsRig(t *testing.T) *settingsRig {
	t.Helper()
	r := &settingsRig{ctx: t.Context(), ws: newID(), other: newID(), url: pgtest.New(t), keys: secretbox.Generate("k1")}
	r.DB = r.open(t, r.keys)
	// Not by CreateWorkspace, which would begin their audit logs.
	_, err := r.pool.Exec(r.ctx, `insert into workspaces (id, name, created_at) values ($1, 'Acme', now()), ($2, 'Other', now() + interval '1 second')`, r.ws, r.other)
	require.NoError(t, err)
	return r
}

func (r *settingsRig) open(t *testing.T, keys string) *DB {
	t.Helper()
	keyset, err := secretbox.Parse(keys)
	require.NoError(t, err)
	db, err := Open(r.ctx, r.url, keyset, Options{MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db
}

func (r *settingsRig) newSource() records.Source {
	return records.Source{
		ID: newID(), WorkspaceID: r.ws, Provider: "callrail", Name: "Main line", TimeZone: "America/New_York", DefaultCountry: "US",
		Window: 20 * time.Minute, Quiet: 5 * time.Second, Stale: 4 * time.Hour, Policy: "complete",
		Config: map[string]string{"company": "1"}, Secrets: map[string]string{"signing_key": "hunter2"}, Token: secretbox.NewToken(),
		Recordings: records.SourceRecordings{Policy: records.RecordingsArchive, Hosts: []string{"files.example.com"}, Days: 30, SignIn: true},
	}
}

func (r *settingsRig) newConnection() records.Connection {
	return records.Connection{
		ID: newID(), WorkspaceID: r.ws, Connector: "hubspot", Name: "HubSpot", Config: map[string]string{"base_url": "https://api.hubapi.com"},
		Secrets: map[string]string{"token": "pat-hunter2"}, Recordings: records.ShareUpload,
	}
}

// dump is everything in a table as text, as a thief of a backup would see it; bytes are in hexadecimal.
func (r *settingsRig) dump(t *testing.T, table string) string {
	t.Helper()
	var text string
	require.NoError(t, r.pool.QueryRow(r.ctx, `select coalesce(string_agg(t::text, ' ' order by t::text), '') from `+table+` t`).Scan(&text))
	return text
}

func (r *settingsRig) requireNotIn(t *testing.T, table, secret string) {
	t.Helper()
	text := r.dump(t, table)
	require.NotContains(t, text, secret)
	require.NotContains(t, text, hex.EncodeToString([]byte(secret)))
}

func TestTokenHashIsTheOneOfCallers(t *testing.T) {
	t.Parallel()
	require.Equal(t, secretbox.HashToken("x"), tokenHash("x"))
}

func TestSources(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	s := r.newSource()
	require.NoError(t, r.CreateSource(r.ctx, s))
	require.ErrorIs(t, r.CreateSource(r.ctx, s), records.ErrConflict)

	got, err := r.SourceByID(r.ctx, r.ws, s.ID)
	require.NoError(t, err)
	require.False(t, got.CreatedAt.IsZero())
	require.Equal(t, time.UTC, got.CreatedAt.Location())
	want := s
	want.CreatedAt, want.UpdatedAt = got.CreatedAt, got.UpdatedAt
	require.Equal(t, want, got)
	byToken, err := r.SourceByToken(r.ctx, secretbox.HashToken(s.Token))
	require.NoError(t, err)
	require.Equal(t, got, byToken)
	all, err := r.Sources(r.ctx, r.ws)
	require.NoError(t, err)
	require.Equal(t, []records.Source{got}, all)
	r.requireNotIn(t, "sources", s.Token)
	r.requireNotIn(t, "sources", "hunter2")

	got.Name, got.Policy, got.Window, got.Connections = "Second line", "early", 0, []string{}
	got.Config, got.Secrets = nil, nil
	require.NoError(t, r.UpdateSource(r.ctx, got))
	again, err := r.SourceByID(r.ctx, r.ws, s.ID)
	require.NoError(t, err)
	require.Equal(t, "Second line", again.Name)
	require.Equal(t, time.Duration(0), again.Window)
	require.NotNil(t, again.Connections, "none is not all")
	require.Empty(t, again.Connections)
	require.Empty(t, again.Config)
	require.Empty(t, again.Secrets)
	require.Equal(t, s.Token, again.Token)
	again.Connections = []string{newID(), newID()}
	require.NoError(t, r.UpdateSource(r.ctx, again))
	third, err := r.SourceByID(r.ctx, r.ws, s.ID)
	require.NoError(t, err)
	require.Equal(t, again.Connections, third.Connections)

	third.Window = -time.Second
	require.ErrorIs(t, r.UpdateSource(r.ctx, third), records.ErrRefused)
	third.Window, third.Name = 0, "nul \x00"
	err = r.UpdateSource(r.ctx, third)
	require.ErrorIs(t, err, records.ErrRefused)

	require.NoError(t, r.DeleteSource(r.ctx, r.ws, s.ID))
	for _, err := range []error{
		r.DeleteSource(r.ctx, r.ws, s.ID), r.UpdateSource(r.ctx, again), r.RotateSourceToken(r.ctx, r.ws, s.ID, "x", time.Now()),
		second(r.SourceByID(r.ctx, r.ws, s.ID)), second(r.SourceByToken(r.ctx, secretbox.HashToken(s.Token))),
	} {
		require.ErrorIs(t, err, records.ErrNotFound)
	}
	var name string
	var sealed []byte
	require.NoError(t, r.pool.QueryRow(r.ctx, `select name, secrets from sources where id = $1`, s.ID).Scan(&name, &sealed))
	require.Equal(t, "Second line", name, "receipts and calls still refer to it")
	require.Nil(t, sealed, "a deleted source keeps no secrets")
	all, err = r.Sources(r.ctx, r.ws)
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestHookTokensRotateWithOverlap(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	s := r.newSource()
	require.NoError(t, r.CreateSource(r.ctx, s))
	found := func(token string) bool {
		got, err := r.SourceByToken(r.ctx, secretbox.HashToken(token))
		if err != nil {
			require.ErrorIs(t, err, records.ErrNotFound)
			return false
		}
		require.Equal(t, s.ID, got.ID)
		return true
	}
	second, third := secretbox.NewToken(), secretbox.NewToken()
	require.NoError(t, r.RotateSourceToken(r.ctx, r.ws, s.ID, second, time.Now().Add(24*time.Hour)))
	require.True(t, found(s.Token), "the old one lives on")
	require.True(t, found(second))
	got, err := r.SourceByID(r.ctx, r.ws, s.ID)
	require.NoError(t, err)
	require.Equal(t, second, got.Token)

	require.NoError(t, r.RotateSourceToken(r.ctx, r.ws, s.ID, third, time.Now().Add(-time.Second)))
	require.False(t, found(s.Token), "the one before the old one is dead")
	require.False(t, found(second), "the old one's time is over")
	require.True(t, found(third))
	require.False(t, found(""))
}

func TestConnections(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	c := r.newConnection()
	require.NoError(t, r.CreateConnection(r.ctx, c))
	require.ErrorIs(t, r.CreateConnection(r.ctx, c), records.ErrConflict)
	got, err := r.ConnectionByID(r.ctx, r.ws, c.ID)
	require.NoError(t, err)
	want := c
	want.Mode, want.Status = "live", records.ConnectionActive
	want.CreatedAt, want.UpdatedAt = got.CreatedAt, got.UpdatedAt
	require.Equal(t, want, got)
	r.requireNotIn(t, "connections", "hunter2")

	all, err := r.Connections(r.ctx, r.ws)
	require.NoError(t, err)
	require.Equal(t, []records.Connection{got}, all)
	bare, err := r.ConnectionsOf(r.ctx, r.ws)
	require.NoError(t, err)
	withoutSecrets := got
	withoutSecrets.Secrets = nil
	require.Equal(t, []records.Connection{withoutSecrets}, bare)

	at := time.Now().UTC().Truncate(time.Microsecond)
	require.NoError(t, r.SetConnectionReport(r.ctx, r.ws, c.ID, "keyed_upsert", []byte(`{"checks": []}`), at))
	require.NoError(t, r.SetConnectionStatus(r.ctx, r.ws, c.ID, records.ConnectionPaused, "Paused by Anna"))
	window := time.Minute
	got.Name, got.Mode, got.Policy, got.Window, got.Secrets = "HubSpot EU", "shadow", "early", &window, map[string]string{"token": "pat-2"}
	got.Match = records.Match{Objects: []string{"lead", "contact"}, OnMany: records.MatchAsk, AskHold: true}
	require.NoError(t, r.UpdateConnection(r.ctx, got))
	changed, err := r.ConnectionByID(r.ctx, r.ws, c.ID)
	require.NoError(t, err)
	require.Equal(t, "keyed_upsert", changed.Idempotency, "an admin's change leaves the connect test alone")
	require.JSONEq(t, `{"checks": []}`, string(changed.Report))
	require.Equal(t, at, changed.VerifiedAt)
	require.Equal(t, records.ConnectionPaused, changed.Status)
	require.Equal(t, "Paused by Anna", changed.StatusReason)
	require.Equal(t, &window, changed.Window)
	require.Equal(t, "early", changed.Policy)
	require.Equal(t, got.Secrets, changed.Secrets)
	require.True(t, changed.UpdatedAt.After(got.UpdatedAt), "open sessions notice")

	require.NoError(t, r.SetConnectionReport(r.ctx, r.ws, c.ID, "", nil, at))
	changed, err = r.ConnectionByID(r.ctx, r.ws, c.ID)
	require.NoError(t, err)
	require.Equal(t, "keyed_upsert", changed.Idempotency, "a test that could not decide changes nothing")
	require.Nil(t, changed.Report)
	require.ErrorIs(t, r.SetConnectionStatus(r.ctx, r.ws, c.ID, "asleep", ""), records.ErrRefused)

	require.NoError(t, r.DeleteConnection(r.ctx, r.ws, c.ID))
	for _, err := range []error{
		r.DeleteConnection(r.ctx, r.ws, c.ID), r.UpdateConnection(r.ctx, got), second(r.ConnectionByID(r.ctx, r.ws, c.ID)),
		r.SetConnectionStatus(r.ctx, r.ws, c.ID, records.ConnectionActive, ""), r.SetConnectionReport(r.ctx, r.ws, c.ID, "", nil, at),
	} {
		require.ErrorIs(t, err, records.ErrNotFound)
	}
	bare, err = r.ConnectionsOf(r.ctx, r.ws)
	require.NoError(t, err)
	require.Empty(t, bare)
	var sealed []byte
	require.NoError(t, r.pool.QueryRow(r.ctx, `select secrets from connections where id = $1`, c.ID).Scan(&sealed))
	require.Nil(t, sealed, "a deleted connection keeps no secrets")
}

// A sealed value belongs to its row: copied to another one, it does not open.
func TestSecretsCannotBeMovedToAnotherRow(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	a, b := r.newConnection(), r.newConnection()
	require.NoError(t, r.CreateConnection(r.ctx, a))
	require.NoError(t, r.CreateConnection(r.ctx, b))
	_, err := r.pool.Exec(r.ctx, `update connections set secrets = (select secrets from connections where id = $1) where id = $2`, a.ID, b.ID)
	require.NoError(t, err)
	_, err = r.ConnectionByID(r.ctx, r.ws, b.ID)
	require.ErrorIs(t, err, secretbox.ErrCorrupt)
	require.NotContains(t, err.Error(), "hunter2")
}

// With a new key in front, old rows still open, and what is written again no longer needs the old key.
func TestSecretsSurviveKeyRotation(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	c := r.newConnection()
	require.NoError(t, r.CreateConnection(r.ctx, c))
	newKey := secretbox.Generate("k2")
	both, only := r.open(t, newKey+","+r.keys), r.open(t, newKey)
	_, err := only.ConnectionByID(r.ctx, r.ws, c.ID)
	require.ErrorIs(t, err, secretbox.ErrUnknownKey)
	got, err := both.ConnectionByID(r.ctx, r.ws, c.ID)
	require.NoError(t, err)
	require.Equal(t, c.Secrets, got.Secrets)
	require.NoError(t, both.UpdateConnection(r.ctx, got))
	got, err = only.ConnectionByID(r.ctx, r.ws, c.ID)
	require.NoError(t, err)
	require.Equal(t, c.Secrets, got.Secrets)
}

func TestMappingVersions(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	c := r.newConnection()
	require.NoError(t, r.CreateConnection(r.ctx, c))
	_, err := r.ActiveMapping(r.ctx, r.ws, c.ID, "call")
	require.ErrorIs(t, err, records.ErrNotFound)

	// Versions are numbered without gaps or doubles, whoever writes at the same time.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := r.AddMappingVersion(r.ctx, r.ws, records.MappingVersion{ConnectionID: c.ID, Object: "call", Document: "a: b", Author: "Anna", Note: "n"})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n, err := r.AddMappingVersion(r.ctx, r.ws, records.MappingVersion{ConnectionID: c.ID, Object: "contact", Document: "c: d"})
	require.NoError(t, err)
	require.Equal(t, 1, n, "each object counts for itself")
	_, err = r.AddMappingVersion(r.ctx, r.ws, records.MappingVersion{ConnectionID: c.ID, Object: "call", Document: "x: y", Base: 7})
	require.ErrorIs(t, err, records.ErrOutdated)
	all, err := r.MappingVersions(r.ctx, r.ws, c.ID, "call")
	require.NoError(t, err)
	require.Len(t, all, 8)
	for i, v := range all {
		require.Equal(t, 8-i, v.Version)
		require.Equal(t, i == 0, v.Active)
		require.Equal(t, "a: b", v.Document)
	}

	require.NoError(t, r.ActivateMapping(r.ctx, r.ws, c.ID, "call", 3))
	active, err := r.ActiveMapping(r.ctx, r.ws, c.ID, "call")
	require.NoError(t, err)
	require.Equal(t, 3, active.Version)
	require.True(t, active.Active)
	require.ErrorIs(t, r.ActivateMapping(r.ctx, r.ws, c.ID, "call", 99), records.ErrNotFound)
	require.ErrorIs(t, r.ActivateMapping(r.ctx, r.ws, c.ID, "contact", 2), records.ErrNotFound)
	active, err = r.ActiveMapping(r.ctx, r.ws, c.ID, "call")
	require.NoError(t, err)
	require.Equal(t, 3, active.Version)
}

func TestOwnNumbersAndOwners(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	c := r.newConnection()
	require.NoError(t, r.CreateConnection(r.ctx, c))

	require.NoError(t, r.PutOwnNumbers(r.ctx, r.ws, []records.OwnNumber{{Number: "+15550002"}, {Number: "+15550001", Label: "a"}, {Number: "+15550001", Label: "b"}}))
	numbers, err := r.OwnNumbers(r.ctx, r.ws)
	require.NoError(t, err)
	require.Equal(t, []records.OwnNumber{{Number: "+15550001", Label: "b"}, {Number: "+15550002"}}, numbers)
	require.NoError(t, r.PutOwnNumbers(r.ctx, r.ws, nil))
	numbers, err = r.OwnNumbers(r.ctx, r.ws)
	require.NoError(t, err)
	require.Empty(t, numbers)

	require.NoError(t, r.PutOwners(r.ctx, r.ws, c.ID, []records.Owner{
		{AgentKey: " Anna@Example.com", OwnerID: "1", OwnerName: "Anna"}, {AgentKey: "id:B7", OwnerID: "2"},
	}))
	owners, err := r.Owners(r.ctx, r.ws, c.ID)
	require.NoError(t, err)
	require.Equal(t, []records.Owner{{AgentKey: "anna@example.com", OwnerID: "1", OwnerName: "Anna", Manual: true}, {AgentKey: "id:B7", OwnerID: "2", Manual: true}}, owners)
	id, ok, err := r.OwnerFor(r.ctx, r.ws, c.ID, []string{"ANNA@example.com"})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "1", id)
	_, ok, err = r.OwnerFor(r.ctx, r.ws, c.ID, []string{"id:b7"})
	require.NoError(t, err)
	require.False(t, ok, "ids keep their case")
	id, ok, err = r.OwnerFor(r.ctx, r.ws, c.ID, []string{"nobody@example.com", "id:B7", "anna@example.com"})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "2", id, "the surer name of the agent counts")
	_, ok, err = r.OwnerFor(r.ctx, r.other, c.ID, []string{"anna@example.com"})
	require.NoError(t, err)
	require.False(t, ok)
	require.NoError(t, r.PutOwners(r.ctx, r.ws, c.ID, nil))
	owners, err = r.Owners(r.ctx, r.ws, c.ID)
	require.NoError(t, err)
	require.Empty(t, owners)
}

func TestDispositions(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	c := r.newConnection()
	require.NoError(t, r.CreateConnection(r.ctx, c))
	require.NoError(t, r.PutDispositions(r.ctx, r.ws, c.ID, []records.Disposition{
		{Value: "Not  Interested", OptionID: "1"}, {Value: "Call back", OptionID: "2"}, {Value: "CALL  BACK", OptionID: "3"},
	}))
	all, err := r.Dispositions(r.ctx, r.ws, c.ID)
	require.NoError(t, err)
	require.Equal(t, []records.Disposition{{Value: "CALL  BACK", OptionID: "3"}, {Value: "Not  Interested", OptionID: "1"}}, all)
	option, ok, err := r.DispositionFor(r.ctx, r.ws, c.ID, " not interested ")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "1", option)
	for _, miss := range []struct{ ws, value string }{{r.ws, "interested"}, {r.ws, ""}, {r.other, "Not Interested"}} {
		_, ok, err = r.DispositionFor(r.ctx, miss.ws, c.ID, miss.value)
		require.NoError(t, err)
		require.False(t, ok, miss.value)
	}
	all, err = r.Dispositions(r.ctx, r.other, c.ID)
	require.NoError(t, err)
	require.Empty(t, all)
	require.NoError(t, r.PutDispositions(r.ctx, r.ws, c.ID, nil))
	all, err = r.Dispositions(r.ctx, r.ws, c.ID)
	require.NoError(t, err)
	require.Empty(t, all)
}

// Whatever a request of one workspace does with ids of another one, it finds nothing and changes nothing.
func TestWorkspacesAreApart(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	s, c := r.newSource(), r.newConnection()
	require.NoError(t, r.CreateSource(r.ctx, s))
	require.NoError(t, r.CreateConnection(r.ctx, c))
	mapping := records.MappingVersion{ConnectionID: c.ID, Object: "call", Document: "a: b"}
	_, err := r.AddMappingVersion(r.ctx, r.ws, mapping)
	require.NoError(t, err)
	_, err = r.AddMappingVersion(r.ctx, r.ws, mapping)
	require.NoError(t, err)
	u := records.User{ID: newID(), WorkspaceID: r.ws, Email: "a@example.com", PasswordHash: "x"}
	require.NoError(t, r.CreateUser(r.ctx, u))
	token := records.APIToken{ID: newID(), WorkspaceID: r.ws, Name: "t", Hash: secretbox.HashToken("t")}
	require.NoError(t, r.CreateAPIToken(r.ctx, token))
	session := newSession(u)
	require.NoError(t, r.CreateSession(r.ctx, []byte("s"), session))
	invitation := records.Invitation{ID: newID(), WorkspaceID: r.ws, Email: "b@example.com", Role: "admin", Hash: []byte("i"), ExpiresAt: time.Now().Add(time.Hour)}
	require.NoError(t, r.CreateInvitation(r.ctx, invitation))
	before := r.dump(t, "sources") + r.dump(t, "connections") + r.dump(t, "active_mappings") + r.dump(t, "mappings") + r.dump(t, "api_tokens") + r.dump(t, "sessions") + r.dump(t, "memberships") + r.dump(t, "invitations")

	for _, ws := range []string{r.other, newID(), "not a uuid", ""} {
		stolenSource, stolenConnection := s, c
		stolenSource.WorkspaceID, stolenConnection.WorkspaceID = ws, ws
		stolenConnection.Mode = "live"
		for name, err := range map[string]error{
			"SourceByID":          second(r.SourceByID(r.ctx, ws, s.ID)),
			"UpdateSource":        r.UpdateSource(r.ctx, stolenSource),
			"RotateSourceToken":   r.RotateSourceToken(r.ctx, ws, s.ID, "x", time.Now()),
			"DeleteSource":        r.DeleteSource(r.ctx, ws, s.ID),
			"ConnectionByID":      second(r.ConnectionByID(r.ctx, ws, c.ID)),
			"UpdateConnection":    r.UpdateConnection(r.ctx, stolenConnection),
			"SetConnectionStatus": r.SetConnectionStatus(r.ctx, ws, c.ID, records.ConnectionRevoked, ""),
			"SetConnectionReport": r.SetConnectionReport(r.ctx, ws, c.ID, "create_only", nil, time.Now()),
			"DeleteConnection":    r.DeleteConnection(r.ctx, ws, c.ID),
			"ActiveMapping":       second(r.ActiveMapping(r.ctx, ws, c.ID, "call")),
			"AddMappingVersion":   second(r.AddMappingVersion(r.ctx, ws, mapping)),
			"ActivateMapping":     r.ActivateMapping(r.ctx, ws, c.ID, "call", 1),
			"PutOwners":           r.PutOwners(r.ctx, ws, c.ID, []records.Owner{{AgentKey: "x", OwnerID: "1"}}),
			"PutDispositions":     r.PutDispositions(r.ctx, ws, c.ID, []records.Disposition{{Value: "x", OptionID: "1"}}),
			"UserByID":            second(r.UserByID(r.ctx, ws, u.ID)),
			"CreateSession":       r.CreateSession(r.ctx, []byte("h"), records.Session{ID: newID(), UserID: u.ID, WorkspaceID: ws, EndsAt: time.Now().Add(time.Hour), ExpiresAt: time.Now().Add(time.Hour)}),
			"ChangeMember":        r.ChangeMember(r.ctx, ws, u.ID, records.MemberChange{Name: new("stolen")}),
			"RemoveMember":        r.RemoveMember(r.ctx, ws, u.ID),
			"RenewInvitation":     second(r.RenewInvitation(r.ctx, ws, invitation.ID, []byte("stolen"), time.Now().Add(time.Hour))),
			"RevokeInvitation":    r.RevokeInvitation(r.ctx, ws, invitation.ID),
			"SwitchWorkspace":     r.SwitchWorkspace(r.ctx, u.ID, session.ID, ws),
			"DeleteAPIToken":      r.DeleteAPIToken(r.ctx, ws, token.ID),
		} {
			require.ErrorIs(t, err, records.ErrNotFound, "%s in %q", name, ws)
		}
	}
	for _, ws := range []string{r.other, newID()} {
		versions, err := r.MappingVersions(r.ctx, ws, c.ID, "call")
		require.NoError(t, err)
		require.Empty(t, versions)
		tokens, err := r.ListAPITokens(r.ctx, ws)
		require.NoError(t, err)
		require.Empty(t, tokens)
		sources, err := r.Sources(r.ctx, ws)
		require.NoError(t, err)
		require.Empty(t, sources)
	}
	require.Equal(t, before, r.dump(t, "sources")+r.dump(t, "connections")+r.dump(t, "active_mappings")+r.dump(t, "mappings")+r.dump(t, "api_tokens")+r.dump(t, "sessions")+r.dump(t, "memberships")+r.dump(t, "invitations"))
}

func second[T any](_ T, err error) error { return err }
