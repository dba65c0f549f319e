package odoofake

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// message is what load() says of a row.
func message(row int, field, text string) map[string]any {
	m := map[string]any{"rows": map[string]any{"from": int64(row), "to": int64(row)}, "record": int64(row), "type": "error", "message": text}
	if field != "" {
		m["field"] = field
	}
	return m
}

// load is the method of imports: each row makes a record or updates the one of its External ID, all of them or none.
func (f *Fake) load(c call) (any, error) {
	columns, _ := c.named["fields"].([]any)
	rows, _ := c.named["data"].([]any)
	names := make([]string, len(columns))
	for i, v := range columns {
		names[i], _ = v.(string)
		base, _, _ := strings.Cut(names[i], "/")
		if _, ok := f.models[c.model][base]; !ok {
			if f.opt.Version < 15 {
				return nil, fault{"builtins.KeyError", "'" + base + "'"}
			}
			return nil, valueError("Invalid field name '%s'", base)
		}
	}
	before := f.state.clone()
	ids, messages := []any{}, []any{}
	for i, raw := range rows {
		cells, _ := raw.([]any)
		if len(cells) != len(names) {
			return nil, fault{"builtins.IndexError", "list index out of range"}
		}
		id, m := f.loadRow(c, i, names, cells)
		if m != nil {
			messages = append(messages, m)
			continue
		}
		ids = append(ids, id)
	}
	if len(messages) > 0 {
		f.state = before
		return map[string]any{"ids": false, "messages": messages, "nextrow": int64(0)}, nil
	}
	return map[string]any{"ids": ids, "messages": messages, "nextrow": int64(0)}, nil
}

func (f *Fake) loadRow(c call, row int, names []string, cells []any) (any, map[string]any) {
	vals, key := map[string]any{}, ""
	for i, name := range names {
		text, ok := cells[i].(string)
		if !ok {
			return nil, message(row, name, fmt.Sprintf("Unknown error during import: <class 'AttributeError'>: '%T' object has no attribute 'lower'", cells[i]))
		}
		if name == "id" {
			key = text
			continue
		}
		base, sub, _ := strings.Cut(name, "/")
		d := f.models[c.model][base]
		v, err := f.converted(c, d, sub, text)
		if err != nil {
			return nil, message(row, base, err.Error())
		}
		if v == false && d.kind == "html" && f.opt.Version < 15 {
			v = "<p>False</p>"
		}
		vals[base] = v
	}
	if !strings.Contains(key, ".") {
		key = "__import__." + key
	}
	x, exists := f.state.xml[key]
	var err error
	if exists && x.model != c.model {
		err = valueError("For external id %s when trying to create/update a record of model %s found record of different model %s (%d)", key, c.model, x.model, x.id)
	} else if exists {
		err = f.write(c, []int64{x.id}, vals)
	} else {
		x.model = c.model
		if x.id, err = f.create(c, vals); err == nil {
			f.state.xml[key] = x
		}
	}
	if err != nil {
		return nil, message(row, "", f.quoted(err))
	}
	return x.id, nil
}

// quoted is an exception as load() quotes it: Odoo 14 with its class, but for those of the database.
func (f *Fake) quoted(err error) string {
	e := asFault(err)
	if f.opt.Version >= 15 || strings.HasPrefix(e.name, "psycopg2.") {
		return e.message
	}
	return fmt.Sprintf("Unknown error during import: <class '%s'>: %s", e.name, e.message)
}

// converted is a cell of an import in the kind of its field.
func (f *Fake) converted(c call, d field, sub, text string) (any, error) {
	if text == "" {
		return false, nil
	}
	switch d.kind {
	case "many2one", "many2many":
		return f.relation(c, d, sub, text)
	case "integer", "many2one_reference":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		return nil, fmt.Errorf("'%s' does not seem to be an integer for field '%s'", text, d.label)
	case "float":
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n, nil
		}
		return nil, fmt.Errorf("'%s' does not seem to be a number for field '%s'", text, d.label)
	case "boolean":
		return slices.Contains([]string{"1", "true", "yes"}, strings.ToLower(text)), nil
	case "selection":
		if !slices.Contains(d.selection, text) {
			return nil, said(fmt.Sprintf("Value '%s' not found in selection field '%s'", text, d.label))
		}
	case "datetime":
		t, err := time.Parse(timeLayout, text)
		if err != nil {
			return nil, fmt.Errorf("'%s' does not seem to be a valid datetime for field '%s'", text, d.label)
		}
		// An import is in the zone of the context, or of the user.
		zone, _ := c.context["tz"].(string)
		if zone == "" {
			zone = "Asia/Kolkata"
		}
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return nil, err
		}
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, loc)
		return t.UTC().Format(timeLayout), nil
	case "date":
		if _, err := time.Parse(dateLayout, text); err != nil {
			return nil, fmt.Errorf("'%s' does not seem to be a valid date for field '%s'", text, d.label)
		}
	}
	return text, nil
}

func (f *Fake) relation(c call, d field, sub, text string) (any, error) {
	var ids []int64
	for _, part := range strings.Split(text, ",") {
		id, kind := int64(0), "database id"
		switch sub {
		case ".id":
			n, ok := parseID(part)
			if !ok {
				return nil, said(fmt.Sprintf("Invalid database id '%s' for the field '%s'", part, d.label))
			}
			if r, there := f.state.rows[d.relation][n]; there && visible(f.models[d.relation], r, c.context) {
				id = n
			}
		case "id":
			kind = "external id"
			if x, there := f.state.xml[part]; there && x.model == d.relation {
				id = x.id
			}
		default:
			return nil, errors.New("the fake looks nothing up by name")
		}
		if id == 0 {
			return nil, said(fmt.Sprintf("No matching record found for %s '%s' in field '%s'", kind, part, d.label))
		}
		ids = append(ids, id)
	}
	if d.kind == "many2one" {
		return ids[0], nil
	}
	return ids, nil
}

// said is a message in Odoo's own words.
type said string

func (s said) Error() string { return string(s) }
