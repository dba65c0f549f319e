package salesforcefake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// record is what the database has of a record.
type record struct {
	row row
	// indexed is what the search sees, from visibleAt on the newest values.
	indexed   row
	visibleAt time.Time
	writes    int
}

const timeLayout = "2006-01-02T15:04:05.000-0700"

// put keeps a new record without any check.
func (f *Fake) put(name string, v row) string {
	f.next++
	id := suffixed(fmt.Sprintf("%s%012d", f.defs[name].prefix, f.next))
	r := &record{row: maps.Clone(v), writes: 1}
	r.row["Id"], r.row["IsDeleted"] = id, false
	r.row["CreatedDate"] = f.stamp()
	f.records[name][id] = r
	f.order[name] = append(f.order[name], id)
	f.touch(name, r)
	return id
}

// suffixed adds the three characters that make an id of 15 safe against changes of case.
func suffixed(id string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	for i := range 3 {
		n := 0
		for j := range 5 {
			if c := id[i*5+j]; c >= 'A' && c <= 'Z' {
				n |= 1 << j
			}
		}
		id += alphabet[n : n+1]
	}
	return id
}

func (f *Fake) stamp() string { return f.opt.Now().UTC().Truncate(time.Second).Format(timeLayout) }

// touch computes what follows from a record's values, and lets the search know of it after the lag.
func (f *Fake) touch(name string, r *record) {
	v := r.row
	text := func(n string) string { s, _ := v[n].(string); return s }
	v["LastModifiedDate"] = f.stamp()
	switch name {
	case "Contact", "Lead":
		v["Name"] = strings.TrimSpace(text("FirstName") + " " + text("LastName"))
	case "Task":
		v["IsClosed"] = text("Status") == "Completed"
		v["AccountId"] = nil
		if what := text("WhatId"); strings.HasPrefix(what, "001") {
			v["AccountId"] = what
		} else if c, found := f.records["Contact"][text("WhoId")]; found {
			v["AccountId"] = c.row["AccountId"]
		}
	case "Opportunity":
		v["IsClosed"] = strings.HasPrefix(text("StageName"), "Closed")
	}
	if f.lag <= 0 {
		r.indexed = nil
		return
	}
	if r.indexed == nil && r.writes == 1 {
		r.indexed = row{}
	}
	r.visibleAt = f.opt.Now().Add(f.lag)
}

// find is a living record by id.
func (f *Fake) find(name, id string) (*record, error) {
	r := f.records[name][id]
	if len(id) == 15 {
		r = f.records[name][suffixed(id)]
	}
	switch {
	case r != nil && r.row["IsDeleted"] == true:
		return nil, refuse(http.StatusNotFound, "ENTITY_IS_DELETED", []string{}, "entity is deleted")
	case r != nil:
		return r, nil
	case len(id) != 15 && len(id) != 18:
		return nil, refuse(http.StatusNotFound, "NOT_FOUND", nil, "Provided external ID field does not exist or is not accessible: %s", id)
	case !strings.HasPrefix(id, f.defs[name].prefix):
		return nil, invalid("MALFORMED_ID", []string{}, "bad id %s", id)
	}
	return nil, refuse(http.StatusNotFound, "NOT_FOUND", nil, "The requested resource does not exist")
}

func (f *Fake) delete(name string, r *record) {
	r.row["IsDeleted"] = true
	f.touch(name, r)
}

// full is a record as Salesforce's JSON has it.
func (f *Fake) full(name string, r *record, fields []string) row {
	id, _ := r.row["Id"].(string)
	out := row{"attributes": row{"type": name, "url": "/services/data/v67.0/sobjects/" + name + "/" + id}}
	if fields == nil {
		for n := range f.defs[name].fields {
			if _, seen := f.visible(name, n); seen {
				fields = append(fields, n)
			}
		}
	}
	for _, n := range fields {
		out[n] = r.row[n]
	}
	out["Id"] = id
	return out
}

// byExternalID are the living records that have a value in an external id.
func (f *Fake) byExternalID(name, fieldName, value string) ([]string, error) {
	x, seen := f.visible(name, fieldName)
	if !seen || !x.external {
		return nil, refuse(http.StatusNotFound, "NOT_FOUND", nil, "Provided external ID field does not exist or is not accessible: %s", fieldName)
	}
	var out []string
	for _, id := range f.order[name] {
		r := f.records[name][id]
		if s, _ := r.row[fieldName].(string); r.row["IsDeleted"] == false && s != "" && strings.EqualFold(s, value) {
			out = append(out, id)
		}
	}
	return out, nil
}

// upsert serves PATCH /sobjects/{object}/{field}/{value}.
func (f *Fake) upsert(r *http.Request, name, fieldName, value string, body []byte) (reply, error) {
	v, err := parse(body)
	if err != nil {
		return reply{}, err
	}
	for _, n := range []string{fieldName, "Id", "id"} {
		if _, has := v[n]; has {
			return reply{}, invalid("INVALID_FIELD", []string{n}, "The %s field should not be specified in the sobject data.", n)
		}
	}
	f.mu.Lock()
	ids, err := f.byExternalID(name, fieldName, value)
	f.mu.Unlock()
	switch {
	case err != nil:
		return reply{}, err
	case len(ids) > 1:
		var urls []string
		for _, id := range ids {
			urls = append(urls, "/services/data/v67.0/sobjects/"+name+"/"+id)
		}
		return reply{}, &refusal{status: http.StatusMultipleChoices, raw: urls}
	case len(ids) == 1:
		if _, err := f.save(r, name, ids[0], v); err != nil {
			return reply{}, err
		}
		if f.opt.OldUpserts {
			return reply{status: http.StatusNoContent}, nil
		}
		out := saved(ids[0])
		out["created"] = false
		return ok(out), nil
	}
	v[fieldName] = value
	id, err := f.save(r, name, "", v)
	if err != nil {
		return reply{}, err
	}
	out := saved(id)
	out["created"] = true
	return reply{http.StatusCreated, out}, nil
}

// collections serves PATCH /composite/sobjects[/{object}/{external id}].
func (f *Fake) collections(r *http.Request, parts []string, body []byte) (reply, error) {
	if r.Method != http.MethodPatch {
		return reply{}, methodNotAllowed(r, "PATCH")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var in struct {
		AllOrNone bool  `json:"allOrNone"`
		Records   []row `json:"records"`
	}
	if d.Decode(&in) != nil {
		return reply{}, invalid("JSON_PARSER_ERROR", nil, "Unexpected character")
	}
	if len(in.Records) == 0 || len(in.Records) > 200 {
		return reply{}, invalid("EXCEEDED_MAX_SIZE_REQUEST", nil, "record limit reached. cannot submit more than 200 records into this call")
	}
	out := make([]any, len(in.Records))
	types := make([]string, len(in.Records))
	for i, v := range in.Records {
		attributes, _ := v["attributes"].(map[string]any)
		types[i], _ = attributes["type"].(string)
		delete(v, "attributes")
		if err := f.readable(types[i], parts, v); err != nil {
			return reply{}, err
		}
	}
	for i, v := range in.Records {
		id, created, err := f.saveItem(r, types[i], parts, v)
		one := map[string]any{"success": err == nil, "errors": []any{}}
		if err != nil {
			one["errors"] = []any{err.(*refusal).item()}
		} else {
			one["id"] = id
			if len(parts) == 2 {
				one["created"] = created
			}
		}
		out[i] = one
	}
	return ok(out), nil
}

// readable refuses the whole of a request of which a record cannot be read: its type or a field is not there.
func (f *Fake) readable(name string, parts []string, v row) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.defs[name] == nil || len(parts) == 2 && parts[0] != name {
		return invalid("INVALID_TYPE", nil, "sObject type '%s' is not supported.", name)
	}
	return f.unknown(name, v)
}

func (f *Fake) saveItem(r *http.Request, name string, parts []string, v row) (id string, created bool, err error) {
	if len(parts) == 0 {
		id, _ = v["id"].(string)
		delete(v, "id")
		f.mu.Lock()
		_, err := f.find(name, id)
		f.mu.Unlock()
		if err != nil {
			if no := err.(*refusal); no.code == "NOT_FOUND" {
				return "", false, invalid("INVALID_CROSS_REFERENCE_KEY", []string{}, "invalid cross reference id")
			}
			return "", false, err
		}
		_, err = f.save(r, name, id, v)
		return id, false, err
	}
	value, _ := v[parts[1]].(string)
	f.mu.Lock()
	ids, err := f.byExternalID(name, parts[1], value)
	f.mu.Unlock()
	switch {
	case err != nil:
		return "", false, err
	case value == "":
		return "", false, invalid("MISSING_ARGUMENT", []string{}, "%s not specified", parts[1])
	case len(ids) > 1:
		return "", false, invalid("DUPLICATE_EXTERNAL_ID", []string{}, "%s: more than one record found for external id field", parts[1])
	case len(ids) == 1:
		delete(v, parts[1])
		_, err = f.save(r, name, ids[0], v)
		return ids[0], false, err
	}
	id, err = f.save(r, name, "", v)
	return id, true, err
}

// save creates or changes a record, with all checks. It holds the rows of its parents meanwhile.
func (f *Fake) save(r *http.Request, name, id string, v row) (string, error) {
	f.mu.Lock()
	err := f.check(r, name, id, v)
	var held []string
	if err == nil && f.opt.RowLock > 0 {
		held, err = f.hold(v)
	}
	f.mu.Unlock()
	if err != nil {
		return "", err
	}
	if len(held) > 0 {
		pause := time.NewTimer(f.opt.RowLock)
		<-pause.C
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, h := range held {
		delete(f.locked, h)
	}
	if id == "" {
		// Meanwhile another request may have made it.
		if err := f.taken(name, "", v); err != nil {
			return "", err
		}
		f.defaults(r, name, v)
		id = f.put(name, v)
		if name == "FieldPermissions" {
			f.granted(v)
		}
		return id, nil
	}
	rec, err := f.find(name, id)
	if err != nil {
		return "", err
	}
	if f.lag > 0 && (rec.indexed == nil || !f.opt.Now().Before(rec.visibleAt)) {
		rec.indexed = maps.Clone(rec.row)
	}
	maps.Copy(rec.row, v)
	rec.writes++
	f.touch(name, rec)
	return id, nil
}

// hold takes the rows of a record's parents, or refuses.
func (f *Fake) hold(v row) ([]string, error) {
	var held []string
	for _, n := range []string{"WhoId", "WhatId", "ContactId", "AccountId"} {
		id, _ := v[n].(string)
		if c := f.records["Contact"][id]; c != nil {
			if account, _ := c.row["AccountId"].(string); account != "" {
				held = append(held, account)
			}
		}
		if id != "" {
			held = append(held, id)
		}
	}
	for _, h := range held {
		if f.locked[h] {
			return nil, invalid("UNABLE_TO_LOCK_ROW", []string{}, "unable to obtain exclusive access to this record or %d records: %s", len(held), strings.Join(held, ","))
		}
	}
	for _, h := range held {
		f.locked[h] = true
	}
	return held, nil
}

// defaults are what Salesforce fills in itself.
func (f *Fake) defaults(r *http.Request, name string, v row) {
	set := func(n string, x any) {
		if v[n] == nil {
			v[n] = x
		}
	}
	set("OwnerId", f.order["User"][0])
	switch name {
	case "Task":
		set("Status", "Not Started")
		set("Priority", "Normal")
		set("TaskSubtype", "Task")
		set("IsReminderSet", false)
	case "Lead":
		set("Status", "Open - Not Contacted")
		set("IsConverted", false)
	case "Case":
		set("Status", "New")
		set("Priority", "Medium")
	}
	if (name == "Lead" || name == "Case") && f.opt.AssignTo != "" && !strings.EqualFold(r.Header.Get("Sforce-Auto-Assign"), "false") {
		v["OwnerId"] = f.opt.AssignTo
	}
}

// unknown refuses fields that are not there or that field-level security hides.
func (f *Fake) unknown(name string, v row) error {
	for _, n := range slices.Sorted(maps.Keys(v)) {
		if _, seen := f.visible(name, n); !seen && n != "id" {
			return invalid("INVALID_FIELD", nil, "No such column '%s' on sobject of type %s", n, name)
		}
	}
	return nil
}

// check holds a write against the definitions, and makes its values those of the database.
func (f *Fake) check(r *http.Request, name, id string, v row) error {
	if err := f.unknown(name, v); err != nil {
		return err
	}
	if id != "" {
		if _, err := f.find(name, id); err != nil {
			return err
		}
	}
	for _, n := range slices.Sorted(maps.Keys(v)) {
		x := f.defs[name].fields[n]
		if id == "" && !x.create || id != "" && !x.update || !f.writable(name, n) {
			return invalid("INVALID_FIELD_FOR_INSERT_UPDATE", []string{n}, "Unable to create/update fields: %s. Please check the security settings of this field and verify that it is read/write for your profile or permission set.", n)
		}
		value, err := x.value(n, v[n])
		if err != nil {
			return err
		}
		v[n] = value
		if err := f.reference(name, n, x, value); err != nil {
			return err
		}
	}
	merged := row{}
	if id != "" {
		maps.Copy(merged, f.records[name][id].row)
	}
	maps.Copy(merged, v)
	var missing []string
	for _, n := range f.defs[name].order {
		if x := f.defs[name].fields[n]; x.required && merged[n] == nil {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		return invalid("REQUIRED_FIELD_MISSING", missing, "Required fields are missing: [%s]", strings.Join(missing, ", "))
	}
	if who, _ := merged["WhoId"].(string); name == "Task" && strings.HasPrefix(who, "00Q") && merged["WhatId"] != nil {
		return invalid("FIELD_INTEGRITY_EXCEPTION", []string{"WhatId", "WhoId"}, "You cannot relate a task to a lead and to another record at once.")
	}
	if err := f.duplicates(r, name, id, v); err != nil {
		return err
	}
	return f.taken(name, id, v)
}

// reference refuses ids that lead to nobody.
func (f *Fake) reference(name, n string, x *field, value any) error {
	id, _ := value.(string)
	if x.kind != "reference" || id == "" || len(x.refs) == 0 {
		return nil
	}
	for _, to := range x.refs {
		if !strings.HasPrefix(id, f.defs[to].prefix) {
			continue
		}
		r := f.records[to][id]
		switch {
		case r == nil:
			return invalid("INVALID_CROSS_REFERENCE_KEY", []string{n}, "invalid cross reference id")
		case r.row["IsDeleted"] == true:
			return invalid("ENTITY_IS_DELETED", []string{}, "entity is deleted")
		case to == "User" && n == "OwnerId" && r.row["IsActive"] != true:
			return invalid("INACTIVE_OWNER_OR_USER", []string{}, "Operation performed with inactive user [%s] as owner of %s", id, strings.ToLower(name))
		}
		return nil
	}
	return invalid("MALFORMED_ID", []string{n}, "%s: id value of incorrect type: %s", n, id)
}

// taken refuses a value that another record has in a unique field.
func (f *Fake) taken(name, id string, v row) error {
	for n, x := range f.defs[name].fields {
		s, _ := v[n].(string)
		if !x.unique || s == "" {
			continue
		}
		for other, r := range f.records[name] {
			if have, _ := r.row[n].(string); other != id && r.row["IsDeleted"] == false && strings.EqualFold(have, s) {
				return invalid("DUPLICATE_VALUE", []string{}, "duplicate value found: %s duplicates value on record with id: %s", n, other)
			}
		}
	}
	return nil
}

// duplicates are the duplicate rules of people: the same name, or the same e-mail.
func (f *Fake) duplicates(r *http.Request, name, id string, v row) error {
	if !f.opt.DuplicateRules && !f.opt.BlockDuplicates || id != "" || name != "Contact" && name != "Lead" {
		return nil
	}
	if !f.opt.BlockDuplicates && strings.Contains(strings.ReplaceAll(r.Header.Get("Sforce-Duplicate-Rule-Header"), " ", ""), "allowSave=true") {
		return nil
	}
	var found []any
	for _, other := range f.order[name] {
		o := f.records[name][other].row
		if o["IsDeleted"] == true {
			continue
		}
		same := func(n string) bool { return v[n] != nil && v[n] != "" && v[n] == o[n] }
		if same("LastName") && (same("FirstName") || v["FirstName"] == nil) || same("Email") {
			found = append(found, row{"additionalInformation": []any{}, "fieldDiffs": []any{}, "matchConfidence": 100.0,
				"record": row{"attributes": row{"type": name, "url": "/services/data/v67.0/sobjects/" + name + "/" + other}, "Id": other}})
		}
	}
	if len(found) == 0 {
		return nil
	}
	no := invalid("DUPLICATES_DETECTED", nil, "Use one of these records?")
	no.more = map[string]any{"duplicateResut": row{"allowSave": !f.opt.BlockDuplicates, "duplicateRule": "Standard_Rule", "duplicateRuleEntityType": name, "errorMessage": "Use one of these records?",
		"matchResults": []any{row{"entityType": name, "errors": []any{}, "matchEngine": "FuzzyMatchEngine", "matchRecords": found, "rule": "Standard_Match", "size": len(found), "success": true}}}}
	return no
}

// value checks one JSON value and makes it the database's: texts lose the space around them, moments their milliseconds.
func (x *field) value(n string, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	cannot := func(kind string) error {
		return invalid("JSON_PARSER_ERROR", nil, "Cannot deserialize instance of %s from VALUE_STRING value or request may be missing a required field at [line:1, column:2]", kind)
	}
	switch x.kind {
	case "boolean":
		if b, is := v.(bool); is {
			return b, nil
		}
		return nil, cannot("boolean")
	case "int":
		number, is := v.(json.Number)
		if i, err := number.Int64(); is && err == nil {
			return float64(i), nil
		}
		return nil, cannot("int")
	case "double", "currency":
		number, is := v.(json.Number)
		if d, err := number.Float64(); is && err == nil {
			return d, nil
		}
		return nil, cannot("double")
	}
	s, is := v.(string)
	if !is {
		return nil, cannot("string")
	}
	if s = strings.TrimSpace(s); s == "" {
		return nil, nil
	}
	switch x.kind {
	case "date":
		if _, err := time.Parse("2006-01-02", s); err != nil {
			return nil, cannot("date")
		}
	case "datetime":
		for _, layout := range []string{time.RFC3339Nano, timeLayout} {
			if t, err := time.Parse(layout, s); err == nil {
				return t.UTC().Truncate(time.Second).Format(timeLayout), nil
			}
		}
		return nil, cannot("datetime")
	case "picklist":
		if x.restricted && !slices.Contains(x.options, s) {
			return nil, invalid("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", []string{n}, "%s: bad value for restricted picklist field: %s", n, s)
		}
	case "email":
		if !strings.Contains(s, "@") {
			return nil, invalid("INVALID_EMAIL_ADDRESS", []string{n}, "%s: invalid email address: %s", n, s)
		}
	}
	if x.length > 0 && len(utf16.Encode([]rune(s))) > x.length {
		return nil, invalid("STRING_TOO_LONG", []string{n}, "%s: data value too large: %.20s (max length=%d)", n, s, x.length)
	}
	return s, nil
}
