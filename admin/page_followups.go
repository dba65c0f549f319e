package admin

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// followUpsPage is the list of what actions made of calls.
type followUpsPage struct {
	Tabs []stateTab
	Tab  string
	Rows []followUpRow
	Next string
}

// followUpRow is one follow-up in the list, and on the page of a call.
type followUpRow struct {
	records.FollowUpItem
	// Who is the customer, What the task, ticket or deal.
	Who, What   string
	State, Chip string
	Why         []part
	Action      string
	CRM         string
	URL         string
	// Closes tells that somebody may close it here.
	Closes bool
}

// followUpTabs are what people look for, each with the states of its follow-ups.
var followUpTabs = []struct {
	name, label string
	states      []string
}{
	{"open", "Open", []string{records.FollowUpOpen, records.FollowUpOverdue, records.FollowUpEscalated}},
	{"overdue", "Overdue", []string{records.FollowUpOverdue, records.FollowUpEscalated}},
	{"done", "Done", []string{records.FollowUpDone}},
	{"cancelled", "Cancelled", []string{records.FollowUpCancelled}},
}

// followUpsShown is how many follow-ups a page shows, and at most of one call.
const followUpsShown = 50

func (h *Handler) followUpsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	v := followUpsPage{Tab: cmp.Or(r.URL.Query().Get("show"), "open")}
	before, err := decodeCursor(r.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	f := records.FollowUpFilter{Before: before.ID, Limit: followUpsShown + 1}
	for _, t := range followUpTabs {
		v.Tabs = append(v.Tabs, stateTab{Label: t.label, URL: "/follow-ups?show=" + t.name, Current: t.name == v.Tab})
		if t.name == v.Tab {
			f.States = t.states
		}
	}
	if f.States == nil {
		return notFound()
	}
	all, err := h.Store.FollowUps(r.Context(), p.WorkspaceID, f)
	if err != nil {
		return err
	}
	all, next := page(all, followUpsShown, followUpCursor)
	if next != "" {
		v.Next = "/follow-ups?show=" + v.Tab + "&cursor=" + url.QueryEscape(next)
	}
	for _, one := range all {
		v.Rows = append(v.Rows, h.followUpRow(one))
	}
	return h.show(w, r, p, "followups", "Follow-ups", "followups", v)
}

func (h *Handler) followUpRow(f records.FollowUpItem) followUpRow {
	why := h.whyFollowUp(f)
	row := followUpRow{FollowUpItem: f, Why: why.Parts, Action: why.Action, CRM: h.label(f.Connector), URL: webURL(f.Delivery.RemoteURL),
		Who: visible(cmp.Or(f.Customer, readable(f.Number), unknownCaller)), What: visible(cmp.Or(f.Plan.Subject, f.Action)),
		State: title(f.State), Chip: why.Tone, Closes: f.Kind == records.FollowUpTask && !f.Over()}
	if f.Delivery.State == records.DeliveryParked {
		row.State = "On hold"
	}
	return row
}

// label is what people call a connector.
func (h *Handler) label(connector string) string {
	if c, ok := h.Connectors[connector]; ok {
		return c.Info().Label
	}
	return connector
}

func (h *Handler) followUpCloseForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := h.Store.CloseFollowUp(r.Context(), p.WorkspaceID, r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/follow-ups", "closed")
}

func (h *Handler) followUpRetryForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := h.Store.RetryFollowUp(r.Context(), p.WorkspaceID, r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/follow-ups", "retried")
}

// actionsPage is the page of a connection's actions.
type actionsPage struct {
	ID, Name, CRM, Self string
	Text                string
	Version             int
	Author              string
	ChangedAt           time.Time
	Wrong               []string
	Unsaved             bool
	Empty               bool
	Example             string
	Last                int
	Preview             actionsPreviewView
}

type actionsPreviewView struct {
	ActionsPreview
	// Why says why there is nothing to show.
	Why []string
}

// At is the zone of the call's source.
func (c ActedCall) At() *time.Location { return c.at }

// exampleActions is what people start from.
const exampleActions = `actions:
  - name: Call back
    do: follow_up
    due_in: 30m
    hours: {days: [mon-fri], from: "09:00", to: "18:00"}
    priority: high
`

func (h *Handler) actionsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	o, err := h.acted(r.Context(), p, r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.showActions(w, r, p, o, h.newActionsPage(o), http.StatusOK)
}

func (h *Handler) newActionsPage(o actedConnection) actionsPage {
	return actionsPage{ID: o.id, Name: o.name, CRM: h.crm(o.connection), Self: "/connections/" + o.id + "/actions", Text: o.present.Document,
		Version: o.present.Version, Author: o.present.Author, ChangedAt: o.present.UpdatedAt, Empty: o.present.Document == "", Example: exampleActions, Last: previewed}
}

// actionsForm tries or saves the text of the page.
func (h *Handler) actionsForm(w http.ResponseWriter, r *http.Request, p principal) error {
	o, err := h.acted(r.Context(), p, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := h.newActionsPage(o)
	v.Text, v.Unsaved = r.PostForm.Get("text"), true
	v.Version, _ = strconv.Atoi(r.PostForm.Get("version"))
	v.Last = min(max(atoi(r.PostForm.Get("last"), previewed), 1), 500)
	status := http.StatusOK
	switch r.PostForm.Get("do") {
	case "example":
		v.Text = exampleActions
	case "save":
		if !p.may(admin) {
			return problem(http.StatusForbidden, "Your role may not do this. Ask an admin of your workspace.")
		}
		_, err := h.saveActions(r.Context(), p, o, strings.TrimSpace(v.Text), v.Version)
		if err == nil {
			to := v.Self + "?done=actions"
			if r.Header.Get("HX-Request") != "" {
				w.Header().Set("HX-Redirect", to)
				return nil
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
			return nil
		}
		refused := asProblem(r.Context(), h.Log, err)
		v.Wrong, status = []string{refused.Detail}, refused.Status
	}
	return h.showActions(w, r, p, o, v, status)
}

func (h *Handler) showActions(w http.ResponseWriter, r *http.Request, p principal, o actedConnection, v actionsPage, status int) error {
	text := strings.TrimSpace(v.Text)
	err := h.checkActions(r.Context(), p, o, text)
	if err == nil {
		v.Preview.ActionsPreview, err = h.previewActions(r.Context(), p, o, text, v.Last)
	}
	if err != nil {
		if problems := (mappings.RuleProblems)(nil); !errors.As(err, &problems) {
			return err
		}
		why := problemTexts(err)
		v.Preview.Why = why[:min(len(why), 5)]
		if v.Unsaved || len(v.Wrong) > 0 {
			v.Wrong = why
		}
	}
	f, err := h.newFrame(r, p, "Actions of "+o.name, "connections", v)
	if err != nil {
		return err
	}
	if status != http.StatusOK && r.Header.Get("HX-Request") != "" {
		status = http.StatusOK // htmx shows no others
	}
	return h.render(w, r, status, "actions", f)
}
