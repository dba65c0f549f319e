package espocrm

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// where is one condition of a search. Value is text, a list of texts, or for and/or a list of conditions.
type where struct {
	Type      string
	Attribute string
	Value     any
}

// search is a search as EspoCRM's query string has it (documentation: api-search-params).
type search struct {
	where  []where
	fields []string
	// filter is one of the entity's primary filters.
	filter string
	order  string
	desc   bool
	limit  int
	offset int
}

func (s search) values() url.Values {
	q := url.Values{}
	for i, w := range s.where {
		w.put(q, fmt.Sprintf("where[%d]", i))
	}
	if len(s.fields) > 0 {
		q.Set("select", strings.Join(s.fields, ","))
	}
	if s.filter != "" {
		q.Set("primaryFilter", s.filter)
	}
	if s.order != "" {
		q.Set("orderBy", s.order)
		q.Set("order", "asc")
		if s.desc {
			q.Set("order", "desc")
		}
	}
	q.Set("maxSize", strconv.Itoa(s.limit))
	q.Set("offset", strconv.Itoa(s.offset))
	return q
}

func (w where) put(q url.Values, at string) {
	q.Set(at+"[type]", w.Type)
	if w.Attribute != "" {
		q.Set(at+"[attribute]", w.Attribute)
	}
	switch v := w.Value.(type) {
	case string:
		q.Set(at+"[value]", v)
	case []string:
		for i, x := range v {
			q.Set(fmt.Sprintf("%s[value][%d]", at, i), x)
		}
	case []where:
		for i, x := range v {
			x.put(q, fmt.Sprintf("%s[value][%d]", at, i))
		}
	}
}
