package pipedrivefake

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is what a value must be, as Pipedrive's API description says it. "enum:a|b" is one of these texts; "[]kind" a list.
type kind string

const (
	integer  kind = "integer"
	numeric  kind = "number"
	str      kind = "string"
	boolean  kind = "boolean"
	date     kind = "date"
	datetime kind = "datetime"
	uuid     kind = "uuid"
	custom   kind = "custom_fields"
	money    kind = "value"
	part     kind = "participant"
	label    kind = "labelled value"
)

// shape is what an endpoint takes: nothing that is not named here.
type shape struct {
	cost     int
	query    map[string]kind
	body     map[string]kind
	required []string
	// file marks multipart/form-data with a file.
	file bool
	// search marks the searches, which have a limit of their own.
	search bool
}

var (
	outcomeKind = kind("enum:connected|no_answer|left_message|left_voicemail|wrong_number|busy")
	sortKind    = kind("enum:asc|desc")
	activityIn  = map[string]kind{"subject": str, "type": str, "owner_id": integer, "deal_id": integer, "lead_id": str, "person_id": integer,
		"org_id": integer, "project_id": integer, "due_date": str, "due_time": str, "duration": str, "busy": boolean, "done": boolean,
		"participants": "[]" + part, "public_description": str, "priority": integer, "note": str}
	personIn = map[string]kind{"name": str, "owner_id": integer, "org_id": integer, "add_time": str, "emails": "[]" + label, "phones": "[]" + label,
		"visible_to": integer, "label_ids": "[]" + integer, "custom_fields": custom}
	dealIn = map[string]kind{"title": str, "owner_id": integer, "person_id": integer, "org_id": integer, "pipeline_id": integer, "stage_id": integer,
		"value": numeric, "currency": str, "status": str, "probability": numeric, "lost_reason": str, "visible_to": integer,
		"expected_close_date": date, "label_ids": "[]" + integer, "custom_fields": custom}
	noteIn = map[string]kind{"content": str, "lead_id": uuid, "deal_id": integer, "person_id": integer, "org_id": integer, "user_id": integer, "add_time": str}
	leadIn = map[string]kind{"title": str, "owner_id": integer, "label_ids": "[]" + uuid, "person_id": integer, "organization_id": integer, "value": money,
		"expected_close_date": date, "visible_to": "enum:1|3|5|7", "was_seen": boolean, "origin_id": str, "channel": integer, "channel_id": str}
	cursorQ = map[string]kind{"limit": integer, "cursor": str}
	startQ  = map[string]kind{"start": integer, "limit": integer}
)

func with(base map[string]kind, more map[string]kind) map[string]kind {
	out := maps.Clone(base)
	maps.Copy(out, more)
	return out
}

// shapes are the endpoints that the fake has, by method and path pattern without the version's prefix.
var shapes = map[string]shape{
	"1 GET /users/me":         {cost: 2},
	"1 GET /users":            {cost: 20},
	"1 GET /activityTypes":    {cost: 20},
	"1 GET /leadFields":       {cost: 20, query: startQ},
	"1 GET /callLogs":         {cost: 20, query: startQ},
	"1 GET /callLogs/{id}":    {cost: 2},
	"1 DELETE /callLogs/{id}": {cost: 6},
	"1 POST /callLogs": {cost: 10, required: []string{"to_phone_number", "outcome", "start_time", "end_time"}, body: map[string]kind{
		"user_id": integer, "activity_id": integer, "subject": str, "duration": str, "outcome": outcomeKind, "from_phone_number": str,
		"to_phone_number": str, "start_time": datetime, "end_time": datetime, "person_id": integer, "org_id": integer, "deal_id": integer,
		"lead_id": uuid, "note": str}},
	"1 POST /callLogs/{id}/recordings": {cost: 10, file: true},
	"1 GET /files":                     {cost: 20, query: with(startQ, map[string]kind{"sort": str})},
	"1 POST /files": {cost: 10, file: true, body: map[string]kind{"deal_id": integer, "person_id": integer, "org_id": integer, "product_id": integer,
		"activity_id": integer, "lead_id": uuid, "project_id": integer}},
	"1 GET /notes": {cost: 20, query: with(startQ, map[string]kind{"user_id": integer, "lead_id": uuid, "deal_id": integer, "person_id": integer,
		"org_id": integer, "sort": str, "start_date": date, "end_date": date, "updated_since": datetime})},
	"1 POST /notes":        {cost: 10, body: noteIn, required: []string{"content"}},
	"1 GET /notes/{id}":    {cost: 2},
	"1 PUT /notes/{id}":    {cost: 10, body: noteIn},
	"1 DELETE /notes/{id}": {cost: 6},
	"1 GET /leads": {cost: 20, query: with(startQ, map[string]kind{"owner_id": integer, "person_id": integer, "organization_id": integer,
		"filter_id": integer, "updated_since": str, "sort": "enum:id|title|owner_id|creator_id|was_seen|expected_close_date|next_activity_id|add_time|update_time"})},
	"1 POST /leads":     {cost: 10, body: leadIn, required: []string{"title"}},
	"1 GET /leads/{id}": {cost: 2},

	"2 GET /activities": {cost: 10, query: with(cursorQ, map[string]kind{"filter_id": integer, "ids": str, "owner_id": integer, "deal_id": integer,
		"lead_id": str, "person_id": integer, "org_id": integer, "done": boolean, "updated_since": str, "updated_until": str,
		"sort_by": "enum:id|update_time|add_time|due_date", "sort_direction": sortKind, "include_fields": "enum:attendees"})},
	"2 POST /activities":        {cost: 5, body: activityIn},
	"2 GET /activities/{id}":    {cost: 1, query: map[string]kind{"include_fields": "enum:attendees"}},
	"2 PATCH /activities/{id}":  {cost: 5, body: activityIn},
	"2 DELETE /activities/{id}": {cost: 3},
	"2 GET /persons": {cost: 10, query: with(cursorQ, map[string]kind{"filter_id": integer, "ids": str, "owner_id": integer, "org_id": integer,
		"deal_id": integer, "updated_since": str, "updated_until": str, "sort_by": "enum:id|update_time|add_time", "sort_direction": sortKind,
		"custom_fields": str, "include_option_labels": boolean, "include_labels": boolean})},
	"2 POST /persons":        {cost: 5, body: personIn},
	"2 GET /persons/{id}":    {cost: 1, query: map[string]kind{"custom_fields": str, "include_option_labels": boolean, "include_labels": boolean}},
	"2 DELETE /persons/{id}": {cost: 3},
	"2 GET /persons/search": {cost: 20, search: true, required: []string{"term"}, query: with(cursorQ, map[string]kind{"term": str,
		"fields": "enum:custom_fields|email|notes|phone|name", "exact_match": boolean, "organization_id": integer, "include_fields": "enum:person.picture"})},
	"2 GET /organizations/{id}": {cost: 1},
	"2 GET /organizations/search": {cost: 20, search: true, required: []string{"term"}, query: with(cursorQ, map[string]kind{"term": str,
		"fields": "enum:address|custom_fields|notes|name", "exact_match": boolean})},
	"2 GET /deals": {cost: 10, query: with(cursorQ, map[string]kind{"filter_id": integer, "ids": str, "owner_id": integer, "person_id": integer,
		"org_id": integer, "pipeline_id": integer, "stage_id": integer, "status": "enum:open|won|lost|deleted", "updated_since": str,
		"updated_until": str, "sort_by": "enum:id|update_time|add_time", "sort_direction": sortKind, "custom_fields": str})},
	"2 GET /deals/{id}":         {cost: 1},
	"2 PATCH /deals/{id}":       {cost: 5, body: dealIn},
	"2 GET /personFields":       {cost: 10, query: cursorQ},
	"2 GET /organizationFields": {cost: 10, query: cursorQ},
	"2 GET /dealFields":         {cost: 10, query: cursorQ},
	"2 POST /personFields": {cost: 5, required: []string{"field_name", "field_type"}, body: map[string]kind{"field_name": str,
		"field_type": "enum:varchar|text|double|phone|date|daterange|time|timerange|set|enum|varchar_auto|address|monetary|org|people|user"}},
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// checkQuery refuses parameters that are not described, twice there or of another kind.
func (s shape) checkQuery(q url.Values) string {
	for name, values := range q {
		k, ok := s.query[name]
		if !ok || len(values) != 1 {
			return fmt.Sprintf("%q is not allowed", name)
		}
		if !k.text(values[0]) {
			return fmt.Sprintf("%q must be %s", name, k)
		}
	}
	if s.search {
		if len([]rune(q.Get("term"))) < 2 {
			return `"term" must have at least 2 characters`
		}
	}
	return ""
}

// checkBody refuses a body that the description does not allow, and returns it.
func (s shape) checkBody(r *http.Request, raw []byte) (map[string]any, string) {
	if s.body == nil {
		return nil, ""
	}
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/json" {
		return nil, "the body must be application/json"
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var body map[string]any
	if err := d.Decode(&body); err != nil || body == nil || d.More() {
		return nil, "the body must be a JSON object"
	}
	for _, name := range s.required {
		if body[name] == nil {
			return nil, fmt.Sprintf("%q is required.", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		k, ok := s.body[name]
		if !ok {
			return nil, fmt.Sprintf("%q is not allowed", name)
		}
		if !k.json(body[name]) {
			return nil, fmt.Sprintf("%q must be %s", name, k)
		}
	}
	return body, ""
}

// text tells whether a query parameter is of the kind.
func (k kind) text(s string) bool {
	switch k {
	case integer:
		_, err := strconv.ParseInt(s, 10, 64)
		return err == nil
	case boolean:
		return s == "true" || s == "false"
	}
	return k.json(s)
}

func (k kind) json(v any) bool {
	if item, ok := strings.CutPrefix(string(k), "[]"); ok {
		list, isList := v.([]any)
		return isList && !slices.ContainsFunc(list, func(x any) bool { return !kind(item).json(x) })
	}
	s, isText := v.(string)
	if list, ok := strings.CutPrefix(string(k), "enum:"); ok {
		return isText && slices.Contains(strings.Split(list, "|"), s)
	}
	m, isMap := v.(map[string]any)
	switch k {
	case str:
		return isText
	case uuid:
		return isText && uuidForm.MatchString(s)
	case date:
		_, err := time.Parse(time.DateOnly, s)
		return isText && err == nil
	case datetime:
		_, err := time.Parse(time.RFC3339, s)
		return isText && err == nil
	case integer:
		n, ok := v.(json.Number)
		f, err := n.Float64()
		return ok && err == nil && f == math.Trunc(f) && !strings.ContainsAny(n.String(), ".eE")
	case numeric:
		_, ok := v.(json.Number)
		return ok
	case boolean:
		_, ok := v.(bool)
		return ok
	case custom:
		return isMap
	case money:
		return isMap && members(m, map[string]kind{"amount": numeric, "currency": str}, 2)
	case part:
		return isMap && members(m, map[string]kind{"person_id": integer, "primary": boolean}, 1)
	case label:
		return isMap && members(m, map[string]kind{"value": str, "primary": boolean, "label": str}, 1)
	}
	return false
}

func members(m map[string]any, kinds map[string]kind, least int) bool {
	for name, v := range m {
		if k, ok := kinds[name]; !ok || !k.json(v) {
			return false
		}
	}
	return len(m) >= least
}
