package admin

import (
	"net/http"
	"strings"
)

// settingsPage is an entry beside every page of the settings.
type settingsPage struct {
	// Name follows "settings:" in the nav of the page's frame.
	Name, Path, Label string
	// Role is the least that may see the page.
	Role string
	// Only, if set, says for whom else the page is nothing.
	Only func(principal) bool
}

// settingsPages are the entries in their order. A page adds its line here and shows itself with the nav
// "settings:" + Name; the layout puts the entries beside it.
var settingsPages = []settingsPage{
	{"users", "/settings/users", "Users", admin, nil},
	{"tokens", "/settings/tokens", "API tokens", admin, nil},
	{"numbers", "/numbers", "Own numbers", viewer, nil},
	{"alerts", "/settings/alerts", "Alerts", viewer, nil},
	{"audit", "/settings/audit", "Audit log", admin, nil},
	{"workspaces", "/settings/workspaces", "Workspaces", viewer, func(p principal) bool { return p.UserID != "" && (p.Workspaces > 1 || p.Installation || p.may(admin)) }},
	{"account", "/account", "My account", viewer, func(p principal) bool { return p.UserID != "" }},
}

// settingsLink is an entry as one page shows it.
type settingsLink struct {
	Path, Label string
	Current     bool
}

const settingsNav = "settings:"

// settingsLinks are the entries that p may open, on the page with this nav; none on pages that are no settings.
func settingsLinks(p principal, nav string) []settingsLink {
	name, ok := strings.CutPrefix(nav, settingsNav)
	if !ok {
		return nil
	}
	var links []settingsLink
	for _, s := range settingsPages {
		if p.may(s.Role) && (s.Only == nil || s.Only(p)) {
			links = append(links, settingsLink{Path: s.Path, Label: s.Label, Current: s.Name == name})
		}
	}
	return links
}

// settingsStart leads to the first page of the settings that p may open.
func (h *Handler) settingsStart(w http.ResponseWriter, r *http.Request, p principal) error {
	http.Redirect(w, r, settingsLinks(p, settingsNav)[0].Path, http.StatusSeeOther)
	return nil
}
