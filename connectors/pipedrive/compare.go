package pipedrive

import (
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// SameStored implements connectors.Comparer: subjects are one line, texts are cut, activities know whole seconds and calls
// of 99 hours at most.
func (s *session) SameStored(_, field string, written, read any) bool {
	if _, ok := read.(nowhere); ok {
		return true
	}
	switch field {
	case "subject", "note", "public_description", "content":
		w, err := asText(field, written)
		r, err2 := asText(field, read)
		if err != nil || err2 != nil || r == "" {
			return false
		}
		if field == "subject" {
			w = strings.Join(strings.Fields(w), " ")
		}
		var none warnings
		return none.cut(field, w, s.maxText(field)) == r
	case "duration":
		w, ok, err := asFloat(field, written)
		if err != nil || !ok {
			return false
		}
		whole, _ := seconds(length(int64(min(max(w, 0), 1<<31))))
		if whole == 0 && read == nil {
			return true // That Pipedrive shows no length for one of nothing is unconfirmed; it is no edit.
		}
		return connectors.SameValue(whole, read)
	case "start_time", "end_time", "due_date", "add_time":
		w, ok, err := asTime(field, written)
		r, ok2, err2 := asTime(field, read)
		return ok && ok2 && err == nil && err2 == nil && w.Truncate(time.Second).Equal(r.Truncate(time.Second))
	}
	return false
}

// MaxText implements connectors.Comparer. Pipedrive counts characters; a text of so many UTF-16 units has no more of them.
func (s *session) MaxText(_, field string) int { return s.maxText(field) }

func (s *session) maxText(field string) int {
	switch field {
	case "subject":
		return maxSubject
	case "note", "public_description", "content":
		return maxNote
	}
	return 0
}
