package pipedrive

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// outcomes are all that a call log takes, with the words that dispositions are compared with.
var outcomes = []connectors.DispositionOption{
	{ID: "connected", Label: "Connected"},
	{ID: "no_answer", Label: "No answer"},
	{ID: "left_message", Label: "Left message"},
	{ID: "left_voicemail", Label: "Left voicemail"},
	{ID: "wrong_number", Label: "Wrong number"},
	{ID: "busy", Label: "Busy"},
}

// plan is a write of a call in Pipedrive's terms: the body of a call log and that of an activity.
type plan struct {
	log, act map[string]any
	// person is the primary participant; zero for none.
	person int64
	// lacks is a field without which there can be no call log; empty where it has all.
	lacks string
	// logOnly are the mapped fields that only a call log has a place for.
	logOnly []string
	linked  []connectors.Ref
	warnings
}

// planCall translates the mapped fields. Nothing was sent yet when it fails.
func planCall(w connectors.CallWrite) (*plan, error) {
	p := &plan{log: map[string]any{}, act: map[string]any{}}
	for _, name := range slices.Sorted(maps.Keys(w.Fields)) {
		if err := p.set(name, w.Fields[name], cleanKey(w.Key)); err != nil {
			return nil, err
		}
	}
	for _, ref := range w.Links {
		if err := p.link(ref); err != nil {
			return nil, err
		}
	}
	if p.log["deal_id"] != nil && p.log["lead_id"] != nil {
		delete(p.log, "lead_id")
		delete(p.act, "lead_id")
		p.linked = slices.DeleteFunc(p.linked, func(r connectors.Ref) bool { return r.Object == connectors.ObjectLead })
		p.add("lead_id", "A call belongs to a deal or to a lead in Pipedrive, not to both. It was tied to the deal.")
	}
	return p, p.times(w.Fields)
}

// set translates one field. Fields of activities alone are left out of call logs, and the other way round.
func (p *plan) set(name string, v any, key string) error {
	switch name {
	case "start_time", "end_time", "duration":
		return nil // times reads them
	case "subject":
		return p.text(name, v, func(s string) string { return p.cut(name, strings.Join(strings.Fields(s), " "), maxSubject) }, "subject", "subject")
	case "note":
		s, err := asText(name, v)
		if err != nil {
			return err
		}
		s = marked(p.cut(name, s, maxNote), key)
		p.log[name], p.act[name] = s, s
		return nil
	case "outcome":
		s, err := asText(name, v)
		if err != nil {
			return err
		}
		if s == "" {
			return nil
		}
		p.logOnly = append(p.logOnly, name)
		if !slices.ContainsFunc(outcomes, func(o connectors.DispositionOption) bool { return o.ID == s }) {
			return invalid(name, "Pipedrive's call logs know the outcomes connected, no_answer, left_message, left_voicemail, wrong_number and busy only. Correct the mapping, then retry.")
		}
		p.log[name] = s
		return nil
	case "from_phone_number", "to_phone_number":
		s, err := asText(name, v)
		if s = strings.TrimSpace(s); err != nil || s == "" {
			return err
		}
		p.logOnly = append(p.logOnly, name)
		p.log[name] = s
		return nil
	case "user_id":
		return p.id(name, v, "user_id", "owner_id")
	case "org_id", "deal_id":
		return p.id(name, v, name, name)
	case "person_id":
		if err := p.id(name, v, name, ""); err != nil {
			return err
		}
		if n, ok := p.log[name].(int64); ok {
			p.person = n
		}
		return nil
	case "lead_id":
		return p.text(name, v, strings.TrimSpace, name, name)
	case "priority", "project_id":
		return p.id(name, v, "", name)
	case "public_description":
		s, err := asText(name, v)
		if err != nil {
			return err
		}
		p.act[name] = p.cut(name, s, maxNote)
		return nil
	case "type":
		return p.text(name, v, strings.TrimSpace, "", name)
	case "busy":
		b, ok, err := asBool(name, v)
		if ok {
			p.act[name] = b
		}
		return err
	}
	return invalid(name, "Pipedrive's calls have no field “"+name+"”. Take it out of the mapping, then retry.")
}

// text puts a text that is not empty where it belongs; what is empty is left as it is, for Pipedrive takes no null there.
func (p *plan) text(name string, v any, tidy func(string) string, log, act string) error {
	s, err := asText(name, v)
	if s = tidy(s); err != nil || s == "" {
		return err
	}
	if log != "" {
		p.log[log] = s
	}
	if act != "" {
		p.act[act] = s
	}
	return nil
}

func (p *plan) id(name string, v any, log, act string) error {
	n, ok, err := asNumber(name, v)
	if err != nil || !ok {
		return err
	}
	if log != "" {
		p.log[log] = n
	}
	if act != "" {
		p.act[act] = n
	}
	return nil
}

// link ties the call to a record.
func (p *plan) link(ref connectors.Ref) error {
	if ref.Object == connectors.ObjectLead {
		p.log["lead_id"], p.act["lead_id"] = ref.ID, ref.ID
		p.linked = append(p.linked, ref)
		return nil
	}
	n, ok := number(ref.ID)
	if !ok {
		return &connectors.Error{Class: connectors.Invalid, NotSent: true, Public: "The record to which the call belongs has an id that Pipedrive does not have."}
	}
	switch ref.Object {
	case connectors.ObjectContact:
		p.log["person_id"], p.person = n, n
	case connectors.ObjectCompany:
		p.log["org_id"], p.act["org_id"] = n, n
	case connectors.ObjectDeal:
		p.log["deal_id"], p.act["deal_id"] = n, n
	default:
		return nil
	}
	p.linked = append(p.linked, ref)
	return nil
}

// times sets start, end and length in the forms of both records, and tells what a call log lacks. A length is in whole
// seconds and is no difference of wall clocks; an end that is not mapped follows from it.
func (p *plan) times(fields map[string]any) error {
	start, started, err := asTime("start_time", fields["start_time"])
	if err != nil {
		return err
	}
	end, ended, err := asTime("end_time", fields["end_time"])
	if err != nil {
		return err
	}
	length64, lasted, err := asFloat("duration", fields["duration"])
	if err != nil {
		return err
	}
	whole := int64(min(max(length64, 0), 1<<31))
	if lasted {
		p.log["duration"], p.act["duration"] = strconv.FormatInt(whole, 10), length(whole)
		p.logOnly = append(p.logOnly, "duration")
	}
	if started {
		p.act["due_date"], p.act["due_time"] = start.Format(dateForm), start.Format(timeForm)
		p.log["start_time"] = start.Format(momentForm)
		if !ended || end.Before(start) {
			end, ended = start.Add(time.Duration(whole)*time.Second), true
		}
		p.logOnly = append(p.logOnly, "start_time")
	}
	if ended {
		p.log["end_time"] = end.Format(momentForm)
	}
	for _, name := range []string{"to_phone_number", "outcome", "start_time", "end_time"} {
		if p.log[name] == nil {
			p.lacks = name
			break
		}
	}
	return nil
}

// activity is the body of a new activity: a call that has taken place.
func (p *plan) activity(key string) map[string]any {
	body := maps.Clone(p.act)
	if body["note"] == nil {
		body["note"] = marked("", cleanKey(key))
	}
	if body["subject"] == nil {
		body["subject"] = "Call"
	}
	if body["type"] == nil {
		body["type"] = "call"
	}
	body["done"] = true
	if p.person != 0 {
		body["participants"] = []participant{{p.person, true}}
	}
	return body
}

// callLog is the body of a new call log; activity is zero where it shall have one of its own.
func (p *plan) callLog(key string, activity int64) map[string]any {
	body := maps.Clone(p.log)
	if body["note"] == nil {
		body["note"] = marked("", cleanKey(key))
	}
	if activity != 0 {
		body["activity_id"] = activity
	}
	return body
}
