package salesforcefake

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// found is a record of the search: a row with its attributes.
var sosl = regexp.MustCompile(`(?s)^\s*FIND\s*\{(.*?)\}\s*IN\s+PHONE\s+FIELDS\s+RETURNING\s+(.*)$`)

var soslPart = regexp.MustCompile(`^(\w+)\s*\(\s*([\w\s,]+?)\s*(?:WHERE\s+(\w+)\s*=\s*(true|false)\s*)?(?:LIMIT\s+(\d+)\s*)?\)$`)

// search serves /search for phone numbers. Its index keeps the digits of a number as one word, so that punctuation does not
// matter and a number without its country code is another word: only a wildcard finds the end of one. It knows what is
// older than the lag.
func (f *Fake) search(text string) (reply, error) {
	m := sosl.FindStringSubmatch(text)
	if m == nil {
		return reply{}, invalid("MALFORMED_SEARCH", nil, "No search term found. The search term must be enclosed in braces.")
	}
	var terms []string
	for i, t := range strings.Fields(m[1]) {
		switch {
		case i%2 == 1 && t != "OR" || f.opt.NarrowSearch && i > 0:
			return reply{}, invalid("MALFORMED_SEARCH", nil, "line 1:%d mismatched input", i)
		case i%2 == 0:
			if strings.Trim(t, "*0123456789") != "" {
				return reply{}, invalid("MALFORMED_SEARCH", nil, "line 1:%d mismatched character", i)
			}
			terms = append(terms, t)
		}
	}
	if len(terms) == 0 || len(strings.Trim(terms[0], "*")) < 2 {
		return reply{}, invalid("MALFORMED_SEARCH", nil, "search term must be longer than one character: %s", m[1])
	}
	out := []row{}
	for _, part := range split(m[2]) {
		p := soslPart.FindStringSubmatch(part)
		if p == nil {
			return reply{}, invalid("MALFORMED_SEARCH", nil, "unexpected token")
		}
		rows, err := f.searchIn(p, terms)
		if err != nil {
			return reply{}, err
		}
		out = append(out, rows...)
	}
	return ok(map[string]any{"searchRecords": out}), nil
}

// split parts a list at the commas outside of parentheses.
func split(s string) []string {
	var out []string
	depth, from := 0, 0
	for i, c := range s {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(s[from:]))
}

func (f *Fake) searchIn(p, terms []string) ([]row, error) {
	object, limit := p[1], 2000
	if f.defs[object] == nil {
		return nil, invalid("INVALID_TYPE", nil, "sObject type '%s' is not supported.", object)
	}
	var fields []string
	for _, n := range strings.Split(p[2], ",") {
		n = strings.TrimSpace(n)
		if err := f.known(object, n); err != nil {
			return nil, err
		}
		fields = append(fields, n)
	}
	if p[3] != "" {
		if err := f.known(object, p[3]); err != nil {
			return nil, err
		}
	}
	if p[5] != "" {
		limit, _ = strconv.Atoi(p[5])
	}
	var out []row
	for _, id := range f.order[object] {
		r := f.records[object][id]
		seen := r.row
		if r.indexed != nil && f.opt.Now().Before(r.visibleAt) {
			seen = r.indexed
		}
		if len(seen) == 0 || seen["IsDeleted"] == true || r.row["IsDeleted"] == true || !f.hasNumber(object, seen, terms) || len(out) >= limit {
			continue
		}
		if p[3] != "" && (r.row[p[3]] == true) != (p[4] == "true") {
			continue
		}
		out = append(out, f.full(object, r, slices.Clone(fields)))
	}
	return out, nil
}

func (f *Fake) hasNumber(object string, v row, terms []string) bool {
	for n, x := range f.defs[object].fields {
		s, _ := v[n].(string)
		if x.kind != "phone" || s == "" {
			continue
		}
		d := digits(s)
		for _, t := range terms {
			plain := strings.Trim(t, "*")
			switch {
			case f.opt.NarrowSearch && strings.Contains(d, plain), d == plain, strings.HasPrefix(t, "*") && strings.HasSuffix(d, plain):
				return true
			}
		}
	}
	return false
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}
