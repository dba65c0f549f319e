package telephony

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// deepestBracket is how many brackets a form's key may have; a key with more of them is a plain name.
const deepestBracket = 10

// Nest turns a form into an object the way PHP and Rails read one: "a[b]=x" is an object in a, "a[0]=x" and "a[]=x" are
// lists. Lists are in the order of their numbers, gaps closed. "a[][b]=x&a[][c]=y" is one object, as in Rails. A key
// whose brackets do not fit is a plain name; of a repeated name the last counts, as in JSON. Texts are as they were sent:
// see CleanValue.
func Nest(values url.Values) map[string]any {
	root := branch{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		path, list := bracketPath(key), values[key]
		at := slices.Index(path[1:], "") + 1
		if at == 0 {
			root.put(path, list[len(list)-1])
			continue
		}
		for i, v := range list {
			numbered := slices.Clone(path)
			numbered[at] = strconv.Itoa(i)
			root.put(numbered, v)
		}
	}
	out := make(map[string]any, len(root))
	for k, v := range root {
		out[k] = unfold(v)
	}
	return out
}

// branch is an object on its way to become one or a list. Its values are text or branches.
type branch map[string]any

func (b branch) put(path []string, v string) {
	for _, name := range path[:len(path)-1] {
		inner, ok := b[name].(branch)
		if !ok {
			// "a=&a[b]=x": what is inside says more.
			inner = branch{}
			b[name] = inner
		}
		b = inner
	}
	last := path[len(path)-1]
	if _, ok := b[last].(branch); !ok {
		b[last] = v
	}
}

// bracketPath splits "a[b][c]" into a, b and c. An empty part stands for the next place in a list.
func bracketPath(key string) []string {
	name := strings.TrimSpace(key)
	open := strings.IndexByte(name, '[')
	if open <= 0 || !strings.HasSuffix(name, "]") {
		return []string{key}
	}
	parts := strings.Split(name[open+1:len(name)-1], "][")
	if len(parts) > deepestBracket {
		return []string{key}
	}
	path := append(make([]string, 0, len(parts)+1), strings.TrimSpace(name[:open]))
	lists := 0
	for _, p := range parts {
		p = strings.TrimSpace(p)
		if p == "" {
			lists++
		}
		if strings.ContainsAny(p, "[]") || lists > 1 {
			return []string{key}
		}
		path = append(path, p)
	}
	return path
}

func unfold(v any) any {
	b, ok := v.(branch)
	if !ok {
		return v
	}
	keys := slices.Collect(maps.Keys(b))
	if slices.ContainsFunc(keys, func(k string) bool { return k == "" || len(k) > 9 || strings.Trim(k, "0123456789") != "" }) {
		out := make(map[string]any, len(b))
		for k, inner := range b {
			out[k] = unfold(inner)
		}
		return out
	}
	slices.SortFunc(keys, func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		if x != y {
			return x - y
		}
		return strings.Compare(a, b)
	})
	out := make([]any, len(keys))
	for i, k := range keys {
		out[i] = unfold(b[k])
	}
	return out
}
