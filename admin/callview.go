package admin

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// kept is what a workspace has set up: what calls are shown with.
type kept struct {
	sources     map[string]records.Source
	connections []records.Connection
}

func (h *Handler) kept(ctx context.Context, workspaceID string) (kept, error) {
	k := kept{sources: map[string]records.Source{}}
	sources, err := h.Store.Sources(ctx, workspaceID)
	if err != nil {
		return k, err
	}
	for _, s := range sources {
		k.sources[s.ID] = s
	}
	k.connections, err = h.Store.ConnectionsOf(ctx, workspaceID)
	return k, err
}

func (k kept) connection(id string) (records.Connection, bool) {
	i := slices.IndexFunc(k.connections, func(c records.Connection) bool { return c.ID == id })
	if i < 0 {
		return records.Connection{}, false
	}
	return k.connections[i], true
}

// sorted are the sources in the order in which they were made.
func (k kept) sorted() []records.Source {
	return slices.SortedFunc(maps.Values(k.sources), func(a, b records.Source) int { return strings.Compare(a.ID, b.ID) })
}

// crm is the name people know a connection's CRM by. A webhook leads to something that only its connection's name tells.
func (h *Handler) crm(c records.Connection) string {
	if c.Connector == "webhook" {
		return c.Name
	}
	if connector, ok := h.Connectors[c.Connector]; ok {
		return connector.Info().Label
	}
	return c.Connector
}

// expectations are the artifacts that a source's calls wait for.
func (h *Handler) expectations(s records.Source) call.Expectations {
	if p, ok := h.Providers[s.Provider]; ok {
		return telephony.ExpectationsOf(p.Info(), s.Config)
	}
	return call.Expectations{}
}

// windowUntil is when the window of a call ends; zero while it is live.
func windowUntil(row records.CallRow, window time.Duration) time.Time {
	base := row.WindowBase
	if base.IsZero() {
		base = call.WindowBase(row.Call)
	}
	if base.IsZero() {
		return base
	}
	return base.Add(window)
}

// explained is one connection's lane with its sentence.
type explained struct {
	lane
	why
	// labels are those of the CRM's fields in which edits were kept.
	labels map[string]string
}

// explainAll says for every connection that the call belongs to where it stands.
func (h *Handler) explainAll(k kept, row records.CallRow, events []call.Event, deliveries []records.DeliveryHistory) []explained {
	source := k.sources[row.Call.SourceID]
	var out []explained
	for _, c := range k.connections {
		l := lane{Call: row.Call, Connection: c, CRM: h.crm(c), Complete: row.Complete, Now: h.Now(), RecordingAt: recordingAt(events)}
		if i := slices.IndexFunc(deliveries, func(d records.DeliveryHistory) bool { return d.ConnectionID == c.ID }); i >= 0 {
			l.Delivery = &deliveries[i]
		} else if !source.Feeds(c) {
			continue // its source does not feed this connection
		}
		l.Policy = cmp.Or(c.Policy, source.Policy)
		window := source.Window
		if c.Window != nil {
			window = *c.Window
		}
		l.WindowUntil = windowUntil(row, window)
		for a, s := range h.artifacts(row, source) {
			if s.State == call.Expected {
				l.Missing = append(l.Missing, a)
			}
		}
		out = append(out, explained{l, explain(l), nil})
	}
	return out
}

// artifacts tells what became of each artifact of a call.
func (h *Handler) artifacts(row records.CallRow, s records.Source) map[call.Artifact]call.ArtifactStatus {
	return call.Completeness(row.Call, h.expectations(s), windowUntil(row, s.Window), h.Now())
}

// recordingAt is when the first receipt with a recording that can be listened to arrived.
func recordingAt(events []call.Event) time.Time {
	for _, e := range events {
		for _, r := range e.Facts.Recordings {
			if r.URL != "" || r.PlayerURL != "" || r.State == call.RecordingAvailable {
				return e.ReceivedAt
			}
		}
	}
	return time.Time{}
}

// location is the zone in which a source's calls are told of.
func location(s records.Source) *time.Location {
	if loc, err := time.LoadLocation(s.TimeZone); err == nil {
		return loc
	}
	return time.UTC
}
