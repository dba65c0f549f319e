package pipedrive

import (
	"context"
	"net/url"
	"strconv"

	"github.com/callsync/callsync/connectors"
)

type callLog struct {
	ID         textID `json:"id"`
	ActivityID int64  `json:"activity_id"`
	Subject    string `json:"subject"`
	Duration   textID `json:"duration"`
	Outcome    string `json:"outcome"`
	From       string `json:"from_phone_number"`
	To         string `json:"to_phone_number"`
	Start      string `json:"start_time"`
	End        string `json:"end_time"`
	UserID     int64  `json:"user_id"`
	PersonID   int64  `json:"person_id"`
	OrgID      int64  `json:"org_id"`
	DealID     int64  `json:"deal_id"`
	LeadID     string `json:"lead_id"`
	Note       string `json:"note"`
}

func (l callLog) record() record {
	r := record{log: string(l.ID)}
	if l.ActivityID != 0 {
		r.activity = strconv.FormatInt(l.ActivityID, 10)
	}
	return r
}

// value reads a field under the name that mappings have for it; nil where it is empty.
func (l callLog) value(name string) any {
	note, _ := unmarked(l.Note)
	for n, s := range map[string]string{"subject": l.Subject, "note": note, "outcome": l.Outcome, "from_phone_number": l.From,
		"to_phone_number": l.To, "lead_id": l.LeadID, "duration": string(l.Duration)} {
		if n == name && s != "" {
			return s
		}
	}
	for n, id := range map[string]int64{"user_id": l.UserID, "person_id": l.PersonID, "org_id": l.OrgID, "deal_id": l.DealID} {
		if n == name && id != 0 {
			return id
		}
	}
	for n, s := range map[string]string{"start_time": l.Start, "end_time": l.End} {
		if n != name {
			continue
		}
		if at, ok, err := asTime(name, s); ok && err == nil {
			return at
		}
	}
	return nil
}

// log makes the call log of a call: out of its activity, or by itself where r has none. What Pipedrive does not let this
// user do leaves the activity, with a warning. An error keeps what is known in RemoteID, so that the next attempt goes on.
func (s *session) log(ctx context.Context, w connectors.CallWrite, p *plan, r record) (record, error) {
	if p.lacks != "" {
		p.add(p.lacks, "Pipedrive's call logs need this field. The call is in Pipedrive as an activity.")
		r.log = noLog
		return r, nil
	}
	activity, _ := number(r.activity)
	body := p.callLog(w.Key, activity)
	q := request{endpoint: createCallLog, name: "create of a call log", body: body}
	var l callLog
	err := s.do(ctx, q, &l)
	if connectors.IsClass(err, connectors.Forbidden) && body["user_id"] != nil {
		// "A user without account settings access cannot create call logs for other users."
		delete(body, "user_id")
		if err = s.do(ctx, q, &l); err == nil {
			p.add("user_id", "The Pipedrive user of this connection may not create call logs for other users: the call log is its own. Give it account settings access.")
		}
	}
	if err == nil && l.ID == "" {
		err = connectors.Unreadable(Label, "pipedrive "+q.name, q.reads())
	}
	e := &connectors.Error{}
	if err != nil {
		e = connectors.AsError(err)
	}
	switch e.Class {
	case "":
		made := l.record()
		if r.activity != "" {
			made.activity = r.activity
		}
		return made, nil
	case connectors.Forbidden, connectors.Unsupported:
		p.add("outcome", "Pipedrive did not let callsync make a call log, so the call is there as an activity. "+e.Public)
		r.log = noLog
		return r, nil
	case connectors.Invalid:
		if e.Field == "activity_id" && r.activity != "" {
			// That an activity which is a call log already is refused is unconfirmed.
			p.add("outcome", "Pipedrive does not make a call log of this activity, most likely because it is one already.")
			r.log = noLog
			return r, nil
		}
	case connectors.UnknownOutcome, connectors.Unavailable:
		if !e.NotSent {
			r.log = unknownLog
		}
	}
	if r.activity == "" {
		return r, err
	}
	partly := *e
	partly.RemoteID, partly.Made = r.String(), true
	return r, &partly
}

// owedLog makes the call log of an activity that an earlier attempt has made. It looks whether it is there already: the
// list has those of our own user only, so that another user's is not asked for twice.
func (s *session) owedLog(ctx context.Context, w connectors.CallWrite, p *plan, r record) (record, error) {
	id, _ := number(r.activity)
	l, found, all, err := s.findLog(ctx, func(l callLog) bool { return l.ActivityID == id })
	switch {
	case err != nil:
		return r, err
	case found:
		r.log = string(l.ID)
		return r, nil
	case r.log == unknownLog && (!all || p.log["user_id"] != nil):
		p.add("outcome", "Pipedrive gave no answer when the call log was made, and does not show call logs of other users. The call is in Pipedrive as an activity, with or without a call log.")
		r.log = noLog
		return r, nil
	}
	return s.log(ctx, w, p, r)
}

const callLogPage = 50

// findLog looks through the call logs of our user; all is false where there are too many to see them all.
func (s *session) findLog(ctx context.Context, match func(callLog) bool) (l callLog, found, all bool, err error) {
	q := url.Values{"start": {"0"}, "limit": {strconv.Itoa(callLogPage)}}
	for range lookPages / 2 {
		var list []callLog
		next, err := s.ask(ctx, request{endpoint: listCallLogs, name: "look-up of call logs", query: q}, &list)
		if err != nil {
			return callLog{}, false, false, err
		}
		for _, l := range list {
			if match(l) {
				return l, true, true, nil
			}
		}
		if len(list) == 0 || !next.Pagination.More {
			return callLog{}, false, true, nil
		}
		start, _ := strconv.ParseInt(q.Get("start"), 10, 64)
		q.Set("start", strconv.FormatInt(max(next.Pagination.Next, start+1), 10))
	}
	return callLog{}, false, false, nil
}

// Dispositions implements connectors.DispositionLister: the outcomes are Pipedrive's, the same in every account.
func (s *session) Dispositions(context.Context) ([]connectors.DispositionOption, error) {
	return append([]connectors.DispositionOption(nil), outcomes...), nil
}
