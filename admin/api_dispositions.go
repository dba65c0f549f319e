package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// DispositionView says which outcome of the CRM a disposition of the phone system is.
type DispositionView struct {
	Value    string `json:"value" minLength:"1" maxLength:"200" example:"Call back later" doc:"The phone system's disposition; case and white space do not matter."`
	OptionID string `json:"option_id" minLength:"1" maxLength:"200" doc:"The id of one of the options."`
}

// DispositionsView is the table of a connection beside what the CRM offers.
type DispositionsView struct {
	Items []DispositionView `json:"items"`
	// Options are the CRM's outcomes.
	Options  []connectors.DispositionOption `json:"options" doc:"The outcomes that the CRM has. A disposition that is not in the table is the one of the same name."`
	Warnings []string                       `json:"warnings,omitempty"`
}

type dispositionsPut struct {
	PathID
	Body struct {
		Items []DispositionView `json:"items" maxItems:"5000"`
	}
}

func (h *Handler) registerDispositions() {
	const tag = "Tables"
	handle(h, viewer, get("/connections/{id}/dispositions", "Which disposition is which outcome of the CRM", tag), h.listDispositions)
	handle(h, admin, method(http.MethodPut, "/connections/{id}/dispositions", "Replace the table of dispositions", tag), h.putDispositions)
}

func (h *Handler) listDispositions(ctx context.Context, p principal, in *PathID) (*answer[DispositionsView], error) {
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	options, warning, err := h.outcomes(ctx, c)
	if err != nil {
		return nil, err
	}
	return h.dispositions(ctx, p, c, options, warning)
}

func (h *Handler) putDispositions(ctx context.Context, p principal, in *dispositionsPut) (*answer[DispositionsView], error) {
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	options, warning, err := h.outcomes(ctx, c)
	if err != nil {
		return nil, err
	}
	var out faults
	var rows []records.Disposition
	rowOf := map[string]int{}
	for i, d := range in.Body.Items {
		value, key := strings.TrimSpace(d.Value), records.DispositionKey(d.Value)
		first, again := rowOf[key]
		switch {
		case key == "" || strings.ContainsFunc(value, unicode.IsControl) || strings.ContainsFunc(d.OptionID, unicode.IsControl):
			out.add(fmt.Sprintf("items[%d].value", i), fmt.Sprintf("Row %d: write the disposition and the option in one line each.", i+1))
		case again:
			out.add(fmt.Sprintf("items[%d].value", i), fmt.Sprintf("Row %d has the same disposition as row %d.", i+1, first+1))
		case options != nil && !slices.ContainsFunc(options, func(o connectors.DispositionOption) bool { return o.ID == d.OptionID }):
			out.add(fmt.Sprintf("items[%d].option_id", i), fmt.Sprintf("Row %d: %s has no such outcome. It has: %s.", i+1, h.crm(c), labels(options)))
		}
		if !again {
			rowOf[key] = i
		}
		rows = append(rows, records.Disposition{Value: value, OptionID: d.OptionID})
	}
	if err := out.problem(); err != nil {
		return nil, err
	}
	if err := h.Store.PutDispositions(ctx, p.WorkspaceID, c.ID, rows); err != nil {
		return nil, err
	}
	h.compared(ctx, p, c.ID, connectors.ObjectCall)
	return h.dispositions(ctx, p, c, options, warning)
}

func (h *Handler) dispositions(ctx context.Context, p principal, c records.Connection, options []connectors.DispositionOption, warning string) (*answer[DispositionsView], error) {
	all, err := h.Store.Dispositions(ctx, p.WorkspaceID, c.ID)
	if err != nil {
		return nil, err
	}
	v := DispositionsView{Items: make([]DispositionView, 0, len(all)), Options: append([]connectors.DispositionOption{}, options...)}
	if warning != "" {
		v.Warnings = append(v.Warnings, warning)
	}
	for _, d := range all {
		v.Items = append(v.Items, DispositionView{d.Value, d.OptionID})
		if options != nil && !slices.ContainsFunc(options, func(o connectors.DispositionOption) bool { return o.ID == d.OptionID }) {
			v.Warnings = append(v.Warnings, fmt.Sprintf("“%s” leads to an outcome that %s no longer has.", d.Value, h.crm(c)))
		}
	}
	return &answer[DispositionsView]{v}, nil
}

// outcomes asks a CRM for its outcomes. A CRM that does not answer must not keep anybody from saving: then there is a
// warning, and no options at all.
func (h *Handler) outcomes(ctx context.Context, c records.Connection) (options []connectors.DispositionOption, warning string, err error) {
	session, info, err := h.session(c)
	if err != nil {
		return nil, "", err
	}
	lister, ok := session.(connectors.DispositionLister)
	if !ok {
		return nil, "", problem(http.StatusUnprocessableEntity, info.Label+" has no list of outcomes, so dispositions go there as they are.")
	}
	ctx, cancel := context.WithTimeout(ctx, schemaTimeout)
	defer cancel()
	options, err = lister.Dispositions(ctx)
	if err != nil {
		h.Log.WarnContext(ctx, "the CRM's outcomes could not be listed", "connection", c.ID, "err", err)
		return nil, info.Label + " could not be asked for its outcomes, so the table was not checked against them.", nil
	}
	return append([]connectors.DispositionOption{}, options...), "", nil
}

// labels are some of the names of options.
func labels(options []connectors.DispositionOption) string {
	const most = 20
	var names []string
	for _, o := range options[:min(len(options), most)] {
		names = append(names, clip(o.Label, 60)+" ("+clip(o.ID, 60)+")")
	}
	if len(options) > most {
		names = append(names, "…")
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
