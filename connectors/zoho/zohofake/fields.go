package zohofake

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Field is a field of a module.
type Field struct {
	ID, APIName, Label, Type string
	Length                   int
	Mandatory, ReadOnly      bool
	Unique                   bool
	// Values are those of a picklist; strict ones take no other, as Zoho's own do.
	Values []string
	Strict bool
	// Target is the module of a lookup.
	Target string
}

func text(name string, length int) *Field { return &Field{APIName: name, Type: "text", Length: length} }
func typed(name, kind string) *Field      { return &Field{APIName: name, Type: kind} }
func list(name string, values ...string) *Field {
	return &Field{APIName: name, Type: "picklist", Values: values}
}
func lookup(name, target string) *Field { return &Field{APIName: name, Type: "lookup", Target: target} }
func long(name string) *Field           { return &Field{APIName: name, Type: "textarea", Length: 32000} }
func (f *Field) must() *Field           { f.Mandatory = true; return f }
func (f *Field) only() *Field           { f.Strict = true; return f }
func (f *Field) fixed() *Field          { f.ReadOnly = true; return f }

// defaultFields are those of an unchanged account, as far as callsync is concerned.
func defaultFields() map[string][]*Field {
	owner := func() *Field { return typed("Owner", "ownerlookup") }
	phone := func(names ...string) []*Field {
		var out []*Field
		for _, n := range names {
			out = append(out, &Field{APIName: n, Type: "phone", Length: 30})
		}
		return out
	}
	person := func(more ...*Field) []*Field {
		return append(append([]*Field{owner(), text("First_Name", 40), text("Last_Name", 80).must(), text("Full_Name", 120).fixed(), &Field{APIName: "Email", Type: "email", Length: 100},
			long("Description"), text("Secondary_Email", 100)}, phone("Phone", "Mobile")...), more...)
	}
	activity := func(more ...*Field) []*Field {
		return append([]*Field{owner(), text("Subject", 255).must(), lookup("Who_Id", "Contacts"), {APIName: "What_Id", Type: "multi_module_lookup"}, text("$se_module", 50), long("Description")}, more...)
	}
	out := map[string][]*Field{
		"Calls": activity(list("Call_Type", "Inbound", "Outbound", "Missed").must().only(), typed("Call_Start_Time", "datetime").must(), text("Call_Duration", 30),
			typed("Call_Duration_in_seconds", "integer").fixed(), list("Call_Purpose", "-None-", "Prospecting", "Administrative"),
			list("Call_Result", "-None-", "Interested", "Not interested", "Requested call back"), text("Call_Agenda", 255), text("Caller_ID", 50), text("Dialled_Number", 50),
			&Field{APIName: "Voice_Recording__s", Type: "website", Length: 450}, &Field{APIName: "Call_Status", Type: "picklist", ReadOnly: true}, typed("Layout", "layout")),
		"Contacts": person(append(phone("Home_Phone", "Other_Phone", "Asst_Phone"), text("Mailing_City", 100), text("Mailing_State", 100), text("Mailing_Country", 100), lookup("Account_Name", "Accounts"))...),
		"Leads":    person(text("Company", 200), text("City", 100), text("State", 100), text("Country", 100), lookup("Converted_Contact", "Contacts").fixed()),
		"Accounts": append([]*Field{owner(), text("Account_Name", 200).must()}, phone("Phone")...),
		"Deals": {owner(), text("Deal_Name", 120).must(), list("Stage", "Qualification", "Negotiation/Review", "Closed Won", "Closed Lost", "Gone").must(), lookup("Contact_Name", "Contacts"),
			lookup("Account_Name", "Accounts"), typed("Closing_Date", "date"), text("Next_Step", 100), typed("Amount", "currency")},
		"Tasks": activity(typed("Due_Date", "date"), list("Status", "Not Started", "Deferred", "In Progress", "Completed", "Waiting for input"), list("Priority", "High", "Highest", "Low", "Lowest", "Normal")),
		"Cases": {owner(), text("Subject", 255).must(), list("Case_Origin", "-None-", "Email", "Phone", "Web").must(), list("Status", "New", "On Hold", "Escalated", "Closed").must(),
			list("Priority", "-None-", "High", "Medium", "Low"), long("Description"), lookup("Related_To", "Contacts"), lookup("Account_Name", "Accounts"), lookup("Deal_Name", "Deals"), phone("Phone")[0]},
		"Notes": {owner(), text("Note_Title", 120), long("Note_Content").must(), typed("Parent_Id", "parent").must()},
	}
	n := 0
	for module, fields := range out {
		for _, f := range append(fields, typed("Created_Time", "datetime").fixed(), typed("Modified_Time", "datetime").fixed()) {
			n++
			f.ID, f.Label = fmt.Sprintf("4876876000000%06d", n), strings.ReplaceAll(f.APIName, "_", " ")
		}
		out[module] = fields
	}
	return out
}

func (f *Fake) field(module, name string) *Field {
	at := slices.IndexFunc(f.fields[module], func(x *Field) bool { return x.APIName == name })
	if at < 0 {
		return nil
	}
	return f.fields[module][at]
}

func (f *Fake) listFields(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	module := r.URL.Query().Get("module")
	if !f.knows(w, module) {
		return
	}
	out := []any{}
	for _, x := range f.fields[module] {
		if x.APIName != "$se_module" {
			out = append(out, x.json())
		}
	}
	answer(w, http.StatusOK, map[string]any{"fields": out})
}

// knows answers a settings request whose module is missing or unknown.
func (f *Fake) knows(w http.ResponseWriter, module string) bool {
	if module == "" {
		fail(w, http.StatusBadRequest, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", map[string]any{"param_name": "module"})
		return false
	}
	if f.fields[module] == nil {
		fail(w, http.StatusBadRequest, "INVALID_MODULE", "The module name given seems to be invalid", map[string]any{"api_name": "module"})
		return false
	}
	return true
}

func (x *Field) json() map[string]any {
	unique := map[string]any{}
	if x.Unique {
		unique["casesensitive"] = "false"
	}
	values := []any{}
	for _, v := range x.Values {
		forecast := ""
		if x.APIName == "Stage" {
			forecast = "Open"
			if strings.HasPrefix(v, "Closed") || v == "Gone" {
				forecast = "Closed Lost"
			}
		}
		values = append(values, map[string]any{"display_value": v, "actual_value": v, "reference_value": v, "type": "used", "id": x.ID + "1", "sequence_number": 1, "colour_code": nil, "forecast_type": forecast})
	}
	if x.APIName == "Call_Result" {
		values = append(values, map[string]any{"display_value": "Old result", "actual_value": "Old result", "type": "unused", "id": x.ID + "2", "sequence_number": 9, "colour_code": nil})
	}
	return map[string]any{"id": x.ID, "api_name": x.APIName, "field_label": x.Label, "display_label": x.Label, "data_type": x.Type, "length": x.Length, "read_only": x.ReadOnly,
		"field_read_only": x.ReadOnly, "system_mandatory": x.Mandatory, "visible": true, "unique": unique, "pick_list_values": values,
		"operation_type": map[string]any{"web_update": !x.ReadOnly, "api_create": !x.ReadOnly, "web_create": !x.ReadOnly, "api_update": !x.ReadOnly}}
}

// maxUnique is how many unique fields a module takes, and maxNew how many fields one request makes.
const (
	maxUnique = 2
	maxNew    = 5
)

func (f *Fake) createFields(w http.ResponseWriter, r *http.Request) {
	module := r.URL.Query().Get("module")
	in, ok := decode(w, r, "fields")
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.knows(w, module) {
		return
	}
	refuse := func(status int, code, message string, details map[string]any) {
		answer(w, status, map[string]any{"fields": []any{refusal(code, message, details)}})
	}
	if len(in) > maxNew || module == "Notes" {
		refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "field limit exceeded", map[string]any{"limit": maxNew, "limit_due_to": []any{}})
		return
	}
	out := []any{}
	for _, d := range in {
		label, _ := d["field_label"].(string)
		kind, _ := d["data_type"].(string)
		length, _ := d["length"].(float64)
		unique, _ := d["unique"].(map[string]any)
		name := strings.ReplaceAll(label, " ", "_")
		switch {
		case label == "":
			refuse(http.StatusBadRequest, "MANDATORY_NOT_FOUND", "required field not found", map[string]any{"api_name": "field_label", "json_path": "$.fields[0].field_label"})
			return
		case kind != "text" || length < 1 || length > 255 || length != float64(int(length)):
			refuse(http.StatusBadRequest, "INVALID_DATA", "invalid data", map[string]any{"api_name": "length", "json_path": "$.fields[0].length"})
			return
		case unique != nil && unique["case_sensitive"] != false && unique["casesensitive"] != "false":
			refuse(http.StatusBadRequest, "INVALID_DATA", "invalid data", map[string]any{"api_name": "unique", "json_path": "$.fields[0].unique"})
			return
		case d["external"] != nil && module == "Calls":
			refuse(http.StatusBadRequest, "NOT_SUPPORTED", "external field is not supported for this module", map[string]any{"api_name": "external", "json_path": "$.fields[0].external"})
			return
		case slices.ContainsFunc(f.fields[module], func(x *Field) bool { return strings.EqualFold(x.Label, label) }):
			refuse(http.StatusBadRequest, "DUPLICATE_DATA", "duplicate data", map[string]any{"api_name": "field_label", "json_path": "$.fields[0].field_label"})
			return
		}
		have := 0
		for _, x := range f.fields[module] {
			if x.Unique {
				have++
			}
		}
		if unique != nil && have >= maxUnique {
			refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "unique field limit exceeded", map[string]any{"limit": maxUnique, "limit_due_to": []any{map[string]any{"api_name": "unique", "json_path": "$.fields[0].unique"}}})
			return
		}
		x := &Field{ID: f.id(), APIName: name, Label: label, Type: kind, Length: int(length), Unique: unique != nil}
		f.fields[module] = append(f.fields[module], x)
		out = append(out, map[string]any{"code": "SUCCESS", "details": map[string]any{"id": x.ID}, "message": "field created", "status": "success"})
	}
	answer(w, http.StatusCreated, map[string]any{"fields": out})
}

// LayoutID is the id of a second layout of calls, which offers results of its own.
const LayoutID = "4876876000000095999"

func (f *Fake) layout(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	module := r.URL.Query().Get("module")
	if !f.knows(w, module) {
		return
	}
	if r.PathValue("id") != LayoutID {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	fields := []any{}
	for _, x := range f.fields[module] {
		j := x.json()
		if x.APIName == "Call_Result" {
			j["pick_list_values"] = []any{map[string]any{"display_value": "Sold", "actual_value": "Sold", "type": "used", "id": "1", "sequence_number": 1, "colour_code": nil}}
		}
		fields = append(fields, j)
	}
	answer(w, http.StatusOK, map[string]any{"layouts": []any{map[string]any{"id": LayoutID, "name": "Support", "sections": []any{map[string]any{"api_name": "Call_Information", "fields": fields}}}}})
}
