package postgres

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// auditedTables hold what people configure and decide: who writes them notes it. All other tables of the schema must be
// among notAudited, so that a new one is thought about.
var auditedTables = []string{"workspaces", "users", "memberships", "invitations", "password_links", "sessions", "api_tokens", "sources", "own_numbers", "connections", "connection_grants",
	"connection_owners", "connection_dispositions", "rules", "actions", "mappings", "active_mappings", "match_choices", "match_reviews", "resyncs",
	"alert_channels", "alert_settings", "alert_mutes"}

var notAudited = map[string]string{
	"what the pipeline keeps of calls": "call_list receipt_hours receipts receipts_default inbox receipt_results calls call_aliases events messages forms deliveries delivery_attempts " +
		"unmatched match_watch recordings recording_blobs follow_ups follow_up_calls resync_calls",
	"what callsync learns by itself": "agents_seen learned_numbers source_fields source_clocks connection_users crm_schemas crm_schema_versions crm_schema_issues",
	"turns, leases and budgets":      "rate_budgets rate_turns connection_slots connection_health connection_usage grant_requests source_plans",
	"pulls: who asked is noted":      "source_pulls pull_receipts pulled_items",
	"what the watch found and told":  "alerts alert_messages alert_watch arrival_hours",
	"limits of sign-ins":             "access_counts known_browsers",
	"the log itself":                 "audit_log schema_migrations",
}

// silent are the functions that write audited tables without a word, and why.
var silent = map[string]string{
	"activate":              "its callers note it",
	"matchOwners":           "its callers note it",
	"choose":                "ResolveReview notes the review",
	"SetConnectionReport":   "a test has run; no setting is another one",
	"NoteUnmatched":         "the pipeline asks a question",
	"FinishContact":         "the pipeline has found the contact itself",
	"DropOldReviews":        "answered ones that are old; their answers stay",
	"DropChoice":            "the CRM has deleted the contact",
	"ClaimResyncs":          "progress",
	"ReturnResync":          "progress",
	"ListResyncCalls":       "progress",
	"NextResyncCalls":       "progress",
	"LeaseGrant":            "a lease",
	"ReleaseGrant":          "a lease",
	"MoveContact":           "the CRM has merged two contacts",
	"HideSteps":             "what the home page shows",
	"UseAPIToken":           "when a token was used last",
	"MessageSent":           "whether a channel works",
	"BeginChannelTest":      "whether a channel works",
	"ChannelTested":         "whether a channel works",
	"DropOldAlerts":         "mutes that have ended",
	"createUser":            "its callers note it",
	"SessionUser":           "when a session was used last",
	"TakePasswordLink":      "setPassword notes it",
	"DeleteSession":         "signing out",
	"DeleteExpiredSessions": "sessions that have ended by themselves",
}

func TestWhoeverWritesWhatPeopleDecideNotesIt(t *testing.T) {
	t.Parallel()
	writes := regexp.MustCompile(`(?i)\b(?:insert into|update|delete from)\s+(` + strings.Join(auditedTables, "|") + `)\b`)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	found, used := 0, map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			table, notes := "", false
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BasicLit:
					if m := writes.FindStringSubmatch(n.Value); m != nil && n.Kind == token.STRING {
						table = m[1]
					}
				case *ast.SelectorExpr:
					notes = notes || slices.Contains([]string{"changing", "changingIn", "changingUser", "noting", "note", "noteEverywhere", "noteSignIn"}, n.Sel.Name)
				}
				return true
			})
			if table == "" {
				continue
			}
			found++
			_, exempt := silent[f.Name.Name]
			used[f.Name.Name] = true
			assert.True(t, notes || exempt, "%s: %s writes %s and notes nothing in the audit log: run it inside db.changing or db.noting", name, f.Name.Name, table)
		}
	}
	require.Greater(t, found, 20, "the test finds the writes")
	for name := range silent {
		assert.True(t, used[name], "%s writes nothing that is audited any more", name)
	}
}

func TestEveryTableIsAuditedOrSaidNotToBe(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	rows, _ := r.pool.Query(r.ctx, `select table_name from information_schema.tables where table_schema = 'public' and table_name !~ '^receipts_'`)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	known := slices.Clone(auditedTables)
	for _, names := range notAudited {
		known = append(known, strings.Fields(names)...)
	}
	for _, name := range tables {
		require.Contains(t, known, name, "say in audit_test.go whether changes of this table belong into the audit log")
	}
}

// A new column is in the log by itself, but nothing that is secret may be.
func TestTheLogLeavesSecretColumnsOut(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	from := regexp.MustCompile(`to_jsonb\(t\) - '\{([^}]*)\}'::text\[\].* from (\w+) t where`)
	checked := 0
	for kind, shape := range auditShapes {
		m := from.FindStringSubmatch(shape.sql)
		if m == nil {
			continue
		}
		rows, _ := r.pool.Query(r.ctx, `
			select column_name from information_schema.columns
			where table_name = $1 and (data_type = 'bytea' or column_name ~ 'secret|token|hash|password|sealed|key$')`, m[2])
		secret, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		for _, column := range secret {
			require.Contains(t, strings.Split(m[1], ","), column, "%s: leave this column out of its auditRow", kind)
			checked++
		}
	}
	require.Greater(t, checked, 5)
}

// log is what the workspace's audit log says, the oldest first.
func (r *settingsRig) log(t *testing.T, f records.AuditFilter) []records.AuditEntry {
	t.Helper()
	if f.Limit == 0 {
		f.Limit = 100
	}
	all, err := r.AuditPage(r.ctx, r.ws, f)
	require.NoError(t, err)
	slices.Reverse(all)
	return all
}

func (r *settingsRig) last(t *testing.T) records.AuditEntry {
	t.Helper()
	all := r.log(t, records.AuditFilter{})
	require.NotEmpty(t, all)
	return all[len(all)-1]
}

func TestChangesAreNoted(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	anna := records.Actor{Kind: records.ActorUser, ID: newID(), Name: "Anna Smith", Route: "PATCH /connections/{id}", RequestID: "R1"}
	r.ctx = records.WithActor(r.ctx, anna)
	c := r.newConnection()
	require.NoError(t, r.CreateConnection(r.ctx, c))
	e := r.last(t)
	require.Equal(t, "connection.create", e.Action)
	require.Equal(t, anna, e.Actor)
	require.Equal(t, []string{"connection", c.ID, "HubSpot"}, []string{e.ObjectKind, e.ObjectID, e.ObjectName})
	require.Empty(t, e.Before)
	require.Equal(t, "https://api.hubapi.com", e.After["config.base_url"])
	require.Equal(t, "set", e.After["secrets.token"])
	require.WithinDuration(t, time.Now(), e.At, time.Minute)

	// Only what changed, under the name that it has now, and nothing of secrets.
	c.Name, c.Mode, c.Secrets = "HubSpot EU", "live", map[string]string{"token": "pat-hunter3", "second": "hunter4"}
	c.Config["base_url"] = "https://eu.example.com"
	require.NoError(t, r.UpdateConnection(r.ctx, c))
	e = r.last(t)
	require.Equal(t, "connection.update", e.Action)
	require.Equal(t, "HubSpot EU", e.ObjectName)
	require.Equal(t, map[string]any{"name": "HubSpot", "config.base_url": "https://api.hubapi.com", "secrets.token": "set"}, e.Before)
	require.Equal(t, map[string]any{"name": "HubSpot EU", "config.base_url": "https://eu.example.com", "secrets.token": "changed", "secrets.second": "set"}, e.After)
	r.requireNotIn(t, "audit_log", "hunter")

	// A save that changes nothing is no change, and what fails leaves nothing.
	n := len(r.log(t, records.AuditFilter{}))
	require.NoError(t, r.UpdateConnection(r.ctx, c))
	refused := c
	refused.Mode = "nonsense"
	require.ErrorIs(t, r.UpdateConnection(r.ctx, refused), records.ErrRefused)
	foreign := c
	foreign.WorkspaceID = r.other
	require.ErrorIs(t, r.UpdateConnection(r.ctx, foreign), records.ErrNotFound)
	broken := errors.New("broken")
	err := r.changing(r.ctx, r.ws, "connection.update", audited{kind: "connection", id: c.ID}, func(tx pgx.Tx) error {
		_, err := tx.Exec(r.ctx, `update connections set name = 'x' where workspace_id = $1 and id = $2`, r.ws, c.ID)
		return errors.Join(err, broken)
	})
	require.ErrorIs(t, err, broken)
	require.Len(t, r.log(t, records.AuditFilter{}), n)
	all, err := r.AuditPage(r.ctx, r.other, records.AuditFilter{Limit: 10, ObjectID: c.ID})
	require.NoError(t, err)
	require.Empty(t, all, "another workspace sees nothing of it")

	// Tables are noted by the rows that changed.
	require.NoError(t, r.PutOwners(r.ctx, r.ws, c.ID, []records.Owner{{AgentKey: "a@example.com", OwnerID: "1", OwnerName: "A"}, {AgentKey: "b@example.com", OwnerID: "2"}}))
	require.NoError(t, r.PutOwners(r.ctx, r.ws, c.ID, []records.Owner{{AgentKey: "a@example.com", OwnerID: "1", OwnerName: "A"}, {AgentKey: "b@example.com", OwnerID: "3"}}))
	e = r.last(t)
	require.Equal(t, map[string]any{"b@example.com": "2"}, e.Before)
	require.Equal(t, map[string]any{"b@example.com": "3"}, e.After)
	require.NoError(t, r.PutOwnNumbers(r.ctx, r.ws, []records.OwnNumber{{Number: "+14155550100", Label: "Main"}}))
	require.Equal(t, map[string]any{"+14155550100": "Main"}, r.last(t).After)

	// Mappings by their versions; the documents are kept with them.
	for range 2 {
		_, err := r.AddMappingVersion(r.ctx, r.ws, records.MappingVersion{ConnectionID: c.ID, Object: "call", Document: "{}", Author: "Anna", Note: "why"})
		require.NoError(t, err)
	}
	e = r.last(t)
	require.Equal(t, []string{"mapping.save", c.ID, "call", "HubSpot EU"}, []string{e.Action, e.ObjectID, e.ObjectPart, e.ObjectName})
	require.Equal(t, map[string]any{"version": 1.0}, e.Before)
	require.Equal(t, map[string]any{"version": 2.0}, e.After)
	require.NoError(t, r.ActivateMapping(r.ctx, r.ws, c.ID, "call", 1))
	require.Equal(t, "mapping.activate", r.last(t).Action)

	// Rules with their documents, which are kept nowhere else.
	for _, document := range []string{"otherwise: skip", "otherwise: sync"} {
		_, err := r.PutRules(r.ctx, r.ws, records.Rules{Owner: "connection", OwnerID: c.ID, Document: document, Version: -1})
		require.NoError(t, err)
	}
	e = r.last(t)
	require.Equal(t, "rules.save", e.Action)
	require.Equal(t, "otherwise: skip", e.Before["document"])
	require.Equal(t, "otherwise: sync", e.After["document"])

	require.NoError(t, r.DeleteConnection(r.ctx, r.ws, c.ID))
	e = r.last(t)
	require.Equal(t, "connection.delete", e.Action)
	require.Equal(t, "HubSpot EU", e.ObjectName)
	require.Equal(t, "set", e.Before["secrets.token"])
	require.Empty(t, e.After)

	s := r.newSource()
	require.NoError(t, r.CreateSource(r.ctx, s))
	require.NoError(t, r.RotateSourceToken(r.ctx, r.ws, s.ID, secretbox.NewToken(), time.Now().Add(time.Hour)))
	e = r.last(t)
	require.Equal(t, "source.rotate_token", e.Action)
	require.Equal(t, "changed", e.After["hook_token"])
	s.Window = time.Hour
	require.NoError(t, r.UpdateSource(r.ctx, s))
	e = r.last(t)
	require.Equal(t, map[string]any{"window_seconds": 1200.0}, e.Before)
	require.Equal(t, map[string]any{"window_seconds": 3600.0}, e.After)
	r.requireNotIn(t, "audit_log", "hunter")
	r.requireNotIn(t, "audit_log", s.Token)
}

func TestWhatCallsyncDoesItselfIsNoted(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	c := r.newConnection()
	require.NoError(t, r.CreateConnection(r.ctx, c))
	have, err := r.ConnectionByID(r.ctx, r.ws, c.ID)
	require.NoError(t, err)
	// A person waits for the request in which this happens; it is not their doing.
	r.ctx = records.WithActor(r.ctx, records.Actor{Kind: records.ActorUser, ID: newID(), Name: "Anna"})
	for range 5 {
		_, err := r.ConnectionFailed(r.ctx, r.ws, c.ID, 3, time.Minute, time.Hour)
		require.NoError(t, err)
	}
	e := r.last(t)
	require.Equal(t, "connection.suspend", e.Action)
	require.Equal(t, records.SystemActor(), e.Actor)
	for range 2 {
		require.NoError(t, r.ConnectionWorks(r.ctx, r.ws, c.ID))
	}
	require.Equal(t, "connection.recover", r.last(t).Action)
	require.Len(t, r.log(t, records.AuditFilter{}), 3, "each once")
	_, err = r.ConnectionFailed(r.ctx, r.ws, c.ID, 3, time.Minute, time.Hour)
	require.NoError(t, err)
	require.NoError(t, r.ConnectionWorks(r.ctx, r.ws, c.ID))
	require.Len(t, r.log(t, records.AuditFilter{}), 3, "a single failure suspends nothing")

	did, err := r.RevokeConnection(t.Context(), r.ws, c.ID, have.UpdatedAt, "The CRM refused the token.")
	require.NoError(t, err)
	require.True(t, did)
	e = r.last(t)
	require.Equal(t, "connection.revoke", e.Action)
	require.Equal(t, records.ActorSystem, e.Actor.Kind)
	require.Equal(t, map[string]any{"status": "active"}, e.Before)
}

func TestTheAuditLogIsAppendOnly(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	require.NoError(t, r.Audit(r.ctx, r.ws, records.Change{Action: "call.sync", ObjectKind: "call", ObjectID: newID()}))
	for _, sql := range []string{`update audit_log set actor_name = 'nobody'`, `delete from audit_log`, `truncate audit_log`} {
		_, err := r.pool.Exec(r.ctx, sql)
		require.ErrorContains(t, err, "append-only")
	}
	require.Len(t, r.log(t, records.AuditFilter{}), 1)
}

func TestEntriesAreBounded(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	fields := map[string]any{"long": strings.Repeat("ä", maxAuditText), "nul": "a\x00b"}
	for range 300 {
		fields[newID()] = 1
	}
	require.NoError(t, r.Audit(r.ctx, r.ws, records.Change{Action: "x.y", ObjectKind: "call", ObjectName: "\x00\xff", After: fields}))
	e := r.last(t)
	require.Len(t, e.After, maxAuditFields+1)
	require.Equal(t, "and 102 more", e.After["…"])
	require.NoError(t, r.Audit(r.ctx, r.ws, records.Change{Action: "x.y", ObjectKind: "call", After: map[string]any{"long": strings.Repeat("ä", maxAuditText)}}))
	require.Less(t, len(r.last(t).After["long"].(string)), maxAuditText+100)
}

func TestTheAuditLogIsListedByFilters(t *testing.T) {
	t.Parallel()
	r := newSettingsRig(t)
	anna, token := records.Actor{Kind: records.ActorUser, ID: newID(), Name: "Anna"}, records.Actor{Kind: records.ActorToken, ID: newID(), Name: "CI"}
	start := time.Now().Add(-time.Millisecond)
	note := func(a records.Actor, c records.Change) {
		require.NoError(t, r.Audit(records.WithActor(r.ctx, a), r.ws, c))
	}
	call := newID()
	for range 3 {
		note(anna, records.Change{Action: "call.sync", ObjectKind: "call", ObjectID: call})
	}
	note(token, records.Change{Action: "call.sync", ObjectKind: "call", ObjectID: newID()})
	anna.Name = "Anna Smith"
	note(anna, records.Change{Action: "mapping.save", ObjectKind: "mapping", ObjectID: call, ObjectPart: "message", ObjectName: "x"})
	note(records.SystemActor(), records.Change{Action: "mapping.save", ObjectKind: "mapping", ObjectID: call, ObjectPart: "call", ObjectName: "x"})
	require.NoError(t, r.Audit(r.ctx, r.other, records.Change{Action: "call.sync", ObjectKind: "call", ObjectID: newID()}))

	for name, want := range map[string]struct {
		filter records.AuditFilter
		n      int
	}{
		"all":       {records.AuditFilter{}, 6},
		"a person":  {records.AuditFilter{ActorKind: "user", ActorID: anna.ID}, 4},
		"kinds":     {records.AuditFilter{ActorKind: "system"}, 1},
		"action":    {records.AuditFilter{Action: "call.sync"}, 4},
		"object":    {records.AuditFilter{ObjectID: call}, 5},
		"kind":      {records.AuditFilter{ObjectKind: "mapping"}, 2},
		"part":      {records.AuditFilter{ObjectKind: "mapping", ObjectID: call, ObjectPart: "message"}, 1},
		"from":      {records.AuditFilter{From: start}, 6},
		"too late":  {records.AuditFilter{From: time.Now().Add(time.Hour)}, 0},
		"to":        {records.AuditFilter{To: time.Now().Add(time.Hour)}, 6},
		"too early": {records.AuditFilter{To: start}, 0},
		"hostile":   {records.AuditFilter{Action: "'; drop table audit_log; --\x00\xff"}, 0},
		"first":     {records.AuditFilter{Limit: 2}, 2},
	} {
		require.Len(t, r.log(t, want.filter), want.n, name)
	}
	var seen []string
	cursor := records.Cursor{}
	for {
		all, err := r.AuditPage(r.ctx, r.ws, records.AuditFilter{Before: cursor, Limit: 2})
		require.NoError(t, err)
		if len(all) == 0 {
			break
		}
		for _, e := range all {
			seen = append(seen, e.ID)
		}
		cursor = records.Cursor{At: all[len(all)-1].At, ID: all[len(all)-1].ID}
	}
	require.Len(t, slices.Compact(seen), 6)
	require.True(t, slices.IsSortedFunc(seen, func(a, b string) int { return strings.Compare(b, a) }))

	actors, err := r.AuditActors(r.ctx, r.ws)
	require.NoError(t, err)
	require.Equal(t, []string{"Anna Smith", "callsync", "CI"}, []string{actors[0].Name, actors[1].Name, actors[2].Name})
	require.Len(t, actors, 3)
}
