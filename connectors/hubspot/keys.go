package hubspot

import (
	"context"
	"net/http"

	"github.com/callsync/callsync/connectors"
)

// group is the property group that callsync's own properties are in.
const group = "callsync"

// keyLabels name callsync's unique properties in HubSpot.
var keyLabels = map[string]string{CallKey: "callsync call id", ContactKey: "callsync contact key", RecordKey: "callsync record key"}

// ensureKey looks for one of callsync's unique properties and makes it where it is missing.
func (s *session) ensureKey(ctx context.Context, object, name string) (p property, made bool, err error) {
	p, err = s.property(ctx, object, name)
	if !connectors.IsClass(err, connectors.NotFound) {
		return p, false, err
	}
	path := s.api.properties(object)
	// The group may be there already (409); if it cannot be made, making the property says why.
	err = s.do(ctx, request{method: http.MethodPost, name: "making of a property group", path: path + "/groups",
		body: map[string]any{"name": group, "label": "callsync", "displayOrder": -1}}, nil)
	if err == nil || !connectors.AsError(err).Class.Retryable() {
		err = s.do(ctx, request{method: http.MethodPost, name: "making of a property", path: path, body: map[string]any{
			"name": name, "label": keyLabels[name], "groupName": group, "type": "string", "fieldType": "text", "hasUniqueValue": true, "formField": false,
			"description": "The key by which callsync recognises its own record. Do not change it.",
		}}, nil)
	}
	if err == nil || connectors.IsClass(err, connectors.Conflict) {
		p, err = s.property(ctx, object, name)
	}
	return p, true, err
}

func (s *session) property(ctx context.Context, object, name string) (property, error) {
	var p property
	err := s.do(ctx, get("read of a property", s.api.properties(object)+"/"+name, nil), &p)
	return p, err
}

// restoreKey tells whether an upsert that HubSpot refused may be tried again: the key was missing, as it is when a person
// deleted it or when the connection is older than the feature, and is there now.
func (s *session) restoreKey(ctx context.Context, object, key string, refusal error) bool {
	if field := connectors.AsError(refusal).Field; field != "" && field != key {
		return false
	}
	p, made, err := s.ensureKey(ctx, object, key)
	return err == nil && made && p.HasUniqueValue
}
