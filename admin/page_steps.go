package admin

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// stepsView leads from nothing to the first call in a CRM.
type stepsView struct {
	Steps []homeStep
	// Done tells that the first call is in a CRM: CallURL leads to it.
	Done    bool
	CallURL string
	// CanEdit and CanAct are those of the reader.
	CanEdit, CanAct bool
	Now             time.Time
}

// homeStep is one of the things to do before the first call is in a CRM.
type homeStep struct {
	Title, Text string
	// State is done, next or waiting.
	State       string
	URL, Button string
	// By is the role that can do it.
	By    string
	Ticks []homeTick
}

// homeTick is something that happens by itself while one looks on.
type homeTick struct {
	Label string
	Done  bool
	At    time.Time
}

// stepSources is how many sources are asked whether anything has arrived.
const stepSources = 5

// steps tells how far the workspace is with what is its own: demo data does not count.
func (h *Handler) steps(r *http.Request, p principal, k kept) (v stepsView, err error) {
	v = stepsView{CanEdit: p.may(admin), CanAct: p.may(operator), Now: h.Now()}
	var sources []records.Source
	for _, s := range k.sources {
		if s.Provider != records.Demo {
			sources = append(sources, s)
		}
	}
	slices.SortFunc(sources, func(a, b records.Source) int { return strings.Compare(a.ID, b.ID) })
	sources = sources[:min(len(sources), stepSources)]
	var conn records.Connection
	for _, c := range k.connections {
		// The one that is furthest counts.
		if c.Connector != records.Demo && (conn.ID == "" || conn.VerifiedAt.IsZero() && !c.VerifiedAt.IsZero()) {
			conn = c
		}
	}
	var heard, synced time.Time
	for _, s := range sources {
		newest, err := h.Store.ReceiptsPage(r.Context(), p.WorkspaceID, records.ReceiptFilter{SourceID: s.ID, Limit: 1})
		if err != nil {
			return v, err
		}
		if len(newest) > 0 && newest[0].ReceivedAt.After(heard) {
			heard = newest[0].ReceivedAt
		}
		done, err := h.Store.CallsPage(r.Context(), p.WorkspaceID, records.CallFilter{SourceID: s.ID, State: records.CallSynced, Limit: 1})
		if err != nil {
			return v, err
		}
		if len(done) > 0 && v.CallURL == "" {
			v.CallURL, synced = "/calls/"+done[0].Call.ID, done[0].ListedAt
		}
	}
	mapped := !synced.IsZero()
	if conn.ID != "" && !mapped {
		active, err := h.Store.ActiveMapping(r.Context(), p.WorkspaceID, conn.ID, connectors.ObjectCall)
		mapped = err == nil && active.Version > 1
	}
	v.Done = !synced.IsZero()
	v.Steps = firstSteps(sources, conn, mapped, heard, synced)
	return v, nil
}

// firstSteps are the four steps, the first that is not done being the next.
func firstSteps(sources []records.Source, conn records.Connection, mapped bool, heard, synced time.Time) []homeStep {
	source := homeStep{Title: "Connect your phone system", Text: "A source is one phone system. Adding it gives you the addresses to paste there.", URL: "/sources/new", Button: "Add a source", By: admin}
	first := homeStep{Title: "Make the first call", Text: "Call one of your numbers, or send a test call from the source’s page. This list ticks off by itself.", By: operator,
		Ticks: []homeTick{{"The first receipt has arrived", !heard.IsZero(), heard}, {"The first call is in your CRM", !synced.IsZero(), synced}}}
	if len(sources) > 0 {
		source.State, source.Text = "done", "“"+visible(sources[0].Name)+"” is there."
		source.URL, source.Button = "/sources/"+sources[0].ID, "Its setup"
		if heard.IsZero() {
			source.Text += " Paste its addresses into the phone system, step by step."
		}
		first.URL, first.Button = "/sources/"+sources[0].ID, "Send a test call"
	}
	crm := homeStep{Title: "Connect your CRM", Text: "A connection is one CRM account, by a token or by the CRM’s own consent page. Its test says what callsync may do there.", URL: "/connections/new", Button: "Add a connection", By: admin}
	mapping := homeStep{Title: "Look at the mapping", Text: "It says which field of the CRM gets what. The default one works as it is; you can change it now or later.", By: operator}
	if conn.ID != "" {
		crm.URL, crm.Button = "/connections/"+conn.ID, "Test it"
		crm.Text = "“" + visible(conn.Name) + "” is there. Test it: that shows what callsync may do, and makes its id field."
		if !conn.VerifiedAt.IsZero() {
			crm.State, crm.Text, crm.Button = "done", "“"+visible(conn.Name)+"” is connected and tested.", "See it"
		}
		mapping.URL, mapping.Button = "/connections/"+conn.ID+"/mappings/call", "Open the mapping"
	}
	if mapped {
		mapping.State, mapping.Text = "done", "It is in force, and every change of it is a version that you can return to."
	}
	if !synced.IsZero() {
		first.State = "done"
	}
	out := []homeStep{source, crm, mapping, first}
	next := false
	for i := range out {
		switch {
		case out[i].State == "done":
		case !next:
			next, out[i].State = true, "next"
		default:
			out[i].State = "waiting"
		}
	}
	return out
}

// firstRun adds what leads to the first call. The page is the steps alone while there is no call at all.
func (h *Handler) firstRun(r *http.Request, p principal, k kept, stats records.Stats, v *homeView) error {
	v.Demo = demoOf(k).SourceID != ""
	if stats.Calls == 0 && !v.Slow {
		newest, err := h.Store.CallsPage(r.Context(), p.WorkspaceID, records.CallFilter{Limit: 1})
		if err != nil {
			return err
		}
		v.Alone = len(newest) == 0
	}
	v.Offer = v.Alone && h.hasDemo() && !v.Demo
	hidden, err := h.Store.StepsHidden(r.Context(), p.WorkspaceID)
	if err != nil || hidden {
		v.Alone = false
		return err
	}
	steps, err := h.steps(r, p, k)
	if err == nil && !steps.Done {
		v.Steps = &steps
	}
	return err
}

// stepRows is the panel alone, for the page that refreshes it.
func (h *Handler) stepRows(w http.ResponseWriter, r *http.Request, p principal) error {
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	v, err := h.steps(r, p, k)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := h.pages.pages["home"].ExecuteTemplate(&b, "steps", v); err != nil {
		return fmt.Errorf("page home: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // the reader is gone if this fails
	return nil
}

// stepsHideForm puts the panel away.
func (h *Handler) stepsHideForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := h.Store.HideSteps(r.Context(), p.WorkspaceID); err != nil {
		return err
	}
	return back(w, r, "/", "steps-hidden")
}
