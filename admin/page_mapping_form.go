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

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// mappingForm does what a button of the page asks for. What is edited lives in the form.
func (h *Handler) mappingForm(w http.ResponseWriter, r *http.Request, p principal) error {
	v, err := h.newMappingView(r.Context(), p, r.PathValue("id"), r.PathValue("object"))
	if err != nil {
		return err
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

// isProblems tells whether an error says what is wrong with a document.
func isProblems(err error) bool {
	var problems mappings.Problems
	return errors.As(err, &problems)
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
