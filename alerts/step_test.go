package alerts

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

// stage keeps alerts as the store does.
type stage struct {
	now    time.Time
	alerts map[string]records.Alert
	mutes  map[key]time.Time
	gone   map[string]bool
	told   []string
	ids    int
}

func newStage() *stage {
	return &stage{now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), alerts: map[string]records.Alert{}, mutes: map[key]time.Time{}, gone: map[string]bool{}}
}

func (s *stage) step(found ...Finding) {
	var current []records.Alert
	for _, a := range s.alerts {
		if a.State != records.AlertResolved {
			a.MutedUntil = s.mutes[key{a.Kind, a.ObjectID}]
			current = append(current, a)
		}
	}
	for _, c := range Step(s.now, current, found, func(id string) bool { return !s.gone[id] }, func() string { s.ids++; return fmt.Sprint(s.ids) }) {
		if c.Drop {
			delete(s.alerts, c.Alert.ID)
			continue
		}
		s.alerts[c.Alert.ID] = c.Alert
		if c.Event != "" {
			s.told = append(s.told, s.now.Format("15:04 ")+c.Event+" "+c.Said.Title)
		}
	}
}

// pass takes a step every minute.
func (s *stage) pass(d time.Duration, found ...Finding) {
	for end := s.now.Add(d); s.now.Before(end); s.now = s.now.Add(time.Minute) {
		s.step(found...)
	}
}

func (s *stage) only() records.Alert {
	for _, a := range s.alerts {
		if a.State != records.AlertResolved {
			return a
		}
	}
	return records.Alert{}
}

var trouble = Finding{Kind: records.AlertUnreachable, Object: records.AlertOfConnection, ObjectID: "c", Name: "HubSpot", Severity: records.SeverityWarning, Reason: "No."}

func TestStepLife(t *testing.T) {
	t.Parallel()
	s := newStage()
	s.pass(time.Minute, trouble)
	require.Equal(t, records.AlertSeen, s.only().State)
	s.pass(time.Minute)
	require.Empty(t, s.alerts, "what was there for a moment is forgotten")

	s.pass(30*time.Hour, trouble)
	require.Equal(t, []string{"10:04 opened HubSpot does not answer", "10:04 reminded Still: HubSpot does not answer"}, s.told, "once, and once a day")

	// It comes and goes: that is one alert still.
	for range 20 {
		s.pass(5*time.Minute, trouble)
		s.pass(5 * time.Minute)
	}
	require.Len(t, s.told, 2)
	s.pass(20 * time.Minute)
	require.Len(t, s.told, 3)
	require.Contains(t, s.told[2], "resolved Over: HubSpot does not answer")
	require.Len(t, s.alerts, 1)
	require.Equal(t, ended(records.AlertUnreachable), s.alerts["2"].Reason)
	require.Empty(t, s.only().ID)

	s.pass(5*time.Minute, trouble)
	require.Len(t, s.alerts, 2, "the next time is another alert")
	require.Len(t, s.told, 4)
}

func TestStepMuted(t *testing.T) {
	t.Parallel()
	s := newStage()
	k := key{trouble.Kind, trouble.ObjectID}
	s.mutes[k] = s.now.Add(time.Hour)
	s.pass(30*time.Minute, trouble)
	require.Equal(t, records.AlertOpen, s.only().State)
	require.Empty(t, s.told)
	s.pass(time.Hour, trouble)
	require.Len(t, s.told, 1, "what is still there when the mute ends is told then")
	require.Contains(t, s.told[0], "11:00 opened")

	// Muted while it goes: nothing is told of its end. Nobody hears of the end of what was never told either.
	s.mutes[k] = s.now.Add(time.Hour)
	s.pass(30 * time.Minute)
	require.Len(t, s.told, 1)
	s.pass(20*time.Minute, trouble)
	s.pass(5 * time.Hour)
	require.Len(t, s.told, 1)

	// Another object of the same kind is not muted.
	other := trouble
	other.ObjectID, other.Name = "d", "Zoho"
	s.mutes[k] = s.now.Add(time.Hour)
	s.pass(5*time.Minute, trouble, other)
	require.Contains(t, s.told[1], "opened Zoho does not answer")
}

func TestStepWorse(t *testing.T) {
	t.Parallel()
	s := newStage()
	s.pass(10*time.Minute, trouble)
	worse := trouble
	worse.Severity = records.SeverityCritical
	s.pass(30*time.Minute, worse)
	require.Len(t, s.told, 1, "not within the hour")
	s.pass(2*time.Hour, worse)
	require.Len(t, s.told, 2)
	require.Contains(t, s.told[1], "11:02 reminded")
	for range 10 {
		s.pass(2*time.Minute, trouble)
		s.pass(2*time.Minute, worse)
	}
	require.Len(t, s.told, 2)
}

// What is removed is not back to normal.
func TestStepRemoved(t *testing.T) {
	t.Parallel()
	s := newStage()
	s.pass(5*time.Minute, trouble)
	s.gone["c"] = true
	s.pass(time.Minute)
	require.Len(t, s.told, 1)
	require.Equal(t, records.AlertResolved, s.alerts["1"].State)
	require.Equal(t, "It was removed.", s.alerts["1"].Reason)
}

func TestStepChangesNothingForNothing(t *testing.T) {
	t.Parallel()
	s := newStage()
	s.pass(5*time.Minute, trouble)
	a := s.only()
	require.Empty(t, Step(s.now, []records.Alert{a}, []Finding{trouble, trouble}, func(string) bool { return true }, nil), "no write each minute")
}
