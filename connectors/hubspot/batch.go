package hubspot

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/callsync/callsync/connectors"
)

// maxBatch is how many inputs a batch of records takes.
const maxBatch = 100

// item is one call of a batch with what is to be sent for it.
type item struct {
	at    int // its place among the outcomes
	w     connectors.CallWrite
	props map[string]string
	warns []connectors.Warning
}

// MaxBatch implements connectors.BatchWriter.
func (s *session) MaxBatch() int { return maxBatch }

// WriteCalls implements connectors.BatchWriter: creates by batch/upsert, updates by batch/update, and the links of the
// creates by one further request for each kind of record. A value that HubSpot refuses fails a whole batch there, so a
// batch that was refused is halved until only the bad items are left.
func (s *session) WriteCalls(ctx context.Context, ws []connectors.CallWrite) []connectors.BatchOutcome {
	out := make([]connectors.BatchOutcome, len(ws))
	var creates, updates []item
	for i, w := range ws {
		props, warnings, err := encode(w.Fields)
		switch {
		case err != nil:
			out[i].Err = err
		case w.RemoteID == "":
			props[CallKey] = w.Key
			creates = append(creates, item{i, w, props, warnings})
		default:
			updates = append(updates, item{i, w, props, warnings})
		}
	}
	s.writeBatch(ctx, creates, out, "upsert", func(it item) (batchInput, string) {
		return batchInput{ID: it.w.Key, IDProperty: CallKey, Properties: it.props}, it.w.Key
	})
	s.writeBatch(ctx, updates, out, "update", func(it item) (batchInput, string) {
		return batchInput{ID: it.w.RemoteID, Properties: it.props}, it.w.RemoteID
	})
	s.linkBatch(ctx, creates, out)
	return out
}

func (s *session) writeBatch(ctx context.Context, items []item, out []connectors.BatchOutcome, verb string, input func(item) (batchInput, string)) {
	if len(items) == 0 {
		return
	}
	if len(items) == 1 {
		it := items[0]
		out[it.at].Written, out[it.at].Err = s.write(ctx, calls, CallKey, it.w.Key, it.w.RemoteID, it.props, it.warns)
		return
	}
	if len(items) > maxBatch {
		s.writeBatch(ctx, items[:maxBatch], out, verb, input)
		s.writeBatch(ctx, items[maxBatch:], out, verb, input)
		return
	}
	inputs := make([]batchInput, len(items))
	open := make(map[string]item, len(items))
	for i, it := range items {
		var id string
		inputs[i], id = input(it)
		open[id] = it
	}
	q := request{method: http.MethodPost, name: verb + " of many calls", path: s.api.objects(calls) + "/batch/" + verb, body: map[string]any{"inputs": inputs}}
	var answer batchResult
	if err := s.do(ctx, q, &answer); err != nil {
		switch connectors.AsError(err).Class {
		case connectors.Invalid, connectors.Conflict, connectors.NotFound:
			s.writeBatch(ctx, items[:len(items)/2], out, verb, input)
			s.writeBatch(ctx, items[len(items)/2:], out, verb, input)
		default:
			for _, it := range items {
				out[it.at].Err = err
			}
		}
		return
	}
	settle := func(id string, done func(item)) {
		if it, ok := open[id]; ok {
			done(it)
			delete(open, id)
		}
	}
	for _, r := range answer.Results {
		id := r.ID
		if verb == "upsert" {
			id = r.property(CallKey)
		}
		settle(id, func(it item) {
			out[it.at].Written = s.written(calls, r, it.warns)
			out[it.at].Written.Stored = r.shown(it.props)
		})
	}
	for _, v := range answer.Errors {
		for _, id := range v.ids() {
			settle(id, func(it item) { out[it.at].Err = s.itemRefusal(q, v) })
		}
	}
	// What the answer does not account for is written again by itself, which changes nothing that was written already.
	for _, it := range items {
		id := it.w.Key
		if verb == "update" {
			id = it.w.RemoteID
		}
		if _, ok := open[id]; ok || out[it.at].Err == nil && out[it.at].Written.RemoteID == "" {
			s.writeBatch(ctx, []item{it}, out, verb, input)
		}
	}
}

// ids are the inputs that an error of a batch is about.
func (v vendorError) ids() []string {
	var context map[string]json.RawMessage
	if json.Unmarshal(v.Context, &context) != nil {
		return nil
	}
	var list []string
	for _, key := range []string{"ids", "id"} {
		if json.Unmarshal(context[key], &list) == nil && len(list) > 0 {
			return list
		}
	}
	return nil
}

type end struct {
	ID string `json:"id"`
}

// linkBatch ties new calls to their records. What it could not tie is missing in Linked, and is tied one by one later.
func (s *session) linkBatch(ctx context.Context, creates []item, out []connectors.BatchOutcome) {
	type pair struct {
		From end `json:"from"`
		To   end `json:"to"`
	}
	pairs, tied := map[string][]pair{}, map[string][]func(){}
	for _, it := range creates {
		o := &out[it.at]
		if o.Err != nil || o.Written.RemoteID == "" {
			continue
		}
		for _, to := range it.w.Links {
			if linkable(to) {
				pairs[to.Object] = append(pairs[to.Object], pair{end{o.Written.RemoteID}, end{to.ID}})
				tied[to.Object] = append(tied[to.Object], func() { o.Written.Linked = append(o.Written.Linked, to) })
			}
		}
	}
	for object, list := range pairs {
		var answer batchResult
		err := s.do(ctx, request{method: http.MethodPost, name: "link of many calls", path: s.api.links(calls, objects[object]) + "/associate/default",
			body: map[string]any{"inputs": list}}, &answer)
		if err != nil || len(answer.Errors) > 0 {
			continue
		}
		for _, done := range tied[object] {
			done()
		}
	}
}
