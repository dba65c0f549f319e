package pipedrivefake

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// object is a record as its JSON.
type object map[string]any

func (o object) id() int64               { n, _ := o["id"].(int64); return n }
func (o object) text(name string) string { s, _ := o[name].(string); return s }
func (o object) int(name string) int64   { return toInt(o[name]) }

func toInt(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case json.Number:
		n, _ := v.Int64()
		return n
	}
	return 0
}

// data is what the company has.
type data struct {
	next                                         int64
	users, persons, companies, activities, deals []object
	leads, logs, notes, files, personFields      []object
	// recordings are the contents by call log, uploads those of files by their id.
	recordings map[string][]byte
	uploads    map[int64][]byte
}

func (d *data) init() {
	d.next = 1000
	d.recordings, d.uploads = map[string][]byte{}, map[int64][]byte{}
	for _, f := range []struct{ name, code, kind string }{{"Name", "name", "varchar"}, {"Phone", "phone", "phone"}, {"Email", "email", "varchar"},
		{"Owner", "owner_id", "user"}, {"Organization", "org_id", "org"}} {
		d.personFields = append(d.personFields, object{"field_name": f.name, "field_code": f.code, "field_type": f.kind, "options": nil, "subfields": nil,
			"is_custom_field": false, "is_optional_response_field": false})
	}
}

func (f *Fake) nextID() int64 { f.data.next++; return f.data.next }

func (f *Fake) stamp() string { return f.opt.Now().UTC().Format("2006-01-02T15:04:05Z") }

func (f *Fake) uuid(n int64) string { return fmt.Sprintf("adf21080-0e10-11eb-879b-%012d", n) }

// find is the living record of a list with an id.
func find(list []object, id int64) object {
	for _, o := range list {
		if o.id() == id && o["is_deleted"] != true {
			return o
		}
	}
	return nil
}

func (f *Fake) addUser(email string, active bool) int64 {
	id := int64(len(f.data.users) + 1)
	f.data.users = append(f.data.users, object{"id": id, "name": email, "email": email, "active_flag": active, "is_deleted": false, "activated": true,
		"timezone_name": "Europe/Berlin", "is_you": id == 1, "access": []any{object{"app": "sales", "admin": !f.opt.NoAdmin},
			object{"app": "account_settings", "admin": !f.opt.NoAdmin}}})
	return id
}

// AddUser adds a user and returns the id; one who is not active has left.
func (f *Fake) AddUser(email string, active bool) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addUser(email, active)
}

// AddPerson adds a person with phone numbers as somebody typed them.
func (f *Fake) AddPerson(name string, numbers ...string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	phones := []any{}
	for i, n := range numbers {
		phones = append(phones, map[string]any{"value": n, "primary": i == 0, "label": "work"})
	}
	return f.addPerson(object{"name": name, "phones": phones}).id()
}

// AddPersonByEmail makes a person with an e-mail address.
func (f *Fake) AddPersonByEmail(name, email string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addPerson(object{"name": name, "emails": []any{map[string]any{"value": email, "primary": true, "label": "work"}}}).id()
}

// AddMember adds a person with a number and an e-mail address who belongs to an organization.
func (f *Fake) AddMember(name, number, email string, organization int64) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := func(v string) []any { return []any{map[string]any{"value": v, "primary": true, "label": "work"}} }
	return f.addPerson(object{"name": name, "phones": one(number), "emails": one(email), "org_id": organization}).id()
}

func (f *Fake) addPerson(o object) object {
	o["id"], o["add_time"], o["update_time"], o["is_deleted"] = f.nextID(), f.stamp(), f.stamp(), false
	o["seen_at"] = f.opt.Now()
	for name, v := range map[string]any{"owner_id": int64(1), "phones": []any{}, "emails": []any{}, "custom_fields": map[string]any{}} {
		if o[name] == nil {
			o[name] = v
		}
	}
	f.data.persons = append(f.data.persons, o)
	return o
}

// AddOrganization adds an organization whose custom field holds a phone number.
func (f *Fake) AddOrganization(name, number string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := object{"id": f.nextID(), "name": name, "owner_id": int64(1), "is_deleted": false, "phone": number, "seen_at": f.opt.Now()}
	f.data.companies = append(f.data.companies, o)
	return o.id()
}

// AddLead adds a lead of a person.
func (f *Fake) AddLead(title string, person int64) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addLead(object{"title": title, "person_id": person}).text("id")
}

func (f *Fake) addLead(o object) object {
	o["id"], o["add_time"], o["update_time"], o["is_archived"] = f.uuid(f.nextID()), f.stamp(), f.stamp(), false
	if o["owner_id"] == nil {
		o["owner_id"] = int64(1)
	}
	f.data.leads = append(f.data.leads, o)
	return o
}

// AddDeal adds a deal of a person, open or lost.
func (f *Fake) AddDeal(title string, person int64, open bool) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	status := "open"
	if !open {
		status = "lost"
	}
	o := object{"id": f.nextID(), "title": title, "person_id": person, "owner_id": int64(1), "status": status, "is_deleted": false,
		"add_time": f.stamp(), "update_time": f.stamp(), "custom_fields": map[string]any{}}
	f.data.deals = append(f.data.deals, o)
	return o.id()
}

// AddField adds a custom field to persons and returns its code.
func (f *Fake) AddField(name, kind string, options ...string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addField(name, kind, options).text("field_code")
}

func (f *Fake) addField(name, kind string, options []string) object {
	sum := sha1.Sum([]byte(fmt.Sprint(name, f.nextID())))
	o := object{"field_name": name, "field_code": hex.EncodeToString(sum[:]), "field_type": kind, "options": nil, "subfields": nil,
		"is_custom_field": true, "is_optional_response_field": false}
	if len(options) > 0 {
		var list []any
		for i, label := range options {
			list = append(list, object{"id": int64(i + 1), "label": label})
		}
		o["options"] = list
	}
	f.data.personFields = append(f.data.personFields, o)
	return o
}

// Delete removes a record as a person would: "activities", "persons", "organizations", "leads", "deals", "notes", "callLogs".
func (f *Fake) Delete(list, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, objects := range map[string]*[]object{"activities": &f.data.activities, "persons": &f.data.persons, "organizations": &f.data.companies,
		"leads": &f.data.leads, "deals": &f.data.deals, "notes": &f.data.notes, "callLogs": &f.data.logs} {
		if name == list {
			*objects = slices.DeleteFunc(*objects, func(o object) bool { return fmt.Sprint(o["id"]) == id })
		}
	}
}

// Edit changes a field of an activity or note, as a person would.
func (f *Fake) Edit(id int64, field string, v any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, list := range [][]object{f.data.activities, f.data.notes} {
		if o := find(list, id); o != nil {
			o[field] = v
		}
	}
}

// State is a copy of the company's records.
type State struct {
	Persons, Leads, Activities, CallLogs, Notes, Deals, Files []map[string]any
	// Recordings are the contents by call log; Uploads those of files by their id.
	Recordings map[string][]byte
	Uploads    map[int64][]byte
	// Requests counts requests by version, method and pattern; Refused are the problems of those that broke the API's rules.
	Requests map[string]int
	Refused  []string
	// TokensSpent is what was taken from today's budget.
	TokensSpent int
}

// State returns what the company has.
func (f *Fake) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	copied := func(list []object) []map[string]any {
		out := make([]map[string]any, 0, len(list))
		for _, o := range list {
			c := maps.Clone(o)
			delete(c, "seen_at")
			out = append(out, c)
		}
		return out
	}
	return State{Persons: copied(f.data.persons), Leads: copied(f.data.leads), Activities: copied(f.data.activities), CallLogs: copied(f.data.logs),
		Notes: copied(f.data.notes), Deals: copied(f.data.deals), Files: copied(f.data.files), Recordings: maps.Clone(f.data.recordings),
		Uploads: maps.Clone(f.data.uploads), Requests: maps.Clone(f.seen), Refused: slices.Clone(f.refused), TokensSpent: f.spent}
}

// Lag stops the searches from seeing changes, or lets them catch up.
func (f *Fake) Lag(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blind = nil
	if on {
		now := f.opt.Now()
		f.blind = &now
	}
}

func (f *Fake) visible(o object) bool {
	at, _ := o["seen_at"].(time.Time)
	if f.blind != nil && at.After(*f.blind) {
		return false
	}
	return f.opt.Now().Sub(at) >= f.opt.SearchLag
}
