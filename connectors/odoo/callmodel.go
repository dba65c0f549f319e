package odoo

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// The fields of a call as mappings write them, whatever model a connection's calls are. Fields of the model itself may be
// written by their own names beside them.
const (
	fieldSubject   = "subject"
	fieldBody      = "body"
	fieldDate      = "date"
	fieldDuration  = "duration_seconds"
	fieldDirection = "direction"
	fieldStatus    = "status"
	fieldPhone     = "phone"
	fieldUser      = "user_id"
)

var commonCall = map[string]bool{fieldSubject: true, fieldBody: true, fieldDate: true, fieldDuration: true, fieldDirection: true,
	fieldStatus: true, fieldPhone: true, fieldUser: true}

// callModel is how calls are written as one of Odoo's models.
type callModel struct {
	model string
	// fields are the model's names of the common fields; those without are left out, for the text says them.
	fields map[string]string
	// stop is the field with the end, where a length is kept as one; minutes tells that the length is a number of minutes.
	stop    string
	minutes bool
	// partner and lead are the fields by which a call belongs to a contact and a lead; a call has one of each, or several.
	partner, lead string
	// options are the model's own values of the common fields' ones.
	options map[string]map[string]string
	// context is added to writes.
	context map[string]any
}

var callModels = map[string]callModel{
	ModelNote: {model: ModelNote, fields: map[string]string{fieldSubject: "subject", fieldBody: "body", fieldDate: "date", fieldUser: "author_id"}},
	// OCA crm_phonecall. A write of state computes the duration anew or sets it to nothing, so both are always written.
	ModelPhonecall: {model: ModelPhonecall, minutes: true, partner: "partner_id", lead: "opportunity_id",
		fields: map[string]string{fieldSubject: "name", fieldBody: "description", fieldDate: "date", fieldDuration: "duration", fieldDirection: "direction",
			fieldStatus: "state", fieldPhone: "partner_phone", fieldUser: "user_id"},
		options: map[string]map[string]string{
			fieldDirection: {"inbound": "in", "outbound": "out"},
			fieldStatus:    {"held": "done", "not_held": "cancel", "planned": "open"},
		}},
	// Without these in the context, attendees would be mailed.
	ModelEvent: {model: ModelEvent, stop: "stop", partner: "partner_ids", lead: "opportunity_id",
		fields:  map[string]string{fieldSubject: "name", fieldBody: "description", fieldDate: "start", fieldUser: "user_id"},
		context: map[string]any{"no_mail_to_attendees": true, "dont_notify": true}},
	// Odoo Enterprise's VoIP; its fields are unconfirmed, so the fields that an Odoo lacks are left out.
	ModelVoip: {model: ModelVoip, stop: "end_date", partner: "partner_id",
		fields: map[string]string{fieldSubject: "activity_name", fieldBody: "description", fieldDate: "start_date", fieldDirection: "direction",
			fieldStatus: "state", fieldPhone: "phone_number", fieldUser: "user_id"},
		options: map[string]map[string]string{
			fieldDirection: {"inbound": "incoming", "outbound": "outgoing"},
			fieldStatus:    {"held": "terminated", "not_held": "missed", "planned": "calling"},
		}},
}

// calls is the model of the connection's calls. With auto it is the first that this Odoo has of phone calls, VoIP's calls if
// they can hold a text, and notes.
func (s *session) calls(ctx context.Context) (callModel, map[string]fieldDef, error) {
	order := []string{s.callModel}
	if s.callModel == ModelAuto {
		order = []string{ModelPhonecall, ModelVoip, ModelNote}
	}
	for _, name := range order {
		if name == ModelNote {
			// Every Odoo has them, so nobody is asked.
			return callModels[name], noteDefs, nil
		}
		defs, ok, err := s.fields(ctx, name)
		if err != nil {
			return callModel{}, nil, err
		}
		m := callModels[name]
		if ok && s.callModel == ModelAuto && name == ModelVoip && defs[m.fields[fieldBody]].Type == "" {
			continue
		}
		if ok {
			return m.within(defs), defs, nil
		}
	}
	return callModel{}, nil, lacks(order[len(order)-1])
}

// noteDefs are the fields of notes that callsync itself writes, the same in every Odoo.
var noteDefs = map[string]fieldDef{
	"subject": {Type: "char", Store: true}, "body": {Type: "html", Store: true}, "date": {Type: "datetime", Store: true}, "author_id": {Type: "many2one", Store: true},
	"mail_activity_type_id": {Type: "many2one", Store: true},
}

// within leaves out what this Odoo's model has not.
func (m callModel) within(defs map[string]fieldDef) callModel {
	have := map[string]string{}
	for common, name := range m.fields {
		if defs[name].Type != "" {
			have[common] = name
		}
	}
	m.fields = have
	return m
}

// lengthOf is a duration among a mapping's fields.
func lengthOf(v any) (time.Duration, bool) {
	var seconds float64
	switch v := v.(type) {
	case int64:
		seconds = float64(v)
	case int:
		seconds = float64(v)
	case float64:
		seconds = v
	case string:
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return 0, false
		}
		seconds = n
	default:
		return 0, false
	}
	if math.IsNaN(seconds) {
		return 0, false
	}
	return time.Duration(min(max(seconds, 0), 1e7)) * time.Second, true
}

// translate gives a mapping's fields the names and values of the model.
func (m callModel) translate(fields map[string]any, defs map[string]fieldDef) map[string]any {
	out := map[string]any{}
	for name, v := range fields {
		own := m.fields[name]
		switch {
		case name == fieldDuration && own == "" && m.stop != "":
			if start, ok := fields[fieldDate].(time.Time); ok && defs[m.stop].Type != "" {
				d, _ := lengthOf(v)
				out[m.stop] = start.Add(d)
			}
		case name == fieldDuration && own != "" && m.minutes:
			if d, ok := lengthOf(v); ok {
				out[own] = d.Minutes()
			} else {
				out[own] = v
			}
		case own != "":
			if text, ok := v.(string); ok {
				if option := m.options[name][text]; option != "" {
					v = option
				}
				if name == fieldBody && defs[own].Type == "text" {
					v = htmlToText(text)
				}
			}
			out[own] = v
		case commonCall[name] && defs[name].Type == "":
			// There is no place for it; the text says it.
		default:
			out[name] = v
		}
	}
	return out
}

// reads are the model's fields from which a common field, or one of the model's own, is read.
func (m callModel) reads(name string) []string {
	own := m.fields[name]
	switch {
	case name == fieldDuration && own == "" && m.stop != "":
		return []string{m.fields[fieldDate], m.stop}
	case own != "":
		return []string{own}
	case commonCall[name]:
		return nil
	}
	return []string{name}
}

// back gives a common field's value from a record that was read.
func (m callModel) back(name string, r row, defs map[string]fieldDef) any {
	own := m.fields[name]
	switch {
	case name == fieldDuration && own == "" && m.stop != "":
		start, stop := r.moment(m.fields[fieldDate]), r.moment(m.stop)
		if start.IsZero() || stop.IsZero() {
			return nil
		}
		return int64(stop.Sub(start) / time.Second)
	case name == fieldDuration && own != "" && m.minutes:
		minutes, _ := r[own].(float64)
		return int64(math.Round(minutes * 60))
	case own == "" && commonCall[name] && defs[name].Type == "":
		return nil
	case own == "":
		own = name
	}
	v := decode(r[own], defs[own])
	if text, ok := v.(string); ok {
		for common, option := range m.options[name] {
			if option == text {
				return common
			}
		}
		if name == fieldBody && defs[own].Type == "text" {
			return textToHTML(text)
		}
	}
	return v
}

// userID is a mapping's owner.
func userID(v any) int64 {
	switch v := v.(type) {
	case string:
		id, err := strconv.ParseInt(strings.TrimSpace(v), 10, 32)
		if err == nil && id > 0 {
			return id
		}
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return 0
}

// tie says in values to whom a call of this model belongs, and returns the links that it made.
func (m callModel) tie(v values, defs map[string]fieldDef, links []connectors.Ref) []connectors.Ref {
	var done []connectors.Ref
	for _, l := range links {
		p, ok := placeOf(l)
		if !ok || modelIDs[p.model] == "" {
			continue
		}
		name := m.partner
		if p.model == "crm.lead" {
			name = m.lead
		}
		switch defs[name].Type {
		case "many2many":
			people, _ := v[name].([]int64)
			v[name] = append(people, p.id)
		case "many2one":
			if _, set := v[name]; set {
				continue
			}
			v[name] = dbID(p.id)
		default:
			continue
		}
		done = append(done, l)
	}
	return done
}
