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
	Diff       []rowChange
	TextDiff   []textLine
	Preview    mappingPreviewView
	Last       int
	// Find chooses the calls of the preview; empty for the latest.
	Find string
	// Chosen is the call whose results stand in the rows.
	Chosen string

	// Tab is rows or text.
	Tab  string
	Rows []mappingRow
	// Waiting are fields without which the CRM makes no record, and which no row fills.
	Waiting  []crmField
	Rewrites bool
	Fields   editorFields
	Sources  []sourceField
	Schema   schemaCard
	Conflict *mappingConflict
	// Done says what a button did, for those who do not see it. Oob marks parts that replace others of the page.
	Done string
	Oob  bool

	connection records.Connection
}

// mappingConflict is what somebody else saved meanwhile.
type mappingConflict struct {
	Base, Version int
	Author, Note  string
	Theirs        []rowChange
	// Both tells that some rows were changed by both.
	Both bool
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
		v.Compared, v.Diff = n, rowChanges(changes, v.Fields, nil)
		v.TextDiff = diffTexts(all[slices.IndexFunc(all, func(m records.MappingVersion) bool { return m.Version == n })].Document, v.Active.Document)
	}
	v.Tab, v.Find = q.Get("tab"), clip(q.Get("find"), maxFind)
	v.toRows()
	v.judgeAtRest()
	// What is on hold for a field leads to its row.
	if i := slices.IndexFunc(v.Rows, func(row mappingRow) bool { return row.Target != "" && row.Target == q.Get("field") }); i >= 0 {
		v.Rows[i].Open, v.Rows[i].Focus = true, true
	}
	return h.showMapping(w, r, p, v, http.StatusOK)
}

// toRows takes the text apart, unless it is to be edited as text or cannot be.
func (v *mappingPageView) toRows() {
	if v.Tab == "text" {
		return
	}
	d, err := mappings.NewDraft(v.Text)
	if err != nil {
		v.Tab = "text"
		v.Wrong = append(v.Wrong, mappingWrong{Text: "Rows cannot be shown: " + err.Error() + ". Correct the text first."})
		return
	}
	v.Tab, v.Rewrites, v.Rows = "rows", d.Rewrites, mappingRows(d)
}

// judgeAtRest tells what is wrong with the rows of a document that nobody has changed yet, by what is known without asking the CRM.
func (v *mappingPageView) judgeAtRest() {
	v.dress()
	if v.Tab != "rows" {
		return
	}
	doc, found := mappings.Lint([]byte(v.Text), v.Fields.schema)
	v.judgeRows(found, doc, v.Fields)
}

// dress tells the rows their places and the CRM's fields.
func (v *mappingPageView) dress() {
	for i := range v.Rows {
		r := &v.Rows[i]
		r.N, r.First, r.Last, r.CRM = i+1, i == 0, i == len(v.Rows)-1, v.Fields.find(r.Target)
	}
	if v.Tab == "rows" {
		v.Waiting = v.Fields.waiting(v.Rows)
	}
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
	v.Base, v.connection = v.Active.Version, c
	v.Fields, v.Sources = h.editorFields(ctx, c, object), sourceFields(object)
	if v.Schema, err = h.schemaCard(ctx, p, id, object); err != nil {
		return v, err
	}
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
	r.Body = http.MaxBytesReader(w, r.Body, 4<<20)
	if err := r.ParseForm(); err != nil {
		return problem(http.StatusRequestEntityTooLarge, "The document is too large.")
	}
	do := r.PostForm.Get("do")
	if (do == "save" || do == "overwrite" || do == "return") && !p.may(admin) {
		return problem(http.StatusForbidden, "Your role may not do this. Ask an admin of your workspace.")
	}
	if do == "return" {
		in := &inVersion{PathObject: PathObject{PathID: PathID{ID: v.ID}, Object: v.Object}, Version: atoi(r.PostForm.Get("n"), 0)}
		if _, err := h.activateMapping(r.Context(), p, in); err != nil {
			return err
		}
		return back(w, r, v.Self, "returned")
	}
	v.readForm(r.PostForm)
	broken := v.apply(do, r.PostForm)
	switch do {
	case "rebase":
		if err := h.rebase(r.Context(), p, &v); err != nil {
			return err
		}
	case "overwrite":
		v.Base, do = v.Active.Version, "save"
	}
	v.dress()
	doc, wrong := mappings.Document{}, error(mappings.Problems{{Text: broken}})
	if broken == "" {
		doc, wrong = h.checked(r.Context(), p, &v)
		if wrong != nil && !isProblems(wrong) {
			return wrong
		}
	}
	status := http.StatusOK
	switch {
	case do == "save" && wrong != nil:
		status = http.StatusUnprocessableEntity
		v.openWrong()
	case do == "save" && v.Base != v.Active.Version:
		status = http.StatusConflict
		err = h.conflict(r.Context(), p, &v)
	case do == "save":
		saved, err := h.saveMapping(r.Context(), p, v.ID, v.Object, v.Text, v.Note, v.Base)
		if err == nil && len(saved.Warnings) == 0 {
			return h.savedMapping(w, r, v, "mapping")
		}
		if status, err = h.afterSave(r.Context(), p, &v, saved, err); err != nil {
			return err
		}
	case do == "preview":
		h.previewOnPage(r.Context(), p, &v, doc, wrong)
	}
	if err != nil {
		return err
	}
	return h.showMapping(w, r, p, v, status)
}

// maxFind is how long a search for the calls of a preview may be: some ids.
const maxFind = 2000

// readForm reads what is edited. Of rows it is what they were made from.
func (v *mappingPageView) readForm(form url.Values) {
	v.Text, v.Note, v.Unsaved = strings.ReplaceAll(form.Get("text"), "\r\n", "\n"), clip(form.Get("note"), 500), true
	v.Base = atoi(form.Get("base"), v.Active.Version)
	v.Last = min(max(atoi(form.Get("last"), previewCalls), 1), previewMost)
	v.Find, v.Chosen = clip(strings.TrimSpace(form.Get("find")), maxFind), form.Get("call")
	v.Tab = "text"
	if form.Get("tab") == "rows" {
		v.Tab, v.Rows = "rows", readMappingRows(form)
	}
}

// apply does with the text or its rows what a button asks for. It returns a sentence where the rows make no text; nothing can be
// saved or tried then.
func (v *mappingPageView) apply(do string, form url.Values) string {
	if v.Tab != "rows" {
		if do == "rows" {
			v.Tab = ""
			v.toRows()
		}
		return ""
	}
	v.Rows, v.Done = changeRows(v.Rows, do, v.Fields.schema)
	text, key, err := textOfRows(v.Text, v.Rows)
	if err != nil {
		said := capital(err.Error())
		i := slices.IndexFunc(v.Rows, func(r mappingRow) bool { return r.Key == key })
		if i < 0 {
			v.Wrong = append(v.Wrong, mappingWrong{Text: said})
			return said
		}
		v.Rows[i].Wrong = append(v.Rows[i].Wrong, rowWrong{Where: "Table", Text: said})
		v.Rows[i].Open = true
		return said
	}
	v.Text = text
	if d, err := mappings.NewDraft(text); err == nil {
		v.Rewrites = d.Rewrites
		for i := range v.Rows {
			v.Rows[i].From, v.Rows[i].Locked, v.Rows[i].Source, v.Rows[i].Lines = i, d.Rows[i].Locked, d.Rows[i].Text, mappingRowOf(d.Rows[i]).Lines
		}
	}
	if do == "text" {
		v.Tab, v.Rows = "text", nil
	}
	return ""
}

// openWrong opens the rows with which something is wrong.
func (v *mappingPageView) openWrong() {
	n := 0
	for i := range v.Rows {
		if r := &v.Rows[i]; r.Tone() == "fails" {
			r.Open = true
			n++
		}
	}
	if n > 0 {
		v.Wrong = append([]mappingWrong{{Text: "Nothing was saved yet: " + counted(n, "row is", "rows are") + " not right below."}}, v.Wrong...)
	}
	for _, f := range v.Waiting {
		v.Wrong = append(v.Wrong, mappingWrong{Text: fmt.Sprintf("%s makes no record without %s, and no row fills it.", v.CRM, f.Label)})
	}
}

// conflict tells what somebody else saved meanwhile.
func (h *Handler) conflict(ctx context.Context, p principal, v *mappingPageView) error {
	all, err := h.Store.MappingVersions(ctx, p.WorkspaceID, v.ID, v.Object)
	if err != nil {
		return err
	}
	v.Conflict = &mappingConflict{Base: v.Base, Version: v.Active.Version, Author: v.Active.Author, Note: v.Active.Note}
	theirs, err := diffVersions(all, v.Base, v.Active.Version)
	if err != nil {
		return err
	}
	var both []string
	if base, _ := versionText(all, v.Base); base != "" {
		before, _ := mappings.Parse([]byte(base))
		after, _ := mappings.Parse([]byte(v.Text))
		for _, mine := range mappings.Diff(before, after) {
			both = append(both, mine.Target)
		}
	}
	v.Conflict.Theirs = rowChanges(theirs, v.Fields, both)
	v.Conflict.Both = slices.ContainsFunc(v.Conflict.Theirs, func(c rowChange) bool { return c.Both })
	return nil
}

// versionText is the document of a version.
func versionText(all []records.MappingVersion, n int) (string, bool) {
	i := slices.IndexFunc(all, func(m records.MappingVersion) bool { return m.Version == n })
	if i < 0 {
		return "", false
	}
	return all[i].Document, true
}

// rebase puts what was edited onto what somebody else saved meanwhile.
func (h *Handler) rebase(ctx context.Context, p principal, v *mappingPageView) error {
	all, err := h.Store.MappingVersions(ctx, p.WorkspaceID, v.ID, v.Object)
	if err != nil {
		return err
	}
	base, ok := versionText(all, v.Base)
	if !ok {
		return notFound()
	}
	text, both, err := mappings.Rebase(base, v.Text, v.Active.Document)
	if err != nil {
		v.Wrong = append(v.Wrong, mappingWrong{Text: "The two cannot be put together here: " + err.Error() + " Compare the versions below, and make the changes by hand."})
		return h.conflict(ctx, p, v)
	}
	v.Text, v.Base = text, v.Active.Version
	v.Warnings = append(v.Warnings, fmt.Sprintf("Your changes stand on version %d now. They are not saved yet: look at the preview, then save.", v.Base))
	for _, target := range both {
		v.Warnings = append(v.Warnings, fmt.Sprintf("%s: both of you changed it; yours stands here.", v.Fields.label(target)))
	}
	if v.Tab == "rows" {
		v.toRows()
	}
	return nil
}

// afterSave shows a document that was refused, or saved with something to be said of it.
func (h *Handler) afterSave(ctx context.Context, p principal, v *mappingPageView, saved MappingView, err error) (int, error) {
	if errors.Is(err, records.ErrOutdated) {
		// Somebody was faster by a moment.
		if v.Active, _, err = h.activeDocument(ctx, p, v.ID, v.Object); err != nil {
			return 0, err
		}
		return http.StatusConflict, h.conflict(ctx, p, v)
	}
	if err != nil {
		refused := asProblem(ctx, h.Log, err)
		v.Wrong = nil
		for i := range v.Rows {
			v.Rows[i].Wrong = nil
		}
		if _, err := h.checked(ctx, p, v); err != nil && !isProblems(err) {
			return 0, err
		}
		v.openWrong()
		if !slices.ContainsFunc(v.Wrong, func(w mappingWrong) bool { return !w.Warning }) {
			v.Wrong = append([]mappingWrong{{Text: refused.Detail}}, v.Wrong...)
		}
		return refused.Status, nil
	}
	text, tab := v.Text, v.Tab
	if *v, err = h.newMappingView(ctx, p, v.ID, v.Object); err != nil {
		return 0, err
	}
	v.Text, v.Tab, v.Warnings = text, tab, append([]string{fmt.Sprintf("Saved as version %d, which counts from now on.", saved.Version)}, saved.Warnings...)
	v.toRows()
	v.judgeAtRest()
	return http.StatusOK, nil
}

// savedMapping leads to the page of the mapping that is in force now.
func (h *Handler) savedMapping(w http.ResponseWriter, r *http.Request, v mappingPageView, done string) error {
	q := url.Values{"done": {done}}
	if v.Tab == "text" {
		q.Set("tab", "text")
	}
	to := v.Self + "?" + q.Encode()
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", to)
		return nil
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
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
			last: v.Last, find: v.Find, size: pagePreviewSize})
	}
	if err != nil {
		out.Refused = asProblem(ctx, h.Log, err).Detail
		return
	}
	v.choose()
}

// choose puts what the rows gave for one call beside them: for the one that was chosen, else for the first.
func (v *mappingPageView) choose() {
	items := v.Preview.Items
	for i := range items {
		items[i].labels = v.Fields.label
	}
	at := slices.IndexFunc(items, func(c PreviewedCall) bool { return c.ID == v.Chosen })
	if at < 0 && len(items) > 0 {
		at, v.Chosen = 0, items[0].ID
	}
	if at < 0 {
		v.Chosen = ""
		return
	}
	for i := range v.Rows {
		r := &v.Rows[i]
		f := slices.IndexFunc(items[at].Fields, func(f PreviewedField) bool { return f.Target == r.Target && f.After != nil })
		if f >= 0 {
			r.Given = givenBy(items[at].Fields[f].After)
		}
	}
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
	if r.Header.Get("HX-Request") != "" { // htmx shows no other status than 200
		switch r.Header.Get("HX-Target") {
		case "editor":
			return h.renderPart(w, "mapping", "mapping_editor", f)
		case "mapping-preview":
			v.Oob = true
			f.Page = v
			return h.renderPart(w, "mapping", "mapping_live", f)
		}
		status = http.StatusOK
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
	findings := found.Findings
	if v.Tab == "rows" {
		lines = nil // they are not seen
		findings = v.judgeRows(findings, doc, v.Fields)
	}
	for _, f := range findings {
		w := mappingWrong{Line: f.Line, Warning: f.Severity == mappings.SeverityWarning}
		if f.Line > 0 && f.Line <= len(lines) {
			w.Source = clip(strings.TrimSpace(lines[f.Line-1]), 200)
			f.Line = 0
		} else {
			w.Line, f.Line = 0, 0
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
