package hubspot

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/callsync/callsync/connectors"
)

// maxText is the most characters that a text property takes (documented for notes; unconfirmed for other properties).
// Whether HubSpot counts an emoji once or twice is not documented: it is counted twice, which fits either way.
const maxText = 65536

// length counts UTF-16 units.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// encode makes HubSpot's properties: every value is text. What is too long is cut, with a warning.
func encode(fields map[string]any) (map[string]string, []connectors.Warning, error) {
	out := make(map[string]string, len(fields)+1)
	var warnings []connectors.Warning
	for name, v := range fields {
		s, err := encodeValue(v)
		if err != nil {
			return nil, nil, &connectors.Error{Class: connectors.Invalid, Field: name, Err: err,
				Public: "The value for the HubSpot property “" + name + "” is of a kind that HubSpot cannot store. Correct the mapping, then retry."}
		}
		if length(s) > maxText {
			s = cut(s, maxText)
			warnings = append(warnings, connectors.Warning{Field: name,
				Text: fmt.Sprintf("The text was longer than HubSpot's %d characters and was cut.", maxText)})
		}
		out[name] = s
	}
	return out, warnings, nil
}

func encodeValue(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "", fmt.Errorf("hubspot: a number that is none")
		}
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case time.Time:
		if v.IsZero() {
			return "", nil
		}
		return strconv.FormatInt(v.UnixMilli(), 10), nil
	case []string:
		return strings.Join(v, ";"), nil
	}
	return "", fmt.Errorf("hubspot: a value of type %T", v)
}

// cut shortens s to at most limit characters, and not in the middle of a tag or an entity, which would swallow what the
// CRM puts behind it.
func cut(s string, limit int) string {
	const mark = " …"
	end, left := 0, limit-length(mark)
	for i, r := range s {
		if left -= utf16.RuneLen(r); left < 0 {
			end = i
			break
		}
	}
	s = s[:end]
	for _, pair := range []struct{ open, shut string }{{"<", ">"}, {"&", ";"}} {
		if i := strings.LastIndex(s, pair.open); i >= 0 && len(s)-i < 200 && !strings.Contains(s[i:], pair.shut) {
			s = s[:i]
		}
	}
	return s + mark
}
