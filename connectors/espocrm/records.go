package espocrm

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// create makes a record. Duplicates are none of EspoCRM's business here: callsync has looked by its key.
func (s *session) create(ctx context.Context, entity string, values attributes) (attributes, []connectors.Warning, error) {
	q := request{method: http.MethodPost, name: "create of " + entity, entity: entity, path: "/" + entity, header: skipDuplicates}
	return s.save(ctx, q, values)
}

// update changes a record. It goes to the record's id, so that one that a person deleted is not found.
func (s *session) update(ctx context.Context, entity, id string, values attributes) (attributes, []connectors.Warning, error) {
	q := request{method: http.MethodPut, name: "update of " + entity, entity: entity, path: recordPath(entity, id), header: skipDuplicates}
	return s.save(ctx, q, values)
}

// save sends values until EspoCRM takes them, each time with what it named made to fit.
func (s *session) save(ctx context.Context, q request, values attributes) (attributes, []connectors.Warning, error) {
	var warnings []connectors.Warning
	for range maxRepairs {
		var out attributes
		q.body = values
		err := s.do(ctx, q, &out)
		if err == nil {
			if out.text("id") == "" {
				return nil, nil, connectors.Unreadable(Label, "espocrm "+q.name, q.reads)
			}
			return out, append(warnings, dropped(q, values, out)...), nil
		}
		refusal, ok := errors.AsType[*validationError](err)
		if !ok {
			return nil, nil, err
		}
		warning, fixed, rerr := s.repair(ctx, q.entity, values, refusal.refused)
		if rerr != nil {
			return nil, nil, rerr
		}
		if !fixed {
			return nil, nil, err
		}
		if warning.Text != "" {
			warnings = append(warnings, warning)
		}
	}
	return nil, nil, &connectors.Error{Class: connectors.Invalid, Public: connectors.Sentence(connectors.Invalid, Label)}
}

// dropped tells of values that EspoCRM ignored without a word: it does so with fields that are not there and with those
// that the role hides. Its answer to a write has every field that was stored.
func dropped(q request, sent, stored attributes) []connectors.Warning {
	var out []connectors.Warning
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		if _, ok := stored[name]; !ok && sent[name] != nil && sent[name] != "" {
			out = append(out, connectors.Warning{Field: name,
				Text: "EspoCRM did not store this value: " + q.entity + " has no such field, or the role of callsync's user hides it."})
		}
	}
	return out
}

// page is EspoCRM's answer to a search. Total is negative where the account does not count.
type page struct {
	List []attributes `json:"list"`
}

// maxPage is the most records that EspoCRM gives at once (recordListMaxSizeLimit).
const maxPage = 200

// search lists records.
func (s *session) search(ctx context.Context, entity string, q search) ([]attributes, error) {
	var p page
	rq := request{method: http.MethodGet, name: "search of " + entity, entity: entity, path: "/" + entity, query: q.values(), reads: true}
	if err := s.do(connectors.WithRate(ctx, connectors.RateSearch, 1), rq, &p); err != nil {
		return nil, err
	}
	return p.List, nil
}

// byKey looks for our record by its key. If something has copied the key to another record, the older one is ours.
func (s *session) byKey(ctx context.Context, entity, key string, fields ...string) (attributes, bool, error) {
	if key == "" {
		return nil, false, nil
	}
	list, err := s.search(ctx, entity, search{where: []where{{Type: "equals", Attribute: s.keyField, Value: key}},
		fields: append([]string{"id", s.keyField}, fields...), order: "createdAt", limit: 2})
	if err != nil {
		return nil, false, err
	}
	for _, r := range list {
		// MariaDB compares without regard to case and trailing space.
		if r.text(s.keyField) == key && r.text("id") != "" {
			return r, true, nil
		}
	}
	return nil, false, nil
}

// attach says in values to which records a new record belongs. It returns those of links that found a place.
func attach(entity string, values attributes, links []connectors.Ref) []connectors.Ref {
	var done []connectors.Ref
	for _, l := range links {
		if l.ID == "" {
			continue
		}
		parent, isParent := parents[l.Object]
		placed := false
		switch {
		case entity == "Case" && l.Object == connectors.ObjectContact:
			placed = true
			if _, set := values["contactId"]; !set {
				values["contactId"] = l.ID
			}
			values["contactsIds"] = append(stringsOf(values["contactsIds"]), l.ID)
		case entity == "Case" && (l.Object == connectors.ObjectCompany || l.Object == connectors.ObjectLead):
			name := strings.ToLower(parent) + "Id"
			if _, set := values[name]; !set {
				values[name], placed = l.ID, true
			}
		case entity == "Case":
		case entity == "Call" && people[l.Object] != "":
			placed = true
			values[people[l.Object]] = append(stringsOf(values[people[l.Object]]), l.ID)
			fallthrough
		default:
			if _, set := values["parentId"]; !set && isParent && (l.Object != connectors.ObjectCall || entity == "Note") {
				values["parentType"], values["parentId"], placed = parent, l.ID, true
			}
		}
		if placed {
			done = append(done, l)
		}
	}
	return done
}

// parents are the entity types that calls, tasks and notes can belong to; a call only takes notes.
var parents = map[string]string{
	connectors.ObjectContact: "Contact", connectors.ObjectLead: "Lead", connectors.ObjectCompany: "Account",
	connectors.ObjectDeal: "Opportunity", connectors.ObjectTicket: "Case", connectors.ObjectCall: "Call",
}

// people are a call's attributes that hold those who took part.
var people = map[string]string{connectors.ObjectContact: "contactsIds", connectors.ObjectLead: "leadsIds"}

func stringsOf(v any) []string {
	s, _ := v.([]string)
	return s
}
