package admin

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/callsync/callsync/records"
)

// ownersView is the page of agents and owners of a connection.
type ownersView struct {
	AgentsView
	ID, Name, CRM string
	Rows          []agentRow
	Policy        string
	Default       string
	Unknown       int
}

type agentRow struct {
	AgentView
	Title, Sub, Source string
	// Picked is the user's id if an admin assigned the agent; Auto is who it is by e-mail.
	Picked, Auto string
	// Missing tells that the assigned user is not, or no longer, one of the CRM's.
	Missing bool
}

func (h *Handler) ownersPage(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	v := ownersView{ID: c.ID, Name: c.Name, CRM: h.crm(c)}
	if v.AgentsView, err = h.agents(r.Context(), p, c); err != nil {
		return err
	}
	_, _, v.Policy = matchWords(h.viewMatch(c))
	active := map[string]records.CRMUser{}
	for i, u := range v.Users {
		if v.Users[i].Name = visible(cmp.Or(u.Name, u.Email, u.ID)); u.Active {
			active[u.ID] = v.Users[i]
		}
	}
	v.Users = slices.DeleteFunc(v.Users, func(u records.CRMUser) bool { return !u.Active })
	slices.SortFunc(v.Users, func(a, b records.CRMUser) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	for _, a := range v.Items {
		row := agentRow{AgentView: a, Title: visible(cmp.Or(a.Name, a.Email, a.Agent)), Source: k.sources[a.SourceID].Name}
		row.Sub = visible(agentWords(a))
		u, known := active[a.OwnerID]
		name := cmp.Or(u.Name, visible(a.OwnerName), visible(a.OwnerID))
		switch a.Match {
		case "manual":
			row.Picked = a.OwnerID
		case "email":
			row.Auto = name
		default:
			v.Unknown++
		}
		row.OwnerName, row.Missing = name, a.OwnerID != "" && !known && v.Lists && !v.ListedAt.IsZero()
		v.Rows = append(v.Rows, row)
	}
	return h.show(w, r, p, "owners", "Agents and owners", "connections", v)
}

// agentWords tell an agent from others of the same name.
func agentWords(a AgentView) string {
	var words []string
	if a.Email != "" && a.Name != "" {
		words = append(words, a.Email)
	}
	if a.Extension != "" {
		words = append(words, "extension "+a.Extension)
	}
	kind, value, ok := strings.Cut(a.Agent, ":")
	switch {
	case ok && kind == "number":
		words = append(words, readable(value))
	case ok && kind == "id":
		words = append(words, "id "+value)
	case a.Name == "" && a.Email == "" || ok && kind == "name":
		// The title says it.
	case a.Email == "":
		words = append(words, a.Agent)
	}
	return strings.Join(words, " · ")
}

func (h *Handler) ownerForm(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	agent, owner := strings.TrimSpace(r.PostFormValue("agent")), strings.TrimSpace(r.PostFormValue("owner"))
	if agent == "" || len(agent) > 320 || len(owner) > 200 {
		return invalid("agent", "Choose an agent and a user of "+h.crm(c)+".")
	}
	names, err := h.userNames(r.Context(), p, c.ID)
	if err != nil {
		return err
	}
	if err := h.Store.SetOwner(r.Context(), p.WorkspaceID, c.ID, records.Owner{AgentKey: agent, OwnerID: owner, OwnerName: names[owner]}); err != nil {
		return err
	}
	return back(w, r, "/connections/"+c.ID+"/owners", "assigned")
}

func (h *Handler) ownersMatchForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if _, err := h.matchOwners(r.Context(), p, &PathID{ID: r.PathValue("id")}); err != nil {
		return err
	}
	return back(w, r, "/connections/"+r.PathValue("id")+"/owners", "matched")
}
