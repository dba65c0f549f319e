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

// upsert creates or updates the record whose property key has the value id. A batch of one answers 207 with an error
// for its item where a request by itself would have failed.
func (s *session) upsert(ctx context.Context, object, key, id string, props map[string]string) (record, error) {
	props[key] = id
	q := request{method: http.MethodPost, name: "upsert of " + object, path: upsertPath(object),
		body: map[string]any{"inputs": []batchInput{{ID: id, IDProperty: key, Properties: props}}}}
	var out batchResult
	if err := s.do(ctx, q, &out); err != nil {
		return record{}, err
	}
	if len(out.Errors) > 0 {
		return record{}, s.itemRefusal(q, out.Errors[0])
	}
	if len(out.Results) != 1 || out.Results[0].ID == "" {
		return record{}, unreadable(q, http.StatusOK)
	}
	return out.Results[0], nil
}

// WriteCall implements connectors.Session. A create is an upsert by CallKey. An update goes to the record's id: an
// upsert would make a record anew that a human has deleted.
func (s *session) WriteCall(ctx context.Context, w connectors.CallWrite) (connectors.Written, error) {
	props, warnings, err := encode(w.Fields)
	if err != nil {
		return connectors.Written{}, err
	}
	if w.RemoteID != "" {
		written := connectors.Written{RemoteID: w.RemoteID, URL: recordURL(s.portal, w.RemoteID), Warnings: warnings}
		if len(props) == 0 {
			return written, nil
		}
		return written, s.do(ctx, request{method: http.MethodPatch, name: "update of calls", path: objectPath("calls", w.RemoteID),
			body: map[string]any{"properties": props}}, nil)
	}
	r, err := s.upsert(ctx, "calls", CallKey, w.Key, props)
	if err != nil {
		return connectors.Written{}, err
	}
	written := connectors.Written{RemoteID: r.ID, URL: recordURL(s.portal, r.ID), Created: r.New, Warnings: warnings}
	if strings.HasPrefix(r.URL, "https://") {
		written.URL = r.URL
	}
	return written, nil
}

// find reads a record by a unique property, which sees a write at once, unlike the search.
func (s *session) find(ctx context.Context, object, key, id string, properties ...string) (record, bool, error) {
	q := url.Values{"idProperty": {key}}
	if len(properties) > 0 {
		q.Set("properties", strings.Join(properties, ","))
	}
	var r record
	err := s.do(ctx, get("look-up of "+object, objectPath(object, id), q), &r)
	if isClass(err, connectors.NotFound) {
		return record{}, false, nil
	}
	return r, err == nil, err
}

// FindCall implements connectors.CallFinder.
func (s *session) FindCall(ctx context.Context, key string) (string, bool, error) {
	r, ok, err := s.find(ctx, "calls", CallKey, key)
	return r.ID, ok, err
}

// ReadCall implements connectors.CallReader. The values are HubSpot's texts; connectors.SameValue compares them.
func (s *session) ReadCall(ctx context.Context, id string, fields []string) (map[string]any, error) {
	q := url.Values{}
	if len(fields) > 0 {
		q.Set("properties", strings.Join(fields, ","))
	}
	var r record
	if err := s.do(ctx, get("read of calls", objectPath("calls", id), q), &r); err != nil {
		return nil, err
	}
	out := make(map[string]any, len(fields))
	for _, f := range fields {
		if p := r.Properties[f]; p != nil {
			out[f] = *p
		} else {
			out[f] = nil
		}
	}
	return out, nil
}

// LinkCall implements connectors.Linker. NotFound means that the call or the other record is gone.
func (s *session) LinkCall(ctx context.Context, callID string, to connectors.Ref) error {
	object, ok := objects[to.Object]
	if !ok || to.Object == "call" {
		return &connectors.Error{Class: connectors.Unsupported, Public: "callsync cannot tie a HubSpot call to a record of this kind."}
	}
	return s.do(ctx, request{method: http.MethodPut, name: "link of calls", path: linkPath(callID, object, to.ID)}, nil)
}
