package smartflo

import (
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/callsync/callsync/telephony"
)

// input is a request with its fields under Smartflo's own names.
type input struct {
	f *telephony.Fields
	// fromURL: the fields are the URL's query, where an administrator's own parameters stand beside Smartflo's.
	fromURL bool
	// query are the parameters of the URL, those of the administrator among them.
	query *telephony.Fields
}

// readRequest reads the body or, where that is empty, the query, and gives the fields Smartflo's names. The panel lets
// the administrator choose method, encoding and names.
func readRequest(r telephony.Request, s telephony.Settings) (input, error) {
	names, err := readAliases(s.Config[configAliases])
	if err != nil {
		return input{}, err
	}
	body, err := telephony.ReadBody(r)
	if err != nil {
		return input{}, err
	}
	query, err := telephony.ReadQuery(r)
	if err != nil && body.Len() == 0 {
		return input{}, err
	}
	if err != nil {
		query = telephony.NewFields(nil)
	}
	in := input{query: query}
	fields := body.Values()
	if body.Len() == 0 {
		in.fromURL = true
		if query, err = telephony.ReadQuery(telephony.AppendedQuery(r, "call_id=", "uuid=", "caller_id_number=")); err != nil {
			return input{}, err
		}
		fields = query.Values()
		joinRecordingURL(fields)
		for _, name := range telephony.URLSecrets {
			delete(fields, name)
		}
	}
	fields = plainNames(fields)
	for k, v := range fields {
		fields[k] = blankPlaceholders(v)
		// A secret that is sent in the body or the query as well is not a fact.
		if text, ok := v.(string); ok && text != "" && text == secretOf(s) {
			delete(fields, k)
		}
	}
	fields = unwrap(fields, names)
	fields = names.apply(fields)
	respell(fields)
	for k, v := range fields {
		fields[k] = withoutLeftovers(k, v)
	}
	in.f = telephony.NewFields(fields)
	return in, nil
}

// says tells whether there is anything beside what an administrator put into the URL.
func (in input) says() bool {
	if !in.fromURL {
		return in.f.Len() > 0
	}
	rest := in.f.Values()
	for _, name := range slices.Concat(triggerKeys, []string{"direction"}) {
		delete(rest, name)
	}
	return len(rest) > 0
}

// onlyPlaceholders tells whether no variable was filled in. Static fields of the administrator do not count as filled.
func (in input) onlyPlaceholders() bool {
	blank := false
	for name, v := range in.f.Values() {
		if _, known := variableNames[name]; !known || slices.Contains(triggerKeys, name) || name == "direction" {
			continue
		}
		if !telephony.Blank(v) {
			return false
		}
		blank = true
	}
	return blank
}

// joinRecordingURL puts together a recording's URL that a GET did not encode, so that its own query became fields.
func joinRecordingURL(fields map[string]any) {
	base, _ := fields["recording_url"].(string)
	if base == "" || strings.Contains(base, "&token=") {
		return
	}
	base, first, asked := strings.Cut(base, "?")
	query := url.Values{}
	if name, value, ok := strings.Cut(first, "="); asked && ok {
		query.Set(name, value)
	}
	for name, param := range recordingParameters {
		if v, ok := fields[name].(string); ok {
			query.Set(param, v)
		}
	}
	if !query.Has("token") || !strings.HasPrefix(base, "http") {
		return
	}
	fields["recording_url"] = base + "?" + query.Encode()
	for name := range recordingParameters {
		delete(fields, name)
	}
}

// recordingParameters are the parameters of a recording's URL by their name among the fields, which have no capitals.
var recordingParameters = map[string]string{"callid": "callId", "type": "type", "token": "token"}

// plainNames strips what stands around names where the vendor's table was copied as it is: "$call_id",
// "$answered_agent{}", `$agent_name"`. A name that is plain already wins.
func plainNames(fields map[string]any) map[string]any {
	out := make(map[string]any, len(fields))
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		name := strings.TrimSpace(strings.TrimSuffix(strings.Trim(k, "\"' "), "{}"))
		name = strings.TrimLeft(name, "$")
		if name == "" {
			name = k
		}
		if v, taken := out[name]; !taken || k == name || telephony.Blank(v) {
			out[name] = fields[k]
		}
	}
	return out
}

// wrappers bounds how deep the fields may lie inside other objects.
const wrappers = 3

// unwrap takes the fields out of an object or JSON text they are wrapped in ("payload", "data", "push"), if they are not
// at the top. What stands beside it stays.
func unwrap(fields map[string]any, names aliases) map[string]any {
	for range wrappers {
		if identifies(fields, names) {
			return fields
		}
		inner, at := map[string]any(nil), ""
		for _, k := range slices.Sorted(maps.Keys(fields)) {
			if m, ok := telephony.Embedded(fields[k]).(map[string]any); ok && len(m) > len(inner) {
				inner, at = m, k
			}
		}
		// Smartflo's own objects wrap nothing.
		if _, known := variableNames[at]; inner == nil || known {
			return fields
		}
		lower := telephony.NewFields(inner).Values()
		for k, v := range lower {
			lower[k] = blankPlaceholders(v)
		}
		out := plainNames(lower)
		for k, v := range fields {
			if _, taken := out[k]; !taken && k != at {
				out[k] = v
			}
		}
		fields = out
	}
	return fields
}

// identifies tells whether the fields name a call, under Smartflo's names or the administrator's.
func identifies(fields map[string]any, names aliases) bool {
	for _, want := range []string{"call_id", "uuid", "ref_id"} {
		if !telephony.Blank(fields[want]) {
			return true
		}
		for _, key := range names[want] {
			if _, ok := lookUp(fields, key); ok {
				return true
			}
		}
	}
	for k, v := range fields {
		if name := spellings[squash(k)]; (name == "call_id" || name == "uuid") && !telephony.Blank(v) {
			return true
		}
	}
	return false
}

// aliases are the administrator's keys by Smartflo's name.
type aliases map[string][]string

// publicAliases is the sentence for people about field names that cannot be read.
const publicAliases = `"Your own field names" is not a JSON object from Smartflo's variables to your keys.`

// readAliases reads the setting. One that cannot be read stops the source's requests, visibly and replayably: ignoring it
// would fold calls from half of what they say.
func readAliases(setting string) (aliases, error) {
	if strings.TrimSpace(setting) == "" {
		return nil, nil
	}
	wrong := func(err error) error {
		return &telephony.UnreadableError{
			Where:  "setting " + configAliases,
			Public: publicAliases + " Correct the setting of the source and replay the request.",
			Err:    err,
		}
	}
	var doc map[string]any
	if json.Unmarshal([]byte(setting), &doc) != nil {
		return nil, wrong(errors.New("not a JSON object"))
	}
	out := make(aliases, len(doc))
	for k, v := range doc {
		name := strings.ToLower(strings.Trim(k, "$ "))
		if known, ok := spellings[squash(name)]; ok {
			name = known
		}
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, item := range list {
			key, ok := item.(string)
			if !ok {
				return nil, wrong(errors.New("a key is not text"))
			}
			if key = strings.ToLower(strings.Trim(key, "$ ")); key != "" {
				out[name] = append(out[name], key)
			}
		}
	}
	return out, nil
}

// apply moves the administrator's keys to Smartflo's names, all at once, so that two names can be exchanged. A key that
// is not there, or blank, moves nothing: then Smartflo's own name counts.
func (a aliases) apply(fields map[string]any) map[string]any {
	if len(a) == 0 {
		return fields
	}
	moved, from := map[string]any{}, []string(nil)
	for name, keys := range a {
		for _, key := range keys {
			if v, ok := lookUp(fields, key); ok {
				moved[name] = v
				from = append(from, key)
				break
			}
		}
	}
	for _, key := range from {
		remove(fields, key)
	}
	maps.Copy(fields, moved)
	return fields
}

// lookUp finds a value that is not blank by its key or by a path of keys and places ("call.legs.0.id"). What is JSON text
// on the way is opened.
func lookUp(fields map[string]any, path string) (any, bool) {
	if v, ok := fields[path]; ok {
		return v, !telephony.Blank(v)
	}
	parent, last := parentOf(fields, path)
	v, _ := child(parent, last)
	return v, !telephony.Blank(v)
}

// remove takes a value out of where it was found: a recording's address must not stay beside the place it was moved to.
func remove(fields map[string]any, path string) {
	if _, ok := fields[path]; ok {
		delete(fields, path)
		return
	}
	switch parent, last := parentOf(fields, path); parent := parent.(type) {
	case map[string]any:
		delete(parent, keyOf(parent, last))
	case []any:
		if i, err := strconv.Atoi(last); err == nil && i >= 0 && i < len(parent) {
			parent[i] = nil
		}
	}
}

// parentOf walks to the object or list that holds the last step of a path, opening JSON text where it lies.
func parentOf(fields map[string]any, path string) (parent any, last string) {
	parent = fields
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		v, set := child(parent, step)
		inner := telephony.Embedded(v)
		if _, text := v.(string); text && set != nil {
			set(inner)
		}
		parent = inner
	}
	return parent, steps[len(steps)-1]
}

// child is what an object or a list has under a step, and a way to replace it.
func child(parent any, step string) (any, func(any)) {
	switch parent := parent.(type) {
	case map[string]any:
		k := keyOf(parent, step)
		return parent[k], func(v any) { parent[k] = v }
	case []any:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(parent) {
			return parent[i], func(v any) { parent[i] = v }
		}
	}
	return nil, nil
}

// keyOf is the key of m that is meant by a name in lower case.
func keyOf(m map[string]any, name string) string {
	if _, ok := m[name]; ok {
		return name
	}
	// Of several the first in order, whatever the order of the map.
	found := ""
	for k := range m {
		if strings.EqualFold(strings.TrimSpace(k), name) && (found == "" || k < found) {
			found = k
		}
	}
	if found == "" {
		return name
	}
	return found
}

// respell moves fields whose names differ from Smartflo's only in spelling ("callId", "Call ID") to them, unless those
// are there.
func respell(fields map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		if _, known := variableNames[k]; known {
			continue
		}
		name, ok := spellings[squash(k)]
		if !ok || telephony.Blank(fields[k]) || !telephony.Blank(fields[name]) {
			continue
		}
		fields[name] = fields[k]
		delete(fields, k)
	}
}
