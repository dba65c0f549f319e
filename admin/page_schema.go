package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/callsync/callsync/records"
)

// schemaCard is what pages show of the fields of a connection's CRM: in what the mappings do not fit them any more. The
// template is "schema_drift"; there is nothing to see where everything fits.
type schemaCard struct {
	Issues []records.SchemaIssue
	// Failures are the objects whose fields could not be read.
	Failures []records.SchemaState
	// Held is how many deliveries are on hold for the issues.
	Held int64
	Loc  *time.Location
	// Action is where a form asks the CRM for its fields now; empty for whoever may not.
	Action string
}

// schemaCard is that of a connection's object, or with an empty one of all.
func (h *Handler) schemaCard(ctx context.Context, p principal, connectionID, object string) (schemaCard, error) {
	card := schemaCard{Loc: h.Now().Location()}
	issues, err := h.Store.SchemaIssues(ctx, p.WorkspaceID, connectionID, false)
	if err != nil {
		return card, err
	}
	states, err := h.Store.SchemaStates(ctx, p.WorkspaceID, connectionID)
	if err != nil {
		return card, err
	}
	fields := map[string]bool{}
	for _, i := range issues {
		if object != "" && i.Object != object {
			continue
		}
		card.Issues = append(card.Issues, i)
		if !fields[i.Field] {
			card.Held += i.Held
		}
		fields[i.Field] = true
	}
	for _, s := range states {
		if s.Failure != "" && (object == "" || s.Object == object) {
			card.Failures = append(card.Failures, s)
		}
	}
	if p.may(operator) {
		card.Action = "/connections/" + connectionID + "/schema"
	}
	return card, nil
}

// schemaForm asks the CRM for the fields of all objects that have been read before.
func (h *Handler) schemaForm(r *http.Request, p principal, c records.Connection) (string, error) {
	states, err := h.Store.SchemaStates(r.Context(), p.WorkspaceID, c.ID)
	if err != nil {
		return "", err
	}
	for _, s := range states {
		if _, err := h.readSchema(r.Context(), schemaKey(p, c.ID, s.Object)); err != nil {
			h.Log.WarnContext(r.Context(), "the fields of a CRM could not be read", "connection", c.ID, "object", s.Object, "err", err)
			return "failed", nil
		}
	}
	return "read", nil
}
