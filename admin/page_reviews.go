package admin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// reviewsView is the page on which people say whose numbers are.
type reviewsView struct {
	Tab     string
	Tabs    []stateTab
	Cards   []reviewCard
	Choices []choiceRow
	Next    string
	// One is the question that is shown alone; empty for all.
	One string
	// Answered is the question that was answered just now, which can be taken back.
	Answered *reviewCard
}

// reviewCard is one question.
type reviewCard struct {
	records.Review
	Display, Connection, CRM string
	Candidates               []candidateRow
	// More is how many candidates are not shown.
	More   int
	Create []string
	Answer string
}

type candidateRow struct {
	records.Candidate
	OwnerName string
}

// choiceRow is an answer that is remembered.
type choiceRow struct {
	records.MatchChoice
	Display, Connection, Answer string
}

// reviewTabs are the page's parts.
var reviewTabs = []struct{ name, label string }{{records.ReviewOpen, "Open"}, {records.ReviewResolved, "Answered"}, {"choices", "Remembered"}}

func (h *Handler) reviewsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	q := r.URL.Query()
	v := reviewsView{Tab: cmp.Or(q.Get("show"), records.ReviewOpen)}
	if !slices.ContainsFunc(reviewTabs, func(t struct{ name, label string }) bool { return t.name == v.Tab }) {
		v.Tab = records.ReviewOpen
	}
	for _, t := range reviewTabs {
		v.Tabs = append(v.Tabs, stateTab{Label: t.label, URL: "/reviews?show=" + t.name, Current: t.name == v.Tab})
	}
	before, err := decodeCursor(q.Get("cursor"))
	if err != nil {
		return err
	}
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	next := ""
	if one := q.Get("id"); validID(one) {
		v.One = one
	}
	switch {
	case v.One != "":
		err = h.oneReview(r.Context(), p, k, &v)
	case v.Tab == "choices":
		next, err = h.choiceRows(r.Context(), p, k, before, &v)
	default:
		next, err = h.reviewCards(r.Context(), p, k, before, &v)
	}
	if err != nil {
		return err
	}
	if id := q.Get("answered"); validID(id) {
		if v.Answered, err = h.answeredCard(r.Context(), p, k, id); err != nil {
			return err
		}
	}
	if next != "" {
		v.Next = "/reviews?show=" + v.Tab + "&cursor=" + next
	}
	return h.show(w, r, p, "reviews", "Match reviews", "reviews", v)
}

// answeredCard is the question with this id if it is answered; nil otherwise.
func (h *Handler) answeredCard(ctx context.Context, p principal, k kept, id string) (*reviewCard, error) {
	r, err := h.Store.ReviewByID(ctx, p.WorkspaceID, id)
	if errors.Is(err, records.ErrNotFound) {
		return nil, nil
	}
	c, ok := k.connection(r.ConnectionID)
	if err != nil || !ok || r.State != records.ReviewResolved {
		return nil, err
	}
	return &reviewCard{Review: r, Display: readable(r.Number), Connection: c.Name, CRM: h.crm(c), Answer: answerWords(r.Choice, r.Object, nameOf(r.Candidates, r.Choice))}, nil
}

// reviewPageSize is how many questions a page shows.
const reviewPageSize = 25

func (h *Handler) reviewCards(ctx context.Context, p principal, k kept, before records.Cursor, v *reviewsView) (next string, err error) {
	all, err := h.Store.Reviews(ctx, p.WorkspaceID, records.ReviewFilter{State: v.Tab, Before: before, Limit: reviewPageSize + 1})
	if err != nil {
		return "", err
	}
	all, next = page(all, reviewPageSize, func(r records.Review) records.Cursor { return records.Cursor{At: r.CreatedAt, ID: r.ID} })
	return next, h.addReviews(ctx, p, k, all, v)
}

// oneReview is the question that somebody was led to, under the tab where it stands.
func (h *Handler) oneReview(ctx context.Context, p principal, k kept, v *reviewsView) error {
	r, err := h.Store.ReviewByID(ctx, p.WorkspaceID, v.One)
	if err != nil {
		return err
	}
	return h.addReviews(ctx, p, k, []records.Review{r}, v)
}

// addReviews adds cards of reviews to the page.
func (h *Handler) addReviews(ctx context.Context, p principal, k kept, all []records.Review, v *reviewsView) error {
	var err error
	names := map[string]map[string]string{}
	for _, r := range all {
		c, ok := k.connection(r.ConnectionID)
		if !ok {
			continue
		}
		if names[c.ID] == nil {
			if names[c.ID], err = h.userNames(ctx, p, c.ID); err != nil {
				return err
			}
		}
		card := reviewCard{Review: r, Display: readable(r.Number), Connection: c.Name, CRM: h.crm(c), More: r.Total - len(r.Candidates)}
		for _, one := range r.Candidates {
			one.Name, one.URL = visible(cmp.Or(one.Name, one.ID)), webURL(one.URL)
			one.Email, one.Company = visible(one.Email), visible(one.Company)
			card.Candidates = append(card.Candidates, candidateRow{one, visible(names[c.ID][one.Owner])})
		}
		if h.canCreate(c) {
			card.Create = creates(h.info(c))
		}
		card.Answer = answerWords(r.Choice, r.Object, nameOf(r.Candidates, r.Choice))
		v.Cards = append(v.Cards, card)
	}
	return nil
}

// nameOf is the name of a candidate.
func nameOf(all []records.Candidate, id string) string {
	for _, c := range all {
		if c.ID == id {
			return c.Name
		}
	}
	return ""
}

// answerWords say what was chosen.
func answerWords(choice, object, name string) string {
	switch choice {
	case "":
		return ""
	case records.ChoiceNone:
		return "Left without a contact"
	case records.ChoiceCreate:
		return "A new " + visible(cmp.Or(object, connectors.ObjectContact)) + " of its own"
	}
	if name == "" {
		return title(visible(object)) + " " + visible(choice)
	}
	return visible(name)
}

// userNames are the names of the users of a connection's CRM by their ids.
func (h *Handler) userNames(ctx context.Context, p principal, connectionID string) (map[string]string, error) {
	users, _, err := h.Store.CRMUsers(ctx, p.WorkspaceID, connectionID)
	names := map[string]string{}
	for _, u := range users {
		names[u.ID] = cmp.Or(u.Name, u.Email)
	}
	return names, err
}

func (h *Handler) choiceRows(ctx context.Context, p principal, k kept, before records.Cursor, v *reviewsView) (next string, err error) {
	all, err := h.Store.Choices(ctx, p.WorkspaceID, "", before, reviewPageSize+1)
	if err != nil {
		return "", err
	}
	all, next = page(all, reviewPageSize, func(c records.MatchChoice) records.Cursor { return records.Cursor{At: c.CreatedAt, ID: c.ID} })
	for _, one := range all {
		if c, ok := k.connection(one.ConnectionID); ok {
			v.Choices = append(v.Choices, choiceRow{one, readable(one.Number), c.Name, answerWords(one.Choice, one.Object, one.Name)})
		}
	}
	return next, nil
}

func (h *Handler) reviewResolveForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if _, err := h.Store.ReviewByID(r.Context(), p.WorkspaceID, r.PathValue("id")); err != nil {
		return err
	}
	object, id, ok := strings.Cut(r.PostFormValue("choice"), ":")
	if !ok || id == "" || len(id) > 200 {
		return invalid("choice", "Choose one of the answers.")
	}
	if _, err := h.resolve(r.Context(), p, r.PathValue("id"), id, object); err != nil {
		return err
	}
	http.Redirect(w, r, "/reviews?answered="+r.PathValue("id"), http.StatusSeeOther)
	return nil
}

// reviewReopenForm takes an answer back.
func (h *Handler) reviewReopenForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if _, err := h.reopenReview(r.Context(), p, &PathID{ID: r.PathValue("id")}); err != nil {
		return err
	}
	return back(w, r, "/reviews#"+r.PathValue("id"), "reopened")
}

func (h *Handler) choiceForgetForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := h.Store.ForgetChoice(r.Context(), p.WorkspaceID, r.PathValue("id")); err != nil {
		return err
	}
	http.Redirect(w, r, "/reviews?show=choices&done=forgotten", http.StatusSeeOther)
	return nil
}
