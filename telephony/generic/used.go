package generic

import (
	"maps"
	"slices"

	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/generic/expression"
)

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

// leftovers gathers what nobody has read. Of an object that was read in part, each member that is left stands under its
// full name ("call.menu"): what several events leave of the same object must not replace one another.
func (d *decoder) leftovers(out map[string]any, prefix string, m map[string]any, u *used) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		name := prefix + k
		left := d.prune(m[k], u.inside[k])
		if inner, ok := left.(map[string]any); ok && u.inside[k] != nil {
			d.leftovers(out, name+".", inner, u.inside[k])
			continue
		}
		if _, taken := out[name]; !taken && !telephony.Blank(left) {
			out[name] = left
		}
	}
}

// prune returns what is left of v. It changes nothing in v. Objects that were read in part come whole: leftovers goes on
// with them, except in lists, which keep only what is left.
func (d *decoder) prune(v any, u *used) any {
	switch {
	case u == nil:
		return v
	case u.all:
		return nil
	}
	v, _ = d.run.Open(v)
	list, ok := v.([]any)
	if !ok {
		return v
	}
	var out []any
	for i, item := range list {
		left := d.prune(item, u.inside[i])
		if inner, ok := left.(map[string]any); ok && u.inside[i] != nil {
			rest := map[string]any{}
			d.leftovers(rest, "", inner, u.inside[i])
			left = rest
		}
		if !telephony.Blank(left) {
			out = append(out, left)
		}
	}
	return out
}
