package salesforce

import (
	"context"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// ReadCalls implements connectors.BatchReader by one query. What it does not show is read by itself: a record that is gone, and
// all of them where the org refuses the query for one of the fields.
func (s *session) ReadCalls(ctx context.Context, ids, fields []string) []connectors.ReadOutcome {
	out := make([]connectors.ReadOutcome, len(ids))
	var names, quoted []string
	for _, f := range fields {
		if identifier.MatchString(f) && f != "Id" && !s.lacks(f) {
			names = append(names, f)
		}
	}
	for _, id := range ids {
		if recordID.MatchString(id) {
			quoted = append(quoted, quote(id))
		}
	}
	found := map[string]values{}
	if len(quoted) > 1 {
		rows, err := s.selectRows(ctx, objTask, "SELECT "+strings.Join(append([]string{"Id"}, names...), ", ")+" FROM "+objTask+
			" WHERE Id IN ("+strings.Join(quoted, ", ")+")", false)
		if err != nil && connectors.AsError(err).Class != connectors.Invalid {
			for i := range out {
				out[i].Err = err
			}
			return out
		}
		for _, r := range rows {
			found[r.text("Id")] = r
		}
	}
	for i, id := range ids {
		r, ok := found[id]
		if !ok {
			out[i].Fields, out[i].Err = s.ReadCall(ctx, id, fields)
			continue
		}
		out[i].Fields = make(map[string]any, len(fields))
		for _, f := range fields {
			out[i].Fields[f] = decode(r[f])
		}
	}
	return out
}
