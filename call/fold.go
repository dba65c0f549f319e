package call

import (
	"cmp"
	"slices"
	"time"
)

// Identity is what Fold cannot know from events.
type Identity struct {
	ID, WorkspaceID, SourceID, Provider string
}

// Fold makes the call that events tell of. The result depends only on the set of events: neither on their order in the
// slice nor on repetitions of the same (ReceiptID, Seq). It shares no memory with them that it would change.
//
// A member that an event leaves zero is not stated by it. Of the events that state a member, the one of the highest
// precedence wins: first the authority of its kind (live kinds, then what the phone system was asked for, then the final
// report, then the snapshot of a later update, then what an update asserts), then the source's own time, then arrival,
// then receipt id and sequence. The source's time counts only among events of one authority that all have one: comparing
// by it pair by pair where some lack it could go in a circle. Two ways of writing the same (an amount, tags in another
// order) are no difference: the lower one stays.
//
// Revision and Stale are the caller's to set.
func Fold(who Identity, events []Event) Call {
	c := Call{ID: who.ID, WorkspaceID: who.WorkspaceID, SourceID: who.SourceID, Provider: who.Provider, Phase: Live}
	ordered := canonical(events)
	if len(ordered) == 0 {
		return c
	}

	var st statuses
	var pressed, claimed []string
	asserting := 0
	for _, e := range ordered {
		if e.asserts() {
			asserting++
		}
		if e.Kind.Terminal() {
			c.Phase = Ended
			if at := normal(e.ReceivedAt); c.TerminalReceivedAt.IsZero() || !at.IsZero() && at.Before(c.TerminalReceivedAt) {
				c.TerminalReceivedAt = at
			}
		}
		if e.ProviderID != "" {
			c.ProviderID = e.ProviderID
		}
		c.Aliases = append(c.Aliases, e.Aliases...)
		c.Outlook = overlay(c.Outlook, e.Outlook)
		st.add(e.Kind, e.Facts.Status)
		state(&c.Facts, &e.Facts)
		switch {
		case e.Kind == CallDTMF:
			pressed = append(pressed, e.Facts.Digits...)
		case !e.Kind.Terminal() && len(e.Facts.Digits) > 0:
			claimed = e.Facts.Digits
		case len(e.Facts.Digits) > 0:
			c.Digits = list(e.Facts.Digits)
		}
	}
	// What was pressed is a sequence over many events, unless a final report tells it as a whole.
	if len(c.Digits) == 0 {
		c.Digits = list(pressed)
	}
	if len(c.Digits) == 0 {
		c.Digits = list(claimed)
	}
	if asserting > 0 {
		assert(&c.Facts, &st, ordered, asserting)
	}

	c.Recordings = dropPlaceholders(c.Recordings)
	c.Status = st.fold(c.Phase)
	c.Aliases = sortedAliases(c.Aliases)
	if c.Phase == Ended {
		derive(&c.Facts)
	} else {
		c.Live = livePicture(ordered, &c)
	}
	return c
}

// longest bounds what is derived from times that do not fit together.
const longest = 30 * 24 * time.Hour

// derive fills the end from start and duration, or the duration from start and end, where nobody states it. Equal times
// give no duration: several phone systems send the same stamp twice when they know only one.
func derive(f *Facts) {
	switch {
	case f.StartedAt.IsZero():
	case f.EndedAt.IsZero() && f.DurationSeconds != nil:
		if s := *f.DurationSeconds; s >= 0 && s <= int64(longest/time.Second) {
			f.EndedAt = normal(f.StartedAt.Add(time.Duration(s) * time.Second))
		}
	case !f.EndedAt.IsZero() && f.DurationSeconds == nil:
		if d := f.EndedAt.Sub(f.StartedAt); d >= time.Second && d <= longest {
			s := int64(d / time.Second)
			f.DurationSeconds = &s
		}
	}
}

// The authorities of an event's snapshot, lowest first. What an event asserts stands above all of them.
const (
	nothing = iota // messages and forms say nothing about a call
	live
	asked
	final
	later
	asserted
	authorities
)

func authority(k Kind) int {
	switch k {
	case MessageReceived, MessageSent, FormSubmitted:
		return nothing
	case CallPulled:
		return asked
	case CallEnded:
		return final
	case CallUpdated, DispositionSet, RecordingArrived:
		return later
	}
	return live
}

// asserts tells whether some of e's facts have the highest authority.
func (e *Event) asserts() bool {
	return len(e.Asserted) > 0 || e.Kind == DispositionSet || e.Kind == RecordingArrived
}

// canonical returns the events of a call, each once, from the lowest precedence to the highest.
func canonical(events []Event) []*Event {
	out := make([]*Event, 0, len(events))
	for i := range events {
		if authority(events[i].Kind) != nothing {
			out = append(out, &events[i])
		}
	}
	slices.SortFunc(out, func(a, b *Event) int {
		return cmp.Or(byName(a, b), cmp.Compare(a.Kind, b.Kind), a.ReceivedAt.Compare(b.ReceivedAt), a.OccurredAt.Compare(b.OccurredAt))
	})
	out = slices.CompactFunc(out, func(a, b *Event) bool { return byName(a, b) == 0 })

	var untimed [authorities]bool
	for _, e := range out {
		untimed[authority(e.Kind)] = untimed[authority(e.Kind)] || e.OccurredAt.IsZero()
	}
	slices.SortFunc(out, func(a, b *Event) int {
		rank := authority(a.Kind)
		return cmp.Or(cmp.Compare(rank, authority(b.Kind)), inTime(a, b, !untimed[rank]))
	})
	return out
}

func byName(a, b *Event) int {
	return cmp.Or(cmp.Compare(a.ReceiptID, b.ReceiptID), cmp.Compare(a.Seq, b.Seq))
}

// inTime orders events of the same authority.
func inTime(a, b *Event, sourceTime bool) int {
	if sourceTime {
		if n := a.OccurredAt.Compare(b.OccurredAt); n != 0 {
			return n
		}
	}
	return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), byName(a, b))
}

// assert applies, after all snapshots, what the n asserting events of ordered set with authority.
func assert(f *Facts, st *statuses, ordered []*Event, n int) {
	sorted, untimed := make([]*Event, 0, n), false
	for _, e := range ordered {
		if e.asserts() {
			sorted = append(sorted, e)
			untimed = untimed || e.OccurredAt.IsZero()
		}
	}
	slices.SortFunc(sorted, func(a, b *Event) int { return inTime(a, b, !untimed) })
	for _, e := range sorted {
		// An event may name a field and a member of it; whichever comes first, the result is the same.
		for _, name := range e.Asserted {
			if set, ok := assertions[name]; ok {
				set(f, &e.Facts)
			}
			if name == FieldStatus {
				st.add(e.Kind, e.Facts.Status)
			}
		}
		switch e.Kind {
		case DispositionSet:
			if e.Facts.Disposition != (Disposition{}) {
				setDisposition(f, &e.Facts)
			}
		case RecordingArrived:
			f.Recordings = mergeRecordings(f.Recordings, e.Facts.Recordings)
		}
	}
}

// statuses gathers what events say of a call's status, in order of precedence.
type statuses struct {
	// pickedUp: a live event says that somebody answered.
	pickedUp                 bool
	answered, voicemail      bool
	talked, unlike, unmissed Status // last of answered and voicemail; last of any but unknown; the same without missed
	unknown                  bool
}

func (s *statuses) add(k Kind, v Status) {
	if k == CallAnswered || v == InProgress || v.Talked() {
		s.pickedUp = true
	}
	switch {
	case v == StatusUnknown:
		s.unknown = true
	case v.Terminal():
		s.unlike = v
		s.answered = s.answered || v == Answered
		s.voicemail = s.voicemail || v == Voicemail
		if v.Talked() {
			s.talked = v
		}
		if v != Missed {
			s.unmissed = v
		}
	}
}

// fold decides on the whole set, so that "answered beats missed" and "voicemail beats missed" cannot go in a circle with
// the rule that otherwise the higher precedence wins. While the call is live nothing has ended it, whatever a live event
// claims; once it has ended it can neither ring nor be in progress.
func (s *statuses) fold(p Phase) Status {
	switch {
	case p == Live && s.pickedUp:
		return InProgress
	case p == Live:
		return Ringing
	case s.answered:
		return s.talked
	case s.voicemail:
		return s.unmissed
	case s.unlike != "":
		return s.unlike
	case s.pickedUp && !s.unknown:
		return Answered
	}
	return StatusUnknown
}

func sortedAliases(all []Alias) []Alias {
	slices.SortFunc(all, func(a, b Alias) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value)) })
	return slices.Compact(all)
}
