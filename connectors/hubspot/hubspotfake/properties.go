package hubspotfake

import (
	"fmt"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Property is the definition of a property, as the API shows it.
type Property struct {
	Name                 string   `json:"name"`
	Label                string   `json:"label"`
	Type                 string   `json:"type"`
	FieldType            string   `json:"fieldType"`
	GroupName            string   `json:"groupName"`
	Description          string   `json:"description"`
	Options              []Option `json:"options"`
	HasUniqueValue       bool     `json:"hasUniqueValue"`
	Hidden               bool     `json:"hidden"`
	FormField            bool     `json:"formField"`
	Calculated           bool     `json:"calculated"`
	HubSpotDefined       bool     `json:"hubspotDefined"`
	Archived             bool     `json:"archived"`
	ModificationMetadata struct {
		Archivable         bool `json:"archivable"`
		ReadOnlyDefinition bool `json:"readOnlyDefinition"`
		ReadOnlyValue      bool `json:"readOnlyValue"`
	} `json:"modificationMetadata"`
	// owner marks the reference to an owner, whose options are the account's users.
	Owner bool `json:"referencesOwner,omitempty"`
}

// Option is one value of an enumeration.
type Option struct {
	Label        string `json:"label"`
	Value        string `json:"value"`
	DisplayOrder int    `json:"displayOrder"`
	Hidden       bool   `json:"hidden"`
}

type groupEntry struct {
	Label        string `json:"label"`
	DisplayOrder int    `json:"displayOrder"`
}

// The limits of HubSpot that the fake keeps. maxText is documented for notes, assumed elsewhere.
const (
	maxText   = 65536
	maxUnique = 10
)

// dispositions are HubSpot's default call outcomes.
var dispositions = []Option{
	{Label: "Busy", Value: "9d9162e7-6cf3-4944-bf63-4dff82258764"},
	{Label: "Connected", Value: "f240bbac-87c9-4f6e-bf70-924b57d47db7"},
	{Label: "Left live message", Value: "a4c4c377-d246-4b32-a13b-75a56a4cd0ff"},
	{Label: "Left voicemail", Value: "b2cf5968-551e-4856-9783-52b3da59a7d0"},
	{Label: "No answer", Value: "73a0d17f-1163-4015-bdd5-ec830791da20"},
	{Label: "Wrong number", Value: "17b47fee-58de-441e-a44c-c6300d46f273"},
}

func options(values ...string) []Option {
	out := make([]Option, len(values))
	for i, v := range values {
		out[i] = Option{Label: v, Value: v, DisplayOrder: i}
	}
	return out
}

func defaultProperties() map[string]map[string]*Property {
	out := map[string]map[string]*Property{}
	for kind := range typeNames {
		out[kind] = map[string]*Property{}
	}
	add := func(object, name, kind, fieldType string, opts []Option, readOnly bool) *Property {
		p := &Property{Name: name, Label: name, Type: kind, FieldType: fieldType, Options: opts, HubSpotDefined: true,
			GroupName: typeNames[object].group}
		if p.Options == nil {
			p.Options = []Option{}
		}
		p.ModificationMetadata.ReadOnlyValue = readOnly
		out[object][name] = p
		return p
	}
	for _, name := range []string{"hs_call_title", "hs_call_from_number", "hs_call_to_number", "hs_call_recording_url", "hs_call_callee_object_id",
		"hs_call_app_id", "hs_call_external_id", "hs_call_external_account_id", "hs_activity_type", "hs_attachment_ids", "hs_call_video_recording_url"} {
		add("calls", name, "string", "text", nil, false)
	}
	add("calls", "hs_call_body", "string", "html", nil, false)
	add("calls", "hs_timestamp", "datetime", "date", nil, false)
	add("calls", "hs_call_duration", "number", "number", nil, false)
	add("calls", "hs_call_direction", "enumeration", "select", options("INBOUND", "OUTBOUND"), false)
	add("calls", "hs_call_status", "enumeration", "select", options("BUSY", "CALLING_CRM_USER", "CANCELED", "COMPLETED", "CONNECTING", "FAILED", "HOLD",
		"IN_PROGRESS", "MISSED", "NO_ANSWER", "QUEUED", "RINGING", "UNKNOWN"), false)
	add("calls", "hs_call_disposition", "enumeration", "select", slices.Clone(dispositions), false)
	add("calls", "hs_call_source", "enumeration", "select", options("MOBILE_IOS", "MOBILE_ANDROID", "THIRD_PARTY", "INTEGRATIONS_PLATFORM", "WEB", "ZOOM"), false)
	add("calls", "hs_call_callee_object_type", "enumeration", "select", options("CONTACT", "COMPANY"), false)
	add("calls", "hs_call_has_voicemail", "enumeration", "booleancheckbox", options("true", "false"), false)
	add("calls", "hs_call_has_transcript", "enumeration", "booleancheckbox", options("true", "false"), true)
	add("calls", "hubspot_owner_id", "enumeration", "select", nil, false).Owner = true

	for _, name := range []string{"firstname", "lastname", "phone", "mobilephone", "company", "jobtitle", "address", "city", "state", "zip", "country", "website", "message"} {
		add("contacts", name, "string", "text", nil, false)
	}
	add("contacts", "email", "string", "text", nil, false).HasUniqueValue = true
	add("contacts", "lifecyclestage", "enumeration", "radio", options("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other"), false)
	add("contacts", "hs_lead_status", "enumeration", "radio", options("NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "ATTEMPTED_TO_CONTACT", "CONNECTED", "BAD_TIMING"), false)
	add("contacts", "hubspot_owner_id", "enumeration", "select", nil, false).Owner = true
	add("contacts", "lastmodifieddate", "datetime", "date", nil, true)
	for _, name := range []string{"hs_calculated_phone_number", "hs_calculated_mobile_number", "hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number"} {
		add("contacts", name, "string", "text", nil, true).Calculated = true
	}
	otherProperties(add)
	for object := range out {
		add(object, "hs_object_id", "number", "number", nil, true)
		add(object, "hs_createdate", "datetime", "date", nil, true)
		add(object, "hs_lastmodifieddate", "datetime", "date", nil, true)
	}
	return out
}

// otherProperties are those of the objects beside calls and contacts.
func otherProperties(add func(object, name, kind, fieldType string, opts []Option, readOnly bool) *Property) {
	for _, name := range []string{"name", "domain", "phone", "city", "country"} {
		add("companies", name, "string", "text", nil, false)
	}
	for _, name := range []string{"hs_calculated_phone_number", "hs_searchable_calculated_phone_number"} {
		add("companies", name, "string", "text", nil, true).Calculated = true
	}
	add("0-3", "dealname", "string", "text", nil, false)
	add("0-3", "amount", "number", "number", nil, false)
	add("0-3", "pipeline", "enumeration", "select", options("default"), false)
	add("0-3", "dealstage", "enumeration", "radio", options("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent", "closedwon", "closedlost"), false)
	add("0-3", "hs_is_closed", "enumeration", "booleancheckbox", options("true", "false"), true)
	add("0-3", "hs_next_step", "string", "textarea", nil, false)
	add("tickets", "subject", "string", "text", nil, false)
	add("tickets", "content", "string", "textarea", nil, false)
	add("tickets", "hs_pipeline", "enumeration", "select", options("0"), false)
	add("tickets", "hs_pipeline_stage", "enumeration", "radio", options("1", "2", "3", "4"), false)
	add("tickets", "hs_ticket_priority", "enumeration", "select", options("LOW", "MEDIUM", "HIGH", "URGENT"), false)
	add("tickets", "source_type", "enumeration", "select", options("CHAT", "EMAIL", "FORM", "PHONE"), false)
	for object, body := range map[string]string{"notes": "hs_note_body", "tasks": "hs_task_body", "communications": "hs_communication_body"} {
		add(object, body, "string", "html", nil, false)
		add(object, "hs_timestamp", "datetime", "date", nil, false)
		add(object, "hs_attachment_ids", "string", "text", nil, false)
	}
	add("tasks", "hs_task_subject", "string", "text", nil, false)
	add("tasks", "hs_task_status", "enumeration", "select", options("NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED"), false)
	add("tasks", "hs_task_priority", "enumeration", "select", options("NONE", "LOW", "MEDIUM", "HIGH"), false)
	add("tasks", "hs_task_type", "enumeration", "select", options("CALL", "EMAIL", "TODO", "LINKED_IN", "MEETING"), false)
	add("communications", "hs_communication_channel_type", "enumeration", "select", options("SMS", "WHATS_APP", "LINKEDIN_MESSAGE"), false)
	add("communications", "hs_communication_logged_from", "enumeration", "select", options("CRM"), false)
	for _, object := range []string{"companies", "0-3", "tickets", "notes", "tasks", "communications"} {
		add(object, "hubspot_owner_id", "enumeration", "select", nil, false).Owner = true
	}
}

// checkValue refuses a value that the property cannot have and returns the form in which it is kept.
func (f *Fake) checkValue(p *Property, v string) (string, *valueFault) {
	bad := func(code, text string) (string, *valueFault) {
		return "", &valueFault{Message: text, Error: code, Name: p.Name}
	}
	if p.ModificationMetadata.ReadOnlyValue || p.Calculated {
		return bad("READ_ONLY_VALUE", fmt.Sprintf("%q is a read only property; its value cannot be set.", p.Name))
	}
	if v == "" {
		return "", nil
	}
	if p.Type != "string" && v != strings.TrimSpace(v) {
		return bad("INVALID_"+strings.ToUpper(p.Type), fmt.Sprintf("%q has leading or trailing spaces", v))
	}
	switch p.Type {
	case "string":
		if len(utf16.Encode([]rune(v))) > maxText {
			return bad("INVALID_STRING_LENGTH", fmt.Sprintf("the value has more than %d characters", maxText))
		}
		if p.Name == "email" {
			a, err := mail.ParseAddress(v)
			if err != nil || a.Address != v {
				return bad("INVALID_EMAIL", fmt.Sprintf("Email address %s is invalid", v))
			}
			return strings.ToLower(v), nil
		}
	case "number":
		if _, err := strconv.ParseFloat(v, 64); err != nil || strings.ContainsAny(v, "nNiIxX_") {
			return bad("INVALID_LONG", fmt.Sprintf("%s was not a valid number.", v))
		}
	case "datetime", "date":
		t, ok := parseTime(v)
		if !ok {
			return bad("INVALID_DATE", fmt.Sprintf("%s was not a valid long.", v))
		}
		if p.Type == "date" && !t.Equal(t.Truncate(24*time.Hour)) {
			return bad("INVALID_DATE", fmt.Sprintf("%s is at %s UTC, not midnight!", v, t.Format(time.TimeOnly)))
		}
		return t.Format("2006-01-02T15:04:05.000Z"), nil
	case "bool":
		if v != "true" && v != "false" {
			return bad("INVALID_BOOLEAN", fmt.Sprintf("%s was not a valid boolean.", v))
		}
	case "enumeration":
		parts := []string{v}
		if p.FieldType == "checkbox" {
			parts = strings.Split(strings.Trim(v, ";"), ";")
		}
		for _, part := range parts {
			if !f.hasOption(p, part) {
				return bad("INVALID_OPTION", fmt.Sprintf("%s was not one of the allowed options: %v", part, optionValues(p.Options)))
			}
		}
	}
	return v, nil
}

func (f *Fake) hasOption(p *Property, v string) bool {
	if p.Owner {
		return slices.ContainsFunc(f.data.Owners, func(o Owner) bool { return o.ID == v })
	}
	return slices.ContainsFunc(p.Options, func(o Option) bool { return o.Value == v })
}

func optionValues(list []Option) []string {
	out := make([]string, len(list))
	for i, o := range list {
		out[i] = o.Value
	}
	return out
}

// parseTime reads milliseconds since 1970 or ISO 8601 in UTC.
func parseTime(v string) (time.Time, bool) {
	if ms, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.UnixMilli(ms).UTC(), ms > -1e14 && ms < 1e14
	}
	if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
		return t.UTC().Truncate(time.Millisecond), true
	}
	t, err := time.Parse(time.DateOnly, v)
	return t, err == nil
}

func (f *Fake) listProperties(object string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		f.mu.RLock()
		defer f.mu.RUnlock()
		all := f.data.Properties[object]
		list := []*Property{}
		for _, name := range sortedKeys(all) {
			list = append(list, all[name])
		}
		answer(w, http.StatusOK, map[string]any{"results": list})
	}
}

func (f *Fake) readProperty(object string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.RLock()
		defer f.mu.RUnlock()
		p, ok := f.data.Properties[object][r.PathValue("name")]
		if !ok {
			noProperty(w, object, r.PathValue("name"))
			return
		}
		answer(w, http.StatusOK, p)
	}
}

func noProperty(w http.ResponseWriter, object, name string) {
	(&apiError{status: http.StatusNotFound, category: "OBJECT_NOT_FOUND", subCategory: "PropertyError.PROPERTY_DOES_NOT_EXIST",
		message: fmt.Sprintf("Property %s does not exist for object type %s", name, object)}).write(w)
}

var propertyName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)

// kinds are the field types that each type of property may have.
var kinds = map[string][]string{
	"string": {"text", "textarea", "html", "phonenumber", "file"}, "number": {"number"}, "date": {"date"}, "datetime": {"date"},
	"bool": {"booleancheckbox"}, "enumeration": {"select", "radio", "checkbox", "booleancheckbox"},
}

func (f *Fake) createProperty(object string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Name, Label, Type, FieldType, GroupName, Description string
			HasUniqueValue, Hidden, FormField                    bool
			DisplayOrder                                         int
			Options                                              []Option
		}
		if !decode(w, r, &in) {
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		all := f.data.Properties[object]
		unique := 0
		for _, p := range all {
			if p.HasUniqueValue && !p.HubSpotDefined {
				unique++
			}
		}
		_, group := f.data.Groups[object][in.GroupName]
		switch _, exists := all[in.Name]; {
		case exists:
			(&apiError{status: http.StatusConflict, category: "OBJECT_ALREADY_EXISTS", subCategory: "Properties.PROPERTY_EXISTS",
				message: fmt.Sprintf("A property named '%s' already exists.", in.Name)}).write(w)
		case !propertyName.MatchString(in.Name) || in.Label == "":
			invalid("name and label are required; a name holds lower-case letters, digits and underscores").write(w)
		case !slices.Contains(kinds[in.Type], in.FieldType):
			invalid(fmt.Sprintf("fieldType %s does not fit type %s", in.FieldType, in.Type)).write(w)
		case !group:
			invalid(fmt.Sprintf("Property group %s does not exist", in.GroupName)).write(w)
		case in.HasUniqueValue && in.Type != "string" && in.Type != "number":
			invalid("Only string and number properties can have unique values").write(w)
		case in.HasUniqueValue && unique >= maxUnique:
			(&apiError{status: http.StatusBadRequest, category: "VALIDATION_ERROR", subCategory: "Properties.UNIQUE_LIMIT",
				message: fmt.Sprintf("The limit of %d unique properties is reached", maxUnique)}).write(w)
		default:
			p := &Property{Name: in.Name, Label: in.Label, Type: in.Type, FieldType: in.FieldType, GroupName: in.GroupName,
				Description: in.Description, Options: in.Options, HasUniqueValue: in.HasUniqueValue, Hidden: in.Hidden, FormField: in.FormField}
			if p.Options == nil {
				p.Options = []Option{}
			}
			all[in.Name] = p
			answer(w, http.StatusCreated, p)
		}
	}
}

func (f *Fake) updateProperty(object string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Label, Description, GroupName string
			HasUniqueValue                *bool
			Options                       []Option
		}
		if !decode(w, r, &in) {
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		p, ok := f.data.Properties[object][r.PathValue("name")]
		switch {
		case !ok:
			noProperty(w, object, r.PathValue("name"))
		case in.HasUniqueValue != nil && *in.HasUniqueValue != p.HasUniqueValue:
			invalid("hasUniqueValue cannot be changed").write(w)
		default:
			if in.Label != "" {
				p.Label = in.Label
			}
			if in.Options != nil {
				p.Options = in.Options
			}
			answer(w, http.StatusOK, p)
		}
	}
}

func (f *Fake) listGroups(object string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		f.mu.RLock()
		defer f.mu.RUnlock()
		list := []any{}
		for _, name := range sortedKeys(f.data.Groups[object]) {
			list = append(list, map[string]any{"name": name, "label": f.data.Groups[object][name].Label, "archived": false})
		}
		answer(w, http.StatusOK, map[string]any{"results": list})
	}
}

func (f *Fake) createGroup(object string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Name, Label  string
			DisplayOrder int
		}
		if !decode(w, r, &in) {
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		switch _, exists := f.data.Groups[object][in.Name]; {
		case exists:
			(&apiError{status: http.StatusConflict, category: "OBJECT_ALREADY_EXISTS", message: fmt.Sprintf("A property group named '%s' already exists.", in.Name)}).write(w)
		case in.Name == "" || in.Label == "":
			invalid("name and label are required").write(w)
		default:
			f.data.Groups[object][in.Name] = groupEntry{in.Label, in.DisplayOrder}
			answer(w, http.StatusCreated, map[string]any{"name": in.Name, "label": in.Label, "displayOrder": in.DisplayOrder, "archived": false})
		}
	}
}
