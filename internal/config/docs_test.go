package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

const docsPath = "../../docs/configuration.md"

func TestDocumentation(t *testing.T) {
	t.Parallel()
	want := document()
	if *update {
		require.NoError(t, os.WriteFile(docsPath, []byte(want), 0o644))
	}
	got, err := os.ReadFile(docsPath)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "docs/configuration.md is out of date: run go generate ./internal/config")
}

func document() string {
	var b strings.Builder
	b.WriteString(`<!-- Generated from internal/config by "go generate ./internal/config". Do not edit. -->

# Configuration

callsync reads its configuration from the environment. An empty variable counts as unset. A process that finds
something wrong says everything at once and does not start. Secrets are never logged.

Sizes are in bytes; durations are written like ` + "`90s`, `20m` or `1h30m`" + `. "Needed by" names the commands that do not
start without the variable.
`)
	group := ""
	for _, v := range new(Config).variables() {
		if v.Group != group {
			group = v.Group
			fmt.Fprintf(&b, "\n## %s\n\n| variable | default | needed by | meaning |\n|---|---|---|---|\n", group)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, code(v.Tag.Get("default")), strings.Join(v.NeededBy(), ", "), meaning(v))
	}
	return b.String()
}

func meaning(v variable) string {
	text := strings.ReplaceAll(v.Tag.Get("desc"), "|", `\|`)
	lo, hi := v.Tag.Get("min"), v.Tag.Get("max")
	switch {
	case lo != "" && hi != "":
		text = fmt.Sprintf("%s (%s to %s)", text, lo, hi)
	case lo != "":
		text = fmt.Sprintf("%s (at least %s)", text, lo)
	}
	return text
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// Every leaf is documented, named once, and reads its own default.
func TestVariables(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, v := range new(Config).variables() {
		require.NotEmpty(t, v.Name, v.field.Name)
		require.NotEmpty(t, v.Group, v.Name)
		require.NotEmpty(t, v.Tag.Get("desc"), v.Name)
		require.False(t, seen[v.Name], "%s stands twice", v.Name)
		require.Empty(t, v.Tag.Get("required"), "envconfig knows no roles: use needed")
		seen[v.Name] = true
		if len(v.NeededBy()) == 0 {
			continue
		}
		for _, role := range v.NeededBy() {
			require.Contains(t, []Role{Serve, Worker, Migrate}, Role(role), v.Name)
		}
	}
}
