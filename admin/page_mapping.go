package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// Bounds of the page: a preview on it is smaller than one of the API.
const (
	pagePreviewSize = 600 << 10
	pageValue       = 1500
	pageVersions    = 20
)

// mappingPageView is the page of one mapping.
type mappingPageView struct {
	ID, Name, CRM, Object, Self string
	Objects                     []mappingLink
	// Text is what is edited; Base is the version it was made from.
	Text    string
	Base    int
	Note    string
	Unsaved bool
	// Active is the version in force; zero where there is none.
	Active   records.MappingVersion
	Wrong    []mappingWrong
	Warnings []string
	// HasDefault tells that the connector brings a document.
	HasDefault bool
	Versions   []records.MappingVersion
	Older      int
	Compared   int
	Diff       []changeLine
	Preview    mappingPreviewView
	Last       int
}

type mappingLink struct {
	Label, URL string
	Current    bool
}

// mappingWrong is one thing wrong with the text that is edited, with the line where it stands.
type mappingWrong struct {
	Line    int
	Source  string
	Text    string
	Warning bool
}

// changeLine is one difference between two versions as people read it.
type changeLine struct{ Target, Key, Kind, Before, After string }

type mappingPreviewView struct {
	MappingPreview
	// Made is false until the preview was asked for; Refused says why there is none.
	Made    bool
	Refused string
	Sizes   []int
	Lines   []changeLine
}

// mappingPage shows the mapping in force, or another version or the default to begin from.
func (h *Handler) mappingPage(w http.ResponseWriter, r *http.Request, p principal) error {
	v, err := h.newMappingView(r.Context(), p, r.PathValue("id"), r.PathValue("object"))
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if err := h.beginFrom(r.Context(), p, &v, q.Get("from")); err != nil {
		return err
	}
	if n := atoi(q.Get("compare"), 0); n > 0 {
		all, err := h.Store.MappingVersions(r.Context(), p.WorkspaceID, v.ID, v.Object)
		if err != nil {
			return err
		}
		changes, err := diffVersions(all, n, v.Active.Version)
		if err != nil {
			return err
		}
		v.Compared, v.Diff = n, changeLines(changes)
	}
	return h.showMapping(w, r, p, v, http.StatusOK)
}

// newMappingView is the page without what is edited.
func (h *Handler) newMappingView(ctx context.Context, p principal, id, object string) (mappingPageView, error) {
	v := mappingPageView{ID: id, Object: object, Self: "/connections/" + id + "/mappings/" + url.PathEscape(object), Last: previewCalls}
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, id)
	if err != nil {
		return v, err
	}
	v.Name, v.CRM = c.Name, c.Connector
	var defaults map[string][]byte
	if kind, ok := h.Connectors[c.Connector]; ok {
		info := kind.Info()
		v.CRM, defaults = info.Label, info.Mappings
	}
	if v.Active, _, err = h.activeDocument(ctx, p, id, object); err != nil {
		return v, err
	}
	_, v.HasDefault = defaults[object]
	if v.Active.Version == 0 && !v.HasDefault {
		return v, notFound()
	}
	v.Base = v.Active.Version
	v.Objects = mappingLinks(id, object, defaults)
	all, err := h.Store.MappingVersions(ctx, p.WorkspaceID, id, object)
	for i := range all {
		all[i].Document = ""
	}
	v.Older = max(0, len(all)-pageVersions)
	v.Versions = all[:len(all)-v.Older]
	v.Preview.Sizes = []int{previewCalls, 50, previewMost}
	return v, err
}

// mappedObjects are in the order in which the mappings are listed.
var mappedObjects = []string{
	connectors.ObjectCall, connectors.ObjectContact, connectors.ObjectLead, connectors.ObjectCompany, connectors.ObjectDeal,
	connectors.ObjectMessage, connectors.ObjectForm, connectors.ObjectTask, connectors.ObjectNote, connectors.ObjectTicket,
}

// mappingLinks lead to the mappings of a connection.
func mappingLinks(id, current string, defaults map[string][]byte) []mappingLink {
	var out []mappingLink
	for _, object := range mappedObjects {
		if _, ok := defaults[object]; ok || object == current {
			out = append(out, mappingLink{Label: recordsOf(object), URL: "/connections/" + id + "/mappings/" + object, Current: object == current})
		}
	}
	return out
}

// recordsOf names the records of an object.
func recordsOf(object string) string {
	if object == connectors.ObjectCompany {
		return "Companies"
	}
	return title(object) + "s"
}

// beginFrom puts into the editor the version in force, another one, or the connector's default.
func (h *Handler) beginFrom(ctx context.Context, p principal, v *mappingPageView, from string) error {
	v.Text = v.Active.Document
	switch n := atoi(from, 0); {
	case from == "default" && v.HasDefault, v.Active.Version == 0:
		c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, v.ID)
		if err != nil {
			return err
		}
		v.Text, v.Unsaved = string(h.Connectors[c.Connector].Info().Mappings[v.Object]), true
		v.Note = "The default of " + v.CRM
	case n > 0 && n != v.Active.Version:
		all, err := h.Store.MappingVersions(ctx, p.WorkspaceID, v.ID, v.Object)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(all, func(m records.MappingVersion) bool { return m.Version == n })
		if at < 0 {
			return notFound()
		}
		v.Text, v.Unsaved, v.Note = all[at].Document, true, fmt.Sprintf("As version %d", n)
	}
	return nil
}

// mappingForm does what a button of the page asks for. What is edited lives in the form.
func (h *Handler) mappingForm(w http.ResponseWriter, r *http.Request, p principal) error {
	v, err := h.newMappingView(r.Context(), p, r.PathValue("id"), r.PathValue("object"))
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, 2<<20)
	if err := r.ParseForm(); err != nil {
		return problem(http.StatusRequestEntityTooLarge, "The document is too large.")
	}
	do := r.PostForm.Get("do")
	if (do == "save" || do == "return") && !p.may(admin) {
		return problem(http.StatusForbidden, "Your role may not do this. Ask an admin of your workspace.")
	}
	if do == "return" {
		in := &inVersion{PathObject: PathObject{PathID: PathID{ID: v.ID}, Object: v.Object}, Version: atoi(r.PostForm.Get("n"), 0)}
		if _, err := h.activateMapping(r.Context(), p, in); err != nil {
			return err
		}
		return back(w, r, v.Self, "returned")
	}
	v.Text, v.Note, v.Unsaved = strings.ReplaceAll(r.PostForm.Get("text"), "\r\n", "\n"), clip(r.PostForm.Get("note"), 500), true
	v.Base = atoi(r.PostForm.Get("base"), v.Active.Version)
	v.Last = min(max(atoi(r.PostForm.Get("last"), previewCalls), 1), previewMost)
	doc, wrong := h.checked(r.Context(), p, &v)
	if wrong != nil && !isProblems(wrong) {
		return wrong
	}
	status := http.StatusOK
	switch {
	case do == "save" && wrong != nil:
		status = http.StatusUnprocessableEntity
	case do == "save" && v.Base != v.Active.Version:
		v.Wrong = []mappingWrong{{Text: fmt.Sprintf("Somebody else saved version %d meanwhile. Nothing is lost: compare the versions below, then save again to put yours in force.", v.Active.Version)}}
		v.Base, status = v.Active.Version, http.StatusConflict
	case do == "save":
		saved, err := h.saveMapping(r.Context(), p, v.ID, v.Object, v.Text, v.Note)
		if err == nil && len(saved.Warnings) == 0 {
			return back(w, r, v.Self, "mapping")
		}
		if err != nil {
			refused := asProblem(r.Context(), h.Log, err)
			status = refused.Status
			if _, err := h.checked(r.Context(), p, &v); err != nil && !isProblems(err) {
				return err
			}
			if !slices.ContainsFunc(v.Wrong, func(w mappingWrong) bool { return !w.Warning }) {
				v.Wrong = append([]mappingWrong{{Text: refused.Detail}}, v.Wrong...)
			}
			break
		}
		text, warnings := v.Text, saved.Warnings
		if v, err = h.newMappingView(r.Context(), p, v.ID, v.Object); err != nil {
			return err
		}
		v.Text, v.Warnings = text, append([]string{fmt.Sprintf("Saved as version %d, which counts from now on.", saved.Version)}, warnings...)
	case do == "preview":
		h.previewOnPage(r.Context(), p, &v, doc, wrong)
	}
	return h.showMapping(w, r, p, v, status)
}

// previewOnPage makes the preview; what keeps it from being made is said in its place.
func (h *Handler) previewOnPage(ctx context.Context, p principal, v *mappingPageView, doc mappings.Document, wrong error) {
	out := &v.Preview
	out.Made = true
	if !p.may(operator) {
		out.Refused = "Previews show numbers and texts of customers. Your role does not see them."
		return
	}
	if wrong != nil {
		out.Refused = "The document cannot be used yet. What is wrong stands beside it."
		return
	}
	active, before, err := h.activeDocument(ctx, p, v.ID, v.Object)
	if err == nil {
		out.MappingPreview, err = h.previewMapping(ctx, p, previewAsk{connection: v.ID, object: v.Object, active: active, before: before, after: doc,
			last: v.Last, size: pagePreviewSize})
	}
	if err != nil {
		out.Refused = asProblem(ctx, h.Log, err).Detail
		return
	}
	out.Lines = changeLines(out.Changes)
}

// isProblems tells whether an error says what is wrong with a document.
func isProblems(err error) bool {
	var problems mappings.Problems
	return errors.As(err, &problems)
}

func (h *Handler) showMapping(w http.ResponseWriter, r *http.Request, p principal, v mappingPageView, status int) error {
	f, err := h.newFrame(r, p, recordsOf(v.Object)+" in "+v.Name, "connections", v)
	if err != nil {
		return err
	}
	if status != http.StatusOK && r.Header.Get("HX-Request") != "" {
		status = http.StatusOK // htmx shows no others
	}
	return h.render(w, r, status, "mapping", f)
}

// checked puts what is to be said of the text beside its lines: what is wrong with it, and what the CRM would not take. The
// error is that of reading it.
func (h *Handler) checked(ctx context.Context, p principal, v *mappingPageView) (mappings.Document, error) {
	doc, wrong := readMapping(v.Text, v.Object)
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, v.ID)
	if err != nil {
		return doc, err
	}
	found, err := h.lint(ctx, c, v.Object, v.Text, refusalAge)
	if err != nil {
		return doc, err
	}
	lines := strings.Split(v.Text, "\n")
	v.Wrong = nil
	for _, f := range found.Findings {
		w := mappingWrong{Line: f.Line, Warning: f.Severity == mappings.SeverityWarning}
		if f.Line > 0 && f.Line <= len(lines) {
			w.Source = clip(strings.TrimSpace(lines[f.Line-1]), 200)
			f.Line = 0
		}
		w.Text = capital(f.Problem.String())
		v.Wrong = append(v.Wrong, w)
	}
	for _, text := range found.Warnings {
		v.Wrong = append(v.Wrong, mappingWrong{Text: text, Warning: true})
	}
	slices.SortStableFunc(v.Wrong, func(a, b mappingWrong) int {
		if a.Warning != b.Warning {
			return map[bool]int{true: 1, false: -1}[a.Warning]
		}
		return cmp.Compare(a.Line, b.Line)
	})
	return doc, wrong
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// changeLines are changes as people read them.
func changeLines(changes []mappings.Change) []changeLine {
	out := make([]changeLine, 0, len(changes))
	for _, c := range changes {
		key := strings.ReplaceAll(strings.TrimPrefix(c.Key, "value."), "_", " ")
		out = append(out, changeLine{Target: c.Target, Key: cmp.Or(key, "row"), Kind: c.Kind, Before: shownMember(c.Before), After: shownMember(c.After)})
	}
	return out
}

// shownMember is a member of a document as text.
func shownMember(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case mappings.Template:
		return strings.Join(v, "\n")
	case mappings.Row, mappings.Lookup, []any:
		text, err := yaml.Marshal(v)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(text))
	}
	return fmt.Sprint(v)
}

// Shown is what a payload has for a field as text; there is none where the field is not in it.
func (s PreviewedSide) Shown(target string) string {
	v, ok := s.Payload[target]
	if !ok {
		return ""
	}
	if v == nil {
		return "(cleared)"
	}
	return shownValue(v)
}

// Has tells whether a field is in the payload.
func (s PreviewedSide) Has(target string) bool { _, ok := s.Payload[target]; return ok }

func shownValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		return clip(v, pageValue)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case []string:
		return clip(strings.Join(v, ", "), pageValue)
	}
	return clip(fmt.Sprint(v), pageValue)
}

// ShownNow and ShownWritten are the values that the CRM has and that callsync wrote last.
func (f PreviewedField) ShownNow() string { return shownValue(f.Now) }

// ShownWritten is what callsync wrote last.
func (f PreviewedField) ShownWritten() string { return shownValue(f.Written) }

// Told is the explanation to show: of the document, or of the version in force where the document has no row.
func (f PreviewedField) Told() *mappings.RowExplanation {
	if f.After != nil {
		return f.After
	}
	return f.Before
}

// Why says why a side has nothing for a field.
func (f PreviewedField) Why(e *mappings.RowExplanation) string {
	switch {
	case e == nil:
		return "no row"
	case e.Error != "":
		return e.Error
	case e.Skipped != "":
		return e.Skipped
	}
	return "nothing to write"
}

// At is the zone of the call's source.
func (c PreviewedCall) At() *time.Location { return c.at }

// Differing and Alike are the fields that the change alters, and the others.
func (c PreviewedCall) Differing() []PreviewedField { return c.fields(false) }

// Alike are the fields that stay as they are.
func (c PreviewedCall) Alike() []PreviewedField { return c.fields(true) }

func (c PreviewedCall) fields(same bool) (out []PreviewedField) {
	for _, f := range c.Fields {
		if (f.Kind == mappings.RowSame) == same {
			out = append(out, f)
		}
	}
	return out
}
