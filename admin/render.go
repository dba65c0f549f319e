package admin

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/callsync/callsync/records"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// renderer holds the parsed pages.
type renderer struct {
	pages map[string]*template.Template
	// build names the static files of this binary in URLs, so that browsers may keep them for good.
	build  string
	static http.Handler
}

// parsedPages are the pages of this binary: the same for every handler, so they are parsed once.
var parsedPages = sync.OnceValues(newRenderer)

func newRenderer() (*renderer, error) {
	r := &renderer{pages: map[string]*template.Template{}}
	sum := sha256.New()
	assets, err := fs.Sub(staticFiles, "static")
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(assets, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(assets, name)
		sum.Write(data)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.build = hex.EncodeToString(sum.Sum(nil)[:6])
	r.static = http.FileServerFS(assets)
	layout, err := template.New("").Funcs(r.funcs()).ParseFS(templateFiles, "templates/layout.html", "templates/part*.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		base := strings.TrimSuffix(path.Base(name), ".html")
		if base == "layout" || strings.HasPrefix(base, "part") {
			continue
		}
		page, err := layout.Clone()
		if err != nil {
			return nil, err
		}
		if r.pages[base], err = page.ParseFS(templateFiles, name); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *renderer) funcs() template.FuncMap {
	return template.FuncMap{
		"asset":    func(name string) string { return "/static/" + r.build + "/" + name },
		"time":     timeTag,
		"duration": spoken,
		"markdown": markdown,
		"visible":  visible,
		"rfc":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"words":    func(v any) string { return strings.ReplaceAll(fmt.Sprint(v), "_", " ") },
		"title":    func(v any) string { return title(fmt.Sprint(v)) },
		"bytes":    byteSize,
		"yes":      yesOrNo,
		"caller":   caller,
		"folded":   fold,
		// States of receipts have words of their own.
		"receiptWord": receiptWord,
		// The list of fields is the same in every condition of the rules' builder.
		"rulesFields":  sync.OnceValue(fieldGroups),
		"previewSizes": func() []int { return []int{50, 200, 500} },
		"add":          func(a, b int) int { return a + b },
		"neg":          func(a int) int { return -a },
		"add64":        func(a, b int64) int64 { return a + b },
		"dict":         dict,
		"pair":         func(a, b any) []any { return []any{a, b} },
	}
}

// dict gives a part of a page what it needs under names: dict "Label" "Name" "Wrong" .Wrong.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict needs names and values")
	}
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errors.New("dict needs names")
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// timeTag is a moment: in the zone of its source until the reader's browser puts it into theirs.
func timeTag(at time.Time, style string, loc *time.Location) template.HTML {
	if at.IsZero() {
		return ""
	}
	if loc == nil {
		loc = time.UTC
	}
	local := at.In(loc)
	text := local.Format("2 Jan, 15:04")
	if style == "seconds" {
		text = local.Format("15:04:05")
	} else if style == "full" {
		text = local.Format("Mon 2 Jan 2006, 15:04:05")
	}
	// All parts are made here of numbers and the names of zones.
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-style="%s" title="%s">%s</time>`, //nolint:gosec
		at.UTC().Format(time.RFC3339Nano), template.HTMLEscapeString(style),
		template.HTMLEscapeString(local.Format("Mon 2 Jan 2006, 15:04:05 MST")), text))
}

// spoken is a number of seconds as people say it.
func spoken(seconds *int64) string {
	if seconds == nil {
		return ""
	}
	s := *seconds
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d:%02d min", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d h", s/3600, s/60%60, s%60)
}

func byteSize(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1_000_000)
}

// title begins with a capital and shows the names of enumerations as words.
func title[T ~string](s T) string {
	t := strings.ReplaceAll(string(s), "_", " ")
	if t == "" {
		return ""
	}
	return strings.ToUpper(t[:1]) + t[1:]
}

// switcherSize is how many workspaces the switcher lists; the page of workspaces has all.
const switcherSize = 8

// frame is what every page has around its content.
type frame struct {
	Title   string
	Nav     string
	User    string
	CanAct  bool // retry, replay, test
	CanEdit bool
	Held    int64
	Reviews int64 // open
	Version string
	Flash   string
	Bad     bool
	Now     time.Time
	// WorkspaceID is that of the page, which its forms say; empty where nobody is signed in.
	WorkspaceID string
	// Workspace is where the person is, and Elsewhere are others where they may go, those used last.
	Workspace string
	Elsewhere []records.Membership
	// Settings are the entries beside a page of the settings; none elsewhere.
	Settings []settingsLink
	// Guides are those of the vendor at hand; Help is filled in by render.
	Guides []helpLink
	Help   frameHelp
	Page   any
}

// render writes a page. A template that fails leaves nothing half-written.
func (h *Handler) render(w http.ResponseWriter, r *http.Request, status int, name string, f frame) error {
	f.Version, f.Now = h.Version, h.Now()
	f.Help = helpFor(name, f)
	var b bytes.Buffer
	if err := h.pages.pages[name].ExecuteTemplate(&b, "layout", f); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(placed(b.Bytes(), f.WorkspaceID)) // the reader is gone if this fails
	return nil
}

// renderPart writes a part of a page, to be put into one that is open.
func (h *Handler) renderPart(w http.ResponseWriter, page, part string, f frame) error {
	f.Version, f.Now = h.Version, h.Now()
	var b bytes.Buffer
	if err := h.pages.pages[page].ExecuteTemplate(&b, part, f); err != nil {
		return fmt.Errorf("part %s: %w", part, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(placed(b.Bytes(), f.WorkspaceID)) // the reader is gone if this fails
	return nil
}

// serveStatic serves the embedded files. Their address changes with their content, so browsers may keep them.
func (h *Handler) serveStatic(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("build") == h.pages.build {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	r.URL.Path = "/" + r.PathValue("file")
	if r.PathValue("file") == "" || strings.HasSuffix(r.URL.Path, "/") {
		http.NotFound(w, r)
		return
	}
	h.pages.static.ServeHTTP(w, r)
}
