package alerts

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/records"
)

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// kinds evaluates facts about one source or connection.
func kinds(s *SourceFacts, c *ConnectionFacts, open bool) []records.AlertKind {
	f := Facts{At: now, Settings: records.DefaultAlertSettings}
	if s != nil {
		s.ID, s.Name, s.Zone = "s", "Main", time.UTC
		f.Sources = []SourceFacts{*s}
	}
	if c != nil {
		c.ID, c.Name = "c", "HubSpot"
		if c.Status == "" {
			c.Status = records.ConnectionActive
		}
		f.Connections = []ConnectionFacts{*c}
	}
	var out []records.AlertKind
	for _, found := range Evaluate(f, func(records.AlertKind, string) bool { return open }) {
		out = append(out, found.Kind)
	}
	return out
}

func TestSourceRules(t *testing.T) {
	t.Parallel()
	is := func(k ...records.AlertKind) []records.AlertKind { return k }
	type trouble = records.SourceTrouble
	for name, c := range map[string]struct {
		facts        SourceFacts
		opens, stays []records.AlertKind
	}{
		"nothing wrong":        {facts: SourceFacts{}},
		"nine in an hour":      {facts: SourceFacts{Trouble: trouble{NotUnderstood: 9, NotUnderstoodDay: 9, Looked: 20, NewestNotUnderstood: 2}}, stays: is(records.AlertNotUnderstood)},
		"ten in an hour":       {facts: SourceFacts{Trouble: trouble{NotUnderstood: 10, NotUnderstoodDay: 10, Looked: 20, NewestNotUnderstood: 2}}, opens: is(records.AlertNotUnderstood), stays: is(records.AlertNotUnderstood)},
		"four in an hour":      {facts: SourceFacts{Trouble: trouble{NotUnderstood: 4, NotUnderstoodDay: 14, Looked: 20, NewestNotUnderstood: 4}}},
		"all of a small one":   {facts: SourceFacts{Trouble: trouble{NotUnderstoodDay: 3, Looked: 3, NewestNotUnderstood: 3}}, opens: is(records.AlertNotUnderstood), stays: is(records.AlertNotUnderstood)},
		"two of a small one":   {facts: SourceFacts{Trouble: trouble{NotUnderstoodDay: 2, Looked: 2, NewestNotUnderstood: 2}}, stays: is(records.AlertNotUnderstood)},
		"half of the newest":   {facts: SourceFacts{Trouble: trouble{RefusedDay: 10, Looked: 20, NewestRefused: 10}}, opens: is(records.AlertRefused), stays: is(records.AlertRefused)},
		"a third of them":      {facts: SourceFacts{Trouble: trouble{RefusedDay: 7, Looked: 20, NewestRefused: 7}}, stays: is(records.AlertRefused)},
		"a fifth of them":      {facts: SourceFacts{Trouble: trouble{RefusedDay: 4, Looked: 20, NewestRefused: 4}}},
		"both":                 {facts: SourceFacts{Trouble: trouble{Refused: 50, RefusedDay: 50, NotUnderstood: 20, NotUnderstoodDay: 20, Looked: 20}}, opens: is(records.AlertNotUnderstood, records.AlertRefused), stays: is(records.AlertNotUnderstood, records.AlertRefused)},
		"an hour off":          {facts: SourceFacts{Skew: time.Hour}, opens: is(records.AlertTimeZone), stays: is(records.AlertTimeZone)},
		"half an hour ahead":   {facts: SourceFacts{Skew: -30 * time.Minute, BetterZone: "Asia/Karachi"}, opens: is(records.AlertTimeZone), stays: is(records.AlertTimeZone)},
		"silent, but no habit": {facts: SourceFacts{Last: now.Add(-48 * time.Hour)}},
	} {
		require.Equal(t, c.opens, kinds(&c.facts, nil, false), name)
		require.Equal(t, c.stays, kinds(&c.facts, nil, true), "%s, when open", name)
	}
}

func TestConnectionRules(t *testing.T) {
	t.Parallel()
	is := func(k ...records.AlertKind) []records.AlertKind { return k }
	held := func(n int64, hours int) ConnectionFacts {
		return ConnectionFacts{Held: records.HeldState{Count: n, Oldest: now.Add(-time.Duration(hours) * time.Hour)}}
	}
	quota := func(used int64) ConnectionFacts {
		return ConnectionFacts{Quotas: []Quota{{Used: used, Budget: 1000, Ends: now.Add(time.Hour)}, {Class: "x", Used: 5}}}
	}
	for name, c := range map[string]struct {
		facts        ConnectionFacts
		opens, stays []records.AlertKind
	}{
		"nothing wrong":       {},
		"revoked":             {facts: ConnectionFacts{Status: records.ConnectionRevoked}, opens: is(records.AlertRevoked), stays: is(records.AlertRevoked)},
		"paused by somebody":  {facts: ConnectionFacts{Status: records.ConnectionPaused, Health: records.Health{Failures: 9, SuspendedUntil: now.Add(time.Minute)}}},
		"suspended":           {facts: ConnectionFacts{Health: records.Health{Failures: 5, SuspendedUntil: now.Add(time.Minute)}}, opens: is(records.AlertUnreachable), stays: is(records.AlertUnreachable)},
		"being tried again":   {facts: ConnectionFacts{Health: records.Health{Failures: 5, Since: now.Add(-time.Minute)}}, stays: is(records.AlertUnreachable)},
		"failing for an hour": {facts: ConnectionFacts{Health: records.Health{Failures: 1, Since: now.Add(-time.Hour)}}, opens: is(records.AlertUnreachable), stays: is(records.AlertUnreachable)},
		"18 on hold":          {facts: held(18, 1)},
		"25 on hold":          {facts: held(25, 1), stays: is(records.AlertHeldMany)},
		"26 on hold":          {facts: held(26, 1), opens: is(records.AlertHeldMany), stays: is(records.AlertHeldMany)},
		"one for a day":       {facts: held(1, 24)},
		"one for longer":      {facts: held(1, 25), opens: is(records.AlertHeldLong), stays: is(records.AlertHeldLong)},
		"drift":               {facts: ConnectionFacts{Drift: records.DriftState{Others: 1}}, opens: is(records.AlertSchema), stays: is(records.AlertSchema)},
		"84% used":            {facts: quota(849), stays: is(records.AlertQuota)},
		"85% used":            {facts: quota(850), opens: is(records.AlertQuota), stays: is(records.AlertQuota)},
		"70% used":            {facts: quota(700)},
	} {
		require.Equal(t, c.opens, kinds(nil, &c.facts, false), name)
		require.Equal(t, c.stays, kinds(nil, &c.facts, true), "%s, when open", name)
	}
}

// Every kind has its words, and its severity says whether calls are lost on their way.
func TestWords(t *testing.T) {
	t.Parallel()
	for _, kind := range records.AlertKinds {
		require.NotEqual(t, "X", kind.Title("X"), kind)
		require.NotEqual(t, string(kind), kind.Label())
		require.NotEqual(t, "It is over.", ended(kind), kind)
		require.Contains(t, records.Alert{Kind: kind, ObjectID: "id"}.Path(), "/")
	}
	f := Facts{At: now, Settings: records.DefaultAlertSettings}
	calm, _ := drifted(f, ConnectionFacts{Drift: records.DriftState{Others: 2}}, false)
	bad, _ := drifted(f, ConnectionFacts{Drift: records.DriftState{Others: 2, Blocking: 1}}, false)
	require.Equal(t, records.SeverityWarning, calm.Severity)
	require.Equal(t, records.SeverityCritical, bad.Severity)
	require.Contains(t, bad.Reason, "1 place,")
	full, _ := nearQuota(f, ConnectionFacts{Quotas: []Quota{{Used: 1000, Budget: 1000, Class: "search", Ends: now}}}, false)
	require.Equal(t, records.SeverityCritical, full.Severity)
	require.Contains(t, full.Reason, "100% of its search requests")
}
