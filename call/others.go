package call

import (
	"reflect"
	"slices"
)

// FoldMessage makes the text message that events tell of, as Fold makes a call: the result depends only on the set of
// events, and of those that state a member the one that arrived last wins. What none of them states anew stays. The id is
// the caller's to set.
func FoldMessage(events []Event) Message {
	var m Message
	for _, e := range arrivals(events) {
		from := e.Message
		if from == nil {
			continue
		}
		text(&m.Provider, from.Provider)
		text(&m.ProviderID, from.ProviderID)
		text(&m.Direction, from.Direction)
		party(&m.Customer, from.Customer)
		text(&m.BusinessNumber, from.BusinessNumber)
		m.Agents = mergeAgents(m.Agents, from.Agents)
		text(&m.Body, from.Body)
		whole(&m.Media, from.Media)
		text(&m.ConversationID, from.ConversationID)
		moment(&m.SentAt, from.SentAt)
		text(&m.LeadStatus, from.LeadStatus)
	}
	return m
}

// FoldForm makes the form submission that events tell of, in the same way. Of the form's own fields, too, each keeps its
// value until an event states another.
func FoldForm(events []Event) Form {
	var f Form
	for _, e := range arrivals(events) {
		from := e.Form
		if from == nil {
			continue
		}
		text(&f.Provider, from.Provider)
		text(&f.ProviderID, from.ProviderID)
		party(&f.Customer, from.Customer)
		text(&f.FormURL, from.FormURL)
		text(&f.LandingPage, from.LandingPage)
		moment(&f.SubmittedAt, from.SubmittedAt)
		f.Fields = overlay(f.Fields, from.Fields)
		attribution(&f.Attribution, from.Attribution)
	}
	return f
}

// arrivals are events in the order of their arrival, each once.
func arrivals(events []Event) []*Event {
	out := make([]*Event, len(events))
	for i := range events {
		out[i] = &events[i]
	}
	slices.SortFunc(out, func(a, b *Event) int { return inTime(a, b, false) })
	return slices.CompactFunc(out, func(a, b *Event) bool { return byName(a, b) == 0 })
}

// Same tells whether two messages or two forms say the same, as SameState does for calls.
func Same[T Message | Form](a, b T) bool { return same(reflect.ValueOf(a), reflect.ValueOf(b)) }
