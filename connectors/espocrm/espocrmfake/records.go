package espocrmfake

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	timeLayout = "2006-01-02 15:04:05"
	dateLayout = "2006-01-02"
)

// e164 is a stand-in for the library that EspoCRM asks for valid numbers.
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{7,14}$`)

func invalid(entity, name, rule string) *refusal {
	return translated(http.StatusBadRequest, "validationFailure", record{"field": name, "type": rule},
		"Field validation failure; entityType: %s, field: %s, type: %s.", entity, name, rule)
}

// take checks the attributes of in and gives those that are stored. EspoCRM ignores what it does not know.
func (f *Fake) take(u user, entity string, in, now record) (record, error) {
	out := record{}
	for attribute, v := range in {
		name, d, ok := f.byAttribute(entity, attribute)
		if !ok || d.ReadOnly && attribute != "type" || d.NotStorable || attribute == "id" || attribute == "createdById" {
			continue
		}
		x, err := f.value(u, entity, name, d, attribute, v)
		if err != nil {
			return nil, err
		}
		out[attribute] = x
	}
	merged := record{}
	maps.Copy(merged, now)
	maps.Copy(merged, out)
	for _, name := range slices.Sorted(maps.Keys(f.defs[entity])) {
		d := f.defs[entity][name]
		attribute := d.attributes(name)[0]
		if now != nil && !slices.ContainsFunc(d.attributes(name), func(a string) bool { _, set := in[a]; return set }) {
			continue // An update is held to the fields that it names: Core/FieldValidation/FieldValidationManager.php.
		}
		if v := merged[attribute]; v == nil && d.Default != nil && d.Default != "" && now == nil {
			out[attribute], merged[attribute] = d.Default, d.Default
		} else if s, isText := v.(string); d.Required && (v == nil || isText && strings.TrimSpace(s) == "") {
			return nil, invalid(entity, name, "required")
		}
	}
	return out, f.parent(u, entity, out)
}

// value checks one attribute.
func (f *Fake) value(u user, entity, name string, d field, attribute string, v any) (any, error) {
	if v == nil || v == "" {
		return nil, nil
	}
	s, isText := v.(string)
	switch d.Type {
	case "varchar":
		if !isText {
			s = fmt.Sprint(v)
		}
		s = strings.TrimSpace(s)
		limit := d.MaxLength
		if limit == 0 {
			limit = 255
		}
		switch {
		case utf8.RuneCountInString(s) > limit:
			return nil, invalid(entity, name, "maxLength")
		case d.Pattern == noBadCharacters && strings.ContainsAny(s, "<>="):
			return nil, invalid(entity, name, "pattern")
		}
		return s, nil
	case "text":
		if !isText {
			s = fmt.Sprint(v)
		}
		if d.MaxLength > 0 && utf8.RuneCountInString(s) > d.MaxLength {
			return nil, invalid(entity, name, "maxLength")
		}
		return s, nil
	case "enum":
		if !slices.Contains(d.Options, s) {
			return nil, invalid(entity, name, "valid")
		}
	case "datetime", "datetimeOptional":
		if _, err := time.Parse(timeLayout, s); err != nil {
			return nil, invalid(entity, name, "valid")
		}
	case "date":
		if _, err := time.Parse(dateLayout, s); err != nil {
			return nil, invalid(entity, name, "valid")
		}
	case "int":
		n, ok := v.(float64)
		if !ok {
			return nil, invalid(entity, name, "valid")
		}
		return float64(int64(n)), nil
	case "phone":
		if attribute == name && !e164.MatchString(s) {
			return nil, invalid(entity, name, "valid")
		}
	case "email":
		if !strings.Contains(s, "@") {
			return nil, invalid(entity, name, "emailAddress")
		}
	case "link":
		if err := f.related(u, entity, name, d.Entity, s); err != nil {
			return nil, err
		}
		if d.Entity == "User" && f.opt.NoAssignment && !u.admin && s != u.id {
			return nil, refuse(http.StatusForbidden, "Assignment failure: assigned user or team not allowed.")
		}
	case "linkMultiple", "attachmentMultiple":
		list, ok := v.([]any)
		if !ok {
			return nil, invalid(entity, name, "valid")
		}
		for _, id := range list {
			if _, isText := id.(string); !isText {
				return nil, invalid(entity, name, "valid")
			}
			if d.Type == "attachmentMultiple" {
				if a, ok := f.living("Attachment", id); !ok || a["isBeingUploaded"] == true {
					return nil, refuse(http.StatusForbidden, "Attachment cannot be used.")
				}
				continue
			}
			if err := f.related(u, entity, name, d.Entity, id.(string)); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// related checks that u may tie a record to another one.
func (f *Fake) related(u user, entity, link, foreign, id string) error {
	r, ok := f.living(foreign, id)
	if !ok {
		return translated(http.StatusForbidden, "cannotRelateNonExisting", record{"foreignEntityType": foreign},
			"Can't relate with non-existing record. entity type: %s, link: %s.", entity, link)
	}
	if !f.mine(u, foreign, "read", r) || foreign == "User" && r["isActive"] != true && !u.admin {
		return translated(http.StatusForbidden, "cannotRelateForbidden", record{"foreignEntityType": foreign, "action": "read"},
			"No foreign record access for link operation (%s:%s).", entity, link)
	}
	return nil
}

func (f *Fake) parent(u user, entity string, out record) error {
	kind, _ := out["parentType"].(string)
	id, _ := out["parentId"].(string)
	d, ok := f.defs[entity]["parent"]
	if !ok || kind == "" && id == "" {
		return nil
	}
	if !slices.Contains(d.EntityList, kind) {
		return invalid(entity, "parent", "valid")
	}
	return f.related(u, entity, "parent", kind, id)
}

func (f *Fake) create(u user, entity string, in record, skip bool) (any, error) {
	if !f.allowed(u, entity, "create") || entity == "User" {
		return nil, refuse(http.StatusForbidden, "No create access.")
	}
	if entity == "Note" {
		kind, _ := in["parentType"].(string)
		if p, ok := f.living(kind, in["parentId"]); kind != "" && (!ok || !f.mine(u, kind, "read", p)) {
			return nil, refuse(http.StatusForbidden, "No create access.")
		}
	}
	r, err := f.take(u, entity, in, nil)
	if err != nil {
		return nil, err
	}
	if same := f.duplicates(entity, r); len(same) > 0 && !skip {
		return nil, &refusal{status: http.StatusConflict, reason: "duplicate", body: same}
	}
	r["createdById"] = u.id
	f.put(entity, r)
	f.follow(entity, r)
	return f.full(entity, r), nil
}

// duplicates are the contacts or leads with the same name or e-mail.
func (f *Fake) duplicates(entity string, r record) []any {
	var out []any
	if entity != "Contact" && entity != "Lead" {
		return nil
	}
	for _, id := range f.order[entity] {
		o, ok := f.living(entity, id)
		if !ok {
			continue
		}
		name := r["lastName"] != nil && r["firstName"] != nil && o["lastName"] == r["lastName"] && o["firstName"] == r["firstName"]
		mail := r["emailAddress"] != nil && o["emailAddress"] == r["emailAddress"]
		if name || mail {
			out = append(out, f.full(entity, o))
		}
	}
	return out
}

// follow does what EspoCRM's hooks do after a save.
func (f *Fake) follow(entity string, r record) {
	switch entity {
	case "Contact", "Lead":
		name, _ := r["firstName"].(string)
		last, _ := r["lastName"].(string)
		r["name"] = strings.TrimSpace(name + " " + last)
	case "Call":
		kind, _ := r["parentType"].(string)
		p, ok := f.living(kind, r["parentId"])
		switch {
		case ok && kind == "Account":
			r["accountId"] = p["id"]
		case ok && kind == "Contact":
			r["accountId"] = p["accountId"]
		}
		if r["usersIds"] == nil {
			r["usersIds"] = []any{r["assignedUserId"]}
		}
	}
	if number, ok := r["phoneNumber"].(string); ok {
		f.setNumber(r, number)
	}
}

// setNumber puts the first of a record's numbers.
func (f *Fake) setNumber(r record, number string) {
	list, _ := r["phoneNumberData"].([]any)
	for _, row := range list {
		if row.(record)["phoneNumber"] == number {
			return
		}
	}
	r["phoneNumberData"] = append([]any{record{"phoneNumber": number, "primary": true, "type": "Mobile"}}, list...)
}

// full is a record as EspoCRM answers it: with every attribute.
func (f *Fake) full(entity string, r record) record {
	out := maps.Clone(r)
	for name, d := range f.defs[entity] {
		for _, a := range d.attributes(name) {
			if _, ok := out[a]; !ok && a != "phoneNumberNumeric" {
				out[a] = nil
				if strings.HasSuffix(a, "Ids") {
					out[a] = []any{}
				}
			}
		}
		if d.Type == "link" && d.Entity == "Account" {
			// The name of what a link leads to is read with it.
			out[name+"Name"] = nil
			if a, ok := f.living(d.Entity, out[name+"Id"]); ok {
				out[name+"Name"] = a["name"]
			}
		}
		if d.Type == "attachmentMultiple" {
			names := record{}
			ids, _ := out[name+"Ids"].([]any)
			for _, id := range ids {
				if a, ok := f.living("Attachment", id); ok {
					names[id.(string)] = a["name"]
				}
			}
			out[name+"Names"] = names
		}
	}
	if entity == "Call" {
		// What it says right after a create has nothing to do with the times.
		out["duration"] = 300
	}
	return out
}

func (f *Fake) read(u user, entity, id string) (any, error) {
	r, ok := f.living(entity, id)
	switch {
	case !f.allowed(u, entity, "read"):
		return nil, refuse(http.StatusForbidden, "No read access.")
	case !ok:
		return nil, refuse(http.StatusNotFound, "Record %s does not exist.", id)
	case !f.mine(u, entity, "read", r):
		return nil, refuse(http.StatusForbidden, "No 'read' access.")
	}
	return f.full(entity, r), nil
}

func (f *Fake) update(u user, entity, id string, in record) (any, error) {
	r, ok := f.living(entity, id)
	switch {
	case !f.allowed(u, entity, "edit"):
		return nil, refuse(http.StatusForbidden, "No edit access.")
	case !ok:
		return nil, refuse(http.StatusNotFound, "Record %s not found.", id)
	case !f.mine(u, entity, "edit", r):
		return nil, refuse(http.StatusForbidden, "No edit access.")
	}
	change, err := f.take(u, entity, in, r)
	if err != nil {
		return nil, err
	}
	maps.Copy(r, change)
	r["modifiedAt"] = f.opt.Now().UTC().Format(timeLayout)
	f.follow(entity, r)
	return f.full(entity, r), nil
}

func (f *Fake) remove(u user, entity, id string) (any, error) {
	r, ok := f.living(entity, id)
	switch {
	case !ok:
		return nil, refuse(http.StatusNotFound, "Record %s not found.", id)
	case !f.mine(u, entity, "delete", r):
		return nil, refuse(http.StatusForbidden, "No delete access.")
	}
	r["deleted"] = true
	return true, nil
}
