package odoo

import (
	"context"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// maxBatch keeps the time of one request far below that after which Odoo ends its worker (limit_time_real, 120 seconds).
const maxBatch = 50

// MaxBatch implements connectors.BatchWriter.
func (s *session) MaxBatch() int { return maxBatch }

// item is a new call of a batch as a row of load().
type item struct {
	at      int
	columns []string
	cells   []any
	written connectors.Written
	url     func(id int64) string
}

// WriteCalls implements connectors.BatchWriter: load() takes many rows. One that Odoo refuses undoes the whole request, so
// then each call is written by itself, and its error is its own.
func (s *session) WriteCalls(ctx context.Context, ws []connectors.CallWrite) []connectors.BatchOutcome {
	out := make([]connectors.BatchOutcome, len(ws))
	if len(ws) == 0 {
		return out
	}
	m, defs, err := s.calls(ctx)
	groups := map[string][]item{}
	for i, w := range ws {
		switch {
		case err != nil:
			out[i].Err = err
		case w.RemoteID != "":
			out[i].Written, out[i].Err = s.WriteCall(ctx, w)
		default:
			it, err := s.item(ctx, m, defs, w)
			if err != nil {
				out[i].Err = err
				continue
			}
			it.at = i
			key := strings.Join(it.columns, "\x00")
			groups[key] = append(groups[key], it)
		}
	}
	for _, group := range groups {
		s.writeGroup(ctx, m, group, ws, out)
	}
	return out
}

func (s *session) item(ctx context.Context, m callModel, defs map[string]fieldDef, w connectors.CallWrite) (item, error) {
	var (
		it  item
		v   values
		err error
	)
	if m.model == ModelNote {
		var p place
		if p, it.written.Linked, v, it.written.Warnings, err = s.noteCall(ctx, w); err != nil {
			return it, err
		}
		for name, x := range noteValues(keyName(kindCall, w.Key), p) {
			v[name] = x
		}
		it.url = func(int64) string { return s.noteURL(p) }
	} else {
		if v, it.written.Linked, it.written.Warnings, err = s.newCall(ctx, m, defs, w); err != nil {
			return it, err
		}
		it.url = func(id int64) string { return s.recordURL(m.model, id) }
	}
	it.columns, it.cells, err = table(v)
	it.cells = append([]any{Module + "." + keyName(kindCall, w.Key)}, it.cells...)
	return it, err
}

// writeGroup writes calls with the same columns.
func (s *session) writeGroup(ctx context.Context, m callModel, group []item, ws []connectors.CallWrite, out []connectors.BatchOutcome) {
	rows := make([][]any, len(group))
	for i, it := range group {
		rows[i] = it.cells
	}
	ctx = connectors.WithRate(ctx, connectors.RateWrite, 1)
	ids, err := s.loadRows(ctx, m.model, slices.Insert(slices.Clone(group[0].columns), 0, "id"), rows, m.context)
	for i, it := range group {
		switch {
		case err == nil:
			it.written.RemoteID, it.written.URL, it.written.Created = idText(ids[i]), it.url(ids[i]), true
			out[it.at].Written = it.written
		case len(group) > 1 && !connectors.AsError(err).Class.Retryable() && !connectors.IsClass(err, connectors.Unauthorized):
			out[it.at].Written, out[it.at].Err = s.WriteCall(ctx, ws[it.at])
		case len(group) == 1 && connectors.IsClass(err, connectors.Forbidden):
			// A note that is there already; see loadNote.
			out[it.at].Written, out[it.at].Err = s.WriteCall(ctx, ws[it.at])
		default:
			out[it.at].Err = err
		}
	}
}
