package odoofake

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// call is a call of a method.
type call struct {
	model, method string
	ids           []int64
	hasIDs        bool
	// args are those of the older protocols, by place; named those by name.
	args    []any
	named   map[string]any
	context map[string]any
}

// methods are the names of the methods' arguments in order; those of models take no ids.
var methods = map[string]struct {
	args  []string
	must  int
	model bool
}{
	"fields_get":             {[]string{"allfields", "attributes"}, 0, true},
	"search_read":            {[]string{"domain", "fields", "offset", "limit", "order"}, 0, true},
	"load":                   {[]string{"fields", "data"}, 2, true},
	"check_access_rights":    {[]string{"operation", "raise_exception"}, 1, true},
	"check_object_reference": {[]string{"module", "xml_id", "raise_on_access_error"}, 2, true},
	"context_get":            {nil, 0, true},
	"read":                   {[]string{"fields", "load"}, 0, false},
	"write":                  {[]string{"vals"}, 1, false},
	"unlink":                 {nil, 0, false},
	"action_feedback":        {[]string{"feedback", "attachment_ids"}, 0, false},
}

// run carries out a call in a transaction.
func (f *Fake) run(c call, strict bool) (any, error) {
	m, ok := methods[c.method]
	switch {
	case strings.HasPrefix(c.method, "_"):
		return nil, accessError("Private methods (such as '%s.%s') cannot be called remotely.", c.model, c.method)
	case !ok, c.method == "check_object_reference" && c.model != "ir.model.data", c.method == "action_feedback" && c.model != "mail.activity", c.method == "context_get" && c.model != "res.users":
		text := fmt.Sprintf("The method '%s.%s' does not exist", c.model, c.method)
		if strict {
			return nil, fault{"werkzeug.exceptions.NotFound", text}
		}
		return nil, fault{"builtins.AttributeError", text}
	case strict && m.model && len(c.ids) > 0:
		return nil, fault{"werkzeug.exceptions.UnprocessableEntity", fmt.Sprintf("cannot call %s.%s with ids", c.model, c.method)}
	}
	if c.named == nil {
		c.named = map[string]any{}
	}
	if !m.model && !strict {
		if len(c.args) == 0 {
			return nil, fault{"builtins.TypeError", "missing ids"}
		}
		list, _ := c.args[0].([]any)
		c.ids, c.args = idsOf(list), c.args[1:]
	}
	for i, v := range c.args {
		if i >= len(m.args) {
			return nil, fault{"builtins.TypeError", c.method + "() takes fewer positional arguments"}
		}
		c.named[m.args[i]] = v
	}
	unprocessable := func(text string) error {
		if strict {
			return fault{"werkzeug.exceptions.UnprocessableEntity", text}
		}
		return fault{"builtins.TypeError", text}
	}
	for name := range c.named {
		if !slices.Contains(m.args, name) {
			return nil, unprocessable(fmt.Sprintf("got an unexpected keyword argument '%s'", name))
		}
	}
	for _, name := range m.args[:m.must] {
		if _, ok := c.named[name]; !ok {
			return nil, unprocessable(fmt.Sprintf("missing a required argument: '%s'", name))
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[c.model+"."+c.method]++
	before := f.state.clone()
	out, err := f.method(c)
	if err != nil {
		f.state = before
	}
	return out, err
}

func (f *Fake) method(c call) (any, error) {
	switch c.method {
	case "context_get":
		out := map[string]any{"lang": "en_US", "tz": "Asia/Kolkata"}
		if f.opt.Version >= 17 {
			out["uid"] = int64(userID)
		}
		return out, nil
	case "fields_get":
		return f.fieldsGet(c)
	case "check_access_rights":
		operation, _ := c.named["operation"].(string)
		return f.access(c.model, operation) == nil, nil
	case "check_object_reference":
		return f.reference(c)
	case "search_read":
		return f.searchRead(c)
	case "read":
		if err := f.access(c.model, "read"); err != nil {
			return nil, err
		}
		return f.read(c.model, c.ids, c.named["fields"])
	case "write":
		vals, _ := c.named["vals"].(map[string]any)
		return true, f.write(c, c.ids, vals)
	case "unlink":
		if err := f.access(c.model, "unlink"); err != nil {
			return nil, err
		}
		for _, id := range c.ids {
			f.unlink(c.model, id)
		}
		return true, nil
	case "action_feedback":
		return f.feedback(c)
	case "load":
		return f.load(c)
	}
	return nil, errors.New("no such method")
}

func (f *Fake) fieldsGet(c call) (any, error) {
	if err := f.access(c.model, "read"); err != nil {
		return nil, err
	}
	attributes, _ := c.named["attributes"].([]any)
	wanted := func(name string) bool { return len(attributes) == 0 || slices.Contains(attributes, any(name)) }
	out := map[string]any{}
	for name, d := range f.models[c.model] {
		readonly := any(d.readonly)
		if d.readonly && name == "message_id" && f.opt.Version < 15 {
			readonly = int64(1)
		}
		all := map[string]any{"type": d.kind, "string": d.label, "required": d.required, "readonly": readonly, "store": !d.virtual}
		if d.relation != "" {
			all["relation"] = d.relation
		}
		if d.kind == "selection" {
			list := []any{}
			for _, o := range d.selection {
				list = append(list, []any{o, strings.ToUpper(o[:1]) + o[1:]})
			}
			all["selection"] = list
		}
		if name == "res_id" && f.opt.Version < 15 {
			all["type"] = "integer"
		}
		maps.DeleteFunc(all, func(k string, _ any) bool { return !wanted(k) })
		out[name] = all
	}
	return out, nil
}

func (f *Fake) reference(c call) (any, error) {
	module, _ := c.named["module"].(string)
	name, _ := c.named["xml_id"].(string)
	x, ok := f.state.xml[module+"."+name]
	if !ok {
		return nil, valueError("External ID not found in the system: %s.%s", module, name)
	}
	if err := f.access(x.model, "read"); err != nil {
		return nil, err
	}
	r, ok := f.state.rows[x.model][x.id]
	if !ok || !visible(f.models[x.model], r, c.context) {
		return []any{x.model, false}, nil
	}
	return []any{x.model, x.id}, nil
}

// visible tells whether a search finds a record that may be archived.
func visible(defs map[string]field, r Record, context map[string]any) bool {
	if _, has := defs["active"]; !has {
		return true
	}
	return r["active"] == true || context["active_test"] == false
}

func (f *Fake) read(model string, ids []int64, fields any) (any, error) {
	names := []string{}
	list, _ := fields.([]any)
	for _, v := range list {
		name, _ := v.(string)
		if _, ok := f.models[model][name]; !ok {
			return nil, valueError("Invalid field '%s' on '%s'", name, model)
		}
		names = append(names, name)
	}
	out := []any{}
	for _, id := range ids {
		r, ok := f.state.rows[model][id]
		if !ok {
			continue
		}
		row := map[string]any{"id": id}
		for _, name := range names {
			row[name] = f.shown(model, name, id, r)
		}
		out = append(out, row)
	}
	return out, nil
}

// shown is a value as read() gives it: a many2one with its name.
func (f *Fake) shown(model, name string, id int64, r Record) any {
	d, v := f.models[model][name], r[name]
	switch {
	case name == "id":
		return id
	case d.virtual:
		return false
	case d.kind == "many2one":
		n, _ := v.(int64)
		other, ok := f.state.rows[d.relation][n]
		if n == 0 || !ok {
			return false
		}
		label, _ := other["name"].(string)
		return []any{n, label}
	case v == nil:
		return d.empty()
	}
	return v
}

func (f *Fake) searchRead(c call) (any, error) {
	if err := f.access(c.model, "read"); err != nil {
		return nil, err
	}
	terms, _ := c.named["domain"].([]any)
	match, err := f.compile(c.model, terms)
	if err != nil {
		return nil, err
	}
	asksActive := slices.ContainsFunc(terms, func(t any) bool { l, _ := t.([]any); return len(l) == 3 && l[0] == "active" })
	var ids []int64
	for id, r := range f.state.rows[c.model] {
		if (asksActive || visible(f.models[c.model], r, c.context)) && match(id, r) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if order, _ := c.named["order"].(string); strings.HasSuffix(order, " desc") {
		name := strings.TrimSuffix(order, " desc")
		slices.SortStableFunc(ids, func(a, b int64) int {
			return strings.Compare(fmt.Sprint(f.state.rows[c.model][b][name]), fmt.Sprint(f.state.rows[c.model][a][name]))
		})
	}
	offset, _ := c.named["offset"].(int64)
	ids = ids[min(int(offset), len(ids)):]
	if limit, ok := c.named["limit"].(int64); ok && limit > 0 {
		ids = ids[:min(int(limit), len(ids))]
	}
	return f.read(c.model, ids, c.named["fields"])
}

// feedback marks activities as done: a message says so, and the activity is archived, or before Odoo 17 is gone.
func (f *Fake) feedback(c call) (any, error) {
	if f.opt.NoEmail && f.opt.Version < 15 {
		return nil, userError("Unable to log message, please configure the sender's email address.")
	}
	last := any(false)
	for _, id := range c.ids {
		r, ok := f.state.rows["mail.activity"][id]
		if !ok {
			return nil, missing("mail.activity", id)
		}
		m := f.put("mail.message", Record{"model": r["res_model"], "res_id": r["res_id"], "body": "<p>done</p>", "message_type": "notification", "author_id": f.partner, "mail_activity_type_id": r["activity_type_id"]})
		last = m
		if f.opt.Version >= 17 {
			r["active"] = false
		} else {
			f.unlink("mail.activity", id)
		}
	}
	return last, nil
}

// unlink deletes a record, its External IDs and what is in its chatter.
func (f *Fake) unlink(model string, id int64) {
	delete(f.state.rows[model], id)
	maps.DeleteFunc(f.state.xml, func(_ string, x xmlID) bool { return x.model == model && x.id == id })
	if model == "mail.message" || model == "mail.activity" {
		return
	}
	for child, field := range map[string]string{"mail.message": "model", "mail.activity": "res_model"} {
		for other, r := range maps.Clone(f.state.rows[child]) {
			if r[field] == model && r["res_id"] == id {
				f.unlink(child, other)
			}
		}
	}
	for child, defs := range f.models {
		for name, d := range defs {
			if d.relation != model {
				continue
			}
			for _, r := range f.state.rows[child] {
				if r[name] == id {
					r[name] = false
				}
				if list, ok := r[name].([]int64); ok {
					r[name] = slices.DeleteFunc(slices.Clone(list), func(x int64) bool { return x == id })
				}
			}
		}
	}
}
