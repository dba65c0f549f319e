package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// Schemas reads, keeps and compares the fields of CRMs. Its errors are records.ErrNotFound for a connection that is not
// there, records.ErrNoSchema for a CRM without fields of its own, and *connectors.Error.
type Schemas interface {
	// Recent returns the fields of an object as they were read within age, else asks the CRM. If that does not answer, it
	// returns what was read before, with the reason.
	Recent(ctx context.Context, k records.SchemaKey, age time.Duration) (snapshot records.SchemaSnapshot, stale string, err error)
	// Read asks the CRM now.
	Read(ctx context.Context, k records.SchemaKey) (records.SchemaSnapshot, error)
	// Compare tells anew in what the mapping and the table of dispositions do not fit what was read last.
	Compare(ctx context.Context, k records.SchemaKey) error
}

// SchemaStore knows what was read of CRMs' fields, and in what mappings do not fit them.
type SchemaStore interface {
	// Schemas lists the versions of an object's fields that are kept, the newest first.
	Schemas(ctx context.Context, k records.SchemaKey) ([]records.SchemaSnapshot, error)
	// SchemaIssues lists the issues of a connection, with an empty id of all of the workspace: the open ones first, and with
	// healed those that were gone lately.
	SchemaIssues(ctx context.Context, workspaceID, connectionID string, healed bool) ([]records.SchemaIssue, error)
	SchemaStates(ctx context.Context, workspaceID, connectionID string) ([]records.SchemaState, error)
}

// How old the fields of a CRM may be that people see, and those by which a mapping is refused.
const (
	shownAge   = 10 * time.Minute
	refusalAge = 10 * time.Second
)

// SchemaView is the fields of an object of a CRM.
type SchemaView struct {
	Object   string                         `json:"object"`
	Fields   []connectors.SchemaField       `json:"fields"`
	Outcomes []connectors.DispositionOption `json:"outcomes,omitempty" doc:"The call outcomes to which dispositions lead."`
	Partial  bool                           `json:"partial,omitempty" doc:"The CRM has more fields than these."`
	Version  int                            `json:"version" doc:"Counts how often the fields have changed."`
	ReadAt   time.Time                      `json:"read_at" doc:"When the CRM was asked."`
	Warning  string                         `json:"warning,omitempty" doc:"Why the fields may be old."`
}

// SchemaVersionView is one change of an object's fields.
type SchemaVersionView struct {
	Version int                    `json:"version"`
	FoundAt time.Time              `json:"found_at" doc:"When callsync found it; it came after the version before was read last."`
	Changes []records.SchemaChange `json:"changes"`
}

// SchemaIssueView is one thing in which a mapping does not fit the CRM's fields.
type SchemaIssueView struct {
	ID           string    `json:"id"`
	ConnectionID string    `json:"connection_id"`
	Object       string    `json:"object"`
	Field        string    `json:"field" doc:"The CRM's field; dispositions for the table of dispositions."`
	Code         string    `json:"code" example:"unknown_field"`
	Value        string    `json:"value,omitempty"`
	Holds        bool      `json:"holds" doc:"Deliveries that write the field are put on hold until this is corrected."`
	Held         int64     `json:"held" doc:"How many are on hold for it now."`
	Text         string    `json:"text" doc:"What has changed and what to do, in a sentence."`
	Suggestion   string    `json:"suggestion,omitempty" doc:"The field or value that was most likely meant."`
	OpenedAt     time.Time `json:"opened_at"`
	HealedAt     time.Time `json:"healed_at,omitzero"`
}

// SchemaStateView tells how far the watch over an object's fields is.
type SchemaStateView struct {
	Object  string    `json:"object"`
	ReadAt  time.Time `json:"read_at,omitzero"`
	NextAt  time.Time `json:"next_at,omitzero"`
	Failure string    `json:"failure,omitempty" doc:"Why the fields could not be read last."`
}

// SchemaDriftView is what is known of the fields of a connection's CRM and the mappings in force.
type SchemaDriftView struct {
	Issues  []SchemaIssueView `json:"issues"`
	Objects []SchemaStateView `json:"objects"`
}

// MappingCheckView is what is to be said of a document that is not saved.
type MappingCheckView struct {
	OK       bool              `json:"ok" doc:"It can be saved."`
	Findings mappings.Findings `json:"findings"`
	Warnings []string          `json:"warnings,omitempty" doc:"What could not be checked."`
	ReadAt   time.Time         `json:"read_at,omitzero" doc:"When the CRM was asked for its fields."`
}

type schemaIn struct {
	PathID
	Object string `path:"object" example:"call"`
}

type schemaDriftIn struct {
	PathID
	Healed bool `query:"healed" doc:"Also what was corrected within 30 days."`
}

type mappingCheckIn struct {
	PathObject
	Body struct {
		Document MappingText `json:"document"`
	}
}

func (h *Handler) registerSchemas() {
	const tag = "Connections"
	handle(h, viewer, get("/connections/{id}/schema/{object}", "The fields of an object of the CRM, as they were read within ten minutes", tag), h.getSchema)
	handle(h, operator, post("/connections/{id}/schema/{object}/refresh", "Ask the CRM for the fields of an object now", tag), h.refreshSchema)
	handle(h, viewer, get("/connections/{id}/schema/{object}/changes", "What changed of the fields of an object, newest first", tag), h.schemaChanges)
	handle(h, viewer, get("/connections/{id}/schema-drift", "In what the mappings do not fit the CRM's fields any more", tag), h.schemaDrift)
	handle(h, viewer, post("/connections/{id}/mappings/{object}/check", "Check a document without saving it", "Mappings"), h.checkMapping)
}

func schemaKey(p principal, connectionID, object string) records.SchemaKey {
	return records.SchemaKey{WorkspaceID: p.WorkspaceID, ConnectionID: connectionID, Object: object}
}

func (h *Handler) getSchema(ctx context.Context, p principal, in *schemaIn) (*answer[SchemaView], error) {
	s, stale, err := h.recentSchema(ctx, schemaKey(p, in.ID, in.Object), shownAge)
	if err != nil {
		return nil, h.schemaProblem(ctx, p, in.ID, err)
	}
	v := viewSchema(s)
	if stale != "" {
		v.Warning = fmt.Sprintf("The CRM could not be asked. These are its fields of %s. %s", s.ReadAt.UTC().Format("2 January 2006, 15:04 UTC"), stale)
	}
	return &answer[SchemaView]{v}, nil
}

func (h *Handler) recentSchema(ctx context.Context, k records.SchemaKey, age time.Duration) (records.SchemaSnapshot, string, error) {
	ctx, cancel := context.WithTimeout(ctx, schemaTimeout)
	defer cancel()
	return h.Schemas.Recent(ctx, k, age)
}

func (h *Handler) readSchema(ctx context.Context, k records.SchemaKey) (records.SchemaSnapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, schemaTimeout)
	defer cancel()
	return h.Schemas.Read(ctx, k)
}

func viewSchema(s records.SchemaSnapshot) SchemaView {
	fields := s.Schema.Fields
	if fields == nil {
		fields = []connectors.SchemaField{}
	}
	return SchemaView{Object: s.Schema.Object, Fields: fields, Outcomes: s.Schema.Outcomes, Partial: s.Schema.Partial, Version: s.Version, ReadAt: s.ReadAt}
}

func (h *Handler) schemaProblem(ctx context.Context, p principal, connectionID string, err error) error {
	if !errors.Is(err, records.ErrNoSchema) {
		return err
	}
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, connectionID)
	if err != nil {
		return err
	}
	return problem(http.StatusNotFound, h.crm(c)+" has no fields of its own to list.")
}

func (h *Handler) refreshSchema(ctx context.Context, p principal, in *schemaIn) (*answer[SchemaView], error) {
	s, err := h.readSchema(ctx, schemaKey(p, in.ID, in.Object))
	if err != nil {
		return nil, h.schemaProblem(ctx, p, in.ID, err)
	}
	return &answer[SchemaView]{viewSchema(s)}, nil
}

func (h *Handler) schemaChanges(ctx context.Context, p principal, in *schemaIn) (*answer[List[SchemaVersionView]], error) {
	if _, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID); err != nil {
		return nil, err
	}
	all, err := h.Store.Schemas(ctx, schemaKey(p, in.ID, in.Object))
	items := make([]SchemaVersionView, 0, len(all))
	for _, s := range all {
		items = append(items, SchemaVersionView{s.Version, s.FoundAt, append([]records.SchemaChange{}, s.Changes...)})
	}
	return &answer[List[SchemaVersionView]]{List[SchemaVersionView]{Items: items}}, err
}

func (h *Handler) schemaDrift(ctx context.Context, p principal, in *schemaDriftIn) (*answer[SchemaDriftView], error) {
	if _, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID); err != nil {
		return nil, err
	}
	v := SchemaDriftView{Issues: []SchemaIssueView{}, Objects: []SchemaStateView{}}
	issues, err := h.Store.SchemaIssues(ctx, p.WorkspaceID, in.ID, in.Healed)
	if err != nil {
		return nil, err
	}
	for _, i := range issues {
		v.Issues = append(v.Issues, SchemaIssueView{i.ID, i.ConnectionID, i.Object, i.Field, i.Code, i.Value, i.Blocking, i.Held, i.Text, i.Suggestion, i.OpenedAt, i.HealedAt})
	}
	states, err := h.Store.SchemaStates(ctx, p.WorkspaceID, in.ID)
	for _, s := range states {
		v.Objects = append(v.Objects, SchemaStateView(s))
	}
	return &answer[SchemaDriftView]{v}, err
}

func (h *Handler) checkMapping(ctx context.Context, p principal, in *mappingCheckIn) (*answer[MappingCheckView], error) {
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	v, err := h.lint(ctx, c, in.Object, in.Body.Document.Text, refusalAge)
	return &answer[MappingCheckView]{v}, err
}

// lint tells everything about a document: by the CRM's fields where they can be had. What these say against it is an error
// only if they were read within age; if the CRM cannot be asked again, it is a warning.
func (h *Handler) lint(ctx context.Context, c records.Connection, object, text string, age time.Duration) (MappingCheckView, error) {
	var v MappingCheckView
	doc, found := mappings.Lint([]byte(text), nil)
	if doc.Object != object && doc.Object != "" {
		found = append(found, mappings.Finding{Severity: mappings.SeverityError, Code: mappings.CodeLanguage, Problem: mappings.Problem{Key: "object",
			Text: fmt.Sprintf("The document is for the object %q; this is the mapping of %q.", clip(doc.Object, 60), clip(object, 60))}})
	}
	if len(found.Errors()) > 0 {
		v.Findings = found
		return v, nil
	}
	k := records.SchemaKey{WorkspaceID: c.WorkspaceID, ConnectionID: c.ID, Object: object}
	s, stale, err := h.recentSchema(ctx, k, shownAge)
	if err == nil {
		_, found = mappings.Lint([]byte(text), &s.Schema)
		if len(found.Errors()) > 0 && h.Now().Sub(s.ReadAt) > age && stale == "" {
			// What is missing may have been made in the CRM a moment ago.
			fresh, ferr := h.readSchema(ctx, k)
			if ferr != nil {
				stale = "The CRM did not answer."
			} else {
				s = fresh
				_, found = mappings.Lint([]byte(text), &s.Schema)
			}
		}
		for i := range found {
			if stale != "" {
				found[i].Severity = mappings.SeverityWarning
			}
		}
	}
	var e *connectors.Error
	switch {
	case errors.Is(err, records.ErrNoSchema):
	case errors.As(err, &e):
		h.Log.WarnContext(ctx, "a mapping is checked without the CRM's schema", "connection", c.ID, "err", err)
		v.Warnings = append(v.Warnings, fmt.Sprintf("%s could not be asked for its fields, so the rows were not compared with them: names, types, lengths, lists and required fields.", h.crm(c)))
	case err != nil:
		return v, err
	default:
		v.ReadAt = s.ReadAt
		if stale != "" {
			v.Warnings = append(v.Warnings, fmt.Sprintf("%s could not be asked for its fields, so the rows were compared with those of %s, and nothing was refused for them.",
				h.crm(c), s.ReadAt.UTC().Format("2 January 2006, 15:04 UTC")))
		}
	}
	v.Findings = append(mappings.Findings{}, found...)
	v.OK = len(found.Errors()) == 0
	return v, nil
}

// checkTargets compares a document with the fields that the CRM has. A CRM that does not answer stops nobody from saving:
// the answer then carries a warning.
func (h *Handler) checkTargets(ctx context.Context, c records.Connection, object, text string) ([]string, error) {
	v, err := h.lint(ctx, c, object, text, 0)
	if err != nil {
		return nil, err
	}
	var out faults
	for _, f := range v.Findings {
		if f.Severity == mappings.SeverityError {
			out.add("document", f.String())
		} else {
			v.Warnings = append(v.Warnings, f.String())
		}
	}
	return v.Warnings, out.problem()
}

// compared tells anew in what the mapping of an object fits the CRM's fields, after it or the table of dispositions was
// changed: what was on hold for it goes out. It fails nothing: the regular look makes good for it.
func (h *Handler) compared(ctx context.Context, p principal, connectionID, object string) {
	if err := h.Schemas.Compare(context.WithoutCancel(ctx), schemaKey(p, connectionID, object)); err != nil {
		h.Log.WarnContext(ctx, "a mapping could not be compared with the CRM's fields", "connection", connectionID, "object", object, "err", err)
	}
}
