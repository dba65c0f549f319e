package generic

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/generic/expression"
)

// mostLegs bounds the agents and the recordings of one event.
const mostLegs = 100

// errPartly is the error of a setter that has used only a part of a value: what it read has to be kept.
var errPartly = errors.New("the value has members that have no place")

// memberSetter puts a value into a member of the item at a place of a list.
type memberSetter func(d *decoder, t *target, at int, v any) error

// indexedMembers are the members of items of lists. The lists grow as far as a place is named; what stays empty is dropped.
var indexedMembers = map[string]map[string]memberSetter{
	"agents": {
		"id":           agent(text, func(a *call.Agent) *string { return &a.ID }),
		"name":         agent(text, func(a *call.Agent) *string { return &a.Name }),
		"email":        agent(text, func(a *call.Agent) *string { return &a.Email }),
		"extension":    agent(text, func(a *call.Agent) *string { return &a.Extension }),
		"ring_seconds": agent(seconds, func(a *call.Agent) **int64 { return &a.RingSeconds }),
		"talk_seconds": agent(seconds, func(a *call.Agent) **int64 { return &a.TalkSeconds }),
		"hold_seconds": agent(seconds, func(a *call.Agent) **int64 { return &a.HoldSeconds }),
		"answered_at":  agent(moment, func(a *call.Agent) *time.Time { return &a.AnsweredAt }),
		"ended_at":     agent(moment, func(a *call.Agent) *time.Time { return &a.EndedAt }),
		"number": func(d *decoder, t *target, at int, v any) error {
			s, err := textOf(v)
			if err != nil {
				return err
			}
			p, err := d.phone(s, "")
			if err != nil {
				return err
			}
			a := leg(t, at)
			if a.Number = p.Number; p.Number == "" {
				a.Number = p.Raw
			}
			return nil
		},
		"status": func(_ *decoder, t *target, at int, v any) error {
			s, err := textOf(v)
			if err != nil {
				return err
			}
			status := agentStatusOf(s)
			if status == "" {
				return expression.ValueError("The word is no status of an agent: dialed, answered, missed or transferred.")
			}
			leg(t, at).Status = status
			return nil
		},
	},
	"recordings": {
		"id":               recording(text, func(r *call.Recording) *string { return &r.ID }),
		"url":              recording(text, func(r *call.Recording) *string { return &r.URL }),
		"player_url":       recording(text, func(r *call.Recording) *string { return &r.PlayerURL }),
		"content_type":     recording(text, func(r *call.Recording) *string { return &r.ContentType }),
		"duration_seconds": recording(seconds, func(r *call.Recording) **int64 { return &r.DurationSeconds }),
		"state": func(_ *decoder, t *target, at int, v any) error {
			s, err := textOf(v)
			if err != nil {
				return err
			}
			state := recordingStateOf(s)
			if state == "" {
				return expression.ValueError("The word is no state of a recording: available, expected, failed or unavailable.")
			}
			sound(t, at).State = state
			return nil
		},
	},
}

func grown[T any](list *[]T, at int) *T {
	for len(*list) <= at {
		*list = append(*list, *new(T))
	}
	return &(*list)[at]
}

func leg(t *target, at int) *call.Agent { return grown(t.agents, at) }

func sound(t *target, at int) *call.Recording { return grown(&t.facts.Recordings, at) }

// agent and recording make a setter of a member of an item.
func agent[M any](of func(func(*target) *M) setter, member func(*call.Agent) *M) memberSetter {
	return func(d *decoder, t *target, at int, v any) error {
		return of(func(t *target) *M { return member(leg(t, at)) })(d, t, v)
	}
}

func recording[M any](of func(func(*target) *M) setter, member func(*call.Recording) *M) memberSetter {
	return func(d *decoder, t *target, at int, v any) error {
		return of(func(t *target) *M { return member(sound(t, at)) })(d, t, v)
	}
}

func agentFields() map[string]setter { return map[string]setter{"agents": items("agents")} }

func recordingFields() map[string]setter { return map[string]setter{"recordings": items("recordings")} }

// items fills a list from a list of groups whose members have our names, or from one such group.
func items(name string) setter {
	return func(d *decoder, t *target, v any) error {
		list, err := d.run.Items(v)
		if err != nil {
			return err
		}
		var failed error
		if len(list) > mostLegs {
			list, failed = list[:mostLegs], errPartly
		}
		for i, item := range list {
			item, err := d.run.Open(item)
			if err != nil {
				return err
			}
			m, ok := item.(map[string]any)
			if !ok {
				return expression.ValueError("A list of groups is needed here; make them with map(list, ({\"name\": .name})).")
			}
			used := 0
			// In a fixed order, so that the same request always says the same.
			for _, member := range slices.Sorted(maps.Keys(indexedMembers[name])) {
				set := indexedMembers[name][member]
				_, inner, ok := expression.Member(m, member)
				if !ok {
					continue
				}
				if used++; telephony.Blank(inner) {
					continue
				}
				if err := set(d, t, i, inner); errors.Is(err, expression.ErrTooMuch) {
					return err
				} else if err != nil {
					failed = err
				}
			}
			if used < len(m) && failed == nil {
				failed = errPartly
			}
		}
		return failed
	}
}

// tidy drops items and amounts of which nothing is known, and says of recordings that have a link and no state that they
// can be listened to.
func tidy(t *target) {
	if t.agents != nil {
		*t.agents = compact(*t.agents, func(a *call.Agent) bool { return *a == (call.Agent{Status: a.Status}) })
	}
	if t.message != nil || t.form != nil {
		return
	}
	if v := t.facts.Value; v != nil && v.Amount == "" {
		t.facts.Value = nil
	}
	if c := t.facts.Cost; c != nil && c.Amount == "" {
		t.facts.Cost = nil
	}
	t.facts.Recordings = compact(t.facts.Recordings, func(r *call.Recording) bool { return *r == (call.Recording{}) })
	for i := range t.facts.Recordings {
		r := &t.facts.Recordings[i]
		if r.State != "" {
			continue
		}
		if r.State = call.RecordingExpected; r.URL != "" || r.PlayerURL != "" {
			r.State = call.RecordingAvailable
		}
	}
}

func compact[T any](list []T, empty func(*T) bool) []T {
	var out []T
	for i := range list {
		if !empty(&list[i]) {
			out = append(out, list[i])
		}
	}
	return out
}
