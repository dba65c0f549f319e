package admin

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// holdCard is a cause on the holds page.
type holdCard struct {
	records.Hold
	Connection, CRM string
	Action          string
	Samples         []string
}

func (h *Handler) holdsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	cards, err := h.holdCards(r.Context(), p, k)
	if err != nil {
		return err
	}
	return h.show(w, r, p, "holds", "On hold", "holds", cards)
}

// holdCards are the causes for which calls are on hold, those with the most calls first.
func (h *Handler) holdCards(ctx context.Context, p principal, k kept) ([]holdCard, error) {
	holds, err := h.Store.Holds(ctx, p.WorkspaceID)
	var cards []holdCard
	for _, o := range holds {
		c, ok := k.connection(o.ConnectionID)
		if !ok {
			continue
		}
		l := lane{Connection: c, CRM: h.crm(c), Now: h.Now(), Delivery: &records.DeliveryHistory{Delivery: records.Delivery{
			State: records.DeliveryParked, Class: o.Class, Field: o.Field, Reason: o.Reason}}}
		said := explain(l)
		card := holdCard{Hold: o, Connection: c.Name, CRM: l.CRM, Action: said.Action}
		card.Reason = said.in(time.UTC, l.Now)
		cards = append(cards, card)
	}
	return cards, err
}

func (h *Handler) holdRetryForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if _, err := h.drain(r.Context(), p.WorkspaceID, r.PathValue("id"), ""); err != nil {
		return err
	}
	return back(w, r, "/holds", "retried")
}

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
	Idempotency string
	Setup, Docs string
	Mappings    []mappingLink
	Settings    []shownField
	// Connect tells whether a person can grant access at the CRM's consent page.
	Connect bool
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
	Cards []connectionCard
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
	var v connectionsView
	infos := h.Connectors.Infos()
	for _, c := range all {
		var fields []field
		card := connectionCard{ConnectionView: h.viewConnection(c), Label: c.Connector, Chip: statusTone(c.Status), Idempotency: idempotencyWords[c.Idempotency]}
		if len(c.Report) > 0 && json.Unmarshal(c.Report, &card.Report) == nil {
			card.Tested, card.OK = true, card.Report.OK()
		}
		if connector, ok := h.Connectors[c.Connector]; ok {
			i := connector.Info()
			card.Setup, card.Docs, fields = i.Setup, webURL(i.Docs), connectorFields(i)
			card.Label, card.Mappings = i.Label, mappingLinks(c.ID, "", i.Mappings)
			if h.Grants != nil {
				_, err := h.Grants.Begin(connector, c, h.callbackURL(), "", "")
				card.Connect = err == nil
			}
		}
		if card.Trouble = state.line(c.ID); len(card.Trouble) > 0 && card.Chip == "done" {
			card.Chip = "wait"
		}
		i := slices.IndexFunc(infos, func(i connectors.Info) bool { return i.ID == c.Connector })
		card.Contacts = i >= 0 && slices.Contains(infos[i].Capabilities, "contact_match")
		card.OnNone, card.OnMany, card.Owned = matchWords(card.Match)
		card.Settings = shownSettings(fields, c.Config, present(c.Secrets))
		if card.Schema, err = h.schemaCard(r.Context(), p, c.ID, ""); err != nil {
			return err
		}
		v.Cards = append(v.Cards, card)
	}
	return h.show(w, r, p, "connections", "Connections", "connections", v)
}

// connectionForm leads an action on a connection back to its place on the page.
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
		return back(w, r, "/connections#"+c.ID, done)
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

func (h *Handler) resumeForm(r *http.Request, p principal, c records.Connection) (string, error) {
	return "resumed", h.resume(r.Context(), p, c.ID)
}
