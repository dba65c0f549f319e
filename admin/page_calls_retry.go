package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/records"
)

const (
	// maxChosenCalls bounds the calls that are chosen one by one.
	maxChosenCalls = 1000
	// countedCalls bounds what is counted before a retry; what is delivered has no bound.
	countedCalls = 10_000
)

// callsRetryView asks whether calls shall be delivered again.
type callsRetryView struct {
	What, Count string
	None        bool
	Into        []retryLane
	Hidden      []hiddenInput
	Back        string
	Wrong       string
}

// retryLane is a connection with how its deliveries of the calls stand.
type retryLane struct {
	ID, Name, Text string
	Chosen         bool
	// Stopped tells that the connection takes nothing now.
	Stopped string
}

// chosenCalls are the ids of a form, each once.
func chosenCalls(ids []string) []string {
	var out []string
	for _, id := range ids {
		if validID(id) && !slices.Contains(out, id) && len(out) < maxChosenCalls {
			out = append(out, id)
		}
	}
	return out
}

func (h *Handler) callsRetryPage(w http.ResponseWriter, r *http.Request, p principal) error {
	return h.showCallsRetry(w, r, p, http.StatusOK, r.URL.Query(), "")
}

func (h *Handler) showCallsRetry(w http.ResponseWriter, r *http.Request, p principal, status int, q url.Values, wrong string) error {
	list := readCallsFilter(q, h.Now())
	ids := chosenCalls(q["id"])
	if len(ids) == 0 && q.Get("all") == "" {
		http.Redirect(w, r, list.url("/calls", nil), http.StatusSeeOther)
		return nil
	}
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	v := callsRetryView{Back: list.url("/calls", nil), Wrong: wrong}
	f := list.filter()
	if len(ids) > 0 {
		f = records.CallFilter{IDs: ids}
	}
	n, err := h.Store.CountCalls(r.Context(), p.WorkspaceID, f, countedCalls)
	if err != nil {
		return err
	}
	v.What, v.None = filterWords(f, k), n.Calls == 0
	v.Count = plural(int(n.Calls), "call")
	if n.More {
		v.Count = fmt.Sprintf("More than %d calls", countedCalls)
	}
	held := 0
	for _, c := range k.connections {
		lanes := n.Lanes[c.ID]
		lane := retryLane{ID: c.ID, Name: c.Name}
		var words []string
		for _, s := range []struct{ state, word string }{{records.DeliveryParked, "on hold"}, {records.DeliveryWaiting, "waiting"}, {records.DeliverySending, "being sent"}, {records.DeliveryDone, "synced"}, {records.DeliverySkipped, "skipped"}} {
			if lanes[s.state] > 0 {
				words = append(words, fmt.Sprintf("%d %s", lanes[s.state], s.word))
			}
		}
		if lane.Text = strings.Join(words, ", "); len(words) == 0 {
			lane.Text = "none of them so far"
		}
		if lane.Chosen = lanes[records.DeliveryParked]+lanes[records.DeliveryWaiting] > 0; lane.Chosen {
			held++
		}
		switch c.Status {
		case records.ConnectionPaused:
			lane.Stopped = "It is paused: the calls stay on hold until it is resumed."
		case records.ConnectionRevoked:
			lane.Stopped = "It refuses our access: the calls stay on hold until it is connected again."
		}
		v.Into = append(v.Into, lane)
	}
	if held == 0 {
		for i := range v.Into {
			v.Into[i].Chosen = true
		}
	}
	add := func(name, value string) {
		if value != "" {
			v.Hidden = append(v.Hidden, hiddenInput{name, value})
		}
	}
	for _, id := range ids {
		add("id", id)
	}
	if len(ids) == 0 {
		add("all", "1")
		for name := range list.values {
			if name != "when" && name != "from" && name != "to" && name != "zone" {
				add(name, list.get(name))
			}
		}
		// What came after this page was made was not counted on it.
		from, to := list.span()
		if to.IsZero() {
			to = h.Now()
		}
		if !from.IsZero() {
			add("from", from.UTC().Format(time.RFC3339))
		}
		add("to", to.UTC().Add(time.Second).Format(time.RFC3339))
		slices.SortFunc(v.Hidden, func(a, b hiddenInput) int { return strings.Compare(a.Name, b.Name) })
	}
	frame, err := h.newFrame(r, p, "Deliver again", "calls", v)
	if err != nil {
		return err
	}
	return h.render(w, r, status, "calls_retry", frame)
}

// callsRetryForm queues the calls as a resync, which delivers them behind the live ones, so many at a time, oldest first.
func (h *Handler) callsRetryForm(w http.ResponseWriter, r *http.Request, p principal) error {
	var in resyncCreate
	ids := chosenCalls(r.PostForm["id"])
	switch {
	case len(ids) > 0:
		in.Body.Filter = ResyncFilter{IDs: ids}
	case r.PostForm.Get("all") == "":
		return problem(http.StatusUnprocessableEntity, "No calls were chosen. Go back to the list and choose some.")
	default:
		in.Body.Filter = resyncFilter(readCallsFilter(r.PostForm, h.Now()).query(), nil)
	}
	if in.Body.Connections = r.PostForm["into"]; len(in.Body.Connections) == 0 {
		return h.showCallsRetry(w, r, p, http.StatusUnprocessableEntity, r.PostForm, "Choose at least one connection to deliver to.")
	}
	resync, err := h.createResync(r.Context(), p, &in)
	if err != nil {
		return err
	}
	return back(w, r, "/resyncs#"+resync.Body.ID, "resyncing")
}
