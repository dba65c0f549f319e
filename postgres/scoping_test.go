package postgres

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unscopedByDesign lists what may query tables of workspaces without naming one, and why. A function that is given a
// workspace may not be listed by its file, only by its own name.
var unscopedByDesign = map[string]string{
	// Who knows the token is who may come in: the workspace is what these find out.
	"sources.go:SourceByToken":        "a hook token's hash leads to the workspace",
	"grants.go:TakeGrantRequest":      "a state's hash leads to the workspace",
	"tokens.go:UseAPIToken":           "an API token's hash leads to the workspace",
	"sessions.go:SessionUser":         "a session token's hash leads to the workspace",
	"sessions.go:DeleteSession":       "whoever holds the session's token may end it",
	"users.go:UserByEmail":            "signing in starts without a workspace; e-mails are unique across all of them",
	"invitations.go:InvitationByHash": "the hash of an invitation's link leads to the workspace",
	"invitations.go:AcceptInvitation": "the hash of an invitation's link leads to the workspace",

	// A person sees and changes their own things, wherever they belong to.
	"sessions.go:Sessions":       "a person's own sessions",
	"sessions.go:endSessions":    "a person's own sessions",
	"members.go:SwitchWorkspace": "a person's own session",
	"members.go:Memberships":     "the workspaces that a person may come in to",
	"members.go:RemoveMember":    "whether a person is left in any workspace",
	"users.go:setPassword":       "a new password ends a person's sessions everywhere",
	"users.go:SetOwnName":        "what a person is called, wherever they belong to",

	"audit_access.go:workspacesOfUser":  "what a person changes of themselves is noted wherever they belong to",
	"audit_access.go:NoteRefusedSignIn": "signing in starts without a workspace: it is noted in those of the account",

	"sessions.go:DeleteExpiredSessions": "maintenance: time decides, not a request",
	"workspaces.go:EnsureBootstrap":     "the start of a process: looks whether there is any bootstrap token",

	"alert_facts.go:CountArrivals": "arrivals of all workspaces are counted in one go; each row takes its workspace from its receipts",
	"alert_facts.go:CountAlerts":   "figures of all workspaces",
	"alert_facts.go:DropOldAlerts": "maintenance: time decides, not a request",
	"alerts.go:ClaimMessages":      "messages are claimed across workspaces; each goes to a channel of its own",

	// The pipeline works for all workspaces at once. Its ids come from rows it has claimed or locked itself, never from a
	// request, and every row it makes takes its workspace from the row it came from.
	"apply.go":                   "the relay applies what it has claimed from the inbox",
	"calls_pipeline.go":          "signals and checks are claimed across workspaces",
	"clock.go:addClockSamples":   "samples of calls that the relay has applied",
	"followups_pipeline.go":      "follow-ups are closed and claimed across workspaces; a call closes those of its own workspace only",
	"followups.go:closeAnswered": "the tasks come, with their workspace, from the statement before it",
	"drift.go:RecordFields":      "what was decoded of receipts that the relay has applied; each row's source must be its workspace's",
	"inbox.go":                   "the inbox is claimed across workspaces",
	"partitions.go":              "partitions hold the receipts of all workspaces",
	"receipts.go:loadReceipts":   "receipts of claimed inbox rows",
	"resyncs.go:ClaimResyncs":    "resyncs are claimed across workspaces",
	"pulls.go:ClaimPulls":        "pulls are started across workspaces",
	"pulls.go:CountPulled":       "receipts of pulls are counted across workspaces",
	"pulls.go:duePlans":          "sources are planned across workspaces",
	"pulls.go:DropOldPulls":      "maintenance: time decides, not a request",

	"clock.go:FreshSourceClocks": "a watch over all sources; what it finds goes into the log",

	"recordings_work.go":                 "recordings are copied, given up and told of across workspaces; a link's hash leads to its workspace",
	"recordings.go:queueRecordings":      "recordings of calls that the relay has applied; each row's source must be its workspace's",
	"rematch.go":                         "numbers to look up are claimed across workspaces",
	"schemas.go:ClaimSchemas":            "schemas are read across workspaces",
	"schema_issues.go:ClaimDrained":      "what was on hold for a healed issue is claimed across workspaces",
	"schema_issues.go:ReturnDrained":     "the same lanes go back",
	"schema_issues.go:CountSchemaIssues": "figures of all workspaces, and maintenance",
	"agents.go:DropOldAgents":            "maintenance: time decides, not a request",
	"reviews.go:DropOldReviews":          "maintenance: time decides, not a request",
	"agents.go:ClaimUserLists":           "connections whose users are listed are claimed across workspaces",
	"resolve.go":                         "calls are found by (source, alias), and a source belongs to one workspace",
}

// TestQueriesAreScoped reads the SQL in this package's own source: a statement that touches a table with a workspace_id
// must compare it, or fill it where it only inserts.
func TestQueriesAreScoped(t *testing.T) {
	t.Parallel()
	sources := map[string]string{}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		sources[name] = string(text)
	}
	owned := workspaceTables(t)
	require.Contains(t, owned, "sources")
	require.Contains(t, owned, "deliveries")
	require.NotContains(t, owned, "workspaces")

	used := map[string]bool{}
	for _, f := range unscoped(t, sources, owned) {
		switch {
		case unscopedByDesign[f.file+":"+f.name] != "":
			used[f.file+":"+f.name] = true
		case unscopedByDesign[f.file] != "" && !f.workspace:
			used[f.file] = true
		default:
			t.Errorf("%s: %s queries %s without its workspace_id:\n%s", f.file, f.name, f.table, f.sql)
		}
	}
	for entry := range unscopedByDesign {
		require.True(t, used[entry], "%s is listed but needs no exception", entry)
	}
}

// The check itself: what it must find and what it must let through.
func TestScopingCheck(t *testing.T) {
	t.Parallel()
	const head = "package p\nconst columns = `id, name`\n"
	owned := []string{"calls", "own_numbers"}
	for sql, want := range map[string]bool{
		"`select id from calls where workspace_id = $1 and id = $2`":                           false,
		"`select id from calls where id = $2`":                                                 true,
		"`select ` + columns + ` from calls where id = $2`":                                    true,
		"`select ` + columns + ` from calls where workspace_id = $1`":                          false,
		"`select workspace_id from calls where id = $1`":                                       true,
		"`update calls c set name = $1 where c.id = $2`":                                       true,
		"`delete from own_numbers`":                                                            true,
		"`insert into calls (id, workspace_id) values ($1, $2)`":                               false,
		"`insert into calls (id) values ($1)`":                                                 true,
		"`insert into calls (id, workspace_id) select $1, workspace_id from calls where id=1`": true,
		"`select 1 from callsign`":                                                             false,
		"`select 1 from x join calls on true`":                                                 true,
		"\"WITH q AS (SELECT 1 FROM calls) SELECT 1\"":                                         true,
		"`calls are not SQL`":                                                                  false,
	} {
		got := unscoped(t, map[string]string{"a.go": head + "func f(workspaceID string) { query(" + sql + ") }"}, owned)
		require.Equal(t, want, len(got) == 1, sql)
		if want {
			require.True(t, got[0].workspace)
			require.Equal(t, "f", got[0].name)
		}
		got = unscoped(t, map[string]string{"a.go": head + "const q = " + sql}, owned)
		require.Equal(t, want, len(got) == 1, "as a constant: %s", sql)
	}
	built := head + "func f() { var b queryBuilder; b.where(\"c.workspace_id = \" + b.arg(1)); query(`select 1 from calls c ` + b.sql()) }"
	require.Empty(t, unscoped(t, map[string]string{"a.go": built}, owned))
	require.Len(t, unscoped(t, map[string]string{"a.go": strings.Replace(built, "c.workspace_id", "c.id", 1)}, owned), 1)
}

// workspaceTables are the tables of the migrations that have a workspace_id.
func workspaceTables(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("migrations/*.sql")
	require.NoError(t, err)
	tables := map[string]bool{}
	create := regexp.MustCompile(`(?s)create table (\w+) \((.*?)\n\)`)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range create.FindAllStringSubmatch(string(text), -1) {
			if regexp.MustCompile(`(?m)^\s+workspace_id\s`).MatchString(m[2]) {
				tables[m[1]] = true
			}
		}
		for _, m := range regexp.MustCompile(`alter table (\w+)[^;]*drop column workspace_id`).FindAllStringSubmatch(string(text), -1) {
			delete(tables, m[1])
		}
	}
	return slices.Sorted(maps.Keys(tables))
}

// finding is one statement without a workspace.
type finding struct {
	file, name, table, sql string
	// workspace tells that the function is given one.
	workspace bool
}

func unscoped(t *testing.T, sources map[string]string, owned []string) []finding {
	t.Helper()
	var files []*ast.File
	fset := token.NewFileSet()
	consts := map[string]ast.Expr{}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		f, err := parser.ParseFile(fset, name, sources[name], 0)
		require.NoError(t, err)
		files = append(files, f)
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				eachValue(g, func(name string, value ast.Expr) { consts[name] = value })
			}
		}
	}
	var out []finding
	for _, f := range files {
		file := fset.Position(f.Pos()).Filename
		report := func(name, sql string, workspace bool) {
			if table := unscopedTable(sql, owned); table != "" {
				out = append(out, finding{file, name, table, sql, workspace})
			}
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				eachValue(d, func(name string, value ast.Expr) { report(name, textOf(value, consts), false) })
			case *ast.FuncDecl:
				texts, built := textsIn(d, consts)
				if i := slices.IndexFunc(texts, statement.MatchString); built && i >= 0 {
					// The conditions of a built query stand in other strings than its tables.
					texts = []string{texts[i] + "\n" + strings.Join(texts, "\n")}
				}
				for _, sql := range texts {
					report(d.Name.Name, sql, takesWorkspace(d))
				}
			}
		}
	}
	return out
}

var (
	tableRef = regexp.MustCompile(`\b(from|join|update|into)\s+(\w+)`)
	// compared with a parameter, not only with another table's.
	compared  = regexp.MustCompile(`\bworkspace_id\s*=\s*(\$\d|@ws\b|any\()`)
	statement = regexp.MustCompile(`(?i)^\s*(select|update|delete|insert|with)\b`)
)

// unscopedTable returns a table of workspaces that sql touches without comparing its workspace_id; empty if there is none.
func unscopedTable(sql string, owned []string) string {
	sql = strings.ToLower(sql)
	// A fragment is checked where it is put into a statement.
	if !statement.MatchString(sql) || compared.MatchString(sql) {
		return ""
	}
	for _, m := range tableRef.FindAllStringSubmatch(sql, -1) {
		if slices.Contains(owned, m[2]) && (m[1] != "into" || !strings.Contains(sql, "workspace_id")) {
			return m[2]
		}
	}
	return ""
}

func takesWorkspace(f *ast.FuncDecl) bool {
	for _, p := range f.Type.Params.List {
		for _, name := range p.Names {
			if name.Name == "workspaceID" {
				return true
			}
		}
	}
	return false
}

// textsIn lists the strings of f, each as long as it is put together in one expression, and tells whether f builds a
// query from several of them.
func textsIn(f *ast.FuncDecl, consts map[string]ast.Expr) (texts []string, built bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			built = built || n.Name == "queryBuilder"
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				texts = append(texts, textOf(n, consts))
			}
		case *ast.BinaryExpr:
			if text := textOf(n, consts); strings.Trim(text, unknown) != "" {
				texts = append(texts, text)
				return false
			}
		}
		return true
	})
	return texts, built
}

// unknown stands for what is not known before the program runs, which may only be a parameter.
const unknown = "$0"

// textOf puts a string expression together.
func textOf(e ast.Expr, consts map[string]ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, _ := strconv.Unquote(e.Value)
			return text
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return textOf(e.X, consts) + textOf(e.Y, consts)
		}
	case *ast.ParenExpr:
		return textOf(e.X, consts)
	case *ast.Ident:
		if value, ok := consts[e.Name]; ok {
			return textOf(value, consts)
		}
	}
	return unknown
}

func eachValue(g *ast.GenDecl, f func(name string, value ast.Expr)) {
	for _, spec := range g.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for i, value := range v.Values {
			f(v.Names[i].Name, value)
		}
	}
}
