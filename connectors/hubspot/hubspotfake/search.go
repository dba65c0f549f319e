package hubspotfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The limits of a search.
const (
	maxGroups  = 5
	maxFilters = 6
	maxInAll   = 18
	maxPage    = 200
	maxDeep    = 10_000
)

var phoneProperties = []string{"phone", "mobilephone", "hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number"}

// indexDigits is how many last digits of a number the fake finds contacts by, so that a search of many is quick.
const indexDigits = 6

func lastDigits(s string) string {
	d := digitsOf(s)
	if len(d) < indexDigits {
		return ""
	}
	return d[len(d)-indexDigits:]
}

type searchFilter struct {
	PropertyName string   `json:"propertyName"`
	Operator     string   `json:"operator"`
	Value        *string  `json:"value"`
	HighValue    *string  `json:"highValue"`
	Values       []string `json:"values"`
}

type searchGroup struct {
	Filters []searchFilter `json:"filters"`
}

type searchBody struct {
	FilterGroups *[]searchGroup   `json:"filterGroups"`
	Properties   *[]string        `json:"properties"`
	Sorts        *json.RawMessage `json:"sorts"`
	Limit        *int             `json:"limit"`
	After        *json.RawMessage `json:"after"`
	Query        string           `json:"query"`
}

func (f *Fake) search(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in searchBody
		if !decode(w, r, &in) {
			return
		}
		if in.FilterGroups == nil || in.Properties == nil || in.Sorts == nil || in.Limit == nil || in.After == nil {
			// The vendor's description calls them required; its servers are said to be more lenient.
			invalid("Invalid input JSON: some required fields were not set: [filterGroups, properties, sorts, limit, after]").write(w)
			return
		}
		after, err := strconv.Atoi(orDefault(strings.Trim(string(*in.After), `"`), "0"))
		switch {
		case err != nil || after < 0:
			invalid("after must be a number").write(w)
			return
		case *in.Limit < 1 || *in.Limit > maxPage:
			invalid(fmt.Sprintf("Invalid input: limit must be between 1 and %d", maxPage)).write(w)
			return
		case after+*in.Limit > maxDeep:
			invalid(fmt.Sprintf("There was a problem with the request: paging past %d results is not possible", maxDeep)).write(w)
			return
		}
		f.mu.RLock()
		defer f.mu.RUnlock()
		if e := f.checkGroups(kind, *in.FilterGroups); e != nil {
			e.write(w)
			return
		}
		found := f.matches(kind, *in.FilterGroups)
		out := map[string]any{"total": min(len(found), maxDeep)}
		page := found[min(after, len(found)):min(after+*in.Limit, len(found))]
		if next := after + len(page); next < len(found) {
			out["paging"] = map[string]any{"next": map[string]any{"after": strconv.Itoa(next)}}
		}
		results := []any{}
		for _, o := range page {
			results = append(results, render(o, *in.Properties, false))
		}
		out["results"] = results
		answer(w, http.StatusOK, out)
	}
}

var operators = []string{"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY", "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"}

func (f *Fake) checkGroups(kind string, groups []searchGroup) *apiError {
	if len(groups) > maxGroups {
		return invalid(fmt.Sprintf("the maximum number of filter groups is %d, but %d were given", maxGroups, len(groups)))
	}
	all := 0
	for _, g := range groups {
		if len(g.Filters) == 0 || len(g.Filters) > maxFilters {
			return invalid(fmt.Sprintf("a filter group has between 1 and %d filters", maxFilters))
		}
		all += len(g.Filters)
		for _, x := range g.Filters {
			if f.data.Properties[kind][x.PropertyName] == nil {
				return invalid(fmt.Sprintf("There was a problem with the request: property %s does not exist", x.PropertyName))
			}
			if !slices.Contains(operators, x.Operator) {
				return invalid(fmt.Sprintf("There was a problem with the request: operator %s is not known", x.Operator))
			}
			needsNone := x.Operator == "HAS_PROPERTY" || x.Operator == "NOT_HAS_PROPERTY"
			needsMany := x.Operator == "IN" || x.Operator == "NOT_IN"
			if needsNone && x.Value != nil || !needsNone && !needsMany && (x.Value == nil || *x.Value == "") || needsMany && len(x.Values) == 0 {
				return invalid(fmt.Sprintf("There was a problem with the request: operator %s with these values", x.Operator))
			}
		}
	}
	if all > maxInAll {
		return invalid(fmt.Sprintf("the maximum number of filters is %d", maxInAll))
	}
	return nil
}

// matches evaluates groups (any of them, with all of its filters) on what the index shows by now.
func (f *Fake) matches(kind string, groups []searchGroup) []*object {
	now := f.opt.Now()
	found := map[string]*object{}
	try := func(o *object, g searchGroup) {
		props := f.visible(o, now)
		if props == nil || found[o.ID] != nil {
			return
		}
		for _, x := range g.Filters {
			if !holds(x, props[x.PropertyName]) {
				return
			}
		}
		found[o.ID] = o
	}
	if len(groups) == 0 {
		groups = []searchGroup{{}}
	}
	for _, g := range groups {
		if d := phoneDigits(g); d != "" {
			for _, o := range f.byDigits[kind+"/"+d] {
				try(o, g)
			}
			continue
		}
		for _, o := range f.data.Objects[kind] {
			try(o, g)
		}
	}
	out := make([]*object, 0, len(found))
	for _, o := range found {
		out = append(out, o)
	}
	byAge(out)
	return out
}

// phoneDigits is the key of the digit index for a group that looks for a phone number; empty for any other.
func phoneDigits(g searchGroup) string {
	for _, x := range g.Filters {
		if slices.Contains(phoneProperties, x.PropertyName) && (x.Operator == "EQ" || x.Operator == "CONTAINS_TOKEN") && !strings.HasSuffix(*x.Value, "*") {
			if d := lastDigits(*x.Value); d != "" {
				return d
			}
		}
	}
	return ""
}

// visible is what the search sees of o: nothing of an archived record, nothing of a new one and the former state of a
// changed one while the change is younger than the lag.
func (f *Fake) visible(o *object, now time.Time) map[string]string {
	if o.archived() {
		return nil
	}
	if now.Sub(o.UpdatedAt) >= f.opt.SearchLag {
		return o.Props
	}
	return o.indexed
}

func holds(x searchFilter, v string) bool {
	value := ""
	if x.Value != nil {
		value = *x.Value
	}
	in := func() bool {
		return slices.ContainsFunc(x.Values, func(s string) bool { return strings.EqualFold(s, v) })
	}
	switch x.Operator {
	case "HAS_PROPERTY":
		return v != ""
	case "NOT_HAS_PROPERTY":
		return v == ""
	case "EQ":
		return v != "" && compare(v, value) == 0
	case "NEQ":
		return compare(v, value) != 0
	case "IN":
		return v != "" && in()
	case "NOT_IN":
		return !in()
	case "CONTAINS_TOKEN":
		return hasToken(v, value)
	case "NOT_CONTAINS_TOKEN":
		return !hasToken(v, value)
	case "LT":
		return v != "" && compare(v, value) < 0
	case "LTE":
		return v != "" && compare(v, value) <= 0
	case "GT":
		return v != "" && compare(v, value) > 0
	case "GTE":
		return v != "" && compare(v, value) >= 0
	case "BETWEEN":
		return v != "" && x.HighValue != nil && compare(v, value) >= 0 && compare(v, *x.HighValue) <= 0
	}
	return false
}

func compare(a, b string) int {
	if x, err := strconv.ParseFloat(a, 64); err == nil && !strings.HasPrefix(a, "+") {
		if y, err := strconv.ParseFloat(b, 64); err == nil && !strings.HasPrefix(b, "+") {
			return int(max(-1, min(1, x-y)))
		}
	}
	if x, ok := parseTime(a); ok && strings.Contains(a, "T") {
		if y, ok := parseTime(b); ok {
			return x.Compare(y)
		}
	}
	return strings.Compare(strings.ToLower(a), strings.ToLower(b))
}

// hasToken looks for a word of v; a star at either end of pattern stands for any text.
func hasToken(v, pattern string) bool {
	pattern = strings.ToLower(pattern)
	want := strings.Trim(pattern, "*")
	for _, token := range strings.FieldsFunc(strings.ToLower(v), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		head, tail := strings.HasPrefix(pattern, "*"), strings.HasSuffix(pattern, "*")
		switch {
		case head && tail && strings.Contains(token, want), head && strings.HasSuffix(token, want),
			tail && strings.HasPrefix(token, want), token == want:
			return true
		}
	}
	return false
}
