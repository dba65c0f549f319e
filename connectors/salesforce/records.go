package salesforce

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/callsync/callsync/connectors"
)

// saved is Salesforce's answer to a create or upsert.
type saved struct {
	ID      string        `json:"id"`
	Success *bool         `json:"success"`
	Created *bool         `json:"created"`
	Errors  []vendorError `json:"errors"`
}

// maxMends bounds how often a write is sent again with what Salesforce did not take made to fit.
const maxMends = 3

// missingTTL is how long it is remembered that the org lacks one of our own optional fields.
const missingTTL = 10 * time.Minute

// upsert creates the record of key, or updates the one that is there: an earlier attempt made it.
func (s *session) upsert(ctx context.Context, object, key string, v values, header map[string]string) (id string, created bool, warnings []connectors.Warning, err error) {
	v = maps.Clone(v)
	delete(v, s.keyField)
	warnings = s.leaveOut(v)
	q := request{method: http.MethodPatch, name: "upsert of " + label(object), object: object, path: s.keyed(object, cutKey(key)), header: header, byKey: true}
	more, err := s.mend(ctx, object, v, func() error {
		q.body = v
		id, created, err = s.send(ctx, q)
		return err
	})
	warnings = append(warnings, more...)
	if refusal, ok := errors.AsType[*refused](err); ok {
		switch {
		case refusal.code == codeDuplicate && (refusal.err.Field == s.keyField || refusal.err.Field == "" && refusal.err.RemoteID != ""):
			// Two first upserts of one key met: the other one has made it.
			return s.repeated(ctx, object, key, v, warnings, err)
		case refusal.code == codeFieldWrite && slices.ContainsFunc(refusal.fields, isCreateOnly):
			// A repeated create becomes an update, which may not say again what only a create may.
			return s.repeated(ctx, object, key, v, warnings, err)
		}
	}
	if err == nil && id == "" {
		// Older versions answer an update with nothing.
		r, ok, ferr := s.byKey(ctx, object, key)
		if ferr == nil && !ok {
			ferr = connectors.Unreadable(Label, "salesforce "+q.name, q.reads)
		}
		return r.text("Id"), false, warnings, ferr
	}
	return id, created, warnings, err
}

func isCreateOnly(field string) bool { return slices.Contains(createOnly, field) }

// repeated goes on with the record that an earlier upsert of the same key made, as an update by its id.
func (s *session) repeated(ctx context.Context, object, key string, v values, warnings []connectors.Warning, cause error) (string, bool, []connectors.Warning, error) {
	r, ok, err := s.byKey(ctx, object, key)
	if err != nil {
		return "", false, warnings, err
	}
	if !ok {
		if !hasCode(cause, codeFieldWrite) {
			return "", false, warnings, cause
		}
		// It is not there, so the user may not write the field at all; the rest is worth more.
		var dropped []connectors.Warning
		for _, name := range createOnly {
			if _, has := v[name]; has {
				delete(v, name)
				dropped = append(dropped, connectors.Warning{Field: name, Text: "callsync's Salesforce user may not write this field, so it was left out."})
			}
		}
		if len(dropped) == 0 {
			return "", false, warnings, cause
		}
		id, created, more, err := s.upsert(ctx, object, key, v, nil)
		return id, created, append(append(warnings, dropped...), more...), err
	}
	id := r.text("Id")
	more, err := s.update(ctx, object, id, v)
	return id, false, append(warnings, more...), err
}

// send writes one record and reads Salesforce's answer.
func (s *session) send(ctx context.Context, q request) (id string, created bool, err error) {
	var out saved
	status, err := s.do(ctx, q, &out)
	if err != nil {
		return "", false, err
	}
	if status == http.StatusNoContent {
		return "", false, nil
	}
	if out.Success != nil && !*out.Success {
		return "", false, s.itemRefusal(q, out.Errors)
	}
	if !recordID.MatchString(out.ID) {
		return "", false, connectors.Unreadable(Label, "salesforce "+q.name, q.reads)
	}
	return out.ID, status == http.StatusCreated || out.Created != nil && *out.Created, nil
}

// update changes a record by its id: one that a person deleted is not found.
func (s *session) update(ctx context.Context, object, id string, v values) ([]connectors.Warning, error) {
	v = maps.Clone(v)
	maps.DeleteFunc(v, func(name string, _ any) bool { return name == s.keyField || isCreateOnly(name) })
	warnings := s.leaveOut(v)
	if len(v) == 0 {
		return warnings, nil
	}
	q := request{method: http.MethodPatch, name: "update of " + label(object), object: object, path: s.row(object, id), byID: true}
	more, err := s.mend(ctx, object, v, func() error {
		q.body = v
		_, err := s.do(ctx, q, nil)
		return err
	})
	return append(warnings, more...), err
}

// leaveOut takes those of our own optional fields out of v that the org is known to lack.
func (s *session) leaveOut(v values) (warnings []connectors.Warning) {
	for _, name := range ownOptional {
		if _, has := v[name]; !has {
			continue
		}
		if s.lacks(name) {
			delete(v, name)
			warnings = append(warnings, absent(name))
		}
	}
	return warnings
}

// lacks tells whether the org was seen to lack one of our own optional fields lately.
func (s *session) lacks(name string) bool {
	lacks, _ := s.missing.Peek(name)
	return lacks
}

func (s *session) remember(ctx context.Context, name string) {
	s.missing.Forget(name)
	_, _, _ = s.missing.Get(ctx, name, missingTTL, 0, func() (bool, bool, error) { return true, true, nil })
}

// mend runs write until Salesforce takes v, each time with what it refused made to fit. A refusal has written nothing.
func (s *session) mend(ctx context.Context, object string, v values, write func() error) ([]connectors.Warning, error) {
	var warnings []connectors.Warning
	for try := 1; ; try++ {
		err := write()
		refusal, ok := errors.AsType[*refused](err)
		if !ok || try == maxMends || !slices.Contains([]string{codeField, codeLong, codeParse, codeType, codeTypeOnField}, refusal.code) {
			return warnings, err
		}
		if f := refusal.err.Field; refusal.code == codeField && slices.Contains(ownOptional, f) {
			delete(v, f)
			s.remember(ctx, f)
			warnings = append(warnings, absent(f))
			continue
		}
		info, derr := s.load(ctx, object)
		if derr != nil {
			// What the org says of its fields would only help to mend.
			return warnings, err
		}
		more, changed := refit(v, info, s.zone)
		warnings = append(warnings, more...)
		if !changed {
			return warnings, err
		}
	}
}
