package callrail

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/callsync/callsync/telephony"
)

const fieldFormData = "form_data"

// formData are the free fields of a form, by the names that the web page gave them. CallRail writes a name that the page
// uses twice as two members of the same name, of which JSON decoders keep the last: such a field has the list of its
// values here.
func (d *decoder) formData() map[string]any {
	data, ok := telephony.Embedded(d.f.Peek(fieldFormData)).(map[string]any)
	if !ok {
		return nil
	}
	d.f.Drop(fieldFormData)
	for name, values := range repeated(d.body) {
		if _, ok := data[name]; ok && len(values) > 1 {
			data[name] = values
		}
	}
	return data
}

// repeated finds the members of form_data that come more than once, with their different values in order.
func repeated(body []byte) map[string][]any {
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil
		}
		if name, _ := key.(string); strings.ToLower(strings.TrimSpace(name)) == fieldFormData {
			return repeatedMembers(dec)
		}
		var skipped json.RawMessage
		if dec.Decode(&skipped) != nil {
			return nil
		}
	}
	return nil
}

func repeatedMembers(dec *json.Decoder) map[string][]any {
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	seen := map[string]any{}
	out := map[string][]any{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil
		}
		var v any
		if dec.Decode(&v) != nil {
			return nil
		}
		name, _ := key.(string)
		name, v = telephony.CleanText(name), telephony.CleanValue(v)
		first, again := seen[name]
		if !again {
			seen[name] = v
			continue
		}
		if out[name] == nil {
			out[name] = appendNew(nil, first)
		}
		out[name] = appendNew(out[name], v)
	}
	return out
}

// mostRepeats bounds the values of one name: no page has as many fields of it.
const mostRepeats = 100

func appendNew(list []any, v any) []any {
	if telephony.Blank(v) || len(list) >= mostRepeats || slices.ContainsFunc(list, func(have any) bool { return reflect.DeepEqual(have, v) }) {
		return list
	}
	return append(list, v)
}
