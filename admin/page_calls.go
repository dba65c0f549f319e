package admin

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// callsView is the list of calls.
type callsView struct {
	Query, State, Source, Connection string
	States                           []stateTab
	Sources                          []records.Source
	Connections                      []records.Connection
	Rows                             []callRow
	Self, Next, First                string
	// Filtered tells an empty search from an empty workspace.
	Filtered bool
	// Hooks are shown in an empty workspace: how to get the first call.
	Hooks []sourceCard
	Wrong string
}

type stateTab struct {
	Label, URL string
	Current    bool
}

// callRow is one call in the list.
type callRow struct {
	ID             string
	At             time.Time
	Loc            *time.Location
	Title, Sub     string
	Direction      call.Direction
	Status         call.Status
	Agents         string
	Duration       *int64
	Source         string
	State, Chip    string
	Lanes          []laneChip
	Line           []part
	Recorded, Live bool
	trouble        bool // Line is about trouble
}

type laneChip struct{ Name, Label, Tone, URL string }

var stateLabels = []struct{ state, label, tone string }{
	{"", "All", ""}, {records.CallLive, "Live", "live"}, {records.CallWaiting, "Waiting", "wait"},
	{records.CallSynced, "Synced", "done"}, {records.CallOnHold, "On hold", "trouble"}, {records.CallSkipped, "Skipped", "idle"},
}

// stateChip is the word and the colour of a call's state.
func stateChip(state string) (label, tone string) {
	for _, s := range stateLabels {
		if s.state == state {
			return s.label, s.tone
		}
	}
	return title(state), "idle"
}

// deliveryChip is the word and the colour of a delivery's state.
func deliveryChip(d *records.Delivery, revision int64) (label, tone string) {
	switch {
	case d == nil:
		return "Waiting", "wait"
	case d.State == records.DeliveryParked:
		return "On hold", "trouble"
	case d.State == records.DeliverySkipped:
		return "Skipped", "idle"
	case d.State == records.DeliveryDone && d.Revision >= revision:
		return "Synced", "done"
	case d.State == records.DeliveryDone:
		return "Update waiting", "wait"
	case d.State == records.DeliverySending || d.State == records.DeliveryReserved:
		return "Sending", "wait"
	case d.Class != "":
		return "Trying again", "wait"
	}
	return "Waiting", "wait"
}

func (h *Handler) callsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	q := r.URL.Query()
	v := callsView{Query: clip(q.Get("q"), 200), State: q.Get("state"), Source: q.Get("source"), Connection: q.Get("connection")}
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	for _, s := range k.sources {
		v.Sources = append(v.Sources, s)
	}
	slices.SortFunc(v.Sources, func(a, b records.Source) int { return strings.Compare(a.ID, b.ID) })
	v.Connections = k.connections
	v.Filtered = v.Query != "" || v.State != "" || v.Source != "" || v.Connection != ""
	filter := url.Values{}
	for name, value := range map[string]string{"q": v.Query, "state": v.State, "source": v.Source, "connection": v.Connection} {
		if value != "" {
			filter.Set(name, value)
		}
	}
	address := func(change func(url.Values)) string {
		values := url.Values{}
		for name, value := range filter {
			values[name] = value
		}
		change(values)
		if len(values) == 0 {
			return "/calls"
		}
		return "/calls?" + values.Encode()
	}
	for _, s := range stateLabels {
		v.States = append(v.States, stateTab{s.label, address(func(u url.Values) {
			if u.Del("state"); s.state != "" {
				u.Set("state", s.state)
			}
		}), s.state == v.State})
	}
	f := records.CallFilter{Query: v.Query, State: v.State, SourceID: known(v.Source), ConnectionID: known(v.Connection), Limit: defaultLimit + 1}
	if f.Before, err = decodeCursor(q.Get("cursor")); err != nil {
		return err
	}
	v.Self = address(func(u url.Values) {
		if c := q.Get("cursor"); c != "" {
			u.Set("cursor", c)
		}
	})
	items, err := h.Store.CallsPage(r.Context(), p.WorkspaceID, f)
	if err != nil {
		return err
	}
	items, next := page(items, defaultLimit, callCursor)
	if next != "" {
		v.Next = address(func(u url.Values) { u.Set("cursor", next) })
	}
	if !f.Before.Start() {
		v.First = address(func(url.Values) {})
	}
	for _, item := range items {
		v.Rows = append(v.Rows, h.callRow(item, k))
	}
	if len(v.Rows) == 0 && !v.Filtered && v.First == "" {
		for _, s := range v.Sources {
			v.Hooks = append(v.Hooks, h.sourceCard(s, k, p.may(operator)))
		}
	}
	return h.show(w, r, p, "calls", "Calls", "calls", v)
}

// known is an id that may go to the database; one that is none finds nothing.
func known(id string) string {
	if id == "" || validID(id) {
		return id
	}
	return "00000000-0000-0000-0000-000000000000"
}

func (h *Handler) callRow(item records.CallItem, k kept) callRow {
	c := item.Call
	s := k.sources[c.SourceID]
	row := callRow{ID: c.ID, At: item.ListedAt, Loc: location(s), Direction: orUnknown(c.Direction), Status: orUnknown(c.Status),
		Agents: agentNames(c), Duration: cmp.Or(c.DurationSeconds, c.TalkSeconds), Source: cmp.Or(s.Name, c.Provider),
		Recorded: !recordingAt([]call.Event{{Facts: c.Facts, ReceivedAt: h.Now()}}).IsZero(), Live: c.Phase == call.Live}
	row.Title, row.Sub = whoIs(c.Customer)
	row.State, row.Chip = stateChip(item.State)
	histories := make([]records.DeliveryHistory, len(item.Deliveries))
	for i, d := range item.Deliveries {
		histories[i].Delivery = d
	}
	for _, l := range h.explainAll(k, item.CallRow, nil, histories) {
		var d *records.Delivery
		chip := laneChip{Name: l.Connection.Name}
		if l.Delivery != nil {
			d = &l.Delivery.Delivery
			chip.URL = webURL(d.RemoteURL)
		}
		chip.Label, chip.Tone = deliveryChip(d, c.Revision)
		if c.Phase == call.Live {
			chip.Label, chip.Tone = "After the call", "idle"
		}
		row.Lanes = append(row.Lanes, chip)
		// One line below the CRMs: what is in the way, else what is waited for.
		if l.Tone == "trouble" && !row.trouble || l.Tone == "wait" && row.Line == nil && !row.Live {
			row.Line, row.trouble = l.Parts, l.Tone == "trouble"
		}
	}
	return row
}

// whoIs names a party: by name with the number below, else by number.
func whoIs(c call.Party) (title, sub string) {
	number := cmp.Or(readable(c.Number), visible(clip(c.RawNumber, 60)))
	name := visible(clip(cmp.Or(c.Name, c.Company), 120))
	switch {
	case name != "" && number != "":
		return name, number
	case name != "":
		return name, visible(clip(c.Email, 120))
	case number != "":
		return number, visible(clip(cmp.Or(c.Email, c.City), 120))
	}
	return "Unknown caller", visible(clip(c.Email, 120))
}

// readable writes an E.164 number with the spaces that people of its country are used to.
func readable(e164 string) string {
	n, err := phonenumbers.Parse(e164, "ZZ")
	if err != nil {
		return e164
	}
	return phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
}

// agentNames lists who was on the call: those who answered, else all who were tried.
func agentNames(c call.Call) string {
	var talked, all []string
	for _, a := range c.Agents {
		name := visible(clip(cmp.Or(a.Name, a.Email, a.Number, a.Extension, a.ID), 80))
		all = append(all, name)
		if a.Status == call.AgentAnswered || a.Status == call.AgentTransferred {
			talked = append(talked, name)
		}
	}
	names := talked
	if len(names) == 0 {
		names = all
	}
	if len(names) > 3 {
		names = append(names[:3:3], "…")
	}
	return strings.Join(names, ", ")
}

// webURL is u if a browser may be sent there; what strangers and CRMs send as a URL may be anything.
func webURL(u string) string {
	parsed, err := url.Parse(u)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") {
		return ""
	}
	return u
}
