package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// Time limits of what is asked of a CRM while a person waits.
const (
	testTimeout   = 60 * time.Second
	schemaTimeout = 30 * time.Second
)

// ConnectionView is a connection as the API shows it.
type ConnectionView struct {
	ID            string            `json:"id"`
	Connector     string            `json:"connector"`
	Name          string            `json:"name"`
	Config        map[string]string `json:"config"`
	Secrets       map[string]bool   `json:"secrets" doc:"Which secrets are set. Their values are never shown."`
	Mode          string            `json:"mode" enum:"live,shadow"`
	Policy        string            `json:"policy,omitempty" doc:"Absent: the source's."`
	WindowSeconds *int64            `json:"window_seconds,omitempty" doc:"Absent: the source's."`
	Recordings    string            `json:"recordings" enum:"link,vendor_link,upload,none" doc:"What the CRM gets of a recording: callsync's permanent link, the phone system's own, the file itself with the link, or nothing."`
	Match         MatchView         `json:"match" doc:"How a call finds its contact and its owner."`
	Status        string            `json:"status" enum:"active,paused,revoked"`
	StatusReason  string            `json:"status_reason,omitempty"`
	Idempotency   string            `json:"idempotency,omitempty" doc:"How one record is made out of repeated writes; decided by the connect test."`
	Report        json.RawMessage   `json:"report,omitempty" doc:"The result of the last connect test."`
	VerifiedAt    time.Time         `json:"verified_at,omitzero"`
	CreatedAt     time.Time         `json:"created_at"`
	UpdatedAt     time.Time         `json:"updated_at"`
	Health        *HealthView       `json:"health,omitempty" doc:"Whether the CRM could be reached lately; where connections are read."`
}

type connectionCreate struct {
	Body struct {
		Connector     string      `json:"connector" minLength:"1"`
		Name          string      `json:"name,omitempty"`
		Config        Settings    `json:"config,omitempty"`
		Secrets       Settings    `json:"secrets,omitempty"`
		Mode          string      `json:"mode,omitempty" enum:"live,shadow"`
		Policy        string      `json:"policy,omitempty" enum:"complete,early"`
		WindowSeconds *int64      `json:"window_seconds,omitempty" minimum:"0" maximum:"604800"`
		Recordings    string      `json:"recordings,omitempty" enum:"link,vendor_link,upload,none"`
		Match         *MatchPatch `json:"match,omitempty" doc:"How a call finds its contact and its owner."`
	}
}

type connectionPatch struct {
	PathID
	Body struct {
		Name          *string          `json:"name,omitempty"`
		Config        Settings         `json:"config,omitempty" doc:"Merged over what is there. A new base_url needs the secrets again."`
		Secrets       Settings         `json:"secrets,omitempty" doc:"Merged over what is there."`
		Mode          *string          `json:"mode,omitempty" enum:"live,shadow"`
		Policy        Optional[string] `json:"policy,omitzero" doc:"complete, early, or null for the source's."`
		WindowSeconds Optional[int64]  `json:"window_seconds,omitzero" doc:"null: the source's."`
		Recordings    *string          `json:"recordings,omitempty" enum:"link,vendor_link,upload,none"`
		Match         *MatchPatch      `json:"match,omitempty" doc:"Merged over what is there."`
	}
}

// TestView is the result of a connect test.
type TestView struct {
	OK          bool               `json:"ok"`
	Checks      []connectors.Check `json:"checks"`
	Idempotency string             `json:"idempotency,omitempty"`
	Account     string             `json:"account,omitempty"`
}

func (h *Handler) registerConnections() {
	const tag = "Connections"
	handle(h, viewer, get("/connections", "List CRM accounts", tag), h.listConnections)
	handle(h, admin, created(post("/connections", "Add a CRM account", tag)), h.createConnection)
	handle(h, viewer, get("/connections/{id}", "Show a CRM account", tag), h.getConnection)
	handle(h, admin, method(http.MethodPatch, "/connections/{id}", "Change a CRM account", tag), h.patchConnection)
	handle(h, admin, method(http.MethodDelete, "/connections/{id}", "Remove a CRM account; what is in the CRM stays", tag), h.deleteConnection)
	handle(h, operator, post("/connections/{id}/test", "Check credentials, rights and fields, and make our external-id field", tag), h.testConnection)
	handle(h, operator, post("/connections/{id}/pause", "Keep calls here until the connection is resumed", tag), h.pauseConnection)
	handle(h, operator, post("/connections/{id}/resume", "Go on, and deliver what was kept", tag), h.resumeConnection)
}

func (h *Handler) viewConnection(c records.Connection) ConnectionView {
	v := ConnectionView{ID: c.ID, Connector: c.Connector, Name: c.Name, Config: c.Config, Secrets: present(c.Secrets),
		Mode: c.Mode, Policy: c.Policy, Match: h.viewMatch(c), Recordings: cmp.Or(c.Recordings, records.ShareLink), Status: c.Status,
		StatusReason: c.StatusReason, Idempotency: c.Idempotency, Report: c.Report, VerifiedAt: c.VerifiedAt,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}
	if c.Window != nil {
		s := seconds(*c.Window)
		v.WindowSeconds = &s
	}
	return v
}

func (h *Handler) listConnections(ctx context.Context, p principal, _ *none) (*answer[List[ConnectionView]], error) {
	all, err := h.Store.Connections(ctx, p.WorkspaceID)
	if err != nil {
		return nil, err
	}
	state, err := h.health(ctx, p.WorkspaceID)
	items := make([]ConnectionView, 0, len(all))
	for _, c := range all {
		v := h.viewConnection(c)
		v.Health = state.view(c.ID)
		items = append(items, v)
	}
	return &answer[List[ConnectionView]]{List[ConnectionView]{Items: items}}, err
}

func (h *Handler) createConnection(ctx context.Context, p principal, in *connectionCreate) (*answer[ConnectionView], error) {
	b := in.Body
	connector, ok := h.Connectors[b.Connector]
	if !ok || connector.Info().Demo {
		return nil, invalid("connector", fmt.Sprintf("callsync knows no CRM %q. It knows: %s.", clip(b.Connector, 60), h.connectorIDs()))
	}
	info := connector.Info()
	id, err := newID()
	if err != nil {
		return nil, err
	}
	now := h.Now().UTC()
	c := records.Connection{ID: id, WorkspaceID: p.WorkspaceID, Connector: b.Connector, Name: cmp.Or(b.Name, info.Label),
		Config: b.Config.over(nil), Secrets: b.Secrets.over(nil), Mode: cmp.Or(b.Mode, "live"), Policy: b.Policy,
		Match: b.Match.over(records.Match{}), Recordings: b.Recordings, Status: records.ConnectionActive, CreatedAt: now, UpdatedAt: now}
	if b.WindowSeconds != nil {
		w := duration(b.WindowSeconds, 0)
		c.Window = &w
	}
	if err := h.checkConnection(&c); err != nil {
		return nil, err
	}
	if err := h.Store.CreateConnection(ctx, c); err != nil {
		return nil, err
	}
	for _, object := range slices.Sorted(maps.Keys(info.Mappings)) {
		v := records.MappingVersion{ConnectionID: c.ID, Object: object, Document: string(info.Mappings[object]),
			Author: records.MappingAuthor, Note: "The default mapping of " + info.Label}
		if _, err := h.Store.AddMappingVersion(ctx, p.WorkspaceID, v); err != nil {
			// Without its mapping the connection would hold every call; the person can simply add it again.
			return nil, errors.Join(err, h.Store.DeleteConnection(context.WithoutCancel(ctx), p.WorkspaceID, c.ID))
		}
	}
	return &answer[ConnectionView]{h.viewConnection(c)}, nil
}

func (h *Handler) getConnection(ctx context.Context, p principal, in *PathID) (*answer[ConnectionView], error) {
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	state, err := h.health(ctx, p.WorkspaceID)
	v := h.viewConnection(c)
	v.Health = state.view(c.ID)
	return &answer[ConnectionView]{v}, err
}

func (h *Handler) patchConnection(ctx context.Context, p principal, in *connectionPatch) (*answer[ConnectionView], error) {
	old, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	c, b := old, in.Body
	set(&c.Name, b.Name)
	set(&c.Mode, b.Mode)
	set(&c.Recordings, b.Recordings)
	c.Match = b.Match.over(c.Match)
	if b.Policy.Set {
		c.Policy = b.Policy.Value
	}
	if b.WindowSeconds.Set {
		c.Window = nil
		if !b.WindowSeconds.Null {
			w := time.Duration(b.WindowSeconds.Value) * time.Second
			c.Window = &w
		}
	}
	c.Config, c.Secrets = b.Config.over(old.Config), b.Secrets.over(old.Secrets)
	if err := secretsAgain(old, c, b.Secrets); err != nil {
		return nil, err
	}
	if err := h.checkConnection(&c); err != nil {
		return nil, err
	}
	c.UpdatedAt = h.Now().UTC()
	if err := h.Store.UpdateConnection(ctx, c); err != nil {
		return nil, err
	}
	return &answer[ConnectionView]{h.viewConnection(c)}, nil
}

// secretsAgain demands the secrets when they would go to another host: else whoever may edit a connection could have
// them sent to a server of their own.
func secretsAgain(old, now records.Connection, given Settings) error {
	moved := ""
	for _, name := range slices.Sorted(maps.Keys(now.Config)) {
		if namesHost(name) && now.Config[name] != old.Config[name] {
			moved = name
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old.Config)) {
		if _, ok := now.Config[name]; !ok && namesHost(name) {
			moved = name
		}
	}
	if moved == "" {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(old.Secrets)) {
		if _, again := given[name]; !again && old.Secrets[name] != "" {
			return invalid("secrets."+name, fmt.Sprintf("%s changes where the secrets are sent to, so enter them again: %s is missing.", moved, name))
		}
	}
	return nil
}

func (h *Handler) deleteConnection(ctx context.Context, p principal, in *PathID) (*none, error) {
	return nil, h.Store.DeleteConnection(ctx, p.WorkspaceID, in.ID)
}

// checkConnection finds all that is wrong with c.
func (h *Handler) checkConnection(c *records.Connection) error {
	var out faults
	c.Name = checkName(&out, "name", c.Name)
	if c.Policy != "" && c.Policy != "complete" && c.Policy != "early" {
		out.add("policy", "The policy must be complete or early, or null for the source's.")
	}
	if c.Window != nil && (*c.Window < 0 || *c.Window > 7*24*time.Hour) {
		out.add("window_seconds", "The window must be between 0 and 604800 seconds (a week).")
	}
	h.checkShare(&out, *c)
	connector, ok := h.Connectors[c.Connector]
	if !ok {
		return out.problem() // a connector of another build: its settings cannot be checked
	}
	info := connector.Info()
	out = append(out, checkSettings(info.Label, connectorFields(info), c.Config, c.Secrets, "base_url")...)
	out = append(out, h.checkHosts(c.Config)...)
	out = append(out, checkMatch(c.Match, info)...)
	if err := out.problem(); err != nil {
		return err
	}
	_, err := h.open(connector, *c)
	if e := (*connectors.Error)(nil); errors.As(err, &e) {
		return invalid(settingPath(info, e.Field), cmp.Or(e.Public, info.Label+" cannot work with these settings."))
	}
	return err
}

// settingPath is where in a request a connector's setting is.
func settingPath(info connectors.Info, name string) string {
	if name == "" {
		return "config"
	}
	if slices.ContainsFunc(info.Fields, func(f connectors.Field) bool { return f.Name == name && f.Secret }) {
		return "secrets." + name
	}
	return "config." + name
}

// session opens a connection for a question that a person waits for.
func (h *Handler) session(c records.Connection) (connectors.Session, connectors.Info, error) {
	connector, ok := h.Connectors[c.Connector]
	if !ok {
		return nil, connectors.Info{}, problem(http.StatusUnprocessableEntity, "This callsync has no connector "+c.Connector+".")
	}
	s, err := h.open(connector, c)
	return s, connector.Info(), err
}

func (h *Handler) open(connector connectors.Connector, c records.Connection) (connectors.Session, error) {
	settings := connectors.Settings{ConnectionID: c.ID, Config: c.Config, Secrets: c.Secrets, Transport: h.Transport(c), Now: h.Now}
	if h.Grants != nil {
		var err error
		if settings.Tokens, err = h.Grants.Tokens(connector, c); err != nil {
			return nil, err
		}
	}
	return connector.Open(settings)
}

func (h *Handler) testConnection(ctx context.Context, p principal, in *PathID) (*answer[TestView], error) {
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	v, err := h.runTest(ctx, p, c)
	return &answer[TestView]{v}, err
}

// runTest asks the CRM, and stores what it said. A revoked connection whose test passes goes on, and so does what it held.
func (h *Handler) runTest(ctx context.Context, p principal, c records.Connection) (TestView, error) {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	session, info, err := h.session(c)
	if err != nil {
		return TestView{}, err
	}
	report := connectors.Report{Idempotency: connectors.Idempotency(cmp.Or(c.Idempotency, string(info.Idempotency)))}
	if v, ok := session.(connectors.Verifier); ok {
		found, err := v.Verify(ctx)
		if err != nil {
			e := connectors.AsError(err)
			h.Log.WarnContext(ctx, "connect test failed", "connection", c.ID, "class", e.Class, "err", err)
			found.Idempotency = report.Idempotency
			found.Checks = append(found.Checks, connectors.Check{Name: "Test", Text: cmp.Or(e.Public, info.Label+" did not answer as expected.")})
		}
		report = found
	} else {
		report.Checks = []connectors.Check{{Name: "Settings", OK: true, Text: "The settings are complete. " + info.Label + " has nothing else to test."}}
	}
	raw, err := json.Marshal(report)
	if err != nil {
		return TestView{}, err
	}
	// What was found out is kept even if the person has gone.
	keep := context.WithoutCancel(ctx)
	if err := h.Store.SetConnectionReport(keep, p.WorkspaceID, c.ID, string(report.Idempotency), raw, h.Now().UTC()); err != nil {
		return TestView{}, err
	}
	if report.OK() && c.Status == records.ConnectionRevoked {
		if err := h.resume(keep, p, c.ID); err != nil {
			return TestView{}, err
		}
	}
	if report.OK() && h.listsOwners(c) {
		if err := h.listOwnersOf(keep, c); err != nil {
			h.Log.WarnContext(ctx, "the users of a CRM could not be listed after its test", "connection", c.ID, "err", err)
		}
	}
	return TestView{OK: report.OK(), Checks: report.Checks, Idempotency: string(report.Idempotency), Account: report.Account}, nil
}

func (h *Handler) pauseConnection(ctx context.Context, p principal, in *PathID) (*answer[ConnectionView], error) {
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	if c.Status != records.ConnectionPaused {
		reason := fmt.Sprintf("Paused by %s on %s. Resume the connection, and this call goes out.", p.Name, h.Now().UTC().Format("2 January 2006, 15:04 UTC"))
		if err := h.Store.SetConnectionStatus(ctx, p.WorkspaceID, c.ID, records.ConnectionPaused, reason); err != nil {
			return nil, err
		}
	}
	return h.getConnection(ctx, p, in)
}

func (h *Handler) resumeConnection(ctx context.Context, p principal, in *PathID) (*answer[ConnectionView], error) {
	if _, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID); err != nil {
		return nil, err
	}
	if err := h.resume(ctx, p, in.ID); err != nil {
		return nil, err
	}
	return h.getConnection(ctx, p, in)
}

// resume makes a connection active and drains what it holds.
func (h *Handler) resume(ctx context.Context, p principal, id string) error {
	if err := h.Store.SetConnectionStatus(ctx, p.WorkspaceID, id, records.ConnectionActive, ""); err != nil {
		return err
	}
	_, err := h.drain(ctx, p.WorkspaceID, "", id)
	return err
}

func (h *Handler) connectorIDs() string {
	var ids []string
	for _, i := range h.Connectors.Infos() {
		ids = append(ids, i.ID)
	}
	return strings.Join(ids, ", ")
}

func connectorFields(i connectors.Info) []field {
	out := make([]field, 0, len(i.Fields))
	for _, f := range i.Fields {
		out = append(out, field{f.Name, f.Label, f.Secret, f.Required, f.Options})
	}
	return out
}
