package admin

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/docs"
)

// Every page has a help that begins somewhere, and explains its words.
func TestEveryPageHasHelp(t *testing.T) {
	t.Parallel()
	l, err := readLibrary()
	require.NoError(t, err)
	names, err := fs.Glob(templateFiles, "templates/*.html")
	require.NoError(t, err)
	for _, name := range names {
		base := strings.TrimSuffix(path.Base(name), ".html")
		if base == "layout" || base == "login" || base == "welcome" || strings.HasPrefix(base, "part") {
			continue // not pages, or pages of who is not signed in
		}
		topic, ok := helpTopics[base]
		require.True(t, ok, "%s has no entry in helpTopics (help_links.go)", name)
		if topic.section != "" {
			require.True(t, l.pages["guide"].ids[topic.section], "%s: docs/guide.md has no section %q", name, topic.section)
		}
		for _, id := range topic.words {
			require.NotEmpty(t, l.words[id].Name, "%s: docs/glossary.md has no word %q", name, id)
		}
	}
	require.True(t, l.pages["guide"].ids["settings"])
}

// Every link between documents leads somewhere, also the ones to sections.
func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()
	l, err := readLibrary()
	require.NoError(t, err)
	require.Greater(t, len(l.pages), 40)
	for at, p := range l.pages {
		require.NotEmpty(t, p.Title, at)
		require.NotContains(t, string(p.Body), "<script")
		for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(string(p.Body), -1) {
			to, fragment, _ := strings.Cut(m[1], "#")
			if strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "https://") || strings.HasPrefix(to, "mailto:") || to == "/help/adr" || to == "/help/mapping-schema.json" {
				continue
			}
			page := p
			if to != "" {
				page = l.pages[strings.TrimPrefix(to, "/help/")]
				require.NotNil(t, page, "%s: %s leads nowhere", at, m[1])
			}
			if fragment != "" {
				require.True(t, page.ids[fragment], "%s: %s leads to no section", at, m[1])
			}
		}
	}
	for at, p := range l.pages {
		for _, m := range regexp.MustCompile(`<img src="/help/([^"]*)" alt="([^"]*)"`).FindAllStringSubmatch(string(p.Body), -1) {
			_, err := fs.Stat(docs.Files, m[1])
			require.NoError(t, err, at)
			require.NotEmpty(t, m[2], at)
		}
	}
	var listed int
	for _, g := range l.groups() {
		require.NotEmpty(t, g.Pages, g.Title)
		listed += len(g.Pages)
	}
	require.Equal(t, len(l.pages), listed+len(l.decisions())-1, "each document is listed once; the decisions are behind one link")
}

// What a document cannot say in Markdown it does not say: no HTML of it is passed on, and no link to code.
func TestHelpPassesNoHTMLOn(t *testing.T) {
	t.Parallel()
	l, err := readLibrary()
	require.NoError(t, err)
	require.Contains(t, string(l.pages["configuration"].Body), "<table>")
	require.NotContains(t, string(l.pages["configuration"].Body), "Generated from")
}
