package pipedrive

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/callsync/callsync/connectors"
)

type participant struct {
	PersonID int64 `json:"person_id"`
	Primary  bool  `json:"primary"`
}

type activity struct {
	ID           int64         `json:"id"`
	Subject      string        `json:"subject"`
	Type         string        `json:"type"`
	OwnerID      int64         `json:"owner_id"`
	Deleted      bool          `json:"is_deleted"`
	AddTime      string        `json:"add_time"`
	DealID       int64         `json:"deal_id"`
	LeadID       string        `json:"lead_id"`
	PersonID     int64         `json:"person_id"`
	OrgID        int64         `json:"org_id"`
	ProjectID    int64         `json:"project_id"`
	DueDate      string        `json:"due_date"`
	DueTime      string        `json:"due_time"`
	Duration     string        `json:"duration"`
	Busy         bool          `json:"busy"`
	Done         bool          `json:"done"`
	Participants []participant `json:"participants"`
	Public       string        `json:"public_description"`
	Priority     int64         `json:"priority"`
	Note         string        `json:"note"`
}

// WriteCall implements connectors.Session.
func (s *session) WriteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	p, err := planCall(w)
	if err != nil {
		return connectors.Written{}, err
	}
	if w.RemoteID != "" {
		return s.updateCall(ctx, w, p)
	}
	var r record
	var stored map[string]any
	if s.record == recordCallLog && p.lacks == "" {
		r, err = s.log(ctx, w, p, record{})
		if err != nil {
			return connectors.Written{}, err
		}
	}
	if r.activity == "" && r.logID() == "" {
		// A call log alone that Pipedrive does not let us make falls back to an activity too.
		made, err := s.makeActivity(ctx, "create of a call", p.activity(w.Key))
		if err != nil {
			return connectors.Written{}, err
		}
		r.activity, stored = strconv.FormatInt(made.ID, 10), made.stored(w.Fields)
	}
	if s.record != recordActivity && r.log == "" {
		if r, err = s.log(ctx, w, p, r); err != nil {
			return connectors.Written{}, err
		}
	}
	out := connectors.Written{RemoteID: r.String(), Created: true, Linked: p.linked, Warnings: p.warnings, Stored: stored}
	if s.web != "" && p.person != 0 {
		out.URL = s.web + "/person/" + strconv.FormatInt(p.person, 10)
	}
	return out, nil
}

// newActivity makes an activity and returns its id.
func (s *session) newActivity(ctx context.Context, name string, body map[string]any) (string, error) {
	a, err := s.makeActivity(ctx, name, body)
	return idText(a.ID), err
}

func (s *session) makeActivity(ctx context.Context, name string, body map[string]any) (a activity, err error) {
	q := request{endpoint: createActivity, name: name, body: body}
	if err := s.do(ctx, q, &a); err != nil {
		return activity{}, err
	}
	if a.ID == 0 {
		return a, connectors.Unreadable(Label, "pipedrive "+q.name, q.reads())
	}
	return a, nil
}

// stored are the fields of a write as the answer shows them, as far as an activity is where ReadCall reads them.
func (a activity) stored(fields map[string]any) map[string]any {
	out := map[string]any{}
	for f := range fields {
		if v, ok := a.value(f); ok && !slices.Contains(ofLog, f) {
			out[f] = v
		}
	}
	return out
}

// ofLog are the fields that are read from the call log where there is one.
var ofLog = []string{"outcome", "from_phone_number", "to_phone_number", "start_time", "end_time"}

// updateCall changes the activity, and makes up for a call log that an earlier attempt owes.
func (s *session) updateCall(ctx context.Context, w connectors.CallWrite, p *plan) (connectors.Written, error) {
	r := parseRecord(w.RemoteID)
	whole := p.lacks == ""
	out := connectors.Written{RemoteID: w.RemoteID}
	if r.activity != "" && len(p.act) > 0 {
		var a activity
		if err := s.do(ctx, request{endpoint: updateActivity, name: "update of a call", id: r.activity, body: p.act}, &a); err != nil {
			return out, err
		}
		if a.ID != 0 {
			out.Stored = a.stored(w.Fields)
		}
	}
	if s.record != recordActivity && r.activity != "" && r.logID() == "" && r.log != noLog && whole {
		var err error
		if r, err = s.owedLog(ctx, w, p, r); err != nil {
			return out, err
		}
	}
	if r.logID() != "" && !whole {
		for _, name := range p.logOnly {
			p.add(name, "Pipedrive never changes a call log. The activity has what came later.")
		}
	}
	if r.activity == "" && len(w.Fields) > 0 {
		p.add("note", "This call is a call log alone, and Pipedrive never changes those. What came later is not in Pipedrive.")
	}
	out.RemoteID, out.Warnings = r.String(), p.warnings
	return out, nil
}

// call reads the activity of a call; NotFound where it was deleted.
func (s *session) call(ctx context.Context, id string) (activity, error) {
	var a activity
	err := s.do(ctx, request{endpoint: readActivity, name: "read of a call", id: id}, &a)
	if err == nil && a.Deleted {
		err = gone()
	}
	return a, err
}

func gone() error {
	return &connectors.Error{Class: connectors.NotFound, Public: connectors.Sentence(connectors.NotFound, Label)}
}

// ReadCall implements connectors.CallReader. Times and numbers come from the call log where there is one, for an activity
// knows whole seconds only.
func (s *session) ReadCall(ctx context.Context, id string, fields []string) (map[string]any, error) {
	r := parseRecord(id)
	out := make(map[string]any, len(fields))
	var a activity
	if r.activity != "" {
		var err error
		if a, err = s.call(ctx, r.activity); err != nil {
			return nil, err
		}
	}
	var l callLog
	if r.logID() != "" && (r.activity == "" || slices.ContainsFunc(fields, func(f string) bool { return slices.Contains(ofLog, f) })) {
		err := s.do(ctx, request{endpoint: readCallLog, name: "read of a call log", id: r.logID()}, &l)
		if err != nil && (r.activity == "" || !connectors.IsClass(err, connectors.NotFound)) {
			return nil, err
		}
	}
	for _, f := range fields {
		v, ok := a.value(f)
		if lv := l.value(f); lv != nil && (!ok || r.activity == "" || slices.Contains(ofLog, f)) {
			v = lv
		}
		out[f] = v
	}
	return out, nil
}

// value reads a field under the name that mappings have for it; ok is false where activities have none of that name.
func (a activity) value(name string) (v any, ok bool) {
	id := func(n int64) any {
		if n == 0 {
			return nil
		}
		return n
	}
	str := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	switch name {
	case "subject":
		return str(a.Subject), true
	case "note":
		text, _ := unmarked(a.Note)
		return str(text), true
	case "type":
		return str(a.Type), true
	case "user_id", "owner_id":
		return id(a.OwnerID), true
	case "deal_id":
		return id(a.DealID), true
	case "org_id":
		return id(a.OrgID), true
	case "project_id":
		return id(a.ProjectID), true
	case "priority":
		return id(a.Priority), true
	case "lead_id":
		return str(a.LeadID), true
	case "person_id":
		for _, p := range a.Participants {
			if p.Primary {
				return id(p.PersonID), true
			}
		}
		return id(a.PersonID), true
	case "public_description":
		return str(a.Public), true
	case "busy":
		return a.Busy, true
	case "done":
		return a.Done, true
	case "duration":
		if n, ok := seconds(a.Duration); ok {
			return n, true
		}
		return nil, true
	case "start_time", "due_date":
		form, text := dateForm, a.DueDate
		if a.DueTime != "" {
			form, text = dateForm+" "+timeForm, a.DueDate+" "+a.DueTime
			if len(a.DueTime) == 5 {
				text += ":00"
			}
		}
		if at, err := time.Parse(form, text); err == nil {
			return at, true
		}
		return nil, true
	}
	return nil, false
}

// LinkCall implements connectors.Linker. Whom a person has added to the activity stays on it.
func (s *session) LinkCall(ctx context.Context, callID string, to connectors.Ref) error {
	names := map[string]string{connectors.ObjectContact: "participants", connectors.ObjectLead: "lead_id",
		connectors.ObjectCompany: "org_id", connectors.ObjectDeal: "deal_id"}
	name, ok := names[to.Object]
	if !ok {
		return unsupported("callsync cannot tie a call in Pipedrive to a record of this kind.")
	}
	n, numeric := number(to.ID)
	if !numeric && to.Object != connectors.ObjectLead {
		return gone()
	}
	r := parseRecord(callID)
	if r.activity == "" {
		return unsupported("This call is a call log alone, and Pipedrive never changes those.")
	}
	a, err := s.call(ctx, r.activity)
	if err != nil {
		return err
	}
	var value any = n
	switch to.Object {
	case connectors.ObjectContact:
		if slices.ContainsFunc(a.Participants, func(p participant) bool { return p.PersonID == n }) {
			return nil
		}
		value = append(a.Participants, participant{n, len(a.Participants) == 0})
	case connectors.ObjectLead:
		if a.LeadID == to.ID {
			return nil
		}
		value = to.ID
	case connectors.ObjectCompany:
		if a.OrgID == n {
			return nil
		}
	case connectors.ObjectDeal:
		if a.DealID == n {
			return nil
		}
	}
	return s.do(ctx, request{endpoint: updateActivity, name: "link of a call", id: r.activity, body: map[string]any{name: value}}, nil)
}

// How far the look-ups of our own records go back: longer than a delivery is tried, and at most so many pages.
const (
	lookBack     = 80 * time.Hour
	lookPages    = 20
	activityPage = 500
)

// tooMany is the answer of a look-up that would have to read on for too long.
func tooMany(what string) error {
	return &connectors.Error{Class: connectors.UnknownOutcome,
		Public: "A request got no answer, and Pipedrive has so many new " + what + " that callsync cannot find out whether it was done."}
}

// findActivity looks for the activity that carries our key, the newest first.
func (s *session) findActivity(ctx context.Context, key string) (int64, bool, error) {
	since := s.now().Add(-lookBack).UTC()
	q := url.Values{"updated_since": {since.Format(sinceForm)}, "sort_by": {"add_time"}, "sort_direction": {"desc"}, "limit": {strconv.Itoa(activityPage)}}
	for range lookPages {
		var list []activity
		next, err := s.ask(ctx, request{endpoint: listActivities, name: "look-up of activities", query: q}, &list)
		if err != nil {
			return 0, false, err
		}
		for _, a := range list {
			if _, k := unmarked(a.Note); k == cleanKey(key) && !a.Deleted {
				return a.ID, true, nil
			}
		}
		if len(list) == 0 || next.NextCursor == "" || next.NextCursor == q.Get("cursor") {
			return 0, false, nil
		}
		if at, err := time.Parse(time.RFC3339, list[len(list)-1].AddTime); err == nil && at.Before(since) {
			return 0, false, nil
		}
		q.Set("cursor", next.NextCursor)
	}
	return 0, false, tooMany("activities")
}

// FindCall implements connectors.CallFinder.
func (s *session) FindCall(ctx context.Context, key string) (string, bool, error) {
	if s.record == recordCallLog {
		l, found, _, err := s.findLog(ctx, func(l callLog) bool { _, k := unmarked(l.Note); return k == cleanKey(key) })
		if err != nil {
			return "", false, err
		}
		if found {
			return l.record().String(), true, nil
		}
	}
	id, found, err := s.findActivity(ctx, key)
	if err != nil || !found {
		return "", false, err
	}
	r := record{activity: strconv.FormatInt(id, 10)}
	if s.record != recordActivity {
		l, found, _, err := s.findLog(ctx, func(l callLog) bool { return l.ActivityID == id })
		if err != nil {
			return "", false, err
		}
		if r.log = unknownLog; found {
			r.log = string(l.ID)
		}
	}
	return r.String(), true, nil
}

// FindsSurely implements connectors.SureFinder. Activities are listed for all users; call logs of other users are not, so
// that a call log alone may be there without being seen.
func (s *session) FindsSurely() bool { return s.record != recordCallLog }

// textID is an id that Pipedrive describes as text.
type textID string

// UnmarshalJSON takes a number too.
func (t *textID) UnmarshalJSON(b []byte) error {
	var n json.Number
	if json.Unmarshal(b, &n) == nil && n != "" {
		*t = textID(n)
		return nil
	}
	return json.Unmarshal(b, (*string)(t))
}
