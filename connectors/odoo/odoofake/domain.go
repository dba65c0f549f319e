package odoofake

import (
	"regexp"
	"slices"
	"strings"
)

type matcher func(id int64, r Record) bool

// compile reads a domain in Polish notation; conditions without an operator before them are joined with and.
func (f *Fake) compile(model string, terms []any) (matcher, error) {
	all := func(int64, Record) bool { return true }
	out := matcher(all)
	for len(terms) > 0 {
		next, rest, err := f.term(model, terms)
		if err != nil {
			return nil, err
		}
		before := out
		out = func(id int64, r Record) bool { return before(id, r) && next(id, r) }
		terms = rest
	}
	return out, nil
}

func (f *Fake) term(model string, terms []any) (matcher, []any, error) {
	if len(terms) == 0 {
		return nil, nil, valueError("Domain() invalid format")
	}
	switch t := terms[0].(type) {
	case string:
		if t != "&" && t != "|" {
			return nil, nil, valueError("Domain() invalid item: '%s'", t)
		}
		a, rest, err := f.term(model, terms[1:])
		if err != nil {
			return nil, nil, err
		}
		b, rest, err := f.term(model, rest)
		if t == "|" {
			return func(id int64, r Record) bool { return a(id, r) || b(id, r) }, rest, err
		}
		return func(id int64, r Record) bool { return a(id, r) && b(id, r) }, rest, err
	case []any:
		m, err := f.leaf(model, t)
		return m, terms[1:], err
	}
	return nil, nil, valueError("Domain() invalid item")
}

// between is what phone_mobile_search leaves out.
var between = regexp.MustCompile(`[\s\\./\(\)\-]`)

func (f *Fake) leaf(model string, t []any) (matcher, error) {
	if len(t) != 3 {
		return nil, valueError("Domain() invalid item: %d parts", len(t))
	}
	path, _ := t[0].(string)
	operator, _ := t[1].(string)
	name, rest, deep := strings.Cut(path, ".")
	d, ok := f.models[model][name]
	if !ok {
		return nil, valueError("Invalid field %s.%s in condition ('%s', '%s', ...)", model, name, name, operator)
	}
	if deep {
		inner, err := f.leaf(d.relation, []any{rest, operator, t[2]})
		return func(_ int64, r Record) bool {
			n, _ := r[name].(int64)
			other, ok := f.state.rows[d.relation][n]
			if !ok {
				other = Record{}
			}
			return inner(n, other)
		}, err
	}
	if name == "phone_mobile_search" {
		return f.phoneLeaf(model, operator, t[2])
	}
	get := func(id int64, r Record) any {
		if name == "id" {
			return id
		}
		if r[name] == nil {
			return d.empty()
		}
		return r[name]
	}
	switch operator {
	case "=":
		return func(id int64, r Record) bool { return get(id, r) == t[2] }, nil
	case "!=":
		return func(id int64, r Record) bool { return get(id, r) != t[2] }, nil
	case "in":
		list, ok := t[2].([]any)
		if !ok {
			return nil, valueError("a list is needed")
		}
		return func(id int64, r Record) bool { return slices.Contains(list, get(id, r)) }, nil
	case "child_of":
		return func(id int64, r Record) bool {
			n, _ := get(id, r).(int64)
			for n != 0 {
				if n == t[2] {
					return true
				}
				n, _ = f.state.rows[d.relation][n]["parent_id"].(int64)
			}
			return false
		}, nil
	case "ilike", "=ilike":
		text, _ := t[2].(string)
		form := like(text, operator == "ilike")
		return func(id int64, r Record) bool {
			s, ok := get(id, r).(string)
			return ok && form.MatchString(s)
		}, nil
	}
	return nil, valueError("Invalid operator '%s'", operator)
}

// like is a pattern of SQL: % and _ stand for anything unless escaped.
func like(pattern string, contains bool) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("(?is)^")
	if contains {
		b.WriteString(".*")
	}
	escaped := false
	for _, c := range pattern {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(c)))
			escaped = false
		case c == '\\':
			escaped = true
		case c == '%':
			b.WriteString(".*")
		case c == '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	if contains {
		b.WriteString(".*")
	}
	b.WriteString("$")
	return regexp.MustCompile(b.String())
}

func (f *Fake) phoneLeaf(model, operator string, value any) (matcher, error) {
	text, _ := value.(string)
	if len(text) < 3 {
		return nil, userError("Please enter at least 3 characters when searching a Phone number.")
	}
	if operator != "ilike" {
		return nil, valueError("Invalid operator '%s'", operator)
	}
	form := like(between.ReplaceAllString(text, ""), true)
	return func(_ int64, r Record) bool {
		for _, name := range []string{"phone", "mobile"} {
			if _, has := f.models[model][name]; !has {
				continue
			}
			if s, ok := r[name].(string); ok && form.MatchString(between.ReplaceAllString(s, "")) {
				return true
			}
		}
		return false
	}, nil
}
