package zoho

import (
	"context"
	"net/http"

	"github.com/callsync/callsync/connectors"
)

const (
	// maxBatch is how many records a request takes.
	maxBatch = 100
	// perCredit is how many records of a write cost one credit.
	perCredit = 10
)

// MaxBatch implements connectors.BatchWriter.
func (s *session) MaxBatch() int { return maxBatch }

// item is one call of a batch with what is sent for it.
type item struct {
	at     int // its place among the outcomes
	w      connectors.CallWrite
	fields values
	linked []connectors.Ref
	warns  []connectors.Warning
}

// WriteCalls implements connectors.BatchWriter: an insert of the new calls with their links, and an update of the known ones.
// Zoho tells what became of each. What is there already, is too long or has no answer of its own is written by itself.
func (s *session) WriteCalls(ctx context.Context, ws []connectors.CallWrite) []connectors.BatchOutcome {
	out := make([]connectors.BatchOutcome, len(ws))
	var creates, updates []item
	for i, w := range ws {
		fields, warnings, err := encode(calls, w.Fields)
		it := item{at: i, w: w, fields: fields, warns: warnings}
		switch {
		case err != nil:
			out[i].Err = err
		case w.RemoteID == "":
			it.warns = append(it.warns, s.fitCreate(fields, w.Call)...)
			fields[KeyField] = cutKey(w.Key)
			it.linked = attach(calls, fields, w.Links)
			creates = append(creates, it)
		case !usable(w.RemoteID):
			out[i].Err = gone("update of Calls")
		default:
			fitUpdate(fields)
			if len(fields) == 0 {
				out[i].Written = connectors.Written{RemoteID: w.RemoteID, URL: s.recordURL(calls, w.RemoteID), Warnings: warnings}
				continue
			}
			fields["id"] = w.RemoteID
			updates = append(updates, it)
		}
	}
	s.writeMany(ctx, http.MethodPost, "insert of many calls", creates, out)
	s.writeMany(ctx, http.MethodPut, "update of many calls", updates, out)
	return out
}

func (s *session) writeMany(ctx context.Context, method, name string, items []item, out []connectors.BatchOutcome) {
	for len(items) > maxBatch {
		s.writeMany(ctx, method, name, items[:maxBatch], out)
		items = items[maxBatch:]
	}
	if len(items) == 0 {
		return
	}
	list := make([]values, len(items))
	for i, it := range items {
		list[i] = it.fields
	}
	q := request{method: method, name: name, module: calls, path: "/" + calls, body: s.body(list...), credits: (len(items) + perCredit - 1) / perCredit}
	results, err := s.write(ctx, q, "data", len(items))
	if err != nil {
		for _, it := range items {
			out[it.at].Err = err
		}
		return
	}
	for i, it := range items {
		o := &out[it.at]
		if id, ok := results[i].done(); ok {
			if method == http.MethodPost {
				it.warns = append(it.warns, s.keyed(ctx, calls, id, cutKey(it.w.Key))...)
			}
			o.Written = connectors.Written{RemoteID: id, URL: s.recordURL(calls, id), Created: method == http.MethodPost, Linked: it.linked, Warnings: it.warns}
			continue
		}
		o.Err = s.itemRefusal(q, results[i])
		e := connectors.AsError(o.Err)
		if e.Class == connectors.Conflict && e.Field == KeyField || results[i].parsed().maxLength() > 0 {
			o.Written, o.Err = s.WriteCall(ctx, it.w)
		}
	}
}
