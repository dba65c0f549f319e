package zoho

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// ReadCalls implements connectors.BatchReader (Get Records, parameter ids: at most 100). What the answer does not show is read
// by itself, so that nothing is taken for deleted because an answer left it out.
func (s *session) ReadCalls(ctx context.Context, ids, fields []string) []connectors.ReadOutcome {
	out := make([]connectors.ReadOutcome, len(ids))
	asked := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !usable(id) })
	names := slices.Clone(fields)
	if slices.Contains(names, durationField) {
		names = append(names, "Call_Duration_in_seconds")
	}
	if len(names) == 0 {
		names = []string{"id"}
	}
	found := map[string]values{}
	for chunk := range slices.Chunk(names, maxFields) {
		if len(asked) < 2 {
			break
		}
		var p page
		_, err := s.read(ctx, get("read of many calls", calls, "/"+calls, url.Values{"ids": {strings.Join(asked, ",")},
			"fields": {strings.Join(chunk, ",")}, "per_page": {strconv.Itoa(2 * maxBatch)}}), &p)
		if err != nil && connectors.AsError(err).Class != connectors.Invalid {
			for i := range out {
				out[i].Err = err
			}
			return out
		}
		got := map[string]values{}
		for _, r := range p.Data {
			got[r.text("id")] = r
		}
		for _, id := range asked {
			r, ok := got[id]
			if have := found[id]; ok && have != nil {
				for name, v := range r {
					have[name] = v
				}
			} else if ok {
				found[id] = r
			}
		}
		// A record must be in every part.
		asked = slices.DeleteFunc(asked, func(id string) bool { return got[id] == nil })
	}
	for i, id := range ids {
		if !slices.Contains(asked, id) || found[id] == nil {
			out[i].Fields, out[i].Err = s.ReadCall(ctx, id, fields)
			continue
		}
		out[i].Fields = make(map[string]any, len(fields))
		for _, f := range fields {
			out[i].Fields[f] = decode(found[id], f)
		}
	}
	return out
}
