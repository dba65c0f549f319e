package espocrmfake

import (
	"net/http"
	"strings"
)

// field is a field in EspoCRM's metadata.
type field struct {
	Type        string   `json:"type"`
	Required    bool     `json:"required,omitempty"`
	ReadOnly    bool     `json:"readOnly,omitempty"`
	NotStorable bool     `json:"notStorable,omitempty"`
	MaxLength   int      `json:"maxLength,omitempty"`
	Pattern     string   `json:"pattern,omitempty"`
	Options     []string `json:"options,omitempty"`
	Default     any      `json:"default,omitempty"`
	EntityList  []string `json:"entityList,omitempty"`
	Custom      bool     `json:"isCustom,omitempty"`
	// Entity is what a link leads to; EspoCRM has it in its links.
	Entity string `json:"-"`
}

const noBadCharacters = "$noBadCharacters"

// definitions are the fields of an unchanged EspoCRM 9.2, as far as callsync touches them.
func definitions() map[string]map[string]field {
	name := field{Type: "varchar", Required: true, Pattern: noBadCharacters}
	short := field{Type: "varchar", MaxLength: 100, Pattern: noBadCharacters}
	last := short
	last.Required = true
	start := field{Type: "datetime", Required: true}
	stamp := field{Type: "datetime", ReadOnly: true}
	text := field{Type: "text"}
	users := field{Type: "link", Entity: "User"}
	owner := field{Type: "link", Entity: "User", Required: true}
	account := field{Type: "link", Entity: "Account"}
	contacts := field{Type: "linkMultiple", Entity: "Contact"}
	parent := field{Type: "linkParent", EntityList: []string{"Account", "Lead", "Contact", "Opportunity", "Case"}}
	files := field{Type: "attachmentMultiple"}
	enum := func(d string, options ...string) field {
		return field{Type: "enum", Options: options, Default: d}
	}
	person := func() map[string]field {
		return map[string]field{
			"name": {Type: "personName"}, "firstName": short, "lastName": last, "title": {Type: "varchar", MaxLength: 100}, "description": text,
			"emailAddress": {Type: "email"}, "phoneNumber": {Type: "phone"}, "addressStreet": {Type: "text", MaxLength: 255}, "addressCity": short,
			"addressState": short, "addressCountry": short, "addressPostalCode": {Type: "varchar", MaxLength: 40, Pattern: noBadCharacters},
			"assignedUser": users, "createdAt": stamp, "modifiedAt": stamp,
		}
	}
	contact, lead := person(), person()
	contact["account"] = account
	lead["status"] = enum("New", "New", "Assigned", "In Process", "Converted", "Recycled", "Dead")
	lead["source"] = enum("", "", "Call", "Email", "Existing Customer", "Partner", "Public Relations", "Web Site", "Campaign", "Other")
	lead["accountName"] = field{Type: "varchar", MaxLength: 255}
	lead["createdContact"] = field{Type: "link", Entity: "Contact", ReadOnly: true}
	lead["createdAccount"] = field{Type: "link", Entity: "Account", ReadOnly: true}
	return map[string]map[string]field{
		"Call": {
			"name": name, "status": enum("Planned", "Planned", "Held", "Not Held"), "dateStart": start, "dateEnd": start,
			"duration": {Type: "duration", NotStorable: true}, "direction": enum("Outbound", "Outbound", "Inbound"), "description": text,
			"parent": parent, "account": {Type: "link", Entity: "Account", ReadOnly: true}, "users": {Type: "linkMultiple", Entity: "User"},
			"contacts": contacts, "leads": {Type: "linkMultiple", Entity: "Lead"}, "assignedUser": owner, "createdAt": stamp, "modifiedAt": stamp,
		},
		"Contact": contact,
		"Lead":    lead,
		"Account": {
			"name": {Type: "varchar", MaxLength: 249, Required: true, Pattern: noBadCharacters}, "phoneNumber": {Type: "phone"},
			"emailAddress": {Type: "email"}, "description": text, "assignedUser": users, "createdAt": stamp, "modifiedAt": stamp,
		},
		"Task": {
			"name": name, "status": enum("Not Started", "Not Started", "Started", "Completed", "Canceled", "Deferred"),
			"priority": enum("Normal", "Low", "Normal", "High", "Urgent"), "dateStart": {Type: "datetimeOptional"}, "dateEnd": {Type: "datetimeOptional"},
			"description": text, "parent": parent, "assignedUser": owner, "attachments": files, "createdAt": stamp, "modifiedAt": stamp,
		},
		"Case": {
			"name": name, "status": enum("New", "New", "Assigned", "Pending", "Closed", "Rejected", "Duplicate"),
			"priority": enum("Normal", "Low", "Normal", "High", "Urgent"), "type": enum("", "", "Question", "Incident", "Problem"), "description": text,
			"account": account, "lead": {Type: "link", Entity: "Lead"}, "contact": {Type: "link", Entity: "Contact"}, "contacts": contacts,
			"assignedUser": users, "attachments": files, "createdAt": stamp, "modifiedAt": stamp,
		},
		"Opportunity": {
			"name": name, "amount": {Type: "currency", Required: true}, "closeDate": {Type: "date", Required: true},
			"stage":   enum("Prospecting", "Prospecting", "Qualification", "Proposal", "Negotiation", "Closed Won", "Closed Lost"),
			"account": account, "contacts": contacts, "description": text, "assignedUser": users, "createdAt": stamp, "modifiedAt": stamp,
		},
		"Note": {
			"post": text, "type": {Type: "enum", Options: []string{"Post"}, ReadOnly: true}, "attachments": files, "createdAt": stamp, "modifiedAt": stamp,
			"parent": {Type: "linkParent", EntityList: []string{"Account", "Lead", "Contact", "Opportunity", "Case", "Call", "Task"}},
		},
		"User": {
			"userName": {Type: "varchar"}, "name": {Type: "personName"}, "firstName": short, "lastName": last, "emailAddress": {Type: "email"},
			"type": {Type: "enum"}, "isActive": {Type: "bool"},
		},
		"Attachment": {},
	}
}

// attributes are the names of the attributes of a field, by which records are written and searched.
func (f field) attributes(name string) []string {
	switch f.Type {
	case "link":
		return []string{name + "Id"}
	case "linkParent":
		return []string{name + "Id", name + "Type"}
	case "linkMultiple", "attachmentMultiple":
		return []string{name + "Ids"}
	case "phone":
		return []string{name, name + "Data", name + "Numeric"}
	}
	return []string{name}
}

// byAttribute finds the field of an attribute.
func (f *Fake) byAttribute(entity, attribute string) (string, field, bool) {
	for name, d := range f.defs[entity] {
		for _, a := range d.attributes(name) {
			if a == attribute {
				return name, d, true
			}
		}
	}
	return "", field{}, attribute == "id" || attribute == "createdById"
}

// metadata answers with one part of the metadata; EspoCRM says nothing where there is none.
func (f *Fake) metadata(key string) any {
	parts := strings.Split(key, ".")
	if len(parts) != 3 || parts[0] != "entityDefs" || parts[2] != "fields" || f.defs[parts[1]] == nil {
		return nil
	}
	return f.defs[parts[1]]
}

// language has the names of a few fields; PHP writes an empty map as an empty list.
func (f *Fake) language() any {
	return record{
		"Global":  record{"fields": record{"name": "Name", "assignedUser": "Assigned User", "createdAt": "Created At"}, "options": []any{}},
		"Call":    record{"fields": record{"dateStart": "Date Start", "dateEnd": "Date End"}, "options": record{"status": record{"Held": "Held", "Not Held": "Not Held"}}},
		"Contact": record{"fields": []any{}},
	}
}

func (f *Fake) makeField(u user, entity string, in record) (any, error) {
	if !u.admin {
		return nil, refuse(http.StatusForbidden, "")
	}
	name, _ := in["name"].(string)
	kind, _ := in["type"].(string)
	if f.defs[entity] == nil || name == "" || kind == "" {
		return nil, refuse(http.StatusBadRequest, "No 'name' or 'type'.")
	}
	name = "c" + strings.ToUpper(name[:1]) + name[1:]
	if _, ok := f.defs[entity][name]; ok {
		return nil, translated(http.StatusConflict, "fieldAlreadyExists", record{"field": name, "entityType": entity}, "Field '%s' already exists in '%s'.", name, entity)
	}
	d := field{Type: kind, Custom: true}
	if n, ok := in["maxLength"].(float64); ok {
		d.MaxLength = int(n)
	}
	f.defs[entity][name] = d
	return d, nil
}

// appUser is what EspoCRM tells a user of itself and its rights.
func (f *Fake) appUser(u user) any {
	table := record{"Stream": true}
	for entity := range f.defs {
		rights := record{}
		for _, action := range []string{"create", "read", "edit", "delete", "stream"} {
			rights[action] = f.level(u, entity, action)
		}
		table[entity] = rights
		if rights["read"] == "no" && rights["create"] == "no" {
			table[entity] = false
		}
	}
	assignment := "all"
	if f.opt.NoAssignment && !u.admin {
		assignment = "no"
	}
	me := f.records["User"][u.id]
	return record{"user": me, "acl": record{"table": table, "fieldTable": record{"Call": []any{}}, "assignmentPermission": assignment}}
}
