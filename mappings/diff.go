package mappings

import (
	"reflect"
	"slices"
)

// The kinds of a Change.
const (
	ChangeAdded   = "added"
	ChangeRemoved = "removed"
	ChangeEdited  = "changed"
	ChangeMoved   = "moved"
)

// Change is one difference between two documents, by what they mean: comments, quotes, indentation and defaults that are
// written out are none.
type Change struct {
	// Kind is added, removed, changed or moved. Moved is a row whose order among the others changed, which matters to no
	// write.
	Kind string `json:"kind"`
	// Target is the CRM's field whose row changed; empty for the document's own members.
	Target string `json:"target,omitempty"`
	// Key is the member that changed ("mode", "value.expr", "value.lookup.table.inbound"); empty for a whole row.
	Key string `json:"key,omitempty"`
	// Before and After are the member's values, or the whole Row; nil where there is none.
	Before any `json:"before,omitempty"`
	After  any `json:"after,omitempty"`
}

// Diff tells what changes from one document to another: first the document's own members, then the rows in the order of
// after, with removed ones at the end.
func Diff(before, after Document) []Change {
	out := []Change{}
	add := func(kind, target, key string, a, b any) {
		out = append(out, Change{Kind: kind, Target: target, Key: key, Before: a, After: b})
	}
	members := func(target string, list ...bothMembers) {
		for _, m := range list {
			if kind := m.change(); kind != "" {
				add(kind, target, m.key, m.before, m.after)
			}
		}
	}
	members("", pair("object", before.Object, after.Object), pair("note", before.Note, after.Note), pair("format", before.Format, after.Format))
	old := map[string]int{}
	for i, r := range before.Fields {
		if _, ok := old[r.Target]; !ok {
			old[r.Target] = i
		}
	}
	moved := movedRows(before.Fields, after.Fields)
	seen := map[string]bool{}
	for _, r := range after.Fields {
		i, was := old[r.Target]
		if !was || seen[r.Target] {
			add(ChangeAdded, r.Target, "", nil, r)
			continue
		}
		seen[r.Target] = true
		o := before.Fields[i]
		members(r.Target,
			pair("type", orDefault(o.Type, Text), orDefault(r.Type, Text)),
			pair("mode", orDefault(o.Mode, Overwrite), orDefault(r.Mode, Overwrite)),
			pair("empty", orDefault(o.Empty, SkipEmpty), orDefault(r.Empty, SkipEmpty)),
			pair("when", o.When, r.When), pair("max_length", o.MaxLength, r.MaxLength), pair("note", o.Note, r.Note))
		members(r.Target, valueMembers(o.Value, r.Value)...)
		if moved[r.Target] {
			add(ChangeMoved, r.Target, "", nil, nil)
		}
	}
	for _, r := range before.Fields {
		if !seen[r.Target] {
			seen[r.Target] = true
			add(ChangeRemoved, r.Target, "", r, nil)
		}
	}
	return out
}

// bothMembers is a member of both documents; absent ones are nil.
type bothMembers struct {
	key           string
	before, after any
}

// pair makes a member of two values; zero values are absent.
func pair[T comparable](key string, before, after T) bothMembers {
	var zero T
	m := bothMembers{key: key}
	if before != zero {
		m.before = before
	}
	if after != zero {
		m.after = after
	}
	return m
}

func (m bothMembers) change() string {
	switch {
	case reflect.DeepEqual(m.before, m.after):
		return ""
	case m.before == nil:
		return ChangeAdded
	case m.after == nil:
		return ChangeRemoved
	}
	return ChangeEdited
}

// valueMembers compares what rows are filled with. Look-ups of both are compared entry by entry.
func valueMembers(before, after Value) []bothMembers {
	list := []bothMembers{
		pair("value.field", before.Field, after.Field), {"value.const", before.Const, after.Const}, pair("value.expr", before.Expr, after.Expr),
	}
	template := bothMembers{key: "value.template"}
	if len(before.Template) > 0 {
		template.before = before.Template
	}
	if len(after.Template) > 0 {
		template.after = after.Template
	}
	list = append(list, template)
	a, b := before.Lookup, after.Lookup
	if a == nil || b == nil {
		whole := bothMembers{key: "value.lookup"}
		if a != nil {
			whole.before = *a
		}
		if b != nil {
			whole.after = *b
		}
		return append(list, whole)
	}
	list = append(list, pair("value.lookup.key", a.Key, b.Key), bothMembers{"value.lookup.default", a.Default, b.Default})
	keys := sortedKeys(a.Table)
	for _, k := range sortedKeys(b.Table) {
		if _, ok := a.Table[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		list = append(list, bothMembers{"value.lookup.table." + k, a.Table[k], b.Table[k]})
	}
	return list
}

// movedRows are the targets of both lists that are not in the longest run which both have in the same order.
func movedRows(before, after []Row) map[string]bool {
	place := map[string]int{}
	for i, r := range before {
		place[r.Target] = i
	}
	var targets []string
	var at []int
	for _, r := range after {
		if i, ok := place[r.Target]; ok && !slices.Contains(targets, r.Target) {
			targets, at = append(targets, r.Target), append(at, i)
		}
	}
	// The longest increasing part of at, by the length of the best one that ends at each place.
	length, from := make([]int, len(at)), make([]int, len(at))
	best := -1
	for i := range at {
		length[i], from[i] = 1, -1
		for j := range i {
			if at[j] < at[i] && length[j]+1 > length[i] {
				length[i], from[i] = length[j]+1, j
			}
		}
		if best < 0 || length[i] > length[best] {
			best = i
		}
	}
	moved := map[string]bool{}
	for _, t := range targets {
		moved[t] = true
	}
	for i := best; i >= 0; i = from[i] {
		delete(moved, targets[i])
	}
	return moved
}
