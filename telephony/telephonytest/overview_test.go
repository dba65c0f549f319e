package telephonytest_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The overview of all phone systems is made of their pages, so that it says what their tests have checked. It is written
// with -update, after the pages.
func TestOverview(t *testing.T) {
	t.Parallel()
	const docs = "../../docs/phones"
	files, err := filepath.Glob(docs + "/*-fields.md")
	require.NoError(t, err)
	providers, err := filepath.Glob("../*/*_test.go")
	require.NoError(t, err)
	fuzzed := regexp.MustCompile(`(?m)^func FuzzDecode\(`)
	for _, f := range providers {
		source, err := os.ReadFile(f)
		require.NoError(t, err)
		name := filepath.Base(filepath.Dir(f))
		if strings.Contains(string(source), "telephonytest.Kit{") && name != "telephonytest" {
			require.True(t, slices.Contains(files, filepath.Join(docs, name+"-fields.md")), "%s has no page", name)
			require.Regexp(t, fuzzed, string(source), "%s is not fuzzed", name)
		}
	}
	var b strings.Builder
	b.WriteString(`# Phone systems, trigger by trigger

Made by ` + "`go test ./telephony/telephonytest -update`" + ` from the pages beside it, which are made from what the tests check. Each request of a
golden file is decoded and compared whole, also when it is cut, flipped, retyped, blank in parts, huge, nested or repeated,
and is a seed of its decoder's fuzz test (FuzzDecode).

| phone system | trigger | read as | golden files |
|---|---|---|---|
`)
	counts := "\n| phone system | variables of the vendor's page | sent besides |\n|---|---|---|\n"
	for _, f := range files {
		page, err := os.ReadFile(f)
		require.NoError(t, err)
		text := string(page)
		label, _, _ := strings.Cut(strings.TrimPrefix(text, "# "), ": triggers and variables")
		_, rows, _ := strings.Cut(text, "| details |\n|---|---|---|---|---|---|---|\n")
		rows, _, _ = strings.Cut(rows, "\n\n")
		link := fmt.Sprintf("[%s](%s)", label, filepath.Base(f))
		for row := range strings.Lines(rows + "\n") {
			cells := strings.Split(row, " | ")
			require.Len(t, cells, 7, row)
			n := len(strings.Split(cells[2], ", "))
			if cells[2] == "none" {
				n = 0
			}
			fmt.Fprintf(&b, "| %s %s | %s | %d |\n", link, cells[0], cells[1], n)
			// The name once is enough.
			link = ""
		}
		if m := regexp.MustCompile(`All (\d+) variables of the vendor's page and (\d+) that are sent`).FindStringSubmatch(text); m != nil {
			counts += fmt.Sprintf("| %s | %s | %s |\n", label, m[1], m[2])
		}
	}
	b.WriteString(counts)
	file := filepath.Join(docs, "README.md")
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	have, err := os.ReadFile(file)
	require.NoError(t, err, "run go test with -update to write it")
	require.Equal(t, b.String(), string(have), "run go test with -update to write it")
}
