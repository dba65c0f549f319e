package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/records"
)

// resyncsView is the page of resyncs: one to start, and how far the others are.
type resyncsView struct {
	Form        resyncForm
	Sources     []records.Source
	Connections []records.Connection
	// Active are those that go on, Past the others.
	Active, Past []resyncCard
}

// resyncForm is what somebody has chosen.
type resyncForm struct {
	Query, State, Source, Connection, From, To string
	Into                                       []string
	Wrong                                      map[string]string
	Problem                                    string
}

// resyncCard is a resync as people see it.
type resyncCard struct {
	ResyncView
	Label, Tone string
	// What are the calls it chose and Into where they go, in words.
	What, Into string
	// Settled is how many of its calls need nothing more.
	Settled int64
	// Again are the inputs that start the same in earnest, after it was only counted.
	Again []hiddenInput
}

type hiddenInput struct{ Name, Value string }

const dateForm = "2006-01-02"

func (h *Handler) resyncsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	q := r.URL.Query()
	f := resyncForm{Query: clip(q.Get("q"), 200), State: q.Get("state"), Source: q.Get("source"), Connection: q.Get("connection"), Into: q["into"]}
	return h.showResyncs(w, r, p, http.StatusOK, f)
}

func (h *Handler) showResyncs(w http.ResponseWriter, r *http.Request, p principal, status int, f resyncForm) error {
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	v := resyncsView{Form: f, Connections: k.connections}
	for _, s := range k.sources {
		v.Sources = append(v.Sources, s)
	}
	slices.SortFunc(v.Sources, func(a, b records.Source) int { return strings.Compare(a.ID, b.ID) })
	all, err := h.Store.Resyncs(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	for _, one := range all {
		card := h.resyncCard(one, k)
		if one.State == records.ResyncDone || one.State == records.ResyncCancelled {
			v.Past = append(v.Past, card)
		} else {
			v.Active = append(v.Active, card)
		}
	}
	frame, err := h.newFrame(r, p, "Resyncs", "calls", v)
	if err != nil {
		return err
	}
	return h.render(w, r, status, "resyncs", frame)
}

func (h *Handler) resyncCard(r records.Resync, k kept) resyncCard {
	c := resyncCard{ResyncView: h.viewResync(r), Settled: r.Done + r.Failed + r.Skipped}
	c.Label, c.Tone = resyncState(r)
	f := r.Filter
	c.What = filterWords(f, k)
	var into []string
	for _, id := range r.Connections {
		if conn, ok := k.connection(id); ok {
			into = append(into, conn.Name)
		}
	}
	c.Into = "every connection"
	if len(into) > 0 {
		c.Into = strings.Join(into, ", ")
	}
	if r.DryRun && r.State == records.ResyncDone && r.Total > 0 {
		view := viewFilter(f)
		for name, value := range map[string]string{"q": f.Query, "state": f.State, "source": f.SourceID, "connection": f.ConnectionID, "lane": view.Lane, "direction": view.Direction,
			"status": view.Status, "recording": view.Recording, "transcription": view.Transcription, "disposition": view.Disposition} {
			if value != "" {
				c.Again = append(c.Again, hiddenInput{name, value})
			}
		}
		for _, id := range f.IDs {
			c.Again = append(c.Again, hiddenInput{"id", id})
		}
		for name, at := range map[string]time.Time{"from": f.From, "to": f.To} {
			if !at.IsZero() {
				c.Again = append(c.Again, hiddenInput{name, at.Format(time.RFC3339)})
			}
		}
		for _, id := range r.Connections {
			c.Again = append(c.Again, hiddenInput{"into", id})
		}
		slices.SortFunc(c.Again, func(a, b hiddenInput) int { return strings.Compare(a.Name+a.Value, b.Name+b.Value) })
	}
	return c
}

// resyncState is the word and the colour of how far a resync is.
func resyncState(r records.Resync) (label, tone string) {
	switch r.State {
	case records.ResyncListing:
		return "Counting", "wait"
	case records.ResyncRunning:
		return "Running", "wait"
	case records.ResyncPaused:
		return "Paused", "idle"
	case records.ResyncCancelled:
		return "Cancelled", "idle"
	}
	if r.DryRun {
		return "Counted", "idle"
	}
	if r.Failed > 0 {
		return "Done, some on hold", "trouble"
	}
	return "Done", "done"
}

// resyncCreateForm starts a resync, or counts what it would deliver.
func (h *Handler) resyncCreateForm(w http.ResponseWriter, r *http.Request, p principal) error {
	text := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	f := resyncForm{Query: clip(text("q"), 200), State: text("state"), Source: text("source"), Connection: text("connection"),
		From: text("from"), To: text("to"), Into: r.PostForm["into"], Wrong: map[string]string{}}
	var in resyncCreate
	b := &in.Body
	// What a list of calls was filtered by beside what this page asks for.
	b.Filter = resyncFilter(readCallsFilter(r.PostForm, h.Now()).query(), chosenCalls(r.PostForm["id"]))
	b.Filter.Query, b.Filter.State, b.Filter.Source, b.Filter.Connection = f.Query, f.State, f.Source, f.Connection
	b.Connections, b.DryRun = f.Into, r.PostForm.Get("do") == "count"
	// The browser names its zone: a day is the reader's day. Without a script it is a day in UTC.
	zone, err := time.LoadLocation(text("zone"))
	if err != nil || text("zone") == "Local" {
		zone = time.UTC
	}
	var out faults
	b.Filter.From = dayOf(&out, "filter.from", f.From, zone, 0)
	b.Filter.To = dayOf(&out, "filter.to", f.To, zone, 1)
	if !slices.Contains([]string{"", records.CallWaiting, records.CallSynced, records.CallOnHold, records.CallSkipped}, f.State) {
		out.add("filter.state", "Choose one of the states.")
	}
	if err = out.problem(); err == nil {
		var made *answer[ResyncView]
		if made, err = h.createResync(r.Context(), p, &in); err == nil {
			return back(w, r, "/resyncs/"+made.Body.ID, map[bool]string{true: "counting", false: "resyncing"}[b.DryRun])
		}
	}
	var problem *Problem
	if !errors.As(err, &problem) || problem.Status != http.StatusUnprocessableEntity {
		return err
	}
	all := problem.Errors
	if len(all) == 0 {
		all = []FieldError{{problem.Field, problem.Detail}}
	}
	for _, e := range all {
		name := strings.TrimPrefix(e.Field, "filter.")
		if name == "from" || name == "to" {
			f.Wrong[name] = e.Message
		} else {
			f.Problem = e.Message
		}
	}
	return h.showResyncs(w, r, p, http.StatusUnprocessableEntity, f)
}

// dayOf is the beginning of a day, days later, in zone; or the moment that a form of ours has named.
func dayOf(out *faults, field, text string, zone *time.Location, days int) time.Time {
	if text == "" {
		return time.Time{}
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at
	}
	at, err := time.ParseInLocation(dateForm, text, zone)
	if err != nil {
		out.add(field, "Give a day such as 2026-03-31.")
		return time.Time{}
	}
	return at.AddDate(0, 0, days).UTC()
}

func (h *Handler) resyncStateForm(w http.ResponseWriter, r *http.Request, p principal) error {
	states := map[string]string{"pause": records.ResyncPaused, "resume": records.ResyncRunning, "cancel": records.ResyncCancelled}
	state, ok := states[r.PathValue("do")]
	if !ok {
		return notFound()
	}
	if _, err := h.resyncTo(state)(r.Context(), p, &PathID{ID: r.PathValue("id")}); err != nil {
		return err
	}
	return back(w, r, "/resyncs/"+r.PathValue("id"), "resync-"+r.PathValue("do"))
}
