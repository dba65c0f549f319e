package salesforce

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// WriteCall implements connectors.Session. A create is an upsert by our key and takes the links along; an update goes to the
// record's id and leaves the links as they are.
func (s *session) WriteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	v, warnings, err := s.encode(objTask, w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	var linked []connectors.Ref
	if w.RemoteID == "" {
		linked = s.completeCall(v, w)
	}
	out, err := s.write(ctx, objTask, w.Key, w.RemoteID, v, nil)
	out.Linked, out.Warnings = linked, append(warnings, out.Warnings...)
	return out, err
}

// completeCall fills what a new call needs and the mapping left out, and the links.
func (s *session) completeCall(v values, w connectors.CallWrite) []connectors.Ref {
	setDefault(v, "TaskSubtype", "Call")
	// Subject and Status are Salesforce's own requirements; an open call would be a to-do of its owner.
	setDefault(v, "Subject", "Call")
	setDefault(v, "Status", "Completed")
	if s.recordType != "" {
		setDefault(v, "RecordTypeId", s.recordType)
	}
	if start := w.Call.StartedAt; !start.IsZero() {
		setDefault(v, "ActivityDate", start.In(s.zone).Format(dateLayout))
	}
	return attach(objTask, v, w.Links)
}

func setDefault(v values, name string, value any) {
	if have, ok := v[name]; !ok || have == nil || have == "" {
		v[name] = value
	}
}

// write creates or updates a record, alone with its parents.
func (s *session) write(ctx context.Context, object, key, remoteID string, v values, header map[string]string) (connectors.Written, error) {
	out := connectors.Written{RemoteID: remoteID}
	err := s.alone(ctx, s.parentsOf(v), func() (err error) {
		if remoteID != "" {
			out.Warnings, err = s.update(ctx, object, remoteID, kept(object, v))
			return err
		}
		out.RemoteID, out.Created, out.Warnings, err = s.upsert(ctx, object, key, v, header)
		return err
	})
	if err != nil {
		return connectors.Written{}, err
	}
	out.URL = s.recordURL(out.RemoteID)
	return out, nil
}

// kept leaves fields that Salesforce demands as they are, where a mapping would clear them.
func kept(object string, v values) values {
	v = maps.Clone(v)
	demanded := []string{"Status", "Priority", "OwnerId"}
	if object == objTask {
		demanded = append(demanded, "IsReminderSet")
	}
	for _, name := range demanded {
		if x, ok := v[name]; ok && (x == nil || x == "") {
			delete(v, name)
		}
	}
	return v
}

// attach says in v to which records a new record belongs, and returns the links that found a place. A Task has one person
// (WhoId: a contact or lead) and one other record (WhatId), which a lead's Task must not have
// (object reference, Task: WhatId).
func attach(object string, v values, links []connectors.Ref) []connectors.Ref {
	place := slots(object)
	var done []connectors.Ref
	// People first: whether there is room for another record depends on them.
	sorted := slices.Clone(links)
	slices.SortStableFunc(sorted, func(a, b connectors.Ref) int { return rank(a) - rank(b) })
	lead := strings.HasPrefix(v.text("WhoId"), leadPrefix)
	for _, l := range sorted {
		name := place[l.Object]
		if name == "" || l.ID == "" || v.text(name) != "" && v.text(name) != l.ID {
			continue
		}
		if name == "WhatId" && lead {
			continue
		}
		v[name] = l.ID
		lead = lead || l.Object == connectors.ObjectLead && name == "WhoId"
		done = append(done, l)
	}
	if lead {
		delete(v, "WhatId")
	}
	return done
}

// leadPrefix begins the ids of leads.
const leadPrefix = "00Q"

func rank(r connectors.Ref) int {
	if r.Object == connectors.ObjectContact || r.Object == connectors.ObjectLead {
		return 0
	}
	return 1
}

// slots are the fields of an object that tie it to others.
func slots(object string) map[string]string {
	if object == objCase {
		return map[string]string{connectors.ObjectContact: "ContactId", connectors.ObjectCompany: "AccountId"}
	}
	return map[string]string{connectors.ObjectContact: "WhoId", connectors.ObjectLead: "WhoId", connectors.ObjectCompany: "WhatId",
		connectors.ObjectDeal: "WhatId", connectors.ObjectTicket: "WhatId"}
}

// FindCall implements connectors.CallFinder.
func (s *session) FindCall(ctx context.Context, key string) (string, bool, error) {
	r, ok, err := s.byKey(ctx, objTask, key)
	return r.text("Id"), ok, err
}

// ReadCall implements connectors.CallReader.
func (s *session) ReadCall(ctx context.Context, id string, fields []string) (map[string]any, error) {
	return s.readFields(ctx, objTask, id, fields)
}

// readFields reads fields of a record as it is now.
func (s *session) readFields(ctx context.Context, object, id string, fields []string) (map[string]any, error) {
	var names []string
	for _, f := range fields {
		if identifier.MatchString(f) && f != "Id" {
			names = append(names, f)
		}
	}
	r, err := s.byID(ctx, object, id, names...)
	if refusal, ok := errors.AsType[*refused](err); ok && refusal.code == codeField && slices.Contains(ownOptional, refusal.err.Field) {
		// The org lacks one of our own fields, in which nobody can have written.
		names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(ownOptional, n) })
		r, err = s.byID(ctx, object, id, names...)
	}
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(fields))
	for _, f := range fields {
		out[f] = decode(r[f])
	}
	return out, nil
}

// LinkCall implements connectors.Linker. It fills the call's person or other record only where it is empty: whom a person has
// put there stays. A call on a lead has no room for another record.
func (s *session) LinkCall(ctx context.Context, callID string, to connectors.Ref) error {
	name := slots(objTask)[to.Object]
	if name == "" {
		return &connectors.Error{Class: connectors.Unsupported, Public: "callsync cannot tie a Salesforce call to a record of this kind."}
	}
	r, err := s.byID(ctx, objTask, callID, "WhoId", "WhatId")
	if err != nil {
		return err
	}
	v := values{}
	switch {
	case r.text(name) != "", name == "WhatId" && strings.HasPrefix(r.text("WhoId"), leadPrefix):
		return nil
	case to.Object == connectors.ObjectLead && r.text("WhatId") != "":
		// Somebody has related the call to a record; the lead would push it out.
		return nil
	}
	v[name] = to.ID
	return s.alone(ctx, s.parentsOf(v), func() error {
		_, err := s.update(ctx, objTask, callID, v)
		return err
	})
}

// accountTTL is how long the account of a contact is remembered for the locks.
const accountTTL = time.Hour

// accountOf is the account of a contact that a search has shown lately.
func (s *session) accountOf(contact string) (string, bool) {
	account, ok := s.accounts.Peek(contact)
	return account, ok && account != ""
}

func (s *session) rememberAccount(contact, account string) {
	if contact == "" || account == "" {
		return
	}
	s.accounts.Forget(contact)
	_, _, _ = s.accounts.Get(context.Background(), contact, accountTTL, 0, func() (string, bool, error) { return account, true, nil })
}
