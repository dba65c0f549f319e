package alerts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// Store is what the watch needs of the facts.
type Store interface {
	// ClaimAlertWatch takes the next look at all workspaces, if it is due: one process gets it, every so often.
	ClaimAlertWatch(ctx context.Context, every time.Duration) (records.WatchTurn, bool, error)
	// CountArrivals counts what arrived in the next hours that are over, and returns up to when it has counted now.
	CountArrivals(ctx context.Context, now time.Time) (time.Time, error)
	Workspaces(ctx context.Context) ([]records.Workspace, error)
	Sources(ctx context.Context, workspaceID string) ([]records.Source, error)
	SourceClocks(ctx context.Context, workspaceID string) (map[string]records.ClockSamples, error)
	// LastArrivals tells by source when its phone system last sent something by itself.
	LastArrivals(ctx context.Context, workspaceID string, countedTo time.Time) (map[string]time.Time, error)
	// BusyHours are those of a source from a moment on.
	BusyHours(ctx context.Context, workspaceID, sourceID string, from time.Time) ([]records.BusyHour, error)
	SourceTroubles(ctx context.Context, workspaceID string, now time.Time) (map[string]records.SourceTrouble, error)
	Rules(ctx context.Context, workspaceID, owner, ownerID string) (records.Rules, error)
	ConnectionsOf(ctx context.Context, workspaceID string) ([]records.Connection, error)
	ConnectionHealth(ctx context.Context, workspaceID string) (map[string]records.Health, error)
	ConnectionLimits(ctx context.Context, workspaceID string) (map[string][]records.LimitUse, error)
	HeldStates(ctx context.Context, workspaceID string) (map[string]records.HeldState, error)
	DriftStates(ctx context.Context, workspaceID string) (map[string]records.DriftState, error)
	AlertSettings(ctx context.Context, workspaceID string) (records.AlertSettings, error)
	// StepAlerts calls step with the alerts of a workspace that are not resolved, and keeps what it returns together with
	// the messages to each channel that wants them. No two steps of a workspace run at once.
	StepAlerts(ctx context.Context, workspaceID string, step func(current []records.Alert) []records.AlertChange) error
	// CountAlerts counts the open alerts of all workspaces by kind.
	CountAlerts(ctx context.Context) (map[records.AlertKind]int64, error)
	DropOldAlerts(ctx context.Context) error
}

// Watch looks at all workspaces every minute. Any number of processes may run one.
type Watch struct {
	Store     Store
	Providers telephony.Registry
	// Quotas reads what is used of a connection's daily limits; nil for none.
	Quotas  func(c records.Connection, used []records.LimitUse, now time.Time) []Quota
	Metrics *Metrics
	Log     *slog.Logger

	habits map[string]habit
}

// habit is what was read of a source's habits, and from what.
type habit struct {
	habits *Habits
	hours  mappings.OpeningHours
	zone   string
	until  time.Time
	last   time.Time
}

const (
	watchEvery = time.Minute
	// lookEvery is how often a process asks whether a look is due.
	lookEvery = 10 * time.Second
	// countPerTurn bounds the time in which arrivals of the past are counted, after the first start.
	countPerTurn = 20 * time.Second
	// suspicious is how long a source must be silent before its habits are read at all.
	suspicious = 10 * time.Minute
	// remembered is how far back busy hours are read: the span of habits, before a silence that may be as long.
	remembered = 2 * habitSpan
)

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	for {
		if err := w.Look(ctx); err != nil && ctx.Err() == nil {
			w.Log.Warn("the watch over sources and connections failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookEvery):
		}
	}
}

// Look looks at all workspaces if that is due. What fails of one workspace does not keep it from the others.
func (w *Watch) Look(ctx context.Context) error {
	turn, mine, err := w.Store.ClaimAlertWatch(ctx, watchEvery)
	if err != nil || !mine {
		return err
	}
	var errs []error
	for began := time.Now(); time.Since(began) < countPerTurn; {
		to, err := w.Store.CountArrivals(ctx, turn.At)
		if err != nil || !to.After(turn.CountedTo) {
			errs = append(errs, err)
			break
		}
		turn.CountedTo = to
	}
	workspaces, err := w.Store.Workspaces(ctx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, ws := range workspaces {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := w.look(ctx, ws, turn); err != nil {
			errs = append(errs, fmt.Errorf("workspace %s: %w", ws.ID, err))
		}
	}
	w.forget(turn.At)
	count, err := w.Store.CountAlerts(ctx)
	if err == nil {
		w.Metrics.open(count)
		err = w.Store.DropOldAlerts(ctx)
	}
	return errors.Join(append(errs, err)...)
}

func (w *Watch) look(ctx context.Context, ws records.Workspace, turn records.WatchTurn) error {
	f, err := w.facts(ctx, ws, turn)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, s := range f.Sources {
		names[s.ID] = true
	}
	for _, c := range f.Connections {
		names[c.ID] = true
	}
	return w.Store.StepAlerts(ctx, ws.ID, func(current []records.Alert) []records.AlertChange {
		open := map[key]bool{}
		for _, a := range current {
			open[key{a.Kind, a.ObjectID}] = a.State == records.AlertOpen
		}
		found := Evaluate(f, func(kind records.AlertKind, id string) bool { return open[key{kind, id}] })
		changes := Step(turn.At, current, found, func(id string) bool { return names[id] }, func() string { return uuid.Must(uuid.NewV7()).String() })
		for i := range changes {
			changes[i].Said.Workspace = ws.Name
		}
		return changes
	})
}

func (w *Watch) facts(ctx context.Context, ws records.Workspace, turn records.WatchTurn) (Facts, error) {
	f := Facts{At: turn.At, WatchedFrom: turn.WatchedFrom}
	var err error
	if f.Settings, err = w.Store.AlertSettings(ctx, ws.ID); err != nil {
		return f, err
	}
	if f.Sources, err = w.sources(ctx, ws.ID, turn); err != nil {
		return f, err
	}
	f.Connections, err = w.connections(ctx, ws.ID, turn)
	return f, err
}

func (w *Watch) sources(ctx context.Context, ws string, turn records.WatchTurn) ([]SourceFacts, error) {
	sources, err := w.Store.Sources(ctx, ws)
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	last, err := w.Store.LastArrivals(ctx, ws, turn.CountedTo)
	if err != nil {
		return nil, err
	}
	troubles, err := w.Store.SourceTroubles(ctx, ws, turn.At)
	if err != nil {
		return nil, err
	}
	clocks, err := w.Store.SourceClocks(ctx, ws)
	if err != nil {
		return nil, err
	}
	var out []SourceFacts
	for _, s := range sources {
		if s.Provider == records.Demo {
			continue // what is made up is no trouble
		}
		one := SourceFacts{ID: s.ID, Name: s.Name, Zone: time.UTC, Last: last[s.ID], Trouble: troubles[s.ID]}
		if p, ok := w.Providers[s.Provider]; ok {
			one.Zone = telephony.SettingsOf(p.Info(), s, nil).Location
		} else if zone, err := time.LoadLocation(s.TimeZone); err == nil {
			one.Zone = zone
		}
		if k, ok := clocks[s.ID]; ok {
			clock := telephony.ClockOf(w.Providers, s, k)
			one.Skew, one.BetterZone = clock.Skew, clock.Zone
		}
		if !one.Last.IsZero() && turn.At.Sub(one.Last) >= suspicious {
			h, err := w.habit(ctx, s, one, turn)
			if err != nil {
				return nil, err
			}
			one.Habits, one.Hours = h.habits, h.hours
		}
		out = append(out, one)
	}
	return out, nil
}

// habit reads a source's habits, once for each hour and silence.
func (w *Watch) habit(ctx context.Context, s records.Source, f SourceFacts, turn records.WatchTurn) (habit, error) {
	if h, ok := w.habits[s.ID]; ok && h.zone == f.Zone.String() && h.last.Equal(f.Last) && h.until.After(turn.At) {
		return h, nil
	}
	hours, err := w.Store.BusyHours(ctx, s.WorkspaceID, s.ID, turn.At.Add(-remembered))
	if err != nil {
		return habit{}, err
	}
	rules, err := w.Store.Rules(ctx, s.WorkspaceID, records.RulesOfSource, s.ID)
	if err != nil {
		return habit{}, err
	}
	h := habit{zone: f.Zone.String(), last: f.Last, until: turn.At.Add(time.Hour), hours: mappings.OpeningHoursOf(rules.Document)}
	h.habits = NewHabits(hours, f.Zone, h.hours)
	if w.habits == nil {
		w.habits = map[string]habit{}
	}
	w.habits[s.ID] = h
	return h, nil
}

func (w *Watch) forget(now time.Time) {
	for id, h := range w.habits {
		if !h.until.After(now) {
			delete(w.habits, id)
		}
	}
}

func (w *Watch) connections(ctx context.Context, ws string, turn records.WatchTurn) ([]ConnectionFacts, error) {
	connections, err := w.Store.ConnectionsOf(ctx, ws)
	if err != nil || len(connections) == 0 {
		return nil, err
	}
	health, err := w.Store.ConnectionHealth(ctx, ws)
	if err != nil {
		return nil, err
	}
	limits, err := w.Store.ConnectionLimits(ctx, ws)
	if err != nil {
		return nil, err
	}
	held, err := w.Store.HeldStates(ctx, ws)
	if err != nil {
		return nil, err
	}
	drift, err := w.Store.DriftStates(ctx, ws)
	if err != nil {
		return nil, err
	}
	var out []ConnectionFacts
	for _, c := range connections {
		if c.Connector == records.Demo {
			continue
		}
		one := ConnectionFacts{ID: c.ID, Name: c.Name, Status: c.Status, StatusReason: c.StatusReason, Health: health[c.ID], Held: held[c.ID], Drift: drift[c.ID]}
		if w.Quotas != nil {
			one.Quotas = w.Quotas(c, limits[c.ID], turn.At)
		}
		out = append(out, one)
	}
	return out, nil
}
