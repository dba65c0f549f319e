package pipedrivefake

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// query is a request whose shape was checked.
type query struct {
	f       *Fake
	id      string
	url     url.Values
	body    map[string]any
	raw     []byte
	request *http.Request
}

func (q *query) number() int64 { n, _ := strconv.ParseInt(q.id, 10, 64); return n }

// result is an answer.
type result struct {
	status int
	body   map[string]any
}

func (r result) write(w http.ResponseWriter) {
	if r.body == nil {
		fail(w, r.status, http.StatusText(r.status))
		return
	}
	answer(w, r.status, r.body)
}

func ok(data any) result { return result{http.StatusOK, map[string]any{"success": true, "data": data}} }

func problem(status int, text string) result {
	return result{status, map[string]any{"success": false, "error": text, "error_info": "Please check developers.pipedrive.com", "data": nil, "additional_data": nil}}
}

func clean(o object) object {
	c := maps.Clone(o)
	delete(c, "seen_at")
	return c
}

// byCursor is a page of version 2, byStart one of version 1.
func (q *query) byCursor(list []object) result {
	start := 0
	if c := q.url.Get("cursor"); c != "" {
		raw, err := base64.RawURLEncoding.DecodeString(c)
		if start, _ = strconv.Atoi(string(raw)); err != nil {
			return problem(http.StatusBadRequest, "Invalid cursor")
		}
	}
	part, next := cut(list, start, q.limit(100, 500))
	var cursor any
	if next > 0 {
		cursor = base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(next)))
	}
	r := ok(part)
	r.body["additional_data"] = map[string]any{"next_cursor": cursor}
	return r
}

func (q *query) byStart(list []object, most int) result {
	start, _ := strconv.Atoi(q.url.Get("start"))
	limit := q.limit(100, most)
	part, next := cut(list, start, limit)
	r := ok(part)
	p := map[string]any{"start": start, "limit": limit, "more_items_in_collection": next > 0}
	if next > 0 {
		p["next_start"] = next
	}
	r.body["additional_data"] = map[string]any{"pagination": p}
	return r
}

func (q *query) limit(def, most int) int {
	n, err := strconv.Atoi(q.url.Get("limit"))
	if err != nil {
		n = def
	}
	return max(1, min(n, most))
}

func cut(list []object, start, limit int) (part []object, next int) {
	part = []object{}
	for i := start; i < len(list) && i < start+limit; i++ {
		part = append(part, clean(list[i]))
	}
	if start+limit < len(list) {
		return part, start + limit
	}
	return part, 0
}

// filtered is a list of version 2 with the filters and the order that the query asks for.
func (q *query) filtered(list []object) (out []object, bad string) {
	since := q.url.Get("updated_since")
	if since != "" {
		// Fractions of a second are refused.
		if _, err := time.Parse("2006-01-02T15:04:05Z", since); err != nil || strings.Contains(since, ".") {
			return nil, "updated_since must be in RFC3339 format"
		}
	}
	ids := strings.Split(q.url.Get("ids"), ",")
	if len(ids) > 100 {
		return nil, "ids must have at most 100 items"
	}
	for _, o := range list {
		keep := o["is_deleted"] != true && o.text("update_time") >= since
		for _, name := range []string{"owner_id", "org_id", "deal_id", "person_id"} {
			if v := q.url.Get(name); v != "" && fmt.Sprint(o.int(name)) != v {
				keep = false
			}
		}
		if v := q.url.Get("status"); v != "" && o.text("status") != v {
			keep = false
		}
		if v := q.url.Get("done"); v != "" && fmt.Sprint(o["done"]) != v {
			keep = false
		}
		if ids[0] != "" && !slices.Contains(ids, fmt.Sprint(o["id"])) {
			keep = false
		}
		if keep {
			out = append(out, o)
		}
	}
	by := q.url.Get("sort_by")
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		less := a.id() < b.id()
		if by != "" && by != "id" && a.text(by) != b.text(by) {
			less = a.text(by) < b.text(by)
		}
		return less != (q.url.Get("sort_direction") == "desc")
	})
	return out, ""
}

func (q *query) page2(list []object) result {
	out, bad := q.filtered(list)
	if bad != "" {
		return problem(http.StatusBadRequest, bad)
	}
	return q.byCursor(out)
}

// refers checks that the records that a body names are there.
func (q *query) refers(body map[string]any) string {
	d := &q.f.data
	for name, list := range map[string][]object{"person_id": d.persons, "org_id": d.companies, "organization_id": d.companies, "deal_id": d.deals,
		"owner_id": d.users, "user_id": d.users, "activity_id": d.activities} {
		if v, has := body[name]; has && v != nil && find(list, toInt(v)) == nil {
			return name + " not found"
		}
	}
	if v, _ := body["lead_id"].(string); v != "" && q.lead(v) == nil {
		return "lead_id not found"
	}
	list, _ := body["participants"].([]any)
	for _, p := range list {
		m, _ := p.(map[string]any)
		if find(d.persons, toInt(m["person_id"])) == nil {
			return "participants not found"
		}
	}
	return ""
}

func (q *query) lead(id string) object {
	for _, l := range q.f.data.leads {
		if l.text("id") == id {
			return l
		}
	}
	return nil
}

var handlers map[string]func(*query) result

func init() {
	handlers = map[string]func(*query) result{
		"1 GET /users/me": func(q *query) result {
			o := clean(q.f.data.users[0])
			o["company_id"], o["company_name"], o["company_domain"] = int64(54235233), "Acme Inc", q.f.opt.Company
			return ok(o)
		},
		"1 GET /users": func(q *query) result { return ok(q.f.data.users) },
		"1 GET /activityTypes": func(q *query) result {
			return ok([]object{{"id": int64(4), "name": "Task", "key_string": "task", "active_flag": true}, {"id": int64(5), "name": "Call", "key_string": "call", "active_flag": true}})
		},
		"1 GET /leadFields": func(q *query) result {
			return q.byStart([]object{{"id": int64(1), "key": "title", "name": "Title", "field_type": "varchar", "mandatory_flag": true, "options": nil}}, 500)
		},
		"1 GET /callLogs":                  (*query).listLogs,
		"1 GET /callLogs/{id}":             (*query).readLog,
		"1 POST /callLogs":                 (*query).createLog,
		"1 DELETE /callLogs/{id}":          (*query).deleteLog,
		"1 POST /callLogs/{id}/recordings": (*query).recording,
		"1 GET /files": func(q *query) result {
			list := slices.Clone(q.f.data.files)
			slices.Reverse(list)
			return q.byStart(list, 100)
		},
		"1 POST /files":        (*query).file,
		"1 GET /notes":         (*query).listNotes,
		"1 POST /notes":        (*query).createNote,
		"1 GET /notes/{id}":    func(q *query) result { return read(q.f.data.notes, q.number()) },
		"1 PUT /notes/{id}":    func(q *query) result { return q.update(q.f.data.notes) },
		"1 DELETE /notes/{id}": func(q *query) result { return remove(&q.f.data.notes, q.number()) },
		"1 GET /leads":         (*query).listLeads,
		"1 POST /leads":        (*query).createLead,
		"1 GET /leads/{id}": func(q *query) result {
			if l := q.lead(q.id); l != nil {
				return ok(clean(l))
			}
			return problem(http.StatusNotFound, "Lead not found")
		},
		"2 GET /activities":           func(q *query) result { return q.page2(q.f.data.activities) },
		"2 POST /activities":          (*query).createActivity,
		"2 GET /activities/{id}":      func(q *query) result { return read(q.f.data.activities, q.number()) },
		"2 PATCH /activities/{id}":    func(q *query) result { return q.update(q.f.data.activities) },
		"2 DELETE /activities/{id}":   func(q *query) result { return remove(&q.f.data.activities, q.number()) },
		"2 GET /persons":              func(q *query) result { return q.page2(q.f.data.persons) },
		"2 POST /persons":             (*query).createPerson,
		"2 GET /persons/{id}":         func(q *query) result { return read(q.f.data.persons, q.number()) },
		"2 DELETE /persons/{id}":      func(q *query) result { return remove(&q.f.data.persons, q.number()) },
		"2 GET /persons/search":       (*query).searchPersons,
		"2 GET /organizations/{id}":   func(q *query) result { return read(q.f.data.companies, q.number()) },
		"2 GET /organizations/search": (*query).searchCompanies,
		"2 GET /deals":                func(q *query) result { return q.page2(q.f.data.deals) },
		"2 GET /deals/{id}":           func(q *query) result { return read(q.f.data.deals, q.number()) },
		"2 PATCH /deals/{id}":         func(q *query) result { return q.update(q.f.data.deals) },
		"2 GET /personFields":         func(q *query) result { return q.byCursor(q.f.data.personFields) },
		"2 GET /organizationFields": func(q *query) result {
			return q.byCursor([]object{{"field_name": "Name", "field_code": "name", "field_type": "varchar", "options": nil, "is_custom_field": false, "is_optional_response_field": false}})
		},
		"2 GET /dealFields": func(q *query) result {
			return q.byCursor([]object{{"field_name": "Title", "field_code": "title", "field_type": "varchar", "options": nil, "is_custom_field": false, "is_optional_response_field": false}})
		},
		"2 POST /personFields": func(q *query) result {
			if q.f.opt.NoAdmin {
				return problem(http.StatusForbidden, "You do not have permissions to do this")
			}
			return ok(q.f.addField(object(q.body).text("field_name"), object(q.body).text("field_type"), nil))
		},
	}
}

func read(list []object, id int64) result {
	if o := find(list, id); o != nil {
		return ok(clean(o))
	}
	return problem(http.StatusNotFound, "Entity not found")
}

func remove(list *[]object, id int64) result {
	if find(*list, id) == nil {
		return problem(http.StatusNotFound, "Entity not found")
	}
	*list = slices.DeleteFunc(*list, func(o object) bool { return o.id() == id })
	return ok(object{"id": id})
}

// update changes a record by the members of the body.
func (q *query) update(list []object) result {
	o := find(list, q.number())
	if o == nil {
		return problem(http.StatusNotFound, "Entity not found")
	}
	if bad := q.refers(q.body); bad != "" {
		return problem(http.StatusBadRequest, bad)
	}
	if bad := formats(q.body); bad != "" {
		return problem(http.StatusBadRequest, bad)
	}
	maps.Copy(o, q.body)
	o["update_time"] = q.f.stamp()
	return ok(clean(o))
}

// formats checks texts that the description leaves open and the vendor's prose does not.
func formats(body map[string]any) string {
	for name, form := range map[string]string{"due_date": time.DateOnly, "due_time": time.TimeOnly, "duration": time.TimeOnly} {
		s, isText := body[name].(string)
		if !isText {
			continue
		}
		if _, err := time.Parse(form, s); err != nil && !(name == "duration" && len(s) == len(form) && s[:2] > "23") {
			return name + " is not valid"
		}
	}
	return ""
}

func (q *query) createActivity() result {
	if bad := q.refers(q.body); bad != "" {
		return problem(http.StatusBadRequest, bad)
	}
	if bad := formats(q.body); bad != "" {
		return problem(http.StatusBadRequest, bad)
	}
	if q.body["person_id"] != nil {
		return problem(http.StatusBadRequest, "person_id is read-only: send participants")
	}
	o := object(maps.Clone(q.body))
	o["id"], o["add_time"], o["update_time"], o["is_deleted"] = q.f.nextID(), q.f.stamp(), q.f.stamp(), false
	for name, v := range map[string]any{"owner_id": int64(1), "done": false, "participants": []any{}, "type": "call"} {
		if o[name] == nil {
			o[name] = v
		}
	}
	q.f.data.activities = append(q.f.data.activities, o)
	return ok(clean(o))
}

func (q *query) createPerson() result {
	o := object(maps.Clone(q.body))
	if strings.TrimSpace(o.text("name")) == "" {
		return problem(http.StatusBadRequest, "name is required")
	}
	if bad := q.refers(q.body); bad != "" {
		return problem(http.StatusBadRequest, bad)
	}
	fields, _ := o["custom_fields"].(map[string]any)
	for code := range fields {
		if !slices.ContainsFunc(q.f.data.personFields, func(f object) bool { return f.text("field_code") == code && f["is_custom_field"] == true }) {
			return result{http.StatusBadRequest, map[string]any{"success": false, "error": "Validation failed: custom_fields." + code + " is not a field", "field_code": code}}
		}
	}
	return ok(clean(q.f.addPerson(o)))
}

// searchPersons compares the term with what people typed, as text.
func (q *query) searchPersons() result {
	term := strings.ToLower(q.url.Get("term"))
	var found []object
	for _, p := range q.f.data.persons {
		if p["is_deleted"] == true || !q.f.visible(p) {
			continue
		}
		hit := false
		values := func(field, searched string) []any {
			out := []any{}
			list, _ := p[field].([]any)
			for _, v := range list {
				m, _ := v.(map[string]any)
				n, _ := m["value"].(string)
				out = append(out, n)
				hit = hit || q.url.Get("fields") == searched && strings.Contains(strings.ToLower(n), term)
			}
			return out
		}
		numbers, emails := values("phones", "phone"), values("emails", "email")
		if hit {
			found = append(found, object{"result_score": 0.5, "item": object{"id": p.id(), "type": "person", "name": p["name"], "phones": numbers,
				"emails": emails, "visible_to": int64(3), "owner": object{"id": p.int("owner_id")}, "organization": q.organization(p.int("org_id")), "custom_fields": []any{}, "notes": []any{}}})
		}
	}
	return q.items(found)
}

// organization is that of a person as a search shows it.
func (q *query) organization(id int64) any {
	for _, o := range q.f.data.companies {
		if o.id() == id && q.f.visible(o) {
			return object{"id": id, "name": o["name"], "address": nil}
		}
	}
	return nil
}

func (q *query) searchCompanies() result {
	term := q.url.Get("term")
	var found []object
	for _, o := range q.f.data.companies {
		if q.f.visible(o) && strings.Contains(o.text("phone"), term) {
			found = append(found, object{"result_score": 0.5, "item": object{"id": o.id(), "type": "organization", "name": o["name"], "address": nil,
				"visible_to": int64(3), "owner": object{"id": o.int("owner_id")}, "custom_fields": []any{o["phone"]}, "notes": []any{}}})
		}
	}
	return q.items(found)
}

func (q *query) items(found []object) result {
	r := q.byCursor(found)
	if r.status == http.StatusOK {
		r.body["data"] = map[string]any{"items": r.body["data"]}
	}
	return r
}

func (q *query) listLeads() result {
	var out []object
	for _, l := range q.f.data.leads {
		person := q.url.Get("person_id")
		if l["is_archived"] != true && (person == "" || fmt.Sprint(l.int("person_id")) == person) && l.text("update_time") >= q.url.Get("updated_since") {
			out = append(out, l)
		}
	}
	return q.byStart(out, 500)
}

func (q *query) createLead() result {
	if q.body["person_id"] == nil && q.body["organization_id"] == nil {
		return problem(http.StatusBadRequest, "A lead must be linked to a person or an organization")
	}
	if bad := q.refers(q.body); bad != "" {
		return problem(http.StatusBadRequest, bad)
	}
	r := ok(clean(q.f.addLead(maps.Clone(q.body))))
	r.status = http.StatusCreated
	return r
}

func (q *query) listNotes() result {
	list := slices.Clone(q.f.data.notes)
	slices.Reverse(list)
	return q.byStart(list, 100)
}

func (q *query) createNote() result {
	if q.body["person_id"] == nil && q.body["org_id"] == nil && q.body["deal_id"] == nil && q.body["lead_id"] == nil {
		return problem(http.StatusBadRequest, "One of deal_id, person_id, org_id or lead_id is required")
	}
	if bad := q.refers(q.body); bad != "" {
		return problem(http.StatusBadRequest, bad)
	}
	if v, _ := q.body["add_time"].(string); v != "" {
		if _, err := time.Parse(time.DateTime, v); err != nil {
			return problem(http.StatusBadRequest, "add_time is not valid")
		}
	}
	o := object(maps.Clone(q.body))
	o["id"], o["active_flag"], o["update_time"] = q.f.nextID(), true, q.f.stamp()
	q.f.data.notes = append(q.f.data.notes, o)
	return ok(clean(o))
}
