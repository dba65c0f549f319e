package odoofake

import (
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	timeLayout = "2006-01-02 15:04:05"
	dateLayout = "2006-01-02"
)

// create makes a record with values in Odoo's own kinds.
func (f *Fake) create(c call, vals Record) (int64, error) {
	if err := f.access(c.model, "create"); err != nil {
		return 0, err
	}
	r, err := f.checked(c.model, vals)
	if err != nil {
		return 0, err
	}
	if err := f.defaults(c, r); err != nil {
		return 0, err
	}
	for name, d := range f.models[c.model] {
		if v := r[name]; d.required && (v == nil || v == false || v == "") {
			return 0, fault{"psycopg2.errors.NotNullViolation", fmt.Sprintf("Missing required value for the field '%s' (%s)", d.label, name)}
		}
	}
	return f.put(c.model, r), nil
}

// defaults fills what Odoo itself fills, and refuses what it refuses.
func (f *Fake) defaults(c call, r Record) error {
	fill := func(name string, v any) {
		if r[name] == nil {
			r[name] = v
		}
	}
	now := f.opt.Now().UTC()
	switch c.model {
	case "res.partner":
		if r["name"] == nil || r["name"] == false || r["name"] == "" {
			return fault{"odoo.exceptions.ValidationError", "The operation cannot be completed: Contacts require a name"}
		}
	case "crm.lead":
		fill("type", "lead")
		fill("stage_id", int64(1))
		fill("user_id", int64(userID))
	case "mail.message":
		fill("message_type", "email")
		fill("author_id", f.partner)
		fill("date", now.Format(timeLayout))
		fill("message_id", fmt.Sprintf("<%d.%d@odoo>", now.UnixNano(), f.state.next["mail.message"]))
		return f.place(r["model"], r["res_id"])
	case "mail.activity":
		fill("user_id", int64(userID))
		fill("date_deadline", now.Format(dateLayout))
		model, _ := f.state.rows["ir.model"][number(r["res_model_id"])]["model"].(string)
		if model == "" || number(r["res_id"]) == 0 {
			if f.opt.Version < 15 {
				return fault{"psycopg2.errors.NotNullViolation", "Missing required value for the field 'Document Model' (res_model_id)"}
			}
			return userError("Activities have to be linked to records with a not null res_id.")
		}
		r["res_model"] = model
		if err := f.place(model, r["res_id"]); err != nil {
			if f.opt.Version >= 15 {
				return accessError("The requested operation cannot be completed due to security restrictions. Please contact your system administrator.\n\n(Document type: Activity, Operation: create)\n\nRecords: 5, User: %d", userID)
			}
			return err
		}
		if number(r["user_id"]) != userID && c.context["mail_activity_quick_update"] != true {
			if f.opt.NoEmail && f.opt.Version < 15 {
				return userError("Unable to log message, please configure the sender's email address.")
			}
			f.mails++
		}
	case "calendar.event":
		fill("user_id", int64(userID))
		fill("partner_id", f.partner)
		if people, _ := r["partner_ids"].([]int64); len(people) > 0 && c.context["no_mail_to_attendees"] != true {
			f.mails += len(people)
		}
		return f.event(r, true)
	case "crm.phonecall":
		fill("direction", "out")
		fill("state", "open")
		fill("user_id", int64(userID))
	}
	return nil
}

// event computes an event's end and length, and adds to the description what Odoo 19 adds.
func (f *Fake) event(r Record, made bool) error {
	start, err := parse(r["start"])
	if err != nil {
		return err
	}
	stop, err := parse(r["stop"])
	if err != nil {
		return err
	}
	if stop.Before(start) {
		return fault{"odoo.exceptions.ValidationError", "The ending date and time cannot be earlier than the starting date and time."}
	}
	r["duration"] = math.Round(stop.Sub(start).Hours()*100) / 100
	if people, _ := r["partner_ids"].([]int64); made && f.opt.Version >= 19 && len(people) > 0 {
		text, _ := r["description"].(string)
		r["description"] = "<div>" + text + "<br><strong>Organized by</strong><br>callsync</div>"
	}
	return nil
}

func parse(v any) (time.Time, error) {
	s, _ := v.(string)
	t, err := time.Parse(timeLayout, s)
	if err != nil {
		return t, valueError("time data '%s' does not match format '%%Y-%%m-%%d %%H:%%M:%%S'", s)
	}
	return t, nil
}

// place looks for the record in whose chatter something shall be.
func (f *Fake) place(model, id any) error {
	name, _ := model.(string)
	if name == "" {
		return nil
	}
	if _, ok := f.state.rows[name][number(id)]; !ok {
		return missing(name, number(id))
	}
	return f.access(name, "read")
}

func number(v any) int64 {
	n, _ := v.(int64)
	return n
}

// write changes records.
func (f *Fake) write(c call, ids []int64, vals map[string]any) error {
	if err := f.access(c.model, "write"); err != nil {
		return err
	}
	r, err := f.checked(c.model, vals)
	if err != nil {
		return err
	}
	_, moves := r["model"]
	_, moves2 := r["res_id"]
	if c.model == "mail.message" && (moves || moves2) && f.opt.Version >= 19 && !f.opt.Admin {
		return accessError("Only administrators can modify 'model' and 'res_id' fields.")
	}
	for name := range r {
		if d := f.models[c.model][name]; d.required && (r[name] == false || r[name] == "") {
			return fault{"odoo.exceptions.ValidationError", fmt.Sprintf("The operation cannot be completed: Missing required value for the field '%s' (%s).", d.label, name)}
		}
	}
	for _, id := range ids {
		old, ok := f.state.rows[c.model][id]
		if !ok && c.model == "mail.message" {
			// Seen on both versions: it is said to be done.
			continue
		}
		if !ok {
			return missing(c.model, id)
		}
		if c.model == "crm.phonecall" {
			if state, has := r["state"]; has && state == "done" {
				// OCA's compute_duration: a length that is there becomes nothing, and none the time since the call.
				if old["duration"] == 0.0 {
					old["duration"] = 99.9
				} else {
					old["duration"] = 0.0
				}
			} else if has && state == "open" {
				r["duration"] = 0.0
			}
		}
		for name, v := range r {
			if more, ok := v.(added); ok {
				v = more.to(old[name])
			}
			old[name] = v
		}
		if c.model == "calendar.event" {
			if err := f.event(old, false); err != nil {
				return err
			}
		}
		old["write_date"] = f.opt.Now().UTC().Format(timeLayout)
		f.sanitize(c.model, old)
	}
	return nil
}

// checked are values that fit their fields; commands of relations are carried out.
func (f *Fake) checked(model string, vals map[string]any) (Record, error) {
	out := Record{}
	for name, v := range vals {
		d, ok := f.models[model][name]
		if !ok || d.virtual {
			return nil, valueError("Invalid field '%s' on model '%s'", name, model)
		}
		x, err := f.fit(model, name, d, v)
		if err != nil {
			return nil, err
		}
		out[name] = x
	}
	return out, nil
}

func (f *Fake) fit(model, name string, d field, v any) (any, error) {
	wrong := valueError("Wrong value for %s.%s: %T", model, name, v)
	if s, ok := v.(string); ok && strings.ContainsRune(s, 0) {
		return nil, valueError("A string literal cannot contain NUL (0x00) characters.")
	}
	if v == false || v == nil {
		if d.kind == "boolean" {
			return false, nil
		}
		return d.empty(), nil
	}
	switch d.kind {
	case "char", "text", "binary":
		if s, ok := v.(string); ok {
			return s, nil
		}
	case "html":
		if s, ok := v.(string); ok {
			return f.sanitizeHTML(s), nil
		}
	case "selection":
		if s, ok := v.(string); ok && slices.Contains(d.selection, s) {
			return s, nil
		}
		return nil, valueError("Wrong value for %s.%s: '%v'", model, name, v)
	case "datetime":
		t, err := parse(v)
		return t.Format(timeLayout), err
	case "date":
		s, _ := v.(string)
		if _, err := time.Parse(dateLayout, s); err != nil {
			return nil, valueError("time data '%s' does not match format '%%Y-%%m-%%d'", s)
		}
		return s, nil
	case "boolean":
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case "float":
		switch v := v.(type) {
		case float64:
			return v, nil
		case int64:
			return float64(v), nil
		}
	case "integer", "many2one_reference":
		if n, ok := v.(int64); ok {
			return n, nil
		}
	case "many2one":
		n, ok := v.(int64)
		if !ok {
			return nil, wrong
		}
		if _, there := f.state.rows[d.relation][n]; !there {
			return nil, fault{"odoo.exceptions.ValidationError", "The operation cannot be completed: Another model is using the record you are trying to delete."}
		}
		return n, nil
	case "many2many":
		if ids, ok := v.([]int64); ok {
			return ids, nil
		}
		return f.commands(d, v)
	}
	return nil, wrong
}

// commands are (6, 0, ids) and (4, id).
func (f *Fake) commands(d field, v any) (any, error) {
	list, _ := v.([]any)
	if len(list) != 1 {
		return nil, valueError("Wrong value for a many2many")
	}
	command, _ := list[0].([]any)
	var ids []int64
	switch {
	case len(command) == 3 && command[0] == int64(6):
		raw, _ := command[2].([]any)
		ids = idsOf(raw)
	case len(command) == 2 && command[0] == int64(4):
		ids = idsOf(command[1:])
	default:
		return nil, valueError("Wrong value for a many2many")
	}
	for _, id := range ids {
		if _, ok := f.state.rows[d.relation][id]; !ok {
			return nil, missing(d.relation, id)
		}
	}
	if command[0] == int64(4) {
		return added(ids), nil
	}
	return ids, nil
}

// added are ids to add to those of a many2many.
type added []int64

func (a added) to(was any) []int64 {
	ids, _ := was.([]int64)
	ids = slices.Clone(ids)
	for _, id := range a {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// sanitize computes what Odoo computes of a record.
func (f *Fake) sanitize(model string, r Record) {
	if _, ok := f.models[model]["phone_sanitized"]; ok {
		r["phone_sanitized"] = false
		for _, name := range []string{"mobile", "phone"} {
			// Without a country only numbers with their country code can be read.
			if s, _ := r[name].(string); strings.HasPrefix(s, "+") {
				r["phone_sanitized"] = "+" + digits(s)
				break
			}
		}
	}
	if model == "ir.attachment" {
		data, _ := r["datas"].(string)
		content, _ := base64.StdEncoding.DecodeString(data)
		r["file_size"] = int64(len(content))
	}
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

var (
	script  = regexp.MustCompile(`(?is)<script.*?</script>`)
	tags    = regexp.MustCompile(`(?s)<[a-zA-Z/!][^>]*>`)
	block   = regexp.MustCompile(`(?i)^\s*<(p|div|ul|ol|table|h[1-6]|blockquote|pre)[\s>/]`)
	control = regexp.MustCompile(`[\x00-\x08\x0b\x0c\x0e-\x1f]`)
)

// sanitizeHTML does what Odoo's sanitizer was seen to do with the HTML that callsync sends: it takes out scripts and control
// characters, writes quotes in text as themselves, and puts an element around text that has none.
func (f *Fake) sanitizeHTML(s string) string {
	s = control.ReplaceAllString(script.ReplaceAllString(s, ""), "")
	if strings.TrimSpace(s) == "" {
		return ""
	}
	var b strings.Builder
	at := 0
	text := func(t string) string {
		t = strings.NewReplacer("&#34;", `"`, "&quot;", `"`, "&#39;", "'").Replace(t)
		if f.opt.Version < 15 {
			t = strings.ReplaceAll(t, "&nbsp;", "\u00a0")
		}
		return t
	}
	for _, m := range tags.FindAllStringIndex(s, -1) {
		b.WriteString(text(s[at:m[0]]))
		b.WriteString(s[m[0]:m[1]])
		at = m[1]
	}
	b.WriteString(text(s[at:]))
	s = b.String()
	switch {
	case block.MatchString(s):
		return s
	case strings.HasPrefix(s, "<"):
		return "<span>" + s + "</span>"
	}
	return "<p>" + s + "</p>"
}

// parseID reads a database id of an import.
func parseID(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
