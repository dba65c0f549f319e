package admin

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tokensPage is the page of a workspace's API tokens.
type tokensPage struct {
	Tokens []tokenRow
	Scopes []roleChoice
	// Days are how long a token may last, of which Chosen was chosen; zero is for good.
	Days   []int
	Chosen int
	// Made is the token that is shown, this once.
	Made        *TokenView
	Name, Scope string
	Wrong       map[string]string
	Loc         *time.Location
}

type tokenRow struct {
	TokenView
	ScopeLabel string
	Expired    bool
}

func (h *Handler) tokensPage(w http.ResponseWriter, r *http.Request, p principal) error {
	return h.showTokens(w, r, p, http.StatusOK, tokensPage{Scope: "read", Chosen: 365})
}

func (h *Handler) showTokens(w http.ResponseWriter, r *http.Request, p principal, status int, v tokensPage) error {
	all, err := h.Store.ListAPITokens(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	v.Scopes, v.Days, v.Loc = roleChoices, []int{30, 90, 365, 0}, h.Now().Location()
	for _, t := range all {
		v.Tokens = append(v.Tokens, tokenRow{TokenView: viewToken(t), ScopeLabel: choiceOf(t.Role).Scope, Expired: !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(h.Now())})
	}
	return h.showStatus(w, r, p, status, "tokens", "API tokens", settingsNav+"tokens", v)
}

// tokenForm shows the token in its answer: it is kept nowhere.
func (h *Handler) tokenForm(w http.ResponseWriter, r *http.Request, p principal) error {
	days, err := strconv.Atoi(r.PostFormValue("days"))
	if err != nil || days < 0 || days > 3650 {
		return invalid("days", "Choose how long the token counts.")
	}
	v := tokensPage{Name: strings.TrimSpace(r.PostFormValue("name")), Scope: r.PostFormValue("scope"), Chosen: days}
	var in tokenCreate
	if in.Body.Name, in.Body.Scope = v.Name, v.Scope; in.Body.Scope == "" {
		return invalid("scope", "Choose what the token may do.")
	}
	if days > 0 {
		in.Body.ExpiresAt = h.Now().AddDate(0, 0, days)
	}
	made, err := h.createToken(r.Context(), p, &in)
	if v.Wrong, err = wrongFields(err); err != nil {
		return err
	}
	if v.Wrong != nil {
		return h.showTokens(w, r, p, http.StatusUnprocessableEntity, v)
	}
	return h.showTokens(w, r, p, http.StatusOK, tokensPage{Made: &made.Body, Scope: "read", Chosen: 365})
}

func (h *Handler) tokenRevokePage(w http.ResponseWriter, r *http.Request, p principal) error {
	all, err := h.Store.ListAPITokens(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.ID == r.PathValue("id") {
			text := []string{"The program that uses it is refused from its next request on. This cannot be undone."}
			if t.Bootstrap {
				text = append(text, "This is the bootstrap token, by which workspaces are added. If it is in callsync’s environment, it counts again after the next start.")
			}
			return h.show(w, r, p, "confirm", "Revoke this token", settingsNav+"tokens", confirmation{List: "/settings/tokens", ListName: "API tokens", Name: t.Name,
				Back: "/settings/tokens", Title: "Revoke this token", Action: "/settings/tokens/" + t.ID + "/revoke", Submit: "Revoke it", Text: text})
		}
	}
	return notFound()
}

func (h *Handler) tokenRevokeForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if _, err := h.deleteToken(r.Context(), p, &PathID{ID: r.PathValue("id")}); err != nil {
		return err
	}
	return back(w, r, "/settings/tokens", "revoked-token")
}
