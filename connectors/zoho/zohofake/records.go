package zohofake

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// timeLayout is how Zoho shows times: in the zone of the user.
const timeLayout = "2006-01-02T15:04:05-07:00"

var (
	dateTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$`)
	day      = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)
	length   = regexp.MustCompile(`^\d{1,6}:[0-5]\d$`)
	mail     = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
	dial     = regexp.MustCompile(`^\+?[0-9A-Za-z .()#;,-]+$`)
	idForm   = regexp.MustCompile(`^\d{1,19}$`)
)

// zone is that of the fake's user.
var zone = time.FixedZone("", 5*3600+1800)

// bad is why a record is refused; nil means that it is taken.
type bad map[string]any

func path(at int, name string) string { return fmt.Sprintf("$.data[%d].%s", at, name) }

func invalid(at int, name, expected string) bad {
	return refusal("INVALID_DATA", "invalid data", map[string]any{"api_name": name, "json_path": path(at, name), "expected_data_type": expected})
}

// check takes the values of one record, as Zoho would: what it does not know it leaves out without a word.
func (f *Fake) check(module string, at int, in map[string]any, old *Record) (map[string]any, bad) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		x, v := f.field(module, name), in[name]
		if x == nil || x.ReadOnly {
			continue
		}
		if v == nil || v == "" {
			if x.Mandatory {
				return nil, refusal("MANDATORY_NOT_FOUND", "required field not found", map[string]any{"api_name": name, "json_path": path(at, name)})
			}
			out[name] = nil
			continue
		}
		stored, refused := f.value(module, at, x, v, in)
		if refused != nil {
			return nil, refused
		}
		out[name] = stored
	}
	have := map[string]any{}
	if old != nil {
		maps.Copy(have, old.Fields)
	}
	maps.Copy(have, out)
	for _, x := range f.fields[module] {
		if x.Mandatory && have[x.APIName] == nil {
			return nil, refusal("MANDATORY_NOT_FOUND", "required field not found", map[string]any{"api_name": x.APIName, "json_path": path(at, x.APIName)})
		}
	}
	if module == "Calls" {
		if refused := checkCall(at, have, out); refused != nil {
			return nil, refused
		}
	}
	return out, f.duplicate(module, at, out, old)
}

// checkCall holds Zoho's rules of calls: no call but a missed one has lasted no time.
func checkCall(at int, have, out map[string]any) bad {
	duration, _ := have["Call_Duration"].(string)
	if have["Call_Type"] != "Missed" {
		if duration == "" {
			return refusal("MANDATORY_NOT_FOUND", "required field not found", map[string]any{"api_name": "Call_Duration", "json_path": path(at, "Call_Duration")})
		}
		if strings.Trim(duration, "0:") == "" {
			return refusal("DEPENDENT_MISMATCH", "Call Duration can not be zero.", map[string]any{"api_name": "Call_Duration", "json_path": path(at, "Call_Duration")})
		}
	}
	if duration == "" {
		return nil
	}
	if !length.MatchString(duration) {
		return invalid(at, "Call_Duration", "text")
	}
	minutes, seconds, _ := strings.Cut(duration, ":")
	m, _ := strconv.Atoi(minutes)
	s, _ := strconv.Atoi(seconds)
	out["Call_Duration_in_seconds"] = m*60 + s
	return nil
}

// duplicate looks for another record with a unique value.
func (f *Fake) duplicate(module string, at int, out map[string]any, old *Record) bad {
	for _, x := range f.fields[module] {
		v, ok := out[x.APIName].(string)
		if !x.Unique || !ok {
			continue
		}
		for _, r := range f.records[module] {
			if s, _ := r.Fields[x.APIName].(string); strings.EqualFold(s, v) && r != old {
				return refusal("DUPLICATE_DATA", "duplicate data", map[string]any{"api_name": x.APIName, "json_path": path(at, x.APIName),
					"duplicate_record": map[string]any{"id": r.ID, "module": map[string]any{"api_name": module, "id": "4876876000000002173"}, "Owner": map[string]any{"id": f.users[0].ID, "name": "Patricia"}}})
			}
		}
	}
	return nil
}

// value takes one value.
func (f *Fake) value(module string, at int, x *Field, v any, in map[string]any) (any, bad) {
	switch x.Type {
	case "lookup", "multi_module_lookup", "ownerlookup", "parent", "layout":
		return f.reference(module, at, x, v, in)
	case "boolean":
		if _, ok := v.(bool); !ok {
			return nil, invalid(at, x.APIName, "boolean")
		}
		return v, nil
	case "integer", "currency", "double":
		n, ok := v.(float64)
		if !ok || x.Type == "integer" && n != float64(int64(n)) {
			return nil, invalid(at, x.APIName, x.Type)
		}
		return n, nil
	}
	s, ok := v.(string)
	switch {
	case !ok:
		return nil, invalid(at, x.APIName, x.Type)
	case x.Length > 0 && utf8.RuneCountInString(s) > x.Length:
		return nil, refusal("INVALID_DATA", "invalid data", map[string]any{"api_name": x.APIName, "json_path": path(at, x.APIName), "maximum_length": x.Length})
	case x.Strict && !slices.Contains(x.Values, s), x.Type == "email" && !mail.MatchString(s), x.Type == "phone" && !dial.MatchString(s),
		x.Type == "datetime" && !dateTime.MatchString(s), x.Type == "date" && !day.MatchString(s):
		return nil, invalid(at, x.APIName, x.Type)
	case x.Type == "website" && !strings.Contains(s, "."), strings.ContainsRune(s, 0):
		return nil, invalid(at, x.APIName, x.Type)
	case x.Type == "datetime":
		t, err := time.Parse(timeLayout, s)
		if err != nil {
			return nil, invalid(at, x.APIName, x.Type)
		}
		return t.In(zone).Format(timeLayout), nil
	case x.Type == "date":
		if _, err := time.Parse(time.DateOnly, s); err != nil {
			return nil, invalid(at, x.APIName, x.Type)
		}
	case x.Type == "picklist" && !slices.Contains(x.Values, s):
		// Zoho takes a value that the list has not, and adds it.
		x.Values = append(x.Values, s)
	}
	return s, nil
}

func (f *Fake) reference(module string, at int, x *Field, v any, in map[string]any) (any, bad) {
	m, ok := v.(map[string]any)
	id, _ := m["id"].(string)
	if !ok || id == "" {
		return nil, invalid(at, x.APIName, "jsonobject")
	}
	target := x.Target
	switch x.Type {
	case "layout":
		if id != LayoutID {
			return nil, invalid(at, x.APIName, "layout")
		}
		return map[string]any{"id": id, "name": "Support"}, nil
	case "ownerlookup":
		if !slices.ContainsFunc(f.users, func(u User) bool { return u.ID == id && u.Active }) {
			return nil, invalid(at, x.APIName, "ownerlookup")
		}
		return map[string]any{"id": id, "name": "A user"}, nil
	case "multi_module_lookup":
		if target, ok = in["$se_module"].(string); !ok {
			return nil, refusal("DEPENDENT_FIELD_MISSING", "Dependent Fields missing", map[string]any{"api_name": "$se_module", "json_path": path(at, "$se_module")})
		}
		if target == "Contacts" {
			return nil, invalid(at, x.APIName, "multi_module_lookup")
		}
	case "parent":
		of, _ := m["module"].(map[string]any)
		target, _ = of["api_name"].(string)
	}
	r := f.records[target][id]
	if r == nil || r.Fields["$converted"] == true {
		return nil, refusal("INVALID_DATA", "the id given seems to be invalid", map[string]any{"api_name": x.APIName, "json_path": path(at, x.APIName), "id": id})
	}
	out := map[string]any{"id": id, "name": "A record"}
	if x.Type == "parent" {
		out["module"] = map[string]any{"api_name": target}
	}
	return out, nil
}

func (f *Fake) stamp() map[string]any {
	now := f.opt.Now().In(zone).Format(timeLayout)
	by := map[string]any{"id": f.users[0].ID, "name": "Patricia Boyle"}
	return map[string]any{"Modified_Time": now, "Created_Time": now, "Modified_By": by, "Created_By": by}
}

func success(message string, details map[string]any, id string) map[string]any {
	details["id"] = id
	return map[string]any{"code": "SUCCESS", "details": details, "message": message, "status": "success"}
}

// results answers a write of records.
func (f *Fake) results(w http.ResponseWriter, list []any, good int) {
	failed := 0
	for _, r := range list {
		if r.(map[string]any)["status"] == "error" {
			failed++
		}
	}
	status := good
	switch {
	case f.opt.Always200:
		status = http.StatusOK
	case failed > 0 && failed == len(list):
		status = http.StatusBadRequest
	case failed > 0:
		status = http.StatusMultiStatus
	}
	answer(w, status, map[string]any{"data": list})
}

func (f *Fake) insert(w http.ResponseWriter, r *http.Request, module string) {
	in, ok := decode(w, r, "data")
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []any{}
	for at, record := range in {
		fields, refused := f.check(module, at, record, nil)
		if refused != nil {
			out = append(out, map[string]any(refused))
			continue
		}
		if fields["Owner"] == nil {
			fields["Owner"] = map[string]any{"id": f.users[0].ID, "name": "A user"}
		}
		out = append(out, success("record added", f.stamp(), f.add(module, fields)))
	}
	f.results(w, out, http.StatusCreated)
}

func (f *Fake) add(module string, fields map[string]any) string {
	id, now := f.id(), f.opt.Now()
	name := func(n string) string { s, _ := fields[n].(string); return s }
	if f.field(module, "Full_Name") != nil {
		fields["Full_Name"] = strings.TrimSpace(name("First_Name") + " " + name("Last_Name"))
	}
	f.records[module][id] = &Record{ID: id, Fields: fields, Created: now, Modified: now}
	return id
}

func (f *Fake) updateMany(w http.ResponseWriter, r *http.Request, module string) {
	f.update(w, r, module, "")
}
func (f *Fake) updateOne(w http.ResponseWriter, r *http.Request, module string) {
	f.update(w, r, module, r.PathValue("id"))
}

func (f *Fake) update(w http.ResponseWriter, r *http.Request, module, id string) {
	in, ok := decode(w, r, "data")
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []any{}
	for at, fields := range in {
		of := id
		if of == "" {
			of, _ = fields["id"].(string)
		}
		out = append(out, f.change(module, at, of, fields))
	}
	f.results(w, out, http.StatusOK)
}

func (f *Fake) change(module string, at int, id string, in map[string]any) map[string]any {
	r := f.records[module][id]
	switch {
	case id == "":
		return refusal("MANDATORY_NOT_FOUND", "required field not found", map[string]any{"api_name": "id", "json_path": path(at, "id")})
	case r == nil:
		return refusal("INVALID_DATA", "the id given seems to be invalid", map[string]any{"id": id})
	case f.locked[id]:
		return refusal("RECORD_LOCKED", "You cannot perform this operation as the record is locked.", map[string]any{"id": id, "action": "update"})
	case r.Fields["$converted"] == true:
		return refusal("CONVERTED_RECORD", "can't update the converted record", map[string]any{"id": id})
	}
	fields, refused := f.check(module, at, in, r)
	if refused != nil {
		return refused
	}
	maps.Copy(r.Fields, fields)
	r.Modified = f.opt.Now()
	return success("record updated", f.stamp(), id)
}

// shown is a record as Zoho gives it. Empty fields are null.
func (f *Fake) shown(module string, r *Record, fields string) map[string]any {
	out := map[string]any{"id": r.ID}
	all := map[string]any{"Created_Time": r.Created.In(zone).Format(timeLayout), "Modified_Time": r.Modified.In(zone).Format(timeLayout)}
	for _, x := range f.fields[module] {
		all[x.APIName] = nil
	}
	maps.Copy(all, r.Fields)
	for name, v := range all {
		if fields == "" || slices.Contains(strings.Split(fields, ","), name) {
			out[name] = v
		}
	}
	return out
}

func (f *Fake) read(w http.ResponseWriter, r *http.Request, module string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, q := r.PathValue("id"), r.URL.Query()
	if !idForm.MatchString(id) {
		fail(w, http.StatusNotFound, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one", nil)
		return
	}
	if n := len(strings.Split(q.Get("fields"), ",")); n > 50 {
		fail(w, http.StatusBadRequest, "LIMIT_EXCEEDED", "Max field limit exceeded", map[string]any{"limit": 50})
		return
	}
	record := f.records[module][id]
	switch {
	case record == nil && !f.dead[id]:
		fail(w, http.StatusBadRequest, "INVALID_DATA", "the id given seems to be invalid", map[string]any{"resource_path_index": 1})
	case record == nil, record.Fields["$converted"] == true && q.Get("converted") != "both" && q.Get("converted") != "true":
		w.WriteHeader(http.StatusNoContent)
	default:
		answer(w, http.StatusOK, map[string]any{"data": []any{f.shown(module, record, q.Get("fields"))}})
	}
}

func (f *Fake) list(w http.ResponseWriter, r *http.Request, module string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fields := r.URL.Query().Get("fields")
	if fields == "" {
		fail(w, http.StatusBadRequest, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", map[string]any{"param_name": "fields"})
		return
	}
	var ids []string
	if text := r.URL.Query().Get("ids"); text != "" {
		ids = strings.Split(text, ",")
	}
	if len(ids) > 100 || len(strings.Split(fields, ",")) > 50 {
		fail(w, http.StatusBadRequest, "LIMIT_EXCEEDED", "too many ids or fields", map[string]any{"limit": 100})
		return
	}
	var all []any
	for _, record := range f.sorted(module) {
		if ids == nil || slices.Contains(ids, record.ID) {
			all = append(all, f.shown(module, record, fields))
		}
	}
	page(w, r, "data", all)
}

// sorted are the records of a module, the newest first.
func (f *Fake) sorted(module string) []*Record {
	out := slices.Collect(maps.Values(f.records[module]))
	slices.SortFunc(out, func(a, b *Record) int { return strings.Compare(b.ID, a.ID) })
	return out
}

func (f *Fake) remove(w http.ResponseWriter, r *http.Request, module string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.PathValue("id")
	if f.records[module][id] == nil {
		f.results(w, []any{map[string]any(refusal("INVALID_DATA", "record not deleted", map[string]any{"id": id}))}, http.StatusOK)
		return
	}
	f.drop(module, id)
	f.results(w, []any{success("record deleted", map[string]any{}, id)}, http.StatusOK)
}

func (f *Fake) drop(module, id string) {
	delete(f.records[module], id)
	f.dead[id] = true
}
