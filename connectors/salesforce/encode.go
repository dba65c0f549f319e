package salesforce

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/callsync/callsync/connectors"
)

// Salesforce's forms of times. It writes moments with a zone without a colon and reads ISO 8601; both keep milliseconds in
// JSON, while the database keeps whole seconds (Field Types, dateTime).
const (
	timeLayout = "2006-01-02T15:04:05.000Z"
	timeRead   = "2006-01-02T15:04:05.000-0700"
	dateLayout = "2006-01-02"
)

// maxKey is what the key field takes.
const maxKey = 100

// lengths are those of standard fields, in characters (object reference). An emoji is counted as two, which fits however
// Salesforce counts. Those of other fields are asked for when Salesforce refuses a text.
var lengths = map[string]map[string]int{
	objTask:        {"Subject": 255, "Description": 32000, "CallDisposition": 255, "CallObject": 255},
	objCase:        {"Subject": 255, "Description": 32000, "SuppliedName": 80, "SuppliedPhone": 40, "SuppliedCompany": 80},
	objContact:     {"FirstName": 40, "LastName": 80, "Phone": 40, "MobilePhone": 40, "Title": 128, "MailingCity": 40, "MailingState": 80, "MailingCountry": 80, "Description": 32000},
	objLead:        {"FirstName": 40, "LastName": 80, "Company": 255, "Phone": 40, "MobilePhone": 40, "Title": 128, "City": 40, "State": 80, "Country": 80, "Description": 32000},
	objOpportunity: {"Name": 120, "NextStep": 255, "Description": 32000},
}

// dates are the standard fields that hold a date and no time.
var dates = []string{"ActivityDate", "CloseDate", "Birthdate"}

// createOnly are the fields that only a create may set (object reference, Task: TaskSubtype lacks Update).
var createOnly = []string{"TaskSubtype"}

// ownOptional are the fields of callsync's own that an org need not have.
var ownOptional = []string{StartField}

// encode makes Salesforce's values of a mapping's fields. What is too long is cut, with a warning.
func (s *session) encode(object string, fields map[string]any) (values, []connectors.Warning, error) {
	out := make(values, len(fields)+4)
	var warnings []connectors.Warning
	for name, v := range fields {
		x, err := s.encodeValue(v, slices.Contains(dates, name))
		if err != nil {
			return nil, nil, &connectors.Error{Class: connectors.Invalid, Field: name, Err: err,
				Public: "The value for the Salesforce field “" + name + "” is of a kind that Salesforce cannot store. Correct the mapping, then retry."}
		}
		if text, ok := x.(string); ok {
			cutText, w, did := cutTo(name, text, lengths[object][name])
			x = cutText
			if did {
				warnings = append(warnings, w)
			}
		}
		out[name] = x
	}
	return out, warnings, nil
}

func (s *session) encodeValue(v any, date bool) (any, error) {
	switch v := v.(type) {
	case nil, bool, int, int64:
		return v, nil
	case string:
		return clean(v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("salesforce: a number that is none")
		}
		return v, nil
	case time.Time:
		switch {
		case v.IsZero():
			return nil, nil
		case date:
			return v.In(s.zone).Format(dateLayout), nil
		}
		return v.UTC().Format(timeLayout), nil
	case []string:
		return clean(strings.Join(v, ";")), nil
	}
	return nil, fmt.Errorf("salesforce: a value of type %T", v)
}

// clean leaves out what no Salesforce text holds: bytes that are no UTF-8, and control characters that XML cannot carry.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// cutTo shortens a text to a field's length; zero means that it is not known.
func cutTo(name, text string, limit int) (string, connectors.Warning, bool) {
	if limit <= 0 || length(text) <= limit {
		return text, connectors.Warning{}, false
	}
	return cut(text, limit), connectors.Warning{Field: name, Text: fmt.Sprintf("The text was longer than Salesforce's %d characters and was cut.", limit)}, true
}

// length counts UTF-16 units.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

func cut(s string, limit int) string {
	const mark = "…"
	left := limit - length(mark)
	for i, r := range s {
		if left -= utf16.RuneLen(r); left < 0 {
			return s[:i] + mark
		}
	}
	return s
}

// cutKey keeps a key within its field. callsync's keys are far shorter.
func cutKey(key string) string {
	if length(key) <= maxKey {
		return key
	}
	return cut(key, maxKey)
}

// decode gives a value as callsync compares it: moments as RFC 3339.
func decode(v any) any {
	if t, ok := moment(v); ok {
		return t.UTC().Format(time.RFC3339Nano)
	}
	return v
}

// moment reads a moment as Salesforce writes it.
func moment(v any) (time.Time, bool) {
	s, ok := v.(string)
	if !ok || len(s) < len("2006-01-02T15:04:05Z") {
		return time.Time{}, false
	}
	for _, layout := range []string{timeRead, time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// refit makes the values that Salesforce refused fit what the org says of its fields: it cuts what is too long, writes dates and
// moments as each field wants them, and leaves out those of our own fields that the org lacks. It tells whether
// anything changed.
func refit(v values, info objectInfo, zone *time.Location) (warnings []connectors.Warning, changed bool) {
	for name, x := range v {
		f, ok := info.Fields[name]
		if !ok {
			if slices.Contains(ownOptional, name) {
				delete(v, name)
				warnings, changed = append(warnings, absent(name)), true
			}
			continue
		}
		text, ok := x.(string)
		if !ok {
			continue
		}
		switch f.Type {
		case "date":
			if t, ok := moment(text); ok {
				v[name], changed = t.In(zone).Format(dateLayout), true
			}
		case "datetime":
			if t, err := time.ParseInLocation(dateLayout, text, zone); err == nil {
				v[name], changed = t.UTC().Format(timeLayout), true
			}
		default:
			short, w, did := cutTo(name, text, f.Length)
			if did {
				v[name], warnings, changed = short, append(warnings, w), true
			}
		}
	}
	return warnings, changed
}

// absent is the warning of one of callsync's own fields that the org has not.
func absent(name string) connectors.Warning {
	return connectors.Warning{Field: name, Text: "Your Salesforce has no field of this name on Activity, so it was left out. The call's text has the exact start."}
}
