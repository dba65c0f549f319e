package telephony

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"strings"
)

// Embedded returns the object or the list that the text v holds as JSON, else v. Phone systems put JSON into text where
// their admins write templates or where a form has no other way to nest; some of it is escaped once more, as JSON text or
// for HTML. What is returned is cleaned and keeps the text of its numbers.
func Embedded(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	s = strings.TrimSpace(s)
	for range 3 {
		switch {
		case s == "" || !strings.Contains(`{["`, s[:1]):
			return v
		case strings.HasPrefix(strings.TrimLeft(s, "[{ "), "&quot;"):
			s = html.UnescapeString(s)
		}
		inner, ok := decodeEmbedded(s)
		if !ok && strings.Contains(s, `\"`) {
			inner, ok = decodeEmbedded(`"` + s + `"`)
		}
		if !ok {
			return v
		}
		switch inner := inner.(type) {
		case map[string]any, []any:
			return CleanValue(inner)
		case string:
			s = strings.TrimSpace(inner)
		default:
			return v
		}
	}
	return v
}

func decodeEmbedded(s string) (any, bool) {
	if tooDeep([]byte(s)) >= 0 {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, false
	}
	_, err := d.Token()
	return v, err == io.EOF
}
