package admin

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// callsView is the list of calls.
type callsView struct {
	Filter      callsFilter
	Query       string
	States      []stateTab
	Chips       []filterChip
	Sources     []records.Source
	Connections []records.Connection
	Rows        []callRow
	Columns     []callColumn
	Show        map[string]bool
	// Self is this page, List it without its place in the list, Export its CSV, RetryAll what has all of it delivered again.
	Self, List, Next, First, Export, RetryAll string
	// Searched is until when the list was looked through, if the page is not full and there is more.
	Searched time.Time
	// Filtered tells an empty search from an empty workspace.
	Filtered bool
	// Open tells that one of the filters is on that are not always in sight.
	Open bool
	// Hooks are shown in an empty workspace: how to get the first call.
	Hooks []sourceCard
}

// Choices are the values of a filter.
func (v callsView) Choices(name string) []choice { return v.Filter.choices(name) }

// FilterQuery is the filter as its address has it.
func (v callsView) FilterQuery() string { return v.Filter.values.Encode() }

// Value is what a filter is set to.
func (v callsView) Value(name string) string { return v.Filter.get(name) }

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
	Business       string
	Queue          string
	Tags           []string
	Artifacts      map[string]artifactLine
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
	f := readCallsFilter(q, h.Now())
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	v := callsView{Filter: f, Query: f.get("q"), Sources: k.sorted(), Connections: k.connections, Filtered: f.any(), Chips: f.chips(k),
		List: f.url("/calls", nil), RetryAll: f.url("/calls/retry", func(u url.Values) { u.Set("all", "1") })}
	v.Columns, v.Show = callColumns(r)
	for _, name := range []string{"direction", "status", "recording", "transcription", "disposition", "from", "to", "lane"} {
		v.Open = v.Open || f.get(name) != ""
	}
	for _, s := range stateLabels {
		v.States = append(v.States, stateTab{s.label, f.url("/calls", func(u url.Values) {
			if u.Del("state"); s.state != "" {
				u.Set("state", s.state)
			}
		}), s.state == f.get("state")})
	}
	filter := f.filter()
	filter.Limit = defaultLimit
	if filter.Before, err = decodeCursor(q.Get("cursor")); err != nil {
		return err
	}
	v.Self = f.url("/calls", func(u url.Values) {
		if c := q.Get("cursor"); c != "" {
			u.Set("cursor", c)
		}
	})
	v.Export = exportURL(f, k)
	calls, err := h.Store.SearchCalls(r.Context(), p.WorkspaceID, filter)
	if err != nil {
		return err
	}
	v.Searched = calls.Searched
	if !calls.Next.Start() {
		v.Next = f.url("/calls", func(u url.Values) { u.Set("cursor", encodeCursor(calls.Next)) })
	}
	if !filter.Before.Start() {
		v.First = v.List
	}
	for _, item := range calls.Items {
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
	row.Business, row.Queue = visible(clip(cmp.Or(readable(c.BusinessNumber), c.BusinessRawNumber), 60)), visible(clip(c.Queue, 80))
	for _, t := range c.Tags[:min(len(c.Tags), 5)] {
		row.Tags = append(row.Tags, visible(clip(t, 60)))
	}
	row.Artifacts = map[string]artifactLine{}
	for a, status := range h.artifacts(item.CallRow, s) {
		var line artifactLine
		line.State, line.Tone = artifactChip(status.State)
		row.Artifacts[string(a)] = line
	}
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
	return unknownCaller, visible(clip(c.Email, 120))
}

// caller names who a list calls by a name or, if there is none, by a number.
func caller(nameOrNumber string) string {
	if strings.HasPrefix(nameOrNumber, "+") {
		nameOrNumber = readable(nameOrNumber)
	}
	return visible(clip(cmp.Or(nameOrNumber, unknownCaller), 120))
}

// unknownCaller stands for who has neither a name nor a number.
const unknownCaller = "Unknown caller"

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
