package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// MappingView is one version of a mapping.
type MappingView struct {
	Object    string    `json:"object"`
	Version   int       `json:"version"`
	Active    bool      `json:"active"`
	Document  string    `json:"document,omitempty" doc:"The mapping document, YAML or JSON."`
	Author    string    `json:"author,omitempty"`
	Note      string    `json:"note,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	Warnings  []string  `json:"warnings,omitempty"`
}

// MappingText is a mapping document in a request: text in YAML or JSON, or the JSON itself.
type MappingText struct{ Text string }

// UnmarshalJSON keeps the text, or the JSON as it is.
func (m *MappingText) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &m.Text)
	}
	m.Text = string(data)
	return nil
}

// Schema is a string or an object.
func (MappingText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeObject, AdditionalProperties: true}},
		Description: "The mapping document: text in YAML or JSON, or the JSON itself."}
}

// PathObject is a connection and an object of its CRM in a path.
type PathObject struct {
	PathID
	Object string `path:"object" doc:"The object of the CRM." example:"call"`
}

type mappingPut struct {
	PathObject
	IfMatch string `header:"If-Match" doc:"The version that it was made from, in quotes; the same as base_version."`
	Body    struct {
		Document    MappingText `json:"document"`
		Note        string      `json:"note,omitempty" maxLength:"500" doc:"What this version changes."`
		BaseVersion int         `json:"base_version,omitempty" minimum:"0" doc:"The version that it was made from. If another one is in force by now, nothing is saved (409, with the rows that changed). 0 or none saves over whatever is in force."`
	}
}

type inVersion struct {
	PathObject
	Version int `path:"n" minimum:"1"`
}

func (h *Handler) registerMappings() {
	const tag, path = "Mappings", "/connections/{id}/mappings/{object}"
	handle(h, viewer, get(path, "The mapping in force", tag), h.getMapping)
	handle(h, admin, method(http.MethodPut, path, "Store a new version and put it in force", tag), h.putMapping)
	handle(h, viewer, get(path+"/versions", "All versions, newest first", tag), h.listMappings)
	handle(h, viewer, get(path+"/versions/{n}", "One version", tag), h.getMappingVersion)
	handle(h, admin, post(path+"/versions/{n}/activate", "Put a version in force", tag), h.activateMapping)
}

func viewMapping(v records.MappingVersion) MappingView {
	return MappingView{Object: v.Object, Version: v.Version, Active: v.Active, Document: v.Document, Author: v.Author, Note: v.Note, CreatedAt: v.CreatedAt}
}

func (h *Handler) getMapping(ctx context.Context, p principal, in *PathObject) (*answer[MappingView], error) {
	v, err := h.Store.ActiveMapping(ctx, p.WorkspaceID, in.ID, in.Object)
	v.Active = true
	return &answer[MappingView]{viewMapping(v)}, err
}

func (h *Handler) putMapping(ctx context.Context, p principal, in *mappingPut) (*answer[MappingView], error) {
	base := in.Body.BaseVersion
	if match := strings.Trim(strings.TrimPrefix(in.IfMatch, "W/"), `"`); match != "" && match != "*" {
		n := atoi(match, 0)
		if n < 1 || base != 0 && base != n {
			return nil, invalid("If-Match", "If-Match is the number of a version, the same as base_version.")
		}
		base = n
	}
	view, err := h.saveMapping(ctx, p, in.ID, in.Object, in.Body.Document.Text, in.Body.Note, base)
	if errors.Is(err, records.ErrOutdated) {
		return nil, h.outdated(ctx, p, in.PathObject, base)
	}
	return &answer[MappingView]{view}, err
}

// outdated refuses a document that was made from a version that is not in force any more, and names the rows that changed since.
func (h *Handler) outdated(ctx context.Context, p principal, in PathObject, base int) error {
	all, err := h.Store.MappingVersions(ctx, p.WorkspaceID, in.ID, in.Object)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(v records.MappingVersion) bool { return v.Active })
	if i < 0 {
		return notFound()
	}
	now := all[i].Version
	out := problem(http.StatusConflict, fmt.Sprintf("Nothing was saved: version %d is in force by now, and this was made from version %d.", now, base))
	out.Field = "base_version"
	changes, err := diffVersions(all, base, now)
	if err != nil {
		out.Detail += fmt.Sprintf(" There is no version %d.", base)
		return out
	}
	for _, c := range rowChanges(changes, editorFields{}, nil) {
		out.Errors = append(out.Errors, FieldError{c.Target, fmt.Sprintf("%s from version %d to %d", capital(c.Kind), base, now)})
	}
	return out
}

// saveMapping checks a document, stores it as the next version and puts it in force. The API and the page save by it.
// base is the version that it was made from, 0 for any; if another one is in force, the error is records.ErrOutdated.
func (h *Handler) saveMapping(ctx context.Context, p principal, connectionID, object, text, note string, base int) (MappingView, error) {
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, connectionID)
	if err != nil {
		return MappingView{}, err
	}
	if _, err := readMapping(text, object); err != nil {
		return MappingView{}, mappingProblem(err)
	}
	warnings, err := h.checkTargets(ctx, c, object, text)
	if err != nil {
		return MappingView{}, err
	}
	v := records.MappingVersion{ConnectionID: c.ID, Object: object, Document: text, Author: p.Name,
		Note: note, CreatedAt: h.Now().UTC(), Active: true, Base: base}
	if v.Version, err = h.Store.AddMappingVersion(ctx, p.WorkspaceID, v); err != nil {
		return MappingView{}, err
	}
	h.compared(ctx, p, c.ID, object)
	view := viewMapping(v)
	view.Warnings = warnings
	return view, nil
}

// readMapping reads and checks a document for an object. Errors: mappings.Problems.
func readMapping(text, object string) (mappings.Document, error) {
	doc, err := mappings.Parse([]byte(text))
	if err == nil && doc.Object != object {
		err = mappings.Problems{{Key: "object", Text: fmt.Sprintf("The document is for the object %q; this is the mapping of %q.", clip(doc.Object, 60), clip(object, 60))}}
	}
	return doc, err
}

// mappingProblem shows everything that is wrong with a document.
func mappingProblem(err error) error {
	var all mappings.Problems
	if !errors.As(err, &all) {
		return invalid("document", "This is no mapping document: "+err.Error())
	}
	var out faults
	for _, p := range all {
		out.add("document", p.String())
	}
	return out.problem()
}

func (h *Handler) listMappings(ctx context.Context, p principal, in *PathObject) (*answer[List[MappingView]], error) {
	if _, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID); err != nil {
		return nil, err
	}
	all, err := h.Store.MappingVersions(ctx, p.WorkspaceID, in.ID, in.Object)
	items := make([]MappingView, 0, len(all))
	for _, v := range all {
		v.Document = ""
		items = append(items, viewMapping(v))
	}
	return &answer[List[MappingView]]{List[MappingView]{Items: items}}, err
}

func (h *Handler) getMappingVersion(ctx context.Context, p principal, in *inVersion) (*answer[MappingView], error) {
	all, err := h.Store.MappingVersions(ctx, p.WorkspaceID, in.ID, in.Object)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(v records.MappingVersion) bool { return v.Version == in.Version })
	if i < 0 {
		return nil, notFound()
	}
	return &answer[MappingView]{viewMapping(all[i])}, nil
}

func (h *Handler) activateMapping(ctx context.Context, p principal, in *inVersion) (*answer[MappingView], error) {
	if err := h.Store.ActivateMapping(ctx, p.WorkspaceID, in.ID, in.Object, in.Version); err != nil {
		return nil, err
	}
	h.compared(ctx, p, in.ID, in.Object)
	return h.getMapping(ctx, p, &in.PathObject)
}
