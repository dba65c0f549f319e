package espocrmfake

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// condition is one condition of a search.
type condition struct {
	kind, attribute string
	value           string
	values          []string
	items           []*condition
}

// conditions reads where[] of a query string as PHP does.
func conditions(q url.Values) []*condition {
	root := &condition{}
	for _, key := range slices.Sorted(keys(q)) {
		tokens := strings.FieldsFunc(strings.TrimPrefix(key, "where"), func(r rune) bool { return r == '[' || r == ']' })
		if !strings.HasPrefix(key, "where[") || len(tokens) < 2 {
			continue
		}
		at := root
		for len(tokens) > 1 {
			if n, err := strconv.Atoi(tokens[0]); err == nil {
				for len(at.items) <= n {
					at.items = append(at.items, &condition{})
				}
				at = at.items[n]
				tokens = tokens[1:]
				continue
			}
			if tokens[0] != "value" {
				break
			}
			if len(tokens) == 2 {
				at.values = append(at.values, q.Get(key))
			}
			tokens = tokens[1:]
		}
		if len(tokens) == 1 {
			switch tokens[0] {
			case "type":
				at.kind = q.Get(key)
			case "attribute":
				at.attribute = q.Get(key)
			case "value":
				at.value = q.Get(key)
			}
		}
	}
	return root.items
}

func keys(q url.Values) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range q {
			if !yield(k) {
				return
			}
		}
	}
}

// check refuses attributes that the entity has not.
func (f *Fake) check(entity string, list []*condition) error {
	for _, c := range list {
		if err := f.check(entity, c.items); err != nil {
			return err
		}
		if c.attribute == "" || c.kind == "linkedWith" {
			continue
		}
		if _, _, ok := f.byAttribute(entity, c.attribute); !ok {
			return refuse(http.StatusBadRequest, "Not existing attribute '%s' in where.", c.attribute)
		}
	}
	return nil
}

// texts are the values that a condition compares; a record has several phone numbers.
func texts(r record, attribute string) []string {
	if attribute == "phoneNumber" || attribute == "phoneNumberNumeric" {
		var out []string
		list, _ := r["phoneNumberData"].([]any)
		for _, row := range list {
			n, _ := row.(record)["phoneNumber"].(string)
			if attribute == "phoneNumberNumeric" {
				n = strings.Map(func(r rune) rune {
					if r < '0' || r > '9' {
						return -1
					}
					return r
				}, n)
			}
			out = append(out, n)
		}
		return out
	}
	switch v := r[attribute].(type) {
	case string:
		return []string{v}
	case bool:
		return []string{strconv.FormatBool(v)}
	}
	return nil
}

func (c *condition) holds(r record) bool {
	one := func(ok func(string) bool) bool { return slices.ContainsFunc(texts(r, c.attribute), ok) }
	switch c.kind {
	case "equals":
		return one(func(s string) bool { return strings.EqualFold(s, c.value) })
	case "contains":
		return one(func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(c.value)) })
	case "in":
		return one(func(s string) bool { return slices.Contains(c.values, s) })
	case "linkedWith":
		ids, _ := r[c.attribute+"Ids"].([]any)
		return slices.ContainsFunc(ids, func(id any) bool { return slices.Contains(c.values, id.(string)) })
	case "or":
		return slices.ContainsFunc(c.items, func(i *condition) bool { return i.holds(r) })
	case "and":
		return !slices.ContainsFunc(c.items, func(i *condition) bool { return !i.holds(r) })
	}
	return false
}

// maxSize is the most records that EspoCRM lists at once.
const maxSize = 200

func (f *Fake) list(u user, entity string, q url.Values) (any, error) {
	if !f.allowed(u, entity, "read") {
		return nil, refuse(http.StatusForbidden, "No read access.")
	}
	size := 20
	if q.Has("maxSize") {
		size, _ = strconv.Atoi(q.Get("maxSize"))
	}
	if size > maxSize || size < 0 {
		return nil, refuse(http.StatusForbidden, "Max size should not exceed %d. Use offset and limit.", maxSize)
	}
	where := conditions(q)
	if err := f.check(entity, where); err != nil {
		return nil, err
	}
	if by := q.Get("orderBy"); by != "" {
		if _, _, ok := f.byAttribute(entity, by); !ok {
			return nil, refuse(http.StatusForbidden, "Not allowed to order by '%s'.", by)
		}
	}
	var hits []record
	for _, id := range f.order[entity] {
		r, ok := f.living(entity, id)
		if !ok || !f.mine(u, entity, "read", r) || entity == "User" && (r["type"] == "api" || r["isActive"] != true && !u.admin) {
			continue
		}
		if q.Get("primaryFilter") == "open" && strings.HasPrefix(r["stage"].(string), "Closed") {
			continue
		}
		times := 1
		for _, c := range where {
			if !c.holds(r) {
				times = 0
				break
			}
			if numbers, _ := r["phoneNumberData"].([]any); c.kind == "or" && len(numbers) > 1 {
				// The join that EspoCRM makes here gives a row for each number.
				times = len(numbers)
			}
		}
		for range times {
			hits = append(hits, r)
		}
	}
	by, desc := q.Get("orderBy"), q.Get("order") == "desc"
	slices.SortStableFunc(hits, func(a, b record) int {
		x, _ := a[by].(string)
		y, _ := b[by].(string)
		if desc {
			return strings.Compare(y, x)
		}
		return strings.Compare(x, y)
	})
	total := len(hits)
	offset, _ := strconv.Atoi(q.Get("offset"))
	hits = hits[min(max(offset, 0), total):]
	hits = hits[:min(size, len(hits))]
	list := []any{}
	for _, r := range hits {
		list = append(list, f.selected(entity, r, q.Get("select")))
	}
	return record{"total": total, "list": list}, nil
}

// selected is a record of a list: with what was asked for, and never with the data of further phone numbers.
func (f *Fake) selected(entity string, r record, fields string) record {
	full := f.full(entity, r)
	delete(full, "phoneNumberData")
	if fields == "" {
		return full
	}
	out := record{}
	for _, name := range append(strings.Split(fields, ","), "id", "createdById", "assignedUserId") {
		if v, ok := full[name]; ok {
			out[name] = v
		}
	}
	return out
}
