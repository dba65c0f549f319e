package salesforce

import (
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// SameStored implements connectors.Comparer: Salesforce answers a write without the record, so what encode and refit make of
// a value is made again here.
func (s *session) SameStored(object, field string, written, read any) bool {
	if slices.Contains(ownOptional, field) && (read == nil || read == "") {
		// The org lacks the field.
		return true
	}
	if at, is := written.(time.Time); is {
		return read == at.In(s.zone).Format(dateLayout)
	}
	w, isText := written.(string)
	r, alsoText := read.(string)
	if !isText || !alsoText {
		return false
	}
	if len(w) == 15 && len(r) == 18 && recordID.MatchString(r) && strings.HasPrefix(r, w) {
		// Ids of 18 characters are those of 15 with a checksum.
		return true
	}
	limit := s.MaxText(object, field)
	short, _, _ := cutTo(field, clean(w), limit)
	return connectors.SameField(nil, object, field, short, r)
}

// MaxText implements connectors.Comparer. It asks for nothing: of fields that are not standard ones it knows what the org has
// said already.
func (s *session) MaxText(object, field string) int {
	name := objects[object]
	if n := lengths[name][field]; n > 0 {
		return n
	}
	info, _ := s.described.Peek(name)
	return info.Fields[field].Length
}
