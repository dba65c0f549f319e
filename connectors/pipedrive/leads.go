package pipedrive

import (
	"context"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/callsync/callsync/connectors"
)

// leadPerson is put before the key of a person that callsync makes for a lead, so that it is not taken for the lead itself.
const leadPerson = "lead:"

// maxLeadPersons is how many persons with a number are asked for their leads: each question costs 20 tokens.
const maxLeadPersons = 5

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

type lead struct {
	ID         string `json:"id"`
	Title      string `json:"title"`
	OwnerID    int64  `json:"owner_id"`
	PersonID   int64  `json:"person_id"`
	OriginID   string `json:"origin_id"`
	Archived   bool   `json:"is_archived"`
	UpdateTime string `json:"update_time"`
}

func (l lead) contact(numbers []string) connectors.Contact {
	return connectors.Contact{Ref: connectors.Ref{Object: connectors.ObjectLead, ID: l.ID}, Name: l.Title, OwnerID: idText(l.OwnerID),
		Numbers: numbers, ModifiedAt: moment(l.UpdateTime)}
}

// leadsOf lists the open leads of persons: a lead has no number of its own.
func (s *session) leadsOf(ctx context.Context, persons []connectors.Contact) ([]connectors.Contact, error) {
	var out []connectors.Contact
	for _, p := range persons[:min(len(persons), maxLeadPersons)] {
		err := s.leads(ctx, url.Values{"person_id": {p.ID}}, func(l lead) bool {
			if !l.Archived {
				out = append(out, l.contact(p.Numbers))
			}
			return false
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// leads lists leads until done says that it has seen what it looks for.
func (s *session) leads(ctx context.Context, q url.Values, done func(lead) bool) error {
	q.Set("limit", "100")
	q.Set("start", "0")
	for range lookPages {
		var list []lead
		next, err := s.ask(ctx, request{endpoint: listLeads, name: "list of leads", query: q}, &list)
		if err != nil {
			return err
		}
		for _, l := range list {
			if done(l) {
				return nil
			}
		}
		if len(list) == 0 || !next.Pagination.More {
			return nil
		}
		start, _ := strconv.ParseInt(q.Get("start"), 10, 64)
		q.Set("start", strconv.FormatInt(max(next.Pagination.Next, start+1), 10))
	}
	return tooMany("leads")
}

// findLead looks for a lead by our key, which is its origin_id.
func (s *session) findLead(ctx context.Context, key string) (connectors.Contact, bool, error) {
	var found connectors.Contact
	q := url.Values{"updated_since": {s.now().Add(-lookBack).UTC().Format(sinceForm)}}
	err := s.leads(ctx, q, func(l lead) bool {
		if l.OriginID == key {
			found = l.contact(nil)
		}
		return l.OriginID == key
	})
	return found, err == nil && found.ID != "", err
}

// createLead makes a lead, and before it the person that it needs: one whom an earlier attempt has made, or who has the
// number, is taken.
func (s *session) createLead(ctx context.Context, w connectors.ContactWrite) (connectors.Written, error) {
	ofLead, ofPerson := map[string]any{}, map[string]any{}
	for name, v := range w.Fields {
		switch name {
		case "name", "phone", "email":
			ofPerson[name] = v
		default:
			ofLead[name] = v
		}
	}
	body, warn, err := s.leadBody(ctx, ofLead, ofPerson)
	if err != nil {
		return connectors.Written{}, err
	}
	if body["person_id"] == nil && body["organization_id"] == nil {
		if owner := ofLead["owner_id"]; owner != nil {
			ofPerson["owner_id"] = owner
		}
		id, more, err := s.personFor(ctx, leadPerson+w.Key, ofPerson)
		if err != nil {
			return connectors.Written{}, err
		}
		body["person_id"] = id
		warn = append(warn, more...)
	}
	body["origin_id"] = w.Key
	q := request{endpoint: createLead, name: "create of a lead", body: body}
	var l lead
	if err := s.do(ctx, q, &l); err != nil {
		return connectors.Written{}, err
	}
	if !uuidForm.MatchString(l.ID) {
		return connectors.Written{}, connectors.Unreadable(Label, "pipedrive "+q.name, q.reads())
	}
	out := connectors.Written{RemoteID: l.ID, Created: true, Warnings: warn}
	if s.web != "" {
		out.URL = s.web + "/leads/inbox/" + l.ID
	}
	return out, nil
}

func (s *session) leadBody(ctx context.Context, fields, ofPerson map[string]any) (map[string]any, warnings, error) {
	body := map[string]any{}
	var warn warnings
	for name, v := range fields {
		switch name {
		case "title":
			t, err := asText(name, v)
			if err != nil {
				return nil, nil, err
			}
			if t = strings.TrimSpace(t); t != "" {
				body[name] = warn.cut(name, t, maxSubject)
			}
		case "owner_id", "person_id", "organization_id", "channel":
			n, ok, err := asNumber(name, v)
			if err != nil {
				return nil, nil, err
			}
			if ok {
				body[name] = n
			}
		case "channel_id", "expected_close_date", "visible_to":
			t, err := asText(name, v)
			if err != nil {
				return nil, nil, err
			}
			if t != "" {
				body[name] = t
			}
		case "label_ids":
			var labels []string
			switch v := v.(type) {
			case nil:
			case string:
				labels = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
			case []string:
				labels = v
			default:
				return nil, nil, unfit(name)
			}
			for _, l := range labels {
				if !uuidForm.MatchString(l) {
					return nil, nil, unfit(name)
				}
			}
			if len(labels) > 0 {
				body[name] = labels
			}
		default:
			// Custom fields are not among the documented properties of the endpoint that makes leads.
			return nil, nil, invalid(name, "callsync cannot fill the field “"+name+"” of a new lead in Pipedrive. Take it out of the mapping, then retry.")
		}
	}
	if body["title"] == nil {
		who, _ := asText("name", ofPerson["name"])
		if who == "" {
			who, _ = asText("phone", ofPerson["phone"])
		}
		body["title"] = strings.TrimSpace(who + " lead")
	}
	return body, warn, nil
}

// personFor finds the person of a lead, or makes it.
func (s *session) personFor(ctx context.Context, key string, fields map[string]any) (int64, warnings, error) {
	p, ok, err := s.findPerson(ctx, key)
	if err != nil {
		return 0, nil, err
	}
	if ok {
		return p.ID, nil, nil
	}
	stored, _ := asText("phone", fields["phone"])
	if n, err := phonenumbers.Parse(stored, ""); err == nil {
		q := connectors.PhoneQuery{E164: phonenumbers.Format(n, phonenumbers.E164), National: phonenumbers.GetNationalSignificantNumber(n)}
		found, err := s.findPersons(ctx, terms(q), q.National)
		if err != nil {
			return 0, nil, err
		}
		for _, c := range found {
			for _, have := range c.Numbers {
				m, err := phonenumbers.Parse(have, phonenumbers.GetRegionCodeForNumber(n))
				if id, ok := number(c.ID); err == nil && ok && phonenumbers.Format(m, phonenumbers.E164) == q.E164 {
					return id, nil, nil
				}
			}
		}
	}
	id, warn, err := s.newPerson(ctx, key, fields)
	if err != nil {
		return 0, nil, err
	}
	n, _ := number(id)
	return n, warn, nil
}
