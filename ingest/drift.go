package ingest

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/callsync/callsync/records"
	"github.com/callsync/callsync/telephony"
)

// The bounds of what a process remembers of unknown fields.
const (
	// driftEvery is how often the store is told again of a field that keeps coming.
	driftEvery = 15 * time.Minute
	// mostDriftSources is of how many sources fields are remembered.
	mostDriftSources = 10_000
	// mostDriftPending is how many sightings wait for the store.
	mostDriftPending = 5000
)

// drift gathers the fields that providers do not know. A field that is known to have come costs one look into a map, and a
// request without such fields costs nothing; the store hears of each field when it comes first and then now and then.
// Several relays tell of the same fields: the store counts them together.
type drift struct {
	now func() time.Time

	mu      sync.Mutex
	sources map[sourceKey]map[records.FieldName]*sighted
	pending map[*sighted]records.FieldSighting
}

// sighted is a field of a source that has come.
type sighted struct {
	count int64
	told  time.Time
}

func newDrift() *drift {
	return &drift{now: time.Now, sources: map[sourceKey]map[records.FieldName]*sighted{}, pending: map[*sighted]records.FieldSighting{}}
}

// note remembers the unknown fields of a request. The store may repeat a transaction, so that a request is noted twice:
// the counts are no more than a hint.
func (d *drift) note(f *feed, r *records.Receipt, trigger string, unknown []telephony.Unknown) {
	if len(unknown) == 0 {
		return
	}
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	key := sourceKey{r.WorkspaceID, r.SourceID}
	fields := d.sources[key]
	if fields == nil {
		if len(d.sources) >= mostDriftSources {
			for old := range d.sources {
				// Any one: it is learnt again if it comes again.
				delete(d.sources, old)
				break
			}
		}
		fields = map[records.FieldName]*sighted{}
		d.sources[key] = fields
	}
	for _, u := range unknown {
		name := records.FieldName{Trigger: trigger, Path: u.Path}
		s := fields[name]
		if s == nil {
			if len(fields) >= records.MostSourceFields || len(d.pending) >= mostDriftPending || holdsSecret(f.settings, u.Path) {
				continue
			}
			s = &sighted{}
			fields[name] = s
		}
		s.count++
		waiting, ok := d.pending[s]
		switch {
		case ok:
			waiting.Last = later(waiting.Last, r.ReceivedAt)
			d.pending[s] = waiting
		case s.told.IsZero() || now.Sub(s.told) >= driftEvery:
			d.pending[s] = records.FieldSighting{
				WorkspaceID: r.WorkspaceID, SourceID: r.SourceID, FieldName: name, Type: u.Type, First: r.ReceivedAt, Last: r.ReceivedAt, ReceiptID: r.ID,
			}
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// holdsSecret tells whether a field's name holds a secret of the source. Names are shown to people.
func holdsSecret(s telephony.Settings, path string) bool {
	const short = 4
	for _, secret := range s.Secrets {
		if secret = strings.ToLower(strings.TrimSpace(secret)); len(secret) >= short && strings.Contains(strings.ToLower(path), secret) {
			return true
		}
	}
	return false
}

// flush tells the store what waits. What it does not take waits for the next time.
func (d *drift) flush(ctx context.Context, store interface {
	RecordFields(ctx context.Context, all []records.FieldSighting) error
}) error {
	d.mu.Lock()
	if len(d.pending) == 0 {
		d.mu.Unlock()
		return nil
	}
	now := d.now()
	waiting := d.pending
	d.pending = map[*sighted]records.FieldSighting{}
	all, told := make([]records.FieldSighting, 0, len(waiting)), make(map[*sighted]int64, len(waiting))
	for s, f := range waiting {
		f.Count = s.count
		all, told[s] = append(all, f), s.count
		s.count, s.told = 0, now
	}
	d.mu.Unlock()
	err := store.RecordFields(ctx, all)
	if err == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for s, f := range waiting {
		s.count += told[s]
		if _, ok := d.pending[s]; !ok {
			d.pending[s] = f
		}
	}
	return err
}
