package espocrm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/callsync/callsync/connectors"
)

// EspoCRM's forms of times, always in UTC.
const (
	timeLayout = "2006-01-02 15:04:05"
	dateLayout = "2006-01-02"
)

// maxVarchar is the length of a varchar field that says nothing else, in characters.
const maxVarchar = 255

// maxRepairs bounds how often a write is sent again with what EspoCRM did not take made to fit.
const maxRepairs = 4

// encode makes EspoCRM's attributes of a mapping's fields.
func encode(fields map[string]any) (attributes, error) {
	out := make(attributes, len(fields)+6)
	for name, v := range fields {
		x, err := encodeValue(v)
		if err != nil {
			return nil, &connectors.Error{Class: connectors.Invalid, Field: name, Err: err,
				Public: "The value for the EspoCRM field “" + name + "” is of a kind that EspoCRM cannot store. Correct the mapping, then retry."}
		}
		out[name] = x
	}
	return out, nil
}

func encodeValue(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int, int64:
		return v, nil
	case string:
		// EspoCRM's PHP takes any text but what is no UTF-8.
		return strings.ToValidUTF8(v, "\uFFFD"), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("espocrm: a number that is none")
		}
		return v, nil
	case time.Time:
		if v.IsZero() {
			return nil, nil
		}
		return v.UTC().Format(timeLayout), nil
	case []string:
		return v, nil
	}
	return nil, fmt.Errorf("espocrm: a value of type %T", v)
}

// decode gives a value as callsync compares it: times as RFC 3339.
func decode(v any) any {
	if s, ok := v.(string); ok && len(s) == len(timeLayout) {
		if t, err := time.Parse(timeLayout, s); err == nil {
			return t.Format(time.RFC3339)
		}
	}
	return v
}

// moment reads a time attribute that was encoded.
func moment(v any) (time.Time, bool) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, false
	}
	t, err := time.Parse(timeLayout, s)
	return t, err == nil
}

// repair makes the value that EspoCRM refused fit, if it can: it cuts what is too long, leaves out characters that the
// field does not take, and gives a date field the date of a time. Lengths and patterns are the account's own, so they are
// asked for only when something was refused; a refusal has written nothing.
func (s *session) repair(ctx context.Context, entity string, values attributes, why refused) (connectors.Warning, bool, error) {
	text, ok := values[why.field].(string)
	if why.code != codeValidation || !ok || text == "" {
		return connectors.Warning{}, false, nil
	}
	if why.field == "phoneNumber" && why.rule == "valid" && (entity == "Contact" || entity == "Lead") {
		return withoutNumber(values), true, nil
	}
	fields, err := s.fields(ctx, entity)
	if err != nil {
		return connectors.Warning{}, false, err
	}
	def := fields[why.field]
	w := connectors.Warning{Field: why.field}
	switch {
	case why.rule == "maxLength":
		limit := def.MaxLength
		if limit <= 0 {
			limit = maxVarchar
		}
		values[why.field] = cut(text, limit)
		w.Text = fmt.Sprintf("The text was longer than EspoCRM's %d characters and was cut.", limit)
	case why.rule == "pattern" && def.Pattern == "$noBadCharacters":
		values[why.field] = cleaned(text)
		w.Text = "EspoCRM does not take the characters < > = in this field; they were left out."
	case why.rule == "valid" && def.Type == "date":
		t, ok := moment(text)
		if !ok {
			return w, false, nil
		}
		values[why.field] = t.Format(dateLayout)
		return connectors.Warning{}, true, nil
	default:
		return w, false, nil
	}
	if values[why.field] == text {
		return w, false, nil
	}
	return w, true, nil
}

// cut shortens s to at most limit characters, which is how EspoCRM counts.
func cut(s string, limit int) string {
	const mark = "…"
	if limit < 1 || utf8.RuneCountInString(s) <= limit {
		return s
	}
	n := limit - 1
	for i := range s {
		if n == 0 {
			return s[:i] + mark
		}
		n--
	}
	return s
}
