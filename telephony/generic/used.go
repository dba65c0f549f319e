package generic

import "github.com/callsync/callsync/telephony/generic/expression"

// used remembers which parts of a request a rule has read: all of this one, or some of what is in it.
type used struct {
	all    bool
	inside map[any]*used
}

// take marks what p has read. Paths are resolved to the keys that the request really has.
func (d *decoder) take(u *used, p *expression.Program) {
	for _, path := range p.Reads() {
		d.mark(u, path)
	}
}

func (d *decoder) mark(u *used, path expression.Path) {
	name, _ := path[0].(string)
	if name == requestName {
		if len(path) < 3 || path[1] != "fields" && (path[1] != "query" || !d.fromQuery) {
			return
		}
		path = path[2:]
		name, _ = path[0].(string)
	}
	keys := []any{fieldName(name)}
	v, ok := d.values[fieldName(name)]
	for _, key := range path[1:] {
		if !ok {
			return
		}
		v, _ = d.run.Open(v)
		var at any
		if at, v, ok = expression.Member(v, key); ok {
			keys = append(keys, at)
		}
	}
	if !ok {
		return
	}
	for _, key := range keys {
		if u.inside == nil {
			u.inside = map[any]*used{}
		}
		if u.inside[key] == nil {
			u.inside[key] = &used{}
		}
		u = u.inside[key]
	}
	u.all = true
}

// prune returns what is left of v. It changes nothing in v.
func (d *decoder) prune(v any, u *used) any {
	switch {
	case u == nil:
		return v
	case u.all:
		return nil
	}
	v, _ = d.run.Open(v)
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, inner := range v {
			if left := d.prune(inner, u.inside[k]); left != nil {
				out[k] = left
			}
		}
		return out
	case []any:
		var out []any
		for i, inner := range v {
			if left := d.prune(inner, u.inside[i]); left != nil {
				out = append(out, left)
			}
		}
		if out == nil {
			return nil
		}
		return out
	}
	return v
}
