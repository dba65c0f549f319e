package zoho

import (
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

var _ connectors.Comparer = (*session)(nil)

// SameStored implements connectors.Comparer: what was longer than a field takes was cut, at its known length or at the one
// that Zoho named; times are whole seconds; and a call that lasted nothing lasted a second.
func (s *session) SameStored(object, field string, written, read any) bool {
	if at, ok := written.(time.Time); ok {
		return connectors.SameValue(at.Truncate(time.Second), read)
	}
	if field == durationField {
		return connectors.SameValue(written, int64(0)) && connectors.SameValue(int64(1), read)
	}
	w, isText := written.(string)
	r, alsoText := read.(string)
	if !isText || !alsoText {
		return false
	}
	if at, err := time.Parse(time.RFC3339Nano, w); err == nil {
		return connectors.SameValue(at.Truncate(time.Second), read)
	}
	if limit := maxText(modules[object], field); limit > 0 && length(w) > limit {
		w = cut(w, limit)
	}
	start, wasCut := strings.CutSuffix(r, " …")
	return w == r || wasCut && length(r) < length(w) && strings.HasPrefix(w, start)
}

// MaxText implements connectors.Comparer.
func (s *session) MaxText(object, field string) int { return maxText(modules[object], field) }
