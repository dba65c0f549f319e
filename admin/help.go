package admin

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/callsync/callsync/docs"
)

// helpPage is one document as the product shows it.
type helpPage struct {
	Path, Title string
	Body        template.HTML
	Sections    []helpSection
	// ids are all places that links can lead to.
	ids map[string]bool
}

// helpSection is a heading below the title.
type helpSection struct{ ID, Title string }

// helpGroup is a part of the list of documents.
type helpGroup struct {
	Title string
	Pages []*helpPage
}

// library is everything under /help.
type library struct {
	pages map[string]*helpPage
	words map[string]word
}

// word is one of the glossary.
type word struct {
	Name string
	Text template.HTML
	URL  string
}

// readLibrary renders the documents once. They are ours; nevertheless no HTML in them is passed on.
var readLibrary = sync.OnceValues(func() (*library, error) {
	l := &library{pages: map[string]*helpPage{}, words: map[string]word{}}
	md := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID(),
		parser.WithASTTransformers(util.Prioritized(helpLinks{}, 100))))
	err := fs.WalkDir(docs.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".md") {
			return err
		}
		source, err := fs.ReadFile(docs.Files, name)
		if err != nil {
			return err
		}
		p, err := renderHelp(md, name, source)
		if err == nil {
			l.pages[p.Path] = p
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	source, err := fs.ReadFile(docs.Files, "glossary.md")
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(string(source), "\n## ") {
		name, rest, _ := strings.Cut(part, "\n")
		first, _, _ := strings.Cut(strings.TrimSpace(rest), "\n\n")
		id := strings.ToLower(strings.ReplaceAll(name, " ", "-"))
		if l.pages["glossary"].ids[id] {
			l.words[id] = word{name, template.HTML(mdInline(strings.ReplaceAll(first, "\n", " "))), "/help/glossary#" + id} //nolint:gosec // mdInline escapes
		}
	}
	return l, nil
})

var (
	omittedHTML = regexp.MustCompile(`<!-- raw HTML omitted -->\n?`)
	tables      = strings.NewReplacer("<table>", `<div class="scroll" tabindex="0"><table>`, "</table>", "</table></div>", "<th></th>", "<td></td>", "<pre>", `<pre tabindex="0">`)
)

// helpPath is the address of a document below /help/: "phones/callrail", "crms" for its README.
func helpPath(name string) string {
	name = strings.TrimSuffix(name, ".md")
	return strings.TrimSuffix(strings.TrimSuffix(name, "README"), "/")
}

var helpFile = parser.NewContextKey()

func renderHelp(md goldmark.Markdown, name string, source []byte) (*helpPage, error) {
	p := &helpPage{Path: helpPath(name), ids: map[string]bool{}}
	ctx := parser.NewContext()
	ctx.Set(helpFile, name)
	doc := md.Parser().Parse(text.NewReader(source), parser.WithContext(ctx))
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		heading, ok := n.(*ast.Heading)
		if !ok {
			continue
		}
		id, _ := heading.AttributeString("id")
		raw, _ := id.([]byte)
		p.ids[string(raw)] = true
		title := headingText(heading, source)
		switch {
		case heading.Level == 1 && p.Title == "":
			p.Title = title
		case heading.Level == 2:
			p.Sections = append(p.Sections, helpSection{string(raw), title})
		}
	}
	var b bytes.Buffer
	if err := md.Renderer().Render(&b, source, doc); err != nil {
		return nil, fmt.Errorf("document %s: %w", name, err)
	}
	p.Body = template.HTML(tables.Replace(omittedHTML.ReplaceAllString(b.String(), ""))) //nolint:gosec // rendered without raw HTML
	return p, nil
}

func headingText(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// helpLinks leads links between documents to where the product shows them, and marks those that lead elsewhere.
type helpLinks struct{}

// Transform implements parser.ASTTransformer.
func (helpLinks) Transform(doc *ast.Document, _ text.Reader, ctx parser.Context) {
	name, _ := ctx.Get(helpFile).(string)
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if i, ok := n.(*ast.Image); ok && entering {
			i.Destination = []byte("/help/" + path.Join(path.Dir(name), string(i.Destination)))
			i.SetAttributeString("loading", []byte("lazy"))
		}
		if l, ok := n.(*ast.Link); ok && entering {
			to := string(l.Destination)
			if strings.HasPrefix(to, "https://") || strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "mailto:") {
				l.SetAttributeString("rel", []byte("noreferrer"))
			} else if file, fragment, found := strings.Cut(to, "#"); file != "" {
				to = "/help/" + helpPath(path.Join(path.Dir(name), file))
				if found {
					to += "#" + fragment
				}
				l.Destination = []byte(to)
			}
		}
		return ast.WalkContinue, nil
	})
}

// helpGroups says what stands where in the list. What it does not name is for developers.
var helpGroups = []struct {
	title string
	paths []string
}{
	{"Begin here", []string{"guide", "tour", "glossary"}},
	{"Phone systems", []string{"phones/*"}},
	{"CRMs", []string{"crms/*"}},
	{"Calls on their way", []string{"mapping-editor", "mapping-language", "matching", "rules", "human-edits", "recordings", "follow-ups", "schema-drift"}},
	{"Running callsync", []string{"alerts", "access", "audit", "operations", "configuration", "performance", "api"}},
}

func (l *library) groups() []helpGroup {
	var out []helpGroup
	taken := map[string]bool{}
	add := func(title string, pages []*helpPage) {
		for _, p := range pages {
			taken[p.Path] = true
		}
		out = append(out, helpGroup{title, pages})
	}
	all := make([]*helpPage, 0, len(l.pages))
	for _, p := range l.pages {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *helpPage) int { return strings.Compare(a.Path, b.Path) })
	for _, g := range helpGroups {
		var pages []*helpPage
		for _, pattern := range g.paths {
			for _, p := range all {
				if p.Path == pattern || strings.HasSuffix(pattern, "/*") && (p.Path+"/" == pattern[:len(pattern)-1] || strings.HasPrefix(p.Path, pattern[:len(pattern)-1])) {
					pages = append(pages, p)
				}
			}
		}
		add(g.title, pages)
	}
	var rest []*helpPage
	for _, p := range all {
		// Decisions have a list of their own.
		if !taken[p.Path] && !strings.HasPrefix(p.Path, "adr/") {
			rest = append(rest, p)
		}
	}
	add("How it is made", append(rest, &helpPage{Path: "adr", Title: "Decisions, and why they were taken"}))
	return out
}

// decisions are the records of what was decided and why, the first one first.
func (l *library) decisions() (all []*helpPage) {
	for _, at := range slices.Sorted(maps.Keys(l.pages)) {
		if strings.HasPrefix(at, "adr/") {
			all = append(all, l.pages[at])
		}
	}
	return all
}

// helpIndexView is the list of documents; helpView one of them.
type (
	helpIndexView struct{ Groups []helpGroup }
	helpView      struct{ *helpPage }
)

// helpIndexPage lists all documents.
func (h *Handler) helpIndexPage(w http.ResponseWriter, r *http.Request, p principal) error {
	l, err := readLibrary()
	if err != nil {
		return err
	}
	return h.show(w, r, p, "help", "Help", "help", helpIndexView{l.groups()})
}

// helpDocPage shows one document.
func (h *Handler) helpDocPage(w http.ResponseWriter, r *http.Request, p principal) error {
	l, err := readLibrary()
	if err != nil {
		return err
	}
	at := r.PathValue("page")
	if at == "mapping-schema.json" {
		w.Header().Set("Content-Type", "application/schema+json")
		http.ServeFileFS(w, r, docs.Files, at)
		return nil
	}
	if strings.HasPrefix(at, "images/") && path.Clean(at) == at && path.Ext(at) == ".png" {
		w.Header().Set("Cache-Control", "private, max-age=3600")
		http.ServeFileFS(w, r, docs.Files, at)
		return nil
	}
	if at == "adr" {
		return h.show(w, r, p, "help", "Decisions", "help", helpIndexView{[]helpGroup{{"Decisions", l.decisions()}}})
	}
	doc, ok := l.pages[at]
	if !ok {
		return notFound()
	}
	return h.show(w, r, p, "help_page", doc.Title, "help", helpView{doc})
}
