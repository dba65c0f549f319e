package odoofake

import "strings"

// field is a field of a model.
type field struct {
	kind      string
	label     string
	relation  string
	required  bool
	readonly  bool
	virtual   bool // not stored
	selection []string
}

// empty is the value of a field that was never written.
func (d field) empty() any {
	switch d.kind {
	case "many2many", "one2many":
		return []int64{}
	case "integer", "many2one_reference":
		return int64(0)
	case "float":
		return 0.0
	}
	return false
}

func char(label string) field        { return field{kind: "char", label: label} }
func kind(kind, label string) field  { return field{kind: kind, label: label} }
func one(model, label string) field  { return field{kind: "many2one", relation: model, label: label} }
func many(model, label string) field { return field{kind: "many2many", relation: model, label: label} }
func (d field) must() field          { d.required = true; return d }
func (d field) only() field          { d.readonly = true; return d }
func choice(label string, options ...string) field {
	return field{kind: "selection", label: label, selection: options}
}

// models are the models and fields that callsync touches, and some others, by version and apps.
func models(o Options) map[string]map[string]field {
	text := "html"
	if o.Version < 15 {
		text = "text"
	}
	m := map[string]map[string]field{
		"res.partner": {"name": char("Name"), "email": char("Email"), "phone": char("Phone"), "city": char("City"), "is_company": kind("boolean", "Is a Company"),
			"user_id": one("res.users", "Salesperson"), "comment": kind(text, "Notes"), "active": kind("boolean", "Active"), "parent_id": one("res.partner", "Related Company")},
		"res.company": {"name": char("Company Name")},
		"res.users": {"name": char("Name").must(), "login": char("Login").must(), "email": char("Email"), "active": kind("boolean", "Active"), "share": kind("boolean", "Share User").only(),
			"partner_id": one("res.partner", "Related Partner").must(), "company_id": one("res.company", "Company").must(), "tz": char("Timezone")},
		"mail.message": {"model": char("Related Document Model"), "res_id": kind("many2one_reference", "Related Document ID"), "subject": char("Subject"), "body": kind("html", "Contents"),
			"date": kind("datetime", "Date"), "author_id": one("res.partner", "Author"), "message_type": choice("Type", "email", "comment", "notification").must(),
			"subtype_id": one("mail.message.subtype", "Subtype"), "message_id": char("Message-Id").only(), "parent_id": one("mail.message", "Parent Message"),
			"mail_activity_type_id": one("mail.activity.type", "Mail Activity Type"), "attachment_ids": many("ir.attachment", "Attachments")},
		"mail.message.subtype": {"name": char("Message Type")},
		"mail.activity.type":   {"name": char("Name")},
		"mail.activity": {"res_model_id": one("ir.model", "Document Model").must(), "res_model": char("Related Document Model").only(), "res_id": kind("many2one_reference", "Related Document ID"),
			"activity_type_id": one("mail.activity.type", "Activity Type"), "summary": char("Summary"), "note": kind("html", "Note"), "date_deadline": kind("date", "Due Date").must(),
			"user_id": one("res.users", "Assigned to").must()},
		"calendar.event": {"name": char("Meeting Subject").must(), "start": kind("datetime", "Start").must(), "stop": kind("datetime", "Stop").must(), "duration": kind("float", "Duration"),
			"description": kind(text, "Description"), "user_id": one("res.users", "Organizer"), "partner_id": one("res.partner", "Scheduled by").only(), "partner_ids": many("res.partner", "Attendees"),
			"categ_ids": many("calendar.event.type", "Tags")},
		"calendar.event.type": {"name": char("Name")},
		"ir.attachment": {"name": char("Name").must(), "datas": kind("binary", "File Content"), "mimetype": char("Mime Type"), "res_model": char("Resource Model"),
			"res_id": kind("many2one_reference", "Resource ID"), "file_size": kind("integer", "File Size").only()},
		"ir.model":      {"model": char("Model")},
		"ir.model.data": {"name": char("External Identifier"), "module": char("Module")},
	}
	if !o.NoCRM {
		m["crm.lead"] = map[string]field{"name": char("Opportunity").must(), "type": choice("Type", "lead", "opportunity").must(), "phone": char("Phone"), "email_from": char("Email"),
			"contact_name": char("Contact Name"), "partner_name": char("Company Name"), "partner_id": one("res.partner", "Contact"), "user_id": one("res.users", "Salesperson"),
			"description": kind(text, "Notes"), "city": char("City"), "active": kind("boolean", "Active"), "stage_id": one("crm.stage", "Stage")}
		m["crm.stage"] = map[string]field{"name": char("Stage Name"), "is_won": kind("boolean", "Is Won Stage?")}
		m["crm.tag"] = map[string]field{"name": char("Tag Name")}
		m["calendar.event"]["opportunity_id"] = one("crm.lead", "Opportunity")
	}
	if o.Phonecalls {
		m["crm.phonecall"] = map[string]field{"name": char("Call Summary").must(), "date": kind("datetime", "Date"), "duration": kind("float", "Duration"), "description": kind("text", "Description"),
			"partner_id": one("res.partner", "Contact"), "opportunity_id": one("crm.lead", "Lead/Opportunity"), "partner_phone": char("Phone"), "partner_mobile": char("Mobile"),
			"user_id": one("res.users", "Responsible"), "state": choice("Status", "open", "cancel", "pending", "done"), "direction": choice("Direction", "in", "out").must(),
			"tag_ids": many("crm.tag", "Tags"), "active": kind("boolean", "Active")}
	}
	if o.Helpdesk {
		m["helpdesk.ticket"] = map[string]field{"name": char("Subject").must(), "description": kind("html", "Description"), "partner_id": one("res.partner", "Customer"), "user_id": one("res.users", "Assigned to")}
	}
	for _, model := range []string{"res.partner", "crm.lead"} {
		if m[model] == nil {
			continue
		}
		sanitized := char("Sanitized Number").only()
		m[model]["phone_sanitized"] = sanitized
		if o.Version < 19 {
			m[model]["mobile"] = char("Mobile")
		}
		if o.Version >= 15 {
			search := char("Phone Number")
			search.virtual = true
			m[model]["phone_mobile_search"] = search
		}
	}
	if o.Version >= 17 {
		m["mail.activity"]["active"] = kind("boolean", "Active")
	}
	for model := range m {
		m[model]["id"] = kind("integer", "ID").only()
		m[model]["create_date"], m[model]["write_date"] = kind("datetime", "Created on").only(), kind("datetime", "Last Updated on").only()
		m[model]["display_name"] = field{kind: "char", label: "Display Name", readonly: true, virtual: true}
	}
	return m
}

// access is whether the user may do something with a model at all.
func (f *Fake) access(model, operation string) error {
	denied := false
	for _, d := range f.opt.Denied {
		denied = denied || d == model
	}
	switch model {
	case "ir.model", "ir.model.data":
		denied = denied || f.opt.Version >= 15
	case "mail.message.subtype", "mail.activity.type", "res.users", "res.company", "crm.stage":
		denied = denied || operation != "read"
	case "crm.lead", "mail.message", "res.partner":
		denied = denied || operation == "unlink"
	}
	if denied && !f.opt.Admin {
		verb := map[string]string{"read": "access", "write": "modify", "unlink": "delete"}[operation]
		if verb == "" {
			verb = operation
		}
		return accessError("You are not allowed to %s '%s' (%s) records.\n\nThis operation is allowed for the following groups:\n\t- Access Rights\n\nContact your administrator to request access if necessary.",
			verb, strings.ReplaceAll(model, ".", " "), model)
	}
	return nil
}
