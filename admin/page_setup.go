package admin

import (
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// shownSettings are settings by the labels that people know, secrets without their values.
func shownSettings(fields []field, config map[string]string, secrets map[string]bool) []shownField {
	var out []shownField
	label := func(name string) string {
		if i := slices.IndexFunc(fields, func(f field) bool { return f.name == name }); i >= 0 {
			return fields[i].label
		}
		return title(name)
	}
	for _, name := range slices.Sorted(maps.Keys(config)) {
		out = append(out, shownField{label(name), visible(config[name])})
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		out = append(out, shownField{label(name), map[bool]string{true: "set (hidden)", false: "not set"}[secrets[name]]})
	}
	return out
}

// connectionCard is a CRM account with its last test.
type connectionCard struct {
	ConnectionView
	Label       string
	Chip        string
	Report      connectors.Report
	Tested      bool
	OK          bool
	Alerts      []alertLine
	Idempotency string
	Setup, Docs string
	Mappings    []mappingLink
	Settings    []shownField
	// Connect tells whether a person can grant access at the CRM's consent page, OAuth whether the CRM has one at all.
	Connect, OAuth bool
	// Schema tells in what the mappings do not fit the CRM's fields.
	Schema schemaCard
	// Contacts tells whether the CRM has contacts that calls are matched with; then the others say how.
	Contacts              bool
	OnNone, OnMany, Owned string
	// Trouble is a sentence about a CRM that does not answer or wants no requests; none where all is well.
	Trouble []part
}

// statusTone is the colour of a connection's status.
func statusTone(status string) string {
	switch status {
	case records.ConnectionPaused:
		return "wait"
	case records.ConnectionRevoked:
		return "trouble"
	}
	return "done"
}

// idempotencyWords say how one record is made out of repeated writes.
var idempotencyWords = map[string]string{
	string(connectors.KeyedUpsert):     "The CRM itself keeps one record for each call, by our id.",
	string(connectors.LookupThenWrite): "callsync looks for its own record before it writes.",
	string(connectors.CreateOnly):      "The CRM cannot be searched: callsync alone keeps count, and writes each call once.",
}

type connectionsView struct {
	Cards []connectionPage
}

func (h *Handler) connectionsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	all, err := h.Store.Connections(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	state, err := h.health(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	open, err := h.openAlerts(r.Context(), p, "")
	if err != nil {
		return err
	}
	var v connectionsView
	for _, c := range all {
		row := connectionPage{}
		if row.connectionCard, err = h.connectionCard(r.Context(), p, c, state); err != nil {
			return err
		}
		row.Alerts = alertsAbout(open, c.ID)
		for _, check := range row.Report.Checks {
			if !check.OK {
				row.Failing++
			}
		}
		if row.Usage, err = h.Store.ConnectionUsage(r.Context(), p.WorkspaceID, c.ID); err != nil {
			return err
		}
		row.Drain = forecastOf(h.info(c), c, row.Usage, h.Now()).drainWords(row.Usage.Held - row.Usage.Askable)
		recent, err := h.Store.RecentDeliveries(r.Context(), p.WorkspaceID, c.ID, 1)
		if err != nil {
			return err
		}
		for _, d := range recent {
			row.Recent = append(row.Recent, recentRow{RecentDelivery: d})
		}
		row.State, row.Tone = row.sentence()
		v.Cards = append(v.Cards, row)
	}
	return h.show(w, r, p, "connections", "Connections", "connections", v)
}

// fragmentOf is where on the page of a connection the result of an action stands.
var fragmentOf = map[string]string{"tested": "#test", "failed": "#test"}

// connectionForm leads an action on a connection back to its page.
func (h *Handler) connectionForm(act func(*http.Request, principal, records.Connection) (string, error)) pageFunc {
	return func(w http.ResponseWriter, r *http.Request, p principal) error {
		c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
		if err != nil {
			return err
		}
		done, err := act(r, p, c)
		if err != nil {
			return err
		}
		if fragment, ok := fragmentOf[done]; ok {
			return back(w, r, "/connections/"+c.ID+fragment, done)
		}
		return back(w, r, "/connections/"+c.ID, done)
	}
}

func (h *Handler) testForm(r *http.Request, p principal, c records.Connection) (string, error) {
	v, err := h.runTest(r.Context(), p, c)
	if err == nil && !v.OK {
		return "failed", nil
	}
	return "tested", err
}

func (h *Handler) pauseForm(r *http.Request, p principal, c records.Connection) (string, error) {
	_, err := h.pauseConnection(r.Context(), p, &PathID{ID: c.ID})
	return "paused", err
}

// resumeForm lets a connection go on, and leads to its page, which follows how what was kept goes out.
func (h *Handler) resumeForm(w http.ResponseWriter, r *http.Request, p principal) error {
	id := r.PathValue("id")
	u, err := h.Store.ConnectionUsage(r.Context(), p.WorkspaceID, id)
	if err != nil {
		return err
	}
	if _, err := h.resumeConnection(r.Context(), p, &PathID{ID: id}); err != nil {
		return err
	}
	to := "/connections/" + id + "?done=resumed"
	if u.Held > 0 {
		to += "&of=" + strconv.FormatInt(u.Held, 10)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
