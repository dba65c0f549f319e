package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/callsync/callsync/call"
)

// maxReadings bounds the events of one receipt that are told.
const maxReadings = 5

// readings tell what was understood of a receipt, an event a line.
func readings(events []call.Event) []string {
	var out []string
	for i, e := range events {
		if i == maxReadings {
			return append(out, fmt.Sprintf("and %s more", plural(len(events)-i, "event")))
		}
		out = append(out, reading(e))
	}
	return out
}

// reading is an event in a few words: what happened, between whom, how it went, and what came with it.
func reading(e call.Event) string {
	switch {
	case e.Message != nil:
		return messageReading(e)
	case e.Form != nil:
		return fmt.Sprintf("Form from %s with %s", partyWords(e.Form.Customer), plural(len(e.Form.Fields), "field"))
	}
	f := e.Facts
	said := "call"
	if f.Direction != "" && f.Direction != call.DirectionUnknown {
		said = string(f.Direction) + " call"
	}
	business := visible(clip(cmp.Or(readable(f.BusinessNumber), f.BusinessRawNumber), 60))
	customer := partyWords(f.Customer)
	if f.Customer == (call.Party{}) {
		customer = ""
	}
	from, to := customer, business
	if f.Direction == call.Outbound {
		from, to = business, customer
	}
	if from != "" {
		said += " from " + from
	}
	if to != "" {
		said += " to " + to
	}
	parts := []string{said}
	if f.Status != "" && f.Status != call.StatusUnknown {
		parts = append(parts, strings.ReplaceAll(string(f.Status), "_", " "))
	}
	if length := spoken(cmp.Or(f.DurationSeconds, f.TalkSeconds)); length != "" && e.Kind.Terminal() {
		parts = append(parts, length)
	}
	if agents := agentNames(call.Call{Facts: f}); agents != "" {
		parts = append(parts, "agent "+agents)
	}
	out := cmp.Or(kindNames[e.Kind], title(string(e.Kind))) + ": " + strings.Join(parts, ", ")
	came := brought(e)
	slices.Sort(came)
	if came = slices.Compact(came); len(came) > 0 {
		out += "; with " + strings.Join(came, ", ")
	}
	return out
}

func messageReading(e call.Event) string {
	m := e.Message
	what := "Text from "
	if e.Kind == call.MessageSent {
		what = "Text to "
	}
	said := what + partyWords(m.Customer)
	if m.Body != "" {
		said += ", " + plural(utf8.RuneCountInString(m.Body), "character")
	}
	if len(m.Media) > 0 {
		said += ", " + plural(len(m.Media), "attachment")
	}
	return said
}

func partyWords(p call.Party) string {
	name, more := whoIs(p)
	if more == "" {
		return name
	}
	return name + " (" + more + ")"
}
