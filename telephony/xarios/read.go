package xarios

import (
	"bytes"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/callsync/callsync/telephony"
)

// payload is a request taken apart.
type payload struct {
	empty bool
	// top are the fields around the call data, cdr the call data itself; cdr is nil where there is none.
	top, cdr *telephony.Fields
	// id is the session's. The id beside the call data is that of a user or tenant and names no call.
	id string
	// custom is the additional payload data that an administrator configured.
	custom map[string]any
	// form: the request was a form or a query, where custom data may stand beside the rest.
	form bool
	// bare: the call data's own fields stand where those around it do.
	bare bool
	// query: the form was the URL's, where an administrator's own parameters may stand as well.
	query bool
}

// The fields around the call data.
const (
	fieldCDR     = "cdr"
	fieldCustom  = "customdata"
	fieldTenant  = "tenantid"
	fieldTrigger = "triggerid"
)

// read takes a request apart: JSON, a form, or a query where there is no body.
func read(r telephony.Request) (payload, error) {
	p := payload{}
	values, err := telephony.FormValues(r)
	if err == nil && values == nil && len(bytes.TrimSpace(r.Body)) == 0 {
		p.query = true
		values, err = telephony.QueryValues(telephony.AppendedQuery(r, "cdr", "dtype", "clinum"))
	}
	if err != nil {
		return p, err
	}
	var root map[string]any
	if values != nil {
		p.form, root = true, unflatten(values)
	} else {
		f, err := telephony.ReadBody(r)
		if err != nil {
			return p, err
		}
		root = f.Values()
	}
	p.top = telephony.NewFields(root)
	p.empty = p.top.Len() == 0
	p.custom = pairs(p.top.Peek(fieldCustom))
	cdr, bare := callData(p.top)
	if cdr == nil {
		return p, nil
	}
	p.cdr, p.bare = telephony.NewFields(cdr), bare
	p.id = p.cdr.Text("cdrid", "cdr_id", "sessionid", "id")
	if bare {
		p.top = telephony.NewFields(around(p.top.Values()))
		if tenant, _ := telephony.TextOf(p.top.Peek(fieldTenant)); p.id == tenant && times(values, "id") < 2 {
			// Of the two ids only the tenant's came. It would make one call of all.
			p.id = ""
		}
	}
	return p, nil
}

// times is how often a form has a name.
func times(values url.Values, name string) int {
	n := 0
	for k, list := range values {
		if strings.EqualFold(strings.TrimSpace(k), name) {
			n += len(list)
		}
	}
	return n
}

// callData finds the call data: an object, JSON in a text, or, bare, the fields of one among those around it.
func callData(top *telephony.Fields) (cdr map[string]any, bare bool) {
	v := telephony.Embedded(top.Peek(fieldCDR))
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0]
	}
	if m, ok := v.(map[string]any); ok {
		return m, false
	}
	if top.Has(fieldCDR) || !top.Has("dtype", "start", "clinum", "ddinum", "dir", "pbxid", "recordingids") {
		return nil, false
	}
	cdr = top.Values()
	maps.DeleteFunc(cdr, func(k string, _ any) bool { return isAround(k) })
	return cdr, true
}

func isAround(name string) bool {
	return name == fieldTrigger || name == fieldTenant || name == fieldCustom
}

// around leaves what does not belong to bare call data.
func around(m map[string]any) map[string]any {
	maps.DeleteFunc(m, func(k string, _ any) bool { return !isAround(k) })
	return m
}

// nested are the fields in which a dot of a form's name means an object. Elsewhere it is part of the name.
var nested = []string{fieldCDR, fieldCustom, "directorymatches", "tags", "recordingids"}

// spaced is an E.164 number whose plus sign became a space, because it was not escaped.
var spaced = regexp.MustCompile(`^ (\d{7,15})$`)

// unflatten makes an object of a form: "cdr.id", "cdr[id]", "cdr.recordingIds[0]", "cdr[directoryMatches][0][fields][email]".
// A list may also come as a name that is repeated.
func unflatten(values url.Values) map[string]any {
	out := make(url.Values, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		path := steps(name)
		last := strings.ToLower(path[len(path)-1])
		key := path[0]
		if len(path) > 1 {
			key += "[" + strings.Join(path[1:], "][") + "]"
		}
		list := slices.Clone(values[name])
		for i, v := range list {
			if strings.HasSuffix(last, "num") || strings.HasPrefix(last, "phone") {
				list[i] = spaced.ReplaceAllString(v, "+$1")
			}
		}
		if len(list) > 1 && (last == "recordingids" || last == "tags" || last == "directorymatches") {
			key += "[]"
		}
		out[key] = append(out[key], list...)
	}
	root, _ := telephony.CleanValue(telephony.Nest(out)).(map[string]any)
	return root
}

// steps takes a form's name apart at brackets and, in those fields that have others in them, at dots.
func steps(name string) []string {
	name = strings.TrimSpace(name)
	end := strings.IndexAny(name, ".[")
	if end <= 0 || strings.Count(name, "[") != strings.Count(name, "]") {
		return []string{name}
	}
	first := strings.ToLower(strings.TrimSpace(name[:end]))
	if name[end] == '.' && !slices.Contains(nested, first) {
		return []string{name}
	}
	path := []string{first}
	for rest := name[end:]; rest != ""; {
		switch rest[0] {
		case '[':
			inner, after, _ := strings.Cut(rest[1:], "]")
			path, rest = append(path, strings.TrimSpace(inner)), after
		default:
			rest = strings.TrimPrefix(rest, ".")
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return []string{name}
			}
			path, rest = append(path, rest[:end]), rest[end:]
		}
	}
	if strings.ContainsAny(strings.Join(path, ""), "[]") {
		return []string{name}
	}
	return path
}

// static is a value of the additional payload data, for comparing. In a form it may stand beside the rest.
func (p *payload) static(key string) string {
	for _, k := range slices.Sorted(maps.Keys(p.custom)) {
		if strings.ToLower(k) == key {
			s, _ := telephony.TextOf(p.custom[k])
			return s
		}
	}
	if !p.form {
		return ""
	}
	for _, f := range []*telephony.Fields{p.top, p.cdr} {
		if f != nil {
			if s, _ := telephony.TextOf(f.Peek(key)); s != "" {
				return s
			}
		}
	}
	return ""
}

// pairs reads key and value pairs: an object, a list of {"key", "value"}, a list of objects, texts, or JSON of those in a
// text. A key without a value has an empty one. Xarios describes a list and shows an object.
func pairs(v any) map[string]any {
	out := map[string]any{}
	addPairs(out, v, 0)
	if len(out) == 0 {
		return nil
	}
	return out
}

// mostPairs bounds what pairs reads; nobody applies more tags.
const mostPairs = 500

func addPairs(out map[string]any, v any, depth int) {
	if depth > 3 || len(out) >= mostPairs {
		return
	}
	switch v := telephony.Embedded(v).(type) {
	case []any:
		for _, item := range v {
			addPairs(out, item, depth+1)
		}
	case map[string]any:
		// Only in a list can an object be one pair. Alone, its keys are the keys, even one that is called "key".
		f := telephony.NewFields(v)
		if name, ok := telephony.TextOf(f.Peek("key", "name", "tag")); ok && depth > 0 && len(v) <= 3 && (f.Has("value") || len(v) == 1) {
			out[name] = f.Peek("value")
			return
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if len(out) < mostPairs {
				out[k] = v[k]
			}
		}
	case string:
		for part := range strings.SplitSeq(v, ",") {
			name, value, _ := cutAny(part, "=:")
			if name != "" && len(out) < mostPairs {
				out[name] = value
			}
		}
	}
}

func cutAny(s, at string) (before, after string, found bool) {
	i := strings.IndexAny(s, at)
	if i < 0 {
		return strings.TrimSpace(s), "", false
	}
	return strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+1:]), true
}
