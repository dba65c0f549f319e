package admin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/callsync/callsync/records"
)

// apiPrefix is where the JSON API lives.
const apiPrefix = "/api/v1"

// Page sizes of lists.
const (
	defaultLimit = 50
	maxLimit     = 200
)

func (h *Handler) registerAPI(mux *http.ServeMux) {
	config := huma.DefaultConfig("callsync", h.Version)
	config.Info.Description = "Phone systems in, CRMs out. Every list is newest first and comes in pages: pass next_cursor as cursor. " +
		"Errors are RFC 9457 problem details."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Security = []map[string][]string{{"token": {}}}
	config.DocsPath = ""     // huma's page loads scripts of other sites
	config.CreateHooks = nil // no $schema members in answers
	config.SchemasPath = ""
	inner := http.NewServeMux()
	h.huma = humago.NewWithPrefix(inner, apiPrefix, config)
	h.registerKinds()
	h.registerSources()
	h.registerPulls()
	h.registerDrift()
	h.registerTestCalls()
	h.registerDemo()
	h.registerConnections()
	h.registerOAuth()
	h.registerMappings()
	h.registerSchemas()
	h.registerRules()
	h.registerActions()
	h.registerFollowUps()
	h.registerTables()
	h.registerDispositions()
	h.registerReviews()
	h.registerAgents()
	h.registerCalls()
	h.registerRecordings()
	h.registerKept()
	h.registerLive()
	h.registerRecords()
	h.registerReceipts()
	h.registerHolds()
	h.registerResyncs()
	h.registerWorkspaces()
	h.registerTokens()
	h.registerUsers()
	h.registerMappingVersions(mux)
	h.registerPreviews()
	h.registerAlerts()
	h.registerAudit()
	mux.Handle(apiPrefix+"/", h.apiAccess(inner))
}

// apiAccess lets requests with a valid token or session through. The description of the API is open to all.
func (h *Handler) apiAccess(inner *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, apiPrefix+"/openapi") {
			inner.ServeHTTP(w, r)
			return
		}
		p, err := h.authenticate(r)
		if errors.Is(err, errNoAccess) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="callsync"`)
			writeProblem(w, problem(http.StatusUnauthorized, "This needs a valid API token: send it as \"Authorization: Bearer <token>\"."))
			return
		}
		if err != nil {
			writeProblem(w, asProblem(r.Context(), h.Log, err))
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), principalKey{}, p))
		_, pattern := inner.Handler(r)
		if pattern == "" {
			writeProblem(w, problem(http.StatusNotFound, "The API has no such address, or not with this method. See "+apiPrefix+"/openapi.json."))
			return
		}
		r = acting(w, r, p, pattern)
		inner.ServeHTTP(w, r)
	})
}

// schemaName keeps types of the same name apart in the description: telephony.Field and connectors.Field.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch full := t.PkgPath() + "." + t.Name(); { // the name of a generic type has those of its arguments
	case strings.Contains(full, "/telephony."):
		return "Provider" + name
	case strings.Contains(full, "/connectors."):
		return "Connector" + name
	case strings.HasSuffix(full, "/mappings.Step"), strings.HasSuffix(full, "/mappings.Change"), strings.HasSuffix(full, "/mappings.Warning"):
		return "Mapping" + name
	}
	if name != "" {
		name = strings.ToUpper(name[:1]) + name[1:]
	}
	return name
}

// withIDs is implemented by inputs whose path has ids. An id that is none names nothing, and must not reach the database.
type withIDs interface{ ids() []string }

// PathID is the id in a path. It is exported, as all inputs that others embed, because huma reads exported fields only.
type PathID struct {
	ID string `path:"id" doc:"The id." example:"0192f0c1-7d2a-7c3e-9b1f-2a4c6e8f0a1b"`
}

func (p *PathID) ids() []string { return []string{p.ID} }

// none is an input without members, or an answer without content.
type none struct{}

// answer is an answer with a body.
type answer[T any] struct{ Body T }

// handle registers an operation that needs at least role, which is looked at before anything of the request is read: who may
// not do it is told so, whatever they sent. The handler's errors become problems.
func handle[I, O any](h *Handler, role string, op huma.Operation, f func(context.Context, principal, *I) (*O, error)) {
	op.OperationID = strings.ToLower(op.Method) + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(op.Path)
	op.Errors = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity}
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		if p, ok := principalOf(ctx.Context()); !ok {
			_ = huma.WriteErr(h.huma, ctx, http.StatusUnauthorized, "This needs a valid API token.") // the reader is gone if this fails
		} else if !p.may(role) {
			_ = huma.WriteErr(h.huma, ctx, http.StatusForbidden, "Your role may not do this. Ask an admin of your workspace.")
		} else {
			next(ctx)
		}
	})
	huma.Register(h.huma, op, func(ctx context.Context, in *I) (*O, error) {
		p, _ := principalOf(ctx)
		if w, ok := any(in).(withIDs); ok {
			for _, id := range w.ids() {
				if !validID(id) {
					return nil, notFound()
				}
			}
		}
		out, err := f(ctx, p, in)
		if err != nil {
			return nil, asProblem(ctx, h.Log, err)
		}
		return out, nil
	})
}

func get(path, summary, tag string) huma.Operation {
	return huma.Operation{Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{tag}}
}

func post(path, summary, tag string) huma.Operation {
	return huma.Operation{Method: http.MethodPost, Path: path, Summary: summary, Tags: []string{tag}}
}

func method(m, path, summary, tag string) huma.Operation {
	return huma.Operation{Method: m, Path: path, Summary: summary, Tags: []string{tag}}
}

func created(op huma.Operation) huma.Operation {
	op.DefaultStatus = http.StatusCreated
	return op
}

// validID tells whether s is an id as we make them.
func validID(s string) bool {
	_, err := uuid.Parse(s)
	return err == nil && len(s) == 36
}

func newID() (string, error) {
	id, err := uuid.NewV7()
	return id.String(), err
}

// List is a page of a list. NextCursor is empty on the last page.
type List[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Pass it as cursor to get the next page; absent on the last one."`
}

// PageQuery is the place in a list.
type PageQuery struct {
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// page cuts rows, of which one more than the limit was asked for, to the limit, and makes the cursor of the last.
func page[T any](rows []T, limit int, cursor func(T) records.Cursor) ([]T, string) {
	if len(rows) <= limit {
		return rows, ""
	}
	rows = rows[:limit]
	return rows, encodeCursor(cursor(rows[limit-1]))
}

// A cursor is opaque to readers: a time, exact as Postgres keeps it, and an id.
func encodeCursor(c records.Cursor) string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.At.UTC().Format(time.RFC3339Nano) + " " + c.ID))
}

func decodeCursor(s string) (records.Cursor, error) {
	if s == "" {
		return records.Cursor{}, nil
	}
	bad := invalid("cursor", "This cursor is not one of ours. Start again without it.")
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return records.Cursor{}, bad
	}
	at, id, _ := strings.Cut(string(raw), " ")
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || !validID(id) {
		return records.Cursor{}, bad
	}
	return records.Cursor{At: t, ID: id}, nil
}

// Optional is a member of a request that may be absent, null or have a value.
type Optional[T any] struct {
	Set   bool
	Null  bool
	Value T
}

// UnmarshalJSON notes that the member is there.
func (o *Optional[T]) UnmarshalJSON(data []byte) error {
	o.Set = true
	if string(data) == "null" {
		o.Null = true
		return nil
	}
	return json.Unmarshal(data, &o.Value)
}

// Schema is that of the value, which may be null.
func (Optional[T]) Schema(r huma.Registry) *huma.Schema {
	s := *r.Schema(reflect.TypeFor[T](), true, "")
	s.Nullable = true
	return &s
}
