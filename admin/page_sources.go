package admin

import (
	"net/http"
	"time"

	"github.com/callsync/callsync/records"
)

// sourceCard is a phone system with what it is set to.
type sourceCard struct {
	records.Source
	Label    string
	Hooks    []HookURL
	Docs     string
	Settings []shownField
	Feeds    []string
	Revealed bool
}

func (h *Handler) sourceCard(s records.Source, k kept, reveal bool) sourceCard {
	c := sourceCard{Source: s, Label: s.Provider, Hooks: h.hookURLs(s, reveal), Revealed: reveal}
	var fields []field
	if p, ok := h.Providers[s.Provider]; ok {
		i := p.Info()
		c.Label, c.Docs, fields = i.Label, webURL(i.Docs), providerFields(i)
	}
	for _, conn := range k.connections {
		if s.Feeds(conn) {
			c.Feeds = append(c.Feeds, conn.Name)
		}
	}
	c.Settings = shownSettings(fields, s.Config, present(s.Secrets))
	c.Source.Secrets, c.Source.Token = nil, "" // not for templates
	return c
}

// sourceRow is a source in the list.
type sourceRow struct {
	sourceCard
	Loc   *time.Location
	Clock *ClockView
	// Last is the newest request; nil if none has come.
	Last *receiptRow
}

type sourcesView struct {
	Rows []sourceRow
	Self string
}

func (h *Handler) sourcesPage(w http.ResponseWriter, r *http.Request, p principal) error {
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	sources, err := h.Store.Sources(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	clocks, err := h.Store.SourceClocks(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	v := sourcesView{Self: "/sources"}
	for _, s := range sources {
		row := sourceRow{sourceCard: h.sourceCard(s, k, false), Loc: location(s), Clock: h.clockView(s, clocks)}
		items, err := h.Store.ReceiptsPage(r.Context(), p.WorkspaceID, records.ReceiptFilter{SourceID: s.ID, Limit: 1})
		if err != nil {
			return err
		}
		if len(items) > 0 {
			last := h.receiptRow(items[0], k)
			row.Last = &last
		}
		v.Rows = append(v.Rows, row)
	}
	return h.show(w, r, p, "sources", "Sources", "sources", v)
}
