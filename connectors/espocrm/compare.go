package espocrm

import (
	"strings"
	"time"
)

// SameStored implements connectors.Comparer: what EspoCRM did not take as it was sent was made to fit (repair), and it
// calculates the duration of a call by itself, differently in its answers to a write and to a read (seen on 9.1).
func (s *session) SameStored(object, field string, written, read any) bool {
	if field == "duration" && entities[object] == "Call" {
		return true
	}
	w, isText := written.(string)
	r, alsoText := read.(string)
	if at, isTime := written.(time.Time); isTime && alsoText {
		return at.UTC().Truncate(time.Second).Format(time.RFC3339) == r
	}
	if !isText || !alsoText || r == "" {
		return false
	}
	if head, was := strings.CutSuffix(r, "…"); was && len(head) >= 16 && strings.HasPrefix(w, head) {
		return true
	}
	return cleaned(w) == r
}

// cleaned is a text as a field has it that does not take the characters < > =.
func cleaned(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("<", " ", ">", " ", "=", " ").Replace(s)), " ")
}

// MaxText implements connectors.Comparer, as far as the account's fields are known already: it asks for nothing.
func (s *session) MaxText(object, field string) int {
	defs, _ := s.meta.Peek(entities[object])
	switch def := defs[field]; {
	case def.MaxLength > 0:
		return def.MaxLength
	case def.Type == "varchar":
		return maxVarchar
	}
	return 0
}
