package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// matchPage is the form of how a connection's calls find their contact and their owner.
type matchPage struct {
	MatchView
	ID, Name, CRM string
	Places        []matchPlace
	None, Many    matchGroup
	Of            matchGroup
	Users         []records.CRMUser
	// Stray tells that the default owner is none of the users that are known.
	Stray bool
	Wrong string
}

// matchPlace is one place in the order of objects.
type matchPlace struct {
	Label   string
	Options []matchOption
}

type matchOption struct {
	Value, Label string
	On           bool
}

// matchGroup is a setting of which one of several options is chosen.
type matchGroup struct {
	Name, Legend string
	Options      []matchOption
	Edit         bool
}

func (g matchGroup) with(chosen string, all ...matchOption) matchGroup {
	for _, o := range all {
		o.On = o.Value == chosen
		g.Options = append(g.Options, o)
	}
	return g
}

// objectNames are what people call several of an object.
var objectNames = map[string]string{connectors.ObjectContact: "Contacts", connectors.ObjectLead: "Leads", connectors.ObjectCompany: "Companies"}

func objectName(object string) string {
	if name, ok := objectNames[object]; ok {
		return name
	}
	return title(object)
}

func (h *Handler) matchPage(r *http.Request, p principal, c records.Connection) (matchPage, error) {
	info := h.info(c)
	v := matchPage{MatchView: h.viewMatch(c), ID: c.ID, Name: c.Name, CRM: h.crm(c)}
	for i := range searched(info) {
		place := matchPlace{Label: "Then among"}
		at := ""
		if i == 0 {
			place.Label = "Look first among"
		} else {
			place.Options = append(place.Options, matchOption{Label: "nothing else"})
		}
		if i < len(v.Objects) {
			at = v.Objects[i]
		}
		for _, o := range searched(info) {
			place.Options = append(place.Options, matchOption{o, objectName(o), o == at})
		}
		v.Places = append(v.Places, place)
	}
	none := []matchOption{{Value: records.MatchNone, Label: "Log the call without a contact, and look again later"}, {Value: records.MatchAsk, Label: "Ask a person, under Reviews"}}
	for _, object := range slices.Backward(creates(info)) {
		if h.canCreate(c) {
			none = append([]matchOption{{Value: "create_" + object, Label: "Create a new " + object}}, none...)
		}
	}
	edit := p.may(admin)
	v.None = matchGroup{Name: "on_none", Legend: "Nobody has the number", Edit: edit}.with(v.OnNone, none...)
	v.Many = matchGroup{Name: "on_many", Legend: "Several have it", Edit: edit}.with(v.OnMany, matchOption{Value: records.MatchRecent, Label: "Take the contact that changed last"},
		matchOption{Value: records.MatchOwner, Label: "Take one of the call’s owner, else the one that changed last"},
		matchOption{Value: records.MatchNone, Label: "Log the call without a contact, and look again later"},
		matchOption{Value: records.MatchAsk, Label: "Ask a person, under Reviews"})
	v.Of = matchGroup{Name: "owner", Legend: "Of several agents", Edit: edit}.with(v.Owner, matchOption{Value: records.OwnerLast, Label: "The agent who answered last"}, matchOption{Value: records.OwnerFirst, Label: "The agent who answered first"},
		matchOption{Value: records.OwnerLongest, Label: "The agent who talked longest"})
	users, _, err := h.Store.CRMUsers(r.Context(), p.WorkspaceID, c.ID)
	for _, u := range users {
		if u.Active {
			u.Name = visible(u.Name)
			v.Users = append(v.Users, u)
		}
	}
	v.Stray = v.DefaultOwner != "" && !slices.ContainsFunc(v.Users, func(u records.CRMUser) bool { return u.ID == v.DefaultOwner })
	return v, err
}

func (h *Handler) matchSettingsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	v, err := h.matchPage(r, p, c)
	if err != nil {
		return err
	}
	return h.show(w, r, p, "match", "Contact match", "connections", v)
}

func (h *Handler) matchSettingsForm(w http.ResponseWriter, r *http.Request, p principal) error {
	c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	patch := connectionPatch{PathID: PathID{ID: c.ID}}
	patch.Body.Match = matchPosted(r)
	if _, err = h.patchConnection(r.Context(), p, &patch); err == nil {
		return back(w, r, "/connections/"+c.ID+"/match", "match")
	}
	wrong := (*Problem)(nil)
	if !errors.As(err, &wrong) || wrong.Status != http.StatusUnprocessableEntity {
		return err
	}
	c.Match = patch.Body.Match.over(c.Match)
	v, err := h.matchPage(r, p, c)
	if err != nil {
		return err
	}
	v.Wrong = wrong.Detail
	f, err := h.newFrame(r, p, "Contact match", "connections", v)
	if err != nil {
		return err
	}
	return h.render(w, r, wrong.Status, "match", f)
}

// matchPosted is what the form says. An object that stands twice in the order counts where it stands first.
func matchPosted(r *http.Request) *MatchPatch {
	text := func(name string) *string {
		s := strings.TrimSpace(r.PostFormValue(name))
		return &s
	}
	flag := func(name string) *bool {
		on := r.PostFormValue(name) == "true"
		return &on
	}
	objects := []string{}
	for _, o := range r.PostForm["object"] {
		if o != "" && !slices.Contains(objects, o) {
			objects = append(objects, o)
		}
	}
	return &MatchPatch{Objects: &objects, OnNone: text("on_none"), OnMany: text("on_many"), AskHold: flag("ask_hold"), TrustCRMID: flag("trust_crm_id"),
		Owner: text("owner"), UnknownAgent: text("unknown_agent"), DefaultOwner: text("default_owner")}
}
