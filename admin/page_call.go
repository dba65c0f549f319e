package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// callPageView is the page of one call.
type callPageView struct {
	Call          call.Call
	Loc           *time.Location
	Title, Sub    string
	State, Chip   string
	Agents        string
	Duration      *int64
	StartedAt     time.Time
	Source        string
	Lanes         []laneCard
	FollowUps     []followUpRow
	Timeline      []moment
	Artifacts     []artifactLine
	WindowFrom    time.Time
	WindowUntil   time.Time
	Waiting       bool
	Recordings    []recordingLine
	Transcript    transcript
	TranscriptURL string
	Note          string
	Tags          []string
	Disposition   string
	Details       []shownField
	Refresh       bool
	// NoConnections tells that the workspace has none, NoLanes that the source feeds none of those that it has.
	NoConnections, NoLanes bool
	SourceID               string
}

// laneCard is one CRM on the page.
type laneCard struct {
	// N tells the lanes of a page apart, and Loc is the zone in which they are told of.
	N             int
	Loc           *time.Location
	ID, Name, CRM string
	Tone          string
	State, Chip   string
	Why           []part
	Help          cure
	URL           string
	RemoteID      string
	Written       []shownField
	Kept          []keptLine
	Shadow        *shadowCard
	Steps         []stepLine
	Warnings      []string
	Attempts      []records.Attempt
	Field, Detail string
}

type stepLine struct {
	Text string
	At   time.Time
}

// artifactLine is one artifact with its clock.
type artifactLine struct {
	Label, State, Tone string
	Deadline           time.Time
	Waiting            bool
	Hint, Usual        string
}

// moment is one entry of the timeline.
type moment struct {
	At     time.Time
	Tone   string
	What   string
	More   string
	URL    string
	Future bool
}

func (h *Handler) callPage(w http.ResponseWriter, r *http.Request, p principal) error {
	d, err := h.callDetail(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	if d.Call.ID != r.PathValue("id") {
		http.Redirect(w, r, "/calls/"+d.Call.ID, http.StatusSeeOther)
		return nil
	}
	h.labelKept(r.Context(), p.WorkspaceID, connectors.ObjectCall, d.lanes)
	v, err := h.callPageView(r.Context(), p, d)
	if err != nil {
		return err
	}
	h.allowSound(w)
	return h.show(w, r, p, "call", v.Title, "calls", v)
}

func (h *Handler) callPageView(ctx context.Context, p principal, d callDetail) (callPageView, error) {
	c := d.Call
	v := callPageView{Call: c, Loc: location(d.source), Agents: agentNames(c), Duration: cmp.Or(c.DurationSeconds, c.TalkSeconds),
		StartedAt: d.ListedAt, Source: cmp.Or(d.source.Name, c.Provider), WindowFrom: windowUntil(d.CallRow, 0),
		WindowUntil: windowUntil(d.CallRow, d.source.Window), Note: visible(c.Note), NoConnections: len(d.kept.connections) == 0,
		NoLanes: len(d.kept.connections) > 0 && len(d.lanes) == 0, SourceID: d.source.ID,
		Refresh: d.State == records.CallLive || d.State == records.CallWaiting}
	v.Call.Direction, v.Call.Status = orUnknown(c.Direction), orUnknown(c.Status)
	v.Title, v.Sub = whoIs(c.Customer)
	v.State, v.Chip = stateChip(d.State)
	for _, t := range c.Tags {
		v.Tags = append(v.Tags, visible(t))
	}
	v.Disposition = visible(strings.Join(slices.DeleteFunc([]string{c.Disposition.Value, c.Disposition.SubValue}, func(s string) bool { return s == "" }), " › "))
	cures, err := h.cures(ctx, p, d.source, d.lanes)
	if err != nil {
		return v, err
	}
	v.Lanes = laneCards(d.lanes, cures, v.Loc)
	for _, f := range d.followUps {
		v.FollowUps = append(v.FollowUps, h.followUpRow(f))
	}
	v.Artifacts = h.artifactLines(d)
	for _, a := range v.Artifacts {
		v.Waiting = v.Waiting || a.Waiting
	}
	v.Recordings = h.recordingLines(c, d.recordings)
	v.Transcript, v.TranscriptURL = readTranscript(c.Transcription.Text), webURL(c.Transcription.URL)
	v.Details = callDetails(c)
	v.Timeline = h.timeline(d)
	return v, nil
}

func laneCards(lanes []explained, cures []cure, loc *time.Location) []laneCard {
	var cards []laneCard
	for i, l := range lanes {
		card := laneCardOf(l)
		card.N, card.Loc, card.Help = i, loc, cures[i]
		cards = append(cards, card)
	}
	return cards
}

func laneCardOf(l explained) laneCard {
	card := laneCard{ID: l.Connection.ID, Name: l.Connection.Name, CRM: l.CRM, Tone: l.Tone, Why: l.Parts}
	if l.Delivery == nil {
		card.State, card.Chip = deliveryChip(nil, 0)
		if l.Call.Phase == call.Live {
			card.State = "After the call"
		}
		if l.Tone == "trouble" || l.Tone == "idle" {
			card.Chip = l.Tone
		}
		return card
	}
	d := l.Delivery
	card.State, card.Chip = deliveryChip(&d.Delivery, l.Call.Revision)
	if card.RemoteID = visible(d.RemoteID); d.State != records.DeliverySkipped || d.Class != "deleted" {
		card.URL = webURL(d.RemoteURL)
	}
	card.Field, card.Detail, card.Warnings = visible(d.Field), visible(clip(d.Detail, 2000)), d.Warnings
	card.Attempts = slices.Clone(d.Attempts)
	slices.Reverse(card.Attempts)
	card.Written = plainFields(d.Written)
	card.Kept = keptLines(d.Kept, l.labels)
	if d.Shadow != nil {
		card.Shadow = shadowOf(d.Shadow)
	}
	for name, s := range d.Steps {
		text := s.Text
		if text == "" {
			text = stepName(name)
		}
		if s.Name != "" {
			text += ": " + clip(s.Name, 120)
		}
		card.Steps = append(card.Steps, stepLine{visible(text), s.At})
	}
	slices.SortFunc(card.Steps, func(a, b stepLine) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Text, b.Text)) })
	return card
}

// shadowCard is what a connection in shadow mode would have written.
type shadowCard struct {
	Fields, Creates []shownField
	Actions         []records.ShadowAction
	Object, Party   string
}

func shadowOf(s *records.Shadow) *shadowCard {
	c := &shadowCard{Fields: plainFields(s.Fields), Creates: plainFields(s.Creates), Actions: s.Actions, Object: cmp.Or(s.Object, connectors.ObjectContact)}
	switch {
	case s.Contact != "":
		c.Party = "On the " + c.Object + " " + visible(clip(s.Contact, 200)) + "."
	case s.ContactID != "":
		c.Party = "On the " + c.Object + " " + visible(clip(s.ContactID, 200)) + "."
	case len(s.Creates) == 0:
		c.Party = "On no contact."
	}
	return c
}

// plainFields are a CRM's fields by name, as text.
func plainFields(fields map[string]any) []shownField {
	var out []shownField
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		out = append(out, shownField{visible(clip(name, 200)), plainValue(fields[name])})
	}
	return out
}

// stepName says a step's key in words: "link:contact" is "Linked to contact".
func stepName(name string) string {
	if object, ok := strings.CutPrefix(name, "link:"); ok {
		return "Linked to " + object
	}
	return title(name)
}

// plainValue shows a value as a CRM has it.
func plainValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "(cleared)"
	case string:
		return visible(clip(v, 2000))
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return visible(clip(string(b), 2000))
}

func (h *Handler) artifactLines(d callDetail) []artifactLine {
	all := h.artifacts(d.CallRow, d.source)
	var out []artifactLine
	for _, a := range artifactOrder {
		s := all[a]
		line := artifactLine{Label: title(string(a)), Deadline: s.Deadline}
		if a == call.ArtifactDetails {
			line.Label = "Tags and notes"
		}
		line.State, line.Tone = artifactChip(s.State)
		switch s.State {
		case call.Overdue:
			line.Hint = "It did not come in time. If it still comes, the CRMs are updated."
		case call.Expected:
			line.Waiting = d.Call.Phase == call.Ended
			if usual, ok := d.usual[a]; ok {
				line.Usual = "usually there within " + roundedUp(usual)
			}
		}
		out = append(out, line)
	}
	return out
}

// artifactChip is the word and the colour of what has become of an artifact.
func artifactChip(s call.ArtifactState) (label, tone string) {
	switch s {
	case call.Arrived:
		return "Arrived", "done"
	case call.Overdue:
		return "Overdue", "trouble"
	case call.Expected:
		return "Expected", "wait"
	}
	return "Not expected", "idle"
}

// callDetails are the facts that have no place of their own on the page.
func callDetails(c call.Call) []shownField {
	var out []shownField
	add := func(name, value string) {
		if value = strings.TrimSpace(value); value != "" {
			out = append(out, shownField{visible(clip(name, 100)), visible(clip(value, 500))})
		}
	}
	add("Customer number", readable(c.Customer.Number))
	if c.Customer.RawNumber != c.Customer.Number {
		add("As it was sent", c.Customer.RawNumber)
	}
	add("E-mail", c.Customer.Email)
	add("Company", c.Customer.Company)
	add("Place", strings.Join(slices.DeleteFunc([]string{c.Customer.City, c.Customer.State, c.Customer.Country}, func(s string) bool { return s == "" }), ", "))
	add("Our number", cmp.Or(readable(c.BusinessNumber), c.BusinessRawNumber))
	add("Rang for", spoken(c.RingSeconds))
	add("Talked for", spoken(c.TalkSeconds))
	add("On hold for", spoken(c.HoldSeconds))
	add("Queue", c.Queue)
	add("Department", c.Department)
	add("Menu path", strings.Join(c.IVRPath, " › "))
	add("Digits", strings.Join(c.Digits, " "))
	add("Campaign", cmp.Or(c.Campaign.Name, c.Campaign.ID))
	add("Lead status", c.LeadStatus)
	if c.Value != nil {
		add("Value", c.Value.Amount+" "+c.Value.Currency)
	}
	if c.Cost != nil {
		add("Cost", c.Cost.Amount+" "+c.Cost.Unit)
	}
	if c.FirstCall != nil && *c.FirstCall {
		add("First call", "yes")
	}
	add("Came from", strings.Join(slices.DeleteFunc([]string{c.Attribution.Source, c.Attribution.Medium, c.Attribution.Campaign, c.Attribution.Keywords}, func(s string) bool { return s == "" }), ", "))
	add("Ended by", strings.Join(slices.DeleteFunc([]string{c.HangupBy, c.HangupCause}, func(s string) bool { return s == "" }), ", "))
	add("Operator", strings.Join(slices.DeleteFunc([]string{c.Operator, c.Circle}, func(s string) bool { return s == "" }), ", "))
	add("Id at the phone system", c.ProviderID)
	for _, name := range slices.Sorted(maps.Keys(c.Attributes)) {
		if len(out) < 80 {
			add(title(name), plainValue(c.Attributes[name]))
		}
	}
	return out
}

func (h *Handler) callSyncForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := h.syncNow(r.Context(), p, r.PathValue("id"), r.PostForm["connection"]); err != nil {
		return err
	}
	return back(w, r, "/calls/"+r.PathValue("id"), "queued")
}
