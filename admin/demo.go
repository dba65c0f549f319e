package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// FirstRunStore keeps what leads to the first call, and takes the demo data away.
type FirstRunStore interface {
	// RemoveDemo deletes all that is of kind records.Demo, and nothing else.
	RemoveDemo(ctx context.Context, workspaceID string) error
	HideSteps(ctx context.Context, workspaceID string) error
	StepsHidden(ctx context.Context, workspaceID string) (bool, error)
}

// DemoView is what there is of the demo data.
type DemoView struct {
	SourceID     string `json:"source_id,omitempty" doc:"The demo phone system. Absent: there is no demo data."`
	ConnectionID string `json:"connection_id,omitempty" doc:"The demo CRM."`
	Requests     int    `json:"requests,omitempty" doc:"How many requests the demo phone system has just sent."`
}

func (h *Handler) registerDemo() {
	handle(h, viewer, get("/demo", "Tell whether there is demo data", "Demo"),
		func(ctx context.Context, p principal, _ *struct{}) (*answer[DemoView], error) {
			k, err := h.kept(ctx, p.WorkspaceID)
			return &answer[DemoView]{demoOf(k)}, err
		})
	handle(h, admin, created(post("/demo", "Add demo data: a made-up phone system with some dozens of calls, and a made-up CRM that writes nothing anywhere", "Demo")),
		func(ctx context.Context, p principal, _ *struct{}) (*answer[DemoView], error) {
			v, err := h.addDemo(ctx, p)
			return &answer[DemoView]{v}, err
		})
	handle(h, admin, method(http.MethodDelete, "/demo", "Remove the demo data, and nothing else", "Demo"),
		func(ctx context.Context, p principal, _ *struct{}) (*struct{}, error) {
			return nil, h.Store.RemoveDemo(ctx, p.WorkspaceID)
		})
}

// demoOf finds the demo data.
func demoOf(k kept) (v DemoView) {
	for id, s := range k.sources {
		if s.Provider == records.Demo {
			v.SourceID = id
		}
	}
	for _, c := range k.connections {
		if c.Connector == records.Demo {
			v.ConnectionID = c.ID
		}
	}
	return v
}

// mixes tells whether calls of s must not go to c: made-up ones and real ones stay apart.
func mixes(s records.Source, c records.Connection) bool {
	return (s.Provider == records.Demo) != (c.Connector == records.Demo)
}

// demoActions make a task of a missed call.
const demoActions = `actions:
  - name: Call back
    do: follow_up
    due_in: 30m
`

// hasDemo tells whether this callsync can make demo data.
func (h *Handler) hasDemo() bool {
	_, ok := h.Providers[records.Demo].(telephony.Demonstrator)
	return ok && h.Connectors[records.Demo] != nil
}

// addDemo makes the demo's CRM and phone system and has the latter send its requests, through its hook as from outside.
func (h *Handler) addDemo(ctx context.Context, p principal) (v DemoView, err error) {
	if !h.hasDemo() {
		return v, problem(http.StatusUnprocessableEntity, "This callsync has no demo data.")
	}
	already := problem(http.StatusConflict, "There is demo data already. Remove it first.")
	k, err := h.kept(ctx, p.WorkspaceID)
	if err != nil {
		return v, err
	}
	if demoOf(k).SourceID != "" {
		return v, already
	}
	now := h.Now().UTC()
	requests, err := h.Providers[records.Demo].(telephony.Demonstrator).Demonstrate(now)
	if err != nil {
		return v, err
	}
	if v.SourceID, err = newID(); err != nil {
		return v, err
	}
	if v.ConnectionID, err = newID(); err != nil {
		return v, err
	}
	s := records.Source{ID: v.SourceID, WorkspaceID: p.WorkspaceID, Provider: records.Demo, Name: "Demo phone system", TimeZone: "UTC", DefaultCountry: "US",
		Window: defaultWindow, Quiet: defaultQuiet, Stale: defaultStale, Policy: "complete", Token: secretbox.NewToken(), Connections: []string{v.ConnectionID}, CreatedAt: now, UpdatedAt: now}
	// The source is first: of two who begin at once, one is refused.
	if err := h.Store.CreateSource(ctx, s); errors.Is(err, records.ErrConflict) {
		return v, already
	} else if err != nil {
		return v, err
	}
	if err := h.fillDemo(ctx, p, s, requests); err != nil {
		// Half a demo explains nothing.
		return v, errors.Join(err, h.Store.RemoveDemo(context.WithoutCancel(ctx), p.WorkspaceID))
	}
	v.Requests = len(requests)
	return v, nil
}

func (h *Handler) fillDemo(ctx context.Context, p principal, s records.Source, requests []telephony.Request) error {
	info := h.Connectors[records.Demo].Info()
	c := records.Connection{ID: s.Connections[0], WorkspaceID: p.WorkspaceID, Connector: records.Demo, Name: info.Label, Mode: "live", Status: records.ConnectionActive,
		Match: records.Match{OnNone: records.MatchNone, OnMany: records.MatchAsk}, CreatedAt: s.CreatedAt, UpdatedAt: s.CreatedAt}
	if err := h.Store.CreateConnection(ctx, c); err != nil {
		return err
	}
	for _, object := range slices.Sorted(maps.Keys(info.Mappings)) {
		v := records.MappingVersion{ConnectionID: c.ID, Object: object, Document: string(info.Mappings[object]), Author: "callsync", Note: "The mapping of the demo"}
		if _, err := h.Store.AddMappingVersion(ctx, p.WorkspaceID, v); err != nil {
			return err
		}
	}
	if _, err := h.Store.PutActions(ctx, p.WorkspaceID, records.Actions{ConnectionID: c.ID, Version: -1, Document: demoActions, Author: "callsync"}); err != nil {
		return err
	}
	if _, err := h.testConnection(ctx, p, &PathID{ID: c.ID}); err != nil {
		return err
	}
	for _, r := range requests {
		sent, err := h.post(ctx, s, r, true)
		if err != nil {
			return err
		}
		if sent.Status/100 != 2 {
			return fmt.Errorf("the hook of the demo answered %d", sent.Status)
		}
	}
	return nil
}

// demoAddForm adds the demo data.
func (h *Handler) demoAddForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if _, err := h.addDemo(r.Context(), p); err != nil {
		return err
	}
	return back(w, r, "/", "demo")
}

// demoRemovePage asks once more.
func (h *Handler) demoRemovePage(w http.ResponseWriter, r *http.Request, p principal) error {
	return h.show(w, r, p, "confirm", "Remove the demo data", "home", confirmation{List: "/", ListName: "Home", Back: "/", Name: "Demo phone system and Demo CRM",
		Title: "Remove the demo data", Action: "/demo/remove", Submit: "Remove the demo data", Text: []string{
			"The demo phone system, the demo CRM, and all their calls, messages, forms and receipts are deleted for good.",
			"Your own phone systems, CRMs and calls stay as they are. You can add the demo data again."}})
}

// demoRemoveForm removes the demo data.
func (h *Handler) demoRemoveForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := h.Store.RemoveDemo(r.Context(), p.WorkspaceID); err != nil {
		return err
	}
	return back(w, r, "/", "demo-removed")
}
