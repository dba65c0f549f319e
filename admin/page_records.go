package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// recordsView is the list of text messages, or that of form submissions.
type recordsView struct {
	// Name is what one of them is called in addresses, Title what all of them are called.
	Name, Title string
	Source      string
	Sources     []records.Source
	Rows        []recordRow
	Next, First string
}

// recordRow is one of them in the list.
type recordRow struct {
	URL, Who, Sub, Text, Source string
	Direction                   call.Direction
	At                          time.Time
	Loc                         *time.Location
}

// recordView is the page of a text message or a form submission.
type recordView struct {
	Back, BackTitle string
	Who, Sub, ID    string
	Direction       call.Direction
	At              time.Time
	Loc             *time.Location
	Source          string
	Body            string
	Media           []string
	Fields, Details []shownField
	Lanes           []laneCard
	Refresh         string
}

// shownText is how much of a text stands in a list.
const shownText = 140

func (h *Handler) messagesPage(w http.ResponseWriter, r *http.Request, p principal) error {
	return listPage(h, w, r, p, recordsView{Name: "messages", Title: "Text messages"}, h.Store.MessagesPage, func(m records.MessageRow, k kept) (recordRow, string) {
		row := recordRow{Direction: orUnknown(m.Message.Direction), Text: visible(clip(m.Message.Body, shownText)), At: firstTime(m.Message.SentAt, m.CreatedAt), Loc: location(k.sources[m.SourceID]),
			Source: cmp.Or(k.sources[m.SourceID].Name, m.Message.Provider), URL: "/messages/" + m.Message.ID}
		row.Who, row.Sub = whoIs(m.Message.Customer)
		return row, m.Message.ID
	})
}

func (h *Handler) formsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	return listPage(h, w, r, p, recordsView{Name: "forms", Title: "Form submissions"}, h.Store.FormsPage, func(f records.FormRow, k kept) (recordRow, string) {
		row := recordRow{Text: visible(clip(f.Form.FormURL, shownText)), At: firstTime(f.Form.SubmittedAt, f.CreatedAt), Loc: location(k.sources[f.SourceID]),
			Source: cmp.Or(k.sources[f.SourceID].Name, f.Form.Provider), URL: "/forms/" + f.Form.ID}
		row.Who, row.Sub = whoIs(f.Form.Customer)
		return row, f.Form.ID
	})
}

func firstTime(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

func listPage[R any](h *Handler, w http.ResponseWriter, r *http.Request, p principal, v recordsView,
	read func(ctx context.Context, workspaceID string, f records.RecordFilter) ([]R, error), row func(R, kept) (recordRow, string)) error {
	q := r.URL.Query()
	v.Source = q.Get("source")
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	for _, s := range k.sources {
		v.Sources = append(v.Sources, s)
	}
	slices.SortFunc(v.Sources, func(a, b records.Source) int { return cmp.Compare(a.ID, b.ID) })
	before := q.Get("before")
	items, err := read(r.Context(), p.WorkspaceID, records.RecordFilter{SourceID: known(v.Source), Before: known(before), Limit: defaultLimit + 1})
	if err != nil {
		return err
	}
	address := func(before string) string {
		values := url.Values{}
		if v.Source != "" {
			values.Set("source", v.Source)
		}
		if before != "" {
			values.Set("before", before)
		}
		if len(values) == 0 {
			return "/" + v.Name
		}
		return "/" + v.Name + "?" + values.Encode()
	}
	more := len(items) > defaultLimit
	last := ""
	for _, item := range items[:min(len(items), defaultLimit)] {
		one, id := row(item, k)
		v.Rows, last = append(v.Rows, one), id
	}
	if more {
		v.Next = address(last)
	}
	if before != "" {
		v.First = address("")
	}
	return h.show(w, r, p, "records", v.Title, "calls", v)
}

func (h *Handler) messagePage(w http.ResponseWriter, r *http.Request, p principal) error {
	m, err := h.Store.MessageByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := recordView{Back: "/messages", BackTitle: "Text messages", ID: m.Message.ID, Direction: orUnknown(m.Message.Direction), At: firstTime(m.Message.SentAt, m.CreatedAt), Body: visible(m.Message.Body)}
	for _, one := range m.Message.Media {
		v.Media = append(v.Media, webURL(one))
	}
	v.Media = slices.DeleteFunc(v.Media, func(s string) bool { return s == "" })
	v.detail("Your number", readable(m.Message.BusinessNumber))
	for _, a := range m.Message.Agents {
		v.detail("Agent", visible(cmp.Or(a.Name, a.Email, a.ID)))
	}
	v.detail("Conversation", visible(m.Message.ConversationID))
	v.detail("Lead status", visible(m.Message.LeadStatus))
	return h.recordPage(w, r, p, v, m.Message.Customer, m.SourceID, m.Message.Provider, m.Revision, m.CreatedAt)
}

func (h *Handler) formPage(w http.ResponseWriter, r *http.Request, p principal) error {
	f, err := h.Store.FormByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := recordView{Back: "/forms", BackTitle: "Form submissions", ID: f.Form.ID, At: firstTime(f.Form.SubmittedAt, f.CreatedAt)}
	for _, name := range slices.Sorted(maps.Keys(f.Form.Fields)) {
		v.Fields = append(v.Fields, shownField{visible(clip(name, 200)), plainValue(f.Form.Fields[name])})
	}
	v.detail("Form", visible(f.Form.FormURL))
	v.detail("Landing page", visible(f.Form.LandingPage))
	v.detail("Source", visible(f.Form.Attribution.Source))
	v.detail("Medium", visible(f.Form.Attribution.Medium))
	v.detail("Campaign", visible(f.Form.Attribution.Campaign))
	return h.recordPage(w, r, p, v, f.Form.Customer, f.SourceID, f.Form.Provider, f.Revision, f.CreatedAt)
}

func (v *recordView) detail(name, value string) {
	if value != "" {
		v.Details = append(v.Details, shownField{name, value})
	}
}

func (h *Handler) recordPage(w http.ResponseWriter, r *http.Request, p principal, v recordView, who call.Party, sourceID, provider string, revision int64, at time.Time) error {
	lanes, _, loc, err := h.lanesOf(r.Context(), p.WorkspaceID, v.ID, sourceID, revision, at)
	if err != nil {
		return err
	}
	h.labelKept(r.Context(), p.WorkspaceID, strings.TrimSuffix(strings.TrimPrefix(v.Back, "/"), "s"), lanes)
	s, err := h.Store.SourceByID(r.Context(), p.WorkspaceID, sourceID)
	if err == nil {
		provider = s.Name
	}
	v.Who, v.Sub = whoIs(who)
	cures, err := h.cures(r.Context(), p, s, lanes)
	if err != nil {
		return err
	}
	v.Loc, v.Source, v.Lanes = loc, provider, laneCards(lanes, cures, loc)
	for _, l := range v.Lanes {
		if l.Tone == "wait" {
			v.Refresh = fmt.Sprintf("%s/%s", v.Back, v.ID)
		}
	}
	return h.show(w, r, p, "record", v.Who, "calls", v)
}
