package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// Roles, short for registrations.
const (
	viewer   = records.RoleViewer
	operator = records.RoleOperator
	admin    = records.RoleAdmin
)

// oldTokenLife is how long the hook URLs of before a rotation go on working.
const oldTokenLife = 24 * time.Hour

// Source defaults, the same as in the schema.
const (
	defaultWindow = 20 * time.Minute
	defaultQuiet  = 5 * time.Second
	defaultStale  = 4 * time.Hour
)

// SourceView is a source as the API shows it.
type SourceView struct {
	ID             string            `json:"id"`
	Provider       string            `json:"provider"`
	Name           string            `json:"name"`
	TimeZone       string            `json:"time_zone,omitempty"`
	DefaultCountry string            `json:"default_country,omitempty"`
	WindowSeconds  int64             `json:"window_seconds"`
	QuietSeconds   int64             `json:"quiet_seconds"`
	StaleSeconds   int64             `json:"stale_seconds"`
	Policy         string            `json:"policy" enum:"complete,early"`
	Config         map[string]string `json:"config"`
	Secrets        map[string]bool   `json:"secrets" doc:"Which secrets are set. Their values are never shown."`
	// Connections it feeds; absent means every connection of the workspace.
	Connections []string          `json:"connections,omitzero"`
	Recordings  RecordingSettings `json:"recordings" doc:"What becomes of the recordings of its calls."`
	HookURLs    []HookURL         `json:"hook_urls" doc:"Where the phone system sends to. The token in them is shown when it is made or rotated, and masked afterwards."`
	// Clock is absent until calls have ended.
	Clock     *ClockView `json:"clock,omitempty" doc:"How the source's clock compares with callsync's, once calls have ended."`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
}

// HookURL is one address that a phone system sends to.
type HookURL struct {
	Event string `json:"event,omitempty" doc:"The event, where the phone system has a URL for each."`
	Label string `json:"label,omitempty"`
	URL   string `json:"url"`
}

type sourceCreate struct {
	Body struct {
		Provider       string                  `json:"provider" minLength:"1"`
		Name           string                  `json:"name,omitempty"`
		TimeZone       string                  `json:"time_zone,omitempty" example:"Asia/Kolkata" doc:"The zone of times that come without one."`
		DefaultCountry string                  `json:"default_country,omitempty" example:"IN" doc:"The country of numbers that come without a country code."`
		WindowSeconds  *int64                  `json:"window_seconds,omitempty" minimum:"0" maximum:"604800"`
		QuietSeconds   *int64                  `json:"quiet_seconds,omitempty" minimum:"0" maximum:"3600"`
		StaleSeconds   *int64                  `json:"stale_seconds,omitempty" minimum:"60" maximum:"604800"`
		Policy         string                  `json:"policy,omitempty" enum:"complete,early"`
		Config         Settings                `json:"config,omitempty"`
		Secrets        Settings                `json:"secrets,omitempty"`
		Connections    Optional[[]string]      `json:"connections,omitzero"`
		Recordings     *RecordingSettingsPatch `json:"recordings,omitempty"`
	}
}

type sourcePatch struct {
	PathID
	Body struct {
		Name           *string                 `json:"name,omitempty"`
		TimeZone       *string                 `json:"time_zone,omitempty"`
		DefaultCountry *string                 `json:"default_country,omitempty"`
		WindowSeconds  *int64                  `json:"window_seconds,omitempty" minimum:"0" maximum:"604800"`
		QuietSeconds   *int64                  `json:"quiet_seconds,omitempty" minimum:"0" maximum:"3600"`
		StaleSeconds   *int64                  `json:"stale_seconds,omitempty" minimum:"60" maximum:"604800"`
		Policy         *string                 `json:"policy,omitempty" enum:"complete,early"`
		Config         Settings                `json:"config,omitempty" doc:"Merged over what is there."`
		Secrets        Settings                `json:"secrets,omitempty" doc:"Merged over what is there."`
		Connections    Optional[[]string]      `json:"connections,omitzero" doc:"null: every connection of the workspace."`
		Recordings     *RecordingSettingsPatch `json:"recordings,omitempty" doc:"Merged over what is there."`
	}
}

func (h *Handler) registerSources() {
	const tag = "Sources"
	handle(h, viewer, get("/sources", "List phone systems", tag), h.listSources)
	handle(h, admin, created(post("/sources", "Add a phone system", tag)), h.createSource)
	handle(h, viewer, get("/sources/{id}", "Show a phone system", tag), h.getSource)
	handle(h, admin, method(http.MethodPatch, "/sources/{id}", "Change a phone system", tag), h.patchSource)
	handle(h, admin, method(http.MethodDelete, "/sources/{id}", "Remove a phone system; its calls stay", tag), h.deleteSource)
	handle(h, admin, post("/sources/{id}/rotate-token", "Make new hook URLs; the old ones work for another 24 hours", tag), h.rotateSource)
}

// viewSource shows s; the token in its hook URLs only if reveal.
func (h *Handler) viewSource(s records.Source, reveal bool) SourceView {
	return SourceView{ID: s.ID, Provider: s.Provider, Name: s.Name, TimeZone: s.TimeZone, DefaultCountry: s.DefaultCountry,
		WindowSeconds: seconds(s.Window), QuietSeconds: seconds(s.Quiet), StaleSeconds: seconds(s.Stale), Policy: s.Policy,
		Config: s.Config, Secrets: present(s.Secrets), Connections: s.Connections, HookURLs: h.hookURLs(s, reveal), Recordings: viewRecordingSettings(s.Recordings),
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt}
}

// hookURLs are the addresses of a source: one for each event where its provider needs that, else one.
func (h *Handler) hookURLs(s records.Source, reveal bool) []HookURL {
	const mask = "masked"
	token := s.Token
	if !reveal {
		token = mask
	}
	at := func(event string) string {
		path := telephony.HookPath(s.Provider, token, event)
		if !reveal {
			path = strings.Replace(path, mask, "********", 1) // unescaped, to be seen as a mask
		}
		return strings.TrimSuffix(h.public.String(), "/") + path
	}
	out := []HookURL{}
	if p, ok := h.Providers[s.Provider]; ok {
		for _, hook := range p.Info().Hooks {
			out = append(out, HookURL{hook.Event, hook.Label, at(hook.Event)})
		}
	}
	if len(out) == 0 {
		out = append(out, HookURL{URL: at("")})
	}
	return out
}

func (h *Handler) listSources(ctx context.Context, p principal, _ *none) (*answer[List[SourceView]], error) {
	all, err := h.Store.Sources(ctx, p.WorkspaceID)
	if err != nil {
		return nil, err
	}
	items := make([]SourceView, 0, len(all))
	for _, s := range all {
		items = append(items, h.viewSource(s, false))
	}
	return &answer[List[SourceView]]{List[SourceView]{Items: items}}, h.addClocks(ctx, p.WorkspaceID, all, items)
}

func (h *Handler) createSource(ctx context.Context, p principal, in *sourceCreate) (*answer[SourceView], error) {
	b := in.Body
	provider, ok := h.Providers[b.Provider]
	if !ok || provider.Info().Demo {
		return nil, invalid("provider", fmt.Sprintf("callsync knows no phone system %q. It knows: %s.", clip(b.Provider, 60), h.providerIDs()))
	}
	info := provider.Info()
	id, err := newID()
	if err != nil {
		return nil, err
	}
	now := h.Now().UTC()
	s := records.Source{ID: id, WorkspaceID: p.WorkspaceID, Provider: b.Provider, Name: cmp.Or(b.Name, info.Label),
		TimeZone: cmp.Or(b.TimeZone, info.TimeZone), DefaultCountry: b.DefaultCountry,
		Window: duration(b.WindowSeconds, defaultWindow), Quiet: duration(b.QuietSeconds, defaultQuiet),
		Stale: duration(b.StaleSeconds, defaultStale), Policy: cmp.Or(b.Policy, "complete"),
		Config: b.Config.over(nil), Secrets: b.Secrets.over(nil), Token: secretbox.NewToken(), CreatedAt: now, UpdatedAt: now}
	if b.Connections.Set && !b.Connections.Null {
		s.Connections = b.Connections.Value
	}
	s.Recordings = b.Recordings.over(s.Recordings)
	if err := h.checkSource(ctx, p, &s); err != nil {
		return nil, err
	}
	if err := h.Store.CreateSource(ctx, s); err != nil {
		return nil, err
	}
	return &answer[SourceView]{h.viewSource(s, true)}, nil
}

func (h *Handler) getSource(ctx context.Context, p principal, in *PathID) (*answer[SourceView], error) {
	s, err := h.Store.SourceByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	view := []SourceView{h.viewSource(s, false)}
	err = h.addClocks(ctx, p.WorkspaceID, []records.Source{s}, view)
	return &answer[SourceView]{view[0]}, err
}

func (h *Handler) patchSource(ctx context.Context, p principal, in *sourcePatch) (*answer[SourceView], error) {
	s, err := h.Store.SourceByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	old, b := s, in.Body
	set(&s.Name, b.Name)
	set(&s.TimeZone, b.TimeZone)
	set(&s.DefaultCountry, b.DefaultCountry)
	set(&s.Policy, b.Policy)
	s.Window = duration(b.WindowSeconds, s.Window)
	s.Quiet = duration(b.QuietSeconds, s.Quiet)
	s.Stale = duration(b.StaleSeconds, s.Stale)
	s.Config, s.Secrets = b.Config.over(s.Config), b.Secrets.over(s.Secrets)
	if b.Connections.Set {
		s.Connections = b.Connections.Value
	}
	s.Recordings = b.Recordings.over(s.Recordings)
	if err := h.checkSource(ctx, p, &s); err != nil {
		return nil, err
	}
	if err := h.pullKeyAgain(old, s, b.Secrets); err != nil {
		return nil, err
	}
	s.UpdatedAt = h.Now().UTC()
	if err := h.Store.UpdateSource(ctx, s); err != nil {
		return nil, err
	}
	return &answer[SourceView]{h.viewSource(s, false)}, nil
}

func (h *Handler) deleteSource(ctx context.Context, p principal, in *PathID) (*none, error) {
	return nil, h.Store.DeleteSource(ctx, p.WorkspaceID, in.ID)
}

func (h *Handler) rotateSource(ctx context.Context, p principal, in *PathID) (*answer[SourceView], error) {
	s, err := h.Store.SourceByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	s.Token = secretbox.NewToken()
	if err := h.Store.RotateSourceToken(ctx, p.WorkspaceID, s.ID, s.Token, h.Now().Add(oldTokenLife)); err != nil {
		return nil, err
	}
	return &answer[SourceView]{h.viewSource(s, true)}, nil
}

// checkSource finds all that is wrong with s, and brings its country into the usual form.
func (h *Handler) checkSource(ctx context.Context, p principal, s *records.Source) error {
	var out faults
	s.Name = checkName(&out, "name", s.Name)
	if s.TimeZone != "" {
		if _, err := time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "Local" {
			out.add("time_zone", "This is no time zone. Use a name such as Asia/Kolkata or America/New_York.")
		}
	}
	s.DefaultCountry = strings.ToUpper(strings.TrimSpace(s.DefaultCountry))
	if s.DefaultCountry != "" && !phonenumbers.GetSupportedRegions()[s.DefaultCountry] {
		out.add("default_country", "This is no country code. Use two letters such as IN or US.")
	}
	if provider, ok := h.Providers[s.Provider]; ok {
		i := provider.Info()
		out = append(out, checkSettings(i.Label, providerFields(i), s.Config, s.Secrets)...)
		if checker, ok := provider.(telephony.ConfigChecker); ok {
			var problems telephony.ConfigProblems
			if err := checker.CheckConfig(s.Config); errors.As(err, &problems) {
				for _, one := range problems {
					out.add("config."+one.Setting, one.Text)
				}
			} else if err != nil {
				return fmt.Errorf("check the settings of a source: %w", err)
			}
		}
	}
	out = append(out, h.checkPullAddress(*s)...)
	checkRecordings(&out, &s.Recordings)
	if len(s.Connections) > 0 {
		all, err := h.Store.Connections(ctx, p.WorkspaceID)
		if err != nil {
			return err
		}
		for i, id := range s.Connections {
			switch at := slices.IndexFunc(all, func(c records.Connection) bool { return c.ID == id }); {
			case at < 0:
				out.add(fmt.Sprintf("connections[%d]", i), "There is no such connection in this workspace.")
			case mixes(*s, all[at]):
				out.add(fmt.Sprintf("connections[%d]", i), "Made-up calls go to the demo CRM, and real ones do not.")
			}
		}
	}
	if s.Provider == records.Demo && s.Connections == nil {
		out.add("connections", "The demo phone system feeds the demo CRM alone.")
	}
	return out.problem()
}

func (h *Handler) providerIDs() string {
	var ids []string
	for _, i := range h.Providers.Infos() {
		ids = append(ids, i.ID)
	}
	return strings.Join(ids, ", ")
}

func providerFields(i telephony.Info) []field {
	out := make([]field, 0, len(i.Fields))
	for _, f := range i.Fields {
		out = append(out, field{f.Name, f.Label, f.Secret, f.Required, f.Options})
	}
	return out
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// duration is n seconds, or other where n is absent.
func duration(n *int64, other time.Duration) time.Duration {
	if n == nil {
		return other
	}
	return time.Duration(*n) * time.Second
}

// set changes a member that the request has.
func set[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}
