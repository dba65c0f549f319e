package hubspot

import (
	"context"
	"net/http"

	"github.com/callsync/callsync/connectors"
)

// ReadCalls implements connectors.BatchReader. What the answer does not show is read by itself, so that nothing is taken for
// deleted because an answer left it out.
func (s *session) ReadCalls(ctx context.Context, ids, fields []string) []connectors.ReadOutcome {
	out := make([]connectors.ReadOutcome, len(ids))
	inputs := make([]end, len(ids))
	for i, id := range ids {
		inputs[i] = end{ID: id}
	}
	if fields == nil {
		fields = []string{}
	}
	var answer batchResult
	found := map[string]record{}
	if len(ids) > 1 {
		err := s.do(ctx, request{method: http.MethodPost, name: "read of many calls", path: s.api.objects(calls) + "/batch/read", reads: true,
			body: map[string]any{"properties": fields, "propertiesWithHistory": []string{}, "inputs": inputs}}, &answer)
		if err != nil && connectors.AsError(err).Class != connectors.Invalid {
			for i := range out {
				out[i].Err = err
			}
			return out
		}
		for _, r := range answer.Results {
			found[r.ID] = r
		}
	}
	for i, id := range ids {
		if r, ok := found[id]; ok {
			out[i].Fields = r.values(fields)
		} else {
			out[i].Fields, out[i].Err = s.ReadCall(ctx, id, fields)
		}
	}
	return out
}

// values are the properties of a read, nil where the record has none.
func (r record) values(fields []string) map[string]any {
	out := make(map[string]any, len(fields))
	for _, f := range fields {
		if p := r.Properties[f]; p != nil {
			out[f] = *p
		} else {
			out[f] = nil
		}
	}
	return out
}
