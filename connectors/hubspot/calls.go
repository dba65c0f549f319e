package hubspot

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/callsync/callsync/connectors"
)

type record struct {
	ID         string             `json:"id"`
	New        bool               `json:"new"`
	URL        string             `json:"url"`
	Properties map[string]*string `json:"properties"`
	UpdatedAt  string             `json:"updatedAt"`
}

func (r record) property(name string) string {
	if p := r.Properties[name]; p != nil {
		return *p
	}
	return ""
}

type batchInput struct {
	ID         string            `json:"id"`
	IDProperty string            `json:"idProperty"`
	Properties map[string]string `json:"properties"`
}

type batchResult struct {
	Results []record      `json:"results"`
	Errors  []vendorError `json:"errors"`
}

type paging struct {
	Next struct {
		After string `json:"after"`
	} `json:"next"`
}

// upsert creates or updates the record whose property key has the value id. A batch of one answers 207 with an error
// for its item where a request by itself would have failed.
func (s *session) upsert(ctx context.Context, object, key, id string, props map[string]string) (record, error) {
	props[key] = id
	q := request{method: http.MethodPost, name: "upsert of " + label(object), path: s.api.objects(object) + "/batch/upsert",
		body: map[string]any{"inputs": []batchInput{{ID: id, IDProperty: key, Properties: props}}}}
	out, err := s.batch(ctx, q)
	if connectors.IsClass(err, connectors.Invalid) && s.restoreKey(ctx, object, key, err) {
		out, err = s.batch(ctx, q)
	}
	if err != nil {
		return record{}, err
	}
	if len(out.Errors) > 0 {
		return record{}, s.itemRefusal(q, out.Errors[0])
	}
	if len(out.Results) != 1 || out.Results[0].ID == "" {
		return record{}, connectors.Unreadable(Label, "hubspot "+q.name, q.reads)
	}
	return out.Results[0], nil
}

func (s *session) batch(ctx context.Context, q request) (batchResult, error) {
	var out batchResult
	err := s.do(ctx, q, &out)
	return out, err
}

// update changes a record by its id. An upsert would make a record anew that a human has deleted.
func (s *session) update(ctx context.Context, object, id string, props map[string]string) error {
	_, err := s.change(ctx, object, id, props)
	return err
}

// change is update; it returns the record as the answer shows it.
func (s *session) change(ctx context.Context, object, id string, props map[string]string) (r record, err error) {
	if len(props) == 0 {
		return r, nil
	}
	err = s.do(ctx, request{method: http.MethodPatch, name: "update of " + label(object), path: s.api.object(object, id),
		body: map[string]any{"properties": props}}, &r)
	return r, err
}

// shown are the properties of a write as its answer shows them. HubSpot answers with those that were written.
func (r record) shown(props map[string]string) map[string]any {
	out := map[string]any{}
	for name := range props {
		if p := r.Properties[name]; p != nil && name != CallKey && name != RecordKey {
			out[name] = *p
		}
	}
	return out
}

// label is an object's name for people.
func label(object string) string {
	if object == deals {
		return "deals"
	}
	return object
}

// WriteCall implements connectors.Session. A create is an upsert by CallKey, an update goes to the record's id.
func (s *session) WriteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	props, warnings, err := encode(w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	return s.write(ctx, calls, CallKey, w.Key, w.RemoteID, props, warnings)
}

func (s *session) write(ctx context.Context, object, key, id, remoteID string, props map[string]string, warnings []connectors.Warning) (connectors.Written, error) {
	if remoteID != "" {
		r, err := s.change(ctx, object, remoteID, props)
		return connectors.Written{RemoteID: remoteID, URL: recordURL(s.portal, object, remoteID), Warnings: warnings, Stored: r.shown(props)}, err
	}
	r, err := s.upsert(ctx, object, key, id, props)
	if err != nil {
		return connectors.Written{}, err
	}
	out := s.written(object, r, warnings)
	out.Stored = r.shown(props)
	return out, nil
}

func (s *session) written(object string, r record, warnings []connectors.Warning) connectors.Written {
	out := connectors.Written{RemoteID: r.ID, URL: recordURL(s.portal, object, r.ID), Created: r.New, Warnings: warnings}
	if strings.HasPrefix(r.URL, "https://") {
		out.URL = r.URL
	}
	return out
}

// find reads a record by a unique property, which sees a write at once, unlike the search.
func (s *session) find(ctx context.Context, object, key, id string, properties ...string) (record, bool, error) {
	q := url.Values{"idProperty": {key}}
	if len(properties) > 0 {
		q.Set("properties", strings.Join(properties, ","))
	}
	var r record
	err := s.do(ctx, get("look-up of "+label(object), s.api.object(object, id), q), &r)
	if connectors.IsClass(err, connectors.NotFound) {
		return record{}, false, nil
	}
	return r, err == nil, err
}

// FindCall implements connectors.CallFinder.
func (s *session) FindCall(ctx context.Context, key string) (string, bool, error) {
	r, ok, err := s.find(ctx, calls, CallKey, key)
	return r.ID, ok, err
}

// ReadCall implements connectors.CallReader. The values are HubSpot's texts; connectors.SameValue compares them.
func (s *session) ReadCall(ctx context.Context, id string, fields []string) (map[string]any, error) {
	return s.readFields(ctx, calls, id, fields)
}

// readFields reads properties of a record as it is now.
func (s *session) readFields(ctx context.Context, object, id string, fields []string) (map[string]any, error) {
	q := url.Values{}
	if len(fields) > 0 {
		q.Set("properties", strings.Join(fields, ","))
	}
	var r record
	if err := s.do(ctx, get("read of "+object, s.api.object(object, id), q), &r); err != nil {
		return nil, err
	}
	return r.values(fields), nil
}

// LinkCall implements connectors.Linker. NotFound means that the call or the other record is gone.
func (s *session) LinkCall(ctx context.Context, callID string, to connectors.Ref) error {
	if !linkable(to) {
		return &connectors.Error{Class: connectors.Unsupported, Public: "callsync cannot tie a HubSpot call to a record of this kind."}
	}
	return s.link(ctx, calls, callID, to)
}

// linkable tells whether HubSpot ties activities to records of this kind. It does not tie activities to each other.
func linkable(to connectors.Ref) bool {
	switch to.Object {
	case connectors.ObjectContact, connectors.ObjectCompany, connectors.ObjectDeal, connectors.ObjectTicket:
		return true
	}
	return false
}

func (s *session) link(ctx context.Context, from, id string, to connectors.Ref) error {
	return s.do(ctx, request{method: http.MethodPut, name: "link of " + label(from), path: s.api.link(from, id, objects[to.Object], to.ID)}, nil)
}
