package admin

import (
	"context"
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

// AgentView is an agent that calls have named, and who that is in the CRM.
type AgentView struct {
	Agent     string    `json:"agent" doc:"How the table of owners names the agent."`
	Name      string    `json:"name,omitempty"`
	Email     string    `json:"email,omitempty"`
	Extension string    `json:"extension,omitempty"`
	SourceID  string    `json:"source_id,omitempty"`
	SeenAt    time.Time `json:"seen_at,omitzero" doc:"When a call named the agent last, exact to some minutes."`
	OwnerID   string    `json:"owner_id,omitempty"`
	OwnerName string    `json:"owner_name,omitempty"`
	Match     string    `json:"match" enum:"manual,email,unknown" doc:"Who said so: an admin, the e-mail, nobody."`
}

// AgentsView is the agents of a connection's calls with the users of its CRM.
type AgentsView struct {
	Items    []AgentView       `json:"items"`
	Users    []records.CRMUser `json:"users" doc:"The CRM's users, as they were listed last."`
	ListedAt time.Time         `json:"listed_at,omitzero"`
	Lists    bool              `json:"lists" doc:"callsync can list the users of this CRM."`
	Matched  int               `json:"matched" doc:"How many agents are assigned by their e-mail."`
}

// LearnedNumberView is a number that calls showed to be the workspace's own.
type LearnedNumberView struct {
	Number       string    `json:"number"`
	Kind         string    `json:"kind" enum:"line,agent" doc:"A line of yours, or an agent's telephone."`
	SourceID     string    `json:"source_id"`
	OwnSeen      int       `json:"own_seen" doc:"How often it was seen as yours, at most once in ten minutes."`
	CustomerSeen int       `json:"customer_seen" doc:"How often as that of a customer who was spoken with."`
	Rejected     bool      `json:"rejected"`
	Counts       bool      `json:"counts" doc:"Calls from it have no customer."`
	FirstSeenAt  time.Time `json:"first_seen_at"`
	SeenAt       time.Time `json:"seen_at"`
}

type learnedPatch struct {
	Body struct {
		Number   string `json:"number" minLength:"1" maxLength:"40" example:"+14155550101"`
		Rejected bool   `json:"rejected" doc:"The number is not yours, whatever calls show."`
	}
}

func (h *Handler) registerAgents() {
	handle(h, viewer, get("/connections/{id}/agents", "The agents that calls have named, and who they are in the CRM", "Tables"), h.listAgents)
	handle(h, operator, post("/connections/{id}/owners/match", "List the CRM's users and assign the agents with their e-mails", "Tables"), h.matchOwners)
	handle(h, viewer, get("/own-numbers/learned", "Numbers that calls showed to be yours", "Tables"), h.listLearned)
	handle(h, admin, method(http.MethodPatch, "/own-numbers/learned", "Say that a learned number is not yours", "Tables"), h.patchLearned)
}

func (h *Handler) listAgents(ctx context.Context, p principal, in *PathID) (*answer[AgentsView], error) {
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	v, err := h.agents(ctx, p, c)
	return &answer[AgentsView]{v}, err
}

func (h *Handler) agents(ctx context.Context, p principal, c records.Connection) (AgentsView, error) {
	v := AgentsView{Items: []AgentView{}, Users: []records.CRMUser{}, Lists: h.listsOwners(c)}
	seen, err := h.Store.AgentsSeen(ctx, p.WorkspaceID)
	if err != nil {
		return v, err
	}
	owners, err := h.Store.Owners(ctx, p.WorkspaceID, c.ID)
	if err != nil {
		return v, err
	}
	users, at, err := h.Store.CRMUsers(ctx, p.WorkspaceID, c.ID)
	if err != nil {
		return v, err
	}
	v.Users, v.ListedAt = append(v.Users, users...), at
	assigned := map[string]records.Owner{}
	for _, o := range owners {
		assigned[o.AgentKey] = o
		if !o.Manual {
			v.Matched++
		}
	}
	for _, a := range seen {
		item := AgentView{Agent: a.Key, Name: a.Name, Email: a.Email, Extension: a.Extension, SourceID: a.SourceID, SeenAt: a.SeenAt}
		key := tableKey(a.Key)
		item.assign(assigned[key])
		delete(assigned, key)
		v.Items = append(v.Items, item)
	}
	// Assignments of agents whom no call has named.
	for _, key := range slices.Sorted(maps.Keys(assigned)) {
		item := AgentView{Agent: key}
		item.assign(assigned[key])
		v.Items = append(v.Items, item)
	}
	return v, nil
}

// tableKey is the name under which the table of owners has an agent.
func tableKey(key string) string {
	if strings.HasPrefix(key, "id:") {
		return key
	}
	return strings.ToLower(key)
}

func (v *AgentView) assign(o records.Owner) {
	v.OwnerID, v.OwnerName, v.Match = o.OwnerID, o.OwnerName, "unknown"
	switch {
	case o.OwnerID != "" && o.Manual:
		v.Match = "manual"
	case o.OwnerID != "":
		v.Match = "email"
	}
}

// listsOwners tells whether the users of a connection's CRM can be listed.
func (h *Handler) listsOwners(c records.Connection) bool {
	connector, ok := h.Connectors[c.Connector].(connectors.Prototyper)
	if !ok {
		return false
	}
	_, ok = connector.Prototype().(connectors.OwnerLister)
	return ok
}

func (h *Handler) matchOwners(ctx context.Context, p principal, in *PathID) (*answer[AgentsView], error) {
	c, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID)
	if err != nil {
		return nil, err
	}
	if err := h.listOwnersOf(ctx, c); err != nil {
		return nil, err
	}
	v, err := h.agents(ctx, p, c)
	return &answer[AgentsView]{v}, err
}

// listOwnersOf asks the CRM for its users, keeps them and assigns the agents with their e-mails.
func (h *Handler) listOwnersOf(ctx context.Context, c records.Connection) error {
	session, info, err := h.session(c)
	if err != nil {
		return err
	}
	lister, ok := session.(connectors.OwnerLister)
	if !ok {
		return problem(http.StatusUnprocessableEntity, info.Label+" cannot be asked for its users. Assign the agents by the ids of their users.")
	}
	ctx, cancel := context.WithTimeout(ctx, schemaTimeout)
	defer cancel()
	owners, err := lister.Owners(ctx)
	if err != nil {
		e := connectors.AsError(err)
		h.Log.WarnContext(ctx, "the CRM's users could not be listed", "connection", c.ID, "class", e.Class, "err", err)
		return problem(http.StatusBadGateway, fmt.Sprintf("%s could not be asked for its users. %s", info.Label, e.Public))
	}
	users := make([]records.CRMUser, 0, len(owners))
	for _, o := range owners {
		users = append(users, records.CRMUser{ID: clip(o.ID, 200), Name: clip(o.Name, 200), Email: clip(strings.TrimSpace(o.Email), 320), Active: o.Active})
	}
	_, err = h.Store.PutCRMUsers(context.WithoutCancel(ctx), c.WorkspaceID, c.ID, users)
	return err
}

// The times of KeepOwners.
const (
	ownersLook  = 10 * time.Minute
	ownersEvery = 24 * time.Hour
	ownersBatch = 5
)

// KeepOwners lists the users of CRMs once a day, so that new people are assigned and those who have left own nothing any
// more, and forgets agents whom no call names. It works until ctx ends; several processes may.
func (h *Handler) KeepOwners(ctx context.Context) {
	var kinds []string
	for id := range h.Connectors {
		if h.listsOwners(records.Connection{Connector: id}) {
			kinds = append(kinds, id)
		}
	}
	for {
		if err := h.keepOwners(ctx, kinds); err != nil && ctx.Err() == nil {
			h.Log.WarnContext(ctx, "the users of CRMs could not be kept up to date", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(ownersLook):
		}
	}
}

func (h *Handler) keepOwners(ctx context.Context, kinds []string) error {
	due, err := h.Store.ClaimUserLists(ctx, kinds, ownersEvery, ownersBatch)
	if err != nil {
		return err
	}
	for _, k := range due {
		c, err := h.Store.ConnectionByID(ctx, k.WorkspaceID, k.ConnectionID)
		if err == nil {
			err = h.listOwnersOf(ctx, c)
		}
		if err != nil {
			// Its claim ends after some minutes, and it is tried again.
			h.Log.WarnContext(ctx, "the users of a CRM could not be kept up to date", "workspace", k.WorkspaceID, "connection", k.ConnectionID, "err", err)
		}
	}
	return errors.Join(h.Store.DropOldAgents(ctx), h.Store.DropOldReviews(ctx))
}

func (h *Handler) listLearned(ctx context.Context, p principal, _ *none) (*answer[List[LearnedNumberView]], error) {
	all, err := h.Store.LearnedNumbers(ctx, p.WorkspaceID)
	items := make([]LearnedNumberView, 0, len(all))
	for _, n := range all {
		items = append(items, LearnedNumberView(n))
	}
	return &answer[List[LearnedNumberView]]{List[LearnedNumberView]{Items: items}}, err
}

func (h *Handler) patchLearned(ctx context.Context, p principal, in *learnedPatch) (*answer[List[LearnedNumberView]], error) {
	if err := h.Store.RejectNumber(ctx, p.WorkspaceID, in.Body.Number, in.Body.Rejected); err != nil {
		return nil, err
	}
	return h.listLearned(ctx, p, nil)
}
