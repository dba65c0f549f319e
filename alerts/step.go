package alerts

import (
	"time"

	"github.com/callsync/callsync/records"
)

// How long something must be wrong before it is told, and right before it is over; how often people are reminded.
const (
	openAfter   = 2 * time.Minute
	clearAfter  = 10 * time.Minute
	remindAfter = 24 * time.Hour
	// worseAfter is how long after a message a turn for the worse is told.
	worseAfter = time.Hour
)

type key struct {
	kind records.AlertKind
	id   string
}

// Step takes what is wrong now into the alerts that there are, and returns those that change, each with what is told of it.
// exists tells whether a source or connection is still there. newID makes ids.
func Step(now time.Time, current []records.Alert, found []Finding, exists func(id string) bool, newID func() string) []records.AlertChange {
	at := map[key]Finding{}
	for _, f := range found {
		at[key{f.Kind, f.ObjectID}] = f
	}
	var out []records.AlertChange
	for _, a := range current {
		f, wrong := at[key{a.Kind, a.ObjectID}]
		delete(at, key{a.Kind, a.ObjectID})
		var change records.AlertChange
		changed := false
		if wrong {
			change, changed = stays(now, a, f)
		} else {
			change, changed = goes(now, a, exists(a.ObjectID))
		}
		if changed {
			out = append(out, change)
		}
	}
	for _, f := range found {
		if _, fresh := at[key{f.Kind, f.ObjectID}]; !fresh {
			continue
		}
		delete(at, key{f.Kind, f.ObjectID})
		out = append(out, records.AlertChange{Alert: records.Alert{ID: newID(), Kind: f.Kind, Object: f.Object, ObjectID: f.ObjectID, ObjectName: f.Name,
			Severity: f.Severity, State: records.AlertSeen, Reason: f.Reason, Since: earlier(f.Since, now), CreatedAt: now}})
	}
	return out
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || a.After(b) {
		return b
	}
	return a
}

// stays is what becomes of an alert whose cause is there.
func stays(now time.Time, a records.Alert, f Finding) (records.AlertChange, bool) {
	before := a
	worse := a.Severity == records.SeverityWarning && f.Severity == records.SeverityCritical
	a.ObjectName, a.Reason, a.ClearSince = f.Name, f.Reason, time.Time{}
	if worse {
		// It stays as bad as it was at its worst, so that to and fro is told once.
		a.Severity = f.Severity
	}
	if a.State == records.AlertSeen && now.Sub(a.CreatedAt) >= openAfter {
		a.State, a.OpenedAt = records.AlertOpen, now
	}
	event := ""
	if a.State == records.AlertOpen && !a.MutedUntil.After(now) {
		switch silence := now.Sub(a.RemindedAt); {
		case a.ToldAt.IsZero():
			event, a.ToldAt, a.RemindedAt = records.AlertEventOpened, now, now
		case silence >= remindAfter || worse && silence >= worseAfter:
			event, a.RemindedAt = records.AlertEventReminded, now
		case worse:
			// Told later: until then it counts as it was.
			a.Severity = before.Severity
		}
	}
	return told(now, a, event, f.Zone), a != before
}

// goes is what becomes of an alert whose cause is gone.
func goes(now time.Time, a records.Alert, exists bool) (records.AlertChange, bool) {
	if a.State == records.AlertSeen {
		return records.AlertChange{Alert: a, Drop: true}, true
	}
	if !exists {
		a.State, a.ResolvedAt, a.Reason = records.AlertResolved, now, "It was removed."
		return records.AlertChange{Alert: a}, true
	}
	if a.ClearSince.IsZero() {
		a.ClearSince = now
		return records.AlertChange{Alert: a}, true
	}
	if now.Sub(a.ClearSince) < clearAfter {
		return records.AlertChange{}, false
	}
	a.State, a.ResolvedAt, a.Reason = records.AlertResolved, now, ended(a.Kind)
	event := ""
	// Who was not told that it began need not be told that it is over.
	if !a.ToldAt.IsZero() && !a.MutedUntil.After(now) {
		event = records.AlertEventResolved
	}
	return told(now, a, event, ""), true
}

func told(now time.Time, a records.Alert, event, zone string) records.AlertChange {
	c := records.AlertChange{Alert: a, Event: event}
	if event != "" {
		c.Said = said(event, a, zone, now)
	}
	return c
}
