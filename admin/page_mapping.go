package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

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
	// Around marks what stands around the editor so.
	Done   string
	Oob    bool
	Around bool

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

func (h *Handler) showMapping(w http.ResponseWriter, r *http.Request, p principal, v mappingPageView, status int) error {
	f, err := h.newFrame(r, p, recordsOf(v.Object)+" in "+v.Name, "connections", v)
	if err != nil {
		return err
	}
	if r.Header.Get("HX-Request") != "" { // htmx shows no other status than 200
		switch r.Header.Get("HX-Target") {
		case "editor":
			// What is in force stands around the editor: somebody may have saved meanwhile.
			v.Around = true
			f.Page = v
			return h.renderPart(w, "mapping", "mapping_edited", f)
		case "mapping-preview":
			v.Oob = true
			f.Page = v
			return h.renderPart(w, "mapping", "mapping_live", f)
		}
		status = http.StatusOK
	}
	return h.render(w, r, status, "mapping", f)
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
		out = append(out, changeLine{Target: c.Target, Key: memberLabel(c.Key), Kind: c.Kind, Before: memberWords(c.Key, c.Before), After: memberWords(c.Key, c.After)})
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
