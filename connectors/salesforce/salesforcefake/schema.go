package salesforcefake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// row is a record's values by field.
type row = map[string]any

// object is the definition of an sObject.
type object struct {
	prefix string
	fields map[string]*field
	// order are the fields as they are described.
	order []string
}

// field is the definition of a field.
type field struct {
	kind string
	// length in characters; zero means no limit.
	length int
	// refs are the objects that a reference may lead to.
	refs []string
	// options are a picklist's values; restricted takes no others.
	options    []string
	restricted bool
	required   bool
	// create and update tell whether a write may set it.
	create, update    bool
	external, unique  bool
	html, defaultedOn bool
}

// d is a short notation of fields: kind, length, then flags: r read-only, c create only, ! required, x restricted picklist.
func d(kind string, length int, flags string, more ...string) *field {
	f := &field{kind: kind, length: length, create: true, update: true}
	for _, flag := range flags {
		switch flag {
		case 'r':
			f.create, f.update = false, false
		case 'c':
			f.update = false
		case '!':
			f.required = true
		case 'x':
			f.restricted = true
		case 'd':
			f.defaultedOn = true
		}
	}
	if kind == "reference" {
		f.refs = more
	} else {
		f.options = more
	}
	return f
}

func define(prefix string, named ...any) *object {
	o := &object{prefix: prefix, fields: map[string]*field{}}
	add := func(name string, f *field) {
		o.fields[name] = f
		o.order = append(o.order, name)
	}
	add("Id", d("id", 18, "r"))
	add("IsDeleted", d("boolean", 0, "r"))
	for i := 0; i < len(named); i += 2 {
		add(named[i].(string), named[i+1].(*field))
	}
	add("CreatedDate", d("datetime", 0, "r"))
	add("LastModifiedDate", d("datetime", 0, "r"))
	return o
}

func ref(flags string, to ...string) *field { return d("reference", 18, flags, to...) }

// definitions are those of a new org, with callsync's fields unless the options leave them out.
func definitions(o Options) map[string]*object {
	owner := func() *field { return ref("d", "User") }
	person := func(more ...any) []any {
		return append([]any{"FirstName", d("string", 40, ""), "LastName", d("string", 80, "!"), "Name", d("string", 121, "r"), "Email", d("email", 80, ""),
			"Phone", d("phone", 40, ""), "MobilePhone", d("phone", 40, ""), "Fax", d("phone", 40, ""), "Title", d("string", 128, ""),
			"Description", d("textarea", 32000, ""), "OwnerId", owner()}, more...)
	}
	defs := map[string]*object{
		"Organization":            define("00D", "Name", d("string", 80, "r"), "IsSandbox", d("boolean", 0, "r"), "OrganizationType", d("picklist", 40, "r")),
		"User":                    define("005", "Name", d("string", 121, "r"), "LastName", d("string", 80, "!"), "Email", d("email", 128, "!"), "Username", d("string", 80, "!"), "IsActive", d("boolean", 0, ""), "UserType", d("picklist", 40, "r")),
		"Account":                 define("001", "Name", d("string", 255, "!"), "Phone", d("phone", 40, ""), "Fax", d("phone", 40, ""), "MasterRecordId", ref("r", "Account"), "OwnerId", owner()),
		"PermissionSet":           define("0PS", "Name", d("string", 80, "!"), "Label", d("string", 80, "!")),
		"PermissionSetAssignment": define("0Pa", "AssigneeId", ref("!", "User"), "PermissionSetId", ref("!", "PermissionSet")),
		"FieldPermissions": define("01k", "ParentId", ref("!", "PermissionSet"), "SobjectType", d("picklist", 40, "!"), "Field", d("picklist", 80, "!"),
			"PermissionsRead", d("boolean", 0, ""), "PermissionsEdit", d("boolean", 0, "")),
		"Contact": define("003", person("AccountId", ref("", "Account"), "HomePhone", d("phone", 40, ""), "OtherPhone", d("phone", 40, ""), "AssistantPhone", d("phone", 40, ""),
			"MasterRecordId", ref("r", "Contact"), "MailingCity", d("string", 40, ""), "MailingState", d("string", 80, ""), "MailingCountry", d("string", 80, ""))...),
		"Lead": define("00Q", person("Company", d("string", 255, "!"), "Status", d("picklist", 40, "d", "Open - Not Contacted", "Closed - Converted"),
			"LeadSource", d("picklist", 40, "", "Web", "Phone Inquiry", "Other"), "City", d("string", 40, ""), "State", d("string", 80, ""), "Country", d("string", 80, ""),
			"IsConverted", d("boolean", 0, "r"), "ConvertedContactId", ref("r", "Contact"), "ConvertedAccountId", ref("r", "Account"), "MasterRecordId", ref("r", "Lead"))...),
		"Opportunity": define("006", "Name", d("string", 120, "!"), "StageName", d("picklist", 40, "!", "Prospecting", "Closed Won", "Closed Lost"), "CloseDate", d("date", 0, "!"),
			"AccountId", ref("", "Account"), "IsClosed", d("boolean", 0, "r"), "NextStep", d("string", 255, ""), "Description", d("textarea", 32000, ""), "OwnerId", owner()),
		"OpportunityContactRole": define("00K", "OpportunityId", ref("!", "Opportunity"), "ContactId", ref("!", "Contact")),
		"Case": define("500", "CaseNumber", d("string", 30, "r"), "Subject", d("string", 255, ""), "Description", d("textarea", 32000, ""),
			"Status", d("picklist", 40, "d", "New", "Working", "Closed"), "Origin", d("picklist", 40, "", "Phone", "Email", "Web"), "Priority", d("picklist", 40, "d", "High", "Medium", "Low"),
			"ContactId", ref("", "Contact"), "AccountId", ref("", "Account"), "SuppliedName", d("string", 80, ""), "SuppliedPhone", d("string", 40, ""), "OwnerId", owner()),
		"Task": define("00T", "Subject", d("combobox", 255, "", "Call", "Email", "Other"), "TaskSubtype", d("picklist", 40, "cx", "Task", "Email", "ListEmail", "Cadence", "Call", "LinkedIn"),
			"Status", d("picklist", 40, "d", "Not Started", "In Progress", "Completed", "Deferred"), "Priority", d("picklist", 40, "d", "High", "Normal", "Low"), "IsClosed", d("boolean", 0, "r"),
			"ActivityDate", d("date", 0, ""), "Description", d("textarea", 32000, ""), "CallType", d("picklist", 40, "x", "Inbound", "Outbound", "Internal"),
			"CallDurationInSeconds", d("int", 0, ""), "CallDisposition", d("string", 255, ""), "CallObject", d("string", 255, ""), "WhoId", ref("", "Contact", "Lead"),
			"WhatId", ref("", "Account", "Opportunity", "Case"), "AccountId", ref("r", "Account"), "OwnerId", owner(), "IsReminderSet", d("boolean", 0, "d"), "ReminderDateTime", d("datetime", 0, "")),
		"ContentVersion": define("068", "Title", d("string", 255, ""), "PathOnClient", d("string", 500, "c"), "VersionData", d("base64", 0, "c"), "FirstPublishLocationId", ref("c", "Task", "Contact", "Account"),
			"ContentDocumentId", ref("c", "ContentDocument"), "ContentSize", d("int", 0, "r"), "IsLatest", d("boolean", 0, "r")),
		"ContentDocument":     define("069", "Title", d("string", 255, ""), "LatestPublishedVersionId", ref("r", "ContentVersion")),
		"ContentDocumentLink": define("06A", "ContentDocumentId", ref("", "ContentDocument"), "LinkedEntityId", ref("", "Task", "Contact", "Account")),
	}
	if o.PersonAccounts {
		a := defs["Account"]
		for name, f := range map[string]*field{"IsPersonAccount": d("boolean", 0, "r"), "PersonContactId": ref("r", "Contact"), "PersonMobilePhone": d("phone", 40, ""), "PersonHomePhone": d("phone", 40, "")} {
			a.fields[name] = f
		}
		a.order = append(a.order, "IsPersonAccount", "PersonContactId", "PersonMobilePhone", "PersonHomePhone")
	}
	if o.RecordType != "" {
		defs["Task"].add("RecordTypeId", ref("d"))
	}
	if !o.NoFields {
		for _, name := range []string{"Task", "Contact", "Lead", "Case"} {
			defs[name].add("Callsync_Key__c", keyField())
		}
		defs["Task"].add("Callsync_Start__c", d("datetime", 0, ""))
	}
	return defs
}

func keyField() *field {
	f := d("string", 100, "")
	f.external, f.unique = true, true
	return f
}

func (o *object) add(name string, f *field) {
	if _, have := o.fields[name]; !have {
		o.order = append(o.order, name)
	}
	o.fields[name] = f
}

// visible is a field that field-level security does not hide.
func (f *Fake) visible(name, fieldName string) (*field, bool) {
	def, known := f.defs[name].fields[fieldName]
	if !known || slices.Contains(f.opt.Hidden[name], fieldName) {
		return nil, false
	}
	return def, true
}

// writable tells whether field-level security lets a visible field be written.
func (f *Fake) writable(name, fieldName string) bool {
	return !slices.Contains(f.opt.ReadOnly[name], fieldName)
}

// soapTypes are the JSON types of kinds in the texts of refusals.
func (f *Fake) describe(name string) any {
	def := f.defs[name]
	fields := []any{}
	for _, n := range def.order {
		x, seen := f.visible(name, n)
		if !seen {
			continue
		}
		values := []any{}
		for _, o := range x.options {
			values = append(values, map[string]any{"active": true, "defaultValue": false, "label": o, "validFor": nil, "value": o})
		}
		fields = append(fields, map[string]any{
			"name": n, "label": n, "type": x.kind, "length": x.length, "createable": x.create && f.writable(name, n), "updateable": x.update && f.writable(name, n),
			"nillable": !x.required && !x.defaultedOn && x.kind != "boolean", "defaultedOnCreate": x.defaultedOn || x.kind == "boolean", "externalId": x.external, "unique": x.unique,
			"idLookup": x.external || n == "Id", "restrictedPicklist": x.restricted, "picklistValues": values, "htmlFormatted": x.html, "referenceTo": append([]string{}, x.refs...),
			"custom": strings.HasSuffix(n, "__c"), "calculated": false, "filterable": true, "extraTypeInfo": nil,
		})
	}
	types := []any{map[string]any{"available": true, "defaultRecordTypeMapping": f.opt.RecordType == "" || name != "Task", "master": true, "name": "Master", "recordTypeId": "012000000000000AAA"}}
	if f.opt.RecordType != "" && name == "Task" {
		types = append(types, map[string]any{"available": true, "defaultRecordTypeMapping": true, "master": false, "name": "Phone", "recordTypeId": f.opt.RecordType})
	}
	return map[string]any{"name": name, "label": name, "createable": name != "Organization", "updateable": name != "Organization", "queryable": true, "searchable": true,
		"deletable": true, "keyPrefix": def.prefix, "fields": fields, "recordTypeInfos": types}
}

// picklists serves the values that a record type allows: of each picklist that is not restricted, all but the last.
func (f *Fake) picklists(name, recordType string) (reply, error) {
	def := f.defs[name]
	if def == nil || f.opt.RecordType == "" || recordType != f.opt.RecordType {
		return reply{}, &refusal{status: http.StatusNotFound, code: "NOT_FOUND", message: "The requested resource does not exist"}
	}
	out := map[string]any{}
	for n, x := range def.fields {
		if x.kind != "picklist" || len(x.options) == 0 {
			continue
		}
		allowed := x.options
		if !x.restricted {
			allowed = allowed[:len(allowed)-1]
		}
		var values []any
		for _, o := range allowed {
			values = append(values, map[string]any{"attributes": nil, "label": o, "validFor": []any{}, "value": o})
		}
		out[n] = map[string]any{"controllerValues": map[string]any{}, "defaultValue": nil, "url": "/ui-api", "values": values}
	}
	return ok(map[string]any{"eTag": "e", "picklistFieldValues": out}), nil
}

// makeField adds a custom field, which at first nobody may see: field-level security is given apart.
func (f *Fake) makeField(body []byte) (reply, error) {
	var in struct {
		FullName string `json:"FullName"`
		Metadata struct {
			Label      string `json:"label"`
			Type       string `json:"type"`
			Length     int    `json:"length"`
			ExternalID bool   `json:"externalId"`
			Unique     bool   `json:"unique"`
		} `json:"Metadata"`
	}
	if json.Unmarshal(body, &in) != nil {
		return reply{}, invalid("JSON_PARSER_ERROR", nil, "Unexpected character")
	}
	if !f.opt.MayCustomize {
		return reply{}, refuse(http.StatusForbidden, "INSUFFICIENT_ACCESS", nil, "insufficient access rights on cross-reference id")
	}
	home, name, found := strings.Cut(in.FullName, ".")
	if home == "Activity" {
		home = "Task"
	}
	def := f.defs[home]
	kind := map[string]string{"Text": "string", "DateTime": "datetime"}[in.Metadata.Type]
	switch {
	case !found || def == nil || !strings.HasSuffix(name, "__c"):
		return reply{}, invalid("INVALID_FIELD", nil, "Entity Enumeration Or ID: bad value for restricted picklist field: %s", home)
	case kind == "" || in.Metadata.Label == "" || kind == "string" && in.Metadata.Length == 0:
		return reply{}, invalid("FIELD_INTEGRITY_EXCEPTION", nil, "Can not specify 'length' for this type, or it is missing")
	case def.fields[name] != nil:
		return reply{}, invalid("DUPLICATE_DEVELOPER_NAME", nil, "There is already a field named %s on Activity.", name)
	}
	x := d(kind, in.Metadata.Length, "")
	x.external, x.unique = in.Metadata.ExternalID, in.Metadata.Unique
	def.add(name, x)
	if f.opt.Hidden == nil {
		f.opt.Hidden = map[string][]string{}
	}
	f.opt.Hidden[home] = append(slices.Clone(f.opt.Hidden[home]), name)
	return reply{http.StatusCreated, map[string]any{"id": "00N000000000001AAA", "success": true, "errors": []any{}, "warnings": []any{}, "infos": []any{}}}, nil
}

// granted is a new record of FieldPermissions: the field can be seen from now on.
func (f *Fake) granted(v row) {
	home, _ := v["SobjectType"].(string)
	name, _ := v["Field"].(string)
	name = strings.TrimPrefix(name, home+".")
	f.opt.Hidden[home] = slices.DeleteFunc(slices.Clone(f.opt.Hidden[home]), func(n string) bool { return n == name })
}
