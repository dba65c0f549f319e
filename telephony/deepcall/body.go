package deepcall

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/callsync/callsync/telephony"
)

// pushReport is the form field in which reports come as JSON.
const pushReport = "push_report"

// mostNested is how many wrappers a report may come in.
const mostNested = 4

// mostReports bounds the reports of one request; DeepCall sends one.
const mostReports = 100

// readReports finds the reports of a request, their names in the form of known and cleaned of what says nothing. In the
// field they come as JSON, as the form field push_report with JSON in it, as plain form fields and, from a GET, in the
// URL; templates that administrators write make JSON that only mend can read.
func readReports(r telephony.Request) ([]map[string]any, error) {
	var object map[string]any
	switch f, err := telephony.ReadBody(r); {
	case err != nil:
		v, ok := readLoose(r.Body)
		if !ok {
			return nil, err
		}
		return reportsIn(map[string]any{pushReport: v}, nil, 0)
	case f.Len() > 0:
		object = f.Values()
	default:
		q, err := telephony.ReadQuery(r)
		if err != nil {
			return nil, err
		}
		return reportsInURL(q.Values())
	}
	return reportsIn(object, r.Body, 0)
}

// reportsInURL reads a query, where an administrator's own parameters, secrets among them, stand beside DeepCall's: only
// what has one of DeepCall's names counts.
func reportsInURL(query map[string]any) ([]map[string]any, error) {
	object := map[string]any{}
	for k, v := range query {
		if name := squash(k); known[name] || name == squash(pushReport) {
			object[k] = v
		}
	}
	return reportsIn(object, nil, 0)
}

// reportsIn unwraps push_report and whatever else a report was put in. body is the form that object was read from.
func reportsIn(object map[string]any, body []byte, depth int) ([]map[string]any, error) {
	for _, k := range slices.Sorted(maps.Keys(object)) {
		if squash(k) != squash(pushReport) {
			continue
		}
		switch inner := loosely(object[k]).(type) {
		case map[string]any, []any:
			return reportsOf(inner, depth)
		case string:
			if telephony.Blank(clean(inner)) {
				break
			}
			// A form that is not encoded falls apart at the first & or % in its JSON.
			if whole, ok := readLoose(body); ok && depth == 0 {
				return reportsOf(whole, depth)
			}
			return nil, &telephony.UnreadableError{
				Where:  "field " + pushReport,
				Public: "The report in this request is not JSON. If the template of the webhook in the DeepCall panel puts quotes around a variable whose text has quotes, remove them, and replay this request after an update of callsync.",
				Err:    errors.New("invalid JSON"),
			}
		}
		rest := maps.Clone(object)
		delete(rest, k)
		return reportsIn(rest, nil, depth)
	}
	report := canonical(object)
	if _, ok := report[fieldCallID]; ok || len(report) != 1 || depth >= mostNested {
		return []map[string]any{report}, nil
	}
	// Something around the report that has another name.
	for _, v := range report {
		if inner, ok := loosely(v).(map[string]any); ok && canonical(inner)[fieldCallID] != nil {
			return reportsIn(inner, nil, depth+1)
		}
	}
	return []map[string]any{report}, nil
}

func reportsOf(v any, depth int) ([]map[string]any, error) {
	if depth >= mostNested {
		return nil, nil
	}
	switch v := v.(type) {
	case map[string]any:
		return reportsIn(v, nil, depth+1)
	case []any:
		var out []map[string]any
		for _, item := range v {
			list, err := reportsOf(loosely(item), depth+1)
			if err != nil {
				return nil, err
			}
			if out = append(out, list...); len(out) > mostReports {
				return nil, &telephony.UnreadableError{Where: "body", Public: "The request holds too many reports.", Err: fmt.Errorf("more than %d reports", mostReports)}
			}
		}
		return out, nil
	}
	return nil, nil
}

// readLoose reads a body that is no JSON and no form by the book: an encoded form without a name, a form that was not
// encoded, a list, and what templates make.
func readLoose(body []byte) (any, bool) {
	text := string(bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))))
	if !utf8.ValidString(text) {
		return nil, false
	}
	if name, rest, ok := strings.Cut(text, "="); ok && squash(name) == squash(pushReport) && len(name) < 32 {
		text = strings.TrimSpace(rest)
	}
	if v, ok := container(loosely(text)); ok {
		return v, true
	}
	if !strings.HasPrefix(text, "%") {
		return nil, false
	}
	decoded, err := url.QueryUnescape(text)
	if err != nil {
		return nil, false
	}
	return container(loosely(decoded))
}

func container(v any) (any, bool) {
	switch v.(type) {
	case map[string]any, []any:
		return v, true
	}
	return nil, false
}

// loosely is telephony.Embedded with a second try on what mend makes of the text.
func loosely(v any) any {
	out := telephony.Embedded(v)
	s, ok := out.(string)
	if s = strings.TrimSpace(s); !ok || s == "" || s[0] != '{' && s[0] != '[' {
		return out
	}
	if mended := telephony.Embedded(mend(s)); !isText(mended) {
		return mended
	}
	return out
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

// canonical gives the fields of a report the names of known, however the template spells them ("call_id", "CallID"),
// reads JSON in text where known fields have structure, and leaves out what says nothing. Other names stay.
func canonical(object map[string]any) map[string]any {
	out := make(map[string]any, len(object))
	for _, exact := range []bool{true, false} {
		for _, k := range slices.Sorted(maps.Keys(object)) {
			name := squash(k)
			if !known[name] {
				name = k
			} else if exact != (strings.ToLower(strings.TrimSpace(k)) == name) {
				continue
			}
			v := object[k]
			if structured[name] {
				v = loosely(v)
			}
			if v = clean(v); telephony.Blank(v) || !telephony.Blank(out[name]) {
				continue
			}
			out[name] = v
		}
	}
	return out
}

// squash is what is left of a name in lower case without its punctuation.
func squash(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, name)
}

// placeholder is a variable of the panel's template. One that arrives was not filled in.
var placeholder = regexp.MustCompile(`\{\{\s*%%[^{}]*%%\s*\}\}`)

// clean makes nothing of what says nothing: text with a placeholder, empty lists and objects as text, PHP's date zero.
func clean(v any) any {
	switch v := v.(type) {
	case string:
		s := strings.TrimSpace(v)
		switch {
		case s == "[]", s == "{}", s == "[{}]", strings.HasPrefix(s, "0000-00-00"):
			return nil
		case strings.Contains(s, "%%") && placeholder.MatchString(s):
			return nil
		}
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			if item = clean(item); item != nil {
				out = append(out, item)
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			if item = clean(item); item != nil {
				out[k] = item
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	}
	return v
}
