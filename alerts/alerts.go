// Package alerts finds out what is wrong with a workspace's sources and connections and tells people of it: once when it
// begins, once a day while it lasts, and once when it is over. Evaluate and Step are pure: facts in, states out. Watch
// gathers the facts every minute, Sender brings the messages to their channels.
package alerts

import (
	"fmt"
	"time"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// Facts are what is known of a workspace at a moment.
type Facts struct {
	At time.Time
	// WatchedFrom is since when somebody has looked without a break: before, callsync itself may have been away.
	WatchedFrom time.Time
	Settings    records.AlertSettings
	Sources     []SourceFacts
	Connections []ConnectionFacts
}

// SourceFacts are what is known of a source.
type SourceFacts struct {
	ID, Name string
	// Zone is that of the source's times; never nil.
	Zone *time.Location
	// Last is when its phone system last sent something by itself; zero for never, or not for months.
	Last time.Time
	// Habits are when it usually sends something; nil where too little is known.
	Habits *Habits
	// Hours are the business hours that its rules name.
	Hours   mappings.OpeningHours
	Trouble records.SourceTrouble
	// Skew is by how much its times seem to be read wrongly; zero where nothing looks wrong. BetterZone is a zone that
	// would be right, if one is known.
	Skew       time.Duration
	BetterZone string
}

// ConnectionFacts are what is known of a connection.
type ConnectionFacts struct {
	ID, Name             string
	Status, StatusReason string
	Health               records.Health
	Held                 records.HeldState
	Drift                records.DriftState
	Quotas               []Quota
}

// Quota is what is used of a CRM's daily limit.
type Quota struct {
	// Class is the limit's; empty for all requests.
	Class        string
	Used, Budget int64
	Ends         time.Time
}

// Finding is one thing that is wrong now.
type Finding struct {
	Kind                   records.AlertKind
	Object, ObjectID, Name string
	Severity               string
	// Reason is for people: what is wrong, and what helps.
	Reason string
	Since  time.Time
	Zone   string
}

// ended says how it is once an alert is over.
func ended(kind records.AlertKind) string {
	switch kind {
	case records.AlertSilent:
		return "Requests arrive again."
	case records.AlertNotUnderstood:
		return "New requests are understood. Those that were not can be replayed."
	case records.AlertRefused:
		return "New requests are accepted. Those that were refused can be replayed."
	case records.AlertTimeZone:
		return "The times of its calls fit again."
	case records.AlertRevoked:
		return "It is connected again. What was on hold for it is delivered now."
	case records.AlertUnreachable:
		return "It answers again. What waited is delivered now."
	case records.AlertHeldMany, records.AlertHeldLong:
		return "What was on hold has been delivered or settled."
	case records.AlertSchema:
		return "The mapping fits the CRM’s fields again."
	case records.AlertQuota:
		return "There is room again."
	}
	return "It is over."
}

// said is what a message tells of an alert.
func said(event string, a records.Alert, zone string, now time.Time) records.AlertMessage {
	m := records.AlertMessage{Event: event, AlertID: a.ID, Kind: a.Kind, Severity: a.Severity, Object: a.Object, ObjectID: a.ObjectID, ObjectName: a.ObjectName,
		Title: a.Title(), Reason: a.Reason, Since: a.Since, Zone: zone, Path: a.Path(), At: now}
	switch event {
	case records.AlertEventReminded:
		m.Title = "Still: " + m.Title
	case records.AlertEventResolved:
		m.Title = "Over: " + m.Title
	}
	return m
}

// about writes a length of time as people say it.
func about(d time.Duration) string {
	plural := func(n int64, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	switch {
	case d < 90*time.Second:
		return "minute"
	case d < 90*time.Minute:
		return plural(int64(d.Round(time.Minute)/time.Minute), "minute")
	case d < 36*time.Hour:
		return plural(int64(d.Round(time.Hour)/time.Hour), "hour")
	}
	return plural(int64(d.Round(24*time.Hour)/(24*time.Hour)), "day")
}
